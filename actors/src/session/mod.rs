//! Sessions: virtual actors that fold signals into rows (design.md, actors).
//!
//! A session has an address, private state, one message at a time, timers and supervision like any
//! actor; it is hosted by its shard because a runtime actor each costs a hundred times more.
//!
//! What it writes is a function of two sets: its signals and what the orchestrators answered about
//! them. [`summary`] folds the signals, [`selection`] finds whom they name, [`attribution`] joins
//! the answers, and [`story`] tells what happened. Rows are read off the story: [`mod@row`], [`segments`],
//! [`swaps`], [`latency`], [`coverage`], [`hours`], and [`samples`] for single signals. [`emit`] writes
//! what has changed of them, and [`invariants`] counts what contradicts itself.
//!
//! Out of scope: a session whose only signal loses its uid to an event of a family that is no signal
//! keeps its last row. The row has no tombstone, and by contract ids are unique per event, so the
//! other event is a forgery; its typed row and the quarantine row of the loser tell of it.

pub mod arrival;
pub mod attribution;
pub mod counters;
pub mod coverage;
mod drawn;
pub mod emit;
mod figures;
pub mod hours;
pub mod ingest;
pub mod instruments;
pub mod invariants;
pub mod latency;
pub mod lateness;
pub mod outcome;
pub mod pen;
pub mod row;
mod sample_rows;
pub mod samples;
pub mod segments;
pub mod selection;
mod signal_rows;
pub mod story;
pub mod summary;
pub mod swaps;
pub mod tally;
mod transport;

use std::collections::BTreeMap;

use naap_protocol::capability::decide::Decision;
use naap_protocol::capability::evidence::{Answer, Evidence, Question, Role, Subject};
use naap_protocol::codec::{self, CodecError, TraceContext};
use naap_protocol::event::Event;
use naap_protocol::signal::signal;
use naap_protocol::state::{Delivery, SessionState, Sighting, SignalWritten, Uid, Verdict};
use naap_protocol::time::Timestamp;

use arrival::Arrival;
use attribution::is_resolved;
use coverage::is_close;
use drawn::Drawn;
use emit::{Causes, Counted};
use instruments::WaitOutcome;
use invariants::Published;
use lateness::Lateness;
use selection::{Hints, Selection};
use story::{Story, subjects};
use summary::Summary;
use tally::Cause;

/// A session in memory.
#[derive(Debug)]
pub struct SessionActor {
    state: SessionState,
    /// The fold of `state.signals`; rebuilt when a signal came out of order.
    summary: Summary,
    stale: bool,
    /// First signal whose rows may differ from what is written.
    dirty: usize,
    /// What the written rows were read off; `None` after waking.
    drawn: Option<Drawn>,
    /// What the session was counted as; `None` when that is not known.
    counted: Option<Counted>,
    /// Why the next write may correct rows.
    causes: Causes,
    /// An answer was missing when rows were written last.
    wrote_undecided: bool,
    /// Times that the row of the session was written since waking.
    versions: u32,
    /// What must not be unsaid of the last write; `None` after waking and when a signal was displaced.
    published: Option<Published>,
    /// Questions that stand, by orchestrator. Not part of the state: they are asked again on waking.
    asked: BTreeMap<(Role, String), Vec<Subject>>,
    /// What the last questions were read off.
    observed: Observed,
    /// Tick since which rows wait for evidence.
    held_since: Option<u64>,
    /// Whether the session was without a close when its rows were written last.
    shown_open: Option<bool>,
}

/// What of a fold the questions of a session depend on, small enough to be compared after every
/// event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Observed {
    selections: usize,
    last: Option<Selection>,
    hints: Hints,
    swaps: u32,
    closed_ts: Option<Timestamp>,
}

impl Observed {
    fn of(summary: &Summary) -> Self {
        let selections = summary.all_selections();
        Self {
            selections: selections.len(),
            last: selections.last().copied(),
            hints: summary.hints,
            swaps: summary.swaps,
            closed_ts: summary.closed_ts,
        }
    }
}

/// Whether rows have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Yes, since that tick.
    Since(u64),
    /// No. If they have waited: since when, and how that ended.
    Over(Option<(u64, WaitOutcome)>),
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What the delivery is.
    pub sighting: Sighting,
    /// The session's rows may have changed.
    pub changed: bool,
    /// How the signal came that has become part of the session; `None` when none has.
    pub arrival: Option<Arrival>,
}

impl SessionActor {
    /// A session that nothing is known of yet.
    pub fn new(org: &str, session_id: String, stream_id: &str, request_id: &str) -> Self {
        Self::awake(SessionState {
            org: org.to_owned(),
            session_id,
            stream_id: stream_id.to_owned(),
            request_id: request_id.to_owned(),
            ..SessionState::default()
        })
    }

    /// The session that `frame` holds.
    ///
    /// # Errors
    /// When the frame is no readable session state.
    pub fn restore(frame: &[u8]) -> Result<Self, CodecError> {
        Ok(Self::awake(codec::decode(frame)?))
    }

    fn awake(state: SessionState) -> Self {
        let known = !state.signals.is_empty();
        Self {
            shown_open: known.then(|| !state.signals.iter().any(is_close)),
            stale: known,
            state,
            summary: Summary::default(),
            dirty: 0,
            drawn: None,
            counted: None,
            causes: Causes::default(),
            wrote_undecided: false,
            versions: 0,
            asked: BTreeMap::new(),
            observed: Observed::default(),
            held_since: None,
            published: None,
        }
    }

    /// The state as a frame, saved in commit cycle `cycle`; `owes_rows` says that it does not count
    /// rows as written that are due.
    ///
    /// # Errors
    /// When the state exceeds the frame limit.
    pub fn snapshot(&mut self, cycle: u64, owes_rows: bool) -> Result<Vec<u8>, CodecError> {
        (self.state.written.cycle, self.state.owes_rows) = (cycle, owes_rows);
        codec::encode(&self.state, TraceContext::default())
    }

    /// Makes every row due again if the last ones were written before `epoch`.
    /// Returns `true` when it did.
    pub fn enter(&mut self, epoch: u64) -> bool {
        let repeat = self.state.written.epoch < epoch;
        if repeat {
            self.state.repeat_all();
            self.state.written.epoch = epoch;
            (self.dirty, self.drawn) = (0, None);
        }
        repeat
    }

    /// Takes one delivery of an event. Order and repetition do not matter for where this ends.
    pub fn receive(
        &mut self,
        event: &Event<'_>,
        delivery: &Delivery<'_>,
        retention_ms: Option<i64>,
    ) -> Receipt {
        // First of all, because reading a signal may panic and nothing has changed yet.
        let signal = signal(event);
        let sighting = self.state.deliveries.observe(&event.uid, delivery);
        if !sighting.folds() {
            // Another record of the same content: only its broker time can be news.
            let counts = sighting.counts() && sighting.verdict == Verdict::Duplicate;
            let moved = counts.then(|| self.state.moved(&event.uid, delivery.record_ts)).flatten();
            self.dirty = moved.map_or(self.dirty, |place| place.min(self.dirty));
            let moved_sample =
                counts && self.state.samples.moved(&Uid::new(&event.uid), delivery.record_ts);
            let changed = self.stale || moved.is_some() || moved_sample;
            return Receipt { sighting, changed, arrival: None };
        }
        if sighting != Sighting::NEW {
            self.displace(&event.uid);
        }
        let changed = signal.is_some() || self.state.sample(event) || self.stale;
        let arrival = signal.map(|signal| {
            let place = self.state.insert(&signal);
            self.dirty = self.dirty.min(place);
            if place + 1 == self.state.signals.len() && !self.stale {
                self.summary.push(&self.state.signals[place], &self.state.symbols, retention_ms);
            } else {
                self.stale = true;
            }
            let folded = self.summary.events as usize;
            let expired = self.summary.late_expired > 0 && place >= folded;
            let arrival = Arrival::of(&self.state.signals, place, expired);
            self.causes.late_event |= arrival.lateness == Lateness::Late;
            arrival
        });
        Receipt { sighting, changed, arrival }
    }

    /// Takes back a delivery whose fold has panicked, so that it is tried again when it comes again.
    pub fn forget(&mut self, event: &Event<'_>, delivery: &Delivery<'_>) {
        if self.state.deliveries.forget(&event.uid, &delivery.at) {
            self.displace(&event.uid);
        }
        self.stale = true;
    }

    fn displace(&mut self, uid: &str) {
        self.state.samples.displace(&Uid::new(uid));
        if let Some(place) = self.state.displace(uid) {
            self.stale = true;
            self.dirty = self.dirty.min(place);
            self.published = None;
        }
    }

    /// The state and the fold of all its signals.
    pub fn fold(&mut self, retention_ms: Option<i64>) -> (&SessionState, &Summary) {
        if self.stale {
            self.summary = Summary::of(&self.state, retention_ms);
            self.stale = false;
        }
        (&self.state, &self.summary)
    }

    /// The story so far.
    pub fn story(&mut self, retention_ms: Option<i64>) -> Story<'_> {
        let (state, summary) = self.fold(retention_ms);
        Story::of(state, summary)
    }

    /// What has to be asked now that was not asked before, or is to be asked no longer. `me` is the
    /// session's entity id and its shard.
    pub fn questions(&mut self, me: (u128, u16), retention_ms: Option<i64>) -> Vec<Question> {
        let (state, summary) = self.fold(retention_ms);
        let subjects = subjects(state, summary);
        self.observed = Observed::of(&self.summary);
        self.keep_answers(subjects);
        self.ask(me)
    }

    /// As [`SessionActor::questions`], about the subjects known already.
    pub fn ask(&mut self, (me, shard): (u128, u16)) -> Vec<Question> {
        let mut wanted: BTreeMap<(Role, String), Vec<Subject>> = BTreeMap::new();
        for answer in &self.state.answers {
            for role in answer.roles() {
                let key = (role, answer.subject.key(role).to_owned());
                wanted.entry(key).or_default().push(answer.subject.clone());
            }
        }
        let gone = self.asked.keys().filter(|key| !wanted.contains_key(*key)).cloned();
        let ended: Vec<_> = gone.map(|key| (key, Vec::new())).collect();
        let changed = wanted.iter().filter(|(key, list)| self.asked.get(*key) != Some(*list));
        let changed: Vec<_> = changed.map(|(key, list)| (key.clone(), list.clone())).collect();
        self.asked = wanted;
        let question = |((role, key), subjects): ((Role, String), Vec<Subject>)| {
            let subjects = subjects.into_iter().map(|subject| {
                let known = self.answer(&subject).and_then(|answer| answer.said(role));
                let known = known.map(Decision::digest);
                (subject, known)
            });
            let (org, subjects) = (self.state.org.clone(), subjects.collect());
            Question { org, session: me, shard, key, role, subjects }
        };
        changed.into_iter().chain(ended).map(question).collect()
    }

    /// As [`SessionActor::ask`], whatever was asked before.
    pub fn ask_anew(&mut self, me: (u128, u16)) -> Vec<Question> {
        self.asked.clear();
        self.ask(me)
    }

    /// True when the session may have something new to ask. A signal out of order is left to the end
    /// of the commit cycle: folding everything again for each would cost too much.
    pub fn is_curious(&self) -> bool {
        !self.stale && self.observed != Observed::of(&self.summary)
    }

    /// Keeps the answers about `subjects`, and makes room for those that are new.
    fn keep_answers(&mut self, subjects: Vec<Subject>) {
        let answers = &mut self.state.answers;
        if answers.iter().map(|answer| &answer.subject).eq(&subjects) {
            return;
        }
        let mut known: Vec<Option<Answer>> =
            std::mem::take(answers).into_iter().map(Some).collect();
        // Most stand in the same order as before.
        let mut next = 0;
        let answer = |subject: Subject| {
            let is = |known: &Option<Answer>| known.as_ref().is_some_and(|a| a.subject == subject);
            let behind = known[next..].iter().position(is).map(|place| next + place);
            let place = behind.or_else(|| known[..next].iter().position(is));
            next = place.map_or(next, |place| place + 1);
            place.and_then(|place| known[place].take()).unwrap_or_else(|| Answer::open(subject))
        };
        *answers = subjects.into_iter().map(answer).collect();
    }

    fn answer(&self, subject: &Subject) -> Option<&Answer> {
        self.state.answers.iter().find(|answer| answer.subject == *subject)
    }

    /// Takes in what an orchestrator says, or a backfill in its place (`cause`). `true` when the rows
    /// may have changed, or there is more to ask.
    pub fn learn(&mut self, evidence: Evidence, cause: Cause) -> bool {
        let Evidence { role, subject, decision, complete, .. } = evidence;
        let known = self.state.answers.iter_mut().find(|answer| answer.subject == subject);
        let Some(answer) = known.filter(|a| complete || a.said(role).is_none()) else {
            return false;
        };
        // The first answer to a new question is not late, whatever was written before, unless rows went out
        // without it.
        let asked_before = answer.said(role).is_some() || self.wrote_undecided;
        let before = answer.decision().is_some_and(is_resolved);
        let news = answer.learn(role, decision);
        if news {
            let attributed = !before && answer.decision().is_some_and(is_resolved);
            let place = self.state.signals.partition_point(|s| s.ord_ts < subject.ts);
            if asked_before && self.is_written(place) {
                self.causes.backfill |= cause == Cause::Backfill;
                self.causes.late_capability |= cause == Cause::LateCapability;
                self.causes.late_attribution |= attributed;
            }
            self.dirty = self.dirty.min(place);
            self.state.samples.due_from(subject.ts);
        }
        news
    }

    /// Rows of the signal at `place` were written before.
    fn is_written(&self, place: usize) -> bool {
        let written = self.state.signals.get(place).map(|signal| signal.written);
        place < self.dirty || written.is_some_and(|rows| rows != SignalWritten::default())
    }

    /// Times that the row of the session was written since the session woke.
    pub fn versions(&self) -> u32 {
        self.versions
    }

    /// True while an answer is missing that [`SessionActor::questions`] has asked for.
    pub fn is_waiting(&self) -> bool {
        self.state.answers.iter().any(|answer| answer.decision().is_none())
    }

    /// Whether rows that are due now, at tick `now`, have to wait: up to `limit` ticks for an answer under way,
    /// and for evidence about the selection in force if it has none (backlog 024, phase 3). Without a limit
    /// they wait for answers, however long that takes, and for nothing else.
    pub fn hold(&mut self, now: u64, limit: u64) -> Hold {
        // The selection in force; the answers begin with those about selections, in order.
        let last = self.summary.selections().len().checked_sub(1);
        let last = last.and_then(|last| self.state.answers.get(last));
        let decided = last.and_then(Answer::decision);
        let waiting = self.is_waiting();
        if waiting || (limit > 0 && decided.is_some_and(|decision| decision.chosen.is_none())) {
            let since = *self.held_since.get_or_insert(now);
            if (waiting && limit == 0) || now - since < limit {
                return Hold::Since(since);
            }
        }
        let outcome = match decided {
            _ if waiting => WaitOutcome::TimedOut,
            Some(decision) if decision.chosen.is_some() => WaitOutcome::Attributed,
            _ => WaitOutcome::Unattributed,
        };
        Hold::Over(self.held_since.take().map(|since| (since, outcome)))
    }

    /// Whether the session was without a close when its rows were written last; `None` before that.
    pub fn shown_open(&self) -> Option<bool> {
        self.shown_open
    }

    /// The state.
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    /// Latest close, as of the last fold.
    pub fn closed_ts(&self) -> Option<Timestamp> {
        self.summary.closed_ts
    }

    /// Bytes that the session holds in memory, estimated.
    pub fn weight(&self) -> usize {
        const SIGNAL: usize = 144;
        const SAMPLE: usize = 320;
        const DELIVERY: usize = 72;
        const ANSWER: usize = 640;
        const HOUR: usize = 640;
        const FIXED: usize = 960;
        FIXED
            + (self.state.signals.len() + self.state.displaced.len()) * SIGNAL
            + self.state.samples.len() * SAMPLE
            + self.state.written.hours.len() * HOUR
            + self.state.deliveries.len() * DELIVERY
            + self.state.answers.len() * ANSWER
    }
}
