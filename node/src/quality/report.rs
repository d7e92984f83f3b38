//! What a run of checks says: worst first, with what offends and what to do.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::run::{Outcome, Scope, Verdict};
use super::{Check, How, checks};
use crate::times::stamp;

/// Examples that the text shows of each check.
const SHOWN: usize = 3;

/// How many outcomes have `verdict`.
pub fn count(outcomes: &[Outcome], verdict: Verdict) -> usize {
    outcomes.iter().filter(|outcome| outcome.verdict == verdict).count()
}

/// For people: what does not hold in full, then every check in a table.
pub fn text(outcomes: &[Outcome], scope: &Scope, gate: &str) -> String {
    let mut worst: Vec<&Outcome> = outcomes.iter().collect();
    worst.sort_by(|a, b| b.verdict.cmp(&a.verdict).then_with(|| b.rows.cmp(&a.rows)));
    let mut out = String::new();
    for outcome in worst.iter().filter(|outcome| outcome.verdict > Verdict::Info) {
        in_full(&mut out, outcome);
    }
    table(&mut out, outcomes);
    let org = if scope.org.is_empty() { "all organisations" } else { scope.org.as_str() };
    let n = |verdict| count(outcomes, verdict);
    // Writing to a String can not fail.
    let _ = writeln!(
        out,
        "gate {gate}: {} checks, {} failed, {} warned, {} waived; {} up to {} UTC, {org}",
        outcomes.len(),
        n(Verdict::Fail),
        n(Verdict::Warn),
        n(Verdict::Waived),
        stamp(scope.from),
        stamp(scope.to),
    );
    out
}

fn in_full(out: &mut String, outcome: &Outcome) {
    let check = outcome.check;
    let _ = writeln!(out, "{:<6} {:<6} {}", outcome.verdict.name(), check.id, check.title);
    if let Some(value) = outcome.value {
        let _ = writeln!(out, "       value {value:.4} ({})", outcome.threshold);
    }
    if !outcome.note.is_empty() {
        let _ = writeln!(out, "       {}", outcome.note);
    }
    if outcome.rows > 0 {
        let _ = writeln!(out, "       {} rows, see {}", outcome.rows, check.relation);
    }
    for example in outcome.examples.iter().take(SHOWN) {
        let _ = writeln!(out, "         {}", cells(example));
    }
    if !check.remedy.is_empty() {
        let _ = writeln!(out, "       do: {}", squeezed(check.remedy));
    }
    out.push('\n');
}

/// A row as `column=value`.
fn cells(row: &Value) -> String {
    let Some(cells) = row.as_object() else { return row.as_str().unwrap_or_default().to_owned() };
    let cell = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    };
    cells.iter().map(cell).collect::<Vec<_>>().join(" ")
}

/// A line for each check: a figure has a value and its threshold, the others rows, of which none is allowed.
fn table(out: &mut String, outcomes: &[Outcome]) {
    let _ = writeln!(out, "{:<6} {:<7} {:>12}  threshold", "check", "verdict", "value");
    for outcome in outcomes {
        let (value, threshold) = match (outcome.check.how, outcome.value) {
            (How::Elsewhere(_), _) => ("-".to_owned(), outcome.note.as_str()),
            (How::Figure(..), None) => ("-".to_owned(), outcome.threshold.as_str()),
            (How::Figure(..), Some(value)) => (format!("{value:.4}"), outcome.threshold.as_str()),
            _ => (format!("{} rows", outcome.rows), "0 rows"),
        };
        let (id, verdict) = (outcome.check.id, outcome.verdict.name());
        let line = format!("{id:<6} {verdict:<7} {value:>12}  {threshold}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// Text of the source without the indentation of its continuation lines.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// For programs.
pub fn to_json(outcomes: &[Outcome], scope: &Scope, gate: &str) -> Value {
    json!({
        "gate": gate,
        "from": stamp(scope.from),
        "to": stamp(scope.to),
        "org": scope.org,
        "failed": count(outcomes, Verdict::Fail),
        "warned": count(outcomes, Verdict::Warn),
        "waived": count(outcomes, Verdict::Waived),
        "checks": outcomes.iter().map(outcome_json).collect::<Vec<_>>(),
    })
}

fn outcome_json(outcome: &Outcome) -> Value {
    let check = outcome.check;
    json!({
        "id": check.id,
        "title": check.title,
        "relation": check.relation,
        "verdict": outcome.verdict.name(),
        "rows": outcome.rows,
        "value": outcome.value,
        "threshold": outcome.threshold,
        "examples": outcome.examples,
        "note": outcome.note,
        "remedy": squeezed(check.remedy),
        "contract": check.source,
        "ms": outcome.ms,
    })
}

/// Every check, for people.
pub fn list() -> String {
    let mut out = String::new();
    for check in checks::all() {
        let _ = writeln!(out, "{:<6} {:<10} {}", check.id, kind(check), check.title);
    }
    out
}

/// Every check, for programs.
pub fn list_json() -> Value {
    let one = |check: &Check| {
        json!({
            "id": check.id,
            "title": check.title,
            "kind": kind(check),
            "pack": check.pack.name(),
            "relation": check.relation,
            "remedy": squeezed(check.remedy),
            "contract": check.source,
            "sql": check.sql().map(squeezed),
        })
    };
    checks::all().map(one).collect()
}

fn kind(check: &Check) -> &'static str {
    match check.how {
        How::Rows(tier, _) | How::Build(tier, _) | How::Published(tier) => match tier {
            super::Tier::Fail => "fails",
            super::Tier::Warn => "warns",
            super::Tier::Info => "informs",
        },
        How::Figure(..) => "threshold",
        How::Elsewhere(_) => "elsewhere",
    }
}
