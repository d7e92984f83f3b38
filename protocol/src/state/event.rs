//! The durable state of an event without a session: its deliveries and what rows they made.

use serde::{Deserialize, Serialize};

use super::delivery::put_at;
use super::{Delivery, Sighting, Verdict};
use crate::codec::Framed;

/// Row sets that an event can have: a capability document has four, all other events one.
const ROW_SETS: usize = 4;

/// The keys of the rows that an event made: how many rows each entry of its payload has in each row
/// set. Empty for the families that make one row of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elements(Vec<[u32; ROW_SETS]>);

impl Elements {
    /// The key of a row in its event: the entry, then the place among the entry's rows of the set.
    pub fn key(entry: u32, element: u32) -> u32 {
        entry.min(0xffff) << 16 | element.min(0xffff)
    }

    /// Counts one more row of `entry` in `set`; nothing for a set that does not exist.
    pub fn add(&mut self, set: usize, entry: u32) {
        let entry = entry.min(0xffff) as usize;
        if self.0.len() <= entry {
            self.0.resize(entry + 1, [0; ROW_SETS]);
        }
        if let Some(count) = self.0[entry].get_mut(set) {
            *count += 1;
        }
    }

    /// The keys of the rows in `set`.
    pub fn keys(&self, set: usize) -> impl Iterator<Item = u32> {
        let counts = (0..).zip(&self.0).map(move |(entry, sets)| (entry, sets.get(set)));
        counts.flat_map(|(entry, count)| {
            // Places above share a key.
            let count = count.map_or(0, |count| *count).min(1 << 16);
            (0..count).map(move |element| Self::key(entry, element))
        })
    }

    /// True when a row of `set` has this key.
    pub fn contains(&self, set: usize, key: u32) -> bool {
        let sets = self.0.get((key >> 16) as usize);
        sets.and_then(|sets| sets.get(set)).is_some_and(|count| key & 0xffff < *count)
    }
}

/// State of an entity that only guards the rows of one event: payments, discovery results and
/// capability advertisements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventState {
    counts: Delivery<'static>,
    further: Vec<Delivery<'static>>,
}

impl EventState {
    /// An event that was seen once.
    pub fn new(delivery: Delivery<'static>) -> Self {
        Self { counts: delivery, further: Vec::new() }
    }

    /// Records a further delivery and says what it is.
    pub fn observe(&mut self, delivery: &Delivery<'_>) -> Sighting {
        let sighting = Sighting::of(self.known(), delivery);
        if sighting.verdict != Verdict::Redelivery {
            let new = delivery.clone().into_owned();
            put_at(&mut self.counts, &mut self.further, sighting.place, new);
        }
        sighting
    }

    /// Keeps what rows the delivery at `place` makes.
    pub fn made(&mut self, place: usize, elements: Elements) {
        let delivery = match place.checked_sub(1) {
            None => Some(&mut self.counts),
            Some(place) => self.further.get_mut(place),
        };
        if let Some(delivery) = delivery {
            delivery.elements = elements;
        }
    }

    /// Takes in the deliveries of another snapshot of the event.
    pub fn merge(&mut self, other: Self) {
        for delivery in std::iter::once(other.counts).chain(other.further) {
            let elements = delivery.elements.clone();
            let sighting = self.observe(&delivery);
            if sighting.verdict != Verdict::Redelivery {
                self.made(sighting.place, elements);
            }
        }
    }

    /// Every kept delivery in their order; the first one counts.
    pub fn known(&self) -> impl Iterator<Item = &Delivery<'static>> + Clone {
        std::iter::once(&self.counts).chain(&self.further)
    }
}

impl Framed for EventState {
    const TYPE_ID: u16 = 0x0102;
    const VERSION: u16 = 1;
    const NAME: &'static str = "event state";
}
