//! The sink of one table: gathers batches, keeps a few inserts in flight, retries with back-off.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use naap_protocol::rows::TableSpec;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr};
use ractor_cluster::RactorMessage;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::backoff::Backoff;
use crate::names;
use crate::outbox::RowBatch;
use crate::ports::{TableWriter, WriteError};

/// How a sink batches and retries.
#[derive(Clone, Copy, Debug)]
pub struct SinkOptions {
    /// An insert starts when this many rows wait.
    pub max_rows: u64,
    /// An insert starts when this many bytes wait.
    pub max_bytes: usize,
    /// Inserts under way at once.
    pub in_flight: usize,
    /// Delays between tries.
    pub backoff: Backoff,
}

/// Messages of a sink.
#[derive(Debug, RactorMessage)]
pub enum SinkMsg {
    /// Rows to store, with their share of the byte budget.
    Rows(RowBatch, OwnedSemaphorePermit),
    /// Somebody waits for the byte budget.
    Relieve,
    /// Store everything taken so far, then answer.
    Flush(RpcReplyPort<()>),
    /// The insert with this number ended.
    Done(u64, Result<(), WriteError>),
}

struct SinkActor<W>(std::marker::PhantomData<W>);

struct State<W> {
    table: &'static TableSpec,
    writer: Arc<W>,
    options: SinkOptions,
    budget: Arc<Semaphore>,
    waiting: Vec<(RowBatch, OwnedSemaphorePermit)>,
    rows: u64,
    bytes: usize,
    /// Number of the next insert.
    next: u64,
    /// Numbers of the inserts under way.
    in_flight: BTreeSet<u64>,
    /// The inserts themselves: they end with the sink, as nobody would hear of them, and the next one has its
    /// own share of memory.
    inserts: JoinSet<()>,
    flushing: Vec<Flush>,
}

/// Somebody waits for every insert before number `until`, which also holds what waited at the time;
/// rows that come later do not keep him waiting.
struct Flush {
    until: u64,
    reply: RpcReplyPort<()>,
}

pub(super) async fn spawn<W: TableWriter>(
    table: &'static TableSpec,
    writer: Arc<W>,
    options: SinkOptions,
    budget: Arc<Semaphore>,
    supervisor: ActorCell,
) -> Result<ActorRef<SinkMsg>, SpawnErr> {
    let state = State {
        table,
        writer,
        options,
        budget,
        waiting: Vec::new(),
        rows: 0,
        bytes: 0,
        next: 0,
        in_flight: BTreeSet::new(),
        inserts: JoinSet::new(),
        flushing: Vec::new(),
    };
    let actor = SinkActor(std::marker::PhantomData);
    Actor::spawn_linked(None, actor, state, supervisor).await.map(|(sink, _)| sink)
}

impl<W: TableWriter> Actor for SinkActor<W> {
    type Msg = SinkMsg;
    type State = State<W>;
    type Arguments = State<W>;

    async fn pre_start(
        &self,
        _myself: ActorRef<SinkMsg>,
        state: State<W>,
    ) -> Result<State<W>, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<SinkMsg>,
        message: SinkMsg,
        state: &mut State<W>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SinkMsg::Rows(batch, permit) => {
                state.rows += batch.count;
                state.bytes += batch.rows.len();
                state.waiting.push((batch, permit));
            }
            // The budget itself tells whether somebody still waits.
            SinkMsg::Relieve => {}
            SinkMsg::Flush(reply) => {
                let until = state.next + u64::from(!state.waiting.is_empty());
                state.flushing.push(Flush { until, reply });
            }
            SinkMsg::Done(number, result) => {
                state.in_flight.remove(&number);
                while state.inserts.try_join_next().is_some() {}
                result.map_err(|e| format!("table {}: {e}", state.table.name))?;
            }
        }
        state.advance(&myself);
        Ok(())
    }
}

impl<W: TableWriter> State<W> {
    /// Starts what is due and answers who waits for an empty sink.
    fn advance(&mut self, myself: &ActorRef<SinkMsg>) {
        let full = self.rows >= self.options.max_rows || self.bytes >= self.options.max_bytes;
        // While somebody waits in line for the budget nothing of it is left.
        let flushing = self.flushing.iter().any(|flush| flush.until > self.next);
        let wanted = flushing || self.budget.available_permits() == 0;
        let due = full || (wanted && !self.waiting.is_empty());
        if due && self.in_flight.len() < self.options.in_flight {
            self.insert(myself.clone());
        }
        let stored = self.in_flight.first().copied().unwrap_or(self.next);
        for flush in self.flushing.extract_if(.., |flush| flush.until <= stored) {
            // Whoever asked may have stopped waiting.
            drop(flush.reply.send(()));
        }
    }

    fn insert(&mut self, myself: ActorRef<SinkMsg>) {
        let (batches, permits): (Vec<_>, Vec<_>) = self.waiting.drain(..).unzip();
        let count = std::mem::take(&mut self.rows);
        let bytes = std::mem::take(&mut self.bytes);
        let number = self.next;
        self.next += 1;
        self.in_flight.insert(number);
        let (table, writer, backoff) = (self.table, Arc::clone(&self.writer), self.options.backoff);
        let chunks: Vec<Bytes> = batches.into_iter().map(|batch| batch.rows).collect();
        self.inserts.spawn(async move {
            let result = write_until_stored(table, &*writer, chunks, count, backoff).await;
            if result.is_ok() {
                metrics::counter!(names::SINK_ROWS, "table" => table.name).increment(count);
                metrics::counter!(names::SINK_BYTES, "table" => table.name).increment(bytes as u64);
            }
            drop(permits);
            // A stopped sink has nobody left to tell.
            drop(myself.cast(SinkMsg::Done(number, result)));
        });
    }
}

async fn write_until_stored<W: TableWriter>(
    table: &'static TableSpec,
    writer: &W,
    chunks: Vec<Bytes>,
    count: u64,
    backoff: Backoff,
) -> Result<(), WriteError> {
    let mut attempt = 0;
    loop {
        match writer.write(table, chunks.clone(), count).await {
            Err(WriteError::Retryable(reason)) => {
                let delay: Duration = backoff.delay(attempt);
                metrics::counter!(names::SINK_RETRIES, "table" => table.name).increment(1);
                tracing::warn!(
                    table = table.name,
                    attempt,
                    ?delay,
                    reason,
                    "insert failed, will retry"
                );
                tokio::time::sleep(delay).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}
