//! How long a status event takes through an envelope:
//! `cargo run --release -p naap-protocol --example codec_bench`.
//! Prints the median CPU time per event over envelopes of 1,000 events, on one thread.

use std::hint::black_box;
use std::time::Duration;

use naap_protocol::codec::TraceContext;
use naap_protocol::event::Event;
use naap_protocol::gate::{Gate, Outcome, Record};
use naap_protocol::state::SourcePartition;
use naap_protocol::wire::{Envelope, EnvelopeBuilder, EnvelopeHead};

const EVENTS: u32 = 1_000;
const ROUNDS: usize = 501;
const CAPTURE: &str = include_str!("../../tests/fixtures/events-2026-01-08.jsonl");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gate = Gate::default();
    let mut repaired = String::new();
    let is_status = |line: &&str| line.contains(r#""ai_stream_status""#);
    let line = CAPTURE.lines().find(is_status).ok_or("the capture has no status event")?;
    let record = Record {
        topic: "streaming_events",
        partition: 0,
        offset: 7,
        record_ts: None,
        value: Some(line.as_bytes()),
    };
    let Outcome::Accepted(event) = gate.admit(record, &mut repaired) else {
        return Err("the status event is not accepted".into());
    };
    let (mut encode, mut frames, mut decode) = (Vec::new(), Vec::new(), Vec::new());
    let mut size = 0;
    for _ in 0..ROUNDS {
        let (envelope, time) = timed(|| seal(&event));
        encode.push(time);
        let (frame, time) = timed(|| envelope?.to_frame());
        frames.push(time);
        let frame = frame?;
        size = frame.len();
        let (read, time) = timed(|| read(&frame));
        decode.push(time);
        assert_eq!(read?, EVENTS, "every event comes back");
    }
    let [encode, frames, decode] = [encode, frames, decode].map(median);
    let each = size / EVENTS as usize;
    eprintln!("status event, {} B of JSON, {each} B framed", line.len());
    eprintln!("encode {encode:5.0} ns, frame {frames:5.0} ns, decode {decode:5.0} ns per event");
    Ok(())
}

type Coded<T> = Result<T, naap_protocol::codec::CodecError>;

fn seal(event: &Event<'_>) -> Coded<Envelope> {
    let mut builder = EnvelopeBuilder::default();
    for entity in 0..EVENTS {
        builder.push_session(u128::from(entity) << 64, black_box(event))?;
    }
    let head = EnvelopeHead {
        shard: 3,
        epoch_hint: 1,
        org: "cloud_spe".to_owned(),
        source: SourcePartition { topic: "streaming_events".to_owned(), partition: 0 },
        from: 0,
        to: u64::from(EVENTS),
        count: 0,
    };
    Ok(builder.seal(head, TraceContext::default()))
}

fn read(frame: &[u8]) -> Coded<u32> {
    let envelope = Envelope::from_frame(black_box(frame))?;
    let mut count = 0;
    for item in envelope.items() {
        black_box(item?);
        count += 1;
    }
    Ok(count)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = cpu_time();
    let done = work();
    (done, cpu_time().saturating_sub(start))
}

/// CPU time of this thread: other load on the machine does not count.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Nanoseconds per event.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    median.as_secs_f64() * 1e9 / f64::from(EVENTS)
}
