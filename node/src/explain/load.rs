//! What is stored of a session.

use naap_protocol::rows::cells::Cells;
use naap_protocol::rows::latency::Latency;
use naap_protocol::rows::samples::{StatusSample, TraceEdge};
use naap_protocol::rows::sessions::{Segment, Session, SessionCoverage, StatusHour, Swap};
use naap_protocol::rows::signals::{EdgeCoverage, ParamUpdate};
use naap_protocol::rows::{Row, TableSpec};
use naap_protocol::time::Timestamp;
use serde::Deserialize;

use crate::archive::{self, Archived, SETTINGS, literal, moment};
use crate::store::{Store, StoreError};

/// The tables that a session writes; its own row comes first.
pub const TABLES: &[&TableSpec] = &[
    Session::SPEC,
    Segment::SPEC,
    Swap::SPEC,
    Latency::SPEC,
    SessionCoverage::SPEC,
    StatusHour::SPEC,
    TraceEdge::SPEC,
    StatusSample::SPEC,
    ParamUpdate::SPEC,
    EdgeCoverage::SPEC,
];

/// Most matches of an id that are listed.
pub const LISTED: usize = 20;

/// How far outside its session an event of it can be: gateway stamps are believed within 24 h.
const MARGIN_MS: i64 = 24 * 3_600_000;

/// A session that is stored.
#[derive(Clone, Debug, Deserialize)]
pub struct Found {
    /// Organisation.
    pub org: String,
    /// Canonical session id.
    pub id: String,
    /// Stream id.
    pub stream_id: String,
    /// Request id.
    pub request_id: String,
    /// Start, ms.
    pub start_ms: i64,
    /// Last signal, ms.
    pub end_ms: i64,
}

/// The sessions that `wanted` names: by id, else by stream id, else by the beginning of the id. At
/// most one more than [`LISTED`].
///
/// # Errors
/// When the store fails.
pub async fn find(
    store: &Store,
    wanted: &str,
    org: Option<&str>,
) -> Result<Vec<Found>, StoreError> {
    let of = org.map_or_else(String::new, |org| format!("org = {} AND", literal(org)));
    let stream = format!("{wanted}|");
    let ways = [
        format!("workflow_session_id = {}", literal(wanted)),
        format!("startsWith(workflow_session_id, {})", literal(&stream)),
        format!("startsWith(workflow_session_id, {})", literal(wanted)),
    ];
    for way in ways {
        let sql = format!(
            "SELECT org, workflow_session_id AS id, stream_id, request_id, \
                    toUnixTimestamp64Milli(session_start_ts) AS start_ms, \
                    toUnixTimestamp64Milli(ifNull(session_end_ts, session_start_ts)) AS end_ms \
             FROM fact_workflow_sessions FINAL WHERE {of} {way} \
             ORDER BY start_ms DESC, id, org LIMIT {} {SETTINGS}",
            LISTED + 1
        );
        let found: Vec<Found> = store.rows("look for the session", &sql).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

impl Found {
    fn filter(&self) -> String {
        let (org, id) = (literal(&self.org), literal(&self.id));
        format!("org = {org} AND workflow_session_id = {id}")
    }

    /// Its latest rows in `table`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn latest(&self, store: &Store, table: &TableSpec) -> Result<Vec<Cells>, StoreError> {
        let order = table.order_by.join(", ");
        store.cells(table, &format!("FINAL WHERE {} ORDER BY {order}", self.filter())).await
    }

    /// Every version of its rows in `table` that the storage still has, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn versions(
        &self,
        store: &Store,
        table: &TableSpec,
    ) -> Result<Vec<Cells>, StoreError> {
        let order = [table.order_by, &[table.version]].concat().join(", ");
        store.cells(table, &format!("WHERE {} ORDER BY {order}", self.filter())).await
    }

    /// Its records in the archive: every delivery of the events that have typed rows.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn records(&self, store: &Store) -> Result<Vec<Archived>, StoreError> {
        let span = format!(
            "event_timestamp BETWEEN {} AND {}",
            moment(Timestamp(self.start_ms.saturating_sub(MARGIN_MS))),
            moment(Timestamp(self.end_ms.saturating_add(MARGIN_MS)))
        );
        let (stream, request) = (literal(&self.stream_id), literal(&self.request_id));
        // Only the uid at the end of the id tells sessions without any id apart.
        let anonymous = self.stream_id.is_empty() && self.request_id.is_empty();
        let uid = self.id.rsplit('|').next().filter(|_| anonymous);
        let uid =
            uid.map_or_else(String::new, |uid| format!(" AND raw_event_uid = {}", literal(uid)));
        let own = format!("stream_id = {stream} AND request_id = {request} AND {span}{uid}");
        let uids = [
            "raw_ai_stream_status",
            "raw_stream_trace_events",
            "raw_ai_stream_events",
            "raw_stream_ingest_metrics",
        ]
        .map(|table| {
            format!(
                "SELECT raw_event_uid FROM {table} FINAL WHERE org = {} AND {own}",
                literal(&self.org)
            )
        });
        let filter = format!(
            "type IN ('ai_stream_status', 'stream_trace', 'ai_stream_events', 'stream_ingest_metrics') \
             AND {span} AND raw_event_uid IN ({})",
            uids.join(" UNION ALL ")
        );
        archive::records(store, &self.org, &filter).await
    }
}
