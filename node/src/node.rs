//! From configuration to the actor tree: the composition root.

use std::sync::Arc;
use std::time::Duration;

use naap_actors::backoff::Backoff;
use naap_actors::ingest::{IngestOptions, Router};
use naap_actors::orchestrator::OrchestratorOptions;
use naap_actors::ports::{Clock, StateLog};
use naap_actors::probe::Probe;
use naap_actors::rollup::Rollups;
use naap_actors::shard::{SEQUENCE_BITS, ShardOptions};
use naap_actors::sink::SinkOptions;
use naap_actors::supervisor::{Cluster, NodeArgs};
use naap_protocol::capability::decide::DirectWindow;
use naap_protocol::gate::{Gate, Limits};
use naap_protocol::org::OrgMap;
use naap_protocol::privacy;
use naap_protocol::rollup::Gold;
use naap_protocol::rows;
use naap_protocol::time::Timestamp;
use serde::Deserialize;

use crate::config::{Config, PrivacyMode};
use crate::kafka::{RejectCopies, RejectTopics};
use crate::quality::gates::Gates;
use crate::quality::probe::StoreChecks;
use crate::quality::run::Rules;
use crate::store::{ClickHouseWriter, Store, StoreError, StoreRollups};

/// What a node is built from.
#[derive(Debug)]
pub struct NodeParts<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Where state is kept.
    pub log: Arc<dyn StateLog>,
    /// Where rows go.
    pub store: &'a Store,
    /// Where copies of reject rows go.
    pub rejects: Option<RejectTopics>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Organisations of the topics.
    pub orgs: OrgMap,
    /// The input has an end: retention is off until then (decisions.md, bounded input).
    pub bounded: bool,
    /// Highest epoch that the state log knows; 0 for an empty log, or part of one, of which the tables know more.
    pub known_epoch: u64,
    /// Boot of the node.
    pub incarnation: u64,
    /// Who else there is.
    pub cluster: Cluster,
}

/// The arguments of the actor tree.
///
/// # Errors
/// When the store or the state log can not be read.
pub async fn node_args(
    parts: NodeParts<'_>,
) -> Result<NodeArgs<RejectCopies<ClickHouseWriter>>, StoreError> {
    let NodeParts { config, log, store, rejects, clock, orgs, bounded, .. } = parts;
    let shards = config.cluster.shards as u16;
    let epoch_floor = epoch_floor(parts.known_epoch, store).await?;
    let limits = Limits {
        versions: config.ingest.supported_versions.clone(),
        max_value_bytes: config.ingest.max_record_bytes.0 as usize,
        ..Limits::default()
    };
    let gate = Gate { orgs, limits };
    let privacy = match config.privacy.mode {
        PrivacyMode::Keep => privacy::PrivacyMode::Keep,
        PrivacyMode::Hash => privacy::PrivacyMode::Hash,
    };
    let router =
        Router::new(gate, privacy, shards, (epoch_floor + 1) << SEQUENCE_BITS, clock.clone());
    let writer = store.writer(rows::ALL, config.clickhouse.request_timeout);
    // A shard ticks once a second.
    let ticks = |span: Duration| span.as_secs().max(1);
    Ok(NodeArgs {
        node: config.node.name.as_str().to_owned(),
        incarnation: parts.incarnation,
        epoch_floor,
        tables: rows::ALL,
        router,
        ingest: IngestOptions {
            shards,
            window_bytes: config.memory.shard_window.0 as usize,
            buffer_bytes: config.memory.ingest_buffer.0 as usize,
            uncommitted_bytes: config.memory.uncommitted.0 as usize,
            flush_interval: config.commit.flush_interval,
        },
        shard: ShardOptions {
            idle_ticks: ticks(config.passivation.idle),
            after_close_ticks: ticks(config.passivation.after_close),
            awake_budget: config.memory.active_entities.0 as usize / usize::from(shards.max(1)),
            retention_ms: (!bounded).then_some(config.retention.state.as_millis() as i64),
            kept_ms: config.retention.kept.as_millis() as i64,
            hold_ticks: if bounded { 0 } else { config.attribution.hold.as_secs() },
            correction_rows: (!bounded).then(|| correction_rows(config)),
        },
        orchestrators: OrchestratorOptions {
            window: direct_window(config),
            keep_everything: bounded,
        },
        sink: SinkOptions {
            max_rows: u64::from(config.clickhouse.insert_rows),
            max_bytes: config.clickhouse.insert_bytes.0 as usize,
            in_flight: config.clickhouse.inserts_in_flight as usize,
            backoff: Backoff {
                first: config.supervision.restart.exponential_backoff.initial,
                max: config.supervision.restart.exponential_backoff.max,
            },
        },
        sink_budget: config.memory.sinks.0 as usize,
        log,
        writer: Arc::new(RejectCopies::new(writer, rejects)),
        rollups: Some(Rollups {
            store: Arc::new(StoreRollups::new(store, gold(config))),
            debounce: config.rollup.debounce,
            bounded,
            waiting: tokio::sync::watch::Sender::default(),
        }),
        probe: if bounded { None } else { probe(config, store, clock.now())? },
        clock,
        cluster: parts.cluster,
    })
}

/// The quality probe, where it is wanted.
fn probe(config: &Config, store: &Store, today: Timestamp) -> Result<Option<Probe>, StoreError> {
    if !config.quality.enabled {
        return Ok(None);
    }
    let gates = Gates::load(config.quality.gates_file.as_deref(), today);
    let gates = gates.map_err(|e| StoreError::Statement {
        what: "prepare the quality probe".to_owned(),
        reason: e.to_string(),
    })?;
    let rules = Rules::of(config);
    let checks = StoreChecks::new(store, config.clickhouse.request_timeout, gates, rules);
    Ok(Some(Probe { checks: Arc::new(checks), interval: config.quality.interval }))
}

/// Which evidence is gold.
pub fn gold(config: &Config) -> Gold {
    Gold { include_mapped_window: config.gold.include_mapped_window }
}

/// How far from an advertisement a selection still counts as direct.
pub fn direct_window(config: &Config) -> DirectWindow {
    DirectWindow {
        prior_ms: config.attribution.direct_prior.as_millis() as i64,
        future_ms: config.attribution.direct_future.as_millis() as i64,
    }
}

/// A shard's share of the rows of corrections that may be written in one commit cycle.
fn correction_rows(config: &Config) -> u32 {
    let per_second = f64::from(config.attribution.correction_rows_per_second);
    let per_cycle = per_second * config.commit.flush_interval.as_secs_f64();
    (per_cycle / f64::from(config.cluster.shards)).ceil() as u32
}

/// The highest epoch `known` to the log or, where the log is empty, in the stored rows: a node that lost
/// its log must still write versions above the old ones.
async fn epoch_floor(known: u64, store: &Store) -> Result<u64, StoreError> {
    #[derive(Deserialize)]
    struct Highest {
        epoch: u64,
    }
    let mut highest = known;
    if highest == 0 {
        for table in rows::ALL.iter().filter(|table| table.version == "version") {
            let sql = format!(
                "SELECT bitShiftRight(max(version), {SEQUENCE_BITS}) AS epoch FROM {} \
                 SETTINGS output_format_json_quote_64bit_integers = 0",
                table.name
            );
            let found: Vec<Highest> = store.rows("look for stored epochs", &sql).await?;
            highest = found.iter().map(|row| row.epoch).fold(highest, u64::max);
        }
    }
    Ok(highest)
}
