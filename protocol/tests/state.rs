//! What entities remember: uids, texts, signals in order and deliveries in any order.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests panic like tests do

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use naap_protocol::event::TraceType;
use naap_protocol::signal::{AiKind, Signal, SignalKind};
use naap_protocol::state::{
    Coordinates, Deliveries, Delivery, Elements, EventState, Family, SessionState, Sighting, Sym,
    Symbols, Uid, Verdict,
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
        SignalKind::Ai { kind: AiKind::Error, message: "m", params: "".into() },
    ];
    Signal {
        ord_ts: Timestamp(*ts),
        source_ts: None,
        record_ts: Timestamp(*ts),
        uid,
        stream_id: "s",
        request_id: "r",
        gateway: "g",
        address: "0xa",
        url: "u",
        hint: "h",
        kind: kinds[*family].clone(),
    }
}

fn uids(state: &SessionState) -> Vec<String> {
    state.signals.iter().map(|signal| signal.uid.to_string()).collect()
}

proptest! {
    #[test]
    fn signals_stand_in_the_total_order(specs in specs()) {
        let mut state = SessionState::default();
        for spec in &specs {
            let place = state.insert(&signal_of(spec));
            prop_assert_eq!(state.signals[place].uid.to_string(), spec.2.as_str());
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
        let place = want.iter().position(|uid| *uid == gone);
        want.retain(|uid| *uid != gone);
        prop_assert_eq!(state.displace(&gone), place);
        prop_assert_eq!(uids(&state), want);
        prop_assert_eq!(state.displaced.len(), usize::from(place.is_some()));
        prop_assert_eq!(state.displace(&gone), None);
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
        family: [Family::Status, Family::Ingest][(content % 2) as usize],
        replay: place.is_multiple_of(3),
        elements: Elements::default(),
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

/// The order of the deliveries of a uid: content, originals before copies, coordinates.
fn rank(delivery: &Delivery<'static>) -> (Timestamp, u64, bool, Coordinates<'static>) {
    (delivery.event_ts, delivery.content_hash, delivery.replay, delivery.at.clone())
}

/// A naive uid set: distinct deliveries in their order.
#[derive(Default)]
struct Model(Vec<Delivery<'static>>);

impl Model {
    fn observe(&mut self, delivery: &Delivery<'static>) -> Sighting {
        let known = self.0.contains(delivery);
        let verdict = match self.0.first() {
            None => Verdict::New,
            Some(_) if known => Verdict::Redelivery,
            Some(first) if first.content_hash == delivery.content_hash => Verdict::Duplicate,
            Some(_) => Verdict::Conflict,
        };
        if !known {
            self.0.push(delivery.clone());
            self.0.sort_by_key(rank);
        }
        let place = self.0.iter().position(|known| known == delivery).unwrap();
        Sighting { verdict, place }
    }
}

fn known(set: &Deliveries, uid: &str) -> Vec<Delivery<'static>> {
    set.of(uid).map(Delivery::into_owned).collect()
}

proptest! {
    #[test]
    fn any_order_of_deliveries_ends_in_one_set((one, other) in deliveries(3)) {
        let mut model = Model::default();
        let (mut first, mut second) = (Deliveries::default(), Deliveries::default());
        let mut state: Option<EventState> = None;
        for (a, b) in one.iter().zip(&other) {
            let want = model.observe(a);
            prop_assert_eq!(first.observe("u", a), want);
            second.observe("u", b);
            match &mut state {
                Some(state) => prop_assert_eq!(state.observe(a), want),
                None => state = Some(EventState::new(a.clone())),
            }
        }
        prop_assert_eq!(&known(&first, "u"), &model.0);
        prop_assert_eq!(&known(&second, "u"), &model.0);
        let single: Vec<_> = state.unwrap().known().cloned().collect();
        prop_assert_eq!(&single, &model.0);
        prop_assert_eq!(first.len(), model.0.len());
    }

    #[test]
    fn the_uid_set_is_a_map_of_deliveries(
        steps in vec(("[a-c]", 0..2_u64, 0..6_u64, prop::bool::weighted(0.2)), 0..40),
    ) {
        let mut set = Deliveries::default();
        let mut models: BTreeMap<String, Model> = BTreeMap::new();
        for (uid, content, place, forget) in steps {
            let delivery = delivery(content, place * 2 + content);
            let model = models.entry(uid.clone()).or_default();
            if forget {
                let counted = model.0.first() == Some(&delivery);
                model.0.retain(|known| *known != delivery);
                prop_assert_eq!(set.forget(&uid, &delivery.at), counted);
            } else {
                prop_assert_eq!(set.observe(&uid, &delivery), model.observe(&delivery));
            }
            prop_assert_eq!(&known(&set, &uid), &models[&uid].0);
            let total: usize = models.values().map(|model| model.0.len()).sum();
            prop_assert_eq!((set.len(), set.is_empty()), (total, total == 0));
        }
    }

    #[test]
    fn elements_are_the_keys_that_were_counted(rows in vec((0..4_usize, 0..4_u32), 0..30)) {
        let mut elements = Elements::default();
        let mut want: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
        for (set, entry) in rows {
            elements.add(set, entry);
            let keys = want.entry(set).or_default();
            let element = keys.iter().filter(|key| *key >> 16 == entry).count();
            keys.insert(Elements::key(entry, element as u32));
        }
        for set in 0..5 {
            let keys: BTreeSet<u32> = elements.keys(set).collect();
            prop_assert_eq!(&keys, &want.remove(&set).unwrap_or_default());
            let all = (0..5).flat_map(|entry| (0..31).map(move |place| Elements::key(entry, place)));
            prop_assert!(all.into_iter().all(|key| elements.contains(set, key) == keys.contains(&key)));
        }
    }
}

#[test]
fn one_id_on_everything_does_not_fill_the_memory() {
    let mut set = Deliveries::default();
    let at =
        |place: u64| Delivery { event_ts: Timestamp(0), replay: false, ..delivery(0, place * 4) };
    let mut sightings = (10..2000).map(|place| set.observe("u", &at(place)));
    assert_eq!(sightings.next(), Some(Sighting::NEW));
    assert!(sightings.all(|sighting| sighting.verdict == Verdict::Duplicate && sighting.place > 0));
    assert_eq!(set.len(), 1001);
    let again = set.observe("u", &at(1999));
    assert_eq!(again.verdict, Verdict::Duplicate, "what is not kept is met again");
    assert!(set.observe("u", &at(3)).counts(), "the smallest always counts");
    assert_eq!((set.len(), set.of("u").next()), (1001, Some(at(3))));
}
