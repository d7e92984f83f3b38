//! Batches of one round: what is there now, sorted by partition, up to a limit.

use naap_actors::ingest::{RecordBatch, RecordEntry};
use naap_protocol::state::SourcePartition;
use naap_protocol::time::Timestamp;

/// Most records of a round.
const ROUND_RECORDS: usize = 10_000;

/// One record as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read<'a> {
    pub offset: u64,
    pub record_ts: Option<Timestamp>,
    pub value: Option<&'a [u8]>,
}

/// Collects the records of a round.
#[derive(Debug)]
pub(super) struct Batches {
    open: Vec<RecordBatch>,
    /// The batch added to last: records of a partition come in runs.
    last: usize,
    records: usize,
    bytes: usize,
    limit_bytes: usize,
}

impl Batches {
    /// Rounds of about `limit_bytes`; the record that reaches the limit is the last.
    pub fn new(limit_bytes: usize) -> Self {
        Self { open: Vec::new(), last: 0, records: 0, bytes: 0, limit_bytes }
    }

    /// More records fit into this round.
    pub fn has_room(&self) -> bool {
        self.records < ROUND_RECORDS && self.bytes < self.limit_bytes
    }

    /// Adds a record; those of a partition come in the order of their offsets.
    pub fn push(&mut self, source: &SourcePartition, record: Read<'_>) {
        if self.open.get(self.last).is_none_or(|batch| batch.source != *source) {
            let known = self.open.iter().position(|batch| batch.source == *source);
            self.last = known.unwrap_or_else(|| {
                self.open.push(empty(source.clone(), record.offset));
                self.open.len() - 1
            });
        }
        let batch = &mut self.open[self.last];
        let value = record.value.map(|value| {
            let begin = batch.data.len();
            batch.data.extend_from_slice(value);
            begin..batch.data.len()
        });
        self.records += 1;
        self.bytes += record.value.map_or(0, <[u8]>::len);
        batch.next_offset = record.offset + 1;
        let Read { offset, record_ts, .. } = record;
        batch.records.push(RecordEntry { offset, record_ts, value });
    }

    /// Ends the round.
    pub fn take(&mut self) -> Vec<RecordBatch> {
        (self.last, self.records, self.bytes) = (0, 0, 0);
        std::mem::take(&mut self.open)
    }
}

/// A batch without records that covers everything before `next_offset`.
pub(super) fn empty(source: SourcePartition, next_offset: u64) -> RecordBatch {
    RecordBatch { source, records: Vec::new(), next_offset, data: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(offset: u64, value: Option<&[u8]>) -> Read<'_> {
        Read { offset, record_ts: Some(Timestamp(5)), value }
    }

    #[test]
    fn records_are_sorted_by_partition_and_keep_their_order() {
        let source = |partition| SourcePartition { topic: "t".into(), partition };
        let mut batches = Batches::new(100);
        batches.push(&source(0), read(7, Some(b"ab")));
        batches.push(&source(1), read(3, None));
        batches.push(&source(0), read(9, Some(b"")));
        let round = batches.take();
        assert_eq!(round.len(), 2);
        assert_eq!(round[0].source, source(0));
        assert_eq!(round[0].next_offset, 10);
        assert_eq!(round[0].data, b"ab");
        let ranges: Vec<_> = round[0].records.iter().map(|r| (r.offset, r.value.clone())).collect();
        assert_eq!(ranges, [(7, Some(0..2)), (9, Some(2..2))]);
        assert_eq!(round[1].records[0].value, None);
        assert_eq!(round[1].next_offset, 4);
        assert!(batches.take().is_empty());
    }

    #[test]
    fn a_round_ends_at_its_limits() {
        let source = SourcePartition { topic: "t".into(), partition: 0 };
        let mut batches = Batches::new(4);
        batches.push(&source, read(0, Some(b"abc")));
        assert!(batches.has_room());
        batches.push(&source, read(1, Some(b"d")));
        assert!(!batches.has_room());
        batches.take();
        for offset in 0..ROUND_RECORDS as u64 {
            assert!(batches.has_room());
            batches.push(&source, read(offset, None));
        }
        assert!(!batches.has_room());
    }
}
