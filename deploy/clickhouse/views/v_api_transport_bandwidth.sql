WITH
    (b -> if(b < 32, toUInt64(b), bitShiftLeft(toUInt64(32 + b % 32), toUInt8(intDiv(b, 32) - 1)))) AS lower_bound,
    ((buckets, counts) -> if(empty(counts), NULL,
        lower_bound(buckets[arrayFirstIndex(n -> n >= 0.95 * arraySum(counts), arrayCumSum(counts))]))) AS p95
SELECT
    h.org AS org, h.window_start AS window_start, h.link_type AS link_type,
    h.orchestrator_address AS orchestrator_address, h.gateway AS gateway, h.pipeline_id AS pipeline_id,
    nullIf(h.model_id, '') AS model_id, nullIf(h.gpu_id, '') AS gpu_id, nullIf(h.region, '') AS region,
    if(h.observed_ms = 0, NULL, 8 * h.rated_rx_bytes / h.observed_ms / 1000) AS down_mbps_avg,
    if(h.observed_ms = 0, NULL, 8 * h.rated_tx_bytes / h.observed_ms / 1000) AS up_mbps_avg,
    p95(h.rx_rate_buckets, h.rx_rate_counts) / 1000 AS down_mbps_p95,
    p95(h.tx_rate_buckets, h.tx_rate_counts) / 1000 AS up_mbps_p95,
    if(h.sessions = 0, NULL, 8 * h.rx_bytes / 3600 / 1e6) AS down_mbps_total,
    if(h.sessions = 0, NULL, 8 * h.tx_bytes / 3600 / 1e6) AS up_mbps_total,
    h.sessions AS sessions, h.samples AS samples, h.rx_bytes AS rx_bytes, h.tx_bytes AS tx_bytes,
    h.observed_ms AS observed_ms, h.expected_ms AS expected_ms,
    if(h.expected_ms = 0, NULL, least(1, h.observed_ms / h.expected_ms)) AS coverage_ratio,
    if(h.segments + h.failed_segments + h.dropped_segments = 0, NULL,
        h.dropped_segments / (h.segments + h.failed_segments + h.dropped_segments)) AS dropped_segment_ratio,
    multiIf(h.sessions = 0, 'no_telemetry', ifNull(coverage_ratio, 0) >= 0.8, 'ok', 'partial') AS telemetry_status,
    h.window_state AS window_state, h.revision AS revision, h.refreshed_at AS refreshed_at
FROM v_agg_transport_bandwidth_1h AS h
