//! A backfill of a data folder: this process is the node as long as it lasts.

use std::path::Path;
use std::sync::Arc;

use naap_actors::ports::{Clock, StateLogError};
use naap_actors::region::RegionMsg;
use naap_actors::supervisor::{Cluster, Node};
use naap_protocol::org::OrgMap;

use super::look::{BATCH, Found, look};
use super::report::Report;
use crate::cli::{BackfillAttributionArgs, Failure, environment};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::node::{NodeParts, node_args};
use crate::replay::TOPIC;
use crate::run::open_store;
use crate::state_log::LocalStateLog;
use crate::store::Store;

pub(super) async fn run(
    args: &BackfillAttributionArgs,
    dir: &Path,
    config: &Config,
) -> Result<Report, Failure> {
    let shards = config.cluster.shards as u16;
    let log = Arc::new(LocalStateLog::open(dir, shards).map_err(environment)?);
    let store = open_store(config, dir).await?;
    let work = Box::pin(look_and_write(args, config, &log, &store));
    let outcome = store.while_open(work).await;
    store.close().await.map_err(environment)?;
    outcome
}

async fn look_and_write(
    args: &BackfillAttributionArgs,
    config: &Config,
    log: &Arc<LocalStateLog>,
    store: &Store,
) -> Result<Report, Failure> {
    let bounded = is_bounded(log, config.cluster.shards as u16).map_err(environment)?;
    let found = look(args, config, &**log, store, bounded).await?;
    if !args.dry_run && found.report.changed > 0 {
        write(&found, config, log, store, bounded).await?;
    }
    Ok(found.report)
}

/// Everything in the log came from files.
fn is_bounded(log: &LocalStateLog, shards: u16) -> Result<bool, StateLogError> {
    for shard in 0..shards {
        if log.shard(shard)?.progress.applied.keys().any(|source| source.topic != TOPIC) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Hands the evidence to the owners of the sessions, which write what follows from it.
async fn write(
    found: &Found,
    config: &Config,
    log: &Arc<LocalStateLog>,
    store: &Store,
    bounded: bool,
) -> Result<(), Failure> {
    let incarnation = SystemClock.now().0.unsigned_abs();
    let parts = NodeParts {
        config,
        log: log.clone(),
        store,
        // No record is read, so none is rejected.
        rejects: None,
        clock: Arc::new(SystemClock),
        orgs: OrgMap::default(),
        bounded,
        known_epoch: log.highest_epoch(config.cluster.shards as u16).map_err(environment)?,
        incarnation,
        cluster: Cluster::alone(config.node.name.as_str(), incarnation),
    };
    let node = Node::start(node_args(parts).await.map_err(environment)?).await;
    let mut node = node.map_err(environment)?;
    for (shard, evidence) in &found.evidence {
        for batch in evidence.chunks(BATCH) {
            let give = |reply| RegionMsg::Backfill(*shard, batch.to_vec(), reply);
            let taken = ractor::call!(node.region, give).map_err(environment)?;
            if !taken {
                return Err(Failure::environment(format!(
                    "shard {shard} did not open; run it again"
                )));
            }
        }
    }
    node.roll_up().await.map_err(environment)?;
    node.drain().await.map(drop).map_err(environment)
}
