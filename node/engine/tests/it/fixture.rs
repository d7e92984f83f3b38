//! An engine of its own for each test, and a raw HTTP client for what the official one never sends.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use clickhouse::Client;
use naap_engine::client::connect;
use naap_engine::{EngineError, EngineOptions, EngineProcess};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Fixture {
    pub(crate) engine: EngineProcess,
    dir: TempDir,
}

pub(crate) async fn spawn(options: &EngineOptions) -> Result<EngineProcess, EngineError> {
    let program = Path::new(env!("CARGO_BIN_EXE_naap-engine"));
    let no_args: &[&OsStr] = &[];
    EngineProcess::spawn(program, no_args, options, Duration::from_mins(1)).await
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut EngineOptions)) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut options = EngineOptions::new(dir.path().join("data"));
        options.allow_faults = true;
        change(&mut options);
        let engine = spawn(&options).await.unwrap_or_else(|error| panic!("{error}"));
        Self { engine, dir }
    }

    pub(crate) async fn stop(self) -> ExitStatus {
        self.engine.stop().await.expect("an end")
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn client(&self) -> Client {
        connect(self.engine.url(), None, None)
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.client().query_raw(sql).execute().await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    pub(crate) async fn number(&self, sql: &str) -> u64 {
        let sql = &format!("SELECT toUInt64(assumeNotNull(({sql})))");
        self.client().query_raw(sql).fetch_one().await.unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    pub(crate) async fn fault(&self, json: &str) {
        assert_eq!(self.post("/faults", json.as_bytes()).await.status, 204);
    }

    pub(crate) async fn post(&self, target: &str, body: &[u8]) -> Answer {
        self.request("POST", target, &[], body).await.expect("an answer")
    }

    /// `None` when the connection was cut without an answer.
    pub(crate) async fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        let address = self.engine.url().strip_prefix("http://").expect("an http url");
        let mut stream = TcpStream::connect(address).await.expect("connection");
        let extra: String = headers.iter().map(|(k, v)| [*k, ": ", *v, "\r\n"].concat()).collect();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Length: {}\r\n{extra}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("send");
        // The server may refuse and close before it has read everything.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8(answer[..end].to_vec()).expect("a readable head");
        let status = head[9..12].parse().expect("a status");
        Some(Answer { status, head, body: answer[end + 4..].to_vec() })
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The exception code of header and body, which must agree.
    pub(crate) fn code(&self) -> u32 {
        let header = self.header("x-clickhouse-exception-code").expect("an exception");
        let prefix = format!("Code: {header}. DB::Exception: ");
        assert!(self.text().starts_with(&prefix), "{}", self.text());
        header.parse().expect("a number")
    }
}
