WITH
    (value -> greatest(0, least(1, value))) AS clamped,
    -- 1 up to the usual value, 0 from the unusual one on, a line between; equal edges make a step.
    ((value, best, worst) -> multiIf(value <= best, 1, value >= worst, 0, 1 - (value - best) / (worst - best))) AS fall,
    ((value, worst, best) -> multiIf(value >= best, 1, value <= worst, 0, (value - worst) / (best - worst))) AS rise,
    ((raw, weight) -> clamped(0.5 + least(weight, 1) * (raw - 0.5))) AS damped,
    isNull(h.avg_prompt_to_first_frame_ms) OR b.ptff_rows < 48 AS ptff_neutral,
    isNull(h.avg_e2e_latency_ms) OR b.e2e_rows < 48 AS e2e_neutral,
    isNull(h.avg_output_fps) OR b.fps_rows < 48 AS fps_neutral,
    if(ptff_neutral, 0.5, damped(fall(ifNull(h.avg_prompt_to_first_frame_ms, 0), b.ptff_p50, b.ptff_p90),
        h.prompt_to_first_frame_sample_count / 10)) AS ptff,
    if(e2e_neutral, 0.5, damped(fall(ifNull(h.avg_e2e_latency_ms, 0), b.e2e_p50, b.e2e_p90),
        h.e2e_latency_sample_count / 10)) AS e2e,
    if(fps_neutral, 0.5, damped(rise(ifNull(h.avg_output_fps, 0), b.fps_p10, b.fps_p50), h.status_samples / 30)) AS fps,
    clamped(0.6 * ptff + 0.4 * e2e) AS latency,
    clamped(0.6 * latency + 0.4 * fps) AS quality,
    if(h.known_sessions_count = 0, NULL,
        0.4 * clamped(assumeNotNull(h.startup_playable_rate)) + 0.2 * clamped(assumeNotNull(h.no_swap_rate))
            + 0.4 * clamped(assumeNotNull(h.output_viability_rate))) AS reliability
SELECT
    h.org AS org, h.window_start AS window_start, h.orchestrator_address AS orchestrator_address,
    h.pipeline_id AS pipeline_id, nullIf(h.model_id, '') AS model_id, nullIf(h.gpu_id, '') AS gpu_id,
    nullIf(h.region, '') AS region,
    h.known_sessions_count AS known_sessions_count, h.status_samples AS status_samples,
    h.prompt_to_first_frame_sample_count AS prompt_to_first_frame_sample_count,
    h.e2e_latency_sample_count AS e2e_latency_sample_count,
    h.health_signal_coverage_ratio AS health_signal_coverage_ratio,
    toDate(h.window_start) AS benchmark_date,
    b.ptff_rows AS ptff_row_count, b.e2e_rows AS e2e_row_count, b.fps_rows AS fps_row_count,
    reliability AS reliability_score, ptff AS ptff_score, e2e AS e2e_score, latency AS latency_score,
    fps AS fps_score, quality AS quality_score,
    ptff_neutral AND e2e_neutral AND fps_neutral AS is_neutral,
    100 * h.health_signal_coverage_ratio * (0.7 * reliability + 0.3 * quality) AS shadow_score,
    h.sla_score AS sla_score,
    'quality-benchmark-v1' AS quality_semantics_version
FROM v_orchestrator_hours AS h
LEFT JOIN (
    SELECT pipeline_id, model_id, toDate(window_start) + days AS for_date,
        sum(ptff_row_count) AS ptff_rows, sum(e2e_row_count) AS e2e_rows, sum(fps_row_count) AS fps_rows,
        sum(ifNull(p1, 0) * ptff_row_count) / 1e6 / ptff_rows AS ptff_p50,
        sum(ifNull(p2, 0) * ptff_row_count) / 1e6 / ptff_rows AS ptff_p90,
        sum(ifNull(p3, 0) * e2e_row_count) / 1e6 / e2e_rows AS e2e_p50,
        sum(ifNull(p4, 0) * e2e_row_count) / 1e6 / e2e_rows AS e2e_p90,
        sum(ifNull(p5, 0) * fps_row_count) / 1e6 / fps_rows AS fps_p10,
        sum(ifNull(p6, 0) * fps_row_count) / 1e6 / fps_rows AS fps_p50
    FROM (
        SELECT pipeline_id, model_id, window_start, ptff_row_count, e2e_row_count, fps_row_count,
            ptff_p50 AS p1, ptff_p90 AS p2, e2e_p50 AS p3, e2e_p90 AS p4, fps_p10 AS p5, fps_p50 AS p6
        FROM v_agg_quality_benchmark_1d
    ) AS daily
    ARRAY JOIN [1, 2, 3, 4, 5, 6, 7] AS days
    GROUP BY pipeline_id, model_id, for_date
) AS b ON b.pipeline_id = h.pipeline_id AND b.model_id = h.model_id AND b.for_date = toDate(h.window_start)
