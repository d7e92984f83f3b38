//! The commit cycle of a node (design.md, data path): snapshots, rows, claims, in this order.
//!
//! A crash between any two steps repeats work and loses none: state without rows is repeated when
//! its input is delivered again, rows without a claim are overwritten by equal ones.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use naap_protocol::state::{Progress, SourcePartition};
use ractor::ActorRef;
use thiserror::Error;

use crate::clocks::ClockSigns;
use crate::ports::{StateLog, StateLogError, StateRecord};
use crate::rollup::Marks;
use crate::shard::{ShardCommit, ShardCounts, ShardMsg, Traffic};
use crate::sink::{SinkGone, Sinks};

/// State is appended in pieces of about this size, bytes.
const APPEND: usize = 1 << 20;

/// What a cycle made durable.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// Per source partition the first offset that some shard has not applied durably.
    pub applied: BTreeMap<SourcePartition, u64>,
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
    /// A shard has stopped.
    #[error("shard {0} has stopped")]
    ShardGone(usize),
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

/// Runs one cycle over all shards of the node. `flush` ends every wait for evidence that may still
/// come.
///
/// # Errors
/// When a shard, a sink or the state log fails.
pub async fn run_cycle(
    shards: &[ActorRef<ShardMsg>],
    sinks: &Sinks,
    log: &Arc<dyn StateLog>,
    flush: bool,
) -> Result<Committed, CommitError> {
    let started = Instant::now();
    let mut outcome = Committed::default();
    let claims = save_state(shards, log, flush, &mut outcome).await?;
    sinks.flush().await?;
    outcome.applied = applied_everywhere(&claims);
    outcome.dirty = dirty_slices(&claims);
    let progress = claims.into_iter().enumerate();
    let records = progress
        .map(|(shard, progress)| StateRecord::Progress { shard: shard as u16, progress })
        .collect();
    append(log, records).await?;
    for (number, shard) in shards.iter().enumerate() {
        shard.cast(ShardMsg::Committed).map_err(|_| CommitError::ShardGone(number))?;
    }
    outcome.took = started.elapsed();
    Ok(outcome)
}

/// Saves the state of the shards, and has each hand its rows over once its state is safe: rows of a
/// state that never comes back could not be taken back. Only a few shards are held in memory at a
/// time.
async fn save_state(
    shards: &[ActorRef<ShardMsg>],
    log: &Arc<dyn StateLog>,
    flush: bool,
    outcome: &mut Committed,
) -> Result<Vec<Progress>, CommitError> {
    let mut claims = Vec::with_capacity(shards.len());
    let (mut unsaved, mut bytes, mut first) = (Vec::new(), 0, 0);
    for (number, shard) in shards.iter().enumerate() {
        let gone = |_| CommitError::ShardGone(number);
        let commit = ractor::call!(shard, ShardMsg::Commit, flush).map_err(gone)?;
        let ShardCommit { records, progress, counts, traffic, oldest_wait, signs } = commit;
        outcome.records += records.len() as u64;
        outcome.counts.add(counts);
        outcome.traffic.add(traffic);
        outcome.oldest_wait = outcome.oldest_wait.max(oldest_wait);
        outcome.signs.merge(signs);
        claims.push(progress);
        bytes += records.iter().map(StateRecord::size).sum::<usize>();
        unsaved.extend(records);
        if bytes >= APPEND || number + 1 == shards.len() {
            append(log, std::mem::take(&mut unsaved)).await?;
            hand_over(shards, first..=number).await?;
            (bytes, first) = (0, number + 1);
        }
    }
    Ok(claims)
}

/// The state of the shards `numbers` is safe: has them hand over their rows.
async fn hand_over(
    shards: &[ActorRef<ShardMsg>],
    numbers: RangeInclusive<usize>,
) -> Result<(), CommitError> {
    for number in numbers {
        let gone = |_| CommitError::ShardGone(number);
        ractor::call!(shards[number], ShardMsg::Saved).map_err(gone)?;
    }
    Ok(())
}

async fn append(log: &Arc<dyn StateLog>, records: Vec<StateRecord>) -> Result<(), CommitError> {
    if records.is_empty() {
        return Ok(());
    }
    let log = Arc::clone(log);
    let write = move || log.append(&mut std::iter::once(records));
    Ok(tokio::task::spawn_blocking(write).await.map_err(|_| CommitError::WriterEnded)??)
}

/// What each shard names as dirty.
fn dirty_slices(claims: &[Progress]) -> Vec<Marks> {
    let claims = claims.iter().enumerate().filter(|(_, claim)| !claim.dirty.is_empty());
    let marks = |(shard, claim): (usize, &Progress)| {
        let Progress { epoch, dirty, .. } = claim;
        Marks { shard: shard as u16, epoch: *epoch, dirty: dirty.clone() }
    };
    claims.map(marks).collect()
}

/// The lowest claim per partition; a partition that a shard knows nothing of is not claimed.
fn applied_everywhere(claims: &[Progress]) -> BTreeMap<SourcePartition, u64> {
    let mut lowest: BTreeMap<SourcePartition, (usize, u64)> = BTreeMap::new();
    for (source, &offset) in claims.iter().flat_map(|claim| &claim.applied) {
        let (shards, low) = lowest.entry(source.clone()).or_insert((0, u64::MAX));
        *shards += 1;
        *low = (*low).min(offset);
    }
    let everywhere = lowest.into_iter().filter(|(_, (shards, _))| *shards == claims.len());
    everywhere.map(|(source, (_, low))| (source, low)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_claim_counts_and_only_if_every_shard_has_one() {
        let source = |partition| SourcePartition { topic: "t".into(), partition };
        let claim = |pairs: &[(u32, u64)]| Progress {
            applied: pairs.iter().map(|&(p, o)| (source(p), o)).collect(),
            ..Progress::default()
        };
        let claims = [claim(&[(0, 5), (1, 9)]), claim(&[(0, 3)])];
        assert_eq!(applied_everywhere(&claims), BTreeMap::from([(source(0), 3)]));
        assert!(applied_everywhere(&[]).is_empty());
    }
}
