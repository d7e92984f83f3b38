-- Reads fact_workflow_sessions.
SELECT
    org, toStartOfHour(session_start_ts) AS window_start,
    attribution_status, attribution_source, attribution_reason, count() AS sessions_count
FROM fact_workflow_sessions FINAL
WHERE org = {org:String} AND toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
    AND known_stream AND selection_count > 0
GROUP BY org, window_start, attribution_status, attribution_source, attribution_reason
