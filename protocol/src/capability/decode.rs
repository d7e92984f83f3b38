//! From the JSON text of an envelope's `data` to a typed [`Document`] (contract events.md 4).

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess};

use super::json::{Flag, Int, Keyed, List, Maybe, Object, Text, deeper_than};
use super::{BadEntry, Document, Entry, Gpu, Hardware, ModelConstraint, ModelSettings, Price};
use crate::identity::{norm_addr, trimmed};

/// What a payload held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded<'a> {
    /// The entries that could be read.
    pub document: Document<'a>,
    /// The entries that could not; they never take others with them.
    pub bad_entries: Vec<BadEntry>,
}

/// A payload that cannot be taken apart into entries (reject reason `invalid_data_shape`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A scalar, null or blank text.
    #[error("capability data is neither an array of entries nor one entry object")]
    Scalar,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("capability data is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
}

/// Deepest nesting of arrays and objects that is read; real documents have 8. An unoptimised build
/// takes about 35 KB of stack per level, threads have 2 MiB.
pub const MAX_DEPTH: usize = 32;

/// Reads a payload: an array of entries or one entry.
///
/// Elements that are no objects, and `{}`, are skipped without a trace. A field of another type than
/// expected counts as absent; numbers out of range are clamped. Text that is no JSON spoils only its
/// own entry, or from there on the rest of the array when no further entry can be told apart.
///
/// # Errors
/// [`ShapeError`] for a scalar, blank text and nesting beyond [`MAX_DEPTH`].
pub fn decode(data: &str) -> Result<Decoded<'_>, ShapeError> {
    let data = data.trim();
    if deeper_than(MAX_DEPTH, data) {
        return Err(ShapeError::TooDeep);
    }
    let mut decoded = Decoded::default();
    match data.as_bytes().first() {
        Some(b'{') => decoded.add(0, Cow::Borrowed(data)),
        Some(b'[') => {
            for (index, element) in sonic_rs::to_array_iter(data).enumerate() {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                match element {
                    Ok(element) => decoded.add(index, element.as_raw_cow()),
                    Err(error) => decoded.fail(index, &error),
                }
            }
        }
        _ => return Err(ShapeError::Scalar),
    }
    Ok(decoded)
}

impl<'a> Decoded<'a> {
    fn add(&mut self, index: u32, raw: Cow<'a, str>) {
        let fields = match &raw {
            Cow::Borrowed(text) => sonic_rs::from_str::<Maybe<EntryFields<'a>>>(text),
            // Not reached for text input, whose elements always borrow; kept total all the same.
            Cow::Owned(_) => Ok(Maybe(None)),
        };
        match fields {
            Ok(Maybe(Some(fields))) if fields.count > 0 => {
                self.document.entries.push(fields.into_entry(index, raw));
            }
            Ok(_) => {}
            Err(error) => self.fail(index, &error),
        }
    }

    fn fail(&mut self, index: u32, error: &sonic_rs::Error) {
        let text = error.to_string();
        let reason = text.lines().next().unwrap_or_default().to_owned();
        self.bad_entries.push(BadEntry { index, reason });
    }
}

/// Implements [`Object`] for a struct: `"key" => |self, value: Type| statement`.
macro_rules! object {
    ($type:ty, { $($($key:literal)|+ => |$this:ident, $value:ident : $kind:ty| $set:expr),* $(,)? }) => {
        impl<'de> Object<'de> for $type {
            fn field<A: MapAccess<'de>>(
                &mut self,
                key: Cow<'de, str>,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match key.as_ref() {
                    $($($key)|+ => {
                        let $this = self;
                        let $value: $kind = map.next_value()?;
                        $set;
                    })*
                    _ => {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(())
            }
        }
    };
}

/// An entry as it stands in the text.
#[derive(Default)]
struct EntryFields<'a> {
    count: usize,
    address: Cow<'a, str>,
    local_address: Cow<'a, str>,
    orch_uri: Cow<'a, str>,
    uri: Cow<'a, str>,
    capabilities: Capabilities<'a>,
    prices: Vec<Price<'a>>,
    hardware: Vec<Hardware<'a>>,
}

impl<'de> Object<'de> for EntryFields<'de> {
    fn field<A: MapAccess<'de>>(
        &mut self,
        key: Cow<'de, str>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        self.count += 1;
        match key.as_ref() {
            "address" => self.address = map.next_value::<Text<'de>>()?.0,
            "local_address" => self.local_address = map.next_value::<Text<'de>>()?.0,
            "orch_uri" => self.orch_uri = map.next_value::<Text<'de>>()?.0,
            "uri" => self.uri = map.next_value::<Text<'de>>()?.0,
            "capabilities" => {
                self.capabilities =
                    map.next_value::<Maybe<Capabilities<'de>>>()?.0.unwrap_or_default();
            }
            "capabilities_prices" => {
                self.prices = map.next_value::<List<'de, Price<'de>>>()?.into_array();
            }
            "hardware" => {
                self.hardware = map.next_value::<List<'de, Hardware<'de>>>()?.into_array();
            }
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl<'a> EntryFields<'a> {
    fn into_entry(self, index: u32, raw: Cow<'a, str>) -> Entry<'a> {
        let blank = self.orch_uri.trim().is_empty();
        Entry {
            index,
            address: norm_addr(self.address),
            local_address: norm_addr(self.local_address),
            orch_uri: if blank { self.uri } else { self.orch_uri },
            version: self.capabilities.version,
            capacities: self.capabilities.capacities,
            models: self.capabilities.models,
            prices: self.prices,
            hardware: self.hardware,
            raw,
        }
    }
}

#[derive(Default)]
struct Capabilities<'a> {
    version: Cow<'a, str>,
    capacities: Vec<(i32, i64)>,
    models: Vec<ModelConstraint<'a>>,
}

object!(Capabilities<'de>, {
    "version" => |this, value: Text<'de>| this.version = value.0,
    "capacities" => |this, value: Maybe<Keyed<'de, Int>>| this.capacities = capacities(value),
    "constraints" => |this, value: Maybe<Constraints<'de>>| {
        this.models = value.0.unwrap_or_default().models;
    },
});

/// The members whose key is a capability id.
fn by_id<V>(members: Maybe<Keyed<'_, V>>) -> impl Iterator<Item = (i32, V)> {
    members
        .0
        .unwrap_or_default()
        .into_members()
        .into_iter()
        .filter_map(|(key, value)| Some((key.trim().parse().ok()?, value)))
}

fn capacities(members: Maybe<Keyed<'_, Int>>) -> Vec<(i32, i64)> {
    by_id(members).map(|(id, capacity)| (id, capacity.clamped())).collect()
}

#[derive(Default)]
struct Constraints<'a> {
    models: Vec<ModelConstraint<'a>>,
}

object!(Constraints<'de>, {
    "PerCapability" | "perCapability" => |this, value: Maybe<Keyed<'de, Maybe<Models<'de>>>>| {
        this.models = by_id(value).flat_map(|(id, models)| models.flatten(id)).collect();
    },
});

#[derive(Default)]
struct Models<'a> {
    models: Vec<(Cow<'a, str>, Maybe<ModelSettings<'a>>)>,
}

object!(Models<'de>, {
    "models" => |this, value: Maybe<Keyed<'de, Maybe<ModelSettings<'de>>>>| {
        this.models = value.0.unwrap_or_default().into_members();
    },
});

impl<'a> Maybe<Models<'a>> {
    fn flatten(self, capability: i32) -> impl Iterator<Item = ModelConstraint<'a>> {
        self.0.unwrap_or_default().models.into_iter().map(move |(model_id, settings)| {
            ModelConstraint { capability, model_id, settings: settings.0 }
        })
    }
}

object!(ModelSettings<'de>, {
    "runnerVersion" => |this, value: Text<'de>| this.runner_version = value.0,
    "capacity" => |this, value: Int| this.capacity = value.clamped(),
    "capacityInUse" => |this, value: Int| this.capacity_in_use = value.clamped(),
    "warm" => |this, value: Flag| this.warm = value.0,
});

object!(Price<'de>, {
    "capability" => |this, value: Int| this.capability = value.clamped(),
    "constraint" => |this, value: Text<'de>| this.constraint = value.0,
    "pricePerUnit" => |this, value: Int| this.price_per_unit = value.clamped(),
    "pixelsPerUnit" => |this, value: Int| this.pixels_per_unit = value.clamped(),
});

object!(Hardware<'de>, {
    "pipeline" => |this, value: Text<'de>| this.pipeline = value.0,
    "model_id" => |this, value: Text<'de>| this.model_id = value.0,
    "gpu_info" => |this, value: List<'de, Gpu<'de>>| this.gpus = gpus(value),
});

/// The GPUs by index; text that is no index goes last.
fn gpus<'a>(list: List<'a, Gpu<'a>>) -> Vec<Gpu<'a>> {
    let members = match list {
        List::Array(gpus) => return gpus,
        List::Object(members) => members.into_members(),
    };
    let mut indexed: Vec<(u64, Gpu<'a>)> = members
        .into_iter()
        .filter_map(|(key, gpu)| Some((key.trim().parse().unwrap_or(u64::MAX), gpu.0?)))
        .collect();
    indexed.sort_by_key(|(index, _)| *index);
    indexed.into_iter().map(|(_, gpu)| gpu).collect()
}

object!(Gpu<'de>, {
    "id" => |this, value: Text<'de>| this.id = trimmed(value.0),
    "name" => |this, value: Text<'de>| this.name = value.0,
    "major" => |this, value: Int| this.major = value.clamped(),
    "minor" => |this, value: Int| this.minor = value.clamped(),
    "memory_total" => |this, value: Int| this.memory_total = value.clamped(),
    "memory_free" => |this, value: Int| this.memory_free = value.clamped(),
});

#[cfg(test)]
mod tests;
