//! When the node starts again after a failure.

use std::time::Duration;

use naap_actors::backoff::Backoff;

use crate::config::{Config, RestartType};

/// How often the actors of the node have failed and started again.
pub(super) const RESTARTS: &str = "naap_restarts_total";

/// Delays between lives, as configured.
pub(super) struct Restarts {
    policy: RestartType,
    backoff: Backoff,
    reset_after: Duration,
    fixed: Duration,
    left: u32,
    attempt: u32,
}

impl Restarts {
    pub fn new(config: &Config) -> Self {
        let restart = &config.supervision.restart;
        let exponential = &restart.exponential_backoff;
        Self {
            policy: restart.r#type,
            backoff: Backoff { first: exponential.initial, max: exponential.max },
            reset_after: exponential.reset_after,
            fixed: restart.fixed_delay.delay,
            left: restart.fixed_delay.attempts,
            attempt: 0,
        }
    }

    /// The delay before the next life, after one of length `lived`; `None` when there is none.
    pub fn next(&mut self, lived: Duration) -> Option<Duration> {
        match self.policy {
            RestartType::None => None,
            RestartType::FixedDelay => {
                self.left = self.left.checked_sub(1)?;
                Some(self.fixed)
            }
            RestartType::ExponentialBackoff => {
                self.attempt = if lived >= self.reset_after { 0 } else { self.attempt };
                let delay = self.backoff.delay(self.attempt);
                self.attempt += 1;
                Some(delay)
            }
        }
    }
}
