//! Who has to be asked again, and when: orchestrators forget who has asked them when their shard moves, and a
//! question may be lost with a link.
//!
//! A node with a million sessions has more to ask than a link may hold, so a few shards ask at a time. Each
//! finds its questions when it is its turn: what it kept could be older than what its sessions ask meanwhile.

use std::collections::{BTreeMap, BTreeSet};

/// Shards that ask in one second.
pub(super) const A_SECOND: usize = 8;

/// What has been forgotten.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// Shards whose orchestrators may have forgotten who asked.
    forgot: BTreeSet<u16>,
    /// Shards of this node that have to ask, each with the shards to ask.
    owed: BTreeMap<u16, BTreeSet<u16>>,
    /// The shard that asked last.
    last: u16,
}

impl Again {
    /// The orchestrators of `shards` may have forgotten who asked.
    pub(super) fn forgot(&mut self, shards: impl IntoIterator<Item = u16>) {
        self.forgot.extend(shards);
    }

    /// At most `most` shards whose turn it is, each with the shards that it has to ask. `open` are those of this
    /// node now; one that opens later asks everybody by itself.
    pub(super) fn next(
        &mut self,
        open: impl Iterator<Item = u16>,
        most: usize,
    ) -> Vec<(u16, BTreeSet<u16>)> {
        let forgot = std::mem::take(&mut self.forgot);
        if !forgot.is_empty() {
            open.for_each(|shard| self.owed.entry(shard).or_default().extend(&forgot));
        }
        let behind = self.last.saturating_add(1)..;
        let all = self.owed.range(behind).chain(self.owed.range(..=self.last));
        let turns: Vec<u16> =
            all.map(|(shard, _)| *shard).take(most.min(self.owed.len())).collect();
        self.last = turns.last().copied().unwrap_or(self.last);
        turns.into_iter().filter_map(|shard| self.owed.remove_entry(&shard)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(again: &mut Again, most: usize) -> Vec<(u16, Vec<u16>)> {
        let next = again.next([2, 5, 9].into_iter(), most).into_iter();
        next.map(|(shard, of)| (shard, of.into_iter().collect())).collect()
    }

    #[test]
    fn everybody_asks_once_and_nobody_twice_before_all_others() {
        let mut again = Again::default();
        assert_eq!(turns(&mut again, 2), []);
        again.forgot([1, 7]);
        assert_eq!(turns(&mut again, 2), [(2, vec![1, 7]), (5, vec![1, 7])]);
        again.forgot([3]);
        let both = [(9, vec![1, 3, 7]), (2, vec![3])];
        assert_eq!(turns(&mut again, 2), both);
        assert_eq!(turns(&mut again, usize::MAX), [(5, vec![3])]);
        assert_eq!(turns(&mut again, usize::MAX), []);
        again.forgot([4]);
        assert_eq!(turns(&mut again, usize::MAX).len(), 3);
    }
}
