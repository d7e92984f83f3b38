WITH f.output_fps_sum / 1e6 / f.status_samples AS mean
SELECT
    f.org AS org, f.window_start_5m AS window_start_5m, f.orchestrator_address AS orchestrator_address,
    f.pipeline_id AS pipeline, nullIf(f.model_id, '') AS model_id, nullIf(f.gpu_id, '') AS gpu_id,
    nullIf(f.region, '') AS region,
    mean AS avg_output_fps,
    if(f.output_fps_sum = 0, NULL,
        sqrt(greatest(0, f.output_fps_sumsq / 1e6 / f.status_samples - mean * mean)) / mean) AS jitter_coeff_fps,
    f.status_samples AS status_samples
FROM v_agg_output_fps_5m AS f
WHERE f.status_samples >= 5
