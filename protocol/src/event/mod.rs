//! What a gateway said: one accepted record in typed, flat form (contract events.md 2, 3).
//!
//! The types borrow from the record they were decoded from and travel in envelopes as compact
//! `MessagePack` arrays, so field order is part of the wire format: append, never reorder. Variants
//! travel as one letter.
//!
//! Text rules that hold for every field here: a missing, null or container value is `""`; wallets
//! are normalised (trimmed, lower case, `""` for `0x` and the zero address); URLs are verbatim.

pub(crate) mod decode;
pub(crate) mod envelope;
pub mod transport;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::capability::Document;
use crate::time::{ClockDomain, Timestamp};

pub use transport::TransportMetrics;

/// How [`Event::uid`] was made (contract events.md 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DedupStrategy {
    /// The envelope `id` as it is.
    #[serde(rename = "i")]
    EventId,
    /// SHA-256 over type, dimensions and the canonical JSON, lower-case hex.
    #[serde(rename = "h")]
    PayloadHash,
}

impl DedupStrategy {
    /// The label stored in the `dedup_strategy` columns.
    pub fn label(self) -> &'static str {
        match self {
            Self::EventId => "event_id",
            Self::PayloadHash => "payload_hash",
        }
    }
}

/// One accepted record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// Offset of the record in its source partition (topic and partition stand in the envelope).
    pub offset: u64,
    /// Broker record time; the envelope time for files.
    pub record_ts: Timestamp,
    /// Event uid, unique per organisation; never empty.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// How the uid was made.
    pub dedup_strategy: DedupStrategy,
    /// xxh3 over type, timestamp, gateway and the payload text: tells a repeated delivery from
    /// another event under the same id. Replay bookkeeping fields do not enter. Of an event whose uid
    /// is a hash of the content, a hash of that.
    pub content_hash: u64,
    /// Envelope `timestamp`: gateway clock at enqueue.
    pub event_ts: Timestamp,
    /// The record carried `__replay: true`.
    pub replay: bool,
    /// Schema version of the envelope, `1` when absent.
    #[serde(borrow)]
    pub version: Cow<'a, str>,
    /// Envelope `gateway`, `""` when unknown.
    #[serde(borrow)]
    pub gateway: Cow<'a, str>,
    /// The whole record value as text (invalid UTF-8 replaced, replay bookkeeping left out).
    #[serde(borrow)]
    pub raw: Cow<'a, str>,
    /// Where the text of `data` stands in `raw`: start and length in bytes.
    pub data_at: (u32, u32),
    /// The typed payload.
    #[serde(borrow)]
    pub body: Body<'a>,
}

impl Event<'_> {
    /// The JSON text of `data`.
    pub fn data(&self) -> &str {
        let (start, len) = self.data_at;
        self.raw.get(start as usize..).and_then(|rest| rest.get(..len as usize)).unwrap_or("")
    }
}

/// The payload of an accepted record, by family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body<'a> {
    /// `ai_stream_status` (events.md 3.2).
    #[serde(borrow, rename = "s")]
    Status(Status<'a>),
    /// `stream_trace` of an allow-listed subtype (events.md 3.1).
    #[serde(borrow, rename = "t")]
    Trace(Trace<'a>),
    /// `ai_stream_events` (events.md 3.3).
    #[serde(borrow, rename = "a")]
    Ai(AiEvent<'a>),
    /// `stream_ingest_metrics` (events.md 3.4).
    #[serde(borrow, rename = "i")]
    Ingest(IngestMetrics<'a>),
    /// `network_capabilities` (events.md 4).
    #[serde(borrow, rename = "c")]
    Capabilities(Document<'a>),
    /// `discovery_results`, best first, at least one (events.md 3.6).
    #[serde(borrow, rename = "d")]
    Discovery(Vec<Discovered<'a>>),
    /// `create_new_payment` (events.md 3.7).
    #[serde(borrow, rename = "p")]
    Payment(Payment<'a>),
    /// `stream_transport_metrics` (backlog 001).
    #[serde(borrow, rename = "b")]
    Transport(TransportMetrics<'a>),
}

impl Body<'_> {
    /// Stream and request id of an event of a session; `None` for the families that have none.
    pub fn session_ids(&self) -> Option<(&str, &str)> {
        match self {
            Self::Status(body) => Some((&body.stream_id, &body.request_id)),
            Self::Trace(body) => Some((&body.stream_id, &body.request_id)),
            Self::Ai(body) => Some((&body.stream_id, &body.request_id)),
            Self::Ingest(body) => Some((&body.stream_id, &body.request_id)),
            Self::Transport(body) => Some((&body.stream_id, &body.request_id)),
            Self::Capabilities(_) | Self::Discovery(_) | Self::Payment(_) => None,
        }
    }

    /// The family name, as in the envelope's `type`.
    pub fn family(&self) -> &'static str {
        match self {
            Self::Status(_) => "ai_stream_status",
            Self::Trace(_) => "stream_trace",
            Self::Ai(_) => "ai_stream_events",
            Self::Ingest(_) => "stream_ingest_metrics",
            Self::Capabilities(_) => "network_capabilities",
            Self::Discovery(_) => "discovery_results",
            Self::Payment(_) => "create_new_payment",
            Self::Transport(_) => "stream_transport_metrics",
        }
    }
}

/// The orchestrator that a signal names. Both parts can be `""` (unknown).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orchestrator<'a> {
    /// Normalised wallet: the hot wallet for live video, the canonical address for BYOC.
    #[serde(borrow)]
    pub address: Cow<'a, str>,
    /// Service URI, verbatim.
    #[serde(borrow)]
    pub url: Cow<'a, str>,
}

/// One periodic sample of a running stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status<'a> {
    /// Stream id, trimmed; `""` when sent as blank text or as a container.
    #[serde(borrow)]
    pub stream_id: Cow<'a, str>,
    /// Request id, trimmed; `""` when sent as blank text or as a container.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// Model hint as sent (`data.pipeline`); can be blank.
    #[serde(borrow)]
    pub pipeline: Cow<'a, str>,
    /// Orchestrator that serves the stream.
    #[serde(borrow)]
    pub orchestrator: Orchestrator<'a>,
    /// `data.state` verbatim, `""` when absent.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// `data.timestamp`: runner clock; `None` when absent, unparseable or ≤ 0.
    pub runner_ts: Option<Timestamp>,
    /// `data.start_time`: runner clock. A value in seconds (10^9 ≤ v < 10^11) is multiplied before
    /// rounding to the nearest millisecond; `None` when absent or not a number or digits-only text.
    pub start_time: Option<Timestamp>,
    /// `inference_status.fps`, frames per second; 0 when absent.
    pub output_fps: f64,
    /// `input_status.fps`, frames per second; 0 when absent.
    pub input_fps: f64,
    /// `inference_status.restart_count` per runner process, not per session; 0 when absent.
    pub restart_count: u32,
    /// `inference_status.last_restart_time`, runner clock.
    pub last_restart_time: Option<Timestamp>,
    /// `inference_status.last_error` verbatim, `""` when null or empty. Sticky across sessions.
    #[serde(borrow)]
    pub last_error: Cow<'a, str>,
    /// `inference_status.last_error_time`, runner clock.
    pub last_error_time: Option<Timestamp>,
    /// `last_params.prompt` when it is text; `None` for containers, null and absence.
    #[serde(borrow)]
    pub prompt: Option<Cow<'a, str>>,
    /// `last_params.width`, pixels; 0 when absent or out of range.
    pub prompt_width: u16,
    /// `last_params.height`, pixels; 0 when absent or out of range.
    pub prompt_height: u16,
    /// `inference_status.last_params_hash`, `""` when null.
    #[serde(borrow)]
    pub params_hash: Cow<'a, str>,
}

/// The trace subtypes that take part in the lifecycle (lifecycle 1.5, clarification 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TraceType {
    /// Request accepted at the gateway: makes the stream *known*.
    #[serde(rename = "0")]
    GatewayReceiveStreamRequest,
    /// First segment written to the orchestrator.
    #[serde(rename = "1")]
    GatewaySendFirstIngestSegment,
    /// Runner read the first segment (runner clock).
    #[serde(rename = "2")]
    RunnerReceiveFirstIngestSegment,
    /// Runner wrote the first output (runner clock).
    #[serde(rename = "3")]
    RunnerSendFirstProcessedSegment,
    /// First output segment back at the gateway.
    #[serde(rename = "4")]
    GatewayReceiveFirstProcessedSegment,
    /// Third output segment back: playable.
    #[serde(rename = "5")]
    GatewayReceiveFewProcessedSegments,
    /// BYOC data channel; not a playable signal.
    #[serde(rename = "6")]
    GatewayReceiveFirstDataSegment,
    /// Selection exhausted.
    #[serde(rename = "7")]
    GatewayNoOrchestratorsAvailable,
    /// The named orchestrator is being left.
    #[serde(rename = "8")]
    OrchestratorSwap,
    /// Ingest ended.
    #[serde(rename = "9")]
    GatewayIngestStreamClosed,
    /// Runner accepted the job (runner clock); edge and skew bracket, no lifecycle effect.
    #[serde(rename = "a")]
    RunnerReceiveStreamRequest,
}

impl TraceType {
    /// Every subtype, in declaration order.
    pub const ALL: [Self; 11] = [
        Self::GatewayReceiveStreamRequest,
        Self::GatewaySendFirstIngestSegment,
        Self::RunnerReceiveFirstIngestSegment,
        Self::RunnerSendFirstProcessedSegment,
        Self::GatewayReceiveFirstProcessedSegment,
        Self::GatewayReceiveFewProcessedSegments,
        Self::GatewayReceiveFirstDataSegment,
        Self::GatewayNoOrchestratorsAvailable,
        Self::OrchestratorSwap,
        Self::GatewayIngestStreamClosed,
        Self::RunnerReceiveStreamRequest,
    ];

    /// The subtype as producers spell it (exact, case-sensitive).
    pub fn name(self) -> &'static str {
        match self {
            Self::GatewayReceiveStreamRequest => "gateway_receive_stream_request",
            Self::GatewaySendFirstIngestSegment => "gateway_send_first_ingest_segment",
            Self::RunnerReceiveFirstIngestSegment => "runner_receive_first_ingest_segment",
            Self::RunnerSendFirstProcessedSegment => "runner_send_first_processed_segment",
            Self::GatewayReceiveFirstProcessedSegment => "gateway_receive_first_processed_segment",
            Self::GatewayReceiveFewProcessedSegments => "gateway_receive_few_processed_segments",
            Self::GatewayReceiveFirstDataSegment => "gateway_receive_first_data_segment",
            Self::GatewayNoOrchestratorsAvailable => "gateway_no_orchestrators_available",
            Self::OrchestratorSwap => "orchestrator_swap",
            Self::GatewayIngestStreamClosed => "gateway_ingest_stream_closed",
            Self::RunnerReceiveStreamRequest => "runner_receive_stream_request",
        }
    }

    /// The clock of the payload time (lifecycle 0.2).
    pub fn clock(self) -> ClockDomain {
        match self {
            Self::RunnerReceiveFirstIngestSegment
            | Self::RunnerSendFirstProcessedSegment
            | Self::RunnerReceiveStreamRequest => ClockDomain::Runner,
            _ => ClockDomain::Gateway,
        }
    }

    /// The subtype with this exact name; `None` for every other text.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }
}

/// One lifecycle edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace<'a> {
    /// Stream id, trimmed; `""` when sent as blank text or as a container.
    #[serde(borrow)]
    pub stream_id: Cow<'a, str>,
    /// Request id, trimmed; `""` when sent as blank text or as a container.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// Which edge.
    pub kind: TraceType,
    /// `data.timestamp` on the clock of the subtype; `None` when absent, unparseable or ≤ 0.
    pub data_ts: Option<Timestamp>,
    /// Orchestrator of the edge; the one being left for a swap.
    #[serde(borrow)]
    pub orchestrator: Orchestrator<'a>,
    /// `data.pipeline` of a swap: a model hint; `""` otherwise.
    #[serde(borrow)]
    pub pipeline: Cow<'a, str>,
    /// `data.message` of a swap: the reason; `""` otherwise.
    #[serde(borrow)]
    pub message: Cow<'a, str>,
}

/// An error, parameter update, restart or free-form runner event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AiEvent<'a> {
    /// Stream id, trimmed; `""` when sent as blank text or as a container.
    #[serde(borrow)]
    pub stream_id: Cow<'a, str>,
    /// Request id, trimmed; `""` when sent as blank text or as a container.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// `data.type` verbatim; compared ignoring case.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// Model hint as sent; can be `""`.
    #[serde(borrow)]
    pub pipeline: Cow<'a, str>,
    /// `data.message`, `""` when absent.
    #[serde(borrow)]
    pub message: Cow<'a, str>,
    /// `data.capability`, `""` when absent.
    #[serde(borrow)]
    pub capability: Cow<'a, str>,
    /// `data.timestamp`, runner clock; `None` for gateway errors and parameter updates, and when it is ≤ 0.
    pub runner_ts: Option<Timestamp>,
    /// Lowest-priority identity hint (lifecycle 1.7.4).
    #[serde(borrow)]
    pub orchestrator: Orchestrator<'a>,
}

/// Client-to-gateway transport counters of a WHIP ingest. All counters are cumulative.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IngestMetrics<'a> {
    /// Stream id, trimmed; `""` when sent as blank text or as a container.
    #[serde(borrow)]
    pub stream_id: Cow<'a, str>,
    /// Request id, trimmed; `""` when sent as blank text or as a container.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// `data.timestamp`, gateway clock.
    pub data_ts: Option<Timestamp>,
    /// `peer_conn_stats.ID`, `""` when absent.
    #[serde(borrow)]
    pub peer_connection: Cow<'a, str>,
    /// `good`, `bad`, `unknown` or other text; `""` when absent.
    #[serde(borrow)]
    pub connection_quality: Cow<'a, str>,
    /// Bytes received since connect.
    pub bytes_received: u64,
    /// Bytes sent since connect.
    pub bytes_sent: u64,
    /// The video track; the last one if several.
    pub video: Option<Track>,
    /// The audio track; the last one if several.
    pub audio: Option<Track>,
}

/// One media track of an ingest connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Milliseconds; 0 = not measured.
    pub jitter: f64,
    /// Cumulative; can be negative.
    pub packets_lost: i64,
    /// Cumulative.
    pub packets_received: u64,
    /// Cumulative ratio, percent 0 to 100.
    pub packet_loss_pct: f64,
    /// Nanoseconds; 0 = unknown.
    pub rtt: u64,
    /// Seconds of media time.
    pub last_input_ts: f64,
    /// Seconds of media time; 0 = absent.
    pub last_output_ts: f64,
    /// Seconds; meaningless when `last_output_ts` is 0.
    pub latency: f64,
}

/// One orchestrator found by a selection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovered<'a> {
    /// Wallet and service URI.
    #[serde(borrow)]
    pub orchestrator: Orchestrator<'a>,
    /// Milliseconds; `None` when unparseable.
    pub latency_ms: Option<u32>,
}

/// One payment ticket batch; amounts stay the producer's text here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment<'a> {
    /// `requestID`: set only on the first payment of a stream.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// `sessionID`: the orchestrator's auth-token session.
    #[serde(borrow)]
    pub session_id: Cow<'a, str>,
    /// `manifestID`.
    #[serde(borrow)]
    pub manifest_id: Cow<'a, str>,
    /// Gateway's payer wallet, normalised.
    #[serde(borrow)]
    pub sender: Cow<'a, str>,
    /// Canonical orchestrator wallet, normalised.
    #[serde(borrow)]
    pub recipient: Cow<'a, str>,
    /// Service URI of the orchestrator, verbatim.
    #[serde(borrow)]
    pub orchestrator_url: Cow<'a, str>,
    /// Face value of one ticket with its unit, verbatim.
    #[serde(borrow)]
    pub face_value: Cow<'a, str>,
    /// Number of tickets, verbatim.
    #[serde(borrow)]
    pub num_tickets: Cow<'a, str>,
    /// Winning probability, verbatim decimal.
    #[serde(borrow)]
    pub win_prob: Cow<'a, str>,
    /// Price with its unit, verbatim.
    #[serde(borrow)]
    pub price: Cow<'a, str>,
    /// `clientIP`, personal data if ever set.
    #[serde(borrow)]
    pub client_ip: Cow<'a, str>,
    /// `capability`, empty for live video.
    #[serde(borrow)]
    pub capability: Cow<'a, str>,
}
