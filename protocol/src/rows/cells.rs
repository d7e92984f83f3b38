//! Rows read back from `RowBinary`, by column: what explanations and comparisons look at.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::TableSpec;
use super::binary::Type;
use crate::time::Timestamp;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Unknown.
    Null,
    /// A flag, a count or, of 256 bits, what the lowest 128 hold.
    UInt(u128),
    /// A signed number; of a fixed-point number the mantissa.
    Int(i128),
    /// IEEE single.
    Float32(f32),
    /// IEEE double.
    Float64(f64),
    /// Milliseconds since the epoch, UTC.
    Time(Timestamp),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Cell>),
}

/// The values of a row by column.
pub type Cells = BTreeMap<&'static str, Cell>;

impl Cell {
    /// The text; `""` for anything else.
    pub fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// The number; `None` for anything else.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::UInt(n) => i64::try_from(*n).ok(),
            Self::Int(n) => i64::try_from(*n).ok(),
            Self::Time(ts) => Some(ts.0),
            _ => None,
        }
    }

    /// The time; `None` for anything else.
    pub fn time(&self) -> Option<Timestamp> {
        if let Self::Time(ts) = self { Some(*ts) } else { None }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::UInt(n) => n.fmt(f),
            Self::Int(n) => n.fmt(f),
            Self::Float32(n) => n.fmt(f),
            Self::Float64(n) => n.fmt(f),
            Self::Time(ts) => ts.0.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::List(cells) => {
                let texts: Vec<String> = cells.iter().map(Self::to_string).collect();
                f.write_str(&texts.join(","))
            }
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_none(),
            Self::UInt(n) => match u64::try_from(*n) {
                Ok(n) => to.serialize_u64(n),
                Err(_) => to.collect_str(n),
            },
            Self::Int(n) => match i64::try_from(*n) {
                Ok(n) => to.serialize_i64(n),
                Err(_) => to.collect_str(n),
            },
            Self::Float32(n) => to.serialize_f32(*n),
            Self::Float64(n) => to.serialize_f64(*n),
            Self::Time(ts) => ts.serialize(to),
            Self::Text(text) => to.serialize_str(text),
            Self::List(cells) => cells.serialize(to),
        }
    }
}

/// Reads rows of `table` with the columns that writers send; `None` when `bytes` are something else.
pub fn read(table: &TableSpec, mut bytes: &[u8]) -> Option<Vec<Cells>> {
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        let row = table.sent().map(|column| Some((column.name, cell(column.ty, &mut bytes)?)));
        rows.push(row.collect::<Option<Cells>>()?);
    }
    Some(rows)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

fn varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let [byte] = take(bytes)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return usize::try_from(value).ok();
        }
    }
    None
}

fn cell(ty: Type, bytes: &mut &[u8]) -> Option<Cell> {
    Some(match ty {
        Type::UInt8 => Cell::UInt(u8::from_le_bytes(take(bytes)?).into()),
        Type::UInt16 | Type::Date => Cell::UInt(u16::from_le_bytes(take(bytes)?).into()),
        Type::UInt32 => Cell::UInt(u32::from_le_bytes(take(bytes)?).into()),
        Type::UInt64 => Cell::UInt(u64::from_le_bytes(take(bytes)?).into()),
        Type::Int8 => Cell::Int(i8::from_le_bytes(take(bytes)?).into()),
        Type::Int16 => Cell::Int(i16::from_le_bytes(take(bytes)?).into()),
        Type::Int32 => Cell::Int(i32::from_le_bytes(take(bytes)?).into()),
        Type::Int64 => Cell::Int(i64::from_le_bytes(take(bytes)?).into()),
        Type::DateTime64 => Cell::Time(Timestamp(i64::from_le_bytes(take(bytes)?))),
        Type::Float32 => Cell::Float32(f32::from_le_bytes(take(bytes)?)),
        Type::Float64 => Cell::Float64(f64::from_le_bytes(take(bytes)?)),
        Type::UInt256 => {
            let low = u128::from_le_bytes(take(bytes)?);
            take::<16>(bytes)?;
            Cell::UInt(low)
        }
        Type::Decimal(precision, _) => match precision {
            0..=9 => Cell::Int(i32::from_le_bytes(take(bytes)?).into()),
            10..=18 => Cell::Int(i64::from_le_bytes(take(bytes)?).into()),
            19..=38 => Cell::Int(i128::from_le_bytes(take(bytes)?)),
            _ => {
                let low = i128::from_le_bytes(take(bytes)?);
                take::<16>(bytes)?;
                Cell::Int(low)
            }
        },
        Type::String | Type::LowCardinality => {
            let len = varint(bytes)?;
            let (text, rest) = bytes.split_at_checked(len)?;
            *bytes = rest;
            Cell::Text(String::from_utf8_lossy(text).into_owned())
        }
        Type::Nullable(inner) => match take(bytes)? {
            [0] => cell(*inner, bytes)?,
            _ => Cell::Null,
        },
        Type::Array(inner) => {
            let items = (0..varint(bytes)?).map(|_| cell(*inner, bytes));
            Cell::List(items.collect::<Option<_>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Row;
    use crate::rows::latency::Latency;

    #[test]
    fn what_was_written_is_read_back() {
        let row = Latency {
            org: "o",
            workflow_session_id: "s|r",
            sample_ts: Timestamp(5),
            e2e_latency_ms: Some(1.5),
            has_e2e_latency: true,
            skew_ms: Some(-7),
            version: u64::MAX,
            ..Latency::default()
        };
        let mut bytes = Vec::new();
        row.encode(&mut bytes);
        row.encode(&mut bytes);
        let rows = read(Latency::SPEC, &bytes).unwrap();
        assert_eq!(rows.len(), 2);
        let json = serde_json::to_value(&rows[1]).unwrap();
        assert_eq!(json["workflow_session_id"], "s|r");
        assert_eq!(json["startup_time_ms"], serde_json::Value::Null);
        assert_eq!(
            (json["e2e_latency_ms"].as_f64(), json["skew_ms"].as_i64()),
            (Some(1.5), Some(-7))
        );
        assert_eq!(json["version"], u64::MAX);
        assert_eq!((rows[0]["sample_ts"].time(), rows[0]["org"].text()), (Some(Timestamp(5)), "o"));
        assert_eq!(rows[0].len(), Latency::SPEC.sent().count());
        assert_eq!(read(Latency::SPEC, &bytes[..bytes.len() - 1]), None);
    }
}
