//! Startup classification, health and activity (lifecycle 3 and 4): rules over counts.

use naap_protocol::time::Timestamp;

/// What is known of a session's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartupEvidence {
    /// A stream request was seen.
    pub known_stream: bool,
    /// The stream became playable.
    pub playable: bool,
    /// Selection was exhausted.
    pub no_orchestrators: bool,
    /// Error events.
    pub errors: u32,
    /// Those of them on the list of normal endings.
    pub excusable_errors: u32,
    /// At least one orchestrator was selected.
    pub selected: bool,
}

/// A sample tells that the stream ran from its time on for at most this long: three times the
/// distance at which runners send samples.
const MAX_SAMPLE_GAP_MS: i64 = 30_000;

/// Class of a start (lifecycle 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartupClass {
    /// No stream request seen: in no denominator.
    NotKnown,
    /// Became playable.
    Success,
    /// Failed for a reason outside the product.
    Excused(Excusal),
    /// Failed.
    Unexcused,
}

/// Why a failed start is excused (lifecycle 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excusal {
    /// No orchestrator was available.
    NoOrchestrator,
    /// Every error is on the list of normal endings.
    ExcusableError,
}

impl StartupEvidence {
    /// The class, by the first rule that matches.
    pub fn class(&self) -> StartupClass {
        if !self.known_stream {
            StartupClass::NotKnown
        } else if self.playable {
            StartupClass::Success
        } else if self.no_orchestrators {
            StartupClass::Excused(Excusal::NoOrchestrator)
        } else if self.errors > 0 && self.errors == self.excusable_errors {
            StartupClass::Excused(Excusal::ExcusableError)
        } else {
            StartupClass::Unexcused
        }
    }

    /// `selection_outcome`: `selected`, `no_orch` or `unknown`.
    pub fn selection_outcome(&self) -> &'static str {
        if self.selected {
            "selected"
        } else if self.no_orchestrators {
            "no_orch"
        } else {
            "unknown"
        }
    }
}

/// `service_failure_reason`: why a known session was not served or did not start; `""` when it did,
/// and for sessions that are not known. `served` says that its orchestrator is known.
pub fn service_failure_reason(startup: &StartupEvidence, served: bool) -> &'static str {
    match startup.class() {
        StartupClass::NotKnown => "",
        _ if !served && startup.selected => "unattributed",
        _ if !served && startup.no_orchestrators => "no_orchestrators",
        _ if !served => "not_selected",
        StartupClass::Success => "",
        StartupClass::Excused(Excusal::NoOrchestrator) => "no_orchestrators",
        StartupClass::Excused(Excusal::ExcusableError) => "excusable_error",
        StartupClass::Unexcused => "startup_failed",
    }
}

impl StartupClass {
    /// `startup_outcome`: `success`, `failed` or `unknown`.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::NotKnown => "unknown",
            Self::Success => "success",
            Self::Excused(_) | Self::Unexcused => "failed",
        }
    }

    /// `excusal_reason`: `no_orch`, `excusable_error` or `none`.
    pub fn excusal_reason(self) -> &'static str {
        match self {
            Self::Excused(Excusal::NoOrchestrator) => "no_orch",
            Self::Excused(Excusal::ExcusableError) => "excusable_error",
            Self::NotKnown | Self::Success | Self::Unexcused => "none",
        }
    }
}

/// Health evidence of a session (lifecycle 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Status samples.
    pub samples: u32,
    /// Samples in another state than `LOADING`.
    pub non_loading: u32,
    /// Samples with output frames.
    pub positive_output: u32,
    /// Samples that report an error.
    pub with_error: u32,
}

impl Health {
    /// Only ever loading.
    pub fn loading_only(&self) -> bool {
        self.samples > 0 && self.non_loading == 0
    }

    /// Never any output.
    pub fn zero_output(&self) -> bool {
        self.samples > 0 && self.positive_output == 0
    }
}

/// The state is one in which a stream runs (lifecycle 4); case does not matter, as for `LOADING`.
pub fn is_running(state: &str) -> bool {
    ["ONLINE", "DEGRADED_INPUT", "DEGRADED_INFERENCE"].iter().any(|s| state.eq_ignore_ascii_case(s))
}

/// Active time, ms, that a sample at `ts` stands for when the session's next one is at `next` (D6,
/// whatever the state: a stream that loads is being worked for). The last sample of a session stands for none.
pub fn active_ms(ts: Timestamp, next: Timestamp) -> i64 {
    next.millis_since(ts).clamp(0, MAX_SAMPLE_GAP_MS)
}

/// Share of expected health signals, 1.0 when none are expected. Computed in f64, then narrowed.
pub fn completeness(count: u32, expected: u32) -> f32 {
    if expected == 0 { 1.0 } else { (f64::from(count) / f64::from(expected)) as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors V25 to V35: evidence, class, selection outcome.
    #[test]
    fn contract_vectors() {
        let e = |known, playable, no_orch, errors, excusable, selected| StartupEvidence {
            known_stream: known,
            playable,
            no_orchestrators: no_orch,
            errors,
            excusable_errors: excusable,
            selected,
        };
        let no_orch = StartupClass::Excused(Excusal::NoOrchestrator);
        let excusable = StartupClass::Excused(Excusal::ExcusableError);
        let cases = [
            ("V25", e(true, false, false, 0, 0, false), StartupClass::Unexcused, "unknown"),
            ("V26", e(true, true, false, 0, 0, false), StartupClass::Success, "unknown"),
            ("V27", e(true, true, true, 0, 0, false), StartupClass::Success, "no_orch"),
            ("V28", e(true, false, true, 0, 0, false), no_orch, "no_orch"),
            ("V29", e(true, false, false, 1, 1, false), excusable, "unknown"),
            ("V30", e(true, false, false, 2, 1, false), StartupClass::Unexcused, "unknown"),
            ("V31", e(true, true, false, 2, 1, false), StartupClass::Success, "unknown"),
            ("V32", e(false, false, false, 1, 1, false), StartupClass::NotKnown, "unknown"),
            ("V33", e(false, true, false, 0, 0, false), StartupClass::NotKnown, "unknown"),
            ("V35", e(true, false, true, 0, 0, true), no_orch, "selected"),
            ("V38", e(true, false, false, 2, 2, false), excusable, "unknown"),
        ];
        for (name, evidence, class, selection) in cases {
            assert_eq!(evidence.class(), class, "{name}");
            assert_eq!(evidence.selection_outcome(), selection, "{name}");
        }
    }

    #[test]
    fn completeness_is_one_without_expectation() {
        assert_eq!(completeness(1, 0).to_bits(), 1.0f32.to_bits());
        assert_eq!(completeness(1, 3).to_bits(), ((1.0f64 / 3.0) as f32).to_bits());
    }
}
