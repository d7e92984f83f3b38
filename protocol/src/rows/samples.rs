//! Status samples and trace edges with the identity in force (contract tables.md 2.4, lifecycle 8).

use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Frame rate and state over time with identity: one row per status event.
    pub struct StatusSample<'a> = "fact_stream_status_samples" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(gateway_ts)",
        order: [org, workflow_session_id, gateway_ts, source_event_uid],
        ttl: "sample_date" + 180 days,
        bloom: [request_id, stream_id, orchestrator_address, source_event_uid],
        touches: gateway_ts,
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Canonical session key (lifecycle 1.3); never empty.
            workflow_session_id: &'a str,
            /// Stream id; '' when unknown.
            stream_id: &'a str,
            /// Request id; '' when unknown.
            request_id: &'a str,
            /// Uid of the event that this row is about; never empty.
            source_event_uid: &'a str,
            /// Event time on the gateway clock, UTC: orders, windows and joins (lifecycle 1.7.1).
            gateway_ts: Timestamp,
            /// Payload time on its own clock, UTC; NULL when the payload has none.
            source_ts: Option<Timestamp>,
            /// Clock that made `source_ts`: `gateway` or `runner`.
            clock_domain: &'a str [low],
            /// Broker record time, UTC; the envelope time for files.
            kafka_ts: Timestamp,
            /// 1 when the record reached the broker more than 10 minutes after `gateway_ts`.
            is_late: bool,
            /// Gateway of the signal; '' when unknown.
            gateway: &'a str [low],
            /// Canonical orchestrator wallet, lower case; '' when not attributed.
            orchestrator_address: &'a str,
            /// Service URI of the orchestrator; '' when unknown.
            orchestrator_url: &'a str,
            /// Workflow class such as `live-video-to-video`; '' when unknown, never equal to `model_id`.
            pipeline: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// GPU uuid; '' when unknown or when several GPUs fit.
            gpu_id: &'a str,
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// Model hint as the signals sent it; '' when they sent none.
            model_hint: &'a str [low],
            /// Origin of `pipeline`: `capability`, `hint`, `inferred` or `none`.
            pipeline_source: &'a str [low],
            /// Origin of `model_id`: `capability`, `hint`, `inferred` or `none`.
            model_source: &'a str [low],
            /// Runner state verbatim; '' when absent.
            state: &'a str [low],
            /// Frames per second out of the inference; 0 when absent.
            output_fps: f32,
            /// Frames per second into the inference; 0 when absent.
            input_fps: f32,
            /// 1 when the selection in force is resolved, hardware-less or stale.
            is_attributed: bool,
            /// How the GPU and the identity were found (lifecycle 7.5); `none` without attribution.
            gpu_attribution_method: &'a str [low],
            /// Confidence of the method, 0 to 1.
            gpu_attribution_confidence: f32,
            /// GPUs that fit the decision; more than 1 leaves `gpu_id` empty.
            gpu_candidate_count: u16,
            /// `resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or '' (no decision applies).
            attribution_status: &'a str [low],
            /// `direct` (enters gold), `mapped_window` or `unattributed`.
            attribution_source: &'a str [low],
            /// Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).
            attribution_reason: &'a str [low],
            /// Time of the advertisement that decided, UTC, gateway clock; NULL without one.
            selected_snapshot_ts: Option<Timestamp>,
            /// Uid of the capability event that decided; '' without one.
            selected_snapshot_event_uid: &'a str,
            /// Distance from the selection to that advertisement, ms; NULL without one.
            attribution_distance_ms: Option<i64>,
            /// Segment that covers the row; NULL when none does.
            segment_index: Option<u16>,
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `gateway_ts`, UTC.
            sample_date: Date = Materialized("toDate(gateway_ts)"),
            /// Another name of `gateway_ts`.
            sample_ts: DateTime64 = Alias("gateway_ts"),
        }
    }
}

table! {
    /// Lifecycle edges with identity: one row per trace event.
    pub struct TraceEdge<'a> = "fact_stream_trace_edges" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(gateway_ts)",
        order: [org, workflow_session_id, gateway_ts, source_event_uid],
        ttl: "edge_date" + 180 days,
        bloom: [request_id, stream_id, source_event_uid],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Canonical session key (lifecycle 1.3); never empty.
            workflow_session_id: &'a str,
            /// Stream id; '' when unknown.
            stream_id: &'a str,
            /// Request id; '' when unknown.
            request_id: &'a str,
            /// Uid of the event that this row is about; never empty.
            source_event_uid: &'a str,
            /// Event time on the gateway clock, UTC: orders, windows and joins (lifecycle 1.7.1).
            gateway_ts: Timestamp,
            /// Payload time on its own clock, UTC; NULL when the payload has none.
            source_ts: Option<Timestamp>,
            /// Clock that made `source_ts`: `gateway` or `runner`.
            clock_domain: &'a str [low],
            /// Broker record time, UTC; the envelope time for files.
            kafka_ts: Timestamp,
            /// 1 when the record reached the broker more than 10 minutes after `gateway_ts`.
            is_late: bool,
            /// Gateway of the signal; '' when unknown.
            gateway: &'a str [low],
            /// Canonical orchestrator wallet, lower case; '' when not attributed.
            orchestrator_address: &'a str,
            /// Service URI of the orchestrator; '' when unknown.
            orchestrator_url: &'a str,
            /// Workflow class such as `live-video-to-video`; '' when unknown, never equal to `model_id`.
            pipeline: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// GPU uuid; '' when unknown or when several GPUs fit.
            gpu_id: &'a str,
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// Trace subtype.
            trace_type: &'a str [low],
            /// Prefix of the subtype: `gateway`, `orchestrator`, `runner`, `app` or `other`.
            trace_category: &'a str [low],
            /// 1 for `orchestrator_swap`.
            is_swap_event: bool,
            /// 1 when the selection in force is resolved, hardware-less or stale.
            is_attributed: bool,
            /// How the GPU and the identity were found (lifecycle 7.5); `none` without attribution.
            gpu_attribution_method: &'a str [low],
            /// Confidence of the method, 0 to 1.
            gpu_attribution_confidence: f32,
            /// GPUs that fit the decision; more than 1 leaves `gpu_id` empty.
            gpu_candidate_count: u16,
            /// `resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or '' (no decision applies).
            attribution_status: &'a str [low],
            /// `direct` (enters gold), `mapped_window` or `unattributed`.
            attribution_source: &'a str [low],
            /// Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).
            attribution_reason: &'a str [low],
            /// Time of the advertisement that decided, UTC, gateway clock; NULL without one.
            selected_snapshot_ts: Option<Timestamp>,
            /// Uid of the capability event that decided; '' without one.
            selected_snapshot_event_uid: &'a str,
            /// Distance from the selection to that advertisement, ms; NULL without one.
            attribution_distance_ms: Option<i64>,
            /// Segment that covers the row; NULL when none does.
            segment_index: Option<u16>,
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `gateway_ts`, UTC.
            edge_date: Date = Materialized("toDate(gateway_ts)"),
            /// Another name of `gateway_ts`.
            edge_ts: DateTime64 = Alias("gateway_ts"),
        }
    }
}
