//! Fingerprints of relations (quality.md 11.3): equal if and only if the latest rows are.

use naap_protocol::rows::{self, TableSpec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};

/// Fingerprint of one relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Latest rows.
    pub rows: u64,
    /// XOR over a 128-bit hash of each row, 32 hex digits.
    pub fingerprint: String,
    /// Rows that share their key with another one; 0 in a sound store.
    pub duplicate_keys: u64,
}

#[derive(Deserialize)]
struct Hashed {
    rows: u64,
    fingerprint: String,
}

#[derive(Deserialize)]
struct Doubled {
    duplicate_keys: u64,
}

/// 64-bit integers arrive as numbers, whatever the server's default is. Small blocks on one thread
/// keep the memory of a large table's texts bounded.
const SETTINGS: &str = "SETTINGS output_format_json_quote_64bit_integers = 0, max_threads = 1, \
                        max_block_size = 2048, preferred_block_size_bytes = 1048576";

/// The fingerprint of `table`.
///
/// # Errors
/// When the store fails.
pub async fn of(store: &Store, table: &TableSpec) -> Result<Fingerprint, StoreError> {
    let what = format!("fingerprint {}", table.name);
    let Hashed { rows, fingerprint } =
        one(store, &what, &table.fingerprint_sql(store.database())).await?;
    let Doubled { duplicate_keys } =
        one(store, &what, &table.duplicate_keys_sql(store.database())).await?;
    Ok(Fingerprint { rows, fingerprint, duplicate_keys })
}

async fn one<T: DeserializeOwned>(store: &Store, what: &str, sql: &str) -> Result<T, StoreError> {
    let mut rows: Vec<T> = store.rows(what, &format!("{sql}\n{SETTINGS}")).await?;
    let reason = "no row in the answer".to_owned();
    rows.pop().ok_or_else(|| StoreError::Statement { what: what.to_owned(), reason })
}

/// The fingerprints of all tables, by name.
///
/// # Errors
/// When the store fails.
pub async fn all(store: &Store) -> Result<Vec<(&'static str, Fingerprint)>, StoreError> {
    let mut all = Vec::with_capacity(rows::ALL.len());
    for table in rows::ALL {
        all.push((table.name, of(store, table).await?));
    }
    Ok(all)
}
