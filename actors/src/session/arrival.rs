//! How a signal came: too late, before its time, or in order (backlog 002, 004). Told by metrics
//! only, as rows do not depend on it.

use naap_protocol::event::TraceType;
use naap_protocol::state::{StoredBody, StoredSignal};

use super::lateness::{Lateness, late_ms};
use super::summary::is_believed;

/// How a signal came that has become part of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Class of its lateness.
    pub lateness: Lateness,
    /// Broker time minus gateway time, ms; negative when it is from the future.
    pub late_ms: i64,
    /// A later signal of the session was there before it.
    pub out_of_order: bool,
    /// Edges that were there before it although it comes logically before them.
    pub overtaken_by: Edges,
    /// It says that the stream runs since a time that is not believed (lifecycle 1.7.2).
    pub ignored_start: bool,
}

/// A set of trace edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edges(u16);

impl Edges {
    fn add(&mut self, kind: TraceType) {
        self.0 |= 1 << kind as u16;
    }

    /// The edges of the set.
    pub fn iter(self) -> impl Iterator<Item = TraceType> {
        TraceType::ALL.into_iter().filter(move |kind| self.0 & (1 << *kind as u16) != 0)
    }
}

impl Arrival {
    /// How the signal at `place` of `signals` came. `expired` says that the session is over since
    /// long and does not fold it.
    pub fn of(signals: &[StoredSignal], place: usize, expired: bool) -> Self {
        let late_ms = signals.get(place).map_or(0, |s| late_ms(s.record_ts, s.ord_ts));
        let lateness = if expired { Lateness::Expired } else { Lateness::of(late_ms) };
        let out_of_order = place + 1 < signals.len();
        let overtaken_by =
            if out_of_order { overtaken_by(signals, place) } else { Edges::default() };
        let ignored_start = !expired && signals.get(place).is_some_and(names_ignored_start);
        Self { lateness, late_ms, out_of_order, overtaken_by, ignored_start }
    }
}

fn names_ignored_start(signal: &StoredSignal) -> bool {
    match signal.body {
        StoredBody::Status { start_time: Some(start), .. } => !is_believed(start, signal.ord_ts),
        StoredBody::Status { .. } | StoredBody::Trace { .. } | StoredBody::Ai { .. } => false,
    }
}

/// The edges behind `place` that follow logically from the edge there, if that is its first.
fn overtaken_by(signals: &[StoredSignal], place: usize) -> Edges {
    let mut edges = Edges::default();
    let Some(kind) = edge(&signals[place]) else { return edges };
    let first = signals.iter().position(|signal| edge(signal) == Some(kind)) == Some(place);
    let behind = &signals[place + 1..];
    if first && behind.iter().all(|signal| edge(signal) != Some(kind)) {
        let after = behind.iter().filter_map(edge).filter(|e| predecessor(*e) == Some(kind));
        after.for_each(|edge| edges.add(edge));
    }
    edges
}

fn edge(signal: &StoredSignal) -> Option<TraceType> {
    match signal.body {
        StoredBody::Trace { kind, .. } => Some(kind),
        StoredBody::Status { .. } | StoredBody::Ai { .. } => None,
    }
}

/// The edge that comes before in a session that runs as it should. Edges that may come at any time
/// have none.
fn predecessor(edge: TraceType) -> Option<TraceType> {
    match edge {
        TraceType::GatewayReceiveStreamRequest
        | TraceType::GatewayNoOrchestratorsAvailable
        | TraceType::OrchestratorSwap => None,
        TraceType::GatewaySendFirstIngestSegment
        | TraceType::RunnerReceiveStreamRequest
        | TraceType::GatewayReceiveFirstProcessedSegment
        | TraceType::GatewayReceiveFirstDataSegment
        | TraceType::GatewayIngestStreamClosed => Some(TraceType::GatewayReceiveStreamRequest),
        TraceType::RunnerReceiveFirstIngestSegment | TraceType::RunnerSendFirstProcessedSegment => {
            Some(TraceType::GatewaySendFirstIngestSegment)
        }
        TraceType::GatewayReceiveFewProcessedSegments => {
            Some(TraceType::GatewayReceiveFirstProcessedSegment)
        }
    }
}
