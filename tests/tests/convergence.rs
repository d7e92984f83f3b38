//! Random orders of delivery and late advertisements end in the facts and figures of the ordered run
//! (backlog 024).
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Mutex;

use naap_generator::{Plan, Profile};
use naap_tests::DataDir;
use serde_json::Value;

/// Runs at the same time: each has an engine of its own.
const RUNS: usize = 2;

/// The delay of the run that is killed on its way, while it computes figures.
const KILLED: &str = "3h";

/// Some sessions of eight hours, in which orchestrators come, go and change.
fn generate(events: &Path) {
    let profile = Profile {
        capability_interval_s: 1800,
        gateways: 1,
        garbage_per_session: 0.0,
        oversized: false,
        ..Profile::default()
    };
    let plan = Plan { seed: 5, sessions: 60, orchestrators: 20, hours: 8, profile };
    let mut out = BufWriter::new(File::create(events).unwrap());
    plan.write(&mut out, None::<&mut Vec<u8>>, &mut |_| ()).unwrap();
}

/// Arguments of the bent runs.
fn bends() -> Vec<Vec<String>> {
    let shuffles = (1..=20).map(|seed| vec!["--shuffle".to_owned(), seed.to_string()]);
    let delays = ["10m", KILLED, "100h"];
    let delays = delays.map(|delay| vec!["--capability-delay".to_owned(), delay.to_owned()]);
    shuffles.chain(delays).chain([vec!["--capability-precede-session".to_owned()]]).collect()
}

#[test]
fn every_order_ends_in_the_same_facts() {
    let dir = DataDir::new();
    let events = dir.path().join("events.jsonl");
    generate(&events);
    let events = events.to_str().unwrap();
    let ordered = dir.replay(&[events]);
    for table in ["fact_workflow_sessions", "fact_workflow_swaps"] {
        assert!(ordered["rows"][table].as_u64() > Some(0), "{table} is empty");
    }
    let direct = "SELECT count() FROM naap.fact_workflow_sessions FINAL
                  WHERE attribution_source = 'direct'";
    assert!(dir.number(direct) > 20, "most sessions are attributed");
    let left = Mutex::new(bends());
    let work = || {
        while let Some(mut args) = { left.lock().unwrap().pop() } {
            args.push(events.to_owned());
            let dir = DataDir::new();
            if args[1] == KILLED {
                let computing = || dir.has_published("agg_orchestrator_1h");
                assert!(
                    dir.kill_replay(&args, computing),
                    "not caught while it computed: {args:?}"
                );
            }
            let found = dir.replay(&args);
            assert_same(&found, &ordered, &args);
        }
    };
    std::thread::scope(|scope| {
        // A scope ends when all its runs have, and fails if one did.
        for _ in 0..RUNS {
            scope.spawn(work);
        }
    });
}

fn assert_same(found: &Value, ordered: &Value, args: &[String]) {
    for (relation, fingerprint) in ordered["fingerprints"].as_object().unwrap() {
        assert_eq!(found["fingerprints"][relation], *fingerprint, "{relation} after {args:?}");
    }
}
