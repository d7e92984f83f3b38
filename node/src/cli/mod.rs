//! The command line: definitions of all commands and their dispatch.

mod args;
mod cluster;
mod config;
mod failure;
mod generate;
mod parse;
mod placement;
mod store;
mod topology;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

pub use args::{
    BackfillAttributionArgs, BackfillCommand, ClusterCommand, ConfigCommand, EngineArgs,
    ExplainCommand, ExplainSessionArgs, GenerateArgs, PerhapsStoreArgs, QueryArgs, ReplayArgs,
    RunArgs, SchemaCommand, ServeArgs, StoreArgs, TopologyArgs, VerifyArgs,
};
pub use failure::Failure;
pub(crate) use failure::{environment, make_data_folder};
pub(crate) use parse::name;
pub(crate) use store::open;

use crate::config::{FlagValue, Loaded, Sources};

/// Turn Livepeer gateway telemetry into correct, explainable facts in ClickHouse.
#[derive(Debug, Parser)]
#[command(
    name = "naap",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = EXIT_CODES
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all well, 1 a check failed, 2 wrong usage or environment

Start here:
  naap generate --sessions 200 --out day.jsonl
  naap replay --data-dir demo day.jsonl
  naap query --data-dir demo \"SHOW TABLES FROM naap\"";

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Form of results and errors: text or json
    #[arg(
        long,
        global = true,
        value_enum,
        hide_possible_values = true,
        default_value_t,
        value_name = "FORM",
        help_heading = "Global options"
    )]
    pub output: Output,
    /// Configuration file (TOML); see `naap config reference`
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Override a setting; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = parse::setting, help_heading = "Global options")]
    pub settings: Vec<(String, String)>,
    /// Log filter such as `info` or `naap_actors=debug`
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "NAAP_LOG",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub log: Option<String>,
}

/// Form of results on stdout and errors on stderr.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service: read events, keep state, write facts
    Run(RunArgs),
    /// Replay files of events through an embedded node, to completion
    Replay(ReplayArgs),
    /// Ask any SQL of the stored facts
    Query(QueryArgs),
    /// Say why a stored fact is what it is
    #[command(subcommand)]
    Explain(ExplainCommand),
    /// Correct facts of a past window by what is known today
    #[command(subcommand)]
    Backfill(BackfillCommand),
    /// Check that stored facts agree with each other and with the contract
    Verify(VerifyArgs),
    /// Serve stored facts over HTTP, without reading input
    Serve(ServeArgs),
    /// Generate a deterministic synthetic network, with its true outcome
    Generate(GenerateArgs),
    /// Create or check the tables
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Check, print or explain the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// See the cluster as a running node does, or drain a node
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Print the actors, queues and topics that this configuration builds
    Topology(TopologyArgs),
    /// Serve the embedded ClickHouse engine; started by other commands
    #[command(hide = true)]
    Engine(EngineArgs),
}

impl Global {
    /// The layers of the configuration; `flags` are the command's own flags that are settings.
    pub fn sources(&self, mut flags: Vec<FlagValue>) -> Sources {
        flags.extend(self.settings.iter().map(|(path, text)| FlagValue {
            flag: format!("--set {path}"),
            path: path.clone(),
            text: text.clone(),
        }));
        flags.extend(self.log.iter().map(|filter| FlagValue {
            flag: "--log or NAAP_LOG".to_owned(),
            path: "telemetry.log_level".to_owned(),
            text: filter.clone(),
        }));
        Sources { file: self.config.clone(), environment: std::env::vars_os().collect(), flags }
    }

    /// Loads the configuration of a command that can not go on without it.
    ///
    /// # Errors
    /// Everything that is wrong with it, as a failure of the environment.
    pub fn load(&self, flags: Vec<FlagValue>) -> Result<Loaded, Failure> {
        crate::config::load(&self.sources(flags)).map_err(|error| Failure::config(2, &error))
    }
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error, wanted_output(&arguments)),
    };
    match dispatch(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(cli.global.output),
    }
}

fn dispatch(cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Command::Config(command) => config::run(command, &cli.global),
        Command::Replay(args) => crate::replay::run(args, &cli.global),
        Command::Query(args) => store::query(args, &cli.global),
        Command::Backfill(BackfillCommand::Attribution(args)) => {
            crate::backfill::attribution(args, &cli.global)
        }
        Command::Explain(ExplainCommand::Session(args)) => {
            crate::explain::session(args, &cli.global)
        }
        Command::Serve(args) => store::serve(args, &cli.global),
        Command::Verify(args) => crate::quality::command::run(args, &cli.global),
        Command::Schema(command) => store::schema(command, &cli.global),
        Command::Generate(args) => generate::run(args, &cli.global),
        Command::Engine(args) => store::engine(args),
        Command::Cluster(command) => cluster::run(command, &cli.global),
        Command::Topology(args) => topology::run(args, &cli.global),
        Command::Run(args) => crate::run::run(args, &cli.global),
    }
}

/// The form that is asked for by arguments that do not parse.
fn wanted_output(arguments: &[OsString]) -> Output {
    let json = arguments.iter().any(|argument| argument == "--output=json")
        || arguments.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    if json { Output::Json } else { Output::Text }
}

/// Writes a result to stdout. A reader that went away is not an error of this program.
pub(crate) fn emit(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::environment(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}
