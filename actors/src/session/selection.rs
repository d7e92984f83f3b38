//! Selections: which orchestrators a session was given, in total order (lifecycle 5.3).

use naap_protocol::identity::{is_blank, norm_url};
use naap_protocol::state::{Sym, Symbols};
use naap_protocol::time::Timestamp;

/// One orchestrator as the session observed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Time of the anchoring signal.
    pub ts: Timestamp,
    /// Observed service URI, verbatim; empty when no signal of the selection carried one.
    pub url: Sym,
    /// Observed wallet, normalised; empty when no signal of the selection carried one.
    pub address: Sym,
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
}

impl SelectionWalk {
    /// Takes the identity of the next signal; signals without any change nothing.
    pub fn observe(&mut self, ts: Timestamp, url: Sym, address: Sym, symbols: &Symbols) {
        let url = if is_blank(symbols.text(url)) { Sym::default() } else { url };
        if url.is_empty() && address.is_empty() {
            return;
        }
        match self.selections.last_mut() {
            Some(current) if current.continued_by(url, address, symbols) => {
                if current.url.is_empty() {
                    current.url = url;
                }
                if current.address.is_empty() {
                    current.address = address;
                }
            }
            _ => self.selections.push(Selection { ts, url, address }),
        }
    }

    /// The selections that started no later than `closed` (all of them in an open session).
    pub fn until(&self, closed: Option<Timestamp>) -> &[Selection] {
        let end = closed.map_or(self.selections.len(), |closed| {
            self.selections.partition_point(|s| s.ts <= closed)
        });
        &self.selections[..end]
    }

    /// True when no signal carried an identity.
    pub fn is_empty(&self) -> bool {
        self.selections.is_empty()
    }
}
