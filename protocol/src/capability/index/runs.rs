//! The runs of one node, and the intervals that decisions read off them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::contest::{Amended, Contested};
use super::{Inserted, WINDOW_MS, before};
use crate::capability::advertise::{Capacities, Content, greatest};
use crate::time::Timestamp;

/// The runs of one node in time order, never empty inside an [`Index`](super::Index).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// Newest advertisement given up because of [`MAX_RUNS`]; nothing up to it is taken again.
    pub(super) floor: Option<Timestamp>,
    pub(super) all: Vec<Run>,
    /// Moments of which not all counts. Follows from the runs and what is contested.
    #[serde(skip)]
    amended: BTreeMap<Timestamp, Amended>,
}

/// Consecutive advertisements of identical content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub(super) content: Content,
    /// One moment with several contents, united.
    pub(super) conflicting: bool,
    pub(super) seen: Vec<Seen>,
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
    /// Hash of the content of the event with this uid; 0 in a state of version 2.
    #[serde(default)]
    pub(super) hash: u64,
    /// What each of several events said, ascending; empty when it was one.
    #[serde(default)]
    pub(super) said: Vec<Said>,
}

/// What one of several events of a moment said of the node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) uid: String,
    pub(super) hash: u64,
    pub(super) content: Content,
    pub(super) capacities: Capacities,
}

impl Seen {
    /// Uid and content hash of each event.
    pub(super) fn editions(&self) -> impl Iterator<Item = (&str, u64)> {
        let one = self.said.is_empty().then_some((self.uid.as_str(), self.hash));
        one.into_iter().chain(self.said.iter().map(|said| (said.uid.as_str(), said.hash)))
    }

    /// What each event said; that was `content` where it was one.
    fn parts(&self, content: &Content) -> Vec<Said> {
        if !self.said.is_empty() {
            return self.said.clone();
        }
        let (uid, hash, capacities) = (self.uid.clone(), self.hash, self.capacities.clone());
        vec![Said { uid, hash, content: content.clone(), capacities }]
    }

    /// Takes in other events of the same moment, which said `theirs` where this one said `mine`. `true`
    /// when that is news.
    fn unite(&mut self, mine: &Content, other: &Self, theirs: &Content) -> bool {
        if mine == theirs && self == other {
            return false;
        }
        let before = self.parts(mine);
        let mut said = before.clone();
        said.extend(other.parts(theirs));
        said.sort_unstable();
        said.dedup();
        let news = said != before;
        if let Some(first) = said.first().filter(|_| news) {
            (self.uid, self.hash) = (first.uid.clone(), first.hash);
            let none = Capacities::default();
            self.capacities = said.iter().fold(none, |all, said| greatest(&all, &said.capacities));
            self.said = said;
        }
        news
    }
}

/// Adds advertisements to the last interval if they say the same.
fn join<'i>(intervals: &mut Vec<Interval<'i>>, part: (&'i Content, &'i [Seen])) {
    match intervals.last_mut() {
        _ if part.1.is_empty() => {}
        Some(last) if last.content().same_offers(part.0) => last.parts.push(part),
        _ => intervals.push(Interval { parts: vec![part] }),
    }
}

impl Runs {
    /// The runs, oldest first.
    pub fn as_slice(&self) -> &[Run] {
        &self.all
    }

    /// The intervals around `t` (lifecycle 7.10 step 3): advertisements within ±24 h, joined as long
    /// as the offers stay the same ignoring case. Oldest first.
    pub fn intervals(&self, t: Timestamp) -> Vec<Interval<'_>> {
        let low = before(t, WINDOW_MS);
        let high = Timestamp(t.0.saturating_add(WINDOW_MS));
        let mut intervals: Vec<Interval<'_>> = Vec::new();
        for run in &self.all {
            let from = run.seen.partition_point(|seen| seen.ts < low);
            let to = run.seen.partition_point(|seen| seen.ts <= high);
            let mut seen = run.seen.get(from..to).unwrap_or_default();
            while let Some((place, amended)) = self.next_amended(seen) {
                join(&mut intervals, (&run.content, &seen[..place]));
                if let Amended(Some((content, seen))) = amended {
                    join(&mut intervals, (content, seen));
                }
                seen = &seen[place + 1..];
            }
            join(&mut intervals, (&run.content, seen));
        }
        intervals
    }

    /// The first moment among `seen` of which not all counts.
    fn next_amended(&self, seen: &[Seen]) -> Option<(usize, &Amended)> {
        let (first, last) = (seen.first()?.ts, seen.last()?.ts);
        // A damaged state may have no order, and no range then.
        self.amended.range(first..=last.max(first)).find_map(|(ts, amended)| {
            let place = seen.binary_search_by_key(ts, |seen| seen.ts).ok()?;
            Some((place, amended))
        })
    }

    /// Finds the moments of which not all counts.
    pub(super) fn amend(&mut self, contested: &Contested) {
        self.amended.clear();
        if !contested.is_empty() {
            let seen = self.all.iter().flat_map(Run::seen);
            let amended = seen.filter_map(|seen| Some((seen.ts, contested.amended(seen)?)));
            self.amended.extend(amended);
        }
    }

    /// The same for one moment.
    pub(super) fn amend_at(&mut self, ts: Timestamp, contested: &Contested) {
        if contested.is_empty() {
            return;
        }
        self.amended.remove(&ts);
        let after = self.all.partition_point(|run| run.first() <= ts);
        let run = after.checked_sub(1).and_then(|at| self.all.get(at));
        let place = run.and_then(|run| Some((run, run.place(ts)?)));
        let amended = place.and_then(|(run, place)| contested.amended(&run.seen[place]));
        self.amended.extend(amended.map(|amended| (ts, amended)));
    }

    pub(super) fn insert(&mut self, seen: Seen, content: &Content, conflicting: bool) -> Inserted {
        if self.floor.is_some_and(|floor| seen.ts <= floor) {
            return Inserted::TooOld;
        }
        let after = self.all.partition_point(|run| run.first() <= seen.ts);
        match after.checked_sub(1) {
            Some(at) if self.all[at].last() >= seen.ts => {
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
        if let Some(run) = after.checked_sub(1).and_then(|at| self.all.get_mut(at)).filter(joins) {
            run.share(&mut seen);
            run.seen.push(seen);
        } else if let Some(run) = self.all.get_mut(after).filter(joins) {
            run.seen.insert(0, seen);
        } else {
            self.all.insert(after, Run { content: content.clone(), conflicting, seen: vec![seen] });
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
        let run = &mut self.all[at];
        match run.seen.binary_search_by_key(&seen.ts, |known| known.ts) {
            Ok(place) => {
                let fits = if run.conflicting {
                    run.content.union(content) == run.content
                } else {
                    !conflicting && run.content == *content
                };
                let known = &mut run.seen[place];
                let news = known.unite(&run.content, &seen, content);
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
        let run = self.all.remove(at);
        let part = |seen: &[Seen]| {
            let part =
                Run { content: run.content.clone(), conflicting: false, seen: seen.to_vec() };
            Some(part).filter(|part| !part.seen.is_empty())
        };
        let parts = [part(&run.seen[..left]), Some(middle), part(&run.seen[right..])];
        self.all.splice(at..at, parts.into_iter().flatten());
    }

    /// Returns how many runs are given up.
    pub(super) fn cap(&mut self, max_runs: usize) -> u64 {
        let surplus = self.all.len().saturating_sub(max_runs);
        if let Some(floor) = self.all.drain(..surplus).next_back().map(|run| run.last()) {
            self.floor = Some(floor);
            self.amended.retain(|ts, _| *ts > floor);
        }
        surplus as u64
    }

    pub(super) fn raise_floor(&mut self, floor: Timestamp) {
        self.floor = self.floor.max(Some(floor));
        self.drop_while(|ts| ts <= floor);
    }

    /// Returns how many runs are given up.
    pub(super) fn prune(&mut self, horizon: Timestamp) -> u64 {
        self.floor = self.floor.filter(|floor| *floor >= horizon);
        self.drop_while(|ts| ts < horizon)
    }

    fn drop_while(&mut self, old: impl Fn(Timestamp) -> bool) -> u64 {
        self.amended.retain(|ts, _| !old(*ts));
        let gone = self.all.partition_point(|run| old(run.last()));
        self.all.drain(..gone);
        let runs = gone as u64;
        if let Some(run) = self.all.first_mut() {
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

    pub(super) fn single(content: Content, conflicting: bool, seen: Seen) -> Self {
        Self { content, conflicting, seen: vec![seen] }
    }

    /// Equal capacities are held once: mostly they are those of the newest advertisement.
    fn share(&self, seen: &mut Seen) {
        if let Some(last) = self.seen.last().filter(|last| last.capacities == seen.capacities) {
            seen.capacities = last.capacities.clone();
        }
    }

    /// Place of the moment `ts`.
    fn place(&self, ts: Timestamp) -> Option<usize> {
        self.seen.binary_search_by_key(&ts, |seen| seen.ts).ok()
    }

    pub(super) fn takes(&self, content: &Content) -> bool {
        !self.conflicting && self.content == *content
    }

    pub(super) fn first(&self) -> Timestamp {
        self.seen.first().map_or(Timestamp(i64::MAX), |seen| seen.ts)
    }

    pub(super) fn last(&self) -> Timestamp {
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
