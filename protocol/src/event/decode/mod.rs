//! From the `data` of a record to a typed body, one module function per family (contract events.md
//! 3). Decoders never fail on a shape they did not expect: they say in a [`Verdict`] what the gate
//! has to know. Only text that is not JSON is an error.

mod flat;
mod stream;

use std::borrow::Cow;

use super::{Body, Orchestrator};
use crate::gate::IgnoreReason;
use crate::identity::{norm_addr, trimmed};
use crate::json::{Error, Place, Scalar, object, read};

/// The families that become events (contract events.md 3.0, "core").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Status,
    Trace,
    Ai,
    Ingest,
    Capabilities,
    Discovery,
    Payment,
}

impl Family {
    /// The family with this exact name; `None` for every other text.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ai_stream_status" => Self::Status,
            "stream_trace" => Self::Trace,
            "ai_stream_events" => Self::Ai,
            "stream_ingest_metrics" => Self::Ingest,
            "network_capabilities" => Self::Capabilities,
            "discovery_results" => Self::Discovery,
            "create_new_payment" => Self::Payment,
            _ => return None,
        })
    }
}

/// A decoded `data`.
#[derive(Debug)]
pub(crate) struct Payload<'a> {
    pub(crate) verdict: Verdict<'a>,
    /// `data.version`, only where the gateway itself wrote the payload: a runner's or an
    /// orchestrator's `version` is a software version.
    pub(crate) version: Scalar<'a>,
}

impl<'a> From<Verdict<'a>> for Payload<'a> {
    fn from(verdict: Verdict<'a>) -> Self {
        Self { verdict, version: Scalar::Missing }
    }
}

/// What a payload is good for.
// A body is the usual case; boxing it would cost an allocation an event.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub(crate) enum Verdict<'a> {
    Body(Body<'a>),
    /// Known noise of a supported family.
    Ignored(IgnoreReason),
    /// The path of the first required field that is missing.
    MissingField(&'static str),
    EmptyArray(&'static str),
    InvalidShape(&'static str),
    /// The family's parser refused the content.
    Unparsable(String),
    /// An amount is not a number with a known unit.
    BadUnit(String),
}

/// Decodes `data`, the checked text of a value, as the payload of `family`.
pub(crate) fn payload(family: Family, data: &str) -> Result<Payload<'_>, Error> {
    Ok(match family {
        Family::Status => stream::status(fields(data)?),
        Family::Trace => stream::trace(fields(data)?),
        Family::Ai => stream::ai_event(fields(data)?),
        Family::Ingest => stream::ingest_metrics(fields(data)?),
        Family::Capabilities => flat::capabilities(data),
        Family::Discovery => flat::discovery(data, fields(data)?),
        Family::Payment => flat::payment(fields(data)?),
    })
}

fn fields<'a, P: Place<'a>>(data: &'a str) -> Result<P, Error> {
    let mut fields = P::default();
    read(data, &mut fields)?;
    Ok(fields)
}

/// The first required field that is missing, by its path.
fn first_missing(required: &[(&'static str, &Scalar<'_>)]) -> Option<&'static str> {
    required.iter().find(|(_, value)| !value.is_present()).map(|(path, _)| *path)
}

object! {
    /// An orchestrator as a payload names it.
    pub(crate) struct OrchestratorFields<'a> {
        "address" => address: Scalar<'a>,
        "url" => url: Scalar<'a>,
    }
}

impl<'a> From<OrchestratorFields<'a>> for Orchestrator<'a> {
    fn from(fields: OrchestratorFields<'a>) -> Self {
        Self { address: wallet(&fields.address), url: fields.url.text() }
    }
}

/// A wallet in normal form.
fn wallet<'a>(value: &Scalar<'a>) -> Cow<'a, str> {
    norm_addr(value.text())
}

/// An id: text without surrounding whitespace.
fn id<'a>(value: &Scalar<'a>) -> Cow<'a, str> {
    trimmed(value.text())
}
