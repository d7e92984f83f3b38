//! The score with latency and frames in it (backlog 026), and the days that it is compared with.

use std::collections::BTreeMap;

use crate::Rows;
use crate::figures::Figures;

/// One day, s.
const DAY: i64 = 86_400;

/// What is compared: its name, and the levels of the edges that are kept of a day.
const MEASURES: [([&str; 3], [f64; 2]); 3] = [
    (["ptff_row_count", "ptff_p50", "ptff_p90"], [0.5, 0.9]),
    (["e2e_row_count", "e2e_p50", "e2e_p90"], [0.5, 0.9]),
    (["fps_row_count", "fps_p10", "fps_p50"], [0.1, 0.5]),
];

/// From so many rows on there is something to compare with.
const ENOUGH: f64 = 48.0;

/// Rows of a day with a value, and the lower and the upper edge.
type Edges = (f64, f64, f64);

/// Of a day, pipeline and model, over all organisations.
pub(crate) struct Days(BTreeMap<(i64, String, String), [Edges; 3]>);

fn day_of(key: &[String]) -> i64 {
    key[1].parse::<i64>().unwrap().div_euclid(DAY) * DAY
}

/// The value at a level of all, on the line between two where it lies between them, whole.
fn quantile(sorted: &[i64], level: f64) -> f64 {
    let place = level * (sorted.len() as f64 - 1.0);
    let [low, high] = [place.floor(), place.ceil()].map(|at| sorted[at as usize] as f64);
    (low + (high - low) * place.fract()).floor()
}

impl Days {
    pub(crate) fn of(found: &Figures) -> Self {
        let mut values: BTreeMap<_, [Vec<i64>; 3]> = BTreeMap::new();
        for (key, tally) in found.hours.iter().filter(|(key, _)| !key[3].is_empty()) {
            let cohort = (day_of(key), key[3].clone(), key[4].clone());
            let values = values.entry(cohort).or_default();
            for (all, (mean, n)) in values.iter_mut().zip(tally.means()) {
                all.extend(Some(mean).filter(|_| n > 0));
            }
        }
        let edges = |(cohort, mut values): (_, [Vec<i64>; 3])| {
            let mut edges = [(0.0, f64::NAN, f64::NAN); 3];
            for (measure, sorted) in values.iter_mut().enumerate().filter(|(_, v)| !v.is_empty()) {
                sorted.sort_unstable();
                let [low, high] = MEASURES[measure].1.map(|level| quantile(sorted, level));
                edges[measure] = (sorted.len() as f64, low, high);
            }
            (cohort, edges)
        };
        Self(values.into_iter().map(edges).collect())
    }

    pub(crate) fn rows(&self) -> Rows {
        let row = |((day, pipeline, model), edges): (&(i64, String, String), &[Edges; 3])| {
            let key = vec![String::new(), day.to_string(), pipeline.clone(), model.clone()];
            let mut row = BTreeMap::new();
            for ((names, _), (rows, low, high)) in MEASURES.iter().zip(edges) {
                row.extend([(names[0], *rows), (names[1], *low), (names[2], *high)]);
            }
            (key, row)
        };
        self.0.iter().map(row).collect()
    }

    /// The edges of the seven days before, each day with the weight of its rows.
    fn week(&self, day: i64, key: &[String], measure: usize) -> Edges {
        let (mut rows, mut low, mut high) = (0.0, 0.0, 0.0);
        for before in 1..=7 {
            let cohort = (day - before * DAY, key[3].clone(), key[4].clone());
            let of_day = self.0.get(&cohort).map(|edges| edges[measure]);
            if let Some((n, lower, upper)) = of_day.filter(|(n, ..)| *n > 0.0) {
                rows += n;
                low += n * lower;
                high += n * upper;
            }
        }
        (rows, low / rows, high / rows)
    }

    /// A row of the shadow for each of the score.
    pub(crate) fn shadow(&self, found: &Figures) -> Rows {
        let mut shown = Rows::new();
        for (key, service) in &found.service {
            let day = day_of(key);
            let edges = [0, 1, 2].map(|measure| self.week(day, key, measure));
            let means = found.hours[key].means();
            let [ptff, e2e, fps] = [0, 1, 2].map(|m| score(m, edges[m], means[m]));
            let sure = |score: Option<f64>| score.unwrap_or(0.5);
            let latency = 0.6 * sure(ptff) + 0.4 * sure(e2e);
            let quality = 0.6 * latency + 0.4 * sure(fps);
            let reliability = 0.4 * service["startup_playable_rate"]
                + 0.2 * service["no_swap_rate"]
                + 0.4 * service["output_viability_rate"];
            let health = service["health_signal_coverage_ratio"];
            let is_neutral = [ptff, e2e, fps].iter().all(Option::is_none);
            let mut row: BTreeMap<&str, f64> = [
                ("prompt_to_first_frame_sample_count", means[0].1 as f64),
                ("e2e_latency_sample_count", means[1].1 as f64),
                ("ptff_score", sure(ptff)),
                ("e2e_score", sure(e2e)),
                ("fps_score", sure(fps)),
                ("latency_score", latency),
                ("quality_score", quality),
                ("reliability_score", reliability),
                ("is_neutral", f64::from(u8::from(is_neutral))),
                ("shadow_score", 100.0 * health * (0.7 * reliability + 0.3 * quality)),
            ]
            .into();
            for (names, (rows, ..)) in MEASURES.iter().map(|(names, _)| names).zip(edges) {
                row.insert(names[0], rows);
            }
            for same in [
                "known_sessions_count",
                "status_samples",
                "sla_score",
                "health_signal_coverage_ratio",
            ] {
                row.insert(same, service[same]);
            }
            let named = [day.to_string(), "quality-benchmark-v1".to_owned()];
            shown.insert([&key[..], &named].concat(), row);
        }
        shown
    }
}

/// 1 at what is usual or better, 0 at what is unusual or worse, drawn to the middle by missing evidence.
/// Nothing without a value or something to compare with.
fn score(measure: usize, (rows, low, high): Edges, (mean, n): (i64, i64)) -> Option<f64> {
    if n == 0 || rows < ENOUGH {
        return None;
    }
    // Of frames more is better.
    let (value, usual, unusual) = match measure {
        2 => (-mean as f64, -high, -low),
        _ => (mean as f64, low, high),
    };
    let raw = if value <= usual {
        1.0
    } else if value >= unusual {
        0.0
    } else {
        (unusual - value) / (unusual - usual)
    };
    let wanted = if measure == 2 { 30.0 } else { 10.0 };
    Some(0.5 + (n as f64 / wanted).min(1.0) * (raw - 0.5))
}
