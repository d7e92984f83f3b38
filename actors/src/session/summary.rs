//! The fold: what a session's ordered signals add up to (lifecycle 2.2, 2.4, 4).

use naap_protocol::event::TraceType;
use naap_protocol::identity::{is_blank, is_url};
use naap_protocol::signal::AiKind;
use naap_protocol::state::{SessionState, StoredBody, StoredSignal, Sym, Symbols};
use naap_protocol::time::{ClockDomain, Timestamp};

use super::outcome::{Health, StartupEvidence, active_ms};
use super::selection::{HintOf, Hints, Selection, SelectionWalk, counted};

/// Earliest start time that is believed: 2000-01-01 (lifecycle 1.7.2).
const EARLIEST_START: Timestamp = Timestamp(946_684_800_000);
/// A start time further than this before its sample is not believed (24 h).
const MAX_START_AGE_MS: i64 = 86_400_000;
/// Samples in this tail before the close are left out of the `before_tail_*` counts (W10).
const CLOSE_TAIL_MS: i64 = 5_000;

/// Stamps further apart than this tell nothing about clocks (24 h, clarification 36).
pub(crate) const MAX_SKEW_PAIR_MS: i64 = 86_400_000;

/// A status sample at `ord_ts` is believed to belong to a stream that runs since `start` (lifecycle
/// 1.7.2).
pub(super) fn is_believed(start: Timestamp, ord_ts: Timestamp) -> bool {
    let age = ord_ts.millis_since(start);
    start >= EARLIEST_START && (0..=MAX_START_AGE_MS).contains(&age)
}

/// The first occurrence of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Place of the signal in total order.
    pub at: u32,
    /// Gateway time.
    pub ts: Timestamp,
    /// Payload time on the clock of the edge; `None` when the payload has none.
    pub source_ts: Option<Timestamp>,
    /// Gateway that saw it.
    pub gateway: Sym,
}

/// A trace that the swap lineage looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Place of the signal in total order.
    pub at: u32,
    /// What it is.
    pub kind: MarkKind,
}

/// Kinds of [`Mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// `orchestrator_swap`.
    Swap,
    /// `gateway_no_orchestrators_available`.
    NoOrchestrators,
    /// `gateway_ingest_stream_closed`.
    Close,
}

/// Accumulated facts of a session, built by [`Summary::push`] in total order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Signals folded.
    pub events: u32,
    /// Earliest ordering time or accepted start time; `None` before the first signal.
    pub start_ts: Option<Timestamp>,
    /// Latest ordering time; `None` before the first signal.
    pub end_ts: Option<Timestamp>,
    /// Latest close; `None` while open.
    pub closed_ts: Option<Timestamp>,
    /// First non-empty gateway label.
    pub gateway: Sym,
    /// First hints of the session.
    pub hints: Hints,
    /// Those hints from each place on where they changed: at most twice.
    hinted: Vec<(u32, Hints)>,
    /// First stream request.
    pub request: Option<Edge>,
    /// First ingest segment sent.
    pub ingest: Option<Edge>,
    /// First stream request at the runner.
    pub runner_request: Option<Edge>,
    /// First output sent by the runner.
    pub output: Option<Edge>,
    /// First processed segment.
    pub processed: Option<Edge>,
    /// First playable edge.
    pub playable: Option<Edge>,
    /// Earliest start time of a status sample that is believed, runner clock.
    pub runner_start: Option<Timestamp>,
    /// Gateway minus runner clock, ms, the smallest seen; `None` without runner stamps.
    pub skew_ms: Option<i64>,
    /// Swaps, exhausted selections and closes in order.
    pub marks: Vec<Mark>,
    /// Selection was exhausted at some point.
    pub no_orchestrators: bool,
    /// Error events.
    pub errors: u32,
    /// Error events on the list of normal endings.
    pub excusable_errors: u32,
    /// Swap traces.
    pub swaps: u32,
    /// Parameter updates.
    pub params_updates: u32,
    /// Status evidence.
    pub health: Health,
    /// Time from each status sample to the next one, ms (see [`active_ms`]).
    pub active_ms: i64,
    /// Signals behind a silence longer than the retention: not folded (vector V24).
    pub late_expired: u32,
    /// A swap trace names an orchestrator.
    swap_names: bool,
    primary: SelectionWalk,
    relayed: SelectionWalk,
    /// Time of the last status sample, whatever its state.
    sampled_at: Option<Timestamp>,
    /// The last hint that was looked at: most signals repeat it.
    known_hint: Option<(Sym, HintOf)>,
}

/// Counts that depend on where the session closed (lifecycle 2.4, W10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloseCounts {
    /// Signals after the close.
    pub post_close_signals: u32,
    /// Error events after the close.
    pub post_close_errors: u32,
    /// Status evidence before the last seconds of the session.
    pub before_tail: Health,
}

impl Summary {
    /// Folds the whole signal set. `retention_ms` bounds silences in live mode.
    pub fn of(state: &SessionState, retention_ms: Option<i64>) -> Self {
        let mut summary = Self::default();
        for signal in &state.signals {
            summary.push(signal, &state.symbols, retention_ms);
        }
        summary
    }

    /// Folds the next signal in total order.
    pub fn push(&mut self, signal: &StoredSignal, symbols: &Symbols, retention_ms: Option<i64>) {
        if self.is_expired_by(signal.ord_ts, retention_ms) {
            self.late_expired += 1;
            return;
        }
        let at = self.events;
        self.events += 1;
        keep_earliest(&mut self.start_ts, signal.ord_ts);
        self.end_ts = Some(signal.ord_ts);
        keep_first(&mut self.gateway, signal.gateway, symbols);
        match signal.body {
            StoredBody::Trace { kind, .. } => self.trace(kind, at, signal, symbols),
            StoredBody::Status { state, output_fps, has_error, start_time, .. } => {
                self.status(symbols.text(state), output_fps, has_error);
                self.activity(signal.ord_ts);
                self.start_time(start_time, signal.ord_ts);
                self.skew(signal);
                self.primary.observe((at, signal.ord_ts), signal.url, signal.address, symbols);
                self.hint((at, signal.hint), symbols);
            }
            StoredBody::Ai { kind, .. } => {
                self.ai(kind);
                self.relayed.observe((at, signal.ord_ts), signal.url, signal.address, symbols);
                self.hint((at, signal.hint), symbols);
            }
        }
    }

    fn is_expired_by(&self, ord_ts: Timestamp, retention_ms: Option<i64>) -> bool {
        self.late_expired > 0
            || retention_ms
                .zip(self.end_ts)
                .is_some_and(|(retention, last)| ord_ts.millis_since(last) > retention)
    }

    fn trace(&mut self, kind: TraceType, at: u32, signal: &StoredSignal, symbols: &Symbols) {
        let (ts, source_ts, gateway) = (signal.ord_ts, signal.source_ts, signal.gateway);
        let edge = Edge { at, ts, source_ts, gateway };
        let mut mark = |kind| self.marks.push(Mark { at, kind });
        let first = match kind {
            TraceType::GatewayReceiveStreamRequest => Some(&mut self.request),
            TraceType::GatewaySendFirstIngestSegment => Some(&mut self.ingest),
            TraceType::GatewayReceiveFirstProcessedSegment => Some(&mut self.processed),
            TraceType::GatewayReceiveFewProcessedSegments => Some(&mut self.playable),
            TraceType::RunnerReceiveStreamRequest => Some(&mut self.runner_request),
            TraceType::RunnerSendFirstProcessedSegment => Some(&mut self.output),
            TraceType::RunnerReceiveFirstIngestSegment
            | TraceType::GatewayReceiveFirstDataSegment => None,
            TraceType::GatewayNoOrchestratorsAvailable => {
                self.no_orchestrators = true;
                mark(MarkKind::NoOrchestrators);
                None
            }
            TraceType::GatewayIngestStreamClosed => {
                self.closed_ts = Some(ts);
                mark(MarkKind::Close);
                None
            }
            // The identity of a swap is the orchestrator being left.
            TraceType::OrchestratorSwap => {
                self.swaps += 1;
                self.swap_names |= names_somebody(signal, symbols);
                mark(MarkKind::Swap);
                self.primary.swap();
                self.relayed.swap();
                return;
            }
        };
        if let Some(first) = first {
            first.get_or_insert(edge);
        }
        if kind.clock() == ClockDomain::Runner {
            self.skew(signal);
        }
        self.primary.observe((at, ts), signal.url, signal.address, symbols);
    }

    /// Takes the `pipeline` text of a status or AI event.
    fn hint(&mut self, (at, text): (u32, Sym), symbols: &Symbols) {
        let known = self.known_hint.filter(|(known, _)| *known == text);
        let hint = known.map(|(_, hint)| hint).or_else(|| HintOf::of(text, symbols));
        let Some(hint) = hint else { return };
        self.known_hint = Some((text, hint));
        let before = self.hints;
        self.hints.keep(hint);
        if self.hints != before {
            self.hinted.push((at, self.hints));
        }
        self.primary.hint(hint);
        self.relayed.hint(hint);
    }

    /// The smallest distance of a relayed stamp from its receipt is the best estimate of the clock
    /// difference (lifecycle 9.2.2).
    fn skew(&mut self, signal: &StoredSignal) {
        let Some(stamp) = signal.source_ts else { return };
        let distance = signal.ord_ts.millis_since(stamp);
        if distance.saturating_abs() <= MAX_SKEW_PAIR_MS {
            self.skew_ms = Some(self.skew_ms.map_or(distance, |known| known.min(distance)));
        }
    }

    fn status(&mut self, state: &str, output_fps: f32, has_error: bool) {
        let health = Health {
            samples: 1,
            non_loading: u32::from(!state.eq_ignore_ascii_case("LOADING")),
            positive_output: u32::from(output_fps > 0.0),
            with_error: u32::from(has_error),
        };
        add(&mut self.health, health);
    }

    fn activity(&mut self, ts: Timestamp) {
        self.active_ms += self.sampled_at.map_or(0, |since| active_ms(since, ts));
        self.sampled_at = Some(ts);
    }

    fn start_time(&mut self, start: Option<Timestamp>, ord_ts: Timestamp) {
        let Some(start) = start.filter(|start| is_believed(*start, ord_ts)) else { return };
        keep_earliest(&mut self.start_ts, start);
        keep_earliest(&mut self.runner_start, start);
    }

    fn ai(&mut self, kind: AiKind) {
        match kind {
            AiKind::Error => self.errors += 1,
            AiKind::ExcusableError => {
                self.errors += 1;
                self.excusable_errors += 1;
            }
            AiKind::ParamsUpdate => self.params_updates += 1,
            AiKind::Other => {}
        }
    }

    /// Every selection, also those after the close: those of traces and statuses, or, where none of
    /// these names an orchestrator, those of relayed events (clarification 26). A swap trace that names
    /// whom it leaves selects nobody, but is no reason to believe relayed events.
    pub fn all_selections(&self) -> &[Selection] {
        let primary = self.primary.all();
        if primary.is_empty() && !self.swap_names { self.relayed.all() } else { primary }
    }

    /// The selections of the session up to its close (clarification 28).
    pub fn selections(&self) -> &[Selection] {
        let all = self.all_selections();
        &all[..counted(all, self.closed_ts)]
    }

    /// The first hints among the signals up to place `at`.
    pub fn hints_at(&self, at: u32) -> Hints {
        let known = self.hinted.iter().rev().find(|(place, _)| *place <= at);
        known.map(|(_, hints)| *hints).unwrap_or_default()
    }

    /// What the startup rules look at.
    pub fn startup(&self) -> StartupEvidence {
        StartupEvidence {
            known_stream: self.request.is_some(),
            playable: self.playable.is_some(),
            no_orchestrators: self.no_orchestrators,
            errors: self.errors,
            excusable_errors: self.excusable_errors,
            selected: !self.selections().is_empty(),
        }
    }

    /// `health_signal_count` and `health_expected_signal_count`.
    pub fn health_signals(&self) -> (u32, u32) {
        let seen = u32::from(self.health.samples > 0)
            + u32::from(self.processed.is_some())
            + u32::from(self.playable.is_some());
        (seen, if self.request.is_some() { 3 } else { 0 })
    }

    /// The part of `signals`, the session's, that is folded: all but those behind a long silence.
    pub fn folded<'s>(&self, signals: &'s [StoredSignal]) -> &'s [StoredSignal] {
        &signals[..signals.len().min(self.events as usize)]
    }

    /// Counts around the close, taken from the end of `signals`, which this summary has folded.
    pub fn close_counts(&self, signals: &[StoredSignal], symbols: &Symbols) -> CloseCounts {
        let mut counts = CloseCounts { before_tail: self.health, ..CloseCounts::default() };
        let Some(closed) = self.closed_ts else { return counts };
        let tail_start = Timestamp(closed.0.saturating_sub(CLOSE_TAIL_MS));
        let folded = self.folded(signals);
        let mut tail_health = Self::default();
        for signal in folded.iter().rev().take_while(|s| s.ord_ts > tail_start) {
            let post_close = signal.ord_ts > closed;
            counts.post_close_signals += u32::from(post_close);
            match signal.body {
                StoredBody::Status { state, output_fps, has_error, .. } => {
                    tail_health.status(symbols.text(state), output_fps, has_error);
                }
                StoredBody::Ai { kind: AiKind::Error | AiKind::ExcusableError, .. } => {
                    counts.post_close_errors += u32::from(post_close);
                }
                StoredBody::Ai { .. } | StoredBody::Trace { .. } => {}
            }
        }
        subtract(&mut counts.before_tail, tail_health.health);
        counts
    }
}

/// Whether the signal carries the identity of an orchestrator.
pub(super) fn names_somebody(signal: &StoredSignal, symbols: &Symbols) -> bool {
    is_url(symbols.text(signal.url)) || !signal.address.is_empty()
}

fn keep_earliest(slot: &mut Option<Timestamp>, ts: Timestamp) {
    *slot = Some(slot.map_or(ts, |known| known.min(ts)));
}

fn keep_first(slot: &mut Sym, value: Sym, symbols: &Symbols) {
    if slot.is_empty() && !is_blank(symbols.text(value)) {
        *slot = value;
    }
}

fn add(total: &mut Health, part: Health) {
    total.samples += part.samples;
    total.non_loading += part.non_loading;
    total.positive_output += part.positive_output;
    total.with_error += part.with_error;
}

fn subtract(total: &mut Health, part: Health) {
    total.samples -= part.samples;
    total.non_loading -= part.non_loading;
    total.positive_output -= part.positive_output;
    total.with_error -= part.with_error;
}
