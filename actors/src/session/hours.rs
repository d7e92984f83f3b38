//! Status evidence of a session by hour, segment and identity (tables.md 3.0, 12.2; decisions.md, gold).
//!
//! Only attributed samples count, in the hour of their gateway time. They are added up by selection, and
//! selections of one segment that come to the same identity share a row: a wallet that was reached at two
//! urls can have served with two GPUs, and figures of a GPU must not lose its samples.
//!
//! A session has few hours, so all of them stay in memory while it is awake: a sample behind all others
//! is added to its hour, and any other change folds the hours again from that of the last sample before
//! it. Earlier hours can not change: what an hour takes from later ones is the next sample, which ends
//! the active time of its last one, and the end of the session.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use naap_protocol::capability::decide::Source;
use naap_protocol::frames::{bucket, millionths};
use naap_protocol::rows::sessions::StatusHour;
use naap_protocol::slice::{HOUR_MS, hour};
use naap_protocol::state::{HourKey, StoredBody, StoredSignal, Sym};
use naap_protocol::time::Timestamp;

use super::attribution::Identity;
use super::emit::Written;
use super::outcome::{active_ms, is_running};
use super::pen::{Pen, Stamp};
use super::story::Story;

/// From so many samples on an hour shows work, whatever the samples say.
const WORK_SAMPLES: u32 = 3;

/// The attributed samples of a session, added up.
#[derive(Clone, Debug, Default)]
pub struct Hours {
    /// In the order of time.
    groups: Vec<Group>,
    /// How many signals are folded.
    folded: usize,
    last: Option<LastSample>,
}

/// A status sample, attributed or not, whose active time the next one decides.
#[derive(Clone, Copy, Debug)]
struct LastSample {
    ts: Timestamp,
    /// The place of its group, if it is attributed.
    group: Option<usize>,
}

/// Sums over the samples of one hour, segment and selection; columns of [`StatusHour`].
#[derive(Clone, Debug)]
struct Group {
    hour: Timestamp,
    segment: u16,
    /// Anchor of the selection in force.
    selection: u32,
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
}

/// A row: the groups of an hour and segment whose selections come to the same identity.
struct Element<'h, 'a> {
    key: HourKey,
    identity: Identity<'a>,
    source: Source,
    sums: Cow<'h, Group>,
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
            self.groups.truncate(self.place_of(from));
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
        if let Some(LastSample { ts: since, group: Some(place) }) = self.last
            && let Some(group) = self.groups.get_mut(place)
        {
            group.active_ms += active_ms(since, ts.min(Timestamp(group.hour.0 + HOUR_MS)));
        }
        let cover = story.cover(ts);
        let place = cover.force.ok().zip(cover.segment).map(|(selection, segment)| {
            let anchor = selection.selection.anchor;
            let at = (hour(ts), segment, anchor);
            // Time only goes on, and with it segments and selections.
            if self.groups.last().is_none_or(|last| (last.hour, last.segment, last.selection) != at)
            {
                self.groups.push(Group::starting(at, ts));
            }
            let place = self.groups.len() - 1;
            self.groups[place].add(signal, story);
            place
        });
        self.last = Some(LastSample { ts, group: place });
    }

    /// The place of the first group of `hour` or later.
    fn place_of(&self, hour: Timestamp) -> usize {
        self.groups.partition_point(|group| group.hour < hour)
    }

    /// The rows of the hours from `from` until before `to`.
    fn elements<'h, 'a>(
        &'h self,
        story: &'h Story<'a>,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = Element<'h, 'a>> {
        let groups = &self.groups[self.place_of(from)..self.place_of(to)];
        let of_segment = groups.chunk_by(|a, b| (a.hour, a.segment) == (b.hour, b.segment));
        of_segment.flat_map(|groups| elements(groups, story))
    }

    /// The first row that is no tail, by whatever attribution: gold may begin there.
    pub fn first(&self, story: &Story<'_>) -> Option<HourKey> {
        let tails = Tails::of(self, story);
        let mut all = self.elements(story, Timestamp(i64::MIN), Timestamp(i64::MAX));
        all.find(|element| !tails.hold(element)).map(|element| element.key)
    }

    /// Writes the rows from the hour `from` on, and takes back those that are no more. `known` are
    /// the rows that were ever written.
    pub fn write(
        &self,
        story: &Story<'_>,
        from: Timestamp,
        known: &mut BTreeMap<HourKey, u64>,
        pen: &mut Pen<'_>,
        count: &mut Written,
    ) {
        let tails = Tails::of(self, story);
        let mut all = self.elements(story, Timestamp(i64::MIN), Timestamp(i64::MAX));
        let first = all.find(|e| e.source == Source::Direct && !tails.hold(e)).map(|e| e.key);
        let mut written = BTreeSet::new();
        for element in self.elements(story, from, Timestamp(i64::MAX)) {
            let row = |stamp| StatusHour {
                is_terminal_tail_artifact: tails.hold(&element),
                is_first_evidence_hour: first == Some(element.key),
                ..element.row(story, stamp)
            };
            count.count(pen.put(known.entry(element.key).or_default(), row));
            written.insert(element.key);
        }
        let since = HourKey { window_start: from, ..HourKey::default() };
        for (key, last) in known.range_mut(since..).filter(|(key, _)| !written.contains(key)) {
            let row = |stamp: Stamp| StatusHour {
                org: &story.state.org,
                workflow_session_id: &story.state.session_id,
                window_start: key.window_start,
                segment_index: key.segment_index,
                identity_index: key.identity_index,
                is_retracted: true,
                version: stamp.version,
                ingestion_timestamp: stamp.now,
                ..StatusHour::default()
            };
            count.count(pen.put(last, row));
        }
    }
}

/// The rows of one hour and segment, in the order of their first samples.
fn elements<'h, 'a>(groups: &'h [Group], story: &'h Story<'a>) -> Vec<Element<'h, 'a>> {
    let mut elements: Vec<Element<'h, 'a>> = Vec::with_capacity(1);
    for group in groups {
        let selections = &story.selections;
        let place = selections.binary_search_by_key(&group.selection, |s| s.selection.anchor);
        let Some(selection) = place.ok().and_then(|place| selections.get(place)) else { continue };
        let source = selection.decision.source;
        let identity = Identity::of(selection, &story.state.symbols);
        let same = |e: &&mut Element<'_, '_>| e.source == source && e.identity.is_same(&identity);
        if let Some(element) = elements.iter_mut().find(same) {
            element.sums.to_mut().unite(group);
            continue;
        }
        let key = HourKey {
            window_start: group.hour,
            segment_index: group.segment,
            identity_index: elements.len().min(u16::MAX.into()) as u16,
        };
        elements.push(Element { key, identity, source, sums: Cow::Borrowed(group) });
    }
    elements
}

impl Group {
    fn starting((hour, segment, selection): (Timestamp, u16, u32), ts: Timestamp) -> Self {
        Self {
            hour,
            segment,
            selection,
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
        }
    }

    fn add(&mut self, signal: &StoredSignal, story: &Story<'_>) {
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
    }

    /// Takes in the sums of a later group.
    fn unite(&mut self, later: &Self) {
        self.samples += later.samples;
        self.fps_positive += later.fps_positive;
        self.running += later.running;
        self.degraded_input += later.degraded_input;
        self.degraded_inference += later.degraded_inference;
        self.errors += later.errors;
        self.output_sum = self.output_sum.saturating_add(later.output_sum);
        self.output_sumsq = self.output_sumsq.saturating_add(later.output_sumsq);
        self.input_sum = self.input_sum.saturating_add(later.input_sum);
        if self.histogram.len() < later.histogram.len() {
            self.histogram.resize(later.histogram.len(), 0);
        }
        for (sum, more) in self.histogram.iter_mut().zip(&later.histogram) {
            *sum += more;
        }
        self.last = later.last;
        self.active_ms += later.active_ms;
        if self.gateway.is_empty() {
            self.gateway = later.gateway;
        }
    }

    fn work(&self) -> Work {
        Work { samples: self.samples, signs: self.fps_positive + self.running }
    }
}

impl Element<'_, '_> {
    fn row<'s>(&'s self, story: &'s Story<'_>, stamp: Stamp) -> StatusHour<'s> {
        let Self { key, identity, source, sums } = self;
        StatusHour {
            org: &story.state.org,
            workflow_session_id: &story.state.session_id,
            window_start: key.window_start,
            segment_index: key.segment_index,
            identity_index: key.identity_index,
            gateway: story.state.symbols.text(sums.gateway),
            orchestrator_address: identity.address,
            orchestrator_url: identity.url,
            pipeline: &identity.pipeline,
            model_id: &identity.model,
            gpu_id: identity.gpu,
            attribution_source: source.label(),
            status_samples: sums.samples,
            fps_positive_samples: sums.fps_positive,
            running_state_samples: sums.running,
            degraded_input_samples: sums.degraded_input,
            degraded_inference_samples: sums.degraded_inference,
            error_samples: sums.errors,
            output_fps_sum: sums.output_sum,
            output_fps_sumsq: sums.output_sumsq,
            input_fps_sum: sums.input_sum,
            output_fps_histogram: &sums.histogram,
            first_sample_ts: sums.first,
            last_sample_ts: sums.last,
            active_ms: sums.active_ms as u32,
            version: stamp.version,
            ingestion_timestamp: stamp.now,
            ..StatusHour::default()
        }
    }

    fn served(&self) -> Served {
        let Identity { address, pipeline, model, gpu, .. } = &self.identity;
        [*address, &**pipeline, &**model, *gpu].map(str::to_owned)
    }
}

impl Work {
    /// The sums of several rows of one orchestrator.
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
        let mut tails = Self { hour, served: BTreeSet::new() };
        let last = &hours.groups[hours.place_of(hour)..];
        if last.iter().all(|group| !group.work().is_none()) {
            return tails;
        }
        let last = work_by_identity(hours.elements(story, hour, Timestamp(i64::MAX)));
        let before = Timestamp(hour.0 - HOUR_MS);
        let before = work_by_identity(hours.elements(story, before, hour));
        let idle = last.into_iter().filter(|(served, work)| {
            work.is_none() && before.get(served).is_some_and(|work| work.is_none())
        });
        tails.served.extend(idle.map(|(served, _)| served));
        tails
    }

    fn hold(&self, element: &Element<'_, '_>) -> bool {
        element.key.window_start == self.hour
            && !self.served.is_empty()
            && self.served.contains(&element.served())
    }
}

fn work_by_identity<'h, 'a: 'h>(
    elements: impl Iterator<Item = Element<'h, 'a>>,
) -> BTreeMap<Served, Work> {
    let mut by_identity: BTreeMap<Served, Work> = BTreeMap::new();
    for element in elements {
        by_identity.entry(element.served()).or_default().add(element.sums.work());
    }
    by_identity
}

fn is_sample(signal: &StoredSignal) -> bool {
    matches!(signal.body, StoredBody::Status { .. })
}
