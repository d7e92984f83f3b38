//! The HTTP interface over the real engine: pages, refusals, the story of a session, metrics.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use naap_tests::served::Served;
use naap_tests::{DataDir, fixture};
use serde_json::Value;

const SESSION: &str = "/v1/streaming/sessions/stream-o5s73x-mk5zc8fy%7Cdb936fab";
const DAY: &str = "start=2026-01-08&end=2026-01-09";

/// The capture, twice under other names of organisations.
fn replayed() -> DataDir {
    let dir = DataDir::new();
    dir.replay(&[fixture("events-2026-01-08.jsonl")]);
    let other = dir.path().join("other.jsonl");
    let text = std::fs::read_to_string(fixture("events-2026-01-08.jsonl")).unwrap();
    std::fs::write(&other, text.replace("db936fab", "0b936fab")).unwrap();
    dir.replay(&["--org", "daydream", other.to_str().unwrap()]);
    dir
}

#[test]
fn facts_are_served_by_pages_and_refusals_are_sentences() {
    let dir = replayed();
    let served = Served::folder(&dir, &["http.max_rows=5"]);
    let all = served.get(&format!("/v1/streaming/demand?{DAY}&limit=5"));
    let rows = all["data"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "one row of each organisation: {all:#}");
    assert_eq!(all["pagination"]["has_more"], false);
    assert!(rows[0]["window_start"].as_str().unwrap().ends_with("T21:00:00.000Z"), "{}", rows[0]);

    // Pages of one row are the same rows, each once.
    let first = served.get(&format!("/v1/streaming/demand?{DAY}&limit=1"));
    let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
    let second = served.get(&format!("/v1/streaming/demand?{DAY}&limit=1&cursor={cursor}"));
    assert_eq!([&first["data"][0], &second["data"][0]], [&rows[0], &rows[1]]);
    assert_eq!(second["pagination"]["next_cursor"], Value::Null);

    // What was not measured is null, also where 0 would be easy.
    let one = served.get(&format!("/v1/streaming/demand?{DAY}&org=daydream"));
    assert_eq!(one["data"].as_array().unwrap().len(), 1);
    let sla = served.get("/v1/streaming/sla?start=2026-01-08&end=2026-01-09");
    let without = served.get("/v1/streaming/gpu-metrics?start=2026-01-07&end=2026-01-08");
    assert_eq!(without["data"], Value::Array(Vec::new()), "{sla}");

    for (target, status, told) in [
        ("/v1/streaming/demand?page=2", 400, "unknown parameter"),
        ("/v1/streaming/demand?limit=6", 400, "from 1 to 5"),
        ("/v1/streaming/demand?start=2020-01-01", 400, "too long"),
        ("/v1/streaming/nothing", 404, "openapi.json"),
        ("/nothing", 404, "openapi.json"),
        ("/v1/streaming/sessions/nobody", 404, "no session"),
        ("/v1/streaming/sessions/stream-o5s73x", 409, "not one session"),
    ] {
        let (found, problem) = served.refused(target);
        assert_eq!(found, status, "{target}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(told), "{target}: {problem}");
    }
    assert_eq!(served.request("POST", "/v1/streaming/demand").0, 405);

    let story = served.get(&format!("{SESSION}?org=cloud_spe"));
    assert_eq!(story["data"]["rule"]["number"], 2);
    assert_eq!(story["data"]["findings"], Value::Array(Vec::new()));
    let checks = served.get("/v1/quality/checks");
    let checks = checks["data"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["id"] == "Q-20" && check["last"].is_null()));

    assert_eq!(served.request("GET", "/healthz").0, 200);
    assert_eq!(served.request("GET", "/readyz").0, 200);
    let (_, _, metrics) = served.request("GET", "/metrics");
    assert!(
        metrics.contains("naap_http_requests_total{path=\"/v1/streaming/{list}\",status=\"200\"}"),
        "{metrics}"
    );
}

#[test]
fn the_document_describes_every_field_of_the_answers() {
    let dir = replayed();
    let served = Served::folder(&dir, &[]);
    let document = served.get("/openapi.json");
    for list in ["gpu-metrics", "demand", "sla", "inventory"] {
        let schema = &document["components"]["schemas"][list];
        let described = schema["properties"].as_object().unwrap();
        let window = if list == "inventory" { "" } else { DAY };
        let answer = served.get(&format!("/v1/streaming/{list}?{window}"));
        for row in answer["data"].as_array().unwrap() {
            let row = row.as_object().unwrap();
            let names: Vec<_> = row.keys().collect();
            assert_eq!(names, described.keys().collect::<Vec<_>>(), "{list}");
        }
        let undescribed = described.values().filter(|field| field["description"] == "").count();
        assert_eq!(undescribed, 0, "{list}");
    }
}
