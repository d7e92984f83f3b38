//! `naap replay`: files of events through an embedded node, to completion.

mod input;
mod order;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use naap_actors::ingest::{IngestStatus, Intake, RecordBatch, RecordEntry};
use naap_actors::ports::Clock;
use naap_actors::supervisor::{Cluster, Node};
use naap_protocol::org::OrgMap;
use naap_protocol::state::SourcePartition;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tokio::sync::watch::Receiver;

use crate::cli::{Failure, Global, Output, ReplayArgs, emit, environment};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::cpu::{process_cpu, self_cpu};
use crate::logging;
use crate::node::{NodeParts, node_args};
use crate::state_log::{LocalStateLog, applied_by_all};
use crate::store::{Store, fingerprint, schema};

pub(crate) use input::{MAX_LINE, without_mark};

use input::{Input, Values};
use order::Bend;
use report::{Report, Totals};

/// Organisation of files that nobody says more about.
pub(crate) const DEFAULT_ORG: &str = "cloud_spe";

/// All files are one topic; which file it is stands in the partition number, which no fingerprint
/// includes.
pub(crate) const TOPIC: &str = "file";

/// Records handed over at once, and their bytes.
const BATCH_RECORDS: usize = 2048;
const BATCH_BYTES: usize = 1 << 20;

/// Runs the command.
///
/// # Errors
/// When a file or the data folder can not be used, or the node fails.
pub fn run(args: &ReplayArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load(Vec::new())?.config;
    logging::start(&config.telemetry).map_err(Failure::environment)?;
    let runtime = tokio::runtime::Runtime::new().map_err(environment)?;
    let report = runtime.block_on(replay(args, &config))?;
    emit(&match global.output {
        Output::Text => report.text(),
        Output::Json => report.json(),
    })?;
    report.nothing_like_events().map_or(Ok(()), |sentence| Err(Failure::check(sentence)))
}

/// How long a node that has stopped may take to tell why.
const TOLD: Duration = Duration::from_secs(10);

/// Replays to completion.
pub(crate) async fn replay(args: &ReplayArgs, config: &Config) -> Result<Report, Failure> {
    let started = Instant::now();
    let dir = prepare_dir(&args.data_dir)?;
    let bend = bend_of(args);
    let inputs = open_inputs(args, &bend, &dir)?;
    let log =
        Arc::new(LocalStateLog::open(&dir, config.cluster.shards as u16).map_err(environment)?);
    let lib = config.clickhouse.engine_lib.as_deref();
    let (database, memory) =
        (config.clickhouse.database.as_str(), config.clickhouse.engine_memory.0);
    let store = Store::embedded(&dir, database, lib, memory).await.map_err(environment)?;
    let work = Box::pin(through(args, config, (&inputs, started), &log, &store));
    let report = store.while_open(work).await?;
    store.close().await.map_err(environment)?;
    Ok(report)
}

/// Brings everything that the inputs hold into the store.
async fn through(
    args: &ReplayArgs,
    config: &Config,
    (inputs, started): (&[Input], Instant),
    log: &Arc<LocalStateLog>,
    store: &Store,
) -> Result<Report, Failure> {
    schema::apply(store).await.map_err(environment)?;
    schema::keep_rows_forever(store).await.map_err(environment)?;
    let incarnation = SystemClock.now().0.unsigned_abs();
    let parts = NodeParts {
        config,
        log: log.clone(),
        store,
        rejects: None,
        clock: Arc::new(SystemClock),
        orgs: OrgMap::new([(TOPIC, args.org.as_str())]),
        bounded: true,
        known_epoch: log.highest_epoch(config.cluster.shards as u16).map_err(environment)?,
        incarnation,
        cluster: Cluster::alone(config.node.name.as_str(), incarnation),
    };
    let args = node_args(parts).await.map_err(environment)?;
    let waiting = args.rollups.as_ref().map(|rollups| rollups.waiting.subscribe());
    let mut node = Node::start(args).await.map_err(environment)?;
    let fed = feed(&mut node, inputs, log, config).await?;
    roll_up(&mut node, waiting).await?;
    let status = node.drain().await.map_err(environment)?;
    let totals = Totals { fed, elapsed: started.elapsed(), node_cpu: self_cpu() };
    finish(store, &status, totals).await
}

async fn finish(store: &Store, status: &IngestStatus, totals: Totals) -> Result<Report, Failure> {
    let engine = store.engine().map(|engine| (process_cpu(engine.pid()), engine.rss_bytes()));
    let fingerprints = fingerprint::all(store).await.map_err(environment)?;
    Ok(Report::new(status, totals, engine, fingerprints))
}

fn prepare_dir(dir: &Path) -> Result<PathBuf, Failure> {
    let unusable = |e: std::io::Error| {
        Failure::environment(format!(
            "data folder {} can not be used: {e}; choose a folder this user can write to",
            dir.display()
        ))
    };
    std::fs::create_dir_all(dir).map_err(unusable)?;
    dir.canonicalize().map_err(unusable)
}

fn bend_of(args: &ReplayArgs) -> Bend {
    let delay = args.capability_delay.map(|d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
    Bend {
        shuffle: args.shuffle,
        duplicate: args.duplicate,
        capability_delay_ms: delay,
        capability_first: args.capability_precede_session,
    }
}

fn open_inputs(args: &ReplayArgs, bend: &Bend, dir: &Path) -> Result<Vec<Input>, Failure> {
    let bar = progress_bar(0, "reading");
    let mut inputs = Vec::with_capacity(args.files.len());
    for file in &args.files {
        let spool = dir.join("stdin.spool");
        let progress = &mut |bytes| bar.set_position(bytes);
        let input = Input::open(file, (&args.org, bend), &spool, progress);
        inputs.push(input.map_err(environment)?);
    }
    bar.finish_and_clear();
    Ok(inputs)
}

/// What went into the node.
#[derive(Clone, Debug, Default)]
struct Fed {
    /// Lines in the files.
    lines: u64,
    /// Deliveries made of them.
    deliveries: u64,
    /// Deliveries that an earlier run had applied.
    resumed: u64,
    bytes: u64,
}

/// One input on its way into the node.
struct Feeding<'a> {
    source: SourcePartition,
    values: Values<'a>,
    left: u64,
}

/// Feeds all inputs, one after the other as they are, or mixed when the order is bent.
async fn feed(
    node: &mut Node,
    inputs: &[Input],
    log: &LocalStateLog,
    config: &Config,
) -> Result<Fed, Failure> {
    let mut fed = Fed::default();
    let mut feeding = Vec::with_capacity(inputs.len());
    for input in inputs {
        let partition = log.source_number(&input.name).map_err(environment)?;
        let source = SourcePartition { topic: TOPIC.to_owned(), partition };
        fed.lines += input.lines;
        fed.deliveries += input.deliveries();
        fed.bytes += input.bytes;
        if feeding.iter().any(|other: &Feeding<'_>| other.source == source) {
            // The same input once more: what is applied of it, or under way, counts once.
            fed.resumed += input.deliveries();
            continue;
        }
        let applied = applied_by_all(log, &source, config.cluster.shards as u16);
        let from = applied.map_err(environment)?.unwrap_or(0);
        fed.resumed += from;
        node.intake.assign(source.clone(), from).map_err(environment)?;
        let values = input.values(from).map_err(environment)?;
        feeding.push(Feeding { source, values, left: input.deliveries() - from });
    }
    let bar = progress_bar(fed.deliveries, "replaying");
    bar.set_position(fed.resumed);
    let intake = node.intake.clone();
    let outcome = tokio::select! {
        outcome = deliver(feeding, &intake, inputs.iter().any(Input::is_bent), &bar) => match outcome {
            Ok(()) => Ok(()),
            // An ingest that has stopped did so because of something that says more.
            Err(stopped) => {
                let told = tokio::time::timeout(TOLD, node.failure()).await;
                Err(told.map_or(stopped, environment))
            }
        },
        failure = node.failure() => Err(environment(failure)),
    };
    bar.finish_and_clear();
    outcome.map(|()| fed)
}

async fn deliver(
    mut feeding: Vec<Feeding<'_>>,
    intake: &Intake,
    mixed: bool,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    // Which file comes next is drawn by what is left of each, so that all end together.
    let mut random = ChaCha8Rng::seed_from_u64(0);
    while let Some(next) = pick(&feeding, mixed, &mut random) {
        let input = &mut feeding[next];
        let records = if mixed { 64 } else { BATCH_RECORDS };
        let batch = read_batch(input, records).map_err(environment)?;
        let count = batch.records.len() as u64;
        input.left = if count == 0 { 0 } else { input.left.saturating_sub(count) };
        if count > 0 {
            intake.send(batch).await.map_err(environment)?;
            bar.inc(count);
        }
    }
    Ok(())
}

/// Computes the figures of every hour that the input has changed.
async fn roll_up(node: &mut Node, waiting: Option<Receiver<usize>>) -> Result<(), Failure> {
    let bar = progress_bar(0, "computing figures");
    let show = async {
        if let Some(mut waiting) = waiting {
            let mut most = 0;
            while waiting.changed().await.is_ok() {
                let left = *waiting.borrow_and_update();
                most = left.max(most);
                bar.set_length(most as u64);
                bar.set_position((most - left) as u64);
            }
        }
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        outcome = node.roll_up() => outcome,
        () = show => Ok(()),
    };
    bar.finish_and_clear();
    outcome.map_err(environment)
}

fn pick(feeding: &[Feeding<'_>], mixed: bool, random: &mut ChaCha8Rng) -> Option<usize> {
    if !mixed {
        return feeding.iter().position(|input| input.left > 0);
    }
    let total: u64 = feeding.iter().map(|input| input.left).sum();
    let mut draw = random.next_u64().checked_rem(total)?;
    feeding.iter().position(|input| {
        let here = draw < input.left;
        draw = draw.wrapping_sub(if here { 0 } else { input.left });
        here
    })
}

fn read_batch(input: &mut Feeding<'_>, records: usize) -> Result<RecordBatch, input::InputError> {
    // The batch stays in memory until all shards are done with it: no more room than it needs.
    let room = BATCH_BYTES.min(records << 10);
    let mut batch = RecordBatch {
        source: input.source.clone(),
        records: Vec::with_capacity(records),
        next_offset: input.values.position(),
        data: Vec::with_capacity(room + room / 8),
    };
    let mut value = Vec::new();
    while batch.records.len() < records && batch.data.len() < BATCH_BYTES {
        let offset = input.values.position();
        if !input.values.read(&mut value)? {
            break;
        }
        let start = batch.data.len();
        batch.data.extend_from_slice(&value);
        let value = Some(start..batch.data.len());
        batch.records.push(RecordEntry { offset, record_ts: None, value });
        batch.next_offset = offset + 1;
    }
    Ok(batch)
}

/// A bar on standard error; a spinner where the length is unknown.
pub(crate) fn progress_bar(length: u64, what: &'static str) -> ProgressBar {
    let bar = if length > 0 { ProgressBar::new(length) } else { ProgressBar::new_spinner() };
    let template = if length > 0 {
        "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}"
    } else {
        "{msg} {spinner} {bytes}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    // Work that is given up must not leave it in front of the error.
    bar.with_message(what).with_finish(ProgressFinish::AndClear)
}
