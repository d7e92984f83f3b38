//! A model of one partition of the state log: append-only, compacted by key.

use crate::ownership::{Opening, Record};

/// What a record is of, with the opening of its author.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Open(Opening),
    Close(Opening),
    Progress(Opening),
    Snapshot(Opening, u8),
}

/// The claim of a `Progress`: the first offset that is not applied. `valid` is the verdict of the
/// model, which the protocol never looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    pub applied: u8,
    pub valid: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Of a record without content.
    Empty,
    Claim(Claim),
    /// The set of events that a session has accepted.
    Events(u8),
    Tombstone,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub offset: u8,
    pub key: Key,
    pub value: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    pub entries: Vec<Entry>,
    pub end: u8,
    /// Every `Open` ever appended, in order: what compaction can not take from the judge.
    opens: Vec<Opening>,
}

impl Log {
    /// Appends, and judges a claim by all that was ever appended before it: it is void if another
    /// `Open` of a higher epoch stands before it, or one of the same epoch before its author's own.
    pub fn append(&mut self, key: Key, mut value: Value) {
        if let (Key::Progress(author), Value::Claim(claim)) = (&key, &mut value) {
            let own = self.opens.iter().position(|open| open == author);
            let higher = self.opens.iter().any(|open| open.epoch > author.epoch);
            let first = self.opens.iter().position(|open| open.epoch == author.epoch);
            claim.valid = own.is_some() && own == first && !higher;
        }
        if let Key::Open(opening) = &key {
            self.opens.push(opening.clone());
        }
        self.entries.push(Entry { offset: self.end, key, value });
        self.end += 1;
    }

    /// The first entry at or after `offset`.
    pub fn next(&self, offset: u8) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.offset >= offset)
    }

    /// The newest record of each key stays where it is; removed keys go. `same` says which keys are
    /// one.
    pub fn compact(&mut self, same: fn(&Key, &Key) -> bool) {
        let newest = |n: usize, entry: &Entry, all: &[Entry]| {
            entry.value != Value::Tombstone
                && !all[n + 1..].iter().any(|later| same(&later.key, &entry.key))
        };
        let all = std::mem::take(&mut self.entries);
        let kept = all.iter().enumerate().filter(|(n, entry)| newest(*n, entry, &all));
        self.entries = kept.map(|(_, entry)| entry.clone()).collect();
    }

    /// The state of `entity` by all that the log holds, compacted or not.
    pub fn merged(&self, entity: u8, same: fn(&Key, &Key) -> bool) -> u8 {
        let lasts = |n: usize, key: &Key| !self.entries[n + 1..].iter().any(|e| same(&e.key, key));
        let events = |(n, entry): (usize, &Entry)| match (&entry.key, entry.value) {
            (Key::Snapshot(_, of), Value::Events(events))
                if *of == entity && lasts(n, &entry.key) =>
            {
                events
            }
            _ => 0,
        };
        self.entries.iter().enumerate().map(events).fold(0, |all, events| all | events)
    }

    /// The newest claim of the log that the judge lets count.
    pub fn claimed(&self) -> u8 {
        let valid = |entry: &Entry| match entry.value {
            Value::Claim(claim) if claim.valid => Some(claim.applied),
            _ => None,
        };
        self.entries.iter().rev().find_map(valid).unwrap_or(0)
    }
}

/// The entry as the protocol sees it; `None` for what it does not look at.
pub fn record(entry: &Entry) -> Option<Record<Claim>> {
    match (&entry.key, entry.value) {
        (_, Value::Tombstone) | (Key::Snapshot(..), _) => None,
        (Key::Open(opening), _) => Some(Record::Open(opening.clone())),
        (Key::Close(opening), _) => Some(Record::Close(opening.clone())),
        (Key::Progress(opening), Value::Claim(claim)) => {
            Some(Record::Progress(opening.clone(), claim))
        }
        (Key::Progress(_), _) => None,
    }
}
