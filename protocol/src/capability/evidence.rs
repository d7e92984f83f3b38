//! What sessions ask orchestrators and what these answer (lifecycle 7.11, backlog 023, 024).
//!
//! A session asks the orchestrator identity that it observed. The answer is a [`Decision`] of that
//! identity's own index, and it is sent again whenever it changes. Both ends hold plain values, so
//! asking twice, answering twice and answering late all end in the same state.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::catalogue::Hint;
use super::decide::{Decision, DirectWindow, Reason, Selection, Trace, decide, trace};
use super::index::Index;
use crate::time::Timestamp;

/// What is asked about: an observed orchestrator at a moment, normalised so that equal questions
/// are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// Gateway time of the observation.
    pub ts: Timestamp,
    /// Observed service URI, normalised; `""` if none.
    pub url: String,
    /// Observed wallet, normalised; `""` if none.
    pub address: String,
    /// Hinted pipeline, a slug of the allow-list; `""` if none.
    pub pipeline: String,
    /// Hinted model after aliases; `""` if none.
    pub model: String,
}

/// Which part of the observed identity names the orchestrator that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// The service URI.
    Url,
    /// The wallet, canonical or hot.
    Address,
}

impl Subject {
    /// The identity key of the orchestrator in `role`; `""` if the subject has none.
    pub fn key(&self, role: Role) -> &str {
        match role {
            Role::Url => &self.url,
            Role::Address => &self.address,
        }
    }

    /// What `index`, which is of one of the subject's keys, says.
    pub fn decide(&self, index: &Index, window: DirectWindow) -> Decision {
        decide(index, &self.selection(), window)
    }

    /// What `index` says, and what became of each candidate in it.
    pub fn trace(&self, index: &Index, window: DirectWindow) -> Trace {
        trace(index, &self.selection(), window)
    }

    fn selection(&self) -> Selection<'_> {
        let hint = Hint {
            pipeline: self.pipeline.as_str().into(),
            model: self.model.as_str().into(),
            inferred: false,
        };
        Selection { ts: self.ts, address: &self.address, url: &self.url, hint }
    }
}

/// What a session knows about a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The subject.
    pub subject: Subject,
    /// What the orchestrator of the URI says; `None` before its answer.
    pub by_url: Option<Decision>,
    /// What the orchestrator of the wallet says; `None` before its answer.
    pub by_address: Option<Decision>,
}

impl Answer {
    /// Nothing is known yet.
    pub fn open(subject: Subject) -> Self {
        Self { subject, by_url: None, by_address: None }
    }

    /// The roles that have to be asked, given what is known: the wallet only where the URI is
    /// missing or unknown, and then only to tell the reason (lifecycle 7.10 step 1).
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        let url = !self.subject.url.is_empty();
        let unknown = self.by_url.as_ref().is_some_and(|d| d.reason == Reason::MissingCandidate);
        let address = !self.subject.address.is_empty() && (!url || unknown);
        [url.then_some(Role::Url), address.then_some(Role::Address)].into_iter().flatten()
    }

    /// What the orchestrator in `role` said.
    pub fn said(&self, role: Role) -> Option<&Decision> {
        match role {
            Role::Url => self.by_url.as_ref(),
            Role::Address => self.by_address.as_ref(),
        }
    }

    /// Takes in what the orchestrator in `role` says. `true` when that is news.
    pub fn learn(&mut self, role: Role, decision: Decision) -> bool {
        let slot = match role {
            Role::Url => &mut self.by_url,
            Role::Address => &mut self.by_address,
        };
        let news = slot.as_ref() != Some(&decision);
        *slot = Some(decision);
        news
    }

    /// The decision; `None` while an answer is missing.
    pub fn decision(&self) -> Option<&Decision> {
        self.roles().try_fold(None, |_, role| self.said(role).map(Some)).flatten()
    }
}

/// What a session wants to know from one orchestrator: the whole list, which replaces the one before.
/// An empty list ends the subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Organisation of session and orchestrator.
    pub org: String,
    /// Entity id of the session.
    pub session: u128,
    /// Shard of the session, where evidence goes.
    pub shard: u16,
    /// Identity key of the orchestrator.
    pub key: String,
    /// What the key is to the subjects.
    pub role: Role,
    /// The subjects, each with the digest of the answer that the session has, if it has one.
    pub subjects: Vec<(Subject, Option<u64>)>,
}

/// What one orchestrator says about one subject of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Entity id of the session.
    pub session: u128,
    /// What the orchestrator's key is to the subject.
    pub role: Role,
    /// The subject.
    pub subject: Subject,
    /// The answer.
    pub decision: Decision,
    /// The orchestrator still holds every advertisement that can matter. Otherwise an earlier answer
    /// is the better one (clarification 23).
    pub complete: bool,
}

impl Decision {
    /// Short name of this value, to compare answers over a distance.
    pub fn digest(&self) -> u64 {
        // Encoding plain data into memory does not fail; an empty text would only cost a repeat.
        xxh3_64(&rmp_serde::to_vec(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::decide::{Identity, Method, Source, Status};

    fn said(reason: Reason) -> Decision {
        Decision {
            status: Status::Unresolved,
            source: Source::Unattributed,
            reason,
            identity: Identity::None,
            method: Method::None,
            chosen: None,
        }
    }

    fn subject(url: &str, address: &str) -> Subject {
        Subject { url: url.into(), address: address.into(), ..Subject::default() }
    }

    #[test]
    fn the_wallet_is_asked_only_where_the_uri_is_missing_or_unknown() {
        let mut answer = Answer::open(subject("https://a", "0xa"));
        assert!(answer.roles().eq([Role::Url]));
        assert_eq!(answer.decision(), None);
        assert!(answer.learn(Role::Url, said(Reason::NoCompatibleCandidate)));
        assert_eq!(answer.decision(), Some(&said(Reason::NoCompatibleCandidate)));
        assert!(answer.learn(Role::Url, said(Reason::MissingCandidate)));
        assert!(answer.roles().eq([Role::Url, Role::Address]));
        assert_eq!(answer.decision(), None, "the wallet may tell the reason");
        assert!(answer.learn(Role::Address, said(Reason::MissingUriAliasPresent)));
        assert!(!answer.learn(Role::Address, said(Reason::MissingUriAliasPresent)));
        assert_eq!(answer.decision(), Some(&said(Reason::MissingUriAliasPresent)));
        assert!(Answer::open(subject("", "0xa")).roles().eq([Role::Address]));
        assert!(Answer::open(subject("https://a", "")).roles().eq([Role::Url]));
    }

    #[test]
    fn equal_answers_have_equal_digests() {
        let (a, b) = (said(Reason::MissingCandidate), said(Reason::NoCompatibleCandidate));
        assert_eq!(a.digest(), a.clone().digest());
        assert_ne!(a.digest(), b.digest());
    }
}
