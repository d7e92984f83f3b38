//! The actor around the schedule: marks in, one computation at a time, answers out.

use std::sync::Arc;
use std::time::Instant;

use naap_protocol::time::Timestamp;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr};
use ractor_cluster::RactorMessage;

use super::{Marks, Recompute, RollupError, Rollups, Schedule};
use crate::names;
use crate::ports::Clock;
use crate::region::RegionMsg;
use crate::shard::SEQUENCE_BITS;

/// Time until slices are tried again that could not be computed, ms.
const RETRY_MS: i64 = 5_000;

/// Messages of the rollup actor.
#[derive(Debug, RactorMessage)]
pub enum RollupMsg {
    /// What shards name as dirty.
    Dirty(Vec<Marks>),
    /// One second has passed.
    Tick,
    /// A computation has ended.
    Done(Result<(), RollupError>),
    /// Compute everything without waiting, then answer.
    Finish(RpcReplyPort<()>),
}

/// What a rollup actor needs.
#[derive(Debug)]
pub(crate) struct RollupArgs {
    pub(crate) rollups: Rollups,
    /// Epoch of shard 0.
    pub(crate) epoch: u64,
    pub(crate) region: ActorRef<RegionMsg>,
    pub(crate) clock: Arc<dyn Clock>,
}

struct RollupActor;

struct State {
    args: RollupArgs,
    schedule: Schedule,
    version: u64,
    started: Instant,
    size: usize,
    finishing: Vec<RpcReplyPort<()>>,
}

pub(crate) async fn spawn(
    args: RollupArgs,
    supervisor: ActorCell,
) -> Result<ActorRef<RollupMsg>, SpawnErr> {
    Actor::spawn_linked(None, RollupActor, args, supervisor).await.map(|(rollup, _)| rollup)
}

impl Actor for RollupActor {
    type Msg = RollupMsg;
    type State = State;
    type Arguments = RollupArgs;

    async fn pre_start(
        &self,
        _myself: ActorRef<RollupMsg>,
        args: RollupArgs,
    ) -> Result<State, ActorProcessingErr> {
        let schedule = Schedule::new(args.rollups.debounce, args.rollups.bounded);
        let version = args.epoch << SEQUENCE_BITS;
        let started = Instant::now();
        Ok(State { args, schedule, version, started, size: 0, finishing: Vec::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<RollupMsg>,
        message: RollupMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now = state.args.clock.now();
        match message {
            RollupMsg::Dirty(marks) => {
                let known = marks.into_iter().filter_map(|marks| state.schedule.mark(marks, now));
                let known: Vec<Marks> = known.collect();
                state.answer(known)?;
            }
            RollupMsg::Tick => {}
            RollupMsg::Done(outcome) => state.done(outcome, now)?,
            RollupMsg::Finish(reply) => state.finishing.push(reply),
        }
        state.start(&myself, now);
        state.publish(now);
        Ok(())
    }
}

impl State {
    fn answer(&self, answers: Vec<Marks>) -> Result<(), ActorProcessingErr> {
        for marks in answers {
            self.args.region.cast(RegionMsg::Settled(marks))?;
        }
        Ok(())
    }

    /// Starts the next computation, if one is due and none is under way.
    fn start(&mut self, myself: &ActorRef<RollupMsg>, now: Timestamp) {
        let everything = !self.finishing.is_empty();
        if let Some(slices) = self.schedule.next(now, everything) {
            self.version += 1;
            (self.started, self.size) = (Instant::now(), slices.hours.len());
            let work = Recompute { slices, version: self.version, now };
            let (store, myself) = (self.args.rollups.store.clone(), myself.clone());
            tokio::spawn(async move {
                let outcome = store.recompute(work).await;
                // An actor that has stopped needs no outcome.
                drop(myself.cast(RollupMsg::Done(outcome)));
            });
        } else if self.schedule.is_empty() {
            // Whoever asked may have given up.
            self.finishing.drain(..).for_each(|reply| drop(reply.send(())));
        }
    }

    fn done(
        &mut self,
        outcome: Result<(), RollupError>,
        now: Timestamp,
    ) -> Result<(), ActorProcessingErr> {
        let count = |outcome| {
            metrics::counter!(names::ROLLUP_SLICES, "outcome" => outcome)
                .increment(self.size as u64);
        };
        metrics::histogram!(names::ROLLUP_SECONDS).record(self.started.elapsed().as_secs_f64());
        match outcome {
            Ok(()) => {
                count("computed");
                let answers = self.schedule.done(now);
                self.answer(answers)
            }
            // Nobody would try again: the input has ended.
            Err(error) if self.args.rollups.bounded => {
                Err(format!("figures can not be computed: {error}").into())
            }
            Err(error) => {
                count("failed");
                tracing::warn!(%error, slices = self.size, "figures can not be computed; trying again");
                self.schedule.failed(Timestamp(now.0.saturating_add(RETRY_MS)));
                Ok(())
            }
        }
    }

    fn publish(&self, now: Timestamp) {
        let waiting = self.schedule.len();
        let lag = self.schedule.oldest().map_or(0, |oldest| now.millis_since(oldest).max(0));
        show(waiting, lag);
        self.args.rollups.waiting.send_replace(waiting);
    }
}

impl Drop for State {
    /// Figures are computed elsewhere now.
    fn drop(&mut self) {
        show(0, 0);
    }
}

fn show(waiting: usize, lag_ms: i64) {
    metrics::gauge!(names::ROLLUP_WAITING).set(waiting as f64);
    metrics::gauge!(names::ROLLUP_LAG).set(lag_ms as f64 / 1e3);
}
