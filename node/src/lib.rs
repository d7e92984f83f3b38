//! The node: composition root of naap. Configuration, command line, and everything that talks to the outside.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
