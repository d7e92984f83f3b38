//! From records to envelopes and rows: decide, archive, route. Pure but for the clock of row times.

use std::collections::BTreeMap;
use std::sync::Arc;

use naap_protocol::capability::advertise::advertisements;
use naap_protocol::codec::{CodecError, TraceContext};
use naap_protocol::event::{Body, Event};
use naap_protocol::gate::{Destination, Gate, Ignored, Outcome, Record, Reject};
use naap_protocol::identity::{EntityKey, EntityKind};
use naap_protocol::privacy::PrivacyMode;
use naap_protocol::rows;
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{Advertised, Envelope, EnvelopeBuilder, EnvelopeHead};

use super::RecordBatch;
use super::flow::Flow;
use crate::names;
use crate::outbox::{Outbox, RowBatch};
use crate::ports::Clock;
use crate::reject_rows::{oversized, reject_row};
use crate::session::instruments;

/// What became of the records of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestCounts {
    /// Records read.
    pub read: u64,
    /// Accepted, by family; duplicates among them are found by the shards.
    pub accepted: BTreeMap<&'static str, u64>,
    /// Ignored, by reason.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Dead-lettered, by reason.
    pub dead_lettered: BTreeMap<&'static str, u64>,
    /// Quarantined by the gate, by reason; duplicates are quarantined by the shards.
    pub quarantined: BTreeMap<&'static str, u64>,
    /// Capability entries without a canonical address: kept as rows, not indexed.
    pub unaddressed_entries: u64,
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
    builders: Vec<EnvelopeBuilder>,
    outbox: Outbox,
    counts: IngestCounts,
    repaired: String,
}

/// What all records of a batch share.
struct Lot<'a> {
    org: Arc<str>,
    batch: &'a RecordBatch,
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
            builders: (0..shards).map(|_| EnvelopeBuilder::default()).collect(),
            outbox: Outbox::default(),
            counts: IngestCounts::default(),
            repaired: String::new(),
        }
    }

    /// Routes a batch: one envelope for each shard that it holds something for.
    ///
    /// # Errors
    /// When an event can not be encoded.
    pub fn route(
        &mut self,
        batch: &RecordBatch,
        flow: &mut Flow,
    ) -> Result<Vec<Envelope>, CodecError> {
        let org = Arc::clone(self.gate.orgs.org(&batch.source.topic));
        let lot = Lot { org, batch, now: self.clock.now() };
        let gate = Arc::clone(&self.gate);
        for entry in &batch.records {
            let record = Record {
                topic: &batch.source.topic,
                partition: batch.source.partition,
                offset: entry.offset,
                record_ts: entry.record_ts,
                value: entry.value.clone().and_then(|range| batch.data.get(range)),
            };
            let mut repaired = std::mem::take(&mut self.repaired);
            let outcome = gate.admit(record, &mut repaired);
            self.outcome(&lot, record, outcome)?;
            self.repaired = repaired;
        }
        metrics::counter!(names::RECORDS).increment(batch.records.len() as u64);
        self.counts.read += batch.records.len() as u64;
        Ok(self.seal(&lot, flow))
    }

    fn outcome(
        &mut self,
        lot: &Lot<'_>,
        record: Record<'_>,
        outcome: Outcome<'_>,
    ) -> Result<(), CodecError> {
        match outcome {
            Outcome::Accepted(event) => {
                count(&mut self.counts.accepted, event.body.family());
                metrics::counter!(names::ACCEPTED, "family" => event.body.family()).increment(1);
                let event = self.privacy.apply(event);
                self.archive(lot, &event);
                self.accept(lot, &event)?;
            }
            Outcome::Ignored(ignored) => {
                count(&mut self.counts.ignored, ignored.reason.label());
                metrics::counter!(names::IGNORED, "reason" => ignored.reason.label()).increment(1);
                self.ignore(lot, record, &ignored);
            }
            Outcome::Rejected(reject) => {
                let reason = reject.failure_reason.label();
                let counts = match reject.destination() {
                    Destination::DeadLetter => &mut self.counts.dead_lettered,
                    Destination::Quarantine => &mut self.counts.quarantined,
                };
                count(counts, reason);
                metrics::counter!(names::REJECTED, "reason" => reason).increment(1);
                self.reject(&reject, lot.now);
            }
        }
        Ok(())
    }

    fn accept(&mut self, lot: &Lot<'_>, event: &Event<'_>) -> Result<(), CodecError> {
        if let Body::Capabilities(document) = &event.body {
            let said = advertisements(document, event.event_ts, &event.uid);
            self.counts.unaddressed_entries += said.blank_addresses as u64;
            for advertisement in said.nodes {
                for key in advertisement.routing_keys() {
                    let entity = EntityKey::orchestrator(&lot.org, key);
                    let advertised =
                        Advertised { key: key.to_owned(), advertisement: advertisement.clone() };
                    let shard = usize::from(entity.shard(self.shards));
                    self.builders[shard].push_advertisement(entity.id().0, &advertised)?;
                }
            }
        }
        let owner = EntityKey::owner(&lot.org, event);
        let (id, kind) = (owner.id().0, owner.kind());
        let shard = owner.shard(self.shards);
        let builder = &mut self.builders[usize::from(shard)];
        match kind {
            EntityKind::Session => builder.push_session(id, event),
            EntityKind::Event | EntityKind::Orchestrator => builder.push_single(id, event),
        }
    }

    fn archive(&mut self, lot: &Lot<'_>, event: &Event<'_>) {
        let id = match event.dedup_strategy {
            naap_protocol::event::DedupStrategy::EventId => &*event.uid,
            naap_protocol::event::DedupStrategy::PayloadHash => "",
        };
        let row = rows::raw::RawStreamingEvent {
            org: &lot.org,
            id,
            r#type: event.body.family(),
            timestamp: event.event_ts.0.unsigned_abs(),
            gateway: &event.gateway,
            data: event.data(),
            raw_event_uid: &event.uid,
            source_topic: &lot.batch.source.topic,
            source_partition: lot.batch.source.partition,
            source_offset: event.offset,
            source_record_timestamp: event.record_ts,
            event_timestamp: event.event_ts,
            ingestion_timestamp: lot.now,
        };
        if let Err(too_large) = self.outbox.push(&row) {
            oversized(too_large);
        }
    }

    fn ignore(&mut self, lot: &Lot<'_>, record: Record<'_>, ignored: &Ignored<'_>) {
        instruments::ignored(&ignored.family);
        let payload = ignored.payload.map(|text| self.privacy.apply_text(text));
        let row = rows::rejects::Ignored {
            raw_event_uid: &ignored.uid,
            org: &lot.org,
            event_type: &ignored.family,
            event_subtype: &ignored.subtype,
            ignore_reason: ignored.reason.label(),
            gateway: &ignored.gateway,
            source_topic: record.topic,
            source_partition: record.partition,
            source_offset: record.offset,
            source_record_timestamp: record.record_ts.or(ignored.event_ts).unwrap_or_default(),
            event_timestamp: ignored.event_ts,
            raw_json: payload.as_deref().unwrap_or(""),
            ingestion_timestamp: lot.now,
        };
        if let Err(too_large) = self.outbox.push(&row) {
            oversized(too_large);
        }
    }

    fn reject(&mut self, reject: &Reject, now: Timestamp) {
        self.version += 1;
        reject_row(&mut self.outbox, reject, 0, self.version, now);
    }

    fn seal(&mut self, lot: &Lot<'_>, flow: &mut Flow) -> Vec<Envelope> {
        let (source, to) = (&lot.batch.source, lot.batch.next_offset);
        let mut envelopes = Vec::new();
        for (builder, shard) in self.builders.iter_mut().zip(0u16..) {
            if builder.is_empty() {
                continue;
            }
            let from = flow.serve(source, shard, to);
            let head = EnvelopeHead {
                shard,
                epoch_hint: 0,
                org: lot.org.to_string(),
                source: source.clone(),
                from: from.unwrap_or(to),
                to,
                count: 0,
            };
            let envelope = builder.seal(head, TraceContext::default());
            // A shard that was served before gets nothing: the partition is read again for others.
            envelopes.extend(from.map(|_| envelope));
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
