//! `naap run`: the service. Starts everything in order, starts the actors again when they fail, and
//! stops in order.

mod boot;
mod lines;
mod restarts;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use naap_actors::agent::AgentMsg;
use naap_actors::exchange::Inbox;
use naap_actors::ingest::{Intake, Rereads};
use naap_actors::peers::PeerMsg;
use naap_actors::ports::Clock;
use naap_actors::region::RegionMsg;
use naap_actors::supervisor::{Cluster, Node};
use naap_protocol::org::OrgMap;
use naap_protocol::state::SourcePartition;
use ractor::ActorRef;
use tokio::sync::mpsc;

use crate::cli::{Failure, Global, RunArgs, environment, make_data_folder};
use crate::clock::SystemClock;
use crate::cluster::Cluster as Links;
use crate::config::{Config, InputSource};
use crate::http::{self, Api, Reading};
use crate::kafka::{Applied, KafkaSource, RejectTopics, Wanted};
use crate::logging;
use crate::node::{NodeParts, node_args};
use crate::stop::StopSignals;
use crate::store::{Store, schema};
use crate::telemetry;

use boot::{Before, Boot, Log};
use lines::lines;
use restarts::{RESTARTS, Restarts};

/// The topic that standard input stands for.
const STDIN: &str = "stdin";

/// Runs the command.
///
/// # Errors
/// When the configuration or the environment is unusable, or the node fails for good.
pub fn run(args: &RunArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load(args.flags())?.config;
    let unreadable = crate::config::unreadable(&config);
    if !unreadable.is_empty() {
        return Err(Failure::environment(unreadable.join("; ")));
    }
    logging::start(&config.telemetry).map_err(Failure::environment)?;
    let runtime = tokio::runtime::Runtime::new().map_err(environment)?;
    let outcome = runtime.block_on(serve(&config));
    // A read of standard input or a write that hangs must not keep the process.
    runtime.shutdown_background();
    outcome
}

/// How a life of the node ended.
enum End {
    /// It was asked to stop, or its input ended.
    Stopped,
    /// It failed and can be started again.
    Failed(String),
}

/// Serves until the node has ended in order, or a second signal ends it at once.
async fn serve(config: &Config) -> Result<(), Failure> {
    let stop = StopSignals::listen().map_err(environment)?;
    tokio::select! {
        outcome = lives(config, &stop) => outcome,
        () = stop.second() => Err(Failure::environment(format!(
            "a second signal ended the node before its drain did; {}",
            remedy(config)
        ))),
    }
}

/// What becomes of input that was taken and is not durable.
fn remedy(config: &Config) -> &'static str {
    match config.ingest.source {
        InputSource::Kafka => "what is not durable is read again at the next start",
        InputSource::Embedded => {
            "standard input can not be read again: give what is not durable to the next start"
        }
    }
}

/// Starts the node, and again after failures, until it is asked to stop or its input ends. Each life is a boot
/// of its own: in between the node is no member, and others take its shards over.
async fn lives(config: &Config, stop: &StopSignals) -> Result<(), Failure> {
    let dir = config.node.data_dir.as_path();
    make_data_folder(dir)?;
    let mut left = Before::default();
    let mut first = Some(Boot::begin(config, dir, &left).await?);
    let mut store = open_store(config, dir).await?;
    let is_up = Arc::new(AtomicBool::new(false));
    let mut reading = None;
    if config.http.enabled {
        let api = Api::new(&store, config, is_up.clone(), telemetry::metrics());
        reading = Some(api.reading());
        http::start(api, config.http.listen.as_str().to_owned());
    }
    // A counter that nobody has seen at 0 has no increase.
    metrics::counter!(RESTARTS).absolute(0);
    let mut restarts = Restarts::new(config);
    let outcome = loop {
        let started = Instant::now();
        let is_first = first.is_some();
        let boot = if let Some(boot) = first.take() {
            Ok(boot)
        } else {
            tokio::select! {
                boot = again(config, dir, &left, (&mut store, reading.as_ref())) => boot,
                _ = stop.first() => break Ok(()),
            }
        };
        let linked = match boot {
            Ok(mut boot) => {
                left = boot.left();
                boot.link(config).await.map(|links| (boot, links))
            }
            Err(failure) => Err(failure),
        };
        let end = match linked {
            Ok((boot, links)) => life(config, &boot, links, (&store, &is_up), stop).await,
            // What can not be used at the start is for people; later it may mend itself.
            Err(failure) if is_first => Err(failure),
            Err(failure) => Ok(End::Failed(failure.to_string())),
        };
        match end {
            Ok(End::Stopped) => break Ok(()),
            Ok(End::Failed(reason)) => match restarts.next(started.elapsed()) {
                Some(delay) => {
                    metrics::counter!(RESTARTS).increment(1);
                    tracing::error!(reason, ?delay, "the node failed and starts again");
                    tokio::select! {
                        () = tokio::time::sleep(delay) => {}
                        _ = stop.first() => break Ok(()),
                    }
                }
                None => break Err(Failure::environment(reason)),
            },
            Err(failure) => break Err(failure),
        }
    };
    store.close().await.map_err(environment)?;
    outcome
}

/// The boot after `left`. An engine that has ended starts again before it: no life begins without one. The files
/// of a server are read anew: its password or certificate may have changed, which would end life after life. It
/// need not answer now, as whoever writes waits for it.
async fn again(
    config: &Config,
    dir: &Path,
    left: &Before,
    (store, reading): (&mut Store, Option<&Reading>),
) -> Result<Boot, Failure> {
    if let Some(url) = &config.clickhouse.url {
        *store = Store::server(url.as_str(), &config.clickhouse).map_err(environment)?;
        if let Some(reading) = reading {
            reading.replace(store);
        }
    } else {
        store.reopen().await.map_err(environment)?;
    }
    Boot::begin(config, dir, left).await
}

/// One life of the node. Whatever ends it, the others are told.
async fn life(
    config: &Config,
    boot: &Boot,
    links: Option<Links>,
    (store, is_up): (&Store, &AtomicBool),
    stop: &StopSignals,
) -> Result<End, Failure> {
    let Boot { log, incarnation, .. } = boot;
    let around = Around { log, incarnation: *incarnation, store, links: links.as_ref(), is_up };
    let end = tokio::select! {
        end = live(config, around, stop) => end,
        reason = failed(links.as_ref()) => Err(Failure::environment(reason)),
    };
    is_up.store(false, Ordering::Relaxed);
    if let Some(links) = links {
        links.leave().await;
    }
    end
}

/// Returns the reason when the links have failed; never where there are none.
async fn failed(links: Option<&Links>) -> String {
    match links {
        Some(links) => links.failure().await,
        None => std::future::pending().await,
    }
}

/// What stays from one life of the node to the next.
#[derive(Clone, Copy)]
struct Around<'a> {
    log: &'a Log,
    incarnation: u64,
    store: &'a Store,
    links: Option<&'a Links>,
    /// True while the node serves its input.
    is_up: &'a AtomicBool,
}

impl Around<'_> {
    /// The other nodes, as the actor tree sees them.
    fn cluster(self, config: &Config, rereads: Option<Rereads>) -> Cluster {
        let alone = Cluster::alone(config.node.name.as_str(), self.incarnation);
        let hand_off = matches!(self.log, Log::Kafka(_));
        match self.links {
            Some(links) => Cluster {
                peers: links.peers(),
                members: links.members(),
                rereads,
                hand_off,
                // The rest of the time is for what comes after it.
                heir_patience: config.cluster.drain_timeout / 4,
            },
            None => Cluster { rereads, hand_off, ..alone },
        }
    }

    /// Whoever asks whether the node is ready hears that it no longer is.
    fn end_service(self) {
        self.is_up.store(false, Ordering::Relaxed);
    }

    /// Other nodes learn that this one gives its shards away.
    fn begin_drain(self) {
        if let Some(links) = self.links {
            // Links that have failed are found out by the others.
            drop(links.agent().cast(AgentMsg::Drain));
        }
    }
}

/// Hands what other nodes say to the region.
#[derive(Debug)]
struct RegionInbox(ActorRef<RegionMsg>);

impl Inbox for RegionInbox {
    fn linked(&self, node: &Arc<str>) {
        // A region that has stopped is started again with the tree.
        drop(self.0.cast(RegionMsg::Linked(Arc::clone(node))));
    }

    fn take(&self, node: &Arc<str>, message: PeerMsg) {
        drop(self.0.cast(RegionMsg::FromPeer(Arc::clone(node), message)));
    }
}

/// The store, with its tables in place.
pub(crate) async fn open_store(config: &Config, dir: &Path) -> Result<Store, Failure> {
    let settings = &config.clickhouse;
    let database = settings.database.as_str();
    if let Some(url) = &settings.url {
        let store = Store::server(url.as_str(), settings).map_err(environment)?;
        store.ask(url.as_str()).await.map_err(environment)?;
        let differences = schema::check(&store).await.map_err(environment)?;
        return match differences.first() {
            None => {
                let checked = store.check_reader(config.http.request_timeout).await;
                checked.map(|()| store).map_err(environment)
            }
            Some(first) => Err(Failure::environment(format!(
                "the tables of {} are not those of this build ({first}); run `naap schema apply --url {}`",
                url.as_str(),
                url.as_str()
            ))),
        };
    }
    let lib = settings.engine_lib.as_deref();
    let store = Store::embedded(dir, database, lib, settings.engine_memory.0).await;
    let store = store.map_err(environment)?;
    schema::apply(&store).await.map_err(environment)?;
    Ok(store)
}

/// One life of the actor tree.
async fn live(config: &Config, around: Around<'_>, stop: &StopSignals) -> Result<End, Failure> {
    let Around { log, incarnation, store, links, is_up } = around;
    let topics = config.ingest.topics.iter().map(|t| (t.name.as_str(), t.org.as_str()));
    let rejects = match config.ingest.source {
        InputSource::Kafka => RejectTopics::connect(config, config.node.name.as_str()).await,
        InputSource::Embedded => Ok(None),
    };
    let rejects = match rejects {
        Ok(rejects) => rejects,
        Err(error) => return Ok(End::Failed(error.to_string())),
    };
    let name = config.node.name.as_str();
    let (rereads, wanted) = mpsc::unbounded_channel();
    let rereads = (config.ingest.source == InputSource::Kafka).then_some(rereads);
    let cluster = around.cluster(config, rereads);
    let parts = NodeParts {
        config,
        log: log.shared(),
        store,
        rejects,
        clock: Arc::new(SystemClock),
        orgs: match config.ingest.source {
            InputSource::Kafka => OrgMap::new(topics),
            // Standard input has no topic of its own: it stands for the first one.
            InputSource::Embedded => OrgMap::new(topics.take(1).map(|(_, org)| (STDIN, org))),
        },
        bounded: false,
        known_epoch: log.known_epoch(config.cluster.shards as u16).map_err(environment)?,
        incarnation,
        cluster,
    };
    let args = match node_args(parts).await {
        Ok(args) => args,
        Err(error) => return Ok(End::Failed(error.to_string())),
    };
    let mut node = match Node::start(args).await {
        Ok(node) => node,
        Err(failure) => return Ok(End::Failed(failure.to_string())),
    };
    if let Some(links) = links {
        links.attach(Arc::new(RegionInbox(node.region.clone())));
        links.serve(node.region.clone());
    }
    is_up.store(true, Ordering::Relaxed);
    tracing::info!(node = name, "the node is up");
    let end = match config.ingest.source {
        InputSource::Kafka => from_kafka(config, around, &mut node, wanted, stop).await,
        InputSource::Embedded => from_stdin(config, store, &mut node, stop).await,
    };
    around.end_service();
    let end = match end {
        Ok(End::Stopped) => roll_up(config, store, &mut node, stop).await,
        other => other,
    };
    match end {
        Ok(End::Stopped) => drain(config, store, node, stop).await,
        other => {
            node.stop().await;
            other
        }
    }
}

/// Computes all figures when the input has ended; a node that is asked to stop leaves them to the next
/// start.
async fn roll_up(
    config: &Config,
    store: &Store,
    node: &mut Node,
    stop: &StopSignals,
) -> Result<End, Failure> {
    if config.ingest.source == InputSource::Kafka {
        return Ok(End::Stopped);
    }
    let outcome = tokio::select! {
        biased;
        _ = stop.first() => return Ok(End::Stopped),
        lost = store.lost() => return Err(cut_short(config, &lost, &node.intake, &node.applied)),
        outcome = node.roll_up() => outcome,
    };
    Ok(match outcome {
        Ok(()) => End::Stopped,
        Err(failure) => End::Failed(failure.to_string()),
    })
}

/// Makes everything durable that was taken. Once the node is asked to stop, that has a deadline.
async fn drain(
    config: &Config,
    store: &Store,
    node: Node,
    stop: &StopSignals,
) -> Result<End, Failure> {
    let longest = config.cluster.drain_timeout;
    let (intake, applied) = (node.intake.clone(), node.applied.clone());
    let deadline = async { tokio::time::sleep_until(stop.first().await + longest).await };
    tokio::select! {
        status = node.drain() => {
            let status = status.map_err(environment)?;
            let records = status.records.read;
            tracing::info!(records, commits = status.commits, "drained and stopped");
            Ok(End::Stopped)
        }
        lost = store.lost() => Err(cut_short(config, &lost, &intake, &applied)),
        () = deadline => {
            let longest = longest.as_millis();
            let what = format!("the drain did not end within cluster.drain_timeout = {longest}ms");
            Err(cut_short(config, &what, &intake, &applied))
        }
    }
}

/// `what` ended the node before everything was durable that it had taken.
fn cut_short(
    config: &Config,
    what: &dyn std::fmt::Display,
    intake: &Intake,
    applied: &Applied,
) -> Failure {
    let pending = intake.pending(&applied.borrow());
    Failure::environment(format!("{what}; {}; {}", undurable(&pending), remedy(config)))
}

/// What is not durable, as part of a sentence.
fn undurable(pending: &[(SourcePartition, Range<u64>)]) -> String {
    if pending.is_empty() {
        return "everything that was read is durable".to_owned();
    }
    let range = |(source, offsets): &(SourcePartition, Range<u64>)| {
        let (from, to) = (offsets.start, offsets.end.saturating_sub(1));
        if source.topic == STDIN {
            return format!("lines {} to {} of standard input", from + 1, offsets.end);
        }
        format!("{}/{} offsets {from} to {to}", source.topic, source.partition)
    };
    let ranges: Vec<_> = pending.iter().map(range).collect();
    format!("not durable are {}", ranges.join(", "))
}

async fn from_kafka(
    config: &Config,
    around: Around<'_>,
    node: &mut Node,
    rereads: Wanted,
    stop: &StopSignals,
) -> Result<End, Failure> {
    let start = around.log.start_offset(config.cluster.shards as u16, node);
    let (name, intake) = (config.node.name.as_str(), node.intake.clone());
    let source =
        KafkaSource::start(config, name, intake, node.applied.clone(), start, rereads).await;
    let mut source = match source {
        Ok(source) => source,
        Err(error) => return Ok(End::Failed(error.to_string())),
    };
    tokio::select! {
        _ = stop.first() => {
            around.end_service();
            tracing::info!("asked to stop: giving back partitions");
            around.begin_drain();
            source.stop().await.map_err(environment)?;
            Ok(End::Stopped)
        }
        error = source.failed() => Ok(End::Failed(error.to_string())),
        lost = around.store.lost() => Ok(End::Failed(lost.to_string())),
        failure = node.failure() => Ok(End::Failed(failure.to_string())),
    }
}

/// Standard input as a live source: one event a line until it ends.
async fn from_stdin(
    config: &Config,
    store: &Store,
    node: &mut Node,
    stop: &StopSignals,
) -> Result<End, Failure> {
    // What was read once can not be read again, so every life is a source of its own.
    let now = SystemClock.now().0.unsigned_abs();
    let source = SourcePartition { topic: STDIN.to_owned(), partition: (now / 1000) as u32 };
    let intake = node.intake.clone();
    intake.assign(source.clone(), 0).map_err(environment)?;
    tokio::select! {
        outcome = lines(source, &intake) => outcome.map(|()| End::Stopped),
        _ = stop.first() => Ok(End::Stopped),
        lost = store.lost() => Err(cut_short(config, &lost, &node.intake, &node.applied)),
        failure = node.failure() => Err(environment(format!(
            "{failure}; standard input can not be read again, so events since the last commit are lost"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_durable_is_named_by_its_place() {
        let source = |topic: &str, partition| SourcePartition { topic: topic.into(), partition };
        let pending = [(source("in", 3), 5..9), (source(STDIN, 7), 0..2)];
        let expected = "not durable are in/3 offsets 5 to 8, lines 1 to 2 of standard input";
        assert_eq!(undurable(&pending), expected);
        assert_eq!(undurable(&[]), "everything that was read is durable");
    }
}
