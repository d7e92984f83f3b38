//! Records that became no fact: dead letters, duplicates and ignored ones (contract tables.md 2.1,
//! events.md 6.2, 6.4). Rows are identified by where the record stands in its source.

use super::decode::Decode;
use super::spec::{Row, TableSpec, table};
use crate::event::DedupStrategy;
use crate::gate::Reject;
use crate::time::Timestamp;

/// The version of the rejected-event envelope and of its table.
const SCHEMA_VERSION: &str = "v1";

table! {
    /// Dead letters: one row per rejected record, stage and part of the record.
    pub struct DeadLetter<'a> = "raw_streaming_events_dlq" {
        replacing: (version),
        partition: "toYYYYMM(source_record_timestamp)",
        order: [org, source_topic, source_partition, source_offset, failure_stage, part],
        ttl: "toDate(ingestion_timestamp)" + 30 days,
        bloom: [event_id, dedup_key],
        columns: {
            /// Version of this envelope, `v1`.
            schema_version: &'a str [low],
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Kafka topic; a fixed name for files.
            source_topic: &'a str [low],
            /// Kafka partition; for files a running number of the data folder.
            source_partition: u32,
            /// Offset in the partition; the record's number for files.
            source_offset: u64,
            /// Broker record time, UTC; the envelope time for files, and without one the time of the reject.
            source_record_timestamp: Timestamp,
            /// Part of the record that failed, such as an array element, from 1; 0 for the whole record.
            part: u32,
            /// Envelope `id`; '' when absent or not parsable.
            event_id: &'a str,
            /// Envelope `type`; '' when absent or not parsable.
            event_type: &'a str [low],
            /// Schema version of the envelope; NULL when not parsable.
            event_version: Option<&'a str>,
            /// Envelope time, UTC, gateway clock; NULL when not parsable.
            event_timestamp: Option<Timestamp>,
            /// Event uid; NULL when the record failed before it was made.
            dedup_key: Option<&'a str>,
            /// `event_id` or `payload_hash`; NULL without a key.
            dedup_strategy: Option<&'a str>,
            /// 1 when the record carried the replay marker.
            replay: bool,
            /// Check that failed, such as `SCHEMA_VALIDATION` or `DEDUP` (events.md 6.1).
            failure_stage: &'a str [low],
            /// Class of the failure, such as `SCHEMA_INVALID` or `DUPLICATE`.
            failure_class: &'a str [low],
            /// Reason code, such as `missing_field`.
            failure_reason: &'a str [low],
            /// Sentence that names the input and the remedy; '' when the reason says all.
            failure_details: &'a str,
            /// Orchestrator of the payload, best effort; NULL when absent.
            orchestrator: Option<&'a str>,
            /// Broadcaster of the payload, best effort; NULL when absent.
            broadcaster: Option<&'a str>,
            /// Region of the payload, best effort; NULL when absent.
            region: Option<&'a str>,
            /// `json`, or `base64` for undecodable bytes.
            payload_encoding: &'a str [low],
            /// The record value in that encoding; '' for a null value.
            payload_body: &'a str [json],
            /// The payload as JSON with sorted keys; NULL when not available.
            payload_canonical_json: Option<&'a str> [json],
            /// Write version; the greatest of a key is the row.
            version: u64,
            /// When the record was rejected, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `event_timestamp`, else of `source_record_timestamp`, UTC.
            event_date: Date = Materialized("toDate(ifNull(event_timestamp, source_record_timestamp))"),
        }
    }
}

impl<'a> DeadLetter<'a> {
    /// The row of `reject`; `part` numbers what of the record was rejected, 0 for all of it.
    pub fn of(reject: &'a Reject, part: u32, version: u64, now: Timestamp) -> Self {
        let source = &reject.source;
        Self {
            schema_version: SCHEMA_VERSION,
            org: &source.org,
            source_topic: &source.topic,
            source_partition: source.partition,
            source_offset: source.offset,
            source_record_timestamp: source.record_ts.or(reject.event_timestamp).unwrap_or(now),
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
        }
    }

    /// Reads the row at the head of `input` and moves behind it; `None` when there is none.
    pub fn decode(input: &mut &'a [u8]) -> Option<Self> {
        // Fields are read in the order in which they stand here, that of the columns.
        Some(Self {
            schema_version: Decode::decode(input)?,
            org: Decode::decode(input)?,
            source_topic: Decode::decode(input)?,
            source_partition: Decode::decode(input)?,
            source_offset: Decode::decode(input)?,
            source_record_timestamp: Decode::decode(input)?,
            part: Decode::decode(input)?,
            event_id: Decode::decode(input)?,
            event_type: Decode::decode(input)?,
            event_version: Decode::decode(input)?,
            event_timestamp: Decode::decode(input)?,
            dedup_key: Decode::decode(input)?,
            dedup_strategy: Decode::decode(input)?,
            replay: Decode::decode(input)?,
            failure_stage: Decode::decode(input)?,
            failure_class: Decode::decode(input)?,
            failure_reason: Decode::decode(input)?,
            failure_details: Decode::decode(input)?,
            orchestrator: Decode::decode(input)?,
            broadcaster: Decode::decode(input)?,
            region: Decode::decode(input)?,
            payload_encoding: Decode::decode(input)?,
            payload_body: Decode::decode(input)?,
            payload_canonical_json: Decode::decode(input)?,
            version: Decode::decode(input)?,
            ingestion_timestamp: Decode::decode(input)?,
        })
    }
}

/// Quarantine: one row per expected reject (duplicate, conflict, future time); columns as
/// [`DeadLetter`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quarantined<'a>(
    /// The columns.
    pub DeadLetter<'a>,
);

impl Row for Quarantined<'_> {
    const SPEC: &'static TableSpec = &TableSpec {
        name: "raw_streaming_events_quarantine",
        doc: "Quarantine: one row per record that was expected to be left out, such as a duplicate.",
        ..*DeadLetter::SPEC
    };

    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

table! {
    /// Records that are valid but outside the contract: one row per ignored record.
    pub struct Ignored<'a> = "raw_ignored_events" {
        replacing: (ingestion_timestamp),
        partition: "toYYYYMM(source_record_timestamp)",
        order: [org, event_type, source_topic, source_partition, source_offset],
        ttl: "toDate(ingestion_timestamp)" + 90 days,
        bloom: [raw_event_uid],
        columns: {
            /// Event uid; never empty.
            raw_event_uid: &'a str,
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope `type` verbatim.
            event_type: &'a str [low],
            /// Subtype (`data.type`) verbatim; '' when absent.
            event_subtype: &'a str [low],
            /// Why the record is ignored, such as `unsupported_event_family` (events.md 6.2).
            ignore_reason: &'a str [low],
            /// Gateway that sent the event; '' when unknown.
            gateway: &'a str [low],
            /// Kafka topic; a fixed name for files.
            source_topic: &'a str [low],
            /// Kafka partition; for files a running number of the data folder.
            source_partition: u32,
            /// Offset in the partition; the record's number for files.
            source_offset: u64,
            /// Broker record time, UTC; the envelope time for files, and without one the time when the row was made.
            source_record_timestamp: Timestamp,
            /// Envelope time, UTC, gateway clock; NULL when not parsable.
            event_timestamp: Option<Timestamp>,
            /// The whole record for 1 in 1,000 uids, '' for the others.
            raw_json: &'a str [json],
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// When the record entered the source, UTC: another name of `source_record_timestamp`.
            ingest_timestamp: DateTime64 = Alias("source_record_timestamp"),
            /// Day of `source_record_timestamp`, UTC.
            ingest_date: Date = Materialized("toDate(source_record_timestamp)"),
        }
    }
}
