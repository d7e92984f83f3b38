//! What a replay says at its end, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use naap_actors::ingest::IngestStatus;
use serde::Serialize;

use super::Fed;
use super::input::ONE_A_LINE;
use crate::store::fingerprint::Fingerprint;

/// What the run itself measured.
#[derive(Clone, Debug)]
pub(super) struct Totals {
    pub(super) fed: Fed,
    pub(super) elapsed: Duration,
    pub(super) node_cpu: Duration,
}

/// Counts of this run, the state of the store after it, and the cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    files: Files,
    records: Records,
    /// Sessions in the store.
    sessions: u64,
    /// Latest rows in the store, by table.
    rows: BTreeMap<&'static str, u64>,
    cost: Cost,
    /// Fingerprint of each relation.
    fingerprints: BTreeMap<&'static str, Fingerprint>,
}

#[derive(Clone, Debug, Serialize)]
struct Files {
    lines: u64,
    bytes: u64,
    deliveries: u64,
    already_applied: u64,
}

/// What became of the records of this run. `read` = `accepted` + `duplicates` + `conflicts` +
/// `redelivered` + `session_panics` + all of `ignored`, `dead_lettered` and `quarantined`.
#[derive(Clone, Debug, Serialize)]
struct Records {
    read: u64,
    accepted: u64,
    duplicates: u64,
    conflicts: u64,
    redelivered: u64,
    /// The sum is `accepted`.
    accepted_by_family: BTreeMap<&'static str, u64>,
    /// Records that name no gateway, by family, with further deliveries.
    without_gateway: BTreeMap<&'static str, u64>,
    ignored: BTreeMap<&'static str, u64>,
    dead_lettered: BTreeMap<&'static str, u64>,
    /// Dead letters for parts of accepted records: entries of capability events, rows over the size guard,
    /// events on which a session panicked.
    part_letters: BTreeMap<&'static str, u64>,
    /// By the gate; duplicates and conflicts are in the same table.
    quarantined: BTreeMap<&'static str, u64>,
    session_panics: u64,
    /// Rows replaced because an advertisement came after they had been written.
    corrections: u64,
}

/// What both count, by reason.
fn sum(
    one: &BTreeMap<&'static str, u64>,
    other: &BTreeMap<&'static str, u64>,
) -> BTreeMap<&'static str, u64> {
    let mut all = one.clone();
    for (reason, count) in other {
        *all.entry(reason).or_default() += count;
    }
    all
}

#[derive(Clone, Debug, Serialize)]
struct Cost {
    elapsed_seconds: f64,
    node_cpu_seconds: f64,
    engine_cpu_seconds: Option<f64>,
    /// Records per second of CPU of the node process.
    events_per_cpu_second: f64,
    node_peak_rss_bytes: Option<u64>,
    engine_rss_bytes: Option<u64>,
    commit_cycles: u64,
}

impl Report {
    pub(super) fn new(
        status: &IngestStatus,
        totals: Totals,
        engine: Option<(Option<Duration>, Option<u64>)>,
        fingerprints: Vec<(&'static str, Fingerprint)>,
    ) -> Self {
        let Totals { fed, elapsed, node_cpu } = totals;
        let (records, shards) = (&status.records, &status.shards);
        let rows =
            fingerprints.iter().map(|(table, f)| (*table, f.rows)).collect::<BTreeMap<_, _>>();
        let (engine_cpu, engine_rss) = engine.unwrap_or_default();
        Self {
            files: Files {
                lines: fed.lines,
                bytes: fed.bytes,
                deliveries: fed.deliveries,
                already_applied: fed.resumed,
            },
            records: Records {
                read: records.read,
                accepted: shards.accepted,
                duplicates: shards.duplicates,
                conflicts: shards.conflicts,
                redelivered: shards.redelivered,
                accepted_by_family: shards.accepted_by_family.clone(),
                without_gateway: records.without_gateway.clone(),
                ignored: records.ignored.clone(),
                dead_lettered: records.dead_lettered.clone(),
                part_letters: sum(&shards.letters, &records.letters),
                quarantined: records.quarantined.clone(),
                session_panics: shards.panics,
                corrections: shards.corrections,
            },
            sessions: rows.get("fact_workflow_sessions").copied().unwrap_or(0),
            rows,
            cost: Cost {
                elapsed_seconds: elapsed.as_secs_f64(),
                node_cpu_seconds: node_cpu.as_secs_f64(),
                engine_cpu_seconds: engine_cpu.map(|cpu| cpu.as_secs_f64()),
                events_per_cpu_second: records.read as f64 / node_cpu.as_secs_f64().max(1e-9),
                node_peak_rss_bytes: crate::cpu::peak_rss(),
                engine_rss_bytes: engine_rss,
                commit_cycles: status.commits,
            },
            fingerprints: fingerprints.into_iter().collect(),
        }
    }

    /// A sentence when there was something to read, and not one record of it looks like an event.
    pub(super) fn nothing_like_events(&self) -> Option<String> {
        let reasons = &self.records.dead_lettered;
        let no_event = |reason: &&str| {
            ["json_parse_error", "root_not_object", "missing_type"].contains(reason)
        };
        let foreign: u64 =
            reasons.iter().filter(|(reason, _)| no_event(reason)).map(|(_, n)| n).sum();
        // Blank lines alone are no mistake.
        let blank = reasons.get("root_not_object").copied().unwrap_or_default();
        let read = self.records.read;
        (foreign == read && read > blank)
            .then(|| format!("none of the {read} records is an event; {ONE_A_LINE}"))
    }

    pub(super) fn json(&self) -> String {
        // A struct of maps with text keys always serialises.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.write_text(&mut out).unwrap_or_default();
        out
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let Self { files, records, cost, .. } = self;
        if records.read == 0 && files.already_applied > 0 {
            writeln!(
                out,
                "already applied: all {} deliveries of this input",
                files.already_applied
            )?;
        } else if files.already_applied > 0 {
            writeln!(
                out,
                "resumed behind {} deliveries that were applied before",
                files.already_applied
            )?;
        }
        writeln!(out, "read            {}", records.read)?;
        writeln!(out, "accepted        {}", records.accepted)?;
        if records.redelivered > 0 {
            writeln!(out, "redelivered     {}", records.redelivered)?;
        }
        if records.session_panics > 0 {
            // Only a fault of the program makes one; the log says where.
            writeln!(out, "SESSION PANICS  {}", records.session_panics)?;
        }
        counts(out, "ignored", &records.ignored)?;
        counts(out, "dead-lettered", &records.dead_lettered)?;
        if !records.part_letters.is_empty() {
            counts(out, "  of parts", &records.part_letters)?;
        }
        let sighted = [("duplicate_event", records.duplicates), ("id_conflict", records.conflicts)];
        let sighted = sighted.into_iter().filter(|(_, count)| *count > 0);
        let quarantined = records.quarantined.iter().map(|(reason, count)| (*reason, *count));
        counts(out, "quarantined", &quarantined.chain(sighted).collect())?;
        writeln!(out, "sessions        {}", self.sessions)?;
        writeln!(out, "corrections     {}", records.corrections)?;
        writeln!(out, "\n{:<44} {:>10}  fingerprint", "relation", "rows")?;
        for (table, fingerprint) in self.fingerprints.iter().filter(|(_, f)| f.rows > 0) {
            let Fingerprint { rows, fingerprint, duplicate_keys } = fingerprint;
            let doubled = if *duplicate_keys > 0 { "  DUPLICATE KEYS" } else { "" };
            writeln!(out, "{table:<44} {rows:>10}  {fingerprint}{doubled}")?;
        }
        writeln!(
            out,
            "\n{:.1} s elapsed, {:.1} s of CPU in the node ({:.0} events per CPU-second), {} in the engine",
            cost.elapsed_seconds,
            cost.node_cpu_seconds,
            cost.events_per_cpu_second,
            cost.engine_cpu_seconds.map_or("unknown".to_owned(), |s| format!("{s:.1} s")),
        )?;
        let megabytes = |bytes: Option<u64>| match bytes {
            Some(bytes) => format!("{} MB", bytes / 1_000_000),
            None => "unknown".to_owned(),
        };
        let (node, engine) =
            (megabytes(cost.node_peak_rss_bytes), megabytes(cost.engine_rss_bytes));
        writeln!(
            out,
            "resident memory: at most {node} in the node, {engine} in the engine at the end"
        )
    }
}

fn counts(out: &mut String, what: &str, counts: &BTreeMap<&'static str, u64>) -> std::fmt::Result {
    writeln!(out, "{what:<15} {}", counts.values().sum::<u64>())?;
    for (reason, count) in counts {
        writeln!(out, "  {reason:<42} {count}")?;
    }
    Ok(())
}
