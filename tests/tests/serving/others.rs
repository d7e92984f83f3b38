//! The views that look at sessions one by one, and at frames in five minutes.

use std::collections::BTreeMap;

use crate::Rows;
use crate::facts::{Facts, HOUR, number, text};
use crate::figures::{Tallies, Tally, key};

/// Five minutes, ms.
const FIVE: i64 = HOUR / 12;

/// Gold samples in five minutes, of which at least five.
pub(crate) fn steadiness(facts: &Facts) -> Rows {
    let mut found = Tallies::new();
    for ((org, _), session) in &facts.sessions {
        for sample in session.samples.iter().filter(|s| s.attributed && s.direct) {
            let begin = sample.ts.div_euclid(FIVE) * FIVE / 1000;
            let key = [&[org.clone(), begin.to_string()], &sample.identity[..]].concat();
            found.entry(key).or_default().sample(sample.fps);
        }
    }
    let rows = found.into_iter().map(|(key, tally)| (key, Tally::steadiness(&tally)));
    rows.filter(|(_, row)| row["status_samples"] >= 5.0).collect()
}

/// By status and by source.
const SHARES: [&str; 9] = [
    "selected_sessions",
    "resolved_sessions",
    "hardware_less_sessions",
    "stale_sessions",
    "ambiguous_sessions",
    "unresolved_sessions",
    "direct_sessions",
    "mapped_window_sessions",
    "unattributed_sessions",
];

/// Known sessions with a selection by the hour of their start: counts, and those of reasons.
pub(crate) fn attribution(facts: &Facts) -> [Rows; 2] {
    let (mut quality, mut reasons) = (Rows::new(), Rows::new());
    for ((org, _), session) in &facts.sessions {
        let row = &session.row;
        if number(row, "known_stream") == 0 || number(row, "selection_count") == 0 {
            continue;
        }
        let hour = session.start.div_euclid(HOUR);
        let counts = quality
            .entry(key(org, hour, &[]))
            .or_insert_with(|| SHARES.map(|name| (name, 0.0)).into());
        let [status, source, reason] =
            ["status", "source", "reason"].map(|what| text(row, &format!("attribution_{what}")));
        for name in ["selected", &status, &source] {
            // Another one would be a value that no column counts.
            *counts.get_mut(format!("{name}_sessions").as_str()).unwrap() += 1.0;
        }
        let reason = reasons.entry(key(org, hour, &[reason])).or_default();
        *reason.entry("sessions").or_default() += 1.0;
    }
    let rates = |counts: &mut BTreeMap<&'static str, f64>| {
        for (rate, of) in [
            ("unattributed_rate", "unattributed_sessions"),
            ("mapped_window_rate", "mapped_window_sessions"),
        ] {
            counts.insert(rate, counts[of] / counts["selected_sessions"]);
        }
    };
    quality.values_mut().for_each(rates);
    [quality, reasons]
}

/// Every session, named by its signals: its ids, when it began and ended, and who served it last. All of
/// it is key.
pub(crate) fn identity(facts: &Facts) -> Rows {
    let row = |((org, id), session): (&(String, String), &crate::facts::Session)| {
        let (stream, request) = id.split_once('|').unwrap();
        let given = |part: &str| part.strip_prefix("_missing").map_or(part, |_| "").to_owned();
        let (from, to) = session.seen;
        let key = vec![
            org.clone(),
            id.clone(),
            given(stream),
            given(request),
            from.to_string(),
            to.to_string(),
            session.last_orchestrator.clone(),
            session.versions.clone(),
        ];
        (key, BTreeMap::new())
    };
    facts.sessions.iter().map(row).collect()
}
