//! The environment layer: `NAAP_<SECTION>__<KEY>`.

use std::ffi::OsString;

use super::nearest::nearest;
use super::problem::{Origin, Problem};
use super::section::Key;
use super::tombstones;

const PREFIX: &str = "NAAP_";

/// Variables with the prefix that are no settings, and what reads them.
pub(crate) const RESERVED: &[(&str, &str)] = &[
    ("NAAP_BENCH_FOLDER", "folder where the storage benchmark keeps its month"),
    ("NAAP_BENCH_LINK", "the other side of the link benchmark, which sets it itself"),
    ("NAAP_BENCH_PART", "the one part of the storage benchmark to run"),
    ("NAAP_BENCH_SESSIONS", "sessions that `make bench` replays"),
    ("NAAP_CACHE_DIR", "folder of downloaded tools and of the engine library"),
    ("NAAP_CHANGE_BASE", "commit that the check of joint changes compares with"),
    ("NAAP_DEMO_SESSIONS", "sessions that `make demo` generates"),
    ("NAAP_ENGINE_LIB", "engine library, when `clickhouse.engine_lib` is not set"),
    ("NAAP_FUZZ_EXAMPLES", "requests that `make api-fuzz` makes up for each path"),
    ("NAAP_FUZZ_SECONDS", "seconds that `make fuzz` spends on each target"),
    ("NAAP_FUZZ_SEED", "what the requests of `make api-fuzz` follow from"),
    ("NAAP_KAFKA_BOOTSTRAP", "brokers for tests, instead of starting one"),
    ("NAAP_KAFKA_FOLDER", "folder of the broker that tests may restart"),
    ("NAAP_LOG", "log filter, as the flag --log"),
    ("NAAP_SIM_RUNS", "schedules that `make sim` plays"),
    ("NAAP_SIM_SEED", "the one schedule that `make sim` plays"),
    ("NAAP_TOOLS", "folder of the linters, inside the cache folder"),
    ("NAAP_UPDATE", "tests rewrite their expected files"),
];

/// The variable of the setting at `path`.
pub(crate) fn name_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase())
}

/// The settings given by the environment, in the order of their names, and what is wrong with the other variables.
pub(crate) fn read(
    variables: &[(OsString, OsString)],
    keys: &[Key],
) -> (Vec<(Origin, String, String)>, Vec<Problem>) {
    let mut sorted: Vec<_> = variables.iter().collect();
    sorted.sort();
    let mut given = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in sorted {
        let name = name.to_string_lossy();
        let origin = Origin::Environment(name.to_string());
        if let Some(tombstone) = tombstones::find(name.strip_prefix(PREFIX).unwrap_or(&name)) {
            problems.push(Problem::new(origin, "", tombstone.reason(true)));
        } else if name.starts_with(PREFIX) && RESERVED.iter().all(|(other, _)| *other != name) {
            match (keys.iter().find(|key| name_of(&key.path) == name), value.to_str()) {
                (Some(key), Some(text)) => given.push((origin, key.path.clone(), text.to_owned())),
                (Some(key), None) => {
                    problems.push(Problem::new(origin, &key.path, "the value is not UTF-8"));
                }
                (None, _) => problems.push(unknown(origin, &name, keys)),
            }
        }
    }
    (given, problems)
}

fn unknown(origin: Origin, name: &str, keys: &[Key]) -> Problem {
    let link = name.starts_with("NAAP_PORT") || name.contains("_SERVICE_") || name.contains("_TCP");
    if link {
        let reason = "unknown variable, made by Kubernetes for a service; set enableServiceLinks: false in the pod";
        return Problem::new(origin, "", reason);
    }
    let names: Vec<String> = keys.iter().map(|key| name_of(&key.path)).collect();
    let names = names.iter().map(String::as_str).chain(RESERVED.iter().map(|(name, _)| *name));
    // The common prefix would make everything look alike.
    let bare = |name| str::strip_prefix(name, PREFIX).unwrap_or(name);
    let suggestion = nearest(bare(name), names.map(bare)).map(|found| format!("{PREFIX}{found}"));
    Problem::new(origin, "", "unknown variable").suggest(suggestion)
}
