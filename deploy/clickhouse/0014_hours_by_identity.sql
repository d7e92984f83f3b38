-- Status hours have a row for each identity of a segment. Append-only: never edit, add a file.

ALTER TABLE fact_session_status_hours
    ADD COLUMN IF NOT EXISTS identity_index UInt16 COMMENT 'Which of the segment\'s identities within the hour, in the order of their first samples; 0 but where a wallet was reached at several URLs.' CODEC(T64, ZSTD(1)) AFTER segment_index,
    MODIFY ORDER BY (org, workflow_session_id, window_start, segment_index, identity_index);

ALTER TABLE fact_session_status_hours MODIFY COMMENT 'Status evidence of a session: one row per session, hour, segment and identity.';

ALTER TABLE fact_session_status_hours MODIFY COLUMN orchestrator_url String COMMENT 'Service URI of the orchestrator; \'\' when unknown.' CODEC(ZSTD(1));

ALTER TABLE fact_session_status_hours MODIFY COLUMN pipeline LowCardinality(String) COMMENT 'Workflow class such as `live-video-to-video`; \'\' when unknown, never equal to `model_id`.';

ALTER TABLE fact_session_status_hours MODIFY COLUMN model_id LowCardinality(String) COMMENT 'Model label as advertised; \'\' when unknown.';

ALTER TABLE fact_session_status_hours MODIFY COLUMN gpu_id String COMMENT 'GPU uuid; \'\' when unknown or several GPUs fit.' CODEC(ZSTD(1));

ALTER TABLE fact_session_status_hours MODIFY COLUMN attribution_source LowCardinality(String) COMMENT '`direct` (enters gold) or `mapped_window`.';
