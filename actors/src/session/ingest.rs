//! Quality of the client-to-gateway leg: one row per ingest metrics event (backlog 006). Counters are
//! cumulative per peer connection, and of a track per connection and track.

use naap_protocol::event::Track;
use naap_protocol::rows::ingest::IngestSample;
use naap_protocol::state::{IngestReading, Reading, StoredSample};
use naap_protocol::time::Timestamp;

use super::attribution::attributed;
use super::counters::Since;
use super::pen::Stamp;
use super::sample_rows::{Claim, SampleLine, row};

/// Rates of a longer interval say nothing: the sender was away, ms.
const MAX_INTERVAL_MS: u64 = 60_000;
/// Largest jitter that is believed, ms.
const MAX_JITTER_MS: f64 = 10_000.0;
/// Largest round trip and media latency that is believed, ms.
const MAX_DELAY_MS: f64 = 60_000.0;

/// What a sample adds to the one before of its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct IngestDeltas {
    /// Time since that one, ms; `None` for the first.
    pub interval_ms: Option<u64>,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Packets of the video track, received and lost.
    pub video: Option<(u64, u64)>,
    /// Packets of the audio track.
    pub audio: Option<(u64, u64)>,
    /// A counter began anew.
    pub reset: bool,
}

impl IngestDeltas {
    /// The deltas of `reading`, taken at `ts`; `before` are the samples before it of its connection,
    /// the latest first.
    pub fn of<'s>(
        (ts, reading): (Timestamp, &IngestReading),
        before: &(impl Iterator<Item = (Timestamp, &'s IngestReading)> + Clone),
    ) -> Self {
        let mut since = Since::default();
        let last = before.clone().next();
        let received = since.delta(reading.bytes_received, last.map(|(_, l)| l.bytes_received));
        let sent = since.delta(reading.bytes_sent, last.map(|(_, l)| l.bytes_sent));
        let mut track = |track: fn(&IngestReading) -> Option<Track>| {
            let known = || before.clone().find_map(|(_, reading)| track(reading));
            track(reading).map(|now| packets(&mut since, &now, known()))
        };
        Self {
            interval_ms: last.and_then(|(before, _)| u64::try_from(ts.millis_since(before)).ok()),
            received,
            sent,
            video: track(|reading| reading.video),
            audio: track(|reading| reading.audio),
            reset: since.reset,
        }
    }

    /// The interval can carry rates.
    pub fn is_rated(&self) -> bool {
        self.interval_ms.is_some_and(|ms| (1..=MAX_INTERVAL_MS).contains(&ms))
    }
}

/// Packets received and lost since `before`. What was received tells whether the track began anew:
/// the count of lost packets may go back by itself, when they come after all.
fn packets(since: &mut Since, now: &Track, before: Option<Track>) -> (u64, u64) {
    let mut own = Since::default();
    let received = own.delta(now.packets_received, before.map(|b| b.packets_received));
    since.reset |= own.reset;
    let lost_before = before.filter(|_| !own.reset).map_or(0, |b| b.packets_lost);
    (received, u64::try_from(now.packets_lost.saturating_sub(lost_before)).unwrap_or(0))
}

/// `value` if it lies in (0, `max`]; 0 stands for no measurement.
fn measured(value: f64, max: f64) -> Option<f64> {
    (value > 0.0 && value <= max).then_some(value)
}

fn jitter_ms(track: &Track) -> Option<f64> {
    measured(track.jitter, MAX_JITTER_MS)
}

fn rtt_ms(track: &Track) -> Option<f64> {
    measured(track.rtt as f64 / 1e6, MAX_DELAY_MS)
}

/// Input less output media time; unknown before there is output.
fn media_latency_ms(track: &Track) -> Option<f64> {
    let latency = (track.last_input_ts - track.last_output_ts) * 1e3;
    measured(latency, MAX_DELAY_MS).filter(|_| track.last_output_ts > 0.0)
}

fn emitted_latency(track: &Track) -> Option<f32> {
    (track.last_output_ts > 0.0).then_some(track.latency as f32)
}

/// The readings before place `at` of the connection of `reading`, the latest first.
fn before<'s>(
    kept: &'s [StoredSample],
    at: usize,
    reading: &'s IngestReading,
) -> impl Iterator<Item = (Timestamp, &'s IngestReading)> + Clone {
    kept[..at].iter().rev().filter_map(move |sample| match &sample.reading {
        Reading::Ingest(other) if other.peer == reading.peer => Some((sample.ts, &**other)),
        _ => None,
    })
}

/// The row of the sample at place `at` of the session's samples.
pub(super) fn ingest_row<'s>(
    line: &'s SampleLine<'_>,
    (at, reading): (usize, &'s IngestReading),
    claim: &Claim<'s, '_>,
    stamp: Stamp,
) -> IngestSample<'s> {
    let before = before(&line.story.state.samples.kept, at, reading);
    let deltas = IngestDeltas::of((line.sample.ts, reading), &before);
    let (video, audio) = (reading.video.as_ref(), reading.audio.as_ref());
    attributed!(IngestSample, claim.identity, {
        gateway_ts: line.sample.ts,
        clock_domain: "gateway",
        peer_connection: line.text(reading.peer),
        is_attributed: claim.is_attributed,
        connection_quality: line.text(reading.quality),
        interval_ms: deltas.interval_ms,
        is_rated: deltas.is_rated(),
        bytes_received: reading.bytes_received,
        bytes_sent: reading.bytes_sent,
        bytes_received_delta: deltas.received,
        bytes_sent_delta: deltas.sent,
        video_packets_received_delta: deltas.video.map(|(received, _)| received),
        video_packets_lost_delta: deltas.video.map(|(_, lost)| lost),
        video_jitter: video.map(|t| t.jitter as f32),
        video_latency: video.and_then(emitted_latency),
        video_jitter_ms: video.and_then(jitter_ms),
        video_rtt_ms: video.and_then(rtt_ms),
        video_media_latency_ms: video.and_then(media_latency_ms),
        audio_packets_received_delta: deltas.audio.map(|(received, _)| received),
        audio_packets_lost_delta: deltas.audio.map(|(_, lost)| lost),
        audio_jitter: audio.map(|t| t.jitter as f32),
        audio_latency: audio.and_then(emitted_latency),
        audio_jitter_ms: audio.and_then(jitter_ms),
        audio_rtt_ms: audio.and_then(rtt_ms),
        audio_media_latency_ms: audio.and_then(media_latency_ms),
        counter_reset: deltas.reset,
        ..row!(IngestSample, line, stamp)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(received: u64, video: Option<Track>) -> IngestReading {
        IngestReading {
            peer: naap_protocol::state::Sym::default(),
            quality: naap_protocol::state::Sym::default(),
            bytes_received: received,
            bytes_sent: 0,
            video,
            audio: None,
        }
    }

    fn deltas(samples: &[(i64, IngestReading)]) -> Vec<IngestDeltas> {
        let at = |place: usize| (Timestamp(samples[place].0), &samples[place].1);
        (0..samples.len())
            .map(|place| IngestDeltas::of(at(place), &(0..place).rev().map(at)))
            .collect()
    }

    #[test]
    fn bytes_of_a_reset_connection_count_from_zero() {
        let samples = [1_000_000, 2_000_000, 400_000].map(|received| reading(received, None));
        let found = deltas(&[0, 5_000, 10_000].into_iter().zip(samples).collect::<Vec<_>>());
        let shown: Vec<_> =
            found.iter().map(|d| (d.received, d.reset, d.interval_ms, d.is_rated())).collect();
        let want = [
            (1_000_000, false, None, false),
            (1_000_000, false, Some(5_000), true),
            (400_000, true, Some(5_000), true),
        ];
        assert_eq!(shown, want);
        assert_eq!(shown.iter().map(|(received, ..)| received).sum::<u64>(), 2_400_000);
    }

    #[test]
    fn rates_need_a_known_interval_of_at_most_a_minute() {
        let at = [0, 60_000, 120_001, 120_001].map(|ts| (ts, reading(1, None)));
        let rated: Vec<_> = deltas(&at).iter().map(|d| (d.interval_ms, d.is_rated())).collect();
        let want = [(None, false), (Some(60_000), true), (Some(60_001), false), (Some(0), false)];
        assert_eq!(rated, want);
    }

    #[test]
    fn packets_count_per_track_even_where_it_was_away() {
        let track = |packets_received, packets_lost| {
            Some(Track { packets_received, packets_lost, ..Track::default() })
        };
        let tracks =
            [track(100, 3), None, track(150, 1), track(160, 6), track(20, -2), track(30, 1)];
        let samples = tracks.map(|video| (0, reading(0, video)));
        let found: Vec<_> = deltas(&samples).iter().map(|d| (d.video, d.reset)).collect();
        let want = [
            (Some((100, 3)), false),
            (None, false),
            // Two of the lost have come after all.
            (Some((50, 0)), false),
            (Some((10, 5)), false),
            (Some((20, 0)), true),
            (Some((10, 3)), false),
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn only_plausible_measurements_are_some() {
        let track = Track { jitter: 10_000.0, rtt: 25_000_000, ..Track::default() };
        assert_eq!((jitter_ms(&track), rtt_ms(&track)), (Some(10_000.0), Some(25.0)));
        let none = Track { jitter: 10_000.1, rtt: 60_000_000_001, ..Track::default() };
        assert_eq!((jitter_ms(&none), rtt_ms(&none)), (None, None));
        assert_eq!((jitter_ms(&Track::default()), rtt_ms(&Track::default())), (None, None));
        let latency = |last_input_ts, last_output_ts| {
            media_latency_ms(&Track { last_input_ts, last_output_ts, ..Track::default() })
        };
        assert_eq!(latency(9.5, 9.0), Some(500.0));
        assert_eq!((latency(9.5, 0.0), latency(9.0, 9.5), latency(90.0, 29.0)), (None, None, None));
        let odd = Track { jitter: f64::NAN, ..Track::default() };
        assert_eq!(jitter_ms(&odd), None);
    }
}
