//! Runs checks against a store. Every statement is read-only and has a time limit.

use std::time::{Duration, Instant};

use clickhouse::Client;
use naap_engine::client;
use naap_protocol::rollup::Gold;
use naap_protocol::time::Timestamp;
use serde_json::Value;

use super::gates::{Gate, Gates, Threshold};
use super::published::{Changed, changed_sql, differences_sql};
use super::{Check, How, Tier, checks, relations};
use crate::config::Config;
use crate::node::gold;
use crate::store::Store;

/// Longest run of one check, seconds (backlog 005).
const MAX_SECONDS: u32 = 60;
/// Most rows that are kept as examples.
const EXAMPLES: usize = 20;
/// An hour, ms.
pub const HOUR_MS: i64 = 3_600_000;
/// An hour is settled so long after its end, ms (quality.md 9).
const SETTLE_MS: i64 = 600_000;

/// What the configuration says about the rows that were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// How long a session takes signals after its last one, ms.
    pub retention_ms: i64,
    /// Which evidence figures rest on.
    pub gold: Gold,
}

impl Rules {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        Self { retention_ms: config.retention.state.as_millis() as i64, gold: gold(config) }
    }
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Beginning of the window, on an hour.
    pub from: Timestamp,
    /// End of the window, on an hour, exclusive.
    pub to: Timestamp,
    /// The moment that counts as now.
    pub now: Timestamp,
    /// The moment of the run, by which waivers end whatever the window.
    pub today: Timestamp,
    /// Organisation; '' for all.
    pub org: String,
    /// How the rows came about.
    pub rules: Rules,
}

impl Scope {
    /// The window [from, to) widened to whole hours; `now` is at most its end.
    pub fn new(from: Timestamp, to: Timestamp, now: Timestamp, org: &str, rules: Rules) -> Self {
        let to = Timestamp(-(-to.0).div_euclid(HOUR_MS) * HOUR_MS);
        Self {
            from: Timestamp(from.0.div_euclid(HOUR_MS) * HOUR_MS),
            to,
            now: now.min(to),
            today: now,
            org: org.to_owned(),
            rules,
        }
    }

    /// The `window` that ends with the last settled hour. It is over, but freshness is about this moment.
    pub fn settled(window: Duration, now: Timestamp, org: &str, rules: Rules) -> Self {
        let to = Timestamp((now.0 - SETTLE_MS).div_euclid(HOUR_MS) * HOUR_MS);
        let from = Timestamp(to.0 - window.as_millis() as i64);
        Self { now, ..Self::new(from, to, now, org, rules) }
    }

    /// Everything that is stored.
    pub fn everything(now: Timestamp, org: &str, rules: Rules) -> Self {
        let (from, to) = (Timestamp(946_684_800_000), Timestamp(4_102_444_800_000));
        Self::new(from, to, now, org, rules)
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It holds.
    Pass,
    /// Worth knowing, or shown elsewhere.
    Info,
    /// It does not hold, and that is waived.
    Waived,
    /// To be looked at.
    Warn,
    /// It does not hold, or could not be run.
    Fail,
}

impl Verdict {
    /// As it is printed and stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Info => "INFO",
            Self::Waived => "WAIVED",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

impl From<Tier> for Verdict {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Info => Self::Info,
            Tier::Warn => Self::Warn,
            Tier::Fail => Self::Fail,
        }
    }
}

/// A check and what it came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The check.
    pub check: &'static Check,
    /// What it came to.
    pub verdict: Verdict,
    /// Rows that contradict it, or figures beyond the threshold.
    pub rows: u64,
    /// The worst figure.
    pub value: Option<f64>,
    /// What it is compared with; '' for none.
    pub threshold: String,
    /// Some of the rows.
    pub examples: Vec<Value>,
    /// What else there is to say; '' for nothing.
    pub note: String,
    /// How long it took, ms.
    pub ms: u64,
}

impl Outcome {
    /// An outcome without anything to say.
    pub(super) fn new(check: &'static Check, verdict: Verdict) -> Self {
        Self {
            check,
            verdict,
            rows: 0,
            value: None,
            threshold: String::new(),
            examples: Vec::new(),
            note: String::new(),
            ms: 0,
        }
    }
}

/// The checks of `gate`, of those that are `wanted` when it names any.
pub fn chosen<'a>(gate: &'a Gate, wanted: &'a [&'static Check]) -> Vec<&'static Check> {
    if wanted.is_empty() {
        return checks::all().filter(|check| gate.runs(check)).collect();
    }
    wanted.to_vec()
}

/// A way to the tables that only reads.
#[derive(Clone, Debug)]
pub struct Reader(Client);

impl Reader {
    /// That of a store.
    pub fn of(store: &Store) -> Self {
        Self(store.tables())
    }
}

/// Runs the checks one after the other.
pub async fn run(
    reader: &Reader,
    scope: &Scope,
    (gates, gate): (&Gates, &Gate),
    checks: &[&'static Check],
) -> Vec<Outcome> {
    let client = bound(reader, scope);
    let mut outcomes = Vec::with_capacity(checks.len());
    for check in checks {
        let started = Instant::now();
        let mut outcome = one(&client, (gates, gate), check).await;
        outcome.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        outcomes.push(waived(outcome, gates, scope.today));
    }
    outcomes
}

/// A client that can not write and knows the window.
fn bound(reader: &Reader, scope: &Scope) -> Client {
    let moment = |ts: Timestamp| format!("{}.{:03}", ts.0.div_euclid(1000), ts.0.rem_euclid(1000));
    reader
        .0
        .clone()
        .with_setting("readonly", "2")
        .with_setting("max_execution_time", MAX_SECONDS.to_string())
        .with_setting("output_format_json_quote_64bit_integers", "0")
        .with_setting("output_format_json_quote_denormals", "1")
        .with_setting("param_from", moment(scope.from))
        .with_setting("param_to", moment(scope.to))
        .with_setting("param_now", moment(scope.now))
        .with_setting("param_org", scope.org.as_str())
        .with_setting("param_retention_ms", scope.rules.retention_ms.to_string())
        .with_setting("param_gold", format!("['{}']", scope.rules.gold.sources().join("','")))
}

async fn one(client: &Client, (gates, gate): (&Gates, &Gate), check: &'static Check) -> Outcome {
    let answer = match check.how {
        How::Rows(tier, sql) => rows(client, check, tier, sql).await,
        How::Figure(name, sql) => figures(client, check, &gates.threshold(gate, name), sql).await,
        How::Published(tier) => published(client, check, tier).await,
        How::Build(tier, found) => {
            let found = found();
            let verdict = if found.is_empty() { Verdict::Pass } else { tier.into() };
            Ok(Outcome {
                rows: found.len() as u64,
                examples: found.into_iter().map(Value::from).collect(),
                ..Outcome::new(check, verdict)
            })
        }
        How::Elsewhere(by) => {
            Ok(Outcome { note: format!("shown by {by}"), ..Outcome::new(check, Verdict::Info) })
        }
    };
    // A check without an answer does not hold.
    answer.unwrap_or_else(|reason| Outcome {
        note: format!("could not be run: {reason}"),
        ..Outcome::new(check, Verdict::Fail)
    })
}

async fn rows(
    client: &Client,
    check: &'static Check,
    tier: Tier,
    sql: &str,
) -> Result<Outcome, String> {
    let sql = relations::expand(sql)?;
    let tiered = sql.contains(" AS tier");
    let worst = "indexOf(['FAIL', 'WARN', 'INFO'], tier)";
    let (count, order) = if tiered {
        (format!(", min({worst}) OVER () AS _worst"), format!("ORDER BY {worst}"))
    } else {
        (String::new(), String::new())
    };
    let sql =
        format!("SELECT *, count() OVER () AS _rows{count} FROM ({sql}) {order} LIMIT {EXAMPLES}");
    let mut examples = answer(client, &sql).await?;
    let total = take(&mut examples, "_rows").unwrap_or(0);
    let verdict = match (total, take(&mut examples, "_worst")) {
        (0, _) => Verdict::Pass,
        (_, Some(2)) => Verdict::Warn,
        (_, Some(3)) => Verdict::Info,
        _ => tier.into(),
    };
    Ok(Outcome { rows: total, examples, ..Outcome::new(check, verdict) })
}

async fn figures(
    client: &Client,
    check: &'static Check,
    threshold: &Threshold,
    sql: &str,
) -> Result<Outcome, String> {
    let order = if threshold.falls() { "" } else { "DESC" };
    let sql = relations::expand(sql)?;
    let rows =
        answer(client, &format!("SELECT * FROM ({sql}) ORDER BY value {order} NULLS LAST")).await?;
    let mut outcome = Outcome { threshold: threshold.text(), ..Outcome::new(check, Verdict::Pass) };
    for row in rows {
        let Some(value) = row.get("value").and_then(Value::as_f64) else { continue };
        let n = row.get("n").and_then(Value::as_f64).unwrap_or_default();
        // Too bad, but not for long enough.
        let is_brief = row.get("is_brief").and_then(Value::as_u64).is_some_and(|brief| brief > 0);
        let verdict = match (threshold.fails(value), threshold.warns(value)) {
            (false, false) => Verdict::Pass,
            _ if n < threshold.min_n as f64 => Verdict::Info,
            (true, _) if !is_brief => Verdict::Fail,
            _ => Verdict::Warn,
        };
        if outcome.value.is_none() || verdict > outcome.verdict {
            outcome.value = Some(value);
        }
        outcome.verdict = outcome.verdict.max(verdict);
        if verdict > Verdict::Pass {
            outcome.rows += u64::from(verdict > Verdict::Info);
            if outcome.examples.len() < EXAMPLES {
                outcome.examples.push(row);
            }
        }
    }
    if outcome.verdict == Verdict::Info {
        outcome.note = format!("beyond the threshold, but of fewer than {} rows", threshold.min_n);
    }
    Ok(outcome)
}

/// Looks into the slices that changed; one that its query answers like that holds.
async fn published(client: &Client, check: &'static Check, tier: Tier) -> Result<Outcome, String> {
    let mut outcome = Outcome::new(check, Verdict::Pass);
    for slice in answer(client, &changed_sql()?).await? {
        let slice: Changed = serde_json::from_value(slice).map_err(|e| e.to_string())?;
        let Some(rollup) = slice.rollup() else { continue };
        let client = client
            .clone()
            .with_setting("param_org", slice.org)
            .with_setting("param_hours", format!("['{}']", slice.hour));
        let mut found = answer(&client, &differences_sql(rollup)).await?;
        outcome.rows += found.len() as u64;
        found.truncate(EXAMPLES - outcome.examples.len());
        outcome.examples.extend(found);
    }
    if outcome.rows > 0 {
        outcome.verdict = tier.into();
    }
    Ok(outcome)
}

/// Takes the column that all rows have alike.
fn take(rows: &mut [Value], name: &str) -> Option<u64> {
    let mut taken = None;
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        taken = row.remove(name).and_then(|value| value.as_u64()).or(taken);
    }
    taken
}

async fn answer(client: &Client, sql: &str) -> Result<Vec<Value>, String> {
    let mut bytes = Vec::new();
    client::write_answer(client, sql, "JSONEachRow", &mut bytes)
        .await
        .map_err(|e| e.to_string())?;
    let lines = bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(|e| e.to_string())).collect()
}

/// The outcome as the waivers have it.
fn waived(mut outcome: Outcome, gates: &Gates, today: Timestamp) -> Outcome {
    let Some(waiver) = gates.waiver(outcome.check) else { return outcome };
    let (reason, owner, day) = (&waiver.reason, &waiver.owner, waiver.last_day());
    if waiver.is_expired(today.0) {
        outcome.verdict = Verdict::Fail;
        outcome.note = format!("its waiver ended on {day}; {owner} has to mend it or remove it");
    } else if outcome.verdict == Verdict::Fail {
        outcome.verdict = Verdict::Waived;
        outcome.note = format!("waived until {day} by {owner}: {reason}");
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiver_ends_today_whatever_the_window() {
        let day = |day: i64| Timestamp((20_777 + day) * 24 * HOUR_MS);
        let gates = Gates::with_waiver("2026-11-20", "2026-11-30", day(0)).expect("a waiver");
        let check = checks::find("Q-38").expect("a check");
        let verdict = |today| {
            // A window that was over long before.
            let scope = Scope::new(day(-300), day(-299), today, "", Rules::default());
            assert_eq!(scope.now, day(-299));
            waived(Outcome::new(check, Verdict::Fail), &gates, scope.today).verdict
        };
        assert_eq!((verdict(day(10)), verdict(day(11))), (Verdict::Waived, Verdict::Fail));
    }

    #[test]
    fn a_running_hour_is_not_settled_nor_one_that_ended_just_now() {
        let hour = |hour: i64| Timestamp(hour * HOUR_MS);
        for (minutes, end) in [(0, 49), (9, 49), (10, 50), (59, 50), (69, 50), (70, 51)] {
            let now = Timestamp(hour(50).0 + minutes * 60_000);
            let scope = Scope::settled(Duration::from_hours(24), now, "o", Rules::default());
            assert_eq!((scope.from, scope.to), (hour(end - 24), hour(end)), "{minutes} min");
            assert_eq!((scope.now, scope.today, &*scope.org), (now, now, "o"));
        }
    }
}
