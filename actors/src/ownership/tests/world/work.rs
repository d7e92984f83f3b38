//! What a shard takes and how it is stored.

use std::cmp::Ordering;

use super::super::Fault;
use super::super::log::{Key, MARK, Value};
use super::{Cycle, NODES, Shard, World};

impl World {
    /// The input repeats what the shard wants next; anything else is skipped or refused.
    pub(super) fn deliver(&mut self, n: usize) -> Option<()> {
        let events = self.bounds.events;
        let event = self.taking(n)?.applied.filter(|event| *event < events)?;
        self.apply(n, event)
    }

    /// The shard of a node if it takes input.
    fn taking(&mut self, n: usize) -> Option<&mut Shard> {
        // Once it is to be handed off, what comes beside the last cycle is all that matters.
        let takes =
            |shard: &&mut Shard| !shard.drained && (!shard.draining || shard.cycle.is_some());
        self.nodes[n].shard.as_mut().filter(takes)
    }

    /// The reader of node `n` asks the shard of node `of` where that is.
    pub(super) fn attach(&mut self, n: usize, of: usize) -> Option<()> {
        let acked = self.acked;
        let Self { nodes, input, .. } = self;
        let shard = nodes[of].shard.as_mut().filter(|shard| !shard.drained)?;
        input.attach(n, (shard.opening.epoch, &mut shard.applied), acked)
    }

    /// An envelope arrives at whoever runs the opening that it is for. It is taken if it is next, skipped if
    /// it is known, and refused if something before it is missing.
    pub(super) fn arrive(&mut self, n: usize) -> Option<()> {
        let (epoch, event) = self.input.take(n)?;
        let blind = self.fault == Some(Fault::TakeUnattached);
        let holder = (0..NODES).find(|&of| {
            let shard = self.taking(of);
            shard.is_some_and(|shard| shard.opening.epoch == epoch || blind)
        });
        let Some(of) = holder else { return self.input.detach(n) };
        let gaps = blind || self.fault == Some(Fault::TakeGaps);
        let applied = self.taking(of)?.applied.unwrap_or(event);
        match event.cmp(&applied) {
            Ordering::Less => Some(()),
            Ordering::Greater if !gaps => self.input.detach(n),
            _ => self.apply(of, event),
        }
    }

    fn apply(&mut self, n: usize, event: u8) -> Option<()> {
        let (sessions, fault) = (self.bounds.sessions, self.fault);
        let shard = self.taking(n)?;
        let session = usize::from(event % sessions);
        shard.applied = Some(event + 1);
        if shard.state[session] == MARK && fault != Some(Fault::BeginAnew) {
            shard.late |= 1 << event;
            return Some(());
        }
        shard.state[session] &= !MARK;
        let known = shard.state[session] & (1 << event) != 0;
        shard.state[session] |= 1 << event;
        shard.dirty[session] |= !(known && fault == Some(Fault::TrustState));
        Some(())
    }

    /// A session whose rows are stored ends.
    pub(super) fn mark(&mut self, n: usize) -> Option<()> {
        let node = &mut self.nodes[n];
        let hasty = self.fault == Some(Fault::MarkOwing);
        let shard = node.shard.as_mut().filter(|shard| !shard.draining)?;
        (hasty || shard.idle()).then_some(())?;
        let live = |n: &usize| shard.state[*n] & !MARK != 0 && (hasty || !shard.dirty[*n]);
        let session = (0..shard.state.len()).find(live)?;
        self.bounds.marks = self.bounds.marks.checked_sub(1)?;
        (shard.state[session], shard.dirty[session]) = (MARK, false);
        let key = Key::Snapshot(shard.opening.clone(), session as u8);
        node.sent.push_back((key, Value::Mark));
        Some(())
    }

    /// Step 1 of a commit cycle.
    pub(super) fn save(&mut self, n: usize) -> Option<()> {
        let node = &mut self.nodes[n];
        let shard = node.shard.as_mut()?;
        let claim = shard.applied.filter(|applied| *applied > shard.stored)?;
        shard.cycle.is_none().then_some(())?;
        let mut rows = Vec::new();
        for session in 0..self.bounds.sessions {
            if std::mem::take(&mut shard.dirty[usize::from(session)]) {
                let events = shard.state[usize::from(session)];
                rows.push((session, events));
                let key = Key::Snapshot(shard.opening.clone(), session);
                node.sent.push_back((key, Value::Events(events)));
            }
        }
        let late = std::mem::take(&mut shard.late);
        shard.cycle = Some(Cycle { claim, rows, late, written: false });
        Some(())
    }

    /// Step 2: once the snapshots are acknowledged, the rows.
    pub(super) fn write(&mut self, n: usize) -> Option<()> {
        let node = &mut self.nodes[n];
        let shard = node.shard.as_mut().filter(|_| node.sent.is_empty())?;
        let cycle = shard.cycle.as_mut().filter(|cycle| !cycle.written)?;
        cycle.written = true;
        self.typed |= cycle.late;
        shard.sequence += 1;
        for (session, events) in &cycle.rows {
            let row = &mut self.rows[usize::from(*session)];
            let version = (shard.opening.epoch, shard.sequence);
            // Of equal versions the table keeps any: the model keeps the later.
            if version >= row.0 {
                *row = (version, *events);
            }
        }
        Some(())
    }
}
