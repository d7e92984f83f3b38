//! The serving views of a generated network of two organisations, computed once more from the facts by
//! code of its own: keys both ways, values within 1e-6, and the invariants of tables.md 3.6.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with what went wrong")]

mod demand;
mod facts;
mod figures;
mod laws;
mod others;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use naap_generator::{Plan, Profile};
use naap_tests::DataDir;
use serde_json::Value;

use facts::Facts;
use figures::Figures;

/// Columns of a row that are to be equal, by key.
type Rows = BTreeMap<Vec<String>, BTreeMap<&'static str, f64>>;

fn generate(events: &Path, seed: u64, hours: u32) {
    let profile = Profile { capability_interval_s: 1800, oversized: false, ..Profile::default() };
    let plan = Plan { seed, sessions: 120, orchestrators: 20, hours, profile };
    let mut out = BufWriter::new(File::create(events).unwrap());
    plan.write(&mut out, None::<&mut Vec<u8>>, &mut |_| ()).unwrap();
}

/// A store with two organisations whose hours and nodes are partly the same.
fn store() -> DataDir {
    let dir = DataDir::new();
    for (org, seed, hours) in [("cloud_spe", 5, 6), ("daydream", 6, 9)] {
        let events = dir.path().join(format!("{org}.jsonl"));
        generate(&events, seed, hours);
        dir.replay(&["--org", org, events.to_str().unwrap()]);
    }
    dir
}

#[test]
fn the_views_say_what_the_facts_say() {
    let dir = store();
    let facts = Facts::read(&dir);
    let found = Figures::of(&facts);
    let [quality, reasons] = others::attribution(&facts);
    let by_gpu = &found.demand.gpu;
    for status in ["resolved", "hardware_unresolved"] {
        assert!(by_gpu.keys().any(|key| key[9] == status), "no row of demand by GPU is {status}");
    }
    let served = "org, hour, orchestrator_address, pipeline_id, model_id, gpu_id, region";
    let demand = "org, hour, gateway, region, pipeline_id";
    for (view, key, expected) in [
        ("v_api_sla_compliance", served, &found.service),
        ("v_api_sla_compliance_1d", served, &found.days),
        ("v_api_gpu_metrics", served, &found.gpu_metrics()),
        ("v_api_network_demand", &format!("{demand}, model_id"), &found.demand.model),
        ("v_api_network_demand_pipeline", demand, &found.demand.pipeline),
        (
            "v_api_network_demand_by_gpu",
            &format!(
                "{demand}, model_id, orchestrator_address, gpu_id, gpu_model_name, gpu_identity_status"
            ),
            by_gpu,
        ),
        (
            "v_api_startup_reliability",
            "org, hour, gateway, orchestrator_address, pipeline_id, model_id, region",
            &found.starts,
        ),
        (
            "v_api_jitter_5m",
            "org, hour, orchestrator_address, pipeline, model_id, gpu_id, region",
            &others::steadiness(&facts),
        ),
        ("v_attribution_quality", "org, hour", &quality),
        (REASONS, "org, hour, reason", &reasons),
        (
            IDENTITIES,
            "org, workflow_session_id, stream_id, request_id, began, ended, orchestrator_address, newest",
            &others::identity(&facts),
        ),
    ] {
        compare(&dir, view, key, expected);
    }
    laws::hold(&dir);
}

/// A map of counts as rows.
const REASONS: &str =
    "(SELECT org, window_start, arrayJoin(reasons) AS pair, pair.1 AS reason, pair.2 AS sessions
    FROM naap.v_attribution_quality)";

const IDENTITIES: &str =
    "(SELECT *, session_start_ts AS window_start, toString(latest_version) AS newest,
    toString(toUnixTimestamp64Milli(session_start_ts)) AS began,
    toString(toUnixTimestamp64Milli(session_end_ts)) AS ended
    FROM naap.v_api_session_identity)";

/// Asserts that the view has exactly these keys, with these values.
fn compare(dir: &DataDir, view: &str, key: &str, expected: &Rows) {
    assert!(expected.len() > 10, "{view}: {} rows are no test", expected.len());
    let columns: Vec<&str> = expected.values().next().unwrap().keys().copied().collect();
    let (from, begin) = match view {
        "v_api_jitter_5m" => (format!("naap.{view}"), "window_start_5m"),
        _ if view.starts_with('(') => (view.to_owned(), "window_start"),
        _ => (format!("naap.{view}"), "window_start"),
    };
    let sql =
        format!("SELECT toString(toUnixTimestamp({begin})) AS hour, * FROM {from} ORDER BY {key}");
    let mut unseen: Vec<&Vec<String>> = expected.keys().collect();
    for row in dir.query(&sql) {
        let key: Vec<String> = key.split(", ").map(|name| text(&row[name])).collect();
        let Some(values) = expected.get(&key) else { panic!("{view}: unexpected row {row}") };
        unseen.retain(|known| **known != key);
        for column in &columns {
            let (shown, computed) = (row[column].as_f64(), values[column]);
            // A figure that is not known is NaN here and NULL there.
            let same = shown.map_or(computed.is_nan(), |shown| {
                (shown - computed).abs() <= 1e-6 * computed.abs().max(1.0)
            });
            assert!(same, "{view} {key:?}: {column} is {shown:?}, the facts say {computed}");
        }
    }
    assert!(unseen.is_empty(), "{view} lacks {unseen:?}");
}

/// A key part: NULL is ''.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
