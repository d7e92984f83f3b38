-- A slice of a day settles after the day, not after its first hour; three columns say what they hold. Append-only: never
-- edit, add a file.

ALTER TABLE rollup_slices MODIFY COLUMN window_state String ALIAS multiIf(now64(3) < window_start + toIntervalMinute(if(endsWith(relation, '_1d'), 1450, 70)), 'provisional', now64(3) < greatest(window_start + toIntervalHour(if(endsWith(relation, '_1d'), 72, 49)), open_until), 'settled', 'final') COMMENT '`provisional` until 10 min after the slice, `settled` until 48 h after it and until `open_until`, then `final` (backlog 003), by the store\'s clock.';

ALTER TABLE agg_orchestrator_1h MODIFY COLUMN active_ms UInt64 COMMENT 'Active time, ms: from each sample to the session\'s next one, at most 30 s and not beyond the hour.' CODEC(T64, ZSTD(1));

ALTER TABLE agg_network_demand_1h MODIFY COLUMN active_ms UInt64 COMMENT 'Active time, ms: from each sample to the session\'s next one, at most 30 s and not beyond the hour.' CODEC(T64, ZSTD(1));

ALTER TABLE fact_session_status_hours MODIFY COLUMN identity_index UInt16 COMMENT 'Which of the segment\'s identities within the hour, in the order of their first samples; 0 but where its selections come to several URLs, models or GPUs of the wallet.' CODEC(T64, ZSTD(1));
