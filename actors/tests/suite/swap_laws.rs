//! Laws of segments and swap lineage, for any session and for sessions whose swap traces tell the
//! truth (lifecycle 6.1 as clarified, quality N-15 and N-16).

use std::collections::{BTreeMap, BTreeSet};

use naap_actors::session::invariants::lineage_defects;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::cells::Cells;
use crate::signals::{RETENTION, signal};
use crate::stage::{Input, Stage, play, script};

/// Advertisements of the nodes that random signals name; the second and third move an identity.
const ADVERTISEMENTS: &[&str] = &[
    "CAP@900{A,m=}",
    "CAP@2500{c=0xz,u=https://a,h=,m=,g=G-Z}",
    "CAP@1500{A,m=x}",
    "CAP@900{B,m=}",
    "CAP@4000{B,m=y,g=}",
    "CAP@1000{C,h=0xa,m=}",
];

/// One to fourteen signals of any kind and up to five advertisements.
fn any_session() -> impl Strategy<Value = String> {
    let signals = prop::collection::vec(signal(Just(String::new())), 1..14);
    let advertisements = prop::collection::vec(select(ADVERTISEMENTS), 0..6);
    (signals, advertisements).prop_map(|(signals, advertisements)| {
        format!("{} {}", signals.join(" "), advertisements.join(" "))
    })
}

/// A session that sees every orchestrator before it changes for the first time, and whose swap
/// traces name whom it leaves. An orchestrator that is left unseen is not the next one.
fn truthful_session() -> impl Strategy<Value = String> {
    let step = (select(&["see", "see", "swap", "change", "noorch"][..]), 0..3usize);
    (prop::collection::vec(step, 0..12), any::<bool>()).prop_map(|(steps, closed)| {
        let names = ["A", "B", "C"];
        let (mut current, mut seen, mut unseen, mut now) = (0, true, None, 2000);
        let mut words = vec!["CAP@900{A} CAP@900{B} CAP@900{C} REQ@1000 ST@1500{A}".to_owned()];
        let mut say = |word: &str, who: Option<usize>| {
            let who = who.map_or_else(String::new, |who| format!("{{{}}}", names[who]));
            words.push(format!("{word}@{now}{who}"));
            now += 500;
        };
        for (step, other) in steps {
            match step {
                "swap" => {
                    say("SWAP", Some(current));
                    unseen = (!seen).then_some(current);
                    (current, seen) = (other, false);
                }
                "noorch" => say("NOORCH", None),
                _ => {
                    current = if step == "see" { current } else { other };
                    current = if unseen == Some(current) { (current + 1) % 3 } else { current };
                    say("ST", Some(current));
                    (seen, unseen) = (true, None);
                }
            }
        }
        if closed {
            say("CLOSE", None);
            say("ST", Some((current + 1) % 3));
        }
        words.join(" ")
    })
}

/// A script, an order of its inputs, and what happens after each: nothing, a write, a restart, or a
/// restart in a new epoch.
fn schedules(
    session: impl Strategy<Value = String>,
) -> impl Strategy<Value = (String, Vec<usize>, Vec<u8>)> {
    session.prop_flat_map(|text| {
        let count = script(&text).len();
        let places: Vec<usize> = (0..count).collect();
        let pauses = prop::collection::vec(0..5u8, count);
        (Just(text), Just(places).prop_shuffle(), pauses)
    })
}

/// Plays inputs with pauses; the stage checks what is written at each of them.
fn run(inputs: &[Input], order: &[usize], pauses: &[u8]) -> Stage {
    let mut stage = Stage::new(RETENTION);
    for (&index, pause) in order.iter().zip(pauses) {
        stage.take(&inputs[index], index as u64);
        if *pause > 1 {
            stage.settle();
            stage.write();
        }
        if *pause > 2 {
            stage.restart(*pause == 4);
        }
    }
    stage.settle();
    stage.write();
    stage
}

/// Quality N-15: the segments are one chain.
fn assert_chain(segments: &[Cells]) {
    let ms = |text: &str| text.parse::<i64>().expect("a time");
    for (index, segment) in segments.iter().enumerate() {
        assert_eq!(segment["segment_index"], index.to_string());
        let end = &segment["segment_end_ts"];
        assert!(end == "null" || ms(&segment["segment_start_ts"]) <= ms(end), "{segment:?}");
    }
    let ends = [segments.first(), segments.last()];
    let [Some(first), Some(last)] = ends else { return };
    assert_eq!(first["previous_orchestrator_address"], "");
    assert_eq!(last["next_orchestrator_address"], "");
    for pair in segments.windows(2) {
        let [a, b] = pair else { continue };
        assert_eq!(a["next_orchestrator_address"], b["orchestrator_address"]);
        assert_eq!(b["previous_orchestrator_address"], a["orchestrator_address"]);
        assert_ne!(a["orchestrator_address"], b["orchestrator_address"]);
        assert_eq!(a["segment_end_ts"], b["segment_start_ts"]);
    }
}

/// Quality N-16 with clarification 6, on rows alone; what only truthful traces keep if `truthful`.
fn assert_reconciled(session: &Cells, segments: &[Cells], swaps: &[Cells], truthful: bool) {
    let count = |kind: &str| swaps.iter().filter(|s| s["swap_kind"] == kind).count().to_string();
    assert_eq!(count("explicit"), session["confirmed_swap_count"]);
    assert_eq!(session["swap_count"], session["confirmed_swap_count"]);
    assert_eq!(session["segment_count"], segments.len().to_string());
    assert_eq!(session["swap_row_count"], swaps.len().to_string());
    let completed: Vec<&Cells> = swaps.iter().filter(|s| s["outcome"] == "completed").collect();
    for segment in segments.iter().skip(1) {
        let ends_here = |swap: &&&Cells| {
            swap["to_segment_index"] == segment["segment_index"]
                && swap["completed_ts"] == segment["segment_start_ts"]
                && swap["next_event_uid"] == segment["source_event_uid"]
        };
        assert_eq!(completed.iter().filter(ends_here).count(), 1, "{segment:#?} {swaps:#?}");
    }
    let known: BTreeSet<&str> =
        segments.iter().map(|s| &*s["orchestrator_address"]).filter(|a| !a.is_empty()).collect();
    let inferred = known.len().saturating_sub(1).to_string();
    assert_eq!(session["inferred_orchestrator_change_count"], inferred);
    for swap in swaps {
        let ends = (&swap["previous_orchestrator_address"], &swap["next_orchestrator_address"]);
        match &*swap["outcome"] {
            "completed" => assert_ne!(ends.0, ends.1),
            "same_orchestrator_retry" => assert_eq!(ends.0, ends.1),
            _ => assert_eq!(ends.1, ""),
        }
    }
    if truthful {
        for pair in swaps.windows(2).filter(|pair| pair.iter().all(|s| s["outcome"] == "completed"))
        {
            let (before, after) = (&pair[0], &pair[1]);
            let chained = &before["next_orchestrator_address"];
            assert_eq!(*chained, after["previous_orchestrator_address"]);
        }
        if let [Some(swap), Some(segment)] = [swaps.first(), segments.first()] {
            let left = &swap["previous_orchestrator_address"];
            assert_eq!(*left, segment["orchestrator_address"]);
        }
    }
}

/// Clarifications 6 and 33 on rows alone: which segments a swap lies between. Time decides, and a
/// swap trace lies in the segment in which its own row says it does.
fn assert_places(stage: &Stage, session: &Cells, segments: &[Cells]) {
    let ms = |text: &str| text.parse::<i64>().expect("a time");
    let closed = session["closed_ts"].parse::<i64>().unwrap_or(i64::MAX);
    let at = |time: &str| {
        let begun = segments.iter().rfind(|s| ms(&s["segment_start_ts"]) <= ms(time));
        let segment = begun.filter(|_| ms(time) <= closed);
        segment.map_or_else(|| "null".to_owned(), |s| s["segment_index"].clone())
    };
    let edges = stage.table("fact_stream_trace_edges");
    for swap in stage.table("fact_workflow_swaps") {
        if swap["swap_kind"] == "inferred" {
            let before = ms(&swap["to_segment_index"]) - 1;
            assert_eq!(swap["from_segment_index"], before.to_string());
        } else {
            assert_eq!(swap["from_segment_index"], at(&swap["swap_ts"]), "{swap:#?}");
            let own = edges.iter().find(|e| e["source_event_uid"] == swap["swap_event_uid"]);
            let own = &own.expect("the row of a swap trace")["segment_index"];
            assert!(ms(&swap["swap_ts"]) > closed || *own == swap["from_segment_index"]);
        }
        let to = match &*swap["next_evidence"] {
            "signal" => {
                let opened = |s: &&Cells| s["source_event_uid"] == swap["next_event_uid"];
                let opened = segments.iter().find(opened).map(|s| s["segment_index"].clone());
                opened.unwrap_or_else(|| at(&swap["completed_ts"]))
            }
            _ => "null".to_owned(),
        };
        assert_eq!(swap["to_segment_index"], to, "{swap:#?}");
    }
}

fn assert_rows(stage: &Stage, truthful: bool) {
    let sessions = stage.table("fact_workflow_sessions");
    let segments = stage.table("fact_workflow_session_segments");
    let Some(session) = sessions.first() else {
        assert_eq!(segments.len(), 0);
        return;
    };
    assert_chain(&segments);
    assert_places(stage, session, &segments);
    assert_reconciled(session, &segments, &stage.table("fact_workflow_swaps"), truthful);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn rows_reconcile_in_any_order_with_restarts(
        (text, order, pauses) in schedules(any_session()),
    ) {
        let inputs = script(&text);
        let stage = run(&inputs, &order, &pauses);
        assert_rows(&stage, false);
        let places: Vec<usize> = (0..inputs.len()).collect();
        prop_assert_eq!(stage.store.latest(), play(&inputs, &places, RETENTION).store.latest());
    }

    #[test]
    fn truthful_traces_keep_every_validation(
        (text, order, pauses) in schedules(truthful_session()),
    ) {
        let inputs = script(&text);
        let mut stage = run(&inputs, &order, &pauses);
        assert_rows(&stage, true);
        prop_assert_eq!(lineage_defects(&stage.session.story(RETENTION)), []);
    }

    #[test]
    fn a_repeated_delivery_writes_nothing(
        (text, order, pauses) in schedules(any_session()),
        again in any::<Index>(),
    ) {
        let inputs = script(&text);
        let mut stage = run(&inputs, &order, &pauses);
        let index = *again.get(&order);
        stage.take(&inputs[index], index as u64);
        stage.settle();
        prop_assert_eq!(stage.write(), naap_actors::session::emit::Written::default());
    }
}

/// The strategies reach what the laws are about.
#[test]
fn random_sessions_have_every_kind_of_swap() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for strategy in [any_session().boxed(), truthful_session().boxed()] {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..1000 {
            let inputs = script(&strategy.new_tree(&mut runner).expect("a session").current());
            let order: Vec<usize> = (0..inputs.len()).collect();
            let stage = play(&inputs, &order, RETENTION);
            for swap in stage.table("fact_workflow_swaps") {
                for column in ["swap_kind", "outcome", "next_evidence"] {
                    *seen.entry(swap[column].clone()).or_default() += 1;
                }
            }
            let segments = stage.table("fact_workflow_session_segments").len();
            *seen.entry(segments.min(3).to_string()).or_default() += 1;
        }
        seen.remove("0");
        let [unresolved, others]: [Vec<u32>; 2] =
            [seen.remove("unresolved").into_iter().collect(), seen.values().copied().collect()];
        assert_eq!(others.len(), 12, "{seen:?}");
        assert!(others.iter().chain(&unresolved).all(|&count| count > 3), "{seen:?}");
    }
}
