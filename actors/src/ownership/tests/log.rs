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
    /// The session is over.
    Mark,
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
        let mut merged = Merged::default();
        for (n, entry) in self.entries.iter().enumerate() {
            match &entry.key {
                Key::Snapshot(author, of) if *of == entity && lasts(n, &entry.key) => {
                    merged.take(author, entry.value);
                }
                _ => {}
            }
        }
        merged.state
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

/// Stands in a set of events for the mark of a session that is over.
pub const MARK: u8 = 1 << 7;

/// What a reader makes of the records of a session, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Merged {
    /// Events, or [`MARK`].
    pub state: u8,
    /// Highest epoch of an author; if the state is the mark, that of its author.
    highest: u64,
}

impl Merged {
    /// As `join_frames` of the state log.
    pub fn take(&mut self, author: &Opening, value: Value) {
        let later = author.epoch >= self.highest;
        self.state = match value {
            Value::Events(events) if self.state != MARK => self.state | events,
            Value::Events(events) if later => events,
            Value::Mark if later => MARK,
            _ => self.state,
        };
        if matches!(value, Value::Events(_) | Value::Mark) {
            self.highest = self.highest.max(author.epoch);
        }
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
