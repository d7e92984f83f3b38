//! The end of state: when, and what a mark ends.
#![allow(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use naap_protocol::codec::{self, TraceContext};
use naap_protocol::state::{
    Coordinates, Delivery, Elements, EventState, Expired, Family, SessionState, event_due,
    join_frames, session_due,
};
use naap_protocol::time::Timestamp;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;

fn delivery(offset: u64, event_ts: i64) -> Delivery<'static> {
    Delivery {
        at: Coordinates { topic: Cow::Borrowed("t"), partition: 0, offset },
        record_ts: Timestamp(event_ts),
        event_ts: Timestamp(event_ts),
        content_hash: offset,
        family: Family::Payment,
        replay: false,
        elements: Elements::default(),
    }
}

#[test]
fn what_is_over_when() {
    assert_eq!(session_due(Timestamp(5), 48 * HOUR), Timestamp(5 + 72 * HOUR));
    assert_eq!(event_due(Timestamp(5)), Timestamp(5 + 48 * HOUR));
    let mark = Expired { epoch: 1, ended: Timestamp(5), at: Timestamp(7) };
    assert_eq!(mark.due(), Timestamp(7 + 180 * 24 * HOUR));
    // The latest delivery counts, whichever of a uid comes first.
    let mut event = EventState::new(delivery(1, 10));
    event.observe(&delivery(2, 30));
    assert_eq!(event.due(), event_due(Timestamp(30)));
    let mut session = SessionState::default();
    assert_eq!(session.ended(), Timestamp(0));
    session.deliveries.observe("a", &delivery(1, 10));
    session.deliveries.observe("a", &delivery(2, 30));
    session.deliveries.observe("b", &delivery(3, 20));
    assert_eq!((session.ended(), session.due(HOUR)), (Timestamp(30), Timestamp(30 + 25 * HOUR)));
    assert_eq!(session_due(Timestamp(i64::MAX), HOUR), Timestamp(i64::MAX));
}

/// A record of a session: a snapshot that has these events, or a mark.
#[derive(Clone, Debug)]
enum Record {
    Events(Vec<u64>),
    Mark,
}

fn frame(record: &Record, epoch: u64) -> Vec<u8> {
    let trace = TraceContext::default();
    match record {
        Record::Events(events) => {
            let mut state = SessionState::default();
            for offset in events {
                state.deliveries.observe(&offset.to_string(), &delivery(*offset, 1));
            }
            codec::encode(&state, trace).unwrap()
        }
        Record::Mark => codec::encode(&Expired { epoch, ..Expired::default() }, trace).unwrap(),
    }
}

/// The events of a state; `None` for a mark.
fn read(frame: &[u8]) -> Option<Vec<u64>> {
    let state: SessionState = if codec::is::<Expired>(frame) {
        return None;
    } else {
        codec::decode(frame).unwrap()
    };
    Some((0..20).filter(|n| state.deliveries.content_of(*n)).collect())
}

trait Has {
    fn content_of(&self, offset: u64) -> bool;
}

impl Has for naap_protocol::state::Deliveries {
    fn content_of(&self, offset: u64) -> bool {
        self.of(&offset.to_string()).count() > 0
    }
}

/// What a reader makes of records in their order, as the mirror of the state log does.
fn joined(records: &[(u64, Record)]) -> Option<Vec<u64>> {
    let mut known: Option<Vec<u8>> = None;
    let mut highest = 0;
    for (epoch, record) in records {
        let frame = frame(record, *epoch);
        known = Some(match known {
            Some(known) => join_frames(&known, highest, &frame, *epoch).unwrap(),
            None => frame,
        });
        highest = highest.max(*epoch);
    }
    read(&known.unwrap())
}

/// A name, records in their order, and the events of the state; `None` for a session that is over.
type Case = (&'static str, Vec<(u64, Record)>, Option<Vec<u64>>);

#[test]
fn a_mark_ends_what_its_author_has_read_and_nothing_of_later_openings() {
    use Record::{Events, Mark};
    let events = |numbers: &[u64]| Events(numbers.to_vec());
    let cases: [Case; 7] = [
        ("union", vec![(1, events(&[1])), (2, events(&[2]))], Some(vec![1, 2])),
        ("end", vec![(1, events(&[1])), (2, Mark)], None),
        ("late append of an older owner", vec![(2, Mark), (1, events(&[1, 3]))], None),
        ("woken before it was durable", vec![(2, Mark), (2, events(&[1, 4]))], Some(vec![1, 4])),
        ("of a later opening", vec![(2, Mark), (3, events(&[5]))], Some(vec![5])),
        ("late mark", vec![(1, events(&[1])), (3, events(&[1, 5])), (2, Mark)], Some(vec![1, 5])),
        (
            "two marks, then the author of the first",
            vec![(2, Mark), (3, Mark), (2, events(&[1]))],
            None,
        ),
    ];
    for (name, records, expected) in cases {
        assert_eq!(joined(&records), expected, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// The newest mark decides: without a snapshot of a later opening, or of its own behind it, the
    /// session is over; with one, all of these are in the state.
    #[test]
    fn the_last_mark_stands_unless_somebody_has_gone_on(
        records in prop::collection::vec((1..5u64, prop::option::of(prop::collection::vec(0..20u64, 0..4))), 1..8)
    ) {
        let records: Vec<(u64, Record)> = records
            .into_iter()
            .map(|(epoch, events)| (epoch, events.map_or(Record::Mark, Record::Events)))
            .collect();
        let marks = records.iter().enumerate().filter(|(_, (_, r))| matches!(r, Record::Mark));
        let last = marks.max_by_key(|(place, (epoch, _))| (*epoch, *place));
        let end = last.map_or((0, 0), |(place, (epoch, _))| (*epoch, place));
        let mut newest: BTreeMap<(u64, usize), &Vec<u64>> = BTreeMap::new();
        for (place, (epoch, record)) in records.iter().enumerate() {
            if let Record::Events(events) = record
                && (last.is_none() || (*epoch, place) > end)
            {
                newest.insert((*epoch, place), events);
            }
        }
        match joined(&records) {
            None => prop_assert!(newest.is_empty(), "{newest:?} lost"),
            Some(found) => {
                prop_assert!(!newest.is_empty(), "{records:?} came back");
                prop_assert!(newest.values().flat_map(|e| e.iter()).all(|n| found.contains(n)));
            }
        }
    }
}
