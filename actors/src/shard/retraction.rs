//! Takes back the typed rows of an event content that another one has displaced.

use naap_protocol::rows::Row;
use naap_protocol::rows::capabilities::{
    RawAdvertisedCapability, RawCapabilityPrice, RawModelConstraint, RawNetworkCapability,
};
use naap_protocol::rows::dims::{
    AdvertisedSnapshot, CapabilitySnapshot, ModelConstraintSnapshot, PriceSnapshot,
};
use naap_protocol::rows::payments::PaymentTicket;
use naap_protocol::rows::raw::{
    RawAiStreamEvent, RawAiStreamStatus, RawDiscoveryResult, RawPaymentEvent,
    RawStreamIngestMetrics, RawStreamTraceEvent,
};
use naap_protocol::rows::typed::RowContext;
use naap_protocol::state::{Delivery, Family};

use super::capability_rows::{ADVERTISED, CONSTRAINTS, PRICES, SNAPSHOTS};
use crate::outbox::Outbox;
use crate::reject_rows::oversized;

/// Writes a tombstone over every row of `lost`, a content of `uid`, except where a row of the content
/// that `counts` has the same key: that one has replaced the other by itself.
pub(super) fn push_all(
    outbox: &mut Outbox,
    ctx: &RowContext<'_>,
    uid: &str,
    lost: &Delivery<'_>,
    counts: &Delivery<'_>,
) {
    let same_keys = lost.family == counts.family && lost.event_ts == counts.event_ts;
    let keys = |set| {
        let stays = move |key: &u32| same_keys && counts.elements.contains(set, *key);
        lost.elements.keys(set).filter(move |key| !stays(key))
    };
    macro_rules! tombstone {
        ($row:ident, $ts:ident, $uid:ident $(, $element:expr)?) => {
            push(outbox, &$row {
                org: ctx.org,
                $ts: lost.event_ts,
                $uid: uid,
                $(element: $element,)?
                is_deleted: true,
                version: ctx.version,
                ingestion_timestamp: ctx.now,
                ..$row::default()
            })
        };
    }
    macro_rules! tombstones {
        ($raw:ident, $dim:ident, $set:ident) => {
            for key in keys($set) {
                tombstone!($raw, event_timestamp, raw_event_uid, key);
                tombstone!($dim, snapshot_ts, source_event_uid, key);
            }
        };
    }
    match lost.family {
        Family::Capabilities => {
            tombstones!(RawNetworkCapability, CapabilitySnapshot, SNAPSHOTS);
            tombstones!(RawAdvertisedCapability, AdvertisedSnapshot, ADVERTISED);
            tombstones!(RawModelConstraint, ModelConstraintSnapshot, CONSTRAINTS);
            tombstones!(RawCapabilityPrice, PriceSnapshot, PRICES);
        }
        Family::Discovery => {
            for key in keys(0) {
                tombstone!(RawDiscoveryResult, event_timestamp, raw_event_uid, key);
            }
        }
        _ if same_keys => {}
        Family::Status => tombstone!(RawAiStreamStatus, event_timestamp, raw_event_uid),
        Family::Trace => tombstone!(RawStreamTraceEvent, event_timestamp, raw_event_uid),
        Family::Ai => tombstone!(RawAiStreamEvent, event_timestamp, raw_event_uid),
        Family::Ingest => tombstone!(RawStreamIngestMetrics, event_timestamp, raw_event_uid),
        Family::Payment => {
            tombstone!(RawPaymentEvent, event_timestamp, raw_event_uid);
            tombstone!(PaymentTicket, payment_ts, source_event_uid);
        }
        // The archive holds the record, the session its fact; there is no typed row.
        Family::Transport => {}
    }
}

/// A tombstone holds no more than the key of the row that it takes back. So where it is over the size guard,
/// that row was too: it was never written, and its dead letter says so.
fn push<R: Row>(outbox: &mut Outbox, row: &R) {
    if let Err(too_large) = outbox.push(row) {
        oversized(too_large);
    }
}
