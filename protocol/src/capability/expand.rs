//! One capability document as four row sets (contract events.md 4.3, recommended reading).
//!
//! Row identity is (event uid, `entry`, `element`). An entry that repeats an earlier one of the same
//! message has rows of its own, marked as [`Origin::repeats`]: the typed tables keep what was said,
//! the dimensions say it once (contract events.md 8, case 8).
//!
//! A setting or price is taken only from a model or price of that very capability. Where none fits
//! the numbers stay `None`; inside an object that exists, a field left out by the producer is 0.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{BYOC, Capability, Catalogue};
use super::{Document, Entry, Gpu, Hardware, ModelConstraint, ModelSettings, Price};
use crate::identity::norm_url;

/// The four row sets of one event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expansion<'d> {
    /// GPU inventory and the models without hardware (`raw_network_capabilities`).
    pub snapshots: Vec<SnapshotRow<'d>>,
    /// Capabilities (`raw_network_capabilities_advertised`).
    pub advertised: Vec<AdvertisedRow<'d>>,
    /// Models (`raw_network_capabilities_model_constraints`).
    pub constraints: Vec<ConstraintRow<'d>>,
    /// Prices (`raw_network_capabilities_prices`).
    pub prices: Vec<PriceRow<'d>>,
}

/// The columns that all rows of an entry share, and their place in the message.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin<'d> {
    /// Position of the entry in the payload. Row identity.
    pub entry: u32,
    /// Canonical wallet, normalised, can be `""`.
    pub orchestrator_address: &'d str,
    /// Hot wallet, normalised, can be `""`.
    pub local_address: &'d str,
    /// Service URI, verbatim.
    pub orch_uri: &'d str,
    /// Service URI for comparison: trimmed, lower case, without one trailing slash.
    pub orch_uri_norm: Cow<'d, str>,
    /// The entry's JSON text.
    pub raw_json: &'d str,
    /// An earlier entry of the message has the very same text.
    pub repeats: bool,
}

/// Where a snapshot row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotSource {
    /// A `hardware` element.
    Hardware,
    /// A constraint model that no `hardware` element of the entry lists.
    Constraint,
}

impl SnapshotSource {
    /// The label for storage.
    pub fn label(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Constraint => "constraint",
        }
    }
}

/// How a snapshot row found its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceMatch {
    /// Capability and model agree; for BYOC, the capability name.
    Exact,
    /// The price of the capability for any model.
    AnyModel,
    /// No price fits: the price columns are `None`.
    None,
}

impl PriceMatch {
    /// The label for storage.
    pub fn label(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::AnyModel => "any_model",
            Self::None => "none",
        }
    }
}

/// One GPU of one container, or one model without a GPU.
///
/// Capacity, warmth and price belong to the model and repeat on every GPU row: never sum them.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotRow<'d> {
    /// Entry columns.
    pub origin: Origin<'d>,
    /// Position among the snapshot rows of the entry. Row identity.
    pub element: u32,
    /// Hardware element or constraint model.
    pub snapshot_source: SnapshotSource,
    /// Canonical pipeline slug or BYOC capability name; `""` = unknown.
    pub pipeline: &'d str,
    /// Model, verbatim.
    pub model_id: &'d str,
    /// GPU id, `""` = none or unknown.
    pub gpu_id: &'d str,
    /// Product name; `None` without a GPU.
    pub gpu_name: Option<&'d str>,
    /// Bytes; `None` without a GPU.
    pub gpu_memory_total: Option<u64>,
    /// Bytes; `None` without a GPU.
    pub gpu_memory_free: Option<u64>,
    /// Compute capability, major part; `None` without a GPU.
    pub gpu_major: Option<u8>,
    /// Compute capability, minor part; `None` without a GPU.
    pub gpu_minor: Option<u8>,
    /// Capability columns; id −1 when neither model nor price names one.
    pub capability: Capability<'static>,
    /// The columns below come from the model's own settings.
    pub model_matched: bool,
    /// Runner version; `None` when not matched.
    pub runner_version: Option<&'d str>,
    /// Idle containers (live video) or a capacity figure; `None` when not matched.
    pub capacity: Option<i64>,
    /// Busy containers (live video); `None` when not matched.
    pub capacity_in_use: Option<i64>,
    /// Model loaded; `None` when not matched.
    pub warm: Option<bool>,
    /// How the price was found.
    pub price_match: PriceMatch,
    /// Wei per `pixels_per_unit` pixels; `None` without a price.
    pub price_per_unit: Option<i64>,
    /// Pixels; `None` without a price.
    pub pixels_per_unit: Option<i64>,
    /// Node version, `""` when absent.
    pub orchestrator_version: &'d str,
}

/// One key of `capacities`.
#[derive(Clone, Debug, PartialEq)]
pub struct AdvertisedRow<'d> {
    /// Entry columns.
    pub origin: Origin<'d>,
    /// Position among the capacities of the entry. Row identity.
    pub element: u32,
    /// Capability columns.
    pub capability: Capability<'static>,
    /// Advertised capacity.
    pub capacity: i64,
}

/// One model under one capability.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstraintRow<'d> {
    /// Entry columns.
    pub origin: Origin<'d>,
    /// Position among the models of the entry. Row identity.
    pub element: u32,
    /// Capability columns.
    pub capability: Capability<'static>,
    /// Model, verbatim.
    pub model_id: &'d str,
    /// Runner version; `None` when the model's value is no object.
    pub runner_version: Option<&'d str>,
    /// Idle containers (live video) or a capacity figure; `None` when the value is no object.
    pub capacity: Option<i64>,
    /// Busy containers (live video); `None` when the value is no object.
    pub capacity_in_use: Option<i64>,
    /// Model loaded; `None` when the value is no object.
    pub warm: Option<bool>,
}

/// One element of `capabilities_prices`.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceRow<'d> {
    /// Entry columns.
    pub origin: Origin<'d>,
    /// Position among the prices of the entry. Row identity.
    pub element: u32,
    /// Capability columns.
    pub capability: Capability<'static>,
    /// Model id or BYOC capability name; `""` = any.
    pub constraint_name: &'d str,
    /// Wei per `pixels_per_unit` pixels.
    pub price_per_unit: i64,
    /// Pixels.
    pub pixels_per_unit: i64,
}

/// Expands a document. Pure; additive over entries.
pub fn expand<'d>(document: &'d Document<'_>) -> Expansion<'d> {
    let mut expansion = Expansion::default();
    let mut seen = BTreeSet::new();
    for entry in &document.entries {
        let origin = Origin {
            entry: entry.index,
            orchestrator_address: &entry.address,
            local_address: &entry.local_address,
            orch_uri: &entry.orch_uri,
            orch_uri_norm: norm_url(&entry.orch_uri),
            raw_json: &entry.raw,
            repeats: !seen.insert(&entry.raw),
        };
        snapshots(&mut expansion.snapshots, entry, &origin);
        expansion.advertised.extend(advertised(entry, &origin));
        expansion.constraints.extend(constraints(entry, &origin));
        expansion.prices.extend(prices(entry, &origin));
    }
    expansion
}

/// The constraint models that no hardware element lists, with their pipeline (`""` for an id without
/// a slug). BYOC models are left out: their constraint does not name a pipeline.
pub(super) fn models_without_hardware<'d>(
    entry: &'d Entry<'_>,
) -> impl Iterator<Item = (&'static str, &'d ModelConstraint<'d>)> {
    let listed: BTreeSet<String> = entry.hardware.iter().map(|h| folded(&h.model_id)).collect();
    entry
        .models
        .iter()
        .filter(move |m| m.capability != BYOC && !listed.contains(&folded(&m.model_id)))
        .map(|m| (Catalogue::builtin().pipeline_of(m.capability), m))
}

fn folded(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

fn count(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn snapshots<'d>(rows: &mut Vec<SnapshotRow<'d>>, entry: &'d Entry<'_>, origin: &Origin<'d>) {
    let lookup = Lookup::new(entry);
    let start = rows.len();
    for hardware in &entry.hardware {
        let found = lookup.hardware(hardware);
        let row = |element, gpu| {
            let place = Place { source: SnapshotSource::Hardware, element, gpu };
            snapshot(origin, entry, (&hardware.pipeline, &hardware.model_id), &place, &found)
        };
        if hardware.gpus.is_empty() {
            rows.push(row(rows.len() - start, None));
        }
        for gpu in &hardware.gpus {
            rows.push(row(rows.len() - start, Some(gpu)));
        }
    }
    for (pipeline, model) in models_without_hardware(entry) {
        let found = lookup.model(Some(model), Some(model.capability), &model.model_id);
        let element = rows.len() - start;
        let place = Place { source: SnapshotSource::Constraint, element, gpu: None };
        rows.push(snapshot(origin, entry, (pipeline, &model.model_id), &place, &found));
    }
}

/// Which row of an entry.
struct Place<'d> {
    source: SnapshotSource,
    element: usize,
    gpu: Option<&'d Gpu<'d>>,
}

fn snapshot<'d>(
    origin: &Origin<'d>,
    entry: &'d Entry<'_>,
    (pipeline, model_id): (&'d str, &'d str),
    place: &Place<'d>,
    found: &Found<'d>,
) -> SnapshotRow<'d> {
    let (gpu, settings, price) = (place.gpu, found.settings, found.price);
    SnapshotRow {
        origin: origin.clone(),
        element: count(place.element),
        snapshot_source: place.source,
        pipeline,
        model_id,
        gpu_id: gpu.map_or("", |g| &g.id),
        gpu_name: gpu.map(|g| g.name.as_ref()),
        gpu_memory_total: gpu.map(|g| g.memory_total),
        gpu_memory_free: gpu.map(|g| g.memory_free),
        gpu_major: gpu.map(|g| g.major),
        gpu_minor: gpu.map(|g| g.minor),
        capability: Catalogue::builtin().capability(found.capability),
        model_matched: found.model_matched,
        runner_version: settings.map(|s| s.runner_version.as_ref()),
        capacity: settings.map(|s| s.capacity),
        capacity_in_use: settings.map(|s| s.capacity_in_use),
        warm: settings.map(|s| s.warm),
        price_match: found.price_match,
        price_per_unit: price.map(|p| p.price_per_unit),
        pixels_per_unit: price.map(|p| p.pixels_per_unit),
        orchestrator_version: &entry.version,
    }
}

/// What the rest of an entry says about one model.
struct Found<'d> {
    model_matched: bool,
    settings: Option<&'d ModelSettings<'d>>,
    capability: Option<i32>,
    price: Option<&'d Price<'d>>,
    price_match: PriceMatch,
}

/// Models and prices of one entry by name; of equal names the first in document order.
struct Lookup<'d> {
    models: BTreeMap<String, Vec<&'d ModelConstraint<'d>>>,
    prices: BTreeMap<(i32, String), &'d Price<'d>>,
    prices_by_name: BTreeMap<String, &'d Price<'d>>,
}

impl<'d> Lookup<'d> {
    fn new(entry: &'d Entry<'_>) -> Self {
        let mut lookup = Self {
            models: BTreeMap::new(),
            prices: BTreeMap::new(),
            prices_by_name: BTreeMap::new(),
        };
        for model in &entry.models {
            lookup.models.entry(folded(&model.model_id)).or_default().push(model);
        }
        for price in &entry.prices {
            let name = folded(&price.constraint);
            if price.capability != BYOC && !name.is_empty() {
                lookup.prices_by_name.entry(name.clone()).or_insert(price);
            }
            lookup.prices.entry((price.capability, name)).or_insert(price);
        }
        lookup
    }

    /// A hardware element: the model under the capability that its pipeline names, else (unless it is
    /// BYOC) under any other.
    fn hardware(&self, hardware: &'d Hardware<'_>) -> Found<'d> {
        let named = Catalogue::builtin().capability_of(&hardware.pipeline);
        let models = self.models.get(&folded(&hardware.model_id)).map_or(&[][..], Vec::as_slice);
        let same = models.iter().find(|m| Some(m.capability) == named);
        let model = same.or(models.first().filter(|_| named != Some(BYOC))).copied();
        let constraint = match named {
            Some(BYOC) => &hardware.pipeline,
            _ => &hardware.model_id,
        };
        self.model(model, named, constraint)
    }

    /// Settings and price of `model`, or of the capability `named` when there is no such model.
    fn model(
        &self,
        model: Option<&'d ModelConstraint<'d>>,
        named: Option<i32>,
        constraint: &str,
    ) -> Found<'d> {
        let capability = model.map(|m| m.capability);
        let constraint = folded(constraint);
        let of = |name: &str| {
            capability.or(named).and_then(|id| self.prices.get(&(id, name.to_owned())).copied())
        };
        let by_name = || {
            let unknown = capability.is_none() && named != Some(BYOC);
            self.prices_by_name.get(&constraint).filter(|_| unknown).copied()
        };
        let exact = of(&constraint).or_else(by_name);
        let price = exact.or_else(|| of(""));
        Found {
            model_matched: model.is_some(),
            settings: model.and_then(|m| m.settings.as_ref()),
            capability: capability.or(price.map(|p| p.capability)),
            price,
            price_match: match (exact, price) {
                (Some(_), _) => PriceMatch::Exact,
                (None, Some(_)) => PriceMatch::AnyModel,
                (None, None) => PriceMatch::None,
            },
        }
    }
}

fn advertised<'d>(
    entry: &'d Entry<'_>,
    origin: &Origin<'d>,
) -> impl Iterator<Item = AdvertisedRow<'d>> {
    entry.capacities.iter().enumerate().map(|(element, &(id, capacity))| AdvertisedRow {
        origin: origin.clone(),
        element: count(element),
        capability: Catalogue::builtin().capability(Some(id)),
        capacity,
    })
}

fn constraints<'d>(
    entry: &'d Entry<'_>,
    origin: &Origin<'d>,
) -> impl Iterator<Item = ConstraintRow<'d>> {
    entry.models.iter().enumerate().map(|(element, model)| {
        let settings = model.settings.as_ref();
        ConstraintRow {
            origin: origin.clone(),
            element: count(element),
            capability: Catalogue::builtin().capability(Some(model.capability)),
            model_id: &model.model_id,
            runner_version: settings.map(|s| s.runner_version.as_ref()),
            capacity: settings.map(|s| s.capacity),
            capacity_in_use: settings.map(|s| s.capacity_in_use),
            warm: settings.map(|s| s.warm),
        }
    })
}

fn prices<'d>(entry: &'d Entry<'_>, origin: &Origin<'d>) -> impl Iterator<Item = PriceRow<'d>> {
    entry.prices.iter().enumerate().map(|(element, price)| PriceRow {
        origin: origin.clone(),
        element: count(element),
        capability: Catalogue::builtin().capability(Some(price.capability)),
        constraint_name: &price.constraint,
        price_per_unit: price.price_per_unit,
        pixels_per_unit: price.pixels_per_unit,
    })
}

#[cfg(test)]
mod tests;
