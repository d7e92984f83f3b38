//! Any bytes as an envelope, with and without a header that fits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use naap_protocol::codec::{HEADER_LEN, TraceContext, put_header};
use naap_protocol::wire::{Envelope, EnvelopeHead, Item};

fuzz_target!(|data: &[u8]| {
    read(data);
    let body = data.get(HEADER_LEN..).unwrap_or(data);
    let mut frame = Vec::new();
    put_header::<EnvelopeHead>(&mut frame, body.len(), TraceContext::default());
    frame.extend_from_slice(body);
    read(&frame);
});

fn read(frame: &[u8]) {
    let Ok(envelope) = Envelope::from_frame(frame) else { return };
    let again = envelope.to_frame().expect("what was read can be written");
    assert_eq!(Envelope::from_frame(&again).expect("own bytes"), envelope);
    let mut count = 0;
    for item in envelope.items() {
        match item.as_deref() {
            // Where the text of `data` lies is the sender's word.
            Ok(Item::Session(_, event) | Item::Single(_, event)) => drop(event.data().len()),
            Ok(Item::Advertisement(..)) => {}
            Err(error) => drop(error.to_string()),
        }
        count += 1;
    }
    assert!(count <= u64::from(envelope.head.count) + 1);
}
