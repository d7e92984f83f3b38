//! Generated networks against their truth, in any order and with repeated deliveries.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use naap_generator::Plan;
use naap_tests::{DataDir, total};
use serde_json::{Map, Value};

struct Network {
    events: PathBuf,
    totals: Value,
    sessions: BTreeMap<String, Map<String, Value>>,
}

fn generate(dir: &Path, seed: u64, sessions: u64) -> Network {
    let events = dir.join("events.jsonl");
    let truth = dir.join("truth.jsonl");
    let plan = Plan { seed, sessions, ..Plan::default() };
    let mut out = BufWriter::new(File::create(&events).unwrap());
    let mut told = BufWriter::new(File::create(&truth).unwrap());
    plan.write(&mut out, Some(&mut told), &mut |_| ()).unwrap();
    drop((out, told));
    let mut lines = BufReader::new(File::open(&truth).unwrap()).lines();
    let mut next =
        || lines.next().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let totals = next().unwrap();
    let mut sessions = BTreeMap::new();
    while let Some(Value::Object(session)) = next() {
        let id = session["workflow_session_id"].as_str().unwrap().to_owned();
        sessions.insert(id, session);
    }
    Network { events, totals, sessions }
}

/// Fields of the truth that the session fact has under the same name; times in milliseconds.
const FIELDS: [&str; 25] = [
    "stream_id",
    "request_id",
    "gateway",
    "known_stream",
    "startup_success",
    "startup_excused",
    "startup_unexcused",
    "startup_outcome",
    "excusal_reason",
    "selection_outcome",
    "selection_count",
    "error_count",
    "excusable_error_count",
    "post_close_error_count",
    "post_close_signal_count",
    "confirmed_swap_count",
    "params_update_count",
    "status_sample_count",
    "status_error_sample_count",
    "loading_only_session",
    "zero_output_fps_session",
    "last_error_occurred",
    "event_count",
    "source_first_event_uid",
    "source_last_event_uid",
];

const TIMES: [&str; 6] = [
    "session_start_ts",
    "session_end_ts",
    "closed_ts",
    "first_stream_request_ts",
    "first_processed_ts",
    "first_playable_ts",
];

fn assert_sessions(dir: &DataDir, truth: &BTreeMap<String, Map<String, Value>>) {
    let times: Vec<String> = TIMES
        .iter()
        .map(|t| {
            format!("if(isNull({t}), NULL, toUnixTimestamp64Milli(assumeNotNull({t}))) AS {t}_ms")
        })
        .collect();
    let sql = format!(
        "SELECT workflow_session_id, {}, health_signal_count, health_expected_signal_count, {}
         FROM naap.fact_workflow_sessions FINAL",
        FIELDS.join(", "),
        times.join(", ")
    );
    let rows = dir.query(&sql);
    assert_eq!(rows.len(), truth.len(), "sessions");
    let mut wrong = Vec::new();
    for row in rows {
        let id = row["workflow_session_id"].as_str().unwrap();
        let Some(expected) = truth.get(id) else {
            wrong.push(format!("{id}: not in the truth"));
            continue;
        };
        let more = ["health_signal_count", "health_expected_signal_count"];
        for field in FIELDS.iter().chain(&more) {
            if row[field] != expected[*field] {
                wrong.push(format!("{id} {field}: {} instead of {}", row[field], expected[*field]));
            }
        }
        for field in TIMES {
            let found = &row[format!("{field}_ms")];
            if *found != expected[field] {
                wrong.push(format!("{id} {field}: {found} instead of {}", expected[field]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}

/// Identity columns of a session, and the names that the truth has for them.
const IDENTITY: [(&str, &str); 8] = [
    ("attribution_status", "status"),
    ("attribution_reason", "reason"),
    ("attribution_source", "source"),
    ("orchestrator_address", "canonical"),
    ("pipeline", "pipeline"),
    ("model_id", "model"),
    ("gpu_id", "gpu"),
    ("gpu_candidate_count", "gpu_candidates"),
];

/// The selection that speaks for a session: the last resolved one up to the close, else the last.
fn spokesman(session: &Map<String, Value>) -> Option<&Value> {
    let selections = session["selections"].as_array().unwrap();
    let closed = session["closed_ts"].as_i64().unwrap_or(i64::MAX);
    let mut counted = selections.iter().filter(|s| s["ts"].as_i64() <= Some(closed)).rev();
    let last = counted.clone().next();
    counted.find(|s| s["canonical"] != "").or(last)
}

/// Who served, and where nobody is named, why: exactly where evidence is missing.
fn assert_identities(dir: &DataDir, truth: &BTreeMap<String, Map<String, Value>>) {
    let columns = IDENTITY.map(|(column, _)| column).join(", ");
    let rows = dir.query(&format!(
        "SELECT workflow_session_id, {columns} FROM naap.fact_workflow_sessions FINAL"
    ));
    let mut statuses: BTreeMap<&str, u32> = BTreeMap::new();
    for row in &rows {
        let session = &truth[row["workflow_session_id"].as_str().unwrap()];
        *statuses.entry(row["attribution_status"].as_str().unwrap()).or_default() += 1;
        let Some(told) = spokesman(session) else {
            let found = ["attribution_status", "attribution_reason", "orchestrator_address"];
            assert_eq!(found.map(|column| &row[column]), ["unresolved", "no_selection", ""]);
            continue;
        };
        for (column, name) in IDENTITY.iter().filter(|_| told.get("unsure").is_none()) {
            assert_eq!(row[column], told[name], "{column} of {row}, not as in {told}");
        }
    }
    for status in ["resolved", "hardware_less", "stale", "unresolved"] {
        assert!(statuses.contains_key(status), "no session is {status}: {statuses:?}");
    }
}

/// The rows of `sql` by session, without the session's name.
fn by_session(dir: &DataDir, sql: &str) -> BTreeMap<String, Vec<Value>> {
    let mut sessions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for mut row in dir.query(sql) {
        let id = row.as_object_mut().and_then(|row| row.remove("workflow_session_id"));
        sessions.entry(id.unwrap().as_str().unwrap().to_owned()).or_default().push(row);
    }
    sessions
}

/// Segments and swap lineage, row by row.
fn assert_lineage(dir: &DataDir, truth: &BTreeMap<String, Map<String, Value>>) {
    let segments = by_session(
        dir,
        "SELECT workflow_session_id, toUnixTimestamp64Milli(segment_start_ts) AS start,
                if(isNull(segment_end_ts), NULL,
                   toUnixTimestamp64Milli(assumeNotNull(segment_end_ts))) AS end,
                orchestrator_address AS canonical
         FROM naap.fact_workflow_session_segments FINAL
         ORDER BY workflow_session_id, segment_index",
    );
    let swaps = by_session(
        dir,
        "SELECT workflow_session_id, toUnixTimestamp64Milli(swap_ts) AS ts, swap_kind, outcome,
                swap_reason AS reason, previous_orchestrator_address AS previous,
                next_orchestrator_address AS next
         FROM naap.fact_workflow_swaps FINAL ORDER BY workflow_session_id, swap_index",
    );
    for (kind, found) in [("segments", segments), ("swaps", swaps)] {
        assert!(found.keys().all(|id| truth.contains_key(id)), "{kind} of unknown sessions");
        for (id, session) in truth {
            let told = session[kind].as_array().unwrap();
            let rows = found.get(id).map_or(&[][..], |rows| rows);
            assert_eq!(rows.len(), told.len(), "{kind} of {id}: {rows:#?}, not {told:#?}");
            let sure = rows.iter().zip(told).filter(|(_, told)| told.get("unsure").is_none());
            sure.for_each(|(row, told)| assert_eq!(row, told, "{kind} of {id}"));
        }
    }
}

/// How long after the close a sample still belongs to whom was in force (clarification 28).
const CLOSE_GRACE_MS: i64 = 5_000;

/// The selection in force for a sample or an edge at `t`, or why there is none (clarification 30).
fn in_force(session: &Map<String, Value>, t: i64) -> Result<&Value, &'static str> {
    let closed = session["closed_ts"].as_i64().unwrap_or(i64::MAX);
    let selections = session["selections"].as_array().unwrap();
    let counts = |selection: &Value| selection["ts"].as_i64() <= Some(closed);
    match selections.iter().rev().find(|s| s["ts"].as_i64() <= Some(t)) {
        _ if t > closed.saturating_add(CLOSE_GRACE_MS) => Err("after_close"),
        Some(selection) if !counts(selection) => Err("after_close"),
        _ if !selections.iter().any(counts) => Err("no_selection"),
        None => Err("pre_selection"),
        Some(selection) => Ok(selection),
    }
}

/// The identity columns of a sample or an edge are those of the selection in force.
fn assert_force(row: &Value, force: Result<&Value, &'static str>) -> bool {
    let selection = match force {
        Ok(selection) if selection.get("unsure").is_some() => return false,
        force => force.ok().filter(|selection| selection["canonical"] != ""),
    };
    assert_eq!(row["is_attributed"], u8::from(selection.is_some()), "{row}");
    let Some(selection) = selection else {
        let reason = match force.map(|selection| selection["status"].as_str()) {
            Err(reason) => reason,
            Ok(Some("ambiguous")) => "ambiguous_selection",
            Ok(_) => "unresolved_selection",
        };
        let found = ["attribution_reason", "orchestrator_address", "model_id", "gpu_id"];
        assert_eq!(found.map(|column| &row[column]), [reason, "", "", ""], "{row}");
        return false;
    };
    for (column, name) in IDENTITY {
        assert_eq!(row[column], selection[name], "{column} of {row}, not as in {selection}");
    }
    true
}

/// Every single sample and edge is there once, says what its event said, and names whom it belongs to.
fn assert_samples(dir: &DataDir, truth: &BTreeMap<String, Map<String, Value>>) {
    let identity = IDENTITY.map(|(column, _)| column).join(", ");
    for (table, list, said) in [
        (
            "fact_stream_status_samples",
            "samples",
            "state, toUInt32(round(output_fps * 1000)) AS output_fps",
        ),
        ("fact_stream_trace_edges", "edges", "trace_type"),
    ] {
        let rows = by_session(
            dir,
            &format!(
                "SELECT workflow_session_id, source_event_uid AS uid,
                        toUnixTimestamp64Milli(gateway_ts) AS ts, {said}, is_attributed, {identity}
                 FROM naap.{table} FINAL ORDER BY workflow_session_id, gateway_ts, uid"
            ),
        );
        assert!(rows.keys().all(|id| truth.contains_key(id)), "{table} of unknown sessions");
        let (mut count, mut attributed) = (0, 0);
        for (id, session) in truth {
            let told = session[list].as_array().unwrap();
            let found = rows.get(id).map_or(&[][..], |rows| rows);
            assert_eq!(found.len(), told.len(), "{table} of {id}");
            for (row, told) in found.iter().zip(told) {
                for (column, value) in told.as_object().unwrap() {
                    assert_eq!(
                        row[column], *value,
                        "{column} of {row} in {table}, not as in {told}"
                    );
                }
                let force = in_force(session, told["ts"].as_i64().unwrap());
                attributed += usize::from(assert_force(row, force));
            }
            count += found.len();
        }
        assert!(attributed > count / 4, "{table}: only {attributed} of {count}");
    }
}

fn assert_counts(report: &Value, totals: &Value) {
    let records = &report["records"];
    assert_eq!(records["read"], totals["lines"]);
    assert_eq!(records["accepted"], totals["accepted"]);
    assert_eq!(records["duplicates"], totals["duplicates"]);
    assert_eq!(records["ignored"], totals["ignored"]);
    assert_eq!(records["dead_lettered"], totals["dead_letters"]);
    assert_adds_up(report);
}

/// Every record ends in exactly one place, and the tables hold what the counts say.
fn assert_adds_up(report: &Value) {
    let records = &report["records"];
    let count = |name: &str| records[name].as_u64().unwrap();
    let rejected = total(&records["dead_lettered"]) + total(&records["quarantined"]);
    let ended =
        ["accepted", "duplicates", "conflicts", "redelivered"].map(count).iter().sum::<u64>();
    assert_eq!(count("read"), ended + total(&records["ignored"]) + rejected);
    let rows = |table: &str| report["rows"][table].as_u64().unwrap();
    assert_eq!(rows("raw_streaming_events_dlq"), total(&records["dead_lettered"]));
    assert_eq!(rows("raw_ignored_events"), total(&records["ignored"]));
    assert_eq!(
        rows("raw_streaming_events_quarantine"),
        total(&records["quarantined"]) + count("duplicates") + count("conflicts")
    );
    for (relation, fingerprint) in report["fingerprints"].as_object().unwrap() {
        assert_eq!(fingerprint["duplicate_keys"], 0, "{relation}");
    }
}

/// Relations whose rows stand for deliveries and not for events.
const PER_DELIVERY: [&str; 4] = [
    "raw_streaming_events",
    "raw_streaming_events_dlq",
    "raw_streaming_events_quarantine",
    "raw_ignored_events",
];

#[test]
fn three_networks_come_out_as_they_were() {
    for seed in [1, 2, 3] {
        let dir = DataDir::new();
        let network = generate(dir.path(), seed, 300);
        let report = dir.replay(&[&network.events]);
        assert_counts(&report, &network.totals);
        assert_sessions(&dir, &network.sessions);
        assert_identities(&dir, &network.sessions);
        assert_lineage(&dir, &network.sessions);
        assert_samples(&dir, &network.sessions);
        any_order_and_repetition(&network, &report, seed);
    }
}

fn any_order_and_repetition(network: &Network, plain: &Value, seed: u64) {
    let events = network.events.to_str().unwrap();
    let shuffled = DataDir::new();
    let report = shuffled.replay(&["--shuffle", &seed.to_string(), events]);
    assert_counts(&report, &network.totals);
    assert_eq!(report["fingerprints"], plain["fingerprints"], "a shuffle changes no relation");

    let repeated = DataDir::new();
    let report = repeated.replay(&["--shuffle", "99", "--duplicate", "0.2", events]);
    assert_adds_up(&report);
    assert_sessions(&repeated, &network.sessions);
    let records = &report["records"];
    assert_eq!(records["accepted"], network.totals["accepted"]);
    let extra =
        report["files"]["deliveries"].as_u64().unwrap() - network.totals["lines"].as_u64().unwrap();
    assert!(extra > network.totals["lines"].as_u64().unwrap() / 10, "a fifth is delivered twice");
    for (relation, fingerprint) in report["fingerprints"].as_object().unwrap() {
        if !PER_DELIVERY.contains(&relation.as_str()) {
            assert_eq!(*fingerprint, plain["fingerprints"][relation], "{relation}");
        }
    }
    let growth = |report: &Value| {
        let records = &report["records"];
        records["duplicates"].as_u64().unwrap()
            + total(&records["ignored"])
            + total(&records["dead_lettered"])
            + total(&records["quarantined"])
    };
    assert_eq!(growth(&report) - growth(plain), extra, "every extra delivery is accounted for");
}
