//! What is written of a session: every row that differs from what is stored.
//!
//! Rows of the session as a whole are made anew each time and compared by hash. Rows of single
//! signals are made from the first place on that can have changed: a new or displaced signal, a
//! selection that is another one now, an answer, or the close.

use naap_protocol::state::StoredBody;

use super::attribution::Identity;
use super::coverage::session_coverage_row;
use super::drawn::Drawn;
use super::invariants::{Published, lineage_defects};
use super::latency::{Latencies, Semantics, latency_row};
use super::pen::{Pen, Put};
use super::row::{RowParts, session_row};
use super::sample_rows::{note_samples, take_back_samples, write_samples};
use super::signal_rows::{note, take_back_displaced, write_signals};
use super::story::Story;
use super::tally::{Cause, Delayed, Tally};
use super::{Observed, SessionActor};
use super::{figures, segments, swaps};
use crate::names;

/// Why rows that were written may be corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causes {
    /// A signal came late.
    pub late_event: bool,
    /// An orchestrator said something new about what was written.
    pub late_capability: bool,
    /// It made something known that was not attributed.
    pub late_attribution: bool,
    /// A backfill decided anew.
    pub backfill: bool,
}

/// Rows written of a session in one go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that are new.
    pub first: u32,
    /// Rows that say again what an earlier epoch has written.
    pub repeated: u32,
    /// Rows that replace others.
    pub again: u32,
    /// Rows that replace others, by [`Delayed`].
    pub again_by: [u32; Delayed::ALL.len()],
    /// What the rows say, for the instruments.
    pub tally: Tally,
}

/// What a session is counted as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    attribution: Option<[&'static str; 3]>,
    /// Its pipeline was blanked.
    is_blanked: bool,
    is_closed: bool,
    latencies: [Latencies; 2],
}

impl Written {
    /// All of them.
    pub fn rows(&self) -> u32 {
        self.first + self.repeated + self.again
    }

    /// Counts a row.
    pub fn count(&mut self, put: Put) {
        match put {
            Put::First => self.first += 1,
            Put::Repeated => self.repeated += 1,
            Put::Again => self.again += 1,
            Put::Same | Put::TooLarge => {}
        }
    }

    fn count_as(&mut self, kind: Delayed, put: Put) {
        self.count(put);
        self.again_by[kind as usize] += u32::from(put == Put::Again);
    }

    /// Counts the row of a segment.
    pub(super) fn segment(&mut self, put: Put) {
        self.count_as(Delayed::Segment, put);
    }

    /// Counts the fact row of a signal.
    pub(super) fn fact(&mut self, put: Put, signal: &StoredBody) {
        match signal {
            StoredBody::Status { .. } => self.count_as(Delayed::Status, put),
            StoredBody::Trace { .. } => self.count_as(Delayed::Trace, put),
            StoredBody::Ai { .. } => self.count(put),
        }
    }

    /// Counts the session's row, of which became `put`, and tells what is new of the session since
    /// `before`; `None` when it is not known to be counted.
    fn session(&mut self, put: Put, (before, now): (Option<Counted>, Counted)) {
        self.count_as(Delayed::Session, put);
        let attributed = before.map_or(put.is_news(), |b| b.attribution != now.attribution);
        self.tally.attribution = now.attribution.filter(|_| attributed);
        let blanked = before.map_or(put.is_news(), |before| !before.is_blanked);
        self.tally.is_blanked = now.is_blanked && blanked;
        for (place, found) in now.latencies.into_iter().enumerate() {
            let news = before.map_or(put.is_news(), |before| {
                !before.is_closed || !before.latencies[place].counts_as(&found)
            });
            self.tally.latency[place] = Some(found).filter(|_| now.is_closed && news);
        }
    }

    /// Counts the rows that replace others as corrections, if there was a cause.
    fn corrections(&mut self, causes: Causes) {
        let Causes { late_event, late_capability, late_attribution, backfill } = causes;
        if late_event {
            self.tally.corrected(Cause::LateEvent, self.again);
        }
        if late_capability {
            self.tally.corrected(Cause::LateCapability, self.again);
        }
        if backfill {
            self.tally.corrected(Cause::Backfill, self.again);
        }
        if late_attribution {
            self.tally.delayed = self.again_by;
        }
    }
}

impl SessionActor {
    /// Tells what a session that has just woken is counted as: what it says now, if its rows are
    /// written. So only what changes from now on is news.
    pub fn recall(&mut self, retention_ms: Option<i64>) {
        if self.stale && !self.state.owes_rows {
            let story = self.story(retention_ms);
            let counted = Counted::of(&story, &story.identity());
            self.counted = Some(counted);
            self.observed = Observed::of(&self.summary);
        }
    }

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
            self.state.samples.due_from(ts);
        }
        // A copy: a panic on the way must leave what is known of the rows.
        let mut known = self.state.written.clone();
        let mut count = Written::default();
        let story = Story::of(&self.state, &self.summary);
        let displaced = take_back_displaced(&self.state, drawn.taken_back, pen, &mut count);
        let displaced_samples = take_back_samples(&self.state, pen, &mut count);
        let samples = write_samples(&story, pen, &mut count);
        let signals = write_signals(&story, self.dirty, pen, &mut count);
        if story.signals.is_empty() {
            // Its last signal lost its uid to another event. If it comes back, it is counted as new,
            // whether it has slept since or not.
            (known.session, self.counted) = (0, None);
        } else {
            let parts = RowParts::of(&story);
            let put = pen.put(&mut known.session, |stamp| session_row(&story, &parts, stamp));
            self.versions += u32::from(put.is_written());
            let now = Counted::of(&story, &parts.identity);
            let speaker = (&story, &parts.identity);
            write_latencies(pen, speaker, &now.latencies, &mut known.latency, &mut count);
            count.session(put, (self.counted.replace(now), now));
            let coverage = |stamp| session_coverage_row(&story, &parts, stamp);
            count.count(pen.put(&mut known.coverage, coverage));
            segments::write(&story, &mut known.segments, pen, &mut count);
            swaps::write(&story, &mut known.swaps, pen, &mut count);
        }
        let from = drawn.hours.update(&story, self.dirty);
        drawn.hours.write(&story, from, &mut known.hours, pen, &mut count);
        let first = drawn.hours.first(&story);
        figures::touch((&story, first), &mut known, &mut drawn.figures, pen);
        self.published = Some(check(&story, self.published.as_ref(), &count));
        note(&mut self.state.displaced[drawn.taken_back..], &displaced);
        note(&mut self.state.signals[self.dirty..], &signals);
        note_samples(&mut self.state.samples.displaced, &displaced_samples);
        note_samples(&mut self.state.samples.kept, &samples);
        drawn.taken_back = self.state.displaced.len();
        count.corrections(std::mem::take(&mut self.causes));
        // Samples alone make no session.
        self.shown_open =
            (!self.state.signals.is_empty()).then_some(self.summary.closed_ts.is_none());
        self.state.written = known;
        self.wrote_undecided = self.is_waiting();
        self.dirty = self.state.signals.len();
        self.drawn = Some(drawn);
        count
    }
}

impl Counted {
    fn of(story: &Story<'_>, identity: &Identity<'_>) -> Self {
        let found = |semantics| Latencies::of(semantics, story.summary, &story.state.symbols);
        Self {
            attribution: attribution(story, identity),
            is_blanked: identity.is_blanked,
            is_closed: story.summary.closed_ts.is_some(),
            latencies: SEMANTICS.map(found),
        }
    }
}

/// Counts what contradicts itself in what is written. Returns what is said of the session now.
fn check(story: &Story<'_>, before: Option<&Published>, count: &Written) -> Published {
    let published = Published::of(story);
    let defects = if count.rows() > 0 { lineage_defects(story) } else { Vec::new() };
    let steps = before.into_iter().flat_map(|before| before.illegal_steps(&published));
    for defect in defects.into_iter().chain(steps) {
        debug_assert!(defect.is_of_data(), "{}: {defect:?}", story.state.session_id);
        metrics::counter!(names::DATA_QUALITY_DEFECTS, "check" => defect.label()).increment(1);
    }
    published
}

/// In the order of the latency rows.
const SEMANTICS: [Semantics; 2] = [Semantics::V1, Semantics::V2];

fn write_latencies(
    pen: &mut Pen<'_>,
    (story, identity): (&Story<'_>, &Identity<'_>),
    found: &[Latencies; 2],
    known: &mut [u64; 2],
    count: &mut Written,
) {
    for ((semantics, found), last) in SEMANTICS.into_iter().zip(found).zip(known) {
        let row = |stamp| latency_row(story, identity, (semantics, found), stamp);
        count.count(pen.put(last, row));
    }
}

/// What the attribution of a session counts as; `None` while it is not decided.
fn attribution(story: &Story<'_>, identity: &Identity<'_>) -> Option<[&'static str; 3]> {
    let decided = match story.spokesman() {
        Some(selection) => !selection.undecided,
        None => story.summary.closed_ts.is_some(),
    };
    decided.then_some([identity.source, identity.method, identity.reason])
}
