//! The facts of a store, as plain values.

use std::collections::{BTreeMap, BTreeSet};

use naap_tests::DataDir;
use serde_json::Value;

/// One hour, ms.
pub(crate) const HOUR: i64 = 3_600_000;

/// Organisation and session.
pub(crate) type Id = (String, String);

/// Orchestrator, pipeline, model, GPU and region.
pub(crate) type Identity = [String; 5];

pub(crate) struct Sample {
    pub(crate) ts: i64,
    pub(crate) gateway: String,
    pub(crate) identity: Identity,
    pub(crate) attributed: bool,
    pub(crate) direct: bool,
    pub(crate) running: bool,
    pub(crate) fps: f64,
}

pub(crate) struct Session {
    pub(crate) row: Value,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    /// In total order.
    pub(crate) samples: Vec<Sample>,
    /// Prompt, startup and end-to-end latency by edges v2 that enter means.
    pub(crate) latency: [Option<f64>; 3],
}

pub(crate) struct Facts {
    pub(crate) sessions: BTreeMap<Id, Session>,
    pub(crate) payments: Vec<Value>,
}

/// A text column.
pub(crate) fn text(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_else(|| panic!("no text {column} in {row}")).to_owned()
}

/// A number or flag.
pub(crate) fn number(row: &Value, column: &str) -> i64 {
    row[column].as_i64().unwrap_or_else(|| panic!("no number {column} in {row}"))
}

fn id(row: &Value) -> Id {
    (text(row, "org"), text(row, "workflow_session_id"))
}

impl Facts {
    pub(crate) fn read(dir: &DataDir) -> Self {
        let sql = "SELECT *, toUnixTimestamp64Milli(session_start_ts) AS start,
                       toUnixTimestamp64Milli(session_end_ts) AS end
                   FROM naap.fact_workflow_sessions FINAL";
        let session = |row: Value| {
            let (start, end) = (number(&row, "start"), row["end"].as_i64());
            (id(&row), Session { row, start, end, samples: Vec::new(), latency: [None; 3] })
        };
        let mut sessions: BTreeMap<Id, Session> = dir.query(sql).into_iter().map(session).collect();
        let sql = "SELECT *, toUnixTimestamp64Milli(gateway_ts) AS ts
                   FROM naap.fact_stream_status_samples FINAL ORDER BY gateway_ts, source_event_uid";
        for row in dir.query(sql) {
            let fps = row["output_fps"].as_f64().unwrap() as f32;
            let sample = Sample {
                ts: number(&row, "ts"),
                gateway: text(&row, "gateway"),
                identity: ["orchestrator_address", "pipeline", "model_id", "gpu_id", "region"]
                    .map(|column| text(&row, column)),
                attributed: number(&row, "is_attributed") == 1,
                direct: text(&row, "attribution_source") == "direct",
                running: ["ONLINE", "DEGRADED_INFERENCE", "DEGRADED_INPUT"]
                    .contains(&text(&row, "state").as_str()),
                fps: f64::from(fps),
            };
            sessions.get_mut(&id(&row)).unwrap().samples.push(sample);
        }
        let sql = "SELECT * FROM naap.fact_workflow_latency_samples FINAL
                   WHERE edge_semantics_version = 'v2'";
        for row in dir.query(sql) {
            let e2e = row["e2e_latency_ms"].as_f64().filter(|_| number(&row, "late_trickle") == 0);
            let (prompt, startup) = (&row["prompt_to_first_frame_ms"], &row["startup_time_ms"]);
            let latency = [prompt.as_f64(), startup.as_f64(), e2e];
            sessions.get_mut(&id(&row)).unwrap().latency = latency;
        }
        let sql =
            "SELECT *, toUnixTimestamp64Milli(payment_ts) AS ts, toFloat64(face_value_wei) AS face
                   FROM naap.fact_payment_events FINAL";
        Self { sessions, payments: dir.query(sql) }
    }

    /// The only pipeline among the sessions that started in an hour with this gateway, region and model.
    pub(crate) fn only_pipeline(&self, org: &str, key: [&str; 3], hour: i64) -> Option<String> {
        let same = self.sessions.iter().filter(|((of, _), session)| {
            let row = &session.row;
            let found = [&row["gateway"], &row["region"], &row["model_id"]];
            of == org && session.start.div_euclid(HOUR) == hour && found == key
        });
        let named: BTreeSet<String> =
            same.map(|(_, s)| text(&s.row, "pipeline")).filter(|name| !name.is_empty()).collect();
        named.first().filter(|_| named.len() == 1).cloned()
    }
}
