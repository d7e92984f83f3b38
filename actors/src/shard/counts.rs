//! What a shard counts between two commit cycles.

use naap_protocol::state::Verdict;

/// Counts since the last [`super::ShardCore::take_counts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardCounts {
    /// First deliveries of an event.
    pub accepted: u64,
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
}

impl ShardCounts {
    /// Adds `other`.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.redelivered += other.redelivered;
        self.sessions += other.sessions;
        self.panics += other.panics;
        self.passivated += other.passivated;
        self.corrections += other.corrections;
        self.late_expired += other.late_expired;
    }

    pub(super) fn sighted(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::New => self.accepted += 1,
            Verdict::Redelivery => self.redelivered += 1,
            Verdict::Duplicate => self.duplicates += 1,
            Verdict::Conflict => self.conflicts += 1,
        }
    }
}
