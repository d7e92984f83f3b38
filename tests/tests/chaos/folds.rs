//! When each event of the [pulse](crate::pulse) was folded, as the rows of the shards say: a typed row
//! bears the time at which its shard took the event, and the opening that did. What was folded and
//! never stored left no row, and of a row that was made again a store may keep only the later one: so
//! gaps are never told too short.

use std::collections::BTreeMap;

use naap_tests::stage::Tables;

use crate::crew::Moved;
use crate::pulse::GATEWAY;

/// An event that a shard has folded; times in ms.
#[derive(Clone, Copy, Debug)]
pub struct Fold {
    pub shard: u16,
    pub partition: u32,
    pub sent: i64,
    pub at: i64,
    pub epoch: u64,
}

/// Everything that was folded, in the order of time.
pub struct Folds(Vec<Fold>);

impl Folds {
    pub fn read(tables: &Tables) -> Self {
        let rows = tables.query(&format!(
            "SELECT raw_event_uid, toUnixTimestamp64Milli(event_timestamp), \
             toUnixTimestamp64Milli(ingestion_timestamp), version \
             FROM naap.raw_stream_trace_events WHERE gateway = '{GATEWAY}'"
        ));
        let fold = |row: Vec<String>| {
            let mut id = row[0].split('-').map(|part| part.parse::<u32>().unwrap());
            Fold {
                shard: id.next().unwrap() as u16,
                partition: id.next().unwrap(),
                sent: row[1].parse().unwrap(),
                at: row[2].parse().unwrap(),
                epoch: row[3].parse::<u64>().unwrap() >> 48,
            }
        };
        Self::new(rows.into_iter().map(fold).collect())
    }

    fn new(mut all: Vec<Fold>) -> Self {
        all.sort_by_key(|fold| fold.at);
        assert!(!all.is_empty(), "nothing of the pulse was folded");
        Self(all)
    }

    /// How long events that were sent from `since` on waited at most: for each shard and partition that
    /// `counts`, until the first of them was folded.
    pub fn first_wait(&self, since: i64, counts: impl Fn(u32) -> bool) -> i64 {
        let mut first = BTreeMap::<(u16, u32), i64>::new();
        for fold in self.0.iter().filter(|fold| fold.sent >= since && counts(fold.partition)) {
            first.entry((fold.shard, fold.partition)).or_insert(fold.at - since);
        }
        first.into_values().max().unwrap_or(0)
    }

    /// When an opening of `shard` after `epoch` folded something for the first time.
    pub fn first_of_next(&self, shard: u16, epoch: u64) -> Option<i64> {
        let mut of = self.0.iter().filter(|fold| fold.shard == shard && fold.epoch > epoch);
        of.next().map(|fold| fold.at)
    }

    /// How long each shard that was handed off took no input.
    pub fn gaps(&self, moves: &[Moved]) -> Vec<i64> {
        let gap = |moved: &Moved| Some(self.first_of_next(moved.shard, moved.epoch)? - moved.at);
        moves.iter().filter_map(gap).collect()
    }

    /// When opening `epoch` of `shard` folded the last of what it has stored.
    pub fn last_of(&self, shard: u16, epoch: u64) -> Option<i64> {
        self.0.iter().rfind(|fold| fold.shard == shard && fold.epoch == epoch).map(|fold| fold.at)
    }

    /// The longest time between `from` and `to` in which a shard folded nothing; `apart` looks at each
    /// source partition by itself.
    pub fn longest(&self, span: (i64, i64), apart: bool) -> i64 {
        self.longest_of(span, apart, |_| true)
    }

    /// The same of the events that `counts`.
    pub fn longest_of(
        &self,
        (from, to): (i64, i64),
        apart: bool,
        counts: impl Fn(&Fold) -> bool,
    ) -> i64 {
        let mut last = BTreeMap::<(u16, u32), i64>::new();
        let mut longest = 0;
        for fold in self.0.iter().filter(|fold| counts(fold)) {
            let key = (fold.shard, if apart { fold.partition } else { 0 });
            let before = last.insert(key, fold.at).unwrap_or(fold.at);
            if fold.at >= from && before <= to {
                longest = longest.max(fold.at - before);
            }
        }
        longest
    }
}

/// The value that so many percent do not exceed.
pub fn percentile(values: &[i64], percent: usize) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

/// Half of the values, 99 % and all of them do not exceed these.
pub fn spread(values: &[i64]) -> String {
    let [half, most, all] = [50, 99, 100].map(|percent| percentile(values, percent));
    format!("median {half} ms, p99 {most} ms, max {all} ms (n = {})", values.len())
}

#[test]
fn gaps_are_found_where_they_are() {
    let fold =
        |shard, partition, sent, at| Fold { shard, partition, sent, at, epoch: sent as u64 / 40 };
    let folds = Folds::new(vec![
        fold(0, 0, 0, 10),
        fold(0, 1, 20, 30),
        fold(1, 0, 20, 31),
        fold(0, 0, 40, 940),
        fold(0, 1, 60, 70),
        fold(1, 0, 60, 90),
    ]);
    assert_eq!(folds.longest((0, 1000), false), 870);
    assert_eq!(folds.longest((0, 1000), true), 930);
    assert_eq!(folds.longest((0, 70), false), 870, "it begins with what was folded at the end");
    assert_eq!(folds.longest((0, 69), false), 59);
    assert_eq!(folds.first_of_next(0, 0), Some(70));
    assert_eq!(folds.first_of_next(0, 1), None);
    assert_eq!(folds.last_of(0, 0), Some(30));
    assert_eq!(folds.first_wait(40, |partition| partition == 0), 900);
    assert_eq!(folds.first_wait(40, |partition| partition == 1), 30);
    let values: Vec<i64> = (1..=200).rev().collect();
    assert_eq!(percentile(&values, 99), 198);
    assert_eq!(percentile(&[7], 99), 7);
}
