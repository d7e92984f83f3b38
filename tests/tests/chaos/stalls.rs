//! Something stands still and goes on: the tables, a node.

use std::time::Duration;

use naap_tests::stage::{Node, Team, bootstrap};
use rustix::process::Signal;

use crate::crew::{Crew, partitions, row};
use crate::memory::{forget_peak, mib, resident};
use crate::pulse::now_ms;

/// What the settings `memory.*` allow with their defaults, and what is kept to be sent again, bytes:
/// ingest buffer and half of it, windows of eight shards, uncommitted, sinks, active entities.
const BUDGET: u64 = (8 + 4 + 1 + 8 + 24 + 24) << 20;
/// What a process may take at its limits: the budgets count what events and rows hold, and half as much
/// again is for the allocator, encoded inserts and the clients (docs/architecture.md, pressure).
const ALLOWED: u64 = BUDGET * 3 / 2;

#[test]
#[ignore = "minutes: make chaos"]
fn the_tables_stand_still_for_a_minute() {
    let bootstrap = bootstrap();
    let team = Team::new(bootstrap, "stall", 3, 1500);
    team.stage.write(0, 6);
    let nodes: Vec<_> = (0..3).map(|number| team.start(number)).collect();
    let all: Vec<_> = nodes.iter().collect();
    team.until(100, &all);
    team.tables.signal(Signal::STOP);
    nodes.iter().for_each(forget_peak);
    let before: Vec<_> = nodes.iter().map(|node| resident(node).0).collect();
    (1..6).for_each(|part| team.stage.write(part, 6));
    std::thread::sleep(Duration::from_mins(1));
    assert!(!nodes.iter().any(Node::has_failed), "a node has failed");
    team.tables.signal(Signal::CONT);
    team.until(100, &all);
    let peaks: Vec<_> = nodes.iter().map(|node| resident(node).1).collect();
    let more = peaks.iter().zip(&before).map(|(peak, before)| peak.saturating_sub(*before));
    let (peak, more) = (peaks.iter().max().unwrap(), more.max().unwrap());
    row(
        "ClickHouse stalled for 60 s, then goes on: peak memory of a node, and more than before",
        &format!("{} MiB more: its budgets and half as much again", mib(ALLOWED)),
        &format!("{} MiB, {} MiB more; no restart", mib(*peak), mib(more)),
    );
    assert!(more <= ALLOWED, "{} MiB more than before", mib(more));
    team.end(nodes);
}

#[test]
#[ignore = "minutes: make chaos"]
fn a_node_stands_still_and_goes_on() {
    let bootstrap = bootstrap();
    let mut crew = Crew::new(bootstrap, "peer", (3, 3));
    let (shards, read) = (crew.shards_of(1), partitions(crew.running()[1]));
    let stop = |crew: &Crew, seconds| {
        let since = now_ms();
        crew.running()[1].signal(Signal::STOP);
        std::thread::sleep(Duration::from_secs(seconds));
        crew.running()[1].signal(Signal::CONT);
        crew.until_caught_up();
        (since, since + 1000 * seconds as i64)
    };
    let short = stop(&crew, 3);
    let long = stop(&crew, 20);
    let folds = crew.folds();
    let gap = |span| {
        let healthy = |fold: &crate::folds::Fold| {
            !shards.contains(&fold.shard) && !read.contains(&fold.partition)
        };
        folds.longest_of(span, true, healthy)
    };
    row(
        "a node stands still (SIGSTOP): longest time in which a shard of the others takes nothing of a partition",
        "they keep moving",
        &format!("for 3 s: {} ms; for 20 s: {} ms; no restart", gap(short), gap(long)),
    );
    crew.end();
}
