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

    /// The state of `session` by all that a reader would find.
    pub fn merged(&self, session: SessionId) -> Snapshot {
        let mut by_author: BTreeMap<&Opening, Option<&Snapshot>> = BTreeMap::new();
        for entry in &self.entries {
            if let Key::Snapshot(author, of) = &entry.key
                && *of == session
            {
                let state = match &entry.value {
                    Value::State(state) => Some(state),
                    _ => None,
                };
                by_author.insert(author, state);
            }
        }
        let mut merged = Snapshot::default();
        by_author.values().flatten().for_each(|state| merged.merge(state));
        merged
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
