//! Who served a selection: the question it asks, the decision that answers it, and the identity
//! columns that follow (lifecycle 7.10, clarifications 9, 31, 32).

use std::borrow::Cow;

use naap_protocol::capability::catalogue::{Catalogue, Hint, canonical_pipeline};
use naap_protocol::capability::decide::{
    Chosen, Decision, Identity as Matched, Method, NameSource, Names, Reason, Source, Status,
};
use naap_protocol::capability::evidence::{Answer, Subject};
use naap_protocol::identity::norm_url;
use naap_protocol::state::{SessionState, Symbols};
use naap_protocol::time::Timestamp;

use super::selection::{Hints, Selection};

/// What stands for the decision of a question that is not answered yet.
static UNDECIDED: Decision = Decision {
    status: Status::Unresolved,
    source: Source::Unattributed,
    reason: Reason::MissingCandidate,
    identity: Matched::None,
    method: Method::None,
    chosen: None,
};

/// Pipeline and model as hints tell them; an aliased text is replaced by its model.
pub fn hint_of(hints: Hints, symbols: &Symbols) -> Hint<'_> {
    let catalogue = Catalogue::builtin();
    let mut hint = catalogue.hint(symbols.text(hints.model));
    if let Some(slug) = catalogue.slug(symbols.text(hints.pipeline)) {
        (hint.pipeline, hint.inferred) = (slug.into(), false);
    }
    hint
}

/// What a signal observed at `ts`, to be asked about.
pub fn subject(ts: Timestamp, url: &str, address: &str, hint: &Hint<'_>) -> Subject {
    Subject {
        ts,
        url: norm_url(url).into_owned(),
        address: address.to_owned(),
        pipeline: hint.pipeline.clone().into_owned(),
        model: hint.model.clone().into_owned(),
    }
}

/// A decision may rest on it: an identity is known (clarification 10).
pub fn is_resolved(decision: &Decision) -> bool {
    decision.chosen.is_some()
}

/// A selection with the decision about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Attributed<'a> {
    /// The selection.
    pub selection: Selection,
    /// What its signals, else the session's, say about pipeline and model.
    pub hint: Hint<'a>,
    /// The decision.
    pub decision: &'a Decision,
    /// The decision still waits for an answer.
    pub undecided: bool,
}

impl<'a> Attributed<'a> {
    /// `selection` with what `state` knows about it.
    pub fn of(state: &'a SessionState, selection: Selection, session: Hints) -> Self {
        let hint = hint_of(selection.hints.or(session), &state.symbols);
        let (url, address) =
            (state.symbols.text(selection.url), state.symbols.text(selection.address));
        let decision = decision(&state.answers, &subject(selection.ts, url, address, &hint));
        let undecided = decision.is_none();
        Self { selection, hint, decision: decision.unwrap_or(&UNDECIDED), undecided }
    }

    /// The canonical address of the orchestrator; `""` when it is not known.
    pub fn canonical(&self) -> &'a str {
        self.chosen().map_or("", |chosen| &chosen.node.canonical)
    }

    /// The advertised surface, if the decision names one.
    pub fn chosen(&self) -> Option<&'a Chosen> {
        self.decision.chosen.as_ref()
    }

    /// Its service URI: as observed, else as advertised; `""` when neither is known.
    pub fn url<'s>(&self, symbols: &'s Symbols) -> &'s str
    where
        'a: 's,
    {
        match symbols.text(self.selection.url) {
            "" => self.chosen().map_or("", |chosen| &chosen.node.url),
            observed => observed,
        }
    }
}

/// The decision about `subject`; `None` while it is not complete.
pub fn decision<'a>(answers: &'a [Answer], subject: &Subject) -> Option<&'a Decision> {
    answers.iter().find(|answer| answer.subject == *subject)?.decision()
}

/// The identity columns of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity<'a> {
    /// `orchestrator_address`.
    pub address: &'a str,
    /// `orchestrator_url`.
    pub url: &'a str,
    /// `pipeline`.
    pub pipeline: Cow<'a, str>,
    /// `model_id`.
    pub model: Cow<'a, str>,
    /// `pipeline_source`.
    pub pipeline_source: &'static str,
    /// `model_source`.
    pub model_source: &'static str,
    /// The pipeline is the model's name and was left blank.
    pub is_blanked: bool,
    /// `gpu_id`.
    pub gpu: &'a str,
    /// `gpu_candidate_count`.
    pub gpu_candidates: u16,
    /// `gpu_attribution_method`.
    pub method: &'static str,
    /// `gpu_attribution_confidence`.
    pub confidence: f32,
    /// `attribution_status`.
    pub status: &'static str,
    /// `attribution_source`.
    pub source: &'static str,
    /// `attribution_reason`.
    pub reason: &'static str,
    /// `attribution_identity`.
    pub matched: &'static str,
    /// `selected_snapshot_ts`.
    pub snapshot_ts: Option<Timestamp>,
    /// `selected_snapshot_event_uid`.
    pub snapshot_uid: &'a str,
    /// `attribution_distance_ms`.
    pub distance_ms: Option<i64>,
}

/// Fills the identity columns that every attributed row has from `$identity`, the others as given.
macro_rules! attributed {
    ($row:ident, $identity:expr, { $($columns:tt)* }) => {{
        let identity: &$crate::session::attribution::Identity<'_> = $identity;
        $row {
            orchestrator_address: identity.address,
            orchestrator_url: identity.url,
            pipeline: &identity.pipeline,
            model_id: &identity.model,
            gpu_id: identity.gpu,
            gpu_candidate_count: identity.gpu_candidates,
            attribution_status: identity.status,
            attribution_source: identity.source,
            attribution_reason: identity.reason,
            selected_snapshot_ts: identity.snapshot_ts,
            selected_snapshot_event_uid: identity.snapshot_uid,
            attribution_distance_ms: identity.distance_ms,
            $($columns)*
        }
    }};
}
pub(super) use attributed;

impl<'a> Identity<'a> {
    /// The identity of a selection.
    pub fn of(attributed: &Attributed<'a>, symbols: &'a Symbols) -> Self {
        let (decision, chosen) = (attributed.decision, attributed.chosen());
        let names = Names::new(chosen, &attributed.hint);
        Self {
            address: attributed.canonical(),
            url: attributed.url(symbols),
            pipeline_source: names.pipeline_source.label(),
            model_source: names.model_source.label(),
            pipeline: Cow::Owned(names.pipeline.to_owned()),
            model: Cow::Owned(names.model.to_owned()),
            is_blanked: names.is_blanked,
            gpu: chosen.map_or("", |chosen| &chosen.gpu_id),
            gpu_candidates: chosen.map_or(0, |c| c.gpu_candidate_count.min(u16::MAX.into()) as u16),
            method: decision.method.label(),
            confidence: decision.method.confidence(),
            status: decision.status.label(),
            source: decision.source.label(),
            reason: decision.reason.label(),
            matched: decision.identity.label(),
            snapshot_ts: chosen.map(|chosen| chosen.snapshot_ts),
            snapshot_uid: chosen.map_or("", |chosen| &chosen.snapshot_uid),
            distance_ms: chosen.map(|chosen| chosen.distance_ms),
        }
    }

    /// The identity where no orchestrator was observed: only the hints are known.
    pub fn unobserved(hint: Hint<'a>) -> Self {
        let hinted = if hint.inferred { NameSource::Inferred } else { NameSource::Hint };
        let source = |text: &str, how: NameSource| {
            if text.is_empty() { NameSource::None.label() } else { how.label() }
        };
        let hinted_pipeline = !hint.pipeline.is_empty();
        let pipeline = match canonical_pipeline(&hint.pipeline, &hint.model) {
            "" => Cow::Borrowed(""),
            _ => hint.pipeline,
        };
        Self {
            pipeline_source: source(&pipeline, hinted),
            model_source: source(&hint.model, NameSource::Hint),
            is_blanked: hinted_pipeline && pipeline.is_empty(),
            pipeline,
            model: hint.model,
            ..Self::unattributed("no_selection")
        }
    }

    /// Both name the same orchestrator, work and GPU.
    pub fn is_same(&self, other: &Identity<'_>) -> bool {
        (self.address, self.url, &*self.pipeline, &*self.model, self.gpu)
            == (other.address, other.url, &*other.pipeline, &*other.model, other.gpu)
    }

    /// Nothing is known, for `reason`.
    pub fn unattributed(reason: &'static str) -> Self {
        Self {
            address: "",
            url: "",
            pipeline: Cow::Borrowed(""),
            model: Cow::Borrowed(""),
            pipeline_source: NameSource::None.label(),
            model_source: NameSource::None.label(),
            is_blanked: false,
            gpu: "",
            gpu_candidates: 0,
            method: Method::None.label(),
            confidence: 0.0,
            status: Status::Unresolved.label(),
            source: Source::Unattributed.label(),
            reason,
            matched: "",
            snapshot_ts: None,
            snapshot_uid: "",
            distance_ms: None,
        }
    }
}
