//! The segments of a session as rows (lifecycle 5.3, tables.md 2.4).

use naap_protocol::rows::sessions::Segment as SegmentRow;
use naap_protocol::time::Timestamp;

use super::attribution::{Attributed, Identity, attributed};
use super::emit::Written;
use super::pen::{Pen, Stamp, numbered};
use super::samples::trace_type;
use super::story::{Segment, Story};

/// Texts of a row that are made for it and do not stand in the session's state.
struct Texts<'a> {
    identity: Identity<'a>,
    hint: &'a str,
    uid: String,
}

impl<'a> Texts<'a> {
    fn of(story: &Story<'a>, segment: &Segment) -> Self {
        let symbols = &story.state.symbols;
        // A segment in which nothing resolves is the first one, with every selection in it.
        let place = segment.selection.or_else(|| (story.counted > 0).then_some(0));
        let selection = place.and_then(|place| story.selections.get(place));
        let hints = selection.map(|s| s.selection.hints).unwrap_or_default();
        let opened_by = story.signals.get(segment.opened_by);
        Self {
            identity: selection
                .map_or_else(|| story.identity(), |selection| Identity::of(selection, symbols)),
            hint: symbols.text(hints.or(story.summary.hints).model),
            uid: opened_by.map_or_else(String::new, |signal| signal.uid.to_string()),
        }
    }
}

/// Writes the segments that have changed, and takes back those that are no longer there. `known`
/// holds the hashes of the rows by index.
pub fn write(story: &Story<'_>, known: &mut Vec<u64>, pen: &mut Pen<'_>, written: &mut Written) {
    for (index, hash) in numbered(known, story.segments.len()) {
        let put = match story.segments.get(usize::from(index)) {
            Some(segment) => {
                let texts = Texts::of(story, segment);
                pen.put(hash, |stamp| row(story, index, segment, &texts, stamp))
            }
            None => pen.put(hash, |stamp| retracted(story, index, stamp)),
        };
        written.segment(put);
    }
}

/// Canonical address of the segment at `index`; `""` when there is none or it is not attributed.
pub fn canonical<'a>(story: &Story<'a>, index: Option<usize>) -> &'a str {
    let segment = index.and_then(|index| story.segments.get(index));
    let selection = segment.and_then(|s| s.selection).and_then(|s| story.selections.get(s));
    selection.map_or("", Attributed::canonical)
}

fn row<'t>(
    story: &'t Story<'_>,
    index: u16,
    segment: &Segment,
    texts: &'t Texts<'_>,
    stamp: Stamp,
) -> SegmentRow<'t> {
    let place = usize::from(index);
    let identity = &texts.identity;
    let open_reason = if index == 0 { "initial" } else { "orchestrator_change" };
    let close_reason = match segment.end {
        _ if place + 1 < story.segments.len() => "orchestrator_change",
        Some(_) => "stream_closed",
        None => "",
    };
    attributed!(SegmentRow, identity, {
        segment_start_ts: segment.start,
        segment_end_ts: segment.end,
        gateway: story.state.symbols.text(story.summary.gateway),
        previous_orchestrator_address: canonical(story, place.checked_sub(1)),
        next_orchestrator_address: canonical(story, Some(place + 1)),
        model_hint: texts.hint,
        pipeline_source: identity.pipeline_source,
        model_source: identity.model_source,
        gpu_attribution_method: identity.method,
        gpu_attribution_confidence: identity.confidence,
        reason: if close_reason.is_empty() { open_reason } else { close_reason },
        open_reason,
        close_reason,
        source_trace_type: story.signals.get(segment.opened_by).map_or("", trace_type),
        source_event_uid: &texts.uid,
        is_retracted: false,
        ..key(story, index, stamp)
    })
}

fn retracted<'t>(story: &'t Story<'_>, index: u16, stamp: Stamp) -> SegmentRow<'t> {
    let segment_start_ts = retraction_ts(story);
    SegmentRow { segment_start_ts, is_retracted: true, ..key(story, index, stamp) }
}

/// Time of a row that takes another one back: the end of the session's last day. Retention deletes
/// by day and must not take it before the row that it hides; nor is it to change with every signal.
pub fn retraction_ts(story: &Story<'_>) -> Timestamp {
    const DAY_MS: i64 = 86_400_000;
    let end = story.summary.end_ts.unwrap_or_default();
    Timestamp(end.0.div_euclid(DAY_MS).saturating_add(1).saturating_mul(DAY_MS))
}

fn key<'t>(story: &'t Story<'_>, index: u16, stamp: Stamp) -> SegmentRow<'t> {
    SegmentRow {
        org: &story.state.org,
        workflow_session_id: &story.state.session_id,
        segment_index: index,
        version: stamp.version,
        ingestion_timestamp: stamp.now,
        ..SegmentRow::default()
    }
}
