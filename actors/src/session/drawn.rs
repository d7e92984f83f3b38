//! What the written rows of a session were read off, and from where on they can differ.

use naap_protocol::time::Timestamp;

use super::figures::Figures;
use super::hours::Hours;
use super::selection::{Hints, Selection};
use super::summary::Summary;

/// What rows were read off: what else than single signals their identity depends on. Not part of the
/// state: after waking, every row is made again and compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawn {
    selections: Vec<Selection>,
    hints: Hints,
    pub(super) closed_ts: Option<Timestamp>,
    /// A selection counts.
    selected: bool,
    pub(super) hours: Hours,
    /// Displaced signals whose rows are taken back.
    pub(super) taken_back: usize,
    /// What figures take from the session as a whole.
    pub(super) figures: Figures,
}

impl Drawn {
    /// Brings the record up to date with `summary`. Returns the earliest moment whose identity can
    /// differ.
    pub(super) fn renew(&mut self, summary: &Summary) -> Option<Timestamp> {
        let now = Self {
            selections: summary.all_selections().to_vec(),
            hints: summary.hints,
            closed_ts: summary.closed_ts,
            selected: !summary.selections().is_empty(),
            hours: std::mem::take(&mut self.hours),
            taken_back: self.taken_back,
            figures: self.figures,
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
