//! Who was left and who took over (lifecycle 6.1, clarifications 5 to 8).

use super::attribution::{Decision, Selection, decide, observing};
use super::history::History;
use super::signal::{Signal, norm_url};

/// One row of the swap lineage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Swap {
    pub(crate) ts: i64,
    pub(crate) kind: &'static str,
    pub(crate) outcome: &'static str,
    /// Text of the swap trace.
    pub(crate) reason: &'static str,
    pub(crate) previous: String,
    pub(crate) next: String,
    /// The contract text leaves the outcome open.
    pub(crate) unsure: bool,
}

/// Everything the lineage is computed from.
pub(crate) struct Scene<'a> {
    pub(crate) signals: &'a [Signal],
    pub(crate) selections: &'a [Selection],
    pub(crate) decisions: &'a [Decision],
    pub(crate) closed: Option<i64>,
    pub(crate) history: &'a History,
}

/// What ends the window of a swap trace.
#[derive(PartialEq, Eq)]
enum End {
    Swap(usize),
    Over,
    Open,
}

impl Scene<'_> {
    /// Lineage rows in (time, explicit first) order.
    pub(crate) fn swaps(&self) -> Vec<Swap> {
        let mut rows: Vec<Swap> = Vec::new();
        let mut owned = vec![false; self.signals.len()];
        for at in (0..self.signals.len()).filter(|i| self.signals[*i].is_swap()) {
            let (until, end) = self.window(at);
            owned[at + 1..until].fill(true);
            rows.push(self.explicit(at, until, &end));
        }
        rows.extend(self.inferred(&owned));
        rows.sort_by_key(|row| (row.ts, row.kind != "explicit"));
        rows
    }

    fn window(&self, at: usize) -> (usize, End) {
        for (i, signal) in self.signals.iter().enumerate().skip(at + 1) {
            if signal.is_swap() {
                return (i, End::Swap(i));
            }
            if signal.is_edge("gateway_no_orchestrators_available")
                || signal.is_edge("gateway_ingest_stream_closed")
            {
                return (i, End::Over);
            }
        }
        (self.signals.len(), End::Open)
    }

    /// The selection that is in force at signal `at`.
    fn in_force(&self, at: usize) -> Option<usize> {
        self.selections.iter().rposition(|s| s.anchor <= at)
    }

    /// Identity that a swap trace names.
    fn left(&self, at: usize) -> Option<Decision> {
        let signal = &self.signals[at];
        let hint = if signal.hint.is_empty() {
            self.signals.iter().find_map(|s| (!s.hint.is_empty()).then_some(s.hint)).unwrap_or("")
        } else {
            signal.hint
        };
        let decision = decide(self.history, &signal.address, &signal.url, hint, signal.ord_ts);
        (signal.has_identity() && decision.is_resolved()).then_some(decision)
    }

    fn previous(&self, at: usize) -> String {
        if let Some(decision) = self.left(at) {
            return decision.canonical;
        }
        let signal = &self.signals[at];
        let Some(current) = self.in_force(at) else { return String::new() };
        let selection = &self.selections[current];
        let same_url = !signal.url.is_empty() && norm_url(&signal.url) == norm_url(&selection.url);
        let same_address = !signal.address.is_empty() && signal.address == selection.address;
        if self.decisions[current].is_resolved()
            && (!signal.has_identity() || same_url || same_address)
        {
            return self.decisions[current].canonical.clone();
        }
        String::new()
    }

    fn explicit(&self, at: usize, until: usize, end: &End) -> Swap {
        let previous = self.previous(at);
        let ts = self.signals[at].ord_ts;
        let row = |outcome, next: String, unsure| Swap {
            ts,
            kind: "explicit",
            reason: self.signals[at].reason,
            outcome,
            previous: previous.clone(),
            next,
            unsure,
        };
        let mut same = false;
        let mut stranger = false;
        let observing = observing(self.signals);
        for i in (at + 1..until).filter(|i| observing[*i]) {
            let Some(current) = self.in_force(i) else { continue };
            let decision = &self.decisions[current];
            if decision.is_resolved() && decision.canonical != previous {
                return row(
                    "completed",
                    decision.canonical.clone(),
                    self.selections[current].ts < ts,
                );
            }
            same |= decision.is_resolved();
            stranger |= !decision.is_resolved() && self.selections[current].anchor > at;
        }
        if let End::Swap(next) = end
            && let Some(decision) = self.left(*next).filter(|d| d.canonical != previous)
        {
            return row("completed", decision.canonical, false);
        }
        let next_same = matches!(end, End::Swap(n) if self.left(*n).is_some());
        match end {
            _ if stranger => row("unresolved", String::new(), false),
            _ if same => row("same_orchestrator_retry", previous.clone(), false),
            _ if next_same => row("same_orchestrator_retry", previous.clone(), true),
            End::Over => row("no_replacement", String::new(), false),
            End::Swap(_) => row("unresolved", String::new(), false),
            End::Open => row("pending", String::new(), false),
        }
    }

    /// Segment boundaries whose first signal no swap trace owns.
    fn inferred(&self, owned: &[bool]) -> Vec<Swap> {
        let mut rows = Vec::new();
        let mut current = String::new();
        for (selection, decision) in self.selections.iter().zip(self.decisions) {
            if !decision.is_resolved() || self.closed.is_some_and(|closed| selection.ts > closed) {
                continue;
            }
            if !current.is_empty() && current != decision.canonical && !owned[selection.anchor] {
                rows.push(Swap {
                    ts: selection.ts,
                    kind: "inferred",
                    reason: "",
                    outcome: "completed",
                    previous: current.clone(),
                    next: decision.canonical.clone(),
                    unsure: false,
                });
            }
            current.clone_from(&decision.canonical);
        }
        rows
    }
}
