//! Insert rates and memory, by hand: `cargo test --release -p naap-engine --test it measure -- --ignored --nocapture`.

use std::time::Instant;

use bytes::Bytes;
use naap_engine::client::{InsertTimeouts, insert};

use crate::fixture::Fixture;

const TABLE: &str = "CREATE TABLE m (id UInt64, at DateTime64(3), gateway LowCardinality(String), \
    model LowCardinality(String), fps Float64, latency Nullable(Float64), payload String, \
    version UInt64) ENGINE = ReplacingMergeTree(version) PARTITION BY toDate(at) ORDER BY id";

/// About 230 bytes a row.
fn batch(from: u64, count: u64) -> Bytes {
    let columns = ["id", "at", "gateway", "model", "fps", "latency", "payload", "version"];
    let types = [
        "UInt64",
        "DateTime64(3)",
        "LowCardinality(String)",
        "LowCardinality(String)",
        "Float64",
        "Nullable(Float64)",
        "String",
        "UInt64",
    ];
    let mut rows = vec![columns.len() as u8];
    let text = |rows: &mut Vec<u8>, text: &str| {
        let length = text.len();
        if length >= 128 {
            rows.push((length & 127) as u8 | 128);
            rows.push((length >> 7) as u8);
        } else {
            rows.push(length as u8);
        }
        rows.extend(text.as_bytes());
    };
    columns.iter().chain(&types).for_each(|name| text(&mut rows, name));
    for id in from..from + count {
        let key = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        rows.extend(key.to_le_bytes());
        rows.extend((1_700_000_000_000 + id as i64).to_le_bytes());
        text(&mut rows, &format!("gateway-{}", key % 20));
        text(&mut rows, &format!("model-{}", key % 5));
        rows.extend(24.5_f64.to_le_bytes());
        rows.push(0);
        rows.extend((key as f64).to_le_bytes());
        text(&mut rows, &format!("{{\"id\":\"{key:032x}\",\"pad\":\"{:0130}\"}}", key % 1000));
        rows.extend(id.to_le_bytes());
    }
    rows.into()
}

#[tokio::test]
#[ignore = "a measurement, not a check"]
async fn insert_rates() {
    let fixture = Fixture::start().await;
    fixture.execute(TABLE).await;
    let client = fixture.client();
    let columns = "id, at, gateway, model, fps, latency, payload, version";
    let mut from = 0;
    println!("rss at start {} MB", fixture.engine.rss_bytes().unwrap() >> 20);
    for (size, times) in [(1000, 30), (10_000, 20), (100_000, 6)] {
        let (mut took, mut peak) = (Vec::new(), 0);
        for _ in 0..times {
            let rows = batch(from, size);
            from += size;
            let start = Instant::now();
            insert(&client, "m", columns, None, vec![rows], InsertTimeouts::default())
                .await
                .unwrap();
            took.push(start.elapsed());
            peak = peak.max(fixture.engine.rss_bytes().unwrap());
        }
        took.sort();
        let total: f64 = took.iter().map(std::time::Duration::as_secs_f64).sum();
        println!(
            "{size:>6} rows: {:.0} rows/s, p50 {:?}, rss {} MB",
            (size * times) as f64 / total,
            took[took.len() / 2],
            peak >> 20
        );
    }
    assert_eq!(fixture.number("SELECT count() FROM m").await, from);
}
