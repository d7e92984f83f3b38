//! Payloads: the capture, the shapes of events.md 9, the edge cases of events.md 8 and the
//! lifecycle vectors V08 to V15.
// Helpers panic like tests do; floats are compared as written.
#![allow(clippy::panic, clippy::unwrap_used, clippy::float_cmp)]

mod common;

use std::collections::BTreeMap;

use common::{CAPTURE, NOW, accepted, record, verdict};
use naap_protocol::event::{
    AiEvent, Body, Discovered, IngestMetrics, Payment, Status, Trace, TraceType,
};
use naap_protocol::identity::EntityKey;
use naap_protocol::time::Timestamp;

const IDS: &str = r#""stream_id":"s","request_id":"r""#;

fn body<T>(family: &str, data: &str, then: impl FnOnce(Body<'_>) -> T) -> T {
    accepted(&record(family, data), |event| then(event.body))
}

fn status<T>(fields: &str, then: impl FnOnce(Status<'_>) -> T) -> T {
    body("ai_stream_status", &format!(r#"{{{IDS},"pipeline":"p"{fields}}}"#), |body| match body {
        Body::Status(status) => then(status),
        other => panic!("{other:?}"),
    })
}

fn trace<T>(kind: &str, fields: &str, then: impl FnOnce(Trace<'_>) -> T) -> T {
    body("stream_trace", &format!(r#"{{{IDS},"type":"{kind}"{fields}}}"#), |body| match body {
        Body::Trace(trace) => then(trace),
        other => panic!("{other:?}"),
    })
}

fn ai<T>(fields: &str, then: impl FnOnce(AiEvent<'_>) -> T) -> T {
    body("ai_stream_events", &format!("{{{IDS}{fields}}}"), |body| match body {
        Body::Ai(event) => then(event),
        other => panic!("{other:?}"),
    })
}

fn ingest<T>(stats: &str, then: impl FnOnce(IngestMetrics<'_>) -> T) -> T {
    let data = format!(r#"{{{IDS},"timestamp":1774344332951,"stats":{stats}}}"#);
    body("stream_ingest_metrics", &data, |body| match body {
        Body::Ingest(metrics) => then(metrics),
        other => panic!("{other:?}"),
    })
}

fn discovery<T>(data: &str, then: impl FnOnce(Vec<Discovered<'_>>) -> T) -> T {
    body("discovery_results", data, |body| match body {
        Body::Discovery(found) => then(found),
        other => panic!("{other:?}"),
    })
}

#[test]
fn the_capture_is_accepted() {
    let mut families = BTreeMap::new();
    for line in CAPTURE.lines() {
        accepted(line, |event| {
            *families.entry(event.body.family()).or_insert(0) += 1;
            assert_eq!(event.raw, line);
            assert_eq!((&*event.gateway, &*event.version, event.replay), ("", "1", false));
        });
    }
    let expected = [
        ("ai_stream_status", 17),
        ("create_new_payment", 6),
        ("discovery_results", 1),
        ("network_capabilities", 1),
        ("stream_ingest_metrics", 34),
        ("stream_trace", 6),
    ];
    assert_eq!(families, BTreeMap::from(expected));
}

fn captured<T>(part: &str, then: impl FnOnce(naap_protocol::event::Event<'_>) -> T) -> T {
    accepted(CAPTURE.lines().find(|line| line.contains(part)).unwrap(), then)
}

#[test]
fn captured_edges() {
    captured("runner_receive_first_ingest_segment", |event| {
        assert_eq!(event.uid, "dd5bbc80-5b77-40e2-b006-82dcbcff37f1");
        assert_eq!(event.event_ts, Timestamp(1_767_908_947_583));
        let owner = EntityKey::owner("cloud_spe", &event);
        assert_eq!(owner.text(), "stream-o5s73x-mk5zc8fy|db936fab");
        let Body::Trace(trace) = &event.body else { panic!("{event:?}") };
        assert_eq!(trace.kind, TraceType::RunnerReceiveFirstIngestSegment);
        assert_eq!(trace.data_ts, Some(Timestamp(1_767_908_947_585))); // V13
        assert_eq!(trace.orchestrator.address, "0x52cf2968b3dc6016778742d3539449a6597d5954");
        assert_eq!(trace.orchestrator.url, "https://rtav-orch2.xodeapp.xyz:28935");
        assert_eq!((&*trace.pipeline, &*trace.message), ("", ""));
    });
}

#[test]
fn captured_status() {
    captured("f0f0e510-9cda-4879-8546-6adbc080fb6e", |event| {
        let Body::Status(status) = event.body else { panic!("{event:?}") };
        assert_eq!(status.pipeline, "streamdiffusion-sdxl-faceid");
        assert_eq!((&*status.state, &*status.last_error), ("ONLINE", ""));
        assert_eq!(
            (status.output_fps, status.input_fps),
            (17.298_215_447_072_742, 20.484_865_861_692_217)
        );
        assert_eq!(status.runner_ts, Some(Timestamp(1_767_908_955_609)));
        assert_eq!(status.start_time, Some(Timestamp(1_767_908_945_607)));
        assert_eq!((status.restart_count, status.last_restart_time), (0, None));
        assert_eq!((status.prompt, status.prompt_width, status.prompt_height), (None, 512, 512));
        assert_eq!(status.params_hash, "f2f41bce75e30de92f8c308a6722859b");
    });
}

#[test]
fn captured_ingest_payment_discovery() {
    captured("5dd0cf64-52fd-4067-86d7-a0d19508952b", |event| {
        let Body::Ingest(metrics) = event.body else { panic!("{event:?}") };
        assert_eq!(
            (&*metrics.peer_connection, &*metrics.connection_quality),
            ("iceTransport", "good")
        );
        assert_eq!((metrics.bytes_received, metrics.bytes_sent), (477_890, 4013));
        let (video, audio) = (metrics.video.unwrap(), metrics.audio.unwrap());
        assert_eq!((video.jitter, video.packets_received), (10.126_770_701_625_134, 413));
        assert_eq!((audio.packets_received, audio.last_input_ts), (248, 4.8601));
    });
    captured("9c838785-dc30-4725-9769-34cc47792393", |event| {
        assert_eq!(EntityKey::owner("o", &event).text(), event.uid);
        let Body::Payment(payment) = event.body else { panic!("{event:?}") };
        let expected = Payment {
            request_id: "db936fab".into(),
            session_id: "01b55632".into(),
            manifest_id: "35_streamdiffusion-sdxl-faceid".into(),
            sender: "0x5ae4e42db3671370a0c25aff451e7482aaec3d0b".into(),
            recipient: "0xd00354656922168815fcd1e51cbddb9e359e3c7f".into(),
            orchestrator_url: "https://rtav-orch2.xodeapp.xyz:28935".into(),
            face_value: "2402400000000000 WEI".into(),
            num_tickets: "2".into(),
            win_prob: "0.0009990010".into(),
            price: "1635.021 wei/pixel".into(),
            ..Payment::default()
        };
        assert_eq!(payment, expected);
    });
    captured("discovery_results", |event| {
        let Body::Discovery(found) = event.body else { panic!("{event:?}") };
        assert_eq!((found.len(), found[0].latency_ms), (1, Some(77)));
    });
}

#[test]
fn v08_to_v10_trace_times() {
    let data_ts =
        |fields: &str| trace("gateway_receive_stream_request", fields, |trace| trace.data_ts);
    for (field, expected) in [
        ("1739000000200", Some(1_739_000_000_200)),
        (r#"" 1739000000200 ""#, Some(1_739_000_000_200)),
        ("1739000000200.9", Some(1_739_000_000_200)),
        (r#""2026-01-01T00:00:00Z""#, None),
        (r#""+5""#, None),
        ("0", None),
        ("-5", None),
        ("null", None),
        ("true", None),
        ("[]", None),
        ("1e30", None),
        // A value in seconds stays one: only the difference to the envelope tells.
        ("1739000000", Some(1_739_000_000)),
    ] {
        assert_eq!(
            data_ts(&format!(r#","timestamp":{field}"#)),
            expected.map(Timestamp),
            "{field}"
        );
    }
    assert_eq!(data_ts(""), None);
}

#[test]
fn v12_start_time_in_seconds() {
    for (field, expected) in [
        ("1743500000.123", Some(1_743_500_000_123)),
        ("1743500000.1236", Some(1_743_500_000_124)),
        ("1743500000", Some(1_743_500_000_000)),
        (r#""1743500000""#, Some(1_743_500_000_000)),
        (r#""1743500000.123""#, None),
        ("1743500000123", Some(1_743_500_000_123)),
        ("1743500000123.7", Some(1_743_500_000_123)),
        (r#""1743500000123""#, Some(1_743_500_000_123)),
        ("999999999", Some(999_999_999)),
        ("100000000000", Some(100_000_000_000)),
        ("null", None),
        ("{}", None),
        (r#""""#, None),
    ] {
        let found = status(&format!(r#","start_time":{field}"#), |status| status.start_time);
        assert_eq!(found, expected.map(Timestamp), "{field}");
    }
}

#[test]
fn v11_and_v15_ai_events() {
    ai(
        r#","type":"error","message":"no orchestrators available within 2s timeout","capability":"""#,
        |event| {
            assert_eq!((&*event.kind, &*event.pipeline), ("error", ""));
            assert_eq!(event.message, "no orchestrators available within 2s timeout");
            assert_eq!((event.runner_ts, &*event.orchestrator.address), (None, ""));
        },
    );
    ai(r#","type":"ERROR""#, |event| assert_eq!(event.kind, "ERROR"));
    // Any other type is passed on, in any type.
    ai(r#","type":"warmup""#, |event| assert_eq!(event.kind, "warmup"));
    ai(r#","type":7"#, |event| assert_eq!(event.kind, "7"));
}

#[test]
fn shapes_of_section_9() {
    trace(
        "orchestrator_swap",
        r#","message":"timeout waiting for segments","orchestrator_info":{"address":"0x00AA01","url":"https://orch-a.example:8935"},"pipeline":"streamdiffusion-sdxl","pipeline_id":"""#,
        |trace| {
            assert_eq!((trace.kind, trace.data_ts), (TraceType::OrchestratorSwap, None));
            assert_eq!(
                (&*trace.message, &*trace.pipeline),
                ("timeout waiting for segments", "streamdiffusion-sdxl")
            );
            assert_eq!(trace.orchestrator.address, "0x00aa01");
        },
    );
    ai(
        r#","message":"Error updating params: …","orchestrator_info":{"url":"u"},"pipeline":"p","time":1774344332.25,"timestamp":1774344332951,"type":"error""#,
        |event| {
            assert_eq!(event.runner_ts, Some(Timestamp(1_774_344_332_951)));
            assert_eq!(
                (&*event.orchestrator.url, &*event.message),
                ("u", "Error updating params: …")
            );
        },
    );
    ai(
        r#","params":{"prompt":[["a",1.0]],"width":512},"pipeline":"p","type":"params_update""#,
        |event| {
            assert_eq!((&*event.kind, &*event.pipeline), ("params_update", "p"));
        },
    );
    ai(
        r#","restart_count":2,"restart_logs":["…"],"restart_time":1774344332.25,"timestamp":1774344332951,"type":"restart""#,
        |event| {
            assert_eq!(event.kind, "restart");
        },
    );
    ingest(
        r#"{"peer_conn_stats":{"ID":"iceTransport","BytesReceived":0,"BytesSent":0},"conn_quality":"good"}"#,
        |metrics| {
            assert_eq!((metrics.video, metrics.audio), (None, None));
            assert_eq!(metrics.data_ts, Some(Timestamp(1_774_344_332_951)));
        },
    );
    let noise = record("stream_trace", r#"{"client_source":"scope","type":"stream_heartbeat"}"#);
    assert_eq!(verdict(&noise), "ignored_stream_trace_scope_client_noise");
    for family in ["job_gateway", "worker_lifecycle"] {
        assert_eq!(verdict(&record(family, "{}")), "unsupported_event_family");
    }
}

#[test]
fn status_edge_cases_of_section_8() {
    let inference = |fields: &str| format!(r#","inference_status":{{{fields}}}"#);
    status(
        &inference(
            r#""fps":0,"restart_count":3,"last_restart_time":1770056142812,"last_error":"boom","last_error_time":1770057341425"#,
        ),
        |status| {
            assert_eq!((status.output_fps, status.restart_count), (0.0, 3));
            assert_eq!(status.last_restart_time, Some(Timestamp(1_770_056_142_812)));
            assert_eq!(
                (&*status.last_error, status.last_error_time),
                ("boom", Some(Timestamp(1_770_057_341_425)))
            );
        },
    );
    for (params, prompt, width) in [
        (r#"{"prompt":"a cat","width":512}"#, Some("a cat"), 512),
        (r#"{"prompt":"","width":"640"}"#, Some(""), 640),
        (r#"{"prompt":[["a",1.0]],"width":-1}"#, None, 0),
        (r#"{"prompt":{},"width":70000}"#, None, 0),
        (r#"{"prompt":null,"width":null}"#, None, 0),
        (r#"{"prompt":"\u003ca\u003e\ud83d\ude00","width":512.9}"#, Some("<a>😀"), 512),
        ("null", None, 0),
        ("[1]", None, 0),
    ] {
        status(&inference(&format!(r#""last_params":{params}"#)), |status| {
            assert_eq!(
                (status.prompt.as_deref(), status.prompt_width),
                (prompt, width),
                "{params}"
            );
        });
    }
    status(
        r#","inference_status":null,"input_status":7,"orchestrator_info":"x","state":null"#,
        |status| {
            assert_eq!((status.output_fps, status.input_fps, &*status.state), (0.0, 0.0, ""));
            assert_eq!(status.orchestrator, naap_protocol::event::Orchestrator::default());
        },
    );
    status(&inference(r#""fps":"17.5","restart_count":"2""#), |status| {
        assert_eq!((status.output_fps, status.restart_count), (17.5, 2));
    });
    status(&inference(r#""fps":1e999,"restart_count":-1"#), |status| {
        assert_eq!((status.output_fps, status.restart_count), (0.0, 0));
    });
    // Rows have single precision: what is infinite there is no measurement either.
    for (fps, expected) in [("1e39", 0.0), ("\"-1e300\"", 0.0), ("3e38", 3e38)] {
        status(&inference(&format!(r#""fps":{fps}"#)), |status| {
            assert_eq!(status.output_fps, expected, "{fps}");
        });
    }
}

#[test]
fn unknown_orchestrators() {
    for info in [
        r#"{"address":"","url":""}"#,
        r#"{"address":"0x","url":""}"#,
        r#"{"address":"0x0000000000000000000000000000000000000000"}"#,
        r#"{"address":null,"url":null}"#,
        "null",
        "[]",
        "{}",
    ] {
        trace("orchestrator_swap", &format!(r#","orchestrator_info":{info}"#), |trace| {
            assert_eq!(
                (&*trace.orchestrator.address, &*trace.orchestrator.url),
                ("", ""),
                "{info}"
            );
        });
    }
}

#[test]
fn tracks() {
    let stats = r#"{"track_stats":[7,{"type":"video","jitter":1},{"type":"data","jitter":9},
        {"type":"video","packets_lost":-5,"rtt":18446744073709551615,"packets_received":-1,"last_input_ts":"4.5"},
        {"type":"audio","latency":7},{"type":"audio","latency":0.25}]}"#;
    ingest(stats, |metrics| {
        let video = metrics.video.unwrap();
        assert_eq!((video.jitter, video.packets_lost), (0.0, -5), "the last video track counts");
        assert_eq!((video.rtt, video.packets_received, video.last_input_ts), (u64::MAX, 0, 4.5));
        assert_eq!(metrics.audio.unwrap().latency, 0.25);
    });
    for stats in ["null", r#"{"track_stats":null}"#, r#"{"track_stats":{}}"#] {
        ingest(stats, |metrics| assert_eq!((metrics.video, metrics.audio), (None, None)));
    }
}

#[test]
fn discovered_latencies() {
    for (latency, expected) in [
        (r#""84""#, Some(84)),
        (r#"" 84 ""#, Some(84)),
        ("84", Some(84)),
        ("84.9", Some(84)),
        (r#""84.9""#, None),
        (r#""""#, None),
        (r#""fast""#, None),
        ("-1", None),
        ("4294967296", None),
        ("null", None),
    ] {
        let data = format!(r#"[{{"address":"0xA","url":"https://O/","latency_ms":{latency}}}]"#);
        discovery(&data, |found| {
            assert_eq!(found[0].latency_ms, expected, "{latency}");
            assert_eq!(
                (&*found[0].orchestrator.address, &*found[0].orchestrator.url),
                ("0xa", "https://O/")
            );
        });
    }
    // A strange element keeps its place.
    discovery(r#"[7,{"address":"0xB"}]"#, |found| {
        assert_eq!(found[0], Discovered::default());
        assert_eq!(found[1].orchestrator.address, "0xb");
    });
}

#[test]
fn keys_may_come_in_any_order_twice_and_escaped() {
    let text = format!(
        r#"{{"data":{{"request_id":"x",{IDS},"type":"error"}},"timestamp":1,"gateway":"a","gateway":"b",
            "id":"e-0","t\u0079pe":"ai_stream_events","timestamp":{NOW},"id":"e-1","unknown":[{{}}]}}"#
    );
    accepted(&text, |event| {
        assert_eq!((&*event.uid, &*event.gateway, event.event_ts.0), ("e-1", "b", NOW));
        let Body::Ai(body) = event.body else { panic!("{event:?}") };
        assert_eq!((&*body.request_id, &*body.kind), ("r", "error"));
    });
    // The last type and the last data count, also for nested objects.
    let text = record("stream_trace", &format!(r#"{{{IDS},"type":"error"}}"#))
        .replacen(r#""data""#, r#""data":{"type":"orchestrator_swap"},"data""#, 1)
        .replacen(r#""gateway""#, r#""type":"ai_stream_events","gateway""#, 1);
    accepted(&text, |event| assert_eq!(event.body.family(), "ai_stream_events"));
    // Nothing stays of data before it.
    let text = record("stream_trace", &format!(r#"{{{IDS},"type":"orchestrator_swap"}}"#));
    let text = format!(r#"{},"type":"x","data":7}}"#, text.trim_end().strip_suffix('}').unwrap());
    assert_eq!(verdict(&text), "unsupported_event_family");
    trace(
        "orchestrator_swap",
        r#","orchestrator_info":{"url":"a"},"orchestrator_info":{"address":"0xB"}"#,
        |trace| {
            assert_eq!((&*trace.orchestrator.url, &*trace.orchestrator.address), ("", "0xb"));
        },
    );
}

#[test]
fn the_text_of_data_is_found_wherever_it_stands() {
    let data = format!(r#"{{ {IDS} , "type":"error","data":[{{}} ] }}"#);
    let rest = format!(r#""id":"e","type":"ai_stream_events","timestamp":{NOW}"#);
    for text in [
        format!(r#"{{{rest},"data":{data}}}"#),
        format!(" {{{rest} , \"data\" :\n{data}\t}} \n"),
        format!(r#"{{{rest},"data":{data},"gateway":"data"}}"#),
        format!(r#"{{"data":{data},{rest}}}"#),
        format!(r#"{{{rest},"data":7,"data":{data}}}"#),
        format!(r#"{{{rest},"d\u0061ta":{data}}}"#),
        format!(r#"{{{rest},"data":{data},"d\u0061ta":{data} }}"#),
        format!(r#"{{{rest},"data":{data},"x":{{"data":1}}}}"#),
    ] {
        accepted(&text, |event| {
            assert_eq!((event.data(), event.body.family()), (&*data, "ai_stream_events"), "{text}");
        });
    }
}

#[test]
fn every_byte_of_a_string_is_looked_at() {
    // Whatever ends the plain part of a string is found at every distance from its start.
    for before in 0..40 {
        let message = |part: &str| format!("{}{part}{}", "é".repeat(before), "x".repeat(20));
        let data = |text: &str| {
            let data = format!(r#"{{{IDS},"type":"error","message":"{text}"}}"#);
            record("ai_stream_events", &data)
        };
        for (sent, read) in
            [(r#"\""#, "\""), (r"\\", "\\"), (r"\u003c", "<"), (r"\ud800", "\u{fffd}")]
        {
            accepted(&data(&message(sent)), |event| match event.body {
                Body::Ai(event) => assert_eq!(event.message, message(read)),
                other => panic!("{other:?}"),
            });
        }
        for bad in ["\u{0}", "\u{1f}", "\n", r"\x", r"\u12g4", r"\u12"] {
            assert_eq!(verdict(&data(&message(bad))), "json_parse_error", "{bad:?}");
        }
    }
}

#[test]
fn usual_events_borrow_everything() {
    use std::borrow::Cow::Borrowed;
    for line in CAPTURE.lines() {
        accepted(line, |event| {
            assert!(matches!(
                (&event.uid, &event.raw, &event.gateway),
                (Borrowed(_), Borrowed(_), Borrowed(_))
            ));
            if let Body::Status(status) = &event.body {
                assert!(matches!(
                    (&status.orchestrator.address, &status.state),
                    (Borrowed(_), Borrowed(_))
                ));
            }
        });
    }
}
