//! How long the gate takes for a record: `cargo run --release -p naap-protocol --example gate_bench`.
//! Reads the 65 captured messages again and again on one thread and prints nanoseconds of CPU time per family.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use naap_protocol::gate::{Gate, Outcome, Record};

const ROUNDS: u32 = 20_000;
const CAPTURE: &str = include_str!("../../tests/fixtures/events-2026-01-08.jsonl");

fn main() {
    let gate = Gate::default();
    let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in CAPTURE.lines() {
        families.entry(family(&gate, line)).or_default().push(line);
    }
    families.insert("all", CAPTURE.lines().collect());
    for (family, lines) in families {
        let bytes: usize = lines.iter().map(|line| line.len()).sum();
        let best = (0..5).map(|_| time(&gate, &lines)).min().unwrap_or_default();
        let events = u32::try_from(lines.len()).unwrap_or(u32::MAX) * (ROUNDS / 5);
        let each = best.as_secs_f64() * 1e9 / f64::from(events);
        let size = bytes / lines.len();
        let speed = size as f64 / each;
        eprintln!(
            "{family:22} {:3} records, {size:5} B: {each:6.0} ns, {speed:.2} GB/s",
            lines.len()
        );
    }
}

fn family(gate: &Gate, line: &str) -> &'static str {
    match admit(gate, line, &mut String::new()) {
        Outcome::Accepted(event) => event.body.family(),
        _ => "not accepted",
    }
}

fn time(gate: &Gate, lines: &[&str]) -> Duration {
    let start = cpu_time();
    for _ in 0..ROUNDS / 5 {
        for line in lines {
            black_box(admit(gate, black_box(line), &mut String::new()));
        }
    }
    cpu_time().saturating_sub(start)
}

/// CPU time of this thread: other load on the machine does not count.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

fn admit<'a>(gate: &Gate, line: &'a str, repaired: &'a mut String) -> Outcome<'a> {
    let value = Some(line.as_bytes());
    let record =
        Record { topic: "streaming_events", partition: 0, offset: 0, record_ts: None, value };
    gate.admit(record, repaired)
}
