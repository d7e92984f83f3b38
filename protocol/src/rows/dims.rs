//! Capability advertisements as dimensions: what was true then, what is true now (contract tables.md
//! 2.3).

use xxhash_rust::xxh3::xxh3_64;

use super::binary::MAX_TIME;
use super::spec::table;
use crate::time::Timestamp;

/// The version of rows that say what is advertised now: by snapshot time, then by a hash of content and
/// event uid, so every writer orders two advertisements alike, whatever arrived first. The content alone
/// does not order what a gateway says twice in one moment.
pub fn current_version(snapshot_ts: Timestamp, content_hash: u64, uid: &str) -> u64 {
    let millis = snapshot_ts.clamp(Timestamp(0), MAX_TIME).0 as u64;
    millis << 20 | (content_hash ^ xxh3_64(uid.as_bytes())) & 0xf_ffff
}

/// The version of rows that say what was advertised first: falls with the time.
pub fn first_version(snapshot_ts: Timestamp) -> u64 {
    u64::MAX - snapshot_ts.clamp(Timestamp(0), MAX_TIME).0 as u64
}

table! {
    /// Hardware, model and price over time: one row per orchestrator, hardware element and GPU.
    pub struct CapabilitySnapshot<'a> = "dim_orchestrator_capability_snapshots" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(snapshot_ts)",
        order: [org, snapshot_ts, source_event_uid, element],
        ttl: "snapshot_date" + 365 days,
        bloom: [source_event_uid, orchestrator_address, orchestrator_url],
        touches: snapshot_ts + 24 hours,
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Time of the advertisement, UTC, gateway clock.
            snapshot_ts: Timestamp,
            /// Uid of the capability event; never empty.
            source_event_uid: &'a str,
            /// Number of the row in the event and this table, from 0.
            element: u32,
            /// Canonical wallet, lower case; '' when unknown.
            orchestrator_address: &'a str,
            /// Hot wallet, lower case; '' when unknown.
            orchestrator_proxy_address: &'a str,
            /// Service URI, verbatim; '' when unknown.
            orchestrator_url: &'a str,
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
            /// 1 when the model lists a GPU with an id (clarification 2).
            hardware_present: bool,
            /// Version of the orchestrator; '' when unknown.
            orchestrator_version: &'a str [low],
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `snapshot_ts`, UTC.
            snapshot_date: Date = Materialized("toDate(snapshot_ts)"),
        }
    }
}

table! {
    /// Capabilities over time: one row per orchestrator and capability.
    pub struct AdvertisedSnapshot<'a> = "dim_orchestrator_capability_advertised_snapshots" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(snapshot_ts)",
        order: [org, snapshot_ts, source_event_uid, element],
        ttl: "snapshot_date" + 365 days,
        bloom: [source_event_uid, orchestrator_address, orchestrator_url],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Time of the advertisement, UTC, gateway clock.
            snapshot_ts: Timestamp,
            /// Uid of the capability event; never empty.
            source_event_uid: &'a str,
            /// Number of the row in the event and this table, from 0.
            element: u32,
            /// Canonical wallet, lower case; '' when unknown.
            orchestrator_address: &'a str,
            /// Hot wallet, lower case; '' when unknown.
            orchestrator_proxy_address: &'a str,
            /// Service URI, verbatim; '' when unknown.
            orchestrator_url: &'a str,
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
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `snapshot_ts`, UTC.
            snapshot_date: Date = Materialized("toDate(snapshot_ts)"),
        }
    }
}

table! {
    /// Capacity per model over time: one row per orchestrator, capability and model.
    pub struct ModelConstraintSnapshot<'a> = "dim_orchestrator_capability_model_constraints" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(snapshot_ts)",
        order: [org, snapshot_ts, source_event_uid, element],
        ttl: "snapshot_date" + 365 days,
        bloom: [source_event_uid, orchestrator_address, orchestrator_url],
        touches: snapshot_ts + 24 hours,
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Time of the advertisement, UTC, gateway clock.
            snapshot_ts: Timestamp,
            /// Uid of the capability event; never empty.
            source_event_uid: &'a str,
            /// Number of the row in the event and this table, from 0.
            element: u32,
            /// Canonical wallet, lower case; '' when unknown.
            orchestrator_address: &'a str,
            /// Hot wallet, lower case; '' when unknown.
            orchestrator_proxy_address: &'a str,
            /// Service URI, verbatim; '' when unknown.
            orchestrator_url: &'a str,
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
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `snapshot_ts`, UTC.
            snapshot_date: Date = Materialized("toDate(snapshot_ts)"),
        }
    }
}

table! {
    /// Prices over time: one row per orchestrator and price.
    pub struct PriceSnapshot<'a> = "dim_orchestrator_capability_prices" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(snapshot_ts)",
        order: [org, snapshot_ts, source_event_uid, element],
        ttl: "snapshot_date" + 365 days,
        bloom: [source_event_uid, orchestrator_address, orchestrator_url],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Time of the advertisement, UTC, gateway clock.
            snapshot_ts: Timestamp,
            /// Uid of the capability event; never empty.
            source_event_uid: &'a str,
            /// Number of the row in the event and this table, from 0.
            element: u32,
            /// Canonical wallet, lower case; '' when unknown.
            orchestrator_address: &'a str,
            /// Hot wallet, lower case; '' when unknown.
            orchestrator_proxy_address: &'a str,
            /// Service URI, verbatim; '' when unknown.
            orchestrator_url: &'a str,
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
            /// Day of `snapshot_ts`, UTC.
            snapshot_date: Date = Materialized("toDate(snapshot_ts)"),
        }
    }
}

table! {
    /// Newest advertisement: one row per node, pipeline, model, capability and GPU.
    ///
    /// A row is current while its event is the newest of its URL, see `v_api_gpu_inventory_current`.
    pub struct CapabilityCurrent<'a> = "dim_orchestrator_capability_current" {
        replacing: (version),
        partition: "tuple()",
        order: [org, orchestrator_address, orchestrator_url, pipeline, model_id, capability_id, gpu_id],
        ttl: "toDate(latest_snapshot_ts)" + 365 days,
        bloom: [orchestrator_url, gpu_id],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Canonical wallet, lower case; '' when unknown.
            orchestrator_address: &'a str,
            /// Hot wallet, lower case; '' when unknown.
            orchestrator_proxy_address: &'a str,
            /// Service URI, verbatim; '' when unknown.
            orchestrator_url: &'a str,
            /// Workflow class, or BYOC capability name; '' when unknown.
            pipeline: &'a str [low],
            /// Model label, verbatim; '' when unknown.
            model_id: &'a str [low],
            /// Catalogue id of the capability; -1 when unknown.
            capability_id: i32,
            /// GPU uuid; '' when the element lists no GPU.
            gpu_id: &'a str,
            /// Time of the newest advertisement, UTC, gateway clock.
            latest_snapshot_ts: Timestamp,
            /// Catalogue name; `unknown` for ids outside the catalogue.
            capability_name: &'a str [low],
            /// Catalogue group; `unknown` for ids outside the catalogue.
            capability_group: &'a str [low],
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
            /// Version of the runner; '' when unknown.
            runner_version: &'a str [low],
            /// Version of the orchestrator; '' when unknown.
            orchestrator_version: &'a str [low],
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
            /// 1 when the model lists a GPU with an id (clarification 2).
            hardware_present: bool,
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// Uid of the event that this row is about; never empty.
            source_event_uid: &'a str,
            /// Order of the advertisements: time, then content; the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
    }
}

table! {
    /// Newest advertisement of each GPU: one row per node and GPU. A node that advertises no GPU has a row
    /// with GPU '', so that a URL's newest event is known. Read `v_api_gpu_inventory_current`.
    pub struct GpuCurrent<'a> = "dim_orchestrator_gpu_current" {
        replacing: (version),
        partition: "tuple()",
        order: [org, orchestrator_url, orchestrator_address, gpu_id],
        ttl: "toDate(last_seen_ts)" + 365 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Service URI, verbatim; '' when unknown.
            orchestrator_url: &'a str,
            /// Canonical wallet, lower case; '' when unknown.
            orchestrator_address: &'a str,
            /// GPU uuid, trimmed and lower case; '' where the node advertises none.
            gpu_id: &'a str,
            /// Hot wallet, lower case; '' when unknown.
            orchestrator_proxy_address: &'a str,
            /// GPU product name; '' when unknown.
            gpu_model_name: &'a str [low],
            /// GPU memory, bytes; NULL when unknown.
            gpu_memory_bytes_total: Option<u64>,
            /// Free GPU memory when polled, bytes; NULL when unknown.
            gpu_memory_bytes_free: Option<u64>,
            /// Compute capability, `major.minor`; NULL when unknown.
            compute_capability: Option<&'a str>,
            /// Version of the runner, the first one that is known; '' when unknown.
            runner_version: &'a str [low],
            /// Workflow classes that the GPU serves, sorted and distinct.
            pipelines: &'a [&'a str],
            /// Models that the GPU serves, sorted and distinct.
            model_ids: &'a [&'a str],
            /// Catalogue ids of their capabilities, sorted and distinct.
            capability_ids: &'a [i32],
            /// Most slots of one of its models, a label; NULL when unknown.
            capacity: Option<i64>,
            /// Most busy slots of one of its models, a label; NULL when unknown.
            capacity_in_use: Option<i64>,
            /// 1 when any of its models is loaded; NULL when unknown.
            warm: Option<bool>,
            /// Price of the first of its models by name that has one, wei per `pixels_per_unit` pixels.
            price_per_unit: Option<i64>,
            /// Pixels that the price is for.
            pixels_per_unit: Option<i64>,
            /// Version of the orchestrator; '' when unknown.
            orchestrator_version: &'a str [low],
            /// Time of the advertisement, UTC, gateway clock.
            last_seen_ts: Timestamp,
            /// Uid of the capability event; never empty.
            source_event_uid: &'a str,
            /// Order of the advertisements: time, then content; the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
    }
}

table! {
    /// First advertisement of each GPU in the time that is kept: one row per node and GPU.
    pub struct GpuFirstSeen<'a> = "dim_orchestrator_gpu_first_seen" {
        replacing: (version),
        partition: "tuple()",
        order: [org, orchestrator_url, orchestrator_address, gpu_id],
        ttl: "toDate(first_seen_ts)" + 365 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Service URI, verbatim; '' when unknown.
            orchestrator_url: &'a str,
            /// Canonical wallet, lower case; '' when unknown.
            orchestrator_address: &'a str,
            /// GPU uuid, trimmed and lower case.
            gpu_id: &'a str,
            /// Time of the advertisement, UTC, gateway clock.
            first_seen_ts: Timestamp,
            /// Falls with `first_seen_ts`; the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_snapshot_has_the_greater_version() {
        let at = |millis| current_version(Timestamp(millis), 7, "a");
        assert!(at(1_770_062_024_627) < at(1_770_062_024_628));
        assert!(at(-5) < at(1));
        assert!(at(MAX_TIME.0) > at(MAX_TIME.0 - 1));
        assert_ne!(at(1), current_version(Timestamp(1), 8, "a"));
        assert_ne!(at(1), current_version(Timestamp(1), 7, "b"));
        assert!(first_version(Timestamp(1)) > first_version(Timestamp(2)));
    }
}
