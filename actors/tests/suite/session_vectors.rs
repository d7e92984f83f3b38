//! Vectors of lifecycle.md 13.1 to 13.4, column N, for the session's row. Every vector is run in
//! all orders of its signals, or in 200 random ones when there are more than five.

use naap_actors::session::SessionActor;
use naap_protocol::event::Event;
use naap_protocol::state::Delivery;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::cells::Cells;
use crate::signals::{BASE, RETENTION, parse, row};

/// Name, signals, columns. A `*_ts` counts from the base of the vectors.
const VECTORS: &[(&str, &str, &str)] = &[
    (
        "V16 V17",
        "REQ@1000 PROC@3000 PLAY@4000",
        "session_start_ts=1000 session_end_ts=4000 known_stream=1 startup_success=1 \
         first_stream_request_ts=1000 first_processed_ts=3000 first_playable_ts=4000 event_count=3 \
         source_first_event_uid=e1 source_last_event_uid=e3 is_closed=0 closed_ts=null \
         stream_id=s request_id=r workflow_session_id=s|r",
    ),
    ("V19", "ST@5000{start=1500} REQ@2000", "session_start_ts=1500 session_end_ts=5000"),
    (
        "V20",
        "REQ@1000 PROC@2000 CLOSE@5000 ST@6000",
        "session_end_ts=6000 event_count=4 closed_ts=5000 is_closed=1 post_close_signal_count=1",
    ),
    (
        "V21",
        "ST@1000{u=https://a} ST@3000{u=https://b} ST@2000{u=https://a}",
        "orchestrator_url=https://b observed_url=https://b selection_count=2",
    ),
    ("V22", "REQ@1000{uid=x} ST@2000 REQ@1000{uid=x}", "event_count=2 status_sample_count=1"),
    (
        "V22 within the retention",
        "REQ@1000{uid=x} ST@90000000 ST@170000000 REQ@1000{uid=x} ST@90000000{uid=e2}",
        "event_count=3 status_sample_count=2",
    ),
    ("V23", "REQ@1000 ST@2000{gw=gw1} ST@3000{gw=gw2}", "gateway=gw1"),
    (
        "V24",
        "REQ@1000 ST@2000 ST@259202000 CLOSE@259203000",
        "event_count=2 session_end_ts=2000 source_last_event_uid=e2 closed_ts=null \
         status_sample_count=1",
    ),
    (
        "V25",
        "REQ@1000",
        "known_stream=1 requested_seen=1 startup_success=0 startup_excused=0 startup_unexcused=1 \
         startup_outcome=failed excusal_reason=none selection_outcome=unknown \
         attribution_status=unresolved attribution_reason=no_selection \
         attribution_source=unattributed workflow_id=ai_live_video_stream",
    ),
    (
        "V26",
        "REQ@1000 PLAY@1100",
        "known_stream=1 startup_success=1 startup_excused=0 startup_unexcused=0 \
         startup_outcome=success excusal_reason=none",
    ),
    (
        "V27",
        "REQ@1000 PLAY@1100 NOORCH@1200",
        "known_stream=1 startup_success=1 startup_excused=0 startup_unexcused=0 \
         startup_outcome=success no_orchestrators=1 excusal_reason=none",
    ),
    (
        "V28",
        "NOORCH@1000 REQ@1000",
        "known_stream=1 startup_success=0 startup_excused=1 startup_unexcused=0 \
         selection_outcome=no_orch startup_outcome=failed excusal_reason=no_orch",
    ),
    (
        "V28 the other way round",
        "REQ@1000 NOORCH@1100",
        "known_stream=1 startup_success=0 startup_excused=1 startup_unexcused=0 \
         selection_outcome=no_orch startup_outcome=failed excusal_reason=no_orch",
    ),
    (
        "V29",
        "REQ@1000 ERR\"WHIP disconnected unexpectedly\"@2000",
        "startup_excused=1 startup_unexcused=0 error_count=1 excusable_error_count=1 \
         excusal_reason=excusable_error",
    ),
    (
        "V30",
        "REQ@1000 ERR\"WHIP disconnected unexpectedly\"@2000 ERR\"GPU kernel panic\"@3000",
        "startup_excused=0 startup_unexcused=1 error_count=2 excusable_error_count=1 \
         startup_outcome=failed excusal_reason=none",
    ),
    (
        "V31",
        "REQ@1000 ERR\"WHIP disconnected\"@2000 ERR\"GPU kernel panic\"@3000 PLAY@4000",
        "startup_success=1 startup_excused=0 startup_unexcused=0 error_count=2 \
         excusable_error_count=1",
    ),
    (
        "V32",
        "ERR\"user disconnected\"@1000",
        "known_stream=0 startup_success=0 startup_excused=0 startup_unexcused=0 error_count=1 \
         excusable_error_count=1 health_signal_count=0 health_expected_signal_count=0 \
         health_completeness_ratio=1 startup_outcome=unknown",
    ),
    (
        "V33",
        "PLAY@5",
        "known_stream=0 startup_success=1 startup_excused=0 startup_unexcused=0 \
         health_signal_count=1 health_expected_signal_count=0 health_completeness_ratio=1 \
         startup_outcome=unknown",
    ),
    (
        "V34",
        "PLAY@5 REQ@1",
        "known_stream=1 startup_success=1 startup_excused=0 startup_unexcused=0 session_start_ts=1",
    ),
    (
        "V35",
        "REQ@1000 ST@2000{a=0xhota} NOORCH@3000",
        "startup_excused=1 selection_outcome=selected excusal_reason=no_orch \
         observed_address=0xhota observed_url=",
    ),
    (
        "V36",
        "REQ@1000 ERR\"missing video\"@2000 CLOSE@3000 ERR\"boom\"@4000",
        "startup_unexcused=1 error_count=2 excusable_error_count=1 post_close_error_count=1 \
         post_close_signal_count=1",
    ),
    (
        "V37",
        "REQ@52118525 ERR\"no orchestrators available\"@52118530 NOORCH@52118530 \
         CLOSE@52118628 ERR\"mediamtx ingest disconnected\"@52118628",
        "known_stream=1 startup_excused=1 error_count=2 excusable_error_count=2 \
         session_start_ts=52118525 session_end_ts=52118628 event_count=5 health_signal_count=0 \
         health_expected_signal_count=3 health_completeness_ratio=0 selection_outcome=no_orch \
         closed_ts=52118628 post_close_error_count=0",
    ),
    (
        "V38",
        "REQ@51410114 ERR\"no orchestrators available within 2s timeout\"@51412377 \
         CLOSE@51412385 ERR\"mediamtx ingest disconnected\"@51412385",
        "startup_excused=1 error_count=2 excusable_error_count=2 event_count=4 \
         excusal_reason=excusable_error selection_outcome=unknown",
    ),
    (
        "V39",
        "REQ@1000 ST@2000{state=loading} ST@3000{state=LOADING}",
        "loading_only_session=1 zero_output_fps_session=1 status_sample_count=2 \
         status_error_sample_count=0 health_signal_count=1 health_expected_signal_count=3 \
         health_completeness_ratio=0.33333334",
    ),
    (
        "V40",
        "REQ@1000 ST@2000{state=LOADING} ST@3000{err=CUDA OOM} ST@4000{state=ONLINE,fps=0.5}",
        "loading_only_session=0 zero_output_fps_session=0 last_error_occurred=1 \
         status_error_sample_count=1 status_sample_count=3 health_signal_count=1 \
         health_expected_signal_count=3 health_completeness_ratio=0.33333334",
    ),
    (
        "V41",
        "REQ@1000 PROC@2000 PLAY@3000",
        "loading_only_session=0 zero_output_fps_session=0 health_signal_count=2 \
         health_completeness_ratio=0.6666667",
    ),
    (
        "V42",
        "REQ@1000 PROC@2000 PLAY@3000 ST@4000{state=ONLINE,fps=20}",
        "health_signal_count=3 health_completeness_ratio=1 loading_only_session=0",
    ),
    (
        "V43",
        "ST@1000{state=ONLINE}",
        "health_signal_count=1 health_expected_signal_count=0 health_completeness_ratio=1",
    ),
    ("V44", "ST@1000{err=null}", "last_error_occurred=0 status_error_sample_count=0"),
    (
        "V44, trimmed and in any case",
        "ST@1000{err= NULL }",
        "last_error_occurred=0 status_error_sample_count=0",
    ),
    (
        "several closes (2.4)",
        "REQ@1000 CLOSE@5000 CLOSE@3000 ST@4000 ERR\"x\"@5000",
        "closed_ts=5000 post_close_signal_count=0 post_close_error_count=0 session_end_ts=5000",
    ),
    (
        "start times that are not believed (1.7.2)",
        "ST@90000000{start=1000} ST@90000001{start=90000002} REQ@90000003",
        "session_start_ts=90000000",
    ),
    (
        "blank texts are none (2.2)",
        "ST@1000{p= ,gw= ,u= } ST@2000{p=m1,gw=gw1} AI@3000{p=m2,gw=gw2}",
        "model_hint=m1 gateway=gw1 selection_count=0 selection_outcome=unknown",
    ),
    (
        "a lone slash is no URI (decisions: norm_url)",
        "ST@1000{u=/}",
        "selection_count=0 selection_outcome=unknown observed_url=",
    ),
    (
        "nor does it change whom a wallet names",
        "ST@1000{u=/} ST@2000{u=https://a,a=0xa} ST@3000{u=/,a=0xa} SWAP@3500{u=/} ST@4000{u=https://a}",
        "selection_count=1 observed_url=https://a observed_address=0xa swap_count=1",
    ),
    (
        "selections (clarification 3)",
        "ST@1000{u=https://A/} ST@2000{a=0xa} ST@3000{u=https://a,a=0xa} ST@4000{a=0xa} \
         ST@5000{u=https://b}",
        "selection_count=3 observed_url=https://b observed_address=",
    ),
    (
        "a swap names whom it leaves (5.3)",
        "ST@1000{u=https://a} SWAP@2000{u=https://z} ST@3000{u=https://a}",
        "selection_count=1 confirmed_swap_count=1 swap_count=1 observed_url=https://a",
    ),
    (
        "relayed identities are the last resort (clarification 26)",
        "PU@1000{u=https://c} ST@2000{u=https://a} AI@3000{u=https://c}",
        "selection_count=1 observed_url=https://a params_update_count=1",
    ),
    (
        "relayed identities alone (clarification 26)",
        "REQ@1000 PU@2000{u=https://c}",
        "selection_count=1 observed_url=https://c selection_outcome=selected",
    ),
    (
        "selections after the close (clarification 28)",
        "REQ@1000 CLOSE@2000 ST@3000{u=https://a}",
        "selection_count=0 selection_outcome=unknown observed_url= post_close_signal_count=1",
    ),
    (
        "a selection at the close counts (clarification 28)",
        "REQ@1000 CLOSE@2000 ST@2000{u=https://a}",
        "selection_count=1 observed_url=https://a post_close_signal_count=0",
    ),
    (
        "the last seconds (W10)",
        "ST@1000{state=LOADING} ST@5000{state=ONLINE,fps=3} ST@5001{state=ONLINE,fps=3} \
         CLOSE@10000 ST@11000{state=ONLINE,fps=3}",
        "status_sample_count=4 before_tail_status_sample_count=2 \
         before_tail_status_non_loading_count=1 before_tail_status_positive_output_count=1",
    ),
    (
        "an open session has no tail (W10)",
        "ST@1000{state=LOADING} ST@5001{state=ONLINE,fps=3}",
        "before_tail_status_sample_count=2 before_tail_status_non_loading_count=1",
    ),
    (
        "uids decide between equal times (1.7.5)",
        "AI@1000{uid=a} ST@1000{uid=z} ST@1000{uid=y} REQ@1000{uid=zz}",
        "source_first_event_uid=zz source_last_event_uid=a",
    ),
];

/// All orders of `0..n`, or 200 random ones.
pub fn orders(n: usize) -> Vec<Vec<usize>> {
    if n > 5 {
        let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut order: Vec<usize> = (0..n).collect();
        return (0..200)
            .map(|_| {
                for i in (1..n).rev() {
                    order.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
                }
                order.clone()
            })
            .collect();
    }
    (0..n).fold(vec![vec![]], |shorter, last| {
        let places = |order: &Vec<usize>| {
            let order = order.clone();
            (0..=order.len()).map(move |place| {
                let mut longer = order.clone();
                longer.insert(place, last);
                longer
            })
        };
        shorter.iter().flat_map(places).collect()
    })
}

fn fold(events: &[Event<'static>], order: &[usize]) -> Cells {
    let mut session = SessionActor::new("org", "s|r".to_owned(), "s", "r");
    for &index in order {
        let event = Event { offset: index as u64, ..events[index].clone() };
        session.receive(&event, &Delivery::of(&event, "t", 0), RETENTION);
    }
    row(&mut session).expect("a row")
}

#[test]
fn contract_vectors_in_every_order() {
    for (name, signals, expected) in VECTORS {
        let events = parse(signals);
        for order in orders(events.len()) {
            let row = fold(&events, &order);
            expect(&row, expected, &format!("{name}, order {order:?}"));
        }
    }
}

/// Checks the columns of `expected` in `row`; a `*_ts` counts from the base of the vectors.
pub fn expect(row: &Cells, expected: &str, what: &str) {
    for pair in expected.split_whitespace() {
        let (column, value) = pair.split_once('=').expect("column=value");
        let found = row.get(column).unwrap_or_else(|| panic!("{what}: no {column}"));
        let is_time = column.ends_with("_ts") && value != "null";
        let value = match value.parse::<i64>() {
            Ok(offset) if is_time => (BASE + offset).to_string(),
            _ => value.to_owned(),
        };
        assert_eq!(*found, value, "{what}: {column}");
    }
}

#[test]
fn every_order_of_a_vector_is_tried_once() {
    let mut all = orders(4);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 24);
}
