//! One node's part in the ownership of one shard, as a state machine.

use std::sync::Arc;

use super::{Ledger, Opening, Record};

/// How the shard may be taken from another holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Take {
    /// Not yet: this node is about to get it, as it has just started, or who should have the shard is
    /// suspect. It reads ahead, so that it can open at once when the time has come.
    Later,
    /// The holder is up: it will close the shard.
    WhenClosed,
    /// The holder is down, or was another boot of its node.
    Now,
}

/// What happens to an [`Owner`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<C> {
    /// Placement gives the shard to this node, or is about to ([`Take::Later`]). Repeated for as long as
    /// that is so.
    Won(Take),
    /// Placement gives it to another node, or this one drains. Repeated like [`Event::Won`]: a shard that is on
    /// the way to be open is open first.
    Lost,
    /// The next record of the partition was read.
    Read(Record<C>),
    /// The reader has passed what was the end of the partition when it began, or what was when it read this
    /// node's own `Open`.
    CaughtUp,
    /// State and rows are durable up to the claim: steps 1 and 2 of a commit cycle.
    Stored(C),
    /// After [`Effect::Drain`]: what was taken before it is stored. The shard takes no more input from
    /// now on; what it took in between and did not claim is the next owner's again.
    Drained,
    /// The time of [`Effect::Wait`] has passed.
    Elapsed,
}

impl<C> Event<C> {
    /// What placement says of the shard: this node should have it (`wanted`), or is about to (`ahead`).
    /// `gone`: who holds it by the log is down, or was another boot of its node.
    pub fn placed(wanted: bool, ahead: bool, gone: bool) -> Self {
        match (wanted, ahead) {
            (true, _) => Self::Won(if gone { Take::Now } else { Take::WhenClosed }),
            (false, true) => Self::Won(Take::Later),
            (false, false) => Self::Lost,
        }
    }
}

/// What an [`Owner`] wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<C> {
    /// Read the partition from its beginning and go on for ever. Every snapshot on the way is merged.
    Follow,
    /// Stop reading and forget what was read.
    Unfollow,
    /// Append to the partition, after everything that this node has appended before.
    Append(Record<C>),
    /// Run the shard from the claim and from the snapshots read so far; `None` is a new shard. The
    /// claim counts, so that it may also be acknowledged: its author may have failed to.
    Start(Opening, Option<C>),
    /// Everything up to the claim may be acknowledged.
    Ack(C),
    /// Store what was taken, then take no more input; say so with [`Event::Drained`].
    Drain,
    /// Drop the shard: store nothing more, acknowledge nothing more.
    Stop,
    /// Let time pass: the delay before this try of [`crate::backoff::Backoff`], with jitter.
    Wait(u32),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Not wanted.
    Idle,
    /// On the way to the end of the partition.
    Reading(Take),
    /// At the end, until the holder closes, or is down.
    Standby(Take),
    /// The own `Open` is appended and not read yet. It may stand already, and the next owner would wait for its
    /// `Close`: whoever should not have the shard any more opens it all the same, and hands it off.
    Claiming(Opening),
    /// The own `Open` was read as the holder's. What a rival has saved since may have replaced what stood
    /// before it and was not read yet, so the shard does not run before that is read too.
    Opening(Opening),
    /// The shard runs.
    Owning(Opening),
    /// The shard runs its last commit cycle.
    Draining(Opening),
    /// A rival came first.
    Waiting,
}

/// The state of one shard's ownership on one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner<C> {
    node: Arc<str>,
    incarnation: u64,
    /// Epochs of this node are above it.
    floor: u64,
    phase: Phase,
    ledger: Ledger<C>,
    /// Openings lost in a row.
    lost: u32,
}

impl<C: Clone> Owner<C> {
    /// A node that has nothing to do with the shard yet. Its epochs will be above `floor`, the
    /// highest that stored rows carry.
    pub fn new(node: Arc<str>, incarnation: u64, floor: u64) -> Self {
        let (phase, ledger) = (Phase::Idle, Ledger::default());
        Self { node, incarnation, floor, phase, ledger, lost: 0 }
    }

    /// This node's opening while it has the shard; `None` before and after.
    pub fn opening(&self) -> Option<&Opening> {
        match &self.phase {
            Phase::Owning(mine) | Phase::Draining(mine) => Some(mine),
            _ => None,
        }
    }

    /// Nothing of the shard is under way here: neither is it open, nor about to be.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// Who holds the shard by what was read so far; decides which [`Take`] is right.
    pub fn holder(&self) -> Option<&Opening> {
        self.ledger.holder()
    }

    /// The opening of whoever has to close the shard before this node can open it: everything of it is
    /// read, and only that is missing.
    pub fn awaits(&self) -> Option<&Opening> {
        self.ledger.holder().filter(|_| self.phase == Phase::Standby(Take::WhenClosed))
    }

    /// Takes an event. Events that mean nothing in the present phase are ignored.
    pub fn on(&mut self, event: Event<C>) -> Vec<Effect<C>> {
        match event {
            Event::Won(take) => self.won(take),
            Event::Lost => self.lost(),
            Event::Read(record) => self.read(record),
            Event::CaughtUp => match self.phase.clone() {
                Phase::Reading(take) => self.claim(take),
                Phase::Opening(mine) => self.start(mine),
                _ => Vec::new(),
            },
            Event::Stored(claim) => match self.opening() {
                Some(mine) => vec![Effect::Append(Record::Progress(mine.clone(), claim))],
                None => Vec::new(),
            },
            Event::Drained => match &self.phase {
                Phase::Draining(mine) => vec![Effect::Append(Record::Close(mine.clone()))],
                _ => Vec::new(),
            },
            Event::Elapsed => match self.phase {
                // The holder is a rival: whether it lives is asked again once it is known.
                Phase::Waiting => self.follow(Take::WhenClosed),
                _ => Vec::new(),
            },
        }
    }

    fn won(&mut self, take: Take) -> Vec<Effect<C>> {
        match (&self.phase, take) {
            (Phase::Idle, _) => self.follow(take),
            (Phase::Reading(_), _) => {
                self.phase = Phase::Reading(take);
                Vec::new()
            }
            (Phase::Standby(_), _) => self.claim(take),
            (Phase::Waiting | Phase::Owning(_), Take::Later) => self.lost(),
            _ => Vec::new(),
        }
    }

    fn lost(&mut self) -> Vec<Effect<C>> {
        match &self.phase {
            Phase::Reading(_) | Phase::Standby(_) => {
                self.rest(Phase::Idle);
                vec![Effect::Unfollow]
            }
            Phase::Waiting => {
                self.phase = Phase::Idle;
                Vec::new()
            }
            Phase::Owning(mine) => {
                self.phase = Phase::Draining(mine.clone());
                vec![Effect::Drain]
            }
            Phase::Idle | Phase::Claiming(_) | Phase::Opening(_) | Phase::Draining(_) => Vec::new(),
        }
    }

    fn read(&mut self, record: Record<C>) -> Vec<Effect<C>> {
        let counts = self.ledger.read(record.clone());
        match (self.phase.clone(), record) {
            (Phase::Standby(take), Record::Close(_)) if counts => self.claim(take),
            (Phase::Claiming(mine), Record::Open(read)) if read == mine => {
                if !counts {
                    return self.back_off();
                }
                self.phase = Phase::Opening(mine);
                Vec::new()
            }
            (Phase::Opening(_), Record::Open(_)) if counts => self.back_off(),
            (Phase::Owning(_) | Phase::Draining(_), Record::Open(_)) if counts => {
                let mut effects = vec![Effect::Stop];
                effects.extend(self.back_off());
                effects
            }
            (Phase::Owning(_) | Phase::Draining(_), Record::Progress(_, claim)) if counts => {
                self.lost = 0;
                vec![Effect::Ack(claim)]
            }
            (Phase::Draining(_), Record::Close(_)) if counts => {
                self.rest(Phase::Idle);
                vec![Effect::Stop, Effect::Unfollow]
            }
            _ => Vec::new(),
        }
    }

    fn start(&mut self, mine: Opening) -> Vec<Effect<C>> {
        self.phase = Phase::Owning(mine.clone());
        vec![Effect::Start(mine, self.ledger.claim().cloned())]
    }

    fn follow(&mut self, take: Take) -> Vec<Effect<C>> {
        self.rest(Phase::Reading(take));
        vec![Effect::Follow]
    }

    /// At the end of the partition: claims the shard, or waits until it may.
    fn claim(&mut self, take: Take) -> Vec<Effect<C>> {
        let holder = self.ledger.holder();
        let own = holder.is_some_and(|holder| holder.node == self.node);
        let free = match take {
            Take::Later => false,
            Take::WhenClosed => own || self.ledger.free(),
            Take::Now => true,
        };
        if !free {
            self.phase = Phase::Standby(take);
            return Vec::new();
        }
        let epoch = holder.map_or(0, |holder| holder.epoch).max(self.floor) + 1;
        let mine = Opening { epoch, node: self.node.clone(), incarnation: self.incarnation };
        self.phase = Phase::Claiming(mine.clone());
        vec![Effect::Append(Record::Open(mine))]
    }

    /// A rival has the shard.
    fn back_off(&mut self) -> Vec<Effect<C>> {
        let wait = Effect::Wait(self.lost);
        self.lost = self.lost.saturating_add(1);
        self.rest(Phase::Waiting);
        vec![Effect::Unfollow, wait]
    }

    /// What was read is forgotten: every opening begins at the beginning.
    fn rest(&mut self, phase: Phase) {
        (self.phase, self.ledger) = (phase, Ledger::default());
    }
}
