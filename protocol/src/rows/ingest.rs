//! Quality of the client-to-gateway leg (contract backlog 006); never an orchestrator figure.

use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Client-to-gateway transport per interval: one row per ingest metrics event.
    pub struct IngestSample<'a> = "fact_stream_ingest_samples" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(gateway_ts)",
        order: [org, workflow_session_id, gateway_ts, source_event_uid],
        ttl: "sample_date" + 180 days,
        bloom: [request_id, stream_id, source_event_uid],
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
            /// Peer connection of the counters; '' when absent.
            peer_connection: &'a str [low],
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
            /// `good`, `bad`, `unknown` or other text; '' when absent.
            connection_quality: &'a str [low],
            /// Time since the sample before of this connection, ms; NULL for the first.
            interval_ms: Option<u64>,
            /// 1 when the interval can carry rates: known and at most 60 s.
            is_rated: bool,
            /// Bytes received since connect, cumulative: never sum.
            bytes_received: u64,
            /// Bytes sent since connect, cumulative: never sum.
            bytes_sent: u64,
            /// Bytes received since the sample before.
            bytes_received_delta: u64,
            /// Bytes sent since the sample before.
            bytes_sent_delta: u64,
            /// Video packets received since the sample before; NULL without the track.
            video_packets_received_delta: Option<u64>,
            /// Video packets lost since the sample before, not below 0; NULL without the track.
            video_packets_lost_delta: Option<u64>,
            /// Video jitter as emitted, ms; NULL without the track.
            video_jitter: Option<f32>,
            /// Video media latency as emitted, seconds; NULL without the track or an output time.
            video_latency: Option<f32>,
            /// Video jitter in (0, 10 s], ms; NULL when not measured.
            video_jitter_ms: Option<f64>,
            /// Video round trip in (0, 60 s], ms; NULL when not measured.
            video_rtt_ms: Option<f64>,
            /// Video input minus output media time in (0, 60 s], ms; NULL when not measured.
            video_media_latency_ms: Option<f64>,
            /// Audio packets received since the sample before; NULL without the track.
            audio_packets_received_delta: Option<u64>,
            /// Audio packets lost since the sample before, not below 0; NULL without the track.
            audio_packets_lost_delta: Option<u64>,
            /// Audio jitter as emitted, ms; NULL without the track.
            audio_jitter: Option<f32>,
            /// Audio media latency as emitted, seconds; NULL without the track or an output time.
            audio_latency: Option<f32>,
            /// Audio jitter in (0, 10 s], ms; NULL when not measured.
            audio_jitter_ms: Option<f64>,
            /// Audio round trip in (0, 60 s], ms; NULL when not measured.
            audio_rtt_ms: Option<f64>,
            /// Audio input minus output media time in (0, 60 s], ms; NULL when not measured.
            audio_media_latency_ms: Option<f64>,
            /// 1 when a counter went back: the difference is the counter itself.
            counter_reset: bool,
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
