//! The serving views: what each means, its columns and its query.
//!
//! One definition per view gives the migration with its column comments, the entries of
//! `dim_metric_catalogue` and what interfaces say about a field. The query stands in
//! `deploy/clickhouse/views/<view>.sql`; it names every column.
//!
//! Null rule of every view: no evidence is NULL, a measured zero is 0; unknown text that identifies is
//! NULL, except in demand, where it is ''.

mod columns;
pub mod demand;
pub mod feeds;
pub mod health;
pub mod service;

use std::fmt::Write as _;

use crate::rollup::direct;
use crate::rows::ddl::quote;
use crate::rows::migrations::CREATE_VIEW;
use crate::rows::spec::{FINGERPRINT_EXCLUDED, fingerprint_sql};

/// A count or a sum of whole numbers.
const U64: &str = "UInt64";
/// A count or a sum that can be unknown.
const NU64: &str = "Nullable(UInt64)";
/// A whole number that can be unknown.
const NI64: &str = "Nullable(Int64)";
/// A figure that is always known.
const F64: &str = "Float64";
/// A figure that can be unknown.
const NF64: &str = "Nullable(Float64)";
/// Text with few distinct values.
const LOW: &str = "LowCardinality(String)";
/// Text.
const TEXT: &str = "String";
/// Text that can be unknown.
const NTEXT: &str = "Nullable(String)";
/// Text with few distinct values that can be unknown.
const NLOW: &str = "LowCardinality(Nullable(String))";
/// A moment, ms, UTC.
const TS: &str = "DateTime64(3, 'UTC')";
/// A moment that can be unknown.
const NTS: &str = "Nullable(DateTime64(3, 'UTC'))";

/// One column of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewColumn {
    /// Column name.
    pub name: &'static str,
    /// Type as `ClickHouse` has it.
    pub ty: &'static str,
    /// Meaning, unit, null rule and invariant.
    pub doc: &'static str,
}

/// One view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewSpec {
    /// Name of the view.
    pub name: &'static str,
    /// What it is and what a row stands for.
    pub doc: &'static str,
    /// The columns that identify a row, NULL equal to ''.
    pub key: &'static [&'static str],
    /// Versions of formulas and edges that its figures rest on; '' when there is none.
    pub semantics: &'static str,
    /// Its columns, in blocks.
    pub blocks: &'static [&'static [ViewColumn]],
    /// The query that answers the columns, in any order.
    pub sql: &'static str,
}

impl ViewSpec {
    /// The columns in order.
    pub fn columns(&self) -> impl Iterator<Item = &'static ViewColumn> + Clone + use<> {
        self.blocks.iter().copied().flatten()
    }

    /// The queries that fingerprint the view's rows and count those that share their key with another
    /// one; `None` for a view of what the store did when.
    pub fn fingerprint_sqls(&self, database: &str) -> Option<(String, String)> {
        if self.columns().any(|column| column.name == "checked_at") {
            return None;
        }
        let columns = self.columns().map(|column| column.name);
        let columns: Vec<&str> = columns
            .filter(|name| *name != "latest_version" && !FINGERPRINT_EXCLUDED.contains(name))
            .collect();
        let from = format!("`{database}`.`{}`", self.name);
        let key: Vec<String> =
            self.key.iter().map(|name| format!("ifNull(toString({name}), '')")).collect();
        let key = key.join(", ");
        Some((
            fingerprint_sql(&columns.join(", "), &from),
            format!("SELECT count() - uniqExact({key}) AS duplicate_keys\nFROM {from}"),
        ))
    }

    /// The statement that makes the view, without a final semicolon.
    pub fn create(&self) -> String {
        let mut out = format!("{CREATE_VIEW}{}\n(\n", self.name);
        let mut names = Vec::new();
        for column in self.columns() {
            let comma = if names.is_empty() { "" } else { ",\n" };
            // Writing to a String can not fail.
            let _ = write!(
                out,
                "{comma}    {} {} COMMENT {}",
                column.name,
                column.ty,
                quote(column.doc)
            );
            names.push(column.name);
        }
        let (names, sql, doc) = (names.join(", "), flat(self.sql), quote(self.doc));
        // A query that only chooses rows needs no other one around it.
        let from = match sql.strip_prefix("SELECT * FROM ") {
            Some(from) => from.to_owned(),
            None => format!("(\n{sql}\n)"),
        };
        let _ = write!(out, "\n)\nAS SELECT {names}\nFROM {from}\nCOMMENT {doc}");
        out
    }
}

const fn column(name: &'static str, ty: &'static str, doc: &'static str) -> ViewColumn {
    ViewColumn { name, ty, doc }
}

/// A view with the query of the file of its name.
macro_rules! view {
    ($name:literal, $doc:literal, [$($key:literal),*], $semantics:literal, [$($block:expr),* $(,)?] $(,)?) => {
        ViewSpec {
            name: $name,
            doc: $doc,
            key: &[$($key),*],
            semantics: $semantics,
            blocks: &[$($block),*],
            sql: include_str!(concat!("../../../deploy/clickhouse/views/", $name, ".sql")),
        }
    };
}
use view;

/// Formulas that several views share, which write them out; and views of their own. Their columns are those of the query.
pub const BASES: &[(&str, &str, &str)] = &[
    (
        "v_orchestrator_hours",
        "Figures and scores of orchestrators by hour, from which the views of them are read.",
        include_str!("../../../deploy/clickhouse/views/v_orchestrator_hours.sql"),
    ),
    (
        "v_gpu_hours",
        "Figures of GPUs by hour with the bandwidth of all their gateways, from which the views of them are read.",
        include_str!("../../../deploy/clickhouse/views/v_gpu_hours.sql"),
    ),
    (
        "v_demand_hours",
        "Figures of demand by hour at all grains, from which the views of demand are read.",
        include_str!("../../../deploy/clickhouse/views/v_demand_hours.sql"),
    ),
];

/// The statement that makes a view of [`BASES`].
pub fn create_base((name, doc, sql): (&str, &str, &str)) -> String {
    format!("{CREATE_VIEW}{name} AS\n{}\nCOMMENT {}", flat(sql), quote(doc))
}

/// The query with what it reads of [`BASES`] and of valid rows written out. Most of the time of a query of
/// a day is planning, and each view is planned by itself (`docs/performance.md`).
fn flat(sql: &str) -> String {
    let written_out = |sql: String, (name, _, base): &(&str, _, &str)| {
        let reads = format!("FROM {name}");
        if sql.contains(&reads) {
            sql.replace(&reads, &format!("FROM (\n{}\n)", flat(base)))
        } else {
            sql
        }
    };
    BASES.iter().fold(direct(sql), written_out)
}

/// Every serving view.
pub const ALL: &[&ViewSpec] = &[
    &service::GPU_METRICS,
    &service::GPU_METRICS_ENRICHED,
    &service::SLA_COMPLIANCE,
    &service::SLA_COMPLIANCE_1D,
    &service::SLA_QUALITY_SHADOW,
    &service::JITTER_5M,
    &demand::NETWORK_DEMAND,
    &demand::NETWORK_DEMAND_PIPELINE,
    &demand::NETWORK_DEMAND_BY_GPU,
    &health::STARTUP_RELIABILITY,
    &health::ATTRIBUTION_QUALITY,
    &health::SESSION_IDENTITY,
    &health::HEALTH_ROLLUP_FRESHNESS,
    &feeds::TRANSPORT_BANDWIDTH,
    &feeds::INGEST_QUALITY,
    &feeds::GPU_INVENTORY_CURRENT,
    &feeds::PAYMENT_EVENTS,
];

/// The view with this name.
pub fn find(name: &str) -> Option<&'static ViewSpec> {
    ALL.iter().copied().find(|view| view.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_views_share_is_written_out() {
        let made = ALL.iter().map(|view| view.create());
        for sql in made.chain(BASES.iter().map(|base| create_base(*base))) {
            let of_view = |(name, ..): &&(&str, &str, &str)| sql.contains(&format!("FROM {name}"));
            assert_eq!(BASES.iter().find(of_view), None, "{sql}");
        }
        let sql = demand::NETWORK_DEMAND.create();
        let query = sql.split_once("\nAS SELECT ").map_or("", |(_, query)| query);
        assert!(query.contains("FROM agg_network_demand_1h AS d FINAL\nINNER JOIN"), "{query}");
        assert!(query.contains("slices.window_state AS window_state"), "{query}");
        assert!(!query.contains("v_") && !query.contains("d.window_state"), "{query}");
        assert!(query.contains(") WHERE grain = 'model'\nCOMMENT"), "{query}");
    }
}
