use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const STEP: Duration = Duration::from_millis(500);

/// Node `a`, with a topic, and what it hears of others.
struct Stage {
    now: Instant,
    a: Membership,
}

impl Stage {
    fn new(topic: bool) -> Self {
        let now = Instant::now();
        Self { now, a: Membership::new("a", 10, Timing::default(), topic, now) }
    }

    /// Lets `steps` beats pass, in each of which `each` happens.
    fn steps(&mut self, steps: u32, mut each: impl FnMut(&mut Membership, Instant, u32)) {
        for step in 0..steps {
            self.now += STEP;
            each(&mut self.a, self.now, step);
            self.a.tick(self.now);
        }
    }

    fn state(&self, node: &str) -> (Standing, bool) {
        let view = self.a.view(self.now);
        let member = view.iter().find(|member| member.node == node).unwrap();
        (member.standing, member.suspect)
    }

    /// Who takes shards.
    fn up(&self) -> Vec<String> {
        let placement = self.a.members(self.now).placement(1);
        placement.members().iter().map(|member| member.name.clone()).collect()
    }
}

fn beat(node: &str, incarnation: u64, sequence: u64, phase: Phase) -> Beat {
    Beat { node: node.to_owned(), incarnation, sequence, phase }
}

fn own(a: &mut Membership, now: Instant) {
    let beat = a.beat();
    a.seen(&beat, now);
}

#[test]
fn a_node_is_up_when_it_had_time_to_hear_of_the_others() {
    let mut alone = Stage::new(false);
    alone.steps(3, |_, _, _| ());
    assert_eq!((alone.a.phase(), alone.up().len()), (Phase::Joining, 0));
    alone.steps(1, |_, _, _| ());
    assert_eq!((alone.a.phase(), alone.up().len()), (Phase::Up, 1));

    let mut held = Stage::new(false);
    held.a.hold(true);
    held.steps(20, |_, _, _| ());
    assert_eq!(held.a.phase(), Phase::Joining, "nobody would serve its shards");
    held.a.hold(false);
    held.steps(1, |_, _, _| ());
    assert_eq!(held.a.phase(), Phase::Up);

    let mut stage = Stage::new(true);
    stage.steps(20, |_, _, _| ());
    assert_eq!(stage.a.phase(), Phase::Joining, "the topic was not read yet");
    stage.steps(4, |a, now, _| own(a, now));
    assert_eq!(stage.a.phase(), Phase::Up);
}

#[test]
fn one_sign_keeps_a_member_and_both_missing_end_it() {
    let mut stage = Stage::new(true);
    let b = |sequence: u32| beat("b", 7, sequence.into(), Phase::Up);
    stage.a.linked("b", 7, stage.now);
    stage.steps(4, |a, now, n| {
        own(a, now);
        a.heard(&b(n), now);
        a.seen(&b(n), now);
    });
    assert_eq!(stage.state("b"), (Standing::Up, false));
    // The link is silent, the topic is not: suspect for as long as it lasts, and never down.
    stage.a.unlinked("b", 7);
    stage.steps(3, |a, now, n| {
        own(a, now);
        a.seen(&b(4 + n), now);
    });
    assert_eq!(stage.state("b"), (Standing::Up, false));
    stage.steps(100, |a, now, n| {
        own(a, now);
        a.seen(&b(7 + n), now);
    });
    assert_eq!(stage.state("b"), (Standing::Up, true));
    // Now the topic is silent too: down after eight own beats.
    stage.steps(7, |a, now, _| own(a, now));
    assert_eq!(stage.state("b"), (Standing::Up, true));
    stage.steps(1, |a, now, _| own(a, now));
    assert_eq!(stage.state("b"), (Standing::Down, false));
    assert_eq!(stage.up(), ["a"]);
    // It was paused and comes back as it was.
    stage.steps(1, |a, now, _| a.seen(&b(200), now));
    assert_eq!(stage.state("b").0, Standing::Up);
}

#[test]
fn a_topic_that_stands_still_accuses_nobody() {
    let mut stage = Stage::new(true);
    stage.steps(4, |a, now, n| {
        own(a, now);
        a.seen(&beat("b", 7, n.into(), Phase::Up), now);
    });
    stage.steps(1000, |_, _, _| ());
    assert_eq!(stage.state("b"), (Standing::Up, true));
}

#[test]
fn a_refused_dial_makes_suspect_at_once() {
    let mut stage = Stage::new(true);
    stage.a.linked("b", 7, stage.now);
    stage.steps(1, |a, now, _| a.heard(&beat("b", 7, 1, Phase::Up), now));
    stage.a.refused("b");
    assert_eq!(stage.state("b"), (Standing::Up, false), "the link is still open");
    stage.a.unlinked("b", 7);
    stage.a.refused("b");
    assert_eq!(stage.state("b"), (Standing::Up, true));
    stage.a.linked("b", 7, stage.now);
    assert_eq!(stage.state("b"), (Standing::Up, false));
}

#[test]
fn who_drains_takes_nothing_and_who_left_is_down_at_once() {
    let mut stage = Stage::new(true);
    stage.steps(4, |a, now, _| own(a, now));
    stage.steps(1, |a, now, _| a.heard(&beat("b", 7, 5, Phase::Draining), now));
    assert_eq!(stage.up(), ["a"]);
    // An older beat, late from the topic, does not undo it.
    stage.steps(1, |a, now, _| a.seen(&beat("b", 7, 4, Phase::Up), now));
    assert_eq!(stage.state("b").0, Standing::Draining);
    stage.steps(1, |a, now, _| a.heard(&beat("b", 7, 6, Phase::Left), now));
    assert_eq!(stage.state("b"), (Standing::Down, false));
    stage.a.advance(Phase::Draining);
    stage.a.advance(Phase::Up);
    assert_eq!((stage.a.phase(), stage.up().len()), (Phase::Draining, 0));
}

#[test]
fn the_newest_boot_wins() {
    let mut stage = Stage::new(true);
    stage.a.remember(&beat("b", 7, 90, Phase::Up));
    assert_eq!((stage.state("b"), stage.a.newest("b")), ((Standing::Down, false), Some(7)));
    stage.a.heard(&beat("b", 8, 1, Phase::Joining), stage.now);
    let view = |state| MemberView {
        node: "b".to_owned(),
        incarnation: 8,
        standing: state,
        suspect: false,
        linked: false,
    };
    let expected =
        vec![Change::Reborn(view(Standing::Down)), Change::Member(view(Standing::Joining))];
    assert_eq!(stage.a.tick(stage.now), expected);
    for old in [beat("b", 7, 91, Phase::Left), beat("b", 7, 92, Phase::Up)] {
        stage.a.heard(&old, stage.now);
        stage.a.seen(&old, stage.now);
    }
    stage.a.unlinked("b", 7);
    assert_eq!((stage.state("b"), stage.a.newest("b")), ((Standing::Joining, false), Some(8)));
    assert!(stage.a.tick(stage.now).is_empty());
    stage.a.seen(&beat("a", 9, 1, Phase::Up), stage.now);
    assert!(stage.a.tick(stage.now).is_empty());
    stage.a.seen(&beat("a", 11, 1, Phase::Up), stage.now);
    assert_eq!(stage.a.tick(stage.now), vec![Change::Superseded { incarnation: 11 }]);
}

/// What can happen to the view of `a` between two beats.
#[derive(Clone, Debug)]
enum Happening {
    Heard(u8, u8),
    Seen(u8, u8),
    Own,
    Linked(u8, u8),
    Unlinked(u8, u8),
    Refused(u8),
    Pause(u8),
}

/// Node, boot, whether it comes over the link, and phase.
type Sign = (u8, u8, bool, u8);

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::{Heard, Linked, Own, Pause, Refused, Seen, Unlinked};
    prop_oneof![
        4 => (0..3_u8, 0..3_u8).prop_map(|(node, boot)| Heard(node, boot)),
        4 => (0..3_u8, 0..3_u8).prop_map(|(node, boot)| Seen(node, boot)),
        6 => Just(Own),
        1 => (0..3_u8, 0..3_u8).prop_map(|(node, boot)| Linked(node, boot)),
        1 => (0..3_u8, 0..3_u8).prop_map(|(node, boot)| Unlinked(node, boot)),
        1 => (0..3_u8).prop_map(Refused),
        6 => (0..12_u8).prop_map(Pause),
    ]
}

fn apply(stage: &mut Stage, what: &Happening, sequence: u64) {
    let (now, name) = (stage.now, |node: u8| ["b", "c", "d"][usize::from(node)]);
    let said = |node, boot: u8| beat(name(node), boot.into(), sequence, Phase::Up);
    match *what {
        Happening::Heard(node, boot) => stage.a.heard(&said(node, boot), now),
        Happening::Seen(node, boot) => stage.a.seen(&said(node, boot), now),
        Happening::Own => own(&mut stage.a, now),
        Happening::Linked(node, boot) => stage.a.linked(name(node), boot.into(), now),
        Happening::Unlinked(node, boot) => stage.a.unlinked(name(node), boot.into()),
        Happening::Refused(node) => stage.a.refused(name(node)),
        Happening::Pause(steps) => stage.now += STEP * u32::from(steps),
    }
}

proptest! {
    #[test]
    fn what_was_told_is_what_is_and_boots_only_grow(story in vec(happening(), 1..120)) {
        let mut stage = Stage::new(true);
        let mut told: BTreeMap<String, (u64, Standing, bool)> = BTreeMap::new();
        for (sequence, what) in (1..).zip(&story) {
            apply(&mut stage, what, sequence);
            for change in stage.a.tick(stage.now) {
                let (Change::Reborn(view) | Change::Member(view)) = change else { continue };
                let before = told.insert(
                    view.node.clone(), (view.incarnation, view.standing, view.suspect));
                prop_assert!(before.is_none_or(|(boot, ..)| boot <= view.incarnation));
                prop_assert!(before != told.get(&view.node).copied(), "told twice: {view:?}");
            }
            for view in stage.a.view(stage.now).into_iter().filter(|view| view.node != "a") {
                let (boot, state, suspect) =
                    told.get(&view.node).copied().unwrap_or((view.incarnation, Standing::Down, false));
                prop_assert_eq!((boot, state, suspect), (view.incarnation, view.standing, view.suspect));
            }
        }
    }

    /// Whatever else happens, who gives either sign often enough is never down.
    #[test]
    fn who_gives_a_sign_is_not_down(
        story in vec(happening(), 1..120), by_topic in any::<bool>(),
    ) {
        let mut stage = Stage::new(true);
        let mut sequence = 0;
        let mut sign = |stage: &mut Stage| {
            sequence += 1;
            let said = beat("z", 1, sequence, Phase::Up);
            if by_topic { stage.a.seen(&said, stage.now) } else { stage.a.heard(&said, stage.now) }
        };
        sign(&mut stage);
        for (number, what) in (1..).zip(&story) {
            let steps = if let Happening::Pause(steps) = what { u32::from(*steps) } else { 1 };
            for _ in 0..steps {
                let part = if let Happening::Pause(_) = what { &Happening::Pause(1) } else { what };
                apply(&mut stage, part, number);
                sign(&mut stage);
                prop_assert_eq!(stage.state("z").0, Standing::Up);
            }
        }
    }

    /// Whatever happened before, eight own beats and four seconds without a sign end every other
    /// member, and after that all that is left is this node.
    #[test]
    fn silence_ends_everybody(story in vec(happening(), 1..120), topic in any::<bool>()) {
        let mut stage = Stage::new(topic);
        for (sequence, what) in (1..).zip(&story) {
            apply(&mut stage, what, sequence);
        }
        stage.steps(8, |a, now, _| own(a, now));
        prop_assert_eq!(stage.up(), ["a"]);
    }

    /// What arrives at one moment may arrive in any order.
    #[test]
    fn the_order_of_signs_does_not_count(
        signs in vec((0..3_u8, 0..3_u8, any::<bool>(), 0..4_u8), 1..20), seed in any::<u64>(),
    ) {
        let mut shuffled: Vec<_> = (0_u64..).zip(&signs).collect();
        shuffled.sort_by_key(|(number, _)| (number ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let phases = [Phase::Joining, Phase::Up, Phase::Draining, Phase::Left];
        let run = |order: Vec<(u64, &Sign)>| {
            let mut stage = Stage::new(true);
            for (number, &(node, boot, link, phase)) in order {
                let said = beat(["b", "c", "d"][usize::from(node)], boot.into(), number,
                    phases[usize::from(phase)]);
                if link { stage.a.heard(&said, stage.now) } else { stage.a.seen(&said, stage.now) }
            }
            let view = stage.a.view(stage.now).into_iter().map(|view| (view.node, view.incarnation, view.standing));
            view.collect::<Vec<_>>()
        };
        prop_assert_eq!(run((0..).zip(&signs).collect()), run(shuffled));
    }
}
