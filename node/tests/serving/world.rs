//! Facts to compute figures from, short to write.

use naap_protocol::frames;
use naap_protocol::rows::latency::Latency;
use naap_protocol::rows::sessions::{Session, StatusHour};

use crate::bench::{Bench, at, at_minute};

/// Workflow class of all sessions.
pub(crate) const PIPELINE: &str = "live-video-to-video";
/// Gateway of all sessions.
pub(crate) const GATEWAY: &str = "gw";

/// A known session that went well, begun in the tests' hour `hour`.
pub(crate) fn session<'a>(org: &'a str, id: &'a str, hour: i64) -> Session<'a> {
    Session {
        org,
        workflow_session_id: id,
        gateway: GATEWAY,
        orchestrator_address: "0xa",
        pipeline: PIPELINE,
        model_id: "m",
        gpu_id: "GPU-1",
        session_start_ts: at_minute(hour, 5),
        session_end_ts: Some(at_minute(hour, 50)),
        closed_ts: Some(at_minute(hour, 50)),
        is_closed: true,
        known_stream: true,
        startup_success: true,
        selection_count: 1,
        attribution_status: "resolved",
        attribution_source: "direct",
        attribution_reason: "matched",
        health_signal_count: 3,
        health_expected_signal_count: 3,
        version: 1,
        ..Session::default()
    }
}

/// Status evidence of a session in one hour, with `samples` samples of `fps` output frames each.
#[derive(Clone, Debug)]
pub(crate) struct Hour<'a> {
    pub(crate) row: StatusHour<'a>,
    histogram: Vec<u32>,
}

/// Gold evidence with the identity of the session; the first of the session.
pub(crate) fn evidence<'a>(of: &Session<'a>, hour: i64, samples: u32, fps: f32) -> Hour<'a> {
    let bucket = frames::bucket(fps);
    let mut histogram = vec![0; bucket + 1];
    histogram[bucket] = samples;
    let times = |unit: u64| unit * u64::from(samples);
    let row = StatusHour {
        org: of.org,
        workflow_session_id: of.workflow_session_id,
        window_start: at(hour),
        gateway: of.gateway,
        orchestrator_address: of.orchestrator_address,
        pipeline: of.pipeline,
        model_id: of.model_id,
        gpu_id: of.gpu_id,
        attribution_source: "direct",
        status_samples: samples,
        fps_positive_samples: if fps > 0.0 { samples } else { 0 },
        running_state_samples: samples,
        output_fps_sum: times(frames::millionths(fps.into())),
        output_fps_sumsq: times(frames::millionths(f64::from(fps) * f64::from(fps))),
        first_sample_ts: at_minute(hour, 6),
        last_sample_ts: at_minute(hour, 40),
        active_ms: samples * 10_000,
        is_first_evidence_hour: true,
        version: 1,
        ..StatusHour::default()
    };
    Hour { row, histogram }
}

impl<'a> Hour<'a> {
    /// The row.
    pub(crate) fn row(&'a self) -> StatusHour<'a> {
        StatusHour { output_fps_histogram: &self.histogram, ..self.row.clone() }
    }
}

/// Latencies of a session by edges v2: prompt, startup, end to end.
pub(crate) fn latency<'a>(of: &Session<'a>, ms: [Option<f64>; 3]) -> Latency<'a> {
    Latency {
        org: of.org,
        workflow_session_id: of.workflow_session_id,
        edge_semantics_version: "v2",
        sample_ts: of.session_start_ts,
        attribution_source: "direct",
        prompt_to_first_frame_ms: ms[0],
        startup_time_ms: ms[1],
        e2e_latency_ms: ms[2],
        has_prompt_to_first_frame: ms[0].is_some(),
        has_startup_time: ms[1].is_some(),
        has_e2e_latency: ms[2].is_some(),
        version: 1,
        ..Latency::default()
    }
}

/// Stores sessions, each with `samples` samples of 20 frames in its first hour.
pub(crate) fn put_served(bench: &Bench, sessions: &[Session<'_>], hour: i64, samples: u32) {
    bench.put(sessions);
    let hours: Vec<Hour<'_>> = sessions.iter().map(|s| evidence(s, hour, samples, 20.0)).collect();
    let rows: Vec<StatusHour<'_>> = hours.iter().map(Hour::row).collect();
    bench.put(&rows);
}
