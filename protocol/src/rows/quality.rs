//! What the quality probe found (backlog 005).

use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Results of the checks of stored data: one row per run and check.
    pub struct CheckResult<'a> = "dq_check_results" {
        replacing: (version),
        partition: "toYYYYMM(checked_at)",
        order: [org, check_id, checked_at, run_id],
        ttl: "toDate(checked_at)" + 90 days,
        bloom: [],
        columns: {
            /// Run of all checks; the same in its rows, never empty.
            run_id: &'a str,
            /// Name of the check in the contract, such as `Q-20`.
            check_id: &'a str [low],
            /// When the check ended, UTC, node clock.
            checked_at: Timestamp,
            /// Begin of the window that was looked at, UTC.
            window_start: Timestamp,
            /// End of it, UTC, exclusive.
            window_end: Timestamp,
            /// Organisation that was looked at; '' for all.
            org: &'a str [low],
            /// `PASS`, `INFO`, `WAIVED`, `WARN` or `FAIL`.
            verdict: &'a str [low],
            /// Rows that contradict the check, or figures beyond its threshold.
            failed_rows: u64,
            /// The worst figure; NULL for checks without one.
            value: Option<f64>,
            /// What it is compared with; '' for checks without a threshold.
            threshold: &'a str,
            /// Some of the rows, a JSON array; '' when there are none.
            examples: &'a str [json],
            /// What else there is to say, such as the reason of a waiver; '' for nothing.
            note: &'a str,
            /// Duration of the check, ms.
            duration_ms: u32,
            /// Version of the program that checked.
            program_version: &'a str [low],
            /// Write version: the time of the check, ms since 1970.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
    }
}
