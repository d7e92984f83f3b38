//! Where a shard is that moves, and when it goes: its holder keeps it, and everybody finds it there, until the
//! next owner has read its log. Only then the holder begins to hand it off.

use std::sync::Arc;
use std::time::Instant;

use naap_protocol::peer::{Note, Notes, Sender};
use ractor::ActorProcessingErr;

use super::{Shards, claimed, step};
use crate::ownership::Opening;
use crate::peers::PeerMsg;

impl Shards {
    /// The other node that has `shard`, or else should have it: a shard that moves is where it was until
    /// its next owner has read its log.
    pub(in crate::region) fn elsewhere(&self, shard: u16) -> Option<&str> {
        let due = self.placement.other_owner(shard, &self.args.node);
        self.slots.get(usize::from(shard))?.heard_of.place(&self.members, due)
    }

    /// Whether a later opening than `from` was heard of.
    pub(in crate::region) fn is_superseded(&self, from: Sender) -> bool {
        let slot = self.slots.get(usize::from(from.shard));
        slot.is_some_and(|slot| slot.heard_of.is_superseded(from.epoch))
    }

    /// Opening `epoch` of `shard` runs on `node`.
    pub(in crate::region) fn opened_elsewhere(
        &mut self,
        (shard, epoch): (u16, u64),
        node: &Arc<str>,
    ) {
        let Some(slot) = self.slots.get_mut(usize::from(shard)) else { return };
        if slot.heard_of.claimed(epoch, node) {
            self.again.forgot([shard]);
        }
    }

    /// `node` does not have `shard`, whatever it has said.
    pub(in crate::region) fn is_not_at(&mut self, shard: u16, node: &str) {
        if let Some(slot) = self.slots.get_mut(usize::from(shard)) {
            slot.heard_of.not_at(node);
        }
    }

    /// `node` has read the log of `shard` and waits for opening `epoch` to be closed.
    pub(in crate::region) async fn heir(
        &mut self,
        (shard, epoch): (u16, u64),
        node: Arc<str>,
    ) -> Result<(), ActorProcessingErr> {
        let Some(slot) = self.slots.get_mut(usize::from(shard)) else { return Ok(()) };
        // It may know earlier than this node that the shard moves.
        slot.heard_of.read_by(epoch, node);
        self.recheck_one(shard).await
    }

    /// Tells whoever has to close a shard that this node waits for nothing else.
    pub(in crate::region) fn say_heir(&self, shard: u16) {
        if let Some(Opening { epoch, node, .. }) = self.slots[usize::from(shard)].owner.awaits() {
            let note = Note::Heir { shard, epoch: *epoch };
            self.args.peers.send(node, PeerMsg::Notes(Notes(vec![note])));
        }
    }

    /// Whether `shard`, which is open here and should be elsewhere, is kept until its next owner has
    /// read its log.
    pub(in crate::region) fn is_kept(&mut self, shard: u16) -> bool {
        let heir = self.placement.other_owner(shard, &self.args.node);
        let slot = &mut self.slots[usize::from(shard)];
        let (Some(open), Some(heir)) = (&slot.open, heir) else { return false };
        let since = *slot.kept_since.get_or_insert_with(Instant::now);
        if open.draining.is_some() || slot.heard_of.is_read_by(open.opening.epoch, heir) {
            return false;
        }
        let kept = since.elapsed() < self.args.heir_patience;
        if !kept {
            step("heir_late");
            tracing::warn!(shard, heir, "the next owner has not read the log of the shard in time");
        }
        kept
    }

    /// What was sent to `node` may be lost.
    pub(in crate::region) fn linked(&mut self, node: &str) {
        let sent = |shard: &u16| self.elsewhere(*shard) == Some(node);
        let sent: Vec<_> = (0..self.args.shards).filter(sent).collect();
        for shard in &sent {
            // It may have started anew, and says itself what it has.
            self.is_not_at(*shard, node);
        }
        self.again.forgot(sent);
        let claims: Vec<_> = self.open().map(claimed).collect();
        self.args.peers.send(node, PeerMsg::Notes(Notes(claims)));
    }
}
