//! The program `naap`.

use std::process::ExitCode;

fn main() -> ExitCode {
    naap_node::cli::main()
}
