//! Demand at its three grains.

use std::collections::BTreeMap;

use crate::Rows;
use crate::facts::{Advertised, Facts, HOUR, Identity, Session, number, text};
use crate::figures::{Tallies, Tally, key, rows};

pub(crate) struct Grains {
    pub(crate) model: Rows,
    pub(crate) pipeline: Rows,
    pub(crate) gpu: Rows,
}

/// Place among the rows by model, and an orchestrator.
type Place = (Vec<String>, String);

#[derive(Default)]
struct Adding {
    model: Tallies,
    pipeline: Tallies,
    gpu: Tallies,
    /// The GPU of the session that started last in this place, with what makes it the last.
    last_gpus: BTreeMap<Place, (i64, String, String)>,
}

impl Grains {
    pub(crate) fn of(facts: &Facts) -> Self {
        let mut adding = Adding::default();
        for ((org, id), session) in &facts.sessions {
            let gpu = text(&session.row, "gpu_id");
            if !gpu.is_empty() {
                let place = start_of(facts, org, session);
                let found = (session.start, id.clone(), gpu);
                let last = adding.last_gpus.entry(place).or_default();
                *last = found.max(std::mem::take(last));
            }
        }
        for ((org, id), session) in &facts.sessions {
            use_minutes(&mut adding, facts, (org, id), session);
            let without_gpu = text(&session.row, "gpu_id").is_empty()
                && number(&session.row, "known_stream") == 1;
            adding.add(start_of(facts, org, session), &text(&session.row, "gpu_id"), |tally| {
                tally.session(session);
                tally.without_gpu += f64::from(u8::from(without_gpu));
            });
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
            adding.add((key, text(payment, "recipient")), "", |tally| {
                tally.payments += 1.0;
                tally.face += payment["face"].as_f64().unwrap_or_default();
            });
        }
        Self {
            model: rows(&adding.model, Tally::demand),
            pipeline: rows(&adding.pipeline, Tally::demand),
            gpu: adding.gpu.iter().map(|(key, tally)| shown(facts, key, tally)).collect(),
        }
    }
}

impl Adding {
    /// Adds to the rows of every grain; without a GPU to that of the GPU that was used there last.
    fn add(&mut self, place: Place, gpu: &str, add: impl Fn(&mut Tally)) {
        let mut gpu = gpu.to_owned();
        if gpu.is_empty()
            && let Some((_, _, last)) = self.last_gpus.get(&place)
        {
            gpu.clone_from(last);
        }
        let (key, orchestrator) = place;
        add(self.pipeline.entry(key[..5].to_vec()).or_default());
        add(self.gpu.entry([&key[..], &[orchestrator, gpu]].concat()).or_default());
        add(self.model.entry(key).or_default());
    }
}

/// A row by GPU, with its labels as further parts of its key.
fn shown(
    facts: &Facts,
    key: &[String],
    tally: &Tally,
) -> (Vec<String>, BTreeMap<&'static str, f64>) {
    let [org, hour, _, _, _, model, orchestrator, gpu] = key else { panic!("a key of 8: {key:?}") };
    let hour = hour.parse::<i64>().unwrap() * 1000 / HOUR;
    let of = |ad: &&Advertised| {
        (&ad.org, &ad.orchestrator, &ad.model) == (org, orchestrator, model) && ad.labels(hour)
    };
    let mut names = facts.gpus.iter().filter(of);
    let name = names.rfind(|ad| !gpu.is_empty() && ad.gpu == gpu.to_lowercase());
    let name = name.and_then(|ad| ad.row["gpu_name"].as_str()).filter(|name| !name.is_empty());
    let is_resolved = !gpu.is_empty() && tally.without_gpu == 0.0;
    let status = if is_resolved { "resolved" } else { "hardware_unresolved" };
    let labels = [name.unwrap_or("unknown").to_owned(), status.to_owned()];
    let slots = facts.slots.iter().rfind(of).and_then(|ad| ad.row["capacity"].as_f64());
    let slots = slots.unwrap_or_default();
    let mut row = tally.demand();
    let used = row.remove("total_minutes").unwrap_or_default();
    row.insert("used_inference_minutes", used);
    row.insert("advertised_capacity_minutes", 60.0 * slots);
    let utilization = if slots > 0.0 { used / (60.0 * slots) } else { f64::NAN };
    row.insert("advertised_capacity_utilization_rate", utilization);
    ([key, &labels].concat(), row)
}

/// Where a session counts: in the hour in which it started.
fn start_of(facts: &Facts, org: &str, session: &Session) -> Place {
    let own = ["gateway", "region", "pipeline", "model_id"];
    let own = own.map(|column| text(&session.row, column));
    let key = demand_key(facts, org, session.start.div_euclid(HOUR), own);
    (key, text(&session.row, "orchestrator_address"))
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
fn use_minutes(adding: &mut Adding, facts: &Facts, (org, id): (&str, &str), session: &Session) {
    let mut gateways: BTreeMap<(i64, &Identity), &str> = BTreeMap::new();
    for sample in session.samples.iter().filter(|s| s.attributed) {
        let known = gateways.entry((sample.ts.div_euclid(HOUR), &sample.identity)).or_default();
        if known.is_empty() {
            *known = &sample.gateway;
        }
    }
    for (n, sample) in session.samples.iter().enumerate().filter(|(_, s)| s.attributed) {
        let hour = sample.ts.div_euclid(HOUR);
        let [orchestrator, pipeline, model, gpu, region] = sample.identity.clone();
        let gateway = gateways[&(hour, &sample.identity)].to_owned();
        let key = demand_key(facts, org, hour, [gateway, region, pipeline, model]);
        adding.add((key, orchestrator), &gpu, |tally| {
            tally.sample(sample.fps);
            tally.active_ms += session.active_ms(n);
            tally.without_gpu += f64::from(u8::from(gpu.is_empty()));
            tally.sessions.insert(id.to_owned());
        });
    }
}
