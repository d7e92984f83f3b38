//! Rows on their way to the sinks: one `RowBinary` buffer per table, no allocation per row.

use bytes::Bytes;
use naap_protocol::rows::{Row, RowTooLarge, TableSpec, append};
use xxhash_rust::xxh3::xxh3_64;

/// Versioned rows end in version and insert time, eight bytes each.
const WRITE_STAMP: usize = 16;

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
    bytes: usize,
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
        let hash = xxh3_64(content).max(1);
        if hash == last {
            buffer.rows.truncate(start);
            return Ok(None);
        }
        self.bytes += len;
        buffer.count += 1;
        Ok(Some(hash))
    }

    /// Bytes buffered over all tables.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes everything.
    pub fn take(&mut self) -> Vec<RowBatch> {
        self.bytes = 0;
        let full = self.buffers.iter_mut().filter(|b| b.count > 0);
        full.map(|b| {
            // The next rows will need about as much: growing step by step would copy them again.
            // Most tables fill their buffer again; a burst must not size it for ever.
            let next = Vec::with_capacity(b.rows.len().min(16 << 10));
            RowBatch {
                table: b.table,
                count: std::mem::take(&mut b.count),
                rows: Bytes::from(std::mem::replace(&mut b.rows, next)),
            }
        })
        .collect()
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
