//! Vectors of lifecycle.md 13.9 and 13.11, column N, for the rows of single signals and for coverage,
//! in every order of their inputs.

use naap_actors::session::emit::Written;

use crate::cells::Cells;
use crate::session_vectors::orders;
use crate::signals::{BASE, RETENTION};
use crate::stage::{Stage, play, play_eagerly, script};

const STATUS: &str = "fact_stream_status_samples";
const EDGE: &str = "fact_stream_trace_edges";
const UPDATE: &str = "fact_workflow_param_updates";
const COVERAGE: &str = "fact_lifecycle_edge_coverage";
const SESSION: &str = "fact_workflow_session_coverage";

/// Name, inputs, and per row its table, uid (`""` for a row of the session) and columns; `none` for a
/// row that must not be there. A `*_ts` counts from the base of the vectors.
type Vector = (&'static str, &'static str, &'static [(&'static str, &'static str, &'static str)]);

const ATTRIBUTED: &str = "is_attributed=1 orchestrator_address=0xa orchestrator_url=https://a \
    pipeline=live-video-to-video model_id=m1 gpu_id=G-A gpu_candidate_count=1 \
    gpu_attribution_method=segment_window_join gpu_attribution_confidence=1 segment_index=0 \
    attribution_status=resolved attribution_source=direct attribution_reason=matched \
    selected_snapshot_ts=900 selected_snapshot_event_uid=cap01";
const BLANK: &str = "is_attributed=0 orchestrator_address= pipeline= model_id= gpu_id= \
    gpu_candidate_count=0 gpu_attribution_method=none gpu_attribution_confidence=0 \
    attribution_source=unattributed selected_snapshot_ts=null attribution_distance_ms=null";

const VECTORS: &[Vector] = &[
    (
        "V55: a sample of an unknown wallet belongs to nobody",
        "CAP@900{A} ST@1000{A} ST@2000{a=0xunknown}",
        &[
            (STATUS, "e02", ATTRIBUTED),
            (STATUS, "e03", BLANK),
            (
                STATUS,
                "e03",
                "attribution_reason=unresolved_selection attribution_status=unresolved \
                 segment_index=0",
            ),
        ],
    ),
    (
        "V56: the samples of one wallet at two urls are told apart",
        "CAP@900{A} CAP@950{c=0xb,h=0xhota,u=https://b2,m=m2,g=G-2} ST@1000{A} \
         ST@1500{a=0xhota,u=https://b2,p=m2}",
        &[
            (STATUS, "e03", "orchestrator_address=0xa model_id=m1 gpu_id=G-A segment_index=0"),
            (STATUS, "e04", "orchestrator_address=0xb model_id=m2 gpu_id=G-2 segment_index=1"),
        ],
    ),
    (
        "V108",
        "CAP@900{A} ST@1900{A} ST@2000{state=ONLINE,fps=12.5,in=24,gw=gw1,stamp=7,p= }",
        &[
            (STATUS, "e03", ATTRIBUTED),
            (
                STATUS,
                "e03",
                "state=ONLINE output_fps=12.5 input_fps=24 gateway=gw1 gateway_ts=2000 \
                 source_ts=2007 clock_domain=runner kafka_ts=2000 is_late=0 stream_id=s \
                 request_id=r workflow_session_id=s|r model_hint= pipeline_source=capability \
                 model_source=capability attribution_distance_ms=1000",
            ),
            (STATUS, "e02", "model_hint=m1 clock_domain=runner source_ts=null"),
        ],
    ),
    (
        "V109",
        "CAP@900{A} ST@901{A} PROC@1000",
        &[
            (EDGE, "e03", ATTRIBUTED),
            (
                EDGE,
                "e03",
                "trace_type=gateway_receive_first_processed_segment trace_category=gateway \
                 is_swap_event=0 clock_domain=gateway source_ts=null",
            ),
        ],
    ),
    (
        "V110 (clarification 40)",
        "CAP@900{A} ST@1500 SWAP@1600{B} ST@1900{A}",
        &[
            (STATUS, "e02", BLANK),
            (STATUS, "e02", "attribution_reason=pre_selection attribution_status= segment_index=0"),
            (STATUS, "e02", "model_hint=m1 model_source=none pipeline_source=none"),
            (EDGE, "e03", BLANK),
            (EDGE, "e03", "attribution_reason=pre_selection orchestrator_url=https://b"),
            (STATUS, "e04", ATTRIBUTED),
        ],
    ),
    (
        "V110 with an identity of its own (clarification 40)",
        "CAP@900{A} ST@1500{A} ST@1900",
        &[(STATUS, "e02", ATTRIBUTED), (STATUS, "e03", ATTRIBUTED)],
    ),
    (
        "V111, unresolved",
        "ST@1000{u=https://zz} PROC@2000",
        &[
            (STATUS, "e01", BLANK),
            (
                STATUS,
                "e01",
                "attribution_reason=unresolved_selection attribution_status=unresolved \
                 orchestrator_url=https://zz segment_index=0",
            ),
            (EDGE, "e02", "attribution_reason=unresolved_selection orchestrator_url="),
        ],
    ),
    ("V111, resolved later", "ST@1000{A} CAP@900{A}", &[(STATUS, "e01", "is_attributed=1")]),
    (
        "an ambiguous selection (8.2.4)",
        "CAP@900{A} CAP@900{C} ST@1000{a=0xhota}",
        &[
            (STATUS, "e03", BLANK),
            (
                STATUS,
                "e03",
                "attribution_reason=ambiguous_selection attribution_status=ambiguous \
                 orchestrator_url= segment_index=0",
            ),
        ],
    ),
    (
        "V112",
        "CAP@900{A} CAP@900{B} ST@1000{A} ST@2000{B} PROC@2000",
        &[
            (STATUS, "e04", "orchestrator_address=0xb segment_index=1"),
            (EDGE, "e05", "orchestrator_address=0xb segment_index=1 gpu_id=G-B"),
            (STATUS, "e03", "orchestrator_address=0xa segment_index=0"),
        ],
    ),
    (
        "mapped windows are attributed and labelled (7.10, decisions.md gold)",
        "CAP@1000{A} ST@40000000{A} PU@40000001",
        &[
            (
                STATUS,
                "e02",
                "is_attributed=1 attribution_status=stale attribution_source=mapped_window \
                 gpu_attribution_method=segment_window_join",
            ),
            (UPDATE, "e03", "is_attributed=1 attribution_source=mapped_window"),
        ],
    ),
    (
        "hardware-less (1.6)",
        "CAP@900{A,g=} ST@1000{A}",
        &[(STATUS, "e02", "is_attributed=1 gpu_id= attribution_status=hardware_less")],
    ),
    ("V114", "CAP@900{A} ST@1000{A} CLOSE@5000", &[(EDGE, "e03", "is_attributed=1")]),
    (
        "V116",
        "GSEND@1000 SWAP@2000 RSEND@3000{stamp=50}",
        &[
            (EDGE, "e01", "trace_category=gateway is_swap_event=0 clock_domain=gateway"),
            (EDGE, "e02", "trace_category=orchestrator is_swap_event=1"),
            (
                EDGE,
                "e03",
                "trace_category=runner clock_domain=runner source_ts=3050 gateway_ts=3000",
            ),
        ],
    ),
    (
        "V117",
        "CAP@900{A} REQ@1000 ST@3000{A}",
        &[(EDGE, "e02", "is_attributed=0 attribution_reason=pre_selection segment_index=0")],
    ),
    (
        "V118",
        "CAP@900{A} ST@1000{A} CLOSE@5000 ST@9000 ST@10000 ST@10001",
        &[
            (STATUS, "e04", ATTRIBUTED),
            (STATUS, "e05", ATTRIBUTED),
            (STATUS, "e06", BLANK),
            (
                STATUS,
                "e06",
                "attribution_reason=after_close attribution_status= segment_index=null",
            ),
        ],
    ),
    (
        "selections after the close (clarification 28)",
        "CAP@900{A} REQ@1000 CLOSE@2000 ST@3000{A} PROC@1500",
        &[
            (STATUS, "e04", "is_attributed=0 attribution_reason=after_close attribution_status="),
            // Not `pre_selection`: nothing that counts follows.
            (EDGE, "e05", "attribution_reason=no_selection"),
        ],
    ),
    (
        "V20",
        "CAP@900{A} ST@1000{A} PROC@2000 CLOSE@5000 ST@6000",
        &[
            (STATUS, "e05", ATTRIBUTED),
            (SESSION, "", "is_terminal=1 late_after_close_count=1 session_end_ts=6000"),
            (COVERAGE, "e05", "is_terminal_signal=0 orchestrator_address=0xa"),
        ],
    ),
    (
        "V24",
        "REQ@1000 ST@2000 ST@259202000 PU@259203000",
        &[
            (STATUS, "e02", "attribution_reason=no_selection"),
            (COVERAGE, "e02", ""),
            (STATUS, "e03", "none"),
            (UPDATE, "e04", "none"),
            (COVERAGE, "e03", "none"),
            (COVERAGE, "e04", "none"),
            (SESSION, "", "session_end_ts=2000"),
        ],
    ),
    (
        "V127",
        "REQ@1000{gw=gw1} PROC@2000 PLAY@2500",
        &[
            (
                COVERAGE,
                "e03",
                "known_stream=1 has_first_processed_edge=1 has_first_playable_edge=1 \
                 startup_edge_matched=1 playable_edge_matched=1 unmatched_reason= \
                 is_terminal_signal=0 trace_type=gateway_receive_few_processed_segments \
                 gateway_ts=2500 gateway=gw1",
            ),
            (COVERAGE, "e02", "has_first_playable_edge=0 unmatched_reason=awaiting_playable_edge"),
            (SESSION, "", "unmatched_reason= is_terminal=0 gateway=gw1 session_start_ts=1000"),
        ],
    ),
    (
        "V128",
        "REQ@1000",
        &[(
            COVERAGE,
            "e01",
            "known_stream=1 unmatched_reason=awaiting_first_processed_segment_edge \
             is_terminal_signal=0",
        )],
    ),
    (
        "V129",
        "REQ@1000 CLOSE@2000",
        &[
            (
                COVERAGE,
                "e02",
                "is_terminal_signal=1 unmatched_reason=missing_first_processed_segment_edge",
            ),
            (SESSION, "", "unmatched_reason=missing_first_processed_segment_edge"),
        ],
    ),
    (
        "V130",
        "REQ@1000 PROC@2000 CLOSE@3000",
        &[(COVERAGE, "e03", "unmatched_reason=missing_playable_edge startup_edge_matched=1")],
    ),
    (
        "V131",
        "REQ@1000 PROC@2000 ST@3000",
        &[(COVERAGE, "e03", "unmatched_reason=awaiting_playable_edge trace_type=")],
    ),
    (
        "V132",
        "PLAY@1000 REQ@2000",
        &[
            (
                COVERAGE,
                "e01",
                "unmatched_reason=missing_stream_request_edge playable_edge_matched=0 \
                 has_first_playable_edge=1",
            ),
            (COVERAGE, "e02", "unmatched_reason=awaiting_first_processed_segment_edge"),
        ],
    ),
    (
        "V133",
        "REQ@1000 PROC@2000 CLOSE@3000 PLAY@4000",
        &[
            (COVERAGE, "e03", "unmatched_reason=missing_playable_edge"),
            (COVERAGE, "e04", "unmatched_reason="),
            (SESSION, "", "unmatched_reason= is_terminal=1 late_after_close_count=1"),
        ],
    ),
    (
        "the identity of the session as of each signal",
        "CAP@900{A} CAP@900{B} REQ@1000 ST@2000{A} ST@3000{B} CLOSE@3500",
        &[
            (COVERAGE, "e03", "orchestrator_address= model_id= pipeline="),
            (COVERAGE, "e04", "orchestrator_address=0xa model_id=m1 pipeline=live-video-to-video"),
            (COVERAGE, "e05", "orchestrator_address=0xb"),
            (COVERAGE, "e06", "orchestrator_address=0xb"),
            (SESSION, "", "orchestrator_address=0xb pipeline=live-video-to-video model_id=m1"),
        ],
    ),
    (
        "hints as of each signal, and selections between two closes (2.4)",
        "REQ@1000 ST@2000{p=m7} CLOSE@3000 ST@4000{A} CLOSE@5000",
        &[
            (COVERAGE, "e01", "model_id="),
            (COVERAGE, "e02", "model_id=m7"),
            (COVERAGE, "e04", "model_id=m7"),
            (COVERAGE, "e05", "model_id=m1"),
        ],
    ),
    (
        "V134",
        "CAP@900{A} REQ@1000 ST@2000{A,p=m1} PU\"why\"@3000{x=1}",
        &[(
            UPDATE,
            "e04",
            "is_attributed=1 orchestrator_address=0xa model_id=m1 gpu_id=G-A \
             pipeline=live-video-to-video gpu_attribution_method=nearest_prior_snapshot \
             gpu_attribution_confidence=0.9 update_type=params_update message=why params_json= \
             params_hash= segment_index=0 attribution_reason=matched clock_domain=gateway",
        )],
    ),
    (
        "V135",
        "ERR\"x\"@1000 AI@2000 PU@3000",
        &[
            (UPDATE, "e01", "none"),
            (COVERAGE, "e01", ""),
            (UPDATE, "e02", "none"),
            (UPDATE, "e03", "update_type=params_update"),
        ],
    ),
    (
        "V136",
        "PU@1000",
        &[
            (UPDATE, "e01", BLANK),
            (UPDATE, "e01", "attribution_reason=no_selection attribution_status= segment_index=0"),
        ],
    ),
    (
        "updates keep their own hints (clarification 20)",
        "PU@1000{p=streamdiffusion-sdxl-v2v} ST@2000{u=https://zz,p=m9}",
        &[(
            UPDATE,
            "e01",
            "model_id=streamdiffusion-sdxl-v2v pipeline=live-video-to-video \
             pipeline_source=inferred model_source=hint attribution_reason=pre_selection \
             model_hint=streamdiffusion-sdxl-v2v orchestrator_address=",
        )],
    ),
    (
        "a text of the allow-list is no model hint (backlog 022)",
        "PU@1000{p=LLM} ST@2000{p=LLM}",
        &[
            (UPDATE, "e01", "pipeline=llm pipeline_source=hint model_id= model_hint="),
            (STATUS, "e02", "model_hint="),
        ],
    ),
    (
        "V136, corrected",
        "PU@1000{A} CAP@900{A}",
        &[(
            UPDATE,
            "e01",
            "is_attributed=1 orchestrator_address=0xa model_id=m1 gpu_id=G-A \
             gpu_attribution_method=nearest_prior_snapshot gpu_attribution_confidence=0.9 \
             attribution_source=direct",
        )],
    ),
];

fn find(stage: &Stage, table: &str, uid: &str) -> Option<Cells> {
    let mut rows = stage.table(table).into_iter();
    rows.find(|row| row.get("source_event_uid").is_none_or(|found| found == uid))
}

fn check(row: &Cells, expected: &str, what: &str) {
    for pair in expected.split_whitespace() {
        let (column, value) = pair.split_once('=').expect("column=value");
        let found = row.get(column).unwrap_or_else(|| panic!("{what}: no {column}"));
        let value = match value.parse::<i64>() {
            Ok(offset) if column.ends_with("_ts") => (BASE + offset).to_string(),
            _ => value.to_owned(),
        };
        assert_eq!(*found, value, "{what}: {column}");
    }
}

#[test]
fn contract_vectors_in_every_order() {
    for (name, text, rows) in VECTORS {
        // The uids number the inputs; an advertisement is one of them.
        let inputs = script(text);
        for order in orders(inputs.len()) {
            let stage = play_eagerly(&inputs, &order, RETENTION);
            let once = play(&inputs, &order, RETENTION);
            assert_eq!(stage.store.latest(), once.store.latest(), "{name}, order {order:?}");
            for (table, uid, expected) in *rows {
                let what = format!("{name}, {table} {uid}, order {order:?}");
                match find(&stage, table, uid) {
                    None => assert_eq!(*expected, "none", "{what}"),
                    Some(row) => check(&row, expected, &what),
                }
            }
        }
    }
}

#[test]
fn every_signal_has_one_row_of_each_kind() {
    let inputs = script("REQ@1000 ST@2000 ST@2000 PU@3000 ERR\"x\"@4000 CLOSE@5000 ING@5000");
    let stage = play(&inputs, &[6, 5, 4, 3, 2, 1, 0], RETENTION);
    let count = |table| stage.table(table).len();
    assert_eq!([STATUS, EDGE, UPDATE, COVERAGE, SESSION].map(count), [2, 2, 1, 6, 1]);
}

#[test]
fn records_that_reach_the_broker_late_are_marked() {
    let mut inputs = script("ST@1000 ST@2000");
    for (input, delay) in inputs.iter_mut().zip([600_000, 600_001]) {
        if let crate::stage::Input::Event(event) = input {
            event.record_ts = naap_protocol::time::Timestamp(event.event_ts.0 + delay);
        }
    }
    let stage = play(&inputs, &[0, 1], RETENTION);
    let late =
        ["e01", "e02"].map(|uid| find(&stage, STATUS, uid).expect("a row")["is_late"].clone());
    assert_eq!(late, ["0", "1"]);
    let kafka = find(&stage, COVERAGE, "e02").expect("a row")["kafka_ts"].clone();
    assert_eq!(kafka, (BASE + 602_001).to_string());
}

/// Only what is new is written: cost follows the signals, not the session.
#[test]
fn a_signal_behind_all_others_writes_only_its_own_rows() {
    let sample = |n: i64| format!("ST@{}{{A,state=ONLINE,fps=20}}", 1000 + n * 10_000);
    let samples: Vec<String> = (1..300).map(sample).collect();
    let text = format!("CAP@900{{A}} REQ@1000 {}", samples.join(" "));
    let mut stage = Stage::new(RETENTION);
    for (input, offset) in script(&text).iter().zip(0..) {
        stage.take(input, offset);
        stage.settle();
        let written = stage.write();
        // Its own two rows, those of the session, its hour, and the hour before when it is the first.
        // The first selection corrects the rows before it.
        assert!(offset < 3 || written.first + written.again <= 6, "{offset}: {written:?}");
    }
}

/// Two contents of one uid: the one that does not count leaves no row.
#[test]
fn the_rows_of_a_displaced_content_are_taken_back() {
    let cases = [
        ("ST@1000{A,uid=x,state=ONLINE} ST@2000{A,uid=x} CAP@900{A}", 1, [1, 0, 0, 1]),
        // The same time and family: the rows have one key.
        ("ST@1000{uid=x,fps=1} ST@1000{uid=x,fps=2} ST@500", 2, [2, 0, 0, 2]),
        // The same time in another family: only the coverage rows have one key.
        ("ST@1000{uid=x} REQ@1000{uid=x} PU@1000{uid=x}", 1, [1, 1, 1, 1]),
        // Without its bridge the rest stands behind a silence, and has no rows any more.
        (
            "ST@1000 ST@100000000{uid=x} ST@99000000{uid=y} ST@200000000 ING@2{uid=x} ING@2{uid=y}",
            1,
            [1, 0, 0, 1],
        ),
    ];
    for (text, statuses, most) in cases {
        let inputs = script(text);
        for order in orders(inputs.len()) {
            let mut stage = play_eagerly(&inputs, &order, RETENTION);
            let rows = [STATUS, EDGE, UPDATE, COVERAGE].map(|table| stage.table(table).len());
            assert!(rows.iter().zip(most).all(|(rows, most)| *rows <= most), "{text}: {rows:?}");
            let own: usize = rows[..3].iter().sum();
            assert_eq!(own, statuses, "{text}, {order:?}");
            assert_eq!(rows[3], own, "{text}, {order:?}: a coverage row for each");
            let before = stage.store.latest();
            stage.restart(false);
            stage.settle();
            assert_eq!(stage.write(), Written::default(), "nothing is written twice");
            stage.restart(true);
            stage.settle();
            stage.write();
            assert_eq!(stage.store.latest(), before, "an epoch repeats what it has to");
        }
    }
}

#[test]
fn parameters_are_kept_in_canonical_form_with_their_hash() {
    let mut inputs = script("PU@1000");
    if let crate::stage::Input::Event(event) = &mut inputs[0] {
        let data = r#"{"params":{"b":[1],"a":"x"}}"#;
        (event.raw, event.data_at) = (data.into(), (0, data.len() as u32));
    }
    let stage = play(&inputs, &[0], RETENTION);
    let row = find(&stage, UPDATE, "e01").expect("a row");
    let canonical = r#"{"a":"x","b":[1]}"#;
    assert_eq!(row["params_json"], canonical);
    assert_eq!(row["params_hash"], naap_protocol::identity::sha256_hex(&[canonical]));
}
