//! Rows of single signals: status samples, trace edges and parameter updates (lifecycle 8.2, 11).
//!
//! A row is attributed when the selection in force at its time is resolved, and then carries the
//! identity of that selection. Otherwise it says why not, and keeps what the event itself names: its
//! url, and for a parameter update its hints. Status and source are then those of the selection in
//! force; where none is in force, or it began after the close and does not count, no decision
//! applies: status `''`, source `unattributed`.

use naap_protocol::capability::catalogue::Hint;
use naap_protocol::identity::{sha256_hex, trace_category};
use naap_protocol::rows::samples::{StatusSample, TraceEdge};
use naap_protocol::rows::signals::ParamUpdate;
use naap_protocol::signal::AiKind;
use naap_protocol::state::{StoredBody, StoredSignal, Sym, Symbols};

use super::attribution::{Attributed, Identity, attributed, hint_of};
use super::pen::{Pen, Put, Stamp};
use super::selection::Hints;
use super::story::{Cover, Story};

/// How status samples and trace edges come by their identity (clarification 20).
const BY_SEGMENT: (&str, f32) = ("segment_window_join", 1.0);

/// Fills the columns that every row of a signal has from `$line`, the others as given.
macro_rules! row {
    ($row:ident, $line:expr, $stamp:expr, { $($columns:tt)* }) => {{
        let (line, stamp): (&$crate::session::samples::Line<'_>, $crate::session::pen::Stamp) =
            ($line, $stamp);
        let ($crate::session::story::Story { state, .. }, signal) = (line.story, line.signal);
        $row {
            org: &state.org,
            workflow_session_id: &state.session_id,
            stream_id: &state.stream_id,
            request_id: &state.request_id,
            source_event_uid: &line.uid,
            gateway_ts: signal.ord_ts,
            source_ts: signal.source_ts,
            clock_domain: signal.clock().label(),
            kafka_ts: signal.record_ts,
            is_late: crate::session::lateness::is_late(signal),
            version: stamp.version,
            ingestion_timestamp: stamp.now,
            $($columns)*
            ..$row::default()
        }
    }};
}
pub(super) use row;

/// A signal that rows are made of.
#[derive(Debug)]
pub struct Line<'r> {
    /// The session.
    pub story: &'r Story<'r>,
    /// The signal.
    pub signal: &'r StoredSignal,
    /// Its uid as text.
    pub uid: String,
    /// First gateway of the session as of the signal.
    pub gateway: Sym,
}

/// The identity columns that were made last: neighbours mostly share them.
#[derive(Debug, Default)]
pub struct Recent<'a>(Option<(u32, Identity<'a>)>);

/// How a row is attributed.
struct Claim<'c, 'a> {
    identity: &'c Identity<'a>,
    is_attributed: bool,
    segment: Option<u16>,
}

impl<'r> Line<'r> {
    /// The line of `signal`; `gateway` is the first one of the session as of it.
    pub fn of(story: &'r Story<'r>, signal: &'r StoredSignal, gateway: Sym) -> Self {
        Self { story, signal, uid: signal.uid.to_string(), gateway }
    }

    /// The text of `sym`.
    pub fn text(&self, sym: Sym) -> &'r str {
        self.story.state.symbols.text(sym)
    }

    /// Writes the row of the signal, if it has one of its own, unless it says what `last` stands for.
    pub fn write(&self, recent: &mut Recent<'r>, last: &mut u64, pen: &mut Pen<'_>) -> Put {
        if fact(self.signal).is_none() {
            return Put::Same;
        }
        let cover = self.story.cover(self.signal.ord_ts);
        let unattributed;
        let identity = match cover.force {
            Ok(selection) => recent.of(selection, &self.story.state.symbols),
            Err(reason) => {
                unattributed = self.unattributed(&cover, reason);
                &unattributed
            }
        };
        let is_attributed = cover.force.is_ok();
        let claim = Claim { identity, is_attributed, segment: cover.segment };
        match self.signal.body {
            StoredBody::Status { .. } => pen.put(last, |stamp| self.status(&claim, stamp)),
            StoredBody::Trace { .. } => pen.put(last, |stamp| self.edge(&claim, stamp)),
            StoredBody::Ai { .. } => {
                let (json, hash) = self.params();
                pen.put(last, |stamp| self.update(&claim, (json, &hash), stamp))
            }
        }
    }

    /// What is said where no identity is in force, for `reason`.
    fn unattributed(&self, cover: &Cover<'_, 'r>, reason: &'static str) -> Identity<'r> {
        let known = match self.signal.body {
            StoredBody::Ai { .. } => Identity::unobserved(self.hint()),
            StoredBody::Status { .. } | StoredBody::Trace { .. } => Identity::unattributed(reason),
        };
        uncovered(cover, reason, self.text(self.signal.url), known)
    }

    /// What the signal itself says about pipeline and model.
    fn hint(&self) -> Hint<'r> {
        let symbols = &self.story.state.symbols;
        hint_of(Hints::of(self.signal.hint, symbols), symbols)
    }

    /// `model_hint`: a text of the pipeline allow-list is none (backlog 022).
    fn model_hint(&self) -> &'r str {
        self.text(Hints::of(self.signal.hint, &self.story.state.symbols).model)
    }

    /// `params_json` and `params_hash`.
    fn params(&self) -> (&'r str, String) {
        let StoredBody::Ai { params, .. } = self.signal.body else { return ("", String::new()) };
        let json = self.text(params);
        (json, if json.is_empty() { String::new() } else { sha256_hex(&[json]) })
    }

    fn status<'s>(&'s self, claim: &Claim<'s, '_>, stamp: Stamp) -> StatusSample<'s> {
        let id = claim.identity;
        let (method, confidence) = claim.by_segment();
        let mut row = attributed!(StatusSample, id, {
            gateway: self.text(self.signal.gateway),
            model_hint: self.model_hint(),
            pipeline_source: id.pipeline_source,
            model_source: id.model_source,
            is_attributed: claim.is_attributed,
            gpu_attribution_method: method,
            gpu_attribution_confidence: confidence,
            segment_index: claim.segment,
            ..row!(StatusSample, self, stamp, {})
        });
        if let StoredBody::Status { state, output_fps, input_fps, .. } = self.signal.body {
            (row.state, row.output_fps, row.input_fps) = (self.text(state), output_fps, input_fps);
        }
        row
    }

    fn edge<'s>(&'s self, claim: &Claim<'s, '_>, stamp: Stamp) -> TraceEdge<'s> {
        let id = claim.identity;
        let (method, confidence) = claim.by_segment();
        let trace_type = trace_type(self.signal);
        attributed!(TraceEdge, id, {
            gateway: self.text(self.signal.gateway),
            trace_type,
            trace_category: trace_category(trace_type),
            is_swap_event: trace_type == "orchestrator_swap",
            is_attributed: claim.is_attributed,
            gpu_attribution_method: method,
            gpu_attribution_confidence: confidence,
            segment_index: claim.segment,
            ..row!(TraceEdge, self, stamp, {})
        })
    }

    fn update<'s>(
        &'s self,
        claim: &Claim<'s, '_>,
        (params_json, params_hash): (&'s str, &'s str),
        stamp: Stamp,
    ) -> ParamUpdate<'s> {
        let id = claim.identity;
        let message = match self.signal.body {
            StoredBody::Ai { message, .. } => self.text(message),
            StoredBody::Status { .. } | StoredBody::Trace { .. } => "",
        };
        attributed!(ParamUpdate, id, {
            gateway: self.text(self.gateway),
            model_hint: self.model_hint(),
            pipeline_source: id.pipeline_source,
            model_source: id.model_source,
            is_attributed: claim.is_attributed,
            gpu_attribution_method: id.method,
            gpu_attribution_confidence: id.confidence,
            segment_index: claim.segment,
            update_type: "params_update",
            message,
            params_json,
            params_hash,
            ..row!(ParamUpdate, self, stamp, {})
        })
    }
}

/// The identity columns where no identity is in force, for `reason`: `known` with the `url` that was
/// observed, and what was decided about the selection in force.
pub(super) fn uncovered<'r>(
    cover: &Cover<'_, 'r>,
    reason: &'static str,
    url: &'r str,
    known: Identity<'r>,
) -> Identity<'r> {
    let decided = cover.selection.filter(|_| reason != "after_close");
    let source = decided.map_or(known.source, |s| s.decision.source.label());
    let status = decided.map_or("", |s| s.decision.status.label());
    Identity { url, status, source, reason, ..known }
}

impl<'a> Recent<'a> {
    /// The identity columns of `selection`.
    pub(super) fn of(&mut self, selection: &Attributed<'a>, symbols: &'a Symbols) -> &Identity<'a> {
        let anchor = selection.selection.anchor;
        let known = self.0.take().filter(|(known, _)| *known == anchor);
        &self.0.insert(known.unwrap_or_else(|| (anchor, Identity::of(selection, symbols)))).1
    }
}

impl Claim<'_, '_> {
    /// Method and confidence of rows that a segment covers.
    fn by_segment(&self) -> (&'static str, f32) {
        if self.is_attributed { BY_SEGMENT } else { (self.identity.method, 0.0) }
    }
}

/// Trace subtype; `""` for other signals.
pub fn trace_type(signal: &StoredSignal) -> &'static str {
    match signal.body {
        StoredBody::Trace { kind, .. } => kind.name(),
        StoredBody::Status { .. } | StoredBody::Ai { .. } => "",
    }
}

/// Tables of rows about one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// `fact_stream_status_samples`.
    Status,
    /// `fact_stream_trace_edges`.
    Edge,
    /// `fact_workflow_param_updates`.
    Update,
}

/// The table of the signal's own row; `None` for AI events that update no parameters.
pub fn fact(signal: &StoredSignal) -> Option<Fact> {
    match signal.body {
        StoredBody::Status { .. } => Some(Fact::Status),
        StoredBody::Trace { .. } => Some(Fact::Edge),
        StoredBody::Ai { kind: AiKind::ParamsUpdate, .. } => Some(Fact::Update),
        StoredBody::Ai { .. } => None,
    }
}
