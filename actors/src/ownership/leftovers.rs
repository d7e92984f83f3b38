//! Keys of earlier openings that are still in the log, and when they may go.

use std::collections::{BTreeMap, BTreeSet};

use super::Opening;

/// For each thing (an entity, or the claim of the shard) the earlier openings under which the log
/// holds a record of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leftovers<K> {
    of: BTreeMap<K, BTreeSet<Opening>>,
}

impl<K> Default for Leftovers<K> {
    fn default() -> Self {
        Self { of: BTreeMap::new() }
    }
}

impl<K: Ord> Leftovers<K> {
    /// Takes the next record of `thing`, written under `author`. `holder` is this node's opening as
    /// long as it is the holder, `None` before and after. Returns the openings whose record of
    /// `thing` is to be removed: all that the holder's own, just read, stands for.
    pub fn read(
        &mut self,
        thing: K,
        author: &Opening,
        holder: Option<&Opening>,
    ) -> BTreeSet<Opening> {
        if holder == Some(author) {
            return self.of.remove(&thing).unwrap_or_default();
        }
        self.of.entry(thing).or_default().insert(author.clone());
        BTreeSet::new()
    }
}
