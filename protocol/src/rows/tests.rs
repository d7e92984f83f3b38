//! Laws of the definitions, and the committed migrations against them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::binary::Type;
use super::ddl::{
    Difference, Installed, InstalledColumn, create_table, drift, engine, keep_forever,
};
use super::migrations::MIGRATIONS;
use super::spec::{FINGERPRINT_EXCLUDED, Storage};
use super::*;

/// Which tables and views stand in which migration; the tables of all make [`ALL`].
const CONTENT: &[(usize, &[&str])] =
    &[(4, &[UNKNOWN_EVENTS]), (6, &[]), (9, &[]), (6, &[]), (4, &[]), (3, &[]), (1, &[])];

/// The older name of the ignored records whose family is unknown (decisions, "tables").
const UNKNOWN_EVENTS: &str = "CREATE VIEW IF NOT EXISTS raw_unknown_events AS
SELECT ingest_timestamp, ingest_date, raw_event_uid, org, event_type, source_topic, raw_json, ingestion_timestamp
FROM raw_ignored_events FINAL
WHERE ignore_reason = 'unsupported_event_family'
COMMENT 'Records of an event family outside the contract: one row per record.'";

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "deploy", "clickhouse"].iter().collect()
}

fn generated() -> Vec<String> {
    let mut tables = ALL.iter();
    CONTENT
        .iter()
        .map(|(count, views)| {
            let statements: Vec<String> = tables
                .by_ref()
                .take(*count)
                .map(|spec| create_table(spec))
                .chain(views.iter().map(|view| (*view).to_owned()))
                .collect();
            format!(
                "-- Generated from protocol/src/rows. Append-only once released: never edit, add a file.\n\n{};\n",
                statements.join(";\n\n")
            )
        })
        .collect()
}

#[test]
fn committed_migrations_are_the_definitions() {
    let generated = generated();
    assert_eq!(CONTENT.iter().map(|(count, _)| count).sum::<usize>(), ALL.len());
    assert_eq!(generated.len(), MIGRATIONS.len());
    if std::env::var_os("NAAP_UPDATE").is_some() {
        let mut sums = String::new();
        for (migration, sql) in MIGRATIONS.iter().zip(&generated) {
            std::fs::write(folder().join(migration.name), sql).unwrap();
            let sum = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(sql));
            writeln!(sums, "{sum}  {}", migration.name).unwrap();
        }
        std::fs::write(folder().join("CHECKSUMS"), sums).unwrap();
        return;
    }
    for (migration, sql) in MIGRATIONS.iter().zip(&generated) {
        assert_eq!(migration.sql, sql, "{}: set NAAP_UPDATE=1 to rewrite", migration.name);
    }
}

#[test]
fn checksums_and_files_agree() {
    if std::env::var_os("NAAP_UPDATE").is_some() {
        return;
    }
    let sums = std::fs::read_to_string(folder().join("CHECKSUMS")).unwrap();
    let want: Vec<String> =
        MIGRATIONS.iter().map(|m| format!("{}  {}", m.checksum(), m.name)).collect();
    assert_eq!(sums.lines().collect::<Vec<_>>(), want);
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".sql"))
        .collect();
    assert_eq!(files, MIGRATIONS.iter().map(|m| m.name.to_owned()).collect());
    for (position, migration) in MIGRATIONS.iter().enumerate() {
        assert_eq!(migration.version as usize, position + 1);
        assert!(migration.name.starts_with(&format!("{:04}_", migration.version)));
    }
}

#[test]
fn migrations_are_ddl_only_and_idempotent() {
    let statements: Vec<&str> = MIGRATIONS.iter().flat_map(|m| m.statements()).collect();
    assert_eq!(statements.len(), ALL.len() + 1);
    for statement in statements {
        let begins = ["CREATE TABLE IF NOT EXISTS ", "CREATE VIEW IF NOT EXISTS "];
        assert!(begins.iter().any(|begin| statement.starts_with(begin)), "{statement}");
        assert!(!statement.ends_with(';'));
    }
}

#[test]
fn every_table_obeys_the_storage_rules() {
    let mut names = BTreeSet::new();
    for spec in ALL {
        let name = spec.name;
        assert!(names.insert(name), "{name} twice");
        assert!(!spec.comment().is_empty(), "{name} without comment");
        assert!(spec.order_by.contains(&"org"), "{name} without org in its key");
        let unique: BTreeSet<_> = spec.columns.iter().map(|column| column.name).collect();
        assert_eq!(unique.len(), spec.columns.len(), "{name} has a column twice");
        for key in spec.order_by {
            let column = spec.column(key).unwrap_or_else(|| panic!("{name}: no key column {key}"));
            assert!(!column.ty.is_nullable(), "{name}.{key} is nullable");
            assert!(column.derived.is_none(), "{name}.{key} is derived");
        }
        for bloom in spec.bloom {
            assert!(spec.column(bloom).is_some(), "{name}: no indexed column {bloom}");
        }
        assert!(spec.column(spec.version).is_some(), "{name}: no version column");
        if let Some(deleted) = spec.deleted {
            assert_eq!(spec.column(deleted).map(|column| column.ty), Some(Type::UInt8), "{name}");
        }
        for column in spec.columns {
            let at = format!("{name}.{}", column.name);
            assert!(column.comment().len() > 5, "{at} without comment");
            assert!(!column.comment().contains(";\n"), "{at}: comment splits statements");
            if column.storage == Storage::Low {
                assert_eq!(column.ty, Type::LowCardinality, "{at}");
            }
            // A numeric or time column says its unit or is a count, flag, index or identifier.
            assert!(!matches!(column.ty, Type::Date) || column.derived.is_some(), "{at}");
        }
    }
}

#[test]
fn partitions_are_constant_for_a_key() {
    for spec in ALL {
        let name = spec.name;
        let inside = spec
            .partition_by
            .split(['(', ')', ',', ' ', '%'])
            .filter(|word| spec.column(word).is_some() && !spec.order_by.contains(word));
        // The record time belongs to the source coordinates, which are in the key.
        let free: Vec<&str> = inside.filter(|word| *word != "source_record_timestamp").collect();
        assert!(free.is_empty(), "{name}: {free:?} can change under one key");
        let records = spec.partition_by.contains("source_record_timestamp");
        assert_eq!(records, spec.order_by.contains(&"source_offset"), "{name}");
    }
}

#[test]
fn a_row_encodes_exactly_the_sent_columns() {
    let mut out = Vec::new();
    let row = rollups::RollupSlice { org: "o", relation: "r", revision: 7, ..Default::default() };
    row.encode(&mut out);
    let mut want = vec![1, b'o', 1, b'r'];
    want.extend([0; 8]);
    want.extend([0; 8]);
    want.extend([0, 7, 0, 0, 0, 0]);
    want.extend([0; 8]);
    assert_eq!(out, want);
}

#[test]
fn the_header_names_the_sent_columns() {
    let spec = rollups::RollupSlice::SPEC;
    let header = spec.rowbinary_header();
    assert_eq!(header[0], 8);
    assert_eq!(&header[1..5], b"\x03org");
    let text = String::from_utf8_lossy(&header);
    assert!(text.contains("LowCardinality(String)"));
    assert!(text.ends_with("\u{17}DateTime64(3, 'UTC')") || text.ends_with("DateTime64(3, 'UTC')"));
    let status = raw::RawAiStreamStatus::SPEC;
    assert_eq!(usize::from(status.rowbinary_header()[0]), status.columns.len() - 2);
    assert!(!String::from_utf8_lossy(&status.rowbinary_header()).contains("event_hour"));
    assert_eq!(raw::RawStreamingEvent::SPEC.columns[2].name, "type");
}

#[test]
fn a_row_over_the_limit_is_refused_and_leaves_no_trace() {
    let body = "x".repeat(MAX_ROW_BYTES);
    let mut out = vec![1, 2, 3];
    let row = rejects::Ignored { raw_json: &body, ..Default::default() };
    let error = append(&row, &mut out).unwrap_err();
    assert_eq!(error.table, "raw_ignored_events");
    assert!(error.bytes > MAX_ROW_BYTES);
    assert_eq!(out, [1, 2, 3]);
    let fitting = rejects::Ignored { raw_json: &body[..MAX_ROW_BYTES / 2], ..Default::default() };
    assert_eq!(append(&fitting, &mut out).unwrap(), out.len() - 3);
}

#[test]
fn quarantine_is_the_dead_letter_table_under_another_name() {
    let (dead, held) = (rejects::DeadLetter::SPEC, rejects::Quarantined::SPEC);
    assert_ne!(dead.name, held.name);
    assert_eq!(dead.columns, held.columns);
    assert_eq!(dead.order_by, held.order_by);
}

#[test]
fn a_fingerprint_excludes_exactly_the_agreed_columns() {
    for spec in ALL {
        let sql = spec.fingerprint_sql("naap");
        let arguments = sql.split("'RowBinary', ").nth(1).unwrap().split(")))))").next().unwrap();
        let listed: BTreeSet<&str> =
            arguments.split(", ").map(|column| column.trim_end_matches(" + 0")).collect();
        for column in spec.sent() {
            let excluded = FINGERPRINT_EXCLUDED.contains(&column.name);
            assert_eq!(!excluded, listed.contains(column.name), "{}.{}", spec.name, column.name);
            let float = matches!(column.ty.inner(), Type::Float32 | Type::Float64);
            assert_eq!(arguments.contains(&format!("{} + 0", column.name)), float && !excluded);
        }
        assert!(sql.ends_with(&format!("FROM `naap`.`{}` FINAL", spec.name)));
    }
}

fn as_installed(spec: &TableSpec) -> Installed {
    let column = |column: &spec::ColumnSpec| InstalledColumn {
        name: column.name.to_owned(),
        ty: column.ty.to_string(),
        comment: column.comment().to_owned(),
    };
    Installed {
        engine: format!("{} PARTITION BY x", engine(spec)),
        sorting_key: spec.order_by.join(", "),
        columns: spec.columns.iter().map(column).collect(),
    }
}

#[test]
fn drift_names_every_difference_and_nothing_else() {
    for spec in ALL {
        assert_eq!(drift(spec, &as_installed(spec)), [], "{}", spec.name);
    }
    let spec = sessions::Session::SPEC;
    let mut installed = as_installed(spec);
    installed.columns[0].ty = "String".into();
    installed.columns[1].comment.clear();
    let renamed = installed.columns.last_mut().unwrap();
    renamed.name = "inserted_at".into();
    installed.sorting_key = "org".into();
    installed.engine = "MergeTree".into();
    let found = drift(spec, &installed);
    assert_eq!(found.len(), 6, "{found:?}");
    assert!(found.contains(&Difference::Missing("ingestion_timestamp".into())));
    assert!(found.contains(&Difference::Unknown("inserted_at".into())));
    assert!(found.contains(&Difference::Comment { name: "workflow_session_id".into() }));
    assert!(found.iter().any(|d| d.to_string().contains("column org has type String")));
    assert!(found.iter().any(|d| matches!(d, Difference::SortKey { .. })));
    assert!(found.iter().any(|d| matches!(d, Difference::Engine { .. })));
    installed = as_installed(spec);
    installed.columns.swap(0, 1);
    assert_eq!(drift(spec, &installed).len(), 2);
}

#[test]
fn retention_can_be_switched_off() {
    assert_eq!(keep_forever(sessions::Session::SPEC).len(), 1);
    assert_eq!(keep_forever(raw::RawAiStreamStatus::SPEC).len(), 2);
}

#[test]
fn names_resolve() {
    assert_eq!(
        table("fact_workflow_sessions").map(|spec| spec.name),
        Some("fact_workflow_sessions")
    );
    assert_eq!(table("nothing"), None);
}
