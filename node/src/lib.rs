//! The node: composition root of naap. Configuration, command line, and everything that talks to the outside.
#![forbid(unsafe_code)]

pub mod archive;
pub mod backfill;
pub mod certificates;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod cpu;
mod disk;
pub mod explain;
pub mod http;
pub mod kafka;
pub mod logging;
pub mod node;
pub mod quality;
pub mod replay;
pub mod run;
pub mod state_log;
mod stop;
pub mod store;
pub mod telemetry;
pub mod times;
