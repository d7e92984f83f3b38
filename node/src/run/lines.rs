//! The lines of standard input.

use naap_actors::ingest::{Intake, RecordBatch, RecordEntry};
use naap_actors::ports::Clock;
use naap_protocol::state::SourcePartition;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::cli::{Failure, environment};
use crate::clock::SystemClock;
use crate::replay::{MAX_LINE, without_mark};

/// Hands every line of standard input to `intake` as a record of `source`, until the input ends.
pub(super) async fn lines(source: SourcePartition, intake: &Intake) -> Result<(), Failure> {
    let mut input = BufReader::with_capacity(1 << 20, tokio::io::stdin());
    let mut offset = 0;
    loop {
        let mut line = Vec::new();
        // Far above what is accepted: the gate reads a record before it says that it is too large.
        if !read_line(&mut input, &mut line, MAX_LINE).await.map_err(environment)? {
            return Ok(());
        }
        let start = if offset == 0 { line.len() - without_mark(&line).len() } else { 0 };
        let record_ts = Some(SystemClock.now());
        let record = RecordEntry { offset, record_ts, value: Some(start..line.len()) };
        offset += 1;
        let batch = RecordBatch {
            source: source.clone(),
            records: vec![record],
            next_offset: offset,
            data: line,
        };
        intake.send(batch).await.map_err(environment)?;
    }
}

/// Reads a line without its end into `line`, which is empty; `false` at the end of the input. Of a line of
/// more than `longest` bytes the first `longest + 1` are kept and the rest is passed over.
async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
    longest: usize,
) -> std::io::Result<bool> {
    let read = (&mut *input).take(longest as u64 + 1).read_until(b'\n', line).await?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > longest {
        pass_over(input).await?;
    }
    Ok(read > 0)
}

/// Reads on to the end of the line and keeps nothing of it.
async fn pass_over(input: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<()> {
    loop {
        let ahead = input.fill_buf().await?;
        let (end, len) = (ahead.iter().position(|&byte| byte == b'\n'), ahead.len());
        input.consume(end.map_or(len, |end| end + 1));
        if end.is_some() || len == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_a_line_that_is_far_too_long_the_beginning_is_kept_and_the_next_one_is_whole() {
        let long = "x".repeat(100_000);
        let text = format!("ok\n{long}\nlongest!\nlongest!!\n\nnext\n{long}");
        // Ends in the middle of lines.
        let mut input = BufReader::with_capacity(16, text.as_bytes());
        let mut lines = Vec::new();
        let mut line = Vec::new();
        while read_line(&mut input, &mut line, 8).await.unwrap() {
            lines.push(String::from_utf8(std::mem::take(&mut line)).unwrap());
        }
        let kept = "x".repeat(9);
        assert_eq!(lines, ["ok", &kept, "longest!", "longest!!", "", "next", &kept]);
    }
}
