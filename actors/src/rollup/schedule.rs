//! Which slices are to be computed again, and when: plain code, the clock is an argument.
//!
//! A shard names its dirty slices in every commit cycle until it hears that a computation has begun
//! after their rows were stored. So nothing here has to be durable, and a message may be lost.

use std::collections::BTreeMap;
use std::time::Duration;

use naap_protocol::slice::{DirtySlices, HOUR_MS};
use naap_protocol::time::Timestamp;

/// Slices of one organisation that are computed together.
const BATCH_HOURS: usize = 24;

/// How long an answer is remembered, ms: a shard that has not heard it is told again.
const REMEMBERED_MS: i64 = 300_000;

/// Hours that begin later than this, ms, are of no clock that could be right, and nobody waits for them.
const AHEAD_MS: i64 = 26 * HOUR_MS;

/// Dirty slices of one shard, as it names them, or as they are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Shard.
    pub shard: u16,
    /// Epoch that the cycles belong to.
    pub epoch: u64,
    /// The slices, each with the cycle that made it dirty last.
    pub dirty: DirtySlices,
}

/// Slices to compute now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Organisation.
    pub org: String,
    /// Hours, ascending.
    pub hours: Vec<Timestamp>,
}

/// A shard in one epoch.
type Claimant = (u16, u64);
/// An organisation and an hour.
type Slice = (String, Timestamp);
/// For every shard the cycle up to which it is covered.
type Claims = BTreeMap<Claimant, u64>;

#[derive(Debug)]
struct Pending {
    since: Timestamp,
    due: Timestamp,
    claims: Claims,
}

/// The dirty slices of all shards.
#[derive(Debug)]
pub struct Schedule {
    debounce_ms: i64,
    /// Bounded input: every hour is past, and nothing is due before the end.
    bounded: bool,
    pending: BTreeMap<Slice, Pending>,
    running: BTreeMap<Slice, Pending>,
    answered: BTreeMap<Slice, (Timestamp, Claims)>,
}

impl Schedule {
    /// A schedule without slices. One that became dirty is due after `debounce`, but not before its hour has
    /// begun, as clocks of gateways are ahead at times; in a bounded replay only at the end.
    pub fn new(debounce: Duration, bounded: bool) -> Self {
        let debounce_ms = i64::try_from(debounce.as_millis()).unwrap_or(i64::MAX);
        let (pending, running, answered) = Default::default();
        Self { debounce_ms, bounded, pending, running, answered }
    }

    /// Takes what a shard names. Returns the answer to what needs no computation: what was computed
    /// before, and hours so far ahead that their rows, should there be more, will name them again.
    pub fn mark(&mut self, marks: Marks, now: Timestamp) -> Option<Marks> {
        let Marks { shard, epoch, dirty } = marks;
        let claimant = (shard, epoch);
        let mut known = DirtySlices::default();
        for (org, hours) in dirty.0 {
            for (hour, cycle) in hours {
                let slice = (org.clone(), hour);
                let absurd = !self.bounded && hour.millis_since(now) > AHEAD_MS;
                if absurd || self.is_answered(&slice, claimant, cycle) {
                    known.0.entry(org.clone()).or_default().insert(hour, cycle);
                } else if !self.is_running(&slice, claimant, cycle) {
                    self.want(slice, claimant, cycle, now);
                }
            }
        }
        (!known.is_empty()).then_some(Marks { shard, epoch, dirty: known })
    }

    fn is_answered(&self, slice: &Slice, claimant: Claimant, cycle: u64) -> bool {
        let claims = self.answered.get(slice).map(|(_, claims)| claims);
        claims.and_then(|claims| claims.get(&claimant)).is_some_and(|&seen| cycle <= seen)
    }

    fn is_running(&self, slice: &Slice, claimant: Claimant, cycle: u64) -> bool {
        let claims = self.running.get(slice).map(|running| &running.claims);
        claims.and_then(|claims| claims.get(&claimant)).is_some_and(|&seen| cycle <= seen)
    }

    fn want(&mut self, slice: Slice, claimant: Claimant, cycle: u64, now: Timestamp) {
        let since = if self.bounded { now } else { now.max(slice.1) };
        let due = Timestamp(since.0.saturating_add(self.debounce_ms));
        let fresh = || Pending { since, due, claims: Claims::new() };
        let pending = self.pending.entry(slice).or_insert_with(fresh);
        let seen = pending.claims.entry(claimant).or_default();
        *seen = cycle.max(*seen);
    }

    /// The next slices to compute, of one organisation; `None` when nothing is due or something is
    /// being computed. `everything` does not wait for the debounce.
    pub fn next(&mut self, now: Timestamp, everything: bool) -> Option<Batch> {
        if !self.running.is_empty() || (self.bounded && !everything) {
            return None;
        }
        let due = |pending: &Pending| everything || pending.due <= now;
        let first = self.pending.iter().filter(|(_, p)| due(p)).min_by_key(|(_, p)| p.due)?;
        let org = first.0.0.clone();
        let from = (org.clone(), Timestamp(i64::MIN));
        let to = (org.clone(), Timestamp(i64::MAX));
        let due = self.pending.range(from..=to).filter(|(_, pending)| due(pending));
        let chosen: Vec<Slice> = due.map(|(slice, _)| slice.clone()).take(BATCH_HOURS).collect();
        for slice in &chosen {
            self.running.extend(self.pending.remove_entry(slice));
        }
        Some(Batch { org, hours: chosen.into_iter().map(|(_, hour)| hour).collect() })
    }

    /// What was handed out is computed. Returns the answers.
    pub fn done(&mut self, now: Timestamp) -> Vec<Marks> {
        let mut answers: BTreeMap<Claimant, DirtySlices> = BTreeMap::new();
        for ((org, hour), Pending { claims, .. }) in std::mem::take(&mut self.running) {
            for (&claimant, &cycle) in &claims {
                let dirty = answers.entry(claimant).or_default();
                dirty.0.entry(org.clone()).or_default().insert(hour, cycle);
            }
            self.answered.insert((org, hour), (now, claims));
        }
        self.answered.retain(|_, (at, _)| now.millis_since(*at) < REMEMBERED_MS);
        let answers = answers.into_iter();
        answers.map(|((shard, epoch), dirty)| Marks { shard, epoch, dirty }).collect()
    }

    /// What was handed out could not be computed; it is due again at `due`.
    pub fn failed(&mut self, due: Timestamp) {
        for (slice, failed) in std::mem::take(&mut self.running) {
            let Pending { since, claims, .. } = failed;
            let fresh = || Pending { since, due, claims: Claims::new() };
            let pending = self.pending.entry(slice).or_insert_with(fresh);
            (pending.since, pending.due) = (since, due);
            for (claimant, cycle) in claims {
                let seen = pending.claims.entry(claimant).or_default();
                *seen = cycle.max(*seen);
            }
        }
    }

    /// Slices that wait or are being computed.
    pub fn len(&self) -> usize {
        self.pending.len() + self.running.len()
    }

    /// True when every slice is computed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Since when the oldest dirty slice has waited.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.pending.values().chain(self.running.values()).map(|pending| pending.since).min()
    }
}
