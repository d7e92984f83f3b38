//! What the serving views promise by themselves (quality.md 6, tables.md 3.6).

use super::super::{Check, How, Pack, Seed, Tier};

/// The rows of a serving view in the window.
macro_rules! window {
    ($columns:literal, $view:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $view,
            " WHERE @org AND window_start >= @from AND window_start < @to AND (",
            $condition,
            ")"
        )
    };
}

const KEY_REMEDY: &str =
    "the view and its rollup disagree with their definition: run `naap schema check`";

/// Columns that a view must have.
macro_rules! columns {
    ($view:literal, $names:literal) => {
        concat!(
            "SELECT arrayJoin([",
            $names,
            "]) AS missing WHERE missing NOT IN (SELECT name FROM system.columns ",
            "WHERE database = currentDatabase() AND table = '",
            $view,
            "')"
        )
    };
}

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
             ifNull(gpu_id, ''), ifNull(region, '') FROM v_api_gpu_metrics)",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 6.1",
        seed: Seed::view(
            "v_api_gpu_metrics",
            "SELECT * FROM {sound} WHERE gpu_id != (SELECT min(gpu_id) FROM {sound} WHERE startup_success_sessions > 0)",
        ).also(&["Q-44", "N-13"]),
    },
    Check {
        id: "Q-55",
        title: "demand has the hour of every session",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') AS hour, count() AS sessions FROM @sessions \
             WHERE (org, hour) NOT IN (SELECT org, window_start FROM v_api_network_demand) GROUP BY ALL",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 6.1",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * FROM {sound} WHERE window_start != (SELECT min(window_start) FROM {sound})",
        ).also(&["Q-42", "Q-45", "Q-48"]),
    },
    Check {
        id: "Q-56",
        title: "effective success is not above startup success",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, gateway, pipeline_id, model_id, effective_success_rate, startup_success_rate",
                "v_api_network_demand",
                "effective_success_rate > startup_success_rate + 1e-6"
            ),
        ),
        remedy: "failed sessions contain the unexcused ones: see Q-45",
        source: "quality.md 6.1",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * REPLACE(1 AS effective_success_rate, 0.5 AS startup_success_rate) FROM {sound}",
        )
        .also(&["Q-57", "Q-82"]),
    },
    Check {
        id: "Q-57",
        title: "failures show in the effective success (also Q-83)",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, gateway, pipeline_id, model_id, effective_success_rate, startup_unexcused_sessions",
                "v_api_network_demand",
                "known_sessions_count > 0 AND startup_unexcused_sessions + zero_output_fps_sessions \
                 + loading_only_sessions > 0 AND effective_success_rate >= 1 - 1e-6"
            ),
        ),
        remedy: "see Q-45",
        source: "quality.md 6.1 and 6.2",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * REPLACE(if(known_sessions_count = 0, NULL, toNullable(1.0)) AS effective_success_rate, \
             if(known_sessions_count = 0, NULL, toNullable(1.0)) AS startup_success_rate) FROM {sound}",
        ),
    },
    Check {
        id: "Q-58",
        title: "SLA ratios and scores are within their bounds",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, orchestrator_address, model_id, gpu_id, startup_success_rate, effective_success_rate, \
                 no_swap_rate, health_signal_coverage_ratio, sla_score",
                "v_api_sla_compliance",
                "NOT ifNull(startup_success_rate BETWEEN 0 AND 1, 1) OR NOT ifNull(effective_success_rate BETWEEN 0 AND 1, 1) \
                 OR NOT ifNull(no_swap_rate BETWEEN 0 AND 1, 1) OR NOT health_signal_coverage_ratio BETWEEN 0 AND 1 \
                 OR effective_success_rate > startup_success_rate + 1e-6 OR NOT ifNull(sla_score BETWEEN 0 AND 100, 1)"
            ),
        ),
        remedy: "only known sessions may count: see N-30 and Q-47",
        source: "quality.md 6.1 and 8 (N-30), backlog 003",
        seed: Seed::change(
            "agg_orchestrator_1h",
            "known_sessions_count + 1 AS total_swapped_sessions",
            "known_sessions_count > 0",
        )
        .also(&["Q-47", "N-30b"]),
    },
    Check {
        id: "N-30b",
        title: "SLA counters of an hour add up: unions within the known sessions, signals within the expected",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, orchestrator_address, model_id, gpu_id, known_sessions_count, output_failed_sessions, \
                 effective_failed_sessions, health_signal_count, health_expected_signal_count",
                "v_api_sla_compliance",
                "output_failed_sessions > known_sessions_count OR effective_failed_sessions > known_sessions_count \
                 OR total_swapped_sessions > known_sessions_count OR startup_success_sessions + startup_excused_sessions \
                 + startup_unexcused_sessions != known_sessions_count OR health_signal_count > health_expected_signal_count \
                 OR health_expected_signal_count != 3 * known_sessions_count OR session_starts > known_sessions_count \
                 OR output_failed_sessions < greatest(loading_only_sessions, zero_output_fps_sessions) \
                 OR output_failed_sessions > loading_only_sessions + zero_output_fps_sessions"
            ),
        ),
        remedy: "an hour counts a session twice or an unknown one: see Q-47",
        source: "quality.md 8 (N-30), backlog 003",
        seed: Seed::change(
            "agg_orchestrator_1h",
            "known_sessions_count + 1 AS session_starts",
            "known_sessions_count > 0",
        ),
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
             UNION ALL SELECT 'sla', org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), \
             ifNull(gpu_id, ''), ifNull(region, '') FROM v_api_sla_compliance) AS served \
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
             ifNull(gpu_id, '') FROM v_api_gpu_metrics) OR (org, hour, orchestrator_address, pipeline, model_id, gpu_id) NOT IN \
             (SELECT org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), ifNull(gpu_id, '') \
             FROM v_api_sla_compliance))",
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
             FROM v_api_gpu_metrics) OR (org, hour, orchestrator_address, pipeline, model_id, gpu_id) NOT IN (SELECT org, \
             window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), ifNull(gpu_id, '') FROM v_api_sla_compliance))",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 6.1",
        seed: Seed::view(
            "v_api_gpu_metrics",
            "SELECT * FROM {sound} WHERE output_fps_sum > 0",
        ).also(&["Q-44", "N-13"]),
    },
    Check {
        id: "Q-62",
        title: "rows with a model have a pipeline",
        relation: "v_api_sla_compliance",
        pack: Pack::Diagnostic,
        how: How::Rows(
            Tier::Info,
            window!(
                "org, orchestrator_address, model_id, gpu_id, count() AS rows",
                "v_api_sla_compliance",
                "model_id IS NOT NULL AND pipeline_id = '' GROUP BY ALL HAVING rows > 0"
            ),
        ),
        remedy: "extend `model_prefixes` of deploy/catalogue/capabilities.v1.json",
        source: "quality.md 6.1",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-64",
        title: "the public views exist",
        relation: "system.tables",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT arrayJoin(['v_api_gpu_metrics', 'v_api_network_demand', 'v_api_network_demand_by_gpu', \
             'v_api_sla_compliance', 'v_api_network_demand_pipeline', 'v_api_sla_compliance_1d', 'v_api_session_identity', \
             'v_api_jitter_5m', 'v_attribution_quality', 'v_session_orchestrator_lineage']) AS missing WHERE missing NOT IN \
             (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View')",
        ),
        remedy: "run `naap schema check`",
        source: "quality.md 6.2",
        seed: Seed::sql("v_api_jitter_5m", &["RENAME TABLE v_api_jitter_5m TO sound_view"]).also(&["J1"]),
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
        id: "Q-66",
        title: "rows with a model have a pipeline: 99 %",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Figure(
            "A3",
            "SELECT org, count() AS n, countIf(pipeline_id != '') / n AS value FROM (SELECT org, pipeline_id FROM v_api_sla_compliance \
             WHERE model_id IS NOT NULL AND window_start >= @from AND window_start < @to AND @org UNION ALL SELECT org, \
             pipeline_id FROM v_api_gpu_metrics WHERE model_id IS NOT NULL AND window_start >= @from AND window_start < @to \
             AND @org) GROUP BY org",
        ),
        remedy: "extend `model_prefixes` of deploy/catalogue/capabilities.v1.json",
        source: "quality.md 6.2 and 9 (A3)",
        seed: Seed::view("v_api_sla_compliance", "SELECT * REPLACE('' AS pipeline_id) FROM {sound}").also(&["Q-43", "Q-47", "Q-60", "Q-61", "N-10"]),
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
        id: "Q-70",
        title: "demand and its kin stand on hours (also Q-72)",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT view, org, window_start FROM (SELECT 'demand' AS view, org, window_start FROM v_api_network_demand UNION ALL \
             SELECT 'by gpu', org, window_start FROM v_api_network_demand_by_gpu UNION ALL SELECT 'gpu', org, window_start \
             FROM v_api_gpu_metrics UNION ALL SELECT 'sla', org, window_start FROM v_api_sla_compliance) \
             WHERE window_start != toStartOfHour(window_start)",
        ),
        remedy: KEY_REMEDY,
        source: "quality.md 6.2",
        seed: Seed::view(
            "v_api_network_demand_by_gpu",
            "SELECT * REPLACE(window_start + INTERVAL 1 MINUTE AS window_start) FROM {sound}",
        )
        .also(&["Q-46"]),
    },
    Check {
        id: "Q-71",
        title: "demand has the columns of its contract (also Q-73 and Q-81)",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            concat!(
                columns!("v_api_network_demand", "'model_id', 'pipeline_id', 'total_minutes', 'startup_success_rate', 'effective_success_rate'"),
                " UNION ALL ", columns!("v_api_network_demand_by_gpu", "'gpu_id', 'gpu_model_name', 'gpu_identity_status'"),
                " UNION ALL ", columns!("v_api_sla_compliance", "'startup_success_rate', 'effective_success_rate', 'sla_score', \
                 'sla_validity', 'sla_semantics_version', 'window_state'")
            ),
        ),
        remedy: "run `naap schema check`",
        source: "quality.md 6.2",
        seed: Seed::view("v_api_network_demand_by_gpu", "SELECT * EXCEPT (gpu_model_name) FROM {sound}"),
    },
    Check {
        id: "Q-74",
        title: "capacity of demand by GPU is sane",
        relation: "v_api_network_demand_by_gpu",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, gpu_id, used_inference_minutes, advertised_capacity_minutes, advertised_capacity_utilization_rate",
                "v_api_network_demand_by_gpu",
                "used_inference_minutes < 0 OR advertised_capacity_minutes < 0 \
                 OR NOT ifNull(advertised_capacity_utilization_rate BETWEEN 0 AND 1.5, 1)"
            ),
        ),
        remedy: "the orchestrator serves more than it advertises: compare capacity with its sessions",
        source: "quality.md 6.2",
        seed: Seed::view(
            "v_api_network_demand_by_gpu",
            "SELECT * REPLACE(-1 - used_inference_minutes AS used_inference_minutes) FROM {sound}",
        ),
    },
    Check {
        id: "Q-76",
        title: "additive figures of demand are not negative",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, gateway, total_minutes, ticket_face_value_eth, ticket_expected_value_eth",
                "v_api_network_demand",
                "total_minutes < 0 OR ticket_face_value_eth < 0 OR ticket_expected_value_eth < 0 \
                 OR toInt64(known_sessions_count) < 0 OR toInt64(served_sessions) < 0 OR toInt64(unserved_sessions) < 0"
            ),
        ),
        remedy: KEY_REMEDY,
        source: "quality.md 6.2",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * REPLACE(-1 - ticket_face_value_eth AS ticket_face_value_eth) FROM {sound}",
        ),
    },
    Check {
        id: "Q-77",
        title: "demand is what was served and what was not",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, gateway, served_sessions, unserved_sessions, total_demand_sessions, known_sessions_count",
                "v_api_network_demand",
                "total_demand_sessions != served_sessions + unserved_sessions OR total_demand_sessions != known_sessions_count"
            ),
        ),
        remedy: "see Q-45",
        source: "quality.md 6.2",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * REPLACE(total_demand_sessions + 1 AS total_demand_sessions) FROM {sound}",
        ),
    },
    Check {
        id: "Q-78",
        title: "a pipeline of demand is not a model",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, gateway, pipeline_id, model_id",
                "v_api_network_demand",
                "pipeline_id != '' AND lower(pipeline_id) = lower(model_id)"
            ),
        ),
        remedy: "see Q-31 and Q-32",
        source: "quality.md 6.2",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * FROM {sound} UNION ALL (SELECT * REPLACE('twin' AS pipeline_id, 'TWIN' AS model_id, toFloat64(0) AS total_minutes, \
             0 AS known_sessions_count, 0 AS served_sessions, 0 AS unserved_sessions, 0 AS total_demand_sessions) FROM {sound} \
             ORDER BY window_start LIMIT 1)",
        ).also(&["Q-42", "Q-45", "Q-82", "N-17b"]),
    },
    Check {
        id: "N-17b",
        title: "every pipeline of demand is one of the catalogue",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, gateway, pipeline_id, model_id",
                "v_api_network_demand",
                "pipeline_id NOT IN ('', @pipelines)"
            ),
        ),
        remedy: "extend `pipelines` of deploy/catalogue/capabilities.v1.json if it is a new workflow",
        source: "quality.md 8 (N-17), backlog 022",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * REPLACE(if(pipeline_id = '', '', 'video-to-dream') AS pipeline_id) FROM {sound}",
        ).also(&["Q-42", "Q-45", "Q-48"]),
    },
    Check {
        id: "Q-79",
        title: "demand without a pipeline has no only one to take",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, window_start, gateway, area, model, only FROM (SELECT org, window_start, gateway, ifNull(region, '') AS area, \
             ifNull(model_id, '') AS model FROM v_api_network_demand WHERE @org AND window_start >= @from AND window_start < @to \
             AND pipeline_id = '' AND known_sessions_count > 0 AND model != '') AS bare INNER JOIN (SELECT org, \
             toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') AS window_start, gateway, region AS area, model_id AS model, \
             any(pipeline) AS only FROM @sessions WHERE pipeline != '' AND lower(pipeline) != lower(model_id) GROUP BY ALL \
             HAVING uniqExact(pipeline) = 1) AS cohort USING (org, window_start, gateway, area, model)",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 6.2",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * FROM {sound} UNION ALL SELECT * REPLACE('' AS pipeline_id) FROM (SELECT * FROM {sound} \
             WHERE pipeline_id != '' AND model_id != '' AND known_sessions_count > 0 AND total_minutes > 0 \
             ORDER BY window_start, gateway, model_id LIMIT 1)",
        ).also(&["Q-42", "Q-45", "Q-48"]),
    },
    Check {
        id: "Q-80",
        title: "SLA ratios follow from their counts",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, orchestrator_address, model_id, gpu_id, startup_success_rate, no_swap_rate, \
                 health_signal_coverage_ratio, sla_score, known_sessions_count",
                "v_api_sla_compliance",
                "(known_sessions_count = 0) != (startup_success_rate IS NULL) OR (known_sessions_count = 0) != (no_swap_rate IS NULL) \
                 OR (known_sessions_count = 0) != (effective_success_rate IS NULL) OR (known_sessions_count = 0) != (sla_score IS NULL) \
                 OR abs(startup_success_rate - (1 - startup_unexcused_sessions / known_sessions_count)) > 1e-6 \
                 OR abs(no_swap_rate - (1 - total_swapped_sessions / known_sessions_count)) > 1e-6 \
                 OR abs(effective_success_rate - (1 - effective_failed_sessions / known_sessions_count)) > 1e-6 \
                 OR abs(health_signal_coverage_ratio - if(health_expected_signal_count = 0, 1, \
                 least(1, health_signal_count / health_expected_signal_count))) > 1e-6 \
                 OR abs(sla_score - 100 * health_signal_coverage_ratio * (0.4 * startup_success_rate + 0.2 * no_swap_rate \
                 + 0.4 * (1 - output_failed_sessions / known_sessions_count))) > 1e-6 * 100"
            ),
        ),
        remedy: KEY_REMEDY,
        source: "quality.md 6.2, backlog 003",
        seed: Seed::view("v_api_sla_compliance", "SELECT * REPLACE(sla_score * 0.9 AS sla_score) FROM {sound}").also(&["N-31"]),
    },
    Check {
        id: "Q-82",
        title: "success rates of demand are within their bounds",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, gateway, startup_success_rate, effective_success_rate",
                "v_api_network_demand",
                "NOT ifNull(startup_success_rate BETWEEN 0 AND 1, 1) OR NOT ifNull(effective_success_rate BETWEEN 0 AND 1, 1) \
                 OR effective_success_rate > startup_success_rate + 1e-6 \
                 OR (known_sessions_count = 0) != (startup_success_rate IS NULL)"
            ),
        ),
        remedy: "see Q-45",
        source: "quality.md 6.2",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * REPLACE(-0.5 + 0 * startup_success_rate AS startup_success_rate, -0.5 + 0 * effective_success_rate AS effective_success_rate) FROM {sound}",
        ),
    },
    Check {
        id: "Q-84",
        title: "demand of less than a second",
        relation: "v_api_network_demand",
        pack: Pack::Diagnostic,
        how: How::Rows(
            Tier::Info,
            window!(
                "org, window_start, gateway, pipeline_id, model_id, total_minutes",
                "v_api_network_demand",
                "total_minutes < 1 / 60"
            ),
        ),
        remedy: "sessions that failed before their first frame, or payments without a session",
        source: "quality.md 6.2",
        seed: Seed::NONE,
    },
    Check {
        id: "N-09",
        title: "SLA rows say their semantics, validity and finality",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            window!(
                "org, window_start, orchestrator_address, model_id, gpu_id, sla_semantics_version, sla_validity, window_state, sla_score",
                "v_api_sla_compliance",
                "sla_semantics_version = '' OR window_state NOT IN ('provisional', 'settled', 'final') \
                 OR (sla_score IS NULL) != (known_sessions_count = 0) OR sla_validity != multiIf(known_sessions_count = 0, 'no_demand', \
                 known_sessions_count < 5 OR status_samples < 30, 'low_sample', health_signal_coverage_ratio < 0.6, 'low_coverage', 'valid') \
                 OR (sla_class IS NULL) != (sla_validity != 'valid')"
            ),
        ),
        remedy: KEY_REMEDY,
        source: "quality.md 8, backlog 003",
        seed: Seed::view("v_api_sla_compliance", "SELECT * REPLACE('good' AS sla_validity) FROM {sound}"),
    },
    Check {
        id: "N-10",
        title: "the day of SLA is the sum of its hours",
        relation: "v_api_sla_compliance_1d",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, day, orchestrator_address, pipeline_id, model, gpu, area, score, published FROM (SELECT org, day, \
             orchestrator_address, pipeline_id, model, gpu, area, maxIf(hourly, side = 0) AS score, maxIf(hourly, side = 1) AS published, \
             sum(1 + side * 100) AS sides FROM (SELECT org, toDate(window_start) AS day, orchestrator_address, pipeline_id, \
             ifNull(model_id, '') AS model, ifNull(gpu_id, '') AS gpu, ifNull(region, '') AS area, 0 AS side, \
             sum(known_sessions_count) AS known, if(known = 0, NULL, 100 * least(1, sum(health_signal_count) \
             / sum(health_expected_signal_count)) * (0.4 * (1 - sum(startup_unexcused_sessions) / known) + 0.2 * (1 - \
             sum(total_swapped_sessions) / known) + 0.4 * (1 - sum(output_failed_sessions) / known))) AS hourly \
             FROM v_api_sla_compliance WHERE @org GROUP BY ALL UNION ALL SELECT org, toDate(window_start), orchestrator_address, \
             pipeline_id, ifNull(model_id, ''), ifNull(gpu_id, ''), ifNull(region, ''), 1, known_sessions_count, sla_score \
             FROM v_api_sla_compliance_1d WHERE @org) WHERE day >= toDate(@from) AND day <= toDate(@to) \
             GROUP BY org, day, orchestrator_address, pipeline_id, model, gpu, area) WHERE sides != 102 \
             OR (score IS NULL) != (published IS NULL) OR abs(score - published) > 1e-4",
        ),
        remedy: KEY_REMEDY,
        source: "quality.md 8, backlog 003",
        seed: Seed::view("v_api_sla_compliance_1d", "SELECT * REPLACE(sla_score + 1 AS sla_score) FROM {sound}"),
    },
    Check {
        id: "N-14",
        title: "demand by pipeline counts every session once",
        relation: "v_api_network_demand_pipeline",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, hour, gateway, area, pipeline_id, sum(a) AS sessions, sum(b) AS published, sum(c) AS minutes, \
             sum(d) AS published_minutes FROM (SELECT org, hour, gateway, region AS area, pipeline_id, \
             uniqExactIf(seen, seen != '') AS a, 0 AS b, sum(ms) / 60000 AS c, 0 AS d FROM @demand GROUP BY ALL \
             UNION ALL SELECT org, window_start, gateway, ifNull(region, ''), pipeline_id, 0, sessions_count, 0, total_minutes \
             FROM v_api_network_demand_pipeline WHERE @org AND window_start >= @from AND window_start < @to) GROUP BY ALL \
             HAVING sessions != published OR abs(minutes - published_minutes) > 1e-6 * greatest(1, minutes)",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 8, backlog 009",
        seed: Seed::change(
            "agg_network_demand_1h",
            "sessions_count + 1 AS sessions_count",
            "grain = 'pipeline'",
        ),
    },
    Check {
        id: "N-31",
        title: "the quality shadow shows the score of SLA as it is",
        relation: "v_api_sla_quality_shadow",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT s.org AS org, s.window_start AS window_start, s.orchestrator_address AS orchestrator_address, \
             s.sla_score AS score, q.sla_score AS beside FROM v_api_sla_compliance AS s INNER JOIN v_api_sla_quality_shadow AS q \
             ON s.org = q.org AND s.window_start = q.window_start AND s.orchestrator_address = q.orchestrator_address \
             AND s.pipeline_id = q.pipeline_id AND ifNull(s.model_id, '') = ifNull(q.model_id, '') \
             AND ifNull(s.gpu_id, '') = ifNull(q.gpu_id, '') AND ifNull(s.region, '') = ifNull(q.region, '') \
             WHERE s.window_start >= @from AND s.window_start < @to AND s.sla_score IS DISTINCT FROM q.sla_score",
        ),
        remedy: "the shadow must not change what is served: compare the definitions of the two views",
        source: "quality.md 8, backlog 026",
        seed: Seed::view("v_api_sla_quality_shadow", "SELECT * REPLACE(sla_score + 1 AS sla_score) FROM {sound}"),
    },
    Check {
        id: "R2",
        title: "no served relation has a key twice",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT 'sla' AS view, org, window_start, orchestrator_address AS a, pipeline_id AS b, ifNull(model_id, '') AS c, \
             ifNull(gpu_id, '') AS d, ifNull(region, '') AS e, count() AS rows FROM v_api_sla_compliance GROUP BY ALL HAVING rows > 1 \
             UNION ALL SELECT 'sla 1d', org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), \
             ifNull(gpu_id, ''), ifNull(region, ''), count() AS rows FROM v_api_sla_compliance_1d GROUP BY ALL HAVING rows > 1 \
             UNION ALL SELECT 'by gpu', org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), \
             ifNull(gpu_id, ''), gateway || ifNull(region, ''), count() AS rows FROM v_api_network_demand_by_gpu GROUP BY ALL \
             HAVING rows > 1 UNION ALL SELECT 'pipeline', org, window_start, gateway, pipeline_id, '', '', ifNull(region, ''), \
             count() AS rows FROM v_api_network_demand_pipeline GROUP BY ALL HAVING rows > 1 \
             UNION ALL SELECT 'session', org, session_start_ts, workflow_session_id, '', '', '', '', count() AS rows \
             FROM v_api_session_identity GROUP BY ALL HAVING rows > 1",
        ),
        remedy: "two slices of one hour count as valid: look into rollup_slices",
        source: "quality.md 9 (R2)",
        seed: Seed::view(
            "v_api_network_demand_by_gpu",
            "SELECT * FROM {sound} UNION ALL (SELECT * FROM {sound} WHERE known_sessions_count = 0 ORDER BY window_start LIMIT 1)",
        ),
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
        id: "F3",
        title: "rollups follow the facts",
        relation: "rollup_slices",
        pack: Pack::Live,
        how: How::Figure(
            "F3",
            "SELECT f.org AS org, greatest(0, dateDiff('minute', r.newest, f.newest)) AS value, f.n AS n FROM (SELECT org, \
             max(ingestion_timestamp) AS newest, count() AS n FROM @all_status WHERE gateway_ts >= @now - INTERVAL 24 HOUR \
             GROUP BY org) AS f LEFT JOIN (SELECT org, max(refreshed_at) AS newest FROM rollup_slices FINAL GROUP BY org) AS r \
             USING (org)",
        ),
        remedy: "see naap_rollup_lag_seconds and the log of the owner of shard 0",
        source: "quality.md 9 (F3)",
        seed: Seed::NONE,
    },
    Check {
        id: "F4",
        title: "a finished hour is visible",
        relation: "v_api_network_demand",
        pack: Pack::Live,
        how: How::Figure(
            "F4",
            "SELECT org, dateDiff('minute', toStartOfHour(@now), @now) AS value, count() AS n FROM @all_sessions \
             WHERE session_start_ts >= toStartOfHour(@now) - INTERVAL 1 HOUR AND session_start_ts < toStartOfHour(@now) \
             AND (org, toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC')) NOT IN (SELECT org, window_start \
             FROM rollup_slices FINAL WHERE relation = 'agg_network_demand_1h') GROUP BY org",
        ),
        remedy: "see naap_rollup_lag_seconds and the log of the owner of shard 0",
        source: "quality.md 9 (F4)",
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
