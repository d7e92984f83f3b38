//! Queries of one day on the serving views.

use crate::engine::{Engine, heading};
use crate::month::{DAY, ORG};

/// Views, and the relation that each is read from.
const VIEWS: &[(&str, &str)] = &[
    ("v_api_sla_compliance", "agg_orchestrator_1h"),
    ("v_api_sla_compliance_1d", "agg_orchestrator_1h"),
    ("v_api_network_demand", "agg_network_demand_1h"),
    ("v_api_network_demand_by_gpu", "agg_network_demand_1h"),
    ("v_api_network_demand_pipeline", "agg_network_demand_1h"),
    ("v_api_gpu_metrics", "agg_orchestrator_1h"),
    ("v_api_gpu_metrics_enriched", "agg_orchestrator_1h"),
    ("v_api_sla_quality_shadow", "agg_orchestrator_1h"),
    ("v_api_startup_reliability", "agg_startup_1h"),
    ("v_api_jitter_5m", "agg_output_fps_5m"),
    ("v_attribution_quality", "agg_attribution_1h"),
];

pub(crate) fn run(engine: &Engine) {
    heading("one day of a view", "day's rows");
    for (view, published) in VIEWS {
        let [begin, end] = DAY;
        let day = format!("window_start >= '{begin}' AND window_start < '{end}'");
        let rows = day_rows(engine, published, &day);
        // This one has a row for every five minutes.
        let shown = if *view == "v_api_jitter_5m" { "window_start_5m" } else { "window_start" };
        let sql = format!("SELECT * FROM {view} WHERE {shown} >= '{begin}' AND {shown} < '{end}'");
        engine.measure(view, &sql, rows);
        engine.measure(&format!("{view}, one org"), &format!("{sql} AND org = '{ORG}'"), rows);
    }
    facts_of_the_day(engine);
}

/// What the store holds for the day: published rows, and the slices that say which are valid.
fn day_rows(engine: &Engine, table: &str, day: &str) -> u64 {
    engine.number(&format!("SELECT count() FROM {table} WHERE {day}"))
        + engine.number(&format!(
            "SELECT count() FROM rollup_slices WHERE relation = '{table}' AND {day}"
        ))
}

fn facts_of_the_day(engine: &Engine) {
    let [begin, end] = DAY;
    let rows: u64 = [
        ("fact_stream_status_samples", "gateway_ts"),
        ("fact_stream_trace_edges", "gateway_ts"),
        ("fact_stream_ingest_samples", "gateway_ts"),
        ("fact_lifecycle_edge_coverage", "gateway_ts"),
        ("fact_session_status_hours", "window_start"),
        ("fact_workflow_sessions", "session_start_ts"),
    ]
    .iter()
    .map(|(table, time)| {
        let sql =
            format!("SELECT count() FROM {table} WHERE {time} >= '{begin}' AND {time} < '{end}'");
        engine.number(&sql)
    })
    .sum();
    println!("fact rows of the day: {rows}");
}
