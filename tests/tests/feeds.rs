//! The smaller feeds in the real engine: bandwidth, payments, ingest quality, inventory. The figures are
//! those of the contract's acceptance examples (backlog 001, 006, 007).
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use naap_tests::script::{MINUTE, Script, advertisement, url};
use naap_tests::{DataDir, fixture, program, run};
use serde_json::{Value, json};

/// The start of the last full hour but one: all events of a test lie in it, and inventory is recent
/// enough to be shown.
fn base() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = i64::try_from(now).unwrap();
    (now / 3_600_000 - 1) * 3_600_000
}

/// A sample that ends `seq + 1` intervals of 5 s after the begin of its attempt.
fn transport(session: &str, node: &str, (attempt, seq): (u32, i64), begin: i64) -> Value {
    let counters = |bytes: i64| {
        json!({
            "bytes_total": bytes * (seq + 1), "segments_total": 5 * (seq + 1),
            "failed_segments_total": 0, "dropped_segments_total": 0, "retries_total": 0,
            "busy_ms_total": 4_000 * (seq + 1), "last_seq": 5 * seq,
        })
    };
    json!({
        "schema_version": 1, "stream_id": session, "request_id": format!("r-{session}"),
        "pipeline": "m1", "pipeline_id": "", "attempt": attempt,
        "orchestrator_info": {"address": format!("0xhot{node}"), "url": url(node)},
        "link": "gateway_to_orchestrator", "channel": "media", "observer": "gateway",
        "sample_seq": seq, "interval_start_ms": begin + 5_000 * seq,
        "interval_end_ms": begin + 5_000 * (seq + 1), "final": false,
        "to_orchestrator": counters(2_500_000), "from_orchestrator": counters(1_875_000),
    })
}

/// The four sessions of backlog 001, acceptance (a); client bytes are `client` a sample (c).
fn bandwidth(start: i64, client: u64) -> Script {
    let mut script = Script::default();
    for node in ["o1", "o2"] {
        script.advertise(start - MINUTE, "gw", node, &[(&format!("GPU-{node}"), "m1")]);
    }
    let run = (start, start + MINUTE);
    for session in ["A", "B", "C", "D"] {
        script.session(session, run, "o1");
        for n in 1..=12 {
            let stats = json!({"peer_conn_stats":
                {"ID": "ice", "BytesReceived": client * n, "BytesSent": n}, "conn_quality": "good"});
            let data =
                json!({"stream_id": session, "request_id": format!("r-{session}"), "stats": stats});
            let at = start + 5_000 * i64::try_from(n).unwrap();
            script.event(at, session, "stream_ingest_metrics", &data);
        }
    }
    script.status(start + 30_000, "C", "o2");
    let mut send = |session: &str, node: &str, place: (u32, i64), begin: i64| {
        let data = transport(session, node, place, begin);
        script.event(begin + 5_000 * (place.1 + 1), session, "stream_transport_metrics", &data);
        if (session, place) == ("B", (0, 5)) {
            script.again();
        }
    };
    for seq in 0..12 {
        send("A", "o1", (0, seq), start);
        if seq != 3 {
            send("B", "o1", (0, seq), start);
        }
        let attempt = seq / 6;
        let node = ["o1", "o2"][usize::try_from(attempt).unwrap()];
        let begin = start + 30_000 * attempt;
        send("C", node, (u32::try_from(attempt).unwrap(), seq % 6), begin);
    }
    script
}

const BANDWIDTH: &str =
    "SELECT gateway, orchestrator_address, down_mbps_avg, up_mbps_avg, rx_bytes, \
    tx_bytes, sessions, coverage_ratio, telemetry_status, down_mbps_p95 IS NULL AS no_p95
    FROM naap.v_api_transport_bandwidth ORDER BY gateway, orchestrator_address";

fn shown(rows: &[Value], columns: &str) -> Vec<String> {
    let cell = |row: &Value, column: &str| match &row[column] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |row: &Value| columns.split(' ').map(|c| cell(row, c)).collect::<Vec<_>>().join(" ");
    rows.iter().map(row).collect()
}

const FINGERPRINTS: &str = "SELECT groupBitXor(cityHash64(* EXCEPT (version, ingestion_timestamp))) AS hash
    FROM naap.fact_orchestrator_transport_bandwidth FINAL
    UNION ALL
    SELECT groupBitXor(cityHash64(* EXCEPT slice_version)) FROM naap.agg_transport_bandwidth_1m FINAL
    UNION ALL
    SELECT groupBitXor(cityHash64(* EXCEPT slice_version)) FROM naap.agg_transport_bandwidth_1h FINAL
    UNION ALL
    SELECT groupBitXor(cityHash64(* EXCEPT slice_version)) FROM naap.agg_ingest_quality_1h FINAL
    UNION ALL
    SELECT groupBitXor(cityHash64(* EXCEPT (version, ingestion_timestamp)))
    FROM naap.dim_orchestrator_gpu_current FINAL";

fn fingerprints(dir: &DataDir) -> Vec<String> {
    let mut found: Vec<String> = dir.query(FINGERPRINTS).iter().map(Value::to_string).collect();
    found.sort();
    found
}

#[test]
fn bandwidth_of_four_sessions_is_that_of_the_contract() {
    let start = base() + 10 * MINUTE + 17_000;
    let dir = DataDir::new();
    let script = bandwidth(start, 1_000);
    script.replay(&dir, "events.jsonl");
    let columns = "gateway orchestrator_address down_mbps_avg up_mbps_avg rx_bytes tx_bytes sessions \
        coverage_ratio telemetry_status no_p95";
    let want = [
        "A 0xco1 4 3 30000000 22500000 1 1 ok 0",
        "B 0xco1 4 3 30000000 22500000 1 1 ok 0",
        "C 0xco1 4 3 15000000 11250000 1 1 ok 0",
        "C 0xco2 4 3 15000000 11250000 1 1 ok 0",
        "D 0xco1 null null 0 0 0 0 no_telemetry 1",
    ];
    assert_eq!(shown(&dir.query(BANDWIDTH), columns), want);
    let flags = dir.query(
        "SELECT sample_seq, rx_bytes, interval_ms, rx_bps, quality_flags[1] AS flag
         FROM naap.fact_orchestrator_transport_bandwidth FINAL WHERE notEmpty(quality_flags)",
    );
    let flagged = shown(&flags, "sample_seq rx_bytes interval_ms rx_bps flag");
    assert_eq!(flagged, ["4 5000000 10000 4000000 gap"]);
    assert_eq!(dir.number("SELECT count() FROM naap.raw_streaming_events_quarantine FINAL"), 1);
    // N-24: samples, minutes and hours have the same sums.
    let sums = dir.query(
        "SELECT sum(rx_bytes) AS rx, sum(tx_bytes) AS tx FROM naap.fact_orchestrator_transport_bandwidth FINAL
         UNION ALL SELECT sum(rx_bytes), sum(tx_bytes) FROM naap.v_agg_transport_bandwidth_1m
         UNION ALL SELECT sum(rx_bytes), sum(tx_bytes) FROM naap.v_agg_transport_bandwidth_1h",
    );
    assert_eq!(shown(&sums, "rx tx"), ["90000000 67500000"; 3]);

    // (d) another order, with a repetition; (c) ten times the client bytes.
    let other = DataDir::new();
    script.shuffled().replay(&other, "events.jsonl");
    assert_eq!(fingerprints(&other), fingerprints(&dir));
    let more = DataDir::new();
    bandwidth(start, 10_000).replay(&more, "events.jsonl");
    assert_eq!(shown(&more.query(BANDWIDTH), columns), want);
}

/// A sample with everything that can be unusual about it.
fn odd(session: &str, seq: i64, bytes: u64, (from, to): (i64, i64)) -> Value {
    let mut data = transport(session, "o1", (0, seq), from);
    data["interval_start_ms"] = json!(from);
    data["interval_end_ms"] = json!(to);
    data["to_orchestrator"]["bytes_total"] = json!(bytes);
    data["from_orchestrator"]["bytes_total"] = json!(0);
    data
}

#[test]
fn odd_samples_keep_their_bytes_and_lose_their_rates() {
    let hour = base() + 3_600_000;
    // The samples lie around a full hour: 12 s before and 48 s after it.
    let start = hour - 3_600_000 - 12_000;
    let mut script = Script::default();
    script.advertise(start - MINUTE, "gw", "o1", &[("GPU-1", "m1")]);
    script.session("S", (start, start + 20 * MINUTE), "o1");
    let mut send = |seq: i64, bytes: u64, from: i64, to: i64| {
        let data = odd("S", seq, bytes, (start + from, start + to));
        script.event(start + to, "S", "stream_transport_metrics", &data);
    };
    send(0, 1_000, 0, 60_000); // crosses the hour: 200 and 800
    send(1, 400, 60_000, 65_000); // a reset
    send(2, 1_000_000_000, 65_000, 66_000); // 8 Gbit/s
    send(3, 1_000_000_600, 66_000, 186_000); // two minutes
    send(3, 7, 66_000, 186_001); // the same number again, with other content
    send(3, 1_000_000_600, 66_000, 186_000); // and with the same
    let dir = DataDir::new();
    script.replay(&dir, "events.jsonl");
    let rows = dir.query(
        "SELECT sample_seq, rx_bytes, rx_bps, counter_reset, arrayStringConcat(quality_flags, '+') AS flags
         FROM naap.fact_orchestrator_transport_bandwidth FINAL ORDER BY sample_seq",
    );
    let want = [
        "0 1000 133 0 ",
        "1 400 640 1 ",
        "2 999999600 null 0 implausible_rate",
        "3 600 null 0 long_interval",
    ];
    assert_eq!(shown(&rows, "sample_seq rx_bytes rx_bps counter_reset flags"), want);
    let rejected = dir.query(
        "SELECT failure_reason FROM naap.raw_streaming_events_quarantine FINAL ORDER BY failure_reason",
    );
    assert_eq!(shown(&rejected, "failure_reason"), ["duplicate_event", "id_conflict"]);
    let minutes = dir.query(
        "SELECT toUnixTimestamp64Milli(minute_start) AS at, sum(rx_bytes) AS rx
         FROM naap.v_agg_transport_bandwidth_1m WHERE rx_bytes > 0 GROUP BY at ORDER BY at",
    );
    let full = hour - 3_600_000;
    let shown_minutes: Vec<(i64, u64)> = minutes
        .iter()
        .map(|row| (row["at"].as_i64().unwrap() - full, row["rx"].as_u64().unwrap()))
        .collect();
    // Of the last sample 30, 60 and 30 s lie in minutes 0, 1 and 2: 6 s, 60 s and the rest of 54 s.
    let want = [(-60_000, 200), (0, 800 + 400 + 999_999_600 + 30), (60_000, 300), (120_000, 270)];
    assert_eq!(shown_minutes, want);
}

#[test]
fn a_segment_that_took_no_time_expects_nothing() {
    let start = base() + 10 * MINUTE;
    let mut script = Script::default();
    script.advertise(start - MINUTE, "gw", "o1", &[("GPU-1", "m1")]);
    for (session, at) in [("full-minute", start), ("later", start + 17_000)] {
        script.status(at, session, "o1");
    }
    let dir = DataDir::new();
    script.replay(&dir, "events.jsonl");
    let segments = "SELECT count() FROM naap.fact_workflow_session_segments FINAL
        WHERE orchestrator_address = '0xco1'";
    assert_eq!(dir.number(segments), 2);
    assert_eq!(shown(&dir.query(BANDWIDTH), "gateway telemetry_status"), [""; 0]);
}

#[test]
fn ingest_quality_is_that_of_the_contract() {
    let start = base() + 20 * MINUTE;
    let mut script = Script::default();
    script.advertise(start - MINUTE, "gw", "o1", &[("GPU-1", "m1")]);
    script.session("WHIP", (start, start + 15_000), "o1");
    script.session("RTMP", (start, start + 15_000), "o1");
    for (n, received) in [(1, 1_000_000), (2, 2_000_000), (3, 400_000)] {
        let stats = json!({
            "peer_conn_stats": {"ID": "ice", "BytesReceived": received, "BytesSent": 10 * n},
            "conn_quality": "good",
            "track_stats": [{"type": "video", "jitter": 8.5, "packets_lost": n, "packets_received": 99 * n,
                "rtt": 25_000_000, "last_input_ts": 9.5, "last_output_ts": 0, "latency": 9.5}],
        });
        let data = json!({"stream_id": "WHIP", "request_id": "r-WHIP", "stats": stats});
        script.event(start + 5_000 * n, "WHIP", "stream_ingest_metrics", &data);
    }
    let dir = DataDir::new();
    script.replay(&dir, "events.jsonl");
    let rows = dir.query("SELECT * FROM naap.v_api_ingest_quality ORDER BY gateway");
    let columns = "gateway ingest_sessions samples bytes_received ingest_rx_kbps_avg rtt_ms_avg \
        video_jitter_ms_avg audio_jitter_ms_avg video_loss_ratio media_latency_ms_avg ingest_coverage_ratio \
        telemetry_status";
    // 1,400,000 rated bytes in 10 s; 3 lost of 300.
    let want = [
        "RTMP 0 0 null null null null null null null 0 no_telemetry",
        "WHIP 1 3 2400000 1120 25 8.5 null 0.01 null 1 ok",
    ];
    assert_eq!(shown(&rows, columns), want);
    let resets = "SELECT countIf(counter_reset) FROM naap.fact_stream_ingest_samples FINAL";
    assert_eq!(dir.number(resets), 1);
    // N-11: samples, minutes and hours have the same sums.
    let sums = dir.query(
        "SELECT sum(bytes_received_delta) AS rx FROM naap.fact_stream_ingest_samples FINAL
         UNION ALL SELECT sum(bytes_received) FROM naap.v_agg_ingest_quality_1m
         UNION ALL SELECT sum(bytes_received) FROM naap.v_agg_ingest_quality_1h",
    );
    assert_eq!(shown(&sums, "rx"), ["2400000"; 3]);
    let other = DataDir::new();
    script.shuffled().replay(&other, "events.jsonl");
    assert_eq!(fingerprints(&other), fingerprints(&dir));
}

#[test]
fn inventory_is_the_newest_advertisement_of_each_url() {
    let start = base() + 10 * MINUTE;
    let mut script = Script::default();
    script.advertise(start, "gw-a", "o1", &[("GPU-A", "m1"), ("GPU-A", "m2"), ("GPU-B", "m1")]);
    script.advertise(start + 5 * MINUTE, "gw-b", "o1", &[("gpu-a ", "m1"), ("GPU-A", "m2")]);
    script.advertise(start, "gw-a", "o2", &[("GPU-C", "m1")]);
    script.advertise(start + MINUTE, "gw-b", "o2", &[]);
    let query = "SELECT orchestrator_address, gpu_id, arrayStringConcat(pipelines, '+') AS pipelines, \
        arrayStringConcat(model_ids, '+') AS model_ids, capacity, warm, price_per_unit, compute_capability, \
        sku_fingerprint, toUnixTimestamp64Milli(last_seen_ts) - toUnixTimestamp64Milli(first_seen_ts) AS seen
        FROM naap.v_api_gpu_inventory_current";
    let want = "0xco1 gpu-a live-video-to-video m1+m2 3 1 1618 12.0 \
        https://o1.example:8935|RTX 5090|34190917632 300000";
    for script in [script.shuffled(), script] {
        let dir = DataDir::new();
        script.replay(&dir, "events.jsonl");
        let columns = "orchestrator_address gpu_id pipelines model_ids capacity warm price_per_unit \
            compute_capability sku_fingerprint seen";
        assert_eq!(shown(&dir.query(query), columns), [want]);
        let newest = "SELECT count() FROM naap.dim_orchestrator_capability_current FINAL";
        assert_eq!(dir.number(newest), 6, "as often as something was ever advertised");
    }
}

/// A node is its URL however it is spelled, and its wallet where it says none.
#[test]
fn inventory_tells_nodes_apart_by_url_and_by_wallet_without_one() {
    let start = base() + 10 * MINUTE;
    let mut script = Script::default();
    let mut advertise = |minute: i64, node: &str, url: &str, gpus: &[(&str, &str)]| {
        let mut said = advertisement(node, gpus);
        said[0]["orch_uri"] = url.into();
        script.event(start + minute * MINUTE, "gw-a", "network_capabilities", &said);
    };
    advertise(0, "o1", "", &[("GPU-A", "m1")]);
    advertise(1, "o2", "", &[("GPU-B", "m1")]);
    advertise(0, "o3", "https://O3.example:8935/", &[("GPU-C", "m1"), ("GPU-SOLD", "m1")]);
    advertise(1, "o3", "https://o3.example:8935", &[("GPU-C", "m1")]);
    let dir = DataDir::new();
    script.replay(&dir, "events.jsonl");
    let query =
        "SELECT orchestrator_address, gpu_id FROM naap.v_api_gpu_inventory_current ORDER BY gpu_id";
    let want = ["0xco1 gpu-a", "0xco2 gpu-b", "0xco3 gpu-c"];
    assert_eq!(shown(&dir.query(query), "orchestrator_address gpu_id"), want);
}

/// Backlog 007: at most two rows are read for each that is answered, once the storage has merged versions
/// away: the advertised GPU, and when it was first seen. A granule is no larger than a table this small.
#[test]
fn inventory_reads_twice_what_it_answers() {
    let (start, mut script) = (base(), Script::default());
    for poll in 0..3 {
        for node in 0..40 {
            let gpus = [0, 1, 2, 3].map(|gpu| format!("GPU-{node}-{gpu}"));
            let gpus = gpus.each_ref().map(|gpu| (gpu.as_str(), "m1"));
            let at = start + 10 * poll * MINUTE + i64::from(node);
            script.advertise(at, "gw", &format!("o{node}"), &gpus);
        }
    }
    let dir = DataDir::new();
    script.replay(&dir, "events.jsonl");
    for table in ["dim_orchestrator_gpu_current", "dim_orchestrator_gpu_first_seen"] {
        dir.query(&format!("OPTIMIZE TABLE naap.{table} FINAL"));
    }
    let mut naap = Command::new(program());
    naap.arg("query").arg("--data-dir").arg(dir.data());
    let sql = "SELECT * FROM naap.v_api_gpu_inventory_current";
    let answer = naap_tests::json(&run(naap.args(["--format", "JSON", sql])));
    let read = answer["statistics"]["rows_read"].as_u64().unwrap();
    assert_eq!(answer["rows"], 160);
    assert!(read <= 2 * 160, "{read} rows are read for 160");
}

#[test]
fn payments_are_linked_by_request_id_and_by_the_session_at_the_orchestrator() {
    let dir = DataDir::new();
    dir.replay(&[fixture("events-2026-01-08.jsonl")]);
    let rows = dir.query(
        "SELECT link_method, workflow_session_id, count() AS payments, sum(num_tickets) AS tickets,
            toString(sum(face_value_wei * num_tickets)) AS face, toString(sum(expected_value_wei)) AS expected,
            any(model_id) AS model
         FROM naap.fact_payment_events GROUP BY link_method, workflow_session_id ORDER BY link_method",
    );
    let session = "stream-o5s73x-mk5zc8fy|db936fab";
    let model = "streamdiffusion-sdxl-faceid";
    let want = [
        format!("request_id {session} 1 2 4804800000000000 4800000004800 {model}"),
        format!("session_id_heuristic {session} 5 5 12002400000000000 12000000002400 {model}"),
    ];
    assert_eq!(
        shown(&rows, "link_method workflow_session_id payments tickets face expected model"),
        want
    );
    let wei = dir.query(
        "SELECT toString(face_value_wei) AS face, toString(win_prob) AS prob, toString(price_wei_per_pixel) AS price
         FROM naap.fact_payment_tickets FINAL ORDER BY payment_ts LIMIT 1",
    );
    assert_eq!(shown(&wei, "face prob price"), ["2402400000000000 0.000999001 1635.021"]);
}

#[test]
fn malformed_amounts_are_dead_letters_and_strangers_stay_unlinked() {
    let start = base() + 10 * MINUTE;
    let pay = |request: &str, face: &str, tickets: &str| {
        json!({
            "requestID": request, "sessionID": "auth", "manifestID": "35_m1", "sender": "0xGw",
            "recipient": "0xCo1", "orchestrator": url("o1"), "faceValue": face, "numTickets": tickets,
            "winProb": "0.001", "price": "1.5 wei/pixel", "clientIP": "", "capability": "",
        })
    };
    let mut script = Script::default();
    script.session("S", (start, start + MINUTE), "o1");
    script.event(start, "S", "create_new_payment", &pay("", "1 WEI", "1")); // before any link
    script.event(start + 1, "S", "create_new_payment", &pay("r-S", "0.02 ETH", "2"));
    script.event(start + 2, "S", "create_new_payment", &pay("", "3 WEI", "1"));
    script.event(start + 3, "S", "create_new_payment", &pay("r-nobody", "4 WEI", "1"));
    for (face, tickets) in [("5 DAI", "1"), ("-5 WEI", "1"), ("5.5 WEI", "1"), ("5 WEI", "many")] {
        script.event(start + 4, "S", "create_new_payment", &pay("", face, tickets));
    }
    let dir = DataDir::new();
    let report = script.replay(&dir, "events.jsonl");
    assert_eq!(report["records"]["dead_lettered"]["bad_unit"], 4, "{report}");
    let rows = dir.query(
        "SELECT toString(face_value_wei) AS face, link_method, workflow_session_id, recipient
         FROM naap.fact_payment_events ORDER BY payment_ts",
    );
    let want = [
        "1 none  0xco1",
        "20000000000000000 request_id S|r-S 0xco1",
        "3 session_id_heuristic S|r-S 0xco1",
        "4 none  0xco1",
    ];
    assert_eq!(shown(&rows, "face link_method workflow_session_id recipient"), want);
}

#[test]
fn payments_are_for_the_session_that_ran_then() {
    let start = base() + 10 * MINUTE;
    let mut script = Script::default();
    // Request ids come again: twice at a time, and weeks later.
    let sessions =
        [("A", start, start + 30 * MINUTE), ("B", start + 5 * MINUTE, start + 6 * MINUTE)];
    for (stream, from, to) in sessions {
        for ts in [from, to] {
            let kind = "gateway_receive_stream_request";
            let data =
                json!({"type": kind, "timestamp": ts, "stream_id": stream, "request_id": "same"});
            script.event(ts, "gw", "stream_trace", &data);
        }
    }
    let minutes = [-2, -1, 4, 5, 6, 7, 20, 31, 32, 30 * 24 * 60];
    for minute in minutes {
        let data = json!({
            "requestID": "same", "sessionID": "auth", "manifestID": "35_m1", "sender": "0xGw",
            "recipient": "0xCo1", "orchestrator": url("o1"), "faceValue": "1 WEI", "numTickets": "1",
            "winProb": "0.001", "price": "1.5 wei/pixel", "clientIP": "", "capability": "",
        });
        script.event(start + minute * MINUTE, "gw", "create_new_payment", &data);
    }
    let dir = DataDir::new();
    script.replay(&dir, "events.jsonl");
    let rows = dir.query(
        "SELECT workflow_session_id, link_method FROM naap.fact_payment_events ORDER BY payment_ts",
    );
    let (a, b) = ("A|same request_id", "B|same request_id");
    // The seventh minute is one after the end of B, but A still runs.
    let want = [" none", a, a, b, b, a, a, a, " none", " none"];
    assert_eq!(shown(&rows, "workflow_session_id link_method"), want);
    // Demand has the fees of payments with the model of their session or their own; all of them once.
    let fees = dir.query("SELECT sum(payments_count) AS payments FROM naap.agg_network_demand_1h FINAL WHERE grain = 'gpu'");
    assert_eq!(shown(&fees, "payments"), [minutes.len().to_string()]);
}

#[test]
fn the_capacity_at_start_is_that_of_the_advertisement_that_decided() {
    let start = base() + 10 * MINUTE;
    let mut script = Script::default();
    script.advertise(start - MINUTE, "gw", "o1", &[("GPU-1", "m1")]);
    script.session("S", (start, start + MINUTE), "o1");
    script.session("X", (start, start + MINUTE), "o9");
    let dir = DataDir::new();
    script.replay(&dir, "events.jsonl");
    let rows = dir.query(
        "SELECT workflow_session_id, capacity_units_at_start AS units,
            toUnixTimestamp64Milli(capacity_snapshot_ts) AS at
         FROM naap.fact_workflow_sessions FINAL ORDER BY workflow_session_id",
    );
    assert_eq!(
        shown(&rows, "workflow_session_id units at"),
        [format!("S|r-S 3 {}", start - MINUTE), "X|r-X null null".to_owned()]
    );
}

#[test]
fn generated_transport_has_the_bytes_that_the_truth_tells() {
    let dir = DataDir::new();
    let (events, truth) = (dir.path().join("events.jsonl"), dir.path().join("truth.jsonl"));
    let mut generate = Command::new(program());
    generate.args(["generate", "--seed", "3", "--sessions", "40", "--hours", "1", "--transport"]);
    run(generate.arg("--out").arg(&events).arg("--truth").arg(&truth));
    dir.replay(&[events]);
    let rows = dir.query(
        "SELECT workflow_session_id, attempt, sum(rx_bytes) AS rx_bytes, sum(tx_bytes) AS tx_bytes
         FROM naap.fact_orchestrator_transport_bandwidth FINAL
         GROUP BY workflow_session_id, attempt ORDER BY workflow_session_id, attempt",
    );
    let told = std::fs::read_to_string(truth).unwrap();
    let mut want: Vec<Value> = Vec::new();
    for line in told.lines().skip(1) {
        let session: Value = serde_json::from_str(line).unwrap();
        for attempt in session["transport"].as_array().into_iter().flatten() {
            let mut attempt = attempt.clone();
            attempt["workflow_session_id"] = session["workflow_session_id"].clone();
            want.push(attempt);
        }
    }
    want.sort_by_key(|row| (row["workflow_session_id"].to_string(), row["attempt"].as_u64()));
    assert!(want.len() > 20, "{} attempts", want.len());
    // Sessions of which only samples were left have no line of truth.
    let known =
        |row: &&Value| want.iter().any(|w| w["workflow_session_id"] == row["workflow_session_id"]);
    let rows: Vec<&Value> = rows.iter().filter(known).collect();
    assert_eq!(rows, want.iter().collect::<Vec<_>>());
}
