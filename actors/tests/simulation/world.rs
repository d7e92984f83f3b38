//! The cluster as a whole, and the random steps that it takes.

mod owners;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use naap_actors::ingest::{Out, Reading};
use naap_actors::ownership::{Effect, Event, Leftovers, Opening, Record};
use naap_actors::peers::{Known, Members, Standing};
use naap_protocol::codec::TraceContext;
use naap_protocol::peer::Note;
use naap_protocol::state::SourcePartition;
use naap_protocol::wire::{Envelope, EnvelopeBuilder, EnvelopeHead};

use crate::log::{Claim, EventId, Key, Log, SessionId, Snapshot, State, Value, record};
use crate::node::{Cycle, Message, Node, Open, Row, Session, Thing};

pub const SHARDS: u16 = 2;
pub const WINDOW: usize = 400;
const PARTITIONS: u32 = 2;
const NODES: usize = 3;
/// Records of a partition.
const RECORDS: u64 = 10;
/// Sessions of a shard.
const SESSIONS: u64 = 2;
const STEPS: usize = 1200;
/// Steps within which a healed cluster must have done everything.
const HEALING: usize = 60_000;

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Acknowledges when a claim is appended, not when it is read back.
    AckUnread,
    /// Snapshots of all authors share one key.
    KeysWithoutEpoch,
    /// A shard takes envelopes of readers that have not attached to its opening.
    TakeUnattached,
    /// A shard takes ranges that do not join what it has.
    TakeGaps,
    /// A restored session that a redelivered event does not change makes no row.
    TrustState,
    /// A shard runs once the `Open` of its owner is read back, whatever stands behind it.
    StartAtOpen,
    /// An owner does not hear the `Open` of others.
    IgnoreRivals,
    /// An event of a session that is over begins it anew.
    BeginAnew,
    /// A session ends while rows of it are due.
    MarkOwing,
    /// The actors of a node start again as the same boot.
    SameBoot,
}

/// Small, fast, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }
}

/// Who reads a partition, and how far the group has committed it.
#[derive(Default)]
struct Partition {
    reader: Option<usize>,
    generation: u64,
    committed: u64,
}

pub struct World {
    random: Random,
    fault: Option<Fault>,
    now: u64,
    nodes: Vec<Node>,
    /// Who is really there.
    truth: Members,
    logs: Vec<Log>,
    rows: BTreeMap<SessionId, ((u64, u64), BTreeSet<EventId>)>,
    /// Events with typed rows alone, as their session was over.
    typed: BTreeSet<EventId>,
    /// Events that some holder of their shard has saved: they belong into the rows of their session.
    saved: BTreeSet<EventId>,
    /// Sessions end in this world.
    marks: bool,
    partitions: Vec<Partition>,
    links: BTreeMap<(usize, usize), VecDeque<Message>>,
    /// What nodes that died had under way.
    ghosts: Vec<(u16, VecDeque<(Key, Value)>)>,
    ghost_rows: VecDeque<Row>,
    ran: BTreeMap<(u16, u64), Opening>,
    broken: Option<String>,
    calm: bool,
}

/// Shard and session of an event.
fn home((partition, offset): EventId) -> (u16, SessionId) {
    let mut random = Random(u64::from(partition) << 32 | offset);
    let shard = random.below(usize::from(SHARDS)) as u16;
    let session = random.next() % SESSIONS;
    (shard, shard as u8 * SESSIONS as u8 + session as u8)
}

fn source(partition: u32) -> SourcePartition {
    SourcePartition { topic: "t".to_owned(), partition }
}

fn events_of(text: &str) -> impl Iterator<Item = u64> + '_ {
    text.split(' ').filter_map(|number| number.parse().ok())
}

impl World {
    pub fn new(seed: u64, fault: Option<Fault>) -> Self {
        let up = |number: usize| {
            let known = Known { incarnation: 1, weight: 8, standing: Standing::Up, suspect: false };
            (Arc::from(format!("n{number}")), known)
        };
        let truth = Members((0..NODES).map(up).collect());
        let mut nodes: Vec<_> = (0..NODES).map(|number| Node::boot(number, 1)).collect();
        for node in &mut nodes {
            node.view = truth.clone();
        }
        Self {
            random: Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1)),
            fault,
            now: 0,
            nodes,
            truth,
            logs: (0..SHARDS).map(|_| Log::default()).collect(),
            rows: BTreeMap::new(),
            typed: BTreeSet::new(),
            saved: BTreeSet::new(),
            marks: seed % 3 == 1,
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            links: BTreeMap::new(),
            ghosts: Vec::new(),
            ghost_rows: VecDeque::new(),
            ran: BTreeMap::new(),
            broken: None,
            calm: false,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub fn run(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            self.step();
            self.broken.take().map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Everything comes back, and nothing goes wrong any more.
    pub fn heal(&mut self) -> Result<(), String> {
        self.calm = true;
        for number in 0..NODES {
            self.nodes[number].paused = false;
            if !self.nodes[number].up {
                self.restart(number);
            }
            self.stand(number, Standing::Up);
        }
        for _ in 0..HEALING {
            self.step();
            self.broken.take().map_or(Ok(()), Err)?;
            if self.partitions.iter().all(|p| p.committed == RECORDS) && self.unwritten().is_none()
            {
                return self.verify();
            }
        }
        let committed: Vec<_> = self.partitions.iter().map(|p| p.committed).collect();
        let open: Vec<Vec<_>> = self
            .nodes
            .iter()
            .map(|node| {
                node.slots
                    .iter()
                    .map(|slot| {
                        slot.open.as_ref().map(|open| (open.opening.epoch, open.applied.clone()))
                    })
                    .collect()
            })
            .collect();
        Err(format!(
            "stuck: committed {committed:?}, open {open:?}, flows {:?}",
            self.nodes.iter().map(|n| &n.flow).collect::<Vec<_>>()
        ))
    }

    fn verify(&mut self) -> Result<(), String> {
        self.judge();
        self.broken.take().map_or(Ok(()), Err)
    }

    /// An event that a holder has saved and that is not in the rows of its session.
    fn unwritten(&self) -> Option<EventId> {
        let written = |event: &EventId| {
            self.rows.get(&home(*event).1).is_some_and(|(_, events)| events.contains(event))
        };
        self.saved.iter().find(|event| !written(event)).copied()
    }

    /// What the group has committed must be in the state and in the rows, whoever fails next.
    fn judge(&mut self) {
        for (partition, known) in (0..).zip(&self.partitions) {
            for offset in 0..known.committed {
                let event = (partition, offset);
                let (shard, session) = home(event);
                let state = self.logs[usize::from(shard)].merged(session);
                let over = state == Some(State::Over);
                let known = match &state {
                    Some(State::Live(state)) => state.events.contains(&event),
                    _ => over,
                };
                let rows = self.rows.get(&session);
                let typed = over && self.typed.contains(&event);
                if !known {
                    self.broken = Some(format!("{event:?} is acknowledged and not in the state"));
                } else if !typed && !rows.is_some_and(|(_, events)| events.contains(&event)) {
                    self.broken = Some(format!("{event:?} is acknowledged and not in the rows"));
                }
            }
        }
    }

    fn step(&mut self) {
        let node = self.random.below(NODES);
        let shard = self.random.below(usize::from(SHARDS)) as u16;
        match self.random.below(if self.calm { 15 } else { 20 }) {
            0 => self.read(node),
            1 => self.tick(node),
            2 => self.begin_cycle(node),
            3 | 4 => self.advance_cycle(node),
            5 | 6 => self.land(node, shard),
            7 | 8 => self.follow(node, shard),
            9 | 10 => self.deliver(),
            13 => self.assign(),
            14 => match self.random.below(4) {
                0 => self.nodes[node].view = self.truth.clone(),
                1 => self.land_row(node),
                2 => self.commit_offsets(node),
                _ => self.compact(shard),
            },
            15 => self.hurt(node),
            16 => self.hurt_network(),
            17 => self.land_ghost(),
            _ => self.local(node),
        }
    }

    fn compact(&mut self, shard: u16) {
        let blind = self.has(Fault::KeysWithoutEpoch);
        self.logs[usize::from(shard)].compact(blind);
    }

    // --- faults -------------------------------------------------------------------------------

    /// The group gives a partition to somebody.
    fn assign(&mut self) {
        let partition = self.random.below(PARTITIONS as usize) as u32;
        let known = &mut self.partitions[partition as usize];
        let taken = known.reader.is_some_and(|reader| self.nodes[reader].runs());
        if taken && (self.calm || !self.random.once_in(30)) {
            return;
        }
        let number = self.random.below(NODES);
        if !self.nodes[number].runs() {
            return;
        }
        // One that lives gives it back; one that is paused goes on with it.
        if let Some(old) = known.reader.filter(|old| self.nodes[*old].runs()) {
            self.nodes[old].reading.remove(&partition);
            self.nodes[old].flow.unassign(&source(partition));
        }
        known.generation += 1;
        known.reader = Some(number);
        let node = &mut self.nodes[number];
        node.flow.unassign(&source(partition));
        node.flow.assign(&source(partition), known.committed);
        node.reading.insert(partition, (known.generation, known.committed));
        node.rereads.retain(|(of, _)| *of != partition);
        self.outgoing(number);
    }

    fn read(&mut self, number: usize) {
        if !self.nodes[number].runs() {
            return;
        }
        if let Some((partition, offset)) = self.nodes[number].rereads.pop_front() {
            let node = &mut self.nodes[number];
            if let Some(reading) = node.reading.get_mut(&partition) {
                reading.1 = offset;
                node.flow.assign(&source(partition), offset);
            }
            return self.outgoing(number);
        }
        let partition = self.random.below(PARTITIONS as usize) as u32;
        let most = 1 + self.random.next() % 3;
        let node = &mut self.nodes[number];
        let Some((_, next)) = node.reading.get_mut(&partition) else { return };
        let (from, to) = (*next, (*next + most).min(RECORDS));
        if from == to || node.flow.waiting_bytes() > 2 * WINDOW {
            return;
        }
        *next = to;
        if node.flow.read(&source(partition), to) != Reading::Next {
            return;
        }
        for shard in 0..SHARDS {
            let of = |offset: &u64| home((partition, *offset)).0 == shard;
            let items: Vec<_> = (from..to).filter(of).map(|offset| offset.to_string()).collect();
            if items.is_empty() {
                continue;
            }
            let Some(start) = node.flow.serve(&source(partition), shard, to) else { continue };
            let head = EnvelopeHead {
                shard,
                epoch_hint: 0,
                // What was really read stands here, whatever the range says.
                org: items.join(" "),
                source: source(partition),
                from: start,
                to,
                count: 0,
            };
            node.flow.dispatch(EnvelopeBuilder::default().seal(head, TraceContext::default()));
        }
        self.outgoing(number);
    }

    fn outgoing(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        for out in node.flow.take_out() {
            match out {
                Out::Envelope(envelope) => node.local.push_back(Message::Envelope(envelope)),
                Out::Note(note) => node.local.push_back(Message::Note(note)),
                Out::Reread(source, offset) => node.rereads.push_back((source.partition, offset)),
                // Here a partition has always had what a shard has applied of it.
                Out::Ahead(..) => {}
            }
        }
    }

    fn commit_offsets(&mut self, number: usize) {
        if !self.nodes[number].runs() {
            return;
        }
        for (source, to) in self.nodes[number].flow.applied() {
            let known = &mut self.partitions[source.partition as usize];
            let reading = self.nodes[number].reading.get(&source.partition);
            if reading.is_some_and(|(generation, _)| *generation == known.generation) {
                known.committed = to.max(known.committed);
            }
        }
        self.judge();
    }

    // --- messages -----------------------------------------------------------------------------

    fn deliver(&mut self) {
        let ready: Vec<_> =
            self.links.iter().filter(|(_, link)| !link.is_empty()).map(|(ends, _)| *ends).collect();
        if ready.is_empty() {
            return;
        }
        let (from, to) = ready[self.random.below(ready.len())];
        if !self.nodes[to].runs() {
            return;
        }
        let message = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front);
        if let Some(message) = message {
            self.region(to, message, from);
        }
    }

    fn local(&mut self, number: usize) {
        if self.nodes[number].runs()
            && let Some(message) = self.nodes[number].local.pop_front()
        {
            self.region(number, message, number);
        }
    }

    fn send(&mut self, from: usize, to: &str, message: Message) {
        let Some(to) = self.nodes.iter().position(|node| *node.name == *to) else { return };
        if self.nodes[to].up {
            self.links.entry((from, to)).or_default().push_back(message);
        }
    }

    /// Tells the reader of node `to` something; `from` is where the shard is.
    fn tell(&mut self, from: usize, to: usize, note: Note) {
        if from == to {
            self.nodes[to].flow.note(note);
            self.outgoing(to);
        } else {
            let name = self.nodes[to].name.to_string();
            self.send(from, &name, Message::Note(note));
        }
    }

    fn region(&mut self, number: usize, message: Message, from: usize) {
        match message {
            Message::Envelope(envelope) => self.envelope(number, envelope, from),
            Message::Note(Note::Attach { shard, source, start, ask }) => {
                if let Some(open) = self.nodes[number].taking(shard) {
                    let wanted = *open.applied.entry(source.partition).or_insert(start);
                    let epoch = open.opening.epoch;
                    self.tell(number, from, Note::Attached { shard, epoch, source, wanted, ask });
                } else {
                    let note = Note::Attach { shard, source: source.clone(), start, ask };
                    if !self.forward(number, shard, note, from) {
                        self.tell(number, from, Note::Refused { shard, epoch: 0, source });
                    }
                }
            }
            Message::Note(Note::Mark { shard, epoch, source, from: start, to }) => {
                let unattached = self.has(Fault::TakeUnattached);
                if let Some(open) = self.nodes[number].taking(shard) {
                    let applied = open.applied.get_mut(&source.partition);
                    let attached = open.opening.epoch == epoch || unattached;
                    match applied.filter(|applied| attached && start <= **applied) {
                        Some(applied) => *applied = to.max(*applied),
                        None => self.tell(number, from, Note::Refused { shard, epoch, source }),
                    }
                } else {
                    let note = Note::Mark { shard, epoch, source: source.clone(), from: start, to };
                    if !self.forward(number, shard, note, from) {
                        self.tell(number, from, Note::Refused { shard, epoch, source });
                    }
                }
            }
            Message::Note(Note::Heir { shard, epoch }) => {
                let heir = Arc::clone(&self.nodes[from].name);
                self.nodes[number].slots[usize::from(shard)].heard_of.read_by(epoch, heir);
                self.recheck(number, shard);
            }
            Message::Note(note) => {
                self.hear(number, &note, from);
                self.nodes[number].flow.note(note);
                self.outgoing(number);
            }
        }
    }

    /// Learns where shards are from what others say of themselves.
    fn hear(&mut self, number: usize, note: &Note, from: usize) {
        let said_by = Arc::clone(&self.nodes[from].name);
        let slots = &mut self.nodes[number].slots;
        match *note {
            Note::Claimed { shard, epoch, .. } if from != number => {
                slots[usize::from(shard)].heard_of.claimed(epoch, &said_by);
            }
            Note::Refused { shard, .. } => slots[usize::from(shard)].heard_of.not_at(&said_by),
            _ => {}
        }
    }

    fn forward(&mut self, number: usize, shard: u16, note: Note, from: usize) -> bool {
        let owner = self.nodes[number].elsewhere(shard).filter(|_| from == number);
        if let Some(owner) = &owner {
            self.send(number, owner, Message::Note(note));
        }
        owner.is_some()
    }

    fn envelope(&mut self, number: usize, envelope: Envelope, from: usize) {
        let (unattached, gaps) = (self.has(Fault::TakeUnattached), self.has(Fault::TakeGaps));
        let (trust, anew) = (self.has(Fault::TrustState), self.has(Fault::BeginAnew));
        // Until the mark is durable the store may still have what it ends.
        let wakes = self.marks && self.random.once_in(2);
        let EnvelopeHead { shard, epoch_hint: epoch, source, from: start, to, org, .. } =
            envelope.head.clone();
        let bytes = envelope.cost() as u64;
        let wakes = wakes && !self.nodes[number].slots[usize::from(shard)].sent.is_empty();
        let Some(open) = self.nodes[number].taking(shard) else {
            let owner = self.nodes[number].elsewhere(shard).filter(|_| from == number);
            if let Some(owner) = owner {
                return self.send(number, &owner, Message::Envelope(envelope));
            }
            self.tell(number, from, Note::Refused { shard, epoch, source });
            return self.tell(number, from, Note::Credit { shard, epoch, bytes });
        };
        if unattached {
            open.applied.entry(source.partition).or_insert(start);
        }
        let attached = open.opening.epoch == epoch || unattached;
        let applied = open.applied.get(&source.partition).copied().filter(|_| attached);
        match applied {
            Some(applied) if to <= applied => {}
            Some(applied) if start <= applied || gaps => {
                for offset in events_of(&org).filter(|offset| *offset >= applied) {
                    let event = (source.partition, offset);
                    if !open.is_late(event, wakes, anew) {
                        open.take(event, trust);
                    }
                }
                open.applied.insert(source.partition, to);
            }
            _ => self.tell(number, from, Note::Refused { shard, epoch, source }),
        }
        self.tell(number, from, Note::Credit { shard, epoch, bytes });
    }

    // --- time and ownership -------------------------------------------------------------------

    fn begin_cycle(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        if !node.runs() || node.cycle.is_some() {
            return;
        }
        node.flow.mark();
        node.flow.begin_commit();
        self.outgoing(number);
        let node = &mut self.nodes[number];
        node.cycles += 1;
        let hasty = self.fault == Some(Fault::MarkOwing);
        let mut cycle =
            Cycle { number: node.cycles, stage: 0, rows: Vec::new(), claims: Vec::new() };
        for (shard, slot) in (0..).zip(&mut node.slots) {
            let Some(open) = slot.open.as_mut().filter(|open| !open.closed) else { continue };
            open.cycle += 1;
            let claim = Claim {
                epoch: open.opening.epoch,
                cycle: open.cycle,
                applied: open.applied.clone(),
            };
            for session in std::mem::take(&mut open.dirty) {
                if hasty && self.marks && self.random.once_in(4) {
                    open.end(session, &mut slot.sent);
                    continue;
                }
                let Some(known) = open.sessions.get_mut(&session) else { continue };
                known.entered = true;
                known.state.saved = (open.opening.epoch, open.cycle);
                let key = Key::Snapshot(open.opening.clone(), session);
                slot.sent.push_back((key, Value::State(known.state.clone())));
                open.sequence += 1;
                let version = (open.opening.epoch, open.sequence);
                let events = known.state.events.clone();
                cycle.rows.push(Row { session, version, events, typed: false });
            }
            if self.marks {
                open.sweep(&mut slot.sent, &mut self.random);
            }
            if !open.late.is_empty() {
                let (events, version) = (std::mem::take(&mut open.late), (0, 0));
                cycle.rows.push(Row { session: 0, version, events, typed: true });
            }
            cycle.claims.push((shard, open.opening.clone(), claim));
        }
        node.cycle = Some(cycle);
    }

    fn advance_cycle(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let Some(cycle) = &mut node.cycle else { return };
        if !node.up || node.paused {
            return;
        }
        let landed = node.slots.iter().all(|slot| slot.sent.is_empty());
        match cycle.stage {
            0 if landed => {
                node.rows.extend(std::mem::take(&mut cycle.rows));
                cycle.stage = 1;
            }
            1 if node.rows.is_empty() => {
                for (shard, opening, claim) in &cycle.claims {
                    let value = Value::Claim(claim.clone());
                    let sent = &mut node.slots[usize::from(*shard)].sent;
                    sent.push_back((Key::Progress(opening.clone()), value));
                }
                cycle.stage = 2;
            }
            2 if landed => {
                let number_of = cycle.number;
                node.cycle = None;
                node.flow.end_commit();
                self.outgoing(number);
                for shard in 0..SHARDS {
                    let slot = &mut self.nodes[number].slots[usize::from(shard)];
                    let Some(open) = &mut slot.open else { continue };
                    if !open.closed && open.draining.is_some_and(|before| before < number_of) {
                        open.closed = true;
                        self.ownership(number, shard, Event::Drained);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Open {
    /// Ends sessions whose rows are stored and claimed.
    fn sweep(&mut self, sent: &mut VecDeque<(Key, Value)>, random: &mut Random) {
        let done = (self.opening.epoch, self.claimed);
        let settled = |session: &Session| session.state.saved <= done;
        let all = self.sessions.iter().filter(|(_, session)| settled(session));
        let all: Vec<_> = all.map(|(session, _)| *session).collect();
        for session in all {
            if !self.dirty.contains(&session) && random.once_in(8) {
                self.end(session, sent);
            }
        }
    }

    fn end(&mut self, session: SessionId, sent: &mut VecDeque<(Key, Value)>) {
        self.over.insert(session, self.sessions.remove(&session));
        sent.push_back((Key::Snapshot(self.opening.clone(), session), Value::Mark));
    }

    /// Whether the event's session is over; then its typed row is due. With `wakes` the session is woken
    /// from what its mark has not replaced yet, with `anew` from nothing.
    fn is_late(&mut self, event: EventId, wakes: bool, anew: bool) -> bool {
        let (_, session) = home(event);
        let Some(was) = self.over.get_mut(&session) else { return false };
        if let Some(was) = was.take().filter(|_| wakes) {
            self.sessions.insert(session, was);
        } else if !anew {
            self.late.insert(event);
            return true;
        }
        self.over.remove(&session);
        false
    }

    fn take(&mut self, event: EventId, trust: bool) {
        let (_, session) = home(event);
        let known = self
            .sessions
            .entry(session)
            .or_insert_with(|| Session { state: Snapshot::default(), entered: true });
        let new = known.state.events.insert(event);
        if new || (!known.entered && !trust) {
            known.entered = true;
            self.dirty.insert(session);
        }
    }
}
