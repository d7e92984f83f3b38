//! Starts, attribution, identity and freshness (contract tables.md 3.5, 11 D13, backlog 023).

use super::columns::{
    GATEWAY, MODEL, ORG, ORG_HOUR, PUBLISHED, REGION, SERVED_BY, STARTUP_PLAYABLE_RATE,
    STARTUP_SUCCESS_RATE,
};
use super::{F64, LOW, NF64, NTS, TEXT, TS, U64, ViewColumn, ViewSpec, column, view};

/// Outcomes of starts.
const STARTUP: &[ViewColumn] = &[
    GATEWAY,
    SERVED_BY,
    column("pipeline_id", LOW, "Workflow class; '' when unknown."),
    MODEL,
    REGION,
    column("known_sessions_count", U64, "Known sessions that started in the hour, each once."),
    column("startup_success_sessions", U64, "Of them, those that became playable."),
    column("startup_excused_sessions", U64, "Of them, those that did not start and are excused."),
    column(
        "startup_unexcused_sessions",
        U64,
        "Of them, those that did not start and are not excused.",
    ),
    column("unserved_sessions", U64, "Of them, those without a canonical orchestrator."),
    column("no_orch_sessions", U64, "Of them, those for which no orchestrator was available."),
    STARTUP_SUCCESS_RATE,
    STARTUP_PLAYABLE_RATE,
];

/// Shares of attribution.
const ATTRIBUTION: &[ViewColumn] = &[
    column(
        "selected_sessions",
        U64,
        "Known sessions that started in the hour and selected somebody.",
    ),
    column("resolved_sessions", U64, "Of them, those resolved with hardware."),
    column("hardware_less_sessions", U64, "Of them, those resolved without a GPU."),
    column(
        "stale_sessions",
        U64,
        "Of them, those resolved by an advertisement outside the direct window.",
    ),
    column("ambiguous_sessions", U64, "Of them, those that several nodes fit."),
    column("unresolved_sessions", U64, "Of them, those that no node fits."),
    column(
        "direct_sessions",
        U64,
        "Of them, those in gold: an advertisement inside the direct window.",
    ),
    column("mapped_window_sessions", U64, "Of them, those with one within 24 h."),
    column("unattributed_sessions", U64, "Of them, those without one."),
    column(
        "unattributed_rate",
        F64,
        "Unattributed / selected, 0 to 1; WARN above 0.1, FAIL above 0.25 (A1).",
    ),
    column(
        "mapped_window_rate",
        NF64,
        "Mapped window / attributed, which is direct or mapped window, 0 to 1; NULL when none is attributed; judge it on settled hours (A2).",
    ),
    column("reasons", "Map(String, UInt64)", "Sessions by attribution reason."),
    column("window_state", LOW, "`provisional`, `settled` or `final`, by the store's clock."),
];

/// Session.
const SESSION: &[ViewColumn] = &[
    ORG,
    column("workflow_session_id", TEXT, "Canonical session key."),
    column(
        "orchestrator_address",
        TEXT,
        "Canonical orchestrator wallet of the last resolved selection; '' until attributed.",
    ),
    column("stream_id", TEXT, "Stream id; '' when unknown."),
    column("request_id", TEXT, "Request id; '' when unknown."),
    column(
        "session_start_ts",
        TS,
        "First signal or accepted start time, UTC, gateway clock; can move earlier.",
    ),
    column(
        "session_end_ts",
        NTS,
        "Last signal so far, UTC, gateway clock: last seen, not closed; NULL before any.",
    ),
    column("latest_version", U64, "Version of the row."),
];

/// Freshness.
const FRESHNESS: &[ViewColumn] = &[
    column("org", LOW, "Organisation, from the source topic; '' for a relation over all of them."),
    column("table_name", TEXT, "Fact table or published relation."),
    column(
        "max_event_ts",
        TS,
        "Newest event time in it; of a published relation, its newest slice.",
    ),
    column("checked_at", TS, "When it was asked, UTC, store clock."),
    column("lag_minutes", "Int64", "Whole minutes between them."),
    column(
        "refreshed_at",
        NTS,
        "When a slice of a published relation was computed last, UTC, node clock; NULL for facts.",
    ),
];

/// How sessions started, status evidence or not: one row per hour of the start, gateway,
/// orchestrator, pipeline, model and region. Every known session counts once, so rows may be
/// summed.
pub const STARTUP_RELIABILITY: ViewSpec = view!(
    "v_api_startup_reliability",
    "How sessions started, status evidence or not: one row per hour of the start, gateway, orchestrator, pipeline, model and region. Every known session counts once, so rows may be summed.",
    ["org", "window_start", "gateway", "orchestrator_address", "pipeline_id", "model_id", "region"],
    "",
    [ORG_HOUR, STARTUP, PUBLISHED],
);

/// How well sessions could be attributed: one row per organisation and hour of the start.
pub const ATTRIBUTION_QUALITY: ViewSpec = view!(
    "v_attribution_quality",
    "How well sessions could be attributed: one row per organisation and hour of the start.",
    ["org", "window_start"],
    "",
    [ORG_HOUR, ATTRIBUTION],
);

/// Which session is which: one row per session. Ask it by organisation and session.
pub const SESSION_IDENTITY: ViewSpec = view!(
    "v_api_session_identity",
    "Which session is which: one row per session. Ask it by organisation and session.",
    ["org", "workflow_session_id"],
    "",
    [SESSION],
);

/// How old the newest rows are: one row per organisation and relation.
pub const HEALTH_ROLLUP_FRESHNESS: ViewSpec = view!(
    "v_health_rollup_freshness",
    "How old the newest rows are: one row per organisation and relation.",
    ["org", "table_name"],
    "",
    [FRESHNESS],
);
