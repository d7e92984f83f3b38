//! The scheduled quality probe: has the checks of the stored data run, beside shard 0, and publishes
//! what they found as metrics (backlog 005).
//!
//! What a check is and how its result is stored is the business of [`QualityChecks`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, gauge, histogram};
use naap_protocol::time::Timestamp;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use ractor_cluster::RactorMessage;
use thiserror::Error;

use crate::names;
use crate::ports::Clock;

/// What a check came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Rows that contradict it.
    pub rows: u64,
    /// Its worst figure, if it has one.
    pub value: Option<f64>,
}

/// How bad a finding is; its number is the metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The check holds, informs or is waived.
    Fine = 0,
    /// To be looked at.
    Warn = 1,
    /// The check does not hold.
    Fail = 2,
}

/// The checks could not be run or their results not be stored.
#[derive(Clone, Debug, Error)]
#[error("{0}")]
pub struct ProbeError(pub String);

/// The outcome of [`QualityChecks::run`], later.
pub type Found<'a> = Pin<Box<dyn Future<Output = Result<Vec<Finding>, ProbeError>> + Send + 'a>>;

/// Runs the checks.
pub trait QualityChecks: fmt::Debug + Send + Sync {
    /// Runs every check of the probe as of `now` and stores the results.
    fn run(&self, now: Timestamp) -> Found<'_>;
}

/// How stored data is checked.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The checks.
    pub checks: Arc<dyn QualityChecks>,
    /// From one run to the next.
    pub interval: Duration,
}

/// Messages of the probe actor.
#[derive(Debug, RactorMessage)]
pub(crate) enum ProbeMsg {
    /// One second has passed.
    Tick,
    /// A run has ended.
    Done(Result<Vec<Finding>, ProbeError>),
}

/// What the probe actor needs.
#[derive(Debug)]
pub(crate) struct ProbeArgs {
    pub(crate) probe: Probe,
    pub(crate) clock: Arc<dyn Clock>,
}

struct ProbeActor;

struct State {
    args: ProbeArgs,
    /// Ticks until the next run.
    left: u64,
    /// Start of the run that is under way.
    started: Option<Instant>,
}

pub(crate) async fn spawn(
    args: ProbeArgs,
    supervisor: ActorCell,
) -> Result<ActorRef<ProbeMsg>, SpawnErr> {
    Actor::spawn_linked(None, ProbeActor, args, supervisor).await.map(|(probe, _)| probe)
}

impl Actor for ProbeActor {
    type Msg = ProbeMsg;
    type State = State;
    type Arguments = ProbeArgs;

    async fn pre_start(
        &self,
        _myself: ActorRef<ProbeMsg>,
        args: ProbeArgs,
    ) -> Result<State, ActorProcessingErr> {
        let left = args.probe.interval.as_secs();
        Ok(State { args, left, started: None })
    }

    async fn handle(
        &self,
        myself: ActorRef<ProbeMsg>,
        message: ProbeMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ProbeMsg::Tick => state.tick(&myself),
            ProbeMsg::Done(outcome) => state.done(outcome),
        }
        Ok(())
    }
}

impl State {
    /// Starts a run when one is due and none is under way.
    fn tick(&mut self, myself: &ActorRef<ProbeMsg>) {
        self.left = self.left.saturating_sub(1);
        if self.left > 0 || self.started.is_some() {
            return;
        }
        self.left = self.args.probe.interval.as_secs();
        self.started = Some(Instant::now());
        let (checks, now) = (self.args.probe.checks.clone(), self.args.clock.now());
        let myself = myself.clone();
        tokio::spawn(async move {
            let outcome = checks.run(now).await;
            // An actor that has stopped needs no outcome.
            drop(myself.cast(ProbeMsg::Done(outcome)));
        });
    }

    fn done(&mut self, outcome: Result<Vec<Finding>, ProbeError>) {
        if let Some(started) = self.started.take() {
            histogram!(names::DQ_SECONDS).record(started.elapsed().as_secs_f64());
        }
        match outcome {
            Ok(findings) => {
                counter!(names::DQ_RUNS, "outcome" => "finished").increment(1);
                gauge!(names::DQ_LAST_RUN).set(self.args.clock.now().0 as f64 / 1e3);
                findings.iter().for_each(publish);
            }
            Err(error) => {
                counter!(names::DQ_RUNS, "outcome" => "failed").increment(1);
                tracing::warn!(%error, "the stored data could not be checked; the next run tries again");
            }
        }
    }
}

fn publish(finding: &Finding) {
    let check = finding.check;
    gauge!(names::DQ_VERDICT, "check" => check).set(f64::from(finding.severity as u8));
    gauge!(names::DQ_ROWS, "check" => check).set(finding.rows as f64);
    if let Some(value) = finding.value {
        gauge!(names::DQ_VALUE, "check" => check).set(value);
    }
    if finding.severity == Severity::Fail {
        tracing::warn!(check, rows = finding.rows, "a check of the stored data does not hold");
    }
}
