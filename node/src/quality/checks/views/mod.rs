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
            .also(&["J1"]),
    },
    Check {
        id: "R2",
        title: "no served relation has a key twice",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT 'sla' AS view, org, window_start, orchestrator_address AS a, pipeline_id AS b, ifNull(model_id, '') AS c, \
             ifNull(gpu_id, '') AS d, ifNull(region, '') AS e, count() AS rows FROM v_api_sla_compliance GROUP BY ALL HAVING rows > 1 \
             UNION ALL SELECT 'sla 1d', org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), \
             ifNull(gpu_id, ''), ifNull(region, ''), count() AS rows FROM v_api_sla_compliance_1d GROUP BY ALL HAVING rows > 1 \
             UNION ALL SELECT 'by gpu', org, window_start, orchestrator_address, pipeline_id, ifNull(model_id, ''), \
             ifNull(gpu_id, ''), gateway || ifNull(region, ''), count() AS rows FROM v_api_network_demand_by_gpu GROUP BY ALL \
             HAVING rows > 1 UNION ALL SELECT 'pipeline', org, window_start, gateway, pipeline_id, '', '', ifNull(region, ''), \
             count() AS rows FROM v_api_network_demand_pipeline GROUP BY ALL HAVING rows > 1 \
             UNION ALL SELECT 'session', org, session_start_ts, workflow_session_id, '', '', '', '', count() AS rows \
             FROM v_api_session_identity GROUP BY ALL HAVING rows > 1",
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
        seed: Seed::NONE,
    },
    Check {
        id: "F4",
        title: "a finished hour is visible",
        relation: "v_api_network_demand",
        pack: Pack::Live,
        how: How::Figure(
            "F4",
            "SELECT org, dateDiff('minute', toStartOfHour(@now), @now) AS value, count() AS n FROM @all_sessions \
             WHERE session_start_ts >= toStartOfHour(@now) - INTERVAL 1 HOUR AND session_start_ts < toStartOfHour(@now) \
             AND (org, toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC')) NOT IN (SELECT org, window_start \
             FROM rollup_slices FINAL WHERE relation = 'agg_network_demand_1h') GROUP BY org",
        ),
        remedy: "see naap_rollup_lag_seconds and the log of the owner of shard 0",
        source: "quality.md 9 (F4)",
        seed: Seed::NONE,
    },
];
