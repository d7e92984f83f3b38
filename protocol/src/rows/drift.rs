//! What differs between a definition and a store, and the statement that ends it.

use super::TableSpec;
use super::ddl::{codec, define, engine, indexes, retention};
use super::spec::ColumnSpec;

/// One column as a store has it, by `system.columns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledColumn {
    /// Name.
    pub name: String,
    /// Type as `ClickHouse` prints it.
    pub ty: String,
    /// Comment.
    pub comment: String,
    /// `compression_codec`: '' for the server's default.
    pub codec: String,
}

/// One skip index as a store has it, by `system.data_skipping_indices`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledIndex {
    /// Name.
    pub name: String,
    /// The rest: expression, type and granularity as `CREATE TABLE` takes them.
    pub definition: String,
}

/// One table as a store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// `engine_full`.
    pub engine: String,
    /// `partition_key`.
    pub partition_key: String,
    /// `sorting_key`.
    pub sorting_key: String,
    /// Columns by position.
    pub columns: Vec<InstalledColumn>,
    /// Skip indexes.
    pub indexes: Vec<InstalledIndex>,
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
    /// Another compression of a column.
    #[error(
        "column {name} is compressed by ({found}), expected ({expected}); run the newest migration"
    )]
    Codec {
        /// Column.
        name: String,
        /// By definition; '' for the server's default.
        expected: String,
        /// In the store.
        found: String,
    },
    /// A skip index is missing or another one.
    #[error("index {name} is ({found}), expected ({expected}); lookups would read whole tables")]
    Index {
        /// Index.
        name: String,
        /// By definition; '' for no such index.
        expected: String,
        /// In the store; '' when it is missing.
        found: String,
    },
    /// Another time after which rows leave. A table that keeps its rows for ever, as after a replay, is
    /// no difference.
    #[error("rows leave by ({found}), expected ({expected}); run the newest migration")]
    Retention {
        /// By definition.
        expected: String,
        /// In the store.
        found: String,
    },
    /// Another engine or version column.
    #[error("the engine is {found}, expected {expected}; the table has to be rebuilt")]
    Engine {
        /// By definition.
        expected: String,
        /// In the store.
        found: String,
    },
    /// Other partitions.
    #[error("partitions are by ({found}), expected ({expected}); the table has to be rebuilt")]
    Partition {
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
    if installed.partition_key != spec.partition_by {
        let expected = spec.partition_by.to_owned();
        found.push(Difference::Partition { expected, found: installed.partition_key.clone() });
    }
    let expected = spec.order_by.join(", ");
    if installed.sorting_key != expected {
        found.push(Difference::SortKey { expected, found: installed.sorting_key.clone() });
    }
    // As `ClickHouse` prints it.
    let expected = retention(spec).replace("INTERVAL ", "toIntervalDay(").replace(" DAY", ")");
    if let Some((_, limit)) = installed.engine.split_once(" TTL ") {
        let limit = limit.split(" SETTINGS ").next().unwrap_or_default();
        if limit != expected {
            found.push(Difference::Retention { expected, found: limit.to_owned() });
        }
    }
    for (position, column) in spec.columns.iter().enumerate() {
        match installed.columns.iter().position(|actual| actual.name == column.name) {
            None => found.push(Difference::Missing(column.name.to_owned())),
            Some(at) => compare(column, position, &installed.columns[at], at, &mut found),
        }
    }
    let unknown = installed.columns.iter().filter(|actual| spec.column(&actual.name).is_none());
    found.extend(unknown.map(|actual| Difference::Unknown(actual.name.clone())));
    compare_indexes(spec, installed, &mut found);
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
    let expected = codec(column).unwrap_or_default();
    // `ClickHouse` prints the width of the values that it took from the type.
    let printed = actual.codec.replace("Gorilla(4)", "Gorilla").replace("Gorilla(8)", "Gorilla");
    let printed = printed.strip_prefix("CODEC(").and_then(|inner| inner.strip_suffix(')'));
    let printed = printed.unwrap_or_default();
    if printed != expected {
        let (expected, printed) = (expected.to_owned(), printed.to_owned());
        found.push(Difference::Codec { name: name(), expected, found: printed });
    }
}

fn compare_indexes(spec: &TableSpec, installed: &Installed, found: &mut Vec<Difference>) {
    for (name, expected) in indexes(spec) {
        let actual = installed.indexes.iter().find(|index| index.name == name);
        let actual = actual.map(|index| index.definition.clone()).unwrap_or_default();
        if actual != expected {
            found.push(Difference::Index { name, expected, found: actual });
        }
    }
    let unknown = |index: &&InstalledIndex| indexes(spec).all(|(name, _)| name != index.name);
    found.extend(installed.indexes.iter().filter(unknown).map(|index| Difference::Index {
        name: index.name.clone(),
        expected: String::new(),
        found: index.definition.clone(),
    }));
}

/// The statements that end a difference, for a migration; none where rows would be lost or the table has
/// to be made anew. Each can be run again.
pub fn alter(spec: &TableSpec, difference: &Difference) -> Vec<String> {
    let table = format!("ALTER TABLE {}", spec.name);
    let defined = |name: &str| spec.column(name).map(|column| define(spec, column));
    match difference {
        Difference::Missing(name) => {
            let at = spec.columns.iter().position(|column| column.name == name).unwrap_or_default();
            let before = at.checked_sub(1).map(|before| spec.columns[before].name);
            let place = before.map_or("FIRST".to_owned(), |before| format!("AFTER {before}"));
            let add = |column| format!("{table} ADD COLUMN IF NOT EXISTS {column} {place}");
            defined(name).map(add).into_iter().collect()
        }
        Difference::Type { name, .. }
        | Difference::Comment { name }
        | Difference::Codec { name, .. } => {
            let modify = |column| format!("{table} MODIFY COLUMN {column}");
            defined(name).map(modify).into_iter().collect()
        }
        Difference::Index { name, expected, .. } => {
            let drop = format!("{table} DROP INDEX IF EXISTS {name}");
            if expected.is_empty() {
                return vec![drop];
            }
            // One statement may not drop and add an index of the same name.
            vec![
                drop,
                format!("{table} ADD INDEX IF NOT EXISTS {name} {expected}"),
                format!("{table} MATERIALIZE INDEX {name}"),
            ]
        }
        Difference::Retention { .. } => vec![format!("{table} MODIFY TTL {}", retention(spec))],
        Difference::Unknown(_)
        | Difference::Position { .. }
        | Difference::Engine { .. }
        | Difference::Partition { .. }
        | Difference::SortKey { .. } => Vec::new(),
    }
}
