//! What a setting's value can be, and its one text form shared by file, environment, flags and output.

use std::path::PathBuf;
use std::time::Duration;

use super::file::{Node, Value};
use super::secret::{REDACTED, Secret};
use super::units;

/// Why (a part of) a value is refused.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Path below the setting, such as `[1].reset`; '' for the value itself.
    pub(crate) below: String,
    /// Line of that part, when the value came from a file.
    pub(crate) line: Option<usize>,
    pub(crate) given: Option<String>,
    pub(crate) reason: String,
    pub(crate) suggestion: Option<String>,
}

impl Fault {
    pub(crate) fn at(node: &Node, given: Option<String>, reason: String) -> Self {
        Self { below: String::new(), line: Some(node.line), given, reason, suggestion: None }
    }

    pub(crate) fn under(mut self, parent: &str) -> Self {
        self.below = format!("{parent}{}", self.below);
        self
    }
}

/// A type that a setting can have.
pub(crate) trait Setting: Sized + Clone {
    /// The value is never shown.
    const SECRET: bool = false;

    /// What is expected, with its article and an example where the form is not obvious.
    fn expected() -> String;

    /// The value of an environment variable or flag; the error says what is wrong with it.
    fn from_text(text: &str) -> Result<Self, String>;

    /// The value of a file; by default its text.
    fn from_node(node: &Node) -> Result<Self, Vec<Fault>> {
        match &node.value {
            Value::Text(text) => Self::from_text(text).map_err(|reason| {
                vec![Fault::at(node, Some(super::file::quote(&Self::redact(text))), reason)]
            }),
            _ => Err(wrong_type::<Self>(node)),
        }
    }

    /// The text without what must not be shown.
    fn redact(text: &str) -> String {
        if Self::SECRET { REDACTED.to_owned() } else { text.to_owned() }
    }

    /// The canonical form, redacted; [`Setting::from_node`] reads it back.
    fn to_value(&self) -> toml::Value;
}

pub(crate) fn wrong_type<T: Setting>(node: &Node) -> Vec<Fault> {
    let reason =
        format!("wrong type: found {}, expected {}", node.value.type_name(), T::expected());
    let given = if T::SECRET { Some(REDACTED.to_owned()) } else { node.value.quote() };
    vec![Fault::at(node, given, reason)]
}

/// Why a number is refused; the reader adds the range of the setting, which a type does not know.
pub(crate) const NOT_WHOLE: &str = "not a whole number";
/// The same of a number that no setting could have.
pub(crate) const OUT_OF_RANGE: &str = "out of range";

impl Setting for u32 {
    fn expected() -> String {
        "a whole number".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let number: i128 = text.parse().map_err(|_| NOT_WHOLE.to_owned())?;
        Self::try_from(number).map_err(|_| OUT_OF_RANGE.to_owned())
    }

    fn from_node(node: &Node) -> Result<Self, Vec<Fault>> {
        let Value::Integer(number) = node.value else { return Err(wrong_type::<Self>(node)) };
        Self::try_from(number)
            .map_err(|_| vec![Fault::at(node, Some(number.to_string()), OUT_OF_RANGE.to_owned())])
    }

    fn to_value(&self) -> toml::Value {
        toml::Value::Integer(i64::from(*self))
    }
}

impl Setting for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "not true or false".to_owned())
    }

    fn from_node(node: &Node) -> Result<Self, Vec<Fault>> {
        match node.value {
            Value::Boolean(value) => Ok(value),
            _ => Err(wrong_type::<Self>(node)),
        }
    }

    fn to_value(&self) -> toml::Value {
        toml::Value::Boolean(*self)
    }
}

impl Setting for String {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("empty; give a text".to_owned()),
            _ if text.trim() != text => Err("starts or ends with a blank; remove it".to_owned()),
            _ => Ok(text.to_owned()),
        }
    }

    fn to_value(&self) -> toml::Value {
        toml::Value::String(self.clone())
    }
}

impl Setting for PathBuf {
    fn expected() -> String {
        "a path".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("empty; give a path".to_owned()) } else { Ok(Self::from(text)) }
    }

    fn to_value(&self) -> toml::Value {
        toml::Value::String(self.to_string_lossy().into_owned())
    }
}

impl Setting for Duration {
    fn expected() -> String {
        "a duration such as \"500ms\" or \"1h30m\"".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        units::parse(text, units::TIME).map(Self::from_millis).ok_or_else(|| {
            "not a duration; give whole numbers with the units d, h, m, s or ms, such as 500ms or 1h30m".to_owned()
        })
    }

    fn to_value(&self) -> toml::Value {
        toml::Value::String(duration_text(*self))
    }
}

/// A duration as settings are written. Hours read better than days: 48h, not 2d.
pub(crate) fn duration_text(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    units::format(millis, &units::TIME[1..])
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    pub(crate) const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    pub(crate) const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    pub(crate) const fn gib(count: u64) -> Self {
        Self(count << 30)
    }
}

impl Setting for ByteSize {
    fn expected() -> String {
        "a size such as \"64MiB\"".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        units::parse(text, units::SIZE).map(Self).ok_or_else(|| {
            "not a size; give whole numbers with the units TiB, GiB, MiB, KiB or B, such as 64MiB"
                .to_owned()
        })
    }

    fn to_value(&self) -> toml::Value {
        toml::Value::String(units::format(self.0, units::SIZE))
    }
}

impl Setting for Secret {
    const SECRET: bool = true;

    fn expected() -> String {
        "a secret text".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("empty; give the secret".to_owned()) } else { Ok(Self::new(text)) }
    }

    fn to_value(&self) -> toml::Value {
        toml::Value::String(REDACTED.to_owned())
    }
}

/// An optional setting: an empty text means not set, in every layer.
impl<T: Setting> Setting for Option<T> {
    const SECRET: bool = T::SECRET;

    fn expected() -> String {
        T::expected()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::from_text(text).map(Some) }
    }

    fn from_node(node: &Node) -> Result<Self, Vec<Fault>> {
        match &node.value {
            Value::Text(text) if text.is_empty() => Ok(None),
            _ => T::from_node(node).map(Some),
        }
    }

    fn redact(text: &str) -> String {
        T::redact(text)
    }

    fn to_value(&self) -> toml::Value {
        self.as_ref().map_or_else(|| toml::Value::String(String::new()), Setting::to_value)
    }
}

/// A list: an array in a file, comma-separated elsewhere.
impl<T: Setting> Setting for Vec<T> {
    fn expected() -> String {
        format!("a list, each element {}", T::expected())
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::new());
        }
        text.split(',')
            .enumerate()
            .map(|(at, item)| {
                T::from_text(item.trim()).map_err(|reason| format!("element {}: {reason}", at + 1))
            })
            .collect()
    }

    fn from_node(node: &Node) -> Result<Self, Vec<Fault>> {
        let Value::Array(items) = &node.value else { return Err(wrong_type::<Self>(node)) };
        let mut faults = Vec::new();
        let mut list = Self::new();
        for (at, item) in items.iter().enumerate() {
            match T::from_node(item) {
                Ok(value) => list.push(value),
                Err(found) => {
                    faults.extend(found.into_iter().map(|fault| fault.under(&format!("[{at}]"))));
                }
            }
        }
        if faults.is_empty() { Ok(list) } else { Err(faults) }
    }

    fn redact(text: &str) -> String {
        T::redact(text)
    }

    fn to_value(&self) -> toml::Value {
        toml::Value::Array(self.iter().map(Setting::to_value).collect())
    }
}

/// Defines an enumeration whose variants have fixed names.
macro_rules! choice {
    ($(#[doc = $doc:literal])+ pub enum $name:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $vdoc])+ $variant,)+ }

        impl $name {
            /// The name in configuration texts.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl $crate::config::value::Setting for $name {
            fn expected() -> String {
                format!("one of {}", [$($text),+].join(", "))
            }

            fn from_text(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(format!("unknown choice; give {}", Self::expected())),
                }
            }

            fn to_value(&self) -> toml::Value {
                toml::Value::String(self.name().to_owned())
            }
        }
    };
}
pub(crate) use choice;
