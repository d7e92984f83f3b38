//! The protocol: what the official client needs, and what a server must refuse.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::fixture::Fixture;

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct Event {
    id: u64,
    at: i64,
    gateway: String,
    fps: f64,
    latency: Option<f64>,
    version: u64,
}

const EVENTS: &str = "CREATE TABLE events (id UInt64, at DateTime64(3), \
    gateway LowCardinality(String), fps Float64, latency Nullable(Float64), version UInt64) \
    ENGINE = ReplacingMergeTree(version) ORDER BY id \
    SETTINGS non_replicated_deduplication_window = 100";

fn event(id: u64, version: u64) -> Event {
    let latency = id.is_multiple_of(2).then_some(0.5);
    Event {
        id,
        at: 1_700_000_000_123,
        gateway: format!("g{}", id % 7),
        fps: 24.0,
        latency,
        version,
    }
}

#[tokio::test]
async fn ddl_and_typed_inserts_with_lz4_and_validation() {
    let fixture = Fixture::start().await;
    let version: String = fixture.client().query("SELECT version()").fetch_one().await.unwrap();
    assert!(version.starts_with("26.7."), "{version}");
    fixture.execute("CREATE DATABASE app").await;
    let client = fixture.client().with_database("app");
    client.query(EVENTS).execute().await.unwrap();
    let view = "CREATE MATERIALIZED VIEW per_gateway ENGINE = AggregatingMergeTree ORDER BY gateway \
        AS SELECT gateway, countState() AS n, sumState(fps) AS fps FROM events GROUP BY gateway";
    client.query(view).execute().await.unwrap();

    for version in [1, 2] {
        let mut insert = client.insert::<Event>("events").await.unwrap();
        for id in 0..1000 {
            insert.write(&event(id, version)).await.unwrap();
        }
        insert.end().await.unwrap();
    }

    let latest: Vec<Event> =
        client.query("SELECT * FROM events FINAL ORDER BY id").fetch_all().await.unwrap();
    assert_eq!(latest, (0..1000).map(|id| event(id, 2)).collect::<Vec<_>>());
    let merged = fixture.number("SELECT countMerge(n) FROM app.per_gateway").await;
    assert_eq!(merged, 2000);
    let best: u64 = client
        .query("SELECT argMax(id, version * 10000 + id) FROM events FINAL WHERE gateway = ?")
        .bind("g3")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(best, 997);
}

#[tokio::test]
async fn parameters_arrive_unharmed_by_form_and_by_url() {
    let fixture = Fixture::start().await;
    let client = fixture.client();
    for text in ["plain", "it's", "tab\there", "line\nbreak", "back\\slash", "", "ü €", "'); DROP"]
    {
        let (got, number): (String, u32) = client
            .query("SELECT {text:String}, toUInt32({number:UInt32} + 1)")
            .param("text", text)
            .param("number", 41)
            .fetch_one()
            .await
            .unwrap();
        assert_eq!((got.as_str(), number), (text, 42));
    }
    let answer = fixture.post("/?param_a=7&query=SELECT%20%7Ba:UInt8%7D", b"").await;
    assert_eq!(answer.text(), "7\n");
}

#[tokio::test]
async fn requests_do_not_leak_into_each_other() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE DATABASE other").await;
    let answer = fixture.post("/?database=other&max_threads=1", b"SELECT currentDatabase()").await;
    assert_eq!(answer.text(), "other\n");
    fixture.post("/", b"SET max_block_size = 17").await;
    let sql = b"SELECT currentDatabase(), getSetting('max_block_size') = 17";
    assert_eq!(fixture.post("/", sql).await.text(), "default\t0\n");
    assert_eq!(fixture.post("/?no_such_setting=1", b"SELECT 1").await.code(), 115);
}

#[tokio::test]
async fn errors_are_clickhouse_exceptions() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a").await;
    for (sql, status, code) in [
        ("SELECT * FROM nope", 404, 60),
        ("INSERT INTO nope FORMAT RowBinary", 404, 60),
        ("SELEC 1", 400, 62),
        ("", 400, 62),
        ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT no_such_column FROM t", 404, 47),
        ("SELECT 1 INTO OUTFILE '/tmp/never'", 500, 498),
        ("USE nowhere", 404, 81),
    ] {
        let answer = fixture.post("/?default_format=RowBinary", sql.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{sql}: {}", answer.text());
    }
    let error = fixture.client().query("SELECT * FROM nope").execute().await.unwrap_err();
    assert!(error.to_string().contains("UNKNOWN_TABLE"), "{error}");
}

#[tokio::test]
async fn a_bad_batch_stores_nothing_and_the_next_one_works() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a").await;
    let insert = "/?query=INSERT%20INTO%20t(a,b)%20FORMAT%20RowBinary";
    let row = [1, 0, 0, 0, 0, 0, 0, 0, 1, b'x'];
    let cut = [&row[..], &row[..5]].concat();
    let answer = fixture.post(insert, &cut).await;
    assert_eq!((answer.status, answer.code()), (400, 33));
    assert_eq!(fixture.number("SELECT count() FROM t").await, 0);
    let answer = fixture.post(insert, &row).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let summary = answer.header("x-clickhouse-summary").unwrap();
    assert!(summary.contains(r#""written_rows":"1""#), "{summary}");
    assert_eq!(fixture.post(insert, b"").await.status, 200);
    assert_eq!(fixture.number("SELECT count() FROM t").await, 1);
}

#[tokio::test]
async fn compressed_bodies_are_checked() {
    let fixture = Fixture::with(|options| options.max_body_bytes = 100_000).await;
    fixture.execute("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a").await;
    let insert = "/?decompress=1&query=INSERT%20INTO%20t(a,b)%20FORMAT%20RowBinary";
    let rows = [1, 0, 0, 0, 0, 0, 0, 0, 1, b'x'].repeat(50);
    let block = block(&rows);
    assert_eq!(fixture.post(insert, &block).await.status, 200);

    let mut damaged = block.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(fixture.post(insert, &damaged).await.code(), 40);
    assert_eq!(fixture.post(insert, &block[..block.len() - 1]).await.code(), 271);
    assert_eq!(fixture.post(insert, &rows).await.status, 400);
    // 40 bytes that claim 4 GiB: refused by the claim, before anything is allocated.
    let mut bomb = block[..40].to_vec();
    bomb[21..25].copy_from_slice(&u32::MAX.to_le_bytes());
    let answer = fixture.post(insert, &bomb).await;
    assert_eq!((answer.status, answer.code()), (413, 307));
    // Small on the wire, too large when decompressed.
    let answer = fixture.post(insert, &self::block(&vec![0; 100_001])).await;
    assert_eq!(answer.code(), 307);
    // Too large on the wire.
    let plain = "/?query=INSERT%20INTO%20t(a,b)%20FORMAT%20RowBinary";
    assert_eq!(fixture.post(plain, &vec![0; 100_001]).await.code(), 307);
    assert_eq!(fixture.number("SELECT count() FROM t").await, 50);
}

/// One native LZ4 block, written independently of the code under test except for the hash.
fn block(plain: &[u8]) -> Vec<u8> {
    let data = lz4_flex::block::compress(plain);
    let mut block = vec![0x82];
    block.extend(u32::try_from(data.len() + 9).unwrap().to_le_bytes());
    block.extend(u32::try_from(plain.len()).unwrap().to_le_bytes());
    block.extend(data);
    let hash = cityhash_rs::cityhash_102_128(&block);
    let halves = [(hash >> 64) as u64, hash as u64];
    [halves[0].to_le_bytes().to_vec(), halves[1].to_le_bytes().to_vec(), block].concat()
}

#[tokio::test]
async fn answers_say_what_they_are_and_can_be_compressed() {
    let fixture = Fixture::start().await;
    let target = "/?default_format=JSONEachRow&query_id=q-1";
    let answer = fixture.post(target, b"SELECT number AS n FROM numbers(2)").await;
    assert_eq!(answer.text(), "{\"n\":0}\n{\"n\":1}\n");
    assert_eq!(answer.header("x-clickhouse-format"), Some("JSONEachRow"));
    assert_eq!(answer.header("x-clickhouse-query-id"), Some("q-1"));
    let answer = fixture.post("/?compress=1", b"SELECT 'abcabcabc' FORMAT RowBinary").await;
    assert_eq!(answer.body, block(b"\x09abcabcabc"));
    assert_eq!(fixture.request("GET", "/ping", &[], b"").await.unwrap().text(), "Ok.\n");
    let names = fixture.post("/", b"SELECT 1 AS a FORMAT RowBinaryWithNamesAndTypes").await;
    assert_eq!(names.body, b"\x01\x01a\x05UInt8\x01");
}

#[tokio::test]
async fn readers_read_within_limits() {
    let fixture = Fixture::with(|options| {
        options.password = "owner".into();
        options.reader = Some("viewer".into());
        options.reader_password = "secret".into();
    })
    .await;
    let run = async |user: &str, key: &str, method: &str, sql: &str| {
        let headers = [("X-ClickHouse-User", user), ("X-ClickHouse-Key", key)];
        let target = if method == "GET" { "/?query=".to_owned() + sql } else { "/".to_owned() };
        let body = if method == "GET" { "" } else { sql };
        fixture.request(method, &target, &headers, body.as_bytes()).await.unwrap()
    };
    let create = "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a";
    assert_eq!(run("default", "owner", "POST", create).await.status, 200);
    assert_eq!(run("default", "wrong", "POST", "SELECT 1").await.status, 403);
    assert_eq!(run("default", "owner", "GET", "DROP%20TABLE%20t").await.code(), 164);
    for sql in
        ["SELECT count() FROM t", "SHOW TABLES", "DESCRIBE t", "EXISTS t", "EXPLAIN SELECT 1"]
    {
        let answer = run("viewer", "secret", "POST", sql).await;
        assert_eq!(answer.status, 200, "{sql}: {}", answer.text());
    }
    for sql in [
        "INSERT INTO t VALUES (1)",
        "DROP TABLE t",
        "KILL QUERY WHERE 1",
        "SET readonly = 0",
        "SELECT 1 SETTINGS max_memory_usage = 0",
        "SELECT file('/etc/passwd')",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "WITH 1 AS a INSERT INTO t SELECT a",
    ] {
        let answer = run("viewer", "secret", "POST", sql).await;
        assert_eq!(answer.code(), 164, "{sql}: {}", answer.text());
    }
    let heavy = "SELECT groupArray(toString(number)) FROM numbers(100000000)";
    assert_eq!(run("viewer", "secret", "POST", heavy).await.code(), 241);
    assert_eq!(run("viewer", "secret", "GET", "SELECT%201").await.text(), "1\n");
    let log = "/query_log";
    let reader = [("X-ClickHouse-User", "viewer"), ("X-ClickHouse-Key", "secret")];
    assert_eq!(fixture.request("GET", log, &reader, b"").await.unwrap().code(), 497);
}

#[tokio::test]
async fn the_query_log_knows_trace_table_and_rows() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a").await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = b"INSERT INTO t FORMAT JSONEachRow {\"a\":1}{\"a\":2}";
    fixture.request("POST", "/?query_id=mine", &[("traceparent", trace)], body).await.unwrap();
    let log = fixture.request("GET", "/query_log", &[], b"").await.unwrap().text();
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(last["query_id"], "mine");
    assert_eq!(last["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((&last["table"], &last["written_rows"]), (&"t".into(), &2.into()));
}

#[tokio::test]
async fn reads_go_on_while_inserting() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a").await;
    let writes = async {
        for _ in 0..20 {
            fixture.execute("INSERT INTO t SELECT number, 'x' FROM numbers(10000)").await;
        }
    };
    let reads = async {
        let mut last = 0;
        for _ in 0..20 {
            let count = fixture.number("SELECT count() FROM t").await;
            assert!(count >= last && count.is_multiple_of(10_000), "{count} after {last}");
            last = count;
        }
    };
    tokio::join!(writes, reads);
    assert_eq!(fixture.number("SELECT count() FROM t").await, 200_000);
}

#[tokio::test]
async fn an_answer_larger_than_its_share_of_memory_is_refused() {
    let fixture = Fixture::with(|options| options.max_memory_bytes = 600 << 20).await;
    let sql = "SELECT number FROM numbers(100000000)";
    assert_eq!(fixture.post("/", sql.as_bytes()).await.code(), 396);
    assert_eq!(fixture.number("SELECT 1").await, 1);
    assert!(fixture.engine.rss_bytes().unwrap() < 900 << 20);
}
