-- Reads fact_session_status_hours (gold-eligible, no tails), fact_workflow_sessions,
-- fact_workflow_latency_samples (v2), dim_orchestrator_capability_snapshots.
WITH
    -- What every part reads instead of the evidence, which would be computed again each time.
    present AS (
        SELECT workflow_session_id, window_start, orchestrator_address, model_id, gpu_id
        FROM fact_session_status_hours
        WHERE org = {org:String} AND window_start IN {hours:Array(DateTime64(3, 'UTC'))}
    ),
    -- The first status hour of a session in gold: what counts once counts there.
    starts AS (
        SELECT workflow_session_id, min((window_start, segment_index, identity_index)) AS first
        FROM fact_session_status_hours FINAL
        WHERE org = {org:String} AND workflow_session_id IN (SELECT workflow_session_id FROM present)
            AND attribution_source IN {gold:Array(String)} AND orchestrator_address != '' AND is_terminal_tail_artifact = 0
        GROUP BY workflow_session_id
    ),
    evidence AS (
        SELECT window_start, orchestrator_address, pipeline, model_id, gpu_id, region, workflow_session_id,
            max((workflow_session_id, window_start, segment_index, identity_index) IN (SELECT workflow_session_id, first.1, first.2, first.3 FROM starts))
                AS is_start,
            sum(status_samples) AS samples,
            sum(output_fps_sum) AS fps_sum,
            sum(output_fps_sumsq) AS fps_sumsq,
            sumForEach(output_fps_histogram) AS fps_histogram,
            sum(active_ms) AS active
        FROM fact_session_status_hours FINAL
        WHERE org = {org:String} AND window_start IN {hours:Array(DateTime64(3, 'UTC'))}
            AND attribution_source IN {gold:Array(String)} AND orchestrator_address != '' AND is_terminal_tail_artifact = 0
        GROUP BY window_start, orchestrator_address, pipeline, model_id, gpu_id, region, workflow_session_id
    ),
    sessions AS (
        SELECT workflow_session_id, known_stream, startup_success, startup_excused, startup_unexcused,
            confirmed_swap_count > 0 AS is_confirmed_swap,
            inferred_orchestrator_change_count > 0 AS is_inferred_swap,
            error_count > 0 AS has_errors, last_error_occurred, loading_only_session,
            zero_output_fps_session, status_error_sample_count, health_signal_count,
            health_expected_signal_count
        FROM fact_workflow_sessions FINAL
        WHERE org = {org:String} AND workflow_session_id IN (SELECT workflow_session_id FROM present)
    ),
    latencies AS (
        SELECT workflow_session_id, prompt_to_first_frame_ms, startup_time_ms,
            if(late_trickle, NULL, e2e_latency_ms) AS e2e_ms
        FROM fact_workflow_latency_samples FINAL
        WHERE org = {org:String} AND edge_semantics_version = 'v2'
            AND workflow_session_id IN (SELECT workflow_session_id FROM present)
    ),
    advertised AS (
        SELECT window_start, address, model, gpu,
            argMax(
                (
                    orchestrator_url, orchestrator_version, runner_version, gpu_name,
                    if(isNull(gpu_major) OR isNull(gpu_minor), '',
                        concat(toString(assumeNotNull(gpu_major)), '.', toString(assumeNotNull(gpu_minor)))),
                    gpu_memory_total, gpu_memory_free, capacity, capacity_in_use, warm,
                    price_per_unit, pixels_per_unit, snapshot_ts
                ),
                (snapshot_ts, source_event_uid, element)
            ) AS newest
        FROM (
            SELECT DISTINCT window_start, orchestrator_address AS address, model_id AS model, lower(gpu_id) AS gpu
            FROM present
            WHERE gpu_id != ''
        ) AS wanted
        INNER JOIN (
            SELECT *
            FROM dim_orchestrator_capability_snapshots FINAL
            WHERE org = {org:String} AND gpu_id != ''
                AND snapshot_ts > arrayMin({hours:Array(DateTime64(3, 'UTC'))}) - INTERVAL 23 HOUR
                AND snapshot_ts <= arrayMax({hours:Array(DateTime64(3, 'UTC'))}) + INTERVAL 1 HOUR
        ) AS snapshots
            ON snapshots.orchestrator_address = wanted.address AND snapshots.model_id = wanted.model
            AND lower(snapshots.gpu_id) = wanted.gpu
        WHERE snapshots.snapshot_ts > wanted.window_start - INTERVAL 23 HOUR
            AND snapshots.snapshot_ts <= wanted.window_start + INTERVAL 1 HOUR
        GROUP BY window_start, address, model, gpu
    ),
    served AS (
        SELECT
            e.window_start AS window_start, e.orchestrator_address AS orchestrator_address,
            e.pipeline AS pipeline_id, e.model_id AS model_id, e.gpu_id AS gpu_id, e.region AS region,
            count() AS sessions_count,
            countIf(s.known_stream AND e.is_start) AS session_starts,
            countIf(s.known_stream) AS known_sessions_count,
            countIf(s.known_stream AND s.startup_success) AS startup_success_sessions,
            countIf(s.known_stream AND s.startup_excused) AS startup_excused_sessions,
            countIf(s.known_stream AND s.startup_unexcused) AS startup_unexcused_sessions,
            countIf(s.known_stream AND s.is_confirmed_swap) AS confirmed_swapped_sessions,
            countIf(s.known_stream AND s.is_inferred_swap) AS inferred_swap_sessions,
            countIf(s.known_stream AND (s.is_confirmed_swap OR s.is_inferred_swap)) AS total_swapped_sessions,
            countIf(s.known_stream AND s.has_errors) AS sessions_with_errors,
            countIf(s.known_stream AND s.last_error_occurred) AS sessions_ending_in_error,
            countIf(s.known_stream AND s.loading_only_session) AS loading_only_sessions,
            countIf(s.known_stream AND s.zero_output_fps_session) AS zero_output_fps_sessions,
            countIf(s.known_stream AND (s.loading_only_session OR s.zero_output_fps_session)) AS output_failed_sessions,
            countIf(s.known_stream AND (s.startup_unexcused OR s.loading_only_session OR s.zero_output_fps_session))
                AS effective_failed_sessions,
            sumIf(s.status_error_sample_count, s.known_stream) AS error_status_samples,
            sumIf(s.health_signal_count, s.known_stream) AS health_signal_count,
            sumIf(s.health_expected_signal_count, s.known_stream) AS health_expected_signal_count,
            sum(e.samples) AS status_samples,
            sum(e.fps_sum) AS output_fps_sum,
            sum(e.fps_sumsq) AS output_fps_sumsq,
            sumForEach(e.fps_histogram) AS fps_histogram,
            sum(e.active) AS active_ms,
            groupArrayIf(assumeNotNull(l.prompt_to_first_frame_ms), e.is_start AND isNotNull(l.prompt_to_first_frame_ms)) AS prompts,
            groupArrayIf(assumeNotNull(l.startup_time_ms), e.is_start AND isNotNull(l.startup_time_ms)) AS startups,
            groupArrayIf(assumeNotNull(l.e2e_ms), e.is_start AND isNotNull(l.e2e_ms)) AS ends
        FROM evidence AS e
        INNER JOIN sessions AS s ON s.workflow_session_id = e.workflow_session_id
        LEFT JOIN latencies AS l ON l.workflow_session_id = e.workflow_session_id
        GROUP BY e.window_start, e.orchestrator_address, e.pipeline, e.model_id, e.gpu_id, e.region
    ),
    -- The bucket of a latency, as naap_protocol::frames has it for steps of 0.1 frames.
    (ms -> toUInt32(least(greatest(ms, 0), 4294967295))) AS steps,
    (ms -> if(steps(ms) < 32, steps(ms),
        32 * (toUInt32(floor(log2(steps(ms)))) - 5)
            + bitShiftRight(steps(ms), toUInt32(floor(log2(steps(ms)))) - 5))) AS bucket,
    (values -> arrayMap(b -> toUInt32(countEqual(arrayMap(ms -> toUInt32(bucket(ms)), values), toUInt32(b))),
        if(empty(values), [], range(toUInt32(arrayMax(arrayMap(ms -> bucket(ms), values)) + 1))))) AS histogram
SELECT
    {org:String} AS org, served.window_start AS window_start, served.orchestrator_address AS orchestrator_address,
    pipeline_id, served.model_id AS model_id, served.gpu_id AS gpu_id, region,
    sessions_count, session_starts, known_sessions_count, startup_success_sessions, startup_excused_sessions,
    startup_unexcused_sessions, confirmed_swapped_sessions, inferred_swap_sessions, total_swapped_sessions,
    sessions_with_errors, sessions_ending_in_error, loading_only_sessions, zero_output_fps_sessions,
    output_failed_sessions, effective_failed_sessions, error_status_samples, health_signal_count,
    health_expected_signal_count, status_samples, output_fps_sum, output_fps_sumsq,
    arrayMap(n -> toUInt32(n), fps_histogram) AS output_fps_histogram, active_ms,
    length(prompts) AS prompt_to_first_frame_sample_count,
    arraySum(arrayMap(ms -> toUInt64(round(ms * 1e6)), prompts)) AS prompt_to_first_frame_sum,
    histogram(prompts) AS prompt_to_first_frame_histogram,
    length(startups) AS startup_latency_sample_count,
    arraySum(arrayMap(ms -> toUInt64(round(ms * 1e6)), startups)) AS startup_latency_sum,
    histogram(startups) AS startup_latency_histogram,
    length(ends) AS e2e_latency_sample_count,
    arraySum(arrayMap(ms -> toUInt64(round(ms * 1e6)), ends)) AS e2e_latency_sum,
    histogram(ends) AS e2e_latency_histogram,
    newest.1 AS orchestrator_url, newest.2 AS orchestrator_version, newest.3 AS runner_version,
    newest.4 AS gpu_model_name, newest.5 AS compute_capability, newest.6 AS gpu_memory_bytes_total,
    newest.7 AS gpu_memory_bytes_free, newest.8 AS capacity, newest.9 AS capacity_in_use, newest.10 AS warm,
    newest.11 AS price_per_unit, newest.12 AS pixels_per_unit,
    if(newest.13 = 0, NULL, newest.13) AS metadata_snapshot_ts
FROM served
LEFT JOIN advertised
    ON advertised.window_start = served.window_start AND advertised.address = served.orchestrator_address
    AND advertised.model = served.model_id AND advertised.gpu = lower(served.gpu_id)
