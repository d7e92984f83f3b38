//! Where a shard is, by what other nodes say of themselves, and who is ready to have it next.

use std::sync::Arc;

use crate::peers::Members;

/// What one node has heard of one shard. It only says where messages go and when a shard may leave: what
/// is wrong in it costs time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Newest opening that was heard of, here or elsewhere; 0 is none.
    opened: u64,
    /// The other node that runs it.
    holder: Option<Arc<str>>,
    /// The node that was last to have read the log, and the opening whose `Close` it waits for.
    heir: Option<(u64, Arc<str>)>,
}

impl Whereabouts {
    /// Opening `epoch` runs on `node`. `true` when nothing was heard of it before.
    pub fn claimed(&mut self, epoch: u64, node: &Arc<str>) -> bool {
        let news = epoch > self.opened;
        if epoch >= self.opened {
            (self.opened, self.holder) = (epoch, Some(Arc::clone(node)));
        }
        news
    }

    /// Opening `epoch` runs here. `true` when an earlier one was heard of.
    pub fn opened_here(&mut self, epoch: u64) -> bool {
        let before = self.opened > 0;
        (self.opened, self.holder) = (self.opened.max(epoch), None);
        before
    }

    /// Whether a later opening than `epoch` was heard of.
    pub fn is_superseded(&self, epoch: u64) -> bool {
        epoch < self.opened
    }

    /// `node` does not have the shard, whatever it has said.
    pub fn not_at(&mut self, node: &str) {
        self.holder.take_if(|holder| **holder == *node);
    }

    /// The other node that has the shard by what was heard last, if it is among `members`; else the one that
    /// is `due` to have it.
    pub fn place<'a>(&'a self, members: &Members, due: Option<&'a str>) -> Option<&'a str> {
        self.holder.as_deref().filter(|holder| members.is_there(holder)).or(due)
    }

    /// `node` has read the log and waits for opening `epoch` to be closed.
    pub fn read_by(&mut self, epoch: u64, node: Arc<str>) {
        self.heir = Some((epoch, node));
    }

    /// Whether opening `epoch` may go to `heir`, who has read the log.
    pub fn is_read_by(&self, epoch: u64, heir: &str) -> bool {
        self.heir.as_ref().is_some_and(|(of, node)| (*of, &**node) == (epoch, heir))
    }
}
