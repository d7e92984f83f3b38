//! The engine as its users see it: the real library behind the façade, driven by the official client
//! and by raw HTTP. Without the library every test fails with the sentence that says how to get it.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

mod client;
mod fingerprint;
mod fixture;
mod lifecycle;
mod measure;
mod protocol;
