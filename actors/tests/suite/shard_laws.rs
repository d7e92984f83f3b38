//! Laws of a shard: whatever is cut off, repeated, put to sleep or crashed, the latest rows are
//! those of the run that nothing happened to.

use naap_actors::session::tally::Cause;
use std::collections::BTreeMap;
use std::sync::Arc;

use naap_actors::ports::{StateLog, StateRecord};
use naap_actors::shard::{Applied, ROUTING_VERSION, Saved, ShardCore, ShardOptions};
use naap_protocol::capability::decide::DirectWindow;
use naap_protocol::capability::evidence::{Evidence, Question};
use naap_protocol::capability::index::Index;
use naap_protocol::capability::{Document, Entry, Hardware, ModelConstraint, Price};
use naap_protocol::codec::{self, TraceContext};
use naap_protocol::event::{Body, Discovered, Event, Payment};
use naap_protocol::identity::{EntityKey, EntityKind};
use naap_protocol::state::{EpochOpen, Expired, Progress, SourcePartition};
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{Envelope, EnvelopeBuilder, EnvelopeHead};
use proptest::prelude::*;

use crate::cells::{Cells, Store};
use crate::memory::{MemoryLog, clock};
use crate::signals::{BASE, RETENTION, event, parse, signal};

const PARTITIONS: usize = 3;
pub const OPTIONS: ShardOptions = ShardOptions {
    idle_ticks: 2,
    after_close_ticks: 1,
    awake_budget: 1 << 20,
    retention_ms: RETENTION,
    kept_ms: 0,
    hold_ticks: 0,
    correction_rows: None,
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
        self.0[partition].last().map_or(0, |event| event.offset + 2)
    }

    /// The deliveries of every uid in their order: content, originals first, coordinates. Uids are scoped here.
    fn uids(&self) -> Vec<Vec<(usize, &Event<'static>)>> {
        let mut uids: BTreeMap<&str, Vec<(usize, &Event<'static>)>> = BTreeMap::new();
        for (partition, log) in self.0.iter().enumerate() {
            for event in log {
                uids.entry(&event.uid).or_default().push((partition, event));
            }
        }
        let rank = |(partition, event): &(usize, &Event<'static>)| {
            (event.event_ts, event.content_hash, event.replay, *partition, event.offset)
        };
        for deliveries in uids.values_mut() {
            deliveries.sort_by_key(rank);
        }
        uids.into_values().collect()
    }

    /// The same without the deliveries that do not count.
    fn counted(&self) -> Self {
        let mut world = Self::default();
        for deliveries in self.uids() {
            let (partition, event) = deliveries[0];
            world.0[partition].push(event.clone());
        }
        for log in &mut world.0 {
            log.sort_by_key(|event| event.offset);
        }
        world
    }

    /// What quarantine has to say of the others, by coordinates.
    fn left_out(&self) -> BTreeMap<(String, String), Cells> {
        let mut rows = BTreeMap::new();
        for deliveries in self.uids() {
            let (_, counts) = deliveries[0];
            for &(partition, event) in &deliveries[1..] {
                let key = (partition.to_string(), event.offset.to_string());
                rows.insert(key, quarantine_cells(event, counts));
            }
        }
        rows
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

fn quarantine_cells(event: &Event<'_>, counts: &Event<'_>) -> Cells {
    let same = (event.event_ts, event.content_hash) == (counts.event_ts, counts.content_hash);
    let conflict = "another content of this uid comes first; the text stands in raw_streaming_events at this source";
    let family = event.body.family();
    let body = format!(
        r#"{{"data":{{"region":"{}"}},"id":"{}","type":"{family}"}}"#,
        event.gateway, event.uid
    );
    let null = || "null".to_owned();
    let region = if event.gateway.trim().is_empty() { null() } else { event.gateway.to_string() };
    let text = |duplicate: &str, conflict: &str| if same { duplicate } else { conflict }.to_owned();
    Cells::from([
        ("schema_version", "v1".to_owned()),
        ("org", "org".to_owned()),
        ("source_topic", "streaming_events".to_owned()),
        ("part", "0".to_owned()),
        ("event_id", event.uid.to_string()),
        ("event_type", text(family, "")),
        ("event_version", if same { "1".to_owned() } else { null() }),
        ("event_timestamp", if same { null() } else { event.event_ts.0.to_string() }),
        ("dedup_key", event.uid.to_string()),
        ("dedup_strategy", "event_id".to_owned()),
        ("replay", u8::from(event.replay).to_string()),
        ("failure_stage", "DEDUP".to_owned()),
        ("failure_class", "DUPLICATE".to_owned()),
        ("failure_reason", text("duplicate_event", "id_conflict")),
        ("failure_details", text("the event has been delivered before", conflict)),
        ("orchestrator", null()),
        ("broadcaster", null()),
        ("region", if same { region } else { null() }),
        ("payload_encoding", "json".to_owned()),
        ("payload_body", text(&body, "")),
        ("payload_canonical_json", null()),
    ])
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
    /// Every partition has told the shard that it begins, so that none is ahead of the others.
    attached: bool,
}

fn open(log: &Arc<MemoryLog>, options: ShardOptions) -> ShardCore {
    let known = log.shard(0);
    let epoch = known.epoch + 1;
    let open = EpochOpen { epoch, node: "n".to_owned(), incarnation: epoch };
    let record = vec![StateRecord::Open { shard: 0, open }];
    log.append(record).expect("a log");
    let applied = known.progress.applied.clone();
    let dirty = naap_protocol::slice::DirtySlices::default();
    let (cycle, routing_version, watermark) = (0, ROUTING_VERSION, known.progress.watermark);
    let progress = Progress { epoch, cycle, routing_version, applied, dirty, watermark };
    let mut core = ShardCore::new(0, progress, options, log.clone(), clock());
    let questions = core.resume(&known.progress).expect("a log");
    answer(&mut core, questions);
    core
}

/// Answers like orchestrators that nothing was ever advertised for.
fn answer(core: &mut ShardCore, mut questions: Vec<Question>) {
    while !questions.is_empty() {
        for Question { session, role, subjects, .. } in questions {
            for (subject, told) in subjects {
                let decision = subject.decide(&Index::default(), DirectWindow::default());
                if told != Some(decision.digest()) {
                    let complete = true;
                    let evidence = Evidence { session, role, subject, decision, complete };
                    core.learn(evidence, Cause::LateCapability).expect("a shard");
                }
            }
        }
        questions = core.questions();
    }
}

impl<'a> Machine<'a> {
    fn new(world: &'a World, options: ShardOptions) -> Self {
        let log = Arc::new(MemoryLog::default());
        let core = open(&log, options);
        Self { world, options, log, core, store: Store::default(), attached: false }
    }

    /// Every partition tells of an hour that is far behind the world.
    fn hour(&mut self, hour: i64) {
        for partition in 0..PARTITIONS {
            let (from, to) = (self.next(partition), self.next(partition) + 1);
            let (uid, ts) = (format!("{hour}-{partition}"), Timestamp(BASE + hour * 3_600_000));
            let payment = event(&uid, ts, "gw", Body::Payment(Payment::default()));
            let payment = Event { offset: from, ..payment };
            let mut builder = EnvelopeBuilder::default();
            let id = EntityKey::owner("org", &payment).id().0;
            builder.push_single(id, &payment).expect("an event");
            let (org, source) = ("org".to_owned(), source(partition));
            let head = EnvelopeHead { shard: 0, epoch_hint: 0, org, source, from, to, count: 0 };
            let envelope = builder.seal(head, TraceContext::default());
            assert!(matches!(self.core.apply(&envelope), Ok(Applied::Taken(_))));
        }
    }

    fn attach(&mut self) {
        for partition in 0..PARTITIONS {
            self.core.attach(source(partition), 0);
        }
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
            let questions = self.core.questions();
            answer(&mut self.core, questions);
        }
    }

    fn send_rows(&mut self, tables: usize) {
        for batch in self.core.take_rows().into_iter().take(tables) {
            self.store.insert(batch.table, &batch.rows);
        }
    }

    /// Returns how many sessions still owe rows.
    fn cycle(&mut self, until: Step) -> usize {
        let saved = self.core.commit(false).expect("a commit");
        let Saved { records, progress, questions, owing, .. } = saved;
        if until >= Step::Snapshots {
            self.log.append(records).expect("a log");
        }
        if until >= Step::SomeRows {
            self.send_rows(if until == Step::SomeRows { 1 } else { usize::MAX });
        }
        if until >= Step::Claim {
            let epoch = progress.epoch;
            let claim = vec![StateRecord::Progress { shard: 0, epoch, progress }];
            self.log.append(claim).expect("a log");
            self.core.committed();
        }
        answer(&mut self.core, questions);
        owing
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Deliver(partition, count, back) => self.deliver(partition, count, back),
            Op::SendRows => self.send_rows(usize::MAX),
            Op::Commit => drop(self.cycle(Step::Claim)),
            Op::Crash(step) => {
                self.cycle(step);
                self.core = open(&self.log, self.options);
                if self.attached {
                    self.attach();
                }
            }
            Op::Tick => self.core.tick(),
        }
    }

    /// Delivers what is left and commits.
    fn finish(mut self) -> Store {
        (0..PARTITIONS).for_each(|partition| self.deliver(partition, u64::MAX / 2, 0));
        while self.cycle(Step::Claim) > 0 {}
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
        Body::Transport(body) => body.stream_id = id.into(),
        Body::Capabilities(_) | Body::Discovery(_) | Body::Payment(_) => {}
    }
    event
}

/// A payment, a discovery result or an advertisement with some rows in each of its row sets.
fn single(uid: impl Strategy<Value = String>) -> impl Strategy<Value = Event<'static>> {
    let entry = (0..3u32, 0..3usize, 0..3usize, 0..3usize, 0..3usize);
    let entries = prop::collection::btree_map(0..3u32, entry, 0..3);
    (uid, 0..3u8, 1..3i64, 1..4usize, entries).prop_map(|(uid, family, ts, found, entries)| {
        let discovered = Discovered { latency_ms: Some(7), ..Discovered::default() };
        let body = match family {
            0 => {
                Body::Payment(Payment { sender: format!("0x{found}").into(), ..Payment::default() })
            }
            1 => Body::Discovery(vec![discovered; found]),
            _ => {
                let entries = entries.into_iter().map(|(index, (uri, a, b, c, d))| Entry {
                    index,
                    orch_uri: format!("https://{uri}").into(),
                    capacities: vec![(35, 1); a],
                    models: vec![
                        ModelConstraint { capability: 35, ..ModelConstraint::default() };
                        b
                    ],
                    prices: vec![Price { capability: 35, ..Price::default() }; c],
                    hardware: vec![Hardware::default(); d],
                    ..Entry::default()
                });
                Body::Capabilities(Document { entries: entries.collect(), bad_entries: Vec::new() })
            }
        };
        event(&format!("single{uid}"), Timestamp(BASE + ts), "gw", body)
    })
}

/// The same content with the replay marker.
fn replayed(mut event: Event<'static>) -> Event<'static> {
    const MARKER: &str = r#""__replay":true,"#;
    if !event.replay {
        event.replay = true;
        event.raw.to_mut().insert_str(1, MARKER);
        event.data_at.0 += MARKER.len() as u32;
    }
    event
}

/// Events of three sessions and some without one over three partitions. `uids` bounds the number
/// of uids of a session.
fn deliveries(uids: u32, copies: usize) -> impl Strategy<Value = Vec<(usize, Event<'static>)>> {
    let uid = || (0..uids).prop_map(|n| format!("e{n}"));
    let of_session = (signal(uid()), 0..3u8).prop_map(|(text, session)| {
        let mut event = parse(&text).remove(0);
        // Uids are shared by deliveries of one session only.
        // A sample that replaces the only signal of a session would leave its row behind:
        // sessions can not be taken back.
        let is_sample = matches!(event.body, Body::Ingest(_) | Body::Transport(_));
        let kind = if is_sample { "metric" } else { "" };
        let uid = format!("{}-{session}{kind}", event.uid);
        event.raw = event.raw.replacen(&*event.uid, &uid, 1).into();
        event.data_at.0 += (uid.len() - event.uid.len()) as u32;
        event.uid = uid.into();
        into_session(event, session)
    });
    let event = prop_oneof![3 => of_session, 1 => single(uid())];
    let events = prop::collection::vec((0..PARTITIONS, event), 1..25);
    let again = (0..PARTITIONS, any::<prop::sample::Index>(), any::<bool>());
    (events, prop::collection::vec(again, 0..=copies)).prop_map(|(mut events, again)| {
        for (partition, index, replay) in again {
            let copy = index.get(&events).1.clone();
            events.push((partition, if replay { replayed(copy) } else { copy }));
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

    /// The same while state ends: no event is late, and what has ended is never written again.
    #[test]
    fn the_end_of_state_changes_no_row(
        deliveries in deliveries(1000, 0),
        ops in prop::collection::vec(op(), 0..40),
    ) {
        let world = without_repetition(deliveries);
        let mut calm = Machine::new(&world, OPTIONS);
        (0..PARTITIONS).for_each(|partition| calm.deliver(partition, u64::MAX / 2, 0));
        (1000..1002).for_each(|hour| calm.hour(hour));
        let calm = calm.finish();
        let mut machine = Machine::new(&world, OPTIONS);
        machine.attached = true;
        machine.attach();
        for op in &ops {
            machine.step(op);
        }
        (0..PARTITIONS).for_each(|partition| machine.deliver(partition, u64::MAX / 2, 0));
        while machine.cycle(Step::Claim) > 0 {}
        for hour in 1000..1002 {
            machine.hour(hour);
            for _ in 0..3 {
                machine.cycle(Step::Claim);
                machine.core.tick();
            }
        }
        let mut kept = 0;
        let mut each = |_, frame: &[u8]| kept += usize::from(!codec::is::<Expired>(frame));
        machine.log.entities(0, &mut each).unwrap();
        prop_assert_eq!(kept, 2 * PARTITIONS, "only what is new is kept");
        prop_assert_eq!(machine.store.latest(), calm.latest());
    }

    /// Typed and session rows are those of a world where only what counts was delivered; quarantine
    /// rows are those of the naive model over the set of deliveries.
    #[test]
    fn rows_are_a_function_of_the_set_of_deliveries(
        deliveries in deliveries(12, 8),
        ops in prop::collection::vec(op(), 0..40),
        awake_budget in prop::sample::select(&[0, 1 << 20]),
    ) {
        let world = World::of(&deliveries);
        let options = ShardOptions { awake_budget, ..OPTIONS };
        let rows = latest(&world, options, &ops).latest();
        let (left_out, rows): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(table, ..)| *table == QUARANTINE);
        // Samples with a number that is taken: these uids count.
        let by_number = |row: &Cells| row["failure_details"].contains(" under number ");
        let (mut rows, mut left_out) = (rows, left_out);
        rows.extend(left_out.extract_if(.., |(_, _, row)| by_number(row)));
        rows.sort();
        // What is advertised now is told by every delivery of a capability event.
        let is_current = |table: &str| CURRENT.contains(&table);
        let mut counted = latest(&world.counted(), OPTIONS, &[]).latest();
        counted.retain(|(table, ..)| !is_current(table));
        counted.extend(latest(&world, OPTIONS, &[]).latest().into_iter().filter(|r| is_current(r.0)));
        counted.sort();
        prop_assert_eq!(rows, counted);
        let place = |key: &[String]| (key[2].clone(), key[3].clone());
        let left_out: BTreeMap<_, _> =
            left_out.into_iter().map(|(_, key, row)| (place(&key), row)).collect();
        prop_assert_eq!(left_out, world.left_out());
    }
}

const CURRENT: [&str; 3] = [
    "dim_orchestrator_capability_current",
    "dim_orchestrator_gpu_current",
    "dim_orchestrator_gpu_first_seen",
];

const QUARANTINE: &str = "raw_streaming_events_quarantine";

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
    assert_eq!(store.table(QUARANTINE).len(), 1);
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
