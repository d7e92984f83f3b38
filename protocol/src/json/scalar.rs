//! Scalars of events: views of the text, interpreted when a field's type is known.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};

use super::Place;
use crate::identity::trim;
use crate::time::Timestamp;

/// One JSON value as a field sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Scalar<'a> {
    #[default]
    Missing,
    Null,
    Bool(bool),
    /// A number as written.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// An object or array; fields that want a scalar see nothing in it.
    Container,
}

impl<'de> Place<'de> for Scalar<'de> {
    #[inline]
    fn fill<D: Deserializer<'de>>(&mut self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_newtype_struct(LAZY_VALUE, Take(self))
    }
}

impl<'de> FromText<'de> for Scalar<'de> {
    #[inline]
    fn take(&mut self, raw: &'de str) {
        *self = Self::of(raw);
    }

    fn take_escaped(&mut self, raw: &str) -> Option<()> {
        *self = Self::Text(Cow::Owned(unescape(raw)?));
        Some(())
    }
}

/// The name by which `sonic_rs::LazyValue` asks the parser for the text of the next value.
const LAZY_VALUE: &str = "$sonic_rs::LazyValue";

/// What is made of the text of a value, as it stands in the record.
trait FromText<'de> {
    fn take(&mut self, raw: &'de str);

    /// Takes a string with escapes; `None` if one of them is invalid.
    fn take_escaped(&mut self, raw: &str) -> Option<()>;
}

/// Takes the text of the next value from the parser. A `LazyValue` in between, which is made and read once, is
/// a third of the price of a short value.
struct Take<'p, P>(&'p mut P);

impl<'de, P: FromText<'de>> Visitor<'de> for Take<'_, P> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, raw: &'de str) -> Result<(), E> {
        self.0.take(raw);
        Ok(())
    }

    fn visit_str<E: Error>(self, raw: &str) -> Result<(), E> {
        self.0.take_escaped(raw).ok_or_else(|| E::custom("invalid escape in a string"))
    }
}

impl<'a> Scalar<'a> {
    /// The scalar of a valid JSON value without escapes.
    #[inline]
    fn of(raw: &'a str) -> Self {
        match raw.as_bytes() {
            [b'"', ..] => Self::Text(Cow::Borrowed(raw.get(1..raw.len() - 1).unwrap_or(""))),
            [b'{' | b'[', ..] => Self::Container,
            b"null" => Self::Null,
            b"true" => Self::Bool(true),
            b"false" => Self::Bool(false),
            _ => Self::Number(raw),
        }
    }

    /// The test of required fields: present, not null, not empty text. Blank text and values of
    /// another type pass.
    pub(crate) fn is_present(&self) -> bool {
        match self {
            Self::Missing | Self::Null => false,
            Self::Text(text) => !text.is_empty(),
            _ => true,
        }
    }

    /// The text of a string; `None` for any other type.
    pub(crate) fn string(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Text; numbers and booleans as written, `""` for everything else.
    pub(crate) fn text(&self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(text) => Cow::Borrowed(text),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            _ => Cow::Borrowed(""),
        }
    }

    /// A number as written, or trimmed text, if `T` can be read from it.
    fn parse<T: FromStr>(&self) -> Option<T> {
        match self {
            Self::Number(number) => number.parse().ok(),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The integer part of a number, or of text that is an integer; `None` if it has none or does
    /// not fit.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.parse().ok().or_else(|| integer_part(number)),
            _ => self.parse(),
        }
    }

    /// [`Self::integer`] in the range of `T`.
    pub(crate) fn integer_in<T: TryFrom<i64>>(&self) -> Option<T> {
        self.integer().and_then(|value| T::try_from(value).ok())
    }

    /// [`Self::integer`] up to 64 bits unsigned; `None` when absent or negative.
    pub(crate) fn unsigned(&self) -> Option<u64> {
        self.parse().or_else(|| self.integer_in())
    }

    /// A count: [`Self::unsigned`], 0 for everything else.
    pub(crate) fn count(&self) -> u64 {
        self.unsigned().unwrap_or(0)
    }

    /// A float from a number or numeric text that is finite in single precision, which rows have;
    /// 0 for everything else.
    pub(crate) fn float(&self) -> f64 {
        self.parse().filter(|value: &f64| (*value as f32).is_finite()).unwrap_or(0.0)
    }

    /// Epoch milliseconds: the integer part of a number, or text of digits only (trimmed).
    pub(crate) fn millis(&self) -> Option<Timestamp> {
        match self {
            Self::Number(_) => self.integer(),
            Self::Text(text) => digits(text),
            _ => None,
        }
        .map(Timestamp)
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

/// The text of a quoted string; `None` if an escape is invalid. Lone surrogates read as U+FFFD.
fn unescape(quoted: &str) -> Option<String> {
    sonic_rs::Deserializer::from_str(quoted).utf8_lossy().deserialize().ok()
}

/// The value of trimmed text that holds nothing but ASCII digits.
fn digits(text: &str) -> Option<i64> {
    let text = trim(text);
    // Only a sign could stand before the digits of a number.
    text.starts_with(|first: char| first.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The integer part of a JSON number that is not a plain 64-bit integer.
fn integer_part(number: &str) -> Option<i64> {
    let value = number.parse::<f64>().ok()?.trunc();
    // i64::MAX itself is no f64; the next one above is the first value that does not fit.
    (-(2_f64.powi(63))..2_f64.powi(63)).contains(&value).then_some(value as i64)
}

/// The text of a value, as it stands in the record; `None` when the key is missing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raw<'a>(pub(crate) Option<&'a str>);

impl<'de> Place<'de> for Raw<'de> {
    #[inline]
    fn fill<D: Deserializer<'de>>(&mut self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_newtype_struct(LAZY_VALUE, Take(self))
    }
}

impl<'de> FromText<'de> for Raw<'de> {
    fn take(&mut self, raw: &'de str) {
        self.0 = Some(raw);
    }

    /// Only strings with escapes are copied. Nobody asks for more than that it is a string.
    fn take_escaped(&mut self, _raw: &str) -> Option<()> {
        self.0 = Some(r#""\\""#);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::object;

    object! {
        struct Member<'a> {
            "data" => data: Raw<'a>,
        }
    }

    #[test]
    fn the_parser_hands_over_values_as_they_are_written() {
        for text in ["1.50", "\"a\"", "null", "[1, 2]", "-0", "1e999"] {
            let mut raw = Raw::default();
            super::super::read(text, &mut raw).unwrap();
            assert_eq!(raw.0, Some(text));
            for around in
                [format!(r#"{{"data" : {text} }}"#), format!(r#"{{"data":{text},"x":1}}"#)]
            {
                let mut member = Member::default();
                super::super::read(&around, &mut member).unwrap();
                assert_eq!(member.data.0, Some(text), "{around}");
            }
        }
        for (text, expected) in [(r#""a\n""#, "a\n"), (r#""\ud800""#, "\u{fffd}")] {
            let mut escaped = Scalar::Missing;
            super::super::read(text, &mut escaped).unwrap();
            assert_eq!(escaped, Scalar::Text(Cow::Borrowed(expected)));
        }
    }

    #[test]
    fn text_of_digits_is_a_number_and_nothing_else_is() {
        for (text, expected) in [
            ("1767908945298", Some(1_767_908_945_298)),
            (" 007\n", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("+1", None),
            ("-1", None),
            ("1a", None),
            ("1 2", None),
            ("\u{661}", None),
            ("", None),
            (" ", None),
        ] {
            assert_eq!(digits(text), expected, "{text:?}");
        }
    }
}
