//! Any bytes as every kind of state. The first two bytes say which; the rest of the header is
//! repaired, so that bodies are reached.
#![no_main]

use libfuzzer_sys::fuzz_target;
use naap_protocol::capability::index::Index;
use naap_protocol::codec::{Framed, HEADER_LEN, TraceContext, decode, encode, put_header};
use naap_protocol::state::{
    Delivery, Elements, EpochOpen, EventState, Expired, Family, OrchestratorState, Progress, SessionState,
};
use naap_protocol::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|data: &[u8]| {
    let Some((id, rest)) = data.split_first_chunk::<2>() else { return };
    let body = rest.get(HEADER_LEN - 2..).unwrap_or(rest);
    match u16::from_le_bytes(*id) {
        SessionState::TYPE_ID => read(data, body).map_or((), use_session),
        EventState::TYPE_ID => read(data, body).map_or((), use_event),
        OrchestratorState::TYPE_ID => read(data, body).map_or((), use_orchestrator),
        Expired::TYPE_ID => drop(read::<Expired>(data, body)),
        EpochOpen::TYPE_ID => drop(read::<EpochOpen>(data, body)),
        _ => drop(read::<Progress>(data, body)),
    }
});

fn read<T: Framed + Serialize + DeserializeOwned>(data: &[u8], body: &[u8]) -> Option<T> {
    let _as_it_stands = decode::<T>(data);
    let mut frame = Vec::new();
    put_header::<T>(&mut frame, body.len(), TraceContext::default());
    frame.extend_from_slice(body);
    let value = decode::<T>(&frame).ok()?;
    // Compared as bytes, because a state can hold numbers that are not equal to themselves.
    let bytes = encode(&value, TraceContext::default()).expect("what was read can be written");
    let again: T = decode(&bytes).expect("own bytes");
    assert_eq!(encode(&again, TraceContext::default()).expect("as before"), bytes);
    Some(value)
}

fn use_session(mut state: SessionState) {
    for signal in &state.signals {
        drop((signal.uid.to_string(), state.symbols.text(signal.url).len()));
    }
    if let Some(uid) = state.signals.first().map(|signal| signal.uid.to_string()) {
        assert!(state.displace(&uid).is_some());
    }
    let at = naap_protocol::state::Coordinates { topic: "t".into(), partition: 0, offset: 0 };
    let stamp = Timestamp(0);
    let delivery = Delivery {
        at,
        record_ts: stamp,
        event_ts: stamp,
        content_hash: 0,
        family: Family::Status,
        replay: false,
        elements: Elements::default(),
    };
    let _sighting = state.deliveries.observe("uid", &delivery);
    state.deliveries.forget("uid", &delivery.at);
}

fn use_event(mut state: EventState) {
    for delivery in state.known() {
        for key in delivery.elements.keys(3).take(100) {
            assert!(delivery.elements.contains(3, key));
        }
    }
    if let Some(last) = state.known().last().cloned() {
        let _redelivery = state.observe(&last);
    }
}

fn use_orchestrator(state: OrchestratorState) {
    for (_, runs) in state.index.nodes() {
        for run in runs.as_slice() {
            let times = run.seen().iter().map(|seen| seen.ts);
            for ts in times.take(8) {
                assert!(runs.intervals(ts).iter().all(|part| part.seen().next().is_some()));
            }
        }
    }
    // No law holds for lists that no insertion orders like that, but merging them has an end.
    let mut merged = Index::default();
    merged.merge(&state.index);
    let _complete = merged.newest().is_some_and(|newest| merged.covers(newest));
}
