//! The published figures are computed from latest facts, slice by slice (decisions.md, "rollups").
//!
//! Rows make slices dirty, shards name them in their claims ([`naap_protocol::slice`]), the
//! [`Schedule`] decides what is computed when, and the actor around it has it done by a
//! [`RollupStore`]. One actor in the cluster, beside shard 0: its epoch is in the version of every slice,
//! so what an earlier owner still writes never wins.

mod actor;
mod schedule;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use naap_protocol::time::Timestamp;
use thiserror::Error;
use tokio::sync::watch;

pub use actor::RollupMsg;
pub(crate) use actor::{RollupArgs, spawn};
pub use schedule::{Batch, Marks, Schedule};

/// Slices of one organisation to compute and publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recompute {
    /// Which slices.
    pub slices: Batch,
    /// Version of all their rows, above that of everything published before.
    pub version: u64,
    /// Node clock.
    pub now: Timestamp,
}

/// Slices could not be computed; a later try may succeed.
#[derive(Clone, Debug, Error)]
#[error("{0}")]
pub struct RollupError(pub String);

/// The outcome of a [`RollupStore`], later.
pub type Recomputed<'a> = Pin<Box<dyn Future<Output = Result<(), RollupError>> + Send + 'a>>;

/// Where facts are read and figures are published.
pub trait RollupStore: fmt::Debug + Send + Sync {
    /// Computes every relation for the slices from the latest facts, and publishes it.
    fn recompute(&self, work: Recompute) -> Recomputed<'_>;
}

/// How figures are kept up to date.
#[derive(Clone, Debug)]
pub struct Rollups {
    /// Where they are computed.
    pub store: Arc<dyn RollupStore>,
    /// From the first dirty row of a slice to its computation.
    pub debounce: Duration,
    /// The input has an end: compute then, not before.
    pub bounded: bool,
    /// Told how many slices wait.
    pub waiting: watch::Sender<usize>,
}
