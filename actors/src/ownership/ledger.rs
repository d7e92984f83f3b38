//! What counts in a partition that is read in order.

use super::{Opening, Record};

/// The outcome of all records read so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ledger<C> {
    holder: Option<Opening>,
    closed: bool,
    claim: Option<C>,
}

impl<C> Default for Ledger<C> {
    fn default() -> Self {
        Self { holder: None, closed: false, claim: None }
    }
}

impl<C> Ledger<C> {
    /// Takes the next record. Returns whether it counts; one that does not changes nothing.
    pub fn read(&mut self, record: Record<C>) -> bool {
        match record {
            Record::Open(opening) => {
                let counts = self.holder.as_ref().is_none_or(|known| known.epoch < opening.epoch);
                if counts {
                    (self.holder, self.closed) = (Some(opening), false);
                }
                counts
            }
            Record::Close(opening) => {
                let counts = self.held_by(&opening);
                self.closed |= counts;
                counts
            }
            Record::Progress(opening, claim) => {
                let counts = self.held_by(&opening);
                if counts {
                    self.claim = Some(claim);
                }
                counts
            }
        }
    }

    /// Who has the shard; `None` when it was never opened.
    pub fn holder(&self) -> Option<&Opening> {
        self.holder.as_ref()
    }

    /// Whether `opening` is the holder.
    pub fn held_by(&self, opening: &Opening) -> bool {
        self.holder.as_ref() == Some(opening)
    }

    /// Whether nobody has the shard: it was never opened, or the holder has let it go.
    pub fn free(&self) -> bool {
        self.holder.is_none() || self.closed
    }

    /// The newest claim that counts; `None` when there is none.
    pub fn claim(&self) -> Option<&C> {
        self.claim.as_ref()
    }
}
