//! A ClickHouse that is slow, fails, refuses, or takes rows and does not say so: the rows are those of a
//! run in which nothing of it happens.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use naap_tests::engine::Engine;
use naap_tests::served::exchange;
use naap_tests::stage::{SHARDS, data_dir};
use naap_tests::{DataDir, program, run};
use serde_json::{Value, json};

/// Sends a request to the engine's own interface for tests; its answer.
fn ask(engine: &Engine, method: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "{method} /faults HTTP/1.1\r\nHost: naap\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: application/json\r\n\r\n{body}"
    );
    let answer = exchange(engine.url.strip_prefix("http://").unwrap(), &request);
    assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 204"), "{answer}");
    answer
}

/// Rows of each table and a hash of them, without what depends on the time of the run.
fn contents(dir: &DataDir) -> BTreeMap<String, Value> {
    let tables = dir.query(
        "SELECT name FROM system.tables WHERE database = 'naap' AND engine LIKE '%Merge%'
             AND (name LIKE 'fact\\_%' OR name LIKE 'raw\\_%')",
    );
    let names = tables.iter().map(|row| row["name"].as_str().unwrap().to_owned());
    let one = |table: &String| {
        // Records as they came carry the time of their reading in several forms: they are counted.
        let archive = table.starts_with("raw_streaming_events") || table == "raw_ignored_events";
        let hash = "sum(cityHash64(toString(tuple(
            * EXCEPT (version, ingestion_timestamp, ingest_timestamp, ingest_date, kafka_ts)))))";
        let hash = if archive { "0" } else { hash };
        format!("SELECT '{table}' AS name, count() AS rows, {hash} AS hash FROM naap.{table} FINAL")
    };
    let each: Vec<_> = names.map(|table| one(&table)).collect();
    let rows = dir.query(&each.join(" UNION ALL "));
    rows.into_iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row)).collect()
}

/// What a node makes of the events, with these faults at inserts until they are used up.
fn rows(events: &Path, faults: &[Value]) -> BTreeMap<String, Value> {
    let dir = data_dir();
    let engine = Engine::start(&dir, |command| {
        command.arg("--allow-faults");
    });
    for fault in faults {
        ask(&engine, "POST", &fault.to_string());
    }
    let node = DataDir::new();
    let mut command = Command::new(program());
    command.arg("run").arg("--data-dir").arg(node.data());
    for setting in [
        format!("clickhouse.url={}", engine.url),
        format!("cluster.shards={SHARDS}"),
        "clickhouse.request_timeout=2s".to_owned(),
        "commit.flush_interval=50ms".to_owned(),
        "attribution.hold=0s".to_owned(),
        "http.enabled=false".to_owned(),
        "supervision.restart.exponential_backoff.initial=10ms".to_owned(),
        "supervision.restart.exponential_backoff.max=100ms".to_owned(),
    ] {
        command.args(["--set", &setting]);
    }
    run(command.stdin(File::open(events).unwrap()).stdout(Stdio::null()));
    let left = ask(&engine, "GET", "");
    assert!(
        left.contains("\r\n[]") || left.trim_end().ends_with("\r\n\r\n"),
        "faults are left: {left}"
    );
    engine.stop();
    contents(&dir)
}

#[test]
fn what_the_tables_do_to_inserts_changes_no_row() {
    let dir = DataDir::new();
    let events = dir.path().join("events.jsonl");
    run(Command::new(program()).args(["generate", "--sessions", "100", "--out"]).arg(&events));
    let insert = |kind: &str, more: Value| {
        let mut fault = json!({ "kind": kind, "match": "INSERT INTO", "count": 5 });
        fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fault
    };
    let round = [
        insert("lose_answer", json!({})),
        insert("fail", json!({ "code": 241 })),
        insert("refuse", json!({})),
        insert("slow", json!({ "delay_ms": 300 })),
    ];
    // An answer that comes after the node has given up: the rows are there, and come again.
    let late = insert("slow", json!({ "delay_ms": 2_500, "count": 2 }));
    let faults: Vec<_> = (0..3).flat_map(|_| round.clone()).chain([late]).collect();
    let (found, expected) = (rows(&events, &faults), rows(&events, &[]));
    assert!(
        expected.len() > 20 && expected["fact_workflow_sessions"]["rows"] != 0,
        "{expected:#?}"
    );
    assert_eq!(found, expected);
}
