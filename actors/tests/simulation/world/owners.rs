//! Who has a shard: the ownership machine of each node over the shared state log.

use super::*;

impl World {
    pub(super) fn tick(&mut self, number: usize) {
        self.now += self.random.next() % 200;
        if !self.nodes[number].runs() {
            return;
        }
        let now = self.now;
        self.nodes[number].flow.tick(now);
        self.outgoing(number);
        for shard in 0..SHARDS {
            self.recheck(number, shard);
        }
    }

    pub(super) fn recheck(&mut self, number: usize, shard: u16) {
        let node = &mut self.nodes[number];
        let (wants, ahead) = (node.wants(shard), node.is_next(shard));
        let slot = &mut node.slots[usize::from(shard)];
        if std::mem::take(&mut slot.waiting) {
            self.ownership(number, shard, Event::Elapsed);
        }
        let now = self.now;
        let node = &mut self.nodes[number];
        if wants {
            node.slots[usize::from(shard)].kept_since = None;
        } else if node.keeps(shard, now) {
            return;
        }
        let holder = node.slots[usize::from(shard)].owner.holder();
        let gone = holder.is_some_and(|h| !node.view.is_alive(&h.node, h.incarnation));
        self.ownership(number, shard, Event::placed(wants, ahead, gone));
        let awaited = self.nodes[number].slots[usize::from(shard)].owner.awaits().cloned();
        if let Some(Opening { epoch, node, .. }) = awaited {
            self.send(number, &node, Message::Note(Note::Heir { shard, epoch }));
        }
    }

    pub(super) fn ownership(&mut self, number: usize, shard: u16, event: Event<Claim>) {
        for effect in self.nodes[number].slots[usize::from(shard)].owner.on(event) {
            self.perform(number, shard, effect);
        }
    }

    pub(super) fn perform(&mut self, number: usize, shard: u16, effect: Effect<Claim>) {
        let end = self.logs[usize::from(shard)].end;
        let cycles = self.nodes[number].cycles;
        let slot = &mut self.nodes[number].slots[usize::from(shard)];
        match effect {
            Effect::Follow => (slot.position, slot.end) = (Some(0), Some(end)),
            Effect::Unfollow => {
                (slot.position, slot.end, slot.leftovers) = (None, None, Leftovers::default());
                slot.restored.clear();
            }
            Effect::Append(Record::Open(open)) => {
                slot.sent.push_back((Key::Open(open), Value::Empty));
            }
            Effect::Append(Record::Close(open)) => {
                slot.sent.push_back((Key::Close(open), Value::Empty));
            }
            Effect::Append(Record::Progress(..)) => {}
            Effect::Start(opening, claim) => self.start(number, shard, opening, claim),
            Effect::Ack(claim) => {
                if let Some(open) = &mut slot.open
                    && claim.epoch == open.opening.epoch
                {
                    open.claimed = open.claimed.max(claim.cycle);
                }
                self.publish(number, shard, &claim);
            }
            Effect::Drain => {
                if let Some(open) = &mut slot.open {
                    open.draining = Some(cycles);
                }
            }
            Effect::Stop => slot.open = None,
            Effect::Wait(_) => slot.waiting = true,
        }
    }

    pub(super) fn publish(&mut self, number: usize, shard: u16, claim: &Claim) {
        let Some(open) = &self.nodes[number].slots[usize::from(shard)].open else { return };
        let applied = claim.applied.iter().map(|(&p, &to)| (source(p), to)).collect();
        let note = Note::Claimed { shard, epoch: open.opening.epoch, applied };
        for to in 0..NODES {
            self.tell(number, to, note.clone());
        }
    }

    pub(super) fn start(
        &mut self,
        number: usize,
        shard: u16,
        opening: Opening,
        claim: Option<Claim>,
    ) {
        let ran = self.ran.entry((shard, opening.epoch)).or_insert_with(|| opening.clone());
        if *ran != opening {
            self.broken = Some(format!("two openings of epoch {} ran", opening.epoch));
        }
        let slot = &mut self.nodes[number].slots[usize::from(shard)];
        let inherited = claim.is_some();
        let claim = claim.unwrap_or_default();
        let mut open = Open {
            opening: opening.clone(),
            applied: claim.applied.clone(),
            sessions: BTreeMap::new(),
            dirty: BTreeSet::new(),
            over: BTreeMap::new(),
            late: BTreeSet::new(),
            cycle: 0,
            sequence: 0,
            draining: None,
            closed: false,
            claimed: 0,
        };
        for (session, found) in &slot.restored {
            let state = match &found.state {
                Some(State::Live(state)) => state.clone(),
                Some(State::Over) => {
                    open.over.insert(*session, None);
                    continue;
                }
                None => continue,
            };
            // More than one author may mean that no row holds it all.
            let lost = state.saved > (claim.epoch, claim.cycle) || found.authors.len() > 1;
            if lost && self.fault != Some(Fault::TrustState) {
                open.dirty.insert(*session);
            }
            open.sessions.insert(*session, Session { state, entered: lost });
        }
        slot.open = Some(open);
        slot.kept_since = None;
        slot.heard_of.opened_here(opening.epoch);
        if inherited {
            slot.sent.push_back((Key::Progress(opening), Value::Claim(claim.clone())));
        }
        self.publish(number, shard, &claim);
    }

    /// Reads the next record of a partition of the log.
    pub(super) fn follow(&mut self, number: usize, shard: u16) {
        let node = &mut self.nodes[number];
        if !node.runs() {
            return;
        }
        let slot = &mut node.slots[usize::from(shard)];
        let Some(position) = slot.position else { return };
        let entry = self.logs[usize::from(shard)].next(position).cloned();
        slot.position =
            Some(entry.as_ref().map_or(self.logs[usize::from(shard)].end, |e| e.offset + 1));
        let name = Arc::clone(&node.name);
        if let Some(entry) = entry {
            self.sweep(number, shard, &entry.key, &entry.value);
            let deaf = match &entry.key {
                Key::Open(opening) => self.has(Fault::IgnoreRivals) && opening.node != name,
                _ => false,
            };
            let incarnation = self.nodes[number].incarnation;
            let mine = |open: &Opening| open.node == name && open.incarnation == incarnation;
            let slot = &mut self.nodes[number].slots[usize::from(shard)];
            if slot.end.is_none() && matches!(&entry.key, Key::Open(open) if mine(open)) {
                let early = self.fault == Some(Fault::StartAtOpen);
                let end = self.logs[usize::from(shard)].end;
                slot.end = Some(if early { entry.offset + 1 } else { end });
            }
            if let Some(record) = record(&entry).filter(|_| !deaf) {
                self.ownership(number, shard, Event::Read(record));
            }
        }
        let slot = &mut self.nodes[number].slots[usize::from(shard)];
        if slot.end.is_some_and(|end| slot.position.is_some_and(|at| at >= end)) {
            slot.end = None;
            self.ownership(number, shard, Event::CaughtUp);
            self.recheck(number, shard);
        }
    }

    /// Keeps the state in a record, and removes what it stands for.
    pub(super) fn sweep(&mut self, number: usize, shard: u16, key: &Key, value: &Value) {
        let slot = &mut self.nodes[number].slots[usize::from(shard)];
        let (author, thing) = match key {
            Key::Progress(author) => (author, Thing::Claim),
            Key::Snapshot(author, session) => {
                slot.restored.entry(*session).or_default().take(author, value);
                (author, Thing::Session(*session))
            }
            Key::Open(_) | Key::Close(_) => return,
        };
        if *value == Value::Tombstone {
            return;
        }
        for opening in slot.leftovers.read(thing.clone(), author, slot.owner.opening()) {
            let key = match thing {
                Thing::Claim => Key::Progress(opening),
                Thing::Session(session) => Key::Snapshot(opening, session),
            };
            slot.sent.push_back((key, Value::Tombstone));
        }
    }

    // --- commits ------------------------------------------------------------------------------

    pub(super) fn land(&mut self, number: usize, shard: u16) {
        if !self.nodes[number].up {
            return;
        }
        let sent = self.nodes[number].slots[usize::from(shard)].sent.pop_front();
        let Some((key, value)) = sent else { return };
        let early = match (&key, &value) {
            (Key::Progress(_), Value::Claim(claim)) => Some(claim.clone()),
            _ => None,
        };
        self.append(shard, key, value);
        if let Some(claim) = early.filter(|_| self.has(Fault::AckUnread)) {
            self.publish(number, shard, &claim);
        }
        self.judge();
    }

    pub(super) fn append(&mut self, shard: u16, key: Key, value: Value) {
        let log = &mut self.logs[usize::from(shard)];
        if let (Key::Snapshot(author, _), Value::State(state)) = (&key, &value)
            && log.is_held_by(author)
        {
            self.saved.extend(&state.events);
        }
        log.append(key, value);
    }

    pub(super) fn land_row(&mut self, number: usize) {
        if let Some(row) = self.nodes[number].rows.pop_front() {
            self.store(row);
        }
    }

    pub(super) fn store(&mut self, row: Row) {
        if row.typed {
            self.typed.extend(row.events);
            return self.judge();
        }
        let known = self.rows.entry(row.session).or_default();
        if row.version >= known.0 {
            *known = (row.version, row.events);
        }
        self.judge();
    }
}
