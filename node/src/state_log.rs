//! The state log of a single node: an embedded key-value store in the data folder.
//!
//! The newest snapshot of an entity replaces the one before, which is what compaction does to the
//! topic of a cluster. Sleeping entities live here and nowhere else. There is one writer at a time, so
//! every opening of an earlier process counts as closed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use naap_actors::ownership::{Opening, Record};
use naap_actors::ports::{Heard, StateLog, StateLogError, StateRecord, Told};
use naap_protocol::codec::{self, TraceContext};
use naap_protocol::identity::EntityId;
use naap_protocol::state::{EpochOpen, Progress, SourcePartition};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use thiserror::Error;

use crate::disk;

const ENTITIES: TableDefinition<'_, (u16, u128), &[u8]> = TableDefinition::new("entities");
const OPENINGS: TableDefinition<'_, u16, &[u8]> = TableDefinition::new("openings");
const PROGRESS: TableDefinition<'_, u16, &[u8]> = TableDefinition::new("progress");
const SOURCES: TableDefinition<'_, &str, u32> = TableDefinition::new("sources");
const FIXED: TableDefinition<'_, &str, u64> = TableDefinition::new("fixed");

/// Pages that the store keeps in memory, bytes.
const CACHE: usize = 24 << 20;

/// What a shard is found to be when it is opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShardRecord {
    /// Highest epoch ever opened; 0 for a new shard.
    pub epoch: u64,
    /// Newest claim.
    pub progress: Progress,
}

/// A record about the ownership of a shard.
type Ruling = (u16, Record<Progress>);

/// The state log in a file.
pub struct LocalStateLog {
    database: Database,
    /// Who follows a shard.
    told: Mutex<BTreeMap<u16, Told>>,
}

impl std::fmt::Debug for LocalStateLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalStateLog").field("database", &self.database).finish_non_exhaustive()
    }
}

/// The state log can not be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "the state log {0} is in use by another naap process; wait for it to end, or choose another --data-dir"
    )]
    InUse(PathBuf),
    /// It can not be opened or made.
    #[error("can not open the state log {0}: {1}")]
    Unusable(PathBuf, String),
    /// It was made for another number of shards.
    #[error(
        "the state log {path} was made for {found} shards, but cluster.shards is {wanted}; the number of \
         shards is fixed: set cluster.shards = {found}, or choose a new --data-dir"
    )]
    OtherShards {
        /// The file.
        path: PathBuf,
        /// Shards in the file.
        found: u64,
        /// Shards configured.
        wanted: u16,
    },
}

impl LocalStateLog {
    /// Opens or makes the log in folder `dir`, for a cluster of `shards`.
    ///
    /// # Errors
    /// When the file is in use, can not be opened, or belongs to another number of shards.
    pub fn open(dir: &Path, shards: u16) -> Result<Self, OpenError> {
        let path = dir.join("state.redb");
        let database =
            Database::builder().set_cache_size(CACHE).create(&path).map_err(|e| match e {
                redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path.clone()),
                other => OpenError::Unusable(path.clone(), other.to_string()),
            })?;
        let log = Self { database, told: Mutex::default() };
        let known = log.fix("shards", u64::from(shards));
        let found = known.map_err(|e| OpenError::Unusable(path.clone(), e.to_string()))?;
        if found != u64::from(shards) {
            return Err(OpenError::OtherShards { path, found, wanted: shards });
        }
        Ok(log)
    }

    /// The value fixed under `name`, which is `value` if there was none.
    fn fix(&self, name: &str, value: u64) -> Result<u64, redb::Error> {
        let write = self.database.begin_write()?;
        let fixed = {
            let mut table = write.open_table(FIXED)?;
            let known = table.get(name)?.map(|v| v.value());
            if known.is_none() {
                table.insert(name, value)?;
            }
            known.unwrap_or(value)
        };
        write.commit()?;
        Ok(fixed)
    }

    /// The partition number that stands for the input `name`; the same name has the same number
    /// for ever, another name another one.
    ///
    /// # Errors
    /// When the log can not be read or written.
    pub fn source_number(&self, name: &str) -> Result<u32, StateLogError> {
        self.number(name).map_err(failed)
    }

    fn number(&self, name: &str) -> Result<u32, redb::Error> {
        let write = self.database.begin_write()?;
        let number = {
            let mut table = write.open_table(SOURCES)?;
            let known = table.get(name)?.map(|v| v.value());
            let fresh = redb::ReadableTableMetadata::len(&table)? as u32;
            if known.is_none() {
                table.insert(name, fresh)?;
            }
            known.unwrap_or(fresh)
        };
        write.commit()?;
        Ok(number)
    }

    fn read<K: redb::Key + 'static>(
        &self,
        table: TableDefinition<'_, K, &[u8]>,
        key: K::SelfType<'_>,
    ) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = match self.database.begin_read()?.open_table(table) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            other => other?,
        };
        Ok(table.get(key)?.map(|value| value.value().to_vec()))
    }

    fn scan(&self, shard: u16, each: &mut dyn FnMut(EntityId, &[u8])) -> Result<(), redb::Error> {
        let table = match self.database.begin_read()?.open_table(ENTITIES) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            other => other?,
        };
        for entry in table.range((shard, 0)..=(shard, u128::MAX))? {
            let (key, frame) = entry?;
            each(EntityId(key.value().1), frame.value());
        }
        Ok(())
    }

    fn write(&self, records: Vec<StateRecord>) -> Result<Vec<Ruling>, Box<dyn std::error::Error>> {
        let mut written = Vec::new();
        let write = self.database.begin_write()?;
        {
            let mut entities = write.open_table(ENTITIES)?;
            let mut openings = write.open_table(OPENINGS)?;
            let mut claims = write.open_table(PROGRESS)?;
            let trace = TraceContext::default();
            for record in records {
                match record {
                    StateRecord::Snapshot { shard, entity, frame, .. } => {
                        entities.insert((shard, entity.0), frame.as_slice())?;
                    }
                    StateRecord::Forget { shard, entity, .. } => {
                        entities.remove((shard, entity.0))?;
                    }
                    StateRecord::Open { shard, open } => {
                        openings.insert(shard, codec::encode(&open, trace)?.as_slice())?;
                        written.push((shard, Record::Open(open.into())));
                    }
                    // Nobody else can open the file, so a shard in it is free at every start.
                    StateRecord::Close { shard, open } => {
                        written.push((shard, Record::Close(open.into())));
                    }
                    StateRecord::Progress { shard, epoch, progress } => {
                        claims.insert(shard, codec::encode(&progress, trace)?.as_slice())?;
                        let open = openings.get(shard)?;
                        let open: Option<EpochOpen> =
                            open.map(|frame| codec::decode(frame.value())).transpose()?;
                        if let Some(open) = open.filter(|open| open.epoch == epoch) {
                            written.push((shard, Record::Progress(open.into(), progress)));
                        }
                    }
                }
            }
        }
        write.commit()?;
        Ok(written)
    }

    /// What is known of `shard`.
    ///
    /// # Errors
    /// When the log can not be read.
    pub fn shard(&self, shard: u16) -> Result<ShardRecord, StateLogError> {
        let open = self.read(OPENINGS, shard).map_err(failed)?;
        let claim = self.read(PROGRESS, shard).map_err(failed)?;
        let open: Option<EpochOpen> =
            open.map(|frame| codec::decode(&frame)).transpose().map_err(failed)?;
        let progress: Option<Progress> =
            claim.map(|frame| codec::decode(&frame)).transpose().map_err(failed)?;
        let epoch = open.map_or(0, |open| open.epoch);
        Ok(ShardRecord { epoch, progress: progress.unwrap_or_default() })
    }

    /// The highest epoch that any shard was opened in; 0 in a new log.
    ///
    /// # Errors
    /// When the log can not be read.
    pub fn highest_epoch(&self, shards: u16) -> Result<u64, StateLogError> {
        (0..shards).try_fold(0, |highest, shard| Ok(self.shard(shard)?.epoch.max(highest)))
    }

    /// Who is told, also after a panic elsewhere: entries are replaced as a whole.
    fn told(&self) -> MutexGuard<'_, BTreeMap<u16, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateLog for LocalStateLog {
    fn follow(&self, shard: u16, told: Told) -> Result<(), StateLogError> {
        let ShardRecord { epoch, progress } = self.shard(shard)?;
        let opening = |epoch| Opening { epoch, node: "".into(), incarnation: 0 };
        if progress != Progress::default() {
            let author = opening(progress.epoch);
            told(Heard::Record(Record::Open(author.clone())));
            told(Heard::Record(Record::Progress(author, progress)));
        }
        if epoch > 0 {
            told(Heard::Record(Record::Open(opening(epoch))));
            // Whoever wrote it is gone: the file is open once.
            told(Heard::Record(Record::Close(opening(epoch))));
        }
        told(Heard::CaughtUp);
        self.told().insert(shard, told);
        Ok(())
    }

    fn unfollow(&self, shard: u16) {
        self.told().remove(&shard);
    }

    fn entity(&self, shard: u16, entity: EntityId) -> Result<Option<Vec<u8>>, StateLogError> {
        self.read(ENTITIES, (shard, entity.0)).map_err(failed)
    }

    fn entities(
        &self,
        shard: u16,
        each: &mut dyn FnMut(EntityId, &[u8]),
    ) -> Result<(), StateLogError> {
        self.scan(shard, each).map_err(failed)
    }

    fn append(&self, records: Vec<StateRecord>) -> Result<(), StateLogError> {
        let written = self.write(records).map_err(failed)?;
        let followers = self.told();
        for (shard, record) in written {
            if let Some(told) = followers.get(&shard) {
                let opened = matches!(record, Record::Open(_));
                told(Heard::Record(record));
                if opened {
                    told(Heard::CaughtUp);
                }
            }
        }
        Ok(())
    }
}

/// The first offset of `source` that some shard has not applied durably; `None` when some shard
/// knows nothing of the source.
///
/// # Errors
/// When the log can not be read.
pub fn applied_by_all(
    log: &LocalStateLog,
    source: &SourcePartition,
    shards: u16,
) -> Result<Option<u64>, StateLogError> {
    let mut lowest = None;
    for shard in 0..shards {
        let Some(&offset) = log.shard(shard)?.progress.applied.get(source) else {
            return Ok(None);
        };
        lowest = Some(lowest.map_or(offset, |known: u64| known.min(offset)));
    }
    Ok(lowest)
}

fn failed(error: impl std::fmt::Display) -> StateLogError {
    StateLogError(disk::with_remedy(error.to_string()))
}
