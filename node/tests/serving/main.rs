//! The published figures and the views of them, computed by the real engine from facts that are
//! written down here: the acceptance examples of the contract (backlog 003, 008, 009, 026) and the laws of
//! slices.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with what went wrong")]

mod bandwidth;
mod bench;
mod catalogue;
mod checks;
mod compliance;
mod demand;
mod encrypted;
mod labels;
mod quality;
mod schema;
mod slices;
mod versions;
mod world;
