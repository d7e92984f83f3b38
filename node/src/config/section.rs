//! The macro that defines a section of settings once: its struct, its reading, its reference and its printed form.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::file::{self, Node};
use super::problem::{Origin, Problem};
use super::value::{NOT_WHOLE, OUT_OF_RANGE, Setting};

/// A value of one layer, not yet checked.
#[derive(Debug, Clone)]
pub(crate) enum Raw {
    Text(String),
    Node(Node),
}

/// One entry of the reference.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Section { path: String, doc: String },
    Key(Key),
}

/// Everything known about one setting.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) path: String,
    pub(crate) expected: String,
    pub(crate) default: toml::Value,
    pub(crate) range: Option<String>,
    pub(crate) secret: bool,
    pub(crate) doc: String,
}

/// A group of settings, possibly with groups inside.
pub(crate) trait Section: Sized {
    fn read(path: &str, reader: &mut Reader) -> Self;
    fn describe(path: &str, out: &mut Vec<Entry>);
    fn show(&self, path: &str, out: &mut Vec<(String, toml::Value)>);
}

/// The values of all layers, from the weakest to the strongest, and what was found wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) given: BTreeMap<String, Vec<(Origin, Raw)>>,
    pub(crate) problems: Vec<Problem>,
}

impl Reader {
    /// The strongest layer's value. Weaker layers are checked too: a mistake does not hide behind an override.
    pub(crate) fn value<T: Setting>(
        &mut self,
        path: &str,
        default: T,
        refuse: impl Fn(&T) -> Option<String>,
        range: impl Fn() -> Option<String>,
    ) -> T {
        let mut chosen = default;
        for (origin, raw) in self.given.get(path).into_iter().flatten() {
            match read::<T>(origin, path, raw) {
                Ok(value) => match refuse(&value) {
                    None => chosen = value,
                    Some(reason) => self.problems.push(
                        Problem::new(origin.clone(), path, reason)
                            .given(Some(value.to_value().to_string())),
                    ),
                },
                Err(problems) => {
                    self.problems
                        .extend(problems.into_iter().map(|problem| bounded(problem, &range)));
                }
            }
        }
        chosen
    }
}

/// A number that its type refuses is told the range of its setting.
fn bounded(mut problem: Problem, range: impl Fn() -> Option<String>) -> Problem {
    if [NOT_WHOLE, OUT_OF_RANGE].contains(&problem.reason.as_str())
        && let Some(range) = range()
    {
        problem.reason = format!("{}; give {range}", problem.reason);
    }
    problem
}

fn read<T: Setting>(origin: &Origin, path: &str, raw: &Raw) -> Result<T, Vec<Problem>> {
    let node = match raw {
        Raw::Node(node) => node,
        Raw::Text(text) => {
            let given = Some(file::quote(&T::redact(text)));
            return T::from_text(text)
                .map_err(|reason| vec![Problem::new(origin.clone(), path, reason).given(given)]);
        }
    };
    T::from_node(node).map_err(|faults| {
        let problem = |fault: super::value::Fault| {
            let origin = match (origin, fault.line) {
                (Origin::File { file, .. }, Some(line)) => {
                    Origin::File { file: file.clone(), line }
                }
                _ => origin.clone(),
            };
            Problem::new(origin, format!("{path}{}", fault.below), fault.reason)
                .given(fault.given)
                .suggest(fault.suggestion)
        };
        faults.into_iter().map(problem).collect()
    })
}

/// A value as it is printed.
pub(crate) fn to_value<T: Setting>(value: &T) -> toml::Value {
    value.to_value()
}

/// The range as text, both ends included.
pub(crate) fn range_text<T: Setting>(range: &RangeInclusive<T>) -> String {
    let plain = |value: &T| match value.to_value() {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    format!("{} to {}", plain(range.start()), plain(range.end()))
}

/// Why the value is outside the range, if it is.
pub(crate) fn outside<T: Setting + PartialOrd>(
    value: &T,
    range: &RangeInclusive<T>,
) -> Option<String> {
    (!range.contains(value)).then(|| format!("{OUT_OF_RANGE}; give {}", range_text(range)))
}

/// The dotted path of `name` in the section `parent`.
pub(crate) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// The dotted path of a struct's field, whose name may be a raw identifier.
pub(crate) fn field(parent: &str, name: &str) -> String {
    join(parent, name.trim_start_matches("r#"))
}

impl Entry {
    /// The entry of a section.
    pub(crate) fn section(path: &str, doc: &[&str]) -> Self {
        Self::Section { path: path.to_owned(), doc: doc.concat().trim().to_owned() }
    }

    /// The entry of a setting.
    pub(crate) fn key<T: Setting>(
        path: String,
        default: &T,
        range: Option<String>,
        doc: &[&str],
    ) -> Self {
        Self::Key(Key {
            path,
            expected: T::expected(),
            default: default.to_value(),
            range,
            secret: T::SECRET,
            doc: doc.concat().trim().to_owned(),
        })
    }
}

/// Defines sections: `name: Type = default, range;` for settings, `sections { name: Type }` for groups inside.
/// The doc comments are the text of the reference.
macro_rules! section {
    (@refuse) => { |_| None };
    (@refuse $range:expr) => { |value| $crate::config::section::outside(value, &$range) };
    (@range $ty:ty) => { None };
    (@range $ty:ty, $range:expr) => { Some($crate::config::section::range_text::<$ty>(&$range)) };
    ($(
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $($(#[doc = $key_doc:literal])+ $key:ident: $ty:ty = $default:expr $(, $range:expr)?;)*
        }
        $(sections { $($sub:ident: $sub_ty:ty),+ $(,)? })?
    )+) => { $(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $key_doc])+ pub $key: $ty,)*
            $($(#[doc = concat!("See [`", stringify!($sub_ty), "`].")] pub $sub: $sub_ty,)+)?
        }

        impl $crate::config::section::Section for $name {
            fn read(path: &str, reader: &mut $crate::config::section::Reader) -> Self {
                use $crate::config::section::field;
                Self {
                    $($key: reader.value::<$ty>(
                        &field(path, stringify!($key)),
                        $default,
                        section!(@refuse $($range)?),
                        || section!(@range $ty $(, $range)?),
                    ),)*
                    $($($sub: <$sub_ty>::read(&field(path, stringify!($sub)), reader),)+)?
                }
            }

            fn describe(path: &str, out: &mut Vec<$crate::config::section::Entry>) {
                use $crate::config::section::{Entry, field};
                out.push(Entry::section(path, &[$($doc),+]));
                $(out.push(Entry::key::<$ty>(
                    field(path, stringify!($key)),
                    &$default,
                    section!(@range $ty $(, $range)?),
                    &[$($key_doc),+],
                ));)*
                $($(<$sub_ty>::describe(&field(path, stringify!($sub)), out);)+)?
            }

            fn show(&self, path: &str, out: &mut Vec<(String, toml::Value)>) {
                $(out.push(($crate::config::section::field(path, stringify!($key)), $crate::config::section::to_value(&self.$key)));)*
                $($(self.$sub.show(&$crate::config::section::field(path, stringify!($sub)), out);)+)?
            }
        }
    )+ };
}
pub(crate) use section;
