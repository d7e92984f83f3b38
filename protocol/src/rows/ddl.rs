//! From a table definition to `CREATE TABLE` and `ALTER TABLE`.

use std::fmt::Write as _;

use super::binary::Type;
use super::spec::{ColumnSpec, Derived, LINEAGE_DAYS, Storage, TableSpec};

/// Settings of every table. The deduplication window lets a retried insert with the same token be
/// dropped early; correctness never depends on it.
const SETTINGS: &str = "index_granularity = 8192, non_replicated_deduplication_window = 1000";

/// Columns whose every value is one record, in tables whose order says nothing about them. Each granule
/// that is read in vain costs `FINAL` others beside it, so their filters err ten times less.
const SINGLE: [&str; 2] = ["event_id", "dedup_key"];

/// The statement that creates the table unless it exists, without a final semicolon.
pub fn create_table(spec: &TableSpec) -> String {
    let mut lines: Vec<String> =
        spec.columns.iter().map(|column| format!("    {}", define(spec, column))).collect();
    lines.extend(indexes(spec).map(|(name, index)| format!("    INDEX {name} {index}")));
    format!(
        "CREATE TABLE IF NOT EXISTS {name}\n(\n{lines}\n)\n\
         ENGINE = {engine}\n\
         PARTITION BY {partition}\n\
         ORDER BY ({order})\n\
         TTL {ttl} DELETE\n\
         SETTINGS {SETTINGS}\n\
         COMMENT {comment}",
        name = spec.name,
        lines = lines.join(",\n"),
        engine = engine(spec),
        partition = spec.partition_by,
        order = spec.order_by.join(", "),
        ttl = retention(spec),
        comment = quote(spec.comment()),
    )
}

/// The engine clause, as `system.tables.engine_full` begins.
pub fn engine(spec: &TableSpec) -> String {
    match spec.deleted {
        Some(deleted) => format!("ReplacingMergeTree({}, {deleted})", spec.version),
        None => format!("ReplacingMergeTree({})", spec.version),
    }
}

/// The statements that switch retention off, for stores that take old files (bounded replay):
/// otherwise merges would delete what is older than the retention as soon as it is written.
pub fn keep_forever(spec: &TableSpec) -> Vec<String> {
    let lineage = spec.columns.iter().filter(|column| column.storage == Storage::Lineage);
    std::iter::once(format!("ALTER TABLE {} REMOVE TTL", spec.name))
        .chain(lineage.map(|column| {
            format!("ALTER TABLE {} MODIFY COLUMN {} REMOVE TTL", spec.name, column.name)
        }))
        .collect()
}

/// The skip indexes: name, and the rest of the definition. Granules that can not hold a value are left
/// out (contract tables.md 6; backlog 025).
pub(super) fn indexes(spec: &TableSpec) -> impl Iterator<Item = (String, String)> {
    spec.bloom.iter().map(|column| {
        let wrong = if SINGLE.contains(column) { "0.001" } else { "0.01" };
        (format!("idx_{column}"), format!("{column} TYPE bloom_filter({wrong}) GRANULARITY 1"))
    })
}

/// When rows leave the table.
pub(super) fn retention(spec: &TableSpec) -> String {
    format!("{} + INTERVAL {} DAY", spec.ttl.date, spec.ttl.days)
}

/// The definition of a column, as `CREATE TABLE` and `MODIFY COLUMN` take it.
pub(super) fn define(spec: &TableSpec, column: &ColumnSpec) -> String {
    let mut line = format!("{} {}", column.name, column.ty);
    // Writing to a String can not fail.
    let _ = match column.derived {
        Some(Derived::Materialized(expression)) => write!(line, " MATERIALIZED {expression}"),
        Some(Derived::Alias(expression)) => write!(line, " ALIAS {expression}"),
        None => Ok(()),
    };
    let _ = write!(line, " COMMENT {}", quote(column.comment()));
    if let Some(codec) = codec(column) {
        let _ = write!(line, " CODEC({codec})");
    }
    if column.storage == Storage::Lineage {
        let _ = write!(line, " TTL {} + INTERVAL {LINEAGE_DAYS} DAY", spec.ttl.date);
    }
    line
}

/// Compression by type (contract tables.md 12.5); `None` keeps the server's default.
pub(super) fn codec(column: &ColumnSpec) -> Option<&'static str> {
    if column.derived.is_some() {
        return None;
    }
    match (column.storage, column.ty.inner()) {
        (Storage::Json | Storage::Lineage, _) => Some("ZSTD(6)"),
        (_, Type::DateTime64) => Some("DoubleDelta, ZSTD(1)"),
        (_, Type::Float32 | Type::Float64) => Some("Gorilla, ZSTD(1)"),
        (_, Type::UInt16 | Type::UInt32 | Type::UInt64 | Type::Int32 | Type::Int64) => {
            Some("T64, ZSTD(1)")
        }
        (_, Type::String | Type::Array(_) | Type::UInt256 | Type::Decimal(..)) => Some("ZSTD(1)"),
        _ => None,
    }
}

/// `text` as a literal.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
