//! The end of state: what is over gives way to a mark, what protects nothing any more is forgotten
//! (design.md, time).
//!
//! Only what sleeps ends: its rows are stored and claimed, because a cycle begins after the claims of the
//! one before were read back. The records go behind the snapshots of the cycle, so that an entity that is
//! woken before they are durable, from what they end, is saved behind them and lives on.

use std::collections::BTreeMap;

use naap_protocol::codec;
use naap_protocol::codec::TraceContext;
use naap_protocol::identity::EntityId;
use naap_protocol::state::{EventState, Expired, SessionState};
use naap_protocol::time::Timestamp;

use super::core::{ShardCore, ShardError};
use crate::ports::StateRecord;
use crate::session::coverage::is_close;

/// Entities that are looked at in one commit cycle.
const LOOKS: usize = 256;
/// Bytes of states above which a commit cycle looks at no further one.
const LOOK_BYTES: usize = 256 << 10;
/// Entities come up with this precision of event time.
const SLOT_MS: i64 = 60_000;

/// When which entity has to be looked at, in event time: a lazy timer wheel. An entity that is used
/// stays where it is, and goes on when it comes up.
#[derive(Debug, Default)]
pub(super) struct Calendar(BTreeMap<i64, Vec<u128>>);

impl Calendar {
    /// Has `id` come up once the watermark is above `due`.
    pub(super) fn insert(&mut self, id: u128, due: Timestamp) {
        self.0.entry(due.0.div_euclid(SLOT_MS).saturating_add(1)).or_default().push(id);
    }

    /// Has the entity `id` that `frame` holds come up, if it can end.
    pub(super) fn found(
        &mut self,
        id: u128,
        frame: &[u8],
        lasting_ms: Option<i64>,
    ) -> Result<(), ShardError> {
        let Some(lasting_ms) = lasting_ms else { return Ok(()) };
        if let Some(Look::Later(due)) = look(frame, lasting_ms, Timestamp(i64::MIN))? {
            self.insert(id, due);
        }
        Ok(())
    }

    /// Takes the next entity that has come up.
    fn next(&mut self, watermark: Timestamp) -> Option<u128> {
        let mut first = self.0.first_entry()?;
        if first.key().saturating_mul(SLOT_MS) > watermark.0 {
            return None;
        }
        let id = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        id
    }
}

/// What is to be done with a stored entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing before the watermark is above this.
    Later(Timestamp),
    /// The session ends.
    Mark {
        /// Its last event.
        ended: Timestamp,
        /// It has no close.
        open: bool,
    },
    /// The event without a session is forgotten.
    ForgetEvent,
    /// The mark is forgotten.
    ForgetMark,
}

/// Kinds of what ends, label `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A session has become a mark.
    Session,
    /// An event without a session was forgotten.
    Event,
    /// A mark was forgotten.
    Mark,
}

impl Ended {
    /// Label `kind` of each, in declaration order.
    pub const LABELS: [&str; 3] = ["session", "event", "mark"];
}

/// What is to be done at `watermark` with the entity that `frame` holds; `None` for one that never ends.
pub(super) fn look(
    frame: &[u8],
    lasting_ms: i64,
    watermark: Timestamp,
) -> Result<Option<Look>, ShardError> {
    let (due, over) = if codec::is::<Expired>(frame) {
        (codec::decode::<Expired>(frame)?.due(), Look::ForgetMark)
    } else if codec::is::<EventState>(frame) {
        (codec::decode::<EventState>(frame)?.due(), Look::ForgetEvent)
    } else if codec::is::<SessionState>(frame) {
        let state: SessionState = codec::decode(frame)?;
        if state.owes_rows {
            let later = Timestamp(watermark.0.saturating_add(SLOT_MS));
            return Ok(Some(Look::Later(later)));
        }
        let open = !state.signals.is_empty() && !state.signals.iter().any(is_close);
        (state.due(lasting_ms), Look::Mark { ended: state.ended(), open })
    } else {
        return Ok(None);
    };
    Ok(Some(if watermark > due { over } else { Look::Later(due) }))
}

impl ShardCore {
    /// Ends what is over by the watermark, a bounded part of it: the records go behind `records`.
    pub(super) fn sweep(&mut self, records: &mut Vec<StateRecord>) -> Result<(), ShardError> {
        let Some(lasting_ms) = self.options.lasting_ms() else { return Ok(()) };
        self.progress.watermark = self.meters.watermark(self.writer.now());
        let Some(watermark) = self.progress.watermark else { return Ok(()) };
        let (shard, epoch) = (self.shard, self.progress.epoch);
        let again = Timestamp(watermark.0.saturating_add(SLOT_MS));
        let mut bytes = 0;
        for _ in 0..LOOKS {
            if bytes >= LOOK_BYTES {
                break;
            }
            let Some(id) = self.calendar.next(watermark) else { break };
            if self.is_awake(id) {
                self.calendar.insert(id, again);
                continue;
            }
            let entity = EntityId(id);
            let Some(frame) = self.log.entity(shard, entity)? else { continue };
            bytes += frame.len();
            let forget = StateRecord::Forget { shard, epoch, entity };
            let mut without_close = false;
            let (record, ended) = match look(&frame, lasting_ms, watermark)? {
                None => continue,
                Some(Look::Later(due)) => {
                    self.calendar.insert(id, due);
                    continue;
                }
                Some(Look::Mark { ended, open }) => {
                    without_close = open;
                    let mark = Expired { epoch, ended, at: watermark };
                    let frame = codec::encode(&mark, TraceContext::default())?;
                    (StateRecord::Snapshot { shard, epoch, entity, frame }, Ended::Session)
                }
                Some(Look::ForgetEvent) => (forget, Ended::Event),
                Some(Look::ForgetMark) => (forget, Ended::Mark),
            };
            // Until the record is durable the entity may be woken once more.
            self.calendar.insert(id, again);
            records.push(record);
            self.meters.ended(ended, without_close);
        }
        Ok(())
    }
}
