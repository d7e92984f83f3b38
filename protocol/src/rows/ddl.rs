//! From a table definition to `CREATE TABLE`, and back: what differs in a store.

use std::fmt::Write as _;

use super::binary::Type;
use super::spec::{ColumnSpec, Derived, LINEAGE_DAYS, Storage, TableSpec};

/// Settings of every table. The deduplication window lets a retried insert with the same token be
/// dropped early; correctness never depends on it.
const SETTINGS: &str = "index_granularity = 8192, non_replicated_deduplication_window = 1000";

/// The statement that creates the table unless it exists, without a final semicolon.
pub fn create_table(spec: &TableSpec) -> String {
    let mut lines: Vec<String> = spec.columns.iter().map(|column| define(spec, column)).collect();
    lines.extend(
        spec.bloom.iter().map(|name| {
            format!("    INDEX idx_{name} {name} TYPE bloom_filter(0.01) GRANULARITY 1")
        }),
    );
    format!(
        "CREATE TABLE IF NOT EXISTS {name}\n(\n{lines}\n)\n\
         ENGINE = {engine}\n\
         PARTITION BY {partition}\n\
         ORDER BY ({order})\n\
         TTL {date} + INTERVAL {days} DAY DELETE\n\
         SETTINGS {SETTINGS}\n\
         COMMENT {comment}",
        name = spec.name,
        lines = lines.join(",\n"),
        engine = engine(spec),
        partition = spec.partition_by,
        order = spec.order_by.join(", "),
        date = spec.ttl.date,
        days = spec.ttl.days,
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

fn define(spec: &TableSpec, column: &ColumnSpec) -> String {
    let mut line = format!("    {} {}", column.name, column.ty);
    // Writing to a String can not fail.
    let _ = match column.derived {
        Some(Derived::Materialized(expression)) => write!(line, " MATERIALIZED {expression}"),
        Some(Derived::Alias(expression)) => write!(line, " ALIAS {expression}"),
        None => Ok(()),
    };
    let _ = write!(line, " COMMENT {}", quote(column.comment()));
    if column.derived.is_none()
        && let Some(codec) = codec(column)
    {
        let _ = write!(line, " CODEC({codec})");
    }
    if column.storage == Storage::Lineage {
        let _ = write!(line, " TTL {} + INTERVAL {LINEAGE_DAYS} DAY", spec.ttl.date);
    }
    line
}

/// Compression by type (contract tables.md 12.5); `None` keeps the server's default.
fn codec(column: &ColumnSpec) -> Option<&'static str> {
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

/// One column as a store has it: `system.columns` name, type, comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledColumn {
    /// Name.
    pub name: String,
    /// Type as `ClickHouse` prints it.
    pub ty: String,
    /// Comment.
    pub comment: String,
}

/// One table as a store has it: `system.tables` and `system.columns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// `engine_full`.
    pub engine: String,
    /// `sorting_key`.
    pub sorting_key: String,
    /// Columns by position.
    pub columns: Vec<InstalledColumn>,
}

/// One difference between a definition and a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The store lacks a column.
    #[error("column {0} is missing; apply the migrations")]
    Missing(String),
    /// The store has a column that the definition lacks.
    #[error("column {0} is not in the definition; drop it or update the binary")]
    Unknown(String),
    /// Another order of columns.
    #[error("column {name} is at position {found}, expected {expected}; readers by position break")]
    Position {
        /// Column.
        name: String,
        /// Position in the definition, from 0.
        expected: usize,
        /// Position in the store, from 0.
        found: usize,
    },
    /// Another type of a column.
    #[error("column {name} has type {found}, expected {expected}; inserts would be refused")]
    Type {
        /// Column.
        name: String,
        /// By definition.
        expected: String,
        /// In the store.
        found: String,
    },
    /// Another comment on a column.
    #[error("column {name} has another comment; run the newest migration")]
    Comment {
        /// Column.
        name: String,
    },
    /// Another engine or version column.
    #[error("the engine is {found}, expected {expected}; the table has to be rebuilt")]
    Engine {
        /// By definition.
        expected: String,
        /// In the store.
        found: String,
    },
    /// Another sort key.
    #[error("the sort key is ({found}), expected ({expected}); the table has to be rebuilt")]
    SortKey {
        /// By definition.
        expected: String,
        /// In the store.
        found: String,
    },
}

/// Everything in which the store differs from the definition; empty when nothing does.
pub fn drift(spec: &TableSpec, installed: &Installed) -> Vec<Difference> {
    let mut found = Vec::new();
    let expected = engine(spec);
    if !installed.engine.starts_with(&expected) {
        found.push(Difference::Engine { expected, found: installed.engine.clone() });
    }
    let expected = spec.order_by.join(", ");
    if installed.sorting_key != expected {
        found.push(Difference::SortKey { expected, found: installed.sorting_key.clone() });
    }
    for (position, column) in spec.columns.iter().enumerate() {
        match installed.columns.iter().position(|actual| actual.name == column.name) {
            None => found.push(Difference::Missing(column.name.to_owned())),
            Some(at) => compare(column, position, &installed.columns[at], at, &mut found),
        }
    }
    let unknown = installed.columns.iter().filter(|actual| spec.column(&actual.name).is_none());
    found.extend(unknown.map(|actual| Difference::Unknown(actual.name.clone())));
    found
}

fn compare(
    column: &ColumnSpec,
    expected_at: usize,
    actual: &InstalledColumn,
    found_at: usize,
    found: &mut Vec<Difference>,
) {
    let name = || column.name.to_owned();
    if found_at != expected_at {
        found.push(Difference::Position { name: name(), expected: expected_at, found: found_at });
    }
    let expected = column.ty.to_string();
    if actual.ty != expected {
        found.push(Difference::Type { name: name(), expected, found: actual.ty.clone() });
    }
    if actual.comment != column.comment() {
        found.push(Difference::Comment { name: name() });
    }
}
