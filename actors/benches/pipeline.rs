//! What an event costs, per CPU-second: decode, route, fold, all of them, and the baseline of one
//! ractor actor per session. `cargo bench -p naap-actors`.
#![allow(clippy::expect_used, clippy::print_stdout, clippy::unwrap_used)]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use naap_actors::ingest::{Flow, RecordBatch, RecordEntry, Router};
use naap_actors::orchestrator::subscribers::Subscribers;
use naap_actors::ports::{Clock, StateLog, StateLogError, StateRecord, Told};
use naap_actors::session::SessionActor;
use naap_actors::session::tally::Cause;
use naap_actors::shard::{Applied, IdMap, ROUTING_VERSION, ShardCore, ShardOptions};
use naap_generator::{Plan, Profile};
use naap_protocol::capability::decide::DirectWindow;
use naap_protocol::capability::evidence::{Evidence, Question, Subject};
use naap_protocol::capability::index::Index;
use naap_protocol::event::Event;
use naap_protocol::gate::{Gate, Outcome, Record};
use naap_protocol::identity::EntityId;
use naap_protocol::privacy::PrivacyMode;
use naap_protocol::signal::signal;
use naap_protocol::state::{Delivery, Progress, SourcePartition};
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{Envelope, EnvelopeBuilder, Item};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rustix::time::{ClockId, clock_gettime};

/// The allocator of the node.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHARDS: u16 = 16;
const BATCH: usize = 500;
const IDLE_TICKS: u64 = 600;
const STAGE: &str = "decode + route + actor + fold";

#[derive(Debug)]
struct Never;

impl Clock for Never {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

impl StateLog for Never {
    fn follow(&self, _: u16, _: Told) -> Result<(), StateLogError> {
        Ok(())
    }

    fn unfollow(&self, _: u16) {}

    fn entity(&self, _: u16, _: EntityId) -> Result<Option<Vec<u8>>, StateLogError> {
        Ok(None)
    }

    fn entities(&self, _: u16, _: &mut dyn FnMut(EntityId, &[u8])) -> Result<(), StateLogError> {
        Ok(())
    }

    fn append(&self, _: Vec<StateRecord>) -> Result<(), StateLogError> {
        Ok(())
    }
}

fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Runs `work`, which returns how many events it handled, and prints a line of the table.
fn measure(name: &str, work: impl FnOnce() -> usize) {
    let start = cpu();
    let events = work();
    report(name, events, cpu() - start);
}

fn report(name: &str, events: usize, seconds: f64) {
    let (rate, micros) = (events as f64 / seconds, seconds * 1e6 / events as f64);
    println!("{name:<52} {events:>9} {seconds:>7.2} {rate:>12.0} {micros:>8.2}");
}

fn source() -> SourcePartition {
    SourcePartition { topic: "streaming_events".to_owned(), partition: 0 }
}

/// What a line of the capture begins with: its id is a UUID.
const BEFORE_ID: &str = "{\"id\":\"";
/// The groups of a UUID before the last one.
const GROUPS: usize = "00000000-0000-0000-0000-".len();

/// A line of the capture under another id. Ids stay in the order in which they were: it decides between
/// events of the same millisecond.
fn with_id(line: &str, copy: usize, round: usize) -> String {
    let (before, rest) = line.split_at(BEFORE_ID.len() + GROUPS);
    format!("{before}{copy:08x}{round:04x}{}", &rest[12..])
}

/// The captured messages, once per number of `copies` with fresh ids, so that each counts.
fn captured(copies: Range<usize>) -> Vec<String> {
    let capture = include_str!("../../tests/fixtures/events-2026-01-08.jsonl");
    let fresh = |copy: usize| {
        capture.lines().filter(|line| !line.is_empty()).map(move |line| {
            let line = with_id(line, copy, 0);
            let stream = format!("\"stream_id\":\"{copy:08x}");
            line.replace("\"stream_id\":\"", &stream)
        })
    };
    copies.flat_map(fresh).collect()
}

/// The captured traces of so many sessions at a time, again and again, 100 s later each time: the events of
/// 375 bytes and the sessions that stay which other stream processors are measured with.
fn traces(sessions: usize, rounds: usize) -> Vec<String> {
    let mut first = captured(0..sessions);
    first.retain(|line| line.contains("\"stream_trace\""));
    let each = first.len() / sessions;
    let again = |round: usize| {
        first.iter().enumerate().map(move |(number, line)| {
            let line = with_id(line, number / each, round);
            // All of them are of the same hundred seconds.
            line.replace("17679089", &(17_679_089 + round).to_string())
        })
    };
    (0..rounds).flat_map(again).collect()
}

fn generated(sessions: u64) -> Vec<String> {
    let profile = Profile::clean();
    let plan = Plan { seed: 1, sessions, orchestrators: 40, hours: 24, profile };
    let mut lines = Vec::new();
    plan.write(&mut lines, None::<&mut Vec<u8>>, &mut |_| ()).expect("a plan");
    String::from_utf8(lines).expect("text").lines().map(str::to_owned).collect()
}

/// Batches of `lines`, which stand from offset `start` on.
fn batches(lines: &[String], start: u64) -> Vec<RecordBatch> {
    let chunks = lines.chunks(BATCH).enumerate();
    chunks
        .map(|(number, chunk)| {
            let (mut data, mut records) = (Vec::new(), Vec::new());
            let first = start + (number * BATCH) as u64;
            for (line, offset) in chunk.iter().zip(first..) {
                let start = data.len();
                data.extend_from_slice(line.as_bytes());
                let value = Some(start..data.len());
                records.push(RecordEntry { offset, record_ts: None, value });
            }
            let next_offset = first + chunk.len() as u64;
            RecordBatch { source: source(), records, next_offset, data }
        })
        .collect()
}

fn decode(lines: &[String]) -> usize {
    let gate = Gate::default();
    let mut repaired = String::new();
    let admit = |line: &String| {
        let topic = "streaming_events";
        let value = Some(line.as_bytes());
        let record = Record { topic, partition: 0, offset: 0, record_ts: None, value };
        matches!(std::hint::black_box(gate.admit(record, &mut repaired)), Outcome::Accepted(_))
    };
    let accepted = lines.iter().map(admit).filter(|accepted| *accepted).count();
    assert!(accepted * 2 > lines.len());
    lines.len()
}

struct Routing {
    router: Router,
    flow: Flow,
}

impl Routing {
    fn new() -> Self {
        let clock = Arc::new(Never);
        let router = Router::new(Gate::default(), PrivacyMode::Keep, SHARDS, 0, clock);
        let mut flow = Flow::new(SHARDS, 1 << 20, 1 << 30);
        flow.assign(&source(), 0);
        Self { router, flow }
    }

    fn route(&mut self, batch: RecordBatch) -> Vec<Envelope> {
        let envelopes = self.router.route(batch, &mut self.flow);
        drop(std::hint::black_box(self.router.take_rows()));
        envelopes
    }
}

fn cores() -> Vec<ShardCore> {
    let options = ShardOptions {
        idle_ticks: IDLE_TICKS,
        after_close_ticks: IDLE_TICKS,
        awake_budget: 1 << 30,
        retention_ms: None,
        kept_ms: 0,
        hold_ticks: 0,
        correction_rows: None,
    };
    let progress = Progress { epoch: 1, routing_version: ROUTING_VERSION, ..Progress::default() };
    (0..SHARDS)
        .map(|shard| {
            let (log, clock) = (Arc::new(Never), Arc::new(Never));
            ShardCore::new(shard, progress.clone(), options, log, clock)
        })
        .collect()
}

/// Applies an envelope; the rows are made and dropped.
fn apply(cores: &mut [ShardCore], envelope: &Envelope) {
    let core = &mut cores[usize::from(envelope.head.shard)];
    assert!(matches!(core.apply(envelope).expect("a shard"), Applied::Taken(_)));
    if core.row_bytes() > 1 << 18 {
        drop(std::hint::black_box(core.take_rows()));
    }
}

/// A commit cycle and, for the sessions that wait for their answers, another one.
fn commit(cores: &mut [ShardCore]) {
    let unknown = |question: Question| {
        let Question { session, role, subjects, .. } = question;
        let answer = move |(subject, _): (Subject, _)| {
            let decision = subject.decide(&Index::default(), DirectWindow::default());
            Evidence { session, role, subject, decision, complete: true }
        };
        subjects.into_iter().map(answer).collect()
    };
    for core in cores {
        while std::hint::black_box(one_cycle(core, unknown)) > 0 {}
    }
}

/// A commit cycle in which `answer` says what the orchestrators know.
fn one_cycle(core: &mut ShardCore, mut answer: impl FnMut(Question) -> Vec<Evidence>) -> usize {
    let saved = core.commit(true).expect("a commit");
    core.take_rows();
    core.committed();
    let mut questions = saved.questions;
    while !questions.is_empty() {
        for evidence in questions.into_iter().flat_map(&mut answer) {
            core.learn(evidence, Cause::LateCapability).expect("a shard");
        }
        questions = core.questions();
    }
    saved.owing
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a size");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .map_or(0, |kib: usize| kib << 10)
}

/// What a session costs that sleeps, with its standing questions: how memory grows from the first
/// sessions, which have filled caches and buffers, to the last.
fn idle() {
    const STEPS: usize = 100;
    const COPIES: usize = 1000;
    let (mut routing, mut shards) = (Routing::new(), cores());
    let mut orchestrators: HashMap<String, Subscribers> = HashMap::new();
    let (index, window) = (Index::default(), DirectWindow::default());
    let (mut offset, mut sessions, mut sizes) = (0, 0, Vec::new());
    for step in 0..STEPS {
        let mut lines = captured(step * COPIES..(step + 1) * COPIES);
        lines.retain(|line| line.contains("\"stream_trace\""));
        for batch in batches(&lines, offset) {
            routing.route(batch).iter().for_each(|envelope| apply(&mut shards, envelope));
        }
        offset += lines.len() as u64;
        for core in &mut shards {
            let mut ask = |question: Question| {
                let subscribers = orchestrators.entry(question.key.clone()).or_default();
                subscribers.ask(question, &index, window)
            };
            while one_cycle(core, &mut ask) > 0 {}
            (0..=IDLE_TICKS).for_each(|_| core.tick());
            assert_eq!(core.sessions_awake(), 0);
            sessions += core.take_counts().sessions;
        }
        sizes.push((sessions, resident()));
    }
    let [first, last] = [sizes[STEPS / 4], sizes[STEPS - 1]];
    let bytes = last.1.saturating_sub(first.1) as f64 / (last.0 - first.0) as f64;
    println!(
        "{sessions} sleeping sessions of {} orchestrators: {bytes:.0} bytes each",
        orchestrators.len()
    );
}

/// The sessions of `envelopes` with their signals in total order.
fn hot_sessions(envelopes: &[Envelope]) -> Vec<Vec<Event<'_>>> {
    let mut sessions: HashMap<u128, Vec<Event<'_>>> = HashMap::new();
    for item in envelopes.iter().flat_map(Envelope::items) {
        if let Item::Session(id, event) = item.expect("an item").into_owned() {
            sessions.entry(id).or_default().push(event);
        }
    }
    let order = |event: &Event<'_>| signal(event).map(|s| (s.ord_ts, s.uid.to_owned()));
    let mut sessions: Vec<_> = sessions.into_values().collect();
    for events in &mut sessions {
        events.sort_by_cached_key(order);
    }
    sessions
}

/// What a signal costs that comes in order to a session in memory: no decoding, no making or dropping
/// of sessions. An event that arrives was decoded just before, so it is in the processor's caches:
/// therefore another session takes each first. Of a few rounds the best one counts, because one is
/// too short to be measured beside other work.
fn hot_fold(name: &str, sessions: &[Vec<Event<'_>>]) {
    const ROUNDS: usize = 5;
    let fold = |events: &[Event<'_>]| {
        let mut session = SessionActor::new("org", String::new(), "", "");
        let start = cpu();
        for event in events {
            session.receive(event, &Delivery::of(event, "streaming_events", 0), None);
        }
        let seconds = cpu() - start;
        drop(std::hint::black_box(session));
        seconds
    };
    let second = |events: &Vec<Event<'_>>| {
        fold(events);
        fold(events)
    };
    let round = || sessions.iter().map(second).sum();
    let best = (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min);
    report(name, sessions.iter().map(Vec::len).sum(), best);
}

/// Sessions and nothing else: events in, no rows.
#[derive(Default)]
struct Folds(IdMap<Box<SessionActor>>);

impl Folds {
    fn take(&mut self, envelope: &Envelope) {
        for item in envelope.items() {
            if let Item::Session(id, event) = &*item.expect("an item") {
                let new = || Box::new(SessionActor::new("org", String::new(), "", ""));
                let session = self.0.entry(*id).or_insert_with(new);
                session.receive(event, &Delivery::of(event, "streaming_events", 0), None);
            }
        }
    }
}

/// Encodes envelopes for another node and decodes them as it would.
fn through_a_peer(envelopes: &[Envelope]) {
    for envelope in envelopes {
        let frame = envelope.to_frame().expect("a frame");
        for item in Envelope::from_frame(&frame).expect("an envelope").items() {
            std::hint::black_box(item.expect("an item"));
        }
    }
}

/// One ractor actor per session: the design that hosting replaces.
struct Lone;

impl Actor for Lone {
    type Msg = Vec<u8>;
    type State = (SessionActor, Arc<std::sync::atomic::AtomicUsize>);
    type Arguments = Arc<std::sync::atomic::AtomicUsize>;

    async fn pre_start(
        &self,
        _: ActorRef<Vec<u8>>,
        left: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok((SessionActor::new("org", String::new(), "", ""), left))
    }

    async fn handle(
        &self,
        _: ActorRef<Vec<u8>>,
        frame: Vec<u8>,
        (session, done): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        for item in Envelope::from_frame(&frame)?.items() {
            if let Item::Session(_, event) = &*item? {
                session.receive(event, &Delivery::of(event, "streaming_events", 0), None);
            }
        }
        done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }
}

/// One frame per event of a session, so that the actors fold what the shards fold.
fn frames(envelopes: &[Envelope]) -> Vec<(u128, Vec<u8>)> {
    let mut frames = Vec::new();
    for envelope in envelopes {
        for item in envelope.items() {
            if let Item::Session(id, event) = &*item.expect("an item") {
                let mut builder = EnvelopeBuilder::default();
                builder.push_session(*id, event).expect("an event");
                let one = builder.seal(envelope.head.clone(), envelope.trace);
                frames.push((*id, one.to_frame().expect("a frame")));
            }
        }
    }
    frames
}

fn lone_actors(frames: Vec<(u128, Vec<u8>)>) -> usize {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let events = frames.len();
        let mut sessions: HashMap<u128, ActorRef<Vec<u8>>> = HashMap::new();
        for (id, frame) in frames {
            let session = match sessions.entry(id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(slot) => {
                    let spawned = Actor::spawn(None, Lone, done.clone()).await;
                    slot.insert(spawned.expect("an actor").0)
                }
            };
            session.cast(frame).expect("a living actor");
        }
        for actor in sessions.values() {
            actor.drain_and_wait(None).await.expect("an end");
        }
        assert_eq!(done.load(std::sync::atomic::Ordering::Relaxed), events);
        events
    })
}

fn run(name: &str, lines: &[String]) {
    measure(&format!("{name}: decode"), || decode(lines));
    let (mut routing, mut envelopes) = (Routing::new(), Vec::new());
    let records = batches(lines, 0);
    measure(&format!("{name}: decode + route"), || {
        envelopes.extend(records.into_iter().flat_map(|batch| routing.route(batch)));
        lines.len()
    });
    let count = envelopes.iter().map(|e| e.head.count as usize).sum();
    measure(&format!("{name}: actor + fold"), || {
        let mut folds = Folds::default();
        for envelope in &envelopes {
            folds.take(envelope);
        }
        count
    });
    let mut shards = cores();
    measure(&format!("{name}: actor + fold + typed rows"), || {
        for envelope in &envelopes {
            apply(&mut shards, envelope);
        }
        count
    });
    measure(&format!("{name}: commit of all that"), || {
        commit(&mut shards);
        count
    });
    measure(&format!("{name}: encode and decode for a peer"), || {
        through_a_peer(&envelopes);
        count
    });
    let sessions = hot_sessions(&envelopes);
    hot_fold(&format!("{name}: fold in order, hot session"), &sessions);
    drop(sessions);
    let frames = frames(&envelopes);
    drop((shards, envelopes));
    in_memory(&format!("{name}: {STAGE}"), lines);
    end_to_end(name, lines);
    measure(&format!("{name}: one ractor actor a session"), || lone_actors(frames));
}

/// Batches that are timed together: shorter than most of what a busy machine puts in between.
const PART: usize = 24;

/// The stage that has the goal of one microsecond. Returns the seconds of each part of it.
fn in_memory(name: &str, lines: &[String]) -> Vec<f64> {
    let (mut routing, mut folds) = (Routing::new(), Folds::default());
    let mut records = batches(lines, 0).into_iter().peekable();
    let mut seconds = Vec::new();
    while records.peek().is_some() {
        let start = cpu();
        for batch in records.by_ref().take(PART) {
            routing.route(batch).iter().for_each(|envelope| folds.take(envelope));
        }
        seconds.push(cpu() - start);
    }
    report(name, lines.len(), seconds.iter().sum());
    seconds
}

/// That stage a few times, and what it takes when each part is at its best: two builds can only be told
/// apart by that where other work is beside.
fn goal(name: &str, lines: &[String]) {
    const ROUNDS: usize = 5;
    let stage = format!("{name}: {STAGE}");
    let mut best = in_memory(&stage, lines);
    for _ in 1..ROUNDS {
        for (best, seconds) in best.iter_mut().zip(in_memory(&stage, lines)) {
            *best = best.min(seconds);
        }
    }
    report(&format!("{stage}, best parts"), lines.len(), best.iter().sum());
}

fn end_to_end(name: &str, lines: &[String]) {
    let (mut routing, mut shards) = (Routing::new(), cores());
    let records = batches(lines, 0);
    measure(&format!("{name}: end to end, one thread"), || {
        for (number, batch) in records.into_iter().enumerate() {
            routing.route(batch).iter().for_each(|envelope| apply(&mut shards, envelope));
            if number % 100 == 99 {
                commit(&mut shards);
            }
        }
        commit(&mut shards);
        lines.len()
    });
}

/// What is measured, by name.
const INPUTS: [&str; 3] = ["traces", "capture", "generated"];

fn input(name: &str) -> Vec<String> {
    match name {
        "traces" => traces(20_000, 4),
        "capture" => captured(0..4000),
        _ => generated(8000),
    }
}

fn main() {
    println!("{:<52} {:>9} {:>7} {:>12} {:>8}", "", "events", "CPU s", "events/CPU s", "us");
    // `-- SESSIONS` measures only with that many generated sessions, for instruments that are slow.
    if let Some(sessions) = std::env::args().find_map(|arg| arg.parse().ok()) {
        return run("generated", &generated(sessions));
    }
    // `-- traces` and so on measures with that input only, `-- goal` only the stage that has the goal.
    let only = std::env::args().find(|arg| INPUTS.contains(&arg.as_str()));
    let only_goal = std::env::args().any(|arg| arg == "goal");
    if only.is_none() && !only_goal {
        idle();
    }
    for name in INPUTS {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let lines = input(name);
        if only_goal {
            goal(name, &lines);
        } else {
            run(name, &lines);
        }
    }
}
