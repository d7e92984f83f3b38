//! Which deliveries of an event an entity has seen (decisions.md, identity and duplicates).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::SourcePartition;
use crate::codec::Framed;
use crate::event::Event;
use crate::time::Timestamp;

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

/// The delivery of one uid that counts: the one with the smallest coordinates among those that
/// carried the folded content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery<'a> {
    /// Where it stood.
    pub at: Coordinates<'a>,
    /// Broker record time, for the quarantine row in case a smaller delivery turns up.
    pub record_ts: Timestamp,
    /// Envelope time of the folded content.
    pub event_ts: Timestamp,
    /// Content hash of the folded content.
    pub content_hash: u64,
}

impl<'a> Delivery<'a> {
    /// The delivery that `event` makes, standing in partition `partition` of `topic`.
    pub fn of(event: &Event<'_>, topic: &'a str, partition: u32) -> Self {
        Self {
            at: Coordinates { topic: Cow::Borrowed(topic), partition, offset: event.offset },
            record_ts: event.record_ts,
            event_ts: event.event_ts,
            content_hash: event.content_hash,
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
        }
    }

    /// Decides what becomes of `other`, a further delivery of the same uid, and which one counts
    /// from now on (the first of the pair).
    ///
    /// The outcome is independent of arrival order: the smallest (event time, content hash) is
    /// folded, and of its deliveries the smallest coordinates count.
    pub fn meet(self, other: Self) -> (Self, Verdict<'a>) {
        use std::cmp::Ordering::{Equal, Greater, Less};
        if other.at == self.at {
            return (self, Verdict::Redelivery);
        }
        let content = |d: &Self| (d.event_ts, d.content_hash);
        match content(&other).cmp(&content(&self)) {
            Equal if other.at < self.at => (other, Verdict::Duplicate(self)),
            Equal => (self, Verdict::Duplicate(other)),
            Less => (other, Verdict::ConflictWon { loser: self }),
            Greater => (self, Verdict::ConflictLost { loser: other }),
        }
    }
}

/// What a delivery turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// First sight of the uid: fold it and write its rows.
    New,
    /// The same record again (a restart, a rebalance): write its rows again, fold nothing.
    Redelivery,
    /// A further delivery of the same content: the named one goes to quarantine.
    Duplicate(Delivery<'a>),
    /// Other content under the same uid which precedes what was folded: replace it, quarantine the
    /// loser.
    ConflictWon {
        /// What was folded before.
        loser: Delivery<'a>,
    },
    /// Other content under the same uid which comes after what was folded: quarantine it.
    ConflictLost {
        /// The delivery that was met.
        loser: Delivery<'a>,
    },
}

/// The uid set of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    sources: Vec<SourcePartition>,
    by_uid: BTreeMap<u128, Packed>,
}

/// A [`Delivery`] whose source is a number in [`Deliveries::sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Packed {
    source: u32,
    offset: u64,
    record_ts: Timestamp,
    event_ts: Timestamp,
    content_hash: u64,
}

impl Deliveries {
    /// Records the delivery of `uid` and says what it is.
    pub fn observe<'a>(&mut self, uid: &str, delivery: Delivery<'a>) -> Verdict<'a> {
        let Self { sources, by_uid } = self;
        match by_uid.entry(xxh3_128(uid.as_bytes())) {
            Entry::Vacant(slot) => {
                slot.insert(pack(sources, &delivery));
                Verdict::New
            }
            Entry::Occupied(mut slot) => {
                let (counts, verdict) = unpack(sources, *slot.get()).meet(delivery);
                slot.insert(pack(sources, &counts));
                verdict
            }
        }
    }

    /// Number of distinct uids.
    pub fn len(&self) -> usize {
        self.by_uid.len()
    }

    /// True when no delivery was seen.
    pub fn is_empty(&self) -> bool {
        self.by_uid.is_empty()
    }
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
        offset: *offset,
        record_ts: delivery.record_ts,
        event_ts: delivery.event_ts,
        content_hash: delivery.content_hash,
    }
}

fn unpack(sources: &[SourcePartition], packed: Packed) -> Delivery<'static> {
    let source = sources.get(packed.source as usize);
    Delivery {
        at: Coordinates {
            topic: Cow::Owned(source.map_or_else(String::new, |s| s.topic.clone())),
            partition: source.map_or(0, |s| s.partition),
            offset: packed.offset,
        },
        record_ts: packed.record_ts,
        event_ts: packed.event_ts,
        content_hash: packed.content_hash,
    }
}

/// State of an entity that only guards the rows of one event: payments, discovery results and
/// capability advertisements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventState {
    /// The delivery that counts.
    pub delivery: Delivery<'static>,
}

impl Framed for EventState {
    const TYPE_ID: u16 = 0x0102;
    const VERSION: u16 = 1;
    const NAME: &'static str = "event state";
}
