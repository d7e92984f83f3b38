//! Samples of transport counters: what they add and whom they belong to, in any order of arrival
//! (backlog 001, 006).

use crate::session_vectors::orders;
use crate::stage::{play, play_eagerly, script};

/// Name, inputs, table, columns, rows.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const INGEST: &str = "fact_stream_ingest_samples";
const TRANSPORT: &str = "fact_orchestrator_transport_bandwidth";

const CASES: &[Case] = &[
    (
        "a sample adds to the one before of its connection",
        "ING@1000{pc=x,rx=100} ING@2000{pc=y,rx=70} ING@6000{pc=x,rx=250} ING@70000{pc=x,rx=20}",
        INGEST,
        "peer_connection bytes_received_delta interval_ms is_rated counter_reset attribution_reason",
        &[
            "x 100 null 0 0 no_selection",
            "y 70 null 0 0 no_selection",
            "x 150 5000 1 0 no_selection",
            "x 20 64000 0 1 no_selection",
        ],
    ),
    (
        "a sample belongs to the selection in force at its time",
        "CAP@900{A} CAP@900{B} ING@500 ST@1000{A} ING@2000 ST@3000{B} ING@3000 CLOSE@4000 ING@9001",
        INGEST,
        "orchestrator_address gpu_id is_attributed attribution_reason",
        &["  0 pre_selection", "0xa G-A 1 matched", "0xb G-B 1 matched", "  0 after_close"],
    ),
    (
        "an interval belongs to whom was in force in its middle",
        "CAP@900{A} CAP@900{B} ST@1000{A} ST@10000{B} TRN@11000{n=0,rx=5,u=https://a} \
         TRN@16000{n=0,try=1,rx=7,u=https://a}",
        TRANSPORT,
        "attempt rx_bytes orchestrator_address quality_flags",
        &["0 5 0xa ", "1 7 0xb other_orchestrator"],
    ),
    (
        "numbers count, not the order of time; a gap is spanned and a reset begins anew",
        "TRN@6000{n=0,rx=10} TRN@16000{n=2,rx=30} TRN@21000{n=3,rx=5} TRN@26000{n=4,rx=9}",
        TRANSPORT,
        "sample_seq rx_bytes interval_ms rx_bps counter_reset quality_flags",
        &["0 10 5000 16 0 ", "2 20 10000 16 0 gap", "3 5 5000 8 1 ", "4 4 5000 6 0 "],
    ),
    (
        "a stream whose first samples are missing has bytes and no rate",
        "TRN@30000{n=5,rx=600} TRN@35000{n=6,rx=700}",
        TRANSPORT,
        "sample_seq rx_bytes interval_ms rx_bps quality_flags",
        &["5 600 5000 null gap", "6 100 5000 160 "],
    ),
    (
        "streams are told apart by attempt, channel and observer",
        "TRN@6000{rx=1} TRN@6000{rx=2,try=1} TRN@6000{rx=4,ch=events} TRN@6000{rx=8,by=o}",
        TRANSPORT,
        "attempt channel observer clock_domain rx_bytes quality_flags",
        &[
            "0 events gateway gateway 4 ",
            "0 media gateway gateway 1 ",
            "0 media orchestrator orchestrator 8 ",
            "1 media gateway gateway 2 ",
        ],
    ),
    (
        "of two with one number the earlier counts",
        "TRN@6000{rx=10} TRN@6001{rx=11} TRN@11000{n=1,rx=30}",
        TRANSPORT,
        "sample_seq rx_bytes",
        &["0 10", "1 20"],
    ),
];

#[test]
fn samples_say_the_same_in_any_order() {
    for (name, text, table, columns, want) in CASES {
        let inputs = script(text);
        for order in orders(inputs.len()) {
            let stages = [play(&inputs, &order, None), play_eagerly(&inputs, &order, None)];
            for stage in stages {
                let row = |row: &crate::cells::Cells| {
                    columns.split(' ').map(|c| row[c].clone()).collect::<Vec<_>>().join(" ")
                };
                let rows: Vec<String> = stage.table(table).iter().map(row).collect();
                assert_eq!(rows, *want, "{name}: {order:?}");
            }
        }
    }
}

#[test]
fn a_number_that_is_taken_is_quarantined_with_the_place_of_its_text() {
    let inputs = script("TRN@6000{rx=10} TRN@6001{rx=11}");
    for order in orders(inputs.len()) {
        let rows = play_eagerly(&inputs, &order, None).table("raw_streaming_events_quarantine");
        let found: Vec<_> =
            rows.iter().map(|row| (&*row["failure_reason"], &*row["dedup_key"])).collect();
        assert_eq!(found, [("id_conflict", "e02")], "{order:?}");
        assert_eq!(
            rows[0]["failure_details"],
            "another event says something else under number 0 of this stream of samples and comes first; \
             the text stands in raw_streaming_events at this source"
        );
    }
}
