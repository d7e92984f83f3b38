//! Selections: which orchestrators a session was given, in total order (lifecycle 5.3).

use naap_protocol::capability::catalogue::Catalogue;
use naap_protocol::identity::{is_blank, is_url, norm_url};
use naap_protocol::state::{Sym, Symbols};
use naap_protocol::time::Timestamp;

/// One orchestrator as the session observed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Place of the anchoring signal in total order.
    pub anchor: u32,
    /// Time of the anchoring signal.
    pub ts: Timestamp,
    /// Observed service URI, verbatim; empty when no signal of the selection carried one.
    pub url: Sym,
    /// Observed wallet, normalised; empty when no signal of the selection carried one.
    pub address: Sym,
    /// What its signals say about pipeline and model.
    pub hints: Hints,
    /// What led to it.
    pub trigger: Trigger,
}

/// The first text that names a model and the first that names a pipeline; empty when there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// A text outside the pipeline allow-list, as sent.
    pub model: Sym,
    /// A text of the allow-list, as sent.
    pub pipeline: Sym,
}

/// What led to a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// It is the first one.
    Initial,
    /// A swap trace stands between it and the selection before.
    Swap,
    /// The identity changed without a swap trace.
    Change,
}

/// One hint of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintOf {
    /// It names a model.
    Model(Sym),
    /// It names a pipeline.
    Pipeline(Sym),
}

impl HintOf {
    /// What a `pipeline` text is a hint of; `None` for blank text.
    pub fn of(text: Sym, symbols: &Symbols) -> Option<Self> {
        let known = symbols.text(text);
        if is_blank(known) {
            return None;
        }
        let pipeline = Catalogue::builtin().slug(known).is_some();
        Some(if pipeline { Self::Pipeline(text) } else { Self::Model(text) })
    }
}

impl Hints {
    /// The hints of one `pipeline` text.
    pub fn of(text: Sym, symbols: &Symbols) -> Self {
        let mut hints = Self::default();
        if let Some(hint) = HintOf::of(text, symbols) {
            hints.keep(hint);
        }
        hints
    }

    /// Keeps `hint` if it is the first of its kind.
    pub fn keep(&mut self, hint: HintOf) {
        let (slot, text) = match hint {
            HintOf::Model(text) => (&mut self.model, text),
            HintOf::Pipeline(text) => (&mut self.pipeline, text),
        };
        if slot.is_empty() {
            *slot = text;
        }
    }

    /// These hints, and where one is missing that of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let first = |own: Sym, other| if own.is_empty() { other } else { own };
        Self {
            model: first(self.model, other.model),
            pipeline: first(self.pipeline, other.pipeline),
        }
    }
}

impl Trigger {
    /// Text for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Swap => "swap",
            Self::Change => "orch_change_fallback",
        }
    }
}

impl Selection {
    /// Same URIs, or, where one side lacks a URI, same wallets (clarification 3).
    fn continued_by(&self, url: Sym, address: Sym, symbols: &Symbols) -> bool {
        if self.url.is_empty() || url.is_empty() {
            !address.is_empty() && self.address == address
        } else {
            self.url == url || norm_url(symbols.text(self.url)) == norm_url(symbols.text(url))
        }
    }
}

/// Walks identities in total order and cuts them into selections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectionWalk {
    selections: Vec<Selection>,
    /// A swap trace stands after the last signal of the current selection.
    swapped: bool,
}

impl SelectionWalk {
    /// Takes the identity of the signal at place `at`; signals without any change nothing.
    pub fn observe(
        &mut self,
        (at, ts): (u32, Timestamp),
        url: Sym,
        address: Sym,
        symbols: &Symbols,
    ) {
        // Most signals repeat the URI of the current selection, which was looked at when it came.
        let known = self.selections.last().is_some_and(|current| current.url == url);
        let url = if known || is_url(symbols.text(url)) { url } else { Sym::default() };
        if url.is_empty() && address.is_empty() {
            return;
        }
        let swapped = std::mem::take(&mut self.swapped);
        match self.selections.last_mut() {
            Some(current) if current.continued_by(url, address, symbols) => {
                if current.url.is_empty() {
                    current.url = url;
                }
                if current.address.is_empty() {
                    current.address = address;
                }
            }
            last => {
                let trigger = match last {
                    None => Trigger::Initial,
                    Some(_) if swapped => Trigger::Swap,
                    Some(_) => Trigger::Change,
                };
                let hints = Hints::default();
                self.selections.push(Selection { anchor: at, ts, url, address, hints, trigger });
            }
        }
    }

    /// Takes a hint of a signal in the current selection (clarification 27).
    pub fn hint(&mut self, hint: HintOf) {
        if let Some(current) = self.selections.last_mut() {
            current.hints.keep(hint);
        }
    }

    /// Takes a swap trace.
    pub fn swap(&mut self) {
        self.swapped = true;
    }

    /// The selections in order.
    pub fn all(&self) -> &[Selection] {
        &self.selections
    }
}

/// How many of `selections` started no later than `closed`; all of them in an open session
/// (clarification 28).
pub fn counted(selections: &[Selection], closed: Option<Timestamp>) -> usize {
    closed.map_or(selections.len(), |closed| selections.partition_point(|s| s.ts <= closed))
}
