//! A reject as the message of its topic: the rejected-event envelope v1 (contract events.md 6.4),
//! with the organisation and the part of the record beside the contract's fields.
//!
//! It is made from the row, so that table and topic can not tell different stories.

// Fields carry the names of the wire format.
#![allow(clippy::struct_field_names)]

use serde::Serialize;

use super::rejects::DeadLetter;
use crate::time::Timestamp;

/// The stage before which nothing is known of a record's identity.
const UNREAD: &str = "DESERIALIZATION";

impl DeadLetter<'_> {
    /// The key of the message: the identity of the row, so that a record that is delivered again
    /// gives the same one. Neither organisations nor topics contain a slash.
    pub fn message_key(&self) -> String {
        format!(
            "{}/{}/{}/{}/{}/{}",
            self.org,
            self.source_topic,
            self.source_partition,
            self.source_offset,
            self.failure_stage,
            self.part
        )
    }

    /// The message.
    pub fn to_json(&self) -> String {
        // An unread record has no identity, rather than a blank one.
        let known = |text| Some(text).filter(|_| self.failure_stage != UNREAD);
        let message = Message {
            schema_version: self.schema_version,
            org: self.org,
            source: Source {
                topic: self.source_topic,
                partition: self.source_partition,
                offset: self.source_offset,
                record_timestamp: self.source_record_timestamp,
                part: self.part,
            },
            failure: Failure {
                stage: self.failure_stage,
                failure_class: self.failure_class,
                reason: self.failure_reason,
                details: self.failure_details,
            },
            identity: Identity {
                event_id: known(self.event_id),
                event_type: known(self.event_type),
                event_version: self.event_version,
            },
            dimensions: Dimensions {
                orchestrator: self.orchestrator,
                broadcaster: self.broadcaster,
                region: self.region,
            },
            payload: Payload {
                encoding: self.payload_encoding,
                body: Some(self.payload_body).filter(|body| !body.is_empty()),
                canonical_json: self.payload_canonical_json,
            },
            dedup_key: self.dedup_key,
            dedup_strategy: self.dedup_strategy,
            replay: self.replay,
            ingestion_timestamp: self.ingestion_timestamp,
            event_timestamp: self.event_timestamp,
        };
        // Texts and integers only: there is nothing in it that could fail.
        serde_json::to_string(&message).unwrap_or_default()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    schema_version: &'a str,
    org: &'a str,
    source: Source<'a>,
    failure: Failure<'a>,
    identity: Identity<'a>,
    dimensions: Dimensions<'a>,
    payload: Payload<'a>,
    dedup_key: Option<&'a str>,
    dedup_strategy: Option<&'a str>,
    replay: bool,
    ingestion_timestamp: Timestamp,
    event_timestamp: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Source<'a> {
    topic: &'a str,
    partition: u32,
    offset: u64,
    record_timestamp: Timestamp,
    part: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    stage: &'a str,
    failure_class: &'a str,
    reason: &'a str,
    details: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    event_id: Option<&'a str>,
    event_type: Option<&'a str>,
    event_version: Option<&'a str>,
}

#[derive(Serialize)]
struct Dimensions<'a> {
    orchestrator: Option<&'a str>,
    broadcaster: Option<&'a str>,
    region: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    encoding: &'a str,
    body: Option<&'a str>,
    canonical_json: Option<&'a str>,
}
