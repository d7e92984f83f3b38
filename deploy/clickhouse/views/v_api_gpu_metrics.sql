SELECT
    h.org AS org, h.window_start AS window_start, h.orchestrator_address AS orchestrator_address,
    h.pipeline_id AS pipeline_id, nullIf(h.model_id, '') AS model_id, nullIf(h.gpu_id, '') AS gpu_id,
    nullIf(h.region, '') AS region,
    h.* EXCEPT (org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region)
FROM v_orchestrator_hours AS h
WHERE h.gpu_id != '' AND (h.pipeline_id != '' OR h.model_id != '')
