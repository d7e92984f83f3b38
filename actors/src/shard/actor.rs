//! The actor around a shard: envelopes in, rows to the sinks, credits back, state at commits.

use std::collections::BTreeMap;
use std::sync::Arc;

use naap_protocol::identity::EntityId;
use naap_protocol::state::{Progress, SourcePartition};
use naap_protocol::wire::{Advertised, Envelope};
use ractor::{
    Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr, SupervisionEvent,
};
use ractor_cluster::RactorMessage;

use super::core::{Applied, ShardCore, ShardCounts};
use crate::ingest::IngestMsg;
use crate::orchestrator::{self, OrchestratorMsg};
use crate::ports::{StateLog, StateRecord};
use crate::sink::Sinks;

/// Rows are handed to the sinks in parcels of at least this size, bytes.
const PARCEL: usize = 64 << 10;

/// Offsets of a partition that hold nothing for the shards that have applied up to `from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Source partition.
    pub source: SourcePartition,
    /// First offset that the mark stands for.
    pub from: u64,
    /// First offset after it.
    pub to: u64,
}

/// What a shard contributes to a commit.
#[derive(Debug)]
pub struct ShardCommit {
    /// State of every entity that changed.
    pub records: Vec<StateRecord>,
    /// The claim to make once the rows of these changes are stored.
    pub progress: Progress,
    /// Counts since the last commit.
    pub counts: ShardCounts,
}

/// What a shard says of itself.
#[derive(Clone, Debug)]
pub struct ShardStatus {
    /// Epoch and applied vector.
    pub progress: Progress,
    /// Sessions awake.
    pub sessions: usize,
    /// Orchestrator actors running.
    pub orchestrators: usize,
}

/// Messages of a shard.
#[derive(Debug, RactorMessage)]
pub enum ShardMsg {
    /// A batch of events, and who gets its credit back.
    Envelope(Envelope, ActorRef<IngestMsg>),
    /// Offsets without anything for this shard.
    Mark(Mark),
    /// End the commit cycle.
    Commit(RpcReplyPort<ShardCommit>),
    /// The last commit is durable.
    Committed,
    /// One second has passed.
    Tick,
    /// Say how you are.
    Inspect(RpcReplyPort<ShardStatus>),
}

pub(crate) struct ShardArgs {
    pub(crate) shard: u16,
    pub(crate) core: ShardCore,
    pub(crate) log: Arc<dyn StateLog>,
    pub(crate) sinks: Sinks,
}

struct ShardActor;

struct State {
    args: ShardArgs,
    orchestrators: BTreeMap<u128, ActorRef<OrchestratorMsg>>,
}

pub(crate) async fn spawn(
    args: ShardArgs,
    supervisor: ActorCell,
) -> Result<ActorRef<ShardMsg>, SpawnErr> {
    Actor::spawn_linked(None, ShardActor, args, supervisor).await.map(|(shard, _)| shard)
}

impl Actor for ShardActor {
    type Msg = ShardMsg;
    type State = State;
    type Arguments = ShardArgs;

    async fn pre_start(
        &self,
        _myself: ActorRef<ShardMsg>,
        args: ShardArgs,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { args, orchestrators: BTreeMap::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<ShardMsg>,
        message: ShardMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ShardMsg::Envelope(envelope, from) => {
                state.envelope(&myself, &envelope, &from).await?;
            }
            ShardMsg::Mark(mark) => state.args.core.mark(&mark.source, mark.from, mark.to),
            ShardMsg::Commit(reply) => {
                let commit = state.commit().await?;
                // The cycle was given up; the next one takes the changes along.
                drop(reply.send(commit));
            }
            ShardMsg::Committed => state.args.core.committed(),
            ShardMsg::Tick => state.args.core.tick(),
            ShardMsg::Inspect(reply) => drop(reply.send(state.status())),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<ShardMsg>,
        event: SupervisionEvent,
        _state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            // The state of the orchestrator is in the log: reopening the shard brings it back.
            SupervisionEvent::ActorFailed(_, error) => Err(error),
            _ => Ok(()),
        }
    }
}

impl State {
    async fn envelope(
        &mut self,
        myself: &ActorRef<ShardMsg>,
        envelope: &Envelope,
        from: &ActorRef<IngestMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let shard = self.args.shard;
        match self.args.core.apply(envelope)? {
            Applied::Taken(advertisements) => {
                for (id, advertised) in advertisements {
                    self.advertise(myself, &envelope.head.org, id, advertised).await?;
                }
            }
            Applied::Skipped => {}
            Applied::Refused { wanted } => {
                let source = envelope.head.source.clone();
                from.cast(IngestMsg::Refused { shard, source, wanted })?;
            }
        }
        if self.args.core.row_bytes() >= PARCEL {
            self.send_rows().await?;
        }
        from.cast(IngestMsg::Credit { shard, bytes: envelope.cost() })?;
        Ok(())
    }

    async fn advertise(
        &mut self,
        myself: &ActorRef<ShardMsg>,
        org: &str,
        id: u128,
        advertised: Advertised,
    ) -> Result<(), ActorProcessingErr> {
        let orchestrator = if let Some(known) = self.orchestrators.get(&id) {
            known.clone()
        } else {
            let frame = self.args.log.entity(self.args.shard, EntityId(id))?;
            let key = advertised.key.clone();
            let started =
                orchestrator::spawn(org, key, frame.as_deref(), myself.get_cell()).await?;
            self.orchestrators.insert(id, started.clone());
            started
        };
        orchestrator.cast(OrchestratorMsg::Advertise(Box::new(advertised)))?;
        Ok(())
    }

    async fn commit(&mut self) -> Result<ShardCommit, ActorProcessingErr> {
        let (mut records, progress) = self.args.core.commit()?;
        for (&id, orchestrator) in &self.orchestrators {
            let frame = ractor::call!(orchestrator, OrchestratorMsg::Snapshot)?;
            let (shard, entity) = (self.args.shard, EntityId(id));
            records.extend(frame.map(|frame| StateRecord::Snapshot { shard, entity, frame }));
        }
        self.send_rows().await?;
        Ok(ShardCommit { records, progress, counts: self.args.core.take_counts() })
    }

    async fn send_rows(&mut self) -> Result<(), ActorProcessingErr> {
        for batch in self.args.core.take_rows() {
            self.args.sinks.send(batch).await?;
        }
        Ok(())
    }

    fn status(&self) -> ShardStatus {
        ShardStatus {
            progress: self.args.core.progress().clone(),
            sessions: self.args.core.sessions_awake(),
            orchestrators: self.orchestrators.len(),
        }
    }
}
