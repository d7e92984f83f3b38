//! The end of a state: the mark that takes its place (design.md, time).

use serde::{Deserialize, Serialize};

use super::{EventState, SessionState, StoredSignal};
use crate::codec::Framed;
use crate::time::Timestamp;

const HOUR_MS: i64 = 3_600_000;
/// Longer than an advertisement can stand from a selection that it decides about.
const EVIDENCE_MS: i64 = 24 * HOUR_MS;
/// Event time for which the deliveries of an event without a session are told apart.
const EVENT_MS: i64 = 48 * HOUR_MS;
/// Event time for which a mark is kept: as long as the facts that it protects.
const MARK_MS: i64 = 180 * 24 * HOUR_MS;

/// Says that an entity is over. It stands in the state log where the snapshots of the entity stood, and
/// what comes for the entity later does not begin it anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Expired {
    /// Epoch of the opening that has written it. It ends the snapshots of this and of earlier openings,
    /// see [`super::join_frames`].
    pub epoch: u64,
    /// The last event of the entity.
    pub ended: Timestamp,
    /// Watermark of the shard when it was written.
    pub at: Timestamp,
}

impl Framed for Expired {
    const TYPE_ID: u16 = 0x0104;
    const VERSION: u16 = 1;
    const NAME: &'static str = "expired mark";
}

impl Expired {
    /// The watermark above which the mark is forgotten.
    pub fn due(&self) -> Timestamp {
        after(self.at, MARK_MS)
    }
}

impl SessionState {
    /// Time of its last event on any clock that orders events.
    pub fn ended(&self) -> Timestamp {
        let signals = self.signals.last().into_iter().chain(&self.displaced);
        let ordered = signals.map(|signal: &StoredSignal| signal.ord_ts).max();
        ordered.max(self.deliveries.newest()).unwrap_or_default()
    }

    /// The watermark above which the session is over: no event may be folded any more, and no
    /// advertisement may change an answer. `lasting_ms` is the longest silence inside a session, or for how
    /// long a backfill may change it, whichever is longer.
    pub fn due(&self, lasting_ms: i64) -> Timestamp {
        session_due(self.ended(), lasting_ms)
    }
}

impl EventState {
    /// The watermark above which the deliveries of the event are told apart no more.
    pub fn due(&self) -> Timestamp {
        let newest = self.known().map(|delivery| delivery.event_ts).max();
        event_due(newest.unwrap_or_default())
    }
}

/// As [`SessionState::due`], of a session whose last event is of `ended`.
pub fn session_due(ended: Timestamp, lasting_ms: i64) -> Timestamp {
    after(ended, lasting_ms.saturating_add(EVIDENCE_MS))
}

/// As [`EventState::due`], of an event whose latest delivery says `newest`.
pub fn event_due(newest: Timestamp) -> Timestamp {
    after(newest, EVENT_MS)
}

fn after(time: Timestamp, ms: i64) -> Timestamp {
    Timestamp(time.0.saturating_add(ms))
}
