//! The thread that reads the partitions of the shards that are followed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use naap_actors::ownership::{Ledger, Opening, Record};
use naap_actors::ports::{Heard, Told};
use naap_protocol::codec;
use naap_protocol::state::Progress;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::key::{Key, Kind};
use super::mirror::{Found, Mirror};
use super::writer::{Pending, Writer};
use super::{Leftover, names};
use crate::disk;
use crate::kafka::client::Context;

/// Longest wait for a record; commands are looked at in between.
const POLL: Duration = Duration::from_millis(20);
/// Longest wait for the first answer of a broker.
const WARM_UP: Duration = Duration::from_secs(2);
/// Snapshots that are taken in together.
const BATCH: usize = 1000;
/// Longest wait for the end of a partition, which else shows itself.
const END: Duration = Duration::from_secs(1);
/// Pause between two lines about a restore.
const TELL: Duration = Duration::from_secs(2);

/// What the thread is asked for.
pub(super) enum Command {
    Follow(u16, Told),
    Unfollow(u16),
}

/// A partition that is read.
struct Follow {
    told: Told,
    ledger: Ledger<()>,
    /// This node's opening, from when it was read back as the holder until another holds.
    mine: Option<Opening>,
    caught_up: bool,
    /// The end of the partition when `mine` was read, until it is passed: from then on the shard runs.
    until: Option<i64>,
    found: Vec<Found>,
    /// Earlier openings whose claim is still in the topic.
    claims: BTreeSet<Opening>,
}

/// The thread.
pub(super) struct Tail {
    pub consumer: BaseConsumer<Context>,
    pub topic: String,
    pub node: Arc<str>,
    pub incarnation: u64,
    pub commands: Receiver<Command>,
    pub mirror: Arc<Mirror>,
    pub writer: Arc<Writer>,
    pub leftovers: Leftover,
    /// Bytes of snapshots restored per second at most.
    pub rate: f64,
    pub stop: Arc<AtomicBool>,
}

/// What the thread keeps in mind.
struct State {
    follows: BTreeMap<u16, Follow>,
    /// Bytes that may be restored now.
    credit: f64,
    refilled: Instant,
    held_back: bool,
    restored: u64,
    told: Instant,
    tombstones: Arc<Pending>,
}

impl Tail {
    /// Reads until the log is dropped.
    pub fn run(self) {
        self.warm_up();
        let now = Instant::now();
        let mut state = State {
            follows: BTreeMap::new(),
            credit: self.rate,
            refilled: now,
            held_back: false,
            restored: 0,
            told: now,
            tombstones: Arc::default(),
        };
        while !self.stop.load(Ordering::Relaxed) {
            loop {
                match self.commands.try_recv() {
                    Ok(command) => self.command(&mut state, command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.pace(&mut state);
            let mut wait = POLL;
            for _ in 0..BATCH {
                match self.consumer.poll(wait) {
                    Some(Ok(message)) => {
                        self.message(&mut state, &message);
                        if let Ok(shard) = u16::try_from(message.partition()) {
                            self.passed(&mut state, shard, message.offset() + 1);
                        }
                    }
                    Some(Err(error)) => self.error(&mut state, &error),
                    None => break,
                }
                wait = Duration::ZERO;
            }
            let partitions: Vec<u16> = state.follows.keys().copied().collect();
            for shard in partitions {
                self.flush(&mut state, shard);
            }
        }
    }

    /// Connects, and learns who leads the partitions: without, the first shards that are followed wait
    /// for it in steps of half a second.
    fn warm_up(&self) {
        if let Err(error) = self.consumer.fetch_watermarks(&self.topic, 0, WARM_UP) {
            tracing::debug!(%error, "the state log does not answer yet");
        }
    }

    fn list(&self, shards: impl IntoIterator<Item = u16>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for shard in shards {
            // Ignored by everything but an assignment. Compaction never moves the beginning, and to ask
            // for it takes longer than to read; if it is gone the client goes to what there is.
            drop(list.add_partition_offset(&self.topic, i32::from(shard), Offset::Offset(0)));
        }
        list
    }

    fn command(&self, state: &mut State, command: Command) {
        match command {
            Command::Follow(shard, told) => {
                if let Err(error) = self.mirror.clear(shard) {
                    told(mirror_failed(shard, &error));
                    return;
                }
                if let Err(error) = self.consumer.incremental_assign(&self.list([shard])) {
                    told(Heard::Failed(format!("shard {shard} can not be read: {error}")));
                    return;
                }
                let follow = Follow {
                    told,
                    ledger: Ledger::default(),
                    mine: None,
                    caught_up: false,
                    until: None,
                    found: Vec::new(),
                    claims: BTreeSet::new(),
                };
                state.follows.insert(shard, follow);
                // A partition that was let go while it was paused is paused still.
                let list = self.list([shard]);
                let paced = if state.held_back {
                    self.consumer.pause(&list)
                } else {
                    self.consumer.resume(&list)
                };
                if let Err(error) = paced {
                    tracing::warn!(shard, %error, "a restore was not paced");
                }
            }
            Command::Unfollow(shard) => {
                if state.follows.remove(&shard).is_none() {
                    return;
                }
                if let Err(error) = self.consumer.incremental_unassign(&self.list([shard])) {
                    tracing::warn!(shard, %error, "a partition of the state log was not let go");
                }
                if let Err(error) = self.mirror.clear(shard) {
                    tracing::warn!(shard, %error, "the mirror of a shard was not cleared");
                }
            }
        }
    }

    /// Holds restores back when they take more than their share; says how far they are.
    fn pace(&self, state: &mut State) {
        let restoring: Vec<u16> =
            state.follows.iter().filter(|(_, f)| !f.caught_up).map(|(&shard, _)| shard).collect();
        metrics::gauge!(names::RESTORING).set(restoring.len() as f64);
        let now = Instant::now();
        let since = now.duration_since(state.refilled).as_secs_f64();
        state.refilled = now;
        state.credit = (state.credit + since * self.rate).min(self.rate);
        let hold =
            if state.held_back { state.credit < self.rate / 2.0 } else { state.credit < 0.0 };
        if hold != state.held_back {
            let list = self.list(restoring.iter().copied());
            let done = if hold { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
            if let Err(error) = done {
                tracing::warn!(%error, "a restore was not paced");
            }
            state.held_back = hold;
        }
        if !restoring.is_empty() && now.duration_since(state.told) >= TELL {
            state.told = now;
            let (shards, bytes) = (restoring.len(), state.restored);
            tracing::info!(shards, bytes, "restoring shards from the state log");
        }
    }

    fn error(&self, state: &mut State, error: &ClientError) {
        if let ClientError::PartitionEOF(partition) = error {
            let Ok(shard) = u16::try_from(*partition) else { return };
            self.flush(state, shard);
            if let Some(follow) = state.follows.get_mut(&shard).filter(|f| !f.caught_up) {
                follow.caught_up = true;
                (follow.told)(Heard::CaughtUp);
            }
            self.passed(state, shard, i64::MAX);
            return;
        }
        let code = error.rdkafka_error_code();
        let lasting = [
            RDKafkaErrorCode::UnknownTopic,
            RDKafkaErrorCode::UnknownPartition,
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::TopicAuthorizationFailed,
        ];
        if code.is_some_and(|code| lasting.contains(&code)) {
            for follow in state.follows.values() {
                let reason = format!("the state log {} can not be read: {error}", self.topic);
                (follow.told)(Heard::Failed(reason));
            }
            return;
        }
        tracing::debug!(%error, "the state log's client reports an error; it tries again");
    }

    fn message(&self, state: &mut State, message: &BorrowedMessage<'_>) {
        let Ok(shard) = u16::try_from(message.partition()) else { return };
        let Some(follow) = state.follows.get_mut(&shard) else { return };
        let bytes = message.payload_len() + message.key_len();
        if !follow.caught_up {
            state.credit -= bytes as f64;
            state.restored += bytes as u64;
            metrics::counter!(names::RESTORED).increment(bytes as u64);
        }
        let key = match Key::decode(message.key().unwrap_or_default()) {
            Ok(key) => key,
            Err(error) => {
                let offset = message.offset();
                (follow.told)(Heard::Failed(format!(
                    "state log {}/{shard} offset {offset}: {error}",
                    self.topic
                )));
                return;
            }
        };
        let frame = message.payload().map(<[u8]>::to_vec);
        if let Kind::Snapshot(entity) = key.kind {
            self.snapshot(state, shard, Found { entity, author: key.author, frame });
            return;
        }
        // A tombstone of a claim: it is void already.
        let Some(frame) = frame else { return };
        self.flush(state, shard);
        self.record(state, shard, key, &frame);
    }

    fn snapshot(&self, state: &mut State, shard: u16, found: Found) {
        let Some(follow) = state.follows.get_mut(&shard) else { return };
        if follow.mine.as_ref() == Some(&found.author) {
            if found.frame.is_some() {
                self.remove_leftovers(state, shard, found.entity);
            }
            return;
        }
        follow.found.push(found);
        if follow.found.len() >= BATCH {
            self.flush(state, shard);
        }
    }

    fn is_mine(&self, author: &Opening) -> bool {
        author.node == self.node && author.incarnation == self.incarnation
    }

    /// This node's own state was read back: those of earlier openings may go.
    fn remove_leftovers(&self, state: &State, shard: u16, entity: u128) {
        let mut all = self.leftovers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for author in all.remove(&(shard, entity)).into_iter().flatten() {
            self.remove(state, shard, &Key { kind: Kind::Snapshot(entity), author });
        }
    }

    fn remove(&self, state: &State, shard: u16, key: &Key) {
        // What is not removed now is removed by the next opening.
        if let Err(error) = self.writer.send(shard, &key.encode(), None, &state.tombstones) {
            tracing::warn!(shard, %error, "an old record of the state log was not removed");
        }
    }

    fn record(&self, state: &mut State, shard: u16, key: Key, frame: &[u8]) {
        let Some(follow) = state.follows.get_mut(&shard) else { return };
        let Key { kind, author } = key;
        let record = match kind {
            Kind::Open => Record::Open(author.clone()),
            Kind::Close => Record::Close(author.clone()),
            _ => match codec::decode::<Progress>(frame) {
                Ok(progress) => Record::Progress(author.clone(), progress),
                Err(error) => {
                    (follow.told)(Heard::Failed(format!("the claim of shard {shard}: {error}")));
                    return;
                }
            },
        };
        let counts = follow.ledger.read(match &record {
            Record::Open(open) => Record::Open(open.clone()),
            Record::Close(open) => Record::Close(open.clone()),
            Record::Progress(open, _) => Record::Progress(open.clone(), ()),
        });
        if kind == Kind::Open && counts {
            // What an earlier life of this process has opened is history like any other.
            follow.mine =
                Some(author.clone()).filter(|_| follow.caught_up && self.is_mine(&author));
            follow.until = follow.mine.as_ref().map(|_| self.end(shard));
        }
        if kind == Kind::Progress {
            if counts && follow.mine.as_ref() == Some(&author) {
                let claims = std::mem::take(&mut follow.claims);
                for author in claims {
                    self.remove(state, shard, &Key { kind, author });
                }
            } else {
                follow.claims.insert(author);
            }
        }
        if let Some(follow) = state.follows.get(&shard) {
            (follow.told)(Heard::Record(record));
        }
    }

    /// What is the end of a partition now; if nobody says, the end that is met.
    fn end(&self, shard: u16) -> i64 {
        self.writer.end(shard, END).unwrap_or_else(|error| {
            tracing::debug!(shard, %error, "the end of the state log is not told");
            i64::MAX
        })
    }

    /// Everything before offset `next` of the shard was read.
    fn passed(&self, state: &mut State, shard: u16, next: i64) {
        let until = state.follows.get(&shard).and_then(|follow| follow.until);
        if until.is_none_or(|until| next < until) {
            return;
        }
        self.flush(state, shard);
        if let Some(follow) = state.follows.get_mut(&shard) {
            follow.until = None;
            (follow.told)(Heard::CaughtUp);
        }
    }

    /// Takes in the snapshots read so far: whatever is told next may rest on them.
    fn flush(&self, state: &mut State, shard: u16) {
        let Some(follow) = state.follows.get_mut(&shard).filter(|f| !f.found.is_empty()) else {
            return;
        };
        let runs = follow.mine.is_some() && follow.until.is_none();
        let found = std::mem::take(&mut follow.found);
        if let Err(error) = self.mirror.take(shard, found, runs) {
            (follow.told)(mirror_failed(shard, &error));
        }
    }
}

/// The mirror of a shard can not be written.
fn mirror_failed(shard: u16, error: &impl std::fmt::Display) -> Heard {
    Heard::Failed(disk::with_remedy(format!("the mirror of shard {shard}: {error}")))
}
