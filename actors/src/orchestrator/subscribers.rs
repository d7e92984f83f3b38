//! Who has asked an orchestrator what, and what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use naap_protocol::capability::decide::{Decision, DirectWindow, Identity, Source};
use naap_protocol::capability::evidence::{Evidence, Question, Role, Subject};
use naap_protocol::capability::index::{Index, Inserted, Taken, WINDOW_MS};
use naap_protocol::time::Timestamp;

/// The standing questions of one orchestrator. Soft state: sessions ask again when either side is
/// opened anew.
#[derive(Debug, Default)]
pub struct Subscribers {
    by_session: BTreeMap<(u128, Role), Subscription>,
    /// What is asked about, at time 0: the sessions of an orchestrator ask for few distinct texts.
    known: BTreeSet<Arc<Subject>>,
    /// Least and greatest event time of the advertisements since the last look.
    news: Option<(Timestamp, Timestamp)>,
}

#[derive(Debug)]
struct Subscription {
    shard: u16,
    subjects: Box<[Standing]>,
}

/// One question. Every session of the retention has some, so they are small.
#[derive(Debug)]
struct Standing {
    ts: Timestamp,
    /// The subject, but for its time.
    about: Arc<Subject>,
    /// Digest of the last answer that the session has or was sent.
    told: Option<u64>,
    /// Advertisements after this time can not change the answer; `None` if any can.
    settled: Option<Timestamp>,
}

impl Subscribers {
    /// Notes what the index has made of an advertisement of `ts`.
    pub fn taken(&mut self, ts: Timestamp, taken: &Taken) {
        if taken.inserted != Inserted::Changed {
            return;
        }
        let (from, to) = taken.contested.unwrap_or((ts, ts));
        let known = self.news.unwrap_or((ts, ts));
        self.news = Some((known.0.min(from).min(ts), known.1.max(to).max(ts)));
    }

    /// Takes a question in the place of the session's last one. Returns what the session does not
    /// know.
    pub fn ask(
        &mut self,
        question: Question,
        index: &Index,
        window: DirectWindow,
    ) -> Vec<Evidence> {
        let Question { session, shard, role, subjects, .. } = question;
        let mut answers = Vec::new();
        let standing = subjects.into_iter().map(|(subject, told)| {
            let (ts, about) = (subject.ts, about(&mut self.known, subject));
            let mut standing = Standing { ts, about, told, settled: None };
            answers.extend(standing.decide((session, role), index, window));
            standing
        });
        let subjects: Box<[Standing]> = standing.collect();
        if subjects.is_empty() {
            self.by_session.remove(&(session, role));
        } else {
            self.by_session.insert((session, role), Subscription { shard, subjects });
        }
        answers
    }

    /// Decides again what the news can have changed. Returns what is to be told, by shard.
    pub fn decide_again(
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
                let t = standing.ts;
                if reached(t) && standing.settled.is_none_or(|settled| from <= settled) {
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

    /// Ends subscriptions about times that the index does not cover any more: sessions keep the answer
    /// that they have.
    fn forget(&mut self, index: &Index) {
        let oldest = Timestamp(index.horizon().0.saturating_add(WINDOW_MS));
        self.by_session.retain(|_, subscription| {
            subscription.subjects.iter().any(|standing| standing.ts >= oldest)
        });
        self.known.retain(|about| Arc::strong_count(about) > 1);
    }
}

/// The one copy of `subject` at time 0.
fn about(known: &mut BTreeSet<Arc<Subject>>, subject: Subject) -> Arc<Subject> {
    let timeless = Subject { ts: Timestamp(0), ..subject };
    if let Some(about) = known.get(&timeless) {
        return Arc::clone(about);
    }
    let about = Arc::new(timeless);
    known.insert(Arc::clone(&about));
    about
}

impl Standing {
    /// Decides, and says so if the session was told something else.
    fn decide(
        &mut self,
        (session, role): (u128, Role),
        index: &Index,
        window: DirectWindow,
    ) -> Option<Evidence> {
        let subject = Subject { ts: self.ts, ..Subject::clone(&self.about) };
        let decision = subject.decide(index, window);
        self.settled = settled(&decision, self.ts, index, window);
        let digest = decision.digest();
        if self.told == Some(digest) {
            return None;
        }
        self.told = Some(digest);
        let complete = index.covers(self.ts);
        Some(Evidence { session, role, subject, decision, complete })
    }
}

/// The time after which no advertisement can change a decision at `t`, if there is one: the only node
/// behind the key was advertised before `t` under a name of its own, and either so shortly before
/// that it is direct by that alone, or again after `t`. Later advertisements then extend the interval
/// or begin another one, and both leave band, evidence and surface as they are. Not so behind a hot
/// wallet: a node that has it as its own takes its place whenever it is advertised.
fn settled(
    decision: &Decision,
    t: Timestamp,
    index: &Index,
    window: DirectWindow,
) -> Option<Timestamp> {
    let chosen = decision.chosen.as_ref()?;
    let mut nodes = index.nodes();
    let (_, runs) = nodes.next()?;
    let before = chosen.snapshot_ts <= t && decision.source == Source::Direct;
    let gives_way = decision.identity == Identity::Alias;
    if !before || gives_way || chosen.model.is_empty() || nodes.next().is_some() {
        return None;
    }
    if chosen.distance_ms <= window.prior_ms {
        return Some(t);
    }
    let intervals = runs.intervals(t);
    let around = intervals.iter().find(|i| i.seen().any(|seen| seen.ts == chosen.snapshot_ts))?;
    around.seen().find(|seen| seen.ts >= t).map(|seen| seen.ts)
}

#[cfg(test)]
mod tests {
    use naap_protocol::capability::advertise::{Advertisement, Capacities, Content, Node, Offer};
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn advertisement() -> impl Strategy<Value = Advertisement> {
        let text = |texts: &'static [&'static str]| prop::sample::select(texts);
        // Rarely another node, often the same moments and contents.
        let canonical = prop_oneof![6 => Just("0xa"), 1 => Just("0xb")];
        let hours = prop_oneof![0..60i64, Just(30)];
        // Rarely a uid that came before.
        let uid = prop_oneof![4 => "[a-z]{12}", 1 => Just("same".to_owned())];
        let names = (text(&["m1", "m1", "M1", "m2", ""]), text(&["", "G", "H"]), uid);
        (canonical, hours, names).prop_map(|(canonical, hours, (model, gpu, uid))| Advertisement {
            node: Node { canonical: canonical.into(), url: "u".into() },
            event_ts: Timestamp(hours * HOUR / 2),
            uid,
            content: Content {
                offers: vec![Offer {
                    pipeline: "p".into(),
                    model: model.into(),
                    gpus: Some(gpu.to_owned()).filter(|g| !g.is_empty()).into_iter().collect(),
                }],
                aliases: Vec::new(),
            },
            capacities: Capacities::default(),
            content_hash: 1 + (model.len() + 2 * gpu.len()) as u64,
        })
    }

    /// Advertisements that name the wallet `0xw`, as their own or as a hot one.
    fn of_wallet() -> impl Strategy<Value = Advertisement> {
        let canonical = prop::sample::select(&["0xw", "0xa", "0xa"][..]);
        (advertisement(), canonical, 0..4i64).prop_map(|(mut advertisement, canonical, hours)| {
            advertisement.node.canonical = canonical.into();
            advertisement.event_ts = Timestamp(hours * HOUR / 2);
            advertisement.content.aliases = vec!["0xw".into()];
            advertisement
        })
    }

    fn question(session: u128, t: i64, model: &str, told: Option<u64>) -> Question {
        let (url, model) = ("u".into(), model.into());
        let subject = Subject { ts: Timestamp(t), url, model, ..Subject::default() };
        let subjects = vec![(subject, told)];
        let (org, key, role) = ("o".into(), "u".into(), Role::Url);
        Question { org, session, shard: 0, key, role, subjects }
    }

    proptest! {
        /// Whatever comes when: what a session was told last is what the index says in the end.
        #[test]
        fn every_subscriber_knows_the_last_decision(
            steps in prop::collection::vec((prop::collection::vec(advertisement(), 0..4), any::<bool>()), 1..8),
            asked in prop::collection::vec((0..8usize, 0..30i64, prop::sample::select(&["", "m1", "m2"][..])), 1..6),
        ) {
            let (mut index, mut subscribers) = (Index::default(), Subscribers::default());
            let mut told: BTreeMap<u128, Decision> = BTreeMap::new();
            let window = DirectWindow::default();
            for (number, (advertisements, flush)) in steps.iter().enumerate() {
                for (session, (when, hour, model)) in asked.iter().enumerate() {
                    if *when == number {
                        let question = question(session as u128, hour * HOUR, model, None);
                        for news in subscribers.ask(question, &index, window) {
                            told.insert(news.session, news.decision);
                        }
                    }
                }
                for advertisement in advertisements {
                    let taken = index.take(advertisement);
                    subscribers.taken(advertisement.event_ts, &taken);
                }
                if *flush || number + 1 == steps.len() {
                    for news in subscribers.decide_again(&index, window).remove(&0).unwrap_or_default() {
                        prop_assert_ne!(told.get(&news.session), Some(&news.decision), "no news");
                        told.insert(news.session, news.decision);
                    }
                }
            }
            for (session, (when, hour, model)) in asked.iter().enumerate() {
                let subject = &question(0, hour * HOUR, model, None).subjects[0].0;
                let expected = (*when < steps.len()).then(|| subject.decide(&index, window));
                prop_assert_eq!(told.get(&(session as u128)), expected.as_ref());
            }
        }
    }

    proptest! {
        /// The same where only a wallet was observed: a hot wallet gives way to the node that has it
        /// as its own.
        #[test]
        fn every_subscriber_of_a_wallet_knows_the_last_decision(
            advertisements in prop::collection::vec(of_wallet(), 1..6),
            hour in 0..2i64,
        ) {
            let (mut index, mut subscribers) = (Index::default(), Subscribers::default());
            let window = DirectWindow::default();
            let ts = Timestamp(hour * HOUR);
            let subject = Subject { ts, address: "0xw".into(), ..Subject::default() };
            let (key, role) = ("0xw".into(), Role::Address);
            let subjects = vec![(subject.clone(), None)];
            let asked = Question { key, role, subjects, ..question(1, 0, "", None) };
            let mut told = subscribers.ask(asked, &index, window).remove(0).decision;
            for advertisement in &advertisements {
                let taken = index.take(advertisement);
                subscribers.taken(advertisement.event_ts, &taken);
                for news in subscribers.decide_again(&index, window).remove(&0).unwrap_or_default() {
                    told = news.decision;
                }
            }
            prop_assert_eq!(told, subject.decide(&index, window));
        }
    }

    #[test]
    fn a_content_that_is_displaced_is_news_where_it_counted() {
        let window = DirectWindow::default();
        let (mut index, mut subscribers) = (Index::default(), Subscribers::default());
        let said = |hours: i64| Advertisement {
            node: Node { canonical: "0xa".into(), url: "u".into() },
            event_ts: Timestamp(hours * HOUR),
            uid: "same".into(),
            content: Content { offers: vec![Offer::default()], aliases: Vec::new() },
            capacities: Capacities::default(),
            content_hash: 1,
        };
        let take = |index: &mut Index, subscribers: &mut Subscribers, hours| {
            let taken = index.take(&said(hours));
            subscribers.taken(Timestamp(hours * HOUR), &taken);
        };
        take(&mut index, &mut subscribers, 20);
        let first = subscribers.ask(question(1, 30 * HOUR, "", None), &index, window);
        assert_eq!(first[0].decision.source, Source::MappedWindow);
        assert!(subscribers.decide_again(&index, window).is_empty());
        // More than 24 h before the question, and yet it changes the answer.
        take(&mut index, &mut subscribers, 0);
        let told = subscribers.decide_again(&index, window).remove(&0).expect("news");
        assert_eq!(told[0].decision.source, Source::Unattributed);
    }

    #[test]
    fn a_session_that_knows_the_answer_is_told_nothing() {
        let (index, mut subscribers) = (Index::default(), Subscribers::default());
        let window = DirectWindow::default();
        let first = subscribers.ask(question(1, 0, "", None), &index, window);
        let digest = first[0].decision.digest();
        assert!(subscribers.ask(question(1, 0, "", Some(digest)), &index, window).is_empty());
        let ended = Question { subjects: Vec::new(), ..question(1, 0, "", None) };
        subscribers.ask(ended, &index, window);
        assert!(subscribers.by_session.is_empty());
    }

    #[test]
    fn sessions_share_what_they_ask_about_as_long_as_one_asks() {
        let (index, mut subscribers) = (Index::default(), Subscribers::default());
        let window = DirectWindow::default();
        for session in 0..100 {
            subscribers.ask(question(session, 7 * session as i64, "m1", None), &index, window);
        }
        assert_eq!(subscribers.known.len(), 1);
        assert!(size_of::<Standing>() <= 48, "{}", size_of::<Standing>());
        for session in 0..100 {
            let ended = Question { subjects: Vec::new(), ..question(session, 0, "", None) };
            subscribers.ask(ended, &index, window);
        }
        subscribers.forget(&index);
        assert!(subscribers.known.is_empty());
    }
}
