//! `RowBinary` read back: the inverse of [`super::binary`] for the column types of the reject tables.

use crate::time::Timestamp;

/// A value that can be read from a row without a copy.
pub(super) trait Decode<'a>: Sized {
    /// Takes the value from the head of `input`; `None` when it is not there.
    fn decode(input: &mut &'a [u8]) -> Option<Self>;
}

impl Decode<'_> for u32 {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(take(input, size_of::<Self>())?.try_into().ok()?))
    }
}

impl Decode<'_> for u64 {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(take(input, size_of::<Self>())?.try_into().ok()?))
    }
}

impl Decode<'_> for bool {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        match take(input, 1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl Decode<'_> for Timestamp {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        u64::decode(input).map(|millis| Self(millis.cast_signed()))
    }
}

impl<'a> Decode<'a> for &'a str {
    fn decode(input: &mut &'a [u8]) -> Option<Self> {
        let length = usize::try_from(varint(input)?).ok()?;
        std::str::from_utf8(take(input, length)?).ok()
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Option<T> {
    fn decode(input: &mut &'a [u8]) -> Option<Self> {
        let is_null = bool::decode(input)?;
        if is_null { Some(None) } else { T::decode(input).map(Some) }
    }
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(head)
}

fn varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(input, 1)?.first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
