//! What tests do at brokers themselves: write records, look up commits.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::helper::PATIENCE;

pub fn producer(bootstrap: &str, codec: &str) -> BaseProducer {
    batching_producer(bootstrap, codec, 10_000)
}

/// A producer that writes at most `batch` records at once: brokers delete whole batches.
pub fn batching_producer(bootstrap: &str, codec: &str, batch: usize) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("batch.num.messages", batch.to_string());
    config.set("bootstrap.servers", bootstrap).set("compression.codec", codec);
    config.set("queue.buffering.max.messages", "1000000").set("linger.ms", "5");
    config.create().unwrap()
}

/// A record to write.
#[derive(Clone, Copy, Default)]
pub struct Write<'a> {
    pub partition: i32,
    pub value: Option<&'a [u8]>,
    pub time: Option<i64>,
    pub header: Option<(&'a str, &'a str)>,
}

pub fn write(producer: &BaseProducer, topic: &str, write: Write<'_>) {
    let mut record = BaseRecord::<(), [u8]>::to(topic).partition(write.partition);
    record.payload = write.value;
    record.timestamp = write.time;
    record.headers = write.header.map(|(key, value)| {
        OwnedHeaders::new().insert(rdkafka::message::Header { key, value: Some(value) })
    });
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

/// Writes `0`, `1`, ... as text to partition `partition`.
pub fn write_numbers(bootstrap: &str, topic: &str, partition: i32, numbers: std::ops::Range<u64>) {
    let producer = producer(bootstrap, "none");
    for number in numbers {
        let value = number.to_string();
        let value = Some(value.as_bytes());
        write(&producer, topic, Write { partition, value, ..Write::default() });
    }
    producer.flush(PATIENCE).unwrap();
}

/// Key and value of a message.
pub struct Message {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

/// The first `count` messages of partition 0 of `topic`.
pub fn messages(bootstrap: &str, topic: &str, count: usize) -> Vec<Message> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", "look");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let next = || {
        let message = consumer.poll(PATIENCE).expect("too few messages").unwrap();
        Message {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
        }
    };
    (0..count).map(|_| next()).collect()
}

/// The offset that the group of `topic` has committed.
pub fn committed(bootstrap: &str, topic: &str, partition: i32) -> Option<i64> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", format!("naap.{topic}.ingest"));
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let found = consumer.committed_offsets(list, PATIENCE).unwrap();
    match found.elements()[0].offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

/// Waits until the group has committed `offset`.
pub async fn until_committed(bootstrap: &str, topic: &str, partition: i32, offset: i64) {
    let until = Instant::now() + PATIENCE;
    loop {
        let (bootstrap, name) = (bootstrap.to_owned(), topic.to_owned());
        let look = move || committed(&bootstrap, &name, partition);
        let found = tokio::task::spawn_blocking(look).await.unwrap();
        if found == Some(offset) {
            return;
        }
        assert!(Instant::now() < until, "{topic}: committed {found:?}, expected {offset}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
