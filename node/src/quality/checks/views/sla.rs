//! What the views of compliance promise (quality.md 6, tables.md 3.6, backlog 003, 026).

use super::{KEY_REMEDY, window};
use crate::quality::{Check, How, Pack, Seed, Tier};

pub const CHECKS: &[Check] = &[
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
        id: "Q-62",
        title: "rows with a model have a pipeline",
        relation: "v_api_sla_compliance",
        pack: Pack::Diagnostic,
        how: How::Rows(
            Tier::Info,
            "SELECT org, orchestrator_address, model_id, gpu_id, count() AS rows FROM v_api_sla_compliance WHERE @org \
             AND window_start >= @from AND window_start < @to AND model_id IS NOT NULL AND pipeline_id = '' GROUP BY ALL",
        ),
        remedy: "extend `model_prefixes` of deploy/catalogue/capabilities.v1.json",
        source: "quality.md 6.1",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-66",
        title: "rows with a model have a pipeline: 99 % of at least 24 hours",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Figure(
            "A3",
            "SELECT org, count() AS n, countIf(pipeline_id != '') / n AS value FROM (SELECT org, pipeline_id FROM v_api_sla_compliance \
             WHERE model_id IS NOT NULL AND window_start >= least(@from, @to - INTERVAL 24 HOUR) AND window_start < @to AND @org \
             UNION ALL SELECT org, pipeline_id FROM v_api_gpu_metrics WHERE model_id IS NOT NULL \
             AND window_start >= least(@from, @to - INTERVAL 24 HOUR) AND window_start < @to AND @org) GROUP BY org",
        ),
        remedy: "extend `model_prefixes` of deploy/catalogue/capabilities.v1.json",
        source: "quality.md 6.2 and 9 (A3)",
        seed: Seed::view(
            "v_api_sla_compliance",
            "SELECT * REPLACE('' AS pipeline_id) FROM {sound}",
        )
        .also(&["Q-43", "Q-47", "Q-60", "Q-61", "N-10"]),
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
        seed: Seed::view(
            "v_api_sla_compliance",
            "SELECT * REPLACE(sla_score * 0.9 AS sla_score) FROM {sound}",
        )
        .also(&["N-31"]),
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
        seed: Seed::view(
            "v_api_sla_compliance",
            "SELECT * REPLACE('good' AS sla_validity) FROM {sound}",
        ),
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
             FROM v_api_sla_compliance WHERE @org AND window_start >= toStartOfDay(@from) \
             AND window_start < toStartOfDay(@to) + INTERVAL 1 DAY GROUP BY ALL UNION ALL SELECT org, toDate(window_start), orchestrator_address, \
             pipeline_id, ifNull(model_id, ''), ifNull(gpu_id, ''), ifNull(region, ''), 1, known_sessions_count, sla_score \
             FROM v_api_sla_compliance_1d WHERE @org) WHERE day >= toDate(@from) AND day <= toDate(@to) \
             GROUP BY org, day, orchestrator_address, pipeline_id, model, gpu, area) WHERE sides != 102 \
             OR (score IS NULL) != (published IS NULL) OR abs(score - published) > 1e-4",
        ),
        remedy: KEY_REMEDY,
        source: "quality.md 8, backlog 003",
        seed: Seed::view(
            "v_api_sla_compliance_1d",
            "SELECT * REPLACE(sla_score + 1 AS sla_score) FROM {sound}",
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
             WHERE s.window_start >= @from AND s.window_start < @to AND q.window_start >= @from AND q.window_start < @to \
             AND s.sla_score IS DISTINCT FROM q.sla_score",
        ),
        remedy: "the shadow must not change what is served: compare the definitions of the two views",
        source: "quality.md 8, backlog 026",
        seed: Seed::view(
            "v_api_sla_quality_shadow",
            "SELECT * REPLACE(sla_score + 1 AS sla_score) FROM {sound}",
        ),
    },
];
