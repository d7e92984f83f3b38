//! The HTTP interface over the real engine: pages, refusals, the story of a session, metrics.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use naap_tests::{DataDir, fixture, program};
use serde_json::Value;

const SESSION: &str = "/v1/streaming/sessions/stream-o5s73x-mk5zc8fy%7Cdb936fab";
const DAY: &str = "start=2026-01-08&end=2026-01-09";

/// A served data folder.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(dir: &DataDir, settings: &[&str]) -> Self {
        // The port is free for long enough.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut command = Command::new(program());
        command.arg("serve").arg("--data-dir").arg(dir.data()).args(["--listen", &address]);
        command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let served = Self { child, address };
        let patience = Instant::now();
        while TcpStream::connect(&served.address).is_err() {
            assert!(patience.elapsed() < Duration::from_mins(1), "the interface is not served");
            std::thread::sleep(Duration::from_millis(20));
        }
        served
    }

    /// Status, kind of content and body.
    fn request(&self, method: &str, target: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: naap\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, kind.unwrap_or_default().to_owned(), body.to_owned())
    }

    fn get(&self, target: &str) -> Value {
        let (status, kind, body) = self.request("GET", target);
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{target}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn refused(&self, target: &str) -> (u16, Value) {
        let (status, kind, body) = self.request("GET", target);
        assert_eq!(kind, "application/problem+json", "{target}: {body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["status"], status, "{problem}");
        (status, problem)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A test that failed must not leave a process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
    let served = Served::start(&dir, &["http.max_rows=5"]);
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
    let served = Served::start(&dir, &[]);
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
