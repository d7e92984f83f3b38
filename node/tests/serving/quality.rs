//! The quality shadow (backlog 026).

use naap_protocol::rows::latency::Latency;
use naap_protocol::rows::rollups::RollupSlice;
use naap_protocol::rows::serving::QualityBenchmark;
use naap_protocol::rows::sessions::{Session, StatusHour};
use serde_json::{Value, json};

use crate::bench::{Bench, DAY, HOUR, has};
use crate::world::{Hour, PIPELINE, evidence, latency, session};
use naap_protocol::time::Timestamp;

const IDS: [&str; 10] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];

/// The benchmark of the example for a model, on each of the seven days before the tests' day.
fn put_benchmark(bench: &Bench, model_id: &str, rows_a_day: u64) {
    let unit = 1_000_000;
    for days_before in 1..=7 {
        let window_start = Timestamp(DAY - days_before * 24 * HOUR);
        bench.put(&[QualityBenchmark {
            window_start,
            pipeline_id: PIPELINE,
            model_id,
            ptff_p50: Some(1000 * unit),
            ptff_p90: Some(2000 * unit),
            ptff_row_count: rows_a_day,
            e2e_p50: Some(500 * unit),
            e2e_p90: Some(1500 * unit),
            e2e_row_count: rows_a_day,
            fps_p10: Some(10 * unit),
            fps_p50: Some(20 * unit),
            fps_row_count: rows_a_day,
            slice_version: 1,
            ..QualityBenchmark::default()
        }]);
        bench.put(&[RollupSlice {
            relation: "agg_quality_benchmark_1d",
            window_start,
            slice_version: 1,
            slice_rows: 1,
            ..RollupSlice::default()
        }]);
    }
}

/// Ten sessions with reliability 0.9: five of them swapped.
fn put_sessions(bench: &Bench, org: &str, model: &'static str, latencies: usize) {
    let mut all: Vec<Session<'_>> = IDS.iter().map(|id| session(org, id, 10)).collect();
    for (n, one) in all.iter_mut().enumerate() {
        one.model_id = model;
        one.confirmed_swap_count = u16::from(n < 5);
    }
    bench.put(&all);
    let hours: Vec<Hour<'_>> = all.iter().map(|one| evidence(one, 10, 3, 15.0)).collect();
    bench.put(&hours.iter().map(Hour::row).collect::<Vec<StatusHour<'_>>>());
    let found: Vec<Latency<'_>> = all[..latencies]
        .iter()
        .map(|one| latency(one, [Some(1500.0), None, Some(500.0)]))
        .collect();
    bench.put(&found);
    bench.publish(org, &[10]);
}

fn shadow(bench: &Bench, org: &str) -> Value {
    bench.one(&format!("SELECT * FROM v_api_sla_quality_shadow WHERE org = '{org}'"))
}

#[test]
fn the_hand_example_scores_81_6() {
    let (bench, org) = (Bench::get(), "shadow");
    put_benchmark(bench, "example", 10);
    put_sessions(bench, org, "example", 10);
    has(
        &shadow(bench, org),
        &json!({
            "ptff_score": 0.5, "e2e_score": 1.0, "latency_score": 0.7, "fps_score": 0.5, "quality_score": 0.62,
            "reliability_score": 0.9, "shadow_score": 81.6, "ptff_row_count": 70, "is_neutral": 0,
            "benchmark_date": "2026-03-01", "quality_semantics_version": "quality-benchmark-v1",
        }),
    );
}

#[test]
fn without_evidence_or_benchmark_the_quality_is_neutral() {
    let bench = Bench::get();
    put_benchmark(bench, "silent", 10);
    put_sessions(bench, "shadow-silent", "silent", 0);
    let silent = shadow(bench, "shadow-silent");
    has(
        &silent,
        &json!({ "ptff_score": 0.5, "e2e_score": 0.5, "fps_score": 0.5, "is_neutral": 0 }),
    );
    // 42 rows in seven days are too few.
    put_benchmark(bench, "rare", 6);
    put_sessions(bench, "shadow-rare", "rare", 10);
    let rare = shadow(bench, "shadow-rare");
    has(&rare, &json!({ "ptff_score": 0.5, "e2e_score": 0.5, "fps_score": 0.5, "is_neutral": 1 }));
    // Half of the latencies that count fully.
    put_benchmark(bench, "half", 10);
    put_sessions(bench, "shadow-half", "half", 5);
    has(&shadow(bench, "shadow-half"), &json!({ "ptff_score": 0.5, "e2e_score": 0.75 }));
}

#[test]
fn the_score_does_not_know_of_the_shadow() {
    let (bench, org) = (Bench::get(), "shadow-off");
    put_sessions(bench, org, "unseen", 10);
    let fingerprint = || {
        let sql = format!(
            "SELECT hex(groupBitXor(reinterpretAsUInt128(sipHash128(formatRow('RowBinary', * EXCEPT (revision)))))) AS sum
             FROM v_api_sla_compliance WHERE org = '{org}'"
        );
        bench.one(&sql)
    };
    let before = fingerprint();
    put_benchmark(bench, "unseen", 100);
    bench.publish(org, &[10]);
    assert!(shadow(bench, org)["shadow_score"].as_f64().is_some());
    assert_eq!(fingerprint(), before);
}

#[test]
fn a_day_is_summed_up_by_its_hourly_rows() {
    let (bench, org) = (Bench::get(), "shadow-day");
    put_sessions(bench, org, "benchmarked", 10);
    let sql = "SELECT * FROM v_agg_quality_benchmark_1d WHERE model_id = 'benchmarked'";
    has(
        &bench.one(sql),
        &json!({
            "window_start": "2026-03-01 00:00:00.000", "ptff_p50": 1_500_000_000_u64, "ptff_row_count": 1,
            "e2e_p90": 500_000_000, "fps_p10": 15_000_000, "fps_row_count": 1,
        }),
    );
}
