//! Selections of a session and their attribution (lifecycle 5.3, 7.10, clarifications 1 to 30).

use super::DAY_MS;
use super::history::{History, Interval, Known, Surface};
use super::signal::{Family, Signal, norm_url};

const PIPELINES: [&str; 12] = [
    "live-video-to-video",
    "text-to-image",
    "image-to-image",
    "image-to-video",
    "text-to-video",
    "audio-to-text",
    "text-to-speech",
    "upscale",
    "llm",
    "image-to-text",
    "segment-anything-2",
    "noop",
];

/// The orchestrator observed from one anchoring signal on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) ts: i64,
    /// Position of the anchor among the ordered signals.
    pub(crate) anchor: usize,
    pub(crate) address: String,
    /// Verbatim.
    pub(crate) url: String,
    pub(crate) hint: &'static str,
    /// The contract text leaves the hint open.
    pub(crate) unsure: bool,
}

/// Result of the decision function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) status: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) source: &'static str,
    pub(crate) canonical: String,
    pub(crate) url: String,
    pub(crate) pipeline: String,
    pub(crate) model: String,
    pub(crate) gpu: Option<u128>,
    pub(crate) gpu_candidates: usize,
}

impl Decision {
    /// No identity: only what the hints say of pipeline and model.
    fn none(status: &'static str, reason: &'static str, hints: (String, String)) -> Self {
        let (pipeline, model) = hints;
        Self { status, reason, source: "unattributed", pipeline, model, ..Self::default() }
    }

    /// Carries an identity.
    pub(crate) fn is_resolved(&self) -> bool {
        matches!(self.status, "resolved" | "hardware_less" | "stale")
    }
}

/// The signals that say who serves: notices only where nothing else does, swap traces never.
pub(crate) fn observing(signals: &[Signal]) -> Vec<bool> {
    let firm = |s: &Signal| s.has_identity() && !matches!(s.family, Family::Notice { .. });
    let any_firm = signals.iter().any(firm);
    let counts = |s: &Signal| if any_firm { firm(s) } else { s.has_identity() };
    signals.iter().map(|s| counts(s) && !s.is_swap()).collect()
}

/// Walks the ordered signals.
pub(crate) fn selections(signals: &[Signal]) -> Vec<Selection> {
    let mut all: Vec<Selection> = Vec::new();
    for ((at, signal), observes) in signals.iter().enumerate().zip(observing(signals)) {
        if !observes {
            continue;
        }
        match all.last_mut() {
            Some(current) if continues(current, signal) => {
                if current.address.is_empty() {
                    current.address.clone_from(&signal.address);
                }
                if current.url.is_empty() {
                    current.url.clone_from(&signal.url);
                }
            }
            _ => all.push(Selection {
                ts: signal.ord_ts,
                anchor: at,
                address: signal.address.clone(),
                url: signal.url.clone(),
                hint: "",
                unsure: false,
            }),
        }
    }
    set_hints(&mut all, signals);
    all
}

fn continues(current: &Selection, signal: &Signal) -> bool {
    if !current.url.is_empty() && !signal.url.is_empty() {
        return norm_url(&current.url) == norm_url(&signal.url);
    }
    !current.address.is_empty() && current.address == signal.address
}

/// First label inside the selection, else the first of the session; swap traces do not count
/// inside, and whether they do for the session the contract does not say.
fn set_hints(all: &mut [Selection], signals: &[Signal]) {
    let label = |s: &&Signal| !s.hint.is_empty();
    let first = signals.iter().find(label).map_or("", |s| s.hint);
    let strict = signals.iter().filter(|s| !s.is_swap()).find(label).map_or("", |s| s.hint);
    let ends: Vec<usize> = all.iter().skip(1).map(|s| s.anchor).chain([signals.len()]).collect();
    for (selection, end) in all.iter_mut().zip(ends) {
        let inside = signals[selection.anchor..end].iter().filter(|s| !s.is_swap()).find(label);
        selection.hint = inside.map_or(strict, |s| s.hint);
        selection.unsure = inside.is_none() && first != strict;
    }
}

/// Splits a label into pipeline and model hint.
fn split_hint(label: &str) -> (String, String) {
    let lower = label.trim().to_ascii_lowercase();
    if PIPELINES.contains(&lower.as_str()) {
        return (lower, String::new());
    }
    let model = match lower.as_str() {
        "pip_sdxl-turbo" | "pip_sd-turbo" => "streamdiffusion-sdxl".to_owned(),
        "pip_sdxl-turbo-v2v" => "streamdiffusion-sdxl-v2v".to_owned(),
        "pip_sdxl-turbo-faceid" => "streamdiffusion-sdxl-faceid".to_owned(),
        _ => label.trim().to_owned(),
    };
    let live = model.starts_with("streamdiffusion");
    (if live { PIPELINES[0].to_owned() } else { String::new() }, model)
}

/// The decision for an observed identity at `t`.
pub(crate) fn decide(history: &History, address: &str, url: &str, label: &str, t: i64) -> Decision {
    let url = norm_url(url);
    let (pipeline_hint, model_hint) = split_hint(label);
    let none = |status, reason| {
        let same = pipeline_hint.eq_ignore_ascii_case(&model_hint);
        let pipeline = if same { String::new() } else { pipeline_hint.clone() };
        Decision::none(status, reason, (pipeline, model_hint.clone()))
    };
    let found: Vec<&Known> = match identify(history, address, &url, t) {
        Ok(found) => found,
        Err(reason) => return none("unresolved", reason),
    };
    let mut candidates = compatible(&found, &pipeline_hint, &model_hint, t);
    if candidates.is_empty() {
        return none("unresolved", "no_compatible_candidate");
    }
    let best = candidates.iter().map(|c| c.band).min().unwrap_or(0);
    candidates.retain(|c| c.band == best);
    let chosen = &candidates[0];
    if candidates.iter().any(|c| c.identity() != chosen.identity()) {
        return none("ambiguous", "ambiguous_candidates");
    }
    chosen.decision(&pipeline_hint, &model_hint)
}

/// Step 1: url, else canonical address, else alias. Only what was advertised within a day counts.
fn identify<'a>(
    history: &'a History,
    address: &str,
    url: &str,
    t: i64,
) -> Result<Vec<&'a Known>, &'static str> {
    let near: Vec<&Known> =
        history.0.iter().filter(|n| n.intervals.iter().any(|i| distance(i, t) <= DAY_MS)).collect();
    let select = |test: &dyn Fn(&Known) -> bool| -> Vec<&'a Known> {
        near.iter().copied().filter(|n| test(n)).collect()
    };
    let canonical = select(&|n| !address.is_empty() && n.canonical == address);
    let alias = select(&|n| !address.is_empty() && n.hot == address && n.hot != n.canonical);
    if !url.is_empty() {
        let by_url = select(&|n| n.url == url);
        return match (by_url.is_empty(), alias.is_empty(), canonical.is_empty()) {
            (false, ..) => Ok(by_url),
            (_, false, _) => Err("missing_uri_snapshot_local_alias_present"),
            (.., false) => Err("missing_uri_snapshot_address_match_present"),
            _ => Err("missing_candidate"),
        };
    }
    let found = if canonical.is_empty() { alias } else { canonical };
    if found.is_empty() { Err("missing_candidate") } else { Ok(found) }
}

fn distance(interval: &Interval, t: i64) -> i64 {
    (t - interval.last).max(interval.first - t).max(0)
}

/// 0 inside, 1 prior, 2 future, 3 mapped prior, 4 mapped future.
fn band(interval: &Interval, t: i64) -> u8 {
    match (t - interval.last, interval.first - t) {
        (after, before) if after <= 0 && before <= 0 => 0,
        (1..=600_000, _) => 1,
        (_, 1..=30_000) => 2,
        (1.., _) => 3,
        _ => 4,
    }
}

struct Candidate<'a> {
    node: &'a Known,
    surface: &'a Surface,
    band: u8,
}

/// Steps 2 and 3: what fits the hints, per node from its interval with the best band, then the
/// smallest distance.
fn compatible<'a>(nodes: &[&'a Known], pipeline: &str, model: &str, t: i64) -> Vec<Candidate<'a>> {
    let fits = |s: &Surface| {
        (model.is_empty() || s.model.is_empty() || s.model.eq_ignore_ascii_case(model))
            && (pipeline.is_empty()
                || s.pipeline.is_empty()
                || s.pipeline.eq_ignore_ascii_case(pipeline))
    };
    let near = |n: &'a Known| n.intervals.iter().filter(|i| distance(i, t) <= DAY_MS);
    let exact = |s: &Surface| fits(s) && !s.model.is_empty();
    let only_exact = !model.is_empty()
        && nodes.iter().flat_map(|n| near(n)).any(|i| i.surfaces.iter().any(exact));
    let keeps = |s: &&Surface| if only_exact { exact(s) } else { fits(s) };
    let mut all = Vec::new();
    for node in nodes {
        let eligible = near(node).filter(|i| i.surfaces.iter().any(|s| keeps(&s)));
        let Some(interval) = eligible.min_by_key(|i| (band(i, t), distance(i, t))) else {
            continue;
        };
        let band = band(interval, t);
        all.extend(interval.surfaces.iter().filter(keeps).map(|surface| Candidate {
            node,
            surface,
            band,
        }));
    }
    all
}

impl Candidate<'_> {
    /// What must be one and the same for all candidates of the best band.
    fn identity(&self) -> (&str, &str, &str, &str) {
        (&self.node.canonical, &self.node.url, self.surface.pipeline, self.surface.model)
    }

    /// Steps 5 and 6.
    fn decision(&self, pipeline_hint: &str, model_hint: &str) -> Decision {
        let (surface, direct) = (self.surface, self.band <= 2);
        let (status, reason) = match (self.band, surface.gpus.is_empty()) {
            (0..=2, true) => ("hardware_less", "matched_without_hardware"),
            (0 | 1, false) => ("resolved", "matched"),
            (2, false) => ("resolved", "future_skew"),
            _ => ("stale", "stale_candidate"),
        };
        let model = if surface.model.is_empty() { model_hint } else { surface.model };
        let pipeline = if surface.pipeline.is_empty() { pipeline_hint } else { surface.pipeline };
        let pipeline = if pipeline.eq_ignore_ascii_case(model) { "" } else { pipeline };
        Decision {
            status,
            reason,
            source: if direct { "direct" } else { "mapped_window" },
            canonical: self.node.canonical.clone(),
            url: self.node.url.clone(),
            pipeline: pipeline.to_owned(),
            model: model.to_owned(),
            gpu: (surface.gpus.len() == 1).then(|| surface.gpus[0]),
            gpu_candidates: surface.gpus.len(),
        }
    }
}
