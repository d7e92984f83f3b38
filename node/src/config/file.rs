//! The file layer's syntax: TOML text to a tree of values that know their line.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value of the file and the line (from 1) where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// A date or a number that no setting can hold, as it was written.
    Other(String),
    Array(Vec<Node>),
    Table(Vec<(String, Node)>),
}

impl Value {
    /// The type's name with its article.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a decimal number",
            Self::Boolean(_) => "true or false",
            Self::Other(_) => "a date or an oversized number",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The value as it is quoted in a message; lists and tables are only named.
    pub(crate) fn quote(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(quote(text)),
            Self::Integer(number) => Some(number.to_string()),
            Self::Float(number) => Some(number.to_string()),
            Self::Boolean(value) => Some(value.to_string()),
            Self::Other(text) => Some(text.clone()),
            Self::Array(_) | Self::Table(_) => None,
        }
    }
}

/// A text as it is quoted in a message: escaped, and cut when it is long.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// A syntax error: its line and what is wrong, without the text around it (which may be a secret).
pub(crate) type SyntaxError = (usize, String);

/// The tree of a text, or every syntax error in it (what a broken text seems to say would only mislead).
pub(crate) fn parse(text: &str) -> Result<Vec<(String, Node)>, Vec<SyntaxError>> {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(lines.table(table.get_ref()));
    }
    let line = |error: &toml::de::Error| lines.of(error.span().map_or(0, |span| span.start));
    Err(errors.iter().map(|error| (line(error), error.message().to_owned())).collect())
}

/// Offsets of the line starts, to turn spans into line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    fn of(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset) + 1
    }

    fn table(&self, table: &DeTable<'_>) -> Vec<(String, Node)> {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let line = self.of(key.span().start);
                (key.get_ref().to_string(), Node { line, value: self.value(value) })
            })
            .collect();
        entries.sort_by_key(|(_, node)| node.line);
        entries
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Value::Other(number.as_str().to_owned()), Value::Integer),
            DeValue::Float(number) => number
                .as_str()
                .parse()
                .map_or_else(|_| Value::Other(number.as_str().to_owned()), Value::Float),
            DeValue::Datetime(date) => Value::Other(date.to_string()),
            DeValue::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| Node { line: self.of(item.span().start), value: self.value(item) })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}
