//! Scenarios that a fixture run has to contain (quality.md 7). S6 and S7 are.

use super::super::{Check, How, Pack, Seed, Tier};

/// A scenario of which at least one session must be there: the answer is a row when none is.
macro_rules! present {
    ($condition:literal) => {
        concat!(
            "SELECT 0 AS sessions FROM (SELECT count() AS n FROM @sessions AS s LEFT JOIN (SELECT org, workflow_session_id, ",
            "avg(output_fps) AS fps FROM @all_status GROUP BY ALL) AS f USING (org, workflow_session_id) LEFT JOIN ",
            "(SELECT org, workflow_session_id, uniqExactIf(orchestrator_address, orchestrator_address != '') AS wallets FROM @segments ",
            "GROUP BY ALL) AS g USING (org, workflow_session_id) WHERE ", $condition, ") WHERE n = 0"
        )
    };
}

pub const CHECKS: &[Check] = &[
    Check {
        id: "Q-94",
        title: "S1: a session starts, runs above 12 frames per second, and is not swapped",
        relation: "fact_workflow_sessions",
        pack: Pack::Scenario,
        how: How::Rows(
            Tier::Fail,
            present!(
                "s.known_stream AND s.startup_success AND NOT s.startup_unexcused AND s.swap_count = 0 AND f.fps > 12 \
                 AND (s.org, s.orchestrator_address) IN (SELECT org, orchestrator_address FROM @all_snapshots) \
                 AND s.orchestrator_address != ''"
            ),
        ),
        remedy: "give a fixture with a clean session, or see why none is attributed",
        source: "quality.md 7",
        seed: Seed::drop(
            "fact_workflow_sessions",
            "known_stream AND startup_success AND swap_count = 0",
        )
        .also(&["Q-24", "Q-26", "Q-36b", "H1"]),
    },
    Check {
        id: "Q-95",
        title: "S2: no orchestrator is found and the stream is closed",
        relation: "fact_workflow_sessions",
        pack: Pack::Scenario,
        how: How::Rows(
            Tier::Fail,
            present!("NOT s.startup_success AND s.no_orchestrators AND s.is_closed"),
        ),
        remedy: "give a fixture with an exhausted selection",
        source: "quality.md 7",
        seed: Seed::drop("fact_workflow_sessions", "no_orchestrators").also(&["Q-26"]),
    },
    Check {
        id: "Q-96",
        title: "S3: a session starts and is swapped",
        relation: "fact_workflow_sessions",
        pack: Pack::Scenario,
        how: How::Rows(
            Tier::Fail,
            present!(
                "s.startup_success AND (s.confirmed_swap_count > 0 OR s.inferred_orchestrator_change_count > 0 OR g.wallets > 1)"
            ),
        ),
        remedy: "give a fixture with a swap",
        source: "quality.md 7",
        seed: Seed::drop(
            "fact_workflow_sessions",
            "confirmed_swap_count > 0 OR inferred_orchestrator_change_count > 0",
        )
        .also(&["Q-24", "Q-26", "Q-36b"]),
    },
    Check {
        id: "Q-97",
        title: "S4: a session starts and its parameters are updated",
        relation: "fact_workflow_param_updates",
        pack: Pack::Scenario,
        how: How::Rows(
            Tier::Fail,
            present!(
                "s.startup_success AND (s.org, s.workflow_session_id) IN (SELECT org, workflow_session_id FROM @all_updates)"
            ),
        ),
        remedy: "give a fixture with a parameter update",
        source: "quality.md 7 (Target: fails)",
        seed: Seed::drop("fact_workflow_param_updates", "1"),
    },
    Check {
        id: "Q-98",
        title: "S5: sessions outside of S1 to S4",
        relation: "fact_workflow_sessions",
        pack: Pack::Scenario,
        how: How::Rows(
            Tier::Info,
            present!(
                "NOT (s.known_stream AND s.startup_success AND s.swap_count = 0 AND ifNull(f.fps, 0) > 12) \
                 AND NOT s.no_orchestrators AND s.confirmed_swap_count = 0 AND s.inferred_orchestrator_change_count = 0 \
                 AND s.params_update_count = 0"
            ),
        ),
        remedy: "the fixture has no baseline",
        source: "quality.md 7",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-99",
        title: "S6: a session that fails within one hour stays visible",
        relation: "v_api_gpu_metrics",
        pack: Pack::Scenario,
        how: How::Elsewhere("Q-60, which has the same candidates"),
        remedy: "",
        source: "quality.md 7",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-100",
        title: "S7: the tail of a session is filtered",
        relation: "v_api_gpu_metrics",
        pack: Pack::Scenario,
        how: How::Elsewhere("Q-59, which has the same candidates"),
        remedy: "",
        source: "quality.md 7",
        seed: Seed::NONE,
    },
];
