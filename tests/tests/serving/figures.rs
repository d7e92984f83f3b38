//! What the views are to show, added up in the plainest way.

use std::collections::{BTreeMap, BTreeSet};

use crate::Rows;
use crate::facts::{Facts, HOUR, Identity, Session, number, text};

/// What is added up of the sessions of a row.
#[derive(Default)]
struct Tally {
    samples: f64,
    fps: f64,
    squares: f64,
    active_ms: f64,
    sessions: BTreeSet<String>,
    known: f64,
    counts: BTreeMap<&'static str, f64>,
    starts: f64,
    latency: [Vec<f64>; 3],
    face: f64,
}

pub(crate) struct Figures {
    pub(crate) service: Rows,
    pub(crate) demand: Rows,
    pub(crate) by_pipeline: Rows,
    pub(crate) starts: Rows,
}

type Tallies = BTreeMap<Vec<String>, Tally>;

impl Figures {
    pub(crate) fn of(facts: &Facts) -> Self {
        let (mut service, mut demand) = (Tallies::new(), Tallies::new());
        let (mut by_pipeline, mut starts) = (Tallies::new(), Tallies::new());
        for ((org, id), session) in &facts.sessions {
            serve(&mut service, org, id, session);
            use_minutes(&mut demand, &mut by_pipeline, facts, (org, id), session);
            begin(&mut demand, &mut by_pipeline, &mut starts, facts, (org, id), session);
        }
        for payment in &facts.payments {
            let hour = number(payment, "ts").div_euclid(HOUR);
            let own = [
                text(payment, "gateway"),
                String::new(),
                text(payment, "pipeline"),
                text(payment, "model_id"),
            ];
            let key = demand_key(facts, &text(payment, "org"), hour, own);
            let face = payment["face"].as_f64().unwrap_or_default();
            by_pipeline.entry(key[..5].to_vec()).or_default().face += face;
            demand.entry(key).or_default().face += face;
        }
        Self {
            service: rows(&service, Tally::service),
            demand: rows(&demand, Tally::demand),
            by_pipeline: rows(&by_pipeline, Tally::demand),
            starts: rows(&starts, Tally::start),
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
            (key.clone(), row)
        };
        keys.map(row).collect()
    }
}

fn rows(tallies: &Tallies, row: fn(&Tally) -> BTreeMap<&'static str, f64>) -> Rows {
    tallies.iter().map(|(key, tally)| (key.clone(), row(tally))).collect()
}

fn key(org: &str, hour: i64, parts: &[String]) -> Vec<String> {
    let mut key = vec![org.to_owned(), (hour * HOUR / 1000).to_string()];
    key.extend_from_slice(parts);
    key
}

/// Gold evidence: what remains of it without terminal tails.
fn serve(service: &mut Tallies, org: &str, id: &str, session: &Session) {
    let mut elements: BTreeMap<(i64, &Identity), (u32, bool)> = BTreeMap::new();
    let gold = || session.samples.iter().filter(|s| s.attributed && s.direct);
    for sample in gold() {
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
    for sample in gold() {
        let hour = sample.ts.div_euclid(HOUR);
        if is_tail(hour, &sample.identity) {
            continue;
        }
        let tally = service.entry(key(org, hour, &sample.identity)).or_default();
        tally.sample(sample.fps);
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

fn demand_key(facts: &Facts, org: &str, hour: i64, own: [String; 4]) -> Vec<String> {
    let [gateway, region, pipeline, model] = own;
    let is_model = |name: &str| !model.is_empty() && name.eq_ignore_ascii_case(&model);
    let mut named = Some(pipeline).filter(|name| !name.is_empty() && !is_model(name));
    if named.is_none() {
        named = facts
            .only_pipeline(org, [&gateway, &region, &model], hour)
            .filter(|name| !is_model(name));
    }
    key(org, hour, &[gateway, region, named.unwrap_or_default(), model])
}

/// Attributed samples, each with the time to the session's next one.
fn use_minutes(
    demand: &mut Tallies,
    by_pipeline: &mut Tallies,
    facts: &Facts,
    (org, id): (&str, &str),
    session: &Session,
) {
    let mut gateways: BTreeMap<(i64, &Identity), &str> = BTreeMap::new();
    for sample in session.samples.iter().filter(|s| s.attributed) {
        let known = gateways.entry((sample.ts.div_euclid(HOUR), &sample.identity)).or_default();
        if known.is_empty() {
            *known = &sample.gateway;
        }
    }
    for (place, sample) in session.samples.iter().enumerate().filter(|(_, s)| s.attributed) {
        let hour = sample.ts.div_euclid(HOUR);
        let [_, pipeline, model, _, region] = sample.identity.clone();
        let gateway = gateways[&(hour, &sample.identity)].to_owned();
        let key = demand_key(facts, org, hour, [gateway, region, pipeline, model]);
        let end = (hour + 1) * HOUR;
        let next = session.samples.get(place + 1).map_or(sample.ts, |next| next.ts.min(end));
        let active = (next - sample.ts).clamp(0, 30_000) as f64;
        for tally in
            [by_pipeline.entry(key[..5].to_vec()).or_default(), demand.entry(key).or_default()]
        {
            tally.sample(sample.fps);
            tally.active_ms += active;
            tally.sessions.insert(id.to_owned());
        }
    }
}

/// The session in the hour that it started in.
fn begin(
    demand: &mut Tallies,
    by_pipeline: &mut Tallies,
    starts: &mut Tallies,
    facts: &Facts,
    (org, _): (&str, &str),
    session: &Session,
) {
    let (row, hour) = (&session.row, session.start.div_euclid(HOUR));
    let own = ["gateway", "region", "pipeline", "model_id"].map(|column| text(row, column));
    let key_of_demand = demand_key(facts, org, hour, own);
    by_pipeline.entry(key_of_demand[..5].to_vec()).or_default().session(session);
    demand.entry(key_of_demand).or_default().session(session);
    if number(row, "known_stream") == 1 {
        let own = ["gateway", "orchestrator_address", "pipeline", "model_id", "region"];
        let own = own.map(|column| text(row, column));
        starts.entry(key(org, hour, &own)).or_default().session(session);
    }
}

impl Tally {
    fn sample(&mut self, fps: f64) {
        let fps = fps.max(0.0);
        self.samples += 1.0;
        self.fps += (fps * 1e6).round() / 1e6;
        self.squares += (fps * fps * 1e6).round() / 1e6;
    }

    fn session(&mut self, session: &Session) {
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

    fn demand(&self) -> BTreeMap<&'static str, f64> {
        let mut row = self.common();
        for name in
            ["served_sessions", "unserved_sessions", "unattributed_sessions", "no_orch_sessions"]
        {
            row.insert(name, self.of(name));
        }
        row.insert("total_demand_sessions", self.known);
        row.insert("total_minutes", self.active_ms / 60_000.0);
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
        row
    }
}
