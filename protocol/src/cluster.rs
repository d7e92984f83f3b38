//! What nodes say to each other about themselves (design.md, membership): the hello of a link, the
//! verdict on it, the beat of a member, and what the command line asks of a node.
//!
//! The hello is version 1 for ever: it carries the versions of everything else as one number, so that every
//! release can refuse every other one with a sentence.

use serde::{Deserialize, Serialize};

use crate::capability::evidence::Evidence;
use crate::codec::Framed;

/// Oldest and newest version of the messages on a link that this build speaks. They rise together with the
/// version of any frame, also of one that is kept as state: who reads less than this build writes must not
/// have a link to it. `protocol/tests/golden/link.v*.txt` say what each version stands for.
pub const LINK_VERSIONS: (u16, u16) = (3, 3);

/// What somebody who connects wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A member of the cluster: the link stays.
    #[serde(rename = "p")]
    Peer,
    /// A command: one question, one answer.
    #[serde(rename = "c")]
    Control,
}

/// The first frame on a connection, from both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Oldest version of link messages that the sender speaks.
    pub oldest: u16,
    /// Newest version of link messages that the sender speaks.
    pub newest: u16,
    /// What the sender is here for.
    pub role: Role,
    /// Name of the cluster.
    pub cluster: String,
    /// Stable name of the sender.
    pub node: String,
    /// Boot of the sender; a later boot has a higher number.
    pub incarnation: u64,
    /// Shards of the cluster.
    pub shards: u16,
    /// Version of the routing rules: gate outcome, entity key, number of shards.
    pub routing_version: u16,
    /// Drawn for this connection; the other side repeats it, so that a recording is worth nothing.
    pub nonce: u128,
}

impl Framed for Hello {
    const TYPE_ID: u16 = 0x0401;
    const VERSION: u16 = 1;
    const NAME: &'static str = "hello";
}

/// The second frame on a connection, from both sides: what the sender thinks of the other's hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The nonce of the hello that is judged.
    pub nonce: u128,
    /// Why the sender wants no link, as a sentence; `None` when it wants one.
    pub refusal: Option<String>,
}

impl Framed for Verdict {
    const TYPE_ID: u16 = 0x0402;
    const VERSION: u16 = 1;
    const NAME: &'static str = "verdict";
}

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// It gets to know the others and takes no shards yet.
    #[serde(rename = "j")]
    Joining,
    /// It takes its share.
    #[serde(rename = "u")]
    Up,
    /// It gives its shards away.
    #[serde(rename = "d")]
    Draining,
    /// It has none left and goes.
    #[serde(rename = "l")]
    Left,
}

/// A sign of life, sent over links and written to the members topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Stable name of the sender.
    pub node: String,
    /// Boot of the sender.
    pub incarnation: u64,
    /// Number of the beat within the boot; only grows. The phase of the highest counts.
    pub sequence: u64,
    /// What the sender is up to.
    pub phase: Phase,
}

impl Framed for Beat {
    const TYPE_ID: u16 = 0x0403;
    const VERSION: u16 = 1;
    const NAME: &'static str = "beat";
}

/// Head of a batch of messages from one node to another. The body is envelopes and notes, frame after
/// frame; the trace context is that of the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHead {
    /// Stable name of the sender.
    pub node: String,
    /// Which of the sender's links the batch goes over; a later link has a higher number.
    pub link: u64,
    /// Number of the batch on that link, from 0 without gaps.
    pub number: u64,
    /// Messages in the body.
    pub count: u32,
}

impl Framed for BatchHead {
    const TYPE_ID: u16 = 0x0406;
    const VERSION: u16 = 1;
    const NAME: &'static str = "batch";
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAck {
    /// Stable name of the sender of the ack.
    pub node: String,
    /// [`BatchHead::link`] of the batch.
    pub link: u64,
    /// [`BatchHead::number`] of the batch.
    pub number: u64,
    /// Why it was not taken, as a sentence; `None` when it was handed over in full.
    pub refusal: Option<String>,
}

impl Framed for BatchAck {
    const TYPE_ID: u16 = 0x0407;
    const VERSION: u16 = 1;
    const NAME: &'static str = "batch ack";
}

/// What a command asks of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// How it sees the cluster.
    #[serde(rename = "s")]
    Status,
    /// Let the named node, or itself, give its shards away.
    #[serde(rename = "d")]
    Drain(String),
    /// Let sessions of a shard learn what a backfill has found out. A node without the shard passes it
    /// on to the one that should have it.
    #[serde(rename = "b")]
    Backfill {
        /// The shard.
        shard: u16,
        /// What its sessions do not know yet.
        evidence: Vec<Evidence>,
    },
}

impl Framed for Request {
    const TYPE_ID: u16 = 0x0404;
    /// Version 2 added backfills.
    const VERSION: u16 = 2;
    const NAME: &'static str = "cluster request";
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Why it was not done, as a sentence; `None` when it was.
    pub refusal: Option<String>,
    /// Who answers.
    pub node: String,
    /// The members as that node sees them, in the order of names.
    pub members: Vec<MemberStatus>,
}

impl Framed for Response {
    const TYPE_ID: u16 = 0x0405;
    const VERSION: u16 = 1;
    const NAME: &'static str = "cluster response";
}

/// How a node sees a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Stable name.
    pub node: String,
    /// Newest known boot.
    pub incarnation: u64,
    /// `joining`, `up`, `draining` or `down`.
    pub state: String,
    /// The link is silent; says nothing about shards.
    pub suspect: bool,
    /// A link is open; always true of the node itself.
    pub linked: bool,
    /// Milliseconds since the last beat over a link; `None` when none came.
    pub heard_ms: Option<u64>,
    /// Milliseconds since the last beat in the members topic; `None` when none came.
    pub seen_ms: Option<u64>,
    /// Shards that placement gives to it.
    pub shards: u16,
}
