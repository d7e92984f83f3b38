//! The bytes that every release must read: `tests/golden/<type>.v<version>.bin`. A changed file is a
//! changed format and needs a new version; `NAAP_UPDATE=1` writes the files of the current versions.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use naap_protocol::capability::decide::Decision;
use naap_protocol::capability::index::{Index, Run, WINDOW_MS};
use naap_protocol::cluster::{
    BatchAck, BatchHead, Beat, Hello, LINK_VERSIONS, Request, Response, Verdict,
};
use naap_protocol::codec::{Framed, decode, encode, open};
use naap_protocol::peer::{Note, Notes, Sender};
use naap_protocol::state::{
    EpochOpen, EventState, Expired, HourKey, OrchestratorState, Progress, SessionState,
};
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{Envelope, EnvelopeHead, Item};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sample;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn file_of<T: Framed>() -> String {
    format!("{}.v{}.bin", T::NAME.replace(' ', "_"), T::VERSION)
}

/// The golden bytes of `T`, which must be `frame`.
fn golden<T: Framed>(frame: &[u8]) -> Vec<u8> {
    let path = root().join("tests/golden").join(file_of::<T>());
    if std::env::var_os("NAAP_UPDATE").is_some() {
        fs::write(&path, frame).unwrap();
    }
    let golden = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(
        hex::encode(frame),
        hex::encode(&golden),
        "the format of {} has changed: give it a new version",
        T::NAME
    );
    golden
}

fn check<T>(value: &T)
where
    T: Framed + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let golden = golden::<T>(&encode(value, sample::TRACE).unwrap());
    assert_eq!(decode::<T>(&golden).unwrap(), *value);
    let (version, trace, _) = open::<T>(&golden).unwrap();
    assert_eq!((version, trace), (T::VERSION, sample::TRACE));
}

#[test]
fn states_keep_their_bytes() {
    check::<SessionState>(&sample::session_state());
    check::<EventState>(&sample::event_state());
    check::<OrchestratorState>(&sample::orchestrator_state());
    check::<Expired>(&sample::expired());
    check::<EpochOpen>(&sample::epoch_open());
    check::<Progress>(&sample::progress());
}

#[test]
fn what_nodes_say_of_themselves_keeps_its_bytes() {
    check::<Hello>(&sample::hello());
    check::<Verdict>(&sample::verdict());
    check::<Beat>(&sample::beat());
    check::<BatchHead>(&sample::batch());
    check::<BatchAck>(&sample::batch_ack());
    check::<Request>(&Request::Drain("naap-1".to_owned()));
    check::<Response>(&sample::response());
}

#[test]
fn notes_keep_their_bytes() {
    check::<Notes>(&sample::notes());
}

/// What the release before this one has written.
fn earlier<T: Framed + DeserializeOwned>(file: &str) -> T {
    decode(&fs::read(root().join("tests/golden").join(file)).unwrap()).unwrap()
}

/// Capacities came with the versions of today.
fn forget_capacity(decision: &mut Option<Decision>) {
    if let Some(chosen) = decision.as_mut().and_then(|decision| decision.chosen.as_mut()) {
        chosen.capacity = None;
    }
}

#[test]
fn the_version_before_is_read() {
    assert_eq!(earlier::<Request>("cluster_request.v1.bin"), Request::Drain("naap-1".to_owned()));
    let mut session = sample::session_state();
    let hours = std::mem::take(&mut session.written.hours).into_iter();
    session.written.hours =
        hours.map(|(key, hash)| (HourKey { identity_index: 0, ..key }, hash)).collect();
    for answer in &mut session.answers {
        forget_capacity(&mut answer.by_url);
        forget_capacity(&mut answer.by_address);
    }
    assert_eq!(earlier::<SessionState>("session_state.v1.bin"), session);
    let mut state = earlier::<OrchestratorState>("orchestrator_state.v2.bin");
    let newest = state.index.newest().unwrap();
    let covers = |index: &Index| index.covers(Timestamp(newest.0 - WINDOW_MS - 1));
    assert!(!covers(&state.index), "it kept 48 h");
    state.index.keep_everything();
    assert!(covers(&state.index));
    let runs = |state: &OrchestratorState| -> Vec<_> {
        let nodes = state.index.nodes().flat_map(|(_, runs)| runs.as_slice()).cloned();
        let seen = |run: &Run| -> Vec<_> {
            let seen = run.seen().iter();
            seen.map(|seen| (seen.ts, seen.uid.clone(), seen.capacities.clone())).collect()
        };
        nodes.map(|run| (run.content().clone(), seen(&run))).collect()
    };
    assert_eq!(runs(&state), runs(&sample::orchestrator_state()));
    let mut notes = sample::notes();
    notes.0.retain(|note| !matches!(note, Note::Heir { .. }));
    for note in &mut notes.0 {
        if let Note::Ask { from, .. } | Note::Evidence { from, .. } = note {
            *from = Sender::default();
        }
    }
    assert_eq!(earlier::<Notes>("notes.v3.bin"), notes);
    let bytes = fs::read(root().join("tests/golden/envelope.v2.bin")).unwrap();
    let envelope = Envelope::from_frame(&bytes).unwrap();
    let of_then = envelope.items().map(Result::unwrap).filter(|item| {
        matches!(&**item, Item::Advertisement(15, said) if said.advertisement.content_hash == 0)
    });
    assert_eq!(of_then.count(), 1);
    let progress = Progress { watermark: None, ..sample::progress() };
    assert_eq!(earlier::<Progress>("progress.v1.bin"), progress);
}

#[test]
fn envelopes_keep_their_bytes() {
    let envelope = sample::envelope();
    let golden = golden::<EnvelopeHead>(&envelope.to_frame().unwrap());
    let read = Envelope::from_frame(&golden).unwrap();
    assert_eq!(read, envelope);
    let items: Vec<_> = read.items().map(Result::unwrap).collect();
    let mut events = sample::events().into_iter();
    let mut advertised = 0;
    for (item, entity) in items.iter().zip(u128::MAX - 9..) {
        match &**item {
            Item::Session(id, event) | Item::Single(id, event) => {
                assert_eq!((*id, Some(event)), (entity, events.next().as_ref()));
            }
            Item::Advertisement(15, content) => {
                assert_eq!(*content, sample::advertised());
                advertised += 1;
            }
            Item::Advertisement(..) => panic!("another entity"),
        }
    }
    assert_eq!((events.next(), advertised, items.len()), (None, 1, 9));
}

/// Type id, name and golden file of a framed type.
type Row = (u16, &'static str, fn() -> String);

const REGISTRY: [Row; 15] = [
    (SessionState::TYPE_ID, "SessionState", file_of::<SessionState>),
    (EventState::TYPE_ID, "EventState", file_of::<EventState>),
    (OrchestratorState::TYPE_ID, "OrchestratorState", file_of::<OrchestratorState>),
    (Expired::TYPE_ID, "Expired", file_of::<Expired>),
    (EpochOpen::TYPE_ID, "EpochOpen", file_of::<EpochOpen>),
    (Progress::TYPE_ID, "Progress", file_of::<Progress>),
    (EnvelopeHead::TYPE_ID, "EnvelopeHead", file_of::<EnvelopeHead>),
    (Hello::TYPE_ID, "Hello", file_of::<Hello>),
    (Verdict::TYPE_ID, "Verdict", file_of::<Verdict>),
    (Beat::TYPE_ID, "Beat", file_of::<Beat>),
    (BatchHead::TYPE_ID, "BatchHead", file_of::<BatchHead>),
    (BatchAck::TYPE_ID, "BatchAck", file_of::<BatchAck>),
    (Request::TYPE_ID, "Request", file_of::<Request>),
    (Response::TYPE_ID, "Response", file_of::<Response>),
    (Notes::TYPE_ID, "Notes", file_of::<Notes>),
];

/// The types with `impl Framed for` anywhere in the sources.
fn framed_types(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            framed_types(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.split("impl Framed for ").skip(1);
            found.extend(names.filter_map(|rest| Some(rest.split_once(' ')?.0.to_owned())));
        }
    }
}

#[test]
fn every_frame_is_registered_once_and_has_golden_bytes() {
    let mut sources = BTreeSet::new();
    framed_types(&root().join("src"), &mut sources);
    let names: BTreeSet<String> = REGISTRY.iter().map(|(_, name, _)| (*name).to_owned()).collect();
    assert_eq!(sources, names, "a framed type has no golden bytes");
    let ids: BTreeSet<u16> = REGISTRY.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids.len(), REGISTRY.len(), "a type id is used twice");
    for (_, name, file) in REGISTRY {
        assert!(root().join("tests/golden").join(file()).exists(), "{name}");
    }
}

/// Nodes write frames of the versions of today and no others. So a node that reads less must have no link: the
/// version of links rises with each of them. What it stands for is written once and never again.
#[test]
fn the_version_of_links_rises_with_that_of_any_frame() {
    let (oldest, newest) = LINK_VERSIONS;
    assert_eq!(oldest, newest, "nothing writes frames of an earlier version");
    let mut frames: Vec<_> = REGISTRY.iter().map(|(_, _, file)| file()).collect();
    frames.sort_unstable();
    let text = frames.iter().map(|file| file.replace(".bin", "\n")).collect::<String>();
    let path = root().join(format!("tests/golden/link.v{newest}.txt"));
    if std::env::var_os("NAAP_UPDATE").is_some() && !path.exists() {
        fs::write(&path, &text).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        known, text,
        "the version of a frame has changed: raise LINK_VERSIONS, both of them"
    );
}
