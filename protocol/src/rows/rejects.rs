//! Records that became no fact: dead letters, duplicates and ignored ones (contract tables.md 2.1,
//! events.md 6.2, 6.4). Rows are identified by where the record stands in its source.

use super::spec::{Row, TableSpec, table};
use crate::time::Timestamp;

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
            /// Kafka partition; for files a hash of the file's identity.
            source_partition: u32,
            /// Offset in the partition; the record's number for files.
            source_offset: u64,
            /// Broker record time, UTC; the envelope time for files.
            source_record_timestamp: Timestamp,
            /// Part of the record that failed, such as an array element, from 0; 0 for the whole record.
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
            /// Kafka partition; for files a hash of the file's identity.
            source_partition: u32,
            /// Offset in the partition; the record's number for files.
            source_offset: u64,
            /// Broker record time, UTC; the envelope time for files.
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
