//! Signals in the notation of lifecycle.md 13, and random ones.

use std::borrow::Cow;

use naap_actors::session::SessionActor;
use naap_actors::session::pen::Stamp;
use naap_actors::session::row::{RowParts, session_row};
use naap_protocol::event::transport::{
    Channel, Counters, Link, Observer, TransportMetrics, TransportStream,
};
use naap_protocol::event::{
    AiEvent, Body, DedupStrategy, Discovered, Event, IngestMetrics, Orchestrator, Payment, Status,
    Trace, TraceType, Track,
};
use naap_protocol::rows::{Row, sessions::Session};
use naap_protocol::time::Timestamp;
use proptest::prelude::*;
use proptest::sample::Select;

use crate::cells::{self, Cells};

/// Times of vectors below 10^11 count from here (clarification 4).
pub const BASE: i64 = 1_772_000_000_000;
/// Retention of live mode.
pub const RETENTION: Option<i64> = Some(48 * 3_600_000);

fn time(text: &str) -> Timestamp {
    let value: i64 = text.parse().expect("a time in milliseconds");
    Timestamp(if value < 100_000_000_000 { BASE + value } else { value })
}

/// A hash of `content`.
pub fn content_hash(content: &str) -> u64 {
    content.bytes().fold(14_695_981_039_346_656_037, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211)
    })
}

/// An event of session `s|r`.
pub fn event(uid: &str, ts: Timestamp, gateway: &str, body: Body<'static>) -> Event<'static> {
    let data = format!("{{\"region\":\"{gateway}\"}}");
    let raw = format!("{{\"id\":\"{uid}\",\"type\":\"{}\",\"data\":{data}}}", body.family());
    let content = format!("{}{ts:?}{gateway}{body:?}", body.family());
    Event {
        offset: 0,
        record_ts: ts,
        uid: Cow::Owned(uid.to_owned()),
        dedup_strategy: DedupStrategy::EventId,
        content_hash: content_hash(&content),
        event_ts: ts,
        replay: false,
        version: Cow::Borrowed("1"),
        gateway: Cow::Owned(gateway.to_owned()),
        data_at: ((raw.len() - data.len() - 1) as u32, data.len() as u32),
        raw: Cow::Owned(raw),
        body,
    }
}

pub fn trace(kind: TraceType, orchestrator: Orchestrator<'static>) -> Body<'static> {
    Body::Trace(Trace {
        stream_id: "s".into(),
        request_id: "r".into(),
        kind,
        data_ts: None,
        orchestrator,
        pipeline: Cow::Borrowed(""),
        message: Cow::Borrowed(""),
    })
}

/// One word of a script.
#[derive(Clone, Copy, Debug)]
pub struct Word<'t> {
    pub name: &'t str,
    pub message: &'t str,
    pub at: Timestamp,
    pub fields: &'t str,
}

/// Cuts `REQ@1000 ST@2000{u=https://a,a=0xa,p=m1} ERR"boom"@3000` into words.
pub fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, tail) = rest.split_at(rest.find(['@', '"']).expect("a time"));
        let (message, tail) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("a closing quote"),
            None => ("", tail),
        };
        let tail = tail.strip_prefix('@').expect("a time");
        let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (at, tail) = tail.split_at(digits);
        let (fields, tail) = match tail.strip_prefix('{') {
            Some(fields) => fields.split_once('}').expect("a closing brace"),
            None => ("", tail),
        };
        words.push(Word { name, message, at: time(at), fields });
        rest = tail.trim_start();
    }
    words
}

/// Reads a script of signals. Without a `uid` the first is `e1` and so on.
pub fn parse(text: &str) -> Vec<Event<'static>> {
    let numbered = words(text).into_iter().zip(1..);
    numbered.map(|(word, n)| one(word, word.fields, &format!("e{n}"))).collect()
}

/// The value of `key` among `fields`; `""` when it is not there.
pub fn field(fields: &str, key: &str) -> String {
    let mut found = fields.split(',').filter_map(|pair| pair.split_once('='));
    found.find(|(k, _)| *k == key).map_or("", |(_, value)| value).to_owned()
}

/// Words for traces.
const TRACES: [(&str, TraceType); 11] = [
    ("REQ", TraceType::GatewayReceiveStreamRequest),
    ("PROC", TraceType::GatewayReceiveFirstProcessedSegment),
    ("PLAY", TraceType::GatewayReceiveFewProcessedSegments),
    ("DATA", TraceType::GatewayReceiveFirstDataSegment),
    ("NOORCH", TraceType::GatewayNoOrchestratorsAvailable),
    ("SWAP", TraceType::OrchestratorSwap),
    ("CLOSE", TraceType::GatewayIngestStreamClosed),
    ("GSEND", TraceType::GatewaySendFirstIngestSegment),
    ("RREQ", TraceType::RunnerReceiveStreamRequest),
    ("RRECV", TraceType::RunnerReceiveFirstIngestSegment),
    ("RSEND", TraceType::RunnerSendFirstProcessedSegment),
];

/// `text` without the signs that words are made of.
fn plain(text: &str) -> String {
    text.replace(['"', '{', '}', ',', '='], " ")
}

/// The word for an event that is a signal, with what matters to a session.
pub fn word(event: &Event<'_>) -> String {
    let at = event.event_ts.0;
    let named = |who: &Orchestrator<'_>, pipeline: &str| {
        format!("u={},a={},p={pipeline}", who.url, who.address)
    };
    let stamp = |ts: Option<Timestamp>| ts.map_or(String::new(), |ts| (ts.0 - at).to_string());
    let (name, message, fields) = match &event.body {
        Body::Trace(trace) => {
            let name = TRACES.iter().find(|(_, kind)| *kind == trace.kind).map_or("?", |t| t.0);
            let fields = named(&trace.orchestrator, &trace.pipeline);
            (name, plain(&trace.message), format!("{fields},stamp={}", stamp(trace.data_ts)))
        }
        Body::Status(status) => {
            let fields = named(&status.orchestrator, &status.pipeline);
            let start = status.start_time.map_or(String::new(), |start| start.0.to_string());
            let (state, fps, stamp) = (&status.state, status.output_fps, stamp(status.runner_ts));
            let err = plain(&status.last_error);
            let more = format!("state={state},fps={fps},err={err},start={start},stamp={stamp}");
            ("ST", String::new(), format!("{fields},{more}"))
        }
        Body::Ai(ai) => {
            let name = match &*ai.kind.to_ascii_lowercase() {
                "error" => "ERR",
                "params_update" => "PU",
                _ => "AI",
            };
            (name, plain(&ai.message), named(&ai.orchestrator, &ai.pipeline))
        }
        body => (body.family(), String::new(), String::new()),
    };
    let message = if message.is_empty() { String::new() } else { format!("\"{message}\"") };
    format!("{name}{message}@{at}{{uid={},gw={},{fields}}}", event.uid, event.gateway)
}

/// The event of a word whose fields are `fields`.
pub fn one(word: Word<'_>, fields: &str, uid: &str) -> Event<'static> {
    let Word { name, message, at, .. } = word;
    let field = |key: &str| field(fields, key);
    let orchestrator = || Orchestrator { address: field("a").into(), url: field("u").into() };
    let kind = TRACES.iter().find(|(word, _)| *word == name).map(|(_, kind)| *kind);
    let (stream_id, request_id) = ("s".into(), "r".into());
    let start = field("start");
    // Stamps are offsets from the time of the signal.
    let stamp = field("stamp").parse::<i64>().ok().map(|offset| Timestamp(at.0 + offset));
    let body = match (name, kind) {
        (_, Some(kind)) => {
            let mut body = trace(kind, orchestrator());
            if let Body::Trace(trace) = &mut body {
                (trace.data_ts, trace.message) = (stamp, message.to_owned().into());
                trace.pipeline = field("p").into();
            }
            body
        }
        ("ST", _) => Body::Status(Status {
            stream_id,
            request_id,
            pipeline: field("p").into(),
            orchestrator: orchestrator(),
            state: field("state").into(),
            start_time: (!start.is_empty()).then(|| time(&start)),
            runner_ts: stamp,
            input_fps: field("in").parse().unwrap_or(0.0),
            output_fps: field("fps").parse().unwrap_or(0.0),
            last_error: field("err").into(),
            ..Status::default()
        }),
        ("ERR" | "PU" | "AI", _) => Body::Ai(AiEvent {
            stream_id,
            request_id,
            kind: ["Error", "params_update", "restart"]
                [["ERR", "PU", "AI"].iter().position(|n| *n == name).unwrap_or(0)]
            .into(),
            message: message.to_owned().into(),
            pipeline: field("p").into(),
            orchestrator: orchestrator(),
            ..AiEvent::default()
        }),
        ("ING", _) => Body::Ingest(ingest(fields)),
        ("TRN", _) => Body::Transport(transport(at, fields, orchestrator())),
        ("PAY", _) => Body::Payment(Payment { sender: field("a").into(), ..Payment::default() }),
        ("FIND", _) => {
            Body::Discovery(vec![Discovered { orchestrator: orchestrator(), latency_ms: Some(7) }])
        }
        _ => panic!("no signal is called {name}"),
    };
    let own = field("uid");
    event(if own.is_empty() { uid } else { &own }, at, &field("gw"), body)
}

/// The number of `key` among `fields`; 0 when it is not there.
fn number<N: std::str::FromStr + Default>(fields: &str, key: &str) -> N {
    field(fields, key).parse().unwrap_or_default()
}

/// Ingest metrics: `pc` connection, `rx`, `tx` bytes, `q` quality; of the video track, which is there
/// if any of them is: `vr` received, `vl` lost packets, `jit` ms, `rtt` ns, `li`, `lo` media time.
fn ingest(fields: &str) -> IngestMetrics<'static> {
    let track = Track {
        jitter: number(fields, "jit"),
        packets_lost: number(fields, "vl"),
        packets_received: number(fields, "vr"),
        packet_loss_pct: 0.0,
        rtt: number(fields, "rtt"),
        last_input_ts: number(fields, "li"),
        last_output_ts: number(fields, "lo"),
        latency: number(fields, "li"),
    };
    IngestMetrics {
        stream_id: "s".into(),
        request_id: "r".into(),
        data_ts: None,
        peer_connection: field(fields, "pc").into(),
        connection_quality: field(fields, "q").into(),
        bytes_received: number(fields, "rx"),
        bytes_sent: number(fields, "tx"),
        video: (track != Track::default()).then_some(track),
        audio: None,
    }
}

/// Transport counters: `n` number, `try` attempt, `len` ms of the interval that ends at `at`, `rx` and
/// `tx` bytes to and from the orchestrator, `drop` dropped segments, `by` an orchestrator, `ch`annel.
fn transport(
    at: Timestamp,
    fields: &str,
    orchestrator: Orchestrator<'static>,
) -> TransportMetrics<'static> {
    let len: i64 = number(fields, "len");
    let counters = |bytes: &str| Counters { bytes: number(fields, bytes), ..Counters::default() };
    let channel = Channel::from_label(&field(fields, "ch")).unwrap_or(Channel::Media);
    let observer =
        if field(fields, "by").is_empty() { Observer::Gateway } else { Observer::Orchestrator };
    TransportMetrics {
        stream_id: "s".into(),
        request_id: "r".into(),
        pipeline: "".into(),
        orchestrator,
        stream: TransportStream {
            attempt: number(fields, "try"),
            link: Link::GatewayToOrchestrator,
            channel,
            observer,
        },
        sample_seq: number(fields, "n"),
        interval_start: Timestamp(at.0 - if len > 0 { len } else { 5_000 }),
        interval_end: at,
        is_final: false,
        to_orchestrator: Counters { dropped_segments: number(fields, "drop"), ..counters("rx") },
        from_orchestrator: counters("tx"),
    }
}

/// Any signal or sample, as text. Times, texts and states come from small sets, so that they often meet.
pub fn signal(uids: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let name = select(&[
        "REQ", "PROC", "PLAY", "NOORCH", "SWAP", "CLOSE", "GSEND", "RSEND", "DATA", "ST", "ST",
        "ST", "ERR", "PU", "AI", "ING", "ING", "TRN", "TRN",
    ]);
    let message = select(&["", "user disconnected", "boom"]);
    let time = select(&["1000", "2000", "2001", "5000", "9000", "172805000", "172806001"]);
    let url = select(&["", "", "https://a", "https://A/", "https://b"]);
    let address = select(&["", "", "0xa", "0xb"]);
    let text = select(&["", " ", "x", "y"]);
    let start = select(&["", "500", "1500", "8999"]);
    let state = select(&["", "LOADING", "ONLINE"]);
    let error = select(&["", "null", "CUDA"]);
    (name, message, time, (url, address), (text.clone(), text), (start, state, error), 0..3, uids)
        .prop_map(|(name, message, time, (u, a), (p, gw), (start, state, error), fps, uid)| {
            // A uid that says something under several numbers takes two forgeries, see
            // docs/feeds.md.
            let number = if name == "TRN" { format!("t{fps}{state}") } else { String::new() };
            let who = format!("uid={uid}{number},gw={gw},u={u},a={a},p={p}");
            let bytes = ["400", "2000", "1000"][error.len() % 3];
            let attempt = u8::from(state == "ONLINE");
            let counts = format!("pc={gw},rx={bytes},tx={fps},vr={start},n={fps},try={attempt}");
            format!(
                "{name}\"{message}\"@{time}{{{who},start={start},state={state},err={error},fps={fps},{counts}}}"
            )
        })
}

fn select(texts: &'static [&'static str]) -> Select<&'static str> {
    proptest::sample::select(texts)
}

/// The session's row, with fixed version and insert time.
pub fn row(session: &mut SessionActor) -> Option<Cells> {
    let story = session.story(RETENTION);
    if story.signals.is_empty() {
        return None;
    }
    let parts = RowParts::of(&story);
    let row = session_row(&story, &parts, Stamp { version: 7, now: Timestamp(BASE) });
    let mut bytes = Vec::new();
    row.encode(&mut bytes);
    cells::read(Session::SPEC, &bytes).pop()
}
