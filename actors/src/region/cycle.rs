//! The commit cycle of the open shards, beside the region, and its end: when every claim that was
//! written has been read back.

use std::sync::Arc;

use naap_protocol::time::Timestamp;
use ractor::{ActorProcessingErr, ActorRef};

use super::slots::{Open, Shards};
use super::{RegionArgs, RegionMsg};
use crate::clocks::ClockWatch;
use crate::commit::{Claim, CommitError, Committed, Part, run_cycle};
use crate::ingest::IngestMsg;
use crate::names;
use crate::ports::{Clock, StateLog};
use crate::session::instruments::{Waiting, publish_clocks};
use crate::shard::ShardMsg;
use crate::sink::Sinks;

/// A cycle whose claims are written, or that was given up.
#[derive(Debug)]
pub struct Cycle {
    number: u64,
    ingest: ActorRef<IngestMsg>,
    outcome: Result<Committed, CommitError>,
}

/// The commit cycles of a node; one runs at a time.
pub(super) struct Cycles {
    log: Arc<dyn StateLog>,
    sinks: Sinks,
    clock: Arc<dyn Clock>,
    clocks: ClockWatch,
    /// Written, and not read back yet.
    pending: Option<(ActorRef<IngestMsg>, Committed)>,
}

impl Cycles {
    pub(super) fn new(args: &RegionArgs) -> Self {
        // There before the first of them, so that none at all can be noticed.
        metrics::counter!(names::COMMITS).increment(0);
        Self {
            log: Arc::clone(&args.log),
            sinks: args.sinks.clone(),
            clock: Arc::clone(&args.clock),
            clocks: ClockWatch::default(),
            pending: None,
        }
    }

    /// Begins a cycle, which runs beside the region.
    pub(super) fn begin(
        &self,
        region: &ActorRef<RegionMsg>,
        shards: &mut Shards,
        ingest: ActorRef<IngestMsg>,
        flush: bool,
    ) {
        let number = shards.begin_cycle();
        let part = |open: &Open| Part {
            shard: open.number,
            epoch: open.opening.epoch,
            actor: open.actor.clone(),
        };
        let (parts, whole) = (shards.to_commit().map(part).collect::<Vec<_>>(), shards.is_whole());
        let (sinks, log, region) = (self.sinks.clone(), Arc::clone(&self.log), region.clone());
        tokio::spawn(async move {
            let mut outcome = run_cycle(parts, &sinks, &log, flush).await;
            if let Ok(committed) = &mut outcome {
                committed.whole &= whole;
            }
            let cycle = Cycle { number, ingest, outcome };
            // A region that has stopped waits for nothing.
            drop(region.cast(RegionMsg::Written(Box::new(cycle))));
        });
    }

    /// The claims of a cycle are written: what it saved may sleep.
    pub(super) async fn written(
        &mut self,
        cycle: Cycle,
        shards: &mut Shards,
    ) -> Result<(), ActorProcessingErr> {
        let Cycle { number, ingest, outcome } = cycle;
        match outcome {
            Ok(mut committed) => {
                for claim in &committed.claims {
                    if let Some(actor) = shards.running_in(claim.shard, claim.epoch) {
                        // One that has failed is reported by its own supervision event.
                        drop(actor.cast(ShardMsg::Committed));
                    }
                }
                self.show_evidence(&mut committed);
                shards.name_dirty(std::mem::take(&mut committed.dirty));
                shards.end_cycle(number).await?;
                self.pending = Some((ingest, committed));
                self.claimed(shards);
            }
            Err(error) => drop(ingest.cast(IngestMsg::CommitDone(Err(error)))),
        }
        Ok(())
    }

    /// Ends the cycle when every claim of a shard that still runs was read back.
    pub(super) fn claimed(&mut self, shards: &Shards) {
        let Some((_, committed)) = &self.pending else { return };
        let mut open = shards.open();
        let owed = |open: &Open| {
            let of =
                |claim: &&Claim| (claim.shard, claim.epoch) == (open.number, open.opening.epoch);
            committed.claims.iter().find(of).is_some_and(|claim| claim.cycle > open.claimed)
        };
        if open.any(owed) {
            return;
        }
        if let Some((ingest, committed)) = self.pending.take() {
            metrics::counter!(names::COMMITS).increment(1);
            metrics::histogram!(names::COMMIT_SECONDS).record(committed.took.as_secs_f64());
            committed.counts.publish_rejects();
            // A stopped ingest does not wait for the outcome.
            drop(ingest.cast(IngestMsg::CommitDone(Ok(committed))));
        }
    }

    /// Shows what waits for evidence, and what was heard of clocks.
    fn show_evidence(&mut self, committed: &mut Committed) {
        let now = self.clock.now();
        let sessions = committed.traffic.owing as u64;
        // A tick is a second.
        let since = now.0.saturating_sub_unsigned(committed.oldest_wait * 1000);
        let oldest = (sessions > 0).then_some(Timestamp(since));
        Waiting { sessions, oldest }.publish(now);
        self.clocks.take(std::mem::take(&mut committed.signs));
        publish_clocks(&self.clocks.report(now));
    }
}
