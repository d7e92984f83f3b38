//! A replay that is killed in the middle, or whose engine is, and run again ends where an uninterrupted one
//! does, up to the serving views.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

#[path = "../../node/tests/kafka/child.rs"]
mod child;

use std::fs::File;
use std::io::{BufWriter, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use child::kill_child;
use naap_generator::Plan;
use naap_tests::DataDir;
use naap_tests::stage::PATIENCE;

/// A file of generated events.
fn events(dir: &Path, sessions: u64) -> PathBuf {
    let events = dir.join("events.jsonl");
    let plan = Plan { seed: 11, sessions, ..Plan::default() };
    let mut out = BufWriter::new(File::create(&events).unwrap());
    plan.write(&mut out, None::<&mut Vec<u8>>, &mut |_| ()).unwrap();
    events
}

#[test]
fn a_killed_replay_goes_on_where_its_state_is() {
    let whole = DataDir::new();
    let events = events(whole.path(), 1500);
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

#[test]
fn a_replay_whose_engine_is_killed_says_so_at_once_and_goes_on_when_run_again() {
    let whole = DataDir::new();
    let events = events(whole.path(), 300);
    let args = ["--set", "commit.flush_interval=50ms", events.to_str().unwrap()];
    let expected = whole.replay(&args);

    let dir = DataDir::new();
    let mut command = dir.replay_command(&args);
    let mut replay = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = replay.stderr.take().unwrap();
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        said
    });
    // The first rows are stored: most of the replay is still to come.
    let since = Instant::now();
    while !dir.has_published("raw_streaming_events") {
        assert!(since.elapsed() < PATIENCE, "the replay makes no progress");
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_child(replay.id());
    let killed = Instant::now();
    let status = replay.wait().unwrap();
    let said = said.join().unwrap();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(killed.elapsed() < Duration::from_secs(30), "{:?}: {said}", killed.elapsed());
    let error = said.lines().find(|line| line.contains("\"error\"")).unwrap();
    for part in
        ["the embedded ClickHouse engine ended with signal: 9 (SIGKILL)", "run the command again"]
    {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(dir.replay(&args)["fingerprints"], expected["fingerprints"]);
}
