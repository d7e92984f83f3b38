//! The instruments of the lifecycle (backlog 004), counted from played sessions.
// Counts are whole numbers, which a float holds exactly.
#![allow(clippy::float_cmp)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use naap_actors::clocks::{ClockSigns, ClockWatch};
use naap_actors::session::emit::Written;
use naap_actors::session::instruments::{
    Instruments, WaitOutcome, Waiting, capability_entries, capability_evicted, ignored,
    publish_clocks,
};
use naap_actors::session::pen::Put;
use naap_actors::session::tally::{Cause, Tally};
use naap_protocol::event::TraceType;
use naap_protocol::state::{StoredBody, Sym, Verdict};
use naap_protocol::time::Timestamp;
use proptest::prelude::*;

use crate::meters::{Values, counted, sum};
use crate::signals::{BASE, RETENTION, signal};
use crate::stage::{Input, Stage, script};

const SIGNALS: &str = "naap_lifecycle_signals_total";

/// Plays inputs with a write after each of them that `writes` wants, and one at the end.
fn play(inputs: &[Input], writes: impl Fn(usize) -> bool) -> (Values, Stage) {
    let mut stage = Stage::new(RETENTION);
    let values = counted(|| {
        let mut instruments = Instruments::new(3);
        for (place, input) in inputs.iter().enumerate() {
            let receipt = stage.take(input, place as u64);
            if let (Input::Event(event), Some(receipt)) = (input, receipt) {
                instruments.received(&event.body, &receipt);
            }
            if writes(place) {
                stage.settle();
                instruments.wrote(&stage.write());
            }
        }
        stage.settle();
        instruments.wrote(&stage.write());
    });
    (values, stage)
}

/// What a script counts that is written once.
fn once(text: &str) -> Values {
    play(&script(text), |_| false).0
}

/// What a script counts that is written after every input.
fn often(text: &str) -> Values {
    play(&script(text), |_| true).0
}

/// Puts the broker time of each signal `late_ms` behind its gateway time.
fn late(text: &str, late_ms: i64) -> Vec<Input> {
    let mut inputs = script(text);
    for input in &mut inputs {
        let Input::Event(event) = input else { continue };
        event.record_ts.0 += late_ms;
    }
    inputs
}

#[test]
fn signals_are_counted_by_family_and_outcome() {
    let found = once("REQ@1000{uid=x} ST@2000 REQ@1000{uid=x} REQ@3000{uid=x} ING@4000 AI@5000");
    let of = |family: &str, outcome: &str| {
        found.get(&format!("{SIGNALS}{{outcome={outcome},type={family}}}")).copied()
    };
    assert_eq!(of("stream_trace", "applied"), Some(1.0));
    assert_eq!(of("stream_trace", "duplicate"), Some(2.0), "the same and another content");
    assert_eq!(of("ai_stream_status", "applied"), Some(1.0));
    assert_eq!(of("ai_stream_events", "applied"), Some(1.0));
    assert_eq!(sum(&found, SIGNALS, ""), 5.0, "ingest metrics are no lifecycle events");
    let found = counted(|| ["stream_trace", "create_new_payment"].into_iter().for_each(ignored));
    assert_eq!(
        found,
        Values::from([(format!("{SIGNALS}{{outcome=ignored,type=stream_trace}}"), 1.0)])
    );
}

#[test]
fn lateness_is_counted_by_class() {
    let cases = [
        (-31_000, "future", "applied"),
        (60_000, "on_time", "applied"),
        (60_001, "delayed", "applied"),
        (660_000, "late", "late"),
    ];
    for (late_ms, class, outcome) in cases {
        let (found, _) = play(&late("ST@1000", late_ms), |_| false);
        let class = format!("class={class}");
        assert_eq!(sum(&found, "naap_lifecycle_late_total", &class), 1.0, "{late_ms}");
        assert_eq!(sum(&found, "naap_lifecycle_lateness_seconds", &class), 1.0, "{late_ms}");
        assert_eq!(sum(&found, SIGNALS, &format!("outcome={outcome},")), 1.0, "{late_ms}");
    }
    // 002 (f): 49 h after the close.
    let found = once("REQ@1000 CLOSE@5000 ST@176405000 ST@176406000");
    assert_eq!(sum(&found, SIGNALS, "outcome=late_expired"), 2.0);
    assert_eq!(sum(&found, "naap_lifecycle_late_total", "class=expired"), 2.0);
}

#[test]
fn a_late_event_that_replaces_rows_is_a_correction() {
    let mut inputs = script("REQ@1000 PROC@2000");
    inputs.extend(late("PLAY@3000{uid=late}", 660_000));
    let (found, _) = play(&inputs, |_| true);
    // The rows of the session and its coverage, and latency v1; v2 lacks the start of the prompt.
    let corrections = "naap_lifecycle_corrections_total";
    assert_eq!(found.get(&format!("{corrections}{{cause=late_event}}")), Some(&3.0));
    assert_eq!(sum(&found, corrections, ""), 3.0);
    assert_eq!(sum(&often("REQ@1000 PROC@2000 PLAY@3000"), corrections, ""), 0.0, "growth is none");
}

/// Acceptance of backlog 004: reversed delivery is seen, and the facts stay what they are.
#[test]
fn reversed_delivery_is_out_of_order() {
    let inputs = script("REQ@1000 GSEND@1500 ST@2000{A} PROC@3000 PLAY@4000 CLOSE@5000");
    let (found, stage) = play(&inputs, |_| false);
    assert_eq!(sum(&found, "naap_lifecycle_out_of_order_signals_total", ""), 0.0);
    assert_eq!(sum(&found, "naap_lifecycle_out_of_order_total", ""), 0.0);
    let backwards: Vec<Input> = inputs.into_iter().rev().collect();
    let (found, reversed) = play(&backwards, |_| false);
    let overtaken: Vec<_> = found
        .keys()
        .filter_map(|key| key.strip_prefix("naap_lifecycle_out_of_order_total"))
        .collect();
    let expected = [
        "{edge=gateway_ingest_stream_closed}",
        "{edge=gateway_receive_few_processed_segments}",
        "{edge=gateway_receive_first_processed_segment}",
        "{edge=gateway_send_first_ingest_segment}",
    ];
    assert_eq!(overtaken, expected);
    assert_eq!(sum(&found, "naap_lifecycle_out_of_order_signals_total", ""), 5.0);
    assert_eq!(reversed.store.latest(), stage.store.latest());
}

#[test]
fn start_times_that_are_not_believed_are_counted_once() {
    let ignored = "naap_lifecycle_ignored_start_times_total";
    let cases = [
        ("ST@2000 REQ@3000", 0.0),
        ("ST@2000{start=2000} ST@86402000{start=2000}", 0.0),
        ("ST@2000{start=2001}", 1.0),
        ("ST@86402001{start=2000}", 1.0),
        // 1999 and 2000.
        ("ST@946684800000{start=946684799999}", 1.0),
        ("ST@2000{uid=x,start=2001} ST@2000{uid=x,start=2001} ST@2000{uid=x,start=2002}", 1.0),
        ("ST@3000{start=9000} ST@2000{start=9000} ST@1000{start=9000}", 3.0),
        // Expired: nothing of it is read.
        ("REQ@1000 CLOSE@5000 ST@176405000{start=1}", 0.0),
    ];
    for (text, expected) in cases {
        assert_eq!(sum(&once(text), ignored, ""), expected, "{text}");
        assert_eq!(sum(&often(text), ignored, ""), expected, "{text}");
    }
}

#[test]
fn missing_latencies_of_closed_sessions_are_counted_once() {
    let nulls = "naap_lifecycle_null_latency_total";
    assert_eq!(sum(&often("REQ@1000 PROC@2000 PLAY@3000"), nulls, ""), 0.0, "still going");
    let expected = [
        ("v1_startup", "missing_end_edge", false),
        ("v1_e2e", "missing_end_edge", false),
        ("v2_prompt_to_playable", "missing_start_edge", true),
    ];
    let closed = "REQ@1000 PROC@2000 GSEND@700 RSEND@2500 CLOSE@900000 ERR@900001";
    for found in [once(closed), often(closed)] {
        for (metric, reason, late) in expected {
            let key = format!("{nulls}{{late_trickle={late},metric={metric},reason={reason}}}");
            assert_eq!(found.get(&key), Some(&1.0), "{key}");
        }
        assert_eq!(sum(&found, nulls, ""), 3.0);
    }
    let corrected = often("REQ@1000 PROC@2000 CLOSE@900000 PLAY@3000");
    assert_eq!(sum(&corrected, nulls, "metric=v1_startup"), 1.0, "as it was at the close");
    let attributed = often("REQ@1000 ST@2000{A} CLOSE@3000 CAP@900{A}");
    assert_eq!(sum(&attributed, nulls, ""), 6.0, "another identity makes no other latency");
    let found = once("REQ@2000{gw=a} PROC@1000{gw=a} PLAY@700000{gw=b} CLOSE@900000");
    let multi_gateway = "naap_lifecycle_multi_gateway_total";
    assert_eq!(sum(&found, multi_gateway, "metric=v1_"), 2.0);
    assert_eq!(sum(&found, nulls, "metric=v1_startup,reason=missing_end_edge"), 1.0);
    assert_eq!(sum(&found, nulls, "reason=negative_interval"), 2.0, "v1 prompt, v2 startup");
    let found = once("REQ@1000 PROC@602000 CLOSE@900000");
    assert_eq!(
        sum(&found, "naap_lifecycle_implausible_latency_total", ""),
        2.0,
        "v1 prompt, v2 startup"
    );
}

/// Acceptance of backlog 004: a capability that comes last delays, one that is there does not.
#[test]
fn delayed_attribution_is_counted() {
    let delayed = "naap_attribution_delayed_total";
    let results = "naap_attribution_results_total";
    let found = often("CAP@900{A} REQ@1000 ST@2000{A} CLOSE@3000");
    assert_eq!(sum(&found, delayed, ""), 0.0);
    let direct = "label=direct,method=nearest_prior_snapshot,reason=matched";
    assert_eq!((sum(&found, results, ""), sum(&found, results, direct)), (1.0, 1.0));
    let found = often("REQ@1000 ST@2000{A} CLOSE@3000 CAP@900{A}");
    for kind in ["session", "segment", "status", "trace"] {
        assert_eq!(found.get(&format!("{delayed}{{kind={kind}}}")), Some(&1.0), "{kind}");
    }
    assert_eq!(sum(&found, results, "label=unattributed"), 1.0);
    assert_eq!((sum(&found, results, ""), sum(&found, results, direct)), (2.0, 1.0));
    let corrections = "naap_lifecycle_corrections_total";
    // Session, coverage, segment, two latencies; fact and coverage of the status and of the close.
    assert_eq!(sum(&found, corrections, "cause=late_capability"), 9.0);
    assert_eq!(sum(&once("REQ@1000 CLOSE@3000"), results, "reason=no_selection"), 1.0);
}

/// What a script counts under `name` that is written after every input, with restarts before the
/// inputs at `restarts`.
fn restarted(text: &str, restarts: &[(usize, bool)], name: &str) -> Values {
    let inputs = script(text);
    let mut all = counted(|| {
        let (mut instruments, mut stage) = (Instruments::new(3), Stage::new(RETENTION));
        for (place, input) in inputs.iter().enumerate() {
            let before = restarts.iter().filter(|(at, _)| *at == place);
            before.for_each(|(_, new_epoch)| stage.restart(*new_epoch));
            let receipt = stage.take(input, place as u64);
            if let (Input::Event(event), Some(receipt)) = (input, receipt) {
                instruments.received(&event.body, &receipt);
            }
            stage.settle();
            instruments.wrote(&stage.write());
        }
    });
    all.retain(|key, _| key.starts_with(name));
    all
}

const RESULTS: &str = "naap_attribution_results_total";

#[test]
fn a_signal_that_wakes_an_expired_session_is_expired() {
    let late = "REQ@1000 CLOSE@5000 ST@176405000 ST@176406000";
    let expected = restarted(late, &[], SIGNALS);
    assert_eq!(sum(&expected, SIGNALS, "outcome=late_expired"), 2.0);
    assert_eq!(restarted(late, &[(2, false), (3, false)], SIGNALS), expected);
}

#[test]
fn rows_that_a_new_epoch_repeats_are_counted_once() {
    let late = "REQ@1000 ST@2000{A} PU@2500 ST@2700{B} CLOSE@3000";
    let counted_once = [
        "naap_lifecycle_edges_matched_total",
        "naap_lifecycle_edges_unmatched_total",
        "naap_lifecycle_coverage_rows_total",
        "naap_lifecycle_null_latency_total",
        "naap_swap_signals_total",
    ];
    for name in counted_once {
        let expected = restarted(late, &[], name);
        for place in 1..5 {
            assert_eq!(restarted(late, &[(place, true)], name), expected, "{place}");
        }
    }
}

#[test]
fn an_attribution_is_counted_once_however_often_its_session_sleeps() {
    let late = "REQ@1000 ST@2000{A} CLOSE@3000 CAP@900{A} PROC@2500";
    let expected = restarted(late, &[], RESULTS);
    assert_eq!(expected.len(), 2, "unattributed, then direct: {expected:?}");
    for place in 1..5 {
        for new_epoch in [false, true] {
            assert_eq!(
                restarted(late, &[(place, new_epoch)], RESULTS),
                expected,
                "{place} {new_epoch}"
            );
        }
    }
}

/// Its only signal loses its uid to a sample, so it is no session any more; then another comes.
#[test]
fn a_session_that_comes_back_is_counted_anew_however_often_it_sleeps() {
    let back = "REQ@2001{uid=b,a=0xa} ING@1000{uid=b} ING@1000{uid=a} REQ@1000{uid=a,u=https://a}";
    let expected = restarted(back, &[], RESULTS);
    assert_eq!(sum(&expected, RESULTS, ""), 2.0);
    for place in 1..4 {
        for new_epoch in [false, true] {
            let found = restarted(back, &[(place, new_epoch)], RESULTS);
            assert_eq!(found, expected, "{place} {new_epoch}");
        }
    }
}

#[test]
fn coverage_rows_are_matched_or_unmatched() {
    let trace = |kind| StoredBody::Trace { kind, message: Sym::default() };
    let close = trace(TraceType::GatewayIngestStreamClosed);
    let play = trace(TraceType::GatewayReceiveFewProcessedSegments);
    let mut tally = Tally::default();
    tally.coverage(Put::First, &close, "missing_playable_edge", true);
    tally.coverage(Put::First, &play, "", false);
    tally.coverage(Put::Again, &close, "", true);
    tally.coverage(Put::Same, &play, "", false);
    tally.coverage(Put::First, &play, "awaiting_playable_edge", false);
    tally.coverage(Put::First, &play, "something new", false);
    tally.inferred_swap(Put::First);
    tally.inferred_swap(Put::Again);
    let found = counted(|| Instruments::new(0).wrote(&Written { tally, ..Written::default() }));
    let of = |name: &str, labels: &str| found.get(&format!("naap_{name}{{{labels}}}")).copied();
    let edge = "edge=gateway_receive_few_processed_segments";
    let (matched, unmatched) = ("lifecycle_edges_matched_total", "lifecycle_edges_unmatched_total");
    assert_eq!(of(matched, edge), Some(1.0));
    assert_eq!(of(unmatched, &format!("{edge},reason=awaiting_playable_edge")), Some(1.0));
    assert_eq!(of(unmatched, &format!("{edge},reason=other")), Some(1.0));
    let closed = "edge=gateway_ingest_stream_closed,reason=missing_playable_edge";
    assert_eq!(of(unmatched, closed), Some(1.0));
    let sum = |name: &str| sum(&found, &format!("naap_{name}"), "");
    assert_eq!(sum(matched) + sum(unmatched), 4.0, "rows in the table");
    let rows = |labels: &str| of("lifecycle_coverage_rows_total", labels);
    assert_eq!(rows("state=matched,terminal=true"), Some(1.0));
    assert_eq!(rows("state=matched,terminal=false"), Some(1.0));
    assert_eq!(rows("state=awaiting,terminal=false"), Some(1.0));
    assert_eq!(rows("state=missing,terminal=true"), Some(1.0));
    assert_eq!(sum("lifecycle_coverage_rows_total"), 5.0);
    assert_eq!(of("swap_signals_total", "kind=inferred"), Some(1.0));
}

/// Everything that the shells count themselves, and the label rules of the contract.
#[test]
fn every_instrument_has_its_labels() {
    let mut all = once("PROC@2600 REQ@2000{a=0xa} SWAP@2500 CLOSE@3000 ST@2700");
    // As long as the shard is here.
    let mut shard = None;
    let node = counted(|| {
        let instruments = shard.insert(Instruments::new(7));
        instruments.sessions(3, 5, 2);
        instruments.asleep(4);
        let mut tally = Tally::default();
        tally.corrected(Cause::Backfill, 2);
        instruments.wrote(&Written { tally, ..Written::default() });
        instruments.watermark_lag(None);
        instruments.watermark_lag(Some(1.5));
        instruments.waited(WaitOutcome::TimedOut, Duration::from_secs(15));
        let mut waiting = Waiting { sessions: 2, oldest: Some(Timestamp(BASE)) };
        waiting.add(Waiting { sessions: 1, oldest: Some(Timestamp(BASE + 500)) });
        waiting.add(Waiting::default());
        waiting.publish(Timestamp(BASE + 2_000));
        capability_entries(5);
        capability_entries(-2);
        capability_evicted("horizon", 2);
    });
    let expected = [
        ("naap_attribution_pending{}", 3.0),
        ("naap_attribution_pending_oldest_seconds{}", 2.0),
        ("naap_attribution_wait_seconds{outcome=timed_out}", 1.0),
        ("naap_capability_cache_entries{}", 3.0),
        ("naap_capability_cache_evicted_total{reason=horizon}", 2.0),
        ("naap_lifecycle_corrections_total{cause=backfill}", 2.0),
        ("naap_lifecycle_sessions_open{shard=7}", 3.0),
        ("naap_lifecycle_sessions_retained{shard=7}", 5.0),
        ("naap_state_expired_marks{shard=7}", 2.0),
        ("naap_lifecycle_versions_per_session{}", 1.0),
        ("naap_shard_watermark_lag_seconds{shard=7}", 1.5),
    ];
    assert_eq!(node, expected.map(|(key, value)| (key.to_owned(), value)).into());
    all.extend(node);
    let gone = counted(|| drop(Instruments::new(7)));
    assert_eq!(gone["naap_lifecycle_sessions_open{shard=7}"], 0.0);
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for key in all.keys() {
        let (name, given) = key.trim_end_matches('}').split_once('{').expect("labels");
        let given = given.split(',').filter_map(|label| label.split_once('='));
        labels.entry(name.to_owned()).or_default().extend(given.map(|(label, _)| label.to_owned()));
    }
    let rules = [
        ("naap_lifecycle_signals_total", "outcome type"),
        ("naap_lifecycle_out_of_order_total", "edge"),
        ("naap_lifecycle_null_latency_total", "late_trickle metric reason"),
        ("naap_lifecycle_late_total", "class"),
        ("naap_lifecycle_lateness_seconds", "class"),
        ("naap_attribution_results_total", "label method reason"),
        ("naap_swap_signals_total", "kind"),
    ];
    for (name, expected) in rules {
        let found: Vec<_> = labels[name].iter().map(String::as_str).collect();
        assert_eq!(found.join(" "), expected, "{name}");
    }
}

#[test]
fn clocks_are_shown_and_taken_back() {
    let signs = |text: &str| {
        let mut stage = Stage::new(RETENTION);
        let mut signs = ClockSigns::default();
        for (input, offset) in script(text).iter().zip(0..) {
            stage.take(input, offset);
            let Input::Event(event) = input else { continue };
            signs.observe(event, stage.session.state());
        }
        signs
    };
    let mut watch = ClockWatch::default();
    let found = counted(|| {
        watch.take(signs(
            "REQ@1000{gw=g} RREQ@1100{gw=g,u=https://a,stamp=-220} \
             ST@2000{gw=g,u=https://a,stamp=-25}",
        ));
        publish_clocks(&watch.report(Timestamp(BASE)));
        watch.take(signs("ST@900000{gw=h,u=https://a,stamp=-600}"));
        publish_clocks(&watch.report(Timestamp(BASE)));
    });
    let gauge = |gateway: &str| {
        found[&format!("naap_clock_skew_ms{{gateway={gateway},orchestrator=https://a}}")]
    };
    assert!(gauge("g").is_nan(), "no longer seen");
    assert_eq!(gauge("h"), 600.0);
    assert_eq!(found["naap_clock_step_total{gateway=g,orchestrator=https://a}"], 1.0);
}

proptest! {
    /// Sleep and restarts are no decisions.
    #[test]
    fn attributions_are_counted_alike_with_and_without_sleep(
        words in prop::collection::vec(
            prop_oneof![3 => signal("[a-d]{1,2}"), 1 => prop::sample::select(&[
                "CAP@500{A}", "CAP@1500{A,m=m2}", "CAP@2500{B}",
            ][..]).prop_map(str::to_owned)],
            1..12,
        ),
        restarts in prop::collection::vec((1..12usize, any::<bool>()), 1..4),
    ) {
        let text = words.join(" ");
        prop_assert_eq!(restarted(&text, &restarts, RESULTS), restarted(&text, &[], RESULTS));
    }

    /// Applied, duplicate, ignored, late and expired together are what was consumed.
    #[test]
    fn every_signal_has_one_outcome(
        signals in prop::collection::vec((signal("[ab]?[a-d]{1,2}"), 0..1_000_000_i64), 1..20)
    ) {
        let inputs: Vec<Input> =
            signals.iter().flat_map(|(text, late_ms)| late(text, *late_ms)).collect();
        let (found, _) = play(&inputs, |place| place % 3 == 0);
        let mut stage = Stage::new(RETENTION);
        let consumed = inputs.iter().enumerate().filter(|(place, input)| {
            let Input::Event(event) = input else { return false };
            let receipt = stage.take(input, *place as u64).expect("a receipt");
            let fresh = receipt.sighting.verdict != Verdict::Redelivery;
            fresh && !event.body.family().ends_with("_metrics")
        });
        prop_assert_eq!(sum(&found, SIGNALS, ""), consumed.count() as f64);
    }
}
