//! Bad input: every record lands in the right place with the right reason, every usage error is one
//! helpful sentence, and nothing panics.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use naap_tests::{DataDir, program, run};
use serde_json::{Value, json};

const TS: &str = "1767908945298";

fn trace(fields: &Value) -> Vec<u8> {
    let mut root = json!({
        "id": "a", "type": "stream_trace", "timestamp": TS, "gateway": "",
        "data": {"type": "gateway_receive_stream_request", "stream_id": "s", "request_id": "r"},
    });
    for (key, value) in fields.as_object().unwrap() {
        root[key] = value.clone();
    }
    root.to_string().into_bytes()
}

/// One record a line, with the place and reason that it must end in.
fn corpus() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let deep =
        format!(r#"{{"type":"webrtc_stats","timestamp":"{TS}","data":{}"#, "[".repeat(100_000));
    let long = trace(&json!({"id": "long", "note": "x".repeat(2_000_000)}));
    let mut broken_utf8 = trace(&json!({"id": "utf8", "gateway": "gw-@"}));
    let at = broken_utf8.iter().position(|&b| b == b'@').unwrap();
    broken_utf8[at] = 0xff;
    vec![
        (trace(&json!({"id": "good"})), "accepted", ""),
        (broken_utf8, "accepted", ""),
        (text(r#"{"id":"x","type":"stream_tr"#), "dead_lettered", "json_parse_error"),
        (text("not json at all"), "dead_lettered", "json_parse_error"),
        (text(&deep), "dead_lettered", "json_parse_error"),
        (text(r#"{"id":1} trailing"#), "dead_lettered", "json_parse_error"),
        (text("\u{1}\u{2}\u{3}"), "dead_lettered", "json_parse_error"),
        (text(""), "dead_lettered", "root_not_object"),
        (text("[1,2,3]"), "dead_lettered", "root_not_object"),
        (text("null"), "dead_lettered", "root_not_object"),
        (text("{}"), "dead_lettered", "missing_type"),
        (trace(&json!({"type": 7})), "dead_lettered", "missing_type"),
        (trace(&json!({"timestamp": "yesterday"})), "dead_lettered", "missing_timestamp"),
        (trace(&json!({"timestamp": true})), "dead_lettered", "missing_timestamp"),
        (trace(&json!({"timestamp": "0"})), "dead_lettered", "implausible_timestamp"),
        (trace(&json!({"timestamp": 1_767_908_945})), "dead_lettered", "implausible_timestamp"),
        (trace(&json!({"timestamp": "7258118400000"})), "quarantined", "future_timestamp"),
        (trace(&json!({"version": "9"})), "dead_lettered", "unsupported_version"),
        (trace(&json!({"data": null})), "dead_lettered", "missing_field"),
        (
            trace(&json!({"data": {"type": "orchestrator_swap", "stream_id": "s"}})),
            "dead_lettered",
            "missing_field",
        ),
        (
            trace(&json!({"type": "network_capabilities", "data": 5})),
            "dead_lettered",
            "invalid_data_shape",
        ),
        (trace(&json!({"type": "discovery_results", "data": []})), "dead_lettered", "empty_array"),
        (trace(&json!({"type": "webrtc_stats"})), "ignored", "unsupported_event_family"),
        (trace(&json!({"type": ""})), "ignored", "unsupported_event_family"),
        (text(r#"{"type":"webrtc_stats"}"#), "ignored", "unsupported_event_family"),
        (long, "dead_lettered", "record_too_large"),
    ]
}

#[test]
fn each_record_lands_in_its_place() {
    let dir = DataDir::new();
    let path = dir.path().join("bad.jsonl");
    let corpus = corpus();
    let mut file = std::fs::File::create(&path).unwrap();
    let mut expected = json!({"dead_lettered": {}, "quarantined": {}, "ignored": {}});
    let mut accepted = 0;
    for (line, place, reason) in &corpus {
        file.write_all(line).unwrap();
        file.write_all(b"\n").unwrap();
        if *place == "accepted" {
            accepted += 1;
        } else {
            let count = &mut expected[place][reason];
            *count = json!(count.as_u64().unwrap_or(0) + 1);
        }
    }
    drop(file);
    let report = dir.replay(&[&path]);
    let records = &report["records"];
    assert_eq!(records["read"], corpus.len());
    assert_eq!(records["accepted"], accepted);
    for place in ["dead_lettered", "quarantined", "ignored"] {
        assert_eq!(records[place], expected[place], "{place}");
    }
    assert_eq!(records["session_panics"], 0);
    let dead: u64 = corpus.iter().filter(|(_, place, _)| *place == "dead_lettered").count() as u64;
    assert_eq!(dir.number("SELECT count() FROM naap.raw_streaming_events_dlq FINAL"), dead);
    // Without a time of the record or the event that of the reject counts.
    let records = "SELECT event_timestamp, source_record_timestamp FROM naap.raw_streaming_events_dlq FINAL
                   UNION ALL SELECT event_timestamp, source_record_timestamp FROM naap.raw_ignored_events FINAL";
    let timeless = |since: &str| {
        dir.number(&format!(
            "SELECT count() FROM ({records}) WHERE event_timestamp IS NULL AND source_record_timestamp >= {since}"
        ))
    };
    assert_eq!((timeless("now() - INTERVAL 1 HOUR"), timeless("0")), (12, 12));
    let large = dir.query(
        "SELECT failure_stage, failure_class, length(payload_body) > 1000 AS has_head, failure_details
         FROM naap.raw_streaming_events_dlq FINAL WHERE failure_reason = 'record_too_large'",
    );
    assert_eq!(large.len(), 1);
    assert_eq!(large[0]["failure_stage"], "SINK_GUARD");
    assert_eq!(large[0]["failure_class"], "RECORD_TOO_LARGE");
    assert_eq!(large[0]["has_head"], 1);
}

/// Exit code and message of a command that has to fail.
fn refused(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code(), said)
}

fn naap(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(args);
    command
}

#[test]
fn usage_errors_are_one_helpful_sentence() {
    let dir = DataDir::new();
    let data = dir.data();
    let data = data.to_str().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let inside_file = file.join("data");
    let cases: [(&[&str], &str); 8] = [
        (&["replay", "--data-dir", data, "no-such-file.jsonl"], "no-such-file.jsonl"),
        (
            &["replay", "--data-dir", inside_file.to_str().unwrap(), file.to_str().unwrap()],
            "data folder",
        ),
        (&["replay", "--data-dir", data], "FILE"),
        (&["replay", "--data-dir", data, "--duplicate", "2", "x"], "--duplicate"),
        (&["query", "--data-dir", "/nonexistent", "SELECT 1"], "no data folder of naap"),
        (&["query", "SELECT 1"], "--data-dir"),
        (&["frobnicate"], "frobnicate"),
        (
            &["replay", "--data-dir", data, "--set", "commit.flush_intervall=1s", "x"],
            "commit.flush_interval",
        ),
    ];
    for (args, names) in cases {
        let (code, said) = refused(&mut naap(args));
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains(names), "{args:?}: {said}");
        assert!(
            said.starts_with("error: ") && said.trim_end().lines().count() == 1,
            "{args:?}: {said}"
        );
    }
}

#[test]
fn a_file_of_another_shape_gets_a_hint() {
    let dir = DataDir::new();
    let data = dir.data();
    let data = data.to_str().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let event = json!({"value": serde_json::from_slice::<Value>(&trace(&json!({}))).unwrap()});
    let pretty = file("pretty.json", &format!("{:#}", json!([event, event])));
    let compact = file("compact.json", &json!([event]).to_string());
    for array in [&pretty, &compact] {
        let (code, said) = refused(&mut naap(&["replay", "--data-dir", data, array]));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("is a JSON array") && said.contains("jq -c '.[].value'"), "{said}");
    }
    let object = file("object.json", &format!("{event:#}"));
    let (code, said) = refused(&mut naap(&["replay", "--data-dir", data, &object]));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("one event value a line"), "{said}");
    // Lines of which the first one is an array are lines, and blank ones are no mistake.
    let lines = file("lines.jsonl", &format!("[1]\n{}\n", event["value"]));
    assert_eq!(dir.replay(&[&lines])["records"]["accepted"], 1);
    assert_eq!(dir.replay(&[&file("blank.jsonl", "\n\n")])["records"]["read"], 2);
}

#[test]
fn dead_letters_of_parts_are_told_and_quarantine_is_what_the_table_has() {
    let dir = DataDir::new();
    let path = dir.path().join("parts.jsonl");
    let node = json!({"address": "0xa", "orch_uri": "https://a", "local_address": "0xb"});
    let nodes = json!({"id": "c", "type": "network_capabilities", "timestamp": TS, "data": [node, {"address": "@"}]});
    let lines: Vec<Vec<u8>> = vec![
        // Half a character: the entry is no text, the other one is fine.
        nodes.to_string().replace('@', r"\ud800").into_bytes(),
        trace(&json!({"id": "t"})),
        trace(&json!({"id": "t"})),
        trace(&json!({"id": "t", "gateway": "other"})),
        trace(&json!({"id": "f", "timestamp": "7258118400000"})),
    ];
    std::fs::write(&path, lines.join(&b'\n')).unwrap();
    let output = run(&mut naap(&[
        "replay",
        "--data-dir",
        dir.data().to_str().unwrap(),
        path.to_str().unwrap(),
    ]));
    let said = String::from_utf8(output.stdout).unwrap();
    for line in ["accepted        2", "  of parts      1", "quarantined     3", "  id_conflict   "]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(dir.number("SELECT count() FROM naap.raw_streaming_events_quarantine FINAL"), 3);
    assert_eq!(dir.number("SELECT count() FROM naap.raw_streaming_events_dlq FINAL"), 1);
}

#[test]
fn a_row_that_is_too_long_is_a_dead_letter_and_the_others_of_its_record_are_there() {
    let dir = DataDir::new();
    let path = dir.path().join("long.jsonl");
    // Each row of the entry has its URL twice, and the first one its whole text too.
    let uri = format!("https://{}", "u".repeat(450_000));
    let capabilities = json!({"capacities": {"35": 1, "36": 1}});
    let node = json!({"address": "0xa", "orch_uri": uri, "capabilities": capabilities});
    let nodes = trace(&json!({"id": "c", "type": "network_capabilities", "data": [node]}));
    std::fs::write(&path, &nodes).unwrap();
    let report = dir.replay(&[&path]);
    let records = &report["records"];
    assert_eq!(records["accepted"], 1);
    assert_eq!(records["dead_lettered"], json!({}));
    assert_eq!(records["part_letters"], json!({"record_too_large": 1}));
    let letters = dir.query(
        "SELECT part, event_id, failure_stage, failure_class, length(payload_body) AS length, failure_details
         FROM naap.raw_streaming_events_dlq FINAL",
    );
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["part"], 1);
    assert_eq!(letters[0]["event_id"], "c");
    assert_eq!(letters[0]["failure_stage"], "SINK_GUARD");
    assert_eq!(letters[0]["failure_class"], "RECORD_TOO_LARGE");
    assert_eq!(letters[0]["length"], nodes.len());
    let details = letters[0]["failure_details"].as_str().unwrap();
    assert!(details.contains(" raw_network_capabilities_advertised "), "{details}");
    let rows = |table: &str| dir.number(&format!("SELECT count() FROM naap.{table} FINAL"));
    assert_eq!(rows("raw_streaming_events"), 1);
    assert_eq!(rows("raw_network_capabilities_advertised"), 1);
    assert_eq!(rows("dim_orchestrator_capability_advertised_snapshots"), 2);
}

#[test]
fn an_empty_file_is_nothing_and_no_error() {
    let dir = DataDir::new();
    let path = dir.path().join("empty.jsonl");
    std::fs::write(&path, "").unwrap();
    let report = dir.replay(&[&path]);
    assert_eq!(report["records"]["read"], 0);
    assert_eq!(report["sessions"], 0);
}

#[test]
fn standard_input_is_replayed_too() {
    let dir = DataDir::new();
    let mut command = dir.replay_command(&[Path::new("-")]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&trace(&json!({}))).unwrap();
    let report: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(report["records"]["accepted"], 1);
}

#[test]
fn a_mark_before_the_standard_input_of_the_service_spoils_no_record() {
    let dir = DataDir::new();
    let data = dir.data();
    let arguments = ["run", "--set", "http.enabled=false", "--data-dir", data.to_str().unwrap()];
    let mut command = naap(&arguments);
    let mut service = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let input = [b"\xef\xbb\xbf", &trace(&json!({}))[..]].concat();
    service.stdin.take().unwrap().write_all(&input).unwrap();
    let output = service.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("records=1"), "{said}");
    let letters = "SELECT count() FROM naap.raw_streaming_events_dlq FINAL";
    assert_eq!(dir.number(letters), 0);
}

#[test]
fn the_schema_check_sees_a_changed_table() {
    let dir = DataDir::new();
    let data = dir.data();
    let data = data.to_str().unwrap();
    run(&mut naap(&["schema", "apply", "--data-dir", data]));
    run(&mut naap(&["schema", "check", "--data-dir", data]));
    let alter = "ALTER TABLE naap.fact_workflow_sessions RENAME COLUMN gateway TO gate";
    run(&mut naap(&["query", "--data-dir", data, alter]));
    let output = naap(&["schema", "check", "--data-dir", data]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("fact_workflow_sessions") && said.contains("gateway"), "{said}");
}
