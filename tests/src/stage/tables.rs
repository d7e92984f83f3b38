//! Tables that several nodes write to, and how they compare.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use super::{SHARDS, Stage};
use crate::engine::Engine;
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
    engine: Engine,
    dir: DataDir,
    /// Its address, as nodes reach it.
    pub url: String,
}

impl Tables {
    /// Starts it, on the loopback address.
    pub fn start() -> Self {
        let dir = data_dir();
        let engine = Engine::start(&dir, |_| ());
        let url = engine.url.clone();
        Self { engine, dir, url }
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        self.engine.signal(signal);
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
    pub fn fingerprints(self) -> Value {
        self.engine.stop();
        fingerprints(&self.dir)
    }
}
