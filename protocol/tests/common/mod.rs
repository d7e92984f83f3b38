//! Records for the gate.
// Not every test binary uses every helper; helpers panic like tests do.
#![allow(dead_code, clippy::panic)]

use naap_protocol::event::Event;
use naap_protocol::gate::{Gate, Outcome, Record, Reject};
use naap_protocol::time::Timestamp;

/// Envelope time of the records made here.
pub(crate) const NOW: i64 = 1_774_344_333_000;

/// The 65 captured messages.
pub(crate) const CAPTURE: &str = include_str!("../../../tests/fixtures/events-2026-01-08.jsonl");

/// Admits `value` at (`streaming_events`, 3, 7) and hands the outcome to `then`.
pub(crate) fn admit<T>(
    value: Option<&[u8]>,
    record_ts: Option<i64>,
    then: impl FnOnce(Outcome<'_>) -> T,
) -> T {
    let record_ts = record_ts.map(Timestamp);
    let record = Record { topic: "streaming_events", partition: 3, offset: 7, record_ts, value };
    then(Gate::default().admit(record, &mut String::new()))
}

/// The accepted event of `text`.
pub(crate) fn accepted<T>(text: &str, then: impl FnOnce(Event<'_>) -> T) -> T {
    admit(Some(text.as_bytes()), Some(NOW), |outcome| match outcome {
        Outcome::Accepted(event) => then(event),
        other => panic!("not accepted: {other:?}"),
    })
}

/// The reject of `value`.
pub(crate) fn rejected(value: &[u8]) -> Reject {
    admit(Some(value), Some(NOW), |outcome| match outcome {
        Outcome::Rejected(reject) => *reject,
        other => panic!("not rejected: {other:?}"),
    })
}

/// `accepted`, the ignore reason or the reject reason of `text`.
pub(crate) fn verdict(text: &str) -> &'static str {
    admit(Some(text.as_bytes()), Some(NOW), |outcome| match outcome {
        Outcome::Accepted(_) => "accepted",
        Outcome::Ignored(ignored) => ignored.reason.label(),
        Outcome::Rejected(reject) => reject.failure_reason.label(),
    })
}

/// A record of `family` with this `data`.
pub(crate) fn record(family: &str, data: &str) -> String {
    format!(r#"{{"id":"e-1","type":"{family}","timestamp":"{NOW}","gateway":"gw","data":{data}}}"#)
}
