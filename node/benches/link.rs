//! What an event costs between two nodes: envelopes of events of about 200 bytes, decoded on the other
//! side, over plain and encrypted links, and beside them the same bytes over a bare connection.
//! `cargo bench -p naap-node --bench link`.
#![allow(clippy::expect_used, clippy::print_stdout, clippy::unwrap_used)]

use std::borrow::Cow::Borrowed;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use naap_actors::exchange::Inbox;
use naap_actors::peers::{PeerMsg, Peers};
use naap_node::cluster::Cluster;
use naap_node::config::{self, Config, FlagValue};
use naap_node::cpu::self_cpu;
use naap_protocol::codec::TraceContext;
use naap_protocol::event::{Body, DedupStrategy, Event, IngestMetrics};
use naap_protocol::peer::{Note, Notes};
use naap_protocol::state::SourcePartition;
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{Envelope, EnvelopeBuilder, EnvelopeHead};
use tokio::sync::{Semaphore, mpsc};

#[path = "../tests/cluster/authority.rs"]
#[allow(dead_code, unreachable_pub, missing_debug_implementations)]
mod authority;

use authority::{Authority, Files};

/// The allocator of the node.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: u64 = 10_000_000;
/// Each figure is the median of so many runs.
const RUNS: usize = 5;
/// What a reader has under way: 64 shards with the default window each.
const WINDOW: usize = 8 << 20;
const ROLE: &str = "NAAP_BENCH_LINK";

fn main() {
    match std::env::var(ROLE).ok().as_deref() {
        Some("bare") => return bare_receiver(),
        Some(settings) => return receiver(&configure(settings)),
        None => {}
    }
    println!(
        "{:<10} {:>8} {:>12} {:>10} {:>12} {:>12}",
        "link", "events/", "events/s", "MB/s", "sender", "receiver"
    );
    println!(
        "{:<10} {:>8} {:>12} {:>10} {:>12} {:>12}",
        "", "envelope", "", "", "us/event", "us/event"
    );
    let authority = Authority::new();
    let files = [authority.issue("low", "n-0"), authority.issue("high", "n-1")];
    for per_envelope in [16, 256] {
        let envelope = envelope(per_envelope);
        median("bare", &envelope, || bare(&envelope));
        median("plain", &envelope, || linked(None, &envelope));
        median("encrypted", &envelope, || linked(Some(&files), &envelope));
    }
}

/// What a run has taken: time, and CPU time of both sides.
struct Run {
    wall: Duration,
    sender: Duration,
    receiver: Duration,
}

/// Runs it often and prints the run of the median rate.
fn median(name: &str, envelope: &Envelope, run: impl Fn() -> Run) {
    let mut runs: Vec<Run> = (0..RUNS).map(|_| run()).collect();
    runs.sort_by_key(|run| run.wall);
    report(name, envelope, &runs[RUNS / 2]);
}

fn envelope(count: u32) -> Envelope {
    let event = |offset| Event {
        offset,
        record_ts: Timestamp(1_774_344_333_000),
        uid: format!("019b9f15-0000-7000-8000-{offset:012x}").into(),
        dedup_strategy: DedupStrategy::EventId,
        content_hash: 0xfeed_f00d_0000_0000 | offset,
        event_ts: Timestamp(1_774_344_333_000),
        replay: false,
        version: Borrowed("v1"),
        gateway: Borrowed("gateway-a"),
        raw: Borrowed(r#"{"data":{"stream_id":"str_o5s73x"}}"#),
        data_at: (8, 12),
        body: Body::Ingest(IngestMetrics {
            stream_id: Borrowed("str_o5s73x"),
            request_id: Borrowed("db936fab"),
            ..IngestMetrics::default()
        }),
    };
    let mut builder = EnvelopeBuilder::default();
    for offset in 0..u64::from(count) {
        builder.push_session(u128::MAX - u128::from(offset), &event(offset)).unwrap();
    }
    let source = SourcePartition { topic: "streaming_events".into(), partition: 3 };
    let (from, to) = (0, count.into());
    let org = "cloud_spe".to_owned();
    let head = EnvelopeHead { shard: 5, epoch_hint: 1, org, source, from, to, count: 0 };
    builder.seal(head, TraceContext::default())
}

fn configure(settings: &str) -> Config {
    let flag = |line: &str| {
        let (path, text) = line.split_once('=').unwrap();
        FlagValue { flag: path.into(), path: path.into(), text: text.into() }
    };
    let flags: Vec<_> = settings.lines().map(flag).collect();
    config::load_text(None, &[], &flags).unwrap().config
}

fn settings(name: &str, ports: [u16; 2], files: Option<&Files>) -> String {
    let own = usize::from(name == "n-1");
    let mut text = format!(
        "node.name={name}\ncluster.listen=127.0.0.1:{}\ncluster.peers=n-0=127.0.0.1:{}",
        ports[own], ports[0]
    );
    if let Some(Files { ca, cert, key }) = files {
        for (name, file) in [("ca", ca), ("cert", cert), ("key", key)] {
            text.push_str(&["\ncluster.", name, "_file=", &file.display().to_string()].concat());
        }
    }
    text
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn child(role: &str) -> Child {
    let own = std::env::current_exe().unwrap();
    Command::new(own).env(ROLE, role).stdout(Stdio::piped()).stdin(Stdio::piped()).spawn().unwrap()
}

/// Counts the events of each envelope and gives its bytes back, as a shard does.
#[derive(Debug)]
struct Shards {
    peers: Arc<dyn Peers>,
    work: mpsc::UnboundedSender<Envelope>,
}

impl Inbox for Shards {
    fn linked(&self, _node: &Arc<str>) {}

    fn take(&self, node: &Arc<str>, message: PeerMsg) {
        let PeerMsg::Envelope(envelope) = message else { return };
        let (shard, epoch) = (envelope.head.shard, 1);
        let credit = Note::Credit { shard, epoch, bytes: envelope.cost() as u64 };
        // The window bounds the channel.
        let _ = self.work.send(envelope);
        self.peers.send(node, PeerMsg::Notes(Notes(vec![credit])));
    }
}

fn receiver(config: &Config) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let cluster = Cluster::start(config, 1, None).await.unwrap();
        let (work, mut envelopes) = mpsc::unbounded_channel::<Envelope>();
        cluster.attach(Arc::new(Shards { peers: cluster.peers(), work }));
        let (mut events, mut cpu) = (0_u64, Duration::ZERO);
        while events < EVENTS {
            let envelope = envelopes.recv().await.unwrap();
            if events == 0 {
                cpu = self_cpu();
            }
            for item in envelope.items() {
                std::hint::black_box(item.unwrap());
                events += 1;
            }
        }
        println!("{}", (self_cpu().checked_sub(cpu)).unwrap().as_nanos());
    });
}

/// Frees the window as credit comes back.
#[derive(Debug)]
struct Credits(Arc<Semaphore>, mpsc::UnboundedSender<()>);

impl Inbox for Credits {
    fn linked(&self, _node: &Arc<str>) {
        let _ = self.1.send(());
    }

    fn take(&self, _node: &Arc<str>, message: PeerMsg) {
        let PeerMsg::Notes(notes) = message else { return };
        for note in notes.0 {
            if let Note::Credit { bytes, .. } = note {
                self.0.add_permits(bytes as usize);
            }
        }
    }
}

fn linked(files: Option<&[Files; 2]>, envelope: &Envelope) -> Run {
    let ports = [free_port(), free_port()];
    let mut other = child(&settings("n-0", ports, files.map(|files| &files[0])));
    let config = configure(&settings("n-1", ports, files.map(|files| &files[1])));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let run = runtime.block_on(async {
        let cluster = Cluster::start(&config, 1, None).await.unwrap();
        let window = Arc::new(Semaphore::new(WINDOW));
        let (told, mut linked) = mpsc::unbounded_channel();
        cluster.attach(Arc::new(Credits(window.clone(), told)));
        linked.recv().await.unwrap();
        let (started, cpu, peers) = (Instant::now(), self_cpu(), cluster.peers());
        let mut sent = 0;
        while sent < EVENTS {
            window.acquire_many(envelope.cost() as u32).await.unwrap().forget();
            peers.send("n-0", PeerMsg::Envelope(envelope.clone()));
            sent += u64::from(envelope.head.count);
        }
        // All credit is back when all was taken.
        drop(window.acquire_many(WINDOW as u32).await.unwrap());
        let (wall, sender) = (started.elapsed(), self_cpu().checked_sub(cpu).unwrap());
        let receiver = last_line(&mut other);
        cluster.leave().await;
        Run { wall, sender, receiver }
    });
    other.wait().unwrap();
    run
}

fn last_line(child: &mut Child) -> Duration {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    Duration::from_nanos(line.trim().parse().unwrap())
}

fn report(name: &str, envelope: &Envelope, run: &Run) {
    let rate = EVENTS as f64 / run.wall.as_secs_f64();
    let size = envelope.cost() as f64 / f64::from(envelope.head.count);
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / EVENTS as f64;
    println!(
        "{name:<10} {:>8} {rate:>12.0} {:>10.0} {:>12.2} {:>12.2}",
        envelope.head.count,
        rate * size / 1e6,
        each(run.sender),
        each(run.receiver)
    );
}

/// The same envelopes, written to and read from a connection, without credit or anything else.
fn bare(envelope: &Envelope) -> Run {
    let mut other = child("bare");
    let mut line = String::new();
    let mut out = BufReader::new(other.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let mut stream = TcpStream::connect(line.trim()).unwrap();
    let (started, cpu) = (Instant::now(), self_cpu());
    let mut sent = 0;
    let mut batch = Vec::new();
    while sent < EVENTS {
        let frame = envelope.to_frame().unwrap();
        batch.extend((frame.len() as u32).to_le_bytes());
        batch.extend(frame);
        sent += u64::from(envelope.head.count);
        if batch.len() >= 128 << 10 || sent >= EVENTS {
            stream.write_all(&batch).unwrap();
            batch.clear();
        }
    }
    let mut done = [0];
    stream.read_exact(&mut done).unwrap();
    let (wall, sender) = (started.elapsed(), self_cpu().checked_sub(cpu).unwrap());
    line.clear();
    out.read_line(&mut line).unwrap();
    other.wait().unwrap();
    Run { wall, sender, receiver: Duration::from_nanos(line.trim().parse().unwrap()) }
}

fn bare_receiver() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::with_capacity(256 << 10, &stream);
    let cpu = self_cpu();
    let mut events = 0;
    while events < EVENTS {
        let mut len = [0; 4];
        reader.read_exact(&mut len).unwrap();
        let mut frame = vec![0; u32::from_le_bytes(len) as usize];
        reader.read_exact(&mut frame).unwrap();
        for item in Envelope::from_frame(&frame).unwrap().items() {
            std::hint::black_box(item.unwrap());
            events += 1;
        }
    }
    println!("{}", (self_cpu().checked_sub(cpu)).unwrap().as_nanos());
    (&stream).write_all(&[1]).unwrap();
}
