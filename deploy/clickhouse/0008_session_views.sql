-- Views of sessions, written by hand and edited in place: views only, so applied again when changed.

CREATE OR REPLACE VIEW v_session_orchestrator_lineage
(
    org LowCardinality(String) COMMENT 'Organisation, from the source topic.',
    workflow_session_id String COMMENT 'Canonical session key.',
    swap_index UInt16 COMMENT 'Position of the swap in its session, from 0.',
    gateway LowCardinality(String) COMMENT 'First gateway of the session; \'\' when unknown.',
    swap_kind LowCardinality(String) COMMENT '`explicit` (swap trace) or `inferred` (segment boundary without one).',
    from_orchestrator_address String COMMENT 'Canonical wallet that was left; \'\' when not resolved.',
    to_orchestrator_address String COMMENT 'Canonical wallet that took over; \'\' when none or not resolved.',
    swap_ts DateTime64(3, 'UTC') COMMENT 'Time of the swap, UTC, gateway clock.',
    gap_ms Nullable(Int64) COMMENT 'From the swap to the evidence of who took over, ms; NULL without one.',
    outcome LowCardinality(String) COMMENT '`completed`, `same_orchestrator_retry`, `no_replacement`, `pending` or `unresolved`.',
    orchestrator_path Array(String) COMMENT 'Canonical wallets of the session\'s segments in order; segments without one are left out.'
)
AS SELECT
    swaps.org AS org,
    swaps.workflow_session_id AS workflow_session_id,
    swaps.swap_index AS swap_index,
    sessions.gateway AS gateway,
    swaps.swap_kind AS swap_kind,
    swaps.previous_orchestrator_address AS from_orchestrator_address,
    swaps.next_orchestrator_address AS to_orchestrator_address,
    swaps.swap_ts AS swap_ts,
    swaps.gap_ms AS gap_ms,
    swaps.outcome AS outcome,
    paths.orchestrator_path AS orchestrator_path
FROM (SELECT * FROM fact_workflow_swaps FINAL) AS swaps
INNER JOIN (
    SELECT org, workflow_session_id, gateway, segment_count, swap_row_count
    FROM fact_workflow_sessions FINAL
    WHERE swap_row_count > 0
) AS sessions ON sessions.org = swaps.org AND sessions.workflow_session_id = swaps.workflow_session_id
LEFT JOIN (
    SELECT
        segments.org AS org,
        segments.workflow_session_id AS workflow_session_id,
        arrayMap(
            segment -> segment.2,
            arraySort(groupArray((segments.segment_index, segments.orchestrator_address)))
        ) AS orchestrator_path
    FROM (
        SELECT org, workflow_session_id, segment_index, orchestrator_address
        FROM fact_workflow_session_segments FINAL
        WHERE orchestrator_address != ''
    ) AS segments
    INNER JOIN (
        SELECT org, workflow_session_id, segment_count
        FROM fact_workflow_sessions FINAL
        WHERE swap_row_count > 0
    ) AS valid ON valid.org = segments.org AND valid.workflow_session_id = segments.workflow_session_id
    WHERE segments.segment_index < valid.segment_count
    GROUP BY segments.org, segments.workflow_session_id
) AS paths ON paths.org = swaps.org AND paths.workflow_session_id = swaps.workflow_session_id
WHERE swaps.swap_index < sessions.swap_row_count
COMMENT 'Who was left and who took over: one row per swap of a session.';
