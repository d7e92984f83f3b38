//! The test of the checks themselves: in a scratch store with a sound network, each fault that a check
//! has to find is seeded, and exactly the checks that it contradicts must fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use naap_actors::ports::Clock;
use naap_generator::{Plan, Profile, Stories};
use naap_protocol::rows;
use naap_protocol::time::Timestamp;
use serde::Deserialize;

use super::gates::{Gate, Gates};
use super::run::{Outcome, Reader, Rules, Scope, Verdict, run};
use super::{Check, Pack, Spoil, checks, relations};
use crate::cli::{Failure, ReplayArgs, environment};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::replay::replay;
use crate::store::{Store, StoreError};

/// The database that keeps the sound rows.
const SOUND: &str = "naap_sound";
/// What a spoilt view is called while it is spoilt.
const ASIDE: &str = "sound_view";
/// What counts as now for checks against the clock: 2026-01-01 02:40 UTC, 40 minutes after the last hour of the
/// generated network has ended. Their faults name moments before it.
const NOW: Timestamp = Timestamp(1_767_235_200_000);

/// What the self-test found.
#[derive(Debug, Default)]
pub struct Tested {
    /// Faults that were seeded.
    pub faults: usize,
    /// What went otherwise than it had to, one sentence each.
    pub problems: Vec<String>,
}

/// Runs it in a folder that is gone afterwards.
///
/// # Errors
/// When the scratch store can not be made.
pub async fn self_test(
    config: &Config,
    gates: &Gates,
    wanted: &[&'static Check],
) -> Result<Tested, Failure> {
    let dir = tempfile::tempdir().map_err(environment)?;
    let data = dir.path().join("data");
    for (number, org) in ["cloud_spe", "daydream"].into_iter().enumerate() {
        let events = dir.path().join(format!("{org}.jsonl"));
        generate(&events, 3 + number as u64).map_err(environment)?;
        replay(&replay_args(&data, org, events), config).await?;
    }
    let settings = &config.clickhouse;
    let (database, lib) = (settings.database.as_str(), settings.engine_lib.as_deref());
    let store = Store::embedded(&data, database, lib, settings.engine_memory.0).await;
    let store = store.map_err(environment)?;
    let tested = test_all(&store, config, gates, wanted).await.map_err(environment);
    store.close().await.map_err(environment)?;
    tested
}

/// A small network in which everything occurs and nothing is wrong.
fn generate(events: &Path, seed: u64) -> std::io::Result<()> {
    let stories = Stories { long: 30, no_close: 5, zero_fps: 150, ..Stories::default() };
    let profile = Profile {
        stories,
        garbage_per_session: 0.0,
        oversized: false,
        event_loss: 0.0,
        batch_loss: 0.0,
        session_loss: 0.0,
        batch_retry: 0.0,
        skewed_runner: 0.0,
        transport: true,
        ..Profile::default()
    };
    let plan = Plan { seed, sessions: 160, orchestrators: 40, hours: 2, profile };
    let mut out = BufWriter::new(File::create(events)?);
    plan.write(&mut out, None::<&mut Vec<u8>>, &mut |_| ()).map(drop)
}

fn replay_args(data: &Path, org: &str, events: PathBuf) -> ReplayArgs {
    ReplayArgs {
        data_dir: data.to_owned(),
        org: org.to_owned(),
        shuffle: None,
        duplicate: 0.0,
        capability_delay: None,
        capability_precede_session: false,
        files: vec![events],
    }
}

#[derive(Deserialize)]
struct Named {
    name: String,
    create_table_query: String,
}

/// What is in the store, and who reads whom.
struct Inventory {
    /// Name to the relations that its definition names, itself included.
    reads: BTreeMap<String, BTreeSet<String>>,
}

impl Inventory {
    async fn of(store: &Store) -> Result<Self, StoreError> {
        let named = list(store).await?;
        let names: BTreeSet<String> = named.iter().map(|one| one.name.clone()).collect();
        let direct = named.iter().map(|one| {
            let mut reads = mentioned(&one.create_table_query, &names);
            reads.insert(one.name.clone());
            (one.name.clone(), reads)
        });
        Ok(Self { reads: direct.collect() })
    }

    /// Every relation that `sql` reads, through views too.
    fn read_by(&self, sql: &str) -> BTreeSet<String> {
        let names: BTreeSet<String> = self.reads.keys().cloned().collect();
        let mut found = mentioned(sql, &names);
        loop {
            let further: BTreeSet<String> =
                found.iter().flat_map(|name| &self.reads[name]).cloned().collect();
            if further.is_subset(&found) {
                return found;
            }
            found.extend(further);
        }
    }
}

/// The names that occur in `text` as words.
fn mentioned(text: &str, names: &BTreeSet<String>) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter(|word| names.contains(*word)).map(str::to_owned).collect()
}

async fn list(store: &Store) -> Result<Vec<Named>, StoreError> {
    let sql = format!(
        "SELECT name, create_table_query FROM system.tables WHERE database = '{}' \
         AND NOT startsWith(name, '.') AND name != 'schema_migrations'",
        store.database()
    );
    store.rows("list the relations", &sql).await
}

async fn test_all(
    store: &Store,
    config: &Config,
    gates: &Gates,
    wanted: &[&'static Check],
) -> Result<Tested, StoreError> {
    let mut tested = Tested::default();
    let Ok(gate) = gates.gate("nightly") else { return Ok(tested) };
    let everything = Scope::everything(SystemClock.now(), "", Rules::of(config));
    let live = Scope { now: NOW, ..everything.clone() };
    let inventory = Inventory::of(store).await?;
    keep(store).await?;
    // Those against the clock are by themselves: at one moment of a network that was, and without the sessions
    // that it leaves without an orchestrator on purpose.
    for (scope, is_live) in [(&everything, false), (&live, true)] {
        let all: Vec<&'static Check> = checks::all()
            .filter(|check| (check.pack == Pack::Live) == is_live)
            .filter(|check| {
                is_live || (check.can_fail() && gate.runs(check)) || check.can_be_seeded()
            })
            .collect();
        if is_live {
            for database in [SOUND, store.database()] {
                let client = store.tables().with_setting("mutations_sync", "2");
                let sql = format!(
                    "ALTER TABLE {database}.fact_workflow_sessions DELETE WHERE selection_count > 0 AND orchestrator_address = ''"
                );
                store.execute(&client, "leave sessions out", &sql).await?;
            }
        }
        let mut unsound = BTreeSet::new();
        for outcome in run(&Reader::of(store), scope, (gates, gate), &all).await {
            if is_red(&outcome) {
                unsound.insert(outcome.check.id);
                let (id, note) = (outcome.check.id, &outcome.note);
                let rows = outcome.examples.first().map(ToString::to_string).unwrap_or_default();
                tested.problems.push(format!("{id} fails on the sound store: {note}{rows}"));
            }
        }
        let case = Case { store, scope, gates, gate, inventory: &inventory, unsound: &unsound };
        for check in all.iter().copied().filter(|check| check.can_be_seeded()) {
            if wanted.is_empty() || wanted.iter().any(|one| one.id == check.id) {
                tested.faults += 1;
                tested.problems.extend(case.test(check, &all).await?);
            }
        }
    }
    Ok(tested)
}

/// Whether the rows of a relation are computed from facts.
fn is_derived(relation: &str) -> bool {
    ["v_", "agg_", "rollup_"].iter().any(|prefix| relation.starts_with(prefix))
}

/// Whether the check does not hold; one that can not block warns.
fn is_red(outcome: &Outcome) -> bool {
    let worst = if outcome.check.can_fail() { Verdict::Fail } else { Verdict::Warn };
    outcome.verdict >= worst
}

/// Copies every table.
async fn keep(store: &Store) -> Result<(), StoreError> {
    let what = "keep the sound rows";
    let tables = store.tables();
    store.execute(&tables, what, &format!("CREATE DATABASE {SOUND}")).await?;
    for table in rows::ALL {
        copy(store, what, SOUND, store.database(), table.name).await?;
    }
    Ok(())
}

async fn copy(
    store: &Store,
    what: &str,
    to: &str,
    from: &str,
    table: &str,
) -> Result<(), StoreError> {
    let tables = store.tables();
    for sql in [
        format!("CREATE TABLE {to}.{table} AS {from}.{table}"),
        format!("INSERT INTO {to}.{table} SELECT * FROM {from}.{table}"),
    ] {
        store.execute(&tables, what, &sql).await?;
    }
    Ok(())
}

struct Case<'a> {
    store: &'a Store,
    scope: &'a Scope,
    gates: &'a Gates,
    gate: &'a Gate,
    inventory: &'a Inventory,
    /// What fails without any fault.
    unsound: &'a BTreeSet<&'static str>,
}

impl Case<'_> {
    /// Seeds the fault of `check` and says what went otherwise than it had to.
    async fn test(
        &self,
        check: &'static Check,
        all: &[&'static Check],
    ) -> Result<Vec<String>, StoreError> {
        let seeded = self.seed(check).await;
        let touched = all.iter().copied().filter(|other| self.reads(other, check));
        let touched: Vec<&'static Check> = touched.collect();
        let mut problems = Vec::new();
        if let Err(error) = seeded {
            problems.push(format!("{}: its fault can not be seeded: {error}", check.id));
        } else {
            let outcomes =
                run(&Reader::of(self.store), self.scope, (self.gates, self.gate), &touched).await;
            let red = outcomes.iter().filter(|outcome| is_red(outcome));
            let red: Vec<&str> = red.map(|outcome| outcome.check.id).collect();
            if !red.contains(&check.id) {
                problems.push(format!("{}: its fault is not found", check.id));
            }
            let expected = |id: &&&str| {
                **id == check.id || check.seed.also.contains(*id) || self.unsound.contains(*id)
            };
            let others: Vec<&str> = red.iter().filter(|id| !expected(id)).copied().collect();
            if !others.is_empty() {
                let others = others.join(", ");
                problems.push(format!("{}: its fault also fails {others}", check.id));
            }
            let mute = check.seed.also.iter().filter(|id| !red.contains(id)).copied();
            let mute: Vec<&str> = mute.collect();
            if !mute.is_empty() {
                let mute = mute.join(", ");
                problems.push(format!("{}: its fault should also fail {mute}", check.id));
            }
        }
        self.restore(check.seed.relation).await?;
        Ok(problems)
    }

    /// Whether the fault of `check` can change what `other` finds. That figures do not fit facts that
    /// were changed behind their back goes without saying.
    fn reads(&self, other: &Check, check: &Check) -> bool {
        if other.id != check.id && is_derived(other.relation) && !is_derived(check.seed.relation) {
            return false;
        }
        let sql = other.sql().and_then(|sql| relations::expand(sql).ok()).unwrap_or_default();
        other.id == check.id
            || sql.contains("system.")
            || self.inventory.read_by(&sql).contains(check.seed.relation)
    }

    async fn seed(&self, check: &Check) -> Result<(), StoreError> {
        let relation = check.seed.relation;
        let statements = match check.seed.spoil {
            Spoil::Nothing => Vec::new(),
            Spoil::Sql(statements) => statements.iter().map(|&sql| sql.to_owned()).collect(),
            Spoil::Drop(pick) => vec![format!("ALTER TABLE {relation} DELETE WHERE {pick}")],
            Spoil::View(select) => vec![
                format!("RENAME TABLE {relation} TO {ASIDE}"),
                format!("CREATE VIEW {relation} AS {}", select.replace("{sound}", ASIDE)),
            ],
            Spoil::Change { set, pick } => {
                let spec = rows::table(relation);
                let (version, key) = spec.map_or(("version", String::from("1")), |spec| {
                    (spec.version, spec.order_by.join(", "))
                });
                // The condition is inside, where no replaced column can hide a stored one.
                vec![format!(
                    "INSERT INTO {relation} SELECT * REPLACE({set}, {version} + 1 AS {version}) \
                     FROM (SELECT * FROM {relation} FINAL WHERE {pick} ORDER BY {key} LIMIT 1)"
                )]
            }
        };
        let client = self.store.tables().with_setting("mutations_sync", "2");
        for sql in statements {
            self.store.execute(&client, &format!("seed {}", check.id), &sql).await?;
        }
        Ok(())
    }

    /// Makes the store sound again.
    async fn restore(&self, relation: &str) -> Result<(), StoreError> {
        let (what, database) = ("restore the sound rows", self.store.database());
        let tables = self.store.tables();
        let present: BTreeSet<String> =
            list(self.store).await?.into_iter().map(|one| one.name).collect();
        if rows::table(relation).is_some() {
            let drop = format!("DROP TABLE IF EXISTS {database}.{relation} SYNC");
            self.store.execute(&tables, what, &drop).await?;
            copy(self.store, what, database, SOUND, relation).await?;
        } else if present.contains(ASIDE) {
            let sql = format!("DROP VIEW IF EXISTS {relation}");
            self.store.execute(&tables, what, &sql).await?;
            let sql = format!("RENAME TABLE {ASIDE} TO {relation}");
            self.store.execute(&tables, what, &sql).await?;
        }
        for extra in present.iter().filter(|name| !self.inventory.reads.contains_key(*name)) {
            if extra != ASIDE {
                self.store.execute(&tables, what, &format!("DROP TABLE {extra} SYNC")).await?;
            }
        }
        Ok(())
    }
}
