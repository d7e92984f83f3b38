//! Clocks of runners against those of gateways (backlog 002).

use naap_actors::clocks::{ClockReport, ClockSigns, ClockWatch, Skew};
use naap_protocol::time::Timestamp;
use proptest::prelude::*;

use crate::signals::{BASE, RETENTION};
use crate::stage::{Input, Stage, script};

/// The signs of one session whose signals come in the order of `script`.
fn signs(text: &str) -> ClockSigns {
    let mut stage = Stage::new(RETENTION);
    let mut signs = ClockSigns::default();
    for (input, offset) in script(text).iter().zip(0..) {
        stage.take(input, offset);
        let Input::Event(event) = input else { panic!("no signal") };
        signs.observe(event, stage.session.state());
    }
    signs
}

fn report(texts: &[&str]) -> ClockReport {
    let mut watch = ClockWatch::default();
    for text in texts {
        watch.take(signs(text));
    }
    watch.report(Timestamp(BASE))
}

fn skews(skews: &[Skew]) -> Vec<(String, i64)> {
    let pair = |s: &Skew| (format!("{} {}", s.pair.gateway, s.pair.orchestrator), s.ms);
    skews.iter().map(pair).collect()
}

#[test]
fn the_smallest_relay_distance_of_ten_minutes_counts() {
    let cases: &[(&str, &[(&str, i64)])] = &[
        (
            "ST@1000{gw=g,u=https://A/,stamp=-30} RSEND@2000{gw=g,u=https://a,stamp=-7}",
            &[("g https://a", 7)],
        ),
        ("ST@1000{gw=g,u=https://a,stamp=5}", &[("g https://a", -5)]),
        ("ST@1000{gw=g,u=https://a} PROC@1{gw=g,u=https://a,stamp=0}", &[]),
        ("PU@1000{gw=g,u=https://a,stamp=0}", &[]),
        ("ST@1000{gw=g,stamp=0}", &[]),
        // Gateways without a label are one.
        (
            "ST@1000{u=https://a,stamp=-30} ST@2000{u=https://a,stamp=-7} RSEND@3000{u=https://a,stamp=-9}",
            &[("unknown https://a", 7)],
        ),
        ("ST@1000{gw=g,u=https://a,stamp=-86400001}", &[]),
        // The busiest pair comes first.
        (
            "ST@1000{gw=g,u=https://a,stamp=-1} ST@2{gw=h,u=https://a,stamp=-2} ST@3{gw=h,u=https://a,stamp=-3}",
            &[("h https://a", 2), ("g https://a", 1)],
        ),
        // Minutes of the clock: the one of 1000 is out when the tenth after it begins, at 580000.
        (
            "ST@1000{gw=g,u=https://a,stamp=-1} ST@579999{gw=g,u=https://a,stamp=-9}",
            &[("g https://a", 1)],
        ),
        (
            "ST@1000{gw=g,u=https://a,stamp=-1} ST@580000{gw=g,u=https://a,stamp=-9}",
            &[("g https://a", 9)],
        ),
        (
            "ST@580000{gw=g,u=https://a,stamp=-9} ST@1000{gw=g,u=https://a,stamp=-1}",
            &[("g https://a", 9)],
        ),
        (
            "ST@1000{gw=g,u=https://a,stamp=-1} ST@580000{gw=h,u=https://a,stamp=-9}",
            &[("h https://a", 9)],
        ),
    ];
    for (text, expected) in cases {
        let found = skews(&report(&[text]).shown);
        let expected: Vec<_> =
            expected.iter().map(|(name, ms)| ((*name).to_owned(), *ms)).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_bracket_that_can_not_be_true_is_a_step() {
    let steps = |texts: &[&str]| report(texts).steps.len();
    let request = "REQ@1000{gw=g} RREQ@1100{gw=g,u=https://a,stamp=";
    // The gateway is 20 ms ahead: its request of 1000 reaches the runner at 980 of its clock or later.
    let sane = format!("{request}-110}} ST@2000{{gw=g,u=https://a,stamp=-25}}");
    assert_eq!(steps(&[&sane]), 0, "-10 + 25");
    // The request says at least 120 ms ahead, the relay at most 25.
    let stepped = format!("{request}-220}} ST@2000{{gw=g,u=https://a,stamp=-25}}");
    assert_eq!(steps(&[&stepped]), 1);
    let reversed = "ST@2000{gw=g,u=https://a,stamp=-25} \
                    RREQ@1100{gw=g,u=https://a,stamp=-220} REQ@1000{gw=g}";
    assert_eq!(steps(&[reversed]), 1, "the request comes last");
    let foreign = stepped.replace("REQ@1000{gw=g}", "REQ@1000{gw=h}");
    assert_eq!(steps(&[&foreign]), 0, "the request of another gateway tells nothing");
    let unknown = stepped.replace("gw=g,", "").replace("{gw=g}", "");
    assert_eq!(steps(&[&unknown]), 0, "a gateway without a label may be several");
    // The two signs come from two shards, and a step counts once.
    let mut watch = ClockWatch::default();
    watch.take(signs(&format!("{request}-220}}")));
    assert_eq!(watch.report(Timestamp(BASE)).steps.len(), 0);
    watch.take(signs("ST@2000{gw=g,u=https://a,stamp=-25}"));
    assert_eq!(watch.report(Timestamp(BASE)).steps.len(), 1);
    assert_eq!(watch.report(Timestamp(BASE)).steps.len(), 0);
}

#[test]
fn warnings_are_few_and_do_not_repeat() {
    let mut watch = ClockWatch::default();
    let many: Vec<_> =
        (0..7).map(|n| format!("ST@1000{{gw=g{n},u=https://a,stamp=-501}}")).collect();
    watch.take(signs(&many.join(" ")));
    watch.take(signs(
        "ST@1000{gw=ok,u=https://a,stamp=-500} ST@1000{gw=ahead,u=https://a,stamp=600}",
    ));
    let mut warned = |later: i64| {
        let report = watch.report(Timestamp(BASE + later));
        skews(&report.warnings).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let all: Vec<_> = [warned(0), warned(1_000), warned(2_000)].concat();
    assert_eq!(all.len(), 8);
    assert!(!all.contains(&"ok https://a".to_owned()));
    assert!(all.contains(&"ahead https://a".to_owned()));
    assert_eq!(warned(600_000).len(), 5, "again after a while");
}

#[test]
fn pairs_are_bounded_and_those_that_leave_are_named() {
    let many = |from: usize, to: usize| {
        let words: Vec<_> =
            (from..to).map(|n| format!("ST@1000{{gw=g{n:04},u=https://a,stamp=-1}}")).collect();
        signs(&words.join(" "))
    };
    let mut watch = ClockWatch::default();
    watch.take(many(1, 60));
    let first = watch.report(Timestamp(BASE));
    assert_eq!((first.shown.len(), first.gone.len(), first.left_out), (50, 0, 0));
    watch.take(many(59, 60));
    let second = watch.report(Timestamp(BASE));
    assert_eq!(&*second.shown[0].pair.gateway, "g0059");
    assert_eq!(second.gone.iter().map(|pair| &*pair.gateway).collect::<Vec<_>>(), ["g0050"]);
    watch.take(many(100, 4_200));
    assert_eq!(watch.report(Timestamp(BASE)).left_out, 59 + 4_100 - 4_096);
}

proptest! {
    /// However signs are spread over shards, the node sees the same.
    #[test]
    fn shards_do_not_matter(
        signals in prop::collection::vec((0..1_500_000_i64, -9..9_i64, 0..3_u8, any::<bool>()), 1..30)
    ) {
        // In order of time, as the window moves with it.
        let mut signals = signals;
        signals.sort_unstable();
        let mut halves = [Vec::new(), Vec::new()];
        for (at, stamp, pair, half) in signals {
            let word = format!("ST@{at}{{gw=g{pair},u=https://a,stamp={stamp}}}");
            halves[usize::from(half)].push((at, word));
        }
        let text = |words: &[(i64, String)]| {
            words.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(" ")
        };
        let mut all = halves.concat();
        all.sort_unstable();
        let apart = report(&[&text(&halves[0]), &text(&halves[1])]);
        prop_assert_eq!(apart, report(&[&text(&all)]));
    }
}
