//! What published figures take from the session as a whole, and the slices that it enters.

use std::collections::BTreeSet;

use naap_protocol::rows::Row;
use naap_protocol::rows::sessions::Session;
use naap_protocol::slice::{HOUR_MS, hour};
use naap_protocol::state::{HourKey, Written};
use naap_protocol::time::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use super::pen::{Pen, Stamp};
use super::row::{RowParts, session_row};
use super::story::Story;

/// What figures took from a session as a whole; the default after waking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    digest: u64,
    /// When the session ended so far.
    end: Option<Timestamp>,
}

/// The longest run of a session that is touched hour by hour: one that goes on for longer is an error of some
/// clock, and would make every hour of it be computed again.
const MOST_HOURS: i64 = 31 * 24;
/// How long after its end a session can have payments (docs/feeds.md), ms.
const PAYMENT_GRACE_MS: i64 = 60_000;

/// Touches every slice that the session is in when something is new that figures take from it: the
/// hours with status evidence or counters, and those in which it ran, now and before. `figures` is brought up to
/// date; after waking it is the default, and every slice is touched. `first` is where gold may begin:
/// what counts once per session counts in its first hour of gold.
pub(super) fn touch(
    (story, first): (&Story<'_>, Option<HourKey>),
    known: &mut Written,
    figures: &mut Figures,
    pen: &mut Pen<'_>,
) {
    if story.signals.is_empty() {
        return;
    }
    let stamp = Stamp { version: 0, now: Timestamp(0) };
    let parts = RowParts::of(story);
    let row = session_row(story, &parts, stamp);
    let start = hour(row.session_start_ts);
    let found = digest_of(&row, known.latency, first);
    let end = row.session_end_ts.max(row.closed_ts);
    let ended = std::mem::replace(&mut figures.end, end);
    if found == figures.digest && known.start == Some(start) {
        // It ran on: so long it was there, and payments of that time are its own now.
        let grace = if row.request_id.is_empty() { 0 } else { PAYMENT_GRACE_MS };
        for ts in end.filter(|_| end != ended).into_iter().flat_map(|ts| [ts, after(ts, grace)]) {
            pen.touch(&story.state.org, ts);
        }
        return;
    }
    figures.digest = found;
    let before = known.start.replace(start);
    let mut hours: BTreeSet<Timestamp> = known.hours.keys().map(|key| key.window_start).collect();
    hours.extend(before.into_iter().chain([start]));
    let last = end.max(ended).map_or(start, hour).max(start);
    hours.extend(run(start.min(before.unwrap_or(start)), last));
    // Counters may come long after everything else, and go by the names of the session.
    hours.extend(story.state.samples.kept.iter().map(|sample| hour(sample.ts)));
    for ts in hours {
        pen.touch(&story.state.org, ts);
    }
}

fn after(ts: Timestamp, ms: i64) -> Timestamp {
    Timestamp(ts.0.saturating_add(ms))
}

/// The hours from `first` to `last`, both begins of hours.
fn run(first: Timestamp, last: Timestamp) -> impl Iterator<Item = Timestamp> {
    let hours = (last.0.saturating_sub(first.0) / HOUR_MS).min(MOST_HOURS);
    (0..=hours).map(move |n| after(first, n * HOUR_MS)).chain([last])
}

/// Hashes the row without what moves with every signal. Its end counts by the hour: until then a slice
/// says that the session is open.
fn digest_of(row: &Session<'_>, latency: [u64; 2], first: Option<HourKey>) -> u64 {
    let lasting = Session {
        session_end_ts: row.session_end_ts.map(hour),
        status_sample_count: 0,
        before_tail_status_sample_count: 0,
        before_tail_status_non_loading_count: 0,
        before_tail_status_positive_output_count: 0,
        post_close_signal_count: 0,
        params_update_count: 0,
        served_duration_ms: None,
        active_duration_ms: None,
        skew_ms: None,
        event_count: 0,
        source_last_event_uid: "",
        ..row.clone()
    };
    let mut bytes = Vec::with_capacity(1024);
    lasting.encode(&mut bytes);
    for hash in latency {
        bytes.extend_from_slice(&hash.to_le_bytes());
    }
    if let Some(HourKey { window_start, segment_index, identity_index }) = first {
        bytes.extend_from_slice(&window_start.0.to_le_bytes());
        bytes.extend_from_slice(&segment_index.to_le_bytes());
        bytes.extend_from_slice(&identity_index.to_le_bytes());
    }
    xxh3_64(&bytes).max(1)
}
