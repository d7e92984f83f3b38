//! Random schedules of a small cluster: readers, shards, the state log, tables and the network between
//! them, without a runtime. Everything that can go wrong does; then the cluster heals, and every event
//! must be in the rows once, acknowledged, and never have been acknowledged before it was safe.
//!
//! `make sim SEED=7` repeats one schedule; `make sim RUNS=100000` tries that many.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failed expectation is a failed test"
)]

mod log;
mod node;
mod world;

use world::{Fault, World};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap())
}

/// Runs one schedule; the sentence says what broke.
fn run(seed: u64, fault: Option<Fault>) -> Result<(), String> {
    let mut world = World::new(seed, fault);
    world.run()?;
    world.heal()
}

#[test]
fn random_schedules_keep_every_event_once() {
    if let Some(seed) = number("NAAP_SIM_SEED") {
        return run(seed, None).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
    let runs = number("NAAP_SIM_RUNS").unwrap_or(300);
    for seed in 0..runs {
        if let Err(broken) = run(seed, None) {
            panic!("{broken}; repeat it with: make sim SEED={seed}");
        }
    }
}

/// The simulation would notice.
#[test]
fn every_broken_rule_is_noticed() {
    let faults = [
        Fault::AckUnread,
        Fault::KeysWithoutEpoch,
        Fault::TakeUnattached,
        Fault::TakeGaps,
        Fault::TrustState,
        Fault::StartAtOpen,
        Fault::IgnoreRivals,
        Fault::BeginAnew,
        Fault::MarkOwing,
        Fault::SameBoot,
    ];
    for fault in faults {
        // Where what it takes comes together: for the second compaction, a late writer and a slow reader.
        let first = match fault {
            Fault::AckUnread => 5_000,
            Fault::StartAtOpen => 13_500,
            _ => 0,
        };
        let noticed = (first..first + 4000).any(|seed| run(seed, Some(fault)).is_err());
        assert!(noticed, "{fault:?} is not noticed");
    }
}
