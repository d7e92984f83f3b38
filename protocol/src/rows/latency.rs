//! Latency of a session (contract tables.md 2.4, lifecycle 9, backlog 002).

use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Latency figures: one row per session and edge semantics version.
    pub struct Latency<'a> = "fact_workflow_latency_samples" {
        replacing: (version),
        partition: "cityHash64(org, workflow_session_id) % 8",
        order: [org, workflow_session_id, edge_semantics_version],
        ttl: "sample_date" + 180 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Canonical session key (lifecycle 1.3); never empty.
            workflow_session_id: &'a str,
            /// Stream id; '' when unknown.
            stream_id: &'a str,
            /// Request id; '' when unknown.
            request_id: &'a str,
            /// Definition of the edges: `v1` or `v2` (lifecycle 9); never mix versions in one average.
            edge_semantics_version: &'a str [low],
            /// Start of the session, UTC, gateway clock.
            sample_ts: Timestamp,
            /// First gateway of the session; '' when unknown.
            gateway: &'a str [low],
            /// Canonical orchestrator wallet of the session, lower case; '' when not attributed.
            orchestrator_address: &'a str,
            /// Workflow class such as `live-video-to-video`; '' when unknown, never equal to `model_id`.
            pipeline: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// GPU uuid; '' when unknown or when several GPUs fit.
            gpu_id: &'a str,
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// Attribution of the session: `direct` (enters gold), `mapped_window` or `unattributed`.
            attribution_source: &'a str [low],
            /// V1 request to first processed; v2 prompt to playable, ms; NULL with the reason beside, never below 0.
            prompt_to_first_frame_ms: Option<f64>,
            /// V1 first processed to playable; v2 request to first processed, ms; NULL with the reason beside, never below 0.
            startup_time_ms: Option<f64>,
            /// V1 request to playable; v2 first ingest sent to first output relayed, ms; NULL with the reason beside, never below 0.
            e2e_latency_ms: Option<f64>,
            /// 1 when `prompt_to_first_frame_ms` has a value.
            has_prompt_to_first_frame: bool,
            /// 1 when `startup_time_ms` has a value.
            has_startup_time: bool,
            /// 1 when `e2e_latency_ms` has a value.
            has_e2e_latency: bool,
            /// Why `prompt_to_first_frame_ms` is NULL: a missing edge, `cross_clock_skew` or `negative_interval`; '' with a value.
            prompt_to_first_frame_null_reason: &'a str [low],
            /// Why `startup_time_ms` is NULL: a missing edge, `cross_clock_skew` or `negative_interval`; '' with a value.
            startup_time_null_reason: &'a str [low],
            /// Why `e2e_latency_ms` is NULL: a missing edge, `cross_clock_skew` or `negative_interval`; '' with a value.
            e2e_latency_null_reason: &'a str [low],
            /// 1 when the prompt value joins two clocks through `skew_ms` (v2 only).
            is_cross_clock: bool,
            /// Gateway minus runner clock, ms, smallest seen (v2 only); NULL without runner stamps.
            skew_ms: Option<i64>,
            /// First ingest to first output by the raw runner stamp, ms, diagnostic (v2 only), may be negative; NULL when an edge is missing.
            e2e_source_ms: Option<f64>,
            /// Prompt to playable by the raw runner stamp, ms, diagnostic (v2 only), may be negative; NULL when an edge is missing.
            prompt_source_ms: Option<f64>,
            /// First ingest sent to first processed segment back, gateway clock, ms (v2 only); NULL when missing or negative.
            first_frame_round_trip_ms: Option<f64>,
            /// 1 when the first output was relayed after its result was back (v2 only): keep its `e2e_latency_ms` out of averages.
            late_trickle: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `sample_ts`, UTC.
            sample_date: Date = Materialized("toDate(sample_ts)"),
        }
    }
}
