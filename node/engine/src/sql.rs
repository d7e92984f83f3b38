//! Just enough reading of SQL for the façade: what kind of statement it is, where an INSERT's data
//! begins, which format and table it names, and what a server must refuse. The engine parses the
//! rest.

use std::ops::Range;

/// What the façade has to know about one statement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) kind: Kind,
    /// The table named first (after FROM, INTO, TABLE ...), for the query log.
    pub(crate) table: Option<String>,
    /// The name after the last FORMAT.
    pub(crate) format: Option<String>,
    /// Something follows the first `;`.
    pub(crate) several: bool,
    /// INTO OUTFILE or FROM INFILE: clauses of the command line client.
    pub(crate) client_files: bool,
    /// Calls a function that reads server files even in read-only mode.
    pub(crate) reads_files: bool,
}

/// The kinds of statement that are treated differently.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Empty,
    /// SELECT, WITH, SHOW, DESCRIBE, EXPLAIN or EXISTS.
    Read,
    /// INSERT with data in a format; `head` goes to the engine, `data` starts the data.
    Insert {
        head: Range<usize>,
        format: String,
        data: usize,
    },
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A bare word or number.
    Word(&'a str),
    /// A quoted identifier, without its quotes.
    Quoted(&'a str),
    Text,
    Symbol(u8),
}

impl<'a> Token<'a> {
    fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn name(&self) -> Option<&'a str> {
        match self {
            Self::Word(name) | Self::Quoted(name) => Some(name),
            Self::Text | Self::Symbol(_) => None,
        }
    }
}

/// Reads `sql`, which may end in the binary data of an INSERT.
pub(crate) fn read(sql: &[u8]) -> Statement {
    let mut reader = Reader { tokens: Tokens { sql, at: 0 }.peekable(), depth: 0 };
    let first = reader.tokens.peek().map(|(token, _)| *token);
    let mut statement = Statement {
        kind: first.map_or(Kind::Empty, kind_of),
        table: None,
        format: None,
        several: false,
        client_files: false,
        reads_files: false,
    };
    let insert = first.is_some_and(|token| token.is("INSERT"));
    let mut ended = false;
    while let Some((token, range)) = reader.next() {
        statement.several |= ended;
        ended |= token == Token::Symbol(b';') && reader.depth == 0;
        reader.note(token, &mut statement);
        if !insert || reader.depth > 0 || statement.several {
            continue;
        }
        if token.is("SELECT") || token.is("WITH") {
            return Statement { kind: Kind::Other, ..rest_of(reader, statement, ended) };
        }
        if let Some((format, data)) = reader.data_start(sql, token, range.end) {
            statement.format = Some(format.clone());
            statement.kind = Kind::Insert { head: 0..range.start, format, data };
            return statement;
        }
    }
    statement
}

/// Notes what is left of an `INSERT ... SELECT`.
fn rest_of(mut reader: Reader<'_>, mut statement: Statement, mut ended: bool) -> Statement {
    while let Some((token, _)) = reader.next() {
        statement.several |= ended;
        ended |= token == Token::Symbol(b';');
        reader.note(token, &mut statement);
    }
    statement
}

fn kind_of(first: Token<'_>) -> Kind {
    let reads = ["SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"];
    if first == Token::Symbol(b'(') || reads.iter().any(|word| first.is(word)) {
        Kind::Read
    } else {
        Kind::Other
    }
}

struct Reader<'a> {
    tokens: std::iter::Peekable<Tokens<'a>>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(Token<'a>, Range<usize>)> {
        let (token, range) = self.tokens.next()?;
        match token {
            Token::Symbol(b'(') => self.depth += 1,
            Token::Symbol(b')') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Some((token, range))
    }

    fn peek(&mut self) -> Option<Token<'a>> {
        self.tokens.peek().map(|(token, _)| *token)
    }

    /// Notes the facts that the pair of `token` and the one after it shows.
    fn note(&mut self, token: Token<'a>, statement: &mut Statement) {
        let Some(next) = self.peek() else { return };
        let calls = |name: &str| {
            next == Token::Symbol(b'(')
                && token.name().is_some_and(|word| word.eq_ignore_ascii_case(name))
        };
        statement.reads_files |= calls("file") || calls("catboostEvaluate");
        statement.client_files |=
            (token.is("INTO") && next.is("OUTFILE")) || (token.is("FROM") && next.is("INFILE"));
        if token.is("FORMAT") && self.depth == 0 {
            statement.format = next.name().map(str::to_owned);
        }
        let before_table = ["FROM", "INTO", "TABLE", "DESCRIBE", "DESC", "VIEW", "EXISTS"];
        if statement.table.is_none() && before_table.iter().any(|word| token.is(word)) {
            let noise = ["TABLE", "IF", "NOT", "EXISTS", "FUNCTION", "SELECT", "VIEW", "FROM"];
            if !noise.iter().any(|word| next.is(word)) {
                statement.table = self.qualified_name();
            }
        }
    }

    /// `a` or `a.b`, read ahead without moving the reader.
    fn qualified_name(&mut self) -> Option<String> {
        let mut ahead = self.tokens.clone();
        let first = ahead.next()?.0.name()?;
        match (ahead.next().map(|(token, _)| token), ahead.next().and_then(|(t, _)| t.name())) {
            (Some(Token::Symbol(b'.')), Some(second)) => Some(format!("{first}.{second}")),
            _ => Some(first.to_owned()),
        }
    }

    /// If an INSERT's data begins after `token`: its format and the position of the data.
    fn data_start(&mut self, sql: &[u8], token: Token<'a>, end: usize) -> Option<(String, usize)> {
        if token.is("VALUES") {
            return Some(("Values".to_owned(), end));
        }
        if !token.is("FORMAT") {
            return None;
        }
        let (name, range) = self.tokens.peek()?;
        let name = name.name()?.to_owned();
        Some((name, skip_separator(sql, range.end)))
    }
}

/// Blanks up to and with one line break stand between the format's name and the data.
fn skip_separator(sql: &[u8], mut at: usize) -> usize {
    while let Some(byte) = sql.get(at) {
        match byte {
            b'\n' => return at + 1,
            b' ' | b'\t' | b'\r' | b';' => at += 1,
            _ => break,
        }
    }
    at
}

/// The lexer. Bytes that are no UTF-8 (data) come out as symbols.
#[derive(Clone)]
struct Tokens<'a> {
    sql: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (Token<'a>, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let byte = *self.sql.get(start)?;
        let token = match byte {
            b'\'' => {
                self.quoted(b'\'');
                Token::Text
            }
            b'`' | b'"' => Token::Quoted(self.quoted(byte)),
            b'$' if self.here_document() => Token::Text,
            b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => Token::Word(self.word()),
            _ => {
                self.at += 1;
                Token::Symbol(byte)
            }
        };
        Some((token, start..self.at))
    }
}

impl<'a> Tokens<'a> {
    fn rest(&self) -> &'a [u8] {
        self.sql.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            let rest = self.rest();
            if rest.first().is_some_and(u8::is_ascii_whitespace) {
                self.at += 1;
            } else if rest.starts_with(b"--") || rest.starts_with(b"# ") || rest.starts_with(b"#!")
            {
                self.at += find(rest, b"\n").unwrap_or(rest.len());
            } else if rest.starts_with(b"/*") {
                self.at += find(rest, b"*/").map_or(rest.len(), |end| end + 2);
            } else {
                return;
            }
        }
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'$';
        let length = rest.iter().position(|byte| !is_word(byte)).unwrap_or(rest.len());
        self.at += length;
        std::str::from_utf8(&rest[..length]).unwrap_or_default()
    }

    /// Reads to the closing quote; a backslash or a doubled quote escapes.
    fn quoted(&mut self, quote: u8) -> &'a str {
        let start = self.at + 1;
        self.at = start;
        while let Some(byte) = self.sql.get(self.at) {
            if *byte == b'\\' {
                self.at += 2;
            } else if *byte != quote {
                self.at += 1;
            } else if self.sql.get(self.at + 1) == Some(&quote) {
                self.at += 2;
            } else {
                break;
            }
        }
        let end = self.at.min(self.sql.len());
        self.at = (end + 1).min(self.sql.len());
        std::str::from_utf8(&self.sql[start.min(end)..end]).unwrap_or_default()
    }

    /// `$tag$ ... $tag$`.
    fn here_document(&mut self) -> bool {
        let rest = self.rest();
        let Some(length) = rest[1..].iter().position(|byte| *byte == b'$') else { return false };
        let tag = &rest[..length + 2];
        if !tag[1..=length].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return false;
        }
        let Some(end) = find(&rest[tag.len()..], tag) else { return false };
        self.at += tag.len() * 2 + end;
        true
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kinds_tables_and_formats() {
        let cases: &[(&str, Kind, Option<&str>, Option<&str>)] = &[
            ("  -- c\n /* x */ select 1", Kind::Read, None, None),
            ("SELECT * FROM app.`t` FINAL FORMAT JSON", Kind::Read, Some("app.t"), Some("JSON")),
            ("SELECT a FROM (SELECT b FROM x.y)", Kind::Read, Some("x.y"), None),
            ("WITH 1 AS a SELECT a", Kind::Read, None, None),
            ("(SELECT 1)", Kind::Read, None, None),
            ("DESCRIBE TABLE t", Kind::Read, Some("t"), None),
            ("EXISTS TABLE d.t", Kind::Read, Some("d.t"), None),
            ("CREATE TABLE IF NOT EXISTS a.b (x Int8)", Kind::Other, Some("a.b"), None),
            ("INSERT INTO t SELECT 1 FORMAT x", Kind::Other, Some("t"), Some("x")),
            ("DROP DATABASE d", Kind::Other, None, None),
            ("", Kind::Empty, None, None),
            (" -- only a comment", Kind::Empty, None, None),
        ];
        for (sql, kind, table, format) in cases {
            let got = read(sql.as_bytes());
            assert_eq!(got.kind, *kind, "{sql}");
            assert_eq!(got.table.as_deref(), *table, "{sql}");
            assert_eq!(got.format.as_deref(), *format, "{sql}");
        }
    }

    fn insert(sql: &[u8]) -> (&[u8], String, &[u8]) {
        match read(sql).kind {
            Kind::Insert { head, format, data } => (&sql[head], format, &sql[data..]),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_insert_is_split_before_its_format() {
        assert_eq!(
            insert(b"INSERT INTO t (a, format) SETTINGS x='FORMAT' FORMAT RowBinary"),
            (&b"INSERT INTO t (a, format) SETTINGS x='FORMAT' "[..], "RowBinary".into(), &b""[..])
        );
        assert_eq!(
            insert(b"insert into t format JSONEachRow\n{\"a\":\";\"}"),
            (&b"insert into t "[..], "JSONEachRow".into(), &b"{\"a\":\";\"}"[..])
        );
        assert_eq!(
            insert(b"INSERT INTO t VALUES (1), (2)"),
            (&b"INSERT INTO t "[..], "Values".into(), &b" (1), (2)"[..])
        );
        assert_eq!(insert(b"INSERT INTO t FORMAT RowBinary \xff\x00'").2, b"\xff\x00'");
    }

    #[test]
    fn a_second_statement_is_noticed_only_where_it_is_one() {
        for (sql, several) in [
            ("SELECT 1;", false),
            ("SELECT 1 ; -- done", false),
            ("SELECT ';', `;`, $a$;x$a$ /* ; x */", false),
            ("SELECT 1; DROP TABLE t", true),
            ("SELECT 'it''s;'; KILL QUERY WHERE 1", true),
            ("INSERT INTO t SELECT 1; SELECT 2", true),
        ] {
            assert_eq!(read(sql.as_bytes()).several, several, "{sql}");
        }
    }

    #[test]
    fn file_access_is_noticed_in_every_spelling() {
        for sql in ["SELECT file('/x')", "SELECT `file` ('/x')", "SELECT FILE/**/('/x')"] {
            assert!(read(sql.as_bytes()).reads_files, "{sql}");
        }
        assert!(!read(b"SELECT file FROM t WHERE x = 'file('").reads_files);
        assert!(read(b"SELECT 1 INTO OUTFILE '/x'").client_files);
        assert!(read(b"INSERT INTO t FROM INFILE 'x' FORMAT CSV").client_files);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(sql in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&sql);
        }

        #[test]
        fn sql_like_text_is_read_without_panic(
            sql in "(INSERT INTO |SELECT |FORMAT |VALUES |[`'\"$(); a-z\\\\]|--|/\\*|\n){0,40}",
        ) {
            if let Kind::Insert { head, data, .. } = read(sql.as_bytes()).kind {
                prop_assert!(head.end <= data && data <= sql.len());
            }
        }
    }
}
