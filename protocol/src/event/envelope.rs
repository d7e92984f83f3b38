//! The root object of a record (contract events.md 2) and the event uid (5.2).

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess};

use super::DedupStrategy;
use super::decode::{Decode, Family, OrchestratorFields, Payload};
use crate::identity::{blank_to_null, is_blank, sha256_hex};
use crate::json::{self, Fill, Key, Place, Raw, Scalar, object};

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
    version: Scalar<'a>,
    replay: Scalar<'a>,
    /// JSON text of `data`; `None` when the key is missing.
    pub(crate) data: Option<&'a str>,
    /// `data` decoded as the family says; `None` without data or for an unsupported family.
    pub(crate) payload: Option<Payload<'a>>,
    /// The family that the payload was decoded as.
    decoded_as: Option<Family>,
    last_key: Cow<'a, str>,
}

impl<'de> Place<'de> for Envelope<'de> {
    fn object<A: MapAccess<'de>>(&mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = members.next_key()? {
            match &*key {
                "id" => members.next_value_seed(Fill(&mut self.id))?,
                "type" => members.next_value_seed(Fill(&mut self.family))?,
                "timestamp" => members.next_value_seed(Fill(&mut self.timestamp))?,
                "gateway" => members.next_value_seed(Fill(&mut self.gateway))?,
                "version" => members.next_value_seed(Fill(&mut self.version))?,
                "__replay" => members.next_value_seed(Fill(&mut self.replay))?,
                "data" => {
                    // Nothing stays of data that stood before.
                    self.payload = None;
                    self.decoded_as = self.supported_family();
                    match self.decoded_as {
                        Some(family) => {
                            members.next_value_seed(Decode(family, &mut self.payload))?;
                        }
                        None => drop(members.next_value::<IgnoredAny>()?),
                    }
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
            self.last_key = key;
        }
        Ok(())
    }
}

object! {
    struct DataText<'a> {
        "data" => data: Raw<'a>,
    }
}

/// Reads a record's text into an empty `envelope`, in place because it is large. `false` if the
/// text is JSON, or nothing at all, but not an object.
///
/// Producers write `type` before `data` and `data` last, so that one pass is enough; in any other
/// order the text of `data` is looked up and, if need be, decoded again.
pub(crate) fn read<'a>(text: &'a str, envelope: &mut Envelope<'a>) -> Result<bool, json::Error> {
    if is_blank(text) {
        return Ok(false);
    }
    json::check(text, json::MAX_DEPTH)?;
    json::read(text, envelope)?;
    envelope.data = envelope.last_value(text);
    if envelope.data.is_none() {
        let mut found = DataText::default();
        json::read(text, &mut found)?;
        envelope.data = found.data.0;
    }
    if envelope.decoded_as != envelope.supported_family() {
        envelope.payload = None;
        if let (Some(family), Some(data)) = (envelope.supported_family(), envelope.data) {
            json::read_seed(data, Decode(family, &mut envelope.payload))?;
        }
    }
    Ok(text.trim_ascii_start().starts_with('{'))
}

impl<'a> Envelope<'a> {
    /// The value of `data` if that is the last member of the root object `text`: what stands
    /// between its key and the closing brace.
    fn last_value(&self, text: &'a str) -> Option<&'a str> {
        let Cow::Borrowed(key @ "data") = self.last_key else { return None };
        let key_end = key.as_ptr() as usize - text.as_ptr() as usize + key.len();
        let value = text.get(key_end..)?.strip_prefix('"')?.trim_ascii_start().strip_prefix(':')?;
        Some(value.trim_ascii_end().strip_suffix('}')?.trim_ascii())
    }

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

    /// `__replay` is true.
    pub(crate) fn is_replay(&self) -> bool {
        self.replay == Scalar::Bool(true)
    }

    /// The schema version: the root's, else the payload's where a gateway writes it, else `1`.
    /// A number counts by its integer part.
    pub(crate) fn schema_version(&self) -> Cow<'a, str> {
        let of_payload = self.payload.as_ref().map(|payload| &payload.version);
        let version = [Some(&self.version), of_payload]
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
        self.parties().subtype.text()
    }

    /// What the payload says about the parties, verbatim.
    pub(crate) fn dimensions(&self) -> Dimensions {
        let Parties { orchestrator_info, orchestrator, broadcaster, region, .. } = self.parties();
        let known = |value: Scalar<'_>| blank_to_null(&value.text()).map(str::to_owned);
        Dimensions {
            orchestrator: known(orchestrator_info.address).or_else(|| known(orchestrator)),
            broadcaster: known(broadcaster),
            region: known(region),
        }
    }

    fn parties(&self) -> Parties<'a> {
        let mut parties = Parties::default();
        match self.data.map(|data| json::read(data, &mut parties)) {
            None | Some(Ok(())) => parties,
            Some(Err(_)) => Parties::default(), // what can not be read has none
        }
    }
}

object! {
    /// The fields of a payload that count in any family.
    struct Parties<'a> {
        "type" => subtype: Scalar<'a>,
        "orchestrator_info" => orchestrator_info: OrchestratorFields<'a>,
        "orchestrator" => orchestrator: Scalar<'a>,
        "broadcaster" => broadcaster: Scalar<'a>,
        "region" => region: Scalar<'a>,
    }
}

/// A record's text as compact JSON with sorted keys and without replay bookkeeping.
pub(crate) fn canonical(raw: &str) -> Option<String> {
    json::canonical(raw, &REPLAY_FIELDS).ok()
}

/// A record's text without replay bookkeeping, so that a replayed copy makes the rows of its
/// original.
pub(crate) fn without_replay(raw: &str) -> Cow<'_, str> {
    json::without(raw, &REPLAY_FIELDS).map_or(Cow::Borrowed(raw), Cow::Owned)
}

/// Best-effort parties of a payload (contract events.md 5.2, 6.4); `None` for missing or blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dimensions {
    /// `orchestrator_info.address`, else `orchestrator` (a URI in payments).
    pub(crate) orchestrator: Option<String>,
    pub(crate) broadcaster: Option<String>,
    pub(crate) region: Option<String>,
}
