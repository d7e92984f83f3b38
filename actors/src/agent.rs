//! The agent of a node: gives and takes signs of life, and tells the node who is there.
//!
//! One of the few actors that other nodes can reach. The rules are in [`crate::membership`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use naap_protocol::cluster::{Beat, MemberStatus, Phase, Request, Response};
use naap_protocol::codec::{self, CodecError, TraceContext};
use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, Message, RpcReplyPort, SpawnErr};
use tokio::sync::watch;

use crate::membership::{Change, MemberView, Membership, Timing};
use crate::names;
use crate::peers::{Members, Standing};
use crate::remote::Remote;

/// The process group of the agents of all linked nodes.
pub const GROUP: &str = "naap.agents";

/// The members topic, as far as the agent writes it.
pub trait MembersTopic: fmt::Debug + Send + Sync + 'static {
    /// Publishes a beat. Never waits: of beats that wait, only the newest is written, and never a
    /// second one before the first is acknowledged, so that beats in the log are as far apart as they
    /// were in time.
    fn publish(&self, beat: Beat);
}

/// Messages of the agent. Only beats and the wish to drain travel.
#[derive(Debug)]
pub enum AgentMsg {
    /// A peer lives.
    Beat(Beat),
    /// Somebody wants this node to give its shards away.
    Drain,
    /// A peer sent what this build can not read.
    Unreadable(String),
    /// A beat stood in the topic before this node began to read its end.
    Remember(Beat),
    /// A beat was read from the end of the topic.
    Seen(Beat),
    /// A link is open.
    Linked {
        /// The peer.
        node: String,
        /// Its boot.
        incarnation: u64,
        /// Its agent.
        agent: Remote<AgentMsg>,
    },
    /// A link has ended.
    Unlinked {
        /// The peer.
        node: String,
        /// Its boot.
        incarnation: u64,
    },
    /// The region runs: this node may take its share of the shards. Until then it joins.
    Serves,
    /// Nothing listens where a peer should.
    Refused(String),
    /// This node has no shards left and leaves.
    Leave(RpcReplyPort<()>),
    /// A command.
    Request(Request, RpcReplyPort<Response>),
    /// Time for a beat.
    Tick,
}

const BEAT: &str = "beat";
const DRAIN: &str = "drain";

impl Message for AgentMsg {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let (variant, args) = match self {
            Self::Beat(beat) => {
                let frame = codec::encode(&beat, TraceContext::default());
                (BEAT, frame.map_err(|_| BoxedDowncastErr)?)
            }
            Self::Drain => (DRAIN, Vec::new()),
            _ => return Err(BoxedDowncastErr),
        };
        Ok(SerializedMessage::Cast { variant: variant.to_owned(), args, metadata: None })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        let SerializedMessage::Cast { variant, args, .. } = message else {
            return Ok(Self::Unreadable("a call, which agents do not answer".to_owned()));
        };
        Ok(match variant.as_str() {
            BEAT => codec::decode(&args)
                .map_or_else(|e: CodecError| Self::Unreadable(e.to_string()), Self::Beat),
            DRAIN => Self::Drain,
            other => {
                Self::Unreadable(format!("unknown kind {:?}", other.get(..40).unwrap_or(other)))
            }
        })
    }
}

/// What an agent needs.
#[derive(Debug)]
pub struct AgentArgs {
    /// Stable name of this node.
    pub node: String,
    /// Its boot.
    pub incarnation: u64,
    /// Shards of the cluster.
    pub shards: u16,
    /// The clock of membership.
    pub timing: Timing,
    /// The members topic; `None` where there is none, and then links alone decide.
    pub topic: Option<Arc<dyn MembersTopic>>,
    /// Told whenever a member changes.
    pub members: watch::Sender<Members>,
}

struct NodeAgent;

struct State {
    args: AgentArgs,
    membership: Membership,
    links: BTreeMap<String, (u64, Remote<AgentMsg>)>,
}

/// Starts the agent under `supervisor`. Other nodes find it from the next link on.
///
/// # Errors
/// When the actor can not be started.
pub async fn spawn(args: AgentArgs, supervisor: ActorCell) -> Result<ActorRef<AgentMsg>, SpawnErr> {
    let (agent, _) = Actor::spawn_linked(None, NodeAgent, args, supervisor).await?;
    ractor::pg::join(GROUP.to_owned(), vec![agent.get_cell()]);
    Ok(agent)
}

impl Actor for NodeAgent {
    type Msg = AgentMsg;
    type State = State;
    type Arguments = AgentArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<AgentMsg>,
        args: AgentArgs,
    ) -> Result<State, ActorProcessingErr> {
        // The timer ends with us.
        drop(ractor::time::send_interval(args.timing.beat, myself.get_cell(), || AgentMsg::Tick));
        let topic = args.topic.is_some();
        let (node, boot, timing) = (args.node.clone(), args.incarnation, args.timing);
        let mut membership = Membership::new(node, boot, timing, topic, Instant::now());
        membership.hold(true);
        args.members.send_replace(membership.members(Instant::now()));
        Ok(State { args, membership, links: BTreeMap::new() })
    }

    async fn handle(
        &self,
        _myself: ActorRef<AgentMsg>,
        message: AgentMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now = Instant::now();
        match message {
            AgentMsg::Beat(beat) => {
                metrics::counter!(names::BEATS, "sign" => "link").increment(1);
                state.membership.heard(&beat, now);
            }
            AgentMsg::Seen(beat) => {
                metrics::counter!(names::BEATS, "sign" => "topic").increment(1);
                state.membership.seen(&beat, now);
            }
            AgentMsg::Remember(beat) => state.membership.remember(&beat),
            AgentMsg::Drain => state.drain(),
            AgentMsg::Unreadable(reason) => {
                metrics::counter!(names::UNREADABLE).increment(1);
                tracing::warn!(reason, "a message of a peer can not be read and is left out");
            }
            AgentMsg::Linked { node, incarnation, agent } => {
                state.membership.linked(&node, incarnation, now);
                // The peer need not wait for the next tick to hear of us.
                let _ = agent.cast(AgentMsg::Beat(state.membership.beat()));
                state.links.insert(node, (incarnation, agent));
            }
            AgentMsg::Unlinked { node, incarnation } => {
                state.membership.unlinked(&node, incarnation);
                if state.links.get(&node).is_some_and(|(boot, _)| *boot == incarnation) {
                    state.links.remove(&node);
                }
            }
            AgentMsg::Serves => state.membership.hold(false),
            AgentMsg::Refused(node) => state.membership.refused(&node),
            AgentMsg::Leave(reply) => {
                state.membership.advance(Phase::Left);
                state.tell();
                // Whoever asked may have given up.
                drop(reply.send(()));
            }
            AgentMsg::Request(request, reply) => {
                let response = state.answer(&request, now);
                drop(reply.send(response));
            }
            AgentMsg::Tick => state.tell(),
        }
        state.look(now)
    }
}

impl State {
    fn drain(&mut self) {
        tracing::info!("asked to drain: this node gives its shards away");
        self.membership.advance(Phase::Draining);
        self.tell();
    }

    /// Sends a beat to everybody.
    fn tell(&mut self) {
        let beat = self.membership.beat();
        for (_, agent) in self.links.values() {
            // A link that has ended is reported by itself.
            let _ = agent.cast(AgentMsg::Beat(beat.clone()));
        }
        if let Some(topic) = &self.args.topic {
            topic.publish(beat);
        }
    }

    /// Publishes what has changed.
    fn look(&mut self, now: Instant) -> Result<(), ActorProcessingErr> {
        let phase = self.membership.phase();
        let changes = self.membership.tick(now);
        if self.membership.phase() != phase {
            // This node reads its shards from now on; whoever has them is to know at once.
            self.tell();
        }
        for change in changes {
            match change {
                Change::Member(view) => report(&view, "a member has changed"),
                Change::Reborn(view) => report(&view, "a member has started anew"),
                Change::Superseded { incarnation } => {
                    let (node, own) = (&self.args.node, self.args.incarnation);
                    return Err(format!(
                        "another node runs as {node} (boot {incarnation}, this one is {own}); \
                         this one ends, since the newest boot counts"
                    )
                    .into());
                }
            }
        }
        let members = self.membership.members(now);
        gauges(&self.membership.view(now));
        self.args.members.send_if_modified(|known| {
            let changed = *known != members;
            *known = members;
            changed
        });
        Ok(())
    }

    fn answer(&mut self, request: &Request, now: Instant) -> Response {
        let refusal = match request {
            Request::Status => None,
            Request::Drain(node) if *node == self.args.node => {
                self.drain();
                None
            }
            Request::Drain(node) => match self.links.get(node) {
                Some((_, agent)) => agent.cast(AgentMsg::Drain).err().map(|e| e.to_string()),
                None => Some(format!("there is no link to {node}; ask that node itself")),
            },
            Request::Backfill { .. } => Some("evidence is for the region of a node".to_owned()),
        };
        Response { refusal, node: self.args.node.clone(), members: self.status(now) }
    }

    fn status(&self, now: Instant) -> Vec<MemberStatus> {
        let placement = self.membership.members(now).placement(self.args.shards);
        let status = |view: MemberView| {
            let since = |at: Instant| now.saturating_duration_since(at).as_millis() as u64;
            let (heard, seen) = self.membership.signs(&view.node);
            MemberStatus {
                incarnation: view.incarnation,
                state: view.standing.name().to_owned(),
                suspect: view.suspect,
                linked: view.linked,
                heard_ms: heard.map(since),
                seen_ms: seen.map(since),
                shards: placement.shards_of(&view.node).count() as u16,
                node: view.node,
            }
        };
        self.membership.view(now).into_iter().map(status).collect()
    }
}

fn report(view: &MemberView, what: &str) {
    let MemberView { node, incarnation, standing, suspect, linked } = view;
    let state = standing.name();
    if *suspect || *standing == Standing::Down {
        tracing::warn!(node, incarnation, state, suspect, linked, "{what}");
    } else {
        tracing::info!(node, incarnation, state, suspect, linked, "{what}");
    }
}

fn gauges(view: &[MemberView]) {
    for standing in [Standing::Joining, Standing::Up, Standing::Draining, Standing::Down] {
        let count = view.iter().filter(|member| member.standing == standing).count();
        metrics::gauge!(names::MEMBERS, "state" => standing.name()).set(count as f64);
    }
    let suspects = view.iter().filter(|member| member.suspect).count();
    metrics::gauge!(names::SUSPECTS).set(suspects as f64);
    let unlinked = |member: &&MemberView| !member.linked && member.standing != Standing::Down;
    metrics::gauge!(names::UNLINKED).set(view.iter().filter(unlinked).count() as f64);
}

/// How long a node that leaves gives its last beat to travel.
pub const FAREWELL: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    fn through(message: AgentMsg) -> AgentMsg {
        AgentMsg::deserialize(message.serialize().unwrap()).unwrap()
    }

    fn cast(variant: &str, args: &[u8]) -> AgentMsg {
        let (variant, args) = (variant.to_owned(), args.to_vec());
        AgentMsg::deserialize(SerializedMessage::Cast { variant, args, metadata: None }).unwrap()
    }

    #[test]
    fn beats_and_drains_travel_and_nothing_else() {
        let beat = Beat { node: "b".into(), incarnation: 1, sequence: 2, phase: Phase::Up };
        assert!(
            matches!(through(AgentMsg::Beat(beat.clone())), AgentMsg::Beat(read) if read == beat)
        );
        assert!(matches!(through(AgentMsg::Drain), AgentMsg::Drain));
        assert!(AgentMsg::Seen(beat).serialize().is_err());
        assert!(AgentMsg::Tick.serialize().is_err());
    }

    #[test]
    fn what_can_not_be_read_is_a_message_of_its_own() {
        let long = "é".repeat(99);
        for (variant, args) in [("tick", &b""[..]), (BEAT, b"junk"), (long.as_str(), b"")] {
            assert!(matches!(cast(variant, args), AgentMsg::Unreadable(_)), "{variant}");
        }
    }
}
