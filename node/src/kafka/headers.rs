//! Record headers: tolerated everywhere, read only where they mean something.
//!
//! Gateways send none. A replayed record carries the broker time that it first had, because
//! lateness is judged by that one (contract quality.md 11.2).

use std::panic::{AssertUnwindSafe, catch_unwind};

use naap_protocol::time::Timestamp;
use rdkafka::message::Headers;

/// The topic whose records carry [`ORIGINAL_TIME`].
pub const REPLAY_TOPIC: &str = "naap.replay.v1";

/// Header with the first broker time of a replayed record: milliseconds since the epoch, as decimal text.
pub const ORIGINAL_TIME: &str = "naap-record-time";

/// How much of the headers of one record is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Most headers.
    pub count: usize,
    /// Most bytes of keys and values.
    pub bytes: usize,
}

/// What the headers of a record say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// First broker time of the record.
    pub original: Option<Timestamp>,
    /// Headers beyond the limits, which were not read.
    pub dropped: usize,
}

/// Reads `headers` in order, up to the limits.
pub(super) fn read(headers: &impl Headers, limits: Limits) -> Found {
    let mut found = Found::default();
    let mut bytes = 0;
    for at in 0..headers.count() {
        // The client library panics on a key that is not UTF-8; such a header is dropped.
        let header = catch_unwind(AssertUnwindSafe(|| headers.try_get(at))).ok().flatten();
        let size = header.as_ref().map(|h| h.key.len() + h.value.map_or(0, <[u8]>::len));
        bytes += size.unwrap_or(0);
        let Some(header) = header.filter(|_| at < limits.count && bytes <= limits.bytes) else {
            found.dropped += 1;
            continue;
        };
        if header.key == ORIGINAL_TIME {
            let text = header.value.and_then(|value| std::str::from_utf8(value).ok());
            found.original = text.and_then(|text| text.parse().ok()).map(Timestamp);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::message::{Header, OwnedHeaders};

    const LIMITS: Limits = Limits { count: 64, bytes: 16 << 10 };

    fn headers(entries: &[(&str, &str)]) -> OwnedHeaders {
        let start = OwnedHeaders::new();
        entries
            .iter()
            .fold(start, |all, &(key, value)| all.insert(Header { key, value: Some(value) }))
    }

    #[test]
    fn finds_the_first_time_of_a_replayed_record() {
        let found = read(&headers(&[("a", "b"), (ORIGINAL_TIME, "1700000000000")]), LIMITS);
        assert_eq!(found, Found { original: Some(Timestamp(1_700_000_000_000)), dropped: 0 });
        assert_eq!(read(&headers(&[(ORIGINAL_TIME, "soon")]), LIMITS), Found::default());
    }

    #[test]
    fn what_is_beyond_the_limits_is_not_read() {
        let many: Vec<_> =
            std::iter::repeat_n(("k", "v"), 64).chain([(ORIGINAL_TIME, "1")]).collect();
        assert_eq!(read(&headers(&many), LIMITS), Found { original: None, dropped: 1 });
        assert_eq!(read(&headers(&many[1..]), LIMITS).original, Some(Timestamp(1)));
        let large = "v".repeat(16 << 10);
        let found = read(&headers(&[("k", &large), (ORIGINAL_TIME, "1")]), LIMITS);
        assert_eq!(found, Found { original: None, dropped: 2 });
    }
}
