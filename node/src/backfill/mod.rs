//! `naap backfill`: decides past selections again by everything that the archive holds.

mod cluster;
mod local;
mod look;
mod report;

use std::path::Path;

use naap_actors::ports::Clock;
use naap_protocol::time::Timestamp;

use crate::cli::{BackfillAttributionArgs, Failure, Global, Output, emit, environment};
use crate::clock::SystemClock;
use crate::config::StateStore;
use crate::logging;

const DAY_MS: i64 = 24 * 3_600_000;
/// Facts older than this are settled: they change only when somebody says so.
const AUTOMATIC_MS: i64 = 7 * DAY_MS;

/// Runs `naap backfill attribution`.
///
/// # Errors
/// When the window is refused, or state, store or node fail.
pub fn attribution(args: &BackfillAttributionArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load(Vec::new())?.config;
    let dir = match config.state_log.store {
        StateStore::Local => Some(named(args)?),
        StateStore::Kafka => None,
    };
    refuse(args, SystemClock.now())?;
    let runtime = tokio::runtime::Runtime::new().map_err(environment)?;
    let report = match dir {
        Some(dir) => {
            let dir = holding(dir)?;
            // Beside a cluster the facts are opened like those of a query, which begins to log.
            logging::start(&config.telemetry).map_err(Failure::environment)?;
            runtime.block_on(local::run(args, dir, &config))?
        }
        None => runtime.block_on(cluster::run(args, &config))?,
    };
    emit(&match global.output {
        Output::Text => report.text(),
        Output::Json => report.json(),
    })
}

/// Refuses a window that can not be meant.
fn refuse(args: &BackfillAttributionArgs, now: Timestamp) -> Result<(), Failure> {
    if args.from >= args.to {
        return Err(Failure::environment("the window is empty; give a --from that is before --to"));
    }
    let settled = now.millis_since(args.from) > AUTOMATIC_MS;
    if settled && !args.allow_old && !args.dry_run {
        return Err(Failure::environment(
            "the window begins more than 7 days ago, when facts are settled; look with --dry-run, \
             or add --allow-old to change them",
        ));
    }
    Ok(())
}

/// The data folder of a node that is stopped.
fn named(args: &BackfillAttributionArgs) -> Result<&Path, Failure> {
    args.store.data_dir.as_deref().ok_or_else(|| {
        Failure::environment(
            "a backfill writes through the owner of the sessions, which a server alone is not; stop the node \
             and name its folder with --data-dir DIR, or give the configuration of a running node that keeps \
             its state in Kafka (state_log.store = \"kafka\")",
        )
    })
}

/// The folder, if it holds state.
fn holding(dir: &Path) -> Result<&Path, Failure> {
    if !dir.join("state.redb").is_file() {
        return Err(Failure::environment(format!(
            "{} holds no state of naap; name the data folder of a node or of `naap replay`",
            dir.display()
        )));
    }
    Ok(dir)
}
