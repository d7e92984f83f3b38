//! Feeds beside the sessions: transport legs, payments, inventory (contract backlog 001, 006, 007; decisions, "payments").

use super::columns::{GATEWAY, GPU, ORG, PUBLISHED, REGION};
use super::{
    LOW, NF64, NI64, NLOW, NTEXT, NTS, NU64, TEXT, TS, U64, ViewColumn, ViewSpec, column, view,
};

/// Organisation and hour.
const WINDOW: &[ViewColumn] =
    &[ORG, column("window_start", TS, "Start of the hour, UTC, clock of the gateway.")];

/// When it was computed.
const REFRESHED: &[ViewColumn] =
    &[column("refreshed_at", TS, "When the hour was computed last, UTC, node clock.")];

/// Bandwidth.
const TRANSPORT: &[ViewColumn] = &[
    column(
        "link_type",
        LOW,
        "`gateway_to_orchestrator` or `orchestrator_to_worker`; never the client leg.",
    ),
    column(
        "orchestrator_address",
        TEXT,
        "Canonical orchestrator wallet, lower case; '' for samples that are not attributed.",
    ),
    GATEWAY,
    column("pipeline_id", LOW, "Workflow class; '' when unknown."),
    column("model_id", NLOW, "Model label; NULL when unknown."),
    GPU,
    REGION,
    column(
        "down_mbps_avg",
        NF64,
        "Mean bandwidth that a session used to the orchestrator, Mbit/s: bytes of rated intervals by their time; NULL without any.",
    ),
    column(
        "up_mbps_avg",
        NF64,
        "Mean bandwidth that a session used from the orchestrator, Mbit/s: bytes of rated intervals by their time; NULL without any.",
    ),
    column(
        "down_mbps_p95",
        NF64,
        "95th of 100 session minutes, to the orchestrator, Mbit/s: begin of its log bucket, within 1/32 of the value; NULL without any. Not to be aggregated.",
    ),
    column(
        "up_mbps_p95",
        NF64,
        "95th of 100 session minutes, from the orchestrator, Mbit/s: begin of its log bucket, within 1/32 of the value; NULL without any. Not to be aggregated.",
    ),
    column(
        "down_mbps_total",
        NF64,
        "Load of the hour to the orchestrator, Mbit/s: all bytes by 3,600 s; NULL without samples.",
    ),
    column(
        "up_mbps_total",
        NF64,
        "Load of the hour from the orchestrator, Mbit/s: all bytes by 3,600 s; NULL without samples.",
    ),
    column("sessions", U64, "Distinct sessions with bytes or time in the hour."),
    column("samples", U64, "Samples that end in the hour."),
    column("rx_bytes", U64, "Bytes to the orchestrator; all samples together have exactly these."),
    column("tx_bytes", U64, "Bytes from the orchestrator."),
    column("observed_ms", U64, "Time of intervals that carry rates, ms."),
    column("expected_ms", U64, "Time in which segments of sessions with this identity ran, ms."),
    column(
        "coverage_ratio",
        NF64,
        "Observed over expected time, 0 to 1; NULL where nothing was expected.",
    ),
    column(
        "dropped_segment_ratio",
        NF64,
        "Segments never sent over all, 0 to 1; NULL without any.",
    ),
    column(
        "telemetry_status",
        LOW,
        "`ok` from a coverage of 0.8 on, `partial` below, `no_telemetry` without any sample.",
    ),
];

/// Client leg.
const INGEST: &[ViewColumn] = &[
    column("gateway", LOW, "Gateway of the session; '' when unknown."),
    column("pipeline_id", LOW, "Workflow class of the session; '' when unknown."),
    column("model_id", NLOW, "Model label of the session; NULL when unknown."),
    REGION,
    column("ingest_sessions", U64, "Distinct sessions with a sample."),
    column("samples", U64, "Samples."),
    column("bytes_received", NU64, "Bytes from clients; NULL without samples."),
    column("bytes_sent", NU64, "Bytes to clients, on WHIP mostly feedback; NULL without samples."),
    column(
        "ingest_rx_kbps_avg",
        NF64,
        "Mean rate from a client, kbit/s: bytes of rated intervals by their time; NULL without any.",
    ),
    column(
        "ingest_tx_kbps_avg",
        NF64,
        "Mean rate to a client, kbit/s: bytes of rated intervals by their time; NULL without any.",
    ),
    column("video_jitter_ms_avg", NF64, "Mean video jitter, ms; NULL without measurement."),
    column(
        "video_jitter_ms_p95",
        NF64,
        "95th of 100 video jitters, ms: begin of its log bucket, within 1/32 of the value; NULL without measurement. Not to be aggregated.",
    ),
    column("audio_jitter_ms_avg", NF64, "Mean audio jitter, ms; NULL without measurement."),
    column(
        "audio_jitter_ms_p95",
        NF64,
        "95th of 100 audio jitters, ms: begin of its log bucket, within 1/32 of the value; NULL without measurement. Not to be aggregated.",
    ),
    column("rtt_ms_avg", NF64, "Mean round trip of video and audio, ms; NULL without measurement."),
    column(
        "rtt_ms_p95",
        NF64,
        "95th of 100 round trips, ms: begin of its log bucket, within 1/32 of the value; NULL without measurement. Not to be aggregated.",
    ),
    column(
        "video_loss_ratio",
        NF64,
        "Video packets lost over lost and received, 0 to 1; NULL without packets.",
    ),
    column(
        "audio_loss_ratio",
        NF64,
        "Audio packets lost over lost and received, 0 to 1; NULL without packets.",
    ),
    column(
        "media_latency_ms_avg",
        NF64,
        "Mean media latency of video and audio, client timeline, ms; NULL without measurement.",
    ),
    column(
        "media_latency_ms_p95",
        NF64,
        "95th of 100 media latencies, ms: begin of its log bucket, within 1/32 of the value; NULL without measurement. Not to be aggregated.",
    ),
    column(
        "bad_quality_ratio",
        NF64,
        "Samples of quality `bad` over all, 0 to 1; NULL without samples.",
    ),
    column(
        "ingest_coverage_ratio",
        NF64,
        "Known sessions with a sample over known sessions, 0 to 1; NULL when none is known. RTMP has no samples.",
    ),
    column("known_sessions", U64, "Known sessions that ran in the hour, with samples or without."),
    column("observed_ms", U64, "Time of intervals that carry rates, ms."),
    column("session_ms", U64, "Time that known sessions ran in the hour, ms."),
    column(
        "telemetry_status",
        LOW,
        "`ok` if half of the session time was observed, `partial` below, `no_telemetry` without any sample.",
    ),
];

/// GPU that is advertised.
const INVENTORY: &[ViewColumn] = &[
    ORG,
    column(
        "orchestrator_address",
        TEXT,
        "Canonical orchestrator wallet, lower case; '' when unknown.",
    ),
    column("orchestrator_proxy_address", TEXT, "Hot wallet, lower case; '' when unknown."),
    column("orchestrator_url", TEXT, "Service URI, verbatim; '' when unknown."),
    column("gpu_id", TEXT, "GPU uuid, trimmed and lower case; never empty."),
    column("gpu_model_name", LOW, "GPU product name; '' when unknown."),
    column("gpu_memory_bytes_total", NU64, "GPU memory, bytes; NULL when unknown."),
    column("gpu_memory_bytes_free", NU64, "Free GPU memory when polled, bytes; NULL when unknown."),
    column("compute_capability", NTEXT, "Compute capability, `major.minor`; NULL when unknown."),
    column(
        "runner_version",
        LOW,
        "Version of the runner, the first one that is known; '' when unknown.",
    ),
    column(
        "pipelines",
        "Array(String)",
        "Workflow classes that the GPU serves, sorted and distinct.",
    ),
    column("model_ids", "Array(String)", "Models that the GPU serves, sorted and distinct."),
    column(
        "capability_ids",
        "Array(Int32)",
        "Catalogue ids of their capabilities, sorted and distinct.",
    ),
    column("capacity", NI64, "Most slots of one of its models, a label; NULL when unknown."),
    column(
        "capacity_in_use",
        NI64,
        "Most busy slots of one of its models, a label; NULL when unknown.",
    ),
    column("warm", "Nullable(UInt8)", "1 when any of its models is loaded; NULL when unknown."),
    column(
        "price_per_unit",
        NI64,
        "Price of the first of its models by name that has one, wei per `pixels_per_unit` pixels; NULL when unknown.",
    ),
    column("pixels_per_unit", NI64, "Pixels that the price is for; NULL when unknown."),
    column("orchestrator_version", LOW, "Version of the orchestrator; '' when unknown."),
    column("sku_fingerprint", TEXT, "URL, GPU product and memory: stable where GPU uuids change."),
    column(
        "first_seen_ts",
        NTS,
        "First advertisement of the GPU by the node, UTC, gateway clock; NULL when not known.",
    ),
    column("last_seen_ts", TS, "Last advertisement, UTC, gateway clock."),
    column("age_seconds", "UInt32", "Seconds since the last advertisement, store clock."),
    column("is_fresh", "UInt8", "1 when advertised within 30 minutes."),
    column("source_event_uid", TEXT, "Uid of the capability event; never empty."),
];

/// Payment.
const PAYMENT: &[ViewColumn] = &[
    ORG,
    column("payment_ts", TS, "Envelope time, UTC, gateway clock."),
    column("workflow_session_id", TEXT, "Session that was paid for; '' when not linked."),
    column(
        "link_method",
        TEXT,
        "How the session was found: `request_id`, `session_id_heuristic` or `none`.",
    ),
    column("request_id", TEXT, "Request id, only on the first payment of a stream; '' otherwise."),
    column(
        "session_id",
        TEXT,
        "Auth-token session at the orchestrator, not a stream session; '' when absent.",
    ),
    column("manifest_id", TEXT, "Manifest id as sent; '' when absent."),
    column("gateway", LOW, "Gateway of the signal; '' when unknown."),
    column("sender", TEXT, "Payer wallet of the gateway, normalised; '' when unknown."),
    column("recipient", TEXT, "Canonical orchestrator wallet, normalised; '' when unknown."),
    column("orchestrator_url", TEXT, "Service URI of the orchestrator, verbatim; '' when unknown."),
    column(
        "pipeline",
        TEXT,
        "Workflow class of the linked session, else of the model; '' when unknown.",
    ),
    column(
        "model_id",
        TEXT,
        "Model label of the linked session, else of the manifest; '' when unknown.",
    ),
    column("face_value_wei", "UInt256", "Face value of one ticket, wei."),
    column("num_tickets", "UInt32", "Number of tickets."),
    column("win_prob", "Decimal(18, 10)", "Winning probability of one ticket, 0 to 1."),
    column(
        "expected_value_wei",
        "Decimal(76, 10)",
        "Face value times probability times tickets, wei.",
    ),
    column("price_wei_per_pixel", "Decimal(38, 3)", "Price, wei per pixel."),
    column("face_value_text", TEXT, "Face value with its unit, verbatim."),
    column("source_event_uid", TEXT, "Uid of the event that this row is about; never empty."),
    column("version", U64, "Write version (epoch and sequence) of the payment."),
];

/// Bandwidth that sessions used between gateway and orchestrator, down (to it) and up (from it): one
/// row per hour and key. Not the capacity of links.
pub const TRANSPORT_BANDWIDTH: ViewSpec = view!(
    "v_api_transport_bandwidth",
    "Bandwidth that sessions used between gateway and orchestrator, down (to it) and up (from it): one row per hour and key. Not the capacity of links.",
    [
        "org",
        "window_start",
        "link_type",
        "orchestrator_address",
        "gateway",
        "pipeline_id",
        "model_id",
        "gpu_id",
        "region"
    ],
    "",
    [WINDOW, TRANSPORT, PUBLISHED, REFRESHED],
);

/// Quality between WHIP clients and gateway: one row per hour and key. Says nothing of orchestrators.
pub const INGEST_QUALITY: ViewSpec = view!(
    "v_api_ingest_quality",
    "Quality between WHIP clients and gateway: one row per hour and key. Says nothing of orchestrators.",
    ["org", "window_start", "gateway", "pipeline_id", "model_id", "region"],
    "",
    [WINDOW, INGEST, PUBLISHED, REFRESHED],
);

/// GPUs advertised now: one row per node and GPU of the newest event of its URL, up to 24 hours old.
/// Advertised, not used.
pub const GPU_INVENTORY_CURRENT: ViewSpec = view!(
    "v_api_gpu_inventory_current",
    "GPUs advertised now: one row per node and GPU of the newest event of its URL, up to 24 hours old. Advertised, not used.",
    ["org", "orchestrator_address", "orchestrator_url", "gpu_id"],
    "",
    [INVENTORY],
);

/// Payment tickets in wei with the session they were for: one row per payment event.
pub const PAYMENT_EVENTS: ViewSpec = view!(
    "fact_payment_events",
    "Payment tickets in wei with the session they were for: one row per payment event.",
    ["org", "payment_ts", "source_event_uid"],
    "",
    [PAYMENT],
);
