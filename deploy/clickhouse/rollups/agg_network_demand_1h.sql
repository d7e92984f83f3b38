-- Reads fact_session_status_hours (attributed, tails too), fact_workflow_sessions, fact_payment_events,
-- dim_orchestrator_capability_snapshots, dim_orchestrator_capability_model_constraints.
WITH
    started AS (
        SELECT *, toStartOfHour(session_start_ts) AS hour
        FROM fact_workflow_sessions FINAL
        WHERE org = {org:String} AND toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
    ),
    -- The pipeline of a key that has only one.
    pipelines AS (
        SELECT hour, gateway, region, lower(model_id) AS model, min(pipeline) AS only_pipeline
        FROM started
        WHERE pipeline != ''
        GROUP BY hour, gateway, region, model
        HAVING uniqExact(lower(pipeline)) = 1
    ),
    observed AS (
        SELECT
            window_start AS hour, gateway, region, pipeline, model_id, orchestrator_address, gpu_id,
            workflow_session_id AS sampled, active_ms, status_samples, output_fps_sum, output_fps_sumsq,
            '' AS started_id, 0 AS started_ms, [0] AS counts,
            0 AS payments_count, 0 AS ticket_count, toUInt256(0) AS face_value, toDecimal256(0, 10) AS expected_value
        FROM fact_session_status_hours FINAL
        WHERE org = {org:String} AND window_start IN {hours:Array(DateTime64(3, 'UTC'))}
            AND orchestrator_address != ''
        UNION ALL
        SELECT
            hour, gateway, region, pipeline, model_id, orchestrator_address, gpu_id,
            '' AS sampled, 0 AS active_ms, 0 AS status_samples, 0 AS output_fps_sum, 0 AS output_fps_sumsq,
            workflow_session_id AS started_id, toUnixTimestamp64Milli(session_start_ts) AS started_ms,
            arrayMap(n -> if(known_stream, toUInt64(n), 0), [
                known_stream, startup_success, startup_excused, startup_unexcused,
                confirmed_swap_count > 0, inferred_orchestrator_change_count > 0,
                confirmed_swap_count > 0 OR inferred_orchestrator_change_count > 0,
                error_count > 0, last_error_occurred, loading_only_session, zero_output_fps_session,
                loading_only_session OR zero_output_fps_session,
                startup_unexcused OR loading_only_session OR zero_output_fps_session,
                status_error_sample_count, health_signal_count, health_expected_signal_count,
                orchestrator_address != '', orchestrator_address = '',
                orchestrator_address = '' AND selection_count > 0, no_orchestrators, gpu_id = ''
            ]) AS counts,
            0 AS payments_count, 0 AS ticket_count, toUInt256(0) AS face_value, toDecimal256(0, 10) AS expected_value
        FROM started
        UNION ALL
        SELECT
            toStartOfHour(payment_ts) AS hour, p.gateway AS gateway, '' AS region, p.pipeline AS pipeline,
            p.model_id AS model_id, recipient AS orchestrator_address, '' AS gpu_id,
            '' AS sampled, 0 AS active_ms, 0 AS status_samples, 0 AS output_fps_sum, 0 AS output_fps_sumsq,
            '' AS started_id, 0 AS started_ms, [0] AS counts,
            1 AS payments_count, num_tickets AS ticket_count, face_value_wei AS face_value,
            expected_value_wei AS expected_value
        FROM fact_payment_events AS p FINAL
        WHERE org = {org:String} AND toDateTime64(toStartOfHour(payment_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
    ),
    -- A pipeline that is the model is none; without one, the only one of the key is taken.
    named AS (
        SELECT o.* EXCEPT (pipeline),
            if(o.pipeline != '' AND o.model_id != '' AND lower(o.pipeline) = lower(o.model_id), '', o.pipeline) AS own,
            if(own = '', p.only_pipeline, own) AS chosen,
            if(o.model_id != '' AND lower(chosen) = lower(o.model_id), '', chosen) AS pipeline_id
        FROM observed AS o
        LEFT JOIN pipelines AS p
            ON p.hour = o.hour AND p.gateway = o.gateway AND p.region = o.region AND p.model = lower(o.model_id)
    ),
    -- With the GPU of the session that started last among those of a key with one.
    placed AS (
        SELECT *, argMaxIf(gpu_id, (started_ms, started_id), started_id != '' AND gpu_id != '') OVER (
            PARTITION BY hour, gateway, orchestrator_address, region, pipeline_id, model_id) AS last_gpu
        FROM named
    ),
    totals AS (
        SELECT
            hour, at, region AS of_region, gateway AS of_gateway, pipeline_id AS of_pipeline,
            if(at = 'pipeline', '', model_id) AS of_model,
            if(at = 'gpu', orchestrator_address, '') AS of_orchestrator,
            if(at = 'gpu', if(gpu_id = '', last_gpu, gpu_id), '') AS of_gpu,
            uniqExactIf(sampled, sampled != '') AS sessions,
            sum(active_ms) AS active, sum(status_samples) AS samples,
            sum(output_fps_sum) AS fps_sum, sum(output_fps_sumsq) AS fps_sumsq,
            sumIf(status_samples, gpu_id = '') AS without_gpu,
            sumForEach(counts) AS n,
            sum(payments_count) AS payments, sum(ticket_count) AS tickets, sum(face_value) AS face,
            sum(expected_value) AS expected
        FROM placed
        ARRAY JOIN ['gpu', 'model', 'pipeline'] AS at
        GROUP BY hour, at, of_region, of_gateway, of_pipeline, of_model, of_orchestrator, of_gpu
    ),
    gpu_names AS (
        SELECT wanted_hour, orchestrator_address AS address, model_id AS model, lower(gpu_id) AS gpu,
            argMax(gpu_name, (snapshot_ts, source_event_uid, element)) AS name
        FROM (
            SELECT snapshot_ts, source_event_uid, element, orchestrator_address, model_id, gpu_id, gpu_name,
                arrayJoin({hours:Array(DateTime64(3, 'UTC'))}) AS wanted_hour
            FROM dim_orchestrator_capability_snapshots FINAL
            WHERE org = {org:String} AND gpu_id != ''
                AND snapshot_ts > arrayMin({hours:Array(DateTime64(3, 'UTC'))}) - INTERVAL 23 HOUR
                AND snapshot_ts <= arrayMax({hours:Array(DateTime64(3, 'UTC'))}) + INTERVAL 1 HOUR
        )
        WHERE snapshot_ts > wanted_hour - INTERVAL 23 HOUR AND snapshot_ts <= wanted_hour + INTERVAL 1 HOUR
        GROUP BY wanted_hour, address, model, gpu
    ),
    slots AS (
        SELECT wanted_hour, orchestrator_address AS address, model_id AS model,
            argMax((capacity, 1), (snapshot_ts, source_event_uid, element)).1 AS newest
        FROM (
            SELECT snapshot_ts, source_event_uid, element, orchestrator_address, model_id, capacity,
                arrayJoin({hours:Array(DateTime64(3, 'UTC'))}) AS wanted_hour
            FROM dim_orchestrator_capability_model_constraints FINAL
            WHERE org = {org:String}
                AND snapshot_ts > arrayMin({hours:Array(DateTime64(3, 'UTC'))}) - INTERVAL 23 HOUR
                AND snapshot_ts <= arrayMax({hours:Array(DateTime64(3, 'UTC'))}) + INTERVAL 1 HOUR
        )
        WHERE snapshot_ts > wanted_hour - INTERVAL 23 HOUR AND snapshot_ts <= wanted_hour + INTERVAL 1 HOUR
        GROUP BY wanted_hour, address, model
    )
SELECT
    {org:String} AS org, hour AS window_start, at AS grain, of_gateway AS gateway, of_region AS region,
    of_pipeline AS pipeline_id, of_model AS model_id, of_orchestrator AS orchestrator_address, of_gpu AS gpu_id,
    sessions AS sessions_count, active AS active_ms, samples AS status_samples,
    fps_sum AS output_fps_sum, fps_sumsq AS output_fps_sumsq,
    n[1] AS known_sessions_count, n[2] AS startup_success_sessions, n[3] AS startup_excused_sessions,
    n[4] AS startup_unexcused_sessions, n[5] AS confirmed_swapped_sessions, n[6] AS inferred_swap_sessions,
    n[7] AS total_swapped_sessions, n[8] AS sessions_with_errors, n[9] AS sessions_ending_in_error,
    n[10] AS loading_only_sessions, n[11] AS zero_output_fps_sessions, n[12] AS output_failed_sessions,
    n[13] AS effective_failed_sessions, n[14] AS error_status_samples, n[15] AS health_signal_count,
    n[16] AS health_expected_signal_count, n[17] AS served_sessions, n[18] AS unserved_sessions,
    n[19] AS unattributed_sessions, n[20] AS no_orch_sessions,
    without_gpu AS gpu_fallback_samples, n[21] AS gpu_fallback_sessions,
    gpu_names.name AS gpu_model_name, slots.newest AS advertised_capacity,
    payments AS payments_count, tickets AS ticket_count, face AS ticket_face_value_wei,
    expected AS ticket_expected_value_wei
FROM totals
LEFT JOIN gpu_names
    ON gpu_names.wanted_hour = hour AND gpu_names.address = of_orchestrator
    AND gpu_names.model = of_model AND gpu_names.gpu = lower(of_gpu)
LEFT JOIN slots
    ON slots.wanted_hour = hour AND slots.address = of_orchestrator AND slots.model = of_model
