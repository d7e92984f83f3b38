//! A replay that is killed in the middle and run again ends where an uninterrupted one does, up to the
//! serving views.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::fs::File;
use std::io::BufWriter;

use naap_generator::Plan;
use naap_tests::DataDir;

#[test]
fn a_killed_replay_goes_on_where_its_state_is() {
    let whole = DataDir::new();
    let events = whole.path().join("events.jsonl");
    let plan = Plan { seed: 11, sessions: 1500, ..Plan::default() };
    let mut out = BufWriter::new(File::create(&events).unwrap());
    plan.write(&mut out, None::<&mut Vec<u8>>, &mut |_| ()).unwrap();
    drop(out);
    let args = ["--set", "commit.flush_interval=50ms", events.to_str().unwrap()];
    let expected = whole.replay(&args);

    let killed = DataDir::new();
    let mut kills = 0;
    for _ in 0..3 {
        // The state log grows with the commits: after some of them the replay is in its middle.
        let state = killed.data().join("state.redb");
        let size = || std::fs::metadata(&state).map_or(0, |m| m.len());
        let before = size();
        kills += u32::from(killed.kill_replay(&args, || size() >= before + (2 << 20)));
    }
    assert!(kills > 0, "the replay was never caught in its middle");
    assert!(!killed.has_published("agg_orchestrator_1h"), "figures are computed at the end");
    // Once more while the figures are computed: the first relation is written, the last one is not.
    let caught = killed.kill_replay(&args, || killed.has_published("agg_orchestrator_1h"));
    assert!(caught, "the replay was not caught while it computed");
    assert!(!killed.has_published("agg_quality_benchmark_1d"), "all figures were written");
    let report = killed.replay(&args);
    let fingerprints = report["fingerprints"].as_object().unwrap();
    assert!(fingerprints.keys().filter(|name| name.starts_with("v_")).count() > 14);
    assert_eq!(report["fingerprints"], expected["fingerprints"]);
    let again = killed.replay(&args);
    assert_eq!(again["records"]["read"], 0, "a file that was applied is not read again");
    assert_eq!(again["fingerprints"], expected["fingerprints"]);
}
