//! Lenient JSON values: a value of an unexpected type is empty, never an error.
//!
//! Producers relay what orchestrators say, so a field can be null, a number in text, or missing. The
//! last of duplicate keys wins. Only text that is no JSON at all is an error.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// An object type that is read field by field.
pub(super) trait Object<'de>: Default {
    /// Takes the value of `key`; must consume exactly one value of `map`.
    fn field<A: MapAccess<'de>>(&mut self, key: Cow<'de, str>, map: &mut A)
    -> Result<(), A::Error>;
}

/// Visitor methods that give `$value` for every scalar.
macro_rules! scalars_give {
    ($value:expr) => {
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

/// Visitor methods that skip containers and give `$value` for them.
macro_rules! containers_give {
    ($value:expr) => {
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            skip_seq(seq)?;
            Ok($value)
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            skip_map(map)?;
            Ok($value)
        }
    };
}

fn skip_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

fn read_object<'de, T: Object<'de>, A: MapAccess<'de>>(mut map: A) -> Result<T, A::Error> {
    let mut object = T::default();
    while let Some(Text(key)) = map.next_key()? {
        object.field(key, &mut map)?;
    }
    Ok(object)
}

/// An object, or `None` for every other value.
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<'de, T: Object<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Object<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Maybe<T>;
            scalars_give!(Maybe(None));
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                skip_seq(seq)?;
                Ok(Maybe(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                read_object(map).map(|object| Maybe(Some(object)))
            }
        }
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

/// The objects of an array or, in `Keyed` form, of an object; empty for every other value.
pub(super) enum List<'de, T> {
    /// `[object, ..]`, other elements left out.
    Array(Vec<T>),
    /// `{"key": object, ..}`.
    Object(Keyed<'de, Maybe<T>>),
}

impl<T> List<'_, T> {
    /// The elements of an array; an object has none.
    pub(super) fn into_array(self) -> Vec<T> {
        match self {
            Self::Array(items) => items,
            Self::Object(_) => Vec::new(),
        }
    }
}

impl<'de, T: Object<'de> + 'de> Deserialize<'de> for List<'de, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Object<'de> + 'de> Visitor<'de> for ListVisitor<T> {
            type Value = List<'de, T>;
            scalars_give!(List::Array(Vec::new()));
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(Maybe(item)) = seq.next_element()? {
                    items.extend(item);
                }
                Ok(List::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                read_object(map).map(List::Object)
            }
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// The members of an object in document order; wrap in [`Maybe`] to read it.
pub(super) struct Keyed<'de, V>(Vec<(Cow<'de, str>, V)>);

impl<V> Default for Keyed<'_, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V> Keyed<'de, V> {
    /// The members; of duplicate keys the place of the first and the value of the last.
    pub(super) fn into_members(self) -> Vec<(Cow<'de, str>, V)> {
        let mut place = BTreeMap::new();
        let mut members: Vec<(Cow<'de, str>, V)> = Vec::with_capacity(self.0.len());
        for (key, value) in self.0 {
            let at = *place.entry(key.clone()).or_insert(members.len());
            match members.get_mut(at) {
                Some(member) => member.1 = value,
                None => members.push((key, value)),
            }
        }
        members
    }
}

impl<'de, V: Deserialize<'de>> Object<'de> for Keyed<'de, V> {
    fn field<A: MapAccess<'de>>(
        &mut self,
        key: Cow<'de, str>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        self.0.push((key, map.next_value()?));
        Ok(())
    }
}

/// Text; numbers and flags as text; `""` for null and containers.
#[derive(Default)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            containers_give!(Text::default());
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// An integer: the integer part of a number, a trimmed number in text; 0 for everything else.
#[derive(Default)]
pub(super) struct Int(i128);

impl Int {
    /// The value, clamped to the range of `T`.
    pub(super) fn clamped<T: TryFrom<i128> + Bounds>(&self) -> T {
        T::try_from(self.0).unwrap_or(if self.0 < 0 { T::LOW } else { T::HIGH })
    }
}

/// The range of an integer type.
pub(super) trait Bounds {
    /// Smallest value.
    const LOW: Self;
    /// Largest value.
    const HIGH: Self;
}

macro_rules! bounds {
    ($($integer:ty),*) => {
        $(impl Bounds for $integer {
            const LOW: Self = Self::MIN;
            const HIGH: Self = Self::MAX;
        })*
    };
}
bounds!(u8, i32, i64, u64);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntVisitor;
        impl<'de> Visitor<'de> for IntVisitor {
            type Value = Int;
            containers_give!(Int(0));
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Int, E> {
                Ok(Int(value.into()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Int, E> {
                Ok(Int(value.into()))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Int, E> {
                Ok(Int(value as i128))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Int, E> {
                Ok(Int(text.trim().parse().unwrap_or(0)))
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Int, E> {
                Ok(Int(0))
            }
            fn visit_unit<E: Error>(self) -> Result<Int, E> {
                Ok(Int(0))
            }
        }
        deserializer.deserialize_any(IntVisitor)
    }
}

/// A flag: `true`, a number other than 0, or `true` as text; false for everything else.
#[derive(Default)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let text = text.trim();
        let number = text.parse::<f64>().is_ok_and(|value| value != 0.0);
        Ok(Self(number || text.eq_ignore_ascii_case("true")))
    }
}

/// Whether arrays and objects lie more than `limit` deep in each other. The JSON library recurses once
/// per level while it skips a value, so unbounded text would overflow the stack.
pub(super) fn deeper_than(limit: usize, text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}
