//! The generator against its own promises, and its truth against a second reading of its lines.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use naap_generator::{Plan, Profile, Summary, Totals};
use serde_json::Value;
use sha2::{Digest, Sha256};

struct Output {
    summary: Summary,
    events: Vec<u8>,
    header: Value,
    sessions: Vec<Value>,
}

fn run(plan: &Plan) -> Output {
    let (mut events, mut truth) = (Vec::new(), Vec::new());
    let summary = plan.write(&mut events, Some(&mut truth), &mut |_| {}).unwrap();
    let mut lines = truth
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap());
    let header = lines.next().unwrap();
    Output { summary, events, header, sessions: lines.collect() }
}

/// The default plan: 2,000 sessions.
static DEFAULT: LazyLock<Output> = LazyLock::new(|| run(&Plan::default()));

fn lines(output: &Output) -> impl Iterator<Item = &[u8]> {
    output.events.split(|b| *b == b'\n').filter(|l| !l.is_empty())
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or("")
}

fn number(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_else(|| panic!("{key} of {value}"))
}

fn small() -> Plan {
    Plan { seed: 7, sessions: 300, orchestrators: 24, hours: 2, profile: Profile::default() }
}

/// Sum of a table of the totals.
fn sum(table: &BTreeMap<&str, u64>) -> u64 {
    table.values().sum()
}

fn add_up(totals: &Totals) {
    let outcomes = sum(&totals.accepted_by_family)
        + sum(&totals.ignored)
        + sum(&totals.dead_letters)
        + sum(&totals.quarantined);
    assert_eq!(totals.lines, outcomes);
    assert_eq!(totals.lines, sum(&totals.events_by_family));
}

#[test]
fn the_same_plan_gives_the_same_bytes_everywhere() {
    let (mut events, mut truth) = (Vec::new(), Vec::new());
    small().write(&mut events, Some(&mut truth), &mut |_| {}).unwrap();
    assert_eq!(hex::encode(Sha256::digest(&events)), EVENTS_HASH);
    assert_eq!(hex::encode(Sha256::digest(&truth)), TRUTH_HASH);
}

const EVENTS_HASH: &str = "851aef53485d33add6815c26ad8f139e5a57427f89fbb16ea35cb28d7a96d02d";
const TRUTH_HASH: &str = "1389b2947dd03222bef253bfa3fa632ab9dc47a64988cf1444c4eba69da0c142";

#[test]
fn the_truth_does_not_change_the_events() {
    let mut events = Vec::new();
    let summary = small().write(&mut events, None::<&mut Vec<u8>>, &mut |_| {}).unwrap();
    let with_truth = run(&small());
    assert!(events == with_truth.events);
    assert_eq!(summary, with_truth.summary);
}

#[test]
fn other_seeds_give_other_networks() {
    let other = run(&Plan { seed: 8, ..small() });
    let ids = |o: &Output| {
        o.sessions.iter().map(|s| s["workflow_session_id"].clone()).collect::<HashSet<_>>()
    };
    assert!(ids(&run(&small())).is_disjoint(&ids(&other)));
}

#[test]
fn totals_add_up_and_are_announced_in_the_header() {
    let output = &*DEFAULT;
    let totals = &output.summary.totals;
    add_up(totals);
    assert_eq!(totals.lines, lines(output).count() as u64);
    assert_eq!(output.summary.bytes, output.events.len() as u64);
    assert_eq!(number(&output.header, "lines") as u64, totals.lines);
    assert_eq!(number(&output.header, "sessions") as u64, totals.sessions);
    for (name, table) in [
        ("events_by_family", &totals.events_by_family),
        ("accepted_by_family", &totals.accepted_by_family),
        ("ignored", &totals.ignored),
        ("dead_letters", &totals.dead_letters),
        ("quarantined", &totals.quarantined),
    ] {
        assert_eq!(output.header[name], serde_json::to_value(table).unwrap());
    }
    assert!((60_000..100_000).contains(&totals.lines), "{}", totals.lines);
}

#[test]
fn lost_sessions_are_not_in_the_truth() {
    let output = &*DEFAULT;
    assert!(output.summary.lost_sessions > 0);
    assert_eq!(output.sessions.len() as u64, output.summary.totals.sessions);
    assert_eq!(output.summary.totals.sessions + output.summary.lost_sessions, 2000);
    let distinct: HashSet<_> =
        output.sessions.iter().map(|s| text(s, "/workflow_session_id")).collect();
    assert_eq!(distinct.len(), output.sessions.len());
}

/// A signal as a reader of the lines sees it.
struct Seen {
    order: (i64, u8, String),
    event: Value,
}

/// Accepted signals by session: first delivery of each id, allow-listed subtypes only.
fn read_signals(output: &Output) -> HashMap<String, Vec<Seen>> {
    let mut ids = HashSet::new();
    let mut sessions: HashMap<String, Vec<Seen>> = HashMap::new();
    for line in lines(output) {
        let Ok(event) = serde_json::from_str::<Value>(&String::from_utf8_lossy(line)) else {
            continue;
        };
        let rank = match text(&event, "/type") {
            "stream_trace" => 1,
            "ai_stream_status" => 2,
            "ai_stream_events" => 3,
            _ => continue,
        };
        let subtype = text(&event, "/data/type");
        let stream = text(&event, "/data/stream_id").trim();
        if stream.is_empty()
            || stream.starts_with("garbage")
            || rank == 1 && !TRACES.contains(&subtype)
        {
            continue;
        }
        let uid = text(&event, "/id").to_owned();
        assert!(!uid.is_empty());
        if !ids.insert(uid.clone()) {
            continue;
        }
        let envelope = event["timestamp"]
            .as_i64()
            .or_else(|| event["timestamp"].as_str()?.parse().ok())
            .unwrap();
        let stamp = event.pointer("/data/timestamp").and_then(Value::as_i64);
        let ord_ts = match stamp {
            Some(t)
                if rank == 1
                    && !subtype.starts_with("runner_")
                    && (t - envelope).abs() <= 86_400_000 =>
            {
                t
            }
            _ => envelope,
        };
        let key = format!("{stream}|{}", text(&event, "/data/request_id").trim());
        sessions.entry(key).or_default().push(Seen { order: (ord_ts, rank, uid), event });
    }
    sessions
}

const TRACES: [&str; 11] = [
    "gateway_receive_stream_request",
    "gateway_send_first_ingest_segment",
    "runner_receive_stream_request",
    "runner_receive_first_ingest_segment",
    "runner_send_first_processed_segment",
    "gateway_receive_first_processed_segment",
    "gateway_receive_few_processed_segments",
    "gateway_receive_first_data_segment",
    "gateway_no_orchestrators_available",
    "orchestrator_swap",
    "gateway_ingest_stream_closed",
];

fn traces<'a>(seen: &'a [Seen], subtype: &'a str) -> impl Iterator<Item = &'a Seen> {
    seen.iter().filter(move |s| s.order.1 == 1 && text(&s.event, "/data/type") == subtype)
}

fn notices<'a>(seen: &'a [Seen], kind: &'a str) -> impl Iterator<Item = &'a Seen> {
    seen.iter()
        .filter(move |s| s.order.1 == 3 && text(&s.event, "/data/type").eq_ignore_ascii_case(kind))
}

fn first(mut seen: Vec<i64>) -> Option<i64> {
    seen.sort_unstable();
    seen.first().copied()
}

/// Earliest order time, with accepted `start_time`s in milliseconds or seconds.
fn start(seen: &[Seen]) -> i64 {
    let starts = seen.iter().filter_map(|s| {
        let v = s.event.pointer("/data/start_time")?.as_f64()?;
        let ms = if v < 1e11 { (v * 1000.0).round() } else { v } as i64;
        (0..=86_400_000).contains(&(s.order.0 - ms)).then_some(ms)
    });
    starts.chain(seen.iter().map(|s| s.order.0)).min().unwrap()
}

#[test]
fn truth_agrees_with_the_lines() {
    let plan = Plan {
        sessions: 800,
        hours: 6,
        profile: Profile { id_conflicts: 0, ..Profile::default() },
        ..Plan::default()
    };
    let output = run(&plan);
    let mut seen_sessions = read_signals(&output);
    for session in &output.sessions {
        let mut seen =
            seen_sessions.remove(text(session, "/workflow_session_id")).unwrap_or_default();
        seen.sort_by(|a, b| a.order.cmp(&b.order));
        let count = |n: usize| Value::from(n);
        let times = |subtype: &str| traces(&seen, subtype).map(|s| s.order.0).collect::<Vec<_>>();
        let closed = times("gateway_ingest_stream_closed").into_iter().max();
        let late = |s: &&Seen| closed.is_some_and(|c| s.order.0 > c);
        let samples: Vec<_> = seen.iter().filter(|s| s.order.1 == 2).collect();
        let sick = samples.iter().filter(|s| {
            !matches!(text(&s.event, "/data/inference_status/last_error"), "" | "null")
        });
        let expected = [
            ("event_count", count(seen.len())),
            ("source_first_event_uid", Value::from(seen[0].order.2.as_str())),
            ("source_last_event_uid", Value::from(seen[seen.len() - 1].order.2.as_str())),
            ("session_start_ts", Value::from(start(&seen))),
            ("session_end_ts", Value::from(seen[seen.len() - 1].order.0)),
            ("closed_ts", Value::from(closed)),
            ("known_stream", count(times("gateway_receive_stream_request").len().min(1))),
            (
                "first_stream_request_ts",
                Value::from(first(times("gateway_receive_stream_request"))),
            ),
            (
                "first_processed_ts",
                Value::from(first(times("gateway_receive_first_processed_segment"))),
            ),
            (
                "first_playable_ts",
                Value::from(first(times("gateway_receive_few_processed_segments"))),
            ),
            ("confirmed_swap_count", count(times("orchestrator_swap").len())),
            ("no_orchestrators", count(times("gateway_no_orchestrators_available").len().min(1))),
            ("error_count", count(notices(&seen, "error").count())),
            ("post_close_error_count", count(notices(&seen, "error").filter(late).count())),
            ("post_close_signal_count", count(seen.iter().filter(late).count())),
            ("params_update_count", count(notices(&seen, "params_update").count())),
            ("status_sample_count", count(samples.len())),
            ("status_error_sample_count", count(sick.count())),
        ];
        for (key, value) in expected {
            assert_eq!(session[key], value, "{key} of {session}");
        }
    }
    assert!(seen_sessions.is_empty(), "{:?}", seen_sessions.keys());
}

#[test]
fn duplicates_repeat_the_content() {
    let output = run(&Plan { sessions: 500, hours: 6, ..Plan::default() });
    let mut contents: HashMap<String, Value> = HashMap::new();
    let mut duplicates = 0;
    for line in lines(&output) {
        let Ok(mut event) = serde_json::from_slice::<Value>(line) else { continue };
        let Some(fields) = event.as_object_mut() else { continue };
        fields.retain(|key, _| !key.starts_with("__replay"));
        let Some(id) = fields.get("id").and_then(Value::as_str).map(str::to_owned) else {
            continue;
        };
        if let Some(earlier) = contents.get(&id) {
            assert_eq!(*earlier, event);
            duplicates += 1;
        } else {
            contents.insert(id, event);
        }
    }
    assert!(duplicates > 50 && duplicates <= output.summary.totals.duplicates());
}

#[test]
fn sessions_keep_the_invariants_of_the_contract() {
    for session in &DEFAULT.sessions {
        let n = |key| number(session, key);
        let (known, success) = (n("known_stream"), n("startup_success"));
        let classes = success + n("startup_excused") + n("startup_unexcused");
        assert_eq!(classes, if known == 1 { 1 } else { success }, "{session}");
        assert!(n("session_start_ts") <= n("session_end_ts"));
        assert!(n("session_end_ts") - n("session_start_ts") < 5 * 3_600_000, "{session}");
        assert!(session["closed_ts"].as_i64().is_none_or(|closed| closed <= n("session_end_ts")));
        assert!(n("excusable_error_count") <= n("error_count"));
        assert!(n("post_close_error_count") <= n("error_count").min(n("post_close_signal_count")));
        assert!(n("status_error_sample_count") <= n("status_sample_count"));
        assert!(n("health_signal_count") <= 3);
        assert_eq!(n("health_expected_signal_count"), 3 * known);
        let explained =
            session["startup_outcome"] == "failed" && session["excusal_reason"] != "none";
        assert_eq!(n("startup_excused") == 1, explained);
        let explicit = |s: &&Value| s["swap_kind"] == "explicit";
        let swaps = session["swaps"].as_array().unwrap();
        assert_eq!(swaps.iter().filter(explicit).count() as i64, n("confirmed_swap_count"));
        for swap in swaps {
            assert_eq!(
                swap["outcome"] == "completed",
                swap["next"] != "" && swap["next"] != swap["previous"]
            );
        }
    }
}

/// Values of `key` over all entries of a list of all sessions.
fn values(sessions: &[Value], list: &str, key: &str) -> BTreeMap<String, u32> {
    let mut all = BTreeMap::new();
    for entry in sessions.iter().flat_map(|s| s[list].as_array().unwrap()) {
        *all.entry(entry[key].as_str().unwrap().to_owned()).or_default() += 1;
    }
    all
}

#[test]
fn every_case_occurs() {
    let output = &*DEFAULT;
    let has = |name: &str| output.summary.tags.get(name).is_some_and(|n| *n > 0);
    let missing: Vec<_> = CASES.into_iter().filter(|case| !has(case)).collect();
    assert!(missing.is_empty(), "{missing:?} of {:?}", output.summary.tags);
    let reasons = ["resolved", "hardware_less", "stale", "ambiguous", "unresolved"];
    let statuses = values(&output.sessions, "selections", "status");
    assert!(reasons.into_iter().all(|r| statuses.contains_key(r)), "{statuses:?}");
    let outcomes =
        ["completed", "same_orchestrator_retry", "no_replacement", "pending", "unresolved"];
    let swaps = values(&output.sessions, "swaps", "outcome");
    assert!(outcomes.into_iter().all(|o| swaps.contains_key(o)), "{swaps:?}");
    assert_eq!(values(&output.sessions, "swaps", "swap_kind").len(), 2);
    let totals = &output.summary.totals;
    let dead = [
        "json_parse_error",
        "root_not_object",
        "missing_type",
        "missing_timestamp",
        "missing_data",
        "unsupported_version",
        "missing_field",
        "empty_array",
        "invalid_data_shape",
        "bad_unit",
        "implausible_timestamp",
        "record_too_large",
    ];
    assert_eq!(totals.dead_letters.keys().copied().collect::<HashSet<_>>(), HashSet::from(dead));
    assert_eq!(totals.ignored.len(), 4);
    assert!(totals.quarantined["future_timestamp"] > 0);
}

const CASES: [&str; 51] = [
    "normal",
    "long",
    "swap_completed",
    "swap_retry",
    "swap_no_replacement",
    "swap_unresolved",
    "swap_pending",
    "swap_inferred",
    "no_orchestrators",
    "selection_timeout",
    "excusable_failure",
    "product_failure",
    "loading_only",
    "zero_fps",
    "never_known",
    "no_close",
    "byoc",
    "whip",
    "start_time_quirk",
    "label_quirk",
    "skewed_runner",
    "sticky_error",
    "identity_gap",
    "trace_stamp_unusable",
    "payment_in_eth",
    "output_before_input",
    "params_update",
    "restart",
    "restart_big_logs",
    "other_ai_event",
    "runner_error",
    "type_in_upper_case",
    "error_without_label",
    "two_swaps",
    "several_closes",
    "post_close",
    "selection_after_close",
    "stream_reuse",
    "request_reuse",
    "gateway_named",
    "batch_loss",
    "batch_retry",
    "mirror_burst",
    "session_loss",
    "replayed_duplicate",
    "no_id",
    "address_only",
    "number_time",
    "explicit_version",
    "padded_ids",
    "gateway_missing",
];

/// What the capability lines say about one URL.
#[derive(Default)]
struct Advertised {
    times: Vec<i64>,
    canonicals: HashSet<String>,
    /// GPUs of each model.
    gpus: HashMap<String, HashSet<String>>,
}

fn read_advertisements(output: &Output) -> HashMap<String, Advertised> {
    let mut all: HashMap<String, Advertised> = HashMap::new();
    // Parsing every line would take most of the time of this test.
    let named = |l: &&[u8]| l.windows(22).take(80).any(|w| w == b"\"network_capabilities\"");
    let documents =
        lines(output).filter(named).filter_map(|l| serde_json::from_slice::<Value>(l).ok());
    for event in documents.filter(|e| text(e, "/type") == "network_capabilities") {
        let Ok(ts) = text(&event, "/timestamp").parse() else { continue };
        for entry in event["data"].as_array().into_iter().flatten() {
            let at = all.entry(text(entry, "/orch_uri").to_owned()).or_default();
            at.times.push(ts);
            at.canonicals.insert(text(entry, "/address").to_ascii_lowercase());
            for element in entry["hardware"].as_array().into_iter().flatten() {
                let gpus = at.gpus.entry(text(element, "/model_id").to_owned()).or_default();
                let info = element["gpu_info"].as_object().into_iter().flatten();
                gpus.extend(info.map(|(_, gpu)| text(gpu, "/id").to_owned()));
            }
        }
    }
    all
}

#[test]
fn attribution_rests_on_advertised_capabilities() {
    let advertised = read_advertisements(&DEFAULT);
    let none = HashSet::new();
    let mut direct = 0;
    for selection in DEFAULT.sessions.iter().flat_map(|s| s["selections"].as_array().unwrap()) {
        let url = text(selection, "/url").to_ascii_lowercase();
        let found = advertised.get(url.trim_end_matches('/'));
        let (status, ts) = (text(selection, "/status"), number(selection, "ts"));
        if url.is_empty() || !matches!(status, "resolved" | "hardware_less" | "stale") {
            let stranger = found.is_none() || selection["reason"] == "no_compatible_candidate";
            assert!(url.is_empty() || stranger, "{selection}");
            continue;
        }
        let found = found.unwrap_or_else(|| panic!("{selection}"));
        assert!(found.canonicals.iter().all(|c| c == text(selection, "/canonical")), "{selection}");
        // Direct: first seen at most 30 s later, last seen at most 10 min earlier.
        let (first, last) = (found.times.iter().min().unwrap(), found.times.iter().max().unwrap());
        assert!(first - 30_000 <= ts && ts <= last + 600_000 || status == "stale", "{selection}");
        direct += u32::from(selection["source"] == "direct");
        let offered = found.gpus.get(text(selection, "/model")).unwrap_or(&none);
        match text(selection, "/gpu") {
            "" => assert!(offered.len() != 1 || status != "resolved", "{selection}"),
            gpu => assert!(offered.contains(gpu), "{selection}"),
        }
        assert!(status != "hardware_less" || offered.is_empty(), "{selection}");
    }
    assert!(direct > 1500, "{direct}");
}

#[test]
fn lines_arrive_out_of_event_order() {
    let output = run(&small());
    let times: Vec<i64> = lines(&output)
        .filter_map(|l| serde_json::from_slice::<Value>(l).ok())
        .filter_map(|e| e["timestamp"].as_str()?.parse().ok())
        .collect();
    let backwards = times.windows(2).filter(|w| w[0] > w[1]).count();
    assert!(backwards * 10 > times.len(), "{backwards} of {}", times.len());
}

#[test]
fn a_clean_plan_is_accepted_whole() {
    let output = run(&Plan { profile: Profile::clean(), ..small() });
    let totals = &output.summary.totals;
    add_up(totals);
    assert_eq!(totals.accepted(), totals.lines);
    assert_eq!(totals.sessions, 300);
    let mut ids = HashSet::new();
    for line in lines(&output) {
        let event: Value = serde_json::from_slice(line).unwrap();
        assert!(ids.insert(text(&event, "/id").to_owned()));
        assert!(serde_json::to_vec(&event).unwrap().len() < 1_000_000);
    }
}

#[test]
fn id_conflicts_are_flagged() {
    let profile = Profile { id_conflicts: 3, ..Profile::clean() };
    let output = run(&Plan { profile, ..small() });
    assert_eq!(output.summary.totals.quarantined["id_conflict"], 3);
    assert_eq!(output.sessions.iter().filter(|s| s["id_conflict"] == true).count(), 3);
}

#[test]
fn plans_out_of_bounds_are_refused() {
    let plan = Plan { orchestrators: 3, ..small() };
    let error = plan.write(&mut Vec::new(), None::<&mut Vec<u8>>, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "orchestrators is 3; choose a number from 4 to 10000");
}
