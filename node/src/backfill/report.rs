//! What a backfill has looked at and changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use naap_actors::backfill::{Changes, Relabel};
use naap_protocol::time::Timestamp;
use serde_json::json;

use crate::cli::BackfillAttributionArgs;
use crate::times::stamp;

/// Counts of one run.
#[derive(Debug, Default)]
pub struct Report {
    from: Timestamp,
    to: Timestamp,
    dry_run: bool,
    /// Sessions with a selection in the window.
    pub looked_at: u64,
    /// Those of them that something changes for.
    pub changed: u64,
    /// Sessions, of any organisation, that ended in the window and are settled: only a mark is kept of
    /// them, and nothing changes them any more.
    pub settled: u64,
    rows: BTreeMap<Relabel, u64>,
    /// SHA-256 over the advertisements and sessions that were looked at.
    pub input_fingerprint: String,
}

impl Report {
    /// Nothing yet.
    pub fn new(args: &BackfillAttributionArgs) -> Self {
        Self { from: args.from, to: args.to, dry_run: args.dry_run, ..Self::default() }
    }

    /// Counts a session.
    pub fn count(&mut self, changes: &Changes) {
        self.looked_at += 1;
        self.changed += u64::from(!changes.evidence.is_empty());
        for (relabel, count) in &changes.rows {
            *self.rows.entry(relabel.clone()).or_default() += count;
        }
    }

    /// Names the run: the same window over the same input has the same id.
    fn run_id(&self) -> String {
        let short = self.input_fingerprint.get(..12).unwrap_or_default();
        format!("attribution-{}-{}-{short}", self.from.0, self.to.0)
    }

    /// For people.
    pub fn text(&self) -> String {
        let (from, to) = (stamp(self.from), stamp(self.to));
        let mut out = format!("attribution from {from} to {to} UTC, run {}\n", self.run_id());
        let rows: u64 = self.rows.values().sum();
        let verb = if self.dry_run { "would change" } else { "changed" };
        // Writing to a string does not fail.
        let _ = writeln!(out, "sessions  {} looked at, {} {verb}", self.looked_at, self.changed);
        if self.settled > 0 {
            let _ =
                writeln!(out, "settled   {} sessions are over and stay as they are", self.settled);
        }
        let _ = writeln!(out, "rows      {rows}");
        for (Relabel { table, before, after }, count) in &self.rows {
            let [before, after] = [before, after].map(|l| if l.is_empty() { "-" } else { l });
            let _ = writeln!(out, "  {table:<34} {before:>13} -> {after:<13} {count:>9}");
        }
        if self.dry_run {
            out.push_str("dry run: nothing was written\n");
        }
        out
    }

    /// For programs.
    pub fn json(&self) -> String {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|(Relabel { table, before, after }, count)| {
                json!({ "table": table, "before": before, "after": after, "rows": count })
            })
            .collect();
        let report = json!({
            "run_id": self.run_id(),
            "input_fingerprint": self.input_fingerprint,
            "from": self.from,
            "to": self.to,
            "dry_run": self.dry_run,
            "sessions": {
                "looked_at": self.looked_at,
                "changed": self.changed,
                "settled": self.settled,
            },
            "rows": rows,
        });
        format!("{report:#}\n")
    }
}
