//! Every rule of the quality gate (events.md 6, decisions.md "Identity and duplicates").
// Helpers panic like tests do; floats are compared as written.
#![allow(clippy::panic, clippy::unwrap_used, clippy::float_cmp)]

mod common;

use common::{NOW, accepted, admit, record, rejected, verdict};
use naap_protocol::event::{Body, DedupStrategy};
use naap_protocol::gate::{
    Class, Destination, Encoding, Gate, Outcome, Reason, Record, Reject, Source, Stage,
    keeps_payload,
};
use naap_protocol::privacy::PrivacyMode;
use naap_protocol::rows::Row;
use naap_protocol::rows::rejects::DeadLetter;
use naap_protocol::time::Timestamp;
use serde_json::Value;

const IDS: &str = r#""stream_id":"s","request_id":"r""#;
const PAYMENT: &str = r#"{"sessionID":"a","manifestID":"b","sender":"c","recipient":"d","orchestrator":"e","faceValue":"1 WEI","numTickets":"1","price":"1.000 wei/pixel","winProb":"0.1"}"#;

/// Record text and what becomes of it, in the order of table 6.1.
fn table() -> Vec<(String, &'static str)> {
    let trace = |data: &str| record("stream_trace", data);
    let root = |text: &str| text.to_owned();
    vec![
        (root("{"), "json_parse_error"),
        (root("nonsense"), "json_parse_error"),
        (root("{} {}"), "json_parse_error"),
        (root(r#"{"a":1}x"#), "json_parse_error"),
        (root(r#"{"a":01}"#), "json_parse_error"),
        (root(r#"{"a":"\uZZZZ"}"#), "json_parse_error"),
        (root(r#"{"a":1,}"#), "json_parse_error"),
        (root("{\"a\":\"\u{1}\"}"), "json_parse_error"),
        (root(""), "root_not_object"),
        (root(" \n"), "root_not_object"),
        (root("[]"), "root_not_object"),
        (root("7"), "root_not_object"),
        (root("null"), "root_not_object"),
        (root("{}"), "missing_type"),
        (root(r#"{"type":null}"#), "missing_type"),
        (root(r#"{"type":5}"#), "missing_type"),
        (root(r#"{"type":{}}"#), "missing_type"),
        (root(r#"{"type":"stream_trace"}"#), "missing_timestamp"),
        (root(r#"{"type":"stream_trace","timestamp":"1e3"}"#), "missing_timestamp"),
        (root(r#"{"type":"stream_trace","timestamp":"-5"}"#), "missing_timestamp"),
        (root(r#"{"type":"stream_trace","timestamp":""}"#), "missing_timestamp"),
        (
            root(r#"{"type":"stream_trace","timestamp":"99999999999999999999"}"#),
            "missing_timestamp",
        ),
        (root(r#"{"type":"stream_trace","timestamp":1774344333}"#), "implausible_timestamp"),
        (root(r#"{"type":"stream_trace","timestamp":1577836799999}"#), "implausible_timestamp"),
        (root(r#"{"type":"stream_trace","timestamp":1577836800000}"#), "missing_data"),
        (root(r#"{"type":"stream_trace","timestamp":1774344633001}"#), "future_timestamp"),
        (root(r#"{"type":"stream_trace","timestamp":1774344633000}"#), "missing_data"),
        (root(r#"{"type":"stream_trace","timestamp":" 1774344333000 "}"#), "missing_data"),
        (root(r#"{"type":"stream_trace","timestamp":1774344333000.9}"#), "missing_data"),
        (trace("null"), "missing_field"),
        (trace("[]"), "missing_field"),
        (trace("7"), "missing_field"),
        (trace(&format!("{{{IDS}}}")), "missing_field"),
        (trace(&format!(r#"{{{IDS},"type":null}}"#)), "missing_field"),
        (trace(&format!(r#"{{{IDS},"type":""}}"#)), "missing_field"),
        (trace(r#"{"type":"orchestrator_swap","request_id":"r"}"#), "missing_field"),
        (trace(r#"{"type":"orchestrator_swap","stream_id":"","request_id":"r"}"#), "missing_field"),
        (
            trace(r#"{"type":"orchestrator_swap","stream_id":"s","request_id":null}"#),
            "missing_field",
        ),
        (trace(r#"{"type":"orchestrator_swap","stream_id":" ","request_id":{}}"#), "accepted"),
        (trace(&format!(r#"{{{IDS},"type":"orchestrator_swap"}}"#)), "accepted"),
        (record("ai_stream_status", &format!("{{{IDS}}}")), "missing_field"),
        (record("ai_stream_status", &format!(r#"{{{IDS},"pipeline":""}}"#)), "missing_field"),
        (record("ai_stream_status", &format!(r#"{{{IDS},"pipeline":"p"}}"#)), "accepted"),
        (record("ai_stream_events", &format!(r#"{{{IDS},"pipeline":"p"}}"#)), "missing_field"),
        (record("ai_stream_events", &format!(r#"{{{IDS},"type":"error"}}"#)), "accepted"),
        (record("stream_ingest_metrics", r#"{"stream_id":"s"}"#), "missing_field"),
        (record("stream_ingest_metrics", &format!("{{{IDS}}}")), "accepted"),
        (record("network_capabilities", "null"), "missing_field"),
        (record("network_capabilities", r#""""#), "missing_field"),
        (record("network_capabilities", "7"), "invalid_data_shape"),
        (record("network_capabilities", r#""x""#), "invalid_data_shape"),
        (record("network_capabilities", "[]"), "accepted"),
        (record("network_capabilities", "{}"), "accepted"),
        (record("discovery_results", "null"), "missing_field"),
        (record("discovery_results", r#""""#), "missing_field"),
        (record("discovery_results", "[]"), "empty_array"),
        (record("discovery_results", "{}"), "empty_array"),
        (record("discovery_results", "7"), "empty_array"),
        (record("discovery_results", "[7]"), "accepted"),
        (record("create_new_payment", PAYMENT), "accepted"),
        (record("create_new_payment", &PAYMENT.replace("1 WEI", "1 DAI")), "bad_unit"),
    ]
}

#[test]
fn checks_of_6_1() {
    for (text, expected) in table() {
        assert_eq!(verdict(&text), expected, "{text}");
    }
}

#[test]
fn every_required_payment_field() {
    let fields = [
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
    for field in fields {
        for broken in [format!("\"x{field}\""), format!("\"{field}\":null,\"x\"")] {
            let data = PAYMENT.replace(&format!("\"{field}\""), &broken);
            let reject = rejected(record("create_new_payment", &data).as_bytes());
            assert_eq!(reject.failure_reason, Reason::MissingField);
            assert!(reject.failure_details.starts_with(&format!("data.{field} ")), "{reject:?}");
        }
    }
}

#[test]
fn tombstones_and_large_values() {
    let null = admit(None, Some(NOW), |outcome| match outcome {
        Outcome::Rejected(reject) => *reject,
        other => panic!("{other:?}"),
    });
    assert_eq!(null.failure_reason, Reason::NullPayload);
    assert_eq!((null.payload_body, null.event_id), (None, None));

    let filled = |family: &str, bytes: usize| {
        let text = record(family, &format!(r#"{{{IDS},"type":"error","fill":"x"}}"#));
        let fill = "x".repeat(bytes - text.len() + 1);
        text.replace(r#""fill":"x""#, &format!(r#""fill":"{fill}""#))
    };
    assert_eq!(verdict(&filled("ai_stream_events", 1_000_000)), "accepted");
    let large = rejected(filled("ai_stream_events", 1_000_001).as_bytes());
    assert_eq!(large.failure_reason, Reason::RecordTooLarge);
    assert_eq!(large.dedup_key.as_deref(), Some("e-1"));
    assert_eq!(verdict(&filled("pipelines_api_request", 1_000_001)), "unsupported_event_family");
}

#[test]
fn nesting_is_limited() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    // The root and `data` are levels 1 and 2.
    let data = |levels| {
        record("ai_stream_events", &format!(r#"{{{IDS},"type":"x","p":{}}}"#, nested(levels)))
    };
    assert_eq!(verdict(&data(126)), "accepted");
    let deep = rejected(data(127).as_bytes());
    assert_eq!(deep.failure_reason, Reason::JsonParseError);
    assert!(deep.failure_details.starts_with("nesting deeper than 128 levels at byte"));
    assert_eq!(rejected(nested(500_000).as_bytes()).failure_reason, Reason::JsonParseError);
    // Brackets in texts are no levels.
    assert_eq!(
        verdict(&record("ai_stream_events", &format!(r#"{{{IDS},"type":"{}"}}"#, "[".repeat(500)))),
        "accepted"
    );
}

#[test]
fn versions() {
    let text = record("stream_trace", &format!(r#"{{{IDS},"type":"orchestrator_swap"}}"#));
    let at_root = |version: &str| text.replacen('{', &format!(r#"{{"version":{version},"#), 1);
    for version in [r#""1""#, r#""v1""#, "1", "1.9", "null"] {
        assert_eq!(verdict(&at_root(version)), "accepted", "{version}");
    }
    for version in [r#""2""#, r#""V1""#, r#""""#, "2", "true", "{}", r#"" 1""#] {
        assert_eq!(verdict(&at_root(version)), "unsupported_version", "{version}");
    }
    // In data only where the gateway writes it; the root's comes first.
    let inside = |family: &str, rest: &str| {
        record(family, &format!(r#"{{{IDS},"version":"0.14.1"{rest}}}"#))
    };
    for (text, expected) in [
        (
            inside("stream_trace", r#","type":"gateway_ingest_stream_closed""#),
            "unsupported_version",
        ),
        (inside("stream_trace", r#","type":"runner_receive_stream_request""#), "accepted"),
        (inside("stream_ingest_metrics", ""), "unsupported_version"),
        (inside("ai_stream_status", r#","pipeline":"p""#), "accepted"),
        (inside("ai_stream_events", r#","type":"error""#), "accepted"),
        (record("network_capabilities", r#"{"version":"0.8.9"}"#), "accepted"),
        (
            record("create_new_payment", &PAYMENT.replacen('{', r#"{"version":"9","#, 1)),
            "unsupported_version",
        ),
        (inside("stream_ingest_metrics", "").replacen('{', r#"{"version":"v1","#, 1), "accepted"),
        // Version comes before required fields.
        (record("stream_trace", r#"{"version":"9"}"#), "unsupported_version"),
    ] {
        assert_eq!(verdict(&text), expected, "{text}");
    }
}

#[test]
fn ignore_rules_of_6_2() {
    let trace = |data: &str| record("stream_trace", data);
    for (text, expected) in [
        (record("pipelines_api_request", "7"), "unsupported_event_family"),
        (record("job_gateway", "{}"), "unsupported_event_family"),
        (record("", "{}"), "unsupported_event_family"),
        (record("Stream_trace", "{}"), "unsupported_event_family"),
        // Noise is noise, whatever else is wrong with it.
        (r#"{"type":"webrtc_stats"}"#.to_owned(), "unsupported_event_family"),
        (r#"{"type":"x","timestamp":1,"version":"9"}"#.to_owned(), "unsupported_event_family"),
        (
            r#"{"type":"stream_trace","data":{"type":"app_x"}}"#.to_owned(),
            "ignored_stream_trace_non_core_app",
        ),
        (trace(r#"{"type":"app_send_stream_request"}"#), "ignored_stream_trace_non_core_app"),
        (trace(r#"{"type":"APP_x","client_source":"scope"}"#), "ignored_stream_trace_non_core_app"),
        (
            trace(r#"{"client_source":"scope","type":"stream_heartbeat"}"#),
            "ignored_stream_trace_scope_client_noise",
        ),
        (
            trace(r#"{"client_source":"Scope","type":"error"}"#),
            "ignored_stream_trace_scope_client_noise",
        ),
        (trace(r#"{"client_source":"scope","type":"other"}"#), "unsupported_trace_subtype"),
        (trace(r#"{"type":"stream_heartbeat"}"#), "unsupported_trace_subtype"),
        (
            trace(r#"{"type":"stream_stopped","stream_id":"s","request_id":"r"}"#),
            "unsupported_trace_subtype",
        ),
        (
            trace(r#"{"type":"Gateway_Receive_Stream_Request","stream_id":"s","request_id":"r"}"#),
            "unsupported_trace_subtype",
        ),
        (trace(r#"{"type":" ","stream_id":"s"}"#), "unsupported_trace_subtype"),
        (trace(r#"{"type":{},"stream_id":"s"}"#), "unsupported_trace_subtype"),
    ] {
        assert_eq!(verdict(&text), expected, "{text}");
    }
}

#[test]
fn ignored_records_keep_one_payload_in_a_thousand() {
    let kept: Vec<_> =
        (0..20_000).map(|n| format!("e-{n}")).filter(|uid| keeps_payload(uid)).collect();
    assert!((5..60).contains(&kept.len()), "{}", kept.len());
    let text = record("x", "{}");
    for uid in [kept[0].as_str(), "e-1"] {
        let text = text.replace("e-1", uid);
        admit(Some(text.as_bytes()), None, |outcome| {
            let Outcome::Ignored(ignored) = outcome else { panic!("{outcome:?}") };
            assert_eq!(ignored.payload, keeps_payload(uid).then_some(&*text));
            assert_eq!((&*ignored.uid, &*ignored.family, &*ignored.org), (uid, "x", "cloud_spe"));
            assert_eq!(ignored.event_ts, Some(Timestamp(NOW)));
        });
    }
    assert!(!keeps_payload("e-1"));
}

#[test]
fn stages_classes_destinations() {
    use Destination::{DeadLetter, Quarantine};
    use Stage::{Dedup, Deserialization, Parse, SchemaValidation, Sink, SinkGuard};
    let rows = [
        (Deserialization, Class::DeserializationFailed, "null_payload", DeadLetter),
        (Deserialization, Class::DeserializationFailed, "json_parse_error", DeadLetter),
        (SchemaValidation, Class::SchemaInvalid, "root_not_object", DeadLetter),
        (SchemaValidation, Class::SchemaInvalid, "missing_type", DeadLetter),
        (SchemaValidation, Class::SchemaInvalid, "missing_timestamp", DeadLetter),
        (SchemaValidation, Class::SchemaInvalid, "implausible_timestamp", DeadLetter),
        (SchemaValidation, Class::SchemaInvalid, "future_timestamp", Quarantine),
        (SchemaValidation, Class::SchemaInvalid, "missing_data", DeadLetter),
        (SchemaValidation, Class::SchemaInvalid, "unsupported_event_type", DeadLetter),
        (SchemaValidation, Class::UnsupportedVersion, "unsupported_version", DeadLetter),
        (SchemaValidation, Class::SchemaInvalid, "missing_field", DeadLetter),
        (SchemaValidation, Class::SchemaInvalid, "empty_array", DeadLetter),
        (SchemaValidation, Class::SchemaInvalid, "invalid_data_shape", DeadLetter),
        (Dedup, Class::Duplicate, "duplicate_event", Quarantine),
        (Dedup, Class::Duplicate, "id_conflict", Quarantine),
        (Parse, Class::ParsingFailed, "parse_exception", DeadLetter),
        (Parse, Class::ParsingFailed, "bad_unit", DeadLetter),
        (SinkGuard, Class::RecordTooLarge, "record_too_large", DeadLetter),
        (Sink, Class::SinkWrite, "sink_write_failed", DeadLetter),
    ];
    for (reason, row) in Reason::ALL.into_iter().zip(rows) {
        assert_eq!((reason.stage(), reason.class(), reason.label(), reason.destination()), row);
    }
    assert_eq!(Sink.label(), "CLICKHOUSE_SINK");
    assert_eq!(Class::SinkWrite.label(), "DLQ_SINK_WRITE");
}

#[test]
fn rejects_tell_everything() {
    let text = r#"{"version":"9","__replay":true,"type":"create_new_payment","timestamp":"1774344333000","data":{"region":"eu","orchestrator":"https://o"}}"#;
    let reject = rejected(text.as_bytes());
    let row = DeadLetter::of(&reject, 2, 9, Timestamp(42));
    let json: Value = serde_json::from_str(&row.to_json()).unwrap();
    let canonical = r#"{"data":{"orchestrator":"https://o","region":"eu"},"timestamp":"1774344333000","type":"create_new_payment","version":"9"}"#;
    let expected = serde_json::json!({
        "schemaVersion": "v1",
        "org": "cloud_spe",
        "source": {"topic": "streaming_events", "partition": 3, "offset": 7, "recordTimestamp": NOW, "part": 2},
        "failure": {
            "stage": "SCHEMA_VALIDATION",
            "failureClass": "UNSUPPORTED_VERSION",
            "reason": "unsupported_version",
            "details": r#"version "9" is not one of ["1", "v1"]"#,
        },
        "identity": {"eventId": "", "eventType": "create_new_payment", "eventVersion": "9"},
        "dimensions": {"orchestrator": "https://o", "broadcaster": null, "region": "eu"},
        "payload": {"encoding": "json", "body": text, "canonicalJson": canonical},
        "dedupKey": null,
        "dedupStrategy": null,
        "replay": true,
        "ingestionTimestamp": 42,
        "eventTimestamp": NOW,
    });
    assert_eq!(json, expected);
    assert_eq!(row.message_key(), "cloud_spe/streaming_events/3/7/SCHEMA_VALIDATION/2");
}

#[test]
fn a_reject_shows_the_version_that_its_payload_has() {
    let trace = format!(r#"{{"version":"v1",{IDS},"type":"orchestrator_swap"}}"#);
    let payment = PAYMENT.replacen('{', r#"{"version":"v1","#, 1);
    let cases = [
        (record("stream_trace", &trace.replace("stream_id", "x")), Reason::MissingField),
        (record("create_new_payment", &payment.replace("WEI", "EUR")), Reason::BadUnit),
        (record("stream_trace", &trace) + &" ".repeat(1_000_000), Reason::RecordTooLarge),
    ];
    for (text, reason) in cases {
        let reject = rejected(text.as_bytes());
        assert_eq!((reject.failure_reason, reject.event_version.as_deref()), (reason, Some("v1")));
    }
}

#[test]
fn an_unread_record_has_no_identity() {
    for (value, body) in [(Some(&b"\xff{"[..]), "\"/3s=\""), (None, "null")] {
        let json = admit(value, Some(NOW), |outcome| match outcome {
            Outcome::Rejected(reject) => DeadLetter::of(&reject, 0, 1, Timestamp(42)).to_json(),
            other => panic!("not rejected: {other:?}"),
        });
        let unread = r#""identity":{"eventId":null,"eventType":null,"eventVersion":null}"#;
        assert!(json.contains(unread), "{json}");
        assert!(json.contains(&format!(r#""body":{body},"#)), "{json}");
    }
}

#[test]
fn a_reject_row_reads_back() {
    let texts = [
        r#"{"version":"9","__replay":true,"type":"create_new_payment","timestamp":"1","data":{}}"#,
        "[1, 2]",
        "{",
    ];
    let rejects = texts.map(|text| rejected(text.as_bytes()));
    let parts = rejects.iter().zip([0, 300, 70_000]);
    let row = |(reject, part)| DeadLetter::of(reject, part, u64::MAX - 1, Timestamp(42));
    let rows: Vec<_> = parts.map(row).collect();
    let mut bytes = Vec::new();
    for row in &rows {
        row.encode(&mut bytes);
    }
    let mut rest = bytes.as_slice();
    for row in &rows {
        assert_eq!(DeadLetter::decode(&mut rest).as_ref(), Some(row));
    }
    assert!(rest.is_empty());
    // What is cut anywhere is no row, and never a panic.
    let whole = bytes.len();
    bytes.clear();
    rows[0].encode(&mut bytes);
    assert!(bytes.len() < whole);
    for end in 0..bytes.len() {
        assert_eq!(DeadLetter::decode(&mut &bytes[..end]), None, "cut at {end}");
    }
}

#[test]
fn unreadable_values_are_kept_as_base64() {
    let reject = rejected(b"\xff{");
    assert_eq!(reject.payload_encoding, Encoding::Base64);
    assert_eq!(reject.payload_body.as_deref(), Some("/3s="));
    assert_eq!((reject.event_id, reject.payload_canonical_json), (None, None));
    let reject = rejected(b"[1, 2]");
    assert_eq!(reject.payload_encoding, Encoding::Json);
    assert_eq!(reject.payload_canonical_json.as_deref(), Some("[1,2]"));
    assert_eq!((reject.event_id.as_deref(), reject.event_version.as_deref()), (Some(""), Some("")));
}

#[test]
fn invalid_utf8_is_repaired() {
    let mut text =
        record("ai_stream_events", &format!(r#"{{{IDS},"type":"error","message":"a?b"}}"#))
            .into_bytes();
    let at = text.iter().position(|b| *b == b'?').unwrap();
    text[at] = 0xff;
    admit(Some(&text), Some(NOW), |outcome| {
        let Outcome::Accepted(event) = outcome else { panic!("{outcome:?}") };
        assert!(event.raw.contains("a\u{fffd}b"));
    });
}

#[test]
fn duplicates_and_conflicts() {
    let text = record("ai_stream_events", &format!(r#"{{{IDS},"type":"error"}}"#));
    let source = Source {
        org: "o".into(),
        topic: "t".to_owned(),
        partition: 1,
        offset: 2,
        record_ts: Some(Timestamp(NOW)),
    };
    let replay = text.replacen('{', r#"{"__replay": true, "#, 1);
    let body = accepted(&replay, |event| {
        Reject::duplicate(&event, source.clone(), false).payload_body.unwrap_or_default()
    });
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(json(&body), json(&text), "replay bookkeeping is no part of the content");
    accepted(&text, |event| {
        let duplicate = Reject::duplicate(&event, source.clone(), false);
        assert_eq!(duplicate.failure_reason, Reason::DuplicateEvent);
        assert_eq!(duplicate.source, source);
        assert_eq!(duplicate.dedup_key.as_deref(), Some("e-1"));
        assert_eq!(duplicate.dedup_strategy, Some(DedupStrategy::EventId));
        assert_eq!(duplicate.payload_body, Some(body), "any delivery gives the same row");
        assert_eq!(duplicate.payload_canonical_json, None);
        let conflict = Reject::duplicate(&event, source, true);
        assert_eq!(conflict.failure_reason, Reason::IdConflict);
        assert_eq!(conflict.destination(), Destination::Quarantine);
    });
}

#[test]
fn a_letter_names_the_uid_of_its_event_without_the_personal_data() {
    let text = record(
        "ai_stream_status",
        &format!(
            r#"{{{IDS},"pipeline":"p","inference_status":{{"last_params":{{"prompt":"a cat"}}}}}}"#
        ),
    )
    .replacen(r#""id":"e-1","#, "", 1);
    let source =
        Source { org: "o".into(), topic: "t".to_owned(), partition: 1, offset: 2, record_ts: None };
    accepted(&text, |mut event| {
        let uid = event.uid.clone().into_owned();
        assert_eq!(event.dedup_strategy, DedupStrategy::PayloadHash);
        PrivacyMode::Hash.apply(&mut event);
        let reason = Reason::ParseException;
        for reject in [
            Reject::duplicate(&event, source.clone(), false),
            Reject::of_event(&event, source.clone(), reason, String::new()),
        ] {
            assert_eq!(reject.dedup_key.as_ref(), Some(&uid), "{reject:?}");
            assert!(!format!("{reject:?}").contains("a cat"), "{reject:?}");
        }
    });
}

#[test]
fn times_of_bounded_input() {
    let text = record("ai_stream_events", &format!(r#"{{{IDS},"type":"error"}}"#));
    let at = |ts: &str| text.replace(&NOW.to_string(), ts);
    for (ts, expected) in [("4102444800000", "accepted"), ("4102444800001", "future_timestamp")] {
        let text = at(ts);
        admit(Some(text.as_bytes()), None, |outcome| match outcome {
            Outcome::Accepted(event) => {
                assert_eq!(expected, "accepted");
                assert_eq!(event.record_ts, event.event_ts);
            }
            Outcome::Rejected(reject) => assert_eq!(reject.failure_reason.label(), expected),
            other @ Outcome::Ignored(_) => panic!("{other:?}"),
        });
    }
}

#[test]
fn content_hash_ignores_replay_fields_and_id() {
    let hash = |text: &str| accepted(text, |event| event.content_hash);
    let text = record("ai_stream_events", &format!(r#"{{{IDS},"type":"error"}}"#));
    let replayed = text.replacen('{', r#"{"__replay":true,"__replay_ts":5,"#, 1);
    assert_eq!(hash(&text), hash(&replayed));
    assert!(accepted(&replayed, |event| event.replay) && !accepted(&text, |event| event.replay));
    for (from, to) in
        [("gw", "gw2"), ("\"error\"", "\"restart\""), (&*NOW.to_string(), "1774344333001")]
    {
        assert_ne!(hash(&text), hash(&text.replace(from, to)), "{to}");
    }
}

/// A uid that is a hash of the content says itself that the content is the same.
#[test]
fn a_record_without_id_has_one_content_however_it_is_written() {
    let id =
        |text: &str| accepted(text, |event| (event.uid.clone().into_owned(), event.content_hash));
    let text = record("ai_stream_events", &format!(r#"{{{IDS},"type":"error"}}"#));
    let text = text.replacen(r#""id":"e-1","#, "", 1);
    assert!(!text.contains(r#""id""#), "{text}");
    let spaced = text.replace(',', " , ").replacen('{', r#"{"__replay":true, "#, 1);
    let (head, tail) = text.split_once(r#","data":"#).unwrap();
    let data = tail.strip_suffix('}').unwrap();
    let turned = format!(r#"{{"data":{data},{}}}"#, head.strip_prefix('{').unwrap());
    assert_eq!(id(&text), id(&spaced));
    assert_eq!(id(&text), id(&turned));
    assert_ne!(id(&text), id(&text.replace("error", "restart")));
}

#[test]
fn organisations_come_from_the_topic() {
    let gate = Gate::default();
    for (topic, org) in [("network_events", "daydream"), ("elsewhere", "unknown")] {
        let record = Record { topic, partition: 0, offset: 0, record_ts: None, value: Some(b"{") };
        match gate.admit(record, &mut String::new()) {
            Outcome::Rejected(reject) => assert_eq!(&*reject.source.org, org),
            other => panic!("{other:?}"),
        }
    }
}

/// A sample of transport counters with `text` in the place of `of`.
fn transport(of: &str, text: &str) -> String {
    let counters = r#"{"bytes_total":25,"segments_total":5,"failed_segments_total":0,"dropped_segments_total":0,"retries_total":1,"busy_ms_total":4,"last_seq":18446744073709551615}"#;
    let data = format!(
        r#"{{"schema_version":1,{IDS},"pipeline":"m1","attempt":2,"orchestrator_info":{{"address":"0xA","url":"u"}},"link":"gateway_to_orchestrator","channel":"media","observer":"gateway","sample_seq":7,"interval_start_ms":10,"interval_end_ms":15,"final":true,"to_orchestrator":{counters},"from_orchestrator":{counters}}}"#
    );
    assert!(data.contains(of), "{of}");
    record("stream_transport_metrics", &data.replacen(of, text, 1))
}

#[test]
fn transport_counters_are_read_strictly() {
    accepted(&transport("", ""), |event| {
        let Body::Transport(sample) = event.body else { panic!("{event:?}") };
        assert_eq!((sample.stream.attempt, sample.sample_seq, sample.is_final), (2, 7, true));
        assert_eq!((sample.to_orchestrator.bytes, sample.to_orchestrator.last_seq), (25, u64::MAX));
        assert_eq!((sample.interval_start, sample.interval_end), (Timestamp(10), Timestamp(15)));
    });
    let table = [
        (r#""attempt":2"#, r#""attempt":"2""#, "accepted"),
        (r#","final":true"#, "", "accepted"),
        (r#""final":true"#, r#""final":null"#, "accepted"),
        (r#""final":true"#, r#""final":"true""#, "parse_exception"),
        (r#""schema_version":1"#, r#""schema_version":2"#, "unsupported_version"),
        (r#""schema_version":1"#, r#""schema_version":"v1""#, "unsupported_version"),
        (r#""schema_version":1,"#, "", "missing_field"),
        (r#""stream_id":"s","#, "", "missing_field"),
        (r#""sample_seq":7,"#, "", "missing_field"),
        (r#""bytes_total":25,"#, "", "missing_field"),
        (r#""busy_ms_total":4"#, r#""busy_ms_total":null"#, "missing_field"),
        (r#""link":"gateway_to_orchestrator","#, "", "missing_field"),
        (r#""bytes_total":25"#, r#""bytes_total":-25"#, "parse_exception"),
        (r#""bytes_total":25"#, r#""bytes_total":"many""#, "parse_exception"),
        (r#""bytes_total":25"#, r#""bytes_total":18446744073709551616"#, "parse_exception"),
        (r#""attempt":2"#, r#""attempt":4294967296"#, "parse_exception"),
        (r#""interval_end_ms":15"#, r#""interval_end_ms":10"#, "parse_exception"),
        (r#""interval_end_ms":15"#, r#""interval_end_ms":18446744073709551615"#, "parse_exception"),
        ("gateway_to_orchestrator", "client_to_gateway", "parse_exception"),
        (r#""channel":"media""#, r#""channel":"Media""#, "parse_exception"),
        (r#""observer":"gateway""#, r#""observer":"client""#, "parse_exception"),
    ];
    for (of, text, reason) in table {
        assert_eq!(verdict(&transport(of, text)), reason, "{text}");
    }
    let of_counter = rejected(transport(r#""retries_total":1,"#, "").as_bytes());
    assert_eq!(
        of_counter.failure_details,
        "data.to_orchestrator.retries_total is missing, null or empty"
    );
    let word = rejected(transport(r#""channel":"media""#, r#""channel":"x""#).as_bytes());
    assert_eq!(
        word.failure_details,
        r#"data.channel is "x", which is not media, control or events"#
    );
}

/// The document that producers read names what the gate asks for, and no more.
#[test]
fn the_schema_of_transport_counters_and_the_gate_ask_for_the_same() {
    let schema = include_str!("../../docs/schemas/stream_transport_metrics.v1.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let sample: Value =
        serde_json::from_str(include_str!("../../tests/fixtures/transport-sample.jsonl")).unwrap();
    assert_eq!(verdict(&sample.to_string()), "accepted");
    let without = |path: &str, name: &str| {
        let mut sample = sample.clone();
        sample.pointer_mut(path).and_then(Value::as_object_mut).unwrap().remove(name);
        verdict(&sample.to_string())
    };
    for (def, path) in [
        ("sample", "/data"),
        ("counters", "/data/to_orchestrator"),
        ("counters", "/data/from_orchestrator"),
    ] {
        let def = &schema["$defs"][def];
        let required: Vec<&str> =
            def["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for name in def["properties"].as_object().unwrap().keys() {
            let asked = required.contains(&name.as_str());
            let want = if asked { "missing_field" } else { "accepted" };
            assert_eq!(without(path, name), want, "{path}/{name}");
        }
    }
}
