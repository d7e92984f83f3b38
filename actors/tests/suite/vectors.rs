//! Which test holds which vector of lifecycle.md 13. None is forgotten.

use std::collections::BTreeSet;

/// The file, its text and its vectors.
const COVERED: &[(&str, &str, &str)] = &[
    (
        "protocol/tests/identity.rs: names and keys",
        include_str!("../../../protocol/tests/identity.rs"),
        "V01-V07 V116",
    ),
    (
        "protocol/tests/signal.rs: what a session hears of an event",
        include_str!("../../../protocol/tests/signal.rs"),
        "V08-V15",
    ),
    (
        "session_vectors.rs: fold, startup, health",
        include_str!("session_vectors.rs"),
        "V16-V17 V19-V44",
    ),
    (
        "attribution_vectors.rs: who served a session",
        include_str!("attribution_vectors.rs"),
        "V18 V35 V56 V68-V77 V79-V80 V82-V107",
    ),
    ("swap_vectors.rs: segments and swaps", include_str!("swap_vectors.rs"), "V45-V58 V60-V67"),
    (
        "signal_vectors.rs: samples, edges, coverage, parameter updates",
        include_str!("signal_vectors.rs"),
        "V108-V112 V114 V117-V118 V127-V136",
    ),
    ("latency.rs: how long things took", include_str!("latency.rs"), "V119-V126"),
    (
        "node/tests/serving/versions.rs: which row of a key counts",
        include_str!("../../../node/tests/serving/versions.rs"),
        "V115",
    ),
];

/// Internals of the system before, column N "–" (decisions.md): counters without selections, cache
/// entries of equal snapshots, the lookup key of a cache, and segments that overlap.
const SKIPPED: &str = "V59 V78 V81 V113";

const LAST: u32 = 136;

fn numbers(text: &str) -> BTreeSet<u32> {
    let number = |text: &str| text.trim_start_matches('V').parse::<u32>().expect("a vector");
    let range = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        number(first)..=number(last)
    };
    text.split_whitespace().flat_map(range).collect()
}

/// The vectors that a test names: `V07`, `v07_…`, or `V01 to V07`.
fn named(text: &str) -> BTreeSet<u32> {
    let text = text.to_ascii_uppercase();
    let mut found = BTreeSet::new();
    let mut before = (0, "");
    for (at, _) in text.match_indices('V') {
        let own = at == 0 || !text.as_bytes()[at - 1].is_ascii_alphanumeric();
        let digits = text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let Some(number) = text[at + 1..=at + digits].parse::<u32>().ok().filter(|_| own) else {
            continue;
        };
        let from = if matches!(before.1, " TO " | "_TO_") { before.0 } else { number };
        found.extend(from..=number);
        let after = at + 1 + digits;
        before = (number, text.get(after..after + 4).unwrap_or(""));
    }
    found
}

#[test]
fn every_vector_has_a_test() {
    let covered: BTreeSet<u32> = COVERED.iter().flat_map(|(.., list)| numbers(list)).collect();
    let mut all: Vec<u32> = covered.into_iter().chain(numbers(SKIPPED)).collect();
    all.sort_unstable();
    assert_eq!(all, (1..=LAST).collect::<Vec<_>>(), "each vector in one list");
}

#[test]
fn every_test_names_the_vectors_that_it_claims() {
    for (file, text, list) in COVERED {
        let missing: Vec<u32> = numbers(list).difference(&named(text)).copied().collect();
        assert!(missing.is_empty(), "{file} does not name {missing:?}");
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    let names = "V1, v02_v03_x \"V4 V5\" V7 to V9 v11_to_v13 RV99 V2V";
    assert_eq!(named(names), numbers("V1-V5 V7-V9 V11-V13"));
}
