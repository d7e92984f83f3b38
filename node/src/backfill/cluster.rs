//! A backfill of a cluster whose state is in Kafka: this process reads the state log beside the nodes,
//! and hands what it finds to a running one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use naap_actors::ownership::Record;
use naap_actors::ports::{Clock, Heard, StateLog};
use naap_protocol::cluster::Request;
use naap_protocol::codec;
use naap_protocol::identity::EntityId;
use naap_protocol::state::SessionState;
use tokio::sync::mpsc;

use super::look::{BATCH, Found, look};
use super::report::Report;
use crate::cli::{BackfillAttributionArgs, Failure, environment, make_data_folder, open};
use crate::clock::SystemClock;
use crate::cluster;
use crate::config::Config;
use crate::kafka::KafkaStateLog;
use crate::replay::progress_bar;
use crate::store::Store;

/// How long sessions may take to store what they were told.
const PATIENCE: Duration = Duration::from_mins(2);
/// Evidence may be lost with a link or a shard that moves: when it is handed over again.
const AGAIN: Duration = Duration::from_secs(15);
/// Pause before the state log is looked at again: commit cycles take seconds.
const PAUSE: Duration = Duration::from_secs(1);

/// A folder of this run that ends with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the copy of the state log was not removed");
        }
    }
}

pub(super) async fn run(
    args: &BackfillAttributionArgs,
    config: &Config,
) -> Result<Report, Failure> {
    let store = open(&args.store, config, false).await?;
    let outcome = look_and_tell(args, config, &store).await;
    store.close().await.map_err(environment)?;
    outcome
}

async fn look_and_tell(
    args: &BackfillAttributionArgs,
    config: &Config,
    store: &Store,
) -> Result<Report, Failure> {
    // The node beside this process keeps its own copy in the data folder.
    let folder = Folder(config.node.data_dir.join(format!("backfill-{}", std::process::id())));
    make_data_folder(&folder.0)?;
    let (log, claims) = read(config, &folder).await?;
    let first = look(args, config, &log, store, false).await?;
    if !args.dry_run && first.report.changed > 0 {
        let started = Instant::now();
        tell(config, &first).await?;
        let mut open = first.report.changed;
        let mut unstored = sessions_of(&first);
        let mut told = Instant::now();
        while open > 0 || !unstored.is_empty() {
            if started.elapsed() > PATIENCE {
                return Err(Failure::check(format!(
                    "{} of {} sessions have not stored what they were told after {} s; see whether all \
                     shards are open (`naap cluster status`), then run it again: it goes on where it is",
                    open.max(unstored.len() as u64),
                    first.report.changed,
                    PATIENCE.as_secs()
                )));
            }
            tokio::time::sleep(PAUSE).await;
            if open == 0 {
                forget_stored(&mut unstored, &log, &claims)?;
                continue;
            }
            let rest = look(args, config, &log, store, false).await?;
            open = rest.report.changed;
            if open > 0 && told.elapsed() > AGAIN {
                tell(config, &rest).await?;
                told = Instant::now();
            }
        }
    }
    Ok(first.report)
}

/// The newest commit cycle of each shard whose rows are stored: epoch and number.
type Claims = Arc<Mutex<BTreeMap<u16, (u64, u64)>>>;

/// The sessions that evidence was found for.
fn sessions_of(found: &Found) -> BTreeSet<(u16, u128)> {
    let of_shards = found.evidence.iter();
    of_shards.flat_map(|(shard, all)| all.iter().map(|piece| (*shard, piece.session))).collect()
}

/// Takes out the sessions whose rows are stored: a commit cycle saves state, then rows, then its claim.
fn forget_stored(
    sessions: &mut BTreeSet<(u16, u128)>,
    log: &KafkaStateLog,
    claims: &Claims,
) -> Result<(), Failure> {
    let claims = claims.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for (shard, id) in sessions.clone() {
        let frame = log.entity(shard, EntityId(id)).map_err(environment)?;
        // Of one that has ended since, the mark came after its rows.
        let state = frame.as_deref().filter(|frame| codec::is::<SessionState>(frame));
        let state = state.map(codec::decode::<SessionState>).transpose().map_err(environment)?;
        let claimed = claims.get(&shard).copied().unwrap_or_default();
        if state.is_none_or(|state| {
            !state.owes_rows && (state.written.epoch, state.written.cycle) <= claimed
        }) {
            sessions.remove(&(shard, id));
        }
    }
    Ok(())
}

/// The state log, read to its end and followed from there on, and what is claimed in it.
async fn read(config: &Config, folder: &Folder) -> Result<(KafkaStateLog, Claims), Failure> {
    let boot = SystemClock.now().0.unsigned_abs();
    let log = KafkaStateLog::open(config, &folder.0, boot).await.map_err(environment)?;
    if log.is_empty() {
        return Err(Failure::environment(format!(
            "topic {} holds no state; check state_log.topic and kafka.bootstrap",
            config.state_log.topic.as_str()
        )));
    }
    let shards = config.cluster.shards as u16;
    let (told, mut caught_up) = mpsc::unbounded_channel();
    let claims = Claims::default();
    for shard in 0..shards {
        let (told, claims) = (told.clone(), Arc::clone(&claims));
        let hear = move |heard| {
            let outcome = match heard {
                Heard::Record(Record::Progress(_, claim)) => {
                    let mut claims = claims.lock().unwrap_or_else(PoisonError::into_inner);
                    let known = claims.entry(shard).or_default();
                    *known = (claim.epoch, claim.cycle).max(*known);
                    return;
                }
                Heard::Record(_) => return,
                Heard::CaughtUp => Ok(()),
                Heard::Failed(reason) => Err(reason),
            };
            // Nobody waits any more once all are read.
            drop(told.send(outcome));
        };
        log.follow(shard, Box::new(hear)).map_err(environment)?;
    }
    let bar = progress_bar(u64::from(shards), "reading the state log");
    for _ in 0..shards {
        match caught_up.recv().await {
            Some(Ok(())) => bar.inc(1),
            Some(Err(reason)) => return Err(Failure::environment(reason)),
            None => return Err(Failure::environment("the state log is no longer read")),
        }
    }
    bar.finish_and_clear();
    Ok((log, claims))
}

/// Hands what was found to the node of this configuration.
async fn tell(config: &Config, found: &Found) -> Result<(), Failure> {
    for (shard, evidence) in &found.evidence {
        for batch in evidence.chunks(BATCH) {
            let request = Request::Backfill { shard: *shard, evidence: batch.to_vec() };
            let answer = cluster::ask(config, &request).await.map_err(environment)?;
            if let Some(refusal) = answer.refusal {
                return Err(Failure::check(refusal));
            }
        }
    }
    Ok(())
}
