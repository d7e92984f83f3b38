//! In which order the records of a file are delivered: a pure function of the file's records and
//! the options, so that a run that was cut off can go on where it stopped.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// How a replay bends the order of its input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bend {
    /// Deliver in random order, from this seed.
    pub shuffle: Option<u64>,
    /// Deliver each record once more with this probability.
    pub duplicate: f64,
    /// Deliver capability advertisements this much later, ms of event time.
    pub capability_delay_ms: Option<i64>,
    /// Deliver capability advertisements before everything else.
    pub capability_first: bool,
}

impl Bend {
    /// True when the file is delivered as it is.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// True when the order depends on what the records are.
    pub fn looks_inside(&self) -> bool {
        self.capability_first || self.capability_delay_ms.is_some()
    }

    /// The part of the source's name that says how its order was bent.
    pub fn label(&self) -> String {
        let shuffle = self.shuffle.map_or("-".to_owned(), |seed| seed.to_string());
        let delay = self.capability_delay_ms.map_or(String::new(), |ms| format!(":delay={ms}"));
        let first = if self.capability_first { ":first" } else { "" };
        format!("{shuffle}:{}{delay}{first}", self.duplicate)
    }

    /// The numbers of the records in the order of delivery. `kinds` describes each record and is
    /// only needed if [`Bend::looks_inside`].
    pub fn order(&self, records: usize, kinds: &[Kind]) -> Vec<u32> {
        let mut random = ChaCha8Rng::seed_from_u64(self.shuffle.unwrap_or(0));
        let mut order: Vec<u32> = (0..records as u32).collect();
        if self.duplicate > 0.0 {
            order = with_duplicates(&order, self.duplicate, &mut random);
        }
        if self.shuffle.is_some() {
            shuffle(&mut order, &mut random);
        }
        if self.capability_first {
            // Stable: both groups keep their order.
            order.sort_by_key(|&record| !kinds.get(record as usize).is_some_and(|k| k.capability));
        } else if let Some(delay) = self.capability_delay_ms {
            order = delayed(&order, kinds, delay);
        }
        order
    }
}

/// What the order needs to know of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// It is a capability advertisement.
    pub capability: bool,
    /// Envelope time in ms; `None` when unreadable.
    pub ts: Option<i64>,
}

/// Repeats follow their record after a few others, as a producer's retry does.
fn with_duplicates(order: &[u32], probability: f64, random: &mut ChaCha8Rng) -> Vec<u32> {
    const REACH: u32 = 16;
    let mut out: Vec<(u64, u32)> = Vec::with_capacity(order.len() * 2);
    for (place, &record) in order.iter().enumerate() {
        let place = place as u64 * u64::from(REACH);
        out.push((place, record));
        if unit(random) < probability {
            let later = u64::from(1 + random.next_u32() % REACH) * u64::from(REACH) - 1;
            out.push((place + later, record));
        }
    }
    out.sort_by_key(|&(place, _)| place);
    out.into_iter().map(|(_, record)| record).collect()
}

fn shuffle(order: &mut [u32], random: &mut ChaCha8Rng) {
    for last in (1..order.len()).rev() {
        let pick = (random.next_u64() % (last as u64 + 1)) as usize;
        order.swap(last, pick);
    }
}

/// Holds advertisements back until a record of a time after their own plus `delay` was delivered.
fn delayed(order: &[u32], kinds: &[Kind], delay: i64) -> Vec<u32> {
    let mut out = Vec::with_capacity(order.len());
    let mut held = std::collections::BinaryHeap::new();
    for &record in order {
        let kind = kinds.get(record as usize).copied();
        let ts = kind.and_then(|k| k.ts);
        if let (Some(Kind { capability: true, .. }), Some(ts)) = (kind, ts) {
            held.push(std::cmp::Reverse((ts.saturating_add(delay), record)));
            continue;
        }
        let is_due = |&std::cmp::Reverse((due, _)): &std::cmp::Reverse<(i64, u32)>| {
            ts.is_some_and(|ts| due <= ts)
        };
        while held.peek().is_some_and(is_due) {
            out.extend(held.pop().map(|std::cmp::Reverse((_, record))| record));
        }
        out.push(record);
    }
    out.extend(held.into_sorted_vec().into_iter().rev().map(|std::cmp::Reverse((_, r))| r));
    out
}

/// Uniform in [0, 1).
fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_delivered_whatever_the_bend() {
        let kinds: Vec<Kind> =
            (0..500).map(|n| Kind { capability: n % 7 == 0, ts: Some(n * 10) }).collect();
        for shuffle in [None, Some(1), Some(2)] {
            for duplicate in [0.0, 0.3] {
                for (first, delay) in [(false, None), (true, None), (false, Some(600))] {
                    let bend = Bend {
                        shuffle,
                        duplicate,
                        capability_delay_ms: delay,
                        capability_first: first,
                    };
                    let order = bend.order(500, &kinds);
                    let distinct: std::collections::BTreeSet<u32> = order.iter().copied().collect();
                    assert_eq!(distinct.len(), 500, "{bend:?}");
                    assert_eq!(order.len() > 500, duplicate > 0.0, "{bend:?}");
                    assert_eq!(order, bend.order(500, &kinds), "same bend, same order");
                }
            }
        }
    }

    #[test]
    fn advertisements_are_held_back_by_event_time() {
        let kinds = [(true, 0), (false, 1), (false, 5), (false, 10), (true, 10)];
        let kinds = kinds.map(|(capability, ts)| Kind { capability, ts: Some(ts) });
        let bend = Bend { capability_delay_ms: Some(5), ..Bend::default() };
        assert_eq!(bend.order(5, &kinds), [1, 0, 2, 3, 4]);
        let bend = Bend { capability_first: true, ..Bend::default() };
        assert_eq!(bend.order(5, &kinds), [0, 4, 1, 2, 3]);
    }

    #[test]
    fn seeds_matter() {
        let with = |seed| Bend { shuffle: Some(seed), ..Bend::default() }.order(50, &[]);
        assert_ne!(with(1), with(2));
    }
}
