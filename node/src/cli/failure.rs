//! How a command ends that did not succeed: messages, their form, and the exit code.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::Output;
use crate::config::LoadError;

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

/// Arguments that do not parse, or a request for help or the version.
pub(crate) fn usage(error: &clap::Error, as_json: bool) -> ExitCode {
    if !error.use_stderr() || !as_json {
        // As above: a closed stream leaves only the exit code.
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
    }
    let text = error.render().to_string();
    let sentence = text.lines().next().unwrap_or_default();
    Failure::environment(sentence.strip_prefix("error: ").unwrap_or(sentence)).report(Output::Json)
}
