//! Sessions end while their shards move: what is left of them moves along, and late events change nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use naap_tests::stage::{
    Node, PATIENCE, SHARDS, Team, assert_same, bootstrap, data_dir, fingerprints, free_port,
};
use serde_json::{Value, json};

/// When the generated network begins, ms.
const BEGIN: i64 = 1_767_225_600_000;
const HOUR: i64 = 3_600_000;

/// A node whose metrics can be read.
struct Shown {
    node: Node,
    port: u16,
}

impl Shown {
    /// Starts a node whose sessions end as soon as they can: after 25 h.
    fn start(start: impl FnOnce(&[&str]) -> Node) -> Self {
        let port = free_port();
        let listen = format!("http.listen=127.0.0.1:{port}");
        let settings = [
            "retention.state=1h",
            "retention.kept=1h",
            "passivation.idle=1s",
            "passivation.after_close=1s",
            listen.as_str(),
        ];
        Self { node: start(&settings), port }
    }

    /// Sum of a metric over its labels.
    fn sum(&self, metric: &str) -> u64 {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return 0 };
        let head = "GET /metrics HTTP/1.1\r\nHost: naap\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let lines = text.lines().filter(|line| line.starts_with(&format!("{metric}{{")));
        let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        lines.filter_map(value).sum::<f64>() as u64
    }
}

/// Waits until this holds; `again` is done before each look.
fn until(what: &str, nodes: &[&Shown], mut again: impl FnMut(), holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        if since.elapsed() > PATIENCE || nodes.iter().any(|shown| shown.node.has_failed()) {
            for shown in nodes {
                shown.node.show();
                let [kept, marks] = [RETAINED, MARKS].map(|metric| shown.sum(metric));
                eprintln!("{kept} sessions, {marks} marks");
            }
            panic!("{what}: this never comes");
        }
        again();
        std::thread::sleep(Duration::from_millis(200));
    }
}

const RETAINED: &str = "naap_lifecycle_sessions_retained";
const MARKS: &str = "naap_state_expired_marks";

/// Waits until these nodes, and nobody else, have the shards.
fn until_settled(nodes: &[&Shown]) {
    let has_some = |shown: &&Shown| {
        shown
            .node
            .shards()
            .filter(|&(open, pending)| open > 0 && pending == 0)
            .map(|(open, _)| open)
    };
    let settled = || {
        let open: Option<Vec<_>> = nodes.iter().map(has_some).collect();
        open.is_some_and(|open| open.iter().sum::<u16>() == SHARDS)
    };
    until("every node has its shards", nodes, || (), settled);
}

/// Events 30 h later, of every shard and from every partition; each beat is a minute, after which what
/// was awake is looked at again.
fn tick(team: &Team, beat: i64) {
    let event = |number: i64| {
        let (ts, id) = (BEGIN + 30 * HOUR + beat * 61_000, format!("tick-{number}"));
        let data = json!({
            "type": "gateway_receive_few_processed_segments",
            "timestamp": ts,
            "stream_id": id,
            "request_id": "r",
        });
        let event = json!({
            "id": format!("{id}-{beat}"),
            "type": "stream_trace",
            "timestamp": ts.to_string(),
            "gateway": "ticks",
            "data": data,
        });
        event.to_string().into_bytes()
    };
    let lines: Vec<_> = (0..240).map(event).collect();
    team.stage.send(lines.iter().enumerate());
}

/// Traces of the generated sessions once more, as events that nobody has seen.
fn late(team: &Team) -> Vec<Vec<u8>> {
    let parsed = team.stage.lines().iter().filter_map(|line| serde_json::from_slice(line).ok());
    let traces = parsed.filter(|event: &Value| {
        event["type"] == "stream_trace" && event["data"]["stream_id"].is_string()
    });
    let anew = |(number, mut event): (usize, Value)| {
        event["id"] = format!("late-{number}").into();
        event.to_string().into_bytes()
    };
    traces.step_by(7).enumerate().map(anew).collect()
}

#[test]
#[ignore = "needs a real Kafka: make test-cluster"]
fn sessions_end_and_their_marks_move_with_the_shards() {
    let bootstrap = bootstrap();
    let team = Team::new(bootstrap, "ends", 3, 300);
    let start = |number| Shown::start(|more| team.start_by(number, team.ports(), more));
    let (first, second) = (start(0), start(1));
    until_settled(&[&first, &second]);
    // The one process that it is compared with hears everything in the same turns: what comes late has
    // to come after the end there, too.
    let dir = data_dir();
    let alone = Shown::start(|more| team.stage.node("alone", "alone", &dir.data(), more));
    let all_taken = |nodes: &[&Shown]| {
        let nodes: Vec<_> = nodes.iter().map(|shown| &shown.node).collect();
        team.until_caught_up(&nodes);
        team.stage.until_caught_up(&team.stage.group("alone"), &[&alone.node]);
    };

    team.stage.write(0, 1);
    all_taken(&[&first, &second]);
    let both = [&first, &second, &alone];
    let sum = |metric: &str| first.sum(metric) + second.sum(metric);
    until(
        "both know the sessions",
        &both,
        || (),
        || {
            let known = alone.sum(RETAINED);
            known > 250 && sum(RETAINED) == known
        },
    );
    let sessions = alone.sum(RETAINED);
    let mut beat = 0;
    let later = || {
        beat += 1;
        tick(&team, beat);
    };
    until("every session has ended", &both, later, || {
        sum(MARKS) >= sessions && sum(MARKS) == alone.sum(MARKS)
    });
    all_taken(&[&first, &second]);

    // Some shards are handed off, others are taken over from a node that is killed.
    let third = start(2);
    until_settled(&[&first, &second, &third]);
    second.node.kill();
    until_settled(&[&first, &third]);
    let facts = || {
        let ended = "session_start_ts < toDateTime('2026-01-01 12:00:00', 'UTC')";
        let all = "count(), sum(cityHash64(*))";
        let from = "naap.fact_workflow_sessions FINAL";
        team.tables.query(&format!("SELECT {all} FROM {from} WHERE {ended}"))
    };
    let before = facts();
    let late = late(&team);
    team.stage.send(late.iter().enumerate());
    all_taken(&[&first, &third]);
    assert_eq!(facts(), before, "a late event changes no fact");
    let typed = "SELECT count() FROM naap.raw_stream_trace_events FINAL \
                 WHERE startsWith(raw_event_uid, 'late-')";
    // Some are of kinds that have none; which, the other process tells at the end.
    let typed: usize = team.tables.query(typed)[0][0].parse().unwrap();
    assert!(typed * 4 > late.len() * 3, "{typed} of {} late events have typed rows", late.len());

    alone.node.stop();
    let (found, _) = team.stop(vec![first.node, third.node]);
    assert_same(&found, &fingerprints(&dir));
}
