//! The embedded engine of a store: a process of its own, which may end before it is told to.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use naap_engine::{EngineOptions, EngineProcess};

use super::{Store, StoreError};
use crate::cli::Failure;

/// The engine replays its log of parts when it opens a large folder, so it may take its time.
const START: Duration = Duration::from_mins(1);
/// How long after its last answer the end of an engine may become known.
const KNOWN: Duration = Duration::from_secs(1);
/// SIGKILL.
const KILL: i32 = 9;

/// An engine and how it is started.
#[derive(Debug)]
pub(super) struct Embedded {
    pub process: EngineProcess,
    program: PathBuf,
    options: EngineOptions,
}

impl Embedded {
    pub async fn start(mut options: EngineOptions) -> Result<Self, StoreError> {
        let program = std::env::current_exe().map_err(StoreError::Program)?;
        let process = spawn(&program, &options).await?;
        let address = process.url().strip_prefix("http://").map(str::parse::<SocketAddr>);
        if let Some(Ok(address)) = address {
            options.listen = address;
        }
        Ok(Self { process, program, options })
    }

    /// Starts it again if it has ended, at the address that every client knows: whoever waits for an
    /// answer there gets one.
    async fn start_again(&mut self) -> Result<(), StoreError> {
        if self.process.has_ended() {
            self.process = spawn(&self.program, &self.options).await?;
        }
        Ok(())
    }
}

async fn spawn(program: &Path, options: &EngineOptions) -> Result<EngineProcess, StoreError> {
    let args = [OsStr::new("engine")];
    Ok(EngineProcess::spawn(program, &args, options, START).await?)
}

impl Store {
    /// Returns when the embedded engine has ended, with what is known of that; never where it is a server.
    pub async fn lost(&self) -> StoreError {
        let Some(Embedded { process, .. }) = &self.engine else {
            return std::future::pending().await;
        };
        match process.wait().await {
            Ok(status) => StoreError::Ended(ended(status, &process.last_error())),
            Err(error) => error.into(),
        }
    }

    /// Starts an embedded engine again that has ended; everything that was made of this store reaches it.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn reopen(&mut self) -> Result<(), StoreError> {
        match &mut self.engine {
            Some(engine) => engine.start_again().await,
            None => Ok(()),
        }
    }

    /// Does `work`, unless the embedded engine ends before: to the work that is a server that does not
    /// answer, and worth waiting for.
    ///
    /// # Errors
    /// Those of `work`, or that the engine has ended.
    pub(crate) async fn while_open<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Unpin,
    ) -> Result<T, Failure> {
        let told = |lost: StoreError| {
            Failure::environment(format!(
                "{lost}; what is stored is kept: run the command again, and it goes on"
            ))
        };
        let failure = tokio::select! {
            outcome = work => match outcome {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            },
            lost = self.lost() => return Err(told(lost)),
        };
        if self.engine.is_none() {
            return Err(failure);
        }
        // The end of the engine may be why the work has failed, and come to be known a moment later.
        let lost = tokio::time::timeout(KNOWN, self.lost()).await;
        Err(lost.map_or(failure, told))
    }
}

/// How an engine ended, as the end of a sentence.
fn ended(status: ExitStatus, last: &str) -> String {
    let hint = if status.signal() == Some(KILL) {
        ", as sent by a system that runs out of memory (see clickhouse.engine_memory)"
    } else {
        ""
    };
    let last = if last.is_empty() { String::new() } else { format!("; it said last: {last}") };
    format!("{status}{hint}{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_engine_is_told_with_its_last_words() {
        let text = |status, last| StoreError::Ended(ended(status, last)).to_string();
        assert_eq!(
            text(ExitStatus::from_raw(1 << 8), "Code: 243"),
            "the embedded ClickHouse engine ended with exit status: 1; it said last: Code: 243"
        );
        assert_eq!(
            text(ExitStatus::from_raw(KILL), ""),
            "the embedded ClickHouse engine ended with signal: 9 (SIGKILL), as sent by a system that \
             runs out of memory (see clickhouse.engine_memory)"
        );
    }
}
