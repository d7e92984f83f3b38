//! The client library: its settings from ours, and its callbacks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use naap_protocol::state::SourcePartition;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use super::error::KafkaError;
use super::names;
use crate::config::{Config, HostPort, Kafka, SaslMechanism, SecurityProtocol};

/// Settings of any client of the configured brokers: addresses, encryption, login.
///
/// # Errors
/// When the password or a file can not be read.
pub fn connection(kafka: &Kafka, client_id: &str) -> Result<ClientConfig, KafkaError> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", brokers(kafka));
    client.set("client.id", client_id);
    client.set("security.protocol", protocol(kafka.security_protocol));
    client.set("socket.keepalive.enable", "true");
    client.set("reconnect.backoff.max.ms", "2000");
    // A broker that has just started may answer that a partition has no leader; the client believes it
    // until it asks again, by default for five minutes.
    client.set("topic.metadata.refresh.interval.ms", "5000");
    client.set("allow.auto.create.topics", "false");
    let files = [
        ("ssl.ca.location", "kafka.ca_file", &kafka.ca_file),
        ("ssl.certificate.location", "kafka.cert_file", &kafka.cert_file),
        ("ssl.key.location", "kafka.key_file", &kafka.key_file),
    ];
    for (key, setting, file) in files {
        if let Some(file) = file {
            // The client only logs what is wrong with them, and tries again for ever.
            crate::config::readable(setting, file).map_err(KafkaError::File)?;
            client.set(key, file.to_string_lossy());
        }
    }
    if let Some(mechanism) = kafka.sasl_mechanism {
        client.set("sasl.mechanism", mechanism_name(mechanism));
        client.set("sasl.username", kafka.username.as_deref().unwrap_or_default());
        let password = kafka.resolve_password().map_err(|e| KafkaError::Secret(e.to_string()))?;
        if let Some(password) = password {
            client.set("sasl.password", password.expose());
        }
    }
    Ok(client)
}

/// Settings of the consumer of node `node`. Offsets are committed by us alone, after the effects.
pub(super) fn consumer(config: &Config, node: &str) -> Result<ClientConfig, KafkaError> {
    let kafka = &config.kafka;
    let mut client = connection(kafka, node)?;
    let prefetch_kib = (config.memory.ingest_buffer.0 / 4096).clamp(1024, 65_536);
    let settings = [
        ("group.id", config.ingest.group.as_str().to_owned()),
        ("group.instance.id", node.to_owned()),
        ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
        ("session.timeout.ms", kafka.session_timeout.as_millis().to_string()),
        ("heartbeat.interval.ms", kafka.heartbeat.as_millis().to_string()),
        ("max.poll.interval.ms", (60_000 + kafka.session_timeout.as_millis()).to_string()),
        ("enable.auto.commit", "false".to_owned()),
        ("enable.auto.offset.store", "false".to_owned()),
        // We always say where to start; what Kafka no longer holds must be noticed.
        ("auto.offset.reset", "error".to_owned()),
        ("queued.max.messages.kbytes", prefetch_kib.to_string()),
        ("fetch.queue.backoff.ms", "20".to_owned()),
        // A partition that is read from elsewhere waits for the fetch that is under way.
        ("fetch.wait.max.ms", "100".to_owned()),
        ("statistics.interval.ms", "5000".to_owned()),
    ];
    for (key, value) in settings {
        client.set(key, value);
    }
    Ok(client)
}

/// The brokers as one text.
pub(super) fn brokers(kafka: &Kafka) -> String {
    let names: Vec<_> = kafka.bootstrap.iter().map(HostPort::as_str).collect();
    names.join(",")
}

/// The brokers of `kafka` do not answer.
pub(super) fn unreachable(kafka: &Kafka, error: &ClientError) -> KafkaError {
    KafkaError::Unreachable { brokers: brokers(kafka), reason: error.to_string() }
}

fn protocol(protocol: SecurityProtocol) -> &'static str {
    match protocol {
        SecurityProtocol::Plaintext => "plaintext",
        SecurityProtocol::Ssl => "ssl",
        SecurityProtocol::SaslSsl => "sasl_ssl",
        SecurityProtocol::SaslPlaintext => "sasl_plaintext",
    }
}

fn mechanism_name(mechanism: SaslMechanism) -> &'static str {
    match mechanism {
        SaslMechanism::Plain => "PLAIN",
        SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
        SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
    }
}

/// A change of the assignment that the group asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GroupEvent {
    /// Partitions come.
    Assigned(Vec<SourcePartition>),
    /// Partitions go; if `lost`, somebody else may have them already.
    Revoked { partitions: Vec<SourcePartition>, lost: bool },
}

/// What callbacks leave behind for the consumer thread. They run on that thread, in its polls.
#[derive(Debug, Default)]
pub(super) struct Context {
    events: Mutex<VecDeque<GroupEvent>>,
    ends: Mutex<BTreeMap<SourcePartition, u64>>,
    trouble: Mutex<Option<String>>,
    committed: Mutex<BTreeMap<SourcePartition, u64>>,
    closing: AtomicBool,
}

/// The content, also after a panic elsewhere: it is replaced as a whole, never half written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Context {
    /// The next change of the assignment.
    pub fn next_event(&self) -> Option<GroupEvent> {
        lock(&self.events).pop_front()
    }

    /// Ends of partitions as of the last statistics.
    pub fn take_ends(&self) -> BTreeMap<SourcePartition, u64> {
        std::mem::take(&mut lock(&self.ends))
    }

    /// What the client complained about last.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Commits that brokers have confirmed since the last call.
    pub fn take_committed(&self) -> BTreeMap<SourcePartition, u64> {
        std::mem::take(&mut lock(&self.committed))
    }

    /// From now on changes of the assignment are answered at once.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                *lock(&self.trouble) = Some(message.to_owned());
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: ClientError, reason: &str) {
        *lock(&self.trouble) = Some(reason.to_owned());
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }

    fn stats(&self, statistics: Statistics) {
        let mut ends = lock(&self.ends);
        for (topic, found) in statistics.topics {
            for (partition, found) in found.partitions {
                // Partition -1 stands for those that are not known yet.
                if let (Ok(partition), Ok(end)) =
                    (u32::try_from(partition), u64::try_from(found.hi_offset))
                {
                    ends.insert(SourcePartition { topic: topic.clone(), partition }, end);
                }
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let comes = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            answer_at_once(consumer, comes, list);
            return;
        }
        let partitions = sources(list);
        let lost = !comes && consumer.assignment_lost();
        let kind = if comes { "assigned" } else { ["revoked", "lost"][usize::from(lost)] };
        metrics::counter!(names::REBALANCES, "kind" => kind).increment(1);
        lock(&self.events).push_back(if comes {
            GroupEvent::Assigned(partitions)
        } else {
            GroupEvent::Revoked { partitions, lost }
        });
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        // Each partition has an outcome of its own, whatever the whole says.
        let mut outcome = result;
        for element in offsets.elements() {
            match (element.error(), element.offset()) {
                (Ok(()), Offset::Offset(offset)) if outcome.is_ok() => {
                    let source = source(element.topic(), element.partition());
                    lock(&self.committed).insert(source, offset.unsigned_abs());
                }
                (Err(error), _) => outcome = Err(error),
                _ => {}
            }
        }
        if let Err(error) = outcome {
            commit_failed(&error);
        }
    }
}

/// Counts and tells; whoever commits tries again.
pub(super) fn commit_failed(error: &ClientError) {
    metrics::counter!(names::COMMIT_FAILURES).increment(1);
    tracing::warn!(%error, "offsets were not committed; the next commit takes them along");
}

/// Takes nothing, gives everything: the consumer is going away and waits for an answer.
fn answer_at_once(consumer: &BaseConsumer<Context>, comes: bool, list: &TopicPartitionList) {
    let answer = if comes {
        consumer.incremental_assign(&TopicPartitionList::new())
    } else {
        let held = consumer.assignment().unwrap_or_default();
        let mut given = TopicPartitionList::new();
        for element in list.elements() {
            if held.find_partition(element.topic(), element.partition()).is_some() {
                given.add_partition(element.topic(), element.partition());
            }
        }
        consumer.incremental_unassign(&given)
    };
    if let Err(error) = answer {
        tracing::debug!(%error, "a change of the assignment was not answered while closing");
    }
}

fn sources(list: &TopicPartitionList) -> Vec<SourcePartition> {
    list.elements().iter().map(|element| source(element.topic(), element.partition())).collect()
}

fn source(topic: &str, partition: i32) -> SourcePartition {
    SourcePartition { topic: topic.to_owned(), partition: partition.unsigned_abs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_reaches_the_client_and_no_printed_form() {
        let kafka = Kafka {
            security_protocol: SecurityProtocol::SaslSsl,
            sasl_mechanism: Some(SaslMechanism::ScramSha512),
            username: Some("naap".into()),
            password: Some(crate::config::Secret::new("hunter2")),
            ..Config::default().kafka
        };
        let client = connection(&kafka, "naap-0").unwrap();
        assert_eq!(client.get("sasl.password"), Some("hunter2"));
        assert_eq!(client.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert!(!format!("{client:?}").contains("hunter2"));
        // The library is built with encryption and with this mechanism.
        assert!(client.create::<BaseConsumer>().is_ok());
    }
}
