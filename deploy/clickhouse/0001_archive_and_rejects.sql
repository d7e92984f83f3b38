-- Generated from protocol/src/rows. Append-only once released: never edit, add a file.

CREATE TABLE IF NOT EXISTS raw_streaming_events
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    id String COMMENT 'Envelope `id` verbatim; \'\' when absent or not parsable.' CODEC(ZSTD(1)),
    type LowCardinality(String) COMMENT 'Envelope `type` verbatim; \'\' when absent or not parsable.',
    timestamp UInt64 COMMENT 'Envelope `timestamp`, ms since the epoch; 0 when absent or not parsable.' CODEC(T64, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Envelope `gateway`; \'\' when unknown.',
    data String COMMENT 'Text of the payload `data`; the whole record value when it has no readable envelope.' CODEC(ZSTD(6)),
    raw_event_uid String COMMENT 'Event uid (events.md 5.2); never empty.' CODEC(ZSTD(1)),
    source_topic LowCardinality(String) COMMENT 'Kafka topic; a fixed name for files.',
    source_partition UInt32 COMMENT 'Kafka partition; for files a hash of the file\'s identity.' CODEC(T64, ZSTD(1)),
    source_offset UInt64 COMMENT 'Offset in the partition; the record\'s number for files.' CODEC(T64, ZSTD(1)),
    source_record_timestamp DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files.' CODEC(DoubleDelta, ZSTD(1)),
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time, UTC, gateway clock; the record time when the envelope has none.' CODEC(DoubleDelta, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    INDEX idx_id id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_type type TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(ingestion_timestamp)
PARTITION BY toYYYYMM(source_record_timestamp)
ORDER BY (org, type, event_timestamp, source_topic, source_partition, source_offset)
TTL toDate(ingestion_timestamp) + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Audit and replay archive: one row per delivery of an accepted event, duplicates included.';

CREATE TABLE IF NOT EXISTS raw_streaming_events_dlq
(
    schema_version LowCardinality(String) COMMENT 'Version of this envelope, `v1`.',
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    source_topic LowCardinality(String) COMMENT 'Kafka topic; a fixed name for files.',
    source_partition UInt32 COMMENT 'Kafka partition; for files a hash of the file\'s identity.' CODEC(T64, ZSTD(1)),
    source_offset UInt64 COMMENT 'Offset in the partition; the record\'s number for files.' CODEC(T64, ZSTD(1)),
    source_record_timestamp DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files.' CODEC(DoubleDelta, ZSTD(1)),
    part UInt32 COMMENT 'Part of the record that failed, such as an array element, from 0; 0 for the whole record.' CODEC(T64, ZSTD(1)),
    event_id String COMMENT 'Envelope `id`; \'\' when absent or not parsable.' CODEC(ZSTD(1)),
    event_type LowCardinality(String) COMMENT 'Envelope `type`; \'\' when absent or not parsable.',
    event_version Nullable(String) COMMENT 'Schema version of the envelope; NULL when not parsable.' CODEC(ZSTD(1)),
    event_timestamp Nullable(DateTime64(3, 'UTC')) COMMENT 'Envelope time, UTC, gateway clock; NULL when not parsable.' CODEC(DoubleDelta, ZSTD(1)),
    dedup_key Nullable(String) COMMENT 'Event uid; NULL when the record failed before it was made.' CODEC(ZSTD(1)),
    dedup_strategy Nullable(String) COMMENT '`event_id` or `payload_hash`; NULL without a key.' CODEC(ZSTD(1)),
    replay UInt8 COMMENT '1 when the record carried the replay marker.',
    failure_stage LowCardinality(String) COMMENT 'Check that failed, such as `SCHEMA_VALIDATION` or `DEDUP` (events.md 6.1).',
    failure_class LowCardinality(String) COMMENT 'Class of the failure, such as `SCHEMA_INVALID` or `DUPLICATE`.',
    failure_reason LowCardinality(String) COMMENT 'Reason code, such as `missing_field`.',
    failure_details String COMMENT 'Sentence that names the input and the remedy; \'\' when the reason says all.' CODEC(ZSTD(1)),
    orchestrator Nullable(String) COMMENT 'Orchestrator of the payload, best effort; NULL when absent.' CODEC(ZSTD(1)),
    broadcaster Nullable(String) COMMENT 'Broadcaster of the payload, best effort; NULL when absent.' CODEC(ZSTD(1)),
    region Nullable(String) COMMENT 'Region of the payload, best effort; NULL when absent.' CODEC(ZSTD(1)),
    payload_encoding LowCardinality(String) COMMENT '`json`, or `base64` for undecodable bytes.',
    payload_body String COMMENT 'The record value in that encoding; \'\' for a null value.' CODEC(ZSTD(6)),
    payload_canonical_json Nullable(String) COMMENT 'The payload as JSON with sorted keys; NULL when not available.' CODEC(ZSTD(6)),
    version UInt64 COMMENT 'Write version; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the record was rejected, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(ifNull(event_timestamp, source_record_timestamp)) COMMENT 'Day of `event_timestamp`, else of `source_record_timestamp`, UTC.',
    INDEX idx_event_id event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_dedup_key dedup_key TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(source_record_timestamp)
ORDER BY (org, source_topic, source_partition, source_offset, failure_stage, part)
TTL toDate(ingestion_timestamp) + INTERVAL 30 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Dead letters: one row per rejected record, stage and part of the record.';

CREATE TABLE IF NOT EXISTS raw_streaming_events_quarantine
(
    schema_version LowCardinality(String) COMMENT 'Version of this envelope, `v1`.',
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    source_topic LowCardinality(String) COMMENT 'Kafka topic; a fixed name for files.',
    source_partition UInt32 COMMENT 'Kafka partition; for files a hash of the file\'s identity.' CODEC(T64, ZSTD(1)),
    source_offset UInt64 COMMENT 'Offset in the partition; the record\'s number for files.' CODEC(T64, ZSTD(1)),
    source_record_timestamp DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files.' CODEC(DoubleDelta, ZSTD(1)),
    part UInt32 COMMENT 'Part of the record that failed, such as an array element, from 0; 0 for the whole record.' CODEC(T64, ZSTD(1)),
    event_id String COMMENT 'Envelope `id`; \'\' when absent or not parsable.' CODEC(ZSTD(1)),
    event_type LowCardinality(String) COMMENT 'Envelope `type`; \'\' when absent or not parsable.',
    event_version Nullable(String) COMMENT 'Schema version of the envelope; NULL when not parsable.' CODEC(ZSTD(1)),
    event_timestamp Nullable(DateTime64(3, 'UTC')) COMMENT 'Envelope time, UTC, gateway clock; NULL when not parsable.' CODEC(DoubleDelta, ZSTD(1)),
    dedup_key Nullable(String) COMMENT 'Event uid; NULL when the record failed before it was made.' CODEC(ZSTD(1)),
    dedup_strategy Nullable(String) COMMENT '`event_id` or `payload_hash`; NULL without a key.' CODEC(ZSTD(1)),
    replay UInt8 COMMENT '1 when the record carried the replay marker.',
    failure_stage LowCardinality(String) COMMENT 'Check that failed, such as `SCHEMA_VALIDATION` or `DEDUP` (events.md 6.1).',
    failure_class LowCardinality(String) COMMENT 'Class of the failure, such as `SCHEMA_INVALID` or `DUPLICATE`.',
    failure_reason LowCardinality(String) COMMENT 'Reason code, such as `missing_field`.',
    failure_details String COMMENT 'Sentence that names the input and the remedy; \'\' when the reason says all.' CODEC(ZSTD(1)),
    orchestrator Nullable(String) COMMENT 'Orchestrator of the payload, best effort; NULL when absent.' CODEC(ZSTD(1)),
    broadcaster Nullable(String) COMMENT 'Broadcaster of the payload, best effort; NULL when absent.' CODEC(ZSTD(1)),
    region Nullable(String) COMMENT 'Region of the payload, best effort; NULL when absent.' CODEC(ZSTD(1)),
    payload_encoding LowCardinality(String) COMMENT '`json`, or `base64` for undecodable bytes.',
    payload_body String COMMENT 'The record value in that encoding; \'\' for a null value.' CODEC(ZSTD(6)),
    payload_canonical_json Nullable(String) COMMENT 'The payload as JSON with sorted keys; NULL when not available.' CODEC(ZSTD(6)),
    version UInt64 COMMENT 'Write version; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the record was rejected, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(ifNull(event_timestamp, source_record_timestamp)) COMMENT 'Day of `event_timestamp`, else of `source_record_timestamp`, UTC.',
    INDEX idx_event_id event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_dedup_key dedup_key TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(source_record_timestamp)
ORDER BY (org, source_topic, source_partition, source_offset, failure_stage, part)
TTL toDate(ingestion_timestamp) + INTERVAL 30 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Quarantine: one row per record that was expected to be left out, such as a duplicate.';

CREATE TABLE IF NOT EXISTS raw_ignored_events
(
    raw_event_uid String COMMENT 'Event uid; never empty.' CODEC(ZSTD(1)),
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_type LowCardinality(String) COMMENT 'Envelope `type` verbatim.',
    event_subtype LowCardinality(String) COMMENT 'Subtype (`data.type`) verbatim; \'\' when absent.',
    ignore_reason LowCardinality(String) COMMENT 'Why the record is ignored, such as `unsupported_event_family` (events.md 6.2).',
    gateway LowCardinality(String) COMMENT 'Gateway that sent the event; \'\' when unknown.',
    source_topic LowCardinality(String) COMMENT 'Kafka topic; a fixed name for files.',
    source_partition UInt32 COMMENT 'Kafka partition; for files a hash of the file\'s identity.' CODEC(T64, ZSTD(1)),
    source_offset UInt64 COMMENT 'Offset in the partition; the record\'s number for files.' CODEC(T64, ZSTD(1)),
    source_record_timestamp DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files.' CODEC(DoubleDelta, ZSTD(1)),
    event_timestamp Nullable(DateTime64(3, 'UTC')) COMMENT 'Envelope time, UTC, gateway clock; NULL when not parsable.' CODEC(DoubleDelta, ZSTD(1)),
    raw_json String COMMENT 'The whole record for 1 in 1,000 uids, \'\' for the others.' CODEC(ZSTD(6)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    ingest_timestamp DateTime64(3, 'UTC') ALIAS source_record_timestamp COMMENT 'When the record entered the source, UTC: another name of `source_record_timestamp`.',
    ingest_date Date MATERIALIZED toDate(source_record_timestamp) COMMENT 'Day of `source_record_timestamp`, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(ingestion_timestamp)
PARTITION BY toYYYYMM(source_record_timestamp)
ORDER BY (org, event_type, source_topic, source_partition, source_offset)
TTL toDate(ingestion_timestamp) + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Records that are valid but outside the contract: one row per ignored record.';

CREATE VIEW IF NOT EXISTS raw_unknown_events AS
SELECT ingest_timestamp, ingest_date, raw_event_uid, org, event_type, source_topic, raw_json, ingestion_timestamp
FROM raw_ignored_events FINAL
WHERE ignore_reason = 'unsupported_event_family'
COMMENT 'Records of an event family outside the contract: one row per record.';
