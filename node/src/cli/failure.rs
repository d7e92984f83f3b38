//! How a command ends that did not succeed: messages, their form, and the exit code.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde_json::{Value, json};

use super::Output;
use crate::config::{LoadError, Setting as _, Url};

/// A command's failure: each message one sentence, and the exit code.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    messages: Vec<String>,
    details: Option<Value>,
}

impl Failure {
    /// A check that was made and failed (exit code 1).
    pub fn check(message: impl Into<String>) -> Self {
        Self { code: 1, messages: vec![message.into()], details: None }
    }

    /// Checks that were made and failed (exit code 1).
    pub(crate) fn checks(messages: Vec<String>) -> Self {
        Self { code: 1, messages, details: None }
    }

    /// Wrong usage, or an environment in which the command can not work (exit code 2).
    pub fn environment(message: impl Into<String>) -> Self {
        Self { code: 2, messages: vec![message.into()], details: None }
    }

    /// A configuration that is refused, with all its problems.
    pub(crate) fn config(code: u8, error: &LoadError) -> Self {
        let details = match error {
            LoadError::Invalid(problems) => {
                Some(problems.iter().map(crate::config::Problem::to_json).collect())
            }
            LoadError::Unreadable { .. } => None,
        };
        Self { code, messages: error.messages(), details }
    }

    /// Says it on stderr and gives the exit code.
    pub(crate) fn report(&self, output: Output) -> ExitCode {
        let text = match output {
            Output::Text => {
                format!("error: {}\n", self.messages.join("\nerror: "))
            }
            Output::Json => {
                let mut value = json!({ "error": self.messages.join("; "), "code": self.code });
                if let Some(details) = &self.details {
                    value["problems"] = details.clone();
                }
                format!("{value}\n")
            }
        };
        // Nothing can be said when stderr is closed; the exit code still tells.
        let _ = std::io::stderr().write_all(text.as_bytes());
        ExitCode::from(self.code)
    }
}

/// What is reported, in one line.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.messages.join("; "))
    }
}

/// Makes the data folder `dir` where it is missing.
pub(crate) fn make_data_folder(dir: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(dir).map_err(|e| {
        let dir = dir.display();
        Failure::environment(format!(
            "data folder {dir} can not be used: {e}; choose a writable one"
        ))
    })
}

/// [`Failure::environment`] of an error, which says its sentence itself.
pub(crate) fn environment(error: impl std::fmt::Display) -> Failure {
    Failure::environment(error.to_string())
}

/// Arguments that do not parse, or a request for help or the version.
pub(crate) fn usage(error: &clap::Error, output: Output) -> ExitCode {
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if error.use_stderr() && !(is_help && output == Output::Text) {
        return Failure::environment(sentence(error)).report(output);
    }
    // As above: a closed stream leaves only the exit code.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

/// The parser repeats the value that it refuses; a URL may hold a login.
fn without_secret(error: &clap::Error, text: String) -> String {
    let is_url = |value: &&ContextValue| value.to_string().starts_with("--url ");
    match (error.get(ContextKind::InvalidArg).filter(is_url), error.get(ContextKind::InvalidValue))
    {
        (Some(_), Some(ContextValue::String(value))) => text.replace(value, &Url::redact(value)),
        _ => text,
    }
}

/// The parser's paragraphs as one sentence.
fn sentence(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing; try '--help'".to_owned();
    }
    let text = without_secret(error, error.render().to_string());
    let (mut sentence, mut broken) = (String::new(), false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        }
        if !line.is_empty() && !sentence.is_empty() {
            sentence.push_str(if broken { "; " } else { " " });
        }
        broken = line.is_empty();
        sentence.push_str(line.strip_prefix("error: ").unwrap_or(line));
    }
    format!("{sentence}; try '--help'")
}
