//! How orchestrators served: GPU metrics, compliance, and the quality shadow (contract tables.md 3.1,
//! 3.4, 3.5, 7.2, backlog 003, 008, 026).

use super::columns::{
    COUNTERS, FRAMES, GPU, MODEL, ORCHESTRATOR, ORG, ORG_HOUR, PUBLISHED, REGION,
    STARTUP_PLAYABLE_RATE,
};
use super::{F64, LOW, NF64, NLOW, NTEXT, NTS, TS, U64, ViewColumn, ViewSpec, column, view};

/// Who served.
const IDENTITY: &[ViewColumn] = &[
    ORCHESTRATOR,
    column(
        "pipeline_id",
        LOW,
        "Workflow class such as `live-video-to-video`; '' when unknown, never equal to `model_id`.",
    ),
    MODEL,
    GPU,
    REGION,
];

/// Ratios and score of `sla-v1`.
const SLA_RATES: &[ViewColumn] = &[
    column(
        "startup_success_rate",
        NF64,
        "1 - unexcused / known, 0 to 1: excused failures count as success; NULL when none is known.",
    ),
    STARTUP_PLAYABLE_RATE,
    column(
        "effective_success_rate",
        NF64,
        "1 - effective failed / known, 0 to 1, at most `startup_success_rate`; NULL when none is known.",
    ),
    column("no_swap_rate", NF64, "1 - total swapped / known, 0 to 1; NULL when none is known."),
    column(
        "output_viability_rate",
        NF64,
        "1 - output failed / known, 0 to 1; NULL when none is known.",
    ),
    column(
        "sla_score",
        NF64,
        "100 x health coverage x (0.4 startup success + 0.2 no swap + 0.4 viability), 0 to 100, not rounded; NULL when none is known. Never average it: sum the counts and compute it again.",
    ),
    column(
        "sla_validity",
        LOW,
        "`no_demand` (none known), `low_sample` (known below 5 or status samples below 30), `low_coverage` (health below 0.6), else `valid`. Rank and alert on `valid` rows only.",
    ),
    column(
        "sla_class",
        NLOW,
        "`compliant` from 95 on, `at_risk` from 90 on, `breach` below, by the score to nine decimals; NULL unless `valid`.",
    ),
    column(
        "sla_semantics_version",
        LOW,
        "Version of formulas, membership and thresholds: `sla-v1`.",
    ),
];

/// Membership.
const SESSION_HOURS: &[ViewColumn] = &[
    column(
        "sessions_count",
        U64,
        "Distinct sessions with evidence in the hour, known or not; not to be summed over hours.",
    ),
    column(
        "session_starts",
        U64,
        "Known sessions whose first evidence hour and identity this is: their sum over any rows counts no session twice.",
    ),
];

/// Latencies of edges v2, once per session.
const LATENCY: &[ViewColumn] = &[
    column(
        "avg_prompt_to_first_frame_ms",
        NF64,
        "Mean latency from prompt to playable, ms; each session counts in its first evidence hour; NULL without one.",
    ),
    column(
        "p95_prompt_to_first_frame_latency_ms",
        "Nullable(Float32)",
        "95th of 100 of them, ms: begin of its log bucket, exact below 32 ms, within 1/32 of the value above; NULL without one. Not to be aggregated.",
    ),
    column("prompt_to_first_frame_sample_count", U64, "Sessions that have it."),
    column(
        "avg_startup_latency_ms",
        NF64,
        "Mean latency from request to first processed segment, ms; each session counts in its first evidence hour; NULL without one.",
    ),
    column(
        "p95_startup_latency_ms",
        "Nullable(Float32)",
        "95th of 100 of them, ms: begin of its log bucket, exact below 32 ms, within 1/32 of the value above; NULL without one. Not to be aggregated.",
    ),
    column("startup_latency_sample_count", U64, "Sessions that have it."),
    column(
        "avg_e2e_latency_ms",
        NF64,
        "Mean latency from first ingest segment sent to first output relayed, ms; each session counts in its first evidence hour; NULL without one.",
    ),
    column(
        "p95_e2e_latency_ms",
        "Nullable(Float32)",
        "95th of 100 of them, ms: begin of its log bucket, exact below 32 ms, within 1/32 of the value above; NULL without one. Not to be aggregated.",
    ),
    column("e2e_latency_sample_count", U64, "Sessions that have it."),
];

/// Distribution of output frames.
const GPU_FRAMES: &[ViewColumn] = &[
    column(
        "p95_output_fps",
        "Nullable(Float32)",
        "95th of 100 output frames per second: begin of its log bucket, within 1/32 of the value; NULL without samples. Not to be aggregated.",
    ),
    column(
        "fps_jitter_coefficient",
        NF64,
        "Population standard deviation of output frames over their mean; NULL without samples or at mean 0.",
    ),
    column(
        "active_ms",
        U64,
        "Active time, ms: from each sample to the session's next one, at most 30 s and not beyond the hour.",
    ),
];

/// Rates.
const GPU_RATES: &[ViewColumn] = &[
    column("startup_unexcused_rate", NF64, "Unexcused / known, 0 to 1; NULL when none is known."),
    column("swap_rate", NF64, "Total swapped / known, 0 to 1; NULL when none is known."),
];

/// Transport between gateways and the orchestrator, of the same key.
const BANDWIDTH: &[ViewColumn] = &[
    column(
        "up_mbps_avg",
        NF64,
        "Mean bandwidth that a session used from the orchestrator, Mbit/s, media over all gateways: bytes of rated intervals by their time; NULL without any. Used, not the capacity of a link.",
    ),
    column(
        "down_mbps_avg",
        NF64,
        "Mean bandwidth that a session used to the orchestrator, Mbit/s, media over all gateways: bytes of rated intervals by their time; NULL without any. Used, not the capacity of a link.",
    ),
    column(
        "bandwidth_status",
        LOW,
        "`ok` when rated intervals cover 0.8 of the time that segments ran, `partial` below, `no_telemetry` without any sample; never of the client leg.",
    ),
];

/// What the GPU was advertised as.
const LABELS: &[ViewColumn] = &[
    column(
        "gpu_model_name",
        NLOW,
        "GPU product name in the newest advertisement up to the end of the hour, at most 24 h old; NULL without one.",
    ),
    column(
        "gpu_memory_bytes_total",
        "Nullable(UInt64)",
        "GPU memory in it, bytes; NULL without one.",
    ),
    column("runner_version", NLOW, "Version of the runner in it; NULL when unknown."),
    column("cuda_version", NLOW, "Compute capability in it, `major.minor`; NULL when unknown."),
];

/// What the node offered.
const ENRICHED: &[ViewColumn] = &[
    column("orchestrator_url", NTEXT, "Service URI in the advertisement; NULL without one."),
    column("orchestrator_version", NLOW, "Version of the orchestrator in it; NULL when unknown."),
    column(
        "gpu_memory_bytes_free",
        "Nullable(UInt64)",
        "Free GPU memory in it, bytes; NULL without one.",
    ),
    column(
        "capacity",
        "Nullable(Int64)",
        "Slots of the model in it; NULL without one. Not to be summed over GPUs.",
    ),
    column(
        "capacity_in_use",
        "Nullable(Int64)",
        "Busy slots of the model in it; NULL without one.",
    ),
    column("warm", "Nullable(UInt8)", "1 when the model was loaded; NULL without one."),
    column(
        "price_per_unit",
        "Nullable(Int64)",
        "Price in it, wei per `pixels_per_unit` pixels; NULL without one.",
    ),
    column("pixels_per_unit", "Nullable(Int64)", "Pixels that the price is for; NULL without one."),
    column(
        "metadata_snapshot_ts",
        NTS,
        "Time of the advertisement, UTC, gateway clock; NULL without one.",
    ),
    column(
        "metadata_age_seconds",
        "Nullable(UInt32)",
        "From it to the end of the hour, seconds, at most 24 h; NULL without one.",
    ),
    column(
        "advertised_capacity_minutes",
        NF64,
        "60 x capacity, minutes; NULL without one. Once per orchestrator, model and hour, not to be summed over GPUs.",
    ),
    column(
        "sla_score",
        NF64,
        "Score of the same hour and identity (`v_api_sla_compliance`); NULL when none is known.",
    ),
    column("effective_success_rate", NF64, "Of the same row; NULL when none is known."),
    column("no_swap_rate", NF64, "Of the same row; NULL when none is known."),
    column("sla_semantics_version", LOW, "Version of the score: `sla-v1`."),
];

/// Day.
const DAY: &[ViewColumn] =
    &[ORG, column("window_start", TS, "Start of the day, UTC, gateway clock.")];

/// Membership of a day.
const DAY_MEMBERS: &[ViewColumn] = &[
    column("hours", U64, "Hours of the day with evidence."),
    column(
        "session_starts",
        U64,
        "Distinct known sessions whose first evidence is in the day with this identity.",
    ),
];

/// State of a day.
const DAY_STATE: &[ViewColumn] = &[column(
    "window_state",
    LOW,
    "`provisional` until 10 min after the day and as long as an hour of it is, `settled` until 48 h after it and as long as an hour of it is, then `final`; by the store's clock.",
)];

/// Quality benchmark.
const SHADOW: &[ViewColumn] = &[
    column("known_sessions_count", U64, "Sessions with a request trace."),
    column("status_samples", U64, "Status samples."),
    column(
        "prompt_to_first_frame_sample_count",
        U64,
        "Sessions with a latency from prompt to playable.",
    ),
    column("e2e_latency_sample_count", U64, "Sessions with an end-to-end latency."),
    column("health_signal_coverage_ratio", F64, "As in `v_api_sla_compliance`, 0 to 1."),
    column(
        "benchmark_date",
        "Date",
        "Day of the row; the benchmark is of the seven full days before it, over all organisations.",
    ),
    column("ptff_row_count", U64, "Hourly rows in the benchmark of prompt to first frame."),
    column("e2e_row_count", U64, "Hourly rows in the benchmark of end-to-end latency."),
    column("fps_row_count", U64, "Hourly rows in the benchmark of output frames."),
    column(
        "reliability_score",
        NF64,
        "0.4 success / known + 0.2 no swap + 0.4 viability, 0 to 1; NULL when none is known.",
    ),
    column(
        "ptff_score",
        F64,
        "1 up to the benchmark's p50, 0 from its p90 on, drawn to 0.5 by missing evidence (10 sessions); 0.5 without value or below 48 rows.",
    ),
    column("e2e_score", F64, "The same for end-to-end latency."),
    column("latency_score", F64, "0.6 ptff + 0.4 e2e, 0 to 1."),
    column(
        "fps_score",
        F64,
        "1 from the benchmark's p50 on, 0 up to its p10, drawn to 0.5 by missing evidence (30 samples); 0.5 without value or below 48 rows.",
    ),
    column("quality_score", F64, "0.6 latency + 0.4 fps, 0 to 1."),
    column("is_neutral", "UInt8", "1 when no part of the quality score rests on a benchmark."),
    column(
        "shadow_score",
        NF64,
        "100 x health coverage x (0.7 reliability + 0.3 quality), 0 to 100; NULL when none is known.",
    ),
    column("sla_score", NF64, "Score of `sla-v1` for comparison; NULL when none is known."),
    column("quality_semantics_version", LOW, "Version of these formulas: `quality-benchmark-v1`."),
];

/// Frames of five minutes.
const JITTER: &[ViewColumn] = &[
    ORG,
    column("window_start_5m", TS, "Start of the five minutes, UTC, gateway clock."),
    ORCHESTRATOR,
    column("pipeline", LOW, "Workflow class; '' when unknown."),
    MODEL,
    column("gpu_id", NTEXT, "GPU uuid; NULL when unknown."),
    REGION,
    column("avg_output_fps", F64, "Mean output frames per second."),
    column(
        "jitter_coeff_fps",
        NF64,
        "Population standard deviation over the mean; NULL at mean 0.",
    ),
    column("status_samples", U64, "Status samples, at least 5."),
];

/// How a GPU served in an hour: one row per orchestrator, pipeline, model, GPU and region with
/// gold-eligible status evidence, a known GPU, and a known pipeline or model. Sessions are counted
/// in every hour and identity with evidence.
pub const GPU_METRICS: ViewSpec = view!(
    "v_api_gpu_metrics",
    "How a GPU served in an hour: one row per orchestrator, pipeline, model, GPU and region with gold-eligible status evidence, a known GPU, and a known pipeline or model. Sessions are counted in every hour and identity with evidence.",
    ["org", "window_start", "orchestrator_address", "pipeline_id", "model_id", "gpu_id", "region"],
    "v2 edges",
    [
        ORG_HOUR,
        IDENTITY,
        LABELS,
        FRAMES.split_at(3).1,
        GPU_FRAMES,
        FRAMES.split_at(3).0,
        LATENCY,
        SESSION_HOURS,
        COUNTERS,
        GPU_RATES,
        BANDWIDTH,
        PUBLISHED
    ],
);

/// `v_api_gpu_metrics` with what the node offered at the end of the hour and the score of the same
/// row: one row per row of it.
pub const GPU_METRICS_ENRICHED: ViewSpec = view!(
    "v_api_gpu_metrics_enriched",
    "`v_api_gpu_metrics` with what the node offered at the end of the hour and the score of the same row: one row per row of it.",
    ["org", "window_start", "orchestrator_address", "pipeline_id", "model_id", "gpu_id", "region"],
    "v2 edges, sla-v1",
    [
        ORG_HOUR,
        IDENTITY,
        LABELS,
        FRAMES.split_at(3).1,
        GPU_FRAMES,
        FRAMES.split_at(3).0,
        LATENCY,
        SESSION_HOURS,
        COUNTERS,
        GPU_RATES,
        BANDWIDTH,
        ENRICHED,
        PUBLISHED
    ],
);

/// Whether an identity kept its promise in an hour: one row per orchestrator, pipeline, model, GPU
/// and region with gold-eligible status evidence. Sessions are counted in every hour and identity
/// with evidence.
pub const SLA_COMPLIANCE: ViewSpec = view!(
    "v_api_sla_compliance",
    "Whether an identity kept its promise in an hour: one row per orchestrator, pipeline, model, GPU and region with gold-eligible status evidence. Sessions are counted in every hour and identity with evidence.",
    ["org", "window_start", "orchestrator_address", "pipeline_id", "model_id", "gpu_id", "region"],
    "sla-v1",
    [ORG_HOUR, IDENTITY, SESSION_HOURS, COUNTERS, FRAMES, SLA_RATES, PUBLISHED],
);

/// `v_api_sla_compliance` rolled up to days by summing counts and computing ratios and score again:
/// one row per day and identity. Counts are session-hours.
pub const SLA_COMPLIANCE_1D: ViewSpec = view!(
    "v_api_sla_compliance_1d",
    "`v_api_sla_compliance` rolled up to days by summing counts and computing ratios and score again: one row per day and identity. Counts are session-hours.",
    ["org", "window_start", "orchestrator_address", "pipeline_id", "model_id", "gpu_id", "region"],
    "sla-v1",
    [
        DAY,
        IDENTITY,
        DAY_MEMBERS,
        COUNTERS,
        FRAMES.split_at(1).0,
        SLA_RATES,
        DAY_STATE,
        PUBLISHED.split_at(1).1
    ],
);

/// What the score would be with latency and frames in it: one row per row of
/// `v_api_sla_compliance`. Not for alerts, ranking or the public API.
pub const SLA_QUALITY_SHADOW: ViewSpec = view!(
    "v_api_sla_quality_shadow",
    "What the score would be with latency and frames in it: one row per row of `v_api_sla_compliance`. Not for alerts, ranking or the public API.",
    ["org", "window_start", "orchestrator_address", "pipeline_id", "model_id", "gpu_id", "region"],
    "quality-benchmark-v1",
    [ORG_HOUR, IDENTITY, SHADOW],
);

/// Steadiness of output in five minutes: one row per orchestrator, pipeline, model, GPU and region
/// with at least 5 gold-eligible status samples.
pub const JITTER_5M: ViewSpec = view!(
    "v_api_jitter_5m",
    "Steadiness of output in five minutes: one row per orchestrator, pipeline, model, GPU and region with at least 5 gold-eligible status samples.",
    ["org", "window_start_5m", "orchestrator_address", "pipeline", "model_id", "gpu_id", "region"],
    "",
    [JITTER],
);
