//! Rows that the sinks have no room for yet.

use std::collections::VecDeque;

use ractor::ActorRef;

use super::IngestMsg;
use crate::outbox::RowBatch;
use crate::sink::{SinkGone, Sinks};

/// Rows on their way to the sinks, in order. What has to wait does so here and not in the actor: it hears
/// meanwhile what the shards of all nodes say, as nothing else bounds these notes.
#[derive(Debug)]
pub(super) struct Unsent {
    sinks: Sinks,
    waiting: VecDeque<RowBatch>,
    /// Bytes of the batch that a task hands over as soon as there is room.
    next: Option<usize>,
}

impl Unsent {
    pub(super) fn new(sinks: Sinks) -> Self {
        Self { sinks, waiting: VecDeque::new(), next: None }
    }

    /// Every row is with the sinks.
    pub(super) fn is_empty(&self) -> bool {
        self.next.is_none()
    }

    /// Bytes of the rows that are not.
    pub(super) fn bytes(&self) -> usize {
        let waiting = self.waiting.iter().map(|batch| batch.rows.len());
        waiting.sum::<usize>() + self.next.unwrap_or(0)
    }

    /// Hands rows over. Where they do not fit, [`IngestMsg::Room`] comes once the next of them does.
    pub(super) fn push(
        &mut self,
        rows: Vec<RowBatch>,
        ingest: &ActorRef<IngestMsg>,
    ) -> Result<(), SinkGone> {
        self.waiting.extend(rows);
        if self.next.is_none() { self.advance(ingest) } else { Ok(()) }
    }

    /// There was room for the batch that was next, or there are no sinks any more.
    pub(super) fn room(
        &mut self,
        sent: Result<(), SinkGone>,
        ingest: &ActorRef<IngestMsg>,
    ) -> Result<(), SinkGone> {
        self.next = None;
        sent?;
        self.advance(ingest)
    }

    fn advance(&mut self, ingest: &ActorRef<IngestMsg>) -> Result<(), SinkGone> {
        while let Some(batch) = self.waiting.pop_front() {
            let Some(batch) = self.sinks.offer(batch)? else { continue };
            self.next = Some(batch.rows.len());
            let (sinks, ingest) = (self.sinks.clone(), ingest.clone());
            // It ends with the sinks at the latest: their rows free the budget that it waits for.
            tokio::spawn(async move {
                let sent = sinks.send(batch).await;
                // An ingest that has stopped takes no rows.
                drop(ingest.cast(IngestMsg::Room(sent)));
            });
            break;
        }
        Ok(())
    }
}
