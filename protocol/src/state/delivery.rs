//! Which deliveries of an event an entity has seen (decisions.md, identity and duplicates).
//!
//! All deliveries of a uid are kept, in ascending order of content and coordinates. The first one
//! counts: its content is folded and its typed rows are written. A further one is a duplicate if it
//! has that content and a conflict if it has not. So everything that is written about a uid is a
//! function of the set, and can be written again at any time.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::{Elements, SourcePartition, Uid};
use crate::event::{Body, Event};
use crate::time::Timestamp;

/// Deliveries of one uid that are kept beside the one that counts; of more the smallest. A gateway
/// that stamps one id on everything must not fill the memory.
const KEPT: usize = 1000;

/// Where a record stands in its source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Coordinates<'a> {
    /// Source topic.
    pub topic: Cow<'a, str>,
    /// Partition of the topic.
    pub partition: u32,
    /// Offset in the partition.
    pub offset: u64,
}

/// The family of an event, which says what tables its typed rows are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// [`Body::Status`].
    #[serde(rename = "s")]
    Status,
    /// [`Body::Trace`].
    #[serde(rename = "t")]
    Trace,
    /// [`Body::Ai`].
    #[serde(rename = "a")]
    Ai,
    /// [`Body::Ingest`].
    #[serde(rename = "i")]
    Ingest,
    /// [`Body::Capabilities`].
    #[serde(rename = "c")]
    Capabilities,
    /// [`Body::Discovery`].
    #[serde(rename = "d")]
    Discovery,
    /// [`Body::Payment`].
    #[serde(rename = "p")]
    Payment,
    /// [`Body::Transport`].
    #[serde(rename = "b")]
    Transport,
}

impl Family {
    /// The family that `body` belongs to.
    pub fn of(body: &Body<'_>) -> Self {
        match body {
            Body::Status(_) => Self::Status,
            Body::Trace(_) => Self::Trace,
            Body::Ai(_) => Self::Ai,
            Body::Ingest(_) => Self::Ingest,
            Body::Capabilities(_) => Self::Capabilities,
            Body::Discovery(_) => Self::Discovery,
            Body::Payment(_) => Self::Payment,
            Body::Transport(_) => Self::Transport,
        }
    }
}

/// One delivery of an event: all that its rows say when its text is out of reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery<'a> {
    /// Where it stood.
    pub at: Coordinates<'a>,
    /// Broker record time.
    pub record_ts: Timestamp,
    /// Envelope time.
    pub event_ts: Timestamp,
    /// Hash of the content.
    pub content_hash: u64,
    /// Family of the content.
    pub family: Family,
    /// The record carried the replay marker, which is no part of the content.
    pub replay: bool,
    /// Rows that the content makes, where an event can make more than one. Sessions do not keep it.
    pub elements: Elements,
}

impl<'a> Delivery<'a> {
    /// The delivery that `event` makes, standing in partition `partition` of `topic`.
    pub fn of(event: &Event<'_>, topic: &'a str, partition: u32) -> Self {
        Self {
            at: Coordinates { topic: Cow::Borrowed(topic), partition, offset: event.offset },
            record_ts: event.record_ts,
            event_ts: event.event_ts,
            content_hash: event.content_hash,
            family: Family::of(&event.body),
            replay: event.replay,
            elements: Elements::default(),
        }
    }

    /// The same delivery with a life of its own.
    pub fn into_owned(self) -> Delivery<'static> {
        let Coordinates { topic, partition, offset } = self.at;
        Delivery {
            at: Coordinates { topic: Cow::Owned(topic.into_owned()), partition, offset },
            record_ts: self.record_ts,
            event_ts: self.event_ts,
            content_hash: self.content_hash,
            family: self.family,
            replay: self.replay,
            elements: self.elements,
        }
    }

    /// What tells contents apart, in the order in which they are preferred.
    pub fn content(&self) -> (Timestamp, u64) {
        (self.event_ts, self.content_hash)
    }

    /// True when `self` stands before `other` in the order of the deliveries of a uid. An original
    /// stands before its replayed copies, so that which of them is a duplicate is no accident of
    /// arrival.
    fn precedes(&self, other: &Delivery<'_>) -> bool {
        (self.content(), self.replay, &self.at) < (other.content(), other.replay, &other.at)
    }
}

/// What a delivery turned out to be when it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// First sight of the uid.
    New,
    /// The same record again (a restart, a rebalance): nothing has changed.
    Redelivery,
    /// A further delivery of the content that counts.
    Duplicate,
    /// Other content under the same uid.
    Conflict,
}

/// What a delivery turned out to be, and where it stands among those of its uid.
///
/// The delivery that counts owes its typed rows and the rows of all others; any other one owes its
/// own row. Each is delivered until its rows are stored, so in the end all of them are, and none is
/// of a set that was smaller than the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What it is.
    pub verdict: Verdict,
    /// Its place in the order; 0 counts.
    pub place: usize,
}

impl Sighting {
    /// First sight of a uid.
    pub const NEW: Self = Self { verdict: Verdict::New, place: 0 };

    /// The delivery is the one that counts.
    pub fn counts(self) -> bool {
        self.place == 0
    }

    /// The content of the delivery has to be folded, in the place of what was folded before.
    pub fn folds(self) -> bool {
        self.counts() && matches!(self.verdict, Verdict::New | Verdict::Conflict)
    }

    /// What `new` is to `known`, the deliveries of its uid in their order.
    pub(super) fn of<'k, D: Borrow<Delivery<'k>>>(
        known: impl Iterator<Item = D> + Clone,
        new: &Delivery<'_>,
    ) -> Self {
        let Some(counts) = known.clone().next() else { return Self::NEW };
        // Coordinates stand for one record, whatever an older release made of it.
        if let Some(place) = known.clone().position(|delivery| delivery.borrow().at == new.at) {
            return Self { verdict: Verdict::Redelivery, place };
        }
        let same = counts.borrow().content() == new.content();
        let verdict = if same { Verdict::Duplicate } else { Verdict::Conflict };
        let before = known.take_while(|delivery| delivery.borrow().precedes(new));
        Self { verdict, place: before.count() }
    }
}

/// Puts `new` at `place` of an order whose first is `counts`.
pub(super) fn put_at<D>(counts: &mut D, further: &mut Vec<D>, place: usize, mut new: D) {
    let place = place.checked_sub(1).unwrap_or_else(|| {
        std::mem::swap(counts, &mut new);
        0
    });
    if place < KEPT {
        further.truncate(KEPT - 1);
        further.insert(place, new);
    }
}

/// The uid set of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    sources: Vec<SourcePartition>,
    /// The delivery that counts, per uid.
    by_uid: BTreeMap<u128, Packed>,
    /// The others in their order, for the few uids that have some.
    further: BTreeMap<u128, Vec<Packed>>,
}

/// A [`Delivery`] whose source is a number in [`Deliveries::sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Packed {
    source: u32,
    family: Family,
    replay: bool,
    offset: u64,
    record_ts: Timestamp,
    event_ts: Timestamp,
    content_hash: u64,
}

impl Deliveries {
    /// Latest envelope time of an event; `None` without any.
    pub fn newest(&self) -> Option<Timestamp> {
        let all = self.by_uid.values().chain(self.further.values().flatten());
        all.map(|packed| packed.event_ts).max()
    }

    /// Records a delivery of `uid` and says what it is.
    pub fn observe(&mut self, uid: &str, delivery: &Delivery<'_>) -> Sighting {
        self.take(key(uid), delivery)
    }

    /// As [`Deliveries::observe`], for the uid with this key.
    fn take(&mut self, uid: u128, delivery: &Delivery<'_>) -> Sighting {
        let Self { sources, by_uid, further } = self;
        let mut counts = match by_uid.entry(uid) {
            Entry::Vacant(slot) => {
                slot.insert(pack(sources, delivery));
                return Sighting::NEW;
            }
            Entry::Occupied(slot) => slot,
        };
        let others = further.get(&uid).into_iter().flatten();
        let known = std::iter::once(counts.get()).chain(others);
        let sighting = Sighting::of(known.map(|packed| unpack(sources, *packed)), delivery);
        if sighting.verdict != Verdict::Redelivery {
            let new = pack(sources, delivery);
            put_at(counts.get_mut(), further.entry(uid).or_default(), sighting.place, new);
        }
        sighting
    }

    /// Every kept delivery of `uid` in their order; the first one counts.
    pub fn of(&self, uid: &str) -> impl Iterator<Item = Delivery<'_>> + Clone {
        let uid = key(uid);
        let others = self.further.get(&uid).into_iter().flatten();
        let known = self.by_uid.get(&uid).into_iter().chain(others);
        known.map(|packed| unpack(&self.sources, *packed))
    }

    /// Takes back the delivery of `uid` that stood at `at`; `true` when it was the one that counts.
    pub fn forget(&mut self, uid: &str, at: &Coordinates<'_>) -> bool {
        let Some(place) = self.of(uid).position(|delivery| delivery.at == *at) else {
            return false;
        };
        let uid = key(uid);
        let mut others = self.further.remove(&uid).unwrap_or_default();
        if let Some(place) = place.checked_sub(1) {
            others.remove(place);
        } else if others.is_empty() {
            self.by_uid.remove(&uid);
        } else {
            self.by_uid.insert(uid, others.remove(0));
        }
        if !others.is_empty() {
            self.further.insert(uid, others);
        }
        place == 0
    }

    /// The content of `uid` that counts; `None` when it was never delivered.
    pub(super) fn content(&self, uid: &Uid) -> Option<(Timestamp, u64)> {
        let counts = self.by_uid.get(&key(&uid.to_string()))?;
        Some((counts.event_ts, counts.content_hash))
    }

    /// Broker time of the delivery of `uid` that counts.
    pub(super) fn record_ts(&self, uid: &Uid) -> Option<Timestamp> {
        self.by_uid.get(&key(&uid.to_string())).map(|counts| counts.record_ts)
    }

    /// Takes in the deliveries of another snapshot. Returns whether it had any that were not known.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        let mut brought = false;
        for (&uid, counts) in &other.by_uid {
            let others = other.further.get(&uid).into_iter().flatten();
            for packed in std::iter::once(counts).chain(others) {
                let sighting = self.take(uid, &unpack(&other.sources, *packed));
                brought |= sighting.verdict != Verdict::Redelivery && sighting.place <= KEPT;
            }
        }
        brought
    }

    /// Number of deliveries kept.
    pub fn len(&self) -> usize {
        self.by_uid.len() + self.further.values().map(Vec::len).sum::<usize>()
    }

    /// True when no delivery was seen.
    pub fn is_empty(&self) -> bool {
        self.by_uid.is_empty()
    }
}

fn key(uid: &str) -> u128 {
    xxh3_128(uid.as_bytes())
}

fn pack(sources: &mut Vec<SourcePartition>, delivery: &Delivery<'_>) -> Packed {
    let Coordinates { topic, partition, offset } = &delivery.at;
    let known = sources.iter().position(|s| s.partition == *partition && s.topic == **topic);
    let source = known.unwrap_or_else(|| {
        sources.push(SourcePartition { topic: topic.to_string(), partition: *partition });
        sources.len() - 1
    });
    Packed {
        source: source as u32,
        family: delivery.family,
        replay: delivery.replay,
        offset: *offset,
        record_ts: delivery.record_ts,
        event_ts: delivery.event_ts,
        content_hash: delivery.content_hash,
    }
}

fn unpack(sources: &[SourcePartition], packed: Packed) -> Delivery<'_> {
    let source = sources.get(packed.source as usize);
    let (topic, partition) = source.map_or(("", 0), |s| (&s.topic, s.partition));
    Delivery {
        at: Coordinates { topic: Cow::Borrowed(topic), partition, offset: packed.offset },
        record_ts: packed.record_ts,
        event_ts: packed.event_ts,
        content_hash: packed.content_hash,
        family: packed.family,
        replay: packed.replay,
        elements: Elements::default(),
    }
}
