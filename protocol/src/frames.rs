//! Frames per second in forms that add up exactly: whole numbers and fixed buckets (decisions.md,
//! aggregates).
//!
//! The buckets never change: a stored histogram has no other description than this module. Both
//! forms take blank, negative and absurd values without harm, because producers send them.

/// Buckets of a histogram. The last one holds everything from its floor on.
pub const BUCKETS: usize = 320;

/// A histogram counts steps of 0.1 frames per second.
const STEPS_PER_FRAME: f64 = 10.0;
/// Steps below this have a bucket each; every doubling above is cut into as many buckets.
const FINE: usize = 32;
const FINE_BITS: u32 = FINE.ilog2();

/// The bucket of `fps` (unit frames per second): exact below 3.2, within 1/32 of the value above.
/// Everything that is not above 0 is in bucket 0.
pub fn bucket(fps: f32) -> usize {
    let steps = (f64::from(fps) * STEPS_PER_FRAME) as u32;
    let Some(doublings) = steps.checked_ilog2().and_then(|bits| bits.checked_sub(FINE_BITS)) else {
        return steps as usize;
    };
    let within = (steps >> doublings) as usize;
    (doublings as usize * FINE + within).min(BUCKETS - 1)
}

/// Where a bucket begins, in units of 0.1 frames per second; it ends where the next one begins.
///
/// In SQL, for `b >= 32`: `bitShiftLeft(32 + b % 32, intDiv(b, 32) - 1)`; below, `b` itself.
pub fn floor(bucket: usize) -> u32 {
    let bucket = bucket.min(BUCKETS - 1);
    match bucket / FINE {
        0 => bucket as u32,
        doublings => ((FINE + bucket % FINE) as u32) << (doublings - 1),
    }
}

/// `value` in units of 0.000001, rounded; 0 for what is negative, the greatest number for what is
/// too large.
pub fn millionths(value: f64) -> u64 {
    (value * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_stand_side_by_side() {
        for bucket_no in 0..BUCKETS - 1 {
            let (from, to) = (floor(bucket_no), floor(bucket_no + 1));
            assert!(from < to && to - from <= (from / 32).max(1), "{bucket_no}: {from}..{to}");
            for steps in [from, to - 1] {
                // A tenth of a step inside, so that the decimal fraction does not decide.
                assert_eq!(bucket((steps as f32 + 0.1) / 10.0), bucket_no, "{steps}");
            }
        }
    }

    #[test]
    fn every_number_has_a_bucket_and_a_sum() {
        let cases: [(f32, usize, u64); 9] = [
            (0.0, 0, 0),
            (-3.0, 0, 0),
            (f32::NAN, 0, 0),
            (0.25, 2, 250_000),
            (3.125, 31, 3_125_000),
            (20.0, 114, 20_000_000),
            (30.5, 134, 30_500_000),
            (f32::MAX, BUCKETS - 1, u64::MAX),
            (f32::INFINITY, BUCKETS - 1, u64::MAX),
        ];
        for (fps, expected, sum) in cases {
            assert_eq!((bucket(fps), millionths(fps.into())), (expected, sum), "{fps}");
        }
    }
}
