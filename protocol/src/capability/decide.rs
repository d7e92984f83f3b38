//! Which node, model and GPU served a selection (lifecycle 7.10; clarifications 1, 10, 11, 21 to 24;
//! backlog 022, 023): a pure function of the selection and the set of advertisements.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::advertise::{Node, Offer};
use super::catalogue::{Hint, canonical_pipeline};
use super::index::{Index, Interval, Seen};
use crate::identity::norm_url;
use crate::time::Timestamp;

/// How far a selection may lie from an interval and still count as direct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectWindow {
    /// After the last advertisement, ms.
    pub prior_ms: i64,
    /// Before the first advertisement, ms.
    pub future_ms: i64,
}

impl Default for DirectWindow {
    /// 10 minutes and 30 seconds.
    fn default() -> Self {
        Self { prior_ms: 600_000, future_ms: 30_000 }
    }
}

/// What a session observed when it began to use an orchestrator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection<'s> {
    /// Gateway time of its first signal.
    pub ts: Timestamp,
    /// Observed wallet, normalised, `""` if unknown.
    pub address: &'s str,
    /// Observed service URI in any spelling, `""` if unknown.
    pub url: &'s str,
    /// Pipeline and model hints, normalised.
    pub hint: Hint<'s>,
}

/// Declares an enum whose variants are stored as fixed texts.
macro_rules! labels {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// The text that is stored.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)*
                }
            }
        }
    };
}

labels! {
    /// Column `attribution_status`.
    Status {
        /// Identity from a direct band, on known GPUs.
        Resolved = "resolved",
        /// Identity from a direct band, no GPU known.
        HardwareLess = "hardware_less",
        /// Identity from an advertisement up to 24 h away.
        Stale = "stale",
        /// Several answers: no identity.
        Ambiguous = "ambiguous",
        /// No answer: no identity.
        Unresolved = "unresolved",
    }
}

labels! {
    /// Column `attribution_source`.
    Source {
        /// Inside an interval, at most 10 min after or 30 s before one.
        Direct = "direct",
        /// Up to 24 h away from an interval.
        MappedWindow = "mapped_window",
        /// No identity.
        Unattributed = "unattributed",
    }
}

labels! {
    /// Column `attribution_reason`, as far as a selection decides it.
    Reason {
        /// Inside or shortly after an interval.
        Matched = "matched",
        /// Shortly before an interval.
        FutureSkew = "future_skew",
        /// Far from every interval.
        StaleCandidate = "stale_candidate",
        /// A direct match of a model without known GPUs.
        MatchedWithoutHardware = "matched_without_hardware",
        /// More than one node, pipeline or model fits equally.
        AmbiguousCandidates = "ambiguous_candidates",
        /// The observed node advertises other models or pipelines only.
        NoCompatibleCandidate = "no_compatible_candidate",
        /// Nothing was advertised under the observed identity within 24 h.
        MissingCandidate = "missing_candidate",
        /// The observed URI is unknown; the observed address is a hot wallet of another node.
        MissingUriAliasPresent = "missing_uri_snapshot_local_alias_present",
        /// The observed URI is unknown; the observed address is the canonical one of another node.
        MissingUriAddressPresent = "missing_uri_snapshot_address_match_present",
    }
}

labels! {
    /// Column `attribution_identity`: what matched.
    Identity {
        /// The service URI.
        Uri = "uri",
        /// The canonical address.
        Address = "address",
        /// A hot wallet.
        Alias = "alias",
        /// Nothing.
        None = "",
    }
}

labels! {
    /// Column `gpu_attribution_method`.
    Method {
        /// Advertised at the very moment, confidence 1.0.
        Exact = "exact_orchestrator_time_match",
        /// Advertised before, confidence 0.9.
        NearestPrior = "nearest_prior_snapshot",
        /// Advertised after, confidence 0.7.
        NearestWithinTtl = "nearest_snapshot_within_ttl",
        /// Not attributed, confidence 0.
        None = "none",
    }
}

impl Method {
    /// Column `gpu_attribution_confidence`, 0 to 1.
    pub fn confidence(self) -> f32 {
        match self {
            Self::Exact => 1.0,
            Self::NearestPrior => 0.9,
            Self::NearestWithinTtl => 0.7,
            Self::None => 0.0,
        }
    }
}

labels! {
    /// Columns `pipeline_source` and `model_source`.
    NameSource {
        /// Advertised.
        Capability = "capability",
        /// Said by the signal.
        Hint = "hint",
        /// Follows from the model's name.
        Inferred = "inferred",
        /// Unknown.
        None = "none",
    }
}

/// Pipeline and model of a row after a decision (lifecycle 7.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names<'n> {
    /// Pipeline slug or BYOC capability name, `""` if unknown; never equal to the model.
    pub pipeline: &'n str,
    /// Where the pipeline comes from.
    pub pipeline_source: NameSource,
    /// Model, `""` if unknown.
    pub model: &'n str,
    /// Where the model comes from.
    pub model_source: NameSource,
}

impl<'n> Names<'n> {
    /// Advertised names go before hints; a known name is never replaced by a blank.
    pub fn new(chosen: Option<&'n Chosen>, hint: &'n Hint<'_>) -> Self {
        let (advertised_pipeline, advertised_model) =
            chosen.map_or(("", ""), |chosen| (&chosen.pipeline, &chosen.model));
        let hinted = if hint.inferred { NameSource::Inferred } else { NameSource::Hint };
        let (model, model_source) = first_known(advertised_model, &hint.model, NameSource::Hint);
        let (pipeline, pipeline_source) = first_known(advertised_pipeline, &hint.pipeline, hinted);
        match canonical_pipeline(pipeline, model) {
            "" => Self { pipeline: "", pipeline_source: NameSource::None, model, model_source },
            pipeline => Self { pipeline, pipeline_source, model, model_source },
        }
    }
}

fn first_known<'n>(
    advertised: &'n str,
    hint: &'n str,
    hinted: NameSource,
) -> (&'n str, NameSource) {
    match (advertised, hint) {
        ("", "") => ("", NameSource::None),
        ("", hint) => (hint, hinted),
        (advertised, _) => (advertised, NameSource::Capability),
    }
}

/// The advertised surface that was chosen, in the spelling of the advertisement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Canonical address and normalised URI.
    pub node: Node,
    /// Advertised pipeline, `""` if unknown.
    pub pipeline: String,
    /// Advertised model, `""` if unknown.
    pub model: String,
    /// The GPU if there is exactly one candidate, else `""`.
    pub gpu_id: String,
    /// How many GPUs it can have been.
    pub gpu_candidate_count: u32,
    /// Time of the advertisement that is the evidence.
    pub snapshot_ts: Timestamp,
    /// Event uid of that advertisement.
    pub snapshot_uid: String,
    /// Milliseconds between selection and evidence, not negative.
    pub distance_ms: i64,
}

/// The answer for one selection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Outcome.
    pub status: Status,
    /// Evidence class.
    pub source: Source,
    /// Why.
    pub reason: Reason,
    /// What matched; [`Identity::None`] without a chosen surface.
    pub identity: Identity,
    /// How the evidence lies in time.
    pub method: Method,
    /// The surface; present iff the status is resolved, hardware-less or stale.
    pub chosen: Option<Chosen>,
}

impl Decision {
    fn without_identity(status: Status, reason: Reason) -> Self {
        Self {
            status,
            source: Source::Unattributed,
            reason,
            identity: Identity::None,
            method: Method::None,
            chosen: None,
        }
    }
}

/// How an interval lies to a moment, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Band {
    Inside,
    Prior,
    Future,
    MappedPrior,
    MappedFuture,
}

/// An interval of a node, with the offers that fit the hints.
struct Candidate<'i> {
    node: &'i Node,
    interval: Interval<'i>,
    offers: Vec<&'i Offer>,
}

/// Decides a selection. `index` must hold what is known under its URI and its address.
pub fn decide(index: &Index, selection: &Selection<'_>, window: DirectWindow) -> Decision {
    let (identity, mut candidates) = match identify(index, selection) {
        Ok(found) => found,
        Err(reason) => return Decision::without_identity(Status::Unresolved, reason),
    };
    keep_compatible(&mut candidates, &selection.hint);
    let Some((band, best)) = nearest(candidates, selection.ts, window) else {
        let reason = Reason::NoCompatibleCandidate;
        return Decision::without_identity(Status::Unresolved, reason);
    };
    let Some(chosen) = single_surface(band, &best, selection.ts) else {
        return Decision::without_identity(Status::Ambiguous, Reason::AmbiguousCandidates);
    };
    conclude(identity, band, chosen)
}

/// Step 1: the intervals around the selection whose node it names.
fn identify<'i>(
    index: &'i Index,
    selection: &Selection<'_>,
) -> Result<(Identity, Vec<Candidate<'i>>), Reason> {
    let around = |keep: &dyn Fn(&Node, &Interval<'_>) -> bool| -> Vec<Candidate<'i>> {
        let intervals = index.nodes().flat_map(|(node, runs)| {
            runs.intervals(selection.ts).into_iter().map(move |interval| (node, interval))
        });
        intervals
            .filter(|(node, interval)| keep(node, interval))
            .map(|(node, interval)| {
                let offers = interval.content().offers.iter().collect();
                Candidate { node, interval, offers }
            })
            .collect()
    };
    let address = selection.address;
    let by_address = || around(&|node, _| !address.is_empty() && node.canonical == address);
    let by_alias = || {
        around(&|_, interval| {
            !address.is_empty() && interval.aliases().any(|alias| alias == address)
        })
    };
    let url = norm_url(selection.url);
    if url.is_empty() {
        let found = by_address();
        if !found.is_empty() {
            return Ok((Identity::Address, found));
        }
        let found = by_alias();
        return if found.is_empty() {
            Err(Reason::MissingCandidate)
        } else {
            Ok((Identity::Alias, found))
        };
    }
    let found = around(&|node, _| node.url == url);
    if !found.is_empty() {
        Ok((Identity::Uri, found))
    } else if !by_alias().is_empty() {
        Err(Reason::MissingUriAliasPresent)
    } else if !by_address().is_empty() {
        Err(Reason::MissingUriAddressPresent)
    } else {
        Err(Reason::MissingCandidate)
    }
}

/// Step 2: only offers that fit the hints; blank models only when no offer names the hinted model.
fn keep_compatible(candidates: &mut Vec<Candidate<'_>>, hint: &Hint<'_>) {
    let same = |hint: &str, offered: &str| {
        hint.is_empty() || offered.is_empty() || hint.eq_ignore_ascii_case(offered)
    };
    for candidate in &mut *candidates {
        candidate
            .offers
            .retain(|o| same(&hint.model, &o.model) && same(&hint.pipeline, &o.pipeline));
    }
    let named = |offer: &&Offer| !offer.model.is_empty();
    let any_named = candidates.iter().any(|candidate| candidate.offers.iter().any(named));
    for candidate in &mut *candidates {
        if !hint.model.is_empty() && any_named {
            candidate.offers.retain(named);
        }
    }
    candidates.retain(|candidate| !candidate.offers.is_empty());
}

/// Step 3: of each node the interval with the best band, then the smallest distance; then the nodes
/// in the best band.
fn nearest(
    candidates: Vec<Candidate<'_>>,
    t: Timestamp,
    window: DirectWindow,
) -> Option<(Band, Vec<Candidate<'_>>)> {
    let mut per_node: BTreeMap<&Node, ((Band, i64), Candidate<'_>)> = BTreeMap::new();
    for candidate in candidates {
        let rank = rank(&candidate.interval, t, window);
        let worse = |best: &((Band, i64), Candidate<'_>)| best.0 > rank;
        if per_node.get(candidate.node).is_none_or(worse) {
            per_node.insert(candidate.node, (rank, candidate));
        }
    }
    let best = per_node.values().map(|((band, _), _)| *band).min()?;
    let in_best = per_node.into_values().filter(|((band, _), _)| *band == best);
    Some((best, in_best.map(|(_, candidate)| candidate).collect()))
}

fn rank(interval: &Interval<'_>, t: Timestamp, window: DirectWindow) -> (Band, i64) {
    let after_last = interval.seen().next_back().map_or(0, |seen| t.millis_since(seen.ts));
    let before_first = interval.seen().next().map_or(0, |seen| seen.ts.millis_since(t));
    match (after_last, before_first) {
        (after, _) if after > window.prior_ms => (Band::MappedPrior, after),
        (_, before) if before > window.future_ms => (Band::MappedFuture, before),
        (after, _) if after > 0 => (Band::Prior, after),
        (_, before) if before > 0 => (Band::Future, before),
        _ => (Band::Inside, 0),
    }
}

/// Steps 4 and 5: the surface if there is only one, with its GPU if there is only one.
fn single_surface(band: Band, best: &[Candidate<'_>], t: Timestamp) -> Option<Chosen> {
    let mut surfaces = best.iter().flat_map(|candidate| {
        candidate.offers.iter().map(|o| {
            let (pipeline, model) = (o.pipeline.to_ascii_lowercase(), o.model.to_ascii_lowercase());
            (candidate.node, pipeline, model)
        })
    });
    let first = surfaces.next()?;
    if surfaces.any(|surface| surface != first) {
        return None;
    }
    let candidate = best.first()?;
    let gpus: BTreeMap<String, &String> = candidate
        .offers
        .iter()
        .flat_map(|offer| offer.gpus.iter().rev())
        .map(|gpu| (gpu.to_ascii_lowercase(), gpu))
        .collect();
    let evidence = evidence(band, &candidate.interval, t)?;
    let offer = candidate.offers.first()?;
    let only_gpu = gpus.values().next().filter(|_| gpus.len() == 1);
    Some(Chosen {
        node: candidate.node.clone(),
        pipeline: offer.pipeline.clone(),
        model: offer.model.clone(),
        gpu_id: only_gpu.map(|gpu| (*gpu).clone()).unwrap_or_default(),
        gpu_candidate_count: u32::try_from(gpus.len()).unwrap_or(u32::MAX),
        snapshot_ts: evidence.ts,
        snapshot_uid: evidence.uid.clone(),
        distance_ms: t.0.abs_diff(evidence.ts.0).try_into().unwrap_or(i64::MAX),
    })
}

/// The latest advertisement up to `t`; before an interval its first (clarification 24).
fn evidence<'i>(band: Band, interval: &Interval<'i>, t: Timestamp) -> Option<&'i Seen> {
    match band {
        Band::Future | Band::MappedFuture => interval.seen().next(),
        Band::Inside | Band::Prior | Band::MappedPrior => {
            interval.seen().rev().find(|seen| seen.ts <= t)
        }
    }
}

/// Step 6.
fn conclude(identity: Identity, band: Band, chosen: Chosen) -> Decision {
    let (mut status, source, mut reason) = match band {
        Band::Inside | Band::Prior => (Status::Resolved, Source::Direct, Reason::Matched),
        Band::Future => (Status::Resolved, Source::Direct, Reason::FutureSkew),
        Band::MappedPrior | Band::MappedFuture => {
            (Status::Stale, Source::MappedWindow, Reason::StaleCandidate)
        }
    };
    if status == Status::Resolved && chosen.gpu_candidate_count == 0 {
        (status, reason) = (Status::HardwareLess, Reason::MatchedWithoutHardware);
    }
    let method = match band {
        Band::Inside if chosen.distance_ms == 0 => Method::Exact,
        Band::Inside | Band::Prior | Band::MappedPrior => Method::NearestPrior,
        Band::Future | Band::MappedFuture => Method::NearestWithinTtl,
    };
    Decision { status, source, reason, identity, method, chosen: Some(chosen) }
}

#[cfg(test)]
mod tests;
