//! Names that the statements of checks use for what they read.
//!
//! `@sessions` in a statement stands for the latest rows of that relation, of the wanted organisation
//! and window. So no check forgets `FINAL`, and "latest" is made before the window is applied. The
//! window is half-open and lies on hours; its ends are the query parameters `from` and `to`, the
//! moment that counts as now is `now`, the organisation is `org` ('' for all).

use std::borrow::Cow;

use naap_protocol::capability::catalogue::Catalogue;

use crate::archive::literal;

/// The beginning of the window as an expression.
const FROM: &str = "{from:DateTime64(3,'UTC')}";
/// The end of the window, exclusive.
const TO: &str = "{to:DateTime64(3,'UTC')}";
/// The moment that counts as now.
const NOW: &str = "{now:DateTime64(3,'UTC')}";
/// The condition on the organisation.
const ORG: &str = "({org:String} = '' OR org = {org:String})";

/// Names of tables with their own time.
const TABLES: &[(&str, &str, &str)] = &[
    ("raw", "raw_streaming_events", "event_timestamp"),
    ("dlq", "raw_streaming_events_dlq", "ifNull(event_timestamp, source_record_timestamp)"),
    (
        "quarantine",
        "raw_streaming_events_quarantine",
        "ifNull(event_timestamp, source_record_timestamp)",
    ),
    ("ignored", "raw_ignored_events", "ifNull(event_timestamp, source_record_timestamp)"),
    ("typed_status", "raw_ai_stream_status", "event_timestamp"),
    ("typed_traces", "raw_stream_trace_events", "event_timestamp"),
    ("typed_ai_events", "raw_ai_stream_events", "event_timestamp"),
    ("typed_ingest", "raw_stream_ingest_metrics", "event_timestamp"),
    ("typed_capabilities", "raw_network_capabilities", "event_timestamp"),
    ("typed_advertised", "raw_network_capabilities_advertised", "event_timestamp"),
    ("typed_constraints", "raw_network_capabilities_model_constraints", "event_timestamp"),
    ("typed_prices", "raw_network_capabilities_prices", "event_timestamp"),
    ("snapshots", "dim_orchestrator_capability_snapshots", "snapshot_ts"),
    ("advertised", "dim_orchestrator_capability_advertised_snapshots", "snapshot_ts"),
    ("constraints", "dim_orchestrator_capability_model_constraints", "snapshot_ts"),
    ("prices", "dim_orchestrator_capability_prices", "snapshot_ts"),
    ("sessions", "fact_workflow_sessions", "session_start_ts"),
    ("coverage", "fact_workflow_session_coverage", "session_start_ts"),
    ("hours", "fact_session_status_hours", "window_start"),
    ("status", "fact_stream_status_samples", "gateway_ts"),
    ("traces", "fact_stream_trace_edges", "gateway_ts"),
    ("updates", "fact_workflow_param_updates", "gateway_ts"),
    ("signals", "fact_lifecycle_edge_coverage", "gateway_ts"),
    ("ingest", "fact_stream_ingest_samples", "gateway_ts"),
];

/// Names of what is read with the sessions of the window, whatever its own time is.
const OF_SESSIONS: &[(&str, &str)] = &[
    (
        "segments",
        "(SELECT part_.*, whole_.segment_count, whole_.has_model_change, whole_.has_pipeline_change, whole_.closed_ts \
          FROM (SELECT * FROM fact_workflow_session_segments FINAL) AS part_ \
          INNER JOIN (SELECT org, workflow_session_id, segment_count, has_model_change, \
          has_pipeline_change, closed_ts FROM @sessions) AS whole_ USING (org, workflow_session_id) \
          WHERE segment_index < segment_count)",
    ),
    (
        "swaps",
        "(SELECT part_.*, whole_.swap_row_count FROM (SELECT * FROM fact_workflow_swaps FINAL) AS part_ \
          INNER JOIN (SELECT org, workflow_session_id, swap_row_count FROM @sessions) AS whole_ \
          USING (org, workflow_session_id) WHERE swap_index < swap_row_count)",
    ),
    (
        "latency",
        "(SELECT * FROM fact_workflow_latency_samples FINAL \
          WHERE (org, workflow_session_id) IN (SELECT org, workflow_session_id FROM @sessions))",
    ),
    (
        "all_rejects",
        "(SELECT org, source_topic, source_partition, source_offset, failure_stage, failure_reason \
          FROM @all_dlq UNION ALL SELECT org, source_topic, source_partition, source_offset, \
          failure_stage, failure_reason FROM @all_quarantine)",
    ),
];

/// The statement with every `@name` written out.
///
/// # Errors
/// The name that stands for nothing.
pub fn expand(sql: &str) -> Result<String, String> {
    let mut out = String::with_capacity(sql.len() * 2);
    let mut parts = sql.split('@');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        let relation = relation(name).ok_or_else(|| format!("@{name} stands for no relation"))?;
        // Only a name that holds names is written out further.
        out.push_str(&if relation.contains('@') { expand(&relation)?.into() } else { relation });
        out.push_str(rest);
    }
    Ok(out)
}

fn relation(name: &str) -> Option<Cow<'static, str>> {
    let word = match name {
        "from" => Some(FROM),
        "to" => Some(TO),
        "now" => Some(NOW),
        "org" => Some(ORG),
        _ => None,
    };
    if let Some(word) = word {
        return Some(Cow::Borrowed(word));
    }
    if name == "pipelines" {
        let known = Catalogue::builtin().pipelines().map(literal);
        return Some(Cow::Owned(known.collect::<Vec<_>>().join(", ")));
    }
    if let Some((_, sql)) = OF_SESSIONS.iter().find(|(known, _)| *known == name) {
        return Some(Cow::Borrowed(sql));
    }
    // `all_` takes the window away.
    let (name, windowed) = match name.strip_prefix("all_") {
        Some(name) => (name, false),
        None => (name, true),
    };
    let (_, table, time) = TABLES.iter().find(|(known, ..)| *known == name)?;
    let window =
        if windowed { format!(" AND {time} >= {FROM} AND {time} < {TO}") } else { String::new() };
    Some(Cow::Owned(format!("(SELECT * FROM {table} FINAL WHERE {ORG}{window})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_out() {
        let sql = expand("SELECT count() FROM @raw WHERE x < @now").unwrap_or_default();
        assert!(sql.contains("FROM raw_streaming_events FINAL WHERE"), "{sql}");
        assert!(sql.contains("event_timestamp < {to:DateTime64(3,'UTC')}"), "{sql}");
        assert!(sql.ends_with("x < {now:DateTime64(3,'UTC')}"), "{sql}");
        let all = expand("@all_sessions").unwrap_or_default();
        assert!(!all.contains("session_start_ts"), "{all}");
        let nested = expand("@segments").unwrap_or_default();
        assert!(nested.contains("FROM fact_workflow_sessions FINAL"), "{nested}");
        assert!(expand("@nothing").is_err());
    }
}
