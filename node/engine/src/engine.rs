//! The engine of this process: one data folder, one session per request.
//!
//! Opening a session costs 0.1 ms, so none is ever reused: settings, parameters and the current
//! database of one request can not leak into the next.

use std::ffi::CString;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::exception::Exception;
use crate::ffi::{Connection, Library, Param, QueryResult};
use crate::{EngineError, EngineOptions};

/// A running engine.
pub(crate) struct Engine {
    library: &'static Library,
    args: Vec<CString>,
    /// Keeps the engine open between requests: closing the last session would shut it down.
    anchor: Mutex<Option<Connection>>,
}

/// One statement, ready for the engine.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) database: Option<String>,
    /// Settings in the order in which they are set.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) params: Vec<Param>,
    pub(crate) action: Action,
}

/// What to run.
#[derive(Debug)]
pub(crate) enum Action {
    Query { sql: String, format: String },
    Insert { head: String, format: String, data: Vec<bytes::Bytes> },
}

impl Engine {
    /// Starts the engine on the data folder of `options`, bounded to their memory.
    pub(crate) fn open(
        library: &'static Library,
        options: &EngineOptions,
    ) -> Result<Self, EngineError> {
        let EngineOptions { data_dir, config_file, max_memory_bytes, .. } = options;
        let refused = || EngineError::Refused { path: data_dir.clone() };
        let mut args = vec![
            "naap-engine".to_owned(),
            argument("path", data_dir)?,
            format!("--max_server_memory_usage={max_memory_bytes}"),
            format!("--max_memory_usage={}", max_memory_bytes / 4 * 3),
            format!("--mark_cache_size={}", max_memory_bytes / 16),
        ];
        if let Some(file) = config_file {
            args.push(argument("config-file", file)?);
        }
        let args: Vec<CString> =
            args.into_iter().map(CString::new).collect::<Result<_, _>>().map_err(|_| refused())?;
        let anchor = Connection::open(library, &args).ok_or_else(refused)?;
        Ok(Self { library, args, anchor: Mutex::new(Some(anchor)) })
    }

    /// Runs a call in its own session. Blocks until the whole answer is there.
    pub(crate) fn run(&self, call: &Call) -> Result<QueryResult, Exception> {
        let mut session = Connection::open(self.library, &self.args)
            .ok_or_else(|| Exception::new(202, "TOO_MANY_SIMULTANEOUS_QUERIES", "no session"))?;
        let mut execute = |sql: &str| session.query(sql, "Null", &[]);
        if let Some(database) = &call.database {
            execute(&format!("USE {}", quote(database, '`'))).map_err(Exception::from_engine)?;
        }
        if let Some(sql) = set_statement(&call.settings)? {
            execute(&sql).map_err(Exception::from_engine)?;
        }
        match &call.action {
            Action::Query { sql, format } => session.query(sql, format, &call.params),
            Action::Insert { head, format, data } => {
                let chunks: Vec<&[u8]> = data.iter().map(AsRef::as_ref).collect();
                session.insert(head, format, &call.params, &chunks)
            }
        }
        .map_err(Exception::from_engine)
    }

    /// Asks every running statement to stop.
    pub(crate) fn cancel_all(&self) {
        let mut session = Connection::open(self.library, &self.args);
        let killed =
            session.as_mut().map(|session| session.query("KILL QUERY WHERE 1", "Null", &[]));
        if let Some(Err(error)) = killed {
            tracing::warn!(error, "running statements could not be cancelled");
        }
    }

    /// Closes the engine. No call may be running.
    pub(crate) fn close(&self) {
        drop(self.anchor.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

fn argument(flag: &str, path: &Path) -> Result<String, EngineError> {
    let text = path.to_str().ok_or_else(|| EngineError::NotUtf8 { path: path.to_owned() })?;
    Ok(format!("--{flag}={text}"))
}

/// `SET a = 'x', b = 'y'`; a setting named twice takes the later value.
fn set_statement(settings: &[(String, String)]) -> Result<Option<String>, Exception> {
    let mut sql = String::from("SET ");
    for (index, (name, value)) in settings.iter().enumerate() {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b))
        {
            let message = format!("unknown setting '{name}'");
            return Err(Exception::new(115, "UNKNOWN_SETTING", message));
        }
        let separator = if index == 0 { "" } else { ", " };
        // Writing to a string can not fail.
        let _ = write!(sql, "{separator}{name} = {}", quote(value, '\''));
    }
    Ok((!settings.is_empty()).then_some(sql))
}

/// Quotes an identifier or a text for the engine.
fn quote(text: &str, mark: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(mark);
    for c in text.chars() {
        if c == mark || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push(mark);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_no_text_is_named() {
        use std::os::unix::ffi::OsStrExt as _;

        let odd = Path::new(std::ffi::OsStr::from_bytes(b"/tmp/\xff"));
        let text = argument("path", odd).unwrap_err().to_string();
        assert!(text.starts_with("the path /tmp/") && text.contains("is not UTF-8"), "{text}");
        assert_eq!(argument("path", Path::new("/tmp/a")).unwrap(), "--path=/tmp/a");
    }

    #[test]
    fn settings_can_not_break_out_of_their_statement() {
        let settings =
            [("a".to_owned(), "1".to_owned()), ("b_2".to_owned(), "x' \\, c='".to_owned())];
        assert_eq!(
            set_statement(&settings).unwrap().unwrap(),
            r"SET a = '1', b_2 = 'x\' \\, c=\''"
        );
        assert_eq!(set_statement(&[]).unwrap(), None);
        assert_eq!(set_statement(&[("a=1, b".into(), String::new())]).unwrap_err().code, 115);
    }
}
