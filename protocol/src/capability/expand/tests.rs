use proptest::prelude::*;

use super::super::decode::decode;
use super::super::fixtures::{batch_byoc, capture, live};
use super::*;

fn with_rows<T>(data: &str, check: impl FnOnce(&Expansion<'_>) -> T) -> T {
    let decoded = decode(data).unwrap();
    assert_eq!(decoded.bad_entries, []);
    check(&expand(&decoded.document))
}

/// Row counts of one document.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    snapshot: usize,
    advertised: usize,
    constraint: usize,
    price: usize,
    model: [usize; 2],
    price_match: [usize; 2],
    without_gpu: usize,
    additions: [usize; 2],
}

/// Model and price matches are of hardware rows: found and not found. Additions: of entries without
/// hardware, and of models that a non-empty hardware block leaves out.
fn counts(data: &str) -> Counts {
    let decoded = decode(data).unwrap();
    let rows = expand(&decoded.document);
    let (hardware, added): (Vec<_>, Vec<_>) =
        rows.snapshots.iter().partition(|row| row.snapshot_source == SnapshotSource::Hardware);
    let count =
        |test: &dyn Fn(&SnapshotRow<'_>) -> bool| hardware.iter().filter(|row| test(row)).count();
    let bare = |row: &&&SnapshotRow<'_>| {
        let same = |entry: &&Entry<'_>| entry.index == row.origin.entry;
        decoded.document.entries.iter().find(same).unwrap().hardware.is_empty()
    };
    let hardware_less = added.iter().filter(bare).count();
    let model = count(&|row| row.model_matched);
    let price = count(&|row| row.price_match == PriceMatch::Exact);
    Counts {
        snapshot: hardware.len(),
        advertised: rows.advertised.len(),
        constraint: rows.constraints.len(),
        price: rows.prices.len(),
        model: [model, count(&|row| !row.model_matched && row.capacity.is_none())],
        price_match: [price, count(&|row| row.price_per_unit.is_none())],
        without_gpu: count(&|row| row.gpu_id.is_empty() && row.gpu_name.is_none()),
        additions: [hardware_less, added.len() - hardware_less],
    }
}

#[test]
fn row_counts_of_the_real_documents() {
    // events.md 4.3. The first-generation rule took an unrelated price for 1 and 22 rows; matched by
    // BYOC name, 3 of the 22 find their own, the other 19 have none.
    let captured = Counts {
        snapshot: 1,
        advertised: 16,
        constraint: 1,
        price: 1,
        model: [1, 0],
        price_match: [1, 0],
        without_gpu: 0,
        additions: [0, 0],
    };
    assert_eq!(counts(&capture()), captured);
    let live_counts = Counts {
        snapshot: 22,
        advertised: 1235,
        constraint: 18,
        price: 44,
        model: [22, 0],
        price_match: [21, 1],
        without_gpu: 3,
        additions: [1, 0],
    };
    assert_eq!(counts(&live()), live_counts);
    let byoc_counts = Counts {
        snapshot: 45,
        advertised: 911,
        constraint: 29,
        price: 39,
        model: [42, 3],
        price_match: [26, 19],
        without_gpu: 3,
        additions: [11, 1],
    };
    assert_eq!(counts(&batch_byoc()), byoc_counts);
}

#[test]
fn the_snapshot_of_the_capture() {
    with_rows(&capture(), |rows| {
        let row = &rows.snapshots[0];
        assert_eq!(row.capability.capability_id, 35);
        assert_eq!(row.capability.capability_name, "Live video to video");
        assert_eq!(row.capability.capability_group, "live-video");
        assert_eq!(row.capability.capability_catalog_version, "v1");
        assert_eq!((row.gpu_major, row.gpu_minor), (Some(12), Some(0)));
        assert_eq!((row.capacity, row.capacity_in_use, row.warm), (Some(0), Some(1), Some(true)));
        assert_eq!((row.price_per_unit, row.pixels_per_unit), (Some(1618), Some(1)));
        assert_eq!(row.runner_version, Some("0.14.0"));
        assert_eq!(row.orchestrator_version, "0.8.8-3a5678ec-dirty");
        assert_eq!(row.origin.orch_uri_norm, "https://rtav-orch2.xodeapp.xyz:28935");
    });
}

#[test]
fn byoc_rows_take_the_price_of_their_capability_name() {
    with_rows(&batch_byoc(), |rows| {
        let byoc = rows.snapshots.iter().filter(|row| row.capability.capability_id == BYOC);
        let seen: Vec<_> = byoc
            .map(|row| (row.pipeline, row.price_per_unit, row.capability.capability_name))
            .collect();
        let want = [
            ("openai-chat-completions", Some(2500), "byoc"),
            ("openai-text-embeddings", Some(1000), "byoc"),
            ("openai-image-generation", Some(5000), "byoc"),
        ];
        assert_eq!(seen, want);
    });
}

/// Row identity: what storage must keep apart.
fn keys(rows: &Expansion<'_>) -> [BTreeSet<(u32, u32)>; 4] {
    [
        rows.snapshots.iter().map(|row| (row.origin.entry, row.element)).collect(),
        rows.advertised.iter().map(|row| (row.origin.entry, row.element)).collect(),
        rows.constraints.iter().map(|row| (row.origin.entry, row.element)).collect(),
        rows.prices.iter().map(|row| (row.origin.entry, row.element)).collect(),
    ]
}

#[test]
fn no_two_rows_share_a_key() {
    with_rows(&batch_byoc(), |rows| {
        let [snapshots, advertised, constraints, prices] = keys(rows).map(|keys| keys.len());
        assert_eq!((snapshots, advertised, constraints, prices), (57, 911, 29, 39));
    });
    // The 53 entries hold one twice; it keeps its 26 capabilities both times.
    with_rows(&live(), |rows| {
        let [snapshots, advertised, constraints, prices] = keys(rows).map(|keys| keys.len());
        assert_eq!((snapshots, advertised, constraints, prices), (23, 1235, 18, 44));
    });
    let twice = r#"[{"address":"0x1","orch_uri":"u","hardware":[{"pipeline":"p"}]},
        {"address":"0x1","orch_uri":"u","hardware":[{"pipeline":"p"}]},
        {"address":"0x1","orch_uri":"v","hardware":[{"pipeline":"p"}]}]"#;
    with_rows(twice, |rows| {
        let entries: Vec<_> =
            rows.snapshots.iter().map(|row| (row.origin.entry, row.origin.repeats)).collect();
        assert_eq!(entries, [(0, false), (1, true), (2, false)]);
    });
}

/// (model matched, capacity, price, how, capability id) of the first snapshot row.
fn first(
    hardware: &str,
    models: &str,
    prices: &str,
) -> (bool, Option<i64>, Option<i64>, PriceMatch, i32) {
    let data = format!(
        r#"{{"hardware":[{hardware}],"capabilities_prices":[{prices}],
        "capabilities":{{"constraints":{{"PerCapability":{{{models}}}}}}}}}"#
    );
    with_rows(&data, |rows| {
        let row = &rows.snapshots[0];
        let id = row.capability.capability_id;
        (row.model_matched, row.capacity, row.price_per_unit, row.price_match, id)
    })
}

#[test]
fn settings_and_prices_are_never_borrowed_from_another_model() {
    use PriceMatch::{AnyModel, Exact, None as NoPrice};
    let image = r#"{"pipeline":"text-to-image","model_id":"m"}"#;
    let byoc = r#"{"pipeline":"my-job","model_id":"m"}"#;
    let table = [
        // Nothing known.
        (image, "", "", (false, None, None, NoPrice, -1)),
        // Another model, another price.
        (
            image,
            r#""27":{"models":{"x":{"capacity":9}}}"#,
            r#"{"capability":27,"constraint":"x","pricePerUnit":7}"#,
            (false, None, None, NoPrice, -1),
        ),
        // The capability that the pipeline names goes before document order; case is ignored.
        (
            image,
            r#""28":{"models":{"m":{"capacity":1}}},"27":{"models":{"M":{"capacity":2}}}"#,
            r#"{"capability":28,"constraint":"m","pricePerUnit":7},
               {"capability":27,"constraint":"M","pricePerUnit":8}"#,
            (true, Some(2), Some(8), Exact, 27),
        ),
        // Same model under another capability only.
        (image, r#""28":{"models":{"m":{}}}"#, "", (true, Some(0), None, NoPrice, 28)),
        // Capability taken from the price.
        (
            image,
            "",
            r#"{"capability":31,"constraint":"m","pricePerUnit":7},
               {"capability":27,"constraint":"m"}"#,
            (false, None, Some(0), Exact, 27),
        ),
        (
            image,
            "",
            r#"{"capability":31,"constraint":"m","pricePerUnit":7}"#,
            (false, None, Some(7), Exact, 31),
        ),
        // A price for any model of the capability, after the exact one.
        (
            image,
            r#""27":{"models":{"m":null}}"#,
            r#"{"capability":28,"pricePerUnit":5},{"capability":27,"pricePerUnit":6}"#,
            (true, None, Some(6), AnyModel, 27),
        ),
        // BYOC: by name only, never by model.
        (
            byoc,
            r#""33":{"models":{"m":{"capacity":1}}}"#,
            r#"{"capability":33,"constraint":"m","pricePerUnit":5},
               {"capability":37,"constraint":"m","pricePerUnit":6},
               {"capability":37,"constraint":"my-job","pricePerUnit":7}"#,
            (false, None, Some(7), Exact, 37),
        ),
        (
            byoc,
            "",
            r#"{"capability":33,"constraint":"m","pricePerUnit":5},
               {"capability":33,"constraint":"my-job","pricePerUnit":6}"#,
            (false, None, None, NoPrice, -1),
        ),
    ];
    for (hardware, models, prices, want) in table {
        assert_eq!(first(hardware, models, prices), want, "{hardware} {models} {prices}");
    }
}

#[test]
fn models_without_hardware_get_rows() {
    let data = r#"{"address":"0x1","capabilities_prices":[{"capability":27,"constraint":"a",
        "pricePerUnit":3,"pixelsPerUnit":1}],"hardware":[{"pipeline":"upscale","model_id":"B"}],
        "capabilities":{"constraints":{"PerCapability":{"27":{"models":{"a":{"warm":true}}},
        "30":{"models":{"b":{}}},"37":{"models":{"job":{}}},"40":{"models":{"new":{}}}}}}}"#;
    with_rows(data, |rows| {
        let seen: Vec<_> = rows
            .snapshots
            .iter()
            .map(|row| (row.snapshot_source.label(), row.pipeline, row.model_id, row.element))
            .collect();
        let want = [
            ("hardware", "upscale", "B", 0),
            ("constraint", "text-to-image", "a", 1),
            ("constraint", "", "new", 2),
        ];
        assert_eq!(seen, want);
        let row = &rows.snapshots[1];
        assert_eq!((row.gpu_id, row.gpu_name, row.gpu_memory_total), ("", None, None));
        assert_eq!((row.warm, row.price_per_unit), (Some(true), Some(3)));
        assert_eq!(row.price_match.label(), "exact");
        assert_eq!(rows.snapshots[2].capability.capability_id, 40);
    });
}

#[test]
fn gpu_rows_prices_and_uris() {
    let data = r#"{"address":"0x1","orch_uri":" HTTPS://A:1/ ","hardware":[{"pipeline":"llm",
        "gpu_info":{"0":{"id":"g0","name":"n","major":8,"minor":9},"1":{"id":""}}},{}],
        "capabilities_prices":[{"capability":37},{"pricePerUnit":5,"pixelsPerUnit":0},
        {"pricePerUnit":5,"pixelsPerUnit":2,"constraint":"c"}]}"#;
    with_rows(data, |rows| {
        let gpus: Vec<_> = rows
            .snapshots
            .iter()
            .map(|row| (row.element, row.gpu_id, row.gpu_name, row.gpu_minor))
            .collect();
        let want = [(0, "g0", Some("n"), Some(9)), (1, "", Some(""), Some(0)), (2, "", None, None)];
        assert_eq!(gpus, want);
        let price = |row: &PriceRow<'_>| (row.price_per_unit, row.pixels_per_unit);
        assert_eq!(rows.prices.iter().map(price).collect::<Vec<_>>(), [(0, 0), (5, 0), (5, 2)]);
        assert_eq!(rows.prices[1].capability.capability_name, "H.264");
        assert_eq!(rows.prices[0].origin.orch_uri, " HTTPS://A:1/ ");
        assert_eq!(rows.prices[0].origin.orch_uri_norm, "https://a:1");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn counts_are_additive_over_entries(
        picks in proptest::collection::vec(any::<proptest::sample::Index>(), 0..30)
    ) {
        let data = batch_byoc();
        let whole = decode(&data).unwrap().document;
        let entries = picks.iter().enumerate().map(|(index, pick)| {
            let mut entry = pick.get(&whole.entries).clone();
            entry.index = u32::try_from(index).unwrap();
            entry
        });
        let document = Document { entries: entries.collect(), ..Document::default() };
        let size = |document: &Document<'_>| {
            let rows = expand(document);
            [rows.snapshots.len(), rows.advertised.len(), rows.constraints.len(), rows.prices.len()]
        };
        let mut sum = [0; 4];
        for entry in &document.entries {
            let one = size(&Document { entries: vec![entry.clone()], ..Document::default() });
            sum.iter_mut().zip(one).for_each(|(sum, n)| *sum += n);
        }
        prop_assert_eq!(size(&document), sum);
    }
}
