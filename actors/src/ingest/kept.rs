//! The newest records that not every shard has claimed: what a shard misses is sent again from here, as
//! far as it goes, and only what is older is read from Kafka again.

use std::collections::{BTreeMap, VecDeque};

use naap_protocol::state::SourcePartition;

use super::RecordBatch;

/// Copies of batches, the oldest first, within a budget.
#[derive(Debug)]
pub(super) struct Kept {
    budget: usize,
    bytes: usize,
    /// Each with the first offset that it stands for.
    batches: VecDeque<(u64, RecordBatch)>,
    /// Per partition the end of its newest batch, which the next one joins.
    ends: BTreeMap<SourcePartition, u64>,
}

impl Kept {
    /// Keeps at most `budget` bytes; none keeps nothing.
    pub(super) fn new(budget: usize) -> Self {
        Self { budget, bytes: 0, batches: VecDeque::new(), ends: BTreeMap::new() }
    }

    /// The batches of `source` that follow begin at `offset`.
    pub(super) fn begin(&mut self, source: &SourcePartition, offset: u64) {
        self.forget(source);
        self.ends.insert(source.clone(), offset);
    }

    /// No batch of `source` is of use any more.
    pub(super) fn forget(&mut self, source: &SourcePartition) {
        self.ends.remove(source);
        let bytes = &mut self.bytes;
        self.batches.retain(|(_, batch)| {
            let stays = batch.source != *source;
            *bytes -= if stays { 0 } else { cost(batch) };
            stays
        });
    }

    /// Keeps the next batch of its partition.
    pub(super) fn keep(&mut self, batch: &RecordBatch) {
        let Some(end) = self.ends.get_mut(&batch.source) else { return };
        if self.budget == 0 {
            return;
        }
        let from = std::mem::replace(end, batch.next_offset);
        self.bytes += cost(batch);
        self.batches.push_back((from, batch.clone()));
        while self.bytes > self.budget {
            self.drop_oldest();
        }
    }

    /// Every shard has claimed what lies before these offsets.
    pub(super) fn applied(&mut self, applied: &BTreeMap<SourcePartition, u64>) {
        let is_done = |(_, batch): &(u64, RecordBatch)| {
            applied.get(&batch.source).is_some_and(|&to| to >= batch.next_offset)
        };
        while self.batches.front().is_some_and(is_done) {
            self.drop_oldest();
        }
    }

    /// Everything of `source` from `offset` on; `None` where that is not all here.
    pub(super) fn from(&self, source: &SourcePartition, offset: u64) -> Option<Vec<RecordBatch>> {
        let mut of = self.batches.iter().filter(|(_, batch)| batch.source == *source).peekable();
        of.peek().filter(|(from, _)| *from <= offset)?;
        Some(of.filter(|(_, b)| b.next_offset > offset).map(|(_, b)| b.clone()).collect())
    }

    fn drop_oldest(&mut self) {
        if let Some((_, batch)) = self.batches.pop_front() {
            self.bytes -= cost(&batch);
        }
    }
}

/// Bytes that a batch takes.
fn cost(batch: &RecordBatch) -> usize {
    batch.data.len() + batch.records.len() * size_of::<super::RecordEntry>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(partition: u32) -> SourcePartition {
        SourcePartition { topic: "t".into(), partition }
    }

    fn batch(partition: u32, next_offset: u64) -> RecordBatch {
        RecordBatch { source: source(partition), records: vec![], next_offset, data: vec![0; 10] }
    }

    fn ends(kept: &Kept, partition: u32, offset: u64) -> Option<Vec<u64>> {
        let found = kept.from(&source(partition), offset)?;
        Some(found.iter().map(|batch| batch.next_offset).collect())
    }

    #[test]
    fn what_is_all_there_is_found_and_nothing_else() {
        let mut kept = Kept::new(50);
        kept.keep(&batch(0, 5));
        assert_eq!(ends(&kept, 0, 0), None, "nobody knows where it begins");
        kept.begin(&source(0), 5);
        kept.begin(&source(1), 0);
        for next in [10, 20, 30] {
            kept.keep(&batch(0, next));
        }
        kept.keep(&batch(1, 7));
        assert_eq!(ends(&kept, 0, 5).unwrap(), [10, 20, 30]);
        assert_eq!(ends(&kept, 0, 12).unwrap(), [20, 30]);
        assert_eq!(ends(&kept, 0, 4), None);
        kept.applied(&BTreeMap::from([(source(0), 19)]));
        assert_eq!(ends(&kept, 0, 9), None);
        assert_eq!(ends(&kept, 0, 10).unwrap(), [20, 30]);
        kept.keep(&batch(1, 8));
        kept.keep(&batch(1, 9));
        assert_eq!(kept.bytes, 50);
        kept.keep(&batch(1, 10));
        assert_eq!(ends(&kept, 0, 10), None, "it was the oldest");
        assert_eq!(ends(&kept, 0, 20).unwrap(), [30]);
        kept.begin(&source(1), 3);
        assert_eq!((kept.bytes, ends(&kept, 1, 3)), (10, None));
    }
}
