//! From the `data` of a record to a typed body, one module function per family (contract events.md
//! 3). Decoders never fail on a shape they did not expect: they say in a [`Verdict`] what the gate
//! has to know. Only text that is not JSON is an error.

mod flat;
mod stream;

use std::borrow::Cow;

use super::json::{Cursor, Error, Scalar};
use super::{Body, Orchestrator};
use crate::gate::IgnoreReason;
use crate::identity::{norm_addr, trimmed};

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

/// Decodes the value at the cursor as the `data` of `family`.
pub(crate) fn payload<'a>(family: Family, c: &mut Cursor<'a>) -> Result<Payload<'a>, Error> {
    match family {
        Family::Status => stream::status(c),
        Family::Trace => stream::trace(c),
        Family::Ai => stream::ai_event(c),
        Family::Ingest => stream::ingest_metrics(c),
        Family::Capabilities => flat::capabilities(c),
        Family::Discovery => flat::discovery(c),
        Family::Payment => flat::payment(c),
    }
}

/// Reads an object member by member into places; unknown members are skipped, a value that is not
/// an object leaves the places as they are.
macro_rules! read_object {
    ($cursor:ident, $($key:literal => $place:expr, $value:expr;)+) => {
        $cursor.object(|$cursor, key| {
            match key {
                $($key => $place = $value?,)+
                _ => $cursor.skip()?,
            }
            Ok(())
        })?
    };
}
use read_object;

/// The first required field that is missing, by its path.
fn first_missing(required: &[(&'static str, Scalar<'_>)]) -> Option<&'static str> {
    required.iter().find(|(_, value)| !value.is_present()).map(|(path, _)| *path)
}

/// An `orchestrator_info` object; unknown for anything else.
fn orchestrator<'a>(c: &mut Cursor<'a>) -> Result<Orchestrator<'a>, Error> {
    let [mut address, mut url] = [Scalar::Missing, Scalar::Missing];
    read_object!(c,
        "address" => address, c.scalar();
        "url" => url, c.scalar();
    );
    Ok(Orchestrator { address: wallet(address), url: url.text() })
}

/// A wallet in normal form.
fn wallet(value: Scalar<'_>) -> Cow<'_, str> {
    norm_addr(value.text())
}

/// An id: text without surrounding whitespace.
fn id(value: Scalar<'_>) -> Cow<'_, str> {
    trimmed(value.text())
}
