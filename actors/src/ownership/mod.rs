//! Ownership of a shard, fenced by its partition of the state log (design.md, state log).
//!
//! Placement suggests who should have a shard; what stands in the partition decides. The protocol
//! is a pure state machine: [`Owner`] takes what was read, stored and decided elsewhere and says
//! what to do. It does no work and keeps no clock: the region runs one per shard, and its laws are shown
//! by visiting every reachable state of small clusters (`tests`).
//!
//! # The rules
//!
//! 1. The *holder* of a partition is the first [`Opening`] of its highest epoch ([`Ledger`]).
//! 2. A [`Record::Progress`] counts only if its author is the holder where it stands.
//! 3. A shard runs only after its owner has read its own [`Record::Open`] as the holder, and with
//!    it everything that stands before it. Where compaction has taken something away, what replaced it
//!    may stand behind: so it reads on to what is the end then.
//! 4. Input is acknowledged only after the owner has read back its own `Progress`, as the holder.
//! 5. Snapshots of any author merge, so they are not looked at here. Every key carries the opening
//!    of its author, so that compaction never lets one author replace what another has written.
//! 6. A key of an earlier epoch is removed only after the holder has read back its own for the same
//!    thing ([`Leftovers`]). An `Open` is never removed: a rival that has paused between reading and
//!    claiming must find it.

mod ledger;
mod leftovers;
mod machine;
mod whereabouts;

use std::sync::Arc;

use naap_protocol::state::EpochOpen;

pub use ledger::Ledger;
pub use leftovers::Leftovers;
pub use machine::{Effect, Event, Owner, Take};
pub use whereabouts::Whereabouts;

/// One opening of a shard. Part of every key in the state log that its author writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opening {
    /// Number of the opening. Two rivals can claim the same one; only the first of them counts.
    pub epoch: u64,
    /// Stable name of the node.
    pub node: Arc<str>,
    /// Boot of that node.
    pub incarnation: u64,
}

impl From<Opening> for EpochOpen {
    fn from(Opening { epoch, node, incarnation }: Opening) -> Self {
        Self { epoch, node: node.to_string(), incarnation }
    }
}

impl From<EpochOpen> for Opening {
    fn from(EpochOpen { epoch, node, incarnation }: EpochOpen) -> Self {
        Self { epoch, node: node.into(), incarnation }
    }
}

/// A record that decides about ownership. `C` is the claim of a `Progress`, which the protocol
/// carries and never looks into.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Record<C> {
    /// The author claims the shard.
    Open(Opening),
    /// The author has let the shard go, with nothing left to store.
    Close(Opening),
    /// Every effect up to the claim is durable.
    Progress(Opening, C),
}

#[cfg(test)]
mod tests;
