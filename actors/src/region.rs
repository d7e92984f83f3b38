//! The shard region: the only data entrance of a node, and the driver of its commit cycle.

use std::sync::Arc;

use naap_protocol::capability::evidence::{Evidence, Question};
use naap_protocol::state::{EpochOpen, Progress};
use naap_protocol::time::Timestamp;
use naap_protocol::wire::Envelope;
use ractor::{
    Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr, SupervisionEvent,
};
use ractor_cluster::RactorMessage;
use tokio::sync::Mutex;

use crate::clocks::ClockWatch;
use crate::commit::{Committed, run_cycle};
use crate::ingest::IngestMsg;
use crate::names;
use crate::orchestrator::OrchestratorOptions;
use crate::ports::{Clock, StateLog, StateRecord};
use crate::probe::{self, Probe, ProbeArgs, ProbeMsg};
use crate::rollup::{self, Marks, RollupArgs, RollupMsg, Rollups};
use crate::session::instruments::{Waiting, publish_clocks};
use crate::shard::{
    self, Mark, ROUTING_VERSION, ShardArgs, ShardCore, ShardMsg, ShardOptions, ShardStatus,
};
use crate::sink::Sinks;

/// Messages of the region.
#[derive(Debug, RactorMessage)]
pub enum RegionMsg {
    /// An envelope for a shard of this node, and who gets its credit back.
    Deliver(Envelope, ActorRef<IngestMsg>),
    /// Offsets without anything for a shard.
    Mark(u16, Mark),
    /// Questions for the orchestrators of a shard.
    Ask(u16, Vec<Question>),
    /// Evidence for the sessions of a shard.
    Evidence(u16, Vec<Evidence>),
    /// Evidence for the sessions of a shard that no orchestrator has sent.
    Backfill(u16, Vec<Evidence>),
    /// Run a commit cycle over everything delivered so far and tell the ingest. `true` ends every
    /// wait for evidence that may still come.
    Commit(ActorRef<IngestMsg>, bool),
    /// Figures were computed: tell the shard.
    Settled(Marks),
    /// Compute all figures that wait, then answer.
    RollUp(RpcReplyPort<()>),
    /// One second has passed.
    Tick,
    /// Say how the shards are, in order.
    Inspect(RpcReplyPort<Vec<ShardStatus>>),
}

/// What a region needs.
#[derive(Debug)]
pub struct RegionArgs {
    /// Number of shards, fixed per cluster.
    pub shards: u16,
    /// Stable name of this node.
    pub node: String,
    /// Boot of this node.
    pub incarnation: u64,
    /// Epochs start above this one: the highest that stored rows carry.
    pub epoch_floor: u64,
    /// How shards treat their entities.
    pub options: ShardOptions,
    /// How orchestrators decide and what they keep.
    pub orchestrators: OrchestratorOptions,
    /// Where state is kept.
    pub log: Arc<dyn StateLog>,
    /// Where rows go.
    pub sinks: Sinks,
    /// How figures are kept up to date; `None` leaves them alone.
    pub rollups: Option<Rollups>,
    /// How stored data is checked; `None` does not check it.
    pub probe: Option<Probe>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

struct ShardRegion;

struct State {
    shards: Arc<Vec<ActorRef<ShardMsg>>>,
    log: Arc<dyn StateLog>,
    sinks: Sinks,
    clock: Arc<dyn Clock>,
    rollup: Option<ActorRef<RollupMsg>>,
    probe: Option<ActorRef<ProbeMsg>>,
    /// Only one commit cycle runs at a time.
    clocks: Arc<Mutex<ClockWatch>>,
}

/// Opens every shard and starts the region under `supervisor`.
///
/// # Errors
/// When the state log can not be read or written, or an actor not be started.
pub async fn spawn(
    args: RegionArgs,
    supervisor: ActorCell,
) -> Result<ActorRef<RegionMsg>, SpawnErr> {
    Actor::spawn_linked(None, ShardRegion, args, supervisor).await.map(|(region, _)| region)
}

impl Actor for ShardRegion {
    type Msg = RegionMsg;
    type State = State;
    type Arguments = RegionArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<RegionMsg>,
        args: RegionArgs,
    ) -> Result<State, ActorProcessingErr> {
        let mut shards = Vec::with_capacity(usize::from(args.shards));
        let opened = open_all(&args)?;
        let epoch = opened.first().map_or(0, |(_, progress)| progress.epoch);
        for (number, (claim, progress)) in opened.into_iter().enumerate() {
            let (shard, log, clock) = (number as u16, args.log.clone(), args.clock.clone());
            let shard = ShardArgs {
                shard,
                shards: args.shards,
                core: ShardCore::new(shard, progress, args.options, log.clone(), clock),
                claim,
                log,
                sinks: args.sinks.clone(),
                region: myself.clone(),
                orchestrators: args.orchestrators,
            };
            shards.push(shard::spawn(shard, myself.get_cell()).await?);
        }
        for shard in &shards {
            shard.cast(ShardMsg::Resume)?;
        }
        let (clock, clocks) = (args.clock, Arc::default());
        let rollup = match args.rollups {
            Some(rollups) => {
                let (region, clock) = (myself.clone(), clock.clone());
                let args = RollupArgs { rollups, epoch, region, clock };
                Some(rollup::spawn(args, myself.get_cell()).await?)
            }
            None => None,
        };
        let probe = match args.probe {
            Some(probe) => {
                let args = ProbeArgs { probe, clock: clock.clone() };
                Some(probe::spawn(args, myself.get_cell()).await?)
            }
            None => None,
        };
        let (log, sinks) = (args.log, args.sinks);
        Ok(State { shards: Arc::new(shards), log, sinks, clock, rollup, probe, clocks })
    }

    async fn handle(
        &self,
        _myself: ActorRef<RegionMsg>,
        message: RegionMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RegionMsg::Deliver(envelope, from) => {
                state.shard(envelope.head.shard)?.cast(ShardMsg::Envelope(envelope, from))?;
            }
            RegionMsg::Mark(shard, mark) => state.shard(shard)?.cast(ShardMsg::Mark(mark))?,
            RegionMsg::Ask(shard, asked) => state.shard(shard)?.cast(ShardMsg::Ask(asked))?,
            RegionMsg::Evidence(shard, evidence) => {
                state.shard(shard)?.cast(ShardMsg::Evidence(evidence))?;
            }
            RegionMsg::Backfill(shard, evidence) => {
                state.shard(shard)?.cast(ShardMsg::Backfill(evidence))?;
            }
            RegionMsg::Commit(ingest, flush) => state.commit(ingest, flush),
            RegionMsg::Settled(marks) => {
                state.shard(marks.shard)?.cast(ShardMsg::Settled(marks))?;
            }
            RegionMsg::RollUp(reply) => match &state.rollup {
                Some(rollup) => rollup.cast(RollupMsg::Finish(reply))?,
                None => drop(reply.send(())),
            },
            RegionMsg::Tick => {
                for shard in state.shards.iter() {
                    shard.cast(ShardMsg::Tick)?;
                }
                if let Some(rollup) = &state.rollup {
                    rollup.cast(RollupMsg::Tick)?;
                }
                if let Some(probe) = &state.probe {
                    probe.cast(ProbeMsg::Tick)?;
                }
            }
            RegionMsg::Inspect(reply) => {
                let mut all = Vec::with_capacity(state.shards.len());
                for shard in state.shards.iter() {
                    all.push(ractor::call!(shard, ShardMsg::Inspect)?);
                }
                drop(reply.send(all));
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<RegionMsg>,
        event: SupervisionEvent,
        _state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            // Envelopes in the mailbox of the shard are lost with it: everything is reopened and
            // read again from the applied vectors.
            SupervisionEvent::ActorFailed(_, error) => Err(error),
            _ => Ok(()),
        }
    }
}

impl State {
    fn shard(&self, number: u16) -> Result<&ActorRef<ShardMsg>, ActorProcessingErr> {
        let missing = || format!("shard {number} is not open on this node");
        Ok(self.shards.get(usize::from(number)).ok_or_else(missing)?)
    }

    /// The cycle runs beside the region, which goes on delivering.
    fn commit(&self, ingest: ActorRef<IngestMsg>, flush: bool) {
        let (shards, sinks, log) = (self.shards.clone(), self.sinks.clone(), self.log.clone());
        let (clocks, clock) = (self.clocks.clone(), self.clock.clone());
        let rollup = self.rollup.clone();
        tokio::spawn(async move {
            let mut outcome = run_cycle(&shards, &sinks, &log, flush).await;
            if let Ok(committed) = &mut outcome {
                show_evidence(committed, &mut *clocks.lock().await, clock.now());
                let dirty = std::mem::take(&mut committed.dirty);
                // Shards name them again in the next cycle.
                drop(rollup.map(|rollup| rollup.cast(RollupMsg::Dirty(dirty))));
                metrics::counter!(names::COMMITS).increment(1);
                metrics::counter!(names::DUPLICATES).increment(committed.counts.duplicates);
                metrics::histogram!(names::COMMIT_SECONDS).record(committed.took.as_secs_f64());
            }
            // A stopped ingest does not wait for the outcome.
            drop(ingest.cast(IngestMsg::CommitDone(outcome)));
        });
    }
}

/// Shows what waits for evidence, and what was heard of clocks.
fn show_evidence(committed: &mut Committed, clocks: &mut ClockWatch, now: Timestamp) {
    let sessions = committed.traffic.owing as u64;
    // A tick is a second.
    let since = now.0.saturating_sub_unsigned(committed.oldest_wait * 1000);
    let oldest = (sessions > 0).then_some(Timestamp(since));
    Waiting { sessions, oldest }.publish(now);
    clocks.take(std::mem::take(&mut committed.signs));
    publish_clocks(&clocks.report(now));
}

/// Opens every shard in a new epoch. Returns the last claim of each and where it goes on.
fn open_all(args: &RegionArgs) -> Result<Vec<(Progress, Progress)>, ActorProcessingErr> {
    let mut opened = Vec::with_capacity(usize::from(args.shards));
    let mut records = Vec::with_capacity(usize::from(args.shards));
    for shard in 0..args.shards {
        let known = args.log.shard(shard)?;
        let claim = known.progress;
        let applied = claim.applied.clone();
        if claim.routing_version != ROUTING_VERSION && !applied.is_empty() {
            let found = claim.routing_version;
            return Err(format!(
                "the state of shard {shard} was made with routing version {found}, this build has \
                 {ROUTING_VERSION}; drain the node with the old build, then start with a new data folder"
            )
            .into());
        }
        let epoch = known.epoch.max(args.epoch_floor) + 1;
        let (node, incarnation) = (args.node.clone(), args.incarnation);
        records.push(StateRecord::Open { shard, open: EpochOpen { epoch, node, incarnation } });
        let dirty = claim.dirty.clone().carried_over();
        let progress =
            Progress { epoch, cycle: 0, routing_version: ROUTING_VERSION, applied, dirty };
        opened.push((claim, progress));
    }
    args.log.append(&mut std::iter::once(records))?;
    Ok(opened)
}
