//! From typed rows to dimensions and facts (quality.md 2): projections are lossless and single.

use super::super::{Check, How, Pack, Seed, Tier};

pub const CHECKS: &[Check] = &[
    Check {
        id: "Q-11",
        title: "the four capability dimensions exist and shards write them: no view projects",
        relation: "dim_orchestrator_capability_snapshots",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT arrayJoin(['dim_orchestrator_capability_snapshots', \
             'dim_orchestrator_capability_advertised_snapshots', 'dim_orchestrator_capability_model_constraints', \
             'dim_orchestrator_capability_prices']) AS missing WHERE missing NOT IN (SELECT name FROM system.tables \
             WHERE database = currentDatabase() AND engine LIKE 'ReplacingMergeTree')",
        ),
        remedy: "run `naap schema check`",
        source: "quality.md 2",
        seed: Seed::sql(
            "dim_orchestrator_capability_prices",
            &["DROP TABLE dim_orchestrator_capability_prices SYNC"],
        )
        .also(&["Q-12"]),
    },
    Check {
        id: "Q-12",
        title: "typed capability rows have dimension rows",
        relation: "dim_orchestrator_capability_snapshots",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT * FROM (SELECT 'snapshots' AS set, (SELECT count() FROM @typed_capabilities) AS typed, \
             (SELECT count() FROM @snapshots) AS projected \
             UNION ALL SELECT 'advertised', (SELECT count() FROM @typed_advertised), (SELECT count() FROM @advertised) \
             UNION ALL SELECT 'constraints', (SELECT count() FROM @typed_constraints), (SELECT count() FROM @constraints) \
             UNION ALL SELECT 'prices', (SELECT count() FROM @typed_prices), (SELECT count() FROM @prices)) \
             WHERE typed > 0 AND projected = 0",
        ),
        remedy: "see SinkRetry for the dimension; rows of the last commit cycle may be under way",
        source: "quality.md 2",
        seed: Seed::drop("dim_orchestrator_capability_prices", "1"),
    },
    Check {
        id: "Q-13",
        title: "no GPU is lost or invented between typed rows and dimension",
        relation: "dim_orchestrator_capability_snapshots",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, uid, wallet, pipeline, model_id, uniqExactIf(gpu_id, side = 0) AS typed_gpus, \
             uniqExactIf(gpu_id, side = 1) AS dimension_gpus FROM (SELECT org, raw_event_uid AS uid, \
             lower(orchestrator_address) AS wallet, pipeline, model_id, gpu_id, 0 AS side FROM @typed_capabilities \
             WHERE gpu_id != '' UNION ALL SELECT org, source_event_uid, lower(orchestrator_address), pipeline, \
             model_id, gpu_id, 1 FROM @snapshots WHERE gpu_id != '') GROUP BY org, uid, wallet, pipeline, model_id \
             HAVING typed_gpus != dimension_gpus",
        ),
        remedy: "rows of the last commit cycle may be under way: look again; else replay the event",
        source: "quality.md 2",
        seed: Seed::drop(
            "dim_orchestrator_capability_snapshots",
            "(source_event_uid, orchestrator_address) = (SELECT source_event_uid, orchestrator_address \
             FROM dim_orchestrator_capability_snapshots WHERE gpu_id != '' ORDER BY snapshot_ts, element LIMIT 1)",
        ),
    },
    Check {
        id: "Q-14",
        title: "a price is unique: once an entry, and the same where a message repeats an entry",
        relation: "raw_network_capabilities_prices",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, source_event_id, lower(orchestrator_address) AS wallet, orch_uri, capability_id, \
             constraint_name, event_timestamp, count() AS rows, uniqExact(price_per_unit, pixels_per_unit) AS prices \
             FROM @typed_prices GROUP BY ALL \
             HAVING rows > uniqExact(bitShiftRight(element, 16)) OR prices > 1",
        ),
        remedy: "the orchestrator advertises two prices for one model: ask its operator",
        source: "quality.md 2, events.md 8 case 8",
        seed: Seed::change(
            "raw_network_capabilities_prices",
            "element + 32768 AS element, price_per_unit + 1 AS price_per_unit",
            "1",
        ),
    },
    Check {
        id: "Q-15",
        title: "not everything was rejected: archive, samples, edges and sessions have rows",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT * FROM (SELECT 'archived core events' AS what, (SELECT count() FROM @raw WHERE type IN \
             ('ai_stream_status', 'stream_trace', 'ai_stream_events', 'stream_ingest_metrics')) AS rows \
             UNION ALL SELECT 'status samples', (SELECT count() FROM @status) \
             UNION ALL SELECT 'trace edges', (SELECT count() FROM @traces) \
             UNION ALL SELECT 'sessions', (SELECT count() FROM @sessions)) WHERE rows = 0",
        ),
        remedy: "find the first layer that is empty, and the sink of its table in the log",
        source: "quality.md 2",
        seed: Seed::drop("fact_stream_trace_edges", "1").also(&["Q-17", "Q-23", "Q-39"]),
    },
    Check {
        id: "Q-16",
        title: "each typed status event has exactly one sample, and each sample its event",
        relation: "fact_stream_status_samples",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, uid, sum(typed) AS typed_rows, sum(fact) AS fact_rows FROM (SELECT org, raw_event_uid AS uid, \
             1 AS typed, 0 AS fact FROM @typed_status AS t LEFT JOIN (SELECT org, stream_id, request_id, \
             max(session_end_ts) AS ended FROM @all_sessions WHERE (org, stream_id) IN (SELECT org, stream_id FROM @typed_status) \
             GROUP BY ALL) AS s USING (org, stream_id, request_id) \
             WHERE ifNull(event_timestamp <= ended + toIntervalMillisecond({retention_ms:Int64}), 1) \
             UNION ALL SELECT org, source_event_uid, 0, 1 FROM @status) \
             GROUP BY org, uid HAVING typed_rows != fact_rows",
        ),
        remedy: "tell the session with `naap explain session`; FINDINGS names the rows that are missing",
        source: "quality.md 2",
        seed: Seed::change(
            "fact_stream_status_samples",
            "gateway_ts + toIntervalSecond(1) AS gateway_ts",
            "1",
        )
        .also(&["Q-40"]),
    },
    Check {
        id: "Q-17",
        title: "each typed trace has exactly one edge, and each edge its trace",
        relation: "fact_stream_trace_edges",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, uid, sum(typed) AS typed_rows, sum(fact) AS fact_rows FROM (SELECT org, raw_event_uid AS uid, \
             1 AS typed, 0 AS fact FROM @typed_traces AS t LEFT JOIN (SELECT org, stream_id, request_id, \
             max(session_end_ts) AS ended FROM @all_sessions WHERE (org, stream_id) IN (SELECT org, stream_id FROM @typed_traces) \
             GROUP BY ALL) AS s USING (org, stream_id, request_id) \
             WHERE ifNull(event_timestamp <= ended + toIntervalMillisecond({retention_ms:Int64}), 1) \
             UNION ALL SELECT org, source_event_uid, 0, 1 FROM @all_traces WHERE (org, source_event_uid) IN \
             (SELECT org, raw_event_uid FROM @typed_traces) OR (gateway_ts >= @from + INTERVAL 1 DAY \
             AND gateway_ts < @to - INTERVAL 1 DAY)) \
             GROUP BY org, uid HAVING typed_rows != fact_rows",
        ),
        remedy: "tell the session with `naap explain session`; FINDINGS names the rows that are missing",
        source: "quality.md 2",
        seed: Seed::drop(
            "fact_stream_trace_edges",
            "source_event_uid = (SELECT min(source_event_uid) FROM fact_stream_trace_edges \
             WHERE trace_type = 'runner_receive_stream_request')",
        ),
    },
    Check {
        id: "Q-18",
        title: "each typed ingest metrics event has exactly one sample, and each sample its event",
        relation: "fact_stream_ingest_samples",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, uid, sum(typed) AS typed_rows, sum(fact) AS fact_rows FROM (SELECT org, raw_event_uid AS uid, \
             1 AS typed, 0 AS fact FROM @typed_ingest AS t LEFT JOIN (SELECT org, stream_id, request_id, \
             max(session_end_ts) AS ended FROM @all_sessions WHERE (org, stream_id) IN (SELECT org, stream_id FROM @typed_ingest) \
             GROUP BY ALL) AS s USING (org, stream_id, request_id) \
             WHERE ifNull(event_timestamp <= ended + toIntervalMillisecond({retention_ms:Int64}), 1) \
             UNION ALL SELECT org, source_event_uid, 0, 1 FROM @ingest) \
             GROUP BY org, uid HAVING typed_rows != fact_rows",
        ),
        remedy: "tell the session with `naap explain session`; FINDINGS names the rows that are missing",
        source: "quality.md 2",
        seed: Seed::drop(
            "fact_stream_ingest_samples",
            "source_event_uid = (SELECT min(source_event_uid) FROM fact_stream_ingest_samples)",
        ),
    },
];
