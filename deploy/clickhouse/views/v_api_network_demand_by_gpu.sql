SELECT
    d.org AS org, d.window_start AS window_start, d.gateway AS gateway,
    d.orchestrator_address AS orchestrator_address, nullIf(d.region, '') AS region,
    d.pipeline_id AS pipeline_id, nullIf(d.model_id, '') AS model_id, nullIf(d.gpu_id, '') AS gpu_id,
    if(d.gpu_model_name = '', 'unknown', d.gpu_model_name) AS gpu_model_name,
    if(d.gpu_id = '' OR d.gpu_fallback_samples > 0 OR d.gpu_fallback_sessions > 0,
        'hardware_unresolved', 'resolved') AS gpu_identity_status,
    d.total_minutes AS used_inference_minutes,
    60 * toFloat64(ifNull(d.advertised_capacity, 0)) AS advertised_capacity_minutes,
    if(ifNull(d.advertised_capacity, 0) <= 0, NULL, d.total_minutes / (60 * d.advertised_capacity))
        AS advertised_capacity_utilization_rate,
    d.* EXCEPT (org, window_start, gateway, orchestrator_address, region, pipeline_id, model_id, gpu_id, gpu_model_name)
FROM v_demand_hours AS d
WHERE d.grain = 'gpu'
