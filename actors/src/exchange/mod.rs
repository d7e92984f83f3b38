//! The exchange of a node: messages of shards and readers on their way to other nodes, and from them.
//!
//! Messages for one peer wait in its outlet and travel in batches over the link. The receiving
//! exchange hands them over and acknowledges the batch, which lets the next ones go. Nothing of this
//! outlives a link: what a link had under way when it ended is lost, and the protocol of
//! [`naap_protocol::peer`] makes up for it.
//!
//! Two bounds: a link has at most [`WINDOW`] bytes under way, and its outlet at most [`BUDGET`] bytes
//! in all. More than that means that the peer takes nothing for seconds, while each reader keeps
//! within its windows; then the link is closed, so that the loss is one of a link. A batch has at most
//! [`MAX_BATCH`] bytes: its last message may be as long as a message can be.

mod outlet;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use naap_protocol::cluster::{BatchAck, BatchHead};
use naap_protocol::codec::{self, CodecError, Framed, TraceContext};
use naap_protocol::peer::Notes;
use naap_protocol::wire::{Envelope, EnvelopeHead};
use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, Message, SpawnErr};
use serde::Serialize;

use crate::names;
use crate::peers::{PeerMsg, Peers};
use crate::remote::Remote;

use outlet::Outlet;
pub use outlet::{BATCH as MAX_BATCH, BUDGET, WINDOW};

/// The process group of the exchanges of all linked nodes.
pub const GROUP: &str = "naap.exchanges";

/// Where messages of other nodes go.
pub trait Inbox: fmt::Debug + Send + Sync + 'static {
    /// There is a new link to `node`: what was sent before may be lost.
    fn linked(&self, node: &Arc<str>);

    /// `node` says something. Never waits.
    fn take(&self, node: &Arc<str>, message: PeerMsg);
}

/// Ends a link from outside.
#[derive(Clone)]
pub struct Breaker(Arc<dyn Fn() + Send + Sync>);

impl Breaker {
    /// A breaker that does `cut`.
    pub fn new(cut: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(cut))
    }

    /// Ends the link.
    pub fn cut(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Breaker")
    }
}

/// Messages of the exchange. Only batches and their acknowledgements travel.
#[derive(Debug)]
pub enum ExchangeMsg {
    /// Messages of a peer: a head, and what it stands for.
    Batch {
        /// Frame of a [`BatchHead`].
        head: Vec<u8>,
        /// The messages.
        body: Vec<u8>,
    },
    /// A peer knows this node from now on and takes its batches: the head of none.
    Open(BatchHead),
    /// What became of a batch.
    Ack(BatchAck),
    /// A peer sent what this build can not read.
    Unreadable(String),
    /// A link is open.
    Linked {
        /// The peer.
        node: Arc<str>,
        /// Its boot.
        incarnation: u64,
        /// Its exchange.
        exchange: Remote<ExchangeMsg>,
        /// Ends the link.
        breaker: Breaker,
    },
    /// A link has ended.
    Unlinked {
        /// The peer.
        node: Arc<str>,
        /// Its boot.
        incarnation: u64,
    },
    /// From now on messages of peers go here; until then they are dropped.
    Attach(Arc<dyn Inbox>),
}

const BATCH: &str = "batch";
const ACK: &str = "ack";
const OPEN: &str = "open";

impl Message for ExchangeMsg {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let (variant, args, metadata) = match self {
            Self::Batch { head, body } => (BATCH, body, Some(head)),
            Self::Ack(ack) => (ACK, frame(&ack)?, None),
            Self::Open(head) => (OPEN, frame(&head)?, None),
            _ => return Err(BoxedDowncastErr),
        };
        Ok(SerializedMessage::Cast { variant: variant.to_owned(), args, metadata })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        let SerializedMessage::Cast { variant, args, metadata } = message else {
            return Ok(Self::Unreadable("a call, which exchanges do not answer".to_owned()));
        };
        Ok(match (variant.as_str(), metadata) {
            (BATCH, Some(head)) => Self::Batch { head, body: args },
            (ACK, _) => codec::decode(&args)
                .map_or_else(|e: CodecError| Self::Unreadable(e.to_string()), Self::Ack),
            (OPEN, _) => codec::decode(&args)
                .map_or_else(|e: CodecError| Self::Unreadable(e.to_string()), Self::Open),
            (other, _) => {
                Self::Unreadable(format!("unknown kind {:?}", other.get(..40).unwrap_or(other)))
            }
        })
    }
}

fn frame<T: Framed + Serialize>(value: &T) -> Result<Vec<u8>, BoxedDowncastErr> {
    codec::encode(value, TraceContext::default()).map_err(|_| BoxedDowncastErr)
}

/// The links by peer, for everybody who sends.
type Outlets = Arc<RwLock<BTreeMap<Arc<str>, Outlet>>>;

/// The way to all linked nodes.
#[derive(Debug)]
struct Ways(Outlets);

impl Peers for Ways {
    fn send(&self, to: &str, message: PeerMsg) {
        // A map is whole also after a panic elsewhere.
        let outlets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match outlets.get(to) {
            Some(outlet) => outlet.push(message),
            None => dropped("no_link"),
        }
    }

    fn refuse(&self, from: &str, reason: &str) {
        refused(from, reason);
        let outlets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(outlet) = outlets.get(from) {
            outlet.refuse(reason);
        }
    }
}

fn refused(node: &str, reason: &str) {
    metrics::counter!(names::PEER_REFUSED).increment(1);
    tracing::error!(node, reason, "a batch of a peer is refused");
}

fn dropped(reason: &'static str) {
    metrics::counter!(names::PEER_DROPPED, "reason" => reason).increment(1);
}

struct Exchange;

struct State {
    node: String,
    outlets: Outlets,
    links: BTreeMap<Arc<str>, Link>,
    /// Peers that know this node. Batches that came before they do would be lost while the link lives.
    ready: BTreeSet<Arc<str>>,
    inbox: Option<Arc<dyn Inbox>>,
    opened: u64,
}

struct Link {
    incarnation: u64,
    exchange: Remote<ExchangeMsg>,
    breaker: Breaker,
}

/// Starts the exchange of node `node` under `supervisor` and returns it with the way to the others.
/// Other nodes find it from the next link on.
///
/// # Errors
/// When the actor can not be started.
pub async fn spawn(
    node: String,
    supervisor: ActorCell,
) -> Result<(ActorRef<ExchangeMsg>, Arc<dyn Peers>), SpawnErr> {
    let outlets = Outlets::default();
    let args = (node, outlets.clone());
    let (exchange, _) = Actor::spawn_linked(None, Exchange, args, supervisor).await?;
    ractor::pg::join(GROUP.to_owned(), vec![exchange.get_cell()]);
    Ok((exchange, Arc::new(Ways(outlets))))
}

impl Actor for Exchange {
    type Msg = ExchangeMsg;
    type State = State;
    type Arguments = (String, Outlets);

    async fn pre_start(
        &self,
        _myself: ActorRef<ExchangeMsg>,
        (node, outlets): (String, Outlets),
    ) -> Result<State, ActorProcessingErr> {
        let (links, ready) = (BTreeMap::new(), BTreeSet::new());
        Ok(State { node, outlets, links, ready, inbox: None, opened: 0 })
    }

    async fn handle(
        &self,
        _myself: ActorRef<ExchangeMsg>,
        message: ExchangeMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ExchangeMsg::Batch { head, body } => state.batch(&head, &body),
            ExchangeMsg::Ack(ack) => state.ack(&ack),
            ExchangeMsg::Unreadable(reason) => unreadable(&reason),
            ExchangeMsg::Linked { node, incarnation, exchange, breaker } => {
                let head = BatchHead { node: state.node.clone(), link: 0, number: 0, count: 0 };
                // A link that has ended is reported by itself.
                let _ = exchange.cast(ExchangeMsg::Open(head));
                state.links.insert(node.clone(), Link { incarnation, exchange, breaker });
                state.open(&node);
            }
            ExchangeMsg::Open(head) => {
                let node = Arc::from(head.node);
                state.ready.insert(Arc::clone(&node));
                state.open(&node);
            }
            ExchangeMsg::Unlinked { node, incarnation } => {
                if state.links.get(&node).is_some_and(|link| link.incarnation == incarnation) {
                    state.links.remove(&node);
                    state.ready.remove(&node);
                    state.outlets_mut(|outlets| drop(outlets.remove(&node)));
                }
            }
            ExchangeMsg::Attach(inbox) => {
                let open = state.links.keys().filter(|node| state.ready.contains(*node));
                open.for_each(|node| inbox.linked(node));
                state.inbox = Some(inbox);
            }
        }
        Ok(())
    }
}

impl State {
    fn outlets_mut(&self, change: impl FnOnce(&mut BTreeMap<Arc<str>, Outlet>)) {
        change(&mut self.outlets.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Opens the outlet when both sides know each other.
    fn open(&mut self, node: &Arc<str>) {
        let Some(link) = self.links.get(node).filter(|_| self.ready.contains(node)) else { return };
        self.opened += 1;
        let (exchange, breaker) = (link.exchange.clone(), link.breaker.clone());
        let outlet = Outlet::open((&self.node, self.opened), node, exchange, breaker);
        self.outlets_mut(|outlets| drop(outlets.insert(Arc::clone(node), outlet)));
        if let Some(inbox) = &self.inbox {
            inbox.linked(node);
        }
    }

    /// Hands the messages over, then acknowledges them.
    fn batch(&self, head: &[u8], body: &[u8]) {
        let head: BatchHead = match codec::decode(head) {
            Ok(head) => head,
            Err(error) => return unreadable(&error.to_string()),
        };
        let BatchHead { node, link, number, count } = head;
        // A batch of a link that is just ending, or of one that is not known here yet.
        let Some((from, peer)) = self.links.get_key_value(node.as_str()) else {
            return dropped("no_link");
        };
        metrics::counter!(names::PEER_BATCHES, "way" => "in").increment(1);
        let refusal = self.hand_over(from, body, count).err();
        if let Some(reason) = &refusal {
            refused(&node, reason);
        }
        let ack = BatchAck { node: self.node.clone(), link, number, refusal };
        // A link that has ended is reported by itself.
        let _ = peer.exchange.cast(ExchangeMsg::Ack(ack));
    }

    /// Items of envelopes are decoded by their shard, once; it refuses what it can not read later.
    ///
    /// # Errors
    /// What can not be read, as a sentence. Messages before it were handed over.
    fn hand_over(&self, from: &Arc<str>, mut body: &[u8], count: u32) -> Result<(), String> {
        for _ in 0..count {
            let (frame, rest) = codec::split_first(body).ok_or("the batch is cut short")?;
            body = rest;
            let message = if codec::is::<EnvelopeHead>(frame) {
                Envelope::from_frame(frame).map(PeerMsg::Envelope)
            } else {
                codec::decode::<Notes>(frame).map(PeerMsg::Notes)
            };
            let message = message.map_err(|e| e.to_string())?;
            match &self.inbox {
                Some(inbox) => inbox.take(from, message),
                None => dropped("not_attached"),
            }
        }
        if body.is_empty() {
            Ok(())
        } else {
            Err("the batch is followed by stray bytes".to_owned())
        }
    }

    fn ack(&self, ack: &BatchAck) {
        let Some(link) = self.links.get(ack.node.as_str()) else { return };
        let outlets = self.outlets.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(outlet) = outlets.get(ack.node.as_str()) {
            outlet.acked(ack.link, ack.number);
        }
        if let Some(reason) = &ack.refusal {
            tracing::error!(node = ack.node, reason, "a peer refuses a batch; the link is closed");
            link.breaker.cut();
        }
    }
}

fn unreadable(reason: &str) {
    metrics::counter!(names::UNREADABLE).increment(1);
    tracing::warn!(reason, "a message of a peer can not be read and is left out");
}

#[cfg(test)]
mod tests;
