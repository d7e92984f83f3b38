-- Capabilities say how models and prices were found, and columns what they hold. Append-only: never edit, add a file.

ALTER TABLE raw_streaming_events MODIFY COLUMN source_partition UInt32 COMMENT 'Kafka partition; for files a running number of the data folder.' CODEC(T64, ZSTD(1));

ALTER TABLE raw_streaming_events_dlq MODIFY COLUMN source_partition UInt32 COMMENT 'Kafka partition; for files a running number of the data folder.' CODEC(T64, ZSTD(1));

ALTER TABLE raw_streaming_events_dlq MODIFY COLUMN source_record_timestamp DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files, and without one the time of the reject.' CODEC(DoubleDelta, ZSTD(1));

ALTER TABLE raw_streaming_events_dlq MODIFY COLUMN part UInt32 COMMENT 'Part of the record that failed, such as an array element, from 1; 0 for the whole record.' CODEC(T64, ZSTD(1));

ALTER TABLE raw_streaming_events_quarantine MODIFY COLUMN source_partition UInt32 COMMENT 'Kafka partition; for files a running number of the data folder.' CODEC(T64, ZSTD(1));

ALTER TABLE raw_streaming_events_quarantine MODIFY COLUMN source_record_timestamp DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files, and without one the time of the reject.' CODEC(DoubleDelta, ZSTD(1));

ALTER TABLE raw_streaming_events_quarantine MODIFY COLUMN part UInt32 COMMENT 'Part of the record that failed, such as an array element, from 1; 0 for the whole record.' CODEC(T64, ZSTD(1));

ALTER TABLE raw_ignored_events MODIFY COLUMN source_partition UInt32 COMMENT 'Kafka partition; for files a running number of the data folder.' CODEC(T64, ZSTD(1));

ALTER TABLE raw_ignored_events MODIFY COLUMN source_record_timestamp DateTime64(3, 'UTC') COMMENT 'Broker record time, UTC; the envelope time for files, and without one the time when the row was made.' CODEC(DoubleDelta, ZSTD(1));

ALTER TABLE raw_ai_stream_status MODIFY COLUMN stream_id String COMMENT 'Stream id, trimmed; \'\' when sent as blank text.' CODEC(ZSTD(1));

ALTER TABLE raw_ai_stream_status MODIFY COLUMN request_id String COMMENT 'Request id, trimmed; \'\' when sent as blank text.' CODEC(ZSTD(1));

ALTER TABLE raw_ai_stream_status MODIFY COLUMN pipeline LowCardinality(String) COMMENT 'Model hint as reported (`data.pipeline`); can be blank.';

ALTER TABLE raw_stream_trace_events MODIFY COLUMN stream_id String COMMENT 'Stream id, trimmed; \'\' when sent as blank text.' CODEC(ZSTD(1));

ALTER TABLE raw_stream_trace_events MODIFY COLUMN request_id String COMMENT 'Request id, trimmed; \'\' when sent as blank text.' CODEC(ZSTD(1));

ALTER TABLE raw_ai_stream_events MODIFY COLUMN stream_id String COMMENT 'Stream id, trimmed; \'\' when sent as blank text.' CODEC(ZSTD(1));

ALTER TABLE raw_ai_stream_events MODIFY COLUMN request_id String COMMENT 'Request id, trimmed; \'\' when sent as blank text.' CODEC(ZSTD(1));

ALTER TABLE raw_stream_ingest_metrics MODIFY COLUMN stream_id String COMMENT 'Stream id, trimmed; \'\' when sent as blank text.' CODEC(ZSTD(1));

ALTER TABLE raw_stream_ingest_metrics MODIFY COLUMN request_id String COMMENT 'Request id, trimmed; \'\' when sent as blank text.' CODEC(ZSTD(1));

ALTER TABLE raw_network_capabilities ADD COLUMN IF NOT EXISTS orch_uri_norm String COMMENT 'The same for comparison: trimmed, lower case, without one trailing slash; \'\' in rows of older builds.' CODEC(ZSTD(1)) AFTER orch_uri;

ALTER TABLE raw_network_capabilities ADD COLUMN IF NOT EXISTS snapshot_source LowCardinality(String) COMMENT '`hardware`, or `constraint` for a model that no hardware element lists; \'\' in rows of older builds.' AFTER pixels_per_unit;

ALTER TABLE raw_network_capabilities ADD COLUMN IF NOT EXISTS model_matched UInt8 COMMENT '1 when capacity, warmth and runner version are those of this very model.' AFTER snapshot_source;

ALTER TABLE raw_network_capabilities ADD COLUMN IF NOT EXISTS price_match LowCardinality(String) COMMENT '`exact` for a price of this capability and model, `any_model` for one of the capability, or `none`; \'\' in rows of older builds.' AFTER model_matched;

ALTER TABLE raw_network_capabilities_advertised ADD COLUMN IF NOT EXISTS orch_uri_norm String COMMENT 'The same for comparison: trimmed, lower case, without one trailing slash; \'\' in rows of older builds.' CODEC(ZSTD(1)) AFTER orch_uri;

ALTER TABLE raw_network_capabilities_model_constraints ADD COLUMN IF NOT EXISTS orch_uri_norm String COMMENT 'The same for comparison: trimmed, lower case, without one trailing slash; \'\' in rows of older builds.' CODEC(ZSTD(1)) AFTER orch_uri;

ALTER TABLE raw_network_capabilities_prices ADD COLUMN IF NOT EXISTS orch_uri_norm String COMMENT 'The same for comparison: trimmed, lower case, without one trailing slash; \'\' in rows of older builds.' CODEC(ZSTD(1)) AFTER orch_uri;

ALTER TABLE raw_network_capabilities_prices ADD COLUMN IF NOT EXISTS price_usable UInt8 ALIAS price_per_unit > 0 AND pixels_per_unit > 0 COMMENT '1 when both numbers are positive; other prices belong in no average.' AFTER ingestion_timestamp;

ALTER TABLE dim_orchestrator_capability_prices ADD COLUMN IF NOT EXISTS price_usable UInt8 ALIAS price_per_unit > 0 AND pixels_per_unit > 0 COMMENT '1 when both numbers are positive; other prices belong in no average.' AFTER ingestion_timestamp;

ALTER TABLE fact_workflow_sessions MODIFY COLUMN orchestrator_url String COMMENT 'URL of the selection that the identity is of (the last resolved one, else the last) as observed, else the node\'s; \'\' when unknown.' CODEC(ZSTD(1));

ALTER TABLE fact_workflow_sessions MODIFY COLUMN service_failure_reason LowCardinality(String) COMMENT 'Why a known session was not served or did not start: `unattributed`, `no_orchestrators`, `not_selected`, `excusable_error` or `startup_failed`; \'\' when it did, or is not known.';

ALTER TABLE fact_workflow_session_coverage MODIFY COLUMN gateway LowCardinality(String) COMMENT 'First gateway of the session; \'\' when unknown.';

ALTER TABLE fact_workflow_latency_samples MODIFY COLUMN gateway LowCardinality(String) COMMENT 'First gateway of the session; \'\' when unknown.';
