//! What must hold of a session's rows: the swap lineage reconciles (lifecycle 6.1) and nothing that
//! was published is unsaid (lifecycle 3.4). A violation is a counted data-quality defect.
//!
//! What types rule out is not looked at: a session has one startup class, and a pen never repeats a
//! version.

use naap_protocol::capability::decide::Reason;
use naap_protocol::time::Timestamp;

use super::segments::canonical;
use super::selection::Selection;
use super::story::Story;
use super::swaps::{Kind, Outcome, Swap};

/// A rule that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// 6.1.1: explicit rows are not as many as swap traces.
    SwapCount,
    /// 6.1.2: of two completed rows in a row, the second leaves somebody else than the first one
    /// brought. Traces that contradict the signals lead to it.
    BrokenChain,
    /// 6.1.3: a segment boundary has not exactly one completed row (clarification 6).
    Boundary,
    /// 6.1.4: changes are inferred without two segment orchestrators, or the other way round.
    InferredCount,
    /// 6.1.5: who was left and who took over do not fit the outcome.
    Outcome,
    /// 6.1.6: the first row leaves somebody else than the first segment's orchestrator. Traces that
    /// contradict the signals lead to it.
    FirstPrevious,
    /// 3.4: a flag that was set is no longer.
    FlagRevoked,
    /// 3.4: a first time or the start moved later.
    FirstLater,
    /// 3.4: the end moved earlier, or lies before the start.
    EndEarlier,
    /// 3.4: a counter shrank.
    CounterShrank,
    /// 3.4: the set of orchestrators shrank without another selection or attribution.
    CanonicalsShrank,
}

impl Defect {
    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::SwapCount => "swap_count",
            Self::BrokenChain => "swap_chain",
            Self::Boundary => "swap_boundary",
            Self::InferredCount => "swap_inferred_count",
            Self::Outcome => "swap_outcome",
            Self::FirstPrevious => "swap_first_previous",
            Self::FlagRevoked => "flag_revoked",
            Self::FirstLater => "first_later",
            Self::EndEarlier => "end_earlier",
            Self::CounterShrank => "counter_shrank",
            Self::CanonicalsShrank => "canonicals_shrank",
        }
    }

    /// The signals themselves can lead to it: a swap trace may name somebody who was never seen.
    pub fn is_of_data(self) -> bool {
        matches!(self, Self::BrokenChain | Self::FirstPrevious)
    }
}

/// The validations of lifecycle 6.1 that do not hold.
pub fn lineage_defects(story: &Story<'_>) -> Vec<Defect> {
    let swaps = &story.swaps;
    let explicit = swaps.iter().filter(|swap| swap.kind == Kind::Explicit).count();
    let completed = |swap: &Swap<'_>| swap.outcome == Outcome::Completed;
    let chain = swaps.windows(2).filter(|pair| pair.iter().all(completed));
    let mut known: Vec<&str> =
        (0..story.segments.len()).map(|index| canonical(story, Some(index))).collect();
    let first = known.first().copied().unwrap_or_default();
    let left = swaps.first().map_or("", |swap| swap.previous.address);
    known.sort_unstable();
    known.dedup();
    let several = known.iter().filter(|address| !address.is_empty()).count() > 1;
    let rules = [
        (explicit == story.summary.swaps as usize, Defect::SwapCount),
        (
            chain.into_iter().all(|pair| taken_over(&pair[0]) == pair[1].previous.address),
            Defect::BrokenChain,
        ),
        (boundaries_are_completed(story), Defect::Boundary),
        (several == (story.canonicals().len() > 1), Defect::InferredCount),
        (swaps.iter().all(outcome_fits), Defect::Outcome),
        (first.is_empty() || left.is_empty() || first == left, Defect::FirstPrevious),
    ];
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, defect)| defect).collect()
}

fn taken_over<'a>(swap: &Swap<'a>) -> &'a str {
    swap.next.map_or("", |next| next.party.address)
}

fn outcome_fits(swap: &Swap<'_>) -> bool {
    let (previous, next) = (swap.previous.address, taken_over(swap));
    match swap.outcome {
        Outcome::Completed => previous != next && !next.is_empty(),
        Outcome::SameOrchestratorRetry => previous == next && !next.is_empty(),
        Outcome::NoReplacement | Outcome::Pending | Outcome::Unresolved => next.is_empty(),
    }
}

/// Each segment but the first has one completed row whose evidence is the signal that opened it
/// (clarification 6). Other signals of the same moment do not count.
fn boundaries_are_completed(story: &Story<'_>) -> bool {
    let mut rows = vec![0; story.segments.len()];
    for swap in story.swaps.iter().filter(|swap| swap.outcome == Outcome::Completed) {
        let segment = swap.to.and_then(|to| Some((to, story.segments.get(to)?)));
        let Some(((to, segment), next)) = segment.zip(swap.next) else { continue };
        rows[to] += usize::from(next.at == segment.opened_by);
    }
    rows.iter().skip(1).all(|&rows| rows == 1)
}

/// What was published of a session and must not be unsaid.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    flags: [bool; 3],
    /// Start and first times.
    firsts: [Option<Timestamp>; 4],
    end_ts: Option<Timestamp>,
    counters: [u32; 9],
    canonicals: usize,
    /// What the set of orchestrators follows from.
    evidence: Vec<(Selection, Reason, Option<Timestamp>)>,
    /// Signals that are not folded: an early one can cut off all others (clarification 12).
    late_expired: u32,
}

impl Published {
    /// What is published of `story`.
    pub fn of(story: &Story<'_>) -> Self {
        let summary = story.summary;
        let (startup, health) = (summary.startup(), summary.health);
        let evidence = story.counted().iter().map(|attributed| {
            let snapshot = attributed.chosen().map(|chosen| chosen.snapshot_ts);
            (attributed.selection, attributed.decision.reason, snapshot)
        });
        let edges = [summary.request, summary.processed, summary.playable];
        let [request, processed, playable] = edges.map(|edge| edge.map(|edge| edge.ts));
        Self {
            flags: [startup.known_stream, startup.playable, startup.no_orchestrators],
            firsts: [summary.start_ts, request, processed, playable],
            end_ts: summary.end_ts,
            counters: [
                summary.events,
                summary.errors,
                summary.excusable_errors,
                summary.swaps,
                summary.params_updates,
                health.samples,
                health.non_loading,
                health.positive_output,
                health.with_error,
            ],
            canonicals: story.canonicals().len(),
            evidence: evidence.collect(),
            late_expired: summary.late_expired,
        }
    }

    /// What lifecycle 3.4 forbids between `self`, published before, and `now`. Counts of what is
    /// after the close, of selections and of the tail may shrink (clarification 13).
    pub fn illegal_steps(&self, now: &Self) -> Vec<Defect> {
        if now.late_expired > self.late_expired {
            return Vec::new();
        }
        let later = |(before, now): (&Option<Timestamp>, &Option<Timestamp>)| {
            before.is_some_and(|before| now.is_none_or(|now| now > before))
        };
        let pairs = self.counters.iter().zip(&now.counters);
        let start = now.firsts[0];
        let rules = [
            (self.flags.iter().zip(now.flags).all(|(&was, is)| was <= is), Defect::FlagRevoked),
            (!self.firsts.iter().zip(&now.firsts).any(later), Defect::FirstLater),
            (self.end_ts <= now.end_ts && start <= now.end_ts, Defect::EndEarlier),
            (pairs.into_iter().all(|(before, now)| before <= now), Defect::CounterShrank),
            (
                self.canonicals <= now.canonicals || self.evidence != now.evidence,
                Defect::CanonicalsShrank,
            ),
        ];
        rules.into_iter().filter(|(holds, _)| !holds).map(|(_, defect)| defect).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> Published {
        Published {
            flags: [true, false, true],
            firsts: [Some(Timestamp(10)), Some(Timestamp(10)), None, Some(Timestamp(30))],
            end_ts: Some(Timestamp(40)),
            counters: [9, 8, 7, 6, 5, 4, 3, 2, 1],
            canonicals: 2,
            evidence: Vec::new(),
            late_expired: 0,
        }
    }

    /// Something that happens to a published session.
    type Step = fn(&mut Published);

    #[test]
    fn every_illegal_step_is_named() {
        let steps: [(Step, &[Defect]); 12] = [
            (|_| (), &[]),
            (|p| p.flags[1] = true, &[]),
            (|p| p.flags[0] = false, &[Defect::FlagRevoked]),
            (|p| p.firsts[1] = Some(Timestamp(9)), &[]),
            (|p| p.firsts[2] = Some(Timestamp(20)), &[]),
            (|p| p.firsts[1] = Some(Timestamp(11)), &[Defect::FirstLater]),
            (|p| p.firsts[3] = None, &[Defect::FirstLater]),
            (|p| p.end_ts = Some(Timestamp(39)), &[Defect::EndEarlier]),
            (|p| p.counters[8] = 0, &[Defect::CounterShrank]),
            (|p| p.canonicals = 1, &[Defect::CanonicalsShrank]),
            (
                |p| {
                    p.canonicals = 1;
                    p.evidence.push((selection(), Reason::MissingCandidate, None));
                },
                &[],
            ),
            (|p| (p.counters, p.late_expired) = ([0; 9], 1), &[]),
        ];
        for (number, (step, expected)) in steps.into_iter().enumerate() {
            let mut now = published();
            step(&mut now);
            assert_eq!(published().illegal_steps(&now), expected, "step {number}");
        }
    }

    fn selection() -> Selection {
        Selection {
            anchor: 0,
            ts: Timestamp(10),
            url: naap_protocol::state::Sym::default(),
            address: naap_protocol::state::Sym::default(),
            hints: crate::session::selection::Hints::default(),
            trigger: crate::session::selection::Trigger::Initial,
        }
    }
}
