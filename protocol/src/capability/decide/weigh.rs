//! The steps of a decision. No step drops a candidate: it notes what became of it, so that a decision
//! and its explanation are the same computation.

use std::collections::BTreeMap;

use super::{
    Band, Chosen, Considered, Decision, DirectWindow, Fate, Identity, Method, Reason, Selection,
    Source, Status,
};
use crate::capability::advertise::{Node, Offer};
use crate::capability::catalogue::Hint;
use crate::capability::index::{Index, Interval, Seen};
use crate::identity::norm_url;
use crate::time::Timestamp;

/// An interval around the selection.
pub(super) struct Candidate<'i> {
    node: &'i Node,
    interval: Interval<'i>,
    /// The offers that fit the hints.
    offers: Vec<&'i Offer>,
    /// How it lies to the selection, and how far from it in milliseconds; the least is the best.
    rank: (Band, i64),
    /// `None` while it still stands.
    fate: Option<Fate>,
}

impl Candidate<'_> {
    /// It for people.
    pub(super) fn considered(&self) -> Considered {
        let ts = |seen: Option<&Seen>| seen.map(|seen| seen.ts).unwrap_or_default();
        let (band, distance_ms) = self.rank;
        Considered {
            node: self.node.clone(),
            offers: self.interval.content().offers.clone(),
            first_ts: ts(self.interval.seen().next()),
            last_ts: ts(self.interval.seen().next_back()),
            advertisements: u32::try_from(self.interval.seen().count()).unwrap_or(u32::MAX),
            band,
            distance_ms,
            // Without a chosen surface every candidate fell before the last step.
            fate: self.fate.unwrap_or(Fate::Ambiguous),
        }
    }

    /// The selection names its node by `identity`.
    fn is_named(&self, identity: Identity, url: &str, address: &str) -> bool {
        match identity {
            Identity::Uri => self.node.url == url,
            Identity::Address => !address.is_empty() && self.node.canonical == address,
            Identity::Alias => {
                !address.is_empty() && self.interval.aliases().any(|alias| alias == address)
            }
            Identity::None => false,
        }
    }
}

/// Decides a selection; tells what became of every interval around it.
pub(super) fn weigh<'i>(
    index: &'i Index,
    selection: &Selection<'_>,
    window: DirectWindow,
) -> (Decision, Vec<Candidate<'i>>) {
    let mut candidates: Vec<Candidate<'i>> = index
        .nodes()
        .flat_map(|(node, runs)| {
            runs.intervals(selection.ts).into_iter().map(move |interval| {
                let offers = interval.content().offers.iter().collect();
                let rank = rank(&interval, selection.ts, window);
                Candidate { node, interval, offers, rank, fate: None }
            })
        })
        .collect();
    let decision = judge(&mut candidates, selection);
    (decision, candidates)
}

fn judge(candidates: &mut [Candidate<'_>], selection: &Selection<'_>) -> Decision {
    let identity = match identify(candidates, selection) {
        Ok(identity) => identity,
        Err(reason) => return Decision::without_identity(Status::Unresolved, reason),
    };
    keep_compatible(candidates, &selection.hint);
    let Some(band) = keep_nearest(candidates) else {
        let reason = Reason::NoCompatibleCandidate;
        return Decision::without_identity(Status::Unresolved, reason);
    };
    match single_surface(band, candidates, selection.ts) {
        Some(chosen) => conclude(identity, band, chosen),
        None => Decision::without_identity(Status::Ambiguous, Reason::AmbiguousCandidates),
    }
}

fn standing<'c, 'i>(
    candidates: &'c mut [Candidate<'i>],
) -> impl Iterator<Item = &'c mut Candidate<'i>> {
    candidates.iter_mut().filter(|candidate| candidate.fate.is_none())
}

/// Step 1: the candidates whose node the selection names, and by what it does.
fn identify(
    candidates: &mut [Candidate<'_>],
    selection: &Selection<'_>,
) -> Result<Identity, Reason> {
    let url = norm_url(selection.url);
    let is_named = |candidate: &Candidate<'_>, identity: Identity| {
        candidate.is_named(identity, &url, selection.address)
    };
    let [by_uri, by_address, by_alias] = [Identity::Uri, Identity::Address, Identity::Alias]
        .map(|identity| candidates.iter().any(|c| is_named(c, identity)));
    let identity = match (url.is_empty(), by_address) {
        (false, _) => Identity::Uri,
        (true, true) => Identity::Address,
        (true, false) => Identity::Alias,
    };
    for candidate in &mut *candidates {
        if !is_named(candidate, identity) {
            candidate.fate = Some(Fate::OtherIdentity);
        }
    }
    match identity {
        Identity::Uri if by_uri => Ok(identity),
        Identity::Uri if by_alias => Err(Reason::MissingUriAliasPresent),
        Identity::Uri if by_address => Err(Reason::MissingUriAddressPresent),
        Identity::Address | Identity::Alias if by_address || by_alias => Ok(identity),
        _ => Err(Reason::MissingCandidate),
    }
}

/// Step 2: only offers that fit the hints; blank models only when no offer names the hinted model.
fn keep_compatible(candidates: &mut [Candidate<'_>], hint: &Hint<'_>) {
    let same = |hint: &str, offered: &str| {
        hint.is_empty() || offered.is_empty() || hint.eq_ignore_ascii_case(offered)
    };
    let named = |offer: &&Offer| !offer.model.is_empty();
    let mut any_named = false;
    for candidate in standing(candidates) {
        let Candidate { offers, fate, .. } = candidate;
        offers.retain(|o| same(&hint.model, &o.model) && same(&hint.pipeline, &o.pipeline));
        any_named |= offers.iter().any(named);
        *fate = offers.is_empty().then_some(Fate::Incompatible);
    }
    if hint.model.is_empty() || !any_named {
        return;
    }
    for candidate in standing(candidates) {
        candidate.offers.retain(named);
        candidate.fate = candidate.offers.is_empty().then_some(Fate::UnnamedModel);
    }
}

/// Step 3: of each node the interval with the best band, then the smallest distance; then the nodes
/// in the best band. `None` when no candidate stands.
fn keep_nearest(candidates: &mut [Candidate<'_>]) -> Option<Band> {
    let mut per_node: BTreeMap<&Node, &mut Candidate<'_>> = BTreeMap::new();
    for candidate in standing(candidates) {
        match per_node.get_mut(candidate.node) {
            Some(best) if best.rank <= candidate.rank => {
                candidate.fate = Some(Fate::FartherInterval);
            }
            Some(best) => {
                best.fate = Some(Fate::FartherInterval);
                *best = candidate;
            }
            None => {
                per_node.insert(candidate.node, candidate);
            }
        }
    }
    let best = standing(candidates).map(|candidate| candidate.rank.0).min()?;
    for candidate in standing(candidates).filter(|candidate| candidate.rank.0 != best) {
        candidate.fate = Some(Fate::WorseBand);
    }
    Some(best)
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
fn single_surface(band: Band, candidates: &mut [Candidate<'_>], t: Timestamp) -> Option<Chosen> {
    let mut surfaces = candidates.iter().filter(|c| c.fate.is_none()).flat_map(|candidate| {
        candidate.offers.iter().map(|o| {
            let (pipeline, model) = (o.pipeline.to_ascii_lowercase(), o.model.to_ascii_lowercase());
            (candidate.node, pipeline, model)
        })
    });
    let first = surfaces.next()?;
    if surfaces.any(|surface| surface != first) {
        standing(candidates).for_each(|candidate| candidate.fate = Some(Fate::Ambiguous));
        return None;
    }
    let candidate = standing(candidates).next()?;
    candidate.fate = Some(Fate::Chosen);
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
        capacity: evidence
            .capacities
            .iter()
            .find(|(model, _)| model.eq_ignore_ascii_case(&offer.model))
            .map(|(_, slots)| *slots),
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
