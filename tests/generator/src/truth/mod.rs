//! The oracle: what the contract says about the events that were really sent. Written from
//! lifecycle.md and its clarifications alone; shares no code with the system under test.

pub(crate) mod attribution;
pub(crate) mod history;
pub(crate) mod line;
pub(crate) mod segments;
pub(crate) mod signal;
pub(crate) mod swaps;
pub(crate) mod totals;

use signal::{Family, Signal};

const DAY_MS: i64 = 86_400_000;
const YEAR_2000_MS: i64 = 946_684_800_000;
const EXCUSABLE: [&str; 6] = [
    "no orchestrators available",
    "mediamtx ingest disconnected",
    "whip disconnected",
    "missing video",
    "ice connection state failed",
    "user disconnected",
];

/// The true final state of one session (lifecycle 2.2, 3, 4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) closed: Option<i64>,
    pub(crate) gateway: &'static str,
    pub(crate) known: bool,
    pub(crate) playable_seen: bool,
    pub(crate) no_orchestrators: bool,
    pub(crate) first_request: Option<i64>,
    pub(crate) first_processed: Option<i64>,
    pub(crate) first_playable: Option<i64>,
    pub(crate) errors: u32,
    pub(crate) excusable_errors: u32,
    pub(crate) post_close_errors: u32,
    pub(crate) post_close_signals: u32,
    pub(crate) swaps: u32,
    pub(crate) params_updates: u32,
    pub(crate) samples: u32,
    pub(crate) non_loading: u32,
    pub(crate) positive_output: u32,
    pub(crate) error_samples: u32,
    pub(crate) event_count: u32,
    pub(crate) first_uid: u128,
    pub(crate) last_uid: u128,
    pub(crate) selections: u32,
}

impl Outcome {
    /// Folds the signals of one session, given in total order.
    pub(crate) fn of(signals: &[Signal], selections: &[attribution::Selection]) -> Self {
        let mut out = Self {
            start: i64::MAX,
            end: i64::MIN,
            closed: closed_ts(signals),
            first_uid: signals.first().map_or(0, |s| s.uid),
            last_uid: signals.last().map_or(0, |s| s.uid),
            event_count: signals.len() as u32,
            ..Self::default()
        };
        for signal in signals {
            out.fold(signal);
        }
        let counted = |s: &&attribution::Selection| out.closed.is_none_or(|closed| s.ts <= closed);
        out.selections = selections.iter().filter(counted).count() as u32;
        out
    }

    fn fold(&mut self, signal: &Signal) {
        let t = signal.ord_ts;
        self.start = self.start.min(t);
        self.end = self.end.max(t);
        if self.gateway.is_empty() {
            self.gateway = signal.gateway;
        }
        let late = self.closed.is_some_and(|closed| t > closed);
        self.post_close_signals += u32::from(late);
        match &signal.family {
            Family::Trace { edge } => self.fold_edge(edge, t),
            Family::Status { state, output, last_error, start_time } => {
                self.samples += 1;
                self.non_loading += u32::from(!state.eq_ignore_ascii_case("loading"));
                self.positive_output += u32::from(*output > 0);
                let error = last_error.trim();
                self.error_samples +=
                    u32::from(!error.is_empty() && !error.eq_ignore_ascii_case("null"));
                let usable = |v: &i64| *v >= YEAR_2000_MS && (0..=DAY_MS).contains(&(t - v));
                if let Some(start) = start_time.filter(usable) {
                    self.start = self.start.min(start);
                }
            }
            Family::Notice { kind, message } if kind.eq_ignore_ascii_case("error") => {
                let text = message.to_lowercase();
                self.errors += 1;
                self.excusable_errors += u32::from(EXCUSABLE.iter().any(|e| text.contains(e)));
                self.post_close_errors += u32::from(late);
            }
            Family::Notice { kind, .. } => {
                self.params_updates += u32::from(kind.eq_ignore_ascii_case("params_update"));
            }
        }
    }

    fn fold_edge(&mut self, edge: &str, t: i64) {
        let earliest = |slot: &mut Option<i64>| *slot = Some(slot.map_or(t, |old| old.min(t)));
        match edge {
            "gateway_receive_stream_request" => {
                self.known = true;
                earliest(&mut self.first_request);
            }
            "gateway_receive_first_processed_segment" => earliest(&mut self.first_processed),
            "gateway_receive_few_processed_segments" => {
                self.playable_seen = true;
                earliest(&mut self.first_playable);
            }
            "gateway_no_orchestrators_available" => self.no_orchestrators = true,
            "orchestrator_swap" => self.swaps += 1,
            _ => {}
        }
    }

    /// `(excused, unexcused)` of lifecycle 3.1; both false for an unknown or started stream.
    pub(crate) fn failure(&self) -> (bool, bool) {
        let failed = self.known && !self.playable_seen;
        let excusable = self.errors > 0 && self.errors == self.excusable_errors;
        let excused = failed && (self.no_orchestrators || excusable);
        (excused, failed && !excused)
    }

    pub(crate) fn startup_outcome(&self) -> &'static str {
        match (self.known, self.playable_seen) {
            (false, _) => "unknown",
            (true, true) => "success",
            (true, false) => "failed",
        }
    }

    pub(crate) fn excusal_reason(&self) -> &'static str {
        match self.failure() {
            (true, _) if self.no_orchestrators => "no_orch",
            (true, _) => "excusable_error",
            _ => "none",
        }
    }

    pub(crate) fn selection_outcome(&self) -> &'static str {
        match (self.selections > 0, self.no_orchestrators) {
            (true, _) => "selected",
            (false, true) => "no_orch",
            (false, false) => "unknown",
        }
    }

    pub(crate) fn health_signals(&self) -> u32 {
        u32::from(self.samples > 0)
            + u32::from(self.first_processed.is_some())
            + u32::from(self.first_playable.is_some())
    }
}

/// The latest close.
pub(crate) fn closed_ts(signals: &[Signal]) -> Option<i64> {
    signals.iter().filter(|s| s.is_edge("gateway_ingest_stream_closed")).map(|s| s.ord_ts).max()
}

#[cfg(test)]
mod tests;
