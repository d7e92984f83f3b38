//! Everything that travels between nodes or is kept as state: golden bytes, round trips, damage.
// Helpers of tests panic like tests do.
#![allow(clippy::panic, clippy::unwrap_used)]

mod arbitrary;
mod damage;
mod golden;
mod sample;

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use naap_protocol::codec::{Framed, decode, encode, open, split_first};
use naap_protocol::event::Event;
use naap_protocol::lot::Lot;
use naap_protocol::wire::{Advertised, Envelope, EnvelopeBuilder, Item};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn survives<T>(value: &T) -> Result<(), TestCaseError>
where
    T: Framed + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let frame = encode(value, sample::TRACE)?;
    prop_assert_eq!(open::<T>(&frame)?.1, sample::TRACE);
    prop_assert_eq!(&decode::<T>(&frame)?, value);
    Ok(())
}

/// An item before it is encoded.
#[derive(Clone, Debug)]
enum Part {
    Session(Event<'static>),
    Single(Event<'static>),
    Advertisement(Advertised),
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        arbitrary::event().prop_map(Part::Session),
        arbitrary::event().prop_map(Part::Single),
        arbitrary::advertised().prop_map(Part::Advertisement),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn states_survive(
        session in arbitrary::session_state(), event in arbitrary::event_state(),
        orchestrator in arbitrary::orchestrator_state(), epoch in arbitrary::epoch_open(),
        progress in arbitrary::progress(), expired in arbitrary::expired(),
    ) {
        survives(&session)?;
        survives(&event)?;
        survives(&orchestrator)?;
        survives(&epoch)?;
        survives(&progress)?;
        survives(&expired)?;
    }

    #[test]
    fn envelopes_survive(
        head in arbitrary::head(), parts in vec((any::<u128>(), part()), 0..6),
    ) {
        let mut builder = EnvelopeBuilder::default();
        for (entity, part) in &parts {
            match part {
                Part::Session(event) => builder.push_session(*entity, event)?,
                Part::Single(event) => builder.push_single(*entity, event)?,
                Part::Advertisement(advertised) => builder.push_advertisement(*entity, advertised)?,
            }
        }
        let envelope = builder.seal(head.clone(), sample::TRACE);
        prop_assert!(builder.is_empty());
        let frame = envelope.to_frame()?;
        let read = Envelope::from_frame(&frame)?;
        prop_assert_eq!(&read, &envelope);
        prop_assert_eq!(read.cost() <= frame.len(), true);
        prop_assert_eq!(read.head.count as usize, parts.len());
        let items = read.items().map(|item| item.map(Cow::into_owned));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        let want: Vec<Item<'_>> = parts.into_iter().map(|(entity, part)| match part {
            Part::Session(event) => Item::Session(entity, event),
            Part::Single(event) => Item::Single(entity, event),
            Part::Advertisement(advertised) => Item::Advertisement(entity, advertised),
        }).collect();
        prop_assert_eq!(&items, &want);
        // As the reader of a node hands them over, with an item of another shard among them.
        let mut lot = want.clone();
        lot.extend(want.first().cloned());
        let places = (0..want.len() as u32).collect();
        let lot = Arc::new(Lot::new(String::new(), |_| lot));
        let shared = Envelope::shared(head, sample::TRACE, lot, places);
        let items = shared.items().map(|item| item.map(Cow::into_owned));
        prop_assert_eq!(items.collect::<Result<Vec<_>, _>>()?, want);
        prop_assert_eq!(shared.to_frame()?, frame, "it travels as if it had been encoded");
    }
}

#[test]
fn frames_behind_each_other_are_split() {
    let first = encode(&sample::beat(), sample::TRACE).unwrap();
    let second = encode(&sample::hello(), sample::TRACE).unwrap();
    let both = [first.as_slice(), &second].concat();
    let (left, rest) = split_first(&both).unwrap();
    assert_eq!((left, rest), (first.as_slice(), second.as_slice()));
    assert_eq!(split_first(rest), Some((second.as_slice(), &[][..])));
    for cut in 0..second.len() {
        assert_eq!(split_first(&second[..cut]), None, "{cut}");
    }
}
