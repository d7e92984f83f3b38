//! How a shard forgets: a round over what it has stored, a little in each commit cycle.
//!
//! [`Expiry`] says what may go, by the last claim that counts. What is awake is never looked at, so
//! that everything judged is durable. A session leaves a mark; from the moment that the mark is on its
//! way the session is as good as gone, as a mark ends every snapshot of it, later ones too.

use std::collections::HashSet;

use naap_protocol::codec::{self, TraceContext};
use naap_protocol::event::Event;
use naap_protocol::identity::EntityId;
use naap_protocol::state::{EventState, Expired, Progress, SessionState};
use naap_protocol::time::Timestamp;
use naap_protocol::wire::EnvelopeHead;

use super::core::{ShardCore, ShardError};
use super::meters::Meters;
use super::rows::Origin;
use crate::expiry::Expiry;
use crate::ports::StateRecord;

/// Entities that are looked at in a commit cycle: about a millisecond of work.
const LOOKS: usize = 32;
/// Rounds in a retention: an entity is kept that much longer at most.
const ROUNDS: i64 = 48;

/// Where the shard stands in its round.
#[derive(Debug, Default)]
pub(super) struct Forgetting {
    /// The claim that decides: the last one that counts. `None` until the shard was resumed.
    claim: Option<Progress>,
    /// The claim of the commit cycle under way.
    next_claim: Option<Progress>,
    /// What comes next in the round; `None` between two.
    next: Option<EntityId>,
    /// Watermark at which the last round began.
    began: Option<Timestamp>,
    /// Sessions whose mark is on its way to the log.
    leaving: HashSet<u128>,
}

impl Forgetting {
    /// The shard was opened with this claim.
    pub(super) fn resumed(&mut self, claim: &Progress) {
        self.claim = Some(claim.clone());
    }

    /// A commit cycle has ended that is going to claim this.
    pub(super) fn saved(&mut self, claim: &Progress) {
        self.next_claim = Some(claim.clone());
    }

    /// The last cycle is durable, and so are the marks in it.
    pub(super) fn committed(&mut self) {
        if let (Some(claim), Some(next)) = (&mut self.claim, self.next_claim.take()) {
            *claim = next;
        }
        self.leaving.clear();
    }

    /// Whether the mark of the session is on its way.
    pub(super) fn is_leaving(&self, id: u128) -> bool {
        self.leaving.contains(&id)
    }

    /// Where to look at `watermark`; `None` while the shard rests between two rounds.
    fn begin(&mut self, watermark: Timestamp, retention_ms: i64) -> Option<EntityId> {
        if self.next.is_none() {
            let pause = retention_ms / ROUNDS;
            if self.began.is_some_and(|began| watermark.millis_since(began) < pause) {
                return None;
            }
            (self.began, self.next) = (Some(watermark), Some(EntityId(0)));
        }
        self.next
    }
}

/// What is to become of an entity.
enum Fate {
    /// A session leaves its mark.
    Expires(Box<SessionState>),
    /// An event without a session.
    Vanishes,
    /// A mark that was kept for long enough.
    MarkEnds,
}

impl Fate {
    fn of(frame: &[u8], expiry: &Expiry<'_>) -> Result<Option<Self>, codec::CodecError> {
        if codec::is::<SessionState>(frame) {
            let state: SessionState = codec::decode(frame)?;
            return Ok(expiry.of_session(&state).then(|| Self::Expires(Box::new(state))));
        }
        if codec::is::<EventState>(frame) {
            let state: EventState = codec::decode(frame)?;
            return Ok(expiry.of_event(&state).then_some(Self::Vanishes));
        }
        if codec::is::<Expired>(frame) {
            return Ok(expiry.of_mark(codec::decode(frame)?).then_some(Self::MarkEnds));
        }
        // What was advertised has a horizon of its own.
        Ok(None)
    }
}

impl ShardCore {
    /// Looks at some of what is stored and returns the records that end it.
    ///
    /// # Errors
    /// When the state log fails or a state is malformed.
    pub(super) fn forget(&mut self) -> Result<Vec<StateRecord>, ShardError> {
        let retention_ms = self.options.retention_ms.filter(|_| self.options.forgets);
        let Some(retention_ms) = retention_ms else { return Ok(Vec::new()) };
        let Some(claim) = self.forgetting.claim.take() else { return Ok(Vec::new()) };
        let records = self.forget_by(&claim, retention_ms);
        self.forgetting.claim = Some(claim);
        records
    }

    fn forget_by(
        &mut self,
        claim: &Progress,
        retention_ms: i64,
    ) -> Result<Vec<StateRecord>, ShardError> {
        let Self { forgetting, sessions, singles, log, meters, .. } = self;
        let (shard, epoch) = (self.shard, self.progress.epoch);
        let mut records = Vec::new();
        let Some(expiry) = Expiry::new(claim, retention_ms) else { return Ok(records) };
        let Some(from) = forgetting.begin(expiry.watermark(), retention_ms) else {
            return Ok(records);
        };
        let mark = codec::encode(&Expired { at: expiry.watermark() }, TraceContext::default())?;
        let mut failure = None;
        forgetting.next = log.page(shard, from, LOOKS, &mut |entity, frame| {
            if sessions.awake(entity.0).is_some() || singles.awake(entity.0).is_some() {
                return;
            }
            let forgotten = StateRecord::Forgotten { shard, epoch, entity };
            match Fate::of(frame, &expiry) {
                Ok(None) => {}
                Ok(Some(Fate::Expires(state))) => {
                    forgetting.leaving.insert(entity.0);
                    meters.expired(&state);
                    let frame = mark.clone();
                    records.push(StateRecord::Expired { shard, epoch, entity, frame });
                }
                Ok(Some(Fate::Vanishes)) => {
                    Meters::vanished();
                    records.push(forgotten);
                }
                Ok(Some(Fate::MarkEnds)) => {
                    meters.mark_ended();
                    records.push(forgotten);
                }
                Err(error) => failure = Some(error.into()),
            }
        })?;
        failure.map_or(Ok(records), Err)
    }

    /// Takes an event of a session that has expired: its typed rows, and nothing else.
    pub(super) fn late(&mut self, head: &EnvelopeHead, event: &Event<'_>) {
        self.writer.event(Origin::of(head), event);
        self.meters.late(event);
        self.counts.late_expired += 1;
    }
}
