//! Runs any statement and passes the answer on as it comes.

use clickhouse::Client;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::with_causes;

/// Why an answer did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The statement failed or the server could not be reached.
    #[error("clickhouse query failed: {}", with_causes(.0))]
    ClickHouse(#[from] clickhouse::error::Error),
    /// The output could not be written.
    #[error("answer of clickhouse can not be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Runs `sql` and writes its answer in `format`, unless the statement names one itself.
///
/// The statement is sent as it is: a `?` in it has no meaning. Returns the bytes written.
///
/// # Errors
/// [`QueryError`]; part of the answer may have been written by then.
pub async fn write_answer(
    client: &Client,
    sql: &str,
    format: &str,
    output: &mut (impl AsyncWrite + Unpin),
) -> Result<u64, QueryError> {
    let mut answer = client.query_raw(sql).fetch_bytes(format)?;
    let mut written = 0;
    while let Some(chunk) = answer.next().await? {
        output.write_all(&chunk).await?;
        written += chunk.len() as u64;
    }
    output.flush().await?;
    Ok(written)
}
