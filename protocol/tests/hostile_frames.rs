//! A frame can not make its reader allocate more than its own size justifies. The only test of its
//! process, because the peak of the address space is what is measured.
#![allow(clippy::unwrap_used)] // helpers of tests panic like tests do

use naap_protocol::codec::{Framed, TraceContext, decode, put_header};
use naap_protocol::state::{
    EpochOpen, EventState, Expired, OrchestratorState, Progress, SessionState,
};
use naap_protocol::wire::{Envelope, EnvelopeHead};

/// Growth that the whole test may cause, bytes.
const BUDGET: usize = 64 << 20;

/// Most address space that this process ever had, bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// `body` as a frame of type `T`.
fn frame<T: Framed>(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    put_header::<T>(&mut frame, body.len(), TraceContext::default());
    frame.extend_from_slice(body);
    frame
}

/// Reads `body` as every framed type.
fn read_all(body: &[u8]) {
    assert!(decode::<SessionState>(&frame::<SessionState>(body)).is_err());
    assert!(decode::<EventState>(&frame::<EventState>(body)).is_err());
    assert!(decode::<OrchestratorState>(&frame::<OrchestratorState>(body)).is_err());
    assert!(decode::<Expired>(&frame::<Expired>(body)).is_err());
    assert!(decode::<EpochOpen>(&frame::<EpochOpen>(body)).is_err());
    assert!(decode::<Progress>(&frame::<Progress>(body)).is_err());
    assert!(Envelope::from_frame(&frame::<EnvelopeHead>(body)).is_err());
}

#[test]
fn hostile_lengths_allocate_nothing() {
    let before = peak();
    // MessagePack: array, map, text and bytes that announce 4 Gi elements.
    let claims = [[0xdd; 5], [0xdf; 5], [0xdb; 5], [0xc6; 5]].map(|mut claim| {
        claim[1..].fill(0xff);
        claim
    });
    let texts = |n: usize| [vec![0x97], vec![0xa0; n]].concat();
    for claim in claims {
        // In the place of the whole body, and of each of its first fields.
        read_all(&claim);
        for fields in 0..7 {
            read_all(&[texts(fields).as_slice(), &claim].concat());
            read_all(&[texts(fields).as_slice(), &claim.repeat(50)].concat());
        }
        // Length of the head of an envelope.
        read_all(&[&claim[1..], &claim].concat());
    }
    for level in [0x91_u8, 0xdd, 0x81] {
        read_all(&vec![level; 1 << 20]);
    }
    let grown = peak() - before;
    assert!(grown < BUDGET, "the address space has grown by {grown} bytes");
}
