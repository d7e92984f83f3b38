//! Sessions of few times, names and nodes, so that everything meets: whatever the order, the
//! repetitions, the displaced contents, the restarts and the moments of writing, the latest rows of
//! every table are the same (lifecycle 13.12).

use proptest::prelude::*;
use proptest::sample::Index;

use crate::convergence::difference;
use crate::signals::{RETENTION, signal};
use crate::stage::{Input, Stage, play, script};

/// An advertisement. Its times are so near that no horizon cuts off what a selection can see.
fn capability() -> impl Strategy<Value = String> {
    let select = |texts: &'static [&'static str]| prop::sample::select(texts);
    let time = select(&["900", "1000", "1500", "2001", "2500", "31000", "605000", "86400500"]);
    let wallet = select(&["0xa", "0xb", "0xc"]);
    let url = select(&["https://a", "https://b"]);
    (time, wallet.clone(), wallet, url, select(&["x", "X", "y", ""]), select(&["", "G", "G+H"]))
        .prop_map(|(at, c, h, u, m, g)| format!("CAP@{at}{{c={c},h={h},u={u},m={m},g={g}}}"))
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let uid = (0..14u32).prop_map(|n| format!("u{n}"));
    // An event that is no signal and takes the uid of the only one is out of scope (session/mod.rs).
    let signal = signal(uid).prop_filter("a signal", |word| !word.starts_with("ING"));
    let word = prop_oneof![5 => signal, 2 => capability()];
    prop::collection::vec(word, 1..16).prop_map(|words| script(&words.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        max_shrink_iters: 20000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_way_to_hear_of_a_dense_session_ends_alike(
        (inputs, order) in inputs().prop_flat_map(|inputs| {
            let order = Just((0..inputs.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(inputs), order)
        }),
        between in prop::collection::vec((0..6u8, any::<Index>(), any::<Index>()), 0..14),
    ) {
        let plain: Vec<usize> = (0..inputs.len()).collect();
        let want = play(&inputs, &plain, RETENTION).store;
        let mut steps: Vec<(u8, usize)> = order.into_iter().map(|place| (9, place)).collect();
        for (kind, at, which) in &between {
            let place = at.index(steps.len() + 1);
            steps.insert(place, (*kind, which.index(inputs.len())));
        }
        let mut stage = Stage::new(RETENTION);
        for (kind, place) in &steps {
            match kind {
                0 => stage.settle(),
                1 => { stage.settle(); stage.write(); }
                2 => { stage.write(); }
                3 => stage.restart(false),
                4 => stage.restart(true),
                5 => { stage.take(&inputs[*place], (inputs.len() + *place) as u64); }
                _ => { stage.take(&inputs[*place], *place as u64); }
            }
        }
        stage.settle();
        stage.write();
        // A delivery at other coordinates is an extra one, and quarantined by the shard, which this
        // stage does not have; a session that heard it first may have done so before.
        stage.store.leave_out(|table, key| {
            table == "raw_streaming_events_quarantine"
                && key[3].parse::<usize>().is_ok_and(|offset| offset >= inputs.len())
        });
        let difference = difference(&want, &stage.store);
        let words: Vec<String> = inputs.iter().map(Input::words).collect();
        prop_assert!(difference.is_none(), "{words:#?}\n{steps:?}\n{}", difference.unwrap_or_default());
    }
}
