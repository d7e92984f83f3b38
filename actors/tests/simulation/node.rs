//! One node: the reader ([`Flow`]), the owners of shards, and the shards.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use naap_actors::ingest::Flow;
use naap_actors::ownership::{Leftovers, Opening, Owner, Whereabouts};
use naap_actors::peers::Members;
use naap_protocol::peer::Note;
use naap_protocol::wire::Envelope;

use crate::log::{Claim, EventId, Key, Merged, SessionId, Snapshot, Value};
use crate::world::{SHARDS, WINDOW};

/// How long a shard stays for a node that has not read its log.
const PATIENCE: u64 = 5_000;

/// What travels.
#[derive(Clone, Debug)]
pub enum Message {
    Envelope(Envelope),
    Note(Note),
}

/// What an earlier opening may have left in the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    Claim,
    Session(SessionId),
}

/// A session in an open shard.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub state: Snapshot,
    /// Its rows were written in this opening.
    pub entered: bool,
}

/// An open shard.
#[derive(Clone, Debug)]
pub struct Open {
    pub opening: Opening,
    pub applied: BTreeMap<u32, u64>,
    pub sessions: BTreeMap<SessionId, Session>,
    pub dirty: BTreeSet<SessionId>,
    /// Sessions that are over, and what they were: until their mark is durable they may be woken.
    pub over: BTreeMap<SessionId, Option<Session>>,
    /// Events of these: their typed rows are due.
    pub late: BTreeSet<EventId>,
    pub cycle: u64,
    pub sequence: u64,
    /// To be handed off, since before this cycle of the node.
    pub draining: Option<u64>,
    /// Takes no more input.
    pub closed: bool,
    pub claimed: u64,
}

pub struct Slot {
    pub owner: Owner<Claim>,
    pub position: Option<u64>,
    pub end: Option<u64>,
    pub restored: BTreeMap<SessionId, Merged>,
    pub leftovers: Leftovers<Thing>,
    pub waiting: bool,
    pub open: Option<Open>,
    pub heard_of: Whereabouts,
    /// It is open and should be elsewhere, since then.
    pub kept_since: Option<u64>,
    /// Appends under way.
    pub sent: VecDeque<(Key, Value)>,
}

/// A row under way.
#[derive(Clone, Debug)]
pub struct Row {
    pub session: SessionId,
    pub version: (u64, u64),
    pub events: BTreeSet<EventId>,
    /// Typed rows of events whose session is over.
    pub typed: bool,
}

/// A commit cycle.
#[derive(Debug)]
pub struct Cycle {
    pub number: u64,
    pub stage: u8,
    pub rows: Vec<Row>,
    pub claims: Vec<(u16, Opening, Claim)>,
}

pub struct Node {
    pub name: Arc<str>,
    pub incarnation: u64,
    pub up: bool,
    pub paused: bool,
    pub view: Members,
    pub flow: Flow,
    /// Partitions that it reads: generation and next offset.
    pub reading: BTreeMap<u32, (u64, u64)>,
    pub rereads: VecDeque<(u32, u64)>,
    pub slots: Vec<Slot>,
    pub cycle: Option<Cycle>,
    pub cycles: u64,
    /// From the ingest to the region and back.
    pub local: VecDeque<Message>,
    pub rows: VecDeque<Row>,
}

impl Node {
    pub fn boot(number: usize, incarnation: u64) -> Self {
        let name: Arc<str> = format!("n{number}").into();
        let slot = |_| Slot {
            owner: Owner::new(Arc::clone(&name), incarnation, 0),
            position: None,
            end: None,
            restored: BTreeMap::new(),
            leftovers: Leftovers::default(),
            waiting: false,
            open: None,
            heard_of: Whereabouts::default(),
            kept_since: None,
            sent: VecDeque::new(),
        };
        Self {
            slots: (0..SHARDS).map(slot).collect(),
            name,
            incarnation,
            up: true,
            paused: false,
            view: Members::default(),
            flow: Flow::new(SHARDS, WINDOW, usize::MAX / 2),
            reading: BTreeMap::new(),
            rereads: VecDeque::new(),
            cycle: None,
            cycles: 0,
            local: VecDeque::new(),
            rows: VecDeque::new(),
        }
    }

    pub fn runs(&self) -> bool {
        self.up && !self.paused
    }

    /// The shard if it takes input here.
    pub fn taking(&mut self, shard: u16) -> Option<&mut Open> {
        self.slots[usize::from(shard)].open.as_mut().filter(|open| !open.closed)
    }

    /// The other node that has the shard, or else should have it, as this one sees it.
    pub fn elsewhere(&self, shard: u16) -> Option<String> {
        let placement = self.view.placement(SHARDS);
        let due = placement.other_owner(shard, &self.name);
        self.slots[usize::from(shard)].heard_of.place(&self.view, due).map(str::to_owned)
    }

    /// The shard is open here, should be elsewhere, and stays until who is to have it has read its log, or for
    /// a while.
    pub fn keeps(&mut self, shard: u16, now: u64) -> bool {
        let placement = self.view.placement(SHARDS);
        let slot = &mut self.slots[usize::from(shard)];
        let heir = placement.other_owner(shard, &self.name);
        let (Some(open), Some(heir)) = (&slot.open, heir) else { return false };
        let since = *slot.kept_since.get_or_insert(now);
        let read = slot.heard_of.is_read_by(open.opening.epoch, heir);
        open.draining.is_none() && !read && now - since < PATIENCE
    }

    pub fn wants(&self, shard: u16) -> bool {
        self.view.placement(SHARDS).owner(shard) == Some(&*self.name)
    }

    /// The shard is about to be this node's.
    pub fn is_next(&self, shard: u16) -> bool {
        self.view.placement_ahead(SHARDS).owner(shard) == Some(&*self.name)
    }
}
