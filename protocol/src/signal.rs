//! Signals: the part of an event that moves a session (lifecycle 1.1, 1.2, 1.7).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::event::{AiEvent, Body, Event, Status, Trace, TraceType};
use crate::json;
use crate::time::{ClockDomain, Timestamp};

/// A stamp further than this from the envelope is not believed (24 h, lifecycle 1.7.1).
pub(crate) const MAX_STAMP_DISTANCE_MS: i64 = 86_400_000;

/// Error texts that are not product failures (events.md 3.3), lower case.
const EXCUSABLE: [&str; 6] = [
    "no orchestrators available",
    "mediamtx ingest disconnected",
    "whip disconnected",
    "missing video",
    "ice connection state failed",
    "user disconnected",
];

/// What a session folds. Texts are `""` when unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal<'a> {
    /// Ordering and edge time, gateway clock.
    pub ord_ts: Timestamp,
    /// Payload time on the clock of the family (lifecycle 0.2); `None` when the payload has none.
    pub source_ts: Option<Timestamp>,
    /// Broker record time.
    pub record_ts: Timestamp,
    /// Event uid.
    pub uid: &'a str,
    /// Stream id, trimmed.
    pub stream_id: &'a str,
    /// Request id, trimmed.
    pub request_id: &'a str,
    /// Gateway label.
    pub gateway: &'a str,
    /// Normalised wallet the signal names.
    pub address: &'a str,
    /// Service URI the signal names, verbatim.
    pub url: &'a str,
    /// `pipeline` text as sent.
    pub hint: &'a str,
    /// What it says.
    pub kind: SignalKind<'a>,
}

/// What a signal says.
#[derive(Clone, Debug, PartialEq)]
pub enum SignalKind<'a> {
    /// A lifecycle edge.
    Trace {
        /// Which edge.
        kind: TraceType,
        /// Reason of a swap.
        message: &'a str,
    },
    /// A status sample.
    Status {
        /// State, verbatim.
        state: &'a str,
        /// Frames per second out of inference.
        output_fps: f32,
        /// Frames per second into inference.
        input_fps: f32,
        /// The sample reports an error; the literal text `null` is none (lifecycle 1.7.3).
        has_error: bool,
        /// Start time on the runner clock, as decoded.
        start_time: Option<Timestamp>,
    },
    /// An AI stream event.
    Ai {
        /// Class of the event.
        kind: AiKind,
        /// Message text.
        message: &'a str,
        /// `data.params` of a parameter update as JSON with sorted keys; `""` when absent.
        params: Cow<'a, str>,
    },
}

impl Signal<'_> {
    /// The runner's own stamp of the moment of the signal; `None` for gateway signals.
    pub fn runner_ts(&self) -> Option<Timestamp> {
        let clock = match self.kind {
            SignalKind::Trace { kind, .. } => kind.clock(),
            SignalKind::Status { .. } | SignalKind::Ai { .. } => ClockDomain::Runner,
        };
        self.source_ts.filter(|_| clock == ClockDomain::Runner)
    }
}

/// Class of an AI stream event (lifecycle 2.2, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AiKind {
    /// An error that counts against the product.
    Error,
    /// An error on the list of normal endings.
    ExcusableError,
    /// A parameter update.
    ParamsUpdate,
    /// Anything else: only the generic fold.
    Other,
}

impl AiKind {
    /// The class of an event of type `kind` with this message.
    pub fn of(kind: &str, message: &str) -> Self {
        if kind.eq_ignore_ascii_case("error") {
            let message = message.to_lowercase();
            if EXCUSABLE.iter().any(|text| message.contains(text)) {
                Self::ExcusableError
            } else {
                Self::Error
            }
        } else if kind.eq_ignore_ascii_case("params_update") {
            Self::ParamsUpdate
        } else {
            Self::Other
        }
    }
}

/// The signal in `event`; `None` for families that never touch session state.
pub fn signal<'a>(event: &'a Event<'_>) -> Option<Signal<'a>> {
    match &event.body {
        Body::Status(status) => Some(of_status(event, status)),
        Body::Trace(trace) => Some(of_trace(event, trace)),
        Body::Ai(ai) => Some(of_ai(event, ai)),
        Body::Ingest(_)
        | Body::Transport(_)
        | Body::Capabilities(_)
        | Body::Discovery(_)
        | Body::Payment(_) => None,
    }
}

fn of_status<'a>(event: &'a Event<'_>, status: &'a Status<'_>) -> Signal<'a> {
    let error = status.last_error.trim();
    Signal {
        ord_ts: event.event_ts,
        source_ts: status.runner_ts,
        record_ts: event.record_ts,
        uid: &event.uid,
        stream_id: &status.stream_id,
        request_id: &status.request_id,
        gateway: &event.gateway,
        address: &status.orchestrator.address,
        url: &status.orchestrator.url,
        hint: &status.pipeline,
        kind: SignalKind::Status {
            state: &status.state,
            output_fps: status.output_fps as f32,
            input_fps: status.input_fps as f32,
            has_error: !error.is_empty() && !error.eq_ignore_ascii_case("null"),
            start_time: status.start_time,
        },
    }
}

fn of_trace<'a>(event: &'a Event<'_>, trace: &'a Trace<'_>) -> Signal<'a> {
    let on_runner = trace.kind.clock() == ClockDomain::Runner;
    let believed = trace
        .data_ts
        .filter(|ts| ts.millis_since(event.event_ts).saturating_abs() <= MAX_STAMP_DISTANCE_MS);
    Signal {
        ord_ts: believed.filter(|_| !on_runner).unwrap_or(event.event_ts),
        source_ts: trace.data_ts,
        record_ts: event.record_ts,
        uid: &event.uid,
        stream_id: &trace.stream_id,
        request_id: &trace.request_id,
        gateway: &event.gateway,
        address: &trace.orchestrator.address,
        url: &trace.orchestrator.url,
        hint: &trace.pipeline,
        kind: SignalKind::Trace { kind: trace.kind, message: &trace.message },
    }
}

fn of_ai<'a>(event: &'a Event<'_>, ai: &'a AiEvent<'_>) -> Signal<'a> {
    let kind = AiKind::of(&ai.kind, &ai.message);
    Signal {
        ord_ts: event.event_ts,
        source_ts: ai.runner_ts,
        record_ts: event.record_ts,
        uid: &event.uid,
        stream_id: &ai.stream_id,
        request_id: &ai.request_id,
        gateway: &event.gateway,
        address: &ai.orchestrator.address,
        url: &ai.orchestrator.url,
        hint: &ai.pipeline,
        kind: SignalKind::Ai { kind, message: &ai.message, params: params(event, kind) },
    }
}

/// The parameters of an update. The text of an accepted event is JSON, so nothing of it is lost.
fn params<'a>(event: &Event<'_>, kind: AiKind) -> Cow<'a, str> {
    if kind != AiKind::ParamsUpdate {
        return Cow::Borrowed("");
    }
    json::canonical_member(event.data(), "params").ok().flatten().unwrap_or_default().into()
}
