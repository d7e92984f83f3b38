-- Filters of reject tables that read less in vain. Append-only: never edit, add a file.

ALTER TABLE raw_streaming_events_dlq DROP INDEX IF EXISTS idx_event_id;

ALTER TABLE raw_streaming_events_dlq ADD INDEX IF NOT EXISTS idx_event_id event_id TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE raw_streaming_events_dlq MATERIALIZE INDEX idx_event_id;

ALTER TABLE raw_streaming_events_dlq DROP INDEX IF EXISTS idx_dedup_key;

ALTER TABLE raw_streaming_events_dlq ADD INDEX IF NOT EXISTS idx_dedup_key dedup_key TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE raw_streaming_events_dlq MATERIALIZE INDEX idx_dedup_key;

ALTER TABLE raw_streaming_events_quarantine DROP INDEX IF EXISTS idx_event_id;

ALTER TABLE raw_streaming_events_quarantine ADD INDEX IF NOT EXISTS idx_event_id event_id TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE raw_streaming_events_quarantine MATERIALIZE INDEX idx_event_id;

ALTER TABLE raw_streaming_events_quarantine DROP INDEX IF EXISTS idx_dedup_key;

ALTER TABLE raw_streaming_events_quarantine ADD INDEX IF NOT EXISTS idx_dedup_key dedup_key TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE raw_streaming_events_quarantine MATERIALIZE INDEX idx_dedup_key;
