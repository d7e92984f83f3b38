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
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' \
             AND startsWith(name, 'v_api_') AND match(create_table_query, 'fact_workflow_session') AND match(create_table_query, \
             '(?i)(argMax\\\\s*\\\\([^)]*version|max\\\\s*\\\\(\\\\s*version|LIMIT 1 BY)')",
        ),
        remedy: "read the published slice or the table with FINAL",
        source: "quality.md 8, backlog 025",
        seed: Seed::sql(
            "",
            &[
                "CREATE VIEW v_api_scanning AS SELECT workflow_session_id, argMax(gateway, version) AS gateway \
               FROM fact_workflow_sessions GROUP BY workflow_session_id",
            ],
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
            "SELECT arrayJoin(['raw_streaming_events_dlq', 'raw_streaming_events_quarantine']) AS name WHERE name NOT IN \
             (SELECT table FROM system.data_skipping_indices WHERE database = currentDatabase() \
             AND expr = 'event_id' AND type = 'bloom_filter')",
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
    let declares = |statement: &&str| {
        let first = statement.split_whitespace().next().unwrap_or_default();
        ["CREATE", "ALTER", "GRANT"].contains(&first.to_uppercase().as_str())
            && !statement.to_uppercase().contains("POPULATE")
    };
    statements
        .filter(|statement| !declares(statement))
        .map(|statement| statement.chars().take(120).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_moves_rows_is_found() {
        let seeded = [
            "CREATE TABLE a (b UInt8)",
            "insert INTO a SELECT 1",
            "ALTER TABLE a ADD COLUMN c UInt8",
        ];
        assert_eq!(not_declarations(seeded.into_iter()), ["insert INTO a SELECT 1"]);
    }
}
