//! What one orchestrator identity key knows: the advertised intervals of its nodes (lifecycle 7.10,
//! clarifications 22 to 24, backlog 020).
//!
//! The state is a function of the *set* of advertisements and of the newest event time, whatever the
//! order and the repetitions. Three choices make that so:
//!
//! * Stored runs are equal byte for byte. Joining runs that differ only in case or aliases is left to
//!   the reader, so that a later insertion between them can still split them exactly.
//! * A moment with different contents stays a run of its own, holding their union. So an insertion
//!   never lowers the number of runs, and "the newest 256 runs" means the same in any order.
//! * Single advertisements leave with age, not whole runs. A decision at `t` uses advertisements within
//!   ±24 h of `t` only, so none that [`Index::covers`] is changed by it.

mod contest;
mod runs;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::advertise::{Advertisement, Content, Node};
use crate::time::Timestamp;
use contest::{Contested, Edition, Known};
pub use runs::{Interval, Run, Runs, Seen};

/// How far behind the newest event time an advertisement may come and correct all that it concerns, ms
/// (48 h, lifecycle 7.10).
pub const HORIZON_MS: i64 = 48 * 3_600_000;
/// How far from a selection an advertisement can count, ms (24 h, inclusive).
pub const WINDOW_MS: i64 = 24 * 3_600_000;
/// How far behind the newest event time advertisements are kept, ms: one at the horizon concerns
/// selections up to 24 h before it, and their decisions need what was advertised another 24 h before.
/// Without it a decision would depend on what was pruned (clarification 23).
pub const KEPT_MS: i64 = HORIZON_MS + 2 * WINDOW_MS;
/// Most runs kept per node; the oldest go first.
pub const MAX_RUNS: usize = 256;

/// The nodes behind one identity key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Index {
    newest: Option<Timestamp>,
    nodes: BTreeMap<Node, Runs>,
    since: Since,
    contested: Contested,
    /// Nothing is given up; never stored.
    #[serde(skip)]
    unbounded: bool,
    #[serde(skip)]
    known: Known,
}

/// What is advertised before this time may be missing, young as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
struct Since(Timestamp);

impl Default for Since {
    /// Nothing is missing.
    fn default() -> Self {
        Self(Timestamp(i64::MIN))
    }
}

/// An index as it is stored.
#[derive(Deserialize)]
struct Stored {
    newest: Option<Timestamp>,
    nodes: BTreeMap<Node, Runs>,
    /// Not in a state of version 2 or less, which kept what is within the horizon.
    #[serde(default)]
    since: Option<Since>,
    #[serde(default)]
    contested: Contested,
}

impl From<Stored> for Index {
    fn from(Stored { newest, nodes, since, contested }: Stored) -> Self {
        let kept = || newest.map(|newest| Since(before(newest, HORIZON_MS)));
        let since = since.or_else(kept).unwrap_or_default();
        let mut index = Self { newest, nodes, since, contested, ..Self::default() };
        index.learn();
        index
    }
}

/// What became of an advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The state changed: selections within ±24 h may decide differently.
    Changed,
    /// Already known.
    Known,
    /// Older than what is kept.
    TooOld,
}

/// What became of an advertisement, and of others because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What became of it.
    pub inserted: Inserted,
    /// Runs given up behind the horizon.
    pub behind_horizon: u64,
    /// Runs given up because a node had too many.
    pub over_limit: u64,
    /// Between these times other contents of the same uid may count no longer.
    pub contested: Option<(Timestamp, Timestamp)>,
}

impl Index {
    /// An index that keeps everything, for history that is read again: no horizon, no limit of runs.
    pub fn unbounded() -> Self {
        Self { unbounded: true, ..Self::default() }
    }

    /// Gives nothing up from now on, as [`Index::unbounded`].
    pub fn keep_everything(&mut self) {
        (self.unbounded, self.since) = (true, Since::default());
    }

    /// Takes in one advertisement; order and repetitions do not matter.
    pub fn insert(&mut self, advertisement: &Advertisement) -> Inserted {
        self.take(advertisement).inserted
    }

    /// As [`Index::insert`], and tells what was given up for it.
    pub fn take(&mut self, advertisement: &Advertisement) -> Taken {
        let Advertisement { node, event_ts, uid, content, content_hash, capacities } =
            advertisement;
        let seen = Seen {
            ts: *event_ts,
            uid: uid.clone(),
            capacities: capacities.clone(),
            hash: *content_hash,
            said: Vec::new(),
        };
        let mut taken = self.insert_seen(node, seen, content, false);
        if taken.inserted != Inserted::TooOld {
            taken.contested = self.contest(uid, (*event_ts, *content_hash));
            if taken.contested.is_some() {
                taken.inserted = Inserted::Changed;
            } else if let Some(runs) = self.nodes.get_mut(node) {
                runs.amend_at(*event_ts, &self.contested);
            }
        }
        taken
    }

    /// Notes that `uid` came with this content. Returns the times of all its contents if it is one more
    /// of several.
    fn contest(&mut self, uid: &str, edition: Edition) -> Option<(Timestamp, Timestamp)> {
        let other = self.known.note(uid, edition);
        if edition.1 == 0 || other.is_none() && self.contested.of(uid).is_none() {
            return None;
        }
        if !self.contested.note(uid, other.into_iter().chain([edition])) {
            return None;
        }
        for runs in self.nodes.values_mut() {
            runs.amend(&self.contested);
        }
        let editions = self.contested.of(uid)?;
        Some((editions.first()?.0, editions.last()?.0))
    }

    /// Number of runs kept, over all nodes.
    pub fn len(&self) -> usize {
        self.nodes.values().map(|runs| runs.all.len()).sum()
    }

    /// True when nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Moves the horizon: `newest` is an event time of the organisation. Never moves it back. Returns
    /// how many runs are given up.
    pub fn advance(&mut self, newest: Timestamp) -> u64 {
        if self.newest.is_some_and(|known| known >= newest) {
            return 0;
        }
        self.newest = Some(newest);
        let horizon = self.horizon();
        self.since = Some(self.since).filter(|since| since.0 > horizon).unwrap_or_default();
        if !self.unbounded {
            self.known.prune(horizon);
            self.contested.prune(horizon);
        }
        let mut gone = 0;
        self.nodes.retain(|_, runs| {
            gone += runs.prune(horizon);
            !runs.all.is_empty()
        });
        gone
    }

    /// Takes in all that another state of the same key knows.
    pub fn merge(&mut self, other: &Self) {
        if let Some(newest) = other.newest {
            self.advance(newest);
        }
        if other.since.0 > self.horizon() {
            self.since = self.since.max(other.since);
        }
        for (node, runs) in &other.nodes {
            if let Some(floor) = runs.floor.filter(|floor| *floor >= self.horizon()) {
                self.nodes.entry(node.clone()).or_default().raise_floor(floor);
            }
            for run in &runs.all {
                for seen in &run.seen {
                    self.insert_seen(node, seen.clone(), &run.content, run.conflicting);
                }
            }
        }
        self.contested.merge(&other.contested);
        self.contested.prune(self.horizon());
        self.learn();
    }

    /// Finds what is contested in the runs.
    fn learn(&mut self) {
        let Self { nodes, contested, known, .. } = self;
        for seen in nodes.values().flat_map(|runs| &runs.all).flat_map(Run::seen) {
            for (uid, hash) in seen.editions() {
                let edition = (seen.ts, hash);
                if let Some(other) = known.note(uid, edition) {
                    contested.note(uid, [other, edition]);
                }
            }
        }
        for runs in nodes.values_mut() {
            runs.amend(contested);
        }
    }

    /// The nodes and their runs, ascending by node.
    pub fn nodes(&self) -> impl Iterator<Item = (&Node, &Runs)> {
        self.nodes.iter()
    }

    /// Newest event time seen; `None` before the first.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// All advertisements within ±24 h of `t` that were ever given are still here, so a decision at
    /// `t` is complete. Otherwise an earlier decision must be kept.
    pub fn covers(&self, t: Timestamp) -> bool {
        let from = before(t, WINDOW_MS);
        from >= self.horizon().max(self.since.0)
            && self.nodes.values().all(|runs| runs.floor.is_none_or(|floor| floor < from))
    }

    /// Advertisements before this time are given up.
    pub fn horizon(&self) -> Timestamp {
        let newest = self.newest.filter(|_| !self.unbounded);
        newest.map_or(Timestamp(i64::MIN), |newest| before(newest, KEPT_MS))
    }

    fn insert_seen(
        &mut self,
        node: &Node,
        seen: Seen,
        content: &Content,
        conflicting: bool,
    ) -> Taken {
        let behind_horizon = self.advance(seen.ts);
        if seen.ts < self.horizon() {
            let inserted = Inserted::TooOld;
            return Taken { inserted, behind_horizon, over_limit: 0, contested: None };
        }
        let max_runs = if self.unbounded { usize::MAX } else { MAX_RUNS };
        // The entry interface alone would clone the node each time; nearly all are known.
        let runs = match self.nodes.get_mut(node) {
            Some(runs) => runs,
            None => self.nodes.entry(node.clone()).or_default(),
        };
        let inserted = runs.insert(seen, content, conflicting);
        Taken { inserted, behind_horizon, over_limit: runs.cap(max_runs), contested: None }
    }
}

fn before(t: Timestamp, ms: i64) -> Timestamp {
    Timestamp(t.0.saturating_sub(ms))
}

#[cfg(test)]
mod tests;
