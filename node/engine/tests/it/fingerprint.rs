//! The queries of a fingerprint, on the engine that runs them.

use naap_protocol::rows::ddl::create_table;
use naap_protocol::rows::raw::RawStreamingEvent;
use naap_protocol::rows::samples::StatusSample;
use naap_protocol::rows::{FINGERPRINT_SETTINGS, PARTITIONS_APART, Row, TableSpec};

use crate::fixture::Fixture;

const TABLE: &TableSpec = RawStreamingEvent::SPEC;

/// A data folder with the table; nothing in it is merged.
async fn start(table: &TableSpec) -> Fixture {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE DATABASE naap").await;
    let qualified = format!("naap.{}", table.name);
    fixture.execute(&create_table(table).replacen(table.name, &qualified, 1)).await;
    fixture.execute(&format!("SYSTEM STOP MERGES {qualified}")).await;
    fixture
}

/// Adds `count` rows from offset `from` on, with a record time of 2026 in month `month`.
async fn insert(fixture: &Fixture, (from, count): (u64, u64), month: u8) {
    let sql = format!(
        "INSERT INTO naap.{} (source_topic, source_offset, source_record_timestamp, data, \
         ingestion_timestamp) \
         SELECT 't', {from} + number, '2026-0{month}-01 00:00:00', repeat(hex(number), 1000), now64(3) \
         FROM numbers({count})",
        TABLE.name
    );
    fixture.execute(&sql).await;
}

#[tokio::test]
async fn a_fingerprint_needs_little_memory_whatever_the_table_holds() {
    const BOUND: &str = "max_memory_usage = 60000000";
    let fixture = start(TABLE).await;
    for from in (0..4).map(|part| part * 10_000) {
        insert(&fixture, (from, 10_000), 1).await;
    }
    let sql = TABLE.fingerprint_sql("naap");
    let free = fixture.post("/", format!("{sql} FORMAT TSV").as_bytes()).await;
    assert!(free.text().starts_with("40000\t"), "{}", free.text());
    let bounded = format!("{sql} {FINGERPRINT_SETTINGS}, {BOUND} FORMAT TSV");
    let bounded = fixture.post("/", bounded.as_bytes()).await;
    assert_eq!(bounded.text(), free.text());
    let careless = format!("{sql} SETTINGS {BOUND} FORMAT TSV");
    assert_eq!(fixture.post("/", careless.as_bytes()).await.code(), 241, "the bound is one");
    fixture.stop().await;
}

#[tokio::test]
async fn buckets_add_up_to_the_duplicate_keys_of_a_table() {
    let fixture = start(TABLE).await;
    insert(&fixture, (0, 1000), 1).await;
    insert(&fixture, (0, 100), 1).await;
    insert(&fixture, (990, 20), 2).await;
    for buckets in [1, 7] {
        assert_eq!(duplicate_keys(&fixture, TABLE, buckets).await, 10, "{buckets} buckets");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn one_event_under_two_times_is_a_duplicate() {
    let table = StatusSample::SPEC;
    let fixture = start(table).await;
    for (session, uid, ms) in [("s", "a", 1), ("s", "a", 1), ("s", "b", 1), ("t", "a", 1)] {
        sample(&fixture, (session, uid), ms).await;
    }
    assert_eq!(duplicate_keys(&fixture, table, 1).await, 0);
    sample(&fixture, ("s", "a"), 2).await;
    assert_eq!(duplicate_keys(&fixture, table, 1).await, 1);
    fixture.stop().await;
}

async fn sample(fixture: &Fixture, (session, uid): (&str, &str), ms: u32) {
    let sql = format!(
        "INSERT INTO naap.{} (org, workflow_session_id, source_event_uid, gateway_ts, version) \
         VALUES ('o', '{session}', '{uid}', '2026-01-01 00:00:00.00{ms}', 1)",
        StatusSample::SPEC.name
    );
    fixture.execute(&sql).await;
}

async fn duplicate_keys(fixture: &Fixture, table: &TableSpec, buckets: u64) -> u64 {
    let mut doubled = 0;
    for bucket in 0..buckets {
        let sql = table.duplicate_keys_sql("naap", (bucket, buckets));
        let sql = format!("{sql} {FINGERPRINT_SETTINGS}{PARTITIONS_APART}");
        doubled += fixture.number(&sql).await;
    }
    doubled
}
