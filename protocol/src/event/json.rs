//! Reading JSON leniently and without copies (contract events.md 2, "generic lenient value rules").
//!
//! [`Cursor`] walks over one JSON text in a single pass. Every byte is validated, also of values
//! that are skipped; depth is limited; the last of two equal keys wins because readers assign.
//! Our records are short texts with many keys, where this plain scanner takes a third less time
//! than walking the same way with `sonic-rs` (`examples/gate_bench.rs`); that one reads the
//! strings with escapes.

use std::borrow::Cow;
use std::str::FromStr;

use crate::time::Timestamp;

/// Containers inside containers beyond this many levels are refused.
pub(crate) const MAX_DEPTH: u8 = 128;

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} at byte {}", .0.reason, .0.offset)]
pub(crate) struct Error(Box<Fault>); // boxed: results stay small on the way that has none

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    reason: &'static str,
    offset: usize,
}

/// One JSON value as a field sees it: a view of the record, interpreted when its type is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Scalar<'a> {
    #[default]
    Missing,
    Null,
    Bool(bool),
    Number(&'a str),
    /// Text without escapes.
    Text(&'a str),
    /// A string with escapes, in quotes; they are known to be valid.
    Escaped(&'a str),
    /// An object or array; fields that want a scalar see nothing in it.
    Container,
}

impl<'a> Scalar<'a> {
    /// The test of required fields: present, not null, not empty text. Blank text and values of
    /// another type pass.
    pub(crate) fn is_present(self) -> bool {
        !matches!(self, Self::Missing | Self::Null | Self::Text(""))
    }

    /// The text of a string; `None` for any other type.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Escaped(quoted) => Some(Cow::Owned(unescape(quoted).unwrap_or_default())),
            _ => None,
        }
    }

    /// Text; numbers and booleans as written, `""` for everything else.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Number(text) => Cow::Borrowed(text),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            other => other.string().unwrap_or_default(),
        }
    }

    /// A number as written, or trimmed text, if `T` can be read from it.
    fn parse<T: FromStr>(self) -> Option<T> {
        match self {
            Self::Number(number) => number.parse().ok(),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Escaped(_) => self.text().trim().parse().ok(),
            _ => None,
        }
    }

    /// The integer part of a number, or of text that is an integer; `None` if it has none or does
    /// not fit.
    pub(crate) fn integer(self) -> Option<i64> {
        match self {
            Self::Number(number) => number.parse().ok().or_else(|| integer_part(number)),
            _ => self.parse(),
        }
    }

    /// [`Self::integer`] in the range of `T`.
    pub(crate) fn integer_in<T: TryFrom<i64>>(self) -> Option<T> {
        self.integer().and_then(|value| T::try_from(value).ok())
    }

    /// A count: like [`Self::integer`] but up to 64 bits unsigned; 0 when absent or negative.
    pub(crate) fn count(self) -> u64 {
        self.parse().or_else(|| self.integer_in()).unwrap_or(0)
    }

    /// A finite float from a number or numeric text; 0 for everything else.
    pub(crate) fn float(self) -> f64 {
        self.parse().filter(|value: &f64| value.is_finite()).unwrap_or(0.0)
    }

    /// Epoch milliseconds: the integer part of a number, or text of digits only (trimmed).
    pub(crate) fn millis(self) -> Option<Timestamp> {
        match self {
            Self::Number(_) => self.integer().map(Timestamp),
            _ => digits(&self.string()?).map(Timestamp),
        }
    }

    /// Epoch milliseconds of a field that old producers fill with seconds: a value in
    /// 10^9 ≤ v < 10^11 is multiplied and rounded to the nearest millisecond (clarification 35).
    pub(crate) fn millis_or_seconds(self) -> Option<Timestamp> {
        let value = match self {
            Self::Number(number) => number.parse::<f64>().ok()?,
            _ => digits(&self.string()?)? as f64,
        };
        if (1e9..1e11).contains(&value) {
            return Some(Timestamp((value * 1000.0).round() as i64));
        }
        self.millis()
    }
}

/// The text of a quoted string; `None` if an escape is invalid. Lone surrogates read as U+FFFD.
fn unescape(quoted: &str) -> Option<String> {
    sonic_rs::Deserializer::from_str(quoted).utf8_lossy().deserialize().ok()
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
    /// Bytes read so far.
    at: usize,
    depth: u8,
}

impl<'a> Cursor<'a> {
    /// A cursor before the first value of `text`.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Bytes read so far.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// The first byte of the next value, not consumed.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8, Error> {
        match self.byte() {
            // Producers write no whitespace.
            Some(byte) if byte > b' ' => Ok(byte),
            _ => self.peek_behind_space(),
        }
    }

    #[cold]
    fn peek_behind_space(&mut self) -> Result<u8, Error> {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.byte().ok_or_else(|| self.error("unexpected end of text"))
    }

    /// Reads an object, calling `member` for each key; `member` must consume the value. Anything
    /// but an object is skipped and gives `false`.
    #[inline]
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
            let unescaped;
            let key = match self.string()? {
                Scalar::Text(key) => key,
                other => {
                    unescaped = other.text();
                    &unescaped
                }
            };
            if self.token()? != b':' {
                return Err(self.error("expected `:`"));
            }
            member(self, key)?;
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
    #[inline]
    pub(crate) fn array<F>(&mut self, mut element: F) -> Result<bool, Error>
    where
        F: FnMut(&mut Self) -> Result<(), Error>,
    {
        if self.peek()? != b'[' {
            return self.skip().map(|()| false);
        }
        self.enter()?;
        if self.peek()? == b']' {
            self.at += 1;
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
    #[inline]
    pub(crate) fn scalar(&mut self) -> Result<Scalar<'a>, Error> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.string()
            }
            b'-' | b'0'..=b'9' => self.number().map(Scalar::Number),
            b'{' | b'[' => self.skip().map(|()| Scalar::Container),
            b'n' => self.literal("null", Scalar::Null),
            b't' => self.literal("true", Scalar::Bool(true)),
            b'f' => self.literal("false", Scalar::Bool(false)),
            _ => Err(self.error("expected a value")),
        }
    }

    /// Reads over one value, validating it.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        match self.peek()? {
            b'{' => self.object(|cursor, _| cursor.skip()).map(|_| ()),
            b'[' => self.array(Self::skip).map(|_| ()),
            _ => self.scalar().map(|_| ()),
        }
    }

    /// Reads over one value and returns its text.
    pub(crate) fn raw(&mut self) -> Result<&'a str, Error> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        Ok(self.text_from(start))
    }

    /// The text from byte `start` to here.
    pub(crate) fn text_from(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or("")
    }

    /// Only whitespace may be left.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(self.error("trailing characters")),
        }
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.at += 1;
        if self.depth == MAX_DEPTH {
            return Err(self.error("nesting deeper than 128 levels"));
        }
        self.depth += 1;
        Ok(())
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not whitespace, consumed.
    #[inline]
    fn token(&mut self) -> Result<u8, Error> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    /// The rest of a string whose opening quote is consumed.
    #[inline]
    fn string(&mut self) -> Result<Scalar<'a>, Error> {
        let start = self.at;
        self.plain();
        if self.byte() != Some(b'"') {
            return self.escaped(start);
        }
        let text = self.text_from(start);
        self.at += 1;
        Ok(Scalar::Text(text))
    }

    /// Moves to the next quote, backslash or control character, eight bytes a step.
    #[inline]
    fn plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let (blocks, tail) = rest.as_chunks::<8>();
        for block in blocks {
            let special = special_bytes(u64::from_le_bytes(*block));
            if special != 0 {
                self.at += (special.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += block.len();
        }
        let special = tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
        self.at += special.unwrap_or(tail.len());
    }

    /// A string with escapes that starts behind the quote at `start`; the cursor stands behind its
    /// first plain part.
    #[cold]
    fn escaped(&mut self, start: usize) -> Result<Scalar<'a>, Error> {
        loop {
            match self.byte() {
                Some(b'"') => break,
                // Whatever is escaped is no end; its form is checked below.
                Some(b'\\') => self.at += 2,
                Some(_) => return Err(self.error("control character in a string")),
                None => return Err(self.error("unexpected end of text")),
            }
            self.plain();
        }
        self.at += 1;
        let quoted = self.text_from(start - 1);
        match unescape(quoted) {
            Some(_) => Ok(Scalar::Escaped(quoted)),
            None => Err(self.error("invalid escape in a string")),
        }
    }

    #[inline]
    fn number(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        self.eat(b"-");
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.eat(b".") {
            self.digits()?;
        }
        if self.eat(b"eE") {
            self.eat(b"+-");
            self.digits()?;
        }
        Ok(self.text_from(start))
    }

    /// Consumes the next byte if it is one of `bytes`.
    #[inline]
    fn eat(&mut self, bytes: &[u8]) -> bool {
        let found = self.byte().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(found);
        found
    }

    /// One digit or more.
    #[inline]
    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.error("expected a digit")) } else { Ok(()) }
    }

    fn literal(&mut self, word: &str, value: Scalar<'a>) -> Result<Scalar<'a>, Error> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    #[cold]
    fn error(&self, reason: &'static str) -> Error {
        Error(Box::new(Fault { reason, offset: self.at }))
    }
}

/// Marks (highest bit) the bytes of `block` that end the plain part of a string: quote, backslash
/// and what is below space. A mark may be false only above a true one, so the lowest is exact.
#[inline]
fn special_bytes(block: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    let below = |block: u64, limit: u8| block.wrapping_sub(ONES * u64::from(limit)) & !block;
    let equal = |byte: u8| below(block ^ (ONES * u64::from(byte)), 1);
    (equal(b'"') | equal(b'\\') | below(block, b' ')) & (ONES * 0x80)
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
            Scalar::Null => out.push_str("null"),
            scalar => match scalar.string() {
                Some(text) => write_string(&text, out),
                None => out.push_str(&scalar.text()),
            },
        },
    }
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    // Writing text cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
