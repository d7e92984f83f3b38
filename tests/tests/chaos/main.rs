//! How long a cluster stands still when something is done to it, on purpose or not: figures, and the
//! same rows as ever. `make chaos` runs these and prints the table of docs/reliability.md.
//!
//! What fails a test is a wrong row, or a node that does not go on; in a release build also a goal that is
//! missed, behind both. Other figures are of the machine that they are measured on, and only told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with what went wrong")]

#[path = "../../../node/tests/cluster/authority.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    reason = "tests of links use more"
)]
mod authority;
mod crew;
mod folds;
mod memory;
mod million;
mod net;
mod packets;
mod pulse;
mod stalls;
mod wire;

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use crew::{Crew, Moved, partitions, row};
use folds::{percentile, spread};
use million::send;
use naap_tests::program;
use naap_tests::stage::{PATIENCE, Team, bootstrap, producer, until};
use pulse::now_ms;
use rdkafka::producer::Producer;
use wire::Wire;

#[test]
#[ignore = "minutes: make chaos"]
fn nodes_are_killed_twenty_times() {
    let bootstrap = bootstrap();
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
            let gone: &BTreeSet<u32> = gone;
            folds.first_wait(*at, |partition| gone.contains(&partition) == dead)
        };
        kills.iter().map(of).collect()
    };
    let (living, dead) = (wait(false), wait(true));
    row(
        "SIGKILL of one of three nodes: input of living nodes' partitions",
        "p99 < 5 s",
        &spread(&living),
    );
    row(
        "SIGKILL of one of three nodes: input of the dead node's partitions",
        "p99 < 10 s",
        &spread(&dead),
    );
    crew.end();
    judge("input of living nodes' partitions", percentile(&living, 99), 5_000);
    judge("input of the dead node's partitions", percentile(&dead, 99), 10_000);
}

/// Fails where `found` ms are not below the goal. A debug build has other figures.
fn judge(what: &str, found: i64, goal: i64) {
    assert!(cfg!(debug_assertions) || found < goal, "{what}: {found} ms, goal {goal} ms");
}

#[test]
#[ignore = "minutes: make chaos"]
fn shards_are_moved_in_order() {
    let bootstrap = bootstrap();
    let mut crew = Crew::new(bootstrap, "moves", (3, 3));
    // So many that one move is less than a percent of them.
    for round in 0..14 {
        let node = 1 + round % 2;
        crew.until_caught_up();
        std::thread::sleep(Duration::from_secs(2));
        drain(&crew, node);
        crew.until_caught_up();
        crew.stop(node);
        crew.start(node);
        crew.until_settled();
        crew.until_caught_up();
    }
    let (moves, folds) = (crew.moves(), crew.folds());
    let next = |moved: &Moved| folds.first_of_next(moved.shard, moved.epoch);
    let late = moves.iter().filter_map(|moved| {
        // What the last commit cycle could not claim any more is folded by the next owner again.
        Some(next(moved)? - folds.last_of(moved.shard, moved.epoch)?)
    });
    let late: Vec<_> = late.collect();
    let gaps = folds.gaps(&moves);
    row("planned move of a shard: it takes no input for", "p99 < 250 ms", &spread(&gaps));
    row("planned move of a shard: longest delay of input that is folded anew", "–", &spread(&late));
    crew.end();
    judge("planned move of a shard", percentile(&gaps, 99), 250);
}

/// Sessions whose state takes seconds to read.
const MANY: u64 = 60_000;

/// The next owners have read nothing of what they get, and read slowly.
#[test]
#[ignore = "minutes: make chaos"]
fn shards_with_much_state_are_moved() {
    let team = Team::new(bootstrap(), "heirs", 3, 100);
    let slow = ["state_log.restore_rate=1MiB"];
    let start = move |team: &Team, number| team.start_by(number, team.ports(), &slow);
    let mut crew = Crew::of(team, 3, Box::new(start));
    let producer = producer(&crew.team.stage.bootstrap);
    (0..MANY).for_each(|n| send(&producer, &crew.team, n, "gateway_receive_stream_request"));
    producer.flush(PATIENCE).unwrap();
    crew.until_caught_up();
    let begin = now_ms();
    drain(&crew, 1);
    let end = now_ms();
    crew.until_caught_up();
    let (moves, folds) = (crew.moves(), crew.folds());
    let gaps = folds.gaps(&moves);
    row(
        "planned move of shards whose state takes seconds to read: a shard takes no input for",
        "p99 < 250 ms",
        &format!(
            "{}; drained in {} ms, longest time in which a shard folds nothing {} ms",
            spread(&gaps),
            end - begin,
            folds.longest((begin, end), false)
        ),
    );
    crew.end();
    judge("planned move of a shard with much state", percentile(&gaps, 99), 250);
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
    until("the node has no shards", &[node], || node.shards() == Some((0, 0)));
}

#[test]
#[ignore = "minutes: make chaos"]
fn all_nodes_restart_in_turn() {
    let bootstrap = bootstrap();
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
    judge("rolling restart", shard[1], 1_000);
}

#[test]
#[ignore = "minutes: make chaos"]
fn a_line_between_two_nodes_is_cut() {
    let bootstrap = bootstrap();
    let team = Team::new(bootstrap, "cuts", 3, 100);
    // Node 1 dials node 0.
    let wire = Wire::to(team.ports()[0]);
    let mut ports = team.ports().to_vec();
    ports[0] = wire.port;
    let start = move |team: &Team, number: usize| match number {
        1 => team.start_by(1, &ports, &[]),
        _ => team.start(number),
    };
    let mut crew = Crew::of(team, 3, Box::new(start));
    let (mut found, opened) = (Vec::new(), openings(&crew));
    for (name, out, back) in [
        ("from the dialling node", true, false),
        ("towards it", false, true),
        ("both ways", true, true),
    ] {
        // Longer than it takes to miss beats, and than a connection without answers lasts.
        wire.cut(out, back);
        std::thread::sleep(Duration::from_secs(12));
        wire.cut(false, false);
        let healed = Instant::now();
        crew.until_caught_up();
        found.push(format!("{name} {:.1} s", healed.elapsed().as_secs_f64()));
    }
    let moved = openings(&crew) - opened;
    drop(crew.folds());
    row(
        "line between two of three nodes cut for 12 s, Kafka reachable: all input taken after it is whole",
        "nothing moves, rows equal",
        &format!("{}; {moved} shards moved", found.join(", ")),
    );
    assert_eq!(moved, 0, "both nodes could be seen in Kafka");
    crew.end();
}

/// Shards that were opened so far.
fn openings(crew: &Crew) -> usize {
    crew.running().iter().map(|node| node.lines("shard opened").len()).sum()
}

#[test]
#[ignore = "minutes: make chaos"]
fn a_cluster_grows_and_shrinks() {
    let bootstrap = bootstrap();
    let mut crew = Crew::new(bootstrap, "scale", (1, 5));
    let begin = now_ms();
    let mut steps = Vec::new();
    for (name, more, fewer) in
        [("1 to 3", 1..3, 0..0), ("3 to 5", 3..5, 0..0), ("5 to 2", 0..0, 2..5)]
    {
        let before: Vec<_> = (0..5).map(|number| crew.shards_of(number)).collect();
        let opened: Vec<_> = (0..5).map(|number| crew.opened_by(number)).collect();
        more.for_each(|number| crew.start(number));
        fewer.for_each(|number| crew.stop(number));
        crew.until_settled();
        crew.until_caught_up();
        let came = |number: usize| {
            let now = crew.shards_of(number);
            now.iter().filter(|shard| !before[number].contains(shard)).count()
        };
        let moved: usize = (0..5).map(came).sum();
        // Only a joiner wins shards, and only those of a leaver find another owner.
        for number in 0..5 {
            let joined = before[number].is_empty();
            for shard in crew.opened_by(number).get(opened[number].len()..).unwrap_or_default() {
                let had = before.iter().position(|shards| shards.contains(shard)).unwrap();
                let left = crew.shards_of(had).is_empty();
                assert!(joined || left, "{name}: naap-{number} opened {shard} of naap-{had}");
            }
        }
        steps.push(format!("{name} {moved}"));
    }
    let (end, folds) = (now_ms(), crew.folds());
    row(
        "1, 3, 5, 2 nodes under load: shards moved of 8, longest time in which a shard folds nothing",
        "rows equal",
        &format!("{}; {} ms", steps.join(", "), folds.longest((begin, end), false)),
    );
    crew.end();
}
