//! Which row of a key a reader sees: the table's own rule, on the real engine.

use naap_protocol::rows::sessions::Segment;
use serde_json::json;

use crate::bench::{Bench, at, has};

#[test]
fn v115_a_row_of_an_older_version_is_ignored_and_one_of_the_same_version_replaces() {
    let (bench, org) = (Bench::get(), "versions");
    let put = |version, orchestrator_address| {
        bench.put(&[Segment {
            org,
            workflow_session_id: "s",
            segment_start_ts: at(1),
            orchestrator_address,
            version,
            ..Segment::default()
        }]);
        let sql = format!(
            "SELECT count() AS segments, any(orchestrator_address) AS orchestrator
            FROM fact_workflow_session_segments FINAL WHERE org = '{org}'"
        );
        bench.one(&sql)
    };
    let shows = |orchestrator| json!({ "segments": 1, "orchestrator": orchestrator });
    has(&put(3, "0xa"), &shows("0xa"));
    has(&put(2, "0xb"), &shows("0xa"));
    has(&put(3, "0xc"), &shows("0xc"));
}
