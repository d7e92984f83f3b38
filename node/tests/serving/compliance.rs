//! Compliance and GPU metrics (backlog 003, tables.md 3.1, 3.4).

use std::slice::from_ref;

use naap_protocol::rollup::Gold;
use naap_protocol::rows::samples::StatusSample;
use naap_protocol::rows::sessions::{Session, StatusHour};
use serde_json::json;

use crate::bench::{Bench, has};
use crate::world::{evidence, latency, put_served, session};

const IDS: [&str; 10] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];

fn sessions(org: &str, count: usize, hour: i64) -> Vec<Session<'_>> {
    IDS[..count].iter().map(|id| session(org, id, hour)).collect()
}

#[test]
fn the_hand_fixture_scores_87() {
    let (bench, org) = (Bench::get(), "sla-87");
    let mut all = sessions(org, 10, 10);
    (all[0].startup_success, all[0].startup_unexcused) = (false, true);
    all[0].health_signal_count = 2;
    all[1].confirmed_swap_count = 1;
    all[2].zero_output_fps_session = true;
    // An error alone lowers nothing; an excused failure stays in the denominator.
    (all[3].error_count, all[3].last_error_occurred) = (4, true);
    (all[4].startup_success, all[4].startup_excused) = (false, true);
    // Whoever is not known counts in no numerator.
    let mut unknown = session(org, "unknown", 10);
    (unknown.known_stream, unknown.zero_output_fps_session) = (false, true);
    unknown.health_expected_signal_count = 0;
    unknown.confirmed_swap_count = 3;
    all.push(unknown);
    put_served(bench, &all, 10, 3);
    bench.publish(org, &[10]);
    let row = bench.one(&format!("SELECT * FROM v_api_sla_compliance WHERE org = '{org}'"));
    has(
        &row,
        &json!({
            "sla_score": 87.0, "sla_validity": "valid", "sla_class": "breach", "known_sessions_count": 10,
            "sessions_count": 11, "session_starts": 10, "startup_success_rate": 0.9, "no_swap_rate": 0.9,
            "output_viability_rate": 0.9, "effective_success_rate": 0.8, "startup_playable_rate": 0.8,
            "health_signal_coverage_ratio": 29.0 / 30.0, "effective_failed_sessions": 2,
            "sessions_with_errors": 1, "startup_excused_sessions": 1, "status_samples": 33,
            "sla_semantics_version": "sla-v1", "window_state": "final",
        }),
    );
    let day = bench.one(&format!("SELECT * FROM v_api_sla_compliance_1d WHERE org = '{org}'"));
    has(&day, &json!({ "sla_score": 87.0, "hours": 1, "known_sessions_count": 10 }));
}

#[test]
fn every_ratio_has_its_own_weight() {
    let (bench, org) = (Bench::get(), "sla-weights");
    let mut all = sessions(org, 10, 10);
    for failed in &mut all[..2] {
        (failed.startup_success, failed.startup_unexcused) = (false, true);
    }
    all[2].inferred_orchestrator_change_count = 1;
    all[3..6].iter_mut().for_each(|one| one.loading_only_session = true);
    put_served(bench, &all, 10, 3);
    bench.publish(org, &[10]);
    let row = bench.one(&format!("SELECT * FROM v_api_sla_compliance WHERE org = '{org}'"));
    has(&row, &json!({ "sla_score": 78.0, "effective_success_rate": 0.5, "no_swap_rate": 0.9 }));
    let day = bench.one(&format!("SELECT * FROM v_api_sla_compliance_1d WHERE org = '{org}'"));
    has(&day, &json!({ "sla_score": 78.0 }));
}

/// Its parts as floating-point numbers come to 89.99999999999999.
#[test]
fn a_score_of_exactly_90_is_at_risk() {
    let (bench, org) = (Bench::get(), "sla-90");
    let ids: Vec<String> = (0..34).map(|n| n.to_string()).collect();
    let mut all: Vec<Session<'_>> = ids.iter().map(|id| session(org, id, 10)).collect();
    all[..5].iter_mut().for_each(|one| one.confirmed_swap_count = 1);
    all[5..11].iter_mut().for_each(|one| one.zero_output_fps_session = true);
    put_served(bench, &all, 10, 3);
    bench.publish(org, &[10]);
    for view in ["v_api_sla_compliance", "v_api_sla_compliance_1d"] {
        let row = bench.one(&format!("SELECT * FROM {view} WHERE org = '{org}'"));
        has(&row, &json!({ "sla_score": 90.0, "sla_validity": "valid", "sla_class": "at_risk" }));
    }
}

#[test]
fn few_sessions_few_samples_and_little_health_are_not_valid() {
    let bench = Bench::get();
    for (org, count, samples, missing, validity) in [
        ("sla-four", 4, 30, 0, "low_sample"),
        ("sla-29", 9, 3, 0, "low_sample"),
        ("sla-half", 10, 3, 15, "low_coverage"),
        ("sla-60", 10, 3, 12, "valid"),
    ] {
        let mut all = sessions(org, count, 9);
        (0..missing).for_each(|n| all[n % count].health_signal_count -= 1);
        put_served(bench, &all, 9, samples);
        bench.publish(org, &[9]);
        let row = bench.one(&format!("SELECT * FROM v_api_sla_compliance WHERE org = '{org}'"));
        let class = if validity == "valid" { json!("breach") } else { json!(null) };
        has(&row, &json!({ "sla_validity": validity, "sla_class": class }));
        assert!(!row["sla_score"].is_null(), "{org}");
    }
}

#[test]
fn without_demand_there_is_no_score() {
    let (bench, org) = (Bench::get(), "sla-none");
    let mut only = session(org, "u", 3);
    (only.known_stream, only.health_expected_signal_count) = (false, 0);
    put_served(bench, &[only], 3, 40);
    bench.publish(org, &[3]);
    let row = bench.one(&format!("SELECT * FROM v_api_sla_compliance WHERE org = '{org}'"));
    has(
        &row,
        &json!({
            "sla_validity": "no_demand", "sla_score": null, "startup_success_rate": null,
            "effective_success_rate": null, "no_swap_rate": null, "startup_playable_rate": null,
            "health_signal_coverage_ratio": 1.0, "known_sessions_count": 0,
        }),
    );
}

#[test]
fn a_session_counts_in_every_hour_with_evidence_and_starts_once() {
    let (bench, org) = (Bench::get(), "sla-hours");
    let one = session(org, "long", 10);
    let mut next = evidence(&one, 11, 5, 20.0);
    next.row.is_first_evidence_hour = false;
    let (first, tail) = (evidence(&one, 10, 5, 20.0), evidence(&one, 12, 1, 0.0));
    let tail = StatusHour { is_terminal_tail_artifact: true, ..tail.row() };
    let mapped = StatusHour {
        attribution_source: "mapped_window",
        window_start: crate::bench::at(13),
        ..first.row()
    };
    bench.put(from_ref(&one));
    bench.put(&[first.row(), next.row(), tail, mapped]);
    bench.put(&[latency(&one, [Some(1000.0), Some(700.0), None])]);
    bench.publish(org, &[10, 11, 12, 13]);
    let sql =
        format!("SELECT * FROM v_api_sla_compliance WHERE org = '{org}' ORDER BY window_start");
    let rows = bench.ask(&sql);
    assert_eq!(rows.len(), 2, "neither tails nor mapped evidence: {rows:#?}");
    has(&rows[0], &json!({ "known_sessions_count": 1, "session_starts": 1 }));
    has(&rows[1], &json!({ "known_sessions_count": 1, "session_starts": 0 }));
    let sql = format!("SELECT * FROM v_api_gpu_metrics WHERE org = '{org}' ORDER BY window_start");
    let rows = bench.ask(&sql);
    has(
        &rows[0],
        &json!({
            "prompt_to_first_frame_sample_count": 1, "avg_prompt_to_first_frame_ms": 1000.0,
            "avg_startup_latency_ms": 700.0, "e2e_latency_sample_count": 0, "avg_e2e_latency_ms": null,
            "p95_e2e_latency_ms": null,
        }),
    );
    has(
        &rows[1],
        &json!({ "prompt_to_first_frame_sample_count": 0, "avg_startup_latency_ms": null }),
    );
}

#[test]
fn mapped_evidence_is_gold_where_it_is_wanted() {
    let (bench, org) = (Bench::get(), "sla-mapped");
    let one = session(org, "mapped-first", 9);
    let (first, next) = (evidence(&one, 9, 5, 20.0), evidence(&one, 10, 7, 20.0));
    let mapped = StatusHour {
        attribution_source: "mapped_window",
        is_first_evidence_hour: false,
        ..first.row()
    };
    let sample = |uid, hour, source| StatusSample {
        org,
        workflow_session_id: "mapped-first",
        gateway_ts: crate::bench::at_minute(hour, 7),
        source_event_uid: uid,
        orchestrator_address: "0xa",
        is_attributed: true,
        attribution_source: source,
        output_fps: 20.0,
        version: 1,
        ..StatusSample::default()
    };
    let five = ["u1", "u2", "u3", "u4", "u5"].map(|uid| sample(uid, 9, "mapped_window"));
    bench.put(from_ref(&one));
    bench.put(&[mapped, next.row()]);
    bench.put(&five);
    bench.put(&[latency(&one, [Some(1000.0), None, None])]);
    let shown = |include_mapped_window| {
        bench.publish_gold(org, &[9, 10], Gold { include_mapped_window });
        let sql = format!(
            "SELECT toHour(h.window_start) AS hour, h.status_samples AS samples, h.session_starts AS starts,
                g.prompt_to_first_frame_sample_count AS prompts
             FROM v_api_sla_compliance AS h
             INNER JOIN v_api_gpu_metrics AS g ON g.org = h.org AND g.window_start = h.window_start
             WHERE h.org = '{org}' ORDER BY hour"
        );
        let minutes = format!("SELECT count() AS n FROM v_api_jitter_5m WHERE org = '{org}'");
        (bench.ask(&sql), bench.one(&minutes)["n"].as_u64())
    };
    let direct = json!({ "hour": 10, "samples": 7, "starts": 1, "prompts": 1 });
    assert_eq!(shown(false), (vec![direct.clone()], Some(0)));
    let first = json!({ "hour": 9, "samples": 5, "starts": 1, "prompts": 1 });
    let next = json!({ "hour": 10, "samples": 7, "starts": 0, "prompts": 0 });
    assert_eq!(shown(true), (vec![first, next], Some(1)), "it starts once, in its first hour");
    assert_eq!(shown(false), (vec![direct], Some(0)), "what is no more is gone");
}

#[test]
fn a_session_that_failed_twice_over_counts_once() {
    let (bench, org) = (Bench::get(), "sla-union");
    let mut all = sessions(org, 10, 8);
    (all[0].loading_only_session, all[0].zero_output_fps_session) = (true, true);
    (all[0].startup_success, all[0].startup_unexcused) = (false, true);
    (all[1].confirmed_swap_count, all[1].inferred_orchestrator_change_count) = (2, 1);
    put_served(bench, &all, 8, 3);
    bench.publish(org, &[8]);
    let row = bench.one(&format!("SELECT * FROM v_api_sla_compliance WHERE org = '{org}'"));
    has(
        &row,
        &json!({
            "output_failed_sessions": 1, "effective_failed_sessions": 1, "total_swapped_sessions": 1,
            "confirmed_swapped_sessions": 1, "inferred_swap_sessions": 1,
            "sla_score": 100.0 * (0.4 * 0.9 + 0.2 * 0.9 + 0.4 * 0.9),
        }),
    );
}

#[test]
fn means_jitter_and_percentiles_come_from_sums_and_buckets() {
    let (bench, org) = (Bench::get(), "gpu-math");
    let all = sessions(org, 4, 6);
    bench.put(&all);
    let hours = [
        evidence(&all[0], 6, 18, 20.0),
        evidence(&all[1], 6, 1, 30.0),
        evidence(&all[2], 6, 1, 0.0),
        evidence(&all[3], 6, 20, 25.0),
    ];
    let mut rows: Vec<StatusHour<'_>> = hours.iter().map(crate::world::Hour::row).collect();
    // Without a GPU: in compliance, but not in GPU metrics.
    rows[3].gpu_id = "";
    bench.put(&rows);
    let trickle = naap_protocol::rows::latency::Latency {
        late_trickle: true,
        ..latency(&all[1], [None, None, Some(9.0)])
    };
    bench.put(&[
        latency(&all[0], [Some(10.0), None, Some(640.0)]),
        trickle,
        latency(&all[2], [Some(31.5), None, Some(1300.0)]),
    ]);
    bench.publish(org, &[6]);
    let row = bench.one(&format!("SELECT * FROM v_api_gpu_metrics WHERE org = '{org}'"));
    let mean = (18.0 * 20.0 + 30.0) / 20.0;
    let variance: f64 = (18.0 * 400.0 + 900.0) / 20.0 - mean * mean;
    has(
        &row,
        &json!({
            "avg_output_fps": mean, "fps_jitter_coefficient": variance.sqrt() / mean, "status_samples": 20,
            "p95_output_fps": 20.0, "gpu_id": "GPU-1", "model_id": "m", "region": null,
            "avg_prompt_to_first_frame_ms": 20.75, "p95_prompt_to_first_frame_latency_ms": 31.0,
            "avg_e2e_latency_ms": 970.0, "e2e_latency_sample_count": 2, "p95_e2e_latency_ms": 1280.0,
            "swap_rate": 0.0, "startup_unexcused_rate": 0.0, "active_ms": 200_000,
        }),
    );
    let sla = bench.ask(&format!(
        "SELECT gpu_id FROM v_api_sla_compliance WHERE org = '{org}' ORDER BY gpu_id"
    ));
    assert_eq!(sla.len(), 2);
}
