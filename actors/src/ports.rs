//! What the actors need from the outside, as traits: a clock, a state log, a place for rows.

use std::fmt;

use bytes::Bytes;
use naap_protocol::identity::EntityId;
use naap_protocol::rows::TableSpec;
use naap_protocol::state::{EpochOpen, Progress};
use naap_protocol::time::Timestamp;
use thiserror::Error;

/// The wall clock. Its readings never enter a business value: they name insert times and decide
/// about passivation, flushing and back-off.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// What a shard is found to be when it is opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShardRecord {
    /// Highest epoch ever opened; 0 for a new shard.
    pub epoch: u64,
    /// Newest claim.
    pub progress: Progress,
}

/// One write to the state log.
#[derive(Clone, Debug, PartialEq)]
pub enum StateRecord {
    /// The shard was opened.
    Open {
        /// Shard.
        shard: u16,
        /// The claim.
        open: EpochOpen,
    },
    /// State of an entity, as one frame.
    Snapshot {
        /// Shard of the entity.
        shard: u16,
        /// The entity.
        entity: EntityId,
        /// Its state.
        frame: Vec<u8>,
    },
    /// Every effect up to the vector is durable.
    Progress {
        /// Shard.
        shard: u16,
        /// The claim.
        progress: Progress,
    },
}

impl StateRecord {
    /// Bytes of what varies in size.
    pub fn size(&self) -> usize {
        match self {
            Self::Snapshot { frame, .. } => frame.len(),
            Self::Open { .. } | Self::Progress { .. } => 0,
        }
    }
}

/// The durable state of the shards of this node (design.md, state log).
///
/// Calls block; the caller keeps them off the event loop, except [`StateLog::entity`], which is a
/// single cached read.
pub trait StateLog: fmt::Debug + Send + Sync {
    /// What is known of `shard`.
    ///
    /// # Errors
    /// When the log can not be read.
    fn shard(&self, shard: u16) -> Result<ShardRecord, StateLogError>;

    /// The newest state of `entity`; `None` when it was never stored.
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

    /// Appends every record of `batches`, all or nothing, and returns when they are durable.
    ///
    /// # Errors
    /// When the log can not be written; nothing of the batches counts then.
    fn append(
        &self,
        batches: &mut dyn Iterator<Item = Vec<StateRecord>>,
    ) -> Result<(), StateLogError>;
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
