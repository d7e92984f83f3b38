//! The topic of the state log: made where it is missing, checked where it is there.

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;

use crate::config::{Config, Kafka};
use crate::kafka::client;
use crate::kafka::create::{Wish, admin, create};
use crate::kafka::error::KafkaError;
use crate::kafka::reader::QUERY;

/// Longest record: a state of the largest size with its key.
pub(super) const MESSAGE_BYTES: usize = (64 << 20) + 4096;

/// What the topic must be like; `min.insync.replicas` depends on the brokers.
const SETTINGS: [(&str, &str); 5] = [
    ("cleanup.policy", "compact"),
    ("unclean.leader.election.enable", "false"),
    ("segment.bytes", "16777216"),
    ("segment.ms", "60000"),
    ("min.cleanable.dirty.ratio", "0.1"),
];
/// Those of them that nothing may differ in: the others only cost time or space.
const BINDING: usize = 2;

/// What is known of the topic.
pub(super) struct Found {
    /// Shards of which nothing was ever written to it.
    pub unknown: u16,
}

/// What the brokers say of themselves and of the topic.
struct Look {
    brokers: usize,
    /// Each partition with the number of its replicas; none when there is no such topic.
    replicas: Vec<(i32, usize)>,
}

/// Makes the topic where it is missing, and checks it.
pub(super) async fn ensure(config: &Config, shards: u16) -> Result<Found, KafkaError> {
    let topic = config.state_log.topic.as_str();
    let connection = client::connection(&config.kafka, config.node.name.as_str())?;
    let settings = |e: ClientError| KafkaError::Settings(e.to_string());
    let consumer: BaseConsumer = connection.create().map_err(settings)?;
    let Look { brokers, replicas } = look(&consumer, config, topic)?;
    let in_sync = if brokers > 1 { 2 } else { 1 };
    let admin = admin(&connection)?;
    if replicas.is_empty() {
        let (longest, in_sync) = (MESSAGE_BYTES.to_string(), in_sync.to_string());
        let mut settings = SETTINGS.to_vec();
        settings.extend([
            ("max.message.bytes", longest.as_str()),
            ("min.insync.replicas", in_sync.as_str()),
        ]);
        let wish = Wish { name: topic, partitions: shards, brokers, settings: &settings };
        let refused = |reason| KafkaError::StateTopicRefused { topic: topic.to_owned(), reason };
        create(&admin, wish, refused).await?;
        wait_for(&consumer, config, topic, shards)?;
        return Ok(Found { unknown: shards });
    }
    let wrong = |wrong| KafkaError::StateTopic { topic: topic.to_owned(), wrong };
    if replicas.len() != usize::from(shards) {
        let partitions = replicas.len();
        return Err(wrong(format!(
            "has {partitions} partitions, but cluster.shards is {shards}; the number of shards is fixed: set \
             cluster.shards = {partitions}, or name another topic"
        )));
    }
    let remedy = |setting: &str| alter(&config.kafka, topic, setting);
    let needed = match describe(&admin, topic).await {
        Ok(found) => check(topic, &found, in_sync, remedy).map_err(wrong)?,
        Err(reason) => {
            tracing::warn!(
                %topic, reason,
                "the settings of the state log's topic can not be read; make sure that it is compacted, with \
                 unclean.leader.election.enable = false, min.insync.replicas = 2 and \
                 max.message.bytes = {MESSAGE_BYTES}"
            );
            in_sync
        }
    };
    check_replicas(&replicas, needed, in_sync, remedy).map_err(wrong)?;
    let unknown =
        unknown(&consumer, topic, shards).map_err(|e| client::unreachable(&config.kafka, &e))?;
    Ok(Found { unknown })
}

/// The settings of a topic, or why the brokers do not tell them.
pub(in crate::kafka) async fn describe(
    admin: &AdminClient<DefaultClientContext>,
    topic: &str,
) -> Result<ConfigResource, String> {
    let options = AdminOptions::new().request_timeout(Some(QUERY));
    let described = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await;
    match described.map(|all| all.into_iter().next()) {
        Ok(Some(Ok(found))) => Ok(found),
        Ok(Some(Err(code))) => Err(code.to_string()),
        Ok(None) => Err("the answer is empty".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The value of a setting, where the brokers tell it.
pub(in crate::kafka) fn value<'a>(found: &'a ConfigResource, name: &str) -> Option<&'a str> {
    found.get(name).and_then(|entry| entry.value.as_deref())
}

/// The command that gives `topic` a setting, such as `name=value`.
pub(in crate::kafka) fn alter(kafka: &Kafka, topic: &str, setting: &str) -> String {
    format!(
        "`kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {topic} \
         --add-config {setting}`",
        client::brokers(kafka)
    )
}

/// Brokers and partitions as they are now.
fn look(consumer: &BaseConsumer, config: &Config, topic: &str) -> Result<Look, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), QUERY);
    let metadata = metadata.map_err(|e| client::unreachable(&config.kafka, &e))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let missing = [RDKafkaErrorCode::UnknownTopicOrPartition, RDKafkaErrorCode::UnknownTopic];
    if let Some(code) = found.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from)
        && !missing.contains(&code)
    {
        let wrong = format!("can not be used: {code}");
        return Err(KafkaError::StateTopic { topic: topic.to_owned(), wrong });
    }
    let partitions = found.into_iter().flat_map(MetadataTopic::partitions);
    let replicas = partitions.map(|partition| (partition.id(), partition.replicas().len()));
    Ok(Look { brokers: metadata.brokers().len(), replicas: replicas.collect() })
}

/// Waits until a new topic is there for everybody.
fn wait_for(
    consumer: &BaseConsumer,
    config: &Config,
    topic: &str,
    shards: u16,
) -> Result<(), KafkaError> {
    for _ in 0..50 {
        let found = look(consumer, config, topic);
        if found.is_ok_and(|found| found.replicas.len() == usize::from(shards)) {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let wrong = "was made, but the brokers do not show it yet; start again".to_owned();
    Err(KafkaError::StateTopic { topic: topic.to_owned(), wrong })
}

/// How many replicas a write needs, or what is wrong with the settings of the topic and the remedy.
fn check(
    topic: &str,
    found: &ConfigResource,
    in_sync: usize,
    alter: impl Fn(&str) -> String,
) -> Result<usize, String> {
    for (at, (name, wanted)) in SETTINGS.into_iter().enumerate() {
        let Some(is) = value(found, name).filter(|&is| is != wanted) else { continue };
        if at < BINDING {
            let alter = alter(&format!("{name}={wanted}"));
            return Err(format!(
                "has {name} = {is}, but the state of shards is only safe with {wanted}; alter it with {alter}, or \
                 name another topic in state_log.topic"
            ));
        }
        tracing::info!(%topic, name, is, wanted, "the state log's topic differs from the advice");
    }
    let number = |name: &str| value(found, name).and_then(|text| text.parse::<usize>().ok());
    if let Some(is) = number("max.message.bytes").filter(|&is| is < MESSAGE_BYTES) {
        let alter = alter(&format!("max.message.bytes={MESSAGE_BYTES}"));
        return Err(format!(
            "has max.message.bytes = {is}, but a snapshot can take {MESSAGE_BYTES}, and one that does not fit would \
             end node after node; raise it to at least {MESSAGE_BYTES} with {alter}"
        ));
    }
    let needed = number("min.insync.replicas").unwrap_or(in_sync);
    if needed < in_sync {
        let alter = alter(&format!("min.insync.replicas={in_sync}"));
        return Err(format!(
            "has min.insync.replicas = {needed}, so that the loss of one broker could take state away; raise it to \
             at least {in_sync} with {alter}"
        ));
    }
    Ok(needed)
}

/// Refuses partitions with fewer replicas than a write needs, as nothing could be written to them. With
/// `in_sync` replicas they would be safe.
fn check_replicas(
    replicas: &[(i32, usize)],
    needed: usize,
    in_sync: usize,
    alter: impl Fn(&str) -> String,
) -> Result<(), String> {
    let fewest = replicas.iter().copied().min_by_key(|&(_, count)| count);
    let Some((partition, count)) = fewest.filter(|&(_, count)| count < needed) else {
        return Ok(());
    };
    let lower = if count < in_sync {
        // The setting is right, so it is no remedy.
        String::new()
    } else {
        let alter = alter(&format!("min.insync.replicas={in_sync}"));
        format!(", or lower min.insync.replicas to {in_sync} with {alter}")
    };
    Err(format!(
        "has replication factor {count} in partition {partition}, but min.insync.replicas = {needed} needs at least \
         {needed}, and nothing could be written; give each partition that many replicas with \
         kafka-reassign-partitions.sh, or, if the topic is empty, delete it with kafka-topics.sh and start again to \
         have it made{lower}"
    ))
}

/// How many partitions are empty.
fn unknown(consumer: &BaseConsumer, topic: &str, shards: u16) -> Result<u16, ClientError> {
    let mut unknown = 0;
    for shard in 0..shards {
        let (_, high) = patiently(|| consumer.fetch_watermarks(topic, i32::from(shard), QUERY))?;
        unknown += u16::from(high == 0);
    }
    Ok(unknown)
}

/// A partition may have no leader for a moment.
fn patiently<T>(ask: impl Fn() -> Result<T, ClientError>) -> Result<T, ClientError> {
    for _ in 0..20 {
        if let Ok(answer) = ask() {
            return Ok(answer);
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    ask()
}

#[cfg(test)]
mod tests {
    use rdkafka::admin::{ConfigEntry, ConfigSource, OwnedResourceSpecifier};

    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("cleanup.policy", "compact"),
        ("unclean.leader.election.enable", "false"),
        ("max.message.bytes", "67112960"),
        ("min.insync.replicas", "2"),
    ];

    fn found(settings: &[(&str, &str)]) -> ConfigResource {
        let entry = |(name, value): &(&str, &str)| ConfigEntry {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            source: ConfigSource::DynamicTopic,
            is_read_only: false,
            is_default: false,
            is_sensitive: false,
        };
        let specifier = OwnedResourceSpecifier::Topic("state".to_owned());
        ConfigResource { specifier, entries: settings.iter().map(entry).collect() }
    }

    fn told(setting: &str) -> String {
        alter(&Config::default().kafka, "state", setting)
    }

    #[test]
    fn settings_that_lose_state_or_refuse_it_are_named_with_the_remedy() {
        assert_eq!(check("state", &found(&GOOD), 2, told), Ok(2));
        assert_eq!(check("state", &found(&[]), 2, told), Ok(2), "what is not told is not refused");
        let cases = [
            (
                ("cleanup.policy", "compact,delete"),
                "has cleanup.policy = compact,delete, but the state of shards is only safe with compact; alter it",
                "cleanup.policy=compact`",
            ),
            (
                ("unclean.leader.election.enable", "true"),
                "has unclean.leader.election.enable = true, but the state of shards is only safe with false",
                "unclean.leader.election.enable=false`",
            ),
            (
                ("max.message.bytes", "1048588"),
                "has max.message.bytes = 1048588, but a snapshot can take 67112960",
                "--entity-name state --add-config max.message.bytes=67112960`",
            ),
            (
                ("min.insync.replicas", "1"),
                "has min.insync.replicas = 1, so that the loss of one broker could take state away",
                "min.insync.replicas=2`",
            ),
        ];
        for ((name, value), wrong, remedy) in cases {
            let settings = GOOD.map(|(key, good)| (key, if key == name { value } else { good }));
            let sentence = check("state", &found(&settings), 2, told).unwrap_err();
            assert!(sentence.contains(wrong) && sentence.contains(remedy), "{sentence}");
        }
        let mut larger = GOOD;
        larger[3].1 = "3";
        assert_eq!(check("state", &found(&larger), 2, told), Ok(3));
    }

    #[test]
    fn partitions_that_could_not_be_written_are_refused() {
        let all = [(0, 3), (1, 2)];
        assert_eq!(check_replicas(&all, 2, 2, told), Ok(()));
        // More than is safe: it can be lowered.
        let sentence = check_replicas(&all, 3, 2, told).unwrap_err();
        let wrong =
            "has replication factor 2 in partition 1, but min.insync.replicas = 3 needs at least 3";
        assert!(sentence.contains(wrong), "{sentence}");
        assert!(sentence.contains("--add-config min.insync.replicas=2`"), "{sentence}");
        // Not more than is safe.
        let sentence = check_replicas(&[(0, 1)], 2, 2, told).unwrap_err();
        assert!(sentence.contains("kafka-reassign-partitions.sh"), "{sentence}");
        assert!(!sentence.contains("--add-config"), "{sentence}");
    }
}
