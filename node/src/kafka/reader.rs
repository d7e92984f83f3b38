//! The consumer thread: polls, batches, hands over, commits. It never waits for the ingest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use naap_protocol::state::SourcePartition;
use naap_protocol::time::Timestamp;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::assignment::list;
use super::batch::{Batches, Read};
use super::client::Context;
use super::error::{KafkaError, Names};
use super::handover::{Handover, Outbox};
use super::headers;
use super::names;
use super::partition::{Partition, Phase};
use super::{Applied, StartOffset, Wanted};
use crate::config::Reset;

/// Longest wait for a record; other duties are looked at in between.
const POLL: Duration = Duration::from_millis(100);
/// Longest wait for the answer of a broker.
pub(super) const QUERY: Duration = Duration::from_secs(5);
/// The same where the question is asked again anyway, and other partitions have to be read meanwhile.
pub(super) const BRIEF: Duration = Duration::from_secs(2);
/// Wait for room before partitions are paused: pausing throws away what was fetched ahead.
const GRACE: Duration = Duration::from_millis(100);
/// Longest wait for room between two polls.
const PARK: Duration = Duration::from_millis(20);
/// Pause between two commits.
const COMMIT: Duration = Duration::from_secs(1);
/// An error of the client that repeats is told once in this time.
const QUIET: Duration = Duration::from_secs(10);
/// Longest wait for the group to let us go.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the thread needs of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Start of each topic without a committed offset.
    pub resets: BTreeMap<String, Reset>,
    /// Bytes of a round.
    pub round_bytes: usize,
    /// Most of the headers that is read.
    pub headers: headers::Limits,
    /// Longest wait at the end for what was handed over to be applied.
    pub drain: Duration,
}

impl Settings {
    pub fn reset(&self, topic: &str) -> Reset {
        self.resets.get(topic).copied().unwrap_or(Reset::Earliest)
    }
}

/// The thread.
pub(super) struct Reader {
    pub consumer: BaseConsumer<Context>,
    pub settings: Settings,
    pub names: Names,
    pub start_offset: StartOffset,
    pub applied: Applied,
    pub out: Outbox,
    pub stop: Arc<AtomicBool>,
    /// What shards want.
    pub rereads: Wanted,
    /// What could not be read again yet.
    pub again: Vec<(SourcePartition, u64)>,
    /// What the group has assigned.
    pub partitions: Vec<Partition>,
    /// Assigned, but their position is not found yet.
    pub waiting: Vec<SourcePartition>,
    /// What the group takes away.
    pub revocation: Option<Vec<SourcePartition>>,
    /// Reading met offsets that Kafka does not hold.
    pub relocate: bool,
    pub paused: bool,
    batches: Batches,
    /// Index of the partition of the last record.
    hit: usize,
    full_since: Option<Instant>,
    next_commit: Instant,
    stopping: bool,
    refreshed: usize,
    /// The error of the client that was told last, and when.
    told: Option<(RDKafkaErrorCode, Instant)>,
}

impl Reader {
    pub fn new(
        consumer: BaseConsumer<Context>,
        settings: Settings,
        names: Names,
        start_offset: StartOffset,
        (applied, rereads): (Applied, Wanted),
        out: Outbox,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            batches: Batches::new(settings.round_bytes),
            consumer,
            settings,
            names,
            start_offset,
            applied,
            out,
            stop,
            rereads,
            again: Vec::new(),
            partitions: Vec::new(),
            waiting: Vec::new(),
            revocation: None,
            relocate: false,
            paused: false,
            hit: 0,
            full_since: None,
            next_commit: Instant::now() + COMMIT,
            stopping: false,
            refreshed: 0,
            told: None,
        }
    }

    /// Makes sure that brokers answer and that every topic is there, then joins the group.
    pub fn join(&mut self) -> Result<(), KafkaError> {
        for topic in &self.names.topics {
            let answer = self.consumer.fetch_metadata(Some(topic), QUERY);
            let metadata = answer.map_err(|error| {
                // Log lines that name the cause are delivered by polls.
                drop(self.consumer.poll(POLL));
                let trouble = self.consumer.context().trouble();
                KafkaError::Unreachable {
                    brokers: self.names.brokers.clone(),
                    reason: trouble.unwrap_or_else(|| error.to_string()),
                }
            })?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            let code = found.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from);
            if let Some(error) = code.and_then(|code| self.names.topic(topic, code)) {
                return Err(error);
            }
        }
        let topics: Vec<_> = self.names.topics.iter().map(String::as_str).collect();
        self.consumer.subscribe(&topics).map_err(|e| KafkaError::Settings(e.to_string()))
    }

    /// Reads until told to stop, or until a failure that does not pass. Where nobody waits for the end any more
    /// what was handed over will not be applied: others are to have the partitions at once.
    pub fn run(mut self, is_awaited: impl Fn() -> bool) -> Result<(), KafkaError> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                self.begin_stop();
            } else {
                self.group_events()?;
            }
            self.hear_shards();
            self.read()?;
            let handed = self.hand_over();
            if self.stopping && (handed.is_err() || !is_awaited() || self.may_stop()) {
                self.leave();
                return Ok(());
            }
            handed?;
            if !self.stopping {
                self.end_revocation();
            }
            if Instant::now() >= self.next_commit {
                self.next_commit = Instant::now() + COMMIT;
                self.every_second()?;
            }
        }
    }

    /// One round: what is there now. While the ingest has too much in hand only events are served.
    fn read(&mut self) -> Result<(), KafkaError> {
        if !self.out.is_empty() && !self.paused {
            return Ok(());
        }
        let mut wait = match (self.stopping, self.paused) {
            // Nothing comes any more, but waiting for what is applied must not spin.
            (true, _) => PARK,
            (false, true) => Duration::ZERO,
            (false, false) => POLL,
        };
        while self.batches.has_room() {
            // Taken apart, because the message borrows the consumer.
            let Self { consumer, partitions, hit, settings, batches, .. } = self;
            match consumer.poll(wait) {
                Some(Ok(message)) => record(partitions, hit, settings, batches, &message),
                Some(Err(error)) => self.client_error(&error)?,
                None => break,
            }
            wait = Duration::ZERO;
        }
        for batch in self.batches.take() {
            self.out.push(Handover::Batch(batch));
        }
        Ok(())
    }

    fn client_error(&mut self, error: &ClientError) -> Result<(), KafkaError> {
        let Some(code) = error.rdkafka_error_code() else { return Ok(()) };
        if let Some(lasting) = self.names.lasting(code) {
            return Err(lasting);
        }
        if let Some((code, reason)) = self.consumer.client().fatal_error() {
            return Err(KafkaError::Fatal(format!("{code}: {reason}")));
        }
        match code {
            RDKafkaErrorCode::PartitionEOF => return Ok(()),
            RDKafkaErrorCode::AutoOffsetReset
            | RDKafkaErrorCode::OffsetOutOfRange
            | RDKafkaErrorCode::LogTruncation => self.relocate = true,
            _ => {}
        }
        metrics::counter!(names::ERRORS, "code" => format!("{code:?}")).increment(1);
        // While brokers are away the same error comes ten times a second.
        let now = Instant::now();
        if self.told.is_none_or(|(told, at)| told != code || now >= at + QUIET) {
            self.told = Some((code, now));
            tracing::warn!(%error, "the Kafka client reports an error; it tries again");
        }
        Ok(())
    }

    /// Hands over what there is room for; pauses when there has been none for a while.
    fn hand_over(&mut self) -> Result<(), KafkaError> {
        self.out.flush()?;
        if self.out.is_empty() {
            self.full_since = None;
            if self.paused {
                self.resume();
            }
            return Ok(());
        }
        let since = *self.full_since.get_or_insert_with(Instant::now);
        if !self.paused && since.elapsed() >= GRACE {
            self.paused = true;
            self.pause(&self.reading());
            tracing::debug!("too much in hand: Kafka partitions are paused");
        }
        // The feed wakes us when it has taken something.
        std::thread::park_timeout(PARK);
        self.out.flush()
    }

    fn reading(&self) -> TopicPartitionList {
        list(self.partitions.iter().filter(|p| p.phase == Phase::Reading).map(|p| &p.source))
    }

    pub(super) fn pause(&self, partitions: &TopicPartitionList) {
        if let Err(error) = self.consumer.pause(partitions) {
            tracing::warn!(%error, "partitions were not paused");
        }
    }

    fn resume(&mut self) {
        if self.stopping {
            return;
        }
        self.paused = false;
        if let Err(error) = self.consumer.resume(&self.reading()) {
            tracing::warn!(%error, "partitions were not resumed");
        }
    }

    fn every_second(&mut self) -> Result<(), KafkaError> {
        let confirmed = self.consumer.context().take_committed();
        for partition in &mut self.partitions {
            let offset = confirmed.get(&partition.source).copied().unwrap_or(0);
            partition.committed = partition.committed.max(offset);
        }
        // A failure is counted and told; the next second tries again.
        drop(self.commit(CommitMode::Async));
        if !self.waiting.is_empty() && !self.stopping {
            self.start_waiting()?;
        }
        if self.relocate {
            self.relocate();
        }
        self.look_ahead();
        self.measure();
        Ok(())
    }

    fn measure(&mut self) {
        let ends = self.consumer.context().take_ends();
        for partition in &mut self.partitions {
            if let Some(&end) = ends.get(&partition.source) {
                partition.end = partition.end.max(end);
            }
        }
        // What is paused is not fetched, and its end not heard of: ask, one partition at a time.
        if self.paused && !self.partitions.is_empty() {
            self.refreshed = (self.refreshed + 1) % self.partitions.len();
            let source = self.partitions[self.refreshed].source.clone();
            if let Ok((_, end)) = self.watermarks(&source, POLL) {
                self.partitions[self.refreshed].end = end;
            }
        }
        let applied = self.applied.borrow();
        for partition in &self.partitions {
            let lag = partition.lag(applied.get(&partition.source).copied());
            lag_gauge(&partition.source).set(lag as f64);
        }
        let count = |phase| self.partitions.iter().filter(|p| p.phase == phase).count() as f64;
        metrics::gauge!(names::ASSIGNED).set(self.partitions.len() as f64);
        metrics::gauge!(names::STOPPED).set(count(Phase::Stopped));
        let paused = if self.paused { count(Phase::Reading) } else { 0.0 };
        metrics::gauge!(names::PAUSED).set(paused);
    }

    /// Reads no further.
    fn begin_stop(&mut self) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        self.paused = true;
        self.waiting.clear();
        self.pause(&self.reading());
        let until = Instant::now() + self.settings.drain;
        for partition in &mut self.partitions {
            if partition.phase == Phase::Reading {
                partition.phase = Phase::Leaving(until);
            }
        }
    }

    fn may_stop(&self) -> bool {
        let (applied, now) = (self.applied.borrow(), Instant::now());
        self.partitions.iter().all(|p| p.may_leave(applied.get(&p.source).copied(), now))
    }

    /// Commits for the last time and leaves the group, so that its partitions move at once.
    fn leave(&mut self) {
        // A failure is counted and told; the state log knows the offsets too.
        drop(self.commit(CommitMode::Sync));
        self.answer_rest();
        self.consumer.unsubscribe();
        let until = Instant::now() + FAREWELL;
        let held =
            |consumer: &BaseConsumer<Context>| consumer.assignment().map_or(0, |a| a.count());
        while held(&self.consumer) > 0 && Instant::now() < until {
            drop(self.consumer.poll(PARK));
        }
        // The farewell itself is sent by the client's own thread after the last partition.
        drop(self.consumer.poll(POLL));
    }

    /// Answers what the group has asked for, and from now on everything at once: a client that
    /// waits for an answer can not be closed.
    fn answer_rest(&mut self) {
        self.consumer.context().close();
        if let Some(going) = self.revocation.take() {
            self.give_up(&going);
        }
        while let Some(event) = self.consumer.context().next_event() {
            match event {
                super::client::GroupEvent::Assigned(_) => {
                    drop(self.consumer.incremental_assign(&TopicPartitionList::new()));
                }
                super::client::GroupEvent::Revoked { partitions, .. } => self.give_up(&partitions),
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.answer_rest();
        // What this reader does not read any more does not lag here.
        for partition in &self.partitions {
            lag_gauge(&partition.source).set(0.0);
        }
        for name in [names::ASSIGNED, names::STOPPED, names::PAUSED] {
            metrics::gauge!(name).set(0.0);
        }
    }
}

/// Takes a record into the round, unless its partition is not read (any more).
fn record(
    partitions: &mut [Partition],
    hit: &mut usize,
    settings: &Settings,
    batches: &mut Batches,
    message: &BorrowedMessage<'_>,
) {
    let is = |p: &Partition| {
        p.source.partition as i32 == message.partition() && p.source.topic == message.topic()
    };
    if !partitions.get(*hit).is_some_and(is) {
        let Some(found) = partitions.iter().position(is) else { return };
        *hit = found;
    }
    let partition = &mut partitions[*hit];
    let offset = message.offset().unsigned_abs();
    if partition.phase != Phase::Reading || offset < partition.next {
        return;
    }
    partition.next = offset + 1;
    let mut record_ts = message.timestamp().to_millis().map(Timestamp);
    if partition.source.topic == headers::REPLAY_TOPIC
        && let Some(found) = message.headers()
    {
        let found = headers::read(found, settings.headers);
        metrics::counter!(names::HEADERS_DROPPED).increment(found.dropped as u64);
        record_ts = found.original.or(record_ts);
    }
    batches.push(&partition.source, Read { offset, record_ts, value: message.payload() });
}

pub(super) fn lag_gauge(source: &SourcePartition) -> metrics::Gauge {
    let SourcePartition { topic, partition } = source;
    metrics::gauge!(names::LAG, "topic" => topic.clone(), "partition" => partition.to_string())
}
