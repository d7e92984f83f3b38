-- Goes on where ingest_samples.sql ends. Reads fact_workflow_sessions, and the figures of that file.
,
    -- Known sessions with the time that they ran in each of the hours.
    ran AS (
        SELECT
            hour AS window_start, gateway AS key_gateway, pipeline AS key_pipeline, model_id AS key_model, region AS key_region,
            uniqExact(workflow_session_id) AS known_sessions,
            sum(greatest(0, least(ends, hour_ms + 3600000) - greatest(starts, hour_ms))) AS session_ms
        FROM (
            SELECT
                workflow_session_id, gateway, pipeline, model_id, region,
                toUnixTimestamp64Milli(session_start_ts) AS starts,
                toUnixTimestamp64Milli(ifNull(closed_ts, ifNull(session_end_ts, session_start_ts))) AS ends,
                arrayJoin({hours:Array(DateTime64(3, 'UTC'))}) AS hour, toUnixTimestamp64Milli(hour) AS hour_ms
            FROM fact_workflow_sessions FINAL
            WHERE org = {org:String} AND known_stream
                AND session_start_ts < arrayMax({hours:Array(DateTime64(3, 'UTC'))}) + INTERVAL 1 HOUR
                AND ifNull(session_end_ts, session_start_ts) >= arrayMin({hours:Array(DateTime64(3, 'UTC'))})
        )
        WHERE starts < hour_ms + 3600000 AND ends >= hour_ms
        GROUP BY window_start, key_gateway, key_pipeline, key_model, key_region
    )
SELECT
    {org:String} AS org, window_start, key_gateway AS gateway, key_pipeline AS pipeline_id, key_model AS model_id,
    key_region AS region, f.* EXCEPT (window_start, minute_start, key_gateway, key_pipeline, key_model, key_region),
    r.known_sessions AS known_sessions, toUInt64(r.session_ms) AS session_ms
FROM figures AS f
FULL OUTER JOIN ran AS r USING (window_start, key_gateway, key_pipeline, key_model, key_region)
SETTINGS join_use_nulls = 0
