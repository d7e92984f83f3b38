//! The committed DDL: ordered, append-only, idempotent (contract backlog 025 part 4).
//!
//! Two kinds of file. One that makes or alters tables is applied once and never edited: a change of a
//! definition in [`super::ALL`] needs a new file, and the test of the schema (`node/tests/serving`)
//! prints its statements ([`super::drift::alter`]). One that only makes views holds no rows, so it is
//! edited in place and applied again whenever its text has changed; those made from definitions are
//! rewritten by `NAAP_UPDATE=1 cargo test -p naap-protocol migrations`.
//!
//! The runner chooses the database, names here have none.

use sha2::{Digest, Sha256};

/// One file of DDL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Position in the order, from 1.
    pub version: u32,
    /// File name.
    pub name: &'static str,
    /// The file's text.
    pub sql: &'static str,
}

impl Migration {
    /// SHA-256 of the text in lower-case hex, equal to the line in `deploy/clickhouse/CHECKSUMS`.
    pub fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.sql))
    }

    /// The statements in order, without comment lines and final semicolons.
    pub fn statements(&self) -> impl Iterator<Item = &'static str> {
        statements(self.sql)
    }

    /// True when it only makes views: it can be applied again, whatever was applied before.
    pub fn is_repeatable(&self) -> bool {
        self.statements().all(|statement| statement.starts_with(CREATE_VIEW))
    }
}

/// The statements of a text, without comment lines and final semicolons.
pub fn statements(sql: &str) -> impl Iterator<Item = &str> {
    // Quoted text never ends a line with a semicolon, so no SQL parser is needed.
    sql.split(";\n")
        .map(|statement| {
            let comment = |line: &&str| line.starts_with("--") || line.trim().is_empty();
            let skipped: usize = statement
                .split_inclusive('\n')
                .take_while(|line| comment(line))
                .map(str::len)
                .sum();
            statement[skipped..].trim()
        })
        .filter(|statement| !statement.is_empty())
}

/// Begins every statement that makes a view, but for [`CREATE_VIEW_ONCE`].
pub const CREATE_VIEW: &str = "CREATE OR REPLACE VIEW ";
/// Begins a statement that makes a view in a file that makes tables too.
pub const CREATE_VIEW_ONCE: &str = "CREATE VIEW IF NOT EXISTS ";

/// A statement that makes a view, from the view's name on.
pub fn view(statement: &str) -> Option<&str> {
    statement.strip_prefix(CREATE_VIEW).or_else(|| statement.strip_prefix(CREATE_VIEW_ONCE))
}

/// The names of all views.
pub fn views() -> impl Iterator<Item = &'static str> {
    let made = MIGRATIONS.iter().flat_map(Migration::statements);
    made.filter_map(|statement| view(statement)?.split_whitespace().next())
}

macro_rules! migrations {
    ($($version:literal $name:literal),+ $(,)?) => {
        /// Every migration in the order of application.
        pub const MIGRATIONS: &[Migration] = &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../../deploy/clickhouse/", $name)),
        }),+];
    };
}

migrations! {
    1 "0001_archive_and_rejects.sql",
    2 "0002_typed_raw.sql",
    3 "0003_capabilities.sql",
    4 "0004_sessions.sql",
    5 "0005_signals_and_samples.sql",
    6 "0006_ingest_transport_payments.sql",
    7 "0007_rollups.sql",
    8 "0008_session_views.sql",
    9 "0009_valid_slices.sql",
    10 "0010_serving_views.sql",
    11 "0011_feed_views.sql",
    12 "0012_catalogue.sql",
    13 "0013_storage.sql",
    14 "0014_hours_by_identity.sql",
    15 "0015_capacity_at_start.sql",
    16 "0016_capability_marks.sql",
    17 "0017_days_settle.sql",
}
