-- Sessions know the capacity of their first node. Append-only: never edit, add a file.

ALTER TABLE fact_workflow_sessions MODIFY COLUMN capacity_units_at_start Nullable(Int64) COMMENT 'Slots that the session\'s first assigned node advertised for the model, in the advertisement that is the evidence (`selected_snapshot_event_uid` of the first segment); NULL when it says none.' CODEC(T64, ZSTD(1));

ALTER TABLE fact_workflow_sessions MODIFY COLUMN capacity_snapshot_ts Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the advertisement of that capacity, UTC, gateway clock; NULL with it.' CODEC(DoubleDelta, ZSTD(1));
