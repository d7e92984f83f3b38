//! Which version of a published (org, hour) slice is the valid one (decisions, "rollups").

use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Valid version of each published slice: one row per relation, organisation and hour.
    ///
    /// A relation of days has the day's first hour and organisation ''.
    pub struct RollupSlice<'a> = "rollup_slices" {
        replacing: (slice_version),
        partition: "toYYYYMM(window_start)",
        order: [org, relation, window_start],
        ttl: "toDate(window_start)" + 400 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic; '' for a relation over all of them.
            org: &'a str [low],
            /// Published table that the slice belongs to.
            relation: &'a str [low],
            /// Start of the slice, UTC.
            window_start: Timestamp,
            /// Version of the slice (epoch of shard 0 and sequence): its rows of this version or a later
            /// one are valid.
            slice_version: u64,
            /// Rows of the slice.
            slice_rows: u64,
            /// XOR over a 128-bit hash of each row of the slice, without its version, 32 hex digits.
            content: &'a str,
            /// Moment from which no session in the slice can change any more: each is closed, or has been
            /// silent for 48 h by then, UTC, gateway clock.
            open_until: Timestamp,
            /// Changes of the content after settling.
            revision: u32,
            /// Run that computed the slice; '' for the regular schedule.
            refresh_run_id: &'a str,
            /// When the slice was computed, UTC, node clock.
            refreshed_at: Timestamp,
        }
        derived: {
            /// `provisional` until 10 min after the slice, `settled` until 48 h after it and until
            /// `open_until`, then `final` (backlog 003), by the store's clock.
            window_state: String = Alias("multiIf(now64(3) < window_start + toIntervalMinute(if(endsWith(relation, '_1d'), 1450, 70)), 'provisional', now64(3) < greatest(window_start + toIntervalHour(if(endsWith(relation, '_1d'), 72, 49)), open_until), 'settled', 'final')"),
        }
    }
}
