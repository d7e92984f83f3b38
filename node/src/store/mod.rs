//! Where facts are kept: the embedded engine of a data folder, or a `ClickHouse` server.

mod embedded;
pub mod fingerprint;
mod rollups;
pub mod schema;
mod writer;

use std::path::Path;
use std::time::Duration;

use clickhouse::Client;
use hyper_rustls::HttpsConnectorBuilder;
use naap_engine::{Credential, EngineError, EngineOptions, EngineProcess, client};
use naap_protocol::rows::TableSpec;
use naap_protocol::rows::cells::{self, Cells};
use serde::de::DeserializeOwned;
use thiserror::Error;

pub use rollups::StoreRollups;
pub use writer::ClickHouseWriter;

use embedded::Embedded;

use crate::certificates::{self, FileError};
use crate::config::{ClickHouse, Name, Secret, SecretError};
use crate::disk;

/// Who reads in the embedded engine; it has no password, as the interface is reached from this machine only.
const EMBEDDED_READER: &str = "reader";

/// Opened storage.
#[derive(Debug)]
pub struct Store {
    client: Client,
    /// A user that only reads, where there is one.
    reader: Option<Credential>,
    database: String,
    engine: Option<Embedded>,
}

/// Storage can not be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The engine did not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The program can not find itself to start the engine.
    #[error("can not find the naap program to start the engine: {0}")]
    Program(std::io::Error),
    /// The engine ended while it was needed.
    #[error("the embedded ClickHouse engine ended with {0}")]
    Ended(String),
    /// A statement failed.
    #[error("{what}: {reason}")]
    Statement {
        /// What was attempted.
        what: String,
        /// What the store said.
        reason: String,
    },
    /// An answer is not what was asked for.
    #[error("unexpected answer of the store: {0}")]
    Answer(#[from] serde_json::Error),
}

/// A server can not be asked as configured.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A password can not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The authorities can not be used.
    #[error(transparent)]
    Authorities(#[from] FileError),
}

impl Store {
    /// Opens the data folder `dir` in an engine process of its own.
    ///
    /// # Errors
    /// When the engine does not start; the sentence says why.
    pub async fn embedded(
        dir: &Path,
        database: &str,
        lib: Option<&Path>,
        max_memory_bytes: u64,
    ) -> Result<Self, StoreError> {
        let mut options = EngineOptions::new(dir.join("clickhouse"));
        options.lib = lib.map(Path::to_path_buf);
        options.max_memory_bytes = max_memory_bytes;
        options.reader = Some(EMBEDDED_READER.to_owned());
        let engine = Embedded::start(options).await?;
        let client = client::connect(engine.process.url(), None, None);
        let reader = Credential { user: EMBEDDED_READER.to_owned(), password: String::new() };
        Ok(Self {
            client,
            reader: Some(reader),
            database: database.to_owned(),
            engine: Some(engine),
        })
    }

    /// Uses the server at `url` with the logins and database of `settings`.
    ///
    /// # Errors
    /// When a file with a password or with certificates can not be used.
    pub fn server(url: &str, settings: &ClickHouse) -> Result<Self, ServerError> {
        let writer = credential(&settings.user, settings.resolve_password()?);
        let reader = match &settings.reader.user {
            Some(user) => Some(credential(user, settings.reader.resolve_password()?)),
            None => None,
        };
        let client = if url.starts_with("https://") {
            let ca = settings.ca_file.as_deref();
            let mut connections = client::connector();
            connections.enforce_http(false);
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(certificates::of_servers("clickhouse.ca_file", ca)?)
                .https_only()
                .enable_http1()
                .wrap_connector(connections);
            client::connect_by(connector, url, None, Some(&writer))
        } else {
            client::connect(url, None, Some(&writer))
        };
        let database = settings.database.as_str().to_owned();
        Ok(Self { client, reader, database, engine: None })
    }

    /// Makes sure that the server at `url` answers, so that one that does not is named once, and not as the
    /// failure of some statement.
    ///
    /// # Errors
    /// What it said, with the remedy.
    pub async fn ask(&self, url: &str) -> Result<(), StoreError> {
        let asked = self.client.query_raw("SELECT 1").execute().await;
        asked.map_err(|error| StoreError::Statement {
            what: format!("can not ask {url}"),
            reason: format!(
                "{}; see that a ClickHouse server is up there, and that the URL, clickhouse.user and its password are right",
                client::with_causes(&error)
            ),
        })
    }

    /// The same store, for reading only, with a limit on the time of each statement: as the user that
    /// only reads, or as the one that writes, each statement read-only.
    #[must_use]
    pub fn reading(&self, longest: Duration) -> Self {
        let client = self.client.clone();
        let client = match &self.reader {
            Some(Credential { user, password }) => client.with_user(user).with_password(password),
            None => client.with_setting("readonly", "2"),
        };
        let seconds = longest.as_secs().max(1).to_string();
        let client = client.with_setting("max_execution_time", seconds);
        Self { client, reader: None, database: self.database.clone(), engine: None }
    }

    /// Makes sure that the user that only reads, if there is one, reads the tables.
    ///
    /// # Errors
    /// What the store said, with the name of the user.
    pub async fn check_reader(&self, longest: Duration) -> Result<(), StoreError> {
        let Some(reader) = &self.reader else { return Ok(()) };
        let reading = self.reading(longest);
        let what = format!("clickhouse.reader.user = \"{}\" can not read", reader.user);
        let sql = "SELECT version FROM schema_migrations LIMIT 1";
        reading.execute(&reading.tables(), &what, sql).await
    }

    /// What writes rows of `tables`; an insert that is not acknowledged within `timeout` is tried again.
    pub fn writer(&self, tables: &[&'static TableSpec], timeout: Duration) -> ClickHouseWriter {
        ClickHouseWriter::new(self.tables(), tables, timeout, self.engine.is_some())
    }

    /// A client without a database of its own.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A client for the tables of naap.
    pub fn tables(&self) -> Client {
        self.client.clone().with_database(&self.database)
    }

    /// Name of the database with the tables.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The embedded engine, if it is one.
    pub fn engine(&self) -> Option<&EngineProcess> {
        self.engine.as_ref().map(|engine| &engine.process)
    }

    /// Runs a statement without an answer.
    ///
    /// # Errors
    /// What the store said, after `what`.
    pub async fn execute(&self, client: &Client, what: &str, sql: &str) -> Result<(), StoreError> {
        client.query_raw(sql).execute().await.map_err(|e| failed(what, &e))
    }

    /// The rows of `sql` as `T`, by column name.
    ///
    /// # Errors
    /// What the store said, after `what`; or when a row is no `T`.
    pub async fn rows<T: DeserializeOwned>(
        &self,
        what: &str,
        sql: &str,
    ) -> Result<Vec<T>, StoreError> {
        let mut answer = Vec::new();
        client::write_answer(&self.tables(), sql, "JSONEachRow", &mut answer)
            .await
            .map_err(|e| failed(what, &e))?;
        let lines = answer.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(serde_json::from_slice).collect::<Result<_, _>>()?)
    }

    /// The rows of `table` that `clause` (from `FINAL` or `WHERE` on) names, by column.
    ///
    /// # Errors
    /// What the store said, or that its answer is no row of the table.
    pub async fn cells(&self, table: &TableSpec, clause: &str) -> Result<Vec<Cells>, StoreError> {
        let what = format!("read {}", table.name);
        let columns: Vec<&str> = table.sent().map(|column| column.name).collect();
        let sql = format!("SELECT {} FROM {} {clause}", columns.join(", "), table.name);
        let mut answer = Vec::new();
        client::write_answer(&self.tables(), &sql, "RowBinary", &mut answer)
            .await
            .map_err(|e| failed(&what, &e))?;
        cells::read(table, &answer).ok_or_else(|| StoreError::Statement {
            what,
            reason: "the columns are not those of this build; see `naap schema check`".to_owned(),
        })
    }

    /// Ends the embedded engine in good order.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn close(self) -> Result<(), StoreError> {
        if let Some(engine) = self.engine {
            engine.process.stop().await?;
        }
        Ok(())
    }
}

fn credential(user: &Name, password: Option<Secret>) -> Credential {
    let password = password.map(|password| password.expose().to_owned()).unwrap_or_default();
    Credential { user: user.as_str().to_owned(), password }
}

fn failed(what: &str, error: &dyn std::error::Error) -> StoreError {
    let reason = disk::with_remedy(client::with_causes(error));
    StoreError::Statement { what: what.to_owned(), reason }
}
