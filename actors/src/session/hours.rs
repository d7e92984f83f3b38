//! Status evidence of a session by hour and segment (tables.md 3.0, 12.2; decisions.md, gold).
//!
//! Only attributed samples count, in the hour of their gateway time. A session has few hours, so all
//! of them stay in memory while it is awake: a sample behind all others is added to its hour, and any
//! other change folds the hours again from that of the last sample before it. Earlier hours can not
//! change: what an hour takes from later ones is the next sample, which ends the active time of its
//! last one, and the end of the session.

use std::collections::{BTreeMap, BTreeSet};

use naap_protocol::capability::decide::Source;
use naap_protocol::frames::{bucket, millionths};
use naap_protocol::rows::sessions::StatusHour;
use naap_protocol::state::{StoredBody, StoredSignal, Sym};
use naap_protocol::time::Timestamp;

use super::attribution::{Attributed, Identity};
use super::emit::Written;
use super::outcome::{active_ms, is_running};
use super::pen::{Pen, Stamp};
use super::story::Story;

const HOUR_MS: i64 = 3_600_000;
/// From so many samples on an hour shows work, whatever the samples say.
const WORK_SAMPLES: u32 = 3;

/// Start of an hour, and a segment.
pub type Key = (Timestamp, u16);

/// The attributed samples of a session, added up.
#[derive(Clone, Debug, Default)]
pub struct Hours {
    groups: BTreeMap<Key, Group>,
    /// How many signals are folded.
    folded: usize,
    last: Option<LastSample>,
}

/// A status sample, attributed or not, whose active time the next one decides.
#[derive(Clone, Copy, Debug)]
struct LastSample {
    ts: Timestamp,
    /// Its group, if it is attributed and running.
    active_in: Option<Key>,
}

/// Sums over the samples of one hour and segment; columns of [`StatusHour`].
#[derive(Clone, Debug)]
struct Group {
    samples: u32,
    fps_positive: u32,
    running: u32,
    degraded_input: u32,
    degraded_inference: u32,
    errors: u32,
    output_sum: u64,
    output_sumsq: u64,
    input_sum: u64,
    histogram: Vec<u32>,
    first: Timestamp,
    last: Timestamp,
    active_ms: i64,
    gateway: Sym,
    /// Anchors of the selections in force, ascending: one, unless the orchestrator was reached at
    /// several urls.
    selections: Vec<u32>,
}

/// What tells whether an orchestrator did anything in an hour.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    samples: u32,
    signs: u32,
}

/// Address, pipeline, model and GPU.
type Served = [String; 4];

impl Hours {
    /// Brings the hours up to date with `story`, of which signals from place `dirty` on may have
    /// changed. Returns the first hour that may have changed.
    pub fn update(&mut self, story: &Story<'_>, dirty: usize) -> Timestamp {
        let signals = story.signals;
        let from = if dirty >= self.folded {
            self.last.map_or(Timestamp(i64::MIN), |sample| hour(sample.ts))
        } else {
            let before = signals[..dirty.min(signals.len())].iter().rev().find(|s| is_sample(s));
            let from = before.map_or(Timestamp(i64::MIN), |sample| hour(sample.ord_ts));
            self.groups.split_off(&(from, 0));
            self.folded = signals.partition_point(|signal| signal.ord_ts < from);
            self.last = None;
            from
        };
        for signal in &signals[self.folded..] {
            self.fold(story, signal);
        }
        self.folded = signals.len();
        from
    }

    fn fold(&mut self, story: &Story<'_>, signal: &StoredSignal) {
        let StoredBody::Status { .. } = signal.body else { return };
        let ts = signal.ord_ts;
        if let Some(LastSample { ts: since, active_in: Some(key) }) = self.last
            && let Some(group) = self.groups.get_mut(&key)
        {
            group.active_ms += active_ms(since, ts.min(Timestamp(key.0.0 + HOUR_MS)));
        }
        let cover = story.cover(ts);
        let key = cover.force.ok().zip(cover.segment);
        let key = key.map(|(selection, segment)| {
            let key = (hour(ts), segment);
            let group = self.groups.entry(key).or_insert_with(|| Group::starting(ts));
            group.add(signal, story, selection.selection.anchor);
            key
        });
        self.last = Some(LastSample { ts, active_in: key });
    }

    /// The first hour and segment that is no tail, by whatever attribution: gold may begin there.
    pub fn first(&self, story: &Story<'_>) -> Option<Key> {
        let tails = Tails::of(self, story);
        let counts = |(key, group): &(&Key, &Group)| !tails.hold(key.0, || group.identity(story));
        self.groups.iter().find(counts).map(|(key, _)| *key)
    }

    /// Writes the rows from the hour `from` on, and takes back those that are no more. `known` are
    /// the rows that were ever written.
    pub fn write(
        &self,
        story: &Story<'_>,
        from: Timestamp,
        known: &mut BTreeMap<Key, u64>,
        pen: &mut Pen<'_>,
        count: &mut Written,
    ) {
        let tails = Tails::of(self, story);
        let first = self.groups.iter().find(|(key, group)| {
            group.is_direct(story) && !tails.hold(key.0, || group.identity(story))
        });
        let first = first.map(|(key, _)| *key);
        for (key, group) in self.groups.range((from, 0)..) {
            let identity = group.identity(story);
            let row = |stamp| StatusHour {
                is_terminal_tail_artifact: tails.hold(key.0, || identity.clone()),
                is_first_evidence_hour: first == Some(*key),
                ..group.row(story, *key, &identity, stamp)
            };
            count.count(pen.put(known.entry(*key).or_default(), row));
        }
        let gone = known.range_mut((from, 0)..).filter(|(key, _)| !self.groups.contains_key(key));
        for ((window_start, segment_index), last) in gone {
            let row = |stamp: Stamp| StatusHour {
                org: &story.state.org,
                workflow_session_id: &story.state.session_id,
                window_start: *window_start,
                segment_index: *segment_index,
                is_retracted: true,
                version: stamp.version,
                ingestion_timestamp: stamp.now,
                ..StatusHour::default()
            };
            count.count(pen.put(last, row));
        }
    }
}

impl Group {
    fn starting(ts: Timestamp) -> Self {
        Self {
            samples: 0,
            fps_positive: 0,
            running: 0,
            degraded_input: 0,
            degraded_inference: 0,
            errors: 0,
            output_sum: 0,
            output_sumsq: 0,
            input_sum: 0,
            histogram: Vec::new(),
            first: ts,
            last: ts,
            active_ms: 0,
            gateway: Sym::default(),
            selections: Vec::new(),
        }
    }

    fn add(&mut self, signal: &StoredSignal, story: &Story<'_>, anchor: u32) {
        let StoredBody::Status { state, output_fps, input_fps, has_error, .. } = signal.body else {
            return;
        };
        let state = story.state.symbols.text(state);
        self.samples += 1;
        self.fps_positive += u32::from(output_fps > 0.0);
        self.running += u32::from(is_running(state));
        self.degraded_input += u32::from(state.eq_ignore_ascii_case("DEGRADED_INPUT"));
        self.degraded_inference += u32::from(state.eq_ignore_ascii_case("DEGRADED_INFERENCE"));
        self.errors += u32::from(has_error);
        // Saturating: absurd values must not wrap, and the result is the same in any order.
        let output = f64::from(output_fps).max(0.0);
        self.output_sum = self.output_sum.saturating_add(millionths(output));
        self.output_sumsq = self.output_sumsq.saturating_add(millionths(output * output));
        self.input_sum = self.input_sum.saturating_add(millionths(input_fps.into()));
        let bucket = bucket(output_fps);
        if self.histogram.len() <= bucket {
            self.histogram.resize(bucket + 1, 0);
        }
        self.histogram[bucket] += 1;
        self.last = signal.ord_ts;
        if self.gateway.is_empty() {
            self.gateway = signal.gateway;
        }
        if self.selections.last() != Some(&anchor) {
            self.selections.push(anchor);
        }
    }

    fn attributed<'s, 'a>(
        &'s self,
        story: &'s Story<'a>,
    ) -> impl Iterator<Item = &'s Attributed<'a>> {
        let all = &story.selections;
        let place = |anchor: &u32| all.binary_search_by_key(anchor, |s| s.selection.anchor).ok();
        self.selections.iter().filter_map(place).filter_map(|place| all.get(place))
    }

    /// Every sample may enter gold.
    fn is_direct(&self, story: &Story<'_>) -> bool {
        self.attributed(story).all(|s| s.decision.source == Source::Direct)
    }

    /// The identity columns that all samples share; where they differ, it is not known whose the sums
    /// are.
    fn identity<'a>(&self, story: &Story<'a>) -> Identity<'a> {
        let mut all = self.attributed(story).map(|s| Identity::of(s, &story.state.symbols));
        let mut shared = all.next().unwrap_or_else(|| Identity::unattributed(""));
        for other in all {
            if shared.url != other.url {
                shared.url = "";
            }
            if shared.pipeline != other.pipeline {
                shared.pipeline = "".into();
            }
            if shared.model != other.model {
                shared.model = "".into();
            }
            if shared.gpu != other.gpu {
                shared.gpu = "";
            }
        }
        shared
    }

    fn work(&self) -> Work {
        Work { samples: self.samples, signs: self.fps_positive + self.running }
    }

    fn row<'s>(
        &'s self,
        story: &'s Story<'_>,
        (window_start, segment_index): Key,
        identity: &'s Identity<'_>,
        stamp: Stamp,
    ) -> StatusHour<'s> {
        let source = if self.is_direct(story) { Source::Direct } else { Source::MappedWindow };
        StatusHour {
            org: &story.state.org,
            workflow_session_id: &story.state.session_id,
            window_start,
            segment_index,
            gateway: story.state.symbols.text(self.gateway),
            orchestrator_address: identity.address,
            orchestrator_url: identity.url,
            pipeline: &identity.pipeline,
            model_id: &identity.model,
            gpu_id: identity.gpu,
            attribution_source: source.label(),
            status_samples: self.samples,
            fps_positive_samples: self.fps_positive,
            running_state_samples: self.running,
            degraded_input_samples: self.degraded_input,
            degraded_inference_samples: self.degraded_inference,
            error_samples: self.errors,
            output_fps_sum: self.output_sum,
            output_fps_sumsq: self.output_sumsq,
            input_fps_sum: self.input_sum,
            output_fps_histogram: &self.histogram,
            first_sample_ts: self.first,
            last_sample_ts: self.last,
            active_ms: self.active_ms as u32,
            version: stamp.version,
            ingestion_timestamp: stamp.now,
            ..StatusHour::default()
        }
    }
}

impl Work {
    /// The sums of several segments of one orchestrator.
    fn add(&mut self, other: Self) {
        self.samples += other.samples;
        self.signs += other.signs;
    }

    /// No output, no running state and hardly a sample.
    fn is_none(self) -> bool {
        self.signs == 0 && self.samples < WORK_SAMPLES
    }
}

/// What only trails behind the end of the session: in the hour in which it ended, whoever did no work
/// in that hour nor in the one before, but was seen in both (tables.md 3.0).
#[derive(Debug)]
struct Tails {
    hour: Timestamp,
    served: BTreeSet<Served>,
}

impl Tails {
    fn of(hours: &Hours, story: &Story<'_>) -> Self {
        let hour = hour(story.summary.end_ts.unwrap_or_default());
        let last = hours.groups.range((hour, 0)..);
        let mut tails = Self { hour, served: BTreeSet::new() };
        if last.clone().all(|(_, group)| !group.work().is_none()) {
            return tails;
        }
        let before = hours.groups.range((Timestamp(hour.0 - HOUR_MS), 0)..(hour, 0));
        let (last, before) = (work_by_identity(last, story), work_by_identity(before, story));
        let idle = last.into_iter().filter(|(served, work)| {
            work.is_none() && before.get(served).is_some_and(|work| work.is_none())
        });
        tails.served.extend(idle.map(|(served, _)| served));
        tails
    }

    fn hold<'a>(&self, hour: Timestamp, identity: impl FnOnce() -> Identity<'a>) -> bool {
        hour == self.hour && !self.served.is_empty() && self.served.contains(&served(&identity()))
    }
}

fn work_by_identity<'g>(
    groups: impl Iterator<Item = (&'g Key, &'g Group)>,
    story: &Story<'_>,
) -> BTreeMap<Served, Work> {
    let mut by_identity: BTreeMap<Served, Work> = BTreeMap::new();
    for (_, group) in groups {
        by_identity.entry(served(&group.identity(story))).or_default().add(group.work());
    }
    by_identity
}

fn served(identity: &Identity<'_>) -> Served {
    [identity.address, &*identity.pipeline, &*identity.model, identity.gpu].map(str::to_owned)
}

/// The hour that `ts` is in.
fn hour(ts: Timestamp) -> Timestamp {
    Timestamp(ts.0.div_euclid(HOUR_MS) * HOUR_MS)
}

fn is_sample(signal: &StoredSignal) -> bool {
    matches!(signal.body, StoredBody::Status { .. })
}
