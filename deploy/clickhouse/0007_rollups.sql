-- Generated from protocol/src/rows. Append-only once released: never edit, add a file.

CREATE TABLE IF NOT EXISTS rollup_slices
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    relation LowCardinality(String) COMMENT 'Published table or view that the slice belongs to.',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the hour, UTC.' CODEC(DoubleDelta, ZSTD(1)),
    slice_version UInt64 COMMENT 'Version of the rows of this slice that are valid (epoch of shard 0 and sequence).' CODEC(T64, ZSTD(1)),
    window_state LowCardinality(String) COMMENT '`provisional`, `settled` or `final` (backlog 003).',
    revision UInt32 COMMENT 'Changes after settling.' CODEC(T64, ZSTD(1)),
    refresh_run_id String COMMENT 'Run that computed the slice; \'\' for the regular schedule.' CODEC(ZSTD(1)),
    refreshed_at DateTime64(3, 'UTC') COMMENT 'When the slice was computed, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(slice_version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (org, relation, window_start)
TTL toDate(window_start) + INTERVAL 400 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Valid version of each published slice: one row per relation, organisation and hour.';
