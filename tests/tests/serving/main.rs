//! The serving views of a generated network of two organisations, computed once more from the facts by
//! code of its own: keys both ways, values within 1e-6, and the invariants of tables.md 3.6.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with what went wrong")]

mod facts;
mod figures;
mod laws;

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
    let found = Figures::of(&Facts::read(&dir));
    compare(&dir, "v_api_sla_compliance", &found.service);
    compare(&dir, "v_api_gpu_metrics", &found.gpu_metrics());
    compare(&dir, "v_api_network_demand", &found.demand);
    compare(&dir, "v_api_network_demand_pipeline", &found.by_pipeline);
    compare(&dir, "v_api_startup_reliability", &found.starts);
    laws::hold(&dir);
}

/// Asserts that the view has exactly these keys, with these values.
fn compare(dir: &DataDir, view: &str, expected: &Rows) {
    assert!(expected.len() > 20, "{view}: {} rows are no test", expected.len());
    let key = match view {
        "v_api_network_demand" => "org, hour, gateway, region, pipeline_id, model_id",
        "v_api_network_demand_pipeline" => "org, hour, gateway, region, pipeline_id",
        "v_api_startup_reliability" => {
            "org, hour, gateway, orchestrator_address, pipeline_id, model_id, region"
        }
        _ => "org, hour, orchestrator_address, pipeline_id, model_id, gpu_id, region",
    };
    let columns: Vec<&str> = expected.values().next().unwrap().keys().copied().collect();
    let sql = format!(
        "SELECT toString(toUnixTimestamp(window_start)) AS hour, * FROM naap.{view} ORDER BY {key}"
    );
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
