-- Reads fact_workflow_sessions.
SELECT
    org, toStartOfHour(session_start_ts) AS window_start, gateway, orchestrator_address,
    pipeline AS pipeline_id, model_id, region,
    count() AS known_sessions_count,
    countIf(startup_success) AS startup_success_sessions,
    countIf(startup_excused) AS startup_excused_sessions,
    countIf(startup_unexcused) AS startup_unexcused_sessions,
    countIf(orchestrator_address = '') AS unserved_sessions,
    countIf(no_orchestrators) AS no_orch_sessions
FROM fact_workflow_sessions FINAL
WHERE org = {org:String} AND toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
    AND known_stream
GROUP BY org, window_start, gateway, orchestrator_address, pipeline_id, model_id, region
