//! The checks as the quality probe of a node runs them: on the last settled hour, with their results
//! stored in `dq_check_results`.

use std::time::Duration;

use bytes::Bytes;
use naap_actors::ports::TableWriter;
use naap_actors::probe::{Finding, Found, ProbeError, QualityChecks, Severity};
use naap_protocol::rows::quality::CheckResult;
use naap_protocol::rows::spec::append;
use naap_protocol::rows::{Row, TableSpec};
use naap_protocol::time::Timestamp;
use serde_json::Value;

use super::gates::Gates;
use super::run::{Outcome, Reader, Rules, Scope, Verdict, chosen, run};
use crate::store::{ClickHouseWriter, Store};

/// The gate of the probe.
pub(crate) const GATE: &str = "probe";
/// Longest list of examples that is stored, bytes.
const MAX_EXAMPLES: usize = 20_000;
/// The tables that the probe writes.
const TABLES: &[&TableSpec] = &[CheckResult::SPEC];

/// The checks of a store.
#[derive(Debug)]
pub struct StoreChecks {
    reader: Reader,
    writer: ClickHouseWriter,
    gates: Gates,
    rules: Rules,
}

impl StoreChecks {
    /// The checks of `store`, whose rows were written by `rules`.
    pub fn new(store: &Store, writer_timeout: Duration, gates: Gates, rules: Rules) -> Self {
        let writer = store.writer(TABLES, writer_timeout);
        Self { reader: Reader::of(store), writer, gates, rules }
    }

    async fn check(&self, now: Timestamp) -> Result<Vec<Finding>, ProbeError> {
        let gate = self.gates.gate(GATE).map_err(|e| ProbeError(e.to_string()))?;
        let window = gate.window().unwrap_or(Duration::from_hours(1));
        let scope = Scope::settled(window, now, "", self.rules);
        let outcomes = run(&self.reader, &scope, (&self.gates, gate), &chosen(gate, &[])).await;
        self.store(&scope, &outcomes).await?;
        Ok(outcomes.iter().map(finding).collect())
    }

    async fn store(&self, scope: &Scope, outcomes: &[Outcome]) -> Result<(), ProbeError> {
        let run_id = format!("probe-{}", scope.now.0);
        let mut bytes = Vec::new();
        for outcome in outcomes {
            let examples = examples(&outcome.examples);
            let row = row(scope, outcome, &run_id, &examples);
            append(&row, &mut bytes).map_err(|e| ProbeError(e.to_string()))?;
        }
        let count = outcomes.len() as u64;
        let written = self.writer.write(CheckResult::SPEC, vec![Bytes::from(bytes)], count).await;
        written.map_err(|e| ProbeError(format!("the results can not be stored: {e}")))
    }
}

impl QualityChecks for StoreChecks {
    fn run(&self, now: Timestamp) -> Found<'_> {
        Box::pin(self.check(now))
    }
}

fn finding(outcome: &Outcome) -> Finding {
    let severity = match outcome.verdict {
        Verdict::Pass | Verdict::Info | Verdict::Waived => Severity::Fine,
        Verdict::Warn => Severity::Warn,
        Verdict::Fail => Severity::Fail,
    };
    Finding { check: outcome.check.id, severity, rows: outcome.rows, value: outcome.value }
}

/// As many of the rows as there is room for, a JSON array; '' for none.
fn examples(rows: &[Value]) -> String {
    let mut kept = rows.len();
    while kept > 0 {
        let text = Value::from(rows[..kept].to_vec()).to_string();
        if text.len() <= MAX_EXAMPLES {
            return text;
        }
        kept /= 2;
    }
    String::new()
}

fn row<'a>(
    scope: &Scope,
    outcome: &'a Outcome,
    run_id: &'a str,
    examples: &'a str,
) -> CheckResult<'a> {
    CheckResult {
        run_id,
        check_id: outcome.check.id,
        checked_at: scope.now,
        window_start: scope.from,
        window_end: scope.to,
        org: "",
        verdict: outcome.verdict.name(),
        failed_rows: outcome.rows,
        value: outcome.value,
        threshold: &outcome.threshold,
        examples,
        note: &outcome.note,
        duration_ms: u32::try_from(outcome.ms).unwrap_or(u32::MAX),
        program_version: env!("CARGO_PKG_VERSION"),
        version: scope.now.0.unsigned_abs(),
        ingestion_timestamp: scope.now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::checks;
    use crate::quality::run::HOUR_MS;

    #[test]
    fn a_result_is_a_row_of_bounded_size() {
        let check = checks::find("Q-20").expect("a check");
        let outcome = Outcome { rows: 7, ..Outcome::new(check, Verdict::Fail) };
        let scope =
            Scope::new(Timestamp(0), Timestamp(HOUR_MS), Timestamp(HOUR_MS), "", Rules::default());
        let made = row(&scope, &outcome, "probe-1", "[]");
        assert_eq!(
            (made.verdict, made.failed_rows, made.window_end),
            ("FAIL", 7, Timestamp(HOUR_MS))
        );
        let long = vec![Value::from("x".repeat(9_000)); 20];
        assert!(examples(&long).len() <= MAX_EXAMPLES && examples(&long).starts_with('['));
        assert_eq!(examples(&[]), "");
        assert_eq!(finding(&outcome).severity, Severity::Fail);
    }
}
