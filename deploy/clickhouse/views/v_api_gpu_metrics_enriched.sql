SELECT
    h.org AS org, h.window_start AS window_start, h.orchestrator_address AS orchestrator_address,
    h.pipeline_id AS pipeline_id, nullIf(h.model_id, '') AS model_id, nullIf(h.gpu_id, '') AS gpu_id,
    nullIf(h.region, '') AS region,
    h.* EXCEPT (org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region),
    if(isNull(h.metadata_snapshot_ts), NULL,
        toUInt32(dateDiff('second', assumeNotNull(h.metadata_snapshot_ts), h.window_start + INTERVAL 1 HOUR)))
        AS metadata_age_seconds,
    60 * toFloat64(h.capacity) AS advertised_capacity_minutes
FROM v_orchestrator_hours AS h
WHERE h.gpu_id != '' AND (h.pipeline_id != '' OR h.model_id != '')
