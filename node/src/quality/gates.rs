//! Gates, thresholds and waivers: one file of TOML (`deploy/quality/gates.toml` is built in).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use naap_protocol::time::Timestamp;
use serde::Deserialize;
use thiserror::Error;

use super::{Check, checks};

/// The file that is built in.
const BUILTIN: &str = include_str!("../../../deploy/quality/gates.toml");
/// Its name in sentences.
const BUILTIN_NAME: &str = "deploy/quality/gates.toml";
/// Longest life of a waiver, days.
const WAIVER_DAYS: i64 = 14;
/// A day, ms.
const DAY_MS: i64 = 86_400_000;

/// The file can not be used.
#[derive(Debug, Error)]
pub enum GatesError {
    /// It can not be read.
    #[error(
        "the file of gates {file} can not be read: {source}; correct the path or the permissions"
    )]
    Unreadable {
        /// Its name.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no such file.
    #[error(
        "the file of gates {file} is wrong: {reason}; correct it as deploy/quality/gates.toml has it"
    )]
    Invalid {
        /// Its name.
        file: String,
        /// What is wrong, one line.
        reason: String,
    },
    /// There is no gate of this name.
    #[error("there is no gate '{name}'; choose one of {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
}

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    #[serde(rename = "gates")]
    named: BTreeMap<String, Gate>,
    #[serde(default)]
    thresholds: BTreeMap<String, Threshold>,
    #[serde(default)]
    waivers: Vec<Waiver>,
}

/// One gate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    packs: Vec<String>,
    #[serde(default, with = "humantime_option")]
    window: Option<Duration>,
    #[serde(default)]
    thresholds: BTreeMap<String, Threshold>,
}

/// When a figure is too bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    warn_above: Option<f64>,
    fail_above: Option<f64>,
    warn_below: Option<f64>,
    fail_below: Option<f64>,
    /// Smaller populations are information only.
    #[serde(default)]
    pub min_n: u64,
}

/// A failure that does not block for a while.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The check.
    pub check: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    granted: toml::value::Datetime,
    expires: toml::value::Datetime,
}

mod humantime_option {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, de::Error};

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text).map(Some).map_err(D::Error::custom)
    }
}

impl Threshold {
    /// Whether `value` is bad enough to fail.
    pub fn fails(&self, value: f64) -> bool {
        self.fail_above.is_some_and(|limit| value > limit)
            || self.fail_below.is_some_and(|limit| value < limit)
    }

    /// Whether `value` is bad enough to warn.
    pub fn warns(&self, value: f64) -> bool {
        self.warn_above.is_some_and(|limit| value > limit)
            || self.warn_below.is_some_and(|limit| value < limit)
    }

    /// True when larger values are better.
    pub fn falls(&self) -> bool {
        self.warn_below.is_some() || self.fail_below.is_some()
    }

    /// As it is printed.
    pub fn text(&self) -> String {
        let parts = [
            ("warn >", self.warn_above),
            ("fail >", self.fail_above),
            ("warn <", self.warn_below),
            ("fail <", self.fail_below),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter_map(|(word, limit)| limit.map(|limit| format!("{word} {limit}")))
            .collect();
        parts.join(", ")
    }
}

/// Days since 1970 of a date.
fn days(date: &toml::value::Datetime) -> Option<i64> {
    let text = format!("{}T00:00:00Z", date.date?);
    let since = humantime::parse_rfc3339(&text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs() / 86_400).ok()
}

impl Waiver {
    /// Whether it has ended on the day of `now_ms`.
    pub fn is_expired(&self, now_ms: i64) -> bool {
        days(&self.expires).is_none_or(|last| now_ms.div_euclid(DAY_MS) > last)
    }

    /// Its last day.
    pub fn last_day(&self) -> String {
        self.expires.to_string()
    }

    fn problem(&self, today: Timestamp) -> Option<String> {
        let check = &self.check;
        if checks::find(check).is_none() {
            return Some(format!("the waiver of {check} names no check; see `naap verify --list`"));
        }
        let (Some(granted), Some(expires)) = (days(&self.granted), days(&self.expires)) else {
            return Some(format!("the waiver of {check} needs dates, such as 2026-11-30"));
        };
        if granted > today.0.div_euclid(DAY_MS) {
            let day = &self.granted;
            return Some(format!(
                "the waiver of {check} is granted on {day}, which is still to come"
            ));
        }
        (expires - granted > WAIVER_DAYS).then(|| {
            format!("the waiver of {check} lasts more than {WAIVER_DAYS} days; make it shorter")
        })
    }
}

/// What the parser says of `text`, without the picture of the place that it draws over several lines.
fn one_line(text: &str, error: &toml::de::Error) -> String {
    let said = error.message().lines().collect::<Vec<_>>().join(", ");
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {said}", before.matches('\n').count() + 1),
        None => said,
    }
}

/// The names of the figures that have thresholds.
fn figures() -> impl Iterator<Item = &'static str> {
    checks::all().filter_map(|check| match check.how {
        super::How::Figure(name, _) => Some(name),
        _ => None,
    })
}

/// A threshold of `table` that no figure is compared with, or whose limit none exceeds.
fn problem_of(table: &str, thresholds: &BTreeMap<String, Threshold>) -> Option<String> {
    thresholds.iter().find_map(|(name, threshold)| {
        if !figures().any(|figure| figure == name) {
            return Some(format!("{table} has {name}, which is no figure"));
        }
        let Threshold { warn_above, fail_above, warn_below, fail_below, .. } = threshold;
        let limits = [warn_above, fail_above, warn_below, fail_below];
        limits
            .into_iter()
            .flatten()
            .any(|limit| !limit.is_finite())
            .then(|| format!("{table} has a limit of {name} that is no finite number"))
    })
}

impl Gates {
    /// The gates of `file`, else those that are built in; no waiver may be granted after `today`.
    ///
    /// # Errors
    /// When the file can not be used; the sentence says why.
    pub fn load(file: Option<&Path>, today: Timestamp) -> Result<Self, GatesError> {
        let Some(file) = file else { return Self::parse(BUILTIN, BUILTIN_NAME, today) };
        let name = file.display().to_string();
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(&text, &name, today),
            Err(source) => Err(GatesError::Unreadable { file: name, source }),
        }
    }

    fn parse(text: &str, file: &str, today: Timestamp) -> Result<Self, GatesError> {
        let invalid = |reason| Err(GatesError::Invalid { file: file.to_owned(), reason });
        let gates: Self = match toml::from_str(text) {
            Ok(gates) => gates,
            Err(error) => return invalid(one_line(text, &error)),
        };
        if let Some(problem) = gates.waivers.iter().find_map(|waiver| waiver.problem(today)) {
            return invalid(problem);
        }
        if let Some(missing) = figures().find(|name| !gates.thresholds.contains_key(*name)) {
            return invalid(format!("[thresholds] lacks {missing}"));
        }
        let of_gates = gates.named.iter().find_map(|(name, gate)| gate.problem(name));
        let problem = of_gates.or_else(|| problem_of("[thresholds]", &gates.thresholds));
        problem.map_or(Ok(gates), invalid)
    }

    /// The gate of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn gate(&self, name: &str) -> Result<&Gate, GatesError> {
        self.named.get(name).ok_or_else(|| GatesError::Unknown {
            name: name.to_owned(),
            known: self.named.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    /// The threshold of this name at `gate`.
    pub fn threshold(&self, gate: &Gate, name: &str) -> Threshold {
        let own = gate.thresholds.get(name).or_else(|| self.thresholds.get(name));
        own.copied().unwrap_or_default()
    }

    /// Whether a figure of this name fails at some value.
    pub fn can_fail(&self, name: &str) -> bool {
        let threshold = self.thresholds.get(name).copied().unwrap_or_default();
        threshold.fail_above.is_some() || threshold.fail_below.is_some()
    }

    /// The waiver of a check.
    pub fn waiver(&self, check: &Check) -> Option<&Waiver> {
        self.waivers.iter().find(|waiver| waiver.check == check.id)
    }
}

impl Gate {
    /// What would silently not be checked.
    fn problem(&self, name: &str) -> Option<String> {
        let known: BTreeSet<_> = checks::all().map(|check| check.pack.name()).collect();
        if let Some(pack) = self.packs.iter().find(|pack| !known.contains(pack.as_str())) {
            let known = Vec::from_iter(known).join(", ");
            return Some(format!("[gates.{name}] has the pack '{pack}'; choose of {known}"));
        }
        if self.packs.is_empty() {
            return Some(format!("[gates.{name}] has no pack and checks nothing"));
        }
        problem_of(&format!("[gates.{name}.thresholds]"), &self.thresholds)
    }

    /// Whether the gate runs `check`.
    pub fn runs(&self, check: &Check) -> bool {
        self.packs.iter().any(|pack| pack == check.pack.name())
    }

    /// How far back it looks; everything when it does not say.
    pub fn window(&self) -> Option<Duration> {
        self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day of November 2026.
    fn day(day: i64) -> Timestamp {
        Timestamp((20_757 + day) * DAY_MS)
    }

    fn with_waiver(granted: &str, expires: &str) -> Result<Gates, GatesError> {
        Gates::with_waiver(granted, expires, day(20))
    }

    impl Gates {
        /// Those that are built in, with a waiver of Q-38.
        pub(in crate::quality) fn with_waiver(
            granted: &str,
            expires: &str,
            today: Timestamp,
        ) -> Result<Self, GatesError> {
            let text = format!(
                "{BUILTIN}\n[[waivers]]\ncheck = \"Q-38\"\nreason = \"r\"\nowner = \"o\"\n\
                 granted = {granted}\nexpires = {expires}\n"
            );
            Self::parse(&text, BUILTIN_NAME, today)
        }
    }

    #[test]
    fn the_built_in_gates_are_complete() {
        let gates = Gates::load(None, day(1)).expect("the built-in file");
        for name in ["pr", "nightly", "release", "probe"] {
            let gate = gates.gate(name).expect(name);
            assert!(checks::all().any(|check| gate.runs(check)), "{name} runs something");
        }
        let release = gates.gate("release").expect("release");
        assert_eq!(gates.threshold(release, "A1").fail_above, Some(0.20));
        assert_eq!(release.window(), Some(Duration::from_hours(24)));
        assert!(gates.gate("none").is_err_and(|e| e.to_string().contains("nightly")));
    }

    #[test]
    fn a_waiver_ends_after_14_days() {
        let gates = with_waiver("2026-11-20", "2026-11-30").expect("a short waiver");
        let check = checks::find("q-38").expect("a check");
        let waiver = gates.waiver(check).expect("the waiver");
        assert!(!waiver.is_expired(day(30).0), "on its last day, 2026-11-30");
        assert!(waiver.is_expired(day(31).0), "the day after");
        let long = with_waiver("2026-11-01", "2026-11-30").expect_err("too long").to_string();
        assert!(long.contains("14 days"), "{long}");
        let early = with_waiver("2026-11-21", "2026-11-30").expect_err("granted tomorrow");
        assert!(early.to_string().contains("still to come"), "{early}");
    }

    #[test]
    fn a_wrong_file_is_one_sentence_with_its_name_and_line() {
        let refused = |text: &str| {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("gates.toml");
            std::fs::write(&file, text).expect("a file");
            let said = Gates::load(Some(&file), day(1)).expect_err("must be refused").to_string();
            assert!(!said.contains('\n') && said.contains("gates.toml is wrong: "), "{said}");
            said
        };
        assert!(refused("[gates]\n= 1\n").contains("line 2: "));
        assert!(refused("[gates.pr]\npack = []\n").contains("line 2: unknown field `pack`"));
        assert!(refused("[gates]\n").contains("[thresholds] lacks "));
        assert!(refused("").contains("missing field `gates`"));
        // What is misspelt would check nothing, and say nothing.
        let changed = |from, to| refused(&BUILTIN.replacen(from, to, 1));
        assert!(changed("\"live\"", "\"life\"").contains("[gates.release] has the pack 'life'"));
        assert!(changed("[\"core\"]", "[]").contains("[gates.pr] has no pack"));
        assert!(changed("thresholds.A1", "thresholds.A9").contains("A9, which is no figure"));
        assert!(changed("F1 =", "F9 = {}\nF1 =").contains("F9, which is no figure"));
        assert!(changed("0.995", "nan").contains("a limit of A3 that is no finite number"));
    }

    #[test]
    fn figures_are_compared_on_the_side_that_is_bad() {
        let above =
            Threshold { warn_above: Some(0.1), fail_above: Some(0.2), ..Threshold::default() };
        assert!(!above.warns(0.1) && above.warns(0.11) && !above.fails(0.2) && above.fails(0.21));
        let below = Threshold { fail_below: Some(0.6), ..Threshold::default() };
        assert!(below.fails(0.59) && !below.fails(0.6) && below.falls());
    }
}
