//! Payloads of one session's events (contract events.md 3.1 to 3.7). Keys are sorted.

use crate::network::Network;
use crate::random::Filler;
use crate::session::{
    Body, Edge, Event, LastError, Named, Notice, Quirk, Report, STATES, Sample, Session, Spelling,
    StartTime, TRANSPORT_BYTES, TRANSPORT_INTERVAL_MS, Trace,
};
use crate::text::Put;

const STICKY_ERROR: &str = "CUDA out of memory in a session before";
const OWN_ERROR: &str = "Error updating params: invalid \"seed\" <0>";

/// Writes the payload of an event that belongs to a session.
pub(crate) fn write(line: &mut Vec<u8>, event: &Event, filler: &mut Filler) {
    let Some(session) = event.session.as_deref() else { return line.extend_from_slice(b"null") };
    let pad = if event.quirk == Quirk::PaddedIds { " " } else { "" };
    let on = Scene { session, pad };
    match &event.body {
        Body::Trace(body) => on.trace(line, body),
        Body::Status(body) => on.status(line, body, filler),
        Body::Notice(body) => on.notice(line, body, event.ts, filler),
        Body::Ingest { elapsed } => on.ingest(line, i64::from(*elapsed), event.ts, filler),
        &Body::Transport { attempt, seq, begin, last } => {
            on.transport(line, attempt, (begin, i64::from(seq)), last);
        }
        Body::Payment { attempt, first, eth } => on.payment(line, *attempt, *first, *eth, filler),
        _ => line.extend_from_slice(b"null"),
    }
}

/// Orchestrators found by a selection, by latency: the one that was taken first.
pub(crate) fn discovery(
    line: &mut Vec<u8>,
    event: &Event,
    found: u8,
    network: &Network,
    filler: &mut Filler,
) {
    let taken = event.session.as_ref().and_then(|s| s.attempts.first());
    let mut latency = 5 + filler.below(80);
    for number in 0..found {
        line.push(if number == 0 { b'[' } else { b',' });
        let node = &network.nodes[*filler.pick(&network.live)];
        let (address, url) = match (number, taken) {
            (0, Some(taken)) => (taken.address.as_str(), taken.url.as_str()),
            _ => (node.hot.as_str(), node.url.as_str()),
        };
        let address = if filler.below(60) == 0 { "0x" } else { address };
        line.text("{\"address\":\"").text(address).text("\",\"latency_ms\":\"").int(latency as i64);
        line.text("\",\"url\":\"").text(url).text("\"}");
        latency += filler.below(60);
    }
    line.push(b']');
}

struct Scene<'a> {
    session: &'a Session,
    /// Blanks around the ids.
    pad: &'a str,
}

impl Scene<'_> {
    fn orchestrator(&self, line: &mut Vec<u8>, named: Named) {
        if named.spelling == Spelling::Missing {
            return;
        }
        line.text("\"orchestrator_info\":{\"address\":\"");
        match self.session.attempts.get(usize::from(named.attempt)) {
            Some(attempt) if named.spelling == Spelling::Full => {
                line.text(&attempt.address).text("\",\"url\":\"").text(&attempt.url);
            }
            _ => {
                let (address, url) = named.texts(self.session);
                line.text(&address).text("\",\"url\":\"").text(&url);
            }
        }
        line.text("\"},");
    }

    fn ids(&self, line: &mut Vec<u8>) {
        line.text("\"pipeline_id\":\"\",");
        self.request(line);
    }

    fn request(&self, line: &mut Vec<u8>) {
        line.text("\"request_id\":\"").text(&self.session.request_id).text(self.pad).text("\",");
    }

    fn stream(&self, line: &mut Vec<u8>) {
        line.text("\"stream_id\":\"").text(self.pad).text(&self.session.stream_id).text("\",");
    }

    fn trace(&self, line: &mut Vec<u8>, trace: &Trace) {
        line.push(b'{');
        if trace.edge == Edge::Swap {
            line.text("\"message\":").string(trace.message).text(",");
        }
        self.orchestrator(line, trace.named);
        if trace.edge == Edge::Swap {
            line.text("\"pipeline\":\"").text(self.session.label).text("\",");
        }
        self.ids(line);
        self.stream(line);
        if let Some(stamp) = trace.stamp {
            line.text("\"timestamp\":").int(stamp).text(",");
        }
        line.text("\"type\":\"").text(trace.edge.name()).text("\"}");
    }

    fn status(&self, line: &mut Vec<u8>, sample: &Sample, filler: &mut Filler) {
        let Some(attempt) = self.session.attempts.get(usize::from(sample.named.attempt)) else {
            return;
        };
        inference(line, sample, attempt.started, filler);
        line.text(",\"input_status\":{\"fps\":").milli(i64::from(sample.input));
        line.text(",\"last_input_time\":").int(sample.runner_ts - 40);
        line.text("},\"last_state_update_time\":").int(attempt.started + 7000);
        line.text(",\"last_status_timestamp\":").int(sample.previous).text(",");
        self.orchestrator(line, sample.named);
        line.text("\"pipeline\":\"").text(self.session.label).text("\",");
        self.ids(line);
        match sample.start_time {
            StartTime::Milliseconds => line.text("\"start_time\":").int(attempt.started).text(","),
            StartTime::Seconds => line.text("\"start_time\":").milli(attempt.started).text(","),
            StartTime::Missing => line,
        };
        line.text("\"state\":\"").text(STATES[usize::from(sample.state)]).text("\",");
        self.stream(line);
        line.text("\"timestamp\":").int(sample.runner_ts).text(",\"type\":\"status\"}");
    }

    fn notice(&self, line: &mut Vec<u8>, notice: &Notice, ts: i64, filler: &mut Filler) {
        let skew =
            self.session.attempts.get(usize::from(notice.named.attempt)).map_or(0, |a| a.skew);
        let runner = ts + skew - 3;
        line.push(b'{');
        match notice.report {
            Report::GatewayError => {
                line.text("\"capability\":\"\",\"message\":").string(notice.message).text(",");
            }
            Report::RunnerError => {
                line.text("\"message\":").string(notice.message).text(",");
            }
            Report::Other => {
                line.text("\"detail\":{\"cache\":").int(filler.below(9) as i64).text("},");
            }
            Report::ParamsUpdate | Report::Restart { .. } => {}
        }
        self.orchestrator(line, notice.named);
        if notice.report == Report::ParamsUpdate {
            let weight = filler.below(1000) as i64;
            line.text("\"params\":{\"height\":512,\"prompt\":[[\"a\",")
                .milli(weight)
                .text("]],\"width\":512},");
        }
        let label = if notice.unlabelled { "" } else { self.session.label };
        line.text("\"pipeline\":\"").text(label).text("\",");
        self.ids(line);
        if let Report::Restart { logs } = notice.report {
            line.text("\"restart_count\":").int(1 + filler.below(5) as i64).text(",");
            restart_logs(line, if logs { 400 } else { 2 });
            line.text("\"restart_time\":").milli(runner).text(",");
        }
        self.stream(line);
        if notice.report == Report::RunnerError {
            line.text("\"time\":").milli(runner).text(",");
        }
        if matches!(notice.report, Report::RunnerError | Report::Restart { .. } | Report::Other) {
            line.text("\"timestamp\":").int(runner).text(",");
        }
        line.text("\"type\":\"").text(notice.kind()).text("\"}");
    }

    fn ingest(&self, line: &mut Vec<u8>, elapsed: i64, ts: i64, filler: &mut Filler) {
        line.push(b'{');
        self.ids(line);
        let sent = elapsed * 670;
        line.text("\"stats\":{\"peer_conn_stats\":{\"ID\":\"iceTransport\",\"BytesReceived\":");
        line.int(elapsed * 92_600 + filler.below(900) as i64).text(",\"BytesSent\":").int(sent);
        line.text("},");
        let bad = filler.below(30) == 0;
        if elapsed > 5 || !filler.below(10).is_multiple_of(5) {
            line.text("\"track_stats\":[");
            track(line, "video", elapsed, bad, filler);
            line.push(b',');
            track(line, "audio", elapsed, bad, filler);
            line.text("],");
        }
        line.text("\"conn_quality\":\"").text(if bad { "bad" } else { "good" }).text("\"},");
        self.stream(line);
        line.text("\"timestamp\":").int(ts).text("}");
    }

    fn transport(&self, line: &mut Vec<u8>, attempt: u8, (begin, seq): (i64, i64), last: bool) {
        let counters = |line: &mut Vec<u8>, bytes: i64| {
            let samples = seq + 1;
            line.text("\":{\"bytes_total\":").int(bytes * samples).text(",\"busy_ms_total\":");
            line.int(4_000 * samples).text(",\"dropped_segments_total\":").int(seq / 7);
            line.text(",\"failed_segments_total\":0,\"last_seq\":").int(5 * samples - 1);
            line.text(",\"retries_total\":0,\"segments_total\":").int(5 * samples).text("}");
        };
        line.text("{\"attempt\":").int(attempt.into());
        line.text(",\"channel\":\"media\",\"final\":").text(if last { "true" } else { "false" });
        line.text(",\"from_orchestrator");
        counters(line, TRANSPORT_BYTES.1);
        line.text(",\"interval_end_ms\":").int(begin + TRANSPORT_INTERVAL_MS * (seq + 1));
        line.text(",\"interval_start_ms\":").int(begin + TRANSPORT_INTERVAL_MS * seq);
        line.text(",\"link\":\"gateway_to_orchestrator\",\"observer\":\"gateway\",");
        self.orchestrator(line, Named { attempt, spelling: Spelling::Full });
        line.text("\"pipeline\":\"").text(self.session.label).text("\",");
        self.ids(line);
        line.text("\"sample_seq\":").int(seq).text(",\"schema_version\":1,");
        self.stream(line);
        line.text("\"to_orchestrator");
        counters(line, TRANSPORT_BYTES.0);
        line.text("}");
    }

    fn payment(
        &self,
        line: &mut Vec<u8>,
        attempt: u8,
        first: bool,
        eth: bool,
        filler: &mut Filler,
    ) {
        let session = self.session;
        let Some(to) = session.attempts.get(usize::from(attempt)) else { return };
        line.text("{\"capability\":\"\",\"clientIP\":\"\",\"faceValue\":\"");
        line.text(if eth { "0.024024000000000001 ETH" } else { "2402400000000000 WEI" });
        line.text("\",\"manifestID\":\"");
        if first {
            line.text("35_").text(session.label);
        } else {
            line.hex(to.token >> 32, 8);
        }
        line.text("\",\"numTickets\":\"").int(1 + filler.below(3) as i64);
        line.text("\",\"orchestrator\":\"").text(&to.url).text("\",\"price\":\"");
        line.int(to.price + 17).text(".").int(100 + filler.below(900) as i64);
        line.text(" wei/pixel\",\"recipient\":\"").text(&to.recipient).text("\",\"requestID\":\"");
        line.text(if first { &session.request_id } else { "" });
        line.text("\",\"sender\":\"")
            .text(&session.payer)
            .text("\",\"sessionID\":\"")
            .hex(to.token, 8);
        line.text("\",\"winProb\":\"0.000999").int(1000 + filler.below(9000) as i64).text("\"}");
    }
}

impl Notice {
    /// `data.type` as sent.
    pub(crate) fn kind(&self) -> &'static str {
        match (self.report, self.shout) {
            (Report::GatewayError | Report::RunnerError, false) => "error",
            (Report::GatewayError | Report::RunnerError, true) => "ERROR",
            (Report::ParamsUpdate, false) => "params_update",
            (Report::ParamsUpdate, true) => "PARAMS_UPDATE",
            (Report::Restart { .. }, _) => "restart",
            (Report::Other, _) => "cache_warmed",
        }
    }
}

fn inference(line: &mut Vec<u8>, sample: &Sample, started: i64, filler: &mut Filler) {
    line.text("{\"inference_status\":{\"fps\":").milli(i64::from(sample.output));
    line.text(",\"last_error\":");
    match sample.last_error {
        LastError::Null => line.text("null,\"last_error_time\":null"),
        LastError::NullText => line.text("\"null\",\"last_error_time\":null"),
        LastError::Empty => line.text("\"\",\"last_error_time\":null"),
        LastError::Sticky => {
            line.string(STICKY_ERROR).text(",\"last_error_time\":").int(started - 4_683_279)
        }
        LastError::Own => {
            line.string(OWN_ERROR).text(",\"last_error_time\":").int(sample.runner_ts - 5_000)
        }
    };
    line.text(",\"last_output_time\":");
    if sample.output == 0 {
        line.text("null");
    } else {
        line.int(sample.runner_ts - 60);
    }
    line.text(",\"last_params\":{\"height\":512,");
    match sample.prompt {
        1 => line
            .text("\"prompt\":\"a \\\"quiet\\\" harbour \\u0026 boats, number ")
            .int(filler.below(90) as i64)
            .text("\","),
        2 => line.text("\"prompt\":[[\"watercolour\",0.7],[\"fog\",0.3]],"),
        3 => line.text("\"prompt\":{\"en\":\"a quiet harbour\"},"),
        _ => line,
    };
    line.text("\"width\":512},\"last_params_hash\":\"f2f41bce75e30de92f8c308a6722859b\"");
    line.text(",\"last_params_update_time\":").int(started);
    line.text(",\"last_restart_logs\":null,\"last_restart_time\":");
    match sample.restarts {
        0 => line.text("null"),
        _ => line.int(started - 5_881_892),
    };
    line.text(",\"restart_count\":").int(i64::from(sample.restarts)).text("}");
}

fn restart_logs(line: &mut Vec<u8>, count: u32) {
    line.text("\"restart_logs\":[");
    for number in 0..count {
        if number > 0 {
            line.push(b',');
        }
        line.text("\"2026-01-01 INFO stage ").int(i64::from(number));
        line.text(": loading weights, \\u003cunet\\u003e ready, elapsed 12.5 s\"");
    }
    line.text("],");
}

fn track(line: &mut Vec<u8>, kind: &str, elapsed: i64, bad: bool, filler: &mut Filler) {
    let received = elapsed * if kind == "video" { 82 } else { 50 };
    let lost = if bad { received / 20 } else { -(i64::from(filler.below(200) == 0)) };
    line.text("{\"type\":\"")
        .text(kind)
        .text("\",\"jitter\":")
        .milli(2800 + filler.below(17_000) as i64);
    line.text(",\"packets_lost\":").int(lost).text(",\"packets_received\":").int(received);
    line.text(",\"packet_loss_pct\":").int(if bad { 5 } else { 0 });
    line.text(",\"rtt\":0,\"last_input_ts\":").milli(elapsed * 1000 - 108);
    line.text(",\"last_output_ts\":0,\"latency\":0}");
}
