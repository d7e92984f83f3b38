//! Log lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::{LogFormat, Telemetry};

/// The filter of a level or of levels by target. The runtime's own spans cost time on each message and say nothing
/// to an operator.
///
/// # Errors
/// A sentence, when it is malformed.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, String> {
    let spans = level.contains('[');
    let mistyped = level.split(',').map(str::trim).find(|part| !spans && is_mistyped(part));
    if let Some(word) = mistyped {
        return Err(format!(
            "{word:?} is no log level; give one of off, error, warn, info, debug, trace, or pairs of target and \
             level such as info,naap_node=debug"
        ));
    }
    EnvFilter::try_new(format!("{level},ractor=warn")).map_err(|error| {
        format!(
            "{level:?} is no log filter: {error}; write a level such as info, or naap_actors=debug"
        )
    })
}

/// A bare word that is no level would be taken for a target, and all others fall silent. Within the brackets of a
/// span words are names of fields.
fn is_mistyped(part: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':');
    part.chars().all(is_word) && part.parse::<LevelFilter>().is_err()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_level_is_refused_and_not_taken_for_a_target() {
        for text in ["inof", "naap_node", "info,naap_node", "naap_node=debug,inof", "naap::x, warn"]
        {
            let said = filter(text).expect_err(text);
            assert!(
                said.contains("is no log level; give one of off, error, warn,"),
                "{text}: {said}"
            );
        }
        for text in ["info", "WARN", "off", "naap_node=debug", "[span]=info"] {
            assert!(filter(text).is_ok(), "{text}");
        }
    }
}
