//! What the views of GPUs promise (quality.md 6): who is in them, and that rates follow from counts.

use super::{KEY_REMEDY, window};
use crate::quality::{Check, How, Pack, Seed, Tier};

/// Of a session that ends in the hour after its start and has its GPU for itself there, one sample without
/// frames counts in each hour: its last hour becomes a terminal tail.
const TAIL: &[&str] = &[
    "INSERT INTO fact_stream_status_samples SELECT * REPLACE(row_number() OVER (PARTITION BY toStartOfHour(gateway_ts) \
     ORDER BY gateway_ts, source_event_uid) = 1 AS is_attributed, 0 AS output_fps, 'LOADING' AS state, version + 1 AS version) \
     FROM (SELECT * FROM fact_stream_status_samples FINAL WHERE (org, workflow_session_id) = (SELECT org, alone FROM \
     (SELECT org, orchestrator_address, pipeline, model_id, gpu_id, region, toStartOfHour(gateway_ts) AS hour, \
     any(workflow_session_id) AS alone FROM fact_stream_status_samples FINAL WHERE is_attributed \
     AND attribution_source = 'direct' AND gpu_id != '' GROUP BY ALL HAVING uniqExact(workflow_session_id) = 1) AS keys \
     INNER JOIN (SELECT org, workflow_session_id AS alone, session_start_ts, session_end_ts FROM fact_workflow_sessions FINAL \
     WHERE segment_count = 1) AS own USING (org, alone) WHERE toStartOfHour(session_end_ts) = hour \
     AND toStartOfHour(session_start_ts + INTERVAL 5 MINUTE) = hour - INTERVAL 1 HOUR ORDER BY org, alone LIMIT 1))",
];

pub const CHECKS: &[Check] = &[
    Check {
        id: "Q-53",
        title: "GPU rows rest on sessions",
        relation: "v_api_gpu_metrics",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Warn,
            window!(
                "org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, status_samples",
                "v_api_gpu_metrics",
                "status_samples > 0 AND known_sessions_count = 0 AND prompt_to_first_frame_sample_count = 0 \
                 AND startup_latency_sample_count = 0 AND e2e_latency_sample_count = 0"
            ),
        ),
        remedy: "sessions without a request trace: see U1 for lost edges",
        source: "quality.md 6.1",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-54",
        title: "the GPU view has every healthy attributed session",
        relation: "v_api_gpu_metrics",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT DISTINCT org, hour, orchestrator_address, pipeline, model_id, gpu_id, region FROM @evidence WHERE success \
             AND NOT tail AND pipeline != '' AND gpu_id != '' AND (org, hour, orchestrator_address, pipeline, model_id, gpu_id, \
             region) NOT IN (SELECT org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), \
             ifNull(gpu_id, ''), ifNull(region, '') FROM v_api_gpu_metrics WHERE @org AND window_start >= @from AND window_start < @to)",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 6.1",
        seed: Seed::view(
            "v_api_gpu_metrics",
            "SELECT * FROM {sound} WHERE gpu_id != (SELECT min(gpu_id) FROM {sound} WHERE startup_success_sessions > 0)",
        ).also(&["Q-44", "N-13"]),
    },
    Check {
        id: "Q-59",
        title: "terminal tails are in neither view",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT view, org, hour, orchestrator_address, pipeline, model_id, gpu_id FROM (SELECT org, hour, orchestrator_address, \
             pipeline, model_id, gpu_id, region FROM @evidence GROUP BY ALL HAVING min(tail) = 1) AS tails INNER JOIN \
             (SELECT 'gpu' AS view, org, window_start AS hour, orchestrator_address, pipeline_id AS pipeline, \
             ifNull(model_id, '') AS model_id, ifNull(gpu_id, '') AS gpu_id, ifNull(region, '') AS region FROM v_api_gpu_metrics \
             WHERE @org AND window_start >= @from AND window_start < @to \
             UNION ALL SELECT 'sla', org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), \
             ifNull(gpu_id, ''), ifNull(region, '') FROM v_api_sla_compliance WHERE @org AND window_start >= @from AND window_start < @to) AS served \
             USING (org, hour, orchestrator_address, pipeline, model_id, gpu_id, region)",
        ),
        remedy: "is_terminal_tail_artifact of the status hour is wrong: tell the session with `naap explain session`",
        source: "quality.md 6.1, 7 (S7)",
        seed: Seed::sql("fact_stream_status_samples", TAIL).also(&["Q-40"]),
    },
    Check {
        id: "Q-60",
        title: "a session that fails within one hour stays visible",
        relation: "v_api_gpu_metrics",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, hour, workflow_session_id, orchestrator_address, pipeline, model_id, gpu_id FROM @evidence WHERE no_work \
             AND toStartOfHour(started) = toDateTime(hour) AND toStartOfHour(ended) = toDateTime(hour) \
             AND (last_error OR loading_only OR zero_fps) AND gpu_id != '' AND ((org, hour, orchestrator_address, pipeline, \
             model_id, gpu_id) NOT IN (SELECT org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), \
             ifNull(gpu_id, '') FROM v_api_gpu_metrics WHERE @org AND window_start >= @from AND window_start < @to) OR (org, hour, orchestrator_address, pipeline, model_id, gpu_id) NOT IN \
             (SELECT org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), ifNull(gpu_id, '') \
             FROM v_api_sla_compliance WHERE @org AND window_start >= @from AND window_start < @to))",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 6.1, 7 (S6)",
        seed: Seed::change(
            "fact_stream_status_samples",
            "'GPU-unseen' AS gpu_id, 0 AS output_fps, 'LOADING' AS state",
            "is_attributed AND attribution_source = 'direct' AND gpu_id != '' AND (org, workflow_session_id) IN \
             (SELECT org, workflow_session_id FROM fact_workflow_sessions FINAL WHERE zero_output_fps_session \
             AND toStartOfHour(session_start_ts) = toStartOfHour(session_end_ts))",
        )
        .also(&["Q-40"]),
    },
    Check {
        id: "Q-61",
        title: "a GPU that gives no frames stays visible",
        relation: "v_api_gpu_metrics",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, hour, orchestrator_address, pipeline, model_id, gpu_id, sum(samples) AS n FROM @evidence WHERE gpu_id != '' \
             AND NOT tail GROUP BY ALL HAVING sum(positive) = 0 AND n >= 3 AND ((org, hour, orchestrator_address, pipeline, model_id, \
             gpu_id) NOT IN (SELECT org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), ifNull(gpu_id, '') \
             FROM v_api_gpu_metrics WHERE @org AND window_start >= @from AND window_start < @to) OR (org, hour, orchestrator_address, pipeline, model_id, gpu_id) NOT IN (SELECT org, \
             window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), ifNull(gpu_id, '') FROM v_api_sla_compliance \
             WHERE @org AND window_start >= @from AND window_start < @to))",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 6.1",
        seed: Seed::view(
            "v_api_gpu_metrics",
            "SELECT * FROM {sound} WHERE output_fps_sum > 0",
        ).also(&["Q-44", "N-13"]),
    },
    Check {
        id: "Q-65",
        title: "GPU rows have usable keys",
        relation: "v_api_gpu_metrics",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id",
                "v_api_gpu_metrics",
                "orchestrator_address = '' OR ifNull(gpu_id, '') = '' OR (pipeline_id = '' AND ifNull(model_id, '') = '') \
                 OR window_start = toDateTime64(0, 3, 'UTC')"
            ),
        ),
        remedy: KEY_REMEDY,
        source: "quality.md 6.2",
        seed: Seed::view(
            "v_api_gpu_metrics",
            "SELECT * FROM {sound} UNION ALL (SELECT * REPLACE('' AS orchestrator_address) FROM {sound} \
             ORDER BY window_start, gpu_id LIMIT 1)",
        ).also(&["Q-44", "N-13"]),
    },
    Check {
        id: "Q-67",
        title: "rates of the GPU view follow from its counts",
        relation: "v_api_gpu_metrics",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, gpu_id, startup_unexcused_rate, swap_rate, known_sessions_count",
                "v_api_gpu_metrics",
                "(known_sessions_count = 0) != (startup_unexcused_rate IS NULL) OR (known_sessions_count = 0) != (swap_rate IS NULL) \
                 OR abs(startup_unexcused_rate - startup_unexcused_sessions / known_sessions_count) > 1e-6 \
                 OR abs(swap_rate - total_swapped_sessions / known_sessions_count) > 1e-6"
            ),
        ),
        remedy: KEY_REMEDY,
        source: "quality.md 6.2; NULL at a zero denominator, decisions.md",
        seed: Seed::view("v_api_gpu_metrics", "SELECT * REPLACE(swap_rate + 0.1 AS swap_rate) FROM {sound}").also(&["N-13"]),
    },
    Check {
        id: "Q-68",
        title: "latencies of the GPU view are not negative",
        relation: "v_api_gpu_metrics",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, gpu_id, avg_prompt_to_first_frame_ms, avg_startup_latency_ms, avg_e2e_latency_ms",
                "v_api_gpu_metrics",
                "avg_prompt_to_first_frame_ms < 0 OR avg_startup_latency_ms < 0 OR avg_e2e_latency_ms < 0 \
                 OR p95_prompt_to_first_frame_latency_ms < 0 OR p95_startup_latency_ms < 0 OR p95_e2e_latency_ms < 0 \
                 OR (avg_startup_latency_ms IS NULL) != (startup_latency_sample_count = 0)"
            ),
        ),
        remedy: "see N-05",
        source: "quality.md 6.2; Q-69: seconds are no column any more (tables.md 3.7)",
        seed: Seed::view(
            "v_api_gpu_metrics",
            "SELECT * REPLACE(-1 - avg_startup_latency_ms AS avg_startup_latency_ms) FROM {sound}",
        )
        .also(&["N-13"]),
    },
    Check {
        id: "Q-86",
        title: "producers fill pipeline_id",
        relation: "",
        pack: Pack::Diagnostic,
        how: How::Elsewhere("obsolete: the served pipeline comes from the catalogue (Q-66, N-17)"),
        remedy: "",
        source: "quality.md 6.2",
        seed: Seed::NONE,
    },
    Check {
        id: "J1",
        title: "frames come evenly",
        relation: "v_api_jitter_5m",
        pack: Pack::Diagnostic,
        how: How::Figure(
            "J1",
            "SELECT org, orchestrator_address, gpu_id, window_start_5m, jitter_coeff_fps AS value, status_samples AS n \
             FROM v_api_jitter_5m WHERE @org AND window_start_5m >= @from AND window_start_5m < @to",
        ),
        remedy: "compare the GPU with others of its model",
        source: "quality.md 9 (J1), 6.3 (Q-91)",
        seed: Seed::NONE,
    },
];
