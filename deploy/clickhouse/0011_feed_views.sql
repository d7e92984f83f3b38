-- Views around the feeds, written by hand and edited in place: views only, so applied again when changed.

CREATE OR REPLACE VIEW v_session_capacity_at_start
AS SELECT
    s.org AS org, s.workflow_session_id AS workflow_session_id,
    max(c.capacity) AS capacity_units_at_start, max(c.snapshot_ts) AS capacity_snapshot_ts
FROM (
    SELECT org, workflow_session_id,
        argMin((selected_snapshot_event_uid, orchestrator_address, orchestrator_url, model_id), segment_index) AS chosen
    FROM fact_workflow_session_segments FINAL
    WHERE selected_snapshot_event_uid != ''
    GROUP BY org, workflow_session_id
) AS s
INNER JOIN (
    SELECT org, source_event_uid, orchestrator_address, orchestrator_url, model_id, capacity, snapshot_ts
    FROM dim_orchestrator_capability_model_constraints FINAL
    WHERE isNotNull(capacity)
) AS c ON c.org = s.org AND c.source_event_uid = s.chosen.1 AND c.orchestrator_address = s.chosen.2
WHERE lower(trimRight(c.orchestrator_url, '/')) = lower(trimRight(s.chosen.3, '/')) AND lower(c.model_id) = lower(s.chosen.4)
GROUP BY org, workflow_session_id
COMMENT 'Advertised capacity of the node and model that a session was assigned to first: one row per session where it is known.';
