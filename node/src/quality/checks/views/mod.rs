//! What the serving views promise by themselves (quality.md 6, tables.md 3.6): these are about all of them.

pub mod demand;
pub mod gpu;
pub mod sla;

use crate::quality::{Check, How, Pack, Seed, Tier};

/// The rows of a serving view in the window.
macro_rules! window {
    ($columns:literal, $view:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $view,
            " WHERE @org AND window_start >= @from AND window_start < @to AND (",
            $condition,
            ")"
        )
    };
}
use window;

const KEY_REMEDY: &str =
    "the view and its rollup disagree with their definition: run `naap schema check`";

pub const CHECKS: &[Check] = &[
    Check {
        id: "Q-64",
        title: "the public views exist",
        relation: "system.tables",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT arrayJoin(['v_api_gpu_metrics', 'v_api_network_demand', 'v_api_network_demand_by_gpu', \
             'v_api_sla_compliance', 'v_api_network_demand_pipeline', 'v_api_sla_compliance_1d', 'v_api_session_identity', \
             'v_api_jitter_5m', 'v_attribution_quality', 'v_session_orchestrator_lineage']) AS missing WHERE missing NOT IN \
             (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View')",
        ),
        remedy: "run `naap schema check`",
        source: "quality.md 6.2",
        seed: Seed::sql("v_api_jitter_5m", &["RENAME TABLE v_api_jitter_5m TO sound_view"])
            .also(&["J1", "R2"]),
    },
    Check {
        id: "R2",
        title: "no served relation has a key twice",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            // Of every view, by the key of its definition.
            "SELECT * FROM @served_twice",
        ),
        remedy: "two slices of one hour count as valid: look into rollup_slices",
        source: "quality.md 9 (R2)",
        seed: Seed::view(
            "v_api_network_demand_by_gpu",
            "SELECT * FROM {sound} UNION ALL (SELECT * FROM {sound} WHERE known_sessions_count = 0 ORDER BY window_start LIMIT 1)",
        ),
    },
    Check {
        id: "F3",
        title: "rollups follow the facts",
        relation: "rollup_slices",
        pack: Pack::Live,
        how: How::Figure(
            "F3",
            "SELECT f.org AS org, greatest(0, dateDiff('minute', r.newest, f.newest)) AS value, f.n AS n FROM (SELECT org, \
             max(ingestion_timestamp) AS newest, count() AS n FROM @all_status WHERE gateway_ts >= @now - INTERVAL 24 HOUR \
             GROUP BY org) AS f LEFT JOIN (SELECT org, max(refreshed_at) AS newest FROM rollup_slices FINAL GROUP BY org) AS r \
             USING (org)",
        ),
        remedy: "see naap_rollup_lag_seconds and the log of the owner of shard 0",
        source: "quality.md 9 (F3)",
        seed: Seed::sql(
            "rollup_slices",
            &[
                "ALTER TABLE rollup_slices UPDATE refreshed_at = refreshed_at - INTERVAL 1 DAY WHERE 1",
            ],
        ),
    },
    Check {
        id: "F4",
        title: "a finished hour is visible",
        relation: "v_api_network_demand",
        pack: Pack::Live,
        how: How::Figure(
            "F4",
            // The oldest of the last 24 hours that is missing: one that never comes gets worse, not well.
            "SELECT org, dateDiff('minute', min(hour) + INTERVAL 1 HOUR, @now) AS value, count() AS n FROM (SELECT org, \
             toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') AS hour FROM @all_sessions \
             WHERE session_start_ts >= toStartOfHour(@now) - INTERVAL 24 HOUR AND session_start_ts < toStartOfHour(@now)) \
             WHERE (org, hour) NOT IN (SELECT org, window_start FROM rollup_slices FINAL WHERE relation = 'agg_network_demand_1h' \
             AND @org AND window_start >= toStartOfHour(@now) - INTERVAL 24 HOUR) GROUP BY org",
        ),
        remedy: "see naap_rollup_lag_seconds and the log of the owner of shard 0",
        source: "quality.md 9 (F4)",
        // Not the last one.
        seed: Seed::drop(
            "rollup_slices",
            "window_start = toDateTime64('2026-01-01 00:00:00', 3, 'UTC')",
        ),
    },
];
