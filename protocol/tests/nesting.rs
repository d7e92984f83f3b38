//! Deep nesting is an answer, never a stack overflow: every place of a record where a container can
//! stand, on a thread with a small stack.

#![allow(clippy::unwrap_used)] // helpers of tests panic like tests do

mod common;

use common::{NOW, admit};
use naap_protocol::capability::decode::{MAX_DEPTH, ShapeError, decode};
use naap_protocol::gate::Outcome;
use naap_protocol::identity::event_uid;

/// Far less than any thread of the binary has (2 MiB).
const STACK: usize = 256 << 10;
/// Levels of the hostile input.
const HOSTILE: usize = 100_000;
/// Deepest nesting of a record that is read.
const DEEPEST: usize = 128;

/// How a value is nested: what opens and what closes a level.
const SHAPES: [(&str, &str); 3] = [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"data":"#, "}]")];

/// Records with `@` where the nested value goes. The number is how many levels are around it.
fn places() -> Vec<(String, usize)> {
    let root = |rest: &str| format!(r#"{{"id":"e","timestamp":"{NOW}","gateway":"g",{rest}}}"#);
    let family = |name: &str, data: &str| root(&format!(r#""type":"{name}","data":{data}"#));
    let late = |name: &str, data: &str| root(&format!(r#""data":{data},"type":"{name}""#));
    let mut places = vec![("@".to_owned(), 0)];
    for field in ["id", "type", "timestamp", "gateway", "version", "__replay", "other", "data"] {
        places.push((format!(r#"{{"{field}":@}}"#), 1));
        places.push((root(&format!(r#""type":"ai_stream_status","{field}":@"#)), 1));
    }
    let families = [
        ("ai_stream_status", "stream_id"),
        ("ai_stream_status", "inference_status"),
        ("ai_stream_status", "last_params"),
        ("stream_trace", "type"),
        ("stream_trace", "message"),
        ("ai_stream_events", "message"),
        ("stream_ingest_metrics", "track_stats"),
        ("stream_ingest_metrics", "peer_conn_stats"),
        ("create_new_payment", "faceValue"),
        ("no_such_family", "x"),
    ];
    for (name, field) in families {
        for write in [&family as &dyn Fn(&str, &str) -> String, &late] {
            places.push((write(name, "@"), 1));
            places.push((write(name, &format!(r#"{{"{field}":@}}"#)), 2));
            places.push((write(name, r#"{"type":"gateway_x","ignored":@}"#), 2));
            places.push((write(name, &format!(r#"{{"{field}":{{"params":[@]}}}}"#)), 4));
        }
    }
    for name in ["network_capabilities", "discovery_results"] {
        places.push((family(name, "@"), 1));
        places.push((family(name, "[@]"), 2));
        places.push((family(name, r#"[{"address":"0x1"},{"ignored":@}]"#), 3));
    }
    let entry = [
        (r#"{"address":@}"#, 3),
        (r#"{"capabilities":@}"#, 3),
        (r#"{"capabilities":{"capacities":@}}"#, 4),
        (r#"{"capabilities":{"constraints":{"PerCapability":@}}}"#, 5),
        (r#"{"capabilities":{"constraints":{"PerCapability":{"27":{"models":{"m":@}}}}}}"#, 8),
        (r#"{"hardware":@}"#, 3),
        (r#"{"hardware":[{"gpu_info":{"0":{"id":@}}}]}"#, 7),
        (r#"{"hardware":[{"gpu_info":{"0":@}}]}"#, 6),
        (r#"{"capabilities_prices":[{"constraint":@}]}"#, 5),
    ];
    for (entry, levels) in entry {
        places.push((family("network_capabilities", &format!("[{entry}]")), levels));
        places.push((late("network_capabilities", entry), levels - 1));
    }
    places
}

fn nested((open, close): (&str, &str), levels: usize, closed: bool) -> String {
    let end = if closed { close.repeat(levels) } else { String::new() };
    format!("{}0{end}", open.repeat(levels))
}

fn outcome(text: &str) -> String {
    admit(Some(text.as_bytes()), Some(NOW), |outcome| match outcome {
        Outcome::Accepted(event) => format!("accepted {}", event.body.family()),
        Outcome::Ignored(ignored) => ignored.reason.label().to_owned(),
        Outcome::Rejected(reject) => reject.failure_reason.label().to_owned(),
    })
}

/// Runs `check` on a thread with little stack; an overflow ends the whole test process.
fn on_a_small_stack(check: impl FnOnce() + Send + 'static) {
    on_a_stack(STACK, check);
}

fn on_a_stack(bytes: usize, check: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(bytes).spawn(check).unwrap().join().unwrap();
}

#[test]
fn hostile_nesting_is_a_parse_error_in_every_place() {
    on_a_small_stack(|| {
        for (place, _) in places() {
            for (shape, closed) in [(SHAPES[0], false), (SHAPES[1], true)] {
                let text = place.replace('@', &nested(shape, HOSTILE, closed));
                assert_eq!(outcome(&text), "json_parse_error", "{place} {shape:?}");
            }
        }
    });
}

#[test]
fn the_deepest_legal_record_fits_a_small_stack() {
    on_a_small_stack(|| {
        for (place, around) in places() {
            for shape in [SHAPES[0], SHAPES[1]] {
                let text = place.replace('@', &nested(shape, DEEPEST - around, true));
                assert_ne!(outcome(&text), "json_parse_error", "{place} {shape:?}");
                let over = place.replace('@', &nested(shape, DEEPEST - around + 1, true));
                assert_eq!(outcome(&over), "json_parse_error", "{place} {shape:?}");
            }
        }
    });
}

#[test]
fn hostile_nesting_has_an_identity() {
    on_a_small_stack(|| {
        for shape in SHAPES {
            let text = nested(shape, HOSTILE, true);
            let (uid, _) = event_uid(&text);
            assert_eq!(uid.len(), 64, "{shape:?}");
        }
    });
}

#[test]
fn a_capability_document_guards_itself() {
    on_a_small_stack(|| {
        for shape in SHAPES {
            let hostile = [true, false].map(|closed| nested(shape, HOSTILE, closed));
            for data in hostile {
                assert_eq!(decode(&data), Err(ShapeError::TooDeep), "{shape:?}");
            }
        }
    });
}

/// Half the stack of a thread is enough for an unoptimised build, whose frames are largest.
#[test]
fn the_deepest_legal_document_fits_half_a_stack() {
    on_a_stack(1 << 20, || {
        for (place, around) in places() {
            if !place.contains("network_capabilities") {
                continue;
            }
            // The record is one level around the document.
            for (levels, want) in [(MAX_DEPTH + 1 - around, true), (MAX_DEPTH + 2 - around, false)]
            {
                let text = place.replace('@', &nested(SHAPES[1], levels, true));
                let accepted = outcome(&text) == "accepted network_capabilities";
                assert_eq!(accepted, want, "{place} {levels}");
            }
        }
    });
}
