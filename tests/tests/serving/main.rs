//! The serving views of generated networks of two organisations, computed once more from the facts by
//! code of its own: keys both ways, values within 1e-6, and the invariants of tables.md 3.6.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with what went wrong")]

mod demand;
mod facts;
mod figures;
mod inventory;
mod labels;
mod laws;
mod legs;
mod others;
mod payments;
mod shadow;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;

use naap_generator::{Plan, Profile};
use naap_tests::DataDir;
use naap_tests::script::MINUTE;
use serde_json::Value;

use facts::{Facts, HOUR};
use figures::{Figures, classified};
use legs::Links;
use shadow::Days;

/// Columns of a row that are to be equal, by key.
type Rows = BTreeMap<Vec<String>, BTreeMap<&'static str, f64>>;

/// A store with these networks: organisation, seed, sessions, hours.
fn store(networks: [(&str, u64, u64, u32); 2]) -> DataDir {
    let dir = DataDir::new();
    for (org, seed, sessions, hours) in networks {
        let profile = Profile {
            capability_interval_s: 1800,
            oversized: false,
            transport: true,
            ..Profile::default()
        };
        let plan = Plan { seed, sessions, orchestrators: 20, hours, profile };
        let events = dir.path().join(format!("{org}.jsonl"));
        let mut out = BufWriter::new(File::create(&events).unwrap());
        plan.write(&mut out, None::<&mut Vec<u8>>, &mut |_| ()).unwrap();
        drop(out);
        dir.replay(&["--org", org, events.to_str().unwrap()]);
    }
    dir
}

/// Key of the views of orchestrators and GPUs.
const SERVED: &str = "org, hour, orchestrator_address, pipeline_id, model_id, gpu_id, region";
/// Key of demand, but for the model.
const DEMAND: &str = "org, hour, gateway, region, pipeline_id";

#[test]
fn the_views_say_what_the_facts_say() {
    // Hours and nodes are partly the same.
    let dir = store([("cloud_spe", 5, 120, 6), ("daydream", 6, 120, 9)]);
    let facts = Facts::read(&dir);
    let found = Figures::of(&facts);
    let [quality, reasons] = others::attribution(&facts);
    let by_gpu = &found.demand.gpu;
    for status in ["resolved", "hardware_unresolved"] {
        assert!(by_gpu.keys().any(|key| key[9] == status), "no row of demand by GPU is {status}");
    }
    let [metrics, enriched] = labels::gpus(&facts, &found, &Links::of(&dir, &facts, HOUR));
    let classed = format!("{SERVED}, sla_validity, sla_class, sla_semantics_version");
    let labelled =
        format!("{SERVED}, gpu_model_name, runner_version, cuda_version, bandwidth_status");
    for (view, key, expected) in [
        ("v_api_sla_compliance", classed.as_str(), &classified(&found.service)),
        ("v_api_sla_compliance_1d", &classed, &classified(&found.days)),
        ("v_api_gpu_metrics", &labelled, &metrics),
        (
            OFFERS,
            &format!(
                "{labelled}, orchestrator_url, orchestrator_version, advertised, sla_semantics_version"
            ),
            &enriched,
        ),
        ("v_api_network_demand", &format!("{DEMAND}, model_id"), &found.demand.model),
        ("v_api_network_demand_pipeline", DEMAND, &found.demand.pipeline),
        (
            "v_api_network_demand_by_gpu",
            &format!(
                "{DEMAND}, model_id, orchestrator_address, gpu_id, gpu_model_name, gpu_identity_status"
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
        (LINEAGE, LINEAGE_KEY, &others::lineage(&dir, &facts)),
    ] {
        compare(&dir, view, key, expected);
    }
    laws::hold(&dir);
    others::assert_ages(&dir, &facts);
}

#[test]
fn the_views_of_feeds_say_what_the_facts_say() {
    let dir = store([("cloud_spe", 7, 120, 6), ("daydream", 8, 120, 9)]);
    let odd = dir.path().join("odd.jsonl");
    std::fs::write(&odd, legs::odd_clients(1_767_236_400_000).text()).unwrap();
    dir.replay(&["--org", "odd", odd.to_str().unwrap()]);
    let facts = Facts::read(&dir);
    let link = "org, hour, link_type, orchestrator_address, gateway, pipeline_id, model_id, gpu_id, region";
    let client = "org, hour, gateway, pipeline_id, model_id, region";
    for (view, key, expected) in [
        (
            "v_api_transport_bandwidth",
            &format!("{link}, telemetry_status"),
            &Links::of(&dir, &facts, HOUR).rows(),
        ),
        ("v_agg_transport_bandwidth_1m", &link.to_owned(), &Links::of(&dir, &facts, MINUTE).sums()),
        (
            "v_api_ingest_quality",
            &format!("{client}, telemetry_status"),
            &legs::clients(&dir, &facts),
        ),
        ("v_agg_ingest_quality_1m", &client.to_owned(), &legs::client_minutes(&dir, &facts)),
        (PAYMENTS, &PAYMENTS_KEY.to_owned(), &payments::links(&dir, &facts)),
    ] {
        compare(&dir, view, key, expected);
        for status in ["ok", "partial", "no_telemetry"] {
            let is_shown = expected.keys().any(|key| key.last().unwrap() == status);
            assert!(is_shown || !key.ends_with("_status"), "no row of {view} is {status}");
        }
    }
}

#[test]
fn the_shadow_compares_with_the_seven_days_before() {
    let dir = store([("cloud_spe", 9, 350, 80), ("daydream", 10, 350, 60)]);
    let found = Figures::of(&Facts::read(&dir));
    let days = Days::of(&found);
    compare(&dir, "v_agg_quality_benchmark_1d", "org, hour, pipeline_id, model_id", &days.rows());
    let shadow = days.shadow(&found);
    let neutral = shadow.values().filter(|row| row["is_neutral"] > 0.5).count();
    assert!(
        neutral > 20 && shadow.len() > neutral + 20,
        "{neutral} of {} are neutral",
        shadow.len()
    );
    let key = format!("{SERVED}, compared_from, quality_semantics_version");
    compare(&dir, SHADOW, &key, &shadow);
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

const OFFERS: &str =
    "(SELECT *, toString(toUnixTimestamp64Milli(metadata_snapshot_ts)) AS advertised
    FROM naap.v_api_gpu_metrics_enriched)";

const SHADOW: &str =
    "(SELECT *, toString(toUnixTimestamp(toDateTime(benchmark_date, 'UTC'))) AS compared_from
    FROM naap.v_api_sla_quality_shadow)";

const LINEAGE: &str = "(SELECT *, swap_ts AS window_start, toString(swap_index) AS number,
    toString(toUnixTimestamp64Milli(swap_ts)) AS at, toString(gap_ms) AS gap,
    arrayStringConcat(orchestrator_path, '>') AS path
    FROM naap.v_session_orchestrator_lineage)";
const LINEAGE_KEY: &str = "org, workflow_session_id, number, gateway, swap_kind, \
    from_orchestrator_address, to_orchestrator_address, at, gap, outcome, path";

const PAYMENTS: &str = "(SELECT *, payment_ts AS window_start FROM naap.fact_payment_events)";
const PAYMENTS_KEY: &str =
    "org, hour, source_event_uid, workflow_session_id, link_method, pipeline, model_id";

/// Asserts that the view has exactly these keys, with these values.
fn compare(dir: &DataDir, view: &str, key: &str, expected: &Rows) {
    let least = if view.ends_with("_1d") { 6 } else { 11 };
    assert!(expected.len() >= least, "{view}: {} rows are no test", expected.len());
    let columns: Vec<&str> = expected.values().next().unwrap().keys().copied().collect();
    let begin = match view {
        "v_api_jitter_5m" => "window_start_5m",
        _ if view.ends_with("_1m") => "minute_start",
        _ => "window_start",
    };
    let from = if view.starts_with('(') { view.to_owned() } else { format!("naap.{view}") };
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
