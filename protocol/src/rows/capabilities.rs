//! What orchestrators advertise, as events said it (contract tables.md 2.2, events.md 4.3).
//!
//! A row is identified by its event and its position in the event: no two nodes, GPUs or prices of
//! one event can collapse, whatever their texts are. [`super::dims`] has the same as dimensions.

use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Advertised hardware, model and price: one row per orchestrator, hardware element and GPU.
    pub struct RawNetworkCapability<'a> = "raw_network_capabilities" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(event_timestamp)",
        order: [org, event_timestamp, raw_event_uid, element],
        ttl: "event_date" + 90 days,
        bloom: [raw_event_uid, orchestrator_address, orch_uri],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time of the advertisement, UTC, gateway clock.
            event_timestamp: Timestamp,
            /// Event uid, unique per organisation; never empty.
            raw_event_uid: &'a str,
            /// Number of the row in the event and this table, from 0.
            element: u32,
            /// Gateway that polled; '' when unknown.
            gateway: &'a str [low],
            /// Envelope `id` verbatim; '' when absent.
            source_event_id: &'a str,
            /// Canonical wallet, normalised; '' when unknown.
            orchestrator_address: &'a str,
            /// Hot wallet, normalised; can equal the canonical one; '' when unknown.
            local_address: &'a str,
            /// Service URI, verbatim; one wallet can have several; '' when unknown.
            orch_uri: &'a str,
            /// The same for comparison: trimmed, lower case, without one trailing slash; '' in rows of older builds.
            orch_uri_norm: &'a str,
            /// GPU uuid; '' when the element lists no GPU.
            gpu_id: &'a str,
            /// GPU product name; '' when unknown.
            gpu_name: &'a str [low],
            /// GPU memory, bytes; NULL without a GPU.
            gpu_memory_total: Option<u64>,
            /// Free GPU memory when polled, bytes; NULL without a GPU.
            gpu_memory_free: Option<u64>,
            /// Compute capability, major part; NULL without a GPU.
            gpu_major: Option<u8>,
            /// Compute capability, minor part; NULL without a GPU.
            gpu_minor: Option<u8>,
            /// Workflow class, or BYOC capability name; '' when unknown.
            pipeline: &'a str [low],
            /// Model label, verbatim; '' when unknown.
            model_id: &'a str [low],
            /// Catalogue id of the capability; -1 when unknown.
            capability_id: i32,
            /// Catalogue name; `unknown` for ids outside the catalogue.
            capability_name: &'a str [low],
            /// Catalogue group; `unknown` for ids outside the catalogue.
            capability_group: &'a str [low],
            /// Version of the capability catalogue, `v1`.
            capability_catalog_version: &'a str [low],
            /// Version of the runner; '' when unknown.
            runner_version: &'a str [low],
            /// Slots of the model, never to be summed over GPU rows; NULL without a matching constraint.
            capacity: Option<i64>,
            /// Busy slots of the model; NULL without a matching constraint.
            capacity_in_use: Option<i64>,
            /// 1 when the model is loaded; NULL without a matching constraint.
            warm: Option<bool>,
            /// Price, wei per `pixels_per_unit` pixels; NULL without a matching price.
            price_per_unit: Option<i64>,
            /// Pixels that the price is for; 0 makes it unusable; NULL without a matching price.
            pixels_per_unit: Option<i64>,
            /// `hardware`, or `constraint` for a model that no hardware element lists; '' in rows of older builds.
            snapshot_source: &'a str [low],
            /// 1 when capacity, warmth and runner version are those of this very model.
            model_matched: bool,
            /// `exact` for a price of this capability and model, `any_model` for one of the capability, or `none`; '' in rows of older builds.
            price_match: &'a str [low],
            /// 1 when the model lists a GPU with an id (clarification 2).
            hardware_present: bool,
            /// Version of the orchestrator; '' when unknown.
            orchestrator_version: &'a str [low],
            /// The orchestrator's entry as JSON on its first row of the table, '' on the others; emptied after 30 days.
            raw_json: &'a str [lineage],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `event_timestamp`, UTC.
            event_date: Date = Materialized("toDate(event_timestamp)"),
        }
    }
}

table! {
    /// Advertised capabilities: one row per orchestrator and capability.
    pub struct RawAdvertisedCapability<'a> = "raw_network_capabilities_advertised" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(event_timestamp)",
        order: [org, event_timestamp, raw_event_uid, element],
        ttl: "event_date" + 90 days,
        bloom: [raw_event_uid, orchestrator_address, orch_uri],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time of the advertisement, UTC, gateway clock.
            event_timestamp: Timestamp,
            /// Event uid, unique per organisation; never empty.
            raw_event_uid: &'a str,
            /// Number of the row in the event and this table, from 0.
            element: u32,
            /// Gateway that polled; '' when unknown.
            gateway: &'a str [low],
            /// Envelope `id` verbatim; '' when absent.
            source_event_id: &'a str,
            /// Canonical wallet, normalised; '' when unknown.
            orchestrator_address: &'a str,
            /// Hot wallet, normalised; can equal the canonical one; '' when unknown.
            local_address: &'a str,
            /// Service URI, verbatim; one wallet can have several; '' when unknown.
            orch_uri: &'a str,
            /// The same for comparison: trimmed, lower case, without one trailing slash; '' in rows of older builds.
            orch_uri_norm: &'a str,
            /// Catalogue id of the capability; -1 when unknown.
            capability_id: i32,
            /// Catalogue name; `unknown` for ids outside the catalogue.
            capability_name: &'a str [low],
            /// Catalogue group; `unknown` for ids outside the catalogue.
            capability_group: &'a str [low],
            /// Version of the capability catalogue, `v1`.
            capability_catalog_version: &'a str [low],
            /// Advertised capacity; NULL when absent.
            capacity: Option<i64>,
            /// The orchestrator's entry as JSON on its first row of the table, '' on the others; emptied after 30 days.
            raw_json: &'a str [lineage],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `event_timestamp`, UTC.
            event_date: Date = Materialized("toDate(event_timestamp)"),
        }
    }
}

table! {
    /// Capacity and warm state: one row per orchestrator, capability and model.
    pub struct RawModelConstraint<'a> = "raw_network_capabilities_model_constraints" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(event_timestamp)",
        order: [org, event_timestamp, raw_event_uid, element],
        ttl: "event_date" + 90 days,
        bloom: [raw_event_uid, orchestrator_address, orch_uri],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time of the advertisement, UTC, gateway clock.
            event_timestamp: Timestamp,
            /// Event uid, unique per organisation; never empty.
            raw_event_uid: &'a str,
            /// Number of the row in the event and this table, from 0.
            element: u32,
            /// Gateway that polled; '' when unknown.
            gateway: &'a str [low],
            /// Envelope `id` verbatim; '' when absent.
            source_event_id: &'a str,
            /// Canonical wallet, normalised; '' when unknown.
            orchestrator_address: &'a str,
            /// Hot wallet, normalised; can equal the canonical one; '' when unknown.
            local_address: &'a str,
            /// Service URI, verbatim; one wallet can have several; '' when unknown.
            orch_uri: &'a str,
            /// The same for comparison: trimmed, lower case, without one trailing slash; '' in rows of older builds.
            orch_uri_norm: &'a str,
            /// Catalogue id of the capability; -1 when unknown.
            capability_id: i32,
            /// Catalogue name; `unknown` for ids outside the catalogue.
            capability_name: &'a str [low],
            /// Catalogue group; `unknown` for ids outside the catalogue.
            capability_group: &'a str [low],
            /// Version of the capability catalogue, `v1`.
            capability_catalog_version: &'a str [low],
            /// Model label, verbatim.
            model_id: &'a str [low],
            /// Version of the runner; '' when unknown.
            runner_version: &'a str [low],
            /// Slots of the model; idle containers for live video.
            capacity: Option<i64>,
            /// Busy slots of the model.
            capacity_in_use: Option<i64>,
            /// 1 when the model is loaded.
            warm: Option<bool>,
            /// The orchestrator's entry as JSON on its first row of the table, '' on the others; emptied after 30 days.
            raw_json: &'a str [lineage],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `event_timestamp`, UTC.
            event_date: Date = Materialized("toDate(event_timestamp)"),
        }
    }
}

table! {
    /// Price list: one row per orchestrator and price.
    pub struct RawCapabilityPrice<'a> = "raw_network_capabilities_prices" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(event_timestamp)",
        order: [org, event_timestamp, raw_event_uid, element],
        ttl: "event_date" + 90 days,
        bloom: [raw_event_uid, orchestrator_address, orch_uri],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time of the advertisement, UTC, gateway clock.
            event_timestamp: Timestamp,
            /// Event uid, unique per organisation; never empty.
            raw_event_uid: &'a str,
            /// Number of the row in the event and this table, from 0.
            element: u32,
            /// Gateway that polled; '' when unknown.
            gateway: &'a str [low],
            /// Envelope `id` verbatim; '' when absent.
            source_event_id: &'a str,
            /// Canonical wallet, normalised; '' when unknown.
            orchestrator_address: &'a str,
            /// Hot wallet, normalised; can equal the canonical one; '' when unknown.
            local_address: &'a str,
            /// Service URI, verbatim; one wallet can have several; '' when unknown.
            orch_uri: &'a str,
            /// The same for comparison: trimmed, lower case, without one trailing slash; '' in rows of older builds.
            orch_uri_norm: &'a str,
            /// Catalogue id of the capability; -1 when unknown.
            capability_id: i32,
            /// Catalogue name; `unknown` for ids outside the catalogue.
            capability_name: &'a str [low],
            /// Catalogue group; `unknown` for ids outside the catalogue.
            capability_group: &'a str [low],
            /// Version of the capability catalogue, `v1`.
            capability_catalog_version: &'a str [low],
            /// Model or BYOC capability that the price is for; '' for any.
            constraint_name: &'a str [low],
            /// Price, wei per `pixels_per_unit` pixels.
            price_per_unit: i64,
            /// Pixels that the price is for; 0 makes it unusable.
            pixels_per_unit: i64,
            /// The orchestrator's entry as JSON on its first row of the table, '' on the others; emptied after 30 days.
            raw_json: &'a str [lineage],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// 1 when both numbers are positive; other prices belong in no average.
            price_usable: UInt8 = Alias("price_per_unit > 0 AND pixels_per_unit > 0"),
            /// Day of `event_timestamp`, UTC.
            event_date: Date = Materialized("toDate(event_timestamp)"),
        }
    }
}
