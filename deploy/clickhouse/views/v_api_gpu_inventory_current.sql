WITH
    -- A node is its URL in normal form; without one it is its wallet.
    newest AS (
        SELECT *, lowerUTF8(replaceRegexpOne(replaceRegexpAll(orchestrator_url, '^\\s+|\\s+$', ''), '/$', '')) AS node_url,
            max(version) OVER (PARTITION BY org, node_url, if(node_url = '', orchestrator_address, '')) AS newest_of_node
        FROM dim_orchestrator_gpu_current FINAL
    )
SELECT
    g.org AS org, g.orchestrator_address AS orchestrator_address,
    g.orchestrator_proxy_address AS orchestrator_proxy_address, g.orchestrator_url AS orchestrator_url,
    g.gpu_id AS gpu_id, g.gpu_model_name AS gpu_model_name,
    g.gpu_memory_bytes_total AS gpu_memory_bytes_total, g.gpu_memory_bytes_free AS gpu_memory_bytes_free,
    g.compute_capability AS compute_capability, g.runner_version AS runner_version,
    g.pipelines AS pipelines, g.model_ids AS model_ids, g.capability_ids AS capability_ids,
    g.capacity AS capacity, g.capacity_in_use AS capacity_in_use, g.warm AS warm,
    g.price_per_unit AS price_per_unit, g.pixels_per_unit AS pixels_per_unit,
    g.orchestrator_version AS orchestrator_version,
    concat(g.orchestrator_url, '|', g.gpu_model_name, '|', toString(ifNull(g.gpu_memory_bytes_total, 0))) AS sku_fingerprint,
    nullIf(f.first_seen_ts, toDateTime64(0, 3, 'UTC')) AS first_seen_ts, g.last_seen_ts AS last_seen_ts,
    toUInt32(greatest(0, age('second', g.last_seen_ts, now64(3, 'UTC')))) AS age_seconds,
    age_seconds <= 1800 AS is_fresh,
    g.source_event_uid AS source_event_uid
FROM newest AS g
LEFT JOIN (SELECT * FROM dim_orchestrator_gpu_first_seen FINAL) AS f
    ON f.org = g.org AND f.orchestrator_url = g.orchestrator_url
    AND f.orchestrator_address = g.orchestrator_address AND f.gpu_id = g.gpu_id
WHERE g.version = g.newest_of_node AND g.gpu_id != '' AND g.last_seen_ts > now64(3, 'UTC') - INTERVAL 24 HOUR
