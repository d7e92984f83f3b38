//! From the parameters of an HTTP request to a call of the engine, with the rules of access.

use bytes::Bytes;

use crate::engine::{Action, Call};
use crate::exception::Exception;
use crate::sql::{self, Kind, Statement};

/// A user and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user name.
    pub user: String,
    /// The password; may be empty.
    pub password: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Full,
    /// Only reads, by the request's own wish.
    ReadOnly,
    /// Only reads, inside the limits for readers.
    Reader,
}

/// Limits that do not depend on the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_result_bytes: u64,
    pub(crate) reader_memory: u64,
    pub(crate) reader_seconds: u64,
}

/// The parameters of a request, sorted by what they are for.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) query: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) default_format: Option<String>,
    pub(crate) query_id: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) decompress: bool,
    pub(crate) compress: bool,
    pub(crate) readonly: bool,
    params: Vec<(String, String)>,
    settings: Vec<(String, String)>,
}

impl Envelope {
    /// Sorts in one parameter of the URL or field of the form.
    pub(crate) fn put(&mut self, name: String, value: String) {
        match name.as_str() {
            "query" => self.query.get_or_insert_default().push_str(&value),
            "database" => self.database = Some(value).filter(|name| !name.is_empty()),
            "default_format" => self.default_format = Some(value),
            "query_id" => self.query_id = Some(value).filter(|id| !id.is_empty()),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "decompress" => self.decompress = value == "1",
            "compress" => self.compress = value == "1",
            "readonly" => self.readonly = value != "0",
            // Parts of the protocol that have no meaning here: no sessions, no roles, no streaming.
            "session_id"
            | "session_timeout"
            | "session_check"
            | "quota_key"
            | "role"
            | "wait_end_of_query"
            | "buffer_size"
            | "stacktrace"
            | "enable_http_compression"
            | "client_protocol_version" => {}
            other => match other.strip_prefix("param_") {
                Some(param) => self.params.push((param.to_owned(), value)),
                None => self.settings.push((name, value)),
            },
        }
    }
}

/// A call together with what the answer and the log say about it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) call: Call,
    pub(crate) format: String,
    pub(crate) table: String,
}

/// Joins the URL's statement and the body, checks access and builds the call.
pub(crate) fn prepare(
    envelope: Envelope,
    body: Bytes,
    access: Access,
    limits: Limits,
) -> Result<Prepared, Exception> {
    let (head, tail) = match envelope.query {
        Some(query) => (Bytes::from(query), body),
        None => (body, Bytes::new()),
    };
    let statement = sql::read(&head);
    check(&statement, access)?;
    let format = statement.format.clone().or(envelope.default_format);
    let format = format.unwrap_or_else(|| "TabSeparated".to_owned());
    let action = match statement.kind {
        Kind::Insert { head: range, format, data } => Action::Insert {
            head: utf8(&head[range])?,
            format,
            data: vec![head.slice(data..), tail],
        },
        _ => Action::Query { sql: utf8(&[&head[..], &tail[..]].concat())?, format: format.clone() },
    };
    let settings = with_limits(envelope.settings, access, limits);
    let call = Call { database: envelope.database, settings, params: envelope.params, action };
    Ok(Prepared { call, format, table: statement.table.unwrap_or_default() })
}

fn utf8(bytes: &[u8]) -> Result<String, Exception> {
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        Exception::new(62, "SYNTAX_ERROR", "the statement is not UTF-8, is decompress=1 missing?")
    })
}

fn check(statement: &Statement, access: Access) -> Result<(), Exception> {
    if statement.kind == Kind::Empty {
        return Err(Exception::new(62, "SYNTAX_ERROR", "the statement is empty"));
    }
    if statement.several {
        let message = "several statements in one request are not allowed, send them one by one";
        return Err(Exception::new(62, "SYNTAX_ERROR", message));
    }
    if statement.client_files {
        let message = "INTO OUTFILE and FROM INFILE belong to the command line client";
        return Err(Exception::new(498, "INTO_OUTFILE_NOT_ALLOWED", message));
    }
    if access == Access::Full {
        return Ok(());
    }
    if statement.kind != Kind::Read {
        let message =
            "only SELECT, SHOW, DESCRIBE, EXPLAIN and EXISTS are allowed in read-only mode";
        return Err(Exception::new(164, "READONLY", message));
    }
    // The engine's read-only mode stops the table functions but not these scalar ones.
    if statement.reads_files {
        let message = "functions that read files are not allowed in read-only mode";
        return Err(Exception::new(164, "READONLY", message));
    }
    Ok(())
}

/// The settings to set, in order: defaults, the request's own, and what it can not change.
///
/// `readonly=1` comes last. It is stricter than 2: a SETTINGS clause can not lift the limits, and
/// table functions that open files or connections are refused.
fn with_limits(
    requested: Vec<(String, String)>,
    access: Access,
    limits: Limits,
) -> Vec<(String, String)> {
    let setting = |name: &str, value: u64| (name.to_owned(), value.to_string());
    let fixed = match access {
        Access::Full => vec![],
        Access::ReadOnly => vec![("readonly", 1)],
        Access::Reader => vec![
            ("max_result_bytes", limits.max_result_bytes),
            ("max_memory_usage", limits.reader_memory),
            ("max_execution_time", limits.reader_seconds),
            ("readonly", 1),
        ],
    };
    let mut settings = vec![setting("max_result_bytes", limits.max_result_bytes)];
    settings.extend(requested);
    for (name, limit) in fixed {
        let lower = settings.iter().rev().find(|(key, _)| key == name);
        let lower = lower.and_then(|(_, value)| value.parse().ok()).filter(|value| *value > 0);
        settings.retain(|(key, _)| key != name);
        settings.push(setting(name, lower.map_or(limit, |value: u64| value.min(limit))));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_result_bytes: 100, reader_memory: 50, reader_seconds: 30 };

    fn envelope(pairs: &[(&str, &str)]) -> Envelope {
        let mut envelope = Envelope::default();
        for (name, value) in pairs {
            envelope.put((*name).to_owned(), (*value).to_owned());
        }
        envelope
    }

    #[test]
    fn the_body_is_data_or_statement() {
        let url = envelope(&[("query", "INSERT INTO a.t(x) FORMAT RowBinary"), ("param_p", "1")]);
        let got = prepare(url, Bytes::from_static(b"\xff\x00"), Access::Full, LIMITS).unwrap();
        assert_eq!(got.table, "a.t");
        assert_eq!(got.call.params, [("p".to_owned(), "1".to_owned())]);
        match got.call.action {
            Action::Insert { head, format, data } => {
                assert_eq!((head.as_str(), format.as_str()), ("INSERT INTO a.t(x) ", "RowBinary"));
                assert_eq!(data.concat(), b"\xff\x00");
            }
            Action::Query { .. } => panic!("an insert"),
        }
        let body = Bytes::from_static(b"SELECT 1");
        let got = prepare(envelope(&[("default_format", "JSON")]), body, Access::Full, LIMITS);
        assert_eq!(got.unwrap().format, "JSON");
    }

    #[test]
    fn readers_only_read() {
        let run = |sql: &str, access| {
            let body = Bytes::from(sql.to_owned());
            prepare(Envelope::default(), body, access, LIMITS).map(|_| ()).map_err(|e| e.code)
        };
        for sql in ["INSERT INTO t VALUES (1)", "DROP TABLE t", "KILL QUERY WHERE 1", "SET a=1"] {
            assert_eq!(run(sql, Access::Reader), Err(164), "{sql}");
            assert_eq!(run(sql, Access::Full), Ok(()), "{sql}");
        }
        assert_eq!(run("SELECT file('/etc/passwd')", Access::ReadOnly), Err(164));
        assert_eq!(run("SELECT 1; DROP TABLE t", Access::Reader), Err(62));
        assert_eq!(run("SELECT 1 INTO OUTFILE 'x'", Access::Full), Err(498));
        assert_eq!(run("SELECT 1", Access::Reader), Ok(()));
        assert_eq!(run("  ", Access::Full), Err(62));
    }

    #[test]
    fn a_reader_can_lower_its_limits_but_not_raise_them() {
        let ask = vec![
            ("max_execution_time".to_owned(), "5".to_owned()),
            ("max_memory_usage".to_owned(), "0".to_owned()),
            ("max_result_bytes".to_owned(), "1000".to_owned()),
            ("max_threads".to_owned(), "2".to_owned()),
        ];
        let got = with_limits(ask, Access::Reader, LIMITS);
        let got: Vec<_> = got.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            got,
            [
                ("max_threads", "2"),
                ("max_result_bytes", "100"),
                ("max_memory_usage", "50"),
                ("max_execution_time", "5"),
                ("readonly", "1"),
            ]
        );
    }
}
