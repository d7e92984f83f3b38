WITH
    1 - startup_unexcused_sessions / known_sessions_count AS startup,
    1 - total_swapped_sessions / known_sessions_count AS no_swap,
    1 - output_failed_sessions / known_sessions_count AS viability,
    if(health_expected_signal_count = 0, 1, least(1, health_signal_count / health_expected_signal_count)) AS health,
    if(known_sessions_count = 0, NULL, 100 * health * (0.4 * startup + 0.2 * no_swap + 0.4 * viability)) AS score,
    -- An exact 90 can come out as 89.99999999999999.
    round(score, 9) AS rounded,
    multiIf(
        known_sessions_count = 0, 'no_demand',
        known_sessions_count < 5 OR status_samples < 30, 'low_sample',
        health < 0.6, 'low_coverage',
        'valid'
    ) AS validity
SELECT
    day.org AS org, day.window_start AS window_start, day.orchestrator_address AS orchestrator_address,
    day.pipeline_id AS pipeline_id, nullIf(day.model_id, '') AS model_id, nullIf(day.gpu_id, '') AS gpu_id,
    nullIf(day.region, '') AS region,
    day.* EXCEPT (org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region, states),
    health AS health_signal_coverage_ratio,
    if(known_sessions_count = 0, NULL, startup) AS startup_success_rate,
    if(known_sessions_count = 0, NULL, startup_success_sessions / known_sessions_count) AS startup_playable_rate,
    if(known_sessions_count = 0, NULL, 1 - effective_failed_sessions / known_sessions_count) AS effective_success_rate,
    if(known_sessions_count = 0, NULL, no_swap) AS no_swap_rate,
    if(known_sessions_count = 0, NULL, viability) AS output_viability_rate,
    score AS sla_score, validity AS sla_validity,
    if(validity != 'valid', NULL, multiIf(rounded >= 95, 'compliant', rounded >= 90, 'at_risk', 'breach')) AS sla_class,
    'sla-v1' AS sla_semantics_version,
    -- Hours without rows say nothing, so the day has a clock of its own.
    multiIf(
        has(states, 'provisional') OR now64(3) < day.window_start + INTERVAL 1450 MINUTE, 'provisional',
        has(states, 'settled') OR now64(3) < day.window_start + INTERVAL 72 HOUR, 'settled',
        'final'
    ) AS window_state
FROM (
    SELECT
        h.org AS org, toDateTime64(toStartOfDay(h.window_start), 3, 'UTC') AS window_start,
        h.orchestrator_address AS orchestrator_address, h.pipeline_id AS pipeline_id, h.model_id AS model_id,
        h.gpu_id AS gpu_id, h.region AS region,
        count() AS hours,
        sum(h.session_starts) AS session_starts,
        sum(h.known_sessions_count) AS known_sessions_count,
        sum(h.startup_success_sessions) AS startup_success_sessions,
        sum(h.startup_excused_sessions) AS startup_excused_sessions,
        sum(h.startup_unexcused_sessions) AS startup_unexcused_sessions,
        sum(h.confirmed_swapped_sessions) AS confirmed_swapped_sessions,
        sum(h.inferred_swap_sessions) AS inferred_swap_sessions,
        sum(h.total_swapped_sessions) AS total_swapped_sessions,
        sum(h.sessions_with_errors) AS sessions_with_errors,
        sum(h.sessions_ending_in_error) AS sessions_ending_in_error,
        sum(h.loading_only_sessions) AS loading_only_sessions,
        sum(h.zero_output_fps_sessions) AS zero_output_fps_sessions,
        sum(h.output_failed_sessions) AS output_failed_sessions,
        sum(h.effective_failed_sessions) AS effective_failed_sessions,
        sum(h.error_status_samples) AS error_status_samples,
        sum(h.health_signal_count) AS health_signal_count,
        sum(h.health_expected_signal_count) AS health_expected_signal_count,
        sum(h.status_samples) AS status_samples,
        groupUniqArray(h.window_state) AS states,
        sum(h.revision) AS revision
    FROM v_orchestrator_hours AS h
    GROUP BY org, toDateTime64(toStartOfDay(h.window_start), 3, 'UTC'), orchestrator_address, pipeline_id, model_id, gpu_id, region
) AS day
