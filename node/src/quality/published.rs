//! Whether published rows are still those that were computed, and where they are not (backlog 005 d).
//!
//! A hash of each slice stands beside its version, so looking costs one pass over the published rows,
//! and a change is found in whatever column it is. Only slices that differ are computed once more, to say
//! which row and column it is.

use std::fmt::Write as _;

use naap_protocol::rollup::{ROLLUPS, Rollup, Scope};
use naap_protocol::rows::spec::rows_hash_sql;
use serde::Deserialize;

use super::relations::expand;

/// Most slices that are looked into.
pub const MOST_SLICES: usize = 20;

/// A slice whose rows have another hash than when it was published.
#[derive(Debug, Deserialize)]
pub struct Changed {
    relation: String,
    /// Organisation; '' for a relation over all of them.
    pub org: String,
    /// Start of the slice.
    pub hour: String,
}

impl Changed {
    /// The relation that the slice is of.
    pub fn rollup(&self) -> Option<&'static Rollup> {
        ROLLUPS.iter().find(|rollup| rollup.table.name == self.relation)
    }
}

/// The statement that answers the slices of the window that were changed.
///
/// # Errors
/// Never, as its names are known.
pub fn changed_sql() -> Result<String, String> {
    let slices: Vec<String> = ROLLUPS.iter().map(changed_of).collect();
    expand(&format!("{} LIMIT {MOST_SLICES}", slices.join("\nUNION ALL\n")))
}

/// Rows that are as old as their retention may be gone, a day at a time.
fn changed_of(rollup: &Rollup) -> String {
    let (name, view) = (rollup.table.name, rollup.valid_view());
    let hash = rows_hash_sql(&rollup.table.fingerprint_columns());
    let days = rollup.table.ttl.days - 1;
    let window = match rollup.scope {
        Scope::OrgHour => "@org AND window_start >= @from AND window_start < @to",
        // A day stands at its begin and has no organisation. The day before settles in the first hour of the next one.
        Scope::Day => "window_start >= toStartOfDay(@from) - INTERVAL 1 DAY AND window_start < @to",
    };
    format!(
        "SELECT '{name}' AS relation, slice.org AS org, toString(slice.window_start) AS hour
FROM (
    SELECT org, window_start, content FROM rollup_slices FINAL
    WHERE relation = '{name}' AND {window}
) AS slice
LEFT JOIN (
    SELECT org, window_start, count() AS shown,
        {hash} AS hash
    FROM {view}
    WHERE {window}
    GROUP BY org, window_start
) AS found ON found.org = slice.org AND found.window_start = slice.window_start
WHERE slice.content != hex(found.hash)
    AND (found.shown > 0 OR slice.window_start > now64(3) - toIntervalDay({days}))"
    )
}

/// The statement that compares the rows of a slice with what its query answers now: one row for each
/// figure that differs, and for each row that only one side has. Parameters: `org`, `hours`, `gold`.
pub fn differences_sql(rollup: &Rollup) -> String {
    let table = rollup.table;
    let key = table.order_by.join(", ");
    let is_figure = |name: &str| name != table.version && !table.order_by.contains(&name);
    let (mut keys, mut names, mut figures) = (String::new(), Vec::new(), Vec::new());
    for column in table.sent() {
        let (name, ty) = (column.name, column.ty);
        if is_figure(name) {
            names.push(format!("'{name}'"));
            // The query answers other types than those that are stored.
            figures.push(format!("ifNull(toString(CAST({name} AS {ty})), 'NULL')"));
        } else if name != table.version {
            // Writing to a String can not fail.
            let _ = write!(keys, "CAST({name} AS {ty}) AS {name}, ");
        }
    }
    let (names, figures) = (names.join(", "), figures.join(", "));
    format!(
        "SELECT '{name}' AS relation, {key}, difference.1 AS column, difference.2 AS published, difference.3 AS computed,
    toFloat64OrNull(difference.2) - toFloat64OrNull(difference.3) AS difference_by
FROM (
    SELECT {key}, anyIf(figures, is_published) AS shown, anyIf(figures, NOT is_published) AS anew
    FROM (
        SELECT {keys}[{figures}] AS figures, 1 AS is_published
        FROM (
            SELECT * FROM {view}
            WHERE org = {{org:String}} AND window_start IN {{hours:Array(DateTime64(3, 'UTC'))}}
        )
        UNION ALL
        SELECT {keys}[{figures}] AS figures, 0 AS is_published
        FROM (
{sql}
        )
    )
    GROUP BY {key}
)
ARRAY JOIN if(
    empty(shown) OR empty(anew),
    [('', if(empty(shown), 'no row', 'a row'), if(empty(anew), 'no row', 'a row'))],
    arrayFilter(d -> d.2 != d.3, arrayZip([{names}], shown, anew))
) AS difference",
        name = table.name,
        view = rollup.valid_view(),
        sql = rollup.computed_sql(),
    )
}
