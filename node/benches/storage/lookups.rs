//! Lookups of one event, record or request.

use crate::engine::{Engine, heading};

/// Rows of the reject tables that are written for the measurement.
const REJECTS: u64 = 1_000_000;

/// Latest rows.
const LATEST: &str = "FINAL";
/// Latest rows by a column that is the same in all versions of a row: no other granule can hold one.
const UNIQUE: &str = "FINAL, not exact";

/// Columns by which single rows are looked up, by table.
const LOOKED_UP: &[(&str, &[&str])] = &[
    ("raw_streaming_events", &["id", "raw_event_uid"]),
    ("raw_stream_trace_events", &["raw_event_uid", "request_id", "stream_id"]),
    ("raw_ai_stream_status", &["raw_event_uid", "request_id", "stream_id"]),
    ("fact_workflow_sessions", &["request_id", "stream_id", "workflow_session_id"]),
    ("fact_stream_status_samples", &["source_event_uid", "request_id", "workflow_session_id"]),
    ("fact_stream_trace_edges", &["source_event_uid", "request_id", "workflow_session_id"]),
    ("fact_lifecycle_edge_coverage", &["source_event_uid", "request_id"]),
];

pub(crate) fn run(engine: &Engine) {
    heading("lookup", "rows");
    for table in ["raw_streaming_events_dlq", "raw_streaming_events_quarantine"] {
        let copy = format!("bench.{table}");
        fill(engine, table, &copy);
        for column in ["event_id", "dedup_key"] {
            point(engine, &copy, column, "");
            point(engine, &copy, column, LATEST);
            point(engine, &copy, column, UNIQUE);
        }
    }
    for (table, columns) in LOOKED_UP {
        for column in *columns {
            point(engine, table, column, LATEST);
        }
        if *table == "raw_streaming_events" {
            point(engine, table, columns[0], UNIQUE);
        }
    }
    let view = "SELECT * FROM v_api_session_identity WHERE workflow_session_id = ";
    let session = some(engine, "fact_workflow_sessions", "workflow_session_id");
    let rows = engine.number("SELECT count() FROM fact_workflow_sessions");
    engine.measure("v_api_session_identity", &format!("{view}'{session}'"), rows);
}

/// Writes rejects in the order of arrival: sixteen partitions, one record every 2.6 s for a month.
fn fill(engine: &Engine, table: &str, copy: &str) {
    engine.ask(&format!("DROP TABLE IF EXISTS {copy} SYNC"));
    engine.ask(&format!("CREATE TABLE {copy} AS naap.{table}"));
    let step = REJECTS / 20;
    for begin in (0..REJECTS).step_by(usize::try_from(step).expect("a small number")) {
        engine.ask(&format!(
            "INSERT INTO {copy} (schema_version, org, source_topic, source_partition, source_offset,
                source_record_timestamp, event_id, event_type, event_timestamp, dedup_key, dedup_strategy,
                failure_stage, failure_class, failure_reason, payload_encoding, payload_body, version,
                ingestion_timestamp)
            SELECT 'v1', 'cloud_spe', 'streaming_events', number % 16, intDiv(number, 16),
                toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + toIntervalMillisecond(number * 2592) AS at,
                toString(reinterpretAsUUID(sipHash128(number, 1))) AS id, 'ai_stream_status', at,
                concat('cloud_spe|', id), 'event_id', 'SCHEMA_VALIDATION', 'SCHEMA_INVALID', 'missing_field',
                'json', concat('{{\"id\":\"', id, '\",\"type\":\"ai_stream_status\"}}'), 1, at
            FROM numbers({begin}, {step})"
        ));
    }
}

/// A value in the middle of the table.
fn some(engine: &Engine, table: &str, column: &str) -> String {
    let sql = format!(
        "SELECT {column} FROM {table} WHERE {column} != '' ORDER BY cityHash64({column}) LIMIT 1"
    );
    engine.ask(&sql).text.trim().to_owned()
}

fn point(engine: &Engine, table: &str, column: &str, how: &str) {
    let value = some(engine, table, column);
    let rows = engine.number(&format!("SELECT count() FROM {table}"));
    let latest = if how.is_empty() { "" } else { "FINAL" };
    let settings =
        if how == UNIQUE { "SETTINGS use_skip_indexes_if_final_exact_mode = 0" } else { "" };
    let sql = format!("SELECT * FROM {table} {latest} WHERE {column} = '{value}' {settings}");
    let table = table.trim_start_matches("bench.raw_streaming_");
    engine.measure(&format!("{table}.{column} {how}"), &sql, rows);
}
