//! The actor around the router: flow control towards the shards and the commit clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use naap_protocol::peer::Note;
use naap_protocol::state::SourcePartition;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr};
use ractor_cluster::RactorMessage;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use super::flow::{Flow, Out, Reading};
use super::kept::Kept;
use super::router::{IngestCounts, Router};
use super::unsent::Unsent;
use super::{Intake, RecordBatch};
use crate::commit::{CommitError, Committed};
use crate::names;
use crate::outbox::RowBatch;
use crate::region::RegionMsg;
use crate::shard::{ShardCounts, Traffic};
use crate::sink::{SinkGone, Sinks};

/// Longest pause after a commit cycle for its length alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The pause after a commit cycle that took so long. Cycles are work, and take no more than half of the time;
/// one that took very long has waited for a store, and what has piled up does not wait as long again.
fn pause_after(took: Duration, flush_interval: Duration) -> Duration {
    flush_interval.saturating_sub(took).max(took.min(LONGEST_PAUSE))
}

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

/// What a source says.
#[derive(Debug)]
pub enum Input {
    /// Records of a partition will follow, from this offset on.
    Assign(SourcePartition, u64),
    /// No more records of a partition will follow.
    Unassign(SourcePartition),
    /// Records, with their share of the intake budget.
    Records(RecordBatch, OwnedSemaphorePermit),
}

/// Messages of the ingest.
#[derive(Debug, RactorMessage)]
pub enum IngestMsg {
    /// What a source says; taken in its order.
    Input(Input),
    /// What a shard says.
    Note(Note),
    /// The sinks have taken rows that had to wait for room, or are gone.
    Room(Result<(), SinkGone>),
    /// A commit cycle is due at once.
    CommitNow,
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
    /// Told what shards want of partitions besides what comes next; `None` where the source can not read
    /// again.
    pub rereads: Option<Rereads>,
}

/// What a shard wants of a partition, where it is not what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wants {
    /// It misses what was read from this offset on: read it again.
    Again(SourcePartition, u64),
    /// It has applied everything before this offset, and not all of that was read yet: see whether the
    /// partition has had that much at all.
    Ahead(SourcePartition, u64),
}

/// The way to the source for what shards want.
pub type Rereads = mpsc::UnboundedSender<Wants>;

/// Input that waits this long is told of.
const TELL: Duration = Duration::from_secs(10);

struct IngestActor;

struct State {
    args: IngestArgs,
    flow: Flow,
    kept: Kept,
    /// Per partition that is read the first offset whose archive, reject or ignored row may not be stored yet.
    /// Shards of other nodes claim what they have, and know nothing of these.
    stored: BTreeMap<SourcePartition, u64>,
    /// The same once the present commit cycle has ended.
    storing: BTreeMap<SourcePartition, u64>,
    /// The time of the flow, which asks nobody again while nothing can leave.
    clock: Duration,
    /// When it was looked at last.
    looked: Instant,
    /// When something was applied last, or it was said what input waits for.
    moved: Instant,
    /// Rows of what was read that the sinks have no room for yet.
    unsent: Unsent,
    /// What the source has said since: assignments and records.
    behind: VecDeque<Input>,
    /// Intake permits of batches while envelopes wait for a window, or rows for the sinks.
    held: Vec<OwnedSemaphorePermit>,
    status: IngestStatus,
    /// Evidence that had travelled at the last commit, if all shards are on this node.
    traffic: Option<Traffic>,
    unsaved: bool,
    /// Claims of other nodes' shards have come.
    claimed: bool,
    /// The next cycle is due at once.
    hurry: bool,
    committing: bool,
    next_commit: Instant,
    finishing: Vec<RpcReplyPort<IngestStatus>>,
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
        // Looking at least ten times an interval keeps the commit clock accurate; the timer ends with us.
        let millis = Duration::from_millis;
        let period = (args.options.flush_interval / 10).clamp(millis(5), millis(100));
        drop(ractor::time::send_interval(period, myself.get_cell(), || IngestMsg::Tick));
        let IngestOptions { window_bytes, uncommitted_bytes, buffer_bytes, .. } = args.options;
        // Where the source can not read again, no shard moves, and nothing has to be sent again.
        let kept = if args.rereads.is_some() { buffer_bytes / 2 } else { 0 };
        Ok(State {
            kept: Kept::new(kept),
            flow: Flow::new(args.options.shards, window_bytes, uncommitted_bytes),
            stored: BTreeMap::new(),
            storing: BTreeMap::new(),
            clock: Duration::ZERO,
            looked: Instant::now(),
            moved: Instant::now(),
            unsent: Unsent::new(args.sinks.clone()),
            behind: VecDeque::new(),
            held: Vec::new(),
            status: IngestStatus::default(),
            traffic: None,
            // What was left unfinished before the shards were opened has to be settled.
            unsaved: true,
            claimed: false,
            hurry: false,
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
            IngestMsg::Input(input) => {
                state.behind.push_back(input);
                state.take_input(&myself)?;
            }
            IngestMsg::Note(note) => state.note(note),
            IngestMsg::Room(sent) => {
                state.unsent.room(sent, &myself)?;
                // Before more is taken, which may have to wait again: what is due leaves, a record that is to be
                // sent again is found where it was kept, and a cycle begins; the last one waits for all input.
                state.send(&myself)?;
                state.let_in();
                if state.finishing.is_empty() {
                    state.maybe_commit(&myself)?;
                }
                state.take_input(&myself)?;
                state.maybe_commit(&myself)?;
            }
            IngestMsg::CommitNow => {
                (state.unsaved, state.hurry) = (true, true);
                state.maybe_commit(&myself)?;
            }
            IngestMsg::Tick => {
                state.tick();
                state.tell_waits();
                state.maybe_commit(&myself)?;
            }
            IngestMsg::CommitDone(outcome) => {
                // While the end is waited for a cycle that moved nothing is followed by one at the next tick.
                if state.committed(&outcome?) || state.finishing.is_empty() {
                    state.maybe_commit(&myself)?;
                }
            }
            IngestMsg::Unsaved => state.unsaved = true,
            IngestMsg::Finish(reply) => {
                state.finishing.push(reply);
                state.maybe_commit(&myself)?;
            }
            IngestMsg::Inspect(reply) => drop(reply.send(state.status())),
        }
        state.send(&myself)
    }
}

impl State {
    /// Takes what the source says, in its order, as long as the sinks have room for the rows of it.
    fn take_input(&mut self, myself: &ActorRef<IngestMsg>) -> Result<(), ActorProcessingErr> {
        while self.unsent.is_empty() {
            let Some(input) = self.behind.pop_front() else { break };
            match input {
                Input::Assign(source, offset) => {
                    self.flow.assign(&source, offset);
                    self.kept.begin(&source, offset);
                    self.stored.entry(source).or_insert(offset);
                    self.unsaved = true;
                }
                Input::Unassign(source) => {
                    self.flow.unassign(&source);
                    self.kept.forget(&source);
                    self.stored.remove(&source);
                }
                Input::Records(batch, permit) => self.records(batch, permit, myself)?,
            }
            self.send(myself)?;
        }
        Ok(())
    }

    fn tick(&mut self) {
        let passed = std::mem::replace(&mut self.looked, Instant::now()).elapsed();
        if self.unsent.is_empty() {
            self.clock += passed;
            self.flow.tick(self.clock.as_millis() as u64);
        }
    }

    fn records(
        &mut self,
        batch: RecordBatch,
        permit: OwnedSemaphorePermit,
        myself: &ActorRef<IngestMsg>,
    ) -> Result<(), ActorProcessingErr> {
        match self.flow.read(&batch.source, batch.next_offset) {
            Reading::Next => {}
            Reading::Stale => return Ok(()),
            Reading::Unassigned => {
                let SourcePartition { topic, partition } = &batch.source;
                let what = format!("records of {topic}/{partition} came before its assignment");
                return Err(what.into());
            }
        }
        self.kept.keep(&batch);
        let rows = self.dispatch(batch);
        self.unsent.push(rows, myself)?;
        if self.waits() {
            self.held.push(permit);
        }
        Ok(())
    }

    /// Envelopes wait for a window, or rows for the sinks.
    fn waits(&self) -> bool {
        self.flow.waiting_bytes() > 0 || !self.unsent.is_empty()
    }

    /// Makes envelopes of a batch, and the rows that are to be stored of it.
    fn dispatch(&mut self, batch: RecordBatch) -> Vec<RowBatch> {
        self.unsaved = true;
        for envelope in self.args.router.route(batch, &mut self.flow) {
            self.flow.dispatch(envelope);
        }
        self.args.router.take_rows()
    }

    fn note(&mut self, note: Note) {
        let claimed = matches!(note, Note::Claimed { .. });
        self.flow.note(note);
        // Claims of this node's shards come before the end of the cycle that made them.
        self.claimed |= claimed && !self.committing;
        self.let_in();
    }

    /// Says what holds input up when nothing was applied for a while.
    fn tell_waits(&mut self) {
        if self.moved.elapsed() < TELL {
            return;
        }
        self.moved = Instant::now();
        if !self.unsent.is_empty() {
            tracing::warn!(
                bytes = self.unsent.bytes(),
                "input waits: the sinks have no room for its rows"
            );
        }
        for waits in self.flow.waits(&self.status.applied) {
            let committing = self.committing;
            tracing::warn!(committing, "input waits: {waits}");
        }
    }

    /// Lets records in again once nothing waits.
    fn let_in(&mut self) {
        if !self.waits() {
            self.held.clear();
        }
    }

    /// Sends what the flow lets out, once the rows of it are with the sinks: a cycle that claims it may be under
    /// way, and stores what they have.
    fn send(&mut self, myself: &ActorRef<IngestMsg>) -> Result<(), ActorProcessingErr> {
        while self.unsent.is_empty() {
            let outs = self.flow.take_out();
            if outs.is_empty() {
                break;
            }
            for out in outs {
                match out {
                    Out::Envelope(envelope) => {
                        self.args.region.cast(RegionMsg::Deliver(envelope, myself.clone()))?;
                    }
                    Out::Note(note) => {
                        self.args.region.cast(RegionMsg::Note(note, myself.clone()))?;
                    }
                    Out::Reread(source, offset) => self.reread(source, offset)?,
                    Out::Ahead(source, offset) => self.ahead(source, offset),
                }
            }
        }
        Ok(())
    }

    /// A shard misses what was read already: it is sent again if it is still here, else read again.
    fn reread(&mut self, source: SourcePartition, offset: u64) -> Result<(), ActorProcessingErr> {
        let SourcePartition { topic, partition } = &source;
        if let Some(batches) = self.kept.from(&source, offset) {
            tracing::debug!(%topic, partition, offset, "a shard misses offsets; sending them again");
            self.flow.assign(&source, offset);
            for batch in batches {
                // It was read a moment ago, and the flow has been told where it begins again.
                if self.flow.read(&source, batch.next_offset) == Reading::Next {
                    // The sinks have its rows.
                    drop(self.dispatch(batch));
                }
            }
            return Ok(());
        }
        tracing::info!(%topic, partition, offset, "a shard misses offsets; reading them again");
        metrics::counter!(names::REREADS).increment(1);
        let missing =
            format!("a shard misses {topic}/{partition} from offset {offset} on; starting again");
        // What comes next begins where the source says.
        self.kept.forget(&source);
        let rereads = self.args.rereads.as_ref();
        let told = rereads.and_then(|rereads| rereads.send(Wants::Again(source, offset)).ok());
        Ok(told.ok_or(missing)?)
    }

    /// A shard is ahead of what was read. Meanwhile what it has applied goes on to count as applied: rows of
    /// the archive are right in any case, and whoever starts again finds the shard ahead again.
    fn ahead(&self, source: SourcePartition, offset: u64) {
        if let Some(rereads) = &self.args.rereads {
            // A source that has ended reads nothing that could get lost.
            drop(rereads.send(Wants::Ahead(source, offset)));
        }
    }

    /// Starts a commit cycle when one is due and none is under way.
    fn maybe_commit(&mut self, myself: &ActorRef<IngestMsg>) -> Result<(), ActorProcessingErr> {
        metrics::gauge!(names::INGEST_WAITING_BYTES).set(self.flow.waiting_bytes() as f64);
        metrics::gauge!(names::SINK_WAITING_BYTES).set(self.args.sinks.waiting_bytes() as f64);
        metrics::gauge!(names::INGEST_UNSENT_BYTES).set(self.unsent.bytes() as f64);
        if self.committing {
            return Ok(());
        }
        if std::mem::take(&mut self.claimed) && self.applied() != self.status.applied {
            self.publish();
        }
        if !self.unsaved && self.flow.waiting_bytes() == 0 {
            self.finish_if_applied();
            return Ok(());
        }
        let early = Instant::now() < self.next_commit;
        if early && !self.hurry && !self.flow.is_full() && self.finishing.is_empty() {
            return Ok(());
        }
        // A cycle waits until the sinks have stored what was read: all of it has to be with them.
        if !self.unsent.is_empty() {
            return Ok(());
        }
        self.flow.mark();
        self.send(myself)?;
        self.committing = true;
        (self.unsaved, self.hurry) = (false, false);
        self.flow.begin_commit();
        // The rows of all that was read are with the sinks, which the cycle waits for.
        self.storing = self.flow.positions();
        let flush = !self.finishing.is_empty();
        self.args.region.cast(RegionMsg::Commit(myself.clone(), flush))?;
        Ok(())
    }

    /// Returns whether the cycle made anything durable or settled.
    fn committed(&mut self, committed: &Committed) -> bool {
        self.committing = false;
        self.flow.end_commit();
        for (source, to) in std::mem::take(&mut self.storing) {
            if let Some(known) = self.stored.get_mut(&source) {
                *known = to.max(*known);
            }
        }
        self.status.commits += 1;
        self.status.shards.add(committed.counts.clone());
        // Where other nodes have shards too, nobody sees all of the traffic: whoever opens a shard asks
        // for what was under way.
        let traffic = committed.whole.then_some(committed.traffic);
        let before = std::mem::replace(&mut self.traffic, traffic);
        let settled = traffic.is_none_or(|now| before.is_some_and(|b| now.is_settled_since(b)));
        let moved = self.publish();
        let done = settled && self.flow.all_applied(&self.status.applied);
        self.unsaved |= !done;
        self.next_commit =
            Instant::now() + pause_after(committed.took, self.args.options.flush_interval);
        self.let_in();
        moved || done
    }

    /// What every shard has claimed, as far as this node's own rows of it are stored. Of a partition that it
    /// does not read it knows nothing of the rows of whoever does.
    fn applied(&self) -> BTreeMap<SourcePartition, u64> {
        let claimed = self.flow.applied().into_iter();
        claimed.filter_map(|(s, to)| self.stored.get(&s).map(|&own| (s, to.min(own)))).collect()
    }

    /// Tells how far every partition is durably applied; whether that is further than before.
    fn publish(&mut self) -> bool {
        let applied = self.applied();
        let moved = applied != self.status.applied;
        if moved {
            self.moved = Instant::now();
        }
        self.kept.applied(&applied);
        self.status.applied = applied;
        self.args.applied.send_replace(self.status.applied.clone());
        moved
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_take_half_of_the_time_and_an_outage_costs_seconds() {
        let ms = Duration::from_millis;
        for (took, pause) in [(0, 1000), (200, 800), (600, 600), (1500, 1500), (25_000, 2000)] {
            assert_eq!(pause_after(ms(took), ms(1000)), ms(pause), "{took}");
        }
        assert_eq!(pause_after(ms(10), ms(10_000)), ms(9_990));
    }
}
