//! Names: normal forms, session ids, uids and keys (events.md 5, lifecycle V01 to V07, V116).

use std::collections::HashSet;

use naap_protocol::event::DedupStrategy;
use naap_protocol::identity::{
    EntityKey, blank_to_null, event_uid, first_non_blank, norm_addr, norm_url, session_key,
    trace_category,
};
use proptest::prelude::*;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

#[test]
fn v01_to_v05_session_keys() {
    for (stream, request, uid, expected) in [
        ("stream-1", "req-1", "evt-1", "stream-1|req-1"),
        (" stream-1 ", "\treq-1\n", "evt-1", "stream-1|req-1"),
        ("stream-1", "", "evt-1", "stream-1|_missing_request"),
        ("stream-1", "  ", "evt-1", "stream-1|_missing_request"),
        ("", "req-1", "evt-1", "_missing_stream|req-1"),
        ("", "", "evt-1", "_missing_stream|_missing_request|evt-1"),
        ("", "", " ", "_missing_stream|_missing_request|_missing_event"),
    ] {
        assert_eq!(session_key(stream, request, uid), expected);
        assert_eq!(EntityKey::session("o", stream, request, uid).text(), expected);
    }
}

#[test]
fn v06_addresses() {
    for (address, expected) in [
        ("   ", ""),
        ("", ""),
        (" 0xAbC123 ", "0xabc123"),
        ("0x", ""),
        ("0X", ""),
        ("0x0000000000000000000000000000000000000000", ""),
        ("0x000000000000000000000000000000000000000", "0x000000000000000000000000000000000000000"),
        (
            "0xd00354656922168815Fcd1e51CBddB9e359e3C7F",
            "0xd00354656922168815fcd1e51cbddb9e359e3c7f",
        ),
    ] {
        assert_eq!(norm_addr(address.into()), expected, "{address:?}");
    }
}

#[test]
fn v07_blank_texts() {
    assert_eq!(first_non_blank([Some(" "), None, Some("x"), Some("y")]), "x");
    assert_eq!(first_non_blank([Some(" "), None, Some("\t")]), "");
    assert_eq!(blank_to_null(" value "), Some(" value "));
    assert_eq!(blank_to_null(" \t"), None);
}

#[test]
fn urls() {
    for (url, expected) in [
        (" HTTPS://Orch.Example:8935/ ", "https://orch.example:8935"),
        ("https://orch.example:8935//", "https://orch.example:8935/"),
        ("https://orch.example/Path", "https://orch.example/path"),
        ("https://ÄÖ.example", "https://äö.example"),
        ("/", ""),
        (" ", ""),
    ] {
        assert_eq!(norm_url(url), expected, "{url:?}");
    }
}

#[test]
fn v116_trace_categories() {
    for (subtype, expected) in [
        ("gateway_x", "gateway"),
        ("orchestrator_swap", "orchestrator"),
        ("runner_x", "runner"),
        ("app_x", "app"),
        ("foo", "other"),
        ("", "other"),
        ("gatewayx", "other"),
        ("Gateway_x", "other"),
    ] {
        assert_eq!(trace_category(subtype), expected, "{subtype}");
    }
}

#[test]
fn uids_of_records_without_id() {
    for (raw, expected) in [
        (
            r#"{"data":[{"address":"0xabc","latency_ms":"84","url":"https://o.example:8935"}],"gateway":"","timestamp":"1770062024627","type":"discovery_results"}"#,
            "e1fc768959b4d512a99bd002cef0afb7c20b1359c437288f3fa0138531167ff4",
        ),
        (
            r#"{"data":{"orchestrator":"https://o.example:8935","sessionID":"01b55632"},"gateway":"","timestamp":"1767908951589","type":"create_new_payment"}"#,
            "f8762f3fbe8e29fb649842e3519e619c62c3c6a671428171506156fd83fc5f5e",
        ),
        // Order, space and replay bookkeeping do not matter.
        (
            r#"{ "type":"create_new_payment", "__replay":true, "__replay_ts":1, "__replay_source":"dlq",
              "__replay_failure_class":"x", "timestamp":"1767908951589", "gateway":"",
              "data":{"sessionID":"01b55632","orchestrator":"https://o.example:8935"}}"#,
            "f8762f3fbe8e29fb649842e3519e619c62c3c6a671428171506156fd83fc5f5e",
        ),
    ] {
        let (uid, strategy) = event_uid(raw);
        assert_eq!(uid, expected);
        assert_eq!(strategy, DedupStrategy::PayloadHash);
    }
}

#[test]
fn uids_of_other_records() {
    assert_eq!(event_uid(r#"{"id":" a "}"#), (" a ".into(), DedupStrategy::EventId));
    assert_eq!(event_uid(r#"{"id":7}"#), ("7".into(), DedupStrategy::EventId));
    // A blank id is none; a replayed inner field is content.
    let [blank, none] = [r#"{"id":" ","type":"x"}"#, r#"{"type":"x"}"#].map(event_uid);
    assert_eq!(blank.1, DedupStrategy::PayloadHash);
    assert_ne!(blank.0, none.0, "the blank id is part of the payload");
    assert_ne!(
        event_uid(r#"{"type":"x","data":{"__replay":true}}"#).0,
        event_uid(r#"{"type":"x","data":{}}"#).0
    );
    // SHA-256 of the text itself for what is not JSON.
    let (uid, _) = event_uid("abc");
    assert_eq!(uid, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn key_bytes_are_kind_org_zero_text() {
    let key = EntityKey::session("cloud_spe", " s", "r", "");
    let bytes = b"\x01cloud_spe\x00s|r";
    assert_eq!(key.id().0, xxh3_128(bytes));
    assert_eq!(u64::from(key.shard(64)), xxh3_64(bytes) % 64);
    assert_eq!(key.shard(0), 0);
    let orchestrator = EntityKey::orchestrator("daydream", "https://o");
    assert_eq!(orchestrator.id().0, xxh3_128(b"\x02daydream\x00https://o"));
    assert_eq!(EntityKey::event("o", "u").id().0, xxh3_128(b"\x03o\x00u"));
    assert_eq!(key.to_string(), "session cloud_spe/s|r");
}

#[test]
fn kinds_and_organisations_never_collide() {
    let keys = [
        EntityKey::session_id("a", "x"),
        EntityKey::session_id("b", "x"),
        EntityKey::session_id("ax", ""),
        EntityKey::orchestrator("a", "x"),
        EntityKey::orchestrator("b", "x"),
        EntityKey::event("a", "x"),
    ];
    let ids: HashSet<_> = keys.iter().map(EntityKey::id).collect();
    assert_eq!(ids.len(), keys.len());
}

proptest! {
    #[test]
    fn long_and_short_keys_hash_alike(stream in ".{0,300}", request in "[a-z]{0,30}", shards in 1_u16..) {
        let key = EntityKey::session("org", &stream, &request, "uid");
        let whole = key.text();
        let again = EntityKey::session_id("org", &whole);
        let bytes = [b"\x01org\x00", whole.as_bytes()].concat();
        prop_assert_eq!(key.id(), again.id());
        prop_assert_eq!(key.id().0, xxh3_128(&bytes));
        prop_assert_eq!(u64::from(key.shard(shards)), xxh3_64(&bytes) % u64::from(shards));
    }

    #[test]
    fn normal_forms_are_stable(text in ".{0,60}") {
        let address = norm_addr(text.as_str().into()).into_owned();
        prop_assert_eq!(norm_addr(address.as_str().into()), address.as_str());
    }
}
