//! Rejects as rows of the dead-letter or quarantine table.

use naap_protocol::event::DedupStrategy;
use naap_protocol::gate::{Destination, Reject};
use naap_protocol::rows::RowTooLarge;
use naap_protocol::rows::rejects::{DeadLetter, Quarantined};
use naap_protocol::time::Timestamp;

use crate::names;
use crate::outbox::Outbox;

/// Bytes of a body that are kept where the whole of it is over the size guard.
const KEPT_BODY: usize = 100_000;

/// Adds the row of `reject`; `part` numbers what of the record was rejected, 0 for all of it.
pub(crate) fn reject_row(
    outbox: &mut Outbox,
    reject: &Reject,
    part: u32,
    version: u64,
    now: Timestamp,
) {
    let source = &reject.source;
    let row = DeadLetter {
        schema_version: "v1",
        org: &source.org,
        source_topic: &source.topic,
        source_partition: source.partition,
        source_offset: source.offset,
        source_record_timestamp: source.record_ts.or(reject.event_timestamp).unwrap_or_default(),
        part,
        event_id: reject.event_id.as_deref().unwrap_or(""),
        event_type: reject.event_type.as_deref().unwrap_or(""),
        event_version: reject.event_version.as_deref(),
        event_timestamp: reject.event_timestamp,
        dedup_key: reject.dedup_key.as_deref(),
        dedup_strategy: reject.dedup_strategy.map(DedupStrategy::label),
        replay: reject.replay,
        failure_stage: reject.failure_reason.stage().label(),
        failure_class: reject.failure_reason.class().label(),
        failure_reason: reject.failure_reason.label(),
        failure_details: &reject.failure_details,
        orchestrator: reject.orchestrator.as_deref(),
        broadcaster: reject.broadcaster.as_deref(),
        region: reject.region.as_deref(),
        payload_encoding: reject.payload_encoding.label(),
        payload_body: reject.payload_body.as_deref().unwrap_or(""),
        payload_canonical_json: reject.payload_canonical_json.as_deref(),
        version,
        ingestion_timestamp: now,
    };
    let Err(too_large) = push(outbox, reject.destination(), &row) else { return };
    oversized(too_large);
    // The place and the reason are worth more than a text that no row can hold.
    let body = reject.payload_body.as_deref().unwrap_or("");
    let head = &body[..body.floor_char_boundary(KEPT_BODY)];
    let details = format!(
        "{}; the first {} of {} bytes are kept",
        reject.failure_details,
        head.len(),
        body.len()
    );
    let row = DeadLetter {
        failure_details: &details,
        payload_body: head,
        payload_canonical_json: None,
        ..row
    };
    if let Err(too_large) = push(outbox, reject.destination(), &row) {
        oversized(too_large);
    }
}

fn push(
    outbox: &mut Outbox,
    destination: Destination,
    row: &DeadLetter<'_>,
) -> Result<(), RowTooLarge> {
    match destination {
        Destination::DeadLetter => outbox.push(row),
        Destination::Quarantine => outbox.push(&Quarantined(row.clone())),
    }
}

/// A row over the guard is counted and logged; a reject of a reject would never end.
pub(crate) fn oversized(too_large: RowTooLarge) {
    metrics::counter!(names::OVERSIZED_ROWS, "table" => too_large.table).increment(1);
    tracing::warn!(table = too_large.table, bytes = too_large.bytes, "row over the size guard");
}
