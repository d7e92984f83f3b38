//! A running process and what it says.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, SHARDS};

/// A running process and what it says.
#[derive(Debug)]
pub struct Node {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

/// Waits until this holds; where it never does, or a node fails, the test ends with what the nodes said.
pub fn until(what: &str, nodes: &[&Node], holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        if since.elapsed() > PATIENCE || nodes.iter().any(|node| node.has_failed()) {
            for node in nodes {
                node.show();
            }
            panic!("{what}: this never comes");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Node {
    pub(super) fn start(mut command: Command) -> Self {
        command.env("RUST_BACKTRACE", "0").env("NO_COLOR", "1");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, heard) = (BufReader::new(child.stderr.take().unwrap()).lines(), said.clone());
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| heard.lock().unwrap().push(line));
        });
        Self { child, said }
    }

    /// Prints the end of what it said.
    pub fn show(&self) {
        let said = self.said.lock().unwrap();
        let from = said.len().saturating_sub(400);
        eprintln!("--- the node said ---\n{}", said[from..].join("\n"));
    }

    /// Lines so far that hold `text`.
    pub fn lines(&self, text: &str) -> Vec<String> {
        let said = self.said.lock().unwrap();
        said.iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// Shards that are open here and that should be, as it said last.
    pub fn shards(&self) -> Option<(u16, u16)> {
        let line = self.lines("shards of this node").pop()?;
        let number = |name: &str| {
            let (_, rest) = line.split_once(name)?;
            rest.split_whitespace().next()?.parse().ok()
        };
        Some((number("open=")?, number("pending=")?))
    }

    /// Waits until it has every shard: then it can settle what others have left.
    pub fn until_alone(&self) {
        until("the node has every shard", &[self], || self.shards() == Some((SHARDS, 0)));
    }

    /// It has ended with an error.
    pub fn has_failed(&self) -> bool {
        self.said.lock().unwrap().iter().any(|line| line.starts_with("error:"))
    }

    /// Id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Asks it to stop, which must end in order.
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        if !status.success() {
            self.show();
            panic!("ended with {status}");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already where the test did what it should.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
