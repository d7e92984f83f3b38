//! The data rules of naap as pure functions over plain types.
//!
//! Everything here is a function of its arguments: no clock, no randomness, no runtime, no network.
//! [`event`] is what a gateway said, [`gate`] decides what becomes of a record, [`identity`] names
//! things, [`capability`] expands advertisements, [`rows`] is what ends in `ClickHouse`.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod capability;
pub mod catalogue;
pub mod cluster;
pub mod codec;
pub mod event;
pub mod frames;
pub mod gate;
pub mod identity;
mod json;
pub mod lot;
pub mod org;
pub mod payment;
pub mod peer;
pub mod privacy;
pub mod rollup;
pub mod rows;
pub mod signal;
pub mod slice;
pub mod state;
pub mod time;
pub mod views;
pub mod wire;
