//! Checks at their edges: windows, moments, and how much of history they hold.

use naap_node::quality::checks;
use naap_node::quality::gates::Gates;
use naap_node::quality::run::Verdict;
use naap_node::times::stamp;
use naap_protocol::rows::latency::Latency;
use naap_protocol::rows::samples::StatusSample;
use naap_protocol::rows::sessions::{Segment, Session};
use naap_protocol::rows::transport::TransportSample;
use naap_protocol::time::Timestamp;

use crate::bench::{Bench, at, at_minute};
use crate::world::{PIPELINE, latency, put_served, session};

/// Old rows of each fact.
const OLD: usize = 3_000;

/// The columns that tell rows apart, of the tables that grow with input.
const GROWING: &[(&str, &str)] = &[
    ("raw_streaming_events", "type, raw_event_uid, source_topic, source_offset, event_timestamp"),
    (
        "raw_streaming_events_quarantine",
        "event_type, dedup_key, source_topic, source_offset, event_timestamp",
    ),
    (
        "raw_streaming_events_dlq",
        "event_type, dedup_key, source_topic, source_offset, event_timestamp",
    ),
    (
        "raw_ignored_events",
        "event_type, ignore_reason, source_topic, source_offset, event_timestamp",
    ),
    ("raw_ai_stream_status", "stream_id, raw_event_uid, request_id, version, event_timestamp"),
    ("raw_stream_trace_events", "stream_id, raw_event_uid, request_id, version, event_timestamp"),
    ("raw_stream_ingest_metrics", "stream_id, raw_event_uid, request_id, version, event_timestamp"),
    (
        "fact_workflow_sessions",
        "stream_id, workflow_session_id, request_id, segment_count, session_start_ts",
    ),
    (
        "fact_workflow_session_coverage",
        "unmatched_reason, workflow_session_id, gateway, version, session_start_ts",
    ),
    (
        "fact_workflow_session_segments",
        "orchestrator_address, workflow_session_id, reason, version, segment_start_ts",
    ),
    (
        "fact_workflow_latency_samples",
        "stream_id, workflow_session_id, edge_semantics_version, version, sample_ts",
    ),
    (
        "fact_stream_status_samples",
        "workflow_session_id, source_event_uid, orchestrator_address, is_attributed, gateway_ts",
    ),
    (
        "fact_stream_trace_edges",
        "workflow_session_id, source_event_uid, trace_type, version, gateway_ts",
    ),
    (
        "fact_workflow_param_updates",
        "workflow_session_id, source_event_uid, gateway, version, gateway_ts",
    ),
    (
        "fact_lifecycle_edge_coverage",
        "workflow_session_id, source_event_uid, gateway, version, gateway_ts",
    ),
    (
        "fact_stream_ingest_samples",
        "workflow_session_id, source_event_uid, gateway, version, gateway_ts",
    ),
    (
        "fact_orchestrator_transport_bandwidth",
        "workflow_session_id, source_event_uid, observer, sample_seq, sample_ts",
    ),
];

/// Facts are kept for half a year: whatever sorts or keeps them all runs out of memory one day.
#[test]
fn the_probe_holds_no_history() {
    let (bench, org) = (Bench::get(), "history");
    for (table, columns) in GROWING {
        // Two hundred hours before the window, and a few rows in it.
        for (rows, hour) in [(OLD, -200), (3, 20)] {
            bench.execute(&format!(
                "INSERT INTO {table} (org, {columns}) SELECT '{org}', 'a' || toString(number), 'b' || toString(number), 'c', 1, \
                 toDateTime64('{at}', 3, 'UTC') FROM numbers({rows})",
                at = stamp(at(hour)),
            ));
        }
    }
    let gates = Gates::load(None, at(0)).unwrap();
    let gate = gates.gate("probe").unwrap();
    let mut held = Vec::new();
    for check in checks::all().filter(|check| gate.runs(check)) {
        let Some(sql) = check.sql() else { continue };
        if let Err(problem) = bench.bounded(sql, (org, 20), OLD - 1_000) {
            held.push(format!("{}: {}", check.id, problem.split(". (").next().unwrap_or_default()));
        }
    }
    assert!(held.is_empty(), "{held:#?}");
}

fn transport(org: &str, seq: u64, end: Timestamp, total: u64) -> TransportSample<'_> {
    TransportSample {
        org,
        workflow_session_id: "s",
        link_type: "gateway_to_orchestrator",
        channel: "media",
        observer: "gateway",
        sample_seq: seq,
        sample_ts: end,
        source_event_uid: if seq == 0 { "u0" } else { "u1" },
        rx_bytes: 100,
        rx_bytes_total: total,
        source_system: "stream_transport_metrics",
        version: 1,
        ..TransportSample::default()
    }
}

#[test]
fn a_stream_that_began_before_the_window_is_summed_up_from_its_beginning() {
    let bench = Bench::get();
    let before = Timestamp(at(4).0 - 2_000);
    for (org, total, expected) in
        [("stream", 200, Verdict::Pass), ("stream-lost", 250, Verdict::Fail)]
    {
        let samples = [transport(org, 0, before, 100), transport(org, 1, at(4), total)];
        bench.put(&samples);
        assert_eq!(bench.probe("N-24", org, [4, 5], at(6)).verdict, expected, "{org}");
    }
}

#[test]
fn a_counter_begins_anew_without_the_other() {
    let bench = Bench::get();
    // From the orchestrator the counter shows 50 and then 20, to it 100 and then 200.
    for (org, tx_bytes, expected) in
        [("reset-alone", 20, Verdict::Pass), ("reset-lost", 19, Verdict::Fail)]
    {
        let first = transport(org, 0, at_minute(4, 1), 100);
        let second = transport(org, 1, at_minute(4, 2), 200);
        bench.put(&[
            TransportSample { tx_bytes: 50, tx_bytes_total: 50, ..first },
            TransportSample { tx_bytes, tx_bytes_total: 20, counter_reset: true, ..second },
        ]);
        assert_eq!(bench.probe("N-24", org, [4, 5], at(6)).verdict, expected, "{org}");
    }
}

#[test]
fn the_first_sample_of_a_stream_adds_all_that_it_shows() {
    let bench = Bench::get();
    // Whenever this runs, what was before the old one may be gone, and nothing before the young one.
    let (old, young) = (-24 * 365, 24 * 365 * 50);
    for (org, hour, total, expected) in [
        ("late-begin", young, 100, Verdict::Pass),
        ("late-difference", young, 800, Verdict::Fail),
        ("old-difference", old, 800, Verdict::Pass),
    ] {
        bench.put(&[transport(org, 7, at(hour), total)]);
        let found = bench.probe("N-24", org, [hour, hour + 1], at(hour + 2));
        assert_eq!(found.verdict, expected, "{org}");
    }
}

/// Two segments begin at once: the first of them has no length, so the second one is in force.
#[test]
fn of_segments_that_begin_at_once_the_last_is_in_force() {
    let (bench, org) = (Bench::get(), "in-force");
    let ids = ["s0", "s1", "s2", "s3"];
    let middle = at_minute(7, 10);
    let part = |id: &'static str, index: u16, from: Timestamp, to: Option<Timestamp>| Segment {
        org,
        workflow_session_id: id,
        segment_index: index,
        segment_start_ts: from,
        segment_end_ts: to,
        orchestrator_address: ["0xa", "0xb", "0xc"][usize::from(index)],
        // The row that was written last is not the one in force.
        version: if index == 1 { 9 } else { 1 },
        ..Segment::default()
    };
    for id in ids {
        bench.put(&[Session { segment_count: 3, ..session(org, id, 7) }]);
        bench.put(&[
            part(id, 0, at_minute(7, 5), Some(middle)),
            part(id, 1, middle, Some(middle)),
            part(id, 2, middle, None),
        ]);
        bench.put(&[StatusSample {
            org,
            workflow_session_id: id,
            source_event_uid: id,
            gateway_ts: at_minute(7, 20),
            orchestrator_address: "0xc",
            is_attributed: true,
            version: 1,
            ..StatusSample::default()
        }]);
    }
    for id in ["Q-36", "Q-36b"] {
        let outcome = bench.check(id, org);
        assert_eq!((outcome.verdict, outcome.value), (Verdict::Pass, Some(0.0)), "{outcome:#?}");
    }
}

#[test]
fn an_advertised_name_is_a_pipeline() {
    let (bench, org) = (Bench::get(), "own-names");
    put_served(bench, &[Session { pipeline: "Caption-It", ..session(org, "s", 8) }], 8, 5);
    bench.publish(org, &[8]);
    for id in ["N-17", "N-17b"] {
        assert_eq!(bench.check(id, org).verdict, Verdict::Fail, "{id}");
    }
    bench.execute(&format!(
        "INSERT INTO dim_orchestrator_capability_snapshots (org, pipeline, snapshot_ts) \
         SELECT '{org}', 'caption-it', toDateTime64('{}', 3, 'UTC')",
        stamp(at(7))
    ));
    for id in ["N-17", "N-17b"] {
        assert_eq!(bench.check(id, org).verdict, Verdict::Pass, "{id}");
    }
}

#[test]
fn a_superseded_selection_explains_a_change_without_rows() {
    let bench = Bench::get();
    for (org, selections, expected) in
        [("superseded", 2, Verdict::Warn), ("flagged", 1, Verdict::Fail)]
    {
        bench.put(&[Session {
            has_pipeline_change: true,
            selection_count: selections,
            segment_count: 1,
            ..session(org, "s", 9)
        }]);
        bench.put(&[Segment {
            org,
            workflow_session_id: "s",
            segment_start_ts: at_minute(9, 5),
            pipeline: PIPELINE,
            version: 1,
            ..Segment::default()
        }]);
        assert_eq!(bench.check("Q-25", org).verdict, expected, "{org}");
    }
}

/// So many sessions in an hour.
fn put_sessions(
    bench: &Bench,
    org: &str,
    hour: i64,
    sessions: usize,
    change: fn(&mut Session<'_>),
) {
    let ids: Vec<String> = (0..sessions).map(|n| format!("h{hour}-{n}")).collect();
    let mut all: Vec<Session<'_>> = ids.iter().map(|id| session(org, id, hour)).collect();
    all.iter_mut().for_each(change);
    bench.put(&all);
}

#[test]
fn checks_of_the_moment_look_beyond_the_window() {
    let (bench, now) = (Bench::get(), at_minute(21, 20));
    // The window is the last settled hour, 20 to 21.
    let probe = |id, org| bench.probe(id, org, [20, 21], now).verdict;

    put_sessions(bench, "no-wallets", 16, 20, |one| one.orchestrator_address = "");
    assert_eq!(probe("A5", "no-wallets"), Verdict::Fail);

    let ids: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let late = |id| StatusSample {
        org: "slow",
        workflow_session_id: id,
        source_event_uid: id,
        gateway_ts: at_minute(21, 5),
        kafka_ts: at_minute(21, 5),
        ingestion_timestamp: at_minute(21, 12),
        version: 1,
        ..StatusSample::default()
    };
    bench.put(&ids.iter().map(|id| late(id)).collect::<Vec<_>>());
    assert_eq!(probe("F2", "slow"), Verdict::Fail);

    put_served(bench, &[Session { pipeline: "", ..session("no-names", "s", 15) }], 15, 5);
    bench.publish("no-names", &[15]);
    assert_eq!(probe("Q-66", "no-names"), Verdict::Fail);

    // Silent for three days.
    bench.execute(&format!(
        "INSERT INTO raw_streaming_events (org, event_timestamp, ingestion_timestamp) \
         SELECT 'silent', toDateTime64('{0}', 3, 'UTC'), toDateTime64('{0}', 3, 'UTC')",
        stamp(at(-51)),
    ));
    assert_eq!(probe("F1", "silent"), Verdict::Fail);

    // Hour 17 was never computed, the ones after it were.
    for hour in [17, 18, 19, 20] {
        put_sessions(bench, "hole", hour, 1, |_| ());
    }
    bench.publish("hole", &[18, 19, 20]);
    let hole = bench.probe("F4", "hole", [20, 21], now);
    assert_eq!((hole.verdict, hole.value), (Verdict::Fail, Some(200.0)));
}

#[test]
fn an_hour_without_sessions_is_a_collapse() {
    let (bench, org) = (Bench::get(), "collapse");
    for hour in 0..24 {
        put_sessions(bench, org, hour, 60, |_| ());
    }
    let verdict =
        |hour, minute| bench.probe("D1", org, [hour - 1, hour], at_minute(hour, minute)).verdict;
    let found =
        [(24, 10), (25, 10), (25, 40), (26, 10)].map(|(hour, minute)| verdict(hour, minute));
    assert_eq!(found, [Verdict::Pass, Verdict::Warn, Verdict::Fail, Verdict::Fail]);
}

#[test]
fn health_is_that_of_the_whole_network() {
    let (bench, hour) = (Bench::get(), 24 * 300);
    for org in ["silent-a", "silent-b"] {
        put_sessions(bench, org, hour, 30, |one| one.health_signal_count = 0);
    }
    let found = |org| {
        let outcome = bench.probe("H1", org, [hour, hour + 1], at(hour + 2));
        (outcome.verdict, outcome.value, outcome.examples.len())
    };
    assert_eq!(found(""), (Verdict::Fail, Some(0.0), 1), "60 sessions in one row");
    assert_eq!(found("silent-a").0, Verdict::Info, "30 sessions are too few");
}

#[test]
fn a_slow_mean_warns_without_a_slow_p95() {
    let (bench, org) = (Bench::get(), "slow-mean");
    let ids: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    let sessions: Vec<Session<'_>> = ids.iter().map(|id| session(org, id, 10)).collect();
    bench.put(&sessions);
    let rows: Vec<Latency<'_>> = sessions
        .iter()
        .map(|one| Latency {
            orchestrator_address: "0xa",
            ..latency(one, [None, Some(4_000.0), None])
        })
        .collect();
    bench.put(&rows);
    assert_eq!(bench.check("L1", org).verdict, Verdict::Pass);
    assert_eq!(bench.check("L1b", org).verdict, Verdict::Warn);
}
