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
//! * Single advertisements leave at the horizon, not whole runs. A decision at `t` uses
//!   advertisements within ±24 h of `t` only, so none that [`Index::covers`] is changed by it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::advertise::{Advertisement, Capacities, Content, Node, greatest};
use crate::time::Timestamp;

/// How far behind the newest event time advertisements are kept, ms (48 h).
pub const HORIZON_MS: i64 = 48 * 3_600_000;
/// How far from a selection an advertisement can count, ms (24 h, inclusive).
pub const WINDOW_MS: i64 = 24 * 3_600_000;
/// Most runs kept per node; the oldest go first.
pub const MAX_RUNS: usize = 256;

/// The nodes behind one identity key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    newest: Option<Timestamp>,
    nodes: BTreeMap<Node, Runs>,
    /// Nothing is given up; never stored.
    #[serde(skip)]
    unbounded: bool,
}

/// The runs of one node in time order, never empty inside an [`Index`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// Newest advertisement given up because of [`MAX_RUNS`]; nothing up to it is taken again.
    floor: Option<Timestamp>,
    runs: Vec<Run>,
}

/// Consecutive advertisements of identical content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    content: Content,
    /// One moment with several contents, united.
    conflicting: bool,
    seen: Vec<Seen>,
}

/// The events that advertised at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Envelope time.
    pub ts: Timestamp,
    /// Smallest event uid of that moment (clarification 24).
    pub uid: String,
    /// The greatest capacities that were advertised at that moment; empty in a state of version 1.
    #[serde(default)]
    pub capacities: Capacities,
}

impl Seen {
    /// Takes in another event of the same moment. `true` when that is news.
    fn unite(&mut self, other: &Self) -> bool {
        let smaller = other.uid < self.uid;
        if smaller {
            self.uid.clone_from(&other.uid);
        }
        let united = greatest(&self.capacities, &other.capacities);
        let grown = united != self.capacities;
        self.capacities = united;
        smaller || grown
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
}

impl Index {
    /// An index that keeps everything, for history that is read again: no horizon, no limit of runs.
    pub fn unbounded() -> Self {
        Self { unbounded: true, ..Self::default() }
    }

    /// Gives nothing up from now on, as [`Index::unbounded`].
    pub fn keep_everything(&mut self) {
        self.unbounded = true;
    }

    /// Takes in one advertisement; order and repetitions do not matter.
    pub fn insert(&mut self, advertisement: &Advertisement) -> Inserted {
        self.take(advertisement).inserted
    }

    /// As [`Index::insert`], and tells what was given up for it.
    pub fn take(&mut self, advertisement: &Advertisement) -> Taken {
        let seen = Seen {
            ts: advertisement.event_ts,
            uid: advertisement.uid.clone(),
            capacities: advertisement.capacities.clone(),
        };
        self.insert_seen(&advertisement.node, seen, &advertisement.content, false)
    }

    /// Number of runs kept, over all nodes.
    pub fn len(&self) -> usize {
        self.nodes.values().map(|runs| runs.runs.len()).sum()
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
        let mut gone = 0;
        self.nodes.retain(|_, runs| {
            gone += runs.prune(horizon);
            !runs.runs.is_empty()
        });
        gone
    }

    /// Takes in all that another state of the same key knows.
    pub fn merge(&mut self, other: &Self) {
        if let Some(newest) = other.newest {
            self.advance(newest);
        }
        for (node, runs) in &other.nodes {
            if let Some(floor) = runs.floor.filter(|floor| *floor >= self.horizon()) {
                self.nodes.entry(node.clone()).or_default().raise_floor(floor);
            }
            for run in &runs.runs {
                for seen in &run.seen {
                    self.insert_seen(node, seen.clone(), &run.content, run.conflicting);
                }
            }
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
        let from = Timestamp(t.0.saturating_sub(WINDOW_MS));
        from >= self.horizon()
            && self.nodes.values().all(|runs| runs.floor.is_none_or(|floor| floor < from))
    }

    /// Advertisements before this time are given up.
    pub fn horizon(&self) -> Timestamp {
        let newest = self.newest.filter(|_| !self.unbounded);
        Timestamp(newest.map_or(i64::MIN, |newest| newest.0.saturating_sub(HORIZON_MS)))
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
            return Taken { inserted: Inserted::TooOld, behind_horizon, over_limit: 0 };
        }
        let max_runs = if self.unbounded { usize::MAX } else { MAX_RUNS };
        // The entry interface alone would clone the node each time; nearly all are known.
        let runs = match self.nodes.get_mut(node) {
            Some(runs) => runs,
            None => self.nodes.entry(node.clone()).or_default(),
        };
        let inserted = runs.insert(seen, content, conflicting);
        Taken { inserted, behind_horizon, over_limit: runs.cap(max_runs) }
    }
}

impl Runs {
    /// The runs, oldest first.
    pub fn as_slice(&self) -> &[Run] {
        &self.runs
    }

    /// The intervals around `t` (lifecycle 7.10 step 3): advertisements within ±24 h, joined as long
    /// as the offers stay the same ignoring case. Oldest first.
    pub fn intervals(&self, t: Timestamp) -> Vec<Interval<'_>> {
        let low = Timestamp(t.0.saturating_sub(WINDOW_MS));
        let high = Timestamp(t.0.saturating_add(WINDOW_MS));
        let mut intervals: Vec<Interval<'_>> = Vec::new();
        for run in &self.runs {
            let from = run.seen.partition_point(|seen| seen.ts < low);
            let to = run.seen.partition_point(|seen| seen.ts <= high);
            let Some(seen) = run.seen.get(from..to).filter(|seen| !seen.is_empty()) else {
                continue;
            };
            let part = (&run.content, seen);
            match intervals.last_mut() {
                Some(last) if last.content().same_offers(&run.content) => last.parts.push(part),
                _ => intervals.push(Interval { parts: vec![part] }),
            }
        }
        intervals
    }

    fn insert(&mut self, seen: Seen, content: &Content, conflicting: bool) -> Inserted {
        if self.floor.is_some_and(|floor| seen.ts <= floor) {
            return Inserted::TooOld;
        }
        let after = self.runs.partition_point(|run| run.first() <= seen.ts);
        match after.checked_sub(1) {
            Some(at) if self.runs[at].last() >= seen.ts => {
                self.insert_within(at, seen, content, conflicting)
            }
            _ => {
                self.insert_between(after, seen, content, conflicting);
                Inserted::Changed
            }
        }
    }

    /// `seen` lies after run `after - 1` and before run `after`.
    fn insert_between(
        &mut self,
        after: usize,
        mut seen: Seen,
        content: &Content,
        conflicting: bool,
    ) {
        let joins = |run: &&mut Run| !conflicting && run.takes(content);
        if let Some(run) = after.checked_sub(1).and_then(|at| self.runs.get_mut(at)).filter(joins) {
            run.share(&mut seen);
            run.seen.push(seen);
        } else if let Some(run) = self.runs.get_mut(after).filter(joins) {
            run.seen.insert(0, seen);
        } else {
            self.runs
                .insert(after, Run { content: content.clone(), conflicting, seen: vec![seen] });
        }
    }

    /// `seen` lies within the times of run `at`.
    fn insert_within(
        &mut self,
        at: usize,
        mut seen: Seen,
        content: &Content,
        conflicting: bool,
    ) -> Inserted {
        let run = &mut self.runs[at];
        match run.seen.binary_search_by_key(&seen.ts, |known| known.ts) {
            Ok(place) => {
                let fits = if run.conflicting {
                    run.content.union(content) == run.content
                } else {
                    !conflicting && run.content == *content
                };
                let known = &mut run.seen[place];
                let news = known.unite(&seen);
                if fits {
                    return if news { Inserted::Changed } else { Inserted::Known };
                }
                let known = known.clone();
                let united = run.content.union(content);
                self.split(at, place, place + 1, Run::single(united, true, known));
            }
            Err(place) if !conflicting && run.takes(content) => {
                run.share(&mut seen);
                run.seen.insert(place, seen);
            }
            Err(place) => {
                let single = Run::single(content.clone(), conflicting, seen);
                self.split(at, place, place, single);
            }
        }
        Inserted::Changed
    }

    /// Replaces run `at` by its times up to `left`, then `middle`, then its times from `right`.
    fn split(&mut self, at: usize, left: usize, right: usize, middle: Run) {
        let run = self.runs.remove(at);
        let part = |seen: &[Seen]| {
            let part =
                Run { content: run.content.clone(), conflicting: false, seen: seen.to_vec() };
            Some(part).filter(|part| !part.seen.is_empty())
        };
        let parts = [part(&run.seen[..left]), Some(middle), part(&run.seen[right..])];
        self.runs.splice(at..at, parts.into_iter().flatten());
    }

    /// Returns how many runs are given up.
    fn cap(&mut self, max_runs: usize) -> u64 {
        let surplus = self.runs.len().saturating_sub(max_runs);
        if let Some(floor) = self.runs.drain(..surplus).next_back().map(|run| run.last()) {
            self.floor = Some(floor);
        }
        surplus as u64
    }

    fn raise_floor(&mut self, floor: Timestamp) {
        self.floor = self.floor.max(Some(floor));
        self.drop_while(|ts| ts <= floor);
    }

    /// Returns how many runs are given up.
    fn prune(&mut self, horizon: Timestamp) -> u64 {
        self.floor = self.floor.filter(|floor| *floor >= horizon);
        self.drop_while(|ts| ts < horizon)
    }

    fn drop_while(&mut self, old: impl Fn(Timestamp) -> bool) -> u64 {
        let gone = self.runs.partition_point(|run| old(run.last()));
        self.runs.drain(..gone);
        let runs = gone as u64;
        if let Some(run) = self.runs.first_mut() {
            let gone = run.seen.partition_point(|seen| old(seen.ts));
            run.seen.drain(..gone);
        }
        runs
    }
}

impl Run {
    /// What is advertised.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The advertisements, oldest first; never empty.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    fn single(content: Content, conflicting: bool, seen: Seen) -> Self {
        Self { content, conflicting, seen: vec![seen] }
    }

    /// Equal capacities are held once: mostly they are those of the newest advertisement.
    fn share(&self, seen: &mut Seen) {
        if let Some(last) = self.seen.last().filter(|last| last.capacities == seen.capacities) {
            seen.capacities = last.capacities.clone();
        }
    }

    fn takes(&self, content: &Content) -> bool {
        !self.conflicting && self.content == *content
    }

    fn first(&self) -> Timestamp {
        self.seen.first().map_or(Timestamp(i64::MAX), |seen| seen.ts)
    }

    fn last(&self) -> Timestamp {
        self.seen.last().map_or(Timestamp(i64::MIN), |seen| seen.ts)
    }
}

/// An advertised interval as a decision sees it: one or more runs with the same offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval<'i> {
    parts: Vec<(&'i Content, &'i [Seen])>,
}

impl<'i> Interval<'i> {
    /// The offers and aliases of the first run; later runs can differ in case and aliases.
    pub fn content(&self) -> &'i Content {
        self.parts[0].0
    }

    /// The advertisements, oldest first; at least one.
    pub fn seen(&self) -> impl DoubleEndedIterator<Item = &'i Seen> {
        self.parts.iter().flat_map(|(_, seen)| seen.iter())
    }

    /// The wallets that signed anywhere in the interval.
    pub fn aliases(&self) -> impl Iterator<Item = &'i str> {
        self.parts.iter().flat_map(|(content, _)| content.aliases.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests;
