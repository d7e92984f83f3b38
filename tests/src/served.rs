//! `naap serve`: the HTTP interface and its answers.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test ends with what went wrong"
)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{DataDir, program};

/// Sends a request as it stands; the whole answer. The request has to ask for the connection to be closed.
pub fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A running interface, gone with the value.
#[derive(Debug)]
pub struct Served {
    child: Child,
    address: String,
}

impl Served {
    /// Serves a data folder, with these settings.
    pub fn folder(dir: &DataDir, settings: &[&str]) -> Self {
        Self::start(|command| {
            command.arg("--data-dir").arg(dir.data());
            command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        })
    }

    /// Serves the store that `store` adds to the command.
    pub fn start(store: impl FnOnce(&mut Command)) -> Self {
        // The port is free for long enough.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut command = Command::new(program());
        command.args(["serve", "--listen", &address]);
        store(&mut command);
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let served = Self { child, address };
        let patience = Instant::now();
        while TcpStream::connect(&served.address).is_err() {
            assert!(patience.elapsed() < Duration::from_mins(1), "the interface is not served");
            std::thread::sleep(Duration::from_millis(20));
        }
        served
    }

    /// Status, kind of content and body.
    pub fn request(&self, method: &str, target: &str) -> (u16, String, String) {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: naap\r\nConnection: close\r\n\r\n");
        let answer = exchange(&self.address, &head);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, kind.unwrap_or_default().to_owned(), body.to_owned())
    }

    /// The answer to a request that has to succeed.
    pub fn get(&self, target: &str) -> Value {
        let (status, kind, body) = self.request("GET", target);
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{target}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Status and problem of a request that has to be refused.
    pub fn refused(&self, target: &str) -> (u16, Value) {
        let (status, kind, body) = self.request("GET", target);
        assert_eq!(kind, "application/problem+json", "{target}: {body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["status"], status, "{problem}");
        (status, problem)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A test that failed must not leave a process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
