//! Placement: which member of the cluster should have which shard (design.md, words and membership).
//!
//! Rendezvous hashing: every member draws numbers for every shard, and the highest draw wins. A
//! draw depends on the shard and the member's name alone, so a member that joins or leaves changes
//! the winner only where it wins or won itself. Whole numbers only: the table is the same on every
//! machine. Placement suggests an owner; the state log decides ([`crate::ownership`]).

use std::collections::BTreeMap;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Weight of a member that takes its full share.
pub const FULL_WEIGHT: u8 = 8;

/// A member that is `up`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Stable name of the node.
    pub name: String,
    /// Share of the shards relative to the weights of the other members: [`FULL_WEIGHT`] is the
    /// rule, less takes less, 0 is a member that drains and gets nothing.
    pub weight: u8,
}

impl Member {
    /// A member that takes its full share.
    pub fn full(name: impl Into<String>) -> Self {
        Self { name: name.into(), weight: FULL_WEIGHT }
    }
}

/// A shard that another member should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move<'a> {
    /// The shard.
    pub shard: u16,
    /// Who should have had it; `None` when nobody could.
    pub from: Option<&'a str>,
    /// Who should have it now; `None` when nobody can.
    pub to: Option<&'a str>,
}

/// The table from shard to member. Equal for the same members, in whatever order they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// In the order of names, each name once.
    members: Vec<Member>,
    /// Index of the winner of each shard; `None` when no member has weight.
    winners: Vec<Option<usize>>,
}

impl Placement {
    /// Places `shards` over `members`. Where a name occurs more than once its lowest weight counts,
    /// so that a drain is never overlooked.
    pub fn new(members: impl IntoIterator<Item = Member>, shards: u16) -> Self {
        let mut weights = BTreeMap::<String, u8>::new();
        for Member { name, weight } in members {
            weights.entry(name).and_modify(|known| *known = weight.min(*known)).or_insert(weight);
        }
        let seeds: Vec<u64> = weights.keys().map(|name| xxh3_64(name.as_bytes())).collect();
        let members: Vec<Member> =
            weights.into_iter().map(|(name, weight)| Member { name, weight }).collect();
        let winner = |shard| {
            let best = |(index, member): (usize, &Member)| {
                let draw = (0..member.weight).map(|draw| score(seeds[index], shard, draw)).max()?;
                Some((draw, index))
            };
            members.iter().enumerate().filter_map(best).max().map(|(_, index)| index)
        };
        let winners = (0..shards).map(winner).collect();
        Self { members, winners }
    }

    /// Who should have `shard`; `None` when no member has weight or there is no such shard.
    pub fn owner(&self, shard: u16) -> Option<&str> {
        let index = (*self.winners.get(usize::from(shard))?)?;
        Some(&self.members[index].name)
    }

    /// As [`Placement::owner`], if that is another than `me`.
    pub fn other_owner(&self, shard: u16, me: &str) -> Option<&str> {
        self.owner(shard).filter(|owner| *owner != me)
    }

    /// The shards that `member` should have, in order.
    pub fn shards_of(&self, member: &str) -> impl Iterator<Item = u16> {
        let index = self.members.iter().position(|known| known.name == member);
        let mine = move |winner: &Option<usize>| index.is_some() && *winner == index;
        self.winners.iter().zip(0_u16..).filter(move |(winner, _)| mine(winner)).map(|(_, n)| n)
    }

    /// The members, in the order of names.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What moves, in the order of shards, when `next` replaces this table for the same shards.
    pub fn moves<'a>(&'a self, next: &'a Self) -> impl Iterator<Item = Move<'a>> {
        let shards = 0..self.winners.len() as u16;
        let all =
            shards.map(|shard| Move { shard, from: self.owner(shard), to: next.owner(shard) });
        all.filter(|step| step.from != step.to)
    }

    /// The table without `member`.
    #[must_use]
    pub fn without(&self, member: &str) -> Self {
        let rest = self.members.iter().filter(|known| known.name != member).cloned();
        Self::new(rest, self.winners.len() as u16)
    }
}

/// Draw number `draw` of the member with `seed` for `shard`. The highest of `w` equal chances wins
/// `w` times as often as a single one, which is what a weight means; and a lower weight only takes
/// draws away, so that it only gives shards away.
fn score(seed: u64, shard: u16, draw: u8) -> u64 {
    let [low, high] = shard.to_le_bytes();
    xxh3_64_with_seed(&[low, high, draw], seed)
}

#[cfg(test)]
mod tests;
