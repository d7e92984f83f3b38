use std::time::{Duration, Instant};

use naap_protocol::peer::Note;
use proptest::collection::vec;
use proptest::prelude::*;

use super::outlet::{Limits, Overflow, Queue};
use super::*;

fn through(message: ExchangeMsg) -> ExchangeMsg {
    ExchangeMsg::deserialize(message.serialize().unwrap()).unwrap()
}

#[test]
fn batches_and_acks_travel_and_nothing_else() {
    let ack = BatchAck { node: "b".into(), link: 1, number: 2, refusal: None };
    assert!(
        matches!(through(ExchangeMsg::Ack(ack.clone())), ExchangeMsg::Ack(read) if read == ack)
    );
    let open = BatchHead { node: "b".into(), link: 0, number: 0, count: 0 };
    let read = through(ExchangeMsg::Open(open.clone()));
    assert!(matches!(read, ExchangeMsg::Open(head) if head == open));
    let batch = ExchangeMsg::Batch { head: vec![1], body: vec![2, 3] };
    let read = through(batch);
    assert!(matches!(read, ExchangeMsg::Batch { head, body } if head == [1] && body == [2, 3]));
    let unlinked = ExchangeMsg::Unlinked { node: "b".into(), incarnation: 1 };
    assert!(unlinked.serialize().is_err());
    for (variant, metadata) in [(BATCH, None), (ACK, Some(vec![])), (OPEN, None), ("other", None)] {
        let message =
            SerializedMessage::Cast { variant: variant.into(), args: b"junk".to_vec(), metadata };
        let read = ExchangeMsg::deserialize(message).unwrap();
        assert!(matches!(read, ExchangeMsg::Unreadable(_)), "{variant}");
    }
}

#[derive(Debug, Default)]
struct Kept(std::sync::Mutex<Vec<PeerMsg>>);

impl Inbox for Kept {
    fn linked(&self, _node: &Arc<str>) {}

    fn take(&self, _node: &Arc<str>, message: PeerMsg) {
        self.0.lock().unwrap().push(message);
    }
}

#[test]
fn a_batch_is_handed_over_in_order_up_to_what_can_not_be_read() {
    let kept = Arc::new(Kept::default());
    let state = State {
        node: "a".into(),
        outlets: Outlets::default(),
        links: BTreeMap::new(),
        ready: BTreeSet::new(),
        inbox: Some(kept.clone()),
        opened: 0,
    };
    let notes = |shard| Notes(vec![Note::Credit { shard, epoch: 1, bytes: 2 }]);
    let frame = |shard| codec::encode(&notes(shard), TraceContext::default()).unwrap();
    let body = [frame(1), frame(2)].concat();
    let from: Arc<str> = "b".into();
    assert_eq!(state.hand_over(&from, &body, 2), Ok(()));
    let expected = [PeerMsg::Notes(notes(1)), PeerMsg::Notes(notes(2))];
    assert_eq!(std::mem::take(&mut *kept.0.lock().unwrap()), expected);
    let refusals = [
        (body.as_slice(), 1, "the batch is followed by stray bytes"),
        (body.as_slice(), 3, "the batch is cut short"),
        (&body[..body.len() - 1], 2, "the batch is cut short"),
    ];
    for (body, count, reason) in refusals {
        assert_eq!(state.hand_over(&from, body, count), Err(reason.to_owned()));
    }
    let beat = codec::encode(
        &BatchAck { node: "b".into(), link: 1, number: 1, refusal: None },
        TraceContext::default(),
    )
    .unwrap();
    let refusal = state.hand_over(&from, &beat, 1).unwrap_err();
    assert!(refusal.contains("notes (type 770) was expected"), "{refusal}");
}

const LIMITS: Limits = Limits { full: 256, window: 1024, budget: 4096 };

/// What can happen to an outlet.
#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Next,
    Ack(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..300_usize).prop_map(Step::Push),
        3 => Just(Step::Next),
        2 => (0..4_u64).prop_map(Step::Ack),
    ]
}

proptest! {
    #[test]
    fn an_outlet_keeps_its_bounds_and_its_order(steps in vec(step(), 1..300)) {
        let mut queue = Queue::new(LIMITS);
        let now = Instant::now();
        let (mut pushed, mut sent, mut acked) = (Vec::new(), Vec::new(), 0_u64);
        let mut under_way: Vec<(u64, usize)> = Vec::new();
        for step in steps {
            match step {
                Step::Push(size) => {
                    let frame = vec![pushed.len() as u8; size];
                    let held: usize = pushed.iter().map(Vec::len).sum::<usize>()
                        - sent.iter().map(Vec::len).sum::<usize>()
                        + under_way.iter().map(|(_, size)| size).sum::<usize>();
                    let outcome = queue.push(&frame, TraceContext::default());
                    prop_assert_eq!(outcome.is_ok(), held + size <= LIMITS.budget);
                    if outcome.is_err() {
                        prop_assert_eq!(queue.push(&[1], TraceContext::default()), Err(Overflow));
                        prop_assert!(queue.next(now).is_none(), "nothing may follow a gap");
                        return Ok(());
                    }
                    pushed.push(frame);
                }
                Step::Next => {
                    let bytes: usize = under_way.iter().map(|(_, size)| size).sum();
                    let Some(batch) = queue.next(now) else {
                        prop_assert!(bytes > 0 || pushed.concat().len() == sent.concat().len());
                        continue;
                    };
                    prop_assert!(bytes == 0 || bytes + batch.body.len() <= LIMITS.window);
                    prop_assert_eq!(batch.number, acked + under_way.len() as u64);
                    under_way.push((batch.number, batch.body.len()));
                    sent.push(batch.body);
                }
                Step::Ack(ahead) => {
                    let number = acked + ahead;
                    let known = under_way.iter().any(|(known, _)| *known <= number);
                    let took = queue.acked(number, now + Duration::from_secs(1));
                    prop_assert_eq!(took.is_some(), known);
                    under_way.retain(|(known, _)| *known > number);
                    acked = sent.len() as u64 - under_way.len() as u64;
                }
            }
        }
        let (pushed, sent) = (pushed.concat(), sent.concat());
        prop_assert!(pushed.starts_with(&sent));
    }
}
