//! The frame around everything that travels between nodes or is kept as state.
//!
//! A frame is a fixed header and a `MessagePack` body in compact (array) form:
//!
//! | bytes | field |
//! |---|---|
//! | 0..2 | type id, u16 little endian |
//! | 2..4 | schema version, u16 little endian |
//! | 4..8 | body length, u32 little endian |
//! | 8..33 | W3C trace context in binary: trace id (16), parent id (8), flags (1); zero = none |
//!
//! A reader accepts the newest version of a type and the one before it; anything else is refused
//! with an error that names both, never skipped (design.md, wire and state format).

use rmp_serde::decode::ReadRefReader;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Length of the fixed header in bytes.
pub const HEADER_LEN: usize = 33;

/// Largest body that is decoded, in bytes: a limit against hostile length fields.
pub const MAX_BODY: usize = 64 << 20;

/// A type with a place in the registry of frames.
pub trait Framed {
    /// Registry number; never reused.
    const TYPE_ID: u16;
    /// Schema version that [`encode`] writes.
    const VERSION: u16;
    /// Name for error messages.
    const NAME: &'static str;
}

/// Binary W3C trace context; all zero means that the frame is not traced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceContext(pub [u8; 25]);

/// Why a frame was refused.
#[derive(Debug, Error)]
pub enum CodecError {
    /// Fewer bytes than the header or the announced body needs.
    #[error("{name} frame is cut short: {have} of {need} bytes")]
    Truncated {
        /// Type expected.
        name: &'static str,
        /// Bytes needed.
        need: usize,
        /// Bytes present.
        have: usize,
    },
    /// Bytes follow the body.
    #[error("{name} frame is followed by {extra} stray bytes")]
    Trailing {
        /// Type expected.
        name: &'static str,
        /// Bytes after the body.
        extra: usize,
    },
    /// Another type than the one expected.
    #[error("frame holds type {found}, but {name} (type {expected}) was expected")]
    WrongType {
        /// Type expected.
        name: &'static str,
        /// Its id.
        expected: u16,
        /// Id found.
        found: u16,
    },
    /// A version that this build can not read.
    #[error(
        "{name} frame has schema version {found}, this build reads {oldest} to {newest}; \
         run the release that wrote it, or upgrade one release at a time"
    )]
    WrongVersion {
        /// Type expected.
        name: &'static str,
        /// Version found.
        found: u16,
        /// Oldest readable version.
        oldest: u16,
        /// Newest readable version.
        newest: u16,
    },
    /// The announced body is larger than [`MAX_BODY`].
    #[error("{name} frame announces {len} bytes, more than the limit of {MAX_BODY}")]
    TooLarge {
        /// Type expected.
        name: &'static str,
        /// Announced length.
        len: usize,
    },
    /// The body is not what the type says.
    #[error("{name} frame body is malformed: {reason}")]
    Body {
        /// Type expected.
        name: &'static str,
        /// What the decoder met.
        reason: String,
    },
}

/// Writes the header for a body of `body_len` bytes.
pub fn put_header<T: Framed>(out: &mut Vec<u8>, body_len: usize, trace: TraceContext) {
    out.extend_from_slice(&T::TYPE_ID.to_le_bytes());
    out.extend_from_slice(&T::VERSION.to_le_bytes());
    out.extend_from_slice(&(body_len as u32).to_le_bytes());
    out.extend_from_slice(&trace.0);
}

/// Encodes `value` as one frame.
///
/// # Errors
/// When the body can not be serialised or exceeds [`MAX_BODY`].
pub fn encode<T: Framed + Serialize>(
    value: &T,
    trace: TraceContext,
) -> Result<Vec<u8>, CodecError> {
    let mut out = vec![0; HEADER_LEN];
    rmp_serde::encode::write(&mut out, value)
        .map_err(|e| CodecError::Body { name: T::NAME, reason: e.to_string() })?;
    let len = out.len() - HEADER_LEN;
    if len > MAX_BODY {
        return Err(CodecError::TooLarge { name: T::NAME, len });
    }
    let mut header = Vec::with_capacity(HEADER_LEN);
    put_header::<T>(&mut header, len, trace);
    out[..HEADER_LEN].copy_from_slice(&header);
    Ok(out)
}

/// True when `frame` says that it is a `T`, whatever its version.
pub fn is<T: Framed>(frame: &[u8]) -> bool {
    frame.first_chunk::<2>().is_some_and(|id| u16::from_le_bytes(*id) == T::TYPE_ID)
}

/// Splits frames that stand one behind the other: the first, and the rest. `None` when they are cut
/// short.
pub fn split_first(frames: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = frames.first_chunk::<HEADER_LEN>()?;
    let len = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
    frames.split_at_checked(HEADER_LEN.checked_add(len)?)
}

/// Splits a frame of type `T` into version, trace context and body.
///
/// # Errors
/// When the frame is cut short, followed by stray bytes, of another type or of an unreadable version.
pub fn open<T: Framed>(frame: &[u8]) -> Result<(u16, TraceContext, &[u8]), CodecError> {
    let truncated = |need| CodecError::Truncated { name: T::NAME, need, have: frame.len() };
    let (header, body) =
        frame.split_first_chunk::<HEADER_LEN>().ok_or_else(|| truncated(HEADER_LEN))?;
    let found = u16::from_le_bytes([header[0], header[1]]);
    if found != T::TYPE_ID {
        return Err(CodecError::WrongType { name: T::NAME, expected: T::TYPE_ID, found });
    }
    let version = u16::from_le_bytes([header[2], header[3]]);
    let oldest = T::VERSION.saturating_sub(1).max(1);
    if !(oldest..=T::VERSION).contains(&version) {
        return Err(CodecError::WrongVersion {
            name: T::NAME,
            found: version,
            oldest,
            newest: T::VERSION,
        });
    }
    let len = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
    if len > MAX_BODY {
        return Err(CodecError::TooLarge { name: T::NAME, len });
    }
    if body.len() < len {
        return Err(truncated(HEADER_LEN + len));
    }
    if body.len() > len {
        return Err(CodecError::Trailing { name: T::NAME, extra: body.len() - len });
    }
    let mut trace = TraceContext::default();
    trace.0.copy_from_slice(&header[8..HEADER_LEN]);
    Ok((version, trace, body))
}

/// Decodes one frame that [`encode`] made.
///
/// # Errors
/// As [`open`], and when the body is malformed.
pub fn decode<'de, T: Framed + Deserialize<'de>>(frame: &'de [u8]) -> Result<T, CodecError> {
    let (_version, _trace, body) = open::<T>(frame)?;
    let mut reader = Reader::from_read_ref(body);
    let value = T::deserialize(&mut reader)
        .map_err(|e| CodecError::Body { name: T::NAME, reason: e.to_string() })?;
    finish::<T>(&mut reader).map(|()| value)
}

/// Decodes the values of a body one after the other; texts are borrowed.
pub(crate) type Reader<'a> = rmp_serde::Deserializer<ReadRefReader<'a, [u8]>>;

/// Nothing may be left in the body. The reader does not tell its place, but only at the end is there
/// no marker of a next value.
pub(crate) fn finish<T: Framed>(reader: &mut Reader<'_>) -> Result<(), CodecError> {
    match <()>::deserialize(reader) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(()),
        _ => Err(CodecError::Body { name: T::NAME, reason: "bytes are left over".to_owned() }),
    }
}
