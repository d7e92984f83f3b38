//! `naap explain` and `naap backfill` on the real capture, with the real engine.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use naap_tests::script::{Script, url};
use naap_tests::{DataDir, fixture, program, run};
use serde_json::{Value, json};

const SESSION: &str = "stream-o5s73x-mk5zc8fy|db936fab";

fn naap(dir: &DataDir, command: &[&str], rest: &[&str]) -> Command {
    let mut naap = Command::new(program());
    naap.args(command).arg("--data-dir").arg(dir.data()).args(rest);
    naap
}

fn explain(dir: &DataDir, rest: &[&str]) -> Command {
    naap(dir, &["explain", "session"], rest)
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn told(dir: &DataDir, id: &str) -> Value {
    naap_tests::json(&run(&mut explain(dir, &["--output", "json", id])))
}

/// Exit code and message.
fn refused(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// The text without the part that names the time of the run.
fn timeless(text: &str) -> String {
    let (story, rest) = text.split_once("\nCORRECTIONS").unwrap();
    let (_, findings) = rest.split_once("\nFINDINGS").unwrap();
    format!("{story}\nFINDINGS{findings}")
}

/// Compares with a committed file, or rewrites it with `NAAP_UPDATE=1`.
fn assert_same(name: &str, actual: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explained").join(name);
    if std::env::var_os("NAAP_UPDATE").is_some() {
        std::fs::write(&file, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(expected, actual, "{} is out of date; run with NAAP_UPDATE=1", file.display());
}

fn capture() -> Vec<Value> {
    let lines = std::fs::read_to_string(fixture("events-2026-01-08.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn written(dir: &DataDir, name: &str, events: &[Value]) -> PathBuf {
    let path = dir.path().join(name);
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}

#[test]
fn the_capture_is_explained() {
    let dir = DataDir::new();
    dir.replay(&[fixture("events-2026-01-08.jsonl")]);
    assert_same("capture.txt", &timeless(&text(&run(&mut explain(&dir, &[SESSION])))));
    // The stream id and the beginning of the id name the same session.
    let whole = told(&dir, SESSION);
    for id in ["stream-o5s73x-mk5zc8fy", "stream-o5"] {
        assert_eq!(told(&dir, id), whole, "{id}");
    }
    assert_eq!(whole["findings"], json!([]));
    assert_eq!(whole["rule"]["number"], 2);
    assert_eq!(whole["told_from"]["archive"], true);
    let timeline = whole["timeline"].as_array().unwrap();
    assert_eq!(timeline.len(), 23);
    assert_eq!(timeline[2]["what"], "runner_receive_first_ingest_segment");
    assert_eq!(
        (&timeline[2]["clock_domain"], &timeline[2]["skew_ms"]),
        (&json!("runner"), &json!(-2))
    );
    let asked = &whole["selections"][0]["asked"][0];
    assert_eq!(asked["candidates"][0]["fate"], "chosen");
    assert_eq!(asked["candidates"][0]["band"], "mapped_future");
    assert_eq!(asked["candidates"][0]["distance_ms"], 74_007);
    assert_eq!(whole["selections"][0]["decision"], asked["decision"]);
    let stored = dir.query("SELECT attribution_source FROM naap.fact_workflow_sessions FINAL");
    assert_eq!(whole["session"]["attribution_source"], stored[0]["attribution_source"]);
    let all = text(&run(&mut explain(&dir, &["--all", SESSION])));
    assert_eq!(all.matches(" fps out, ").count(), 17, "{all}");
}

/// Two orchestrators sign with one wallet, the gateway names no URI, and the stream never plays.
#[test]
fn an_ambiguous_failure_is_explained() {
    let dir = DataDir::new();
    let mut events = capture();
    events.retain(|event| event["data"]["type"] != "gateway_receive_few_processed_segments");
    for event in &mut events {
        if event["data"]["orchestrator_info"].is_object() {
            event["data"]["orchestrator_info"]["url"] = json!("");
        }
    }
    let mut twin =
        events.iter().find(|event| event["type"] == "network_capabilities").unwrap().clone();
    twin["id"] = json!("twin");
    let node = if twin["data"].is_array() { &mut twin["data"][0] } else { &mut twin["data"] };
    node["address"] = json!("0xe0000000000000000000000000000000000000ee");
    node["orch_uri"] = json!("https://twin.example:8935");
    let trace = |id: &str, ts: i64, kind: &str| {
        json!({ "id": id, "type": "stream_trace", "timestamp": ts.to_string(), "gateway": "", "data": {
            "type": kind, "timestamp": ts, "stream_id": "stream-o5s73x-mk5zc8fy", "request_id": "db936fab",
            "orchestrator_info": { "address": "0x52cf2968b3dc6016778742d3539449a6597d5954", "url": "" },
            "message": "slow",
        }})
    };
    events.push(twin);
    events.push(trace("swap", 1_767_909_120_000, "orchestrator_swap"));
    events.push(trace("close", 1_767_909_125_000, "gateway_ingest_stream_closed"));
    dir.replay(&[written(&dir, "ambiguous.jsonl", &events)]);
    assert_same("ambiguous.txt", &timeless(&text(&run(&mut explain(&dir, &[SESSION])))));
    let fates = |told: &Value| -> Vec<String> {
        let candidates =
            told["selections"][0]["asked"][0]["candidates"].as_array().unwrap().clone();
        candidates.iter().map(|c| c["fate"].as_str().unwrap().to_owned()).collect()
    };
    let told = told(&dir, SESSION);
    assert_eq!(fates(&told), ["ambiguous", "ambiguous"]);
    assert_eq!((&told["rule"]["number"], &told["findings"]), (&json!(5), &json!([])));
}

/// Rows of a moment have the last selection of that moment, and so says the timeline.
#[test]
fn the_timeline_has_the_selections_of_the_rows() {
    let start = 1_772_000_000_000;
    let mut script = Script::default();
    for node in ["a", "b", "c"] {
        script.advertise(start - 60_000, "S", node, &[("GPU-1", "m1")]);
    }
    script.trace(start, "S", "gateway_receive_stream_request");
    script.status(start + 10_000, "S", "a");
    let sent = json!({
        "type": "gateway_send_first_ingest_segment", "timestamp": start + 20_000, "stream_id": "S",
        "request_id": "r-S", "orchestrator_info": {"address": "0xhotb", "url": url("b")},
    });
    script.event(start + 20_000, "S", "stream_trace", &sent);
    script.status(start + 20_000, "S", "c");
    let dir = DataDir::new();
    script.replay(&dir, "events.jsonl");
    let told = told(&dir, "S|r-S");
    let column = |rows: &Value, name: &str| -> Vec<Value> {
        rows.as_array().unwrap().iter().map(|row| row[name].clone()).collect()
    };
    assert_eq!(column(&told["timeline"], "selection"), [json!(null), json!(1), json!(3), json!(3)]);
    let edges = dir.query(
        "SELECT orchestrator_address FROM naap.fact_stream_trace_edges FINAL ORDER BY gateway_ts",
    );
    assert_eq!(column(&json!(edges), "orchestrator_address"), ["", "0xcc"]);
}

#[test]
fn ids_that_name_no_single_session_are_refused() {
    let dir = DataDir::new();
    let mut events = capture();
    let mut other = events.clone();
    for event in &mut other {
        event["id"] = json!(format!("other-{}", event["id"].as_str().unwrap()));
        if event["data"].is_object() {
            event["data"]["request_id"] = json!("zz'\\");
        }
    }
    events.extend(other);
    dir.replay(&[written(&dir, "two.jsonl", &events)]);
    let (code, said) = refused(&mut explain(&dir, &["stream-o5s73x-mk5zc8fy"]));
    assert_eq!(code, Some(1));
    assert!(said.contains("is not one session; give a longer id or the organisation"), "{said}");
    assert!(
        said.contains(SESSION) && said.contains("stream-o5s73x-mk5zc8fy|zz'\\ (org cloud_spe)"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1);
    let odd = told(&dir, "stream-o5s73x-mk5zc8fy|zz'\\");
    assert_eq!((odd["timeline"].as_array().unwrap().len(), &odd["findings"]), (23, &json!([])));
    let (code, said) = refused(&mut explain(&dir, &["nobody"]));
    assert_eq!(code, Some(1));
    assert!(said.contains("no session has an id that is or begins with 'nobody'"), "{said}");
    let (code, said) = refused(&mut explain(&dir, &["--org", "daydream", SESSION]));
    assert_eq!(code, Some(1));
    assert!(said.contains("no session of org daydream"), "{said}");
}

#[test]
fn without_the_archive_the_facts_are_told() {
    let dir = DataDir::new();
    dir.replay(&[fixture("events-2026-01-08.jsonl")]);
    let truncate = "TRUNCATE TABLE naap.raw_streaming_events";
    run(&mut naap(&dir, &["query"], &[truncate]));
    let told = told(&dir, SESSION);
    assert_eq!(told["told_from"]["archive"], false);
    assert_eq!(told["rule"]["number"], 2);
    assert_eq!(told["session"]["attribution_source"], "mapped_window");
    let finding = told["findings"][0].as_str().unwrap();
    assert!(finding.starts_with("the archive holds 0 of 23 events"), "{finding}");
    let page = text(&run(&mut explain(&dir, &[SESSION])));
    assert!(
        page.contains("told from the stored facts alone")
            && page.contains("candidates stand in the archive")
    );
}

/// The advertisement comes when the orchestrator has given up its time: four days later.
fn left_behind() -> DataDir {
    let dir = DataDir::new();
    let (mut first, late): (Vec<Value>, Vec<Value>) =
        capture().into_iter().partition(|event| event["type"] != "network_capabilities");
    let mut later = late[0].clone();
    let ts: i64 = later["timestamp"].as_str().unwrap().parse().unwrap();
    later["timestamp"] = json!((ts + 4 * 86_400_000).to_string());
    later["id"] = json!("later");
    first.push(later);
    // A replay gives nothing up before its end: this has to be the service, in a folder that keeps
    // rows of old events.
    dir.replay(&[written(&dir, "nothing.jsonl", &[])]);
    for (name, events) in [("first.jsonl", &first), ("late.jsonl", &late)] {
        let events = File::open(written(&dir, name, events)).unwrap();
        run(naap(&dir, &["run"], &[]).stdin(events));
    }
    dir
}

#[test]
fn a_backfill_corrects_once_what_came_too_late() {
    let dir = left_behind();
    let findings = || told(&dir, SESSION)["findings"].to_string();
    assert!(findings().contains("attribution_source is 'unattributed' as stored, 'mapped_window'"));
    let window =
        ["--from", "2026-01-08T21:00:00Z", "--to", "2026-01-08T22:00:00Z", "--output", "json"];
    let backfill = |flag: &str| {
        let arguments = [&window[..], &[flag]].concat();
        naap_tests::json(&run(&mut naap(&dir, &["backfill", "attribution"], &arguments)))
    };
    let before = dir.query("SELECT * FROM naap.fact_workflow_sessions FINAL");
    let dry = backfill("--dry-run");
    assert_eq!(
        dir.query("SELECT * FROM naap.fact_workflow_sessions FINAL"),
        before,
        "nothing is written"
    );
    assert_eq!(dry["sessions"], json!({ "looked_at": 1, "changed": 1, "settled": 0 }));
    let session = json!({
        "table": "fact_workflow_sessions", "before": "unattributed", "after": "mapped_window", "rows": 1
    });
    assert!(dry["rows"].as_array().unwrap().contains(&session), "{dry}");
    let wet = backfill("--allow-old");
    assert_eq!((&wet["rows"], &wet["run_id"]), (&dry["rows"], &dry["run_id"]));
    assert_eq!(findings(), "[]", "the store is what an in-order run writes");
    let again = backfill("--allow-old");
    assert_eq!((&again["sessions"]["changed"], &again["rows"]), (&json!(0), &json!([])));
    let corrections = &told(&dir, SESSION)["corrections"];
    assert!(corrections.to_string().contains("mapped_window"), "{corrections}");
}
