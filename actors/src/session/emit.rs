//! What is written of a session: every row that differs from what is stored.
//!
//! Rows of the session as a whole are made anew each time and compared by hash. Rows of single
//! signals are made from the first place on that can have changed: a new or displaced signal, a
//! selection that is another one now, an answer, or the close.
//!
//! A signal that does not count any more has its rows taken back: another content took its uid, or it
//! stands behind a silence longer than the retention. Whether it ever had rows is not asked, because
//! those of an earlier epoch are not on record.

use naap_protocol::rows::samples::{StatusSample, TraceEdge};
use naap_protocol::rows::signals::{EdgeCoverage, ParamUpdate};
use naap_protocol::state::{SessionState, SignalWritten, StoredSignal};
use naap_protocol::time::Timestamp;

use super::SessionActor;
use super::coverage::{Prefix, session_coverage_row};
use super::hours::Hours;
use super::pen::{Pen, Put, Stamp};
use super::row::{RowTexts, session_row};
use super::samples::{Fact, Line, Recent, fact};
use super::selection::{Hints, Selection};
use super::story::Story;
use super::summary::Summary;

/// What rows were read off: what else than single signals their identity depends on. Not part of the
/// state: after waking, every row is made again and compared.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    selections: Vec<Selection>,
    hints: Hints,
    closed_ts: Option<Timestamp>,
    /// A selection counts.
    selected: bool,
    hours: Hours,
    /// Displaced signals whose rows are taken back.
    taken_back: usize,
}

/// Rows written of a session in one go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that are new in this epoch.
    pub first: u32,
    /// Rows that replace others.
    pub again: u32,
}

impl Written {
    /// Counts a row.
    pub fn count(&mut self, put: Put) {
        match put {
            Put::First => self.first += 1,
            Put::Again => self.again += 1,
            Put::Same | Put::TooLarge => {}
        }
    }
}

impl Drawn {
    /// Brings the record up to date with `summary`. Returns the earliest moment whose identity can
    /// differ.
    fn renew(&mut self, summary: &Summary) -> Option<Timestamp> {
        let now = Self {
            selections: summary.all_selections().to_vec(),
            hints: summary.hints,
            closed_ts: summary.closed_ts,
            selected: !summary.selections().is_empty(),
            hours: std::mem::take(&mut self.hours),
            taken_back: self.taken_back,
        };
        let differs = self.differs_from(&now);
        *self = now;
        differs
    }

    /// The earliest moment whose identity can differ between `self` and `other`.
    fn differs_from(&self, other: &Self) -> Option<Timestamp> {
        let same = |(a, b): &(&Selection, &Selection)| {
            (a.ts, a.url, a.address, a.hints) == (b.ts, b.url, b.address, b.hints)
        };
        let common = self.selections.iter().zip(&other.selections).take_while(same).count();
        let next = |drawn: &Self| drawn.selections.get(common).map(|s| s.ts);
        let selections = next(self).into_iter().chain(next(other)).min();
        // Rows before the first selection say whether there is one.
        let selections = selections.map(|ts| if common == 0 { Timestamp(i64::MIN) } else { ts });
        // Rows before the first selection say whether any counts, and rows without one hold hints.
        let all = self.hints != other.hints || self.selected != other.selected;
        let all = all.then_some(Timestamp(i64::MIN));
        let closes = [self.closed_ts, other.closed_ts].into_iter().flatten().min();
        let closed = closes.filter(|_| self.closed_ts != other.closed_ts);
        selections.into_iter().chain(all).chain(closed).min()
    }
}

impl SessionActor {
    /// Writes every row that differs from what is stored.
    pub fn write(&mut self, pen: &mut Pen<'_>, retention_ms: Option<i64>) -> Written {
        self.fold(retention_ms);
        let mut drawn = self.drawn.take().unwrap_or_else(|| {
            self.dirty = 0;
            Drawn::default()
        });
        if let Some(ts) = drawn.renew(&self.summary) {
            let place = self.state.signals.partition_point(|s| s.ord_ts < ts);
            self.dirty = self.dirty.min(place);
        }
        let mut known = std::mem::take(&mut self.state.written);
        let mut count = Written::default();
        let story = Story::of(&self.state, &self.summary);
        let displaced = take_back_displaced(&self.state, drawn.taken_back, pen, &mut count);
        let signals = write_signals(&story, self.dirty, pen, &mut count);
        if !story.signals.is_empty() {
            let texts = RowTexts::of(&story);
            count.count(pen.put(&mut known.session, |stamp| session_row(&story, &texts, stamp)));
            let coverage = |stamp| session_coverage_row(&story, &texts.identity, stamp);
            count.count(pen.put(&mut known.coverage, coverage));
        }
        let from = drawn.hours.update(&story, self.dirty);
        drawn.hours.write(&story, from, &mut known.hours, pen, &mut count);
        note(&mut self.state.displaced[drawn.taken_back..], &displaced);
        note(&mut self.state.signals[self.dirty..], &signals);
        drawn.taken_back = self.state.displaced.len();
        self.state.written = known;
        self.state.owes_rows = false;
        self.dirty = self.state.signals.len();
        self.drawn = Some(drawn);
        count
    }
}

/// Notes what was written of each signal.
fn note(signals: &mut [StoredSignal], written: &[SignalWritten]) {
    for (signal, written) in signals.iter_mut().zip(written) {
        signal.written = *written;
    }
}

/// Writes the rows of the signals from place `from` on. Returns what is written of each.
fn write_signals(
    story: &Story<'_>,
    from: usize,
    pen: &mut Pen<'_>,
    count: &mut Written,
) -> Vec<SignalWritten> {
    let (mut recent, mut prefix) = (Recent::default(), Prefix::of(story));
    let places = story.state.signals.iter().zip(0..).skip(from);
    let written = places.map(|(signal, at)| {
        if at as usize >= story.signals.len() {
            return take_back(story.state, signal, pen, count);
        }
        let mut written = signal.written;
        let line = Line::of(story, signal);
        line.write(&mut recent, &mut written.fact, pen, count);
        count.count(pen.put(&mut written.coverage, |stamp| prefix.row(at, &line, stamp)));
        written
    });
    written.collect()
}

/// Takes back the rows of the displaced signals from place `from` on. A row of another content may
/// have the same key; it is written afterwards and replaces the tombstone. Returns what is written of
/// each.
fn take_back_displaced(
    state: &SessionState,
    from: usize,
    pen: &mut Pen<'_>,
    count: &mut Written,
) -> Vec<SignalWritten> {
    state.displaced[from..].iter().map(|gone| take_back(state, gone, pen, count)).collect()
}

/// Writes tombstones over the rows of `gone`. Returns what is written of it.
fn take_back(
    state: &SessionState,
    gone: &StoredSignal,
    pen: &mut Pen<'_>,
    count: &mut Written,
) -> SignalWritten {
    let mut written = gone.written;
    let uid = &gone.uid.to_string();
    macro_rules! tombstone {
        ($row:ident) => {
            |stamp: Stamp| $row {
                org: &state.org,
                workflow_session_id: &state.session_id,
                gateway_ts: gone.ord_ts,
                source_event_uid: uid,
                is_deleted: true,
                version: stamp.version,
                ingestion_timestamp: stamp.now,
                ..$row::default()
            }
        };
    }
    if let Some(fact) = fact(gone) {
        let last = &mut written.fact;
        count.count(match fact {
            Fact::Status => pen.put(last, tombstone!(StatusSample)),
            Fact::Edge => pen.put(last, tombstone!(TraceEdge)),
            Fact::Update => pen.put(last, tombstone!(ParamUpdate)),
        });
    }
    count.count(pen.put(&mut written.coverage, tombstone!(EdgeCoverage)));
    written
}
