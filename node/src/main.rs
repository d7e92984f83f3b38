//! The program `naap`.

/// Batches of rows come and go by the megabyte; this allocator gives their memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::process::ExitCode;

fn main() -> ExitCode {
    naap_node::cli::main()
}
