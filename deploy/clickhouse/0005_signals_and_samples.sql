-- Generated from protocol/src/rows. Append-only once released: never edit, add a file.

CREATE TABLE IF NOT EXISTS fact_lifecycle_edge_coverage
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; \'\' when unknown.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; \'\' when unknown.' CODEC(ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the event that this row is about; never empty.' CODEC(ZSTD(1)),
    gateway_ts DateTime64(3, 'UTC') COMMENT 'Event time on the gateway clock, UTC: orders, windows and joins (lifecycle 1.7.1).' CODEC(DoubleDelta, ZSTD(1)),
    source_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Payload time on its own clock, UTC; NULL when the payload has none.' CODEC(DoubleDelta, ZSTD(1)),
    clock_domain LowCardinality(String) COMMENT 'Clock that made `source_ts`: `gateway` or `runner`.',
    kafka_ts DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files.' CODEC(DoubleDelta, ZSTD(1)),
    is_late UInt8 COMMENT '1 when the record reached the broker more than 10 minutes after `gateway_ts`.',
    gateway LowCardinality(String) COMMENT 'First gateway of the session as of the signal; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet of the session, lower case; \'\' until attributed.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class of the session; \'\' when unknown.',
    model_id LowCardinality(String) COMMENT 'Model label of the session; \'\' when unknown.',
    trace_type LowCardinality(String) COMMENT 'Trace subtype; \'\' for other signals.',
    known_stream UInt8 COMMENT '1 after the request trace.',
    has_first_processed_edge UInt8 COMMENT '1 after a first processed segment.',
    has_first_playable_edge UInt8 COMMENT '1 after a playable trace.',
    startup_edge_matched UInt8 COMMENT '1 when known and processed.',
    playable_edge_matched UInt8 COMMENT '1 when known and playable.',
    is_terminal_signal UInt8 COMMENT '1 for a close trace.',
    unmatched_reason LowCardinality(String) COMMENT 'First missing or awaited edge (lifecycle 10); \'\' when matched.',
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    signal_date Date MATERIALIZED toDate(gateway_ts) COMMENT 'Day of `gateway_ts`, UTC.',
    signal_ts DateTime64(3, 'UTC') ALIAS gateway_ts COMMENT 'Another name of `gateway_ts`.',
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_source_event_uid source_event_uid TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(gateway_ts)
ORDER BY (org, workflow_session_id, gateway_ts, source_event_uid)
TTL signal_date + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Edge matching as of each lifecycle signal: one row per signal.';

CREATE TABLE IF NOT EXISTS fact_workflow_param_updates
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; \'\' when unknown.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; \'\' when unknown.' CODEC(ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the event that this row is about; never empty.' CODEC(ZSTD(1)),
    gateway_ts DateTime64(3, 'UTC') COMMENT 'Event time on the gateway clock, UTC: orders, windows and joins (lifecycle 1.7.1).' CODEC(DoubleDelta, ZSTD(1)),
    source_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Payload time on its own clock, UTC; NULL when the payload has none.' CODEC(DoubleDelta, ZSTD(1)),
    clock_domain LowCardinality(String) COMMENT 'Clock that made `source_ts`: `gateway` or `runner`.',
    kafka_ts DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files.' CODEC(DoubleDelta, ZSTD(1)),
    is_late UInt8 COMMENT '1 when the record reached the broker more than 10 minutes after `gateway_ts`.',
    gateway LowCardinality(String) COMMENT 'First gateway of the session as of the signal; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' when not attributed.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI of the orchestrator; \'\' when unknown.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown or when several GPUs fit.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    model_hint LowCardinality(String) COMMENT 'Model hint as the signals sent it; \'\' when they sent none.',
    pipeline_source LowCardinality(String) COMMENT 'Origin of `pipeline`: `capability`, `hint`, `inferred` or `none`.',
    model_source LowCardinality(String) COMMENT 'Origin of `model_id`: `capability`, `hint`, `inferred` or `none`.',
    is_attributed UInt8 COMMENT '1 when the selection in force is resolved, hardware-less or stale.',
    gpu_attribution_method LowCardinality(String) COMMENT 'How the GPU and the identity were found (lifecycle 7.5); `none` without attribution.',
    gpu_attribution_confidence Float32 COMMENT 'Confidence of the method, 0 to 1.' CODEC(Gorilla, ZSTD(1)),
    gpu_candidate_count UInt16 COMMENT 'GPUs that fit the decision; more than 1 leaves `gpu_id` empty.' CODEC(T64, ZSTD(1)),
    attribution_status LowCardinality(String) COMMENT '`resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or \'\' (no decision applies).',
    attribution_source LowCardinality(String) COMMENT '`direct` (enters gold), `mapped_window` or `unattributed`.',
    attribution_reason LowCardinality(String) COMMENT 'Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).',
    selected_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the advertisement that decided, UTC, gateway clock; NULL without one.' CODEC(DoubleDelta, ZSTD(1)),
    selected_snapshot_event_uid String COMMENT 'Uid of the capability event that decided; \'\' without one.' CODEC(ZSTD(1)),
    attribution_distance_ms Nullable(Int64) COMMENT 'Distance from the selection to that advertisement, ms; NULL without one.' CODEC(T64, ZSTD(1)),
    segment_index Nullable(UInt16) COMMENT 'Segment that covers the row; NULL when none does.' CODEC(T64, ZSTD(1)),
    update_type LowCardinality(String) COMMENT '`params_update`.',
    message String COMMENT 'Message text; \'\' when absent.' CODEC(ZSTD(1)),
    params_json String COMMENT 'Parameters as JSON with sorted keys, personal data; \'\' when absent.' CODEC(ZSTD(6)),
    params_hash String COMMENT 'SHA-256 of `params_json`, lower-case hex; \'\' when absent.' CODEC(ZSTD(1)),
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    update_date Date MATERIALIZED toDate(gateway_ts) COMMENT 'Day of `gateway_ts`, UTC.',
    update_ts DateTime64(3, 'UTC') ALIAS gateway_ts COMMENT 'Another name of `gateway_ts`.',
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_source_event_uid source_event_uid TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(gateway_ts)
ORDER BY (org, workflow_session_id, gateway_ts, source_event_uid)
TTL update_date + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Parameter changes inside a session: one row per parameter update event.';

CREATE TABLE IF NOT EXISTS fact_stream_status_samples
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; \'\' when unknown.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; \'\' when unknown.' CODEC(ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the event that this row is about; never empty.' CODEC(ZSTD(1)),
    gateway_ts DateTime64(3, 'UTC') COMMENT 'Event time on the gateway clock, UTC: orders, windows and joins (lifecycle 1.7.1).' CODEC(DoubleDelta, ZSTD(1)),
    source_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Payload time on its own clock, UTC; NULL when the payload has none.' CODEC(DoubleDelta, ZSTD(1)),
    clock_domain LowCardinality(String) COMMENT 'Clock that made `source_ts`: `gateway` or `runner`.',
    kafka_ts DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files.' CODEC(DoubleDelta, ZSTD(1)),
    is_late UInt8 COMMENT '1 when the record reached the broker more than 10 minutes after `gateway_ts`.',
    gateway LowCardinality(String) COMMENT 'Gateway of the signal; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' when not attributed.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI of the orchestrator; \'\' when unknown.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown or when several GPUs fit.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    model_hint LowCardinality(String) COMMENT 'Model hint as the signals sent it; \'\' when they sent none.',
    pipeline_source LowCardinality(String) COMMENT 'Origin of `pipeline`: `capability`, `hint`, `inferred` or `none`.',
    model_source LowCardinality(String) COMMENT 'Origin of `model_id`: `capability`, `hint`, `inferred` or `none`.',
    state LowCardinality(String) COMMENT 'Runner state verbatim; \'\' when absent.',
    output_fps Float32 COMMENT 'Frames per second out of the inference; 0 when absent.' CODEC(Gorilla, ZSTD(1)),
    input_fps Float32 COMMENT 'Frames per second into the inference; 0 when absent.' CODEC(Gorilla, ZSTD(1)),
    is_attributed UInt8 COMMENT '1 when the selection in force is resolved, hardware-less or stale.',
    gpu_attribution_method LowCardinality(String) COMMENT 'How the GPU and the identity were found (lifecycle 7.5); `none` without attribution.',
    gpu_attribution_confidence Float32 COMMENT 'Confidence of the method, 0 to 1.' CODEC(Gorilla, ZSTD(1)),
    gpu_candidate_count UInt16 COMMENT 'GPUs that fit the decision; more than 1 leaves `gpu_id` empty.' CODEC(T64, ZSTD(1)),
    attribution_status LowCardinality(String) COMMENT '`resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or \'\' (no decision applies).',
    attribution_source LowCardinality(String) COMMENT '`direct` (enters gold), `mapped_window` or `unattributed`.',
    attribution_reason LowCardinality(String) COMMENT 'Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).',
    selected_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the advertisement that decided, UTC, gateway clock; NULL without one.' CODEC(DoubleDelta, ZSTD(1)),
    selected_snapshot_event_uid String COMMENT 'Uid of the capability event that decided; \'\' without one.' CODEC(ZSTD(1)),
    attribution_distance_ms Nullable(Int64) COMMENT 'Distance from the selection to that advertisement, ms; NULL without one.' CODEC(T64, ZSTD(1)),
    segment_index Nullable(UInt16) COMMENT 'Segment that covers the row; NULL when none does.' CODEC(T64, ZSTD(1)),
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    sample_date Date MATERIALIZED toDate(gateway_ts) COMMENT 'Day of `gateway_ts`, UTC.',
    sample_ts DateTime64(3, 'UTC') ALIAS gateway_ts COMMENT 'Another name of `gateway_ts`.',
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_stream_id stream_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_source_event_uid source_event_uid TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(gateway_ts)
ORDER BY (org, workflow_session_id, gateway_ts, source_event_uid)
TTL sample_date + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Frame rate and state over time with identity: one row per status event.';

CREATE TABLE IF NOT EXISTS fact_stream_trace_edges
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; \'\' when unknown.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; \'\' when unknown.' CODEC(ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the event that this row is about; never empty.' CODEC(ZSTD(1)),
    gateway_ts DateTime64(3, 'UTC') COMMENT 'Event time on the gateway clock, UTC: orders, windows and joins (lifecycle 1.7.1).' CODEC(DoubleDelta, ZSTD(1)),
    source_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Payload time on its own clock, UTC; NULL when the payload has none.' CODEC(DoubleDelta, ZSTD(1)),
    clock_domain LowCardinality(String) COMMENT 'Clock that made `source_ts`: `gateway` or `runner`.',
    kafka_ts DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files.' CODEC(DoubleDelta, ZSTD(1)),
    is_late UInt8 COMMENT '1 when the record reached the broker more than 10 minutes after `gateway_ts`.',
    gateway LowCardinality(String) COMMENT 'Gateway of the signal; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' when not attributed.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI of the orchestrator; \'\' when unknown.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown or when several GPUs fit.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    trace_type LowCardinality(String) COMMENT 'Trace subtype.',
    trace_category LowCardinality(String) COMMENT 'Prefix of the subtype: `gateway`, `orchestrator`, `runner`, `app` or `other`.',
    is_swap_event UInt8 COMMENT '1 for `orchestrator_swap`.',
    is_attributed UInt8 COMMENT '1 when the selection in force is resolved, hardware-less or stale.',
    gpu_attribution_method LowCardinality(String) COMMENT 'How the GPU and the identity were found (lifecycle 7.5); `none` without attribution.',
    gpu_attribution_confidence Float32 COMMENT 'Confidence of the method, 0 to 1.' CODEC(Gorilla, ZSTD(1)),
    gpu_candidate_count UInt16 COMMENT 'GPUs that fit the decision; more than 1 leaves `gpu_id` empty.' CODEC(T64, ZSTD(1)),
    attribution_status LowCardinality(String) COMMENT '`resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or \'\' (no decision applies).',
    attribution_source LowCardinality(String) COMMENT '`direct` (enters gold), `mapped_window` or `unattributed`.',
    attribution_reason LowCardinality(String) COMMENT 'Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).',
    selected_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the advertisement that decided, UTC, gateway clock; NULL without one.' CODEC(DoubleDelta, ZSTD(1)),
    selected_snapshot_event_uid String COMMENT 'Uid of the capability event that decided; \'\' without one.' CODEC(ZSTD(1)),
    attribution_distance_ms Nullable(Int64) COMMENT 'Distance from the selection to that advertisement, ms; NULL without one.' CODEC(T64, ZSTD(1)),
    segment_index Nullable(UInt16) COMMENT 'Segment that covers the row; NULL when none does.' CODEC(T64, ZSTD(1)),
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    edge_date Date MATERIALIZED toDate(gateway_ts) COMMENT 'Day of `gateway_ts`, UTC.',
    edge_ts DateTime64(3, 'UTC') ALIAS gateway_ts COMMENT 'Another name of `gateway_ts`.',
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_stream_id stream_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_source_event_uid source_event_uid TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(gateway_ts)
ORDER BY (org, workflow_session_id, gateway_ts, source_event_uid)
TTL edge_date + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Lifecycle edges with identity: one row per trace event.';
