//! The way from the gateways to the broker: loss, delay, repetition and arrival order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::rc::Rc;

use crate::Plan;
use crate::ids;
use crate::network::{BASE_MS, Network};
use crate::random::{Random, mix, quota};
use crate::session::{Body, Edge, Event, Fate, Quirk, Session, Trace};
use crate::story::{self, Draft, Told};

/// One line of the file.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) arrival: i64,
    pub(crate) event: Event,
    /// Publish time of a replay.
    pub(crate) replayed: Option<i64>,
    /// Not the first delivery of its uid.
    pub(crate) duplicate: bool,
    /// Other content under a used id.
    pub(crate) conflict: bool,
}

impl Delivery {
    fn first(event: Event, arrival: i64) -> Self {
        Self { arrival, event, replayed: None, duplicate: false, conflict: false }
    }

    pub(crate) fn fate(&self) -> Fate {
        match (self.event.fate(), self.duplicate, self.conflict) {
            (Fate::Accepted, true, _) => Fate::Quarantined("duplicate_event"),
            (Fate::Accepted, _, true) => Fate::Quarantined("id_conflict"),
            (fate, ..) => fate,
        }
    }
}

/// Everything that belongs to one session number: its own lines and a share of the noise.
pub(crate) struct Slot {
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) session: Rc<Session>,
    /// Cases that occurred; the first one names the story.
    pub(crate) tags: Vec<&'static str>,
}

/// Rate per session, number of variants, and how a variant becomes a line.
type Kind = (f64, u64, fn(u8) -> Body);

/// When session `index` starts: evenly spread with jitter inside its own stretch.
pub(crate) fn start_of(plan: &Plan, index: u64) -> i64 {
    let span = i64::from(plan.hours) * 3_600_000;
    let at = |n: u64| (i128::from(span) * i128::from(n) / i128::from(plan.sessions.max(1))) as i64;
    let stretch = (at(index + 1) - at(index)).max(1) as u64;
    BASE_MS + at(index) + (mix(plan.seed, 6, index) % stretch) as i64
}

/// Plans slot `index`.
pub(crate) fn slot(plan: &Plan, network: &Network, index: u64) -> Slot {
    let start = start_of(plan, index);
    let told = story::tell(network, &plan.profile, plan.seed, index, start);
    let mut random = Random::new(plan.seed, index * 2 + 1);
    let (session, drafts, mut tags) = embody(plan, &mut random, index, start, told);
    let mut way =
        Way { plan, random, tags: Vec::new(), deliveries: Vec::with_capacity(drafts.len() + 16) };
    way.session_events(&session, drafts);
    way.conflict(index);
    way.noise(index, start);
    tags.append(&mut way.tags);
    Slot { deliveries: way.deliveries, session, tags }
}

fn embody(
    plan: &Plan,
    random: &mut Random,
    index: u64,
    start: i64,
    told: Told,
) -> (Rc<Session>, Vec<Draft>, Vec<&'static str>) {
    const GATEWAYS: [&str; 6] =
        ["", "", "", "", "cloud-spe-ai-llm-sea", "0x5ae4e42db3671370a0c25aff451e7482aaec3d0b"];
    let Told { drafts, attempts, label, mut tags } = told;
    let (stream_id, request_id, reuse) =
        ids::ids(&plan.profile, plan.seed, index, |i| start_of(plan, i));
    tags.extend(reuse);
    let gateway = *random.pick(&GATEWAYS);
    if !gateway.is_empty() {
        tags.push("gateway_named");
    }
    let payer = crate::text::mixed_case("0x5ae4e42db3671370a0c25aff451e7482aaec3d0b");
    (
        Rc::new(Session { stream_id, request_id, gateway, label, payer, attempts, start }),
        drafts,
        tags,
    )
}

struct Way<'a> {
    plan: &'a Plan,
    random: Random,
    tags: Vec<&'static str>,
    deliveries: Vec<Delivery>,
}

impl Way<'_> {
    fn session_events(&mut self, session: &Rc<Session>, drafts: Vec<Draft>) {
        let profile = &self.plan.profile;
        let last = drafts.iter().map(|d| d.0).max().unwrap_or(session.start);
        let lost_second = self.second(profile.batch_loss, "batch_loss", &drafts);
        let retried_second = self.second(profile.batch_retry, "batch_retry", &drafts);
        let burst = self
            .random
            .chance(profile.mirror_burst)
            .then(|| last + self.random.between(300_000, 900_000));
        if burst.is_some() {
            self.tags.push("mirror_burst");
        }
        let all_lost = self.random.chance(profile.session_loss);
        if all_lost {
            self.tags.push("session_loss");
        }
        for (ts, body) in drafts {
            let uid = self.random.uuid();
            let quirk = self.quirk(body);
            let lost =
                self.random.chance(profile.event_loss) || lost_second.contains(&ts) || all_lost;
            if lost {
                self.tags.push("lost_event");
                continue;
            }
            let event = Event { uid, ts, quirk, body, session: Some(Rc::clone(session)) };
            let arrival = burst.map_or(ts + self.delay(), |at| at + (ts - session.start) / 50);
            self.repeat(&event, arrival, retried_second.contains(&ts), burst.is_some());
            self.deliveries.push(Delivery::first(event, arrival));
        }
    }

    /// Further deliveries of an event.
    fn repeat(&mut self, event: &Event, arrival: i64, retried: bool, burst: bool) {
        let profile = &self.plan.profile;
        let share = if burst { 0.1 } else { profile.duplicate };
        if retried || self.random.chance(share) {
            self.tags.push("duplicate");
            let arrival = arrival + self.random.between(1, 5000);
            self.deliveries
                .push(Delivery { duplicate: true, ..Delivery::first(event.clone(), arrival) });
        }
        if event.quirk != Quirk::NoId && self.random.chance(profile.replayed) {
            self.tags.push("replayed_duplicate");
            let at = arrival + self.random.between(600_000, 7_200_000);
            let again = Delivery {
                duplicate: true,
                replayed: Some(at),
                ..Delivery::first(event.clone(), at + 30)
            };
            self.deliveries.push(again);
        }
    }

    /// One second of the session that something happens to.
    fn second(&mut self, chance: f64, tag: &'static str, drafts: &[Draft]) -> std::ops::Range<i64> {
        if !self.random.chance(chance) {
            return 0..0;
        }
        self.tags.push(tag);
        let at = self.random.pick(drafts).0;
        at..at + 1000
    }

    fn quirk(&mut self, body: Body) -> Quirk {
        if !self.random.chance(self.plan.profile.envelope_quirk) {
            return Quirk::None;
        }
        let quirk = match self.random.below(6) {
            0 => Quirk::NumberTime,
            1 => Quirk::Version("\"1\""),
            2 => Quirk::Version("\"v1\""),
            3 => Quirk::Version("1"),
            4 => Quirk::NoGateway,
            _ => match body {
                Body::Trace(_) | Body::Status(_) | Body::Notice(_) => Quirk::PaddedIds,
                Body::Discovery { .. } | Body::Payment { .. } => Quirk::NoId,
                _ => Quirk::None,
            },
        };
        let tag = match quirk {
            Quirk::None => return quirk,
            Quirk::NumberTime => "number_time",
            Quirk::Version(_) => "explicit_version",
            Quirk::PaddedIds => "padded_ids",
            Quirk::NoId => "no_id",
            Quirk::NoGateway => "gateway_missing",
        };
        self.tags.push(tag);
        quirk
    }

    /// Gateway queue, batching and write: skewed towards short, at most two seconds.
    fn delay(&mut self) -> i64 {
        self.random.between(15, 2000).min(self.random.between(15, 2000))
    }

    /// The request edge once more, with the same id and another time.
    fn conflict(&mut self, index: u64) {
        let wanted = u64::from(self.plan.profile.id_conflicts);
        let (sessions, seed_slot) =
            (self.plan.sessions.max(1), index * wanted / self.plan.sessions.max(1));
        if wanted == 0 || (index + 1) * wanted / sessions == seed_slot {
            return;
        }
        let is_request =
            |d: &&Delivery| matches!(d.event.body, Body::Trace(Trace { edge: Edge::Request, .. }));
        let Some(request) = self.deliveries.iter().find(is_request) else { return };
        let Body::Trace(trace) = request.event.body else { return };
        let mut event = request.event.clone();
        event.ts += 1000;
        event.body = Body::Trace(Trace { stamp: Some(event.ts), ..trace });
        let arrival = request.arrival + 2500;
        self.deliveries.push(Delivery { conflict: true, ..Delivery::first(event, arrival) });
        self.tags.push("id_conflict");
    }

    /// This slot's share of what belongs to no session.
    fn noise(&mut self, index: u64, start: i64) {
        let profile = &self.plan.profile;
        let stretch = start_of(self.plan, index + 1) - start;
        let kinds: [Kind; 5] = [
            (profile.unsupported_per_session, crate::lines::noise::UNSUPPORTED, Body::Unsupported),
            (profile.client_noise_per_session, crate::lines::noise::CLIENT, Body::ClientNoise),
            (profile.later_families_per_session, crate::lines::noise::LATER, Body::Later),
            (
                profile.odd_capabilities_per_session,
                crate::lines::capabilities::ODD,
                Body::OddCapabilities,
            ),
            (profile.garbage_per_session, crate::lines::garbage::KINDS.len() as u64, Body::Garbage),
        ];
        for (rate, variants, body) in kinds {
            let (first, count) = quota(rate, index);
            for number in first..first + count {
                let ts = start + self.random.between(0, stretch.max(1));
                self.foreign(body((number % variants) as u8), ts);
            }
        }
        if profile.oversized && index == self.plan.sessions / 2 {
            self.foreign(Body::Oversized, start);
        }
    }

    fn foreign(&mut self, body: Body, ts: i64) {
        let event = Event { uid: self.random.uuid(), ts, quirk: Quirk::None, body, session: None };
        let arrival = ts + self.delay();
        self.deliveries.push(Delivery::first(event, arrival));
    }
}

/// Capability events of all gateways, in time order.
pub(crate) fn advertisements(network: &Network) -> impl Iterator<Item = Delivery> {
    let sent = network.advertisements.iter().enumerate().filter(|(_, ad)| !ad.lost);
    sent.map(|(number, ad)| {
        let body = Body::Capabilities(number as u32);
        let event = Event { uid: ad.uid, ts: ad.ts, quirk: Quirk::None, body, session: None };
        Delivery::first(event, ad.ts + 40 + (ad.uid % 1900) as i64)
    })
}

/// Lines on their way, released in arrival order.
#[derive(Default)]
pub(crate) struct Broker {
    waiting: BinaryHeap<Reverse<Waiting>>,
    accepted: u64,
}

struct Waiting(u64, Delivery);

impl Waiting {
    fn key(&self) -> (i64, u64) {
        (self.1.arrival, self.0)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Broker {
    pub(crate) fn push(&mut self, delivery: Delivery) {
        self.accepted += 1;
        self.waiting.push(Reverse(Waiting(self.accepted, delivery)));
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The next line that arrives before `time`.
    pub(crate) fn next_before(&mut self, time: i64) -> Option<Delivery> {
        if self.waiting.peek()?.0.1.arrival >= time {
            return None;
        }
        self.waiting.pop().map(|Reverse(waiting)| waiting.1)
    }
}
