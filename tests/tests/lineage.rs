//! The lineage view in the real engine (backlog 010), over rows of known content.

use std::process::Command;

use naap_tests::{DataDir, program, run};
use serde_json::{Value, json};

const SESSIONS: &str = "INSERT INTO naap.fact_workflow_sessions
    (org, workflow_session_id, gateway, segment_count, swap_row_count, session_start_ts, version)
    VALUES ('o', 's|r', 'gw', 3, 2, now64(3), 5), ('o', 'pending', 'gw', 1, 1, now64(3), 5),
        ('o', 'quiet', 'gw', 1, 0, now64(3), 5), ('other', 's|r', 'gw2', 1, 0, now64(3), 5)";

/// Of the first session index 3 is stale, and index 1 has an older version.
const SEGMENTS: &str = "INSERT INTO naap.fact_workflow_session_segments
    (org, workflow_session_id, segment_index, orchestrator_address, segment_start_ts, version)
    VALUES ('o', 's|r', 2, '0xa', now64(3), 3), ('o', 's|r', 0, '0xa', now64(3), 3),
        ('o', 's|r', 1, '0xb', now64(3), 3), ('o', 's|r', 1, '0xold', now64(3), 2),
        ('o', 's|r', 3, '0xstale', now64(3), 3), ('o', 'pending', 0, '', now64(3), 3),
        ('o', 'quiet', 0, '0xa', now64(3), 3), ('other', 's|r', 0, '0xc', now64(3), 3)";

/// Of the first session index 2 is stale, and index 1 has an older version.
const SWAPS: &str = "INSERT INTO naap.fact_workflow_swaps
    (org, workflow_session_id, swap_index, swap_kind, outcome, previous_orchestrator_address,
     next_orchestrator_address, swap_ts, gap_ms, version)
    VALUES ('o', 's|r', 0, 'explicit', 'completed', '0xa', '0xb', now64(3), 1000, 3),
        ('o', 's|r', 1, 'inferred', 'completed', '0xb', '0xa', now64(3), 0, 3),
        ('o', 's|r', 1, 'explicit', 'pending', '0xb', '', now64(3), NULL, 2),
        ('o', 's|r', 2, 'inferred', 'completed', '0xa', '0xstale', now64(3), 0, 3),
        ('o', 'pending', 0, 'explicit', 'pending', '', '', now64(3), NULL, 3)";

fn schema(dir: &DataDir, verb: &str) -> Command {
    let mut command = Command::new(program());
    command.args(["schema", verb, "--data-dir"]).arg(dir.data());
    command
}

#[test]
fn the_view_has_every_valid_swap_row_once_with_the_path_of_its_session() {
    let dir = DataDir::new();
    run(&mut schema(&dir, "apply"));
    for rows in [SESSIONS, SEGMENTS, SWAPS] {
        run(Command::new(program()).args(["query", rows, "--data-dir"]).arg(dir.data()));
    }
    let found = dir.query(
        "SELECT * EXCEPT swap_ts FROM naap.v_session_orchestrator_lineage
         ORDER BY workflow_session_id, swap_index",
    );
    let row = |session: &str, index: u16, kind: &str, outcome: &str| {
        json!({
            "org": "o", "workflow_session_id": session, "swap_index": index, "gateway": "gw",
            "swap_kind": kind, "outcome": outcome,
        })
    };
    let with = |mut row: Value, from: &str, to: &str, gap: Value, path: &[&str]| {
        row["from_orchestrator_address"] = json!(from);
        row["to_orchestrator_address"] = json!(to);
        row["gap_ms"] = gap;
        row["orchestrator_path"] = json!(path);
        row
    };
    let path = ["0xa", "0xb", "0xa"];
    let expected = [
        with(row("pending", 0, "explicit", "pending"), "", "", Value::Null, &[]),
        with(row("s|r", 0, "explicit", "completed"), "0xa", "0xb", json!(1000), &path),
        with(row("s|r", 1, "inferred", "completed"), "0xb", "0xa", json!(0), &path),
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_column_of_the_view_is_explained_and_a_missing_view_is_found() {
    let dir = DataDir::new();
    run(&mut schema(&dir, "apply"));
    let view = "v_session_orchestrator_lineage";
    let columns = "FROM system.columns WHERE database = 'naap' AND table =";
    assert_eq!(dir.number(&format!("SELECT count() {columns} '{view}'")), 11);
    assert_eq!(dir.number(&format!("SELECT count() {columns} '{view}' AND comment = ''")), 0);
    run(&mut schema(&dir, "check"));
    dir.query(&format!("DROP VIEW naap.{view}"));
    let said = schema(&dir, "check").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    assert!(said.is_ok_and(|said| said.contains(&format!("view {view} is missing"))));
}
