//! Published figures against a second computation from latest facts (quality.md 5).

use super::super::{Check, How, Pack, Seed, Tier};

/// The key of `v_api_gpu_metrics` and `v_api_sla_compliance`, and of the evidence.
macro_rules! identity {
    () => {
        "org, hour, orchestrator_address, pipeline_id, model, gpu, area"
    };
}

/// The rows of a view under the key of the evidence.
macro_rules! of_view {
    ($columns:literal, $view:literal) => {
        concat!(
            "(SELECT ", "org, window_start AS hour, orchestrator_address, pipeline_id, ifNull(model_id, '') AS model, ",
            "ifNull(gpu_id, '') AS gpu, ifNull(region, '') AS area, ", $columns, " FROM ", $view,
            " WHERE @org AND window_start >= @from AND window_start < @to)"
        )
    };
}

/// The evidence under the key of the views.
macro_rules! of_evidence {
    ($columns:literal, $condition:literal) => {
        concat!(
            "(SELECT org, hour, orchestrator_address, pipeline AS pipeline_id, model_id AS model, gpu_id AS gpu, ",
            "region AS area, ", $columns, " FROM @evidence WHERE NOT tail AND ", $condition, " GROUP BY ALL)"
        )
    };
}

pub const CHECKS: &[Check] = &[
    Check {
        id: "Q-40",
        title: "status hours are the sums of their status samples",
        relation: "fact_session_status_hours",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, hour, workflow_session_id, orchestrator_address, pipeline, model_id, gpu_id, \
             sum(a) AS samples, sum(a2) AS samples_in_hours, sum(b) AS positive, sum(b2) AS positive_in_hours, sum(c) AS running, \
             sum(c2) AS running_in_hours, round(sum(d), 3) AS fps, round(sum(d2), 3) AS fps_in_hours FROM (SELECT org, hour, \
             workflow_session_id, orchestrator_address, pipeline, model_id, gpu_id, region, samples AS a, 0 AS a2, positive AS b, \
             0 AS b2, running AS c, 0 AS c2, fps AS d, 0 AS d2 FROM @groups WHERE hour >= @from \
             UNION ALL SELECT org, window_start, workflow_session_id, orchestrator_address, pipeline, model_id, gpu_id, region, \
             0, status_samples, 0, fps_positive_samples, 0, running_state_samples, 0, output_fps_sum / 1e6 FROM @hours \
             WHERE attribution_source IN @gold) GROUP BY ALL HAVING samples != samples_in_hours \
             OR positive != positive_in_hours OR running != running_in_hours \
             OR abs(sum(d) - sum(d2)) > 1e-6 * greatest(1, sum(d)) * samples",
        ),
        remedy: "rows may be under way: look again; else tell the session with `naap explain session`",
        source: "quality.md 5; the per-minute rollup of the contract is the status hours of decisions.md",
        seed: Seed::change(
            "fact_session_status_hours",
            "status_samples + 1 AS status_samples",
            "attribution_source = 'direct'",
        ),
    },
    Check {
        id: "Q-40b",
        title: "frames in five minutes are the sums of their status samples",
        relation: "agg_output_fps_5m",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, at, orchestrator_address, pipeline_id, model, gpu, area, sum(a) AS samples, sum(b) AS published, \
             sum(c) AS fps, sum(d) AS published_fps FROM (SELECT org, toDateTime64(toStartOfFiveMinutes(gateway_ts), 3, 'UTC') AS at, \
             orchestrator_address, pipeline AS pipeline_id, model_id AS model, gpu_id AS gpu, region AS area, 1 AS a, 0 AS b, \
             toFloat64(output_fps) AS c, 0 AS d FROM @status WHERE is_attributed AND attribution_source IN @gold \
             AND orchestrator_address != '' UNION ALL SELECT org, window_start_5m, orchestrator_address, pipeline_id, model_id, \
             gpu_id, region, 0, status_samples, 0, output_fps_sum / 1e6 FROM v_agg_output_fps_5m WHERE @org \
             AND window_start >= @from AND window_start < @to) GROUP BY ALL HAVING samples != published \
             OR abs(fps - published_fps) > 1e-6 * greatest(1, fps) * samples",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 5",
        seed: Seed::change("agg_output_fps_5m", "status_samples + 1 AS status_samples", "1"),
    },
    Check {
        id: "Q-40c",
        title: "startups and attributions of an hour are those of its sessions",
        relation: "agg_startup_1h",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT what, org, hour, key, sum(a) AS sessions, sum(b) AS published FROM (SELECT 'startup' AS what, org, \
             toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') AS hour, concatWithSeparator('|', gateway, orchestrator_address, \
             pipeline, model_id, region) AS key, 1 + 1000 * startup_success + 1000000 * startup_unexcused AS a, 0 AS b FROM @sessions \
             WHERE known_stream UNION ALL SELECT 'startup', org, window_start, concatWithSeparator('|', gateway, \
             orchestrator_address, pipeline_id, model_id, region), 0, known_sessions_count + 1000 * startup_success_sessions \
             + 1000000 * startup_unexcused_sessions FROM v_agg_startup_1h WHERE @org AND window_start >= @from AND window_start < @to \
             UNION ALL SELECT 'attribution', org, toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC'), \
             concatWithSeparator('|', attribution_status, attribution_source, attribution_reason), 1, 0 FROM @sessions \
             WHERE known_stream AND selection_count > 0 UNION ALL SELECT 'attribution', org, window_start, \
             concatWithSeparator('|', attribution_status, attribution_source, attribution_reason), 0, sessions_count \
             FROM v_agg_attribution_1h WHERE @org AND window_start >= @from AND window_start < @to) GROUP BY ALL \
             HAVING sessions != published",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 5, backlog 023",
        seed: Seed::change("agg_startup_1h", "known_sessions_count + 1 AS known_sessions_count", "1"),
    },
    Check {
        id: "R1",
        title: "every published figure is the one that was computed",
        relation: "rollup_slices",
        pack: Pack::Core,
        how: How::Published(Tier::Fail),
        remedy: "the rows were changed behind the rollup actor, which computes the hour again when a fact of it changes",
        source: "quality.md 9 (R1), backlog 005 (d)",
        // No other check looks at labels.
        seed: Seed::change(
            "agg_orchestrator_1h",
            "'RTX 9999' AS gpu_model_name",
            "gpu_model_name != ''",
        ),
    },
    Check {
        id: "Q-41",
        title: "a key is once in the GPU view and once in its rollup",
        relation: "v_api_gpu_metrics",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            concat!(
                "SELECT 'v_api_gpu_metrics' AS relation, ", identity!(), ", count() AS rows FROM ",
                of_view!("1 AS one", "v_api_gpu_metrics"), " GROUP BY ", identity!(), " HAVING rows > 1 UNION ALL ",
                "SELECT 'v_agg_orchestrator_1h', org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region, ",
                "count() FROM v_agg_orchestrator_1h WHERE @org AND window_start >= @from AND window_start < @to GROUP BY ALL ",
                "HAVING count() > 1"
            ),
        ),
        remedy: "two slices of one hour count as valid: look into rollup_slices",
        source: "quality.md 5 and 9 (R2)",
        seed: Seed::view(
            "v_api_gpu_metrics",
            "SELECT * FROM {sound} UNION ALL (SELECT * FROM {sound} ORDER BY window_start, gpu_id LIMIT 1)",
        ).also(&["Q-44", "N-13", "R2"]),
    },
    Check {
        id: "Q-42",
        title: "the keys of demand are those of samples, sessions and payments",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, hour, gateway, area, pipeline_id, model, max(side) AS published, min(side) = 0 AS expected FROM ( \
             SELECT DISTINCT org, hour, gateway, region AS area, pipeline_id, model_id AS model, 0 AS side FROM @demand \
             UNION ALL SELECT org, window_start, gateway, ifNull(region, ''), pipeline_id, ifNull(model_id, ''), 1 \
             FROM v_api_network_demand WHERE @org AND window_start >= @from AND window_start < @to) GROUP BY ALL \
             HAVING published = 0 OR expected = 0",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 5",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * FROM {sound} WHERE known_sessions_count = 0 OR gateway != (SELECT min(gateway) FROM {sound} WHERE gateway != '')",
        ).also(&["Q-45", "Q-48"]),
    },
    Check {
        id: "Q-43",
        title: "the keys of SLA are those with evidence that is no terminal tail",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            concat!(
                "SELECT ", identity!(), ", max(side) AS published, min(side) = 0 AS expected FROM (SELECT * FROM ",
                of_evidence!("0 AS side", "1"), " UNION ALL SELECT * FROM ", of_view!("1 AS side", "v_api_sla_compliance"),
                ") GROUP BY ", identity!(), " HAVING published = 0 OR expected = 0"
            ),
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 5, backlog 003",
        seed: Seed::view(
            "v_api_sla_compliance",
            "SELECT * FROM {sound} WHERE orchestrator_address != (SELECT min(orchestrator_address) FROM {sound})",
        ).also(&["Q-47", "N-10"]),
    },
    Check {
        id: "Q-44",
        title: "the GPU view has the samples and the mean of the facts, of every key with a GPU",
        relation: "v_api_gpu_metrics",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            concat!(
                "SELECT ", identity!(), ", sum(a) AS samples, sum(a2) AS published, sum(b) / samples AS mean, sum(b2) AS published_mean ",
                "FROM (SELECT * FROM ",
                of_evidence!(
                    "sum(samples) AS a, 0 AS a2, sum(fps) AS b, toFloat64(0) AS b2",
                    "gpu_id != '' AND (pipeline != '' OR model_id != '')"
                ),
                " UNION ALL SELECT * FROM ",
                of_view!(
                    "0 AS a, status_samples AS a2, toFloat64(0) AS b, ifNull(avg_output_fps, 0) AS b2",
                    "v_api_gpu_metrics"
                ),
                ") GROUP BY ", identity!(), " HAVING samples != published OR abs(mean - published_mean) > 1e-6 * greatest(1, mean)"
            ),
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 5",
        seed: Seed::view(
            "v_api_gpu_metrics",
            "SELECT * REPLACE(avg_output_fps + 1 AS avg_output_fps) FROM {sound}",
        )
        .also(&["N-13"]),
    },
    Check {
        id: "Q-45",
        title: "demand has the figures of samples and sessions",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, hour, gateway, area, pipeline_id, model, e.1 AS expected, p.1 AS published FROM ( \
             SELECT org, hour, gateway, area, pipeline_id, model, anyIf(figures, side = 0) AS e, anyIf(figures, side = 1) AS p FROM ( \
             SELECT org, hour, gateway, region AS area, pipeline_id, model_id AS model, 0 AS side, tuple(arrayConcat( \
             [toFloat64(uniqExactIf(seen, seen != '')), toFloat64(sum(samples)), sum(ms) / 60000, \
             if(sum(samples) = 0, 0, sum(fps) / sum(samples))], arrayMap(n -> toFloat64(n), \
             arraySlice(arrayResize(sumForEach(counts), 12, 0), 1, 12)))) AS figures FROM @demand GROUP BY ALL \
             UNION ALL SELECT org, window_start, gateway, ifNull(region, ''), pipeline_id, ifNull(model_id, ''), 1, \
             tuple(arrayMap(n -> toFloat64(n), [toFloat64(sessions_count), toFloat64(status_samples), total_minutes, \
             ifNull(avg_output_fps, 0), toFloat64(known_sessions_count), toFloat64(served_sessions), toFloat64(unserved_sessions), \
             toFloat64(startup_unexcused_sessions), toFloat64(total_swapped_sessions), toFloat64(effective_failed_sessions), \
             toFloat64(health_signal_count), toFloat64(health_expected_signal_count), toFloat64(sessions_ending_in_error), \
             toFloat64(loading_only_sessions), toFloat64(zero_output_fps_sessions), toFloat64(error_status_samples)])) \
             FROM v_api_network_demand WHERE @org AND window_start >= @from AND window_start < @to) \
             GROUP BY org, hour, gateway, area, pipeline_id, model) WHERE length(e.1) != length(p.1) \
             OR arrayExists((a, b) -> abs(a - b) > 1e-6 * greatest(1, abs(a), abs(b)), arrayResize(e.1, 16, 0), arrayResize(p.1, 16, 0))",
        ),
        remedy: "figures are sessions, samples, minutes, mean frames, known, served, unserved, unexcused, swapped, failed, \
                 signals, expected, last error, loading only, no output, error samples: find the one that differs",
        source: "quality.md 5",
        seed: Seed::change(
            "agg_network_demand_1h",
            "served_sessions + 1 AS served_sessions",
            "grain = 'model' AND known_sessions_count > 0",
        ).also(&["Q-77"]),
    },
    Check {
        id: "Q-46",
        title: "demand by GPU has the keys and the sessions of the facts",
        relation: "v_api_network_demand_by_gpu",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, hour, gateway, orchestrator, area, pipeline_id, model, gpu, max(side) = 1 AS expected, min(side) = -1 AS published, \
             sumForEach(arrayMap(n -> toInt64(n) * side, figures)) AS differences FROM (SELECT org, hour, gateway, \
             orchestrator_address AS orchestrator, region AS area, pipeline_id, model_id AS model, if(gpu_id = '', \
             argMaxIf(gpu_id, started, gpu_id != '' AND is_session) OVER (PARTITION BY org, hour, gateway, orchestrator_address, region, \
             pipeline_id, model_id), gpu_id) AS gpu, 1 AS side, arrayMap(n -> counts[n], [1, 4, 5, 13, 9, 10, 11, 12, 7, 8]) AS figures \
             FROM @demand UNION ALL SELECT org, window_start, gateway, orchestrator_address, ifNull(region, ''), pipeline_id, \
             ifNull(model_id, ''), ifNull(gpu_id, ''), -1, [known_sessions_count, startup_unexcused_sessions, total_swapped_sessions, \
             sessions_with_errors, sessions_ending_in_error, loading_only_sessions, zero_output_fps_sessions, error_status_samples, \
             health_signal_count, health_expected_signal_count] FROM v_api_network_demand_by_gpu WHERE @org AND window_start >= @from \
             AND window_start < @to) GROUP BY org, hour, gateway, orchestrator, area, pipeline_id, model, gpu \
             HAVING NOT expected OR NOT published OR arrayExists(d -> d != 0, differences)",
        ),
        remedy: "differences are of known, unexcused, swapped, with errors, last error, loading only, no output, error samples, \
                 signals, expected: find the one that differs; without any, the key is on one side only",
        source: "quality.md 5 and 6.2 (Q-75)",
        seed: Seed::change(
            "agg_network_demand_1h",
            "known_sessions_count + 1 AS known_sessions_count, unserved_sessions + 1 AS unserved_sessions",
            "grain = 'gpu'",
        ),
    },
    Check {
        id: "Q-47",
        title: "SLA has the counters of its sessions, each once",
        relation: "v_api_sla_compliance",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            concat!(
                "SELECT ", identity!(), ", anyIf(figures, side = 0) AS expected, anyIf(figures, side = 1) AS published ",
                "FROM (SELECT * FROM ",
                of_evidence!(
                    "0 AS side, [toUInt64(countIf(known)), countIf(known AND unexcused), countIf(known AND swapped), \
                     countIf(known AND last_error), countIf(known AND loading_only), countIf(known AND zero_fps), \
                     sumIf(error_samples, known), sumIf(observed, known), sumIf(expected, known), countIf(known AND success), \
                     countIf(known AND (unexcused OR loading_only OR zero_fps)), sum(samples)] AS figures",
                    "1"
                ),
                " UNION ALL SELECT * FROM ",
                of_view!(
                    "1 AS side, [known_sessions_count, startup_unexcused_sessions, total_swapped_sessions, \
                     sessions_ending_in_error, loading_only_sessions, zero_output_fps_sessions, error_status_samples, \
                     health_signal_count, health_expected_signal_count, startup_success_sessions, effective_failed_sessions, \
                     status_samples] AS figures",
                    "v_api_sla_compliance"
                ),
                ") GROUP BY ", identity!(), " HAVING expected != published"
            ),
        ),
        remedy: "figures are known, unexcused, swapped, last error, loading only, no output, error samples, signals, expected, \
                 playable, failed, samples: find the one that differs",
        source: "quality.md 5 and 6.2 (Q-85), backlog 003",
        seed: Seed::change(
            "agg_orchestrator_1h",
            "startup_unexcused_sessions + 1 AS startup_unexcused_sessions",
            "known_sessions_count > startup_unexcused_sessions + total_swapped_sessions + startup_success_sessions + 1 \
             OR effective_failed_sessions > startup_unexcused_sessions",
        ).also(&["N-30b"]),
    },
    Check {
        id: "Q-48",
        title: "collapsing models conserves minutes",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, hour, gateway, area, pipeline_id, sum(m) AS minutes, sum(p) AS published FROM (SELECT org, \
             window_start AS hour, gateway, ifNull(region, '') AS area, pipeline_id, total_minutes AS m, 0 AS p \
             FROM v_api_network_demand WHERE @org AND window_start >= @from AND window_start < @to \
             UNION ALL SELECT org, window_start, gateway, ifNull(region, ''), pipeline_id, 0, total_minutes \
             FROM v_api_network_demand_pipeline WHERE @org AND window_start >= @from AND window_start < @to) GROUP BY ALL \
             HAVING abs(minutes - published) > 1e-6 * greatest(1, minutes)",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 5, backlog 013",
        seed: Seed::change(
            "agg_network_demand_1h",
            "active_ms + 60000 AS active_ms",
            "grain = 'pipeline' AND active_ms > 0",
        )
        .also(&["N-14"]),
    },
    Check {
        id: "Q-49",
        title: "a key of demand is once",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, window_start, gateway, region, pipeline_id, model_id, count() AS rows FROM v_api_network_demand \
             WHERE @org AND window_start >= @from AND window_start < @to GROUP BY ALL HAVING rows > 1",
        ),
        remedy: "two slices of one hour count as valid: look into rollup_slices",
        source: "quality.md 5",
        seed: Seed::view(
            "v_api_network_demand",
            "SELECT * FROM {sound} UNION ALL (SELECT * FROM {sound} WHERE total_minutes = 0 ORDER BY window_start LIMIT 1)",
        ).also(&["R2"]),
    },
    Check {
        id: "Q-50",
        title: "sessions counted by pipeline are not multiplied by a join without the model",
        relation: "v_api_network_demand",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Warn,
            "SELECT org, naive / safe AS factor FROM (SELECT m.org AS org, sum(p.known_sessions_count) AS naive FROM v_api_network_demand \
             AS m INNER JOIN v_api_network_demand_pipeline AS p ON p.org = m.org AND p.window_start = m.window_start \
             AND p.gateway = m.gateway AND p.region = m.region AND p.pipeline_id = m.pipeline_id WHERE m.window_start >= @from \
             AND m.window_start < @to GROUP BY m.org) AS n INNER JOIN (SELECT org, sum(known_sessions_count) AS safe \
             FROM v_api_network_demand_pipeline WHERE @org AND window_start >= @from AND window_start < @to GROUP BY org) AS s \
             USING (org) WHERE safe > 0 AND factor > 1 + 1e-6",
        ),
        remedy: "not a fault of the data: join demand with its model, or collapse it first",
        source: "quality.md 5, backlog 009",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-52",
        title: "demand has no more rows than GPU metrics and SLA",
        relation: "v_api_network_demand",
        pack: Pack::Diagnostic,
        how: How::Rows(
            Tier::Info,
            "SELECT (SELECT count() FROM v_api_network_demand WHERE @org AND window_start >= @from AND window_start < @to) AS demand, \
             (SELECT count() FROM v_api_gpu_metrics WHERE @org AND window_start >= @from AND window_start < @to) AS gpu, \
             (SELECT count() FROM v_api_sla_compliance WHERE @org AND window_start >= @from AND window_start < @to) AS sla \
             WHERE demand > greatest(gpu, sla)",
        ),
        remedy: "normal where much demand is not served",
        source: "quality.md 5",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-51",
        title: "SLA collapsed to pipelines has the samples of the facts",
        relation: "v_api_sla_compliance",
        pack: Pack::Diagnostic,
        how: How::Rows(
            Tier::Warn,
            "SELECT org, hour, orchestrator_address, pipeline_id, sum(a) AS samples, sum(b) AS published FROM (SELECT org, hour, \
             orchestrator_address, pipeline AS pipeline_id, samples AS a, 0 AS b FROM @evidence WHERE NOT tail UNION ALL \
             SELECT org, window_start, orchestrator_address, pipeline_id, 0, status_samples FROM v_api_sla_compliance \
             WHERE @org AND window_start >= @from AND window_start < @to) GROUP BY ALL HAVING samples != published",
        ),
        remedy: "see Q-43 and Q-47",
        source: "quality.md 5",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-88",
        title: "hours with status facts have slices",
        relation: "rollup_slices",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, hour, count() AS samples FROM (SELECT org, toDateTime64(toStartOfHour(gateway_ts), 3, 'UTC') AS hour \
             FROM @status WHERE is_attributed) WHERE (org, hour) NOT IN (SELECT org, window_start FROM rollup_slices FINAL \
             WHERE relation = 'agg_network_demand_1h') GROUP BY ALL",
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 6.3",
        seed: Seed::drop(
            "rollup_slices",
            "relation = 'agg_network_demand_1h' AND window_start = (SELECT min(window_start) FROM rollup_slices \
             WHERE relation = 'agg_network_demand_1h')",
        ).also(&["Q-42", "Q-45", "Q-46", "Q-55", "N-14"]),
    },
];
