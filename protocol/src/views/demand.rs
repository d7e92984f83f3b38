//! Demand and who was served (contract tables.md 3.2, 3.3, 8, backlog 009).

use super::columns::{
    COUNTERS, FRAMES, GATEWAY, MODEL, ORG_HOUR, PUBLISHED, REGION, SERVED_BY,
    STARTUP_PLAYABLE_RATE, STARTUP_SUCCESS_RATE,
};
use super::{F64, LOW, NF64, NTEXT, U64, ViewColumn, ViewSpec, column, view};

/// Grain of demand.
const DEMAND_KEY: &[ViewColumn] = &[
    GATEWAY,
    column("region", LOW, "Region; '' as long as no producer sends one."),
    column(
        "pipeline_id",
        LOW,
        "Workflow class, else the only one of the sessions that started in the hour with this gateway, region and model; '' when unknown, never equal to `model_id`.",
    ),
];

/// Model of demand.
const DEMAND_MODEL: &[ViewColumn] =
    &[column("model_id", LOW, "Model label as advertised; '' when unknown.")];

/// Use.
const DEMAND_USE: &[ViewColumn] = &[
    column(
        "sessions_count",
        U64,
        "Distinct sessions with attributed status samples in the hour, exact; not to be summed.",
    ),
    column(
        "total_minutes",
        F64,
        "Active time in the hour, minutes: from each sample to the session's next one, at most 30 s; not below 0.",
    ),
];

/// Who was served, by the hour in which sessions started.
const DEMAND_SERVED: &[ViewColumn] = &[
    column(
        "served_sessions",
        U64,
        "Known sessions with a canonical orchestrator, however it was found.",
    ),
    column("unserved_sessions", U64, "Known sessions without one."),
    column("total_demand_sessions", U64, "Served + unserved = known."),
    column(
        "unattributed_sessions",
        U64,
        "Known sessions that selected somebody who could not be resolved; part of the unserved.",
    ),
    column("no_orch_sessions", U64, "Known sessions for which no orchestrator was available."),
];

/// Ratios of demand.
const DEMAND_RATES: &[ViewColumn] = &[
    STARTUP_SUCCESS_RATE,
    STARTUP_PLAYABLE_RATE,
    column(
        "effective_success_rate",
        NF64,
        "1 - effective failed / known, 0 to 1; NULL when none is known.",
    ),
    column(
        "unserved_rate",
        NF64,
        "Unserved / known, 0 to 1; NULL when none is known. It does not enter the other rates.",
    ),
];

/// Payments of the hour.
const FEES: &[ViewColumn] = &[
    column("payments_count", U64, "Payment events."),
    column("ticket_count", U64, "Tickets in them."),
    column("ticket_face_value_eth", F64, "Sum of the face values of the payment events, ETH."),
    column(
        "ticket_expected_value_eth",
        F64,
        "Sum of face value times probability times tickets, ETH.",
    ),
];

/// Grain of demand by GPU.
const BY_GPU_KEY: &[ViewColumn] = &[
    GATEWAY,
    SERVED_BY,
    REGION,
    column("pipeline_id", LOW, "As in `v_api_network_demand`."),
    MODEL,
    column(
        "gpu_id",
        NTEXT,
        "GPU uuid, else that of the session with this key that started last among those with one; NULL when unknown.",
    ),
    column(
        "gpu_model_name",
        LOW,
        "GPU product name in the newest advertisement up to the end of the hour, at most 24 h old; `unknown` without one.",
    ),
    column(
        "gpu_identity_status",
        LOW,
        "`resolved` when all that counts here names the GPU itself, else `hardware_unresolved`.",
    ),
];

/// Use and capacity.
const BY_GPU_USE: &[ViewColumn] = &[
    column(
        "sessions_count",
        U64,
        "Distinct sessions with attributed status samples in the hour, exact; not to be summed.",
    ),
    column(
        "used_inference_minutes",
        F64,
        "Active time in the hour, minutes: from each sample to the session's next one, at most 30 s; not below 0.",
    ),
    column(
        "advertised_capacity_minutes",
        F64,
        "60 x slots of orchestrator and model in their newest advertisement up to the end of the hour, minutes; 0 when unknown. The same in each GPU's row: take it once.",
    ),
    column(
        "advertised_capacity_utilization_rate",
        NF64,
        "Used over advertised minutes; NULL when none is advertised.",
    ),
];

/// Demand and who was served: one row per hour, gateway, region, pipeline and model. Use counts in
/// the hour of the evidence, sessions in the hour they started in, payments in theirs.
pub const NETWORK_DEMAND: ViewSpec = view!(
    "v_api_network_demand",
    "Demand and who was served: one row per hour, gateway, region, pipeline and model. Use counts in the hour of the evidence, sessions in the hour they started in, payments in theirs.",
    ["org", "window_start", "gateway", "region", "pipeline_id", "model_id"],
    "",
    [
        ORG_HOUR,
        DEMAND_KEY,
        DEMAND_MODEL,
        DEMAND_USE,
        FRAMES,
        DEMAND_SERVED,
        COUNTERS,
        DEMAND_RATES,
        FEES,
        PUBLISHED
    ],
);

/// `v_api_network_demand` for readers of the older grain without model: one row per hour, gateway,
/// region and pipeline, sessions counted once. Deprecated since 2026-11-23, to be removed on
/// 2027-05-31: read `v_api_network_demand`.
pub const NETWORK_DEMAND_PIPELINE: ViewSpec = view!(
    "v_api_network_demand_pipeline",
    "`v_api_network_demand` for readers of the older grain without model: one row per hour, gateway, region and pipeline, sessions counted once. Deprecated since 2026-11-23, to be removed on 2027-05-31: read `v_api_network_demand`.",
    ["org", "window_start", "gateway", "region", "pipeline_id"],
    "",
    [
        ORG_HOUR,
        DEMAND_KEY,
        DEMAND_USE,
        FRAMES,
        DEMAND_SERVED,
        COUNTERS,
        DEMAND_RATES,
        FEES,
        PUBLISHED
    ],
);

/// Demand by who served it: one row per hour, gateway, orchestrator, region, pipeline, model and
/// GPU; demand that nobody served has orchestrator ''.
pub const NETWORK_DEMAND_BY_GPU: ViewSpec = view!(
    "v_api_network_demand_by_gpu",
    "Demand by who served it: one row per hour, gateway, orchestrator, region, pipeline, model and GPU; demand that nobody served has orchestrator ''.",
    [
        "org",
        "window_start",
        "gateway",
        "orchestrator_address",
        "region",
        "pipeline_id",
        "model_id",
        "gpu_id"
    ],
    "",
    [
        ORG_HOUR,
        BY_GPU_KEY,
        BY_GPU_USE,
        FRAMES,
        DEMAND_SERVED,
        COUNTERS,
        DEMAND_RATES,
        FEES,
        PUBLISHED
    ],
);
