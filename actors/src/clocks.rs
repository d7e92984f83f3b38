//! Clocks of runners against those of gateways, by (gateway, service URI) over ten minutes of event
//! time (backlog 002).
//!
//! A relayed stamp tells that the gateway is ahead of the runner by *at most* its relay distance; a
//! request that the gateway stamps before the runner does tells that it is ahead by *at least* their
//! negative distance. The smallest relay distance is the estimate. When both can not be true, a clock
//! was stepped. Shards collect [`ClockSigns`]; the node keeps them in a [`ClockWatch`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use naap_protocol::event::{Body, Event, TraceType};
use naap_protocol::identity::{is_blank, norm_url};
use naap_protocol::state::{SessionState, StoredBody, StoredSignal};
use naap_protocol::time::{ClockDomain, Timestamp};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::session::summary::MAX_SKEW_PAIR_MS;

/// Whom signs without a gateway are kept for: most gateways have no label.
const UNKNOWN: &str = "unknown";
/// Minutes of event time that count.
const WINDOW_MINUTES: i64 = 10;
/// Pairs that are kept; signs of further ones are left out and counted.
const MAX_PAIRS: usize = 4_096;
/// Pairs that are shown, the busiest.
const SHOWN_PAIRS: usize = 50;
/// A clock difference above this is worth a warning.
const WARN_MS: u64 = 500;
/// A pair is not warned about again for this long.
const WARN_AGAIN_MS: i64 = 600_000;
/// Warnings in one report; the others come with the next one.
const MAX_WARNINGS: usize = 5;

/// What one minute of event time tells about a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Signs {
    /// Stamps seen.
    count: u64,
    /// Smallest relay distance, envelope minus runner stamp, ms.
    relay_ms: Option<i64>,
    /// Smallest request distance, runner minus gateway stamp, ms.
    request_ms: Option<i64>,
}

impl Signs {
    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.relay_ms = smaller(self.relay_ms, other.relay_ms);
        self.request_ms = smaller(self.request_ms, other.request_ms);
    }

    /// No clock difference fits: one of the clocks was stepped.
    fn is_inverted(&self) -> bool {
        self.relay_ms.zip(self.request_ms).is_some_and(|(relay, request)| relay + request < 0)
    }
}

fn smaller(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.into_iter().chain(b).min()
}

/// The last minutes of one pair.
#[derive(Clone, Debug)]
struct Pair {
    name: PairName,
    /// Newest minute seen; the ring holds it and the ones before.
    newest: i64,
    ring: [Signs; WINDOW_MINUTES as usize],
}

impl Pair {
    fn slot(minute: i64) -> usize {
        minute.rem_euclid(WINDOW_MINUTES) as usize
    }

    fn add(&mut self, minute: i64, signs: Signs) {
        if minute <= self.newest.saturating_sub(WINDOW_MINUTES) {
            return;
        }
        let passed = minute.saturating_sub(self.newest).clamp(0, WINDOW_MINUTES);
        for passed in minute - passed..minute {
            self.ring[Self::slot(passed + 1)] = Signs::default();
        }
        self.newest = self.newest.max(minute);
        self.ring[Self::slot(minute)].add(signs);
    }

    /// The minutes that the ring holds, newest first.
    fn minutes(&self) -> impl Iterator<Item = (i64, Signs)> {
        (0..WINDOW_MINUTES).map(|age| {
            let minute = self.newest.saturating_sub(age);
            (minute, self.ring[Self::slot(minute)])
        })
    }

    fn total(&self) -> Signs {
        let mut total = Signs::default();
        self.ring.iter().for_each(|minute| total.add(*minute));
        total
    }
}

/// A gateway and an orchestrator that it uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PairName {
    /// Gateway label; `unknown` for all that have none.
    pub gateway: Box<str>,
    /// Service URI of the orchestrator, normalised.
    pub orchestrator: Box<str>,
}

/// Signs of clock differences, bounded in time and number.
#[derive(Clone, Debug, Default)]
pub struct ClockSigns {
    pairs: HashMap<u64, Pair>,
    /// Signs of pairs that there was no room for.
    pub left_out: u64,
}

impl ClockSigns {
    /// Takes in the signs of an event that has just become part of `session`.
    pub fn observe(&mut self, event: &Event<'_>, session: &SessionState) {
        let (stamp, url) = match &event.body {
            Body::Status(status) => (status.runner_ts, &status.orchestrator.url),
            Body::Trace(trace) => {
                let requests =
                    [TraceType::GatewayReceiveStreamRequest, TraceType::RunnerReceiveStreamRequest];
                if requests.contains(&trace.kind) {
                    self.request(session);
                }
                let on_runner = trace.kind.clock() == ClockDomain::Runner;
                (trace.data_ts.filter(|_| on_runner), &trace.orchestrator.url)
            }
            _ => return,
        };
        let Some(stamp) = stamp else { return };
        let relay_ms = believed(event.event_ts.millis_since(stamp));
        let signs = Signs { count: 1, relay_ms, request_ms: None };
        self.add(&event.gateway, &norm_url(url), event.event_ts, signs);
    }

    /// The request of a session: both of its ends, once both are there.
    fn request(&mut self, session: &SessionState) {
        let first = |wanted| {
            let is = |s: &&StoredSignal| matches!(s.body, StoredBody::Trace { kind, .. } if kind == wanted);
            session.signals.iter().find(is)
        };
        let sent = first(TraceType::GatewayReceiveStreamRequest);
        let received = first(TraceType::RunnerReceiveStreamRequest);
        let Some((sent, received)) = sent.zip(received) else { return };
        let Some(stamp) = received.source_ts.filter(|_| sent.gateway == received.gateway) else {
            return;
        };
        let [gateway, url] = [received.gateway, received.url].map(|sym| session.symbols.text(sym));
        let request_ms = believed(stamp.millis_since(sent.ord_ts));
        let signs = Signs { count: 0, relay_ms: None, request_ms };
        self.add(gateway, &norm_url(url), received.ord_ts, signs);
    }

    fn add(&mut self, gateway: &str, url: &str, ts: Timestamp, mut signs: Signs) {
        if url.is_empty() {
            return;
        }
        let gateway = if is_blank(gateway) {
            // Of several gateways without a label the smallest relay distance is that of the slowest
            // clock, which is still a bound; but what one of them sent says nothing about another.
            signs.request_ms = None;
            UNKNOWN
        } else {
            gateway
        };
        let id = xxh3_64_with_seed(gateway.as_bytes(), xxh3_64(url.as_bytes()));
        let name = || PairName { gateway: gateway.into(), orchestrator: url.into() };
        self.put(id, name, ts.0.div_euclid(60_000), signs);
    }

    fn put(&mut self, id: u64, name: impl FnOnce() -> PairName, minute: i64, signs: Signs) {
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.add(minute, signs);
        } else if self.pairs.len() < MAX_PAIRS {
            let mut pair = Pair { name: name(), newest: minute, ring: Default::default() };
            pair.add(minute, signs);
            self.pairs.insert(id, pair);
        } else {
            self.left_out += 1;
        }
    }

    /// Adds what another shard has seen.
    pub fn merge(&mut self, other: Self) {
        self.left_out += other.left_out;
        for (id, pair) in other.pairs {
            for (minute, signs) in pair.minutes().filter(|(_, signs)| *signs != Signs::default()) {
                self.put(id, || pair.name.clone(), minute, signs);
            }
        }
    }

    /// Drops the pairs that were silent for the whole window before the newest one.
    fn prune(&mut self) {
        let newest = self.pairs.values().map(|pair| pair.newest).max().unwrap_or_default();
        self.pairs.retain(|_, pair| newest.saturating_sub(pair.newest) < WINDOW_MINUTES);
    }
}

/// A distance that tells something about clocks (clarification 36).
fn believed(ms: i64) -> Option<i64> {
    Some(ms).filter(|ms| ms.saturating_abs() <= MAX_SKEW_PAIR_MS)
}

/// The clock difference of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skew {
    /// Whose clocks.
    pub pair: PairName,
    /// Gateway minus runner clock, ms: the smallest relay distance.
    pub ms: i64,
}

/// What a [`ClockWatch`] has to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClockReport {
    /// The busiest pairs, most stamps first.
    pub shown: Vec<Skew>,
    /// Pairs that the report before has shown and this one does not.
    pub gone: Vec<PairName>,
    /// Pairs one clock of which was stepped since the report before.
    pub steps: Vec<PairName>,
    /// Pairs to warn about.
    pub warnings: Vec<Skew>,
    /// Signs that there was no room for since the report before.
    pub left_out: u64,
}

/// The clocks that a node sees.
#[derive(Debug, Default)]
pub struct ClockWatch {
    signs: ClockSigns,
    shown: BTreeSet<PairName>,
    inverted: BTreeSet<PairName>,
    /// When a pair was warned about, node clock.
    warned: BTreeMap<PairName, Timestamp>,
}

impl ClockWatch {
    /// Adds what a shard has seen since it was last asked.
    pub fn take(&mut self, signs: ClockSigns) {
        self.signs.merge(signs);
    }

    /// What there is to tell at `now`, node clock.
    pub fn report(&mut self, now: Timestamp) -> ClockReport {
        self.signs.prune();
        let mut pairs: Vec<(&PairName, Signs)> =
            self.signs.pairs.values().map(|pair| (&pair.name, pair.total())).collect();
        pairs.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0)));
        let inverted = pairs.iter().filter(|(_, signs)| signs.is_inverted());
        let inverted: BTreeSet<PairName> = inverted.map(|(name, _)| (*name).clone()).collect();
        let skew = |(name, signs): &(&PairName, Signs)| {
            signs.relay_ms.map(|ms| Skew { pair: (*name).clone(), ms })
        };
        let skews: Vec<Skew> = pairs.iter().filter_map(skew).collect();
        let warnings = self.warnings(&skews, now);
        let shown: Vec<Skew> = skews.into_iter().take(SHOWN_PAIRS).collect();
        let names: BTreeSet<PairName> = shown.iter().map(|skew| skew.pair.clone()).collect();
        let gone = self.shown.difference(&names).cloned().collect();
        let steps = inverted.difference(&self.inverted).cloned().collect();
        (self.shown, self.inverted) = (names, inverted);
        let left_out = std::mem::take(&mut self.signs.left_out);
        ClockReport { shown, gone, steps, warnings, left_out }
    }

    fn warnings(&mut self, skews: &[Skew], now: Timestamp) -> Vec<Skew> {
        self.warned.retain(|_, at| now.millis_since(*at) < WARN_AGAIN_MS);
        let large = skews.iter().filter(|skew| skew.ms.unsigned_abs() > WARN_MS);
        let new = large.filter(|skew| !self.warned.contains_key(&skew.pair));
        let warnings: Vec<Skew> = new.take(MAX_WARNINGS).cloned().collect();
        self.warned.extend(warnings.iter().map(|skew| (skew.pair.clone(), now)));
        warnings
    }
}
