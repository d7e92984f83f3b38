//! The root of a node's actor tree: starts it in order, notices failures, drains it in order.
//!
//! A failure below the root ends the whole tree: mailboxes are lost with their actor, and the
//! source log is the only retransmission buffer. Whoever runs the tree starts it again, with
//! back-off, from the applied vectors. A panic inside one session does not get this far.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use naap_protocol::rows::TableSpec;
use naap_protocol::state::SourcePartition;
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use ractor_cluster::RactorMessage;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use crate::ingest::{
    self, IngestArgs, IngestMsg, IngestOptions, IngestStatus, Intake, Rereads, Router,
};
use crate::orchestrator::OrchestratorOptions;
use crate::peers::{Alone, Members, Peers};
use crate::ports::{Clock, StateLog, TableWriter};
use crate::probe::Probe;
use crate::region::{self, RegionArgs, RegionMsg};
use crate::rollup::Rollups;
use crate::shard::ShardOptions;
use crate::sink::{SinkOptions, Sinks};

/// Everything that a node's tree is made of.
#[derive(Debug)]
pub struct NodeArgs<W> {
    /// Stable name of the node.
    pub node: String,
    /// Boot of the node.
    pub incarnation: u64,
    /// Epochs start above this one.
    pub epoch_floor: u64,
    /// Tables to write.
    pub tables: &'static [&'static TableSpec],
    /// Decides about records.
    pub router: Router,
    /// Flow control and commit clock.
    pub ingest: IngestOptions,
    /// How shards treat entities.
    pub shard: ShardOptions,
    /// How orchestrators decide and what they keep.
    pub orchestrators: OrchestratorOptions,
    /// How sinks batch and retry.
    pub sink: SinkOptions,
    /// Bytes of rows that may wait for storage.
    pub sink_budget: usize,
    /// Where state is kept.
    pub log: Arc<dyn StateLog>,
    /// Where rows go.
    pub writer: Arc<W>,
    /// How figures are kept up to date; `None` leaves them alone.
    pub rollups: Option<Rollups>,
    /// How stored data is checked; `None` does not check it.
    pub probe: Option<Probe>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Who else there is.
    pub cluster: Cluster,
}

/// The other nodes, as a node's tree sees them.
#[derive(Debug)]
pub struct Cluster {
    /// The way to them.
    pub peers: Arc<dyn Peers>,
    /// Who is there, this node among them.
    pub members: watch::Receiver<Members>,
    /// The source can read partitions again; told from where.
    pub rereads: Option<Rereads>,
    /// Shards are closed at the end, so that others need not wait for this node.
    pub hand_off: bool,
    /// Longest time that a shard stays here because the node that is to have it has not read its log.
    pub heir_patience: Duration,
}

impl Cluster {
    /// No other node, ever.
    pub fn alone(node: &str, incarnation: u64) -> Self {
        // The last value stays when the sender is gone.
        let (_, members) = watch::channel(Members::alone(node, incarnation));
        Self {
            peers: Arc::new(Alone),
            members,
            rereads: None,
            hand_off: false,
            heir_patience: Duration::ZERO,
        }
    }
}

/// How long parts of a tree that is going down are waited for.
const GRACE: Duration = Duration::from_secs(10);

/// Why a node stopped by itself.
#[derive(Clone, Debug, Error)]
#[error("{0}")]
pub struct NodeFailure(pub String);

/// Messages of the supervisor.
#[derive(Debug, RactorMessage)]
enum SupervisorMsg {
    /// One second has passed.
    Tick,
}

struct NodeSupervisor<W>(std::marker::PhantomData<W>);

struct State {
    region: ActorRef<RegionMsg>,
    failed: Option<oneshot::Sender<NodeFailure>>,
}

struct Start<W> {
    args: NodeArgs<W>,
    started: oneshot::Sender<(Intake, ActorRef<RegionMsg>)>,
    failed: oneshot::Sender<NodeFailure>,
    applied: watch::Sender<BTreeMap<SourcePartition, u64>>,
}

/// A running tree.
#[derive(Debug)]
pub struct Node {
    supervisor: ActorRef<SupervisorMsg>,
    /// The way in for records.
    pub intake: Intake,
    /// The shards.
    pub region: ActorRef<RegionMsg>,
    /// Per source partition the first offset that is not durably applied; changes at each commit.
    pub applied: watch::Receiver<BTreeMap<SourcePartition, u64>>,
    failed: oneshot::Receiver<NodeFailure>,
    hand_off: bool,
}

impl Node {
    /// Starts sinks, shards and ingest, in this order. A node that is alone has all its shards open
    /// then; others open theirs by and by.
    ///
    /// # Errors
    /// When a part can not be started; the sentence says which.
    pub async fn start<W: TableWriter>(args: NodeArgs<W>) -> Result<Self, NodeFailure> {
        let (started, parts) = oneshot::channel();
        let (failed, failure) = oneshot::channel();
        let (applied_tx, applied) = watch::channel(BTreeMap::new());
        let hand_off = args.cluster.hand_off;
        let alone = args.cluster.members.borrow().0.len() == 1;
        let start = Start { args, started, failed, applied: applied_tx };
        let root = NodeSupervisor(std::marker::PhantomData);
        let spawned = Actor::spawn(None, root, start).await;
        let (supervisor, _) = spawned.map_err(|e| NodeFailure(describe(&e)))?;
        let stopped = |_| NodeFailure("the node stopped while it started".to_owned());
        let (intake, region) = parts.await.map_err(stopped)?;
        let mut node = Self { supervisor, intake, region, applied, failed: failure, hand_off };
        if alone {
            node.all_open().await?;
        }
        Ok(node)
    }

    /// Returns when every shard that this node should have is open.
    ///
    /// # Errors
    /// When the node fails before.
    pub async fn all_open(&mut self) -> Result<(), NodeFailure> {
        let region = self.region.clone();
        let ready = async move { ractor::call!(region, RegionMsg::Ready) };
        let failure = tokio::select! {
            ready = ready => match ready {
                Ok(()) => return Ok(()),
                // The region ends a moment before its supervisor tells why.
                Err(_) => tokio::time::timeout(GRACE, &mut self.failed).await,
            },
            failure = &mut self.failed => Ok(failure),
        };
        Err(failure.ok().and_then(Result::ok).unwrap_or_else(stopped))
    }

    /// Returns when the node has failed.
    pub async fn failure(&mut self) -> NodeFailure {
        let ended = |_| NodeFailure("the node stopped without a reason".to_owned());
        (&mut self.failed).await.unwrap_or_else(ended)
    }

    /// Commits everything taken so far, then computes every figure that is older than its rows. The
    /// next commit notes that.
    ///
    /// # Errors
    /// When the node fails before that.
    pub async fn roll_up(&mut self) -> Result<(), NodeFailure> {
        let (finish, region) = (self.finish(), self.region.clone());
        let ingest = self.intake.actor().clone();
        let work = async move {
            finish.await?;
            let failed = |e: String| NodeFailure(format!("the figures were not computed: {e}"));
            ractor::call!(region, RegionMsg::RollUp).map_err(|e| failed(e.to_string()))?;
            ingest.cast(IngestMsg::Unsaved).map_err(|e| failed(e.to_string()))
        };
        let outcome = tokio::select! {
            outcome = work => outcome,
            failure = &mut self.failed => Err(failure.unwrap_or_else(|_| stopped())),
        };
        match outcome {
            Err(seen) => Err(self.reason(seen).await),
            outcome => outcome,
        }
    }

    /// Commits everything taken so far, then stops the tree from the top of the data path down.
    ///
    /// # Errors
    /// When the node fails before everything is durable; nothing unacknowledged counts then.
    pub async fn drain(mut self) -> Result<IngestStatus, NodeFailure> {
        let finish = self.finish_and_hand_off();
        let status = tokio::select! {
            status = finish => status,
            failure = &mut self.failed => Err(failure.unwrap_or_else(|_| stopped())),
        };
        let status = match status {
            Err(unfinished) => Err(self.reason(unfinished).await),
            status => status,
        };
        self.stop().await;
        status
    }

    /// Why the node failed: an actor ends a moment before its supervisor tells why.
    async fn reason(&mut self, seen: NodeFailure) -> NodeFailure {
        if self.failed.is_terminated() {
            return seen;
        }
        let told = tokio::time::timeout(GRACE, &mut self.failed).await;
        told.ok().and_then(Result::ok).unwrap_or(seen)
    }

    /// Commits everything taken so far and says what became of it.
    fn finish(&self) -> impl Future<Output = Result<IngestStatus, NodeFailure>> + use<> {
        let ingest = self.intake.actor().clone();
        async move {
            ractor::call!(ingest, IngestMsg::Finish)
                .map_err(|e| NodeFailure(format!("the ingest did not finish: {e}")))
        }
    }

    /// As [`Node::finish`], and gives the shards away where others can have them.
    fn finish_and_hand_off(
        &self,
    ) -> impl Future<Output = Result<IngestStatus, NodeFailure>> + use<> {
        let (finish, region, hand_off) = (self.finish(), self.region.clone(), self.hand_off);
        async move {
            let status = finish.await?;
            if hand_off {
                ractor::call!(region, RegionMsg::HandOff)
                    .map_err(|e| NodeFailure(format!("the shards were not handed off: {e}")))?;
            }
            Ok(status)
        }
    }

    /// Stops the tree without waiting for anything in it.
    pub async fn stop(self) {
        let stopped = self.supervisor.stop_and_wait(None, Some(GRACE)).await;
        if let Err(e) = stopped {
            tracing::warn!(error = %e, "the actor tree did not stop in time");
        }
    }
}

fn stopped() -> NodeFailure {
    NodeFailure("the node stopped".to_owned())
}

fn describe(error: &SpawnErr) -> String {
    match error {
        SpawnErr::StartupFailed(reason) => reason.to_string(),
        other => other.to_string(),
    }
}

impl<W: TableWriter> Actor for NodeSupervisor<W> {
    type Msg = SupervisorMsg;
    type State = State;
    type Arguments = Start<W>;

    async fn pre_start(
        &self,
        myself: ActorRef<SupervisorMsg>,
        start: Start<W>,
    ) -> Result<State, ActorProcessingErr> {
        let Start { args, started, failed, applied } = start;
        let cell = myself.get_cell();
        let budget = args.sink_budget;
        let sinks =
            Sinks::start(args.tables, &args.writer, args.sink, budget, cell.clone()).await?;
        let region = RegionArgs {
            shards: args.ingest.shards,
            node: args.node.into(),
            incarnation: args.incarnation,
            epoch_floor: args.epoch_floor,
            options: args.shard,
            orchestrators: args.orchestrators,
            log: args.log,
            sinks: sinks.clone(),
            rollups: args.rollups,
            probe: args.probe,
            clock: args.clock,
            peers: args.cluster.peers,
            members: args.cluster.members,
            heir_patience: args.cluster.heir_patience,
        };
        let region = region::spawn(region, cell.clone()).await?;
        let ingest = IngestArgs {
            router: args.router,
            options: args.ingest,
            region: region.clone(),
            sinks,
            applied,
            rereads: args.cluster.rereads,
        };
        let intake = ingest::spawn(ingest, cell.clone()).await?;
        region.cast(RegionMsg::Connect(intake.actor().clone()))?;
        // The timer ends with the supervisor.
        drop(ractor::time::send_interval(Duration::from_secs(1), cell, || SupervisorMsg::Tick));
        // Whoever asked for the start has gone: the tree stops with its last reference.
        drop(started.send((intake, region.clone())));
        Ok(State { region, failed: Some(failed) })
    }

    async fn handle(
        &self,
        _myself: ActorRef<SupervisorMsg>,
        SupervisorMsg::Tick: SupervisorMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        // A stopped region is reported by its own supervision event.
        drop(state.region.cast(RegionMsg::Tick));
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<SupervisorMsg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(_, error) = event {
            let failure = NodeFailure(error.to_string());
            tracing::error!(%failure, "a part of the node failed");
            if let Some(failed) = state.failed.take() {
                // Nobody waits for the failure of a node that is being stopped.
                drop(failed.send(failure));
            }
            myself.stop(None);
        }
        Ok(())
    }
}
