//! What the actors need from the outside, as traits: a clock, a state log, a place for rows.

use std::fmt;

use bytes::Bytes;
use naap_protocol::identity::EntityId;
use naap_protocol::rows::TableSpec;
use naap_protocol::state::{EpochOpen, Progress};
use naap_protocol::time::Timestamp;
use thiserror::Error;

use crate::ownership::Record;

/// The wall clock. Its readings never enter a business value: they name insert times and decide
/// about passivation, flushing and back-off.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// One write to the state log. Records of an opening carry its epoch; node and boot are those of
/// the log's owner.
#[derive(Clone, Debug, PartialEq)]
pub enum StateRecord {
    /// The shard is claimed.
    Open {
        /// Shard.
        shard: u16,
        /// The claim.
        open: EpochOpen,
    },
    /// The shard is let go.
    Close {
        /// Shard.
        shard: u16,
        /// The opening that ends.
        open: EpochOpen,
    },
    /// State of an entity, as one frame.
    Snapshot {
        /// Shard of the entity.
        shard: u16,
        /// The opening that writes it.
        epoch: u64,
        /// The entity.
        entity: EntityId,
        /// Its state.
        frame: Vec<u8>,
    },
    /// The state of an entity protects nothing any more: every record of it goes.
    Forget {
        /// Shard of the entity.
        shard: u16,
        /// The opening that forgets it.
        epoch: u64,
        /// The entity.
        entity: EntityId,
    },
    /// Every effect up to the vector is durable.
    Progress {
        /// Shard.
        shard: u16,
        /// The opening that claims it. The claim itself may have been inherited from an earlier one.
        epoch: u64,
        /// The claim.
        progress: Progress,
    },
}

impl StateRecord {
    /// Bytes of what varies in size.
    pub fn size(&self) -> usize {
        match self {
            Self::Snapshot { frame, .. } => frame.len(),
            Self::Open { .. }
            | Self::Close { .. }
            | Self::Forget { .. }
            | Self::Progress { .. } => 0,
        }
    }
}

/// What is heard of the partition of a shard that is followed, in its order.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A record that decides about ownership.
    Record(Record<Progress>),
    /// What was the end when following began is passed; and again, for what was the end when an `Open` of this
    /// node was read as the holder's.
    CaughtUp,
    /// The log can not be read any more.
    Failed(String),
}

/// Who is told what is heard. Must not wait.
pub type Told = Box<dyn Fn(Heard) + Send>;

/// The durable state of shards (design.md, state log).
///
/// Calls block; the caller keeps them off the event loop, except [`StateLog::entity`], which is a
/// single cached read, [`StateLog::follow`] and [`StateLog::unfollow`].
pub trait StateLog: fmt::Debug + Send + Sync {
    /// Reads the partition of `shard` from its beginning and goes on for ever. Every snapshot on the
    /// way is merged into what [`StateLog::entity`] and [`StateLog::entities`] know, until this node
    /// has written its own; records about ownership are told, also those that this node appends.
    ///
    /// # Errors
    /// When the log can not be read.
    fn follow(&self, shard: u16, told: Told) -> Result<(), StateLogError>;

    /// Stops reading the partition of `shard` and forgets what was read.
    fn unfollow(&self, shard: u16);

    /// The newest state of `entity` in a shard that is followed; `None` when it was never stored.
    ///
    /// # Errors
    /// When the log can not be read.
    fn entity(&self, shard: u16, entity: EntityId) -> Result<Option<Vec<u8>>, StateLogError>;

    /// Hands the newest state of every entity of `shard` to `each`, in no particular order.
    ///
    /// # Errors
    /// When the log can not be read.
    fn entities(
        &self,
        shard: u16,
        each: &mut dyn FnMut(EntityId, &[u8]),
    ) -> Result<(), StateLogError>;

    /// Appends `records` and returns when they are durable.
    ///
    /// # Errors
    /// When the log can not be written; what was appended before the failure stays, in order.
    fn append(&self, records: Vec<StateRecord>) -> Result<(), StateLogError>;
}

/// The state log failed.
#[derive(Debug, Error)]
#[error("state log: {0}")]
pub struct StateLogError(pub String);

/// Where rows go.
pub trait TableWriter: fmt::Debug + Send + Sync + 'static {
    /// Writes `count` rows (`RowBinary` without header, in chunks that hold whole rows) to `table`
    /// and returns when they are stored.
    fn write(
        &self,
        table: &'static TableSpec,
        chunks: Vec<Bytes>,
        count: u64,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
}

/// Why rows were not stored.
#[derive(Clone, Debug, Error)]
pub enum WriteError {
    /// A later try can succeed: network, overload, time-out.
    #[error("{0}")]
    Retryable(String),
    /// No later try can succeed: the table or the rows are not what the other side expects.
    #[error("{0}")]
    Permanent(String),
}
