//! A second, simple reading of the quality gate (contract events.md 6.1, decisions.md) over the lines,
//! against the totals of the truth.

use std::collections::{BTreeMap, HashSet};

use naap_generator::{Plan, Profile};
use serde_json::Value;

const MIN_MS: i64 = 1_577_836_800_000;
const MAX_MS: i64 = 4_102_444_800_000;
const LIFECYCLE_TRACES: [&str; 11] = [
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

fn epoch_ms(value: &Value) -> Option<i64> {
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse().ok()).flatten();
    value.as_i64().or_else(|| digits(value.as_str()?.trim()))
}

fn required(family: &str) -> &'static [&'static str] {
    match family {
        "stream_trace" | "ai_stream_events" => &["stream_id", "request_id", "type"],
        "ai_stream_status" => &["stream_id", "request_id", "pipeline"],
        "stream_ingest_metrics" => &["stream_id", "request_id"],
        "create_new_payment" => &[
            "sessionID",
            "manifestID",
            "sender",
            "recipient",
            "orchestrator",
            "faceValue",
            "numTickets",
            "price",
            "winProb",
        ],
        _ => &[],
    }
}

/// Why a trace is no lifecycle trace.
fn ignored_trace(data: &Value) -> Option<&'static str> {
    let subtype = data["type"].as_str().unwrap_or("");
    if subtype.to_lowercase().starts_with("app_") {
        Some("ignored_stream_trace_non_core_app")
    } else if data["client_source"] == "scope" {
        Some("ignored_stream_trace_scope_client_noise")
    } else {
        (!LIFECYCLE_TRACES.contains(&subtype)).then_some("unsupported_trace_subtype")
    }
}

/// Outcome of one line; empty when the gate lets it through.
fn gate(line: &[u8]) -> &'static str {
    let Ok(root) = serde_json::from_str::<Value>(&String::from_utf8_lossy(line)) else {
        return "json_parse_error";
    };
    let Some(fields) = root.as_object() else { return "root_not_object" };
    let Some(family) = root["type"].as_str() else { return "missing_type" };
    let Some(ts) = epoch_ms(&root["timestamp"]) else { return "missing_timestamp" };
    let Some(data) = fields.get("data") else { return "missing_data" };
    let known = !required(family).is_empty()
        || matches!(family, "discovery_results" | "network_capabilities");
    if !known {
        return "unsupported_event_family";
    }
    if fields.get("version").is_some_and(|v| *v != "1" && *v != "v1" && *v != 1) {
        return "unsupported_version";
    }
    if ts < MIN_MS {
        return "implausible_timestamp";
    }
    if ts >= MAX_MS {
        return "future_timestamp";
    }
    if let Some(reason) =
        (family == "stream_trace" && data.is_object()).then(|| ignored_trace(data)).flatten()
    {
        return reason;
    }
    if required(family).iter().any(|field| data[field].is_null() || data[field] == "") {
        return "missing_field";
    }
    if family == "discovery_results" && data.as_array().is_none_or(Vec::is_empty) {
        return "empty_array";
    }
    if family == "network_capabilities" && !data.is_array() && !data.is_object() {
        return "invalid_data_shape";
    }
    let unit = data["faceValue"].as_str().and_then(|v| v.split(' ').nth(1));
    if family == "create_new_payment" && !matches!(unit, Some("WEI" | "ETH")) {
        return "bad_unit";
    }
    if line.len() > 1_000_000 { "record_too_large" } else { "" }
}

#[test]
fn every_line_has_the_outcome_that_the_truth_claims() {
    // Garbage enough for every kind twice.
    let profile = Profile { garbage_per_session: 0.2, ..Profile::default() };
    let plan = Plan { sessions: 300, hours: 3, profile, ..Plan::default() };
    let mut events = Vec::new();
    let totals = plan.write(&mut events, None::<&mut Vec<u8>>, &mut |_| {}).unwrap().totals;
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    let mut ids = HashSet::new();
    for line in events.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let mut outcome = gate(line);
        // The id of every line stands at its start; a line without one is known by its text.
        let id = if line.starts_with(b"{\"id\":\"") { &line[7..43] } else { line };
        if outcome.is_empty() && !ids.insert(id.to_owned()) {
            outcome = "duplicate_event";
        }
        *found.entry(outcome).or_default() += 1;
    }
    assert_eq!(found.remove(""), Some(totals.accepted()));
    let claimed: BTreeMap<&str, u64> =
        totals.ignored.into_iter().chain(totals.dead_letters).chain(totals.quarantined).collect();
    assert_eq!(found, claimed);
    assert_eq!(claimed.len(), 18);
}
