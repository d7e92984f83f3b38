//! Laws of a session: its row is a function of the set of its events.

use std::collections::{BTreeMap, BTreeSet};

use naap_actors::session::SessionActor;
use naap_protocol::event::Event;
use naap_protocol::state::{Delivery, Sighting, merge_frames};
use proptest::prelude::*;

use crate::cells::Cells;
use crate::signals::{RETENTION, parse, row, signal};

/// One delivery: the event (its offset set) and the partition.
type Delivered = (u32, Event<'static>);

/// Everything that a session leaves behind.
#[derive(Debug, PartialEq)]
struct Outcome {
    row: Option<Cells>,
    /// Reasons in quarantine, by coordinates.
    quarantine: BTreeMap<(u32, u64), &'static str>,
    /// The delivery whose typed rows stay, by uid.
    typed: BTreeMap<String, (u32, u64)>,
}

/// Feeds the deliveries and goes through a snapshot before each number in `restarts`.
fn run(deliveries: &[Delivered], restarts: &BTreeSet<usize>) -> Outcome {
    let mut session = SessionActor::new("org", "s|r".to_owned(), "s", "r");
    let mut quarantine = BTreeMap::new();
    let mut typed = BTreeMap::new();
    for (number, (partition, event)) in deliveries.iter().enumerate() {
        if restarts.contains(&number) {
            let frame = session.snapshot(1, false).expect("a snapshot");
            session = SessionActor::restore(&frame).expect("what was just written");
        }
        let own = Delivery::of(event, "t", *partition);
        let sighting = session.receive(event, &own, RETENTION).sighting;
        let known: Vec<Delivery<'_>> = session.state().deliveries.of(&event.uid).collect();
        assert_eq!(known[sighting.place], own);
        // What a delivery owes.
        let (counts, others) = known.split_first().expect("at least this one");
        let place = |delivery: &Delivery<'_>| (delivery.at.partition, delivery.at.offset);
        let mut put = |delivery: &Delivery<'_>| {
            let conflict = delivery.content() != counts.content();
            quarantine.insert(place(delivery), if conflict { "conflict" } else { "duplicate" });
        };
        if sighting.counts() {
            typed.insert(event.uid.to_string(), place(&own));
            others.iter().for_each(put);
        } else {
            put(&own);
        }
    }
    Outcome { row: row(&mut session), quarantine, typed }
}

/// What the set of deliveries adds up to, without a session: of a uid the smallest (content,
/// coordinates) counts, the others leave.
fn model(deliveries: &[Delivered]) -> Outcome {
    let mut uids: BTreeMap<String, BTreeMap<_, &Event<'static>>> = BTreeMap::new();
    for (partition, event) in deliveries {
        let rank = (event.event_ts, event.content_hash, *partition, event.offset);
        uids.entry(event.uid.to_string()).or_default().insert(rank, event);
    }
    let mut session = SessionActor::new("org", "s|r".to_owned(), "s", "r");
    let (mut quarantine, mut typed) = (BTreeMap::new(), BTreeMap::new());
    for (uid, ranks) in uids {
        let mut ranks = ranks.into_iter();
        let ((ts, hash, partition, offset), event) = ranks.next().expect("a delivery");
        session.receive(event, &Delivery::of(event, "t", partition), RETENTION);
        typed.insert(uid, (partition, offset));
        quarantine.extend(ranks.map(|((t, h, partition, offset), _)| {
            let conflict = (t, h) != (ts, hash);
            ((partition, offset), if conflict { "conflict" } else { "duplicate" })
        }));
    }
    Outcome { row: row(&mut session), quarantine, typed }
}

/// Places events in three partitions, some of them several times.
fn deliver(signals: &[String], again: &[prop::sample::Index]) -> Vec<Delivered> {
    let events: Vec<_> = signals.iter().flat_map(|text| parse(text)).collect();
    let copies = again.iter().map(|index| index.get(&events));
    let placed = events.iter().chain(copies).zip(0u64..).map(|(event, number)| {
        ((number % 3) as u32, Event { offset: number / 3, ..event.clone() })
    });
    placed.collect()
}

/// Deliveries of one to twelve signals; one uid in six belongs to two contents or more.
fn deliveries() -> impl Strategy<Value = Vec<Delivered>> {
    let uid = (0..40u32).prop_map(|n| format!("e{n}"));
    let signals = prop::collection::vec(signal(uid), 1..12);
    let again = prop::collection::vec(any::<prop::sample::Index>(), 0..5);
    (signals, again).prop_map(|(signals, again)| deliver(&signals, &again))
}

/// The same deliveries in another order, some of them repeated at the same coordinates.
fn reordered(
    deliveries: Vec<Delivered>,
) -> impl Strategy<Value = (Vec<Delivered>, Vec<Delivered>)> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..6).prop_flat_map(move |repeats| {
        let mut other = deliveries.clone();
        other.extend(repeats.iter().map(|index| index.get(&deliveries).clone()));
        (Just(deliveries.clone()), Just(other).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn order_repetition_and_restarts_change_nothing(
        (first, second) in deliveries().prop_flat_map(reordered),
        restarts in prop::collection::btree_set(0..20usize, 0..4),
    ) {
        let want = model(&first);
        prop_assert_eq!(&run(&first, &BTreeSet::new()), &want);
        prop_assert_eq!(&run(&second, &restarts), &want);
    }

    #[test]
    fn snapshots_of_any_parts_merge_to_the_whole(
        deliveries in deliveries(),
        split in prop::collection::vec(0..3u8, 20),
    ) {
        // 0 and 1 go to one of two owners, 2 to both.
        let part = |mine: u8| {
            let mut session = SessionActor::new("org", "s|r".to_owned(), "s", "r");
            let taken = deliveries.iter().zip(&split).filter(|(_, to)| **to == mine || **to == 2);
            for ((partition, event), _) in taken {
                session.receive(event, &Delivery::of(event, "t", *partition), RETENTION);
            }
            session.snapshot(u64::from(mine), false).expect("a snapshot")
        };
        let (first, second) = (part(0), part(1));
        let merged = merge_frames(&second, &first).expect("what was just written");
        let mut merged = SessionActor::restore(&merged).expect("what was just merged");
        let want = run(&deliveries[..deliveries.len().min(20)], &BTreeSet::new());
        prop_assert_eq!(row(&mut merged), want.row);
        // A later one that repeats it all brings nothing.
        let whole = merged.snapshot(3, false).expect("a snapshot");
        prop_assert_eq!(&merge_frames(&whole, &first).expect("a merge"), &whole);
    }

    #[test]
    fn a_forgotten_delivery_was_never_there(
        deliveries in deliveries(),
        gone in any::<prop::sample::Index>(),
    ) {
        let (partition, event) = gone.get(&deliveries);
        let own = Delivery::of(event, "t", *partition);
        let mut session = SessionActor::new("org", "s|r".to_owned(), "s", "r");
        let mut others = deliveries.clone();
        // A fold panics where it is first done, so before other contents of the uid come.
        others.retain(|(_, other)| other.uid != event.uid);
        for (partition, event) in &others {
            session.receive(event, &Delivery::of(event, "t", *partition), RETENTION);
        }
        session.receive(event, &own, RETENTION);
        session.forget(event, &own);
        prop_assert_eq!(session.state().deliveries.of(&event.uid).next(), None);
        prop_assert_eq!(row(&mut session), run(&others, &BTreeSet::new()).row);
        // It is tried again.
        prop_assert_eq!(session.receive(event, &own, RETENTION).sighting, Sighting::NEW);
        others.push((*partition, event.clone()));
        prop_assert_eq!(row(&mut session), run(&others, &BTreeSet::new()).row);
    }
}

#[test]
fn every_delivery_has_a_weight() {
    let mut session = SessionActor::new("org", "s|r".to_owned(), "s", "r");
    let mut weights = vec![session.weight()];
    for (partition, event) in deliver(&["ING@1{uid=a} ING@1{uid=a} ING@2{uid=a}".to_owned()], &[]) {
        session.receive(&event, &Delivery::of(&event, "t", partition), RETENTION);
        weights.push(session.weight());
    }
    assert!(weights.is_sorted_by(|a, b| a < b), "{weights:?}");
}

/// The strategies reach what the laws are about.
#[test]
fn random_sessions_hold_conflicts_duplicates_and_silences() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeMap::new();
    for _ in 0..300 {
        let deliveries = deliveries().new_tree(&mut runner).expect("deliveries").current();
        let events = deliveries.len() as u64;
        let outcome = run(&deliveries, &BTreeSet::new());
        for why in outcome.quarantine.values() {
            *seen.entry(*why).or_insert(0) += 1;
        }
        let folded = outcome.row.map_or(0, |row| row["event_count"].parse().unwrap_or(0));
        let kept = events - outcome.quarantine.len() as u64;
        *seen.entry("not folded").or_insert(0) += u32::from(folded < kept);
    }
    assert!(seen.len() == 3 && seen.values().all(|&count| count > 20), "{seen:?}");
}
