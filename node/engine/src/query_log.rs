//! The façade's own query log. The embedded engine has no `system.query_log`.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// Entries kept; older ones are forgotten.
const CAPACITY: usize = 1000;

/// One finished request.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) query_id: String,
    /// From the request's `traceparent`, '' without one.
    pub(crate) trace_id: String,
    pub(crate) user: String,
    /// First table named, '' if none.
    pub(crate) table: String,
    pub(crate) read_rows: u64,
    pub(crate) written_rows: u64,
    pub(crate) result_rows: u64,
    pub(crate) ms: u64,
    /// Exception code, 0 for success.
    pub(crate) code: u32,
}

#[derive(Debug, Default)]
pub(crate) struct QueryLog(Mutex<VecDeque<Entry>>);

impl QueryLog {
    pub(crate) fn add(&self, entry: Entry) {
        tracing::debug!(
            query_id = %entry.query_id, trace_id = %entry.trace_id, user = %entry.user,
            table = %entry.table, read_rows = entry.read_rows, written_rows = entry.written_rows,
            ms = entry.ms, code = entry.code, "query"
        );
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// All entries, oldest first, one JSON object a line.
    pub(crate) fn to_json_lines(&self) -> String {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = entries.iter().filter_map(|entry| serde_json::to_string(entry).ok());
        lines.flat_map(|line| [line, "\n".to_owned()]).collect()
    }
}

/// The trace id of a W3C `traceparent` (`00-<32 hex>-<16 hex>-<2 hex>`), '' if it is none.
pub(crate) fn trace_id(traceparent: &str) -> String {
    let id = traceparent.split('-').nth(1).unwrap_or_default();
    let valid = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if valid { id.to_ascii_lowercase() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_traceparent_gives_a_trace_id() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace_id(header), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace_id("00-xyz-1-1"), "");
        assert_eq!(trace_id(""), "");
    }
}
