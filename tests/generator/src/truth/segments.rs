//! Stretches of a session with one canonical orchestrator (lifecycle 5.3).

use super::attribution::{Decision, Selection};
use super::signal::Signal;

/// One row of the segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) start: i64,
    /// `None` for the last one of an open session.
    pub(crate) end: Option<i64>,
    /// `""` if nobody that served it is known.
    pub(crate) canonical: String,
}

/// The segments of the ordered signals, of which there is at least one.
pub(crate) fn segments(
    signals: &[Signal],
    selections: &[Selection],
    decisions: &[Decision],
    closed: Option<i64>,
) -> Vec<Segment> {
    let start = signals.iter().map(|s| s.ord_ts).min().unwrap_or(0);
    let mut rows = vec![Segment { start, end: closed, canonical: String::new() }];
    for (selection, decision) in selections.iter().zip(decisions) {
        let after_close = closed.is_some_and(|closed| selection.ts > closed);
        let last = rows.len() - 1;
        let current = &mut rows[last];
        if after_close || decision.canonical.is_empty() || decision.canonical == current.canonical {
            continue;
        }
        if current.canonical.is_empty() {
            current.canonical.clone_from(&decision.canonical);
            continue;
        }
        current.end = Some(selection.ts);
        let canonical = decision.canonical.clone();
        rows.push(Segment { start: selection.ts, end: closed, canonical });
    }
    rows
}
