//! The commit cycle of a node (design.md, data path): snapshots, rows, claims, in this order.
//!
//! A crash between any two steps repeats work and loses none: state without rows is repeated when
//! its input is delivered again, rows without a claim are overwritten by equal ones.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use naap_protocol::state::Progress;
use ractor::ActorRef;
use thiserror::Error;

use crate::clocks::ClockSigns;
use crate::ports::{StateLog, StateLogError, StateRecord};
use crate::rollup::Marks;
use crate::shard::{ShardCommit, ShardCounts, ShardMsg, Traffic};
use crate::sink::{SinkGone, Sinks};

/// A shard that takes part in a cycle.
#[derive(Clone, Debug)]
pub struct Part {
    /// The shard.
    pub shard: u16,
    /// Its opening.
    pub epoch: u64,
    /// Its actor.
    pub actor: ActorRef<ShardMsg>,
}

/// A claim that a cycle has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The shard.
    pub shard: u16,
    /// The opening that claims.
    pub epoch: u64,
    /// The shard's commit cycle.
    pub cycle: u64,
}

/// State is appended in pieces of about this size, bytes.
const APPEND: usize = 1 << 20;

/// What a cycle made durable.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// What it has claimed. A shard that was stopped meanwhile claims nothing.
    pub claims: Vec<Claim>,
    /// Every shard of the cluster took part.
    pub whole: bool,
    /// Slices whose figures are older than the rows of some shard.
    pub dirty: Vec<Marks>,
    /// Counts of all shards since the last cycle.
    pub counts: ShardCounts,
    /// Evidence that travels between the shards.
    pub traffic: Traffic,
    /// Ticks that the longest wait for evidence has lasted.
    pub oldest_wait: u64,
    /// What was heard of clocks.
    pub signs: ClockSigns,
    /// State records written.
    pub records: u64,
    /// How long the cycle took.
    pub took: Duration,
}

/// Why a cycle was given up. Nothing of it was acknowledged.
#[derive(Debug, Error)]
pub enum CommitError {
    /// Rows can not be stored.
    #[error(transparent)]
    Sink(#[from] SinkGone),
    /// State can not be stored.
    #[error(transparent)]
    Log(#[from] StateLogError),
    /// The task that writes the log was ended.
    #[error("the state log writer was ended")]
    WriterEnded,
}

/// Runs one cycle over the open shards of the node. `flush` ends every wait for evidence that may still
/// come. A shard that stops on the way is left out: one that has failed ends the node by itself, one
/// that another node has opened may claim nothing.
///
/// # Errors
/// When a sink or the state log fails.
pub async fn run_cycle(
    parts: Vec<Part>,
    sinks: &Sinks,
    log: &Arc<dyn StateLog>,
    flush: bool,
) -> Result<Committed, CommitError> {
    let started = Instant::now();
    let mut outcome = Committed::default();
    let all = parts.len();
    let claims = save_state(parts, log, flush, &mut outcome).await?;
    outcome.whole = claims.len() == all;
    let state = started.elapsed();
    sinks.flush().await?;
    let rows = started.elapsed();
    let claim = |(shard, progress): &(u16, Progress)| Claim {
        shard: *shard,
        epoch: progress.epoch,
        cycle: progress.cycle,
    };
    outcome.dirty = dirty_slices(&claims);
    outcome.claims = claims.iter().map(claim).collect();
    let record = |(shard, progress): (u16, Progress)| StateRecord::Progress {
        shard,
        epoch: progress.epoch,
        progress,
    };
    append(log, claims.into_iter().map(record).collect()).await?;
    outcome.took = started.elapsed();
    tracing::debug!(shards = all, ?state, ?rows, took = ?outcome.took, "a commit cycle is durable");
    Ok(outcome)
}

/// Saves the state of the shards, and has each hand its rows over once its state is safe: rows of a
/// state that never comes back could not be taken back. Only a few shards are held in memory at a
/// time.
async fn save_state(
    parts: Vec<Part>,
    log: &Arc<dyn StateLog>,
    flush: bool,
    outcome: &mut Committed,
) -> Result<Vec<(u16, Progress)>, CommitError> {
    let mut claims = Vec::with_capacity(parts.len());
    let (mut unsaved, mut bytes, mut first) = (Vec::new(), 0, 0);
    for (number, Part { shard, actor, .. }) in parts.iter().enumerate() {
        let Ok(commit) = ractor::call!(actor, ShardMsg::Commit, flush) else { continue };
        let ShardCommit { records, progress, counts, traffic, oldest_wait, signs } = commit;
        outcome.records += records.len() as u64;
        outcome.counts.add(counts);
        outcome.traffic.add(traffic);
        outcome.oldest_wait = outcome.oldest_wait.max(oldest_wait);
        outcome.signs.merge(signs);
        claims.push((*shard, progress));
        bytes += records.iter().map(StateRecord::size).sum::<usize>();
        unsaved.extend(records);
        if bytes >= APPEND {
            append(log, std::mem::take(&mut unsaved)).await?;
            hand_over(&parts, first..number + 1).await;
            (bytes, first) = (0, number + 1);
        }
    }
    append(log, unsaved).await?;
    hand_over(&parts, first..parts.len()).await;
    Ok(claims)
}

/// The state of these shards is safe: has them hand over their rows.
async fn hand_over(parts: &[Part], numbers: Range<usize>) {
    for part in parts.get(numbers).into_iter().flatten() {
        // One that has stopped has no rows to hand over any more.
        drop(ractor::call!(part.actor, ShardMsg::Saved));
    }
}

async fn append(log: &Arc<dyn StateLog>, records: Vec<StateRecord>) -> Result<(), CommitError> {
    if records.is_empty() {
        return Ok(());
    }
    let log = Arc::clone(log);
    let write = move || log.append(records);
    Ok(tokio::task::spawn_blocking(write).await.map_err(|_| CommitError::WriterEnded)??)
}

/// What each shard names as dirty.
fn dirty_slices(claims: &[(u16, Progress)]) -> Vec<Marks> {
    let claims = claims.iter().filter(|(_, claim)| !claim.dirty.is_empty());
    let marks = |(shard, claim): &(u16, Progress)| Marks {
        shard: *shard,
        epoch: claim.epoch,
        dirty: claim.dirty.clone(),
    };
    claims.map(marks).collect()
}
