//! Laws of a shard: whatever is cut off, repeated, put to sleep or crashed, the latest rows are
//! those of the run that nothing happened to.

use std::collections::BTreeMap;
use std::sync::Arc;

use naap_actors::ports::{StateLog, StateRecord};
use naap_actors::shard::{Applied, ROUTING_VERSION, ShardCore, ShardOptions};
use naap_protocol::codec::TraceContext;
use naap_protocol::event::{Body, Event};
use naap_protocol::identity::{EntityKey, EntityKind};
use naap_protocol::state::{EpochOpen, Progress, SourcePartition};
use naap_protocol::wire::{Envelope, EnvelopeBuilder, EnvelopeHead};
use proptest::prelude::*;

use crate::cells::Store;
use crate::memory::{MemoryLog, clock};
use crate::signals::{RETENTION, parse, signal};

const PARTITIONS: usize = 3;
const OPTIONS: ShardOptions = ShardOptions {
    idle_ticks: 2,
    after_close_ticks: 1,
    awake_budget: 1 << 20,
    retention_ms: RETENTION,
};

fn source(partition: usize) -> SourcePartition {
    SourcePartition { topic: "streaming_events".to_owned(), partition: partition as u32 }
}

/// What the partitions hold: an event at every second offset.
#[derive(Clone, Debug, Default)]
struct World([Vec<Event<'static>>; PARTITIONS]);

impl World {
    fn of(deliveries: &[(usize, Event<'static>)]) -> Self {
        let mut world = Self::default();
        for (partition, event) in deliveries {
            let log = &mut world.0[*partition];
            log.push(Event { offset: log.len() as u64 * 2, ..event.clone() });
        }
        world
    }

    fn end(&self, partition: usize) -> u64 {
        self.0[partition].len() as u64 * 2
    }

    fn envelope(&self, partition: usize, from: u64, to: u64) -> Envelope {
        let mut builder = EnvelopeBuilder::default();
        let inside = |event: &&Event<'_>| (from..to).contains(&event.offset);
        for event in self.0[partition].iter().filter(inside) {
            let owner = EntityKey::owner("org", event);
            match owner.kind() {
                EntityKind::Session => builder.push_session(owner.id().0, event),
                _ => builder.push_single(owner.id().0, event),
            }
            .expect("an event");
        }
        let (org, source) = ("org".to_owned(), source(partition));
        let head = EnvelopeHead { shard: 0, epoch_hint: 0, org, source, from, to, count: 0 };
        builder.seal(head, TraceContext::default())
    }
}

/// Where a commit cycle ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Nothing,
    Snapshots,
    SomeRows,
    Rows,
    Claim,
}

#[derive(Clone, Debug)]
enum Op {
    /// Deliver this many offsets of a partition, starting some offsets before the next one.
    Deliver(usize, u64, u64),
    /// Rows leave before their commit cycle.
    SendRows,
    Commit,
    /// The node dies during its commit cycle, behind this step.
    Crash(Step),
    Tick,
}

fn op() -> impl Strategy<Value = Op> {
    let step = prop::sample::select(&[Step::Nothing, Step::Snapshots, Step::SomeRows, Step::Rows]);
    prop_oneof![
        6 => (0..PARTITIONS, 1..8u64, 0..6u64).prop_map(|(p, n, back)| Op::Deliver(p, n, back)),
        1 => Just(Op::SendRows),
        2 => Just(Op::Commit),
        2 => step.prop_map(Op::Crash),
        2 => Just(Op::Tick),
    ]
}

struct Machine<'a> {
    world: &'a World,
    options: ShardOptions,
    log: Arc<MemoryLog>,
    core: ShardCore,
    store: Store,
}

fn open(log: &Arc<MemoryLog>, options: ShardOptions) -> ShardCore {
    let known = log.shard(0).expect("a log");
    let epoch = known.epoch + 1;
    let open = EpochOpen { epoch, node: "n".to_owned(), incarnation: epoch };
    let record = vec![StateRecord::Open { shard: 0, open }];
    log.append(&mut std::iter::once(record)).expect("a log");
    let applied = known.progress.applied;
    let progress = Progress { epoch, routing_version: ROUTING_VERSION, applied };
    ShardCore::new(0, progress, options, log.clone(), clock())
}

impl<'a> Machine<'a> {
    fn new(world: &'a World, options: ShardOptions) -> Self {
        let log = Arc::new(MemoryLog::default());
        let core = open(&log, options);
        Self { world, options, log, core, store: Store::default() }
    }

    fn next(&self, partition: usize) -> u64 {
        self.core.progress().applied.get(&source(partition)).copied().unwrap_or(0)
    }

    fn deliver(&mut self, partition: usize, count: u64, back: u64) {
        let next = self.next(partition);
        let to = (next + count).min(self.world.end(partition));
        let from = next.saturating_sub(back);
        if from < to {
            let applied = self.core.apply(&self.world.envelope(partition, from, to));
            let expected = if to <= next { Applied::Skipped } else { Applied::Taken(Vec::new()) };
            assert_eq!(applied.expect("a shard"), expected);
        }
    }

    fn send_rows(&mut self, tables: usize) {
        for batch in self.core.take_rows().into_iter().take(tables) {
            self.store.insert(batch.table, &batch.rows);
        }
    }

    fn cycle(&mut self, until: Step) {
        let (records, progress) = self.core.commit().expect("a commit");
        if until >= Step::Snapshots {
            self.log.append(&mut std::iter::once(records)).expect("a log");
        }
        if until >= Step::SomeRows {
            self.send_rows(if until == Step::SomeRows { 1 } else { usize::MAX });
        }
        if until >= Step::Claim {
            let claim = vec![StateRecord::Progress { shard: 0, progress }];
            self.log.append(&mut std::iter::once(claim)).expect("a log");
            self.core.committed();
        }
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Deliver(partition, count, back) => self.deliver(partition, count, back),
            Op::SendRows => self.send_rows(usize::MAX),
            Op::Commit => self.cycle(Step::Claim),
            Op::Crash(step) => {
                self.cycle(step);
                self.core = open(&self.log, self.options);
            }
            Op::Tick => self.core.tick(),
        }
    }

    /// Delivers what is left and commits.
    fn finish(mut self) -> Store {
        (0..PARTITIONS).for_each(|partition| self.deliver(partition, u64::MAX / 2, 0));
        self.cycle(Step::Claim);
        self.store
    }
}

fn latest(world: &World, options: ShardOptions, ops: &[Op]) -> Store {
    let mut machine = Machine::new(world, options);
    for op in ops {
        machine.step(op);
    }
    machine.finish()
}

/// Sets the session of an event.
fn into_session(mut event: Event<'static>, session: u8) -> Event<'static> {
    let id = format!("s{session}");
    match &mut event.body {
        Body::Status(body) => body.stream_id = id.into(),
        Body::Trace(body) => body.stream_id = id.into(),
        Body::Ai(body) => body.stream_id = id.into(),
        Body::Ingest(body) => body.stream_id = id.into(),
        Body::Capabilities(_) | Body::Discovery(_) | Body::Payment(_) => {}
    }
    event
}

/// Events of three sessions and some without one over three partitions. `uids` bounds the number
/// of uids of a session.
fn deliveries(uids: u32, copies: usize) -> impl Strategy<Value = Vec<(usize, Event<'static>)>> {
    let uid = || (0..uids).prop_map(|n| format!("e{n}"));
    let single = (prop::sample::select(&["PAY", "FIND"]), uid(), 0..2)
        .prop_map(|(name, uid, a)| format!("{name}@1000{{uid={name}{uid},a=0x{a}}}"));
    let text = prop_oneof![5 => signal(uid()), 1 => single];
    let event = (text, 0..3u8).prop_map(|(text, session)| {
        let mut event = parse(&text).remove(0);
        // Uids are shared by deliveries of one session only.
        // An ingest metric that replaces the only signal of a session would leave its row behind:
        // sessions can not be taken back.
        let kind = if matches!(event.body, Body::Ingest(_)) { "metric" } else { "" };
        event.uid = format!("{}-{session}{kind}", event.uid).into();
        into_session(event, session)
    });
    let events = prop::collection::vec((0..PARTITIONS, event), 1..25);
    let again = prop::collection::vec((0..PARTITIONS, any::<prop::sample::Index>()), 0..=copies);
    (events, again).prop_map(|(mut events, again)| {
        for (partition, index) in again {
            let copy = index.get(&events).1.clone();
            events.push((partition, copy));
        }
        events
    })
}

/// Keeps the first content of every uid.
fn without_repetition(deliveries: Vec<(usize, Event<'static>)>) -> World {
    let mut seen = std::collections::BTreeSet::new();
    let new = |(_, event): &(usize, Event<'_>)| seen.insert(event.uid.to_string());
    World::of(&deliveries.into_iter().filter(new).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn crashes_lose_and_double_nothing(
        deliveries in deliveries(1000, 0),
        ops in prop::collection::vec(op(), 0..40),
        awake_budget in prop::sample::select(&[0, 3000, 1 << 20]),
    ) {
        let world = without_repetition(deliveries);
        let options = ShardOptions { awake_budget, ..OPTIONS };
        let calm = latest(&world, OPTIONS, &[]);
        prop_assert_eq!(latest(&world, options, &ops).latest(), calm.latest());
    }

    #[test]
    fn duplicates_and_conflicts_end_alike_in_any_interleaving(
        deliveries in deliveries(12, 6),
        ops in prop::collection::vec(op(), 0..40),
        awake_budget in prop::sample::select(&[0, 1 << 20]),
    ) {
        let world = World::of(&deliveries);
        let calm: Vec<Op> = ops.into_iter().filter(|op| !matches!(op, Op::Crash(_))).collect();
        let options = ShardOptions { awake_budget, ..OPTIONS };
        let (first, second) = (latest(&world, OPTIONS, &[]), latest(&world, options, &calm));
        prop_assert_eq!(without_reasons(&first), without_reasons(&second));
    }

    #[test]
    #[ignore = "rows of a displaced delivery are lost when the node dies between state and rows"]
    fn crashes_lose_no_row_of_duplicates_and_conflicts(
        deliveries in deliveries(12, 6),
        ops in prop::collection::vec(op(), 0..40),
    ) {
        let world = World::of(&deliveries);
        let (first, second) = (latest(&world, OPTIONS, &[]), latest(&world, OPTIONS, &ops));
        prop_assert_eq!(without_reasons(&first), without_reasons(&second));
    }
}

/// The latest rows; of quarantine rows only their keys (see `session_laws`).
fn without_reasons(
    store: &Store,
) -> Vec<(&'static str, Vec<String>, BTreeMap<&'static str, String>)> {
    let rows = store.latest().into_iter();
    rows.map(|(table, key, row)| match table {
        "raw_streaming_events_quarantine" => (table, key, BTreeMap::new()),
        _ => (table, key, row),
    })
    .collect()
}

fn requests(count: usize) -> World {
    let texts = (0..count).map(|n| format!("ST@{n}{{uid=u{n}}}"));
    World::of(&texts.map(|text| (0, parse(&text).remove(0))).collect::<Vec<_>>())
}

#[test]
fn ranges_are_taken_once_and_gaps_are_refused() {
    let world = requests(10);
    let mut machine = Machine::new(&world, OPTIONS);
    let core = &mut machine.core;
    let taken = Applied::Taken(Vec::new());
    assert_eq!(core.apply(&world.envelope(0, 0, 6)).unwrap(), taken);
    assert_eq!(core.apply(&world.envelope(0, 0, 6)).unwrap(), Applied::Skipped);
    assert_eq!(core.apply(&world.envelope(0, 10, 12)).unwrap(), Applied::Refused { wanted: 6 });
    core.mark(&source(0), 8, 10);
    assert_eq!(core.progress().applied[&source(0)], 6, "a mark behind a gap proves nothing");
    core.mark(&source(0), 6, 7);
    assert_eq!(core.progress().applied[&source(0)], 7);
    assert_eq!(core.apply(&world.envelope(0, 4, 12)).unwrap(), taken);
    core.mark(&source(0), 0, 3);
    core.mark(&source(1), 40, 40);
    assert_eq!(core.progress().applied[&source(0)], 12, "claims never go back");
    assert_eq!(core.progress().applied[&source(1)], 40, "a start is claimed");
    let counts = core.take_counts();
    assert_eq!((counts.accepted, counts.redelivered, counts.sessions), (5, 0, 1));
    machine.cycle(Step::Claim);
    let rows = machine.store.table("fact_workflow_sessions");
    assert_eq!(rows[0]["event_count"], "5", "offset 6 was claimed by the mark");
}

#[test]
fn a_reopened_shard_knows_duplicates_and_repeats_what_it_owed() {
    let world = World::of(&[
        (0, parse("REQ@1000{uid=a}").remove(0)),
        (1, parse("REQ@1000{uid=a}").remove(0)),
    ]);
    let mut machine = Machine::new(&world, OPTIONS);
    machine.deliver(0, 2, 0);
    machine.step(&Op::Crash(Step::Snapshots));
    assert!(machine.store.latest().is_empty());
    machine.deliver(1, 2, 0);
    machine.deliver(0, 2, 0);
    let counts = machine.core.take_counts();
    assert_eq!((counts.accepted, counts.duplicates, counts.redelivered), (0, 1, 1));
    let store = machine.finish();
    assert_eq!(store.table("fact_workflow_sessions")[0]["event_count"], "1");
    assert_eq!(store.table("raw_stream_trace_events").len(), 1);
    assert_eq!(store.table("raw_streaming_events_quarantine").len(), 1);
}

#[test]
fn closed_sessions_sleep_earlier_than_open_ones() {
    let texts = ["REQ@1000{uid=a}", "REQ@1000{uid=b}", "CLOSE@2000{uid=c}"];
    let events = texts.iter().zip([0, 1, 1]);
    let events = events.map(|(text, session)| into_session(parse(text).remove(0), session));
    let world = World::of(&events.map(|event| (0, event)).collect::<Vec<_>>());
    let options = ShardOptions { idle_ticks: 5, after_close_ticks: 3, ..OPTIONS };
    let mut machine = Machine::new(&world, options);
    machine.deliver(0, 6, 0);
    machine.cycle(Step::Claim);
    let awake: Vec<usize> = (0..5)
        .map(|_| {
            machine.core.tick();
            machine.core.sessions_awake()
        })
        .collect();
    assert_eq!(awake, [2, 2, 1, 1, 0]);
}

#[test]
fn idle_sessions_sleep_and_wake_with_everything() {
    let world = requests(4);
    let mut machine = Machine::new(&world, OPTIONS);
    machine.deliver(0, 4, 0);
    machine.cycle(Step::Claim);
    for awake in [1, 0] {
        machine.core.tick();
        assert_eq!(machine.core.sessions_awake(), awake);
    }
    let store = machine.finish();
    assert_eq!(store.table("fact_workflow_sessions")[0]["event_count"], "4");
}
