//! Orchestrators: one actor per identity key, which holds what was advertised under it and tells the
//! sessions that asked whenever that changes an answer.

pub mod subscribers;

use naap_protocol::capability::decide::DirectWindow;
use naap_protocol::capability::evidence::{Evidence, Question};
use naap_protocol::capability::index::Inserted;
use naap_protocol::codec::{self, TraceContext};
use naap_protocol::peer::Sender;
use naap_protocol::state::OrchestratorState;
use naap_protocol::wire::Advertised;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorMessage;

use crate::region::RegionMsg;
use crate::session::instruments;
use subscribers::Subscribers;

/// Messages of an orchestrator.
#[derive(Debug, RactorMessage)]
pub enum OrchestratorMsg {
    /// A node was advertised under this identity.
    Advertise(Box<Advertised>),
    /// A session wants to know something, and whenever that changes.
    Ask(Question),
    /// End the commit cycle: tell the sessions what has changed for them.
    Flush(RpcReplyPort<Flushed>),
}

/// What an orchestrator leaves behind in a commit cycle.
#[derive(Debug)]
pub struct Flushed {
    /// The state as a frame, if it changed since the last cycle.
    pub frame: Option<Vec<u8>>,
    /// Answers sent since the last cycle.
    pub told: u64,
}

/// How orchestrators decide and what they keep.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrchestratorOptions {
    /// How far from an advertisement a selection still counts as direct.
    pub window: DirectWindow,
    /// Nothing is given up with time: the input has an end (decisions.md, bounded input).
    pub keep_everything: bool,
}

/// What an orchestrator is started with.
#[derive(Debug)]
pub(crate) struct OrchestratorArgs {
    pub(crate) org: String,
    pub(crate) key: String,
    /// Its stored state, if there is one.
    pub(crate) frame: Option<Vec<u8>>,
    pub(crate) options: OrchestratorOptions,
    /// Where answers go.
    pub(crate) region: ActorRef<RegionMsg>,
    /// Who answers.
    pub(crate) opening: Sender,
}

struct OrchestratorActor;

struct State {
    durable: OrchestratorState,
    changed: bool,
    subscribers: Subscribers,
    window: DirectWindow,
    region: ActorRef<RegionMsg>,
    opening: Sender,
    told: u64,
}

/// Starts the actor of an identity key under its shard.
pub(crate) async fn spawn(
    args: OrchestratorArgs,
    shard: ActorCell,
) -> Result<ActorRef<OrchestratorMsg>, ActorProcessingErr> {
    let (orchestrator, _) = Actor::spawn_linked(None, OrchestratorActor, args, shard).await?;
    Ok(orchestrator)
}

impl Actor for OrchestratorActor {
    type Msg = OrchestratorMsg;
    type State = State;
    type Arguments = OrchestratorArgs;

    async fn pre_start(
        &self,
        _myself: ActorRef<OrchestratorMsg>,
        args: OrchestratorArgs,
    ) -> Result<State, ActorProcessingErr> {
        let OrchestratorArgs { org, key, frame, options, region, opening } = args;
        let OrchestratorOptions { window, keep_everything } = options;
        let mut durable: OrchestratorState = match frame {
            Some(frame) => codec::decode(&frame)?,
            None => OrchestratorState { org, key, ..OrchestratorState::default() },
        };
        if keep_everything {
            durable.index.keep_everything();
        }
        instruments::capability_entries(durable.index.len() as i64);
        let subscribers = Subscribers::default();
        Ok(State { durable, changed: false, subscribers, window, region, opening, told: 0 })
    }

    async fn handle(
        &self,
        _myself: ActorRef<OrchestratorMsg>,
        message: OrchestratorMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            OrchestratorMsg::Advertise(advertised) => {
                let advertisement = &advertised.advertisement;
                let before = state.durable.index.len();
                let taken = state.durable.index.take(advertisement);
                instruments::capability_entries(state.durable.index.len() as i64 - before as i64);
                instruments::capability_evicted("horizon", taken.behind_horizon);
                instruments::capability_evicted("limit", taken.over_limit);
                state.changed |= taken.inserted == Inserted::Changed;
                state.subscribers.taken(advertisement.event_ts, &taken);
            }
            OrchestratorMsg::Ask(question) => {
                let shard = question.shard;
                let answers = state.subscribers.ask(question, &state.durable.index, state.window);
                state.tell(shard, answers)?;
            }
            OrchestratorMsg::Flush(reply) => {
                let answers = state.subscribers.decide_again(&state.durable.index, state.window);
                for (shard, answers) in answers {
                    state.tell(shard, answers)?;
                }
                let changed = std::mem::take(&mut state.changed);
                let frame = changed.then(|| codec::encode(&state.durable, TraceContext::default()));
                let told = std::mem::take(&mut state.told);
                drop(reply.send(Flushed { frame: frame.transpose()?, told }));
            }
        }
        Ok(())
    }
}

impl Drop for State {
    fn drop(&mut self) {
        instruments::capability_entries(-(self.durable.index.len() as i64));
    }
}

impl State {
    fn tell(&mut self, shard: u16, answers: Vec<Evidence>) -> Result<(), ActorProcessingErr> {
        if !answers.is_empty() {
            self.told += answers.len() as u64;
            self.region.cast(RegionMsg::Evidence(shard, answers, self.opening))?;
        }
        Ok(())
    }
}
