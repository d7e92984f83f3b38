//! The migrations against the definitions, and against stores of earlier builds (backlog 025 part 4).

use naap_node::store::schema::SchemaError;
use naap_protocol::rows::ddl::create_table;
use naap_protocol::rows::drift::{alter, drift};
use naap_protocol::rows::migrations::MIGRATIONS;
use naap_protocol::rows::{self, TableSpec};
use serde_json::Value;

use crate::bench::{Bench, Database};

#[test]
fn migrations_end_in_the_definitions() {
    let store = Bench::get().database("schema_defined");
    assert_eq!(store.apply().unwrap().len(), MIGRATIONS.len());
    let wanted: Vec<String> = rows::ALL.iter().flat_map(|table| missing(&store, table)).collect();
    assert!(wanted.is_empty(), "a new migration needs:\n\n{};\n", wanted.join(";\n\n"));
    assert_eq!(store.check(), [""; 0]);
    assert_eq!(store.apply().unwrap(), [""; 0], "a second time nothing is left to do");
}

/// The statements that bring a table of the store to its definition.
fn missing(store: &Database, table: &TableSpec) -> Vec<String> {
    match store.installed(table) {
        None => vec![create_table(table)],
        Some(installed) => {
            let found = drift(table, &installed);
            found.iter().flat_map(|difference| alter(table, difference)).collect()
        }
    }
}

/// The comparison above knows only what it asks for; the store's own statement leaves nothing out.
#[test]
fn migrated_tables_are_created_like_defined_ones() {
    let migrated = Bench::get().database("schema_migrated");
    migrated.apply().unwrap();
    let made = Bench::get().database("schema_made");
    made.execute("CREATE DATABASE IF NOT EXISTS schema_made");
    for table in rows::ALL {
        made.execute(&create_table(table));
        assert_eq!(statement(&migrated, table.name), statement(&made, table.name));
    }
}

/// How the store would create a table, without its database.
fn statement(store: &Database, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT create_table_query FROM system.tables WHERE database = '{}' AND name = '{table}'",
        store.name()
    );
    let rows = store.ask(&sql);
    let text = rows[0]["create_table_query"].as_str().unwrap();
    // Indexes that were added later stand behind others, and a key that was extended keeps its first
    // columns as primary key.
    let text = text.replace(&format!(" {}.", store.name()), " ").replace(") ENGINE", ", ENGINE");
    let text = match text.split_once(" PRIMARY KEY (") {
        Some((before, key)) => format!("{before}{}", key.split_once(')').unwrap().1),
        None => text,
    };
    let mut parts: Vec<String> = text.split(", ").map(str::to_owned).collect();
    parts.sort_unstable();
    parts
}

#[test]
fn a_store_with_other_views_gets_those_of_this_build() {
    let store = Bench::get().database("schema_older");
    store.apply().unwrap();
    store.execute("CREATE OR REPLACE VIEW v_demand_hours AS SELECT 1 AS nothing");
    store.forget_checksum("0010_serving_views.sql");
    assert!(store.check().iter().any(|line| line.contains("0010_serving_views.sql")));
    assert_eq!(store.apply().unwrap(), ["0010_serving_views.sql"]);
    assert_eq!(store.check(), [""; 0]);
    let columns = store.ask("SELECT name FROM system.columns WHERE database = 'schema_older' AND table = 'v_demand_hours'");
    assert!(columns.iter().any(|row| row["name"] == "total_minutes"));
    assert_eq!(store.apply().unwrap(), [""; 0]);
}

#[test]
fn a_store_with_other_tables_is_refused() {
    let store = Bench::get().database("schema_foreign");
    store.apply().unwrap();
    store.forget_checksum("0004_sessions.sql");
    let error = store.apply().unwrap_err();
    assert!(matches!(error, SchemaError::Changed { name: "0004_sessions.sql", .. }), "{error}");
}

#[test]
fn the_check_sees_indexes_codecs_and_retention() {
    let store = Bench::get().database("schema_drift");
    store.apply().unwrap();
    for alter in [
        "ALTER TABLE raw_streaming_events_dlq DROP INDEX idx_event_id",
        "ALTER TABLE fact_workflow_sessions MODIFY COLUMN error_count CODEC(LZ4)",
        "ALTER TABLE fact_workflow_swaps MODIFY TTL toDate(swap_ts) + INTERVAL 7 DAY",
        "ALTER TABLE fact_stream_trace_edges ADD INDEX idx_more trace_type TYPE minmax GRANULARITY 1",
    ] {
        store.execute(alter);
    }
    let found = store.check();
    let expected = [
        ("raw_streaming_events_dlq", "idx_event_id"),
        ("fact_workflow_sessions", "error_count"),
        ("fact_workflow_swaps", "toIntervalDay(7)"),
        ("fact_stream_trace_edges", "idx_more"),
    ];
    for (table, what) in expected {
        assert!(found.iter().any(|line| line.contains(table) && line.contains(what)), "{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

/// Rows that a store had before are found by an index that a migration adds.
#[test]
fn an_index_covers_rows_that_were_there_before() {
    let store = Bench::get().database("schema_rows");
    store.apply().unwrap();
    store.execute("ALTER TABLE raw_streaming_events_dlq DROP INDEX idx_event_id");
    store.execute(
        "INSERT INTO raw_streaming_events_dlq (org, source_topic, source_offset, event_id, ingestion_timestamp)
         SELECT 'o', 't', number, toString(number), now64(3) FROM numbers(100000)",
    );
    let table = rows::table("raw_streaming_events_dlq").unwrap();
    for statement in missing(&store, table) {
        store.execute(&statement);
    }
    let plan = store.ask(
        "SELECT explain FROM (EXPLAIN indexes = 1
         SELECT * FROM raw_streaming_events_dlq WHERE event_id = '77777')",
    );
    let lines: Vec<&str> = plan.iter().filter_map(|row| row["explain"].as_str()).collect();
    let found = lines.iter().any(|line| line.contains("idx_event_id"));
    assert!(found, "{lines:#?}");
    assert!(lines.iter().any(|line| line.trim() == "Granules: 1/13"), "{lines:#?}");
    let rows: Vec<Value> =
        store.ask("SELECT event_id FROM raw_streaming_events_dlq WHERE event_id = '77777'");
    assert_eq!(rows.len(), 1);
}
