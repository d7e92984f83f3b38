//! What entities remember: uids, texts, signals in order and deliveries in any order.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests panic like tests do

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use naap_protocol::event::TraceType;
use naap_protocol::signal::{AiKind, Signal, SignalKind};
use naap_protocol::state::{
    Coordinates, Deliveries, Delivery, SessionState, Sym, Symbols, Uid, Verdict,
};
use naap_protocol::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Uids of all kinds, and texts that are almost UUIDs.
fn uid() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-g]{12}",
        "[0-9a-f-]{36}",
        "[0-9a-f]{64}",
        "[0-9a-f]{0,9}(-[0-9a-f]{4})?",
        "\\PC{0,40}",
    ]
}

proptest! {
    #[test]
    fn a_packed_uid_is_the_text(text in uid()) {
        prop_assert_eq!(Uid::new(&text).to_string(), text);
    }

    #[test]
    fn packed_uids_are_ordered_like_their_texts(a in uid(), b in uid()) {
        prop_assert_eq!(Uid::new(&a).cmp(&Uid::new(&b)), a.cmp(&b));
        prop_assert_eq!(Uid::new(&a) == Uid::new(&b), a == b);
    }

    #[test]
    fn symbols_give_texts_back(texts in vec("[a-c]{0,2}", 0..30)) {
        let mut symbols = Symbols::default();
        let given: Vec<Sym> = texts.iter().map(|text| symbols.intern(text)).collect();
        for (sym, text) in given.iter().zip(&texts) {
            prop_assert_eq!(symbols.text(*sym), text);
            prop_assert_eq!(sym.is_empty(), text.is_empty());
        }
        // Equal numbers are equal texts, so a signal can be compared without its texts.
        for (a, x) in given.iter().zip(&texts) {
            for (b, y) in given.iter().zip(&texts) {
                prop_assert_eq!(a == b, x == y);
            }
        }
    }
}

#[test]
fn only_lower_case_hyphenated_uuids_are_packed() {
    let table = [
        ("019b9f15-0000-7000-8000-00000000abcd", true),
        ("00000000-0000-0000-0000-000000000000", true),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", true),
        ("019B9f15-0000-7000-8000-00000000abcd", false),
        ("019b9f150-000-7000-8000-00000000abcd", false),
        ("019b9f15-0000-7000-8000-00000000abc", false),
        ("019b9f15-0000-7000-8000-00000000abcde", false),
        ("019b9f15-0000-7000-8000-00000000abc-", false),
        ("", false),
    ];
    for (text, packed) in table {
        assert_eq!(matches!(Uid::new(text), Uid::Uuid(_)), packed, "{text}");
    }
}

#[test]
fn a_number_of_another_table_has_no_text() {
    let sym = Symbols::default().intern("x");
    assert_eq!(Symbols::default().text(sym), "");
    assert_eq!(Symbols::default().text(Sym::default()), "");
}

/// Time, kind and uid of a signal.
type Spec = (i64, usize, String);

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let uid = prop_oneof!["[a-d]", "0000000[0-2](-0000){3}-000000000000"];
    vec((0..4_i64, 0..3_usize, uid), 0..12).prop_map(|specs| {
        // One signal per uid: the caller of `insert` sorts out the others.
        let mut seen = BTreeSet::new();
        specs.into_iter().filter(|(.., uid)| seen.insert(uid.clone())).collect()
    })
}

fn signal_of((ts, family, uid): &Spec) -> Signal<'_> {
    let kinds = [
        SignalKind::Trace { kind: TraceType::OrchestratorSwap, message: "m" },
        SignalKind::Status {
            state: "ONLINE",
            output_fps: 1.0,
            input_fps: 2.0,
            has_error: false,
            start_time: None,
        },
        SignalKind::Ai { kind: AiKind::Error, message: "m" },
    ];
    Signal {
        ord_ts: Timestamp(*ts),
        runner_ts: None,
        uid,
        stream_id: "s",
        request_id: "r",
        gateway: "g",
        address: "0xa",
        url: "u",
        hint: "h",
        kind: kinds[*family],
    }
}

fn uids(state: &SessionState) -> Vec<String> {
    state.signals.iter().map(|signal| signal.uid.to_string()).collect()
}

proptest! {
    #[test]
    fn signals_stand_in_the_total_order(specs in specs()) {
        let mut state = SessionState::default();
        let mut last = None;
        for spec in &specs {
            let key = (spec.0, spec.1, spec.2.clone());
            let at_end = state.insert(&signal_of(spec));
            prop_assert_eq!(at_end, last.as_ref().is_none_or(|last| *last < key));
            last = last.max(Some(key));
        }
        let mut sorted = specs.clone();
        sorted.sort();
        let want: Vec<String> = sorted.into_iter().map(|(.., uid)| uid).collect();
        prop_assert_eq!(uids(&state), want);
        for pair in state.signals.windows(2) {
            prop_assert_eq!(pair[0].total_order(&pair[1]), Ordering::Less);
        }
    }

    #[test]
    fn a_removed_signal_leaves_the_others(specs in specs(), gone in "[a-e]") {
        let mut state = SessionState::default();
        for spec in &specs {
            state.insert(&signal_of(spec));
        }
        let mut want = uids(&state);
        let known = want.contains(&gone);
        want.retain(|uid| *uid != gone);
        prop_assert_eq!(state.remove(&gone), known);
        prop_assert_eq!(uids(&state), want);
        prop_assert!(!state.remove(&gone));
    }
}

/// A delivery of one uid. Equal coordinates hold the same record, so the content follows from them.
fn delivery(content: u64, place: u64) -> Delivery<'static> {
    Delivery {
        at: Coordinates {
            topic: Cow::Borrowed(["a", "b"][(place % 2) as usize]),
            partition: (place / 2 % 2) as u32,
            offset: place / 4,
        },
        record_ts: Timestamp(1000 + place as i64),
        event_ts: Timestamp(10 - content as i64),
        content_hash: content,
    }
}

/// Distinct records of one uid with up to `contents` contents, each delivered once or more, in any
/// order.
fn deliveries(
    contents: u64,
) -> impl Strategy<Value = (Vec<Delivery<'static>>, Vec<Delivery<'static>>)> {
    vec(0..contents, 1..8).prop_flat_map(|contents| {
        let records: Vec<_> = contents
            .into_iter()
            .zip(0..)
            .map(|(content, place)| delivery(content, place))
            .collect();
        let again = vec(select(records.clone()), 0..6);
        again.prop_flat_map(move |again| {
            let all = [records.clone(), again].concat();
            (Just(all.clone()).prop_shuffle(), Just(all).prop_shuffle())
        })
    })
}

/// What is kept, and the deliveries that were sent to quarantine.
fn run(all: &[Delivery<'static>]) -> (Delivery<'static>, BTreeSet<Coordinates<'static>>) {
    let mut quarantined = BTreeSet::new();
    let mut kept = all[0].clone();
    for other in &all[1..] {
        let (next, verdict) = kept.meet(other.clone());
        kept = next;
        match verdict {
            Verdict::Duplicate(loser)
            | Verdict::ConflictWon { loser }
            | Verdict::ConflictLost { loser } => {
                assert_ne!(loser.at, kept.at, "what counts is never in quarantine");
                quarantined.insert(loser.at);
            }
            Verdict::Redelivery => {}
            Verdict::New => panic!("a further delivery is not new"),
        }
    }
    (kept, quarantined)
}

/// Rank among contents: the smallest is folded.
fn content(delivery: &Delivery<'_>) -> (Timestamp, u64) {
    (delivery.event_ts, delivery.content_hash)
}

proptest! {
    #[test]
    fn one_content_in_any_order((one, other) in deliveries(1)) {
        prop_assert_eq!(run(&one), run(&other));
        let (kept, quarantined) = run(&one);
        let mut places: BTreeSet<_> = one.iter().map(|d| d.at.clone()).collect();
        prop_assert_eq!(places.pop_first(), Some(kept.at));
        prop_assert_eq!(places, quarantined);
    }

    #[test]
    fn two_contents_in_any_order((one, other) in deliveries(2)) {
        let (kept, _) = run(&one);
        prop_assert_eq!(&kept, &run(&other).0);
        let best = one.iter().min_by_key(|d| (content(d), d.at.clone())).unwrap();
        prop_assert_eq!(&kept, best);
        // Everything but the smallest of the folded content leaves, in any order.
        let (_, quarantined) = run(&one);
        prop_assert_eq!(&quarantined, &run(&other).1);
        let others: BTreeSet<_> = one.iter().map(|d| d.at.clone()).filter(|at| *at != kept.at).collect();
        prop_assert_eq!(quarantined, others);
    }

    #[test]
    fn the_uid_set_is_a_map_of_deliveries(
        observed in vec(("[a-c]", 0..2_u64, 0..6_u64), 0..30),
    ) {
        let mut set = Deliveries::default();
        let mut model: BTreeMap<String, Delivery<'static>> = BTreeMap::new();
        for (uid, content, place) in observed {
            let delivery = delivery(content, place * 2 + content);
            let want = match model.remove(&uid) {
                None => {
                    model.insert(uid.clone(), delivery.clone());
                    Verdict::New
                }
                Some(kept) => {
                    let (kept, verdict) = kept.meet(delivery.clone());
                    model.insert(uid.clone(), kept);
                    verdict
                }
            };
            prop_assert_eq!(set.observe(&uid, delivery), want);
            prop_assert_eq!(set.len(), model.len());
        }
        prop_assert_eq!(set.is_empty(), model.is_empty());
    }
}
