//! Any text as the capability payload of an event.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use naap_protocol::capability::advertise::advertisements;
use naap_protocol::capability::decode::decode;
use naap_protocol::capability::expand::expand;
use naap_protocol::capability::index::Index;
use naap_protocol::time::Timestamp;

fuzz_target!(|data: &str| {
    let Ok(decoded) = decode(data) else { return };
    let rows = expand(&decoded.document);
    let keys: BTreeSet<_> = rows.snapshots.iter().map(|r| (r.origin.entry, r.element)).collect();
    assert_eq!(keys.len(), rows.snapshots.len(), "every row has a key of its own");
    let mut index = Index::default();
    for advertisement in advertisements(&decoded.document, Timestamp(1), "uid", 0).nodes {
        assert!(advertisement.routing_keys().iter().all(|key| !key.is_empty()));
        index.insert(&advertisement);
    }
});
