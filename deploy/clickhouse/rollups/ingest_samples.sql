-- Reads fact_stream_ingest_samples, fact_workflow_sessions. A session counts under its own names, so that
-- samples and sessions without any meet in one row.
    (v -> if(v < 32, toUInt32(v), toUInt32(32 * (floor(log2(v)) - 4) + bitAnd(bitShiftRight(v, toUInt8(floor(log2(v)) - 5)), 31)))) AS bucket,
    (ms -> toUInt64(round(ifNull(ms, 0) * 1e6))) AS millionths,
    (list -> arrayMap(ms -> bucket(toUInt64(round(assumeNotNull(ms) * 1e3))), arrayFilter(ms -> isNotNull(ms), list))) AS buckets,
    (list -> arrayMap(b -> toUInt64(1), list)) AS ones,
    sampled AS (
        SELECT
            i.*,
            buckets([i.video_jitter_ms]) AS video_jitters, buckets([i.audio_jitter_ms]) AS audio_jitters,
            buckets([i.video_rtt_ms, i.audio_rtt_ms]) AS rtts,
            buckets([i.video_media_latency_ms, i.audio_media_latency_ms]) AS media_latencies,
            if(s.workflow_session_id = '', i.gateway, s.gateway) AS key_gateway,
            if(s.workflow_session_id = '', i.pipeline, s.pipeline) AS key_pipeline,
            if(s.workflow_session_id = '', i.model_id, s.model_id) AS key_model,
            if(s.workflow_session_id = '', i.region, s.region) AS key_region,
            s.known_stream AS of_known
        FROM (
            SELECT * FROM fact_stream_ingest_samples FINAL
            WHERE org = {org:String} AND toDateTime64(toStartOfHour(gateway_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
        ) AS i
        LEFT JOIN (
            SELECT workflow_session_id, gateway, pipeline, model_id, region, known_stream
            FROM fact_workflow_sessions FINAL
            WHERE org = {org:String} AND workflow_session_id IN (
                SELECT workflow_session_id FROM fact_stream_ingest_samples
                WHERE org = {org:String} AND toDateTime64(toStartOfHour(gateway_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))})
        ) AS s ON s.workflow_session_id = i.workflow_session_id
    ),
    figures AS (
        SELECT
            toDateTime64(toStartOfHour(gateway_ts), 3, 'UTC') AS window_start,
            toDateTime64(toStartOfInterval(gateway_ts, grain), 3, 'UTC') AS minute_start,
            key_gateway, key_pipeline, key_model, key_region,
            uniqExactIf(workflow_session_id, of_known) AS known_sessions_with_samples,
            count() AS samples, uniqExact(workflow_session_id) AS sessions,
            sum(bytes_received_delta) AS bytes_received, sum(bytes_sent_delta) AS bytes_sent,
            sumIf(bytes_received_delta, is_rated) AS rated_bytes_received,
            sumIf(bytes_sent_delta, is_rated) AS rated_bytes_sent,
            sumIf(ifNull(interval_ms, 0), is_rated) AS observed_ms,
            sum(ifNull(video_packets_received_delta, 0)) AS video_packets_received,
            sum(ifNull(video_packets_lost_delta, 0)) AS video_packets_lost,
            sum(ifNull(audio_packets_received_delta, 0)) AS audio_packets_received,
            sum(ifNull(audio_packets_lost_delta, 0)) AS audio_packets_lost,
            sum(millionths(video_jitter_ms)) AS video_jitter_sum, count(video_jitter_ms) AS video_jitter_samples,
            sumMap(video_jitters, ones(video_jitters)) AS video_jitter_map,
            video_jitter_map.1 AS video_jitter_buckets, video_jitter_map.2 AS video_jitter_counts,
            sum(millionths(audio_jitter_ms)) AS audio_jitter_sum, count(audio_jitter_ms) AS audio_jitter_samples,
            sumMap(audio_jitters, ones(audio_jitters)) AS audio_jitter_map,
            audio_jitter_map.1 AS audio_jitter_buckets, audio_jitter_map.2 AS audio_jitter_counts,
            sum(millionths(video_rtt_ms)) + sum(millionths(audio_rtt_ms)) AS rtt_sum, count(video_rtt_ms) + count(audio_rtt_ms) AS rtt_samples,
            sumMap(rtts, ones(rtts)) AS rtt_map,
            rtt_map.1 AS rtt_buckets, rtt_map.2 AS rtt_counts,
            sum(millionths(video_media_latency_ms)) + sum(millionths(audio_media_latency_ms)) AS media_latency_sum, count(video_media_latency_ms) + count(audio_media_latency_ms) AS media_latency_samples,
            sumMap(media_latencies, ones(media_latencies)) AS media_latency_map,
            media_latency_map.1 AS media_latency_buckets, media_latency_map.2 AS media_latency_counts,
            countIf(connection_quality = 'good') AS good_samples, countIf(connection_quality = 'bad') AS bad_samples,
            countIf(connection_quality NOT IN ('good', 'bad')) AS other_samples
        FROM sampled
        GROUP BY window_start, minute_start, key_gateway, key_pipeline, key_model, key_region
    )
