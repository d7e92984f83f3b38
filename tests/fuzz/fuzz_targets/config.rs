//! Any text as the configuration file: good values or sentences that name the place.
#![no_main]
#![allow(dead_code, unused_imports)] // most of the module is not used here

use libfuzzer_sys::fuzz_target;

#[path = "../../../node/src/config/mod.rs"]
mod config;

fuzz_target!(|text: &str| {
    if let Err(problems) = config::load_text(Some((text, "fuzz")), &[], &[]) {
        assert!(!problems.is_empty());
        assert!(problems.iter().all(|problem| !problem.to_string().is_empty()));
    }
});
