//! Who has asked an orchestrator what, and what they were told.

use std::collections::BTreeMap;

use naap_protocol::capability::decide::{Decision, DirectWindow, Source};
use naap_protocol::capability::evidence::{Evidence, Question, Role, Subject};
use naap_protocol::capability::index::{Index, WINDOW_MS};
use naap_protocol::time::Timestamp;

/// The standing questions of one orchestrator. Soft state: sessions ask again when either side is
/// opened anew.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    by_session: BTreeMap<(u128, Role), Subscription>,
    /// Least and greatest event time of the advertisements since the last look.
    news: Option<(Timestamp, Timestamp)>,
}

#[derive(Debug)]
struct Subscription {
    shard: u16,
    subjects: Vec<Standing>,
}

#[derive(Debug)]
struct Standing {
    subject: Subject,
    /// Digest of the last answer that the session has or was sent.
    told: Option<u64>,
    /// Later advertisements can not change the answer.
    settled: bool,
}

impl Subscribers {
    /// Notes a change of the index at `ts`.
    pub(super) fn advertised(&mut self, ts: Timestamp) {
        let (from, to) = self.news.unwrap_or((ts, ts));
        self.news = Some((from.min(ts), to.max(ts)));
    }

    /// Takes a question in the place of the session's last one. Returns what the session does not
    /// know.
    pub(super) fn ask(
        &mut self,
        question: Question,
        index: &Index,
        window: DirectWindow,
    ) -> Vec<Evidence> {
        let Question { session, shard, role, subjects, .. } = question;
        let mut answers = Vec::new();
        let standing = subjects.into_iter().map(|(subject, told)| {
            let mut standing = Standing { subject, told, settled: false };
            answers.extend(standing.decide((session, role), index, window));
            standing
        });
        let subjects: Vec<Standing> = standing.collect();
        if subjects.is_empty() {
            self.by_session.remove(&(session, role));
        } else {
            self.by_session.insert((session, role), Subscription { shard, subjects });
        }
        answers
    }

    /// Decides again what the news can have changed. Returns what is to be told, by shard.
    pub(super) fn decide_again(
        &mut self,
        index: &Index,
        window: DirectWindow,
    ) -> BTreeMap<u16, Vec<Evidence>> {
        let mut answers: BTreeMap<u16, Vec<Evidence>> = BTreeMap::new();
        let Some((from, to)) = self.news.take() else { return answers };
        let reached = |t: Timestamp| {
            t.0 >= from.0.saturating_sub(WINDOW_MS) && t.0 <= to.0.saturating_add(WINDOW_MS)
        };
        for (who, subscription) in &mut self.by_session {
            for standing in &mut subscription.subjects {
                let t = standing.subject.ts;
                if reached(t) && !(standing.settled && from > t) {
                    let news = standing.decide(*who, index, window);
                    if let Some(news) = news {
                        answers.entry(subscription.shard).or_default().push(news);
                    }
                }
            }
        }
        self.forget(index);
        answers
    }

    /// Ends subscriptions about times that no advertisement can reach any more.
    fn forget(&mut self, index: &Index) {
        let oldest = Timestamp(index.horizon().0.saturating_sub(WINDOW_MS));
        self.by_session.retain(|_, subscription| {
            subscription.subjects.iter().any(|standing| standing.subject.ts >= oldest)
        });
    }
}

impl Standing {
    /// Decides, and says so if the session was told something else.
    fn decide(
        &mut self,
        (session, role): (u128, Role),
        index: &Index,
        window: DirectWindow,
    ) -> Option<Evidence> {
        let decision = self.subject.decide(index, window);
        self.settled = is_settled(&decision, self.subject.ts, index);
        let digest = decision.digest();
        if self.told == Some(digest) {
            return None;
        }
        self.told = Some(digest);
        let (subject, complete) = (self.subject.clone(), index.covers(self.subject.ts));
        Some(Evidence { session, role, subject, decision, complete })
    }
}

/// True when no advertisement after the moment of the decision can change it: the only node behind
/// the key was advertised at or before that moment under a name of its own. Later ones then extend
/// its interval or begin another one, and both leave band, evidence and surface as they are.
fn is_settled(decision: &Decision, t: Timestamp, index: &Index) -> bool {
    let before = decision
        .chosen
        .as_ref()
        .is_some_and(|chosen| chosen.snapshot_ts <= t && !chosen.model.is_empty());
    before && decision.source == Source::Direct && index.nodes().nth(1).is_none()
}
