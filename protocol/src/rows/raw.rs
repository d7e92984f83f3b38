//! The archive of all records and the typed rows of accepted ones (contract tables.md 2.1, 2.2).
//!
//! A typed row is identified by (org, `event_timestamp`, `raw_event_uid`[, `element`]), all known
//! from the event's identity: a row that another content of the same uid supersedes is removed by
//! writing that key again with `is_deleted` and a higher version.

use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Audit and replay archive: one row per delivery of an accepted event, duplicates included.
    pub struct RawStreamingEvent<'a> = "raw_streaming_events" {
        replacing: (ingestion_timestamp),
        partition: "toYYYYMM(source_record_timestamp)",
        order: [org, r#type, event_timestamp, source_topic, source_partition, source_offset],
        ttl: "toDate(ingestion_timestamp)" + 90 days,
        bloom: [id, r#type, raw_event_uid],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope `id` verbatim; '' when absent or not parsable.
            id: &'a str,
            /// Envelope `type` verbatim; '' when absent or not parsable.
            r#type: &'a str [low],
            /// Envelope `timestamp`, ms since the epoch; 0 when absent or not parsable.
            timestamp: u64,
            /// Envelope `gateway`; '' when unknown.
            gateway: &'a str [low],
            /// Text of the payload `data`; the whole record value when it has no readable envelope.
            data: &'a str [json],
            /// Event uid (events.md 5.2); never empty.
            raw_event_uid: &'a str,
            /// Kafka topic; a fixed name for files.
            source_topic: &'a str [low],
            /// Kafka partition; for files a running number of the data folder.
            source_partition: u32,
            /// Offset in the partition; the record's number for files.
            source_offset: u64,
            /// Broker record time, UTC; the envelope time for files.
            source_record_timestamp: Timestamp,
            /// Envelope time, UTC, gateway clock; the record time when the envelope has none.
            event_timestamp: Timestamp,
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
    /// Typed inference status: one row per accepted `ai_stream_status` event.
    pub struct RawAiStreamStatus<'a> = "raw_ai_stream_status" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(event_timestamp)",
        order: [org, event_timestamp, raw_event_uid],
        ttl: "event_date" + 90 days,
        bloom: [raw_event_uid, stream_id, request_id, orchestrator_address, pipeline],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time, UTC, gateway clock.
            event_timestamp: Timestamp,
            /// Event uid, unique per organisation; never empty.
            raw_event_uid: &'a str,
            /// Stream id, trimmed; '' when sent as blank text.
            stream_id: &'a str,
            /// Request id, trimmed; '' when sent as blank text.
            request_id: &'a str,
            /// Gateway that sent the event; '' when unknown.
            gateway: &'a str [low],
            /// Wallet as reported (hot wallet for live video), normalised; '' when unknown.
            orchestrator_address: &'a str,
            /// Service URI as reported, verbatim; '' when unknown.
            orchestrator_url: &'a str,
            /// Model hint as reported (`data.pipeline`); can be blank.
            pipeline: &'a str [low],
            /// Frames per second out of the inference; 0 when absent.
            output_fps: f32,
            /// Frames per second into the inference; 0 when absent.
            input_fps: f32,
            /// Runner state verbatim, such as `ONLINE` or `LOADING`; '' when absent.
            state: &'a str [low],
            /// Restarts of the runner process, not of the session; 0 when absent.
            restart_count: u32,
            /// Last error text, sticky across sessions; NULL when there is none.
            last_error: Option<&'a str>,
            /// Time of the last error, UTC, runner clock; NULL when absent.
            last_error_time: Option<Timestamp>,
            /// Prompt text, personal data; NULL when absent or not text.
            prompt_text: Option<&'a str>,
            /// Requested width, pixels; 0 when absent.
            prompt_width: u16,
            /// Requested height, pixels; 0 when absent.
            prompt_height: u16,
            /// Hash of the last parameters as reported; '' when absent.
            params_hash: &'a str,
            /// When the stream was attached to the runner, UTC, runner clock; NULL when absent.
            start_time: Option<Timestamp>,
            /// Sample time in the payload, UTC, runner clock; NULL when absent.
            source_ts: Option<Timestamp>,
            /// The whole record as JSON; emptied after 30 days, the archive has it.
            raw_json: &'a str [lineage],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version; the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `event_timestamp`, UTC.
            event_date: Date = Materialized("toDate(event_timestamp)"),
            /// Hour of the day of `event_timestamp`, 0 to 23, UTC.
            event_hour: UInt8 = Materialized("toHour(event_timestamp)"),
        }
    }
}

table! {
    /// Typed client-to-gateway transport counters: one row per accepted `stream_ingest_metrics` event.
    pub struct RawStreamIngestMetrics<'a> = "raw_stream_ingest_metrics" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(event_timestamp)",
        order: [org, event_timestamp, raw_event_uid],
        ttl: "event_date" + 90 days,
        bloom: [raw_event_uid, stream_id, request_id],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time, UTC, gateway clock.
            event_timestamp: Timestamp,
            /// Event uid, unique per organisation; never empty.
            raw_event_uid: &'a str,
            /// Stream id, trimmed; '' when sent as blank text.
            stream_id: &'a str,
            /// Request id, trimmed; '' when sent as blank text.
            request_id: &'a str,
            /// Gateway that sent the event; '' when unknown.
            gateway: &'a str [low],
            /// Peer connection of the counters; '' when absent.
            peer_connection: &'a str [low],
            /// `good`, `bad`, `unknown` or other text; '' when absent.
            connection_quality: &'a str [low],
            /// Video jitter as emitted, ms; 0 is no measurement; NULL without a video track.
            video_jitter: Option<f32>,
            /// Audio jitter as emitted, ms; 0 is no measurement; NULL without an audio track.
            audio_jitter: Option<f32>,
            /// Video packets received since connect, cumulative; NULL without a video track.
            video_packets_received: Option<u64>,
            /// Video packets lost since connect, cumulative, can be negative; NULL without a video track.
            video_packets_lost: Option<i64>,
            /// Audio packets received since connect, cumulative; NULL without an audio track.
            audio_packets_received: Option<u64>,
            /// Audio packets lost since connect, cumulative, can be negative; NULL without an audio track.
            audio_packets_lost: Option<i64>,
            /// Video loss since connect, percent 0 to 100; NULL without a video track.
            video_packet_loss_pct: Option<f32>,
            /// Audio loss since connect, percent 0 to 100; NULL without an audio track.
            audio_packet_loss_pct: Option<f32>,
            /// Video round trip, nanoseconds; 0 is unknown; NULL without a video track.
            video_rtt: Option<u64>,
            /// Audio round trip, nanoseconds; 0 is unknown; NULL without an audio track.
            audio_rtt: Option<u64>,
            /// Last video input, seconds of media time; NULL without a video track.
            video_last_input_ts: Option<f64>,
            /// Last audio input, seconds of media time; NULL without an audio track.
            audio_last_input_ts: Option<f64>,
            /// Video media latency, seconds; NULL without a track or without an output time.
            video_latency: Option<f32>,
            /// Audio media latency, seconds; NULL without a track or without an output time.
            audio_latency: Option<f32>,
            /// Bytes received since connect, cumulative: use differences, never sum.
            bytes_received: u64,
            /// Bytes sent since connect, cumulative: use differences, never sum.
            bytes_sent: u64,
            /// The whole record as JSON; emptied after 30 days, the archive has it.
            raw_json: &'a str [lineage],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version; the greatest of a key is the row.
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
    /// Typed lifecycle edges: one row per accepted `stream_trace` event.
    pub struct RawStreamTraceEvent<'a> = "raw_stream_trace_events" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(event_timestamp)",
        order: [org, event_timestamp, raw_event_uid],
        ttl: "event_date" + 90 days,
        bloom: [raw_event_uid, stream_id, request_id],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time, UTC, gateway clock.
            event_timestamp: Timestamp,
            /// Event uid, unique per organisation; never empty.
            raw_event_uid: &'a str,
            /// Stream id, trimmed; '' when sent as blank text.
            stream_id: &'a str,
            /// Request id, trimmed; '' when sent as blank text.
            request_id: &'a str,
            /// Gateway that sent the event; '' when unknown.
            gateway: &'a str [low],
            /// Wallet as reported, normalised; the one being left for a swap; '' when unknown.
            orchestrator_address: &'a str,
            /// Service URI as reported, verbatim; '' when unknown.
            orchestrator_url: &'a str,
            /// Trace subtype (`data.type`).
            trace_type: &'a str [low],
            /// Payload time on the clock of the subtype, UTC; the envelope time when absent.
            data_timestamp: Timestamp,
            /// The whole record as JSON; emptied after 30 days, the archive has it.
            raw_json: &'a str [lineage],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version; the greatest of a key is the row.
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
    /// Typed errors, parameter updates and runner events: one row per accepted `ai_stream_events` event.
    pub struct RawAiStreamEvent<'a> = "raw_ai_stream_events" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(event_timestamp)",
        order: [org, event_timestamp, raw_event_uid],
        ttl: "event_date" + 90 days,
        bloom: [raw_event_uid, stream_id, request_id],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time, UTC, gateway clock.
            event_timestamp: Timestamp,
            /// Event uid, unique per organisation; never empty.
            raw_event_uid: &'a str,
            /// Stream id, trimmed; '' when sent as blank text.
            stream_id: &'a str,
            /// Request id, trimmed; '' when sent as blank text.
            request_id: &'a str,
            /// Gateway that sent the event; '' when unknown.
            gateway: &'a str [low],
            /// Model hint as reported (`data.pipeline`); '' when absent.
            pipeline: &'a str [low],
            /// Event kind verbatim, such as `error` or `params_update`.
            event_type: &'a str [low],
            /// Message text; '' when absent.
            message: &'a str,
            /// Capability as reported; '' when absent.
            capability: &'a str [low],
            /// Payload time, UTC, runner clock; NULL for events that the gateway made.
            source_ts: Option<Timestamp>,
            /// The whole record as JSON; emptied after 30 days, the archive has it.
            raw_json: &'a str [lineage],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version; the greatest of a key is the row.
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
    /// Typed discovery results: one row per orchestrator found by a `discovery_results` event.
    pub struct RawDiscoveryResult<'a> = "raw_discovery_results" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(event_timestamp)",
        order: [org, event_timestamp, raw_event_uid, element],
        ttl: "event_date" + 90 days,
        bloom: [raw_event_uid, orchestrator_address],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time, UTC, gateway clock.
            event_timestamp: Timestamp,
            /// Event uid, unique per organisation; never empty.
            raw_event_uid: &'a str,
            /// Rank in the event, from 0; best first.
            element: u32,
            /// Gateway that sent the event; '' when unknown.
            gateway: &'a str [low],
            /// Hot wallet, normalised; '' when the orchestrator sent none.
            orchestrator_address: &'a str,
            /// Service URI, verbatim; '' when unknown.
            orchestrator_url: &'a str,
            /// Response time of the orchestrator, ms; NULL when not a number.
            latency_ms: Option<u32>,
            /// The whole record as JSON on element 0, '' on the others; emptied after 30 days.
            raw_json: &'a str [lineage],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version; the greatest of a key is the row.
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
    /// Typed payment tickets, amounts as the producer's text: one row per `create_new_payment` event.
    pub struct RawPaymentEvent<'a> = "raw_payment_events" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(event_timestamp)",
        order: [org, event_timestamp, raw_event_uid],
        ttl: "event_date" + 90 days,
        bloom: [raw_event_uid, request_id, session_id],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time, UTC, gateway clock.
            event_timestamp: Timestamp,
            /// Event uid, unique per organisation; never empty.
            raw_event_uid: &'a str,
            /// Gateway that sent the event; '' when unknown.
            gateway: &'a str [low],
            /// Request id, only on the first payment of a stream; '' otherwise.
            request_id: &'a str,
            /// Auth-token session at the orchestrator, not a stream session; '' when absent.
            session_id: &'a str,
            /// Manifest id as sent; '' when absent.
            manifest_id: &'a str,
            /// Payer wallet of the gateway, normalised; '' when unknown.
            sender: &'a str,
            /// Canonical orchestrator wallet, normalised; '' when unknown.
            recipient: &'a str,
            /// Service URI of the orchestrator (not a wallet), verbatim; '' when unknown.
            orchestrator: &'a str,
            /// Face value of one ticket with its unit (`WEI` or `ETH`), verbatim.
            face_value: &'a str,
            /// Price with its unit, wei per pixel, verbatim.
            price: &'a str,
            /// Number of tickets, verbatim integer text.
            num_tickets: &'a str,
            /// Winning probability of one ticket, verbatim decimal text.
            win_prob: &'a str,
            /// Client address, personal data; '' when absent.
            client_ip: &'a str,
            /// Capability as reported; '' for live video.
            capability: &'a str [low],
            /// The whole record as JSON; emptied after 30 days, the archive has it.
            raw_json: &'a str [lineage],
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version; the greatest of a key is the row.
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
