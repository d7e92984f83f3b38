//! Latency of a session in both edge semantics (lifecycle 9, clarifications 36 and 37, backlog 002).
//!
//! Only times of one clock are subtracted; the one figure that joins two clocks goes through the
//! session's skew estimate and says so. A figure that can not be known is missing for a reason and
//! never clamped to zero.

use naap_protocol::rows::latency::Latency;
use naap_protocol::state::Symbols;
use naap_protocol::time::Timestamp;

use super::attribution::Identity;
use super::pen::Stamp;
use super::story::Story;
use super::summary::{Edge, Summary};

/// A larger estimate of the clock difference tells that one of the clocks is broken.
const MAX_SKEW_MS: u64 = 5_000;
/// Figures above this are kept and counted as implausible (backlog 002 rule 4).
const IMPLAUSIBLE_MS: i64 = 600_000;

/// Why a figure is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The edge that it starts with was not seen.
    StartEdge,
    /// The edge that it ends with was not seen.
    EndEdge,
    /// Its edges were stamped by two gateways, whose clocks nobody compares. Told as a missing end.
    OtherGateway,
    /// The clock difference of the runner is unknown or too large.
    CrossClockSkew,
    /// The end lies before the start.
    NegativeInterval,
}

impl Missing {
    /// The text of the `*_null_reason` columns.
    pub fn label(self) -> &'static str {
        match self {
            Self::StartEdge => "missing_start_edge",
            Self::EndEdge | Self::OtherGateway => "missing_end_edge",
            Self::CrossClockSkew => "cross_clock_skew",
            Self::NegativeInterval => "negative_interval",
        }
    }
}

/// A latency in ms, never below 0, or why there is none.
pub type Figure = Result<i64, Missing>;

/// True for a figure that is kept although hardly a session takes that long.
pub fn is_implausible(figure: Figure) -> bool {
    figure.is_ok_and(|ms| ms > IMPLAUSIBLE_MS)
}

/// Definition of the edges: column `edge_semantics_version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semantics {
    /// What was measured of old, gateway edges only.
    V1,
    /// What is served.
    V2,
}

impl Semantics {
    /// The text that is stored.
    pub fn label(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// The figures of a session in one of the semantics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// V1 request to first processed segment; v2 start at the runner to playable.
    pub prompt_to_first_frame: Figure,
    /// V1 first processed segment to playable; v2 request to first processed segment.
    pub startup: Figure,
    /// V1 request to playable; v2 first ingest segment sent to first output relayed.
    pub e2e: Figure,
    /// What v2 tells beside its figures; all blank in v1.
    pub diagnostics: Diagnostics,
}

/// What stands beside the figures of v2: facts for the curious, in no average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// Gateway minus runner clock, ms; `None` without runner stamps.
    pub skew_ms: Option<i64>,
    /// `e2e` by the raw runner stamp, ms, may be negative; `None` when an edge or stamp is missing.
    pub e2e_source_ms: Option<i64>,
    /// `prompt_to_first_frame` by the raw runner stamp, ms, may be negative; `None` when an edge is
    /// missing.
    pub prompt_source_ms: Option<i64>,
    /// First ingest segment sent to first processed segment back, ms; `None` when there is none.
    pub first_frame_round_trip_ms: Option<i64>,
    /// The first output was relayed after its result was back: `e2e` measures the relay.
    pub late_trickle: bool,
}

impl Latencies {
    /// The figures that follow from `summary`, whose texts are in `symbols`.
    pub fn of(semantics: Semantics, summary: &Summary, symbols: &Symbols) -> Self {
        let Summary { request, ingest, output, processed, playable, .. } = *summary;
        let between = |start, end| between(start, end, symbols);
        match semantics {
            Semantics::V1 => Self {
                prompt_to_first_frame: between(request, processed),
                startup: between(processed, playable),
                e2e: between(request, playable),
                diagnostics: Diagnostics::default(),
            },
            Semantics::V2 => Self {
                prompt_to_first_frame: prompt_to_playable(summary),
                startup: between(request, processed),
                e2e: between(ingest, output),
                diagnostics: Diagnostics {
                    skew_ms: summary.skew_ms,
                    e2e_source_ms: (output.and_then(|edge| edge.source_ts).zip(ingest))
                        .map(|(stamp, ingest)| stamp.millis_since(ingest.ts)),
                    prompt_source_ms: (playable.zip(summary.runner_start))
                        .map(|(playable, start)| playable.ts.millis_since(start)),
                    first_frame_round_trip_ms: between(ingest, processed).ok(),
                    late_trickle: between(processed, output).is_ok_and(|late| late > 0),
                },
            },
        }
    }

    /// Whether the instruments count the same of both.
    pub fn counts_as(&self, other: &Self) -> bool {
        let late = |of: &Self| of.diagnostics.late_trickle;
        self.figures() == other.figures() && late(self) == late(other)
    }

    /// The three figures, in the order of the fields.
    pub fn figures(&self) -> [Figure; 3] {
        [self.prompt_to_first_frame, self.startup, self.e2e]
    }
}

/// The distance of two edges that one gateway has stamped. An unknown gateway is no other one.
fn between(start: Option<Edge>, end: Option<Edge>, symbols: &Symbols) -> Figure {
    let start = start.ok_or(Missing::StartEdge)?;
    let end = end.ok_or(Missing::EndEdge)?;
    let [from, to] = [start, end].map(|edge| symbols.text(edge.gateway).trim());
    if from != to && !from.is_empty() && !to.is_empty() {
        return Err(Missing::OtherGateway);
    }
    not_negative(end.ts.millis_since(start.ts))
}

/// From the start at the runner, moved to the gateway's clock, to the playable edge.
fn prompt_to_playable(summary: &Summary) -> Figure {
    let start = summary.runner_start.ok_or(Missing::StartEdge)?;
    let playable = summary.playable.ok_or(Missing::EndEdge)?;
    let skew = summary.skew_ms.filter(|skew| skew.unsigned_abs() <= MAX_SKEW_MS);
    let skew = skew.ok_or(Missing::CrossClockSkew)?;
    let start = Timestamp(start.0.saturating_add(skew));
    not_negative(playable.ts.millis_since(start))
}

fn not_negative(ms: i64) -> Figure {
    if ms < 0 { Err(Missing::NegativeInterval) } else { Ok(ms) }
}

/// The row of a session with these figures. `identity` is the session's.
pub fn latency_row<'a>(
    story: &'a Story<'_>,
    identity: &'a Identity<'_>,
    (semantics, latencies): (Semantics, &Latencies),
    stamp: Stamp,
) -> Latency<'a> {
    let Story { state, summary, .. } = story;
    let value = |figure: Figure| figure.ok().map(|ms| ms as f64);
    let reason = |figure: Figure| figure.err().map_or("", Missing::label);
    let Latencies { prompt_to_first_frame, startup, e2e, diagnostics } = *latencies;
    let as_value = |ms: Option<i64>| ms.map(|ms| ms as f64);
    Latency {
        org: &state.org,
        workflow_session_id: &state.session_id,
        stream_id: &state.stream_id,
        request_id: &state.request_id,
        edge_semantics_version: semantics.label(),
        sample_ts: summary.start_ts.unwrap_or_default(),
        gateway: state.symbols.text(summary.gateway),
        orchestrator_address: identity.address,
        pipeline: &identity.pipeline,
        model_id: &identity.model,
        gpu_id: identity.gpu,
        region: "",
        attribution_source: identity.source,
        prompt_to_first_frame_ms: value(prompt_to_first_frame),
        startup_time_ms: value(startup),
        e2e_latency_ms: value(e2e),
        has_prompt_to_first_frame: prompt_to_first_frame.is_ok(),
        has_startup_time: startup.is_ok(),
        has_e2e_latency: e2e.is_ok(),
        prompt_to_first_frame_null_reason: reason(prompt_to_first_frame),
        startup_time_null_reason: reason(startup),
        e2e_latency_null_reason: reason(e2e),
        is_cross_clock: semantics == Semantics::V2 && prompt_to_first_frame.is_ok(),
        skew_ms: diagnostics.skew_ms,
        e2e_source_ms: as_value(diagnostics.e2e_source_ms),
        prompt_source_ms: as_value(diagnostics.prompt_source_ms),
        first_frame_round_trip_ms: as_value(diagnostics.first_frame_round_trip_ms),
        late_trickle: diagnostics.late_trickle,
        version: stamp.version,
        ingestion_timestamp: stamp.now,
    }
}
