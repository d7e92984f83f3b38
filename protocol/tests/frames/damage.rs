//! Frames that are old, foreign, cut, padded or nonsense are refused with a sentence.

use std::fmt::Debug;

use naap_protocol::codec::{
    CodecError, Framed, HEADER_LEN, MAX_BODY, TraceContext, decode, encode, open,
};
use naap_protocol::peer::Notes;
use naap_protocol::state::{
    EpochOpen, EventState, Expired, OrchestratorState, Progress, SessionState,
};
use naap_protocol::wire::{Envelope, EnvelopeHead};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::sample;

/// A type that has had two formats before. The third appended a field.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Third {
    known: u32,
    #[serde(default)]
    appended: u32,
}

/// The same type in the release before.
#[derive(Serialize)]
struct Second {
    known: u32,
}

impl Framed for Second {
    const TYPE_ID: u16 = Third::TYPE_ID;
    const VERSION: u16 = 2;
    const NAME: &'static str = Third::NAME;
}

impl Framed for Third {
    const TYPE_ID: u16 = 0xfff3;
    const VERSION: u16 = 3;
    const NAME: &'static str = "third";
}

fn third(version: u16) -> Vec<u8> {
    let mut frame = encode(&Third { known: 7, appended: 8 }, TraceContext::default()).unwrap();
    frame[2..4].copy_from_slice(&version.to_le_bytes());
    frame
}

#[test]
fn this_version_and_the_one_before_are_read() {
    for version in [3, 2] {
        let frame = third(version);
        assert_eq!(open::<Third>(&frame).unwrap().0, version);
        assert_eq!(decode::<Third>(&frame).unwrap(), Third { known: 7, appended: 8 });
    }
    let before = encode(&Second { known: 7 }, TraceContext::default()).unwrap();
    assert_eq!(decode::<Third>(&before).unwrap(), Third { known: 7, appended: 0 });
    for version in [0, 1, 4, u16::MAX] {
        let error = decode::<Third>(&third(version)).unwrap_err();
        assert!(matches!(error, CodecError::WrongVersion { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!(
                "third frame has schema version {version}, this build reads 2 to 3; \
                 run the release that wrote it, or upgrade one release at a time"
            )
        );
    }
}

#[test]
fn there_is_no_version_zero() {
    let mut frame = encode(&sample::epoch_open(), TraceContext::default()).unwrap();
    frame[2] = 0;
    let error = decode::<EpochOpen>(&frame).unwrap_err().to_string();
    assert!(error.starts_with("epoch open frame has schema version 0, this build reads 1 to 1"));
}

#[test]
fn another_type_is_named() {
    let frame = encode(&sample::epoch_open(), TraceContext::default()).unwrap();
    let error = decode::<Progress>(&frame).unwrap_err().to_string();
    assert_eq!(error, "frame holds type 513, but progress (type 514) was expected");
}

/// A frame and what reads it.
type Sample = (&'static str, Vec<u8>, fn(&[u8]) -> Result<(), CodecError>);

fn reader<T: Framed + for<'de> Deserialize<'de>>(frame: &[u8]) -> Result<(), CodecError> {
    decode::<T>(frame).map(drop)
}

fn read_envelope(frame: &[u8]) -> Result<(), CodecError> {
    Envelope::from_frame(frame)?.items().try_for_each(|item| item.map(drop))
}

fn sample_of<T>(value: &T) -> Sample
where
    T: Framed + Serialize + for<'de> Deserialize<'de>,
{
    (T::NAME, encode(value, sample::TRACE).unwrap(), reader::<T>)
}

fn samples() -> [Sample; 8] {
    [
        sample_of::<SessionState>(&sample::session_state()),
        sample_of::<EventState>(&sample::event_state()),
        sample_of::<OrchestratorState>(&sample::orchestrator_state()),
        sample_of::<Expired>(&sample::expired()),
        sample_of::<EpochOpen>(&sample::epoch_open()),
        sample_of::<Progress>(&sample::progress()),
        sample_of::<Notes>(&sample::notes()),
        (EnvelopeHead::NAME, sample::envelope().to_frame().unwrap(), read_envelope),
    ]
}

#[test]
fn a_cut_frame_says_how_much_is_missing() {
    for (name, frame, read) in samples() {
        for have in 0..frame.len() {
            let need = if have < HEADER_LEN { HEADER_LEN } else { frame.len() };
            let error = read(&frame[..have]).unwrap_err().to_string();
            assert_eq!(error, format!("{name} frame is cut short: {have} of {need} bytes"));
        }
    }
}

#[test]
fn bytes_behind_a_frame_are_refused() {
    for (name, mut frame, read) in samples() {
        frame.extend([0xc0; 3]);
        let error = read(&frame).unwrap_err().to_string();
        assert_eq!(error, format!("{name} frame is followed by 3 stray bytes"));
        // The same bytes as part of the body.
        let len = (frame.len() - HEADER_LEN) as u32;
        frame[4..8].copy_from_slice(&len.to_le_bytes());
        let error = read(&frame).unwrap_err();
        assert!(matches!(error, CodecError::Body { .. }), "{name}: {error}");
    }
}

/// A frame whose length fields agree, with a body that is cut.
#[test]
fn a_cut_body_is_malformed() {
    for (name, frame, read) in samples() {
        for len in HEADER_LEN..frame.len() {
            let mut cut = frame[..len].to_vec();
            cut[4..8].copy_from_slice(&((len - HEADER_LEN) as u32).to_le_bytes());
            let error = read(&cut).unwrap_err();
            assert!(matches!(error, CodecError::Body { .. }), "{name} at {len}: {error}");
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }
}

#[test]
fn a_hostile_length_is_refused_before_anything_is_read() {
    for (name, frame, read) in samples() {
        for len in [MAX_BODY as u32 + 1, u32::MAX] {
            let mut hostile = frame.clone();
            hostile[4..8].copy_from_slice(&len.to_le_bytes());
            assert_eq!(
                read(&hostile).unwrap_err().to_string(),
                format!("{name} frame announces {len} bytes, more than the limit of 67108864")
            );
        }
    }
}

#[test]
fn a_body_beyond_the_limit_is_not_written() {
    let node = "n".repeat(MAX_BODY);
    let error = encode(&EpochOpen { node, ..sample::epoch_open() }, sample::TRACE).unwrap_err();
    assert!(matches!(error, CodecError::TooLarge { len, .. } if len > MAX_BODY), "{error}");
}

/// Any answer is right; a crash is not.
fn survive<T: Debug>(_answer: &Result<T, CodecError>) {}

proptest! {
    #[test]
    fn any_header_gets_an_answer(
        which in 0..6_usize, at in 0..HEADER_LEN, bytes in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let (_, mut frame, read) = samples()[which].clone();
        let end = (at + bytes.len()).min(HEADER_LEN);
        frame[at..end].copy_from_slice(&bytes[..end - at]);
        let changed = frame[..8] != samples()[which].1[..8];
        prop_assert_eq!(read(&frame).is_err(), changed);
    }

    #[test]
    fn any_body_gets_an_answer(
        which in 0..6_usize, at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let (_, mut frame, read) = samples()[which].clone();
        let at = HEADER_LEN + at.index(frame.len() - HEADER_LEN);
        let end = (at + bytes.len()).min(frame.len());
        frame[at..end].copy_from_slice(&bytes[..end - at]);
        survive(&read(&frame));
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, _, read) in samples() {
            prop_assert!(read(&bytes).is_err());
        }
    }
}
