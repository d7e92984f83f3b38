//! The laws of the schedule.

use std::collections::BTreeMap;
use std::time::Duration;

use naap_protocol::slice::{DirtySlices, HOUR_MS};
use naap_protocol::time::Timestamp;
use proptest::prelude::*;

use super::{Marks, Schedule};

const NOW: Timestamp = Timestamp(100 * HOUR_MS);

fn marks(shard: u16, org: &str, slices: &[(i64, u64)]) -> Marks {
    let hours = slices.iter().map(|(hour, cycle)| (Timestamp(hour * HOUR_MS), *cycle)).collect();
    Marks { shard, epoch: 1, dirty: DirtySlices(BTreeMap::from([(org.to_owned(), hours)])) }
}

fn later(ms: i64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

fn schedule() -> Schedule {
    Schedule::new(Duration::from_secs(15), false)
}

#[test]
fn a_busy_hour_is_computed_once_per_debounce() {
    let mut schedule = schedule();
    for cycle in 1..=15 {
        assert_eq!(schedule.mark(marks(0, "a", &[(99, cycle)]), later(cycle as i64 * 1000)), None);
        assert_eq!(schedule.next(later(cycle as i64 * 1000), false), None, "{cycle}");
    }
    let batch = schedule.next(later(16_000), false).unwrap();
    assert_eq!((batch.org.as_str(), batch.hours.len()), ("a", 1));
    assert_eq!(schedule.oldest(), Some(later(1000)));
    assert_eq!(schedule.done(later(17_000)), [marks(0, "a", &[(99, 15)])]);
    assert!(schedule.is_empty());
}

#[test]
fn rows_that_come_during_a_computation_make_another_one() {
    let mut schedule = schedule();
    schedule.mark(marks(0, "a", &[(9, 1)]), NOW);
    assert!(schedule.next(NOW, true).is_some());
    // Named again without news: the computation has seen it.
    assert_eq!(schedule.mark(marks(0, "a", &[(9, 1)]), NOW), None);
    assert_eq!(schedule.len(), 1);
    schedule.mark(marks(0, "a", &[(9, 2)]), NOW);
    assert_eq!(schedule.next(NOW, true), None, "one computation at a time");
    assert_eq!(schedule.done(NOW), [marks(0, "a", &[(9, 1)])]);
    assert!(schedule.next(NOW, true).is_some());
    assert_eq!(schedule.done(NOW), [marks(0, "a", &[(9, 2)])]);
}

#[test]
fn an_answer_that_got_lost_is_repeated_without_a_computation() {
    let mut schedule = schedule();
    schedule.mark(marks(0, "a", &[(9, 4)]), NOW);
    schedule.next(NOW, true);
    schedule.done(NOW);
    assert_eq!(schedule.mark(marks(0, "a", &[(9, 4)]), NOW), Some(marks(0, "a", &[(9, 4)])));
    assert!(schedule.is_empty());
    // A new epoch counts its cycles anew: what it names is not known.
    let opened = Marks { epoch: 2, ..marks(0, "a", &[(9, 0)]) };
    assert_eq!(schedule.mark(opened, NOW), None);
    assert_eq!(schedule.len(), 1);
}

#[test]
fn a_failure_waits_and_forgets_nothing() {
    let mut schedule = schedule();
    schedule.mark(marks(0, "a", &[(9, 1)]), NOW);
    schedule.next(NOW, true);
    schedule.mark(marks(1, "a", &[(9, 7)]), NOW);
    schedule.failed(later(5000));
    assert_eq!(schedule.next(later(4999), false), None);
    assert!(schedule.next(later(5000), false).is_some());
    assert_eq!(schedule.done(NOW), [marks(0, "a", &[(9, 1)]), marks(1, "a", &[(9, 7)])]);
}

#[test]
fn an_hour_that_has_not_begun_is_due_when_it_has() {
    let mut schedule = schedule();
    assert_eq!(schedule.mark(marks(0, "a", &[(99, 1), (101, 1)]), NOW), None);
    let batch = schedule.next(later(15_000), false).unwrap();
    assert_eq!(batch.hours, [Timestamp(99 * HOUR_MS)]);
    assert_eq!(schedule.done(later(15_000)), [marks(0, "a", &[(99, 1)])]);
    assert_eq!(schedule.oldest(), Some(later(HOUR_MS)), "it does not wait yet");
    assert_eq!(schedule.next(later(HOUR_MS + 14_999), false), None);
    assert!(schedule.next(later(HOUR_MS + 15_000), false).is_some());
    assert_eq!(schedule.done(later(HOUR_MS + 15_000)), [marks(0, "a", &[(101, 1)])]);

    let absurd = marks(0, "a", &[(127, 1)]);
    assert_eq!(schedule.mark(absurd.clone(), NOW), Some(absurd.clone()));
    let mut replay = Schedule::new(Duration::ZERO, true);
    assert_eq!(replay.mark(absurd, NOW), None);
    assert_eq!(replay.next(NOW, false), None, "a replay computes at its end");
    assert!(replay.next(NOW, true).is_some());
}

#[test]
fn a_batch_is_of_one_organisation_and_a_day_at_most() {
    let mut schedule = schedule();
    let hours: Vec<(i64, u64)> = (0..30).map(|hour| (hour, 1)).collect();
    schedule.mark(marks(0, "b", &hours), NOW);
    schedule.mark(marks(0, "a", &[(3, 1)]), later(1));
    let mut sizes = Vec::new();
    while let Some(batch) = schedule.next(later(2), true) {
        sizes.push((batch.org, batch.hours.len()));
        schedule.done(later(2));
    }
    assert_eq!(sizes, [("b".to_owned(), 24), ("b".to_owned(), 6), ("a".to_owned(), 1)]);
}

proptest! {
    /// Whatever is marked, computed, lost or failed in whatever order: in the end every shard has heard
    /// of each of its slices an answer for its newest cycle, by a computation that began after the mark.
    #[test]
    fn every_mark_is_answered_by_a_later_computation(
        steps in prop::collection::vec((0u16..3, 0i64..4, 0u8..5), 1..60),
    ) {
        let mut schedule = schedule();
        let mut dirty: BTreeMap<u16, DirtySlices> = BTreeMap::new();
        let (mut begun, mut marked) = (0u32, BTreeMap::new());
        let mut computed: BTreeMap<i64, u32> = BTreeMap::new();
        let mut running = Vec::new();
        for (cycle, (shard, hour, action)) in steps.into_iter().enumerate() {
            let cycle = cycle as u64 + 1;
            let known = dirty.entry(shard).or_default();
            match action {
                0 | 1 => {
                    let news = marks(shard, "a", &[(hour, cycle)]).dirty;
                    for (hour, cycle) in &news.0["a"] {
                        known.0.entry("a".to_owned()).or_default().insert(*hour, *cycle);
                    }
                    marked.insert((shard, hour), begun);
                    let named = Marks { shard, epoch: 1, dirty: known.clone() };
                    if let Some(answer) = schedule.mark(named, NOW) {
                        known.settle(&answer.dirty);
                    }
                }
                2 => if let Some(batch) = schedule.next(NOW, true) {
                    begun += 1;
                    running = batch.hours;
                },
                3 => for answer in schedule.done(NOW) {
                    for hour in &running {
                        computed.insert(hour.0 / HOUR_MS, begun);
                    }
                    if let Some(known) = dirty.get_mut(&answer.shard) {
                        known.settle(&answer.dirty);
                    }
                },
                _ => schedule.failed(NOW),
            }
            for ((shard, hour), before) in &marked {
                let hours = dirty.get(shard).and_then(|known| known.0.get("a"));
                let open = hours.is_some_and(|hours| hours.contains_key(&Timestamp(hour * HOUR_MS)));
                let seen = computed.get(hour).is_some_and(|number| number > before);
                prop_assert!(open || seen, "shard {shard} hour {hour} was settled too early");
            }
        }
    }
}
