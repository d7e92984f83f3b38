//! The story of a session: its selections with their decisions, and the segments that follow
//! (lifecycle 5.3). Everything that is written of a session is read off it.

use std::collections::BTreeSet;

use naap_protocol::capability::decide::Status;
use naap_protocol::capability::evidence::Subject;
use naap_protocol::state::{SessionState, StoredBody, StoredSignal};
use naap_protocol::time::Timestamp;

use super::attribution::{Attributed, Identity, hint_of, subject};
use super::selection::{Hints, counted};
use super::summary::{MarkKind, Summary, names_somebody};
use super::swaps::{Swap, lineage};

/// Samples up to this long after the close still belong to the last segment (lifecycle 8.2.2).
pub const CLOSE_GRACE_MS: i64 = 5_000;

/// A stretch of the session with one canonical orchestrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Start, inclusive.
    pub start: Timestamp,
    /// End, exclusive; `None` while the session is open and this is its last segment.
    pub end: Option<Timestamp>,
    /// The first resolved selection in it, as a place in [`Story::selections`]; `None` when no
    /// selection of the segment resolves, which only the first segment can have.
    pub selection: Option<usize>,
    /// Place of the signal that opened it.
    pub opened_by: usize,
}

/// A session with everything that follows from its signals and their evidence.
#[derive(Debug)]
pub struct Story<'a> {
    /// The state.
    pub state: &'a SessionState,
    /// The fold of [`Story::signals`].
    pub summary: &'a Summary,
    /// The signals that count, in total order.
    pub signals: &'a [StoredSignal],
    /// Every selection in order, also those after the close.
    pub selections: Vec<Attributed<'a>>,
    /// How many of the selections count: those that began no later than the close.
    pub counted: usize,
    /// The segments in order; none before the first signal.
    pub segments: Vec<Segment>,
    /// The swap lineage in order.
    pub swaps: Vec<Swap<'a>>,
}

/// What covers a moment of a session (lifecycle 8.2).
#[derive(Clone, Debug)]
pub struct Cover<'s, 'a> {
    /// The segment; `None` when the moment is after the close.
    pub segment: Option<u16>,
    /// The selection in force if it is resolved, else the reason why there is no identity.
    pub force: Result<&'s Attributed<'a>, &'static str>,
    /// The selection in force, resolved or not.
    pub selection: Option<&'s Attributed<'a>>,
}

impl<'a> Story<'a> {
    /// The story of `state`, of which `summary` is the fold.
    pub fn of(state: &'a SessionState, summary: &'a Summary) -> Self {
        let signals = summary.folded(&state.signals);
        let all = summary.all_selections();
        let selections: Vec<_> =
            all.iter().map(|s| Attributed::of(state, *s, summary.hints)).collect();
        let counted = counted(all, summary.closed_ts);
        let start = signals.first().map(|signal| signal.ord_ts);
        let segments = start
            .map(|start| segments(start, summary.closed_ts, &selections[..counted]))
            .unwrap_or_default();
        let swaps = Vec::new();
        let mut story = Self { state, summary, signals, selections, counted, segments, swaps };
        story.swaps = lineage(&story);
        story
    }

    /// The selections that count.
    pub fn counted(&self) -> &[Attributed<'a>] {
        &self.selections[..self.counted]
    }

    /// The selection that speaks for the session: the last resolved one, else the last
    /// (clarification 9). `None` without selections.
    pub fn spokesman(&self) -> Option<&Attributed<'a>> {
        let counted = self.counted();
        counted.iter().rev().find(|s| s.chosen().is_some()).or(counted.last())
    }

    /// The identity columns of the session.
    pub fn identity(&self) -> Identity<'a> {
        match self.spokesman() {
            Some(selection) => Identity::of(selection, &self.state.symbols),
            None => Identity::unobserved(hint_of(self.summary.hints, &self.state.symbols)),
        }
    }

    /// Distinct canonical orchestrators of the session.
    pub fn canonicals(&self) -> BTreeSet<&'a str> {
        self.counted().iter().map(Attributed::canonical).filter(|c| !c.is_empty()).collect()
    }

    /// What covers the moment `t` (lifecycle 8.2.2 to 8.2.4, clarifications 28 and 30).
    pub fn cover(&self, t: Timestamp) -> Cover<'_, 'a> {
        let closed = self.summary.closed_ts;
        if closed.is_some_and(|closed| t.millis_since(closed) > CLOSE_GRACE_MS) {
            return Cover { segment: None, force: Err("after_close"), selection: None };
        }
        let segment = self.segment_at(t).map(|index| index.min(u16::MAX.into()) as u16);
        let begun = self.selections.partition_point(|s| s.selection.ts <= t);
        let selection = begun.checked_sub(1).and_then(|last| self.selections.get(last));
        let force = match selection {
            Some(_) if begun > self.counted => Err("after_close"),
            _ if self.counted == 0 => Err("no_selection"),
            None => Err("pre_selection"),
            Some(selection) => match selection.decision.status {
                Status::Resolved | Status::HardwareLess | Status::Stale => Ok(selection),
                Status::Ambiguous => Err("ambiguous_selection"),
                Status::Unresolved => Err("unresolved_selection"),
            },
        };
        Cover { segment, force, selection }
    }

    /// The segment whose time `t` lies in: that which began last, start inclusive (lifecycle 8.2.2).
    /// When the last one ends is left to the caller.
    pub fn segment_at(&self, t: Timestamp) -> Option<usize> {
        self.segments.partition_point(|segment| segment.start <= t).checked_sub(1)
    }

    /// The selection in force at the signal at place `at`, in total order; `None` if that one does not
    /// count.
    pub fn counted_at(&self, at: usize) -> Option<&Attributed<'a>> {
        let begun = self.selections.partition_point(|s| s.selection.anchor as usize <= at);
        begun.checked_sub(1).and_then(|last| self.counted().get(last))
    }
}

/// Everything that a session has to ask the orchestrators about: its selections, and what its swap
/// traces say was left (lifecycle 6.1, clarification 7).
pub fn subjects(state: &SessionState, summary: &Summary) -> Vec<Subject> {
    let symbols = &state.symbols;
    let mut subjects: Vec<Subject> = Vec::new();
    for selection in summary.selections() {
        let hint = hint_of(selection.hints.or(summary.hints), symbols);
        let (url, address) = (symbols.text(selection.url), symbols.text(selection.address));
        let subject = subject(selection.ts, url, address, &hint);
        if !holds(&subjects, &subject) {
            subjects.push(subject);
        }
    }
    let swaps = subjects.len();
    for mark in summary.marks.iter().filter(|mark| mark.kind == MarkKind::Swap) {
        let swap = state.signals.get(mark.at as usize);
        if let Some(left) = swap.and_then(|swap| left_by(swap, state, summary.hints))
            && !holds(&subjects[..swaps], &left)
            && !holds(&subjects[swaps..], &left)
        {
            subjects.push(left);
        }
    }
    subjects
}

/// Whether `subject` is among `ascending` ones: a session may have thousands.
fn holds(ascending: &[Subject], subject: &Subject) -> bool {
    let from = ascending.partition_point(|known| known.ts < subject.ts);
    ascending[from..]
        .iter()
        .take_while(|known| known.ts == subject.ts)
        .any(|known| known == subject)
}

/// What a swap trace says was left; `None` when it names no orchestrator or is no swap trace.
pub fn left_by(signal: &StoredSignal, state: &SessionState, session: Hints) -> Option<Subject> {
    let symbols = &state.symbols;
    if !names_somebody(signal, symbols) || !matches!(signal.body, StoredBody::Trace { .. }) {
        return None;
    }
    let (url, address) = (symbols.text(signal.url), symbols.text(signal.address));
    let hint = hint_of(Hints::of(signal.hint, symbols).or(session), symbols);
    Some(subject(signal.ord_ts, url, address, &hint))
}

/// Cuts a session that starts at `start` where a resolved selection names another canonical
/// orchestrator. `selections` are those that count.
fn segments(
    start: Timestamp,
    closed: Option<Timestamp>,
    selections: &[Attributed<'_>],
) -> Vec<Segment> {
    let mut segments = vec![Segment { start, end: None, selection: None, opened_by: 0 }];
    let mut current = "";
    for (place, attributed) in selections.iter().enumerate() {
        let canonical = attributed.canonical();
        if canonical.is_empty() || canonical == current {
            continue;
        }
        let Some(last) = segments.last_mut() else { break };
        if current.is_empty() {
            last.selection = Some(place);
        } else {
            let start = attributed.selection.ts;
            last.end = Some(start);
            let opened_by = attributed.selection.anchor as usize;
            segments.push(Segment { start, end: None, selection: Some(place), opened_by });
        }
        current = canonical;
    }
    if let Some(last) = segments.last_mut() {
        last.end = closed;
    }
    segments
}
