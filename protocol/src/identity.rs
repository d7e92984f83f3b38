//! What things are called: normal forms, session ids, event uids and entity keys
//! (contract events.md 5, lifecycle 0.1 and 1.3 to 1.5).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::event::envelope::{self, Envelope};
use crate::event::{DedupStrategy, Event};

/// `text` without surrounding whitespace. Most texts have none, which their ends tell.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [] => text,
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// The text is empty or only whitespace.
#[inline]
pub fn is_blank(text: &str) -> bool {
    trim(text).is_empty()
}

/// The first of `texts` that is not blank, untrimmed; `""` if there is none.
pub fn first_non_blank<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> &'a str {
    texts.into_iter().flatten().find(|text| !is_blank(text)).unwrap_or("")
}

/// `None` for blank text, else the text unchanged.
pub fn blank_to_null(text: &str) -> Option<&str> {
    (!is_blank(text)).then_some(text)
}

/// `text` without surrounding whitespace.
pub fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) if trim(&text).len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
    }
}

/// A wallet address in normal form: trimmed, lower case; `""` for blank text, `0x` and the zero
/// address. Allocates only when something changes inside the text.
pub fn norm_addr(address: Cow<'_, str>) -> Cow<'_, str> {
    let mut address = trimmed(address);
    // Without an early end the loop compiles to vector instructions.
    if address.bytes().fold(false, |found, b| found | b.is_ascii_uppercase()) {
        address.to_mut().make_ascii_lowercase();
    }
    let unset = address.strip_prefix("0x").is_some_and(|digits| {
        digits.is_empty() || (digits.len() == 40 && digits.bytes().all(|b| b == b'0'))
    });
    if unset { Cow::Borrowed("") } else { address }
}

/// A service URI in normal form: trimmed, lower case, without one trailing slash. Nothing else is
/// rewritten. Allocates only when something changes inside the text.
pub fn norm_url(url: &str) -> Cow<'_, str> {
    let url = bare(url);
    if url.bytes().fold(false, |found, b| found | b.is_ascii_uppercase() | !b.is_ascii()) {
        return Cow::Owned(url.to_lowercase());
    }
    Cow::Borrowed(url)
}

fn bare(url: &str) -> &str {
    let url = trim(url);
    url.strip_suffix('/').unwrap_or(url)
}

/// Whether `url` names a service at all: it does not where nothing is left of it in normal form, as of
/// white space or of a lone slash.
pub fn is_url(url: &str) -> bool {
    !bare(url).is_empty()
}

/// The clock group of a trace subtype by its prefix: `gateway`, `orchestrator`, `runner`, `app`,
/// else `other` (lifecycle 1.5). Case-sensitive.
pub fn trace_category(subtype: &str) -> &'static str {
    ["gateway", "orchestrator", "runner", "app"]
        .into_iter()
        .find(|name| subtype.strip_prefix(name).is_some_and(|rest| rest.starts_with('_')))
        .unwrap_or("other")
}

/// The pieces whose concatenation is the workflow session id (lifecycle 1.3, clarification 16).
/// Inputs are trimmed; `uid` is the event uid and matters only when both ids are blank.
fn session_pieces<'a>(stream_id: &'a str, request_id: &'a str, uid: &'a str) -> [&'a str; 3] {
    match (trim(stream_id), trim(request_id), trim(uid)) {
        ("", "", "") => ["_missing_stream|_missing_request", "|", "_missing_event"],
        ("", "", uid) => ["_missing_stream|_missing_request", "|", uid],
        ("", request, _) => ["_missing_stream", "|", request],
        (stream, "", _) => [stream, "|", "_missing_request"],
        (stream, request, _) => [stream, "|", request],
    }
}

/// The workflow session id of a signal: `stream|request`, with `_missing_…` in the place of a blank
/// part and the event uid behind two of them. Never empty; unique only together with the
/// organisation.
pub fn session_key(stream_id: &str, request_id: &str, uid: &str) -> String {
    session_pieces(stream_id, request_id, uid).concat()
}

/// The uid of any record and how it was made (contract events.md 5.2): the envelope `id`, else the
/// hash over type, dimensions and canonical JSON, else (unparsable input) the SHA-256 of the text.
pub fn event_uid(raw: &str) -> (Cow<'_, str>, DedupStrategy) {
    let mut envelope = Envelope::default();
    match envelope::read(raw, &mut envelope) {
        Ok(true) => envelope.uid(raw),
        _ => (Cow::Owned(sha256_hex(&[raw])), DedupStrategy::PayloadHash),
    }
}

/// Lower-case hex SHA-256 of the concatenation of `parts`.
pub fn sha256_hex(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// What kind of thing an entity key names. The number is the first byte of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EntityKind {
    /// One workflow session.
    Session = 1,
    /// One orchestrator identity: a normalised service URI or a normalised wallet.
    Orchestrator = 2,
    /// One event without a session: discovery, payment, the typed rows of an advertisement.
    Event = 3,
}

/// The full name of an entity: kind, organisation and text.
///
/// Key bytes are the kind byte, the organisation, a zero byte and the text, so no two different
/// keys share bytes as long as organisations hold no zero byte. They are part of the routing
/// version: changing them moves every entity.
#[derive(Clone, Copy, Debug)]
pub struct EntityKey<'a> {
    kind: EntityKind,
    org: &'a str,
    /// The text is the concatenation, so that a session key needs no allocation.
    text: [&'a str; 3],
}

impl<'a> EntityKey<'a> {
    /// The session of a signal; see [`session_key`].
    pub fn session(org: &'a str, stream_id: &'a str, request_id: &'a str, uid: &'a str) -> Self {
        let text = session_pieces(stream_id, request_id, uid);
        Self { kind: EntityKind::Session, org, text }
    }

    /// The session with this workflow session id.
    pub fn session_id(org: &'a str, workflow_session_id: &'a str) -> Self {
        Self { kind: EntityKind::Session, org, text: [workflow_session_id, "", ""] }
    }

    /// The orchestrator identity with this normalised URI or wallet.
    pub fn orchestrator(org: &'a str, identity: &'a str) -> Self {
        Self { kind: EntityKind::Orchestrator, org, text: [identity, "", ""] }
    }

    /// The event with this uid.
    pub fn event(org: &'a str, uid: &'a str) -> Self {
        Self { kind: EntityKind::Event, org, text: [uid, "", ""] }
    }

    /// The entity that deduplicates `event` and writes its typed rows: its session for session
    /// families, the event itself for advertisements, discovery results and payments.
    pub fn owner(org: &'a str, event: &'a Event<'a>) -> Self {
        match event.body.session_ids() {
            Some((stream_id, request_id)) => Self::session(org, stream_id, request_id, &event.uid),
            None => Self::event(org, &event.uid),
        }
    }

    /// What the key names.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// The organisation that the entity belongs to.
    pub fn org(&self) -> &'a str {
        self.org
    }

    /// The key without kind and organisation, e.g. the workflow session id.
    pub fn text(&self) -> String {
        self.text.concat()
    }

    /// 128-bit id of the entity: `xxh3_128` of the key bytes.
    pub fn id(&self) -> EntityId {
        EntityId(self.with_bytes(xxh3_128))
    }

    /// The shard of the entity among `shards`: `xxh3_64` of the key bytes modulo `shards`;
    /// 0 if there are none.
    pub fn shard(&self, shards: u16) -> u16 {
        shard_of(self.with_bytes(xxh3_64), shards)
    }

    /// [`Self::id`] and [`Self::shard`], for the price of one.
    pub fn address(&self, shards: u16) -> (EntityId, u16) {
        let (id, hash) = self.with_bytes(|key| (xxh3_128(key), xxh3_64(key)));
        (EntityId(id), shard_of(hash, shards))
    }

    /// Calls `hash` with the key bytes, from the stack unless the key is unusually long.
    fn with_bytes<T>(&self, hash: impl FnOnce(&[u8]) -> T) -> T {
        let tag = [self.kind as u8];
        let [a, b, c] = self.text;
        let parts = [&tag, self.org.as_bytes(), &[0], a.as_bytes(), b.as_bytes(), c.as_bytes()];
        let mut buffer = [0_u8; 256];
        let mut rest = buffer.as_mut_slice();
        for part in parts {
            let Some((head, tail)) = rest.split_at_mut_checked(part.len()) else {
                return hash(&parts.concat());
            };
            head.copy_from_slice(part);
            rest = tail;
        }
        let unused = rest.len();
        let (key, _) = buffer.split_at(buffer.len() - unused);
        hash(key)
    }
}

fn shard_of(hash: u64, shards: u16) -> u16 {
    hash.checked_rem(u64::from(shards)).unwrap_or(0) as u16
}

impl fmt::Display for EntityKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            EntityKind::Session => "session",
            EntityKind::Orchestrator => "orchestrator",
            EntityKind::Event => "event",
        };
        let [a, b, c] = self.text;
        write!(f, "{kind} {}/{a}{b}{c}", self.org)
    }
}

/// 128-bit hash of an [`EntityKey`]; names the entity where the text is not at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntityId(pub u128);

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_of_any_kind_is_trimmed() {
        let parts = ["", "a", "\u{e9}", " ", "\u{a0}", "\u{2003}", "\t", "\0", "b c"];
        for before in parts {
            for behind in parts {
                for middle in parts {
                    let text = [before, middle, behind].concat();
                    assert_eq!(trim(&text), text.trim(), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn urls_without_a_name_are_none() {
        for url in ["", " ", "/", " / ", "\u{2003}/"] {
            assert!(!is_url(url), "{url:?}");
        }
        for url in ["//", "h", "\u{130}"] {
            assert!(is_url(url), "{url:?}");
        }
    }
}
