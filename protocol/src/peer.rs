//! What nodes tell each other about shards, beside envelopes (design.md, data path).
//!
//! Notes go between the ingest of one node and the shards of another. They may be lost with a link,
//! never reordered while it lasts; each is repeated, or made up for, by the protocol of
//! [`Note::Attach`]: a shard takes nothing of a source partition before the reader of that partition
//! has attached to its present opening.

use serde::{Deserialize, Serialize};

use crate::capability::evidence::{Evidence, Question};
use crate::codec::Framed;
use crate::slice::DirtySlices;
use crate::state::SourcePartition;

/// One thing that a node tells another about a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// Reader to shard: I read `source`. Nobody has read offsets below `start` for nothing: either the
    /// shard has claimed them, or they were never to be read. Answered by [`Note::Attached`].
    #[serde(rename = "at")]
    Attach {
        /// The shard.
        shard: u16,
        /// What is read.
        source: SourcePartition,
        /// First offset that the reader holds the shard to lack, if the shard knows nothing better.
        start: u64,
        /// Which wish of the reader this is; repetitions have the same.
        ask: u64,
    },
    /// Shard to reader: the opening that runs, and what it wants of `source`.
    #[serde(rename = "ad")]
    Attached {
        /// The shard.
        shard: u16,
        /// Its opening.
        epoch: u64,
        /// What was attached to.
        source: SourcePartition,
        /// First offset that the shard has not applied.
        wanted: u64,
        /// The wish that this answers.
        ask: u64,
    },
    /// Reader to shard: offsets without anything for it.
    #[serde(rename = "m")]
    Mark {
        /// The shard.
        shard: u16,
        /// The opening that the reader is attached to.
        epoch: u64,
        /// Source partition.
        source: SourcePartition,
        /// First offset that the mark stands for.
        from: u64,
        /// First offset after it.
        to: u64,
    },
    /// Shard to reader: its oldest envelope under way was applied, or refused.
    #[serde(rename = "c")]
    Credit {
        /// The shard.
        shard: u16,
        /// The opening that the reader was attached to.
        epoch: u64,
        /// Bytes that it took on the node of the shard. The reader counts by the cost that the envelope
        /// had with it.
        bytes: u64,
    },
    /// Shard to reader, or node to reader where the shard is not open: attach anew.
    #[serde(rename = "r")]
    Refused {
        /// The shard.
        shard: u16,
        /// The opening that the envelope or mark was for; a later attachment is not meant.
        epoch: u64,
        /// Source partition.
        source: SourcePartition,
    },
    /// Shard to every reader: what is durable in this opening and will not be asked for again.
    #[serde(rename = "d")]
    Claimed {
        /// The shard.
        shard: u16,
        /// Its opening.
        epoch: u64,
        /// Per source partition the first offset that is not durably applied.
        applied: Vec<(SourcePartition, u64)>,
    },
    /// Session to orchestrator.
    #[serde(rename = "q")]
    Ask {
        /// Shard of the orchestrators.
        shard: u16,
        /// What the sessions want to know.
        questions: Vec<Question>,
    },
    /// Orchestrator to session.
    #[serde(rename = "e")]
    Evidence {
        /// Shard of the sessions.
        shard: u16,
        /// The answers.
        evidence: Vec<Evidence>,
    },
    /// Backfill to session: as evidence, but what it changes is counted as a backfill's. Lost like any
    /// note; the backfill looks again.
    #[serde(rename = "b")]
    Backfill {
        /// Shard of the sessions.
        shard: u16,
        /// What they do not know yet.
        evidence: Vec<Evidence>,
    },
    /// Shard to whoever computes figures: these are older than its rows. Repeated until settled.
    #[serde(rename = "x")]
    Dirty {
        /// The shard.
        shard: u16,
        /// Its opening.
        epoch: u64,
        /// The slices.
        dirty: DirtySlices,
    },
    /// The answer: they were computed after their rows had been stored.
    #[serde(rename = "s")]
    Settled {
        /// The shard.
        shard: u16,
        /// Its opening.
        epoch: u64,
        /// The slices.
        dirty: DirtySlices,
    },
}

/// Notes for one node, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes(pub Vec<Note>);

impl Framed for Notes {
    const TYPE_ID: u16 = 0x0302;
    /// Version 2 added backfills, version 3 capacities to decisions.
    const VERSION: u16 = 3;
    const NAME: &'static str = "notes";
}
