//! One state out of several snapshots of it (design.md, state merges).
//!
//! A state is a set of accepted events, and a merge is their union: whoever wrote a snapshot, and in
//! whatever epoch, it can only repeat what others have accepted too. What a snapshot says about
//! *rows* is not a set: after a merge that brought something, every row is due again.

use std::collections::BTreeSet;

use super::session::{StoredBody, StoredSignal, Uid};
use super::{EventState, Expired, OrchestratorState, SessionState, Sym, Symbols};
use crate::codec::{self, CodecError, TraceContext};

/// The union of two snapshots of one entity, as a frame. Where it does not matter for the rows,
/// `newer` is followed; it is returned as it is when `older` adds nothing.
///
/// # Errors
/// When a frame is not a readable state, or they are of different types.
pub fn merge_frames(newer: &[u8], older: &[u8]) -> Result<Vec<u8>, CodecError> {
    if newer == older {
        return Ok(newer.to_vec());
    }
    if codec::is::<SessionState>(newer) {
        let mut state: SessionState = codec::decode(newer)?;
        let brought = state.merge(&codec::decode(older)?);
        return if brought { encode(&state) } else { Ok(newer.to_vec()) };
    }
    if codec::is::<EventState>(newer) {
        let mut state: EventState = codec::decode(newer)?;
        state.merge(codec::decode(older)?);
        return encode(&state);
    }
    let mut state: OrchestratorState = codec::decode(newer)?;
    state.index.merge(&codec::decode::<OrchestratorState>(older)?.index);
    encode(&state)
}

/// The state of an entity with one more record of it, in the order in which the log holds them. `known` is
/// what the records before it make, the highest of whose openings has epoch `highest`; `frame` is of an
/// opening of `epoch`.
///
/// A mark ends the snapshots of its own opening and of all before. What its author has read of those was
/// stored with all of its rows; what it has not read, because an author that was displaced has appended it
/// later, was never claimed and comes again as input. The snapshot of a later opening goes before the mark:
/// its author had not read it and has taken more in, or had forgotten it.
///
/// # Errors
/// When a frame is not a readable state, or they are of different types.
pub fn join_frames(
    known: &[u8],
    highest: u64,
    frame: &[u8],
    epoch: u64,
) -> Result<Vec<u8>, CodecError> {
    let mark = |frame| codec::is::<Expired>(frame).then(|| codec::decode::<Expired>(frame));
    let frame_counts = match (mark(known).transpose()?, mark(frame).transpose()?) {
        (Some(known), _) => epoch >= known.epoch,
        (None, Some(_)) => epoch >= highest,
        (None, None) if epoch >= highest => return merge_frames(frame, known),
        (None, None) => return merge_frames(known, frame),
    };
    Ok(if frame_counts { frame } else { known }.to_vec())
}

fn encode<T: codec::Framed + serde::Serialize>(state: &T) -> Result<Vec<u8>, CodecError> {
    codec::encode(state, TraceContext::default())
}

impl SessionState {
    /// Takes in what another snapshot of the session has accepted. Returns whether anything was not
    /// known or not written; then every row is due again.
    pub fn merge(&mut self, other: &Self) -> bool {
        let uids: BTreeSet<Uid> =
            self.signals.iter().chain(&other.signals).map(|signal| signal.uid.clone()).collect();
        let before: Vec<_> = uids.iter().map(|uid| self.deliveries.content(uid)).collect();
        let mut brought = self.deliveries.merge(&other.deliveries);
        for (uid, before) in uids.iter().zip(before) {
            brought |= self.settle(uid, before, other);
        }
        for gone in &other.displaced {
            let known = |s: &StoredSignal| s.uid == gone.uid && s.ord_ts == gone.ord_ts;
            if !self.displaced.iter().any(known) {
                let gone = gone.translated(&other.symbols, &mut self.symbols);
                self.displaced.push(gone);
                brought = true;
            }
        }
        for answer in &other.answers {
            let known = self.answers.iter().any(|known| known.subject == answer.subject);
            if !known {
                self.answers.push(answer.clone());
            }
        }
        brought |= self.merge_written(other);
        if brought {
            self.repeat_all();
            self.owes_rows = true;
        }
        brought
    }

    /// Puts the signal in its place that the merged deliveries let count; `before` is the content
    /// that counted here. Returns whether it is another one.
    fn settle(
        &mut self,
        uid: &Uid,
        before: Option<(crate::time::Timestamp, u64)>,
        other: &Self,
    ) -> bool {
        let now = self.deliveries.content(uid);
        if before == now {
            // Another record of the same content may count: only its broker time can be news.
            let record_ts = self.deliveries.record_ts(uid);
            return record_ts.is_some_and(|ts| self.moved(&uid.to_string(), ts).is_some());
        }
        self.displace(&uid.to_string());
        let theirs = other.signals.iter().find(|signal| signal.uid == *uid);
        if let Some(signal) = theirs {
            let mut signal = signal.translated(&other.symbols, &mut self.symbols);
            signal.record_ts = self.deliveries.record_ts(uid).unwrap_or(signal.record_ts);
            let order = |s: &StoredSignal| s.total_order(&signal).is_lt();
            let place = self.signals.partition_point(order);
            self.signals.insert(place, signal);
        }
        true
    }

    /// Notes every key that either has written, so that what is gone can be taken back. Returns
    /// whether the other one knew more.
    fn merge_written(&mut self, other: &Self) -> bool {
        let (mine, theirs) = (&mut self.written, &other.written);
        let mut more = false;
        for (mine, theirs) in
            [(&mut mine.segments, &theirs.segments), (&mut mine.swaps, &theirs.swaps)]
        {
            if mine.len() < theirs.len() {
                mine.resize(theirs.len(), 0);
                more = true;
            }
        }
        for key in theirs.hours.keys() {
            more |= !mine.hours.contains_key(key);
            mine.hours.entry(*key).or_insert(0);
        }
        if (mine.epoch, mine.cycle) < (theirs.epoch, theirs.cycle) {
            (mine.epoch, mine.cycle) = (theirs.epoch, theirs.cycle);
        }
        self.owes_rows |= other.owes_rows;
        more
    }
}

impl StoredSignal {
    /// The same signal with the texts of another table.
    fn translated(&self, from: &Symbols, to: &mut Symbols) -> Self {
        let mut map = |sym: Sym| to.intern(from.text(sym));
        let body = match &self.body {
            StoredBody::Trace { kind, message } => {
                StoredBody::Trace { kind: *kind, message: map(*message) }
            }
            &StoredBody::Status { state, output_fps, input_fps, has_error, start_time } => {
                let state = map(state);
                StoredBody::Status { state, output_fps, input_fps, has_error, start_time }
            }
            StoredBody::Ai { kind, message, params } => {
                StoredBody::Ai { kind: *kind, message: map(*message), params: map(*params) }
            }
        };
        Self {
            gateway: map(self.gateway),
            address: map(self.address),
            url: map(self.url),
            hint: map(self.hint),
            uid: self.uid.clone(),
            body,
            ..*self
        }
    }
}
