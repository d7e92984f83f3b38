//! A small cluster around one shard: nodes, a compacted log, a table of rows, and an input, which repeats
//! whatever a shard wants or is read as readers do.

mod work;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Fault;
use super::input::Input;
use super::log::{Claim, Key, Log, MARK, Merged, Value, record};
use super::step::Step;
use crate::ownership::{Effect, Event, Leftovers, Opening, Owner, Record, Take};

pub const NODES: usize = 2;

/// How far the exploration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Events of the input. Event `n` is of session `n % sessions`.
    pub events: u8,
    pub sessions: u8,
    /// Boots that end.
    pub crashes: u8,
    /// Changes of the placement.
    pub flips: u8,
    /// Takeovers from a holder that lives, and openings against a rival that lives.
    pub quarrels: u8,
    /// Sessions that end.
    pub marks: u8,
    /// Times that the placed node is suspected, so that the other one reads ahead.
    pub doubts: u8,
    /// Times that the group assigns the input to another node, and readers may be stale; `None` for an input
    /// that repeats whatever a shard wants.
    pub rebalances: Option<u8>,
}

/// A shard that runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shard {
    opening: Opening,
    /// The first event that it has not taken; `None` before a reader has told where the input begins.
    applied: Option<u8>,
    /// What the last stored claim said.
    stored: u8,
    /// By session: the accepted events, or the mark.
    state: Vec<u8>,
    /// Events of sessions that are over: their typed rows are due.
    late: u8,
    /// By session: touched since its last snapshot.
    dirty: Vec<bool>,
    sequence: u8,
    cycle: Option<Cycle>,
    draining: bool,
    drained: bool,
}

/// A commit cycle: its snapshots are on the way, then its rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cycle {
    claim: u8,
    rows: Vec<(u8, u8)>,
    late: u8,
    written: bool,
}

/// The things that leave keys behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Thing {
    Claim,
    Session(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    owner: Owner<Claim>,
    incarnation: u64,
    /// The node that it believes to be placed.
    view: usize,
    /// Where the reader stands; `None` when nothing is read.
    position: Option<u8>,
    /// The end of the partition when reading began.
    end: Option<u8>,
    /// By session: the merge of the snapshots read.
    restored: Vec<Merged>,
    leftovers: Leftovers<Thing>,
    /// On the way to the log. Outlives the process: a broker may still have it.
    sent: VecDeque<(Key, Value)>,
    waiting: bool,
    shard: Option<Shard>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    bounds: Bounds,
    fault: Option<Fault>,
    log: Log,
    nodes: Vec<Node>,
    input: Input,
    placed: usize,
    /// By session: version and content of the latest row.
    rows: Vec<((u64, u8), u8)>,
    /// Everything below was acknowledged to the input.
    acked: u8,
    /// Who has run the shard in which epoch.
    ran: BTreeMap<u64, Opening>,
    /// Events with typed rows alone, as their session was over.
    typed: u8,
    /// What was found wrong.
    pub broken: Option<&'static str>,
}

impl World {
    pub fn new(bounds: Bounds, fault: Option<Fault>) -> Self {
        let sessions = usize::from(bounds.sessions);
        Self {
            bounds,
            fault,
            log: Log::default(),
            nodes: (0..NODES).map(|n| Node::boot(n, 1, 0, sessions)).collect(),
            input: Input::default(),
            placed: 0,
            rows: vec![((0, 0), 0); sessions],
            acked: 0,
            ran: BTreeMap::new(),
            typed: 0,
            broken: None,
        }
    }

    /// Whether it is worth trying: copying a world costs more than asking.
    pub fn may(&self, step: Step) -> bool {
        let node = |n: usize| &self.nodes[n];
        match step {
            Step::Flip => self.bounds.flips > 0,
            Step::Compact => true,
            Step::Learn(n) => node(n).view != self.placed,
            Step::Recheck(n) => node(n).view == n || node(n).owner.opening().is_some(),
            Step::Suspect(n) => node(n).view == n && self.bounds.quarrels > 0,
            Step::Ahead(n) => node(n).view != n && self.bounds.doubts > 0,
            Step::Trust(n) => node(n).view != n && node(n).position.is_some(),
            Step::Elapse(n) => node(n).waiting,
            Step::Crash(n) => self.bounds.crashes > 0 && !node(n).sent.is_empty(),
            Step::Vanish(_) => self.bounds.crashes > 0,
            Step::Read(n) => node(n).position.is_some(),
            Step::Land(n) => !node(n).sent.is_empty(),
            Step::Mark(n) => self.bounds.marks > 0 && node(n).shard.is_some(),
            Step::Deliver(n) => node(n).shard.is_some() && self.bounds.rebalances.is_none(),
            Step::Save(n) | Step::Write(n) | Step::Store(n) | Step::Drain(n) => {
                node(n).shard.is_some()
            }
            Step::Assign(_) => self.bounds.rebalances.is_some(),
            Step::Attach(n, of) => node(of).shard.is_some() && self.input.reads(n),
            Step::Arrive(n) | Step::Lose(n) => self.input.has_sent(n),
            Step::Revoke(n) | Step::Detach(n) | Step::Send(n) | Step::Commit(n) => {
                self.input.reads(n)
            }
        }
    }

    /// Takes the step in place; `None` when it is not possible now.
    pub fn take(&mut self, step: Step) -> Option<()> {
        match step {
            Step::Flip => {
                self.bounds.flips = self.bounds.flips.checked_sub(1)?;
                self.placed = (self.placed + 1) % NODES;
            }
            Step::Compact => self.log.compact(self.same()),
            Step::Learn(n) => {
                let was = std::mem::replace(&mut self.nodes[n].view, self.placed);
                if was == n && self.placed != n {
                    self.tell(n, Event::Lost);
                }
            }
            Step::Recheck(n) => self.recheck(n),
            Step::Suspect(n) => {
                self.wanted(n)?;
                self.bounds.quarrels = self.bounds.quarrels.checked_sub(1)?;
                self.tell(n, Event::Won(Take::Now));
            }
            Step::Ahead(n) => {
                self.bounds.doubts = self.bounds.doubts.checked_sub(1)?;
                self.tell(n, Event::Won(Take::Later));
            }
            Step::Trust(n) => self.tell(n, Event::Lost),
            Step::Elapse(n) => {
                let waits = std::mem::take(&mut self.nodes[n].waiting);
                waits.then_some(())?;
                if self.contested() {
                    self.bounds.quarrels = self.bounds.quarrels.checked_sub(1)?;
                }
                self.tell(n, Event::Elapsed);
            }
            Step::Crash(n) | Step::Vanish(n) => {
                self.bounds.crashes = self.bounds.crashes.checked_sub(1)?;
                let node = &self.nodes[n];
                let late = matches!(step, Step::Crash(_));
                let sent = if late { node.sent.clone() } else { VecDeque::new() };
                let sessions = usize::from(self.bounds.sessions);
                let later = u64::from(self.fault != Some(Fault::SameBoot));
                self.nodes[n] = Node::boot(n, node.incarnation + later, self.placed, sessions);
                self.nodes[n].sent = sent;
                self.input.crash(n);
            }
            Step::Read(n) => self.read(n)?,
            Step::Land(n) => {
                let (key, value) = self.nodes[n].sent.pop_front()?;
                self.log.append(key, value);
                let value = self.log.entries.last().map(|entry| entry.value);
                if let (Some(Fault::AckUnread), Some(Value::Claim(claim))) = (self.fault, value) {
                    self.ack(claim);
                }
            }
            Step::Deliver(n) => self.deliver(n)?,
            Step::Assign(n) => {
                if !self.input.is_free() {
                    let left = self.bounds.rebalances.as_mut()?;
                    *left = left.checked_sub(1)?;
                }
                self.input.assign(n)?;
            }
            Step::Revoke(n) => self.input.revoke(n)?,
            Step::Attach(n, of) => self.attach(n, of)?,
            Step::Detach(n) => self.input.detach(n)?,
            Step::Send(n) => self.input.send(n, self.bounds.events)?,
            Step::Arrive(n) => self.arrive(n)?,
            Step::Lose(n) => drop(self.input.take(n)?),
            Step::Commit(n) => {
                let early = self.fault == Some(Fault::CommitSent);
                let sent = self.input.position(n).filter(|_| early);
                self.input.commit(n, sent.unwrap_or(self.acked))?;
            }
            Step::Mark(n) => self.mark(n)?,
            Step::Save(n) => self.save(n)?,
            Step::Write(n) => self.write(n)?,
            Step::Store(n) => {
                let shard = self.nodes[n].shard.as_mut()?;
                let cycle = shard.cycle.take_if(|cycle| cycle.written)?;
                shard.stored = cycle.claim;
                self.tell(n, Event::Stored(Claim { applied: cycle.claim, valid: false }));
            }
            Step::Drain(n) => {
                let shard = self.nodes[n].shard.as_mut()?;
                // Whatever is not claimed by now is the next owner's.
                let done = shard.draining && !shard.drained && shard.cycle.is_none();
                done.then_some(())?;
                shard.drained = true;
                self.tell(n, Event::Drained);
            }
        }
        if !step.is_harmless() {
            self.judge();
        }
        Some(())
    }

    fn wanted(&self, n: usize) -> Option<()> {
        (self.nodes[n].view == n).then_some(())
    }

    /// Whether two nodes believe that they should have the shard.
    fn contested(&self) -> bool {
        self.nodes.iter().enumerate().filter(|(n, node)| node.view == *n).count() > 1
    }

    /// What a node does every second: what it should have must be open, and what it should not have is given away.
    fn recheck(&mut self, n: usize) {
        if self.wanted(n).is_none() {
            return self.tell(n, Event::Lost);
        }
        let up = |holder: &Opening| {
            self.nodes
                .iter()
                .enumerate()
                .any(|(m, node)| *holder.node == *name(m) && holder.incarnation == node.incarnation)
        };
        let down = self.nodes[n].owner.holder().is_some_and(|holder| !up(holder));
        self.tell(n, Event::placed(true, false, down));
    }

    fn read(&mut self, n: usize) -> Option<()> {
        let node = &mut self.nodes[n];
        let position = node.position?;
        let Some(entry) = self.log.next(position).cloned() else {
            node.position = Some(self.log.end);
            return self.caught_up(n);
        };
        node.position = Some(entry.offset + 1);
        if let Key::Snapshot(author, session) = &entry.key {
            node.restored[usize::from(*session)].take(author, entry.value);
        }
        if entry.value != Value::Tombstone {
            self.sweep(n, &entry.key);
        }
        let deaf = match (&self.fault, &entry.key) {
            (Some(Fault::IgnoreRivals), Key::Open(opening)) => *opening.node != *name(n),
            _ => false,
        };
        let node = &mut self.nodes[n];
        let incarnation = node.incarnation;
        let mine = |open: &Opening| *open.node == *name(n) && open.incarnation == incarnation;
        if node.end.is_none() && matches!(&entry.key, Key::Open(open) if mine(open)) {
            let early = self.fault == Some(Fault::StartAtOpen);
            node.end = Some(if early { entry.offset + 1 } else { self.log.end });
        }
        if let Some(record) = record(&entry).filter(|_| !deaf) {
            self.tell(n, Event::Read(record));
        }
        let _ = self.caught_up(n);
        Some(())
    }

    fn caught_up(&mut self, n: usize) -> Option<()> {
        let node = &mut self.nodes[n];
        let (position, end) = (node.position?, node.end?);
        (position >= end).then_some(())?;
        node.end = None;
        self.tell(n, Event::CaughtUp);
        Some(())
    }

    /// Removes what the record just read stands for.
    fn sweep(&mut self, n: usize, key: &Key) {
        let node = &mut self.nodes[n];
        let (author, thing) = match key {
            Key::Progress(author) => (author, Thing::Claim),
            Key::Snapshot(author, session) => (author, Thing::Session(*session)),
            Key::Open(_) | Key::Close(_) => return,
        };
        for opening in node.leftovers.read(thing, author, node.owner.opening()) {
            let key = match thing {
                Thing::Claim => Key::Progress(opening),
                Thing::Session(session) => Key::Snapshot(opening, session),
            };
            node.sent.push_back((key, Value::Tombstone));
        }
    }

    fn tell(&mut self, n: usize, event: Event<Claim>) {
        for effect in self.nodes[n].owner.on(event) {
            self.perform(n, effect);
        }
    }

    fn perform(&mut self, n: usize, effect: Effect<Claim>) {
        let node = &mut self.nodes[n];
        match effect {
            Effect::Follow => {
                (node.position, node.end) = (Some(0), Some(self.log.end));
            }
            Effect::Unfollow => {
                (node.position, node.end, node.leftovers) = (None, None, Leftovers::default());
                node.restored.fill(Merged::default());
            }
            Effect::Append(record) => {
                let early = self.fault == Some(Fault::OpenUnread);
                if let (true, Record::Open(opening)) = (early, &record) {
                    self.start(n, opening.clone(), None);
                }
                let sent = match record {
                    Record::Open(opening) => (Key::Open(opening), Value::Empty),
                    Record::Close(opening) => (Key::Close(opening), Value::Empty),
                    Record::Progress(opening, claim) => {
                        (Key::Progress(opening), Value::Claim(claim))
                    }
                };
                self.nodes[n].sent.push_back(sent);
            }
            Effect::Start(opening, claim) => self.start(n, opening, claim),
            Effect::Ack(claim) => self.ack(claim),
            Effect::Drain => {
                if let Some(shard) = &mut node.shard {
                    shard.draining = true;
                }
            }
            Effect::Stop => node.shard = None,
            Effect::Wait(_) => node.waiting = true,
        }
    }

    fn start(&mut self, n: usize, opening: Opening, claim: Option<Claim>) {
        if claim.is_some_and(|claim| !claim.valid) {
            self.broken = Some("a shard starts from the claim of a superseded epoch");
        }
        if *self.ran.entry(opening.epoch).or_insert(opening.clone()) != opening {
            self.broken = Some("two openings of the same epoch run the shard");
        }
        if let Some(claim) = claim {
            self.ack(claim);
        }
        let node = &mut self.nodes[n];
        let applied = claim.map_or(0, |claim| claim.applied);
        let state: Vec<u8> = node.restored.iter().map(|merged| merged.state).collect();
        if (0..applied).any(|event| !covers(&state, event)) {
            self.broken = Some("a shard starts without the state that its claim speaks of");
        }
        let dirty = vec![false; state.len()];
        node.shard = Some(Shard {
            opening,
            applied: claim.map(|_| applied).or(self.bounds.rebalances.is_none().then_some(0)),
            stored: applied,
            state,
            late: 0,
            dirty,
            sequence: 0,
            cycle: None,
            draining: false,
            drained: false,
        });
    }

    fn ack(&mut self, claim: Claim) {
        if !claim.valid {
            self.broken = Some("the claim of a superseded epoch is acknowledged");
        }
        self.acked = self.acked.max(claim.applied);
    }

    fn same(&self) -> fn(&Key, &Key) -> bool {
        let blind: fn(&Key, &Key) -> bool = |a, b| match (a, b) {
            (Key::Snapshot(_, a), Key::Snapshot(_, b)) => a == b,
            _ => a == b,
        };
        if self.fault == Some(Fault::KeysWithoutEpoch) { blind } else { |a, b| a == b }
    }

    /// What is claimed or acknowledged is in the state and in the rows, whoever fails next.
    fn judge(&mut self) {
        let sessions = 0..self.bounds.sessions;
        let state: Vec<u8> =
            sessions.map(|session| self.log.merged(session, self.same())).collect();
        let rows: Vec<u8> = self.rows.iter().map(|row| row.1).collect();
        let safe = self.acked.max(self.log.claimed()).max(self.input.committed);
        let late = |event: u8| self.typed & (1 << event) != 0 && !holds(&state, event);
        if (0..safe).any(|event| !covers(&state, event)) {
            self.broken = Some("an event that is claimed or acknowledged is not in the state");
        } else if (0..safe).any(|event| !holds(&rows, event) && !late(event)) {
            self.broken = Some("an event that is claimed or acknowledged is not in the rows");
        }
    }

    /// The end that must always stay within reach: the placed node has the shard open, and every
    /// event is acknowledged.
    pub fn done(&self) -> bool {
        let opening = self.nodes[self.placed].owner.opening();
        let runs = opening.is_some() && self.nodes[self.placed].shard.is_some();
        let committed = self.bounds.rebalances.map_or(self.acked, |_| self.input.committed);
        runs && committed == self.bounds.events
    }
}

impl Node {
    fn boot(n: usize, incarnation: u64, view: usize, sessions: usize) -> Self {
        Self {
            owner: Owner::new(name(n), incarnation, 0),
            incarnation,
            view,
            position: None,
            end: None,
            restored: vec![Merged::default(); sessions],
            leftovers: Leftovers::default(),
            sent: VecDeque::new(),
            waiting: false,
            shard: None,
        }
    }
}

impl Shard {
    /// Nothing is left to store.
    fn idle(&self) -> bool {
        self.cycle.is_none() && self.applied.is_none_or(|applied| applied == self.stored)
    }
}

fn name(n: usize) -> Arc<str> {
    Arc::from(if n == 0 { "a" } else { "b" })
}

/// Whether the states, by session, hold the event, or say that its session is over.
fn covers(states: &[u8], event: u8) -> bool {
    holds(states, event) || states[usize::from(event) % states.len()] == MARK
}

/// Whether `sets`, by session, hold the event.
fn holds(sets: &[u8], event: u8) -> bool {
    sets[usize::from(event) % sets.len()] & (1 << event) != 0
}
