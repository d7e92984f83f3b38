//! A service from standard input forgets a session, and what comes for it later changes no fact.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use naap_tests::{DataDir, json, program, run};
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000;
const SETTINGS: [&str; 5] = [
    "cluster.shards=1",
    "retention.state=1h",
    "passivation.idle=1s",
    "passivation.after_close=1s",
    "commit.flush_interval=100ms",
];

fn now() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

/// A trace of session `stream|r`.
fn trace(id: &str, stream: &str, ts: i64, kind: &str) -> Value {
    json!({ "id": id, "type": "stream_trace", "timestamp": ts.to_string(), "gateway": "gw", "data": {
        "type": kind, "timestamp": ts, "stream_id": stream, "request_id": "r",
        "orchestrator_info": { "address": "", "url": "" }, "message": "",
    }})
}

struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(dir: &DataDir) -> Self {
        // The port is free for long enough.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut command = Command::new(program());
        command.arg("run").arg("--data-dir").arg(dir.data());
        let listen = format!("http.listen={address}");
        for setting in SETTINGS.into_iter().chain([listen.as_str()]) {
            command.args(["--set", setting]);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        Self { child, address }
    }

    fn send(&mut self, event: &Value) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{event}").unwrap();
        input.flush().unwrap();
    }

    /// A sample of the metrics; `None` before it is there.
    fn metric(&self, sample: &str) -> Option<f64> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let head = "GET /metrics HTTP/1.1\r\nHost: naap\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let line = answer.lines().find(|line| line.starts_with(sample))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Keeps event time going with another session until the metric is there.
    fn until(&mut self, sample: &str, ticks: &mut u64) {
        let started = Instant::now();
        while self.metric(sample) != Some(1.0) {
            assert!(started.elapsed() < Duration::from_mins(2), "{sample} does not come to 1");
            *ticks += 1;
            let id = format!("tick-{ticks}");
            self.send(&trace(&id, "clock", now(), "gateway_receive_stream_request"));
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn a_forgotten_session_keeps_its_facts_whatever_comes_late() {
    let dir = DataDir::new();
    let then = now() - 80 * HOUR;
    let mut service = Service::start(&dir);
    service.send(&trace("a", "old", then, "gateway_receive_stream_request"));
    service.send(&trace("b", "old", then + 5_000, "gateway_receive_few_processed_segments"));
    service.send(&trace("c", "old", then + 60_000, "gateway_ingest_stream_closed"));
    let mut ticks = 0;
    service.until("naap_state_expired_total{kind=\"session\"}", &mut ticks);
    service.send(&trace("late", "old", then + 30_000, "gateway_receive_first_processed_segment"));
    service.until("naap_late_expired_total{family=\"stream_trace\"}", &mut ticks);
    service.end();

    let count = |table: &str, filter: &str| {
        dir.number(&format!("SELECT count() AS n FROM naap.{table} FINAL WHERE {filter}"))
    };
    let of = "stream_id = 'old'";
    assert_eq!(count("raw_stream_trace_events", of), 4, "every signal has its typed row");
    let edges = "startsWith(workflow_session_id, 'old|')";
    assert_eq!(count("fact_stream_trace_edges", &format!("{edges} AND NOT is_deleted")), 3);
    let session = dir.query(&format!(
        "SELECT event_count, startup_outcome FROM naap.fact_workflow_sessions FINAL WHERE {edges}"
    ));
    assert_eq!(session, [json!({ "event_count": 3, "startup_outcome": "success" })]);

    let naap = |arguments: &[&str]| {
        let mut naap = Command::new(program());
        naap.args(arguments).arg("--data-dir").arg(dir.data());
        naap.args(["--set", "cluster.shards=1", "--set", "retention.state=1h", "--output", "json"]);
        json(&run(&mut naap))
    };
    let told = naap(&["explain", "session", "old|r"]);
    let at = told["expired_at"].as_i64().unwrap();
    assert!(at > then + 48 * HOUR && at <= now(), "{at}");
    assert_eq!((&told["told_from"]["late_expired"], &told["findings"]), (&json!(1), &json!([])));
    let told = naap(&["explain", "session", "clock|r"]);
    assert_eq!(told["expired_at"], Value::Null, "its session is kept");
    let report = naap(&[
        "backfill",
        "attribution",
        "--from",
        "2020-01-01T00:00:00Z",
        "--to",
        "2100-01-01T00:00:00Z",
        "--dry-run",
    ]);
    assert_eq!(report["sessions"]["expired"], 1, "{report}");
}
