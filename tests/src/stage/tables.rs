//! Tables that several nodes write to, and how they compare.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{PATIENCE, SHARDS, Stage};
use crate::{DataDir, program, run};

/// Fingerprints of the tables in a data folder that no process uses.
pub fn fingerprints(dir: &DataDir) -> Value {
    let nothing = dir.path().join("nothing.jsonl");
    std::fs::write(&nothing, "").unwrap();
    // The state of its own shards is none of a replay's business.
    drop(std::fs::remove_file(dir.data().join("state.redb")));
    let shards = format!("cluster.shards={SHARDS}");
    dir.replay(&["--set".into(), shards.into(), nothing])["fingerprints"].clone()
}

/// A data folder whose tables keep rows however old: generated events are.
pub fn data_dir() -> DataDir {
    let dir = DataDir::new();
    fingerprints(&dir);
    drop(std::fs::remove_file(dir.data().join("state.redb")));
    dir
}

/// What one undisturbed process with a local state log makes of the topic.
pub fn oracle(stage: &Stage) -> Value {
    let dir = data_dir();
    let node = stage.node("oracle", "oracle", &dir.data(), &[]);
    stage.until_committed(&stage.group("oracle"), 100, &[&node]);
    node.stop();
    fingerprints(&dir)
}

/// Ends the test where rows differ.
#[track_caller]
pub fn assert_same(found: &Value, expected: &Value) {
    let expected = expected.as_object().unwrap().iter();
    // Figures follow their rows when no more of them come; a node that stops leaves them to the next start.
    let later = |table: &str| ["agg_", "v_", "rollup_"].iter().any(|name| table.starts_with(name));
    let expected = expected.filter(|(table, _)| !later(table));
    let differs = |(table, expected): &(&String, &Value)| found[*table] != **expected;
    let wrong: Vec<_> = expected
        .filter(differs)
        .map(|(table, expected)| {
            format!("{table}: {} rows, {} expected", found[table]["rows"], expected["rows"])
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A ClickHouse that several nodes write to.
#[derive(Debug)]
pub struct Tables {
    engine: Option<Child>,
    dir: DataDir,
    /// Its address, as nodes reach it.
    pub url: String,
}

impl Tables {
    /// Starts it, on the loopback address.
    pub fn start() -> Self {
        let dir = data_dir();
        let file = dir.path().join("port");
        let mut command = Command::new(program());
        command.args(["engine", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(dir.data().join("clickhouse")).arg("--port-file").arg(&file);
        let engine = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let since = Instant::now();
        let port = loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if let Ok(port) = text.trim().parse::<u16>() {
                break port;
            }
            assert!(since.elapsed() < PATIENCE, "the engine does not start");
            std::thread::sleep(Duration::from_millis(20));
        };
        Self { engine: Some(engine), dir, url: format!("http://127.0.0.1:{port}") }
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.engine.as_ref().unwrap()), signal).unwrap();
    }

    /// The rows that `sql` answers, split at tabs.
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let mut command = Command::new(program());
        command.args(["query", "--url", &self.url, "--format", "TabSeparated", sql]);
        let output = run(&mut command);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    /// Ends the engine and tells what is in its tables.
    pub fn fingerprints(mut self) -> Value {
        let mut engine = self.engine.take().unwrap();
        kill_process(Pid::from_child(&engine), Signal::TERM).unwrap();
        engine.wait().unwrap();
        fingerprints(&self.dir)
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        if let Some(engine) = &mut self.engine {
            drop(engine.kill());
            drop(engine.wait());
        }
    }
}
