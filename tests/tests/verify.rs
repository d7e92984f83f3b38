//! `naap verify` on a network of two organisations and the real capture, and the test of its checks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with what went wrong")]

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use naap_generator::{Plan, Profile};
use naap_tests::script::{MINUTE, Script};
use naap_tests::{DataDir, fixture, program, run};
use serde_json::{Value, json};

/// A network in which nothing is rejected: a dead letter fails the gate on purpose.
fn generate(events: &Path, seed: u64) {
    let profile = Profile { garbage_per_session: 0.0, oversized: false, ..Profile::default() };
    let plan = Plan { seed, sessions: 150, orchestrators: 40, hours: 5, profile };
    let mut out = BufWriter::new(File::create(events).unwrap());
    plan.write(&mut out, None::<&mut Vec<u8>>, &mut |_| ()).unwrap();
}

fn verify(dir: &DataDir, rest: &[&str]) -> Command {
    let mut naap = Command::new(program());
    naap.arg("verify").arg("--data-dir").arg(dir.data()).args(["--output", "json"]).args(rest);
    naap
}

/// Exit code and report.
fn verified(dir: &DataDir, rest: &[&str]) -> (Option<i32>, Value) {
    let output = verify(dir, rest).output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

fn failed(report: &Value) -> Vec<&Value> {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().filter(|check| check["verdict"] == "FAIL").collect()
}

#[test]
fn sound_facts_pass_and_a_contradiction_is_named() {
    let dir = DataDir::new();
    for (seed, org) in [(21, "cloud_spe"), (22, "daydream")] {
        let events = dir.path().join(format!("{org}.jsonl"));
        generate(&events, seed);
        dir.replay(&["--org", org, events.to_str().unwrap()]);
    }
    dir.replay(&[fixture("events-2026-01-08.jsonl")]);
    let (code, report) = verified(&dir, &["--gate", "pr"]);
    assert_eq!((code, failed(&report)), (Some(0), vec![]), "{report:#}");
    assert!(report["checks"].as_array().unwrap().len() > 60);

    // A window, an organisation, single checks.
    let day = ["--from", "2026-01-08", "--to", "2026-01-09", "--org", "cloud_spe"];
    let (code, report) = verified(&dir, &[&day[..], &["--check", "q-20,N-15"]].concat());
    assert_eq!((code, report["checks"].as_array().unwrap().len()), (Some(0), 2), "{report:#}");
    assert_eq!(report["to"], "2026-01-09 00:00:00.000");

    dir.query(
        "INSERT INTO naap.fact_workflow_sessions SELECT * REPLACE(swap_count + 1 AS swap_count, \
         version + 1 AS version) FROM naap.fact_workflow_sessions FINAL ORDER BY workflow_session_id LIMIT 1",
    );
    let (code, report) = verified(&dir, &["--check", "Q-22"]);
    assert_eq!(code, Some(1));
    let found = &failed(&report)[0];
    assert_eq!((&found["rows"], &found["id"]), (&1.into(), &"Q-22".into()));
    assert!(found["examples"][0]["workflow_session_id"].is_string(), "{found}");
    let mut in_text = Command::new(program());
    in_text.arg("verify").arg("--data-dir").arg(dir.data()).args(["--check", "Q-22"]);
    let said = in_text.output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.starts_with("FAIL   Q-22") && said.contains("do: "), "{said}");
    // The gate's table has what holds too.
    let table = [
        "Q-22   FAIL          1 rows  0 rows",
        "N-22   PASS          0.0000  warn > 0.005, fail > 0.01",
    ];
    in_text.args(["--check", "N-22"]);
    let said = String::from_utf8(in_text.output().unwrap().stdout).unwrap();
    assert!(table.iter().all(|line| said.contains(line)), "{said}");
}

/// Backlog 005 (d): whatever figure somebody changes, its table, key, column and difference are named.
#[test]
fn a_figure_that_was_changed_by_hand_is_named() {
    let dir = DataDir::new();
    let events = dir.path().join("events.jsonl");
    generate(&events, 23);
    dir.replay(&[events]);
    let verdict = |report: &Value| report["checks"][0]["verdict"].clone();
    let (code, report) = verified(&dir, &["--check", "R1"]);
    assert_eq!((code, verdict(&report)), (Some(0), "PASS".into()), "{report:#}");
    let changes = [
        ("agg_network_demand_1h", "active_ms", "active_ms + 7", "grain = 'gpu'"),
        ("agg_orchestrator_1h", "gpu_model_name", "'RTX 9999'", "gpu_model_name != ''"),
        ("agg_ingest_quality_1m", "bad_samples", "bad_samples - 1", "bad_samples > 0"),
        ("agg_quality_benchmark_1d", "fps_row_count", "fps_row_count + 1", "1"),
    ];
    for (table, column, value, pick) in changes {
        dir.query(&format!(
            "INSERT INTO naap.{table} SELECT * REPLACE({value} AS {column}, slice_version + 1 AS slice_version)
             FROM (SELECT * FROM naap.{table} FINAL WHERE {pick} ORDER BY window_start LIMIT 1)"
        ));
    }
    let gone = "ALTER TABLE naap.agg_output_fps_5m DELETE WHERE window_start_5m = (
            SELECT max(window_start_5m) FROM naap.agg_output_fps_5m)
        SETTINGS mutations_sync = 2";
    run(Command::new(program()).args(["query", gone, "--data-dir"]).arg(dir.data()));

    let (code, report) = verified(&dir, &["--gate", "pr", "--check", "R1"]);
    assert_eq!((code, verdict(&report)), (Some(1), "FAIL".into()), "{report:#}");
    let examples = report["checks"][0]["examples"].as_array().unwrap();
    for (table, column, ..) in changes {
        let of = |row: &&Value| row["relation"] == table;
        let found: Vec<&Value> = examples.iter().filter(of).collect();
        let [row] = found[..] else { panic!("{table}: {found:#?}") };
        assert_eq!(row["column"], column, "{row}");
        assert!(row["window_start"].is_string() && row["published"] != row["computed"], "{row}");
        let by = match column {
            "active_ms" => json!(7.0),
            "bad_samples" => json!(-1.0),
            "fps_row_count" => json!(1.0),
            _ => Value::Null,
        };
        assert_eq!(row["difference_by"].as_f64(), by.as_f64(), "{row}");
    }
    let gone = examples.iter().find(|row| row["relation"] == "agg_output_fps_5m").unwrap();
    assert_eq!((&gone["published"], &gone["computed"]), (&json!("no row"), &json!("a row")));
    assert_eq!(failed(&report)[0]["rows"], examples.len());

    // A day stands at its begin and has no organisation: each of its hours looks at it.
    let hour = ["--from", "2026-01-01T03:00:00Z", "--to", "2026-01-01T04:00:00Z"];
    let (_, report) =
        verified(&dir, &[&hour[..], &["--org", "cloud_spe", "--check", "R1"]].concat());
    let examples = report["checks"][0]["examples"].as_array().unwrap();
    let of_day = |row: &&Value| row["relation"] == "agg_quality_benchmark_1d";
    assert_eq!(examples.iter().filter(of_day).count(), 1, "{report:#}");
}

/// Nodes that offer free capabilities only have neither hardware nor models in their advertisement: no
/// snapshot, but an orchestrator that serves sessions.
#[test]
fn a_node_without_models_is_advertised_too() {
    let dir = DataDir::new();
    let path = dir.path().join("events.jsonl");
    let node = |address: &str, more: Value| {
        let mut entry = json!({"address": address, "orch_uri": format!("https://{address}")});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    let hardware = json!({"hardware": [{"pipeline": "llm", "model_id": "m"}]});
    let nodes = json!([node("0xa1", json!({"hardware": null})), node("0xb1", hardware)]);
    let sample = json!({
        "stream_id": "s", "request_id": "r", "pipeline": "p", "state": "ONLINE",
        "orchestrator_info": {"address": "0xa1", "url": "https://0xa1"},
    });
    let event = |id: &str, family: &str, ts: &str, data: Value| json!({"id": id, "type": family, "timestamp": ts, "gateway": "g", "data": data});
    let lines = [
        event("c", "network_capabilities", "1772000000000", nodes),
        event("t", "ai_stream_status", "1772000001000", sample),
    ];
    std::fs::write(&path, lines.map(|line| line.to_string()).join("\n")).unwrap();
    dir.replay(&[path]);
    let sessions = dir.query("SELECT orchestrator_address FROM naap.fact_workflow_sessions FINAL");
    assert_eq!(sessions[0]["orchestrator_address"], "0xa1");
    let (code, report) = verified(&dir, &["--check", "Q-30"]);
    assert_eq!((code, failed(&report)), (Some(0), vec![]), "{report:#}");
}

/// Sixty sessions, the first `playing` of which become playable.
fn starting(playing: usize) -> Script {
    let mut script = Script::default();
    for n in 0..60 {
        let (session, at) = (format!("s{n:02}"), 1_772_035_200_000 + 1_000 * n as i64);
        script.trace(at, &session, "gateway_receive_stream_request");
        script.trace(at + 300, &session, "gateway_receive_first_processed_segment");
        if n < playing {
            script.trace(at + 600, &session, "gateway_receive_few_processed_segments");
        }
        script.trace(at + 900, &session, "gateway_ingest_stream_closed");
    }
    script
}

#[test]
fn sessions_that_never_play_fail_the_gate() {
    // U1: warns above 5 %, fails above 10 %.
    for (playing, expected) in [(0, "FAIL"), (53, "FAIL"), (54, "WARN"), (57, "PASS")] {
        let dir = DataDir::new();
        starting(playing).replay(&dir, "events.jsonl");
        let (code, report) = verified(&dir, &["--check", "N-02"]);
        let verdict = &report["checks"][0]["verdict"];
        assert_eq!(verdict, expected, "{playing} of 60 play: {report:#}");
        assert_eq!(code, Some(i32::from(expected == "FAIL")));
    }
}

/// Twenty sessions that meet the targets of the network, but for one of them.
fn on_target(missed: &str) -> Script {
    let begin = 1_772_035_200_000;
    let mut script = Script::default();
    script.advertise(begin - MINUTE, "gw", "o1", &[("GPU-o1", "m1")]);
    for n in 0..20 {
        let (session, at) = (format!("s{n:02}"), begin + 60_000 + 100 * n);
        let is_missed = |target, sessions| missed == target && n < sessions;
        script.trace(at, &session, "gateway_receive_stream_request");
        script.trace(at + 100, &session, "gateway_send_first_ingest_segment");
        let first_out = if missed == "e2e latency, ms" { 3_200 } else { 2_000 };
        script.trace(at + first_out, &session, "runner_send_first_processed_segment");
        // Health is two of three signals then.
        if !is_missed("SLA score", 4) {
            script.trace(at + 3_300, &session, "gateway_receive_first_processed_segment");
        }
        if !is_missed("startup failures", 1) {
            script.trace(at + 3_400, &session, "gateway_receive_few_processed_segments");
        }
        if is_missed("swapped sessions", 1) {
            script.trace(at + 30_000, &session, "orchestrator_swap");
        }
        for sample in 0..12 {
            let frames = if missed == "jitter of frames" { 20 + 10 * (sample % 2) } else { 20 };
            let sampled = at + 4_000 + 5_000 * i64::from(sample);
            script.sample(sampled, &session, ("o1", "m1"), ("ONLINE", frames as u32));
        }
        script.trace(at + 70_000, &session, "gateway_ingest_stream_closed");
    }
    script
}

#[test]
fn each_missed_target_is_reported() {
    let dir = DataDir::new();
    let targets = [
        "startup failures",
        "swapped sessions",
        "jitter of frames",
        "e2e latency, ms",
        "SLA score",
    ];
    for (org, missed) in
        [("none", "")].into_iter().chain(["a", "b", "c", "d", "e"].into_iter().zip(targets))
    {
        let events = dir.path().join(org);
        std::fs::write(&events, on_target(missed).text()).unwrap();
        dir.replay(&["--org", org, events.to_str().unwrap()]);
        let (code, report) = verified(&dir, &["--org", org, "--check", "M1"]);
        let check = &report["checks"][0];
        let found: Vec<&Value> =
            check["examples"].as_array().unwrap().iter().map(|row| &row["kpi"]).collect();
        let expected: Vec<&str> = Some(missed).filter(|kpi| !kpi.is_empty()).into_iter().collect();
        assert_eq!(found, expected, "{check:#}");
        let verdict = if missed.is_empty() { "PASS" } else { "WARN" };
        assert_eq!((code, &check["verdict"]), (Some(0), &verdict.into()), "{check:#}");
    }
}

#[test]
fn an_archive_that_gets_nothing_is_stale() {
    let dir = DataDir::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let mut script = Script::default();
    script.session("s", (now as i64 - 20 * MINUTE, now as i64 - 10 * MINUTE), "o1");
    script.replay(&dir, "events.jsonl");
    // The same events of another organisation, which has been silent for six minutes.
    dir.query(
        "INSERT INTO naap.raw_streaming_events SELECT * REPLACE('silent' AS org, \
         ingestion_timestamp - INTERVAL 6 MINUTE AS ingestion_timestamp) FROM naap.raw_streaming_events FINAL",
    );
    let verdict = |org| {
        let (code, report) = verified(&dir, &["--gate", "release", "--org", org, "--check", "F1"]);
        (code, report["checks"][0]["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(verdict("cloud_spe"), (Some(0), "PASS".to_owned()));
    assert_eq!(verdict("silent"), (Some(1), "FAIL".to_owned()));
}

#[test]
fn what_can_not_be_run_is_refused() {
    let dir = DataDir::new();
    for (args, told) in [
        (vec!["--check", "Q-00"], "--list"),
        (vec!["--gate", "none"], "nightly"),
        (vec!["--from", "2026-01-02", "--to", "2026-01-01"], "--from before --to"),
        (vec!["--gates", "/nowhere/gates.toml"], "can not be read"),
        (vec![], "no data folder"),
    ] {
        let output = verify(&dir, &args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(told), "{args:?}: {said}");
    }
    let mut nobody = Command::new(program());
    let output = nobody.args(["verify", "--url", "http://127.0.0.1:1"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len(), said.lines().count()),
        (Some(2), 0, 1),
        "{said}"
    );
    assert!(said.contains("can not ask http://127.0.0.1:1"), "{said}");
}

#[test]
fn each_seeded_fault_is_found_by_its_check_alone() {
    let mut naap = Command::new(program());
    let output = run(naap.args(["verify", "--self-test", "--output", "json"]));
    let tested = naap_tests::json(&output);
    assert_eq!(tested["problems"], serde_json::json!([]), "{tested:#}");
    assert!(tested["faults"].as_u64() > Some(50), "{tested}");
}
