//! A replay that is killed in the middle and run again ends where an uninterrupted one does.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::fs::File;
use std::io::BufWriter;
use std::process::Stdio;
use std::time::{Duration, Instant};

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
        let mut child = killed
            .replay_command(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The state log grows with the commits: after some of them the replay is in its middle.
        let state = killed.data().join("state.redb");
        let before = std::fs::metadata(&state).map_or(0, |m| m.len());
        let patience = Instant::now();
        while std::fs::metadata(&state).map_or(0, |m| m.len()) < before + (2 << 20) {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            assert!(patience.elapsed() < Duration::from_mins(2), "the replay makes no progress");
            std::thread::sleep(Duration::from_millis(5));
        }
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > 0, "the replay was never caught in its middle");
    let report = killed.replay(&args);
    assert_eq!(report["fingerprints"], expected["fingerprints"]);
    let again = killed.replay(&args);
    assert_eq!(again["records"]["read"], 0, "a file that was applied is not read again");
    assert_eq!(again["fingerprints"], expected["fingerprints"]);
}
