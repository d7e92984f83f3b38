//! Makes a topic of naap's own where it is missing.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::error::KafkaError;
use super::reader::QUERY;

/// Most copies of a topic that is made here.
const REPLICAS: usize = 3;

/// A topic as it is to be made.
pub(super) struct Wish<'a> {
    pub name: &'a str,
    pub partitions: u16,
    /// Brokers that there are.
    pub brokers: usize,
    pub settings: &'a [(&'a str, &'a str)],
}

/// The way to ask the brokers to make and to describe topics.
pub(super) fn admin(
    connection: &ClientConfig,
) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
    connection.create().map_err(|e| KafkaError::Settings(e.to_string()))
}

/// Makes the topic, unless another node was faster; `refused` says what it means that the brokers do
/// not let it be made.
pub(super) async fn create(
    admin: &AdminClient<DefaultClientContext>,
    wish: Wish<'_>,
    refused: impl Fn(String) -> KafkaError,
) -> Result<(), KafkaError> {
    let Wish { name, partitions, brokers, settings } = wish;
    let replicas = TopicReplication::Fixed(brokers.min(REPLICAS) as i32);
    let mut new = NewTopic::new(name, i32::from(partitions), replicas);
    for (key, value) in settings {
        new = new.set(key, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(QUERY)).request_timeout(Some(QUERY));
    let made = admin.create_topics([&new], &options).await;
    match made.map_err(|e| refused(e.to_string()))?.into_iter().next() {
        Some(Ok(_) | Err((_, Code::TopicAlreadyExists))) | None => Ok(()),
        Some(Err((_, code))) => Err(refused(code.to_string())),
    }
}
