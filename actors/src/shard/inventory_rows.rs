//! What a capability document says is there now (backlog 007): the newest advertisement of each GPU and
//! of each capability.
//!
//! The rows are ordered by time, content and uid of their event, not by who wrote them when: so every
//! delivery of an event writes them, and the greatest is the same in any order. A row that the newest
//! event of its URL does not have keeps the version of an older one, and readers leave it out.

use std::collections::{BTreeMap, BTreeSet};

use naap_protocol::capability::Document;
use naap_protocol::capability::expand::{Expansion, SnapshotRow, expand};
use naap_protocol::event::Event;
use naap_protocol::identity::{is_blank, norm_addr};
use naap_protocol::rows::dims::{
    CapabilityCurrent, GpuCurrent, GpuFirstSeen, current_version, first_version,
};
use naap_protocol::rows::typed::RowContext;

use super::capability_rows::rows_of;
use crate::outbox::Outbox;
use crate::reject_rows::{Numbered, TooLarge};

/// Adds the rows of `document`, which `event` carried. Returns those over the size guard, numbered behind the
/// typed rows of the event, whether or not these are written.
pub(super) fn push_all(
    outbox: &mut Outbox,
    ctx: &RowContext<'_>,
    event: &Event<'_>,
    document: &Document<'_>,
) -> Vec<TooLarge> {
    let expansion = expand(document);
    let version = current_version(event.event_ts, event.content_hash, &event.uid);
    let rows = Rows { ctx, event, version };
    let mut out = Numbered::new(outbox, rows_of(&expansion));
    for row in rows.capabilities(&expansion) {
        out.push(&row);
    }
    for ((url, address, gpu), snapshots) in gpus(document, &expansion) {
        rows.gpu(&mut out, (url, address, &gpu), document, &snapshots);
    }
    out.finish()
}

/// Node and GPU, trimmed and lower case.
type GpuKey<'d> = (&'d str, &'d str, String);

/// The rows of each GPU; none for a node without GPUs.
fn gpus<'e, 'd>(
    document: &'d Document<'_>,
    expansion: &'e Expansion<'d>,
) -> BTreeMap<GpuKey<'d>, Vec<&'e SnapshotRow<'d>>> {
    let mut gpus: BTreeMap<GpuKey<'d>, Vec<&'e SnapshotRow<'d>>> = BTreeMap::new();
    for row in &expansion.snapshots {
        let gpu = row.gpu_id.trim().to_lowercase();
        if !gpu.is_empty() {
            let key = (row.origin.orch_uri, row.origin.orchestrator_address, gpu);
            gpus.entry(key).or_default().push(row);
        }
    }
    let known: BTreeSet<(&str, &str)> =
        gpus.keys().map(|(url, address, _)| (*url, *address)).collect();
    for entry in &document.entries {
        let node = (&*entry.orch_uri, &*entry.address);
        if !known.contains(&node) {
            gpus.entry((node.0, node.1, String::new())).or_default();
        }
    }
    gpus
}

struct Rows<'a> {
    ctx: &'a RowContext<'a>,
    event: &'a Event<'a>,
    version: u64,
}

impl Rows<'_> {
    /// One row per key; of several in one document the first.
    fn capabilities<'s>(
        &'s self,
        expansion: &'s Expansion<'_>,
    ) -> impl Iterator<Item = CapabilityCurrent<'s>> {
        let mut seen = BTreeSet::new();
        let rows = expansion.snapshots.iter().filter(move |row| {
            let node = (row.origin.orchestrator_address, row.origin.orch_uri);
            seen.insert((
                node,
                row.pipeline,
                row.model_id,
                row.capability.capability_id,
                row.gpu_id,
            ))
        });
        rows.map(|row| CapabilityCurrent {
            org: self.ctx.org,
            orchestrator_address: row.origin.orchestrator_address,
            orchestrator_proxy_address: row.origin.local_address,
            orchestrator_url: row.origin.orch_uri,
            pipeline: row.pipeline,
            model_id: row.model_id,
            capability_id: row.capability.capability_id,
            gpu_id: row.gpu_id,
            latest_snapshot_ts: self.event.event_ts,
            capability_name: row.capability.capability_name,
            capability_group: row.capability.capability_group,
            gpu_name: row.gpu_name.unwrap_or(""),
            gpu_memory_total: row.gpu_memory_total,
            gpu_memory_free: row.gpu_memory_free,
            gpu_major: row.gpu_major,
            gpu_minor: row.gpu_minor,
            runner_version: row.runner_version.unwrap_or(""),
            orchestrator_version: row.orchestrator_version,
            capacity: row.capacity,
            capacity_in_use: row.capacity_in_use,
            warm: row.warm,
            price_per_unit: row.price_per_unit,
            pixels_per_unit: row.pixels_per_unit,
            hardware_present: !row.gpu_id.is_empty(),
            region: "",
            source_event_uid: &self.event.uid,
            version: self.version,
            ingestion_timestamp: self.ctx.now,
        })
    }

    fn gpu(
        &self,
        out: &mut Numbered<'_>,
        (url, address, gpu_id): (&str, &str, &str),
        document: &Document<'_>,
        rows: &[&SnapshotRow<'_>],
    ) {
        let of_node = |entry: &&naap_protocol::capability::Entry<'_>| {
            (&*entry.orch_uri, &*entry.address) == (url, address)
        };
        let entry = document.entries.iter().find(of_node);
        let first = rows.first();
        let compute = first.and_then(|row| row.gpu_major.zip(row.gpu_minor));
        let compute = compute.map(|(major, minor)| format!("{major}.{minor}"));
        let pipelines = distinct(rows.iter().map(|row| row.pipeline));
        let models = distinct(rows.iter().map(|row| row.model_id));
        let ids = rows.iter().map(|row| row.capability.capability_id);
        let ids: Vec<i32> = ids.collect::<BTreeSet<_>>().into_iter().collect();
        let priced = rows.iter().filter(|row| row.price_per_unit.is_some());
        let priced = priced.min_by_key(|row| row.model_id);
        out.push(&GpuCurrent {
            org: self.ctx.org,
            orchestrator_url: url,
            orchestrator_address: address,
            gpu_id,
            orchestrator_proxy_address: &norm_addr(
                entry.map_or("", |entry| &entry.local_address).into(),
            ),
            gpu_model_name: first.and_then(|row| row.gpu_name).unwrap_or(""),
            gpu_memory_bytes_total: first.and_then(|row| row.gpu_memory_total),
            gpu_memory_bytes_free: first.and_then(|row| row.gpu_memory_free),
            compute_capability: compute.as_deref(),
            runner_version: rows.iter().find_map(|row| row.runner_version).unwrap_or(""),
            pipelines: &pipelines,
            model_ids: &models,
            capability_ids: &ids,
            capacity: rows.iter().filter_map(|row| row.capacity).max(),
            capacity_in_use: rows.iter().filter_map(|row| row.capacity_in_use).max(),
            warm: rows.iter().filter_map(|row| row.warm).max(),
            price_per_unit: priced.and_then(|row| row.price_per_unit),
            pixels_per_unit: priced.and_then(|row| row.pixels_per_unit),
            orchestrator_version: entry.map_or("", |entry| &entry.version),
            last_seen_ts: self.event.event_ts,
            source_event_uid: &self.event.uid,
            version: self.version,
            ingestion_timestamp: self.ctx.now,
        });
        if !gpu_id.is_empty() {
            out.push(&GpuFirstSeen {
                org: self.ctx.org,
                orchestrator_url: url,
                orchestrator_address: address,
                gpu_id,
                first_seen_ts: self.event.event_ts,
                version: first_version(self.event.event_ts),
                ingestion_timestamp: self.ctx.now,
            });
        }
    }
}

/// The texts that are not blank, sorted.
fn distinct<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    texts.filter(|text| !is_blank(text)).collect::<BTreeSet<_>>().into_iter().collect()
}
