//! The laws of placement, and how even it is.

use proptest::prelude::*;

use super::*;

fn names() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set("[a-z0-9-]{1,12}", 1..8)
        .prop_map(|names| names.into_iter().collect())
}

fn full(names: &[String], shards: u16) -> Placement {
    Placement::new(names.iter().map(Member::full), shards)
}

proptest! {
    #[test]
    fn only_what_the_joiner_wins_moves(names in names(), joiner in "[A-Z]{1,8}", shards in 1..600_u16) {
        let before = full(&names, shards);
        let after = Placement::new(before.members().iter().cloned().chain([Member::full(joiner.as_str())]), shards);
        for step in before.moves(&after) {
            prop_assert_eq!(step.to, Some(joiner.as_str()));
        }
        prop_assert_eq!(before.moves(&after).count(), after.shards_of(&joiner).count());
        prop_assert_eq!(after.without(&joiner), before, "a leave undoes a join");
    }

    #[test]
    fn only_what_the_leaver_owned_moves(names in names(), pick: prop::sample::Index, shards in 1..600_u16) {
        let before = full(&names, shards);
        let leaver = pick.get(&names).as_str();
        let after = before.without(leaver);
        for step in before.moves(&after) {
            prop_assert_eq!(step.from, Some(leaver));
        }
        prop_assert_eq!(before.moves(&after).count(), before.shards_of(leaver).count());
    }

    #[test]
    fn order_and_repetition_do_not_matter(
        (names, shuffled) in names().prop_flat_map(|n| (Just(n.clone()), Just(n).prop_shuffle())),
    ) {
        let one = full(&names, 64);
        let other = Placement::new(shuffled.iter().chain(&names).map(Member::full), 64);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_lower_weight_only_gives_away(names in names(), pick: prop::sample::Index, low in 0..FULL_WEIGHT) {
        let before = full(&names, 128);
        let slow = pick.get(&names).as_str();
        let weight = |name: &String| if name == slow { low } else { FULL_WEIGHT };
        let members = names.iter().map(|name| Member { name: name.clone(), weight: weight(name) });
        let after = Placement::new(members, 128);
        for step in before.moves(&after) {
            prop_assert_eq!(step.from, Some(slow));
        }
        if low == 0 {
            prop_assert_eq!(after.shards_of(slow).count(), 0);
            prop_assert_eq!(&after.winners.len(), &before.winners.len());
        }
    }

    #[test]
    fn every_shard_has_one_owner_if_anybody_has_weight(names in names(), shards in 0..600_u16) {
        let table = full(&names, shards);
        let owned: usize = names.iter().map(|name| table.shards_of(name).count()).sum();
        prop_assert_eq!(owned, usize::from(shards));
    }
}

#[test]
fn nobody_owns_where_nobody_can() {
    let draining = Member { name: "a".into(), weight: 0 };
    for table in [Placement::new([], 4), Placement::new([draining], 4)] {
        assert!((0..5).all(|shard| table.owner(shard).is_none()));
    }
    assert_eq!(Placement::new([Member::full("a")], 4).owner(4), None, "there is no such shard");
}

/// Nodes of different builds must agree: a change here needs a new routing version.
#[test]
fn the_table_is_fixed_for_ever() {
    let table = Placement::new(["naap-0", "naap-1", "naap-2"].map(Member::full), 16);
    let owners: Vec<&str> = (0..16).filter_map(|shard| table.owner(shard)).collect();
    let digits: String = owners.iter().map(|name| &name[5..]).collect();
    assert_eq!(digits, "2011222222121002");
}

const SETS: u64 = 250;

/// Random member sets of one size, named as the pods of a set are; four sizes make 1,000 sets.
fn sets(size: usize) -> impl Iterator<Item = Vec<Member>> {
    (0..SETS).map(move |set| {
        let name =
            |n: usize| format!("{:x}-{n}", xxh3_64_with_seed(b"set", set * 10 + size as u64));
        (0..size).map(|n| Member::full(name(n))).collect()
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn shares_are_even_and_moves_are_few() {
    for (shards, limit) in [(64_u16, 1.4), (512, 1.15)] {
        for size in 2..=5_usize {
            let mean = f64::from(shards) / size as f64;
            let (mut fullest, mut joins, mut leaves) = (Vec::new(), 0, 0);
            for members in sets(size) {
                let table = Placement::new(members.clone(), shards);
                let most = members.iter().map(|m| table.shards_of(&m.name).count()).max();
                fullest.push(most.unwrap_or(0) as f64 / mean);
                let without = table.without(&members[0].name);
                leaves += table.moves(&without).count();
                let more = Placement::new(members.into_iter().chain([Member::full("new")]), shards);
                joins += table.moves(&more).count();
            }
            let all = f64::from(shards) * SETS as f64;
            let (fullest, left) = (median(fullest), leaves as f64 / all);
            let joined = joins as f64 / all;
            assert!(fullest <= limit, "{size} of {shards}: fullest {fullest} x mean");
            assert!(left <= 1.3 / size as f64, "{size} of {shards}: a leave moves {left}");
            assert!(joined <= 1.3 / (size + 1) as f64, "{size} of {shards}: a join moves {joined}");
        }
    }
}

#[test]
fn weights_scale_shares() {
    let (mut light, mut all) = (0, 0);
    for mut members in sets(3) {
        members[1].weight = FULL_WEIGHT / 4;
        light += Placement::new(members.clone(), 64).shards_of(&members[1].name).count();
        all += 64;
    }
    let share = f64::from(light as u32) / f64::from(all);
    assert!((share - 1.0 / 9.0).abs() < 0.01, "2 of 18 is a ninth, not {share}");
}
