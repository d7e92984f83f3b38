//! The state log of a cluster: one compacted topic, a partition for each shard (design.md, state log).
//!
//! What is appended is acknowledged by all in-sync replicas. A thread of its own reads every partition
//! that is followed: it mirrors the snapshots into an embedded store, tells the records about
//! ownership, and removes records of earlier openings once this node has read back its own.

mod key;
mod mirror;
mod names;
mod tail;
pub(super) mod topic;
mod writer;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use naap_actors::ownership::Opening;
use naap_actors::ports::{StateLog, StateLogError, StateRecord, Told};
use naap_protocol::codec::{self, TraceContext};
use naap_protocol::identity::EntityId;
use naap_protocol::state::EpochOpen;

use super::client::{self, Context};
use super::error::KafkaError;
use crate::config::Config;
use crate::disk;
use key::{Key, Kind};
use mirror::Mirror;
use tail::{Command, Tail};
use writer::{Pending, Writer};

/// Earlier openings with a record of an entity that this node is about to replace.
type Leftover = Arc<Mutex<HashMap<(u16, u128), Vec<Opening>>>>;

/// The state log in Kafka.
pub struct KafkaStateLog {
    node: Arc<str>,
    incarnation: u64,
    writer: Arc<Writer>,
    mirror: Arc<Mirror>,
    commands: mpsc::Sender<Command>,
    leftovers: Leftover,
    stop: Arc<AtomicBool>,
    /// Of that many shards nothing had been written when it was opened.
    unknown: u16,
    shards: u16,
}

impl std::fmt::Debug for KafkaStateLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaStateLog").field("node", &self.node).finish_non_exhaustive()
    }
}

impl KafkaStateLog {
    /// Makes or checks the topic, and starts to serve boot `incarnation` of this node. The mirror goes
    /// into folder `dir`.
    ///
    /// # Errors
    /// When no broker answers, the topic is refused or not what it must be, or the folder can not be
    /// used.
    pub async fn open(config: &Config, dir: &Path, incarnation: u64) -> Result<Self, KafkaError> {
        let shards = config.cluster.shards as u16;
        let found = topic::ensure(config, shards).await?;
        let node = config.node.name.as_str();
        let topic = config.state_log.topic.as_str();
        let settings = |e: rdkafka::error::KafkaError| KafkaError::Settings(e.to_string());
        let connection = client::connection(&config.kafka, node)?;
        let writer = Arc::new(Writer::new(connection.clone(), topic).map_err(settings)?);
        let mirror = Mirror::create(dir).map_err(|e| KafkaError::Mirror(e.to_string()))?;
        let mirror = Arc::new(mirror);
        let (commands, receiver) = mpsc::channel();
        let (leftovers, stop) = (Leftover::default(), Arc::new(AtomicBool::new(false)));
        let tail = Tail {
            consumer: consumer(connection)
                .create_with_context(Context::default())
                .map_err(settings)?,
            topic: topic.to_owned(),
            node: node.into(),
            incarnation,
            commands: receiver,
            mirror: Arc::clone(&mirror),
            writer: Arc::clone(&writer),
            leftovers: Arc::clone(&leftovers),
            rate: config.state_log.restore_rate.0 as f64,
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::Builder::new().name("naap-state".to_owned());
        thread.spawn(move || tail.run()).map_err(|e| KafkaError::Thread(e.to_string()))?;
        let (node, unknown) = (node.into(), found.unknown);
        Ok(Self { node, incarnation, writer, mirror, commands, leftovers, stop, unknown, shards })
    }

    /// Nothing had ever been written to the topic when it was opened.
    pub fn is_empty(&self) -> bool {
        self.unknown == self.shards
    }

    /// Something of every shard had: in which epoch each was open last can be read.
    pub fn knows_every_shard(&self) -> bool {
        self.unknown == 0
    }

    fn send(&self, command: Command) -> Result<(), StateLogError> {
        let ended = |_| StateLogError("the thread that reads the state log has ended".to_owned());
        self.commands.send(command).map_err(ended)
    }

    fn author(&self, epoch: u64) -> Opening {
        Opening { epoch, node: Arc::clone(&self.node), incarnation: self.incarnation }
    }

    /// Notes who else has a record of the entity, before this node's own can be read back.
    fn expect_back(&self, shard: u16, entity: EntityId) -> Result<(), StateLogError> {
        let authors = self.mirror.authors(shard, entity.0).map_err(failed)?;
        if !authors.is_empty() {
            let mut all = self.leftovers.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert((shard, entity.0), authors);
        }
        Ok(())
    }

    fn write(&self, record: &StateRecord, pending: &Arc<Pending>) -> Result<(), StateLogError> {
        let trace = TraceContext::default();
        let opened = |shard: u16, kind: Kind, open: &EpochOpen| {
            let frame = codec::encode(open, trace).map_err(failed)?;
            Ok((shard, Key { kind, author: open.clone().into() }, frame))
        };
        let (shard, key, frame) = match record {
            StateRecord::Open { shard, open } => opened(*shard, Kind::Open, open)?,
            StateRecord::Close { shard, open } => opened(*shard, Kind::Close, open)?,
            StateRecord::Progress { shard, epoch, progress } => {
                let frame = codec::encode(progress, trace).map_err(failed)?;
                (*shard, Key { kind: Kind::Progress, author: self.author(*epoch) }, frame)
            }
            StateRecord::Forget { shard, epoch, entity } => {
                return self.forget((*shard, *epoch, *entity), pending);
            }
            StateRecord::Snapshot { shard, epoch, entity, frame } => {
                self.expect_back(*shard, *entity)?;
                let key = Key { kind: Kind::Snapshot(entity.0), author: self.author(*epoch) };
                return self.writer.send(*shard, &key.encode(), Some(frame), pending);
            }
        };
        self.writer.send(shard, &key.encode(), Some(&frame), pending)
    }

    /// Removes every record of an entity: this node's own, and those of earlier openings.
    fn forget(
        &self,
        (shard, epoch, entity): (u16, u64, EntityId),
        pending: &Arc<Pending>,
    ) -> Result<(), StateLogError> {
        let earlier = self.mirror.authors(shard, entity.0).map_err(failed)?;
        for author in earlier.into_iter().chain([self.author(epoch)]) {
            let key = Key { kind: Kind::Snapshot(entity.0), author };
            self.writer.send(shard, &key.encode(), None, pending)?;
        }
        Ok(())
    }
}

impl Drop for KafkaStateLog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Settings of the consumer: every partition from its beginning, and the end of each is told.
fn consumer(mut client: rdkafka::ClientConfig) -> rdkafka::ClientConfig {
    let settings = [
        // Never joins a group; the client wants a name all the same.
        ("group.id", "naap.state-log"),
        ("enable.auto.commit", "false"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "earliest"),
        ("fetch.wait.max.ms", "100"),
        ("queued.max.messages.kbytes", "16384"),
        ("fetch.queue.backoff.ms", "20"),
    ];
    for (key, value) in settings {
        client.set(key, value);
    }
    client
}

impl StateLog for KafkaStateLog {
    fn follow(&self, shard: u16, told: Told) -> Result<(), StateLogError> {
        self.send(Command::Follow(shard, told))
    }

    fn unfollow(&self, shard: u16) {
        // A thread that has ended follows nothing.
        drop(self.send(Command::Unfollow(shard)));
    }

    fn entity(&self, shard: u16, entity: EntityId) -> Result<Option<Vec<u8>>, StateLogError> {
        self.mirror.entity(shard, entity).map_err(failed)
    }

    fn entities(
        &self,
        shard: u16,
        each: &mut dyn FnMut(EntityId, &[u8]),
    ) -> Result<(), StateLogError> {
        self.mirror.entities(shard, each).map_err(failed)
    }

    fn append(&self, records: Vec<StateRecord>) -> Result<(), StateLogError> {
        let pending = Arc::new(Pending::default());
        for record in &records {
            self.write(record, &pending)?;
        }
        let states = records.iter().filter_map(|record| match record {
            StateRecord::Snapshot { shard, entity, frame, .. } => {
                Some((*shard, *entity, Some(frame.as_slice())))
            }
            StateRecord::Forget { shard, entity, .. } => Some((*shard, *entity, None)),
            _ => None,
        });
        // Ahead of the brokers: if they refuse, the shards are opened anew, and with them the mirror.
        self.mirror.own(states).map_err(failed)?;
        pending.wait()
    }
}

fn failed(error: impl std::fmt::Display) -> StateLogError {
    StateLogError(disk::with_remedy(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_comes_with_the_remedy() {
        // As the store of the mirror says it.
        let full = redb::StorageError::Io(std::io::Error::from_raw_os_error(28));
        let StateLogError(said) = failed(redb::CommitError::from(full));
        assert!(said.contains("No space left on device"), "{said}");
        assert!(said.contains("free some space"), "{said}");
    }
}
