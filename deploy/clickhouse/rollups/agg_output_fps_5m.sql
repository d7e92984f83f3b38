-- Reads fact_stream_status_samples (gold-eligible).
SELECT
    org, toStartOfHour(gateway_ts) AS window_start,
    toStartOfFiveMinutes(gateway_ts) AS window_start_5m,
    orchestrator_address, pipeline AS pipeline_id, model_id, gpu_id, region,
    count() AS status_samples,
    sum(toUInt64(round(greatest(toFloat64(output_fps), 0) * 1e6))) AS output_fps_sum,
    sum(toUInt64(round(pow(greatest(toFloat64(output_fps), 0), 2) * 1e6))) AS output_fps_sumsq
FROM fact_stream_status_samples AS s FINAL
WHERE s.org = {org:String} AND toDateTime64(toStartOfHour(gateway_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
    AND is_attributed = 1 AND attribution_source IN {gold:Array(String)} AND orchestrator_address != ''
GROUP BY org, window_start, window_start_5m, orchestrator_address, pipeline_id, model_id, gpu_id, region
