SELECT
    s.org AS org, s.window_start AS window_start, s.gateway AS gateway,
    s.orchestrator_address AS orchestrator_address, s.pipeline_id AS pipeline_id,
    nullIf(s.model_id, '') AS model_id, nullIf(s.region, '') AS region,
    s.known_sessions_count AS known_sessions_count, s.startup_success_sessions AS startup_success_sessions,
    s.startup_excused_sessions AS startup_excused_sessions,
    s.startup_unexcused_sessions AS startup_unexcused_sessions, s.unserved_sessions AS unserved_sessions,
    s.no_orch_sessions AS no_orch_sessions,
    if(s.known_sessions_count = 0, NULL, 1 - s.startup_unexcused_sessions / s.known_sessions_count) AS startup_success_rate,
    if(s.known_sessions_count = 0, NULL, s.startup_success_sessions / s.known_sessions_count) AS startup_playable_rate,
    s.window_state AS window_state, s.revision AS revision
FROM v_agg_startup_1h AS s
