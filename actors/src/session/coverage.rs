//! Which lifecycle edges a session has and misses: as of each of its signals, and as a whole
//! (lifecycle 10).
//!
//! A row of a signal tells the session as of that signal: what the signals up to it in total order
//! say. Whom the selections among these resolve to is today's knowledge; so are the hints that a
//! selection was asked with. Rows are corrected when either changes.

use naap_protocol::event::TraceType;
use naap_protocol::identity::is_blank;
use naap_protocol::rows::sessions::SessionCoverage;
use naap_protocol::rows::signals::EdgeCoverage;
use naap_protocol::state::{StoredBody, StoredSignal, Sym};
use naap_protocol::time::Timestamp;

use super::attribution::{Identity, hint_of};
use super::pen::Stamp;
use super::row::RowParts;
use super::samples::{Line, row, trace_type};
use super::selection::Hints;
use super::story::Story;
use super::summary::{Edge, MarkKind};

/// Edges that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edges {
    known: bool,
    processed: bool,
    playable: bool,
    pub(super) terminal: bool,
}

impl Edges {
    /// `unmatched_reason`: the first edge that is missing or awaited, in the order of lifecycle 10.
    pub(super) fn unmatched(self) -> &'static str {
        match self {
            Self { known: false, .. } => "missing_stream_request_edge",
            Self { terminal: true, processed: false, .. } => "missing_first_processed_segment_edge",
            Self { terminal: true, playable: false, .. } => "missing_playable_edge",
            Self { processed: false, .. } => "awaiting_first_processed_segment_edge",
            Self { playable: false, .. } => "awaiting_playable_edge",
            _ => "",
        }
    }
}

/// The session as of one signal after another. Moves forward only.
#[derive(Debug)]
pub struct Prefix<'r> {
    story: &'r Story<'r>,
    /// Marks that were passed.
    marks: usize,
    /// Latest close among them.
    closed: Option<Timestamp>,
    /// Selections that began and count as of here.
    counted: usize,
    /// The last resolved one of these, as a place.
    resolved: Option<usize>,
    /// The identity as of the last place that was asked for.
    identity: Option<(Speaker, Identity<'r>)>,
    /// Place of the first signal that names a gateway; beyond all if none does.
    gateway: u32,
}

/// What the identity of a session is read off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    /// A selection, as a place.
    Selection(usize),
    /// The first hints, where nothing was selected.
    Hints(Hints),
}

impl<'r> Prefix<'r> {
    /// The walk over `story` from its start.
    pub fn of(story: &'r Story<'r>) -> Self {
        let named = |signal: &StoredSignal| !is_blank(story.state.symbols.text(signal.gateway));
        let gateway = story.signals.iter().position(named).map_or(u32::MAX, |at| at as u32);
        Self { story, marks: 0, closed: None, counted: 0, resolved: None, identity: None, gateway }
    }

    /// Goes to the signal at place `at`.
    fn advance(&mut self, at: u32) {
        let Story { summary, signals, selections, .. } = self.story;
        while let Some(mark) = summary.marks.get(self.marks).filter(|mark| mark.at <= at) {
            if mark.kind == MarkKind::Close {
                self.closed = signals.get(mark.at as usize).map(|close| close.ord_ts);
            }
            self.marks += 1;
        }
        // A later close lets selections count that began after an earlier one; none is lost, because
        // a close is no earlier than what stands before it.
        while let Some(next) = selections.get(self.counted).filter(|next| {
            let selection = next.selection;
            selection.anchor <= at && self.closed.is_none_or(|closed| selection.ts <= closed)
        }) {
            if next.chosen().is_some() {
                self.resolved = Some(self.counted);
            }
            self.counted += 1;
        }
    }

    /// The identity columns of the session as of `at`: as in [`Story::identity`].
    fn identity(&mut self, at: u32) -> &Identity<'r> {
        self.advance(at);
        let Story { state, summary, selections, .. } = self.story;
        let place = self.resolved.or(self.counted.checked_sub(1));
        let speaker =
            place.map_or_else(|| Speaker::Hints(summary.hints_at(at)), Speaker::Selection);
        let known = self.identity.take().filter(|(known, _)| *known == speaker);
        let identity = known.unwrap_or_else(|| {
            let selection = place.and_then(|place| selections.get(place));
            let identity = match (speaker, selection) {
                (_, Some(selection)) => Identity::of(selection, &state.symbols),
                (Speaker::Hints(hints), None) => {
                    Identity::unobserved(hint_of(hints, &state.symbols))
                }
                (Speaker::Selection(_), None) => Identity::unattributed("no_selection"),
            };
            (speaker, identity)
        });
        &self.identity.insert(identity).1
    }

    /// The first gateway of the session as of `at`.
    pub(super) fn gateway(&self, at: u32) -> Sym {
        if self.gateway <= at { self.story.summary.gateway } else { Sym::default() }
    }

    /// The edges that were seen as of `signal`, which stands at place `at`.
    pub(super) fn edges(&self, at: u32, signal: &StoredSignal) -> Edges {
        let summary = self.story.summary;
        let seen = |edge: Option<Edge>| edge.is_some_and(|edge| edge.at <= at);
        Edges {
            known: seen(summary.request),
            processed: seen(summary.processed),
            playable: seen(summary.playable),
            terminal: is_close(signal),
        }
    }

    /// The coverage row of the signal at place `at`.
    pub fn row<'s>(&'s mut self, at: u32, line: &'s Line<'s>, stamp: Stamp) -> EdgeCoverage<'s> {
        let edges = self.edges(at, line.signal);
        let identity = self.identity(at);
        row!(EdgeCoverage, line, stamp, {
            gateway: line.text(line.gateway),
            orchestrator_address: identity.address,
            pipeline: &identity.pipeline,
            model_id: &identity.model,
            trace_type: trace_type(line.signal),
            known_stream: edges.known,
            has_first_processed_edge: edges.processed,
            has_first_playable_edge: edges.playable,
            startup_edge_matched: edges.known && edges.processed,
            playable_edge_matched: edges.known && edges.playable,
            is_terminal_signal: edges.terminal,
            unmatched_reason: edges.unmatched(),
        })
    }
}

/// The signal is a close trace.
pub(crate) fn is_close(signal: &StoredSignal) -> bool {
    matches!(signal.body, StoredBody::Trace { kind: TraceType::GatewayIngestStreamClosed, .. })
}

/// The coverage row of a session that has signals. It is terminal when the session is closed.
pub fn session_coverage_row<'a>(
    story: &'a Story<'a>,
    parts: &'a RowParts<'a>,
    stamp: Stamp,
) -> SessionCoverage<'a> {
    let (Story { state, summary, .. }, identity) = (story, &parts.identity);
    let edges = Edges {
        known: summary.request.is_some(),
        processed: summary.processed.is_some(),
        playable: summary.playable.is_some(),
        terminal: summary.closed_ts.is_some(),
    };
    SessionCoverage {
        org: &state.org,
        workflow_session_id: &state.session_id,
        stream_id: &state.stream_id,
        request_id: &state.request_id,
        gateway: state.symbols.text(summary.gateway),
        orchestrator_address: identity.address,
        pipeline: &identity.pipeline,
        model_id: &identity.model,
        session_start_ts: summary.start_ts.unwrap_or_default(),
        session_end_ts: summary.end_ts.unwrap_or_default(),
        known_stream: edges.known,
        has_first_processed_edge: edges.processed,
        has_first_playable_edge: edges.playable,
        startup_edge_matched: edges.known && edges.processed,
        playable_edge_matched: edges.known && edges.playable,
        is_terminal: edges.terminal,
        unmatched_reason: edges.unmatched(),
        late_after_close_count: parts.close.post_close_signals,
        version: stamp.version,
        ingestion_timestamp: stamp.now,
    }
}
