//! The other nodes of the cluster, as far as shards are concerned: who is there, and the way to them.
//!
//! Membership comes in as a value ([`Members`]); it only suggests who should have a shard. Messages go
//! out through [`Peers`] and come in through [`crate::region::RegionMsg::FromPeer`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use naap_protocol::peer::{Note, Notes};
use naap_protocol::wire::Envelope;
use ractor::ActorRef;

use crate::ingest::IngestMsg;
use crate::placement::{Member, Placement};

/// What goes to another node.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerMsg {
    /// A batch of events for one shard.
    Envelope(Envelope),
    /// Everything else.
    Notes(Notes),
}

/// The way to the other nodes.
///
/// A message arrives once or not at all, and those of one node at another in the order in which they
/// were sent, as long as the link lasts. What is lost is made up for by the protocol, so that nothing
/// has to be kept for a link that is down. An ingest has at most its window of bytes per shard under
/// way, so that a link need not hold anything back.
pub trait Peers: fmt::Debug + Send + Sync + 'static {
    /// Sends `message` to the node named `to`, or drops it when there is no link to it. Never waits.
    fn send(&self, to: &str, message: PeerMsg);

    /// Tells the node named `from` that what it sent can not be read; it ends the link. Never waits.
    fn refuse(&self, from: &str, reason: &str);
}

/// A node without others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Peers for Alone {
    fn send(&self, to: &str, _message: PeerMsg) {
        tracing::debug!(to, "a message for another node was dropped: this node is alone");
    }

    fn refuse(&self, from: &str, reason: &str) {
        tracing::debug!(from, reason, "nobody is refused: this node is alone");
    }
}

/// Who reads a source partition: the ingest of this node, or of another.
#[derive(Clone, Debug)]
pub enum Reader {
    /// This node's.
    Here(ActorRef<IngestMsg>),
    /// That of the node with this name.
    There(Arc<dyn Peers>, Arc<str>),
}

impl Reader {
    /// Tells it something. One that is gone does not hear it, which it makes up for when it is back.
    pub fn tell(&self, note: Note) {
        match self {
            Self::Here(ingest) => drop(ingest.cast(IngestMsg::Note(note))),
            Self::There(peers, node) => peers.send(node, PeerMsg::Notes(Notes(vec![note]))),
        }
    }

    /// Tells another node that what it sent can not be read; `false` where this node did that to itself.
    pub fn refuse(&self, reason: &str) -> bool {
        if let Self::There(peers, node) = self {
            peers.refuse(node, reason);
        }
        matches!(self, Self::There(..))
    }
}

/// How far a member is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It starts, and gets no shards yet.
    Joining,
    /// It serves.
    Up,
    /// It stops: it gives its shards away in order.
    Draining,
    /// It is gone. A shard that it has open may be taken.
    Down,
}

/// What is known of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Newest boot of the node.
    pub incarnation: u64,
    /// Share of the shards, see [`Member::weight`].
    pub weight: u8,
    /// How far it is.
    pub standing: Standing,
    /// It may be down soon: whoever is to have its shards then reads ahead.
    pub suspect: bool,
}

impl Known {
    /// It may be at work.
    fn is_there(&self) -> bool {
        self.standing != Standing::Down
    }
}

/// The members of the cluster as this node sees them, itself among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(pub BTreeMap<Arc<str>, Known>);

impl Members {
    /// A cluster of one node that is up.
    pub fn alone(node: &str, incarnation: u64) -> Self {
        let weight = crate::placement::FULL_WEIGHT;
        let known = Known { incarnation, weight, standing: Standing::Up, suspect: false };
        Self(BTreeMap::from([(Arc::from(node), known)]))
    }

    /// Who should have which of `shards`: those that are up share them.
    pub fn placement(&self, shards: u16) -> Placement {
        self.placement_of(shards, |known| known.standing == Standing::Up)
    }

    /// Who is about to have which of `shards`: as if those that start were up, and suspects down.
    pub fn placement_ahead(&self, shards: u16) -> Placement {
        self.placement_of(shards, |known| known.standing <= Standing::Up && !known.suspect)
    }

    fn placement_of(&self, shards: u16, counts: impl Fn(&Known) -> bool) -> Placement {
        let member = |(name, known): (&Arc<str>, &Known)| Member {
            name: name.to_string(),
            weight: known.weight,
        };
        Placement::new(self.0.iter().filter(|(_, known)| counts(known)).map(member), shards)
    }

    /// Whether boot `incarnation` of `node` may still be at work, so that its shards are to be left to
    /// it until it closes them. A node that is not known any more is gone.
    pub fn is_alive(&self, node: &str, incarnation: u64) -> bool {
        let known = self.0.get(node);
        known.is_some_and(|known| known.incarnation == incarnation && known.is_there())
    }

    /// Whether `node` may take messages.
    pub fn is_there(&self, node: &str) -> bool {
        self.0.get(node).is_some_and(Known::is_there)
    }

    /// The names of all members that may take messages, but for `me`.
    pub fn others<'a>(&'a self, me: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        let there = self.0.iter().filter(|(_, known)| known.is_there());
        there.map(|(name, _)| name).filter(move |name| ***name != *me)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_that_are_up_get_shards_and_only_the_newest_boot_is_alive() {
        let known =
            |incarnation, standing| Known { incarnation, weight: 8, standing, suspect: false };
        let members = Members(BTreeMap::from([
            ("a".into(), known(1, Standing::Up)),
            ("b".into(), known(2, Standing::Draining)),
            ("c".into(), known(3, Standing::Down)),
        ]));
        let placement = members.placement(16);
        assert!((0..16).all(|shard| placement.owner(shard) == Some("a")));
        assert!(members.is_alive("b", 2), "it closes its shards itself");
        assert!(!members.is_alive("b", 1));
        assert!(!members.is_alive("c", 3));
        assert!(!members.is_alive("d", 1));
        assert_eq!(members.others("a").map(|name| &**name).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_suspect_keeps_its_shards_and_a_joiner_has_none_but_both_know_who_is_next() {
        let known = |standing, suspect| Known { incarnation: 1, weight: 8, standing, suspect };
        let members = Members(BTreeMap::from([
            ("a".into(), known(Standing::Up, false)),
            ("b".into(), known(Standing::Up, true)),
            ("c".into(), known(Standing::Joining, false)),
            ("d".into(), known(Standing::Draining, false)),
        ]));
        let count = |placement: &Placement, node| placement.shards_of(node).count();
        let (now, ahead) = (members.placement(64), members.placement_ahead(64));
        assert!(count(&now, "b") > 0);
        assert_eq!(count(&now, "a") + count(&now, "b"), 64);
        assert!(count(&ahead, "c") > 0);
        assert_eq!(count(&ahead, "a") + count(&ahead, "c"), 64);
    }
}
