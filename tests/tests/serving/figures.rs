//! What the views are to show, added up in the plainest way.

use std::collections::{BTreeMap, BTreeSet};

use crate::Rows;
use crate::demand::Grains;
use crate::facts::{Facts, HOUR, Identity, Session, number, text};

/// What is added up of the sessions of a row.
#[derive(Default)]
pub(crate) struct Tally {
    samples: f64,
    fps: f64,
    squares: f64,
    pub(crate) active_ms: f64,
    pub(crate) sessions: BTreeSet<String>,
    known: f64,
    counts: BTreeMap<&'static str, f64>,
    starts: f64,
    latency: [Vec<f64>; 3],
    frames: Vec<f64>,
    hours: f64,
    pub(crate) payments: f64,
    pub(crate) face: f64,
    /// Samples and known sessions that name no GPU.
    pub(crate) without_gpu: f64,
}

pub(crate) struct Figures {
    /// What `service` is made of.
    pub(crate) hours: Tallies,
    pub(crate) service: Rows,
    pub(crate) days: Rows,
    pub(crate) demand: Grains,
    pub(crate) starts: Rows,
    latencies: Rows,
}

pub(crate) type Tallies = BTreeMap<Vec<String>, Tally>;

impl Figures {
    pub(crate) fn of(facts: &Facts) -> Self {
        let (mut service, mut starts) = (Tallies::new(), Tallies::new());
        for ((org, id), session) in &facts.sessions {
            serve(&mut service, org, id, session);
            if number(&session.row, "known_stream") == 1 {
                let own = ["gateway", "orchestrator_address", "pipeline", "model_id", "region"];
                let own = own.map(|column| text(&session.row, column));
                let hour = session.start.div_euclid(HOUR);
                starts.entry(key(org, hour, &own)).or_default().session(session);
            }
        }
        let mut days = Tallies::new();
        for (hourly, tally) in &service {
            let day = hourly[1].parse::<i64>().unwrap_or_default().div_euclid(86_400) * 86_400;
            let mut key = hourly.clone();
            key[1] = day.to_string();
            days.entry(key).or_default().sum_up(tally);
        }
        Self {
            days: rows(&days, |tally| {
                let mut row = tally.service();
                // The day has neither: its sessions are session-hours.
                row.retain(|name, _| !["sessions_count", "avg_output_fps"].contains(name));
                row.insert("hours", tally.hours);
                row
            }),
            latencies: rows(&service, Tally::latencies),
            service: rows(&service, Tally::service),
            demand: Grains::of(facts),
            starts: rows(&starts, Tally::start),
            hours: service,
        }
    }

    /// The rows with a GPU and a pipeline or model.
    pub(crate) fn gpu_metrics(&self) -> Rows {
        let shown =
            |key: &&Vec<String>| !(key[5].is_empty() || key[3].is_empty() && key[4].is_empty());
        let compliance = [
            "sla_score",
            "no_swap_rate",
            "startup_success_rate",
            "effective_success_rate",
            "output_viability_rate",
            "startup_playable_rate",
        ];
        let keys = self.service.keys().filter(shown);
        let row = |key: &Vec<String>| {
            let mut row = self.service[key].clone();
            let [swap, unexcused] =
                ["no_swap_rate", "startup_success_rate"].map(|name| 1.0 - row[name]);
            row.retain(|name, _| !compliance.contains(name));
            row.extend([("swap_rate", swap), ("startup_unexcused_rate", unexcused)]);
            row.extend(self.latencies[key].clone());
            (key.clone(), row)
        };
        keys.map(row).collect()
    }
}

pub(crate) fn rows(tallies: &Tallies, row: fn(&Tally) -> BTreeMap<&'static str, f64>) -> Rows {
    tallies.iter().map(|(key, tally)| (key.clone(), row(tally))).collect()
}

pub(crate) fn key(org: &str, hour: i64, parts: &[String]) -> Vec<String> {
    let mut key = vec![org.to_owned(), (hour * HOUR / 1000).to_string()];
    key.extend_from_slice(parts);
    key
}

/// Gold evidence: what remains of it without terminal tails.
fn serve(service: &mut Tallies, org: &str, id: &str, session: &Session) {
    let mut elements: BTreeMap<(i64, &Identity), (u32, bool)> = BTreeMap::new();
    let gold = || session.samples.iter().enumerate().filter(|(_, s)| s.attributed && s.direct);
    for (_, sample) in gold() {
        let element = elements.entry((sample.ts.div_euclid(HOUR), &sample.identity)).or_default();
        element.0 += 1;
        element.1 |= sample.fps > 0.0 || sample.running;
    }
    let idle = |hour, identity| {
        elements.get(&(hour, identity)).is_some_and(|&(samples, works)| samples < 3 && !works)
    };
    let is_tail = |hour: i64, identity| {
        session.start < hour * HOUR
            && session.end.is_some_and(|end| end.div_euclid(HOUR) == hour)
            && idle(hour, identity)
            && idle(hour - 1, identity)
    };
    let mut first = true;
    for (place, sample) in gold() {
        let hour = sample.ts.div_euclid(HOUR);
        if is_tail(hour, &sample.identity) {
            continue;
        }
        let tally = service.entry(key(org, hour, &sample.identity)).or_default();
        tally.sample(sample.fps);
        tally.active_ms += session.active_ms(place);
        if tally.sessions.insert(id.to_owned()) {
            tally.session(session);
        }
        if std::mem::take(&mut first) {
            tally.starts += f64::from(u8::from(number(&session.row, "known_stream") == 1));
            for (all, value) in tally.latency.iter_mut().zip(session.latency) {
                all.extend(value);
            }
        }
    }
}

impl Tally {
    pub(crate) fn sample(&mut self, fps: f64) {
        let fps = fps.max(0.0);
        self.frames.push(fps);
        self.samples += 1.0;
        self.fps += (fps * 1e6).round() / 1e6;
        self.squares += (fps * fps * 1e6).round() / 1e6;
    }

    pub(crate) fn session(&mut self, session: &Session) {
        let row = &session.row;
        let is = |column| number(row, column) > 0;
        let count = |yes: bool| f64::from(u8::from(yes));
        let known = is("known_stream");
        let failed = is("loading_only_session") || is("zero_output_fps_session");
        let served = !text(row, "orchestrator_address").is_empty();
        let swaps = is("confirmed_swap_count") || is("inferred_orchestrator_change_count");
        let mut add = |name, value: f64| {
            *self.counts.entry(name).or_default() += if known { value } else { 0.0 };
        };
        add("startup_success_sessions", count(is("startup_success")));
        add("startup_excused_sessions", count(is("startup_excused")));
        add("startup_unexcused_sessions", count(is("startup_unexcused")));
        add("confirmed_swapped_sessions", count(is("confirmed_swap_count")));
        add("inferred_swap_sessions", count(is("inferred_orchestrator_change_count")));
        add("total_swapped_sessions", count(swaps));
        add("sessions_with_errors", count(is("error_count")));
        add("sessions_ending_in_error", count(is("last_error_occurred")));
        add("loading_only_sessions", count(is("loading_only_session")));
        add("zero_output_fps_sessions", count(is("zero_output_fps_session")));
        add("output_failed_sessions", count(failed));
        add("effective_failed_sessions", count(failed || is("startup_unexcused")));
        add("error_status_samples", number(row, "status_error_sample_count") as f64);
        add("health_signal_count", number(row, "health_signal_count") as f64);
        add("health_expected_signal_count", number(row, "health_expected_signal_count") as f64);
        add("served_sessions", count(served));
        add("unserved_sessions", count(!served));
        add("unattributed_sessions", count(!served && is("selection_count")));
        add("no_orch_sessions", count(is("no_orchestrators")));
        self.known += count(known);
    }

    /// Another hour of the same day.
    fn sum_up(&mut self, hour: &Self) {
        self.hours += 1.0;
        self.samples += hour.samples;
        self.known += hour.known;
        self.starts += hour.starts;
        for (name, value) in &hour.counts {
            *self.counts.entry(name).or_default() += value;
        }
    }

    pub(crate) fn steadiness(&self) -> BTreeMap<&'static str, f64> {
        let mean = self.fps / self.samples;
        let deviation = (self.squares / self.samples - mean * mean).max(0.0).sqrt();
        // No frames at all: NaN, which stands for NULL.
        [
            ("avg_output_fps", mean),
            ("status_samples", self.samples),
            ("jitter_coeff_fps", deviation / mean),
        ]
        .into()
    }

    /// What is shown of a GPU beside its counts.
    fn latencies(&self) -> BTreeMap<&'static str, f64> {
        let names = [
            [
                "prompt_to_first_frame_sample_count",
                "avg_prompt_to_first_frame_ms",
                "p95_prompt_to_first_frame_latency_ms",
            ],
            ["startup_latency_sample_count", "avg_startup_latency_ms", "p95_startup_latency_ms"],
            ["e2e_latency_sample_count", "avg_e2e_latency_ms", "p95_e2e_latency_ms"],
        ];
        let mut row = BTreeMap::new();
        for ([count, mean, p95], values) in names.into_iter().zip(&self.latency) {
            let n = values.len() as f64;
            row.insert(count, n);
            row.insert(mean, values.iter().sum::<f64>() / n);
            row.insert(p95, percentile95(values));
        }
        let tenths: Vec<f64> = self.frames.iter().map(|fps| fps * 10.0).collect();
        row.insert("p95_output_fps", percentile95(&tenths) / 10.0);
        row.insert("fps_jitter_coefficient", self.steadiness()["jitter_coeff_fps"]);
        row.insert("active_ms", self.active_ms);
        row
    }

    /// Means of prompt and end-to-end latency and of frames, in millionths, and how much each rests on.
    pub(crate) fn means(&self) -> [(i64, i64); 3] {
        [&self.latency[0], &self.latency[2], &self.frames].map(|values| {
            let n = values.len() as i64;
            let sum: i64 = values.iter().map(|value| (value * 1e6).round() as i64).sum();
            (sum.checked_div(n).unwrap_or_default(), n)
        })
    }

    fn of(&self, name: &str) -> f64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// Of the known sessions, those that are not counted under `name`.
    fn without(&self, name: &str) -> f64 {
        1.0 - self.of(name) / self.known
    }

    /// What every view of sessions shows.
    fn common(&self) -> BTreeMap<&'static str, f64> {
        let names = [
            "startup_success_sessions",
            "startup_excused_sessions",
            "startup_unexcused_sessions",
            "confirmed_swapped_sessions",
            "inferred_swap_sessions",
            "total_swapped_sessions",
            "sessions_with_errors",
            "sessions_ending_in_error",
            "loading_only_sessions",
            "zero_output_fps_sessions",
            "output_failed_sessions",
            "effective_failed_sessions",
            "error_status_samples",
            "health_signal_count",
            "health_expected_signal_count",
        ];
        let mut row: BTreeMap<_, _> = names.map(|name| (name, self.of(name))).into();
        row.insert("known_sessions_count", self.known);
        row.insert("sessions_count", self.sessions.len() as f64);
        row.insert("status_samples", self.samples);
        row.insert("avg_output_fps", self.fps / self.samples);
        row.insert("health_signal_coverage_ratio", self.health());
        row.insert("startup_success_rate", self.without("startup_unexcused_sessions"));
        row.insert("startup_playable_rate", self.of("startup_success_sessions") / self.known);
        row.insert("effective_success_rate", self.without("effective_failed_sessions"));
        row
    }

    fn health(&self) -> f64 {
        match self.of("health_expected_signal_count") {
            0.0 => 1.0,
            expected => (self.of("health_signal_count") / expected).min(1.0),
        }
    }

    fn service(&self) -> BTreeMap<&'static str, f64> {
        let mut row = self.common();
        let (swap, output) = ("total_swapped_sessions", "output_failed_sessions");
        let score = 0.4 * self.without("startup_unexcused_sessions")
            + 0.2 * self.without(swap)
            + 0.4 * self.without(output);
        row.insert("no_swap_rate", self.without(swap));
        row.insert("output_viability_rate", self.without(output));
        row.insert("sla_score", 100.0 * self.health() * score);
        row.insert("session_starts", self.starts);
        row
    }

    pub(crate) fn demand(&self) -> BTreeMap<&'static str, f64> {
        let mut row = self.common();
        for name in
            ["served_sessions", "unserved_sessions", "unattributed_sessions", "no_orch_sessions"]
        {
            row.insert(name, self.of(name));
        }
        row.insert("total_demand_sessions", self.known);
        row.insert("total_minutes", self.active_ms / 60_000.0);
        row.insert("unserved_rate", self.of("unserved_sessions") / self.known);
        row.insert("payments_count", self.payments);
        row.insert("ticket_face_value_eth", self.face / 1e18);
        row
    }

    fn start(&self) -> BTreeMap<&'static str, f64> {
        let names = [
            "startup_success_sessions",
            "startup_excused_sessions",
            "startup_unexcused_sessions",
            "unserved_sessions",
            "no_orch_sessions",
        ];
        let mut row: BTreeMap<_, _> = names.map(|name| (name, self.of(name))).into();
        row.insert("known_sessions_count", self.known);
        row.insert("startup_success_rate", self.without("startup_unexcused_sessions"));
        row.insert("startup_playable_rate", self.of("startup_success_sessions") / self.known);
        row
    }
}

/// The rows with what they are worth and the class of their score as further parts of their keys.
pub(crate) fn classified(rows: &Rows) -> Rows {
    let row = |(key, row): (&Vec<String>, &BTreeMap<&'static str, f64>)| {
        let validity = match (row["known_sessions_count"], row["status_samples"]) {
            (0.0, _) => "no_demand",
            (known, samples) if known < 5.0 || samples < 30.0 => "low_sample",
            _ if row["health_signal_coverage_ratio"] < 0.6 => "low_coverage",
            _ => "valid",
        };
        // To nine decimals, so that an exact 90 is one whatever its sums were rounded to.
        let class = match (row["sla_score"] * 1e9).round() / 1e9 {
            _ if validity != "valid" => "",
            score if score >= 95.0 => "compliant",
            score if score >= 90.0 => "at_risk",
            _ => "breach",
        };
        let worth = [validity.to_owned(), class.to_owned(), "sla-v1".to_owned()];
        ([&key[..], &worth].concat(), row.clone())
    };
    rows.iter().map(row).collect()
}

/// The least value that 95 of 100 do not exceed, brought down to the begin of its bucket: whole below 32,
/// then 32 buckets between powers of two. NaN without values.
pub(crate) fn percentile95(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * 19).div_ceil(20);
    let Some(value) = rank.checked_sub(1).map(|place| sorted[place].floor()) else {
        return f64::NAN;
    };
    let mut width = 1.0;
    while value / width >= 64.0 {
        width *= 2.0;
    }
    (value / width).floor() * width
}
