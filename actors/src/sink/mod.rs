//! Sinks: one actor per table that batches rows into inserts, and the byte budget over all of them.

mod actor;

use std::collections::BTreeMap;
use std::sync::Arc;

use naap_protocol::rows::TableSpec;
use ractor::{ActorCell, ActorRef, MessagingErr, SpawnErr};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use actor::{SinkMsg, SinkOptions};

use crate::budget::kib;
use crate::outbox::RowBatch;
use crate::ports::TableWriter;

/// The sinks of a node went away: the node is stopping or a table can not be written.
#[derive(Debug, Error)]
#[error("the sink of table {0} has stopped")]
pub struct SinkGone(&'static str);

/// The way to the sink actors of this node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sinks {
    actors: Arc<BTreeMap<&'static str, ActorRef<SinkMsg>>>,
    budget: Arc<Semaphore>,
    budget_kib: u32,
}

impl Sinks {
    /// Starts one sink per table under `supervisor`. Rows waiting in all of them together stay
    /// below `budget_bytes`.
    ///
    /// # Errors
    /// When an actor can not be started.
    pub async fn start<W: TableWriter>(
        tables: &[&'static TableSpec],
        writer: &Arc<W>,
        options: SinkOptions,
        budget_bytes: usize,
        supervisor: ActorCell,
    ) -> Result<Self, SpawnErr> {
        let budget_kib = kib(budget_bytes);
        let budget = Arc::new(Semaphore::new(budget_kib as usize));
        let mut actors = BTreeMap::new();
        for &table in tables {
            let (writer, budget) = (Arc::clone(writer), Arc::clone(&budget));
            let sink = actor::spawn(table, writer, options, budget, supervisor.clone()).await?;
            actors.insert(table.name, sink);
        }
        Ok(Self { actors: Arc::new(actors), budget, budget_kib })
    }

    /// Hands a batch over; waits while the budget is used up, which is how a slow table slows intake.
    ///
    /// # Errors
    /// When the table has no living sink.
    pub async fn send(&self, batch: RowBatch) -> Result<(), SinkGone> {
        let budget = Arc::clone(&self.budget);
        let mut permit = std::pin::pin!(budget.acquire_many_owned(self.cost(&batch)));
        let permit: Result<OwnedSemaphorePermit, _> = tokio::select! {
            biased;
            permit = &mut permit => permit,
            // Rows that wait for a full batch in some sink hold the budget: in line first, then
            // have them stored, or a commit that would flush them could wait for us forever.
            () = std::future::ready(()) => {
                self.relieve();
                permit.await
            }
        };
        let table = batch.table.name;
        self.hand_over(batch, permit.map_err(|_| SinkGone(table))?)
    }

    /// Hands a batch over if the budget has room for it; else it comes back, for [`Self::send`].
    ///
    /// # Errors
    /// When the table has no living sink.
    pub fn offer(&self, batch: RowBatch) -> Result<Option<RowBatch>, SinkGone> {
        match Arc::clone(&self.budget).try_acquire_many_owned(self.cost(&batch)) {
            Ok(permit) => self.hand_over(batch, permit).map(|()| None),
            Err(_) => Ok(Some(batch)),
        }
    }

    /// The share of the budget that a batch takes, KiB; one over all of it is let through alone.
    fn cost(&self, batch: &RowBatch) -> u32 {
        kib(batch.rows.len()).min(self.budget_kib)
    }

    fn hand_over(&self, batch: RowBatch, permit: OwnedSemaphorePermit) -> Result<(), SinkGone> {
        let table = batch.table.name;
        let sink = self.actors.get(table).ok_or(SinkGone(table))?;
        sink.cast(SinkMsg::Rows(batch, permit)).map_err(|_| SinkGone(table))
    }

    fn relieve(&self) {
        for sink in self.actors.values() {
            // A stopped sink holds no budget.
            drop(sink.cast(SinkMsg::Relieve));
        }
    }

    /// Returns when every row handed over before the call is stored.
    ///
    /// # Errors
    /// When a sink has stopped.
    pub async fn flush(&self) -> Result<(), SinkGone> {
        let mut replies = Vec::with_capacity(self.actors.len());
        for (table, sink) in self.actors.iter() {
            let (port, reply) = ractor::concurrency::oneshot();
            sink.cast(SinkMsg::Flush(port.into())).map_err(|_: MessagingErr<_>| SinkGone(table))?;
            replies.push((table, reply));
        }
        for (table, reply) in replies {
            reply.await.map_err(|_| SinkGone(table))?;
        }
        Ok(())
    }

    /// Bytes of rows that wait for storage, rounded up to KiB.
    pub fn waiting_bytes(&self) -> usize {
        (self.budget_kib as usize).saturating_sub(self.budget.available_permits()) * 1024
    }
}
