//! The instruments of the lifecycle (backlog 004): what happens to sessions, as metrics.
//!
//! Everything is counted from plain values. A shard holds one [`Instruments`], so that counting an
//! event looks no metric up; what belongs to the node is published by the functions at the end.

use std::array::from_fn;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use naap_protocol::event::{Body, Event, TraceType};
use naap_protocol::state::Verdict;
use naap_protocol::time::Timestamp;

use super::Receipt;
use super::arrival::Arrival;
use super::emit::Written;
use super::latency::{Latencies, Missing, is_implausible};
use super::lateness::{Lateness, late_ms};
use super::tally::{Cause, Delayed, EDGES, Tally, UNMATCHED};
use crate::clocks::ClockReport;
use crate::names;
use crate::shard::Ended;

/// Labels `type`: the families that hold signals.
const FAMILIES: [&str; 3] = ["stream_trace", "ai_stream_status", "ai_stream_events"];
/// Labels `metric` of the latencies, v1 and v2.
const FIGURES: [[&str; 3]; 2] = [
    ["v1_prompt_to_first_frame", "v1_startup", "v1_e2e"],
    ["v2_prompt_to_playable", "v2_startup", "v2_e2e"],
];
/// Reasons of missing latencies.
const REASONS: [Missing; 4] =
    [Missing::StartEdge, Missing::EndEdge, Missing::CrossClockSkew, Missing::NegativeInterval];
const FLAGS: [&str; 2] = ["false", "true"];

/// What became of a signal: label `outcome`.
#[derive(Clone, Copy)]
enum Outcome {
    Applied,
    Duplicate,
    Ignored,
    Late,
    LateExpired,
}

impl Outcome {
    const LABELS: [&str; 5] = ["applied", "duplicate", "ignored", "late", "late_expired"];
}

/// How a wait for an answer ended: label `outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    /// An identity is known.
    Attributed,
    /// The answer is that none is known.
    Unattributed,
    /// No answer came in time: rows went out without.
    TimedOut,
}

impl WaitOutcome {
    const LABELS: [&str; 3] = ["attributed", "unattributed", "timed_out"];
}

/// The instruments of one figure of latency.
struct FigureMeters {
    /// By reason and late trickle.
    nulls: [[Counter; 2]; REASONS.len()],
    implausible: Counter,
    multi_gateway: Counter,
}

impl FigureMeters {
    fn new(metric: &'static str) -> Self {
        let null = |reason: usize, late: usize| {
            let (reason, late) = (REASONS[reason].label(), FLAGS[late]);
            counter!(names::NULL_LATENCY, "metric" => metric, "reason" => reason, "late_trickle" => late)
        };
        Self {
            nulls: from_fn(|reason| from_fn(|late| null(reason, late))),
            implausible: counter!(names::IMPLAUSIBLE_LATENCY, "metric" => metric),
            multi_gateway: counter!(names::MULTI_GATEWAY, "metric" => metric),
        }
    }
}

/// The instruments of one shard.
pub struct Instruments {
    signals: [[Counter; Outcome::LABELS.len()]; FAMILIES.len()],
    late: [Counter; Lateness::ALL.len()],
    lateness: [Histogram; Lateness::ALL.len()],
    out_of_order_signals: [Counter; FAMILIES.len()],
    out_of_order: [Counter; TraceType::ALL.len()],
    ignored_start_times: Counter,
    matched: [Counter; EDGES],
    /// By edge and reason; the first reason stands for none.
    unmatched: [[Counter; UNMATCHED.len() - 1]; EDGES],
    coverage: [[Counter; 2]; 3],
    figures: [[FigureMeters; 3]; 2],
    corrections: [Counter; Cause::ALL.len()],
    versions: Histogram,
    /// Few label sets are ever used; each is looked up once.
    attributions: Vec<([&'static str; 3], Counter)>,
    blanked: Counter,
    delayed: [Counter; Delayed::ALL.len()],
    wait: [Histogram; WaitOutcome::LABELS.len()],
    confirmed_swaps: Counter,
    inferred_swaps: Counter,
    open: Gauge,
    retained: Gauge,
    marks: Gauge,
    ended: [Counter; Ended::LABELS.len()],
    watermark_lag: Gauge,
}

impl std::fmt::Debug for Instruments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instruments").finish_non_exhaustive()
    }
}

impl Drop for Instruments {
    /// A shard that is not here any more shows nothing here.
    fn drop(&mut self) {
        for gauge in [&self.open, &self.retained, &self.marks, &self.watermark_lag] {
            gauge.set(0.0);
        }
    }
}

impl Instruments {
    /// The instruments of `shard`, of the recorder that is installed now.
    pub fn new(shard: u16) -> Self {
        let shard = shard.to_string();
        let signal = |family: usize, outcome: usize| counter!(names::SIGNALS, "type" => FAMILIES[family], "outcome" => Outcome::LABELS[outcome]);
        let class = |place: usize| Lateness::ALL[place].label();
        let unmatched = |edge: usize, reason: usize| {
            let reason = UNMATCHED[reason + 1];
            counter!(names::EDGES_UNMATCHED, "edge" => edge_label(edge), "reason" => reason)
        };
        let coverage = |state: usize, terminal: usize| {
            let state = ["matched", "awaiting", "missing"][state];
            counter!(names::COVERAGE_ROWS, "state" => state, "terminal" => FLAGS[terminal])
        };
        Self {
            signals: from_fn(|family| from_fn(|outcome| signal(family, outcome))),
            late: from_fn(|place| counter!(names::LATE, "class" => class(place))),
            lateness: from_fn(|place| histogram!(names::LATENESS_SECONDS, "class" => class(place))),
            out_of_order_signals: from_fn(
                |family| counter!(names::OUT_OF_ORDER_SIGNALS, "type" => FAMILIES[family]),
            ),
            out_of_order: from_fn(|edge| counter!(names::OUT_OF_ORDER, "edge" => edge_label(edge))),
            ignored_start_times: counter!(names::IGNORED_START_TIMES),
            matched: from_fn(|edge| counter!(names::EDGES_MATCHED, "edge" => edge_label(edge))),
            unmatched: from_fn(|edge| from_fn(|reason| unmatched(edge, reason))),
            coverage: from_fn(|state| from_fn(|terminal| coverage(state, terminal))),
            figures: FIGURES.map(|of_version| of_version.map(FigureMeters::new)),
            corrections: Cause::ALL.map(|c| counter!(names::CORRECTIONS, "cause" => c.label())),
            versions: histogram!(names::VERSIONS),
            attributions: Vec::new(),
            blanked: counter!(names::PIPELINES_BLANKED),
            delayed: Delayed::ALL
                .map(|d| counter!(names::ATTRIBUTION_DELAYED, "kind" => d.label())),
            wait: WaitOutcome::LABELS.map(|o| histogram!(names::ATTRIBUTION_WAIT, "outcome" => o)),
            confirmed_swaps: counter!(names::SWAP_SIGNALS, "kind" => "confirmed"),
            inferred_swaps: counter!(names::SWAP_SIGNALS, "kind" => "inferred"),
            open: gauge!(names::SESSIONS_OPEN, "shard" => shard.clone()),
            retained: gauge!(names::SESSIONS_RETAINED, "shard" => shard.clone()),
            marks: gauge!(names::EXPIRED_MARKS, "shard" => shard.clone()),
            ended: Ended::LABELS.map(|kind| counter!(names::STATE_ENDED, "kind" => kind)),
            watermark_lag: gauge!(names::WATERMARK_LAG, "shard" => shard),
        }
    }

    /// Counts a delivery that a session has taken. The same record once more is no news.
    pub fn received(&self, body: &Body<'_>, receipt: &Receipt) {
        let Some(family) = family(body) else { return };
        match (receipt.sighting.verdict, &receipt.arrival) {
            (Verdict::Redelivery, _) => {}
            (Verdict::Duplicate | Verdict::Conflict, _) => {
                self.signal(family, Outcome::Duplicate);
            }
            (Verdict::New, Some(arrival)) => self.arrived(family, body, arrival),
            (Verdict::New, None) => self.signal(family, Outcome::Ignored),
        }
    }

    /// Counts an event of a session that is over, of which only a mark is kept.
    pub fn late_expired(&self, event: &Event<'_>) {
        let Some(family) = family(&event.body) else { return };
        self.signal(family, Outcome::LateExpired);
        let class = Lateness::Expired as usize;
        self.late[class].increment(1);
        let late_ms = late_ms(event.record_ts, event.event_ts);
        self.lateness[class].record(late_ms.unsigned_abs() as f64 / 1_000.0);
    }

    /// Counts a state that was given up.
    pub fn ended(&self, ended: Ended) {
        self.ended[ended as usize].increment(1);
    }

    fn signal(&self, family: usize, outcome: Outcome) {
        self.signals[family][outcome as usize].increment(1);
    }

    fn arrived(&self, family: usize, body: &Body<'_>, arrival: &Arrival) {
        let outcome = match arrival.lateness {
            Lateness::Late => Outcome::Late,
            Lateness::Expired => Outcome::LateExpired,
            Lateness::OnTime | Lateness::Delayed | Lateness::Future => Outcome::Applied,
        };
        self.signal(family, outcome);
        let class = arrival.lateness as usize;
        self.late[class].increment(1);
        self.lateness[class].record(arrival.late_ms.unsigned_abs() as f64 / 1_000.0);
        if arrival.out_of_order {
            self.out_of_order_signals[family].increment(1);
            for edge in arrival.overtaken_by.iter() {
                self.out_of_order[edge as usize].increment(1);
            }
        }
        add(&self.ignored_start_times, arrival.ignored_start.into());
        if matches!(body, Body::Trace(trace) if trace.kind == TraceType::OrchestratorSwap) {
            self.confirmed_swaps.increment(1);
        }
    }

    /// Counts what a write of a session says.
    pub fn wrote(&mut self, written: &Written) {
        let tally = &written.tally;
        self.coverage(tally);
        for (meters, latencies) in self.figures.iter().zip(&tally.latency) {
            if let Some(latencies) = latencies {
                count_latencies(meters, latencies);
            }
        }
        add_each(&self.corrections, &tally.corrections);
        add_each(&self.delayed, &tally.delayed);
        add(&self.inferred_swaps, tally.inferred_swaps);
        add(&self.blanked, tally.is_blanked.into());
        if let Some(labels) = tally.attribution {
            self.attribution(labels);
        }
    }

    fn coverage(&self, tally: &Tally) {
        for (counters, counts) in self.coverage.iter().zip(&tally.coverage) {
            add_each(counters, counts);
        }
        let edges = self.matched.iter().zip(&self.unmatched).zip(&tally.edges);
        for ((matched, unmatched), [match_count, others @ ..]) in edges {
            add(matched, *match_count);
            add_each(unmatched, others);
        }
    }

    fn attribution(&mut self, labels: [&'static str; 3]) {
        let known = self.attributions.iter().position(|(known, _)| *known == labels);
        let place = known.unwrap_or_else(|| {
            let [label, method, reason] = labels;
            let labels_of = [("label", label), ("method", method), ("reason", reason)];
            self.attributions.push((labels, counter!(names::ATTRIBUTION_RESULTS, &labels_of)));
            self.attributions.len() - 1
        });
        self.attributions[place].1.increment(1);
    }

    /// A wait for an answer has ended.
    pub fn waited(&self, outcome: WaitOutcome, wait: Duration) {
        self.wait[outcome as usize].record(wait.as_secs_f64());
    }

    /// A session goes to sleep after its row was written `versions` times.
    pub fn asleep(&self, versions: u32) {
        self.versions.record(f64::from(versions));
    }

    /// Sessions without a close, sessions whose state is kept, and those of which only a mark is.
    pub fn sessions(&self, open: usize, retained: usize, marks: usize) {
        self.open.set(open as f64);
        self.retained.set(retained as f64);
        self.marks.set(marks as f64);
    }

    /// How far the watermark is behind, seconds; `None` before the first record.
    pub fn watermark_lag(&self, seconds: Option<f64>) {
        if let Some(seconds) = seconds {
            self.watermark_lag.set(seconds);
        }
    }
}

/// Counts a lifecycle record of type `family` that the gate ignores, such as a trace of a subtype
/// that is no signal. Other families are not counted.
pub fn ignored(family: &str) {
    if let Some(family) = FAMILIES.iter().find(|known| **known == family) {
        counter!(names::SIGNALS, "type" => *family, "outcome" => Outcome::LABELS[Outcome::Ignored as usize]).increment(1);
    }
}

/// Sessions of some shards that wait for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub sessions: u64,
    /// Since when the longest, node clock; `None` when none waits.
    pub oldest: Option<Timestamp>,
}

impl Waiting {
    /// Adds the sessions of another shard.
    pub fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.oldest = self.oldest.into_iter().chain(other.oldest).min();
    }

    /// Shows the sum of all shards of this node; `now` is the node clock.
    pub fn publish(&self, now: Timestamp) {
        let oldest = self.oldest.map_or(0, |oldest| now.millis_since(oldest).max(0));
        gauge!(names::ATTRIBUTION_PENDING).set(self.sessions as f64);
        gauge!(names::ATTRIBUTION_OLDEST).set(oldest as f64 / 1_000.0);
    }
}

/// Shows that an orchestrator of this node holds `by` more intervals, or fewer.
pub fn capability_entries(by: i64) {
    gauge!(names::CAPABILITY_ENTRIES).increment(by as f64);
}

/// Counts intervals that an orchestrator of this node gives up.
pub fn capability_evicted(reason: &'static str, intervals: u64) {
    if intervals > 0 {
        counter!(names::CAPABILITY_EVICTED, "reason" => reason).increment(intervals);
    }
}

/// Shows and tells what a node sees of clocks.
pub fn publish_clocks(report: &ClockReport) {
    let gauge = |pair: &crate::clocks::PairName| {
        let (gateway, orchestrator) = (pair.gateway.to_string(), pair.orchestrator.to_string());
        gauge!(names::CLOCK_SKEW_MS, "gateway" => gateway, "orchestrator" => orchestrator)
    };
    // A gauge can not be taken back; "no number" is what an absent one says.
    report.gone.iter().for_each(|pair| gauge(pair).set(f64::NAN));
    report.shown.iter().for_each(|skew| gauge(&skew.pair).set(skew.ms as f64));
    for pair in &report.steps {
        let (gateway, orchestrator) = (pair.gateway.to_string(), pair.orchestrator.to_string());
        counter!(names::CLOCK_STEP, "gateway" => gateway, "orchestrator" => orchestrator)
            .increment(1);
    }
    counter!(names::CLOCK_LEFT_OUT).increment(report.left_out);
    for skew in &report.warnings {
        let (gateway, orchestrator) = (&*skew.pair.gateway, &*skew.pair.orchestrator);
        tracing::warn!(
            gateway,
            orchestrator,
            skew_ms = skew.ms,
            "the clocks of a gateway and a runner differ; check their time synchronisation"
        );
    }
}

fn count_latencies(meters: &[FigureMeters; 3], latencies: &Latencies) {
    let late = usize::from(latencies.diagnostics.late_trickle);
    for (meters, figure) in meters.iter().zip(latencies.figures()) {
        if let Err(missing) = figure {
            let reason = REASONS.iter().position(|reason| reason.label() == missing.label());
            meters.nulls[reason.unwrap_or_default()][late].increment(1);
        }
        add(&meters.multi_gateway, u32::from(figure == Err(Missing::OtherGateway)));
        add(&meters.implausible, u32::from(is_implausible(figure)));
    }
}

fn add(counter: &Counter, by: u32) {
    if by > 0 {
        counter.increment(by.into());
    }
}

fn add_each(counters: &[Counter], counts: &[u32]) {
    for (counter, by) in counters.iter().zip(counts) {
        add(counter, *by);
    }
}

/// Place of the family of an event among [`FAMILIES`]; `None` when it holds no signals.
fn family(body: &Body<'_>) -> Option<usize> {
    match body {
        Body::Trace(_) => Some(0),
        Body::Status(_) => Some(1),
        Body::Ai(_) => Some(2),
        Body::Ingest(_)
        | Body::Transport(_)
        | Body::Capabilities(_)
        | Body::Discovery(_)
        | Body::Payment(_) => None,
    }
}

/// Label `edge`: the trace edge, or the family of a signal without one.
fn edge_label(place: usize) -> &'static str {
    match TraceType::ALL.get(place) {
        Some(edge) => edge.name(),
        None => FAMILIES[place - TraceType::ALL.len() + 1],
    }
}
