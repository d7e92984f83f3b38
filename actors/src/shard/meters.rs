//! What a shard shows of itself: its instruments, the clocks it hears of, its watermark.

use std::time::Duration;

use naap_protocol::codec;
use naap_protocol::event::Event;
use naap_protocol::state::{Expired, SessionState, SourcePartition, Verdict};
use naap_protocol::time::Timestamp;

use super::expiry::Ended;
use crate::clocks::ClockSigns;
use crate::session::emit::Written;
use crate::session::instruments::{Instruments, WaitOutcome};
use crate::session::{Receipt, SessionActor};
use crate::watermark::Watermark;

/// A partition without records for this long does not hold the watermark back.
const IDLE_PARTITION: Duration = Duration::from_secs(30);

/// The meters of one open shard.
#[derive(Debug)]
pub(super) struct Meters {
    /// Hundreds of handles: kept apart so that the shard stays small to move.
    instruments: Box<Instruments>,
    watermark: Watermark,
    signs: ClockSigns,
    /// Sessions without a close.
    open: usize,
    /// Sessions whose state is kept.
    retained: usize,
    /// Sessions of which only the mark is kept.
    marks: usize,
}

impl Meters {
    /// The meters of `shard`, whose watermark has come to `mark`.
    pub(super) fn new(shard: u16, mark: Option<Timestamp>) -> Self {
        Self {
            instruments: Box::new(Instruments::new(shard)),
            watermark: Watermark::new(IDLE_PARTITION, mark),
            signs: ClockSigns::default(),
            open: 0,
            retained: 0,
            marks: 0,
        }
    }

    /// A session has taken a delivery.
    pub(super) fn received(&mut self, event: &Event<'_>, receipt: &Receipt, state: &SessionState) {
        self.instruments.received(&event.body, receipt);
        if receipt.sighting.verdict == Verdict::New {
            self.signs.observe(event, state);
        }
    }

    /// A session was found in the state log.
    pub(super) fn found(&mut self, session: &SessionActor) {
        self.retained += 1;
        self.open += usize::from(session.shown_open() == Some(true));
    }

    /// Another entity was found in the state log.
    pub(super) fn kept(&mut self, frame: &[u8]) {
        self.marks += usize::from(codec::is::<Expired>(frame));
    }

    /// An event came for a session that is over.
    pub(super) fn late_expired(&self, event: &Event<'_>) {
        self.instruments.late_expired(event);
    }

    /// The state of an entity has ended. `open` says whether it was a session without a close.
    pub(super) fn ended(&mut self, ended: Ended, open: bool) {
        self.instruments.ended(ended);
        match ended {
            Ended::Session => {
                self.marks += 1;
                self.retained = self.retained.saturating_sub(1);
                self.open = self.open.saturating_sub(usize::from(open));
            }
            Ended::Mark => self.marks = self.marks.saturating_sub(1),
            Ended::Event => {}
        }
    }

    /// A reader of `source` has begun.
    pub(super) fn attached(&mut self, source: &SourcePartition, now: Timestamp) {
        self.watermark.attach(source, now);
    }

    /// How far the event time of the shard has come.
    pub(super) fn watermark(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.watermark.advance(now)
    }

    /// The rows of a session were written. `before` and `now` say whether it is without a close;
    /// `before` is `None` the first time.
    pub(super) fn wrote(&mut self, rows: &Written, before: Option<bool>, now: Option<bool>) {
        self.instruments.wrote(rows);
        self.retained += usize::from(before.is_none() && now.is_some());
        let count = |open: Option<bool>| usize::from(open == Some(true));
        self.open = (self.open + count(now)).saturating_sub(count(before));
    }

    /// Rows of a session have waited since tick `since`, if they have.
    pub(super) fn waited(&self, waited: Option<(u64, WaitOutcome)>, now: u64) {
        if let Some((since, outcome)) = waited {
            self.instruments.waited(outcome, Duration::from_secs(now - since));
        }
    }

    /// A session goes to sleep.
    pub(super) fn asleep(&self, session: &SessionActor) {
        self.instruments.asleep(session.versions());
    }

    /// An envelope of `source` was applied whose latest event is of `event_ts`.
    pub(super) fn applied(
        &mut self,
        source: &SourcePartition,
        event_ts: Timestamp,
        now: Timestamp,
    ) {
        self.watermark.observe(source, event_ts, now);
    }

    /// Brings the gauges up to date at the end of a commit cycle.
    pub(super) fn publish(&mut self, now: Timestamp) {
        self.instruments.sessions(self.open, self.retained, self.marks);
        self.instruments.watermark_lag(self.watermark.lag_seconds(now));
    }

    /// What was heard of clocks since the last call.
    pub(super) fn take_signs(&mut self) -> ClockSigns {
        std::mem::take(&mut self.signs)
    }
}
