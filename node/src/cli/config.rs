//! `naap config`

use serde_json::json;

use super::{ConfigCommand, Failure, Global, Output, emit};
use crate::config::{
    LoadError, hidden_state, load, reference_json, reference_markdown, unreadable,
};

pub(super) fn run(command: &ConfigCommand, global: &Global) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check { file, no_files } => {
            let mut sources = global.sources(Vec::new());
            sources.file = file.clone().or(sources.file);
            let loaded = load(&sources).map_err(|error| match &error {
                LoadError::Invalid(_) => Failure::config(1, &error),
                LoadError::Unreadable { .. } => Failure::config(2, &error),
            })?;
            let mut refused = if *no_files { Vec::new() } else { unreadable(&loaded.config) };
            refused.extend(hidden_state(&loaded.config).map(str::to_owned));
            if !refused.is_empty() {
                return Err(Failure::checks(refused));
            }
            let name = sources.file.map(|file| file.display().to_string());
            match global.output {
                Output::Text => {
                    emit(&format!("{}: ok\n", name.as_deref().unwrap_or("configuration")))
                }
                Output::Json => emit(&format!("{}\n", json!({ "file": name, "ok": true }))),
            }
        }
        ConfigCommand::Print => {
            let loaded = global.load(Vec::new())?;
            match global.output {
                Output::Text => emit(&loaded.to_toml()),
                Output::Json => emit(&format!("{:#}\n", loaded.to_json())),
            }
        }
        ConfigCommand::Reference => match global.output {
            Output::Text => emit(&reference_markdown()),
            Output::Json => emit(&format!("{:#}\n", reference_json())),
        },
    }
}
