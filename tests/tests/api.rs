//! The HTTP interface over the real engine: pages, refusals, the story of a session, metrics.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::cmp::Reverse;

use naap_tests::served::Served;
use naap_tests::{DataDir, fixture};
use serde_json::Value;

const SESSION: &str = "/v1/streaming/sessions/stream-o5s73x-mk5zc8fy%7Cdb936fab";
const DAY: &str = "start=2026-01-08&end=2026-01-09";
/// The day of the scenarios.
const SCENARIOS: &str = "start=2026-02-25&end=2026-02-26";
/// The key of a row of `sla` and `gpu-metrics`, but for the hour, in the order of the answer.
const KEY: [&str; 6] =
    ["org", "orchestrator_address", "pipeline_id", "model_id", "gpu_id", "region"];

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

/// Scenarios of three hours, in two organisations: GPUs that run or only load, and a node without any.
fn scenarios() -> DataDir {
    let dir = DataDir::new();
    let files = ["s1_clean_success", "s6_failed_without_output", "hardware_less", "two_urls"];
    let files = files.map(|name| fixture(&format!("scenarios/{name}.jsonl")));
    for org in ["cloud_spe", "daydream"] {
        let mut arguments = vec!["--org", org];
        arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
        dir.replay(&arguments);
    }
    dir
}

/// These columns of a row, which has to have them.
fn columns(row: &Value, names: &[&str]) -> Vec<Value> {
    let row = row.as_object().unwrap();
    names.iter().map(|name| row[*name].clone()).collect()
}

/// The rows of `list`, each on a page of its own. The first page is asked for with the day of the
/// scenarios, the others with their cursor and `again`.
fn one_by_one(served: &Served, list: &str, again: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut asked = SCENARIOS.to_owned();
    loop {
        let page = served.get(&format!("/v1/streaming/{list}?limit=1&{asked}"));
        let found = page["data"].as_array().unwrap();
        assert_eq!(found.len(), 1, "{list}: {page:#}");
        rows.extend_from_slice(found);
        let next = page["pagination"]["next_cursor"].as_str();
        assert_eq!(page["pagination"]["has_more"], next.is_some(), "{list}: {page:#}");
        let Some(cursor) = next else { return rows };
        assert!(rows.len() < 100, "the pages of {list} have no end");
        asked = format!("cursor={cursor}&{again}");
    }
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

    // Ids are compared without case, whatever the relation has.
    let model = rows[0]["model_id"].as_str().unwrap();
    for spelled in [model.to_uppercase(), model.to_lowercase()] {
        let found = served.get(&format!("/v1/streaming/demand?{DAY}&model_id={spelled}"));
        assert_eq!(found["data"][0], rows[0], "{spelled}");
    }

    // Of one organisation, and of a day without any session.
    let one = served.get(&format!("/v1/streaming/demand?{DAY}&org=daydream"));
    assert_eq!(one["data"].as_array().unwrap().len(), 1);
    let without = served.get("/v1/streaming/demand?start=2026-01-07&end=2026-01-08");
    assert_eq!(without["data"], Value::Array(Vec::new()));

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
fn pages_over_hours_and_nulls_are_the_whole_list() {
    let dir = scenarios();
    let figures = ["status_samples", "avg_output_fps"];
    let names: Vec<&str> = ["window_start"].into_iter().chain(KEY).chain(figures).collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // What the store says, in the order of the answers: NULL stands where '' would.
    let stored = |view: &str| {
        let hour = "concat(replaceOne(toString(window_start), ' ', 'T'), 'Z')";
        let others = names[1..].join(", ");
        let sql = format!("SELECT {hour} AS hour, {others} FROM naap.{view}");
        let mut shown = names.clone();
        shown[0] = "hour";
        let mut rows: Vec<_> = dir.query(&sql).iter().map(|row| columns(row, &shown)).collect();
        rows.sort_by_key(|row| {
            let key: Vec<String> = row[1..=KEY.len()].iter().map(text).collect();
            (Reverse(text(&row[0])), key)
        });
        rows
    };
    let lists = [("gpu-metrics", "v_api_gpu_metrics"), ("sla", "v_api_sla_compliance")];
    let lists = lists.map(|(list, view)| (list, stored(view)));

    let served = Served::folder(&dir, &[]);
    for (list, stored) in &lists {
        let whole = served.get(&format!("/v1/streaming/{list}?{SCENARIOS}"));
        assert_eq!(whole["pagination"]["has_more"], false);
        let whole = whole["data"].as_array().unwrap();
        let told: Vec<_> = whole.iter().map(|row| columns(row, &names)).collect();
        assert_eq!(told, *stored, "{list}");
        let mut hours: Vec<_> = told.iter().map(|row| &row[0]).collect();
        hours.dedup();
        assert!(hours.len() > 1, "{list}: {hours:?}");
        for again in ["", SCENARIOS] {
            assert_eq!(one_by_one(&served, list, again), *whole, "{list}, again {again:?}");
        }
    }
    // Pages end and begin with a key that has a NULL, within an hour.
    let [_, (_, sla)] = &lists;
    let gpu = 1 + KEY.iter().position(|name| *name == "gpu_id").unwrap();
    for place in [0, 1] {
        let found = sla.windows(2).any(|two| two[0][0] == two[1][0] && two[place][gpu].is_null());
        assert!(found, "{place}: {sla:?}");
    }
    assert_nulls(&served);
}

/// What was not measured is null, and what was measured as zero is zero.
fn assert_nulls(served: &Served) {
    let row = |list: &str, orchestrator: &str| {
        let only = format!("org=daydream&orchestrator_address={orchestrator}");
        let answer = served.get(&format!("/v1/streaming/{list}?{SCENARIOS}&{only}"));
        let rows = answer["data"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{answer:#}");
        rows[0].as_object().unwrap().clone()
    };
    // It runs from the fourth second on.
    let running = row("gpu-metrics", "0xco1");
    assert_eq!(running["avg_startup_latency_ms"].as_f64(), Some(4000.0));
    // It loads until it fails: samples without frames, and no start.
    let loading = row("gpu-metrics", "0xco6a");
    assert_eq!(loading["avg_output_fps"].as_f64(), Some(0.0));
    assert_eq!(loading["avg_startup_latency_ms"], Value::Null);
    // It has no GPU that anybody knows.
    let bare = row("sla", "0xcbare");
    assert_eq!(bare["avg_output_fps"].as_f64(), Some(18.0));
    assert_eq!(bare["gpu_id"], Value::Null);
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
