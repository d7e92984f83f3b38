//! Rows read back from `RowBinary`, and what a `ReplacingMergeTree` keeps of them.

use std::collections::BTreeMap;

use naap_protocol::rows::TableSpec;
use naap_protocol::rows::binary::Type;
use naap_protocol::rows::spec::FINGERPRINT_EXCLUDED;

/// Text of every column.
pub type Cells = BTreeMap<&'static str, String>;

/// Reads every row of `bytes`.
pub fn read(table: &TableSpec, mut bytes: &[u8]) -> Vec<Cells> {
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        let row = table.sent().map(|column| (column.name, value(column.ty, &mut bytes)));
        rows.push(row.collect());
    }
    rows
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (head, rest) = bytes.split_at(len);
    *bytes = rest;
    head
}

fn number<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    take(bytes, N).try_into().unwrap()
}

fn varint(bytes: &mut &[u8]) -> usize {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let [byte] = number(bytes);
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn value(ty: Type, bytes: &mut &[u8]) -> String {
    match ty {
        Type::UInt8 => u8::from_le_bytes(number(bytes)).to_string(),
        Type::UInt16 => u16::from_le_bytes(number(bytes)).to_string(),
        Type::UInt32 => u32::from_le_bytes(number(bytes)).to_string(),
        Type::UInt64 => u64::from_le_bytes(number(bytes)).to_string(),
        Type::Int8 => i8::from_le_bytes(number(bytes)).to_string(),
        Type::Int16 => i16::from_le_bytes(number(bytes)).to_string(),
        Type::Int32 => i32::from_le_bytes(number(bytes)).to_string(),
        Type::Int64 | Type::DateTime64 => i64::from_le_bytes(number(bytes)).to_string(),
        Type::Float32 => f32::from_le_bytes(number(bytes)).to_string(),
        Type::Float64 => f64::from_le_bytes(number(bytes)).to_string(),
        Type::UInt256 => format!("{:?}", take(bytes, 32)),
        Type::Date => format!("{:?}", take(bytes, 2)),
        Type::Decimal(precision, _) => {
            let width = match precision {
                0..=9 => 4,
                10..=18 => 8,
                19..=38 => 16,
                _ => 32,
            };
            format!("{:?}", take(bytes, width))
        }
        Type::String | Type::LowCardinality => {
            let len = varint(bytes);
            String::from_utf8(take(bytes, len).to_vec()).unwrap()
        }
        Type::Nullable(inner) => match number(bytes) {
            [0] => value(*inner, bytes),
            _ => "null".to_owned(),
        },
        Type::Array(inner) => {
            let items: Vec<String> = (0..varint(bytes)).map(|_| value(*inner, bytes)).collect();
            items.join(",")
        }
    }
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
