//! The real documents, as the text of an envelope's `data`.

use serde_json::Value;

const CAPTURE: &str = include_str!("../../../tests/fixtures/events-2026-01-08.jsonl");
const LIVE: &str = include_str!("../../../tests/fixtures/getNetworkCapabilities.json");
const BATCH_BYOC: &str =
    include_str!("../../../tests/fixtures/getNetworkCapabilities-ai-batch-byoc.json");

/// The value of a top-level key as it stands in the text.
fn member(text: &str, key: &str) -> String {
    sonic_rs::get(text, [key]).unwrap().as_raw_str().to_owned()
}

/// The capability event of the capture of 2026-01-08: one entry.
pub(super) fn capture() -> String {
    let is_capability = |line: &&str| {
        serde_json::from_str::<Value>(line).unwrap()["type"] == "network_capabilities"
    };
    member(CAPTURE.lines().find(is_capability).unwrap(), "data")
}

/// 53 entries.
pub(super) fn live() -> String {
    member(LIVE, "orchestrators")
}

/// 40 entries.
pub(super) fn batch_byoc() -> String {
    member(BATCH_BYOC, "orchestrators")
}
