//! The shard as plain code: range check, duplicates, entities, rows. The actor around it only
//! moves messages.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use naap_protocol::capability::evidence::Question;
use naap_protocol::codec::{self, CodecError, TraceContext};
use naap_protocol::event::Event;
use naap_protocol::identity::{EntityId, session_key};
use naap_protocol::peer::Sender;
use naap_protocol::slice::DirtySlices;
use naap_protocol::state::{
    Delivery, EventState, Expired, Progress, Sighting, SourcePartition, Verdict, event_due,
    session_due,
};
use naap_protocol::wire::{Advertised, Envelope, EnvelopeHead, Item};
use thiserror::Error;

use super::counts::ShardCounts;
use super::entities::{Due, Entities};
use super::evidence::wake;
use super::expiry::Calendar;
use super::meters::Meters;
use super::rows::{Origin, RowWriter, elements_of};
use crate::clocks::ClockSigns;
use crate::outbox::RowBatch;
use crate::ports::{Clock, StateLog, StateLogError, StateRecord};
use crate::session::tally::Cause;
use crate::session::{Hold, Receipt, SessionActor};

/// Version of the routing rules: gate outcome, entity key, shard of a key. A change needs a drain
/// of all nodes at a common offset.
pub const ROUTING_VERSION: u16 = 1;

/// How a shard treats its entities.
#[derive(Clone, Copy, Debug)]
pub struct ShardOptions {
    /// Idle ticks after which a session goes to sleep.
    pub idle_ticks: u64,
    /// The same for a session that is closed.
    pub after_close_ticks: u64,
    /// Bytes of entities awake above which every durable one goes to sleep.
    pub awake_budget: usize,
    /// Longest silence inside a session, ms; `None` in bounded replay.
    pub retention_ms: Option<i64>,
    /// How long the state of a session is kept after its last event, ms, if that is longer than such a silence:
    /// a backfill can change it until then.
    pub kept_ms: i64,
    /// Ticks that rows without attribution wait for evidence (backlog 024); 0 in bounded replay.
    pub hold_ticks: u64,
    /// Rows of corrections written per commit cycle, on average; `None` for no limit.
    pub correction_rows: Option<u32>,
}

impl ShardOptions {
    /// How long a session can still change without new advertisements, ms; `None` if it never ends.
    pub(super) fn lasting_ms(&self) -> Option<i64> {
        self.retention_ms.map(|silence| silence.max(self.kept_ms))
    }

    /// Idle ticks after which `session` goes to sleep.
    fn patience(&self, session: &SessionActor) -> u64 {
        if session.closed_ts().is_some() { self.after_close_ticks } else { self.idle_ticks }
    }
}

/// The shard can not go on; its node reopens it from the state log.
#[derive(Debug, Error)]
pub enum ShardError {
    /// An item of an envelope can not be read. What stands before it is taken, and is known when it comes
    /// again; the offsets of the envelope are not.
    #[error(transparent)]
    Damaged(CodecError),
    /// A stored state is malformed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The state log failed.
    #[error(transparent)]
    Log(#[from] StateLogError),
}

/// Why a session was not woken.
enum Unwoken {
    /// It is over.
    Expired,
    Failed(ShardError),
}

impl<E: Into<ShardError>> From<E> for Unwoken {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What became of an envelope.
#[derive(Debug, PartialEq)]
pub enum Applied {
    /// Taken; the advertisements in it are for the shard's orchestrators.
    Taken(Vec<(u128, Advertised)>),
    /// Everything in it had been applied before.
    Skipped,
    /// Offsets before it are missing: read again from `wanted`.
    Refused {
        /// First offset that the shard has not applied.
        wanted: u64,
    },
}

/// What a commit cycle of a shard leaves behind.
#[derive(Debug)]
pub struct Saved {
    /// State of every entity that changed.
    pub records: Vec<StateRecord>,
    /// The claim to make once the rows of these changes are stored.
    pub progress: Progress,
    /// What the sessions want to know from orchestrators.
    pub questions: Vec<Question>,
    /// Sessions whose rows have to wait for a later cycle.
    pub owing: usize,
    /// Ticks that the longest of these waits has lasted.
    pub oldest_wait: u64,
    /// What was heard of clocks.
    pub signs: ClockSigns,
}

/// One open shard.
#[derive(Debug)]
pub struct ShardCore {
    pub(super) shard: u16,
    pub(super) options: ShardOptions,
    pub(super) log: Arc<dyn StateLog>,
    pub(super) progress: Progress,
    /// Boxed: a table of them is half empty at times, and is copied when it grows.
    pub(super) sessions: Entities<Box<SessionActor>>,
    singles: Entities<EventState>,
    pub(super) calendar: Calendar,
    pub(super) writer: RowWriter,
    counts: ShardCounts,
    /// Sessions that may have to ask something.
    pub(super) curious: Vec<u128>,
    /// Rows of corrections that may be written now; below zero after a large session.
    correction_credit: i64,
    ticks: u64,
    pub(super) meters: Meters,
}

impl ShardCore {
    /// The shard in the epoch of `progress`, at its applied vector.
    pub fn new(
        shard: u16,
        progress: Progress,
        options: ShardOptions,
        log: Arc<dyn StateLog>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            shard,
            options,
            log,
            sessions: Entities::new(options.idle_ticks.min(options.after_close_ticks)),
            singles: Entities::new(1),
            calendar: Calendar::default(),
            meters: Meters::new(shard, progress.watermark),
            writer: RowWriter::new(progress.epoch, clock),
            progress,
            counts: ShardCounts::default(),
            curious: Vec::new(),
            correction_credit: 0,
            ticks: 0,
        }
    }

    /// This opening of the shard.
    pub(super) fn opening(&self) -> Sender {
        Sender { shard: self.shard, epoch: self.progress.epoch }
    }

    /// Applies an envelope.
    ///
    /// # Errors
    /// When it is damaged, which changes nothing that does not come again; or when stored state is malformed
    /// or the state log fails: then the shard has to be reopened.
    pub fn apply(&mut self, envelope: &Envelope) -> Result<Applied, ShardError> {
        let head = &envelope.head;
        let applied = *self.progress.applied.entry(head.source.clone()).or_insert(head.from);
        if head.to <= applied {
            return Ok(Applied::Skipped);
        }
        if head.from > applied {
            return Ok(Applied::Refused { wanted: applied });
        }
        self.writer.read_clock();
        let mut advertisements = Vec::new();
        let mut newest = None;
        for item in envelope.items() {
            let item = item.map_err(ShardError::Damaged)?;
            newest = newest.max(Some(item.event_ts()));
            self.item(head, applied, &item, &mut advertisements)?;
        }
        if let Some(newest) = newest {
            self.meters.applied(&head.source, newest, self.writer.now());
        }
        self.progress.applied.insert(head.source.clone(), head.to);
        Ok(Applied::Taken(advertisements))
    }

    fn item(
        &mut self,
        head: &EnvelopeHead,
        applied: u64,
        item: &Item<'_>,
        advertisements: &mut Vec<(u128, Advertised)>,
    ) -> Result<(), ShardError> {
        match item {
            Item::Session(id, event) if event.offset >= applied => self.session(head, *id, event),
            Item::Single(id, event) if event.offset >= applied => self.single(head, *id, event),
            Item::Advertisement(id, advertised) => {
                advertisements.push((*id, advertised.clone()));
                Ok(())
            }
            Item::Session(..) | Item::Single(..) => Ok(()),
        }
    }

    fn session(
        &mut self,
        head: &EnvelopeHead,
        id: u128,
        event: &Event<'_>,
    ) -> Result<(), ShardError> {
        let Self {
            sessions,
            log,
            shard,
            counts,
            options,
            progress,
            writer,
            curious,
            meters,
            calendar,
            ..
        } = self;
        let origin = Origin::of(head);
        let hosted = sessions.get_or_wake(id, || {
            let retention_ms = options.retention_ms;
            if let Some(frame) = log.entity(*shard, EntityId(id))? {
                if codec::is::<Expired>(&frame) {
                    return Err(Unwoken::Expired);
                }
                return Ok(wake(&frame, progress.epoch, retention_ms)?);
            }
            counts.sessions += 1;
            let mut session = new_session(&head.org, event);
            session.enter(progress.epoch);
            if let Some(lasting_ms) = options.lasting_ms() {
                calendar.insert(id, session_due(event.event_ts, lasting_ms));
            }
            Ok((session, Due::Nothing))
        });
        let hosted = match hosted {
            Ok(hosted) => hosted,
            Err(Unwoken::Failed(error)) => return Err(error),
            Err(Unwoken::Expired) => {
                // A session made anew would write rows of a higher version over the full ones.
                writer.event(origin, event);
                meters.late_expired(event);
                counts.late_expired += 1;
                return Ok(());
            }
        };
        let delivery = Delivery::of(event, &head.source.topic, head.source.partition);
        let session = &mut hosted.entity;
        let receipt = catch_unwind(AssertUnwindSafe(|| {
            session.receive(event, &delivery, options.retention_ms)
        }));
        let Ok(receipt) = receipt else {
            session.forget(event, &delivery);
            counts.panics += 1;
            metrics::counter!(crate::names::SESSION_PANICS).increment(1);
            writer.fold_panicked(origin, event);
            return Ok(());
        };
        meters.received(event, &receipt, session.state());
        let Receipt { sighting, changed, .. } = receipt;
        if sighting.counts() {
            writer.event(origin, event);
        }
        if sighting != Sighting::NEW {
            let known = session.state().deliveries.of(&event.uid);
            writer.left_out(origin, event, (&delivery, sighting), known);
        }
        counts.sighted(sighting.verdict, event.body.family());
        if session.is_curious() && curious.last() != Some(&id) {
            curious.push(id);
        }
        if sighting.verdict != Verdict::Redelivery {
            sessions.touch(id, if changed { Due::Rows } else { Due::Nothing });
        }
        Ok(())
    }

    fn single(
        &mut self,
        head: &EnvelopeHead,
        id: u128,
        event: &Event<'_>,
    ) -> Result<(), ShardError> {
        let Self { singles, log, shard, counts, writer, calendar, options, .. } = self;
        let mut delivery = Delivery::of(event, &head.source.topic, head.source.partition);
        let mut first = false;
        let hosted = singles.get_or_wake(id, || -> Result<_, ShardError> {
            if let Some(frame) = log.entity(*shard, EntityId(id))? {
                return Ok((codec::decode::<EventState>(&frame)?, Due::Nothing));
            }
            first = true;
            if options.retention_ms.is_some() {
                calendar.insert(id, event_due(event.event_ts));
            }
            Ok((EventState::new(delivery.clone().into_owned()), Due::Nothing))
        })?;
        let state = &mut hosted.entity;
        let sighting = if first { Sighting::NEW } else { state.observe(&delivery) };
        let origin = Origin::of(head);
        if sighting.counts() {
            state.made(0, writer.event(origin, event));
        } else {
            delivery.elements = elements_of(&event.body);
            state.made(sighting.place, delivery.elements.clone());
        }
        writer.inventory(origin, event);
        writer.left_out(origin, event, (&delivery, sighting), state.known());
        counts.sighted(sighting.verdict, event.body.family());
        if sighting.verdict != Verdict::Redelivery {
            singles.touch(id, Due::Nothing);
        }
        Ok(())
    }

    /// A reader of `source` says where it can begin, if nothing better is known. Returns the first
    /// offset that the shard has not applied.
    pub fn attach(&mut self, source: SourcePartition, start: u64) -> u64 {
        self.meters.attached(&source, self.writer.now());
        *self.progress.applied.entry(source).or_insert(start)
    }

    /// Moves the applied vector over offsets that hold nothing for this shard; `false` when offsets
    /// before them are missing.
    pub fn mark(&mut self, source: &SourcePartition, from: u64, to: u64) -> bool {
        let applied = self.progress.applied.entry(source.clone()).or_insert(from);
        let joins = from <= *applied;
        if joins {
            *applied = to.max(*applied);
        }
        joins
    }

    /// Ends a commit cycle: writes the rows of what changed and returns its state and the claim to
    /// make once these rows are stored. `flush` ends every wait that is not for an answer.
    ///
    /// # Errors
    /// When a state can not be encoded.
    pub fn commit(&mut self, flush: bool) -> Result<Saved, ShardError> {
        self.progress.cycle += 1;
        let rate = self.options.correction_rows.filter(|_| !flush);
        self.correction_credit = match rate {
            Some(rate) => self.correction_credit.saturating_add(rate.into()).min(rate.into()),
            None => i64::MAX,
        };
        let Self { shard, sessions, singles, writer, options, counts, progress, meters, .. } = self;
        let (credit, ticks) = (&mut self.correction_credit, self.ticks);
        let epoch = progress.epoch;
        let mut oldest_wait = 0;
        let hold = if flush { 0 } else { options.hold_ticks };
        let (mut records, mut questions) = (Vec::new(), Vec::new());
        let mut save = |id: u128, frame: Vec<u8>| {
            let entity = EntityId(id);
            records.push(StateRecord::Snapshot { shard: *shard, epoch, entity, frame });
        };
        let owing = sessions.commit(|id, hosted| {
            let session = &mut hosted.entity;
            let written = catch_unwind(AssertUnwindSafe(|| {
                questions.extend(session.questions((id, *shard), options.retention_ms));
                let spent = hosted.due == Due::Correction && *credit <= 0;
                if hosted.due == Due::Nothing {
                    return true;
                } else if spent {
                    return false;
                }
                match session.hold(ticks, hold) {
                    Hold::Since(since) => {
                        oldest_wait = oldest_wait.max(ticks - since);
                        return false;
                    }
                    Hold::Over(waited) => meters.waited(waited, ticks),
                }
                let before = session.shown_open();
                let rows = writer.session(session, options.retention_ms);
                meters.wrote(&rows, before, session.shown_open());
                counts.corrections += u64::from(rows.tally.corrections(Cause::LateCapability));
                let corrects = hosted.due == Due::Correction;
                let spent = if corrects { rows.rows() } else { rows.again };
                *credit = credit.saturating_sub(i64::from(spent));
                true
            }));
            let written = written.unwrap_or_else(|_| {
                counts.panics += 1;
                metrics::counter!(crate::names::SESSION_PANICS).increment(1);
                true
            });
            save(id, session.snapshot(progress.cycle, !written)?);
            Ok::<_, ShardError>(written)
        })?;
        singles.commit(|id, hosted| {
            save(id, codec::encode(&hosted.entity, TraceContext::default())?);
            Ok::<_, ShardError>(true)
        })?;
        meters.publish(writer.now());
        progress.dirty.mark(writer.outbox().slices(), progress.cycle);
        let signs = meters.take_signs();
        self.sweep(&mut records)?;
        let progress = self.progress.clone();
        Ok(Saved { records, progress, questions, owing, oldest_wait, signs })
    }

    /// The figures of these slices were computed after their rows had been stored.
    pub fn settled(&mut self, epoch: u64, slices: &DirtySlices) {
        if epoch == self.progress.epoch {
            self.progress.dirty.settle(slices);
        }
    }

    /// The last commit is durable: what it saved may sleep.
    pub fn committed(&mut self) {
        self.sessions.committed();
        self.singles.committed();
        let mut asleep = self.singles.sleep_durable(|_| ());
        let awake: usize = self.sessions.iter().map(|session| session.weight()).sum();
        if awake > self.options.awake_budget {
            let meters = &self.meters;
            asleep += self.sessions.sleep_durable(|session| meters.asleep(session));
        }
        self.slept(asleep);
    }

    /// One tick of the shard's timer wheel.
    pub fn tick(&mut self) {
        self.ticks += 1;
        let Self { sessions, options, meters, .. } = self;
        let asleep =
            sessions.tick(|session| options.patience(session), |session| meters.asleep(session));
        self.slept(asleep);
    }

    fn slept(&mut self, asleep: usize) {
        self.counts.passivated += asleep as u64;
        metrics::counter!(crate::names::PASSIVATIONS).increment(asleep as u64);
    }

    /// Bytes of rows that wait to be taken.
    pub fn row_bytes(&self) -> usize {
        self.writer.bytes()
    }

    /// Takes the rows made so far.
    pub fn take_rows(&mut self) -> Vec<RowBatch> {
        self.writer.outbox().take()
    }

    /// Takes the counts made so far.
    pub fn take_counts(&mut self) -> ShardCounts {
        ShardCounts { letters: self.writer.take_letters(), ..std::mem::take(&mut self.counts) }
    }

    /// The claim that a commit would make now.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether an entity without an actor of its own is awake.
    pub(super) fn is_awake(&mut self, id: u128) -> bool {
        self.sessions.awake(id).is_some() || self.singles.awake(id).is_some()
    }

    /// Sessions awake.
    pub fn sessions_awake(&self) -> usize {
        self.sessions.len()
    }
}

fn new_session(org: &str, event: &Event<'_>) -> Box<SessionActor> {
    let (stream_id, request_id) = event.body.session_ids().unwrap_or_default();
    let key = session_key(stream_id, request_id, &event.uid);
    Box::new(SessionActor::new(org, key, stream_id, request_id))
}
