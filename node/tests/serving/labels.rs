//! What a GPU was advertised as in the hour (backlog 008).

use naap_protocol::rows::dims::CapabilitySnapshot;
use serde_json::json;

use crate::bench::{Bench, at, at_minute, has};
use crate::world::{PIPELINE, put_served, session};

fn snapshot<'a>(org: &'a str, hour: i64, minute: i64, uid: &'a str) -> CapabilitySnapshot<'a> {
    CapabilitySnapshot {
        org,
        snapshot_ts: at_minute(hour, minute),
        source_event_uid: uid,
        orchestrator_address: "0xa",
        orchestrator_url: "https://a",
        gpu_id: "GPU-1",
        gpu_name: "RTX 4090",
        gpu_memory_total: Some(24),
        gpu_major: Some(8),
        gpu_minor: Some(9),
        pipeline: PIPELINE,
        model_id: "m",
        runner_version: "old",
        capacity: Some(2),
        warm: Some(true),
        price_per_unit: Some(7),
        pixels_per_unit: Some(1),
        version: 1,
        ..CapabilitySnapshot::default()
    }
}

#[test]
fn a_runner_upgrade_shows_in_the_hour_it_happened() {
    let (bench, org) = (Bench::get(), "labels-upgrade");
    for (id, hour) in [("s11", 11), ("s12", 12), ("s36", 36)] {
        put_served(bench, &[session(org, id, hour)], hour, 6);
    }
    let new = CapabilitySnapshot { runner_version: "new", ..snapshot(org, 12, 30, "b") };
    bench.put(&[snapshot(org, 10, 45, "a"), new]);
    bench.publish(org, &[11, 12, 36]);
    let sql = format!(
        "SELECT * FROM v_api_gpu_metrics_enriched WHERE org = '{org}' ORDER BY window_start"
    );
    let rows = bench.ask(&sql);
    has(
        &rows[0],
        &json!({
            "runner_version": "old", "gpu_model_name": "RTX 4090", "cuda_version": "8.9", "warm": 1,
            "orchestrator_url": "https://a", "metadata_age_seconds": 75 * 60, "capacity": 2,
            "advertised_capacity_minutes": 120.0, "price_per_unit": 7, "sla_score": 100.0,
            "sla_semantics_version": "sla-v1", "gpu_memory_bytes_total": 24,
        }),
    );
    has(&rows[1], &json!({ "runner_version": "new", "metadata_age_seconds": 30 * 60 }));
    has(
        &rows[2],
        &json!({ "runner_version": null, "metadata_snapshot_ts": null, "metadata_age_seconds": null,
                 "capacity": null, "advertised_capacity_minutes": null }),
    );
}

#[test]
fn a_snapshot_counts_from_its_moment_for_24_hours() {
    let (bench, org) = (Bench::get(), "labels-age");
    for (id, hour) in [("s1", 1), ("s24", 24), ("s25", 25)] {
        put_served(bench, &[session(org, id, hour)], hour, 6);
    }
    // At two o'clock: the end of the hour of one.
    bench.put(&[CapabilitySnapshot { snapshot_ts: at(2), ..snapshot(org, 0, 0, "a") }]);
    bench.publish(org, &[1, 24, 25]);
    let sql = format!(
        "SELECT metadata_age_seconds AS age FROM v_api_gpu_metrics_enriched WHERE org = '{org}' ORDER BY window_start"
    );
    let ages: Vec<_> = bench.ask(&sql).into_iter().map(|row| row["age"].clone()).collect();
    assert_eq!(ages, [json!(0), json!(23 * 3600), json!(null)]);
}

#[test]
fn two_prices_in_one_event_are_still_one_row() {
    let (bench, org) = (Bench::get(), "labels-prices");
    put_served(bench, &[session(org, "s", 11)], 11, 6);
    let other =
        CapabilitySnapshot { element: 1, price_per_unit: Some(9), ..snapshot(org, 11, 0, "a") };
    bench.put(&[snapshot(org, 11, 0, "a"), other]);
    bench.publish(org, &[11]);
    let row = bench.one(&format!("SELECT * FROM v_api_gpu_metrics_enriched WHERE org = '{org}'"));
    has(&row, &json!({ "price_per_unit": 9, "known_sessions_count": 1 }));
}
