//! Ingest: records in, envelopes, archive and reject rows out, acknowledgements back.

mod actor;
mod flow;
mod kept;
mod router;
mod unsent;
mod values;

pub use actor::{IngestArgs, IngestMsg, IngestOptions, IngestStatus, Input, Rereads, Wants, spawn};
pub use flow::{Flow, Out, Reading};
pub use router::{IngestCounts, Router};

use naap_protocol::state::SourcePartition;
use naap_protocol::time::Timestamp;
use ractor::ActorRef;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget::kib;

/// One record of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordEntry {
    /// Offset in the source partition; ascending inside a batch.
    pub offset: u64,
    /// Broker record time; `None` where the envelope time stands for it.
    pub record_ts: Option<Timestamp>,
    /// Bytes of the value in [`RecordBatch::data`]; `None` for a tombstone.
    pub value: Option<Range<usize>>,
}

/// Consecutive records of one source partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBatch {
    /// Where they come from.
    pub source: SourcePartition,
    /// The records.
    pub records: Vec<RecordEntry>,
    /// First offset after the batch; offsets in between that hold no record are covered too.
    pub next_offset: u64,
    /// Their values, one after the other.
    pub data: Vec<u8>,
}

/// The ingest went away: the node is stopping.
#[derive(Debug, Error)]
#[error("the ingest has stopped")]
pub struct IngestGone;

/// The way from a source into the ingest. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    actor: ActorRef<IngestMsg>,
    budget: Arc<Semaphore>,
    budget_kib: u32,
    /// Offsets taken of each partition since its assignment. Kept here, so that a drain that was cut short can
    /// tell them whatever the actor does.
    taken: Arc<Mutex<BTreeMap<SourcePartition, Range<u64>>>>,
}

impl Intake {
    pub(crate) fn new(actor: ActorRef<IngestMsg>, budget_bytes: usize) -> Self {
        let budget_kib = kib(budget_bytes);
        let budget = Arc::new(Semaphore::new(budget_kib as usize));
        Self { actor, budget, budget_kib, taken: Arc::default() }
    }

    /// Announces that records of `source` will follow, the first of them at `offset` or later.
    ///
    /// # Errors
    /// When the ingest has stopped.
    pub fn assign(&self, source: SourcePartition, offset: u64) -> Result<(), IngestGone> {
        self.taken().insert(source.clone(), offset..offset);
        self.say(Input::Assign(source, offset))
    }

    /// Announces that no more records of `source` will follow until it is assigned again.
    ///
    /// # Errors
    /// When the ingest has stopped.
    pub fn unassign(&self, source: SourcePartition) -> Result<(), IngestGone> {
        self.taken().remove(&source);
        self.say(Input::Unassign(source))
    }

    /// Hands a batch over; waits while the node has too much in hand.
    ///
    /// # Errors
    /// When the ingest has stopped.
    pub async fn send(&self, batch: RecordBatch) -> Result<(), IngestGone> {
        let cost = kib(batch.data.len()).min(self.budget_kib);
        let budget = Arc::clone(&self.budget);
        let permit: OwnedSemaphorePermit =
            budget.acquire_many_owned(cost).await.map_err(|_| IngestGone)?;
        if let Some(taken) = self.taken().get_mut(&batch.source) {
            taken.end = taken.end.max(batch.next_offset);
        }
        self.say(Input::Records(batch, permit))
    }

    fn say(&self, input: Input) -> Result<(), IngestGone> {
        self.actor.cast(IngestMsg::Input(input)).map_err(|_| IngestGone)
    }

    /// What was taken and is not durable, where `applied` is the first offset of each partition that
    /// is not. Answers at once, whatever the ingest waits for.
    pub fn pending(
        &self,
        applied: &BTreeMap<SourcePartition, u64>,
    ) -> Vec<(SourcePartition, Range<u64>)> {
        let rest = |(source, taken): (&SourcePartition, &Range<u64>)| {
            let from = applied.get(source).map_or(taken.start, |&to| to.max(taken.start));
            (from < taken.end).then(|| (source.clone(), from..taken.end))
        };
        self.taken().iter().filter_map(rest).collect()
    }

    /// The offsets, also after a panic elsewhere: each is replaced as a whole.
    fn taken(&self) -> MutexGuard<'_, BTreeMap<SourcePartition, Range<u64>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ingest itself.
    pub fn actor(&self) -> &ActorRef<IngestMsg> {
        &self.actor
    }
}
