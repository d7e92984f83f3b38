use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::fixtures::{batch_byoc, capture, live};
use super::*;

fn entries(data: &str) -> Vec<Entry<'_>> {
    let decoded = decode(data).unwrap();
    assert_eq!(decoded.bad_entries, []);
    decoded.document.entries
}

fn one(data: &str) -> Entry<'_> {
    let [entry] = <[_; 1]>::try_from(entries(data)).unwrap();
    entry
}

#[test]
fn shapes() {
    for scalar in ["null", "1", "true", "\"text\"", "", "  ", "x"] {
        assert_eq!(decode(scalar), Err(ShapeError::Scalar), "{scalar:?}");
    }
    for empty in ["[]", "{}", " [ ] ", "[{},1,null,\"x\",[],[{}]]"] {
        assert_eq!(entries(empty), [], "{empty:?}");
    }
    assert_eq!(one(r#"{"address":"0xAB"}"#).address, "0xab");
    let indexes: Vec<u32> = entries(r#"[{"a":1},{},3,{"b":2}]"#).iter().map(|e| e.index).collect();
    assert_eq!(indexes, [0, 3]);
}

#[test]
fn real_documents_are_read_whole() {
    for (data, count) in [(capture(), 1), (live(), 53), (batch_byoc(), 40)] {
        assert_eq!(entries(&data).len(), count);
    }
}

#[test]
fn documents_survive_messagepack() {
    for data in [live(), batch_byoc()] {
        let document = decode(&data).unwrap().document;
        let bytes = rmp_serde::to_vec(&document).unwrap();
        assert_eq!(rmp_serde::from_slice::<Document<'_>>(&bytes).unwrap(), document);
    }
}

#[test]
fn the_entry_of_the_capture() {
    let data = capture();
    let entry = one(&data);
    assert_eq!(entry.address, "0xd00354656922168815fcd1e51cbddb9e359e3c7f");
    assert_eq!(entry.local_address, "0x52cf2968b3dc6016778742d3539449a6597d5954");
    assert_eq!(entry.orch_uri, "https://rtav-orch2.xodeapp.xyz:28935");
    assert_eq!(entry.version, "0.8.8-3a5678ec-dirty");
    assert_eq!(entry.capacities.len(), 16);
    let model = "streamdiffusion-sdxl-faceid";
    let settings = ModelSettings {
        runner_version: "0.14.0".into(),
        capacity: 0,
        capacity_in_use: 1,
        warm: true,
    };
    let constraint =
        ModelConstraint { capability: 35, model_id: model.into(), settings: Some(settings) };
    assert_eq!(entry.models, [constraint]);
    let price = Price {
        capability: 35,
        constraint: model.into(),
        price_per_unit: 1618,
        pixels_per_unit: 1,
    };
    assert_eq!(entry.prices, [price]);
    let gpu = Gpu {
        id: "GPU-a8d13655-197b-2226-d09f-b4b81e07504b".into(),
        name: "NVIDIA GeForce RTX 5090".into(),
        major: 12,
        minor: 0,
        memory_total: 34_190_917_632,
        memory_free: 33_595_981_824,
    };
    let hardware = Hardware {
        pipeline: "live-video-to-video".into(),
        model_id: model.into(),
        gpus: vec![gpu],
    };
    assert_eq!(entry.hardware, [hardware]);
    assert_eq!(data.trim_start_matches('[').trim_end_matches(']'), entry.raw);
    assert!(matches!(entry.raw, Cow::Borrowed(_)) && matches!(entry.orch_uri, Cow::Borrowed(_)));
}

#[test]
fn addresses_and_uris() {
    let zero = format!("0x{}", "0".repeat(40));
    for (text, want) in [("0x", ""), (&zero, ""), ("  ", ""), (" 0xAb ", "0xab"), ("0X", "")] {
        let data = json!({"address": text, "local_address": text, "x": 1}).to_string();
        let entry = one(&data);
        assert_eq!((entry.address.as_ref(), entry.local_address.as_ref()), (want, want));
    }
    assert_eq!(one(r#"{"uri":"https://Old"}"#).orch_uri, "https://Old");
    assert_eq!(one(r#"{"orch_uri":"https://New","uri":"https://Old"}"#).orch_uri, "https://New");
    assert_eq!(one(r#"{"uri":"https://Old","orch_uri":""}"#).orch_uri, "https://Old");
}

#[test]
fn null_and_wrong_types_are_empty() {
    for value in ["null", "1", "\"x\"", "true", "[]", "{}", "[1]", "{\"k\":1}", "1.5"] {
        let data = format!(
            r#"{{"address":"0xa","capabilities":{value},"capabilities_prices":{value},"hardware":{value}}}"#
        );
        let entry = one(&data);
        assert_eq!(entry.address, "0xa");
        assert!(entry.capacities.is_empty() && entry.models.is_empty(), "{value}");
        assert!(entry.prices.is_empty() && entry.hardware.is_empty(), "{value}");
        let data = format!(
            r#"{{"capabilities":{{"capacities":{value},"constraints":{{"PerCapability":{value}}}}}}}"#
        );
        let entry = one(&data);
        assert!(entry.capacities.is_empty() && entry.models.is_empty(), "{value}");
        let data = format!(
            r#"{{"capabilities":{{"constraints":{{"PerCapability":{{"35":{{"models":{value}}}}}}}}}}}"#
        );
        let only_named_models = one(&data).models.iter().all(|model| model.model_id == "k");
        assert!(only_named_models, "{value}");
    }
}

#[test]
fn capacities_skip_keys_that_are_no_ids() {
    let data = r#"{"capabilities":{"capacities":{"10":1,"x":2," 2 ":"3","-1":-4,"":5,"1.5":6,
        "99999999999":7,"3":67542.9,"4":null}}}"#;
    assert_eq!(one(data).capacities, [(10, 1), (2, 3), (-1, -4), (3, 67542), (4, 0)]);
}

#[test]
fn models_keep_order_zeros_and_missing_objects() {
    let data = r#"{"capabilities":{"bitstring":[18446744073709551615],"constraints":{"PerCapability":{
        "35":{"models":{"b/x.y:1":{},"a":{"capacity":1},"n":null}},
        "33":{},"34":{"models":null},"zz":{"models":{"skipped":{}}},
        "27":{"models":{"w":{"warm":true,"capacityInUse":"2","runnerVersion":"1"}}}}}}}"#;
    let models = one(data).models;
    let seen: Vec<_> = models
        .iter()
        .map(|m| {
            let settings = m.settings.as_ref();
            let settings = settings
                .map(|s| (s.runner_version.as_ref(), s.capacity, s.capacity_in_use, s.warm));
            (m.capability, m.model_id.as_ref(), settings)
        })
        .collect();
    let want = [
        (35, "b/x.y:1", Some(("", 0, 0, false))),
        (35, "a", Some(("", 1, 0, false))),
        (35, "n", None),
        (27, "w", Some(("1", 0, 2, true))),
    ];
    assert_eq!(seen, want);
}

#[test]
fn gpu_info_is_an_object_by_index_or_an_array() {
    let ids = |info: &str| -> Vec<String> {
        let data = format!(r#"{{"hardware":[{{"gpu_info":{info}}}]}}"#);
        let entry = one(&data);
        entry.hardware[0].gpus.iter().map(|gpu| gpu.id.to_string()).collect()
    };
    let many: Vec<String> = (0..12).rev().map(|i| format!(r#""{i}":{{"id":"G{i}"}}"#)).collect();
    let want: Vec<String> = (0..12).map(|i| format!("G{i}")).collect();
    assert_eq!(ids(&format!("{{{}}}", many.join(","))), want);
    assert_eq!(ids(r#"[{"id":" G1 "},null,{}]"#), ["G1", ""]);
    assert_eq!(ids(r#"{"x":{"id":"last"},"1":{"id":"G"},"0":7}"#), ["G", "last"]);
    assert!(ids("null").is_empty());
}

#[test]
fn the_last_of_duplicate_keys_wins() {
    let data = r#"{"address":"0x1","address":"0x2","hardware":null,"hardware":[{"pipeline":"p"}],
        "capabilities":{"capacities":{"1":1,"2":2,"1":3},"constraints":{"PerCapability":
        {"35":{"models":{"m":{"capacity":1},"n":{},"m":{"capacity":2}}}}}}}"#;
    let entry = one(data);
    assert_eq!(entry.address, "0x2");
    assert_eq!(entry.hardware.len(), 1);
    assert_eq!(entry.capacities, [(1, 3), (2, 2)]);
    let models: Vec<_> = entry
        .models
        .iter()
        .map(|m| (m.model_id.as_ref(), m.settings.as_ref().unwrap().capacity))
        .collect();
    assert_eq!(models, [("m", 2), ("n", 0)]);
}

#[test]
fn numbers_are_clamped_and_escapes_read() {
    let data = r#"[{"capabilities_prices":[{"pricePerUnit":18446744073709551615,"pixelsPerUnit":"-5",
        "capability":3000000000,"constraint":"a\u003cb\/c"}],
        "hardware":[{"gpu_info":{"0":{"major":300,"minor":-1,"memory_total":18446744073709551615}}}]}]"#;
    let entry = one(data);
    let price = Price {
        capability: i32::MAX,
        constraint: "a<b/c".into(),
        price_per_unit: i64::MAX,
        pixels_per_unit: -5,
    };
    assert_eq!(entry.prices, [price]);
    let gpu = &entry.hardware[0].gpus[0];
    assert_eq!((gpu.major, gpu.minor, gpu.memory_total), (255, 0, u64::MAX));
}

#[test]
fn a_bad_entry_does_not_lose_the_others() {
    // A lone surrogate is well-formed JSON but no text; 1e999 is no finite number.
    for bad in [r#"{"address":"\ud800"}"#, r#"{"capabilities":{"capacities":{"1":1e999}}}"#] {
        let data = format!(r#"[{{"address":"0x1"}},{bad},{{"address":"0x2"}}]"#);
        let decoded = decode(&data).unwrap();
        let seen: Vec<_> =
            decoded.document.entries.iter().map(|e| (e.index, e.address.as_ref())).collect();
        assert_eq!(seen, [(0, "0x1"), (2, "0x2")], "{bad}");
        assert_eq!(decoded.bad_entries.len(), 1);
        assert_eq!(decoded.bad_entries[0].index, 1);
        assert!(!decoded.bad_entries[0].reason.is_empty());
    }
    let cut = decode(r#"[{"address":"0x1"},{"address":"#).unwrap();
    assert_eq!((cut.document.entries.len(), cut.bad_entries.len()), (1, 1));
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    for open in ["[", "{\"hardware\":[", "{\"capabilities\":{\"constraints\":", "{\"x\":"] {
        assert_eq!(decode(&open.repeat(500_000)), Err(ShapeError::TooDeep));
    }
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(decode(&nested(MAX_DEPTH)), Ok(Decoded::default()));
    assert_eq!(decode(&nested(MAX_DEPTH + 1)), Err(ShapeError::TooDeep));
    let brackets_in_text = format!(r#"{{"address":"0x\\\"{}"}}"#, "[".repeat(100));
    assert_eq!(entries(&brackets_in_text).len(), 1);
}

/// Any JSON value under keys that matter.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(0x)?[0-9a-f\\PC]{0,6}".prop_map(Value::from),
    ];
    let key = proptest::sample::select(vec![
        "address",
        "local_address",
        "orch_uri",
        "uri",
        "capabilities",
        "capacities",
        "constraints",
        "PerCapability",
        "models",
        "35",
        "x",
        "warm",
        "capacity",
        "capabilities_prices",
        "hardware",
        "gpu_info",
        "0",
        "id",
        "pipeline",
        "model_id",
        "capability",
        "pricePerUnit",
        "version",
    ]);
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "[\\[{]?\\PC{0,200}", bytes: Vec<u8>) {
        let _ = decode(&text);
        let _ = decode(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn valid_json_has_no_bad_entries(value in value()) {
        let text = value.to_string();
        match decode(&text) {
            Ok(decoded) => {
                prop_assert!(value.is_array() || value.is_object());
                prop_assert_eq!(decoded.bad_entries, vec![]);
                let elements = value.as_array().map_or_else(|| vec![value.clone()], Clone::clone);
                let objects = elements.iter().filter(|e| e.as_object().is_some_and(|o| !o.is_empty()));
                prop_assert_eq!(decoded.document.entries.len(), objects.count());
            }
            Err(error) => {
                prop_assert_eq!(error, ShapeError::Scalar);
                prop_assert!(!value.is_array() && !value.is_object());
            }
        }
    }

    #[test]
    fn mutated_documents_never_panic(
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let mut bytes = capture().into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = decode(&String::from_utf8_lossy(&bytes));
    }
}
