//! The watermark of a shard: how far its event time has come (design.md, time).
//!
//! It is the minimum over the source partitions that are active, and never moves back. A partition
//! that gives nothing for a while does not hold it back, so one silent partition stops no clock. Nor
//! does an event of a clock that is wrong move it beyond the node's own time. It tells how far behind a
//! shard is, and when the state of an entity ends.

use std::collections::BTreeMap;
use std::time::Duration;

use naap_protocol::state::SourcePartition;
use naap_protocol::time::Timestamp;

/// Silence after which a partition is idle, unless configured otherwise.
pub const DEFAULT_IDLE: Duration = Duration::from_secs(30);

/// How far ahead of the node clock, ms, it may be: clocks of gateways are. Without this limit one of them could
/// end the state of every session.
const AHEAD_MS: i64 = 300_000;

/// The watermark of one shard.
#[derive(Clone, Debug)]
pub struct Watermark {
    idle_ms: i64,
    sources: BTreeMap<SourcePartition, Source>,
    mark: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    /// Greatest event time; `None` before the first record.
    newest: Option<Timestamp>,
    /// When its last record came or its reader began, node clock.
    seen: Timestamp,
}

impl Watermark {
    /// A watermark that has come to `mark` before. Partitions are idle after `idle` without a record.
    pub fn new(idle: Duration, mark: Option<Timestamp>) -> Self {
        let idle_ms = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
        Self { idle_ms, sources: BTreeMap::new(), mark }
    }

    /// Takes in that `source` gave records, the greatest event time of which is `event_ts`. `now` is
    /// the node clock.
    pub fn observe(&mut self, source: &SourcePartition, event_ts: Timestamp, now: Timestamp) {
        let event_ts = event_ts.min(latest(now));
        if let Some(known) = self.sources.get_mut(source) {
            known.newest = known.newest.max(Some(event_ts));
            known.seen = now;
        } else {
            let newest = Some(event_ts);
            self.sources.insert(source.clone(), Source { newest, seen: now });
        }
    }

    /// A reader of `source` has begun: until it gives a record or is idle, the watermark stays.
    pub fn attach(&mut self, source: &SourcePartition, now: Timestamp) {
        let unknown = Source { newest: None, seen: now };
        self.sources.entry(source.clone()).or_insert(unknown);
    }

    /// The watermark at `now`, node clock; `None` before the first record.
    pub fn advance(&mut self, now: Timestamp) -> Option<Timestamp> {
        let active = self.sources.values().filter(|s| now.millis_since(s.seen) <= self.idle_ms);
        // `None` is below every time: with no partition active the mark stays.
        self.mark = self.mark.max(active.map(|source| source.newest).min().flatten());
        // What was claimed by a node whose own clock was wrong may be ahead too.
        self.mark.map(|mark| mark.min(latest(now)))
    }

    /// How far the watermark is behind `now`, s, never below 0; `None` before the first record.
    pub fn lag_seconds(&mut self, now: Timestamp) -> Option<f64> {
        self.advance(now).map(|mark| now.millis_since(mark).max(0) as f64 / 1_000.0)
    }
}

/// The latest that may be believed at `now`, node clock.
fn latest(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_add(AHEAD_MS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(partition: u32) -> SourcePartition {
        SourcePartition { topic: "t".to_owned(), partition }
    }

    /// Records as (partition, event time, ms since the record before).
    fn records() -> impl Strategy<Value = Vec<(u32, i64, i64)>> {
        prop::collection::vec((0..4_u32, 0..100_000_i64, 0..20_000_i64), 1..40)
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says_and_never_moves_back(records in records()) {
            let mut watermark = Watermark::new(DEFAULT_IDLE, None);
            let (mut now, mut mark) = (Timestamp(0), None);
            for (place, (partition, event_ts, wait)) in records.iter().enumerate() {
                now.0 += wait;
                watermark.observe(&source(*partition), Timestamp(*event_ts), now);
                // The long way round: every record so far, for every partition.
                let mut since = now.0;
                let mut newest = [None::<i64>; 4];
                let mut active = [false; 4];
                for (partition, event_ts, wait) in records[..=place].iter().rev() {
                    let slot = *partition as usize;
                    newest[slot] = newest[slot].max(Some(*event_ts));
                    active[slot] |= now.0 - since <= 30_000;
                    since -= wait;
                }
                let slots = (0..4).filter(|slot| active[*slot]);
                let lowest = slots.filter_map(|slot| newest[slot]).min();
                mark = mark.max(lowest.map(Timestamp));
                prop_assert_eq!(watermark.advance(now), mark);
                prop_assert_eq!(watermark.advance(now), mark, "asking changes nothing");
            }
        }

        #[test]
        fn it_is_not_ahead_of_an_active_partition_that_was_there_from_the_start(
            records in records(), start in 0..100_000_i64
        ) {
            let mut watermark = Watermark::new(DEFAULT_IDLE, None);
            let mut newest = Timestamp(start);
            watermark.observe(&source(0), newest, Timestamp(0));
            for (partition, event_ts, _) in records {
                watermark.observe(&source(partition), Timestamp(event_ts), Timestamp(0));
                if partition == 0 {
                    newest = newest.max(Timestamp(event_ts));
                }
                prop_assert!(watermark.advance(Timestamp(0)) <= Some(newest));
            }
        }
    }

    #[test]
    fn a_clock_that_is_wrong_does_not_move_it() {
        let mut watermark = Watermark::new(DEFAULT_IDLE, None);
        watermark.observe(&source(0), Timestamp(9_000_000), Timestamp(1_000));
        assert_eq!(watermark.advance(Timestamp(1_000)), Some(Timestamp(301_000)));
        assert_eq!(watermark.advance(Timestamp(31_000)), Some(Timestamp(301_000)));
        let mut restored = Watermark::new(DEFAULT_IDLE, Some(Timestamp(9_000_000)));
        assert_eq!(restored.advance(Timestamp(1_000)), Some(Timestamp(301_000)));
        assert_eq!(restored.advance(Timestamp(2_000)), Some(Timestamp(302_000)));
    }

    #[test]
    fn it_goes_on_where_it_was_and_waits_for_partitions_that_begin() {
        let mut watermark = Watermark::new(DEFAULT_IDLE, Some(Timestamp(500)));
        assert_eq!(watermark.advance(Timestamp(0)), Some(Timestamp(500)));
        watermark.attach(&source(1), Timestamp(0));
        watermark.observe(&source(0), Timestamp(9_000), Timestamp(10));
        assert_eq!(watermark.advance(Timestamp(10)), Some(Timestamp(500)), "1 may hold older ones");
        watermark.observe(&source(1), Timestamp(700), Timestamp(20));
        watermark.attach(&source(1), Timestamp(30));
        assert_eq!(watermark.advance(Timestamp(30)), Some(Timestamp(700)));
        watermark.attach(&source(2), Timestamp(30_000));
        assert_eq!(watermark.advance(Timestamp(30_020)), Some(Timestamp(700)), "1 is not idle yet");
        watermark.observe(&source(0), Timestamp(9_500), Timestamp(60_000));
        assert_eq!(watermark.advance(Timestamp(60_001)), Some(Timestamp(9_500)), "1 and 2 are");
    }

    #[test]
    fn idle_partitions_do_not_hold_it_back() {
        let mut watermark = Watermark::new(DEFAULT_IDLE, None);
        assert_eq!(watermark.lag_seconds(Timestamp(5)), None, "no record yet");
        watermark.observe(&source(0), Timestamp(1_000), Timestamp(10_000));
        watermark.observe(&source(1), Timestamp(9_000), Timestamp(35_000));
        assert_eq!(watermark.advance(Timestamp(40_000)), Some(Timestamp(1_000)));
        assert_eq!(watermark.advance(Timestamp(40_001)), Some(Timestamp(9_000)));
        assert_eq!(watermark.lag_seconds(Timestamp(40_500)), Some(31.5));
        watermark.observe(&source(0), Timestamp(2_000), Timestamp(41_000));
        assert_eq!(watermark.advance(Timestamp(41_000)), Some(Timestamp(9_000)), "never back");
        assert_eq!(watermark.advance(Timestamp(900_000)), Some(Timestamp(9_000)), "all are idle");
        assert_eq!(watermark.lag_seconds(Timestamp(0)), Some(0.0), "the node clock is behind");
    }
}
