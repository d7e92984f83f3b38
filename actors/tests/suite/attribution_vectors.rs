//! Vectors of lifecycle.md 13.7 and 13.8, column N, with the acceptance matrices of backlog 022 and
//! 023: who served a session, in every order of its signals and advertisements, or in 200 random
//! ones when there are more than five. What is heard last corrects what was written before.

use naap_protocol::capability::advertise::advertisements;
use naap_protocol::capability::catalogue::canonical_pipeline;
use naap_protocol::capability::decode::decode;
use naap_protocol::capability::index::{Index, MAX_RUNS};
use naap_protocol::event::Body;
use naap_protocol::time::Timestamp;
use serde_json::Value;

use crate::generated::accepted;
use crate::session_vectors::{expect, orders};
use crate::signals::BASE;
use crate::stage::{Input, Stage, play, script};

/// Advertised intervals of the real session behind V72, V73, V74 and V107.
const SDXL: &str = "CAP@1739040506612{A,m=sdxl,g=GPU-6f1b}";
const LLAMA: &str = "CAP@1739040509903{A,m=llama,g=}";
const SDXL_AGAIN: &str = "CAP@1739040519000{A,m=sdxl,g=GPU-6f1b}";

/// Name, script and columns of the session.
type Vector<'v> = (&'v str, &'v str, &'v str);

const AMBIGUOUS: &str = "attribution_status=ambiguous attribution_reason=ambiguous_candidates \
    attribution_source=unattributed orchestrator_address= gpu_attribution_method=none \
    gpu_attribution_confidence=0 attribution_identity=";

/// The capacity at the start is that of the evidence of the first assignment.
const CAPACITY: &[Vector<'_>] = &[
    (
        "not advertised",
        "CAP@900{A} ST@1000{A}",
        "capacity_units_at_start=null capacity_snapshot_ts=null",
    ),
    (
        "of the evidence, which another capacity does not cut from its interval",
        "CAP@900{A,slots=1} CAP@1000{A,slots=3} CAP@3000{A,slots=0} ST@2000{A} ST@4000{A}",
        "capacity_units_at_start=3 capacity_snapshot_ts=1000 orchestrator_address=0xa",
    ),
    (
        "the greatest of one moment",
        "CAP@900{A,slots=1} CAP@900{A,slots=4} CAP@900{A,slots=2} ST@2000{A}",
        "capacity_units_at_start=4 capacity_snapshot_ts=900",
    ),
    (
        "of the first node, not of the last",
        "CAP@900{A,slots=1} CAP@900{B,slots=5} ST@1000{A} ST@2000{B}",
        "capacity_units_at_start=1 orchestrator_address=0xb",
    ),
    (
        "whatever the spelling of the model",
        "CAP@900{A,m=SDXL,slots=2} ST@1000{A,p=sdxl}",
        "capacity_units_at_start=2 model_id=SDXL",
    ),
];

/// Who is chosen among those that advertise.
const CHOICE: &[Vector<'_>] = &[
    (
        "V18",
        "CAP@900{A} REQ@1000 PROC@3000{a=0xhota} PLAY@4000{a=0xhota}",
        "workflow_id=live-video-to-video session_start_ts=1000 orchestrator_address=0xa",
    ),
    (
        "V35",
        "CAP@900{A} REQ@1000 ST@2000{a=0xhota} NOORCH@3000",
        "startup_excused=1 selection_outcome=selected excusal_reason=no_orch \
         orchestrator_address=0xa served_session=1",
    ),
    (
        "V68",
        "CAP@1000{A,m=llama} CAP@2000{A,m=sdxl,g=GPU-1} ST@2500{A,p=sdxl}",
        "model_id=sdxl gpu_id=GPU-1 gpu_candidate_count=1 attribution_status=resolved",
    ),
    (
        "V69",
        "CAP@9000{A,m=sdxl,g=GPU-prior} CAP@11000{A,m=sdxl,g=GPU-future} ST@10000{A,p=sdxl}",
        "gpu_id=GPU-prior attribution_reason=matched selected_snapshot_ts=9000 \
         attribution_distance_ms=1000",
    ),
    (
        "V70",
        "CAP@1000{A,m=llama} ST@2500{A,p=sdxl}",
        "attribution_status=unresolved attribution_reason=no_compatible_candidate \
         attribution_source=unattributed orchestrator_address= model_id=sdxl model_source=hint \
         orchestrator_url=https://a gpu_id=",
    ),
    (
        "V71",
        "CAP@0{A,m=old} CAP@431999980{A,m=a} CAP@431999990{A,m=b} CAP@432000000{A,m=c} \
         CAP@432000010{A,m=d} ST@432000005{A,p=old}",
        "attribution_status=unresolved attribution_reason=no_compatible_candidate",
    ),
    ("V75", "CAP@10000{A} CAP@10100{C} ST@10120{a=0xhota}", AMBIGUOUS),
    (
        "V75 with url",
        "CAP@10000{A} CAP@10100{C} ST@10120{a=0xhota,u=https://c}",
        "attribution_status=resolved orchestrator_address=0xc attribution_identity=uri",
    ),
    (
        "V76",
        "CAP@10000{A,u=https://orch-a} CAP@10000{A,u=https://orch-b,g=G-B} \
         ST@10010{a=0xhota,u=https://orch-b}",
        "orchestrator_url=https://orch-b orchestrator_address=0xa gpu_id=G-B",
    ),
    (
        "V77",
        "CAP@10000{A,g=GPU-A} CAP@10000{A,g=GPU-B} ST@10010{A}",
        "gpu_id= gpu_candidate_count=2 attribution_status=resolved orchestrator_address=0xa",
    ),
    (
        "V82",
        "CAP@10000{c=0xcanonical,h=0xhot,u=https://o,m=streamdiffusion-sdxl,g=GPU-1} \
         ST@20000{a=0xhot,p=streamdiffusion-sdxl}",
        "orchestrator_address=0xcanonical orchestrator_url=https://o gpu_id=GPU-1 \
         model_id=streamdiffusion-sdxl gpu_attribution_method=nearest_prior_snapshot \
         model_source=capability",
    ),
    (
        "V87",
        "CAP@900{A,g=G-1+G-2} ST@1000{A}",
        "gpu_id= gpu_candidate_count=2 attribution_status=resolved",
    ),
    (
        "V88",
        "CAP@900{A,m=,g=} ST@1000{A}",
        "model_id=m1 model_source=hint gpu_id= gpu_candidate_count=0 \
         attribution_status=hardware_less orchestrator_address=0xa",
    ),
    ("V89", "CAP@900{A,m=M1} ST@1000{A}", "model_id=M1 has_model_change=0"),
    (
        "V90",
        "CAP@900{A} CAP@901{C} ST@1000{a=0xhota,u=https://a}",
        "orchestrator_address=0xa gpu_id=G-A attribution_identity=uri",
    ),
    ("V91", "CAP@900{A} CAP@901{C} ST@1000{a=0xhota}", AMBIGUOUS),
    (
        "V93",
        "CAP@900{A} ST@1000{A} CAP@1100{A,m=llama} PROC@1200{A}",
        "model_id=m1 gpu_id=G-A gpu_attribution_method=nearest_prior_snapshot \
         gpu_attribution_confidence=0.9 has_model_change=0",
    ),
    (
        "V95",
        "CAP@0{c=0x75fb,h=0xfd7d,u=https://n,m=m1,g=G} ST@345000{a=0xfd7d}",
        "attribution_status=resolved attribution_identity=alias orchestrator_address=0x75fb \
         attribution_distance_ms=345000",
    ),
    (
        "V96",
        "CAP@0{c=0x75fb,h=0xfd7d,u=https://n} ST@1000{a=0xfd7d,u=https://unknown}",
        "attribution_status=unresolved orchestrator_address= \
         attribution_reason=missing_uri_snapshot_local_alias_present",
    ),
    (
        "V96, canonical address",
        "CAP@0{c=0x75fb,h=0xfd7d,u=https://n} ST@1000{a=0x75fb,u=https://unknown}",
        "attribution_status=unresolved orchestrator_address= \
         attribution_reason=missing_uri_snapshot_address_match_present",
    ),
    (
        "V97",
        "CAP@900{A} CAP@900{C} ST@1000{a=0xhota,u=https://a}",
        "attribution_status=resolved orchestrator_address=0xa",
    ),
    ("V98", "CAP@900{A} CAP@900{A,u=https://a2} ST@1000{a=0xa}", AMBIGUOUS),
    (
        "V99",
        "CAP@900{A,g=} ST@1000{A}",
        "attribution_status=hardware_less attribution_reason=matched_without_hardware gpu_id= \
         attribution_source=direct model_id=m1",
    ),
    (
        "V100",
        "CAP@900{A,m=other} ST@1000{A}",
        "attribution_status=unresolved attribution_reason=no_compatible_candidate",
    ),
];

/// Several contents of one uid (decisions.md, duplicates): the smallest (event time, hash) counts.
const CONTESTED: &[Vector<'_>] = &[
    (
        "the earlier one",
        "CAP@900{A,uid=x} CAP@950{A,uid=x,m=m2,g=G-2} ST@1000{A,p=}",
        "model_id=m1 gpu_id=G-A selected_snapshot_ts=900 selected_snapshot_event_uid=x",
    ),
    (
        "of one moment not both",
        "CAP@900{A,uid=x} CAP@900{A,uid=x,m=m2,g=G-2} ST@1000{A,p=}",
        "attribution_status=resolved selected_snapshot_event_uid=x",
    ),
    (
        "another event of that moment counts as before",
        "CAP@900{A,uid=x} CAP@950{A,uid=x,m=m2} CAP@950{A,uid=y,m=m3,g=G-3} ST@1000{A,p=}",
        "model_id=m3 gpu_id=G-3 selected_snapshot_ts=950 selected_snapshot_event_uid=y",
    ),
    (
        "another event of that moment that says the same",
        "CAP@900{A,uid=x} CAP@950{A,uid=x} CAP@950{A,uid=y} ST@1000{A}",
        "orchestrator_address=0xa selected_snapshot_ts=950 selected_snapshot_event_uid=y",
    ),
    (
        "a content that names others is none of a key's business",
        "CAP@900{B,uid=x} CAP@950{A,uid=x} ST@1000{A}",
        "attribution_status=resolved orchestrator_address=0xa",
    ),
    (
        "two days later a uid begins anew",
        "CAP@900{A,uid=x,g=G-0} CAP@172800901{A,uid=x} ST@172801000{A}",
        "attribution_status=resolved gpu_id=G-A selected_snapshot_ts=172800901",
    ),
];

/// How the evidence lies in time.
const TIME: &[Vector<'_>] = &[
    (
        "V79 at an advertisement",
        "CAP@1000{A} ST@1000{A}",
        "gpu_attribution_method=exact_orchestrator_time_match gpu_attribution_confidence=1",
    ),
    (
        "V79 after",
        "CAP@1500{A} ST@2000{A}",
        "gpu_attribution_method=nearest_prior_snapshot gpu_attribution_confidence=0.9",
    ),
    (
        "V79 before",
        "CAP@2500{A} ST@2000{A}",
        "gpu_attribution_method=nearest_snapshot_within_ttl gpu_attribution_confidence=0.7 \
         attribution_distance_ms=500",
    ),
    (
        "V79 out of reach",
        "CAP@86402001{A} ST@2000{A}",
        "gpu_attribution_method=none gpu_attribution_confidence=0 \
         attribution_reason=missing_candidate",
    ),
    (
        "V80 at 24 h",
        "CAP@0{A} ST@86400000{A}",
        "attribution_status=stale attribution_source=mapped_window \
         gpu_attribution_confidence=0.9 model_id=m1 gpu_id=G-A",
    ),
    (
        "V80 beyond",
        "CAP@0{A} ST@86400001{A}",
        "attribution_status=unresolved attribution_source=unattributed \
         gpu_attribution_method=none gpu_attribution_confidence=0 orchestrator_address= gpu_id=",
    ),
    (
        "V83",
        "REQ@1000 ST@2000{a=0xhota,p=m1} CAP@2500{A} CLOSE@3000",
        "orchestrator_address=0xa attribution_status=resolved attribution_reason=future_skew \
         attribution_source=direct gpu_attribution_confidence=0.7 closed_ts=3000",
    ),
    (
        "V84",
        "REQ@1000 ST@2000{a=0xhota,p=m1} CAP@2500{A} ST@2600{A} CLOSE@3000",
        "orchestrator_address=0xa attribution_reason=future_skew gpu_attribution_confidence=0.7 \
         pipeline=live-video-to-video attribution_identity=uri selection_count=1",
    ),
    (
        "V94",
        "CAP@0{A} ST@2160000{a=0xa}",
        "attribution_status=stale attribution_reason=stale_candidate \
         attribution_source=mapped_window attribution_identity=address",
    ),
    (
        "an interval covers what lies between its advertisements (7.10)",
        "CAP@0{A} CAP@3600000{A} ST@1800000{A}",
        "attribution_status=resolved attribution_reason=matched attribution_source=direct \
         gpu_attribution_method=nearest_prior_snapshot selected_snapshot_ts=0",
    ),
    (
        "a changed advertisement begins another interval (7.10)",
        "CAP@0{A} CAP@1800000{A,g=G-2} CAP@3600000{A} ST@1500000{A}",
        "attribution_status=stale attribution_source=mapped_window gpu_id=G-A \
         selected_snapshot_ts=0",
    ),
];

/// Pipelines and models.
const NAMES: &[Vector<'_>] = &[
    (
        "V101",
        "CAP@900{A,m=streamdiffusion-sdxl} ST@1000{A,p=streamdiffusion-sdxl}",
        "pipeline=live-video-to-video model_id=streamdiffusion-sdxl \
         model_hint=streamdiffusion-sdxl pipeline_source=capability model_source=capability",
    ),
    (
        "V102",
        "CAP@900{A,m=streamdiffusion-sdxl} ST@1000{A,p=text-to-image} \
         ST@1100{A,p=SG161222/RealVisXL_V4.0_Lightning}",
        "pipeline=text-to-image model_id=SG161222/RealVisXL_V4.0_Lightning pipeline_source=hint \
         model_source=hint attribution_reason=no_compatible_candidate",
    ),
    (
        "V103",
        "ST@1000{p=streamdiffusion-sdxl-v2v}",
        "pipeline=live-video-to-video pipeline_source=inferred model_source=hint \
         model_id=streamdiffusion-sdxl-v2v",
    ),
    (
        "V104",
        "CAP@900{A,p=StreamDiffusion-SDXL,m=streamdiffusion-sdxl} ST@1000{A,p=}",
        "pipeline= pipeline_source=none model_id=streamdiffusion-sdxl \
         workflow_id=ai_live_video_stream",
    ),
    (
        "V105 variant",
        "ST@1000{p=pip_SDXL-turbo-v2v}",
        "pipeline=live-video-to-video model_id=streamdiffusion-sdxl-v2v \
         model_hint=pip_SDXL-turbo-v2v",
    ),
    (
        "V105",
        "ST@1000{p=pip_SDXL-turbo}",
        "pipeline=live-video-to-video model_id=streamdiffusion-sdxl",
    ),
    (
        "V105 no pipeline",
        "ST@1000{p=openai-chat-completions}",
        "pipeline= pipeline_source=none model_id=openai-chat-completions",
    ),
    (
        "V106, backlog 022 native event with an allow-listed value",
        "CAP@900{A} ST@1000{A,p=live-video-to-video}",
        "model_id=m1 model_source=capability orchestrator_address=0xa \
         pipeline=live-video-to-video pipeline_source=capability",
    ),
    (
        "022 hint only",
        "ST@1000{A}",
        "model_id=m1 model_source=hint pipeline= pipeline_source=none orchestrator_address=",
    ),
    (
        "022 allow-listed value only",
        "ST@1000{A,p=LLM}",
        "pipeline=llm pipeline_source=hint model_id= model_source=none workflow_id=llm model_hint=",
    ),
    (
        "022 wallet with several models",
        "CAP@900{A} CAP@900{A,m=m2,g=G-2} ST@1000{A,p=m2}",
        "model_id=m2 gpu_id=G-2 attribution_status=resolved",
    ),
    (
        "022 wallet with several models and no hint",
        "CAP@900{A} CAP@900{A,m=m2,g=G-2} ST@1000{A,p=}",
        AMBIGUOUS,
    ),
    (
        "022 blank hint with a stored model",
        "CAP@900{A} CAP@900{A,m=m2,g=G-2} ST@950{p=m2} ST@1000{A,p=}",
        "model_id=m2 gpu_id=G-2 attribution_status=resolved",
    ),
    (
        "022 an older compatible advertisement wins",
        "CAP@900{A} CAP@3600000{A,m=m2,g=G-2} ST@3600100{A}",
        "model_id=m1 gpu_id=G-A attribution_status=stale selected_snapshot_ts=900",
    ),
    ("022 two pipelines for one model", "CAP@900{A} CAP@900{A,p=llm,g=G-2} ST@1000{A}", AMBIGUOUS),
    (
        "022 two pipelines for one model, one of them hinted",
        "CAP@900{A} CAP@900{A,p=llm,g=G-2} ST@1000{A} ST@1100{A,p=llm}",
        "pipeline=llm model_id=m1 gpu_id=G-2 attribution_status=resolved",
    ),
    (
        "022 alias label",
        "CAP@900{A,m=StreamDiffusion-SDXL} ST@1000{A,p=pip_sd-turbo}",
        "model_id=StreamDiffusion-SDXL model_source=capability model_hint=pip_sd-turbo",
    ),
    (
        "022 earlier values stay when nothing is compatible",
        "CAP@900{A} CAP@900{B,m=other} ST@1000{A} ST@2000{B}",
        "orchestrator_address=0xa model_id=m1 attribution_status=resolved \
         observed_url=https://b selection_count=2",
    ),
    (
        "changes of model and pipeline ignore case (2.2)",
        "CAP@900{A} CAP@900{B,m=M1,p=Live-Video-To-Video} ST@1000{A} ST@2000{B,p=M1}",
        "has_model_change=0 has_pipeline_change=0 model_id=M1 orchestrator_address=0xb \
         inferred_orchestrator_change_count=1",
    ),
    (
        "changes of model and pipeline (2.2)",
        "CAP@900{A} CAP@900{B,m=m2,p=llm} ST@1000{A} ST@2000{B,p=m2}",
        "has_model_change=1 has_pipeline_change=1 model_id=m2",
    ),
];

/// The columns of a session in every order of what arrives, decided at the end and at each step.
fn run(name: &str, text: &str, columns: &str) {
    let inputs = script(text);
    for order in orders(inputs.len()) {
        let what = format!("{name}: {text}, order {order:?}");
        let mut stage = play(&inputs, &order, None);
        expect(&session(&stage), columns, &what);
        let mut stepwise = Stage::new(None);
        for &index in &order {
            stepwise.take(&inputs[index], index as u64);
            stepwise.settle();
            stepwise.write();
        }
        assert_eq!(stepwise.store.latest(), stage.store.latest(), "{what}, step by step");
        assert_eq!(segments(&mut stepwise), segments(&mut stage), "{what}, step by step");
    }
}

fn run_all(vectors: &[Vector<'_>]) {
    for (name, text, columns) in vectors {
        run(name, text, columns);
    }
}

fn session(stage: &Stage) -> crate::cells::Cells {
    stage.table("fact_workflow_sessions").remove(0)
}

/// `canonical/model@start-end` of each segment.
fn segments(stage: &mut Stage) -> String {
    let story = stage.session.story(None);
    let offset = |ts: Timestamp| (ts.0 - BASE).to_string();
    let texts = story.segments.iter().map(|segment| {
        let selection = segment.selection.map(|place| &story.selections[place]);
        let who = selection.map_or("/".to_owned(), |selection| {
            let model = selection.chosen().map_or("", |chosen| chosen.model.as_str());
            format!("{}/{model}", selection.canonical())
        });
        format!("{who}@{}-{}", offset(segment.start), segment.end.map_or(String::new(), offset))
    });
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn choices_in_every_order() {
    run_all(CHOICE);
}

#[test]
fn capacities_in_every_order() {
    run_all(CAPACITY);
}

#[test]
fn contested_uids_in_every_order() {
    run_all(CONTESTED);
}

#[test]
fn distances_in_every_order() {
    run_all(TIME);
}

#[test]
fn names_in_every_order() {
    run_all(NAMES);
}

#[test]
fn a_real_session_in_every_order() {
    let all = format!("{SDXL} {LLAMA} {SDXL_AGAIN}");
    let found = "model_id=sdxl gpu_id=GPU-6f1b orchestrator_address=0xa";
    let stale = format!("{found} attribution_status=stale attribution_source=mapped_window");
    let status = "ST@1739041800304{A,p=sdxl}";
    run("V72", &format!("{all} {status}"), &stale);
    let again = "CAP@1739041860304{A,m=sdxl,g=GPU-6f1b}";
    let direct = format!("{found} attribution_status=resolved attribution_source=direct");
    run("V72 advertised again", &format!("{all} {again} {status}"), &direct);
    let blank = "ST@1739040509990{p=sdxl} ST@1739040510000{A,p=}";
    run("V73", &format!("{SDXL} {LLAMA} {blank}"), &format!("{direct} selection_count=1"));
    let hinted = "ST@1739040510000{A,p=sdxl}";
    run("V73 own hint", &format!("{SDXL} {LLAMA} {hinted}"), &direct);
    let none = "attribution_status=unresolved attribution_reason=no_compatible_candidate";
    run("V74", &format!("{LLAMA} {hinted}"), none);
    let trace = "PROC@1739041803000{a=0xhota,u=https://a}";
    run("V107", &format!("{all} {status} {trace}"), &format!("{stale} selection_count=1"));
}

/// Script and segments of V18 and V56.
const SEGMENTS: &[(&str, &str, &str)] = &[
    ("V18", "CAP@900{A} REQ@1000 PROC@3000{a=0xhota} PLAY@4000{a=0xhota}", "0xa/m1@1000-"),
    (
        "V56 with urls",
        "CAP@900{A} ST@1000{A} CAP@950{c=0xb,h=0xhota,u=https://b,m=m2,g=G-B} \
         ST@1500{a=0xhota,u=https://b,p=m2}",
        "0xa/m1@1000-1500 0xb/m2@1500-",
    ),
    (
        "V56 address only",
        "CAP@900{A} ST@1000{a=0xhota} CAP@950{c=0xb,h=0xhota,u=https://b,m=m2,g=G-B} \
         ST@1500{a=0xhota,p=m2}",
        "0xa/m1@1000-",
    ),
    (
        "V56 same model, address only",
        "CAP@900{A} ST@1000{a=0xhota} CAP@950{c=0xb,h=0xhota,u=https://b,m=m1,g=G-B} \
         ST@1500{a=0xhota}",
        "/@1000-",
    ),
];

#[test]
fn segments_in_every_order() {
    for (name, text, expected) in SEGMENTS {
        run(name, text, "");
        let inputs = script(text);
        for order in orders(inputs.len()) {
            assert_eq!(segments(&mut play(&inputs, &order, None)), *expected, "{name} {order:?}");
        }
    }
}

/// Backlog 023: one node advertised once at T; offset of the selection and label.
const LABELS: [(i64, &str); 8] = [
    (0, "direct"),
    (9 * MINUTE, "direct"),
    (11 * MINUTE, "mapped_window"),
    (24 * 60 * MINUTE - MINUTE, "mapped_window"),
    (24 * 60 * MINUTE + MINUTE, "unattributed"),
    (-29_000, "direct"),
    (-31_000, "mapped_window"),
    (-25 * 60 * MINUTE, "unattributed"),
];
const MINUTE: i64 = 60_000;
/// T.
const POLL: i64 = 100_000_000;

#[test]
fn a_node_advertised_once_serves_direct_mapped_or_not_at_all() {
    for (offset, label) in LABELS {
        let text = format!("CAP@{POLL}{{A}} REQ@{0} ST@{0}{{A}}", POLL + offset);
        run("023", &text, &format!("attribution_source={label}"));
    }
}

#[test]
fn a_second_poll_turns_a_mapped_session_into_a_direct_one() {
    let text =
        format!("ST@{}{{A}} CAP@{POLL}{{A}} CAP@{}{{A}}", POLL + 11 * MINUTE, POLL + 25 * MINUTE);
    let inputs = script(&text);
    let mut stage = play(&inputs, &[0, 1], None);
    expect(&session(&stage), "attribution_source=mapped_window attribution_status=stale", &text);
    stage.take(&inputs[2], 2);
    stage.settle();
    assert!(stage.write().again > 0, "a correction has a higher version");
    expect(&session(&stage), "attribution_source=direct attribution_status=resolved", &text);
    run("023", &text, "attribution_source=direct");
}

/// Lifecycle 7.11 and clarification 23: an advertisement that is up to 48 h behind the newest one
/// corrects every selection within 24 h of it.
#[test]
fn what_is_advertised_two_days_late_corrects() {
    const HOUR: i64 = 60 * MINUTE;
    let t = 10 * POLL;
    for (late, newest, label) in [
        (t - MINUTE, t - MINUTE + 48 * HOUR, "direct"),
        (t - 24 * HOUR, t + 24 * HOUR + 1, "mapped_window"),
        (t + 24 * HOUR, t + 72 * HOUR, "mapped_window"),
        // An index that has given up what may count does not contradict what was said.
        (t - MINUTE, t + 72 * HOUR + 1, "unattributed"),
    ] {
        let text = format!("REQ@{t} ST@{t}{{A}} CAP@{newest}{{A}} CAP@{late}{{A}}");
        let inputs = script(&text);
        let mut stage = play(&inputs, &[0, 1, 2], None);
        expect(&session(&stage), "attribution_source=unattributed", &text);
        stage.take(&inputs[3], 3);
        stage.settle();
        stage.write();
        expect(&session(&stage), &format!("attribution_source={label}"), &text);
    }
}

#[test]
fn without_advertisements_nothing_is_attributed() {
    let columns = "attribution_status=unresolved attribution_source=unattributed \
        attribution_reason=missing_candidate selection_outcome=selected orchestrator_address= \
        orchestrator_url=https://a observed_address=0xhota unserved_session=1 served_session=0";
    run("023", "REQ@1000 ST@2000{A} PLAY@3000{A} CLOSE@4000", columns);
}

/// Index of `text`'s advertisements, the same in any order.
fn index(text: &str) -> Index {
    let inputs = script(text);
    let indexes = orders(inputs.len()).into_iter().map(|order| {
        let mut index = Index::default();
        for place in order {
            let Input::Capability(advertisement) = &inputs[place] else { panic!("{text}") };
            index.insert(advertisement);
        }
        index
    });
    let mut indexes: Vec<Index> = indexes.collect();
    indexes.dedup();
    assert_eq!(indexes.len(), 1, "{text}");
    indexes.remove(0)
}

fn kept(index: &Index) -> Vec<(i64, &str)> {
    let runs = index.nodes().flat_map(|(_, runs)| runs.as_slice());
    let seen = runs.flat_map(|run| run.seen().iter().map(move |seen| (run, seen.ts)));
    seen.map(|(run, ts)| (ts.0 - BASE, run.content().offers[0].model.as_str())).collect()
}

#[test]
fn an_index_forgets_what_is_old_and_nothing_else() {
    let v71 = "CAP@0{A,m=old} CAP@431999980{A,m=a} CAP@431999990{A,m=b} CAP@432000000{A,m=c} \
        CAP@432000010{A,m=d}";
    let want = [(431_999_980, "a"), (431_999_990, "b"), (432_000_000, "c"), (432_000_010, "d")];
    assert_eq!(kept(&index(v71)), want, "V71");
    assert_eq!(kept(&index("CAP@864000000{A} CAP@0{A}")), [(864_000_000, "m1")], "V85");
    let many = |count: i64| {
        let texts = (1000..1000 + count).map(|ts| format!("CAP@{ts}{{A,g=G-{ts}}}"));
        index(&texts.collect::<Vec<_>>().join(" "))
    };
    let v86 = many(40);
    assert_eq!((v86.nodes().count(), kept(&v86).len()), (1, 40), "V86");
    assert_eq!(kept(&many(300)).len(), MAX_RUNS, "V86");
}

#[test]
fn a_pipeline_named_like_its_model_is_none() {
    let model = "streamdiffusion-sdxl";
    for (pipeline, canonical) in
        [(model, ""), ("StreamDiffusion-SDXL", ""), ("live-video-to-video", "live-video-to-video")]
    {
        assert_eq!(canonical_pipeline(pipeline, model), canonical, "V104");
    }
}

const LIVE: &str = include_str!("../../../tests/fixtures/getNetworkCapabilities.json");
const CAPTURE: &str = include_str!("../../../tests/fixtures/events-2026-01-08.jsonl");

/// The advertisements of the 53 entries and of the capability event of the capture (V92).
fn real_advertisements() -> Vec<Input> {
    let document: Value = serde_json::from_str(LIVE).expect("a document");
    let entries = document["orchestrators"].to_string();
    let capture = CAPTURE.lines().filter_map(accepted);
    let at = |ts: i64| Timestamp(BASE + ts);
    let capture = capture.filter_map(|event| match event.body {
        Body::Capabilities(document) => Some((document, "capture")),
        _ => None,
    });
    let read = decode(&entries).expect("a list of orchestrators").document;
    assert_eq!(read.entries.len(), 53);
    let documents = std::iter::once((read, "document")).chain(capture);
    let said = documents.flat_map(|(read, uid)| advertisements(&read, at(900), uid, 0).nodes);
    said.map(|advertisement| Input::Capability(Box::new(advertisement))).collect()
}

#[test]
fn a_wallet_of_two_real_operators_is_told_apart_by_its_url() {
    let wallet = "0x52cf2968b3dc6016778742d3539449a6597d5954";
    let model = "streamdiffusion-sdxl-faceid";
    let canonical = "0xd00354656922168815fcd1e51cbddb9e359e3c7f";
    let url = "https://rtav-orch2.xodeapp.xyz:28935";
    let shared = "meta-llama/Meta-Llama-3.1-8B-Instruct";
    let by_model = format!("orchestrator_address={canonical} attribution_identity=alias");
    let with_url = format!(
        "orchestrator_address={canonical} orchestrator_url={url} attribution_identity=uri \
         attribution_status=resolved model_id={model}"
    );
    let table = [
        (format!("REQ@1000 ST@2000{{a={wallet},u={url},p={model}}}"), with_url.as_str()),
        // Both operators run the language model, one of them the video model.
        (format!("REQ@1000 ST@2000{{a={wallet},p={shared}}}"), AMBIGUOUS),
        (format!("REQ@1000 ST@2000{{a={wallet},p={model}}}"), by_model.as_str()),
    ];
    for (text, columns) in table {
        let mut inputs = script(&text);
        inputs.extend(real_advertisements());
        for order in orders(inputs.len()) {
            expect(&session(&play(&inputs, &order, None)), columns, &format!("V92 {order:?}"));
        }
    }
}
