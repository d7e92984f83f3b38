-- Generated from protocol/src/rows. Append-only once released: never edit, add a file.

CREATE TABLE IF NOT EXISTS fact_workflow_sessions
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    workflow_type LowCardinality(String) COMMENT 'Kind of workflow, `ai_live_video_stream`.',
    workflow_id LowCardinality(String) COMMENT 'Pipeline, else the workflow type.',
    stream_id String COMMENT 'Stream id, first in total order; \'\' when unknown.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id, first in total order; \'\' when unknown.' CODEC(ZSTD(1)),
    session_id String COMMENT 'Producer session id; \'\' as long as no producer sends one.' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'First gateway in total order; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical wallet of the last resolved selection, lower case; \'\' until attributed.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'URL of the last selection as observed, else the node\'s; \'\' when unknown.' CODEC(ZSTD(1)),
    observed_address String COMMENT 'Wallet that the last selection showed, normalised; \'\' when none was seen.' CODEC(ZSTD(1)),
    observed_url String COMMENT 'URL that the last selection showed, verbatim; \'\' when none was seen.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown or when several GPUs fit.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    model_hint LowCardinality(String) COMMENT 'Model hint as the signals sent it; \'\' when they sent none.',
    pipeline_source LowCardinality(String) COMMENT 'Origin of `pipeline`: `capability`, `hint`, `inferred` or `none`.',
    model_source LowCardinality(String) COMMENT 'Origin of `model_id`: `capability`, `hint`, `inferred` or `none`.',
    has_model_change UInt8 COMMENT '1 when resolved selections name more than one model, ignoring case.',
    has_pipeline_change UInt8 COMMENT '1 when resolved selections name more than one pipeline, ignoring case.',
    gpu_attribution_method LowCardinality(String) COMMENT 'How the GPU and the identity were found (lifecycle 7.5); `none` without attribution.',
    gpu_attribution_confidence Float32 COMMENT 'Confidence of the method, 0 to 1.' CODEC(Gorilla, ZSTD(1)),
    gpu_candidate_count UInt16 COMMENT 'GPUs that fit the decision; more than 1 leaves `gpu_id` empty.' CODEC(T64, ZSTD(1)),
    attribution_status LowCardinality(String) COMMENT '`resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or \'\' (no decision applies).',
    attribution_source LowCardinality(String) COMMENT '`direct` (enters gold), `mapped_window` or `unattributed`.',
    attribution_reason LowCardinality(String) COMMENT 'Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).',
    selected_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the advertisement that decided, UTC, gateway clock; NULL without one.' CODEC(DoubleDelta, ZSTD(1)),
    selected_snapshot_event_uid String COMMENT 'Uid of the capability event that decided; \'\' without one.' CODEC(ZSTD(1)),
    attribution_distance_ms Nullable(Int64) COMMENT 'Distance from the selection to that advertisement, ms; NULL without one.' CODEC(T64, ZSTD(1)),
    attribution_identity LowCardinality(String) COMMENT 'Key that matched: `uri`, `address`, `alias` or \'\'.',
    session_start_ts DateTime64(3, 'UTC') COMMENT 'Least event or accepted start time, UTC, gateway clock; can move earlier.' CODEC(DoubleDelta, ZSTD(1)),
    session_end_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Greatest event time so far, UTC, gateway clock: last seen, not closed; NULL before any signal.' CODEC(DoubleDelta, ZSTD(1)),
    closed_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the last close trace, UTC, gateway clock; NULL while open.' CODEC(DoubleDelta, ZSTD(1)),
    is_closed UInt8 COMMENT '1 after a close trace.',
    known_stream UInt8 COMMENT '1 after the request trace: the session counts as demand.',
    requested_seen UInt8 COMMENT 'Equal to `known_stream`, the later name.',
    no_orchestrators UInt8 COMMENT '1 after a no-orchestrators trace.',
    startup_success UInt8 COMMENT '1 after the playable trace; readers also require `known_stream`.',
    startup_excused UInt8 COMMENT '1 when known, not playable, and excused by no orchestrators or only excusable errors.',
    startup_unexcused UInt8 COMMENT '1 when known and neither playable nor excused.',
    selection_outcome LowCardinality(String) COMMENT '`selected`, `no_orch` or `unknown`.',
    startup_outcome LowCardinality(String) COMMENT '`success`, `failed` or `unknown`.',
    excusal_reason LowCardinality(String) COMMENT '`none`, `no_orch` or `excusable_error`; not `none` only when failed.',
    selection_count UInt32 COMMENT 'Selections up to the close.' CODEC(T64, ZSTD(1)),
    segment_count UInt16 COMMENT 'Valid segments: readers ignore segment rows with an index at or above it.' CODEC(T64, ZSTD(1)),
    swap_row_count UInt16 COMMENT 'Valid swap rows: readers ignore swap rows with an index at or above it.' CODEC(T64, ZSTD(1)),
    confirmed_swap_count UInt16 COMMENT 'Distinct explicit swap traces.' CODEC(T64, ZSTD(1)),
    inferred_orchestrator_change_count UInt16 COMMENT 'Distinct canonical orchestrators minus 1, at least 0.' CODEC(T64, ZSTD(1)),
    swap_count UInt16 COMMENT 'Equal to `confirmed_swap_count`, the older name.' CODEC(T64, ZSTD(1)),
    error_count UInt32 COMMENT 'Error events.' CODEC(T64, ZSTD(1)),
    excusable_error_count UInt32 COMMENT 'Error events whose message is excusable (lifecycle 3.2); at most `error_count`.' CODEC(T64, ZSTD(1)),
    post_close_error_count UInt32 COMMENT 'Error events after the close.' CODEC(T64, ZSTD(1)),
    post_close_signal_count UInt32 COMMENT 'Signals after the close.' CODEC(T64, ZSTD(1)),
    params_update_count UInt32 COMMENT 'Parameter update events.' CODEC(T64, ZSTD(1)),
    last_error_occurred UInt8 COMMENT '1 when any status sample carried an error text.',
    loading_only_session UInt8 COMMENT '1 when there are status samples and all are `LOADING`.',
    zero_output_fps_session UInt8 COMMENT '1 when there are status samples and none has output frames.',
    status_sample_count UInt32 COMMENT 'Status samples.' CODEC(T64, ZSTD(1)),
    status_error_sample_count UInt32 COMMENT 'Status samples with an error text.' CODEC(T64, ZSTD(1)),
    before_tail_status_sample_count UInt32 COMMENT 'Status samples up to 5 s before the close; all when not closed.' CODEC(T64, ZSTD(1)),
    before_tail_status_non_loading_count UInt32 COMMENT 'The same that are not `LOADING`.' CODEC(T64, ZSTD(1)),
    before_tail_status_positive_output_count UInt32 COMMENT 'The same with output frames.' CODEC(T64, ZSTD(1)),
    health_signal_count UInt32 COMMENT 'Health signals seen, 0 to 3: status, first processed, playable.' CODEC(T64, ZSTD(1)),
    health_expected_signal_count UInt32 COMMENT 'Health signals expected: 3 when known, else 0.' CODEC(T64, ZSTD(1)),
    health_completeness_ratio Float32 COMMENT 'Seen over expected; 1 when none is expected.' CODEC(Gorilla, ZSTD(1)),
    first_stream_request_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'First request trace, UTC, gateway clock; NULL when not seen.' CODEC(DoubleDelta, ZSTD(1)),
    first_processed_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'First processed segment, UTC, gateway clock; NULL when not seen.' CODEC(DoubleDelta, ZSTD(1)),
    first_playable_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'First playable trace, UTC, gateway clock; NULL when not seen.' CODEC(DoubleDelta, ZSTD(1)),
    served_session UInt8 COMMENT '1 when known and a canonical orchestrator is known.',
    unserved_session UInt8 COMMENT '1 when known and no canonical orchestrator is known.',
    service_failure_reason LowCardinality(String) COMMENT 'Why a known session was not served or did not start; \'\' when it did.',
    orchestrator_assigned_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the first resolved selection, UTC, gateway clock; NULL when none.' CODEC(DoubleDelta, ZSTD(1)),
    served_duration_ms Nullable(Int64) COMMENT 'From assignment to close or last signal, ms; NULL when not assigned.' CODEC(T64, ZSTD(1)),
    active_duration_ms Nullable(Int64) COMMENT 'Time from each status sample to the next one, at most 30 s each, ms; NULL without status samples.' CODEC(T64, ZSTD(1)),
    capacity_units_at_start Nullable(Int64) COMMENT 'NULL here: a session is not told capacities. `v_session_capacity_at_start` joins the advertised capacity of the assigned node and model, slots.' CODEC(T64, ZSTD(1)),
    capacity_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'NULL here, see `capacity_units_at_start`: time of the advertisement of that capacity.' CODEC(DoubleDelta, ZSTD(1)),
    skew_ms Nullable(Int64) COMMENT 'Gateway minus runner clock, ms, smallest seen; NULL without runner stamps.' CODEC(T64, ZSTD(1)),
    event_count UInt32 COMMENT 'Distinct events folded.' CODEC(T64, ZSTD(1)),
    source_first_event_uid String COMMENT 'Uid of the first event in total order.' CODEC(ZSTD(1)),
    source_last_event_uid String COMMENT 'Uid of the last event in total order.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    INDEX idx_stream_id stream_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY cityHash64(org, workflow_session_id) % 8
ORDER BY (org, workflow_session_id)
TTL toDate(session_start_ts) + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Session outcome, health and identity: one row per session.';

CREATE TABLE IF NOT EXISTS fact_workflow_session_segments
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    segment_index UInt16 COMMENT 'Position in the session, from 0.' CODEC(T64, ZSTD(1)),
    segment_start_ts DateTime64(3, 'UTC') COMMENT 'Start, inclusive, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    segment_end_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'End, exclusive (of the last one inclusive), UTC, gateway clock; NULL while open.' CODEC(DoubleDelta, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'First gateway of the session; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' when not attributed.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI of the orchestrator; \'\' when unknown.' CODEC(ZSTD(1)),
    previous_orchestrator_address String COMMENT 'Canonical wallet of the segment before; \'\' for the first.' CODEC(ZSTD(1)),
    next_orchestrator_address String COMMENT 'Canonical wallet of the segment after; \'\' for the last.' CODEC(ZSTD(1)),
    worker_id String COMMENT 'Worker; \'\' as long as no producer sends one.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown or when several GPUs fit.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    model_hint LowCardinality(String) COMMENT 'Model hint as the signals sent it; \'\' when they sent none.',
    pipeline_source LowCardinality(String) COMMENT 'Origin of `pipeline`: `capability`, `hint`, `inferred` or `none`.',
    model_source LowCardinality(String) COMMENT 'Origin of `model_id`: `capability`, `hint`, `inferred` or `none`.',
    gpu_attribution_method LowCardinality(String) COMMENT 'How the GPU and the identity were found (lifecycle 7.5); `none` without attribution.',
    gpu_attribution_confidence Float32 COMMENT 'Confidence of the method, 0 to 1.' CODEC(Gorilla, ZSTD(1)),
    gpu_candidate_count UInt16 COMMENT 'GPUs that fit the decision; more than 1 leaves `gpu_id` empty.' CODEC(T64, ZSTD(1)),
    attribution_status LowCardinality(String) COMMENT '`resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or \'\' (no decision applies).',
    attribution_source LowCardinality(String) COMMENT '`direct` (enters gold), `mapped_window` or `unattributed`.',
    attribution_reason LowCardinality(String) COMMENT 'Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).',
    selected_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the advertisement that decided, UTC, gateway clock; NULL without one.' CODEC(DoubleDelta, ZSTD(1)),
    selected_snapshot_event_uid String COMMENT 'Uid of the capability event that decided; \'\' without one.' CODEC(ZSTD(1)),
    attribution_distance_ms Nullable(Int64) COMMENT 'Distance from the selection to that advertisement, ms; NULL without one.' CODEC(T64, ZSTD(1)),
    reason LowCardinality(String) COMMENT 'Close reason if closed, else open reason.',
    open_reason LowCardinality(String) COMMENT '`initial` or `orchestrator_change`.',
    close_reason LowCardinality(String) COMMENT '`orchestrator_change`, `stream_closed`, or \'\' while open.',
    source_trace_type LowCardinality(String) COMMENT 'Trace subtype of the signal that opened the segment; \'\' when it was no trace.',
    source_event_uid String COMMENT 'Uid of the signal that opened the segment.' CODEC(ZSTD(1)),
    is_retracted UInt8 COMMENT '1 removes the row: a recomputation no longer has it.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_retracted)
PARTITION BY cityHash64(org, workflow_session_id) % 8
ORDER BY (org, workflow_session_id, segment_index)
TTL toDate(segment_start_ts) + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Identity over time: one row per session and segment.';

CREATE TABLE IF NOT EXISTS fact_workflow_swaps
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    swap_index UInt16 COMMENT 'Position in the session, from 0.' CODEC(T64, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway of the swap trace, or of the first signal of the new orchestrator; \'\' when unknown.',
    swap_kind LowCardinality(String) COMMENT '`explicit` (swap trace) or `inferred` (segment boundary without one).',
    swap_ts DateTime64(3, 'UTC') COMMENT 'Time of the swap trace, or of the first signal of the new orchestrator, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    swap_reason String COMMENT 'Message of the swap trace; \'\' when inferred or absent.' CODEC(ZSTD(1)),
    previous_orchestrator_address String COMMENT 'Canonical wallet that was left; \'\' when not resolved.' CODEC(ZSTD(1)),
    previous_orchestrator_url String COMMENT 'URL that was left; \'\' when unknown.' CODEC(ZSTD(1)),
    next_orchestrator_address String COMMENT 'Canonical wallet that took over; \'\' when none or not resolved.' CODEC(ZSTD(1)),
    next_orchestrator_url String COMMENT 'URL that took over; \'\' when unknown.' CODEC(ZSTD(1)),
    next_evidence LowCardinality(String) COMMENT 'Evidence of the next one: `signal`, `next_swap` or \'\'.',
    outcome LowCardinality(String) COMMENT '`completed`, `same_orchestrator_retry`, `no_replacement`, `pending` or `unresolved`.',
    completed_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the next evidence, UTC, gateway clock; NULL without one.' CODEC(DoubleDelta, ZSTD(1)),
    gap_ms Nullable(Int64) COMMENT '`completed_ts` minus `swap_ts`, ms; NULL without one.' CODEC(T64, ZSTD(1)),
    from_segment_index Nullable(UInt16) COMMENT 'Segment that was left: that of the swap trace, or the one before the boundary; NULL after the close.' CODEC(T64, ZSTD(1)),
    to_segment_index Nullable(UInt16) COMMENT 'Segment of the next evidence; NULL without signal evidence.' CODEC(T64, ZSTD(1)),
    swap_event_uid String COMMENT 'Uid of the swap trace; \'\' when inferred.' CODEC(ZSTD(1)),
    next_event_uid String COMMENT 'Uid of the next evidence; \'\' without one.' CODEC(ZSTD(1)),
    is_retracted UInt8 COMMENT '1 removes the row: a recomputation no longer has it.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_retracted)
PARTITION BY cityHash64(org, workflow_session_id) % 8
ORDER BY (org, workflow_session_id, swap_index)
TTL toDate(swap_ts) + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Swap lineage, who was left and who took over: one row per session and swap.';

CREATE TABLE IF NOT EXISTS fact_workflow_session_coverage
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; \'\' when unknown.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; \'\' when unknown.' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway of the signal; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet of the session, lower case; \'\' until attributed.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class of the session; \'\' when unknown.',
    model_id LowCardinality(String) COMMENT 'Model label of the session; \'\' when unknown.',
    session_start_ts DateTime64(3, 'UTC') COMMENT 'Start of the session, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    session_end_ts DateTime64(3, 'UTC') COMMENT 'Last signal of the session, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    known_stream UInt8 COMMENT '1 after the request trace.',
    has_first_processed_edge UInt8 COMMENT '1 after a first processed segment.',
    has_first_playable_edge UInt8 COMMENT '1 after a playable trace.',
    startup_edge_matched UInt8 COMMENT '1 when known and processed.',
    playable_edge_matched UInt8 COMMENT '1 when known and playable.',
    is_terminal UInt8 COMMENT '1 when the session is closed.',
    unmatched_reason LowCardinality(String) COMMENT 'First missing or awaited edge (lifecycle 10); \'\' when matched.',
    late_after_close_count UInt32 COMMENT 'Signals after the close.' CODEC(T64, ZSTD(1)),
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY cityHash64(org, workflow_session_id) % 8
ORDER BY (org, workflow_session_id)
TTL toDate(session_start_ts) + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Edges that a session has or misses: one row per session.';

CREATE TABLE IF NOT EXISTS fact_session_status_hours
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    segment_index UInt16 COMMENT 'Segment of the samples.' CODEC(T64, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'First gateway that the samples name; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' when not attributed.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI of the orchestrator; \'\' when unknown or not the same for all samples.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown or not the same for all samples, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown or not the same for all samples.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown, when several GPUs fit or when not the same for all samples.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    attribution_source LowCardinality(String) COMMENT '`direct` (enters gold), or `mapped_window` when that is so for any of the samples.',
    status_samples UInt32 COMMENT 'Attributed status samples.' CODEC(T64, ZSTD(1)),
    fps_positive_samples UInt32 COMMENT 'Samples with output frames.' CODEC(T64, ZSTD(1)),
    running_state_samples UInt32 COMMENT 'Samples in `ONLINE`, `DEGRADED_INFERENCE` or `DEGRADED_INPUT`.' CODEC(T64, ZSTD(1)),
    degraded_input_samples UInt32 COMMENT 'Samples in `DEGRADED_INPUT`.' CODEC(T64, ZSTD(1)),
    degraded_inference_samples UInt32 COMMENT 'Samples in `DEGRADED_INFERENCE`.' CODEC(T64, ZSTD(1)),
    error_samples UInt32 COMMENT 'Samples with an error text.' CODEC(T64, ZSTD(1)),
    output_fps_sum UInt64 COMMENT 'Sum of output frames per second, units of 0.000001.' CODEC(T64, ZSTD(1)),
    output_fps_sumsq UInt64 COMMENT 'Sum of squares of output frames per second, each square rounded, units of 0.000001.' CODEC(T64, ZSTD(1)),
    input_fps_sum UInt64 COMMENT 'Sum of input frames per second, units of 0.000001.' CODEC(T64, ZSTD(1)),
    output_fps_histogram Array(UInt32) COMMENT 'Samples per fixed log bucket of output frames per second, trailing zeros left out. A bucket b below 32 begins at b / 10, others at bitShiftLeft(32 + b % 32, intDiv(b, 32) - 1) / 10.' CODEC(ZSTD(1)),
    first_sample_ts DateTime64(3, 'UTC') COMMENT 'First sample, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    last_sample_ts DateTime64(3, 'UTC') COMMENT 'Last sample, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    active_ms UInt32 COMMENT 'Active time, ms: from each sample to the session\'s next one, at most 30 s and not beyond the hour.' CODEC(T64, ZSTD(1)),
    is_terminal_tail_artifact UInt8 COMMENT '1 when the hour is only the tail of a session that ended (tables.md 3.0).',
    is_first_evidence_hour UInt8 COMMENT '1 in the session\'s first hour with direct evidence that is no tail: start outcomes count here.',
    is_retracted UInt8 COMMENT '1 removes the row: a recomputation no longer has it.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_retracted)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, workflow_session_id, window_start, segment_index)
TTL toDate(window_start) + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Status evidence of a session: one row per session, hour and segment.';

CREATE TABLE IF NOT EXISTS fact_workflow_latency_samples
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; \'\' when unknown.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; \'\' when unknown.' CODEC(ZSTD(1)),
    edge_semantics_version LowCardinality(String) COMMENT 'Definition of the edges: `v1` or `v2` (lifecycle 9); never mix versions in one average.',
    sample_ts DateTime64(3, 'UTC') COMMENT 'Start of the session, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway of the signal; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet of the session, lower case; \'\' when not attributed.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown or when several GPUs fit.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    attribution_source LowCardinality(String) COMMENT 'Attribution of the session: `direct` (enters gold), `mapped_window` or `unattributed`.',
    prompt_to_first_frame_ms Nullable(Float64) COMMENT 'V1 request to first processed; v2 prompt to playable, ms; NULL with the reason beside, never below 0.' CODEC(Gorilla, ZSTD(1)),
    startup_time_ms Nullable(Float64) COMMENT 'V1 first processed to playable; v2 request to first processed, ms; NULL with the reason beside, never below 0.' CODEC(Gorilla, ZSTD(1)),
    e2e_latency_ms Nullable(Float64) COMMENT 'V1 request to playable; v2 first ingest sent to first output relayed, ms; NULL with the reason beside, never below 0.' CODEC(Gorilla, ZSTD(1)),
    has_prompt_to_first_frame UInt8 COMMENT '1 when `prompt_to_first_frame_ms` has a value.',
    has_startup_time UInt8 COMMENT '1 when `startup_time_ms` has a value.',
    has_e2e_latency UInt8 COMMENT '1 when `e2e_latency_ms` has a value.',
    prompt_to_first_frame_null_reason LowCardinality(String) COMMENT 'Why `prompt_to_first_frame_ms` is NULL: a missing edge, `cross_clock_skew` or `negative_interval`; \'\' with a value.',
    startup_time_null_reason LowCardinality(String) COMMENT 'Why `startup_time_ms` is NULL: a missing edge, `cross_clock_skew` or `negative_interval`; \'\' with a value.',
    e2e_latency_null_reason LowCardinality(String) COMMENT 'Why `e2e_latency_ms` is NULL: a missing edge, `cross_clock_skew` or `negative_interval`; \'\' with a value.',
    is_cross_clock UInt8 COMMENT '1 when the prompt value joins two clocks through `skew_ms` (v2 only).',
    skew_ms Nullable(Int64) COMMENT 'Gateway minus runner clock, ms, smallest seen (v2 only); NULL without runner stamps.' CODEC(T64, ZSTD(1)),
    e2e_source_ms Nullable(Float64) COMMENT 'First ingest to first output by the raw runner stamp, ms, diagnostic (v2 only), may be negative; NULL when an edge is missing.' CODEC(Gorilla, ZSTD(1)),
    prompt_source_ms Nullable(Float64) COMMENT 'Prompt to playable by the raw runner stamp, ms, diagnostic (v2 only), may be negative; NULL when an edge is missing.' CODEC(Gorilla, ZSTD(1)),
    first_frame_round_trip_ms Nullable(Float64) COMMENT 'First ingest sent to first processed segment back, gateway clock, ms (v2 only); NULL when missing or negative.' CODEC(Gorilla, ZSTD(1)),
    late_trickle UInt8 COMMENT '1 when the first output was relayed after its result was back (v2 only): keep its `e2e_latency_ms` out of averages.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    sample_date Date MATERIALIZED toDate(sample_ts) COMMENT 'Day of `sample_ts`, UTC.'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY cityHash64(org, workflow_session_id) % 8
ORDER BY (org, workflow_session_id, edge_semantics_version)
TTL sample_date + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Latency figures: one row per session and edge semantics version.';
