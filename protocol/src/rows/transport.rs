//! Bandwidth between gateway and orchestrator (contract backlog 001).

use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Transport between gateway and orchestrator per interval: one row per accepted sample.
    pub struct TransportSample<'a> = "fact_orchestrator_transport_bandwidth" {
        replacing: (version, is_deleted),
        partition: "cityHash64(org, workflow_session_id) % 8",
        order: [org, workflow_session_id, attempt, link_type, channel, observer, sample_seq],
        ttl: "sample_date" + 180 days,
        bloom: [request_id, orchestrator_address, source_event_uid],
        touches: sample_ts,
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Canonical session key (lifecycle 1.3); never empty.
            workflow_session_id: &'a str,
            /// Stream id; '' when unknown.
            stream_id: &'a str,
            /// Request id; '' when unknown.
            request_id: &'a str,
            /// Attempt in the session, from 0, one more after each swap.
            attempt: u32,
            /// Link: `gateway_to_orchestrator`, `orchestrator_to_worker` or `client_to_gateway`.
            link_type: &'a str [low],
            /// `media` (the only one in figures), `control` or `events`.
            channel: &'a str [low],
            /// Side that counted: `gateway` (authoritative) or `orchestrator`.
            observer: &'a str [low],
            /// Number of the sample in its stream, from 0.
            sample_seq: u64,
            /// End of the interval, or the envelope time for another observer, UTC, gateway clock.
            sample_ts: Timestamp,
            /// Start of the interval, UTC, observer clock.
            interval_start_ts: Timestamp,
            /// End of the interval on the clock of its observer, UTC.
            source_ts: Option<Timestamp>,
            /// Clock of the interval: `gateway` or `orchestrator`.
            clock_domain: &'a str [low],
            /// Broker record time, UTC; the envelope time for files.
            kafka_ts: Timestamp,
            /// 1 when the record reached the broker more than 10 minutes after `sample_ts`.
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
            /// 1 when the selection in force is resolved, hardware-less or stale.
            is_attributed: bool,
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
            /// Distance from the selection to the chosen interval, ms; 0 inside it; NULL without one.
            attribution_distance_ms: Option<i64>,
            /// 1 for the last sample of the attempt.
            is_final: bool,
            /// Bytes to the orchestrator since the attempt began, cumulative.
            rx_bytes_total: u64,
            /// Bytes from the orchestrator since the attempt began, cumulative.
            tx_bytes_total: u64,
            /// Bytes to the orchestrator in the interval (down).
            rx_bytes: u64,
            /// Bytes from the orchestrator in the interval (up).
            tx_bytes: u64,
            /// Length of the interval, ms; NULL when not above 0.
            interval_ms: Option<u64>,
            /// Time with a transfer to the orchestrator in progress, ms.
            rx_busy_ms: u64,
            /// Time with a transfer from the orchestrator in progress, ms.
            tx_busy_ms: u64,
            /// Segments completed to the orchestrator in the interval.
            rx_segments: u64,
            /// Segments completed from the orchestrator in the interval.
            tx_segments: u64,
            /// Segments aborted or timed out in the interval, both directions.
            failed_segments: u64,
            /// Segments never sent in the interval, both directions.
            dropped_segments: u64,
            /// Rate to the orchestrator, bits per second; NULL when the interval or the value is implausible.
            rx_bps: Option<u64>,
            /// Rate from the orchestrator, bits per second; NULL when the interval or the value is implausible.
            tx_bps: Option<u64>,
            /// 1 when a counter went back: the difference is the counter itself.
            counter_reset: bool,
            /// What is unusual, sorted: `gap`, `implausible_rate`, `implausible_time`, `long_interval`,
            /// `other_orchestrator`; empty when nothing is.
            quality_flags: &'a [&'a str],
            /// Family or system that sent the sample, `stream_transport_metrics`.
            source_system: &'a str [low],
            /// Name of the sample at its source; '' when it has none.
            source_sample_id: &'a str,
            /// Uid of the event that this row is about; never empty.
            source_event_uid: &'a str,
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
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
