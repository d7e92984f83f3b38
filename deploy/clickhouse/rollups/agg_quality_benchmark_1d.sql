-- Reads the valid rows of agg_orchestrator_1h, of all organisations.
WITH rows AS (
    SELECT toDateTime64(toStartOfDay(window_start), 3, 'UTC') AS day, pipeline_id, model_id,
        if(prompt_to_first_frame_sample_count = 0, NULL,
            intDiv(prompt_to_first_frame_sum, prompt_to_first_frame_sample_count)) AS ptff,
        if(e2e_latency_sample_count = 0, NULL, intDiv(e2e_latency_sum, e2e_latency_sample_count)) AS e2e,
        if(status_samples = 0, NULL, intDiv(output_fps_sum, status_samples)) AS fps
    FROM v_agg_orchestrator_1h
    WHERE pipeline_id != '' AND toDateTime64(toStartOfDay(window_start), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
)
SELECT
    '' AS org, day AS window_start, pipeline_id, model_id,
    if(ptff_row_count = 0, NULL, toUInt64(quantileExactInclusiveIf(0.5)(assumeNotNull(ptff), isNotNull(ptff)))) AS ptff_p50,
    if(ptff_row_count = 0, NULL, toUInt64(quantileExactInclusiveIf(0.9)(assumeNotNull(ptff), isNotNull(ptff)))) AS ptff_p90,
    countIf(isNotNull(ptff)) AS ptff_row_count,
    if(e2e_row_count = 0, NULL, toUInt64(quantileExactInclusiveIf(0.5)(assumeNotNull(e2e), isNotNull(e2e)))) AS e2e_p50,
    if(e2e_row_count = 0, NULL, toUInt64(quantileExactInclusiveIf(0.9)(assumeNotNull(e2e), isNotNull(e2e)))) AS e2e_p90,
    countIf(isNotNull(e2e)) AS e2e_row_count,
    if(fps_row_count = 0, NULL, toUInt64(quantileExactInclusiveIf(0.1)(assumeNotNull(fps), isNotNull(fps)))) AS fps_p10,
    if(fps_row_count = 0, NULL, toUInt64(quantileExactInclusiveIf(0.5)(assumeNotNull(fps), isNotNull(fps)))) AS fps_p50,
    countIf(isNotNull(fps)) AS fps_row_count
FROM rows
GROUP BY day, pipeline_id, model_id
