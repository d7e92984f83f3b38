//! How long a cluster stands still when something is done to it, on purpose or not: figures, and the
//! same rows as ever. `make chaos` runs these and prints the table of docs/reliability.md.
//!
//! The figures are of the machine that they are measured on, so they are told and not judged: what
//! fails a test is a wrong row, or a node that does not go on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with what went wrong")]

mod crew;
mod folds;
mod pulse;

use std::process::Command;
use std::time::Duration;

use crew::{Crew, partitions, row};
use folds::spread;
use naap_tests::program;
use naap_tests::stage::bootstrap;
use pulse::now_ms;

#[test]
#[ignore = "minutes: make chaos"]
fn nodes_are_killed_twenty_times() {
    let Some(bootstrap) = bootstrap("nodes_are_killed_twenty_times") else { return };
    let mut crew = Crew::new(bootstrap, "kills", (3, 3));
    let mut kills = Vec::new();
    for kill in 0..20 {
        let victim = kill % 3;
        crew.until_settled();
        crew.until_caught_up();
        // At another moment of the commit cycle and of the heartbeats each time.
        std::thread::sleep(Duration::from_millis(137 * kill as u64 % 500));
        let node = crew.nodes[victim].take().unwrap();
        let dead = partitions(&node);
        let at = now_ms();
        node.kill();
        crew.until_caught_up();
        kills.push((at, dead));
        crew.start(victim);
    }
    crew.until_settled();
    let folds = crew.folds();
    let wait = |dead: bool| -> Vec<i64> {
        let of = |(at, gone): &(i64, _)| {
            let gone: &std::collections::BTreeSet<u32> = gone;
            folds.first_wait(*at, |partition| gone.contains(&partition) == dead)
        };
        kills.iter().map(of).collect()
    };
    row(
        "SIGKILL of one of three nodes: input of living nodes' partitions",
        "p99 < 5 s",
        &spread(&wait(false)),
    );
    row(
        "SIGKILL of one of three nodes: input of the dead node's partitions",
        "p99 < 10 s",
        &spread(&wait(true)),
    );
    crew.end();
}

#[test]
#[ignore = "minutes: make chaos"]
fn shards_are_moved_in_order() {
    let Some(bootstrap) = bootstrap("shards_are_moved_in_order") else { return };
    let mut crew = Crew::new(bootstrap, "moves", (3, 3));
    for round in 0..8 {
        let node = 1 + round % 2;
        drain(&crew, node);
        crew.until_caught_up();
        crew.stop(node);
        crew.start(node);
        crew.until_settled();
        crew.until_caught_up();
    }
    let moves = crew.moves();
    let folds = crew.folds();
    let gaps: Vec<_> = moves.iter().map(|&(shard, at)| folds.gap_at(shard, at)).collect();
    row("planned move of a shard: time in which it folds nothing", "p99 < 250 ms", &spread(&gaps));
    crew.end();
}

/// Asks node `number` to give its shards away, and waits until it has.
fn drain(crew: &Crew, number: usize) {
    let name = format!("naap-{number}");
    let port = crew.team.ports()[number];
    let node = crew.nodes[number].as_ref().unwrap();
    let mut command = Command::new(program());
    command.args(["cluster", "drain", &name, "--set", &format!("node.name={name}")]);
    command.args(["--set", &format!("cluster.listen=127.0.0.1:{port}")]);
    naap_tests::run(&mut command);
    while node.shards() != Some((0, 0)) {
        assert!(!node.has_failed(), "the node has failed");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "minutes: make chaos"]
fn all_nodes_restart_in_turn() {
    let Some(bootstrap) = bootstrap("all_nodes_restart_in_turn") else { return };
    let mut crew = Crew::new(bootstrap, "rolling", (3, 3));
    let begin = now_ms();
    crew.until_caught_up();
    std::thread::sleep(Duration::from_secs(5));
    let calm = (begin, now_ms());
    for _ in 0..2 {
        for node in 0..3 {
            crew.stop(node);
            crew.start(node);
            crew.until_settled();
            crew.until_caught_up();
        }
    }
    let (restarts, folds) = ((calm.1, now_ms()), crew.folds());
    let shard = [calm, restarts].map(|span| folds.longest(span, false));
    let apart = [calm, restarts].map(|span| folds.longest(span, true));
    let found =
        |[calm, restarts]: [i64; 2]| format!("{restarts} ms; {calm} ms while nothing happens");
    row(
        "rolling restart of all nodes, twice: longest time in which a shard folds nothing",
        "1 s",
        &found(shard),
    );
    row("the same for each source partition by itself", "–", &found(apart));
    crew.end();
}
