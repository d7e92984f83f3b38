//! Nodes as processes of their own, linked on this machine: the actor runtime has one registry per
//! process, so that two of its nodes can not share one.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failed expectation is a failed test"
)]

mod authority;
mod hostile;
mod impostor;
mod links;
mod node;
mod port;
