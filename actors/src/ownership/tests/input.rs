//! The input as its readers see it: a partition that one member of a group reads at a time, attachments to
//! openings, and an envelope under way. The rules are those of `ingest::Flow`.

use super::world::NODES;

/// One member's reading of the partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reader {
    /// Assignment that it reads by.
    generation: u8,
    /// Where it began.
    start: u8,
    /// Newest opening that it has heard of.
    heard: u64,
    /// The opening that it is attached to, and the first event that it has not sent to that.
    attached: Option<(u64, u8)>,
    /// Under way: the opening that it is for, and the event.
    sent: Option<(u64, u8)>,
}

/// The partition and its readers, by node. One whose assignment is over goes on until it learns of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Input {
    generation: u8,
    /// Everything below is committed by the group.
    pub committed: u8,
    readers: [Option<Reader>; NODES],
}

impl Input {
    /// Whether `node` reads, by an assignment that may be over.
    pub fn reads(&self, node: usize) -> bool {
        self.readers[node].is_some()
    }

    /// Whether `node` has something under way.
    pub fn has_sent(&self, node: usize) -> bool {
        self.readers[node].as_ref().is_some_and(|reader| reader.sent.is_some())
    }

    fn current(&self, node: usize) -> bool {
        self.readers[node].as_ref().is_some_and(|reader| reader.generation == self.generation)
    }

    /// Nobody reads by the newest assignment.
    pub fn is_free(&self) -> bool {
        (0..NODES).all(|node| !self.current(node))
    }

    /// The group assigns the partition to `node`, which begins where the group has committed.
    pub fn assign(&mut self, node: usize) -> Option<()> {
        (!self.current(node)).then_some(())?;
        self.generation += 1;
        let (generation, start) = (self.generation, self.committed);
        let reader = Reader { generation, start, heard: 0, attached: None, sent: None };
        self.readers[node] = Some(reader);
        Some(())
    }

    /// `node` learns that its assignment is over.
    pub fn revoke(&mut self, node: usize) -> Option<()> {
        (self.reads(node) && !self.current(node)).then(|| self.readers[node] = None)
    }

    /// The boot of `node` ends.
    pub fn crash(&mut self, node: usize) {
        self.readers[node] = None;
    }

    /// `node` asks opening `epoch` where that is. `applied` is what the shard has of the partition; one that
    /// knows nothing begins where the reader says: where its reading began, or at what was `claimed`.
    pub fn attach(
        &mut self,
        node: usize,
        (epoch, applied): (u64, &mut Option<u8>),
        claimed: u8,
    ) -> Option<()> {
        let reader = self.readers[node].as_mut()?;
        let asks = reader.sent.is_none() && reader.attached.is_none_or(|(of, _)| of != epoch);
        (asks && epoch >= reader.heard).then_some(())?;
        let wanted = *applied.get_or_insert(claimed.max(reader.start));
        (reader.heard, reader.attached) = (epoch, Some((epoch, wanted)));
        Some(())
    }

    /// `node` hears nothing from whom it is attached to.
    pub fn detach(&mut self, node: usize) -> Option<()> {
        self.readers[node].as_mut()?.attached.take().map(|_| ())
    }

    /// `node` sends the next of `events`.
    pub fn send(&mut self, node: usize, events: u8) -> Option<()> {
        let reader = self.readers[node].as_mut()?;
        let (epoch, next) = reader.attached.as_mut()?;
        (reader.sent.is_none() && *next < events).then_some(())?;
        reader.sent = Some((*epoch, *next));
        *next += 1;
        Some(())
    }

    /// What `node` has under way arrives, or is lost.
    pub fn take(&mut self, node: usize) -> Option<(u64, u8)> {
        self.readers[node].as_mut()?.sent.take()
    }

    /// The first event that `node` has not sent.
    pub fn position(&self, node: usize) -> Option<u8> {
        self.readers[node].as_ref()?.attached.map(|(_, next)| next)
    }

    /// `node` commits everything below `to`, if the group lets it.
    pub fn commit(&mut self, node: usize, to: u8) -> Option<()> {
        (self.current(node) && to > self.committed).then(|| self.committed = to)
    }
}
