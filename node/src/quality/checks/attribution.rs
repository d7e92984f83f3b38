//! Who served, and as what (quality.md 4, backlog 022 and 023).

use super::super::{Check, How, Pack, Seed, Tier};

/// The session is one that attribution said something about.
const OF_MODEL: &str = "attribution_source = 'direct' AND model_id != '' AND pipeline != ''";

pub const CHECKS: &[Check] = &[
    Check {
        id: "Q-30",
        title: "the orchestrator of a session is a canonical wallet that was advertised",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, orchestrator_address FROM @sessions WHERE orchestrator_address != '' \
             AND (org, lower(orchestrator_address)) NOT IN (SELECT org, lower(orchestrator_address) FROM @all_snapshots \
             WHERE snapshot_ts >= @from - INTERVAL 24 HOUR) \
             AND (org, lower(orchestrator_address)) NOT IN (SELECT org, lower(orchestrator_address) \
             FROM dim_orchestrator_gpu_current FINAL) AND (SELECT count() FROM @all_snapshots \
             WHERE snapshot_ts >= @from - INTERVAL 24 HOUR) > 0",
        ),
        remedy: "a hot wallet in a fact is a defect: tell the session with `naap explain session`",
        source: "quality.md 4",
        seed: Seed::change(
            "fact_workflow_sessions",
            "'0x00000000000000000000000000000000000hot' AS orchestrator_address",
            "attribution_source = 'direct' AND confirmed_swap_count = 0",
        ),
    },
    Check {
        id: "Q-31",
        title: "the pipeline of an attributed session is not its model",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, pipeline, model_id FROM @sessions WHERE gpu_attribution_method != 'none' \
             AND pipeline != '' AND lower(pipeline) = lower(model_id)",
        ),
        remedy: "a defect of the canonical pipeline: report it with the advertisement that decided",
        source: "quality.md 4, backlog 022",
        seed: Seed::change("fact_workflow_sessions", "upper(pipeline) AS model_id", OF_MODEL).also(&["Q-33", "Q-34"]),
    },
    Check {
        id: "Q-32",
        title: "the pipeline of an unattributed session is not its model",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, pipeline, model_id FROM @sessions WHERE gpu_attribution_method = 'none' \
             AND pipeline != '' AND lower(pipeline) = lower(model_id)",
        ),
        remedy: "a defect of the canonical pipeline: report it with the hints of the session",
        source: "quality.md 4, backlog 022",
        seed: Seed::change(
            "fact_workflow_sessions",
            "'noop' AS pipeline, 'NOOP' AS model_id",
            "gpu_attribution_method = 'none' AND status_sample_count = 0",
        ),
    },
    Check {
        id: "Q-33",
        title: "the segments of a session that did not change have its model and pipeline",
        relation: "fact_workflow_session_segments",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, segment_index, s.model_id AS session_model, g.model_id AS segment_model, \
             s.pipeline AS session_pipeline, g.pipeline AS segment_pipeline FROM @segments AS g \
             INNER JOIN @sessions AS s USING (org, workflow_session_id) WHERE s.gpu_attribution_method != 'none' \
             AND ((NOT s.has_model_change AND s.model_id != '' AND g.model_id != '' \
             AND lower(s.model_id) != lower(g.model_id)) OR (NOT s.has_pipeline_change AND s.pipeline != '' \
             AND g.pipeline != '' AND lower(s.pipeline) != lower(g.pipeline)))",
        ),
        remedy: "rows of a correction may be under way: look again; else backfill the day",
        source: "quality.md 4",
        seed: Seed::change("fact_workflow_session_segments", "'another' AS model_id", OF_MODEL),
    },
    Check {
        id: "Q-34",
        title: "the latency rows of a session have its model and pipeline",
        relation: "fact_workflow_latency_samples",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, edge_semantics_version, s.model_id AS session_model, l.model_id AS latency_model, \
             s.pipeline AS session_pipeline, l.pipeline AS latency_pipeline FROM @latency AS l \
             INNER JOIN @sessions AS s USING (org, workflow_session_id) WHERE s.gpu_attribution_method != 'none' \
             AND ((s.model_id != '' AND l.model_id != '' AND lower(s.model_id) != lower(l.model_id)) \
             OR (s.pipeline != '' AND l.pipeline != '' AND lower(s.pipeline) != lower(l.pipeline)))",
        ),
        remedy: "rows of a correction may be under way: look again; else backfill the day",
        source: "quality.md 4",
        seed: Seed::change("fact_workflow_latency_samples", "'another' AS model_id", OF_MODEL),
    },
    Check {
        id: "Q-35",
        title: "status rows have the model and pipeline of their session",
        relation: "fact_stream_status_samples",
        pack: Pack::Core,
        how: How::Figure(
            "Q-35",
            "SELECT org, count() AS n, countIf(misfit) / n AS value, groupArrayIf(5)(source_event_uid, misfit) AS examples \
             FROM (SELECT org, source_event_uid, lower(t.model_id) != lower(s.model_id) OR (t.pipeline != '' \
             AND lower(t.pipeline) != lower(s.pipeline)) OR (t.pipeline = '' AND s.pipeline != '') AS misfit \
             FROM @status AS t INNER JOIN @sessions_of_status AS s USING (org, workflow_session_id) \
             WHERE t.is_attributed AND t.model_id != '' AND s.model_id != '' AND s.gpu_attribution_method != 'none' \
             AND NOT s.has_model_change AND NOT s.has_pipeline_change) GROUP BY org",
        ),
        remedy: "rows of a correction may be under way: look again; else backfill the day",
        source: "quality.md 4, backlog 013",
        seed: Seed::sql(
            "fact_stream_status_samples",
            &["INSERT INTO fact_stream_status_samples SELECT * REPLACE('another' AS model_id, version + 1 AS version) \
               FROM fact_stream_status_samples FINAL WHERE attribution_source = 'direct' AND segment_index = 0"],
        ).also(&["Q-36", "Q-40"]),
    },
    Check {
        id: "Q-36",
        title: "an attributed status row has the identity of the segment in force",
        relation: "fact_stream_status_samples",
        pack: Pack::Core,
        how: How::Figure(
            "Q-36",
            "SELECT org, count() AS n, countIf(misfit) / n AS value, groupArrayIf(5)(source_event_uid, misfit) AS examples \
             FROM (SELECT t.org AS org, t.source_event_uid AS source_event_uid, \
             lower(t.orchestrator_address) != lower(g.orchestrator_address) \
             OR (t.pipeline != '' AND g.pipeline != '' AND NOT g.has_pipeline_change AND lower(t.pipeline) != lower(g.pipeline)) \
             OR (t.model_id != '' AND g.model_id != '' AND NOT g.has_model_change AND lower(t.model_id) != lower(g.model_id)) \
             OR (t.gpu_id != '' AND g.gpu_id != '' AND NOT g.has_model_change AND t.orchestrator_url = g.orchestrator_url \
             AND lower(t.gpu_id) != lower(g.gpu_id)) AS misfit FROM @status AS t ASOF INNER JOIN @segments_in_force AS g \
             ON t.org = g.org AND t.workflow_session_id = g.workflow_session_id AND t.gateway_ts >= g.segment_start_ts \
             WHERE t.is_attributed) GROUP BY org",
        ),
        remedy: "rows of a correction may be under way: look again; else backfill the day",
        source: "quality.md 4, backlog 013",
        seed: Seed::sql(
            "fact_stream_status_samples",
            &["INSERT INTO fact_stream_status_samples SELECT * REPLACE('GPU-else' AS gpu_id, version + 1 AS version) \
               FROM (SELECT * FROM fact_stream_status_samples FINAL WHERE is_attributed AND gpu_id != '')"],
        ).also(&["Q-40"]),
    },
    Check {
        id: "Q-36b",
        title: "an attributed status row has a segment in force",
        relation: "fact_stream_status_samples",
        pack: Pack::Core,
        how: How::Figure(
            "Q-36b",
            "SELECT org, count() AS n, countIf(without) / n AS value, groupArrayIf(5)(source_event_uid, without) AS examples \
             FROM (SELECT t.org AS org, t.source_event_uid AS source_event_uid, g.workflow_session_id = '' \
             OR ifNull(g.segment_end_ts + INTERVAL 5 SECOND < t.gateway_ts, 0) AS without FROM @status AS t \
             ASOF LEFT JOIN @segments_in_force AS g \
             ON t.org = g.org AND t.workflow_session_id = g.workflow_session_id AND t.gateway_ts >= g.segment_start_ts \
             WHERE t.is_attributed) GROUP BY org",
        ),
        remedy: "tell the session with `naap explain session`; FINDINGS names the segment that is missing",
        source: "quality.md 4, backlog 013",
        seed: Seed::sql(
            "fact_workflow_session_segments",
            &["INSERT INTO fact_workflow_session_segments SELECT * REPLACE(segment_start_ts AS segment_end_ts, \
               version + 1 AS version) FROM fact_workflow_session_segments FINAL WHERE segment_index = 0 \
               AND next_orchestrator_address = '' AND orchestrator_address != ''"],
        ),
    },
    Check {
        id: "Q-37",
        title: "a latency row has the identity of the session's segments",
        relation: "fact_workflow_latency_samples",
        pack: Pack::Core,
        how: How::Figure(
            "Q-36",
            "SELECT org, count() AS n, countIf(misfit) / n AS value, groupArrayIf(5)(workflow_session_id, misfit) AS examples \
             FROM (SELECT l.org AS org, l.workflow_session_id AS workflow_session_id, \
             NOT has(wallets, lower(l.orchestrator_address)) OR (l.model_id != '' AND length(models) > 0 \
             AND NOT has_model_change AND NOT has(models, lower(l.model_id))) AS misfit FROM @latency AS l INNER JOIN \
             (SELECT org, workflow_session_id, any(has_model_change) AS has_model_change, \
             groupUniqArray(lower(orchestrator_address)) AS wallets, \
             groupUniqArrayIf(lower(model_id), model_id != '') AS models FROM @segments \
             GROUP BY org, workflow_session_id) AS g USING (org, workflow_session_id) \
             WHERE l.attribution_source != 'unattributed') GROUP BY org",
        ),
        remedy: "rows of a correction may be under way: look again; else backfill the day",
        source: "quality.md 4, backlog 013; clarifications.md 9: the identity is the last resolved selection's",
        seed: Seed::sql(
            "fact_workflow_latency_samples",
            &["INSERT INTO fact_workflow_latency_samples SELECT * REPLACE('0xnobody' AS orchestrator_address, \
               version + 1 AS version) FROM fact_workflow_latency_samples FINAL"],
        ),
    },
    Check {
        id: "Q-38",
        title: "a hot wallet at a URI belongs to one canonical wallet",
        relation: "raw_network_capabilities",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, lower(local_address) AS hot_wallet, orch_uri, groupUniqArray(lower(orchestrator_address)) AS wallets, \
             'FAIL' AS tier FROM @typed_capabilities WHERE local_address != '' AND orchestrator_address != '' \
             GROUP BY ALL HAVING length(wallets) > 1 \
             UNION ALL SELECT org, lower(local_address) AS hot_wallet, '' AS orch_uri, \
             groupUniqArray(lower(orchestrator_address)) AS wallets, 'WARN' AS tier FROM @typed_capabilities \
             WHERE local_address != '' AND orchestrator_address != '' GROUP BY ALL HAVING length(wallets) > 1",
        ),
        remedy: "two nodes sign with one wallet: sessions without a URI stay ambiguous; tell their operator",
        source: "quality.md 4 and 9 (A4)",
        seed: Seed::change(
            "raw_network_capabilities",
            "'0xsomebodyelse' AS orchestrator_address, element + 32768 AS element",
            "local_address != '' AND gpu_id = ''",
        ),
    },
    Check {
        id: "Q-39",
        title: "an attributed session has an edge with its pipeline and model",
        relation: "fact_stream_trace_edges",
        pack: Pack::Core,
        how: How::Figure(
            "Q-39",
            "SELECT org, count() AS n, countIf(bare) / n AS value, groupArrayIf(5)(workflow_session_id, bare) AS examples FROM ( \
             SELECT org, workflow_session_id, (org, workflow_session_id) NOT IN (SELECT org, workflow_session_id \
             FROM @traces_of_sessions WHERE pipeline != '' AND model_id != '') AS bare FROM @sessions \
             WHERE gpu_attribution_method != 'none' AND pipeline != '' AND model_id != '') GROUP BY org",
        ),
        remedy: "tell one with `naap explain session`: an unresolved selection holds all its traces",
        source: "quality.md 4, backlog 013",
        seed: Seed::sql(
            "fact_stream_trace_edges",
            &["INSERT INTO fact_stream_trace_edges SELECT * REPLACE('' AS model_id, version + 1 AS version) \
               FROM fact_stream_trace_edges FINAL"],
        ),
    },
    Check {
        id: "N-17",
        title: "every pipeline is one of the catalogue",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT relation, org, pipeline, count() AS rows FROM (SELECT 'sessions' AS relation, org, pipeline FROM @sessions \
             UNION ALL SELECT 'segments', org, pipeline FROM @segments \
             UNION ALL SELECT 'status hours', org, pipeline FROM @hours \
             UNION ALL SELECT 'latency', org, pipeline FROM @latency \
             UNION ALL SELECT 'status', org, pipeline FROM @status UNION ALL SELECT 'traces', org, pipeline FROM @traces \
             UNION ALL SELECT 'updates', org, pipeline FROM @updates) \
             WHERE pipeline NOT IN ('', @pipelines) AND (org, lower(pipeline)) NOT IN @advertised_pipelines GROUP BY ALL",
        ),
        remedy: "extend `pipelines` of deploy/catalogue/capabilities.v1.json if it is a new workflow",
        source: "quality.md 8, backlog 022",
        seed: Seed::change("fact_session_status_hours", "'video-to-dream' AS pipeline", "1").also(&["Q-40"]),
    },
    Check {
        id: "N-18",
        title: "the label of an attribution fits its evidence",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT relation, org, id, attribution_source, attribution_status, attribution_reason, attribution_distance_ms, \
             gpu_candidate_count FROM (\
             SELECT 'session' AS relation, org, workflow_session_id AS id, attribution_source, attribution_status, \
             attribution_reason, attribution_distance_ms, orchestrator_address, gpu_id, gpu_candidate_count, \
             selected_snapshot_ts FROM @sessions UNION ALL SELECT 'segment', org, workflow_session_id, attribution_source, \
             attribution_status, attribution_reason, attribution_distance_ms, orchestrator_address, gpu_id, \
             gpu_candidate_count, selected_snapshot_ts FROM @segments UNION ALL SELECT 'status', org, source_event_uid, \
             attribution_source, attribution_status, attribution_reason, attribution_distance_ms, orchestrator_address, \
             gpu_id, gpu_candidate_count, selected_snapshot_ts FROM @status UNION ALL SELECT 'trace', org, source_event_uid, \
             attribution_source, attribution_status, attribution_reason, attribution_distance_ms, orchestrator_address, \
             gpu_id, gpu_candidate_count, selected_snapshot_ts FROM @traces UNION ALL SELECT 'update', org, source_event_uid, \
             attribution_source, attribution_status, attribution_reason, attribution_distance_ms, orchestrator_address, \
             gpu_id, gpu_candidate_count, selected_snapshot_ts FROM @updates) \
             WHERE attribution_source != multiIf(attribution_status IN ('resolved', 'hardware_less'), 'direct', \
             attribution_status = 'stale', 'mapped_window', 'unattributed') \
             OR attribution_status NOT IN ('resolved', 'hardware_less', 'stale', 'ambiguous', 'unresolved', '') \
             OR ifNull(abs(attribution_distance_ms) > 86400000, 0) \
             OR (attribution_source != 'unattributed') != (selected_snapshot_ts IS NOT NULL) \
             OR (attribution_source = 'unattributed' AND (orchestrator_address != '' OR gpu_id != '' \
             OR attribution_reason = '')) OR (attribution_source != 'unattributed' AND orchestrator_address = '') \
             OR (gpu_id != '' AND gpu_candidate_count != 1)",
        ),
        remedy: "run `naap backfill attribution --dry-run` over the day: what it would change is what does not fit",
        source: "quality.md 8, backlog 023",
        seed: Seed::change(
            "fact_workflow_sessions",
            "'direct' AS attribution_source",
            "attribution_status = 'stale'",
        ),
    },
    Check {
        id: "N-19",
        title: "most sessions with a selection are attributed",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Figure(
            "A1",
            "SELECT org, toStartOfHour(session_start_ts) AS hour, count() AS n, \
             countIf(attribution_source = 'unattributed') / n AS value, \
             topKIf(3)(attribution_reason, attribution_source = 'unattributed') AS reasons \
             FROM @sessions WHERE known_stream AND selection_count > 0 GROUP BY org, hour",
        ),
        remedy: "see UnattributedSessions",
        source: "quality.md 9 (A1), backlog 023",
        seed: Seed::sql(
            "fact_workflow_sessions",
            &["INSERT INTO fact_workflow_sessions SELECT * REPLACE('unattributed' AS attribution_source, \
               'unresolved' AS attribution_status, 'missing_candidate' AS attribution_reason, '' AS orchestrator_address, \
               '' AS gpu_id, 0 AS gpu_candidate_count, 'none' AS gpu_attribution_method, NULL AS selected_snapshot_ts, \
               NULL AS attribution_distance_ms, version + 1 AS version) \
               FROM (SELECT * FROM fact_workflow_sessions FINAL WHERE cityHash64(workflow_session_id) % 2)"],
        ),
    },
    Check {
        id: "A2",
        title: "few attributed sessions rest on old or later advertisements",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Figure(
            "A2",
            "SELECT org, count() AS n, countIf(attribution_source = 'mapped_window') / n AS value FROM @sessions \
             WHERE attribution_source != 'unattributed' GROUP BY org",
        ),
        remedy: "capability polls fail or come too seldom: see the runbook of attribution",
        source: "quality.md 9 (A2)",
        seed: Seed::sql(
            "fact_workflow_sessions",
            &["INSERT INTO fact_workflow_sessions SELECT * REPLACE('mapped_window' AS attribution_source, \
               'stale' AS attribution_status, version + 1 AS version) \
               FROM (SELECT * FROM fact_workflow_sessions FINAL WHERE attribution_source = 'direct')"],
        ),
    },
    Check {
        id: "A5",
        title: "sessions with a selection have a canonical wallet",
        relation: "fact_workflow_sessions",
        pack: Pack::Live,
        how: How::Figure(
            "A5",
            "SELECT org, count() AS n, countIf(orchestrator_address != '') / n AS value FROM @all_sessions \
             WHERE known_stream AND selection_count > 0 AND session_start_ts >= @now - INTERVAL 6 HOUR \
             AND session_start_ts < @now GROUP BY org",
        ),
        remedy: "see UnattributedSessions",
        source: "quality.md 9 (A5)",
        seed: Seed::sql(
            "fact_workflow_sessions",
            &["INSERT INTO fact_workflow_sessions SELECT * REPLACE('' AS orchestrator_address, version + 1 AS version) \
               FROM (SELECT * FROM fact_workflow_sessions FINAL WHERE cityHash64(workflow_session_id) % 4 = 0)"],
        ),
    },
    Check {
        id: "N-22",
        title: "attributed rows are not empty",
        relation: "fact_stream_status_samples",
        pack: Pack::Core,
        how: How::Figure(
            "N-22",
            "SELECT org, what, count() AS n, countIf(bare) / n AS value FROM (SELECT org, 'status' AS what, \
             orchestrator_address = '' AS bare FROM @status WHERE is_attributed UNION ALL SELECT org, 'sessions', \
             pipeline = '' AND model_id = '' FROM @sessions WHERE gpu_attribution_method != 'none') GROUP BY org, what",
        ),
        remedy: "tell one with `naap explain session`; a row that is attributed has an orchestrator",
        source: "quality.md 8, backlog 024",
        seed: Seed::sql(
            "fact_stream_status_samples",
            &["INSERT INTO fact_stream_status_samples SELECT * REPLACE('' AS orchestrator_address, \
               version + 1 AS version) FROM fact_stream_status_samples FINAL WHERE is_attributed"],
        ).also(&["N-18", "Q-36", "Q-40"]),
    },
    Check {
        id: "N-23",
        title: "every table has one writer: nothing in the store writes by itself",
        relation: "system.tables",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT name, engine FROM system.tables WHERE database = currentDatabase() \
             AND engine IN ('MaterializedView', 'Kafka', 'Buffer', 'WindowView')",
        ),
        remedy: "drop it: versioned facts must not feed an insert-triggered aggregate",
        source: "quality.md 8, backlog 024 and 025; rows have no writer column, the version has the epoch of the shard",
        seed: Seed::sql(
            "",
            &["CREATE MATERIALIZED VIEW IF NOT EXISTS counted ENGINE = SummingMergeTree ORDER BY org \
               AS SELECT org, count() AS rows FROM fact_workflow_sessions GROUP BY org"],
        ),
    },
    Check {
        id: "N-20",
        title: "a second backfill writes nothing",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Elsewhere("tests/tests/explain.rs, and `naap backfill attribution --dry-run`"),
        remedy: "",
        source: "quality.md 8, backlog 023",
        seed: Seed::NONE,
    },
    Check {
        id: "N-21",
        title: "the order of delivery changes nothing",
        relation: "",
        pack: Pack::Core,
        how: How::Elsewhere("tests/tests/convergence.rs and actors/tests/suite/convergence.rs"),
        remedy: "",
        source: "quality.md 8 and 11, backlog 024",
        seed: Seed::NONE,
    },
];
