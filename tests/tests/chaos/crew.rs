//! A team of nodes under the pulse, and what their logs say of shards and partitions.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use naap_tests::stage::{Node, PARTITIONS, PATIENCE, SHARDS, Team};

use crate::folds::Folds;
use crate::pulse::{Pulse, now_ms};

/// Prints a row of the table in docs/reliability.md.
#[allow(clippy::print_stdout, reason = "the rows are what the tests are for")]
pub fn row(what: &str, goal: &str, found: &str) {
    println!("\n| {what} | {goal} | {found} |");
}

/// Nodes under load; a number that does not run has no node.
pub struct Crew {
    pub team: Team,
    pub nodes: Vec<Option<Node>>,
    pulse: Option<Pulse>,
    /// Shards that were handed off by nodes that are gone, and when.
    moved: Vec<(u16, i64)>,
}

impl Crew {
    /// The first `running` of `size` nodes under load: the pulse, and a generated network.
    pub fn new(bootstrap: String, name: &str, (running, size): (usize, usize)) -> Self {
        let team = Team::new(bootstrap, name, size, 100);
        team.stage.write(0, 1);
        let nodes =
            (0..size).map(|number| (number < running).then(|| team.start(number))).collect();
        let crew = Self { pulse: Some(Pulse::start(&team.stage)), team, nodes, moved: Vec::new() };
        crew.until_settled();
        crew
    }

    /// The nodes that run.
    pub fn running(&self) -> Vec<&Node> {
        self.nodes.iter().flatten().collect()
    }

    pub fn start(&mut self, number: usize) {
        self.nodes[number] = Some(self.team.start(number));
    }

    /// Stops node `number` in order.
    pub fn stop(&mut self, number: usize) {
        let node = self.nodes[number].take().unwrap();
        self.moved.extend(handed_off(&node));
        node.stop();
    }

    /// Waits until every shard and every source partition has a node, and each node has some.
    pub fn until_settled(&self) {
        let since = Instant::now();
        while !self.is_settled() {
            if since.elapsed() > PATIENCE || self.running().iter().any(|node| node.has_failed()) {
                self.running().into_iter().for_each(Node::show);
                let shards: Vec<_> = self.running().iter().map(|node| node.shards()).collect();
                let partitions: Vec<_> = self.running().into_iter().map(partitions).collect();
                panic!("the nodes do not settle: {shards:?} {partitions:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn is_settled(&self) -> bool {
        let running = self.running();
        let shards: Option<Vec<_>> = running.iter().map(|node| node.shards()).collect();
        let Some(shards) = shards else { return false };
        let open: u16 = shards.iter().map(|(open, _)| open).sum();
        let partitions: Vec<_> = running.iter().map(|node| partitions(node).len()).collect();
        let least = usize::from(running.len() <= PARTITIONS as usize);
        open == SHARDS
            && shards.iter().all(|(open, pending)| *open > 0 && *pending == 0)
            && partitions.iter().sum::<usize>() == PARTITIONS as usize
            && partitions.iter().all(|count| *count >= least)
    }

    /// Waits until everything that was written so far is committed.
    pub fn until_caught_up(&self) {
        self.team.until_caught_up(&self.running());
    }

    /// Shards that were handed off, and when.
    pub fn moves(&self) -> Vec<(u16, i64)> {
        let running = self.running().into_iter().flat_map(handed_off);
        self.moved.iter().copied().chain(running).collect()
    }

    /// Ends the load, waits until all of it is taken, and says when each event was.
    pub fn folds(&mut self) -> Folds {
        if let Some(pulse) = self.pulse.take() {
            pulse.stop();
        }
        self.until_caught_up();
        Folds::read(&self.team.tables)
    }

    /// Stops all nodes and compares the rows with those of one process.
    #[track_caller]
    pub fn end(self) {
        self.team.end(self.nodes.into_iter().flatten().collect());
    }
}

/// Source partitions of a node, as it has said.
pub fn partitions(node: &Node) -> BTreeSet<u32> {
    let mut has = BTreeSet::new();
    for line in node.lines("Kafka partitions ") {
        let names = line.split('"').skip(1).step_by(2);
        let named = names.filter_map(|name| name.rsplit('/').next()?.parse::<u32>().ok());
        if line.contains("Kafka partitions assigned") {
            has.extend(named);
        } else {
            let gone: Vec<_> = named.collect();
            has.retain(|partition| !gone.contains(partition));
        }
    }
    has
}

/// Shards that the node has handed off, and when.
fn handed_off(node: &Node) -> Vec<(u16, i64)> {
    let of = |line: &String| {
        let (_, rest) = line.split_once("shard=")?;
        Some((rest.split_whitespace().next()?.parse().ok()?, time_of(line)?))
    };
    node.lines("shard handed off").iter().filter_map(of).collect()
}

/// When a line was written, ms: it begins with the time in UTC.
fn time_of(line: &str) -> Option<i64> {
    const DAY: i64 = 86_400_000;
    let time = line.split_once('T')?.1.get(..12)?;
    let mut parts = time.split([':', '.']).map(|part| part.parse::<i64>().ok());
    let mut next = || parts.next()?;
    let (hours, minutes, seconds, millis) = (next()?, next()?, next()?, next()?);
    let of_day = ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis;
    let now = now_ms();
    let today = now - now % DAY + of_day;
    Some(if today > now + 1000 { today - DAY } else { today })
}
