//! A node of a test cluster: this test program again, in a process of its own.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::authority::Files;
use naap_actors::agent::AgentMsg;
use naap_actors::exchange::Inbox;
use naap_actors::peers::PeerMsg;
use naap_node::cluster::Cluster;
use naap_node::config::{self, Config, FlagValue};
use naap_protocol::capability::evidence::{Question, Role, Subject};
use naap_protocol::codec::TraceContext;
use naap_protocol::event::{Body, DedupStrategy, Event};
use naap_protocol::peer::{Note, Notes, Sender};
use naap_protocol::state::SourcePartition;
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{EnvelopeBuilder, EnvelopeHead, MAX_FRAME};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc::UnboundedReceiver;

/// Longest wait for anything that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Holds the settings of the node, `key=value` a line.
const SETTINGS: &str = "NAAP_TEST_CLUSTER_NODE";

/// Settings of a node.
pub type Settings = Vec<(&'static str, String)>;

/// The configuration of these settings.
pub fn configure(settings: &[(&str, String)]) -> Config {
    let flag = |(path, text): &(&str, String)| FlagValue {
        flag: (*path).to_owned(),
        path: (*path).to_owned(),
        text: text.clone(),
    };
    let flags: Vec<_> = settings.iter().map(flag).collect();
    config::load_text(None, &[], &flags).unwrap().config
}

/// Settings of node `name` that listens on `port`, with `peers` as names and ports.
pub fn settings(name: &str, port: u16, peers: &[(&str, u16)]) -> Settings {
    let peers: Vec<_> =
        peers.iter().map(|(name, port)| format!("{name}=127.0.0.1:{port}")).collect();
    vec![
        ("node.name", name.to_owned()),
        ("cluster.listen", format!("127.0.0.1:{port}")),
        ("cluster.peers", peers.join(",")),
        ("cluster.heartbeat", "100ms".to_owned()),
        ("cluster.suspect_after", "600ms".to_owned()),
        ("cluster.down_after", "1200ms".to_owned()),
    ]
}

/// The settings of an encrypted node.
pub fn encrypted(files: &Files) -> Settings {
    let text = |path: &Path| path.display().to_string();
    vec![
        ("cluster.ca_file", text(&files.ca)),
        ("cluster.cert_file", text(&files.cert)),
        ("cluster.key_file", text(&files.key)),
    ]
}

/// A running node and what it says.
pub struct Node {
    child: Child,
    stdin: ChildStdin,
    lines: mpsc::Receiver<String>,
    heard: Vec<String>,
}

impl Node {
    /// Starts a node with this boot number.
    pub fn start(boot: u64, settings: &[(&str, String)]) -> Self {
        let lines = settings.iter().map(|(key, value)| format!("{key}={value}"));
        let text: Vec<_> = std::iter::once(boot.to_string()).chain(lines).collect();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "node::process", "--nocapture"])
            .env(SETTINGS, text.join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        let err = BufReader::new(child.stderr.take().unwrap());
        let other = sender.clone();
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        std::thread::spawn(move || {
            err.lines().map_while(Result::ok).try_for_each(|l| other.send(l))
        });
        let stdin = child.stdin.take().unwrap();
        Self { child, stdin, lines, heard: Vec::new() }
    }

    /// The next line that contains every one of `texts`.
    pub fn until(&mut self, texts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.heard.push(line.clone());
                    if texts.iter().all(|text| line.contains(text)) {
                        return line;
                    }
                }
                Err(error) => panic!("{error}, never said {texts:?}:\n{}", self.heard.join("\n")),
            }
        }
    }

    /// Waits until it sees `peer` in this state.
    pub fn sees(&mut self, peer: &str, state: &str) {
        self.until(&[&format!(" {peer}="), &format!(" {peer}={state}")]);
    }

    /// Waits until it has said `text`, be it before now.
    pub fn has_said(&mut self, text: &str) {
        if !self.said().contains(text) {
            self.until(&[text]);
        }
    }

    /// Everything that was said so far.
    pub fn said(&mut self) -> String {
        self.heard.extend(self.lines.try_iter());
        self.heard.join("\n")
    }

    pub fn command(&mut self, text: &str) {
        writeln!(self.stdin, "{text}").unwrap();
        self.stdin.flush().unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Resident memory, bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib << 10
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The process of a node. It says every change of its members, obeys lines of standard input, and
/// ends with it.
#[test]
#[ignore = "a process that the other tests start"]
fn process() {
    let Ok(text) = std::env::var(SETTINGS) else { return };
    let (boot, rest) = text.split_once('\n').unwrap();
    let settings: Vec<_> =
        rest.lines().map(|l| l.split_once('=').map(|(k, v)| (k, v.to_owned())).unwrap()).collect();
    tracing_subscriber::fmt()
        .with_env_filter("info,ractor=warn")
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(serve(configure(&settings), boot.parse().unwrap()));
}

async fn serve(config: Config, mut boot: u64) {
    let (sender, mut commands) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    while life(&config, boot, &mut commands).await {
        boot += 1;
    }
}

/// One boot; `true` when another is to follow.
async fn life(config: &Config, boot: u64, commands: &mut UnboundedReceiver<String>) -> bool {
    let cluster = match Cluster::start(config, boot, None).await {
        Ok(cluster) => cluster,
        Err(error) => {
            println!("not started: {error}");
            return false;
        }
    };
    println!("started");
    cluster.attach(Arc::new(Counting::default()));
    let peers = cluster.peers();
    let mut members = cluster.members();
    loop {
        tokio::select! {
            _ = members.changed() => {
                let members = members.borrow_and_update().clone();
                let text: Vec<_> = members.0.iter()
                    .map(|(name, m)| format!(" {name}={}/{}", m.standing.name(), m.incarnation))
                    .collect();
                println!("members{}", text.concat());
            }
            command = commands.recv() => match command.as_deref() {
                Some("drain") => drop(cluster.agent().cast(AgentMsg::Drain)),
                // Notes with rising numbers.
                Some("say") => (0..50_000).for_each(|number| peers.send("n-0", note(number, 0))),
                // The same, with long messages between them, as long as they can be, and beyond.
                Some("long") => {
                    let longest = MAX_FRAME - (4 << 10);
                    for (number, bytes) in (0..).zip([1 << 20, 2_500_000, longest, 0]) {
                        peers.send("n-0", note(number, bytes));
                        peers.send("n-0", envelope(bytes));
                    }
                    peers.send("n-0", envelope(MAX_FRAME + 1));
                    (4..50_000).for_each(|number| peers.send("n-0", note(number, 0)));
                }
                // More questions than one message holds.
                Some("ask") => peers.send("n-0", questions()),
                Some("flood") => {
                    (0..8_000).for_each(|number| peers.send("n-0", note(number, 64 << 10)));
                    println!("flooded");
                }
                Some(end @ ("leave" | "again")) => {
                    cluster.leave().await;
                    return end == "again";
                }
                None => return false,
                Some(other) => panic!("{other}"),
            },
            reason = cluster.failure() => {
                println!("failed: {reason}");
                return false;
            }
        }
    }
}

/// A note with a number and ballast.
fn note(number: u64, ballast: usize) -> PeerMsg {
    let source = SourcePartition { topic: "x".repeat(ballast), partition: 0 };
    PeerMsg::Notes(Notes(vec![Note::Refused { shard: 0, epoch: number, source }]))
}

/// An envelope with one long item.
fn envelope(bytes: usize) -> PeerMsg {
    let raw = "x".repeat(bytes);
    let event = Event {
        offset: 0,
        record_ts: Timestamp(0),
        uid: "u".into(),
        dedup_strategy: DedupStrategy::EventId,
        content_hash: 0,
        event_ts: Timestamp(0),
        replay: false,
        version: "1".into(),
        gateway: "g".into(),
        raw: raw.into(),
        data_at: (0, 0),
        body: Body::Discovery(Vec::new()),
    };
    let mut builder = EnvelopeBuilder::default();
    builder.push_single(1, &event).unwrap();
    let source = SourcePartition { topic: "t".into(), partition: 0 };
    let org = "o".to_owned();
    let head = EnvelopeHead { shard: 0, epoch_hint: 1, org, source, from: 0, to: 1, count: 0 };
    PeerMsg::Envelope(builder.seal(head, TraceContext::default()))
}

const QUESTIONS: u64 = 40_000;

fn questions() -> PeerMsg {
    let question = |session: u64| Question {
        org: "o".to_owned(),
        session: session.into(),
        shard: 0,
        key: "https://orchestrator".to_owned(),
        role: Role::Url,
        subjects: vec![(Subject { url: "x".repeat(500), ..Subject::default() }, None)],
    };
    let questions = (0..QUESTIONS).map(question).collect();
    PeerMsg::Notes(Notes(vec![Note::Ask { shard: 0, questions, from: Sender::default() }]))
}

/// Says when everything has come in order.
#[derive(Debug, Default)]
struct Counting {
    notes: AtomicU64,
    envelopes: AtomicU64,
    questions: AtomicU64,
}

impl Inbox for Counting {
    fn linked(&self, node: &Arc<str>) {
        println!("linked {node}");
    }

    fn take(&self, node: &Arc<str>, message: PeerMsg) {
        let notes = match message {
            PeerMsg::Notes(notes) => notes,
            PeerMsg::Envelope(envelope) => {
                assert!(envelope.items().all(|item| item.is_ok()));
                self.envelopes.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
        for note in notes.0 {
            let epoch = match note {
                Note::Refused { epoch, .. } => epoch,
                Note::Ask { questions, .. } => return self.asked(node, &questions),
                other => panic!("{other:?}"),
            };
            if epoch == 0 {
                self.notes.store(0, Ordering::Relaxed);
            }
            assert_eq!(self.notes.fetch_add(1, Ordering::Relaxed), epoch, "out of order");
            if epoch == 49_999 {
                let envelopes = self.envelopes.swap(0, Ordering::Relaxed);
                println!("heard all of {node} and {envelopes} envelopes");
            }
        }
    }
}

impl Counting {
    fn asked(&self, node: &Arc<str>, questions: &[Question]) {
        for question in questions {
            let next = self.questions.fetch_add(1, Ordering::Relaxed);
            assert_eq!(question.session, u128::from(next), "out of order");
        }
        if self.questions.load(Ordering::Relaxed) == QUESTIONS {
            println!("heard all questions of {node}");
        }
    }
}
