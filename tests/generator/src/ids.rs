//! Stream and request ids.

use crate::Profile;
use crate::network::BASE_MS;
use crate::random::mix;

/// Stream and request id of session `index`: three real shapes, sometimes taken over from the
/// session before (never both).
pub(crate) fn ids(
    profile: &Profile,
    seed: u64,
    index: u64,
    start_of: impl Fn(u64) -> i64,
) -> (String, String, Option<&'static str>) {
    let share = |kind, rate: f64| {
        index > 0
            && (mix(seed, kind, index) >> 11) as f64 / (1_u64 << 53) as f64 <= rate
            && rate > 0.0
    };
    if share(1, profile.stream_reuse) {
        return (
            stream_id(seed, index - 1, start_of(index - 1)),
            request_id(seed, index),
            Some("stream_reuse"),
        );
    }
    let stream = stream_id(seed, index, start_of(index));
    if share(2, profile.request_reuse) {
        return (stream, request_id(seed, index - 1), Some("request_reuse"));
    }
    (stream, request_id(seed, index), None)
}

fn request_id(seed: u64, index: u64) -> String {
    format!("{:08x}", mix(seed, 3, index) >> 32)
}

fn stream_id(seed: u64, index: u64, start: i64) -> String {
    const LETTERS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let random = mix(seed, 4, index);
    let draw = |from: u64, count: u64, base: u64| -> String {
        (from..from + count)
            .map(|n| char::from(LETTERS[(mix(random, 5, n) % base) as usize]))
            .collect()
    };
    match random % 5 {
        0 | 1 => format!("aiJobTesterStream-{}{:06}", start.max(BASE_MS), random / 5 % 1_000_000),
        2 | 3 => format!("stream-{}-{}", draw(0, 6, 36), draw(6, 8, 36)),
        _ => format!("str_{}", draw(0, 16, 62)),
    }
}
