//! Where the reading of a partition starts. Pure.

use thiserror::Error;

use crate::config::Reset;

/// What is known of a partition when it is assigned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// First offset that is not durably applied, by the state log.
    pub applied: Option<u64>,
    /// Offset committed by the group.
    pub committed: Option<u64>,
    /// First offset that Kafka holds.
    pub low: u64,
    /// First offset that Kafka does not hold yet.
    pub high: u64,
    /// Where to start when nothing else is known.
    pub reset: Reset,
}

/// Where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// First offset that nobody has applied: where the ranges of the ingest begin.
    pub position: u64,
    /// First offset to read; beyond `position` when Kafka no longer holds that.
    pub read_from: u64,
}

impl Start {
    /// Offsets that are wanted and gone.
    pub fn lost(self) -> u64 {
        self.read_from - self.position
    }
}

/// Kafka ends before the wanted position: this is not the topic that was read before.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the partition ends at offset {high}, but {wanted} {claim}: the topic was made anew, or Kafka has lost data; \
     to read it from its beginning give it a new name in ingest.topics, or start with an empty state log and \
     another ingest.group"
)]
pub(super) struct BeyondEnd {
    /// End of the partition.
    pub high: u64,
    /// The position that does not exist.
    pub wanted: u64,
    /// Who says that it exists.
    pub claim: &'static str,
}

/// The claim of a shard.
pub(super) const APPLIED: &str = "is already applied";

/// The state log is the truth, the group's offset a hint, the topic's policy the last resort.
pub(super) fn start(known: Known) -> Result<Start, BeyondEnd> {
    let Known { applied, committed, low, high, reset } = known;
    let (wanted, claim) = match (applied, committed, reset) {
        (Some(applied), _, _) => (applied, APPLIED),
        (None, Some(committed), _) => (committed, "is the committed offset of the group"),
        (None, None, Reset::Earliest) => (low, "is its beginning"),
        (None, None, Reset::Latest) => (high, "is its end"),
    };
    if wanted > high {
        return Err(BeyondEnd { high, wanted, claim });
    }
    Ok(Start { position: wanted, read_from: wanted.max(low) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(applied: Option<u64>, committed: Option<u64>, reset: Reset) -> Known {
        Known { applied, committed, low: 10, high: 90, reset }
    }

    #[test]
    fn truth_before_hint_before_policy() {
        let at = |position, read_from| Ok(Start { position, read_from });
        let cases = [
            (known(Some(20), Some(30), Reset::Latest), at(20, 20)),
            (known(Some(40), Some(30), Reset::Latest), at(40, 40)),
            (known(None, Some(30), Reset::Latest), at(30, 30)),
            (known(None, None, Reset::Earliest), at(10, 10)),
            (known(None, None, Reset::Latest), at(90, 90)),
            (known(Some(4), Some(30), Reset::Latest), at(4, 10)),
            (known(None, Some(0), Reset::Latest), at(0, 10)),
            (known(Some(90), None, Reset::Earliest), at(90, 90)),
        ];
        for (known, expected) in cases {
            assert_eq!(start(known), expected, "{known:?}");
        }
        assert_eq!(start(known(Some(4), None, Reset::Latest)).unwrap().lost(), 6);
    }

    #[test]
    fn a_position_beyond_the_end_stops_with_a_remedy() {
        let beyond = start(known(Some(91), Some(30), Reset::Earliest)).unwrap_err();
        let sentence = beyond.to_string();
        assert!(sentence.contains("ends at offset 90, but 91 is already applied"), "{sentence}");
        assert!(sentence.contains("give it a new name in ingest.topics"), "{sentence}");
        assert!(start(known(None, Some(91), Reset::Earliest)).is_err());
    }
}
