//! The law of convergence (lifecycle 13.12) over all tables of a session: however its inputs come, and
//! whenever rows are written and the session restarts, the latest rows are those of one write at the
//! end.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::signals::signal;
use crate::stage::{Input, Stage, play, script};

/// What may happen after an input.
#[derive(Clone, Copy, Debug, Default)]
struct Then {
    settle: bool,
    write: bool,
    /// `Some(true)` in a new epoch.
    restart: Option<bool>,
}

/// What happens after each input; in half of the plays nothing is restarted, because a restart makes
/// up for rows that were forgotten.
fn thens() -> impl Strategy<Value = Vec<Then>> {
    any::<bool>().prop_flat_map(|restarts| {
        let restart = prop::option::weighted(0.2, any::<bool>());
        let then = (any::<bool>(), prop::bool::weighted(0.7), restart).prop_map(
            move |(settle, write, restart)| Then {
                settle,
                write,
                restart: restart.filter(|_| restarts),
            },
        );
        prop::collection::vec(then, 1..16)
    })
}

/// Signals and advertisements; one uid in six belongs to two contents or more.
fn inputs() -> impl Strategy<Value = String> {
    let uid = (0..40u32).prop_map(|n| format!("e{n:02}"));
    let who = prop::sample::select(vec![
        "A",
        "B",
        "C",
        "A,g=G1+G2",
        "A,m=x",
        "A,u=https://z",
        "B,u=https://a",
        "B,g=",
    ]);
    let when = prop::sample::select(vec!["900", "1999", "4000", "40000000", "86399000"]);
    let advertisement = (who, when).prop_map(|(who, when)| format!("CAP@{when}{{{who}}}"));
    let text = prop_oneof![4 => signal(uid), 1 => advertisement];
    prop::collection::vec(text, 1..16).prop_map(|texts| texts.join(" "))
}

fn run(inputs: &[Input], order: &[usize], then: &[Then], retention: Option<i64>) -> Stage {
    let mut stage = Stage::new(retention);
    for (place, &index) in order.iter().enumerate() {
        stage.take(&inputs[index], index as u64);
        let Then { settle, write, restart } = then[place % then.len()];
        if settle {
            stage.settle();
        }
        if write {
            stage.write();
        }
        if let Some(new_epoch) = restart {
            stage.restart(new_epoch);
        }
    }
    stage.settle();
    stage.write();
    stage
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn rows_written_on_the_way_end_as_those_written_once(
        text in inputs(),
        shuffle in prop::collection::vec(any::<Index>(), 16),
        then in thens(),
        live in any::<bool>(),
    ) {
        let inputs = script(&text);
        let retention = live.then_some(48 * 3_600_000);
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        let straight = play(&inputs, &order, retention);
        for (place, other) in shuffle.iter().enumerate().take(inputs.len()) {
            order.swap(place, other.index(inputs.len()));
        }
        let other = run(&inputs, &order, &then, retention);
        let (straight, other) = (straight.store.latest(), other.store.latest());
        let differ = straight.iter().zip(&other).find(|(a, b)| a != b);
        prop_assert!(straight == other, "order {order:?}: {differ:#?}");
    }
}

/// The strategy reaches what the law is about.
#[test]
fn random_plays_reach_every_kind_of_row() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut note = |what: String| *seen.entry(what).or_insert(0) += 1;
    for _ in 0..500 {
        let inputs = script(&inputs().new_tree(&mut runner).expect("inputs").current());
        let order: Vec<usize> = (0..inputs.len()).collect();
        let stage =
            run(&inputs, &order, &[Then { settle: true, write: true, restart: None }], None);
        for (table, _, row) in stage.store.latest() {
            note(table.to_owned());
            if table == "fact_stream_status_samples" {
                note(row["attribution_reason"].clone());
                note(row["attribution_source"].clone());
            }
        }
        let displaced = stage.session.state().displaced.len();
        (0..displaced).for_each(|_| note("displaced".to_owned()));
    }
    for what in [
        "fact_workflow_sessions",
        "fact_stream_status_samples",
        "fact_stream_trace_edges",
        "fact_workflow_param_updates",
        "fact_lifecycle_edge_coverage",
        "fact_workflow_session_coverage",
        "fact_session_status_hours",
        "fact_stream_ingest_samples",
        "fact_orchestrator_transport_bandwidth",
        "raw_streaming_events_quarantine",
        "matched",
        "after_close",
        "pre_selection",
        "no_selection",
        "ambiguous_selection",
        "unresolved_selection",
        "mapped_window",
        "displaced",
    ] {
        assert!(seen.get(what).is_some_and(|&count| count > 0), "{what}: {seen:?}");
    }
}
