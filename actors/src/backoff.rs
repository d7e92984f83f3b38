//! Exponential back-off as a pure sequence.

use std::time::Duration;

/// Doubling delays between a first and a largest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// First delay.
    pub first: Duration,
    /// Largest delay.
    pub max: Duration,
}

impl Backoff {
    /// The delay before try number `attempt` (0 = the first retry).
    pub fn delay(&self, attempt: u32) -> Duration {
        let factor = 2u32.saturating_pow(attempt.min(31));
        self.first.saturating_mul(factor).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_limit() {
        let b = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(1) };
        let delays: Vec<u64> = (0..6).map(|n| b.delay(n).as_millis() as u64).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(b.delay(u32::MAX), b.max);
    }
}
