//! What a shard counts between two commit cycles.

use std::collections::BTreeMap;

use naap_protocol::gate::Reason;
use naap_protocol::state::Verdict;

use crate::names;

/// Counts since the last [`super::ShardCore::take_counts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardCounts {
    /// First deliveries of an event.
    pub accepted: u64,
    /// The same, by family.
    pub accepted_by_family: BTreeMap<&'static str, u64>,
    /// Further deliveries of known events.
    pub duplicates: u64,
    /// Deliveries that carried other content under a known uid.
    pub conflicts: u64,
    /// The same record once more.
    pub redelivered: u64,
    /// Sessions first seen.
    pub sessions: u64,
    /// Panics inside a session.
    pub panics: u64,
    /// Entities put to sleep.
    pub passivated: u64,
    /// Rows that were replaced because evidence came after they had been written.
    pub corrections: u64,
    /// Events of sessions that are over.
    pub late_expired: u64,
    /// Dead letters that were written for parts of accepted records, by reason: entries of a capability
    /// event that can not be read, rows over the size guard, events on which a fold panicked.
    pub letters: BTreeMap<&'static str, u64>,
}

/// Adds `others` to `counts`, by name.
pub(crate) fn add_all(
    counts: &mut BTreeMap<&'static str, u64>,
    others: impl IntoIterator<Item = (&'static str, u64)>,
) {
    for (name, count) in others {
        *counts.entry(name).or_default() += count;
    }
}

impl ShardCounts {
    /// Adds `other`.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        add_all(&mut self.accepted_by_family, other.accepted_by_family);
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.redelivered += other.redelivered;
        self.sessions += other.sessions;
        self.panics += other.panics;
        self.passivated += other.passivated;
        self.corrections += other.corrections;
        self.late_expired += other.late_expired;
        add_all(&mut self.letters, other.letters);
    }

    /// Counts in the metrics of the node what the shards have put beside the facts. The ingest counts what the
    /// gate has: no record or part of one is in both.
    pub(crate) fn publish_rejects(&self) {
        metrics::counter!(names::DUPLICATES).increment(self.duplicates);
        let conflicts = (Reason::IdConflict.label(), self.conflicts);
        let letters = self.letters.iter().map(|(&reason, &count)| (reason, count));
        for (reason, count) in letters.chain([conflicts]) {
            metrics::counter!(names::REJECTED, "reason" => reason).increment(count);
        }
    }

    pub(super) fn sighted(&mut self, verdict: Verdict, family: &'static str) {
        match verdict {
            Verdict::New => {
                self.accepted += 1;
                *self.accepted_by_family.entry(family).or_default() += 1;
            }
            Verdict::Redelivery => self.redelivered += 1,
            Verdict::Duplicate => self.duplicates += 1,
            Verdict::Conflict => self.conflicts += 1,
        }
    }
}
