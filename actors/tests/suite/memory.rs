//! Ports in memory, with failures on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use naap_actors::ownership::Record;
use naap_actors::ports::{
    Clock, Heard, StateLog, StateLogError, StateRecord, TableWriter, Told, WriteError,
};
use naap_protocol::identity::EntityId;
use naap_protocol::rows::TableSpec;
use naap_protocol::state::Progress;
use naap_protocol::time::Timestamp;
use tokio::sync::watch;

use crate::cells::Store;

/// A clock that moves only when told to.
#[derive(Debug, Default)]
pub struct FakeClock(pub AtomicI64);

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// What a shard is found to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShardRecord {
    pub epoch: u64,
    pub progress: Progress,
}

/// A state log without a disk.
#[derive(Default)]
pub struct MemoryLog {
    state: Mutex<LogState>,
    told: Mutex<BTreeMap<u16, Told>>,
    /// Every further append fails.
    pub broken: AtomicBool,
    /// Shards that were closed.
    pub closed: watch::Sender<Vec<u16>>,
}

#[derive(Clone, Debug, Default)]
struct LogState {
    /// Records about ownership, in order.
    records: BTreeMap<u16, Vec<Record<Progress>>>,
    entities: BTreeMap<(u16, u128), Vec<u8>>,
}

impl std::fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryLog").finish_non_exhaustive()
    }
}

impl MemoryLog {
    pub fn shard(&self, shard: u16) -> ShardRecord {
        let mut found = ShardRecord::default();
        for record in self.state.lock().unwrap().records.get(&shard).into_iter().flatten() {
            match record {
                Record::Open(open) => found.epoch = open.epoch,
                Record::Progress(_, progress) => found.progress = progress.clone(),
                Record::Close(_) => {}
            }
        }
        found
    }
}

impl StateLog for MemoryLog {
    fn follow(&self, shard: u16, told: Told) -> Result<(), StateLogError> {
        for record in self.state.lock().unwrap().records.get(&shard).into_iter().flatten() {
            told(Heard::Record(record.clone()));
        }
        told(Heard::CaughtUp);
        self.told.lock().unwrap().insert(shard, told);
        Ok(())
    }

    fn unfollow(&self, shard: u16) {
        self.told.lock().unwrap().remove(&shard);
    }

    fn entity(&self, shard: u16, entity: EntityId) -> Result<Option<Vec<u8>>, StateLogError> {
        Ok(self.state.lock().unwrap().entities.get(&(shard, entity.0)).cloned())
    }

    fn entities(
        &self,
        shard: u16,
        each: &mut dyn FnMut(EntityId, &[u8]),
    ) -> Result<(), StateLogError> {
        let entities = self.state.lock().unwrap().entities.clone();
        for ((_, id), frame) in entities.range((shard, 0)..=(shard, u128::MAX)) {
            each(EntityId(*id), frame);
        }
        Ok(())
    }

    fn append(&self, records: Vec<StateRecord>) -> Result<(), StateLogError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(StateLogError("the disk is gone".to_owned()));
        }
        let mut state = self.state.lock().unwrap();
        let told = self.told.lock().unwrap();
        for record in records {
            let (shard, record) = match record {
                StateRecord::Snapshot { shard, entity, frame, .. } => {
                    state.entities.insert((shard, entity.0), frame);
                    continue;
                }
                StateRecord::Forget { shard, entity, .. } => {
                    state.entities.remove(&(shard, entity.0));
                    continue;
                }
                StateRecord::Open { shard, open } => (shard, Record::Open(open.into())),
                StateRecord::Close { shard, open } => (shard, Record::Close(open.into())),
                StateRecord::Progress { shard, epoch, progress } => {
                    let known = state.records.get(&shard).into_iter().flatten();
                    let author = known.clone().find_map(|record| match record {
                        Record::Open(open) if open.epoch == epoch => Some(open.clone()),
                        _ => None,
                    });
                    (shard, Record::Progress(author.expect("it is open"), progress))
                }
            };
            if matches!(record, Record::Close(_)) {
                self.closed.send_modify(|closed| closed.push(shard));
            }
            state.records.entry(shard).or_default().push(record.clone());
            let opened = matches!(record, Record::Open(_));
            if let Some(told) = told.get(&shard) {
                told(Heard::Record(record));
                if opened {
                    told(Heard::CaughtUp);
                }
            }
        }
        Ok(())
    }
}

/// What the writer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Stored,
    /// Waits until the answer changes.
    Stalled,
    /// Fails once per call, so that it is tried again.
    Failing,
    /// Stores, then says that it failed.
    Lost,
    /// Fails for good in this table.
    Refused(&'static str),
}

/// Tables without a server.
#[derive(Debug)]
pub struct MemoryTables {
    pub store: Mutex<Store>,
    pub answer: watch::Sender<Answer>,
    /// Calls that wait for an answer.
    pub stalled: watch::Sender<usize>,
    /// Bytes in calls that are under way, and the most there ever were.
    pub under_way: AtomicUsize,
    pub most_under_way: AtomicUsize,
    /// Answers that asked for another try.
    pub failures: watch::Sender<usize>,
}

impl Default for MemoryTables {
    fn default() -> Self {
        Self {
            store: Mutex::default(),
            answer: watch::Sender::new(Answer::Stored),
            stalled: watch::Sender::new(0),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            failures: watch::Sender::new(0),
        }
    }
}

impl MemoryTables {
    fn keep(&self, table: &'static TableSpec, chunks: &[Bytes]) {
        let mut store = self.store.lock().unwrap();
        for chunk in chunks {
            store.insert(table, chunk);
        }
    }

    fn fail(&self, text: &str) -> Result<(), WriteError> {
        self.failures.send_modify(|count| *count += 1);
        Err(WriteError::Retryable(text.to_owned()))
    }

    async fn answered(
        &self,
        table: &'static TableSpec,
        chunks: &[Bytes],
    ) -> Result<(), WriteError> {
        let mut answer = self.answer.subscribe();
        let now = *answer.borrow_and_update();
        if now == Answer::Stalled {
            self.stalled.send_modify(|calls| *calls += 1);
            answer.wait_for(|answer| *answer != Answer::Stalled).await.unwrap();
            self.stalled.send_modify(|calls| *calls -= 1);
        }
        let now = *answer.borrow();
        match now {
            Answer::Failing => return self.fail("too busy"),
            Answer::Lost => {
                self.keep(table, chunks);
                return self.fail("the answer was lost");
            }
            Answer::Refused(name) if name == table.name => {
                return Err(WriteError::Permanent("no such column".to_owned()));
            }
            Answer::Stored | Answer::Stalled | Answer::Refused(_) => self.keep(table, chunks),
        }
        Ok(())
    }
}

impl TableWriter for MemoryTables {
    async fn write(
        &self,
        table: &'static TableSpec,
        chunks: Vec<Bytes>,
        count: u64,
    ) -> Result<(), WriteError> {
        assert!(count > 0, "no empty insert");
        let bytes: usize = chunks.iter().map(Bytes::len).sum();
        let now = self.under_way.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.most_under_way.fetch_max(now, Ordering::Relaxed);
        let answer = self.answered(table, &chunks).await;
        self.under_way.fetch_sub(bytes, Ordering::Relaxed);
        answer
    }
}

/// The clock of most tests: all input is of the past.
pub fn clock() -> Arc<dyn Clock> {
    let year_2100 = 4_102_444_800_000;
    Arc::new(FakeClock(year_2100.into()))
}
