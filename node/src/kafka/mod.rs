//! The Kafka source: reads the input topics into the ingest and commits what is durably applied.
//!
//! One thread of its own polls the client, so that neither a broker nor the cluster can hold up
//! the runtime, and the ingest can not keep the node from serving its group. Records go through
//! a bounded channel; when it is full the partitions are paused. Group offsets are a hint: the state
//! log says where to start.
//!
//! Rejects go the other way: their rows are also messages of two topics of ours.

mod assignment;
mod batch;
mod client;
mod create;
mod error;
mod handover;
mod headers;
mod members;
mod names;
mod partition;
mod reader;
mod rejects;
mod start;
mod state_log;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use naap_actors::ingest::{Intake, Wants};
use naap_protocol::state::SourcePartition;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::Config;
use client::Context;
use error::Names;
use handover::{CHANNEL, Outbox, feed};
use reader::{Reader, Settings};

pub use client::connection;
pub use error::KafkaError;
pub use handover::RecordTaker;
pub use headers::{ORIGINAL_TIME, REPLAY_TOPIC};
pub use members::Members;
pub use rejects::{RejectCopies, RejectTopics};
pub use state_log::KafkaStateLog;

/// Bytes of a round at most; less with a small ingest buffer.
const ROUND_BYTES: u64 = 1 << 20;

const PANICKED: &str = "it panicked; its last message is in the log";

/// Where the shards stand: for a partition the lowest first offset that is not durably applied, over
/// *all* shards; `None` when some shard knows nothing of the partition. Called on the consumer thread.
pub type StartOffset = Box<dyn Fn(&SourcePartition) -> Option<u64> + Send>;

/// What shards want of partitions besides what comes next.
pub type Wanted = mpsc::UnboundedReceiver<Wants>;

/// Per source partition the first offset that is not durably applied, as of the last commit.
pub type Applied = watch::Receiver<BTreeMap<SourcePartition, u64>>;

/// The running source.
#[derive(Debug)]
pub struct KafkaSource {
    stop: Arc<AtomicBool>,
    /// How the thread ended.
    ended: watch::Receiver<Option<Result<(), KafkaError>>>,
    drain: Duration,
}

impl KafkaSource {
    /// Connects, joins the group as the static member `node` and starts to read.
    ///
    /// # Errors
    /// When the settings can not be used, no broker answers, or a topic is missing or refused.
    pub async fn start(
        config: &Config,
        node: &str,
        intake: Intake,
        applied: Applied,
        start_offset: StartOffset,
        rereads: Wanted,
    ) -> Result<Self, KafkaError> {
        Self::start_into(config, node, intake, applied, start_offset, rereads).await
    }

    /// [`KafkaSource::start`] for any taker of records.
    ///
    /// # Errors
    /// As [`KafkaSource::start`].
    pub async fn start_into<T: RecordTaker>(
        config: &Config,
        node: &str,
        taker: T,
        applied: Applied,
        start_offset: StartOffset,
        rereads: Wanted,
    ) -> Result<Self, KafkaError> {
        let client = client::consumer(config, node)?;
        let (settings, names) = (settings(config), who(config, node));
        let (drain, stop) = (settings.drain, Arc::new(AtomicBool::new(false)));
        let (sender, channel) = mpsc::channel(CHANNEL);
        let (joined_tx, joined) = oneshot::channel();
        let (ended_tx, ended) = watch::channel(None);
        let flag = Arc::clone(&stop);
        let body = move || {
            let consumer = match client.create_with_context(Context::default()) {
                Ok(consumer) => consumer,
                Err(error) => {
                    drop(joined_tx.send(Err(KafkaError::Settings(error.to_string()))));
                    return;
                }
            };
            let out = Outbox::new(sender);
            let told = (applied, rereads);
            let mut reader = Reader::new(consumer, settings, names, start_offset, told, out, flag);
            let outcome = reader.join();
            let is_joined = outcome.is_ok();
            // Whoever asked for the start has gone: then nobody waits for the end either.
            if joined_tx.send(outcome).is_ok() && is_joined {
                let end = reader.run(|| !ended_tx.is_closed());
                if let Err(error) = &end {
                    tracing::error!(%error, "the Kafka source ended");
                }
                ended_tx.send_replace(Some(end));
            }
        };
        let thread = std::thread::Builder::new().name("naap-kafka".to_owned()).spawn(body);
        let thread = thread.map_err(|e| KafkaError::Thread(e.to_string()))?;
        tokio::spawn(feed(taker, channel, thread.thread().clone()));
        joined.await.unwrap_or_else(|_| Err(KafkaError::Thread(PANICKED.to_owned())))?;
        Ok(Self { stop, ended, drain })
    }

    /// Returns when the source has ended by itself, with the reason.
    pub async fn failed(&mut self) -> KafkaError {
        match self.end().await {
            Err(error) => error,
            Ok(()) => KafkaError::Thread("it was stopped".to_owned()),
        }
    }

    /// Stops reading, waits until what was read is durably applied (at most half of
    /// `cluster.drain_timeout`), commits and leaves the group. Comes before the drain of the actors.
    ///
    /// # Errors
    /// When the source had failed before.
    pub async fn stop(mut self) -> Result<(), KafkaError> {
        self.stop.store(true, Ordering::Relaxed);
        let longest = self.drain + Duration::from_secs(10);
        let late = |_| Err(KafkaError::Thread("it did not stop in time".to_owned()));
        tokio::time::timeout(longest, self.end()).await.unwrap_or_else(late)
    }

    async fn end(&mut self) -> Result<(), KafkaError> {
        let panicked = || Err(KafkaError::Thread(PANICKED.to_owned()));
        let end = self.ended.wait_for(Option::is_some).await;
        end.ok().and_then(|end| end.clone()).unwrap_or_else(panicked)
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn settings(config: &Config) -> Settings {
    let ingest = &config.ingest;
    let resets = ingest.topics.iter().map(|t| (t.name.as_str().to_owned(), t.reset)).collect();
    Settings {
        resets,
        round_bytes: (config.memory.ingest_buffer.0 / 16).min(ROUND_BYTES) as usize,
        headers: headers::Limits {
            count: ingest.max_headers as usize,
            bytes: ingest.max_header_bytes.0 as usize,
        },
        drain: config.cluster.drain_timeout / 2,
    }
}

fn who(config: &Config, node: &str) -> Names {
    let user = config.kafka.username.as_ref();
    Names {
        brokers: client::brokers(&config.kafka),
        user: user.map_or_else(|| "this node".to_owned(), |user| format!("user \"{user}\"")),
        group: config.ingest.group.as_str().to_owned(),
        node: node.to_owned(),
        topics: config.ingest.topics.iter().map(|t| t.name.as_str().to_owned()).collect(),
        session_millis: config.kafka.session_timeout.as_millis(),
    }
}
