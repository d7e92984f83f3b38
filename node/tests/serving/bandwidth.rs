//! Bandwidth of a GPU over all its gateways (backlog 001).

use naap_protocol::rows::sessions::{Segment, Session};
use naap_protocol::rows::transport::TransportSample;
use naap_protocol::time::Timestamp;
use serde_json::json;

use crate::bench::{Bench, at_minute, has};
use crate::world::{put_served, session};

const LINK: &str = "gateway_to_orchestrator";

/// Stores a session of `gateway` with status evidence and one segment of a minute, from minute 6 on.
fn put_run(bench: &Bench, (org, id, gateway, gpu): (&str, &str, &str, &str), hour: i64) {
    let run = Session { gateway, gpu_id: gpu, segment_count: 1, ..session(org, id, hour) };
    let segment = Segment {
        org,
        workflow_session_id: id,
        segment_start_ts: at_minute(hour, 6),
        segment_end_ts: Some(at_minute(hour, 7)),
        gateway,
        orchestrator_address: run.orchestrator_address,
        pipeline: run.pipeline,
        model_id: run.model_id,
        gpu_id: gpu,
        version: 1,
        ..Segment::default()
    };
    put_served(bench, &[run], hour, 6);
    bench.put(&[segment]);
}

/// A sample of so many seconds from minute 6 on, with its bytes to and from the orchestrator.
fn sample<'a>(
    of: &Session<'a>,
    hour: i64,
    seconds: u32,
    (rx, tx): (u64, u64),
) -> TransportSample<'a> {
    let ms = 1_000 * u64::from(seconds);
    TransportSample {
        org: of.org,
        workflow_session_id: of.workflow_session_id,
        link_type: LINK,
        channel: "media",
        observer: "gateway",
        sample_ts: Timestamp(at_minute(hour, 6).0 + 1_000 * i64::from(seconds)),
        gateway: of.gateway,
        orchestrator_address: of.orchestrator_address,
        pipeline: of.pipeline,
        model_id: of.model_id,
        gpu_id: of.gpu_id,
        rx_bytes: rx,
        tx_bytes: tx,
        interval_ms: Some(ms),
        rx_bps: Some(rx * 8_000 / ms),
        tx_bps: Some(tx * 8_000 / ms),
        version: 1,
        ..TransportSample::default()
    }
}

#[test]
fn bandwidth_of_a_gpu_is_bytes_by_time_over_its_gateways() {
    let (bench, org) = (Bench::get(), "bandwidth");
    let of = |id, gateway, gpu_id| Session { gateway, gpu_id, ..session(org, id, 9) };
    let sent = [of("s1", "gw1", "GPU-1"), of("s2", "gw2", "GPU-1"), of("s3", "gw1", "GPU-2")];
    for s in &sent {
        put_run(bench, (org, s.workflow_session_id, s.gateway, s.gpu_id), 9);
    }
    put_run(bench, (org, "s4", "gw1", "GPU-3"), 9);
    put_run(bench, (org, "s5", "gw1", "GPU-4"), 9);
    let [s1, s2, s3] = &sent;
    let unrated = of("s4", "gw1", "GPU-3");
    bench.put(&[
        sample(s1, 9, 60, (6_000_000, 3_000_000)),
        sample(s2, 9, 40, (1_600_000, 400_000)),
        // Neither another link nor another channel nor the other observer counts.
        TransportSample {
            link_type: "orchestrator_to_worker",
            ..sample(s1, 9, 60, (9_000_000, 9))
        },
        TransportSample { channel: "control", ..sample(s1, 9, 60, (9_000_000, 9)) },
        TransportSample { observer: "orchestrator", ..sample(s1, 9, 60, (9_000_000, 9)) },
        sample(s3, 9, 30, (3_000_000, 0)),
        TransportSample { rx_bps: None, tx_bps: None, ..sample(&unrated, 9, 30, (1_000, 1_000)) },
    ]);
    bench.publish(org, &[9]);
    // GPU-1: 7,600,000 B down and 3,400,000 B up in 100 s of 120 s; a mean of means would be 0.56.
    let want = [
        json!({ "down_mbps_avg": 0.608, "up_mbps_avg": 0.272, "bandwidth_status": "ok" }),
        json!({ "down_mbps_avg": 0.8, "up_mbps_avg": 0.0, "bandwidth_status": "partial" }),
        json!({ "down_mbps_avg": null, "up_mbps_avg": null, "bandwidth_status": "partial" }),
        json!({ "down_mbps_avg": null, "up_mbps_avg": null, "bandwidth_status": "no_telemetry" }),
    ];
    for view in ["v_api_gpu_metrics", "v_api_gpu_metrics_enriched"] {
        let rows = bench.ask(&format!("SELECT * FROM {view} WHERE org = '{org}' ORDER BY gpu_id"));
        assert_eq!(rows.len(), want.len(), "{view}: {rows:#?}");
        for (row, want) in rows.iter().zip(&want) {
            has(row, want);
        }
    }
}
