//! Rows on their way to the sinks: one `RowBinary` buffer per table, no allocation per row.

use bytes::Bytes;
use naap_protocol::rows::{Row, RowTooLarge, TableSpec, append};
use naap_protocol::slice::{Slices, Touch};
use naap_protocol::state::row_hash;

/// Versioned rows end in version and insert time, eight bytes each.
const WRITE_STAMP: usize = 16;

/// A buffer is closed at this size: a burst of rows then lies in pieces of one size, without the
/// copies and the half-empty megabytes of one that doubles. What is left up to the next power of two
/// takes a row of the usual length.
const PIECE: usize = 56 << 10;

/// Capacity of a buffer that is expected to fill a piece.
const PIECE_CAPACITY: usize = 64 << 10;

/// Encoded rows of one table.
#[derive(Clone, Debug)]
pub struct RowBatch {
    /// The table.
    pub table: &'static TableSpec,
    /// Number of rows.
    pub count: u64,
    /// The rows as `RowBinary`, without header.
    pub rows: Bytes,
}

/// Buffers rows per table until they are taken.
#[derive(Debug, Default)]
pub struct Outbox {
    buffers: Vec<Buffer>,
    closed: Vec<RowBatch>,
    bytes: usize,
    slices: Slices,
}

#[derive(Debug)]
struct Buffer {
    table: &'static TableSpec,
    count: u64,
    rows: Vec<u8>,
}

impl Outbox {
    /// Adds a row.
    ///
    /// # Errors
    /// When the encoded row exceeds the guard; the buffer is as before.
    pub fn push<R: Row>(&mut self, row: &R) -> Result<(), RowTooLarge> {
        let buffer = buffer_of(&mut self.buffers, R::SPEC);
        self.bytes += append(row, &mut buffer.rows)?;
        buffer.count += 1;
        if let Some(touch) = row.touches() {
            self.slices.touch(touch);
        }
        if buffer.rows.len() >= PIECE {
            self.closed.push(buffer.close(PIECE_CAPACITY));
        }
        Ok(())
    }

    /// Adds a versioned row unless its content, everything but version and insert time, has the hash
    /// `last`. Returns the hash of what was added; it is never 0.
    ///
    /// # Errors
    /// When the encoded row exceeds the guard; the buffer is as before.
    pub fn push_changed<R: Row>(&mut self, row: &R, last: u64) -> Result<Option<u64>, RowTooLarge> {
        let buffer = buffer_of(&mut self.buffers, R::SPEC);
        let start = buffer.rows.len();
        let len = append(row, &mut buffer.rows)?;
        let content = &buffer.rows[start..buffer.rows.len() - WRITE_STAMP];
        let hash = row_hash(content);
        if hash == last {
            buffer.rows.truncate(start);
            return Ok(None);
        }
        self.bytes += len;
        buffer.count += 1;
        if let Some(touch) = row.touches() {
            self.slices.touch(touch);
        }
        Ok(Some(hash))
    }

    /// Notes slices that a row enters in a way that it can not tell by itself.
    pub fn touch(&mut self, touch: Touch<'_>) {
        self.slices.touch(touch);
    }

    /// The slices that rows have entered and that were not taken out yet.
    pub fn slices(&mut self) -> &mut Slices {
        &mut self.slices
    }

    /// Bytes buffered over all tables.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes everything; the batches of a table are in the order of their rows.
    pub fn take(&mut self) -> Vec<RowBatch> {
        self.bytes = 0;
        let mut batches = std::mem::take(&mut self.closed);
        // Most tables need about as much again: growing step by step would copy it. A burst must
        // not size a buffer for ever.
        let open = self.buffers.iter_mut().filter(|b| b.count > 0);
        batches.extend(open.map(|b| b.close(b.rows.len().min(16 << 10))));
        batches
    }
}

impl Buffer {
    /// The rows so far; what comes next has room for `capacity` bytes.
    fn close(&mut self, capacity: usize) -> RowBatch {
        RowBatch {
            table: self.table,
            count: std::mem::take(&mut self.count),
            rows: Bytes::from(std::mem::replace(&mut self.rows, Vec::with_capacity(capacity))),
        }
    }
}

fn buffer_of<'a>(buffers: &'a mut Vec<Buffer>, table: &'static TableSpec) -> &'a mut Buffer {
    // A dozen tables at most: a scan over pointers beats a map.
    let known = buffers.iter().position(|b| std::ptr::eq(b.table, table));
    let index = known.unwrap_or_else(|| {
        buffers.push(Buffer { table, count: 0, rows: Vec::new() });
        buffers.len() - 1
    });
    &mut buffers[index]
}

#[cfg(test)]
mod tests {
    use naap_protocol::rows::rejects::{DeadLetter, Quarantined};

    use super::*;

    #[test]
    fn a_burst_comes_in_pieces_of_whole_rows_in_order() {
        let mut outbox = Outbox::default();
        let body = "x".repeat(3000);
        let row = |offset| DeadLetter {
            source_offset: offset,
            payload_body: &body,
            ..DeadLetter::default()
        };
        for offset in 0..100 {
            assert!(outbox.push(&row(offset)).is_ok());
        }
        assert!(outbox.push(&Quarantined(row(7))).is_ok());
        let bytes = outbox.bytes();
        let batches = outbox.take();
        assert_eq!((outbox.bytes(), outbox.take().len()), (0, 0));
        assert_eq!(batches.iter().map(|b| b.rows.len()).sum::<usize>(), bytes);
        assert!(batches.len() > 5, "{}", batches.len());
        let mut next = 0;
        for batch in batches.iter().filter(|b| b.table.name == DeadLetter::SPEC.name) {
            assert!(batch.rows.len() < PIECE_CAPACITY);
            let mut rest: &[u8] = &batch.rows;
            for _ in 0..batch.count {
                let read = DeadLetter::decode(&mut rest).map(|row| row.source_offset);
                assert_eq!(read, Some(next));
                next += 1;
            }
            assert!(rest.is_empty());
        }
        assert_eq!(next, 100);
    }
}
