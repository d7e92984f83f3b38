//! Any bytes as a record: the gate gives exactly one answer, and an accepted event travels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use naap_protocol::capability::{advertise, expand};
use naap_protocol::codec::TraceContext;
use naap_protocol::event::{Body, Event};
use naap_protocol::gate::{Gate, Outcome, Record};
use naap_protocol::identity::{EntityKey, event_uid};
use naap_protocol::signal::signal;
use naap_protocol::state::{SessionState, SourcePartition};
use naap_protocol::wire::{EnvelopeBuilder, EnvelopeHead, Item};

fuzz_target!(|value: &[u8]| {
    let record = Record {
        topic: "streaming_events",
        partition: 0,
        offset: 1,
        record_ts: None,
        value: Some(value),
    };
    match Gate::default().admit(record, &mut String::new()) {
        Outcome::Accepted(event) => accepted(&event),
        Outcome::Ignored(ignored) => assert!(!ignored.uid.is_empty()),
        Outcome::Rejected(reject) => assert!(!reject.failure_reason.label().is_empty()),
    }
});

fn accepted(event: &Event<'_>) {
    assert_eq!(event_uid(&event.raw).0, event.uid, "one record has one uid");
    assert!(!event.uid.is_empty() && !event.data().is_empty());
    let key = EntityKey::owner("org", event);
    assert!(key.shard(64) < 64 && !key.text().is_empty());
    let _families_without_one = signal(event);
    let _sampled = SessionState::default().sample(event);
    if let Body::Capabilities(document) = &event.body {
        let _rows = expand::expand(document);
        let _nodes = advertise::Advertisements::of(event, document);
    }
    travels(event);
}

fn travels(event: &Event<'_>) {
    let mut builder = EnvelopeBuilder::default();
    builder.push_session(1, event).expect("an accepted event can be encoded");
    let head = EnvelopeHead {
        shard: 0,
        epoch_hint: 0,
        org: String::new(),
        source: SourcePartition { topic: String::new(), partition: 0 },
        from: 0,
        to: 1,
        count: 0,
    };
    let envelope = builder.seal(head, TraceContext::default());
    let items = envelope.items().map(|item| item.expect("own bytes").into_owned());
    let items: Vec<_> = items.collect();
    assert_eq!(items, [Item::Session(1, event.clone())]);
}
