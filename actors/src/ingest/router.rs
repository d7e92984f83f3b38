//! From records to envelopes and rows: decide, archive, route. Pure but for the clock of row times.

use std::collections::BTreeMap;
use std::sync::Arc;

use naap_protocol::capability::advertise::{Advertisement, Advertisements};
use naap_protocol::codec::TraceContext;
use naap_protocol::event::{Body, DedupStrategy, Event};
use naap_protocol::gate::{Destination, Gate, Ignored, Outcome, Reason, Record, Reject, Source};
use naap_protocol::identity::{EntityKey, EntityKind, is_blank};
use naap_protocol::lot::Lot;
use naap_protocol::privacy::PrivacyMode;
use naap_protocol::rows;
use naap_protocol::state::SourcePartition;
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{self, Advertised, Envelope, EnvelopeHead, Item};

use super::RecordBatch;
use super::flow::Flow;
use super::values::Repair;
use crate::names;
use crate::outbox::{Outbox, RowBatch};
use crate::ports::Clock;
use crate::reject_rows::{oversized, reject_row};
use crate::session::instruments;
use crate::shard::add_all;

/// Items of a shard beyond this weight, bytes, go into the next envelope, so that a batch is never too long for
/// a link. Those of one record stay together.
const PART: usize = 256 << 10;

/// What became of the records of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestCounts {
    /// Records read.
    pub read: u64,
    /// Accepted, by family; duplicates among them are found by the shards.
    pub accepted: BTreeMap<&'static str, u64>,
    /// Those of them that name no gateway, by family.
    pub without_gateway: BTreeMap<&'static str, u64>,
    /// Ignored, by reason.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Dead-lettered, by reason.
    pub dead_lettered: BTreeMap<&'static str, u64>,
    /// Quarantined by the gate, by reason; duplicates are quarantined by the shards.
    pub quarantined: BTreeMap<&'static str, u64>,
    /// Dead letters of accepted records, by reason: those whose archive row is over the size guard.
    pub letters: BTreeMap<&'static str, u64>,
    /// Capability entries without a canonical address: kept as rows, not indexed.
    pub unaddressed_entries: u64,
}

impl IngestCounts {
    /// Adds `other`.
    fn add(&mut self, other: &Self) {
        let add = |counts: &mut BTreeMap<_, u64>, others: &BTreeMap<_, u64>| {
            add_all(counts, others.iter().map(|(&name, &count)| (name, count)));
        };
        self.read += other.read;
        add(&mut self.accepted, &other.accepted);
        add(&mut self.without_gateway, &other.without_gateway);
        add(&mut self.ignored, &other.ignored);
        add(&mut self.dead_lettered, &other.dead_lettered);
        add(&mut self.quarantined, &other.quarantined);
        add(&mut self.letters, &other.letters);
        self.unaddressed_entries += other.unaddressed_entries;
    }

    /// Counts all of this in the metrics of the node.
    fn publish(&self) {
        metrics::counter!(names::RECORDS).increment(self.read);
        for (&family, &count) in &self.accepted {
            metrics::counter!(names::ACCEPTED, "family" => family).increment(count);
        }
        for (&family, &count) in &self.without_gateway {
            metrics::counter!(names::WITHOUT_GATEWAY, "family" => family).increment(count);
        }
        for (&reason, &count) in &self.ignored {
            metrics::counter!(names::IGNORED, "reason" => reason).increment(count);
        }
        let rejected = self.dead_lettered.iter().chain(&self.quarantined).chain(&self.letters);
        for (&reason, &count) in rejected {
            metrics::counter!(names::REJECTED, "reason" => reason).increment(count);
        }
    }
}

/// Decides about records and sorts what is accepted by shard.
#[derive(Debug)]
pub struct Router {
    /// Shared with the batch that is being routed: a copy of the map would cost each batch.
    gate: Arc<Gate>,
    privacy: PrivacyMode,
    shards: u16,
    version: u64,
    clock: Arc<dyn Clock>,
    /// Places of the items of each shard in the lot that is being made.
    places: Vec<Vec<u32>>,
    /// Offset of the record behind each item.
    offsets: Vec<u64>,
    outbox: Outbox,
    /// Of the batch that is being routed, and of those before.
    fresh: IngestCounts,
    counts: IngestCounts,
    /// Accepted records of that batch by family, and those of them that name no gateway.
    accepted: Families,
    without_gateway: Families,
}

/// Counts by family for as long as a batch is routed: one name after the other is quicker compared by its
/// address than found in a map by its text.
#[derive(Debug, Default)]
struct Families(Vec<(&'static str, u64)>);

impl Families {
    fn count(&mut self, family: &'static str) {
        let known = self.0.iter_mut().find(|(name, _)| std::ptr::eq(*name, family));
        match known {
            Some((_, count)) => *count += 1,
            None => self.0.push((family, 1)),
        }
    }

    fn take_into(&mut self, counts: &mut BTreeMap<&'static str, u64>) {
        add_all(counts, self.0.drain(..));
    }
}

/// What all records of a batch share.
struct Origin<'a> {
    org: Arc<str>,
    source: &'a SourcePartition,
    now: Timestamp,
}

impl Router {
    /// A router for a cluster of `shards`. Rows carry versions above `version`.
    pub fn new(
        gate: Gate,
        privacy: PrivacyMode,
        shards: u16,
        version: u64,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            gate: Arc::new(gate),
            privacy,
            shards,
            version,
            clock,
            places: vec![Vec::new(); usize::from(shards)],
            offsets: Vec::new(),
            outbox: Outbox::default(),
            fresh: IngestCounts::default(),
            counts: IngestCounts::default(),
            accepted: Families::default(),
            without_gateway: Families::default(),
        }
    }

    /// Routes a batch: one envelope for each shard that it holds something for, and more where that is
    /// a lot.
    pub fn route(&mut self, batch: RecordBatch, flow: &mut Flow) -> Vec<Envelope> {
        let RecordBatch { source, records, next_offset, data } = batch;
        let org = Arc::clone(self.gate.orgs.org(&source.topic));
        let origin = Origin { org, source: &source, now: self.clock.now() };
        let gate = Arc::clone(&self.gate);
        let (text, repair) = Repair::text(data, &records);
        let lot = Lot::new(text, |text| {
            let mut items = Vec::with_capacity(records.len());
            for entry in records.iter().enumerate() {
                let value = repair.value(text, entry);
                let record = Record {
                    topic: &source.topic,
                    partition: source.partition,
                    offset: entry.1.offset,
                    record_ts: entry.1.record_ts,
                    value: value.map(|(_, bytes)| bytes),
                };
                match gate.admit_text(&record, value.map_or("", |(text, _)| text)) {
                    Outcome::Accepted(event) => self.accept(&origin, event, &mut items),
                    Outcome::Ignored(ignored) => self.ignore(&origin, record, &ignored),
                    Outcome::Rejected(reject) => self.reject(&reject, origin.now),
                }
            }
            items
        });
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.read = records.len() as u64;
        self.accepted.take_into(&mut fresh.accepted);
        self.without_gateway.take_into(&mut fresh.without_gateway);
        fresh.publish();
        self.counts.add(&fresh);
        self.seal(&origin, next_offset, &Arc::new(lot), flow)
    }

    fn accept<'a>(&mut self, origin: &Origin<'_>, mut event: Event<'a>, items: &mut Vec<Item<'a>>) {
        let said = match &event.body {
            Body::Capabilities(document) => Advertisements::of(&event, document),
            _ => Advertisements::default(),
        };
        if !wire::fits(&event, &said.nodes) {
            // It can not travel between nodes. It is refused on a node without others too: its rows
            // do not depend on where it is read.
            let limit = wire::MAX_FRAME;
            let details =
                format!("what is made of it has more than the {limit} bytes of a message");
            return self.reject(&too_large(origin, &event, details), origin.now);
        }
        self.accepted.count(event.body.family());
        if is_blank(&event.gateway) {
            self.without_gateway.count(event.body.family());
        }
        self.privacy.apply(&mut event);
        self.archive(origin, &event);
        self.advertise(origin, event.offset, &said.nodes, items);
        self.fresh.unaddressed_entries += said.blank_addresses as u64;
        let owner = EntityKey::owner(&origin.org, &event);
        let (kind, (id, shard)) = (owner.kind(), owner.address(self.shards));
        self.place(shard, event.offset, items.len());
        // Each arm pushes, which spares a copy of the event.
        match kind {
            EntityKind::Session => items.push(Item::Session(id.0, event)),
            EntityKind::Event | EntityKind::Orchestrator => {
                items.push(Item::Single(id.0, event));
            }
        }
    }

    fn advertise(
        &mut self,
        origin: &Origin<'_>,
        offset: u64,
        nodes: &[Advertisement],
        items: &mut Vec<Item<'_>>,
    ) {
        for advertisement in nodes {
            for key in advertisement.routing_keys() {
                let entity = EntityKey::orchestrator(&origin.org, key);
                let (id, shard) = entity.address(self.shards);
                let advertised =
                    Advertised { key: key.to_owned(), advertisement: advertisement.clone() };
                self.place(shard, offset, items.len());
                items.push(Item::Advertisement(id.0, advertised));
            }
        }
    }

    /// Notes that the item at `place`, of the record at `offset`, is for `shard`.
    fn place(&mut self, shard: u16, offset: u64, place: usize) {
        self.places[usize::from(shard)].push(place as u32);
        self.offsets.push(offset);
    }

    fn archive(&mut self, origin: &Origin<'_>, event: &Event<'_>) {
        let id = match event.dedup_strategy {
            DedupStrategy::EventId => &*event.uid,
            DedupStrategy::PayloadHash => "",
        };
        let row = rows::raw::RawStreamingEvent {
            org: &origin.org,
            id,
            r#type: event.body.family(),
            timestamp: event.event_ts.0.unsigned_abs(),
            gateway: &event.gateway,
            data: event.data(),
            raw_event_uid: &event.uid,
            source_topic: &origin.source.topic,
            source_partition: origin.source.partition,
            source_offset: event.offset,
            source_record_timestamp: event.record_ts,
            event_timestamp: event.event_ts,
            ingestion_timestamp: origin.now,
        };
        if let Err(error) = self.outbox.push(&row) {
            oversized(error);
            // The event counts, and the shards number what they say of it from 1.
            let details = format!("{error}; the event counts all the same");
            let reject = too_large(origin, event, details);
            count(&mut self.fresh.letters, reject.failure_reason.label());
            self.letter(&reject, origin.now);
        }
    }

    fn ignore(&mut self, origin: &Origin<'_>, record: Record<'_>, ignored: &Ignored<'_>) {
        count(&mut self.fresh.ignored, ignored.reason.label());
        instruments::ignored(&ignored.family);
        let payload = ignored.payload.map(|text| self.privacy.apply_text(text));
        let row = rows::rejects::Ignored {
            raw_event_uid: &ignored.uid,
            org: &origin.org,
            event_type: &ignored.family,
            event_subtype: &ignored.subtype,
            ignore_reason: ignored.reason.label(),
            gateway: &ignored.gateway,
            source_topic: record.topic,
            source_partition: record.partition,
            source_offset: record.offset,
            source_record_timestamp: record.record_ts.or(ignored.event_ts).unwrap_or(origin.now),
            event_timestamp: ignored.event_ts,
            raw_json: payload.as_deref().unwrap_or(""),
            ingestion_timestamp: origin.now,
        };
        if let Err(too_large) = self.outbox.push(&row) {
            oversized(too_large);
        }
    }

    fn reject(&mut self, reject: &Reject, now: Timestamp) {
        let counts = match reject.destination() {
            Destination::DeadLetter => &mut self.fresh.dead_lettered,
            Destination::Quarantine => &mut self.fresh.quarantined,
        };
        count(counts, reject.failure_reason.label());
        self.letter(reject, now);
    }

    /// Adds the row of a reject that is about the whole record.
    fn letter(&mut self, reject: &Reject, now: Timestamp) {
        self.version += 1;
        reject_row(&mut self.outbox, reject, 0, self.version, now);
    }

    fn seal(
        &mut self,
        origin: &Origin<'_>,
        to: u64,
        lot: &Arc<Lot>,
        flow: &mut Flow,
    ) -> Vec<Envelope> {
        let offsets = std::mem::take(&mut self.offsets);
        let mut envelopes = Vec::new();
        for (places, shard) in self.places.iter_mut().zip(0u16..) {
            let mut part = std::mem::take(places);
            while !part.is_empty() {
                let rest = part.split_off(whole_records(lot, &offsets, &part));
                let end = rest.first().map_or(to, |&next| offsets[next as usize]);
                let places = std::mem::replace(&mut part, rest);
                // A shard that was served before gets nothing: the partition is read again for others.
                let Some(from) = flow.serve(origin.source, shard, end) else { continue };
                let head = EnvelopeHead {
                    shard,
                    epoch_hint: 0,
                    org: origin.org.to_string(),
                    source: origin.source.clone(),
                    from,
                    to: end,
                    count: 0,
                };
                let trace = TraceContext::default();
                envelopes.push(Envelope::shared(head, trace, Arc::clone(lot), places));
            }
        }
        envelopes
    }

    /// Takes the archive, reject and ignored rows made so far.
    pub fn take_rows(&mut self) -> Vec<RowBatch> {
        self.outbox.take()
    }

    /// What became of the records so far.
    pub fn counts(&self) -> &IngestCounts {
        &self.counts
    }
}

fn count(counts: &mut BTreeMap<&'static str, u64>, name: &'static str) {
    *counts.entry(name).or_default() += 1;
}

/// How many of `places` the next envelope takes: those of whole records, as many as weigh [`PART`], and of
/// one record at least.
fn whole_records(lot: &Lot, offsets: &[u64], places: &[u32]) -> usize {
    let (mut weight, mut taken) = (0, 0);
    let same_record = |a: &u32, b: &u32| offsets[*a as usize] == offsets[*b as usize];
    for record in places.chunk_by(same_record) {
        weight +=
            record.iter().filter_map(|&place| lot.get(place)).map(Item::weight).sum::<usize>();
        if taken > 0 && weight > PART {
            break;
        }
        taken += record.len();
    }
    taken
}

/// The record of `event`, or a row about all of it, is too long: `details` say in what way.
fn too_large(origin: &Origin<'_>, event: &Event<'_>, details: String) -> Reject {
    let source = Source {
        org: Arc::clone(&origin.org),
        topic: origin.source.topic.clone(),
        partition: origin.source.partition,
        offset: event.offset,
        record_ts: Some(event.record_ts),
    };
    Reject::of_event(event, source, Reason::RecordTooLarge, details)
}

#[cfg(test)]
mod tests;
