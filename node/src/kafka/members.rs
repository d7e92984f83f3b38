//! The members topic: every node writes its signs of life into one partition and reads those of all.
//!
//! The order of the partition is what counts: own beats read behind a member's last one measure its
//! silence. So a beat is never written before the one ahead of it was acknowledged or given up, and of
//! those that wait only the newest is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use naap_actors::agent::{AgentMsg, MembersTopic};
use naap_protocol::cluster::Beat;
use naap_protocol::codec::{self, TraceContext};
use ractor::ActorRef;
use rdkafka::Message as _;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::watch;

use super::client::{self, Context};
use super::create::{Wish, admin, create};
use super::error::KafkaError;
use super::names;
use super::reader::QUERY;
use super::state_log::topic::{alter, describe, value};
use crate::config::Config;

/// A beat that is not acknowledged by then is stale.
const STALE_MILLIS: &str = "2000";
/// Longest pause between two attempts while brokers are away, ms. The first node that writes again measures
/// the silence of those that are still waiting, so all have to come back well within the silence that accuses.
const AGAIN_MILLIS: &str = "250";
/// Longest wait for a connection and its login, ms, for the same reason: where a network drops what is sent, the
/// system would try for longer and longer.
const CONNECT_MILLIS: &str = "2000";
/// How long the reader waits for a record before it looks whether it is still wanted.
const POLL: Duration = Duration::from_millis(200);
/// How long a broker may hold a fetch back, ms: a sign of life is not to wait for company.
const FETCH_MILLIS: &str = "50";
/// Longest reading of what the topic holds at the start.
const BACKLOG: Duration = Duration::from_secs(30);
/// The setting by which the topic keeps the last beat of each node and forgets the others.
const POLICY: &str = "cleanup.policy";
/// Settings of a topic that is made here.
const SETTINGS: [(&str, &str); 4] = [
    (POLICY, "compact"),
    ("segment.bytes", "16777216"),
    ("segment.ms", "60000"),
    ("min.cleanable.dirty.ratio", "0.1"),
];

/// The members topic, read to its end.
pub struct Members {
    consumer: BaseConsumer<Context>,
    producer: FutureProducer<Context>,
    topic: String,
    backlog: Vec<Beat>,
    /// The end that was found at the start, where it was not read up to there; else 0.
    unread: i64,
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Members").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Members {
    /// Connects as the configured node, makes the topic where it is missing and else checks it, and reads
    /// what it holds.
    ///
    /// # Errors
    /// When the settings can not be used, no broker answers, or the topic can not be used.
    pub async fn open(config: &Config) -> Result<Self, KafkaError> {
        let settings = |e: ClientError| KafkaError::Settings(e.to_string());
        let node = config.node.name.as_str();
        let topic = config.cluster.members_topic.as_str().to_owned();
        let mut reading = client::connection(&config.kafka, node)?;
        reading
            // Partitions are assigned by hand: nobody joins this group, and nothing is committed.
            .set("group.id", format!("naap.members.{node}"))
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", FETCH_MILLIS)
            .set("auto.offset.reset", "earliest");
        let mut writing = client::connection(&config.kafka, node)?;
        writing
            .set("acks", "all")
            .set("linger.ms", "0")
            .set("message.timeout.ms", STALE_MILLIS)
            .set("socket.connection.setup.timeout.ms", CONNECT_MILLIS)
            .set("reconnect.backoff.max.ms", AGAIN_MILLIS)
            .set("retry.backoff.max.ms", AGAIN_MILLIS);
        let consumer = reading.create_with_context(Context::default()).map_err(settings)?;
        let producer = writing.create_with_context(Context::default()).map_err(settings)?;
        let mut members = Self { consumer, producer, topic, backlog: Vec::new(), unread: 0 };
        members.ensure(config).await?;
        let read = tokio::task::spawn_blocking(move || {
            let outcome = members.read_backlog();
            outcome.map(|()| members)
        });
        let read = read.await.map_err(|e| KafkaError::Thread(e.to_string()))?;
        read.map_err(|e| client::unreachable(&config.kafka, &e))
    }

    /// Newest boot of `node` that the topic knows.
    pub fn newest(&self, node: &str) -> Option<u64> {
        let boots = self.backlog.iter().filter(|beat| beat.node == node);
        boots.map(|beat| beat.incarnation).max()
    }

    /// What this node writes its beats with. Must be called within the runtime.
    pub fn publisher(&self) -> Arc<dyn MembersTopic> {
        let (newest, waiting) = watch::channel(None);
        tokio::spawn(publish(self.producer.clone(), self.topic.clone(), waiting));
        Arc::new(Publisher(newest))
    }

    /// Tells `agent` what the topic held, and then every beat that comes, until the agent ends.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn follow(self, agent: ActorRef<AgentMsg>) -> Result<(), KafkaError> {
        let body = move || {
            let mut backlog = self.backlog.into_iter().map(AgentMsg::Remember);
            let mut told = String::new();
            // The agent has ended, and nobody else wants to know.
            if backlog.any(|beat| agent.cast(beat).is_err()) {
                return;
            }
            while !is_over(&agent) {
                match self.consumer.poll(POLL) {
                    None => {}
                    Some(Ok(message)) => {
                        told.clear();
                        let Some(beat) = read(&message) else { continue };
                        if agent.cast(said(beat, message.offset(), self.unread)).is_err() {
                            return;
                        }
                    }
                    Some(Err(error)) => complain(&mut told, &error),
                }
            }
        };
        let thread = std::thread::Builder::new().name("naap-members".to_owned()).spawn(body);
        thread.map(drop).map_err(|e| KafkaError::Thread(e.to_string()))
    }

    /// Makes the topic where it is missing, and checks one that is there.
    async fn ensure(&self, config: &Config) -> Result<(), KafkaError> {
        let unusable =
            |wrong: String| KafkaError::MembersTopic { topic: self.topic.clone(), wrong };
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), QUERY);
        let metadata = metadata.map_err(|e| client::unreachable(&config.kafka, &e))?;
        let found = metadata.topics().iter().find(|found| found.name() == self.topic);
        let partitions = found.map_or(0, |found| found.partitions().len());
        if partitions > 1 {
            return Err(unusable(format!(
                "has {partitions} partitions, but its order counts; name one with a single partition in \
                 cluster.members_topic"
            )));
        }
        let brokers = metadata.brokers().len();
        let connection = client::connection(&config.kafka, config.node.name.as_str())?;
        let admin = admin(&connection)?;
        if partitions == 1 {
            return self.check(config, &admin).await.map_err(unusable);
        }
        let wish = Wish { name: &self.topic, partitions: 1, brokers, settings: &SETTINGS };
        let refused = |reason| {
            unusable(format!(
                "is missing, and the Kafka brokers refuse to make it: {reason}; make it with one partition and \
                 cleanup.policy=compact, or grant this user to create topics"
            ))
        };
        create(&admin, wish, refused).await
    }

    /// Refuses a topic that is not compacted: it would grow for ever, or forget who was there.
    async fn check(
        &self,
        config: &Config,
        admin: &AdminClient<DefaultClientContext>,
    ) -> Result<(), String> {
        let found = match describe(admin, &self.topic).await {
            Ok(found) => found,
            Err(reason) => {
                tracing::warn!(
                    topic = self.topic,
                    reason,
                    "the settings of the members topic can not be read; make sure that it is compacted"
                );
                return Ok(());
            }
        };
        match value(&found, POLICY).filter(|policy| !is_compacted(policy)) {
            None => Ok(()),
            Some(policy) => Err(format!(
                "has {POLICY} = {policy}, but needs compact in it, which keeps the last sign of life of each node and \
                 forgets the others; alter it with {}, or name another topic in cluster.members_topic",
                alter(&config.kafka, &self.topic, &format!("{POLICY}=compact"))
            )),
        }
    }

    /// Reads what the topic holds now.
    fn read_backlog(&mut self) -> Result<(), ClientError> {
        let deadline = Instant::now() + BACKLOG;
        let end = loop {
            match self.consumer.fetch_watermarks(&self.topic, 0, QUERY) {
                Ok((_, end)) => break end,
                // A new topic is not there for everybody yet.
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => std::thread::sleep(POLL),
            }
        };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, 0, Offset::Beginning)?;
        self.consumer.assign(&list)?;
        // Compaction leaves gaps, so that the record before the end may be missing; the position tells.
        while self.position() < end {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => self.backlog.extend(read(&message)),
                Some(Err(error)) if Instant::now() >= deadline => return Err(error),
                _ if Instant::now() >= deadline => {
                    self.unread = end;
                    tracing::warn!(
                        topic = self.topic,
                        "the members topic was not read to its end in time; the rest is history too"
                    );
                    return Ok(());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn position(&self) -> i64 {
        let position = self.consumer.position().ok();
        let element = position.as_ref().and_then(|list| list.elements().into_iter().next());
        match element.map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => offset,
            _ => 0,
        }
    }
}

fn is_compacted(policy: &str) -> bool {
    policy.split(',').any(|part| part.trim() == "compact")
}

/// A beat before the end that was found at the start is no sign of life, however late it is read.
fn said(beat: Beat, offset: i64, unread: i64) -> AgentMsg {
    if offset < unread { AgentMsg::Remember(beat) } else { AgentMsg::Seen(beat) }
}

fn is_over(agent: &ActorRef<AgentMsg>) -> bool {
    matches!(agent.get_status(), ractor::ActorStatus::Stopping | ractor::ActorStatus::Stopped)
}

/// The beat of a record; what is none is left out.
fn read(message: &BorrowedMessage<'_>) -> Option<Beat> {
    let payload = message.payload()?;
    match codec::decode(payload) {
        Ok(beat) => Some(beat),
        Err(error) => {
            let offset = message.offset();
            tracing::warn!(offset, %error, "a record of the members topic is no beat and is left out");
            None
        }
    }
}

fn complain(told: &mut String, error: &ClientError) {
    let text = error.to_string();
    if *told != text {
        tracing::warn!(error = text, "the members topic can not be read; trying on");
        *told = text;
    }
}

#[derive(Debug)]
struct Publisher(watch::Sender<Option<Beat>>);

impl MembersTopic for Publisher {
    fn publish(&self, beat: Beat) {
        self.0.send_replace(Some(beat));
    }
}

async fn publish(
    producer: FutureProducer<Context>,
    topic: String,
    mut waiting: watch::Receiver<Option<Beat>>,
) {
    let mut told = String::new();
    while waiting.changed().await.is_ok() {
        let Some(beat) = waiting.borrow_and_update().clone() else { continue };
        let Ok(frame) = codec::encode(&beat, TraceContext::default()) else { continue };
        let record = FutureRecord::to(&topic).partition(0).key(&beat.node).payload(&frame);
        match producer.send(record, Duration::ZERO).await {
            Ok(_) => told.clear(),
            Err((error, _)) => {
                metrics::counter!(names::BEAT_FAILURES).increment(1);
                let text = error.to_string();
                if told != text {
                    tracing::warn!(error = text, "a sign of life was not written; trying on");
                    told = text;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use naap_protocol::cluster::Phase;

    use super::*;

    #[test]
    fn what_stood_in_the_topic_at_the_start_is_no_sign_of_life() {
        let beat = || Beat { node: "a".into(), incarnation: 1, sequence: 1, phase: Phase::Up };
        assert!(matches!(said(beat(), 6, 7), AgentMsg::Remember(_)));
        assert!(matches!(said(beat(), 7, 7), AgentMsg::Seen(_)));
        assert!(matches!(said(beat(), 0, 0), AgentMsg::Seen(_)), "it was read to its end");
    }

    #[test]
    fn a_topic_may_be_compacted_and_deleted_from() {
        let policies = ["compact", "compact,delete", "delete, compact", "delete", ""];
        assert_eq!(policies.map(is_compacted), [true, true, true, false, false]);
    }
}
