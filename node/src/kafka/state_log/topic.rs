//! The topic of the state log: made where it is missing, checked where it is there.

use rdkafka::admin::{AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;

use crate::config::Config;
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
    /// Nothing was ever written to it.
    pub is_empty: bool,
}

/// Makes the topic where it is missing, and checks it.
pub(super) async fn ensure(config: &Config, shards: u16) -> Result<Found, KafkaError> {
    let topic = config.state_log.topic.as_str();
    let connection = client::connection(&config.kafka, config.node.name.as_str())?;
    let settings = |e: ClientError| KafkaError::Settings(e.to_string());
    let consumer: BaseConsumer = connection.create().map_err(settings)?;
    let (brokers, partitions) = look(&consumer, config, topic)?;
    let in_sync = if brokers > 1 { 2 } else { 1 };
    let admin = admin(&connection)?;
    if partitions == 0 {
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
        return Ok(Found { is_empty: true });
    } else if partitions != usize::from(shards) {
        let wrong = format!(
            "has {partitions} partitions, but cluster.shards is {shards}; the number of shards is fixed: set \
             cluster.shards = {partitions}, or name another topic"
        );
        return Err(KafkaError::StateTopic { topic: topic.to_owned(), wrong });
    }
    let options = AdminOptions::new().request_timeout(Some(QUERY));
    let described = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await;
    match described.map(|all| all.into_iter().next()) {
        Ok(Some(Ok(found))) => check(topic, &found, in_sync)?,
        Ok(Some(Err(code))) => unchecked(topic, &code.to_string()),
        Ok(None) => {}
        Err(error) => unchecked(topic, &error.to_string()),
    }
    let is_empty =
        is_empty(&consumer, topic, shards).map_err(|e| client::unreachable(&config.kafka, &e))?;
    Ok(Found { is_empty })
}

fn unchecked(topic: &str, reason: &str) {
    tracing::warn!(
        %topic, reason,
        "the settings of the state log's topic can not be read; make sure that it is compacted, with \
         unclean.leader.election.enable = false and min.insync.replicas = 2"
    );
}

/// Number of brokers, and of the topic's partitions: 0 when there is no such topic.
fn look(
    consumer: &BaseConsumer,
    config: &Config,
    topic: &str,
) -> Result<(usize, usize), KafkaError> {
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
    Ok((metadata.brokers().len(), found.map_or(0, |found| found.partitions().len())))
}

/// Waits until a new topic is there for everybody.
fn wait_for(
    consumer: &BaseConsumer,
    config: &Config,
    topic: &str,
    shards: u16,
) -> Result<(), KafkaError> {
    for _ in 0..50 {
        if look(consumer, config, topic).is_ok_and(|(_, found)| found == usize::from(shards)) {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let wrong = "was made, but the brokers do not show it yet; start again".to_owned();
    Err(KafkaError::StateTopic { topic: topic.to_owned(), wrong })
}

fn check(topic: &str, found: &ConfigResource, in_sync: u32) -> Result<(), KafkaError> {
    let value = |name: &str| found.get(name).and_then(|entry| entry.value.clone());
    for (at, (name, wanted)) in SETTINGS.into_iter().enumerate() {
        let Some(is) = value(name).filter(|is| is != wanted) else { continue };
        if at < BINDING {
            let wrong = format!(
                "has {name} = {is}, but the state of shards is only safe with {wanted}; alter the topic, or name \
                 another one"
            );
            return Err(KafkaError::StateTopic { topic: topic.to_owned(), wrong });
        }
        tracing::info!(%topic, name, is, wanted, "the state log's topic differs from the advice");
    }
    let replicas: Option<u32> = value("min.insync.replicas").and_then(|text| text.parse().ok());
    if let Some(is) = replicas.filter(|&is| is < in_sync) {
        let wrong = format!(
            "has min.insync.replicas = {is}, so that the loss of one broker could take state away; alter it to \
             {in_sync}"
        );
        return Err(KafkaError::StateTopic { topic: topic.to_owned(), wrong });
    }
    Ok(())
}

fn is_empty(consumer: &BaseConsumer, topic: &str, shards: u16) -> Result<bool, ClientError> {
    for shard in 0..shards {
        let (_, high) = patiently(|| consumer.fetch_watermarks(topic, i32::from(shard), QUERY))?;
        if high > 0 {
            return Ok(false);
        }
    }
    Ok(true)
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
