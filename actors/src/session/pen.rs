//! Writes rows that have changed, and only these.

use naap_protocol::rows::Row;
use naap_protocol::slice::Touch;
use naap_protocol::state::says_the_same;
use naap_protocol::time::Timestamp;

use crate::outbox::Outbox;
use crate::reject_rows::oversized;

/// Where a session writes its rows.
#[derive(Debug)]
pub struct Pen<'w> {
    outbox: &'w mut Outbox,
    version: &'w mut u64,
    now: Timestamp,
}

/// Version and insert time of a row that is being made.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Write version, above that of every row before.
    pub version: u64,
    /// Insert time, node clock.
    pub now: Timestamp,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It says what the row before said: nothing was written.
    Same,
    /// It was written for the first time.
    First,
    /// It says what the row before said, and was written for the first time in this epoch: that may be lost.
    Repeated,
    /// It replaces what was written before.
    Again,
    /// It is larger than a row may be; counted and left out.
    TooLarge,
}

impl Put {
    /// A row was written.
    pub fn is_written(self) -> bool {
        self.is_news() || self == Self::Repeated
    }

    /// A row was written that says what was not said before.
    pub fn is_news(self) -> bool {
        matches!(self, Self::First | Self::Again)
    }
}

/// Numbers of `count` rows, and of those that were there before, with their hashes, of which `known` gets those
/// that it lacks. There are as many numbers as a column holds.
pub fn numbered(known: &mut Vec<u64>, count: usize) -> impl Iterator<Item = (u16, &mut u64)> {
    known.resize(known.len().max(count.min(u16::MAX.into())), 0);
    // The range comes last, as a next number beyond the last row may not exist.
    known.iter_mut().zip(0..).map(|(hash, index)| (index, hash))
}

impl<'w> Pen<'w> {
    /// A pen whose rows carry versions above `version`, which moves along.
    pub fn new(outbox: &'w mut Outbox, version: &'w mut u64, now: Timestamp) -> Self {
        Self { outbox, version, now }
    }

    /// Notes a slice that rows of the session enter.
    pub fn touch(&mut self, org: &str, ts: Timestamp) {
        self.outbox.touch(Touch { org, ts, more: 0 });
    }

    /// Writes the row that `make` makes unless its content has the hash `last`, which is brought up
    /// to date.
    pub fn put<R: Row>(&mut self, last: &mut u64, make: impl FnOnce(Stamp) -> R) -> Put {
        let stamp = Stamp { version: *self.version + 1, now: self.now };
        match self.outbox.push_changed(&make(stamp), *last) {
            Ok(None) => Put::Same,
            Ok(Some(hash)) => {
                *self.version += 1;
                let before = std::mem::replace(last, hash);
                match before {
                    0 => Put::First,
                    before if says_the_same(before, hash) => Put::Repeated,
                    _ => Put::Again,
                }
            }
            Err(too_large) => {
                oversized(too_large);
                Put::TooLarge
            }
        }
    }
}
