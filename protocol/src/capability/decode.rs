//! STUB until the capability module is merged: keeps the entries' texts and nothing else.

use std::borrow::Cow;

use super::{Document, Entry};

/// What a payload held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded<'a> {
    /// The entries that could be read.
    pub document: Document<'a>,
}

/// The payload is neither an array nor an object (reject reason `invalid_data_shape`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("capability data is neither an array of entries nor one entry object")]
pub struct ShapeError;

/// Reads a payload: an array of entries or one entry.
///
/// # Errors
/// [`ShapeError`] for a scalar and for blank text.
pub fn decode(data: &str) -> Result<Decoded<'_>, ShapeError> {
    let raw = |text| Entry { raw: Cow::Borrowed(text), ..Entry::default() };
    let entries = match data.as_bytes().first() {
        Some(b'{') => vec![raw(data)],
        Some(b'[') => sonic_rs::to_array_iter(data)
            .flatten()
            .map(|entry| Entry { raw: entry.as_raw_cow(), ..Entry::default() })
            .collect(),
        _ => return Err(ShapeError),
    };
    Ok(Decoded { document: Document { entries } })
}
