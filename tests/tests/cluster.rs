//! Nodes whose state is in Kafka, against a real broker: whatever is killed, the rows are those of one
//! undisturbed process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with what went wrong")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use naap_generator::{Plan, Profile};
use naap_tests::{DataDir, program};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A test that waits longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(90);
const PARTITIONS: i32 = 3;

/// The broker to test with; says so where there is none.
fn bootstrap(test: &str) -> Option<String> {
    let found = std::env::var("NAAP_KAFKA_BOOTSTRAP").ok().filter(|text| !text.is_empty());
    if found.is_none() {
        eprintln!(
            "SKIPPED {test}: NAAP_KAFKA_BOOTSTRAP is not set; run deploy/setup/kafka.sh start"
        );
    }
    found
}

/// A topic of events, and what a node makes of it.
struct Stage {
    bootstrap: String,
    topic: String,
    lines: Vec<Vec<u8>>,
    producer: BaseProducer,
}

impl Stage {
    fn new(bootstrap: String, name: &str, sessions: u64) -> Self {
        let stamp = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let topic = format!("{name}-{stamp}");
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &bootstrap);
        let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
        let new = NewTopic::new(&topic, PARTITIONS, TopicReplication::Fixed(1));
        let made = admin.create_topics([&new], &AdminOptions::new());
        assert!(block_on(made).unwrap()[0].is_ok());
        let profile = Profile { oversized: false, ..Profile::default() };
        let plan = Plan { seed: 5, sessions, orchestrators: 20, hours: 1, profile };
        let mut text = Vec::new();
        plan.write(&mut text, None::<&mut Vec<u8>>, &mut |_| ()).unwrap();
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let lines = lines.map(<[u8]>::to_vec).collect();
        config.set("queue.buffering.max.messages", "1000000");
        Self { bootstrap, topic, lines, producer: config.create().unwrap() }
    }

    /// Writes part `part` of `parts` to the topic.
    fn write(&self, part: usize, parts: usize) {
        let share = self.lines.len().div_ceil(parts);
        let lines = self.lines.iter().enumerate().skip(part * share).take(share);
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
    fn until_committed(&self, group: &str, percent: i64, nodes: &[&Node]) {
        let since = Instant::now();
        loop {
            let positions = self.positions(group);
            let reached = |(committed, end): &(i64, i64)| committed * 100 >= end * percent;
            if positions.as_ref().is_ok_and(|all| all.iter().all(reached)) {
                return;
            }
            if since.elapsed() > PATIENCE || nodes.iter().any(|node| node.has_failed()) {
                for node in nodes {
                    node.show();
                }
                panic!("{group} stands at {positions:?} after {:?}", since.elapsed());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn node(&self, name: &str, group: &str, dir: &Path, more: &[&str]) -> Node {
        let mut command = Command::new(program());
        command
            .args([
                "run",
                "--log",
                "info,naap_actors::region=debug,naap_node::kafka=debug",
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
            format!("ingest.group=naap.{group}.ingest"),
            "cluster.shards=8".to_owned(),
            "commit.flush_interval=200ms".to_owned(),
            "attribution.hold=1s".to_owned(),
        ];
        for setting in own.iter().map(String::as_str).chain(more.iter().copied()) {
            command.args(["--set", setting]);
        }
        Node::start(command)
    }
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

/// A running process and what it says.
struct Node {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Node {
    fn start(mut command: Command) -> Self {
        command.env("RUST_BACKTRACE", "0").env("NO_COLOR", "1");
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, heard) = (BufReader::new(child.stderr.take().unwrap()).lines(), said.clone());
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| heard.lock().unwrap().push(line));
        });
        Self { child, said }
    }

    fn show(&self) {
        let said = self.said.lock().unwrap();
        let from = said.len().saturating_sub(400);
        eprintln!("--- the node said ---\n{}", said[from..].join("\n"));
    }

    /// Waits until it has every shard: then it can settle what others have left.
    fn until_alone(&self) {
        let since = Instant::now();
        let last = |said: &Vec<String>| {
            said.iter().rfind(|line| line.contains("shards of this node")).cloned()
        };
        while !last(&self.said.lock().unwrap())
            .is_some_and(|line| line.contains("open=8 pending=0"))
        {
            if since.elapsed() > PATIENCE {
                self.show();
                panic!("the node does not get every shard");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn has_failed(&self) -> bool {
        self.said.lock().unwrap().iter().any(|line| line.starts_with("error:"))
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Asks it to stop, which must end in order.
    fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        if !status.success() {
            self.show();
            panic!("ended with {status}");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already where the test did what it should.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Fingerprints of the tables in a data folder that no process uses.
fn fingerprints(dir: &DataDir) -> Value {
    let nothing = dir.path().join("nothing.jsonl");
    std::fs::write(&nothing, "").unwrap();
    // The state of its own shards is none of a replay's business.
    drop(std::fs::remove_file(dir.data().join("state.redb")));
    dir.replay(&["--set".into(), "cluster.shards=8".into(), nothing])["fingerprints"].clone()
}

/// A data folder whose tables keep rows however old: generated events are.
fn data_dir() -> DataDir {
    let dir = DataDir::new();
    fingerprints(&dir);
    drop(std::fs::remove_file(dir.data().join("state.redb")));
    dir
}

/// What one undisturbed process with a local state log makes of the topic.
fn oracle(stage: &Stage) -> Value {
    let dir = data_dir();
    let group = format!("{}-oracle", stage.topic);
    let node = stage.node("oracle", &group, &dir.data(), &[]);
    stage.until_committed(&format!("naap.{group}.ingest"), 100, &[&node]);
    node.stop();
    fingerprints(&dir)
}

#[track_caller]
fn assert_same(found: &Value, expected: &Value) {
    let expected = expected.as_object().unwrap().iter();
    // Figures follow their rows when no more of them come; a node that stops leaves them to the next start.
    let later = |table: &str| ["agg_", "v_", "rollup_"].iter().any(|name| table.starts_with(name));
    let expected = expected.filter(|(table, _)| !later(table));
    let differs = |(table, expected): &(&String, &Value)| found[*table] != **expected;
    let wrong: Vec<_> = expected
        .filter(differs)
        .map(|(table, expected)| {
            format!("{table}: {} rows, {} expected", found[table]["rows"], expected["rows"])
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_node_goes_on_from_kafka_after_kills_with_and_without_its_folder() {
    let test = "a_node_goes_on_from_kafka_after_kills_with_and_without_its_folder";
    let Some(bootstrap) = bootstrap(test) else { return };
    let stage = Stage::new(bootstrap, "solo", 600);
    let (dir, group) = (data_dir(), format!("{}-solo", stage.topic));
    let full = format!("naap.{group}.ingest");
    let log = format!("state_log.topic=state-{}", stage.topic);
    let settings = ["state_log.store=kafka", log.as_str()];
    let start = || stage.node("naap-0", &group, &dir.data(), &settings);
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

/// A ClickHouse that several nodes write to.
struct Tables {
    engine: Option<Child>,
    dir: DataDir,
    url: String,
}

impl Tables {
    fn new() -> Self {
        let dir = data_dir();
        let file = dir.path().join("port");
        let mut command = Command::new(program());
        command.args(["engine", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(dir.data().join("clickhouse")).arg("--port-file").arg(&file);
        let engine = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let since = Instant::now();
        let port = loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if let Ok(port) = text.trim().parse::<u16>() {
                break port;
            }
            assert!(since.elapsed() < PATIENCE, "the engine does not start");
            std::thread::sleep(Duration::from_millis(20));
        };
        Self { engine: Some(engine), dir, url: format!("http://127.0.0.1:{port}") }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.engine.as_ref().unwrap()), signal).unwrap();
    }

    fn fingerprints(mut self) -> Value {
        let mut engine = self.engine.take().unwrap();
        kill_process(Pid::from_child(&engine), Signal::TERM).unwrap();
        engine.wait().unwrap();
        fingerprints(&self.dir)
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        if let Some(engine) = &mut self.engine {
            drop(engine.kill());
            drop(engine.wait());
        }
    }
}

/// Three nodes over one topic and one set of tables.
struct Trio {
    stage: Stage,
    group: String,
    tables: Tables,
    dirs: Vec<DataDir>,
    ports: Vec<u16>,
}

impl Trio {
    fn new(bootstrap: String, name: &str, sessions: u64) -> Self {
        let stage = Stage::new(bootstrap, name, sessions);
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &stage.bootstrap);
        let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
        let members = format!("members-{}", stage.topic);
        let new = NewTopic::new(&members, 1, TopicReplication::Fixed(1));
        let new = new.set("cleanup.policy", "compact");
        assert!(block_on(admin.create_topics([&new], &AdminOptions::new())).unwrap()[0].is_ok());
        let free = |_| {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            socket.local_addr().unwrap().port()
        };
        Self {
            group: format!("{}-trio", stage.topic),
            stage,
            tables: Tables::new(),
            dirs: (0..3).map(|_| DataDir::new()).collect(),
            ports: (0..3).map(free).collect(),
        }
    }

    fn start(&self, number: usize) -> Node {
        let peer = |(number, port): (usize, &u16)| format!("naap-{number}=127.0.0.1:{port}");
        let peers: Vec<_> = self.ports.iter().enumerate().map(peer).collect();
        let settings = [
            "state_log.store=kafka".to_owned(),
            format!("state_log.topic=state-{}", self.stage.topic),
            format!("cluster.members_topic=members-{}", self.stage.topic),
            format!("cluster.listen=127.0.0.1:{}", self.ports[number]),
            format!("cluster.peers={}", peers.join(",")),
            format!("clickhouse.url={}", self.tables.url),
        ];
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        let dir = self.dirs[number].data();
        self.stage.node(&format!("naap-{number}"), &self.group, &dir, &settings)
    }

    fn until(&self, percent: i64, nodes: &[&Node]) {
        self.stage.until_committed(&format!("naap.{}.ingest", self.group), percent, nodes);
    }

    /// Stops all nodes in order, the first of them last, and compares the rows.
    #[track_caller]
    fn end(self, mut nodes: Vec<Node>) {
        let last = nodes.remove(0);
        nodes.into_iter().for_each(Node::stop);
        last.until_alone();
        last.stop();
        let Self { stage, tables, .. } = self;
        assert_same(&tables.fingerprints(), &oracle(&stage));
    }
}

#[test]
fn a_node_of_three_is_killed_under_load() {
    let Some(bootstrap) = bootstrap("a_node_of_three_is_killed_under_load") else { return };
    let trio = Trio::new(bootstrap, "kill", 600);
    trio.stage.write(0, 3);
    let mut nodes: Vec<_> = (0..3).map(|number| trio.start(number)).collect();
    trio.until(20, &nodes.iter().collect::<Vec<_>>());
    trio.stage.write(1, 3);
    nodes.remove(1).kill();
    trio.stage.write(2, 3);
    trio.until(100, &nodes.iter().collect::<Vec<_>>());
    trio.end(nodes);
}

#[test]
fn nodes_join_and_leave_in_order_under_load() {
    let Some(bootstrap) = bootstrap("nodes_join_and_leave_in_order_under_load") else { return };
    let trio = Trio::new(bootstrap, "roll", 600);
    trio.stage.write(0, 4);
    let first = trio.start(0);
    trio.until(20, &[&first]);
    let second = trio.start(1);
    trio.stage.write(1, 4);
    trio.until(50, &[&first, &second]);
    let third = trio.start(2);
    trio.stage.write(2, 4);
    first.stop();
    trio.until(60, &[&second, &third]);
    let again = trio.start(0);
    trio.stage.write(3, 4);
    second.stop();
    trio.until(100, &[&again, &third]);
    trio.end(vec![third, again]);
}

#[test]
fn a_node_of_three_stands_still_until_others_have_its_work() {
    let test = "a_node_of_three_stands_still_until_others_have_its_work";
    let Some(bootstrap) = bootstrap(test) else { return };
    let trio = Trio::new(bootstrap, "pause", 600);
    trio.stage.write(0, 3);
    let nodes: Vec<_> = (0..3).map(|number| trio.start(number)).collect();
    let all: Vec<_> = nodes.iter().collect();
    trio.until(20, &all);
    trio.stage.write(1, 3);
    nodes[1].signal(Signal::STOP);
    trio.stage.write(2, 3);
    trio.until(100, &all);
    // What it had under way comes too late, and must count for nothing.
    nodes[1].signal(Signal::CONT);
    trio.end(nodes);
}

#[test]
fn the_tables_stand_still_under_load() {
    let Some(bootstrap) = bootstrap("the_tables_stand_still_under_load") else { return };
    let trio = Trio::new(bootstrap, "stall", 600);
    trio.stage.write(0, 2);
    let nodes: Vec<_> = (0..3).map(|number| trio.start(number)).collect();
    let all: Vec<_> = nodes.iter().collect();
    trio.until(10, &all);
    trio.tables.signal(Signal::STOP);
    trio.stage.write(1, 2);
    // Longer than a request to the tables may take.
    std::thread::sleep(Duration::from_secs(40));
    assert!(!nodes.iter().any(Node::has_failed), "a node has failed");
    trio.tables.signal(Signal::CONT);
    trio.until(100, &all);
    trio.end(nodes);
}

/// Runs a verb of the script that keeps the broker.
fn broker(verb: &str, folder: &str, bootstrap: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/setup/kafka.sh");
    let port = bootstrap.rsplit(':').next().unwrap();
    let done = Command::new(script).args([verb, folder, port]).stdout(Stdio::null()).status();
    assert!(done.unwrap().success(), "kafka.sh {verb} {folder} {port}");
}

#[test]
fn the_broker_restarts_under_load() {
    let test = "the_broker_restarts_under_load";
    let Some(bootstrap) = bootstrap(test) else { return };
    let Ok(folder) = std::env::var("NAAP_KAFKA_FOLDER") else {
        eprintln!("SKIPPED {test}: NAAP_KAFKA_FOLDER is not set to the folder of the broker");
        return;
    };
    let trio = Trio::new(bootstrap.clone(), "broker", 600);
    trio.stage.write(0, 2);
    let nodes: Vec<_> = (0..3).map(|number| trio.start(number)).collect();
    let all: Vec<_> = nodes.iter().collect();
    trio.until(10, &all);
    broker("stop", &folder, &bootstrap);
    broker("start", &folder, &bootstrap);
    trio.stage.write(1, 2);
    trio.until(100, &all);
    trio.end(nodes);
}
