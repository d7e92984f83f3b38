//! Reading JSON leniently and without copies (contract events.md 2, "generic lenient value rules").
//!
//! [`Cursor`] walks over one JSON text in a single pass. Every byte is validated, also of values
//! that are skipped; depth is limited; the last of two equal keys wins because readers assign.
//! [`Scalar`] is one member value, interpreted only when a field asks for text, a number or a time.

use std::borrow::Cow;

use sonic_rs::parser::{Parser, Reference};
use sonic_rs::reader::Read;

use crate::time::Timestamp;

/// Containers inside containers beyond this many levels are refused.
pub(crate) const MAX_DEPTH: u8 = 128;

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub(crate) struct Error {
    reason: Cow<'static, str>,
    offset: usize,
}

/// One JSON value as a field sees it. Numbers stay text until their type is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Scalar<'a> {
    #[default]
    Missing,
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    /// An object or array; fields that want a scalar see nothing in it.
    Container,
}

impl<'a> Scalar<'a> {
    /// The test of required fields: present, not null, not empty text. Blank text and values of
    /// another type pass.
    pub(crate) fn is_present(&self) -> bool {
        !matches!(self, Self::Missing | Self::Null) && *self != Self::Text(Cow::Borrowed(""))
    }

    /// Text; numbers and booleans as written, `""` for everything else.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Number(text) => Cow::Borrowed(text),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Missing | Self::Null | Self::Container => Cow::Borrowed(""),
        }
    }

    /// The integer part of a number, or of text that is an integer; `None` if it has none or does
    /// not fit.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.parse().ok().or_else(|| integer_part(number)),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// [`Self::integer`] in the range of `T`.
    pub(crate) fn integer_in<T: TryFrom<i64>>(&self) -> Option<T> {
        self.integer().and_then(|value| T::try_from(value).ok())
    }

    /// A count: like [`Self::integer`] but up to 64 bits unsigned; 0 when absent or negative.
    pub(crate) fn count(&self) -> u64 {
        let wide = match self {
            Self::Number(number) => number.parse().ok(),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        wide.or_else(|| self.integer_in()).unwrap_or(0)
    }

    /// A finite float from a number or numeric text; 0 for everything else.
    pub(crate) fn float(&self) -> f64 {
        let parsed = match self {
            Self::Number(number) => number.parse().ok(),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        parsed.filter(|value: &f64| value.is_finite()).unwrap_or(0.0)
    }

    /// Epoch milliseconds: the integer part of a number, or text of digits only (trimmed).
    pub(crate) fn millis(&self) -> Option<Timestamp> {
        match self {
            Self::Number(_) => self.integer().map(Timestamp),
            Self::Text(text) => digits(text).map(Timestamp),
            _ => None,
        }
    }

    /// Epoch milliseconds of a field that old producers fill with seconds: a value in
    /// 10^9 ≤ v < 10^11 is multiplied and rounded to the nearest millisecond (clarification 35).
    pub(crate) fn millis_or_seconds(&self) -> Option<Timestamp> {
        let value = match self {
            Self::Number(number) => number.parse::<f64>().ok()?,
            Self::Text(text) => digits(text)? as f64,
            _ => return None,
        };
        if (1e9..1e11).contains(&value) {
            return Some(Timestamp((value * 1000.0).round() as i64));
        }
        self.millis()
    }
}

/// The value of trimmed text that holds nothing but ASCII digits.
fn digits(text: &str) -> Option<i64> {
    let text = text.trim();
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The integer part of a JSON number that is not a plain 64-bit integer.
fn integer_part(number: &str) -> Option<i64> {
    let value = number.parse::<f64>().ok()?.trunc();
    // i64::MAX itself is no f64; the next one above is the first value that does not fit.
    (-(2_f64.powi(63))..2_f64.powi(63)).contains(&value).then_some(value as i64)
}

/// A reader over one JSON text.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    parser: Parser<Read<'a>>,
    /// Where strings with escapes are unescaped; stays unallocated without them.
    scratch: Vec<u8>,
    depth: u8,
}

impl<'a> Cursor<'a> {
    /// A cursor before the first value of `text`. Lone surrogate escapes read as U+FFFD.
    pub(crate) fn new(text: &'a str) -> Self {
        let parser = Parser::new(Read::from(text)).utf8_lossy();
        Self { text, parser, scratch: Vec::new(), depth: 0 }
    }

    /// Bytes read so far.
    pub(crate) fn offset(&self) -> usize {
        self.parser.offset()
    }

    /// The first byte of the next value, not consumed.
    pub(crate) fn peek(&mut self) -> Result<u8, Error> {
        match self.parser.skip_space_peek() {
            Some(byte) => Ok(byte),
            None => Err(self.error("unexpected end of text")),
        }
    }

    /// Reads an object, calling `member` for each key; `member` must consume the value. Anything
    /// but an object is skipped and gives `false`.
    pub(crate) fn object<F>(&mut self, mut member: F) -> Result<bool, Error>
    where
        F: FnMut(&mut Self, &str) -> Result<(), Error>,
    {
        if self.peek()? != b'{' {
            return self.skip().map(|()| false);
        }
        self.enter()?;
        let mut byte = self.token()?;
        while byte != b'}' {
            if byte != b'"' {
                return Err(self.error("expected a key"));
            }
            let key = self.string()?;
            if self.token()? != b':' {
                return Err(self.error("expected `:`"));
            }
            member(self, &key)?;
            byte = match self.token()? {
                b',' => match self.token()? {
                    b'}' => return Err(self.error("expected a key")),
                    next => next,
                },
                b'}' => b'}',
                _ => return Err(self.error("expected `,` or `}`")),
            };
        }
        self.depth -= 1;
        Ok(true)
    }

    /// Reads an array, calling `element` before each value; `element` must consume it. Anything but
    /// an array is skipped and gives `false`.
    pub(crate) fn array<F>(&mut self, mut element: F) -> Result<bool, Error>
    where
        F: FnMut(&mut Self) -> Result<(), Error>,
    {
        if self.peek()? != b'[' {
            return self.skip().map(|()| false);
        }
        self.enter()?;
        if self.peek()? == b']' {
            self.token()?;
        } else {
            loop {
                element(self)?;
                match self.token()? {
                    b',' => {}
                    b']' => break,
                    _ => return Err(self.error("expected `,` or `]`")),
                }
            }
        }
        self.depth -= 1;
        Ok(true)
    }

    /// Reads one value as a scalar.
    pub(crate) fn scalar(&mut self) -> Result<Scalar<'a>, Error> {
        if matches!(self.peek()?, b'{' | b'[') {
            return self.skip().map(|()| Scalar::Container);
        }
        match self.token()? {
            b'"' => self.string().map(Scalar::Text),
            first @ (b'-' | b'0'..=b'9') => self.number(first).map(Scalar::Number),
            first => self.literal(first),
        }
    }

    /// Reads over one value, validating it.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        match self.peek()? {
            b'{' => self.object(|cursor, _| cursor.skip()).map(|_| ()),
            b'[' => self.array(Self::skip).map(|_| ()),
            b'"' => {
                self.token()?;
                // Not the parser's own skip: that one does not look at `\u` escapes.
                match self.parser.parse_str(&mut self.scratch) {
                    Ok(_) => Ok(()),
                    Err(error) => Err(foreign(&error, self.parser.offset())),
                }
            }
            _ => self.scalar().map(|_| ()),
        }
    }

    /// Reads over one value and returns its text.
    pub(crate) fn raw(&mut self) -> Result<&'a str, Error> {
        self.peek()?;
        let start = self.offset();
        self.skip()?;
        Ok(self.text_from(start))
    }

    /// The text from byte `start` to here.
    pub(crate) fn text_from(&self, start: usize) -> &'a str {
        self.text.get(start..self.offset()).unwrap_or("")
    }

    /// Only whitespace may be left.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        match self.parser.skip_space() {
            None => Ok(()),
            Some(_) => Err(self.error("trailing characters")),
        }
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.token()?;
        if self.depth == MAX_DEPTH {
            return Err(self.error("nesting deeper than 128 levels"));
        }
        self.depth += 1;
        Ok(())
    }

    /// The next byte that is not whitespace, consumed.
    fn token(&mut self) -> Result<u8, Error> {
        match self.parser.skip_space() {
            Some(byte) => Ok(byte),
            None => Err(self.error("unexpected end of text")),
        }
    }

    /// The rest of a string whose opening quote is consumed.
    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        match self.parser.parse_str(&mut self.scratch) {
            Ok(Reference::Borrowed(text)) => Ok(Cow::Borrowed(text)),
            Ok(Reference::Copied(text)) => Ok(Cow::Owned(text.to_owned())),
            Err(error) => Err(foreign(&error, self.parser.offset())),
        }
    }

    fn number(&mut self, first: u8) -> Result<&'a str, Error> {
        self.parser.skip_number(first).map_err(|error| foreign(&error, self.parser.offset()))
    }

    fn literal(&mut self, first: u8) -> Result<Scalar<'a>, Error> {
        let (rest, value) = match first {
            b'n' => ("ull", Scalar::Null),
            b't' => ("rue", Scalar::Bool(true)),
            b'f' => ("alse", Scalar::Bool(false)),
            _ => return Err(self.error("expected a value")),
        };
        match self.parser.parse_literal(rest) {
            Ok(()) => Ok(value),
            Err(error) => Err(foreign(&error, self.parser.offset())),
        }
    }

    #[cold]
    fn error(&self, reason: &'static str) -> Error {
        Error { reason: Cow::Borrowed(reason), offset: self.offset() }
    }
}

/// The parser's message without its drawing of the place.
#[cold]
fn foreign(error: &sonic_rs::Error, offset: usize) -> Error {
    let text = error.to_string();
    let reason = text.split(" at line").next().unwrap_or(&text);
    let mut reason = reason.trim_end_matches(['.', '\n', ' ']).to_owned();
    if let Some(first) = reason.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    Error { reason: Cow::Owned(reason), offset }
}

/// `text` as compact JSON with the keys of every object sorted and, in the root object, the keys
/// `without` left out. Numbers stay as written; of equal keys the last one stays.
pub(crate) fn canonical(text: &str, without: &[&str]) -> Result<String, Error> {
    let mut cursor = Cursor::new(text);
    let mut out = String::with_capacity(text.len());
    write_sorted(&mut cursor, without, &mut out)?;
    cursor.finish()?;
    Ok(out)
}

fn write_sorted(c: &mut Cursor<'_>, without: &[&str], out: &mut String) -> Result<(), Error> {
    match c.peek()? {
        b'{' => {
            let mut members = std::collections::BTreeMap::new();
            c.object(|c, key| {
                let mut value = String::new();
                write_sorted(c, &[], &mut value)?;
                members.insert(key.to_owned(), value);
                Ok(())
            })?;
            members.retain(|key, _| !without.contains(&key.as_str()));
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                out.push_str(value);
            }
            out.push('}');
        }
        b'[' => {
            let mut separator = '[';
            c.array(|c| {
                out.push(separator);
                separator = ',';
                write_sorted(c, &[], out)
            })?;
            out.push_str(if separator == '[' { "[]" } else { "]" });
        }
        _ => match c.scalar()? {
            Scalar::Text(text) => write_string(&text, out),
            Scalar::Null => out.push_str("null"),
            other => out.push_str(&other.text()),
        },
    }
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    // Writing text cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
