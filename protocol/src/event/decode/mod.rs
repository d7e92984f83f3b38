//! From the `data` of a record to a typed body, one module function per family (contract events.md
//! 3). Decoders never fail on a shape they did not expect: they say in a [`Verdict`] what the gate
//! has to know. Only text that is not JSON is an error.

mod flat;
mod stream;
mod transport;

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, Error};

use super::{Body, Orchestrator};
use crate::gate::IgnoreReason;
use crate::identity::{norm_addr, trimmed};
use crate::json::{Place, Raw, Scalar, object};

/// The families that become events (contract events.md 3.0, "core"; backlog 001).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Status,
    Trace,
    Ai,
    Ingest,
    Capabilities,
    Discovery,
    Payment,
    Transport,
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
            "stream_transport_metrics" => Self::Transport,
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
    /// The schema version of the payload is not read.
    UnsupportedVersion(String),
    /// An amount is not a number with a known unit.
    BadUnit(String),
}

/// Decodes the next value as the payload of a family, in place because it is large.
pub(crate) struct Decode<'p, 'a>(pub(crate) Family, pub(crate) &'p mut Option<Payload<'a>>);

impl<'de> DeserializeSeed<'de> for Decode<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        let Self(family, payload) = self;
        match family {
            Family::Status => decode(parser, stream::status, payload),
            Family::Trace => decode(parser, stream::trace, payload),
            Family::Ai => decode(parser, stream::ai_event, payload),
            Family::Ingest => decode(parser, stream::ingest_metrics, payload),
            Family::Capabilities => decode(parser, flat::capabilities, payload),
            Family::Discovery => {
                let mut data = Raw::default();
                data.fill(parser)?;
                *payload = Some(flat::discovery(data).map_err(D::Error::custom)?);
                Ok(())
            }
            Family::Payment => decode(parser, flat::payment, payload),
            Family::Transport => decode(parser, transport::transport, payload),
        }
    }
}

#[inline]
fn decode<'de, P: Place<'de>, D: Deserializer<'de>>(
    parser: D,
    of: impl FnOnce(P) -> Payload<'de>,
    payload: &mut Option<Payload<'de>>,
) -> Result<(), D::Error> {
    let mut fields = P::default();
    fields.fill(parser)?;
    *payload = Some(of(fields));
    Ok(())
}

/// The first required field that is missing, by its path.
fn first_missing(required: &[(&'static str, &Scalar<'_>)]) -> Option<&'static str> {
    required.iter().find(|(_, value)| !value.is_present()).map(|(path, _)| *path)
}

object! {
    /// An orchestrator as a payload names it.
    pub(crate) struct OrchestratorFields<'a> {
        "address" => pub(crate) address: Scalar<'a>,
        "url" => pub(crate) url: Scalar<'a>,
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
