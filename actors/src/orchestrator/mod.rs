//! Orchestrators: one actor per identity key, which holds what was advertised under it.

use naap_protocol::codec::{self, TraceContext};
use naap_protocol::state::OrchestratorState;
use naap_protocol::wire::Advertised;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorMessage;

/// Messages of an orchestrator.
#[derive(Debug, RactorMessage)]
pub enum OrchestratorMsg {
    /// A node was advertised under this identity.
    Advertise(Box<Advertised>),
    /// The state as a frame, if it changed since the last call.
    Snapshot(RpcReplyPort<Option<Vec<u8>>>),
}

struct OrchestratorActor;

struct State {
    state: OrchestratorState,
    changed: bool,
}

/// Starts the actor of identity `key` under its shard, with the state in `frame` if there is one.
pub(crate) async fn spawn(
    org: &str,
    key: String,
    frame: Option<&[u8]>,
    shard: ActorCell,
) -> Result<ActorRef<OrchestratorMsg>, ActorProcessingErr> {
    let state = match frame {
        Some(frame) => codec::decode(frame)?,
        None => OrchestratorState { org: org.to_owned(), key, ..OrchestratorState::default() },
    };
    let (orchestrator, _) = Actor::spawn_linked(None, OrchestratorActor, state, shard).await?;
    Ok(orchestrator)
}

impl Actor for OrchestratorActor {
    type Msg = OrchestratorMsg;
    type State = State;
    type Arguments = OrchestratorState;

    async fn pre_start(
        &self,
        _myself: ActorRef<OrchestratorMsg>,
        state: OrchestratorState,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { state, changed: false })
    }

    async fn handle(
        &self,
        _myself: ActorRef<OrchestratorMsg>,
        message: OrchestratorMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            OrchestratorMsg::Advertise(advertised) => {
                state.state.index.insert(&advertised.advertisement);
                state.changed = true;
            }
            OrchestratorMsg::Snapshot(reply) => {
                let frame = if std::mem::take(&mut state.changed) {
                    Some(codec::encode(&state.state, TraceContext::default())?)
                } else {
                    None
                };
                drop(reply.send(frame));
            }
        }
        Ok(())
    }
}
