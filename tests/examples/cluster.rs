//! A cluster to look at: nodes on loopback addresses of their own over a real Kafka and one ClickHouse,
//! a generated stream that goes on, and the state of it all until it is stopped. `make cluster` runs it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool that ends with what went wrong"
)]

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use naap_tests::engine::Engine;
use naap_tests::stage::{Stage, bootstrap, data_dir};
use naap_tests::{DataDir, program};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// Shards of the cluster, as by default.
const SHARDS: u16 = 64;
/// Time between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// Events that are written between two looks; the network is written again and again.
const EVENTS: usize = 2_000;

/// One `naap run`.
struct Member {
    name: String,
    child: Child,
    config: PathBuf,
    log: PathBuf,
}

fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).unwrap_or_default();
    if text.is_empty() { otherwise } else { text.parse().unwrap_or(otherwise) }
}

/// Where node `number` listens: an address that no other node has.
fn host(number: u64) -> String {
    format!("127.0.1.{}", number + 1)
}

fn config(number: u64, nodes: u64, stage: &Stage, engine: &Engine, folder: &Path) -> String {
    let peers: Vec<_> =
        (0..nodes).map(|peer| format!("\"naap-{peer}={}:9700\"", host(peer))).collect();
    format!(
        "[node]\nname = \"naap-{number}\"\ndata_dir = \"{data}\"\n\n\
         [cluster]\nlisten = \"{host}:9700\"\npeers = [{peers}]\nshards = {SHARDS}\n\
         members_topic = \"members-{topic}\"\n\n\
         [state_log]\nstore = \"kafka\"\ntopic = \"state-{topic}\"\n\n\
         [ingest]\nsource = \"kafka\"\ngroup = \"naap.{topic}.ingest\"\n\
         topics = [{{ name = \"{topic}\", org = \"cloud_spe\", reset = \"earliest\" }}]\n\n\
         [kafka]\nbootstrap = [\"{kafka}\"]\n\n[kafka.rejects]\nenabled = false\n\n\
         [clickhouse]\nurl = \"{url}\"\n\n[http]\nlisten = \"{host}:9600\"\n",
        data = folder.join(format!("naap-{number}")).display(),
        host = host(number),
        peers = peers.join(", "),
        topic = stage.topic,
        kafka = stage.bootstrap,
        url = engine.url,
    )
}

impl Member {
    fn start(number: u64, text: &str, folder: &Path) -> Self {
        let name = format!("naap-{number}");
        let (config, log) =
            (folder.join(format!("{name}.toml")), folder.join(format!("{name}.log")));
        fs::write(&config, text).unwrap();
        let mut command = Command::new(program());
        // Ctrl-C is for this program, which stops the nodes in order.
        command.arg("run").arg("--config").arg(&config).stdin(Stdio::null()).process_group(0);
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        Self { name, child, config, log }
    }

    /// Whether it still runs.
    fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

/// What a command of `naap` prints, or why it does not.
fn said(arguments: &[&str]) -> String {
    let output = Command::new(program()).args(arguments).output().unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

fn introduce(members: &[Member], stage: &Stage, engine: &Engine) {
    println!("Kafka       {}, topic {}", stage.bootstrap, stage.topic);
    println!("ClickHouse  {}", engine.url);
    for (number, member) in members.iter().enumerate() {
        let (id, log) = (member.child.id(), member.log.display());
        println!(
            "{:<11} http://{}:9600, process {id}, log {log}",
            member.name,
            host(number as u64)
        );
    }
    let config = members[0].config.display();
    println!("\nTry: kill -9 {}", members[0].child.id());
    println!("     naap cluster drain naap-1 --config {config}");
    println!(
        "     naap query --url {} \"SELECT * FROM naap.v_api_network_demand LIMIT 5\"",
        engine.url
    );
    println!("Ctrl-C stops it all.\n");
}

fn look(members: &mut [Member], engine: &Engine, written: usize) {
    let living: Vec<_> =
        members.iter_mut().filter_map(|m| m.lives().then(|| m.config.clone())).collect();
    let Some(config) = living.first() else {
        println!("no node runs any more");
        return;
    };
    println!("{}", said(&["cluster", "status", "--config", &config.to_string_lossy()]));
    let sql = "SELECT (SELECT count() FROM naap.raw_streaming_events),
        (SELECT uniqExact(org, workflow_session_id) FROM naap.fact_workflow_sessions)";
    let rows = said(&["query", "--url", &engine.url, "--format", "TSV", sql]);
    let (events, sessions) = rows.split_once('\t').unwrap_or((&rows, "?"));
    println!("  {written} events written, {events} in the tables, {sessions} sessions\n");
}

fn main() -> ExitCode {
    let (nodes, sessions) = (number("NODES", 3).clamp(1, 9), number("SESSIONS", 600));
    let dir: DataDir = data_dir();
    let engine = Engine::start(&dir, |command| {
        command.stdout(Stdio::null()).process_group(0);
    });
    let stage = Stage::new(bootstrap(), "look", sessions);
    let folder = dir.path().join("nodes");
    fs::create_dir_all(&folder).unwrap();
    let mut members: Vec<Member> = (0..nodes)
        .map(|number| {
            Member::start(number, &config(number, nodes, &stage, &engine, &folder), &folder)
        })
        .collect();
    introduce(&members, &stage, &engine);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).unwrap();
        let mut events = stage.lines().iter().cycle().enumerate();
        let mut written = 0;
        loop {
            stage.send(events.by_ref().take(EVENTS));
            written += EVENTS;
            tokio::select! {
                _ = tokio::signal::ctrl_c() => break,
                _ = terminate.recv() => break,
                () = tokio::time::sleep(LOOK) => look(&mut members, &engine, written),
            }
        }
    });
    println!("\nstopping");
    for member in &mut members {
        if member.lives() {
            kill_process(Pid::from_child(&member.child), Signal::TERM).unwrap();
        }
    }
    let ends: Vec<_> = members.iter_mut().map(|m| m.child.wait().unwrap()).collect();
    println!("{}", ends.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    ExitCode::SUCCESS
}
