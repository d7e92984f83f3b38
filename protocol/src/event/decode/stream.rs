//! The families that belong to a stream (contract events.md 3.1 to 3.4).

use std::borrow::Cow;

use super::{Payload, Verdict, first_missing, id, orchestrator, read_object};
use crate::event::json::{Cursor, Error, Scalar};
use crate::event::{AiEvent, Body, IngestMetrics, Orchestrator, Status, Trace, TraceType, Track};
use crate::gate::IgnoreReason;
use crate::time::Timestamp;

pub(super) fn trace<'a>(c: &mut Cursor<'a>) -> Result<Payload<'a>, Error> {
    let [mut stream_id, mut request_id, mut kind] = [Scalar::Missing; 3];
    let [mut timestamp, mut pipeline, mut message] = [Scalar::Missing; 3];
    let [mut client_source, mut version] = [Scalar::Missing; 2];
    let mut info = Orchestrator::default();
    read_object!(c,
        "stream_id" => stream_id, c.scalar();
        "request_id" => request_id, c.scalar();
        "type" => kind, c.scalar();
        "timestamp" => timestamp, c.scalar();
        "orchestrator_info" => info, orchestrator(c);
        "pipeline" => pipeline, c.scalar();
        "message" => message, c.scalar();
        "client_source" => client_source, c.scalar();
        "version" => version, c.scalar();
    );
    let named = kind.is_present();
    let subtype = kind.text();
    let kind = TraceType::from_name(&subtype);
    if let (None, true) = (kind, named) {
        return Ok(Verdict::Ignored(noise(&subtype, &client_source.text())).into());
    }
    let missing = first_missing(&[("data.stream_id", stream_id), ("data.request_id", request_id)]);
    let verdict = match (missing, kind) {
        (Some(path), _) => Verdict::MissingField(path),
        (None, None) => Verdict::MissingField("data.type"),
        (None, Some(kind)) => {
            let of_swap = |value: Scalar<'a>| match kind {
                TraceType::OrchestratorSwap => value.text(),
                _ => Cow::Borrowed(""),
            };
            Verdict::Body(Body::Trace(Trace {
                stream_id: id(stream_id),
                request_id: id(request_id),
                kind,
                data_ts: timestamp.millis().filter(|ts| *ts > Timestamp(0)),
                orchestrator: info,
                pipeline: of_swap(pipeline),
                message: of_swap(message),
            }))
        }
    };
    // The payload of a runner trace is the runner's, so is a `version` in it.
    let by_gateway = !subtype.starts_with("runner_");
    Ok(Payload { verdict, version: if by_gateway { version } else { Scalar::Missing } })
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

pub(super) fn status<'a>(c: &mut Cursor<'a>) -> Result<Payload<'a>, Error> {
    let [mut stream_id, mut request_id, mut pipeline] = [Scalar::Missing; 3];
    let [mut state, mut timestamp, mut start_time] = [Scalar::Missing; 3];
    let mut info = Orchestrator::default();
    let mut input_fps = 0.0;
    let mut inference = Inference::default();
    read_object!(c,
        "stream_id" => stream_id, c.scalar();
        "request_id" => request_id, c.scalar();
        "pipeline" => pipeline, c.scalar();
        "orchestrator_info" => info, orchestrator(c);
        "state" => state, c.scalar();
        "timestamp" => timestamp, c.scalar();
        "start_time" => start_time, c.scalar();
        "input_status" => input_fps, fps(c);
        "inference_status" => inference, inference_status(c);
    );
    let missing = first_missing(&[
        ("data.stream_id", stream_id),
        ("data.request_id", request_id),
        ("data.pipeline", pipeline),
    ]);
    if let Some(path) = missing {
        return Ok(Verdict::MissingField(path).into());
    }
    let Params { prompt, width, height } = inference.params;
    Ok(Verdict::Body(Body::Status(Status {
        stream_id: id(stream_id),
        request_id: id(request_id),
        pipeline: pipeline.text(),
        orchestrator: info,
        state: state.text(),
        runner_ts: timestamp.millis(),
        start_time: start_time.millis_or_seconds(),
        output_fps: inference.fps.float(),
        input_fps,
        restart_count: inference.restart_count.integer_in().unwrap_or(0),
        last_restart_time: inference.last_restart_time.millis(),
        last_error: inference.last_error.text(),
        last_error_time: inference.last_error_time.millis(),
        prompt,
        prompt_width: width,
        prompt_height: height,
        params_hash: inference.last_params_hash.text(),
    }))
    .into())
}

/// `input_status`: only its frame rate is used.
fn fps(c: &mut Cursor<'_>) -> Result<f64, Error> {
    let mut fps = Scalar::Missing;
    read_object!(c, "fps" => fps, c.scalar(););
    Ok(fps.float())
}

#[derive(Default)]
struct Inference<'a> {
    fps: Scalar<'a>,
    restart_count: Scalar<'a>,
    last_restart_time: Scalar<'a>,
    last_error: Scalar<'a>,
    last_error_time: Scalar<'a>,
    last_params_hash: Scalar<'a>,
    params: Params<'a>,
}

fn inference_status<'a>(c: &mut Cursor<'a>) -> Result<Inference<'a>, Error> {
    let mut status = Inference::default();
    read_object!(c,
        "fps" => status.fps, c.scalar();
        "restart_count" => status.restart_count, c.scalar();
        "last_restart_time" => status.last_restart_time, c.scalar();
        "last_error" => status.last_error, c.scalar();
        "last_error_time" => status.last_error_time, c.scalar();
        "last_params_hash" => status.last_params_hash, c.scalar();
        "last_params" => status.params, last_params(c);
    );
    Ok(status)
}

#[derive(Default)]
struct Params<'a> {
    prompt: Option<Cow<'a, str>>,
    width: u16,
    height: u16,
}

fn last_params<'a>(c: &mut Cursor<'a>) -> Result<Params<'a>, Error> {
    let [mut prompt, mut width, mut height] = [Scalar::Missing; 3];
    read_object!(c,
        "prompt" => prompt, c.scalar();
        "width" => width, c.scalar();
        "height" => height, c.scalar();
    );
    let pixels = |value: Scalar<'_>| value.integer_in().unwrap_or(0);
    Ok(Params { prompt: prompt.string(), width: pixels(width), height: pixels(height) })
}

pub(super) fn ai_event<'a>(c: &mut Cursor<'a>) -> Result<Payload<'a>, Error> {
    let [mut stream_id, mut request_id, mut kind] = [Scalar::Missing; 3];
    let [mut pipeline, mut message, mut capability] = [Scalar::Missing; 3];
    let mut timestamp = Scalar::Missing;
    let mut info = Orchestrator::default();
    read_object!(c,
        "stream_id" => stream_id, c.scalar();
        "request_id" => request_id, c.scalar();
        "type" => kind, c.scalar();
        "pipeline" => pipeline, c.scalar();
        "message" => message, c.scalar();
        "capability" => capability, c.scalar();
        "timestamp" => timestamp, c.scalar();
        "orchestrator_info" => info, orchestrator(c);
    );
    // Gateway errors can have an empty pipeline (clarification 15): an empty model hint.
    let missing = first_missing(&[
        ("data.stream_id", stream_id),
        ("data.request_id", request_id),
        ("data.type", kind),
    ]);
    if let Some(path) = missing {
        return Ok(Verdict::MissingField(path).into());
    }
    Ok(Verdict::Body(Body::Ai(AiEvent {
        stream_id: id(stream_id),
        request_id: id(request_id),
        kind: kind.text(),
        pipeline: pipeline.text(),
        message: message.text(),
        capability: capability.text(),
        runner_ts: timestamp.millis(),
        orchestrator: info,
    }))
    .into())
}

pub(super) fn ingest_metrics<'a>(c: &mut Cursor<'a>) -> Result<Payload<'a>, Error> {
    let [mut stream_id, mut request_id, mut timestamp] = [Scalar::Missing; 3];
    let mut version = Scalar::Missing;
    let mut metrics = IngestMetrics::default();
    read_object!(c,
        "stream_id" => stream_id, c.scalar();
        "request_id" => request_id, c.scalar();
        "timestamp" => timestamp, c.scalar();
        "stats" => metrics, stats(c);
        "version" => version, c.scalar();
    );
    let missing = first_missing(&[("data.stream_id", stream_id), ("data.request_id", request_id)]);
    let verdict = match missing {
        Some(path) => Verdict::MissingField(path),
        None => Verdict::Body(Body::Ingest(IngestMetrics {
            stream_id: id(stream_id),
            request_id: id(request_id),
            data_ts: timestamp.millis(),
            ..metrics
        })),
    };
    Ok(Payload { verdict, version })
}

/// The part of [`IngestMetrics`] that stands under `stats`.
fn stats<'a>(c: &mut Cursor<'a>) -> Result<IngestMetrics<'a>, Error> {
    let mut peer = Peer::default();
    let mut quality = Scalar::Missing;
    let mut tracks = Tracks::default();
    read_object!(c,
        "peer_conn_stats" => peer, peer_stats(c);
        "conn_quality" => quality, c.scalar();
        "track_stats" => tracks, track_stats(c);
    );
    Ok(IngestMetrics {
        peer_connection: peer.id.text(),
        connection_quality: quality.text(),
        bytes_received: peer.received.count(),
        bytes_sent: peer.sent.count(),
        video: tracks.video,
        audio: tracks.audio,
        ..IngestMetrics::default()
    })
}

#[derive(Default)]
struct Peer<'a> {
    id: Scalar<'a>,
    received: Scalar<'a>,
    sent: Scalar<'a>,
}

fn peer_stats<'a>(c: &mut Cursor<'a>) -> Result<Peer<'a>, Error> {
    let mut peer = Peer::default();
    read_object!(c,
        "ID" => peer.id, c.scalar();
        "BytesReceived" => peer.received, c.scalar();
        "BytesSent" => peer.sent, c.scalar();
    );
    Ok(peer)
}

#[derive(Default)]
struct Tracks {
    video: Option<Track>,
    audio: Option<Track>,
}

fn track_stats(c: &mut Cursor<'_>) -> Result<Tracks, Error> {
    let mut tracks = Tracks::default();
    c.array(|c| {
        let (kind, track) = track(c)?;
        match &*kind {
            "video" => tracks.video = Some(track),
            "audio" => tracks.audio = Some(track),
            _ => {}
        }
        Ok(())
    })?;
    Ok(tracks)
}

fn track<'a>(c: &mut Cursor<'a>) -> Result<(Cow<'a, str>, Track), Error> {
    let mut kind = Scalar::Missing;
    let mut track = Track::default();
    read_object!(c,
        "type" => kind, c.scalar();
        "jitter" => track.jitter, c.scalar().map(Scalar::float);
        "packets_lost" => track.packets_lost, c.scalar().map(|value| value.integer().unwrap_or(0));
        "packets_received" => track.packets_received, c.scalar().map(Scalar::count);
        "packet_loss_pct" => track.packet_loss_pct, c.scalar().map(Scalar::float);
        "rtt" => track.rtt, c.scalar().map(Scalar::count);
        "last_input_ts" => track.last_input_ts, c.scalar().map(Scalar::float);
        "last_output_ts" => track.last_output_ts, c.scalar().map(Scalar::float);
        "latency" => track.latency, c.scalar().map(Scalar::float);
    );
    Ok((kind.text(), track))
}
