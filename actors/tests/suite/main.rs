//! What the actors promise, checked against the contract's vectors, laws and failures.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod backfill;
mod cells;
mod clocks;
mod instruments;
mod latency;
mod memory;
mod meters;
mod session_laws;
mod session_vectors;
mod shard_laws;
mod signals;
mod stage;
mod swap_laws;
mod swap_vectors;
mod tree;
