SELECT newest.org AS org, newest.table_name AS table_name, newest.max_event_ts AS max_event_ts,
    now64(3, 'UTC') AS checked_at,
    toInt64(age('minute', newest.max_event_ts, checked_at)) AS lag_minutes,
    newest.max_refreshed_at AS refreshed_at
FROM (
    SELECT org, 'fact_stream_status_samples' AS table_name, max(gateway_ts) AS max_event_ts,
        CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS max_refreshed_at
    FROM fact_stream_status_samples
    GROUP BY org
    UNION ALL
    SELECT org, 'fact_workflow_sessions' AS table_name, max(ifNull(session_end_ts, session_start_ts)) AS max_event_ts,
        CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS max_refreshed_at
    FROM fact_workflow_sessions
    GROUP BY org
    UNION ALL
    SELECT org, relation AS table_name, max(window_start) AS max_event_ts, max(refreshed_at) AS max_refreshed_at
    FROM rollup_slices
    WHERE slice_rows > 0
    GROUP BY org, relation
) AS newest
