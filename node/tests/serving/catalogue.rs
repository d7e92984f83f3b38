//! The catalogue against what the store has (backlog 014).

use crate::bench::Bench;

const RELATIONS: &str =
    "(table LIKE 'fact\\_%' OR table LIKE 'agg\\_%' OR table LIKE 'v\\_api\\_%')";

#[test]
fn every_column_is_in_the_catalogue_and_has_a_comment() {
    let bench = Bench::get();
    let missing = bench.ask(&format!(
        "SELECT table, name FROM system.columns
         WHERE database = 'naap' AND {RELATIONS}
             AND (table, name) NOT IN (SELECT relation, column FROM dim_metric_catalogue)"
    ));
    assert!(missing.is_empty(), "{missing:?}");
    let silent = bench.ask(&format!(
        "SELECT table, name FROM system.columns WHERE database = 'naap' AND {RELATIONS} AND comment = ''"
    ));
    assert!(silent.is_empty(), "{silent:?}");
    let row = bench.one(
        "SELECT * FROM dim_metric_catalogue
         WHERE relation = 'v_api_sla_compliance' AND column = 'no_swap_rate'",
    );
    crate::bench::has(
        &row,
        &serde_json::json!({
            "unit": "ratio", "nullable": 1, "semantics_version": "sla-v1",
            "meaning": "1 - total swapped / known, 0 to 1", "invariant": "NULL when none is known.",
            "source": "agg_orchestrator_1h, rollup_slices",
        }),
    );
}

#[test]
fn no_serving_view_selects_latest_facts_over_history() {
    let views = Bench::get().ask(
        "SELECT name FROM system.tables
         WHERE database = 'naap' AND name LIKE 'v\\_api\\_%' AND name != 'v_api_session_identity'
             AND create_table_query LIKE '%fact\\_% FINAL%'",
    );
    assert!(views.is_empty(), "{views:?}");
}
