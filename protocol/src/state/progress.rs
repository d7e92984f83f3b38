//! What a shard claims: who has it open and how far it is (design.md, state log).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::Framed;
use crate::slice::DirtySlices;
use crate::time::Timestamp;

/// Name of one partition of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourcePartition {
    /// Source topic.
    pub topic: String,
    /// Partition number.
    pub partition: u32,
}

/// The claim that a node has opened a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochOpen {
    /// Number of this opening; only grows.
    pub epoch: u64,
    /// Stable node name.
    pub node: String,
    /// Boot of that node.
    pub incarnation: u64,
}

impl Framed for EpochOpen {
    const TYPE_ID: u16 = 0x0201;
    const VERSION: u16 = 1;
    const NAME: &'static str = "epoch open";
}

/// The claim that every effect up to the applied vector is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Epoch of the claim; void if a higher `EpochOpen` precedes it.
    pub epoch: u64,
    /// Number of the commit cycle in that epoch whose effects are complete.
    pub cycle: u64,
    /// Version of the routing rules (gate outcome, entity key, shard count) the vector is made with.
    pub routing_version: u16,
    /// Per source partition the first offset that is *not* applied.
    pub applied: BTreeMap<SourcePartition, u64>,
    /// Slices that rows of this shard have entered since their figures were computed.
    pub dirty: DirtySlices,
    /// How far the event time of the shard has come, by which it ends states; `None` where it ends
    /// none. Every owner goes on from here, so that all judge alike.
    #[serde(default)]
    pub watermark: Option<Timestamp>,
}

impl Framed for Progress {
    const TYPE_ID: u16 = 0x0202;
    /// Version 2 added the watermark.
    const VERSION: u16 = 2;
    const NAME: &'static str = "progress";
}
