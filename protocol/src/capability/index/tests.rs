use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index as Pick;

use super::super::advertise::{Capacities, Offer, greatest};
use super::runs::Said;
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
        content_hash: 0,
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
    let mut moments: BTreeMap<(Node, Timestamp), BTreeSet<Said>> = BTreeMap::new();
    for ad in ads.iter().filter(|ad| ad.event_ts >= horizon) {
        let Advertisement { uid, content, capacities, content_hash: hash, .. } = ad.clone();
        let said = Said { uid, hash, content, capacities };
        moments.entry((ad.node.clone(), ad.event_ts)).or_default().insert(said);
    }
    for ((node, ts), said) in moments {
        let said: Vec<Said> = said.into_iter().collect();
        let mut content = said[0].content.clone();
        let mut capacities = Capacities::default();
        for said in &said {
            content = content.union(&said.content);
            capacities = greatest(&capacities, &said.capacities);
        }
        let conflicting = said.iter().any(|s| s.content != said[0].content);
        let (uid, hash) = (said[0].uid.clone(), said[0].hash);
        let said = if said.len() > 1 { said } else { Vec::new() };
        let run = Run::single(content, conflicting, Seen { ts, uid, capacities, hash, said });
        let runs = &mut index.nodes.entry(node).or_default().all;
        match runs.last_mut() {
            Some(last) if !run.conflicting && last.takes(&run.content) => {
                last.seen.extend(run.seen);
            }
            _ => runs.push(run),
        }
    }
    for runs in index.nodes.values_mut() {
        let surplus = runs.all.len().saturating_sub(MAX_RUNS);
        runs.floor = runs.all.drain(..surplus).next_back().map(|run| run.last());
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
    // Another event that says the same counts as well, until one of them counts no longer.
    assert_eq!(index.insert(&ad("a", 10, "m", "3")), Inserted::Changed);
    assert_eq!(index.insert(&ad("a", 10, "m", "3")), Inserted::Known);
    assert_eq!(index.insert(&ad("a", 10, "m", "1")), Inserted::Changed);
    assert_eq!(index.insert(&ad("a", 10 + KEPT_MS, "m", "4")), Inserted::Changed);
    assert_eq!(index.insert(&ad("a", 9, "m", "5")), Inserted::TooOld);
    assert_eq!(runs(&index), [("m".to_owned(), vec![10, 10 + KEPT_MS])]);
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
    // V85: an old event that arrives late never evicts; a new one evicts what is older than 96 h.
    let late = [ad("a", new, "m", "1"), ad("a", 0, "m", "2")];
    assert_eq!(runs(&fold(&late)), [("m".to_owned(), vec![new])]);
    assert_eq!(fold(&late), fold(late.iter().rev()));
    // Another node's event moves the horizon too, and an emptied node is gone.
    let mut index = fold(&[ad("a", 0, "m", "1"), ad("b", KEPT_MS, "m", "2")]);
    assert_eq!(index.nodes().count(), 2);
    index.insert(&ad("b", KEPT_MS + 1, "m", "3"));
    assert_eq!(index.nodes().count(), 1);
    index.advance(Timestamp(5));
    assert_eq!(index.newest(), Some(Timestamp(KEPT_MS + 1)));
    index.advance(Timestamp(5 * KEPT_MS));
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
    assert!(index.covers(Timestamp(28 * HOUR)));
    assert!(!index.covers(Timestamp(28 * HOUR - 1)));
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
        ad(node, moment * 4 * HOUR, models, &uid.to_string())
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
    let newest = (0..500_i64).prop_map(|moment| ad("b", KEPT_MS + moment * 100, "m", "u"));
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
    fn pruning_changes_no_covered_interval(ads in advertisements(), t in 0..160_i64) {
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

/// The contract's horizon: what comes up to 48 h behind the newest event corrects all within 24 h of it.
#[test]
fn an_advertisement_at_the_horizon_concerns_only_what_is_covered() {
    let newest = 1_000 * HOUR;
    let mut index = fold(&[ad("a", newest, "m", "1")]);
    let late = newest - HORIZON_MS;
    assert_eq!(index.insert(&ad("a", late, "m", "2")), Inserted::Changed);
    assert!(index.covers(Timestamp(late - WINDOW_MS)));
    assert!(!index.covers(Timestamp(late - WINDOW_MS - 1)));
}

#[test]
fn a_state_that_kept_less_says_so_until_that_is_too_old() {
    let newest = 1_000 * HOUR;
    let kept = fold(&[ad("a", newest, "m", "1")]);
    let stored = rmp_serde::to_vec(&(kept.newest, &kept.nodes)).unwrap();
    let mut index: Index = rmp_serde::from_slice(&stored).unwrap();
    let covered = newest - HORIZON_MS + WINDOW_MS;
    let covers = |index: &Index| [covered - 1, covered].map(|t| index.covers(Timestamp(t)));
    assert_eq!(covers(&index), [false, true]);
    let again: Index = rmp_serde::from_slice(&rmp_serde::to_vec(&index).unwrap()).unwrap();
    assert_eq!(again, index);
    for (one, other) in [(&index, &kept), (&kept, &index)] {
        let mut merged = one.clone();
        merged.merge(other);
        assert_eq!(covers(&merged), [false, true]);
    }
    let mut unbounded = index.clone();
    unbounded.keep_everything();
    assert_eq!(covers(&unbounded), [true, true]);
    index.advance(Timestamp(newest + KEPT_MS - HORIZON_MS));
    assert_eq!(index.since, Since::default());
    assert!(index.covers(Timestamp(covered)) && !index.covers(Timestamp(covered - 1)));
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
    let later = 300 + KEPT_MS;
    assert_eq!(take(&mut index, later, "m1"), (255, 45), "all but the last, which is continued");
    assert_eq!((index.len(), index.is_empty()), (1, false));
}

/// Events whose uids mostly came before, with another content or the same.
fn contested() -> impl Strategy<Value = Vec<Advertisement>> {
    let one = (0..2_u8, 0..12_i64, models(), 0..4_u8, 1..3_u64).prop_map(
        |(node, moment, models, uid, content_hash)| {
            let node = if node == 0 { "a" } else { "b" };
            let uid = uid.to_string();
            Advertisement { content_hash, ..ad(node, moment * 7 * HOUR, models, &uid) }
        },
    );
    proptest::collection::vec(one, 0..24)
}

/// The advertisements of events whose content counts: the smallest of a uid, and what comes more than
/// 48 h after the one that counted before.
fn counting(ads: &[Advertisement]) -> Vec<Advertisement> {
    let mut editions: BTreeMap<&str, BTreeSet<(Timestamp, u64)>> = BTreeMap::new();
    for ad in ads {
        editions.entry(&ad.uid).or_default().insert((ad.event_ts, ad.content_hash));
    }
    for editions in editions.values_mut() {
        let mut last: Option<Timestamp> = None;
        editions.retain(|(ts, _)| {
            let counts = last.is_none_or(|last| ts.millis_since(last) > HORIZON_MS);
            last = last.filter(|_| !counts).or(Some(*ts));
            counts
        });
    }
    let counts = |ad: &&Advertisement| editions[&*ad.uid].contains(&(ad.event_ts, ad.content_hash));
    ads.iter().filter(counts).cloned().collect()
}

/// Times, uids and capacities.
type Told = Vec<(i64, String, Capacities)>;

/// Models, times and uids of what is advertised around `t`, by node.
fn around(index: &Index, t: i64) -> Vec<(String, String, Told)> {
    let t = Timestamp(t);
    let all = index.nodes().flat_map(|(node, runs)| {
        runs.intervals(t).into_iter().map(move |interval| {
            let models: Vec<&str> =
                interval.content().offers.iter().map(|offer| offer.model.as_str()).collect();
            let seen = interval.seen();
            let seen = seen.map(|seen| (seen.ts.0, seen.uid.clone(), seen.capacities.clone()));
            (node.canonical.clone(), models.join("+"), seen.collect())
        })
    });
    all.collect()
}

proptest! {
    #[test]
    fn of_the_contents_of_a_uid_the_smallest_counts(
        ads in contested(),
        picks in proptest::collection::vec(any::<Pick>(), 0..24),
        cut: Pick,
        t in 0..80_i64,
    ) {
        let index = fold(&ads);
        let counting = fold(&counting(&ads));
        prop_assert_eq!(around(&index, t * HOUR), around(&counting, t * HOUR));
        let other = disordered(&ads, &picks);
        prop_assert_eq!(&fold(&other), &index);
        let (left, right) = other.split_at(cut.index(other.len() + 1));
        let mut merged = fold(left);
        merged.merge(&fold(right));
        prop_assert_eq!(&merged, &index);
        let stored = rmp_serde::to_vec(&index).unwrap();
        prop_assert_eq!(&rmp_serde::from_slice::<Index>(&stored).unwrap(), &index);
    }
}

#[test]
fn a_content_that_counts_no_longer_is_news_for_its_own_time() {
    let hashed = |ts: i64, model: &str, content_hash: u64| Advertisement {
        content_hash,
        ..ad("a", ts, model, "u")
    };
    let mut index = Index::default();
    let taken = index.take(&hashed(20, "m", 5));
    assert_eq!((taken.inserted, taken.contested), (Inserted::Changed, None));
    assert_eq!(index.take(&hashed(20, "m", 5)).contested, None, "it is delivered again");
    let taken = index.take(&hashed(10, "n", 7));
    let reach = Some((Timestamp(10), Timestamp(20)));
    assert_eq!((taken.inserted, taken.contested), (Inserted::Changed, reach));
    assert_eq!(around(&index, 30), [("a".into(), "n".into(), vec![(10, "u".into(), slots("u"))])]);
    // The one that is displaced comes again, and a third one.
    assert_eq!(index.take(&hashed(20, "m", 5)).inserted, Inserted::Known);
    assert_eq!(index.take(&hashed(20, "x", 4)).contested, reach);
    assert_eq!(around(&index, 30).len(), 1);
    // What a build before wrote has no hash and is not judged.
    assert_eq!(index.take(&hashed(25, "o", 0)).contested, None);
    assert_eq!(around(&index, 30).len(), 2);
    // More than two days later the uid may say something new; what does not count prolongs nothing.
    for (later, models) in [(10 + HORIZON_MS, vec![]), (11 + HORIZON_MS, vec!["m"])] {
        assert!(index.take(&hashed(later, "m", 5)).contested.is_some());
        let around = around(&index, later);
        assert_eq!(around.iter().map(|found| found.1.as_str()).collect::<Vec<_>>(), models);
    }
}

#[test]
fn a_displaced_content_does_not_come_back_when_the_one_that_counts_is_gone() {
    let hashed = |hours: i64, content_hash: u64| Advertisement {
        content_hash,
        ..ad("a", hours * HOUR, "m", "u")
    };
    let mut index = fold(&[hashed(0, 1), hashed(30, 2), hashed(60, 3)]);
    index.advance(Timestamp(KEPT_MS + 1));
    let stored = rmp_serde::to_vec(&index).unwrap();
    for index in [&index, &rmp_serde::from_slice(&stored).unwrap()] {
        let times: Vec<i64> =
            around(index, 45 * HOUR).iter().flat_map(|f| f.2.iter().map(|s| s.0 / HOUR)).collect();
        assert_eq!(times, [60]);
    }
    index.advance(Timestamp(60 * HOUR + KEPT_MS + 1));
    assert!(index.contested.is_empty() && index.is_empty());
}
