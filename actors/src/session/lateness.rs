//! How late a signal came (backlog 002): broker time minus gateway time. Both are stored, so a
//! replay gives the same answer.

use naap_protocol::state::StoredSignal;
use naap_protocol::time::Timestamp;

/// Up to this a signal is on time.
const ON_TIME_MS: i64 = 60_000;
/// Above this a signal is late.
const LATE_MS: i64 = 600_000;
/// Below this, so far ahead of its broker time, a signal is from the future.
const FUTURE_MS: i64 = -30_000;

/// Class of a signal by its lateness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lateness {
    /// Up to 60 s.
    OnTime,
    /// Up to 10 min: its hour is still provisional.
    Delayed,
    /// More than 10 min: a correction.
    Late,
    /// Behind the retention of its session: not folded. Follows from the session, not from the time.
    Expired,
    /// More than 30 s ahead of its broker time.
    Future,
}

impl Lateness {
    /// Every class, in declaration order.
    pub const ALL: [Self; 5] =
        [Self::OnTime, Self::Delayed, Self::Late, Self::Expired, Self::Future];

    /// The class of a signal `late_ms` late.
    pub fn of(late_ms: i64) -> Self {
        if late_ms < FUTURE_MS {
            Self::Future
        } else if late_ms <= ON_TIME_MS {
            Self::OnTime
        } else if late_ms <= LATE_MS {
            Self::Delayed
        } else {
            Self::Late
        }
    }

    /// Label `class`.
    pub fn label(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::Delayed => "delayed",
            Self::Late => "late",
            Self::Expired => "expired",
            Self::Future => "future",
        }
    }
}

/// Broker time minus gateway time, ms; negative when the gateway's clock is ahead.
pub fn late_ms(record_ts: Timestamp, ord_ts: Timestamp) -> i64 {
    record_ts.millis_since(ord_ts)
}

/// Column `is_late`: the signal came more than 10 min after its gateway time.
pub fn is_late(signal: &StoredSignal) -> bool {
    is_late_at(signal.record_ts, signal.ord_ts)
}

/// The same of what the broker took at `record_ts` and was at `ord_ts` on the gateway's clock.
pub fn is_late_at(record_ts: Timestamp, ord_ts: Timestamp) -> bool {
    Lateness::of(late_ms(record_ts, ord_ts)) == Lateness::Late
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_meet_without_gap() {
        use Lateness::{Delayed, Future, Late, OnTime};
        let cases = [
            (i64::MIN, Future),
            (-300_000, Future),
            (-30_001, Future),
            (-30_000, OnTime),
            (0, OnTime),
            (60_000, OnTime),
            (60_001, Delayed),
            (600_000, Delayed),
            (600_001, Late),
            (i64::MAX, Late),
        ];
        for (late_ms, class) in cases {
            assert_eq!(Lateness::of(late_ms), class, "{late_ms} ms");
        }
    }
}
