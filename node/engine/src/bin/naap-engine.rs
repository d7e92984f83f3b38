//! The engine as a program of its own, for tests; the product is `naap engine`.

use std::process::ExitCode;

use clap::Parser;
use naap_engine::{EngineOptions, serve};

/// Embedded ClickHouse engine behind ClickHouse's HTTP interface
#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    options: EngineOptions,
}

fn main() -> ExitCode {
    match serve(&Cli::parse().options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
