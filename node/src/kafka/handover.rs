//! From the consumer thread to the ingest: a bounded channel with an ordered outbox before it.

use std::collections::VecDeque;
use std::thread::Thread;

use naap_actors::ingest::{IngestGone, Intake, RecordBatch};
use naap_protocol::state::SourcePartition;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::error::KafkaError;

/// Messages that may lie between the thread and the ingest.
pub(super) const CHANNEL: usize = 8;

/// Who takes records over from a source: the ingest, or a test.
pub trait RecordTaker: Send + 'static {
    /// Records of `source` will follow, from `offset` on.
    ///
    /// # Errors
    /// When the taker has stopped.
    fn assign(&mut self, source: SourcePartition, offset: u64) -> Result<(), IngestGone>;

    /// No more records of `source` will follow until it is assigned again.
    ///
    /// # Errors
    /// When the taker has stopped.
    fn unassign(&mut self, source: SourcePartition) -> Result<(), IngestGone>;

    /// Takes a batch, when there is room for it.
    fn take(&mut self, batch: RecordBatch) -> impl Future<Output = Result<(), IngestGone>> + Send;
}

impl RecordTaker for Intake {
    fn assign(&mut self, source: SourcePartition, offset: u64) -> Result<(), IngestGone> {
        Intake::assign(self, source, offset)
    }

    fn unassign(&mut self, source: SourcePartition) -> Result<(), IngestGone> {
        Intake::unassign(self, source)
    }

    async fn take(&mut self, batch: RecordBatch) -> Result<(), IngestGone> {
        self.send(batch).await
    }
}

/// What is handed over, in this order for each partition: assign, batches, unassign.
#[derive(Debug)]
pub(super) enum Handover {
    Assign(SourcePartition, u64),
    Batch(RecordBatch),
    Unassign(SourcePartition),
}

/// Gives everything from the thread to the taker; ends with either of them. Wakes `thread` whenever
/// there is room again.
pub(super) async fn feed<T: RecordTaker>(
    mut taker: T,
    mut channel: mpsc::Receiver<Handover>,
    thread: Thread,
) {
    while let Some(message) = channel.recv().await {
        thread.unpark();
        let taken = match message {
            Handover::Assign(source, offset) => taker.assign(source, offset),
            Handover::Batch(batch) => {
                let SourcePartition { topic, partition } = &batch.source;
                let next_offset = batch.next_offset;
                tracing::debug!(topic, partition, next_offset, "records go to the ingest");
                taker.take(batch).await
            }
            Handover::Unassign(source) => taker.unassign(source),
        };
        // A closed channel tells the thread.
        if taken.is_err() {
            break;
        }
    }
}

/// What the thread has ready, in order.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Handover>,
    channel: mpsc::Sender<Handover>,
}

impl Outbox {
    pub fn new(channel: mpsc::Sender<Handover>) -> Self {
        Self { queue: VecDeque::new(), channel }
    }

    pub fn push(&mut self, message: Handover) {
        self.queue.push_back(message);
    }

    /// Everything is on its way.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Sends what there is room for; never waits.
    pub fn flush(&mut self) -> Result<(), KafkaError> {
        while let Some(message) = self.queue.pop_front() {
            match self.channel.try_send(message) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => {
                    self.queue.push_front(message);
                    break;
                }
                Err(TrySendError::Closed(_)) => return Err(KafkaError::IntakeGone),
            }
        }
        Ok(())
    }
}
