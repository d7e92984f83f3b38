//! Segments and swaps (backlog 010): a chain without gaps, and swaps that reconcile with it.

use super::super::{Check, How, Pack, Seed, Tier};

pub const CHECKS: &[Check] = &[
    Check {
        id: "N-15",
        title: "the segments of a session are a closed chain",
        relation: "fact_workflow_session_segments",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, segment_index, segment_start_ts, segment_end_ts, previous_orchestrator_address, \
             orchestrator_address, next_orchestrator_address FROM (SELECT *, \
             lagInFrame(orchestrator_address, 1, '') OVER w AS before, leadInFrame(orchestrator_address, 1, '') OVER w AS after, \
             leadInFrame(toNullable(segment_start_ts), 1, NULL) OVER w AS next_start, row_number() OVER w AS place \
             FROM @segments WINDOW w AS (PARTITION BY org, workflow_session_id ORDER BY segment_index \
             ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) \
             WHERE segment_index != place - 1 OR previous_orchestrator_address != before \
             OR next_orchestrator_address != after OR segment_start_ts > segment_end_ts \
             OR (next_start IS NOT NULL AND segment_end_ts IS DISTINCT FROM next_start)",
        ),
        remedy: "tell the session with `naap explain session`; rows may be under way: look again",
        source: "quality.md 8, lifecycle.md 5.3",
        seed: Seed::change(
            "fact_workflow_session_segments",
            "'0xnobody' AS next_orchestrator_address",
            "1",
        ),
    },
    Check {
        id: "N-16",
        title: "swaps reconcile with the session and its segments",
        relation: "fact_workflow_swaps",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, multiIf(explicit != confirmed_swap_count OR swap_count != confirmed_swap_count, \
             'explicit rows are not the confirmed swaps', rows != swap_row_count, 'rows are missing', \
             boundaries != greatest(segment_count, 1) - 1, 'a boundary has not one completed swap', \
             (inferred_orchestrator_change_count > 0) != (orchestrators > 1), 'inferred changes are not of the segments', \
             misfits > 0, 'previous and next do not fit the outcome', '') AS what, explicit, confirmed_swap_count, \
             boundaries, segment_count, inferred_orchestrator_change_count, orchestrators FROM @sessions AS s \
             LEFT JOIN (SELECT org, workflow_session_id, count() AS rows, countIf(swap_kind = 'explicit') AS explicit, \
             uniqExactIf(to_segment_index, outcome = 'completed' AND next_evidence = 'signal' \
             AND to_segment_index > 0 AND completed_ts = opened) AS boundaries, \
             countIf((outcome = 'completed' AND (previous_orchestrator_address = next_orchestrator_address \
             OR next_orchestrator_address = '')) OR (outcome = 'same_orchestrator_retry' \
             AND previous_orchestrator_address != next_orchestrator_address) \
             OR (outcome IN ('no_replacement', 'pending', 'unresolved') AND next_orchestrator_address != '')) AS misfits \
             FROM @swaps AS w LEFT JOIN (SELECT org, workflow_session_id, toNullable(segment_index) AS to_segment_index, \
             segment_start_ts AS opened FROM @segments) AS g USING (org, workflow_session_id, to_segment_index) \
             GROUP BY org, workflow_session_id) AS own USING (org, workflow_session_id) \
             LEFT JOIN (SELECT org, workflow_session_id, \
             uniqExactIf(orchestrator_address, orchestrator_address != '') AS orchestrators FROM @segments \
             GROUP BY org, workflow_session_id) AS parts USING (org, workflow_session_id) WHERE what != ''",
        ),
        remedy: "see DataQualityDefects; tell the session with `naap explain session --all`",
        source: "quality.md 8, lifecycle.md 6.1, clarifications.md 5 and 6",
        seed: Seed::change(
            "fact_workflow_swaps",
            "previous_orchestrator_address AS next_orchestrator_address",
            "outcome = 'completed' AND previous_orchestrator_address != ''",
        ),
    },
    Check {
        id: "N-16b",
        title: "swaps follow each other: who was left is who took over before",
        relation: "fact_workflow_swaps",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Warn,
            "SELECT org, workflow_session_id, swap_index, before, previous_orchestrator_address FROM (SELECT *, \
             lagInFrame(next_orchestrator_address, 1, '') OVER w AS before, \
             lagInFrame(outcome, 1, '') OVER w AS before_outcome FROM @swaps WINDOW w AS \
             (PARTITION BY org, workflow_session_id ORDER BY swap_index ROWS BETWEEN UNBOUNDED PRECEDING \
             AND UNBOUNDED FOLLOWING)) WHERE outcome = 'completed' AND before_outcome = 'completed' \
             AND before != previous_orchestrator_address \
             UNION ALL SELECT org, workflow_session_id, swap_index, orchestrator_address, previous_orchestrator_address \
             FROM @swaps AS w INNER JOIN (SELECT org, workflow_session_id, orchestrator_address FROM @segments \
             WHERE segment_index = 0 AND orchestrator_address != '') AS g USING (org, workflow_session_id) \
             WHERE swap_index = 0 AND previous_orchestrator_address NOT IN ('', orchestrator_address)",
        ),
        remedy: "the gateway's swap traces contradict its signals: see DataQualityDefects",
        source: "lifecycle.md 6.1 validations 2 and 6",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-89",
        title: "a session with a confirmed swap has several segments",
        relation: "fact_workflow_session_segments",
        pack: Pack::Diagnostic,
        how: How::Rows(
            Tier::Info,
            "SELECT org, workflow_session_id, confirmed_swap_count, segment_count FROM @sessions \
             WHERE confirmed_swap_count > 0 AND segment_count = 1",
        ),
        remedy: "not a fault: the swap came back to the same orchestrator, or nobody took over",
        source: "quality.md 6.3",
        seed: Seed::NONE,
    },
];
