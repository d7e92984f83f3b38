//! Partitions come and go: where to start, when to let go.

use std::time::{Duration, Instant};

use naap_actors::ingest::Wants;
use naap_protocol::state::SourcePartition;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::batch;
use super::client::{GroupEvent, commit_failed};
use super::error::KafkaError;
use super::handover::Handover;
use super::names;
use super::partition::{Partition, Phase};
use super::reader::{BRIEF, QUERY, Reader};
use super::start::{APPLIED, BeyondEnd, Known, Start, start};

/// Longest wait for what was handed over to be applied when a partition is taken away.
const LEAVE: Duration = Duration::from_secs(5);

/// Where a partition starts and where it ends.
type Located = (Result<Start, BeyondEnd>, u64);

impl Reader {
    /// Answers the changes that the group asks for, one after the other.
    pub(super) fn group_events(&mut self) -> Result<(), KafkaError> {
        while self.revocation.is_none() {
            match self.consumer.context().next_event() {
                Some(GroupEvent::Assigned(partitions)) => {
                    tracing::info!(partitions = ?show(&partitions), "Kafka partitions assigned");
                    self.waiting.extend(partitions);
                    self.start_waiting()?;
                }
                Some(GroupEvent::Revoked { partitions, lost }) => {
                    tracing::info!(partitions = ?show(&partitions), lost, "Kafka partitions revoked");
                    self.revoke(partitions, lost);
                }
                None => break,
            }
        }
        Ok(())
    }

    /// Starts every waiting partition whose position can be found; the others stay. The group gets
    /// its answer in any case.
    pub(super) fn start_waiting(&mut self) -> Result<(), KafkaError> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut begun = TopicPartitionList::new();
        let (located, missing) = match self.locate(&waiting) {
            Ok(found) => found,
            Err(error) => (Vec::new(), Some(error)),
        };
        let found = located.len();
        for (source, (outcome, end)) in waiting.iter().zip(located) {
            self.begin(source.clone(), outcome, end, &mut begun)?;
        }
        if let Some(error) = missing {
            if let Some(lasting) = error.rdkafka_error_code().and_then(|c| self.names.lasting(c)) {
                return Err(lasting);
            }
            tracing::warn!(%error, "start positions were not found; asking again");
            // The one that was not found is asked for last: those behind it may have an answer.
            self.waiting.extend_from_slice(&waiting[found..]);
            self.waiting.rotate_left(1);
        }
        let assigned = self.consumer.incremental_assign(&begun);
        assigned.map_err(|e| KafkaError::Fatal(format!("partitions were not assigned: {e}")))?;
        self.settle_pause(&begun);
        Ok(())
    }

    /// Pauses partitions that were just assigned if all are, else resumes them: the client remembers
    /// that a partition was paused when it was taken away, and would never read it again.
    fn settle_pause(&self, begun: &TopicPartitionList) {
        if self.paused {
            self.pause(begun);
        } else if let Err(error) = self.consumer.resume(begun) {
            tracing::warn!(%error, "partitions were not resumed");
        }
    }

    /// Finds the start of the partitions in `sources`, up to one whose broker does not answer, and commits
    /// what it has found.
    fn locate(
        &mut self,
        sources: &[SourcePartition],
    ) -> KafkaResult<(Vec<Located>, Option<ClientError>)> {
        if sources.is_empty() {
            return Ok((Vec::new(), None));
        }
        let committed = self.consumer.committed_offsets(list(sources), QUERY)?;
        let mut located = Vec::with_capacity(sources.len());
        let mut fresh = TopicPartitionList::new();
        let mut missing = None;
        for source in sources {
            let known = committed.find_partition(&source.topic, source.partition as i32);
            let committed = match known.map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => u64::try_from(offset).ok(),
                _ => None,
            };
            let (low, high) = match self.watermarks(source, BRIEF) {
                Ok(found) => found,
                Err(error) => {
                    missing = Some(error);
                    break;
                }
            };
            let reset = self.settings.reset(&source.topic);
            let applied = (self.start_offset)(source);
            let outcome = start(Known { applied, committed, low, high, reset });
            if let Ok(found) = outcome
                && committed != Some(found.position)
            {
                add(&mut fresh, source, found.position)?;
            }
            located.push((outcome, high));
        }
        // Whoever takes over before anything is applied must start at the same place.
        if fresh.count() > 0 {
            self.consumer.commit(&fresh, CommitMode::Sync).inspect_err(commit_failed)?;
        }
        Ok((located, missing))
    }

    /// First offset that Kafka holds of `source`, and first that it does not hold yet.
    pub(super) fn watermarks(
        &self,
        source: &SourcePartition,
        wait: Duration,
    ) -> KafkaResult<(u64, u64)> {
        let partition = source.partition as i32;
        let (low, high) = self.consumer.fetch_watermarks(&source.topic, partition, wait)?;
        Ok((low.unsigned_abs(), high.unsigned_abs()))
    }

    fn begin(
        &mut self,
        source: SourcePartition,
        outcome: Result<Start, BeyondEnd>,
        end: u64,
        begun: &mut TopicPartitionList,
    ) -> Result<(), KafkaError> {
        match outcome {
            Ok(found) => {
                self.out.push(Handover::Assign(source.clone(), found.position));
                if found.lost() > 0 {
                    self.lost(&source, found.position, found.read_from);
                }
                let added = add(begun, &source, found.read_from);
                added.map_err(|e| KafkaError::Fatal(e.to_string()))?;
                self.partitions.push(Partition::reading(source, found, end));
            }
            Err(beyond) => {
                report_stopped(&source, &beyond);
                self.partitions.push(Partition::stopped(source, end));
            }
        }
        Ok(())
    }

    /// Kafka no longer holds the offsets from `wanted` to `held`: says so and goes on.
    fn lost(&mut self, source: &SourcePartition, wanted: u64, held: u64) {
        let SourcePartition { topic, partition } = source;
        let count = held - wanted;
        let labels = [("topic", topic.clone()), ("partition", partition.to_string())];
        metrics::counter!(names::LOST_OFFSETS, &labels).increment(count);
        tracing::warn!(
            %topic, partition, wanted, held, count,
            "Kafka deleted offsets before they were read; going on with the oldest one that it holds; \
             raise the retention of the topic"
        );
        self.out.push(Handover::Batch(batch::empty(source.clone(), held)));
    }

    /// Reading met offsets that Kafka does not hold: finds out where and goes on.
    pub(super) fn relocate(&mut self) {
        self.relocate = false;
        for at in 0..self.partitions.len() {
            let Partition { source, phase, next, .. } = self.partitions[at].clone();
            if phase == Phase::Reading {
                let moved = self
                    .watermarks(&source, BRIEF)
                    .and_then(|(low, high)| self.move_within(at, &source, next, (low, high)));
                if let Err(error) = moved {
                    tracing::warn!(%error, topic = %source.topic, partition = source.partition,
                        "a lost position was not found again; asking again");
                    self.relocate = true;
                    self.ask_later(at);
                    return;
                }
            }
        }
    }

    fn move_within(
        &mut self,
        at: usize,
        source: &SourcePartition,
        next: u64,
        (low, high): (u64, u64),
    ) -> KafkaResult<()> {
        if next > high {
            self.partitions[at].phase = Phase::Stopped;
            self.pause(&list([source]));
            let beyond = BeyondEnd { high, wanted: next, claim: "is the next to read" };
            report_stopped(source, &beyond);
            return Ok(());
        }
        let target = next.max(low);
        self.seek(source, target)?;
        if target > next {
            self.lost(source, next, target);
            self.partitions[at].next = target;
        }
        Ok(())
    }

    /// Does what shards want.
    pub(super) fn hear_shards(&mut self) {
        let mut again = std::mem::take(&mut self.again);
        let mut ahead = false;
        while let Ok(wants) = self.rereads.try_recv() {
            match wants {
                Wants::Again(source, offset) => again.push((source, offset)),
                Wants::Ahead(source, offset) => {
                    let known = self.partitions.iter_mut().find(|p| p.source == source);
                    if let Some(known) = known {
                        known.ahead = known.ahead.max(offset);
                        ahead = true;
                    }
                }
            }
        }
        // A partition that is stopped is not read again.
        if ahead {
            self.look_ahead();
        }
        let mut answers = true;
        for (source, offset) in again {
            self.reread(source, offset, &mut answers);
        }
    }

    /// Looks whether Kafka holds what a shard has applied, where that is more than was read. If it does not,
    /// this is not the topic that the shard knows: what is in it would be taken for applied, and get lost.
    pub(super) fn look_ahead(&mut self) {
        for at in 0..self.partitions.len() {
            if !self.partitions[at].is_doubted() {
                continue;
            }
            let Partition { source, ahead: wanted, .. } = self.partitions[at].clone();
            match self.watermarks(&source, BRIEF) {
                Ok((_, high)) if wanted > high => {
                    self.stand_still(at, &BeyondEnd { high, wanted, claim: APPLIED });
                }
                Ok((_, high)) => self.partitions[at].held = high,
                Err(error) => {
                    tracing::warn!(%error, topic = %source.topic, partition = source.partition,
                        "the end of a partition was not found; asking again");
                    self.ask_later(at);
                    return;
                }
            }
        }
    }

    /// The broker of the partition `at` does not answer. The others would wait as long, and the group does not:
    /// the next second asks again, and begins behind this one.
    fn ask_later(&mut self, at: usize) {
        self.partitions.rotate_left(at + 1);
    }

    /// Ends the reading of a partition that has begun, as if it never had: nothing of it goes to the shards
    /// any more, and no offset of it is committed.
    fn stand_still(&mut self, at: usize, beyond: &BeyondEnd) {
        let source = self.partitions[at].source.clone();
        if let Err(error) = self.consumer.incremental_unassign(&list([&source])) {
            tracing::warn!(%error, "a partition that is not read is still fetched");
        }
        report_stopped(&source, beyond);
        self.out.push(Handover::Unassign(source.clone()));
        self.partitions[at] = Partition::stopped(source, beyond.high);
    }

    /// Reads again what a shard misses. The ingest throws away what comes before the new assignment. A
    /// partition that is given away is not read again here: there is nothing left to wait for. Where brokers do
    /// not answer any more they are not asked: a position that Kafka no longer holds is met by reading.
    fn reread(&mut self, source: SourcePartition, offset: u64, answers: &mut bool) {
        let is = |p: &Partition| p.source == source;
        let Some(at) = self.partitions.iter().position(is) else { return };
        match &mut self.partitions[at].phase {
            Phase::Reading => {}
            Phase::Leaving(until) => {
                *until = Instant::now();
                return;
            }
            Phase::Stopped => return,
        }
        let held = if *answers { self.watermarks(&source, BRIEF) } else { Ok((0, 0)) };
        *answers &= held.is_ok();
        let held = held.map_or(0, |(low, _)| low);
        let from = offset.max(held);
        if let Err(error) = self.seek(&source, from) {
            tracing::warn!(%error, topic = %source.topic, partition = source.partition,
                "a partition is not read again; asking again");
            self.again.push((source, offset));
            return;
        }
        let partition = &mut self.partitions[at];
        (partition.start, partition.next) = (partition.start.min(offset), from);
        self.out.push(Handover::Assign(source.clone(), offset));
        if from > offset {
            self.lost(&source, offset, from);
        }
    }

    fn seek(&self, source: &SourcePartition, offset: u64) -> KafkaResult<()> {
        // A client that has stopped fetching would refuse to seek.
        self.consumer.incremental_unassign(&list([source]))?;
        let mut again = TopicPartitionList::new();
        add(&mut again, source, offset)?;
        self.consumer.incremental_assign(&again)?;
        self.settle_pause(&again);
        Ok(())
    }

    /// Stops reading what the group takes away; what is lost is dropped at once.
    fn revoke(&mut self, partitions: Vec<SourcePartition>, lost: bool) {
        self.waiting.retain(|source| !partitions.contains(source));
        if lost {
            self.give_up(&partitions);
            return;
        }
        self.pause(&self.fetched(&partitions));
        let until = Instant::now() + LEAVE;
        for partition in self.partitions.iter_mut().filter(|p| partitions.contains(&p.source)) {
            if partition.phase == Phase::Reading {
                partition.phase = Phase::Leaving(until);
            }
        }
        self.revocation = Some(partitions);
    }

    /// Lets the revoked partitions go once all that was handed over is applied, or time is up.
    pub(super) fn end_revocation(&mut self) {
        let Some(going) = &self.revocation else { return };
        let now = Instant::now();
        let applied = self.applied.borrow().clone();
        let mut leaving = self.partitions.iter().filter(|p| going.contains(&p.source));
        if !leaving.all(|p| p.may_leave(applied.get(&p.source).copied(), now)) {
            return;
        }
        let in_time = |p: &Partition| matches!(p.phase, Phase::Leaving(until) if now < until);
        let in_time = self.partitions.iter().filter(|p| going.contains(&p.source)).any(in_time);
        match self.commit(CommitMode::Sync) {
            Err(error) if in_time && may_pass(&error) => return,
            _ => {}
        }
        let going = self.revocation.take().unwrap_or_default();
        for partition in self.partitions.iter().filter(|p| going.contains(&p.source)) {
            if !partition.is_settled(applied.get(&partition.source).copied()) {
                metrics::counter!(names::HASTY).increment(1);
                let SourcePartition { topic, partition } = &partition.source;
                tracing::warn!(
                    %topic, partition,
                    "given away before everything read of it was applied; the next owner reads it again"
                );
            }
        }
        self.give_up(&going);
    }

    /// Takes `partitions` out of the client and out of the ingest.
    pub(super) fn give_up(&mut self, partitions: &[SourcePartition]) {
        if let Err(error) = self.consumer.incremental_unassign(&self.fetched(partitions)) {
            tracing::warn!(%error, "partitions were not given away");
        }
        for source in partitions {
            let Some(at) = self.partitions.iter().position(|p| p.source == *source) else {
                continue;
            };
            let gone = self.partitions.swap_remove(at);
            if gone.fetched {
                self.out.push(Handover::Unassign(gone.source));
            }
            super::reader::lag_gauge(source).set(0.0);
        }
    }

    /// Those of `partitions` that the client fetches.
    fn fetched(&self, partitions: &[SourcePartition]) -> TopicPartitionList {
        let of = |source: &&SourcePartition| {
            self.partitions.iter().any(|p| p.fetched && p.source == **source)
        };
        list(partitions.iter().filter(of))
    }

    /// Commits how far every partition is durably applied.
    pub(super) fn commit(&mut self, mode: CommitMode) -> KafkaResult<()> {
        let mut offsets = TopicPartitionList::new();
        let mut sent = Vec::new();
        {
            let applied = self.applied.borrow();
            for (at, partition) in self.partitions.iter().enumerate().filter(|(_, p)| p.fetched) {
                let found = partition.to_commit(applied.get(&partition.source).copied());
                // A partition that can not be added is committed the next time.
                if let Some(offset) = found
                    && add(&mut offsets, &partition.source, offset).is_ok()
                {
                    sent.push((at, offset));
                }
            }
        }
        if sent.is_empty() {
            return Ok(());
        }
        self.consumer.commit(&offsets, mode).inspect_err(commit_failed)?;
        // What is sent without waiting is confirmed by a callback.
        if matches!(mode, CommitMode::Sync) {
            for (at, offset) in sent {
                self.partitions[at].committed = offset;
            }
        }
        Ok(())
    }
}

/// Whether a refused commit may succeed while the group waits for this member. It can not when the
/// broker takes no commits of a group that rebalances, or has put the member out: waiting would only
/// cost the member its session and all its partitions, and the offset is a hint.
fn may_pass(error: &ClientError) -> bool {
    !matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::RebalanceInProgress
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::FencedInstanceId
        )
    )
}

fn report_stopped(source: &SourcePartition, beyond: &BeyondEnd) {
    let SourcePartition { topic, partition } = source;
    tracing::error!(%topic, partition, "partition {partition} of {topic} is not read: {beyond}");
}

/// Partitions as a list of the client library.
pub(super) fn list<'a>(
    sources: impl IntoIterator<Item = &'a SourcePartition>,
) -> TopicPartitionList {
    let mut all = TopicPartitionList::new();
    for source in sources {
        all.add_partition(&source.topic, source.partition as i32);
    }
    all
}

fn add(list: &mut TopicPartitionList, source: &SourcePartition, offset: u64) -> KafkaResult<()> {
    let offset = Offset::Offset(offset as i64);
    list.add_partition_offset(&source.topic, source.partition as i32, offset)
}

fn show(sources: &[SourcePartition]) -> Vec<String> {
    sources.iter().map(|s| format!("{}/{}", s.topic, s.partition)).collect()
}
