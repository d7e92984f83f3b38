//! The read-only HTTP interface: facts for programs, health and metrics for operators.
//!
//! Lists are the serving views, and their fields are described by the definitions of the views. A
//! request can choose rows, never a statement; NULL stays null.

mod list;
mod openapi;
mod problem;
mod request;
mod resource;
mod server;

pub use server::{Api, Reading, serve, start};
