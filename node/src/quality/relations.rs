//! Names that the statements of checks use for what they read.
//!
//! `@sessions` in a statement stands for the latest rows of that relation, of the wanted organisation
//! and window. So no check forgets `FINAL`, and "latest" is made before the window is applied. The
//! window is half-open and lies on hours; its ends are the query parameters `from` and `to`, the
//! moment that counts as now is `now`, the organisation is `org` ('' for all), the sources of gold `gold`.

use std::borrow::Cow;

use naap_protocol::capability::catalogue::Catalogue;
use naap_protocol::views::{self, ViewSpec};

use crate::archive::literal;

/// The beginning of the window as an expression.
const FROM: &str = "{from:DateTime64(3,'UTC')}";
/// The end of the window, exclusive.
const TO: &str = "{to:DateTime64(3,'UTC')}";
/// The moment that counts as now.
const NOW: &str = "{now:DateTime64(3,'UTC')}";
/// The attribution sources of gold evidence.
const GOLD: &str = "{gold:Array(String)}";
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
    ("transport", "fact_orchestrator_transport_bandwidth", "sample_ts"),
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
    // The segments that a status row of the window can lie in. Of those that begin at one moment all but the
    // last have no length, so only the last one can be in force (lifecycle 5.3, 8.1).
    (
        "segments_in_force",
        "(SELECT part_.*, whole_.has_model_change, whole_.has_pipeline_change \
          FROM (SELECT * FROM fact_workflow_session_segments FINAL WHERE (org, workflow_session_id) IN \
          (SELECT org, workflow_session_id FROM @status)) AS part_ INNER JOIN (SELECT org, workflow_session_id, \
          segment_count, has_model_change, has_pipeline_change FROM @sessions_of_status) AS whole_ \
          USING (org, workflow_session_id) WHERE segment_index < segment_count \
          ORDER BY segment_index DESC LIMIT 1 BY org, workflow_session_id, segment_start_ts)",
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
        // Deliveries that were rejected.
        "rejects_of_raw",
        "(SELECT org, source_topic, source_partition, source_offset, failure_stage, failure_reason \
          FROM @all_dlq WHERE (org, source_topic, source_partition, source_offset) IN (SELECT org, source_topic, \
          source_partition, source_offset FROM @raw) UNION ALL SELECT * FROM @quarantine_of_raw)",
    ),
    (
        "quarantine_of_raw",
        "(SELECT org, source_topic, source_partition, source_offset, failure_stage, failure_reason \
          FROM @all_quarantine WHERE (org, source_topic, source_partition, source_offset) IN (SELECT org, source_topic, \
          source_partition, source_offset FROM @raw))",
    ),
];

/// What a check of names leaves out.
const NAMES: &[(&str, &str)] = &[(
    // A capability of somebody's own has the pipeline that it was advertised with (lifecycle 7.10).
    "advertised_pipelines",
    "(SELECT org, lower(pipeline) FROM dim_orchestrator_capability_snapshots WHERE @org AND pipeline != '' GROUP BY ALL)",
)];

/// What serving relations are recomputed from: names of computations over latest facts.
const COMPUTED: &[(&str, &str)] = &[
    // Attributed samples by session, hour and identity, from one hour before the window on: those of
    // gold, and whether there was no work in any of them.
    (
        "groups",
        "(SELECT org, toDateTime64(toStartOfHour(gateway_ts), 3, 'UTC') AS hour, workflow_session_id, \
          orchestrator_address, pipeline, model_id, gpu_id, region, countIf(is_gold) AS samples, \
          countIf(is_gold AND has_output) AS positive, countIf(is_gold AND is_running) AS running, \
          sumIf(output_fps, is_gold) AS fps, countIf(has_output OR is_running) = 0 AND count() < 3 AS no_work \
          FROM (SELECT *, attribution_source IN @gold AS is_gold, output_fps > 0 AS has_output, \
          upper(state) IN ('ONLINE', 'DEGRADED_INFERENCE', 'DEGRADED_INPUT') AS is_running FROM fact_stream_status_samples FINAL \
          WHERE @org AND gateway_ts >= @from - INTERVAL 1 HOUR AND gateway_ts < @to AND is_attributed \
          AND orchestrator_address != '') GROUP BY ALL)",
    ),
    // Gold of the window with the flags of the session, and whether it is a terminal tail.
    (
        "evidence",
        "(SELECT g.org AS org, g.hour AS hour, g.workflow_session_id AS workflow_session_id, \
          g.orchestrator_address AS orchestrator_address, g.pipeline AS pipeline, g.model_id AS model_id, g.gpu_id AS gpu_id, \
          g.region AS region, g.samples AS samples, g.positive AS positive, g.running AS running, g.fps AS fps, \
          g.no_work AS no_work, s.known_stream AS known, s.startup_unexcused AS unexcused, s.loading_only_session AS loading_only, \
          s.zero_output_fps_session AS zero_fps, s.last_error_occurred AS last_error, \
          s.confirmed_swap_count > 0 OR s.inferred_orchestrator_change_count > 0 AS swapped, \
          s.status_error_sample_count AS error_samples, s.health_signal_count AS observed, \
          s.health_expected_signal_count AS expected, s.startup_success AS success, s.session_start_ts AS started, \
          s.session_end_ts AS ended, g.no_work AND before.was_no_work AND s.session_start_ts < g.hour \
          AND ifNull(s.session_end_ts >= g.hour AND s.session_end_ts < g.hour + INTERVAL 1 HOUR, 0) AS tail \
          FROM @groups AS g LEFT JOIN (SELECT org, hour + INTERVAL 1 HOUR AS hour, workflow_session_id, orchestrator_address, \
          pipeline, model_id, gpu_id, region, no_work AS was_no_work FROM @groups) AS before \
          USING (org, hour, workflow_session_id, orchestrator_address, pipeline, model_id, gpu_id, region) \
          INNER JOIN @sessions_of_status AS s USING (org, workflow_session_id) WHERE g.hour >= @from AND g.samples > 0)",
    ),
    // What demand consists of: attributed samples in their hour, sessions and payments in theirs. A
    // sample lasts up to the next one of its session, however late that comes, at most 30 s and not beyond its
    // hour; its gateway is the first one of its status hour. `started` orders the sessions of a key.
    (
        "demand_parts",
        "(SELECT org, hour, argMinIf(gateway, (gateway_ts, source_event_uid), gateway != '') OVER (PARTITION BY org, \
          workflow_session_id, hour, segment_index, orchestrator_url, pipeline, model_id, gpu_id, attribution_source) \
          AS gateway, region, pipeline, model_id, \
          workflow_session_id AS seen, 1 AS samples, output_fps AS fps, least(30000, \
          if(next = toDateTime64(0, 3, 'UTC'), 0, dateDiff('millisecond', gateway_ts, next)), \
          dateDiff('millisecond', gateway_ts, hour + INTERVAL 1 HOUR)) AS ms, 0 AS is_session, [0] AS counts, \
          orchestrator_address, gpu_id, (gateway_ts, '') AS started FROM ( \
          SELECT *, toDateTime64(toStartOfHour(gateway_ts), 3, 'UTC') AS hour, \
          leadInFrame(gateway_ts, 1, toDateTime64(0, 3, 'UTC')) OVER (PARTITION BY org, workflow_session_id \
          ORDER BY gateway_ts, source_event_uid ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next \
          FROM @all_status WHERE gateway_ts >= @from AND (org, workflow_session_id) IN (SELECT org, workflow_session_id \
          FROM @status)) WHERE is_attributed AND orchestrator_address != '' AND gateway_ts >= @from AND gateway_ts < @to \
          UNION ALL SELECT org, toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC'), gateway, region, pipeline, model_id, \
          '', 0, 0, 0, 1, arrayMap(n -> if(known_stream, toUInt64(n), 0), [known_stream, orchestrator_address != '', \
          orchestrator_address = '', startup_unexcused, confirmed_swap_count > 0 OR inferred_orchestrator_change_count > 0, \
          startup_unexcused OR loading_only_session OR zero_output_fps_session, health_signal_count, \
          health_expected_signal_count, last_error_occurred, loading_only_session, zero_output_fps_session, \
          status_error_sample_count, error_count > 0]), orchestrator_address, gpu_id, (session_start_ts, workflow_session_id) \
          FROM @sessions \
          UNION ALL SELECT org, toDateTime64(toStartOfHour(payment_ts), 3, 'UTC'), gateway, '', pipeline, model_id, '', 0, 0, 0, \
          0, [0], recipient, '', (payment_ts, '') FROM fact_payment_events WHERE @org AND payment_ts >= @from AND payment_ts < @to)",
    ),
    // The pipeline of a model that has only one in an hour, whatever their spelling (quality.md 0.5).
    (
        "only_pipelines",
        "(SELECT org, toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') AS hour, gateway, region, \
          lower(model_id) AS model, min(pipeline) AS only FROM @sessions WHERE pipeline != '' \
          AND lower(pipeline) != lower(model_id) GROUP BY ALL HAVING uniqExact(lower(pipeline)) = 1)",
    ),
    // The same parts under the pipeline that demand serves (quality.md 0.5).
    (
        "demand",
        "(SELECT part_.* EXCEPT (pipeline), if(part_.pipeline != '' AND lower(part_.pipeline) = lower(part_.model_id), '', \
          part_.pipeline) AS own, if(own = '', cohort_.only, own) AS chosen, \
          if(lower(chosen) = lower(part_.model_id), '', chosen) AS pipeline_id FROM @demand_parts AS part_ \
          LEFT JOIN @only_pipelines AS cohort_ ON cohort_.org = part_.org AND cohort_.hour = part_.hour \
          AND cohort_.gateway = part_.gateway AND cohort_.region = part_.region AND cohort_.model = lower(part_.model_id))",
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
        "gold" => Some(GOLD),
        _ => None,
    };
    if let Some(word) = word {
        return Some(Cow::Borrowed(word));
    }
    if name == "pipelines" {
        let known = Catalogue::builtin().pipelines().map(literal);
        return Some(Cow::Owned(known.collect::<Vec<_>>().join(", ")));
    }
    if let Some((_, sql)) =
        OF_SESSIONS.iter().chain(COMPUTED).chain(NAMES).find(|(known, _)| *known == name)
    {
        return Some(Cow::Borrowed(sql));
    }
    if name == "served_twice" {
        return Some(Cow::Owned(served_twice()));
    }
    // `all_` takes the window away, and `_of_` puts the sessions of another relation in its place: history
    // is too large to be sorted, or to be the side of a join that is kept in memory.
    let (name, window) = match (name.strip_prefix("all_"), name.split_once("_of_")) {
        (Some(name), _) => (name, Some(String::new())),
        (None, Some((name, other))) => (
            name,
            Some(format!(
                " AND (org, workflow_session_id) IN (SELECT org, workflow_session_id FROM @{other})"
            )),
        ),
        (None, None) => (name, None),
    };
    let (_, table, time) = TABLES.iter().find(|(known, ..)| *known == name)?;
    let window = window.unwrap_or_else(|| format!(" AND {time} >= {FROM} AND {time} < {TO}"));
    Some(Cow::Owned(format!("(SELECT * FROM {table} FINAL WHERE {ORG}{window})")))
}

/// The keys that a serving view has more than once, of every view.
fn served_twice() -> String {
    let of_view = |view: &&ViewSpec| {
        let has = |name: &str| view.columns().any(|column| column.name == name);
        let times = ["window_start", "window_start_5m", "session_start_ts", "payment_ts"];
        let mut wanted: Vec<String> = Vec::new();
        if has("org") {
            wanted.push(ORG.to_owned());
        }
        if let Some(time) = times.into_iter().find(|name| has(name)) {
            // A row of a day is in the window when one of its hours is.
            let from = if view.name.ends_with("_1d") { "toStartOfDay(@from)" } else { "@from" };
            wanted.push(format!("{time} >= {from} AND {time} < @to"));
        }
        if wanted.is_empty() {
            wanted.push("1".to_owned());
        }
        let key = view.key.iter().map(|name| format!("ifNull(toString({name}), '')"));
        let key = key.collect::<Vec<_>>().join(", ");
        format!(
            "SELECT '{name}' AS view, [{key}] AS key, count() AS rows FROM {name} WHERE {wanted} \
             GROUP BY key HAVING rows > 1",
            name = view.name,
            wanted = wanted.join(" AND "),
        )
    };
    let views: Vec<String> = views::ALL.iter().map(of_view).collect();
    format!("({})", views.join(" UNION ALL "))
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
        let of_others = expand("@status_of_sessions").unwrap_or_default();
        assert!(of_others.contains("FROM fact_workflow_sessions FINAL"), "{of_others}");
        assert!(!of_others.contains("gateway_ts"), "{of_others}");
        assert!(expand("@nothing").is_err() && expand("@status_of_nothing").is_err());
    }

    #[test]
    fn every_view_is_searched_for_its_key_in_the_window() {
        let sql = served_twice();
        for view in views::ALL {
            assert!(sql.contains(&format!(" FROM {} WHERE ", view.name)), "{}", view.name);
        }
        assert!(sql.contains(
            "FROM v_api_jitter_5m WHERE ({org:String} = '' OR org = {org:String}) AND window_start"
        ));
    }
}
