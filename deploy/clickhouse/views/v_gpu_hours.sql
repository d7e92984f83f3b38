SELECT
    h.org AS org, h.window_start AS window_start, h.orchestrator_address AS orchestrator_address,
    h.pipeline_id AS pipeline_id, nullIf(h.model_id, '') AS model_id, nullIf(h.gpu_id, '') AS gpu_id,
    nullIf(h.region, '') AS region,
    h.* EXCEPT (org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region),
    if(b.observed = 0, NULL, 8 * b.rx / b.observed / 1000) AS down_mbps_avg,
    if(b.observed = 0, NULL, 8 * b.tx / b.observed / 1000) AS up_mbps_avg,
    multiIf(b.sending = 0, 'no_telemetry', b.observed >= 0.8 * b.expected AND b.expected > 0, 'ok', 'partial') AS bandwidth_status
FROM v_orchestrator_hours AS h
LEFT JOIN (
    SELECT org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region,
        sum(rated_rx_bytes) AS rx, sum(rated_tx_bytes) AS tx, sum(observed_ms) AS observed,
        sum(expected_ms) AS expected, sum(sessions) AS sending
    FROM v_agg_transport_bandwidth_1h
    WHERE link_type = 'gateway_to_orchestrator' AND gpu_id != ''
    GROUP BY org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region
) AS b
    ON b.org = h.org AND b.window_start = h.window_start AND b.orchestrator_address = h.orchestrator_address
    AND b.pipeline_id = h.pipeline_id AND b.model_id = h.model_id AND b.gpu_id = h.gpu_id AND b.region = h.region
WHERE h.gpu_id != '' AND (h.pipeline_id != '' OR h.model_id != '')
SETTINGS join_use_nulls = 0
