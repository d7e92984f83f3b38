//! What an orchestrator identity remembers: who was advertised under it, and when.

use serde::{Deserialize, Serialize};

use crate::capability::index::Index;
use crate::codec::Framed;

/// Durable state of one identity key (a normalised url, a canonical address or an alias).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrchestratorState {
    /// Organisation.
    pub org: String,
    /// The identity key.
    pub key: String,
    /// Capability intervals of every node that was advertised under the key.
    pub index: Index,
}

impl Framed for OrchestratorState {
    const TYPE_ID: u16 = 0x0103;
    /// Version 2 added capacities, version 3 keeps advertisements longer and says since when.
    const VERSION: u16 = 3;
    const NAME: &'static str = "orchestrator state";
}
