//! Capability advertisements (contract events.md 4): [`decode`] reads a payload into a [`Document`],
//! [`expand`] makes its rows, [`advertise`] says what it means for attribution, [`index`] keeps that,
//! [`decide`] answers from it, [`evidence`] is what is asked and answered,
//! [`catalogue`] names capabilities, pipelines and models.

pub mod advertise;
pub mod catalogue;
pub mod decide;
pub mod decode;
pub mod evidence;
pub mod expand;
#[cfg(test)]
mod fixtures;
pub mod index;
mod lenient;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One `network_capabilities` payload: the orchestrators as a gateway last polled them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document<'a> {
    /// The entries, in document order; non-objects and `{}` are left out.
    #[serde(borrow)]
    pub entries: Vec<Entry<'a>>,
    /// Entries that could not be read; each becomes a dead letter of its own.
    pub bad_entries: Vec<BadEntry>,
}

/// An entry that could not be read. The others of its document are not affected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadEntry {
    /// Position in the payload's array, from 0.
    pub index: u32,
    /// What the parser met.
    pub reason: String,
}

/// What one orchestrator advertises. A field of value zero is left out by producers, so absent
/// means zero inside an existing object; a missing object is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<'a> {
    /// Position in the payload's array, from 0; 0 for a single object.
    pub index: u32,
    /// Canonical wallet (ticket recipient), normalised; can be `""`.
    #[serde(borrow)]
    pub address: Cow<'a, str>,
    /// Hot wallet that signs, normalised; can equal `address`.
    #[serde(borrow)]
    pub local_address: Cow<'a, str>,
    /// Service URI, verbatim (`orch_uri`, older `uri`).
    #[serde(borrow)]
    pub orch_uri: Cow<'a, str>,
    /// `capabilities.version`, `""` when absent.
    #[serde(borrow)]
    pub version: Cow<'a, str>,
    /// `capabilities.capacities` in document order: capability id and advertised capacity.
    pub capacities: Vec<(i32, i64)>,
    /// `capabilities.constraints.PerCapability`, flattened in document order.
    #[serde(borrow)]
    pub models: Vec<ModelConstraint<'a>>,
    /// `capabilities_prices`; empty when null.
    #[serde(borrow)]
    pub prices: Vec<Price<'a>>,
    /// `hardware`; empty when null.
    #[serde(borrow)]
    pub hardware: Vec<Hardware<'a>>,
    /// The entry's JSON text.
    #[serde(borrow)]
    pub raw: Cow<'a, str>,
}

/// One model under one capability.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelConstraint<'a> {
    /// Capability id.
    pub capability: i32,
    /// Model name, verbatim.
    #[serde(borrow)]
    pub model_id: Cow<'a, str>,
    /// What is said of it; `None` when the value is no object.
    #[serde(borrow)]
    pub settings: Option<ModelSettings<'a>>,
}

/// The object under a model name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSettings<'a> {
    /// `runnerVersion`, `""` when absent.
    #[serde(borrow)]
    pub runner_version: Cow<'a, str>,
    /// Idle containers for live video; a capacity figure otherwise.
    pub capacity: i64,
    /// Busy containers for live video.
    pub capacity_in_use: i64,
    /// Model loaded.
    pub warm: bool,
}

/// One advertised price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price<'a> {
    /// Capability id; absent = 0.
    pub capability: i32,
    /// Model id, or BYOC capability name; `""` = any.
    #[serde(borrow)]
    pub constraint: Cow<'a, str>,
    /// Wei per `pixels_per_unit` pixels; absent = 0.
    pub price_per_unit: i64,
    /// Pixels; 0 makes the price unusable.
    pub pixels_per_unit: i64,
}

/// One runner container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware<'a> {
    /// Canonical pipeline slug, or BYOC capability name.
    #[serde(borrow)]
    pub pipeline: Cow<'a, str>,
    /// Model id, verbatim.
    #[serde(borrow)]
    pub model_id: Cow<'a, str>,
    /// GPUs in index order; empty for external containers.
    #[serde(borrow)]
    pub gpus: Vec<Gpu<'a>>,
}

/// One GPU of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu<'a> {
    /// `GPU-<uuid>`, trimmed; can be `""`.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// Product name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Compute capability, major part.
    pub major: u8,
    /// Compute capability, minor part; absent = 0.
    pub minor: u8,
    /// Bytes.
    pub memory_total: u64,
    /// Bytes.
    pub memory_free: u64,
}
