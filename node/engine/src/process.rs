//! The engine as a child process of a node.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::{EngineError, EngineOptions};

/// How long the engine may take to end by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// Lines of the child's standard error that are kept for an error message.
const KEPT_LINES: usize = 20;
/// Longest line read from the child.
const LINE_BYTES: u64 = 16 << 10;
/// With which the program begins the sentence that it ends with.
const ERROR: &str = "error: ";
/// How long the last words of a child that has ended may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running engine child. Dropping it kills the child; a parent that dies takes it along, because
/// the child ends when its standard input does.
///
/// Nothing else ends it in order. It has a process group of its own, which the Ctrl-C of a terminal
/// does not reach, and signals that come nevertheless do nothing: a parent that stops still has rows
/// to store.
///
/// There is no `PR_SET_PDEATHSIG`: it fires when the *thread* that spawned the child ends, which for
/// a thread of a runtime may be long before the process does.
#[derive(Debug)]
pub struct EngineProcess {
    /// Whoever waits for the end holds it.
    running: tokio::sync::Mutex<Running>,
    stdin: Option<ChildStdin>,
    url: String,
    pid: u32,
    log: Arc<Lines>,
}

/// The child and what reads its standard error.
#[derive(Debug)]
struct Running {
    child: Child,
    errors: Option<tokio::task::JoinHandle<()>>,
}

impl Running {
    /// Waits until the child has ended by itself and all that it said is read.
    async fn end(&mut self) -> Result<ExitStatus, EngineError> {
        // `Child::wait` would close the standard input, but that was taken out.
        let status = self.child.wait().await;
        let status = status.map_err(EngineError::system("waiting for the engine"))?;
        if let Some(errors) = self.errors.take() {
            let _ = tokio::time::timeout(LAST_WORDS, errors).await;
        }
        Ok(status)
    }
}

/// The line with which the child says that it is ready.
#[derive(Deserialize)]
struct Ready {
    ready: bool,
    url: String,
}

impl EngineProcess {
    /// Starts `program args.. <options>` and waits until it is ready, at most `deadline`.
    ///
    /// # Errors
    /// When the program can not be started, ends or stays silent; the error carries the child's own
    /// sentence.
    pub async fn spawn(
        program: &Path,
        args: &[&OsStr],
        options: &EngineOptions,
        deadline: Duration,
    ) -> Result<Self, EngineError> {
        let options = EngineOptions { follow_stdin: true, ..options.clone() };
        let mut child = Command::new(program)
            .args(args)
            .args(options.to_args())
            .envs(options.to_env())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(EngineError::system("starting the engine process"))?;
        let log = Arc::new(Lines::default());
        let errors = child.stderr.take().map(|pipe| tokio::spawn(keep_lines(pipe, log.clone())));
        let stdout = child.stdout.take();
        let ready = async {
            let mut stdout = BufReader::new(stdout?);
            let mut line = String::new();
            (&mut stdout).take(LINE_BYTES).read_line(&mut line).await.ok()?;
            let ready: Ready = serde_json::from_str(&line).ok()?;
            // Nothing else is expected; reading on keeps the pipe from filling up.
            tokio::spawn(async move { tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await });
            ready.ready.then_some(ready.url)
        };
        match tokio::time::timeout(deadline, ready).await {
            Ok(Some(url)) => {
                let (stdin, pid) = (child.stdin.take(), child.id().unwrap_or_default());
                let running = tokio::sync::Mutex::new(Running { child, errors });
                Ok(Self { running, stdin, url, pid, log })
            }
            outcome => Err(not_ready(child, errors, &log, outcome.is_err()).await),
        }
    }

    /// The base URL of its HTTP interface.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its resident memory in bytes; `None` once it has ended.
    pub fn rss_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }

    /// The last line it wrote to standard error, '' if none.
    pub fn last_error(&self) -> String {
        self.log.last()
    }

    /// Waits until it ends by itself, which it never should. Several may wait, and whoever waits again
    /// is told again.
    ///
    /// # Errors
    /// When the system can not tell.
    pub async fn wait(&self) -> Result<ExitStatus, EngineError> {
        self.running.lock().await.end().await
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.running.get_mut().child.try_wait(), Ok(Some(_)))
    }

    /// Ends it in order: it finishes what runs, then closes its data.
    ///
    /// # Errors
    /// When the system can not tell how it ended.
    pub async fn stop(mut self) -> Result<ExitStatus, EngineError> {
        drop(self.stdin.take());
        let running = self.running.get_mut();
        if let Ok(status) = tokio::time::timeout(STOP_TIMEOUT, running.child.wait()).await {
            return status.map_err(EngineError::system("waiting for the engine"));
        }
        tracing::warn!(pid = self.pid, "engine did not end in time and is killed");
        running.child.kill().await.map_err(EngineError::system("killing the engine"))?;
        running.child.wait().await.map_err(EngineError::system("waiting for the engine"))
    }
}

/// Ends a child that is not ready and says why.
async fn not_ready(
    mut child: Child,
    errors: Option<tokio::task::JoinHandle<()>>,
    log: &Lines,
    timed_out: bool,
) -> EngineError {
    // A silent child is killed at once; one that closed its output is about to end by itself.
    if timed_out {
        let _ = child.start_kill();
    }
    drop(child.stdin.take());
    let status = match tokio::time::timeout(STOP_TIMEOUT, child.wait()).await {
        Ok(Ok(status)) if !timed_out => status.to_string(),
        _ => "not ready in time".to_owned(),
    };
    if let Some(errors) = errors {
        let _ = tokio::time::timeout(Duration::from_secs(1), errors).await;
    }
    let sentence = match log.last() {
        silent if silent.is_empty() => "it gave no reason".to_owned(),
        sentence => sentence,
    };
    EngineError::NotReady { status, sentence }
}

/// The last lines of the child's standard error.
#[derive(Debug, Default)]
struct Lines(Mutex<VecDeque<String>>);

impl Lines {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn last(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.back().cloned().unwrap_or_default()
    }
}

async fn keep_lines(pipe: impl AsyncRead + Unpin, log: Arc<Lines>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while matches!((&mut pipe).take(LINE_BYTES).read_until(b'\n', &mut line).await, Ok(1..)) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if let Some(sentence) = text.strip_prefix(ERROR) {
            // The parent's own error says it.
            tracing::debug!(target: "naap_engine::child", "{text}");
            log.push(sentence.to_owned());
        } else if !text.is_empty() {
            tracing::info!(target: "naap_engine::child", "{text}");
            log.push(text);
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a child that does this instead of starting.
    async fn refused(script: &str) -> String {
        let args = ["-c", script, "sh"].map(OsStr::new);
        let options = EngineOptions::new("unused");
        let started = EngineProcess::spawn(Path::new("/bin/sh"), &args, &options, LAST_WORDS * 10);
        started.await.expect_err("it does not start").to_string()
    }

    #[tokio::test]
    async fn the_sentence_of_a_child_is_part_of_one_sentence() {
        assert_eq!(
            refused("echo loading >&2; echo 'error: no room; make some' >&2; exit 2").await,
            "the engine did not start (exit status: 2): no room; make some"
        );
        assert_eq!(
            refused("exit 1").await,
            "the engine did not start (exit status: 1): it gave no reason"
        );
    }
}
