//! What the reader of a node makes of a batch of records: items that are decoded once and handed to
//! the shards of the node as they are.
//!
//! Items borrow from the records, so both stay in memory until the last shard is done with its part. The
//! bytes of each item are charged to the envelope that it is in, so the windows of these bound lots too.

use self_cell::self_cell;

use crate::wire::Item;

type Items<'a> = Vec<Item<'a>>;

self_cell!(
    struct Borrowing {
        owner: String,

        #[covariant]
        dependent: Items,
    }

    impl {Debug}
);

/// Items with the text that they borrow from.
#[derive(Debug)]
pub struct Lot(Borrowing);

impl Lot {
    /// The items that `decode` finds in `text`.
    pub fn new(text: String, decode: impl for<'a> FnOnce(&'a str) -> Vec<Item<'a>>) -> Self {
        Self(Borrowing::new(text, |text| decode(text)))
    }

    /// The item at `place`; `None` behind the last.
    pub fn get(&self, place: u32) -> Option<&Item<'_>> {
        self.0.borrow_dependent().get(place as usize)
    }
}
