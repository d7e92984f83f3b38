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

pub(crate) struct Segment {
    pub(crate) row: Value,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
}

pub(crate) struct Session {
    pub(crate) row: Value,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    pub(crate) closed: Option<i64>,
    /// The valid ones, in order.
    pub(crate) segments: Vec<Segment>,
    /// In total order.
    pub(crate) samples: Vec<Sample>,
    /// Prompt, startup and end-to-end latency by edges v2 that enter means.
    pub(crate) latency: [Option<f64>; 3],
    /// The times of its first and last signal, or of an earlier start that a status sample tells.
    pub(crate) seen: (i64, i64),
    /// The greatest version of its rows.
    pub(crate) versions: String,
}

/// What a node advertised at a time: a GPU, the slots of a model, or a price.
pub(crate) struct Advertised {
    pub(crate) org: String,
    pub(crate) orchestrator: String,
    /// '' where a price is advertised.
    pub(crate) model: String,
    /// Lower case; '' unless it is a GPU.
    pub(crate) gpu: String,
    pub(crate) ts: i64,
    pub(crate) row: Value,
}

pub(crate) struct Facts {
    pub(crate) sessions: BTreeMap<Id, Session>,
    pub(crate) payments: Vec<Value>,
    /// Ascending by time and what decides among equal times.
    pub(crate) gpus: Vec<Advertised>,
    pub(crate) slots: Vec<Advertised>,
    pub(crate) prices: Vec<Advertised>,
}

impl Segment {
    pub(crate) fn orchestrator(&self) -> &str {
        self.row["orchestrator_address"].as_str().unwrap_or_default()
    }
}

impl Session {
    /// The orchestrators of its segments, one after the other.
    pub(crate) fn path(&self) -> Vec<&str> {
        self.segments
            .iter()
            .map(Segment::orchestrator)
            .filter(|wallet| !wallet.is_empty())
            .collect()
    }

    /// The time from a sample to the next one of the session, at most half a minute and to the end of
    /// the hour.
    pub(crate) fn active_ms(&self, place: usize) -> f64 {
        let ts = self.samples[place].ts;
        let end = (ts.div_euclid(HOUR) + 1) * HOUR;
        let next = self.samples.get(place + 1).map_or(ts, |next| next.ts.min(end));
        (next - ts).clamp(0, 30_000) as f64
    }
}

impl Advertised {
    fn read(dir: &DataDir, table: &str) -> Vec<Self> {
        let sql = format!(
            "SELECT *, toUnixTimestamp64Milli(snapshot_ts) AS ts FROM naap.{table} FINAL
             ORDER BY snapshot_ts, source_event_uid, element"
        );
        let one = |row: Value| Self {
            org: text(&row, "org"),
            orchestrator: text(&row, "orchestrator_address"),
            model: row["model_id"].as_str().unwrap_or_default().to_owned(),
            gpu: row["gpu_id"].as_str().unwrap_or_default().to_lowercase(),
            ts: number(&row, "ts"),
            row,
        };
        dir.query(&sql).into_iter().map(one).collect()
    }

    /// Whether it labels this hour: not after its end, and a day old at most then.
    pub(crate) fn labels(&self, hour: i64) -> bool {
        let end = (hour + 1) * HOUR;
        self.ts <= end && self.ts > end - 24 * HOUR
    }
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

/// What tells of a session beside its own row: signals, starts told by samples, segments.
fn read_signals(dir: &DataDir, sessions: &mut BTreeMap<Id, Session>) {
    let sql = "
        SELECT org, workflow_session_id, toUnixTimestamp64Milli(gateway_ts) AS ts, ts AS start
        FROM naap.fact_stream_trace_edges FINAL
        UNION ALL
        SELECT org, workflow_session_id, toUnixTimestamp64Milli(gateway_ts) AS ts, ts FROM naap.fact_stream_status_samples FINAL
        UNION ALL
        SELECT org, concat(stream_id, '|', request_id), toUnixTimestamp64Milli(event_timestamp) AS ts, ts
        FROM naap.raw_ai_stream_events FINAL WHERE stream_id != '' AND request_id != ''
        UNION ALL
        SELECT org, concat(stream_id, '|', request_id), toUnixTimestamp64Milli(event_timestamp) AS ts,
            toUnixTimestamp64Milli(start_time)
        FROM naap.raw_ai_stream_status FINAL WHERE stream_id != '' AND request_id != ''";
    for row in dir.query(sql) {
        let Some(session) = sessions.get_mut(&id(&row)) else { panic!("no session of {row}") };
        let ts = number(&row, "ts");
        // A start that lies behind its sample, or a day before it, is none.
        let start = row["start"].as_i64().filter(|start| (0..=24 * HOUR).contains(&(ts - start)));
        let (from, to) = session.seen;
        session.seen = (from.min(ts).min(start.unwrap_or(ts)), to.max(ts));
    }
    let sql = "SELECT *, toUnixTimestamp64Milli(segment_start_ts) AS start,
                   toUnixTimestamp64Milli(segment_end_ts) AS end
               FROM naap.fact_workflow_session_segments FINAL ORDER BY segment_index";
    for row in dir.query(sql) {
        let session = sessions.get_mut(&id(&row)).unwrap();
        if number(&row, "segment_index") < number(&session.row, "segment_count") {
            let (start, end) = (number(&row, "start"), row["end"].as_i64());
            session.segments.push(Segment { row, start, end });
        }
    }
    // Without FINAL: all rows that are still there.
    let sql = "SELECT org, workflow_session_id, toString(max(version)) AS newest
               FROM naap.fact_workflow_sessions GROUP BY ALL";
    for row in dir.query(sql) {
        sessions.get_mut(&id(&row)).unwrap().versions = text(&row, "newest");
    }
}

impl Facts {
    pub(crate) fn read(dir: &DataDir) -> Self {
        let sql = "SELECT *, toUnixTimestamp64Milli(session_start_ts) AS start,
                       toUnixTimestamp64Milli(session_end_ts) AS end, toUnixTimestamp64Milli(closed_ts) AS closed
                   FROM naap.fact_workflow_sessions FINAL";
        let session = |row: Value| {
            let (start, end) = (number(&row, "start"), row["end"].as_i64());
            let session = Session {
                start,
                end,
                closed: row["closed"].as_i64(),
                segments: Vec::new(),
                samples: Vec::new(),
                latency: [None; 3],
                seen: (i64::MAX, i64::MIN),
                versions: String::new(),
                row,
            };
            (id(&session.row), session)
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
                    .iter()
                    .any(|state| text(&row, "state").eq_ignore_ascii_case(state)),
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
        read_signals(dir, &mut sessions);
        let sql =
            "SELECT *, toUnixTimestamp64Milli(payment_ts) AS ts, toFloat64(face_value_wei) AS face
                   FROM naap.fact_payment_events FINAL";
        Self {
            sessions,
            payments: dir.query(sql),
            gpus: Advertised::read(dir, "dim_orchestrator_capability_snapshots"),
            slots: Advertised::read(dir, "dim_orchestrator_capability_model_constraints"),
            prices: Advertised::read(dir, "dim_orchestrator_capability_prices"),
        }
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
