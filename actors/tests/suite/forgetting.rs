//! Laws of forgetting: what has expired keeps its rows, whatever comes late and whenever the node
//! dies, and nothing expires before it is past.

use naap_actors::ports::{StateLog, StateRecord};
use naap_actors::session::tally::Cause;
use naap_actors::shard::ShardOptions;
use naap_protocol::capability::decide::DirectWindow;
use naap_protocol::capability::evidence::{Evidence, Role, Subject};
use naap_protocol::capability::index::Index;
use naap_protocol::codec;
use naap_protocol::event::{Body, Event, Payment};
use naap_protocol::identity::{EntityId, EntityKey};
use naap_protocol::state::{EventState, Expired, SessionState};
use naap_protocol::time::Timestamp;
use proptest::prelude::*;

use crate::cells::{Cells, Store};
use crate::memory::MemoryLog;
use crate::shard_laws::{
    Machine, OPTIONS, Op, PARTITIONS, QUARANTINE, Step, World, deliveries, into_session, once, op,
};
use crate::signals::{BASE, event, parse};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

type Deliveries = Vec<(usize, Event<'static>)>;

fn at(hours: i64) -> Timestamp {
    Timestamp(BASE + hours * HOUR)
}

/// Long after all that the tests deliver.
fn now() -> Timestamp {
    Timestamp(BASE + 400 * DAY)
}

/// A payment in each partition: event time comes to `hours`.
fn tide(hours: i64) -> Deliveries {
    let payment = |partition: usize| {
        let body = Body::Payment(Payment::default());
        (partition, event(&format!("tide{hours}-{partition}"), at(hours), "gw", body))
    };
    (0..PARTITIONS).map(payment).collect()
}

/// What the log keeps: sessions, marks, events without a session.
fn kept(log: &MemoryLog) -> (usize, usize, usize) {
    let mut kept = (0, 0, 0);
    log.entities(0, &mut |_, frame| {
        kept.0 += usize::from(codec::is::<SessionState>(frame));
        kept.1 += usize::from(codec::is::<Expired>(frame));
        kept.2 += usize::from(codec::is::<EventState>(frame));
    })
    .unwrap();
    kept
}

/// Delivers everything, event by event, and lets the shard forget.
fn settle(machine: &mut Machine<'_>, world: &World) {
    for partition in 0..PARTITIONS {
        while machine.next(partition) < world.end(partition) {
            machine.deliver(partition, 2, 0);
        }
    }
    rest(machine);
}

/// Lets time pass without input: everything sleeps, and what is past is forgotten.
fn rest(machine: &mut Machine<'_>) {
    for _ in 0..6 {
        for _ in 0..3 {
            machine.step(&Op::Tick);
        }
        machine.cycle(Step::Claim);
    }
}

type Rows = Vec<(&'static str, Vec<String>, Cells)>;

/// Facts of sessions.
fn facts(store: &Store) -> Rows {
    let is_fact = |table: &str| table.starts_with("fact_") && table != "fact_payment_events";
    store.latest().into_iter().filter(|(table, ..)| is_fact(table)).collect()
}

/// Typed rows, but for those of the tide.
fn typed(store: &Store) -> Rows {
    let is_typed = |table: &str| {
        (table.starts_with("raw_") && table != QUARANTINE) || table == "fact_payment_events"
    };
    let of_tide = |key: &[String]| key.iter().any(|cell| cell.starts_with("tide"));
    let rows = store.latest().into_iter();
    rows.filter(|(table, key, _)| is_typed(table) && !of_tide(key)).collect()
}

/// The shard after all of `deliveries`, which forgets nothing.
fn calm(deliveries: &Deliveries) -> Store {
    let world = World::of(deliveries);
    let options = ShardOptions { forgets: false, ..OPTIONS };
    let mut machine = Machine::live(&world, options, Timestamp(BASE));
    for partition in 0..PARTITIONS {
        machine.deliver(partition, u64::MAX / 2, 0);
    }
    while machine.cycle(Step::Claim) > 0 {}
    machine.store
}

/// Other uids in the same sessions.
fn renamed(deliveries: Deliveries) -> Deliveries {
    let rename = |(partition, mut event): (usize, Event<'static>)| {
        let uid = format!("late-{}", event.uid);
        event.raw = event.raw.replacen(&*event.uid, &uid, 1).into();
        event.data_at.0 += (uid.len() - event.uid.len()) as u32;
        event.uid = uid.into();
        (partition, event)
    };
    deliveries.into_iter().map(rename).collect()
}

/// What the partitions hold up to a moment, and what they hold in the end.
fn joined(parts: &[&Deliveries]) -> Deliveries {
    parts.iter().flat_map(|part| part.iter().cloned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Up to the expiry order, crashes and sleep make no difference; after it nothing does.
    #[test]
    fn what_has_expired_keeps_its_rows(
        first in deliveries(1000, 0),
        late in deliveries(1000, 0),
        copies in prop::collection::vec((0..PARTITIONS, any::<prop::sample::Index>()), 0..8),
        before in prop::collection::vec(op(), 0..20),
        around in prop::collection::vec(op(), 0..30),
        after in prop::collection::vec(op(), 0..20),
    ) {
        let first = once(first);
        let mut late = once(renamed(late));
        // A session that was never known is no forgotten one.
        late.retain(|(_, event)| first.iter().any(|(_, known)| owner(known) == owner(event)));
        late.extend(copies.iter().map(|(partition, of)| (*partition, of.get(&first).1.clone())));
        let tides = joined(&[&tide(400), &tide(401)]);

        let world = World::of(&first);
        let mut machine = Machine::live(&world, OPTIONS, now());
        for op in &before {
            machine.step(op);
        }
        let past = World::of(&joined(&[&first, &tides]));
        let mut machine = machine.onward(&past);
        for op in &around {
            machine.step(op);
        }
        // What was awake in a round, as an answer had come, is looked at again in the next.
        let more = joined(&[&tides, &tide(403)]);
        let world = World::of(&joined(&[&first, &more]));
        let mut machine = machine.onward(&world);
        settle(&mut machine, &world);
        let tides = joined(&[&more, &tide(405)]);
        let past = World::of(&joined(&[&first, &tides]));
        let mut machine = machine.onward(&past);
        settle(&mut machine, &past);
        let (sessions, marks, events) = kept(&machine.log);
        prop_assert_eq!((sessions, events), (0, 4 * PARTITIONS), "the tide is kept");
        let whole = calm(&first);
        prop_assert_eq!(facts(&machine.store), facts(&whole));

        let all = World::of(&joined(&[&first, &tides, &late]));
        let mut machine = machine.onward(&all);
        for op in &after {
            machine.step(op);
        }
        settle(&mut machine, &all);
        prop_assert_eq!(facts(&machine.store), facts(&whole));
        prop_assert_eq!(typed(&machine.store), typed(&calm(&joined(&[&first, &late]))));
        prop_assert_eq!(kept(&machine.log).1, marks);
    }
}

fn owner(event: &Event<'_>) -> EntityId {
    EntityKey::owner("org", event).id()
}

fn signal_at(text: &str, session: u8) -> Event<'static> {
    into_session(parse(text).remove(0), session)
}

/// One session with a request, a playable edge and a close; event time comes far behind it.
fn one_session() -> (Deliveries, EntityId) {
    let texts = ["REQ@1000{uid=a}", "PLAY@2000{uid=b}", "CLOSE@3000{uid=c}"];
    let events: Deliveries = texts.iter().map(|text| (0, signal_at(text, 1))).collect();
    let id = owner(&events[0].1);
    (events, id)
}

fn state(machine: &Machine<'_>, id: EntityId) -> Option<Vec<u8>> {
    machine.log.entity(0, id).unwrap()
}

fn is_mark(machine: &Machine<'_>, id: EntityId) -> bool {
    state(machine, id).is_some_and(|frame| codec::is::<Expired>(&frame))
}

#[test]
fn a_session_is_kept_until_every_partition_is_past_it() {
    let (first, id) = one_session();
    let tides = joined(&[&tide(72), &tide(73)]);
    let world = World::of(&joined(&[&first, &tides]));
    let mut machine = Machine::live(&world, OPTIONS, now());
    machine.deliver(0, 6, 0);
    for partition in [0, 1] {
        (0..2).for_each(|_| machine.deliver(partition, 2, 0));
    }
    rest(&mut machine);
    assert!(!is_mark(&machine, id), "partition 2 is attached and has given nothing");
    machine.deliver(2, 2, 0);
    rest(&mut machine);
    assert!(!is_mark(&machine, id), "72 h are not more than 72 h after its end");
    machine.deliver(2, 2, 0);
    rest(&mut machine);
    assert!(is_mark(&machine, id));
    assert_eq!(state(&machine, id).map(|frame| frame.len()), Some(43));
}

#[test]
fn one_event_of_a_wild_clock_ends_nothing() {
    let (first, id) = one_session();
    // Among others of its envelope, and ahead of the node's clock.
    let mut wild = tide(0);
    wild.extend(tide(3_000));
    let world = World::of(&joined(&[&first, &wild]));
    let mut machine = Machine::live(&world, OPTIONS, at(10));
    (0..PARTITIONS).for_each(|partition| machine.deliver(partition, 100, 0));
    rest(&mut machine);
    assert!(!is_mark(&machine, id));
    assert_eq!(machine.log.shard(0).progress.watermark, Some(at(0)));
    let more = World::of(&joined(&[&first, &wild, &tide(4_000)]));
    let mut machine = machine.onward(&more);
    settle(&mut machine, &more);
    assert_eq!(machine.log.shard(0).progress.watermark, Some(at(10)), "not ahead of the node");
    assert!(!is_mark(&machine, id));
}

#[test]
fn the_watermark_outlives_the_owner_and_never_goes_back() {
    let world = World::of(&joined(&[&tide(50), &tide(20)]));
    let mut machine = Machine::live(&world, OPTIONS, now());
    (0..PARTITIONS).for_each(|partition| machine.deliver(partition, 2, 0));
    machine.cycle(Step::Claim);
    assert_eq!(machine.log.shard(0).progress.watermark, Some(at(50)));
    machine.step(&Op::Crash(Step::Snapshots));
    assert_eq!(machine.core.progress().watermark, Some(at(50)));
    (0..PARTITIONS).for_each(|partition| machine.deliver(partition, 2, 0));
    machine.cycle(Step::Claim);
    assert_eq!(machine.log.shard(0).progress.watermark, Some(at(50)));
}

#[test]
fn a_signal_is_late_as_soon_as_the_mark_is_on_its_way() {
    let (first, id) = one_session();
    let past = joined(&[&first, &tide(100), &tide(101)]);
    let late = vec![(0, signal_at("ST@2500{uid=d}", 1))];
    let world = World::of(&joined(&[&past, &late]));
    let past = World::of(&past);
    let mut machine = Machine::live(&past, OPTIONS, now());
    for partition in 0..PARTITIONS {
        while machine.next(partition) < past.end(partition) {
            machine.deliver(partition, 2, 0);
        }
    }
    machine.cycle(Step::Claim);
    (0..3).for_each(|_| machine.step(&Op::Tick));
    let before = facts(&machine.store);
    let mut machine = machine.onward(&world);
    let saved = machine.core.commit(false).unwrap();
    let marked = |record: &StateRecord| matches!(record, StateRecord::Expired { entity, .. } if *entity == id);
    assert!(saved.records.iter().any(marked), "{:?}", saved.records);
    assert!(!is_mark(&machine, id), "nothing is written yet");
    machine.deliver(0, 2, 0);
    let subject = Subject { url: "https://a".to_owned(), ..subject() };
    let decision = subject.decide(&Index::default(), DirectWindow::default());
    let (session, role) = (id.0, Role::Url);
    let evidence = Evidence { session, role, subject, decision, complete: true };
    machine.core.learn(evidence, Cause::LateCapability).unwrap();
    assert_eq!(machine.core.sessions_awake(), 0);
    machine.log.append(saved.records).unwrap();
    assert!(is_mark(&machine, id));
    assert_eq!(machine.core.take_counts().late_expired, 1);
    let store = machine.finish();
    assert_eq!(facts(&store), before);
    assert_eq!(store.table("raw_ai_stream_status").len(), 1, "its typed row is there");
}

fn subject() -> Subject {
    Subject {
        ts: at(0),
        url: String::new(),
        address: String::new(),
        pipeline: String::new(),
        model: String::new(),
    }
}

#[test]
fn a_mark_goes_after_180_days() {
    let (first, id) = one_session();
    let tides = joined(&[&tide(100), &tide(101), &tide(100 + 180 * 24), &tide(103 + 180 * 24)]);
    let world = World::of(&joined(&[&first, &tides]));
    let mut machine = Machine::live(&world, OPTIONS, now());
    machine.deliver(0, 6, 0);
    for _ in 0..2 {
        (0..PARTITIONS).for_each(|partition| machine.deliver(partition, 2, 0));
    }
    rest(&mut machine);
    assert_eq!(kept(&machine.log), (0, 1, 6));
    (0..PARTITIONS).for_each(|partition| machine.deliver(partition, 2, 0));
    rest(&mut machine);
    assert!(is_mark(&machine, id), "it was written an hour later than the tide");
    (0..PARTITIONS).for_each(|partition| machine.deliver(partition, 2, 0));
    rest(&mut machine);
    assert_eq!(state(&machine, id), None);
}

#[test]
fn a_bounded_replay_forgets_nothing() {
    let (first, id) = one_session();
    let world = World::of(&joined(&[&first, &tide(1_000), &tide(1_001)]));
    let options = ShardOptions { retention_ms: None, forgets: false, ..OPTIONS };
    let mut machine = Machine::live(&world, options, now());
    settle(&mut machine, &world);
    assert!(!is_mark(&machine, id));
    assert_eq!(kept(&machine.log), (1, 0, 2 * PARTITIONS));
    assert_eq!(machine.log.shard(0).progress.watermark, None);
}

#[test]
fn another_delivery_after_the_horizon_writes_the_same_row_and_is_no_duplicate() {
    let payment = event("pay", at(0), "gw", Body::Payment(Payment::default()));
    let first = vec![(0, payment.clone())];
    let tides = joined(&[&tide(48), &tide(49)]);
    let world = World::of(&joined(&[&first, &tides, &vec![(1, payment.clone())]]));
    let past = World::of(&joined(&[&first, &tides]));
    let mut machine = Machine::live(&past, OPTIONS, now());
    settle(&mut machine, &past);
    assert_eq!(state(&machine, owner(&payment)), None);
    let rows = typed(&machine.store);
    let mut machine = machine.onward(&world);
    settle(&mut machine, &world);
    assert_eq!(typed(&machine.store), rows);
    assert!(machine.store.table(QUARANTINE).is_empty());
}
