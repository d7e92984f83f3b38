//! The sort key of typed traces (backlog 025 part 3): the same rows under each candidate.

use crate::engine::{Engine, heading};
use crate::month::HOUR;

/// Candidates: name, sort key, projection.
const KEYS: &[(&str, &str, &str)] = &[
    ("time", "org, event_timestamp, raw_event_uid", ""),
    (
        "type_hour",
        "org, trace_type, toStartOfHour(event_timestamp), request_id, event_timestamp, raw_event_uid",
        "",
    ),
    (
        "request",
        "org, request_id, event_timestamp, raw_event_uid",
        "SELECT * ORDER BY (org, event_timestamp, raw_event_uid)",
    ),
];

pub(crate) fn run(engine: &Engine) {
    let source = "raw_stream_trace_events";
    let rows = engine.number(&format!("SELECT count() FROM {source}"));
    let request = engine.ask(&format!(
        "SELECT request_id FROM {source} WHERE event_timestamp >= '{}' ORDER BY cityHash64(request_id) LIMIT 1",
        HOUR[0]
    ));
    let request = request.text.trim().to_owned();
    for (name, key, projection) in KEYS {
        let table = format!("bench.traces_{name}");
        engine.ask(&format!("DROP TABLE IF EXISTS {table} SYNC"));
        let keep = if projection.is_empty() {
            ""
        } else {
            ", deduplicate_merge_projection_mode = 'rebuild'"
        };
        engine.ask(&format!(
            "CREATE TABLE {table} AS naap.{source} ENGINE = ReplacingMergeTree(version, is_deleted)
             PARTITION BY toYYYYMM(event_timestamp) ORDER BY ({key})
             SETTINGS index_granularity = 8192{keep}"
        ));
        if !projection.is_empty() {
            engine.ask(&format!("ALTER TABLE {table} ADD PROJECTION by_time ({projection})"));
        }
        // As a node inserts: a part for each slice of time, which the engine merges as it likes.
        let mut written = 0.0;
        for slice in 0..30 {
            written += engine
                .ask(&format!(
                    "INSERT INTO {table} SELECT * FROM naap.{source} FINAL
                     WHERE toDate(event_timestamp) = toDate('2026-01-01') + {slice}"
                ))
                .ms;
        }
        let size = engine.number(&format!(
            "SELECT intDiv(sum(bytes_on_disk), 1000) FROM system.parts
             WHERE active AND database = 'bench' AND table = 'traces_{name}'"
        ));
        heading(&format!("traces by ({key})"), "rows");
        println!(
            "written in {written:.0} ms, {size} kB on disk; projection: {}",
            !projection.is_empty()
        );
        let [begin, end] = HOUR;
        let window = format!("event_timestamp >= '{begin}' AND event_timestamp < '{end}'");
        let of = format!("SELECT * FROM {table} FINAL WHERE org = 'cloud_spe' AND");
        let typed = format!("{of} trace_type = 'gateway_receive_stream_request' AND {window}");
        engine.measure("an hour", &format!("{of} {window}"), rows);
        engine.measure("an hour of one type", &typed, rows);
        engine.measure("one request", &format!("{of} request_id = '{request}'"), rows);
        engine.measure("an hour, not FINAL", &format!("{of} {window}").replace(" FINAL", ""), rows);
    }
}
