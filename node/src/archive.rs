//! The archive read again: accepted records through the gate, and what they advertise.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use naap_protocol::capability::advertise::Advertisements;
use naap_protocol::capability::decide::{DirectWindow, Trace};
use naap_protocol::capability::evidence::{Role, Subject};
use naap_protocol::capability::index::{Index, WINDOW_MS};
use naap_protocol::event::{Body, Event};
use naap_protocol::gate::{Gate, Limits, Outcome, Record};
use naap_protocol::time::Timestamp;
use serde::Deserialize;

use crate::store::{Store, StoreError};

/// Advertisements are read in spans of this length, so that only a few documents are in memory.
const SPAN_MS: i64 = 6 * 3_600_000;

/// 64-bit integers arrive as numbers, whatever the server's default is.
pub(crate) const SETTINGS: &str = "SETTINGS output_format_json_quote_64bit_integers = 0";

/// A record of the archive.
#[derive(Debug, Deserialize)]
pub struct Archived {
    id: String,
    r#type: String,
    timestamp: u64,
    gateway: String,
    data: String,
    raw_event_uid: String,
    /// Topic of the record.
    pub source_topic: String,
    /// Partition of the topic.
    pub source_partition: u32,
    source_offset: u64,
    record_ms: i64,
}

/// `text` as a literal of SQL.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// `ts` as an expression of SQL.
pub(crate) fn moment(ts: Timestamp) -> String {
    format!("fromUnixTimestamp64Milli({}, 'UTC')", ts.0)
}

/// The records of `org` that `filter` lets through, in the order of their event time.
///
/// # Errors
/// When the store fails.
pub async fn records(store: &Store, org: &str, filter: &str) -> Result<Vec<Archived>, StoreError> {
    let sql = format!(
        "SELECT id, type, timestamp, gateway, data, raw_event_uid, source_topic, source_partition, \
                source_offset, toUnixTimestamp64Milli(source_record_timestamp) AS record_ms \
         FROM raw_streaming_events FINAL WHERE org = {org} AND {filter} \
         ORDER BY event_timestamp, raw_event_uid, source_topic, source_partition, source_offset {SETTINGS}",
        org = literal(org),
    );
    store.rows("read the archive", &sql).await
}

/// A gate for what was accepted before: it only decodes.
pub fn decoder() -> Gate {
    let limits = Limits {
        max_value_bytes: usize::MAX,
        earliest: Timestamp(i64::MIN),
        max_ahead_ms: i64::MAX,
        latest: Timestamp(i64::MAX),
        ..Limits::default()
    };
    Gate { limits, ..Gate::default() }
}

impl Archived {
    /// The record as text: its envelope without what only the gate looks at.
    fn text(&self) -> String {
        let Self { id, timestamp, data, .. } = self;
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let (family, gateway) = (quoted(&self.r#type), quoted(&self.gateway));
        let id = if id.is_empty() { String::new() } else { format!("\"id\":{},", quoted(id)) };
        format!(
            "{{{id}\"type\":{family},\"timestamp\":{timestamp},\"gateway\":{gateway},\"data\":{data}}}"
        )
    }

    /// Hands the event to `take`, unless this build does not accept the record.
    pub fn read(&self, gate: &Gate, take: impl FnOnce(&Event<'_>)) {
        let (text, mut repaired) = (self.text(), String::new());
        let record = Record {
            topic: &self.source_topic,
            partition: self.source_partition,
            offset: self.source_offset,
            record_ts: Some(Timestamp(self.record_ms)),
            value: Some(text.as_bytes()),
        };
        if let Outcome::Accepted(event) = gate.admit(record, &mut repaired) {
            // A uid made of the whole record can not be made of the parts that are kept.
            let uid = Cow::Borrowed(self.raw_event_uid.as_str());
            take(&Event { uid, ..event });
        }
    }
}

/// What was advertised under some identity keys, without horizon and limits.
#[derive(Debug, Default)]
pub struct Advertised {
    indexes: BTreeMap<String, Index>,
    /// Uids of the events that told of one of the keys.
    pub events: BTreeSet<String>,
}

impl Advertised {
    /// Reads what `org` advertised under `keys` between `from` and `to`, and 24 h around.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn read(
        store: &Store,
        org: &str,
        keys: &BTreeSet<String>,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Self, StoreError> {
        let mut known = Self::default();
        let gate = decoder();
        let mut start = from.0.saturating_sub(WINDOW_MS);
        let end = to.0.saturating_add(WINDOW_MS);
        while start <= end && !keys.is_empty() {
            let last = start.saturating_add(SPAN_MS - 1).min(end);
            let filter = format!(
                "type = 'network_capabilities' AND event_timestamp BETWEEN {} AND {}",
                moment(Timestamp(start)),
                moment(Timestamp(last))
            );
            for record in records(store, org, &filter).await? {
                known.take(&record, keys, &gate);
            }
            start = last.saturating_add(1);
        }
        Ok(known)
    }

    fn take(&mut self, record: &Archived, keys: &BTreeSet<String>, gate: &Gate) {
        record.read(gate, |event| {
            let Body::Capabilities(document) = &event.body else { return };
            for advertisement in Advertisements::of(event, document).nodes {
                for key in advertisement.routing_keys() {
                    if keys.contains(key) {
                        let index = self.indexes.entry(key.to_owned());
                        index.or_insert_with(Index::unbounded).insert(&advertisement);
                        self.events.insert(event.uid.to_string());
                    }
                }
            }
        });
    }

    /// What the orchestrator in `role` says about `subject`, and why.
    pub fn trace(&self, role: Role, subject: &Subject, window: DirectWindow) -> Trace {
        match self.indexes.get(subject.key(role)) {
            Some(index) => subject.trace(index, window),
            None => subject.trace(&Index::unbounded(), window),
        }
    }
}

/// The identity keys that `subjects` name.
pub fn keys<'s>(subjects: impl Iterator<Item = &'s Subject>) -> BTreeSet<String> {
    let keys = subjects.flat_map(|s| [Role::Url, Role::Address].map(|role| s.key(role)));
    keys.filter(|key| !key.is_empty()).map(str::to_owned).collect()
}
