//! Reject rows on their way to table and topic, against the mock.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use naap_actors::ports::{TableWriter, WriteError};
use naap_node::kafka::{KafkaError, RejectCopies, RejectTopics};
use naap_protocol::rows::rejects::{DeadLetter, Ignored, Quarantined};
use naap_protocol::rows::{Row, TableSpec};
use naap_protocol::time::Timestamp;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::Value;

use crate::broker::{Message, messages};
use crate::helper::Setup;
use crate::meter;

const DEAD: &str = "naap.dlq.v1";
const QUARANTINE: &str = "naap.quarantine.v1";

/// A writer that only counts.
#[derive(Debug, Default)]
struct Tables(Mutex<Vec<(&'static str, u64)>>);

impl TableWriter for &'static Tables {
    async fn write(
        &self,
        table: &'static TableSpec,
        _chunks: Vec<Bytes>,
        count: u64,
    ) -> Result<(), WriteError> {
        self.0.lock().unwrap().push((table.name, count));
        Ok(())
    }
}

struct Copies {
    cluster: MockCluster<'static, DefaultProducerContext>,
    bootstrap: String,
    tables: &'static Tables,
    writer: RejectCopies<&'static Tables>,
}

async fn copies() -> Copies {
    let cluster = MockCluster::new(1).unwrap();
    for topic in [DEAD, QUARANTINE] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    let bootstrap = cluster.bootstrap_servers();
    let config = Setup::new(&bootstrap, "in").config();
    let topics = RejectTopics::connect(&config, "naap-0").await.unwrap();
    let tables: &'static Tables = Box::leak(Box::default());
    Copies { cluster, bootstrap, tables, writer: RejectCopies::new(tables, topics) }
}

impl Copies {
    async fn write(&self, rows: &[DeadLetter<'_>]) -> Result<(), WriteError> {
        self.writer.write(DeadLetter::SPEC, encoded(rows), rows.len() as u64).await
    }

    fn messages(&self, topic: &str, count: usize) -> Vec<(String, Value)> {
        let text = |Message { key, value }| {
            let key = String::from_utf8(key.unwrap()).unwrap();
            (key, serde_json::from_slice(&value.unwrap()).unwrap())
        };
        messages(&self.bootstrap, topic, count).into_iter().map(text).collect()
    }
}

/// Every row in a chunk of its own, but for the first two.
fn encoded(rows: &[DeadLetter<'_>]) -> Vec<Bytes> {
    let mut chunks: Vec<Vec<u8>> = vec![Vec::new()];
    for (at, row) in rows.iter().enumerate() {
        if at > 1 {
            chunks.push(Vec::new());
        }
        row.encode(chunks.last_mut().unwrap());
    }
    chunks.into_iter().map(Bytes::from).collect()
}

fn row(offset: u64, body: &str) -> DeadLetter<'_> {
    DeadLetter {
        schema_version: "v1",
        org: "o",
        source_topic: "in",
        source_partition: 3,
        source_offset: offset,
        failure_stage: "SCHEMA_VALIDATION",
        failure_reason: "missing_type",
        payload_encoding: "json",
        payload_body: body,
        version: offset,
        ingestion_timestamp: Timestamp(5),
        ..DeadLetter::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn rejects_go_to_their_table_and_their_topic_and_nothing_else_does() {
    let copies = copies().await;
    let rows = [row(1, "a"), row(2, "b"), row(3, "c")];
    copies.write(&rows).await.unwrap();
    let quarantined = encoded(&[row(4, "d")]);
    copies.writer.write(Quarantined::SPEC, quarantined, 1).await.unwrap();
    let ignored = vec![Bytes::from_static(b"any row")];
    copies.writer.write(Ignored::SPEC, ignored, 1).await.unwrap();
    // Delivered again: the same keys.
    copies.write(&rows[..1]).await.unwrap();

    let dead = copies.messages(DEAD, 4);
    let keys: Vec<_> = dead.iter().map(|(key, _)| key.as_str()).collect();
    let key = |offset| format!("o/in/3/{offset}/SCHEMA_VALIDATION/0");
    assert_eq!(keys, [key(1), key(2), key(3), key(1)]);
    let bodies: Vec<_> = dead.iter().map(|(_, json)| json["payload"]["body"].clone()).collect();
    assert_eq!(bodies, ["a", "b", "c", "a"]);
    assert_eq!(dead[0].1, serde_json::from_str::<Value>(&rows[0].to_json()).unwrap());
    let quarantine = copies.messages(QUARANTINE, 1);
    assert_eq!(quarantine[0].0, key(4));
    let stored = copies.tables.0.lock().unwrap().clone();
    let names = [DeadLetter::SPEC.name, Quarantined::SPEC.name, Ignored::SPEC.name];
    let expected = [(names[0], 3), (names[1], 1), (names[2], 1), (names[0], 1)];
    assert_eq!(stored, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_insert_is_not_done_before_the_topic_has_acknowledged() {
    let copies = copies().await;
    let passing = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 1000];
    copies.cluster.request_errors(RDKafkaApiKey::Produce, &passing);
    let rows = [row(1, "a")];
    let mut insert = std::pin::pin!(copies.write(&rows));
    let early = tokio::time::timeout(Duration::from_millis(500), &mut insert).await;
    assert!(early.is_err(), "stored without an acknowledgement");
    assert_eq!(copies.tables.0.lock().unwrap().len(), 1, "the table has it already");
    copies.cluster.clear_request_errors(RDKafkaApiKey::Produce);
    insert.await.unwrap();
    assert_eq!(copies.messages(DEAD, 1).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refusal_for_good_names_the_topic_and_the_remedy() {
    let copies = copies().await;
    let refusal = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED];
    copies.cluster.request_errors(RDKafkaApiKey::Produce, &refusal);
    let Err(WriteError::Permanent(reason)) = copies.write(&[row(1, "a")]).await else {
        panic!("refused for good")
    };
    assert!(reason.contains("to write to the topic \"naap.dlq.v1\"; grant it"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_payload_too_long_for_a_message_stays_in_the_table() {
    meter::install();
    let copies = copies().await;
    // Every character takes six in JSON.
    let long = "\u{1}".repeat(200_000);
    copies.write(&[row(1, &long), row(2, "b")]).await.unwrap();
    let found = copies.messages(DEAD, 2);
    assert_eq!(found[0].1["source"]["offset"], 1);
    assert_eq!(found[0].1["failure"]["reason"], "missing_type");
    assert_eq!(found[0].1["payload"]["body"], Value::Null);
    assert_eq!(found[1].1["payload"]["body"], "b");
    let shortened = "naap_reject_messages_shortened_total topic=naap.dlq.v1";
    assert_eq!(meter::highest(shortened), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_missing_topic_is_said_at_the_start() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(DEAD, 1, 1).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    let mut config = Setup::new(&bootstrap, "in").config();
    let refused = RejectTopics::connect(&config, "naap-0").await.err().unwrap();
    let topic = QUARANTINE.to_owned();
    assert_eq!(refused, KafkaError::NoRejectTopic { brokers: bootstrap, topic });
    config.kafka.rejects.enabled = false;
    assert!(RejectTopics::connect(&config, "naap-0").await.unwrap().is_none());
}
