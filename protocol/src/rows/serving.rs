//! Published figures by hour, from which the serving views are read (contract tables.md 3, 12.3,
//! backlog 003, 008, 009, 026; decisions, "aggregates", "rollups").
//!
//! Only additive primitives, and labels: views divide and score. Sums are whole numbers in units of
//! 0.000001, percentiles come from fixed buckets, distinct counts are exact and final. A row is valid
//! if its slice's entry in `rollup_slices` says so; the views `v_<table>` show the valid ones.

use super::binary::Decimal;
use super::spec::table;
use crate::time::Timestamp;

table! {
    /// What an identity served in an hour: one row per orchestrator, pipeline, model, GPU and region with
    /// gold-eligible status evidence that is no terminal tail.
    ///
    /// A session counts in every hour and identity with evidence: counts of sessions are session-hours.
    pub struct OrchestratorHour<'a> = "agg_orchestrator_1h" {
        replacing: (slice_version),
        partition: "toYYYYMM(window_start)",
        order: [org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region],
        ttl: "toDate(window_start)" + 400 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Start of the hour, UTC, gateway clock.
            window_start: Timestamp,
            /// Canonical orchestrator wallet, lower case; never empty.
            orchestrator_address: &'a str,
            /// Workflow class; '' when unknown, never equal to `model_id`.
            pipeline_id: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// GPU uuid; '' when unknown or when several GPUs fit.
            gpu_id: &'a str,
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// Distinct sessions with evidence, known or not.
            sessions_count: u64,
            /// Known sessions whose first evidence hour and identity this is: their sum counts no session
            /// twice.
            session_starts: u64,
            /// Sessions with a request trace.
            known_sessions_count: u64,
            /// Known sessions that became playable.
            startup_success_sessions: u64,
            /// Known sessions that did not start and are excused.
            startup_excused_sessions: u64,
            /// Known sessions that did not start and are not excused.
            startup_unexcused_sessions: u64,
            /// Known sessions with an explicit swap trace.
            confirmed_swapped_sessions: u64,
            /// Known sessions with more than one canonical orchestrator.
            inferred_swap_sessions: u64,
            /// Known sessions with either: a union, not a sum.
            total_swapped_sessions: u64,
            /// Known sessions with an error event.
            sessions_with_errors: u64,
            /// Known sessions with an error text in any status sample.
            sessions_ending_in_error: u64,
            /// Known sessions with status samples that were all `LOADING`.
            loading_only_sessions: u64,
            /// Known sessions with status samples of which none had output frames.
            zero_output_fps_sessions: u64,
            /// Known sessions that are loading-only or without output: a union.
            output_failed_sessions: u64,
            /// Known sessions that are unexcused, loading-only or without output: a union.
            effective_failed_sessions: u64,
            /// Status samples with an error text over the whole life of the known sessions.
            error_status_samples: u64,
            /// Health signals seen of the known sessions.
            health_signal_count: u64,
            /// Health signals expected of the known sessions.
            health_expected_signal_count: u64,
            /// Status samples.
            status_samples: u64,
            /// Sum of output frames per second over the samples, units of 0.000001.
            output_fps_sum: u64,
            /// Sum of their squares, each square rounded, units of 0.000001.
            output_fps_sumsq: u64,
            /// Samples per fixed log bucket of output frames per second, trailing zeros left out. A bucket
            /// b below 32 begins at b / 10, others at bitShiftLeft(32 + b % 32, intDiv(b, 32) - 1) / 10.
            output_fps_histogram: &'a [u32],
            /// Active time, ms: from each sample to the session's next one, at most 30 s and not beyond the
            /// hour.
            active_ms: u64,
            /// Sessions with a latency from prompt to playable (edges v2), each in its first evidence hour.
            prompt_to_first_frame_sample_count: u64,
            /// Sum of their latencies, units of 0.000001 ms.
            prompt_to_first_frame_sum: u64,
            /// Sessions by fixed log bucket of ms, trailing zeros left out; buckets as
            /// `output_fps_histogram`, with steps of 1 ms.
            prompt_to_first_frame_histogram: &'a [u32],
            /// Sessions with a latency from request to first processed (edges v2), each in its first
            /// evidence hour.
            startup_latency_sample_count: u64,
            /// Sum of their latencies, units of 0.000001 ms.
            startup_latency_sum: u64,
            /// Sessions by fixed log bucket of ms, trailing zeros left out; buckets as
            /// `output_fps_histogram`, with steps of 1 ms.
            startup_latency_histogram: &'a [u32],
            /// Sessions with a latency from first ingest to first output (edges v2), each in its first
            /// evidence hour.
            e2e_latency_sample_count: u64,
            /// Sum of their latencies, units of 0.000001 ms.
            e2e_latency_sum: u64,
            /// Sessions by fixed log bucket of ms, trailing zeros left out; buckets as
            /// `output_fps_histogram`, with steps of 1 ms.
            e2e_latency_histogram: &'a [u32],
            /// Service URI in the newest advertisement of the GPU up to the end of the hour, at most 24 h
            /// old; '' without one.
            orchestrator_url: &'a str,
            /// Version of the orchestrator in it; '' when unknown.
            orchestrator_version: &'a str [low],
            /// Version of the runner in it; '' when unknown.
            runner_version: &'a str [low],
            /// GPU product name in it; '' when unknown.
            gpu_model_name: &'a str [low],
            /// Compute capability in it, `major.minor`; '' when unknown.
            compute_capability: &'a str [low],
            /// GPU memory in it, bytes; NULL when unknown.
            gpu_memory_bytes_total: Option<u64>,
            /// Free GPU memory in it, bytes; NULL when unknown.
            gpu_memory_bytes_free: Option<u64>,
            /// Slots of the model in it; NULL when unknown.
            capacity: Option<i64>,
            /// Busy slots of the model in it; NULL when unknown.
            capacity_in_use: Option<i64>,
            /// 1 when the model was loaded; NULL when unknown.
            warm: Option<bool>,
            /// Price in it, wei per `pixels_per_unit` pixels; NULL when unknown.
            price_per_unit: Option<i64>,
            /// Pixels that the price is for; NULL when unknown.
            pixels_per_unit: Option<i64>,
            /// Time of that advertisement, UTC, gateway clock; NULL without one.
            metadata_snapshot_ts: Option<Timestamp>,
            /// Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.
            slice_version: u64,
        }
    }
}

table! {
    /// Demand in an hour, at three grains: one row per gateway, region, pipeline, model, orchestrator and
    /// GPU (`gpu`), per gateway, region, pipeline and model (`model`), and per gateway, region and pipeline
    /// (`pipeline`).
    ///
    /// Status evidence counts in its own hour, sessions in the hour they started in, payments in theirs.
    pub struct DemandHour<'a> = "agg_network_demand_1h" {
        replacing: (slice_version),
        partition: "toYYYYMM(window_start)",
        order: [org, window_start, grain, gateway, region, pipeline_id, model_id, orchestrator_address, gpu_id],
        ttl: "toDate(window_start)" + 400 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Start of the hour, UTC, gateway clock.
            window_start: Timestamp,
            /// `gpu`, `model` or `pipeline`: what the row is one of; finer columns are '' in a coarser row.
            grain: &'a str [low],
            /// Gateway; '' when unknown.
            gateway: &'a str [low],
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// Workflow class, else the only one of the sessions that started in the hour with this
            /// gateway, region and model; '' when unknown, never equal to `model_id`.
            pipeline_id: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// Canonical orchestrator wallet, lower case; '' when not served.
            orchestrator_address: &'a str,
            /// GPU uuid, else that of the session that started last among those of the same key with one;
            /// '' when unknown.
            gpu_id: &'a str,
            /// Distinct sessions with attributed status samples in the hour; not to be summed.
            sessions_count: u64,
            /// Active time, ms: from each sample to the session's next one, at most 30 s and not beyond the
            /// hour.
            active_ms: u64,
            /// Status samples.
            status_samples: u64,
            /// Sum of output frames per second over the samples, units of 0.000001.
            output_fps_sum: u64,
            /// Sum of their squares, each square rounded, units of 0.000001.
            output_fps_sumsq: u64,
            /// Status samples without a GPU of their own, shown under that of another session or none.
            gpu_fallback_samples: u64,
            /// Known sessions without a GPU of their own, shown under that of another session or none.
            gpu_fallback_sessions: u64,
            /// Known sessions with a canonical orchestrator, however it was found.
            served_sessions: u64,
            /// Known sessions without one.
            unserved_sessions: u64,
            /// Known sessions that selected somebody who could not be resolved.
            unattributed_sessions: u64,
            /// Known sessions for which no orchestrator was available.
            no_orch_sessions: u64,
            /// Sessions with a request trace.
            known_sessions_count: u64,
            /// Known sessions that became playable.
            startup_success_sessions: u64,
            /// Known sessions that did not start and are excused.
            startup_excused_sessions: u64,
            /// Known sessions that did not start and are not excused.
            startup_unexcused_sessions: u64,
            /// Known sessions with an explicit swap trace.
            confirmed_swapped_sessions: u64,
            /// Known sessions with more than one canonical orchestrator.
            inferred_swap_sessions: u64,
            /// Known sessions with either: a union, not a sum.
            total_swapped_sessions: u64,
            /// Known sessions with an error event.
            sessions_with_errors: u64,
            /// Known sessions with an error text in any status sample.
            sessions_ending_in_error: u64,
            /// Known sessions with status samples that were all `LOADING`.
            loading_only_sessions: u64,
            /// Known sessions with status samples of which none had output frames.
            zero_output_fps_sessions: u64,
            /// Known sessions that are loading-only or without output: a union.
            output_failed_sessions: u64,
            /// Known sessions that are unexcused, loading-only or without output: a union.
            effective_failed_sessions: u64,
            /// Status samples with an error text over the whole life of the known sessions.
            error_status_samples: u64,
            /// Health signals seen of the known sessions.
            health_signal_count: u64,
            /// Health signals expected of the known sessions.
            health_expected_signal_count: u64,
            /// GPU product name in the newest advertisement of orchestrator, model and GPU up to the end of
            /// the hour, at most 24 h old (grain `gpu`); '' when unknown.
            gpu_model_name: &'a str [low],
            /// Advertised slots of orchestrator and model in their newest advertisement up to then (grain
            /// `gpu`), the same in each row of them; NULL when unknown.
            advertised_capacity: Option<i64>,
            /// Payment events of the hour.
            payments_count: u64,
            /// Tickets in them.
            ticket_count: u64,
            /// Sum of the face values of the payment events, wei.
            ticket_face_value_wei: u128,
            /// Sum of face value times probability times tickets, wei.
            ticket_expected_value_wei: Decimal<76, 10>,
            /// Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.
            slice_version: u64,
        }
    }
}

table! {
    /// Output frames in five minutes: one row per orchestrator, pipeline, model, GPU and region with
    /// gold-eligible status samples.
    pub struct FpsFiveMinutes<'a> = "agg_output_fps_5m" {
        replacing: (slice_version),
        partition: "toYYYYMM(window_start)",
        order: [org, window_start, window_start_5m, orchestrator_address, pipeline_id, model_id, gpu_id, region],
        ttl: "toDate(window_start)" + 400 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Start of the hour, UTC, gateway clock.
            window_start: Timestamp,
            /// Start of the five minutes, UTC, gateway clock.
            window_start_5m: Timestamp,
            /// Canonical orchestrator wallet, lower case; never empty.
            orchestrator_address: &'a str,
            /// Workflow class; '' when unknown, never equal to `model_id`.
            pipeline_id: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// GPU uuid; '' when unknown or when several GPUs fit.
            gpu_id: &'a str,
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// Status samples.
            status_samples: u64,
            /// Sum of output frames per second over the samples, units of 0.000001.
            output_fps_sum: u64,
            /// Sum of their squares, each square rounded, units of 0.000001.
            output_fps_sumsq: u64,
            /// Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.
            slice_version: u64,
        }
    }
}

table! {
    /// How sessions started, in the hour they started in: one row per gateway, orchestrator, pipeline,
    /// model and region; every known session counts once.
    pub struct StartupHour<'a> = "agg_startup_1h" {
        replacing: (slice_version),
        partition: "toYYYYMM(window_start)",
        order: [org, window_start, gateway, orchestrator_address, pipeline_id, model_id, region],
        ttl: "toDate(window_start)" + 400 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Start of the hour, UTC, gateway clock.
            window_start: Timestamp,
            /// Gateway; '' when unknown.
            gateway: &'a str [low],
            /// Canonical orchestrator wallet, lower case; '' when not served.
            orchestrator_address: &'a str,
            /// Workflow class; '' when unknown, never equal to `model_id`.
            pipeline_id: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// Region; '' as long as no producer sends one.
            region: &'a str [low],
            /// Sessions with a request trace.
            known_sessions_count: u64,
            /// Known sessions that became playable.
            startup_success_sessions: u64,
            /// Known sessions that did not start and are excused.
            startup_excused_sessions: u64,
            /// Known sessions that did not start and are not excused.
            startup_unexcused_sessions: u64,
            /// Known sessions without a canonical orchestrator.
            unserved_sessions: u64,
            /// Known sessions for which no orchestrator was available.
            no_orch_sessions: u64,
            /// Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.
            slice_version: u64,
        }
    }
}

table! {
    /// How well sessions could be attributed, in the hour they started in: one row per status, source and
    /// reason of the known sessions that selected somebody.
    pub struct AttributionHour<'a> = "agg_attribution_1h" {
        replacing: (slice_version),
        partition: "toYYYYMM(window_start)",
        order: [org, window_start, attribution_status, attribution_source, attribution_reason],
        ttl: "toDate(window_start)" + 400 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Start of the hour, UTC, gateway clock.
            window_start: Timestamp,
            /// `resolved`, `hardware_less`, `stale`, `ambiguous` or `unresolved`.
            attribution_status: &'a str [low],
            /// `direct`, `mapped_window` or `unattributed`.
            attribution_source: &'a str [low],
            /// Why the decision came out so.
            attribution_reason: &'a str [low],
            /// Known sessions with at least one selection.
            sessions_count: u64,
            /// Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.
            slice_version: u64,
        }
    }
}

table! {
    /// What was usual on a day: one row per pipeline and model, over all organisations.
    ///
    /// Basis of the quality shadow (backlog 026). A day can no longer change when its hours are final.
    pub struct QualityBenchmark<'a> = "agg_quality_benchmark_1d" {
        replacing: (slice_version),
        partition: "toYYYYMM(window_start)",
        order: [org, window_start, pipeline_id, model_id],
        ttl: "toDate(window_start)" + 400 days,
        bloom: [],
        columns: {
            /// '': the benchmark is over all organisations.
            org: &'a str [low],
            /// Start of the day, UTC.
            window_start: Timestamp,
            /// Workflow class; never empty.
            pipeline_id: &'a str [low],
            /// Model label as advertised; '' when unknown.
            model_id: &'a str [low],
            /// Percentile 50 of the hourly rows' mean prompt to first frame, ms, units of 0.000001; NULL
            /// without rows.
            ptff_p50: Option<u64>,
            /// Percentile 90 of the hourly rows' mean prompt to first frame, ms, units of 0.000001; NULL
            /// without rows.
            ptff_p90: Option<u64>,
            /// Hourly rows that have that mean.
            ptff_row_count: u64,
            /// Percentile 50 of the hourly rows' mean end-to-end latency, ms, units of 0.000001; NULL
            /// without rows.
            e2e_p50: Option<u64>,
            /// Percentile 90 of the hourly rows' mean end-to-end latency, ms, units of 0.000001; NULL
            /// without rows.
            e2e_p90: Option<u64>,
            /// Hourly rows that have that mean.
            e2e_row_count: u64,
            /// Percentile 10 of the hourly rows' mean output frames per second, units of 0.000001; NULL
            /// without rows.
            fps_p10: Option<u64>,
            /// Percentile 50 of the hourly rows' mean output frames per second, units of 0.000001; NULL
            /// without rows.
            fps_p50: Option<u64>,
            /// Hourly rows that have that mean.
            fps_row_count: u64,
            /// Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.
            slice_version: u64,
        }
    }
}
