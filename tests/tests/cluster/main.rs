//! Nodes whose state is in Kafka, against a real broker: whatever is killed, the rows are those of one
//! undisturbed process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with what went wrong")]

mod ends;
mod late;
mod refused;

use std::path::{Path, PathBuf};
use std::time::Duration;

use naap_tests::stage::{
    Node, Stage, Team, assert_same, bootstrap, broker, data_dir, fingerprints, oracle,
};
use rustix::process::Signal;

#[test]
#[ignore = "needs a real Kafka: make test-cluster"]
fn a_node_goes_on_from_kafka_after_kills_with_and_without_its_folder() {
    let bootstrap = bootstrap();
    let stage = Stage::new(bootstrap, "solo", 600);
    let (dir, full) = (data_dir(), stage.group("solo"));
    let log = format!("state_log.topic=state-{}", stage.topic);
    let settings = ["state_log.store=kafka", log.as_str()];
    let start = || stage.node("naap-0", "solo", &dir.data(), &settings);
    for (part, percent) in [(0, 10), (1, 60), (2, 80)] {
        stage.write(part, 4);
        let node = start();
        stage.until_committed(&full, percent, &[&node]);
        node.kill();
        // Of the folder nothing is needed but the tables, which a server would keep.
        if part > 0 {
            remove_state(&dir.data());
        }
    }
    stage.write(3, 4);
    let node = start();
    stage.until_committed(&full, 100, &[&node]);
    node.stop();
    assert_same(&fingerprints(&dir), &oracle(&stage));
}

fn remove_state(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.extension().is_some_and(|ext| ext == "redb") {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-cluster"]
fn a_node_of_three_is_killed_under_load() {
    let bootstrap = bootstrap();
    let team = Team::new(bootstrap, "kill", 3, 600);
    team.stage.write(0, 3);
    let mut nodes: Vec<_> = (0..3).map(|number| team.start(number)).collect();
    team.until(20, &nodes.iter().collect::<Vec<_>>());
    team.stage.write(1, 3);
    nodes.remove(1).kill();
    team.stage.write(2, 3);
    team.until(100, &nodes.iter().collect::<Vec<_>>());
    team.end(nodes);
}

#[test]
#[ignore = "needs a real Kafka: make test-cluster"]
fn nodes_join_and_leave_in_order_under_load() {
    let bootstrap = bootstrap();
    let team = Team::new(bootstrap, "roll", 3, 600);
    team.stage.write(0, 4);
    let first = team.start(0);
    team.until(20, &[&first]);
    let second = team.start(1);
    team.stage.write(1, 4);
    team.until(50, &[&first, &second]);
    let third = team.start(2);
    team.stage.write(2, 4);
    first.stop();
    team.until(60, &[&second, &third]);
    let again = team.start(0);
    team.stage.write(3, 4);
    second.stop();
    team.until(100, &[&again, &third]);
    team.end(vec![third, again]);
}

#[test]
#[ignore = "needs a real Kafka: make test-cluster"]
fn a_node_of_three_stands_still_until_others_have_its_work() {
    let bootstrap = bootstrap();
    let team = Team::new(bootstrap, "pause", 3, 600);
    team.stage.write(0, 3);
    let nodes: Vec<_> = (0..3).map(|number| team.start(number)).collect();
    let all: Vec<_> = nodes.iter().collect();
    team.until(20, &all);
    team.stage.write(1, 3);
    nodes[1].signal(Signal::STOP);
    team.stage.write(2, 3);
    team.until(100, &all);
    // What it had under way comes too late, and must count for nothing.
    nodes[1].signal(Signal::CONT);
    team.end(nodes);
}

#[test]
#[ignore = "needs a real Kafka: make test-cluster"]
fn the_tables_stand_still_under_load() {
    let bootstrap = bootstrap();
    let team = Team::new(bootstrap, "stall", 3, 600);
    team.stage.write(0, 2);
    let nodes: Vec<_> = (0..3).map(|number| team.start(number)).collect();
    let all: Vec<_> = nodes.iter().collect();
    team.until(10, &all);
    team.tables.signal(Signal::STOP);
    team.stage.write(1, 2);
    // Longer than a request to the tables may take.
    std::thread::sleep(Duration::from_secs(40));
    assert!(!nodes.iter().any(Node::has_failed), "a node has failed");
    team.tables.signal(Signal::CONT);
    team.until(100, &all);
    team.end(nodes);
}

#[test]
#[ignore = "needs a real Kafka: make test-cluster"]
fn the_broker_restarts_under_load() {
    let bootstrap = bootstrap();
    let Ok(folder) = std::env::var("NAAP_KAFKA_FOLDER") else {
        // Whoever brings a broker does not let tests stop it.
        eprintln!(
            "SKIPPED: NAAP_KAFKA_FOLDER is not the folder of a broker of `make test-cluster`"
        );
        return;
    };
    let team = Team::new(bootstrap.clone(), "broker", 3, 600);
    team.stage.write(0, 2);
    let nodes: Vec<_> = (0..3).map(|number| team.start(number)).collect();
    let all: Vec<_> = nodes.iter().collect();
    team.until(10, &all);
    broker("stop", &folder, &bootstrap);
    broker("start", &folder, &bootstrap);
    team.stage.write(1, 2);
    team.until(100, &all);
    team.end(nodes);
}
