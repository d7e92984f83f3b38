-- Generated from protocol/src/rows. Append-only once released: never edit, add a file.

CREATE TABLE IF NOT EXISTS fact_stream_ingest_samples
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
    peer_connection LowCardinality(String) COMMENT 'Peer connection of the counters; \'\' when absent.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' when not attributed.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI of the orchestrator; \'\' when unknown.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown or when several GPUs fit.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    is_attributed UInt8 COMMENT '1 when the selection in force is resolved, hardware-less or stale.',
    gpu_candidate_count UInt16 COMMENT 'GPUs that fit the decision; more than 1 leaves `gpu_id` empty.' CODEC(T64, ZSTD(1)),
    attribution_status LowCardinality(String) COMMENT '`resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or \'\' (no decision applies).',
    attribution_source LowCardinality(String) COMMENT '`direct` (enters gold), `mapped_window` or `unattributed`.',
    attribution_reason LowCardinality(String) COMMENT 'Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).',
    selected_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the advertisement that decided, UTC, gateway clock; NULL without one.' CODEC(DoubleDelta, ZSTD(1)),
    selected_snapshot_event_uid String COMMENT 'Uid of the capability event that decided; \'\' without one.' CODEC(ZSTD(1)),
    attribution_distance_ms Nullable(Int64) COMMENT 'Distance from the selection to the chosen interval, ms; 0 inside it; NULL without one.' CODEC(T64, ZSTD(1)),
    connection_quality LowCardinality(String) COMMENT '`good`, `bad`, `unknown` or other text; \'\' when absent.',
    interval_ms Nullable(UInt64) COMMENT 'Time since the sample before of this connection, ms; NULL for the first.' CODEC(T64, ZSTD(1)),
    is_rated UInt8 COMMENT '1 when the interval can carry rates: known and at most 60 s.',
    bytes_received UInt64 COMMENT 'Bytes received since connect, cumulative: never sum.' CODEC(T64, ZSTD(1)),
    bytes_sent UInt64 COMMENT 'Bytes sent since connect, cumulative: never sum.' CODEC(T64, ZSTD(1)),
    bytes_received_delta UInt64 COMMENT 'Bytes received since the sample before.' CODEC(T64, ZSTD(1)),
    bytes_sent_delta UInt64 COMMENT 'Bytes sent since the sample before.' CODEC(T64, ZSTD(1)),
    video_packets_received_delta Nullable(UInt64) COMMENT 'Video packets received since the sample before; NULL without the track.' CODEC(T64, ZSTD(1)),
    video_packets_lost_delta Nullable(UInt64) COMMENT 'Video packets lost since the sample before, not below 0; NULL without the track.' CODEC(T64, ZSTD(1)),
    video_jitter Nullable(Float32) COMMENT 'Video jitter as emitted, ms; NULL without the track.' CODEC(Gorilla, ZSTD(1)),
    video_latency Nullable(Float32) COMMENT 'Video media latency as emitted, seconds; NULL without the track or an output time.' CODEC(Gorilla, ZSTD(1)),
    video_jitter_ms Nullable(Float64) COMMENT 'Video jitter in (0, 10 s], ms; NULL when not measured.' CODEC(Gorilla, ZSTD(1)),
    video_rtt_ms Nullable(Float64) COMMENT 'Video round trip in (0, 60 s], ms; NULL when not measured.' CODEC(Gorilla, ZSTD(1)),
    video_media_latency_ms Nullable(Float64) COMMENT 'Video input minus output media time in (0, 60 s], ms; NULL when not measured.' CODEC(Gorilla, ZSTD(1)),
    audio_packets_received_delta Nullable(UInt64) COMMENT 'Audio packets received since the sample before; NULL without the track.' CODEC(T64, ZSTD(1)),
    audio_packets_lost_delta Nullable(UInt64) COMMENT 'Audio packets lost since the sample before, not below 0; NULL without the track.' CODEC(T64, ZSTD(1)),
    audio_jitter Nullable(Float32) COMMENT 'Audio jitter as emitted, ms; NULL without the track.' CODEC(Gorilla, ZSTD(1)),
    audio_latency Nullable(Float32) COMMENT 'Audio media latency as emitted, seconds; NULL without the track or an output time.' CODEC(Gorilla, ZSTD(1)),
    audio_jitter_ms Nullable(Float64) COMMENT 'Audio jitter in (0, 10 s], ms; NULL when not measured.' CODEC(Gorilla, ZSTD(1)),
    audio_rtt_ms Nullable(Float64) COMMENT 'Audio round trip in (0, 60 s], ms; NULL when not measured.' CODEC(Gorilla, ZSTD(1)),
    audio_media_latency_ms Nullable(Float64) COMMENT 'Audio input minus output media time in (0, 60 s], ms; NULL when not measured.' CODEC(Gorilla, ZSTD(1)),
    counter_reset UInt8 COMMENT '1 when a counter went back: the difference is the counter itself.',
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    sample_date Date MATERIALIZED toDate(gateway_ts) COMMENT 'Day of `gateway_ts`, UTC.',
    sample_ts DateTime64(3, 'UTC') ALIAS gateway_ts COMMENT 'Another name of `gateway_ts`.',
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_stream_id stream_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_source_event_uid source_event_uid TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(gateway_ts)
ORDER BY (org, workflow_session_id, gateway_ts, source_event_uid)
TTL sample_date + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Client-to-gateway transport per interval: one row per ingest metrics event.';

CREATE TABLE IF NOT EXISTS fact_orchestrator_transport_bandwidth
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key (lifecycle 1.3); never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; \'\' when unknown.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; \'\' when unknown.' CODEC(ZSTD(1)),
    attempt UInt32 COMMENT 'Attempt in the session, from 0, one more after each swap.' CODEC(T64, ZSTD(1)),
    link_type LowCardinality(String) COMMENT 'Link: `gateway_to_orchestrator`, `orchestrator_to_worker` or `client_to_gateway`.',
    channel LowCardinality(String) COMMENT '`media` (the only one in figures), `control` or `events`.',
    observer LowCardinality(String) COMMENT 'Side that counted: `gateway` (authoritative) or `orchestrator`.',
    sample_seq UInt64 COMMENT 'Number of the sample in its stream, from 0.' CODEC(T64, ZSTD(1)),
    sample_ts DateTime64(3, 'UTC') COMMENT 'End of the interval, or the envelope time for another observer, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    interval_start_ts DateTime64(3, 'UTC') COMMENT 'Start of the interval, UTC, observer clock.' CODEC(DoubleDelta, ZSTD(1)),
    source_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the interval on the clock of its observer, UTC.' CODEC(DoubleDelta, ZSTD(1)),
    clock_domain LowCardinality(String) COMMENT 'Clock of the interval: `gateway` or `orchestrator`.',
    kafka_ts DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files.' CODEC(DoubleDelta, ZSTD(1)),
    is_late UInt8 COMMENT '1 when the record reached the broker more than 10 minutes after `sample_ts`.',
    gateway LowCardinality(String) COMMENT 'Gateway of the signal; \'\' when unknown.',
    orchestrator_address String COMMENT 'Canonical orchestrator wallet, lower case; \'\' when not attributed.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI of the orchestrator; \'\' when unknown.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.',
    model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.',
    gpu_id String COMMENT 'GPU uuid; \'\' when unknown or when several GPUs fit.' CODEC(ZSTD(1)),
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    is_attributed UInt8 COMMENT '1 when the selection in force is resolved, hardware-less or stale.',
    gpu_candidate_count UInt16 COMMENT 'GPUs that fit the decision; more than 1 leaves `gpu_id` empty.' CODEC(T64, ZSTD(1)),
    attribution_status LowCardinality(String) COMMENT '`resolved`, `hardware_less`, `stale`, `ambiguous`, `unresolved` or \'\' (no decision applies).',
    attribution_source LowCardinality(String) COMMENT '`direct` (enters gold), `mapped_window` or `unattributed`.',
    attribution_reason LowCardinality(String) COMMENT 'Why the decision came out so, such as `matched` or `missing_candidate` (lifecycle 7.10, 8.2).',
    selected_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the advertisement that decided, UTC, gateway clock; NULL without one.' CODEC(DoubleDelta, ZSTD(1)),
    selected_snapshot_event_uid String COMMENT 'Uid of the capability event that decided; \'\' without one.' CODEC(ZSTD(1)),
    attribution_distance_ms Nullable(Int64) COMMENT 'Distance from the selection to the chosen interval, ms; 0 inside it; NULL without one.' CODEC(T64, ZSTD(1)),
    is_final UInt8 COMMENT '1 for the last sample of the attempt.',
    rx_bytes_total UInt64 COMMENT 'Bytes to the orchestrator since the attempt began, cumulative.' CODEC(T64, ZSTD(1)),
    tx_bytes_total UInt64 COMMENT 'Bytes from the orchestrator since the attempt began, cumulative.' CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 COMMENT 'Bytes to the orchestrator in the interval (down).' CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 COMMENT 'Bytes from the orchestrator in the interval (up).' CODEC(T64, ZSTD(1)),
    interval_ms Nullable(UInt64) COMMENT 'Length of the interval, ms; NULL when not above 0.' CODEC(T64, ZSTD(1)),
    rx_busy_ms UInt64 COMMENT 'Time with a transfer to the orchestrator in progress, ms.' CODEC(T64, ZSTD(1)),
    tx_busy_ms UInt64 COMMENT 'Time with a transfer from the orchestrator in progress, ms.' CODEC(T64, ZSTD(1)),
    rx_segments UInt64 COMMENT 'Segments completed to the orchestrator in the interval.' CODEC(T64, ZSTD(1)),
    tx_segments UInt64 COMMENT 'Segments completed from the orchestrator in the interval.' CODEC(T64, ZSTD(1)),
    failed_segments UInt64 COMMENT 'Segments aborted or timed out in the interval, both directions.' CODEC(T64, ZSTD(1)),
    dropped_segments UInt64 COMMENT 'Segments never sent in the interval, both directions.' CODEC(T64, ZSTD(1)),
    rx_bps Nullable(UInt64) COMMENT 'Rate to the orchestrator, bits per second; NULL when the interval or the value is implausible.' CODEC(T64, ZSTD(1)),
    tx_bps Nullable(UInt64) COMMENT 'Rate from the orchestrator, bits per second; NULL when the interval or the value is implausible.' CODEC(T64, ZSTD(1)),
    counter_reset UInt8 COMMENT '1 when a counter went back: the difference is the counter itself.',
    quality_flags Array(String) COMMENT 'What is unusual, sorted: `gap`, `implausible_rate`, `implausible_time`, `long_interval`, `other_orchestrator`; empty when nothing is.' CODEC(ZSTD(1)),
    source_system LowCardinality(String) COMMENT 'Family or system that sent the sample, `stream_transport_metrics`.',
    source_sample_id String COMMENT 'Name of the sample at its source; \'\' when it has none.' CODEC(ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the event that this row is about; never empty.' CODEC(ZSTD(1)),
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    sample_date Date MATERIALIZED toDate(sample_ts) COMMENT 'Day of `sample_ts`, UTC.',
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_source_event_uid source_event_uid TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY cityHash64(org, workflow_session_id) % 8
ORDER BY (org, workflow_session_id, attempt, link_type, channel, observer, sample_seq)
TTL sample_date + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Transport between gateway and orchestrator per interval: one row per accepted sample.';

CREATE TABLE IF NOT EXISTS fact_payment_tickets
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    payment_ts DateTime64(3, 'UTC') COMMENT 'Envelope time, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the event that this row is about; never empty.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id, only on the first payment of a stream; \'\' otherwise.' CODEC(ZSTD(1)),
    session_id String COMMENT 'Auth-token session at the orchestrator, not a stream session; \'\' when absent.' CODEC(ZSTD(1)),
    manifest_id String COMMENT 'Manifest id as sent; \'\' when absent.' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway of the signal; \'\' when unknown.',
    sender String COMMENT 'Payer wallet of the gateway, normalised; \'\' when unknown.' CODEC(ZSTD(1)),
    recipient String COMMENT 'Canonical orchestrator wallet, normalised; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI of the orchestrator, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class that the model implies; \'\' when unknown.',
    model_id LowCardinality(String) COMMENT 'Model label in the manifest id; \'\' when unknown.',
    face_value_wei UInt256 COMMENT 'Face value of one ticket, wei.' CODEC(ZSTD(1)),
    num_tickets UInt32 COMMENT 'Number of tickets.' CODEC(T64, ZSTD(1)),
    win_prob Decimal(18, 10) COMMENT 'Winning probability of one ticket, 0 to 1.' CODEC(ZSTD(1)),
    expected_value_wei Decimal(76, 10) COMMENT 'Face value times probability times tickets, wei.' CODEC(ZSTD(1)),
    price_wei_per_pixel Decimal(38, 3) COMMENT 'Price, wei per pixel.' CODEC(ZSTD(1)),
    face_value_text String COMMENT 'Face value with its unit, verbatim.' CODEC(ZSTD(1)),
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    payment_date Date MATERIALIZED toDate(payment_ts) COMMENT 'Day of `payment_ts`, UTC.',
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_session_id session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_recipient recipient TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(payment_ts)
ORDER BY (org, payment_ts, source_event_uid)
TTL payment_date + INTERVAL 180 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Payment tickets in wei: one row per payment event. Read `fact_payment_events`, which links them.';
