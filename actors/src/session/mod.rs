//! Sessions: virtual actors that fold signals into rows (design.md, actors).
//!
//! A session has an address, private state, one message at a time, timers and supervision like any
//! actor; it is hosted by its shard because a runtime actor each costs a hundred times more.
//!
//! Out of scope: a session whose only signal loses its uid to an event of a family that is no signal
//! keeps its last row. The row has no tombstone, and by contract ids are unique per event, so the
//! other event is a forgery; its typed row and the quarantine row of the loser tell of it.

pub mod outcome;
pub mod row;
pub mod selection;
pub mod summary;

use naap_protocol::codec::{self, CodecError, TraceContext};
use naap_protocol::event::Event;
use naap_protocol::signal::signal;
use naap_protocol::state::{Delivery, SessionState, Sighting};
use naap_protocol::time::Timestamp;

use summary::Summary;

/// A session in memory.
#[derive(Debug)]
pub struct SessionActor {
    state: SessionState,
    /// The fold of `state.signals`; rebuilt when a signal came out of order.
    summary: Summary,
    stale: bool,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What the delivery is.
    pub sighting: Sighting,
    /// The session's rows may have changed.
    pub changed: bool,
}

impl SessionActor {
    /// A session that nothing is known of yet.
    pub fn new(org: &str, session_id: String, stream_id: &str, request_id: &str) -> Self {
        let state = SessionState {
            org: org.to_owned(),
            session_id,
            stream_id: stream_id.to_owned(),
            request_id: request_id.to_owned(),
            ..SessionState::default()
        };
        Self { state, summary: Summary::default(), stale: false }
    }

    /// The session that `frame` holds.
    ///
    /// # Errors
    /// When the frame is no readable session state.
    pub fn restore(frame: &[u8]) -> Result<Self, CodecError> {
        Ok(Self { state: codec::decode(frame)?, summary: Summary::default(), stale: true })
    }

    /// The state as a frame, whose rows are written in `epoch`.
    ///
    /// # Errors
    /// When the state exceeds the frame limit.
    pub fn snapshot(&mut self, epoch: u64) -> Result<Vec<u8>, CodecError> {
        self.state.emitted_epoch = epoch;
        codec::encode(&self.state, TraceContext::default())
    }

    /// Takes one delivery of an event. Order and repetition do not matter for where this ends.
    pub fn receive(
        &mut self,
        event: &Event<'_>,
        delivery: &Delivery<'_>,
        retention_ms: Option<i64>,
    ) -> Receipt {
        // First of all, because reading a signal may panic and nothing has changed yet.
        let signal = signal(event);
        let sighting = self.state.deliveries.observe(&event.uid, delivery);
        if !sighting.folds() {
            return Receipt { sighting, changed: self.stale };
        }
        if sighting != Sighting::NEW {
            self.stale |= self.state.remove(&event.uid);
        }
        let changed = signal.is_some() || self.stale;
        if let Some(signal) = signal {
            let appended = self.state.insert(&signal);
            match self.state.signals.last() {
                Some(last) if appended && !self.stale => {
                    self.summary.push(last, &self.state.symbols, retention_ms);
                }
                _ => self.stale = true,
            }
        }
        Receipt { sighting, changed }
    }

    /// Takes back a delivery whose fold has panicked, so that it is tried again when it comes again.
    pub fn forget(&mut self, event: &Event<'_>, delivery: &Delivery<'_>) {
        if self.state.deliveries.forget(&event.uid, &delivery.at) {
            self.state.remove(&event.uid);
        }
        self.stale = true;
    }

    /// The state and the fold of all its signals.
    pub fn fold(&mut self, retention_ms: Option<i64>) -> (&SessionState, &Summary) {
        if self.stale {
            self.summary = Summary::of(&self.state, retention_ms);
            self.stale = false;
        }
        (&self.state, &self.summary)
    }

    /// The state.
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    /// Latest close, as of the last fold.
    pub fn closed_ts(&self) -> Option<Timestamp> {
        self.summary.closed_ts
    }

    /// Bytes that the session holds in memory, estimated.
    pub fn weight(&self) -> usize {
        const SIGNAL: usize = 112;
        const DELIVERY: usize = 72;
        const FIXED: usize = 640;
        FIXED + self.state.signals.len() * SIGNAL + self.state.deliveries.len() * DELIVERY
    }
}
