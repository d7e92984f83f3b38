//! Rejected records: why, where to, and everything a person needs to see or replay them
//! (contract events.md 6.1, 6.2, 6.4).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Source;
use crate::event::envelope::{self, Dimensions, Envelope};
use crate::event::{DedupStrategy, Event};
use crate::time::Timestamp;

/// Why a record was rejected, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The value is null.
    NullPayload,
    /// The value is not JSON, has text behind it, or is nested too deeply.
    JsonParseError,
    /// The value is empty or JSON but not an object.
    RootNotObject,
    /// `type` is not text.
    MissingType,
    /// `timestamp` is neither a number nor text of digits.
    MissingTimestamp,
    /// `timestamp` is before 2020.
    ImplausibleTimestamp,
    /// `timestamp` is more than five minutes ahead of the record time.
    FutureTimestamp,
    /// There is no key `data`.
    MissingData,
    /// A family without decoder. Not used by the gate, which ignores such records.
    UnsupportedEventType,
    /// The schema version is not accepted.
    UnsupportedVersion,
    /// A required field is missing, null or empty; the details name its path.
    MissingField,
    /// Discovery results without an element.
    EmptyArray,
    /// Capability data that is neither array nor object.
    InvalidDataShape,
    /// The uid has been seen, with the same content.
    DuplicateEvent,
    /// The uid has been seen with other content that comes first.
    IdConflict,
    /// The parser of the family refused the content.
    ParseException,
    /// A payment amount is not a number with a known unit.
    BadUnit,
    /// The record is over the size limit.
    RecordTooLarge,
    /// The store refused a row.
    SinkWriteFailed,
}

/// The step that rejected a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Reading the value.
    Deserialization,
    /// Checking envelope and required fields.
    SchemaValidation,
    /// Comparing with what has been seen.
    Dedup,
    /// Reading the payload.
    Parse,
    /// Checking sizes.
    SinkGuard,
    /// Writing rows.
    Sink,
}

/// The kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Unreadable value.
    DeserializationFailed,
    /// Readable, but not what the contract asks for.
    SchemaInvalid,
    /// Of a version that is not known.
    UnsupportedVersion,
    /// Seen before.
    Duplicate,
    /// Payload refused.
    ParsingFailed,
    /// Too large.
    RecordTooLarge,
    /// Not written.
    SinkWrite,
}

/// Where a rejected record goes: topic and table of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// Failures.
    DeadLetter,
    /// Duplicates and events from the future.
    Quarantine,
}

/// How the body of a reject is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The value's text.
    Json,
    /// Base64 of the value's bytes, when they are not JSON.
    Base64,
}

impl Reason {
    /// Every reason, in declaration order.
    pub const ALL: [Self; 19] = [
        Self::NullPayload,
        Self::JsonParseError,
        Self::RootNotObject,
        Self::MissingType,
        Self::MissingTimestamp,
        Self::ImplausibleTimestamp,
        Self::FutureTimestamp,
        Self::MissingData,
        Self::UnsupportedEventType,
        Self::UnsupportedVersion,
        Self::MissingField,
        Self::EmptyArray,
        Self::InvalidDataShape,
        Self::DuplicateEvent,
        Self::IdConflict,
        Self::ParseException,
        Self::BadUnit,
        Self::RecordTooLarge,
        Self::SinkWriteFailed,
    ];

    /// The text of `failure_reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::NullPayload => "null_payload",
            Self::JsonParseError => "json_parse_error",
            Self::RootNotObject => "root_not_object",
            Self::MissingType => "missing_type",
            Self::MissingTimestamp => "missing_timestamp",
            Self::ImplausibleTimestamp => "implausible_timestamp",
            Self::FutureTimestamp => "future_timestamp",
            Self::MissingData => "missing_data",
            Self::UnsupportedEventType => "unsupported_event_type",
            Self::UnsupportedVersion => "unsupported_version",
            Self::MissingField => "missing_field",
            Self::EmptyArray => "empty_array",
            Self::InvalidDataShape => "invalid_data_shape",
            Self::DuplicateEvent => "duplicate_event",
            Self::IdConflict => "id_conflict",
            Self::ParseException => "parse_exception",
            Self::BadUnit => "bad_unit",
            Self::RecordTooLarge => "record_too_large",
            Self::SinkWriteFailed => "sink_write_failed",
        }
    }

    /// The stage that gives this reason.
    pub fn stage(self) -> Stage {
        match self {
            Self::NullPayload | Self::JsonParseError => Stage::Deserialization,
            Self::DuplicateEvent | Self::IdConflict => Stage::Dedup,
            Self::ParseException | Self::BadUnit => Stage::Parse,
            Self::RecordTooLarge => Stage::SinkGuard,
            Self::SinkWriteFailed => Stage::Sink,
            _ => Stage::SchemaValidation,
        }
    }

    /// The class of this reason.
    pub fn class(self) -> Class {
        match (self, self.stage()) {
            (Self::UnsupportedVersion, _) => Class::UnsupportedVersion,
            (_, Stage::Deserialization) => Class::DeserializationFailed,
            (_, Stage::SchemaValidation) => Class::SchemaInvalid,
            (_, Stage::Dedup) => Class::Duplicate,
            (_, Stage::Parse) => Class::ParsingFailed,
            (_, Stage::SinkGuard) => Class::RecordTooLarge,
            (_, Stage::Sink) => Class::SinkWrite,
        }
    }

    /// Where records with this reason go.
    pub fn destination(self) -> Destination {
        match self {
            Self::DuplicateEvent | Self::IdConflict | Self::FutureTimestamp => {
                Destination::Quarantine
            }
            _ => Destination::DeadLetter,
        }
    }
}

impl Stage {
    /// The text of `failure_stage`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Deserialization => "DESERIALIZATION",
            Self::SchemaValidation => "SCHEMA_VALIDATION",
            Self::Dedup => "DEDUP",
            Self::Parse => "PARSE",
            Self::SinkGuard => "SINK_GUARD",
            Self::Sink => "CLICKHOUSE_SINK",
        }
    }
}

impl Class {
    /// The text of `failure_class`.
    pub fn label(self) -> &'static str {
        match self {
            Self::DeserializationFailed => "DESERIALIZATION_FAILED",
            Self::SchemaInvalid => "SCHEMA_INVALID",
            Self::UnsupportedVersion => "UNSUPPORTED_VERSION",
            Self::Duplicate => "DUPLICATE",
            Self::ParsingFailed => "PARSING_FAILED",
            Self::RecordTooLarge => "RECORD_TOO_LARGE",
            Self::SinkWrite => "DLQ_SINK_WRITE",
        }
    }
}

impl Encoding {
    /// The text of `payload_encoding`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Base64 => "base64",
        }
    }
}

/// A reason and a sentence about this case.
#[derive(Debug)]
pub(super) struct Fault {
    reason: Reason,
    details: Cow<'static, str>,
}

impl Fault {
    pub(super) fn new(reason: Reason, details: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, details: details.into() }
    }
}

/// A rejected record. Fields carry the names of the table columns (tables.md 2.1); `None` is null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Where the record lies.
    pub source: Source,
    /// Why; gives stage, class and destination.
    pub failure_reason: Reason,
    /// A sentence about this case.
    pub failure_details: String,
    /// Envelope `id`; `None` when nothing could be read, `""` when absent.
    pub event_id: Option<String>,
    /// Envelope `type`; as `event_id`.
    pub event_type: Option<String>,
    /// Schema version, `1` when absent from an object; as `event_id`.
    pub event_version: Option<String>,
    /// Envelope time, if it is one.
    pub event_timestamp: Option<Timestamp>,
    /// Event uid; only from the duplicate check on.
    pub dedup_key: Option<String>,
    /// How the uid was made; only together with it.
    pub dedup_strategy: Option<DedupStrategy>,
    /// The record carried `__replay: true`.
    pub replay: bool,
    /// `data.orchestrator_info.address`, else `data.orchestrator`, verbatim.
    pub orchestrator: Option<String>,
    /// `data.broadcaster`.
    pub broadcaster: Option<String>,
    /// `data.region`.
    pub region: Option<String>,
    /// How `payload_body` is written.
    pub payload_encoding: Encoding,
    /// The value; `None` for a tombstone.
    pub payload_body: Option<String>,
    /// The value as compact JSON with sorted keys and without replay fields; only for schema
    /// failures.
    pub payload_canonical_json: Option<String>,
}

impl Reject {
    /// A record that the gate refuses. `value` is the record's value, `read` its text and envelope as far as
    /// they could be read.
    pub(super) fn new(
        source: Source,
        value: &[u8],
        read: Option<(&str, &Envelope<'_>)>,
        fault: Fault,
    ) -> Self {
        let mut reject = Self::unidentified(source, value, read, fault);
        match (reject.failure_reason.stage(), read) {
            (Stage::Deserialization | Stage::SchemaValidation, _) | (_, None) => {}
            (
                Stage::Dedup | Stage::Parse | Stage::SinkGuard | Stage::Sink,
                Some((text, envelope)),
            ) => {
                let (uid, strategy) = envelope.uid(text);
                reject.identify(uid.into_owned(), strategy);
            }
        }
        reject
    }

    /// All but the uid.
    fn unidentified(
        source: Source,
        value: &[u8],
        read: Option<(&str, &Envelope<'_>)>,
        fault: Fault,
    ) -> Self {
        let reason = fault.reason;
        let (payload_encoding, payload_body) = match (reason, read) {
            (Reason::NullPayload, _) => (Encoding::Json, None),
            (_, Some((text, _))) => (Encoding::Json, Some(text.to_owned())),
            (_, None) => (Encoding::Base64, Some(STANDARD.encode(value))),
        };
        let mut reject = Self {
            source,
            failure_reason: reason,
            failure_details: fault.details.into_owned(),
            event_id: None,
            event_type: None,
            event_version: None,
            event_timestamp: None,
            dedup_key: None,
            dedup_strategy: None,
            replay: false,
            orchestrator: None,
            broadcaster: None,
            region: None,
            payload_encoding,
            payload_body,
            payload_canonical_json: None,
        };
        if let Some((text, envelope)) = read {
            reject.describe(text, envelope);
        }
        reject
    }

    /// A delivery of an event that is not the one kept: the row is keyed by the coordinates of this
    /// delivery. `id_conflict` says that the content differs from the kept one.
    ///
    /// `event` is any delivery of the kept content, whose text can differ in replay bookkeeping; so
    /// the body is the canonical text, which all of them share.
    pub fn duplicate(event: &Event<'_>, source: Source, id_conflict: bool) -> Self {
        let fault = if id_conflict {
            Fault::new(Reason::IdConflict, "another event has this uid and comes first")
        } else {
            Fault::new(Reason::DuplicateEvent, "the event has been delivered before")
        };
        let mut reject = Self::after_admission(event, source, fault);
        reject.payload_body = envelope::canonical(&event.raw).or(reject.payload_body);
        reject
    }

    /// An accepted event that failed later on, in whole or in part.
    pub fn of_event(event: &Event<'_>, source: Source, reason: Reason, details: String) -> Self {
        Self::after_admission(event, source, Fault::new(reason, details))
    }

    fn after_admission(event: &Event<'_>, source: Source, fault: Fault) -> Self {
        let mut envelope = Envelope::default();
        // The text was read before, so it can be read again.
        let _ = envelope::read(&event.raw, &mut envelope);
        let read = Some((&*event.raw, &envelope));
        let mut reject = Self::unidentified(source, event.raw.as_bytes(), read, fault);
        // Not what the text says now: personal data may have been taken out of it.
        reject.identify(event.uid.clone().into_owned(), event.dedup_strategy);
        reject
    }

    fn identify(&mut self, uid: String, strategy: DedupStrategy) {
        self.dedup_key = Some(uid);
        self.dedup_strategy = Some(strategy);
    }

    fn describe(&mut self, text: &str, envelope: &Envelope<'_>) {
        let root_is_object = self.failure_reason != Reason::RootNotObject;
        let version = if root_is_object { envelope.schema_version() } else { Cow::Borrowed("") };
        self.event_id = Some(envelope.id.text().into_owned());
        self.event_type = Some(envelope.family.text().into_owned());
        self.event_version = Some(version.into_owned());
        self.event_timestamp = envelope.timestamp.millis();
        self.replay = envelope.is_replay();
        let Dimensions { orchestrator, broadcaster, region } = envelope.dimensions();
        self.orchestrator = orchestrator;
        self.broadcaster = broadcaster;
        self.region = region;
        if self.failure_reason.stage() == Stage::SchemaValidation {
            self.payload_canonical_json = envelope::canonical(text);
        }
    }

    /// Dead letter or quarantine.
    pub fn destination(&self) -> Destination {
        self.failure_reason.destination()
    }
}
