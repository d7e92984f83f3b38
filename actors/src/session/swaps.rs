//! Swap lineage: who was left and who took over (lifecycle 6.1, clarifications 5 to 8 and 33).
//!
//! A swap trace owns what follows it up to the next swap trace, exhausted selection or close, and
//! completes when another orchestrator is seen there. Every segment boundary that completes no swap
//! trace is a row of its own, so that each boundary has exactly one completed row (clarification 6).

use std::collections::BTreeSet;

use naap_protocol::identity::{is_url, norm_url};
use naap_protocol::rows::sessions::Swap as SwapRow;
use naap_protocol::state::{StoredBody, StoredSignal};

use super::attribution::{Attributed, decision};
use super::emit::Written;
use super::pen::{Pen, Stamp, numbered};
use super::segments::retraction_ts;
use super::story::{Story, left_by};
use super::summary::{Mark, MarkKind, names_somebody};

/// One orchestrator of a swap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Party<'a> {
    /// Canonical address; `""` when not resolved.
    pub address: &'a str,
    /// Service URI; `""` when unknown.
    pub url: &'a str,
}

/// What a row of the lineage stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A swap trace.
    Explicit,
    /// A segment boundary that completes no swap trace.
    Inferred,
}

/// What came of a swap (lifecycle 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Another orchestrator took over.
    Completed,
    /// The same orchestrator went on.
    SameOrchestratorRetry,
    /// The session ran out of orchestrators or closed first.
    NoReplacement,
    /// The session is open and nothing has followed yet.
    Pending,
    /// Somebody followed, but it is not known who.
    Unresolved,
}

/// How it is known who took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A signal of the orchestrator.
    Signal,
    /// The next swap trace, which names it as the one that is left.
    NextSwap,
}

/// Who took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next<'a> {
    /// The orchestrator.
    pub party: Party<'a>,
    /// How that is known.
    pub evidence: Evidence,
    /// Place of the signal that tells.
    pub at: usize,
}

/// One row of the lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swap<'a> {
    /// What it stands for.
    pub kind: Kind,
    /// Place of the swap trace, or of the first signal of the new orchestrator.
    pub at: usize,
    /// Who was left.
    pub previous: Party<'a>,
    /// Who took over; `None` without evidence.
    pub next: Option<Next<'a>>,
    /// What came of it.
    pub outcome: Outcome,
    /// Segment that was left: the one in whose time the trace lies, or the one before the boundary;
    /// `None` after the close.
    pub from: Option<usize>,
    /// Segment of the signal that tells who took over; `None` without one, or after the close.
    pub to: Option<usize>,
}

/// What ends the window of a swap trace.
enum End {
    /// The swap trace at this place.
    Swap(usize),
    /// An exhausted selection or the close.
    Over,
    /// Nothing yet.
    Open,
}

/// The lineage of a session, ordered by (time, explicit first, uid).
pub fn lineage<'a>(story: &Story<'a>) -> Vec<Swap<'a>> {
    let marks = &story.summary.marks;
    let swap = |(nth, mark): (usize, &Mark)| {
        let is_swap = mark.kind == MarkKind::Swap;
        is_swap.then(|| explicit(story, mark.at as usize, marks.get(nth + 1)))
    };
    let mut swaps: Vec<Swap<'a>> = marks.iter().enumerate().filter_map(swap).collect();
    let done = swaps.iter().filter(|swap| swap.outcome == Outcome::Completed);
    let signals = done.filter_map(|swap| swap.next.filter(|n| n.evidence == Evidence::Signal));
    let done: BTreeSet<usize> = signals.map(|next| next.at).collect();
    let boundaries = story.segments.iter().enumerate().skip(1);
    let unowned = boundaries.filter(|(_, segment)| !done.contains(&segment.opened_by));
    swaps.extend(unowned.map(|(index, _)| inferred(story, index)));
    let of = |swap: &Swap<'_>| &story.signals[swap.at];
    swaps.sort_by(|a, b| {
        let (x, y) = (of(a), of(b));
        (x.ord_ts, a.kind).cmp(&(y.ord_ts, b.kind)).then_with(|| x.uid.cmp(&y.uid))
    });
    swaps
}

fn explicit<'a>(story: &Story<'a>, at: usize, following: Option<&Mark>) -> Swap<'a> {
    let (until, end) = match following {
        Some(mark) if mark.kind == MarkKind::Swap => {
            (mark.at as usize, End::Swap(mark.at as usize))
        }
        Some(mark) => (mark.at as usize, End::Over),
        // A swap after the close of its session has nobody to wait for.
        None if story.summary.closed_ts.is_some() => (story.signals.len(), End::Over),
        None => (story.signals.len(), End::Open),
    };
    let previous = previous(story, at);
    let window = Window::of(story, at, until);
    let other = window.seen.iter().find(|next| next.party.address != previous.address);
    let same = window.seen.iter().find(|next| next.party.address == previous.address);
    let named = match end {
        End::Swap(next) => named(story, next).map(|party| {
            let evidence = Evidence::NextSwap;
            Next { party, evidence, at: next }
        }),
        End::Over | End::Open => None,
    };
    let retry = Outcome::SameOrchestratorRetry;
    let (outcome, next) = match (other, named, same) {
        (Some(other), ..) => (Outcome::Completed, Some(*other)),
        (_, Some(named), _) if named.party.address != previous.address => {
            (Outcome::Completed, Some(named))
        }
        (_, Some(named), _) => (retry, Some(named)),
        _ if window.stranger => (Outcome::Unresolved, None),
        (_, None, Some(same)) => (retry, Some(*same)),
        (_, None, None) => match end {
            End::Swap(_) => (Outcome::Unresolved, None),
            End::Over => (Outcome::NoReplacement, None),
            End::Open => (Outcome::Pending, None),
        },
    };
    let seen = next.filter(|next| next.evidence == Evidence::Signal);
    let to = seen.and_then(|next| segment_of(story, next.at));
    Swap { kind: Kind::Explicit, at, previous, next, outcome, from: segment_at(story, at), to }
}

/// The boundary before the segment at `index`, which is not the first.
fn inferred<'a>(story: &Story<'a>, index: usize) -> Swap<'a> {
    let segment = story.segments[index];
    // Segments but the first are opened by a resolved selection.
    let place = segment.selection.unwrap_or_default();
    let before = story.selections[..place].iter().rev().find(|s| s.chosen().is_some());
    let next = signal(story, segment.opened_by, &story.selections[place]);
    Swap {
        kind: Kind::Inferred,
        at: segment.opened_by,
        previous: before.map(|selection| party(story, selection)).unwrap_or_default(),
        next: Some(next),
        outcome: Outcome::Completed,
        from: index.checked_sub(1),
        to: Some(index),
    }
}

/// What the signals that a swap trace owns show.
struct Window<'a> {
    /// The orchestrators that were seen, each with its first signal, in order.
    seen: Vec<Next<'a>>,
    /// A selection began that is not resolved.
    stranger: bool,
}

impl<'a> Window<'a> {
    /// The window of the swap trace at place `at`, which ends before place `until`.
    fn of(story: &Story<'a>, at: usize, until: usize) -> Self {
        let counted = story.counted();
        let begun = counted.partition_point(|s| s.selection.anchor as usize <= at);
        let ended = counted.partition_point(|s| (s.selection.anchor as usize) < until);
        let anchor = |selection: &Attributed<'_>| selection.selection.anchor as usize;
        // The selection that was in force goes on until the next one begins.
        let next = story.selections.get(begun).map_or(until, anchor).min(until);
        let current = begun.checked_sub(1).map(|current| &counted[current]);
        let going_on = current.and_then(|current| {
            let goes_on = (at + 1..next).find(|place| is_observed(story, *place));
            goes_on.map(|place| (place, current))
        });
        let new = &counted[begun..ended];
        let all = going_on.into_iter().chain(new.iter().map(|s| (anchor(s), s)));
        let resolved = all.filter(|(_, selection)| selection.chosen().is_some());
        Self {
            seen: resolved.map(|(place, selection)| signal(story, place, selection)).collect(),
            stranger: new.iter().any(|selection| selection.chosen().is_none()),
        }
    }
}

/// The signal at `place` names an orchestrator in the walk that makes the session's selections.
fn is_observed(story: &Story<'_>, place: usize) -> bool {
    let is_relayed = |signal: &StoredSignal| matches!(signal.body, StoredBody::Ai { .. });
    let symbols = &story.state.symbols;
    let first =
        story.selections.first().and_then(|s| story.signals.get(s.selection.anchor as usize));
    story.signals.get(place).zip(first).is_some_and(|(signal, first)| {
        names_somebody(signal, symbols) && is_relayed(signal) == is_relayed(first)
    })
}

fn signal<'a>(story: &Story<'a>, at: usize, selection: &Attributed<'a>) -> Next<'a> {
    Next { party: party(story, selection), evidence: Evidence::Signal, at }
}

fn party<'a>(story: &Story<'a>, selection: &Attributed<'a>) -> Party<'a> {
    Party { address: selection.canonical(), url: selection.url(&story.state.symbols) }
}

/// Whom the swap trace at place `at` left (clarification 7). Of the selections of its millisecond
/// only those before it in total order can be in force: one after it is who took over, and would
/// complete nothing if it were also who was left (clarification 6, validation 6).
fn previous<'a>(story: &Story<'a>, at: usize) -> Party<'a> {
    if let Some(party) = named(story, at) {
        return party;
    }
    let (url, address) = observed(story, at);
    let unnamed = url.is_empty() && address.is_empty();
    let symbols = &story.state.symbols;
    let in_force = story.counted_at(at).filter(|selection| {
        let current = &selection.selection;
        let same_url = !url.is_empty() && norm_url(url) == norm_url(symbols.text(current.url));
        let same_address = !address.is_empty() && address == symbols.text(current.address);
        selection.chosen().is_some() && (unnamed || same_url || same_address)
    });
    match in_force {
        Some(selection) => party(story, selection),
        None => Party { address: "", url },
    }
}

/// The orchestrator that the swap trace at place `at` names, if that is resolved.
fn named<'a>(story: &Story<'a>, at: usize) -> Option<Party<'a>> {
    let subject = left_by(story.signals.get(at)?, story.state, story.summary.hints)?;
    let chosen = decision(&story.state.answers, &subject)?.chosen.as_ref()?;
    let (url, _) = observed(story, at);
    Some(Party {
        address: &chosen.node.canonical,
        url: if url.is_empty() { &chosen.node.url } else { url },
    })
}

/// Service URI and wallet that the signal at place `at` shows.
fn observed<'a>(story: &Story<'a>, at: usize) -> (&'a str, &'a str) {
    let symbols = &story.state.symbols;
    let Some(signal) = story.signals.get(at) else { return ("", "") };
    let url = symbols.text(signal.url);
    (if is_url(url) { url } else { "" }, symbols.text(signal.address))
}

/// The segment in whose time the signal at place `at` lies; `None` after the close. Time decides, as
/// for the row of the signal itself, so a swap trace of the millisecond in which the next segment
/// begins lies in that one (clarification 33).
fn segment_at(story: &Story<'_>, at: usize) -> Option<usize> {
    let ts = story.signals.get(at)?.ord_ts;
    let is_over = story.summary.closed_ts.is_some_and(|closed| ts > closed);
    story.segment_at(ts).filter(|_| !is_over)
}

/// The segment of the signal at place `at`, which tells who took over: the one that it opened, though
/// another begins in the same millisecond (clarification 6), else as [`segment_at`].
fn segment_of(story: &Story<'_>, at: usize) -> Option<usize> {
    let opened = story.segments.binary_search_by_key(&at, |segment| segment.opened_by);
    opened.ok().or_else(|| segment_at(story, at))
}

/// Writes the rows that have changed, and takes back those that are no longer there. `known` holds
/// the hashes of the rows by index.
pub fn write(story: &Story<'_>, known: &mut Vec<u64>, pen: &mut Pen<'_>, written: &mut Written) {
    for (index, hash) in numbered(known, story.swaps.len()) {
        let swap = story.swaps.get(usize::from(index));
        let put = match swap {
            Some(swap) => {
                let uid = |at: usize| story.signals[at].uid.to_string();
                let uids = (uid(swap.at), swap.next.map_or_else(String::new, |next| uid(next.at)));
                pen.put(hash, |stamp| row(story, index, swap, (&uids.0, &uids.1), stamp))
            }
            None => pen.put(hash, |stamp| retracted(story, index, stamp)),
        };
        written.count(put);
        if swap.is_some_and(|swap| swap.kind == Kind::Inferred) {
            written.tally.inferred_swap(put);
        }
    }
}

fn row<'t>(
    story: &'t Story<'_>,
    index: u16,
    swap: &Swap<'t>,
    (uid, next_uid): (&'t str, &'t str),
    stamp: Stamp,
) -> SwapRow<'t> {
    let symbols = &story.state.symbols;
    let signal = &story.signals[swap.at];
    let is_explicit = swap.kind == Kind::Explicit;
    let swap_reason = match signal.body {
        StoredBody::Trace { message, .. } if is_explicit => symbols.text(message),
        _ => "",
    };
    let next = swap.next.map(|next| next.party).unwrap_or_default();
    let completed_ts = swap.next.map(|next| story.signals[next.at].ord_ts);
    let segment = |index: Option<usize>| index.and_then(|index| u16::try_from(index).ok());
    SwapRow {
        gateway: symbols.text(signal.gateway),
        swap_kind: swap.kind.label(),
        swap_ts: signal.ord_ts,
        swap_reason,
        previous_orchestrator_address: swap.previous.address,
        previous_orchestrator_url: swap.previous.url,
        next_orchestrator_address: next.address,
        next_orchestrator_url: next.url,
        next_evidence: swap.next.map_or("", |next| next.evidence.label()),
        outcome: swap.outcome.label(),
        completed_ts,
        gap_ms: completed_ts.map(|completed| completed.millis_since(signal.ord_ts)),
        from_segment_index: segment(swap.from),
        to_segment_index: segment(swap.to),
        swap_event_uid: if is_explicit { uid } else { "" },
        next_event_uid: next_uid,
        is_retracted: false,
        ..key(story, index, stamp)
    }
}

fn retracted<'t>(story: &'t Story<'_>, index: u16, stamp: Stamp) -> SwapRow<'t> {
    SwapRow { swap_ts: retraction_ts(story), is_retracted: true, ..key(story, index, stamp) }
}

fn key<'t>(story: &'t Story<'_>, index: u16, stamp: Stamp) -> SwapRow<'t> {
    SwapRow {
        org: &story.state.org,
        workflow_session_id: &story.state.session_id,
        swap_index: index,
        version: stamp.version,
        ingestion_timestamp: stamp.now,
        ..SwapRow::default()
    }
}

impl Kind {
    /// `swap_kind`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Inferred => "inferred",
        }
    }
}

impl Evidence {
    /// `next_evidence`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::NextSwap => "next_swap",
        }
    }
}

impl Outcome {
    /// `outcome`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::SameOrchestratorRetry => "same_orchestrator_retry",
            Self::NoReplacement => "no_replacement",
            Self::Pending => "pending",
            Self::Unresolved => "unresolved",
        }
    }
}
