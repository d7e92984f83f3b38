//! A real engine with all tables and views, shared by the tests: each has organisations of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use naap_actors::ports::TableWriter;
use naap_actors::rollup::{Batch, Recompute, RollupStore};
use naap_engine::{EngineOptions, EngineProcess};
use naap_node::config::{self, Config};
use naap_node::quality::gates::Gates;
use naap_node::quality::run::{Outcome, Reader, Rules, Scope, run};
use naap_node::quality::{checks, relations};
use naap_node::store::schema::{self, SchemaError};
use naap_node::store::{ClickHouseWriter, Store, StoreRollups};
use naap_node::times::stamp;
use naap_protocol::rollup::{self, Gold, ROLLUPS};
use naap_protocol::rows::drift::Installed;
use naap_protocol::rows::{self, Row, TableSpec, append};
use naap_protocol::time::Timestamp;
use serde_json::Value;
use tokio::runtime::Runtime;

/// 2026-03-01 00:00 UTC: the tests' day.
pub(crate) const DAY: i64 = 1_772_323_200_000;
/// One hour, ms.
pub(crate) const HOUR: i64 = 3_600_000;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static BENCH: LazyLock<Bench> = LazyLock::new(|| RUNTIME.block_on(Bench::start()));

pub(crate) struct Bench {
    engine: EngineProcess,
    store: Store,
    writer: ClickHouseWriter,
    version: AtomicU64,
    /// The owner of the slices: one computation at a time.
    publishing: Mutex<()>,
}

/// The start of an hour of the tests' day.
pub(crate) fn at(hour: i64) -> Timestamp {
    Timestamp(DAY + hour * HOUR)
}

/// So many minutes into an hour of the tests' day.
pub(crate) fn at_minute(hour: i64, minute: i64) -> Timestamp {
    Timestamp(at(hour).0 + minute * 60_000)
}

impl Bench {
    /// The bench of this process.
    pub(crate) fn get() -> &'static Self {
        &BENCH
    }

    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap().keep();
        let mut options = EngineOptions::new(dir.join("clickhouse"));
        options.max_memory_bytes = 1 << 30;
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_naap"));
        let args = [std::ffi::OsStr::new("engine")];
        let wait = Duration::from_mins(2);
        let engine = EngineProcess::spawn(program, &args, &options, wait).await.unwrap();
        let store = Store::server(engine.url(), &Config::default().clickhouse).unwrap();
        schema::apply(&store).await.unwrap();
        schema::keep_rows_forever(&store).await.unwrap();
        let writer = store.writer(rows::ALL, Duration::from_secs(30));
        let version = AtomicU64::new(1 << 48);
        Self { engine, store, writer, version, publishing: Mutex::new(()) }
    }

    /// Where the engine listens.
    pub(crate) fn url(&self) -> &str {
        self.engine.url()
    }

    /// Another database in the same engine, for tests of the schema.
    pub(crate) fn database(&self, name: &'static str) -> Database {
        let text = format!("[clickhouse]\ndatabase = \"{name}\"\n");
        let loaded = config::load_text(Some((&text, name)), &[], &[]).unwrap();
        let store = Store::server(self.engine.url(), &loaded.config.clickhouse).unwrap();
        Database { store, name }
    }

    /// Stores rows.
    pub(crate) fn put<R: Row>(&self, rows: &[R]) {
        let mut bytes = Vec::new();
        for row in rows {
            append(row, &mut bytes).unwrap();
        }
        let write = self.writer.write(R::SPEC, vec![Bytes::from(bytes)], rows.len() as u64);
        RUNTIME.block_on(write).unwrap();
    }

    /// Computes and publishes hours of the tests' day, as if it was `now`.
    pub(crate) fn publish_at(&self, org: &str, hours: &[i64], now: Timestamp) {
        let _turn = self.publishing.lock();
        let version = self.version.fetch_add(1, Ordering::Relaxed);
        self.publish_version(org, hours, now, version);
    }

    /// Computes and publishes hours long after they have ended.
    pub(crate) fn publish(&self, org: &str, hours: &[i64]) {
        self.publish_at(org, hours, at(100));
    }

    /// Computes and publishes in a version of its own.
    pub(crate) fn publish_version(&self, org: &str, hours: &[i64], now: Timestamp, version: u64) {
        self.compute(org, hours, (now, version), Gold::default());
    }

    /// Computes and publishes hours long after they have ended, from this evidence.
    pub(crate) fn publish_gold(&self, org: &str, hours: &[i64], gold: Gold) {
        let _turn = self.publishing.lock();
        let version = self.version.fetch_add(1, Ordering::Relaxed);
        self.compute(org, hours, (at(100), version), gold);
    }

    fn compute(&self, org: &str, hours: &[i64], (now, version): (Timestamp, u64), gold: Gold) {
        let hours = hours.iter().map(|hour| at(*hour)).collect();
        let slices = Batch { org: org.to_owned(), hours };
        let rollups = StoreRollups::new(&self.store, gold);
        RUNTIME.block_on(rollups.recompute(Recompute { slices, version, now })).unwrap();
    }

    /// Computes hours and dies before it publishes them: rows in a version that nothing names.
    pub(crate) fn write_only(&self, org: &str, hours: &[i64], version: u64) {
        let starts: Vec<String> = hours.iter().map(|hour| stamp(at(*hour))).collect();
        for rollup in ROLLUPS.iter().filter(|rollup| rollup.scope == rollup::Scope::OrgHour) {
            let query = self.store.tables().query_raw(&rollup.recompute_sql());
            let query =
                query.param("org", org).param("hours", &starts).param("slice_version", version);
            RUNTIME.block_on(query.param("gold", Gold::default().sources()).execute()).unwrap();
        }
    }

    /// What a check of the nightly gate comes to in an organisation.
    pub(crate) fn check(&self, id: &str, org: &str) -> Outcome {
        let gates = Gates::load(None, at(100)).unwrap();
        let scope = Scope::everything(at(100), org, Rules::default());
        let wanted = [checks::find(id).unwrap()];
        let gate = gates.gate("nightly").unwrap();
        let reader = Reader::of(&self.store);
        let outcomes = run(&reader, &scope, (&gates, gate), &wanted);
        RUNTIME.block_on(outcomes).remove(0)
    }

    /// What a check of the probe comes to in an organisation, over these hours of the tests' day at `now`.
    pub(crate) fn probe(&self, id: &str, org: &str, hours: [i64; 2], now: Timestamp) -> Outcome {
        let gates = Gates::load(None, now).unwrap();
        let [from, to] = hours.map(at);
        let scope =
            Scope { from, to, now, today: now, org: org.to_owned(), rules: Rules::default() };
        let reader = Reader::of(&self.store);
        let (gate, wanted) = (gates.gate("probe").unwrap(), [checks::find(id).unwrap()]);
        RUNTIME.block_on(run(&reader, &scope, (&gates, gate), &wanted)).remove(0)
    }

    /// Runs the statement of a check in an hour of the tests' day, with so many rows at most in a sort, a group or the
    /// side of a join that is kept.
    pub(crate) fn bounded(
        &self,
        sql: &str,
        (org, hour): (&str, i64),
        most: usize,
    ) -> Result<(), String> {
        let sql = relations::expand(sql)?;
        let mut client = self.store.tables();
        let (from, to) = (stamp(at(hour)), stamp(at(hour + 1)));
        let params = [("from", from.as_str()), ("to", &to), ("now", &to), ("org", org)];
        for (name, value) in
            params.into_iter().chain([("retention_ms", "172800000"), ("gold", "['direct']")])
        {
            client = client.with_setting(format!("param_{name}"), value);
        }
        for name in ["rows_to_sort", "rows_in_join", "rows_in_set", "rows_to_group_by"] {
            client = client.with_setting(format!("max_{name}"), most.to_string());
        }
        let mut answer = tokio::io::sink();
        let asked = naap_engine::client::write_answer(&client, &sql, "JSONEachRow", &mut answer);
        RUNTIME.block_on(asked).map(drop).map_err(|e| e.to_string())
    }

    /// Runs a statement without an answer.
    pub(crate) fn execute(&self, sql: &str) {
        RUNTIME.block_on(self.store.execute(&self.store.tables(), "test", sql)).unwrap();
    }

    /// The rows of `sql`.
    pub(crate) fn ask(&self, sql: &str) -> Vec<Value> {
        let sql = format!("{sql} SETTINGS output_format_json_quote_64bit_integers = 0");
        RUNTIME.block_on(self.store.rows("test", &sql)).unwrap()
    }

    /// The only row of `sql`.
    pub(crate) fn one(&self, sql: &str) -> Value {
        let mut rows = self.ask(sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:#?}");
        rows.remove(0)
    }
}

/// A database of a test of the schema.
pub(crate) struct Database {
    store: Store,
    name: &'static str,
}

impl Database {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn apply(&self) -> Result<Vec<&'static str>, SchemaError> {
        RUNTIME.block_on(schema::apply(&self.store))
    }

    pub(crate) fn check(&self) -> Vec<String> {
        RUNTIME.block_on(schema::check(&self.store)).unwrap()
    }

    pub(crate) fn installed(&self, table: &TableSpec) -> Option<Installed> {
        RUNTIME.block_on(schema::installed(&self.store, table)).unwrap()
    }

    pub(crate) fn ask(&self, sql: &str) -> Vec<Value> {
        RUNTIME.block_on(self.store.rows("test", sql)).unwrap()
    }

    pub(crate) fn execute(&self, sql: &str) {
        // The database may be what the statement creates.
        let client = if sql.starts_with("CREATE DATABASE") {
            self.store.client().clone()
        } else {
            self.store.tables()
        };
        // A change of rows that are there has to be seen by the next statement.
        let client = client.with_setting("mutations_sync", "1");
        RUNTIME.block_on(self.store.execute(&client, "test", sql)).unwrap();
    }

    /// As if another text of a migration had been applied.
    pub(crate) fn forget_checksum(&self, migration: &str) {
        self.execute(&format!(
            "INSERT INTO schema_migrations (version, name, checksum, applied_at)
             SELECT version, name, 'another', applied_at + INTERVAL 1 MILLISECOND FROM schema_migrations FINAL
             WHERE name = '{migration}'"
        ));
    }
}

/// Asserts that columns of `row` have these values: numbers within 1e-6.
#[track_caller]
pub(crate) fn has(row: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        let found = row.get(name).unwrap_or_else(|| panic!("no column {name} in {row}"));
        match (found.as_f64(), value.as_f64()) {
            (Some(a), Some(b)) => {
                assert!((a - b).abs() < 1e-6, "{name}: {a}, expected {b} in {row}");
            }
            _ => assert_eq!(found, value, "{name} in {row}"),
        }
    }
}
