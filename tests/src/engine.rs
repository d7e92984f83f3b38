//! `naap engine`: a ClickHouse for several processes.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test ends with what went wrong"
)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::stage::PATIENCE;
use crate::{DataDir, program};

/// A running engine, gone with the value.
#[derive(Debug)]
pub struct Engine {
    child: Child,
    /// Its address.
    pub url: String,
}

impl Engine {
    /// Serves the tables of `dir` on a loopback address; `more` adds options.
    pub fn start(dir: &DataDir, more: impl FnOnce(&mut Command)) -> Self {
        let file = dir.path().join("port");
        let mut command = Command::new(program());
        command.args(["engine", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(dir.data().join("clickhouse")).arg("--port-file").arg(&file);
        more(&mut command);
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut engine = Self { child, url: String::new() };
        let since = Instant::now();
        let port = loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if let Ok(port) = text.trim().parse::<u16>() {
                break port;
            }
            assert!(since.elapsed() < PATIENCE, "the engine does not start");
            std::thread::sleep(Duration::from_millis(20));
        };
        engine.url = format!("http://127.0.0.1:{port}");
        engine
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        self.child.wait().unwrap();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A test that failed must not leave a process behind.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
