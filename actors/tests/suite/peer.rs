//! What another node sends, readable or not.

use std::sync::Arc;

use naap_actors::ingest::{RecordBatch, RecordEntry};
use naap_actors::peers::{Known, Members, PeerMsg, Peers, Standing};
use naap_actors::region::RegionMsg;
use naap_actors::supervisor::{Cluster, Node};
use naap_protocol::codec::TraceContext;
use naap_protocol::event::{Body, DedupStrategy, Event};
use naap_protocol::peer::{Note, Notes};
use naap_protocol::state::SourcePartition;
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{Envelope, EnvelopeBuilder, EnvelopeHead};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::tree::{AMPLE, PATIENCE, Setup, drain};

/// What a node tells another.
#[derive(Debug)]
enum Told {
    Note(Note),
    Refused(String),
}

/// Keeps what goes to other nodes.
#[derive(Debug)]
struct Kept(UnboundedSender<Told>);

impl Peers for Kept {
    fn send(&self, _to: &str, message: PeerMsg) {
        let PeerMsg::Notes(notes) = message else { panic!("{message:?}") };
        notes.0.into_iter().for_each(|note| drop(self.0.send(Told::Note(note))));
    }

    fn refuse(&self, from: &str, reason: &str) {
        drop(self.0.send(Told::Refused(format!("{from}: {reason}"))));
    }
}

fn source() -> SourcePartition {
    SourcePartition { topic: "streaming_events".to_owned(), partition: 9 }
}

/// Envelope `from..to` with one event.
fn envelope(epoch: u64, from: u64, to: u64) -> Envelope {
    let event = Event {
        offset: from,
        record_ts: Timestamp(1_700_000_000_000),
        uid: format!("u{from}").into(),
        dedup_strategy: DedupStrategy::EventId,
        content_hash: 0,
        event_ts: Timestamp(1_700_000_000_000),
        replay: false,
        version: "1".into(),
        gateway: "g".into(),
        raw: "{}".into(),
        data_at: (0, 0),
        body: Body::Discovery(Vec::new()),
    };
    let mut builder = EnvelopeBuilder::default();
    builder.push_single(u128::from(from), &event).unwrap();
    let (org, source) = ("o".to_owned(), source());
    let head = EnvelopeHead { shard: 1, epoch_hint: epoch, org, source, from, to, count: 0 };
    builder.seal(head, TraceContext::default())
}

/// The envelope as it arrives when its last item was damaged on the way.
fn damaged(envelope: &Envelope) -> Envelope {
    let mut frame = envelope.to_frame().unwrap();
    *frame.last_mut().unwrap() = 0xc1;
    Envelope::from_frame(&frame).unwrap()
}

struct Stage {
    node: Node,
    told: UnboundedReceiver<Told>,
}

impl Stage {
    fn hear(&self, message: PeerMsg) {
        self.node.region.cast(RegionMsg::FromPeer("b".into(), message)).unwrap();
    }

    /// The next that is told and wanted.
    async fn told<T>(&mut self, wanted: impl Fn(Told) -> Option<T>) -> T {
        let next = async {
            loop {
                let told = self.told.recv().await.expect("a node that lives");
                if let Some(found) = wanted(told) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, next).await.expect("an answer")
    }

    /// Attaches, and returns the epoch and what is wanted.
    async fn attach(&mut self, ask: u64) -> (u64, u64) {
        let attach = Note::Attach { shard: 1, source: source(), start: 0, ask };
        self.hear(PeerMsg::Notes(Notes(vec![attach])));
        self.told(|told| match told {
            Told::Note(Note::Attached { epoch, wanted, ask: of, .. }) if of == ask => {
                Some((epoch, wanted))
            }
            _ => None,
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_items_cost_their_sender_its_link_and_the_node_nothing() {
    let (sender, told) = unbounded_channel();
    let cluster = Cluster { peers: Arc::new(Kept(sender)), ..Cluster::alone("n", 0) };
    let node = Setup::new(AMPLE).node_in(cluster).await;
    let mut stage = Stage { node, told };
    let (epoch, wanted) = stage.attach(1).await;
    assert_eq!(wanted, 0);
    stage.hear(PeerMsg::Envelope(envelope(epoch, 0, 1)));
    stage.hear(PeerMsg::Envelope(damaged(&envelope(epoch, 1, 2))));
    let reason = stage
        .told(|told| match told {
            Told::Refused(reason) => Some(reason),
            Told::Note(_) => None,
        })
        .await;
    assert!(reason.starts_with("b: envelope frame body is malformed"), "{reason}");
    // Over its next link the reader begins where the shard is.
    assert_eq!(stage.attach(2).await, (epoch, 1));
    stage.hear(PeerMsg::Envelope(envelope(epoch, 1, 2)));
    assert_eq!(stage.attach(3).await, (epoch, 2));
    // Nobody has such a shard.
    for shard in [4, u16::MAX] {
        let attached = Note::Attached { shard, epoch, source: source(), wanted: 0, ask: 1 };
        let ask = Note::Ask { shard, questions: Vec::new() };
        stage.hear(PeerMsg::Notes(Notes(vec![attached, ask])));
    }
    assert_eq!(stage.attach(4).await, (epoch, 2));
    drain(stage.node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_claim_counts_once_the_rows_of_the_reader_are_stored() {
    let (sender, told) = unbounded_channel();
    let known = |standing| Known { incarnation: 0, weight: 8, standing, suspect: false };
    // Every shard is with the other node.
    let there = [("b", Standing::Up), ("n", Standing::Joining)];
    let members = Members(there.map(|(name, standing)| (name.into(), known(standing))).into());
    let (_keep, members) = tokio::sync::watch::channel(members);
    let cluster = Cluster { peers: Arc::new(Kept(sender)), members, ..Cluster::alone("n", 0) };
    let setup = Setup::new(AMPLE);
    let node = setup.node_in(cluster).await;
    let (intake, mut applied) = (node.intake.clone(), node.applied.clone());
    let mut stage = Stage { node, told };
    intake.assign(source(), 3).unwrap();
    for shard in 0..4 {
        let ask = stage
            .told(|told| match told {
                Told::Note(Note::Attach { shard: of, ask, .. }) if of == shard => Some(ask),
                _ => None,
            })
            .await;
        let attached = Note::Attached { shard, epoch: 1, source: source(), wanted: 3, ask };
        stage.hear(PeerMsg::Notes(Notes(vec![attached])));
    }
    // Another reader has sent offset 3 before; whether the row that it made of it is stored nobody knows.
    let claimed = |shard| Note::Claimed { shard, epoch: 1, applied: vec![(source(), 4)] };
    stage.hear(PeerMsg::Notes(Notes((0..4).map(claimed).collect())));
    let heard = applied.wait_for(|applied| applied.contains_key(&source()));
    let first = timeout(PATIENCE, heard).await.expect("claims").unwrap()[&source()];
    assert_eq!(first, 3, "it is acknowledged, and its row may be nowhere");
    // Nothing for any shard, and a row of the reader.
    let record = RecordEntry { offset: 3, record_ts: None, value: Some(0..2) };
    let (records, data) = (vec![record], b"no".to_vec());
    intake.send(RecordBatch { source: source(), records, next_offset: 4, data }).await.unwrap();
    let stored = applied.wait_for(|applied| applied[&source()] == 4);
    timeout(PATIENCE, stored).await.expect("the row is stored").unwrap();
    let rows = setup.tables.store.lock().unwrap().table("raw_streaming_events_dlq").len();
    assert_eq!(rows, 1);
    stage.node.stop().await;
}
