//! What is left of a session that is forgotten (design.md, time).

use serde::{Deserialize, Serialize};

use crate::codec::Framed;
use crate::time::Timestamp;

/// The mark of a session whose facts are settled and whose state is gone. It stands in the place of
/// the state, so that a later signal does not begin the session anew.
///
/// A mark counts only if its author held the shard where it stands in the state log, like a
/// [`super::Progress`]. One that counts ends every snapshot of the session, whoever wrote it and
/// wherever it stands: what its author did not know comes again as input, because no claim that
/// counts speaks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// Watermark of the shard when the session was forgotten.
    pub at: Timestamp,
}

impl Framed for Expired {
    const TYPE_ID: u16 = 0x0104;
    const VERSION: u16 = 1;
    const NAME: &'static str = "expired mark";
}
