//! Samples of transport counters: what a session keeps beside its signals. They say nothing about its
//! lifecycle; their rows need their neighbours, because all counters are cumulative.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::session::repeat;
use super::{Sym, Symbols, Uid};
use crate::event::transport::{Counters, Observer, TransportMetrics, TransportStream};
use crate::event::{Body, DedupStrategy, Event, IngestMetrics, Track};
use crate::signal::MAX_STAMP_DISTANCE_MS;
use crate::time::Timestamp;

/// A sample as the session keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredSample {
    /// When it was taken, gateway clock: the envelope time, or the end of the interval that a gateway
    /// has observed, if that is within 24 h of the envelope.
    pub ts: Timestamp,
    /// Payload time on the clock of its maker, if the payload has one.
    pub source_ts: Option<Timestamp>,
    /// Broker record time of the delivery that counts.
    pub record_ts: Timestamp,
    /// Event uid.
    pub uid: Uid,
    /// Gateway label.
    pub gateway: Sym,
    /// What was counted.
    pub reading: Reading,
    /// The [`row_hash`](super::row_hash) of the row that was written last; 0 when there is none.
    pub written: u64,
    /// The row may differ from what is written. Not part of the state: after waking all may.
    #[serde(skip, default = "due")]
    pub due: bool,
}

fn due() -> bool {
    true
}

/// What a sample counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reading {
    /// Between client and gateway.
    #[serde(rename = "i")]
    Ingest(Box<IngestReading>),
    /// Between gateway and orchestrator.
    #[serde(rename = "b")]
    Transport(Box<TransportReading>),
}

/// Fields as in [`IngestMetrics`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IngestReading {
    /// Peer connection of the counters.
    pub peer: Sym,
    /// Quality as the producer calls it.
    pub quality: Sym,
    /// Bytes received since connect.
    pub bytes_received: u64,
    /// Bytes sent since connect.
    pub bytes_sent: u64,
    /// The video track.
    pub video: Option<Track>,
    /// The audio track.
    pub audio: Option<Track>,
}

/// Fields as in [`TransportMetrics`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportReading {
    /// Envelope time and hash of the content: of two samples with one number, the smaller counts.
    pub content: (Timestamp, u64),
    /// How the uid of the event was made.
    pub strategy: DedupStrategy,
    /// Service URI of the attempt, verbatim.
    pub url: Sym,
    /// The stream.
    pub stream: TransportStream,
    /// Number in the stream.
    pub seq: u64,
    /// Start of the interval, clock of the observer.
    pub start: Timestamp,
    /// End of the interval, clock of the observer.
    pub end: Timestamp,
    /// Last of the attempt.
    pub is_final: bool,
    /// To the orchestrator.
    pub to: Counters,
    /// From the orchestrator.
    pub from: Counters,
}

impl TransportReading {
    /// What the reading says, without what differs between two reports of it.
    pub fn said(&self) -> (Timestamp, Timestamp, bool, Counters, Counters) {
        (self.start, self.end, self.is_final, self.to, self.from)
    }
}

impl StoredSample {
    /// The sample in `event`; `None` for other families.
    pub fn of(event: &Event<'_>, symbols: &mut Symbols) -> Option<Self> {
        let (ts, source_ts, reading) = match &event.body {
            Body::Ingest(metrics) => {
                let reading = Box::new(IngestReading::of(metrics, symbols));
                (event.event_ts, metrics.data_ts, Reading::Ingest(reading))
            }
            Body::Transport(metrics) => {
                let reading = Box::new(TransportReading::of(event, metrics, symbols));
                (
                    sampled_at(event, metrics),
                    Some(metrics.interval_end),
                    Reading::Transport(reading),
                )
            }
            _ => return None,
        };
        Some(Self {
            ts,
            source_ts,
            record_ts: event.record_ts,
            uid: Uid::new(&event.uid),
            gateway: symbols.intern(&event.gateway),
            reading,
            written: 0,
            due: true,
        })
    }

    /// The moment whose orchestrator served what was counted: the middle of an interval.
    pub fn at(&self) -> Timestamp {
        match &self.reading {
            Reading::Ingest(_) => self.ts,
            Reading::Transport(reading) => {
                Timestamp(self.ts.0.saturating_sub(reading.end.millis_since(reading.start) / 2))
            }
        }
    }

    /// The order in which samples are kept: ingest samples by time, then transport samples by stream
    /// and number, of one number the one that counts first.
    pub fn order(&self, other: &Self) -> Ordering {
        match (&self.reading, &other.reading) {
            (Reading::Ingest(_), Reading::Transport(_)) => Ordering::Less,
            (Reading::Transport(_), Reading::Ingest(_)) => Ordering::Greater,
            (Reading::Ingest(_), Reading::Ingest(_)) => self.ts.cmp(&other.ts),
            (Reading::Transport(a), Reading::Transport(b)) => {
                (a.stream, a.seq, a.content).cmp(&(b.stream, b.seq, b.content))
            }
        }
        .then_with(|| self.uid.cmp(&other.uid))
    }

    /// The rows of `self` follow from those before it of the same counters, such as `other`.
    fn counts_with(&self, other: &Self) -> bool {
        match (&self.reading, &other.reading) {
            (Reading::Ingest(a), Reading::Ingest(b)) => a.peer == b.peer,
            (Reading::Transport(a), Reading::Transport(b)) => a.stream == b.stream,
            _ => false,
        }
    }
}

/// The end of an interval is on the gateway's clock only if a gateway has observed it.
fn sampled_at(event: &Event<'_>, metrics: &TransportMetrics<'_>) -> Timestamp {
    let end = metrics.interval_end;
    let near = end.millis_since(event.event_ts).saturating_abs() <= MAX_STAMP_DISTANCE_MS;
    if near && metrics.stream.observer == Observer::Gateway { end } else { event.event_ts }
}

impl IngestReading {
    fn of(metrics: &IngestMetrics<'_>, symbols: &mut Symbols) -> Self {
        Self {
            peer: symbols.intern(&metrics.peer_connection),
            quality: symbols.intern(&metrics.connection_quality),
            bytes_received: metrics.bytes_received,
            bytes_sent: metrics.bytes_sent,
            video: metrics.video,
            audio: metrics.audio,
        }
    }
}

impl TransportReading {
    fn of(event: &Event<'_>, metrics: &TransportMetrics<'_>, symbols: &mut Symbols) -> Self {
        Self {
            content: (event.event_ts, event.content_hash),
            strategy: event.dedup_strategy,
            url: symbols.intern(&metrics.orchestrator.url),
            stream: metrics.stream,
            seq: metrics.sample_seq,
            start: metrics.interval_start,
            end: metrics.interval_end,
            is_final: metrics.is_final,
            to: metrics.to_orchestrator,
            from: metrics.from_orchestrator,
        }
    }
}

/// The samples of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// Those that count, ascending in [`StoredSample::order`].
    pub kept: Vec<StoredSample>,
    /// Those whose uid another content has taken: their rows have to go. They are kept, so that a later
    /// epoch can take the rows back once more.
    pub displaced: Vec<StoredSample>,
}

impl Samples {
    /// Puts `sample` into its place. The caller has checked the uid.
    pub fn insert(&mut self, sample: StoredSample) {
        let place = self.kept.partition_point(|known| known.order(&sample) == Ordering::Less);
        self.kept.insert(place, sample);
        self.due_behind(place);
    }

    /// Takes out the sample with this uid; its rows are taken back with the next ones that are written.
    pub fn displace(&mut self, uid: &Uid) {
        let Some(place) = self.kept.iter().position(|known| known.uid == *uid) else { return };
        self.due_behind(place);
        let mut gone = self.kept.remove(place);
        gone.due = true;
        self.displaced.push(gone);
    }

    /// Notes that another record of the same content counts now. `true` when the rows may change: they
    /// name its broker time, and that of a sample which does not count names its place.
    pub fn moved(&mut self, uid: &Uid, record_ts: Timestamp) -> bool {
        let Some(known) = self.kept.iter_mut().find(|known| known.uid == *uid) else {
            return false;
        };
        known.record_ts = record_ts;
        known.due = true;
        true
    }

    /// The identity of what was counted from `ts` on may be another one.
    pub fn due_from(&mut self, ts: Timestamp) {
        self.kept
            .iter_mut()
            .filter(|sample| sample.at() >= ts)
            .for_each(|sample| sample.due = true);
    }

    /// Makes every row due again.
    pub fn repeat_all(&mut self) {
        let samples = self.kept.iter_mut().chain(&mut self.displaced);
        samples.for_each(|sample| {
            repeat(&mut sample.written);
            sample.due = true;
        });
    }

    /// The rows behind `place` that count on from what stands there.
    fn due_behind(&mut self, place: usize) {
        let (before, behind) = self.kept.split_at_mut(place + 1);
        let Some(changed) = before.last() else { return };
        let follow = behind.iter_mut().filter(|sample| sample.counts_with(changed));
        follow.for_each(|sample| sample.due = true);
    }

    /// Number of samples in memory.
    pub fn len(&self) -> usize {
        self.kept.len() + self.displaced.len()
    }

    /// True when there never was a sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(ts: i64, uid: &str, peer: &str, symbols: &mut Symbols) -> StoredSample {
        StoredSample {
            ts: Timestamp(ts),
            source_ts: None,
            record_ts: Timestamp(ts),
            uid: Uid::new(uid),
            gateway: Sym::default(),
            reading: Reading::Ingest(Box::new(IngestReading {
                peer: symbols.intern(peer),
                quality: Sym::default(),
                bytes_received: 0,
                bytes_sent: 0,
                video: None,
                audio: None,
            })),
            written: 1,
            due: false,
        }
    }

    fn due(samples: &Samples) -> Vec<(i64, bool)> {
        samples.kept.iter().map(|sample| (sample.ts.0, sample.due)).collect()
    }

    #[test]
    fn a_late_sample_makes_those_behind_it_due_of_its_connection_only() {
        let (mut symbols, mut samples) = (Symbols::default(), Samples::default());
        for (ts, uid, peer) in [(10, "a", "x"), (20, "b", "y"), (30, "c", "x")] {
            let sample = sample(ts, uid, peer, &mut symbols);
            samples.kept.push(sample);
        }
        samples.insert(sample(15, "d", "x", &mut symbols));
        assert_eq!(due(&samples), [(10, false), (15, false), (20, false), (30, true)]);
        samples.kept.iter_mut().for_each(|sample| sample.due = false);
        samples.displace(&Uid::new("b"));
        samples.displace(&Uid::new("nobody"));
        assert_eq!(
            (due(&samples).len(), samples.displaced.len(), samples.displaced[0].due),
            (3, 1, true)
        );
        assert!(!samples.moved(&Uid::new("nobody"), Timestamp(10)));
        assert!(samples.moved(&Uid::new("a"), Timestamp(10)), "also at the same broker time");
        samples.due_from(Timestamp(15));
        assert_eq!(due(&samples), [(10, true), (15, true), (30, true)]);
    }
}
