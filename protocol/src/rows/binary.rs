//! `RowBinary`: how one value is written for `ClickHouse`.
//!
//! Little endian, fixed width; text and arrays carry an unsigned LEB128 length; `Nullable` is one
//! marker byte before the value. Nothing here allocates but the growth of the output buffer.

use std::borrow::Cow;
use std::fmt;

use crate::time::Timestamp;

/// The column types that our tables use; displayed as `ClickHouse` spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Flag or small number, 8 bit.
    UInt8,
    /// 16 bit.
    UInt16,
    /// 32 bit.
    UInt32,
    /// 64 bit.
    UInt64,
    /// 256 bit: amounts in wei.
    UInt256,
    /// 8 bit, signed.
    Int8,
    /// 16 bit, signed.
    Int16,
    /// 32 bit, signed.
    Int32,
    /// 64 bit, signed.
    Int64,
    /// IEEE single.
    Float32,
    /// IEEE double.
    Float64,
    /// Text.
    String,
    /// Text with few distinct values, dictionary encoded in storage, plain text on the wire.
    LowCardinality,
    /// Milliseconds since the epoch, UTC.
    DateTime64,
    /// Calendar day, UTC; only for derived columns.
    Date,
    /// Fixed point with this precision and scale.
    Decimal(u8, u8),
    /// A value that can be unknown.
    Nullable(&'static Type),
    /// A list.
    Array(&'static Type),
}

impl Type {
    /// Whether the column can hold NULL.
    pub const fn is_nullable(self) -> bool {
        matches!(self, Self::Nullable(_))
    }

    /// The type below a `Nullable`, else the type itself.
    #[must_use]
    pub const fn inner(self) -> Self {
        match self {
            Self::Nullable(inner) => *inner,
            other => other,
        }
    }

    /// The dictionary-encoded form of text; other types stay as they are.
    #[must_use]
    pub(crate) const fn low(self) -> Self {
        match self {
            Self::String => Self::LowCardinality,
            other => other,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LowCardinality => f.write_str("LowCardinality(String)"),
            Self::DateTime64 => f.write_str("DateTime64(3, 'UTC')"),
            Self::Decimal(precision, scale) => write!(f, "Decimal({precision}, {scale})"),
            Self::Nullable(inner) => write!(f, "Nullable({inner})"),
            Self::Array(inner) => write!(f, "Array({inner})"),
            simple => write!(f, "{simple:?}"),
        }
    }
}

/// A value that can stand in a column.
pub trait Column {
    /// The column type that this value needs.
    const TYPE: Type;

    /// Appends the value in `RowBinary`.
    fn encode(&self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($number:ty => $ty:ident),+ $(,)?) => {$(
        impl Column for $number {
            const TYPE: Type = Type::$ty;

            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )+};
}

numbers! {
    u8 => UInt8, u16 => UInt16, u32 => UInt32, u64 => UInt64,
    i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64,
    f32 => Float32, f64 => Float64,
}

impl Column for bool {
    const TYPE: Type = Type::UInt8;

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

/// Amounts in wei: every amount that exists fits 128 bits, the column keeps the contract's 256.
impl Column for u128 {
    const TYPE: Type = Type::UInt256;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
        out.extend_from_slice(&[0; 16]);
    }
}

/// A fixed-point number: `mantissa · 10^-SCALE` with at most `PRECISION` decimal digits.
///
/// The mantissa has 128 bits, so `PRECISION` above 38 widens the column, not the range. A mantissa
/// with more digits than the precision is written as the nearest value that fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal<const PRECISION: u8, const SCALE: u8>(pub i128);

impl<const PRECISION: u8, const SCALE: u8> Column for Decimal<PRECISION, SCALE> {
    const TYPE: Type = Type::Decimal(PRECISION, SCALE);

    fn encode(&self, out: &mut Vec<u8>) {
        let limit = 10i128.checked_pow(u32::from(PRECISION)).map_or(i128::MAX, |p| p - 1);
        let value = self.0.clamp(-limit, limit);
        match PRECISION {
            0..=9 => out.extend_from_slice(&(value as i32).to_le_bytes()),
            10..=18 => out.extend_from_slice(&(value as i64).to_le_bytes()),
            19..=38 => out.extend_from_slice(&value.to_le_bytes()),
            _ => {
                out.extend_from_slice(&value.to_le_bytes());
                out.extend_from_slice(&[if value < 0 { 0xff } else { 0 }; 16]);
            }
        }
    }
}

/// The first moment that `DateTime64(3)` can hold: 1900-01-01 00:00:00.000 UTC.
pub const MIN_TIME: Timestamp = Timestamp(-2_208_988_800_000);

/// The last moment that `DateTime64(3)` can hold: 2299-12-31 23:59:59.999 UTC.
pub const MAX_TIME: Timestamp = Timestamp(10_413_791_999_999);

/// Written as the nearest time in [`MIN_TIME`] to [`MAX_TIME`]: `ClickHouse` would otherwise store
/// a moment that it cannot print. Only rejected and ignored records can carry such times.
impl Column for Timestamp {
    const TYPE: Type = Type::DateTime64;

    fn encode(&self, out: &mut Vec<u8>) {
        (*self).clamp(MIN_TIME, MAX_TIME).0.encode(out);
    }
}

/// Appends an unsigned LEB128 number: the length prefix of text, arrays and headers.
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

macro_rules! texts {
    ($($text:ty),+ $(,)?) => {$(
        impl Column for $text {
            const TYPE: Type = Type::String;

            fn encode(&self, out: &mut Vec<u8>) {
                put_varint(self.len() as u64, out);
                out.extend_from_slice(self.as_bytes());
            }
        }
    )+};
}

texts! { &str, String, Cow<'_, str> }

impl<T: Column> Column for Option<T> {
    const TYPE: Type = Type::Nullable(&T::TYPE);

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_none()));
        if let Some(value) = self {
            value.encode(out);
        }
    }
}

fn encode_list<T: Column>(list: &[T], out: &mut Vec<u8>) {
    put_varint(list.len() as u64, out);
    for value in list {
        value.encode(out);
    }
}

impl<T: Column> Column for Vec<T> {
    const TYPE: Type = Type::Array(&T::TYPE);

    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(self, out);
    }
}

impl<T: Column> Column for &[T] {
    const TYPE: Type = Type::Array(&T::TYPE);

    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(self, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes<T: Column>(value: &T) -> Vec<u8> {
        let mut out = Vec::new();
        value.encode(&mut out);
        out
    }

    #[test]
    fn golden_bytes() {
        let minus_one_wide = vec![0xff; 32];
        let mut two_wide = vec![0; 32];
        two_wide[0] = 2;
        let cases: [(Vec<u8>, Vec<u8>); 19] = [
            (bytes(&0x01u8), vec![1]),
            (bytes(&0x0102u16), vec![2, 1]),
            (bytes(&0x0102_0304u32), vec![4, 3, 2, 1]),
            (bytes(&1u64), vec![1, 0, 0, 0, 0, 0, 0, 0]),
            (bytes(&-1i8), vec![0xff]),
            (bytes(&-2i32), vec![0xfe, 0xff, 0xff, 0xff]),
            (bytes(&1.5f32), vec![0, 0, 0xc0, 0x3f]),
            (bytes(&-2.0f64), vec![0, 0, 0, 0, 0, 0, 0, 0xc0]),
            (bytes(&true), vec![1]),
            (bytes(&2u128), two_wide),
            (bytes(&"ab"), vec![2, b'a', b'b']),
            (bytes(&String::from("é")), vec![2, 0xc3, 0xa9]),
            (bytes(&Cow::Borrowed("")), vec![0]),
            (bytes(&None::<u32>), vec![1]),
            (bytes(&Some(7u16)), vec![0, 7, 0]),
            (bytes(&vec!["a", ""]), vec![2, 1, b'a', 0]),
            (bytes(&Timestamp(1)), vec![1, 0, 0, 0, 0, 0, 0, 0]),
            (bytes(&Decimal::<18, 10>(-1)), vec![0xff; 8]),
            (bytes(&Decimal::<76, 10>(-1)), minus_one_wide),
        ];
        for (index, (got, want)) in cases.into_iter().enumerate() {
            assert_eq!(got, want, "case {index}");
        }
        assert_eq!(bytes(&Decimal::<38, 3>(1)).len(), 16);
        assert_eq!(bytes(&Decimal::<9, 2>(1)).len(), 4);
    }

    #[test]
    fn types_are_spelled_as_clickhouse_does() {
        let cases = [
            (<&str>::TYPE, "String"),
            (Option::<Timestamp>::TYPE, "Nullable(DateTime64(3, 'UTC'))"),
            (Vec::<u32>::TYPE, "Array(UInt32)"),
            (Decimal::<76, 10>::TYPE, "Decimal(76, 10)"),
            (u128::TYPE, "UInt256"),
            (bool::TYPE, "UInt8"),
            (Type::LowCardinality, "LowCardinality(String)"),
        ];
        for (ty, text) in cases {
            assert_eq!(ty.to_string(), text);
        }
    }

    #[test]
    fn a_time_outside_the_range_is_clamped() {
        assert_eq!(bytes(&Timestamp(i64::MAX)), MAX_TIME.0.to_le_bytes());
        assert_eq!(bytes(&Timestamp(i64::MIN)), MIN_TIME.0.to_le_bytes());
    }

    #[test]
    fn a_decimal_beyond_its_precision_is_clamped() {
        let limit = 999_999_999_999_999_999_i64;
        assert_eq!(bytes(&Decimal::<18, 10>(i128::MAX)), limit.to_le_bytes());
        assert_eq!(bytes(&Decimal::<18, 10>(i128::MIN)), (-limit).to_le_bytes());
    }

    proptest! {
        #[test]
        fn a_length_reads_back(value: u64) {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            let read = out.iter().enumerate().fold(0u64, |sum, (i, byte)| sum | u64::from(byte & 0x7f) << (7 * i));
            prop_assert_eq!(read, value);
            prop_assert!(out[..out.len() - 1].iter().all(|byte| byte & 0x80 != 0));
            prop_assert!(out[out.len() - 1] < 0x80);
        }
    }
}
