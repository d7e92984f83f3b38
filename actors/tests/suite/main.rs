//! What the actors promise, checked against the contract's vectors, laws and failures.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod attribution_vectors;
mod backfill;
mod cells;
mod clocks;
mod convergence;
mod dense;
mod expiry;
mod generated;
mod holding;
mod instruments;
mod latency;
mod letters;
mod memory;
mod meters;
mod peer;
mod samples;
mod session_laws;
mod session_vectors;
mod shard_laws;
mod signal_vectors;
mod signals;
mod stage;
mod status_hours;
mod swap_laws;
mod swap_vectors;
mod tree;
mod truth;
mod vectors;
mod writing;
