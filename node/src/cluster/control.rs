//! Commands to a running node: `naap cluster …` speaks on the cluster port with the node's own
//! certificate, so that there is no second door to guard.

use std::time::Duration;

use naap_actors::agent::AgentMsg;
use naap_protocol::cluster::{Hello, Request, Response, Role};
use ractor::ActorRef;

use super::Local;
use super::dial::{self, Target};
use super::handshake::{self, DEADLINE, ShakeError};
use super::socket::Wire;

/// Longest question.
const REQUEST_BYTES: usize = 4 << 10;
/// Longest answer: a thousand members.
const RESPONSE_BYTES: usize = 1 << 20;
/// How long the agent may think.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers one question.
pub(super) async fn serve(mut wire: Wire, agent: &ActorRef<AgentMsg>) -> Result<(), ShakeError> {
    let request = handshake::read(&mut wire, REQUEST_BYTES);
    let request: Request =
        tokio::time::timeout(DEADLINE, request).await.map_err(|_| ShakeError::Late)??;
    if let Request::Drain(node) = &request {
        tracing::info!(node, "a command asks a node to drain");
    }
    let ask = |reply| AgentMsg::Request(request, reply);
    let answer = agent.call(ask, Some(PATIENCE)).await;
    let busy = "the agent of this node does not answer; try again";
    let refused =
        || Response { refusal: Some(busy.to_owned()), node: String::new(), members: Vec::new() };
    let response = match answer {
        Ok(ractor::rpc::CallResult::Success(response)) => response,
        _ => refused(),
    };
    let write = handshake::write(&mut wire, &response);
    tokio::time::timeout(DEADLINE, write).await.map_err(|_| ShakeError::Late)?
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
