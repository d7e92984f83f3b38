//! The actor around the router: flow control towards the shards and the commit clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use naap_protocol::state::SourcePartition;
use naap_protocol::wire::Envelope;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr};
use ractor_cluster::RactorMessage;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::partitions::Partitions;
use super::router::{IngestCounts, Router};
use super::{Intake, RecordBatch};
use crate::commit::{CommitError, Committed};
use crate::names;
use crate::region::RegionMsg;
use crate::shard::{ShardCounts, Traffic};
use crate::sink::Sinks;

/// Flow control and commit clock.
#[derive(Clone, Copy, Debug)]
pub struct IngestOptions {
    /// Number of shards, fixed per cluster.
    pub shards: u16,
    /// Bytes on the way to one shard at most.
    pub window_bytes: usize,
    /// Bytes of records and envelopes in hand at most.
    pub buffer_bytes: usize,
    /// Bytes of envelopes with the shards whose effects are not durable, at most. A commit cycle
    /// starts early at half of it.
    pub uncommitted_bytes: usize,
    /// Time between the starts of two commit cycles.
    pub flush_interval: Duration,
}

/// Messages of the ingest.
#[derive(Debug, RactorMessage)]
pub enum IngestMsg {
    /// Records of a partition will follow, from this offset on.
    Assign(SourcePartition, u64),
    /// No more records of a partition will follow.
    Unassign(SourcePartition),
    /// Records, with their share of the intake budget.
    Records(RecordBatch, OwnedSemaphorePermit),
    /// A shard has applied this many bytes.
    Credit {
        /// The shard.
        shard: u16,
        /// Bytes of its window that are free again.
        bytes: usize,
    },
    /// A shard misses offsets.
    Refused {
        /// The shard.
        shard: u16,
        /// The partition.
        source: SourcePartition,
        /// First offset that it misses.
        wanted: u64,
    },
    /// Time to look whether a commit cycle is due.
    Tick,
    /// A commit cycle ended.
    CommitDone(Result<Committed, CommitError>),
    /// There is something to commit besides records.
    Unsaved,
    /// No more records: commit everything, then answer.
    Finish(RpcReplyPort<IngestStatus>),
    /// Say how far you are.
    Inspect(RpcReplyPort<IngestStatus>),
}

/// What the ingest says of itself.
#[derive(Clone, Debug, Default)]
pub struct IngestStatus {
    /// What became of the records.
    pub records: IngestCounts,
    /// What the shards made of the accepted ones, as of the last commit.
    pub shards: ShardCounts,
    /// Per partition the first offset that is not durably applied.
    pub applied: BTreeMap<SourcePartition, u64>,
    /// Commit cycles completed.
    pub commits: u64,
}

/// What an ingest needs.
#[derive(Debug)]
pub struct IngestArgs {
    /// Decides about records.
    pub router: Router,
    /// Flow control and commit clock.
    pub options: IngestOptions,
    /// The shards.
    pub region: ActorRef<RegionMsg>,
    /// Where archive and reject rows go.
    pub sinks: Sinks,
    /// Told after each commit how far every partition is.
    pub applied: watch::Sender<BTreeMap<SourcePartition, u64>>,
}

struct IngestActor;

struct State {
    args: IngestArgs,
    partitions: Partitions,
    windows: Vec<Window>,
    /// Intake permits of batches whose envelopes still wait for a window.
    held: Vec<OwnedSemaphorePermit>,
    waiting_bytes: usize,
    /// Bytes sent to the shards since the last commit cycle began, and before that.
    sent: usize,
    saving: usize,
    status: IngestStatus,
    /// Evidence that had travelled at the last commit.
    traffic: Traffic,
    unsaved: bool,
    committing: bool,
    next_commit: Instant,
    finishing: Vec<RpcReplyPort<IngestStatus>>,
}

/// Credit of one shard.
#[derive(Debug, Default)]
struct Window {
    out: usize,
    waiting: VecDeque<Envelope>,
}

/// Starts the ingest under `supervisor` and returns the way into it.
///
/// # Errors
/// When the actor can not be started.
pub async fn spawn(args: IngestArgs, supervisor: ActorCell) -> Result<Intake, SpawnErr> {
    let budget = args.options.buffer_bytes;
    let (ingest, _) = Actor::spawn_linked(None, IngestActor, args, supervisor).await?;
    Ok(Intake::new(ingest, budget))
}

impl Actor for IngestActor {
    type Msg = IngestMsg;
    type State = State;
    type Arguments = IngestArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<IngestMsg>,
        args: IngestArgs,
    ) -> Result<State, ActorProcessingErr> {
        // Looking ten times an interval keeps the commit clock accurate; the timer ends with us.
        let period = (args.options.flush_interval / 10).max(Duration::from_millis(5));
        drop(ractor::time::send_interval(period, myself.get_cell(), || IngestMsg::Tick));
        let windows = (0..args.options.shards).map(|_| Window::default()).collect();
        Ok(State {
            partitions: Partitions::new(args.options.shards),
            windows,
            held: Vec::new(),
            waiting_bytes: 0,
            sent: 0,
            saving: 0,
            status: IngestStatus::default(),
            traffic: Traffic::default(),
            // What was left unfinished before the shards were opened has to be settled.
            unsaved: true,
            committing: false,
            next_commit: Instant::now() + args.options.flush_interval,
            finishing: Vec::new(),
            args,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<IngestMsg>,
        message: IngestMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            IngestMsg::Assign(source, offset) => {
                state.partitions.assign(source, offset);
                state.unsaved = true;
            }
            IngestMsg::Unassign(source) => state.partitions.unassign(&source),
            IngestMsg::Records(batch, permit) => state.records(&myself, &batch, permit).await?,
            IngestMsg::Credit { shard, bytes } => state.credit(&myself, shard, bytes)?,
            IngestMsg::Refused { shard, source, wanted } => {
                let SourcePartition { topic, partition } = source;
                let missing = format!(
                    "shard {shard} misses {topic}/{partition} from offset {wanted} on; reading again"
                );
                return Err(missing.into());
            }
            IngestMsg::Tick => state.maybe_commit(&myself)?,
            IngestMsg::CommitDone(outcome) => {
                state.committed(&myself, outcome?)?;
                state.maybe_commit(&myself)?;
            }
            IngestMsg::Unsaved => state.unsaved = true,
            IngestMsg::Finish(reply) => {
                state.finishing.push(reply);
                state.maybe_commit(&myself)?;
            }
            IngestMsg::Inspect(reply) => drop(reply.send(state.status())),
        }
        Ok(())
    }
}

impl State {
    async fn records(
        &mut self,
        myself: &ActorRef<IngestMsg>,
        batch: &RecordBatch,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), ActorProcessingErr> {
        if !self.partitions.read(&batch.source, batch.next_offset) {
            let SourcePartition { topic, partition } = &batch.source;
            return Err(format!("records of {topic}/{partition} came before its assignment").into());
        }
        self.unsaved = true;
        for envelope in self.args.router.route(batch, &mut self.partitions)? {
            self.dispatch(myself, envelope)?;
        }
        for rows in self.args.router.take_rows() {
            self.args.sinks.send(rows).await?;
        }
        if self.waiting_bytes > 0 {
            self.held.push(permit);
        }
        Ok(())
    }

    /// Sends an envelope if its shard has credit, else keeps it in order.
    fn dispatch(
        &mut self,
        myself: &ActorRef<IngestMsg>,
        envelope: Envelope,
    ) -> Result<(), ActorProcessingErr> {
        let shard = usize::from(envelope.head.shard);
        self.waiting_bytes += envelope.cost();
        self.windows[shard].waiting.push_back(envelope);
        self.send(myself, shard)
    }

    fn credit(
        &mut self,
        myself: &ActorRef<IngestMsg>,
        shard: u16,
        bytes: usize,
    ) -> Result<(), ActorProcessingErr> {
        let window = &mut self.windows[usize::from(shard)];
        window.out = window.out.saturating_sub(bytes);
        self.send(myself, usize::from(shard))?;
        self.let_in();
        Ok(())
    }

    /// Sends what waits for `shard` as far as its window and the budget of the node allow.
    fn send(
        &mut self,
        myself: &ActorRef<IngestMsg>,
        shard: usize,
    ) -> Result<(), ActorProcessingErr> {
        let IngestOptions { window_bytes, uncommitted_bytes, .. } = self.args.options;
        let window = &mut self.windows[shard];
        while let Some(cost) = window.waiting.front().map(Envelope::cost) {
            // One envelope always may go, however large.
            let narrow = window.out > 0 && window.out + cost > window_bytes;
            let unsaved = self.sent + self.saving;
            if narrow || (unsaved > 0 && unsaved + cost > uncommitted_bytes) {
                break;
            }
            let Some(envelope) = window.waiting.pop_front() else { break };
            window.out += cost;
            self.sent += cost;
            self.waiting_bytes -= cost;
            self.args.region.cast(RegionMsg::Deliver(envelope, myself.clone()))?;
        }
        Ok(())
    }

    /// Lets records in again once nothing waits.
    fn let_in(&mut self) {
        if self.waiting_bytes == 0 {
            self.held.clear();
        }
    }

    /// Starts a commit cycle when one is due and none is under way.
    fn maybe_commit(&mut self, myself: &ActorRef<IngestMsg>) -> Result<(), ActorProcessingErr> {
        metrics::gauge!(names::INGEST_WAITING_BYTES).set(self.waiting_bytes as f64);
        metrics::gauge!(names::SINK_WAITING_BYTES).set(self.args.sinks.waiting_bytes() as f64);
        if self.committing {
            return Ok(());
        }
        if !self.unsaved && self.waiting_bytes == 0 {
            self.finish_if_applied();
            return Ok(());
        }
        let full = self.sent >= self.args.options.uncommitted_bytes / 2;
        if self.finishing.is_empty() && !full && Instant::now() < self.next_commit {
            return Ok(());
        }
        let windows = &self.windows;
        let is_waiting = |shard: u16| !windows[usize::from(shard)].waiting.is_empty();
        for (shard, mark) in self.partitions.marks(is_waiting) {
            self.args.region.cast(RegionMsg::Mark(shard, mark))?;
        }
        self.committing = true;
        self.unsaved = false;
        self.saving = std::mem::take(&mut self.sent);
        let flush = !self.finishing.is_empty();
        self.args.region.cast(RegionMsg::Commit(myself.clone(), flush))?;
        Ok(())
    }

    fn committed(
        &mut self,
        myself: &ActorRef<IngestMsg>,
        committed: Committed,
    ) -> Result<(), ActorProcessingErr> {
        self.committing = false;
        self.saving = 0;
        self.status.commits += 1;
        self.status.shards.add(committed.counts);
        self.status.applied = committed.applied;
        let settled = committed.traffic.is_settled_since(self.traffic);
        self.traffic = committed.traffic;
        if !settled || !self.partitions.all_applied(&self.status.applied) {
            self.unsaved = true;
        }
        // A cycle never takes more than half of the time.
        let pause = self.args.options.flush_interval.saturating_sub(committed.took);
        self.next_commit = Instant::now() + pause.max(committed.took);
        self.args.applied.send_replace(self.status.applied.clone());
        for shard in 0..self.windows.len() {
            self.send(myself, shard)?;
        }
        self.let_in();
        Ok(())
    }

    fn finish_if_applied(&mut self) {
        let status = self.status();
        for reply in self.finishing.drain(..) {
            // Whoever asked may have given up.
            drop(reply.send(status.clone()));
        }
    }

    fn status(&self) -> IngestStatus {
        IngestStatus { records: self.args.router.counts().clone(), ..self.status.clone() }
    }
}
