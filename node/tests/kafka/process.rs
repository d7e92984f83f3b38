//! The program itself between a mock of Kafka and the embedded engine.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use crate::broker::{Message, Write, committed, messages, producer, until_committed, write};
use crate::child::kill_child;
use crate::helper::PATIENCE;
use crate::port::free_port;

const EVENTS: &str = include_str!("../../../tests/fixtures/events-2026-01-08.jsonl");

/// `naap run` and what it says.
struct Service {
    child: Child,
    lines: mpsc::Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Service {
    /// Starts it on the topic `topic`; returns when it is up.
    fn on_topic(bootstrap: &str, topic: &str, settings: &[&str]) -> Self {
        let own = [
            "ingest.source=kafka".to_owned(),
            format!("kafka.bootstrap={bootstrap}"),
            format!("ingest.topics={topic}=o:earliest"),
            format!("ingest.group=naap.{topic}.ingest"),
        ];
        let settings: Vec<_> =
            own.iter().map(String::as_str).chain(settings.iter().copied()).collect();
        Self::start(&settings, Stdio::null())
    }

    fn start(settings: &[&str], stdin: Stdio) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_naap")), settings, stdin)
    }

    fn start_by(mut command: Command, settings: &[&str], stdin: Stdio) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = format!("node.data_dir={}", folder.path().display());
        let small =
            ["cluster.shards=4", "commit.flush_interval=100ms", "telemetry.log_format=json"];
        command.args(["run", "--log", "info,naap_node::kafka=debug"]);
        for setting in small.iter().chain(settings).chain([&data.as_str()]) {
            command.args(["--set", setting]);
        }
        let mut child = command.stdin(stdin).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut service = Self { child, lines, _folder: folder };
        service.until("the node is up");
        service
    }

    /// The first line that contains `text`.
    fn until(&mut self, text: &str) -> String {
        let mut heard = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => heard.push(line),
                Err(error) => panic!("{error}, never said \"{text}\":\n{}", heard.join("\n")),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    fn kill_engine(&self) {
        kill_child(self.child.id());
    }

    /// The exit code, when it ends by itself, and the last line.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut last = String::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            last = line;
        }
        (self.child.wait().unwrap().code(), last)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already where the test did what it should.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Brokers with an input topic and the topics of rejects.
fn brokers(topic: &str) -> (MockCluster<'static, DefaultProducerContext>, String) {
    let cluster = MockCluster::new(1).unwrap();
    for topic in [topic, "naap.dlq.v1", "naap.quarantine.v1"] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    let bootstrap = cluster.bootstrap_servers();
    (cluster, bootstrap)
}

/// Two records that are no events, and an event twice.
fn write_rejects(bootstrap: &str, topic: &str) {
    let writer = producer(bootstrap, "none");
    let event = EVENTS.lines().next().unwrap();
    for value in ["nonsense", event, event, "[]"] {
        write(&writer, topic, Write { value: Some(value.as_bytes()), ..Write::default() });
    }
    writer.flush(PATIENCE).unwrap();
}

/// Said when the ingest gets the last of them.
const ALL_TAKEN: &str = "\"next_offset\":4";

/// No broker takes a message from now on.
fn refuse_messages(cluster: &MockCluster<'static, DefaultProducerContext>) {
    let passing = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 1000];
    cluster.request_errors(RDKafkaApiKey::Produce, &passing);
}

fn reason(message: &Message) -> (String, String) {
    let json: Value = serde_json::from_slice(message.value.as_ref().unwrap()).unwrap();
    let key = String::from_utf8(message.key.clone().unwrap()).unwrap();
    (key, json["failure"]["reason"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn offsets_wait_until_the_topics_have_the_rejects_of_gate_and_shards() {
    let topic = "rejecting";
    let (cluster, bootstrap) = brokers(topic);
    write_rejects(&bootstrap, topic);
    refuse_messages(&cluster);
    let mut service = Service::on_topic(&bootstrap, topic, &[]);
    // The start position is committed before a record is used; then nothing, as long as it lasts.
    service.until(ALL_TAKEN);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(committed(&bootstrap, topic, 0), Some(0), "committed without the topics");
    cluster.clear_request_errors(RDKafkaApiKey::Produce);
    until_committed(&bootstrap, topic, 0, 4).await;

    let dead: Vec<_> = messages(&bootstrap, "naap.dlq.v1", 2).iter().map(reason).collect();
    let expected = [
        ("o/rejecting/0/0/DESERIALIZATION/0", "json_parse_error"),
        ("o/rejecting/0/3/SCHEMA_VALIDATION/0", "root_not_object"),
    ];
    let text = |(key, reason): (&str, &str)| (key.to_owned(), reason.to_owned());
    assert_eq!(dead, expected.map(text));
    let quarantine = messages(&bootstrap, "naap.quarantine.v1", 1);
    let expected = text(("o/rejecting/0/2/DEDUP/0", "duplicate_event"));
    assert_eq!(reason(&quarantine[0]), expected);
    service.signal(Signal::TERM);
    assert_eq!(service.end().0, Some(0));
}

#[test]
fn a_drain_that_can_not_end_says_what_is_not_durable() {
    let topic = "undrained";
    let (cluster, bootstrap) = brokers(topic);
    write_rejects(&bootstrap, topic);
    refuse_messages(&cluster);
    let mut service = Service::on_topic(&bootstrap, topic, &["cluster.drain_timeout=2s"]);
    service.until(ALL_TAKEN);
    service.signal(Signal::TERM);
    let (code, last) = service.end();
    assert_eq!(code, Some(2), "{last}");
    let expected = "error: the drain did not end within cluster.drain_timeout = 2000ms; not durable are \
                    undrained/0 offsets 0 to 3; what is not durable is read again at the next start";
    assert_eq!(last, expected);
}

#[test]
fn a_second_signal_ends_the_node_at_once() {
    let topic = "hasty";
    let (cluster, bootstrap) = brokers(topic);
    write_rejects(&bootstrap, topic);
    refuse_messages(&cluster);
    let port = free_port();
    let listen = format!("http.listen=127.0.0.1:{port}");
    let mut service = Service::on_topic(&bootstrap, topic, &["cluster.drain_timeout=1h", &listen]);
    service.until(ALL_TAKEN);
    let until = Instant::now() + PATIENCE;
    while !readiness(port).starts_with("HTTP/1.1 200 ") {
        assert!(Instant::now() < until, "{}", readiness(port));
        std::thread::sleep(Duration::from_millis(100));
    }
    service.signal(Signal::TERM);
    service.until("asked to stop");
    let said = readiness(port);
    assert!(said.starts_with("HTTP/1.1 503 ") && said.ends_with("the node is not up\n"), "{said}");
    let asked = Instant::now();
    service.signal(Signal::INT);
    let (code, last) = service.end();
    assert_eq!(code, Some(2), "{last}");
    assert!(
        last.starts_with("error: a second signal ended the node before its drain did; "),
        "{last}"
    );
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
}

#[test]
fn a_stop_does_not_wait_for_the_end_of_standard_input() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_naap"));
        command.process_group(0);
        let mut service = Service::start_by(command, &[], Stdio::piped());
        let mut input = service.child.stdin.take().unwrap();
        input.write_all(EVENTS.as_bytes()).unwrap();
        // As a terminal does it: to the whole group, of which the engine must not be.
        kill_process_group(Pid::from_child(&service.child), signal).unwrap();
        service.until("drained and stopped");
        assert_eq!(service.end().0, Some(0));
        drop(input);
    }
}

#[test]
fn a_node_that_reads_standard_input_ends_with_its_engine() {
    let mut service = Service::start(&[], Stdio::piped());
    let mut input = service.child.stdin.take().unwrap();
    input.write_all(EVENTS.as_bytes()).unwrap();
    service.kill_engine();
    let error = service.until("error: the embedded ClickHouse engine ended with signal: 9");
    assert!(error.ends_with("give what is not durable to the next start"), "{error}");
    assert_eq!(service.end().0, Some(2));
    drop(input);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_node_that_reads_kafka_starts_again_with_another_engine() {
    let topic = "engines";
    let (_cluster, bootstrap) = brokers(topic);
    write_rejects(&bootstrap, topic);
    let mut service = Service::on_topic(&bootstrap, topic, &[]);
    until_committed(&bootstrap, topic, 0, 4).await;
    service.kill_engine();
    let failed = service.until("the node failed and starts again");
    assert!(failed.contains("the embedded ClickHouse engine ended"), "{failed}");
    service.until("the node is up");
    write_rejects(&bootstrap, topic);
    until_committed(&bootstrap, topic, 0, 8).await;
    service.signal(Signal::TERM);
    assert_eq!(service.end().0, Some(0));
}

/// The answer of `/readyz`; '' while nobody is there.
fn readiness(port: u16) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    let request = "GET /readyz HTTP/1.1\r\nHost: naap\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// `naap cluster …` with these settings: its exit code and what it printed.
fn cluster(command: &[&str], settings: &[&str]) -> (Option<i32>, String) {
    let mut run = Command::new(env!("CARGO_BIN_EXE_naap"));
    run.arg("cluster").args(command).args(["--output", "json"]);
    for setting in settings {
        run.args(["--set", setting]);
    }
    let output = run.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_node_of_a_cluster_says_who_is_there_and_drains_when_asked() {
    let topic = "clustered";
    let (cluster_of_brokers, bootstrap) = brokers(topic);
    cluster_of_brokers.create_topic("naap.members.v1", 1, 1).unwrap();
    cluster_of_brokers.create_topic("naap.state.v1", 4, 1).unwrap();
    let port = free_port();
    let listen = format!("cluster.listen=127.0.0.1:{port}");
    let links = [listen.as_str(), "cluster.shards=4"];
    let (code, text) = cluster(&["status"], &links);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("Connection refused"), "{text}");

    let mut service = Service::on_topic(&bootstrap, topic, &[&listen, "state_log.store=kafka"]);
    let status = || {
        let (code, text) = cluster(&["status"], &links);
        assert_eq!(code, Some(0), "{text}");
        serde_json::from_str::<Value>(&text).unwrap()["members"][0].clone()
    };
    let until = Instant::now() + PATIENCE;
    while status()["state"] != "up" {
        assert!(Instant::now() < until, "{}", status());
        std::thread::sleep(Duration::from_millis(100));
    }
    let member = status();
    assert_eq!((&member["node"], &member["shards"]), (&"naap-0".into(), &4.into()));
    assert_eq!((&member["linked"], &member["suspect"]), (&true.into(), &false.into()));

    let (code, text) = cluster(&["drain", "naap-7"], &links);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("there is no link to naap-7; ask that node itself"), "{text}");
    let (code, text) = cluster(&["drain", "naap-0"], &links);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(status()["state"], "draining");
    service.signal(Signal::TERM);
    assert_eq!(service.end().0, Some(0));
}
