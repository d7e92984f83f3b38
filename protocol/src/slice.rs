//! Slices of the published figures: one organisation and one hour each (decisions, "rollups").
//!
//! Whatever is written into a fact makes the slices that it enters dirty. They travel in the claim of
//! the shard until a recomputation that began after the rows were stored confirms them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Length of a slice, ms.
pub const HOUR_MS: i64 = 3_600_000;

/// The hour that `ts` is in.
pub fn hour(ts: Timestamp) -> Timestamp {
    Timestamp(ts.0.div_euclid(HOUR_MS).saturating_mul(HOUR_MS))
}

/// What a row enters: the slices of its organisation from the hour of `ts` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch<'a> {
    /// Organisation.
    pub org: &'a str,
    /// A moment in the first slice.
    pub ts: Timestamp,
    /// Slices behind the first one that the row enters too.
    pub more: u16,
}

/// Slices, by organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slices {
    slices: BTreeMap<String, BTreeSet<Timestamp>>,
    /// What was touched last: rows come in runs.
    last: Option<(String, Timestamp, u16)>,
}

impl Slices {
    /// Adds what a row enters.
    pub fn touch(&mut self, touch: Touch<'_>) {
        let Touch { org, ts, more } = touch;
        let first = hour(ts);
        let known = |(o, h, m): &(String, Timestamp, u16)| (&**o, *h, *m) == (org, first, more);
        if self.last.as_ref().is_some_and(known) {
            return;
        }
        let hours = self.slices.entry(org.to_owned()).or_default();
        hours.extend((0..=i64::from(more)).map(|n| Timestamp(first.0.saturating_add(n * HOUR_MS))));
        self.last = Some((org.to_owned(), first, more));
    }

    /// Takes everything out.
    pub fn take(&mut self) -> impl Iterator<Item = (String, BTreeSet<Timestamp>)> + use<> {
        self.last = None;
        std::mem::take(&mut self.slices).into_iter()
    }
}

/// Slices that wait for a recomputation, by organisation and hour, each with the commit cycle that
/// made it dirty last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DirtySlices(pub BTreeMap<String, BTreeMap<Timestamp, u64>>);

impl DirtySlices {
    /// Adds `slices`, made dirty in `cycle`.
    pub fn mark(&mut self, slices: &mut Slices, cycle: u64) {
        for (org, hours) in slices.take() {
            let known = self.0.entry(org).or_default();
            known.extend(hours.into_iter().map(|hour| (hour, cycle)));
        }
    }

    /// Takes out what a recomputation has seen: the slices of `seen` that were not made dirty again
    /// since the cycle it names.
    pub fn settle(&mut self, seen: &Self) {
        for (org, hours) in &seen.0 {
            let Some(known) = self.0.get_mut(org) else { continue };
            for (hour, cycle) in hours {
                if known.get(hour).is_some_and(|dirty| dirty <= cycle) {
                    known.remove(hour);
                }
            }
            if known.is_empty() {
                self.0.remove(org);
            }
        }
    }

    /// The same slices as the first cycle of a new epoch finds them.
    #[must_use]
    pub fn carried_over(mut self) -> Self {
        self.0.values_mut().flat_map(BTreeMap::values_mut).for_each(|cycle| *cycle = 0);
        self
    }

    /// Takes out the second half; `None` when there is at most one slice.
    pub fn split(&mut self) -> Option<Self> {
        if let Some(org) = self.0.keys().nth(self.0.len() / 2).filter(|_| self.0.len() > 1) {
            let org = org.clone();
            return Some(Self(self.0.split_off(&org)));
        }
        let (org, hours) = self.0.iter_mut().next()?;
        let middle = *hours.keys().nth(hours.len() / 2).filter(|_| hours.len() > 1)?;
        Some(Self(BTreeMap::from([(org.clone(), hours.split_off(&middle))])))
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = HOUR_MS;

    fn touch(org: &str, ts: i64, more: u16) -> Touch<'_> {
        Touch { org, ts: Timestamp(ts), more }
    }

    #[test]
    fn a_row_enters_its_hour_and_as_many_behind_it_as_it_says() {
        let mut slices = Slices::default();
        slices.touch(touch("a", 10 * H + 5, 0));
        slices.touch(touch("a", 10 * H + 9, 0));
        slices.touch(touch("b", -1, 2));
        let taken: Vec<_> = slices.take().collect();
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[0].1, BTreeSet::from([Timestamp(10 * H)]));
        assert_eq!(taken[1].1, [-H, 0, H].map(Timestamp).into());
        slices.touch(touch("b", -1, 2));
        assert_eq!(slices.take().count(), 1, "what was taken may be touched again");
    }

    #[test]
    fn a_slice_is_settled_only_if_nothing_made_it_dirty_again() {
        let (mut dirty, mut slices) = (DirtySlices::default(), Slices::default());
        slices.touch(touch("a", 0, 1));
        dirty.mark(&mut slices, 3);
        let seen = dirty.clone();
        slices.touch(touch("a", H, 0));
        dirty.mark(&mut slices, 4);
        dirty.settle(&seen);
        assert_eq!(dirty.0["a"], BTreeMap::from([(Timestamp(H), 4)]));
        let seen = dirty.clone();
        dirty.settle(&seen);
        assert!(dirty.is_empty());
    }
}
