//! Lines that must be rejected, each for exactly one reason (contract events.md 6.1, decisions.md).

use std::borrow::Cow;

use crate::random::Filler;
use crate::session::{Event, Fate};
use crate::text::Put;

const JSON: Fate = Fate::DeadLetter("json_parse_error");
const ROOT: Fate = Fate::DeadLetter("root_not_object");
const TYPE: Fate = Fate::DeadLetter("missing_type");
const TIME: Fate = Fate::DeadLetter("missing_timestamp");
const VERSION: Fate = Fate::DeadLetter("unsupported_version");
const FIELD: Fate = Fate::DeadLetter("missing_field");
const IMPLAUSIBLE: Fate = Fate::DeadLetter("implausible_timestamp");

/// Name and required outcome. In the order of [`write`].
pub(crate) const KINDS: [(&str, Fate); 29] = [
    ("truncated", JSON),
    ("trailing_text", JSON),
    ("invalid_utf8", JSON),
    ("deep_nesting", JSON),
    ("not_json", JSON),
    ("root_array", ROOT),
    ("root_null", ROOT),
    ("root_empty_text", ROOT),
    ("empty_object", TYPE),
    ("type_number", TYPE),
    ("no_time", TIME),
    ("iso_time", TIME),
    ("boolean_time", TIME),
    ("negative_time", TIME),
    ("no_data", Fate::DeadLetter("missing_data")),
    ("version_2", VERSION),
    ("version_empty", VERSION),
    ("trace_without_stream", FIELD),
    ("status_without_label", FIELD),
    ("ai_event_without_type", FIELD),
    ("payment_without_recipient", FIELD),
    ("null_data", FIELD),
    ("empty_discovery", Fate::DeadLetter("empty_array")),
    ("scalar_capabilities", Fate::DeadLetter("invalid_data_shape")),
    ("payment_unit", Fate::DeadLetter("bad_unit")),
    ("time_of_1970", IMPLAUSIBLE),
    ("time_in_seconds", IMPLAUSIBLE),
    ("time_of_2200", Fate::Quarantined("future_timestamp")),
    ("version_3_number", VERSION),
];

/// What a sound line would hold; one part is broken per kind.
struct Parts<'a> {
    family: &'a str,
    time: Cow<'static, str>,
    data: Cow<'static, str>,
    tail: &'a str,
}

pub(crate) fn write(line: &mut Vec<u8>, kind: u8, event: &Event) {
    let filler = &mut Filler::of(event.uid);
    let (name, _) = KINDS[usize::from(kind)];
    let whole = match name {
        "not_json" => "hello, is this thing on?",
        "root_array" => "[]",
        "root_null" => "null",
        "root_empty_text" => "\"\"",
        "empty_object" => "{}",
        _ => "",
    };
    if !whole.is_empty() {
        line.text(whole);
        return;
    }
    let mut parts = sound(event.ts, filler);
    damage(&mut parts, name, event.ts);
    envelope(line, event.uid, &parts);
    match name {
        "truncated" => line.truncate(line.len() * 2 / 3),
        "trailing_text" => line.extend_from_slice(b" <html>"),
        "invalid_utf8" => {
            line.pop();
            line.extend_from_slice(b",\xff\xfe}");
        }
        "deep_nesting" => {
            line.truncate(line.len() - 3);
            line.resize(line.len() + 20_000, b'[');
        }
        _ => {}
    }
}

fn sound<'a>(ts: i64, filler: &mut Filler) -> Parts<'a> {
    let (request, stream) = (filler.bits() as u32, filler.bits());
    let data = format!(
        r#"{{"orchestrator_info":{{"address":"","url":""}},"pipeline_id":"","request_id":"{request:08x}","stream_id":"garbage-{stream:016x}","timestamp":{ts},"type":"gateway_receive_stream_request"}}"#
    );
    Parts {
        family: "\"stream_trace\"",
        time: format!("\"{ts}\"").into(),
        data: data.into(),
        tail: "",
    }
}

fn damage(parts: &mut Parts<'_>, name: &str, ts: i64) {
    let ids = r#""request_id":"0a1b2c3d","stream_id":"garbage""#;
    let payment = |face: &str, recipient: &str| {
        format!(
            r#"{{"capability":"","clientIP":"","faceValue":"{face}","manifestID":"d05da5dd","numTickets":"1","orchestrator":"https://g.example:8935","price":"1635.021 wei/pixel","recipient":"{recipient}","requestID":"","sender":"0x5aE4E42dB3671370a0c25AfF451E7482aAEc3D0B","sessionID":"01b55632","winProb":"0.0009990010"}}"#
        )
    };
    match name {
        "type_number" => parts.family = "7",
        "no_time" => parts.time = "".into(),
        "iso_time" => parts.time = "\"2026-01-01T00:00:00Z\"".into(),
        "boolean_time" => parts.time = "true".into(),
        "negative_time" => parts.time = format!("\"-{ts}\"").into(),
        "no_data" => parts.data = "".into(),
        "null_data" => parts.data = "null".into(),
        "version_2" => parts.tail = ",\"version\":\"2\"",
        "version_empty" => parts.tail = ",\"version\":\"\"",
        "version_3_number" => parts.tail = ",\"version\":3",
        "trace_without_stream" => {
            parts.data = r#"{"request_id":"0a1b2c3d","stream_id":"","type":"gateway_receive_stream_request"}"#.into();
        }
        "status_without_label" => {
            parts.family = "\"ai_stream_status\"";
            parts.data =
                format!(r#"{{"pipeline":"",{ids},"state":"ONLINE","type":"status"}}"#).into();
        }
        "ai_event_without_type" => {
            parts.family = "\"ai_stream_events\"";
            parts.data =
                format!(r#"{{"message":"boom","pipeline":"streamdiffusion-sdxl",{ids}}}"#).into();
        }
        "payment_without_recipient" | "payment_unit" => {
            parts.family = "\"create_new_payment\"";
            let unit = name == "payment_unit";
            let recipient = if unit { "0xd00354656922168815Fcd1e51CBddB9e359e3C7F" } else { "" };
            parts.data =
                payment(if unit { "12 GOLD" } else { "2402400000000000 WEI" }, recipient).into();
        }
        "empty_discovery" => {
            parts.family = "\"discovery_results\"";
            parts.data = "[]".into();
        }
        "scalar_capabilities" => {
            parts.family = "\"network_capabilities\"";
            parts.data = "42".into();
        }
        "time_of_1970" => parts.time = "\"86400000\"".into(),
        "time_in_seconds" => parts.time = format!("\"{}\"", ts / 1000).into(),
        "time_of_2200" => parts.time = "\"7258118400000\"".into(),
        _ => {}
    }
}

fn envelope(line: &mut Vec<u8>, uid: u128, parts: &Parts<'_>) {
    line.text("{\"id\":\"").uuid(uid).text("\",\"type\":").text(parts.family);
    for (key, value) in [("timestamp", &*parts.time), ("gateway", "\"\""), ("data", &parts.data)] {
        if !value.is_empty() {
            line.text(",\"").text(key).text("\":").text(value);
        }
    }
    line.text(parts.tail).text("}");
}

/// A restart report whose logs exceed every row limit.
pub(crate) fn oversized(line: &mut Vec<u8>) {
    line.text(r#"{"pipeline":"streamdiffusion-sdxl","pipeline_id":"","request_id":"0a1b2c3d","restart_count":1,"restart_logs":[""#);
    line.resize(line.len() + 1_200_000, b'x');
    line.text(r#""],"stream_id":"garbage-oversized","type":"restart"}"#);
}
