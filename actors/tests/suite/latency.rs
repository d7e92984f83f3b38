//! Latency rows: vectors V119 to V126 of lifecycle.md and the acceptance of backlog 002, played in
//! every order over the stage; and the laws of the figures.

use proptest::prelude::*;

use crate::cells::Cells;
use crate::session_vectors::orders;
use crate::signals::{RETENTION, signal};
use crate::stage::{Stage, play, script};

const TABLE: &str = "fact_workflow_latency_samples";

/// Columns in the order in which the vectors list their values.
const FIGURES: [&str; 3] = ["prompt_to_first_frame", "startup_time", "e2e_latency"];

/// Text of a figure: its value, else its reason.
fn figure(row: &Cells, name: &str) -> String {
    let (value, reason) = (&row[&*format!("{name}_ms")], &row[&*format!("{name}_null_reason")]);
    assert_eq!(value == "null", !reason.is_empty(), "{name}: a value or a reason");
    assert_eq!(row[&*format!("has_{name}")], u8::from(value != "null").to_string(), "{name}");
    if value == "null" { reason.clone() } else { value.clone() }
}

/// The rows v1 and v2.
fn rows(stage: &Stage) -> [Cells; 2] {
    let rows = stage.table(TABLE);
    let versions: Vec<_> = rows.iter().map(|row| row["edge_semantics_version"].clone()).collect();
    assert_eq!(versions, ["v1", "v2"]);
    rows.try_into().expect("two rows")
}

/// Name, signals, the figures v1, the figures v2, further columns of v2.
type Vector = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// The session of V122 with every runner stamp moved.
fn moved_runner_clock(by: i64) -> String {
    let (start, stamp) = (1_767_908_945_607 + by, by - 1);
    let early = by + 5;
    format!(
        "REQ@1767908945298 GSEND@1767908947583 RSEND@1767908947689{{stamp={stamp}}} \
         PROC@1767908947953 PLAY@1767908952042 ST@1767909099000{{start={start},stamp={early}}}"
    )
}

const VECTORS: &[Vector] = &[
    (
        "V16",
        "REQ@1000 PROC@3000 PLAY@4000",
        "2000 1000 3000",
        "missing_start_edge 2000 missing_start_edge",
        "",
    ),
    (
        "V34",
        "PLAY@5 REQ@1",
        "missing_end_edge missing_start_edge 4",
        "missing_start_edge missing_end_edge missing_start_edge",
        "",
    ),
    (
        "V119",
        "REQ@1000 PROC@1200 PLAY@4300",
        "200 3100 3300",
        "missing_start_edge 200 missing_start_edge",
        "is_cross_clock=0 skew_ms=null late_trickle=0",
    ),
    (
        "V120",
        "REQ@2000 PROC@1000",
        "negative_interval missing_end_edge missing_end_edge",
        "missing_start_edge negative_interval missing_start_edge",
        "first_frame_round_trip_ms=null",
    ),
    (
        "V121",
        "REQ@1000 PROC@1000",
        "0 missing_end_edge missing_end_edge",
        "missing_start_edge 0 missing_start_edge",
        "",
    ),
    (
        "V122, 002 (a)",
        "REQ@1767908945298 GSEND@1767908947583 RSEND@1767908947689{stamp=-1} PROC@1767908947953 \
         PLAY@1767908952042 ST@1767908999000{start=1767908945607,stamp=5}",
        "2655 4089 6744",
        "6440 2655 106",
        "is_cross_clock=1 skew_ms=-5 prompt_source_ms=6435 e2e_source_ms=105 \
         first_frame_round_trip_ms=370 late_trickle=0",
    ),
    (
        "V123, 002 (d)",
        "REQ@1772043170697 ST@1772043199000{start=1772043171045,stamp=-68} \
         RSEND@1772043188936{stamp=-69} GSEND@1772043189351 PROC@1772043190086 PLAY@1772043192684",
        "19389 2598 21987",
        "21571 19389 negative_interval",
        "is_cross_clock=1 skew_ms=68 e2e_source_ms=-484 first_frame_round_trip_ms=735",
    ),
    (
        "V124 (V67)",
        "REQ@1772047765640 RSEND@1772047775630{stamp=-40} GSEND@1772047775704 \
         ST@1772047775964{start=1772047765923,stamp=-60} PROC@1772047776417 PLAY@1772047778162 \
         ST@1772047785965{fps=20.9,stamp=-90} SWAP\"orchestrator is slow\"@1772047802485 \
         ERR\"no orchestrators available\"@1772047803424 NOORCH@1772047803424 \
         CLOSE@1772047805140 RRECV@1772047777059",
        "10777 1745 12522",
        "12199 10777 negative_interval",
        "skew_ms=40 e2e_source_ms=-114",
    ),
    (
        "V125",
        "REQ@1000 PLAY@9000 ST@100000{start=2000,stamp=-60000}",
        "missing_end_edge missing_start_edge 8000",
        "cross_clock_skew missing_end_edge missing_start_edge",
        "skew_ms=60000 is_cross_clock=0",
    ),
    (
        "skew at its bound (9.2.3)",
        "PLAY@9000 ST@100000{start=2000,stamp=-5000}",
        "missing_start_edge missing_start_edge missing_start_edge",
        "2000 missing_start_edge missing_start_edge",
        "skew_ms=5000",
    ),
    (
        "skew above its bound (9.2.3)",
        "PLAY@9000 ST@100000{start=2000,stamp=5001}",
        "missing_start_edge missing_start_edge missing_start_edge",
        "cross_clock_skew missing_start_edge missing_start_edge",
        "skew_ms=-5001",
    ),
    (
        "null order: a missing edge goes before the skew (clarification 37)",
        "ST@100000{start=2000}",
        "missing_start_edge missing_start_edge missing_start_edge",
        "missing_end_edge missing_start_edge missing_start_edge",
        "",
    ),
    (
        "null order: the skew goes before the sign (clarification 37)",
        "PLAY@1000 ST@100000{start=2000}",
        "missing_start_edge missing_start_edge missing_start_edge",
        "cross_clock_skew missing_start_edge missing_start_edge",
        "skew_ms=null",
    ),
    (
        "prompt before its start (9.2.4)",
        "PLAY@1000 ST@100000{start=2000,stamp=0}",
        "missing_start_edge missing_start_edge missing_start_edge",
        "negative_interval missing_start_edge missing_start_edge",
        "prompt_source_ms=-1000",
    ),
    (
        "stamps a day apart tell nothing (clarification 36)",
        "PLAY@9000 ST@100000{start=2000,stamp=-86400001}",
        "missing_start_edge missing_start_edge missing_start_edge",
        "cross_clock_skew missing_start_edge missing_start_edge",
        "skew_ms=null",
    ),
    (
        "002 (e)",
        "REQ@1000 GSEND@2000 RSEND@22100{stamp=-20000} PROC@2500",
        "1500 missing_end_edge missing_end_edge",
        "missing_start_edge 1500 20100",
        "late_trickle=1 e2e_source_ms=100",
    ),
    (
        "relayed in the same millisecond as its result",
        "GSEND@2000 RSEND@2500 PROC@2500",
        "missing_start_edge missing_end_edge missing_start_edge",
        "missing_start_edge missing_start_edge 500",
        "late_trickle=0 e2e_source_ms=null",
    ),
    (
        "two gateways (002 rule 5)",
        "REQ@1000{gw=gw1} PROC@1200{gw=gw2} PLAY@4300{gw=gw2} GSEND@1100{gw=gw1} RSEND@1300{gw=gw2}",
        "missing_end_edge 3100 missing_end_edge",
        "missing_start_edge missing_end_edge missing_end_edge",
        "late_trickle=1 first_frame_round_trip_ms=null",
    ),
    (
        "an unknown gateway is no other one",
        "REQ@1000{gw=gw1} PROC@1200 PLAY@4300{gw= gw1 }",
        "200 3100 3300",
        "missing_start_edge 200 missing_start_edge",
        "gateway=gw1",
    ),
    (
        "first occurrences count, long ones too (002 rules 3, 4)",
        "REQ@1000 REQ@500 PROC@700000 PROC@900000 CLOSE@1000000",
        "699500 missing_end_edge missing_end_edge",
        "missing_start_edge 699500 missing_start_edge",
        "",
    ),
];

fn check(stage: &Stage, (name, _, v1, v2, further): &Vector, order: &[usize]) {
    let rows = rows(stage);
    for (row, expected) in rows.iter().zip([v1, v2]) {
        let found = FIGURES.map(|name| figure(row, name)).join(" ");
        let version = &row["edge_semantics_version"];
        assert_eq!(found, **expected, "{name}, {version}, order {order:?}");
    }
    for pair in further.split_whitespace() {
        let (column, value) = pair.split_once('=').expect("column=value");
        assert_eq!(rows[1][column], value, "{name}, {column}, order {order:?}");
    }
    let blank = [("is_cross_clock", "0"), ("late_trickle", "0"), ("skew_ms", "null")];
    for (column, value) in blank {
        assert_eq!(rows[0][column], value, "{name}: {column} belongs to v2");
    }
}

#[test]
fn contract_vectors_in_every_order() {
    for vector in VECTORS {
        let inputs = script(vector.1);
        for order in orders(inputs.len()) {
            check(&play(&inputs, &order, RETENTION), vector, &order);
        }
    }
}

/// 002 (b), (c): the clock of the runner does not matter until it is plainly wrong.
#[test]
fn figures_do_not_depend_on_the_clock_of_the_runner() {
    for (by, prompt) in
        [(0, "6440"), (3_000, "6440"), (-4_000, "6440"), (60_000, "cross_clock_skew")]
    {
        let inputs = script(&moved_runner_clock(by));
        for order in orders(inputs.len()) {
            let rows = rows(&play(&inputs, &order, RETENTION));
            let found = FIGURES.map(|name| figure(&rows[1], name));
            assert_eq!(found, [prompt, "2655", "106"], "{by} ms, order {order:?}");
        }
    }
}

/// V126, and what does not change is not written again.
#[test]
fn a_late_request_corrects_the_same_row() {
    let inputs = script("PROC@3000 PLAY@4000 ERR@5000 REQ@1000");
    let mut stage = play(&inputs, &[0, 1], RETENTION);
    let before = rows(&stage);
    stage.take(&inputs[2], 2);
    assert_eq!(stage.write().again, 2, "the rows of the session and of its coverage");
    assert_eq!(rows(&stage), before);
    stage.take(&inputs[3], 3);
    stage.write();
    let after = rows(&stage);
    for (before, after) in before.iter().zip(&after) {
        assert!(before["sample_ts"] > after["sample_ts"]);
    }
    assert_eq!(FIGURES.map(|name| figure(&after[0], name)), ["2000", "1000", "3000"]);
    stage.restart(true);
    stage.write();
    assert_eq!(rows(&stage), after, "a new epoch says the same");
}

/// The identity of the session is that of its latencies.
#[test]
fn identity_follows_the_session() {
    let inputs = script("REQ@1000{gw=gw1} ST@2000{A} PROC@3000{A} CAP@900{A}");
    let mut stage = play(&inputs, &[0, 1, 2], RETENTION);
    assert_eq!(rows(&stage)[1]["attribution_source"], "unattributed");
    stage.take(&inputs[3], 3);
    stage.settle();
    stage.write();
    let session = stage.table("fact_workflow_sessions").remove(0);
    for row in rows(&stage) {
        assert_eq!(row["orchestrator_address"], "0xa");
        let shared = [
            "workflow_session_id",
            "stream_id",
            "request_id",
            "gateway",
            "orchestrator_address",
            "pipeline",
            "model_id",
            "gpu_id",
            "attribution_source",
        ];
        for column in shared {
            assert_eq!(row[column], session[column], "{column}");
        }
        assert_eq!(row["sample_ts"], session["session_start_ts"]);
    }
}

/// 002 (f): what comes 49 h after the close changes nothing.
#[test]
fn expired_signals_leave_the_figures_alone() {
    let inputs = script("REQ@1000 PROC@1200 CLOSE@5000 PLAY@176405000");
    let vector = (
        "002 (f)",
        "",
        "200 missing_end_edge missing_end_edge",
        "missing_start_edge 200 missing_start_edge",
        "",
    );
    for order in orders(4) {
        check(&play(&inputs, &order, RETENTION), &vector, &order);
    }
}

proptest! {
    /// A figure is a value from 0 up or has a reason; order, writes and restarts do not matter.
    #[test]
    fn a_figure_is_never_negative(
        signals in prop::collection::vec(signal("[a-z]{12}"), 1..12), seed in any::<u64>()
    ) {
        let inputs = script(&signals.join(" "));
        let mut order: Vec<_> = (0..inputs.len()).collect();
        let stage = play(&inputs, &order, RETENTION);
        if !stage.table(TABLE).is_empty() {
            for row in rows(&stage) {
                for name in FIGURES {
                    let ms = figure(&row, name).parse::<f64>().unwrap_or(0.0);
                    prop_assert!(ms >= 0.0, "{name} {ms}");
                }
            }
        }
        order.sort_by_key(|place| (seed.rotate_left(*place as u32), *place));
        prop_assert_eq!(play(&inputs, &order, RETENTION).table(TABLE), stage.table(TABLE));
        let mut restarted = Stage::new(RETENTION);
        for place in order {
            restarted.take(&inputs[place], place as u64);
            restarted.write();
            restarted.restart(place % 3 == 0);
        }
        restarted.write();
        prop_assert_eq!(restarted.table(TABLE), stage.table(TABLE));
    }
}
