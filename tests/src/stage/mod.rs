//! Nodes whose state is in Kafka, against a real broker: a topic of events, tables, processes, and what
//! one undisturbed process makes of the same topic.
#![allow(
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends with what went wrong"
)]

mod node;
#[path = "../../../node/tests/cluster/port.rs"]
mod port;
mod tables;
mod team;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use naap_generator::{Plan, Profile};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

pub use node::{Node, until};
pub use port::free_port;
pub use tables::{Tables, assert_same, data_dir, fingerprints, oracle};
pub use team::Team;

use crate::program;

/// A test in which nothing happens for longer than this hangs.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Partitions of the topic of events.
pub const PARTITIONS: i32 = 3;
/// Shards of the cluster.
pub const SHARDS: u16 = 8;

/// The broker to test with. Tests that need one are ignored unless they are asked for, so none passes
/// without it.
pub fn bootstrap() -> String {
    let found = std::env::var("NAAP_KAFKA_BOOTSTRAP").ok().filter(|text| !text.is_empty());
    found.unwrap_or_else(|| {
        panic!("NAAP_KAFKA_BOOTSTRAP names no broker: `make test-cluster` starts one")
    })
}

/// The script that keeps a broker.
pub fn broker_script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/setup/kafka.sh"))
}

/// Runs a verb of that script for the broker of the tests.
pub fn broker(verb: &str, folder: &str, bootstrap: &str) {
    let port = bootstrap.rsplit(':').next().unwrap();
    let done = broker_script().args([verb, folder, port]).stdout(Stdio::null()).status();
    assert!(done.unwrap().success(), "kafka.sh {verb} {folder} {port}");
}

/// A topic of events, and what a node makes of it.
#[allow(missing_debug_implementations, reason = "the producer has none")]
pub struct Stage {
    /// Address of the broker.
    pub bootstrap: String,
    /// Name of the topic.
    pub topic: String,
    lines: Vec<Vec<u8>>,
    producer: BaseProducer,
}

impl Stage {
    /// A new topic, for events of a generated network with so many sessions.
    pub fn new(bootstrap: String, name: &str, sessions: u64) -> Self {
        let stamp = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let topic = format!("{name}-{stamp}");
        create_topic(&bootstrap, &NewTopic::new(&topic, PARTITIONS, TopicReplication::Fixed(1)));
        let profile = Profile { oversized: false, ..Profile::default() };
        let plan = Plan { seed: 5, sessions, orchestrators: 20, hours: 1, profile };
        let mut text = Vec::new();
        plan.write(&mut text, None::<&mut Vec<u8>>, &mut |_| ()).unwrap();
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let lines = lines.map(<[u8]>::to_vec).collect();
        let producer = producer(&bootstrap);
        Self { bootstrap, topic, lines, producer }
    }

    /// The events of the generated network.
    pub fn lines(&self) -> &[Vec<u8>] {
        &self.lines
    }

    /// Writes part `part` of `parts` to the topic.
    pub fn write(&self, part: usize, parts: usize) {
        let share = self.lines.len().div_ceil(parts);
        self.send(self.lines.iter().enumerate().skip(part * share).take(share));
    }

    /// Writes these events to the topic; their numbers decide the partitions.
    pub fn send<'a>(&self, lines: impl Iterator<Item = (usize, &'a Vec<u8>)>) {
        for (number, line) in lines {
            let partition = (number * 7 / 3) as i32 % PARTITIONS;
            let record: BaseRecord<'_, (), [u8]> =
                BaseRecord::to(&self.topic).partition(partition).payload(line);
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(PATIENCE).unwrap();
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("group.id", group);
        config.create().unwrap()
    }

    /// Committed offsets and ends of all partitions. A broker that has just started refuses for a while.
    fn positions(&self, group: &str) -> KafkaResult<Vec<(i64, i64)>> {
        let consumer = self.consumer(group);
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition(&self.topic, partition);
        }
        let wait = Duration::from_secs(10);
        let committed = consumer.committed_offsets(list, wait)?;
        let of = |p: i32| match committed.find_partition(&self.topic, p).unwrap().offset() {
            Offset::Offset(offset) => offset,
            _ => -1,
        };
        let end = |p| consumer.fetch_watermarks(&self.topic, p, wait);
        (0..PARTITIONS).map(|p| Ok((of(p), end(p)?.1))).collect()
    }

    /// Waits until the group has committed at least this share of the topic, in percent.
    pub fn until_committed(&self, group: &str, percent: i64, nodes: &[&Node]) {
        self.until_all(group, nodes, |_, committed, end| committed * 100 >= end * percent);
    }

    /// Waits until the group has committed everything that is in the topic now.
    pub fn until_caught_up(&self, group: &str, nodes: &[&Node]) {
        let ends = self.positions(group).unwrap();
        self.until_all(group, nodes, |partition, committed, _| committed >= ends[partition].1);
    }

    /// Waits until this holds of each partition's number, committed offset and end.
    fn until_all(&self, group: &str, nodes: &[&Node], holds: impl Fn(usize, i64, i64) -> bool) {
        let (mut since, mut before) = (Instant::now(), Vec::new());
        loop {
            let positions = self.positions(group);
            if let Ok(all) = &positions {
                if all.iter().enumerate().all(|(p, &(committed, end))| holds(p, committed, end)) {
                    return;
                }
                let committed: Vec<_> = all.iter().map(|&(committed, _)| committed).collect();
                if committed != before {
                    (since, before) = (Instant::now(), committed);
                }
            }
            if since.elapsed() > PATIENCE || nodes.iter().any(|node| node.has_failed()) {
                for node in nodes {
                    node.show();
                }
                panic!("{group} stands still at {positions:?}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Starts a node that reads the topic.
    pub fn node(&self, name: &str, group: &str, dir: &Path, more: &[&str]) -> Node {
        let mut command = Command::new(program());
        command
            .args([
                "run",
                "--log",
                "info,naap_actors::region=debug,naap_actors::commit=debug,naap_node::kafka=debug",
                "--name",
                name,
                "--data-dir",
            ])
            .arg(dir);
        let own = [
            "ingest.source=kafka".to_owned(),
            format!("kafka.bootstrap={}", self.bootstrap),
            "kafka.rejects.enabled=false".to_owned(),
            format!("ingest.topics={}=cloud_spe:earliest", self.topic),
            format!("ingest.group={}", self.group(group)),
            format!("cluster.shards={SHARDS}"),
            "commit.flush_interval=200ms".to_owned(),
            "attribution.hold=1s".to_owned(),
        ];
        for setting in own.iter().map(String::as_str).chain(more.iter().copied()) {
            command.args(["--set", setting]);
        }
        command.stdin(Stdio::null());
        Node::start(command)
    }

    /// The consumer group of nodes that call themselves `group`.
    pub fn group(&self, group: &str) -> String {
        format!("naap.{}-{group}.ingest", self.topic)
    }
}

/// A producer that queues as much as it gets.
pub fn producer(bootstrap: &str) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("queue.buffering.max.messages", "1000000");
    config.create().unwrap()
}

fn create_topic(bootstrap: &str, topic: &NewTopic<'_>) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let made = admin.create_topics([topic], &AdminOptions::new());
    assert!(block_on(made).unwrap()[0].is_ok());
}

/// Runs a future that needs no runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    loop {
        if let std::task::Poll::Ready(out) = future.as_mut().poll(&mut context) {
            return out;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
