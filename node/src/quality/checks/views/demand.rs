//! What the views of demand promise (quality.md 6, tables.md 3.6, backlog 009).

use super::{KEY_REMEDY, window};
use crate::quality::{Check, How, Pack, Seed, Tier};

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

pub const CHECKS: &[Check] = &[
    Check {
        id: "Q-55",
        title: "demand has the hour of every session",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') AS hour, count() AS sessions FROM @sessions \
             WHERE (org, hour) NOT IN (SELECT org, window_start FROM v_api_network_demand WHERE @org AND window_start >= @from \
             AND window_start < @to) GROUP BY ALL",
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
        id: "Q-70",
        title: "demand and its kin stand on hours (also Q-72)",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT view, org, window_start FROM (SELECT 'demand' AS view, org, window_start FROM v_api_network_demand UNION ALL \
             SELECT 'by gpu', org, window_start FROM v_api_network_demand_by_gpu UNION ALL SELECT 'gpu', org, window_start \
             FROM v_api_gpu_metrics UNION ALL SELECT 'sla', org, window_start FROM v_api_sla_compliance) \
             WHERE @org AND window_start >= @from AND window_start < @to AND window_start != toStartOfHour(window_start)",
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
                "pipeline_id NOT IN ('', @pipelines) AND (org, lower(pipeline_id)) NOT IN @advertised_pipelines"
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
             lower(ifNull(model_id, '')) AS model FROM v_api_network_demand WHERE @org AND window_start >= @from AND window_start < @to \
             AND pipeline_id = '' AND model != '') AS bare INNER JOIN (SELECT org, \
             hour AS window_start, gateway, region AS area, model, only FROM @only_pipelines) AS cohort USING (org, window_start, gateway, area, model)",
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
];
