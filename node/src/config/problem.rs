//! What can be wrong with a configuration, and how it is said.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A line (from 1) of the configuration file.
    File {
        /// The file as it was named by the user.
        file: String,
        /// Line of the key or value.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A command line flag.
    Flag(String),
    /// The combination of several settings.
    Rules,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Rules => f.write_str("configuration"),
        }
    }
}

/// One reason to refuse a configuration: where, which setting, what was given, why, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the value stands.
    pub origin: Origin,
    /// Dotted path of the setting, '' when there is none.
    pub path: String,
    /// The given value, already redacted; none when it says nothing or could be a misplaced secret.
    pub given: Option<String>,
    /// Why it is refused, and the remedy where one exists.
    pub reason: String,
    /// The nearest name that exists.
    pub suggestion: Option<String>,
}

impl Problem {
    pub(crate) fn new(origin: Origin, path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { origin, path: path.into(), given: None, reason: reason.into(), suggestion: None }
    }

    pub(crate) fn given(mut self, given: Option<String>) -> Self {
        self.given = given;
        self
    }

    pub(crate) fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }

    /// The machine-readable form.
    pub fn to_json(&self) -> Value {
        let line = match &self.origin {
            Origin::File { line, .. } => Some(line),
            _ => None,
        };
        json!({
            "origin": self.origin.to_string(),
            "line": line,
            "path": self.path,
            "given": self.given,
            "reason": self.reason,
            "suggestion": self.suggestion,
            "message": self.to_string(),
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        match (&self.path, &self.given) {
            (path, Some(given)) if !path.is_empty() => write!(f, "{path} = {given}: ")?,
            (path, None) if !path.is_empty() => write!(f, "{path}: ")?,
            _ => {}
        }
        f.write_str(&self.reason)?;
        self.suggestion.iter().try_for_each(|name| write!(f, "; did you mean {name}?"))
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can not be read at all.
    #[error("cannot read the configuration file {}: {source}; name a readable TOML file with --config", file.display())]
    Unreadable {
        /// The file as it was named.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The configuration was read and is refused, for all of these reasons.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Problem>),
}

impl LoadError {
    /// Every reason as its own sentence.
    pub fn messages(&self) -> Vec<String> {
        match self {
            Self::Unreadable { .. } => vec![self.to_string()],
            Self::Invalid(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }
}
