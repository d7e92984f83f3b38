//! The client side against the façade, with the faults that a real network has.

use std::time::Duration;

use bytes::Bytes;
use naap_engine::client::{InsertTimeouts, WriteError, insert, write_answer};

use crate::fixture::Fixture;

const TABLE: &str = "CREATE TABLE t (a UInt64, b String) ENGINE = ReplacingMergeTree ORDER BY a \
    SETTINGS non_replicated_deduplication_window = 100";

/// Rows `from..from + count` of table `t` with the header of names and types.
pub(crate) fn batch(from: u64, count: u64) -> Bytes {
    let mut rows = b"\x02\x01a\x01b\x06UInt64\x06String".to_vec();
    for a in from..from + count {
        rows.extend(a.to_le_bytes());
        rows.extend(b"\x0cabcdefghijkl");
    }
    rows.into()
}

async fn write(fixture: &Fixture, rows: Bytes, token: Option<&str>) -> Result<(), WriteError> {
    let timeouts = InsertTimeouts { end: Duration::from_secs(5), ..InsertTimeouts::default() };
    insert(&fixture.client(), "t", "a, b", token, vec![rows], timeouts).await
}

#[tokio::test]
async fn encoded_batches_are_stored_in_pieces_or_not_at_all() {
    let fixture = Fixture::start().await;
    fixture.execute(TABLE).await;
    write(&fixture, Bytes::new(), None).await.unwrap();
    // About 2 MB: several pieces.
    write(&fixture, batch(0, 100_000), None).await.unwrap();
    assert_eq!(fixture.number("SELECT count() FROM t FINAL").await, 100_000);
    let wrong = batch(0, 3);
    let error = write(&fixture, wrong.slice(..wrong.len() - 1), None).await.unwrap_err();
    assert!(matches!(error, WriteError::Rejected { code: Some(33), .. }), "{error:?}");
    let error =
        insert(&fixture.client(), "nope", "a", None, vec![batch(0, 1)], InsertTimeouts::default())
            .await;
    assert!(matches!(error, Err(WriteError::Rejected { code: Some(60), .. })), "{error:?}");
}

#[tokio::test]
async fn a_lost_answer_is_retryable_and_the_retry_changes_nothing() {
    let fixture = Fixture::start().await;
    fixture.execute(TABLE).await;
    fixture.fault(r#"{"kind":"lose_answer","match":"INTO t"}"#).await;
    let error = write(&fixture, batch(0, 10), Some("one")).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(fixture.number("SELECT count() FROM t").await, 10, "it was executed");
    write(&fixture, batch(0, 10), Some("one")).await.unwrap();
    assert_eq!(fixture.number("SELECT count() FROM t").await, 10, "and only once");
}

#[tokio::test]
async fn refused_failed_and_slow_inserts_are_retryable() {
    let fixture = Fixture::start().await;
    fixture.execute(TABLE).await;
    for fault in [
        r#"{"kind":"refuse","match":"INTO t"}"#,
        r#"{"kind":"fail","match":"INTO t","code":241}"#,
        r#"{"kind":"slow","match":"INTO t","delay_ms":60000}"#,
    ] {
        fixture.fault(fault).await;
        let timeouts = InsertTimeouts { end: Duration::from_millis(500), ..Default::default() };
        let error =
            insert(&fixture.client(), "t", "a, b", None, vec![batch(0, 10)], timeouts).await;
        assert!(error.unwrap_err().is_retryable(), "{fault}");
        assert_eq!(fixture.number("SELECT count() FROM t").await, 0, "{fault}");
    }
    fixture.fault(r#"{"kind":"fail","match":"INTO t","code":53,"count":2}"#).await;
    assert!(!write(&fixture, batch(0, 1), None).await.unwrap_err().is_retryable());
    assert!(!fixture.request("GET", "/faults", &[], b"").await.unwrap().text().eq("[]"));
    assert_eq!(fixture.request("DELETE", "/faults", &[], b"").await.unwrap().status, 204);
    write(&fixture, batch(0, 1), None).await.unwrap();
    assert_eq!(fixture.post("/faults", b"{\"kind\":\"odd\"}").await.status, 400);
}

#[tokio::test]
async fn faults_need_permission() {
    let fixture = Fixture::with(|options| options.allow_faults = false).await;
    assert_eq!(fixture.post("/faults", br#"{"kind":"refuse"}"#).await.status, 404);
}

#[tokio::test]
async fn answers_are_passed_on_in_any_format() {
    let fixture = Fixture::start().await;
    let mut output = Vec::new();
    let sql = "SELECT number, '?' AS q FROM numbers(3)";
    let written = write_answer(&fixture.client(), sql, "CSV", &mut output).await.unwrap();
    assert_eq!(output, b"0,\"?\"\n1,\"?\"\n2,\"?\"\n");
    assert_eq!(written, output.len() as u64);
    let own = format!("{sql} FORMAT JSONEachRow");
    output.clear();
    write_answer(&fixture.client(), &own, "CSV", &mut output).await.unwrap();
    assert!(output.starts_with(b"{\"number\":0,\"q\":\"?\"}\n"));
    let error = write_answer(&fixture.client(), "SELECT nope", "CSV", &mut output).await;
    assert!(error.unwrap_err().to_string().contains("UNKNOWN_IDENTIFIER"));
}
