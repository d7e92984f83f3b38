-- Views of payments, transport legs and inventory, written by hand. Append-only once released: never edit,
-- add a file.

CREATE VIEW IF NOT EXISTS fact_payment_events
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    payment_ts DateTime64(3, 'UTC') COMMENT 'Envelope time, UTC, gateway clock.',
    workflow_session_id String COMMENT 'Session that was paid for; \'\' when not linked.',
    link_method String COMMENT 'How the session was found: `request_id`, `session_id_heuristic` or `none`.',
    request_id String COMMENT 'Request id, only on the first payment of a stream; \'\' otherwise.',
    session_id String COMMENT 'Auth-token session at the orchestrator, not a stream session; \'\' when absent.',
    manifest_id String COMMENT 'Manifest id as sent; \'\' when absent.',
    gateway LowCardinality(String) COMMENT 'Gateway of the signal; \'\' when unknown.',
    sender String COMMENT 'Payer wallet of the gateway, normalised; \'\' when unknown.',
    recipient String COMMENT 'Canonical orchestrator wallet, normalised; \'\' when unknown.',
    orchestrator_url String COMMENT 'Service URI of the orchestrator, verbatim; \'\' when unknown.',
    pipeline String COMMENT 'Workflow class of the linked session, else of the model; \'\' when unknown.',
    model_id String COMMENT 'Model label of the linked session, else of the manifest; \'\' when unknown.',
    face_value_wei UInt256 COMMENT 'Face value of one ticket, wei.',
    num_tickets UInt32 COMMENT 'Number of tickets.',
    win_prob Decimal(18, 10) COMMENT 'Winning probability of one ticket, 0 to 1.',
    expected_value_wei Decimal(76, 10) COMMENT 'Face value times probability times tickets, wei.',
    price_wei_per_pixel Decimal(38, 3) COMMENT 'Price, wei per pixel.',
    face_value_text String COMMENT 'Face value with its unit, verbatim.',
    source_event_uid String COMMENT 'Uid of the event that this row is about; never empty.',
    version UInt64 COMMENT 'Write version (epoch and sequence) of the payment.'
)
AS WITH
    sessions AS (
        SELECT org, request_id, session_start_ts, argMin((workflow_session_id, pipeline, model_id), workflow_session_id) AS named
        FROM fact_workflow_sessions FINAL
        WHERE request_id != ''
        GROUP BY org, request_id, session_start_ts
    ),
    -- The session with the request id that started last, at most a minute after the payment.
    own AS (
        SELECT p.*, if(s.request_id = '', ('', '', ''), s.named) AS named
        FROM (SELECT *, payment_ts + INTERVAL 1 MINUTE AS latest_start FROM fact_payment_tickets FINAL) AS p
        ASOF LEFT JOIN sessions AS s
            ON s.org = p.org AND s.request_id = p.request_id AND s.session_start_ts <= p.latest_start
        SETTINGS join_use_nulls = 0
    ),
    firsts AS (
        SELECT org, session_id, recipient, payment_ts, argMin(named, source_event_uid) AS first_named
        FROM own
        WHERE named.1 != ''
        GROUP BY org, session_id, recipient, payment_ts
    ),
    -- A payment without request id is for the session of the last one with, of the same
    -- orchestrator session, if that is not older than a day.
    n.request_id = '' AND f.session_id != '' AND f.payment_ts >= n.payment_ts - INTERVAL 24 HOUR AS heuristic
SELECT
    n.org AS org, n.payment_ts AS payment_ts,
    multiIf(n.named.1 != '', n.named.1, heuristic, f.first_named.1, '') AS workflow_session_id,
    multiIf(n.named.1 != '', 'request_id', heuristic, 'session_id_heuristic', 'none') AS link_method,
    n.request_id AS request_id, n.session_id AS session_id, n.manifest_id AS manifest_id,
    n.gateway AS gateway, n.sender AS sender, n.recipient AS recipient, n.orchestrator_url AS orchestrator_url,
    multiIf(n.named.2 != '', n.named.2, heuristic AND f.first_named.2 != '', f.first_named.2, n.pipeline) AS pipeline,
    multiIf(n.named.3 != '', n.named.3, heuristic AND f.first_named.3 != '', f.first_named.3, n.model_id) AS model_id,
    n.face_value_wei AS face_value_wei, n.num_tickets AS num_tickets, n.win_prob AS win_prob,
    n.expected_value_wei AS expected_value_wei, n.price_wei_per_pixel AS price_wei_per_pixel,
    n.face_value_text AS face_value_text, n.source_event_uid AS source_event_uid, n.version AS version
FROM own AS n
ASOF LEFT JOIN firsts AS f
    ON f.org = n.org AND f.session_id = n.session_id AND f.recipient = n.recipient AND f.payment_ts <= n.payment_ts
SETTINGS join_use_nulls = 0
COMMENT 'Payment tickets in wei with the session they were for: one row per payment event.';

CREATE VIEW IF NOT EXISTS v_api_gpu_inventory_current
AS WITH
    newest AS (
        SELECT *, max(version) OVER (PARTITION BY org, orchestrator_url) AS newest_of_url
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
    f.first_seen_ts AS first_seen_ts, g.last_seen_ts AS last_seen_ts,
    toUInt32(greatest(0, dateDiff('second', g.last_seen_ts, now64(3, 'UTC')))) AS age_seconds,
    age_seconds <= 1800 AS is_fresh,
    g.source_event_uid AS source_event_uid
FROM newest AS g
LEFT JOIN (SELECT * FROM dim_orchestrator_gpu_first_seen FINAL) AS f
    ON f.org = g.org AND f.orchestrator_url = g.orchestrator_url
    AND f.orchestrator_address = g.orchestrator_address AND f.gpu_id = g.gpu_id
WHERE g.version = g.newest_of_url AND g.gpu_id != '' AND g.last_seen_ts > now64(3, 'UTC') - INTERVAL 24 HOUR
COMMENT 'GPUs advertised now: one row per node and GPU of the newest event of its URL, up to 24 hours old. Advertised, not used.';

CREATE VIEW IF NOT EXISTS v_api_transport_bandwidth
AS WITH
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
COMMENT 'Bandwidth that sessions used between gateway and orchestrator, down (to it) and up (from it): one row per hour and key. Not the capacity of links.';

CREATE VIEW IF NOT EXISTS v_api_ingest_quality
AS WITH
    (b -> if(b < 32, toUInt64(b), bitShiftLeft(toUInt64(32 + b % 32), toUInt8(intDiv(b, 32) - 1)))) AS lower_bound,
    ((buckets, counts) -> if(empty(counts), NULL,
        lower_bound(buckets[arrayFirstIndex(n -> n >= 0.95 * arraySum(counts), arrayCumSum(counts))]) / 1000)) AS p95,
    ((total, n) -> if(n = 0, NULL, total / 1e6 / n)) AS mean,
    ((lost, received) -> if(lost + received = 0, NULL, lost / (lost + received))) AS loss
SELECT
    h.org AS org, h.window_start AS window_start, h.gateway AS gateway, h.pipeline_id AS pipeline_id,
    nullIf(h.model_id, '') AS model_id, nullIf(h.region, '') AS region,
    h.sessions AS ingest_sessions, h.samples AS samples,
    if(h.samples = 0, NULL, h.bytes_received) AS bytes_received,
    if(h.samples = 0, NULL, h.bytes_sent) AS bytes_sent,
    if(h.observed_ms = 0, NULL, 8 * h.rated_bytes_received / h.observed_ms) AS ingest_rx_kbps_avg,
    if(h.observed_ms = 0, NULL, 8 * h.rated_bytes_sent / h.observed_ms) AS ingest_tx_kbps_avg,
    mean(h.video_jitter_sum, h.video_jitter_samples) AS video_jitter_ms_avg,
    p95(h.video_jitter_buckets, h.video_jitter_counts) AS video_jitter_ms_p95,
    mean(h.audio_jitter_sum, h.audio_jitter_samples) AS audio_jitter_ms_avg,
    p95(h.audio_jitter_buckets, h.audio_jitter_counts) AS audio_jitter_ms_p95,
    mean(h.rtt_sum, h.rtt_samples) AS rtt_ms_avg,
    p95(h.rtt_buckets, h.rtt_counts) AS rtt_ms_p95,
    loss(h.video_packets_lost, h.video_packets_received) AS video_loss_ratio,
    loss(h.audio_packets_lost, h.audio_packets_received) AS audio_loss_ratio,
    mean(h.media_latency_sum, h.media_latency_samples) AS media_latency_ms_avg,
    p95(h.media_latency_buckets, h.media_latency_counts) AS media_latency_ms_p95,
    if(h.samples = 0, NULL, h.bad_samples / h.samples) AS bad_quality_ratio,
    if(h.known_sessions = 0, NULL, least(1, h.known_sessions_with_samples / h.known_sessions)) AS ingest_coverage_ratio,
    h.known_sessions AS known_sessions, h.observed_ms AS observed_ms, h.session_ms AS session_ms,
    multiIf(h.samples = 0, 'no_telemetry', h.observed_ms >= 0.5 * h.session_ms, 'ok', 'partial') AS telemetry_status,
    h.window_state AS window_state, h.revision AS revision, h.refreshed_at AS refreshed_at
FROM v_agg_ingest_quality_1h AS h
COMMENT 'Quality between WHIP clients and gateway: one row per hour and key. Says nothing of orchestrators.';

CREATE VIEW IF NOT EXISTS v_session_capacity_at_start
AS SELECT
    s.org AS org, s.workflow_session_id AS workflow_session_id,
    max(c.capacity) AS capacity_units_at_start, max(c.snapshot_ts) AS capacity_snapshot_ts
FROM (
    SELECT org, workflow_session_id,
        argMin((selected_snapshot_event_uid, orchestrator_address, orchestrator_url, model_id), segment_index) AS chosen
    FROM fact_workflow_session_segments FINAL
    WHERE selected_snapshot_event_uid != ''
    GROUP BY org, workflow_session_id
) AS s
INNER JOIN (
    SELECT org, source_event_uid, orchestrator_address, orchestrator_url, model_id, capacity, snapshot_ts
    FROM dim_orchestrator_capability_model_constraints FINAL
    WHERE isNotNull(capacity)
) AS c ON c.org = s.org AND c.source_event_uid = s.chosen.1 AND c.orchestrator_address = s.chosen.2
WHERE lower(trimRight(c.orchestrator_url, '/')) = lower(trimRight(s.chosen.3, '/')) AND lower(c.model_id) = lower(s.chosen.4)
GROUP BY org, workflow_session_id
COMMENT 'Advertised capacity of the node and model that a session was assigned to first: one row per session where it is known.';
