//! The two legs of transport: between gateway and orchestrator, and between client and gateway.

use std::collections::{BTreeMap, BTreeSet};

use naap_tests::DataDir;
use naap_tests::script::{MINUTE, Script};
use serde_json::{Value, json};

use crate::Rows;
use crate::facts::{Facts, HOUR, Session, number, text};
use crate::figures::percentile95;

/// The names of a row behind its organisation and window.
type Names = Vec<String>;

fn key(org: &str, window: i64, names: Names) -> Vec<String> {
    [vec![org.to_owned(), (window / 1000).to_string()], names].concat()
}

/// A quotient, or nothing to be shown.
fn ratio(of: i64, all: i64) -> f64 {
    if all == 0 { f64::NAN } else { of as f64 / all as f64 }
}

/// The same, at most 1.
fn share(of: i64, all: i64) -> f64 {
    if all == 0 { f64::NAN } else { ratio(of, all).min(1.0) }
}

/// What gateways sent to and got from an orchestrator in a window, as they tell it.
#[derive(Default)]
struct Link {
    /// To the orchestrator, and from it.
    bytes: [i64; 2],
    rated: [i64; 2],
    observed: i64,
    expected: i64,
    samples: i64,
    /// Completed, failed and dropped.
    segments: [i64; 3],
    sessions: BTreeSet<String>,
    /// Rated bytes and their time, by session and minute.
    minutes: BTreeMap<(String, i64), ([i64; 2], i64)>,
}

pub(crate) struct Links(BTreeMap<Vec<String>, Link>);

/// The minutes between two moments, each with the time in it; one where both are the same.
fn minutes(begin: i64, end: i64) -> Vec<(i64, i64)> {
    let last = (end - 1).max(begin).div_euclid(MINUTE);
    let part = |minute| (minute, end.min((minute + 1) * MINUTE) - begin.max(minute * MINUTE));
    (begin.div_euclid(MINUTE)..=last).map(part).collect()
}

impl Links {
    /// In windows of this length, ms.
    pub(crate) fn of(dir: &DataDir, facts: &Facts, length: i64) -> Self {
        let mut found = Self(BTreeMap::new());
        let sql = "SELECT *, toUnixTimestamp64Milli(sample_ts) AS ends
                   FROM naap.fact_orchestrator_transport_bandwidth FINAL
                   WHERE observer = 'gateway' AND channel = 'media'";
        for row in dir.query(sql) {
            found.sample(&row, length);
        }
        for ((org, _), session) in &facts.sessions {
            for segment in session.segments.iter().filter(|s| s.orchestrator() != "") {
                let end = segment.end.or(session.end).unwrap_or(segment.start);
                for (minute, ms) in minutes(segment.start, end).into_iter().filter(|m| m.1 > 0) {
                    let window = minute * MINUTE / length * length;
                    let link = "gateway_to_orchestrator".to_owned();
                    let names = [vec![link], names(&segment.row)].concat();
                    found.0.entry(key(org, window, names)).or_default().expected += ms;
                }
            }
        }
        found
    }

    /// Bytes are split over the minutes of an interval, whole ones, and the rest is of the last one.
    fn sample(&mut self, row: &Value, length: i64) {
        let (org, session) = (text(row, "org"), text(row, "workflow_session_id"));
        let ends = number(row, "ends");
        let lasted = row["interval_ms"].as_i64().filter(|ms| *ms <= HOUR).unwrap_or_default();
        let is_rated = row["rx_bps"].is_number();
        let bytes = [number(row, "rx_bytes"), number(row, "tx_bytes")];
        let mut left = bytes;
        let parts = minutes(ends - lasted, ends);
        for (n, (minute, ms)) in parts.iter().enumerate() {
            let window = minute * MINUTE / length * length;
            let names = [vec![text(row, "link_type")], names(row)].concat();
            let link = self.0.entry(key(&org, window, names)).or_default();
            let is_last = n + 1 == parts.len();
            let rates = link.minutes.entry((session.clone(), *minute)).or_default();
            let mut counts = is_last || is_rated;
            for side in [0, 1] {
                let part = if is_last { left[side] } else { bytes[side] * ms / lasted };
                left[side] -= part;
                counts |= part > 0;
                link.bytes[side] += part;
                if is_rated {
                    link.rated[side] += part;
                    rates.0[side] += part;
                }
            }
            if is_rated {
                link.observed += ms;
                rates.1 += ms;
            }
            if is_last {
                link.samples += 1;
                let segments = number(row, "rx_segments") + number(row, "tx_segments");
                link.segments[0] += segments;
                link.segments[1] += number(row, "failed_segments");
                link.segments[2] += number(row, "dropped_segments");
            }
            if counts {
                link.sessions.insert(session.clone());
            }
        }
    }

    /// What every row of a rollup has.
    pub(crate) fn sums(&self) -> Rows {
        let summed = ["rx_bytes", "tx_bytes", "observed_ms", "expected_ms", "samples", "sessions"];
        let row = |(key, link): (&Vec<String>, &Link)| {
            let mut row = link.row();
            row.retain(|name, _| summed.contains(name));
            (key.clone(), row)
        };
        self.0.iter().map(row).collect()
    }

    pub(crate) fn rows(&self) -> Rows {
        let row = |(key, link): (&Vec<String>, &Link)| {
            let mut key = key.clone();
            key.push(link.status().to_owned());
            (key, link.row())
        };
        self.0.iter().map(row).collect()
    }

    /// Over all gateways of a GPU: bandwidth down and up, Mbit/s, and what is known of it.
    pub(crate) fn of_gpu(&self, key: &[String]) -> (f64, f64, &'static str) {
        let mut all = Link::default();
        let of = |other: &&Vec<String>| {
            other[..2] == key[..2]
                && other[2] == "gateway_to_orchestrator"
                && other[3] == key[2]
                && other[5..] == key[3..]
        };
        for link in self.0.keys().filter(of).map(|key| &self.0[key]) {
            all.rated = [all.rated[0] + link.rated[0], all.rated[1] + link.rated[1]];
            all.observed += link.observed;
            all.expected += link.expected;
            all.sessions.extend(link.sessions.iter().cloned());
        }
        let [down, up] = all.mbps();
        (down, up, all.status())
    }
}

/// Gateway, orchestrator and so on, in the order of the view's key.
fn names(row: &Value) -> Names {
    ["orchestrator_address", "gateway", "pipeline", "model_id", "gpu_id", "region"]
        .map(|column| text(row, column))
        .to_vec()
}

impl Link {
    fn mbps(&self) -> [f64; 2] {
        self.rated.map(|bytes| ratio(8 * bytes, self.observed) / 1000.0)
    }

    fn status(&self) -> &'static str {
        match share(self.observed, self.expected) {
            _ if self.sessions.is_empty() => "no_telemetry",
            covered if covered >= 0.8 => "ok",
            _ => "partial",
        }
    }

    fn row(&self) -> BTreeMap<&'static str, f64> {
        let [down, up] = self.mbps();
        // Rates of sessions in minutes, whole kbit/s.
        let rated = || self.minutes.values().filter(|(_, ms)| *ms > 0);
        let [down95, up95] = [0, 1].map(|side| {
            let rates: Vec<f64> =
                rated().map(|(bytes, ms)| (bytes[side] * 8 / ms) as f64).collect();
            percentile95(&rates) / 1000.0
        });
        let [down_total, up_total] = self.bytes.map(|bytes| match self.sessions.len() {
            0 => f64::NAN,
            _ => 8.0 * bytes as f64 / 3600.0 / 1e6,
        });
        [
            ("down_mbps_avg", down),
            ("up_mbps_avg", up),
            ("down_mbps_p95", down95),
            ("up_mbps_p95", up95),
            ("down_mbps_total", down_total),
            ("up_mbps_total", up_total),
            ("sessions", self.sessions.len() as f64),
            ("samples", self.samples as f64),
            ("rx_bytes", self.bytes[0] as f64),
            ("tx_bytes", self.bytes[1] as f64),
            ("observed_ms", self.observed as f64),
            ("expected_ms", self.expected as f64),
            ("coverage_ratio", share(self.observed, self.expected)),
            ("dropped_segment_ratio", ratio(self.segments[2], self.segments.iter().sum())),
        ]
        .into()
    }
}

/// Quality between the clients of a row and their gateway.
#[derive(Default)]
struct Clients {
    samples: i64,
    sessions: BTreeSet<String>,
    /// Received and sent.
    bytes: [i64; 2],
    rated: [i64; 2],
    observed: i64,
    /// Received and lost, of video and audio.
    packets: [[i64; 2]; 2],
    /// Of video and audio, ms.
    jitters: [Vec<f64>; 2],
    round_trips: Vec<f64>,
    latencies: Vec<f64>,
    bad: i64,
    known_with_samples: BTreeSet<String>,
    known: i64,
    ran: i64,
}

/// Names of sessions, in the order of the view's key.
const SESSION: [&str; 4] = ["gateway", "pipeline", "model_id", "region"];

fn names_of_session(row: &Value) -> Names {
    SESSION.map(|column| text(row, column)).to_vec()
}

/// Samples by the names of their sessions, in windows of this length, ms.
fn sampled(dir: &DataDir, facts: &Facts, length: i64) -> BTreeMap<Vec<String>, Clients> {
    let mut found: BTreeMap<Vec<String>, Clients> = BTreeMap::new();
    let sql = "SELECT *, toUnixTimestamp64Milli(gateway_ts) AS ts
               FROM naap.fact_stream_ingest_samples FINAL";
    for row in dir.query(sql) {
        let id = (text(&row, "org"), text(&row, "workflow_session_id"));
        let session = facts.sessions.get(&id);
        let named = session.map_or(&row, |session| &session.row);
        let window = number(&row, "ts").div_euclid(length) * length;
        let clients = found.entry(key(&id.0, window, names_of_session(named))).or_default();
        if session.is_some_and(|session| number(&session.row, "known_stream") == 1) {
            clients.known_with_samples.insert(id.1.clone());
        }
        clients.sample(&row, id.1);
    }
    found
}

/// What every row of minutes has.
pub(crate) fn client_minutes(dir: &DataDir, facts: &Facts) -> Rows {
    let row = |(key, clients): (Vec<String>, Clients)| {
        let sums = [
            ("samples", clients.samples),
            ("sessions", clients.sessions.len() as i64),
            ("bytes_received", clients.bytes[0]),
            ("bytes_sent", clients.bytes[1]),
            ("rated_bytes_received", clients.rated[0]),
            ("rated_bytes_sent", clients.rated[1]),
            ("observed_ms", clients.observed),
            ("rtt_samples", clients.round_trips.len() as i64),
            ("bad_samples", clients.bad),
        ];
        (key, sums.map(|(name, sum)| (name, sum as f64)).into())
    };
    sampled(dir, facts, MINUTE).into_iter().map(row).collect()
}

/// Samples by hour, beside the sessions that ran.
pub(crate) fn clients(dir: &DataDir, facts: &Facts) -> Rows {
    let mut found = sampled(dir, facts, HOUR);
    for ((org, _), session) in &facts.sessions {
        if number(&session.row, "known_stream") == 0 {
            continue;
        }
        let (begin, end) = (session.start, ran_until(session));
        for hour in begin.div_euclid(HOUR)..=end.div_euclid(HOUR) {
            let key = key(org, hour * HOUR, names_of_session(&session.row));
            let clients = found.entry(key).or_default();
            clients.known += 1;
            clients.ran += end.min((hour + 1) * HOUR) - begin.max(hour * HOUR);
        }
    }
    let row = |(mut key, clients): (Vec<String>, Clients)| {
        key.push(clients.status().to_owned());
        (key, clients.row())
    };
    found.into_iter().map(row).collect()
}

/// What generated clients do not send: round trips, media latencies, resets and gaps, over a full hour.
pub(crate) fn odd_clients(hour: i64) -> Script {
    let mut script = Script::new("odd");
    for session in 0..12_i64 {
        let (name, start) = (format!("client-{session}"), hour - 5 * MINUTE + 1_700 * session);
        script.session(&name, (start, start + 10 * MINUTE), "o1");
        for n in 1..=60_i64 {
            // Some never come, and after each tenth everything begins anew.
            if (n * 7 + session) % 11 < 2 && session != 3 {
                continue;
            }
            let (turn, mixed) = (n % 10, (n * 7_919 + session * 104_729) % 997);
            let track = |kind: &str, part: i64| {
                json!({
                    "type": kind, "jitter": (mixed % (part * 31)) as f64 / 8.0,
                    "packets_lost": turn * (session % 3), "packets_received": 90 * turn + part,
                    "rtt": mixed * part * 100_000, "last_input_ts": (n + mixed % 7) as f64,
                    "last_output_ts": if mixed % 5 == 0 { 0.0 } else { n as f64 - 0.25 }, "latency": 1,
                })
            };
            let stats = json!({
                "peer_conn_stats": {"ID": "ice", "BytesReceived": 90_000 * turn + mixed, "BytesSent": 40 * turn},
                "conn_quality": if mixed % 9 == 0 { "bad" } else { "good" },
                "track_stats": [track("video", 1), track("audio", 2)],
            });
            let data =
                json!({"stream_id": name, "request_id": format!("r-{name}"), "stats": stats});
            let at = start + 5_000 * n + if n > 40 && session == 5 { 90_000 } else { 0 };
            script.event(at, &name, "stream_ingest_metrics", &data);
        }
    }
    script
}

/// Until it was closed, or as long as it was heard of.
fn ran_until(session: &Session) -> i64 {
    session.closed.or(session.end).unwrap_or(session.start)
}

impl Clients {
    fn sample(&mut self, row: &Value, session: String) {
        self.samples += 1;
        self.sessions.insert(session);
        let is_rated = number(row, "is_rated") == 1;
        for (side, column) in ["bytes_received_delta", "bytes_sent_delta"].iter().enumerate() {
            self.bytes[side] += number(row, column);
            self.rated[side] += if is_rated { number(row, column) } else { 0 };
        }
        self.observed += row["interval_ms"].as_i64().filter(|_| is_rated).unwrap_or_default();
        for (track, name) in ["video", "audio"].iter().enumerate() {
            for (side, what) in ["received", "lost"].iter().enumerate() {
                let counted = row[format!("{name}_packets_{what}_delta")].as_i64();
                self.packets[track][side] += counted.unwrap_or_default();
            }
            self.jitters[track].extend(row[format!("{name}_jitter_ms")].as_f64());
            self.round_trips.extend(row[format!("{name}_rtt_ms")].as_f64());
            self.latencies.extend(row[format!("{name}_media_latency_ms")].as_f64());
        }
        self.bad += i64::from(text(row, "connection_quality") == "bad");
    }

    fn status(&self) -> &'static str {
        match self.samples {
            0 => "no_telemetry",
            _ if 2 * self.observed >= self.ran => "ok",
            _ => "partial",
        }
    }

    fn row(&self) -> BTreeMap<&'static str, f64> {
        let measured = |n: i64| if self.samples == 0 { f64::NAN } else { n as f64 };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        // In buckets of whole microseconds.
        let p95 = |values: &[f64]| {
            percentile95(&values.iter().map(|ms| (ms * 1000.0).round()).collect::<Vec<_>>())
                / 1000.0
        };
        let loss = |track: usize| ratio(self.packets[track][1], self.packets[track].iter().sum());
        let with_samples = self.known_with_samples.len() as i64;
        [
            ("ingest_sessions", self.sessions.len() as f64),
            ("samples", self.samples as f64),
            ("bytes_received", measured(self.bytes[0])),
            ("bytes_sent", measured(self.bytes[1])),
            ("ingest_rx_kbps_avg", ratio(8 * self.rated[0], self.observed)),
            ("ingest_tx_kbps_avg", ratio(8 * self.rated[1], self.observed)),
            ("video_jitter_ms_avg", mean(&self.jitters[0])),
            ("video_jitter_ms_p95", p95(&self.jitters[0])),
            ("audio_jitter_ms_avg", mean(&self.jitters[1])),
            ("audio_jitter_ms_p95", p95(&self.jitters[1])),
            ("rtt_ms_avg", mean(&self.round_trips)),
            ("rtt_ms_p95", p95(&self.round_trips)),
            ("video_loss_ratio", loss(0)),
            ("audio_loss_ratio", loss(1)),
            ("media_latency_ms_avg", mean(&self.latencies)),
            ("media_latency_ms_p95", p95(&self.latencies)),
            ("bad_quality_ratio", ratio(self.bad, self.samples)),
            ("ingest_coverage_ratio", share(with_samples, self.known)),
            ("known_sessions", self.known as f64),
            ("observed_ms", self.observed as f64),
            ("session_ms", self.ran as f64),
        ]
        .into()
    }
}
