use proptest::prelude::*;
use proptest::sample::Index as Pick;

use super::super::advertise::Offer;
use super::*;

const HOUR: i64 = 3_600_000;

/// One offer per model; models are separated by `+`.
fn content(models: &str) -> Content {
    let offer =
        |model: &str| Offer { pipeline: "llm".to_owned(), model: model.to_owned(), gpus: vec![] };
    Content { offers: models.split('+').map(offer).collect(), aliases: vec![] }
}

/// Every uid tells another capacity, the smaller the more, so that moments have several.
fn slots(uid: &str) -> Capacities {
    let slots = uid.bytes().map(|byte| -i64::from(byte)).sum();
    [(String::from("m"), slots)].into_iter().collect()
}

fn ad(canonical: &str, ts: i64, model: &str, uid: &str) -> Advertisement {
    Advertisement {
        node: Node { canonical: canonical.to_owned(), url: String::new() },
        event_ts: Timestamp(ts),
        uid: uid.to_owned(),
        content: content(model),
        capacities: slots(uid),
    }
}

fn fold<'a>(ads: impl IntoIterator<Item = &'a Advertisement>) -> Index {
    let mut index = Index::default();
    for ad in ads {
        index.insert(ad);
    }
    index
}

/// Models and times of the runs of node `a`; a conflict ends in `!`.
fn runs(index: &Index) -> Vec<(String, Vec<i64>)> {
    let runs =
        index.nodes().filter(|(node, _)| node.canonical == "a").flat_map(|(_, r)| r.as_slice());
    runs.map(|run| {
        let models: Vec<&str> = run.content.offers.iter().map(|o| o.model.as_str()).collect();
        let mark = if run.conflicting { "!" } else { "" };
        (models.join("+") + mark, run.seen.iter().map(|seen| seen.ts.0).collect())
    })
    .collect()
}

/// The state by definition: the set of advertisements per moment, run-length encoded.
fn specified(ads: &[Advertisement]) -> Index {
    let newest = ads.iter().map(|ad| ad.event_ts).max();
    let mut index = Index { newest, ..Index::default() };
    let horizon = index.horizon();
    let mut moments: BTreeMap<(Node, Timestamp), Run> = BTreeMap::new();
    for ad in ads.iter().filter(|ad| ad.event_ts >= horizon) {
        let seen =
            || Seen { ts: ad.event_ts, uid: ad.uid.clone(), capacities: ad.capacities.clone() };
        let single = || Run::single(ad.content.clone(), false, seen());
        let run = moments.entry((ad.node.clone(), ad.event_ts)).or_insert_with(single);
        run.conflicting |= run.content != ad.content;
        run.content = run.content.union(&ad.content);
        if ad.uid < run.seen[0].uid {
            run.seen[0].uid.clone_from(&ad.uid);
        }
        run.seen[0].capacities = greatest(&run.seen[0].capacities, &ad.capacities);
    }
    for ((node, _), run) in moments {
        let runs = &mut index.nodes.entry(node).or_default().runs;
        match runs.last_mut() {
            Some(last) if !run.conflicting && last.takes(&run.content) => {
                last.seen.extend(run.seen);
            }
            _ => runs.push(run),
        }
    }
    for runs in index.nodes.values_mut() {
        let surplus = runs.runs.len().saturating_sub(MAX_RUNS);
        runs.floor = runs.runs.drain(..surplus).next_back().map(|run| run.last());
    }
    index
}

#[test]
fn unchanged_advertisements_extend_a_run_and_changed_ones_start_one() {
    let ads = [
        ad("a", 10, "m", "1"),
        ad("a", 20, "m", "2"),
        ad("a", 30, "n", "3"),
        ad("a", 40, "m", "4"),
    ];
    let want = [("m", vec![10, 20]), ("n", vec![30]), ("m", vec![40])];
    let want = want.map(|(model, times)| (model.to_owned(), times));
    assert_eq!(runs(&fold(&ads)), want);
    assert_eq!(runs(&fold(ads.iter().rev())), want);
}

#[test]
fn insertion_says_what_happened() {
    let mut index = Index::default();
    assert_eq!(index.insert(&ad("a", 10, "m", "2")), Inserted::Changed);
    assert_eq!(index.insert(&ad("a", 10, "m", "2")), Inserted::Known);
    assert_eq!(index.insert(&ad("a", 10, "m", "3")), Inserted::Known);
    assert_eq!(index.insert(&ad("a", 10, "m", "1")), Inserted::Changed);
    assert_eq!(index.insert(&ad("a", 10 + HORIZON_MS, "m", "4")), Inserted::Changed);
    assert_eq!(index.insert(&ad("a", 9, "m", "5")), Inserted::TooOld);
    assert_eq!(runs(&index), [("m".to_owned(), vec![10, 10 + HORIZON_MS])]);
}

#[test]
fn contents_of_the_same_moment_are_united() {
    let ads = [
        ad("a", 10, "m", "1"),
        ad("a", 20, "m", "2"),
        ad("a", 30, "m", "3"),
        ad("a", 20, "n", "0"),
        ad("a", 20, "m", "9"),
    ];
    let index = fold(&ads);
    let want = [("m", vec![10]), ("m+n!", vec![20]), ("m", vec![30])];
    assert_eq!(runs(&index), want.map(|(model, times)| (model.to_owned(), times)));
    let (_, node) = index.nodes().next().unwrap();
    assert_eq!(node.as_slice()[1].seen()[0].uid, "0");
}

#[test]
fn only_older_advertisements_leave_at_the_horizon() {
    let new = 1_000 * HOUR;
    // V85: an old event that arrives late never evicts; a new one evicts what is older than 48 h.
    let late = [ad("a", new, "m", "1"), ad("a", 0, "m", "2")];
    assert_eq!(runs(&fold(&late)), [("m".to_owned(), vec![new])]);
    assert_eq!(fold(&late), fold(late.iter().rev()));
    // Another node's event moves the horizon too, and an emptied node is gone.
    let mut index = fold(&[ad("a", 0, "m", "1"), ad("b", HORIZON_MS, "m", "2")]);
    assert_eq!(index.nodes().count(), 2);
    index.insert(&ad("b", HORIZON_MS + 1, "m", "3"));
    assert_eq!(index.nodes().count(), 1);
    index.advance(Timestamp(5));
    assert_eq!(index.newest(), Some(Timestamp(HORIZON_MS + 1)));
    index.advance(Timestamp(5 * HORIZON_MS));
    assert_eq!(index.nodes().count(), 0);
}

#[test]
fn the_newest_256_runs_stay() {
    let ads: Vec<_> =
        (0..300).map(|i| ad("a", i * 10, if i % 2 == 0 { "m" } else { "n" }, "u")).collect();
    let index = fold(&ads);
    let (_, node) = index.nodes().next().unwrap();
    assert_eq!(node.as_slice().len(), MAX_RUNS);
    assert_eq!(node.as_slice()[0].first(), Timestamp(440));
    assert_eq!(index, fold(ads.iter().rev()));
    // Selections whose window reaches into what was given up are not covered.
    assert!(!index.covers(Timestamp(430 + WINDOW_MS)));
    assert!(index.covers(Timestamp(431 + WINDOW_MS)));
}

#[test]
fn coverage_ends_a_day_after_the_horizon() {
    let index = fold(&[ad("a", 100 * HOUR, "m", "1")]);
    assert!(index.covers(Timestamp(76 * HOUR)));
    assert!(!index.covers(Timestamp(76 * HOUR - 1)));
    assert!(Index::default().covers(Timestamp(0)));
}

#[test]
fn intervals_join_runs_that_differ_in_case_and_end_after_a_day() {
    let mut other = ad("a", 50 * HOUR, "M", "3");
    other.content.aliases.push("0xhot".to_owned());
    let ads = [
        ad("a", 20 * HOUR, "m", "0"),
        ad("a", 30 * HOUR, "m", "1"),
        ad("a", 40 * HOUR, "m", "2"),
        other,
        ad("a", 60 * HOUR, "n", "4"),
    ];
    let index = fold(&ads);
    let (_, node) = index.nodes().next().unwrap();
    let seen = |t: i64| -> Vec<Vec<i64>> {
        let intervals = node.intervals(Timestamp(t * HOUR));
        intervals.iter().map(|i| i.seen().map(|s| s.ts.0 / HOUR).collect()).collect()
    };
    assert_eq!(seen(45), [vec![30, 40, 50], vec![60]]);
    assert_eq!(seen(54), [vec![30, 40, 50], vec![60]]);
    assert_eq!(seen(84), [vec![60]]);
    assert_eq!(seen(85), Vec::<Vec<i64>>::new());
    let interval = &node.intervals(Timestamp(45 * HOUR))[0];
    assert_eq!(interval.content().offers[0].model, "m");
    assert_eq!(interval.aliases().collect::<Vec<_>>(), ["0xhot"]);
}

#[test]
fn a_merge_keeps_what_the_other_side_gave_up() {
    let model = |i: i64| if i % 2 == 0 { "m" } else { "n" };
    let ads: Vec<_> = (1..=257).map(|i| ad("a", i * 10, model(i), "u")).collect();
    let full = fold(&ads);
    let merge = |left: &Index, right: &Index| {
        let mut merged = left.clone();
        merged.merge(right);
        merged
    };
    assert_eq!(merge(&Index::default(), &full), full);
    assert_eq!(merge(&full, &Index::default()), full);
    // It equals the first run that is kept, but what was given up lay between them.
    let older = fold(&[ad("a", 5, model(2), "u")]);
    assert_eq!(merge(&older, &full), full);
    assert_eq!(merge(&full, &older), full);
}

/// Few nodes, moments, models and uids, so that they meet; some moments are beyond the horizon.
fn advertisements() -> impl Strategy<Value = Vec<Advertisement>> {
    let one = (0..2_u8, 0..40_i64, models(), 0..4_u8).prop_map(|(node, moment, models, uid)| {
        let node = if node == 0 { "a" } else { "b" };
        ad(node, moment * 2 * HOUR, models, &uid.to_string())
    });
    proptest::collection::vec(one, 0..60)
}

fn models() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["m", "n", "m+n"])
}

/// Many changes of one node, so that the bound on runs is met; the horizon moves among them.
fn flapping() -> impl Strategy<Value = Vec<Advertisement>> {
    let one =
        (0..500_i64, models()).prop_map(|(moment, models)| ad("a", moment * 100, models, "u"));
    let newest = (0..500_i64).prop_map(|moment| ad("b", HORIZON_MS + moment * 100, "m", "u"));
    (proptest::collection::vec(one, 400..900), proptest::option::of(newest))
        .prop_map(|(ads, newest)| ads.into_iter().chain(newest).collect())
}

fn disordered(ads: &[Advertisement], picks: &[Pick]) -> Vec<Advertisement> {
    let mut ads = ads.to_vec();
    for (at, pick) in picks.iter().enumerate().take(ads.len()) {
        let other = pick.index(ads.len());
        ads.swap(at, other);
    }
    let again: Vec<_> =
        picks.iter().filter(|_| !ads.is_empty()).map(|p| p.get(&ads).clone()).collect();
    ads.extend(again);
    ads
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_matter(
        ads in advertisements(),
        picks in proptest::collection::vec(any::<Pick>(), 0..60),
    ) {
        let want = specified(&ads);
        prop_assert_eq!(&fold(&ads), &want);
        prop_assert_eq!(&fold(&disordered(&ads, &picks)), &want);
    }

    #[test]
    fn merging_parts_is_the_whole(ads in advertisements(), cut: Pick, from: Pick) {
        let end = cut.index(ads.len() + 1);
        let start = from.index(end + 1);
        let (left, right) = (fold(&ads[..end]), fold(&ads[start..]));
        let want = fold(&ads);
        let merge = |a: &Index, b: &Index| {
            let mut merged = a.clone();
            merged.merge(b);
            merged
        };
        prop_assert_eq!(&merge(&left, &right), &want);
        prop_assert_eq!(&merge(&right, &left), &want);
        prop_assert_eq!(&merge(&want, &want), &want);
    }

    #[test]
    fn pruning_changes_no_covered_interval(ads in advertisements(), t in 0..80_i64) {
        let t = Timestamp(t * HOUR);
        let index = fold(&ads);
        prop_assume!(index.covers(t));
        // The same without any horizon: only what lies around `t`.
        let near: Vec<_> =
            ads.iter().filter(|ad| (ad.event_ts.0 - t.0).abs() <= WINDOW_MS).cloned().collect();
        let near = specified(&near);
        for (node, runs) in near.nodes() {
            prop_assert_eq!(index.nodes[node].intervals(t), runs.intervals(t));
        }
        for (node, runs) in index.nodes() {
            prop_assert!(near.nodes.contains_key(node) || runs.intervals(t).is_empty());
        }
    }

    #[test]
    fn a_snapshot_reads_back(ads in advertisements()) {
        let index = fold(&ads);
        let bytes = rmp_serde::to_vec(&index).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<Index>(&bytes).unwrap(), index);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_bound_on_runs_is_free_of_order(
        ads in flapping(),
        picks in proptest::collection::vec(any::<Pick>(), 900),
        cut: Pick,
    ) {
        let want = specified(&ads);
        prop_assert_eq!(&fold(&ads), &want);
        let other = disordered(&ads, &picks);
        prop_assert_eq!(&fold(&other), &want);
        let (left, right) = other.split_at(cut.index(other.len()));
        let mut merged = fold(left);
        merged.merge(&fold(right));
        prop_assert_eq!(&merged, &want);
    }
}

#[test]
fn an_unbounded_index_gives_nothing_up_and_is_stored_as_any_other() {
    let ads: Vec<Advertisement> =
        (0..400).map(|n| ad("a", n * HOUR, if n % 2 == 0 { "m1" } else { "m2" }, "uid")).collect();
    let mut unbounded = Index::unbounded();
    for ad in ads.iter().rev() {
        assert_eq!(unbounded.insert(ad), Inserted::Changed);
    }
    assert_eq!(runs(&unbounded).len(), 400);
    assert!(unbounded.covers(Timestamp(0)) && !fold(&ads).covers(Timestamp(0)));
    let stored = rmp_serde::to_vec(&unbounded).unwrap();
    let restored: Index = rmp_serde::from_slice(&stored).unwrap();
    assert_eq!(restored, Index { unbounded: false, ..unbounded });
}

#[test]
fn what_is_given_up_is_counted() {
    let mut index = Index::default();
    let (mut behind_horizon, mut over_limit) = (0, 0);
    let mut take = |index: &mut Index, ts: i64, model: &str| {
        let taken = index.take(&ad("a", ts, model, "u"));
        behind_horizon += taken.behind_horizon;
        over_limit += taken.over_limit;
        (behind_horizon, over_limit)
    };
    for n in 0..300 {
        take(&mut index, n, if n % 2 == 0 { "m1" } else { "m2" });
    }
    assert_eq!((index.len(), take(&mut index, 300, "m1")), (MAX_RUNS, (0, 45)));
    let later = 300 + HORIZON_MS;
    assert_eq!(take(&mut index, later, "m1"), (255, 45), "all but the last, which is continued");
    assert_eq!((index.len(), index.is_empty()), (1, false));
}
