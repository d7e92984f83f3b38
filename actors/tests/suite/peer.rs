//! What other nodes send, readable or not, and what they are told.

use std::sync::Arc;
use std::time::Duration;

use naap_actors::ingest::{RecordBatch, RecordEntry, Wants};
use naap_actors::peers::{Known, Members, PeerMsg, Peers, Standing};
use naap_actors::region::RegionMsg;
use naap_actors::supervisor::{Cluster, Node};
use naap_protocol::codec::TraceContext;
use naap_protocol::event::{Body, DedupStrategy, Event};
use naap_protocol::peer::{Note, Notes, Sender};
use naap_protocol::state::SourcePartition;
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{Envelope, EnvelopeBuilder, EnvelopeHead};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::tree::{AMPLE, PATIENCE, Setup, drain};

/// What a node tells another.
#[derive(Debug)]
enum Told {
    /// To the node with this name.
    Note(String, Note),
    Refused(String),
}

/// Keeps what goes to other nodes.
#[derive(Debug)]
struct Kept(UnboundedSender<Told>);

impl Peers for Kept {
    fn send(&self, to: &str, message: PeerMsg) {
        let PeerMsg::Notes(notes) = message else { panic!("{message:?}") };
        let told = |note| Told::Note(to.to_owned(), note);
        notes.0.into_iter().for_each(|note| drop(self.0.send(told(note))));
    }

    fn refuse(&self, from: &str, reason: &str) {
        drop(self.0.send(Told::Refused(format!("{from}: {reason}"))));
    }
}

fn source() -> SourcePartition {
    SourcePartition { topic: "streaming_events".to_owned(), partition: 9 }
}

/// Envelope `from..to` with one event.
fn envelope((shard, epoch): (u16, u64), from: u64, to: u64) -> Envelope {
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
    let head = EnvelopeHead { shard, epoch_hint: epoch, org, source, from, to, count: 0 };
    builder.seal(head, TraceContext::default())
}

/// The envelope as it arrives when its last item was damaged on the way.
fn damaged(envelope: &Envelope) -> Envelope {
    let mut frame = envelope.to_frame().unwrap();
    *frame.last_mut().unwrap() = 0xc1;
    Envelope::from_frame(&frame).unwrap()
}

fn members(standings: &[(&str, Standing)]) -> Members {
    let known = |standing| Known { incarnation: 0, weight: 8, standing, suspect: false };
    Members(standings.iter().map(|(name, standing)| ((*name).into(), known(*standing))).collect())
}

struct Stage {
    node: Node,
    told: UnboundedReceiver<Told>,
}

impl Stage {
    fn hear(&self, message: PeerMsg) {
        self.hear_from("b", message);
    }

    fn hear_from(&self, node: &str, message: PeerMsg) {
        self.node.region.cast(RegionMsg::FromPeer(node.into(), message)).unwrap();
    }

    fn note(&self, node: &str, note: Note) {
        self.hear_from(node, PeerMsg::Notes(Notes(vec![note])));
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
    async fn attach(&mut self, shard: u16, ask: u64) -> (u64, u64) {
        self.note("b", Note::Attach { shard, source: source(), start: 0, ask });
        self.told(|told| match told {
            Told::Note(_, Note::Attached { epoch, wanted, ask: of, .. }) if of == ask => {
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
    let (epoch, wanted) = stage.attach(1, 1).await;
    assert_eq!(wanted, 0);
    stage.hear(PeerMsg::Envelope(envelope((1, epoch), 0, 1)));
    stage.hear(PeerMsg::Envelope(damaged(&envelope((1, epoch), 1, 2))));
    let reason = stage
        .told(|told| match told {
            Told::Refused(reason) => Some(reason),
            Told::Note(..) => None,
        })
        .await;
    assert!(reason.starts_with("b: envelope frame body is malformed"), "{reason}");
    // Over its next link the reader begins where the shard is.
    assert_eq!(stage.attach(1, 2).await, (epoch, 1));
    stage.hear(PeerMsg::Envelope(envelope((1, epoch), 1, 2)));
    assert_eq!(stage.attach(1, 3).await, (epoch, 2));
    // Nobody has such a shard.
    for shard in [4, u16::MAX] {
        let attached = Note::Attached { shard, epoch, source: source(), wanted: 0, ask: 1 };
        let ask = Note::Ask { shard, questions: Vec::new(), from: Sender::default() };
        stage.hear(PeerMsg::Notes(Notes(vec![attached, ask])));
    }
    assert_eq!(stage.attach(1, 4).await, (epoch, 2));
    drain(stage.node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_claim_counts_once_the_rows_of_the_reader_are_stored() {
    let (sender, told) = unbounded_channel();
    // Every shard is with the other node.
    let members = members(&[("b", Standing::Up), ("n", Standing::Joining)]);
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
                Told::Note(_, Note::Attach { shard: of, ask, .. }) if of == shard => Some(ask),
                _ => None,
            })
            .await;
        stage.note("b", Note::Attached { shard, epoch: 1, source: source(), wanted: 3, ask });
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

#[tokio::test(flavor = "multi_thread")]
async fn the_source_is_told_of_a_shard_that_is_ahead_of_what_was_read() {
    let setup = Setup::new(AMPLE);
    let mut first = setup.node_in(Cluster::alone("n", 0)).await;
    first.intake.assign(source(), 50).unwrap();
    let claimed = first.applied.wait_for(|applied| applied.get(&source()) == Some(&50));
    timeout(PATIENCE, claimed).await.expect("a claim").unwrap();
    drain(first).await;
    // The group offset is older, or the topic was made anew: the source has to see which.
    let (sender, mut wants) = unbounded_channel();
    let alone = Cluster::alone("n", setup.log.shard(0).epoch);
    let second = setup.node_in(Cluster { rereads: Some(sender), ..alone }).await;
    second.intake.assign(source(), 0).unwrap();
    let told = timeout(PATIENCE, wants.recv()).await.expect("a word");
    assert_eq!(told, Some(Wants::Ahead(source(), 50)));
    second.intake.unassign(source()).unwrap();
    drain(second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_goes_when_its_next_owner_has_read_its_log_or_after_a_while() {
    for patience in [PATIENCE * 10, Duration::ZERO] {
        let (sender, told) = unbounded_channel();
        let peers = Arc::new(Kept(sender));
        let cluster = Cluster { peers, heir_patience: patience, ..Cluster::alone("n", 0) };
        let setup = Setup::new(AMPLE);
        let node = setup.node_in(cluster).await;
        let mut stage = Stage { node, told };
        let mut closed = setup.log.closed.subscribe();
        let standings = [("n", Standing::Draining), ("b", Standing::Up), ("c", Standing::Joining)];
        let (members, shard) = (members(&standings), 1);
        let (epoch, _) = stage.attach(shard, 1).await;
        stage.node.region.cast(RegionMsg::Members(members)).unwrap();
        if !patience.is_zero() {
            let heir = |epoch| Note::Heir { shard, epoch };
            // Nobody has read anything, then another node, then another opening.
            for (ask, said) in [None, Some(("c", heir(epoch))), Some(("b", heir(epoch + 1)))]
                .into_iter()
                .enumerate()
            {
                if let Some((from, heir)) = said {
                    stage.note(from, heir);
                }
                let at = ask as u64;
                stage.hear(PeerMsg::Envelope(envelope((shard, epoch), at, at + 1)));
                let end = [(source(), at + 1)];
                stage
                    .told(|told| match told {
                        Told::Note(_, Note::Claimed { shard: of, applied, .. }) => {
                            (of == shard && applied == end).then_some(())
                        }
                        _ => None,
                    })
                    .await;
                assert_eq!(stage.attach(shard, 2 + at).await, (epoch, at + 1), "it is still here");
            }
            stage.note("b", heir(epoch));
        }
        timeout(PATIENCE, closed.wait_for(|closed| closed.contains(&shard)))
            .await
            .unwrap()
            .unwrap();
        stage.node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_looked_for_where_it_is_open() {
    let (sender, told) = unbounded_channel();
    let known =
        members(&[("b", Standing::Draining), ("c", Standing::Up), ("n", Standing::Joining)]);
    let (_keep, members) = tokio::sync::watch::channel(known);
    let cluster = Cluster { peers: Arc::new(Kept(sender)), members, ..Cluster::alone("n", 0) };
    let node = Setup::new(AMPLE).node_in(cluster).await;
    let intake = node.intake.clone();
    let mut stage = Stage { node, told };
    let attached_to = async |stage: &mut Stage, node: &str| {
        stage
            .told(|told| match told {
                Told::Note(to, Note::Attach { shard: 2, .. }) => (to == node).then_some(()),
                _ => None,
            })
            .await;
    };
    intake.assign(source(), 0).unwrap();
    attached_to(&mut stage, "c").await;
    // It is to be there, and is here still.
    stage.note("b", Note::Claimed { shard: 2, epoch: 5, applied: Vec::new() });
    stage.note("c", Note::Claimed { shard: 2, epoch: 4, applied: Vec::new() });
    attached_to(&mut stage, "b").await;
    stage.note("b", Note::Refused { shard: 2, epoch: 5, source: source() });
    attached_to(&mut stage, "c").await;
    stage.note("b", Note::Claimed { shard: 2, epoch: 6, applied: Vec::new() });
    attached_to(&mut stage, "b").await;
    stage.node.region.cast(RegionMsg::Linked("b".into())).unwrap();
    attached_to(&mut stage, "c").await;
    stage.node.stop().await;
}
