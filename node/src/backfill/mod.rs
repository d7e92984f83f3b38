//! `naap backfill`: decides past selections again by everything that the archive holds.

mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use naap_actors::backfill::{Changes, backfill};
use naap_actors::ports::{Clock, StateLog, StateLogError};
use naap_actors::region::RegionMsg;
use naap_actors::session::SessionActor;
use naap_actors::supervisor::{Cluster, Node};
use naap_protocol::capability::evidence::{Evidence, Subject};
use naap_protocol::capability::index::WINDOW_MS;
use naap_protocol::codec;
use naap_protocol::identity::{EntityId, EntityKey};
use naap_protocol::org::OrgMap;
use naap_protocol::state::{Expired, SessionState};
use naap_protocol::time::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::archive::{Advertised, keys, literal, moment};
use crate::cli::{BackfillAttributionArgs, Failure, Global, Output, emit, environment};
use crate::clock::SystemClock;
use crate::config::{Config, StateStore};
use crate::logging;
use crate::node::{NodeParts, direct_window, node_args};
use crate::replay::TOPIC;
use crate::run::open_store;
use crate::state_log::{self, LocalStateLog};
use crate::store::{Store, schema};

use report::Report;

const DAY_MS: i64 = 24 * 3_600_000;
/// Facts older than this are settled: they change only when somebody says so.
const AUTOMATIC_MS: i64 = 7 * DAY_MS;
/// Days that the archive keeps a record.
const ARCHIVE_MS: i64 = 90 * DAY_MS;
/// Pieces of evidence handed over at once.
const BATCH: usize = 1000;

/// Runs `naap backfill attribution`.
///
/// # Errors
/// When the window is refused, or state, store or node fail.
pub fn attribution(args: &BackfillAttributionArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load(Vec::new())?.config;
    logging::start(&config.telemetry).map_err(Failure::environment)?;
    let dir = refuse(args, SystemClock.now())?;
    let runtime = tokio::runtime::Runtime::new().map_err(environment)?;
    let report = runtime.block_on(run(args, dir, &config))?;
    emit(&match global.output {
        Output::Text => report.text(),
        Output::Json => report.json(),
    })
}

/// The data folder, unless the arguments do not go together.
fn refuse(args: &BackfillAttributionArgs, now: Timestamp) -> Result<&Path, Failure> {
    let Some(dir) = &args.store.data_dir else {
        return Err(Failure::environment(
            "a backfill writes through the owner of the sessions, which a server alone is not; stop the node \
             and name its folder with --data-dir DIR",
        ));
    };
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
    if !dir.join(state_log::FILE).is_file() {
        return Err(Failure::environment(format!(
            "{} holds no state of naap; name the data folder of a node or of `naap replay`",
            dir.display()
        )));
    }
    Ok(dir)
}

async fn run(
    args: &BackfillAttributionArgs,
    dir: &Path,
    config: &Config,
) -> Result<Report, Failure> {
    if config.state_log.store == StateStore::Kafka {
        return Err(Failure::environment(
            "a backfill needs a local state log, but state_log.store is \"kafka\": a second owner would take the \
             shards from the running nodes; use a data folder whose state log is local",
        ));
    }
    let shards = config.cluster.shards as u16;
    let log = Arc::new(LocalStateLog::open(dir, shards).map_err(environment)?);
    let store = open_store(config, dir).await?;
    let outcome = look_and_write(args, config, &log, &store).await;
    store.close().await.map_err(environment)?;
    outcome
}

async fn look_and_write(
    args: &BackfillAttributionArgs,
    config: &Config,
    log: &Arc<LocalStateLog>,
    store: &Store,
) -> Result<Report, Failure> {
    let shards = config.cluster.shards as u16;
    let bounded = is_bounded(log, shards).map_err(environment)?;
    let live = Some(config.retention.state.as_millis() as i64);
    let window = Window {
        from: args.from,
        to: args.to,
        org: args.org.as_deref(),
        retention_ms: live.filter(|_| !bounded),
        shards,
    };
    let wanted = window.keys(log).map_err(environment)?;
    let mut advertised: BTreeMap<&str, Advertised> = BTreeMap::new();
    for (org, keys) in &wanted {
        let known = Advertised::read(store, org, keys, (args.from, args.to)).await;
        advertised.insert(org, known.map_err(environment)?);
    }
    let expires =
        schema::has_time_limit(store, "raw_streaming_events").await.map_err(environment)?;
    let complete_from = if expires { SystemClock.now().0 - ARCHIVE_MS } else { i64::MIN };
    let mut report = Report::new(args);
    let mut fingerprint = Sha256::new();
    for uid in advertised.values().flat_map(|known| &known.events) {
        fingerprint.update(uid);
    }
    let mut found: Vec<(u16, Vec<Evidence>)> = Vec::new();
    window
        .each(log, &mut |shard, me, session| {
            let org = session.state().org.clone();
            let nothing = Advertised::default();
            let known = advertised.get(org.as_str()).unwrap_or(&nothing);
            let changes = backfill(session, me, window.retention_ms, &mut |role, subject| {
                let complete = subject.ts.0.saturating_sub(WINDOW_MS) >= complete_from;
                let decide = || known.trace(role, subject, direct_window(config)).decision;
                window.holds(subject).then(|| (decide(), complete))
            });
            fingerprint.update(me.0.to_le_bytes());
            report.count(&changes);
            let Changes { evidence, .. } = changes;
            found.extend(Some((shard, evidence)).filter(|(_, evidence)| !evidence.is_empty()));
        })
        .map_err(environment)?;
    report.input_fingerprint = hex::encode(fingerprint.finalize());
    report.expired = window.expired(log, store).await.map_err(environment)?;
    if !args.dry_run && report.changed > 0 {
        write(found, config, log, store, bounded).await?;
    }
    Ok(report)
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
    found: Vec<(u16, Vec<Evidence>)>,
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
    let mut args = node_args(parts).await.map_err(environment)?;
    // What was found may be past: it is to hear the evidence first.
    args.shard.forgets = false;
    let node = Node::start(args).await;
    let mut node = node.map_err(environment)?;
    for (shard, evidence) in found {
        for batch in evidence.chunks(BATCH) {
            let message = RegionMsg::Backfill(shard, batch.to_vec());
            node.region.cast(message).map_err(environment)?;
        }
    }
    node.roll_up().await.map_err(environment)?;
    node.drain().await.map(drop).map_err(environment)
}

/// A session that is stored.
#[derive(Deserialize)]
struct Stored {
    org: String,
    id: String,
}

/// The selections that are decided again.
struct Window<'a> {
    from: Timestamp,
    to: Timestamp,
    org: Option<&'a str>,
    retention_ms: Option<i64>,
    shards: u16,
}

impl Window<'_> {
    fn holds(&self, subject: &Subject) -> bool {
        (self.from..self.to).contains(&subject.ts)
    }

    /// Hands every session with something to ask about the window to `each`.
    fn each(
        &self,
        log: &LocalStateLog,
        each: &mut dyn FnMut(u16, EntityId, &mut SessionActor),
    ) -> Result<(), StateLogError> {
        for shard in 0..self.shards {
            let mut malformed = None;
            log.entities(shard, &mut |id, frame| {
                if !codec::is::<SessionState>(frame) {
                    return;
                }
                match SessionActor::restore(frame) {
                    Ok(mut session) if self.concerns(&session) => each(shard, id, &mut session),
                    Ok(_) => {}
                    Err(e) => malformed = Some(StateLogError(format!("session {id}: {e}"))),
                }
            })?;
            malformed.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Sessions with a selection in the window whose state has expired: nothing can change their facts
    /// any more.
    async fn expired(
        &self,
        log: &LocalStateLog,
        store: &Store,
    ) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        let of = self.org.map_or_else(String::new, |org| format!(" AND org = {}", literal(org)));
        let sql = format!(
            "SELECT org, workflow_session_id AS id FROM fact_workflow_sessions FINAL \
             WHERE session_start_ts < {} AND ifNull(session_end_ts, session_start_ts) >= {}{of}",
            moment(self.to),
            moment(self.from)
        );
        let mut expired = 0;
        for Stored { org, id } in
            store.rows::<Stored>("look for sessions of the window", &sql).await?
        {
            let session = EntityKey::session_id(&org, &id);
            let frame = log.entity(session.shard(self.shards), session.id())?;
            expired += u64::from(frame.is_some_and(|frame| codec::is::<Expired>(&frame)));
        }
        Ok(expired)
    }

    fn concerns(&self, session: &SessionActor) -> bool {
        let state = session.state();
        let of_org = self.org.is_none_or(|org| org == state.org);
        of_org && state.answers.iter().any(|answer| self.holds(&answer.subject))
    }

    /// The identity keys that its sessions name, by organisation.
    fn keys(
        &self,
        log: &LocalStateLog,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, StateLogError> {
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        self.each(log, &mut |_, _, session| {
            let state = session.state();
            let subjects = state.answers.iter().map(|answer| &answer.subject);
            let own = keys(subjects.filter(|subject| self.holds(subject)));
            wanted.entry(state.org.clone()).or_default().extend(own);
        })?;
        Ok(wanted)
    }
}
