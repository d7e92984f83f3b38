//! Fingerprints of relations (quality.md 11.3): equal if and only if the latest rows are.

use naap_protocol::rows::{self, TableSpec};
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

/// The fingerprint of `table`.
///
/// # Errors
/// When the store fails.
pub async fn of(store: &Store, table: &TableSpec) -> Result<Fingerprint, StoreError> {
    let sql = table.fingerprint_sql(store.database());
    // 64-bit integers arrive as numbers, whatever the server's default is.
    let sql = format!("{sql}\nSETTINGS output_format_json_quote_64bit_integers = 0");
    let what = format!("fingerprint {}", table.name);
    let mut rows: Vec<Fingerprint> = store.rows(&what, &sql).await?;
    let missing = || StoreError::Statement { what, reason: "no row in the answer".to_owned() };
    rows.pop().ok_or_else(missing)
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
