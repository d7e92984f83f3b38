//! What the sessions of a shard ask and learn (lifecycle 7.11, backlog 023, 024).

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use naap_protocol::capability::evidence::{Evidence, Question};
use naap_protocol::codec;
use naap_protocol::identity::{EntityId, EntityKey};
use naap_protocol::state::{Progress, SessionState};

use super::core::{ShardCore, ShardError};
use super::entities::Due;
use crate::session::SessionActor;
use crate::session::tally::Cause;

/// The stored session that `frame` holds.
pub(super) fn wake(
    frame: &[u8],
    epoch: u64,
    retention_ms: Option<i64>,
) -> Result<(Box<SessionActor>, Due), ShardError> {
    let mut session = Box::new(SessionActor::restore(frame)?);
    recall(&mut session, retention_ms);
    let repeat = session.enter(epoch) || session.state().owes_rows;
    Ok((session, if repeat { Due::Rows } else { Due::Nothing }))
}

/// A session that can not be folded is left to the next write, which counts the panic.
fn recall(session: &mut SessionActor, retention_ms: Option<i64>) {
    drop(catch_unwind(AssertUnwindSafe(|| session.recall(retention_ms))));
}

impl ShardCore {
    /// The questions of the sessions that events or answers have made curious.
    pub fn questions(&mut self) -> Vec<Question> {
        let (shard, retention) = (self.shard, self.options.retention_ms);
        let mut questions = Vec::new();
        for id in std::mem::take(&mut self.curious) {
            // A session that has gone to sleep has asked before.
            let Some(session) = self.sessions.awake(id) else { continue };
            questions.extend(session.questions((id, shard), retention));
        }
        questions
    }

    /// Orchestrators of the shards `of` have forgotten who asked them, or may not have heard it: what
    /// the sessions want to know of them. `shards` is the number of shards of the cluster.
    ///
    /// # Errors
    /// When the state log fails or a state is malformed.
    pub fn ask_again(
        &mut self,
        of: &BTreeSet<u16>,
        shards: u16,
    ) -> Result<Vec<Question>, ShardError> {
        let Self { sessions, log, shard, .. } = self;
        let mut questions = Vec::new();
        let mut failure = None;
        log.entities(*shard, &mut |id, frame| {
            if failure.is_some() || !codec::is::<SessionState>(frame) {
                return;
            }
            if sessions.awake(id.0).is_some() {
                return;
            }
            match SessionActor::restore(frame) {
                Ok(mut session) => questions.extend(session.ask((id.0, *shard))),
                Err(e) => failure = Some(e.into()),
            }
        })?;
        for (id, session) in sessions.iter_mut() {
            questions.extend(session.ask_anew((id, *shard)));
        }
        questions.retain(|question| {
            of.contains(&EntityKey::orchestrator(&question.org, &question.key).shard(shards))
        });
        failure.map_or(Ok(questions), Err)
    }

    /// Takes in what an orchestrator, or a backfill, says about a session; nothing for a session that is not
    /// known or over.
    ///
    /// # Errors
    /// When the state log fails or a state is malformed.
    pub fn learn(&mut self, evidence: Evidence, cause: Cause) -> Result<(), ShardError> {
        let Self { sessions, log, shard, progress, curious, options, .. } = self;
        let id = evidence.session;
        if sessions.awake(id).is_none() {
            let frame = log.entity(*shard, EntityId(id))?;
            let Some(frame) = frame.filter(|frame| codec::is::<SessionState>(frame)) else {
                return Ok(());
            };
            let (session, due) = wake(&frame, progress.epoch, options.retention_ms)?;
            // Rows that are repeated with the evidence are part of the storm that it may be.
            let due = if session.state().owes_rows { due } else { due.min(Due::Correction) };
            sessions.get_or_wake(id, || Ok::<_, ShardError>((session, due)))?;
        }
        if sessions.awake(id).is_some_and(|session| session.learn(evidence, cause)) {
            sessions.touch(id, Due::Correction);
            curious.push(id);
        }
        Ok(())
    }

    /// After the shard was opened: wakes the sessions whose rows may not be stored and returns what
    /// all sessions want to know. `claim` is what the shard claimed last; rows of a later cycle may
    /// be lost.
    ///
    /// # Errors
    /// When the state log fails or a state is malformed.
    pub fn resume(&mut self, claim: &Progress) -> Result<Vec<Question>, ShardError> {
        let Self { sessions, log, shard, progress, meters, options, calendar, .. } = self;
        let mut questions = Vec::new();
        let mut failure = None;
        log.entities(*shard, &mut |id, frame| {
            if failure.is_some() {
                return;
            }
            if !codec::is::<SessionState>(frame) {
                match calendar.found(id.0, frame, options.lasting_ms()) {
                    Ok(()) => meters.kept(frame),
                    Err(e) => failure = Some(e),
                }
                return;
            }
            match SessionActor::restore(frame) {
                Ok(mut session) => {
                    meters.found(&session);
                    if let Some(lasting_ms) = options.lasting_ms() {
                        calendar.insert(id.0, session.state().due(lasting_ms));
                    }
                    questions.extend(session.ask((id.0, *shard)));
                    let written = &session.state().written;
                    let lost = (written.epoch, written.cycle) > (claim.epoch, claim.cycle);
                    if lost || session.state().owes_rows {
                        recall(&mut session, options.retention_ms);
                        session.enter(progress.epoch);
                        let woken = || Ok::<_, ShardError>((Box::new(session), Due::Rows));
                        failure = sessions.get_or_wake(id.0, woken).err();
                    }
                }
                Err(e) => failure = Some(e.into()),
            }
        })?;
        failure.map_or(Ok(questions), Err)
    }
}
