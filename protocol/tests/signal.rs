//! What a session hears of an event (lifecycle 1.7, vectors V08 to V15 of 13.1).
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests panic like tests do

mod common;

use common::{NOW, accepted, record, verdict};
use naap_protocol::event::TraceType;
use naap_protocol::identity::session_key;
use naap_protocol::signal::{AiKind, SignalKind, signal};
use naap_protocol::time::Timestamp;

/// Envelope `envelope` ms, gateway `gateway`, ids stream-1 and req-1 in front of `data`.
fn event(family: &str, envelope: i64, gateway: &str, data: &str) -> String {
    let ids = r#""stream_id":"stream-1","request_id":"req-1""#;
    record(family, &format!("{{{ids},{data}}}"))
        .replace(&NOW.to_string(), &envelope.to_string())
        .replace(r#""gw""#, &format!("{gateway:?}"))
}

/// (`ord_ts`, `runner_ts`) of a trace with this payload time.
fn times(subtype: &str, envelope: i64, data_ts: &str) -> (i64, Option<i64>) {
    let data = format!(r#""type":"{subtype}","timestamp":{data_ts}"#);
    accepted(&event("stream_trace", envelope, "gw", &data), |event| {
        let signal = signal(&event).unwrap();
        assert_eq!(event.event_ts, Timestamp(envelope));
        (signal.ord_ts.0, signal.runner_ts().map(|ts| ts.0))
    })
}

#[test]
fn v08_a_trace_is_ordered_by_its_own_gateway_time() {
    let data = r#""type":"gateway_receive_stream_request","timestamp":1739000000200"#;
    accepted(&event("stream_trace", 1_739_000_000_000, "gateway-a", data), |event| {
        let signal = signal(&event).unwrap();
        assert_eq!((signal.ord_ts, signal.runner_ts()), (Timestamp(1_739_000_000_200), None));
        assert_eq!(signal.gateway, "gateway-a");
        let key = session_key(signal.stream_id, signal.request_id, signal.uid);
        assert_eq!(key, "stream-1|req-1");
        let kind = TraceType::GatewayReceiveStreamRequest;
        assert_eq!(signal.kind, SignalKind::Trace { kind, message: "" });
    });
}

#[test]
fn v09_v10_without_a_readable_time_the_envelope_counts() {
    let envelope = 1_772_047_802_485;
    let swap = r#""type":"orchestrator_swap","message":"slow","pipeline":"p""#;
    accepted(&event("stream_trace", envelope, "gw", swap), |event| {
        let signal = signal(&event).unwrap();
        assert_eq!((signal.ord_ts, signal.runner_ts()), (Timestamp(envelope), None));
        assert_eq!(signal.hint, "p");
        let kind = TraceType::OrchestratorSwap;
        assert_eq!(signal.kind, SignalKind::Trace { kind, message: "slow" });
    });
    for unreadable in [r#""2026-01-01T00:00:00Z""#, "null", "{}", "0", "-5"] {
        let times = times("gateway_ingest_stream_closed", envelope, unreadable);
        assert_eq!(times, (envelope, None), "{unreadable}");
    }
}

#[test]
fn v11_v15_classes_of_ai_events() {
    let excusable = "no orchestrators available within 2s timeout";
    let table = [
        ("error", excusable, AiKind::ExcusableError),
        ("ERROR", "boom", AiKind::Error),
        ("Error", "WHIP Disconnected by peer", AiKind::ExcusableError),
        ("error", "", AiKind::Error),
        ("PARAMS_UPDATE", "boom", AiKind::ParamsUpdate),
        ("restart", "missing video", AiKind::Other),
    ];
    for (kind, message, want) in table {
        let data = format!(r#""type":"{kind}","message":"{message}","capability":"c""#);
        let text = event("ai_stream_events", NOW, "gateway-b", &data);
        let text = text.replace("stream-1", "stream-2").replace("req-1", "req-2");
        accepted(&text, |event| {
            let signal = signal(&event).unwrap();
            let params = "".into();
            assert_eq!(signal.kind, SignalKind::Ai { kind: want, message, params }, "{kind}");
            assert_eq!((signal.gateway, signal.address, signal.url), ("gateway-b", "", ""));
            let key = session_key(signal.stream_id, signal.request_id, signal.uid);
            assert_eq!(key, "stream-2|req-2");
        });
    }
}

fn status(extra: &str) -> String {
    let data =
        format!(r#""pipeline":"p","orchestrator_info":{{"address":"0xHOT","url":"U"}}{extra}"#);
    event("ai_stream_status", 1_743_500_010_000, "gw", &data)
}

#[test]
fn v12_a_start_time_in_seconds_is_detected() {
    let text = status(r#","timestamp":1743500009000,"start_time":1743500000.123"#);
    accepted(&text, |event| {
        let signal = signal(&event).unwrap();
        // Status samples are ordered by the gateway; the runner's stamp stands beside.
        assert_eq!(signal.ord_ts, Timestamp(1_743_500_010_000));
        assert_eq!(signal.runner_ts(), Some(Timestamp(1_743_500_009_000)));
        assert_eq!((signal.address, signal.url, signal.hint), ("0xhot", "U", "p"));
        let SignalKind::Status { start_time, .. } = signal.kind else { panic!("{signal:?}") };
        assert_eq!(start_time, Some(Timestamp(1_743_500_000_123)));
    });
}

#[test]
fn v13_runner_stamps_never_order() {
    let subtypes = [
        "runner_receive_first_ingest_segment",
        "runner_send_first_processed_segment",
        "runner_receive_stream_request",
    ];
    for subtype in subtypes {
        let times = times(subtype, 1_767_908_947_583, "1767908947585");
        assert_eq!(times, (1_767_908_947_583, Some(1_767_908_947_585)), "{subtype}");
        // However far away it is: it is kept, not used.
        let far = self::times(subtype, 1_767_908_947_583, "1");
        assert_eq!(far, (1_767_908_947_583, Some(1)), "{subtype}");
    }
}

#[test]
fn a_gateway_stamp_more_than_24_h_away_is_not_believed() {
    const DAY: i64 = 86_400_000;
    for (distance, believed) in
        [(DAY, true), (-DAY, true), (DAY + 1, false), (-DAY - 1, false), (i64::MAX - NOW, false)]
    {
        let stamp = NOW + distance;
        let want = if believed { stamp } else { NOW };
        let subtype = "gateway_send_first_ingest_segment";
        assert_eq!(times(subtype, NOW, &stamp.to_string()), (want, None), "{distance}");
    }
}

#[test]
fn v14_other_families_are_no_signals() {
    let payment = r#"{"requestID":"r","sessionID":"s","manifestID":"m","sender":"0x1",
        "recipient":"0x2","orchestrator":"u","faceValue":"1 WEI","numTickets":"1","price":"1 wei/pixel",
        "winProb":"0.5","clientIP":"","capability":""}"#;
    let texts = [
        event("stream_ingest_metrics", NOW, "gw", r#""timestamp":1,"stats":{}"#),
        record("discovery_results", r#"[{"address":"0x1","url":"u","latency_ms":"5"}]"#),
        record("create_new_payment", payment),
        record("network_capabilities", r#"[{"address":"0x1"}]"#),
    ];
    for text in texts {
        accepted(&text, |event| assert_eq!(signal(&event), None, "{text}"));
    }
}

#[test]
fn v15_trace_subtypes_are_case_sensitive() {
    let data = r#""type":"Gateway_Receive_Stream_Request","timestamp":1739000000200"#;
    assert_eq!(verdict(&event("stream_trace", NOW, "gw", data)), "unsupported_trace_subtype");
}

#[test]
fn the_error_text_null_is_no_error() {
    for (error, want) in [
        ("null", false),
        (r#""""#, false),
        (r#"" ""#, false),
        (r#""null""#, false),
        (r#"" NULL ""#, false),
        (r#""nullable""#, true),
        (r#""it broke""#, true),
    ] {
        let text = status(&format!(
            r#","state":"ONLINE","inference_status":{{"fps":23.75,"last_error":{error}}}"#
        ));
        accepted(&text, |event| {
            let SignalKind::Status { has_error, output_fps, state, .. } =
                signal(&event).unwrap().kind
            else {
                panic!("no status")
            };
            assert_eq!((has_error, output_fps, state), (want, 23.75, "ONLINE"), "{error}");
        });
    }
}
