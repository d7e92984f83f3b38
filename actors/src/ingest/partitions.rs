//! Per source partition: how far it was read and up to where each shard was served.

use std::collections::BTreeMap;

use naap_protocol::state::SourcePartition;

use crate::shard::Mark;

/// How far one partition is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reading {
    /// First offset not read yet.
    next: u64,
    /// Per shard the first offset that no envelope or mark has stood for yet.
    served: Vec<u64>,
    /// No shard has been told of the partition yet.
    fresh: bool,
}

/// The partitions that this node reads.
#[derive(Clone, Debug, Default)]
pub struct Partitions {
    shards: usize,
    readings: BTreeMap<SourcePartition, Reading>,
}

impl Partitions {
    /// No partition yet, for a cluster of `shards`.
    pub fn new(shards: u16) -> Self {
        Self { shards: usize::from(shards), readings: BTreeMap::new() }
    }

    /// Starts to read `source` at `offset`.
    pub fn assign(&mut self, source: SourcePartition, offset: u64) {
        let served = vec![offset; self.shards];
        self.readings.insert(source, Reading { next: offset, served, fresh: true });
    }

    /// Ends the reading of `source`; what was read of it and is not applied is not waited for.
    pub fn unassign(&mut self, source: &SourcePartition) {
        self.readings.remove(source);
    }

    /// Notes that `source` was read up to `next`; `false` when it was never assigned.
    #[must_use]
    pub fn read(&mut self, source: &SourcePartition, next: u64) -> bool {
        let Some(reading) = self.readings.get_mut(source) else { return false };
        reading.next = reading.next.max(next);
        true
    }

    /// The range (from, to] that an envelope for `shard` stands for when it holds everything up to
    /// `to`; the shard counts as served up to there.
    pub fn serve(&mut self, source: &SourcePartition, shard: u16, to: u64) -> u64 {
        let Some(reading) = self.readings.get_mut(source) else { return to };
        reading.served.get_mut(usize::from(shard)).map_or(to, |s| std::mem::replace(s, to))
    }

    /// Marks for every shard that lags behind what was read, unless `is_waiting(shard)` says that
    /// envelopes for it have not gone out yet. A new partition is marked in any case, so that its
    /// start is claimed even while it holds nothing.
    pub fn marks(&mut self, is_waiting: impl Fn(u16) -> bool) -> Vec<(u16, Mark)> {
        let mut marks = Vec::new();
        for (source, reading) in &mut self.readings {
            let fresh = std::mem::take(&mut reading.fresh);
            for (shard, served) in reading.served.iter_mut().enumerate() {
                let shard = shard as u16;
                if (fresh || *served < reading.next) && !is_waiting(shard) {
                    let (from, to) = (std::mem::replace(served, reading.next), reading.next);
                    marks.push((shard, Mark { source: source.clone(), from, to }));
                }
            }
        }
        marks
    }

    /// True when `applied` covers everything that was read.
    pub fn all_applied(&self, applied: &BTreeMap<SourcePartition, u64>) -> bool {
        let covered = |(source, reading): (&SourcePartition, &Reading)| {
            applied.get(source).is_some_and(|&to| to >= reading.next)
        };
        self.readings.iter().all(covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_close_the_ranges_that_envelopes_left_open() {
        let source = SourcePartition { topic: "t".into(), partition: 0 };
        let mut partitions = Partitions::new(3);
        partitions.assign(source.clone(), 10);
        assert!(partitions.read(&source, 20));
        assert_eq!(partitions.serve(&source, 1, 20), 10);
        let mark = Mark { source: source.clone(), from: 10, to: 20 };
        let start = Mark { source: source.clone(), from: 20, to: 20 };
        let first = partitions.marks(|shard| shard == 2);
        assert_eq!(first, [(0, mark.clone()), (1, start)], "a new partition is marked in any case");
        assert_eq!(partitions.marks(|_| false), [(2, mark)]);
        assert_eq!(partitions.marks(|_| false), []);
        assert!(!partitions.all_applied(&BTreeMap::from([(source.clone(), 19)])));
        assert!(partitions.all_applied(&BTreeMap::from([(source, 20)])));
    }

    #[test]
    fn a_partition_that_was_given_away_is_not_waited_for() {
        let source = SourcePartition { topic: "t".into(), partition: 0 };
        let mut partitions = Partitions::new(1);
        partitions.assign(source.clone(), 10);
        assert!(partitions.read(&source, 11));
        assert!(!partitions.all_applied(&BTreeMap::new()));
        partitions.unassign(&source);
        assert!(partitions.all_applied(&BTreeMap::new()));
        assert_eq!(partitions.marks(|_| false), []);
        assert!(!partitions.read(&source, 12));
    }
}
