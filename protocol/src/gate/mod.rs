//! The quality gate: what becomes of a record (contract events.md 6).
//!
//! Every record ends in exactly one [`Outcome`]. The order is: nothing to read, not JSON, not an
//! object, no `type`; then *ignored*, whatever else is wrong with the record, because noise must
//! never look like a failure; then the remaining checks of 6.1. Duplicates are found later, by the
//! entity that owns the event.

mod reject;

use std::borrow::Cow;
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::event::decode::{Payload, Verdict};
use crate::event::envelope::{self, Envelope};
use crate::event::{DedupStrategy, Event};
use crate::org::OrgMap;
use crate::time::Timestamp;

use reject::Fault;
pub use reject::{Class, Destination, Encoding, Reason, Reject, Stage};

/// One record of a source partition, before anything is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Topic, or the name of a bounded input.
    pub topic: &'a str,
    /// Partition of the topic.
    pub partition: u32,
    /// Offset in the partition.
    pub offset: u64,
    /// Broker record time. `None` for bounded input: the envelope time stands in for it.
    pub record_ts: Option<Timestamp>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Where a record lies, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Organisation of the topic.
    pub org: Arc<str>,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: u64,
    /// Broker record time, `None` when there is none.
    pub record_ts: Option<Timestamp>,
}

/// What the gate accepts beyond the shapes of the contract.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Accepted schema versions, compared as text. Default `1` and `v1`.
    pub versions: Vec<String>,
    /// Values of more bytes are rejected. Default 1,000,000.
    pub max_value_bytes: usize,
    /// Events before this time are implausible. Default 2020-01-01.
    pub earliest: Timestamp,
    /// How far an event may be ahead of its record time, in milliseconds. Default 5 minutes.
    pub max_ahead_ms: i64,
    /// The latest event time where a record has no time of its own. Default 2100-01-01.
    pub latest: Timestamp,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            versions: vec!["1".to_owned(), "v1".to_owned()],
            max_value_bytes: 1_000_000,
            earliest: Timestamp(1_577_836_800_000),
            max_ahead_ms: 300_000,
            latest: Timestamp(4_102_444_800_000),
        }
    }
}

/// What became of a record.
// Accepted is the usual case and is moved on at once: boxing it would cost an allocation an event.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum Outcome<'a> {
    /// A typed event for the actors.
    Accepted(Event<'a>),
    /// Known noise: counted, kept as a row.
    Ignored(Ignored<'a>),
    /// A failure: dead letter or quarantine.
    Rejected(Box<Reject>),
}

/// Why a record is noise (contract events.md 6.2, clarification 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IgnoreReason {
    /// The family is not one of the eight that become events.
    UnsupportedEventFamily,
    /// A trace of the web app.
    NonCoreApp,
    /// A trace of a web client that names itself `scope`.
    ScopeClientNoise,
    /// Any other trace subtype without a meaning here.
    UnsupportedTraceSubtype,
}

impl IgnoreReason {
    /// The text of the `ignore_reason` column.
    pub fn label(self) -> &'static str {
        match self {
            Self::UnsupportedEventFamily => "unsupported_event_family",
            Self::NonCoreApp => "ignored_stream_trace_non_core_app",
            Self::ScopeClientNoise => "ignored_stream_trace_scope_client_noise",
            Self::UnsupportedTraceSubtype => "unsupported_trace_subtype",
        }
    }
}

/// A record that is kept as a row and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct Ignored<'a> {
    /// Organisation of the topic.
    pub org: Arc<str>,
    /// Envelope `type`, can be `""`.
    pub family: Cow<'a, str>,
    /// `data.type`, `""` when absent.
    pub subtype: Cow<'a, str>,
    /// Envelope `gateway`, `""` when unknown.
    pub gateway: Cow<'a, str>,
    /// Why.
    pub reason: IgnoreReason,
    /// Event uid; never blank.
    pub uid: Cow<'a, str>,
    /// Envelope time, `None` when absent or unparseable.
    pub event_ts: Option<Timestamp>,
    /// The record as text, kept for one uid in a thousand.
    pub payload: Option<&'a str>,
}

/// Of how many ignored records one keeps its payload.
const PAYLOAD_SAMPLE: u64 = 1000;

/// Whether the payload of an ignored record is kept: a function of the uid alone, so that every
/// delivery, order and node decides alike.
pub fn keeps_payload(uid: &str) -> bool {
    xxh3_64(uid.as_bytes()).is_multiple_of(PAYLOAD_SAMPLE)
}

/// The gate of one deployment.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// Organisations of the topics.
    pub orgs: OrgMap,
    /// Versions, sizes and times.
    pub limits: Limits,
}

impl Gate {
    /// Decides what becomes of `record`.
    ///
    /// The outcome borrows from the record. Only if the value is not UTF-8, its repaired text (U+FFFD
    /// for what is invalid) is put into `repaired` and the outcome borrows from there.
    pub fn admit<'a>(&self, record: Record<'a>, repaired: &'a mut String) -> Outcome<'a> {
        let text = match record.value.map(|value| (value, std::str::from_utf8(value))) {
            None => "",
            Some((_, Ok(text))) => text,
            Some((value, Err(_))) => {
                *repaired = String::from_utf8_lossy(value).into_owned();
                repaired
            }
        };
        self.admit_text(&record, text)
    }

    /// As [`Gate::admit`], where `text` is known to be what the value of `record` reads as; `""` for
    /// none.
    pub fn admit_text<'a>(&self, record: &Record<'_>, text: &'a str) -> Outcome<'a> {
        if record.value.is_none() {
            return self.reject(record, None, Fault::new(Reason::NullPayload, "value is null"));
        }
        let mut envelope = Envelope::default();
        match envelope::read(text, &mut envelope) {
            Ok(true) => {}
            Ok(false) => {
                let fault = Fault::new(Reason::RootNotObject, "the value is not a JSON object");
                return self.reject(record, Some((text, &Envelope::default())), fault);
            }
            Err(error) => {
                let fault = Fault::new(Reason::JsonParseError, error.to_string());
                return self.reject(record, None, fault);
            }
        }
        if let Some(reason) = noise(&envelope) {
            return Outcome::Ignored(self.ignore(record, text, &envelope, reason));
        }
        match self.check(record, text, &mut envelope) {
            Ok(event) => Outcome::Accepted(event),
            Err(fault) => self.reject(record, Some((text, &envelope)), fault),
        }
    }

    /// Steps 4 to 14 of the contract, for a record that is not noise.
    fn check<'a>(
        &self,
        record: &Record<'_>,
        text: &'a str,
        envelope: &mut Envelope<'a>,
    ) -> Result<Event<'a>, Fault> {
        let Some(family) = envelope.family_name() else {
            return Err(Fault::new(Reason::MissingType, "type is not a text"));
        };
        let event_ts = self.event_time(envelope, record.record_ts)?;
        let Some(data) = envelope.data else {
            return Err(Fault::new(Reason::MissingData, "key data is missing"));
        };
        let version = envelope.schema_version();
        if !self.limits.versions.iter().any(|accepted| **accepted == *version) {
            let details = format!("version {version:?} is not one of {:?}", self.limits.versions);
            return Err(Fault::new(Reason::UnsupportedVersion, details));
        }
        // Noise has been sorted out, so each family has a decoder as long as the two lists agree.
        let undecoded = || Fault::new(Reason::UnsupportedEventType, "the family has no decoder");
        if let Some(fault) = fault_of(&envelope.payload.as_ref().ok_or_else(undecoded)?.verdict) {
            return Err(fault);
        }
        if text.len() > self.limits.max_value_bytes {
            let (size, limit) = (text.len(), self.limits.max_value_bytes);
            let details = format!("value of {size} bytes is over the limit of {limit}");
            return Err(Fault::new(Reason::RecordTooLarge, details));
        }
        let (uid, dedup_strategy) = envelope.uid(text);
        let content_hash = match dedup_strategy {
            DedupStrategy::EventId => {
                content_hash(&family, event_ts, &envelope.gateway.text(), data)
            }
            // The uid is a hash of the content, whatever the order of its keys and its white space.
            DedupStrategy::PayloadHash => xxh3_64(uid.as_bytes()),
        };
        let replay = envelope.is_replay();
        let (raw, data_start) = if replay {
            let raw = envelope::without_replay(text);
            let start = raw.find(data).unwrap_or(0);
            (raw, start)
        } else {
            // `data` is a slice of `text`.
            (Cow::Borrowed(text), data.as_ptr() as usize - text.as_ptr() as usize)
        };
        let gateway = envelope.gateway.text();
        // A body is large, so it is moved once, at the end.
        let Some(Payload { verdict: Verdict::Body(body), .. }) = envelope.payload.take() else {
            return Err(undecoded());
        };
        Ok(Event {
            offset: record.offset,
            record_ts: record.record_ts.unwrap_or(event_ts),
            uid,
            dedup_strategy,
            content_hash,
            event_ts,
            replay,
            version,
            gateway,
            raw,
            data_at: (data_start as u32, data.len() as u32),
            body,
        })
    }

    /// The envelope time, if it is one and plausible.
    fn event_time(
        &self,
        envelope: &Envelope<'_>,
        record_ts: Option<Timestamp>,
    ) -> Result<Timestamp, Fault> {
        let Some(event_ts) = envelope.timestamp.millis() else {
            let details = "timestamp is neither a number nor text of digits";
            return Err(Fault::new(Reason::MissingTimestamp, details));
        };
        if event_ts < self.limits.earliest {
            let (ts, limit) = (event_ts.0, self.limits.earliest.0);
            let details = format!("timestamp {ts} ms is before {limit} ms");
            return Err(Fault::new(Reason::ImplausibleTimestamp, details));
        }
        let latest = record_ts.map_or(self.limits.latest, |record_ts| {
            Timestamp(record_ts.0.saturating_add(self.limits.max_ahead_ms))
        });
        if event_ts > latest {
            let (ts, limit) = (event_ts.0, latest.0);
            let details = format!("timestamp {ts} ms is after {limit} ms");
            return Err(Fault::new(Reason::FutureTimestamp, details));
        }
        Ok(event_ts)
    }

    fn ignore<'a>(
        &self,
        record: &Record<'_>,
        text: &'a str,
        envelope: &Envelope<'a>,
        reason: IgnoreReason,
    ) -> Ignored<'a> {
        let (uid, _) = envelope.uid(text);
        Ignored {
            org: self.orgs.org(record.topic).clone(),
            family: envelope.family.text(),
            subtype: envelope.subtype(),
            gateway: envelope.gateway.text(),
            reason,
            payload: keeps_payload(&uid).then_some(text),
            uid,
            event_ts: envelope.timestamp.millis(),
        }
    }

    #[cold]
    fn reject<'a>(
        &self,
        record: &Record<'_>,
        read: Option<(&str, &Envelope<'_>)>,
        fault: Fault,
    ) -> Outcome<'a> {
        let source = Source {
            org: self.orgs.org(record.topic).clone(),
            topic: record.topic.to_owned(),
            partition: record.partition,
            offset: record.offset,
            record_ts: record.record_ts,
        };
        let reject = Reject::new(source, record.value.unwrap_or_default(), read, fault);
        Outcome::Rejected(Box::new(reject))
    }
}

/// Why a record with a `type` is noise, if it is.
fn noise(envelope: &Envelope<'_>) -> Option<IgnoreReason> {
    envelope.family_name()?;
    match envelope.payload.as_ref().map(|payload| &payload.verdict) {
        Some(Verdict::Ignored(reason)) => Some(*reason),
        None if !envelope.is_supported() => Some(IgnoreReason::UnsupportedEventFamily),
        _ => None,
    }
}

/// What is wrong with a payload; `None` if nothing is.
fn fault_of(verdict: &Verdict<'_>) -> Option<Fault> {
    Some(match verdict {
        Verdict::Body(_) => return None,
        Verdict::MissingField(path) => {
            Fault::new(Reason::MissingField, format!("{path} is missing, null or empty"))
        }
        Verdict::EmptyArray(details) => Fault::new(Reason::EmptyArray, *details),
        Verdict::InvalidShape(details) => Fault::new(Reason::InvalidDataShape, *details),
        Verdict::UnsupportedVersion(details) => {
            Fault::new(Reason::UnsupportedVersion, details.clone())
        }
        Verdict::BadUnit(details) => Fault::new(Reason::BadUnit, details.clone()),
        Verdict::Unparsable(details) => Fault::new(Reason::ParseException, details.clone()),
        // Sorted out before.
        Verdict::Ignored(reason) => Fault::new(Reason::UnsupportedEventType, reason.label()),
    })
}

/// xxh3 over type, time, gateway and payload text, chained by the seed so that no two of them can
/// flow into each other.
fn content_hash(family: &str, event_ts: Timestamp, gateway: &str, data: &str) -> u64 {
    let hash = xxh3_64_with_seed(family.as_bytes(), event_ts.0 as u64);
    let hash = xxh3_64_with_seed(gateway.as_bytes(), hash);
    xxh3_64_with_seed(data.as_bytes(), hash)
}
