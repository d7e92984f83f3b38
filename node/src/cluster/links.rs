//! The links of this node: at most one per peer, its newest boot's newest connection.
//!
//! The actor runtime gets a connection only after the handshake and only when no other session with
//! the same peer lives: it would keep the one with the smaller random number, dead or alive.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use naap_actors::agent::{self, AgentMsg};
use naap_actors::exchange::{self, Breaker, ExchangeMsg};
use naap_actors::peers::Peers;
use naap_actors::remote::Remote;
use naap_protocol::cluster::Hello;
use ractor::{
    Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent,
};
use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::{
    IncomingEncryptionMode, NodeEventSubscription, NodeServer, NodeServerMessage,
    NodeSessionMessage, RactorMessage,
};
use tokio::sync::{oneshot, watch};

use super::handshake;
use super::names;
use super::socket::{Closer, LinkStream, Wire};
use super::tls;

/// Largest frame that is taken from a peer: the longest batch with its head. It is the same on every node,
/// whatever its configuration.
pub(super) const FRAME_BYTES: u64 = (exchange::MAX_BATCH + (64 << 10)) as u64;
/// How often links that do not come up are looked for.
const LOOK: Duration = Duration::from_millis(500);

/// A connection whose handshake both sides have agreed to.
#[derive(Debug)]
pub(super) struct Shaken {
    pub peer: Hello,
    pub wire: Wire,
    pub closer: Closer,
    /// The peer has dialled.
    pub dialled_by_peer: bool,
    /// Dropped when the link has ended.
    pub ended: oneshot::Sender<()>,
}

/// What the runtime says of a session.
#[derive(Debug)]
pub(super) enum Said {
    /// It exists.
    Opened,
    /// Both sides know each other's remotable actors.
    Ready,
    /// It is over.
    Ended,
}

/// Messages of the links.
#[derive(Debug, RactorMessage)]
pub(super) enum LinkMsg {
    /// A new connection.
    Shaken(Box<Shaken>),
    /// News of a session.
    Session(Said, Box<NodeServerSessionInformation>),
    /// Nothing listens where a peer should.
    Refused(String),
    /// Time to look for links that do not come up.
    Tick,
    /// Close every link.
    Close(RpcReplyPort<()>),
}

/// What the links need.
pub(super) struct LinkArgs {
    pub hello: Hello,
    pub agent: agent::AgentArgs,
    /// Told the actors that other parts talk to.
    pub started: oneshot::Sender<Parts>,
    /// Told why the links ended by themselves.
    pub failed: watch::Sender<Option<String>>,
}

/// The actors that other nodes reach.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub agent: ActorRef<AgentMsg>,
    pub exchange: ActorRef<ExchangeMsg>,
    pub peers: Arc<dyn Peers>,
}

pub(super) struct Links;

pub(super) struct State {
    server: ActorRef<NodeServerMessage>,
    parts: Parts,
    links: BTreeMap<String, Link>,
    /// Connections that wait for the end of the link before them.
    waiting: BTreeMap<String, Shaken>,
    opened: u64,
    failed: watch::Sender<Option<String>>,
}

struct Link {
    label: String,
    peer: Hello,
    closer: Arc<Closer>,
    since: Instant,
    ready: bool,
    session: Option<ActorRef<NodeSessionMessage>>,
    _ended: oneshot::Sender<()>,
}

/// Hands news of sessions to the links.
struct News(ActorRef<LinkMsg>);

impl News {
    fn tell(&self, said: Said, session: NodeServerSessionInformation) {
        // Links that are going down need no news.
        drop(self.0.cast(LinkMsg::Session(said, Box::new(session))));
    }
}

impl NodeEventSubscription for News {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        self.tell(Said::Opened, session);
    }

    fn node_session_authenticated(&self, _session: NodeServerSessionInformation) {}

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        self.tell(Said::Ready, session);
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        self.tell(Said::Ended, session);
    }
}

impl Actor for Links {
    type Msg = LinkMsg;
    type State = State;
    type Arguments = LinkArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<LinkMsg>,
        args: LinkArgs,
    ) -> Result<State, ActorProcessingErr> {
        let LinkArgs { hello, agent, started, failed } = args;
        let cell = myself.get_cell();
        // Remotable actors come before the first link: a session is ready only when it knows them.
        let agent = agent::spawn(agent, cell.clone()).await?;
        let (exchange, peers) = exchange::spawn(hello.node.clone(), cell.clone()).await?;
        let parts = Parts { agent, exchange, peers };
        let server = node_server(&hello)?;
        let (server, _) = Actor::spawn_linked(None, server, (), cell.clone()).await?;
        let subscription = Box::new(News(myself.clone()));
        let id = "links".to_owned();
        server.cast(NodeServerMessage::SubscribeToEvents { id, subscription })?;
        // The timer ends with us.
        drop(ractor::time::send_interval(LOOK, cell, || LinkMsg::Tick));
        // Whoever asked for the start has gone: everything stops with its last reference.
        drop(started.send(parts.clone()));
        let (links, waiting) = (BTreeMap::new(), BTreeMap::new());
        Ok(State { server, parts, links, waiting, opened: 0, failed })
    }

    async fn handle(
        &self,
        _myself: ActorRef<LinkMsg>,
        message: LinkMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LinkMsg::Shaken(shaken) => state.shaken(*shaken)?,
            LinkMsg::Session(said, session) => state.session(&said, &session)?,
            LinkMsg::Refused(node) => state.parts.agent.cast(AgentMsg::Refused(node))?,
            LinkMsg::Tick => state.look(),
            LinkMsg::Close(reply) => {
                state.waiting.clear();
                state.links.values().for_each(|link| link.close("stop"));
                // Whoever asked may have given up.
                drop(reply.send(()));
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<LinkMsg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let reason = match event {
            SupervisionEvent::ActorFailed(_, error) => error.to_string(),
            SupervisionEvent::ActorTerminated(..) => "a part of the links stopped".to_owned(),
            _ => return Ok(()),
        };
        tracing::error!(reason, "the links of this node failed");
        state.failed.send_replace(Some(reason));
        myself.stop(None);
        Ok(())
    }
}

/// The runtime's end of all sessions. It insists on a port of its own, where nobody gets in.
fn node_server(hello: &Hello) -> Result<NodeServer, ActorProcessingErr> {
    let door = IncomingEncryptionMode::Tls(tls::nobody()?);
    let (cluster, node) = (hello.cluster.clone(), hello.node.clone());
    let isolated = Some(NodeConnectionMode::Isolated);
    let server = NodeServer::new(0, cluster, boot_name(hello), node, Some(door), isolated);
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Ok(server.with_listen_addr(local).with_max_inbound_frame_size(FRAME_BYTES))
}

/// The name of one boot of a node. A new boot is a new node to the runtime: under the same name it
/// would wait for the end of the session with the old one.
fn boot_name(hello: &Hello) -> String {
    format!("{}.{}", hello.node, hello.incarnation)
}

impl State {
    /// Opens the connection, after the end of the link that it replaces.
    fn shaken(&mut self, shaken: Shaken) -> Result<(), ActorProcessingErr> {
        let node = shaken.peer.node.clone();
        let Some(link) = self.links.get(&node) else { return self.open(shaken) };
        if link.peer.incarnation > shaken.peer.incarnation {
            return Ok(());
        }
        let earlier = link.peer.incarnation < shaken.peer.incarnation;
        link.close(if earlier { "new_boot" } else { "new_connection" });
        self.waiting.insert(node, shaken);
        Ok(())
    }

    fn open(&mut self, shaken: Shaken) -> Result<(), ActorProcessingErr> {
        let Shaken { peer, wire, closer, dialled_by_peer, ended } = shaken;
        self.opened += 1;
        let label = format!("{}#{}", boot_name(&peer), self.opened);
        let stream = Box::new(LinkStream { label: label.clone(), wire });
        let is_server = dialled_by_peer;
        self.server.cast(NodeServerMessage::ConnectionOpenedExternal { stream, is_server })?;
        let (node, since) = (peer.node.clone(), Instant::now());
        let closer = Arc::new(closer);
        let link = Link { label, peer, closer, since, ready: false, session: None, _ended: ended };
        self.links.insert(node, link);
        Ok(())
    }

    fn session(
        &mut self,
        said: &Said,
        session: &NodeServerSessionInformation,
    ) -> Result<(), ActorProcessingErr> {
        let label = &session.peer_addr;
        let Some((node, link)) = self.links.iter_mut().find(|(_, link)| link.label == *label)
        else {
            return Ok(());
        };
        match said {
            Said::Opened => link.session = Some(session.actor.clone()),
            Said::Ready => link.up(session, &self.parts)?,
            Said::Ended => {
                let node = node.clone();
                let Some(link) = self.links.remove(&node) else { return Ok(()) };
                let incarnation = link.peer.incarnation;
                tracing::info!(node, incarnation, "a link has ended");
                metrics::counter!(names::LINK_CLOSED, "reason" => "ended").increment(1);
                self.parts.agent.cast(AgentMsg::Unlinked { node: node.clone(), incarnation })?;
                let peer = node.as_str().into();
                self.parts.exchange.cast(ExchangeMsg::Unlinked { node: peer, incarnation })?;
                if let Some(next) = self.waiting.remove(&node) {
                    self.open(next)?;
                }
            }
        }
        Ok(())
    }

    /// Closes links that the runtime does not bring up, and forgets those that it knows nothing of.
    fn look(&mut self) {
        self.links.retain(|node, link| {
            let is_late = !link.ready && link.since.elapsed() >= handshake::DEADLINE;
            if is_late {
                tracing::warn!(node, "a link did not come up and is closed");
                link.close("late");
            }
            !is_late || link.session.is_some()
        });
    }
}

impl Link {
    /// The session is ready: the actors of this node get to know those of the peer.
    fn up(
        &mut self,
        session: &NodeServerSessionInformation,
        parts: &Parts,
    ) -> Result<(), ActorProcessingErr> {
        let (node, incarnation) = (self.peer.node.clone(), self.peer.incarnation);
        let expected = format!("{}@{node}", boot_name(&self.peer));
        let named = session.peer_name.as_ref().is_some_and(|name| name.name == expected);
        let agent = remote(agent::GROUP, session.node_id);
        let exchange = remote(exchange::GROUP, session.node_id);
        let (Some(agent), Some(exchange), true) = (agent, exchange, named) else {
            tracing::warn!(
                node,
                "the peer lacks an actor, or has another name; the link is closed"
            );
            self.close("incomplete");
            return Ok(());
        };
        self.ready = true;
        metrics::counter!(names::LINK_OPENED).increment(1);
        tracing::info!(node, incarnation, "a link is open");
        let closer = self.closer.clone();
        let linked = ExchangeMsg::Linked {
            node: node.as_str().into(),
            incarnation,
            exchange: Remote::new(exchange),
            breaker: Breaker::new(move || closer.close()),
        };
        parts.exchange.cast(linked)?;
        let agent = Remote::new(agent);
        Ok(parts.agent.cast(AgentMsg::Linked { node, incarnation, agent })?)
    }

    /// Ends the session and, since that leaves its writer alone with the socket, the connection.
    fn close(&self, reason: &'static str) {
        metrics::counter!(names::LINK_CLOSED, "reason" => reason).increment(1);
        self.closer.close();
        if let Some(session) = &self.session {
            session.stop(Some(reason.to_owned()));
        }
    }
}

/// The member of a process group that lives on the node with this number.
fn remote(group: &str, number: u64) -> Option<ActorCell> {
    let there = |cell: &ActorCell| matches!(cell.get_id(), ActorId::Remote { node_id, .. } if node_id == number);
    ractor::pg::get_members(&group.to_owned()).into_iter().find(there)
}
