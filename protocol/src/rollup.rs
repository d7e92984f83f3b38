//! The published relations: which tables are computed from latest facts, slice by slice, and how
//! (decisions, "rollups").
//!
//! A relation is a table (`rows`), a query (files of `deploy/clickhouse/rollups`) and an entry of
//! [`ROLLUPS`]. Relations that differ in the length of their rows share a file, which finds it as
//! `grain`. The query answers all columns of the table but `slice_version`, in any order and maybe with others, for the
//! organisation `{org:String}` and the hours `{hours:Array(DateTime64(3, 'UTC'))}`, from evidence whose source is one of
//! `{gold:Array(String)}`; it reads tables with `FINAL` and names them in the comment at its head. Of the view
//! `fact_payment_events` it reads what the hours need. Rows of a table that it reads make their
//! slices dirty by `touches` in the table's definition.

use crate::capability::decide::Source;
use crate::rows::migrations::CREATE_VIEW;
use crate::rows::spec::{fingerprint_sql, rows_hash_sql};
use crate::rows::{Row, TableSpec, legs, serving};
use crate::views::feeds;

/// Which status evidence the figures of orchestrators and GPUs rest on (decisions, "gold").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gold {
    /// Evidence that rests on an advertisement outside the direct window counts too.
    pub include_mapped_window: bool,
}

impl Gold {
    /// The attribution sources that count: the parameter `{gold:Array(String)}` of the queries.
    pub fn sources(self) -> Vec<&'static str> {
        let mapped = self.include_mapped_window.then_some(Source::MappedWindow);
        [Source::Direct].into_iter().chain(mapped).map(Source::label).collect()
    }
}

/// How much one recomputation of a relation covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// An organisation and an hour.
    OrgHour,
    /// A day of all organisations, read off relations of hours. Organisation '' and the parameter
    /// `{hours}` holds the days.
    Day,
}

impl Scope {
    /// From the start of a slice to ten minutes after its end (backlog 003), as `rollup_slices.window_state` has it.
    fn settles_after_minutes(self) -> u32 {
        let hours = match self {
            Self::OrgHour => 1,
            Self::Day => 24,
        };
        hours * 60 + 10
    }
}

/// One published relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollup {
    /// Where it is published.
    pub table: &'static TableSpec,
    /// The query that makes the rows of a slice anew.
    pub sql: &'static str,
    /// What a slice of it is.
    pub scope: Scope,
}

macro_rules! sql_file {
    ($name:literal) => {
        include_str!(concat!("../../deploy/clickhouse/rollups/", $name, ".sql"))
    };
}

macro_rules! rollups {
    ($($scope:ident $row:ty = $file:literal $(+ $more:literal)* $(per $seconds:literal)?),+ $(,)?) => {
        /// Every published relation, in the order of computation: relations of days come after those
        /// of hours, which they read.
        pub const ROLLUPS: &[Rollup] = &[$(Rollup {
            table: <$row as Row>::SPEC,
            sql: concat!(
                $("WITH toIntervalSecond(", $seconds, ") AS grain,\n",)?
                sql_file!($file), $(sql_file!($more),)*
            ),
            scope: Scope::$scope,
        }),+];
    };
}

rollups! {
    OrgHour serving::OrchestratorHour<'static> = "agg_orchestrator_1h",
    OrgHour serving::DemandHour<'static> = "agg_network_demand_1h",
    OrgHour serving::FpsFiveMinutes<'static> = "agg_output_fps_5m",
    OrgHour serving::StartupHour<'static> = "agg_startup_1h",
    OrgHour serving::AttributionHour<'static> = "agg_attribution_1h",
    OrgHour legs::TransportHour<'static> = "transport_bandwidth" per 3600,
    OrgHour legs::TransportMinute<'static> = "transport_bandwidth" per 60,
    OrgHour legs::IngestHour<'static> = "ingest_samples" + "agg_ingest_quality_1h" per 3600,
    OrgHour legs::IngestMinute<'static> = "ingest_samples" + "agg_ingest_quality_1m" per 60,
    Day serving::QualityBenchmark<'static> = "agg_quality_benchmark_1d",
}

impl Rollup {
    /// The query that computes the rows of slices, with the payments of their hours only. Parameters:
    /// `org`, `hours`, `gold`.
    pub fn computed_sql(&self) -> String {
        self.sql.replace("fact_payment_events AS p FINAL", &payments_of_hours())
    }

    /// The statement that writes the rows of slices anew. Parameters: `org`, `hours`, `gold`,
    /// `slice_version`.
    pub fn recompute_sql(&self) -> String {
        let table = self.table;
        let columns: Vec<&str> = table.sent().map(|column| column.name).collect();
        let computed: Vec<&str> =
            columns.iter().copied().filter(|name| *name != table.version).collect();
        format!(
            "INSERT INTO {table} ({columns}, {version})\nSELECT {columns}, {{slice_version:UInt64}}\nFROM (\n{sql})",
            sql = self.computed_sql(),
            table = table.name,
            columns = computed.join(", "),
            version = table.version,
        )
    }

    /// The statement that makes the rows of `slice_version` the valid ones. Slices without rows that
    /// never had any are left out. Parameters: `org`, `hours`, `slice_version`, `now`, `run`,
    /// `open_until` (one moment per hour).
    pub fn publish_sql(&self) -> String {
        let hash = rows_hash_sql(&self.table.fingerprint_columns());
        format!(
            "INSERT INTO rollup_slices (org, relation, window_start, slice_version, slice_rows, content, \
             open_until, revision, refresh_run_id, refreshed_at)
WITH {{now:DateTime64(3, 'UTC')}} AS computed_at
SELECT
    {{org:String}} AS org, '{name}' AS relation, hours.1 AS window_start,
    {{slice_version:UInt64}} AS slice_version,
    found.slice_rows AS slice_rows, hex(found.hash) AS content, hours.2 AS open_until,
    known.revision + (known.slice_version > 0 AND known.content != hex(found.hash)
        AND computed_at >= hours.1 + INTERVAL {settled} MINUTE) AS revision,
    {{run:String}} AS refresh_run_id, computed_at AS refreshed_at
FROM (
    SELECT arrayJoin(arrayZip({{hours:Array(DateTime64(3, 'UTC'))}}, {{open_until:Array(DateTime64(3, 'UTC'))}})) AS hours
) AS slices
LEFT JOIN (
    SELECT window_start, count() AS slice_rows,
        {hash} AS hash
    FROM {name} FINAL
    WHERE org = {{org:String}} AND window_start IN {{hours:Array(DateTime64(3, 'UTC'))}}
        AND slice_version >= {{slice_version:UInt64}}
    GROUP BY window_start
) AS found ON found.window_start = slices.hours.1
LEFT JOIN (
    SELECT window_start, slice_version, content, revision
    FROM rollup_slices FINAL
    WHERE org = {{org:String}} AND relation = '{name}'
        AND window_start IN {{hours:Array(DateTime64(3, 'UTC'))}}
) AS known ON known.window_start = slices.hours.1
WHERE found.slice_rows > 0 OR known.slice_version > 0
SETTINGS join_use_nulls = 0",
            name = self.table.name,
            settled = self.scope.settles_after_minutes(),
        )
    }

    /// The relation of a table, if it is published in slices.
    pub fn of(table: &TableSpec) -> Option<&'static Self> {
        ROLLUPS.iter().find(|rollup| rollup.table.name == table.name)
    }

    /// The queries that fingerprint the valid rows and count those that share their key with another.
    pub fn fingerprint_sqls(&self, database: &str) -> (String, String) {
        let from = format!("`{database}`.`{}`", self.valid_view());
        let key = self.table.order_by.join(", ");
        (
            fingerprint_sql(&self.table.fingerprint_columns(), &from),
            format!("SELECT count() - uniqExact({key}) AS duplicate_keys\nFROM {from}"),
        )
    }

    /// Name of the view of the valid rows.
    pub fn valid_view(&self) -> String {
        format!("v_{}", self.table.name)
    }

    /// The statement that creates the view of the valid rows: those of the version that
    /// `rollup_slices` names, or of a later one that is being published. A key that a recomputation
    /// no longer has keeps an older version and is left out.
    pub fn create_valid_view(&self) -> String {
        let name = self.table.name;
        let columns: Vec<String> = self
            .table
            .sent()
            .map(|column| format!("    published.{0} AS {0}", column.name))
            .collect();
        format!(
            "{CREATE_VIEW}{view} AS SELECT
{columns},
    slices.window_state AS window_state,
    slices.revision AS revision,
    slices.refreshed_at AS refreshed_at
FROM {valid}
COMMENT 'Valid rows of {name}.'",
            view = self.valid_view(),
            columns = columns.join(",\n"),
            valid = self.valid_rows("published"),
        )
    }

    /// The valid rows as `alias`, with what is known of their slices as `slices`: all of a query behind
    /// its `FROM`.
    fn valid_rows(&self, alias: &str) -> String {
        let name = self.table.name;
        format!(
            "{name} AS {alias} FINAL
INNER JOIN (
    SELECT org, window_start, slice_version, window_state, revision, refreshed_at
    FROM rollup_slices FINAL
    WHERE relation = '{name}'
) AS slices ON slices.org = {alias}.org AND slices.window_start = {alias}.window_start
WHERE {alias}.slice_version >= slices.slice_version"
        )
    }

    /// The query with the valid rows read without their view, if it ends in reading that:
    /// `FROM v_agg_x AS alias`.
    fn direct(&self, sql: &str) -> Option<String> {
        let (head, alias) = sql.rsplit_once(&format!("FROM {} AS ", self.valid_view()))?;
        if !alias.chars().all(|c| c.is_ascii_alphanumeric()) {
            return None;
        }
        let mut head = head.to_owned();
        for of_slice in ["window_state", "revision", "refreshed_at"] {
            head = head.replace(&format!(" {alias}.{of_slice}"), &format!(" slices.{of_slice}"));
        }
        Some(format!("{head}FROM {}", self.valid_rows(alias)))
    }
}

/// The query without the view of valid rows that it ends in reading, if it does: what it reads through a
/// view is planned for each reader once more.
pub fn direct(sql: &str) -> String {
    let sql = sql.trim_end();
    ROLLUPS.iter().find_map(|rollup| rollup.direct(sql)).unwrap_or_else(|| sql.to_owned())
}

/// The query of the view `fact_payment_events` over those tickets and sessions that can be meant in the
/// hours, as `p`: the view itself reads all that there are. A ticket can follow one of the day before.
fn payments_of_hours() -> String {
    const TICKETS: &str = "org = {org:String}
            AND payment_ts >= arrayMin({hours:Array(DateTime64(3, 'UTC'))}) - INTERVAL 24 HOUR
            AND payment_ts < arrayMax({hours:Array(DateTime64(3, 'UTC'))}) + INTERVAL 1 HOUR";
    let sessions = format!(
        "org = {{org:String}} AND request_id IN (SELECT request_id FROM fact_payment_tickets WHERE {TICKETS})"
    );
    let only = |sql: String, table: &str, condition: &str| {
        let all = format!("{table} FINAL");
        let some = format!("(SELECT * FROM {table} FINAL WHERE {condition})");
        sql.replace(&all, &some)
    };
    let sql = feeds::PAYMENT_EVENTS.sql.to_owned();
    let sql = only(only(sql, "fact_payment_tickets", TICKETS), "fact_workflow_sessions", &sessions);
    format!("({sql}) AS p")
}

/// From when on no session of a slice can change any more: one row `(org, window_start, open_until)` per
/// organisation and hour of the parameter `hours` in which a session started or was observed (backlog 003,
/// finality). Reads facts.
pub const OPEN_UNTIL_SQL: &str = "WITH observed AS (
    SELECT org, window_start AS hour, workflow_session_id
    FROM fact_session_status_hours FINAL
    WHERE window_start IN {hours:Array(DateTime64(3, 'UTC'))}
)
SELECT org, toUnixTimestamp64Milli(toDateTime64(hour, 3, 'UTC')) AS window_start,
    max(if(is_closed, 0, toUnixTimestamp64Milli(assumeNotNull(session_end_ts)) + 172800000)) AS open_until
FROM (
    SELECT org, toStartOfHour(session_start_ts) AS hour, is_closed, session_end_ts
    FROM fact_workflow_sessions FINAL
    WHERE toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
    UNION ALL
    SELECT o.org AS org, o.hour AS hour, s.is_closed AS is_closed, s.session_end_ts AS session_end_ts
    FROM observed AS o
    INNER JOIN (
        SELECT org, workflow_session_id, is_closed, session_end_ts
        FROM fact_workflow_sessions FINAL
        WHERE (org, workflow_session_id) IN (SELECT org, workflow_session_id FROM observed)
    ) AS s ON s.org = o.org AND s.workflow_session_id = o.workflow_session_id
)
GROUP BY org, hour
ORDER BY org, hour";

/// The hours of payments whose session may be another one than before: one row `(window_start)` each.
/// Parameters `org` and `hours`. Sessions do not know their payments, but whatever changes what a session
/// is makes the hour of its start dirty, and a payment its own. So these are the payments with the request
/// id of a session that started in the hours, and those without one that follow such a payment, or one of
/// the hours, within the day in which it lends them its session. Reads facts, all versions of them.
pub const PAYMENT_HOURS_SQL: &str = "WITH
    started AS (
        SELECT request_id
        FROM fact_workflow_sessions
        WHERE org = {org:String} AND request_id != ''
            AND toDateTime64(toStartOfHour(session_start_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))}
    ),
    lenders AS (
        SELECT session_id, recipient, min(payment_ts) AS since, max(payment_ts) + INTERVAL 24 HOUR AS until
        FROM fact_payment_tickets
        WHERE org = {org:String} AND session_id != '' AND request_id != ''
            AND (request_id IN started
                OR toDateTime64(toStartOfHour(payment_ts), 3, 'UTC') IN {hours:Array(DateTime64(3, 'UTC'))})
        GROUP BY session_id, recipient
    )
SELECT DISTINCT toUnixTimestamp64Milli(toDateTime64(toStartOfHour(payment_ts), 3, 'UTC')) AS window_start
FROM (
    SELECT payment_ts FROM fact_payment_tickets WHERE org = {org:String} AND request_id IN started
    UNION ALL
    SELECT t.payment_ts AS payment_ts
    FROM (
        SELECT session_id, recipient, payment_ts FROM fact_payment_tickets
        WHERE org = {org:String} AND request_id = '' AND session_id IN (SELECT session_id FROM lenders)
    ) AS t
    INNER JOIN lenders AS l ON l.session_id = t.session_id AND l.recipient = t.recipient
    WHERE t.payment_ts >= l.since AND t.payment_ts <= l.until
)
ORDER BY window_start";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payments_are_read_for_the_hours_only() {
        let demand = ROLLUPS.iter().find(|rollup| rollup.table.name == "agg_network_demand_1h");
        let sql = demand.map(Rollup::recompute_sql).unwrap_or_default();
        assert!(!sql.contains("FROM fact_payment_events"), "the view reads all payments: {sql}");
        for table in ["fact_payment_tickets", "fact_workflow_sessions"] {
            let read = sql.matches(&format!("FROM {table} FINAL")).count();
            let restricted = sql.matches(&format!("FROM {table} FINAL WHERE org =")).count()
                + sql.matches(&format!("FROM {table} FINAL\n        WHERE org =")).count();
            assert!(read > 0 && read == restricted, "{table} is read whole: {sql}");
        }
    }

    #[test]
    fn gold_is_direct_unless_more_is_wanted() {
        assert_eq!(Gold::default().sources(), ["direct"]);
        assert_eq!(Gold { include_mapped_window: true }.sources(), ["direct", "mapped_window"]);
    }
}
