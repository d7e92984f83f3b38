//! Rows of single signals: written from a place on, and taken back.
//!
//! A signal that does not count any more has its rows taken back: another content took its uid, or it
//! stands behind a silence longer than the retention. Whether it ever had rows is not asked, because
//! those of an earlier epoch are not on record.

use naap_protocol::rows::samples::{StatusSample, TraceEdge};
use naap_protocol::rows::signals::{EdgeCoverage, ParamUpdate};
use naap_protocol::state::{SessionState, SignalWritten, StoredSignal};

use super::coverage::Prefix;
use super::emit::Written;
use super::pen::{Pen, Stamp};
use super::samples::{Fact, Line, Recent, fact};
use super::story::Story;

/// Notes what was written of each signal.
pub(super) fn note(signals: &mut [StoredSignal], written: &[SignalWritten]) {
    for (signal, written) in signals.iter_mut().zip(written) {
        signal.written = *written;
    }
}

/// Writes the rows of the signals from place `from` on. Returns what is written of each.
pub(super) fn write_signals(
    story: &Story<'_>,
    from: usize,
    pen: &mut Pen<'_>,
    count: &mut Written,
) -> Vec<SignalWritten> {
    let (mut recent, mut prefix) = (Recent::default(), Prefix::of(story));
    let places = story.state.signals.iter().zip(0..).skip(from);
    let written = places.map(|(signal, at)| {
        if at as usize >= story.signals.len() {
            return take_back(story.state, signal, pen, count);
        }
        let mut written = signal.written;
        let line = Line::of(story, signal, prefix.gateway(at));
        let put = line.write(&mut recent, &mut written.fact, pen);
        count.fact(put, &signal.body);
        let edges = prefix.edges(at, signal);
        let put = pen.put(&mut written.coverage, |stamp| prefix.row(at, &line, stamp));
        count.count(put);
        count.tally.coverage(put, &signal.body, edges.unmatched(), edges.terminal);
        written
    });
    written.collect()
}

/// Takes back the rows of the displaced signals from place `from` on. A row of another content may
/// have the same key; it is written afterwards and replaces the tombstone. Returns what is written of
/// each.
pub(super) fn take_back_displaced(
    state: &SessionState,
    from: usize,
    pen: &mut Pen<'_>,
    count: &mut Written,
) -> Vec<SignalWritten> {
    state.displaced[from..].iter().map(|gone| take_back(state, gone, pen, count)).collect()
}

/// Writes tombstones over the rows of `gone`. Returns what is written of it.
fn take_back(
    state: &SessionState,
    gone: &StoredSignal,
    pen: &mut Pen<'_>,
    count: &mut Written,
) -> SignalWritten {
    let mut written = gone.written;
    let uid = &gone.uid.to_string();
    macro_rules! tombstone {
        ($row:ident) => {
            |stamp: Stamp| $row {
                org: &state.org,
                workflow_session_id: &state.session_id,
                gateway_ts: gone.ord_ts,
                source_event_uid: uid,
                is_deleted: true,
                version: stamp.version,
                ingestion_timestamp: stamp.now,
                ..$row::default()
            }
        };
    }
    if let Some(fact) = fact(gone) {
        let last = &mut written.fact;
        count.count(match fact {
            Fact::Status => pen.put(last, tombstone!(StatusSample)),
            Fact::Edge => pen.put(last, tombstone!(TraceEdge)),
            Fact::Update => pen.put(last, tombstone!(ParamUpdate)),
        });
    }
    count.count(pen.put(&mut written.coverage, tombstone!(EdgeCoverage)));
    written
}
