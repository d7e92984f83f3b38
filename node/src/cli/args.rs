//! Arguments of each command.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use naap_actors::placement::Member;
use naap_protocol::time::Timestamp;

use super::{Failure, parse};
use crate::config::FlagValue;
use crate::replay::DEFAULT_ORG;

/// `naap run`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  naap run --config naap.toml
  naap run --config naap.toml --name naap-1 --set commit.flush_interval=3s
  NAAP_KAFKA__BOOTSTRAP=kafka:9092 naap run --source kafka")]
pub struct RunArgs {
    /// Name of this node (`node.name`)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Folder for all files of this node (`node.data_dir`)
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Where input comes from: embedded or kafka (`ingest.source`)
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// Brokers, comma-separated (`kafka.bootstrap`)
    #[arg(long, value_name = "HOST:PORT,..")]
    pub bootstrap: Option<String>,
    /// ClickHouse server instead of the embedded engine (`clickhouse.url`)
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

impl RunArgs {
    /// The flags as settings.
    pub fn flags(&self) -> Vec<FlagValue> {
        let flags = [
            ("--name", "node.name", &self.name),
            ("--data-dir", "node.data_dir", &self.data_dir),
            ("--source", "ingest.source", &self.source),
            ("--bootstrap", "kafka.bootstrap", &self.bootstrap),
            ("--url", "clickhouse.url", &self.url),
        ];
        let given = |(flag, path, text): (&str, &str, &Option<String>)| {
            let text = text.clone()?;
            Some(FlagValue { flag: flag.to_owned(), path: path.to_owned(), text })
        };
        flags.into_iter().filter_map(given).collect()
    }
}

/// `naap replay`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints what was read, accepted, rejected and stored, the speed, and a fingerprint of each
relation. The same file again resumes an interrupted replay or reports that it was applied.

Examples:
  naap replay --data-dir demo tests/fixtures/events-2026-01-08.jsonl
  naap replay --data-dir stress --shuffle 7 --duplicate 0.2 --capability-delay 10m day.jsonl
  zcat day.jsonl.gz | naap replay --data-dir demo --output json -")]
pub struct ReplayArgs {
    /// Folder of the embedded node; created when missing
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Organisation of the events
    #[arg(long, value_name = "ORG", default_value = DEFAULT_ORG, value_parser = parse::name)]
    pub org: String,
    /// Deliver in a random order, fixed by this seed
    #[arg(long, value_name = "SEED", value_parser = parse::seed, allow_negative_numbers = true)]
    pub shuffle: Option<u64>,
    /// Deliver each event a second time with this probability
    #[arg(long, value_name = "P", default_value = "0", value_parser = parse::probability, allow_negative_numbers = true)]
    pub duplicate: f64,
    /// Deliver capability advertisements later by this time
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    pub capability_delay: Option<Duration>,
    /// Deliver all capability advertisements before everything else
    #[arg(long, conflicts_with = "capability_delay")]
    pub capability_precede_session: bool,
    /// Files with one Kafka value a line; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Where facts are stored: one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct StoreArgs {
    /// Folder of an embedded node
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// HTTP address of a ClickHouse server; user and password as configured
    #[arg(long, value_name = "URL", value_parser = parse::url)]
    pub url: Option<String>,
}

/// `naap query`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  naap query --data-dir demo \"SELECT count() FROM naap.fact_workflow_sessions FINAL\"
  naap query --data-dir demo --format CSVWithNames \"SELECT * FROM naap.v_api_sla_compliance\"
  naap query --url http://clickhouse:8123 \"SHOW TABLES FROM naap\"")]
pub struct QueryArgs {
    /// Where the facts are.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Any output format of ClickHouse [default: `PrettyCompactMonoBlock`, with `--output json` JSON]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// The statement
    #[arg(value_name = "SQL", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub sql: String,
}

/// Where facts are stored, for a command that may not need them.
#[derive(Debug, Args)]
#[group(required = false, multiple = false)]
pub struct PerhapsStoreArgs {
    /// Folder of an embedded node
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// HTTP address of a ClickHouse server; user and password as configured
    #[arg(long, value_name = "URL", value_parser = parse::url)]
    pub url: Option<String>,
}

impl PerhapsStoreArgs {
    /// The store that is named.
    ///
    /// # Errors
    /// When none is.
    pub fn given(&self) -> Result<StoreArgs, Failure> {
        if self.data_dir.is_none() && self.url.is_none() {
            return Err(Failure::environment("name a store with --data-dir DIR or --url URL"));
        }
        Ok(StoreArgs { data_dir: self.data_dir.clone(), url: self.url.clone() })
    }
}

/// `naap verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Reads only. A window is widened to whole hours. Gates, thresholds and waivers are those of
deploy/quality/gates.toml unless --gates names another file. --self-test needs no store: it seeds
each fault that a check has to find into a scratch folder, and must see exactly its checks fail.

Examples:
  naap verify --data-dir demo
  naap verify --data-dir demo --check Q-20 --check N-16 --output json
  naap verify --url http://clickhouse:8123 --gate release
  naap verify --self-test")]
pub struct VerifyArgs {
    /// Where the facts are.
    #[command(flatten)]
    pub store: PerhapsStoreArgs,
    /// Which checks and thresholds: pr, nightly, release or probe
    #[arg(long, value_name = "GATE", default_value = "pr")]
    pub gate: String,
    /// Only these checks; separated by commas, or given again
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub check: Vec<String>,
    /// Only this organisation [default: all]
    #[arg(long, value_name = "ORG", value_parser = parse::name)]
    pub org: Option<String>,
    /// Begin of the window, UTC [default: that of the gate, else everything]
    #[arg(long, value_name = "TIME", value_parser = parse::time)]
    pub from: Option<Timestamp>,
    /// End of the window, UTC, exclusive; also what counts as now
    #[arg(long, value_name = "TIME", value_parser = parse::time)]
    pub to: Option<Timestamp>,
    /// Warnings fail too
    #[arg(long)]
    pub strict: bool,
    /// Other gates, thresholds and waivers
    #[arg(long, value_name = "FILE")]
    pub gates: Option<PathBuf>,
    /// Print every check and its meaning
    #[arg(long, conflicts_with_all = ["data_dir", "url", "check", "self_test"])]
    pub list: bool,
    /// Test the checks themselves
    #[arg(long, conflicts_with_all = ["data_dir", "url"])]
    pub self_test: bool,
}

/// `naap serve`
#[derive(Debug, Args)]
#[command(after_help = "\
The same interface as that of `naap run`: /openapi.json describes it. Ends with SIGTERM or SIGINT.

Examples:
  naap serve --data-dir demo
  naap serve --url http://clickhouse:8123 --listen 127.0.0.1:9600")]
pub struct ServeArgs {
    /// Where the facts are.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Address to serve on (`http.listen`)
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
}

/// `naap explain`
#[derive(Debug, Subcommand)]
pub enum ExplainCommand {
    /// Tell the story of a session, with the evidence for each decision
    Session(ExplainSessionArgs),
}

/// `naap explain session`
#[derive(Debug, Args)]
#[command(after_help = "\
The session is folded again from the archive by the code that wrote its facts: signals in order on
both clocks, selections with every candidate and why it was taken or not, segments, swaps,
latencies, the rule that fixed the outcome, and how rows were corrected. Where the stored facts
differ, FINDINGS says so. After the archive has expired, the stored facts alone are told.

Exit code 1: no session has this id, or several begin with it; they are listed.

Examples:
  naap explain session --data-dir demo 'stream-o5s73x-mk5zc8fy|db936fab'
  naap explain session --data-dir demo stream-o5s73x --all
  naap explain session --url http://clickhouse:8123 --org cloud_spe --output json stream-o5s73x")]
pub struct ExplainSessionArgs {
    /// Where the facts are.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Organisation of the session [default: any]
    #[arg(long, value_name = "ORG", value_parser = parse::name)]
    pub org: Option<String>,
    /// Leave nothing out: every status sample, candidate, correction and finding
    #[arg(long)]
    pub all: bool,
    /// Session id `stream|request`, stream id, or the beginning of one
    #[arg(value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub id: String,
}

/// `naap backfill`
#[derive(Debug, Subcommand)]
pub enum BackfillCommand {
    /// Decide again who served the selections of a past window
    Attribution(BackfillAttributionArgs),
}

/// `naap backfill attribution`
#[derive(Debug, Args)]
#[command(after_help = "\
Corrections happen by themselves while orchestrators still know what they advertised, which is
96 hours. This decides the selections from --from up to --to again, by everything that the archive
holds within 24 hours of them, and corrects the rows that change. A second run changes nothing.
A window that begins more than 7 days ago needs --allow-old.

Writes go through the owner of the sessions. With a data folder that is this command for as long as
it runs, so the node must be stopped. With a state log in Kafka (state_log.store = kafka) the nodes
go on running: give the configuration of one that runs beside this command, and the facts with --url.

Examples:
  naap backfill attribution --data-dir data --from 2026-01-08 --to 2026-01-09 --dry-run
  naap backfill attribution --data-dir data --from 2026-01-08 --to 2026-01-09 --allow-old
  naap backfill attribution --config naap.toml --url http://clickhouse:8123 --from 2026-01-08 --to 2026-01-09 --allow-old")]
pub struct BackfillAttributionArgs {
    /// Where state and facts are.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Begin of the window, UTC
    #[arg(long, value_name = "TIME", value_parser = parse::time)]
    pub from: Timestamp,
    /// End of the window, UTC, exclusive
    #[arg(long, value_name = "TIME", value_parser = parse::time)]
    pub to: Timestamp,
    /// Say what would change and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Change facts that are older than 7 days
    #[arg(long)]
    pub allow_old: bool,
    /// Only this organisation [default: all]
    #[arg(long, value_name = "ORG", value_parser = parse::name)]
    pub org: Option<String>,
}

/// `naap generate`
#[derive(Debug, Args)]
#[command(after_help = "\
The same arguments give the same bytes on every machine.

Examples:
  naap generate --sessions 2000 --out day.jsonl --truth truth.jsonl
  naap generate --seed 7 --sessions 10 | naap replay --data-dir demo -")]
pub struct GenerateArgs {
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse::seed, allow_negative_numbers = true)]
    pub seed: u64,
    /// Number of sessions
    #[arg(long, value_name = "N", default_value = "100", value_parser = parse::count, allow_negative_numbers = true)]
    pub sessions: u64,
    /// Number of orchestrators, from 4 to 10000
    #[arg(long, value_name = "N", default_value = "40", value_parser = parse::orchestrators, allow_negative_numbers = true)]
    pub orchestrators: u64,
    /// Hours over which the sessions spread
    #[arg(long, value_name = "H", default_value = "24", value_parser = parse::count, allow_negative_numbers = true)]
    pub hours: u64,
    /// Also send transport counters, which no gateway sends yet
    #[arg(long)]
    pub transport: bool,
    /// File for the events, one a line [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// File for the true outcome of each session, one a line
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
}

/// `naap schema`
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Apply the migrations that are missing
    #[command(
        after_help = "Examples:\n  naap schema apply --data-dir demo\n  naap schema apply --url http://clickhouse:8123"
    )]
    Apply(StoreArgs),
    /// Compare the tables with the migrations; exit code 1 on any difference
    #[command(
        after_help = "Examples:\n  naap schema check --data-dir demo\n  naap schema check --url http://clickhouse:8123 --output json"
    )]
    Check(StoreArgs),
}

/// `naap config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say what `naap run` would refuse: exit code 0 good, 1 bad, 2 unreadable
    #[command(after_help = "\
Environment and --set count as they do for `naap run`. Certificates and password files that it
names must be readable here.

Examples:
  naap config check deploy/config/single.toml --no-files
  naap config check naap.toml --output json")]
    Check {
        /// The file to check [default: that of --config]
        #[arg(value_name = "FILE", conflicts_with = "config")]
        file: Option<PathBuf>,
        /// Leave out the files that it names: for a check elsewhere than where the node runs
        #[arg(long)]
        no_files: bool,
    },
    /// Print the effective configuration and the origin of each value; secrets as ***
    #[command(
        after_help = "Examples:\n  naap config print --config naap.toml\n  NAAP_COMMIT__FLUSH_INTERVAL=3s naap config print --output json"
    )]
    Print,
    /// Print every setting with its type, default, range and meaning, as Markdown or JSON
    #[command(after_help = "Example:\n  naap config reference > docs/configuration.md")]
    Reference,
}

/// `naap cluster`
#[derive(Debug, Subcommand)]
#[command(after_help = "\
The node that the configuration names is asked, on cluster.listen and with its own certificate: run
the command beside it, with its configuration.")]
pub enum ClusterCommand {
    /// Print every member: its state, its share of the shards, and its last signs of life
    #[command(
        after_help = "Examples:\n  naap cluster status --config naap.toml\n  kubectl exec naap-0 -- naap cluster status --config /etc/naap/naap.toml --output json"
    )]
    Status,
    /// Let a node give its shards away; it goes on to read its partitions until it is stopped
    #[command(
        after_help = "Exit code 1: the node that was asked has no link to NODE.\n\nExample:\n  naap cluster drain naap-2 --config naap.toml"
    )]
    Drain {
        /// Stable name of the node
        #[arg(value_name = "NODE", value_parser = parse::name)]
        node: String,
    },
}

/// `naap topology`
#[derive(Debug, Args)]
#[command(after_help = "\
With --members it prints which member of a cluster would have how many shards, and what would move
if one of them left. This is arithmetic: no node is asked; `naap cluster status` asks one.

Examples:
  naap topology
  naap topology --config naap.toml --output json
  naap topology --members naap-0,naap-1,naap-2
  naap topology --members naap-0,naap-1=4,naap-2=0 --set cluster.shards=512")]
pub struct TopologyArgs {
    /// Names of nodes, each with an optional weight from 0 (drains) to 255 [default weight: 8]
    #[arg(long, value_name = "NAME[=WEIGHT],..", value_delimiter = ',', value_parser = parse::member)]
    pub members: Vec<Member>,
}

/// `naap engine`
#[derive(Debug, Args)]
#[command(after_help = "\
Internal: the commands that need the engine start and end it. It ends with its parent.

Example:
  naap engine --data-dir demo --listen 127.0.0.1:0")]
pub struct EngineArgs {
    /// Everything that the engine can be told.
    #[command(flatten)]
    pub options: naap_engine::EngineOptions,
}
