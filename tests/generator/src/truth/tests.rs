//! Vectors of lifecycle.md 13, column N.

use super::Outcome;
use super::attribution::{Decision, decide, selections};
use super::history::{History, Interval, Known, Surface};
use super::signal::{Family, Signal};
use super::swaps::{Scene, Swap};

const M1: &str = "m1";

fn signal(ts: i64, family: Family) -> Signal {
    Signal {
        ord_ts: ts,
        uid: ts as u128,
        gateway: "",
        family,
        address: String::new(),
        url: String::new(),
        hint: "",
        reason: "",
    }
}

fn edge(ts: i64, edge: &'static str) -> Signal {
    signal(ts, Family::Trace { edge })
}

fn req(ts: i64) -> Signal {
    edge(ts, "gateway_receive_stream_request")
}

fn play(ts: i64) -> Signal {
    edge(ts, "gateway_receive_few_processed_segments")
}

fn no_orch(ts: i64) -> Signal {
    edge(ts, "gateway_no_orchestrators_available")
}

fn close(ts: i64) -> Signal {
    edge(ts, "gateway_ingest_stream_closed")
}

fn swap(ts: i64) -> Signal {
    edge(ts, "orchestrator_swap")
}

fn error(ts: i64, message: &'static str) -> Signal {
    signal(ts, Family::Notice { kind: "error", message })
}

fn sample(ts: i64, state: &'static str, output: u32, last_error: &'static str) -> Signal {
    signal(ts, Family::Status { state, output, last_error, start_time: None })
}

fn status(ts: i64) -> Signal {
    sample(ts, "ONLINE", 20_000, "")
}

/// The orchestrator of node `A`, `B` or `C`.
fn by(signal: Signal, node: char) -> Signal {
    let (address, url) = match node {
        'A' => ("0xhota", "https://a"),
        'B' => ("0xhotb", "https://b"),
        _ => ("0xhota", "https://c"),
    };
    Signal { address: address.to_owned(), url: url.to_owned(), hint: M1, ..signal }
}

fn node(node: char, first: i64, last: i64) -> Known {
    let (canonical, hot, url, gpu) = match node {
        'A' => ("0xa", "0xhota", "https://a", 1),
        'B' => ("0xb", "0xhotb", "https://b", 2),
        _ => ("0xc", "0xhota", "https://c", 3),
    };
    let surfaces = vec![Surface { pipeline: "live-video-to-video", model: M1, gpus: vec![gpu] }];
    Known {
        canonical: canonical.to_owned(),
        hot: hot.to_owned(),
        url: url.to_owned(),
        intervals: vec![Interval { first, last, surfaces }],
    }
}

fn nodes(names: &str) -> History {
    History(names.chars().map(|name| node(name, 900, 900)).collect())
}

fn outcome(mut signals: Vec<Signal>) -> Outcome {
    signals.sort_by_key(Signal::order);
    Outcome::of(&signals, &selections(&signals))
}

fn lineage(history: &History, mut signals: Vec<Signal>) -> Vec<Swap> {
    signals.sort_by_key(Signal::order);
    let selections = selections(&signals);
    let decisions: Vec<Decision> =
        selections.iter().map(|s| decide(history, &s.address, &s.url, s.hint, s.ts)).collect();
    let closed = super::closed_ts(&signals);
    Scene { signals: &signals, selections: &selections, decisions: &decisions, closed, history }
        .swaps()
}

/// `(known, success flag, excused, unexcused)`, startup outcome, excusal reason.
fn startup(out: &Outcome) -> (bool, bool, (bool, bool), &'static str, &'static str) {
    (out.known, out.playable_seen, out.failure(), out.startup_outcome(), out.excusal_reason())
}

#[test]
fn startup_vectors() {
    const WHIP: &str = "WHIP disconnected unexpectedly";
    const PANIC: &str = "GPU kernel panic";
    let (no, excused, bare) = ((false, false), (true, false), (false, true));
    let table = [
        ("V25", vec![req(1)], (true, false, bare, "failed", "none")),
        ("V26", vec![req(1), play(2)], (true, true, no, "success", "none")),
        ("V27", vec![req(1), play(2), no_orch(3)], (true, true, no, "success", "none")),
        ("V28", vec![no_orch(1), req(2)], (true, false, excused, "failed", "no_orch")),
        ("V29", vec![req(1), error(2, WHIP)], (true, false, excused, "failed", "excusable_error")),
        (
            "V30",
            vec![req(1), error(2, WHIP), error(3, PANIC)],
            (true, false, bare, "failed", "none"),
        ),
        ("V31", vec![req(1), error(2, PANIC), play(3)], (true, true, no, "success", "none")),
        ("V32", vec![error(1, "user disconnected")], (false, false, no, "unknown", "none")),
        ("V33", vec![play(5)], (false, true, no, "unknown", "none")),
    ];
    for (name, signals, expected) in table {
        assert_eq!(startup(&outcome(signals)), expected, "{name}");
    }
}

#[test]
fn selection_and_close_vectors() {
    let v35 = outcome(vec![req(1), by(status(2), 'A'), no_orch(3)]);
    assert_eq!((v35.selection_outcome(), v35.excusal_reason()), ("selected", "no_orch"));
    let v36 =
        outcome(vec![req(1000), error(2000, "missing video"), close(3000), error(4000, "boom")]);
    assert_eq!((v36.errors, v36.excusable_errors, v36.post_close_errors), (2, 1, 1));
    let v49 = outcome(vec![req(1000), close(5000), close(4000)]);
    assert_eq!(v49.closed, Some(5000));
    let v50 = outcome(vec![by(status(1000), 'A'), close(5000), by(status(6000), 'B')]);
    assert_eq!((v50.selections, v50.post_close_signals, v50.end), (1, 1, 6000));
}

#[test]
fn health_vectors() {
    let v39 = outcome(vec![req(1), sample(2, "loading", 0, ""), sample(3, "LOADING", 0, "null")]);
    assert_eq!(
        (v39.samples, v39.non_loading, v39.positive_output, v39.error_samples),
        (2, 0, 0, 0)
    );
    let v40 = outcome(vec![
        req(1),
        sample(2, "LOADING", 0, ""),
        sample(3, "", 0, "CUDA OOM"),
        sample(4, "ONLINE", 500, ""),
    ]);
    assert_eq!(
        (v40.non_loading, v40.positive_output, v40.error_samples, v40.health_signals()),
        (2, 1, 1, 1)
    );
}

#[test]
fn start_time_lowers_the_start_only_when_plausible() {
    let with = |start| {
        let base = 1_772_000_000_000;
        let family =
            Family::Status { state: "", output: 0, last_error: "", start_time: Some(base + start) };
        outcome(vec![signal(base + 5000, family)]).start - base
    };
    assert_eq!(with(1500), 1500);
    assert_eq!(with(5001), 5000);
    assert_eq!(with(-86_400_000), 5000);
}

/// Kind, outcome, previous and next of each row.
fn rows(swaps: &[Swap]) -> Vec<(&'static str, &'static str, &str, &str)> {
    swaps.iter().map(|s| (s.kind, s.outcome, s.previous.as_str(), s.next.as_str())).collect()
}

#[test]
fn swap_vectors() {
    let both = nodes("AB");
    let v58 = lineage(&both, vec![swap(1000)]);
    assert_eq!(rows(&v58), [("explicit", "pending", "", "")]);
    let v60 = lineage(&both, vec![by(status(1000), 'A'), by(status(3000), 'B')]);
    assert_eq!(rows(&v60), [("inferred", "completed", "0xa", "0xb")]);
    let strangers = lineage(&History(Vec::new()), vec![by(req(1000), 'A'), by(play(2000), 'B')]);
    assert!(strangers.is_empty());
    let v63 = vec![
        req(1000),
        by(status(2000), 'A'),
        by(swap(3000), 'A'),
        by(status(4000), 'B'),
        close(6000),
    ];
    assert_eq!(rows(&lineage(&both, v63)), [("explicit", "completed", "0xa", "0xb")]);
    let v65 = vec![by(status(2000), 'A'), by(swap(3000), 'A'), by(status(4000), 'A')];
    assert_eq!(
        rows(&lineage(&nodes("A"), v65)),
        [("explicit", "same_orchestrator_retry", "0xa", "0xa")]
    );
    let v66 = vec![
        by(status(2000), 'A'),
        by(swap(3000), 'A'),
        by(swap(3500), 'B'),
        no_orch(3600),
        close(4000),
    ];
    let expected =
        [("explicit", "completed", "0xa", "0xb"), ("explicit", "no_replacement", "0xb", "")];
    assert_eq!(rows(&lineage(&both, v66)), expected);
    let unknown = Signal { url: "https://x".to_owned(), ..by(status(4000), 'B') };
    let left = vec![by(status(2000), 'A'), by(swap(3000), 'A'), unknown];
    assert_eq!(rows(&lineage(&both, left)), [("explicit", "unresolved", "0xa", "")]);
}

#[test]
fn an_error_after_the_swap_is_no_evidence_of_a_retry() {
    let signals = vec![
        by(status(2000), 'A'),
        by(swap(3000), 'A'),
        error(3400, "no orchestrators available"),
        no_orch(3400),
        close(5000),
    ];
    assert_eq!(rows(&lineage(&nodes("A"), signals)), [("explicit", "no_replacement", "0xa", "")]);
}

#[test]
fn decision_vectors() {
    const MINUTE: i64 = 60_000;
    const DAY: i64 = 86_400_000;
    let shared = nodes("AC");
    let at = |history: &History, address, url, label, t| {
        let decision = decide(history, address, url, label, t);
        (decision.status, decision.reason, decision.canonical)
    };
    let named = |status, reason, canonical: &str| (status, reason, canonical.to_owned());
    let one = nodes("A");
    let table = [
        (
            "V70",
            at(&one, "0xhota", "", "sdxl", 1000),
            named("unresolved", "no_compatible_candidate", ""),
        ),
        ("V80a", at(&one, "0xhota", "", M1, 900 + DAY), named("stale", "stale_candidate", "0xa")),
        (
            "V80b",
            at(&one, "0xhota", "", M1, 901 + DAY),
            named("unresolved", "missing_candidate", ""),
        ),
        ("V83", at(&one, "0xhota", "", M1, 400), named("resolved", "future_skew", "0xa")),
        ("V89", at(&one, "0xhota", "", "M1", 1000), named("resolved", "matched", "0xa")),
        ("V90", at(&shared, "0xhota", "https://A/", M1, 1000), named("resolved", "matched", "0xa")),
        (
            "V91",
            at(&shared, "0xhota", "", M1, 1000),
            named("ambiguous", "ambiguous_candidates", ""),
        ),
        (
            "V94",
            at(&one, "0xhota", "", M1, 900 + 36 * MINUTE),
            named("stale", "stale_candidate", "0xa"),
        ),
        ("V95", at(&one, "0xhota", "", M1, 345_900), named("resolved", "matched", "0xa")),
        (
            "V96",
            at(&one, "0xhota", "https://x", M1, 1000),
            named("unresolved", "missing_uri_snapshot_local_alias_present", ""),
        ),
        ("prior", at(&one, "0xa", "", M1, 900 + 10 * MINUTE), named("resolved", "matched", "0xa")),
        (
            "noop",
            at(&one, "0xa", "", "noop", 1000),
            named("unresolved", "no_compatible_candidate", ""),
        ),
        ("future", at(&one, "0xa", "", M1, 900 - 30_001), named("stale", "stale_candidate", "0xa")),
    ];
    for (name, found, expected) in table {
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn gpus_decide_the_hardware_class() {
    let mut history = nodes("A");
    history.0[0].intervals[0].surfaces[0].gpus = vec![1, 2];
    let two = decide(&history, "0xa", "", M1, 1000);
    assert_eq!((two.status, two.gpu, two.gpu_candidates), ("resolved", None, 2));
    history.0[0].intervals[0].surfaces[0] = Surface { pipeline: "", model: "", gpus: Vec::new() };
    let none = decide(&history, "0xa", "", M1, 1000);
    assert_eq!((none.status, none.model.as_str(), none.gpu), ("hardware_less", M1, None));
}
