//! One partition of the state log: append-only, compacted by key.

use std::collections::{BTreeMap, BTreeSet};

use naap_actors::ownership::{Opening, Record};

/// Number of an event: partition and offset.
pub type EventId = (u32, u64);
/// Number of a session.
pub type SessionId = u8;

/// What a shard claims.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    pub epoch: u64,
    pub cycle: u64,
    pub applied: BTreeMap<u32, u64>,
}

/// State of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub events: BTreeSet<EventId>,
    /// Epoch and cycle in which it was saved.
    pub saved: (u64, u64),
}

/// What a reader makes of the records of a session, in their order.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    pub authors: BTreeSet<Opening>,
    /// Highest epoch of an author; of a mark that of its author.
    highest: u64,
    pub state: Option<State>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Live(Snapshot),
    Over,
}

impl Merged {
    /// As `join_frames` of the state log.
    pub fn take(&mut self, author: &Opening, value: &Value) {
        let later = author.epoch >= self.highest;
        match (&mut self.state, value) {
            (_, Value::Tombstone) => {
                if self.authors.remove(author) && self.authors.is_empty() {
                    *self = Self::default();
                }
                return;
            }
            (Some(State::Live(known)), Value::State(state)) => known.merge(state),
            (Some(State::Over), Value::State(state)) if later => {
                self.state = Some(State::Live(state.clone()));
            }
            (None, Value::State(state)) => self.state = Some(State::Live(state.clone())),
            (None, Value::Mark) => self.state = Some(State::Over),
            (Some(_), Value::Mark) if later => self.state = Some(State::Over),
            _ => {}
        }
        self.authors.insert(author.clone());
        self.highest = self.highest.max(author.epoch);
    }
}

impl Snapshot {
    pub fn merge(&mut self, other: &Self) {
        self.events.extend(&other.events);
        self.saved = self.saved.max(other.saved);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Open(Opening),
    Close(Opening),
    Progress(Opening),
    Snapshot(Opening, SessionId),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Empty,
    Claim(Claim),
    State(Snapshot),
    /// The session is over.
    Mark,
    Tombstone,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub offset: u64,
    pub key: Key,
    pub value: Value,
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    pub entries: Vec<Entry>,
    pub end: u64,
}

impl Log {
    pub fn append(&mut self, key: Key, value: Value) {
        self.entries.push(Entry { offset: self.end, key, value });
        self.end += 1;
    }

    /// The first entry at or after `offset`.
    pub fn next(&self, offset: u64) -> Option<&Entry> {
        let at = self.entries.partition_point(|entry| entry.offset < offset);
        self.entries.get(at)
    }

    /// The newest record of each key stays where it is; removed keys go.
    pub fn compact(&mut self, blind: bool) {
        let same = |key: &Key| match key {
            Key::Snapshot(_, session) if blind => {
                Key::Snapshot(Opening { epoch: 0, node: "".into(), incarnation: 0 }, *session)
            }
            key => key.clone(),
        };
        let mut seen = BTreeSet::new();
        self.entries.reverse();
        self.entries
            .retain(|entry| seen.insert(same(&entry.key)) && entry.value != Value::Tombstone);
        self.entries.reverse();
    }

    /// What a reader would make of `session` if the log were compacted now.
    pub fn merged(&self, session: SessionId) -> Option<State> {
        let mut newest = BTreeMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            if matches!(entry.key, Key::Snapshot(_, of) if of == session) {
                newest.insert(&entry.key, place);
            }
        }
        let mut places: Vec<_> = newest.into_values().collect();
        places.sort_unstable();
        let mut merged = Merged::default();
        for entry in places.into_iter().map(|place| &self.entries[place]) {
            if let Key::Snapshot(author, _) = &entry.key {
                merged.take(author, &entry.value);
            }
        }
        merged.state
    }

    /// Whether `author` has the shard by all that was appended.
    pub fn is_held_by(&self, author: &Opening) -> bool {
        let opens = self.entries.iter().filter_map(|entry| match &entry.key {
            Key::Open(opening) => Some(opening),
            _ => None,
        });
        let highest = opens.clone().map(|opening| opening.epoch).max();
        opens.clone().find(|opening| Some(opening.epoch) == highest) == Some(author)
    }
}

/// The entry as the protocol of ownership sees it.
pub fn record(entry: &Entry) -> Option<Record<Claim>> {
    match (&entry.key, &entry.value) {
        (_, Value::Tombstone) | (Key::Snapshot(..), _) => None,
        (Key::Open(opening), _) => Some(Record::Open(opening.clone())),
        (Key::Close(opening), _) => Some(Record::Close(opening.clone())),
        (Key::Progress(opening), Value::Claim(claim)) => {
            Some(Record::Progress(opening.clone(), claim.clone()))
        }
        (Key::Progress(_), _) => None,
    }
}
