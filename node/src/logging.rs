//! Log lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Telemetry};

/// The filter of a level or of levels by target. The runtime's own spans cost time on each message and say nothing
/// to an operator.
///
/// # Errors
/// A sentence, when it is malformed.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(format!("{level},ractor=warn")).map_err(|error| {
        format!(
            "{level:?} is no log filter: {error}; write a level such as info, or naap_actors=debug"
        )
    })
}

/// Starts to log as configured.
///
/// # Errors
/// A sentence, when the filter is malformed or logging has started before.
pub fn start(telemetry: &Telemetry) -> Result<(), String> {
    let filter = filter(&telemetry.log_level).map_err(|e| format!("telemetry.log_level: {e}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for people at a terminal: in a file or a log store they are noise.
        .with_ansi(std::io::stderr().is_terminal());
    let started = match telemetry.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| format!("can not start logging: {error}"))
}
