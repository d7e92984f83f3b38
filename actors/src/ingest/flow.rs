//! The reader's side of delivery, as plain code: how far each partition was read, up to where each
//! shard was served, who is attached to what, and how much may be under way.
//!
//! A shard takes nothing of a source partition before the reader has *attached* to its present
//! opening, and it takes only ranges that join what it has. So whatever gets lost, repeated or sent to
//! somebody who no longer has the shard, ends in another attachment, whose answer says where the shard
//! really is. What is missing then is sent again: the newest of it from memory (`kept`), the
//! rest is read from Kafka again.

use std::collections::{BTreeMap, VecDeque};

use naap_protocol::peer::Note;
use naap_protocol::state::SourcePartition;
use naap_protocol::wire::Envelope;

/// An attachment that is not answered is tried again after this time, ms, then each time after twice as long.
const AGAIN_MS: u32 = 500;
/// It is tried again after this time, ms, at the latest: a shard that is blocked would else find thousands of
/// wishes in its mailbox.
const LONGEST_MS: u32 = 30_000;
/// A shard that owes claims and does not get on for this time is asked where it is, ms.
const SILENCE_MS: u64 = 5_000;

/// Shards that are named where input waits for many.
const TOLD: usize = 5;

/// What the reader wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Out {
    /// Send to whoever should have the shard.
    Envelope(Envelope),
    /// The same.
    Note(Note),
    /// Read the partition again from this offset on and assign it anew; until then, what comes of it
    /// is thrown away.
    Reread(SourcePartition, u64),
    /// A shard has applied everything before this offset, and not all of that was read yet: see whether the
    /// partition has had that much at all.
    Ahead(SourcePartition, u64),
}

/// What is to be done with records that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// They are next.
    Next,
    /// They were under way when the partition had to be read again.
    Stale,
    /// The partition was never assigned.
    Unassigned,
}

/// How far one partition is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Partition {
    /// Where reading began: what is before it is nobody's business here.
    start: u64,
    /// First offset not read yet.
    next: u64,
    /// The partition is to be read again from here.
    reread: Option<u64>,
    /// Per shard.
    of: Vec<Served>,
}

/// How far one shard was served with one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Served {
    /// First offset that no envelope or mark has stood for yet.
    to: u64,
    attached: Attached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attached {
    Yes,
    /// Asked at this time, ms, with this wish, which is repeated after this pause, ms.
    Asked {
        at: u64,
        wish: u64,
        pause: u32,
    },
}

/// What is known of one shard.
#[derive(Clone, Debug, Default, PartialEq)]
struct Route {
    /// Its newest opening that was heard of; 0 for none.
    epoch: u64,
    /// Bytes under way, in all and of each envelope. A credit stands for the oldest one: what it says
    /// of its size is how another node counts.
    out: usize,
    costs: VecDeque<usize>,
    /// Envelopes that may not go yet, in order for each partition.
    waiting: VecDeque<Envelope>,
    /// What it has claimed.
    claimed: BTreeMap<SourcePartition, u64>,
    /// When it was last seen to get on, ms. Repeated claims are no sign of that.
    heard: u64,
}

/// The reader's side of delivery.
#[derive(Clone, Debug)]
pub struct Flow {
    window: usize,
    uncommitted: usize,
    /// Bytes sent since the last commit cycle began, and before that.
    sent: usize,
    saving: usize,
    routes: Vec<Route>,
    partitions: BTreeMap<SourcePartition, Partition>,
    waiting_bytes: usize,
    now: u64,
    /// Wishes so far.
    asks: u64,
    out: Vec<Out>,
}

impl Flow {
    /// No partition yet, for a cluster of `shards`, with at most `window` bytes under way to each, and
    /// `uncommitted` bytes sent whose effects are not durable.
    pub fn new(shards: u16, window: usize, uncommitted: usize) -> Self {
        Self {
            window,
            uncommitted,
            sent: 0,
            saving: 0,
            routes: vec![Route::default(); usize::from(shards)],
            partitions: BTreeMap::new(),
            waiting_bytes: 0,
            now: 0,
            asks: 0,
            out: Vec::new(),
        }
    }

    /// Takes what is to be done.
    pub fn take_out(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }

    /// Bytes of envelopes that wait for their shard.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// So much is not durable that a commit cycle is due.
    pub fn is_full(&self) -> bool {
        self.sent >= self.uncommitted / 2
    }

    /// A commit cycle begins.
    pub fn begin_commit(&mut self) {
        self.saving = std::mem::take(&mut self.sent);
    }

    /// The commit cycle is durable: there is room again.
    pub fn end_commit(&mut self) {
        self.saving = 0;
        (0..self.routes.len() as u16).for_each(|shard| self.send_waiting(shard));
    }

    /// Starts to read `source` at `offset`, or again from there.
    pub fn assign(&mut self, source: &SourcePartition, offset: u64) {
        if let Some(known) = self.partitions.get_mut(source) {
            // An answer to an earlier wish is not far enough back.
            known.reread = known.reread.filter(|&wanted| offset > wanted);
            if known.reread.is_none() {
                known.next = offset;
                known.start = known.start.min(offset);
            }
            return;
        }
        let attached = Attached::Asked { at: 0, wish: 0, pause: AGAIN_MS };
        let of = vec![Served { to: offset, attached }; self.routes.len()];
        let partition = Partition { start: offset, next: offset, reread: None, of };
        self.partitions.insert(source.clone(), partition);
        for shard in 0..self.routes.len() as u16 {
            self.ask(shard, source);
        }
    }

    /// Ends the reading of `source`; what was read of it and is not applied is not waited for.
    pub fn unassign(&mut self, source: &SourcePartition) {
        self.partitions.remove(source);
        for shard in 0..self.routes.len() {
            self.drop_waiting(shard, |envelope| envelope.head.source == *source);
        }
    }

    /// Notes that `source` was read up to `next`.
    #[must_use]
    pub fn read(&mut self, source: &SourcePartition, next: u64) -> Reading {
        match self.partitions.get_mut(source) {
            None => Reading::Unassigned,
            Some(partition) if partition.reread.is_some() => Reading::Stale,
            Some(partition) => {
                partition.next = partition.next.max(next);
                Reading::Next
            }
        }
    }

    /// The first offset that an envelope for `shard` stands for when it holds everything up to `to`;
    /// the shard counts as served up to there. `None` when it was served before.
    pub fn serve(&mut self, source: &SourcePartition, shard: u16, to: u64) -> Option<u64> {
        let served = self.partitions.get_mut(source)?.of.get_mut(usize::from(shard))?;
        (served.to < to).then(|| std::mem::replace(&mut served.to, to))
    }

    /// Sends an envelope if its shard has credit, else keeps it in order.
    pub fn dispatch(&mut self, envelope: Envelope) {
        let shard = envelope.head.shard;
        self.waiting_bytes += envelope.cost();
        self.routes[usize::from(shard)].waiting.push_back(envelope);
        self.send_waiting(shard);
    }

    /// Sends whatever may go to `shard`. One envelope always may, however large.
    fn send_waiting(&mut self, shard: u16) {
        let Self {
            window, uncommitted, sent, saving, routes, partitions, waiting_bytes, out, ..
        } = self;
        let route = &mut routes[usize::from(shard)];
        let mut at = 0;
        while let Some(next) = route.waiting.get(at) {
            let cost = next.cost();
            let unsaved = *sent + *saving;
            let narrow = route.out > 0 && route.out + cost > *window;
            if narrow || (unsaved > 0 && unsaved + cost > *uncommitted) {
                break;
            }
            let attached = partitions.get(&next.head.source).map(|p| p.of[usize::from(shard)]);
            if attached.is_none_or(|served| served.attached != Attached::Yes) {
                at += 1;
                continue;
            }
            let Some(mut envelope) = route.waiting.remove(at) else { break };
            route.out += cost;
            route.costs.push_back(cost);
            *sent += cost;
            *waiting_bytes -= cost;
            envelope.head.epoch_hint = route.epoch;
            out.push(Out::Envelope(envelope));
        }
    }

    fn drop_waiting(&mut self, shard: usize, gone: impl Fn(&Envelope) -> bool) {
        let waiting_bytes = &mut self.waiting_bytes;
        self.routes[shard].waiting.retain(|envelope| {
            let stays = !gone(envelope);
            *waiting_bytes -= if stays { 0 } else { envelope.cost() };
            stays
        });
    }

    /// Takes what a shard says.
    pub fn note(&mut self, note: Note) {
        match note {
            Note::Attached { shard, epoch, source, wanted, ask } => {
                let known = self.partitions.get(&source);
                let asked = known.and_then(|p| p.of.get(usize::from(shard)));
                let answers = asked.is_some_and(
                    |served| matches!(served.attached, Attached::Asked { wish, .. } if wish == ask),
                );
                if self.hear(shard, epoch) && answers {
                    self.attached(shard, &source, wanted);
                }
            }
            Note::Credit { shard, epoch, .. } => {
                if self.hear(shard, epoch) {
                    let route = &mut self.routes[usize::from(shard)];
                    route.out -= route.costs.pop_front().unwrap_or(0);
                    route.heard = self.now;
                    self.send_waiting(shard);
                }
            }
            Note::Refused { shard, epoch, source } => {
                let known = self.partitions.get(&source);
                let served = known.and_then(|p| p.of.get(usize::from(shard)));
                let attached = served.is_some_and(|served| served.attached == Attached::Yes);
                if attached && self.routes[usize::from(shard)].epoch == epoch {
                    self.detach(shard);
                }
            }
            Note::Claimed { shard, epoch, applied } => {
                if self.hear(shard, epoch) {
                    self.hurry(shard);
                    let route = &mut self.routes[usize::from(shard)];
                    for (source, offset) in applied {
                        let known = route.claimed.entry(source).or_insert(0);
                        if *known < offset {
                            (*known, route.heard) = (offset, self.now);
                        }
                    }
                }
            }
            // These go the other way.
            Note::Attach { .. }
            | Note::Mark { .. }
            | Note::Ask { .. }
            | Note::Evidence { .. }
            | Note::Backfill { .. }
            | Note::Dirty { .. }
            | Note::Settled { .. }
            | Note::Heir { .. } => {}
        }
    }

    /// Notes that `shard` speaks in opening `epoch`; `false` when a later one was heard of.
    fn hear(&mut self, shard: u16, epoch: u64) -> bool {
        let Some(route) = self.routes.get_mut(usize::from(shard)) else { return false };
        if epoch < route.epoch {
            return false;
        }
        if epoch > route.epoch {
            let first = route.epoch == 0;
            route.epoch = epoch;
            // Whoever asked before the first opening gets its answer from it.
            if !first {
                self.detach(shard);
            }
        }
        true
    }

    /// Attaches everything to `shard` anew. What was under way to it is given up: its credit, or the
    /// refusal, may never come.
    fn detach(&mut self, shard: u16) {
        let route = &mut self.routes[usize::from(shard)];
        (route.out, route.costs) = (0, VecDeque::new());
        let sources: Vec<_> = self.partitions.keys().cloned().collect();
        for source in sources {
            self.ask(shard, &source);
        }
    }

    /// The shard is at work: what it has not answered was lost, or is answered soon.
    fn hurry(&mut self, shard: u16) {
        for partition in self.partitions.values_mut() {
            let attached = &mut partition.of[usize::from(shard)].attached;
            if let Attached::Asked { pause, .. } = attached {
                *pause = AGAIN_MS;
            }
        }
    }

    fn ask(&mut self, shard: u16, source: &SourcePartition) {
        self.asks += 1;
        self.ask_as(shard, source, self.asks, AGAIN_MS);
    }

    fn ask_as(&mut self, shard: u16, source: &SourcePartition, ask: u64, pause: u32) {
        let Some(partition) = self.partitions.get_mut(source) else { return };
        let attached = Attached::Asked { at: self.now, wish: ask, pause };
        partition.of[usize::from(shard)].attached = attached;
        let claimed = self.routes[usize::from(shard)].claimed.get(source).copied();
        // A shard that has claimed nothing of the source has to have it from its start.
        let start = claimed.unwrap_or(partition.start);
        self.out.push(Out::Note(Note::Attach { shard, source: source.clone(), start, ask }));
    }

    fn attached(&mut self, shard: u16, source: &SourcePartition, wanted: u64) {
        let number = usize::from(shard);
        let Some(partition) = self.partitions.get(source) else { return };
        let (to, read) = (partition.of[number].to, partition.next);
        self.routes[number].heard = self.now;
        if wanted > read {
            // What is before it counts as applied, and gets lost if it is of a topic that was made anew.
            self.out.push(Out::Ahead(source.clone(), wanted));
        }
        self.drop_waiting(number, |e| e.head.source == *source && e.head.to <= wanted);
        let waiting = &self.routes[number].waiting;
        let first = waiting.iter().find(|envelope| envelope.head.source == *source);
        let joins = first.map_or(to, |envelope| envelope.head.from) <= wanted;
        if !joins {
            self.drop_waiting(number, |envelope| envelope.head.source == *source);
            self.reread(source, wanted);
        }
        if let Some(partition) = self.partitions.get_mut(source) {
            let to = if joins { to.max(wanted) } else { wanted };
            partition.of[number] = Served { to, attached: Attached::Yes };
        }
        self.send_waiting(shard);
    }

    fn reread(&mut self, source: &SourcePartition, wanted: u64) {
        let Some(partition) = self.partitions.get_mut(source) else { return };
        if wanted >= partition.next && partition.reread.is_none() {
            return;
        }
        if partition.reread.is_none_or(|known| wanted < known) {
            // What is behind was read for nothing: no mark may stand for it.
            (partition.reread, partition.next) = (Some(wanted), wanted);
            self.out.push(Out::Reread(source.clone(), wanted));
        }
    }

    /// Some time has passed; it is `now` ms. Asks again what was not answered, and those that owe
    /// claims and do not get on.
    pub fn tick(&mut self, now: u64) {
        self.now = now;
        let mut again = Vec::new();
        for (source, partition) in &self.partitions {
            for (number, served) in partition.of.iter().enumerate() {
                if let Attached::Asked { at, wish, pause } = served.attached
                    && now >= at + u64::from(pause)
                {
                    let next = (2 * pause).min(LONGEST_MS);
                    again.push((number as u16, source.clone(), wish, next));
                }
            }
        }
        for (shard, source, ask, pause) in again {
            self.ask_as(shard, &source, ask, pause);
        }
        for number in 0..self.routes.len() {
            let route = &self.routes[number];
            let owes = |(source, partition): (&SourcePartition, &Partition)| {
                let served = partition.of[number];
                let claimed = route.claimed.get(source).is_some_and(|&to| to >= served.to);
                served.attached == Attached::Yes && !claimed
            };
            if now >= route.heard + SILENCE_MS && self.partitions.iter().any(owes) {
                self.routes[number].heard = now;
                self.detach(number as u16);
            }
        }
    }

    /// Marks for every attached shard that lags behind what was read and that no envelope waits for.
    pub fn mark(&mut self) {
        let Self { routes, partitions, out, .. } = self;
        for (source, partition) in partitions {
            for (number, served) in partition.of.iter_mut().enumerate() {
                let route = &routes[number];
                let waits = || route.waiting.iter().any(|e| e.head.source == *source);
                if served.attached == Attached::Yes && served.to < partition.next && !waits() {
                    let from = std::mem::replace(&mut served.to, partition.next);
                    let (shard, epoch, to) = (number as u16, route.epoch, partition.next);
                    let source = source.clone();
                    out.push(Out::Note(Note::Mark { shard, epoch, source, from, to }));
                }
            }
        }
    }

    /// Per partition that is read the first offset that was not read yet.
    pub fn positions(&self) -> BTreeMap<SourcePartition, u64> {
        self.partitions.iter().map(|(source, known)| (source.clone(), known.next)).collect()
    }

    /// Per source partition the first offset that some shard has not claimed; a partition that a shard
    /// has claimed nothing of is missing.
    pub fn applied(&self) -> BTreeMap<SourcePartition, u64> {
        let Some((first, rest)) = self.routes.split_first() else { return BTreeMap::new() };
        let lowest = |(source, &offset): (&SourcePartition, &u64)| {
            let mut all = rest.iter().map(|route| route.claimed.get(source).copied());
            let low = all.try_fold(offset, |low, claimed| Some(low.min(claimed?)))?;
            Some((source.clone(), low))
        };
        first.claimed.iter().filter_map(lowest).collect()
    }

    /// What every partition with offsets that are not applied waits for, as text for people: the shards that
    /// are furthest behind, and how many more.
    pub fn waits(&self, applied: &BTreeMap<SourcePartition, u64>) -> Vec<String> {
        let waits = self.partitions.iter().filter(|(source, partition)| {
            applied.get(*source).is_none_or(|&to| to < partition.next)
        });
        let wait = |(source, partition): (&SourcePartition, &Partition)| {
            let SourcePartition { topic, partition: number } = source;
            let mut text = vec![format!("{topic}/{number} was read up to {}", partition.next)];
            if let Some(from) = partition.reread {
                text.push(format!("has to be read again from {from}"));
            }
            let mut behind: Vec<(u64, usize)> = Vec::new();
            for ((shard, served), route) in partition.of.iter().enumerate().zip(&self.routes) {
                let claimed = route.claimed.get(source).copied().unwrap_or(partition.start);
                if served.attached != Attached::Yes || claimed < partition.next {
                    behind.push((claimed, shard));
                }
            }
            behind.sort_unstable();
            for &(_, shard) in behind.iter().take(TOLD) {
                let (served, route) = (partition.of[shard], &self.routes[shard]);
                let claimed = route.claimed.get(source);
                text.push(if served.attached == Attached::Yes {
                    let (to, out) = (served.to, route.out);
                    format!(
                        "shard {shard} (epoch {}) was served up to {to} and has claimed {claimed:?}, {out} \
                         bytes are under way and {} envelopes wait",
                        route.epoch,
                        route.waiting.len()
                    )
                } else {
                    format!("shard {shard} does not answer and has claimed {claimed:?}")
                });
            }
            if let Some(more) = behind.len().checked_sub(TOLD).filter(|more| *more > 0) {
                text.push(format!("so do {more} more shards"));
            }
            text.join(", ")
        };
        waits.map(wait).collect()
    }

    /// True when `applied` covers everything that was read.
    pub fn all_applied(&self, applied: &BTreeMap<SourcePartition, u64>) -> bool {
        let covered = |(source, partition): (&SourcePartition, &Partition)| {
            applied.get(source).is_some_and(|&to| to >= partition.next)
        };
        self.partitions.iter().all(covered)
    }
}

#[cfg(test)]
mod tests;
