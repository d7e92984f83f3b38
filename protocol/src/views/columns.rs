//! Columns that several views have.

use super::{F64, LOW, NF64, NLOW, NTEXT, TEXT, TS, U64, ViewColumn, column};

/// The organisation.
pub(super) const ORG: ViewColumn = column("org", LOW, "Organisation, from the source topic.");
/// The gateway.
pub(super) const GATEWAY: ViewColumn = column("gateway", LOW, "Gateway; '' when unknown.");
/// The orchestrator, where every row has one.
pub(super) const ORCHESTRATOR: ViewColumn =
    column("orchestrator_address", TEXT, "Canonical orchestrator wallet, lower case; never empty.");
/// The orchestrator of sessions.
pub(super) const SERVED_BY: ViewColumn = column(
    "orchestrator_address",
    TEXT,
    "Canonical orchestrator wallet, lower case; '' for sessions that were not served.",
);
/// The model.
pub(super) const MODEL: ViewColumn =
    column("model_id", NLOW, "Model label as advertised; NULL when unknown.");
/// The GPU.
pub(super) const GPU: ViewColumn =
    column("gpu_id", NTEXT, "GPU uuid; NULL when unknown or when several GPUs fit.");
/// The region.
pub(super) const REGION: ViewColumn =
    column("region", NLOW, "Region; NULL as long as no producer sends one.");
/// Startups that did not fail without an excuse.
pub(super) const STARTUP_SUCCESS_RATE: ViewColumn =
    column("startup_success_rate", NF64, "1 - unexcused / known, 0 to 1; NULL when none is known.");
/// Startups that became playable.
pub(super) const STARTUP_PLAYABLE_RATE: ViewColumn =
    column("startup_playable_rate", NF64, "Success / known, 0 to 1; NULL when none is known.");

/// Organisation and hour.
pub(super) const ORG_HOUR: &[ViewColumn] = &[
    ORG,
    column(
        "window_start",
        TS,
        "Start of the hour, UTC, gateway clock: of the status evidence unless the view says otherwise.",
    ),
];

/// Counts of known sessions.
pub(super) const COUNTERS: &[ViewColumn] = &[
    column(
        "known_sessions_count",
        U64,
        "Sessions with a request trace; sum over rows of the view's own anchor.",
    ),
    column(
        "startup_success_sessions",
        U64,
        "Known sessions that became playable; at most the known ones.",
    ),
    column("startup_excused_sessions", U64, "Known sessions that did not start and are excused."),
    column(
        "startup_unexcused_sessions",
        U64,
        "Known sessions that did not start and are not excused; success + excused + unexcused = known.",
    ),
    column("confirmed_swapped_sessions", U64, "Known sessions with an explicit swap trace."),
    column(
        "inferred_swap_sessions",
        U64,
        "Known sessions with more than one canonical orchestrator.",
    ),
    column(
        "total_swapped_sessions",
        U64,
        "Known sessions with either: a union, at most the sum of both.",
    ),
    column("sessions_with_errors", U64, "Known sessions with an error event."),
    column(
        "sessions_ending_in_error",
        U64,
        "Known sessions with an error text in any status sample, whenever it was.",
    ),
    column(
        "loading_only_sessions",
        U64,
        "Known sessions with status samples that were all `LOADING`.",
    ),
    column(
        "zero_output_fps_sessions",
        U64,
        "Known sessions with status samples of which none had output frames.",
    ),
    column(
        "output_failed_sessions",
        U64,
        "Known sessions that are loading-only or without output: a union.",
    ),
    column(
        "effective_failed_sessions",
        U64,
        "Known sessions that are unexcused, loading-only or without output: a union.",
    ),
    column(
        "error_status_samples",
        U64,
        "Status samples with an error text over the whole life of the known sessions.",
    ),
    column("health_signal_count", U64, "Health signals seen of the known sessions, up to 3 each."),
    column(
        "health_expected_signal_count",
        U64,
        "Health signals expected of the known sessions, 3 each.",
    ),
    column(
        "health_signal_coverage_ratio",
        F64,
        "Seen over expected health signals, 0 to 1; 1 when none is expected.",
    ),
];

/// Output frames.
pub(super) const FRAMES: &[ViewColumn] = &[
    column("status_samples", U64, "Status samples."),
    column(
        "output_fps_sum",
        U64,
        "Sum of output frames per second over the samples, units of 0.000001.",
    ),
    column(
        "output_fps_sumsq",
        U64,
        "Sum of their squares, units of 0.000001: variance = sumsq / n - mean squared.",
    ),
    column(
        "avg_output_fps",
        NF64,
        "Mean output frames per second, samples of zero included; NULL without samples.",
    ),
];

/// State of the slice.
pub(super) const PUBLISHED: &[ViewColumn] = &[
    column(
        "window_state",
        LOW,
        "`provisional` until 10 min after the hour, `settled` until 48 h after it and until every session in it is closed or silent for 48 h, then `final`; by the store's clock.",
    ),
    column("revision", U64, "Changes after settling, summed where a row covers several hours."),
];
