//! Faults that tests order: slow, failing, lost and refused answers.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// What happens to a matching request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// Runs after `delay_ms`.
    Slow,
    /// Does not run and answers the exception `code`.
    Fail,
    /// Runs, then the connection is cut instead of an answer.
    LoseAnswer,
    /// Does not run, the connection is cut.
    Refuse,
}

/// A fault for the next `count` requests whose statement contains `match`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    #[serde(default, rename = "match")]
    pub(crate) pattern: String,
    #[serde(default = "once")]
    pub(crate) count: u32,
    #[serde(default)]
    pub(crate) delay_ms: u64,
    #[serde(default = "default_code")]
    pub(crate) code: u32,
}

fn once() -> u32 {
    1
}

/// `NETWORK_ERROR`: what a client should repeat.
fn default_code() -> u32 {
    210
}

/// The faults still to come, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.with(|faults| faults.push(fault));
    }

    pub(crate) fn clear(&self) {
        self.with(Vec::clear);
    }

    pub(crate) fn pending(&self) -> Vec<Fault> {
        self.with(|faults| faults.clone())
    }

    /// Uses up one occurrence of the oldest fault that matches `statement`.
    pub(crate) fn take(&self, statement: &[u8]) -> Option<Fault> {
        self.with(|faults| {
            faults.retain(|fault| fault.count > 0);
            let contains = |pattern: &str| {
                pattern.is_empty()
                    || statement.windows(pattern.len()).any(|part| part == pattern.as_bytes())
            };
            let fault = faults.iter_mut().find(|fault| contains(&fault.pattern))?;
            fault.count -= 1;
            let taken = fault.clone();
            faults.retain(|fault| fault.count > 0);
            Some(taken)
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<Fault>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_used_up_by_matching_statements_only() {
        let faults = Faults::default();
        let text = r#"{"kind":"lose_answer","match":"INTO t","count":2}"#;
        faults.add(serde_json::from_str(text).unwrap());
        assert!(faults.take(b"SELECT 1").is_none());
        assert_eq!(faults.take(b"INSERT INTO t x").unwrap().kind, FaultKind::LoseAnswer);
        assert_eq!(faults.pending().len(), 1);
        assert!(faults.take(b"INSERT INTO t x").is_some());
        assert!(faults.take(b"INSERT INTO t x").is_none());
        assert!(faults.pending().is_empty());
    }
}
