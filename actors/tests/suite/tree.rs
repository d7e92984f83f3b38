//! The whole tree of actors: records in, rows out, whatever the writer and the log answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use naap_actors::backoff::Backoff;
use naap_actors::ingest::{
    IngestGone, IngestMsg, IngestOptions, IngestStatus, Intake, RecordBatch, RecordEntry, Router,
};
use naap_actors::orchestrator::OrchestratorOptions;
use naap_actors::ports::StateLog;
use naap_actors::region::RegionMsg;
use naap_actors::shard::{ShardOptions, ShardStatus};
use naap_actors::sink::SinkOptions;
use naap_actors::supervisor::{Cluster, Node, NodeArgs};
use naap_generator::{Plan, Profile, Totals};
use naap_protocol::codec;
use naap_protocol::gate::Gate;
use naap_protocol::privacy::PrivacyMode;
use naap_protocol::rows;
use naap_protocol::state::{Expired, SessionState, SourcePartition};
use tokio::time::timeout;

use crate::cells::{Cells, Store};
use crate::memory::{Answer, MemoryLog, MemoryTables, clock};
use crate::meters::{counted, sum};

const SHARDS: u16 = 4;
const PARTITIONS: usize = 3;
/// A test that waits longer than this hangs.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

fn source(partition: usize) -> SourcePartition {
    SourcePartition { topic: "streaming_events".to_owned(), partition: partition as u32 }
}

fn is_capability(line: &[u8]) -> bool {
    let name = b"\"network_capabilities\"";
    line.windows(name.len()).any(|part| part == name)
}

/// What lies in the partitions.
#[derive(Clone)]
struct Input {
    logs: Vec<Vec<Vec<u8>>>,
    totals: Totals,
}

impl Input {
    fn new(sessions: u64) -> Self {
        let profile = Profile { oversized: false, duplicate: 0.05, ..Profile::default() };
        let plan = Plan { seed: 7, sessions, orchestrators: 20, hours: 1, profile };
        let (mut lines, no_truth) = (Vec::new(), None::<&mut Vec<u8>>);
        let summary = plan.write(&mut lines, no_truth, &mut |_| ()).expect("a plan");
        let mut logs = vec![Vec::new(); PARTITIONS];
        let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        for (number, line) in lines.enumerate() {
            logs[number * 7 / 3 % PARTITIONS].push(line.to_vec());
        }
        Self { logs, totals: summary.totals }
    }

    fn batch(&self, partition: usize, from: usize, to: usize) -> RecordBatch {
        let mut data = Vec::new();
        let mut records = Vec::new();
        for (line, offset) in self.logs[partition][from..to].iter().zip(from as u64..) {
            let start = data.len();
            data.extend_from_slice(line);
            records.push(RecordEntry { offset, record_ts: None, value: Some(start..data.len()) });
        }
        RecordBatch { source: source(partition), records, next_offset: to as u64, data }
    }

    /// The same records, those of capability advertisements before or behind all others.
    fn with_capabilities(&self, last: bool) -> Self {
        let sorted = |log: &Vec<Vec<u8>>| {
            let mut log = log.clone();
            log.sort_by_key(|line| is_capability(line) == last);
            log
        };
        Self { logs: self.logs.iter().map(sorted).collect(), totals: self.totals.clone() }
    }

    fn bytes(&self) -> usize {
        self.logs.iter().flatten().map(Vec::len).sum()
    }

    /// Sends everything from `applied` on, at most `limit` records of each partition. Counts bytes
    /// that the intake has taken in `taken`.
    async fn feed(
        &self,
        intake: &Intake,
        applied: &BTreeMap<SourcePartition, u64>,
        limit: usize,
        taken: &tokio::sync::watch::Sender<usize>,
    ) -> Result<(), IngestGone> {
        let start = |p| applied.get(&source(p)).copied().unwrap_or(0);
        for partition in 0..PARTITIONS {
            intake.assign(source(partition), start(partition))?;
        }
        let longest = self.logs.iter().map(Vec::len).max().unwrap_or(0);
        for step in 0..limit.min(longest).div_ceil(20) {
            for (partition, log) in self.logs.iter().enumerate() {
                let from = start(partition) as usize + step * 20;
                let to = (from + 20).min(log.len());
                if from < to {
                    let batch = self.batch(partition, from, to);
                    let bytes = batch.data.len();
                    intake.send(batch).await?;
                    taken.send_modify(|sum| *sum += bytes);
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Budgets {
    window: usize,
    buffer: usize,
    sink: usize,
    full_rows: u64,
}

pub(crate) const AMPLE: Budgets =
    Budgets { window: 1 << 20, buffer: 8 << 20, sink: 64 << 20, full_rows: 5000 };
const TINY: Budgets = Budgets { window: 1 << 10, buffer: 8 << 10, sink: 4 << 10, full_rows: 5000 };

pub(crate) struct Setup {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) tables: Arc<MemoryTables>,
    budgets: Budgets,
    /// As in live mode; `None` as in a replay of files.
    retention_ms: Option<i64>,
}

impl Setup {
    pub(crate) fn new(budgets: Budgets) -> Self {
        Self { log: Arc::default(), tables: Arc::default(), budgets, retention_ms: None }
    }

    async fn node(&self) -> Node {
        self.node_in(Cluster::alone("n", self.log.shard(0).epoch)).await
    }

    pub(crate) async fn node_in(&self, cluster: Cluster) -> Node {
        let epoch_floor = self.log.shard(0).epoch;
        let Budgets { window, buffer, sink, full_rows } = self.budgets;
        let gate = Gate::default();
        let args = NodeArgs {
            node: "n".to_owned(),
            incarnation: epoch_floor,
            epoch_floor,
            tables: rows::ALL,
            router: Router::new(gate, PrivacyMode::Keep, SHARDS, (epoch_floor + 1) << 48, clock()),
            ingest: IngestOptions {
                shards: SHARDS,
                window_bytes: window,
                buffer_bytes: buffer,
                uncommitted_bytes: 16 << 20,
                flush_interval: Duration::from_millis(20),
            },
            shard: ShardOptions {
                idle_ticks: 2,
                after_close_ticks: 1,
                awake_budget: 50_000,
                retention_ms: self.retention_ms,
                kept_ms: 0,
                hold_ticks: 0,
                correction_rows: None,
            },
            orchestrators: OrchestratorOptions { keep_everything: true, ..Default::default() },
            sink: SinkOptions {
                max_rows: full_rows,
                max_bytes: 1 << 20,
                in_flight: 2,
                backoff: Backoff { first: Duration::from_millis(1), max: Duration::from_millis(5) },
            },
            sink_budget: sink,
            log: self.log.clone(),
            writer: self.tables.clone(),
            rollups: None,
            probe: None,
            clock: clock(),
            cluster,
        };
        Node::start(args).await.expect("a node")
    }

    fn store(&self) -> Store {
        self.tables.store.lock().unwrap().clone()
    }

    /// What every shard has applied, as a source would ask for it.
    fn applied(&self) -> BTreeMap<SourcePartition, u64> {
        let claim = |shard| self.log.shard(shard).progress.applied;
        let claims: Vec<_> = (0..SHARDS).map(claim).collect();
        let lowest = |p| claims.iter().map(|c| c.get(&source(p)).copied().unwrap_or(0)).min();
        (0..PARTITIONS).map(|p| (source(p), lowest(p).unwrap_or(0))).collect()
    }
}

async fn feed_all(input: &Input, node: &Node, applied: &BTreeMap<SourcePartition, u64>) {
    let taken = tokio::sync::watch::Sender::new(0);
    let feeding = input.feed(&node.intake, applied, usize::MAX, &taken);
    timeout(PATIENCE, feeding).await.expect("no deadlock").expect("an ingest");
}

pub(crate) async fn drain(node: Node) -> IngestStatus {
    timeout(PATIENCE, node.drain()).await.expect("no deadlock").expect("a drained node")
}

/// The latest rows of a run without trouble.
async fn calm(input: &Input) -> (IngestStatus, Store) {
    let setup = Setup::new(AMPLE);
    let node = setup.node().await;
    feed_all(input, &node, &BTreeMap::new()).await;
    (drain(node).await, setup.store())
}

type Latest = Vec<(&'static str, Vec<String>, Cells)>;

fn assert_same(found: &Store, expected: &Store) {
    let (found, expected): (Latest, Latest) = (found.latest(), expected.latest());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_become_rows_and_every_one_is_counted() {
    let input = Input::new(40);
    let (status, store) = calm(&input).await;
    let (records, shards, totals) = (status.records, status.shards, &input.totals);
    let sum = |counts: &BTreeMap<&'static str, u64>| counts.values().sum::<u64>();
    let accepted = sum(&records.accepted);
    let rejected = sum(&records.dead_lettered) + sum(&records.quarantined);
    assert_eq!(records.read, totals.lines);
    assert_eq!(records.read, accepted + sum(&records.ignored) + rejected);
    assert_eq!(accepted, shards.accepted + shards.duplicates);
    assert_eq!((shards.accepted, shards.duplicates), (totals.accepted(), totals.duplicates()));
    assert_eq!(records.ignored, totals.ignored);
    assert_eq!(records.dead_lettered, totals.dead_letters);
    assert_eq!((shards.redelivered, shards.conflicts, shards.panics), (0, 0, 0));
    let rows = |table| store.table(table).len() as u64;
    assert_eq!(rows("fact_workflow_sessions"), totals.sessions);
    assert_eq!(rows("raw_streaming_events"), accepted);
    assert_eq!(rows("raw_ignored_events"), sum(&records.ignored));
    assert_eq!(rows("raw_streaming_events_dlq"), sum(&records.dead_lettered));
    assert_eq!(rows("raw_streaming_events_quarantine"), sum(&totals.quarantined));
    assert!(totals.duplicates() > 10, "the input has duplicates");
    for (partition, log) in input.logs.iter().enumerate() {
        assert_eq!(status.applied[&source(partition)], log.len() as u64);
    }
}

/// What the shards put beside the facts is in the metrics with what the gate does, once, by its reason.
#[test]
fn rejects_of_the_shards_are_counted_with_those_of_the_gate() {
    let record = |id: &str, family: &str, gateway: &str, data: &str| {
        let head = format!(r#""id":"{id}","type":"{family}","timestamp":"1767908945298""#);
        format!(r#"{{{head},"gateway":"{gateway}","data":{data}}}"#).into_bytes()
    };
    let request = r#"{"type":"gateway_receive_stream_request","stream_id":"s","request_id":"r"}"#;
    // Half a character is no text: the second entry can not be read.
    let nodes = r#"[{"address":"0xa","orch_uri":"https://a"},{"address":"\ud800"}]"#;
    let log = vec![
        record("conflict", "stream_trace", "g", request),
        record("conflict", "stream_trace", "h", request),
        record("twice", "stream_trace", "g", request),
        record("twice", "stream_trace", "g", request),
        record("nodes", "network_capabilities", "g", nodes),
        b"no event".to_vec(),
    ];
    let input = Input { logs: vec![log, Vec::new(), Vec::new()], totals: Totals::default() };
    // On one thread all actors count where the test looks.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = counted(|| {
        let (status, store) = runtime.block_on(calm(&input));
        assert_eq!((status.shards.conflicts, status.shards.duplicates), (1, 1));
        assert_eq!(store.table("raw_streaming_events_quarantine").len(), 2);
        assert_eq!(store.table("raw_streaming_events_dlq").len(), 2);
    });
    let value = |key: &str| found.get(key).copied();
    for reason in ["id_conflict", "parse_exception", "json_parse_error"] {
        let key = format!("naap_ingest_rejected_total{{reason={reason}}}");
        assert_eq!(value(&key), Some(1.0), "{reason}");
    }
    assert_eq!(Some(sum(&found, "naap_ingest_rejected_total", "")), Some(3.0));
    assert_eq!(value("naap_duplicates_total{}"), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn tiny_budgets_slow_the_tree_and_never_lock_it() {
    let input = Input::new(25);
    let (_, expected) = calm(&input).await;
    for full_rows in [1, 3, 5000] {
        let setup = Setup::new(Budgets { full_rows, ..TINY });
        let node = setup.node().await;
        feed_all(&input, &node, &BTreeMap::new()).await;
        drain(node).await;
        assert_same(&setup.store(), &expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_writer_stops_intake_within_the_budgets() {
    let input = Arc::new(Input::new(40));
    let (_, expected) = calm(&input).await;
    let budgets = Budgets { window: 4 << 10, buffer: 32 << 10, sink: 16 << 10, full_rows: 50 };
    let setup = Setup::new(budgets);
    setup.tables.answer.send_replace(Answer::Stalled);
    let node = setup.node().await;
    let (taken, intake) = (Arc::new(tokio::sync::watch::Sender::new(0)), node.intake.clone());
    let mut feeding = tokio::spawn({
        let (input, taken) = (input.clone(), taken.clone());
        async move { input.feed(&intake, &BTreeMap::new(), usize::MAX, &taken).await }
    });
    let mut stalled = setup.tables.stalled.subscribe();
    timeout(PATIENCE, stalled.wait_for(|&calls| calls > 0)).await.expect("a call").unwrap();
    // Nothing tells that nothing more will come: a while without an end has to do.
    assert!(timeout(Duration::from_millis(300), &mut feeding).await.is_err(), "intake stopped");
    // Rows are larger than the records they come from, so these bounds are generous.
    let shards = usize::from(SHARDS);
    let most = budgets.buffer + budgets.window * shards + budgets.sink + (64 << 10);
    // Whatever its rows wait for, the ingest hears what others say: nothing else bounds their messages.
    let status = async { ractor::call!(node.intake.actor(), IngestMsg::Inspect) };
    assert!(timeout(PATIENCE, status).await.expect("an answer").is_ok());
    let held = *taken.borrow();
    assert!(held <= most && most < input.bytes(), "{held} of {most}, {}", input.bytes());
    setup.tables.answer.send_replace(Answer::Stored);
    timeout(PATIENCE, feeding).await.expect("it goes on").unwrap().expect("an ingest");
    drain(node).await;
    assert_same(&setup.store(), &expected);
    // A parcel over the whole budget is let through alone, when nothing else is under way.
    let largest = setup.tables.most_under_way.load(Ordering::Relaxed);
    assert!(largest <= 256 << 10, "{largest} bytes under way");
}

/// A record that a shard claims while a row of the ingest is missing never comes again: a cycle stores what the
/// sinks have.
#[tokio::test(flavor = "multi_thread")]
async fn a_shard_hears_of_nothing_before_the_sinks_have_the_rows_of_the_ingest() {
    let input = Input::new(60);
    let setup = Setup::new(Budgets { sink: 4 << 10, ..AMPLE });
    let node = setup.node().await;
    node.intake.assign(source(0), 0).unwrap();
    node.intake.send(input.batch(0, 0, 20)).await.unwrap();
    let mut applied = node.applied.clone();
    let until = |to: u64| move |applied: &BTreeMap<_, u64>| applied.get(&source(0)) == Some(&to);
    timeout(PATIENCE, applied.wait_for(until(20))).await.expect("a cycle").unwrap();
    // More pieces of rows than there is room for.
    setup.tables.answer.send_replace(Answer::Stalled);
    node.intake.send(input.batch(0, 20, 320)).await.unwrap();
    assert!(ractor::call!(node.intake.actor(), IngestMsg::Inspect).is_ok(), "it has been read");
    // A shard that has taken more may wait for the tables itself.
    let shards = async { ractor::call!(node.region, RegionMsg::Inspect) };
    let shards = timeout(PATIENCE, shards).await.expect("shards that answer").unwrap();
    let has = |shard: &ShardStatus| shard.progress.applied.get(&source(0)).copied();
    assert!(shards.iter().filter_map(has).all(|to| to <= 20), "{shards:?}");
    setup.tables.answer.send_replace(Answer::Stored);
    timeout(PATIENCE, applied.wait_for(until(320))).await.expect("it goes on").unwrap();
    drain(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_and_lost_answers_change_nothing() {
    let input = Input::new(25);
    let (_, expected) = calm(&input).await;
    for answer in [Answer::Failing, Answer::Lost] {
        let setup = Setup::new(AMPLE);
        setup.tables.answer.send_replace(answer);
        let node = setup.node().await;
        feed_all(&input, &node, &BTreeMap::new()).await;
        let mut failures = setup.tables.failures.subscribe();
        timeout(PATIENCE, failures.wait_for(|&count| count > 20)).await.expect("tries").unwrap();
        setup.tables.answer.send_replace(Answer::Stored);
        drain(node).await;
        assert_same(&setup.store(), &expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_refuses_rows_ends_the_node_by_name() {
    for budgets in [AMPLE, TINY] {
        let input = Input::new(10);
        let setup = Setup::new(budgets);
        setup.tables.answer.send_replace(Answer::Refused("raw_ai_stream_status"));
        let mut node = setup.node().await;
        let taken = tokio::sync::watch::Sender::new(0);
        // The node can fail before it has taken everything.
        let _fed = input.feed(&node.intake, &BTreeMap::new(), usize::MAX, &taken).await;
        let failure = timeout(PATIENCE, node.failure()).await.expect("a failure").to_string();
        assert!(failure.contains("raw_ai_stream_status"), "{failure}");
        assert!(setup.applied().values().all(|&offset| offset == 0), "nothing was claimed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_log_that_fails_ends_the_node() {
    let input = Input::new(10);
    let setup = Setup::new(AMPLE);
    let mut node = setup.node().await;
    setup.log.broken.store(true, Ordering::Relaxed);
    feed_all(&input, &node, &BTreeMap::new()).await;
    let failure = timeout(PATIENCE, node.failure()).await.expect("a failure").to_string();
    assert_eq!(failure, "state log: the disk is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_reports_a_failure_instead_of_waiting() {
    let input = Input::new(10);
    let setup = Setup::new(AMPLE);
    setup.tables.answer.send_replace(Answer::Stalled);
    let node = setup.node().await;
    feed_all(&input, &node, &BTreeMap::new()).await;
    let draining = tokio::spawn(node.drain());
    let mut stalled = setup.tables.stalled.subscribe();
    timeout(PATIENCE, stalled.wait_for(|&calls| calls > 0)).await.expect("a call").unwrap();
    setup.tables.answer.send_replace(Answer::Refused("raw_streaming_events"));
    let outcome = timeout(PATIENCE, draining).await.expect("an end").unwrap();
    let failure = outcome.expect_err("a failure").to_string();
    assert!(failure.contains("raw_streaming_events"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_resume_without_loss_or_doubles() {
    let input = Input::new(40);
    let (_, expected) = calm(&input).await;
    let setup = Setup::new(Budgets { window: 4 << 10, ..AMPLE });
    for _ in 0..4 {
        let mut node = setup.node().await;
        let taken = tokio::sync::watch::Sender::new(0);
        input.feed(&node.intake, &setup.applied(), 100, &taken).await.expect("an ingest");
        // At least one commit that applies something, then the end comes between any two steps.
        let moved = node.applied.wait_for(|now| now.values().any(|&offset| offset > 0));
        timeout(PATIENCE, moved).await.expect("a commit").unwrap();
        node.stop().await;
    }
    let before = setup.applied();
    assert!(before.values().any(|&offset| offset > 0), "something was claimed");
    let node = setup.node().await;
    feed_all(&input, &node, &before).await;
    drain(node).await;
    assert_same(&setup.store(), &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_hold_nothing_are_claimed_and_do_not_hold_a_drain() {
    let setup = Setup::new(AMPLE);
    let mut node = setup.node().await;
    node.intake.assign(source(9), 17).expect("an ingest");
    let applied = BTreeMap::from([(source(9), 17)]);
    let claimed = node.applied.wait_for(|found| *found == applied);
    timeout(PATIENCE, claimed).await.expect("a claim").unwrap();
    let status = drain(node).await;
    assert_eq!((status.applied, status.records.read), (applied, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_an_unassigned_partition_end_the_node() {
    let input = Input::new(1);
    let setup = Setup::new(AMPLE);
    let mut node = setup.node().await;
    node.intake.send(input.batch(0, 0, 1)).await.expect("an ingest");
    let failure = timeout(PATIENCE, node.failure()).await.expect("a failure").to_string();
    assert_eq!(failure, "records of streaming_events/0 came before its assignment");
}

/// Facts of sessions, which do not depend on where a record stood.
fn facts(store: &Store) -> Latest {
    store.latest().into_iter().filter(|(table, ..)| table.starts_with("fact_")).collect()
}

fn attributed(store: &Store) -> usize {
    let rows = store.table("fact_workflow_sessions");
    rows.iter().filter(|row| row["attribution_source"] == "direct").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_corrects_what_was_written_whenever_it_comes() {
    let input = Input::new(40);
    let (_, in_order) = calm(&input).await;
    let (_, first) = calm(&input.with_capabilities(false)).await;
    assert!(attributed(&in_order) > 20, "most sessions are attributed");
    assert_eq!(facts(&first), facts(&in_order));
    // Everything is written without evidence before the first advertisement comes, and the node
    // starts anew in between.
    let last = input.with_capabilities(true);
    let setup = Setup::new(AMPLE);
    let mut half = last.clone();
    half.logs.iter_mut().for_each(|log| log.truncate(log.len() * 9 / 10));
    let node = setup.node().await;
    feed_all(&half, &node, &BTreeMap::new()).await;
    drain(node).await;
    assert_eq!(attributed(&setup.store()), 0);
    let node = setup.node().await;
    feed_all(&last, &node, &setup.applied()).await;
    drain(node).await;
    assert_eq!(facts(&setup.store()), facts(&in_order));
}

/// Feeds the first records of each partition, waits until they are stored, then feeds the rest.
async fn in_two_parts(input: &Input, first: [usize; PARTITIONS]) -> (IngestStatus, Setup) {
    let mut part = input.clone();
    part.logs.iter_mut().zip(first).for_each(|(log, first)| log.truncate(first));
    let setup = Setup::new(AMPLE);
    let mut node = setup.node().await;
    feed_all(&part, &node, &BTreeMap::new()).await;
    let ends = (0..PARTITIONS).map(|p| (source(p), first[p] as u64)).collect();
    let stored = node.applied.wait_for(|found| *found == ends);
    timeout(PATIENCE, stored).await.expect("a commit").unwrap();
    feed_all(input, &node, &ends).await;
    (drain(node).await, setup)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_late_evidence_replaces_are_counted() {
    let last = Input::new(20).with_capabilities(true);
    let capabilities = |log: &Vec<Vec<u8>>| log.iter().filter(|line| is_capability(line)).count();
    let count = |p: usize| capabilities(&last.logs[p]);
    let sessions = [0, 1, 2].map(|p| last.logs[p].len() - count(p));
    let (status, setup) = in_two_parts(&last, sessions).await;
    assert!(attributed(&setup.store()) > 10);
    assert!(status.shards.corrections > 10, "{}", status.shards.corrections);
    let first = Input::new(20).with_capabilities(false);
    let (status, setup) = in_two_parts(&first, [0, 1, 2].map(count)).await;
    assert!(attributed(&setup.store()) > 10);
    assert_eq!(status.shards.corrections, 0, "what is known in time corrects nothing");
}

/// The value of text field `name` in a line.
fn text_of<'l>(line: &'l str, name: &str) -> &'l str {
    let rest = line.split_once(&format!("\"{name}\":\"")).expect("the field").1;
    rest.split_once('"').expect("an end").0
}

/// `line` under another id.
fn renamed(line: &str, id: &str) -> Vec<u8> {
    line.replacen(text_of(line, "id"), id, 1).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_and_late_records_change_nothing() {
    let mut input = Input::new(10);
    let setup = Setup { retention_ms: Some(3_600_000), ..Setup::new(AMPLE) };
    let trace = |line: &Vec<u8>| {
        let line = String::from_utf8(line.clone()).ok()?;
        (line.contains("\"stream_trace\"") && line.contains("\"id\":\"")).then_some(line)
    };
    let line = input.logs[0].iter().find_map(trace).expect("a trace");
    let node = setup.node().await;
    feed_all(&input, &node, &BTreeMap::new()).await;
    drain(node).await;
    let states = |setup: &Setup| {
        let mut marks = (0, 0);
        for shard in 0..SHARDS {
            let mut each = |_, frame: &[u8]| {
                marks.0 += usize::from(codec::is::<SessionState>(frame));
                marks.1 += usize::from(codec::is::<Expired>(frame));
            };
            setup.log.entities(shard, &mut each).unwrap();
        }
        marks
    };
    let (sessions, none) = states(&setup);
    assert!(sessions >= 10 && none == 0, "{sessions} sessions, {none} marks");
    // Days later every shard hears of new sessions, in every partition.
    let stamp = text_of(&line, "timestamp").to_owned();
    let later = (stamp.parse::<i64>().expect("ms") + 5 * 86_400_000).to_string();
    let stream = text_of(&line, "stream_id").to_owned();
    let new = |number: usize| {
        let line = line.replace(&stamp, &later).replace(&stream, &format!("later-{number}"));
        renamed(&line, &format!("later-{number}"))
    };
    for number in 0..120 {
        input.logs[number % PARTITIONS].push(new(number));
    }
    let before = facts(&setup.store());
    let node = setup.node().await;
    feed_all(&input, &node, &setup.applied()).await;
    drain(node).await;
    // The next node finds what is over by the watermark that was claimed.
    let node = setup.node().await;
    feed_all(&input, &node, &setup.applied()).await;
    drain(node).await;
    let (new, marks) = states(&setup);
    assert_eq!((new, marks), (120, sessions));
    let (late, offset) = (renamed(&line, "late"), input.logs[0].len());
    input.logs[0].push(late);
    let node = setup.node().await;
    feed_all(&input, &node, &setup.applied()).await;
    let status = drain(node).await;
    assert_eq!(status.applied[&source(0)], offset as u64 + 1);
    assert_eq!((status.shards.late_expired, status.shards.sessions), (1, 0));
    let now = setup.store();
    let typed = now.table("raw_stream_trace_events");
    assert!(typed.iter().any(|row| row["raw_event_uid"] == "late"), "raw and typed rows only");
    let old = facts(&now).into_iter().filter(|row| before.contains(row)).count();
    assert_eq!(old, before.len(), "no fact of a session that is over has changed");
}
