//! ClickHouse for naap: the embedded engine behind ClickHouse's own HTTP interface, the handle that
//! runs it as a child process, and the client side that talks to it or to a real server.
//!
//! See `docs/engine.md`.

#![deny(unsafe_code)]

pub mod client;
mod engine;
mod error;
mod exception;
mod facade;
mod faults;
#[allow(unsafe_code)]
mod ffi;
mod library;
mod lz4;
mod options;
mod process;
mod query_log;
mod request;
mod serve;
mod sql;

pub use error::EngineError;
pub use options::EngineOptions;
pub use process::EngineProcess;
pub use request::Credential;
pub use serve::serve;
