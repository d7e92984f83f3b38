//! Bandwidth between gateway and orchestrator: one row per sample that counts (backlog 001). Of two
//! samples with the same number in a stream the one whose content comes first counts; the other is
//! quarantined.

use std::sync::Arc;

use naap_protocol::event::transport::{Counters, Observer};
use naap_protocol::gate::{Encoding, Reason, Reject, Source};
use naap_protocol::identity::norm_url;
use naap_protocol::rows::transport::TransportSample;
use naap_protocol::state::{Reading, StoredSample, TransportReading};
use naap_protocol::time::Timestamp;

use super::attribution::attributed;
use super::counters::Since;
use super::pen::Stamp;
use super::sample_rows::{Claim, SampleLine, row};

/// Rates of a longer interval are not told, ms.
const MAX_INTERVAL_MS: u64 = 60_000;
/// Deltas of a longer interval are not split over its minutes, ms.
const MAX_SPLIT_MS: u64 = 3_600_000;
/// More than this is no link of a gateway but a broken counter, bits per second.
const MAX_BPS: u128 = 1_000_000_000;

/// Where a sample stands in its stream, and what it adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportPlace {
    to: Deltas,
    from: Deltas,
    interval_ms: Option<u64>,
    /// Numbers before it are missing.
    gap: bool,
    /// It follows no other sample although it is not the first of the stream.
    unanchored: bool,
    reset: bool,
}

/// What went in one direction since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Deltas {
    bytes: u64,
    segments: u64,
    failed: u64,
    dropped: u64,
    busy_ms: u64,
}

/// Another sample has the same number and comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// It says the same.
    same: bool,
}

impl Deltas {
    fn of(since: &mut Since, now: &Counters, before: Option<&Counters>) -> Self {
        let mut delta = |count: fn(&Counters) -> u64| since.delta(count(now), before.map(count));
        Self {
            bytes: delta(|c| c.bytes),
            segments: delta(|c| c.segments),
            failed: delta(|c| c.failed_segments),
            dropped: delta(|c| c.dropped_segments),
            busy_ms: delta(|c| c.busy_ms),
        }
    }
}

fn transport(sample: &StoredSample) -> Option<&TransportReading> {
    match &sample.reading {
        Reading::Transport(reading) => Some(reading),
        Reading::Ingest(_) => None,
    }
}

impl TransportPlace {
    /// The place of `reading`, which stands at `at` among the samples.
    ///
    /// # Errors
    /// The sample that counts in its place.
    pub fn of(kept: &[StoredSample], at: usize, reading: &TransportReading) -> Result<Self, Twin> {
        let stream = kept[..at].iter().rev().map_while(transport);
        let mut stream = stream.take_while(|other| other.stream == reading.stream).peekable();
        let mut first = None;
        while let Some(twin) = stream.next_if(|other| other.seq == reading.seq) {
            first = Some(twin);
        }
        if let Some(first) = first {
            return Err(Twin { same: first.said() == reading.said() });
        }
        // Of several with the number before, the first counts.
        let mut before: Option<&TransportReading> = None;
        while let Some(other) = stream.next_if(|other| before.is_none_or(|b| b.seq == other.seq)) {
            before = Some(other);
        }
        let mut since = Since::default();
        let to = Deltas::of(&mut since, &reading.to, before.map(|b| &b.to));
        let from = Deltas::of(&mut since, &reading.from, before.map(|b| &b.from));
        let begun = before.map_or(reading.start, |before| before.end);
        let interval = u64::try_from(reading.end.millis_since(begun)).ok();
        let expected = before.map_or(0, |before| before.seq.saturating_add(1));
        Ok(Self {
            to,
            from,
            interval_ms: interval.filter(|ms| *ms > 0),
            gap: reading.seq != expected,
            unanchored: before.is_none() && reading.seq != 0,
            reset: since.reset,
        })
    }

    /// A sample that counts has the number of `reading`.
    pub fn is_taken(kept: &[StoredSample], reading: &TransportReading) -> bool {
        let key = |reading: &TransportReading| (reading.stream, reading.seq);
        kept.iter().filter_map(transport).any(|other| key(other) == key(reading))
    }

    /// Rates to and from the orchestrator, bits per second; nothing where one is implausible.
    fn rates(&self) -> Option<(u64, u64)> {
        if self.unanchored || self.is_long() || self.is_too_fast() {
            return None;
        }
        let rate = |bytes| u64::try_from(bits_per_second(bytes, self.interval_ms?)).ok();
        rate(self.to.bytes).zip(rate(self.from.bytes))
    }

    /// The earliest moment whose figures the sample enters, if it was taken at `ts`.
    pub(super) fn reach(&self, ts: Timestamp) -> Timestamp {
        let lasted = self.interval_ms.filter(|ms| *ms <= MAX_SPLIT_MS).unwrap_or(0);
        Timestamp(ts.0.saturating_sub(lasted.cast_signed()))
    }

    fn is_long(&self) -> bool {
        self.interval_ms.is_some_and(|ms| ms > MAX_INTERVAL_MS)
    }

    fn is_too_fast(&self) -> bool {
        let bytes = self.to.bytes.max(self.from.bytes);
        !self.unanchored && self.interval_ms.is_some_and(|ms| bits_per_second(bytes, ms) > MAX_BPS)
    }

    /// Column `quality_flags`, in alphabetical order.
    pub(super) fn flags(
        &self,
        line: &SampleLine<'_>,
        reading: &TransportReading,
        claim: &Claim<'_, '_>,
    ) -> Vec<&'static str> {
        let misdated =
            reading.stream.observer == Observer::Gateway && line.sample.ts != reading.end;
        let named = norm_url(line.text(reading.url));
        let other = claim.is_attributed && !named.is_empty();
        [
            (self.gap, "gap"),
            (self.is_too_fast(), "implausible_rate"),
            (misdated, "implausible_time"),
            (self.is_long(), "long_interval"),
            (other && named != norm_url(claim.identity.url), "other_orchestrator"),
        ]
        .into_iter()
        .filter_map(|(is_so, flag)| is_so.then_some(flag))
        .collect()
    }
}

fn bits_per_second(bytes: u64, ms: u64) -> u128 {
    u128::from(bytes) * 8_000 / u128::from(ms.max(1))
}

/// The row of a sample that counts.
pub(super) fn transport_row<'s>(
    line: &'s SampleLine<'_>,
    (reading, place): (&'s TransportReading, &TransportPlace),
    flags: &'s [&'static str],
    claim: &Claim<'s, '_>,
    stamp: Stamp,
) -> TransportSample<'s> {
    let (stream, rates) = (&reading.stream, place.rates());
    attributed!(TransportSample, claim.identity, {
        attempt: stream.attempt,
        link_type: stream.link.label(),
        channel: stream.channel.label(),
        observer: stream.observer.label(),
        sample_seq: reading.seq,
        sample_ts: line.sample.ts,
        interval_start_ts: reading.start,
        clock_domain: stream.observer.label(),
        is_attributed: claim.is_attributed,
        is_final: reading.is_final,
        rx_bytes_total: reading.to.bytes,
        tx_bytes_total: reading.from.bytes,
        rx_bytes: place.to.bytes,
        tx_bytes: place.from.bytes,
        interval_ms: place.interval_ms,
        rx_busy_ms: place.to.busy_ms,
        tx_busy_ms: place.from.busy_ms,
        rx_segments: place.to.segments,
        tx_segments: place.from.segments,
        failed_segments: place.to.failed.saturating_add(place.from.failed),
        dropped_segments: place.to.dropped.saturating_add(place.from.dropped),
        rx_bps: rates.map(|(rx, _)| rx),
        tx_bps: rates.map(|(_, tx)| tx),
        counter_reset: place.reset,
        quality_flags: flags,
        source_system: "stream_transport_metrics",
        ..row!(TransportSample, line, stamp)
    })
}

/// The reject of a sample whose number is taken by `twin`. Its text is out of reach here; the archive
/// has it.
pub(super) fn quarantine(line: &SampleLine<'_>, twin: Twin) -> Reject {
    let state = line.story.state;
    let delivery = state.deliveries.of(&line.uid).next();
    let source = delivery.as_ref().map(|delivery| Source {
        org: Arc::from(&*state.org),
        topic: delivery.at.topic.to_string(),
        partition: delivery.at.partition,
        offset: delivery.at.offset,
        record_ts: Some(delivery.record_ts),
    });
    let source = source.unwrap_or_else(|| Source {
        org: Arc::from(&*state.org),
        topic: String::new(),
        partition: 0,
        offset: 0,
        record_ts: Some(line.sample.record_ts),
    });
    let number = transport(line.sample).map_or(0, |reading| reading.seq);
    let (failure_reason, said) = if twin.same {
        (Reason::DuplicateEvent, "the same")
    } else {
        (Reason::IdConflict, "something else")
    };
    Reject {
        source,
        failure_reason,
        failure_details: format!(
            "another event says {said} under number {number} of this stream of samples and comes first; the text stands in raw_streaming_events at this source"
        ),
        event_id: None,
        event_type: Some("stream_transport_metrics".to_owned()),
        event_version: None,
        event_timestamp: transport(line.sample).map(|reading| reading.content.0),
        dedup_key: Some(line.uid.clone()),
        dedup_strategy: transport(line.sample).map(|reading| reading.strategy),
        replay: delivery.is_some_and(|delivery| delivery.replay),
        orchestrator: None,
        broadcaster: None,
        region: None,
        payload_encoding: Encoding::Json,
        payload_body: None,
        payload_canonical_json: None,
    }
}
