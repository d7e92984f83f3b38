SELECT
    h.*,
    if(isNull(h.metadata_snapshot_ts), NULL,
        toUInt32(age('second', assumeNotNull(h.metadata_snapshot_ts), h.window_start + INTERVAL 1 HOUR)))
        AS metadata_age_seconds,
    60 * toFloat64(h.capacity) AS advertised_capacity_minutes
FROM v_gpu_hours AS h
