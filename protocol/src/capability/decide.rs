//! Which node, model and GPU served a selection (lifecycle 7.10; clarifications 1, 10, 11, 21 to 24;
//! backlog 022, 023): a pure function of the selection and the set of advertisements. The steps stand
//! in `decide/weigh.rs`.

mod weigh;

use serde::{Deserialize, Serialize};

use super::advertise::{Node, Offer};
use super::catalogue::{Hint, canonical_pipeline};
use super::index::Index;
use crate::time::Timestamp;
use weigh::{Candidate, weigh};

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

labels! {
    /// How an interval lies to a moment, best first.
    Band {
        /// Between its first and its last advertisement.
        Inside = "inside",
        /// The moment is after the last one, within the direct window.
        Prior = "prior",
        /// The moment is before the first one, within the direct window.
        Future = "future",
        /// After the last one, up to 24 h.
        MappedPrior = "mapped_prior",
        /// Before the first one, up to 24 h.
        MappedFuture = "mapped_future",
    }
}

labels! {
    /// What became of a candidate.
    Fate {
        /// It is the answer.
        Chosen = "chosen",
        /// It stands beside others, or offers several things, that fit as well.
        Ambiguous = "ambiguous",
        /// Its node is not the one that was observed.
        OtherIdentity = "other_identity",
        /// It offers only other models or pipelines.
        Incompatible = "incompatible",
        /// It offers no model by name, and another candidate offers the hinted one.
        UnnamedModel = "unnamed_model",
        /// Another interval of the same node is nearer.
        FartherInterval = "farther_interval",
        /// Another node is in a better band.
        WorseBand = "worse_band",
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
    /// A pipeline was known, but it is the model's name and was left blank (backlog 022).
    pub is_blanked: bool,
}

impl<'n> Names<'n> {
    /// Advertised names go before hints; a known name is never replaced by a blank.
    pub fn new(chosen: Option<&'n Chosen>, hint: &'n Hint<'_>) -> Self {
        let (advertised_pipeline, advertised_model) =
            chosen.map_or(("", ""), |chosen| (&chosen.pipeline, &chosen.model));
        let hinted = if hint.inferred { NameSource::Inferred } else { NameSource::Hint };
        let (model, model_source) = first_known(advertised_model, &hint.model, NameSource::Hint);
        let (pipeline, pipeline_source) = first_known(advertised_pipeline, &hint.pipeline, hinted);
        let is_blanked = !pipeline.is_empty() && canonical_pipeline(pipeline, model).is_empty();
        let (pipeline, pipeline_source) =
            if is_blanked { ("", NameSource::None) } else { (pipeline, pipeline_source) };
        Self { pipeline, pipeline_source, model, model_source, is_blanked }
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
    /// Slots that the evidence gives the model; `None` when it says nothing of it, or was taken in by a
    /// build that did not keep them.
    #[serde(default)]
    pub capacity: Option<i64>,
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

/// Decides a selection. `index` must hold what is known under its URI and its address.
pub fn decide(index: &Index, selection: &Selection<'_>, window: DirectWindow) -> Decision {
    weigh(index, selection, window).0
}

/// A decision with everything that it looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What [`decide`] answers.
    pub decision: Decision,
    /// Every advertised interval within ±24 h, by node, then by time.
    pub candidates: Vec<Considered>,
}

/// An advertised interval that a decision looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The node.
    pub node: Node,
    /// Everything that it offers, also what does not fit.
    pub offers: Vec<Offer>,
    /// Its first advertisement within ±24 h.
    pub first_ts: Timestamp,
    /// Its last advertisement within ±24 h.
    pub last_ts: Timestamp,
    /// Advertisements from the first to the last.
    pub advertisements: u32,
    /// How it lies to the selection.
    pub band: Band,
    /// Milliseconds between selection and interval; 0 inside, never negative.
    pub distance_ms: i64,
    /// What became of it.
    pub fate: Fate,
}

/// Decides a selection as [`decide`] does, by the same steps, and tells what became of each
/// candidate.
pub fn trace(index: &Index, selection: &Selection<'_>, window: DirectWindow) -> Trace {
    let (decision, candidates) = weigh(index, selection, window);
    Trace { decision, candidates: candidates.iter().map(Candidate::considered).collect() }
}

#[cfg(test)]
mod tests;
