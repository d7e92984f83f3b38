//! What the rows of a session say, as plain counts for the instruments (backlog 004).

use naap_protocol::event::TraceType;
use naap_protocol::state::StoredBody;

use super::latency::Latencies;
use super::pen::Put;

/// Labels `edge` of signals: every trace edge, then the families without edges.
pub(super) const EDGES: usize = TraceType::ALL.len() + 2;
/// Why a coverage row has no match, in the order of lifecycle 10, with none first and all others
/// last.
pub(super) const UNMATCHED: [&str; 7] = [
    "",
    "missing_stream_request_edge",
    "missing_first_processed_segment_edge",
    "missing_playable_edge",
    "awaiting_first_processed_segment_edge",
    "awaiting_playable_edge",
    "other",
];

/// What is written again when evidence comes late: label `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delayed {
    /// The row of the session.
    Session,
    /// A segment.
    Segment,
    /// A status sample.
    Status,
    /// A trace edge.
    Trace,
}

impl Delayed {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 4] = [Self::Session, Self::Segment, Self::Status, Self::Trace];

    /// The text of the label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Segment => "segment",
            Self::Status => "status",
            Self::Trace => "trace",
        }
    }
}

/// Why rows were written that replace others: label `cause`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A signal came more than 10 min late.
    LateEvent,
    /// An orchestrator said something new about what was written before.
    LateCapability,
    /// A backfill decided anew.
    Backfill,
}

impl Cause {
    /// Every cause, in declaration order.
    pub const ALL: [Self; 3] = [Self::LateEvent, Self::LateCapability, Self::Backfill];

    /// The text of the label.
    pub fn label(self) -> &'static str {
        match self {
            Self::LateEvent => "late_event",
            Self::LateCapability => "late_capability",
            Self::Backfill => "backfill",
        }
    }
}

/// What one write of a session says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Latencies v1 and v2 when the session is first seen closed, and when they change after that.
    /// `None` before, as a session that is still going lacks edges by nature.
    pub latency: [Option<Latencies>; 2],
    /// Coverage rows that are new, by edge of the signal and place of the reason in [`UNMATCHED`].
    pub(super) edges: [[u32; UNMATCHED.len()]; EDGES],
    /// Coverage rows written, by state (matched, awaiting, missing) and terminal flag.
    pub(super) coverage: [[u32; 2]; 3],
    /// Rows that replace others, by [`Cause`].
    pub(super) corrections: [u32; Cause::ALL.len()],
    /// Rows that were attributed after they had been written without, by [`Delayed`].
    pub(super) delayed: [u32; Delayed::ALL.len()],
    /// `attribution_source`, method and reason of the session, when they are decided and new.
    pub attribution: Option<[&'static str; 3]>,
    /// The session's pipeline is newly left blank, as it equals the model.
    pub is_blanked: bool,
    /// Swap rows that no swap trace explains and that are new.
    pub inferred_swaps: u32,
}

impl Tally {
    /// Counts the coverage row of a signal: `reason` is its `unmatched_reason`.
    pub fn coverage(&mut self, put: Put, signal: &StoredBody, reason: &str, terminal: bool) {
        if !put.is_news() {
            return;
        }
        let place = UNMATCHED.iter().position(|known| *known == reason);
        let place = place.unwrap_or(UNMATCHED.len() - 1);
        let state = match reason {
            "" => 0,
            _ if reason.starts_with("awaiting_") => 1,
            _ => 2,
        };
        self.coverage[state][usize::from(terminal)] += 1;
        if put == Put::First {
            self.edges[edge(signal)][place] += 1;
        }
    }

    /// Rows that replace others because of `cause`.
    pub fn corrections(&self, cause: Cause) -> u32 {
        self.corrections[cause as usize]
    }

    /// Counts rows that replace others because of `cause`.
    pub fn corrected(&mut self, cause: Cause, rows: u32) {
        self.corrections[cause as usize] += rows;
    }

    /// Counts a swap row that no swap trace explains.
    pub fn inferred_swap(&mut self, put: Put) {
        self.inferred_swaps += u32::from(put == Put::First);
    }
}

/// Place of a signal among [`EDGES`].
fn edge(signal: &StoredBody) -> usize {
    match signal {
        StoredBody::Trace { kind, .. } => *kind as usize,
        StoredBody::Status { .. } => TraceType::ALL.len(),
        StoredBody::Ai { .. } => TraceType::ALL.len() + 1,
    }
}
