//! What GPUs were advertised as at the end of the hour, beside their figures (backlog 008).

use crate::Rows;
use crate::facts::{Advertised, Facts, HOUR};
use crate::figures::Figures;
use crate::legs::Links;

/// Capabilities of this id are priced by their pipeline, others by the model.
const BYOC: i64 = 37;

/// What one event says of one GPU: itself, the slots of its model, and what they cost.
struct Offer<'a> {
    gpu: Option<&'a Advertised>,
    slots: Option<&'a Advertised>,
    price: Option<&'a Advertised>,
}

impl<'a> Offer<'a> {
    /// That of the newest event of the hour, or of the 23 before it.
    fn of(facts: &'a Facts, key: &[String]) -> Self {
        let [org, hour, orchestrator, _, model, gpu, _] = key else { panic!("7 names: {key:?}") };
        let hour = hour.parse::<i64>().unwrap() * 1000 / HOUR;
        let is_own = |ad: &&Advertised| {
            (&ad.org, &ad.orchestrator, &ad.model) == (org, orchestrator, model)
                && ad.gpu == gpu.to_lowercase()
                && ad.labels(hour)
        };
        let Some(gpu) = facts.gpus.iter().rfind(is_own) else {
            return Self { gpu: None, slots: None, price: None };
        };
        let beside = |ad: &&Advertised| {
            ["org", "source_event_uid", "orchestrator_url", "capability_id"]
                .iter()
                .all(|column| ad.row[*column] == gpu.row[*column])
        };
        let is_byoc = gpu.row["capability_id"] == BYOC;
        let priced = &gpu.row[if is_byoc { "pipeline" } else { "model_id" }];
        let costs = |ad: &&Advertised| beside(ad) && ad.row["constraint_name"] == *priced;
        let any_costs = |ad: &&Advertised| beside(ad) && ad.row["constraint_name"] == "";
        let price = facts.prices.iter().find(costs);
        Self {
            gpu: Some(gpu),
            slots: facts.slots.iter().find(|ad| beside(ad) && ad.model == gpu.model),
            price: price.or_else(|| facts.prices.iter().find(any_costs)),
        }
    }

    fn compute_capability(&self) -> String {
        let part = |column| self.gpu.and_then(|ad| ad.row[column].as_i64());
        let [major, minor] = ["gpu_major", "gpu_minor"].map(part);
        major.zip(minor).map_or_else(String::new, |(major, minor)| format!("{major}.{minor}"))
    }
}

fn text(ad: Option<&Advertised>, column: &str) -> String {
    ad.and_then(|ad| ad.row[column].as_str()).unwrap_or_default().to_owned()
}

fn number(ad: Option<&Advertised>, column: &str) -> f64 {
    ad.and_then(|ad| ad.row[column].as_f64()).unwrap_or(f64::NAN)
}

/// Rows of GPUs, and the same with what was offered.
pub(crate) fn gpus(facts: &Facts, found: &Figures, links: &Links) -> [Rows; 2] {
    let (mut metrics, mut enriched) = (Rows::new(), Rows::new());
    for (key, mut row) in found.gpu_metrics() {
        let offer = Offer::of(facts, &key);
        let (down, up, status) = links.of_gpu(&key);
        row.extend([
            ("down_mbps_avg", down),
            ("up_mbps_avg", up),
            ("gpu_memory_bytes_total", number(offer.gpu, "gpu_memory_total")),
        ]);
        let labels = [
            text(offer.gpu, "gpu_name"),
            text(offer.slots, "runner_version"),
            offer.compute_capability(),
            status.to_owned(),
        ];
        let labelled = [&key[..], &labels].concat();
        metrics.insert(labelled.clone(), row.clone());
        let service = &found.service[&key];
        let end = (key[1].parse::<i64>().unwrap() + 3600) * 1000;
        let age = |ad: &Advertised| (end - ad.ts).div_euclid(1000) as f64;
        row.extend([
            ("gpu_memory_bytes_free", number(offer.gpu, "gpu_memory_free")),
            ("capacity", number(offer.slots, "capacity")),
            ("capacity_in_use", number(offer.slots, "capacity_in_use")),
            ("warm", number(offer.slots, "warm")),
            ("price_per_unit", number(offer.price, "price_per_unit")),
            ("pixels_per_unit", number(offer.price, "pixels_per_unit")),
            ("metadata_age_seconds", offer.gpu.map_or(f64::NAN, age)),
            ("advertised_capacity_minutes", 60.0 * number(offer.slots, "capacity")),
            ("sla_score", service["sla_score"]),
            ("effective_success_rate", service["effective_success_rate"]),
            ("no_swap_rate", service["no_swap_rate"]),
        ]);
        let more = [
            text(offer.gpu, "orchestrator_url"),
            text(offer.gpu, "orchestrator_version"),
            offer.gpu.map_or_else(String::new, |ad| ad.ts.to_string()),
            "sla-v1".to_owned(),
        ];
        enriched.insert([labelled, more.to_vec()].concat(), row);
    }
    [metrics, enriched]
}
