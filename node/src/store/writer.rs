//! The sink's way into `ClickHouse`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use clickhouse::Client;
use naap_actors::ports::{TableWriter, WriteError};
use naap_engine::client::{self, InsertTimeouts, insert};
use naap_protocol::rows::TableSpec;

use crate::disk;

/// Writes `RowBinary` batches with the column names and types that the rows were made for, so that
/// the store refuses them when its tables are others.
#[derive(Debug)]
pub struct ClickHouseWriter {
    client: Client,
    timeouts: InsertTimeouts,
    /// Whether the store is the engine of this process, on a disk of this machine.
    embedded: bool,
    heads: BTreeMap<&'static str, Head>,
}

#[derive(Debug)]
struct Head {
    columns: String,
    bytes: Bytes,
}

impl ClickHouseWriter {
    /// A writer for `tables` through `client`, whose database holds them. An insert that is not
    /// acknowledged within `timeout` counts as failed and is tried again. With an `embedded`
    /// engine a full disk is no reason to wait: the state log is on the same disk.
    pub(super) fn new(
        client: Client,
        tables: &[&'static TableSpec],
        timeout: Duration,
        embedded: bool,
    ) -> Self {
        let head = |table: &&'static TableSpec| {
            let columns: Vec<&str> = table.sent().map(|column| column.name).collect();
            let bytes = Bytes::from(table.rowbinary_header());
            (table.name, Head { columns: columns.join(", "), bytes })
        };
        let timeouts = InsertTimeouts { send: timeout, end: timeout };
        Self { client, timeouts, embedded, heads: tables.iter().map(head).collect() }
    }
}

impl TableWriter for ClickHouseWriter {
    async fn write(
        &self,
        table: &'static TableSpec,
        mut chunks: Vec<Bytes>,
        _count: u64,
    ) -> Result<(), WriteError> {
        let unknown = || WriteError::Permanent(format!("table {} is not set up", table.name));
        let head = self.heads.get(table.name).ok_or_else(unknown)?;
        chunks.insert(0, head.bytes.clone());
        let failed = |error: client::WriteError| {
            let said = error.to_string();
            if self.embedded && disk::is_full(&said) {
                return WriteError::Permanent(disk::with_remedy(said));
            }
            let kind =
                if error.is_retryable() { WriteError::Retryable } else { WriteError::Permanent };
            kind(said)
        };
        let insert = insert(&self.client, table.name, &head.columns, None, chunks, self.timeouts);
        insert.await.map_err(failed)
    }
}
