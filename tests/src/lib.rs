//! Runs the `naap` program and reads what it says.
#![forbid(unsafe_code)]

pub mod engine;
pub mod script;
pub mod served;
pub mod stage;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The `naap` program that was built beside this test.
///
/// # Panics
/// When it is missing: `cargo test --workspace` builds it, `cargo build -p naap-node` too.
#[allow(clippy::expect_used, clippy::panic, reason = "a test can not go on without the program")]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows itself");
    let profile = test.ancestors().nth(2).expect("a test stands in target/<profile>/deps");
    let program = profile.join("naap");
    assert!(program.is_file(), "{} is missing: run `cargo build -p naap-node`", program.display());
    program
}

/// A file of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// How long a replay may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(10);

/// A data folder of its own, gone with the value.
#[derive(Debug)]
pub struct DataDir(TempDir);

impl Default for DataDir {
    fn default() -> Self {
        Self::new()
    }
}

impl DataDir {
    /// An empty folder.
    ///
    /// # Panics
    /// When the system has no room for it.
    #[allow(clippy::expect_used, reason = "a test can not go on without a folder")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The data folder inside, which `naap` makes.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// `naap replay` with these further arguments, not started yet.
    pub fn replay_command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(program());
        command.arg("replay").arg("--output").arg("json").arg("--data-dir").arg(self.data());
        command.args(args).stdin(Stdio::null());
        command
    }

    /// What `naap replay` reports, as JSON.
    ///
    /// # Panics
    /// When it fails.
    pub fn replay<S: AsRef<OsStr>>(&self, args: &[S]) -> Value {
        json(&run(&mut self.replay_command(args)))
    }

    /// Starts a replay and kills it once `caught` holds. Whether it was still running then.
    ///
    /// # Panics
    /// When it can not be started or makes no progress.
    #[allow(clippy::expect_used, reason = "a test can not go on without the program")]
    pub fn kill_replay<S: AsRef<OsStr>>(&self, args: &[S], caught: impl Fn() -> bool) -> bool {
        let mut command = self.replay_command(args);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("the program starts");
        let mut has_ended = || child.try_wait().expect("a child can be asked").is_some();
        let patience = Instant::now();
        let mut ended = false;
        while !ended && !caught() && patience.elapsed() < PATIENCE {
            // Nothing tells of files that grow.
            std::thread::sleep(Duration::from_millis(5));
            ended = has_ended();
        }
        ended = ended || has_ended();
        // One that has ended is not there to be killed.
        drop(child.kill());
        child.wait().expect("the child can be waited for");
        assert!(patience.elapsed() < PATIENCE, "the replay makes no progress");
        !ended
    }

    /// Whether rows of a published relation were written.
    pub fn has_published(&self, relation: &str) -> bool {
        let parts = self.data().join("clickhouse/data/naap").join(relation);
        let parts = std::fs::read_dir(parts).into_iter().flatten().flatten();
        parts.map(|part| part.file_name()).any(|name| {
            // Named by month and blocks; one that is being written has another beginning.
            name.to_string_lossy().starts_with(|first: char| first.is_ascii_digit())
        })
    }

    /// The rows of `sql`.
    ///
    /// # Panics
    /// When it fails.
    #[allow(clippy::expect_used, reason = "a test can not go on without an answer")]
    pub fn query(&self, sql: &str) -> Vec<Value> {
        let sql = format!("{sql} SETTINGS output_format_json_quote_64bit_integers = 0");
        let mut command = Command::new(program());
        command.arg("query").arg("--data-dir").arg(self.data());
        command.args(["--format", "JSONEachRow", &sql]);
        let output = run(&mut command);
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a row of JSON")).collect()
    }

    /// The single number that `sql` answers.
    ///
    /// # Panics
    /// When it answers anything else.
    #[allow(clippy::expect_used, reason = "a test can not go on without an answer")]
    pub fn number(&self, sql: &str) -> u64 {
        let rows = self.query(sql);
        let row = rows.first().and_then(Value::as_object).expect("one row");
        row.values().next().and_then(Value::as_u64).expect("one number")
    }
}

/// Runs a command that has to succeed.
///
/// # Panics
/// When it does not; with what it said.
#[allow(clippy::expect_used, reason = "a test can not go on without the program")]
pub fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    output
}

/// The output of a command as JSON.
///
/// # Panics
/// When it is none.
#[allow(clippy::expect_used, reason = "a test can not go on without the report")]
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("a report in JSON")
}

/// Sum of the values of a map of counts.
pub fn total(counts: &Value) -> u64 {
    counts.as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum()
}
