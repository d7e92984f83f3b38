-- Generated from protocol/src/rows. Append-only once released: never edit, add a file.

CREATE TABLE IF NOT EXISTS raw_network_capabilities
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time of the advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    raw_event_uid String COMMENT 'Event uid, unique per organisation; never empty.' CODEC(ZSTD(1)),
    element UInt32 COMMENT 'Number of the row in the event and this table, from 0.' CODEC(T64, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that polled; \'\' when unknown.',
    source_event_id String COMMENT 'Envelope `id` verbatim; \'\' when absent.' CODEC(ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical wallet, normalised; \'\' when unknown.' CODEC(ZSTD(1)),
    local_address String COMMENT 'Hot wallet, normalised; can equal the canonical one; \'\' when unknown.' CODEC(ZSTD(1)),
    orch_uri String COMMENT 'Service URI, verbatim; one wallet can have several; \'\' when unknown.' CODEC(ZSTD(1)),
    gpu_id String COMMENT 'GPU uuid; \'\' when the element lists no GPU.' CODEC(ZSTD(1)),
    gpu_name LowCardinality(String) COMMENT 'GPU product name; \'\' when unknown.',
    gpu_memory_total Nullable(UInt64) COMMENT 'GPU memory, bytes; NULL without a GPU.' CODEC(T64, ZSTD(1)),
    gpu_memory_free Nullable(UInt64) COMMENT 'Free GPU memory when polled, bytes; NULL without a GPU.' CODEC(T64, ZSTD(1)),
    gpu_major Nullable(UInt8) COMMENT 'Compute capability, major part; NULL without a GPU.',
    gpu_minor Nullable(UInt8) COMMENT 'Compute capability, minor part; NULL without a GPU.',
    pipeline LowCardinality(String) COMMENT 'Workflow class, or BYOC capability name; \'\' when unknown.',
    model_id LowCardinality(String) COMMENT 'Model label, verbatim; \'\' when unknown.',
    capability_id Int32 COMMENT 'Catalogue id of the capability; -1 when unknown.' CODEC(T64, ZSTD(1)),
    capability_name LowCardinality(String) COMMENT 'Catalogue name; `unknown` for ids outside the catalogue.',
    capability_group LowCardinality(String) COMMENT 'Catalogue group; `unknown` for ids outside the catalogue.',
    capability_catalog_version LowCardinality(String) COMMENT 'Version of the capability catalogue, `v1`.',
    runner_version LowCardinality(String) COMMENT 'Version of the runner; \'\' when unknown.',
    capacity Nullable(Int64) COMMENT 'Slots of the model, never to be summed over GPU rows; NULL without a matching constraint.' CODEC(T64, ZSTD(1)),
    capacity_in_use Nullable(Int64) COMMENT 'Busy slots of the model; NULL without a matching constraint.' CODEC(T64, ZSTD(1)),
    warm Nullable(UInt8) COMMENT '1 when the model is loaded; NULL without a matching constraint.',
    price_per_unit Nullable(Int64) COMMENT 'Price, wei per `pixels_per_unit` pixels; NULL without a matching price.' CODEC(T64, ZSTD(1)),
    pixels_per_unit Nullable(Int64) COMMENT 'Pixels that the price is for; 0 makes it unusable; NULL without a matching price.' CODEC(T64, ZSTD(1)),
    hardware_present UInt8 COMMENT '1 when the model lists a GPU with an id (clarification 2).',
    orchestrator_version LowCardinality(String) COMMENT 'Version of the orchestrator; \'\' when unknown.',
    raw_json String COMMENT 'The orchestrator\'s entry as JSON on its first row of the table, \'\' on the others; emptied after 30 days.' CODEC(ZSTD(6)) TTL event_date + INTERVAL 30 DAY,
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orch_uri orch_uri TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (org, event_timestamp, raw_event_uid, element)
TTL event_date + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Advertised hardware, model and price: one row per orchestrator, hardware element and GPU.';

CREATE TABLE IF NOT EXISTS raw_network_capabilities_advertised
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time of the advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    raw_event_uid String COMMENT 'Event uid, unique per organisation; never empty.' CODEC(ZSTD(1)),
    element UInt32 COMMENT 'Number of the row in the event and this table, from 0.' CODEC(T64, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that polled; \'\' when unknown.',
    source_event_id String COMMENT 'Envelope `id` verbatim; \'\' when absent.' CODEC(ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical wallet, normalised; \'\' when unknown.' CODEC(ZSTD(1)),
    local_address String COMMENT 'Hot wallet, normalised; can equal the canonical one; \'\' when unknown.' CODEC(ZSTD(1)),
    orch_uri String COMMENT 'Service URI, verbatim; one wallet can have several; \'\' when unknown.' CODEC(ZSTD(1)),
    capability_id Int32 COMMENT 'Catalogue id of the capability; -1 when unknown.' CODEC(T64, ZSTD(1)),
    capability_name LowCardinality(String) COMMENT 'Catalogue name; `unknown` for ids outside the catalogue.',
    capability_group LowCardinality(String) COMMENT 'Catalogue group; `unknown` for ids outside the catalogue.',
    capability_catalog_version LowCardinality(String) COMMENT 'Version of the capability catalogue, `v1`.',
    capacity Nullable(Int64) COMMENT 'Advertised capacity; NULL when absent.' CODEC(T64, ZSTD(1)),
    raw_json String COMMENT 'The orchestrator\'s entry as JSON on its first row of the table, \'\' on the others; emptied after 30 days.' CODEC(ZSTD(6)) TTL event_date + INTERVAL 30 DAY,
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orch_uri orch_uri TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (org, event_timestamp, raw_event_uid, element)
TTL event_date + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Advertised capabilities: one row per orchestrator and capability.';

CREATE TABLE IF NOT EXISTS raw_network_capabilities_model_constraints
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time of the advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    raw_event_uid String COMMENT 'Event uid, unique per organisation; never empty.' CODEC(ZSTD(1)),
    element UInt32 COMMENT 'Number of the row in the event and this table, from 0.' CODEC(T64, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that polled; \'\' when unknown.',
    source_event_id String COMMENT 'Envelope `id` verbatim; \'\' when absent.' CODEC(ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical wallet, normalised; \'\' when unknown.' CODEC(ZSTD(1)),
    local_address String COMMENT 'Hot wallet, normalised; can equal the canonical one; \'\' when unknown.' CODEC(ZSTD(1)),
    orch_uri String COMMENT 'Service URI, verbatim; one wallet can have several; \'\' when unknown.' CODEC(ZSTD(1)),
    capability_id Int32 COMMENT 'Catalogue id of the capability; -1 when unknown.' CODEC(T64, ZSTD(1)),
    capability_name LowCardinality(String) COMMENT 'Catalogue name; `unknown` for ids outside the catalogue.',
    capability_group LowCardinality(String) COMMENT 'Catalogue group; `unknown` for ids outside the catalogue.',
    capability_catalog_version LowCardinality(String) COMMENT 'Version of the capability catalogue, `v1`.',
    model_id LowCardinality(String) COMMENT 'Model label, verbatim.',
    runner_version LowCardinality(String) COMMENT 'Version of the runner; \'\' when unknown.',
    capacity Nullable(Int64) COMMENT 'Slots of the model; idle containers for live video.' CODEC(T64, ZSTD(1)),
    capacity_in_use Nullable(Int64) COMMENT 'Busy slots of the model.' CODEC(T64, ZSTD(1)),
    warm Nullable(UInt8) COMMENT '1 when the model is loaded.',
    raw_json String COMMENT 'The orchestrator\'s entry as JSON on its first row of the table, \'\' on the others; emptied after 30 days.' CODEC(ZSTD(6)) TTL event_date + INTERVAL 30 DAY,
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orch_uri orch_uri TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (org, event_timestamp, raw_event_uid, element)
TTL event_date + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Capacity and warm state: one row per orchestrator, capability and model.';

CREATE TABLE IF NOT EXISTS raw_network_capabilities_prices
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    event_timestamp DateTime64(3, 'UTC') COMMENT 'Envelope time of the advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    raw_event_uid String COMMENT 'Event uid, unique per organisation; never empty.' CODEC(ZSTD(1)),
    element UInt32 COMMENT 'Number of the row in the event and this table, from 0.' CODEC(T64, ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that polled; \'\' when unknown.',
    source_event_id String COMMENT 'Envelope `id` verbatim; \'\' when absent.' CODEC(ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical wallet, normalised; \'\' when unknown.' CODEC(ZSTD(1)),
    local_address String COMMENT 'Hot wallet, normalised; can equal the canonical one; \'\' when unknown.' CODEC(ZSTD(1)),
    orch_uri String COMMENT 'Service URI, verbatim; one wallet can have several; \'\' when unknown.' CODEC(ZSTD(1)),
    capability_id Int32 COMMENT 'Catalogue id of the capability; -1 when unknown.' CODEC(T64, ZSTD(1)),
    capability_name LowCardinality(String) COMMENT 'Catalogue name; `unknown` for ids outside the catalogue.',
    capability_group LowCardinality(String) COMMENT 'Catalogue group; `unknown` for ids outside the catalogue.',
    capability_catalog_version LowCardinality(String) COMMENT 'Version of the capability catalogue, `v1`.',
    constraint_name LowCardinality(String) COMMENT 'Model or BYOC capability that the price is for; \'\' for any.',
    price_per_unit Int64 COMMENT 'Price, wei per `pixels_per_unit` pixels.' CODEC(T64, ZSTD(1)),
    pixels_per_unit Int64 COMMENT 'Pixels that the price is for; 0 makes it unusable.' CODEC(T64, ZSTD(1)),
    raw_json String COMMENT 'The orchestrator\'s entry as JSON on its first row of the table, \'\' on the others; emptied after 30 days.' CODEC(ZSTD(6)) TTL event_date + INTERVAL 30 DAY,
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    event_date Date MATERIALIZED toDate(event_timestamp) COMMENT 'Day of `event_timestamp`, UTC.',
    INDEX idx_raw_event_uid raw_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orch_uri orch_uri TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(event_timestamp)
ORDER BY (org, event_timestamp, raw_event_uid, element)
TTL event_date + INTERVAL 90 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Price list: one row per orchestrator and price.';

CREATE TABLE IF NOT EXISTS dim_orchestrator_capability_snapshots
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    snapshot_ts DateTime64(3, 'UTC') COMMENT 'Time of the advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the capability event; never empty.' CODEC(ZSTD(1)),
    element UInt32 COMMENT 'Number of the row in the event and this table, from 0.' CODEC(T64, ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_proxy_address String COMMENT 'Hot wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    gpu_id String COMMENT 'GPU uuid; \'\' when the element lists no GPU.' CODEC(ZSTD(1)),
    gpu_name LowCardinality(String) COMMENT 'GPU product name; \'\' when unknown.',
    gpu_memory_total Nullable(UInt64) COMMENT 'GPU memory, bytes; NULL without a GPU.' CODEC(T64, ZSTD(1)),
    gpu_memory_free Nullable(UInt64) COMMENT 'Free GPU memory when polled, bytes; NULL without a GPU.' CODEC(T64, ZSTD(1)),
    gpu_major Nullable(UInt8) COMMENT 'Compute capability, major part; NULL without a GPU.',
    gpu_minor Nullable(UInt8) COMMENT 'Compute capability, minor part; NULL without a GPU.',
    pipeline LowCardinality(String) COMMENT 'Workflow class, or BYOC capability name; \'\' when unknown.',
    model_id LowCardinality(String) COMMENT 'Model label, verbatim; \'\' when unknown.',
    capability_id Int32 COMMENT 'Catalogue id of the capability; -1 when unknown.' CODEC(T64, ZSTD(1)),
    capability_name LowCardinality(String) COMMENT 'Catalogue name; `unknown` for ids outside the catalogue.',
    capability_group LowCardinality(String) COMMENT 'Catalogue group; `unknown` for ids outside the catalogue.',
    capability_catalog_version LowCardinality(String) COMMENT 'Version of the capability catalogue, `v1`.',
    runner_version LowCardinality(String) COMMENT 'Version of the runner; \'\' when unknown.',
    capacity Nullable(Int64) COMMENT 'Slots of the model, never to be summed over GPU rows; NULL without a matching constraint.' CODEC(T64, ZSTD(1)),
    capacity_in_use Nullable(Int64) COMMENT 'Busy slots of the model; NULL without a matching constraint.' CODEC(T64, ZSTD(1)),
    warm Nullable(UInt8) COMMENT '1 when the model is loaded; NULL without a matching constraint.',
    price_per_unit Nullable(Int64) COMMENT 'Price, wei per `pixels_per_unit` pixels; NULL without a matching price.' CODEC(T64, ZSTD(1)),
    pixels_per_unit Nullable(Int64) COMMENT 'Pixels that the price is for; 0 makes it unusable; NULL without a matching price.' CODEC(T64, ZSTD(1)),
    hardware_present UInt8 COMMENT '1 when the model lists a GPU with an id (clarification 2).',
    orchestrator_version LowCardinality(String) COMMENT 'Version of the orchestrator; \'\' when unknown.',
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    snapshot_date Date MATERIALIZED toDate(snapshot_ts) COMMENT 'Day of `snapshot_ts`, UTC.',
    INDEX idx_source_event_uid source_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_url orchestrator_url TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(snapshot_ts)
ORDER BY (org, snapshot_ts, source_event_uid, element)
TTL snapshot_date + INTERVAL 365 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Hardware, model and price over time: one row per orchestrator, hardware element and GPU.';

CREATE TABLE IF NOT EXISTS dim_orchestrator_capability_advertised_snapshots
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    snapshot_ts DateTime64(3, 'UTC') COMMENT 'Time of the advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the capability event; never empty.' CODEC(ZSTD(1)),
    element UInt32 COMMENT 'Number of the row in the event and this table, from 0.' CODEC(T64, ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_proxy_address String COMMENT 'Hot wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    capability_id Int32 COMMENT 'Catalogue id of the capability; -1 when unknown.' CODEC(T64, ZSTD(1)),
    capability_name LowCardinality(String) COMMENT 'Catalogue name; `unknown` for ids outside the catalogue.',
    capability_group LowCardinality(String) COMMENT 'Catalogue group; `unknown` for ids outside the catalogue.',
    capability_catalog_version LowCardinality(String) COMMENT 'Version of the capability catalogue, `v1`.',
    capacity Nullable(Int64) COMMENT 'Advertised capacity; NULL when absent.' CODEC(T64, ZSTD(1)),
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    snapshot_date Date MATERIALIZED toDate(snapshot_ts) COMMENT 'Day of `snapshot_ts`, UTC.',
    INDEX idx_source_event_uid source_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_url orchestrator_url TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(snapshot_ts)
ORDER BY (org, snapshot_ts, source_event_uid, element)
TTL snapshot_date + INTERVAL 365 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Capabilities over time: one row per orchestrator and capability.';

CREATE TABLE IF NOT EXISTS dim_orchestrator_capability_model_constraints
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    snapshot_ts DateTime64(3, 'UTC') COMMENT 'Time of the advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the capability event; never empty.' CODEC(ZSTD(1)),
    element UInt32 COMMENT 'Number of the row in the event and this table, from 0.' CODEC(T64, ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_proxy_address String COMMENT 'Hot wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    capability_id Int32 COMMENT 'Catalogue id of the capability; -1 when unknown.' CODEC(T64, ZSTD(1)),
    capability_name LowCardinality(String) COMMENT 'Catalogue name; `unknown` for ids outside the catalogue.',
    capability_group LowCardinality(String) COMMENT 'Catalogue group; `unknown` for ids outside the catalogue.',
    capability_catalog_version LowCardinality(String) COMMENT 'Version of the capability catalogue, `v1`.',
    model_id LowCardinality(String) COMMENT 'Model label, verbatim.',
    runner_version LowCardinality(String) COMMENT 'Version of the runner; \'\' when unknown.',
    capacity Nullable(Int64) COMMENT 'Slots of the model; idle containers for live video.' CODEC(T64, ZSTD(1)),
    capacity_in_use Nullable(Int64) COMMENT 'Busy slots of the model.' CODEC(T64, ZSTD(1)),
    warm Nullable(UInt8) COMMENT '1 when the model is loaded.',
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    snapshot_date Date MATERIALIZED toDate(snapshot_ts) COMMENT 'Day of `snapshot_ts`, UTC.',
    INDEX idx_source_event_uid source_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_url orchestrator_url TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(snapshot_ts)
ORDER BY (org, snapshot_ts, source_event_uid, element)
TTL snapshot_date + INTERVAL 365 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Capacity per model over time: one row per orchestrator, capability and model.';

CREATE TABLE IF NOT EXISTS dim_orchestrator_capability_prices
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    snapshot_ts DateTime64(3, 'UTC') COMMENT 'Time of the advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the capability event; never empty.' CODEC(ZSTD(1)),
    element UInt32 COMMENT 'Number of the row in the event and this table, from 0.' CODEC(T64, ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_proxy_address String COMMENT 'Hot wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    capability_id Int32 COMMENT 'Catalogue id of the capability; -1 when unknown.' CODEC(T64, ZSTD(1)),
    capability_name LowCardinality(String) COMMENT 'Catalogue name; `unknown` for ids outside the catalogue.',
    capability_group LowCardinality(String) COMMENT 'Catalogue group; `unknown` for ids outside the catalogue.',
    capability_catalog_version LowCardinality(String) COMMENT 'Version of the capability catalogue, `v1`.',
    constraint_name LowCardinality(String) COMMENT 'Model or BYOC capability that the price is for; \'\' for any.',
    price_per_unit Int64 COMMENT 'Price, wei per `pixels_per_unit` pixels.' CODEC(T64, ZSTD(1)),
    pixels_per_unit Int64 COMMENT 'Pixels that the price is for; 0 makes it unusable.' CODEC(T64, ZSTD(1)),
    is_deleted UInt8 COMMENT '1 removes the row: its content was superseded under the same uid.',
    version UInt64 COMMENT 'Write version (epoch and sequence); the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    snapshot_date Date MATERIALIZED toDate(snapshot_ts) COMMENT 'Day of `snapshot_ts`, UTC.',
    INDEX idx_source_event_uid source_event_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_address orchestrator_address TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_orchestrator_url orchestrator_url TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(snapshot_ts)
ORDER BY (org, snapshot_ts, source_event_uid, element)
TTL snapshot_date + INTERVAL 365 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Prices over time: one row per orchestrator and price.';

CREATE TABLE IF NOT EXISTS dim_orchestrator_capability_current
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    orchestrator_address String COMMENT 'Canonical wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_proxy_address String COMMENT 'Hot wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_url String COMMENT 'Service URI, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    pipeline LowCardinality(String) COMMENT 'Workflow class, or BYOC capability name; \'\' when unknown.',
    model_id LowCardinality(String) COMMENT 'Model label, verbatim; \'\' when unknown.',
    capability_id Int32 COMMENT 'Catalogue id of the capability; -1 when unknown.' CODEC(T64, ZSTD(1)),
    gpu_id String COMMENT 'GPU uuid; \'\' when the element lists no GPU.' CODEC(ZSTD(1)),
    latest_snapshot_ts DateTime64(3, 'UTC') COMMENT 'Time of the newest advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    capability_name LowCardinality(String) COMMENT 'Catalogue name; `unknown` for ids outside the catalogue.',
    capability_group LowCardinality(String) COMMENT 'Catalogue group; `unknown` for ids outside the catalogue.',
    gpu_name LowCardinality(String) COMMENT 'GPU product name; \'\' when unknown.',
    gpu_memory_total Nullable(UInt64) COMMENT 'GPU memory, bytes; NULL without a GPU.' CODEC(T64, ZSTD(1)),
    gpu_memory_free Nullable(UInt64) COMMENT 'Free GPU memory when polled, bytes; NULL without a GPU.' CODEC(T64, ZSTD(1)),
    gpu_major Nullable(UInt8) COMMENT 'Compute capability, major part; NULL without a GPU.',
    gpu_minor Nullable(UInt8) COMMENT 'Compute capability, minor part; NULL without a GPU.',
    runner_version LowCardinality(String) COMMENT 'Version of the runner; \'\' when unknown.',
    orchestrator_version LowCardinality(String) COMMENT 'Version of the orchestrator; \'\' when unknown.',
    capacity Nullable(Int64) COMMENT 'Slots of the model, never to be summed over GPU rows; NULL without a matching constraint.' CODEC(T64, ZSTD(1)),
    capacity_in_use Nullable(Int64) COMMENT 'Busy slots of the model; NULL without a matching constraint.' CODEC(T64, ZSTD(1)),
    warm Nullable(UInt8) COMMENT '1 when the model is loaded; NULL without a matching constraint.',
    price_per_unit Nullable(Int64) COMMENT 'Price, wei per `pixels_per_unit` pixels; NULL without a matching price.' CODEC(T64, ZSTD(1)),
    pixels_per_unit Nullable(Int64) COMMENT 'Pixels that the price is for; 0 makes it unusable; NULL without a matching price.' CODEC(T64, ZSTD(1)),
    hardware_present UInt8 COMMENT '1 when the model lists a GPU with an id (clarification 2).',
    region LowCardinality(String) COMMENT 'Region; \'\' as long as no producer sends one.',
    source_event_uid String COMMENT 'Uid of the event that this row is about; never empty.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Order of the advertisements: time, then content; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1)),
    INDEX idx_orchestrator_url orchestrator_url TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_gpu_id gpu_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY tuple()
ORDER BY (org, orchestrator_address, orchestrator_url, pipeline, model_id, capability_id, gpu_id)
TTL toDate(latest_snapshot_ts) + INTERVAL 365 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Newest advertisement: one row per node, pipeline, model, capability and GPU. A row is current while its event is the newest of its URL, see `v_api_gpu_inventory_current`.';

CREATE TABLE IF NOT EXISTS dim_orchestrator_gpu_current
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    orchestrator_url String COMMENT 'Service URI, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    gpu_id String COMMENT 'GPU uuid, trimmed and lower case; \'\' where the node advertises none.' CODEC(ZSTD(1)),
    orchestrator_proxy_address String COMMENT 'Hot wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    gpu_model_name LowCardinality(String) COMMENT 'GPU product name; \'\' when unknown.',
    gpu_memory_bytes_total Nullable(UInt64) COMMENT 'GPU memory, bytes; NULL when unknown.' CODEC(T64, ZSTD(1)),
    gpu_memory_bytes_free Nullable(UInt64) COMMENT 'Free GPU memory when polled, bytes; NULL when unknown.' CODEC(T64, ZSTD(1)),
    compute_capability Nullable(String) COMMENT 'Compute capability, `major.minor`; NULL when unknown.' CODEC(ZSTD(1)),
    runner_version LowCardinality(String) COMMENT 'Version of the runner, the first one that is known; \'\' when unknown.',
    pipelines Array(String) COMMENT 'Workflow classes that the GPU serves, sorted and distinct.' CODEC(ZSTD(1)),
    model_ids Array(String) COMMENT 'Models that the GPU serves, sorted and distinct.' CODEC(ZSTD(1)),
    capability_ids Array(Int32) COMMENT 'Catalogue ids of their capabilities, sorted and distinct.' CODEC(ZSTD(1)),
    capacity Nullable(Int64) COMMENT 'Most slots of one of its models, a label; NULL when unknown.' CODEC(T64, ZSTD(1)),
    capacity_in_use Nullable(Int64) COMMENT 'Most busy slots of one of its models, a label; NULL when unknown.' CODEC(T64, ZSTD(1)),
    warm Nullable(UInt8) COMMENT '1 when any of its models is loaded; NULL when unknown.',
    price_per_unit Nullable(Int64) COMMENT 'Price of the first of its models by name that has one, wei per `pixels_per_unit` pixels.' CODEC(T64, ZSTD(1)),
    pixels_per_unit Nullable(Int64) COMMENT 'Pixels that the price is for.' CODEC(T64, ZSTD(1)),
    orchestrator_version LowCardinality(String) COMMENT 'Version of the orchestrator; \'\' when unknown.',
    last_seen_ts DateTime64(3, 'UTC') COMMENT 'Time of the advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    source_event_uid String COMMENT 'Uid of the capability event; never empty.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Order of the advertisements: time, then content; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY tuple()
ORDER BY (org, orchestrator_url, orchestrator_address, gpu_id)
TTL toDate(last_seen_ts) + INTERVAL 365 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'Newest advertisement of each GPU: one row per node and GPU. A node that advertises no GPU has a row with GPU \'\', so that a URL\'s newest event is known. Read `v_api_gpu_inventory_current`.';

CREATE TABLE IF NOT EXISTS dim_orchestrator_gpu_first_seen
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    orchestrator_url String COMMENT 'Service URI, verbatim; \'\' when unknown.' CODEC(ZSTD(1)),
    orchestrator_address String COMMENT 'Canonical wallet, lower case; \'\' when unknown.' CODEC(ZSTD(1)),
    gpu_id String COMMENT 'GPU uuid, trimmed and lower case.' CODEC(ZSTD(1)),
    first_seen_ts DateTime64(3, 'UTC') COMMENT 'Time of the advertisement, UTC, gateway clock.' CODEC(DoubleDelta, ZSTD(1)),
    version UInt64 COMMENT 'Falls with `first_seen_ts`; the greatest of a key is the row.' CODEC(T64, ZSTD(1)),
    ingestion_timestamp DateTime64(3, 'UTC') COMMENT 'When the row was made, UTC, node clock.' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY tuple()
ORDER BY (org, orchestrator_url, orchestrator_address, gpu_id)
TTL toDate(first_seen_ts) + INTERVAL 365 DAY DELETE
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 1000
COMMENT 'First advertisement of each GPU in the time that is kept: one row per node and GPU.';
