//! Demand at its three grains (tables.md 3.2, 3.3, 8, backlog 009).

use std::slice::from_ref;

use naap_node::quality::run::Verdict;
use naap_protocol::rows::binary::Decimal;
use naap_protocol::rows::dims::ModelConstraintSnapshot;
use naap_protocol::rows::payments::PaymentTicket;
use naap_protocol::rows::sessions::{Session, StatusHour};
use serde_json::{Value, json};

use crate::bench::{Bench, at_minute, has};
use crate::world::{GATEWAY, PIPELINE, evidence, put_served, session};

#[test]
fn a_session_with_two_models_is_one_session_at_pipeline_grain() {
    let (bench, org) = (Bench::get(), "demand-models");
    let one = session(org, "s", 4);
    let (first, mut second) = (evidence(&one, 4, 6, 20.0), evidence(&one, 4, 2, 10.0));
    (second.row.segment_index, second.row.model_id) = (1, "n");
    bench.put(&[one]);
    bench.put(&[first.row(), second.row()]);
    bench.publish(org, &[4]);
    let by_model = bench.one(&format!(
        "SELECT sum(sessions_count) AS sessions, sum(total_minutes) AS minutes, sum(known_sessions_count) AS known
         FROM v_api_network_demand WHERE org = '{org}'"
    ));
    has(&by_model, &json!({ "sessions": 2, "minutes": 80.0 / 60.0, "known": 1 }));
    let row =
        bench.one(&format!("SELECT * FROM v_api_network_demand_pipeline WHERE org = '{org}'"));
    has(
        &row,
        &json!({
            "sessions_count": 1, "total_minutes": 80.0 / 60.0, "known_sessions_count": 1,
            "avg_output_fps": (6.0 * 20.0 + 2.0 * 10.0) / 8.0,
        }),
    );
    // Whoever joins the grains without the model is warned of the factor.
    let joined = bench.check("Q-50", org);
    assert_eq!((joined.verdict, &joined.examples[0]["factor"]), (Verdict::Warn, &json!(2)));
    assert_eq!(bench.check("Q-49", org).verdict, Verdict::Pass);
}

#[test]
fn the_only_pipeline_of_a_model_is_that_of_every_spelling() {
    let (bench, org) = (Bench::get(), "demand-spelling");
    let named = Session { model_id: "comfyui", ..session(org, "named", 4) };
    let mut bare = Session { model_id: "ComfyUI", pipeline: "", ..session(org, "bare", 4) };
    (bare.orchestrator_address, bare.gpu_id) = ("", "");
    bench.put(&[named, bare]);
    bench.publish(org, &[4]);
    let row = bench.one(&format!(
        "SELECT * FROM v_api_network_demand WHERE org = '{org}' AND model_id = 'ComfyUI'"
    ));
    has(&row, &json!({ "pipeline_id": PIPELINE, "known_sessions_count": 1 }));
    assert_eq!(bench.check("Q-79", org).verdict, Verdict::Pass);
}

#[test]
fn demand_nobody_served_is_shown_beside_success() {
    let (bench, org) = (Bench::get(), "demand-unserved");
    let served = session(org, "served", 4);
    let mut unserved = session(org, "unserved", 4);
    (unserved.orchestrator_address, unserved.gpu_id) = ("", "");
    (unserved.startup_success, unserved.startup_excused) = (false, true);
    (unserved.no_orchestrators, unserved.selection_count) = (true, 0);
    let mut lost = session(org, "lost", 4);
    (lost.orchestrator_address, lost.gpu_id, lost.attribution_status) = ("", "", "unresolved");
    (lost.attribution_source, lost.attribution_reason) = ("unattributed", "missing_candidate");
    put_served(bench, &[served], 4, 6);
    bench.put(&[unserved, lost]);
    bench.publish(org, &[4]);
    let row = bench.one(&format!("SELECT * FROM v_api_network_demand WHERE org = '{org}'"));
    has(
        &row,
        &json!({
            "known_sessions_count": 3, "served_sessions": 1, "unserved_sessions": 2,
            "total_demand_sessions": 3, "unattributed_sessions": 1, "no_orch_sessions": 1,
            "startup_success_rate": 1.0, "unserved_rate": 2.0 / 3.0, "sessions_count": 1,
        }),
    );
    let quality = bench.one(&format!("SELECT * FROM v_attribution_quality WHERE org = '{org}'"));
    has(
        &quality,
        &json!({ "selected_sessions": 2, "unattributed_sessions": 1, "unattributed_rate": 0.5 }),
    );
    let starts = bench.ask(&format!("SELECT * FROM v_api_startup_reliability WHERE org = '{org}'"));
    assert_eq!(starts.len(), 2, "{starts:#?}");
}

#[test]
fn the_share_of_mapped_sessions_is_of_those_that_are_attributed() {
    let (bench, org) = (Bench::get(), "attribution-mapped");
    let by = |id, hour, attribution_source, attribution_status| Session {
        attribution_source,
        attribution_status,
        ..session(org, id, hour)
    };
    bench.put(&[
        by("direct", 4, "direct", "resolved"),
        by("mapped", 4, "mapped_window", "stale"),
        by("lost", 4, "unattributed", "unresolved"),
        by("lost-too", 4, "unattributed", "unresolved"),
        by("only-lost", 5, "unattributed", "unresolved"),
    ]);
    bench.publish(org, &[4, 5]);
    let sql =
        format!("SELECT * FROM v_attribution_quality WHERE org = '{org}' ORDER BY window_start");
    let rows = bench.ask(&sql);
    assert_eq!(rows.len(), 2, "{rows:#?}");
    has(&rows[0], &json!({ "mapped_window_rate": 0.5, "unattributed_rate": 0.5 }));
    has(&rows[1], &json!({ "mapped_window_rate": null, "unattributed_rate": 1.0 }));
}

#[test]
fn a_missing_pipeline_is_taken_from_the_only_one_of_the_key() {
    let (bench, org) = (Bench::get(), "demand-pipeline");
    let known = session(org, "a", 4);
    let mut blank = session(org, "b", 4);
    blank.pipeline = "";
    let mut same = session(org, "c", 4);
    (same.pipeline, same.model_id) = ("M2", "m2");
    let mut other_hour = session(org, "d", 5);
    other_hour.pipeline = "";
    put_served(bench, &[known, blank, same], 4, 6);
    bench.put(&[other_hour]);
    bench.publish(org, &[4, 5]);
    let sql = format!(
        "SELECT toHour(window_start) AS hour, pipeline_id, model_id, known_sessions_count, sessions_count
         FROM v_api_network_demand WHERE org = '{org}' ORDER BY hour, model_id"
    );
    let rows = bench.ask(&sql);
    assert_eq!(rows.len(), 3, "{rows:#?}");
    has(
        &rows[0],
        &json!({ "hour": 4, "pipeline_id": PIPELINE, "known_sessions_count": 2, "sessions_count": 2 }),
    );
    has(&rows[1], &json!({ "hour": 4, "pipeline_id": "", "model_id": "m2" }));
    has(&rows[2], &json!({ "hour": 5, "pipeline_id": "", "model_id": "m" }));
}

#[test]
fn a_missing_gpu_is_shown_under_that_of_the_last_session_and_flagged() {
    let (bench, org) = (Bench::get(), "demand-gpu");
    let mut early = session(org, "a", 4);
    early.session_start_ts = at_minute(4, 1);
    let mut late = session(org, "b", 4);
    (late.gpu_id, late.session_start_ts) = ("GPU-9", at_minute(4, 20));
    let mut blank = session(org, "c", 4);
    blank.gpu_id = "";
    let mut elsewhere = session(org, "d", 4);
    (elsewhere.gpu_id, elsewhere.model_id) = ("", "other");
    put_served(bench, &[early, late, blank, elsewhere], 4, 6);
    bench.put(&[ModelConstraintSnapshot {
        org,
        snapshot_ts: at_minute(3, 0),
        source_event_uid: "u",
        orchestrator_address: "0xa",
        model_id: "m",
        capacity: Some(2),
        version: 1,
        ..ModelConstraintSnapshot::default()
    }]);
    bench.publish(org, &[4]);
    let sql = format!(
        "SELECT * FROM v_api_network_demand_by_gpu WHERE org = '{org}' ORDER BY model_id, gpu_id"
    );
    let rows = bench.ask(&sql);
    assert_eq!(rows.len(), 3, "{rows:#?}");
    has(
        &rows[0],
        &json!({
            "gpu_id": "GPU-1", "gpu_identity_status": "resolved", "known_sessions_count": 1,
            "advertised_capacity_minutes": 120.0, "used_inference_minutes": 1.0,
            "advertised_capacity_utilization_rate": 1.0 / 120.0, "gpu_model_name": "unknown",
        }),
    );
    has(
        &rows[1],
        &json!({ "gpu_id": "GPU-9", "gpu_identity_status": "hardware_unresolved", "known_sessions_count": 2 }),
    );
    has(
        &rows[2],
        &json!({
            "gpu_id": null, "gpu_identity_status": "hardware_unresolved", "known_sessions_count": 1,
            "advertised_capacity_minutes": 0.0, "advertised_capacity_utilization_rate": null,
        }),
    );
}

#[test]
fn fees_join_the_keys_and_need_no_session() {
    let (bench, org) = (Bench::get(), "demand-fees");
    put_served(bench, &[session(org, "s", 4)], 4, 6);
    let payment = |uid, minute, model_id| PaymentTicket {
        org,
        payment_ts: at_minute(4, minute),
        source_event_uid: uid,
        gateway: GATEWAY,
        recipient: "0xa",
        pipeline: PIPELINE,
        model_id,
        face_value_wei: 3_000_000_000_000_000,
        num_tickets: 2,
        expected_value_wei: Decimal::default(),
        version: 1,
        ..PaymentTicket::default()
    };
    bench.put(&[payment("p1", 7, "m"), payment("p2", 8, "m"), payment("p3", 9, "late")]);
    bench.publish(org, &[4]);
    let sql = format!("SELECT * FROM v_api_network_demand WHERE org = '{org}' ORDER BY model_id");
    let rows = bench.ask(&sql);
    assert_eq!(rows.len(), 2, "{rows:#?}");
    has(
        &rows[0],
        &json!({ "model_id": "late", "ticket_face_value_eth": 0.003, "known_sessions_count": 0 }),
    );
    has(
        &rows[1],
        &json!({ "ticket_face_value_eth": 0.006, "payments_count": 2, "ticket_count": 4 }),
    );
}

/// A payment in an hour, linked by its request id, or without one by the session at the orchestrator.
fn linked<'a>(
    org: &'a str,
    source_event_uid: &'a str,
    request_id: &'a str,
    hour: i64,
) -> PaymentTicket<'a> {
    PaymentTicket {
        org,
        payment_ts: at_minute(hour, 10),
        source_event_uid,
        request_id,
        session_id: "auth",
        recipient: "0xa",
        gateway: GATEWAY,
        pipeline: PIPELINE,
        model_id: "manifest",
        num_tickets: 1,
        version: 1,
        ..PaymentTicket::default()
    }
}

#[test]
fn fees_follow_what_their_session_is_called_later() {
    let (bench, org) = (Bench::get(), "demand-renamed");
    let known = |model_id, version| Session {
        request_id: "r",
        model_id,
        session_end_ts: Some(at_minute(9, 0)),
        version,
        ..session(org, "s", 4)
    };
    let payment = |uid, request_id, hour| linked(org, uid, request_id, hour);
    // Of the session by request id, by the session at the orchestrator, and of nobody.
    bench.put(&[known("m", 1)]);
    bench.put(&[payment("p1", "r", 6), payment("p2", "", 7), payment("p3", "stranger", 8)]);
    let models = || {
        let rows = bench.ask(&format!(
            "SELECT model_id FROM v_api_network_demand WHERE org = '{org}' AND payments_count > 0 ORDER BY window_start"
        ));
        rows.iter().map(|row| row["model_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    bench.publish(org, &[4, 6, 7, 8]);
    assert_eq!(models(), ["m", "m", "manifest"]);
    // Only the hour of its start is told of the new name.
    bench.put(&[known("other", 2)]);
    bench.publish(org, &[4]);
    assert_eq!(models(), ["other", "other", "manifest"]);
}

#[test]
fn fees_find_another_session_when_theirs_turns_out_to_be_older() {
    let (bench, org) = (Bench::get(), "demand-relinked");
    let of = |id, model_id, hour, version| Session {
        request_id: "r",
        model_id,
        session_end_ts: Some(at_minute(17, 0)),
        version,
        ..session(org, id, hour)
    };
    let payment = |uid, request_id, hour| linked(org, uid, request_id, hour);
    let models = || {
        let rows = bench.ask(&format!(
            "SELECT toHour(window_start) AS hour, model_id FROM v_api_network_demand
             WHERE org = '{org}' AND payments_count > 0 ORDER BY hour"
        ));
        let cell = |row: &Value| format!("{}{}", row["hour"], row["model_id"].as_str().unwrap());
        rows.iter().map(cell).collect::<Vec<_>>()
    };
    // Of two sessions with one request id the later one is paid, also by who only knows the node.
    bench.put(&[of("old", "m-old", 10, 1), of("young", "m-young", 14, 1)]);
    bench.put(&[payment("p1", "r", 15), payment("p2", "", 16)]);
    bench.publish(org, &[10, 14, 15, 16]);
    assert_eq!(models(), ["15m-young", "16m-young"]);
    // Its start turns out to be before that of the other: only the hours of its start are told.
    bench.put(&[of("young", "m-young", 9, 2)]);
    bench.publish(org, &[9, 14]);
    assert_eq!(models(), ["15m-old", "16m-old"]);
    // A late payment with another request id comes between: only its own hour is told.
    bench.put(&[Session { request_id: "q", ..of("third", "m-third", 10, 1) }]);
    bench.publish(org, &[10]);
    bench.put(&[PaymentTicket { payment_ts: at_minute(15, 40), ..payment("p3", "q", 15) }]);
    bench.publish(org, &[15]);
    assert_eq!(models(), ["15m-old", "15m-third", "16m-third"]);
}

#[test]
fn a_mapped_session_is_demand_but_not_gold() {
    let (bench, org) = (Bench::get(), "demand-mapped");
    let one = session(org, "s", 4);
    let found = evidence(&one, 4, 6, 20.0);
    bench.put(from_ref(&one));
    bench.put(&[StatusHour { attribution_source: "mapped_window", ..found.row() }]);
    bench.publish(org, &[4]);
    let row = bench.one(&format!("SELECT * FROM v_api_network_demand WHERE org = '{org}'"));
    has(&row, &json!({ "sessions_count": 1, "total_minutes": 1.0 }));
    let gold = bench.ask(&format!("SELECT * FROM v_api_sla_compliance WHERE org = '{org}'"));
    assert!(gold.is_empty(), "{gold:?}");
}
