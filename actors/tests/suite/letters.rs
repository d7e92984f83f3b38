//! Dead letters of rows that are too long: one for each row, under a key of its own.

use std::collections::BTreeMap;

use naap_actors::shard::{Origin, RowWriter};
use naap_protocol::capability::{Document, Entry};
use naap_protocol::event::{Body, Event, Payment};
use naap_protocol::time::Timestamp;

use crate::cells::{Cells, Store};
use crate::memory::clock;
use crate::signals::{BASE, event};

const ORIGIN: Origin<'static> = Origin { org: "org", topic: "t", partition: 3 };
/// A text that fits no row.
const LONG: usize = 1_100_000;

/// The dead letters that an event leaves, in the order of their parts.
fn letters(event: &Event<'_>, count: u64) -> Vec<Cells> {
    let mut writer = RowWriter::new(1, clock());
    writer.event(ORIGIN, event);
    writer.inventory(ORIGIN, event);
    let counted = writer.take_letters();
    assert_eq!(counted, BTreeMap::from([("record_too_large", count)]));
    let mut store = Store::default();
    for batch in writer.outbox().take() {
        store.insert(batch.table, &batch.rows);
    }
    let letters = store.table("raw_streaming_events_dlq");
    for letter in &letters {
        assert_eq!(letter["failure_stage"], "SINK_GUARD");
        assert_eq!(letter["failure_class"], "RECORD_TOO_LARGE");
        assert_eq!(letter["failure_reason"], "record_too_large");
        assert_eq!(letter["event_id"], "e");
    }
    letters
}

/// Part, whether it holds the record, and the table that it is about.
fn told(letter: &Cells) -> (&str, bool, &str) {
    let table = letter["failure_details"].strip_prefix("the row for table ").expect("a table");
    let table = table.split_once(' ').expect("more text").0;
    (letter["part"].as_str(), !letter["payload_body"].is_empty(), table)
}

#[test]
fn each_row_of_a_capability_event_that_is_too_long_has_a_letter() {
    let entry = |index, uri: String, capabilities: &[i32]| Entry {
        index,
        orch_uri: uri.into(),
        capacities: capabilities.iter().map(|&capability| (capability, 1)).collect(),
        ..Entry::default()
    };
    let long = format!("https://{}", "u".repeat(LONG));
    let entries = vec![entry(0, long, &[35, 36]), entry(1, "https://a".to_owned(), &[35])];
    let body = Body::Capabilities(Document { entries, bad_entries: Vec::new() });
    let letters = letters(&event("e", Timestamp(BASE), "gw", body), 5);
    let (typed, said) =
        ("raw_network_capabilities_advertised", "dim_orchestrator_capability_advertised_snapshots");
    // Rows 5 and 6 are of the other entry, and so is 7, what is there of it now.
    let expected = [
        ("1", true, typed),
        ("2", false, said),
        ("3", false, typed),
        ("4", false, said),
        ("8", true, "dim_orchestrator_gpu_current"),
    ];
    assert_eq!(letters.iter().map(told).collect::<Vec<_>>(), expected);
    assert!(letters[3]["failure_details"].ends_with("; the record stands with part 1"));
}

#[test]
fn both_rows_of_a_payment_have_a_letter() {
    let payment = Payment {
        session_id: "s".repeat(LONG).into(),
        face_value: "1 WEI".into(),
        num_tickets: "1".into(),
        win_prob: "1".into(),
        price: "1 wei/pixel".into(),
        ..Payment::default()
    };
    let letters = letters(&event("e", Timestamp(BASE), "gw", Body::Payment(payment)), 2);
    let expected = [("1", true, "raw_payment_events"), ("2", false, "fact_payment_tickets")];
    assert_eq!(letters.iter().map(told).collect::<Vec<_>>(), expected);
}
