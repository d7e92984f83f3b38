//! Reject rows as messages: what goes into the dead-letter or quarantine table also goes into its topic.
//!
//! It happens where rows are written, so the topic holds the offset just as the table does: no claim is made and no
//! group offset committed before the brokers have acknowledged.

use bytes::Bytes;
use naap_actors::names;
use naap_actors::ports::{TableWriter, WriteError};
use naap_protocol::rows::rejects::{DeadLetter, Quarantined};
use naap_protocol::rows::{Row, TableSpec};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use super::client::{self, Context};
use super::error::{KafkaError, Names};
use super::reader::QUERY;
use super::who;
use crate::config::Config;

/// Longest message. Brokers take 1 MiB with the key and their own frame unless they are told otherwise.
const MESSAGE_BYTES: usize = 1_000_000;
/// Bytes of one insert's messages that are on their way at once.
const WINDOW_BYTES: usize = 1 << 20;
/// The client gives a message up after this time, ms; then the sink writes the whole batch again.
const DELIVERY_MILLIS: &str = "30000";
/// What stands in a message instead of a payload that it can not hold.
const SHORTENED: &str = "too long for a message: the row of the table holds the payload";

/// The topics of dead letters and quarantined records, ready to be written.
pub struct RejectTopics {
    producer: FutureProducer<Context>,
    dead_letters: String,
    quarantine: String,
    names: Names,
}

impl std::fmt::Debug for RejectTopics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let topics = (&self.dead_letters, &self.quarantine);
        f.debug_tuple("RejectTopics").field(&topics).finish_non_exhaustive()
    }
}

impl RejectTopics {
    /// Connects as node `node` and makes sure that both topics are there; `None` when they are not
    /// wanted.
    ///
    /// # Errors
    /// When the settings can not be used, no broker answers, or a topic is missing or refused.
    pub async fn connect(config: &Config, node: &str) -> Result<Option<Self>, KafkaError> {
        let rejects = &config.kafka.rejects;
        if !rejects.enabled {
            return Ok(None);
        }
        let context = Context::default();
        let producer = producer(config, node)?.create_with_context(context);
        let topics = Self {
            producer: producer.map_err(|e| KafkaError::Settings(e.to_string()))?,
            dead_letters: rejects.dead_letter_topic.as_str().to_owned(),
            quarantine: rejects.quarantine_topic.as_str().to_owned(),
            names: who(config, node),
        };
        let check = tokio::task::spawn_blocking(move || topics.check().map(|()| topics));
        check.await.map_err(|e| KafkaError::Thread(e.to_string()))?.map(Some)
    }

    fn check(&self) -> Result<(), KafkaError> {
        for topic in [&self.dead_letters, &self.quarantine] {
            let answer = self.producer.client().fetch_metadata(Some(topic), QUERY);
            let metadata = answer.map_err(|error| KafkaError::Unreachable {
                brokers: self.names.brokers.clone(),
                reason: error.to_string(),
            })?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            let code = found.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from);
            if let Some(error) = code.and_then(|code| self.names.reject_topic(topic, code)) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// The topic beside `table`.
    fn beside(&self, table: &TableSpec) -> Option<&str> {
        match table.name {
            name if name == DeadLetter::SPEC.name => Some(&self.dead_letters),
            name if name == Quarantined::SPEC.name => Some(&self.quarantine),
            _ => None,
        }
    }

    /// Writes the rows of `chunks` to `topic` and returns when all are acknowledged.
    async fn publish(&self, topic: &str, chunks: &[Bytes]) -> Result<(), WriteError> {
        let (mut under_way, mut bytes) = (Vec::new(), 0);
        for chunk in chunks {
            let mut rest: &[u8] = chunk;
            while !rest.is_empty() {
                let row = DeadLetter::decode(&mut rest);
                let row = row.ok_or_else(|| {
                    WriteError::Permanent(format!("topic {topic}: a reject row does not read back"))
                })?;
                let message = message(&row, topic);
                if bytes + message.len() > WINDOW_BYTES {
                    self.acknowledged(topic, &mut under_way).await?;
                    bytes = 0;
                }
                bytes += message.len();
                under_way.push(self.send(topic, &row.message_key(), &message)?);
            }
        }
        self.acknowledged(topic, &mut under_way).await
    }

    fn send(&self, topic: &str, key: &str, message: &str) -> Result<DeliveryFuture, WriteError> {
        let record = FutureRecord::to(topic).key(key).payload(message);
        self.producer.send_result(record).map_err(|(error, _)| self.failed(topic, &error))
    }

    async fn acknowledged(
        &self,
        topic: &str,
        under_way: &mut Vec<DeliveryFuture>,
    ) -> Result<(), WriteError> {
        let count = under_way.len() as u64;
        for delivery in under_way.drain(..) {
            // The producer lives as long as this value, so it does not forget an answer.
            let delivered =
                delivery.await.map_err(|_| self.failed(topic, &ClientError::Canceled))?;
            delivered.map_err(|(error, _)| self.failed(topic, &error))?;
        }
        metrics::counter!(names::REJECT_MESSAGES, "topic" => topic.to_owned()).increment(count);
        Ok(())
    }

    fn failed(&self, topic: &str, error: &ClientError) -> WriteError {
        let code = error.rdkafka_error_code();
        if let Some(error) = code.and_then(|code| self.names.reject_topic(topic, code)) {
            return WriteError::Permanent(error.to_string());
        }
        if let Some((code, reason)) = self.producer.client().fatal_error() {
            return WriteError::Permanent(
                KafkaError::Fatal(format!("{code}: {reason}")).to_string(),
            );
        }
        WriteError::Retryable(format!("topic {topic} did not acknowledge: {error}"))
    }
}

/// Settings of the producer: every message once and in order as long as the process lives, nothing
/// acknowledged that one broker's loss could take away.
fn producer(config: &Config, node: &str) -> Result<ClientConfig, KafkaError> {
    let mut client = client::connection(&config.kafka, node)?;
    let settings = [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("compression.codec", "lz4"),
        ("message.timeout.ms", DELIVERY_MILLIS),
        // The key, a frame and a message of the longest kind.
        ("message.max.bytes", "1048588"),
        // The windows stay far below; what is above them is a mistake that must not cost memory.
        ("queue.buffering.max.kbytes", "65536"),
        // Where the Java clients put a key.
        ("partitioner", "murmur2_random"),
    ];
    for (key, value) in settings {
        client.set(key, value);
    }
    Ok(client)
}

/// The message of `row`; without its texts where it would be too long for a broker.
fn message(row: &DeadLetter<'_>, topic: &str) -> String {
    let whole = row.to_json();
    if whole.len() <= MESSAGE_BYTES {
        return whole;
    }
    metrics::counter!(names::REJECT_MESSAGES_SHORTENED, "topic" => topic.to_owned()).increment(1);
    DeadLetter {
        event_id: "",
        event_type: "",
        event_version: None,
        dedup_key: None,
        failure_details: SHORTENED,
        orchestrator: None,
        broadcaster: None,
        region: None,
        payload_body: "",
        payload_canonical_json: None,
        ..row.clone()
    }
    .to_json()
}

/// A writer whose reject rows count as stored when table and topic have acknowledged them.
#[derive(Debug)]
pub struct RejectCopies<W> {
    tables: W,
    topics: Option<RejectTopics>,
}

impl<W> RejectCopies<W> {
    /// `tables` with copies in `topics`; without topics it is just `tables`.
    pub fn new(tables: W, topics: Option<RejectTopics>) -> Self {
        Self { tables, topics }
    }
}

impl<W: TableWriter> TableWriter for RejectCopies<W> {
    async fn write(
        &self,
        table: &'static TableSpec,
        chunks: Vec<Bytes>,
        count: u64,
    ) -> Result<(), WriteError> {
        let topics = self.topics.as_ref();
        let Some((topics, topic)) = topics.and_then(|t| Some((t, t.beside(table)?))) else {
            return self.tables.write(table, chunks, count).await;
        };
        // The table first: it takes a repeated row without a trace, a topic keeps both.
        self.tables.write(table, chunks.clone(), count).await?;
        topics.publish(topic, &chunks).await
    }
}
