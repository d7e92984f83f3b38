-- Generated from protocol/src/views: views only, so applied again when changed.

CREATE OR REPLACE VIEW v_orchestrator_hours AS
WITH
    -- Where the bucket begins that holds the 95th of 100 values, in steps; buckets as naap_protocol::frames.
    (histogram -> toUInt32(arrayFirstIndex(n -> 20 * n >= 19 * arraySum(histogram), arrayCumSum(histogram)) - 1)) AS bucket95,
    (histogram -> if(bucket95(histogram) < 32, toUInt64(bucket95(histogram)),
        bitShiftLeft(toUInt64(32 + bucket95(histogram) % 32), intDiv(bucket95(histogram), 32) - 1))) AS steps95,
    r.output_fps_sum / 1e6 / r.status_samples AS fps_mean,
    1 - r.startup_unexcused_sessions / r.known_sessions_count AS startup,
    1 - r.total_swapped_sessions / r.known_sessions_count AS no_swap,
    1 - r.output_failed_sessions / r.known_sessions_count AS viability,
    if(r.health_expected_signal_count = 0, 1, least(1, r.health_signal_count / r.health_expected_signal_count)) AS health,
    if(r.known_sessions_count = 0, NULL, 100 * health * (0.4 * startup + 0.2 * no_swap + 0.4 * viability)) AS score,
    -- An exact 90 can come out as 89.99999999999999.
    round(score, 9) AS rounded,
    multiIf(
        r.known_sessions_count = 0, 'no_demand',
        r.known_sessions_count < 5 OR r.status_samples < 30, 'low_sample',
        health < 0.6, 'low_coverage',
        'valid'
    ) AS validity
SELECT
    r.org AS org, r.window_start AS window_start, r.orchestrator_address AS orchestrator_address,
    r.pipeline_id AS pipeline_id, r.model_id AS model_id, r.gpu_id AS gpu_id, r.region AS region,
    r.sessions_count AS sessions_count, r.session_starts AS session_starts,
    r.known_sessions_count AS known_sessions_count,
    r.startup_success_sessions AS startup_success_sessions,
    r.startup_excused_sessions AS startup_excused_sessions,
    r.startup_unexcused_sessions AS startup_unexcused_sessions,
    r.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    r.inferred_swap_sessions AS inferred_swap_sessions,
    r.total_swapped_sessions AS total_swapped_sessions,
    r.sessions_with_errors AS sessions_with_errors,
    r.sessions_ending_in_error AS sessions_ending_in_error,
    r.loading_only_sessions AS loading_only_sessions,
    r.zero_output_fps_sessions AS zero_output_fps_sessions,
    r.output_failed_sessions AS output_failed_sessions,
    r.effective_failed_sessions AS effective_failed_sessions,
    r.error_status_samples AS error_status_samples,
    r.health_signal_count AS health_signal_count,
    r.health_expected_signal_count AS health_expected_signal_count,
    health AS health_signal_coverage_ratio,
    r.status_samples AS status_samples, r.output_fps_sum AS output_fps_sum,
    r.output_fps_sumsq AS output_fps_sumsq, r.active_ms AS active_ms,
    if(r.status_samples = 0, NULL, fps_mean) AS avg_output_fps,
    if(r.status_samples = 0, NULL, steps95(r.output_fps_histogram) / 10) AS p95_output_fps,
    if(r.status_samples = 0 OR r.output_fps_sum = 0, NULL,
        sqrt(greatest(0, r.output_fps_sumsq / 1e6 / r.status_samples - fps_mean * fps_mean)) / fps_mean) AS fps_jitter_coefficient,
    r.prompt_to_first_frame_sample_count AS prompt_to_first_frame_sample_count,
    r.startup_latency_sample_count AS startup_latency_sample_count,
    r.e2e_latency_sample_count AS e2e_latency_sample_count,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        r.prompt_to_first_frame_sum / 1e6 / r.prompt_to_first_frame_sample_count) AS avg_prompt_to_first_frame_ms,
    if(r.startup_latency_sample_count = 0, NULL,
        r.startup_latency_sum / 1e6 / r.startup_latency_sample_count) AS avg_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL,
        r.e2e_latency_sum / 1e6 / r.e2e_latency_sample_count) AS avg_e2e_latency_ms,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        steps95(r.prompt_to_first_frame_histogram)) AS p95_prompt_to_first_frame_latency_ms,
    if(r.startup_latency_sample_count = 0, NULL, steps95(r.startup_latency_histogram)) AS p95_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL, steps95(r.e2e_latency_histogram)) AS p95_e2e_latency_ms,
    if(r.known_sessions_count = 0, NULL, r.startup_unexcused_sessions / r.known_sessions_count) AS startup_unexcused_rate,
    if(r.known_sessions_count = 0, NULL, r.total_swapped_sessions / r.known_sessions_count) AS swap_rate,
    if(r.known_sessions_count = 0, NULL, startup) AS startup_success_rate,
    if(r.known_sessions_count = 0, NULL, r.startup_success_sessions / r.known_sessions_count) AS startup_playable_rate,
    if(r.known_sessions_count = 0, NULL, 1 - r.effective_failed_sessions / r.known_sessions_count) AS effective_success_rate,
    if(r.known_sessions_count = 0, NULL, no_swap) AS no_swap_rate,
    if(r.known_sessions_count = 0, NULL, viability) AS output_viability_rate,
    score AS sla_score, validity AS sla_validity,
    if(validity != 'valid', NULL, multiIf(rounded >= 95, 'compliant', rounded >= 90, 'at_risk', 'breach')) AS sla_class,
    'sla-v1' AS sla_semantics_version,
    nullIf(r.orchestrator_url, '') AS orchestrator_url, nullIf(r.orchestrator_version, '') AS orchestrator_version,
    nullIf(r.runner_version, '') AS runner_version, nullIf(r.gpu_model_name, '') AS gpu_model_name,
    nullIf(r.compute_capability, '') AS cuda_version,
    r.gpu_memory_bytes_total AS gpu_memory_bytes_total, r.gpu_memory_bytes_free AS gpu_memory_bytes_free,
    r.capacity AS capacity, r.capacity_in_use AS capacity_in_use, r.warm AS warm,
    r.price_per_unit AS price_per_unit, r.pixels_per_unit AS pixels_per_unit,
    r.metadata_snapshot_ts AS metadata_snapshot_ts,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_orchestrator_1h AS r FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_orchestrator_1h'
) AS slices ON slices.org = r.org AND slices.window_start = r.window_start
WHERE r.slice_version >= slices.slice_version
COMMENT 'Figures and scores of orchestrators by hour, from which the views of them are read.';

CREATE OR REPLACE VIEW v_gpu_hours AS
SELECT
    h.org AS org, h.window_start AS window_start, h.orchestrator_address AS orchestrator_address,
    h.pipeline_id AS pipeline_id, nullIf(h.model_id, '') AS model_id, nullIf(h.gpu_id, '') AS gpu_id,
    nullIf(h.region, '') AS region,
    h.* EXCEPT (org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region),
    if(b.observed = 0, NULL, 8 * b.rx / b.observed / 1000) AS down_mbps_avg,
    if(b.observed = 0, NULL, 8 * b.tx / b.observed / 1000) AS up_mbps_avg,
    multiIf(b.sending = 0, 'no_telemetry', b.observed >= 0.8 * b.expected AND b.expected > 0, 'ok', 'partial') AS bandwidth_status
FROM (
WITH
    -- Where the bucket begins that holds the 95th of 100 values, in steps; buckets as naap_protocol::frames.
    (histogram -> toUInt32(arrayFirstIndex(n -> 20 * n >= 19 * arraySum(histogram), arrayCumSum(histogram)) - 1)) AS bucket95,
    (histogram -> if(bucket95(histogram) < 32, toUInt64(bucket95(histogram)),
        bitShiftLeft(toUInt64(32 + bucket95(histogram) % 32), intDiv(bucket95(histogram), 32) - 1))) AS steps95,
    r.output_fps_sum / 1e6 / r.status_samples AS fps_mean,
    1 - r.startup_unexcused_sessions / r.known_sessions_count AS startup,
    1 - r.total_swapped_sessions / r.known_sessions_count AS no_swap,
    1 - r.output_failed_sessions / r.known_sessions_count AS viability,
    if(r.health_expected_signal_count = 0, 1, least(1, r.health_signal_count / r.health_expected_signal_count)) AS health,
    if(r.known_sessions_count = 0, NULL, 100 * health * (0.4 * startup + 0.2 * no_swap + 0.4 * viability)) AS score,
    -- An exact 90 can come out as 89.99999999999999.
    round(score, 9) AS rounded,
    multiIf(
        r.known_sessions_count = 0, 'no_demand',
        r.known_sessions_count < 5 OR r.status_samples < 30, 'low_sample',
        health < 0.6, 'low_coverage',
        'valid'
    ) AS validity
SELECT
    r.org AS org, r.window_start AS window_start, r.orchestrator_address AS orchestrator_address,
    r.pipeline_id AS pipeline_id, r.model_id AS model_id, r.gpu_id AS gpu_id, r.region AS region,
    r.sessions_count AS sessions_count, r.session_starts AS session_starts,
    r.known_sessions_count AS known_sessions_count,
    r.startup_success_sessions AS startup_success_sessions,
    r.startup_excused_sessions AS startup_excused_sessions,
    r.startup_unexcused_sessions AS startup_unexcused_sessions,
    r.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    r.inferred_swap_sessions AS inferred_swap_sessions,
    r.total_swapped_sessions AS total_swapped_sessions,
    r.sessions_with_errors AS sessions_with_errors,
    r.sessions_ending_in_error AS sessions_ending_in_error,
    r.loading_only_sessions AS loading_only_sessions,
    r.zero_output_fps_sessions AS zero_output_fps_sessions,
    r.output_failed_sessions AS output_failed_sessions,
    r.effective_failed_sessions AS effective_failed_sessions,
    r.error_status_samples AS error_status_samples,
    r.health_signal_count AS health_signal_count,
    r.health_expected_signal_count AS health_expected_signal_count,
    health AS health_signal_coverage_ratio,
    r.status_samples AS status_samples, r.output_fps_sum AS output_fps_sum,
    r.output_fps_sumsq AS output_fps_sumsq, r.active_ms AS active_ms,
    if(r.status_samples = 0, NULL, fps_mean) AS avg_output_fps,
    if(r.status_samples = 0, NULL, steps95(r.output_fps_histogram) / 10) AS p95_output_fps,
    if(r.status_samples = 0 OR r.output_fps_sum = 0, NULL,
        sqrt(greatest(0, r.output_fps_sumsq / 1e6 / r.status_samples - fps_mean * fps_mean)) / fps_mean) AS fps_jitter_coefficient,
    r.prompt_to_first_frame_sample_count AS prompt_to_first_frame_sample_count,
    r.startup_latency_sample_count AS startup_latency_sample_count,
    r.e2e_latency_sample_count AS e2e_latency_sample_count,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        r.prompt_to_first_frame_sum / 1e6 / r.prompt_to_first_frame_sample_count) AS avg_prompt_to_first_frame_ms,
    if(r.startup_latency_sample_count = 0, NULL,
        r.startup_latency_sum / 1e6 / r.startup_latency_sample_count) AS avg_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL,
        r.e2e_latency_sum / 1e6 / r.e2e_latency_sample_count) AS avg_e2e_latency_ms,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        steps95(r.prompt_to_first_frame_histogram)) AS p95_prompt_to_first_frame_latency_ms,
    if(r.startup_latency_sample_count = 0, NULL, steps95(r.startup_latency_histogram)) AS p95_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL, steps95(r.e2e_latency_histogram)) AS p95_e2e_latency_ms,
    if(r.known_sessions_count = 0, NULL, r.startup_unexcused_sessions / r.known_sessions_count) AS startup_unexcused_rate,
    if(r.known_sessions_count = 0, NULL, r.total_swapped_sessions / r.known_sessions_count) AS swap_rate,
    if(r.known_sessions_count = 0, NULL, startup) AS startup_success_rate,
    if(r.known_sessions_count = 0, NULL, r.startup_success_sessions / r.known_sessions_count) AS startup_playable_rate,
    if(r.known_sessions_count = 0, NULL, 1 - r.effective_failed_sessions / r.known_sessions_count) AS effective_success_rate,
    if(r.known_sessions_count = 0, NULL, no_swap) AS no_swap_rate,
    if(r.known_sessions_count = 0, NULL, viability) AS output_viability_rate,
    score AS sla_score, validity AS sla_validity,
    if(validity != 'valid', NULL, multiIf(rounded >= 95, 'compliant', rounded >= 90, 'at_risk', 'breach')) AS sla_class,
    'sla-v1' AS sla_semantics_version,
    nullIf(r.orchestrator_url, '') AS orchestrator_url, nullIf(r.orchestrator_version, '') AS orchestrator_version,
    nullIf(r.runner_version, '') AS runner_version, nullIf(r.gpu_model_name, '') AS gpu_model_name,
    nullIf(r.compute_capability, '') AS cuda_version,
    r.gpu_memory_bytes_total AS gpu_memory_bytes_total, r.gpu_memory_bytes_free AS gpu_memory_bytes_free,
    r.capacity AS capacity, r.capacity_in_use AS capacity_in_use, r.warm AS warm,
    r.price_per_unit AS price_per_unit, r.pixels_per_unit AS pixels_per_unit,
    r.metadata_snapshot_ts AS metadata_snapshot_ts,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_orchestrator_1h AS r FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_orchestrator_1h'
) AS slices ON slices.org = r.org AND slices.window_start = r.window_start
WHERE r.slice_version >= slices.slice_version
) AS h
LEFT JOIN (
    SELECT org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region,
        sum(rated_rx_bytes) AS rx, sum(rated_tx_bytes) AS tx, sum(observed_ms) AS observed,
        sum(expected_ms) AS expected, sum(sessions) AS sending
    FROM v_agg_transport_bandwidth_1h
    WHERE link_type = 'gateway_to_orchestrator' AND gpu_id != ''
    GROUP BY org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region
) AS b
    ON b.org = h.org AND b.window_start = h.window_start AND b.orchestrator_address = h.orchestrator_address
    AND b.pipeline_id = h.pipeline_id AND b.model_id = h.model_id AND b.gpu_id = h.gpu_id AND b.region = h.region
WHERE h.gpu_id != '' AND (h.pipeline_id != '' OR h.model_id != '')
SETTINGS join_use_nulls = 0
COMMENT 'Figures of GPUs by hour with the bandwidth of all their gateways, from which the views of them are read.';

CREATE OR REPLACE VIEW v_demand_hours AS
SELECT
    d.org AS org, d.window_start AS window_start, d.grain AS grain, d.gateway AS gateway, d.region AS region,
    d.pipeline_id AS pipeline_id, d.model_id AS model_id, d.orchestrator_address AS orchestrator_address,
    d.gpu_id AS gpu_id, d.sessions_count AS sessions_count, d.active_ms AS active_ms,
    d.active_ms / 60000 AS total_minutes,
    d.status_samples AS status_samples, d.output_fps_sum AS output_fps_sum, d.output_fps_sumsq AS output_fps_sumsq,
    if(d.status_samples = 0, NULL, d.output_fps_sum / 1e6 / d.status_samples) AS avg_output_fps,
    d.known_sessions_count AS known_sessions_count, d.served_sessions AS served_sessions,
    d.unserved_sessions AS unserved_sessions,
    d.served_sessions + d.unserved_sessions AS total_demand_sessions,
    d.unattributed_sessions AS unattributed_sessions, d.no_orch_sessions AS no_orch_sessions,
    d.startup_success_sessions AS startup_success_sessions,
    d.startup_excused_sessions AS startup_excused_sessions,
    d.startup_unexcused_sessions AS startup_unexcused_sessions,
    d.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    d.inferred_swap_sessions AS inferred_swap_sessions,
    d.total_swapped_sessions AS total_swapped_sessions,
    d.sessions_with_errors AS sessions_with_errors,
    d.sessions_ending_in_error AS sessions_ending_in_error,
    d.loading_only_sessions AS loading_only_sessions,
    d.zero_output_fps_sessions AS zero_output_fps_sessions,
    d.output_failed_sessions AS output_failed_sessions,
    d.effective_failed_sessions AS effective_failed_sessions,
    d.error_status_samples AS error_status_samples,
    d.health_signal_count AS health_signal_count,
    d.health_expected_signal_count AS health_expected_signal_count,
    if(d.health_expected_signal_count = 0, 1, least(1, d.health_signal_count / d.health_expected_signal_count))
        AS health_signal_coverage_ratio,
    if(d.known_sessions_count = 0, NULL, 1 - d.startup_unexcused_sessions / d.known_sessions_count) AS startup_success_rate,
    if(d.known_sessions_count = 0, NULL, d.startup_success_sessions / d.known_sessions_count) AS startup_playable_rate,
    if(d.known_sessions_count = 0, NULL, 1 - d.effective_failed_sessions / d.known_sessions_count) AS effective_success_rate,
    if(d.known_sessions_count = 0, NULL, d.unserved_sessions / d.known_sessions_count) AS unserved_rate,
    d.payments_count AS payments_count, d.ticket_count AS ticket_count,
    toFloat64(d.ticket_face_value_wei) / 1e18 AS ticket_face_value_eth,
    toFloat64(d.ticket_expected_value_wei) / 1e18 AS ticket_expected_value_eth,
    d.gpu_fallback_samples AS gpu_fallback_samples, d.gpu_fallback_sessions AS gpu_fallback_sessions,
    d.gpu_model_name AS gpu_model_name, d.advertised_capacity AS advertised_capacity,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_network_demand_1h AS d FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_network_demand_1h'
) AS slices ON slices.org = d.org AND slices.window_start = d.window_start
WHERE d.slice_version >= slices.slice_version
COMMENT 'Figures of demand by hour at all grains, from which the views of demand are read.';

CREATE OR REPLACE VIEW v_api_gpu_metrics
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock: of the status evidence unless the view says otherwise.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; never empty.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(Nullable(String)) COMMENT 'Model label as advertised; NULL when unknown.',
    gpu_id Nullable(String) COMMENT 'GPU uuid; NULL when unknown or when several GPUs fit.',
    region LowCardinality(Nullable(String)) COMMENT 'Region; NULL as long as no producer sends one.',
    gpu_model_name LowCardinality(Nullable(String)) COMMENT 'GPU product name in the newest advertisement up to the end of the hour, at most 24 h old; NULL without one.',
    gpu_memory_bytes_total Nullable(UInt64) COMMENT 'GPU memory in it, bytes; NULL without one.',
    runner_version LowCardinality(Nullable(String)) COMMENT 'Version of the runner in it; NULL when unknown.',
    cuda_version LowCardinality(Nullable(String)) COMMENT 'Compute capability in it, `major.minor`; NULL when unknown.',
    avg_output_fps Nullable(Float64) COMMENT 'Mean output frames per second, samples of zero included; NULL without samples.',
    p95_output_fps Nullable(Float32) COMMENT '95th of 100 output frames per second: begin of its log bucket, within 1/32 of the value; NULL without samples. Not to be aggregated.',
    fps_jitter_coefficient Nullable(Float64) COMMENT 'Population standard deviation of output frames over their mean; NULL without samples or at mean 0.',
    active_ms UInt64 COMMENT 'Active time, ms: from each sample to the session\'s next one, at most 30 s and not beyond the hour.',
    status_samples UInt64 COMMENT 'Status samples.',
    output_fps_sum UInt64 COMMENT 'Sum of output frames per second over the samples, units of 0.000001.',
    output_fps_sumsq UInt64 COMMENT 'Sum of their squares, units of 0.000001: variance = sumsq / n - mean squared.',
    avg_prompt_to_first_frame_ms Nullable(Float64) COMMENT 'Mean latency from prompt to playable, ms; each session counts in its first evidence hour; NULL without one.',
    p95_prompt_to_first_frame_latency_ms Nullable(Float32) COMMENT '95th of 100 of them, ms: begin of its log bucket, exact below 32 ms, within 1/32 of the value above; NULL without one. Not to be aggregated.',
    prompt_to_first_frame_sample_count UInt64 COMMENT 'Sessions that have it.',
    avg_startup_latency_ms Nullable(Float64) COMMENT 'Mean latency from request to first processed segment, ms; each session counts in its first evidence hour; NULL without one.',
    p95_startup_latency_ms Nullable(Float32) COMMENT '95th of 100 of them, ms: begin of its log bucket, exact below 32 ms, within 1/32 of the value above; NULL without one. Not to be aggregated.',
    startup_latency_sample_count UInt64 COMMENT 'Sessions that have it.',
    avg_e2e_latency_ms Nullable(Float64) COMMENT 'Mean latency from first ingest segment sent to first output relayed, ms; each session counts in its first evidence hour; NULL without one.',
    p95_e2e_latency_ms Nullable(Float32) COMMENT '95th of 100 of them, ms: begin of its log bucket, exact below 32 ms, within 1/32 of the value above; NULL without one. Not to be aggregated.',
    e2e_latency_sample_count UInt64 COMMENT 'Sessions that have it.',
    sessions_count UInt64 COMMENT 'Distinct sessions with evidence in the hour, known or not; not to be summed over hours.',
    session_starts UInt64 COMMENT 'Known sessions whose first evidence hour and identity this is: their sum over any rows counts no session twice.',
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace; sum over rows of the view\'s own anchor.',
    startup_success_sessions UInt64 COMMENT 'Known sessions that became playable; at most the known ones.',
    startup_excused_sessions UInt64 COMMENT 'Known sessions that did not start and are excused.',
    startup_unexcused_sessions UInt64 COMMENT 'Known sessions that did not start and are not excused; success + excused + unexcused = known.',
    confirmed_swapped_sessions UInt64 COMMENT 'Known sessions with an explicit swap trace.',
    inferred_swap_sessions UInt64 COMMENT 'Known sessions with more than one canonical orchestrator.',
    total_swapped_sessions UInt64 COMMENT 'Known sessions with either: a union, at most the sum of both.',
    sessions_with_errors UInt64 COMMENT 'Known sessions with an error event.',
    sessions_ending_in_error UInt64 COMMENT 'Known sessions with an error text in any status sample, whenever it was.',
    loading_only_sessions UInt64 COMMENT 'Known sessions with status samples that were all `LOADING`.',
    zero_output_fps_sessions UInt64 COMMENT 'Known sessions with status samples of which none had output frames.',
    output_failed_sessions UInt64 COMMENT 'Known sessions that are loading-only or without output: a union.',
    effective_failed_sessions UInt64 COMMENT 'Known sessions that are unexcused, loading-only or without output: a union.',
    error_status_samples UInt64 COMMENT 'Status samples with an error text over the whole life of the known sessions.',
    health_signal_count UInt64 COMMENT 'Health signals seen of the known sessions, up to 3 each.',
    health_expected_signal_count UInt64 COMMENT 'Health signals expected of the known sessions, 3 each.',
    health_signal_coverage_ratio Float64 COMMENT 'Seen over expected health signals, 0 to 1; 1 when none is expected.',
    startup_unexcused_rate Nullable(Float64) COMMENT 'Unexcused / known, 0 to 1; NULL when none is known.',
    swap_rate Nullable(Float64) COMMENT 'Total swapped / known, 0 to 1; NULL when none is known.',
    up_mbps_avg Nullable(Float64) COMMENT 'Mean bandwidth that a session used from the orchestrator, Mbit/s, media over all gateways: bytes of rated intervals by their time; NULL without any. Used, not the capacity of a link.',
    down_mbps_avg Nullable(Float64) COMMENT 'Mean bandwidth that a session used to the orchestrator, Mbit/s, media over all gateways: bytes of rated intervals by their time; NULL without any. Used, not the capacity of a link.',
    bandwidth_status LowCardinality(String) COMMENT '`ok` when rated intervals cover 0.8 of the time that segments ran, `partial` below, `no_telemetry` without any sample; never of the client leg.',
    window_state LowCardinality(String) COMMENT '`provisional` until 10 min after the hour, `settled` until 48 h after it and until every session in it is closed or silent for 48 h, then `final`; by the store\'s clock.',
    revision UInt64 COMMENT 'Changes after settling, summed where a row covers several hours.'
)
AS SELECT org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region, gpu_model_name, gpu_memory_bytes_total, runner_version, cuda_version, avg_output_fps, p95_output_fps, fps_jitter_coefficient, active_ms, status_samples, output_fps_sum, output_fps_sumsq, avg_prompt_to_first_frame_ms, p95_prompt_to_first_frame_latency_ms, prompt_to_first_frame_sample_count, avg_startup_latency_ms, p95_startup_latency_ms, startup_latency_sample_count, avg_e2e_latency_ms, p95_e2e_latency_ms, e2e_latency_sample_count, sessions_count, session_starts, known_sessions_count, startup_success_sessions, startup_excused_sessions, startup_unexcused_sessions, confirmed_swapped_sessions, inferred_swap_sessions, total_swapped_sessions, sessions_with_errors, sessions_ending_in_error, loading_only_sessions, zero_output_fps_sessions, output_failed_sessions, effective_failed_sessions, error_status_samples, health_signal_count, health_expected_signal_count, health_signal_coverage_ratio, startup_unexcused_rate, swap_rate, up_mbps_avg, down_mbps_avg, bandwidth_status, window_state, revision
FROM (
SELECT
    h.org AS org, h.window_start AS window_start, h.orchestrator_address AS orchestrator_address,
    h.pipeline_id AS pipeline_id, nullIf(h.model_id, '') AS model_id, nullIf(h.gpu_id, '') AS gpu_id,
    nullIf(h.region, '') AS region,
    h.* EXCEPT (org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region),
    if(b.observed = 0, NULL, 8 * b.rx / b.observed / 1000) AS down_mbps_avg,
    if(b.observed = 0, NULL, 8 * b.tx / b.observed / 1000) AS up_mbps_avg,
    multiIf(b.sending = 0, 'no_telemetry', b.observed >= 0.8 * b.expected AND b.expected > 0, 'ok', 'partial') AS bandwidth_status
FROM (
WITH
    -- Where the bucket begins that holds the 95th of 100 values, in steps; buckets as naap_protocol::frames.
    (histogram -> toUInt32(arrayFirstIndex(n -> 20 * n >= 19 * arraySum(histogram), arrayCumSum(histogram)) - 1)) AS bucket95,
    (histogram -> if(bucket95(histogram) < 32, toUInt64(bucket95(histogram)),
        bitShiftLeft(toUInt64(32 + bucket95(histogram) % 32), intDiv(bucket95(histogram), 32) - 1))) AS steps95,
    r.output_fps_sum / 1e6 / r.status_samples AS fps_mean,
    1 - r.startup_unexcused_sessions / r.known_sessions_count AS startup,
    1 - r.total_swapped_sessions / r.known_sessions_count AS no_swap,
    1 - r.output_failed_sessions / r.known_sessions_count AS viability,
    if(r.health_expected_signal_count = 0, 1, least(1, r.health_signal_count / r.health_expected_signal_count)) AS health,
    if(r.known_sessions_count = 0, NULL, 100 * health * (0.4 * startup + 0.2 * no_swap + 0.4 * viability)) AS score,
    -- An exact 90 can come out as 89.99999999999999.
    round(score, 9) AS rounded,
    multiIf(
        r.known_sessions_count = 0, 'no_demand',
        r.known_sessions_count < 5 OR r.status_samples < 30, 'low_sample',
        health < 0.6, 'low_coverage',
        'valid'
    ) AS validity
SELECT
    r.org AS org, r.window_start AS window_start, r.orchestrator_address AS orchestrator_address,
    r.pipeline_id AS pipeline_id, r.model_id AS model_id, r.gpu_id AS gpu_id, r.region AS region,
    r.sessions_count AS sessions_count, r.session_starts AS session_starts,
    r.known_sessions_count AS known_sessions_count,
    r.startup_success_sessions AS startup_success_sessions,
    r.startup_excused_sessions AS startup_excused_sessions,
    r.startup_unexcused_sessions AS startup_unexcused_sessions,
    r.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    r.inferred_swap_sessions AS inferred_swap_sessions,
    r.total_swapped_sessions AS total_swapped_sessions,
    r.sessions_with_errors AS sessions_with_errors,
    r.sessions_ending_in_error AS sessions_ending_in_error,
    r.loading_only_sessions AS loading_only_sessions,
    r.zero_output_fps_sessions AS zero_output_fps_sessions,
    r.output_failed_sessions AS output_failed_sessions,
    r.effective_failed_sessions AS effective_failed_sessions,
    r.error_status_samples AS error_status_samples,
    r.health_signal_count AS health_signal_count,
    r.health_expected_signal_count AS health_expected_signal_count,
    health AS health_signal_coverage_ratio,
    r.status_samples AS status_samples, r.output_fps_sum AS output_fps_sum,
    r.output_fps_sumsq AS output_fps_sumsq, r.active_ms AS active_ms,
    if(r.status_samples = 0, NULL, fps_mean) AS avg_output_fps,
    if(r.status_samples = 0, NULL, steps95(r.output_fps_histogram) / 10) AS p95_output_fps,
    if(r.status_samples = 0 OR r.output_fps_sum = 0, NULL,
        sqrt(greatest(0, r.output_fps_sumsq / 1e6 / r.status_samples - fps_mean * fps_mean)) / fps_mean) AS fps_jitter_coefficient,
    r.prompt_to_first_frame_sample_count AS prompt_to_first_frame_sample_count,
    r.startup_latency_sample_count AS startup_latency_sample_count,
    r.e2e_latency_sample_count AS e2e_latency_sample_count,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        r.prompt_to_first_frame_sum / 1e6 / r.prompt_to_first_frame_sample_count) AS avg_prompt_to_first_frame_ms,
    if(r.startup_latency_sample_count = 0, NULL,
        r.startup_latency_sum / 1e6 / r.startup_latency_sample_count) AS avg_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL,
        r.e2e_latency_sum / 1e6 / r.e2e_latency_sample_count) AS avg_e2e_latency_ms,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        steps95(r.prompt_to_first_frame_histogram)) AS p95_prompt_to_first_frame_latency_ms,
    if(r.startup_latency_sample_count = 0, NULL, steps95(r.startup_latency_histogram)) AS p95_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL, steps95(r.e2e_latency_histogram)) AS p95_e2e_latency_ms,
    if(r.known_sessions_count = 0, NULL, r.startup_unexcused_sessions / r.known_sessions_count) AS startup_unexcused_rate,
    if(r.known_sessions_count = 0, NULL, r.total_swapped_sessions / r.known_sessions_count) AS swap_rate,
    if(r.known_sessions_count = 0, NULL, startup) AS startup_success_rate,
    if(r.known_sessions_count = 0, NULL, r.startup_success_sessions / r.known_sessions_count) AS startup_playable_rate,
    if(r.known_sessions_count = 0, NULL, 1 - r.effective_failed_sessions / r.known_sessions_count) AS effective_success_rate,
    if(r.known_sessions_count = 0, NULL, no_swap) AS no_swap_rate,
    if(r.known_sessions_count = 0, NULL, viability) AS output_viability_rate,
    score AS sla_score, validity AS sla_validity,
    if(validity != 'valid', NULL, multiIf(rounded >= 95, 'compliant', rounded >= 90, 'at_risk', 'breach')) AS sla_class,
    'sla-v1' AS sla_semantics_version,
    nullIf(r.orchestrator_url, '') AS orchestrator_url, nullIf(r.orchestrator_version, '') AS orchestrator_version,
    nullIf(r.runner_version, '') AS runner_version, nullIf(r.gpu_model_name, '') AS gpu_model_name,
    nullIf(r.compute_capability, '') AS cuda_version,
    r.gpu_memory_bytes_total AS gpu_memory_bytes_total, r.gpu_memory_bytes_free AS gpu_memory_bytes_free,
    r.capacity AS capacity, r.capacity_in_use AS capacity_in_use, r.warm AS warm,
    r.price_per_unit AS price_per_unit, r.pixels_per_unit AS pixels_per_unit,
    r.metadata_snapshot_ts AS metadata_snapshot_ts,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_orchestrator_1h AS r FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_orchestrator_1h'
) AS slices ON slices.org = r.org AND slices.window_start = r.window_start
WHERE r.slice_version >= slices.slice_version
) AS h
LEFT JOIN (
    SELECT org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region,
        sum(rated_rx_bytes) AS rx, sum(rated_tx_bytes) AS tx, sum(observed_ms) AS observed,
        sum(expected_ms) AS expected, sum(sessions) AS sending
    FROM v_agg_transport_bandwidth_1h
    WHERE link_type = 'gateway_to_orchestrator' AND gpu_id != ''
    GROUP BY org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region
) AS b
    ON b.org = h.org AND b.window_start = h.window_start AND b.orchestrator_address = h.orchestrator_address
    AND b.pipeline_id = h.pipeline_id AND b.model_id = h.model_id AND b.gpu_id = h.gpu_id AND b.region = h.region
WHERE h.gpu_id != '' AND (h.pipeline_id != '' OR h.model_id != '')
SETTINGS join_use_nulls = 0
)
COMMENT 'How a GPU served in an hour: one row per orchestrator, pipeline, model, GPU and region with gold-eligible status evidence, a known GPU, and a known pipeline or model. Sessions are counted in every hour and identity with evidence.';

CREATE OR REPLACE VIEW v_api_gpu_metrics_enriched
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock: of the status evidence unless the view says otherwise.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; never empty.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(Nullable(String)) COMMENT 'Model label as advertised; NULL when unknown.',
    gpu_id Nullable(String) COMMENT 'GPU uuid; NULL when unknown or when several GPUs fit.',
    region LowCardinality(Nullable(String)) COMMENT 'Region; NULL as long as no producer sends one.',
    gpu_model_name LowCardinality(Nullable(String)) COMMENT 'GPU product name in the newest advertisement up to the end of the hour, at most 24 h old; NULL without one.',
    gpu_memory_bytes_total Nullable(UInt64) COMMENT 'GPU memory in it, bytes; NULL without one.',
    runner_version LowCardinality(Nullable(String)) COMMENT 'Version of the runner in it; NULL when unknown.',
    cuda_version LowCardinality(Nullable(String)) COMMENT 'Compute capability in it, `major.minor`; NULL when unknown.',
    avg_output_fps Nullable(Float64) COMMENT 'Mean output frames per second, samples of zero included; NULL without samples.',
    p95_output_fps Nullable(Float32) COMMENT '95th of 100 output frames per second: begin of its log bucket, within 1/32 of the value; NULL without samples. Not to be aggregated.',
    fps_jitter_coefficient Nullable(Float64) COMMENT 'Population standard deviation of output frames over their mean; NULL without samples or at mean 0.',
    active_ms UInt64 COMMENT 'Active time, ms: from each sample to the session\'s next one, at most 30 s and not beyond the hour.',
    status_samples UInt64 COMMENT 'Status samples.',
    output_fps_sum UInt64 COMMENT 'Sum of output frames per second over the samples, units of 0.000001.',
    output_fps_sumsq UInt64 COMMENT 'Sum of their squares, units of 0.000001: variance = sumsq / n - mean squared.',
    avg_prompt_to_first_frame_ms Nullable(Float64) COMMENT 'Mean latency from prompt to playable, ms; each session counts in its first evidence hour; NULL without one.',
    p95_prompt_to_first_frame_latency_ms Nullable(Float32) COMMENT '95th of 100 of them, ms: begin of its log bucket, exact below 32 ms, within 1/32 of the value above; NULL without one. Not to be aggregated.',
    prompt_to_first_frame_sample_count UInt64 COMMENT 'Sessions that have it.',
    avg_startup_latency_ms Nullable(Float64) COMMENT 'Mean latency from request to first processed segment, ms; each session counts in its first evidence hour; NULL without one.',
    p95_startup_latency_ms Nullable(Float32) COMMENT '95th of 100 of them, ms: begin of its log bucket, exact below 32 ms, within 1/32 of the value above; NULL without one. Not to be aggregated.',
    startup_latency_sample_count UInt64 COMMENT 'Sessions that have it.',
    avg_e2e_latency_ms Nullable(Float64) COMMENT 'Mean latency from first ingest segment sent to first output relayed, ms; each session counts in its first evidence hour; NULL without one.',
    p95_e2e_latency_ms Nullable(Float32) COMMENT '95th of 100 of them, ms: begin of its log bucket, exact below 32 ms, within 1/32 of the value above; NULL without one. Not to be aggregated.',
    e2e_latency_sample_count UInt64 COMMENT 'Sessions that have it.',
    sessions_count UInt64 COMMENT 'Distinct sessions with evidence in the hour, known or not; not to be summed over hours.',
    session_starts UInt64 COMMENT 'Known sessions whose first evidence hour and identity this is: their sum over any rows counts no session twice.',
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace; sum over rows of the view\'s own anchor.',
    startup_success_sessions UInt64 COMMENT 'Known sessions that became playable; at most the known ones.',
    startup_excused_sessions UInt64 COMMENT 'Known sessions that did not start and are excused.',
    startup_unexcused_sessions UInt64 COMMENT 'Known sessions that did not start and are not excused; success + excused + unexcused = known.',
    confirmed_swapped_sessions UInt64 COMMENT 'Known sessions with an explicit swap trace.',
    inferred_swap_sessions UInt64 COMMENT 'Known sessions with more than one canonical orchestrator.',
    total_swapped_sessions UInt64 COMMENT 'Known sessions with either: a union, at most the sum of both.',
    sessions_with_errors UInt64 COMMENT 'Known sessions with an error event.',
    sessions_ending_in_error UInt64 COMMENT 'Known sessions with an error text in any status sample, whenever it was.',
    loading_only_sessions UInt64 COMMENT 'Known sessions with status samples that were all `LOADING`.',
    zero_output_fps_sessions UInt64 COMMENT 'Known sessions with status samples of which none had output frames.',
    output_failed_sessions UInt64 COMMENT 'Known sessions that are loading-only or without output: a union.',
    effective_failed_sessions UInt64 COMMENT 'Known sessions that are unexcused, loading-only or without output: a union.',
    error_status_samples UInt64 COMMENT 'Status samples with an error text over the whole life of the known sessions.',
    health_signal_count UInt64 COMMENT 'Health signals seen of the known sessions, up to 3 each.',
    health_expected_signal_count UInt64 COMMENT 'Health signals expected of the known sessions, 3 each.',
    health_signal_coverage_ratio Float64 COMMENT 'Seen over expected health signals, 0 to 1; 1 when none is expected.',
    startup_unexcused_rate Nullable(Float64) COMMENT 'Unexcused / known, 0 to 1; NULL when none is known.',
    swap_rate Nullable(Float64) COMMENT 'Total swapped / known, 0 to 1; NULL when none is known.',
    up_mbps_avg Nullable(Float64) COMMENT 'Mean bandwidth that a session used from the orchestrator, Mbit/s, media over all gateways: bytes of rated intervals by their time; NULL without any. Used, not the capacity of a link.',
    down_mbps_avg Nullable(Float64) COMMENT 'Mean bandwidth that a session used to the orchestrator, Mbit/s, media over all gateways: bytes of rated intervals by their time; NULL without any. Used, not the capacity of a link.',
    bandwidth_status LowCardinality(String) COMMENT '`ok` when rated intervals cover 0.8 of the time that segments ran, `partial` below, `no_telemetry` without any sample; never of the client leg.',
    orchestrator_url Nullable(String) COMMENT 'Service URI in the advertisement; NULL without one.',
    orchestrator_version LowCardinality(Nullable(String)) COMMENT 'Version of the orchestrator in it; NULL when unknown.',
    gpu_memory_bytes_free Nullable(UInt64) COMMENT 'Free GPU memory in it, bytes; NULL without one.',
    capacity Nullable(Int64) COMMENT 'Slots of the model in it; NULL without one. Not to be summed over GPUs.',
    capacity_in_use Nullable(Int64) COMMENT 'Busy slots of the model in it; NULL without one.',
    warm Nullable(UInt8) COMMENT '1 when the model was loaded; NULL without one.',
    price_per_unit Nullable(Int64) COMMENT 'Price in it, wei per `pixels_per_unit` pixels; NULL without one.',
    pixels_per_unit Nullable(Int64) COMMENT 'Pixels that the price is for; NULL without one.',
    metadata_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the advertisement, UTC, gateway clock; NULL without one.',
    metadata_age_seconds Nullable(UInt32) COMMENT 'From it to the end of the hour, seconds, at most 24 h; NULL without one.',
    advertised_capacity_minutes Nullable(Float64) COMMENT '60 x capacity, minutes; NULL without one. Once per orchestrator, model and hour, not to be summed over GPUs.',
    sla_score Nullable(Float64) COMMENT 'Score of the same hour and identity (`v_api_sla_compliance`); NULL when none is known.',
    effective_success_rate Nullable(Float64) COMMENT 'Of the same row; NULL when none is known.',
    no_swap_rate Nullable(Float64) COMMENT 'Of the same row; NULL when none is known.',
    sla_semantics_version LowCardinality(String) COMMENT 'Version of the score: `sla-v1`.',
    window_state LowCardinality(String) COMMENT '`provisional` until 10 min after the hour, `settled` until 48 h after it and until every session in it is closed or silent for 48 h, then `final`; by the store\'s clock.',
    revision UInt64 COMMENT 'Changes after settling, summed where a row covers several hours.'
)
AS SELECT org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region, gpu_model_name, gpu_memory_bytes_total, runner_version, cuda_version, avg_output_fps, p95_output_fps, fps_jitter_coefficient, active_ms, status_samples, output_fps_sum, output_fps_sumsq, avg_prompt_to_first_frame_ms, p95_prompt_to_first_frame_latency_ms, prompt_to_first_frame_sample_count, avg_startup_latency_ms, p95_startup_latency_ms, startup_latency_sample_count, avg_e2e_latency_ms, p95_e2e_latency_ms, e2e_latency_sample_count, sessions_count, session_starts, known_sessions_count, startup_success_sessions, startup_excused_sessions, startup_unexcused_sessions, confirmed_swapped_sessions, inferred_swap_sessions, total_swapped_sessions, sessions_with_errors, sessions_ending_in_error, loading_only_sessions, zero_output_fps_sessions, output_failed_sessions, effective_failed_sessions, error_status_samples, health_signal_count, health_expected_signal_count, health_signal_coverage_ratio, startup_unexcused_rate, swap_rate, up_mbps_avg, down_mbps_avg, bandwidth_status, orchestrator_url, orchestrator_version, gpu_memory_bytes_free, capacity, capacity_in_use, warm, price_per_unit, pixels_per_unit, metadata_snapshot_ts, metadata_age_seconds, advertised_capacity_minutes, sla_score, effective_success_rate, no_swap_rate, sla_semantics_version, window_state, revision
FROM (
SELECT
    h.*,
    if(isNull(h.metadata_snapshot_ts), NULL,
        toUInt32(age('second', assumeNotNull(h.metadata_snapshot_ts), h.window_start + INTERVAL 1 HOUR)))
        AS metadata_age_seconds,
    60 * toFloat64(h.capacity) AS advertised_capacity_minutes
FROM (
SELECT
    h.org AS org, h.window_start AS window_start, h.orchestrator_address AS orchestrator_address,
    h.pipeline_id AS pipeline_id, nullIf(h.model_id, '') AS model_id, nullIf(h.gpu_id, '') AS gpu_id,
    nullIf(h.region, '') AS region,
    h.* EXCEPT (org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region),
    if(b.observed = 0, NULL, 8 * b.rx / b.observed / 1000) AS down_mbps_avg,
    if(b.observed = 0, NULL, 8 * b.tx / b.observed / 1000) AS up_mbps_avg,
    multiIf(b.sending = 0, 'no_telemetry', b.observed >= 0.8 * b.expected AND b.expected > 0, 'ok', 'partial') AS bandwidth_status
FROM (
WITH
    -- Where the bucket begins that holds the 95th of 100 values, in steps; buckets as naap_protocol::frames.
    (histogram -> toUInt32(arrayFirstIndex(n -> 20 * n >= 19 * arraySum(histogram), arrayCumSum(histogram)) - 1)) AS bucket95,
    (histogram -> if(bucket95(histogram) < 32, toUInt64(bucket95(histogram)),
        bitShiftLeft(toUInt64(32 + bucket95(histogram) % 32), intDiv(bucket95(histogram), 32) - 1))) AS steps95,
    r.output_fps_sum / 1e6 / r.status_samples AS fps_mean,
    1 - r.startup_unexcused_sessions / r.known_sessions_count AS startup,
    1 - r.total_swapped_sessions / r.known_sessions_count AS no_swap,
    1 - r.output_failed_sessions / r.known_sessions_count AS viability,
    if(r.health_expected_signal_count = 0, 1, least(1, r.health_signal_count / r.health_expected_signal_count)) AS health,
    if(r.known_sessions_count = 0, NULL, 100 * health * (0.4 * startup + 0.2 * no_swap + 0.4 * viability)) AS score,
    -- An exact 90 can come out as 89.99999999999999.
    round(score, 9) AS rounded,
    multiIf(
        r.known_sessions_count = 0, 'no_demand',
        r.known_sessions_count < 5 OR r.status_samples < 30, 'low_sample',
        health < 0.6, 'low_coverage',
        'valid'
    ) AS validity
SELECT
    r.org AS org, r.window_start AS window_start, r.orchestrator_address AS orchestrator_address,
    r.pipeline_id AS pipeline_id, r.model_id AS model_id, r.gpu_id AS gpu_id, r.region AS region,
    r.sessions_count AS sessions_count, r.session_starts AS session_starts,
    r.known_sessions_count AS known_sessions_count,
    r.startup_success_sessions AS startup_success_sessions,
    r.startup_excused_sessions AS startup_excused_sessions,
    r.startup_unexcused_sessions AS startup_unexcused_sessions,
    r.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    r.inferred_swap_sessions AS inferred_swap_sessions,
    r.total_swapped_sessions AS total_swapped_sessions,
    r.sessions_with_errors AS sessions_with_errors,
    r.sessions_ending_in_error AS sessions_ending_in_error,
    r.loading_only_sessions AS loading_only_sessions,
    r.zero_output_fps_sessions AS zero_output_fps_sessions,
    r.output_failed_sessions AS output_failed_sessions,
    r.effective_failed_sessions AS effective_failed_sessions,
    r.error_status_samples AS error_status_samples,
    r.health_signal_count AS health_signal_count,
    r.health_expected_signal_count AS health_expected_signal_count,
    health AS health_signal_coverage_ratio,
    r.status_samples AS status_samples, r.output_fps_sum AS output_fps_sum,
    r.output_fps_sumsq AS output_fps_sumsq, r.active_ms AS active_ms,
    if(r.status_samples = 0, NULL, fps_mean) AS avg_output_fps,
    if(r.status_samples = 0, NULL, steps95(r.output_fps_histogram) / 10) AS p95_output_fps,
    if(r.status_samples = 0 OR r.output_fps_sum = 0, NULL,
        sqrt(greatest(0, r.output_fps_sumsq / 1e6 / r.status_samples - fps_mean * fps_mean)) / fps_mean) AS fps_jitter_coefficient,
    r.prompt_to_first_frame_sample_count AS prompt_to_first_frame_sample_count,
    r.startup_latency_sample_count AS startup_latency_sample_count,
    r.e2e_latency_sample_count AS e2e_latency_sample_count,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        r.prompt_to_first_frame_sum / 1e6 / r.prompt_to_first_frame_sample_count) AS avg_prompt_to_first_frame_ms,
    if(r.startup_latency_sample_count = 0, NULL,
        r.startup_latency_sum / 1e6 / r.startup_latency_sample_count) AS avg_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL,
        r.e2e_latency_sum / 1e6 / r.e2e_latency_sample_count) AS avg_e2e_latency_ms,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        steps95(r.prompt_to_first_frame_histogram)) AS p95_prompt_to_first_frame_latency_ms,
    if(r.startup_latency_sample_count = 0, NULL, steps95(r.startup_latency_histogram)) AS p95_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL, steps95(r.e2e_latency_histogram)) AS p95_e2e_latency_ms,
    if(r.known_sessions_count = 0, NULL, r.startup_unexcused_sessions / r.known_sessions_count) AS startup_unexcused_rate,
    if(r.known_sessions_count = 0, NULL, r.total_swapped_sessions / r.known_sessions_count) AS swap_rate,
    if(r.known_sessions_count = 0, NULL, startup) AS startup_success_rate,
    if(r.known_sessions_count = 0, NULL, r.startup_success_sessions / r.known_sessions_count) AS startup_playable_rate,
    if(r.known_sessions_count = 0, NULL, 1 - r.effective_failed_sessions / r.known_sessions_count) AS effective_success_rate,
    if(r.known_sessions_count = 0, NULL, no_swap) AS no_swap_rate,
    if(r.known_sessions_count = 0, NULL, viability) AS output_viability_rate,
    score AS sla_score, validity AS sla_validity,
    if(validity != 'valid', NULL, multiIf(rounded >= 95, 'compliant', rounded >= 90, 'at_risk', 'breach')) AS sla_class,
    'sla-v1' AS sla_semantics_version,
    nullIf(r.orchestrator_url, '') AS orchestrator_url, nullIf(r.orchestrator_version, '') AS orchestrator_version,
    nullIf(r.runner_version, '') AS runner_version, nullIf(r.gpu_model_name, '') AS gpu_model_name,
    nullIf(r.compute_capability, '') AS cuda_version,
    r.gpu_memory_bytes_total AS gpu_memory_bytes_total, r.gpu_memory_bytes_free AS gpu_memory_bytes_free,
    r.capacity AS capacity, r.capacity_in_use AS capacity_in_use, r.warm AS warm,
    r.price_per_unit AS price_per_unit, r.pixels_per_unit AS pixels_per_unit,
    r.metadata_snapshot_ts AS metadata_snapshot_ts,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_orchestrator_1h AS r FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_orchestrator_1h'
) AS slices ON slices.org = r.org AND slices.window_start = r.window_start
WHERE r.slice_version >= slices.slice_version
) AS h
LEFT JOIN (
    SELECT org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region,
        sum(rated_rx_bytes) AS rx, sum(rated_tx_bytes) AS tx, sum(observed_ms) AS observed,
        sum(expected_ms) AS expected, sum(sessions) AS sending
    FROM v_agg_transport_bandwidth_1h
    WHERE link_type = 'gateway_to_orchestrator' AND gpu_id != ''
    GROUP BY org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region
) AS b
    ON b.org = h.org AND b.window_start = h.window_start AND b.orchestrator_address = h.orchestrator_address
    AND b.pipeline_id = h.pipeline_id AND b.model_id = h.model_id AND b.gpu_id = h.gpu_id AND b.region = h.region
WHERE h.gpu_id != '' AND (h.pipeline_id != '' OR h.model_id != '')
SETTINGS join_use_nulls = 0
) AS h
)
COMMENT '`v_api_gpu_metrics` with what the node offered at the end of the hour and the score of the same row: one row per row of it.';

CREATE OR REPLACE VIEW v_api_sla_compliance
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock: of the status evidence unless the view says otherwise.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; never empty.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(Nullable(String)) COMMENT 'Model label as advertised; NULL when unknown.',
    gpu_id Nullable(String) COMMENT 'GPU uuid; NULL when unknown or when several GPUs fit.',
    region LowCardinality(Nullable(String)) COMMENT 'Region; NULL as long as no producer sends one.',
    sessions_count UInt64 COMMENT 'Distinct sessions with evidence in the hour, known or not; not to be summed over hours.',
    session_starts UInt64 COMMENT 'Known sessions whose first evidence hour and identity this is: their sum over any rows counts no session twice.',
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace; sum over rows of the view\'s own anchor.',
    startup_success_sessions UInt64 COMMENT 'Known sessions that became playable; at most the known ones.',
    startup_excused_sessions UInt64 COMMENT 'Known sessions that did not start and are excused.',
    startup_unexcused_sessions UInt64 COMMENT 'Known sessions that did not start and are not excused; success + excused + unexcused = known.',
    confirmed_swapped_sessions UInt64 COMMENT 'Known sessions with an explicit swap trace.',
    inferred_swap_sessions UInt64 COMMENT 'Known sessions with more than one canonical orchestrator.',
    total_swapped_sessions UInt64 COMMENT 'Known sessions with either: a union, at most the sum of both.',
    sessions_with_errors UInt64 COMMENT 'Known sessions with an error event.',
    sessions_ending_in_error UInt64 COMMENT 'Known sessions with an error text in any status sample, whenever it was.',
    loading_only_sessions UInt64 COMMENT 'Known sessions with status samples that were all `LOADING`.',
    zero_output_fps_sessions UInt64 COMMENT 'Known sessions with status samples of which none had output frames.',
    output_failed_sessions UInt64 COMMENT 'Known sessions that are loading-only or without output: a union.',
    effective_failed_sessions UInt64 COMMENT 'Known sessions that are unexcused, loading-only or without output: a union.',
    error_status_samples UInt64 COMMENT 'Status samples with an error text over the whole life of the known sessions.',
    health_signal_count UInt64 COMMENT 'Health signals seen of the known sessions, up to 3 each.',
    health_expected_signal_count UInt64 COMMENT 'Health signals expected of the known sessions, 3 each.',
    health_signal_coverage_ratio Float64 COMMENT 'Seen over expected health signals, 0 to 1; 1 when none is expected.',
    status_samples UInt64 COMMENT 'Status samples.',
    output_fps_sum UInt64 COMMENT 'Sum of output frames per second over the samples, units of 0.000001.',
    output_fps_sumsq UInt64 COMMENT 'Sum of their squares, units of 0.000001: variance = sumsq / n - mean squared.',
    avg_output_fps Nullable(Float64) COMMENT 'Mean output frames per second, samples of zero included; NULL without samples.',
    startup_success_rate Nullable(Float64) COMMENT '1 - unexcused / known, 0 to 1: excused failures count as success; NULL when none is known.',
    startup_playable_rate Nullable(Float64) COMMENT 'Success / known, 0 to 1; NULL when none is known.',
    effective_success_rate Nullable(Float64) COMMENT '1 - effective failed / known, 0 to 1, at most `startup_success_rate`; NULL when none is known.',
    no_swap_rate Nullable(Float64) COMMENT '1 - total swapped / known, 0 to 1; NULL when none is known.',
    output_viability_rate Nullable(Float64) COMMENT '1 - output failed / known, 0 to 1; NULL when none is known.',
    sla_score Nullable(Float64) COMMENT '100 x health coverage x (0.4 startup success + 0.2 no swap + 0.4 viability), 0 to 100, not rounded; NULL when none is known. Never average it: sum the counts and compute it again.',
    sla_validity LowCardinality(String) COMMENT '`no_demand` (none known), `low_sample` (known below 5 or status samples below 30), `low_coverage` (health below 0.6), else `valid`. Rank and alert on `valid` rows only.',
    sla_class LowCardinality(Nullable(String)) COMMENT '`compliant` from 95 on, `at_risk` from 90 on, `breach` below, by the score to nine decimals; NULL unless `valid`.',
    sla_semantics_version LowCardinality(String) COMMENT 'Version of formulas, membership and thresholds: `sla-v1`.',
    window_state LowCardinality(String) COMMENT '`provisional` until 10 min after the hour, `settled` until 48 h after it and until every session in it is closed or silent for 48 h, then `final`; by the store\'s clock.',
    revision UInt64 COMMENT 'Changes after settling, summed where a row covers several hours.'
)
AS SELECT org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region, sessions_count, session_starts, known_sessions_count, startup_success_sessions, startup_excused_sessions, startup_unexcused_sessions, confirmed_swapped_sessions, inferred_swap_sessions, total_swapped_sessions, sessions_with_errors, sessions_ending_in_error, loading_only_sessions, zero_output_fps_sessions, output_failed_sessions, effective_failed_sessions, error_status_samples, health_signal_count, health_expected_signal_count, health_signal_coverage_ratio, status_samples, output_fps_sum, output_fps_sumsq, avg_output_fps, startup_success_rate, startup_playable_rate, effective_success_rate, no_swap_rate, output_viability_rate, sla_score, sla_validity, sla_class, sla_semantics_version, window_state, revision
FROM (
SELECT
    h.org AS org, h.window_start AS window_start, h.orchestrator_address AS orchestrator_address,
    h.pipeline_id AS pipeline_id, nullIf(h.model_id, '') AS model_id, nullIf(h.gpu_id, '') AS gpu_id,
    nullIf(h.region, '') AS region,
    h.* EXCEPT (org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region)
FROM (
WITH
    -- Where the bucket begins that holds the 95th of 100 values, in steps; buckets as naap_protocol::frames.
    (histogram -> toUInt32(arrayFirstIndex(n -> 20 * n >= 19 * arraySum(histogram), arrayCumSum(histogram)) - 1)) AS bucket95,
    (histogram -> if(bucket95(histogram) < 32, toUInt64(bucket95(histogram)),
        bitShiftLeft(toUInt64(32 + bucket95(histogram) % 32), intDiv(bucket95(histogram), 32) - 1))) AS steps95,
    r.output_fps_sum / 1e6 / r.status_samples AS fps_mean,
    1 - r.startup_unexcused_sessions / r.known_sessions_count AS startup,
    1 - r.total_swapped_sessions / r.known_sessions_count AS no_swap,
    1 - r.output_failed_sessions / r.known_sessions_count AS viability,
    if(r.health_expected_signal_count = 0, 1, least(1, r.health_signal_count / r.health_expected_signal_count)) AS health,
    if(r.known_sessions_count = 0, NULL, 100 * health * (0.4 * startup + 0.2 * no_swap + 0.4 * viability)) AS score,
    -- An exact 90 can come out as 89.99999999999999.
    round(score, 9) AS rounded,
    multiIf(
        r.known_sessions_count = 0, 'no_demand',
        r.known_sessions_count < 5 OR r.status_samples < 30, 'low_sample',
        health < 0.6, 'low_coverage',
        'valid'
    ) AS validity
SELECT
    r.org AS org, r.window_start AS window_start, r.orchestrator_address AS orchestrator_address,
    r.pipeline_id AS pipeline_id, r.model_id AS model_id, r.gpu_id AS gpu_id, r.region AS region,
    r.sessions_count AS sessions_count, r.session_starts AS session_starts,
    r.known_sessions_count AS known_sessions_count,
    r.startup_success_sessions AS startup_success_sessions,
    r.startup_excused_sessions AS startup_excused_sessions,
    r.startup_unexcused_sessions AS startup_unexcused_sessions,
    r.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    r.inferred_swap_sessions AS inferred_swap_sessions,
    r.total_swapped_sessions AS total_swapped_sessions,
    r.sessions_with_errors AS sessions_with_errors,
    r.sessions_ending_in_error AS sessions_ending_in_error,
    r.loading_only_sessions AS loading_only_sessions,
    r.zero_output_fps_sessions AS zero_output_fps_sessions,
    r.output_failed_sessions AS output_failed_sessions,
    r.effective_failed_sessions AS effective_failed_sessions,
    r.error_status_samples AS error_status_samples,
    r.health_signal_count AS health_signal_count,
    r.health_expected_signal_count AS health_expected_signal_count,
    health AS health_signal_coverage_ratio,
    r.status_samples AS status_samples, r.output_fps_sum AS output_fps_sum,
    r.output_fps_sumsq AS output_fps_sumsq, r.active_ms AS active_ms,
    if(r.status_samples = 0, NULL, fps_mean) AS avg_output_fps,
    if(r.status_samples = 0, NULL, steps95(r.output_fps_histogram) / 10) AS p95_output_fps,
    if(r.status_samples = 0 OR r.output_fps_sum = 0, NULL,
        sqrt(greatest(0, r.output_fps_sumsq / 1e6 / r.status_samples - fps_mean * fps_mean)) / fps_mean) AS fps_jitter_coefficient,
    r.prompt_to_first_frame_sample_count AS prompt_to_first_frame_sample_count,
    r.startup_latency_sample_count AS startup_latency_sample_count,
    r.e2e_latency_sample_count AS e2e_latency_sample_count,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        r.prompt_to_first_frame_sum / 1e6 / r.prompt_to_first_frame_sample_count) AS avg_prompt_to_first_frame_ms,
    if(r.startup_latency_sample_count = 0, NULL,
        r.startup_latency_sum / 1e6 / r.startup_latency_sample_count) AS avg_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL,
        r.e2e_latency_sum / 1e6 / r.e2e_latency_sample_count) AS avg_e2e_latency_ms,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        steps95(r.prompt_to_first_frame_histogram)) AS p95_prompt_to_first_frame_latency_ms,
    if(r.startup_latency_sample_count = 0, NULL, steps95(r.startup_latency_histogram)) AS p95_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL, steps95(r.e2e_latency_histogram)) AS p95_e2e_latency_ms,
    if(r.known_sessions_count = 0, NULL, r.startup_unexcused_sessions / r.known_sessions_count) AS startup_unexcused_rate,
    if(r.known_sessions_count = 0, NULL, r.total_swapped_sessions / r.known_sessions_count) AS swap_rate,
    if(r.known_sessions_count = 0, NULL, startup) AS startup_success_rate,
    if(r.known_sessions_count = 0, NULL, r.startup_success_sessions / r.known_sessions_count) AS startup_playable_rate,
    if(r.known_sessions_count = 0, NULL, 1 - r.effective_failed_sessions / r.known_sessions_count) AS effective_success_rate,
    if(r.known_sessions_count = 0, NULL, no_swap) AS no_swap_rate,
    if(r.known_sessions_count = 0, NULL, viability) AS output_viability_rate,
    score AS sla_score, validity AS sla_validity,
    if(validity != 'valid', NULL, multiIf(rounded >= 95, 'compliant', rounded >= 90, 'at_risk', 'breach')) AS sla_class,
    'sla-v1' AS sla_semantics_version,
    nullIf(r.orchestrator_url, '') AS orchestrator_url, nullIf(r.orchestrator_version, '') AS orchestrator_version,
    nullIf(r.runner_version, '') AS runner_version, nullIf(r.gpu_model_name, '') AS gpu_model_name,
    nullIf(r.compute_capability, '') AS cuda_version,
    r.gpu_memory_bytes_total AS gpu_memory_bytes_total, r.gpu_memory_bytes_free AS gpu_memory_bytes_free,
    r.capacity AS capacity, r.capacity_in_use AS capacity_in_use, r.warm AS warm,
    r.price_per_unit AS price_per_unit, r.pixels_per_unit AS pixels_per_unit,
    r.metadata_snapshot_ts AS metadata_snapshot_ts,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_orchestrator_1h AS r FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_orchestrator_1h'
) AS slices ON slices.org = r.org AND slices.window_start = r.window_start
WHERE r.slice_version >= slices.slice_version
) AS h
)
COMMENT 'Whether an identity kept its promise in an hour: one row per orchestrator, pipeline, model, GPU and region with gold-eligible status evidence. Sessions are counted in every hour and identity with evidence.';

CREATE OR REPLACE VIEW v_api_sla_compliance_1d
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the day, UTC, gateway clock.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; never empty.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(Nullable(String)) COMMENT 'Model label as advertised; NULL when unknown.',
    gpu_id Nullable(String) COMMENT 'GPU uuid; NULL when unknown or when several GPUs fit.',
    region LowCardinality(Nullable(String)) COMMENT 'Region; NULL as long as no producer sends one.',
    hours UInt64 COMMENT 'Hours of the day with evidence.',
    session_starts UInt64 COMMENT 'Distinct known sessions whose first evidence is in the day with this identity.',
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace; sum over rows of the view\'s own anchor.',
    startup_success_sessions UInt64 COMMENT 'Known sessions that became playable; at most the known ones.',
    startup_excused_sessions UInt64 COMMENT 'Known sessions that did not start and are excused.',
    startup_unexcused_sessions UInt64 COMMENT 'Known sessions that did not start and are not excused; success + excused + unexcused = known.',
    confirmed_swapped_sessions UInt64 COMMENT 'Known sessions with an explicit swap trace.',
    inferred_swap_sessions UInt64 COMMENT 'Known sessions with more than one canonical orchestrator.',
    total_swapped_sessions UInt64 COMMENT 'Known sessions with either: a union, at most the sum of both.',
    sessions_with_errors UInt64 COMMENT 'Known sessions with an error event.',
    sessions_ending_in_error UInt64 COMMENT 'Known sessions with an error text in any status sample, whenever it was.',
    loading_only_sessions UInt64 COMMENT 'Known sessions with status samples that were all `LOADING`.',
    zero_output_fps_sessions UInt64 COMMENT 'Known sessions with status samples of which none had output frames.',
    output_failed_sessions UInt64 COMMENT 'Known sessions that are loading-only or without output: a union.',
    effective_failed_sessions UInt64 COMMENT 'Known sessions that are unexcused, loading-only or without output: a union.',
    error_status_samples UInt64 COMMENT 'Status samples with an error text over the whole life of the known sessions.',
    health_signal_count UInt64 COMMENT 'Health signals seen of the known sessions, up to 3 each.',
    health_expected_signal_count UInt64 COMMENT 'Health signals expected of the known sessions, 3 each.',
    health_signal_coverage_ratio Float64 COMMENT 'Seen over expected health signals, 0 to 1; 1 when none is expected.',
    status_samples UInt64 COMMENT 'Status samples.',
    startup_success_rate Nullable(Float64) COMMENT '1 - unexcused / known, 0 to 1: excused failures count as success; NULL when none is known.',
    startup_playable_rate Nullable(Float64) COMMENT 'Success / known, 0 to 1; NULL when none is known.',
    effective_success_rate Nullable(Float64) COMMENT '1 - effective failed / known, 0 to 1, at most `startup_success_rate`; NULL when none is known.',
    no_swap_rate Nullable(Float64) COMMENT '1 - total swapped / known, 0 to 1; NULL when none is known.',
    output_viability_rate Nullable(Float64) COMMENT '1 - output failed / known, 0 to 1; NULL when none is known.',
    sla_score Nullable(Float64) COMMENT '100 x health coverage x (0.4 startup success + 0.2 no swap + 0.4 viability), 0 to 100, not rounded; NULL when none is known. Never average it: sum the counts and compute it again.',
    sla_validity LowCardinality(String) COMMENT '`no_demand` (none known), `low_sample` (known below 5 or status samples below 30), `low_coverage` (health below 0.6), else `valid`. Rank and alert on `valid` rows only.',
    sla_class LowCardinality(Nullable(String)) COMMENT '`compliant` from 95 on, `at_risk` from 90 on, `breach` below, by the score to nine decimals; NULL unless `valid`.',
    sla_semantics_version LowCardinality(String) COMMENT 'Version of formulas, membership and thresholds: `sla-v1`.',
    window_state LowCardinality(String) COMMENT '`provisional` until 10 min after the day and as long as an hour of it is, `settled` until 48 h after it and as long as an hour of it is, then `final`; by the store\'s clock.',
    revision UInt64 COMMENT 'Changes after settling, summed where a row covers several hours.'
)
AS SELECT org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region, hours, session_starts, known_sessions_count, startup_success_sessions, startup_excused_sessions, startup_unexcused_sessions, confirmed_swapped_sessions, inferred_swap_sessions, total_swapped_sessions, sessions_with_errors, sessions_ending_in_error, loading_only_sessions, zero_output_fps_sessions, output_failed_sessions, effective_failed_sessions, error_status_samples, health_signal_count, health_expected_signal_count, health_signal_coverage_ratio, status_samples, startup_success_rate, startup_playable_rate, effective_success_rate, no_swap_rate, output_viability_rate, sla_score, sla_validity, sla_class, sla_semantics_version, window_state, revision
FROM (
WITH
    1 - startup_unexcused_sessions / known_sessions_count AS startup,
    1 - total_swapped_sessions / known_sessions_count AS no_swap,
    1 - output_failed_sessions / known_sessions_count AS viability,
    if(health_expected_signal_count = 0, 1, least(1, health_signal_count / health_expected_signal_count)) AS health,
    if(known_sessions_count = 0, NULL, 100 * health * (0.4 * startup + 0.2 * no_swap + 0.4 * viability)) AS score,
    -- An exact 90 can come out as 89.99999999999999.
    round(score, 9) AS rounded,
    multiIf(
        known_sessions_count = 0, 'no_demand',
        known_sessions_count < 5 OR status_samples < 30, 'low_sample',
        health < 0.6, 'low_coverage',
        'valid'
    ) AS validity
SELECT
    day.org AS org, day.window_start AS window_start, day.orchestrator_address AS orchestrator_address,
    day.pipeline_id AS pipeline_id, nullIf(day.model_id, '') AS model_id, nullIf(day.gpu_id, '') AS gpu_id,
    nullIf(day.region, '') AS region,
    day.* EXCEPT (org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region, states),
    health AS health_signal_coverage_ratio,
    if(known_sessions_count = 0, NULL, startup) AS startup_success_rate,
    if(known_sessions_count = 0, NULL, startup_success_sessions / known_sessions_count) AS startup_playable_rate,
    if(known_sessions_count = 0, NULL, 1 - effective_failed_sessions / known_sessions_count) AS effective_success_rate,
    if(known_sessions_count = 0, NULL, no_swap) AS no_swap_rate,
    if(known_sessions_count = 0, NULL, viability) AS output_viability_rate,
    score AS sla_score, validity AS sla_validity,
    if(validity != 'valid', NULL, multiIf(rounded >= 95, 'compliant', rounded >= 90, 'at_risk', 'breach')) AS sla_class,
    'sla-v1' AS sla_semantics_version,
    -- Hours without rows say nothing, so the day has a clock of its own.
    multiIf(
        has(states, 'provisional') OR now64(3) < day.window_start + INTERVAL 1450 MINUTE, 'provisional',
        has(states, 'settled') OR now64(3) < day.window_start + INTERVAL 72 HOUR, 'settled',
        'final'
    ) AS window_state
FROM (
    SELECT
        h.org AS org, toDateTime64(toStartOfDay(h.window_start), 3, 'UTC') AS window_start,
        h.orchestrator_address AS orchestrator_address, h.pipeline_id AS pipeline_id, h.model_id AS model_id,
        h.gpu_id AS gpu_id, h.region AS region,
        count() AS hours,
        sum(h.session_starts) AS session_starts,
        sum(h.known_sessions_count) AS known_sessions_count,
        sum(h.startup_success_sessions) AS startup_success_sessions,
        sum(h.startup_excused_sessions) AS startup_excused_sessions,
        sum(h.startup_unexcused_sessions) AS startup_unexcused_sessions,
        sum(h.confirmed_swapped_sessions) AS confirmed_swapped_sessions,
        sum(h.inferred_swap_sessions) AS inferred_swap_sessions,
        sum(h.total_swapped_sessions) AS total_swapped_sessions,
        sum(h.sessions_with_errors) AS sessions_with_errors,
        sum(h.sessions_ending_in_error) AS sessions_ending_in_error,
        sum(h.loading_only_sessions) AS loading_only_sessions,
        sum(h.zero_output_fps_sessions) AS zero_output_fps_sessions,
        sum(h.output_failed_sessions) AS output_failed_sessions,
        sum(h.effective_failed_sessions) AS effective_failed_sessions,
        sum(h.error_status_samples) AS error_status_samples,
        sum(h.health_signal_count) AS health_signal_count,
        sum(h.health_expected_signal_count) AS health_expected_signal_count,
        sum(h.status_samples) AS status_samples,
        groupUniqArray(h.window_state) AS states,
        sum(h.revision) AS revision
    FROM (
WITH
    -- Where the bucket begins that holds the 95th of 100 values, in steps; buckets as naap_protocol::frames.
    (histogram -> toUInt32(arrayFirstIndex(n -> 20 * n >= 19 * arraySum(histogram), arrayCumSum(histogram)) - 1)) AS bucket95,
    (histogram -> if(bucket95(histogram) < 32, toUInt64(bucket95(histogram)),
        bitShiftLeft(toUInt64(32 + bucket95(histogram) % 32), intDiv(bucket95(histogram), 32) - 1))) AS steps95,
    r.output_fps_sum / 1e6 / r.status_samples AS fps_mean,
    1 - r.startup_unexcused_sessions / r.known_sessions_count AS startup,
    1 - r.total_swapped_sessions / r.known_sessions_count AS no_swap,
    1 - r.output_failed_sessions / r.known_sessions_count AS viability,
    if(r.health_expected_signal_count = 0, 1, least(1, r.health_signal_count / r.health_expected_signal_count)) AS health,
    if(r.known_sessions_count = 0, NULL, 100 * health * (0.4 * startup + 0.2 * no_swap + 0.4 * viability)) AS score,
    -- An exact 90 can come out as 89.99999999999999.
    round(score, 9) AS rounded,
    multiIf(
        r.known_sessions_count = 0, 'no_demand',
        r.known_sessions_count < 5 OR r.status_samples < 30, 'low_sample',
        health < 0.6, 'low_coverage',
        'valid'
    ) AS validity
SELECT
    r.org AS org, r.window_start AS window_start, r.orchestrator_address AS orchestrator_address,
    r.pipeline_id AS pipeline_id, r.model_id AS model_id, r.gpu_id AS gpu_id, r.region AS region,
    r.sessions_count AS sessions_count, r.session_starts AS session_starts,
    r.known_sessions_count AS known_sessions_count,
    r.startup_success_sessions AS startup_success_sessions,
    r.startup_excused_sessions AS startup_excused_sessions,
    r.startup_unexcused_sessions AS startup_unexcused_sessions,
    r.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    r.inferred_swap_sessions AS inferred_swap_sessions,
    r.total_swapped_sessions AS total_swapped_sessions,
    r.sessions_with_errors AS sessions_with_errors,
    r.sessions_ending_in_error AS sessions_ending_in_error,
    r.loading_only_sessions AS loading_only_sessions,
    r.zero_output_fps_sessions AS zero_output_fps_sessions,
    r.output_failed_sessions AS output_failed_sessions,
    r.effective_failed_sessions AS effective_failed_sessions,
    r.error_status_samples AS error_status_samples,
    r.health_signal_count AS health_signal_count,
    r.health_expected_signal_count AS health_expected_signal_count,
    health AS health_signal_coverage_ratio,
    r.status_samples AS status_samples, r.output_fps_sum AS output_fps_sum,
    r.output_fps_sumsq AS output_fps_sumsq, r.active_ms AS active_ms,
    if(r.status_samples = 0, NULL, fps_mean) AS avg_output_fps,
    if(r.status_samples = 0, NULL, steps95(r.output_fps_histogram) / 10) AS p95_output_fps,
    if(r.status_samples = 0 OR r.output_fps_sum = 0, NULL,
        sqrt(greatest(0, r.output_fps_sumsq / 1e6 / r.status_samples - fps_mean * fps_mean)) / fps_mean) AS fps_jitter_coefficient,
    r.prompt_to_first_frame_sample_count AS prompt_to_first_frame_sample_count,
    r.startup_latency_sample_count AS startup_latency_sample_count,
    r.e2e_latency_sample_count AS e2e_latency_sample_count,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        r.prompt_to_first_frame_sum / 1e6 / r.prompt_to_first_frame_sample_count) AS avg_prompt_to_first_frame_ms,
    if(r.startup_latency_sample_count = 0, NULL,
        r.startup_latency_sum / 1e6 / r.startup_latency_sample_count) AS avg_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL,
        r.e2e_latency_sum / 1e6 / r.e2e_latency_sample_count) AS avg_e2e_latency_ms,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        steps95(r.prompt_to_first_frame_histogram)) AS p95_prompt_to_first_frame_latency_ms,
    if(r.startup_latency_sample_count = 0, NULL, steps95(r.startup_latency_histogram)) AS p95_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL, steps95(r.e2e_latency_histogram)) AS p95_e2e_latency_ms,
    if(r.known_sessions_count = 0, NULL, r.startup_unexcused_sessions / r.known_sessions_count) AS startup_unexcused_rate,
    if(r.known_sessions_count = 0, NULL, r.total_swapped_sessions / r.known_sessions_count) AS swap_rate,
    if(r.known_sessions_count = 0, NULL, startup) AS startup_success_rate,
    if(r.known_sessions_count = 0, NULL, r.startup_success_sessions / r.known_sessions_count) AS startup_playable_rate,
    if(r.known_sessions_count = 0, NULL, 1 - r.effective_failed_sessions / r.known_sessions_count) AS effective_success_rate,
    if(r.known_sessions_count = 0, NULL, no_swap) AS no_swap_rate,
    if(r.known_sessions_count = 0, NULL, viability) AS output_viability_rate,
    score AS sla_score, validity AS sla_validity,
    if(validity != 'valid', NULL, multiIf(rounded >= 95, 'compliant', rounded >= 90, 'at_risk', 'breach')) AS sla_class,
    'sla-v1' AS sla_semantics_version,
    nullIf(r.orchestrator_url, '') AS orchestrator_url, nullIf(r.orchestrator_version, '') AS orchestrator_version,
    nullIf(r.runner_version, '') AS runner_version, nullIf(r.gpu_model_name, '') AS gpu_model_name,
    nullIf(r.compute_capability, '') AS cuda_version,
    r.gpu_memory_bytes_total AS gpu_memory_bytes_total, r.gpu_memory_bytes_free AS gpu_memory_bytes_free,
    r.capacity AS capacity, r.capacity_in_use AS capacity_in_use, r.warm AS warm,
    r.price_per_unit AS price_per_unit, r.pixels_per_unit AS pixels_per_unit,
    r.metadata_snapshot_ts AS metadata_snapshot_ts,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_orchestrator_1h AS r FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_orchestrator_1h'
) AS slices ON slices.org = r.org AND slices.window_start = r.window_start
WHERE r.slice_version >= slices.slice_version
) AS h
    GROUP BY org, toDateTime64(toStartOfDay(h.window_start), 3, 'UTC'), orchestrator_address, pipeline_id, model_id, gpu_id, region
) AS day
)
COMMENT '`v_api_sla_compliance` rolled up to days by summing counts and computing ratios and score again: one row per day and identity. Counts are session-hours.';

CREATE OR REPLACE VIEW v_api_sla_quality_shadow
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock: of the status evidence unless the view says otherwise.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; never empty.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(Nullable(String)) COMMENT 'Model label as advertised; NULL when unknown.',
    gpu_id Nullable(String) COMMENT 'GPU uuid; NULL when unknown or when several GPUs fit.',
    region LowCardinality(Nullable(String)) COMMENT 'Region; NULL as long as no producer sends one.',
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace.',
    status_samples UInt64 COMMENT 'Status samples.',
    prompt_to_first_frame_sample_count UInt64 COMMENT 'Sessions with a latency from prompt to playable.',
    e2e_latency_sample_count UInt64 COMMENT 'Sessions with an end-to-end latency.',
    health_signal_coverage_ratio Float64 COMMENT 'As in `v_api_sla_compliance`, 0 to 1.',
    benchmark_date Date COMMENT 'Day of the row; the benchmark is of the seven full days before it, over all organisations.',
    ptff_row_count UInt64 COMMENT 'Hourly rows in the benchmark of prompt to first frame.',
    e2e_row_count UInt64 COMMENT 'Hourly rows in the benchmark of end-to-end latency.',
    fps_row_count UInt64 COMMENT 'Hourly rows in the benchmark of output frames.',
    reliability_score Nullable(Float64) COMMENT '0.4 success / known + 0.2 no swap + 0.4 viability, 0 to 1; NULL when none is known.',
    ptff_score Float64 COMMENT '1 up to the benchmark\'s p50, 0 from its p90 on, drawn to 0.5 by missing evidence (10 sessions); 0.5 without value or below 48 rows.',
    e2e_score Float64 COMMENT 'The same for end-to-end latency.',
    latency_score Float64 COMMENT '0.6 ptff + 0.4 e2e, 0 to 1.',
    fps_score Float64 COMMENT '1 from the benchmark\'s p50 on, 0 up to its p10, drawn to 0.5 by missing evidence (30 samples); 0.5 without value or below 48 rows.',
    quality_score Float64 COMMENT '0.6 latency + 0.4 fps, 0 to 1.',
    is_neutral UInt8 COMMENT '1 when no part of the quality score rests on a benchmark.',
    shadow_score Nullable(Float64) COMMENT '100 x health coverage x (0.7 reliability + 0.3 quality), 0 to 100; NULL when none is known.',
    sla_score Nullable(Float64) COMMENT 'Score of `sla-v1` for comparison; NULL when none is known.',
    quality_semantics_version LowCardinality(String) COMMENT 'Version of these formulas: `quality-benchmark-v1`.'
)
AS SELECT org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region, known_sessions_count, status_samples, prompt_to_first_frame_sample_count, e2e_latency_sample_count, health_signal_coverage_ratio, benchmark_date, ptff_row_count, e2e_row_count, fps_row_count, reliability_score, ptff_score, e2e_score, latency_score, fps_score, quality_score, is_neutral, shadow_score, sla_score, quality_semantics_version
FROM (
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
FROM (
WITH
    -- Where the bucket begins that holds the 95th of 100 values, in steps; buckets as naap_protocol::frames.
    (histogram -> toUInt32(arrayFirstIndex(n -> 20 * n >= 19 * arraySum(histogram), arrayCumSum(histogram)) - 1)) AS bucket95,
    (histogram -> if(bucket95(histogram) < 32, toUInt64(bucket95(histogram)),
        bitShiftLeft(toUInt64(32 + bucket95(histogram) % 32), intDiv(bucket95(histogram), 32) - 1))) AS steps95,
    r.output_fps_sum / 1e6 / r.status_samples AS fps_mean,
    1 - r.startup_unexcused_sessions / r.known_sessions_count AS startup,
    1 - r.total_swapped_sessions / r.known_sessions_count AS no_swap,
    1 - r.output_failed_sessions / r.known_sessions_count AS viability,
    if(r.health_expected_signal_count = 0, 1, least(1, r.health_signal_count / r.health_expected_signal_count)) AS health,
    if(r.known_sessions_count = 0, NULL, 100 * health * (0.4 * startup + 0.2 * no_swap + 0.4 * viability)) AS score,
    -- An exact 90 can come out as 89.99999999999999.
    round(score, 9) AS rounded,
    multiIf(
        r.known_sessions_count = 0, 'no_demand',
        r.known_sessions_count < 5 OR r.status_samples < 30, 'low_sample',
        health < 0.6, 'low_coverage',
        'valid'
    ) AS validity
SELECT
    r.org AS org, r.window_start AS window_start, r.orchestrator_address AS orchestrator_address,
    r.pipeline_id AS pipeline_id, r.model_id AS model_id, r.gpu_id AS gpu_id, r.region AS region,
    r.sessions_count AS sessions_count, r.session_starts AS session_starts,
    r.known_sessions_count AS known_sessions_count,
    r.startup_success_sessions AS startup_success_sessions,
    r.startup_excused_sessions AS startup_excused_sessions,
    r.startup_unexcused_sessions AS startup_unexcused_sessions,
    r.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    r.inferred_swap_sessions AS inferred_swap_sessions,
    r.total_swapped_sessions AS total_swapped_sessions,
    r.sessions_with_errors AS sessions_with_errors,
    r.sessions_ending_in_error AS sessions_ending_in_error,
    r.loading_only_sessions AS loading_only_sessions,
    r.zero_output_fps_sessions AS zero_output_fps_sessions,
    r.output_failed_sessions AS output_failed_sessions,
    r.effective_failed_sessions AS effective_failed_sessions,
    r.error_status_samples AS error_status_samples,
    r.health_signal_count AS health_signal_count,
    r.health_expected_signal_count AS health_expected_signal_count,
    health AS health_signal_coverage_ratio,
    r.status_samples AS status_samples, r.output_fps_sum AS output_fps_sum,
    r.output_fps_sumsq AS output_fps_sumsq, r.active_ms AS active_ms,
    if(r.status_samples = 0, NULL, fps_mean) AS avg_output_fps,
    if(r.status_samples = 0, NULL, steps95(r.output_fps_histogram) / 10) AS p95_output_fps,
    if(r.status_samples = 0 OR r.output_fps_sum = 0, NULL,
        sqrt(greatest(0, r.output_fps_sumsq / 1e6 / r.status_samples - fps_mean * fps_mean)) / fps_mean) AS fps_jitter_coefficient,
    r.prompt_to_first_frame_sample_count AS prompt_to_first_frame_sample_count,
    r.startup_latency_sample_count AS startup_latency_sample_count,
    r.e2e_latency_sample_count AS e2e_latency_sample_count,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        r.prompt_to_first_frame_sum / 1e6 / r.prompt_to_first_frame_sample_count) AS avg_prompt_to_first_frame_ms,
    if(r.startup_latency_sample_count = 0, NULL,
        r.startup_latency_sum / 1e6 / r.startup_latency_sample_count) AS avg_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL,
        r.e2e_latency_sum / 1e6 / r.e2e_latency_sample_count) AS avg_e2e_latency_ms,
    if(r.prompt_to_first_frame_sample_count = 0, NULL,
        steps95(r.prompt_to_first_frame_histogram)) AS p95_prompt_to_first_frame_latency_ms,
    if(r.startup_latency_sample_count = 0, NULL, steps95(r.startup_latency_histogram)) AS p95_startup_latency_ms,
    if(r.e2e_latency_sample_count = 0, NULL, steps95(r.e2e_latency_histogram)) AS p95_e2e_latency_ms,
    if(r.known_sessions_count = 0, NULL, r.startup_unexcused_sessions / r.known_sessions_count) AS startup_unexcused_rate,
    if(r.known_sessions_count = 0, NULL, r.total_swapped_sessions / r.known_sessions_count) AS swap_rate,
    if(r.known_sessions_count = 0, NULL, startup) AS startup_success_rate,
    if(r.known_sessions_count = 0, NULL, r.startup_success_sessions / r.known_sessions_count) AS startup_playable_rate,
    if(r.known_sessions_count = 0, NULL, 1 - r.effective_failed_sessions / r.known_sessions_count) AS effective_success_rate,
    if(r.known_sessions_count = 0, NULL, no_swap) AS no_swap_rate,
    if(r.known_sessions_count = 0, NULL, viability) AS output_viability_rate,
    score AS sla_score, validity AS sla_validity,
    if(validity != 'valid', NULL, multiIf(rounded >= 95, 'compliant', rounded >= 90, 'at_risk', 'breach')) AS sla_class,
    'sla-v1' AS sla_semantics_version,
    nullIf(r.orchestrator_url, '') AS orchestrator_url, nullIf(r.orchestrator_version, '') AS orchestrator_version,
    nullIf(r.runner_version, '') AS runner_version, nullIf(r.gpu_model_name, '') AS gpu_model_name,
    nullIf(r.compute_capability, '') AS cuda_version,
    r.gpu_memory_bytes_total AS gpu_memory_bytes_total, r.gpu_memory_bytes_free AS gpu_memory_bytes_free,
    r.capacity AS capacity, r.capacity_in_use AS capacity_in_use, r.warm AS warm,
    r.price_per_unit AS price_per_unit, r.pixels_per_unit AS pixels_per_unit,
    r.metadata_snapshot_ts AS metadata_snapshot_ts,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_orchestrator_1h AS r FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_orchestrator_1h'
) AS slices ON slices.org = r.org AND slices.window_start = r.window_start
WHERE r.slice_version >= slices.slice_version
) AS h
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
)
COMMENT 'What the score would be with latency and frames in it: one row per row of `v_api_sla_compliance`. Not for alerts, ranking or the public API.';

CREATE OR REPLACE VIEW v_api_jitter_5m
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start_5m DateTime64(3, 'UTC') COMMENT 'Start of the five minutes, UTC, gateway clock.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; never empty.',
    pipeline LowCardinality(String) COMMENT 'Workflow class; \'\' when unknown.',
    model_id LowCardinality(Nullable(String)) COMMENT 'Model label as advertised; NULL when unknown.',
    gpu_id Nullable(String) COMMENT 'GPU uuid; NULL when unknown.',
    region LowCardinality(Nullable(String)) COMMENT 'Region; NULL as long as no producer sends one.',
    avg_output_fps Float64 COMMENT 'Mean output frames per second.',
    jitter_coeff_fps Nullable(Float64) COMMENT 'Population standard deviation over the mean; NULL at mean 0.',
    status_samples UInt64 COMMENT 'Status samples, at least 5.'
)
AS SELECT org, window_start_5m, orchestrator_address, pipeline, model_id, gpu_id, region, avg_output_fps, jitter_coeff_fps, status_samples
FROM (
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
)
COMMENT 'Steadiness of output in five minutes: one row per orchestrator, pipeline, model, GPU and region with at least 5 gold-eligible status samples.';

CREATE OR REPLACE VIEW v_api_network_demand
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock: of the status evidence unless the view says otherwise.',
    gateway LowCardinality(String) COMMENT 'Gateway; \'\' when unknown.',
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class, else the only one of the sessions that started in the hour with this gateway, region and model; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    sessions_count UInt64 COMMENT 'Distinct sessions with attributed status samples in the hour, exact; not to be summed.',
    total_minutes Float64 COMMENT 'Active time in the hour, minutes: from each sample to the session\'s next one, at most 30 s; not below 0.',
    status_samples UInt64 COMMENT 'Status samples.',
    output_fps_sum UInt64 COMMENT 'Sum of output frames per second over the samples, units of 0.000001.',
    output_fps_sumsq UInt64 COMMENT 'Sum of their squares, units of 0.000001: variance = sumsq / n - mean squared.',
    avg_output_fps Nullable(Float64) COMMENT 'Mean output frames per second, samples of zero included; NULL without samples.',
    served_sessions UInt64 COMMENT 'Known sessions with a canonical orchestrator, however it was found.',
    unserved_sessions UInt64 COMMENT 'Known sessions without one.',
    total_demand_sessions UInt64 COMMENT 'Served + unserved = known.',
    unattributed_sessions UInt64 COMMENT 'Known sessions that selected somebody who could not be resolved; part of the unserved.',
    no_orch_sessions UInt64 COMMENT 'Known sessions for which no orchestrator was available.',
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace; sum over rows of the view\'s own anchor.',
    startup_success_sessions UInt64 COMMENT 'Known sessions that became playable; at most the known ones.',
    startup_excused_sessions UInt64 COMMENT 'Known sessions that did not start and are excused.',
    startup_unexcused_sessions UInt64 COMMENT 'Known sessions that did not start and are not excused; success + excused + unexcused = known.',
    confirmed_swapped_sessions UInt64 COMMENT 'Known sessions with an explicit swap trace.',
    inferred_swap_sessions UInt64 COMMENT 'Known sessions with more than one canonical orchestrator.',
    total_swapped_sessions UInt64 COMMENT 'Known sessions with either: a union, at most the sum of both.',
    sessions_with_errors UInt64 COMMENT 'Known sessions with an error event.',
    sessions_ending_in_error UInt64 COMMENT 'Known sessions with an error text in any status sample, whenever it was.',
    loading_only_sessions UInt64 COMMENT 'Known sessions with status samples that were all `LOADING`.',
    zero_output_fps_sessions UInt64 COMMENT 'Known sessions with status samples of which none had output frames.',
    output_failed_sessions UInt64 COMMENT 'Known sessions that are loading-only or without output: a union.',
    effective_failed_sessions UInt64 COMMENT 'Known sessions that are unexcused, loading-only or without output: a union.',
    error_status_samples UInt64 COMMENT 'Status samples with an error text over the whole life of the known sessions.',
    health_signal_count UInt64 COMMENT 'Health signals seen of the known sessions, up to 3 each.',
    health_expected_signal_count UInt64 COMMENT 'Health signals expected of the known sessions, 3 each.',
    health_signal_coverage_ratio Float64 COMMENT 'Seen over expected health signals, 0 to 1; 1 when none is expected.',
    startup_success_rate Nullable(Float64) COMMENT '1 - unexcused / known, 0 to 1; NULL when none is known.',
    startup_playable_rate Nullable(Float64) COMMENT 'Success / known, 0 to 1; NULL when none is known.',
    effective_success_rate Nullable(Float64) COMMENT '1 - effective failed / known, 0 to 1; NULL when none is known.',
    unserved_rate Nullable(Float64) COMMENT 'Unserved / known, 0 to 1; NULL when none is known. It does not enter the other rates.',
    payments_count UInt64 COMMENT 'Payment events.',
    ticket_count UInt64 COMMENT 'Tickets in them.',
    ticket_face_value_eth Float64 COMMENT 'Sum of the face values of the payment events, ETH.',
    ticket_expected_value_eth Float64 COMMENT 'Sum of face value times probability times tickets, ETH.',
    window_state LowCardinality(String) COMMENT '`provisional` until 10 min after the hour, `settled` until 48 h after it and until every session in it is closed or silent for 48 h, then `final`; by the store\'s clock.',
    revision UInt64 COMMENT 'Changes after settling, summed where a row covers several hours.'
)
AS SELECT org, window_start, gateway, region, pipeline_id, model_id, sessions_count, total_minutes, status_samples, output_fps_sum, output_fps_sumsq, avg_output_fps, served_sessions, unserved_sessions, total_demand_sessions, unattributed_sessions, no_orch_sessions, known_sessions_count, startup_success_sessions, startup_excused_sessions, startup_unexcused_sessions, confirmed_swapped_sessions, inferred_swap_sessions, total_swapped_sessions, sessions_with_errors, sessions_ending_in_error, loading_only_sessions, zero_output_fps_sessions, output_failed_sessions, effective_failed_sessions, error_status_samples, health_signal_count, health_expected_signal_count, health_signal_coverage_ratio, startup_success_rate, startup_playable_rate, effective_success_rate, unserved_rate, payments_count, ticket_count, ticket_face_value_eth, ticket_expected_value_eth, window_state, revision
FROM (
SELECT
    d.org AS org, d.window_start AS window_start, d.grain AS grain, d.gateway AS gateway, d.region AS region,
    d.pipeline_id AS pipeline_id, d.model_id AS model_id, d.orchestrator_address AS orchestrator_address,
    d.gpu_id AS gpu_id, d.sessions_count AS sessions_count, d.active_ms AS active_ms,
    d.active_ms / 60000 AS total_minutes,
    d.status_samples AS status_samples, d.output_fps_sum AS output_fps_sum, d.output_fps_sumsq AS output_fps_sumsq,
    if(d.status_samples = 0, NULL, d.output_fps_sum / 1e6 / d.status_samples) AS avg_output_fps,
    d.known_sessions_count AS known_sessions_count, d.served_sessions AS served_sessions,
    d.unserved_sessions AS unserved_sessions,
    d.served_sessions + d.unserved_sessions AS total_demand_sessions,
    d.unattributed_sessions AS unattributed_sessions, d.no_orch_sessions AS no_orch_sessions,
    d.startup_success_sessions AS startup_success_sessions,
    d.startup_excused_sessions AS startup_excused_sessions,
    d.startup_unexcused_sessions AS startup_unexcused_sessions,
    d.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    d.inferred_swap_sessions AS inferred_swap_sessions,
    d.total_swapped_sessions AS total_swapped_sessions,
    d.sessions_with_errors AS sessions_with_errors,
    d.sessions_ending_in_error AS sessions_ending_in_error,
    d.loading_only_sessions AS loading_only_sessions,
    d.zero_output_fps_sessions AS zero_output_fps_sessions,
    d.output_failed_sessions AS output_failed_sessions,
    d.effective_failed_sessions AS effective_failed_sessions,
    d.error_status_samples AS error_status_samples,
    d.health_signal_count AS health_signal_count,
    d.health_expected_signal_count AS health_expected_signal_count,
    if(d.health_expected_signal_count = 0, 1, least(1, d.health_signal_count / d.health_expected_signal_count))
        AS health_signal_coverage_ratio,
    if(d.known_sessions_count = 0, NULL, 1 - d.startup_unexcused_sessions / d.known_sessions_count) AS startup_success_rate,
    if(d.known_sessions_count = 0, NULL, d.startup_success_sessions / d.known_sessions_count) AS startup_playable_rate,
    if(d.known_sessions_count = 0, NULL, 1 - d.effective_failed_sessions / d.known_sessions_count) AS effective_success_rate,
    if(d.known_sessions_count = 0, NULL, d.unserved_sessions / d.known_sessions_count) AS unserved_rate,
    d.payments_count AS payments_count, d.ticket_count AS ticket_count,
    toFloat64(d.ticket_face_value_wei) / 1e18 AS ticket_face_value_eth,
    toFloat64(d.ticket_expected_value_wei) / 1e18 AS ticket_expected_value_eth,
    d.gpu_fallback_samples AS gpu_fallback_samples, d.gpu_fallback_sessions AS gpu_fallback_sessions,
    d.gpu_model_name AS gpu_model_name, d.advertised_capacity AS advertised_capacity,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_network_demand_1h AS d FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_network_demand_1h'
) AS slices ON slices.org = d.org AND slices.window_start = d.window_start
WHERE d.slice_version >= slices.slice_version
) WHERE grain = 'model'
COMMENT 'Demand and who was served: one row per hour, gateway, region, pipeline and model. Use counts in the hour of the evidence, sessions in the hour they started in, payments in theirs.';

CREATE OR REPLACE VIEW v_api_network_demand_pipeline
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock: of the status evidence unless the view says otherwise.',
    gateway LowCardinality(String) COMMENT 'Gateway; \'\' when unknown.',
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class, else the only one of the sessions that started in the hour with this gateway, region and model; \'\' when unknown, never equal to `model_id`.',
    sessions_count UInt64 COMMENT 'Distinct sessions with attributed status samples in the hour, exact; not to be summed.',
    total_minutes Float64 COMMENT 'Active time in the hour, minutes: from each sample to the session\'s next one, at most 30 s; not below 0.',
    status_samples UInt64 COMMENT 'Status samples.',
    output_fps_sum UInt64 COMMENT 'Sum of output frames per second over the samples, units of 0.000001.',
    output_fps_sumsq UInt64 COMMENT 'Sum of their squares, units of 0.000001: variance = sumsq / n - mean squared.',
    avg_output_fps Nullable(Float64) COMMENT 'Mean output frames per second, samples of zero included; NULL without samples.',
    served_sessions UInt64 COMMENT 'Known sessions with a canonical orchestrator, however it was found.',
    unserved_sessions UInt64 COMMENT 'Known sessions without one.',
    total_demand_sessions UInt64 COMMENT 'Served + unserved = known.',
    unattributed_sessions UInt64 COMMENT 'Known sessions that selected somebody who could not be resolved; part of the unserved.',
    no_orch_sessions UInt64 COMMENT 'Known sessions for which no orchestrator was available.',
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace; sum over rows of the view\'s own anchor.',
    startup_success_sessions UInt64 COMMENT 'Known sessions that became playable; at most the known ones.',
    startup_excused_sessions UInt64 COMMENT 'Known sessions that did not start and are excused.',
    startup_unexcused_sessions UInt64 COMMENT 'Known sessions that did not start and are not excused; success + excused + unexcused = known.',
    confirmed_swapped_sessions UInt64 COMMENT 'Known sessions with an explicit swap trace.',
    inferred_swap_sessions UInt64 COMMENT 'Known sessions with more than one canonical orchestrator.',
    total_swapped_sessions UInt64 COMMENT 'Known sessions with either: a union, at most the sum of both.',
    sessions_with_errors UInt64 COMMENT 'Known sessions with an error event.',
    sessions_ending_in_error UInt64 COMMENT 'Known sessions with an error text in any status sample, whenever it was.',
    loading_only_sessions UInt64 COMMENT 'Known sessions with status samples that were all `LOADING`.',
    zero_output_fps_sessions UInt64 COMMENT 'Known sessions with status samples of which none had output frames.',
    output_failed_sessions UInt64 COMMENT 'Known sessions that are loading-only or without output: a union.',
    effective_failed_sessions UInt64 COMMENT 'Known sessions that are unexcused, loading-only or without output: a union.',
    error_status_samples UInt64 COMMENT 'Status samples with an error text over the whole life of the known sessions.',
    health_signal_count UInt64 COMMENT 'Health signals seen of the known sessions, up to 3 each.',
    health_expected_signal_count UInt64 COMMENT 'Health signals expected of the known sessions, 3 each.',
    health_signal_coverage_ratio Float64 COMMENT 'Seen over expected health signals, 0 to 1; 1 when none is expected.',
    startup_success_rate Nullable(Float64) COMMENT '1 - unexcused / known, 0 to 1; NULL when none is known.',
    startup_playable_rate Nullable(Float64) COMMENT 'Success / known, 0 to 1; NULL when none is known.',
    effective_success_rate Nullable(Float64) COMMENT '1 - effective failed / known, 0 to 1; NULL when none is known.',
    unserved_rate Nullable(Float64) COMMENT 'Unserved / known, 0 to 1; NULL when none is known. It does not enter the other rates.',
    payments_count UInt64 COMMENT 'Payment events.',
    ticket_count UInt64 COMMENT 'Tickets in them.',
    ticket_face_value_eth Float64 COMMENT 'Sum of the face values of the payment events, ETH.',
    ticket_expected_value_eth Float64 COMMENT 'Sum of face value times probability times tickets, ETH.',
    window_state LowCardinality(String) COMMENT '`provisional` until 10 min after the hour, `settled` until 48 h after it and until every session in it is closed or silent for 48 h, then `final`; by the store\'s clock.',
    revision UInt64 COMMENT 'Changes after settling, summed where a row covers several hours.'
)
AS SELECT org, window_start, gateway, region, pipeline_id, sessions_count, total_minutes, status_samples, output_fps_sum, output_fps_sumsq, avg_output_fps, served_sessions, unserved_sessions, total_demand_sessions, unattributed_sessions, no_orch_sessions, known_sessions_count, startup_success_sessions, startup_excused_sessions, startup_unexcused_sessions, confirmed_swapped_sessions, inferred_swap_sessions, total_swapped_sessions, sessions_with_errors, sessions_ending_in_error, loading_only_sessions, zero_output_fps_sessions, output_failed_sessions, effective_failed_sessions, error_status_samples, health_signal_count, health_expected_signal_count, health_signal_coverage_ratio, startup_success_rate, startup_playable_rate, effective_success_rate, unserved_rate, payments_count, ticket_count, ticket_face_value_eth, ticket_expected_value_eth, window_state, revision
FROM (
SELECT
    d.org AS org, d.window_start AS window_start, d.grain AS grain, d.gateway AS gateway, d.region AS region,
    d.pipeline_id AS pipeline_id, d.model_id AS model_id, d.orchestrator_address AS orchestrator_address,
    d.gpu_id AS gpu_id, d.sessions_count AS sessions_count, d.active_ms AS active_ms,
    d.active_ms / 60000 AS total_minutes,
    d.status_samples AS status_samples, d.output_fps_sum AS output_fps_sum, d.output_fps_sumsq AS output_fps_sumsq,
    if(d.status_samples = 0, NULL, d.output_fps_sum / 1e6 / d.status_samples) AS avg_output_fps,
    d.known_sessions_count AS known_sessions_count, d.served_sessions AS served_sessions,
    d.unserved_sessions AS unserved_sessions,
    d.served_sessions + d.unserved_sessions AS total_demand_sessions,
    d.unattributed_sessions AS unattributed_sessions, d.no_orch_sessions AS no_orch_sessions,
    d.startup_success_sessions AS startup_success_sessions,
    d.startup_excused_sessions AS startup_excused_sessions,
    d.startup_unexcused_sessions AS startup_unexcused_sessions,
    d.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    d.inferred_swap_sessions AS inferred_swap_sessions,
    d.total_swapped_sessions AS total_swapped_sessions,
    d.sessions_with_errors AS sessions_with_errors,
    d.sessions_ending_in_error AS sessions_ending_in_error,
    d.loading_only_sessions AS loading_only_sessions,
    d.zero_output_fps_sessions AS zero_output_fps_sessions,
    d.output_failed_sessions AS output_failed_sessions,
    d.effective_failed_sessions AS effective_failed_sessions,
    d.error_status_samples AS error_status_samples,
    d.health_signal_count AS health_signal_count,
    d.health_expected_signal_count AS health_expected_signal_count,
    if(d.health_expected_signal_count = 0, 1, least(1, d.health_signal_count / d.health_expected_signal_count))
        AS health_signal_coverage_ratio,
    if(d.known_sessions_count = 0, NULL, 1 - d.startup_unexcused_sessions / d.known_sessions_count) AS startup_success_rate,
    if(d.known_sessions_count = 0, NULL, d.startup_success_sessions / d.known_sessions_count) AS startup_playable_rate,
    if(d.known_sessions_count = 0, NULL, 1 - d.effective_failed_sessions / d.known_sessions_count) AS effective_success_rate,
    if(d.known_sessions_count = 0, NULL, d.unserved_sessions / d.known_sessions_count) AS unserved_rate,
    d.payments_count AS payments_count, d.ticket_count AS ticket_count,
    toFloat64(d.ticket_face_value_wei) / 1e18 AS ticket_face_value_eth,
    toFloat64(d.ticket_expected_value_wei) / 1e18 AS ticket_expected_value_eth,
    d.gpu_fallback_samples AS gpu_fallback_samples, d.gpu_fallback_sessions AS gpu_fallback_sessions,
    d.gpu_model_name AS gpu_model_name, d.advertised_capacity AS advertised_capacity,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_network_demand_1h AS d FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_network_demand_1h'
) AS slices ON slices.org = d.org AND slices.window_start = d.window_start
WHERE d.slice_version >= slices.slice_version
) WHERE grain = 'pipeline'
COMMENT '`v_api_network_demand` for readers of the older grain without model: one row per hour, gateway, region and pipeline, sessions counted once. Deprecated since 2026-11-23, to be removed on 2027-05-31: read `v_api_network_demand`.';

CREATE OR REPLACE VIEW v_api_network_demand_by_gpu
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock: of the status evidence unless the view says otherwise.',
    gateway LowCardinality(String) COMMENT 'Gateway; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' for sessions that were not served.',
    region LowCardinality(Nullable(String)) COMMENT 'Region; NULL as long as no producer sends one.',
    pipeline_id LowCardinality(String) COMMENT 'As in `v_api_network_demand`.',
    model_id LowCardinality(Nullable(String)) COMMENT 'Model label as advertised; NULL when unknown.',
    gpu_id Nullable(String) COMMENT 'GPU uuid, else that of the session with this key that started last among those with one; NULL when unknown.',
    gpu_model_name LowCardinality(String) COMMENT 'GPU product name in the newest advertisement up to the end of the hour, at most 24 h old; `unknown` without one.',
    gpu_identity_status LowCardinality(String) COMMENT '`resolved` when all that counts here names the GPU itself, else `hardware_unresolved`.',
    sessions_count UInt64 COMMENT 'Distinct sessions with attributed status samples in the hour, exact; not to be summed.',
    used_inference_minutes Float64 COMMENT 'Active time in the hour, minutes: from each sample to the session\'s next one, at most 30 s; not below 0.',
    advertised_capacity_minutes Float64 COMMENT '60 x slots of orchestrator and model in their newest advertisement up to the end of the hour, minutes; 0 when unknown. The same in each GPU\'s row: take it once.',
    advertised_capacity_utilization_rate Nullable(Float64) COMMENT 'Used over advertised minutes; NULL when none is advertised.',
    status_samples UInt64 COMMENT 'Status samples.',
    output_fps_sum UInt64 COMMENT 'Sum of output frames per second over the samples, units of 0.000001.',
    output_fps_sumsq UInt64 COMMENT 'Sum of their squares, units of 0.000001: variance = sumsq / n - mean squared.',
    avg_output_fps Nullable(Float64) COMMENT 'Mean output frames per second, samples of zero included; NULL without samples.',
    served_sessions UInt64 COMMENT 'Known sessions with a canonical orchestrator, however it was found.',
    unserved_sessions UInt64 COMMENT 'Known sessions without one.',
    total_demand_sessions UInt64 COMMENT 'Served + unserved = known.',
    unattributed_sessions UInt64 COMMENT 'Known sessions that selected somebody who could not be resolved; part of the unserved.',
    no_orch_sessions UInt64 COMMENT 'Known sessions for which no orchestrator was available.',
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace; sum over rows of the view\'s own anchor.',
    startup_success_sessions UInt64 COMMENT 'Known sessions that became playable; at most the known ones.',
    startup_excused_sessions UInt64 COMMENT 'Known sessions that did not start and are excused.',
    startup_unexcused_sessions UInt64 COMMENT 'Known sessions that did not start and are not excused; success + excused + unexcused = known.',
    confirmed_swapped_sessions UInt64 COMMENT 'Known sessions with an explicit swap trace.',
    inferred_swap_sessions UInt64 COMMENT 'Known sessions with more than one canonical orchestrator.',
    total_swapped_sessions UInt64 COMMENT 'Known sessions with either: a union, at most the sum of both.',
    sessions_with_errors UInt64 COMMENT 'Known sessions with an error event.',
    sessions_ending_in_error UInt64 COMMENT 'Known sessions with an error text in any status sample, whenever it was.',
    loading_only_sessions UInt64 COMMENT 'Known sessions with status samples that were all `LOADING`.',
    zero_output_fps_sessions UInt64 COMMENT 'Known sessions with status samples of which none had output frames.',
    output_failed_sessions UInt64 COMMENT 'Known sessions that are loading-only or without output: a union.',
    effective_failed_sessions UInt64 COMMENT 'Known sessions that are unexcused, loading-only or without output: a union.',
    error_status_samples UInt64 COMMENT 'Status samples with an error text over the whole life of the known sessions.',
    health_signal_count UInt64 COMMENT 'Health signals seen of the known sessions, up to 3 each.',
    health_expected_signal_count UInt64 COMMENT 'Health signals expected of the known sessions, 3 each.',
    health_signal_coverage_ratio Float64 COMMENT 'Seen over expected health signals, 0 to 1; 1 when none is expected.',
    startup_success_rate Nullable(Float64) COMMENT '1 - unexcused / known, 0 to 1; NULL when none is known.',
    startup_playable_rate Nullable(Float64) COMMENT 'Success / known, 0 to 1; NULL when none is known.',
    effective_success_rate Nullable(Float64) COMMENT '1 - effective failed / known, 0 to 1; NULL when none is known.',
    unserved_rate Nullable(Float64) COMMENT 'Unserved / known, 0 to 1; NULL when none is known. It does not enter the other rates.',
    payments_count UInt64 COMMENT 'Payment events.',
    ticket_count UInt64 COMMENT 'Tickets in them.',
    ticket_face_value_eth Float64 COMMENT 'Sum of the face values of the payment events, ETH.',
    ticket_expected_value_eth Float64 COMMENT 'Sum of face value times probability times tickets, ETH.',
    window_state LowCardinality(String) COMMENT '`provisional` until 10 min after the hour, `settled` until 48 h after it and until every session in it is closed or silent for 48 h, then `final`; by the store\'s clock.',
    revision UInt64 COMMENT 'Changes after settling, summed where a row covers several hours.'
)
AS SELECT org, window_start, gateway, orchestrator_address, region, pipeline_id, model_id, gpu_id, gpu_model_name, gpu_identity_status, sessions_count, used_inference_minutes, advertised_capacity_minutes, advertised_capacity_utilization_rate, status_samples, output_fps_sum, output_fps_sumsq, avg_output_fps, served_sessions, unserved_sessions, total_demand_sessions, unattributed_sessions, no_orch_sessions, known_sessions_count, startup_success_sessions, startup_excused_sessions, startup_unexcused_sessions, confirmed_swapped_sessions, inferred_swap_sessions, total_swapped_sessions, sessions_with_errors, sessions_ending_in_error, loading_only_sessions, zero_output_fps_sessions, output_failed_sessions, effective_failed_sessions, error_status_samples, health_signal_count, health_expected_signal_count, health_signal_coverage_ratio, startup_success_rate, startup_playable_rate, effective_success_rate, unserved_rate, payments_count, ticket_count, ticket_face_value_eth, ticket_expected_value_eth, window_state, revision
FROM (
SELECT
    d.org AS org, d.window_start AS window_start, d.gateway AS gateway,
    d.orchestrator_address AS orchestrator_address, nullIf(d.region, '') AS region,
    d.pipeline_id AS pipeline_id, nullIf(d.model_id, '') AS model_id, nullIf(d.gpu_id, '') AS gpu_id,
    if(d.gpu_model_name = '', 'unknown', d.gpu_model_name) AS gpu_model_name,
    if(d.gpu_id = '' OR d.gpu_fallback_samples > 0 OR d.gpu_fallback_sessions > 0,
        'hardware_unresolved', 'resolved') AS gpu_identity_status,
    d.total_minutes AS used_inference_minutes,
    60 * toFloat64(ifNull(d.advertised_capacity, 0)) AS advertised_capacity_minutes,
    if(ifNull(d.advertised_capacity, 0) <= 0, NULL, d.total_minutes / (60 * d.advertised_capacity))
        AS advertised_capacity_utilization_rate,
    d.* EXCEPT (org, window_start, gateway, orchestrator_address, region, pipeline_id, model_id, gpu_id, gpu_model_name)
FROM (
SELECT
    d.org AS org, d.window_start AS window_start, d.grain AS grain, d.gateway AS gateway, d.region AS region,
    d.pipeline_id AS pipeline_id, d.model_id AS model_id, d.orchestrator_address AS orchestrator_address,
    d.gpu_id AS gpu_id, d.sessions_count AS sessions_count, d.active_ms AS active_ms,
    d.active_ms / 60000 AS total_minutes,
    d.status_samples AS status_samples, d.output_fps_sum AS output_fps_sum, d.output_fps_sumsq AS output_fps_sumsq,
    if(d.status_samples = 0, NULL, d.output_fps_sum / 1e6 / d.status_samples) AS avg_output_fps,
    d.known_sessions_count AS known_sessions_count, d.served_sessions AS served_sessions,
    d.unserved_sessions AS unserved_sessions,
    d.served_sessions + d.unserved_sessions AS total_demand_sessions,
    d.unattributed_sessions AS unattributed_sessions, d.no_orch_sessions AS no_orch_sessions,
    d.startup_success_sessions AS startup_success_sessions,
    d.startup_excused_sessions AS startup_excused_sessions,
    d.startup_unexcused_sessions AS startup_unexcused_sessions,
    d.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    d.inferred_swap_sessions AS inferred_swap_sessions,
    d.total_swapped_sessions AS total_swapped_sessions,
    d.sessions_with_errors AS sessions_with_errors,
    d.sessions_ending_in_error AS sessions_ending_in_error,
    d.loading_only_sessions AS loading_only_sessions,
    d.zero_output_fps_sessions AS zero_output_fps_sessions,
    d.output_failed_sessions AS output_failed_sessions,
    d.effective_failed_sessions AS effective_failed_sessions,
    d.error_status_samples AS error_status_samples,
    d.health_signal_count AS health_signal_count,
    d.health_expected_signal_count AS health_expected_signal_count,
    if(d.health_expected_signal_count = 0, 1, least(1, d.health_signal_count / d.health_expected_signal_count))
        AS health_signal_coverage_ratio,
    if(d.known_sessions_count = 0, NULL, 1 - d.startup_unexcused_sessions / d.known_sessions_count) AS startup_success_rate,
    if(d.known_sessions_count = 0, NULL, d.startup_success_sessions / d.known_sessions_count) AS startup_playable_rate,
    if(d.known_sessions_count = 0, NULL, 1 - d.effective_failed_sessions / d.known_sessions_count) AS effective_success_rate,
    if(d.known_sessions_count = 0, NULL, d.unserved_sessions / d.known_sessions_count) AS unserved_rate,
    d.payments_count AS payments_count, d.ticket_count AS ticket_count,
    toFloat64(d.ticket_face_value_wei) / 1e18 AS ticket_face_value_eth,
    toFloat64(d.ticket_expected_value_wei) / 1e18 AS ticket_expected_value_eth,
    d.gpu_fallback_samples AS gpu_fallback_samples, d.gpu_fallback_sessions AS gpu_fallback_sessions,
    d.gpu_model_name AS gpu_model_name, d.advertised_capacity AS advertised_capacity,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_network_demand_1h AS d FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_network_demand_1h'
) AS slices ON slices.org = d.org AND slices.window_start = d.window_start
WHERE d.slice_version >= slices.slice_version
) AS d
WHERE d.grain = 'gpu'
)
COMMENT 'Demand by who served it: one row per hour, gateway, orchestrator, region, pipeline, model and GPU; demand that nobody served has orchestrator \'\'.';

CREATE OR REPLACE VIEW v_api_startup_reliability
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock: of the status evidence unless the view says otherwise.',
    gateway LowCardinality(String) COMMENT 'Gateway; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' for sessions that were not served.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class; \'\' when unknown.',
    model_id LowCardinality(Nullable(String)) COMMENT 'Model label as advertised; NULL when unknown.',
    region LowCardinality(Nullable(String)) COMMENT 'Region; NULL as long as no producer sends one.',
    known_sessions_count UInt64 COMMENT 'Known sessions that started in the hour, each once.',
    startup_success_sessions UInt64 COMMENT 'Of them, those that became playable.',
    startup_excused_sessions UInt64 COMMENT 'Of them, those that did not start and are excused.',
    startup_unexcused_sessions UInt64 COMMENT 'Of them, those that did not start and are not excused.',
    unserved_sessions UInt64 COMMENT 'Of them, those without a canonical orchestrator.',
    no_orch_sessions UInt64 COMMENT 'Of them, those for which no orchestrator was available.',
    startup_success_rate Nullable(Float64) COMMENT '1 - unexcused / known, 0 to 1; NULL when none is known.',
    startup_playable_rate Nullable(Float64) COMMENT 'Success / known, 0 to 1; NULL when none is known.',
    window_state LowCardinality(String) COMMENT '`provisional` until 10 min after the hour, `settled` until 48 h after it and until every session in it is closed or silent for 48 h, then `final`; by the store\'s clock.',
    revision UInt64 COMMENT 'Changes after settling, summed where a row covers several hours.'
)
AS SELECT org, window_start, gateway, orchestrator_address, pipeline_id, model_id, region, known_sessions_count, startup_success_sessions, startup_excused_sessions, startup_unexcused_sessions, unserved_sessions, no_orch_sessions, startup_success_rate, startup_playable_rate, window_state, revision
FROM (
SELECT
    s.org AS org, s.window_start AS window_start, s.gateway AS gateway,
    s.orchestrator_address AS orchestrator_address, s.pipeline_id AS pipeline_id,
    nullIf(s.model_id, '') AS model_id, nullIf(s.region, '') AS region,
    s.known_sessions_count AS known_sessions_count, s.startup_success_sessions AS startup_success_sessions,
    s.startup_excused_sessions AS startup_excused_sessions,
    s.startup_unexcused_sessions AS startup_unexcused_sessions, s.unserved_sessions AS unserved_sessions,
    s.no_orch_sessions AS no_orch_sessions,
    if(s.known_sessions_count = 0, NULL, 1 - s.startup_unexcused_sessions / s.known_sessions_count) AS startup_success_rate,
    if(s.known_sessions_count = 0, NULL, s.startup_success_sessions / s.known_sessions_count) AS startup_playable_rate,
    slices.window_state AS window_state, slices.revision AS revision
FROM agg_startup_1h AS s FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_startup_1h'
) AS slices ON slices.org = s.org AND slices.window_start = s.window_start
WHERE s.slice_version >= slices.slice_version
)
COMMENT 'How sessions started, status evidence or not: one row per hour of the start, gateway, orchestrator, pipeline, model and region. Every known session counts once, so rows may be summed.';

CREATE OR REPLACE VIEW v_attribution_quality
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock: of the status evidence unless the view says otherwise.',
    selected_sessions UInt64 COMMENT 'Known sessions that started in the hour and selected somebody.',
    resolved_sessions UInt64 COMMENT 'Of them, those resolved with hardware.',
    hardware_less_sessions UInt64 COMMENT 'Of them, those resolved without a GPU.',
    stale_sessions UInt64 COMMENT 'Of them, those resolved by an advertisement outside the direct window.',
    ambiguous_sessions UInt64 COMMENT 'Of them, those that several nodes fit.',
    unresolved_sessions UInt64 COMMENT 'Of them, those that no node fits.',
    direct_sessions UInt64 COMMENT 'Of them, those in gold: an advertisement inside the direct window.',
    mapped_window_sessions UInt64 COMMENT 'Of them, those with one within 24 h.',
    unattributed_sessions UInt64 COMMENT 'Of them, those without one.',
    unattributed_rate Float64 COMMENT 'Unattributed / selected, 0 to 1; WARN above 0.1, FAIL above 0.25 (A1).',
    mapped_window_rate Nullable(Float64) COMMENT 'Mapped window / attributed, which is direct or mapped window, 0 to 1; NULL when none is attributed; judge it on settled hours (A2).',
    reasons Map(String, UInt64) COMMENT 'Sessions by attribution reason.',
    window_state LowCardinality(String) COMMENT '`provisional`, `settled` or `final`, by the store\'s clock.'
)
AS SELECT org, window_start, selected_sessions, resolved_sessions, hardware_less_sessions, stale_sessions, ambiguous_sessions, unresolved_sessions, direct_sessions, mapped_window_sessions, unattributed_sessions, unattributed_rate, mapped_window_rate, reasons, window_state
FROM (
SELECT
    a.org AS org, a.window_start AS window_start,
    sum(a.sessions_count) AS selected_sessions,
    sumIf(a.sessions_count, a.attribution_status = 'resolved') AS resolved_sessions,
    sumIf(a.sessions_count, a.attribution_status = 'hardware_less') AS hardware_less_sessions,
    sumIf(a.sessions_count, a.attribution_status = 'stale') AS stale_sessions,
    sumIf(a.sessions_count, a.attribution_status = 'ambiguous') AS ambiguous_sessions,
    sumIf(a.sessions_count, a.attribution_status = 'unresolved') AS unresolved_sessions,
    sumIf(a.sessions_count, a.attribution_source = 'direct') AS direct_sessions,
    sumIf(a.sessions_count, a.attribution_source = 'mapped_window') AS mapped_window_sessions,
    sumIf(a.sessions_count, a.attribution_source = 'unattributed') AS unattributed_sessions,
    unattributed_sessions / selected_sessions AS unattributed_rate,
    mapped_window_sessions / nullIf(direct_sessions + mapped_window_sessions, 0) AS mapped_window_rate,
    sumMap(map(toString(a.attribution_reason), a.sessions_count)) AS reasons,
    any(a.window_state) AS window_state
FROM v_agg_attribution_1h AS a
GROUP BY org, window_start
)
COMMENT 'How well sessions could be attributed: one row per organisation and hour of the start.';

CREATE OR REPLACE VIEW v_api_session_identity
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet of the last resolved selection; \'\' until attributed.',
    stream_id String COMMENT 'Stream id; \'\' when unknown.',
    request_id String COMMENT 'Request id; \'\' when unknown.',
    session_start_ts DateTime64(3, 'UTC') COMMENT 'First signal or accepted start time, UTC, gateway clock; can move earlier.',
    session_end_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Last signal so far, UTC, gateway clock: last seen, not closed; NULL before any.',
    latest_version UInt64 COMMENT 'Version of the row.'
)
AS SELECT org, workflow_session_id, orchestrator_address, stream_id, request_id, session_start_ts, session_end_ts, latest_version
FROM (
SELECT org, workflow_session_id, orchestrator_address, stream_id, request_id, session_start_ts, session_end_ts,
    version AS latest_version
FROM fact_workflow_sessions FINAL
)
COMMENT 'Which session is which: one row per session. Ask it by organisation and session.';

CREATE OR REPLACE VIEW v_health_rollup_freshness
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic; \'\' for a relation over all of them.',
    table_name String COMMENT 'Fact table or published relation.',
    max_event_ts DateTime64(3, 'UTC') COMMENT 'Newest event time in it; of a published relation, its newest slice.',
    checked_at DateTime64(3, 'UTC') COMMENT 'When it was asked, UTC, store clock.',
    lag_minutes Int64 COMMENT 'Whole minutes between them.',
    refreshed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When a slice of a published relation was computed last, UTC, node clock; NULL for facts.'
)
AS SELECT org, table_name, max_event_ts, checked_at, lag_minutes, refreshed_at
FROM (
SELECT newest.org AS org, newest.table_name AS table_name, newest.max_event_ts AS max_event_ts,
    now64(3, 'UTC') AS checked_at,
    toInt64(age('minute', newest.max_event_ts, checked_at)) AS lag_minutes,
    newest.max_refreshed_at AS refreshed_at
FROM (
    SELECT org, 'fact_stream_status_samples' AS table_name, max(gateway_ts) AS max_event_ts,
        CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS max_refreshed_at
    FROM fact_stream_status_samples
    GROUP BY org
    UNION ALL
    SELECT org, 'fact_workflow_sessions' AS table_name, max(ifNull(session_end_ts, session_start_ts)) AS max_event_ts,
        CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS max_refreshed_at
    FROM fact_workflow_sessions
    GROUP BY org
    UNION ALL
    SELECT org, relation AS table_name, max(window_start) AS max_event_ts, max(refreshed_at) AS max_refreshed_at
    FROM rollup_slices
    WHERE slice_rows > 0
    GROUP BY org, relation
) AS newest
)
COMMENT 'How old the newest rows are: one row per organisation and relation.';

CREATE OR REPLACE VIEW v_api_transport_bandwidth
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, clock of the gateway.',
    link_type LowCardinality(String) COMMENT '`gateway_to_orchestrator` or `orchestrator_to_worker`; never the client leg.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' for samples that are not attributed.',
    gateway LowCardinality(String) COMMENT 'Gateway; \'\' when unknown.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class; \'\' when unknown.',
    model_id LowCardinality(Nullable(String)) COMMENT 'Model label; NULL when unknown.',
    gpu_id Nullable(String) COMMENT 'GPU uuid; NULL when unknown or when several GPUs fit.',
    region LowCardinality(Nullable(String)) COMMENT 'Region; NULL as long as no producer sends one.',
    down_mbps_avg Nullable(Float64) COMMENT 'Mean bandwidth that a session used to the orchestrator, Mbit/s: bytes of rated intervals by their time; NULL without any.',
    up_mbps_avg Nullable(Float64) COMMENT 'Mean bandwidth that a session used from the orchestrator, Mbit/s: bytes of rated intervals by their time; NULL without any.',
    down_mbps_p95 Nullable(Float64) COMMENT '95th of 100 session minutes, to the orchestrator, Mbit/s: begin of its log bucket, within 1/32 of the value; NULL without any. Not to be aggregated.',
    up_mbps_p95 Nullable(Float64) COMMENT '95th of 100 session minutes, from the orchestrator, Mbit/s: begin of its log bucket, within 1/32 of the value; NULL without any. Not to be aggregated.',
    down_mbps_total Nullable(Float64) COMMENT 'Load of the hour to the orchestrator, Mbit/s: all bytes by 3,600 s; NULL without samples.',
    up_mbps_total Nullable(Float64) COMMENT 'Load of the hour from the orchestrator, Mbit/s: all bytes by 3,600 s; NULL without samples.',
    sessions UInt64 COMMENT 'Distinct sessions with bytes or time in the hour.',
    samples UInt64 COMMENT 'Samples that end in the hour.',
    rx_bytes UInt64 COMMENT 'Bytes to the orchestrator; all samples together have exactly these.',
    tx_bytes UInt64 COMMENT 'Bytes from the orchestrator.',
    observed_ms UInt64 COMMENT 'Time of intervals that carry rates, ms.',
    expected_ms UInt64 COMMENT 'Time in which segments of sessions with this identity ran, ms.',
    coverage_ratio Nullable(Float64) COMMENT 'Observed over expected time, 0 to 1; NULL where nothing was expected.',
    dropped_segment_ratio Nullable(Float64) COMMENT 'Segments never sent over all, 0 to 1; NULL without any.',
    telemetry_status LowCardinality(String) COMMENT '`ok` from a coverage of 0.8 on, `partial` below, `no_telemetry` without any sample.',
    window_state LowCardinality(String) COMMENT '`provisional` until 10 min after the hour, `settled` until 48 h after it and until every session in it is closed or silent for 48 h, then `final`; by the store\'s clock.',
    revision UInt64 COMMENT 'Changes after settling, summed where a row covers several hours.',
    refreshed_at DateTime64(3, 'UTC') COMMENT 'When the hour was computed last, UTC, node clock.'
)
AS SELECT org, window_start, link_type, orchestrator_address, gateway, pipeline_id, model_id, gpu_id, region, down_mbps_avg, up_mbps_avg, down_mbps_p95, up_mbps_p95, down_mbps_total, up_mbps_total, sessions, samples, rx_bytes, tx_bytes, observed_ms, expected_ms, coverage_ratio, dropped_segment_ratio, telemetry_status, window_state, revision, refreshed_at
FROM (
WITH
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
    slices.window_state AS window_state, slices.revision AS revision, slices.refreshed_at AS refreshed_at
FROM agg_transport_bandwidth_1h AS h FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_transport_bandwidth_1h'
) AS slices ON slices.org = h.org AND slices.window_start = h.window_start
WHERE h.slice_version >= slices.slice_version
)
COMMENT 'Bandwidth that sessions used between gateway and orchestrator, down (to it) and up (from it): one row per hour and key. Not the capacity of links.';

CREATE OR REPLACE VIEW v_api_ingest_quality
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, clock of the gateway.',
    gateway LowCardinality(String) COMMENT 'Gateway of the session; \'\' when unknown.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class of the session; \'\' when unknown.',
    model_id LowCardinality(Nullable(String)) COMMENT 'Model label of the session; NULL when unknown.',
    region LowCardinality(Nullable(String)) COMMENT 'Region; NULL as long as no producer sends one.',
    ingest_sessions UInt64 COMMENT 'Distinct sessions with a sample.',
    samples UInt64 COMMENT 'Samples.',
    bytes_received Nullable(UInt64) COMMENT 'Bytes from clients; NULL without samples.',
    bytes_sent Nullable(UInt64) COMMENT 'Bytes to clients, on WHIP mostly feedback; NULL without samples.',
    ingest_rx_kbps_avg Nullable(Float64) COMMENT 'Mean rate from a client, kbit/s: bytes of rated intervals by their time; NULL without any.',
    ingest_tx_kbps_avg Nullable(Float64) COMMENT 'Mean rate to a client, kbit/s: bytes of rated intervals by their time; NULL without any.',
    video_jitter_ms_avg Nullable(Float64) COMMENT 'Mean video jitter, ms; NULL without measurement.',
    video_jitter_ms_p95 Nullable(Float64) COMMENT '95th of 100 video jitters, ms: begin of its log bucket, within 1/32 of the value; NULL without measurement. Not to be aggregated.',
    audio_jitter_ms_avg Nullable(Float64) COMMENT 'Mean audio jitter, ms; NULL without measurement.',
    audio_jitter_ms_p95 Nullable(Float64) COMMENT '95th of 100 audio jitters, ms: begin of its log bucket, within 1/32 of the value; NULL without measurement. Not to be aggregated.',
    rtt_ms_avg Nullable(Float64) COMMENT 'Mean round trip of video and audio, ms; NULL without measurement.',
    rtt_ms_p95 Nullable(Float64) COMMENT '95th of 100 round trips, ms: begin of its log bucket, within 1/32 of the value; NULL without measurement. Not to be aggregated.',
    video_loss_ratio Nullable(Float64) COMMENT 'Video packets lost over lost and received, 0 to 1; NULL without packets.',
    audio_loss_ratio Nullable(Float64) COMMENT 'Audio packets lost over lost and received, 0 to 1; NULL without packets.',
    media_latency_ms_avg Nullable(Float64) COMMENT 'Mean media latency of video and audio, client timeline, ms; NULL without measurement.',
    media_latency_ms_p95 Nullable(Float64) COMMENT '95th of 100 media latencies, ms: begin of its log bucket, within 1/32 of the value; NULL without measurement. Not to be aggregated.',
    bad_quality_ratio Nullable(Float64) COMMENT 'Samples of quality `bad` over all, 0 to 1; NULL without samples.',
    ingest_coverage_ratio Nullable(Float64) COMMENT 'Known sessions with a sample over known sessions, 0 to 1; NULL when none is known. RTMP has no samples.',
    known_sessions UInt64 COMMENT 'Known sessions that ran in the hour, with samples or without.',
    observed_ms UInt64 COMMENT 'Time of intervals that carry rates, ms.',
    session_ms UInt64 COMMENT 'Time that known sessions ran in the hour, ms.',
    telemetry_status LowCardinality(String) COMMENT '`ok` if half of the session time was observed, `partial` below, `no_telemetry` without any sample.',
    window_state LowCardinality(String) COMMENT '`provisional` until 10 min after the hour, `settled` until 48 h after it and until every session in it is closed or silent for 48 h, then `final`; by the store\'s clock.',
    revision UInt64 COMMENT 'Changes after settling, summed where a row covers several hours.',
    refreshed_at DateTime64(3, 'UTC') COMMENT 'When the hour was computed last, UTC, node clock.'
)
AS SELECT org, window_start, gateway, pipeline_id, model_id, region, ingest_sessions, samples, bytes_received, bytes_sent, ingest_rx_kbps_avg, ingest_tx_kbps_avg, video_jitter_ms_avg, video_jitter_ms_p95, audio_jitter_ms_avg, audio_jitter_ms_p95, rtt_ms_avg, rtt_ms_p95, video_loss_ratio, audio_loss_ratio, media_latency_ms_avg, media_latency_ms_p95, bad_quality_ratio, ingest_coverage_ratio, known_sessions, observed_ms, session_ms, telemetry_status, window_state, revision, refreshed_at
FROM (
WITH
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
    slices.window_state AS window_state, slices.revision AS revision, slices.refreshed_at AS refreshed_at
FROM agg_ingest_quality_1h AS h FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_ingest_quality_1h'
) AS slices ON slices.org = h.org AND slices.window_start = h.window_start
WHERE h.slice_version >= slices.slice_version
)
COMMENT 'Quality between WHIP clients and gateway: one row per hour and key. Says nothing of orchestrators.';

CREATE OR REPLACE VIEW v_api_gpu_inventory_current
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' when unknown.',
    orchestrator_proxy_address String COMMENT 'Hot wallet, lower case; \'\' when unknown.',
    orchestrator_url String COMMENT 'Service URI, verbatim; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid, trimmed and lower case; never empty.',
    gpu_model_name LowCardinality(String) COMMENT 'GPU product name; \'\' when unknown.',
    gpu_memory_bytes_total Nullable(UInt64) COMMENT 'GPU memory, bytes; NULL when unknown.',
    gpu_memory_bytes_free Nullable(UInt64) COMMENT 'Free GPU memory when polled, bytes; NULL when unknown.',
    compute_capability Nullable(String) COMMENT 'Compute capability, `major.minor`; NULL when unknown.',
    runner_version LowCardinality(String) COMMENT 'Version of the runner, the first one that is known; \'\' when unknown.',
    pipelines Array(String) COMMENT 'Workflow classes that the GPU serves, sorted and distinct.',
    model_ids Array(String) COMMENT 'Models that the GPU serves, sorted and distinct.',
    capability_ids Array(Int32) COMMENT 'Catalogue ids of their capabilities, sorted and distinct.',
    capacity Nullable(Int64) COMMENT 'Most slots of one of its models, a label; NULL when unknown.',
    capacity_in_use Nullable(Int64) COMMENT 'Most busy slots of one of its models, a label; NULL when unknown.',
    warm Nullable(UInt8) COMMENT '1 when any of its models is loaded; NULL when unknown.',
    price_per_unit Nullable(Int64) COMMENT 'Price of the first of its models by name that has one, wei per `pixels_per_unit` pixels; NULL when unknown.',
    pixels_per_unit Nullable(Int64) COMMENT 'Pixels that the price is for; NULL when unknown.',
    orchestrator_version LowCardinality(String) COMMENT 'Version of the orchestrator; \'\' when unknown.',
    sku_fingerprint String COMMENT 'URL, GPU product and memory: stable where GPU uuids change.',
    first_seen_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'First advertisement of the GPU by the node, UTC, gateway clock; NULL when not known.',
    last_seen_ts DateTime64(3, 'UTC') COMMENT 'Last advertisement, UTC, gateway clock.',
    age_seconds UInt32 COMMENT 'Seconds since the last advertisement, store clock.',
    is_fresh UInt8 COMMENT '1 when advertised within 30 minutes.',
    source_event_uid String COMMENT 'Uid of the capability event; never empty.'
)
AS SELECT org, orchestrator_address, orchestrator_proxy_address, orchestrator_url, gpu_id, gpu_model_name, gpu_memory_bytes_total, gpu_memory_bytes_free, compute_capability, runner_version, pipelines, model_ids, capability_ids, capacity, capacity_in_use, warm, price_per_unit, pixels_per_unit, orchestrator_version, sku_fingerprint, first_seen_ts, last_seen_ts, age_seconds, is_fresh, source_event_uid
FROM (
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
)
COMMENT 'GPUs advertised now: one row per node and GPU of the newest event of its URL, up to 24 hours old. Advertised, not used.';

CREATE OR REPLACE VIEW fact_payment_events
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
AS SELECT org, payment_ts, workflow_session_id, link_method, request_id, session_id, manifest_id, gateway, sender, recipient, orchestrator_url, pipeline, model_id, face_value_wei, num_tickets, win_prob, expected_value_wei, price_wei_per_pixel, face_value_text, source_event_uid, version
FROM (
WITH
    sessions AS (
        SELECT org, request_id,
            groupArray((session_start_ts, ifNull(session_end_ts, session_start_ts), workflow_session_id, pipeline, model_id)) AS spans
        FROM fact_workflow_sessions FINAL
        WHERE request_id != ''
        GROUP BY org, request_id
    ),
    -- The session with the request id that ran at the time of the payment, or a minute from it; of several
    -- one that ran then, else the one that started last.
    own AS (
        SELECT p.*,
            arraySort(
                s -> (payment_ts < s.1 OR payment_ts > s.2, -toUnixTimestamp64Milli(s.1), s.3),
                arrayFilter(s -> payment_ts BETWEEN s.1 - INTERVAL 1 MINUTE AND s.2 + INTERVAL 1 MINUTE, s.spans)
            )[1] AS span,
            (span.3, span.4, span.5) AS named
        FROM (SELECT * FROM fact_payment_tickets FINAL) AS p
        LEFT JOIN sessions AS s ON s.org = p.org AND s.request_id = p.request_id
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
)
COMMENT 'Payment tickets in wei with the session they were for: one row per payment event.';
