SELECT org, workflow_session_id, orchestrator_address, stream_id, request_id, session_start_ts, session_end_ts,
    version AS latest_version
FROM fact_workflow_sessions FINAL
