//! From an accepted event to its typed raw row (contract tables.md 2.2). Capability rows are mapped
//! where the document is expanded.

use super::raw::{
    RawAiStreamEvent, RawAiStreamStatus, RawDiscoveryResult, RawPaymentEvent,
    RawStreamIngestMetrics, RawStreamTraceEvent,
};
use crate::event::{AiEvent, Discovered, Event, IngestMetrics, Payment, Status, Trace, Track};
use crate::time::Timestamp;

/// What a row says beside its event.
#[derive(Clone, Copy, Debug)]
pub struct RowContext<'a> {
    /// Organisation of the source topic.
    pub org: &'a str,
    /// Write version: shard epoch and sequence.
    pub version: u64,
    /// The node's time, passed in.
    pub now: Timestamp,
}

/// NULL for empty text, where the contract has NULL.
fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl<'a> RawAiStreamStatus<'a> {
    /// The row of a status event.
    pub fn from_event(ctx: &RowContext<'a>, event: &'a Event<'a>, body: &'a Status<'a>) -> Self {
        Self {
            org: ctx.org,
            event_timestamp: event.event_ts,
            raw_event_uid: &event.uid,
            stream_id: &body.stream_id,
            request_id: &body.request_id,
            gateway: &event.gateway,
            orchestrator_address: &body.orchestrator.address,
            orchestrator_url: &body.orchestrator.url,
            pipeline: &body.pipeline,
            output_fps: body.output_fps as f32,
            input_fps: body.input_fps as f32,
            state: &body.state,
            restart_count: body.restart_count,
            last_error: some(&body.last_error),
            last_error_time: body.last_error_time,
            prompt_text: body.prompt.as_deref(),
            prompt_width: body.prompt_width,
            prompt_height: body.prompt_height,
            params_hash: &body.params_hash,
            start_time: body.start_time,
            source_ts: body.runner_ts,
            raw_json: &event.raw,
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        }
    }
}

impl<'a> RawStreamTraceEvent<'a> {
    /// The row of a trace event.
    pub fn from_event(ctx: &RowContext<'a>, event: &'a Event<'a>, body: &'a Trace<'a>) -> Self {
        Self {
            org: ctx.org,
            event_timestamp: event.event_ts,
            raw_event_uid: &event.uid,
            stream_id: &body.stream_id,
            request_id: &body.request_id,
            gateway: &event.gateway,
            orchestrator_address: &body.orchestrator.address,
            orchestrator_url: &body.orchestrator.url,
            trace_type: body.kind.name(),
            data_timestamp: body.data_ts.unwrap_or(event.event_ts),
            raw_json: &event.raw,
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        }
    }
}

impl<'a> RawAiStreamEvent<'a> {
    /// The row of an AI stream event.
    pub fn from_event(ctx: &RowContext<'a>, event: &'a Event<'a>, body: &'a AiEvent<'a>) -> Self {
        Self {
            org: ctx.org,
            event_timestamp: event.event_ts,
            raw_event_uid: &event.uid,
            stream_id: &body.stream_id,
            request_id: &body.request_id,
            gateway: &event.gateway,
            pipeline: &body.pipeline,
            event_type: &body.kind,
            message: &body.message,
            capability: &body.capability,
            source_ts: body.runner_ts,
            raw_json: &event.raw,
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        }
    }
}

/// A media latency means nothing before the track has an output (events.md 3.4).
fn latency(track: &Track) -> Option<f32> {
    (track.last_output_ts > 0.0).then_some(track.latency as f32)
}

impl<'a> RawStreamIngestMetrics<'a> {
    /// The row of an ingest metrics event.
    pub fn from_event(
        ctx: &RowContext<'a>,
        event: &'a Event<'a>,
        body: &'a IngestMetrics<'a>,
    ) -> Self {
        let (video, audio) = (body.video.as_ref(), body.audio.as_ref());
        Self {
            org: ctx.org,
            event_timestamp: event.event_ts,
            raw_event_uid: &event.uid,
            stream_id: &body.stream_id,
            request_id: &body.request_id,
            gateway: &event.gateway,
            peer_connection: &body.peer_connection,
            connection_quality: &body.connection_quality,
            video_jitter: video.map(|t| t.jitter as f32),
            audio_jitter: audio.map(|t| t.jitter as f32),
            video_packets_received: video.map(|t| t.packets_received),
            video_packets_lost: video.map(|t| t.packets_lost),
            audio_packets_received: audio.map(|t| t.packets_received),
            audio_packets_lost: audio.map(|t| t.packets_lost),
            video_packet_loss_pct: video.map(|t| t.packet_loss_pct as f32),
            audio_packet_loss_pct: audio.map(|t| t.packet_loss_pct as f32),
            video_rtt: video.map(|t| t.rtt),
            audio_rtt: audio.map(|t| t.rtt),
            video_last_input_ts: video.map(|t| t.last_input_ts),
            audio_last_input_ts: audio.map(|t| t.last_input_ts),
            video_latency: video.and_then(latency),
            audio_latency: audio.and_then(latency),
            bytes_received: body.bytes_received,
            bytes_sent: body.bytes_sent,
            raw_json: &event.raw,
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        }
    }
}

impl<'a> RawDiscoveryResult<'a> {
    /// The rows of a discovery event, best orchestrator first.
    pub fn from_event(
        ctx: &RowContext<'a>,
        event: &'a Event<'a>,
        found: &'a [Discovered<'a>],
    ) -> impl Iterator<Item = Self> {
        let ctx = *ctx;
        found.iter().zip(0u32..).map(move |(discovered, element)| Self {
            org: ctx.org,
            event_timestamp: event.event_ts,
            raw_event_uid: &event.uid,
            element,
            gateway: &event.gateway,
            orchestrator_address: &discovered.orchestrator.address,
            orchestrator_url: &discovered.orchestrator.url,
            latency_ms: discovered.latency_ms,
            raw_json: if element == 0 { &event.raw } else { "" },
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        })
    }
}

impl<'a> RawPaymentEvent<'a> {
    /// The row of a payment event.
    pub fn from_event(ctx: &RowContext<'a>, event: &'a Event<'a>, body: &'a Payment<'a>) -> Self {
        Self {
            org: ctx.org,
            event_timestamp: event.event_ts,
            raw_event_uid: &event.uid,
            gateway: &event.gateway,
            request_id: &body.request_id,
            session_id: &body.session_id,
            manifest_id: &body.manifest_id,
            sender: &body.sender,
            recipient: &body.recipient,
            orchestrator: &body.orchestrator_url,
            face_value: &body.face_value,
            price: &body.price,
            num_tickets: &body.num_tickets,
            win_prob: &body.win_prob,
            client_ip: &body.client_ip,
            capability: &body.capability,
            raw_json: &event.raw,
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        }
    }
}
