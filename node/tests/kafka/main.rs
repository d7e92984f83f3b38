//! The Kafka source against brokers: a mock inside the process, and a real one where
//! `NAAP_KAFKA_BOOTSTRAP` names it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation is a failed test"
)]

mod broker;
mod child;
mod helper;
mod members;
mod meter;
mod mock;
#[path = "../cluster/port.rs"]
mod port;
mod process;
mod real;
mod rejects;
mod state_log;
