//! The state of followed shards as the topic has it, in an embedded store: sleeping entities are read
//! from here. It is made anew at every start and never the truth, so nothing in it has to be durable.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use naap_actors::ownership::Opening;
use naap_protocol::codec;
use naap_protocol::identity::EntityId;
use naap_protocol::state::{Expired, join_frames};
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, Table, TableDefinition, TableError,
    WriteTransaction,
};

const STATES: TableDefinition<'_, (u16, u128), &[u8]> = TableDefinition::new("states");
/// Who has a record of the entity in the topic, beside this node's present opening.
const AUTHORS: TableDefinition<'_, (u16, u128), &[u8]> = TableDefinition::new("authors");

/// Pages that the store keeps in memory, bytes.
const CACHE: usize = 24 << 20;
/// Space is given back to the file once in so many commits.
const SETTLE: u64 = 64;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A snapshot that was read from the topic.
#[derive(Debug)]
pub(super) struct Found {
    pub entity: u128,
    pub author: Opening,
    /// `None` for a tombstone.
    pub frame: Option<Vec<u8>>,
}

/// The store.
#[derive(Debug)]
pub(super) struct Mirror {
    database: Database,
    /// Openings by the number that stands for them in [`AUTHORS`].
    openings: Mutex<Vec<Opening>>,
    commits: AtomicU64,
}

impl Mirror {
    /// An empty store in folder `dir`.
    pub fn create(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join("state-mirror.redb");
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error.into());
        }
        let database = Database::builder().set_cache_size(CACHE).create(&path)?;
        let mirror = Self { database, openings: Mutex::default(), commits: AtomicU64::new(0) };
        mirror.write(|write| {
            write.open_table(STATES)?;
            write.open_table(AUTHORS)?;
            Ok(())
        })?;
        Ok(mirror)
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut write = self.database.begin_write()?;
        if !self.commits.fetch_add(1, Ordering::Relaxed).is_multiple_of(SETTLE) {
            write.set_durability(Durability::None)?;
        }
        let outcome = work(&write)?;
        write.commit()?;
        Ok(outcome)
    }

    /// The state of an entity.
    pub fn entity(&self, shard: u16, entity: EntityId) -> Result<Option<Vec<u8>>, Failure> {
        let table = match self.database.begin_read()?.open_table(STATES) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            other => other?,
        };
        Ok(table.get((shard, entity.0))?.map(|value| value.value().to_vec()))
    }

    /// Hands every state of a shard to `each`.
    pub fn entities(
        &self,
        shard: u16,
        each: &mut dyn FnMut(EntityId, &[u8]),
    ) -> Result<(), Failure> {
        let table = self.database.begin_read()?.open_table(STATES)?;
        for entry in table.range((shard, 0)..=(shard, u128::MAX))? {
            let (key, frame) = entry?;
            each(EntityId(key.value().1), frame.value());
        }
        Ok(())
    }

    /// Who else has a record of the entity in the topic.
    pub fn authors(&self, shard: u16, entity: u128) -> Result<Vec<Opening>, Failure> {
        let table = self.database.begin_read()?.open_table(AUTHORS)?;
        let numbers = table.get((shard, entity))?.map(|value| numbers(value.value()));
        Ok(numbers.unwrap_or_default().into_iter().filter_map(|n| self.opening(n)).collect())
    }

    /// Keeps states that this node's present opening writes; `None` for one that it forgets.
    pub fn own<'a>(
        &self,
        states: impl Iterator<Item = (u16, EntityId, Option<&'a [u8]>)>,
    ) -> Result<(), Failure> {
        self.write(|write| {
            let (mut all, mut authors) = (write.open_table(STATES)?, write.open_table(AUTHORS)?);
            for (shard, entity, frame) in states {
                match frame {
                    Some(frame) => drop(all.insert((shard, entity.0), frame)?),
                    None => drop(all.remove((shard, entity.0))?),
                }
                authors.remove((shard, entity.0))?;
            }
            Ok(())
        })
    }

    /// Takes in what was read, in order. While the shard runs here (`runs`), states of others only
    /// count as something to be removed: what is in them comes again as input.
    pub fn take(&self, shard: u16, found: Vec<Found>, runs: bool) -> Result<(), Failure> {
        self.write(|write| {
            let (mut states, mut authors) = (write.open_table(STATES)?, write.open_table(AUTHORS)?);
            for Found { entity, author, frame } in found {
                let key = (shard, entity);
                let number = self.number(&author);
                let known = authors.get(key)?.map(|value| numbers(value.value()));
                let mut known = known.unwrap_or_default();
                match frame {
                    Some(frame) => {
                        if !known.contains(&number) {
                            self.join(&mut states, key, &known, &author, frame, runs)?;
                            known.insert(number);
                        } else if !runs {
                            let others = known.iter().filter(|&&n| n != number).copied().collect();
                            self.join(&mut states, key, &others, &author, frame, runs)?;
                        }
                    }
                    None => {
                        if known.remove(&number) && known.is_empty() && !runs {
                            states.remove(key)?;
                        }
                    }
                }
                if known.is_empty() {
                    authors.remove(key)?;
                } else {
                    authors.insert(key, bytes(&known).as_slice())?;
                }
            }
            Ok(())
        })
    }

    /// Joins a state of `author` with what is known from `others`.
    fn join(
        &self,
        states: &mut Table<'_, (u16, u128), &[u8]>,
        key: (u16, u128),
        others: &BTreeSet<u32>,
        author: &Opening,
        frame: Vec<u8>,
        runs: bool,
    ) -> Result<(), Failure> {
        let before = states.get(key)?.map(|value| value.value().to_vec());
        let joined = match before {
            Some(_) if runs => return Ok(()),
            // A mark of another, for what runs here.
            None if runs && codec::is::<Expired>(&frame) => return Ok(()),
            Some(before) if !others.is_empty() => {
                let openings = others.iter().filter_map(|n| self.opening(*n));
                let highest = openings.map(|opening| opening.epoch).max().unwrap_or_default();
                join_frames(&before, highest, &frame, author.epoch)?
            }
            _ => frame,
        };
        states.insert(key, joined.as_slice())?;
        Ok(())
    }

    /// Forgets a shard.
    pub fn clear(&self, shard: u16) -> Result<(), Failure> {
        let all = (shard, 0)..=(shard, u128::MAX);
        self.write(|write| {
            write.open_table(STATES)?.retain_in(all.clone(), |_, _| false)?;
            write.open_table(AUTHORS)?.retain_in(all, |_, _| false)?;
            Ok(())
        })
    }

    fn number(&self, opening: &Opening) -> u32 {
        let mut openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
        let known = openings.iter().rposition(|known| known == opening);
        let number = known.unwrap_or_else(|| {
            openings.push(opening.clone());
            openings.len() - 1
        });
        number as u32
    }

    fn opening(&self, number: u32) -> Option<Opening> {
        let openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
        openings.get(number as usize).cloned()
    }
}

fn numbers(bytes: &[u8]) -> BTreeSet<u32> {
    bytes.chunks_exact(4).map(|n| n.iter().fold(0, |all, &b| all << 8 | u32::from(b))).collect()
}

fn bytes(numbers: &BTreeSet<u32>) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}
