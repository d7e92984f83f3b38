//! What the fields of a capability document take from a value of another type: relayed text, so a
//! number can stand in a string, and every field can be null or missing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{MapAccess, SeqAccess};

use super::{Hardware, Price};
use crate::json::{Fill, Key, Place, Value, each};

/// The integer part of a number, a trimmed number in text; 0 for everything else. Clamped to the
/// range of the type.
macro_rules! clamped {
    ($($integer:ty),*) => {
        $(impl<'de> Place<'de> for $integer {
            fn scalar(&mut self, value: Value<'de>) {
                *self = integer(&value).clamp(<$integer>::MIN.into(), <$integer>::MAX.into()) as $integer;
            }
        })*
    };
}
clamped!(u8, i32, i64, u64);

fn integer(value: &Value<'_>) -> i128 {
    match value {
        Value::Integer(value) => *value,
        Value::Float(value) => *value as i128,
        Value::Text(text) => text.trim().parse().unwrap_or(0),
        Value::Bool(_) => 0,
    }
}

/// `true`, a number other than 0, or either as text; false for everything else.
impl<'de> Place<'de> for bool {
    fn scalar(&mut self, value: Value<'de>) {
        *self = match value {
            Value::Bool(value) => value,
            Value::Integer(value) => value != 0,
            Value::Float(value) => value != 0.0,
            Value::Text(text) => {
                let text = text.trim();
                let number = text.parse::<f64>().is_ok_and(|value| value != 0.0);
                number || text.eq_ignore_ascii_case("true")
            }
        };
    }
}

/// The objects of an array, other elements left out.
macro_rules! objects {
    ($($object:ident),*) => {
        $(impl<'de> Place<'de> for Vec<$object<'de>> {
            fn array<A: SeqAccess<'de>>(&mut self, elements: A) -> Result<(), A::Error> {
                each(elements, |object: Option<_>| self.extend(object))
            }
        })*
    };
}
objects!(Price, Hardware);

/// The members of an object in document order; of duplicate keys the place of the first and the
/// value of the last.
#[derive(Debug)]
pub(super) struct Keyed<'de, V>(pub(super) Vec<(Cow<'de, str>, V)>);

impl<V> Default for Keyed<'_, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Place<'de>> Place<'de> for Keyed<'de, V> {
    fn object<A: MapAccess<'de>>(&mut self, mut members: A) -> Result<(), A::Error> {
        let mut places = BTreeMap::new();
        while let Some(Key(key)) = members.next_key()? {
            let mut value = V::default();
            members.next_value_seed(Fill(&mut value))?;
            let at = *places.entry(key.clone()).or_insert(self.0.len());
            match self.0.get_mut(at) {
                Some(member) => member.1 = value,
                None => self.0.push((key, value)),
            }
        }
        Ok(())
    }
}
