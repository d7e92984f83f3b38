//! The engine, asked over HTTP as a node asks it, and what its answers cost.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use naap_engine::{EngineOptions, EngineProcess};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Runs of each query after a first one that does not count.
const RUNS: usize = 20;
/// Of those, the place of the one that 95 of 100 do not exceed.
const P95: usize = RUNS * 95 / 100 - 1;

/// A running engine.
pub(crate) struct Engine {
    runtime: Runtime,
    process: EngineProcess,
    address: String,
}

/// What a query answered, and at what price.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) rows_read: u64,
    pub(crate) ms: f64,
}

/// What the planner chose to read.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Granules that are read.
    pub(crate) chosen: u64,
    /// Granules that there are.
    pub(crate) all: u64,
    /// Skip indexes that were asked.
    pub(crate) indexes: Vec<String>,
}

impl Engine {
    /// The engine of a folder, with the memory that a node gives it.
    pub(crate) fn start(folder: &Path) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let program = Path::new(env!("CARGO_BIN_EXE_naap"));
        let options = EngineOptions::new(folder);
        let wait = Duration::from_mins(2);
        let args = [OsStr::new("engine")];
        let spawned = EngineProcess::spawn(program, &args, &options, wait);
        let process = runtime.block_on(spawned).expect("the engine starts");
        let address = process.url().trim_start_matches("http://").to_owned();
        Self { runtime, process, address }
    }

    pub(crate) fn stop(self) {
        self.runtime.block_on(self.process.stop()).expect("the engine stops");
    }

    /// One query, on two threads.
    pub(crate) fn ask(&self, sql: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("the engine listens");
        stream.set_nodelay(true).expect("a socket");
        let head = format!(
            "POST /?database=naap&max_threads=2&default_format=TSVRaw HTTP/1.1\r\nHost: engine\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{sql}",
            sql.len()
        );
        let begin = Instant::now();
        stream.write_all(head.as_bytes()).expect("the engine reads");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the engine answers");
        let ms = begin.elapsed().as_secs_f64() * 1e3;
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{sql}\n{body}");
        let summary = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("x-clickhouse-summary").then_some(value)
        });
        let summary: Value = summary.map_or(Value::Null, |s| serde_json::from_str(s).unwrap());
        let rows_read = summary["read_rows"].as_str().and_then(|n| n.parse().ok()).unwrap_or(0);
        Answer { text: body.to_owned(), rows_read, ms }
    }

    /// The number that a query answers.
    pub(crate) fn number(&self, sql: &str) -> u64 {
        self.ask(sql).text.trim().parse().expect("a number")
    }

    /// What the planner reads for a query.
    pub(crate) fn plan(&self, sql: &str) -> Plan {
        let text = self.ask(&format!("EXPLAIN indexes = 1 {sql}")).text;
        let mut plan = Plan::default();
        let mut first = false;
        for line in text.lines().map(|line| line.trim_matches(|c: char| "│├└─ ".contains(c)))
        {
            if line.starts_with("ReadFromMergeTree") {
                first = true;
            } else if let Some((_, chosen)) = line.split_once("| Granules: ") {
                plan.chosen += chosen.trim().parse::<u64>().unwrap_or(0);
            } else if let Some(of) = line.strip_prefix("Granules: ").filter(|_| first) {
                first = false;
                let all = of.split('/').next_back().and_then(|n| n.trim().parse::<u64>().ok());
                plan.all += all.unwrap_or(0);
            } else if let Some(name) = line.strip_prefix("Name: ") {
                plan.indexes.push(name.to_owned());
            }
        }
        plan
    }

    /// Runs a query often and prints a line about it; `of` is what it may read, such as the rows of a day.
    pub(crate) fn measure(&self, name: &str, sql: &str, of: u64) {
        self.ask(sql);
        let answers: Vec<Answer> = (0..RUNS).map(|_| self.ask(sql)).collect();
        let mut ms: Vec<f64> = answers.iter().map(|answer| answer.ms).collect();
        ms.sort_by(f64::total_cmp);
        let answer = &answers[0];
        let plan = self.plan(sql);
        let granules = format!("{}/{}", plan.chosen, plan.all);
        println!(
            "{name:<44} {:>8.1} {:>8.1} {:>9} {:>10} {:>10} {:>7.3} {granules:>12} {}",
            ms[RUNS / 2],
            ms[P95],
            answer.text.lines().count(),
            answer.rows_read,
            of,
            answer.rows_read as f64 / of.max(1) as f64,
            plan.indexes.join(" "),
        );
    }
}

/// The heading above lines of [`Engine::measure`].
pub(crate) fn heading(title: &str, of: &str) {
    println!(
        "\n{title:<44} {:>8} {:>8} {:>9} {:>10} {of:>10} {:>7} {:>12} skip indexes",
        "p50 ms", "p95 ms", "answers", "rows read", "share", "granules",
    );
}
