-- Generated from protocol/src/rollup.rs: views only, so applied again when changed.

CREATE OR REPLACE VIEW v_agg_orchestrator_1h AS SELECT
    published.org AS org,
    published.window_start AS window_start,
    published.orchestrator_address AS orchestrator_address,
    published.pipeline_id AS pipeline_id,
    published.model_id AS model_id,
    published.gpu_id AS gpu_id,
    published.region AS region,
    published.sessions_count AS sessions_count,
    published.session_starts AS session_starts,
    published.known_sessions_count AS known_sessions_count,
    published.startup_success_sessions AS startup_success_sessions,
    published.startup_excused_sessions AS startup_excused_sessions,
    published.startup_unexcused_sessions AS startup_unexcused_sessions,
    published.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    published.inferred_swap_sessions AS inferred_swap_sessions,
    published.total_swapped_sessions AS total_swapped_sessions,
    published.sessions_with_errors AS sessions_with_errors,
    published.sessions_ending_in_error AS sessions_ending_in_error,
    published.loading_only_sessions AS loading_only_sessions,
    published.zero_output_fps_sessions AS zero_output_fps_sessions,
    published.output_failed_sessions AS output_failed_sessions,
    published.effective_failed_sessions AS effective_failed_sessions,
    published.error_status_samples AS error_status_samples,
    published.health_signal_count AS health_signal_count,
    published.health_expected_signal_count AS health_expected_signal_count,
    published.status_samples AS status_samples,
    published.output_fps_sum AS output_fps_sum,
    published.output_fps_sumsq AS output_fps_sumsq,
    published.output_fps_histogram AS output_fps_histogram,
    published.active_ms AS active_ms,
    published.prompt_to_first_frame_sample_count AS prompt_to_first_frame_sample_count,
    published.prompt_to_first_frame_sum AS prompt_to_first_frame_sum,
    published.prompt_to_first_frame_histogram AS prompt_to_first_frame_histogram,
    published.startup_latency_sample_count AS startup_latency_sample_count,
    published.startup_latency_sum AS startup_latency_sum,
    published.startup_latency_histogram AS startup_latency_histogram,
    published.e2e_latency_sample_count AS e2e_latency_sample_count,
    published.e2e_latency_sum AS e2e_latency_sum,
    published.e2e_latency_histogram AS e2e_latency_histogram,
    published.orchestrator_url AS orchestrator_url,
    published.orchestrator_version AS orchestrator_version,
    published.runner_version AS runner_version,
    published.gpu_model_name AS gpu_model_name,
    published.compute_capability AS compute_capability,
    published.gpu_memory_bytes_total AS gpu_memory_bytes_total,
    published.gpu_memory_bytes_free AS gpu_memory_bytes_free,
    published.capacity AS capacity,
    published.capacity_in_use AS capacity_in_use,
    published.warm AS warm,
    published.price_per_unit AS price_per_unit,
    published.pixels_per_unit AS pixels_per_unit,
    published.metadata_snapshot_ts AS metadata_snapshot_ts,
    published.slice_version AS slice_version,
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM agg_orchestrator_1h AS published FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_orchestrator_1h'
) AS slices ON slices.org = published.org AND slices.window_start = published.window_start
WHERE published.slice_version >= slices.slice_version
COMMENT 'Valid rows of agg_orchestrator_1h.';

CREATE OR REPLACE VIEW v_agg_network_demand_1h AS SELECT
    published.org AS org,
    published.window_start AS window_start,
    published.grain AS grain,
    published.gateway AS gateway,
    published.region AS region,
    published.pipeline_id AS pipeline_id,
    published.model_id AS model_id,
    published.orchestrator_address AS orchestrator_address,
    published.gpu_id AS gpu_id,
    published.sessions_count AS sessions_count,
    published.active_ms AS active_ms,
    published.status_samples AS status_samples,
    published.output_fps_sum AS output_fps_sum,
    published.output_fps_sumsq AS output_fps_sumsq,
    published.gpu_fallback_samples AS gpu_fallback_samples,
    published.gpu_fallback_sessions AS gpu_fallback_sessions,
    published.served_sessions AS served_sessions,
    published.unserved_sessions AS unserved_sessions,
    published.unattributed_sessions AS unattributed_sessions,
    published.no_orch_sessions AS no_orch_sessions,
    published.known_sessions_count AS known_sessions_count,
    published.startup_success_sessions AS startup_success_sessions,
    published.startup_excused_sessions AS startup_excused_sessions,
    published.startup_unexcused_sessions AS startup_unexcused_sessions,
    published.confirmed_swapped_sessions AS confirmed_swapped_sessions,
    published.inferred_swap_sessions AS inferred_swap_sessions,
    published.total_swapped_sessions AS total_swapped_sessions,
    published.sessions_with_errors AS sessions_with_errors,
    published.sessions_ending_in_error AS sessions_ending_in_error,
    published.loading_only_sessions AS loading_only_sessions,
    published.zero_output_fps_sessions AS zero_output_fps_sessions,
    published.output_failed_sessions AS output_failed_sessions,
    published.effective_failed_sessions AS effective_failed_sessions,
    published.error_status_samples AS error_status_samples,
    published.health_signal_count AS health_signal_count,
    published.health_expected_signal_count AS health_expected_signal_count,
    published.gpu_model_name AS gpu_model_name,
    published.advertised_capacity AS advertised_capacity,
    published.payments_count AS payments_count,
    published.ticket_count AS ticket_count,
    published.ticket_face_value_wei AS ticket_face_value_wei,
    published.ticket_expected_value_wei AS ticket_expected_value_wei,
    published.slice_version AS slice_version,
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM agg_network_demand_1h AS published FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_network_demand_1h'
) AS slices ON slices.org = published.org AND slices.window_start = published.window_start
WHERE published.slice_version >= slices.slice_version
COMMENT 'Valid rows of agg_network_demand_1h.';

CREATE OR REPLACE VIEW v_agg_output_fps_5m AS SELECT
    published.org AS org,
    published.window_start AS window_start,
    published.window_start_5m AS window_start_5m,
    published.orchestrator_address AS orchestrator_address,
    published.pipeline_id AS pipeline_id,
    published.model_id AS model_id,
    published.gpu_id AS gpu_id,
    published.region AS region,
    published.status_samples AS status_samples,
    published.output_fps_sum AS output_fps_sum,
    published.output_fps_sumsq AS output_fps_sumsq,
    published.slice_version AS slice_version,
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM agg_output_fps_5m AS published FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_output_fps_5m'
) AS slices ON slices.org = published.org AND slices.window_start = published.window_start
WHERE published.slice_version >= slices.slice_version
COMMENT 'Valid rows of agg_output_fps_5m.';

CREATE OR REPLACE VIEW v_agg_startup_1h AS SELECT
    published.org AS org,
    published.window_start AS window_start,
    published.gateway AS gateway,
    published.orchestrator_address AS orchestrator_address,
    published.pipeline_id AS pipeline_id,
    published.model_id AS model_id,
    published.region AS region,
    published.known_sessions_count AS known_sessions_count,
    published.startup_success_sessions AS startup_success_sessions,
    published.startup_excused_sessions AS startup_excused_sessions,
    published.startup_unexcused_sessions AS startup_unexcused_sessions,
    published.unserved_sessions AS unserved_sessions,
    published.no_orch_sessions AS no_orch_sessions,
    published.slice_version AS slice_version,
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM agg_startup_1h AS published FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_startup_1h'
) AS slices ON slices.org = published.org AND slices.window_start = published.window_start
WHERE published.slice_version >= slices.slice_version
COMMENT 'Valid rows of agg_startup_1h.';

CREATE OR REPLACE VIEW v_agg_attribution_1h AS SELECT
    published.org AS org,
    published.window_start AS window_start,
    published.attribution_status AS attribution_status,
    published.attribution_source AS attribution_source,
    published.attribution_reason AS attribution_reason,
    published.sessions_count AS sessions_count,
    published.slice_version AS slice_version,
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM agg_attribution_1h AS published FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_attribution_1h'
) AS slices ON slices.org = published.org AND slices.window_start = published.window_start
WHERE published.slice_version >= slices.slice_version
COMMENT 'Valid rows of agg_attribution_1h.';

CREATE OR REPLACE VIEW v_agg_transport_bandwidth_1h AS SELECT
    published.org AS org,
    published.window_start AS window_start,
    published.link_type AS link_type,
    published.orchestrator_address AS orchestrator_address,
    published.gateway AS gateway,
    published.pipeline_id AS pipeline_id,
    published.model_id AS model_id,
    published.gpu_id AS gpu_id,
    published.region AS region,
    published.rx_bytes AS rx_bytes,
    published.tx_bytes AS tx_bytes,
    published.rated_rx_bytes AS rated_rx_bytes,
    published.rated_tx_bytes AS rated_tx_bytes,
    published.observed_ms AS observed_ms,
    published.expected_ms AS expected_ms,
    published.samples AS samples,
    published.segments AS segments,
    published.failed_segments AS failed_segments,
    published.dropped_segments AS dropped_segments,
    published.sessions AS sessions,
    published.rx_rate_buckets AS rx_rate_buckets,
    published.rx_rate_counts AS rx_rate_counts,
    published.tx_rate_buckets AS tx_rate_buckets,
    published.tx_rate_counts AS tx_rate_counts,
    published.slice_version AS slice_version,
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM agg_transport_bandwidth_1h AS published FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_transport_bandwidth_1h'
) AS slices ON slices.org = published.org AND slices.window_start = published.window_start
WHERE published.slice_version >= slices.slice_version
COMMENT 'Valid rows of agg_transport_bandwidth_1h.';

CREATE OR REPLACE VIEW v_agg_transport_bandwidth_1m AS SELECT
    published.org AS org,
    published.window_start AS window_start,
    published.minute_start AS minute_start,
    published.link_type AS link_type,
    published.orchestrator_address AS orchestrator_address,
    published.gateway AS gateway,
    published.pipeline_id AS pipeline_id,
    published.model_id AS model_id,
    published.gpu_id AS gpu_id,
    published.region AS region,
    published.rx_bytes AS rx_bytes,
    published.tx_bytes AS tx_bytes,
    published.rated_rx_bytes AS rated_rx_bytes,
    published.rated_tx_bytes AS rated_tx_bytes,
    published.observed_ms AS observed_ms,
    published.expected_ms AS expected_ms,
    published.samples AS samples,
    published.segments AS segments,
    published.failed_segments AS failed_segments,
    published.dropped_segments AS dropped_segments,
    published.sessions AS sessions,
    published.rx_rate_buckets AS rx_rate_buckets,
    published.rx_rate_counts AS rx_rate_counts,
    published.tx_rate_buckets AS tx_rate_buckets,
    published.tx_rate_counts AS tx_rate_counts,
    published.slice_version AS slice_version,
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM agg_transport_bandwidth_1m AS published FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_transport_bandwidth_1m'
) AS slices ON slices.org = published.org AND slices.window_start = published.window_start
WHERE published.slice_version >= slices.slice_version
COMMENT 'Valid rows of agg_transport_bandwidth_1m.';

CREATE OR REPLACE VIEW v_agg_ingest_quality_1h AS SELECT
    published.org AS org,
    published.window_start AS window_start,
    published.gateway AS gateway,
    published.pipeline_id AS pipeline_id,
    published.model_id AS model_id,
    published.region AS region,
    published.samples AS samples,
    published.sessions AS sessions,
    published.bytes_received AS bytes_received,
    published.bytes_sent AS bytes_sent,
    published.rated_bytes_received AS rated_bytes_received,
    published.rated_bytes_sent AS rated_bytes_sent,
    published.observed_ms AS observed_ms,
    published.video_packets_received AS video_packets_received,
    published.video_packets_lost AS video_packets_lost,
    published.audio_packets_received AS audio_packets_received,
    published.audio_packets_lost AS audio_packets_lost,
    published.video_jitter_sum AS video_jitter_sum,
    published.video_jitter_samples AS video_jitter_samples,
    published.video_jitter_buckets AS video_jitter_buckets,
    published.video_jitter_counts AS video_jitter_counts,
    published.audio_jitter_sum AS audio_jitter_sum,
    published.audio_jitter_samples AS audio_jitter_samples,
    published.audio_jitter_buckets AS audio_jitter_buckets,
    published.audio_jitter_counts AS audio_jitter_counts,
    published.rtt_sum AS rtt_sum,
    published.rtt_samples AS rtt_samples,
    published.rtt_buckets AS rtt_buckets,
    published.rtt_counts AS rtt_counts,
    published.media_latency_sum AS media_latency_sum,
    published.media_latency_samples AS media_latency_samples,
    published.media_latency_buckets AS media_latency_buckets,
    published.media_latency_counts AS media_latency_counts,
    published.good_samples AS good_samples,
    published.bad_samples AS bad_samples,
    published.other_samples AS other_samples,
    published.known_sessions AS known_sessions,
    published.known_sessions_with_samples AS known_sessions_with_samples,
    published.session_ms AS session_ms,
    published.slice_version AS slice_version,
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM agg_ingest_quality_1h AS published FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_ingest_quality_1h'
) AS slices ON slices.org = published.org AND slices.window_start = published.window_start
WHERE published.slice_version >= slices.slice_version
COMMENT 'Valid rows of agg_ingest_quality_1h.';

CREATE OR REPLACE VIEW v_agg_ingest_quality_1m AS SELECT
    published.org AS org,
    published.window_start AS window_start,
    published.minute_start AS minute_start,
    published.gateway AS gateway,
    published.pipeline_id AS pipeline_id,
    published.model_id AS model_id,
    published.region AS region,
    published.samples AS samples,
    published.sessions AS sessions,
    published.bytes_received AS bytes_received,
    published.bytes_sent AS bytes_sent,
    published.rated_bytes_received AS rated_bytes_received,
    published.rated_bytes_sent AS rated_bytes_sent,
    published.observed_ms AS observed_ms,
    published.video_packets_received AS video_packets_received,
    published.video_packets_lost AS video_packets_lost,
    published.audio_packets_received AS audio_packets_received,
    published.audio_packets_lost AS audio_packets_lost,
    published.video_jitter_sum AS video_jitter_sum,
    published.video_jitter_samples AS video_jitter_samples,
    published.video_jitter_buckets AS video_jitter_buckets,
    published.video_jitter_counts AS video_jitter_counts,
    published.audio_jitter_sum AS audio_jitter_sum,
    published.audio_jitter_samples AS audio_jitter_samples,
    published.audio_jitter_buckets AS audio_jitter_buckets,
    published.audio_jitter_counts AS audio_jitter_counts,
    published.rtt_sum AS rtt_sum,
    published.rtt_samples AS rtt_samples,
    published.rtt_buckets AS rtt_buckets,
    published.rtt_counts AS rtt_counts,
    published.media_latency_sum AS media_latency_sum,
    published.media_latency_samples AS media_latency_samples,
    published.media_latency_buckets AS media_latency_buckets,
    published.media_latency_counts AS media_latency_counts,
    published.good_samples AS good_samples,
    published.bad_samples AS bad_samples,
    published.other_samples AS other_samples,
    published.slice_version AS slice_version,
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM agg_ingest_quality_1m AS published FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_ingest_quality_1m'
) AS slices ON slices.org = published.org AND slices.window_start = published.window_start
WHERE published.slice_version >= slices.slice_version
COMMENT 'Valid rows of agg_ingest_quality_1m.';

CREATE OR REPLACE VIEW v_agg_quality_benchmark_1d AS SELECT
    published.org AS org,
    published.window_start AS window_start,
    published.pipeline_id AS pipeline_id,
    published.model_id AS model_id,
    published.ptff_p50 AS ptff_p50,
    published.ptff_p90 AS ptff_p90,
    published.ptff_row_count AS ptff_row_count,
    published.e2e_p50 AS e2e_p50,
    published.e2e_p90 AS e2e_p90,
    published.e2e_row_count AS e2e_row_count,
    published.fps_p10 AS fps_p10,
    published.fps_p50 AS fps_p50,
    published.fps_row_count AS fps_row_count,
    published.slice_version AS slice_version,
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM agg_quality_benchmark_1d AS published FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = 'agg_quality_benchmark_1d'
) AS slices ON slices.org = published.org AND slices.window_start = published.window_start
WHERE published.slice_version >= slices.slice_version
COMMENT 'Valid rows of agg_quality_benchmark_1d.';
