//! Vectors of lifecycle.md 13.5 and 13.6, column N, and the fixtures of backlog 010: the session row,
//! its segments and its swaps, in all orders or 200 random ones, with the advertisements among them.

use crate::cells::Cells;
use crate::session_vectors::orders;
use crate::signals::{BASE, RETENTION};
use crate::stage::{Stage, play, script};

/// Name, script, columns of the session, of each segment, and of each swap. A `*_ts` counts from the
/// base of the vectors.
type Vector =
    (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// The advertisements before every vector.
const AB: &str = "CAP@900{A} CAP@900{B}";

const VECTORS: &[Vector] = &[
    (
        "V37: real, closed without an orchestrator",
        "REQ@52118525 ERR\"no orchestrators available\"@52118530 NOORCH@52118530 \
         CLOSE@52118628 ERR\"mediamtx ingest disconnected\"@52118628",
        "segment_count=1 swap_row_count=0 selection_outcome=no_orch",
        &["segment_start_ts=52118525 segment_end_ts=52118628 reason=stream_closed \
           orchestrator_address= attribution_reason=no_selection"],
        &[],
    ),
    (
        "V45: a boundary by another canonical",
        "REQ@1000{A} ST@2000{B}",
        "segment_count=2 swap_row_count=1 inferred_orchestrator_change_count=1",
        &[
            "segment_start_ts=1000 segment_end_ts=2000 orchestrator_address=0xa \
             open_reason=initial close_reason=orchestrator_change reason=orchestrator_change \
             previous_orchestrator_address= next_orchestrator_address=0xb \
             source_trace_type=gateway_receive_stream_request source_event_uid=e03 \
             attribution_reason=matched attribution_status=resolved model_id=m1 gpu_id=G-A",
            "segment_start_ts=2000 segment_end_ts=null orchestrator_address=0xb \
             open_reason=orchestrator_change close_reason= reason=orchestrator_change \
             previous_orchestrator_address=0xa next_orchestrator_address= source_trace_type= \
             source_event_uid=e04 orchestrator_url=https://b",
        ],
        &["swap_kind=inferred swap_ts=2000 outcome=completed"],
    ),
    (
        "V46: closed",
        "REQ@1000{A} CLOSE@2500",
        "segment_count=1 swap_row_count=0",
        &["segment_start_ts=1000 segment_end_ts=2500 reason=stream_closed \
           close_reason=stream_closed open_reason=initial"],
        &[],
    ),
    (
        "V47: the same orchestrator",
        "REQ@1000{A} PROC@1500{A}",
        "segment_count=1",
        &["segment_start_ts=1000 segment_end_ts=null reason=initial"],
        &[],
    ),
    (
        "V48: the close comes first",
        "CLOSE@5000 REQ@1000",
        "segment_count=1",
        &["segment_start_ts=1000 segment_end_ts=5000 reason=stream_closed orchestrator_address= \
           attribution_status=unresolved attribution_reason=no_selection"],
        &[],
    ),
    (
        "V49: two closes",
        "REQ@1000 CLOSE@5000 CLOSE@4000",
        "closed_ts=5000",
        &["segment_start_ts=1000 segment_end_ts=5000"],
        &[],
    ),
    (
        "V50: another orchestrator after the close",
        "ST@1000{A} CLOSE@5000 ST@6000{B}",
        "inferred_orchestrator_change_count=0 post_close_signal_count=1 segment_count=1 \
         orchestrator_address=0xa",
        &["segment_start_ts=1000 segment_end_ts=5000 reason=stream_closed \
           orchestrator_address=0xa next_orchestrator_address="],
        &[],
    ),
    (
        "V51: a late signal",
        "ST@1000{A} ST@3000{B} ST@2000{A}",
        "orchestrator_address=0xb inferred_orchestrator_change_count=1",
        &[
            "segment_start_ts=1000 segment_end_ts=3000 orchestrator_address=0xa",
            "segment_start_ts=3000 segment_end_ts=null orchestrator_address=0xb",
        ],
        &["swap_kind=inferred swap_ts=3000"],
    ),
    (
        "V52: there and back",
        "ST@1000{A} ST@2000{B} ST@3000{A}",
        "inferred_orchestrator_change_count=1 confirmed_swap_count=0 segment_count=3 \
         swap_row_count=2",
        &[
            "orchestrator_address=0xa next_orchestrator_address=0xb",
            "orchestrator_address=0xb previous_orchestrator_address=0xa \
             next_orchestrator_address=0xa segment_start_ts=2000 segment_end_ts=3000",
            "orchestrator_address=0xa previous_orchestrator_address=0xb",
        ],
        &[
            "previous_orchestrator_address=0xa next_orchestrator_address=0xb gap_ms=0 \
             from_segment_index=0 to_segment_index=1 completed_ts=2000 next_evidence=signal \
             next_event_uid=e04 swap_event_uid= swap_reason= \
             previous_orchestrator_url=https://a next_orchestrator_url=https://b",
            "previous_orchestrator_address=0xb next_orchestrator_address=0xa swap_ts=3000 \
             from_segment_index=1 to_segment_index=2 outcome=completed swap_kind=inferred",
        ],
    ),
    (
        "V53: the first identity opens nothing",
        "REQ@1000 ST@2000{A}",
        "segment_count=1 swap_row_count=0",
        &["segment_start_ts=1000 orchestrator_address=0xa \
           source_trace_type=gateway_receive_stream_request reason=initial"],
        &[],
    ),
    (
        "V54: parameters change nothing",
        "ST@1000{A} PU@1500 ST@2000{A}",
        "segment_count=1 params_update_count=1",
        &["segment_start_ts=1000 orchestrator_address=0xa"],
        &[],
    ),
    (
        "V55: an unknown wallet opens nothing",
        "ST@1000{A} ST@2000{a=0xunknown}",
        "selection_count=2 segment_count=1 orchestrator_address=0xa",
        &["segment_start_ts=1000 segment_end_ts=null orchestrator_address=0xa"],
        &[],
    ),
    (
        "V56: one wallet, two nodes, with urls",
        "ST@1000{A} CAP@950{c=0xb,h=0xhota,u=https://b2,m=m2,g=G-2} \
         ST@1500{a=0xhota,u=https://b2,p=m2}",
        "segment_count=2",
        &["orchestrator_address=0xa model_id=m1", "orchestrator_address=0xb model_id=m2"],
        &["swap_kind=inferred previous_orchestrator_address=0xa next_orchestrator_address=0xb"],
    ),
    (
        "V56: the same by wallet alone",
        "ST@1000{a=0xhota,p=m1} CAP@950{c=0xb,h=0xhota,u=https://b2,m=m2,g=G-2} \
         ST@1500{a=0xhota,p=m2}",
        "segment_count=1",
        &["orchestrator_address=0xa model_id=m1 model_hint=m1"],
        &[],
    ),
    (
        "V56: the same model twice is ambiguous",
        "ST@1000{a=0xhota} CAP@950{c=0xb,h=0xhota,u=https://b2,m=m1,g=G-2} ST@1500{a=0xhota}",
        "segment_count=1",
        &["orchestrator_address= model_id=m1 model_source=hint attribution_status=ambiguous \
           attribution_reason=ambiguous_candidates attribution_source=unattributed"],
        &[],
    ),
    (
        "V57: the request comes late",
        "PROC@3000{A} REQ@1000",
        "",
        &["segment_start_ts=1000 orchestrator_address=0xa"],
        &[],
    ),
    (
        "V58: a swap trace alone",
        "SWAP@1000",
        "confirmed_swap_count=1 swap_count=1 inferred_orchestrator_change_count=0 \
         swap_row_count=1 segment_count=1",
        &["segment_start_ts=1000 source_trace_type=orchestrator_swap"],
        &["swap_kind=explicit outcome=pending previous_orchestrator_address= \
           next_orchestrator_address= next_evidence= completed_ts=null gap_ms=null \
           from_segment_index=0 to_segment_index=null next_event_uid= swap_event_uid=e03"],
    ),
    (
        "V60: two orchestrators and no swap trace",
        "ST@1000{A} ST@2000{B}",
        "confirmed_swap_count=0 inferred_orchestrator_change_count=1 swap_count=0",
        &["orchestrator_address=0xa", "orchestrator_address=0xb"],
        &["swap_kind=inferred outcome=completed"],
    ),
    (
        "V61: two wallets of one orchestrator",
        "CAP@900{A,h=0xhot2,u=https://a2} REQ@1000{a=0xhota,p=m1} PROC@2000{a=0xhot2}",
        "confirmed_swap_count=0 inferred_orchestrator_change_count=0 swap_count=0 \
         selection_count=2 swap_row_count=0",
        &["orchestrator_address=0xa"],
        &[],
    ),
    (
        "V62: nobody is known",
        "REQ@1000{a=0xhot1} PLAY@2000{a=0xhot2}",
        "confirmed_swap_count=0 inferred_orchestrator_change_count=0 startup_success=1 \
         selection_count=2 source_first_event_uid=e03 source_last_event_uid=e04",
        &["orchestrator_address= attribution_reason=missing_candidate"],
        &[],
    ),
    (
        "V63 V64: an explicit swap",
        "REQ@1000 ST@2000{A} SWAP\"is slow\"@3000{A} ST@4000{B} CLOSE@6000",
        "confirmed_swap_count=1 inferred_orchestrator_change_count=1 swap_count=1",
        &[
            "segment_start_ts=1000 segment_end_ts=4000 orchestrator_address=0xa",
            "segment_start_ts=4000 segment_end_ts=6000 orchestrator_address=0xb \
             reason=stream_closed open_reason=orchestrator_change",
        ],
        &["swap_kind=explicit swap_ts=3000 previous_orchestrator_address=0xa \
           next_orchestrator_address=0xb outcome=completed gap_ms=1000 completed_ts=4000 \
           from_segment_index=0 to_segment_index=1 next_evidence=signal swap_reason=is slow \
           swap_event_uid=e05 next_event_uid=e06"],
    ),
    (
        "V65: the same orchestrator goes on",
        "ST@2000{A} SWAP@3000{A} ST@4000{A}",
        "confirmed_swap_count=1 inferred_orchestrator_change_count=0 swap_count=1",
        &["orchestrator_address=0xa segment_start_ts=2000"],
        &["outcome=same_orchestrator_retry previous_orchestrator_address=0xa \
           next_orchestrator_address=0xa gap_ms=1000 from_segment_index=0 to_segment_index=0 \
           next_evidence=signal"],
    ),
    (
        "V66: two swaps and nobody left",
        "ST@2000{A} SWAP@3000{A} SWAP@3500{B} NOORCH@3600 CLOSE@4000",
        "confirmed_swap_count=2 inferred_orchestrator_change_count=0 swap_count=2",
        &["segment_start_ts=2000 segment_end_ts=4000 orchestrator_address=0xa"],
        &[
            "previous_orchestrator_address=0xa next_orchestrator_address=0xb outcome=completed \
             next_evidence=next_swap completed_ts=3500 gap_ms=500 from_segment_index=0 \
             to_segment_index=null next_event_uid=e05 next_orchestrator_url=https://b",
            "previous_orchestrator_address=0xb next_orchestrator_address= \
             outcome=no_replacement completed_ts=null next_event_uid=",
        ],
    ),
    (
        "V67: real",
        "CAP@47765000{A} REQ@47765640 RSEND@47775590{A} GSEND@47775704{A} \
         ST@47775964{A,fps=0} PROC@47776417{A} RRECV@47777059{A} PLAY@47778162{A} \
         ST@47785965{A,fps=20.9} SWAP\"orchestrator is slow\"@47802485{A} \
         ERR\"no orchestrators available\"@47803424 NOORCH@47803424 CLOSE@47805140 \
         ERR\"mediamtx ingest disconnected\"@47805140 ERR\"Error publishing\"@47838651 \
         ERR\"Error publishing\"@47838658 ERR\"Error publishing\"@47838660",
        "known_stream=1 startup_success=1 error_count=5 excusable_error_count=2 \
         confirmed_swap_count=1 swap_count=1 inferred_orchestrator_change_count=0 \
         session_end_ts=47838660 event_count=16 health_signal_count=3 closed_ts=47805140 \
         health_expected_signal_count=3 health_completeness_ratio=1 startup_excused=0 \
         post_close_error_count=3",
        &["segment_start_ts=47765640 segment_end_ts=47805140 orchestrator_address=0xa"],
        &["swap_ts=47802485 previous_orchestrator_address=0xa next_orchestrator_address= \
           outcome=no_replacement swap_reason=orchestrator is slow"],
    ),
    (
        "backlog 010: two urls of one canonical",
        "CAP@900{A,u=https://a2,h=0xhot2} ST@1000{A} ST@2000{u=https://a2}",
        "selection_count=2 swap_row_count=0",
        &["orchestrator_address=0xa orchestrator_url=https://a"],
        &[],
    ),
    (
        "signals in flight do not hide who took over (clarification 5)",
        "ST@1000{A} SWAP@2000{A} ST@3000{A} ST@4000{B}",
        "swap_row_count=1",
        &["orchestrator_address=0xa", "orchestrator_address=0xb"],
        &["outcome=completed next_orchestrator_address=0xb completed_ts=4000"],
    ),
    (
        "every boundary has a completed row (clarification 6)",
        "CAP@900{C} ST@1000{A} SWAP@2000{A} ST@3000{B} ST@4000{C}",
        "swap_row_count=2",
        &["orchestrator_address=0xa", "orchestrator_address=0xb", "orchestrator_address=0xc"],
        &[
            "swap_kind=explicit next_orchestrator_address=0xb to_segment_index=1",
            "swap_kind=inferred previous_orchestrator_address=0xb \
             next_orchestrator_address=0xc from_segment_index=1 to_segment_index=2",
        ],
    ),
    (
        "nobody is left, and then somebody comes",
        "ST@1000{A} SWAP@2000{A} NOORCH@3000 ST@4000{B}",
        "swap_row_count=2",
        &["orchestrator_address=0xa", "orchestrator_address=0xb"],
        &[
            "swap_kind=explicit outcome=no_replacement",
            "swap_kind=inferred swap_ts=4000 outcome=completed \
             previous_orchestrator_address=0xa",
        ],
    ),
    (
        "a stranger took over",
        "ST@1000{A} SWAP@2000{A} ST@3000{u=https://x} CLOSE@4000",
        "swap_row_count=1 segment_count=1",
        &["orchestrator_address=0xa"],
        &["outcome=unresolved next_orchestrator_address= next_evidence= \
           next_orchestrator_url="],
    ),
    (
        "a swap that names nobody leaves who is in force (clarification 7)",
        "ST@1000{A} SWAP@2000 SWAP@3000{u=https://x} SWAP@4000{a=0xhota}",
        "swap_row_count=3",
        &["orchestrator_address=0xa"],
        &[
            "previous_orchestrator_address=0xa outcome=unresolved",
            "previous_orchestrator_address= previous_orchestrator_url=https://x \
             outcome=completed next_evidence=next_swap next_orchestrator_address=0xa",
            "previous_orchestrator_address=0xa outcome=pending",
        ],
    ),
    (
        "two swap traces of one orchestrator with its signal between them",
        "ST@1000{A} SWAP@2000{A} ST@3000{A} SWAP@4000{A} SWAP@5000{A}",
        "swap_row_count=3",
        &["orchestrator_address=0xa"],
        &[
            // The next swap trace comes before a signal of the same orchestrator (clarification 5).
            "outcome=same_orchestrator_retry next_evidence=next_swap completed_ts=4000 \
             to_segment_index=null",
            "outcome=same_orchestrator_retry next_evidence=next_swap completed_ts=5000 \
             to_segment_index=null",
            "outcome=pending",
        ],
    ),
    (
        "a swap of the millisecond in which the next one begins lies in its segment (clarification 33)",
        "ST@1000{A} SWAP@2000{A} ST@2000{B} CLOSE@3000",
        "swap_row_count=1 segment_count=2",
        &["segment_end_ts=2000", "segment_start_ts=2000 orchestrator_address=0xb"],
        &["swap_kind=explicit previous_orchestrator_address=0xa next_orchestrator_address=0xb \
           outcome=completed gap_ms=0 from_segment_index=1 to_segment_index=1"],
    ),
    (
        "and leaves who was in force before it, if it names nobody (clarification 7)",
        "ST@1000{A} SWAP@2000 ST@2000{B} CLOSE@3000",
        "swap_row_count=1 segment_count=2",
        &["orchestrator_address=0xa", "orchestrator_address=0xb"],
        &["swap_kind=explicit previous_orchestrator_address=0xa next_orchestrator_address=0xb \
           outcome=completed gap_ms=0 from_segment_index=1 to_segment_index=1"],
    ),
    (
        "a segment that is over in the millisecond of its begin is completed as well (clarification 6)",
        "CAP@900{C} ST@1000{A} SWAP@2000{A} ST@2000{B} ST@2000{C}",
        "swap_row_count=2 segment_count=3",
        &[
            "segment_end_ts=2000 orchestrator_address=0xa",
            "segment_start_ts=2000 segment_end_ts=2000 orchestrator_address=0xb",
            "segment_start_ts=2000 segment_end_ts=null orchestrator_address=0xc",
        ],
        &[
            "swap_kind=explicit next_orchestrator_address=0xb from_segment_index=2 \
             to_segment_index=1 next_event_uid=e06",
            "swap_kind=inferred previous_orchestrator_address=0xb next_orchestrator_address=0xc \
             from_segment_index=1 to_segment_index=2 next_event_uid=e07",
        ],
    ),
    (
        "evidence that opens nothing lies in the segment of its time (clarification 33)",
        "ST@1000{A} SWAP@2000{A} PROC@3000{A} SWAP@3000{u=https://x} ST@3000{B}",
        "swap_row_count=2 segment_count=2",
        &["segment_end_ts=3000", "segment_start_ts=3000 orchestrator_address=0xb"],
        &[
            "outcome=same_orchestrator_retry next_evidence=signal next_event_uid=e05 \
             from_segment_index=0 to_segment_index=1",
            "outcome=completed next_orchestrator_address=0xb from_segment_index=1 \
             to_segment_index=1",
        ],
    ),
    (
        "a swap of the millisecond of the close is not after it (clarification 29)",
        "ST@1000{A} CLOSE@2000 SWAP@2000{A} SWAP@2001{A}",
        "swap_row_count=2 segment_count=1",
        &["segment_start_ts=1000 segment_end_ts=2000"],
        &["from_segment_index=0 outcome=same_orchestrator_retry", "from_segment_index=null"],
    ),
    (
        "a swap after the close waits for nobody",
        "ST@1000{A} CLOSE@2000 SWAP@3000{A} ST@4000{B}",
        "swap_row_count=1 segment_count=1",
        &["orchestrator_address=0xa segment_end_ts=2000"],
        &["outcome=no_replacement from_segment_index=null previous_orchestrator_address=0xa"],
    ),
    (
        "relayed events are no evidence beside traces and statuses (clarification 26)",
        "ST@1000{A} SWAP@2000{A} PU@3000{A}",
        "swap_row_count=1",
        &["orchestrator_address=0xa"],
        &["outcome=pending"],
    ),
    (
        "nor beside a swap that names an orchestrator (clarification 26)",
        "PU@1000{A} SWAP@2000{A} PU@3000{A} PU@4000{B}",
        "swap_row_count=1 selection_count=0",
        &["orchestrator_address= segment_start_ts=1000"],
        &["outcome=pending"],
    ),
    (
        "relayed events alone are (clarification 26)",
        "PU@1000{A} SWAP@2000 PU@3000{A} PU@4000{B}",
        "swap_row_count=1",
        &["orchestrator_address=0xa", "orchestrator_address=0xb"],
        &["outcome=completed completed_ts=4000"],
    ),
];

/// `row` says what `expected` says.
fn assert_row(row: &Cells, expected: &str, at: &str) {
    // A value may hold blanks: it ends before the next `column=`.
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for word in expected.split_whitespace() {
        match (word.split_once('='), pairs.last_mut()) {
            (Some((column, value)), _) => pairs.push((column, value.to_owned())),
            (None, Some((_, value))) => *value = format!("{value} {word}"),
            (None, None) => panic!("{at}: {word} is no column=value"),
        }
    }
    for (column, value) in pairs {
        let found = row.get(column).unwrap_or_else(|| panic!("{at}: no {column}"));
        let value = match value.parse::<i64>() {
            Ok(offset) if column.ends_with("_ts") => (BASE + offset).to_string(),
            _ => value,
        };
        assert_eq!(*found, value, "{at}, {column}");
    }
}

fn assert_rows(stage: &Stage, table: &str, expected: &[&str], at: &str) {
    let rows = stage.table(table);
    assert_eq!(rows.len(), expected.len(), "{at}: {table}: {rows:#?}");
    for (index, (row, expected)) in rows.iter().zip(expected).enumerate() {
        assert_row(row, expected, &format!("{at}, {table} {index}"));
    }
}

#[test]
fn contract_vectors_in_every_order() {
    for (name, text, session, segments, swaps) in VECTORS {
        let inputs = script(&format!("{AB} {text}"));
        for order in orders(inputs.len()) {
            let stage = play(&inputs, &order, RETENTION);
            let at = format!("{name}, order {order:?}");
            assert_rows(&stage, "fact_workflow_sessions", &[session], &at);
            assert_rows(&stage, "fact_workflow_session_segments", segments, &at);
            assert_rows(&stage, "fact_workflow_swaps", swaps, &at);
        }
    }
}

#[test]
fn rows_that_are_no_longer_there_are_taken_back_once() {
    let inputs = script("CAP@900{A} CAP@900{B} ST@1000{A} SWAP@2000{A} ST@3000{B} CLOSE@2500");
    let mut stage = Stage::new(RETENTION);
    let take = |stage: &mut Stage, index: usize| {
        stage.take(&inputs[index], index as u64);
        stage.settle();
        stage.write()
    };
    for index in 0..5 {
        take(&mut stage, index);
    }
    assert_eq!(stage.table("fact_workflow_session_segments").len(), 2);
    assert_eq!(stage.table("fact_workflow_swaps")[0]["outcome"], "completed");
    // The close comes before the boundary, so the second segment was never there.
    take(&mut stage, 5);
    assert_eq!(stage.table("fact_workflow_session_segments").len(), 1);
    assert_eq!(stage.table("fact_workflow_swaps")[0]["outcome"], "no_replacement");
    assert_eq!(stage.session.state().written.segments.len(), 2, "the key is kept");
    let again = stage.write();
    assert_eq!((again.first, again.again), (0, 0), "a row is taken back once");
    stage.restart(true);
    stage.settle();
    stage.write();
    assert_eq!(stage.table("fact_workflow_session_segments").len(), 1);
}
