//! Rejects as rows of the dead-letter or quarantine table.

use naap_protocol::gate::{Destination, Reject};
use naap_protocol::rows::rejects::{DeadLetter, Quarantined};
use naap_protocol::rows::{Row, RowTooLarge};
use naap_protocol::time::Timestamp;

use crate::names;
use crate::outbox::Outbox;

/// A row over the size guard, and its number among the rows of its event, from 1.
pub(crate) type TooLarge = (u32, RowTooLarge);

/// Adds the rows of one event and numbers them, so that each one over the size guard can have a dead letter of
/// its own.
#[derive(Debug)]
pub(crate) struct Numbered<'o> {
    outbox: &'o mut Outbox,
    /// Number of the last row.
    last: u32,
    too_large: Vec<TooLarge>,
}

impl<'o> Numbered<'o> {
    /// The rows behind the first `before` of the event, which are added elsewhere.
    pub(crate) fn new(outbox: &'o mut Outbox, before: u32) -> Self {
        Self { outbox, last: before, too_large: Vec::new() }
    }

    /// Adds a row, unless it is over the guard.
    pub(crate) fn push<R: Row>(&mut self, row: &R) {
        self.last += 1;
        if let Err(too_large) = self.outbox.push(row) {
            oversized(too_large);
            self.too_large.push((self.last, too_large));
        }
    }

    /// What was over the guard.
    pub(crate) fn finish(self) -> Vec<TooLarge> {
        self.too_large
    }
}

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
    let row = DeadLetter::of(reject, part, version, now);
    let Err(too_large) = push(outbox, reject.destination(), &row) else { return };
    oversized(too_large);
    // The place and the reason are worth more than a text that no row can hold.
    let body = row.payload_body;
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
