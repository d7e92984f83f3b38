//! A capability document as rows: four typed raw tables and their dimensions (tables.md 2.2, 2.3).
//!
//! What an entry repeats of an earlier one stands in the dimensions as a tombstone: another content of
//! the event may have written a row of the same key.

use naap_protocol::capability::Document;
use naap_protocol::capability::expand::{
    AdvertisedRow, ConstraintRow, Expansion, Origin, PriceRow, SnapshotRow, expand,
};
use naap_protocol::event::{DedupStrategy, Event};
use naap_protocol::rows::Row;
use naap_protocol::rows::capabilities::{
    RawAdvertisedCapability, RawCapabilityPrice, RawModelConstraint, RawNetworkCapability,
};
use naap_protocol::rows::dims::{
    AdvertisedSnapshot, CapabilitySnapshot, ModelConstraintSnapshot, PriceSnapshot,
};
use naap_protocol::rows::typed::RowContext;
use naap_protocol::state::Elements;

use crate::reject_rows::Numbered;

/// Numbers of the four row sets in [`Elements`].
pub(super) const SNAPSHOTS: usize = 0;
pub(super) const ADVERTISED: usize = 1;
pub(super) const CONSTRAINTS: usize = 2;
pub(super) const PRICES: usize = 3;

/// The keys of the rows that [`push_all`] adds.
pub(super) fn elements(expansion: &Expansion<'_>) -> Elements {
    let mut elements = Elements::default();
    let mut add = |set, origin: &Origin<'_>| elements.add(set, origin.entry);
    expansion.snapshots.iter().for_each(|row| add(SNAPSHOTS, &row.origin));
    expansion.advertised.iter().for_each(|row| add(ADVERTISED, &row.origin));
    expansion.constraints.iter().for_each(|row| add(CONSTRAINTS, &row.origin));
    expansion.prices.iter().for_each(|row| add(PRICES, &row.origin));
    elements
}

/// How many rows [`push_all`] adds: a typed one and one of a dimension each.
pub(super) fn rows_of(expansion: &Expansion<'_>) -> u32 {
    let Expansion { snapshots, advertised, constraints, prices } = expansion;
    let typed = snapshots.len() + advertised.len() + constraints.len() + prices.len();
    2 * typed as u32
}

/// Adds every row of `document`, which `event` carried, and returns their keys.
pub(super) fn push_all(
    rows: &mut Numbered<'_>,
    ctx: &RowContext<'_>,
    event: &Event<'_>,
    document: &Document<'_>,
) -> Elements {
    let mut rows = Rows { out: rows, ctx, event };
    let expansion = expand(document);
    expansion.snapshots.iter().for_each(|row| rows.snapshot(row));
    expansion.advertised.iter().for_each(|row| rows.advertised(row));
    expansion.constraints.iter().for_each(|row| rows.constraint(row));
    expansion.prices.iter().for_each(|row| rows.price(row));
    elements(&expansion)
}

struct Rows<'a, 'o> {
    out: &'a mut Numbered<'o>,
    ctx: &'a RowContext<'a>,
    event: &'a Event<'a>,
}

fn source_event_id<'a>(event: &'a Event<'_>) -> &'a str {
    match event.dedup_strategy {
        DedupStrategy::EventId => &event.uid,
        DedupStrategy::PayloadHash => "",
    }
}

/// The entry's text is kept once, with the first row of its set.
fn raw_json<'a>(origin: &Origin<'a>, element: u32) -> &'a str {
    if element == 0 { origin.raw_json } else { "" }
}

impl Rows<'_, '_> {
    fn put<R: Row>(&mut self, row: &R) {
        self.out.push(row);
    }

    fn snapshot(&mut self, row: &SnapshotRow<'_>) {
        let (ctx, event, origin) = (self.ctx, self.event, &row.origin);
        let raw = RawNetworkCapability {
            org: ctx.org,
            event_timestamp: event.event_ts,
            raw_event_uid: &event.uid,
            element: Elements::key(origin.entry, row.element),
            gateway: &event.gateway,
            source_event_id: source_event_id(event),
            orchestrator_address: origin.orchestrator_address,
            local_address: origin.local_address,
            orch_uri: origin.orch_uri,
            orch_uri_norm: &origin.orch_uri_norm,
            gpu_id: row.gpu_id,
            gpu_name: row.gpu_name.unwrap_or(""),
            gpu_memory_total: row.gpu_memory_total,
            gpu_memory_free: row.gpu_memory_free,
            gpu_major: row.gpu_major,
            gpu_minor: row.gpu_minor,
            pipeline: row.pipeline,
            model_id: row.model_id,
            capability_id: row.capability.capability_id,
            capability_name: row.capability.capability_name,
            capability_group: row.capability.capability_group,
            capability_catalog_version: row.capability.capability_catalog_version,
            runner_version: row.runner_version.unwrap_or(""),
            capacity: row.capacity,
            capacity_in_use: row.capacity_in_use,
            warm: row.warm,
            price_per_unit: row.price_per_unit,
            pixels_per_unit: row.pixels_per_unit,
            snapshot_source: row.snapshot_source.label(),
            model_matched: row.model_matched,
            price_match: row.price_match.label(),
            hardware_present: !row.gpu_id.is_empty(),
            orchestrator_version: row.orchestrator_version,
            raw_json: raw_json(origin, row.element),
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        };
        self.put(&raw);
        self.put(&CapabilitySnapshot {
            org: ctx.org,
            snapshot_ts: event.event_ts,
            source_event_uid: &event.uid,
            element: raw.element,
            orchestrator_address: origin.orchestrator_address,
            orchestrator_proxy_address: origin.local_address,
            orchestrator_url: origin.orch_uri,
            gpu_id: raw.gpu_id,
            gpu_name: raw.gpu_name,
            gpu_memory_total: raw.gpu_memory_total,
            gpu_memory_free: raw.gpu_memory_free,
            gpu_major: raw.gpu_major,
            gpu_minor: raw.gpu_minor,
            pipeline: raw.pipeline,
            model_id: raw.model_id,
            capability_id: raw.capability_id,
            capability_name: raw.capability_name,
            capability_group: raw.capability_group,
            capability_catalog_version: raw.capability_catalog_version,
            runner_version: raw.runner_version,
            capacity: raw.capacity,
            capacity_in_use: raw.capacity_in_use,
            warm: raw.warm,
            price_per_unit: raw.price_per_unit,
            pixels_per_unit: raw.pixels_per_unit,
            hardware_present: raw.hardware_present,
            orchestrator_version: raw.orchestrator_version,
            region: "",
            is_deleted: origin.repeats,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        });
    }

    fn advertised(&mut self, row: &AdvertisedRow<'_>) {
        let (ctx, event, origin) = (self.ctx, self.event, &row.origin);
        let raw = RawAdvertisedCapability {
            org: ctx.org,
            event_timestamp: event.event_ts,
            raw_event_uid: &event.uid,
            element: Elements::key(origin.entry, row.element),
            gateway: &event.gateway,
            source_event_id: source_event_id(event),
            orchestrator_address: origin.orchestrator_address,
            local_address: origin.local_address,
            orch_uri: origin.orch_uri,
            orch_uri_norm: &origin.orch_uri_norm,
            capability_id: row.capability.capability_id,
            capability_name: row.capability.capability_name,
            capability_group: row.capability.capability_group,
            capability_catalog_version: row.capability.capability_catalog_version,
            capacity: Some(row.capacity),
            raw_json: raw_json(origin, row.element),
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        };
        self.put(&raw);
        self.put(&AdvertisedSnapshot {
            org: ctx.org,
            snapshot_ts: event.event_ts,
            source_event_uid: &event.uid,
            element: raw.element,
            orchestrator_address: origin.orchestrator_address,
            orchestrator_proxy_address: origin.local_address,
            orchestrator_url: origin.orch_uri,
            capability_id: raw.capability_id,
            capability_name: raw.capability_name,
            capability_group: raw.capability_group,
            capability_catalog_version: raw.capability_catalog_version,
            capacity: raw.capacity,
            is_deleted: origin.repeats,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        });
    }

    fn constraint(&mut self, row: &ConstraintRow<'_>) {
        let (ctx, event, origin) = (self.ctx, self.event, &row.origin);
        let raw = RawModelConstraint {
            org: ctx.org,
            event_timestamp: event.event_ts,
            raw_event_uid: &event.uid,
            element: Elements::key(origin.entry, row.element),
            gateway: &event.gateway,
            source_event_id: source_event_id(event),
            orchestrator_address: origin.orchestrator_address,
            local_address: origin.local_address,
            orch_uri: origin.orch_uri,
            orch_uri_norm: &origin.orch_uri_norm,
            capability_id: row.capability.capability_id,
            capability_name: row.capability.capability_name,
            capability_group: row.capability.capability_group,
            capability_catalog_version: row.capability.capability_catalog_version,
            model_id: row.model_id,
            runner_version: row.runner_version.unwrap_or(""),
            capacity: row.capacity,
            capacity_in_use: row.capacity_in_use,
            warm: row.warm,
            raw_json: raw_json(origin, row.element),
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        };
        self.put(&raw);
        self.put(&ModelConstraintSnapshot {
            org: ctx.org,
            snapshot_ts: event.event_ts,
            source_event_uid: &event.uid,
            element: raw.element,
            orchestrator_address: origin.orchestrator_address,
            orchestrator_proxy_address: origin.local_address,
            orchestrator_url: origin.orch_uri,
            capability_id: raw.capability_id,
            capability_name: raw.capability_name,
            capability_group: raw.capability_group,
            capability_catalog_version: raw.capability_catalog_version,
            model_id: raw.model_id,
            runner_version: raw.runner_version,
            capacity: raw.capacity,
            capacity_in_use: raw.capacity_in_use,
            warm: raw.warm,
            is_deleted: origin.repeats,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        });
    }

    fn price(&mut self, row: &PriceRow<'_>) {
        let (ctx, event, origin) = (self.ctx, self.event, &row.origin);
        let raw = RawCapabilityPrice {
            org: ctx.org,
            event_timestamp: event.event_ts,
            raw_event_uid: &event.uid,
            element: Elements::key(origin.entry, row.element),
            gateway: &event.gateway,
            source_event_id: source_event_id(event),
            orchestrator_address: origin.orchestrator_address,
            local_address: origin.local_address,
            orch_uri: origin.orch_uri,
            orch_uri_norm: &origin.orch_uri_norm,
            capability_id: row.capability.capability_id,
            capability_name: row.capability.capability_name,
            capability_group: row.capability.capability_group,
            capability_catalog_version: row.capability.capability_catalog_version,
            constraint_name: row.constraint_name,
            price_per_unit: row.price_per_unit,
            pixels_per_unit: row.pixels_per_unit,
            raw_json: raw_json(origin, row.element),
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        };
        self.put(&raw);
        self.put(&PriceSnapshot {
            org: ctx.org,
            snapshot_ts: event.event_ts,
            source_event_uid: &event.uid,
            element: raw.element,
            orchestrator_address: origin.orchestrator_address,
            orchestrator_proxy_address: origin.local_address,
            orchestrator_url: origin.orch_uri,
            capability_id: raw.capability_id,
            capability_name: raw.capability_name,
            capability_group: raw.capability_group,
            capability_catalog_version: raw.capability_catalog_version,
            constraint_name: raw.constraint_name,
            price_per_unit: raw.price_per_unit,
            pixels_per_unit: raw.pixels_per_unit,
            is_deleted: origin.repeats,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        });
    }
}
