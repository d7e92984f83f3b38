//! The rows of a shard: typed rows of events, quarantine rows, session rows.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use naap_protocol::capability::Document;
use naap_protocol::capability::expand::expand;
use naap_protocol::event::{Body, Event};
use naap_protocol::gate::{Reason, Reject, Source};
use naap_protocol::payment;
use naap_protocol::rows::payments::PaymentTicket;
use naap_protocol::rows::raw::{
    RawAiStreamEvent, RawAiStreamStatus, RawDiscoveryResult, RawPaymentEvent,
    RawStreamIngestMetrics, RawStreamTraceEvent,
};
use naap_protocol::rows::typed::RowContext;
use naap_protocol::state::{Delivery, Elements, Sighting};
use naap_protocol::time::Timestamp;
use naap_protocol::wire::EnvelopeHead;

use super::{capability_rows, inventory_rows, retraction};
use crate::outbox::Outbox;
use crate::ports::Clock;
use crate::reject_rows::{Numbered, TooLarge, reject_row};
use crate::session::SessionActor;
use crate::session::emit::Written;
use crate::session::pen::Pen;

/// Bits of a version that count rows; the epoch stands above them (decisions.md, versions).
pub const SEQUENCE_BITS: u32 = 48;

/// Where the events of an envelope come from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Organisation.
    pub org: &'a str,
    /// Source topic.
    pub topic: &'a str,
    /// Partition of the topic.
    pub partition: u32,
}

impl<'a> Origin<'a> {
    /// The origin of an envelope.
    pub fn of(head: &'a EnvelopeHead) -> Self {
        Self { org: &head.org, topic: &head.source.topic, partition: head.source.partition }
    }
}

/// Builds the rows of one shard in one epoch.
#[derive(Debug)]
pub struct RowWriter {
    outbox: Outbox,
    version: u64,
    clock: Arc<dyn Clock>,
    now: Timestamp,
    /// Dead letters since they were taken, by reason.
    letters: BTreeMap<&'static str, u64>,
}

impl RowWriter {
    /// A writer whose versions start above everything that earlier epochs wrote.
    pub fn new(epoch: u64, clock: Arc<dyn Clock>) -> Self {
        let now = clock.now();
        let (outbox, version) = (Outbox::default(), epoch << SEQUENCE_BITS);
        Self { outbox, version, clock, now, letters: BTreeMap::new() }
    }

    /// Reads the clock: rows made from now on name this time as theirs.
    pub fn read_clock(&mut self) {
        self.now = self.clock.now();
    }

    /// The clock as it was read last.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The rows made so far.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Takes the numbers of dead letters.
    pub fn take_letters(&mut self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.letters)
    }

    /// Bytes of rows that wait to be taken.
    pub fn bytes(&self) -> usize {
        self.outbox.bytes()
    }

    fn context<'a>(&mut self, origin: Origin<'a>) -> RowContext<'a> {
        self.version += 1;
        RowContext { org: origin.org, version: self.version, now: self.now }
    }

    /// The typed rows of an event. Returns their keys, where there can be more than one.
    pub fn event(&mut self, origin: Origin<'_>, event: &Event<'_>) -> Elements {
        let ctx = &self.context(origin);
        let mut elements = Elements::default();
        let mut rows = Numbered::new(&mut self.outbox, 0);
        match &event.body {
            Body::Status(b) => rows.push(&RawAiStreamStatus::from_event(ctx, event, b)),
            Body::Trace(b) => rows.push(&RawStreamTraceEvent::from_event(ctx, event, b)),
            Body::Ai(b) => rows.push(&RawAiStreamEvent::from_event(ctx, event, b)),
            Body::Ingest(b) => rows.push(&RawStreamIngestMetrics::from_event(ctx, event, b)),
            Body::Payment(b) => {
                rows.push(&RawPaymentEvent::from_event(ctx, event, b));
                let hint = payment::hint(b);
                if let Some(ticket) = PaymentTicket::from_event(ctx, event, (b, &hint)) {
                    rows.push(&ticket);
                }
            }
            // The archive has the record, and the session writes its fact.
            Body::Transport(_) => {}
            Body::Discovery(found) => {
                for row in RawDiscoveryResult::from_event(ctx, event, found) {
                    rows.push(&row);
                    elements.add(0, 0);
                }
            }
            Body::Capabilities(document) => {
                elements = capability_rows::push_all(&mut rows, ctx, event, document);
            }
        }
        let too_large = rows.finish();
        self.too_large(origin, event, &too_large);
        if let Body::Capabilities(document) = &event.body {
            self.bad_entries(origin, event, document);
        }
        elements
    }

    /// What a capability event says is there now; whether the event counts does not matter.
    pub fn inventory(&mut self, origin: Origin<'_>, event: &Event<'_>) {
        if let Body::Capabilities(document) = &event.body {
            let ctx = &self.context(origin);
            let too_large = inventory_rows::push_all(&mut self.outbox, ctx, event, document);
            self.too_large(origin, event, &too_large);
        }
    }

    /// The dead letters of entries that can not be read.
    fn bad_entries(&mut self, origin: Origin<'_>, event: &Event<'_>, document: &Document<'_>) {
        for bad in &document.bad_entries {
            let details = format!("entry {} of the payload: {}", bad.index, bad.reason);
            let reject =
                Reject::of_event(event, source(origin, event), Reason::ParseException, details);
            self.letter(&reject, bad.index + 1, self.version);
        }
    }

    /// The dead letters of the rows of `event` that are over the size guard. Only the first of them holds the
    /// record: the text that makes a row too long can stand in each row.
    fn too_large(&mut self, origin: Origin<'_>, event: &Event<'_>, rows: &[TooLarge]) {
        let Some(&(first, _)) = rows.first() else { return };
        let source = source(origin, event);
        let mut reject = Reject::of_event(event, source, Reason::RecordTooLarge, String::new());
        for &(part, too_large) in rows {
            reject.failure_details = if part == first {
                too_large.to_string()
            } else {
                reject.payload_body = None;
                format!("{too_large}; the record stands with part {first}")
            };
            self.letter(&reject, part, self.version);
        }
    }

    /// The rows that `own`, the delivery of `event`, owes for deliveries of its uid that do not count.
    /// `known` are all of them in their order.
    pub fn left_out<'k, D: Borrow<Delivery<'k>>>(
        &mut self,
        origin: Origin<'_>,
        event: &Event<'_>,
        (own, sighting): (&Delivery<'_>, Sighting),
        mut known: impl Iterator<Item = D>,
    ) {
        let Some(counts) = known.next() else { return };
        let counts = counts.borrow();
        if sighting.counts() {
            known.for_each(|other| self.quarantine(origin, event, other.borrow(), counts));
        } else {
            self.quarantine(origin, event, own, counts);
        }
    }

    /// The rows of `other`, of which `counts` is the delivery that does. `event` is of the same
    /// content as `counts` where `other` is.
    fn quarantine(
        &mut self,
        origin: Origin<'_>,
        event: &Event<'_>,
        other: &Delivery<'_>,
        counts: &Delivery<'_>,
    ) {
        let ctx = &self.context(origin);
        let conflict = other.content() != counts.content();
        let mut reject = Reject::duplicate(event, source_of(origin, other), conflict);
        reject.replay = other.replay;
        if conflict {
            retraction::push_all(&mut self.outbox, ctx, &event.uid, other, counts);
            blank_conflict(&mut reject, other);
        }
        reject_row(&mut self.outbox, &reject, 0, ctx.version, self.now);
    }

    /// The dead letter of an event whose fold panicked.
    pub fn fold_panicked(&mut self, origin: Origin<'_>, event: &Event<'_>) {
        self.version += 1;
        let details = "the session's fold panicked on this event; it is kept here and left out of the session";
        let source = source(origin, event);
        let reject = Reject::of_event(event, source, Reason::ParseException, details.to_owned());
        self.letter(&reject, 0, self.version);
    }

    /// The dead letter of an accepted event, or of the part of it that `part` numbers.
    fn letter(&mut self, reject: &Reject, part: u32, version: u64) {
        *self.letters.entry(reject.failure_reason.label()).or_default() += 1;
        reject_row(&mut self.outbox, reject, part, version, self.now);
    }

    /// Every row of a session that differs from what is stored.
    pub fn session(&mut self, session: &mut SessionActor, retention_ms: Option<i64>) -> Written {
        let mut pen = Pen::new(&mut self.outbox, &mut self.version, self.now);
        session.write(&mut pen, retention_ms)
    }
}

/// The keys of the rows that [`RowWriter::event`] would write.
pub(super) fn elements_of(body: &Body<'_>) -> Elements {
    match body {
        Body::Capabilities(document) => capability_rows::elements(&expand(document)),
        Body::Discovery(found) => {
            let mut elements = Elements::default();
            for _ in found {
                elements.add(0, 0);
            }
            elements
        }
        Body::Status(_)
        | Body::Trace(_)
        | Body::Ai(_)
        | Body::Ingest(_)
        | Body::Transport(_)
        | Body::Payment(_) => Elements::default(),
    }
}

/// What a row says whose content is not the one that counts.
const CONFLICT: &str = "another content of this uid comes first; the text stands in raw_streaming_events at this source";

/// Leaves in the row of `other` only what is known of a content whose text may be out of reach.
fn blank_conflict(reject: &mut Reject, other: &Delivery<'_>) {
    reject.event_timestamp = Some(other.event_ts);
    reject.payload_body = None;
    (reject.event_type, reject.event_version) = (None, None);
    (reject.orchestrator, reject.broadcaster, reject.region) = (None, None, None);
    // The place itself is in the row's source, where no fingerprint depends on it.
    reject.failure_details = String::from(CONFLICT);
}

fn source(origin: Origin<'_>, event: &Event<'_>) -> Source {
    Source {
        org: Arc::from(origin.org),
        topic: origin.topic.to_owned(),
        partition: origin.partition,
        offset: event.offset,
        record_ts: Some(event.record_ts),
    }
}

fn source_of(origin: Origin<'_>, delivery: &Delivery<'_>) -> Source {
    Source {
        org: Arc::from(origin.org),
        topic: delivery.at.topic.to_string(),
        partition: delivery.at.partition,
        offset: delivery.at.offset,
        record_ts: Some(delivery.record_ts),
    }
}
