//! The actor around a shard: envelopes in, rows to the sinks, credits back, state at commits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use naap_protocol::capability::evidence::{Evidence, Question};
use naap_protocol::identity::{EntityId, EntityKey};
use naap_protocol::peer::Note;
use naap_protocol::state::{Progress, SourcePartition};
use naap_protocol::wire::{Advertised, Envelope};
use ractor::{
    Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr, SupervisionEvent,
};
use ractor_cluster::RactorMessage;

use super::core::{Applied, Saved, ShardCore, ShardError};
use super::counts::ShardCounts;
use crate::clocks::ClockSigns;
use crate::orchestrator::{self, Flushed, OrchestratorArgs, OrchestratorMsg, OrchestratorOptions};
use crate::peers::Reader;
use crate::ports::{StateLog, StateRecord};
use crate::region::RegionMsg;
use crate::rollup::Marks;
use crate::session::tally::Cause;
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
    /// Opening of the shard that the reader is attached to.
    pub epoch: u64,
}

/// The wish of a reader to begin, see [`Note::Attach`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attach {
    /// Source partition.
    pub source: SourcePartition,
    /// Where it begins if the shard knows nothing better.
    pub start: u64,
    /// Number of the wish.
    pub ask: u64,
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
    /// Evidence that travels.
    pub traffic: Traffic,
    /// Ticks that the longest wait for evidence has lasted.
    pub oldest_wait: u64,
    /// What was heard of clocks.
    pub signs: ClockSigns,
}

/// Questions and answers that have passed, since the shards were opened, and what still waits.
///
/// Each leg between two actors of a node takes less than a commit cycle, and is counted at its end or
/// at its beginning. Where a whole cycle counts none, none was under way: then every row rests on all
/// the evidence there is. What other nodes sent or took does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sum of the epochs of the openings that have counted; the same openings when all shards are open.
    pub openings: u64,
    /// Questions and answers sent.
    pub sent: u64,
    /// Questions and answers taken in.
    pub taken: u64,
    /// Sessions whose rows wait for a later cycle.
    pub owing: usize,
}

impl Traffic {
    /// Adds `other`.
    pub fn add(&mut self, other: Self) {
        self.openings += other.openings;
        self.sent += other.sent;
        self.taken += other.taken;
        self.owing += other.owing;
    }

    /// True when nothing has moved between the cycle of `before` and this one, and nothing waits.
    pub fn is_settled_since(&self, before: Self) -> bool {
        self.owing == 0 && *self == before
    }
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
    Envelope(Envelope, Reader),
    /// A reader of a source partition begins.
    Attach(Attach, Reader),
    /// Offsets without anything for this shard.
    Mark(Mark, Reader),
    /// Ask the orchestrators of this shard.
    Ask(Vec<Question>),
    /// What orchestrators say about sessions of this shard.
    Evidence(Vec<Evidence>),
    /// The same from elsewhere.
    Backfill(Vec<Evidence>),
    /// Take up what was left unfinished before the shard was opened.
    Resume,
    /// Ask the orchestrators of these shards once more.
    AskAgain(Arc<BTreeSet<u16>>),
    /// End the commit cycle. `true` ends every wait that is not for an answer.
    Commit(bool, RpcReplyPort<ShardCommit>),
    /// What the last commit returned is in the state log: its rows may go to the sinks.
    Saved(RpcReplyPort<()>),
    /// The last commit is durable.
    Committed,
    /// Figures were computed.
    Settled(Marks),
    /// One second has passed.
    Tick,
    /// Say how you are.
    Inspect(RpcReplyPort<ShardStatus>),
}

pub(crate) struct ShardArgs {
    pub(crate) shard: u16,
    /// Shards of the cluster.
    pub(crate) shards: u16,
    pub(crate) core: ShardCore,
    /// What the shard claimed before it was opened.
    pub(crate) claim: Progress,
    pub(crate) log: Arc<dyn StateLog>,
    pub(crate) sinks: Sinks,
    pub(crate) region: ActorRef<RegionMsg>,
    pub(crate) orchestrators: OrchestratorOptions,
}

/// Of another opening, or of a source that nobody has attached.
const REFUSED: Applied = Applied::Refused { wanted: 0 };

struct ShardActor;

struct State {
    args: ShardArgs,
    orchestrators: BTreeMap<u128, ActorRef<OrchestratorMsg>>,
    traffic: Traffic,
    /// Rows wait that rest on state which is not in the log yet.
    unsaved: bool,
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
        let (orchestrators, traffic) = (BTreeMap::new(), Traffic::default());
        Ok(State { args, orchestrators, traffic, unsaved: false })
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
            ShardMsg::Attach(attach, from) => state.attach(attach, &from),
            ShardMsg::Mark(mark, from) => state.mark(mark, &from),
            ShardMsg::Ask(questions) => state.ask(&myself, questions).await?,
            ShardMsg::Evidence(evidence) => state.learn(evidence, Cause::LateCapability)?,
            ShardMsg::Backfill(evidence) => {
                // Nobody has counted it on its way.
                state.traffic.sent += evidence.len() as u64;
                state.learn(evidence, Cause::Backfill)?;
            }
            ShardMsg::Resume => {
                let questions = state.args.core.resume(&state.args.claim)?;
                state.send(questions)?;
            }
            ShardMsg::AskAgain(shards) => {
                let questions = state.args.core.ask_again(&shards, state.args.shards)?;
                state.send(questions)?;
            }
            ShardMsg::Commit(flush, reply) => {
                let commit = state.commit(flush).await?;
                // The cycle was given up; the next one takes the changes along.
                drop(reply.send(commit));
            }
            ShardMsg::Saved(reply) => {
                state.unsaved = false;
                state.send_rows().await?;
                drop(reply.send(()));
            }
            ShardMsg::Committed => state.args.core.committed(),
            ShardMsg::Settled(Marks { epoch, dirty, .. }) => state.args.core.settled(epoch, &dirty),
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
        from: &Reader,
    ) -> Result<(), ActorProcessingErr> {
        let (shard, epoch) = (self.args.shard, envelope.head.epoch_hint);
        let attached = self.is_attached(epoch, &envelope.head.source);
        let applied = match attached.then(|| self.args.core.apply(envelope)) {
            None => REFUSED,
            // Whoever sent it loses its link, and nobody else anything.
            Some(Err(ShardError::Damaged(error))) if from.refuse(&error.to_string()) => REFUSED,
            Some(applied) => applied?,
        };
        match applied {
            Applied::Taken(advertisements) => {
                for (id, advertised) in advertisements {
                    self.advertise(myself, &envelope.head.org, id, advertised).await?;
                }
            }
            Applied::Skipped => {}
            Applied::Refused { .. } => {
                from.tell(Note::Refused { shard, epoch, source: envelope.head.source.clone() });
            }
        }
        let questions = self.args.core.questions();
        self.send(questions)?;
        if !self.unsaved && self.args.core.row_bytes() >= PARCEL {
            self.send_rows().await?;
        }
        from.tell(Note::Credit { shard, epoch, bytes: envelope.cost() as u64 });
        Ok(())
    }

    /// Whether a reader with this idea of the opening has told where `source` begins.
    fn is_attached(&self, epoch: u64, source: &SourcePartition) -> bool {
        let progress = self.args.core.progress();
        progress.epoch == epoch && progress.applied.contains_key(source)
    }

    fn attach(&mut self, attach: Attach, from: &Reader) {
        let Attach { source, start, ask } = attach;
        let shard = self.args.shard;
        let wanted = self.args.core.attach(source.clone(), start);
        let epoch = self.args.core.progress().epoch;
        from.tell(Note::Attached { shard, epoch, source, wanted, ask });
    }

    fn mark(&mut self, mark: Mark, from: &Reader) {
        let Mark { source, from: start, to, epoch } = mark;
        if self.is_attached(epoch, &source) && self.args.core.mark(&source, start, to) {
            return;
        }
        from.tell(Note::Refused { shard: self.args.shard, epoch, source });
    }

    async fn advertise(
        &mut self,
        myself: &ActorRef<ShardMsg>,
        org: &str,
        id: u128,
        advertised: Advertised,
    ) -> Result<(), ActorProcessingErr> {
        let key = advertised.key.clone();
        let orchestrator = self.orchestrator(myself, org, id, key).await?;
        orchestrator.cast(OrchestratorMsg::Advertise(Box::new(advertised)))?;
        Ok(())
    }

    async fn orchestrator(
        &mut self,
        myself: &ActorRef<ShardMsg>,
        org: &str,
        id: u128,
        key: String,
    ) -> Result<ActorRef<OrchestratorMsg>, ActorProcessingErr> {
        if let Some(known) = self.orchestrators.get(&id) {
            return Ok(known.clone());
        }
        let args = OrchestratorArgs {
            org: org.to_owned(),
            key,
            frame: self.args.log.entity(self.args.shard, EntityId(id))?,
            options: self.args.orchestrators,
            region: self.args.region.clone(),
            opening: self.args.core.opening(),
        };
        let started = orchestrator::spawn(args, myself.get_cell()).await?;
        self.orchestrators.insert(id, started.clone());
        Ok(started)
    }

    async fn ask(
        &mut self,
        myself: &ActorRef<ShardMsg>,
        questions: Vec<Question>,
    ) -> Result<(), ActorProcessingErr> {
        self.traffic.taken += questions.len() as u64;
        for question in questions {
            let id = EntityKey::orchestrator(&question.org, &question.key).id().0;
            let key = question.key.clone();
            let orchestrator = self.orchestrator(myself, &question.org, id, key).await?;
            orchestrator.cast(OrchestratorMsg::Ask(question))?;
        }
        Ok(())
    }

    fn learn(&mut self, evidence: Vec<Evidence>, cause: Cause) -> Result<(), ActorProcessingErr> {
        self.traffic.taken += evidence.len() as u64;
        for piece in evidence {
            self.args.core.learn(piece, cause)?;
        }
        let questions = self.args.core.questions();
        self.send(questions)
    }

    /// Sends questions to the shards of the orchestrators that they are for.
    fn send(&mut self, questions: Vec<Question>) -> Result<(), ActorProcessingErr> {
        self.traffic.sent += questions.len() as u64;
        let mut by_shard: BTreeMap<u16, Vec<Question>> = BTreeMap::new();
        for question in questions {
            let entity = EntityKey::orchestrator(&question.org, &question.key);
            by_shard.entry(entity.shard(self.args.shards)).or_default().push(question);
        }
        for (shard, questions) in by_shard {
            self.args.region.cast(RegionMsg::Ask(shard, questions, self.args.core.opening()))?;
        }
        Ok(())
    }

    async fn commit(&mut self, flush: bool) -> Result<ShardCommit, ActorProcessingErr> {
        let saved = self.args.core.commit(flush)?;
        let Saved { mut records, progress, questions, owing, oldest_wait, signs } = saved;
        self.send(questions)?;
        for (&id, orchestrator) in &self.orchestrators {
            let Flushed { frame, told } = ractor::call!(orchestrator, OrchestratorMsg::Flush)?;
            self.traffic.sent += told;
            let (shard, entity, epoch) = (self.args.shard, EntityId(id), progress.epoch);
            let snapshot = |frame| StateRecord::Snapshot { shard, epoch, entity, frame };
            records.extend(frame.map(snapshot));
        }
        self.unsaved = true;
        let traffic = Traffic { openings: progress.epoch, owing, ..self.traffic };
        let counts = self.args.core.take_counts();
        Ok(ShardCommit { records, progress, counts, traffic, oldest_wait, signs })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_settled_when_a_cycle_of_the_same_openings_has_counted_nothing() {
        // What went to other nodes, or came from them, never balances.
        let before = Traffic { openings: 3, sent: 7, taken: 4, owing: 0 };
        assert!(before.is_settled_since(before));
        let moved = [
            Traffic { sent: 8, ..before },
            Traffic { taken: 5, ..before },
            Traffic { openings: 4, ..before },
            Traffic { owing: 1, ..before },
        ];
        assert!(moved.iter().all(|now| !now.is_settled_since(before)));
        let owing = Traffic { owing: 1, ..before };
        assert!(!owing.is_settled_since(owing), "rows wait");
    }
}
