//! The root object of a record (contract events.md 2) and the event uid (5.2).

use std::borrow::Cow;

use super::DedupStrategy;
use super::decode::{self, Family, Payload};
use super::json::{self, Cursor, Scalar};
use crate::identity::{blank_to_null, is_blank, sha256_hex};

/// Bookkeeping of the replay tool; never part of an identity.
const REPLAY_FIELDS: [&str; 4] =
    ["__replay", "__replay_ts", "__replay_source", "__replay_failure_class"];

/// The fields of the root object, unchecked.
#[derive(Debug, Default)]
pub(crate) struct Envelope<'a> {
    pub(crate) id: Scalar<'a>,
    pub(crate) family: Scalar<'a>,
    pub(crate) timestamp: Scalar<'a>,
    pub(crate) gateway: Scalar<'a>,
    pub(crate) version: Scalar<'a>,
    pub(crate) replay: bool,
    /// JSON text of `data`; `None` when the key is missing.
    pub(crate) data: Option<&'a str>,
    /// `data` decoded as the family says; `None` without data or for an unsupported family.
    pub(crate) payload: Option<Payload<'a>>,
}

/// Reads a record's text into an empty `envelope`, in place because it is large. `false` if the
/// text is JSON, or nothing at all, but not an object.
///
/// Producers write `type` before `data`, so the payload is decoded in the same pass; in any other
/// order (or if `type` is repeated) it is decoded again once the family is known.
pub(crate) fn read<'a>(text: &'a str, envelope: &mut Envelope<'a>) -> Result<bool, json::Error> {
    if is_blank(text) {
        return Ok(false);
    }
    let mut decoded_as = None;
    let mut cursor = Cursor::new(text);
    let is_object = cursor.object(|c, key| {
        match key {
            "id" => envelope.id = c.scalar()?,
            "type" => envelope.family = c.scalar()?,
            "timestamp" => envelope.timestamp = c.scalar()?,
            "gateway" => envelope.gateway = c.scalar()?,
            "version" => envelope.version = c.scalar()?,
            "__replay" => envelope.replay = c.scalar()? == Scalar::Bool(true),
            "data" => {
                c.peek()?;
                let start = c.offset();
                decoded_as = envelope.supported_family();
                match decoded_as {
                    Some(family) => envelope.payload = Some(decode::payload(family, c)?),
                    None => c.skip()?,
                }
                envelope.data = Some(c.text_from(start));
            }
            _ => c.skip()?,
        }
        Ok(())
    })?;
    cursor.finish()?;
    if decoded_as != envelope.supported_family() {
        envelope.payload = match (envelope.supported_family(), envelope.data) {
            (Some(family), Some(data)) => Some(decode::payload(family, &mut Cursor::new(data))?),
            _ => None,
        };
    }
    Ok(is_object)
}

impl<'a> Envelope<'a> {
    /// `type` when it is text.
    pub(crate) fn family_name(&self) -> Option<Cow<'a, str>> {
        self.family.string()
    }

    /// `type` is one of the families that become events.
    pub(crate) fn is_supported(&self) -> bool {
        self.supported_family().is_some()
    }

    fn supported_family(&self) -> Option<Family> {
        self.family_name().and_then(|name| Family::from_name(&name))
    }

    /// The schema version: the root's, else the payload's where a gateway writes it, else `1`.
    /// A number counts by its integer part.
    pub(crate) fn schema_version(&self) -> Cow<'a, str> {
        let of_payload = self.payload.as_ref().map(|payload| payload.version);
        let version = [Some(self.version), of_payload]
            .into_iter()
            .flatten()
            .find(|version| !matches!(version, Scalar::Missing | Scalar::Null));
        match version {
            None => Cow::Borrowed("1"),
            Some(number @ Scalar::Number(_)) => match number.integer() {
                Some(integer) => Cow::Owned(integer.to_string()),
                None => number.text(),
            },
            Some(other) => other.text(),
        }
    }

    /// The event uid. `raw` is the record's text. A blank `id` counts as none.
    pub(crate) fn uid(&self, raw: &str) -> (Cow<'a, str>, DedupStrategy) {
        let id = self.id.text();
        if !is_blank(&id) {
            return (id, DedupStrategy::EventId);
        }
        let dimensions = self.dimensions();
        let or_null = |part: &Option<String>| part.clone().unwrap_or_else(|| "null".to_owned());
        let canonical = canonical(raw).unwrap_or_else(|| raw.to_owned());
        let hash = sha256_hex(&[
            &self.family.text(),
            "|",
            &or_null(&dimensions.orchestrator),
            "|",
            &or_null(&dimensions.broadcaster),
            "|",
            &or_null(&dimensions.region),
            "|",
            &canonical,
        ]);
        (Cow::Owned(hash), DedupStrategy::PayloadHash)
    }

    /// `data.type` as text; `""` when absent. A second pass, for records that are not events.
    pub(crate) fn subtype(&self) -> Cow<'a, str> {
        let mut subtype = Scalar::Missing;
        // What can not be read has no subtype.
        let _unreadable = self.data.map(|data| {
            Cursor::new(data).object(|c, key| match key {
                "type" => c.scalar().map(|value| subtype = value),
                _ => c.skip(),
            })
        });
        subtype.text()
    }

    /// What the payload says about the parties, verbatim.
    pub(crate) fn dimensions(&self) -> Dimensions {
        self.data.and_then(|data| Dimensions::read(data).ok()).unwrap_or_default()
    }
}

/// A record's text as compact JSON with sorted keys and without replay bookkeeping.
pub(crate) fn canonical(raw: &str) -> Option<String> {
    json::canonical(raw, &REPLAY_FIELDS).ok()
}

/// Best-effort parties of a payload (contract events.md 5.2, 6.4); `None` for missing or blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dimensions {
    /// `orchestrator_info.address`, else `orchestrator` (a URI in payments).
    pub(crate) orchestrator: Option<String>,
    pub(crate) broadcaster: Option<String>,
    pub(crate) region: Option<String>,
}

impl Dimensions {
    fn read(data: &str) -> Result<Self, json::Error> {
        let [mut address, mut orchestrator] = [Scalar::Missing, Scalar::Missing];
        let [mut broadcaster, mut region] = [Scalar::Missing, Scalar::Missing];
        Cursor::new(data).object(|c, key| {
            match key {
                "orchestrator_info" => {
                    address = Scalar::Missing;
                    c.object(|c, key| match key {
                        "address" => c.scalar().map(|value| address = value),
                        _ => c.skip(),
                    })?;
                }
                "orchestrator" => orchestrator = c.scalar()?,
                "broadcaster" => broadcaster = c.scalar()?,
                "region" => region = c.scalar()?,
                _ => c.skip()?,
            }
            Ok(())
        })?;
        let known = |value: Scalar<'_>| blank_to_null(&value.text()).map(str::to_owned);
        Ok(Self {
            orchestrator: known(address).or_else(|| known(orchestrator)),
            broadcaster: known(broadcaster),
            region: known(region),
        })
    }
}
