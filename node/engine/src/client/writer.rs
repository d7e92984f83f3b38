//! Writes batches that are already encoded as RowBinary.

use std::time::Duration;

use bytes::Bytes;
use clickhouse::Client;
use clickhouse::error::Error;

use super::with_causes;
use crate::exception::exception_code;

/// Size of the pieces that are compressed and sent one by one.
const PIECE: usize = 1 << 20;

/// Why a batch was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The same batch can never be accepted: its data or the table is wrong.
    #[error("clickhouse rejects the batch: {message}")]
    Rejected {
        /// ClickHouse's exception code, if it was the one to answer.
        code: Option<u32>,
        /// What was wrong.
        message: String,
    },
    /// The same batch may be accepted later. It may also be stored already: repeat it with the same
    /// rows and the same token.
    #[error("clickhouse did not acknowledge the batch: {message}")]
    Unacknowledged {
        /// ClickHouse's exception code, if it was the one to answer.
        code: Option<u32>,
        /// What happened.
        message: String,
    },
}

impl WriteError {
    /// Whether repeating the same batch can help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unacknowledged { .. })
    }

    fn from_client(error: &Error) -> Self {
        let message = with_causes(error);
        let code = match error {
            Error::BadResponse(text) => exception_code(text),
            _ => None,
        };
        let wrong_call = matches!(error, Error::InvalidParams(_) | Error::Unsupported(_));
        if wrong_call || code.is_some_and(is_permanent) {
            Self::Rejected { code, message }
        } else {
            Self::Unacknowledged { code, message }
        }
    }
}

/// Whether an exception is about the batch, the table or the rights, and so comes again on a retry.
///
/// Everything else counts as passing: overload (202, 241, 252), timeouts (159, 209), the network
/// (210, 40), a disk or replica in trouble (242, 243, 285, 319), and what is not known yet.
fn is_permanent(code: u32) -> bool {
    matches!(
        code,
        // Data that can not be read, or too much of it.
        6 | 7 | 25
            ..=27 | 32 | 33 | 36 | 38 | 41 | 53 | 69 | 70 | 72 | 117 | 128 | 131 | 307 | 349
            | 441 | 467 | 469 | 691
            // Columns, tables, databases, functions, types and formats that do not exist.
            | 8 | 9 | 10 | 15 | 16 | 20 | 43 | 44 | 46 | 47 | 50 | 60 | 73 | 81
            // Statements that are wrong or not to be had.
            | 48 | 62 | 78 | 80 | 115
            // Rights.
            | 164 | 192 | 193 | 194 | 291 | 497 | 516
    )
}

/// How long an insert may take.
#[derive(Debug, Clone, Copy)]
pub struct InsertTimeouts {
    /// For each piece of about 1 MiB to be taken.
    pub send: Duration,
    /// For the acknowledgement, once everything was sent.
    pub end: Duration,
}

impl Default for InsertTimeouts {
    fn default() -> Self {
        Self { send: Duration::from_secs(10), end: Duration::from_mins(1) }
    }
}

/// Inserts one batch: `rows` is `header` (names and types) and rows as `RowBinaryWithNamesAndTypes`.
///
/// `table` and `columns` are trusted SQL. With `token` the server drops a repeated batch if the table
/// has a deduplication window. An empty batch is acknowledged at once. `Ok` means stored.
///
/// # Errors
/// [`WriteError`], which says whether to repeat the batch.
pub async fn insert(
    client: &Client,
    table: &str,
    columns: &str,
    token: Option<&str>,
    chunks: Vec<Bytes>,
    timeouts: InsertTimeouts,
) -> Result<(), WriteError> {
    let sql = format!("INSERT INTO {table} ({columns}) FORMAT RowBinaryWithNamesAndTypes");
    let mut insert = client
        .insert_formatted_with(sql)
        .with_timeouts(Some(timeouts.send), Some(timeouts.end))
        // Batches are large already; the server's queue would only blur what is acknowledged.
        .with_setting("async_insert", "0")
        // A batch may hold rows of many months.
        .with_setting("max_partitions_per_insert_block", "0");
    if let Some(token) = token {
        insert = insert.with_setting("insert_deduplication_token", token);
    }
    for mut chunk in chunks {
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(PIECE));
            insert.send(piece).await.map_err(|error| WriteError::from_client(&error))?;
        }
    }
    insert.end().await.map_err(|error| WriteError::from_client(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_classified_by_their_code() {
        let classify = |code: u32| {
            let text = format!("Code: {code}. DB::Exception: x. (NAME)");
            WriteError::from_client(&Error::BadResponse(text))
        };
        for code in [16, 33, 53, 60, 62, 81, 117, 164, 516] {
            assert!(!classify(code).is_retryable(), "{code}");
        }
        for code in [40, 159, 202, 209, 210, 241, 242, 243, 252, 285, 319, 999, 12345] {
            assert!(classify(code).is_retryable(), "{code}");
        }
        assert!(WriteError::from_client(&Error::TimedOut).is_retryable());
        assert!(
            WriteError::from_client(&Error::BadResponse("502 Bad Gateway".into())).is_retryable()
        );
        assert!(!WriteError::from_client(&Error::Unsupported("https".into())).is_retryable());
    }
}
