//! Points in time (contract lifecycle 0.1).

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since the Unix epoch, UTC, signed 64 bit.
///
/// The clock that made it (gateway, runner, broker) is part of the name of the field that holds it;
/// stamps of two clocks are never subtracted without the skew estimate of the session.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds from `earlier` to `self`; negative when `self` is the earlier one. Saturates.
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The clock that made a payload time (lifecycle 0.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockDomain {
    /// The gateway host.
    Gateway,
    /// The inference host.
    Runner,
}

impl ClockDomain {
    /// Column `clock_domain`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Runner => "runner",
        }
    }
}
