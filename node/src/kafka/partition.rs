//! What the thread knows of a partition. Pure.

use std::time::Instant;

use naap_protocol::state::SourcePartition;

use super::start::Start;

/// What is done with a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its records are read and handed over.
    Reading,
    /// It is given away once everything handed over is applied, or at this time.
    Leaving(Instant),
    /// It stands still until somebody acts.
    Stopped,
}

/// A partition that the group has assigned to this node.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub source: SourcePartition,
    pub phase: Phase,
    /// The client fetches it.
    pub fetched: bool,
    /// Where the ranges of the ingest begin.
    pub start: u64,
    /// First offset that was not handed over.
    pub next: u64,
    /// Highest offset that a broker has confirmed as committed.
    pub committed: u64,
    /// First offset that Kafka did not hold when last looked at.
    pub end: u64,
    /// The same as a broker has answered it: the client may remember the end of a topic that was made anew.
    pub held: u64,
    /// A shard has applied everything before this offset.
    pub ahead: u64,
}

impl Partition {
    /// A partition that is read from `start`, which is committed.
    pub fn reading(source: SourcePartition, start: Start, end: u64) -> Self {
        let Start { position, read_from } = start;
        let phase = Phase::Reading;
        Self {
            source,
            phase,
            fetched: true,
            start: position,
            next: read_from,
            committed: position,
            end,
            held: end,
            ahead: 0,
        }
    }

    /// A partition that can not be read.
    pub fn stopped(source: SourcePartition, end: u64) -> Self {
        Self {
            source,
            phase: Phase::Stopped,
            fetched: false,
            start: end,
            next: end,
            committed: end,
            end,
            held: end,
            ahead: 0,
        }
    }

    /// It is read, and a shard has applied more of it than Kafka is known to have held.
    pub fn is_doubted(&self) -> bool {
        self.phase == Phase::Reading && self.ahead > self.held.max(self.next)
    }

    /// Everything handed over is durably applied.
    pub fn is_settled(&self, applied: Option<u64>) -> bool {
        self.next == self.start || applied.is_some_and(|applied| applied >= self.next)
    }

    /// The partition may be given away.
    pub fn may_leave(&self, applied: Option<u64>, now: Instant) -> bool {
        match self.phase {
            Phase::Reading => false,
            Phase::Leaving(until) => self.is_settled(applied) || now >= until,
            Phase::Stopped => true,
        }
    }

    /// The offset to commit, if it is further than the last one.
    pub fn to_commit(&self, applied: Option<u64>) -> Option<u64> {
        applied.filter(|&applied| applied > self.committed)
    }

    /// Records that are not durably applied.
    pub fn lag(&self, applied: Option<u64>) -> u64 {
        let applied = applied.unwrap_or(self.start).max(self.start);
        self.end.max(self.next).saturating_sub(applied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_partition_leaves_when_it_is_settled_or_its_time_is_up() {
        let source = SourcePartition { topic: "t".into(), partition: 0 };
        let now = Instant::now();
        let until = now + Duration::from_secs(5);
        let start = Start { position: 10, read_from: 10 };
        let mut partition = Partition::reading(source.clone(), start, 40);
        assert!(!partition.may_leave(Some(40), now));
        partition.phase = Phase::Leaving(until);
        assert!(partition.may_leave(None, now), "nothing was handed over");
        partition.next = 30;
        assert!(!partition.may_leave(None, now));
        assert!(!partition.may_leave(Some(29), now));
        assert!(partition.may_leave(Some(30), now));
        assert!(partition.may_leave(Some(29), until));
        assert!(Partition::stopped(source, 5).may_leave(None, now));
    }

    #[test]
    fn a_partition_is_doubted_until_kafka_holds_what_is_applied() {
        let source = SourcePartition { topic: "t".into(), partition: 0 };
        let start = Start { position: 10, read_from: 10 };
        let mut partition = Partition::reading(source.clone(), start, 40);
        assert!(!partition.is_doubted());
        partition.ahead = 40;
        assert!(!partition.is_doubted(), "the broker has said so at the start");
        (partition.ahead, partition.end) = (50, 60);
        assert!(partition.is_doubted(), "the client may remember another topic");
        partition.next = 50;
        assert!(!partition.is_doubted(), "all of it was read");
        (partition.next, partition.held) = (45, 50);
        assert!(!partition.is_doubted());
        partition.ahead = 51;
        assert!(partition.is_doubted());
        partition.phase = Phase::Leaving(Instant::now());
        assert!(!partition.is_doubted(), "the next owner will see");
        let stopped = Partition { ahead: 51, ..Partition::stopped(source, 5) };
        assert!(!stopped.is_doubted());
    }

    #[test]
    fn only_progress_is_committed_and_lag_counts_what_is_not_applied() {
        let source = SourcePartition { topic: "t".into(), partition: 0 };
        let start = Start { position: 10, read_from: 12 };
        let partition = Partition::reading(source, start, 40);
        assert_eq!(partition.to_commit(None), None);
        assert_eq!(partition.to_commit(Some(10)), None);
        assert_eq!(partition.to_commit(Some(13)), Some(13));
        assert_eq!(partition.lag(None), 30);
        assert_eq!(partition.lag(Some(35)), 5);
        assert_eq!(partition.lag(Some(45)), 0);
        assert!(!partition.is_settled(Some(11)), "the gap must be applied too");
    }
}
