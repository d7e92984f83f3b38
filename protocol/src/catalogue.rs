//! What every figure means, as a relation: `dim_metric_catalogue` (contract backlog 014).
//!
//! It is made of the same texts as the column comments: the definitions of tables, and the column lists
//! of the statements that make views.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::rollup::Rollup;
use crate::rows::ddl::quote;
use crate::rows::migrations::{self, CREATE_VIEW};
use crate::rows::{self, TableSpec};
use crate::views;

/// Name of the relation.
pub const NAME: &str = "dim_metric_catalogue";

/// One column of one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Table or view.
    pub relation: String,
    /// Column.
    pub column: String,
    /// Type as `ClickHouse` has it.
    pub ty: String,
    /// The column's comment: meaning, unit, null rule, invariant.
    pub text: String,
    /// Versions of formulas and edges it rests on; '' when there is none.
    pub semantics: String,
    /// Relations it is made of, sorted; '' for what is written from events.
    pub source: String,
}

impl Entry {
    /// What the comment says first.
    pub fn meaning(&self) -> &str {
        self.text.split_once("; ").map_or(&*self.text, |(meaning, _)| meaning)
    }

    /// What the comment says behind that: when it is NULL or '', and what always holds.
    pub fn invariant(&self) -> &str {
        self.text.split_once("; ").map_or("", |(_, invariant)| invariant)
    }

    /// Unit of the column: as its comment says it, or else by the words that its name ends in.
    pub fn unit(&self) -> &'static str {
        // A mean, a percentile and a sum have the unit of what they are of.
        let name = ["_avg", "_p95", "_total"]
            .into_iter()
            .find_map(|of| self.column.strip_suffix(of))
            .unwrap_or(&self.column);
        if self.ty.contains("DateTime64") {
            return "ms since 1970, UTC";
        }
        if self.ty.contains("Date") {
            return "day, UTC";
        }
        if self.ty.contains("String") {
            return "text";
        }
        let named = |words: &[(&str, &'static str)], fits: &dyn Fn(&str) -> bool| {
            words.iter().find(|(word, _)| fits(word)).map(|(_, unit)| *unit)
        };
        if self.text.contains("units of 0.000001") {
            let millionths = named(&MILLIONTHS, &|word| name.contains(word));
            return millionths.unwrap_or("0.000001 ms");
        }
        named(&SAID, &|words| self.text.contains(words))
            .or_else(|| named(&COUNTED, &|word| name.ends_with(word)))
            .or_else(|| named(&ENDINGS, &|word| name.ends_with(word)))
            .or_else(|| named(&[("bytes", "B"), ("fps", "frames/s")], &|word| name.contains(word)))
            .unwrap_or("1")
    }
}

/// Units of values that are kept in whole millionths, by what their name holds.
const MILLIONTHS: [(&str, &str); 2] =
    [("fps_sumsq", "0.000001 (frames/s)^2"), ("fps", "0.000001 frames/s")];

/// Units that a comment tells in words where the name does not.
const SAID: [(&str, &str); 5] = [
    (" as emitted, ms", "ms"),
    (" as emitted, seconds", "s"),
    (", wei per `pixels_per_unit` pixels", "wei"),
    (", wei per pixel", "wei/pixel"),
    ("deviation", "ratio"),
];

/// Endings of what is counted, a flag or a rating, whatever it is of.
const COUNTED: [(&str, &str); 6] = [
    ("_samples", "1"),
    ("_session", "1"),
    ("_sessions", "1"),
    ("_count", "1"),
    ("_score", "1"),
    ("_histogram", "1"),
];

/// Endings that say the unit; longer ones before those that they end in.
const ENDINGS: [(&str, &str); 14] = [
    ("_ms", "ms"),
    ("_seconds", "s"),
    ("_minutes", "min"),
    ("_eth", "ETH"),
    ("_wei", "wei"),
    ("_kbps", "kbit/s"),
    ("_mbps", "Mbit/s"),
    ("_bps", "bit/s"),
    ("_rate", "ratio"),
    ("_ratio", "ratio"),
    ("_coefficient", "ratio"),
    ("_pct", "ratio"),
    ("_confidence", "ratio"),
    ("_prob", "ratio"),
];

/// What the catalogue holds: facts, published tables and the views of both.
const RELATIONS: [&str; 3] = ["fact_", "agg_", "v_"];

/// Every column of every fact, published table and view, by relation. `statements` make the views.
pub fn entries<'a>(statements: impl Iterator<Item = &'a str>) -> Vec<Entry> {
    let statements: Vec<&str> = statements.collect();
    let tables = rows::ALL.iter().flat_map(|table| of_table(table));
    let views = statements.iter().filter_map(|sql| migrations::view(sql));
    let mut all: Vec<Entry> = tables.chain(views.flat_map(of_view)).collect();
    all.retain(|entry| RELATIONS.iter().any(|begin| entry.relation.starts_with(begin)));
    all.sort_by(|a, b| a.relation.cmp(&b.relation));
    all
}

fn of_table(table: &'static TableSpec) -> impl Iterator<Item = Entry> {
    let source = Rollup::of(table).map(|rollup| sources(rollup.sql)).unwrap_or_default();
    table.columns.iter().map(move |column| Entry {
        relation: table.name.to_owned(),
        column: column.name.to_owned(),
        ty: column.ty.to_string(),
        text: column.comment().split_whitespace().collect::<Vec<_>>().join(" "),
        semantics: String::new(),
        source: source.clone(),
    })
}

/// The columns that the statement of a view lists; none when it has no list.
fn of_view(sql: &str) -> Vec<Entry> {
    let (name, rest) = sql.split_once(char::is_whitespace).unwrap_or((sql, ""));
    let Some((list, query)) =
        rest.trim_start().strip_prefix("(\n").and_then(|r| r.split_once("\n)"))
    else {
        return Vec::new();
    };
    let semantics = views::find(name).map_or("", |view| view.semantics);
    let source = sources(query);
    let entry = |line: &str| {
        let (column, rest) = line.trim().split_once(' ')?;
        let (ty, text) = rest.split_once(" COMMENT '")?;
        let text = text.trim_end_matches(',').trim_end_matches('\'').replace("\\'", "'");
        Some(Entry {
            relation: name.to_owned(),
            column: column.to_owned(),
            ty: ty.to_owned(),
            text,
            semantics: semantics.to_owned(),
            source: source.clone(),
        })
    };
    list.lines().filter_map(entry).collect()
}

/// The relations that a query reads.
fn sources(sql: &str) -> String {
    let words: Vec<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let after = words.windows(2).filter(|pair| ["FROM", "JOIN"].contains(&pair[0]));
    let begins = ["fact_", "agg_", "dim_", "raw_", "v_", "rollup_"];
    let named = after.map(|pair| pair[1]).filter(|word| begins.iter().any(|b| word.starts_with(b)));
    named.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

/// The statement that makes the relation. Relations share most of their columns, and a server parses
/// no more than 256 KiB: what a column says stands once, with the relations that have it.
pub fn create(entries: &[Entry]) -> String {
    let mut shared: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    let mut relations = BTreeMap::new();
    for entry in entries {
        let said = (&*entry.column, &*entry.ty, entry.unit(), entry.meaning(), entry.invariant());
        shared.entry(said).or_default().push(&entry.relation);
        relations.insert(&*entry.relation, (&*entry.semantics, &*entry.source));
    }
    let list = |texts: &[&str]| texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", ");
    let mut out = format!(
        "{CREATE_VIEW}{NAME}
(
    relation String COMMENT 'Table or view.',
    column String COMMENT 'Column of it.',
    type String COMMENT 'Type of the column.',
    unit String COMMENT 'Unit; `1` for plain numbers and flags, `text` for text.',
    nullable UInt8 COMMENT '1 when the column can be NULL, which means: not known.',
    meaning String COMMENT 'What it says.',
    invariant String COMMENT 'When it is NULL or empty, and what always holds; empty when there is nothing to add.',
    semantics_version String COMMENT 'Versions of formulas and edges it rests on; empty when there is none.',
    source String COMMENT 'Relations it is computed from, sorted; empty for what is written from events.'
)
AS SELECT of.relation AS relation, column, type, unit, position(type, 'Nullable') > 0 AS nullable, meaning, invariant,
    of.semantics_version AS semantics_version, of.source AS source
FROM (
    SELECT column, type, unit, meaning, invariant, arrayJoin(relations) AS relation
    FROM values(
        'column String, type String, unit String, meaning String, invariant String, relations Array(String)'"
    );
    // Writing to a String can not fail.
    for (&(column, ty, unit, meaning, invariant), relations) in &shared {
        let texts = list(&[column, ty, unit, meaning, invariant]);
        let _ = write!(out, ",\n        ({texts}, [{}])", list(relations));
    }
    out.push_str(
        "\n    )
) AS said
INNER JOIN (
    SELECT relation, semantics_version, source
    FROM values(
        'relation String, semantics_version String, source String'",
    );
    for (relation, (semantics, source)) in relations {
        let _ = write!(out, ",\n        ({})", list(&[relation, semantics, source]));
    }
    out.push_str(
        "\n    )
) AS of ON of.relation = said.relation
COMMENT 'What every column means: one row per column of a table or view.'",
    );
    out
}
