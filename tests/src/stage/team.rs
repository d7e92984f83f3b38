//! Several nodes over one topic and one set of tables.

use rdkafka::admin::{NewTopic, TopicReplication};
use serde_json::Value;

use super::{Node, Stage, Tables, assert_same, create_topic, free_port, oracle};
use crate::DataDir;

/// Several nodes over one topic and one set of tables.
#[allow(missing_debug_implementations, reason = "the producer has none")]
pub struct Team {
    /// What they read.
    pub stage: Stage,
    /// What they write.
    pub tables: Tables,
    dirs: Vec<DataDir>,
    hosts: Vec<String>,
    ports: Vec<u16>,
}

const GROUP: &str = "team";

impl Team {
    /// Room for `size` nodes, none of which runs yet.
    pub fn new(bootstrap: String, name: &str, size: usize, sessions: u64) -> Self {
        let hosts = vec!["127.0.0.1".to_owned(); size];
        Self::apart(bootstrap, name, sessions, Tables::start(), hosts)
    }

    /// Room for a node on each of these hosts, none of which runs yet.
    pub fn apart(
        bootstrap: String,
        name: &str,
        sessions: u64,
        tables: Tables,
        hosts: Vec<String>,
    ) -> Self {
        let stage = Stage::new(bootstrap, name, sessions);
        let members = format!("members-{}", stage.topic);
        let new = NewTopic::new(&members, 1, TopicReplication::Fixed(1));
        create_topic(&stage.bootstrap, &new.set("cleanup.policy", "compact"));
        Self {
            stage,
            tables,
            dirs: hosts.iter().map(|_| DataDir::new()).collect(),
            ports: hosts.iter().map(|_| free_port()).collect(),
            hosts,
        }
    }

    /// Where the nodes listen for each other, by number.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Starts node `number`.
    pub fn start(&self, number: usize) -> Node {
        self.start_by(number, &self.ports, &[])
    }

    /// Starts node `number`, which finds the others at these ports, with further settings, among which
    /// may be another way to the tables.
    pub fn start_by(&self, number: usize, ports: &[u16], more: &[&str]) -> Node {
        let peer = |(number, (host, port))| format!("naap-{number}={host}:{port}");
        let peers: Vec<_> = self.hosts.iter().zip(ports).enumerate().map(peer).collect();
        let tables = format!("clickhouse.url={}", self.tables.url);
        let own = more.iter().any(|setting| setting.starts_with("clickhouse.url="));
        let settings = [
            "state_log.store=kafka".to_owned(),
            format!("state_log.topic=state-{}", self.stage.topic),
            format!("cluster.members_topic=members-{}", self.stage.topic),
            format!("cluster.listen={}:{}", self.hosts[number], self.ports[number]),
            format!("cluster.peers={}", peers.join(",")),
        ];
        let tables = (!own).then_some(tables.as_str());
        let settings = settings.iter().map(String::as_str).chain(tables);
        let settings: Vec<_> = settings.chain(more.iter().copied()).collect();
        let dir = self.dirs[number].data();
        self.stage.node(&format!("naap-{number}"), GROUP, &dir, &settings)
    }

    /// Waits until this share of the topic is committed, in percent.
    pub fn until(&self, percent: i64, nodes: &[&Node]) {
        self.stage.until_committed(&self.stage.group(GROUP), percent, nodes);
    }

    /// Waits until everything that is in the topic now is committed.
    pub fn until_caught_up(&self, nodes: &[&Node]) {
        self.stage.until_caught_up(&self.stage.group(GROUP), nodes);
    }

    /// Stops all nodes in order, the first of them last, and compares the rows.
    #[track_caller]
    pub fn end(self, nodes: Vec<Node>) {
        let (found, stage) = self.stop(nodes);
        assert_same(&found, &oracle(&stage));
    }

    /// Stops all nodes in order, the first of them last, and tells what is in the tables.
    pub fn stop(self, mut nodes: Vec<Node>) -> (Value, Stage) {
        let last = nodes.remove(0);
        nodes.into_iter().for_each(Node::stop);
        last.until_alone();
        last.stop();
        (self.tables.fingerprints(), self.stage)
    }
}
