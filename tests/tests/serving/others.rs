//! The views that look at sessions one by one, and at frames in five minutes.

use std::collections::BTreeMap;

use naap_protocol::rollup::ROLLUPS;
use naap_tests::DataDir;

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
        // NaN without any, which stands for NULL.
        let attributed = counts["direct_sessions"] + counts["mapped_window_sessions"];
        for (rate, of, all) in [
            ("unattributed_rate", "unattributed_sessions", counts["selected_sessions"]),
            ("mapped_window_rate", "mapped_window_sessions", attributed),
        ] {
            counts.insert(rate, counts[of] / all);
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
            session.path().last().copied().unwrap_or_default().to_owned(),
            session.versions.clone(),
        ];
        (key, BTreeMap::new())
    };
    facts.sessions.iter().map(row).collect()
}

/// Every swap of a session with the way that the session took. All of it is key.
pub(crate) fn lineage(dir: &DataDir, facts: &Facts) -> Rows {
    let sql = "SELECT *, toUnixTimestamp64Milli(swap_ts) AS ts FROM naap.fact_workflow_swaps FINAL";
    let mut found = Rows::new();
    for swap in dir.query(sql) {
        let session = &facts.sessions[&(text(&swap, "org"), text(&swap, "workflow_session_id"))];
        let index = number(&swap, "swap_index");
        if index >= number(&session.row, "swap_row_count") {
            continue;
        }
        let key = vec![
            text(&swap, "org"),
            text(&swap, "workflow_session_id"),
            index.to_string(),
            text(&session.row, "gateway"),
            text(&swap, "swap_kind"),
            text(&swap, "previous_orchestrator_address"),
            text(&swap, "next_orchestrator_address"),
            number(&swap, "ts").to_string(),
            swap["gap_ms"].as_i64().map_or_else(String::new, |gap| gap.to_string()),
            text(&swap, "outcome"),
            session.path().join(">"),
        ];
        found.insert(key, BTreeMap::new());
    }
    found
}

/// Asserts that the age of everything is told: whole minutes since the newest of it.
pub(crate) fn assert_ages(dir: &DataDir, facts: &Facts) {
    let mut newest: BTreeMap<[String; 2], i64> = BTreeMap::new();
    let mut see = |org: &str, table: &str, ts: i64| {
        let known = newest.entry([org.to_owned(), table.to_owned()]).or_default();
        *known = ts.max(*known);
    };
    for ((org, _), session) in &facts.sessions {
        see(org, "fact_workflow_sessions", session.end.unwrap_or(session.start));
        for sample in &session.samples {
            see(org, "fact_stream_status_samples", sample.ts);
        }
    }
    for relation in ROLLUPS.iter().map(|rollup| rollup.table.name) {
        let sql = format!(
            "SELECT org, max(toUnixTimestamp64Milli(window_start)) AS ts FROM naap.v_{relation} GROUP BY org"
        );
        for row in dir.query(&sql) {
            see(&text(&row, "org"), relation, number(&row, "ts"));
        }
    }
    let sql = "SELECT *, toUnixTimestamp64Milli(max_event_ts) AS newest,
                   toUnixTimestamp64Milli(checked_at) AS checked FROM naap.v_health_rollup_freshness";
    for row in dir.query(sql) {
        let known = newest.remove(&["org", "table_name"].map(|column| text(&row, column)));
        assert_eq!(known, Some(number(&row, "newest")), "{row}");
        let age = number(&row, "checked") - number(&row, "newest");
        assert_eq!(number(&row, "lag_minutes"), age.div_euclid(60_000), "{row}");
    }
    assert!(newest.is_empty(), "nothing is told of {newest:?}");
}
