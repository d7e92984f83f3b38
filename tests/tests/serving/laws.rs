//! Invariants of the views (tables.md 3.6), each as a query for what breaks it.

use naap_tests::DataDir;

const SERVICE: &str = "ifNull(startup_success_rate, 0) BETWEEN -1e-9 AND 1 + 1e-9
    AND ifNull(effective_success_rate, 0) <= ifNull(startup_success_rate, 0) + 1e-6
    AND health_signal_coverage_ratio BETWEEN 0 AND 1 AND (known_sessions_count > 0) = isNotNull(startup_success_rate)
    AND startup_success_sessions + startup_excused_sessions + startup_unexcused_sessions = known_sessions_count
    AND total_swapped_sessions <= confirmed_swapped_sessions + inferred_swap_sessions
    AND output_failed_sessions <= loading_only_sessions + zero_output_fps_sessions
    AND toMinute(window_start) = 0 AND isNull(avg_output_fps) = (status_samples = 0)
    AND NOT (lower(pipeline_id) = lower(ifNull(model_id, '')) AND pipeline_id != '')";

const LAWS: &[(&str, &str)] = &[
    ("v_api_sla_compliance", SERVICE),
    (
        "v_api_sla_compliance",
        "orchestrator_address != '' AND ifNull(sla_score, 0) BETWEEN 0 AND 100 + 1e-9
         AND isNull(sla_score) = (sla_validity = 'no_demand') AND isNull(sla_class) = (sla_validity != 'valid')
         AND session_starts <= known_sessions_count AND known_sessions_count <= sessions_count",
    ),
    (
        "v_api_gpu_metrics",
        "orchestrator_address != '' AND isNotNull(gpu_id) AND (pipeline_id != '' OR isNotNull(model_id))
         AND prompt_to_first_frame_sample_count <= sessions_count
         AND isNull(avg_e2e_latency_ms) = (e2e_latency_sample_count = 0)
         AND ifNull(fps_jitter_coefficient, 0) >= 0",
    ),
    ("v_api_network_demand", SERVICE),
    (
        "v_api_network_demand",
        "total_demand_sessions = served_sessions + unserved_sessions AND total_demand_sessions = known_sessions_count
         AND total_minutes >= 0 AND ticket_face_value_eth >= 0 AND unattributed_sessions <= unserved_sessions
         AND (startup_unexcused_sessions + output_failed_sessions = 0 OR effective_success_rate < 0.999999)",
    ),
    (
        "v_api_network_demand_by_gpu",
        "used_inference_minutes >= 0 AND ifNull(advertised_capacity_utilization_rate, 0) <= 1.5",
    ),
    ("v_api_jitter_5m", "status_samples >= 5 AND toMinute(window_start_5m) % 5 = 0"),
];

/// Two numbers that are to be one.
const EQUAL: &[(&str, &str)] = &[
    (
        "SELECT sum(total_minutes) FROM naap.v_api_network_demand",
        "SELECT sum(total_minutes) FROM naap.v_api_network_demand_pipeline",
    ),
    (
        "SELECT sum(total_minutes) FROM naap.v_api_network_demand",
        "SELECT sum(used_inference_minutes) FROM naap.v_api_network_demand_by_gpu",
    ),
    (
        "SELECT sum(known_sessions_count) FROM naap.v_api_network_demand_by_gpu",
        "SELECT count() FROM naap.fact_workflow_sessions FINAL WHERE known_stream",
    ),
    (
        "SELECT count() FROM naap.v_api_gpu_metrics",
        "SELECT count() FROM naap.v_api_gpu_metrics_enriched",
    ),
    (
        "SELECT count() FROM naap.v_api_sla_quality_shadow",
        "SELECT count() FROM naap.v_api_sla_compliance",
    ),
    (
        "SELECT sum(session_starts) FROM naap.v_api_sla_compliance_1d",
        "SELECT uniqExact(org, workflow_session_id) FROM naap.fact_session_status_hours AS h FINAL
         WHERE is_first_evidence_hour AND (org, workflow_session_id) IN (
             SELECT org, workflow_session_id FROM naap.fact_workflow_sessions FINAL WHERE known_stream)",
    ),
];

/// Asserts that every law holds in the store.
pub(crate) fn hold(dir: &DataDir) {
    for (view, law) in LAWS {
        let broken = dir.query(&format!("SELECT * FROM naap.{view} WHERE NOT ({law}) LIMIT 3"));
        assert!(broken.is_empty(), "{view} breaks {law}: {broken:#?}");
    }
    for (one, other) in EQUAL {
        let found = dir.query(&format!("SELECT ({one}) AS a, ({other}) AS b"));
        let [a, b] = ["a", "b"].map(|name| found[0][name].as_f64().unwrap());
        assert!((a - b).abs() < 1e-6, "{one} is {a}, {other} is {b}");
    }
}
