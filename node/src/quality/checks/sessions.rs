//! Sessions, and what hangs on them (quality.md 3).

use super::super::{Check, How, Pack, Seed, Tier};

pub const CHECKS: &[Check] = &[
    Check {
        id: "Q-19",
        title: "sessions are written",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT 'fact_workflow_sessions' AS missing FROM (SELECT count() AS n FROM @sessions) WHERE n = 0",
        ),
        remedy: "is there input (Q-06)? then see CheckpointAge and SinkRetry",
        source: "quality.md 3",
        seed: Seed::drop("fact_workflow_sessions", "1").also(&["Q-15", "Q-24", "Q-26", "Q-36b", "Q-94", "Q-95", "Q-96", "Q-97"]),
    },
    Check {
        id: "Q-20",
        title: "a session has one latest row",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, count() AS rows FROM @sessions_of_sessions \
             GROUP BY org, workflow_session_id HAVING rows > 1",
        ),
        remedy: "run `naap schema check`: the sort key of the table is not (org, workflow_session_id)",
        source: "quality.md 3",
        seed: Seed::sql(
            "fact_workflow_sessions",
            &[
                "CREATE TABLE rebuilt AS fact_workflow_sessions ENGINE = ReplacingMergeTree(version) \
                 ORDER BY (org, workflow_session_id, session_start_ts)",
                "INSERT INTO rebuilt SELECT * FROM fact_workflow_sessions FINAL",
                "INSERT INTO rebuilt SELECT * REPLACE(session_start_ts - toIntervalMillisecond(1) AS session_start_ts, \
                 version + 1 AS version) FROM fact_workflow_sessions FINAL ORDER BY workflow_session_id LIMIT 1",
                "EXCHANGE TABLES rebuilt AND fact_workflow_sessions",
                "DROP TABLE rebuilt SYNC",
            ],
        ).also(&["N-15"]),
    },
    Check {
        id: "Q-21",
        title: "a session has an id",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, stream_id, request_id, session_start_ts FROM @sessions WHERE workflow_session_id = ''",
        ),
        remedy: "a defect of the session key: report it with the record of source_first_event_uid",
        source: "quality.md 3, lifecycle.md 1.3",
        seed: Seed::change(
            "fact_workflow_sessions",
            "'' AS workflow_session_id, 0 AS segment_count, 0 AS known_stream, 0 AS startup_excused, \
             0 AS startup_unexcused, 0 AS served_session, 0 AS unserved_session, 0 AS health_expected_signal_count",
            "segment_count = 1 AND orchestrator_address = '' AND confirmed_swap_count = 0",
        )
        .also(&["N-02b"]),
    },
    Check {
        id: "Q-22",
        title: "swap_count is confirmed_swap_count",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, swap_count, confirmed_swap_count FROM @sessions \
             WHERE swap_count != confirmed_swap_count",
        ),
        remedy: "a defect of the session row: keep `naap explain session --all` and report it",
        source: "quality.md 3",
        seed: Seed::change("fact_workflow_sessions", "swap_count + 1 AS swap_count", "1")
            .also(&["N-16"]),
    },
    Check {
        id: "Q-23",
        title: "a swapped session has evidence: several orchestrators in its segments, or a swap edge",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, confirmed_swap_count, inferred_orchestrator_change_count FROM @sessions \
             WHERE (confirmed_swap_count > 0 OR inferred_orchestrator_change_count > 0) \
             AND (org, workflow_session_id) NOT IN (SELECT org, workflow_session_id FROM @segments \
             WHERE orchestrator_address != '' GROUP BY ALL HAVING uniqExact(orchestrator_address) > 1) \
             AND (org, workflow_session_id) NOT IN (SELECT org, workflow_session_id FROM @traces_of_sessions \
             WHERE is_swap_event > 0)",
        ),
        remedy: "tell the session with `naap explain session`; FINDINGS names the edge that is missing",
        source: "quality.md 3",
        seed: Seed::change(
            "fact_workflow_sessions",
            "1 AS inferred_orchestrator_change_count",
            "swap_row_count = 0 AND segment_count < 2",
        )
        .also(&["N-16"]),
    },
    Check {
        id: "Q-24",
        title: "a parameter update belongs to a session",
        relation: "fact_workflow_param_updates",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, source_event_uid, gateway_ts FROM @updates \
             WHERE (org, workflow_session_id) NOT IN (SELECT org, workflow_session_id FROM @sessions_of_updates)",
        ),
        remedy: "the session row may be under way: look again; else replay the window",
        source: "quality.md 3",
        seed: Seed::change(
            "fact_workflow_param_updates",
            "'nobody|nothing' AS workflow_session_id",
            "1",
        ),
    },
    Check {
        id: "Q-25",
        title: "the flags of a change of model and pipeline mirror the rows of the session",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            // A selection that another one supersedes within its own millisecond leaves no row of its own, but
            // counts: so with several selections a flag without its rows only warns.
            "SELECT org, workflow_session_id, has_model_change, models, has_pipeline_change, pipelines, selections, \
             if((NOT has_model_change AND models > 1) OR (NOT has_pipeline_change AND pipelines > 1) OR selections < 2, \
             'FAIL', 'WARN') AS tier FROM ( \
             SELECT org, workflow_session_id, any(has_model_change) AS has_model_change, \
             any(has_pipeline_change) AS has_pipeline_change, any(selection_count) AS selections, \
             uniqExactIf(lower(model_id), of_segment AND model_id != '') AS models, \
             uniqExactIf(lower(pipeline), of_segment AND pipeline != '') AS pipelines, \
             uniqExactIf(lower(model_id), model_id != '') AS all_models, \
             uniqExactIf(lower(pipeline), pipeline != '') AS all_pipelines FROM ( \
             SELECT org, workflow_session_id, model_id, pipeline, 1 AS of_segment FROM @segments \
             UNION ALL SELECT org, workflow_session_id, model_id, pipeline, 0 FROM @status_of_sessions WHERE is_attributed \
             UNION ALL SELECT org, workflow_session_id, model_id, pipeline, 0 FROM @traces_of_sessions WHERE is_attributed) AS rows \
             INNER JOIN (SELECT org, workflow_session_id, has_model_change, has_pipeline_change, selection_count FROM @sessions) AS own \
             USING (org, workflow_session_id) GROUP BY org, workflow_session_id) \
             WHERE (NOT has_model_change AND models > 1) OR (NOT has_pipeline_change AND pipelines > 1) \
             OR (has_model_change AND all_models < 2) OR (has_pipeline_change AND all_pipelines < 2)",
        ),
        remedy: "tell the session with `naap explain session`; a backfill of its day corrects late evidence",
        source: "quality.md 3, backlog 022",
        seed: Seed::change(
            "fact_workflow_sessions",
            "1 AS has_model_change",
            "segment_count = 1 AND has_model_change = 0 AND model_id != '' AND selection_count = 1",
        ),
    },
    Check {
        id: "Q-26",
        title: "a segment belongs to a session",
        relation: "fact_workflow_session_segments",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, segment_index FROM fact_workflow_session_segments FINAL WHERE @org \
             AND segment_start_ts >= @from AND segment_start_ts < @to \
             AND (org, workflow_session_id) NOT IN (SELECT org, workflow_session_id FROM @all_sessions \
             WHERE (org, workflow_session_id) IN (SELECT org, workflow_session_id FROM fact_workflow_session_segments \
             WHERE @org AND segment_start_ts >= @from AND segment_start_ts < @to))",
        ),
        remedy: "the session row may be under way: look again; else replay the window",
        source: "quality.md 3",
        seed: Seed::change(
            "fact_workflow_session_segments",
            "'nobody|nothing' AS workflow_session_id",
            "1",
        ),
    },
    Check {
        id: "Q-27",
        title: "stored session rows are at least as many as latest ones",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Elsewhere(
            "by construction: the latest rows are the stored ones after replacement (Q-20 checks the key)",
        ),
        remedy: "",
        source: "quality.md 3",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-28",
        title: "a session with segments has a row for each index",
        relation: "fact_workflow_session_segments",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, segment_count, rows FROM (SELECT org, workflow_session_id, segment_count \
             FROM @sessions WHERE segment_count > 0) AS s LEFT JOIN (SELECT org, workflow_session_id, \
             uniqExact(segment_index) AS rows FROM @segments GROUP BY ALL) AS g USING (org, workflow_session_id) \
             WHERE rows != segment_count",
        ),
        remedy: "the rows may be under way: look again; else replay the window",
        source: "quality.md 3",
        seed: Seed::drop(
            "fact_workflow_session_segments",
            "workflow_session_id = (SELECT min(workflow_session_id) FROM fact_workflow_session_segments \
             WHERE orchestrator_address = '' AND segment_index = 0)",
        ),
    },
    Check {
        id: "Q-29",
        title: "a known stream stays known",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, argMin(known_stream, version) AS first, argMax(known_stream, version) AS latest, \
             if(first > latest, 'FAIL', 'INFO') AS tier FROM fact_workflow_sessions WHERE @org \
             AND session_start_ts >= @from AND session_start_ts < @to GROUP BY org, workflow_session_id \
             HAVING first > latest OR first < latest",
        ),
        remedy: "a late signal can only add: keep `naap explain session --all` and report it",
        source: "quality.md 3",
        seed: Seed::sql(
            "fact_workflow_sessions",
            &[
                "SYSTEM STOP MERGES fact_workflow_sessions",
                "INSERT INTO fact_workflow_sessions SELECT * REPLACE(0 AS known_stream, 0 AS startup_excused, \
                 0 AS startup_unexcused, 0 AS served_session, 0 AS unserved_session, 0 AS health_expected_signal_count, \
                 version + 1 AS version) FROM (SELECT * FROM fact_workflow_sessions FINAL WHERE known_stream \
                 ORDER BY workflow_session_id LIMIT 1)",
            ],
        )
        .also(&["N-02b"]),
    },
    Check {
        id: "N-30",
        title: "counters of a session add up: one startup class, and signals within what is expected",
        relation: "fact_workflow_sessions",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, known_stream, startup_success, startup_excused, startup_unexcused, \
             health_signal_count, health_expected_signal_count FROM @sessions \
             WHERE (known_stream AND startup_success + startup_excused + startup_unexcused != 1) \
             OR (NOT known_stream AND startup_excused + startup_unexcused > 0) \
             OR health_expected_signal_count != if(known_stream, 3, 0) OR health_signal_count > 3 \
             OR status_error_sample_count > status_sample_count \
             OR (status_sample_count = 0 AND loading_only_session + zero_output_fps_session > 0) \
             OR served_session + unserved_session != known_stream",
        ),
        remedy: "a defect of the fold: keep `naap explain session --all` and report it",
        source: "quality.md 8, backlog 003",
        seed: Seed::change(
            "fact_workflow_sessions",
            "4 AS health_signal_count",
            "known_stream = 1",
        ),
    },
];
