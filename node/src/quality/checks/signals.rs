//! Clocks, lateness, latency and edge coverage (backlog 002 and 004).

use super::super::{Check, How, Pack, Seed, Tier};

pub const CHECKS: &[Check] = &[
    Check {
        id: "N-02",
        title: "few closed sessions lack an edge",
        relation: "fact_workflow_session_coverage",
        pack: Pack::Core,
        how: How::Figure(
            "U1",
            "SELECT org, count() AS n, countIf(c.unmatched_reason != '') / n AS value, \
             topKIf(3)(c.unmatched_reason, c.unmatched_reason != '') AS reasons FROM @coverage AS c \
             INNER JOIN @sessions AS s USING (org, workflow_session_id) \
             WHERE s.known_stream AND s.is_closed AND NOT s.startup_excused GROUP BY org",
        ),
        remedy: "which edge and which gateway? group fact_workflow_session_coverage by unmatched_reason and gateway",
        source: "quality.md 9 (U1), backlog 004 and 005",
        seed: Seed::sql(
            "fact_workflow_session_coverage",
            &["INSERT INTO fact_workflow_session_coverage SELECT * REPLACE('missing_playable_edge' AS unmatched_reason, \
               version + 1 AS version) FROM fact_workflow_session_coverage FINAL"],
        )
        .also(&["N-02b"]),
    },
    Check {
        id: "N-02b",
        title: "the coverage row of a session follows from the session",
        relation: "fact_workflow_session_coverage",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, c.unmatched_reason AS stored, multiIf(NOT s.known_stream, \
             'missing_stream_request_edge', s.is_closed AND s.first_processed_ts IS NULL, \
             'missing_first_processed_segment_edge', s.is_closed AND s.first_playable_ts IS NULL, 'missing_playable_edge', \
             s.first_processed_ts IS NULL, 'awaiting_first_processed_segment_edge', s.first_playable_ts IS NULL, \
             'awaiting_playable_edge', '') AS expected FROM @sessions AS s LEFT JOIN (SELECT org, workflow_session_id, \
             unmatched_reason, 1 AS there FROM @coverage_of_sessions) AS c USING (org, workflow_session_id) \
             WHERE stored != expected OR NOT there",
        ),
        remedy: "rows may be under way: look again; else tell the session with `naap explain session`",
        source: "lifecycle.md 10, quality.md 0.4",
        seed: Seed::drop(
            "fact_workflow_session_coverage",
            "workflow_session_id = (SELECT min(workflow_session_id) FROM fact_workflow_session_coverage)",
        ),
    },
    Check {
        id: "N-03",
        title: "no session waits for an edge for more than 15 min",
        relation: "fact_workflow_session_coverage",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Warn,
            "SELECT org, workflow_session_id, unmatched_reason, session_end_ts FROM @coverage WHERE NOT is_terminal \
             AND startsWith(unmatched_reason, 'awaiting_') AND session_end_ts < @now - INTERVAL 15 MINUTE",
        ),
        remedy: "the gateway lost the edge or the close: see U2 and the gateway of these sessions",
        source: "quality.md 8, backlog 004",
        seed: Seed::NONE,
    },
    Check {
        id: "U2",
        title: "sessions are closed",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Figure(
            "U2",
            "SELECT org, count() AS n, countIf(NOT is_closed) / n AS value FROM @sessions \
             WHERE session_end_ts < @now - INTERVAL 30 MINUTE GROUP BY org",
        ),
        remedy: "gateways stop without a close trace: group the open sessions by gateway",
        source: "quality.md 9 (U2)",
        seed: Seed::sql(
            "fact_workflow_sessions",
            // Only sessions whose coverage is the same open and closed.
            &["INSERT INTO fact_workflow_sessions SELECT * REPLACE(0 AS is_closed, NULL AS closed_ts, version + 1 AS version) \
               FROM (SELECT * FROM fact_workflow_sessions FINAL WHERE NOT known_stream \
               OR (first_processed_ts IS NOT NULL AND first_playable_ts IS NOT NULL))"],
        ),
    },
    Check {
        id: "N-05",
        title: "a latency is a value or has a reason; it is never negative nor clamped",
        relation: "fact_workflow_latency_samples",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, edge_semantics_version, kpi, ms, reason FROM (SELECT org, workflow_session_id, \
             edge_semantics_version, arrayJoin([('prompt_to_first_frame', prompt_to_first_frame_ms, \
             prompt_to_first_frame_null_reason, has_prompt_to_first_frame), ('startup', startup_time_ms, startup_time_null_reason, \
             has_startup_time), ('e2e', e2e_latency_ms, e2e_latency_null_reason, has_e2e_latency)]) AS one, one.1 AS kpi, \
             one.2 AS ms, one.3 AS reason, one.4 AS has FROM @latency) WHERE ms < 0 OR (ms IS NULL) != (reason != '') \
             OR has = (ms IS NULL) OR reason NOT IN ('', 'missing_start_edge', 'missing_end_edge', 'negative_interval', \
             'cross_clock_skew')",
        ),
        remedy: "a defect of the latency fold: keep `naap explain session --all` and report it",
        source: "quality.md 8, backlog 002",
        seed: Seed::change(
            "fact_workflow_latency_samples",
            "-1.0 AS startup_time_ms",
            "startup_time_ms IS NOT NULL",
        ),
    },
    Check {
        id: "T1",
        title: "few gateway-only latencies are inverted",
        relation: "fact_workflow_latency_samples",
        pack: Pack::Core,
        how: How::Figure(
            "T1",
            "SELECT org, uniqExact(workflow_session_id) AS n, uniqExactIf(workflow_session_id, inverted) / n AS value \
             FROM (SELECT org, workflow_session_id FROM @sessions WHERE known_stream) AS s LEFT JOIN (SELECT org, workflow_session_id, \
             startup_time_null_reason = 'negative_interval' OR (edge_semantics_version = 'v1' \
             AND e2e_latency_null_reason = 'negative_interval') AS inverted FROM @latency) AS l USING (org, workflow_session_id) \
             GROUP BY org",
        ),
        remedy: "a gateway stamps its edges out of order: group by gateway",
        source: "quality.md 9 (T1)",
        seed: Seed::sql(
            "fact_workflow_latency_samples",
            // Of one session in 40, in one of its two rows: more than 2 % of the sessions, less of the rows.
            &["INSERT INTO fact_workflow_latency_samples SELECT * REPLACE(NULL AS startup_time_ms, 0 AS has_startup_time, \
               'negative_interval' AS startup_time_null_reason, version + 1 AS version) FROM (SELECT * FROM \
               fact_workflow_latency_samples FINAL WHERE edge_semantics_version = 'v2' AND (org, workflow_session_id) IN \
               (SELECT org, workflow_session_id FROM fact_workflow_sessions FINAL WHERE known_stream \
               ORDER BY workflow_session_id LIMIT 5 BY org))"],
        ),
    },
    Check {
        id: "N-06",
        title: "a latency over two clocks says so, with a skew of at most 5 s; every one names its semantics",
        relation: "fact_workflow_latency_samples",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, edge_semantics_version, is_cross_clock, skew_ms, prompt_to_first_frame_ms \
             FROM @latency WHERE edge_semantics_version NOT IN ('v1', 'v2') \
             OR (edge_semantics_version = 'v1' AND (is_cross_clock OR skew_ms IS NOT NULL)) \
             OR (edge_semantics_version = 'v2' AND is_cross_clock != (prompt_to_first_frame_ms IS NOT NULL)) \
             OR (is_cross_clock AND (skew_ms IS NULL OR abs(skew_ms) > 5000))",
        ),
        remedy: "a defect of the latency fold: keep `naap explain session --all` and report it",
        source: "quality.md 8, backlog 002, clarifications.md 37",
        seed: Seed::change(
            "fact_workflow_latency_samples",
            "6000 AS skew_ms",
            "is_cross_clock AND edge_semantics_version = 'v2'",
        ),
    },
    Check {
        id: "N-05b",
        title: "latencies of a session fit together: startup within playable, e2e within startup",
        relation: "fact_workflow_latency_samples",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, startup_time_ms, e2e_latency_ms, first_frame_round_trip_ms, late_trickle \
             FROM @latency AS l INNER JOIN (SELECT org, workflow_session_id, first_stream_request_ts, first_playable_ts, \
             first_processed_ts FROM @sessions) AS s USING (org, workflow_session_id) WHERE l.edge_semantics_version = 'v2' \
             AND ((startup_time_ms IS NOT NULL AND first_playable_ts >= first_processed_ts \
             AND startup_time_ms > dateDiff('millisecond', first_stream_request_ts, first_playable_ts)) \
             OR (NOT late_trickle AND e2e_latency_ms > startup_time_ms AND first_frame_round_trip_ms <= startup_time_ms))",
        ),
        remedy: "a defect of the latency fold: keep `naap explain session --all` and report it",
        source: "backlog 013",
        seed: Seed::change(
            "fact_workflow_latency_samples",
            "e2e_latency_ms + startup_time_ms AS e2e_latency_ms",
            "edge_semantics_version = 'v2' AND NOT late_trickle AND e2e_latency_ms > 0 AND startup_time_ms > 0 \
             AND first_frame_round_trip_ms <= startup_time_ms",
        ),
    },
    Check {
        id: "N-07",
        title: "facts have both times: the gateway's always, the source's when the payload had one",
        relation: "fact_stream_status_samples",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT f.org AS org, source_event_uid, gateway_ts, f.source_ts AS fact_source_ts, clock_domain FROM (SELECT org, \
             source_event_uid, gateway_ts, source_ts, clock_domain FROM @status UNION ALL SELECT org, source_event_uid, \
             gateway_ts, source_ts, clock_domain FROM @traces) AS f LEFT JOIN (SELECT org, raw_event_uid, \
             source_ts IS NOT NULL AS stamped FROM @typed_status UNION ALL SELECT org, raw_event_uid, \
             data_timestamp != event_timestamp OR JSONExtractFloat(raw_json, 'data', 'timestamp') BETWEEN 1 AND 9e18 FROM @typed_traces) AS t \
             ON f.org = t.org AND f.source_event_uid = t.raw_event_uid WHERE gateway_ts < toDateTime64('2020-01-01', 3, 'UTC') \
             OR clock_domain NOT IN ('gateway', 'runner', 'client', 'broker', 'platform') \
             OR (stamped AND f.source_ts IS NULL)",
        ),
        remedy: "a defect of the writer: report it with the raw_json of the typed row",
        source: "quality.md 8, backlog 002",
        seed: Seed::change("fact_stream_status_samples", "'moon' AS clock_domain", "1"),
    },
    Check {
        id: "N-08",
        title: "rows that came more than 10 min late say so, and only these",
        relation: "fact_stream_status_samples",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT relation, org, source_event_uid, gateway_ts, kafka_ts, is_late FROM (SELECT 'status' AS relation, org, \
             source_event_uid, gateway_ts, kafka_ts, is_late FROM @status UNION ALL SELECT 'traces', org, source_event_uid, \
             gateway_ts, kafka_ts, is_late FROM @traces UNION ALL SELECT 'updates', org, source_event_uid, gateway_ts, kafka_ts, \
             is_late FROM @updates UNION ALL SELECT 'signals', org, source_event_uid, gateway_ts, kafka_ts, is_late FROM @signals) \
             WHERE is_late != (kafka_ts > gateway_ts + INTERVAL 10 MINUTE)",
        ),
        remedy: "a defect of the writer: report it with the record of the event",
        source: "quality.md 8, backlog 002",
        seed: Seed::change("fact_stream_status_samples", "1 - is_late AS is_late", "1"),
    },
    Check {
        id: "T2",
        title: "the clocks of runners and gateways agree",
        relation: "fact_workflow_latency_samples",
        pack: Pack::Live,
        how: How::Figure(
            "T2",
            "SELECT org, gateway, orchestrator_address, abs(min(skew_ms)) AS value, sum(signals) AS n FROM (SELECT org, \
             workflow_session_id, gateway, orchestrator_address, skew_ms FROM @latency WHERE edge_semantics_version = 'v2' \
             AND skew_ms IS NOT NULL) AS l INNER JOIN (SELECT org, workflow_session_id, count() AS signals FROM (SELECT org, \
             workflow_session_id FROM @status_of_sessions WHERE clock_domain = 'runner' AND source_ts IS NOT NULL UNION ALL \
             SELECT org, workflow_session_id FROM @traces_of_sessions WHERE clock_domain = 'runner' AND source_ts IS NOT NULL) \
             GROUP BY ALL) AS r USING (org, workflow_session_id) GROUP BY org, gateway, orchestrator_address",
        ),
        remedy: "see ClockSkew: the operator of the runner has to synchronise its clock",
        source: "quality.md 9 (T2)",
        // A few sessions without any difference do not hide those with a large one.
        seed: Seed::sql(
            "fact_workflow_latency_samples",
            &["INSERT INTO fact_workflow_latency_samples SELECT * REPLACE(if(row_number() OVER (PARTITION BY org, gateway, \
               orchestrator_address ORDER BY workflow_session_id) = 1, 0, -6000) AS skew_ms, version + 1 AS version) \
               FROM (SELECT * FROM fact_workflow_latency_samples FINAL WHERE edge_semantics_version = 'v2' AND skew_ms IS NOT NULL)"],
        ),
    },
    Check {
        id: "T3",
        title: "few events come late",
        relation: "fact_lifecycle_edge_coverage",
        pack: Pack::Live,
        how: How::Figure(
            "T3",
            "SELECT org, count() AS n, countIf(is_late) / n AS value FROM @signals GROUP BY org",
        ),
        remedy: "see LateEvents",
        source: "quality.md 9 (T3)",
        seed: Seed::sql(
            "fact_lifecycle_edge_coverage",
            &["INSERT INTO fact_lifecycle_edge_coverage SELECT * REPLACE(1 AS is_late, version + 1 AS version) \
               FROM fact_lifecycle_edge_coverage FINAL WHERE cityHash64(source_event_uid) % 10 = 0"],
        ),
    },
    Check {
        id: "F1",
        title: "the archive is fresh",
        relation: "raw_streaming_events",
        pack: Pack::Live,
        how: How::Figure(
            "F1",
            // Of two columns and of all versions, so that it stays cheap; without an end, so that whoever has
            // been silent for days still counts.
            "SELECT org, dateDiff('second', max(ingestion_timestamp), @now) AS value, count() AS n \
             FROM raw_streaming_events WHERE @org GROUP BY org",
        ),
        remedy: "see ConsumerLag; when the topics do not grow either, the source is quiet",
        source: "quality.md 9 (F1)",
        // Silent for longer than a day.
        seed: Seed::sql(
            "raw_streaming_events",
            &["INSERT INTO raw_streaming_events SELECT * REPLACE(event_timestamp - INTERVAL 2 DAY AS event_timestamp, \
               toDateTime64('2025-12-30 01:00:00', 3, 'UTC') AS ingestion_timestamp) FROM raw_streaming_events FINAL",
              "ALTER TABLE raw_streaming_events DELETE WHERE org = 'daydream' \
               AND event_timestamp >= toDateTime64('2025-12-31 12:00:00', 3, 'UTC')"],
        ),
    },
    Check {
        id: "F2",
        title: "facts follow their record quickly",
        relation: "fact_stream_status_samples",
        pack: Pack::Live,
        how: How::Figure(
            "F2",
            // Whatever the window: facts that are written now are about this moment or an earlier one.
            "SELECT org, quantileExact(0.95)(dateDiff('second', kafka_ts, ingestion_timestamp)) AS value, count() AS n \
             FROM fact_stream_status_samples WHERE @org AND ingestion_timestamp >= @now - INTERVAL 15 MINUTE \
             AND ingestion_timestamp <= @now AND gateway_ts >= @now - INTERVAL 72 HOUR GROUP BY org",
        ),
        remedy: "see CheckpointAge and SinkRetry",
        source: "quality.md 9 (F2)",
        seed: Seed::sql(
            "fact_stream_status_samples",
            &["ALTER TABLE fact_stream_status_samples UPDATE ingestion_timestamp = toDateTime64('2026-01-01 02:35:00', 3, 'UTC') \
               WHERE 1"],
        ),
    },
    Check {
        id: "F5",
        title: "every gateway with sessions advertises capabilities",
        relation: "raw_network_capabilities",
        pack: Pack::Live,
        how: How::Figure(
            "F5",
            // An advertisement whose gateway does not know its name (events.md) may be of any.
            "SELECT s.org AS org, s.gateway AS gateway, dateDiff('minute', greatest(c.newest, u.newest), @now) AS value, s.n AS n \
             FROM (SELECT org, gateway, count() AS n FROM @all_sessions WHERE session_start_ts >= @now - INTERVAL 1 HOUR \
             AND session_start_ts < @now GROUP BY ALL) AS s LEFT JOIN (SELECT org, gateway, max(event_timestamp) AS newest \
             FROM @all_typed_capabilities WHERE event_timestamp >= @now - INTERVAL 24 HOUR AND event_timestamp < @now \
             GROUP BY ALL) AS c ON c.org = s.org AND c.gateway = s.gateway LEFT JOIN (SELECT org, max(event_timestamp) AS newest \
             FROM @all_typed_capabilities WHERE gateway = '' AND event_timestamp >= @now - INTERVAL 24 HOUR \
             AND event_timestamp < @now GROUP BY org) AS u ON u.org = s.org",
        ),
        remedy: "two or three polls of 25 min are missing: see the gateway",
        source: "quality.md 9 (F5)",
        seed: Seed::drop(
            "raw_network_capabilities",
            "event_timestamp > toDateTime64('2026-01-01 01:00:00', 3, 'UTC')",
        ),
    },
    Check {
        id: "H1",
        title: "health signals are complete",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Figure(
            "H1",
            // Of the whole network: its organisations may be too small to be judged.
            "SELECT toStartOfHour(session_start_ts) AS hour, count() AS n, \
             sum(least(health_signal_count, health_expected_signal_count)) / sum(health_expected_signal_count) AS value \
             FROM @sessions WHERE known_stream GROUP BY hour",
        ),
        remedy: "telemetry is lost: compare with U1 and E1, and group by gateway",
        source: "quality.md 9 (H1)",
        seed: Seed::sql(
            "fact_workflow_sessions",
            &["INSERT INTO fact_workflow_sessions SELECT * REPLACE(0 AS health_signal_count, version + 1 AS version) \
               FROM fact_workflow_sessions FINAL"],
        ),
    },
    Check {
        id: "D1",
        title: "the number of sessions of an hour does not collapse",
        relation: "fact_workflow_sessions",
        pack: Pack::Live,
        how: How::Figure(
            "D1",
            // The last whole hour against the median of the 24 before it; an hour without sessions counts as one
            // with none. It fails once that has been so for 30 min: half an hour after the hour, or an hour later.
            "SELECT org, hours[1] AS sessions, arraySort(arraySlice(hours, 2)) AS before, (before[12] + before[13]) / 2 AS n, \
             if(n = 0, NULL, sessions / n) AS value, hours[2] >= 0.2 * n AND dateDiff('minute', toStartOfHour(@now), @now) < 30 AS is_brief \
             FROM (SELECT org, sumForEach(arrayMap(h -> toUInt64(h = dateDiff('hour', session_start_ts, toStartOfHour(@now))), \
             range(1, 26))) AS hours FROM @all_sessions WHERE session_start_ts >= toStartOfHour(@now) - INTERVAL 25 HOUR \
             AND session_start_ts < toStartOfHour(@now) GROUP BY org)",
        ),
        remedy: "is intake slow (ConsumerLag), or is there less demand?",
        source: "quality.md 9 (D1)",
        // A day of 60 sessions an hour, and then none.
        seed: Seed::sql(
            "fact_workflow_sessions",
            &["ALTER TABLE fact_workflow_sessions DELETE WHERE 1",
              "INSERT INTO fact_workflow_sessions (org, workflow_session_id, session_start_ts) SELECT 'daydream', toString(number), \
               toDateTime64('2026-01-01 00:30:00', 3, 'UTC') - toIntervalHour(number % 24) FROM numbers(60 * 24)"],
        ),
    },
    Check {
        id: "S1",
        title: "sessions are served and work",
        relation: "fact_workflow_sessions",
        pack: Pack::Live,
        how: How::Figure(
            "S1",
            "SELECT org, gateway, pipeline, count() AS n, countIf(unserved_session OR startup_unexcused \
             OR zero_output_fps_session OR loading_only_session) / n AS value FROM @sessions WHERE known_stream GROUP BY ALL",
        ),
        remedy: "is there capacity for the pipeline? see inventory and the reasons in service_failure_reason",
        source: "quality.md 9 (S1)",
        seed: Seed::sql(
            "fact_workflow_sessions",
            &["INSERT INTO fact_workflow_sessions SELECT * REPLACE(1 AS unserved_session, version + 1 AS version) \
               FROM fact_workflow_sessions FINAL WHERE known_stream"],
        ),
    },
    Check {
        id: "L1",
        title: "orchestrators start quickly: p95",
        relation: "fact_workflow_latency_samples",
        pack: Pack::Diagnostic,
        how: How::Figure(
            "L1",
            "SELECT org, orchestrator_address, quantileExact(0.95)(startup_time_ms) AS value, avg(startup_time_ms) AS mean, \
             count() AS n FROM @latency WHERE edge_semantics_version = 'v2' AND startup_time_ms IS NOT NULL \
             AND orchestrator_address != '' GROUP BY ALL",
        ),
        remedy: "cold models: look at `warm` in the inventory",
        source: "quality.md 9 (L1), 6.3 (Q-92)",
        seed: Seed::NONE,
    },
    Check {
        id: "L1b",
        title: "orchestrators start quickly: mean",
        relation: "fact_workflow_latency_samples",
        pack: Pack::Diagnostic,
        how: How::Figure(
            "L1b",
            "SELECT org, orchestrator_address, avg(startup_time_ms) AS value, count() AS n FROM @latency \
             WHERE edge_semantics_version = 'v2' AND startup_time_ms IS NOT NULL AND orchestrator_address != '' GROUP BY ALL",
        ),
        remedy: "cold models: look at `warm` in the inventory",
        source: "quality.md 9 (L1), 6.3 (Q-92)",
        seed: Seed::NONE,
    },
    Check {
        id: "M1",
        title: "the network meets its targets",
        relation: "v_api_sla_compliance",
        pack: Pack::Diagnostic,
        how: How::Rows(
            Tier::Warn,
            "SELECT org, kpi, round(value, 4) AS value, target, n FROM (SELECT org, 'startup failures' AS kpi, 0.01 AS target, \
             value >= target AS missed, count() AS n, countIf(startup_unexcused) / n AS value FROM @sessions WHERE known_stream \
             GROUP BY org UNION ALL SELECT org, 'swapped sessions', 0.05 AS target, value >= target, count() AS n, \
             countIf(confirmed_swap_count > 0 OR inferred_orchestrator_change_count > 0) / n AS value FROM @sessions WHERE known_stream \
             GROUP BY org UNION ALL SELECT org, 'jitter of frames', 0.1 AS target, value > target, count() AS n, \
             avg(jitter_coeff_fps) AS value FROM v_api_jitter_5m WHERE @org AND window_start_5m >= @from AND window_start_5m < @to \
             AND status_samples >= 10 AND jitter_coeff_fps IS NOT NULL GROUP BY org UNION ALL SELECT org, 'e2e latency, ms', \
             3000 AS target, value > target, count() AS n, avg(e2e_latency_ms) AS value FROM @latency \
             WHERE edge_semantics_version = 'v2' AND NOT late_trickle AND e2e_latency_ms IS NOT NULL GROUP BY org \
             UNION ALL SELECT org, 'SLA score', 95 AS target, round(value, 9) < target, sum(known_sessions_count) AS n, \
             100 * least(1, sum(health_signal_count) / sum(health_expected_signal_count)) * (0.4 * (1 - sum(startup_unexcused_sessions) / n) \
             + 0.2 * (1 - sum(total_swapped_sessions) / n) + 0.4 * (1 - sum(output_failed_sessions) / n)) AS value \
             FROM v_api_sla_compliance WHERE @org AND window_start >= @from AND window_start < @to GROUP BY org HAVING n > 0) WHERE missed",
        ),
        remedy: "for the report only: see A1, L1, J1 and S1 for who misses them",
        source: "quality.md 9 (M1)",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-87",
        title: "edges of closed sessions by reason",
        relation: "fact_workflow_session_coverage",
        pack: Pack::Diagnostic,
        how: How::Rows(
            Tier::Info,
            "SELECT org, toStartOfHour(session_start_ts) AS hour, unmatched_reason, count() AS sessions FROM @coverage \
             WHERE is_terminal AND unmatched_reason != '' GROUP BY ALL ORDER BY sessions DESC",
        ),
        remedy: "figures to compare with U1",
        source: "quality.md 6.3",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-90",
        title: "attribution by method",
        relation: "fact_workflow_sessions",
        pack: Pack::Diagnostic,
        how: How::Rows(
            Tier::Info,
            "SELECT org, gpu_attribution_method, attribution_source, count() AS sessions FROM @sessions \
             GROUP BY ALL ORDER BY sessions DESC",
        ),
        remedy: "figures to compare with A1 and A2",
        source: "quality.md 6.3",
        seed: Seed::NONE,
    },
];
