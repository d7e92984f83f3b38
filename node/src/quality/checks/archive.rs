//! From record to archive and typed row (quality.md 1, backlog 005): nothing is lost, nothing twice.

use super::super::{Check, How, Pack, Seed, Tier};

/// A further dead letter of a core event.
const DEAD_LETTER: &[&str] = &[
    "INSERT INTO raw_streaming_events_dlq (schema_version, org, source_topic, source_partition, \
     source_offset, source_record_timestamp, event_type, event_timestamp, failure_stage, failure_class, \
     failure_reason, version) \
     SELECT 'v1', org, source_topic, source_partition, source_offset, source_record_timestamp, type, \
     event_timestamp, 'SCHEMA_VALIDATION', 'SCHEMA_INVALID', 'missing_field', 1 \
     FROM raw_streaming_events FINAL WHERE type = 'stream_trace' ORDER BY source_offset LIMIT 1",
];

/// The oldest status event lacks its uid.
const fn without_uid(table: &'static str) -> Seed {
    Seed::change(table, "'' AS raw_event_uid", "1")
}

pub const CHECKS: &[Check] = &[
    Check {
        id: "Q-01",
        title: "no family has more quarantined deliveries than archived ones",
        relation: "raw_streaming_events_quarantine",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Info,
            "SELECT org, event_type, countIf(in_archive = 0) AS quarantined, countIf(in_archive = 1) AS archived \
             FROM (SELECT org, event_type, 0 AS in_archive FROM @quarantine WHERE failure_stage = 'DEDUP' \
             UNION ALL SELECT org, type, 1 FROM @raw) GROUP BY org, event_type HAVING quarantined > archived",
        ),
        remedy: "compare the retention of the two tables; the archive has to be kept at least as long",
        source: "quality.md 1",
        seed: Seed::NONE,
    },
    Check {
        id: "Q-02",
        title: "no core event is a dead letter, and of each archived uid all deliveries but one are quarantined",
        relation: "raw_streaming_events_dlq",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, event_type AS family, failure_reason AS what, toString(count()) AS amount, \
             min(source_offset) AS first_offset FROM @dlq WHERE event_type IN ('ai_stream_status', \
             'stream_trace', 'ai_stream_events', 'stream_ingest_metrics') GROUP BY ALL \
             UNION ALL \
             SELECT org, any(type), 'deliveries that count', toString(countIf(NOT out)) || ' of ' || raw_event_uid, \
             min(source_offset) FROM (SELECT raw.org AS org, raw.type AS type, \
             raw.raw_event_uid AS raw_event_uid, raw.source_offset AS source_offset, \
             (org, source_topic, source_partition, source_offset) IN (SELECT org, source_topic, \
             source_partition, source_offset FROM @quarantine_of_raw WHERE failure_stage = 'DEDUP') AS out, \
             (org, source_topic, source_partition, source_offset) IN (SELECT org, source_topic, \
             source_partition, source_offset FROM @quarantine_of_raw WHERE failure_reason = 'id_conflict') AS conflict \
             FROM @raw AS raw) GROUP BY org, raw_event_uid \
             HAVING countIf(NOT out) != 1 AND NOT (countIf(conflict) > 0 AND countIf(NOT out) = 0)",
        ),
        remedy: "read failure_details of the dead letters and mend their producer; a uid that counts twice or \
                 never is a defect of the deduplication: keep `naap explain session --all`",
        source: "quality.md 1, events.md 6",
        seed: Seed::sql("raw_streaming_events_dlq", DEAD_LETTER).also(&["Q-03"]),
    },
    Check {
        id: "Q-03",
        title: "each accepted core event has exactly one typed row",
        relation: "raw_streaming_events",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, family, uid, maxIf(rows, side = 0) AS archived, sumIf(rows, side = 1) AS typed FROM ( \
             SELECT org, type AS family, raw_event_uid AS uid, 0 AS side, 1 AS rows FROM @raw \
             WHERE type IN ('ai_stream_status', 'stream_trace', 'ai_stream_events', 'stream_ingest_metrics') \
             AND (org, source_topic, source_partition, source_offset) NOT IN (SELECT org, source_topic, \
             source_partition, source_offset FROM @rejects_of_raw WHERE failure_stage != 'DEDUP' \
             OR failure_reason = 'id_conflict') \
             UNION ALL SELECT org, 'ai_stream_status', raw_event_uid, 1, 1 FROM @typed_status \
             UNION ALL SELECT org, 'stream_trace', raw_event_uid, 1, 1 FROM @typed_traces \
             UNION ALL SELECT org, 'ai_stream_events', raw_event_uid, 1, 1 FROM @typed_ai_events \
             UNION ALL SELECT org, 'stream_ingest_metrics', raw_event_uid, 1, 1 FROM @typed_ingest) \
             GROUP BY org, family, uid HAVING archived != typed",
        ),
        remedy: "rows of the last commit cycle may be under way: look again; else replay the window",
        source: "quality.md 1",
        seed: Seed::drop(
            "raw_ai_stream_events",
            "raw_event_uid = (SELECT min(raw_event_uid) FROM raw_ai_stream_events)",
        ),
    },
    Check {
        id: "Q-04",
        title: "gateways advertise capabilities",
        relation: "raw_streaming_events",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT 'network_capabilities' AS missing FROM (SELECT count() AS n FROM @raw \
             WHERE type = 'network_capabilities') WHERE n = 0",
        ),
        remedy: "a gateway polls every 25 min: see whether it runs and publishes to the input topic",
        source: "quality.md 1",
        seed: Seed::drop("raw_streaming_events", "type = 'network_capabilities'")
            .also(&["Q-05", "Q-07", "N-01"]),
    },
    Check {
        id: "Q-05",
        title: "every typed capability row comes from an accepted event",
        relation: "raw_network_capabilities",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, raw_event_uid, count() AS rows FROM @typed_capabilities WHERE (org, raw_event_uid) NOT IN \
             (SELECT org, raw_event_uid FROM @raw WHERE type = 'network_capabilities') GROUP BY org, raw_event_uid",
        ),
        remedy: "the archive has lost the event; see E1 and the log of the sink",
        source: "quality.md 1",
        seed: Seed::change("raw_network_capabilities", "'nobody' AS raw_event_uid", "1")
            .also(&["Q-13"]),
    },
    Check {
        id: "Q-06",
        title: "input reached the archive and the typed tables",
        relation: "raw_streaming_events",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT arrayJoin(['raw_streaming_events', 'raw_ai_stream_status', 'raw_stream_trace_events']) AS missing, \
             multiIf(missing = 'raw_streaming_events', (SELECT count() FROM @raw), \
             missing = 'raw_ai_stream_status', (SELECT count() FROM @typed_status), \
             (SELECT count() FROM @typed_traces)) AS rows WHERE rows = 0",
        ),
        remedy: "see ConsumerLag and the log of the node: is anything read at all?",
        source: "quality.md 1",
        seed: Seed::drop("raw_stream_trace_events", "1").also(&["Q-03", "Q-17"]),
    },
    Check {
        id: "Q-07",
        title: "capability events are archived and typed",
        relation: "raw_network_capabilities",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT (SELECT count() FROM @raw WHERE type = 'network_capabilities') AS archived, \
             (SELECT count() FROM @typed_capabilities) AS typed WHERE archived = 0 OR typed = 0",
        ),
        remedy: "look into raw_streaming_events_dlq for event type network_capabilities",
        source: "quality.md 1",
        seed: Seed::drop("raw_network_capabilities", "1").also(&["Q-13"]),
    },
    Check {
        id: "Q-08",
        title: "every typed status row has its event uid",
        relation: "raw_ai_stream_status",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, stream_id, event_timestamp FROM @typed_status WHERE raw_event_uid = ''",
        ),
        remedy: "a defect of the writer: report it with the raw_json of the row",
        source: "quality.md 1",
        seed: without_uid("raw_ai_stream_status").also(&["Q-03", "Q-16"]),
    },
    Check {
        id: "Q-09",
        title: "every typed trace row has its event uid",
        relation: "raw_stream_trace_events",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, stream_id, event_timestamp FROM @typed_traces WHERE raw_event_uid = ''",
        ),
        remedy: "a defect of the writer: report it with the raw_json of the row",
        source: "quality.md 1",
        seed: without_uid("raw_stream_trace_events").also(&["Q-03", "Q-17"]),
    },
    Check {
        id: "Q-10",
        title: "every typed ingest metrics row has its event uid",
        relation: "raw_stream_ingest_metrics",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, stream_id, event_timestamp FROM @typed_ingest WHERE raw_event_uid = ''",
        ),
        remedy: "a defect of the writer: report it with the raw_json of the row",
        source: "quality.md 1",
        seed: without_uid("raw_stream_ingest_metrics").also(&["Q-03", "Q-18"]),
    },
    Check {
        id: "N-01",
        title: "every consumed record is accepted, rejected or ignored: no offset is missing",
        relation: "raw_streaming_events",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "WITH places AS (SELECT org, source_topic, source_partition, source_offset, \
             source_record_timestamp AS at FROM @all_raw \
             UNION ALL SELECT org, source_topic, source_partition, source_offset, source_record_timestamp FROM @all_dlq \
             UNION ALL SELECT org, source_topic, source_partition, source_offset, source_record_timestamp FROM @all_quarantine \
             UNION ALL SELECT org, source_topic, source_partition, source_offset, source_record_timestamp FROM @all_ignored), \
             bounds AS (SELECT org, source_topic, source_partition, min(source_offset) AS first, \
             max(source_offset) AS last FROM places WHERE at >= @from AND at < @to GROUP BY ALL) \
             SELECT org, source_topic, source_partition, any(first) AS first_offset, any(last) AS last_offset, \
             any(last) - any(first) + 1 AS consumed, uniqExact(source_offset) AS accounted \
             FROM places INNER JOIN bounds USING (org, source_topic, source_partition) \
             WHERE source_offset BETWEEN first AND last GROUP BY ALL HAVING consumed != accounted",
        ),
        remedy: "see LostOffsets; else read the missing offsets from the topic and replay them",
        source: "quality.md 8, backlog 005",
        seed: Seed::drop(
            "raw_ignored_events",
            "source_offset = (SELECT min(source_offset) FROM raw_ignored_events)",
        ),
    },
    Check {
        id: "N-01b",
        title: "each accepted transport event has exactly one fact row",
        relation: "fact_orchestrator_transport_bandwidth",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, uid, any(hour) AS hour_of_event, sum(fact) AS fact_rows FROM (SELECT DISTINCT r.org AS org, r.raw_event_uid AS uid, \
             toNullable(toStartOfHour(r.event_timestamp)) AS hour, 0 AS fact FROM (SELECT *, JSONExtractString(data, 'stream_id') AS stream_id, \
             JSONExtractString(data, 'request_id') AS request_id FROM @raw WHERE type = 'stream_transport_metrics' \
             AND (org, source_topic, source_partition, source_offset) NOT IN (SELECT org, source_topic, source_partition, \
             source_offset FROM @rejects_of_raw)) AS r LEFT JOIN (SELECT org, stream_id, request_id, max(session_end_ts) AS ended \
             FROM @all_sessions WHERE (org, stream_id) IN (SELECT org, JSONExtractString(data, 'stream_id') FROM @raw \
             WHERE type = 'stream_transport_metrics') GROUP BY ALL) AS s USING (org, stream_id, request_id) \
             WHERE ifNull(r.event_timestamp <= ended + toIntervalMillisecond({retention_ms:Int64}), 1) \
             UNION ALL SELECT org, source_event_uid, NULL, 1 FROM @all_transport WHERE (org, source_event_uid) IN \
             (SELECT org, raw_event_uid FROM @raw WHERE type = 'stream_transport_metrics')) \
             GROUP BY org, uid HAVING fact_rows != 1",
        ),
        remedy: "tell the session with `naap explain session`; there is no typed table of this family, the fact is its account",
        source: "quality.md 8 (N-01), backlog 001",
        seed: Seed::drop(
            "fact_orchestrator_transport_bandwidth",
            "source_event_uid = (SELECT min(source_event_uid) FROM fact_orchestrator_transport_bandwidth WHERE is_final)",
        ),
    },
    Check {
        id: "N-29",
        title: "duplicates are few",
        relation: "raw_streaming_events_quarantine",
        pack: Pack::Core,
        how: How::Figure(
            "E2",
            "SELECT org, family, hour, n, duplicates / n AS value FROM (SELECT org, family, hour, sum(1 - twice) AS n, \
             sum(twice) AS duplicates FROM (SELECT org, type AS family, toStartOfHour(event_timestamp) AS hour, \
             0 AS twice FROM @raw UNION ALL SELECT org, event_type, \
             toStartOfHour(ifNull(event_timestamp, source_record_timestamp)), 1 FROM @quarantine \
             WHERE failure_stage = 'DEDUP') GROUP BY ALL) WHERE n > 0",
        ),
        remedy: "see QuarantineSpike: a producer repeats whole batches, or an outage is caught up with",
        source: "quality.md 8 and 9",
        seed: Seed::sql(
            "raw_streaming_events_quarantine",
            // A copy of every record, on a topic of its own so that no other place is accounted for twice.
            &[
                "INSERT INTO raw_streaming_events_quarantine (org, source_topic, source_offset, source_record_timestamp, \
               event_type, event_timestamp, failure_stage) SELECT org, 'repeated', row_number() OVER (PARTITION BY org), \
               source_record_timestamp, type, event_timestamp, 'DEDUP' FROM raw_streaming_events FINAL",
            ],
        ),
    },
    Check {
        id: "E1",
        title: "few records are dead letters",
        relation: "raw_streaming_events_dlq",
        pack: Pack::Core,
        how: How::Figure(
            "E1",
            "SELECT org, count() AS n, countIf(is_dead_letter) / n AS value FROM (SELECT org, 0 AS is_dead_letter FROM @raw \
             UNION ALL SELECT org, 0 FROM @ignored UNION ALL SELECT org, 1 FROM @dlq) GROUP BY org",
        ),
        remedy: "see DlqRate; group raw_streaming_events_dlq by failure_reason and gateway",
        source: "quality.md 9",
        seed: Seed::sql(
            "raw_streaming_events_dlq",
            &[
                "INSERT INTO raw_streaming_events_dlq (org, source_topic, source_offset, source_record_timestamp, \
               event_type, failure_stage) SELECT org, 'broken', row_number() OVER (PARTITION BY org), \
               source_record_timestamp, 'create_new_payment', 'SCHEMA_VALIDATION' FROM raw_streaming_events FINAL",
            ],
        ),
    },
    Check {
        id: "E3",
        title: "no row is over the size guard",
        relation: "raw_streaming_events_dlq",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, source_topic, source_partition, source_offset, event_type FROM @dlq \
             WHERE failure_stage = 'SINK_GUARD'",
        ),
        remedy: "the dead letter has the beginning of the record; find out why its producer sends so much",
        source: "quality.md 9",
        seed: Seed::sql(
            "raw_streaming_events_dlq",
            &[
                "INSERT INTO raw_streaming_events_dlq (org, source_topic, source_offset, source_record_timestamp, \
               event_type, failure_stage) SELECT org, source_topic, source_offset, source_record_timestamp, \
               'create_new_payment', 'SINK_GUARD' FROM raw_streaming_events FINAL ORDER BY source_offset LIMIT 1",
            ],
        ),
    },
];
