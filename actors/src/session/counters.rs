//! Differences of cumulative counters (backlog 001, 006). Each counter goes by itself: one that stands
//! below its value before has begun anew, and its difference is what it shows.

/// How far counters have come since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// A counter stood below its value before.
    pub reset: bool,
}

impl Since {
    /// The difference of a counter; all that it shows where there is no value `before`.
    pub fn delta(&mut self, now: u64, before: Option<u64>) -> u64 {
        match before {
            Some(before) if before <= now => now - before,
            Some(_) => {
                self.reset = true;
                now
            }
            None => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_went_back_began_anew() {
        let mut since = Since::default();
        let seen = [Some(1_000_000), Some(2_000_000), Some(400_000)];
        let before = [None, seen[0], seen[1]];
        let deltas = seen.iter().zip(before).map(|(now, before)| {
            let mut own = Since::default();
            (own.delta(now.unwrap_or(0), before), own.reset)
        });
        let deltas: Vec<_> = deltas.collect();
        assert_eq!(deltas, [(1_000_000, false), (1_000_000, false), (400_000, true)]);
        assert_eq!(deltas.iter().map(|(delta, _)| delta).sum::<u64>(), 2_400_000);
        assert_eq!((since.delta(7, Some(7)), since.reset), (0, false));
    }
}
