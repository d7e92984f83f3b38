//! What is written of a session: every row that differs from what is stored.
//!
//! Rows of the session as a whole are made anew each time and compared by hash. Rows of single
//! signals are made from the first place on that can have changed: a new or displaced signal, a
//! selection that is another one now, an answer, or the close.

use naap_protocol::time::Timestamp;

use super::SessionActor;
use super::pen::{Pen, Put};
use super::row::{RowTexts, session_row};
use super::selection::{Hints, Selection};
use super::story::Story;
use super::summary::Summary;

/// What rows were read off: what else than single signals their identity depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    selections: Vec<Selection>,
    hints: Hints,
    closed_ts: Option<Timestamp>,
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
    fn of(summary: &Summary) -> Self {
        Self {
            selections: summary.all_selections().to_vec(),
            hints: summary.hints,
            closed_ts: summary.closed_ts,
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
        let drawn = Drawn::of(&self.summary);
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
            count.count(pen.put(&mut known.session, |stamp| session_row(&story, &texts, stamp)));
        }
        self.state.written = known;
        self.dirty = self.state.signals.len();
        self.drawn = Some(drawn);
        count
    }
}
