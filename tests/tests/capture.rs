//! The real capture and the real capability documents: every count as the contract expands them
//! (events.md 4.3, 7.2).
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::io::Write;

use naap_tests::{DataDir, fixture};
use serde_json::{Value, json};

#[test]
fn the_capture_becomes_what_the_contract_says() {
    let dir = DataDir::new();
    let report = dir.replay(&[fixture("events-2026-01-08.jsonl")]);
    let records = &report["records"];
    assert_eq!(records["read"], 65);
    assert_eq!(records["accepted"], 65);
    assert_eq!(
        records["accepted_by_family"],
        json!({
            "ai_stream_status": 17,
            "create_new_payment": 6,
            "discovery_results": 1,
            "network_capabilities": 1,
            "stream_ingest_metrics": 34,
            "stream_trace": 6,
        })
    );
    // No gateway of the capture has a label.
    assert_eq!(records["without_gateway"], records["accepted_by_family"]);
    let expected = [
        ("raw_streaming_events", 65),
        ("raw_ai_stream_status", 17),
        ("raw_stream_ingest_metrics", 34),
        ("raw_stream_trace_events", 6),
        ("raw_ai_stream_events", 0),
        ("raw_discovery_results", 1),
        ("raw_payment_events", 6),
        ("raw_network_capabilities", 1),
        ("raw_network_capabilities_advertised", 16),
        ("raw_network_capabilities_model_constraints", 1),
        ("raw_network_capabilities_prices", 1),
        ("raw_streaming_events_dlq", 0),
        ("raw_streaming_events_quarantine", 0),
        ("raw_ignored_events", 0),
        ("fact_workflow_sessions", 1),
    ];
    for (table, rows) in expected {
        assert_eq!(report["rows"][table], rows, "{table}");
    }
    assert_session(&dir);
}

fn assert_session(dir: &DataDir) {
    let rows = dir.query(
        "SELECT workflow_session_id, startup_outcome, selection_outcome, selection_count,
                toInt64(toUnixTimestamp64Milli(session_start_ts)) AS start,
                toInt64(toUnixTimestamp64Milli(assumeNotNull(session_end_ts))) AS end,
                toUnixTimestamp64Milli(assumeNotNull(first_processed_ts)) - start AS startup,
                toUnixTimestamp64Milli(assumeNotNull(first_playable_ts)) - start AS playable,
                is_closed, status_sample_count, event_count, model_id, pipeline, observed_address,
                health_signal_count, gateway
         FROM naap.fact_workflow_sessions FINAL",
    );
    let expected = json!([{
        "workflow_session_id": "stream-o5s73x-mk5zc8fy|db936fab",
        "startup_outcome": "success",
        "selection_outcome": "selected",
        "selection_count": 1,
        "start": 1_767_908_945_298_i64,
        "end": 1_767_909_115_610_i64,
        "startup": 2655,
        "playable": 6744,
        "is_closed": 0,
        "status_sample_count": 17,
        "event_count": 23,
        "model_id": "streamdiffusion-sdxl-faceid",
        "pipeline": "live-video-to-video",
        "observed_address": "0x52cf2968b3dc6016778742d3539449a6597d5954",
        "health_signal_count": 3,
        "gateway": "",
    }]);
    assert_eq!(Value::Array(rows), expected);
}

/// A file is the same input whenever it is named again, and another one under another organisation.
#[test]
fn a_file_is_one_input_of_each_organisation() {
    let dir = DataDir::new();
    let file = fixture("events-2026-01-08.jsonl");
    let file = file.to_str().unwrap();
    let told = |arguments: &[&str]| {
        let report = dir.replay(arguments);
        let count = |of: &str, name: &str| report[of][name].as_u64().unwrap();
        [count("records", "read"), count("records", "accepted"), count("files", "already_applied")]
    };
    assert_eq!(told(&[file, file]), [65, 65, 65]);
    assert_eq!(told(&["--org", "daydream", file]), [65, 65, 0]);
    assert_eq!(told(&["--org", "daydream", file]), [0, 0, 65]);
    assert_eq!(told(&[file]), [0, 0, 65]);
    let sessions =
        dir.query("SELECT org, event_count FROM naap.fact_workflow_sessions FINAL ORDER BY org");
    let expected = json!([
        {"org": "cloud_spe", "event_count": 23},
        {"org": "daydream", "event_count": 23},
    ]);
    assert_eq!(Value::Array(sessions), expected);
}

/// Rows per table for a document: snapshots without and with the models that have no hardware,
/// advertised, constraints, prices (events.md 4.3).
#[test]
fn the_capability_documents_expand_to_the_contract_counts() {
    for (file, entries, matched, counts, repeated) in [
        ("getNetworkCapabilities.json", 53, 22, [22, 1, 1235, 18, 44], 26),
        ("getNetworkCapabilities-ai-batch-byoc.json", 40, 42, [45, 12, 911, 29, 39], 0),
    ] {
        let dir = DataDir::new();
        let text = std::fs::read_to_string(fixture(file)).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["orchestrators"].as_array().unwrap().len(), entries);
        let event = json!({
            "id": "capability-document",
            "type": "network_capabilities",
            "timestamp": "1767908945298",
            "gateway": "",
            "data": document["orchestrators"],
        });
        let path = dir.path().join("event.jsonl");
        writeln!(std::fs::File::create(&path).unwrap(), "{event}").unwrap();
        let report = dir.replay(&[path]);
        let rows = &report["rows"];
        let [hardware, without, advertised, constraints, prices] = counts;
        assert_eq!(rows["raw_network_capabilities"], hardware + without, "{file}");
        assert_eq!(rows["dim_orchestrator_capability_snapshots"], hardware + without, "{file}");
        assert_eq!(rows["raw_network_capabilities_advertised"], advertised, "{file}");
        assert_eq!(rows["raw_network_capabilities_model_constraints"], constraints, "{file}");
        assert_eq!(rows["raw_network_capabilities_prices"], prices, "{file}");
        assert_eq!(rows["raw_streaming_events_dlq"], 0, "{file}");
        // One of the 53 entries stands there twice: the dimensions say its 26 capabilities once.
        let said =
            "SELECT count() FROM naap.dim_orchestrator_capability_advertised_snapshots FINAL";
        assert_eq!(dir.number(said), advertised - repeated, "{file}");
        // What fits no model or price is marked, and prices of 0 are.
        let marks = dir.query(
            "SELECT countIf(snapshot_source = 'hardware') AS hardware, countIf(snapshot_source = 'hardware' AND model_matched) AS matched,
                 countIf((price_match = 'none') = (price_per_unit IS NULL) AND price_match != '') = count() AS marked,
                 uniqExact(price_match) AS kinds, countIf(orch_uri_norm = lower(orch_uri)) = count() AS uris
             FROM naap.raw_network_capabilities FINAL",
        );
        let prices =
            "SELECT countIf(price_usable != (price_per_unit > 0 AND pixels_per_unit > 0)) AS wrong
             FROM naap.raw_network_capabilities_prices FINAL";
        let expected =
            json!([{"hardware": hardware, "matched": matched, "marked": 1, "kinds": 2, "uris": 1}]);
        assert_eq!(Value::Array(marks), expected, "{file}");
        assert_eq!(dir.number(prices), 0);
    }
}
