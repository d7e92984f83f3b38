//! Which version of a published (org, hour) slice is the valid one (decisions, "rollups").

use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Valid version of each published slice: one row per relation, organisation and hour.
    pub struct RollupSlice<'a> = "rollup_slices" {
        replacing: (slice_version),
        partition: "toYYYYMM(window_start)",
        order: [org, relation, window_start],
        ttl: "toDate(window_start)" + 400 days,
        bloom: [],
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Published table or view that the slice belongs to.
            relation: &'a str [low],
            /// Start of the hour, UTC.
            window_start: Timestamp,
            /// Version of the rows of this slice that are valid (epoch of shard 0 and sequence).
            slice_version: u64,
            /// `provisional`, `settled` or `final` (backlog 003).
            window_state: &'a str [low],
            /// Changes after settling.
            revision: u32,
            /// Run that computed the slice; '' for the regular schedule.
            refresh_run_id: &'a str,
            /// When the slice was computed, UTC, node clock.
            refreshed_at: Timestamp,
        }
    }
}
