//! What served queries and lookups cost on a month of facts: milliseconds, rows read, granules left out.
//! `cargo bench -p naap-node --bench storage`; with `NAAP_BENCH_FOLDER` the month is kept there and used
//! again.
//!
//! The month is generated and replayed, so every row and every published figure was made as in service.
//! Only the million rejects are written by a statement: a sound month has few.
#![allow(clippy::expect_used, clippy::print_stdout, clippy::unwrap_used)]

mod engine;
mod lookups;
mod month;
mod served;
mod traces;

use std::path::PathBuf;

use engine::Engine;

/// The allocator of the node.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let kept = std::env::var_os("NAAP_BENCH_FOLDER").map(PathBuf::from);
    let folder = kept.unwrap_or_else(|| scratch.path().to_owned());
    let data = month::replayed(&folder);
    let engine = Engine::start(&data.join("clickhouse"));
    engine.ask("CREATE DATABASE IF NOT EXISTS bench");
    month::report(&engine);
    let part = std::env::var("NAAP_BENCH_PART").unwrap_or_default();
    for (name, run) in
        [("served", served::run as fn(&Engine)), ("lookups", lookups::run), ("traces", traces::run)]
    {
        if part.is_empty() || part == name {
            run(&engine);
        }
    }
    engine.ask("DROP DATABASE bench");
    engine.stop();
}
