//! What nodes tell each other about shards, beside envelopes (design.md, data path).
//!
//! Notes go between the ingest of one node and the shards of another. They may be lost with a link,
//! never reordered while it lasts; each is repeated, or made up for, by the protocol of
//! [`Note::Attach`]: a shard takes nothing of a source partition before the reader of that partition
//! has attached to its present opening.

use serde::{Deserialize, Serialize};

use crate::capability::evidence::{Evidence, Question};
use crate::codec::{self, CodecError, Framed, TraceContext};
use crate::slice::DirtySlices;
use crate::state::SourcePartition;

/// The opening of a shard that says something. Whoever has heard of a later one does not listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The shard.
    pub shard: u16,
    /// Its opening.
    pub epoch: u64,
}

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
    /// Next owner to holder: everything of the shard's log is read, only your `Close` is missing.
    /// Repeated until that is read.
    #[serde(rename = "h")]
    Heir {
        /// The shard.
        shard: u16,
        /// The opening of the holder.
        epoch: u64,
    },
    /// Session to orchestrator.
    #[serde(rename = "q")]
    Ask {
        /// Shard of the orchestrators.
        shard: u16,
        /// What the sessions want to know.
        questions: Vec<Question>,
        /// The opening of the sessions; version 3 did not say it.
        #[serde(default)]
        from: Sender,
    },
    /// Orchestrator to session.
    #[serde(rename = "e")]
    Evidence {
        /// Shard of the sessions.
        shard: u16,
        /// The answers.
        evidence: Vec<Evidence>,
        /// The opening of the orchestrators; version 3 did not say it.
        #[serde(default)]
        from: Sender,
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

impl Note {
    /// Takes out the second half of a list; `None` when the note says one thing. Whoever hears two notes
    /// instead of one knows the same.
    fn split(&mut self) -> Option<Self> {
        fn half<T>(list: &mut Vec<T>) -> Option<Vec<T>> {
            (list.len() > 1).then(|| list.split_off(list.len() / 2))
        }
        Some(match self {
            Self::Ask { shard, from, questions } => {
                Self::Ask { shard: *shard, from: *from, questions: half(questions)? }
            }
            Self::Evidence { shard, from, evidence } => {
                Self::Evidence { shard: *shard, from: *from, evidence: half(evidence)? }
            }
            Self::Backfill { shard, evidence } => {
                Self::Backfill { shard: *shard, evidence: half(evidence)? }
            }
            Self::Claimed { shard, epoch, applied } => {
                Self::Claimed { shard: *shard, epoch: *epoch, applied: half(applied)? }
            }
            Self::Dirty { shard, epoch, dirty } => {
                Self::Dirty { shard: *shard, epoch: *epoch, dirty: dirty.split()? }
            }
            Self::Settled { shard, epoch, dirty } => {
                Self::Settled { shard: *shard, epoch: *epoch, dirty: dirty.split()? }
            }
            Self::Attach { .. }
            | Self::Attached { .. }
            | Self::Mark { .. }
            | Self::Credit { .. }
            | Self::Refused { .. }
            | Self::Heir { .. } => return None,
        })
    }
}

impl Notes {
    /// The notes as frames of at most `limit` bytes, in order, as few as halving them gives. A note that
    /// says one thing may be longer.
    ///
    /// # Errors
    /// When a note that says one thing can not be encoded.
    pub fn frames(mut self, limit: usize) -> Result<Vec<Vec<u8>>, CodecError> {
        let whole = codec::encode(&self, TraceContext::default());
        if let Ok(frame) = whole.as_ref()
            && frame.len() <= limit
        {
            return whole.map(|frame| vec![frame]);
        }
        let rest = match self.0.as_mut_slice() {
            [] => None,
            [only] => only.split().map(|note| vec![note]),
            many => Some(many.len() / 2).map(|middle| self.0.split_off(middle)),
        };
        let Some(rest) = rest else { return whole.map(|frame| vec![frame]) };
        let mut frames = self.frames(limit)?;
        frames.extend(Self(rest).frames(limit)?);
        Ok(frames)
    }
}

impl Framed for Notes {
    const TYPE_ID: u16 = 0x0302;
    /// Version 2 added backfills, version 3 capacities to decisions, version 4 heirs, and who asks and
    /// answers.
    const VERSION: u16 = 4;
    const NAME: &'static str = "notes";
}
