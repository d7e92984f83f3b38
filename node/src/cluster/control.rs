//! Commands to a running node: `naap cluster …` speaks on the cluster port with the node's own
//! certificate, so that there is no second door to guard.

use std::time::Duration;

use naap_actors::agent::AgentMsg;
use naap_actors::region::RegionMsg;
use naap_protocol::capability::evidence::Evidence;
use naap_protocol::cluster::{Hello, Request, Response, Role};
use ractor::ActorRef;
use ractor::rpc::CallResult;
use tokio::sync::watch;

use super::Local;
use super::dial::{self, Target};
use super::handshake::{self, DEADLINE, ShakeError};
use super::socket::Wire;

/// Longest question: the evidence of a backfill.
const REQUEST_BYTES: usize = 1 << 20;
/// Longest answer: a thousand members.
const RESPONSE_BYTES: usize = 1 << 20;
/// How long agent and region may think.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who answers: the agent, and the region while the node has one.
#[derive(Clone, Debug)]
pub(super) struct Answering {
    pub agent: ActorRef<AgentMsg>,
    pub region: watch::Receiver<Option<ActorRef<RegionMsg>>>,
}

/// Answers one question.
pub(super) async fn serve(mut wire: Wire, answering: &Answering) -> Result<(), ShakeError> {
    let request = handshake::read(&mut wire, REQUEST_BYTES);
    let request: Request =
        tokio::time::timeout(DEADLINE, request).await.map_err(|_| ShakeError::Late)??;
    let response = match request {
        Request::Backfill { shard, evidence } => answering.backfill(shard, evidence).await,
        request => answering.of_agent(request).await,
    };
    let write = handshake::write(&mut wire, &response);
    tokio::time::timeout(DEADLINE, write).await.map_err(|_| ShakeError::Late)?
}

impl Answering {
    async fn of_agent(&self, request: Request) -> Response {
        if let Request::Drain(node) = &request {
            tracing::info!(node, "a command asks a node to drain");
        }
        let ask = |reply| AgentMsg::Request(request, reply);
        match self.agent.call(ask, Some(PATIENCE)).await {
            Ok(CallResult::Success(response)) => response,
            _ => only(Some("the agent of this node does not answer; try again".to_owned())),
        }
    }

    async fn backfill(&self, shard: u16, evidence: Vec<Evidence>) -> Response {
        let Some(region) = self.region.borrow().clone() else {
            return only(Some("the node has no shards yet; try again when it is up".to_owned()));
        };
        tracing::info!(shard, pieces = evidence.len(), "a command brings evidence of a backfill");
        let ask = |reply| RegionMsg::Backfill(shard, evidence, reply);
        match region.call(ask, Some(PATIENCE)).await {
            Ok(CallResult::Success(true)) => only(None),
            Ok(CallResult::Success(false)) => {
                only(Some(format!("no node has shard {shard} open at the moment; run it again")))
            }
            _ => only(Some("the shards of this node do not answer; try again".to_owned())),
        }
    }
}

/// An answer that says nothing of members.
fn only(refusal: Option<String>) -> Response {
    Response { refusal, node: String::new(), members: Vec::new() }
}

/// Asks the node that listens at `target`.
///
/// # Errors
/// When it can not be reached or does not answer.
pub(super) async fn ask(
    target: &Target,
    local: &Local,
    request: &Request,
) -> Result<Response, ShakeError> {
    let asking = async {
        let mut wire = dial::connect(target, local).await?;
        let ours = Hello { role: Role::Control, ..local.greeting() };
        // The encryption has compared its name; whoever it is, it is asked, not obeyed.
        handshake::shake(&mut wire, &ours, |_| Ok(())).await?;
        handshake::write(&mut wire, request).await?;
        handshake::read(&mut wire, RESPONSE_BYTES).await
    };
    tokio::time::timeout(DEADLINE + PATIENCE, asking).await.map_err(|_| ShakeError::Late)?
}
