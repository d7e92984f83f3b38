//! Log lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Telemetry};

/// Starts to log as configured. The runtime's own spans cost time on each message and say nothing
/// to an operator.
///
/// # Errors
/// A sentence, when the filter is malformed.
pub fn start(telemetry: &Telemetry) -> Result<(), String> {
    let wanted = format!("{},ractor=warn", telemetry.log_level);
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        format!("telemetry.log_level {:?} is no log filter: {error}; write a level such as info, or naap_actors=debug", telemetry.log_level)
    })?;
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
