//! Migrations: applied in order, by checksum, those of tables once and those of views whenever they
//! changed; and the comparison of what is installed with what this build writes.

use naap_protocol::rows::ddl::keep_forever;
use naap_protocol::rows::drift::{Installed, InstalledColumn, InstalledIndex, drift};
use naap_protocol::rows::migrations::{MIGRATIONS, Migration, views};
use naap_protocol::rows::{self, TableSpec};
use serde::Deserialize;
use thiserror::Error;

use super::{Store, StoreError};

/// The record of what was applied; the only table that no migration makes.
const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations
(
    version UInt32 COMMENT 'Number of the migration.',
    name String COMMENT 'File name of the migration.',
    checksum String COMMENT 'SHA-256 of its text.',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied, UTC, store clock.'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY version
COMMENT 'Migrations that were applied to this database.'";

/// Migrations can not be applied.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An applied migration has another text than this build's.
    #[error(
        "migration {name} was applied with checksum {applied}, but this build has {built}; \
         use the build that made the database, or a new data folder"
    )]
    Changed {
        /// File name.
        name: &'static str,
        /// Checksum in the database.
        applied: String,
        /// Checksum in the build.
        built: String,
    },
    /// The database is ahead of this build.
    #[error("the database has migration {0}, which this build does not know; use a newer build")]
    Newer(u32),
}

#[derive(Deserialize)]
struct Applied {
    version: u32,
    checksum: String,
}

/// Applies what is missing; returns the names of what was applied.
///
/// # Errors
/// When the store fails or its history is another one.
pub async fn apply(store: &Store) -> Result<Vec<&'static str>, SchemaError> {
    let create = format!("CREATE DATABASE IF NOT EXISTS `{}`", store.database());
    store.execute(store.client(), "create the database", &create).await?;
    let tables = store.tables();
    store.execute(&tables, "create the record of migrations", LEDGER).await?;
    let mut done = Vec::new();
    for migration in pending(store).await? {
        for statement in migration.statements() {
            store.execute(&tables, &format!("migration {}", migration.name), statement).await?;
        }
        let record = format!(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES ({}, '{}', '{}')",
            migration.version,
            migration.name,
            migration.checksum()
        );
        store.execute(&tables, "record the migration", &record).await?;
        done.push(migration.name);
    }
    Ok(done)
}

/// The migrations that are not applied yet, or not with this text.
async fn pending(store: &Store) -> Result<Vec<&'static Migration>, SchemaError> {
    let sql = "SELECT version, checksum FROM schema_migrations FINAL ORDER BY version";
    let applied: Vec<Applied> = store.rows("read the applied migrations", sql).await?;
    if let Some(newer) = applied.iter().find(|a| MIGRATIONS.iter().all(|m| m.version != a.version))
    {
        return Err(SchemaError::Newer(newer.version));
    }
    let mut pending = Vec::new();
    for migration in MIGRATIONS {
        match applied.iter().find(|a| a.version == migration.version) {
            None => pending.push(migration),
            Some(known) if known.checksum == migration.checksum() => {}
            Some(_) if migration.is_repeatable() => pending.push(migration),
            Some(known) => {
                return Err(SchemaError::Changed {
                    name: migration.name,
                    applied: known.checksum.clone(),
                    built: migration.checksum(),
                });
            }
        }
    }
    Ok(pending)
}

/// Takes every time limit off the tables: a replay brings rows of any age, and they are to stay.
///
/// # Errors
/// When the store fails.
pub async fn keep_rows_forever(store: &Store) -> Result<(), StoreError> {
    #[derive(Deserialize)]
    struct Limited {
        name: String,
    }
    let sql = format!(
        "SELECT name FROM system.tables WHERE database = '{}' AND create_table_query LIKE '% TTL %'",
        store.database()
    );
    let limited: Vec<Limited> = store.rows("look for time limits", &sql).await?;
    let tables = store.tables();
    for Limited { name } in limited {
        for statement in rows::table(&name).map(keep_forever).unwrap_or_default() {
            store.execute(&tables, &format!("take the time limit off {name}"), &statement).await?;
        }
    }
    Ok(())
}

/// True when rows of `table` leave it with time.
///
/// # Errors
/// When the store fails.
pub async fn has_time_limit(store: &Store, table: &str) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT name FROM system.tables WHERE database = '{}' AND name = '{table}' \
         AND create_table_query LIKE '% TTL %'",
        store.database()
    );
    let limited: Vec<serde_json::Value> = store.rows("look for a time limit", &sql).await?;
    Ok(!limited.is_empty())
}

/// What differs between the installed tables and this build's, one sentence each.
///
/// # Errors
/// When the store fails or its migrations are others.
pub async fn check(store: &Store) -> Result<Vec<String>, SchemaError> {
    let exists = format!(
        "SELECT name FROM system.tables WHERE database = '{}' AND name = 'schema_migrations'",
        store.database()
    );
    let ledger: Vec<serde_json::Value> = store.rows("look for the database", &exists).await?;
    if ledger.is_empty() {
        let database = store.database();
        return Ok(vec![format!("database {database} has no schema; run `naap schema apply`")]);
    }
    let mut differences = Vec::new();
    for migration in pending(store).await? {
        differences
            .push(format!("migration {} is not applied; run `naap schema apply`", migration.name));
    }
    for table in rows::ALL {
        match installed(store, table).await? {
            Some(found) => {
                let found = drift(table, &found);
                differences.extend(found.iter().map(|d| format!("table {}: {d}", table.name)));
            }
            None => differences.push(format!("table {} is missing", table.name)),
        }
    }
    differences.extend(missing_views(store).await?);
    Ok(differences)
}

async fn missing_views(store: &Store) -> Result<Vec<String>, StoreError> {
    #[derive(Deserialize)]
    struct View {
        name: String,
    }
    let sql = format!(
        "SELECT name FROM system.tables WHERE database = '{}' AND engine = 'View'",
        store.database()
    );
    let found: Vec<View> = store.rows("read the views", &sql).await?;
    let missing = views().filter(|name| found.iter().all(|view| view.name != *name));
    Ok(missing.map(|name| format!("view {name} is missing")).collect())
}

/// A table as the store has it; `None` when it has not.
///
/// # Errors
/// When the store fails.
pub async fn installed(store: &Store, table: &TableSpec) -> Result<Option<Installed>, StoreError> {
    #[derive(Deserialize)]
    struct Found {
        engine_full: String,
        partition_key: String,
        sorting_key: String,
    }
    #[derive(Deserialize)]
    struct Column {
        name: String,
        r#type: String,
        comment: String,
        compression_codec: String,
    }
    #[derive(Deserialize)]
    struct Index {
        name: String,
        definition: String,
    }
    let of = format!("database = '{}' AND", store.database());
    let sql = format!(
        "SELECT engine_full, partition_key, sorting_key FROM system.tables WHERE {of} name = '{}'",
        table.name
    );
    let found: Vec<Found> = store.rows("read a table", &sql).await?;
    let Some(Found { engine_full, partition_key, sorting_key }) = found.into_iter().next() else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT name, type, comment, compression_codec FROM system.columns WHERE {of} table = '{}' \
         ORDER BY position",
        table.name
    );
    let columns: Vec<Column> = store.rows("read the columns of a table", &sql).await?;
    let columns = columns.into_iter().map(|column| InstalledColumn {
        name: column.name,
        ty: column.r#type,
        comment: column.comment,
        codec: column.compression_codec,
    });
    let sql = format!(
        "SELECT name, format('{{}} TYPE {{}} GRANULARITY {{}}', expr, type_full, toString(granularity)) \
         AS definition FROM system.data_skipping_indices WHERE {of} table = '{}'",
        table.name
    );
    let indexes: Vec<Index> = store.rows("read the indexes of a table", &sql).await?;
    let indexes =
        indexes.into_iter().map(|Index { name, definition }| InstalledIndex { name, definition });
    Ok(Some(Installed {
        engine: engine_full,
        partition_key,
        sorting_key,
        columns: columns.collect(),
        indexes: indexes.collect(),
    }))
}
