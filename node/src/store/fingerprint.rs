//! Fingerprints of relations (quality.md 11.3): equal if and only if the latest rows are.

use naap_protocol::rollup::Rollup;
use naap_protocol::rows::{self, FINGERPRINT_SETTINGS, PARTITIONS_APART, TableSpec};
use naap_protocol::views;
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
    /// Rows that stand for the same as another one; 0 in a sound store.
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

/// Keys that one query remembers, so that its memory does not grow with the table.
const BUCKET_KEYS: u64 = 1 << 20;

/// The fingerprint of `table`.
///
/// # Errors
/// When the store fails.
pub async fn of(store: &Store, table: &TableSpec) -> Result<Fingerprint, StoreError> {
    let what = format!("fingerprint {}", table.name);
    let Hashed { rows, fingerprint } =
        one(store, &what, &table.fingerprint_sql(store.database()), "").await?;
    let buckets = rows.div_ceil(BUCKET_KEYS);
    let mut duplicate_keys = 0;
    for bucket in 0..buckets {
        let sql = table.duplicate_keys_sql(store.database(), (bucket, buckets));
        let Doubled { duplicate_keys: more } = one(store, &what, &sql, PARTITIONS_APART).await?;
        duplicate_keys += more;
    }
    Ok(Fingerprint { rows, fingerprint, duplicate_keys })
}

async fn one<T: DeserializeOwned>(
    store: &Store,
    what: &str,
    sql: &str,
    more_settings: &str,
) -> Result<T, StoreError> {
    let sql = format!("{sql}\n{FINGERPRINT_SETTINGS}{more_settings}");
    let mut rows: Vec<T> = store.rows(what, &sql).await?;
    let reason = "no row in the answer".to_owned();
    rows.pop().ok_or_else(|| StoreError::Statement { what: what.to_owned(), reason })
}

/// The fingerprints of all tables and serving views, by name. Of a table that is published in slices
/// the valid rows count.
///
/// # Errors
/// When the store fails.
pub async fn all(store: &Store) -> Result<Vec<(&'static str, Fingerprint)>, StoreError> {
    let mut all = Vec::with_capacity(rows::ALL.len() + views::ALL.len());
    for table in rows::ALL {
        let found = match Rollup::of(table) {
            Some(rollup) => {
                asked(store, table.name, rollup.fingerprint_sqls(store.database())).await?
            }
            None => of(store, table).await?,
        };
        all.push((table.name, found));
    }
    for view in views::ALL {
        if let Some(queries) = view.fingerprint_sqls(store.database()) {
            all.push((view.name, asked(store, view.name, queries).await?));
        }
    }
    Ok(all)
}

/// A fingerprint by the queries for it and for duplicate keys.
async fn asked(
    store: &Store,
    name: &str,
    (fingerprint, duplicates): (String, String),
) -> Result<Fingerprint, StoreError> {
    let what = format!("fingerprint {name}");
    let Hashed { rows, fingerprint } = one(store, &what, &fingerprint, "").await?;
    let Doubled { duplicate_keys } = one(store, &what, &duplicates, "").await?;
    Ok(Fingerprint { rows, fingerprint, duplicate_keys })
}
