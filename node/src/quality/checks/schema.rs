//! The schema itself (quality.md 8, backlog 025).

use naap_protocol::rows::migrations::{MIGRATIONS, Migration};

use super::super::{Check, How, Pack, Seed, Tier};

pub const CHECKS: &[Check] = &[
    Check {
        id: "N-26",
        title: "no serving view searches the history of sessions for latest rows",
        relation: "system.tables",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            // What a serving view reads is read by it: so the views of figures that it is made of, too. The
            // one of freshness looks at everything on purpose, and the one of identity is read by its key.
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' \
             AND startsWith(name, 'v_') AND name NOT IN ('v_health_rollup_freshness', 'v_api_session_identity') \
             AND (startsWith(name, 'v_api_') OR startsWith(name, 'v_agg_') OR endsWith(name, '_hours') OR endsWith(name, '_quality')) \
             AND match(create_table_query, 'fact_') AND (match(create_table_query, '(?is)arg(Max|Min)(If)?\\\\s*\\\\(.*\\\\bversion\\\\s*\\\\)') \
             OR match(create_table_query, '(?is)(max\\\\s*\\\\(\\\\s*([a-z_]+\\\\.)?version|LIMIT\\\\s+1\\\\s+BY|row_number\\\\s*\\\\()') \
             OR match(create_table_query, '(?is)(FROM|JOIN)\\\\s+([a-z_]+\\\\.)?fact_[a-z_]+\\\\s+(AS\\\\s+[a-z_]+\\\\s+)?FINAL'))",
        ),
        remedy: "read the published slice",
        source: "quality.md 8, backlog 025",
        seed: Seed::sql(
            "",
            &["CREATE VIEW v_api_scanning AS SELECT workflow_session_id, \
                 argMax((gateway, tuple(region)), version) AS identity \
                 FROM fact_workflow_sessions GROUP BY workflow_session_id"],
        ),
    },
    Check {
        id: "Q-63",
        title: "serving views read no raw table",
        relation: "system.tables",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT name, extract(create_table_query, 'raw_[a-z_]+') AS reads FROM system.tables \
             WHERE database = currentDatabase() AND engine = 'View' AND startsWith(name, 'v_api_') \
             AND match(create_table_query, '(?i)(FROM|JOIN)\\\\s+([a-z_]+\\\\.)?raw_(streaming_events|ai_stream|stream_|network_|payment|discovery)')",
        ),
        remedy: "read the fact or the dimension instead",
        source: "quality.md 6.1",
        seed: Seed::sql(
            "",
            &["CREATE VIEW v_api_raw AS SELECT raw_event_uid FROM raw_ai_stream_status"],
        ),
    },
    Check {
        id: "N-27",
        title: "a lookup by event id uses an index of the reject tables",
        relation: "raw_streaming_events_dlq",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT arrayJoin(['raw_streaming_events_dlq', 'raw_streaming_events_quarantine']) AS name, \
             arrayJoin(['event_id', 'dedup_key']) AS looked_up WHERE (name, looked_up) NOT IN \
             (SELECT table, expr FROM system.data_skipping_indices WHERE database = currentDatabase() \
             AND type = 'bloom_filter' AND granularity <= 4 \
             AND toFloat64OrZero(extract(type_full, '\\\\(([0-9.]+)\\\\)')) BETWEEN 0.0001 AND 0.01)",
        ),
        remedy: "run `naap schema check`, which names what differs",
        source: "quality.md 8, backlog 025",
        seed: Seed::sql(
            "raw_streaming_events_quarantine",
            &["ALTER TABLE raw_streaming_events_quarantine DROP INDEX idx_event_id"],
        ),
    },
    Check {
        id: "N-28",
        title: "migrations only declare",
        relation: "deploy/clickhouse",
        pack: Pack::Core,
        how: How::Build(Tier::Fail, || {
            not_declarations(MIGRATIONS.iter().flat_map(Migration::statements))
        }),
        remedy: "backfills and queries are jobs of their own, not migrations",
        source: "quality.md 8, backlog 025; that a second run changes nothing is tests/tests/bad_input.rs",
        seed: Seed::NONE,
    },
];

/// The statements that do more than create, alter or grant.
fn not_declarations<'a>(statements: impl Iterator<Item = &'a str>) -> Vec<String> {
    statements
        .filter(|statement| !declares(statement))
        .map(|statement| statement.chars().take(120).collect())
        .collect()
}

/// Whether a statement changes what there is, and no rows: a table that is filled by the statement that
/// creates it, a view that writes, and an alteration of rows do more.
fn declares(statement: &str) -> bool {
    let upper = statement.to_uppercase();
    let words: Vec<&str> = upper.split_whitespace().collect();
    let has = |phrase: &[&str]| words.windows(phrase.len()).any(|window| window == phrase);
    match words.first().copied() {
        Some("CREATE") => {
            let fills = has(&["POPULATE"]) || has(&["AS", "SELECT"]);
            !has(&["MATERIALIZED", "VIEW"]) && (has(&["VIEW"]) || !fills)
        }
        // What an alteration does stands behind the name of the table.
        Some("ALTER") => !matches!(
            words.get(3).copied(),
            Some(
                "DELETE" | "UPDATE" | "ATTACH" | "DETACH" | "REPLACE" | "MOVE" | "FETCH" | "CLEAR"
            )
        ),
        Some("GRANT") => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_moves_rows_is_found() {
        let sound = [
            "CREATE TABLE a (b UInt8)",
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "ALTER TABLE a ADD COLUMN c UInt8",
            "GRANT SELECT ON a TO reader",
        ];
        assert_eq!(not_declarations(sound.into_iter()), [""; 0]);
        let seeded = [
            "insert INTO a SELECT 1",
            "CREATE TABLE a ENGINE = Memory AS SELECT 1",
            "CREATE MATERIALIZED VIEW v TO a AS SELECT 1",
            "ALTER TABLE a DELETE WHERE 1",
            "alter table a update b = 1 WHERE 1",
            "OPTIMIZE TABLE a FINAL",
            "DROP TABLE a",
        ];
        assert_eq!(not_declarations(seeded.into_iter()), seeded);
    }
}
