//! The gate against a second, slow implementation over `serde_json::Value`: real records with
//! random members removed, added or replaced must come out alike.
// Helpers panic like tests do; floats are compared as written.
#![allow(clippy::panic, clippy::unwrap_used, clippy::float_cmp)]

mod common;

use std::borrow::Cow;

use common::{CAPTURE, NOW, admit};
use naap_protocol::event::transport::{
    Channel, Counters, Link, Observer, TransportMetrics, TransportStream,
};
use naap_protocol::event::{
    AiEvent, Body, Discovered, IngestMetrics, Orchestrator, Payment, Status, Trace, TraceType,
    Track,
};
use naap_protocol::gate::Outcome;
use naap_protocol::identity::norm_addr;
use naap_protocol::payment;
use naap_protocol::rows::rejects::DeadLetter;
use naap_protocol::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Accepted body, or the label of a reason. Capability bodies are not compared.
type Expected = Result<Option<Body<'static>>, &'static str>;

fn text(value: &Value) -> Cow<'static, str> {
    match value {
        Value::String(text) => text.clone().into(),
        Value::Number(_) | Value::Bool(_) => value.to_string().into(),
        _ => "".into(),
    }
}

fn id(value: &Value) -> Cow<'static, str> {
    text(value).trim().to_owned().into()
}

fn wallet(value: &Value) -> Cow<'static, str> {
    norm_addr(text(value)).into_owned().into()
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let whole = number.as_f64()?.trunc();
            (whole.abs() < 9.2e18).then_some(whole as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn count(value: &Value) -> u64 {
    let wide = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    wide.unwrap_or_else(|| integer(value).map_or(0, |value| value.max(0) as u64))
}

fn float(value: &Value) -> f64 {
    let float = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    float.filter(|f: &f64| f.abs() <= f64::from(f32::MAX)).unwrap_or(0.0)
}

fn millis(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(_) => integer(value),
        Value::String(text) if text.trim().chars().all(|c| c.is_ascii_digit()) => integer(value),
        _ => None,
    }
    .map(Timestamp)
}

fn start_time(value: &Value) -> Option<Timestamp> {
    let exact = match value {
        Value::Number(number) => number.as_f64()?,
        _ => millis(value)?.0 as f64,
    };
    if (1e9..1e11).contains(&exact) {
        return Some(Timestamp((exact * 1000.0).round() as i64));
    }
    millis(value)
}

fn orchestrator(value: &Value) -> Orchestrator<'static> {
    Orchestrator { address: wallet(&value["address"]), url: text(&value["url"]) }
}

fn present(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null() && *value != json!(""))
}

/// What events.md 6 says about `root`.
fn judge(root: &Value) -> Expected {
    let Some(object) = root.as_object() else { return Err("root_not_object") };
    let Some(family) = root["type"].as_str() else { return Err("missing_type") };
    let data = &root["data"];
    let (required, by_gateway): (&[&str], bool) = match family {
        "stream_trace" => {
            (&["stream_id", "request_id", "type"], !text(&data["type"]).starts_with("runner_"))
        }
        "ai_stream_status" => (&["stream_id", "request_id", "pipeline"], false),
        "ai_stream_events" => (&["stream_id", "request_id", "type"], false),
        "stream_ingest_metrics" => (&["stream_id", "request_id"], true),
        "create_new_payment" => (&PAYMENT_FIELDS, true),
        // Read strictly, see `transport`.
        "stream_transport_metrics" => (&[""; 0], false),
        "network_capabilities" | "discovery_results" => (&[], false),
        _ => return Err("unsupported_event_family"),
    };
    if family == "stream_trace" && present(data.get("type")) {
        let subtype = text(&data["type"]);
        let scope = text(&data["client_source"]).eq_ignore_ascii_case("scope");
        if TraceType::from_name(&subtype).is_none() {
            return Err(match subtype.to_ascii_lowercase() {
                lower if lower.starts_with("app_") => "ignored_stream_trace_non_core_app",
                _ if scope && subtype == "stream_heartbeat" => {
                    "ignored_stream_trace_scope_client_noise"
                }
                _ => "unsupported_trace_subtype",
            });
        }
    }
    match millis(&root["timestamp"]) {
        None => return Err("missing_timestamp"),
        Some(Timestamp(ts)) if ts < 1_577_836_800_000 => return Err("implausible_timestamp"),
        Some(Timestamp(ts)) if ts > NOW + 300_000 => return Err("future_timestamp"),
        Some(_) => {}
    }
    if !object.contains_key("data") {
        return Err("missing_data");
    }
    let inner = if by_gateway { &data["version"] } else { &Value::Null };
    let version = if root["version"].is_null() { inner } else { &root["version"] };
    let version = match version {
        Value::Null => "1".into(),
        Value::Number(_) => {
            integer(version).map_or_else(|| text(version), |v| v.to_string().into())
        }
        other => text(other),
    };
    if version != "1" && version != "v1" {
        return Err("unsupported_version");
    }
    if !required.iter().all(|field| present(data.get(field)))
        || (required.is_empty() && family != "stream_transport_metrics" && !present(Some(data)))
    {
        return Err("missing_field");
    }
    body(family, data)
}

const PAYMENT_FIELDS: [&str; 9] = [
    "sessionID",
    "manifestID",
    "sender",
    "recipient",
    "orchestrator",
    "faceValue",
    "numTickets",
    "price",
    "winProb",
];

fn body(family: &str, data: &Value) -> Expected {
    Ok(Some(match family {
        "stream_trace" => Body::Trace(trace(data)),
        "ai_stream_status" => Body::Status(status(data)),
        "ai_stream_events" => Body::Ai(AiEvent {
            stream_id: id(&data["stream_id"]),
            request_id: id(&data["request_id"]),
            kind: text(&data["type"]),
            pipeline: text(&data["pipeline"]),
            message: text(&data["message"]),
            capability: text(&data["capability"]),
            runner_ts: millis(&data["timestamp"]).filter(|ts| ts.0 > 0),
            orchestrator: orchestrator(&data["orchestrator_info"]),
        }),
        "stream_ingest_metrics" => Body::Ingest(ingest(data)),
        "stream_transport_metrics" => Body::Transport(transport(data)?),
        "create_new_payment" => {
            let payment = paid(data);
            if payment::parse(&payment).is_err() {
                return Err("bad_unit");
            }
            Body::Payment(payment)
        }
        "discovery_results" => match data.as_array() {
            Some(found) if !found.is_empty() => {
                Body::Discovery(found.iter().map(discovered).collect())
            }
            _ => return Err("empty_array"),
        },
        _ if data.is_array() || data.is_object() => return Ok(None),
        _ => return Err("invalid_data_shape"),
    }))
}

fn trace(data: &Value) -> Trace<'static> {
    let kind = TraceType::from_name(&text(&data["type"])).unwrap();
    let of_swap = |key: &str| match kind {
        TraceType::OrchestratorSwap => text(&data[key]),
        _ => "".into(),
    };
    Trace {
        stream_id: id(&data["stream_id"]),
        request_id: id(&data["request_id"]),
        kind,
        data_ts: millis(&data["timestamp"]).filter(|ts| ts.0 > 0),
        orchestrator: orchestrator(&data["orchestrator_info"]),
        pipeline: of_swap("pipeline"),
        message: of_swap("message"),
    }
}

fn status(data: &Value) -> Status<'static> {
    let inference = &data["inference_status"];
    let params = &inference["last_params"];
    let pixels = |key: &str| integer(&params[key]).and_then(|v| v.try_into().ok()).unwrap_or(0);
    Status {
        stream_id: id(&data["stream_id"]),
        request_id: id(&data["request_id"]),
        pipeline: text(&data["pipeline"]),
        orchestrator: orchestrator(&data["orchestrator_info"]),
        state: text(&data["state"]),
        runner_ts: millis(&data["timestamp"]).filter(|ts| ts.0 > 0),
        start_time: start_time(&data["start_time"]),
        output_fps: float(&inference["fps"]),
        input_fps: float(&data["input_status"]["fps"]),
        restart_count: integer(&inference["restart_count"])
            .and_then(|v| v.try_into().ok())
            .unwrap_or(0),
        last_restart_time: millis(&inference["last_restart_time"]),
        last_error: text(&inference["last_error"]),
        last_error_time: millis(&inference["last_error_time"]),
        prompt: params["prompt"].as_str().map(|prompt| prompt.to_owned().into()),
        prompt_width: pixels("width"),
        prompt_height: pixels("height"),
        params_hash: text(&inference["last_params_hash"]),
    }
}

fn ingest(data: &Value) -> IngestMetrics<'static> {
    let stats = &data["stats"];
    let peer = &stats["peer_conn_stats"];
    let track = |kind: &str| {
        let tracks = stats["track_stats"].as_array()?;
        let track = tracks.iter().rev().find(|track| text(&track["type"]) == kind)?;
        Some(Track {
            jitter: float(&track["jitter"]),
            packets_lost: integer(&track["packets_lost"]).unwrap_or(0),
            packets_received: count(&track["packets_received"]),
            packet_loss_pct: float(&track["packet_loss_pct"]),
            rtt: count(&track["rtt"]),
            last_input_ts: float(&track["last_input_ts"]),
            last_output_ts: float(&track["last_output_ts"]),
            latency: float(&track["latency"]),
        })
    };
    IngestMetrics {
        stream_id: id(&data["stream_id"]),
        request_id: id(&data["request_id"]),
        data_ts: millis(&data["timestamp"]),
        peer_connection: text(&peer["ID"]),
        connection_quality: text(&stats["conn_quality"]),
        bytes_received: count(&peer["BytesReceived"]),
        bytes_sent: count(&peer["BytesSent"]),
        video: track("video"),
        audio: track("audio"),
    }
}

const COUNTERS: [&str; 7] = [
    "bytes_total",
    "segments_total",
    "failed_segments_total",
    "dropped_segments_total",
    "retries_total",
    "busy_ms_total",
    "last_seq",
];

/// A number of transport counters: there, and whole from 0.
fn whole(value: Option<&Value>) -> Result<u64, &'static str> {
    let value = value.filter(|value| present(Some(value))).ok_or("missing_field")?;
    let negative = || integer(value).is_none_or(|value| value < 0);
    if count(value) == 0 && negative() { Err("parse_exception") } else { Ok(count(value)) }
}

fn known<T>(value: Option<&Value>, of: fn(&str) -> Option<T>) -> Result<T, &'static str> {
    let value = value.filter(|value| present(Some(value))).ok_or("missing_field")?;
    of(&text(value)).ok_or("parse_exception")
}

fn transport(data: &Value) -> Result<TransportMetrics<'static>, &'static str> {
    match data.get("schema_version").filter(|version| present(Some(version))) {
        None => return Err("missing_field"),
        Some(version) if integer(version) != Some(1) => return Err("unsupported_version"),
        Some(_) => {}
    }
    if !present(data.get("stream_id")) || !present(data.get("request_id")) {
        return Err("missing_field");
    }
    let attempt = u32::try_from(whole(data.get("attempt"))?).or(Err("parse_exception"))?;
    let stream = TransportStream {
        attempt,
        link: known(data.get("link"), Link::from_label)?,
        channel: known(data.get("channel"), Channel::from_label)?,
        observer: known(data.get("observer"), Observer::from_label)?,
    };
    let moment = |key| -> Result<Timestamp, &'static str> {
        i64::try_from(whole(data.get(key))?).map(Timestamp).or(Err("parse_exception"))
    };
    let (interval_start, interval_end) = (moment("interval_start_ms")?, moment("interval_end_ms")?);
    if interval_end <= interval_start {
        return Err("parse_exception");
    }
    let sample_seq = whole(data.get("sample_seq"))?;
    let counters = |direction: &str| -> Result<Counters, &'static str> {
        let mut numbers = [0; 7];
        for (number, name) in numbers.iter_mut().zip(COUNTERS) {
            *number = whole(data[direction].get(name))?;
        }
        let [bytes, segments, failed_segments, dropped_segments, retries, busy_ms, last_seq] =
            numbers;
        Ok(Counters {
            bytes,
            segments,
            failed_segments,
            dropped_segments,
            retries,
            busy_ms,
            last_seq,
        })
    };
    Ok(TransportMetrics {
        stream_id: id(&data["stream_id"]),
        request_id: id(&data["request_id"]),
        pipeline: text(&data["pipeline"]),
        orchestrator: orchestrator(&data["orchestrator_info"]),
        stream,
        sample_seq,
        interval_start,
        interval_end,
        to_orchestrator: counters("to_orchestrator")?,
        from_orchestrator: counters("from_orchestrator")?,
        is_final: match data.get("final").filter(|flag| present(Some(flag))) {
            None => false,
            Some(flag) => flag.as_bool().ok_or("parse_exception")?,
        },
    })
}

fn paid(data: &Value) -> Payment<'static> {
    Payment {
        request_id: text(&data["requestID"]),
        session_id: text(&data["sessionID"]),
        manifest_id: text(&data["manifestID"]),
        sender: wallet(&data["sender"]),
        recipient: wallet(&data["recipient"]),
        orchestrator_url: text(&data["orchestrator"]),
        face_value: text(&data["faceValue"]),
        num_tickets: text(&data["numTickets"]),
        win_prob: text(&data["winProb"]),
        price: text(&data["price"]),
        client_ip: text(&data["clientIP"]),
        capability: text(&data["capability"]),
    }
}

fn discovered(element: &Value) -> Discovered<'static> {
    Discovered {
        orchestrator: orchestrator(element),
        latency_ms: integer(&element["latency_ms"]).and_then(|v| v.try_into().ok()),
    }
}

/// The captured records and the subtypes that are not among them.
fn shapes() -> Vec<Value> {
    let mut shapes: Vec<Value> =
        CAPTURE.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Status, ingest and trace repeat: a few of each are enough.
    shapes.truncate(16);
    for (family, data) in [
        (
            "stream_trace",
            json!({"type": "orchestrator_swap", "stream_id": "s", "request_id": "r", "pipeline": "p", "message": "m"}),
        ),
        ("stream_trace", json!({"type": "stream_heartbeat", "client_source": "scope"})),
        ("stream_trace", json!({"type": "app_x"})),
        (
            "ai_stream_events",
            json!({"type": "error", "stream_id": "s", "request_id": "r", "message": "m", "timestamp": 1}),
        ),
        ("network_capabilities", json!([{"address": "0xA"}])),
        ("stream_transport_metrics", transport_data()),
        ("webrtc_stats", json!({})),
    ] {
        shapes.push(
            json!({"id": "e", "type": family, "timestamp": NOW, "gateway": "g", "data": data}),
        );
    }
    shapes
}

fn transport_data() -> Value {
    let counters = json!({
        "bytes_total": 2_500_000, "segments_total": 5, "failed_segments_total": 0,
        "dropped_segments_total": 0, "retries_total": 1, "busy_ms_total": 4_000, "last_seq": 5,
    });
    json!({
        "schema_version": 1, "stream_id": "s", "request_id": "r", "pipeline": "m1", "attempt": 0,
        "orchestrator_info": {"address": "0xA", "url": "https://a:8935"},
        "link": "gateway_to_orchestrator", "channel": "media", "observer": "gateway",
        "sample_seq": 0, "interval_start_ms": NOW - 5_000, "interval_end_ms": NOW, "final": false,
        "to_orchestrator": counters, "from_orchestrator": counters,
    })
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0_i64..200_000_000_000).prop_map(Value::from),
        (1_577_836_799_000_i64..1_577_836_801_000).prop_map(Value::from),
        (-1e13..1e13).prop_map(Value::from),
        (1e9..1e11).prop_map(Value::from),
        "[ 0-9]{0,14}".prop_map(Value::from),
        "[-+.0-9e]{0,8}".prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        prop::sample::select(vec![
            "", " ", "1", "v1", "2", "0x", "5 ETH", "5 DAI", "scope", "NaN", "inf"
        ])
        .prop_map(Value::from),
        Just(json!({})),
        Just(json!([])),
        Just(json!([{"type": "video", "url": "u"}, null, 3])),
        Just(json!({"fps": 3, "address": "0xAB", "x": [1, {"y": "\"\\"}]})),
    ]
}

/// Every object member and array element of `value`, by pointer.
fn places(value: &Value, prefix: &str, into: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(key, child)| (key.clone(), child)).collect(),
        Value::Array(elements) => {
            elements.iter().enumerate().map(|(i, child)| (i.to_string(), child)).collect()
        }
        _ => return,
    };
    for (key, child) in children {
        let place = format!("{prefix}/{key}");
        places(child, &place, into);
        into.push(place);
    }
}

/// Removes or replaces the place number `at` (modulo their count), or adds a member beside it.
fn mutate(root: &mut Value, at: usize, change: u8, key: &str, value: Value) {
    let mut all = Vec::new();
    places(root, "", &mut all);
    let Some(place) = all.get(at.checked_rem(all.len()).unwrap_or(0)) else { return };
    let (parent, last) = place.rsplit_once('/').unwrap();
    match (change, root.pointer_mut(parent)) {
        (0, Some(Value::Object(members))) => drop(members.remove(last)),
        (1, Some(Value::Object(members))) => drop(members.insert(key.to_owned(), value)),
        _ => *root.pointer_mut(place).unwrap() = value,
    }
}

fn documents() -> impl Strategy<Value = Value> {
    let keys = vec![
        "version",
        "timestamp",
        "start_time",
        "orchestrator_info",
        "client_source",
        "type",
        "prompt",
        "ü",
    ];
    let change = (any::<usize>(), 0_u8..6, prop::sample::select(keys), leaf());
    (prop::sample::select(shapes()), prop::collection::vec(change, 0..4)).prop_map(
        |(mut root, changes)| {
            for (at, kind, key, value) in changes {
                mutate(&mut root, at, kind, key, value);
            }
            root
        },
    )
}

/// The label of an outcome, with the body of an accepted event.
fn found(outcome: Outcome<'_>, expected: &Expected) -> Result<(), String> {
    let (label, body) = match outcome {
        Outcome::Accepted(event) => ("accepted", Some(event.body)),
        Outcome::Ignored(ignored) => (ignored.reason.label(), None),
        Outcome::Rejected(reject) => (reject.failure_reason.label(), None),
    };
    let same = match (expected, &body) {
        (Ok(Some(expected)), Some(body)) => expected == body,
        (Ok(None), Some(Body::Capabilities(_))) => true,
        (Err(expected), None) => *expected == label,
        _ => false,
    };
    if same { Ok(()) } else { Err(format!("{label} {body:?}, expected {expected:?}")) }
}

#[test]
fn shapes_are_judged_alike() {
    for root in shapes() {
        let value = serde_json::to_vec(&root).unwrap();
        admit(Some(&value), Some(NOW), |outcome| found(outcome, &judge(&root))).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_records_are_judged_alike(root in documents(), pretty in any::<bool>()) {
        let value = if pretty { serde_json::to_vec_pretty(&root) } else { serde_json::to_vec(&root) };
        let expected = judge(&root);
        admit(Some(&value.unwrap()), Some(NOW), |outcome| found(outcome, &expected))
            .map_err(TestCaseError::fail)?;
    }

    /// Bytes that are no JSON, or just so, end in one outcome and never panic.
    #[test]
    fn damaged_records_never_panic(
        root in documents(),
        cut in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut value = serde_json::to_vec(&root).unwrap();
        for (at, byte) in damage {
            let at = at.index(value.len());
            value[at] = byte;
        }
        value.truncate(cut.index(value.len() * 2));
        let label = admit(Some(&value), Some(NOW), |outcome| match outcome {
            Outcome::Accepted(event) => event.uid.into_owned(),
            Outcome::Ignored(ignored) => ignored.uid.into_owned(),
            Outcome::Rejected(reject) => DeadLetter::of(&reject, 0, 0, Timestamp(0)).to_json(),
        });
        prop_assert!(!label.is_empty());
    }

    #[test]
    fn arbitrary_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..300)) {
        admit(Some(&value), None, |outcome|  {
            prop_assert!(matches!(outcome, Outcome::Rejected(_)));
            Ok(())
        })?;
    }

    /// What is JSON for the reference is JSON for the gate, and the other way round.
    #[test]
    fn json_is_json(text in r#"[\[\]{}:,"\\u0-9a-fDnulltrse.+ -]{0,24}"#) {
        let parsed = serde_json::from_str::<Value>(&text);
        let unreadable = admit(Some(text.as_bytes()), Some(NOW), |outcome| match outcome {
            Outcome::Rejected(reject) => reject.failure_reason.label() == "json_parse_error",
            _ => false,
        });
        // Lone surrogates and numbers beyond a float are read leniently.
        let lenient = parsed.as_ref().is_err_and(|error| {
            let error = error.to_string();
            error.contains("surrogate") || error.contains("hex escape") || error.contains("out of range")
        });
        prop_assert!(lenient || text.trim().is_empty() || parsed.is_err() == unreadable, "{text:?}: {parsed:?}");
    }
}
