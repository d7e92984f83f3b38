//! The families that belong to a stream (contract events.md 3.1 to 3.4).

use std::borrow::Cow;

use serde::de::SeqAccess;

use super::{OrchestratorFields, Payload, Verdict, first_missing, id};
use crate::event::{AiEvent, Body, IngestMetrics, Status, Trace, TraceType, Track};
use crate::gate::IgnoreReason;
use crate::json::{Place, Scalar, each, object};
use crate::time::Timestamp;

object! {
    pub(super) struct TraceFields<'a> {
        "stream_id" => stream_id: Scalar<'a>,
        "request_id" => request_id: Scalar<'a>,
        "type" => kind: Scalar<'a>,
        "timestamp" => timestamp: Scalar<'a>,
        "orchestrator_info" => orchestrator: OrchestratorFields<'a>,
        "pipeline" => pipeline: Scalar<'a>,
        "message" => message: Scalar<'a>,
        "client_source" => client_source: Scalar<'a>,
        "version" => version: Scalar<'a>,
    }
}

pub(super) fn trace<'a>(fields: TraceFields<'a>) -> Payload<'a> {
    let subtype = fields.kind.text();
    let kind = TraceType::from_name(&subtype);
    if kind.is_none() && fields.kind.is_present() {
        return Verdict::Ignored(noise(&subtype, &fields.client_source.text())).into();
    }
    let missing = first_missing(&[
        ("data.stream_id", &fields.stream_id),
        ("data.request_id", &fields.request_id),
    ]);
    let verdict = match (missing, kind) {
        (Some(path), _) => Verdict::MissingField(path),
        (None, None) => Verdict::MissingField("data.type"),
        (None, Some(kind)) => {
            let of_swap = |value: &Scalar<'a>| match kind {
                TraceType::OrchestratorSwap => value.text(),
                _ => Cow::Borrowed(""),
            };
            Verdict::Body(Body::Trace(Trace {
                stream_id: id(&fields.stream_id),
                request_id: id(&fields.request_id),
                kind,
                data_ts: fields.timestamp.millis().filter(|ts| *ts > Timestamp(0)),
                orchestrator: fields.orchestrator.into(),
                pipeline: of_swap(&fields.pipeline),
                message: of_swap(&fields.message),
            }))
        }
    };
    // The payload of a runner trace is the runner's, so is a `version` in it.
    let by_gateway = !subtype.starts_with("runner_");
    Payload { verdict, version: if by_gateway { fields.version } else { Scalar::Missing } }
}

/// What web clients send under the name `scope` (contract events.md 3.1).
const SCOPE_NOISE: [&str; 12] = [
    "stream_heartbeat",
    "pipeline_load_start",
    "pipeline_loaded",
    "pipeline_unloaded",
    "session_created",
    "session_closed",
    "stream_started",
    "stream_stopped",
    "playback_ready",
    "websocket_connected",
    "websocket_disconnected",
    "error",
];

/// Why a trace subtype outside the dictionary is ignored: the first rule that applies.
fn noise(subtype: &str, client_source: &str) -> IgnoreReason {
    if subtype.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("app_")) {
        IgnoreReason::NonCoreApp
    } else if client_source.eq_ignore_ascii_case("scope") && SCOPE_NOISE.contains(&subtype) {
        IgnoreReason::ScopeClientNoise
    } else {
        IgnoreReason::UnsupportedTraceSubtype
    }
}

object! {
    pub(super) struct StatusFields<'a> {
        "stream_id" => stream_id: Scalar<'a>,
        "request_id" => request_id: Scalar<'a>,
        "pipeline" => pipeline: Scalar<'a>,
        "orchestrator_info" => orchestrator: OrchestratorFields<'a>,
        "state" => state: Scalar<'a>,
        "timestamp" => timestamp: Scalar<'a>,
        "start_time" => start_time: Scalar<'a>,
        "input_status" => input: InputStatus<'a>,
        "inference_status" => inference: InferenceStatus<'a>,
    }
}

object! {
    struct InputStatus<'a> {
        "fps" => fps: Scalar<'a>,
    }
}

object! {
    struct InferenceStatus<'a> {
        "fps" => fps: Scalar<'a>,
        "restart_count" => restart_count: Scalar<'a>,
        "last_restart_time" => last_restart_time: Scalar<'a>,
        "last_error" => last_error: Scalar<'a>,
        "last_error_time" => last_error_time: Scalar<'a>,
        "last_params_hash" => last_params_hash: Scalar<'a>,
        "last_params" => params: Params<'a>,
    }
}

object! {
    struct Params<'a> {
        "prompt" => prompt: Scalar<'a>,
        "width" => width: Scalar<'a>,
        "height" => height: Scalar<'a>,
    }
}

pub(super) fn status(fields: StatusFields<'_>) -> Payload<'_> {
    let missing = first_missing(&[
        ("data.stream_id", &fields.stream_id),
        ("data.request_id", &fields.request_id),
        ("data.pipeline", &fields.pipeline),
    ]);
    if let Some(path) = missing {
        return Verdict::MissingField(path).into();
    }
    let inference = &fields.inference;
    let params = &inference.params;
    let pixels = |value: &Scalar<'_>| value.integer_in().unwrap_or(0);
    Verdict::Body(Body::Status(Status {
        stream_id: id(&fields.stream_id),
        request_id: id(&fields.request_id),
        pipeline: fields.pipeline.text(),
        orchestrator: fields.orchestrator.into(),
        state: fields.state.text(),
        runner_ts: fields.timestamp.millis().filter(|ts| *ts > Timestamp(0)),
        start_time: fields.start_time.millis_or_seconds(),
        output_fps: inference.fps.float(),
        input_fps: fields.input.fps.float(),
        restart_count: inference.restart_count.integer_in().unwrap_or(0),
        last_restart_time: inference.last_restart_time.millis(),
        last_error: inference.last_error.text(),
        last_error_time: inference.last_error_time.millis(),
        prompt: params.prompt.string(),
        prompt_width: pixels(&params.width),
        prompt_height: pixels(&params.height),
        params_hash: inference.last_params_hash.text(),
    }))
    .into()
}

object! {
    pub(super) struct AiFields<'a> {
        "stream_id" => stream_id: Scalar<'a>,
        "request_id" => request_id: Scalar<'a>,
        "type" => kind: Scalar<'a>,
        "pipeline" => pipeline: Scalar<'a>,
        "message" => message: Scalar<'a>,
        "capability" => capability: Scalar<'a>,
        "timestamp" => timestamp: Scalar<'a>,
        "orchestrator_info" => orchestrator: OrchestratorFields<'a>,
    }
}

pub(super) fn ai_event(fields: AiFields<'_>) -> Payload<'_> {
    // Gateway errors can have an empty pipeline (clarification 15): an empty model hint.
    let missing = first_missing(&[
        ("data.stream_id", &fields.stream_id),
        ("data.request_id", &fields.request_id),
        ("data.type", &fields.kind),
    ]);
    if let Some(path) = missing {
        return Verdict::MissingField(path).into();
    }
    Verdict::Body(Body::Ai(AiEvent {
        stream_id: id(&fields.stream_id),
        request_id: id(&fields.request_id),
        kind: fields.kind.text(),
        pipeline: fields.pipeline.text(),
        message: fields.message.text(),
        capability: fields.capability.text(),
        runner_ts: fields.timestamp.millis().filter(|ts| *ts > Timestamp(0)),
        orchestrator: fields.orchestrator.into(),
    }))
    .into()
}

object! {
    pub(super) struct IngestFields<'a> {
        "stream_id" => stream_id: Scalar<'a>,
        "request_id" => request_id: Scalar<'a>,
        "timestamp" => timestamp: Scalar<'a>,
        "stats" => stats: Stats<'a>,
        "version" => version: Scalar<'a>,
    }
}

object! {
    struct Stats<'a> {
        "peer_conn_stats" => peer: Peer<'a>,
        "conn_quality" => quality: Scalar<'a>,
        "track_stats" => tracks: Tracks,
    }
}

object! {
    struct Peer<'a> {
        "ID" => id: Scalar<'a>,
        "BytesReceived" => received: Scalar<'a>,
        "BytesSent" => sent: Scalar<'a>,
    }
}

#[derive(Debug, Default)]
struct Tracks {
    video: Option<Track>,
    audio: Option<Track>,
}

impl<'de> Place<'de> for Tracks {
    fn array<A: SeqAccess<'de>>(&mut self, elements: A) -> Result<(), A::Error> {
        each(elements, |track: TrackFields<'de>| match &*track.kind.text() {
            "video" => self.video = Some(track.into()),
            "audio" => self.audio = Some(track.into()),
            _ => {}
        })
    }
}

object! {
    struct TrackFields<'a> {
        "type" => kind: Scalar<'a>,
        "jitter" => jitter: Scalar<'a>,
        "packets_lost" => packets_lost: Scalar<'a>,
        "packets_received" => packets_received: Scalar<'a>,
        "packet_loss_pct" => packet_loss_pct: Scalar<'a>,
        "rtt" => rtt: Scalar<'a>,
        "last_input_ts" => last_input_ts: Scalar<'a>,
        "last_output_ts" => last_output_ts: Scalar<'a>,
        "latency" => latency: Scalar<'a>,
    }
}

impl From<TrackFields<'_>> for Track {
    fn from(fields: TrackFields<'_>) -> Self {
        Self {
            jitter: fields.jitter.float(),
            packets_lost: fields.packets_lost.integer().unwrap_or(0),
            packets_received: fields.packets_received.count(),
            packet_loss_pct: fields.packet_loss_pct.float(),
            rtt: fields.rtt.count(),
            last_input_ts: fields.last_input_ts.float(),
            last_output_ts: fields.last_output_ts.float(),
            latency: fields.latency.float(),
        }
    }
}

pub(super) fn ingest_metrics(fields: IngestFields<'_>) -> Payload<'_> {
    let missing = first_missing(&[
        ("data.stream_id", &fields.stream_id),
        ("data.request_id", &fields.request_id),
    ]);
    let Stats { peer, quality, tracks } = fields.stats;
    let verdict = match missing {
        Some(path) => Verdict::MissingField(path),
        None => Verdict::Body(Body::Ingest(IngestMetrics {
            stream_id: id(&fields.stream_id),
            request_id: id(&fields.request_id),
            data_ts: fields.timestamp.millis(),
            peer_connection: peer.id.text(),
            connection_quality: quality.text(),
            bytes_received: peer.received.count(),
            bytes_sent: peer.sent.count(),
            video: tracks.video,
            audio: tracks.audio,
        })),
    };
    Payload { verdict, version: fields.version }
}
