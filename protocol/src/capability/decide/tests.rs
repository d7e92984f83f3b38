use super::super::advertise::{Advertisement, Capacities, Content, advertisements};
use super::super::catalogue::Catalogue;
use super::super::decode::decode;
use super::super::fixtures::{capture, live};
use proptest::prelude::*;
use proptest::{collection, sample};

use super::super::index::Index;
use super::*;

const MIN: i64 = 60_000;
const HOUR: i64 = 60 * MIN;
const T: i64 = 1_772_000_000_000;
const LIVE: &str = "live-video-to-video";

/// Node `a`: canonical 0xa, hot wallet 0xhota, <https://a>; likewise for other letters.
fn ad(letter: &str, ts: i64, model: &str, gpus: &[&str]) -> Advertisement {
    let gpus = gpus.iter().map(|gpu| (*gpu).to_owned()).collect();
    let offer = Offer { pipeline: LIVE.to_owned(), model: model.to_owned(), gpus };
    Advertisement {
        node: Node { canonical: format!("0x{letter}"), url: format!("https://{letter}") },
        event_ts: Timestamp(ts),
        uid: format!("cap-{letter}-{ts}"),
        content: Content { offers: vec![offer], aliases: vec![format!("0xhot{letter}")] },
        capacities: Capacities::default(),
        content_hash: 0,
    }
}

fn at<'s>(ts: i64, address: &'s str, url: &'s str, hint: &'s str) -> Selection<'s> {
    Selection { ts: Timestamp(ts), address, url, hint: Catalogue::builtin().hint(hint) }
}

fn decided(ads: &[Advertisement], selection: &Selection<'_>) -> Decision {
    let mut index = Index::default();
    let mut reversed = Index::default();
    for (ad, last) in ads.iter().zip(ads.iter().rev()) {
        index.insert(ad);
        reversed.insert(last);
    }
    let decision = decide(&index, selection, DirectWindow::default());
    assert_eq!(decide(&reversed, selection, DirectWindow::default()), decision);
    decision
}

/// status, reason, identity, canonical, model, gpu, gpu count.
type Short<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str, u32);

fn short(d: &Decision) -> Short<'_> {
    let (status, reason, identity) = (d.status.label(), d.reason.label(), d.identity.label());
    d.chosen.as_ref().map_or((status, reason, identity, "", "", "", 0), |c| {
        let (node, model, gpu) = (c.node.canonical.as_str(), c.model.as_str(), c.gpu_id.as_str());
        (status, reason, identity, node, model, gpu, c.gpu_candidate_count)
    })
}

#[test]
fn bands_of_a_node_advertised_once() {
    // Backlog 023, acceptance.
    let ads = [ad("a", T, "m1", &["G-A"])];
    let table = [
        (0, "resolved", "direct", "exact_orchestrator_time_match", 1.0_f32),
        (9 * MIN, "resolved", "direct", "nearest_prior_snapshot", 0.9),
        (10 * MIN, "resolved", "direct", "nearest_prior_snapshot", 0.9),
        (11 * MIN, "stale", "mapped_window", "nearest_prior_snapshot", 0.9),
        (24 * HOUR - MIN, "stale", "mapped_window", "nearest_prior_snapshot", 0.9),
        (24 * HOUR, "stale", "mapped_window", "nearest_prior_snapshot", 0.9),
        (24 * HOUR + 1, "unresolved", "unattributed", "none", 0.0),
        (-29_000, "resolved", "direct", "nearest_snapshot_within_ttl", 0.7),
        (-30_000, "resolved", "direct", "nearest_snapshot_within_ttl", 0.7),
        (-31_000, "stale", "mapped_window", "nearest_snapshot_within_ttl", 0.7),
        (-25 * HOUR, "unresolved", "unattributed", "none", 0.0),
    ];
    for (offset, status, source, method, confidence) in table {
        let d = decided(&ads, &at(T + offset, "0xhota", "https://a", "m1"));
        let seen = (d.status.label(), d.source.label(), d.method.label());
        assert_eq!(seen, (status, source, method), "{offset}");
        assert!((d.method.confidence() - confidence).abs() < f32::EPSILON);
        let distance = d.chosen.as_ref().map(|c| c.distance_ms);
        assert_eq!(distance, (status != "unresolved").then_some(offset.abs()), "{offset}");
    }
}

#[test]
fn a_second_poll_makes_the_first_direct_and_an_extension_changes_nothing() {
    let first = ad("a", T, "m1", &["G-A"]);
    let second = ad("a", T + 25 * MIN, "m1", &["G-A"]);
    let selection = at(T + 11 * MIN, "", "https://a", "m1");
    assert_eq!(decided(std::slice::from_ref(&first), &selection).status, Status::Stale);
    let both = [first, second];
    let d = decided(&both, &selection);
    assert_eq!(
        (d.status, d.reason, d.method),
        (Status::Resolved, Reason::Matched, Method::NearestPrior)
    );
    assert_eq!(d.chosen.unwrap().snapshot_uid, format!("cap-a-{T}"));
    let soon = at(T + 9 * MIN, "", "https://a", "m1");
    assert_eq!(decided(&both[..1], &soon), decided(&both, &soon));
}

/// Name, advertisements, selection and answer.
type Vector<'v> = (&'v str, Vec<Advertisement>, Selection<'v>, Short<'v>);

const AMBIGUOUS: Short<'_> = ("ambiguous", "ambiguous_candidates", "", "", "", "", 0);
const FOUND: Short<'_> = ("resolved", "matched", "uri", "0xa", "m1", "G-A", 1);

fn unresolved(reason: &str) -> Short<'_> {
    ("unresolved", reason, "", "", "", "", 0)
}

fn a() -> Advertisement {
    ad("a", T + 900, "m1", &["G-A"])
}

fn check(vectors: Vec<Vector<'_>>) {
    for (name, ads, selection, want) in vectors {
        assert_eq!(short(&decided(&ads, &selection)), want, "{name}");
    }
}

#[test]
fn identity_vectors() {
    let c = || Advertisement { content: a().content, ..ad("c", T + 901, "m1", &[]) };
    let t = T + 1000;
    check(vec![
        (
            "V75",
            vec![ad("a", t - 120, "m1", &["G"]), ad("b", t - 20, "m1", &["G"])]
                .into_iter()
                .map(|mut ad| {
                    ad.content.aliases = vec!["0xhot".to_owned()];
                    ad
                })
                .collect(),
            at(t, "0xhot", "", "m1"),
            AMBIGUOUS,
        ),
        (
            "V83 future skew",
            vec![ad("a", T + 2500, "m1", &["G-A"])],
            at(T + 2000, "0xhota", "", "m1"),
            ("resolved", "future_skew", "alias", "0xa", "m1", "G-A", 1),
        ),
        ("V90", vec![a(), c()], at(t, "0xhota", "https://a", "m1"), FOUND),
        ("V91", vec![a(), c()], at(t, "0xhota", "", "m1"), AMBIGUOUS),
        (
            "V94",
            vec![a()],
            at(t + 36 * MIN, "0xa", "", "m1"),
            ("stale", "stale_candidate", "address", "0xa", "m1", "G-A", 1),
        ),
        (
            "V96",
            vec![a()],
            at(t, "0xhota", "https://x", "m1"),
            unresolved("missing_uri_snapshot_local_alias_present"),
        ),
        (
            "V96 canonical",
            vec![a()],
            at(t, "0xa", "https://x", "m1"),
            unresolved("missing_uri_snapshot_address_match_present"),
        ),
        ("unknown", vec![a()], at(t, "0xz", "https://x", "m1"), unresolved("missing_candidate")),
        ("no identity", vec![a()], at(t, "", "", "m1"), unresolved("missing_candidate")),
        (
            "V98",
            vec![
                a(),
                Advertisement {
                    node: Node { canonical: "0xa".to_owned(), url: "https://b".to_owned() },
                    ..a()
                },
            ],
            at(t, "0xa", "", "m1"),
            AMBIGUOUS,
        ),
    ]);
}

#[test]
fn compatibility_and_gpu_vectors() {
    let t = T + 1000;
    check(vec![
        (
            "V69",
            vec![ad("a", t - 1000, "m1", &["prior"]), ad("a", t + 1000, "m1", &["future"])],
            at(t, "", "https://a", "m1"),
            ("resolved", "matched", "uri", "0xa", "m1", "prior", 1),
        ),
        (
            "V70",
            vec![ad("a", t, "llama", &["G"])],
            at(t, "", "https://a", "sdxl"),
            unresolved("no_compatible_candidate"),
        ),
        (
            "V87",
            vec![ad("a", t - 100, "m1", &["G-1", "G-2"])],
            at(t, "0xa", "", "m1"),
            ("resolved", "matched", "address", "0xa", "m1", "", 2),
        ),
        (
            "V88",
            vec![ad("a", t - 100, "", &[])],
            at(t, "", "https://a", "m1"),
            ("hardware_less", "matched_without_hardware", "uri", "0xa", "", "", 0),
        ),
        (
            "V89",
            vec![ad("a", t - 100, "M1", &["G-A"])],
            at(t, "", "HTTPS://A/", "m1"),
            ("resolved", "matched", "uri", "0xa", "M1", "G-A", 1),
        ),
        (
            "mapped stays stale without hardware",
            vec![ad("a", t - HOUR, "m1", &[])],
            at(t, "", "https://a", "m1"),
            ("stale", "stale_candidate", "uri", "0xa", "m1", "", 0),
        ),
        (
            "a blank model yields to the hinted one, though older",
            vec![ad("a", t - HOUR, "m1", &["G-A"]), ad("a", t - 100, "", &["G-B"])],
            at(t, "", "https://a", "m1"),
            ("stale", "stale_candidate", "uri", "0xa", "m1", "G-A", 1),
        ),
        (
            "a fresh incompatible advertisement yields to an older compatible one",
            vec![ad("a", t - HOUR, "m1", &["G-A"]), ad("a", t - 100, "m2", &["G-B"])],
            at(t, "", "https://a", "m1"),
            ("stale", "stale_candidate", "uri", "0xa", "m1", "G-A", 1),
        ),
        (
            "another pipeline",
            vec![a()],
            at(t, "", "https://a", "llm"),
            unresolved("no_compatible_candidate"),
        ),
        ("V106", vec![a()], at(t, "", "https://a", "live-video-to-video"), FOUND),
    ]);
}

#[test]
fn distances_of_different_nodes_are_not_compared() {
    // Clarification 1: both prior, one closer; a better band of one node does decide.
    let mut ads = [ad("a", T, "m1", &["G"]), ad("b", T + 5 * MIN, "m1", &["G"])];
    for ad in &mut ads {
        ad.content.aliases = vec!["0xhot".to_owned()];
    }
    let selection = |offset: i64| at(T + offset, "0xhot", "", "m1");
    assert_eq!(decided(&ads, &selection(6 * MIN)).status, Status::Ambiguous);
    assert_eq!(short(&decided(&ads, &selection(11 * MIN))).3, "0xb");
    assert_eq!(short(&decided(&ads, &selection(0))).3, "0xa");
}

#[test]
fn a_wallet_shared_in_a_real_document_is_told_apart_by_its_uri() {
    // V92: the 53 entries and the capability event of the capture.
    let mut index = Index::default();
    for (data, uid) in [(live(), "doc"), (capture(), "event")] {
        let document = decode(&data).unwrap().document;
        for ad in advertisements(&document, Timestamp(T), uid, 0).nodes {
            index.insert(&ad);
        }
    }
    let wallet = "0x52cf2968b3dc6016778742d3539449a6597d5954";
    let model = "streamdiffusion-sdxl-faceid";
    let by_url = at(T, wallet, "https://rtav-orch2.xodeapp.xyz:28935", model);
    let decision = decide(&index, &by_url, DirectWindow::default());
    let canonical = "0xd00354656922168815fcd1e51cbddb9e359e3c7f";
    assert_eq!(decision.chosen.unwrap().node.canonical, canonical);
    assert_eq!(decision.status, Status::Resolved);
}

#[test]
fn names_follow_the_vectors() {
    let names = |advertised: Option<(&str, &str)>, hint: &str| {
        let decision = advertised.map(|(pipeline, model)| {
            let mut ad = ad("a", T, model, &["G"]);
            pipeline.clone_into(&mut ad.content.offers[0].pipeline);
            decided(&[ad], &at(T, "", "https://a", ""))
        });
        let hint = Catalogue::builtin().hint(hint);
        let chosen = decision.as_ref().and_then(|d| d.chosen.as_ref());
        let n = Names::new(chosen, &hint);
        let sources = (n.pipeline_source.label(), n.model_source.label());
        (n.pipeline.to_owned(), n.model.to_owned(), sources.0, sources.1)
    };
    let want = |p: &str, m: &str, ps, ms| (p.to_owned(), m.to_owned(), ps, ms);
    let sdxl = "streamdiffusion-sdxl";
    assert_eq!(names(Some((LIVE, sdxl)), sdxl), want(LIVE, sdxl, "capability", "capability"));
    assert_eq!(names(None, sdxl), want(LIVE, sdxl, "inferred", "hint"));
    assert_eq!(names(None, "llm"), want("llm", "", "hint", "none"));
    assert_eq!(names(None, "job"), want("", "job", "none", "hint"));
    assert_eq!(names(Some(("", "")), "m1"), want("", "m1", "none", "hint"));
    assert_eq!(names(Some(("Job", "job")), ""), want("", "job", "none", "capability"));
}

/// Three nodes, one of them on two URIs, behind two wallets; times on every edge of the windows.
fn arbitrary_ads() -> impl Strategy<Value = Vec<Advertisement>> {
    let offsets = [0, 1, 30_000, 30_001, 10 * MIN, 10 * MIN + 1, HOUR, 24 * HOUR, 24 * HOUR + 1];
    let offset = (sample::select(offsets.to_vec()), any::<bool>());
    let one =
        (0..4_usize, offset, sample::select(vec!["m1", "M1", "m2", ""]), 0..3_usize, 0..3_usize);
    let ad = one.prop_map(|(node, (offset, before), model, gpus, alias)| {
        let ts = T + if before { -offset } else { offset };
        let mut ad = ad(["a", "b", "c", "a"][node], ts, model, &["G-1", "G-2"][..gpus]);
        if node == 3 {
            ad.node.url = "https://b".to_owned();
        }
        ad.content.aliases = vec![["0xhot", "0xb", "0xhota"][alias].to_owned()];
        ad
    });
    collection::vec(ad, 0..8)
}

proptest! {
    #[test]
    fn a_trace_tells_the_decision_and_why(
        ads in arbitrary_ads(),
        url in sample::select(vec!["", "https://a", "https://b", "https://x"]),
        address in sample::select(vec!["", "0xa", "0xhot", "0xb"]),
        hint in sample::select(vec!["", "m1", "m2", LIVE, "llm"]),
    ) {
        let mut index = Index::default();
        for ad in &ads {
            index.insert(ad);
        }
        let selection = at(T, address, url, hint);
        let window = DirectWindow::default();
        let decision = decide(&index, &selection, window);
        let trace = trace(&index, &selection, window);
        prop_assert_eq!(&trace.decision, &decision);
        let of = |fate| trace.candidates.iter().filter(|c| c.fate == fate).collect::<Vec<_>>();
        let intervals = index.nodes().map(|(_, runs)| runs.intervals(selection.ts).len());
        prop_assert_eq!(trace.candidates.len(), intervals.sum::<usize>());
        match (&decision.chosen, of(Fate::Chosen).as_slice()) {
            (Some(chosen), [found]) => {
                prop_assert_eq!(&chosen.node, &found.node);
                prop_assert!((found.first_ts..=found.last_ts).contains(&chosen.snapshot_ts));
                prop_assert!(of(Fate::Ambiguous).is_empty());
                // What was rejected did not matter.
                let mut alone = Index::default();
                let kept = ads.iter().filter(|ad| {
                    ad.node == found.node
                        && (found.first_ts..=found.last_ts).contains(&ad.event_ts)
                });
                for ad in kept {
                    alone.insert(ad);
                }
                prop_assert_eq!(decide(&alone, &selection, window), decision);
            }
            (None, []) => {
                let ambiguous = decision.status == Status::Ambiguous;
                prop_assert_eq!(ambiguous, !of(Fate::Ambiguous).is_empty());
                let missing = of(Fate::OtherIdentity).len() == trace.candidates.len();
                prop_assert!(decision.reason == Reason::NoCompatibleCandidate || missing || ambiguous);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

#[test]
fn every_fate_has_its_case() {
    let t = T + 1000;
    let other = ad("x", t, "m1", &["G"]);
    let with_alias = |letter: &str, ts: i64, model: &str| {
        let mut ad = ad(letter, ts, model, &["G"]);
        ad.content.aliases = vec!["0xhot".to_owned()];
        ad
    };
    let ads = [
        other,
        with_alias("a", t, "m1"),
        with_alias("a", t - HOUR, "M2"),
        with_alias("b", t - HOUR, "m1"),
        with_alias("c", t, ""),
        with_alias("a", t - 2 * HOUR, "m1"),
    ];
    let mut index = Index::default();
    for ad in &ads {
        index.insert(ad);
    }
    let fates = |hint: &str| -> Vec<_> {
        let trace = trace(&index, &at(t, "0xhot", "", hint), DirectWindow::default());
        trace
            .candidates
            .iter()
            .map(|c| (c.node.canonical.clone(), c.fate.label(), c.band.label()))
            .collect()
    };
    let want = |list: &[(&str, &'static str, &'static str)]| -> Vec<_> {
        list.iter().map(|(node, fate, band)| ((*node).to_owned(), *fate, *band)).collect()
    };
    let expected = want(&[
        ("0xa", "farther_interval", "mapped_prior"),
        ("0xa", "incompatible", "mapped_prior"),
        ("0xa", "chosen", "inside"),
        ("0xb", "worse_band", "mapped_prior"),
        ("0xc", "unnamed_model", "inside"),
        ("0xx", "other_identity", "inside"),
    ]);
    assert_eq!(fates("m1"), expected);
    let ambiguous = fates("").iter().filter(|(_, fate, _)| *fate == "ambiguous").count();
    assert_eq!(ambiguous, 2, "0xa and 0xc are both inside");
}
