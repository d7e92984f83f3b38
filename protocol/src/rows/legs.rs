//! Published figures of the two transport legs (contract backlog 001, 006).
//!
//! Only additive primitives: views divide. Sums are whole numbers, distributions are counts in fixed
//! logarithmic buckets (`docs/feeds.md`), distinct counts are exact and final.

use super::spec::table;
use crate::time::Timestamp;

/// Defines a table of hours and one of minutes with the same figures.
macro_rules! grains {
    (
        $(#[doc = $hour_doc:literal])+ $hour:ident = $hour_name:literal,
        $(#[doc = $minute_doc:literal])+ $minute:ident = $minute_name:literal,
        key: { $($(#[doc = $key_doc:literal])+ $key:ident: $key_ty:ty $([$key_storage:ident])?,)+ }
        figures: { $($(#[doc = $doc:literal])+ $figure:ident: $ty:ty,)+ }
        per_hour: { $($(#[doc = $only_doc:literal])+ $only:ident: $only_ty:ty,)* }
    ) => {
        table! {
            $(#[doc = $hour_doc])+
            pub struct $hour<'a> = $hour_name {
                replacing: (slice_version),
                partition: "toYYYYMM(window_start)",
                order: [org, window_start, $($key),+],
                ttl: "toDate(window_start)" + 400 days,
                bloom: [],
                columns: {
                    /// Organisation, from the source topic.
                    org: &'a str [low],
                    /// Start of the hour, UTC.
                    window_start: Timestamp,
                    $($(#[doc = $key_doc])+ $key: $key_ty $([$key_storage])?,)+
                    $($(#[doc = $doc])+ $figure: $ty,)+
                    $($(#[doc = $only_doc])+ $only: $only_ty,)*
                    /// Version of the slice that the row was computed in.
                    slice_version: u64,
                }
            }
        }

        table! {
            $(#[doc = $minute_doc])+
            pub struct $minute<'a> = $minute_name {
                replacing: (slice_version),
                partition: "toYYYYMM(window_start)",
                order: [org, window_start, minute_start, $($key),+],
                ttl: "toDate(window_start)" + 90 days,
                bloom: [],
                columns: {
                    /// Organisation, from the source topic.
                    org: &'a str [low],
                    /// Start of the hour, UTC.
                    window_start: Timestamp,
                    /// Start of the minute, UTC.
                    minute_start: Timestamp,
                    $($(#[doc = $key_doc])+ $key: $key_ty $([$key_storage])?,)+
                    $($(#[doc = $doc])+ $figure: $ty,)+
                    /// Version of the slice that the row was computed in.
                    slice_version: u64,
                }
            }
        }
    };
}

grains! {
    /// Bandwidth between gateway and orchestrator by hour: gateways' samples of media.
    TransportHour = "agg_transport_bandwidth_1h",
    /// Bandwidth between gateway and orchestrator by minute: gateways' samples of media.
    TransportMinute = "agg_transport_bandwidth_1m",
    key: {
        /// `gateway_to_orchestrator` or `orchestrator_to_worker`.
        link_type: &'a str [low],
        /// Canonical orchestrator wallet, lower case; '' for samples that are not attributed.
        orchestrator_address: &'a str,
        /// Gateway; '' when unknown.
        gateway: &'a str [low],
        /// Workflow class; '' when unknown.
        pipeline_id: &'a str [low],
        /// Model label; '' when unknown.
        model_id: &'a str [low],
        /// GPU uuid; '' when unknown.
        gpu_id: &'a str,
        /// Region; '' as long as no producer sends one.
        region: &'a str [low],
    }
    figures: {
        /// Bytes to the orchestrator; all samples together have exactly these.
        rx_bytes: u64,
        /// Bytes from the orchestrator.
        tx_bytes: u64,
        /// Of `rx_bytes`, those of intervals that carry rates.
        rated_rx_bytes: u64,
        /// Of `tx_bytes`, those of intervals that carry rates.
        rated_tx_bytes: u64,
        /// Time of intervals that carry rates, ms.
        observed_ms: u64,
        /// Time in which segments of sessions with this identity ran, ms.
        expected_ms: u64,
        /// Samples that end in the window.
        samples: u64,
        /// Segments completed in both directions, in samples that end in the window.
        segments: u64,
        /// Segments aborted or timed out, in samples that end in the window.
        failed_segments: u64,
        /// Segments never sent, in samples that end in the window.
        dropped_segments: u64,
        /// Distinct sessions with bytes or time in the window.
        sessions: u64,
        /// Buckets of rates to the orchestrator per session and minute, kbit/s, ascending.
        rx_rate_buckets: &'a [u32],
        /// Session minutes in each of these buckets.
        rx_rate_counts: &'a [u64],
        /// Buckets of rates from the orchestrator per session and minute, kbit/s, ascending.
        tx_rate_buckets: &'a [u32],
        /// Session minutes in each of these buckets.
        tx_rate_counts: &'a [u64],
    }
    per_hour: {}
}

grains! {
    /// Quality between client and gateway by hour.
    IngestHour = "agg_ingest_quality_1h",
    /// Quality between client and gateway by minute.
    IngestMinute = "agg_ingest_quality_1m",
    key: {
        /// Gateway of the session; '' when unknown.
        gateway: &'a str [low],
        /// Workflow class of the session; '' when unknown.
        pipeline_id: &'a str [low],
        /// Model label of the session; '' when unknown.
        model_id: &'a str [low],
        /// Region; '' as long as no producer sends one.
        region: &'a str [low],
    }
    figures: {
        /// Samples.
        samples: u64,
        /// Distinct sessions with a sample.
        sessions: u64,
        /// Bytes from clients.
        bytes_received: u64,
        /// Bytes to clients, on WHIP mostly feedback.
        bytes_sent: u64,
        /// Of `bytes_received`, those of intervals that carry rates.
        rated_bytes_received: u64,
        /// Of `bytes_sent`, those of intervals that carry rates.
        rated_bytes_sent: u64,
        /// Time of intervals that carry rates, ms.
        observed_ms: u64,
        /// Video packets received.
        video_packets_received: u64,
        /// Video packets lost.
        video_packets_lost: u64,
        /// Audio packets received.
        audio_packets_received: u64,
        /// Audio packets lost.
        audio_packets_lost: u64,
        /// Sum of video jitter, units of 0.000001 ms.
        video_jitter_sum: u64,
        /// Samples with a video jitter.
        video_jitter_samples: u64,
        /// Buckets of video jitter, µs, ascending.
        video_jitter_buckets: &'a [u32],
        /// Samples in each of these buckets.
        video_jitter_counts: &'a [u64],
        /// Sum of audio jitter, units of 0.000001 ms.
        audio_jitter_sum: u64,
        /// Samples with an audio jitter.
        audio_jitter_samples: u64,
        /// Buckets of audio jitter, µs, ascending.
        audio_jitter_buckets: &'a [u32],
        /// Samples in each of these buckets.
        audio_jitter_counts: &'a [u64],
        /// Sum of round trips of video and audio, units of 0.000001 ms.
        rtt_sum: u64,
        /// Tracks with a round trip.
        rtt_samples: u64,
        /// Buckets of round trips, µs, ascending.
        rtt_buckets: &'a [u32],
        /// Tracks in each of these buckets.
        rtt_counts: &'a [u64],
        /// Sum of media latencies of video and audio, units of 0.000001 ms.
        media_latency_sum: u64,
        /// Tracks with a media latency.
        media_latency_samples: u64,
        /// Buckets of media latencies, µs, ascending.
        media_latency_buckets: &'a [u32],
        /// Tracks in each of these buckets.
        media_latency_counts: &'a [u64],
        /// Samples of quality `good`.
        good_samples: u64,
        /// Samples of quality `bad`.
        bad_samples: u64,
        /// Samples of any other quality.
        other_samples: u64,
    }
    per_hour: {
        /// Known sessions that ran in the hour, with samples or without.
        known_sessions: u64,
        /// Of these, the ones with a sample in the hour.
        known_sessions_with_samples: u64,
        /// Time that known sessions ran in the hour, ms.
        session_ms: u64,
    }
}
