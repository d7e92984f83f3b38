//! When rows wait: for answers, for evidence, in a storm of corrections (backlog 024, phase 3), and
//! what is counted of all that (backlog 004).

use naap_actors::session::tally::Cause;
use std::sync::Arc;

use naap_actors::outbox::RowBatch;
use naap_actors::ports::StateLog;
use naap_actors::shard::{ROUTING_VERSION, ShardCore, ShardOptions};
use naap_protocol::capability::advertise::Advertisement;
use naap_protocol::capability::decide::DirectWindow;
use naap_protocol::capability::evidence::{Evidence, Question, Subject};
use naap_protocol::capability::index::Index;
use naap_protocol::codec::TraceContext;
use naap_protocol::event::{Body, Event};
use naap_protocol::identity::EntityKey;
use naap_protocol::state::{Progress, SourcePartition};
use naap_protocol::wire::{EnvelopeBuilder, EnvelopeHead};

use crate::memory::{MemoryLog, clock};
use crate::meters::{counted, sum};
use crate::stage::{Input, script};

const OPTIONS: ShardOptions = ShardOptions {
    idle_ticks: 1000,
    after_close_ticks: 1000,
    awake_budget: 1 << 20,
    retention_ms: None,
    kept_ms: 0,
    hold_ticks: 15,
    correction_rows: None,
};

/// One shard and the orchestrators that its sessions ask.
struct World {
    core: ShardCore,
    log: Arc<MemoryLog>,
    index: Index,
    asked: Vec<Question>,
    offset: u64,
}

impl World {
    fn new(options: ShardOptions) -> Self {
        let progress =
            Progress { epoch: 1, routing_version: ROUTING_VERSION, ..Progress::default() };
        let log = Arc::<MemoryLog>::default();
        let core = ShardCore::new(0, progress, options, log.clone(), clock());
        Self { core, log, index: Index::default(), asked: Vec::new(), offset: 0 }
    }

    /// Takes a script for session `stream|r`.
    fn take(&mut self, stream: &str, text: &str) {
        for input in script(text) {
            match input {
                Input::Capability(advertisement) => self.advertise(&advertisement),
                Input::Event(event) => self.event(stream, *event),
            }
        }
    }

    fn event(&mut self, stream: &str, mut event: Event<'static>) {
        let id = match &mut event.body {
            Body::Status(body) => &mut body.stream_id,
            Body::Trace(body) => &mut body.stream_id,
            Body::Ai(body) => &mut body.stream_id,
            _ => panic!("an event of a session"),
        };
        *id = stream.to_owned().into();
        event.uid = format!("{stream}{}", event.uid).into();
        event.offset = self.offset;
        let mut builder = EnvelopeBuilder::default();
        let owner = EntityKey::owner("org", &event).id().0;
        builder.push_session(owner, &event).unwrap();
        let source = SourcePartition { topic: "t".to_owned(), partition: 0 };
        let (from, to) = (self.offset, self.offset + 1);
        let org = "org".to_owned();
        let head = EnvelopeHead { shard: 0, epoch_hint: 0, org, source, from, to, count: 0 };
        self.offset = to;
        self.core.apply(&builder.seal(head, TraceContext::default())).unwrap();
        let asked = self.core.questions();
        self.asked.extend(asked);
    }

    fn advertise(&mut self, advertisement: &Advertisement) {
        self.index.insert(advertisement);
    }

    /// Answers everything that was ever asked.
    fn answer(&mut self) {
        loop {
            for question in &self.asked {
                let evidence = |(subject, _): &(Subject, _)| Evidence {
                    session: question.session,
                    role: question.role,
                    subject: subject.clone(),
                    decision: subject.decide(&self.index, DirectWindow::default()),
                    complete: true,
                };
                for evidence in question.subjects.iter().map(evidence) {
                    self.core.learn(evidence, Cause::LateCapability).unwrap();
                }
            }
            let more = self.core.questions();
            if more.is_empty() {
                return;
            }
            self.asked.extend(more);
        }
    }

    /// Ends a commit cycle. Returns the rows of `table` in it, and how many sessions owe some.
    fn commit(&mut self, table: &str, flush: bool) -> (u64, usize) {
        let saved = self.core.commit(flush).unwrap();
        self.asked.extend(saved.questions);
        self.log.append(saved.records).unwrap();
        let of_table = |batch: &RowBatch| batch.table.name == table;
        let rows = self.core.take_rows().iter().filter(|b| of_table(b)).map(|b| b.count).sum();
        self.core.committed();
        (rows, saved.owing)
    }
}

const SESSIONS: &str = "fact_workflow_sessions";

#[test]
fn rows_wait_for_an_answer_that_is_under_way() {
    let mut world = World::new(ShardOptions { hold_ticks: 0, ..OPTIONS });
    world.take("s", "CAP@900{A} REQ@1000 ST@2000{A}");
    assert_eq!(world.commit(SESSIONS, true), (0, 1), "nobody has answered");
    world.answer();
    assert_eq!(world.commit(SESSIONS, false), (1, 0));
    assert_eq!(world.commit(SESSIONS, false), (0, 0), "nothing is written twice");
}

#[test]
fn rows_wait_for_an_answer_for_a_while_and_are_corrected_by_it() {
    let found = counted(|| {
        let mut world = World::new(OPTIONS);
        world.take("s", "CAP@900{A} REQ@1000 ST@2000{A}");
        for _ in 0..15 {
            assert_eq!(world.commit(SESSIONS, false), (0, 1), "nobody has answered");
            world.core.tick();
        }
        assert_eq!(world.commit(SESSIONS, false), (1, 0), "15 ticks are enough");
        world.answer();
        assert_eq!(world.commit(SESSIONS, false), (1, 0));
    });
    let wait = "naap_attribution_wait_seconds";
    assert!((sum(&found, wait, "outcome=timed_out") - 1.0).abs() < 1e-9, "{found:?}");
    let corrections = sum(&found, "naap_lifecycle_corrections_total", "cause=late_capability");
    assert!(corrections > 0.0, "{found:?}");
}

#[test]
fn rows_without_evidence_wait_for_it_for_a_while() {
    let mut world = World::new(OPTIONS);
    world.take("s", "REQ@1000 ST@2000{A}");
    world.answer();
    for _ in 0..15 {
        assert_eq!(world.commit(SESSIONS, false), (0, 1));
        world.core.tick();
    }
    assert_eq!(world.commit(SESSIONS, false), (1, 0), "15 ticks are enough");
    // Evidence that comes is not waited for.
    world.take("s", "ST@3000{A,uid=more}");
    world.answer();
    assert_eq!(world.commit(SESSIONS, false), (0, 1));
    world.take("s", "CAP@900{A}");
    world.answer();
    assert_eq!(world.commit(SESSIONS, false), (1, 0));
    // A stop does not wait either.
    world.take("t", "REQ@1000 ST@2000{B}");
    world.answer();
    assert_eq!(world.commit(SESSIONS, false), (0, 1));
    assert_eq!(world.commit(SESSIONS, true), (1, 0));
}

#[test]
fn a_session_without_a_selection_waits_for_nothing() {
    let mut world = World::new(OPTIONS);
    world.take("s", "REQ@1000 NOORCH@2000");
    assert_eq!(world.commit(SESSIONS, false), (1, 0));
}

#[test]
fn a_storm_of_corrections_is_spread_and_does_not_hold_up_new_input() {
    let mut world = World::new(ShardOptions { hold_ticks: 0, correction_rows: Some(5), ..OPTIONS });
    for number in 0..20 {
        world.take(&format!("s{number}"), "REQ@1000 ST@2000{A}");
    }
    world.answer();
    assert_eq!(world.commit(SESSIONS, false), (20, 0), "first rows are no corrections");
    world.take("", "CAP@900{A}");
    world.answer();
    world.take("new", "REQ@1000 ST@2000{A}");
    world.answer();
    let (first, mut owing) = world.commit(SESSIONS, false);
    assert_eq!((first, owing), (2, 19), "the new session, and one correction");
    let (mut rows, mut cycles) = (first, 1);
    while owing > 0 {
        let (written, left) = world.commit(SESSIONS, false);
        assert!(written <= 1, "a session has more rows than a cycle may write");
        (rows, cycles, owing) = (rows + written, cycles + 1, left);
    }
    assert_eq!(rows, 21);
    assert!(cycles > 20, "the debt of a large session is paid off first: {cycles}");
}

#[test]
fn a_storm_after_a_restart_is_spread_too() {
    let options = ShardOptions { hold_ticks: 0, correction_rows: Some(5), ..OPTIONS };
    let mut world = World::new(options);
    for number in 0..20 {
        world.take(&format!("s{number}"), "REQ@1000 ST@2000{A}");
    }
    world.answer();
    assert_eq!(world.commit(SESSIONS, false), (20, 0));
    let claim = world.core.progress().clone();
    let progress = Progress { epoch: 2, cycle: 0, ..claim.clone() };
    world.core = ShardCore::new(0, progress, options, world.log.clone(), clock());
    world.asked = world.core.resume(&claim).unwrap();
    assert_eq!(world.core.sessions_awake(), 0, "all rows are stored");
    world.take("", "CAP@900{A}");
    world.answer();
    let (first, owing) = world.commit(SESSIONS, false);
    assert_eq!((first, owing), (1, 19), "one session has more rows than a cycle may write");
}

#[test]
fn every_lifecycle_event_and_every_coverage_row_is_counted_once() {
    let mut coverage = 0;
    // A shard that is gone shows nothing.
    let mut kept = None;
    let found = counted(|| {
        let world = kept.insert(World::new(OPTIONS));
        let script = "REQ@1000 PROC@2000 ST@3000{A} ERR\"boom\"@4000 SWAP@5000{A} CLOSE@6000";
        for stream in ["a", "b", "c"] {
            world.take(stream, script);
            // Delivered again under another offset.
            world.take(stream, "REQ@1000");
        }
        world.take("a", "CAP@900{A} PLAY@2500{uid=late}");
        world.answer();
        coverage = world.commit("fact_lifecycle_edge_coverage", true).0;
    });
    let signals = "naap_lifecycle_signals_total";
    assert!((sum(&found, signals, "") - 22.0).abs() < 1e-9, "{found:?}");
    assert!((sum(&found, signals, "outcome=duplicate") - 3.0).abs() < 1e-9, "{found:?}");
    let matched = sum(&found, "naap_lifecycle_edges_matched_total", "");
    let unmatched = sum(&found, "naap_lifecycle_edges_unmatched_total", "");
    assert!((matched + unmatched - coverage as f64).abs() < 1e-9, "{matched} + {unmatched}");
    assert_eq!(coverage, 19);
    let retained = sum(&found, "naap_lifecycle_sessions_retained", "shard=0");
    let open = sum(&found, "naap_lifecycle_sessions_open", "shard=0");
    assert!((retained - 3.0).abs() < 1e-9 && open.abs() < 1e-9, "{retained} kept, {open} open");
}

#[test]
fn what_a_session_learns_in_its_sleep_is_counted() {
    let found = counted(|| {
        let options =
            ShardOptions { idle_ticks: 1, after_close_ticks: 1, hold_ticks: 0, ..OPTIONS };
        let mut world = World::new(options);
        world.take("s", "REQ@1000 ST@2000{A} CLOSE@3000");
        world.answer();
        assert_eq!(world.commit(SESSIONS, false), (1, 0));
        (0..3).for_each(|_| world.core.tick());
        assert_eq!(world.core.sessions_awake(), 0);
        world.take("s", "CAP@900{A}");
        world.answer();
        assert_eq!(world.commit(SESSIONS, false), (1, 0));
    });
    let results = |label: &str| sum(&found, "naap_attribution_results_total", label);
    assert_eq!((results("label=unattributed"), results("label=direct")), (1.0, 1.0));
}
