//! One fixed value of every type that travels or is kept. No field has its default value and no two
//! fields of a struct have the same, so swapped, lost and retyped fields change the golden bytes.

use std::borrow::Cow::Borrowed;
use std::collections::BTreeMap;

use naap_protocol::capability::advertise::{Advertisement, Content, Node, Offer};
use naap_protocol::capability::decide::{
    Chosen, Decision, Identity, Method, Reason, Source, Status as Decided,
};
use naap_protocol::capability::evidence::{Answer, Question, Role, Subject};
use naap_protocol::capability::index::Index;
use naap_protocol::capability::{
    BadEntry, Document, Entry, Gpu, Hardware, ModelConstraint, ModelSettings, Price,
};
use naap_protocol::cluster::{
    BatchAck, BatchHead, Beat, Hello, MemberStatus, Phase, Response, Verdict,
};
use naap_protocol::codec::TraceContext;
use naap_protocol::event::transport::{
    Channel, Counters, Link, Observer, TransportMetrics, TransportStream,
};
use naap_protocol::event::{
    AiEvent, Body, DedupStrategy, Discovered, Event, IngestMetrics, Orchestrator, Payment, Status,
    Trace, TraceType, Track,
};
use naap_protocol::peer::{Note, Notes, Sender};
use naap_protocol::signal::signal;
use naap_protocol::slice::DirtySlices;
use naap_protocol::state::{
    Deliveries, Delivery, Elements, EpochOpen, EventState, Expired, HourKey, OrchestratorState,
    Progress, SessionState, SourcePartition, Uid, Written,
};
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{Advertised, Envelope, EnvelopeBuilder, EnvelopeHead};

const NOW: i64 = 1_774_344_333_000;

pub(crate) const TRACE: TraceContext = TraceContext([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 1,
]);

fn at(offset: i64) -> Timestamp {
    Timestamp(NOW + offset)
}

fn orchestrator() -> Orchestrator<'static> {
    Orchestrator { address: Borrowed("0xhota"), url: Borrowed("https://A:8935/") }
}

/// The event number `offset` with this body.
pub(crate) fn event(offset: u64, body: Body<'static>) -> Event<'static> {
    let strategy = [DedupStrategy::EventId, DedupStrategy::PayloadHash];
    Event {
        offset,
        record_ts: at(40),
        uid: format!("019b9f15-0000-7000-8000-{offset:012x}").into(),
        dedup_strategy: strategy[offset as usize % 2],
        content_hash: 0xfeed_f00d_0000_0000 | offset,
        event_ts: at(20 + offset as i64),
        replay: offset.is_multiple_of(2),
        version: Borrowed("v1"),
        gateway: Borrowed("gateway-a"),
        raw: Borrowed(r#"{"data":{"é":"☃"}}"#),
        data_at: (8, 12),
        body,
    }
}

/// One event of every [`Body`] variant.
pub(crate) fn events() -> Vec<Event<'static>> {
    let bodies = [
        Body::Status(status()),
        Body::Trace(trace(TraceType::OrchestratorSwap)),
        Body::Ai(ai_event()),
        Body::Ingest(ingest()),
        Body::Capabilities(document()),
        Body::Discovery(vec![
            Discovered { orchestrator: orchestrator(), latency_ms: Some(77) },
            Discovered { orchestrator: Orchestrator::default(), latency_ms: None },
        ]),
        Body::Payment(payment()),
        Body::Transport(transport()),
    ];
    (1..).zip(bodies).map(|(offset, body)| event(offset, body)).collect()
}

pub(crate) fn status() -> Status<'static> {
    Status {
        stream_id: Borrowed("stream-1"),
        request_id: Borrowed("req-1"),
        pipeline: Borrowed("streamdiffusion-sdxl"),
        orchestrator: orchestrator(),
        state: Borrowed("ONLINE"),
        runner_ts: Some(at(1)),
        start_time: Some(at(2)),
        output_fps: 23.75,
        input_fps: 29.5,
        restart_count: 3,
        last_restart_time: Some(at(-4)),
        last_error: Borrowed("it broke"),
        last_error_time: Some(at(-5)),
        prompt: Some(Borrowed("a cat")),
        prompt_width: 512,
        prompt_height: 768,
        params_hash: Borrowed("abcdef"),
    }
}

pub(crate) fn trace(kind: TraceType) -> Trace<'static> {
    Trace {
        stream_id: Borrowed("stream-1"),
        request_id: Borrowed("req-1"),
        kind,
        data_ts: Some(at(6)),
        orchestrator: orchestrator(),
        pipeline: Borrowed("p"),
        message: Borrowed("swapped"),
    }
}

fn ai_event() -> AiEvent<'static> {
    AiEvent {
        stream_id: Borrowed("stream-1"),
        request_id: Borrowed("req-1"),
        kind: Borrowed("error"),
        pipeline: Borrowed("p"),
        message: Borrowed("whip disconnected"),
        capability: Borrowed("cap"),
        runner_ts: Some(at(7)),
        orchestrator: orchestrator(),
    }
}

fn ingest() -> IngestMetrics<'static> {
    let video = Track {
        jitter: 1.5,
        packets_lost: -2,
        packets_received: 3,
        packet_loss_pct: 4.5,
        rtt: 5,
        last_input_ts: 6.5,
        last_output_ts: 7.5,
        latency: 8.5,
    };
    IngestMetrics {
        stream_id: Borrowed("stream-1"),
        request_id: Borrowed("req-1"),
        data_ts: Some(at(8)),
        peer_connection: Borrowed("pc"),
        connection_quality: Borrowed("good"),
        bytes_received: 1 << 40,
        bytes_sent: 9,
        video: Some(video),
        audio: Some(Track { rtt: u64::MAX, ..video }),
    }
}

fn document() -> Document<'static> {
    let settings = ModelSettings {
        runner_version: Borrowed("0.14.0"),
        capacity: 2,
        capacity_in_use: 1,
        warm: true,
    };
    let gpu = Gpu {
        id: Borrowed("GPU-1"),
        name: Borrowed("RTX"),
        major: 12,
        minor: 1,
        memory_total: 32 << 30,
        memory_free: 16 << 30,
    };
    let hardware = Hardware {
        pipeline: Borrowed("live-video-to-video"),
        model_id: Borrowed("m1"),
        gpus: vec![gpu],
    };
    let price = Price {
        capability: 35,
        constraint: Borrowed("m1"),
        price_per_unit: 1618,
        pixels_per_unit: 10,
    };
    let model = |settings| ModelConstraint { capability: 35, model_id: Borrowed("m1"), settings };
    let entry = Entry {
        index: 1,
        address: Borrowed("0xa"),
        local_address: Borrowed("0xhota"),
        orch_uri: Borrowed("https://a"),
        version: Borrowed("0.8.8"),
        capacities: vec![(35, 2), (-1, i64::MIN)],
        models: vec![model(Some(settings)), model(None)],
        prices: vec![price],
        hardware: vec![hardware],
        raw: Borrowed(r#"{"address":"0xa"}"#),
    };
    let bad = BadEntry { index: 2, reason: "expected a value".to_owned() };
    Document { entries: vec![entry], bad_entries: vec![bad] }
}

fn payment() -> Payment<'static> {
    Payment {
        request_id: Borrowed("req-1"),
        session_id: Borrowed("session"),
        manifest_id: Borrowed("manifest"),
        sender: Borrowed("0xsender"),
        recipient: Borrowed("0xrecipient"),
        orchestrator_url: Borrowed("https://a"),
        face_value: Borrowed("1 WEI"),
        num_tickets: Borrowed("100"),
        win_prob: Borrowed("0.5"),
        price: Borrowed("7 wei/pixel"),
        client_ip: Borrowed("192.0.2.1"),
        capability: Borrowed("byoc"),
    }
}

fn transport() -> TransportMetrics<'static> {
    let to = Counters {
        bytes: 1 << 41,
        segments: 11,
        failed_segments: 12,
        dropped_segments: 13,
        retries: 14,
        busy_ms: 15,
        last_seq: 16,
    };
    TransportMetrics {
        stream_id: Borrowed("stream-1"),
        request_id: Borrowed("req-1"),
        pipeline: Borrowed("p"),
        orchestrator: orchestrator(),
        stream: TransportStream {
            attempt: 2,
            link: Link::GatewayToOrchestrator,
            channel: Channel::Control,
            observer: Observer::Orchestrator,
        },
        sample_seq: 17,
        interval_start: at(18),
        interval_end: at(19),
        is_final: true,
        to_orchestrator: to,
        from_orchestrator: Counters { bytes: 21, last_seq: u64::MAX, ..to },
    }
}

fn advertisement(offset: i64, model: &str) -> Advertisement {
    let offer = Offer {
        pipeline: "live-video-to-video".to_owned(),
        model: model.to_owned(),
        gpus: vec!["GPU-1".to_owned(), "GPU-2".to_owned()],
    };
    Advertisement {
        node: Node { canonical: "0xa".to_owned(), url: "https://a".to_owned() },
        event_ts: at(offset),
        uid: format!("cap{offset}"),
        content: Content { offers: vec![offer], aliases: vec!["0xhota".to_owned()] },
        capacities: [(model.to_owned(), 3)].into_iter().collect(),
        content_hash: model.bytes().map(u64::from).sum(),
    }
}

pub(crate) fn advertised() -> Advertised {
    Advertised { key: "0xhota".to_owned(), advertisement: advertisement(9, "m1") }
}

pub(crate) fn source() -> SourcePartition {
    SourcePartition { topic: "streaming_events".to_owned(), partition: 5 }
}

pub(crate) fn session_state() -> SessionState {
    let mut state = SessionState {
        org: "cloud_spe".to_owned(),
        session_id: "stream-1|req-1".to_owned(),
        stream_id: "stream-1".to_owned(),
        request_id: "req-1".to_owned(),
        answers: vec![answer()],
        written: Written {
            epoch: 11,
            cycle: 9,
            session: 1,
            coverage: 2,
            latency: [3, 4],
            segments: vec![5, 6],
            swaps: vec![7],
            hours: BTreeMap::from([(
                HourKey { window_start: at(0), segment_index: 1, identity_index: 2 },
                8,
            )]),
            start: Some(at(0)),
        },
        owes_rows: true,
        ..SessionState::default()
    };
    let mut deliveries = Deliveries::default();
    let runner = Body::Trace(trace(TraceType::RunnerReceiveStreamRequest));
    let mut named = event(9, runner);
    named.uid = Borrowed("no-uuid");
    for event in events().iter().chain([&named]) {
        deliveries.observe(&event.uid, &Delivery::of(event, "streaming_events", 5));
        if let Some(signal) = signal(event) {
            state.insert(&signal);
        }
        state.sample(event);
    }
    // A replay of the last one, from elsewhere.
    let again = Event { offset: 2, replay: true, ..named };
    deliveries.observe(&again.uid, &Delivery::of(&again, "streaming_events", 6));
    state.deliveries = deliveries;
    state.displace("no-uuid");
    let gone = Event { content_hash: 1, ..event(12, Body::Ingest(ingest())) };
    state.sample(&gone);
    state.samples.displace(&Uid::new(&gone.uid));
    state.samples.kept.iter_mut().for_each(|sample| sample.written = 77);
    state
}

fn answer() -> Answer {
    let subject = Subject {
        ts: at(3),
        url: "https://a".to_owned(),
        address: "0xhota".to_owned(),
        pipeline: "live-video-to-video".to_owned(),
        model: "m1".to_owned(),
    };
    let chosen = Chosen {
        node: Node { canonical: "0xa".to_owned(), url: "https://a".to_owned() },
        pipeline: "live-video-to-video".to_owned(),
        model: "M1".to_owned(),
        gpu_id: "GPU-1".to_owned(),
        gpu_candidate_count: 1,
        snapshot_ts: at(2),
        snapshot_uid: "cap2".to_owned(),
        distance_ms: 1,
        capacity: Some(3),
    };
    let decision = Decision {
        status: Decided::Resolved,
        source: Source::Direct,
        reason: Reason::Matched,
        identity: Identity::Uri,
        method: Method::NearestPrior,
        chosen: Some(chosen),
    };
    Answer { subject, by_url: Some(decision), by_address: None }
}

pub(crate) fn event_state() -> EventState {
    let mut elements = Elements::default();
    for (set, entry) in [(0, 0), (0, 0), (3, 1)] {
        elements.add(set, entry);
    }
    let payment = event(7, Body::Payment(payment()));
    let mut state = EventState::new(Delivery::of(&payment, "network_events", 6));
    let other = Event { offset: 8, content_hash: u64::MAX, ..payment };
    let place = state.observe(&Delivery::of(&other, "network_events", 6)).place;
    state.made(place, elements);
    state
}

pub(crate) fn orchestrator_state() -> OrchestratorState {
    let mut index = Index::default();
    for (offset, model) in [(9, "m1"), (10, "m1"), (10, "m2"), (30, "m1")] {
        index.insert(&advertisement(offset, model));
    }
    OrchestratorState { org: "cloud_spe".to_owned(), key: "0xhota".to_owned(), index }
}

pub(crate) fn expired() -> Expired {
    Expired { epoch: 14, ended: at(3), at: at(9) }
}

pub(crate) fn epoch_open() -> EpochOpen {
    EpochOpen { epoch: 12, node: "naap-0".to_owned(), incarnation: 1 << 50 }
}

pub(crate) fn progress() -> Progress {
    let other = SourcePartition { topic: "network_events".to_owned(), partition: 0 };
    let applied = BTreeMap::from([(source(), 1 << 33), (other, 7)]);
    let dirty =
        BTreeMap::from([("cloud_spe".to_owned(), BTreeMap::from([(at(0), 20), (at(9), 21)]))]);
    let (dirty, watermark) = (DirtySlices(dirty), Some(at(11)));
    Progress { epoch: 13, cycle: 21, routing_version: 2, applied, dirty, watermark }
}

pub(crate) fn notes() -> Notes {
    let (shard, epoch) = (63, 14);
    let question = Question {
        org: "cloud_spe".to_owned(),
        session: 5,
        shard: 7,
        key: "0xhota".to_owned(),
        role: Role::Address,
        subjects: Vec::new(),
    };
    Notes(vec![
        Note::Attach { shard, source: source(), start: 3, ask: 4 },
        Note::Attached { shard, epoch, source: source(), wanted: 1 << 33, ask: 4 },
        Note::Mark { shard, epoch, source: source(), from: 1, to: 2 },
        Note::Credit { shard, epoch, bytes: 1 << 20 },
        Note::Refused { shard, epoch, source: source() },
        Note::Claimed { shard, epoch, applied: vec![(source(), 9)] },
        Note::Heir { shard, epoch },
        Note::Ask { shard, questions: vec![question], from: Sender { shard: 7, epoch: 15 } },
        Note::Evidence { shard, evidence: Vec::new(), from: Sender { shard: 8, epoch: 16 } },
        Note::Backfill { shard, evidence: Vec::new() },
        Note::Dirty { shard, epoch, dirty: progress().dirty },
        Note::Settled { shard, epoch, dirty: progress().dirty },
    ])
}

pub(crate) fn head() -> EnvelopeHead {
    EnvelopeHead {
        shard: 63,
        epoch_hint: 14,
        org: "cloud_spe".to_owned(),
        source: source(),
        from: 100,
        to: 200,
        count: 0,
    }
}

/// An item of every kind with every [`Body`] variant.
pub(crate) fn envelope() -> Envelope {
    let mut builder = EnvelopeBuilder::default();
    for (entity, event) in (u128::MAX - 9..).zip(&events()) {
        let pushed = match event.body {
            Body::Capabilities(_) | Body::Discovery(_) | Body::Payment(_) => {
                builder.push_single(entity, event)
            }
            _ => builder.push_session(entity, event),
        };
        pushed.unwrap();
    }
    builder.push_advertisement(15, &advertised()).unwrap();
    builder.seal(head(), TRACE)
}

pub(crate) fn hello() -> Hello {
    Hello {
        oldest: 1,
        newest: 2,
        role: naap_protocol::cluster::Role::Control,
        cluster: "naap".into(),
        node: "naap-3".into(),
        incarnation: 1_774_344_333_000,
        shards: 64,
        routing_version: 4,
        nonce: u128::MAX - 5,
    }
}

pub(crate) fn verdict() -> Verdict {
    Verdict { nonce: u128::MAX - 5, refusal: Some("no".into()) }
}

pub(crate) fn beat() -> Beat {
    Beat { node: "naap-3".into(), incarnation: 7, sequence: 8, phase: Phase::Draining }
}

pub(crate) fn response() -> Response {
    let member = MemberStatus {
        node: "naap-1".into(),
        incarnation: 7,
        state: "up".into(),
        suspect: true,
        linked: false,
        heard_ms: Some(2500),
        seen_ms: None,
        shards: 21,
    };
    Response { refusal: Some("no".into()), node: "naap-3".into(), members: vec![member] }
}

pub(crate) fn batch() -> BatchHead {
    BatchHead { node: "naap-3".into(), link: 7, number: 8, count: 9 }
}

pub(crate) fn batch_ack() -> BatchAck {
    BatchAck { node: "naap-1".into(), link: 7, number: 8, refusal: Some("no".into()) }
}
