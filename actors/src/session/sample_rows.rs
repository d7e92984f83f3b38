//! Rows of samples of transport counters: written where they are due, and taken back.
//!
//! Samples are no signals: they change nothing of what is told of their session. What they say is
//! attributed as the session's other facts are, to the selection in force when it was counted.

use naap_protocol::rows::ingest::IngestSample;
use naap_protocol::rows::transport::TransportSample;
use naap_protocol::state::{Reading, SessionState, StoredSample, Sym};

use super::attribution::Identity;
use super::emit::Written;
use super::ingest::ingest_row;
use super::pen::{Pen, Put, Stamp};
use super::samples::{Recent, uncovered};
use super::story::Story;
use super::transport::{TransportPlace, Twin, quarantine, transport_row};

/// Fills the columns that every row of a sample has from `$line`.
macro_rules! row {
    ($row:ident, $line:expr, $stamp:expr) => {{
        let (line, stamp): (
            &$crate::session::sample_rows::SampleLine<'_>,
            $crate::session::pen::Stamp,
        ) = ($line, $stamp);
        let ($crate::session::story::Story { state, .. }, sample) = (line.story, line.sample);
        $row {
            org: &state.org,
            workflow_session_id: &state.session_id,
            stream_id: &state.stream_id,
            request_id: &state.request_id,
            source_event_uid: &line.uid,
            source_ts: sample.source_ts,
            kafka_ts: sample.record_ts,
            is_late: $crate::session::lateness::is_late_at(sample.record_ts, sample.ts),
            gateway: line.text(sample.gateway),
            version: stamp.version,
            ingestion_timestamp: stamp.now,
            ..$row::default()
        }
    }};
}
pub(super) use row;

/// A sample that a row is made of.
#[derive(Debug)]
pub struct SampleLine<'r> {
    /// The session.
    pub story: &'r Story<'r>,
    /// The sample.
    pub sample: &'r StoredSample,
    /// Its uid as text.
    pub uid: String,
}

/// How a row is attributed.
pub(super) struct Claim<'c, 'a> {
    pub(super) identity: &'c Identity<'a>,
    pub(super) is_attributed: bool,
}

impl<'r> SampleLine<'r> {
    /// The text of `sym`.
    pub fn text(&self, sym: Sym) -> &'r str {
        self.story.state.symbols.text(sym)
    }

    /// Writes the row of the sample at place `at`, unless it says what `last` stands for.
    fn write(&self, at: usize, recent: &mut Recent<'r>, last: &mut u64, pen: &mut Pen<'_>) -> Put {
        let cover = self.story.cover(self.sample.at());
        let observed = match &self.sample.reading {
            Reading::Ingest(_) => "",
            Reading::Transport(reading) => self.text(reading.url),
        };
        let unattributed;
        let identity = match cover.force {
            Ok(selection) => recent.of(selection, &self.story.state.symbols),
            Err(reason) => {
                unattributed = uncovered(&cover, reason, observed, Identity::unattributed(reason));
                &unattributed
            }
        };
        let claim = Claim { identity, is_attributed: cover.force.is_ok() };
        match &self.sample.reading {
            Reading::Ingest(reading) => {
                pen.put(last, |stamp| ingest_row(self, (at, reading), &claim, stamp))
            }
            Reading::Transport(reading) => {
                let kept = &self.story.state.samples.kept;
                match TransportPlace::of(kept, at, reading) {
                    Ok(place) => {
                        let flags = place.flags(self, reading, &claim);
                        // A delta may reach into the hour before.
                        pen.touch(&self.story.state.org, place.reach(self.sample.ts));
                        pen.put(last, |stamp| {
                            transport_row(self, (reading, &place), &flags, &claim, stamp)
                        })
                    }
                    Err(twin) => self.quarantine(twin, last, pen),
                }
            }
        }
    }

    /// Writes why the sample does not count: `twin` has its number and comes first.
    fn quarantine(&self, twin: Twin, last: &mut u64, pen: &mut Pen<'_>) -> Put {
        let reject = quarantine(self, twin);
        let row = |stamp: Stamp| {
            use naap_protocol::rows::rejects::{DeadLetter, Quarantined};
            Quarantined(DeadLetter::of(&reject, 0, stamp.version, stamp.now))
        };
        pen.put(last, row)
    }
}

/// Writes the rows that are due. Returns what is written of each sample, in their order.
pub(super) fn write_samples(
    story: &Story<'_>,
    pen: &mut Pen<'_>,
    count: &mut Written,
) -> Vec<(usize, u64)> {
    let mut recent = Recent::default();
    let due = story.state.samples.kept.iter().enumerate().filter(|(_, sample)| sample.due);
    due.map(|(at, sample)| {
        let mut written = sample.written;
        let line = SampleLine { story, sample, uid: sample.uid.to_string() };
        count.count(line.write(at, &mut recent, &mut written, pen));
        (at, written)
    })
    .collect()
}

/// Takes back the rows of displaced samples where that is due. Rows of other contents with the same
/// key are written afterwards and replace the tombstone. Returns what is written of each.
pub(super) fn take_back_samples(
    state: &SessionState,
    pen: &mut Pen<'_>,
    count: &mut Written,
) -> Vec<(usize, u64)> {
    let due = state.samples.displaced.iter().enumerate().filter(|(_, sample)| sample.due);
    due.map(|(at, gone)| {
        let mut written = gone.written;
        count.count(take_back(state, gone, &mut written, pen));
        (at, written)
    })
    .collect()
}

fn take_back(state: &SessionState, gone: &StoredSample, last: &mut u64, pen: &mut Pen<'_>) -> Put {
    let uid = &gone.uid.to_string();
    match &gone.reading {
        Reading::Ingest(_) => pen.put(last, |stamp| IngestSample {
            org: &state.org,
            workflow_session_id: &state.session_id,
            gateway_ts: gone.ts,
            source_event_uid: uid,
            is_deleted: true,
            version: stamp.version,
            ingestion_timestamp: stamp.now,
            ..IngestSample::default()
        }),
        // A sample with the same number has the same key, and may have been written long ago.
        Reading::Transport(reading) if TransportPlace::is_taken(&state.samples.kept, reading) => {
            Put::Same
        }
        Reading::Transport(reading) => pen.put(last, |stamp| TransportSample {
            org: &state.org,
            workflow_session_id: &state.session_id,
            attempt: reading.stream.attempt,
            link_type: reading.stream.link.label(),
            channel: reading.stream.channel.label(),
            observer: reading.stream.observer.label(),
            sample_seq: reading.seq,
            sample_ts: gone.ts,
            is_deleted: true,
            version: stamp.version,
            ingestion_timestamp: stamp.now,
            ..TransportSample::default()
        }),
    }
}

/// Notes what was written of which samples.
pub(super) fn note_samples(samples: &mut [StoredSample], written: &[(usize, u64)]) {
    for (at, written) in written {
        if let Some(sample) = samples.get_mut(*at) {
            (sample.written, sample.due) = (*written, false);
        }
    }
}
