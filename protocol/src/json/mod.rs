//! Reading JSON leniently and without copies (contract events.md 2, "generic lenient value rules").
//!
//! `sonic-rs` parses; what stands here says what becomes of a value. A [`Place`] takes whatever the
//! text holds for it and stays empty if it can not use that: fields of an unexpected type never
//! make a record unreadable. The last of two equal keys wins. Only text that is not JSON is an
//! error, and a number beyond all floats where a place wants an object or an array.

mod scalar;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use sonic_rs::JsonContainerTrait;

pub(crate) use scalar::{Raw, Scalar};

/// Containers inside containers beyond this many levels are refused.
pub(crate) const MAX_DEPTH: usize = 128;

/// Why a text can not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("nesting deeper than {limit} levels at byte {at}")]
    TooDeep { limit: usize, at: usize },
    #[error("invalid escape at byte {at}")]
    Escape { at: usize },
    #[error("{}", summary(.0))]
    Syntax(#[from] sonic_rs::Error),
}

/// The first line of a parser's message; the others draw the place in the text.
pub(crate) fn summary(error: &sonic_rs::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Refuses what the parser would not: it recurses once per level, so that deep text overflows the
/// stack, and it skips over `\u` without a look at the digits. Must precede every other call with
/// text from outside.
pub(crate) fn check(text: &str, limit: usize) -> Result<(), Error> {
    let (mut openers, mut escapes) = (0, false);
    // Short blocks and small counters compile to vector instructions.
    for block in text.as_bytes().chunks(255) {
        let (mut opening, mut escaping) = (0_u8, false);
        for byte in block {
            opening += u8::from(matches!(byte, b'[' | b'{'));
            escaping |= *byte == b'\\';
        }
        openers += usize::from(opening);
        escapes |= escaping;
    }
    if openers > limit {
        check_depth(text, limit)?;
    }
    if escapes { check_escapes(text) } else { Ok(()) }
}

fn check_depth(text: &str, limit: usize) -> Result<(), Error> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return Err(Error::TooDeep { limit, at });
        }
    }
    Ok(())
}

/// Four hexadecimal digits behind every `\u`. A backslash outside of strings is left to the parser.
fn check_escapes(text: &str) -> Result<(), Error> {
    let mut behind = text.split('\\').skip(1);
    while let Some(part) = behind.next() {
        let digits = part.as_bytes().strip_prefix(b"u").map(|digits| digits.get(..4));
        let valid = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        if part.is_empty() {
            // This backslash escapes the next one.
            behind.next();
        } else if digits.is_some_and(|digits| !digits.is_some_and(valid)) {
            return Err(Error::Escape { at: part.as_ptr() as usize - text.as_ptr() as usize - 1 });
        }
    }
    Ok(())
}

/// Reads a checked text that holds one value. Lone surrogates read as U+FFFD.
pub(crate) fn read<'de>(text: &'de str, place: &mut impl Place<'de>) -> Result<(), Error> {
    read_seed(text, Fill(place))
}

/// Like [`read`], for any way to read a value.
pub(crate) fn read_seed<'de>(
    text: &'de str,
    seed: impl DeserializeSeed<'de, Value = ()>,
) -> Result<(), Error> {
    let mut parser = sonic_rs::Deserializer::from_str(text).utf8_lossy();
    seed.deserialize(&mut parser)?;
    Ok(parser.end()?)
}

/// Where a value goes. What a place can not use is skipped and leaves it empty.
pub(crate) trait Place<'de>: Default {
    /// Reads the next value, in place because some are large.
    #[inline]
    fn fill<D: Deserializer<'de>>(&mut self, parser: D) -> Result<(), D::Error> {
        *self = Self::default();
        parser.deserialize_any(Fill(self))
    }

    /// Takes a scalar other than null.
    fn scalar(&mut self, _value: Value<'de>) {}

    /// Takes the elements of an array.
    fn array<A: SeqAccess<'de>>(&mut self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    /// Takes the members of an object.
    fn object<A: MapAccess<'de>>(&mut self, mut members: A) -> Result<(), A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// A scalar that a [`Place`] is offered.
pub(crate) enum Value<'de> {
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Cow<'de, str>),
}

/// Puts the next value of a parser into a place.
pub(crate) struct Fill<'p, P>(pub(crate) &'p mut P);

impl<'de, P: Place<'de>> DeserializeSeed<'de> for Fill<'_, P> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        self.0.fill(parser)
    }
}

impl<'de, P: Place<'de>> Visitor<'de> for Fill<'_, P> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.0.scalar(Value::Bool(value));
        Ok(())
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.0.scalar(Value::Integer(value.into()));
        Ok(())
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.0.scalar(Value::Integer(value.into()));
        Ok(())
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.0.scalar(Value::Float(value));
        Ok(())
    }
    #[inline]
    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<(), E> {
        self.0.scalar(Value::Text(Cow::Borrowed(value)));
        Ok(())
    }
    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.0.scalar(Value::Text(Cow::Owned(value.to_owned())));
        Ok(())
    }
    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<(), A::Error> {
        self.0.array(elements)
    }
    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        self.0.object(members)
    }
}

/// The key of a member.
pub(crate) struct Key<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(parser: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            #[inline]
            fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        parser.deserialize_str(KeyVisitor)
    }
}

/// Text; numbers and flags as text.
impl<'de> Place<'de> for Cow<'de, str> {
    #[inline]
    fn scalar(&mut self, value: Value<'de>) {
        *self = match value {
            Value::Text(text) => text,
            Value::Bool(value) => value.to_string().into(),
            Value::Integer(value) => value.to_string().into(),
            Value::Float(value) => value.to_string().into(),
        };
    }
}

/// An object; `None` for every other value.
impl<'de, P: Place<'de>> Place<'de> for Option<P> {
    fn object<A: MapAccess<'de>>(&mut self, members: A) -> Result<(), A::Error> {
        self.insert(P::default()).object(members)
    }
}

/// Calls `element` with every element of an array.
pub(crate) fn each<'de, P: Place<'de>, A: SeqAccess<'de>>(
    mut elements: A,
    mut element: impl FnMut(P),
) -> Result<(), A::Error> {
    let mut value = P::default();
    while elements.next_element_seed(Fill(&mut value))?.is_some() {
        element(std::mem::take(&mut value));
    }
    Ok(())
}

/// Reads the key of a member as what it names; [`Key`] is for keys whose text is kept.
pub(crate) struct Named<F>(pub(crate) F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for Named<F> {
    type Value = T;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<T, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for Named<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    #[inline]
    fn visit_str<E: de::Error>(self, key: &str) -> Result<T, E> {
        Ok(self.0(key))
    }
}

/// Makes an object a [`Place`]: each member goes into the field of the same line, others are
/// skipped. The longer form declares the struct too.
macro_rules! object {
    ($(#[$meta:meta])* $vis:vis struct $name:ident<$life:lifetime> {
        $($(#[$doc:meta])* $key:literal => $fvis:vis $field:ident: $kind:ty,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $vis struct $name<$life> {
            $($(#[$doc])* $fvis $field: $kind,)+
        }
        $crate::json::object!($name<'de> { $($key => $field,)+ });
    };
    ($type:ty { $($($key:literal)|+ => $field:ident,)+ }) => {
        impl<'de> $crate::json::Place<'de> for $type {
            fn object<A: serde::de::MapAccess<'de>>(
                &mut self,
                mut members: A,
            ) -> Result<(), A::Error> {
                use $crate::json::{Fill, Named};
                #[allow(non_camel_case_types)] // a member has the name of its field
                enum Member {
                    $($field,)+
                    Other,
                }
                let of = |key: &str| match key {
                    $($($key)|+ => Member::$field,)+
                    _ => Member::Other,
                };
                while let Some(member) = members.next_key_seed(Named(of))? {
                    match member {
                        $(Member::$field => members.next_value_seed(Fill(&mut self.$field))?,)+
                        Member::Other => drop(members.next_value::<serde::de::IgnoredAny>()?),
                    }
                }
                Ok(())
            }
        }
    };
}
pub(crate) use object;

/// All of `text`: whatever [`read`] can read, with numbers as written.
pub(crate) fn tree(text: &str) -> Result<sonic_rs::Value, Error> {
    check(text, MAX_DEPTH)?;
    let mut parser = sonic_rs::Deserializer::from_str(text).utf8_lossy().use_rawnumber();
    let root = parser.deserialize()?;
    parser.end()?;
    Ok(root)
}

/// `text` as compact JSON with the keys of every object sorted and, in the root object, the keys
/// `without` left out. Numbers stay as written; of equal keys the last one stays.
pub(crate) fn canonical(text: &str, without: &[&str]) -> Result<String, Error> {
    let root = tree(text)?;
    let mut out = String::with_capacity(text.len());
    write_sorted(&root, without, &mut out)?;
    Ok(out)
}

/// `text`, an object, without the members `keys` of the root; everything else stays as written.
pub(crate) fn without(text: &str, keys: &[&str]) -> Result<String, Error> {
    check(text, MAX_DEPTH)?;
    let mut out = String::with_capacity(text.len());
    let mut separator = '{';
    for member in sonic_rs::to_object_iter(text) {
        let (key, value) = member?;
        if !keys.contains(&&*key) {
            out.push(separator);
            separator = ',';
            out.push_str(&sonic_rs::to_string(&*key)?);
            out.push(':');
            out.push_str(value.as_raw_str());
        }
    }
    out.push_str(if separator == '{' { "{}" } else { "}" });
    Ok(out)
}

/// The member `key` of the root object as canonical text; `None` when it is absent or null. Of
/// several the last one counts.
pub(crate) fn canonical_member(text: &str, key: &str) -> Result<Option<String>, Error> {
    let mut found = None;
    for member in sonic_rs::to_object_iter(text) {
        let (name, value) = member?;
        if name == key {
            found = Some(value);
        }
    }
    let found = found.filter(|value| value.as_raw_str() != "null");
    found.map(|value| canonical(value.as_raw_str(), &[])).transpose()
}

fn write_sorted(value: &sonic_rs::Value, without: &[&str], out: &mut String) -> Result<(), Error> {
    if let Some(object) = value.as_object() {
        let members: BTreeMap<&str, &sonic_rs::Value> =
            object.iter().filter(|(key, _)| !without.contains(key)).collect();
        let mut separator = '{';
        for (key, value) in &members {
            out.push(separator);
            separator = ',';
            out.push_str(&sonic_rs::to_string(key)?);
            out.push(':');
            write_sorted(value, &[], out)?;
        }
        out.push_str(if members.is_empty() { "{}" } else { "}" });
    } else if let Some(array) = value.as_array() {
        let mut separator = '[';
        for element in array {
            out.push(separator);
            separator = ',';
            write_sorted(element, &[], out)?;
        }
        out.push_str(if array.is_empty() { "[]" } else { "]" });
    } else {
        out.push_str(&sonic_rs::to_string(value)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_parser_skips_is_checked() {
        for text in [r#""\u12""#, r#"{"a":"\u12","b":1}"#, r#"["\u00g0"]"#, r#""\u"#, r#""\\\u1"#] {
            assert!(matches!(check(text, 9), Err(Error::Escape { .. })), "{text}");
        }
        // A backslash before a backslash escapes that, and a lone surrogate is text.
        for text in [r#""\\u12""#, r#""\u12aF""#, r#""\ud800""#, r#""\n""#, "\"\\"] {
            assert!(check(text, 9).is_ok(), "{text}");
        }
    }

    #[test]
    fn only_levels_count_as_depth() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(check(&deep(9), 9).is_ok());
        assert!(matches!(check(&deep(10), 9), Err(Error::TooDeep { limit: 9, at: 9 })));
        // Neither brackets in strings nor beside each other, not even more than fit a small counter.
        assert!(check(&format!(r#"["\"{}"]"#, deep(600)), 9).is_ok());
        assert!(check(&format!("[{}1]", "{},".repeat(600)), 9).is_ok());
        assert!(check(&format!("{}{}", " ".repeat(1000), deep(300)), 299).is_err());
    }

    #[test]
    fn canonical_text() {
        for (text, expected) in [
            (
                r#" { "b" : [ 1.50 , {} , [] ] , "a" : "\u003c\n" , "x" : 1 } "#,
                r#"{"a":"<\n","b":[1.50,{},[]]}"#,
            ),
            (r#"{"b":{"x":1e999},"a":1,"a":[true,null]}"#, r#"{"a":[true,null],"b":{"x":1e999}}"#),
            (r#"{"x":1}"#, "{}"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(canonical(text, &["x"]).unwrap(), expected);
        }
        assert!(canonical("{} {}", &[]).is_err());
    }

    #[test]
    fn members_of_the_root() {
        let text = r#"{"p":1,"q":{"p":2},"p":{"b":[],"a":"x"},"n":null}"#;
        let member = |key| canonical_member(text, key).unwrap();
        assert_eq!(member("p").as_deref(), Some(r#"{"a":"x","b":[]}"#));
        assert_eq!((member("n"), member("z")), (None, None));
    }
}
