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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, DedupStrategy, Orchestrator, TraceType};

    const CTX: RowContext<'_> = RowContext { org: "cloud_spe", version: 7, now: Timestamp(9) };

    fn event(body: Body<'static>) -> Event<'static> {
        Event {
            offset: 3,
            record_ts: Timestamp(2_000),
            uid: "uid-1".into(),
            dedup_strategy: DedupStrategy::EventId,
            content_hash: 1,
            event_ts: Timestamp(1_767_908_947_583),
            replay: false,
            version: "1".into(),
            gateway: "gw".into(),
            raw: "{\"id\":\"uid-1\"}".into(),
            data_at: (0, 0),
            body,
        }
    }

    fn orchestrator(address: &'static str) -> Orchestrator<'static> {
        Orchestrator { address: address.into(), url: "https://Host:8935".into() }
    }

    #[test]
    fn a_status_row_keeps_unknown_apart_from_zero() {
        let event = event(Body::Status(Status {
            stream_id: "s".into(),
            request_id: "r".into(),
            pipeline: "m1".into(),
            orchestrator: orchestrator("0xhot"),
            output_fps: 9.79,
            start_time: Some(Timestamp(5)),
            ..Status::default()
        }));
        let Body::Status(body) = &event.body else { unreachable!() };
        let row = RawAiStreamStatus::from_event(&CTX, &event, body);
        assert_eq!((row.org, row.version, row.ingestion_timestamp), ("cloud_spe", 7, Timestamp(9)));
        assert_eq!((row.raw_event_uid, row.event_timestamp), ("uid-1", event.event_ts));
        assert_eq!(
            (row.orchestrator_address, row.orchestrator_url),
            ("0xhot", "https://Host:8935")
        );
        assert_eq!((row.output_fps, row.input_fps), (9.79, 0.0));
        assert_eq!(
            (row.start_time, row.last_error, row.prompt_text),
            (Some(Timestamp(5)), None, None)
        );
        assert_eq!((row.raw_json, row.is_deleted), (&*event.raw, false));
    }

    #[test]
    fn a_trace_row_falls_back_to_the_envelope_time() {
        let trace = |data_ts| Trace {
            stream_id: "s".into(),
            request_id: "r".into(),
            kind: TraceType::OrchestratorSwap,
            data_ts,
            orchestrator: orchestrator("0xa"),
            pipeline: "m1".into(),
            message: "slow".into(),
        };
        let with = trace(Some(Timestamp(42)));
        let without = trace(None);
        let event = event(Body::Trace(without.clone()));
        assert_eq!(
            RawStreamTraceEvent::from_event(&CTX, &event, &with).data_timestamp,
            Timestamp(42)
        );
        let row = RawStreamTraceEvent::from_event(&CTX, &event, &without);
        assert_eq!(row.data_timestamp, event.event_ts);
        assert_eq!(row.trace_type, "orchestrator_swap");
    }

    #[test]
    fn an_ai_row_keeps_the_runner_time() {
        let body =
            AiEvent { kind: "ERROR".into(), runner_ts: Some(Timestamp(4)), ..AiEvent::default() };
        let event = event(Body::Ai(body.clone()));
        let row = RawAiStreamEvent::from_event(&CTX, &event, &body);
        assert_eq!(
            (row.event_type, row.source_ts, row.gateway),
            ("ERROR", Some(Timestamp(4)), "gw")
        );
    }

    #[test]
    fn an_ingest_row_without_tracks_has_no_zeros() {
        let video = Track {
            jitter: 2.5,
            packets_lost: -1,
            rtt: 25_000_000,
            last_input_ts: 9.5,
            latency: 9.5,
            ..Track::default()
        };
        let body =
            IngestMetrics { video: Some(video), bytes_received: 10, ..IngestMetrics::default() };
        let event = event(Body::Ingest(body.clone()));
        let row = RawStreamIngestMetrics::from_event(&CTX, &event, &body);
        assert_eq!((row.video_jitter, row.video_packets_lost), (Some(2.5), Some(-1)));
        assert_eq!((row.video_rtt, row.video_latency), (Some(25_000_000), None));
        assert_eq!((row.audio_jitter, row.audio_rtt, row.audio_packets_lost), (None, None, None));
        let output = Track { last_output_ts: 9.0, latency: 0.5, ..video };
        assert_eq!(latency(&output), Some(0.5));
    }

    #[test]
    fn discovery_rows_are_numbered_and_carry_the_record_once() {
        let found = vec![
            Discovered { orchestrator: orchestrator("0xa"), latency_ms: Some(84) },
            Discovered { orchestrator: orchestrator("0xb"), latency_ms: None },
        ];
        let event = event(Body::Discovery(found.clone()));
        let rows: Vec<_> = RawDiscoveryResult::from_event(&CTX, &event, &found).collect();
        let shown: Vec<_> =
            rows.iter().map(|r| (r.element, r.latency_ms, r.raw_json.len())).collect();
        assert_eq!(shown, [(0, Some(84), event.raw.len()), (1, None, 0)]);
        assert_eq!(rows[1].orchestrator_address, "0xb");
    }

    #[test]
    fn a_payment_row_keeps_the_producers_text() {
        let body = Payment {
            recipient: "0xd003".into(),
            orchestrator_url: "https://host:28935".into(),
            face_value: "2402400000000000 WEI".into(),
            price: "1635.021 wei/pixel".into(),
            num_tickets: "2".into(),
            win_prob: "0.0009990010".into(),
            ..Payment::default()
        };
        let event = event(Body::Payment(body.clone()));
        let row = RawPaymentEvent::from_event(&CTX, &event, &body);
        assert_eq!((row.face_value, row.price), ("2402400000000000 WEI", "1635.021 wei/pixel"));
        assert_eq!((row.num_tickets, row.win_prob), ("2", "0.0009990010"));
        assert_eq!((row.orchestrator, row.request_id), ("https://host:28935", ""));
    }
}
