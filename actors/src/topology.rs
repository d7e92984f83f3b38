//! The actor tree and its channels as data: what runs, who talks to whom, and what bounds it.

use serde::Serialize;

use crate::exchange::{BUDGET, WINDOW};

/// Sizes that a topology is drawn with.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Shards of the cluster.
    pub shards: u16,
    /// Tables with a sink.
    pub tables: usize,
    /// Bytes of records in hand.
    pub ingest_buffer: u64,
    /// Bytes on the way to one shard.
    pub shard_window: u64,
    /// Bytes of rows that wait for storage.
    pub sinks: u64,
    /// The node has links to others.
    pub linked: bool,
}

/// One kind of actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ActorKind {
    /// Name.
    pub name: &'static str,
    /// How many run on a node.
    pub count: Count,
    /// Who starts and watches it; `""` for the root.
    pub supervisor: &'static str,
    /// What it keeps.
    pub state: &'static str,
}

/// How many of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Count {
    /// A fixed number.
    Fixed(u64),
    /// As many as there are of something.
    Per(&'static str),
}

/// One way for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// Sender.
    pub from: &'static str,
    /// Receiver.
    pub to: &'static str,
    /// What travels.
    pub carries: &'static str,
    /// What keeps it from growing.
    pub bound: Bound,
}

/// What keeps a channel from growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Bytes in total.
    Bytes(u64),
    /// Bytes for each receiver.
    BytesEach(u64),
    /// One message for each of something that is bounded itself.
    OnePer(&'static str),
}

/// The tree and its channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Topology {
    /// The actors, from the root down.
    pub actors: Vec<ActorKind>,
    /// The channels, along the data path.
    pub channels: Vec<Channel>,
}

/// The topology of one node.
pub fn topology(sizes: Sizes) -> Topology {
    Topology { actors: actors(sizes), channels: channels(sizes) }
}

fn actors(sizes: Sizes) -> Vec<ActorKind> {
    let kind = |name, count, supervisor, state| ActorKind { name, count, supervisor, state };
    let mut actors = vec![
        kind("NodeSupervisor", Count::Fixed(1), "", "the tree"),
        kind(
            "SinkActor",
            Count::Fixed(sizes.tables as u64),
            "NodeSupervisor",
            "batches, inserts in flight",
        ),
        kind("ShardRegion", Count::Fixed(1), "NodeSupervisor", "the open shards"),
        kind(
            "ShardActor",
            Count::Fixed(sizes.shards.into()),
            "ShardRegion",
            "entities, applied vector, timer wheel",
        ),
        kind(
            "SessionActor",
            Count::Per("known session, hosted by its shard"),
            "ShardActor",
            "signals in order, uid set",
        ),
        kind(
            "OrchestratorActor",
            Count::Per("active identity key"),
            "ShardActor",
            "capability intervals, standing questions",
        ),
        kind(
            "RollupActor",
            Count::Per("cluster, beside shard 0"),
            "ShardRegion",
            "schedule of dirty slices",
        ),
        kind(
            "ProbeActor",
            Count::Per("cluster, beside shard 0"),
            "ShardRegion",
            "when the stored data was checked last",
        ),
        kind("IngestActor", Count::Fixed(1), "NodeSupervisor", "partitions, open batches, credits"),
    ];
    if sizes.linked {
        actors.extend([
            kind("Links", Count::Fixed(1), "", "one session per peer"),
            kind("NodeAgent", Count::Fixed(1), "Links", "membership"),
            kind("Exchange", Count::Fixed(1), "Links", "outlets, batches under way"),
        ]);
    }
    actors
}

fn channels(sizes: Sizes) -> Vec<Channel> {
    let way = |from, to, carries, bound| Channel { from, to, carries, bound };
    let rows = Bound::Bytes(sizes.sinks);
    let mut channels = vec![
        way("source", "IngestActor", "records", Bound::Bytes(sizes.ingest_buffer)),
        way("IngestActor", "ShardRegion", "envelopes", Bound::BytesEach(sizes.shard_window)),
        way("ShardRegion", "ShardActor", "envelopes", Bound::BytesEach(sizes.shard_window)),
        way("ShardActor", "SessionActor", "events", Bound::OnePer("event of an envelope")),
        way(
            "ShardActor",
            "OrchestratorActor",
            "advertisements",
            Bound::OnePer("advertisement of an envelope"),
        ),
        way(
            "ShardActor",
            "ShardRegion",
            "questions of sessions",
            Bound::OnePer("selection and identity key"),
        ),
        way(
            "ShardRegion",
            "ShardActor",
            "questions and answers",
            Bound::OnePer("selection and identity key"),
        ),
        way(
            "ShardActor",
            "OrchestratorActor",
            "questions",
            Bound::OnePer("selection and identity key"),
        ),
        way(
            "OrchestratorActor",
            "ShardRegion",
            "answers",
            Bound::OnePer("standing question and commit cycle"),
        ),
        way("ShardActor", "IngestActor", "credits", Bound::OnePer("envelope")),
        way("IngestActor", "SinkActor", "archive, reject and ignored rows", rows),
        way("ShardActor", "SinkActor", "typed, quarantine and fact rows", rows),
        way("IngestActor", "ShardRegion", "marks and commits", Bound::OnePer("commit cycle")),
        way("ShardRegion", "IngestActor", "applied offsets", Bound::OnePer("commit cycle")),
        way("ShardRegion", "RollupActor", "dirty slices", Bound::OnePer("commit cycle")),
        way(
            "RollupActor",
            "ShardRegion",
            "computed slices",
            Bound::OnePer("computation and shard"),
        ),
        way("ShardRegion", "ProbeActor", "ticks", Bound::OnePer("second")),
    ];
    if sizes.linked {
        let (out, back) = (Bound::BytesEach(BUDGET as u64), Bound::BytesEach(WINDOW as u64));
        channels.extend([
            way("ShardRegion", "Exchange", "messages for other nodes", out),
            way("Exchange", "Exchange of a peer", "batches", back),
            way("Exchange", "ShardRegion", "messages of other nodes", back),
            way("NodeAgent", "NodeAgent of a peer", "beats", Bound::OnePer("heartbeat")),
        ]);
    }
    channels
}
