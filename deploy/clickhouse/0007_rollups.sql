-- Generated from protocol/src/rows. Append-only once released: never edit, add a file.

CREATE TABLE IF NOT EXISTS rollup_slices
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic; \'\' for a relation over all of them.',
    relation LowCardinality(String) COMMENT 'Published table that the slice belongs to.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the slice, UTC.' CODEC(DoubleDelta, ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice (epoch of shard 0 and sequence): its rows of this version or a later one are valid.' CODEC(T64, ZSTD(1)),
    slice_rows UInt64 COMMENT 'Rows of the slice.' CODEC(T64, ZSTD(1)),
    content String COMMENT 'XOR over a 128-bit hash of each row of the slice, without its version, 32 hex digits.' CODEC(ZSTD(1)),
    open_until DateTime64(3, 'UTC') COMMENT 'Moment from which no session in the slice can change any more: each is closed, or has been silent for 48 h by then, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    revision UInt32 COMMENT 'Changes of the content after settling.' CODEC(T64, ZSTD(1)),
    refresh_run_id String COMMENT 'Run that computed the slice; \'\' for the regular schedule.' CODEC(ZSTD(1)),
    refreshed_at DateTime64(3, 'UTC') COMMENT 'When the slice was computed, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    window_state String ALIAS multiIf(now64(3) < window_start + INTERVAL 70 MINUTE, 'provisional', now64(3) < greatest(window_start + INTERVAL 49 HOUR, open_until), 'settled', 'final') COMMENT '`provisional` until 10 min after the slice, `settled` until 48 h after it and until `open_until`, then `final` (backlog 003), by the store\'s clock.'
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, relation, window_start)
TTL toDate(window_start) + INTERVAL 400 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Valid version of each published slice: one row per relation, organisation and hour. A relation of days has the day\'s first hour and organisation \'\'.';

CREATE TABLE IF NOT EXISTS agg_orchestrator_1h
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; never empty.' CODEC(ZSTD(1)),
    pipeline_id LowCardinality(String) COMMENT 'Workflow class; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown or when several GPUs fit.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    sessions_count UInt64 COMMENT 'Distinct sessions with evidence, known or not.' CODEC(T64, ZSTD(1)),
    session_starts UInt64 COMMENT 'Known sessions whose first evidence hour and identity this is: their sum counts no session twice.' CODEC(T64, ZSTD(1)),
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace.' CODEC(T64, ZSTD(1)),
    startup_success_sessions UInt64 COMMENT 'Known sessions that became playable.' CODEC(T64, ZSTD(1)),
    startup_excused_sessions UInt64 COMMENT 'Known sessions that did not start and are excused.' CODEC(T64, ZSTD(1)),
    startup_unexcused_sessions UInt64 COMMENT 'Known sessions that did not start and are not excused.' CODEC(T64, ZSTD(1)),
    confirmed_swapped_sessions UInt64 COMMENT 'Known sessions with an explicit swap trace.' CODEC(T64, ZSTD(1)),
    inferred_swap_sessions UInt64 COMMENT 'Known sessions with more than one canonical orchestrator.' CODEC(T64, ZSTD(1)),
    total_swapped_sessions UInt64 COMMENT 'Known sessions with either: a union, not a sum.' CODEC(T64, ZSTD(1)),
    sessions_with_errors UInt64 COMMENT 'Known sessions with an error event.' CODEC(T64, ZSTD(1)),
    sessions_ending_in_error UInt64 COMMENT 'Known sessions with an error text in any status sample.' CODEC(T64, ZSTD(1)),
    loading_only_sessions UInt64 COMMENT 'Known sessions with status samples that were all `LOADING`.' CODEC(T64, ZSTD(1)),
    zero_output_fps_sessions UInt64 COMMENT 'Known sessions with status samples of which none had output frames.' CODEC(T64, ZSTD(1)),
    output_failed_sessions UInt64 COMMENT 'Known sessions that are loading-only or without output: a union.' CODEC(T64, ZSTD(1)),
    effective_failed_sessions UInt64 COMMENT 'Known sessions that are unexcused, loading-only or without output: a union.' CODEC(T64, ZSTD(1)),
    error_status_samples UInt64 COMMENT 'Status samples with an error text over the whole life of the known sessions.' CODEC(T64, ZSTD(1)),
    health_signal_count UInt64 COMMENT 'Health signals seen of the known sessions.' CODEC(T64, ZSTD(1)),
    health_expected_signal_count UInt64 COMMENT 'Health signals expected of the known sessions.' CODEC(T64, ZSTD(1)),
    status_samples UInt64 COMMENT 'Status samples.' CODEC(T64, ZSTD(1)),
    output_fps_sum UInt64 COMMENT 'Sum of output frames per second over the samples, units of 0.000001.' CODEC(T64, ZSTD(1)),
    output_fps_sumsq UInt64 COMMENT 'Sum of their squares, each square rounded, units of 0.000001.' CODEC(T64, ZSTD(1)),
    output_fps_histogram Array(UInt32) COMMENT 'Samples per fixed log bucket of output frames per second, trailing zeros left out. A bucket b below 32 begins at b / 10, others at bitShiftLeft(32 + b % 32, intDiv(b, 32) - 1) / 10.' CODEC(ZSTD(1)),
    active_ms UInt64 COMMENT 'Active time, ms: from each running sample to the session\'s next sample, at most 30 s and not beyond the hour.' CODEC(T64, ZSTD(1)),
    prompt_to_first_frame_sample_count UInt64 COMMENT 'Sessions with a latency from prompt to playable (edges v2), each in its first evidence hour.' CODEC(T64, ZSTD(1)),
    prompt_to_first_frame_sum UInt64 COMMENT 'Sum of their latencies, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    prompt_to_first_frame_histogram Array(UInt32) COMMENT 'Sessions by fixed log bucket of ms, trailing zeros left out; buckets as `output_fps_histogram`, with steps of 1 ms.' CODEC(ZSTD(1)),
    startup_latency_sample_count UInt64 COMMENT 'Sessions with a latency from request to first processed (edges v2), each in its first evidence hour.' CODEC(T64, ZSTD(1)),
    startup_latency_sum UInt64 COMMENT 'Sum of their latencies, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    startup_latency_histogram Array(UInt32) COMMENT 'Sessions by fixed log bucket of ms, trailing zeros left out; buckets as `output_fps_histogram`, with steps of 1 ms.' CODEC(ZSTD(1)),
    e2e_latency_sample_count UInt64 COMMENT 'Sessions with a latency from first ingest to first output (edges v2), each in its first evidence hour.' CODEC(T64, ZSTD(1)),
    e2e_latency_sum UInt64 COMMENT 'Sum of their latencies, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    e2e_latency_histogram Array(UInt32) COMMENT 'Sessions by fixed log bucket of ms, trailing zeros left out; buckets as `output_fps_histogram`, with steps of 1 ms.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI in the newest advertisement of the GPU up to the end of the hour, at most 24 h old; \'\' without one.' CODEC(ZSTD(1)),
    orchestrator_version LowCardinality(String) COMMENT 'Version of the orchestrator in it; \'\' when unknown.',
    runner_version LowCardinality(String) COMMENT 'Version of the runner in it; \'\' when unknown.',
    gpu_model_name LowCardinality(String) COMMENT 'GPU product name in it; \'\' when unknown.',
    compute_capability LowCardinality(String) COMMENT 'Compute capability in it, `major.minor`; \'\' when unknown.',
    gpu_memory_bytes_total Nullable(UInt64) COMMENT 'GPU memory in it, bytes; NULL when unknown.' CODEC(T64, ZSTD(1)),
    gpu_memory_bytes_free Nullable(UInt64) COMMENT 'Free GPU memory in it, bytes; NULL when unknown.' CODEC(T64, ZSTD(1)),
    capacity Nullable(Int64) COMMENT 'Slots of the model in it; NULL when unknown.' CODEC(T64, ZSTD(1)),
    capacity_in_use Nullable(Int64) COMMENT 'Busy slots of the model in it; NULL when unknown.' CODEC(T64, ZSTD(1)),
    warm Nullable(UInt8) COMMENT '1 when the model was loaded; NULL when unknown.',
    price_per_unit Nullable(Int64) COMMENT 'Price in it, wei per `pixels_per_unit` pixels; NULL when unknown.' CODEC(T64, ZSTD(1)),
    pixels_per_unit Nullable(Int64) COMMENT 'Pixels that the price is for; NULL when unknown.' CODEC(T64, ZSTD(1)),
    metadata_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of that advertisement, UTC, gateway clock; NULL without one.' CODEC(DoubleDelta, ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region)
TTL toDate(window_start) + INTERVAL 400 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'What an identity served in an hour: one row per orchestrator, pipeline, model, GPU and region with gold-eligible status evidence that is no terminal tail. A session counts in every hour and identity with evidence: counts of sessions are session-hours.';

CREATE TABLE IF NOT EXISTS agg_network_demand_1h
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    grain LowCardinality(String) COMMENT '`gpu`, `model` or `pipeline`: what the row is one of; finer columns are \'\' in a coarser row.',
    gateway LowCardinality(String) COMMENT 'Gateway; \'\' when unknown.',
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class, else the only one of the sessions that started in the hour with this gateway, region and model; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' when not served.' CODEC(ZSTD(1)),
    gpu_id String COMMENT 'GPU uuid, else that of the session that started last among those of the same key with one; \'\' when unknown.' CODEC(ZSTD(1)),
    sessions_count UInt64 COMMENT 'Distinct sessions with attributed status samples in the hour; not to be summed.' CODEC(T64, ZSTD(1)),
    active_ms UInt64 COMMENT 'Active time, ms: from each running sample to the session\'s next sample, at most 30 s and not beyond the hour.' CODEC(T64, ZSTD(1)),
    status_samples UInt64 COMMENT 'Status samples.' CODEC(T64, ZSTD(1)),
    output_fps_sum UInt64 COMMENT 'Sum of output frames per second over the samples, units of 0.000001.' CODEC(T64, ZSTD(1)),
    output_fps_sumsq UInt64 COMMENT 'Sum of their squares, each square rounded, units of 0.000001.' CODEC(T64, ZSTD(1)),
    gpu_fallback_samples UInt64 COMMENT 'Status samples without a GPU of their own, shown under that of another session or none.' CODEC(T64, ZSTD(1)),
    gpu_fallback_sessions UInt64 COMMENT 'Known sessions without a GPU of their own, shown under that of another session or none.' CODEC(T64, ZSTD(1)),
    served_sessions UInt64 COMMENT 'Known sessions with a canonical orchestrator, however it was found.' CODEC(T64, ZSTD(1)),
    unserved_sessions UInt64 COMMENT 'Known sessions without one.' CODEC(T64, ZSTD(1)),
    unattributed_sessions UInt64 COMMENT 'Known sessions that selected somebody who could not be resolved.' CODEC(T64, ZSTD(1)),
    no_orch_sessions UInt64 COMMENT 'Known sessions for which no orchestrator was available.' CODEC(T64, ZSTD(1)),
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace.' CODEC(T64, ZSTD(1)),
    startup_success_sessions UInt64 COMMENT 'Known sessions that became playable.' CODEC(T64, ZSTD(1)),
    startup_excused_sessions UInt64 COMMENT 'Known sessions that did not start and are excused.' CODEC(T64, ZSTD(1)),
    startup_unexcused_sessions UInt64 COMMENT 'Known sessions that did not start and are not excused.' CODEC(T64, ZSTD(1)),
    confirmed_swapped_sessions UInt64 COMMENT 'Known sessions with an explicit swap trace.' CODEC(T64, ZSTD(1)),
    inferred_swap_sessions UInt64 COMMENT 'Known sessions with more than one canonical orchestrator.' CODEC(T64, ZSTD(1)),
    total_swapped_sessions UInt64 COMMENT 'Known sessions with either: a union, not a sum.' CODEC(T64, ZSTD(1)),
    sessions_with_errors UInt64 COMMENT 'Known sessions with an error event.' CODEC(T64, ZSTD(1)),
    sessions_ending_in_error UInt64 COMMENT 'Known sessions with an error text in any status sample.' CODEC(T64, ZSTD(1)),
    loading_only_sessions UInt64 COMMENT 'Known sessions with status samples that were all `LOADING`.' CODEC(T64, ZSTD(1)),
    zero_output_fps_sessions UInt64 COMMENT 'Known sessions with status samples of which none had output frames.' CODEC(T64, ZSTD(1)),
    output_failed_sessions UInt64 COMMENT 'Known sessions that are loading-only or without output: a union.' CODEC(T64, ZSTD(1)),
    effective_failed_sessions UInt64 COMMENT 'Known sessions that are unexcused, loading-only or without output: a union.' CODEC(T64, ZSTD(1)),
    error_status_samples UInt64 COMMENT 'Status samples with an error text over the whole life of the known sessions.' CODEC(T64, ZSTD(1)),
    health_signal_count UInt64 COMMENT 'Health signals seen of the known sessions.' CODEC(T64, ZSTD(1)),
    health_expected_signal_count UInt64 COMMENT 'Health signals expected of the known sessions.' CODEC(T64, ZSTD(1)),
    gpu_model_name LowCardinality(String) COMMENT 'GPU product name in the newest advertisement of orchestrator, model and GPU up to the end of the hour, at most 24 h old (grain `gpu`); \'\' when unknown.',
    advertised_capacity Nullable(Int64) COMMENT 'Advertised slots of orchestrator and model in their newest advertisement up to then (grain `gpu`), the same in each row of them; NULL when unknown.' CODEC(T64, ZSTD(1)),
    payments_count UInt64 COMMENT 'Payment events of the hour.' CODEC(T64, ZSTD(1)),
    ticket_count UInt64 COMMENT 'Tickets in them.' CODEC(T64, ZSTD(1)),
    ticket_face_value_wei UInt256 COMMENT 'Sum of the face values of the payment events, wei.' CODEC(ZSTD(1)),
    ticket_expected_value_wei Decimal(76, 10) COMMENT 'Sum of face value times probability times tickets, wei.' CODEC(ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, window_start, grain, gateway, region, pipeline_id, model_id, orchestrator_address, gpu_id)
TTL toDate(window_start) + INTERVAL 400 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Demand in an hour, at three grains: one row per gateway, region, pipeline, model, orchestrator and GPU (`gpu`), per gateway, region, pipeline and model (`model`), and per gateway, region and pipeline (`pipeline`). Status evidence counts in its own hour, sessions in the hour they started in, payments in theirs.';

CREATE TABLE IF NOT EXISTS agg_output_fps_5m
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    window_start_5m DateTime64(3, 'UTC') COMMENT 'Start of the five minutes, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; never empty.' CODEC(ZSTD(1)),
    pipeline_id LowCardinality(String) COMMENT 'Workflow class; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown or when several GPUs fit.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    status_samples UInt64 COMMENT 'Status samples.' CODEC(T64, ZSTD(1)),
    output_fps_sum UInt64 COMMENT 'Sum of output frames per second over the samples, units of 0.000001.' CODEC(T64, ZSTD(1)),
    output_fps_sumsq UInt64 COMMENT 'Sum of their squares, each square rounded, units of 0.000001.' CODEC(T64, ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, window_start, window_start_5m, orchestrator_address, pipeline_id, model_id, gpu_id, region)
TTL toDate(window_start) + INTERVAL 400 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Output frames in five minutes: one row per orchestrator, pipeline, model, GPU and region with gold-eligible status samples.';

CREATE TABLE IF NOT EXISTS agg_startup_1h
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' when not served.' CODEC(ZSTD(1)),
    pipeline_id LowCardinality(String) COMMENT 'Workflow class; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    known_sessions_count UInt64 COMMENT 'Sessions with a request trace.' CODEC(T64, ZSTD(1)),
    startup_success_sessions UInt64 COMMENT 'Known sessions that became playable.' CODEC(T64, ZSTD(1)),
    startup_excused_sessions UInt64 COMMENT 'Known sessions that did not start and are excused.' CODEC(T64, ZSTD(1)),
    startup_unexcused_sessions UInt64 COMMENT 'Known sessions that did not start and are not excused.' CODEC(T64, ZSTD(1)),
    unserved_sessions UInt64 COMMENT 'Known sessions without a canonical orchestrator.' CODEC(T64, ZSTD(1)),
    no_orch_sessions UInt64 COMMENT 'Known sessions for which no orchestrator was available.' CODEC(T64, ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, window_start, gateway, orchestrator_address, pipeline_id, model_id, region)
TTL toDate(window_start) + INTERVAL 400 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'How sessions started, in the hour they started in: one row per gateway, orchestrator, pipeline, model and region; every known session counts once.';

CREATE TABLE IF NOT EXISTS agg_attribution_1h
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    attribution_status LowCardinality(String) COMMENT '`resolved`, `hardware_less`, `stale`, `ambiguous` or `unresolved`.',
    attribution_source LowCardinality(String) COMMENT '`direct`, `mapped_window` or `unattributed`.',
    attribution_reason LowCardinality(String) COMMENT 'Why the decision came out so.',
    sessions_count UInt64 COMMENT 'Known sessions with at least one selection.' CODEC(T64, ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, window_start, attribution_status, attribution_source, attribution_reason)
TTL toDate(window_start) + INTERVAL 400 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'How well sessions could be attributed, in the hour they started in: one row per status, source and reason of the known sessions that selected somebody.';

CREATE TABLE IF NOT EXISTS agg_quality_benchmark_1d
(
    org LowCardinality(String) COMMENT '\'\': the benchmark is over all organisations.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the day, UTC.' CODEC(DoubleDelta, ZSTD(1)),
    pipeline_id LowCardinality(String) COMMENT 'Workflow class; never empty.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    ptff_p50 Nullable(UInt64) COMMENT 'Percentile 50 of the hourly rows\' mean prompt to first frame, ms, units of 0.000001; NULL without rows.' CODEC(T64, ZSTD(1)),
    ptff_p90 Nullable(UInt64) COMMENT 'Percentile 90 of the hourly rows\' mean prompt to first frame, ms, units of 0.000001; NULL without rows.' CODEC(T64, ZSTD(1)),
    ptff_row_count UInt64 COMMENT 'Hourly rows that have that mean.' CODEC(T64, ZSTD(1)),
    e2e_p50 Nullable(UInt64) COMMENT 'Percentile 50 of the hourly rows\' mean end-to-end latency, ms, units of 0.000001; NULL without rows.' CODEC(T64, ZSTD(1)),
    e2e_p90 Nullable(UInt64) COMMENT 'Percentile 90 of the hourly rows\' mean end-to-end latency, ms, units of 0.000001; NULL without rows.' CODEC(T64, ZSTD(1)),
    e2e_row_count UInt64 COMMENT 'Hourly rows that have that mean.' CODEC(T64, ZSTD(1)),
    fps_p10 Nullable(UInt64) COMMENT 'Percentile 10 of the hourly rows\' mean output frames per second, units of 0.000001; NULL without rows.' CODEC(T64, ZSTD(1)),
    fps_p50 Nullable(UInt64) COMMENT 'Percentile 50 of the hourly rows\' mean output frames per second, units of 0.000001; NULL without rows.' CODEC(T64, ZSTD(1)),
    fps_row_count UInt64 COMMENT 'Hourly rows that have that mean.' CODEC(T64, ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice (epoch of shard 0 and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, window_start, pipeline_id, model_id)
TTL toDate(window_start) + INTERVAL 400 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'What was usual on a day: one row per pipeline and model, over all organisations. Basis of the quality shadow (backlog 026). A day can no longer change when its hours are final.';

CREATE TABLE IF NOT EXISTS agg_transport_bandwidth_1h
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC.' CODEC(DoubleDelta, ZSTD(1)),
    link_type LowCardinality(String) COMMENT '`gateway_to_orchestrator` or `orchestrator_to_worker`.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' for samples that are not attributed.' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway; \'\' when unknown.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class; \'\' when unknown.',
    model_id LowCardinality(String) COMMENT 'Model label; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    rx_bytes UInt64 COMMENT 'Bytes to the orchestrator; all samples together have exactly these.' CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 COMMENT 'Bytes from the orchestrator.' CODEC(T64, ZSTD(1)),
    rated_rx_bytes UInt64 COMMENT 'Of `rx_bytes`, those of intervals that carry rates.' CODEC(T64, ZSTD(1)),
    rated_tx_bytes UInt64 COMMENT 'Of `tx_bytes`, those of intervals that carry rates.' CODEC(T64, ZSTD(1)),
    observed_ms UInt64 COMMENT 'Time of intervals that carry rates, ms.' CODEC(T64, ZSTD(1)),
    expected_ms UInt64 COMMENT 'Time in which segments of sessions with this identity ran, ms.' CODEC(T64, ZSTD(1)),
    samples UInt64 COMMENT 'Samples that end in the window.' CODEC(T64, ZSTD(1)),
    segments UInt64 COMMENT 'Segments completed in both directions, in samples that end in the window.' CODEC(T64, ZSTD(1)),
    failed_segments UInt64 COMMENT 'Segments aborted or timed out, in samples that end in the window.' CODEC(T64, ZSTD(1)),
    dropped_segments UInt64 COMMENT 'Segments never sent, in samples that end in the window.' CODEC(T64, ZSTD(1)),
    sessions UInt64 COMMENT 'Distinct sessions with bytes or time in the window.' CODEC(T64, ZSTD(1)),
    rx_rate_buckets Array(UInt32) COMMENT 'Buckets of rates to the orchestrator per session and minute, kbit/s, ascending.' CODEC(ZSTD(1)),
    rx_rate_counts Array(UInt64) COMMENT 'Session minutes in each of these buckets.' CODEC(ZSTD(1)),
    tx_rate_buckets Array(UInt32) COMMENT 'Buckets of rates from the orchestrator per session and minute, kbit/s, ascending.' CODEC(ZSTD(1)),
    tx_rate_counts Array(UInt64) COMMENT 'Session minutes in each of these buckets.' CODEC(ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice that the row was computed in.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, window_start, link_type, orchestrator_address, gateway, pipeline_id, model_id, gpu_id, region)
TTL toDate(window_start) + INTERVAL 400 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Bandwidth between gateway and orchestrator by hour: gateways\' samples of media.';

CREATE TABLE IF NOT EXISTS agg_transport_bandwidth_1m
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC.' CODEC(DoubleDelta, ZSTD(1)),
    minute_start DateTime64(3, 'UTC') COMMENT 'Start of the minute, UTC.' CODEC(DoubleDelta, ZSTD(1)),
    link_type LowCardinality(String) COMMENT '`gateway_to_orchestrator` or `orchestrator_to_worker`.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' for samples that are not attributed.' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway; \'\' when unknown.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class; \'\' when unknown.',
    model_id LowCardinality(String) COMMENT 'Model label; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    rx_bytes UInt64 COMMENT 'Bytes to the orchestrator; all samples together have exactly these.' CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 COMMENT 'Bytes from the orchestrator.' CODEC(T64, ZSTD(1)),
    rated_rx_bytes UInt64 COMMENT 'Of `rx_bytes`, those of intervals that carry rates.' CODEC(T64, ZSTD(1)),
    rated_tx_bytes UInt64 COMMENT 'Of `tx_bytes`, those of intervals that carry rates.' CODEC(T64, ZSTD(1)),
    observed_ms UInt64 COMMENT 'Time of intervals that carry rates, ms.' CODEC(T64, ZSTD(1)),
    expected_ms UInt64 COMMENT 'Time in which segments of sessions with this identity ran, ms.' CODEC(T64, ZSTD(1)),
    samples UInt64 COMMENT 'Samples that end in the window.' CODEC(T64, ZSTD(1)),
    segments UInt64 COMMENT 'Segments completed in both directions, in samples that end in the window.' CODEC(T64, ZSTD(1)),
    failed_segments UInt64 COMMENT 'Segments aborted or timed out, in samples that end in the window.' CODEC(T64, ZSTD(1)),
    dropped_segments UInt64 COMMENT 'Segments never sent, in samples that end in the window.' CODEC(T64, ZSTD(1)),
    sessions UInt64 COMMENT 'Distinct sessions with bytes or time in the window.' CODEC(T64, ZSTD(1)),
    rx_rate_buckets Array(UInt32) COMMENT 'Buckets of rates to the orchestrator per session and minute, kbit/s, ascending.' CODEC(ZSTD(1)),
    rx_rate_counts Array(UInt64) COMMENT 'Session minutes in each of these buckets.' CODEC(ZSTD(1)),
    tx_rate_buckets Array(UInt32) COMMENT 'Buckets of rates from the orchestrator per session and minute, kbit/s, ascending.' CODEC(ZSTD(1)),
    tx_rate_counts Array(UInt64) COMMENT 'Session minutes in each of these buckets.' CODEC(ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice that the row was computed in.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, window_start, minute_start, link_type, orchestrator_address, gateway, pipeline_id, model_id, gpu_id, region)
TTL toDate(window_start) + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Bandwidth between gateway and orchestrator by minute: gateways\' samples of media.';

CREATE TABLE IF NOT EXISTS agg_ingest_quality_1h
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC.' CODEC(DoubleDelta, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway of the session; \'\' when unknown.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class of the session; \'\' when unknown.',
    model_id LowCardinality(String) COMMENT 'Model label of the session; \'\' when unknown.',
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    samples UInt64 COMMENT 'Samples.' CODEC(T64, ZSTD(1)),
    sessions UInt64 COMMENT 'Distinct sessions with a sample.' CODEC(T64, ZSTD(1)),
    bytes_received UInt64 COMMENT 'Bytes from clients.' CODEC(T64, ZSTD(1)),
    bytes_sent UInt64 COMMENT 'Bytes to clients, on WHIP mostly feedback.' CODEC(T64, ZSTD(1)),
    rated_bytes_received UInt64 COMMENT 'Of `bytes_received`, those of intervals that carry rates.' CODEC(T64, ZSTD(1)),
    rated_bytes_sent UInt64 COMMENT 'Of `bytes_sent`, those of intervals that carry rates.' CODEC(T64, ZSTD(1)),
    observed_ms UInt64 COMMENT 'Time of intervals that carry rates, ms.' CODEC(T64, ZSTD(1)),
    video_packets_received UInt64 COMMENT 'Video packets received.' CODEC(T64, ZSTD(1)),
    video_packets_lost UInt64 COMMENT 'Video packets lost.' CODEC(T64, ZSTD(1)),
    audio_packets_received UInt64 COMMENT 'Audio packets received.' CODEC(T64, ZSTD(1)),
    audio_packets_lost UInt64 COMMENT 'Audio packets lost.' CODEC(T64, ZSTD(1)),
    video_jitter_sum UInt64 COMMENT 'Sum of video jitter, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    video_jitter_samples UInt64 COMMENT 'Samples with a video jitter.' CODEC(T64, ZSTD(1)),
    video_jitter_buckets Array(UInt32) COMMENT 'Buckets of video jitter, µs, ascending.' CODEC(ZSTD(1)),
    video_jitter_counts Array(UInt64) COMMENT 'Samples in each of these buckets.' CODEC(ZSTD(1)),
    audio_jitter_sum UInt64 COMMENT 'Sum of audio jitter, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    audio_jitter_samples UInt64 COMMENT 'Samples with an audio jitter.' CODEC(T64, ZSTD(1)),
    audio_jitter_buckets Array(UInt32) COMMENT 'Buckets of audio jitter, µs, ascending.' CODEC(ZSTD(1)),
    audio_jitter_counts Array(UInt64) COMMENT 'Samples in each of these buckets.' CODEC(ZSTD(1)),
    rtt_sum UInt64 COMMENT 'Sum of round trips of video and audio, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    rtt_samples UInt64 COMMENT 'Tracks with a round trip.' CODEC(T64, ZSTD(1)),
    rtt_buckets Array(UInt32) COMMENT 'Buckets of round trips, µs, ascending.' CODEC(ZSTD(1)),
    rtt_counts Array(UInt64) COMMENT 'Tracks in each of these buckets.' CODEC(ZSTD(1)),
    media_latency_sum UInt64 COMMENT 'Sum of media latencies of video and audio, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    media_latency_samples UInt64 COMMENT 'Tracks with a media latency.' CODEC(T64, ZSTD(1)),
    media_latency_buckets Array(UInt32) COMMENT 'Buckets of media latencies, µs, ascending.' CODEC(ZSTD(1)),
    media_latency_counts Array(UInt64) COMMENT 'Tracks in each of these buckets.' CODEC(ZSTD(1)),
    good_samples UInt64 COMMENT 'Samples of quality `good`.' CODEC(T64, ZSTD(1)),
    bad_samples UInt64 COMMENT 'Samples of quality `bad`.' CODEC(T64, ZSTD(1)),
    other_samples UInt64 COMMENT 'Samples of any other quality.' CODEC(T64, ZSTD(1)),
    known_sessions UInt64 COMMENT 'Known sessions that ran in the hour, with samples or without.' CODEC(T64, ZSTD(1)),
    known_sessions_with_samples UInt64 COMMENT 'Of these, the ones with a sample in the hour.' CODEC(T64, ZSTD(1)),
    session_ms UInt64 COMMENT 'Time that known sessions ran in the hour, ms.' CODEC(T64, ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice that the row was computed in.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, window_start, gateway, pipeline_id, model_id, region)
TTL toDate(window_start) + INTERVAL 400 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Quality between client and gateway by hour.';

CREATE TABLE IF NOT EXISTS agg_ingest_quality_1m
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC.' CODEC(DoubleDelta, ZSTD(1)),
    minute_start DateTime64(3, 'UTC') COMMENT 'Start of the minute, UTC.' CODEC(DoubleDelta, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway of the session; \'\' when unknown.',
    pipeline_id LowCardinality(String) COMMENT 'Workflow class of the session; \'\' when unknown.',
    model_id LowCardinality(String) COMMENT 'Model label of the session; \'\' when unknown.',
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    samples UInt64 COMMENT 'Samples.' CODEC(T64, ZSTD(1)),
    sessions UInt64 COMMENT 'Distinct sessions with a sample.' CODEC(T64, ZSTD(1)),
    bytes_received UInt64 COMMENT 'Bytes from clients.' CODEC(T64, ZSTD(1)),
    bytes_sent UInt64 COMMENT 'Bytes to clients, on WHIP mostly feedback.' CODEC(T64, ZSTD(1)),
    rated_bytes_received UInt64 COMMENT 'Of `bytes_received`, those of intervals that carry rates.' CODEC(T64, ZSTD(1)),
    rated_bytes_sent UInt64 COMMENT 'Of `bytes_sent`, those of intervals that carry rates.' CODEC(T64, ZSTD(1)),
    observed_ms UInt64 COMMENT 'Time of intervals that carry rates, ms.' CODEC(T64, ZSTD(1)),
    video_packets_received UInt64 COMMENT 'Video packets received.' CODEC(T64, ZSTD(1)),
    video_packets_lost UInt64 COMMENT 'Video packets lost.' CODEC(T64, ZSTD(1)),
    audio_packets_received UInt64 COMMENT 'Audio packets received.' CODEC(T64, ZSTD(1)),
    audio_packets_lost UInt64 COMMENT 'Audio packets lost.' CODEC(T64, ZSTD(1)),
    video_jitter_sum UInt64 COMMENT 'Sum of video jitter, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    video_jitter_samples UInt64 COMMENT 'Samples with a video jitter.' CODEC(T64, ZSTD(1)),
    video_jitter_buckets Array(UInt32) COMMENT 'Buckets of video jitter, µs, ascending.' CODEC(ZSTD(1)),
    video_jitter_counts Array(UInt64) COMMENT 'Samples in each of these buckets.' CODEC(ZSTD(1)),
    audio_jitter_sum UInt64 COMMENT 'Sum of audio jitter, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    audio_jitter_samples UInt64 COMMENT 'Samples with an audio jitter.' CODEC(T64, ZSTD(1)),
    audio_jitter_buckets Array(UInt32) COMMENT 'Buckets of audio jitter, µs, ascending.' CODEC(ZSTD(1)),
    audio_jitter_counts Array(UInt64) COMMENT 'Samples in each of these buckets.' CODEC(ZSTD(1)),
    rtt_sum UInt64 COMMENT 'Sum of round trips of video and audio, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    rtt_samples UInt64 COMMENT 'Tracks with a round trip.' CODEC(T64, ZSTD(1)),
    rtt_buckets Array(UInt32) COMMENT 'Buckets of round trips, µs, ascending.' CODEC(ZSTD(1)),
    rtt_counts Array(UInt64) COMMENT 'Tracks in each of these buckets.' CODEC(ZSTD(1)),
    media_latency_sum UInt64 COMMENT 'Sum of media latencies of video and audio, units of 0.000001 ms.' CODEC(T64, ZSTD(1)),
    media_latency_samples UInt64 COMMENT 'Tracks with a media latency.' CODEC(T64, ZSTD(1)),
    media_latency_buckets Array(UInt32) COMMENT 'Buckets of media latencies, µs, ascending.' CODEC(ZSTD(1)),
    media_latency_counts Array(UInt64) COMMENT 'Tracks in each of these buckets.' CODEC(ZSTD(1)),
    good_samples UInt64 COMMENT 'Samples of quality `good`.' CODEC(T64, ZSTD(1)),
    bad_samples UInt64 COMMENT 'Samples of quality `bad`.' CODEC(T64, ZSTD(1)),
    other_samples UInt64 COMMENT 'Samples of any other quality.' CODEC(T64, ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the slice that the row was computed in.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, window_start, minute_start, gateway, pipeline_id, model_id, region)
TTL toDate(window_start) + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Quality between client and gateway by minute.';
