//! A team of nodes under the pulse, and what their logs say of shards and partitions.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use naap_actors::placement::{Member, Placement};
use naap_tests::stage::{Node, PARTITIONS, PATIENCE, SHARDS, Team};

use crate::folds::Folds;
use crate::pulse::{Pulse, now_ms};

/// Prints a row of the table in docs/reliability.md.
#[allow(clippy::print_stdout, reason = "the rows are what the tests are for")]
pub fn row(what: &str, goal: &str, found: &str) {
    println!("\n| {what} | {goal} | {found} |");
}

/// How a node is started.
type Start = Box<dyn Fn(&Team, usize) -> Node>;

/// Nodes under load; a number that does not run has no node.
pub struct Crew {
    start: Start,
    pub team: Team,
    pub nodes: Vec<Option<Node>>,
    pulse: Option<Pulse>,
    /// What nodes that are gone have handed off.
    moved: Vec<Moved>,
}

impl Crew {
    /// The first `running` of `size` nodes under load: the pulse, and a generated network.
    pub fn new(bootstrap: String, name: &str, (running, size): (usize, usize)) -> Self {
        let team = Team::new(bootstrap, name, size, 100);
        Self::of(team, running, Box::new(Team::start))
    }

    /// The first `running` nodes of a team, which are started like this.
    pub fn of(team: Team, running: usize, start: Start) -> Self {
        team.stage.write(0, 1);
        let nodes = 0..team.ports().len();
        let nodes = nodes.map(|number| (number < running).then(|| start(&team, number))).collect();
        let pulse = Some(Pulse::start(&team.stage));
        let crew = Self { start, pulse, team, nodes, moved: Vec::new() };
        crew.until_settled();
        crew.until_caught_up();
        crew
    }

    /// The nodes that run.
    pub fn running(&self) -> Vec<&Node> {
        self.nodes.iter().flatten().collect()
    }

    pub fn start(&mut self, number: usize) {
        self.nodes[number] = Some((self.start)(&self.team, number));
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
        let partitions: Vec<_> = running.iter().map(|node| partitions(node).len()).collect();
        let least = usize::from(running.len() <= PARTITIONS as usize);
        let has_its_shards = |(number, node): (usize, &Node)| {
            let due = self.shards_of(number).len() as u16;
            node.shards().unwrap_or_default() == (due, 0)
        };
        let nodes = self.nodes.iter().enumerate();
        nodes.filter_map(|(number, node)| Some((number, node.as_ref()?))).all(has_its_shards)
            && partitions.iter().sum::<usize>() == PARTITIONS as usize
            && partitions.iter().all(|count| *count >= least)
    }

    /// The shards that node `number` has opened so far, if it runs.
    pub fn opened_by(&self, number: usize) -> Vec<u16> {
        let lines = self.nodes[number].iter().flat_map(|node| node.lines("shard opened"));
        let shard = |line: String| {
            let (_, rest) = line.split_once("shard=")?;
            rest.split_whitespace().next()?.parse().ok()
        };
        lines.filter_map(shard).collect()
    }

    /// The shards that node `number` should have of those that run.
    pub fn shards_of(&self, number: usize) -> Vec<u16> {
        let name = |number| format!("naap-{number}");
        let members = (0..self.nodes.len()).filter(|&number| self.nodes[number].is_some());
        let placement = Placement::new(members.map(|number| Member::full(name(number))), SHARDS);
        placement.shards_of(&name(number)).collect()
    }

    /// Waits until everything that was written so far is committed.
    pub fn until_caught_up(&self) {
        self.team.until_caught_up(&self.running());
    }

    /// What was handed off.
    pub fn moves(&self) -> Vec<Moved> {
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

/// An opening of a shard that was closed by its holder.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    pub shard: u16,
    pub epoch: u64,
    /// From when on it took nothing more.
    pub at: i64,
}

/// What the node has handed off.
fn handed_off(node: &Node) -> Vec<Moved> {
    let of = |line: &String| {
        let value = |name| line.split_once(name)?.1.split_whitespace().next();
        let (shard, epoch) = (value("shard=")?.parse().ok()?, value("epoch=")?.parse().ok()?);
        Some(Moved { shard, epoch, at: time_of(line)? })
    };
    node.lines("closing a shard").iter().filter_map(of).collect()
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
