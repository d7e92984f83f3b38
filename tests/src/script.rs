//! Events of a few sessions, written by hand: what gateways would send, line by line.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::DataDir;

/// One minute, ms.
pub const MINUTE: i64 = 60_000;

/// Service address of a node.
pub fn url(node: &str) -> String {
    format!("https://{node}.example:8935")
}

/// Lines of events, with ids that count up. Events of a session come from a gateway of its name.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// What the ids begin with, so that scripts can be replayed together.
    prefix: &'static str,
    lines: Vec<String>,
}

impl Script {
    /// A script whose ids begin with `prefix`.
    pub fn new(prefix: &'static str) -> Self {
        Self { prefix, lines: Vec::new() }
    }

    /// The lines, each with its end.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// An event with the next id.
    pub fn event(&mut self, ts: i64, gateway: &str, family: &str, data: &Value) {
        let id = format!("{}e{:04}", self.prefix, self.lines.len());
        self.named(&id, ts, gateway, family, data);
    }

    /// An event with an id of its own.
    pub fn named(&mut self, id: &str, ts: i64, gateway: &str, family: &str, data: &Value) {
        let root = json!({
            "id": id, "type": family, "timestamp": ts.to_string(), "gateway": gateway, "data": data,
        });
        self.lines.push(root.to_string());
    }

    /// The last line once more.
    pub fn again(&mut self) {
        self.lines.extend(self.lines.last().cloned());
    }

    /// A trace of a session that names no orchestrator.
    pub fn trace(&mut self, ts: i64, session: &str, kind: &str) {
        let data = json!({
            "type": kind, "timestamp": ts, "stream_id": session, "request_id": format!("r-{session}"),
        });
        self.event(ts, session, "stream_trace", &data);
    }

    /// A status sample in which `node` runs model `m1` with 20 frames per second.
    pub fn status(&mut self, ts: i64, session: &str, node: &str) {
        self.sample(ts, session, (node, "m1"), ("ONLINE", 20));
    }

    /// A status sample: who serves which model, in what state and with how many frames per second.
    pub fn sample(
        &mut self,
        ts: i64,
        session: &str,
        (node, model): (&str, &str),
        (state, fps): (&str, u32),
    ) {
        let data = json!({
            "stream_id": session, "request_id": format!("r-{session}"), "pipeline": model,
            "state": state, "timestamp": ts, "inference_status": {"fps": fps},
            "orchestrator_info": {"address": format!("0xhot{node}"), "url": url(node)},
        });
        self.event(ts, session, "ai_stream_status", &data);
    }

    /// An AI event of a session: an error with its text, or an update of parameters without.
    pub fn notice(&mut self, ts: i64, session: &str, error: Option<&str>) {
        let mut data = json!({
            "stream_id": session, "request_id": format!("r-{session}"), "timestamp": ts,
        });
        if let Some(message) = error {
            data["type"] = json!("error");
            data["message"] = json!(message);
        } else {
            data["type"] = json!("params_update");
            data["params"] = json!({"prompt": "a garden"});
        }
        self.event(ts, session, "ai_stream_events", &data);
    }

    /// One node with these GPUs, all of one model or of several.
    pub fn advertise(&mut self, ts: i64, gateway: &str, node: &str, gpus: &[(&str, &str)]) {
        self.event(ts, gateway, "network_capabilities", &advertisement(node, gpus));
    }

    /// The session runs from `from` to `to` on `node`.
    pub fn session(&mut self, session: &str, (from, to): (i64, i64), node: &str) {
        self.trace(from, session, "gateway_receive_stream_request");
        self.status(from, session, node);
        self.trace(to, session, "gateway_ingest_stream_closed");
    }

    /// Replays the lines as a file of this name.
    ///
    /// # Panics
    /// When the file can not be written or replayed.
    #[allow(clippy::expect_used, reason = "a test can not go on without the file")]
    pub fn replay(&self, dir: &DataDir, name: &str) -> Value {
        let path: PathBuf = dir.path().join(name);
        std::fs::write(&path, self.lines.join("\n")).expect("the file is written");
        dir.replay(&[path])
    }

    /// The same lines in another order.
    #[must_use]
    pub fn shuffled(&self) -> Self {
        let mut lines: Vec<(u64, &String)> =
            (1..).zip(&self.lines).map(|(n, line)| (n * 7_919 % 104_729, line)).collect();
        lines.sort_unstable();
        let lines = lines.into_iter().map(|(_, line)| line.clone()).collect();
        Self { prefix: self.prefix, lines }
    }
}

/// What a node advertises: these GPUs, each with its model. Capacity, version and price are those of `m1`.
pub fn advertisement(node: &str, gpus: &[(&str, &str)]) -> Value {
    let hardware: Vec<Value> = gpus
        .iter()
        .map(|(gpu, model)| {
            json!({
                "pipeline": "live-video-to-video", "model_id": model,
                "gpu_info": {"0": {"id": gpu, "name": "RTX 5090", "major": 12, "minor": 0,
                    "memory_total": 34_190_917_632_u64, "memory_free": 1_000}},
            })
        })
        .collect();
    json!([{
        "address": format!("0xC{node}"), "local_address": format!("0xhot{node}"),
        "orch_uri": url(node), "hardware": hardware,
        "capabilities": {"version": "0.8.8", "capacities": {"35": 2}, "constraints": {
            "PerCapability": {"35": {"models": {"m1": {
                "warm": true, "runnerVersion": "0.14.0", "capacity": 3, "capacityInUse": 1}}}}}},
        "capabilities_prices": [
            {"pricePerUnit": 1618, "pixelsPerUnit": 1, "capability": 35, "constraint": "m1"}],
    }])
}
