//! From the JSON text of an envelope's `data` to a typed [`Document`] (contract events.md 4).

use std::borrow::Cow;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::lenient::Keyed;
use super::{BadEntry, Document, Entry, Gpu, Hardware, ModelConstraint, ModelSettings, Price};
use crate::identity::{is_url, norm_addr, trimmed};
use crate::json::{self, Fill, Place, each, object};

/// What a payload held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded<'a> {
    /// The entries that could be read.
    pub document: Document<'a>,
    /// The entries that could not; they never take others with them.
    pub bad_entries: Vec<BadEntry>,
}

/// A payload that cannot be taken apart into entries. The gate has `invalid_data_shape` for what is neither
/// array nor object before it comes to this, and `parse_exception` for this.
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
    if let Err(json::Error::TooDeep { .. }) = json::check(data, MAX_DEPTH) {
        return Err(ShapeError::TooDeep);
    }
    let mut decoded = Decoded::default();
    match data.as_bytes().first() {
        Some(b'{') => decoded.add(0, data),
        Some(b'[') => {
            for (index, element) in sonic_rs::to_array_iter(data).enumerate() {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                match element.map(|element| element.as_raw_cow()) {
                    Ok(Cow::Borrowed(text)) => decoded.add(index, text),
                    // Not reached: elements of a text borrow from it.
                    Ok(Cow::Owned(_)) => {}
                    Err(error) => decoded.fail(index, &error),
                }
            }
        }
        _ => return Err(ShapeError::Scalar),
    }
    Ok(decoded)
}

impl<'a> Decoded<'a> {
    fn add(&mut self, index: u32, text: &'a str) {
        match entry(text) {
            Ok(Some(fields)) => self.document.entries.push(fields.into_entry(index, text)),
            Ok(None) => {}
            Err(error) => self.fail(index, &error),
        }
    }

    fn fail(&mut self, index: u32, error: &sonic_rs::Error) {
        self.bad_entries.push(BadEntry { index, reason: json::summary(error) });
    }
}

/// The entry in `text`; `None` for `{}` and for what is no object. A lone surrogate is an error.
fn entry(text: &str) -> Result<Option<EntryFields<'_>>, sonic_rs::Error> {
    let mut fields = None;
    let mut parser = sonic_rs::Deserializer::from_str(text);
    Fill(&mut fields).deserialize(&mut parser)?;
    parser.end()?;
    let has_key = text.contains('"');
    Ok(fields.filter(|_| has_key))
}

object! {
    /// An entry as it stands in the text.
    struct EntryFields<'a> {
        "address" => address: Cow<'a, str>,
        "local_address" => local_address: Cow<'a, str>,
        "orch_uri" => orch_uri: Cow<'a, str>,
        "uri" => uri: Cow<'a, str>,
        "capabilities" => capabilities: Capabilities<'a>,
        "capabilities_prices" => prices: Vec<Price<'a>>,
        "hardware" => hardware: Vec<Hardware<'a>>,
    }
}

impl<'a> EntryFields<'a> {
    fn into_entry(self, index: u32, raw: &'a str) -> Entry<'a> {
        let Capabilities { version, capacities, constraints } = self.capabilities;
        Entry {
            index,
            address: norm_addr(self.address),
            local_address: norm_addr(self.local_address),
            orch_uri: if is_url(&self.orch_uri) { self.orch_uri } else { self.uri },
            version,
            capacities: by_id(capacities).collect(),
            models: by_id(constraints.capabilities).flat_map(models).collect(),
            prices: self.prices,
            hardware: self.hardware,
            raw: Cow::Borrowed(raw),
        }
    }
}

object! {
    struct Capabilities<'a> {
        "version" => version: Cow<'a, str>,
        "capacities" => capacities: Keyed<'a, i64>,
        "constraints" => constraints: Constraints<'a>,
    }
}

#[derive(Debug, Default)]
struct Constraints<'a> {
    capabilities: Keyed<'a, Models<'a>>,
}

object!(Constraints<'de> {
    "PerCapability" | "perCapability" => capabilities,
});

object! {
    struct Models<'a> {
        "models" => models: Keyed<'a, Option<ModelSettings<'a>>>,
    }
}

/// The members whose key is a capability id.
fn by_id<V>(Keyed(members): Keyed<'_, V>) -> impl Iterator<Item = (i32, V)> {
    members.into_iter().filter_map(|(key, value)| Some((key.trim().parse().ok()?, value)))
}

fn models((capability, of): (i32, Models<'_>)) -> impl Iterator<Item = ModelConstraint<'_>> {
    let Keyed(models) = of.models;
    models.into_iter().map(move |(model_id, settings)| ModelConstraint {
        capability,
        model_id,
        settings,
    })
}

object!(ModelSettings<'de> {
    "runnerVersion" => runner_version,
    "capacity" => capacity,
    "capacityInUse" => capacity_in_use,
    "warm" => warm,
});

object!(Price<'de> {
    "capability" => capability,
    "constraint" => constraint,
    "pricePerUnit" => price_per_unit,
    "pixelsPerUnit" => pixels_per_unit,
});

object!(Hardware<'de> {
    "pipeline" => pipeline,
    "model_id" => model_id,
    "gpu_info" => gpus,
});

/// The GPUs of an array or, by index, of an object, where text that is no index goes last.
impl<'de> Place<'de> for Vec<Gpu<'de>> {
    fn array<A: SeqAccess<'de>>(&mut self, elements: A) -> Result<(), A::Error> {
        each(elements, |gpu: Option<_>| self.extend(gpu.map(with_trimmed_id)))
    }

    fn object<A: MapAccess<'de>>(&mut self, members: A) -> Result<(), A::Error> {
        let mut gpus = Keyed::<Option<Gpu<'de>>>::default();
        gpus.object(members)?;
        gpus.0.sort_by_key(|(index, _)| index.trim().parse().unwrap_or(u64::MAX));
        self.extend(gpus.0.into_iter().filter_map(|(_, gpu)| gpu.map(with_trimmed_id)));
        Ok(())
    }
}

fn with_trimmed_id(gpu: Gpu<'_>) -> Gpu<'_> {
    Gpu { id: trimmed(gpu.id), ..gpu }
}

object!(Gpu<'de> {
    "id" => id,
    "name" => name,
    "major" => major,
    "minor" => minor,
    "memory_total" => memory_total,
    "memory_free" => memory_free,
});

#[cfg(test)]
mod tests;
