//! What is written of a session: every row that differs from what is stored.
//!
//! Rows of the session as a whole are made anew each time and compared by hash. Rows of single
//! signals are made from the first place on that can have changed: a new or displaced signal, a
//! selection that is another one now, an answer, or the close.

use naap_protocol::time::Timestamp;

use super::SessionActor;
use super::attribution::Identity;
use super::invariants::{Published, lineage_defects};
use super::latency::{Latencies, Semantics, latency_row};
use super::pen::{Pen, Put};
use super::row::{RowTexts, session_row};
use super::selection::{Hints, Selection};
use super::story::Story;
use super::summary::Summary;
use super::tally::{Cause, Delayed, Tally};
use super::{segments, swaps};
use crate::names;

/// What rows were read off: what else than single signals their identity depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    selections: Vec<Selection>,
    hints: Hints,
    closed_ts: Option<Timestamp>,
    /// What the attribution of the session was counted as.
    attribution: Option<[&'static str; 3]>,
}

/// Why rows that were written may be corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causes {
    /// A signal came late.
    pub late_event: bool,
    /// An orchestrator said something new about what was written.
    pub late_capability: bool,
    /// It made something known that was not attributed.
    pub late_attribution: bool,
}

/// Rows written of a session in one go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that are new in this epoch.
    pub first: u32,
    /// Rows that replace others.
    pub again: u32,
    /// What the rows say, for the instruments.
    pub tally: Tally,
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

    /// Counts the latency rows, and tells what is new of the session between `before`, `None` after
    /// waking, and `now`. `put` is what became of its row.
    fn session(
        &mut self,
        put: Put,
        latencies: [(Put, Latencies); 2],
        (before, now): (Option<&Drawn>, &Drawn),
    ) {
        let attributed = before.map_or(put == Put::First, |b| b.attribution != now.attribution);
        self.tally.attribution = now.attribution.filter(|_| attributed);
        let closes = before.map_or(put.is_written(), |before| before.closed_ts.is_none());
        for (place, (put, found)) in latencies.into_iter().enumerate() {
            self.count(put);
            let settled = now.closed_ts.is_some() && (closes || put.is_written());
            self.tally.latency[place] = settled.then_some(found);
        }
    }

    /// Counts the rows that replace others as corrections, if there was a cause.
    fn corrections(&mut self, causes: Causes) {
        let Causes { late_event, late_capability, late_attribution } = causes;
        if late_event {
            self.tally.corrected(Cause::LateEvent, self.again);
        }
        if late_capability {
            self.tally.corrected(Cause::LateCapability, self.again);
        }
        if late_attribution && self.again > 0 {
            self.tally.delayed(Delayed::Session);
        }
    }
}

impl Drawn {
    fn of(summary: &Summary) -> Self {
        Self {
            selections: summary.all_selections().to_vec(),
            hints: summary.hints,
            closed_ts: summary.closed_ts,
            attribution: None,
        }
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
        let hints = (self.hints != other.hints).then_some(Timestamp(i64::MIN));
        let closes = [self.closed_ts, other.closed_ts].into_iter().flatten().min();
        let closed = closes.filter(|_| self.closed_ts != other.closed_ts);
        selections.into_iter().chain(hints).chain(closed).min()
    }
}

impl SessionActor {
    /// Writes every row that differs from what is stored.
    pub fn write(&mut self, pen: &mut Pen<'_>, retention_ms: Option<i64>) -> Written {
        self.fold(retention_ms);
        let mut drawn = Drawn::of(&self.summary);
        let differs = match &self.drawn {
            Some(before) => before.differs_from(&drawn),
            None => Some(Timestamp(i64::MIN)),
        };
        if let Some(ts) = differs {
            let place = self.state.signals.partition_point(|s| s.ord_ts < ts);
            self.dirty = self.dirty.min(place);
        }
        let mut known = std::mem::take(&mut self.state.written);
        let mut count = Written::default();
        let story = Story::of(&self.state, &self.summary);
        if !story.signals.is_empty() {
            let texts = RowTexts::of(&story);
            let put = pen.put(&mut known.session, |stamp| session_row(&story, &texts, stamp));
            count.count(put);
            self.versions += u32::from(put.is_written());
            let latencies = write_latencies(pen, (&story, &texts.identity), &mut known.latency);
            drawn.attribution = attribution(&story, &texts.identity);
            count.session(put, latencies, (self.drawn.as_ref(), &drawn));
            segments::write(&story, &mut known.segments, pen, &mut count);
            swaps::write(&story, &mut known.swaps, pen, &mut count);
        }
        let published = Published::of(&story);
        let rows_differ = count.first + count.again > 0;
        let defects = if rows_differ { lineage_defects(&story) } else { Vec::new() };
        let steps = self.published.iter().flat_map(|before| before.illegal_steps(&published));
        for defect in defects.into_iter().chain(steps) {
            metrics::counter!(names::DATA_QUALITY_DEFECTS, "check" => defect.label()).increment(1);
        }
        self.published = Some(published);
        count.corrections(std::mem::take(&mut self.causes));
        self.state.written = known;
        self.dirty = self.state.signals.len();
        self.drawn = Some(drawn);
        count
    }
}

fn write_latencies(
    pen: &mut Pen<'_>,
    (story, identity): (&Story<'_>, &Identity<'_>),
    known: &mut [u64; 2],
) -> [(Put, Latencies); 2] {
    let [v1, v2] = known;
    [(Semantics::V1, v1), (Semantics::V2, v2)].map(|(semantics, last)| {
        let found = Latencies::of(semantics, story.summary, &story.state.symbols);
        let row = |stamp| latency_row(story, identity, (semantics, &found), stamp);
        (pen.put(last, row), found)
    })
}

/// What the attribution of a session counts as; `None` while it is not decided.
fn attribution(story: &Story<'_>, identity: &Identity<'_>) -> Option<[&'static str; 3]> {
    let decided = match story.spokesman() {
        Some(selection) => !selection.undecided,
        None => story.summary.closed_ts.is_some(),
    };
    decided.then_some([identity.source, identity.method, identity.reason])
}
