//! Several contents under one uid: the smallest (event time, hash) counts (decisions.md, duplicates).
//! The scope of a uid is the entity, here the identity key: a content that does not name it is none of
//! its business.
//!
//! No content is taken out of the runs, so that what is kept is a function of all that was said. What
//! does not count is left out where intervals are read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::HORIZON_MS;
use super::runs::{Said, Seen};
use crate::capability::advertise::{Content, greatest};
use crate::time::Timestamp;

/// What tells the contents of a uid apart, in the order in which they are preferred.
pub(super) type Edition = (Timestamp, u64);

/// The uids that came with several contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Contested(BTreeMap<String, BTreeSet<Edition>>);

impl Contested {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of(&self, uid: &str) -> Option<&BTreeSet<Edition>> {
        self.0.get(uid)
    }

    /// `true` when that is news.
    pub(super) fn note(&mut self, uid: &str, editions: impl IntoIterator<Item = Edition>) -> bool {
        let known = self.0.entry(uid.to_owned()).or_default();
        let before = known.len();
        known.extend(editions);
        known.len() > before
    }

    /// Takes in what another state knows.
    pub(super) fn merge(&mut self, other: &Self) {
        for (uid, editions) in &other.0 {
            self.note(uid, editions.iter().copied());
        }
    }

    /// Forgets what does not matter for contents from `horizon` on.
    pub(super) fn prune(&mut self, horizon: Timestamp) {
        self.0.retain(|_, editions| {
            let counting = counting(editions).take_while(|(ts, _)| *ts < horizon).last();
            if let Some(last) = counting {
                *editions = editions.split_off(&last);
            }
            editions.last().is_some_and(|(ts, _)| *ts >= horizon)
        });
    }

    /// Content of which the hash is not known is not judged.
    fn counts(&self, uid: &str, edition: Edition) -> bool {
        let counts = |editions| counting(editions).any(|counts| counts == edition);
        edition.1 == 0 || self.of(uid).is_none_or(counts)
    }

    /// What is left of a moment; `None` when all of it counts.
    pub(super) fn amended(&self, seen: &Seen) -> Option<Amended> {
        let counts = |uid: &str, hash: u64| self.counts(uid, (seen.ts, hash));
        if seen.said.is_empty() {
            return (!counts(&seen.uid, seen.hash)).then_some(Amended(None));
        }
        let left: Vec<&Said> = seen.said.iter().filter(|s| counts(&s.uid, s.hash)).collect();
        if left.len() == seen.said.len() {
            return None;
        }
        let Some((first, others)) = left.split_first() else { return Some(Amended(None)) };
        let (mut content, mut capacities) = (first.content.clone(), first.capacities.clone());
        for said in others {
            content = content.union(&said.content);
            capacities = greatest(&capacities, &said.capacities);
        }
        let (uid, hash) = (first.uid.clone(), first.hash);
        let seen = Seen { ts: seen.ts, uid, capacities, hash, said: Vec::new() };
        Some(Amended(Some((content, [seen]))))
    }
}

/// The contents that count, in order: the smallest, and each one that comes more than 48 h after the one
/// that counted before. What does not count prolongs nothing.
fn counting(editions: &BTreeSet<Edition>) -> impl Iterator<Item = Edition> {
    let first = editions.first().copied();
    std::iter::successors(first, |(ts, _)| {
        let after = Timestamp(ts.0.saturating_add(HORIZON_MS + 1));
        editions.range((after, 0)..).next().copied().filter(|next| next.0 > *ts)
    })
}

/// What counts of a moment; `None` when nothing does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Amended(pub(super) Option<(Content, [Seen; 1])>);

/// One content of every uid that is kept, to see at once whether another one is news. Follows from the
/// rest of the state.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(HashMap<u64, Edition>);

impl Known {
    /// Notes a content. Returns another one of the uid. A hash of 0 is not known and tells nothing.
    pub(super) fn note(&mut self, uid: &str, edition: Edition) -> Option<Edition> {
        if edition.1 == 0 {
            return None;
        }
        let known = *self.0.entry(xxh3_64(uid.as_bytes())).or_insert(edition);
        (known != edition).then_some(known)
    }

    pub(super) fn prune(&mut self, horizon: Timestamp) {
        self.0.retain(|_, (ts, _)| *ts >= horizon);
    }
}

impl PartialEq for Known {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Known {}
