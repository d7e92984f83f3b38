-- Generated from protocol/src/rows. Append-only once released: never edit, add a file.

CREATE TABLE IF NOT EXISTS raw_ai_stream_status
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    raw_event_uid String COMMENT 'Event uid, unique per organisation; never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; never blank.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; never blank.' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that sent the event; \'\' when unknown.',
    orchestrator_address String COMMENT 'Wallet as reported (hot wallet for live video), normalised; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI as reported, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Model hint as reported (`data.pipeline`); never empty.',
    output_fps Float32 COMMENT 'Frames per second out of the inference; 0 when absent.' CODEC(Gorilla, ZSTD(1)),
    input_fps Float32 COMMENT 'Frames per second into the inference; 0 when absent.' CODEC(Gorilla, ZSTD(1)),
    state LowCardinality(String) COMMENT 'Runner state verbatim, such as `ONLINE` or `LOADING`; \'\' when absent.',
    restart_count UInt32 COMMENT 'Restarts of the runner process, not of the session; 0 when absent.' CODEC(T64, ZSTD(1)),
    last_error Nullable(String) COMMENT 'Last error text, sticky across sessions; NULL when there is none.' CODEC(ZSTD(1)),
    last_error_time Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the last error, UTC, runner clock; NULL when absent.' CODEC(DoubleDelta, ZSTD(1)),
    prompt_text Nullable(String) COMMENT 'Prompt text, personal data; NULL when absent or not text.' CODEC(ZSTD(1)),
    prompt_width UInt16 COMMENT 'Requested width, pixels; 0 when absent.' CODEC(T64, ZSTD(1)),
    prompt_height UInt16 COMMENT 'Requested height, pixels; 0 when absent.' CODEC(T64, ZSTD(1)),
    params_hash String COMMENT 'Hash of the last parameters as reported; \'\' when absent.' CODEC(ZSTD(1)),
    start_time Nullable(DateTime64(3, 'UTC')) COMMENT 'When the stream was attached to the runner, UTC, runner clock; NULL when absent.' CODEC(DoubleDelta, ZSTD(1)),
    source_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Sample time in the payload, UTC, runner clock; NULL when absent.' CODEC(DoubleDelta, ZSTD(1)),
    raw_json String COMMENT 'The whole record as JSON; emptied after 30 days, the archive has it.' CODEC(ZSTD(6)) TTL event_date + INTERVAL 30 DAY,
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    event_hour UInt8 MATERIALIZED toHour(event_timestamp) COMMENT 'Hour of the day of `event_timestamp`, 0 to 23, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_stream_id stream_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_pipeline pipeline TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (org, event_timestamp, raw_event_uid)
TTL event_date + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Typed inference status: one row per accepted `ai_stream_status` event.';

CREATE TABLE IF NOT EXISTS raw_stream_trace_events
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    raw_event_uid String COMMENT 'Event uid, unique per organisation; never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; never blank.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; never blank.' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that sent the event; \'\' when unknown.',
    orchestrator_address String COMMENT 'Wallet as reported, normalised; the one being left for a swap; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI as reported, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    trace_type LowCardinality(String) COMMENT 'Trace subtype (`data.type`).',
    data_timestamp DateTime64(3, 'UTC') COMMENT 'Payload time on the clock of the subtype, UTC; the envelope time when absent.' CODEC(DoubleDelta, ZSTD(1)),
    raw_json String COMMENT 'The whole record as JSON; emptied after 30 days, the archive has it.' CODEC(ZSTD(6)) TTL event_date + INTERVAL 30 DAY,
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_stream_id stream_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (org, event_timestamp, raw_event_uid)
TTL event_date + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Typed lifecycle edges: one row per accepted `stream_trace` event.';

CREATE TABLE IF NOT EXISTS raw_ai_stream_events
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    raw_event_uid String COMMENT 'Event uid, unique per organisation; never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; never blank.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; never blank.' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that sent the event; \'\' when unknown.',
    pipeline LowCardinality(String) COMMENT 'Model hint as reported (`data.pipeline`); \'\' when absent.',
    event_type LowCardinality(String) COMMENT 'Event kind verbatim, such as `error` or `params_update`.',
    message String COMMENT 'Message text; \'\' when absent.' CODEC(ZSTD(1)),
    capability LowCardinality(String) COMMENT 'Capability as reported; \'\' when absent.',
    source_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Payload time, UTC, runner clock; NULL for events that the gateway made.' CODEC(DoubleDelta, ZSTD(1)),
    raw_json String COMMENT 'The whole record as JSON; emptied after 30 days, the archive has it.' CODEC(ZSTD(6)) TTL event_date + INTERVAL 30 DAY,
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_stream_id stream_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (org, event_timestamp, raw_event_uid)
TTL event_date + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Typed errors, parameter updates and runner events: one row per accepted `ai_stream_events` event.';

CREATE TABLE IF NOT EXISTS raw_stream_ingest_metrics
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    raw_event_uid String COMMENT 'Event uid, unique per organisation; never empty.' CODEC(ZSTD(1)),
    stream_id String COMMENT 'Stream id; never blank.' CODEC(ZSTD(1)),
    request_id String COMMENT 'Request id; never blank.' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that sent the event; \'\' when unknown.',
    peer_connection LowCardinality(String) COMMENT 'Peer connection of the counters; \'\' when absent.',
    connection_quality LowCardinality(String) COMMENT '`good`, `bad`, `unknown` or other text; \'\' when absent.',
    video_jitter Nullable(Float32) COMMENT 'Video jitter as emitted, ms; 0 is no measurement; NULL without a video track.' CODEC(Gorilla, ZSTD(1)),
    audio_jitter Nullable(Float32) COMMENT 'Audio jitter as emitted, ms; 0 is no measurement; NULL without an audio track.' CODEC(Gorilla, ZSTD(1)),
    video_packets_received Nullable(UInt64) COMMENT 'Video packets received since connect, cumulative; NULL without a video track.' CODEC(T64, ZSTD(1)),
    video_packets_lost Nullable(Int64) COMMENT 'Video packets lost since connect, cumulative, can be negative; NULL without a video track.' CODEC(T64, ZSTD(1)),
    audio_packets_received Nullable(UInt64) COMMENT 'Audio packets received since connect, cumulative; NULL without an audio track.' CODEC(T64, ZSTD(1)),
    audio_packets_lost Nullable(Int64) COMMENT 'Audio packets lost since connect, cumulative, can be negative; NULL without an audio track.' CODEC(T64, ZSTD(1)),
    video_packet_loss_pct Nullable(Float32) COMMENT 'Video loss since connect, percent 0 to 100; NULL without a video track.' CODEC(Gorilla, ZSTD(1)),
    audio_packet_loss_pct Nullable(Float32) COMMENT 'Audio loss since connect, percent 0 to 100; NULL without an audio track.' CODEC(Gorilla, ZSTD(1)),
    video_rtt Nullable(UInt64) COMMENT 'Video round trip, nanoseconds; 0 is unknown; NULL without a video track.' CODEC(T64, ZSTD(1)),
    audio_rtt Nullable(UInt64) COMMENT 'Audio round trip, nanoseconds; 0 is unknown; NULL without an audio track.' CODEC(T64, ZSTD(1)),
    video_last_input_ts Nullable(Float64) COMMENT 'Last video input, seconds of media time; NULL without a video track.' CODEC(Gorilla, ZSTD(1)),
    audio_last_input_ts Nullable(Float64) COMMENT 'Last audio input, seconds of media time; NULL without an audio track.' CODEC(Gorilla, ZSTD(1)),
    video_latency Nullable(Float32) COMMENT 'Video media latency, seconds; NULL without a track or without an output time.' CODEC(Gorilla, ZSTD(1)),
    audio_latency Nullable(Float32) COMMENT 'Audio media latency, seconds; NULL without a track or without an output time.' CODEC(Gorilla, ZSTD(1)),
    bytes_received UInt64 COMMENT 'Bytes received since connect, cumulative: use differences, never sum.' CODEC(T64, ZSTD(1)),
    bytes_sent UInt64 COMMENT 'Bytes sent since connect, cumulative: use differences, never sum.' CODEC(T64, ZSTD(1)),
    raw_json String COMMENT 'The whole record as JSON; emptied after 30 days, the archive has it.' CODEC(ZSTD(6)) TTL event_date + INTERVAL 30 DAY,
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_stream_id stream_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (org, event_timestamp, raw_event_uid)
TTL event_date + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Typed client-to-gateway transport counters: one row per accepted `stream_ingest_metrics` event.';

CREATE TABLE IF NOT EXISTS raw_discovery_results
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    raw_event_uid String COMMENT 'Event uid, unique per organisation; never empty.' CODEC(ZSTD(1)),
    element UInt32 COMMENT 'Rank in the event, from 0; best first.' CODEC(T64, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that sent the event; \'\' when unknown.',
    orchestrator_address String COMMENT 'Hot wallet, normalised; \'\' when the orchestrator sent none.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    latency_ms Nullable(UInt32) COMMENT 'Response time of the orchestrator, ms; NULL when not a number.' CODEC(T64, ZSTD(1)),
    raw_json String COMMENT 'The whole record as JSON on element 0, \'\' on the others; emptied after 30 days.' CODEC(ZSTD(6)) TTL event_date + INTERVAL 30 DAY,
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (org, event_timestamp, raw_event_uid, element)
TTL event_date + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Typed discovery results: one row per orchestrator found by a `discovery_results` event.';

CREATE TABLE IF NOT EXISTS raw_payment_events
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    raw_event_uid String COMMENT 'Event uid, unique per organisation; never empty.' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that sent the event; \'\' when unknown.',
    request_id String COMMENT 'Request id, only on the first payment of a stream; \'\' otherwise.' CODEC(ZSTD(1)),
    session_id String COMMENT 'Auth-token session at the orchestrator, not a stream session; \'\' when absent.' CODEC(ZSTD(1)),
    manifest_id String COMMENT 'Manifest id as sent; \'\' when absent.' CODEC(ZSTD(1)),
    sender String COMMENT 'Payer wallet of the gateway, normalised; \'\' when unknown.' CODEC(ZSTD(1)),
    recipient String COMMENT 'Canonical orchestrator wallet, normalised; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator String COMMENT 'Service URI of the orchestrator (not a wallet), verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    face_value String COMMENT 'Face value of one ticket with its unit (`WEI` or `ETH`), verbatim.' CODEC(ZSTD(1)),
    price String COMMENT 'Price with its unit, wei per pixel, verbatim.' CODEC(ZSTD(1)),
    num_tickets String COMMENT 'Number of tickets, verbatim integer text.' CODEC(ZSTD(1)),
    win_prob String COMMENT 'Winning probability of one ticket, verbatim decimal text.' CODEC(ZSTD(1)),
    client_ip String COMMENT 'Client address, personal data; \'\' when absent.' CODEC(ZSTD(1)),
    capability LowCardinality(String) COMMENT 'Capability as reported; \'\' for live video.',
    raw_json String COMMENT 'The whole record as JSON; emptied after 30 days, the archive has it.' CODEC(ZSTD(6)) TTL event_date + INTERVAL 30 DAY,
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_session_id session_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (org, event_timestamp, raw_event_uid)
TTL event_date + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Typed payment tickets, amounts as the producer\'s text: one row per `create_new_payment` event.';
