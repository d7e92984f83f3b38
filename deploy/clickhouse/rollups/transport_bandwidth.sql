-- Reads fact_orchestrator_transport_bandwidth (gateways, media), fact_workflow_session_segments, fact_workflow_sessions.
-- A delta is split over the minutes of its interval in proportion to time, the remainder to the last
-- one. One of more than an hour, which carries no rate, goes to the minute in which it ends.
    (v -> if(v < 32, toUInt32(v), toUInt32(32 * (floor(log2(v)) - 4) + bitAnd(bitShiftRight(v, toUInt8(floor(log2(v)) - 5)), 31)))) AS bucket,
    samples AS (
        SELECT
            workflow_session_id, link_type, orchestrator_address, gateway, pipeline, model_id, gpu_id, region,
            rx_bytes, tx_bytes, rx_segments + tx_segments AS segments, failed_segments, dropped_segments,
            isNotNull(rx_bps) AS is_rated,
            toUnixTimestamp64Milli(sample_ts) AS ends,
            if(ifNull(interval_ms, 0) > 3600000, 0, toInt64(ifNull(interval_ms, 0))) AS lasted,
            intDiv(ends - lasted, 60000) AS first_minute,
            intDiv(ends - if(lasted > 0, 1, 0), 60000) AS last_minute,
            arrayMap(m -> (m, greatest(0, least(ends, (m + 1) * 60000) - greatest(ends - lasted, m * 60000))),
                range(first_minute, last_minute + 1)) AS minutes,
            arrayPopBack(arrayMap(m -> toUInt64(intDiv(toUInt128(rx_bytes) * toUInt128(m.2), greatest(lasted, 1))), minutes)) AS rx_floors,
            arrayPopBack(arrayMap(m -> toUInt64(intDiv(toUInt128(tx_bytes) * toUInt128(m.2), greatest(lasted, 1))), minutes)) AS tx_floors
        FROM fact_orchestrator_transport_bandwidth FINAL
        WHERE org = {org:String} AND observer = 'gateway' AND channel = 'media'
            AND (toDateTime64(toStartOfHour(sample_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
                OR toDateTime64(toStartOfHour(sample_ts - INTERVAL 1 HOUR), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))})
    ),
    counted AS (
        SELECT
            link_type, orchestrator_address, gateway, pipeline, model_id, gpu_id, region, workflow_session_id,
            is_rated,
            arrayJoin(arrayZip(
                minutes,
                arrayPushBack(rx_floors, toUInt64(rx_bytes - arraySum(rx_floors))),
                arrayPushBack(tx_floors, toUInt64(tx_bytes - arraySum(tx_floors)))
            )) AS piece,
            fromUnixTimestamp64Milli(piece.1.1 * 60000, 'UTC') AS minute_start,
            piece.1.1 = last_minute AS is_last,
            piece.2 AS rx, piece.3 AS tx,
            if(is_rated, toUInt64(piece.1.2), toUInt64(0)) AS observed,
            toUInt64(0) AS expected,
            is_last AS sampled, segments * is_last AS segments,
            failed_segments * is_last AS failed, dropped_segments * is_last AS dropped
        FROM samples
    ),
    ran AS (
        SELECT
            g.orchestrator_address AS orchestrator_address, g.gateway AS gateway, g.pipeline AS pipeline,
            g.model_id AS model_id, g.gpu_id AS gpu_id, g.region AS region,
            g.workflow_session_id AS workflow_session_id,
            toUnixTimestamp64Milli(g.segment_start_ts) AS starts,
            toUnixTimestamp64Milli(ifNull(g.segment_end_ts, ifNull(s.session_end_ts, g.segment_start_ts))) AS ends,
            arrayJoin({hours:Array(DateTime64(3, 'UTC'))}) AS hour,
            toUnixTimestamp64Milli(hour) AS hour_ms
        FROM (
            SELECT * FROM fact_workflow_session_segments FINAL
            WHERE org = {org:String} AND orchestrator_address != ''
                AND segment_start_ts < arrayMax({hours:Array(DateTime64(3, 'UTC'))}) + INTERVAL 1 HOUR
        ) AS g
        INNER JOIN (
            SELECT workflow_session_id, session_end_ts, segment_count
            FROM fact_workflow_sessions FINAL
            WHERE org = {org:String} AND ifNull(session_end_ts, session_start_ts) >= arrayMin({hours:Array(DateTime64(3, 'UTC'))})
        ) AS s ON s.workflow_session_id = g.workflow_session_id
        WHERE g.segment_index < s.segment_count AND starts < ends AND starts < hour_ms + 3600000 AND ends > hour_ms
    ),
    expected AS (
        SELECT
            'gateway_to_orchestrator' AS link_type, orchestrator_address, gateway, pipeline, model_id, gpu_id,
            region, workflow_session_id, 0 AS is_rated,
            arrayJoin(range(intDiv(greatest(starts, hour_ms), 60000),
                intDiv(least(ends, hour_ms + 3600000) - 1, 60000) + 1)) AS minute,
            fromUnixTimestamp64Milli(toInt64(minute) * 60000, 'UTC') AS minute_start,
            toUInt64(0) AS rx, toUInt64(0) AS tx, toUInt64(0) AS observed,
            toUInt64(least(ends, (minute + 1) * 60000) - greatest(starts, minute * 60000)) AS expected,
            0 AS sampled, toUInt64(0) AS segments, toUInt64(0) AS failed, toUInt64(0) AS dropped
        FROM ran
    ),
    -- One row per session, minute and identity: rates are those of a session in a minute.
    session_minutes AS (
        SELECT
            link_type, orchestrator_address, gateway, pipeline, model_id, gpu_id, region, workflow_session_id,
            minute_start, sum(x.rx) AS rx, sum(x.tx) AS tx, sumIf(x.rx, x.is_rated) AS rated_rx,
            sumIf(x.tx, x.is_rated) AS rated_tx, sum(x.observed) AS observed, sum(x.expected) AS expected,
            sum(x.sampled) AS sampled, sum(x.segments) AS segments, sum(x.failed) AS failed, sum(x.dropped) AS dropped
        FROM (
            SELECT link_type, orchestrator_address, gateway, pipeline, model_id, gpu_id, region,
                workflow_session_id, is_rated, minute_start, rx, tx, observed, expected, sampled, segments, failed, dropped
            FROM counted
            UNION ALL
            SELECT link_type, orchestrator_address, gateway, pipeline, model_id, gpu_id, region,
                workflow_session_id, is_rated, minute_start, rx, tx, observed, expected, sampled, segments, failed, dropped
            FROM expected
        ) AS x
        GROUP BY link_type, orchestrator_address, gateway, pipeline, model_id, gpu_id, region, workflow_session_id, minute_start
    )
SELECT
    {org:String} AS org, toDateTime64(toStartOfHour(m.minute_start), 3, 'UTC') AS window_start,
    toDateTime64(toStartOfInterval(m.minute_start, grain), 3, 'UTC') AS minute_start, link_type,
    orchestrator_address, gateway, pipeline AS pipeline_id, model_id, gpu_id, region,
    sum(m.rx) AS rx_bytes, sum(m.tx) AS tx_bytes, sum(m.rated_rx) AS rated_rx_bytes,
    sum(m.rated_tx) AS rated_tx_bytes, sum(m.observed) AS observed_ms, sum(m.expected) AS expected_ms,
    sum(m.sampled) AS samples, sum(m.segments) AS segments, sum(m.failed) AS failed_segments,
    sum(m.dropped) AS dropped_segments,
    uniqExactIf(m.workflow_session_id, m.rx + m.tx + m.observed + m.sampled > 0) AS sessions,
    sumMapIf([bucket(intDiv(m.rated_rx * 8, greatest(m.observed, 1)))], [toUInt64(1)], m.observed > 0) AS rx_rates,
    sumMapIf([bucket(intDiv(m.rated_tx * 8, greatest(m.observed, 1)))], [toUInt64(1)], m.observed > 0) AS tx_rates,
    rx_rates.1 AS rx_rate_buckets, rx_rates.2 AS rx_rate_counts,
    tx_rates.1 AS tx_rate_buckets, tx_rates.2 AS tx_rate_counts
FROM session_minutes AS m
WHERE toDateTime64(toStartOfHour(m.minute_start), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
GROUP BY window_start, minute_start, link_type, orchestrator_address, gateway, pipeline_id, model_id, gpu_id, region
