//! Rows read back from `RowBinary`, and what a `ReplacingMergeTree` keeps of them.

use std::collections::BTreeMap;

use naap_protocol::rows::spec::FINGERPRINT_EXCLUDED;
use naap_protocol::rows::{TableSpec, cells};

/// Text of every column.
pub type Cells = BTreeMap<&'static str, String>;

/// Reads every row of `bytes`.
pub fn read(table: &TableSpec, bytes: &[u8]) -> Vec<Cells> {
    let rows = cells::read(table, bytes).expect("rows of the table").into_iter();
    rows.map(|row| row.into_iter().map(|(name, cell)| (name, cell.to_string())).collect()).collect()
}

/// Tables with the row of the greatest version per sort key.
#[derive(Clone, Debug, Default)]
pub struct Store {
    rows: BTreeMap<(&'static str, Vec<String>), (u64, Cells)>,
}

impl Store {
    /// Stores rows. Of two rows of one version the later one counts, as in one insert after another.
    pub fn insert(&mut self, table: &'static TableSpec, bytes: &[u8]) {
        for row in read(table, bytes) {
            let key = table.order_by.iter().map(|column| row[column].clone()).collect();
            let version = row[table.version].parse().unwrap_or(0);
            let slot = self.rows.entry((table.name, key)).or_insert((0, Cells::new()));
            if version >= slot.0 {
                *slot = (version, row);
            }
        }
    }

    /// Leaves out what is not to be compared, by table and key.
    pub fn leave_out(&mut self, gone: impl Fn(&str, &[String]) -> bool) {
        self.rows.retain(|(table, key), _| !gone(table, key));
    }

    /// What a reader with `FINAL` sees, without the columns that never enter a fingerprint.
    pub fn latest(&self) -> Vec<(&'static str, Vec<String>, Cells)> {
        let flag = |row: &Cells, name: &str| row.get(name).is_some_and(|flag| flag == "1");
        let alive = |row: &Cells| !flag(row, "is_deleted") && !flag(row, "is_retracted");
        let rows = self.rows.iter().filter(|(_, (_, row))| alive(row));
        rows.map(|((table, key), (_, row))| {
            let kept = row.iter().filter(|(name, _)| !FINGERPRINT_EXCLUDED.contains(name));
            (*table, key.clone(), kept.map(|(name, cell)| (*name, cell.clone())).collect())
        })
        .collect()
    }

    /// The latest rows of one table.
    pub fn table(&self, name: &str) -> Vec<Cells> {
        let rows = self.latest().into_iter().filter(|(table, ..)| *table == name);
        rows.map(|(_, _, row)| row).collect()
    }
}
