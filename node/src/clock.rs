//! The wall clock of the process.

use std::time::{SystemTime, UNIX_EPOCH};

use naap_actors::ports::Clock;
use naap_protocol::time::Timestamp;

/// The system's clock.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
