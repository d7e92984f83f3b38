use naap_protocol::codec::TraceContext;
use naap_protocol::wire::{EnvelopeBuilder, EnvelopeHead};

use super::*;

fn source() -> SourcePartition {
    SourcePartition { topic: "t".into(), partition: 0 }
}

fn envelope(shard: u16, from: u64, to: u64) -> Envelope {
    let head = EnvelopeHead {
        shard,
        epoch_hint: 0,
        org: "o".to_owned(),
        source: source(),
        from,
        to,
        count: 0,
    };
    EnvelopeBuilder::default().seal(head, TraceContext::default())
}

fn attached(flow: &mut Flow, shard: u16, epoch: u64, wanted: u64) {
    let asked = flow.partitions[&source()].of[usize::from(shard)].attached;
    let Attached::Asked { wish: ask, .. } = asked else { panic!("nothing was asked") };
    flow.note(Note::Attached { shard, epoch, source: source(), wanted, ask });
}

fn attach(shard: u16, start: u64, ask: u64) -> Out {
    Out::Note(Note::Attach { shard, source: source(), start, ask })
}

/// Reads up to `to` and gives `shard` an envelope.
fn read(flow: &mut Flow, shard: u16, to: u64) {
    assert_eq!(flow.read(&source(), to), Reading::Next);
    let from = flow.serve(&source(), shard, to).expect("not served yet");
    flow.dispatch(envelope(shard, from, to));
}

fn sent(flow: &mut Flow) -> Vec<(u64, u64, u64)> {
    let of = |out| match out {
        Out::Envelope(e) => Some((e.head.epoch_hint, e.head.from, e.head.to)),
        _ => None,
    };
    flow.take_out().into_iter().filter_map(of).collect()
}

#[test]
fn nothing_goes_out_before_the_shard_has_answered() {
    let mut flow = Flow::new(2, 1 << 20, 1 << 20);
    flow.assign(&source(), 10);
    read(&mut flow, 1, 20);
    assert_eq!(flow.take_out(), [attach(0, 10, 1), attach(1, 10, 2)]);
    assert!(flow.waiting_bytes() > 0);
    flow.tick(AGAIN_MS.into());
    assert_eq!(flow.take_out(), [attach(0, 10, 1), attach(1, 10, 2)], "it may have been lost");
    attached(&mut flow, 1, 7, 10);
    assert_eq!(sent(&mut flow), [(7, 10, 20)]);
    assert_eq!(flow.waiting_bytes(), 0);
    flow.mark();
    assert_eq!(flow.take_out(), [], "1 was served, 0 is not attached");
    attached(&mut flow, 0, 3, 10);
    flow.mark();
    let mark = Note::Mark { shard: 0, epoch: 3, source: source(), from: 10, to: 20 };
    assert_eq!(flow.take_out(), [Out::Note(mark)]);
}

/// Times from `from` to before `to` at which shard 0 is asked, where time passes in steps of 100 ms.
fn asked(flow: &mut Flow, from: u64, to: u64) -> Vec<u64> {
    let asks = |now: &u64| {
        flow.tick(*now);
        !flow.take_out().is_empty()
    };
    (from..to).step_by(100).filter(asks).collect()
}

#[test]
fn a_wish_that_is_not_answered_is_repeated_ever_more_rarely() {
    let mut flow = Flow::new(1, 1 << 20, 1 << 20);
    flow.assign(&source(), 10);
    assert_eq!(flow.take_out(), [attach(0, 10, 1)]);
    let times = [500, 1_500, 3_500, 7_500, 15_500, 31_500, 61_500, 91_500];
    assert_eq!(asked(&mut flow, 0, 100_000), times);
    let claimed = |epoch| Note::Claimed { shard: 0, epoch, applied: Vec::new() };
    flow.note(claimed(1));
    assert_eq!(flow.take_out(), [], "its answer is good for the first opening");
    let times = [100_000, 101_000, 103_000, 107_000, 115_000];
    assert_eq!(asked(&mut flow, 100_000, 120_000), times, "it has begun to work");
    flow.note(claimed(1));
    assert_eq!(asked(&mut flow, 120_000, 122_000), [120_000, 121_000], "it works again");
    flow.note(claimed(2));
    assert_eq!(flow.take_out(), [attach(0, 10, 2)], "a later opening");
    assert_eq!(asked(&mut flow, 122_000, 124_000), [122_400, 123_400]);
    flow.unassign(&source());
    flow.assign(&source(), 10);
    assert_eq!(flow.take_out(), [attach(0, 10, 3)]);
    assert_eq!(asked(&mut flow, 124_000, 126_000), [124_400, 125_400]);
}

#[test]
fn a_new_owner_gets_what_the_old_one_has_not_claimed() {
    let mut flow = Flow::new(1, 1 << 20, 1 << 20);
    flow.assign(&source(), 10);
    attached(&mut flow, 0, 1, 10);
    read(&mut flow, 0, 20);
    read(&mut flow, 0, 30);
    flow.take_out();
    flow.note(Note::Claimed { shard: 0, epoch: 1, applied: vec![(source(), 20)] });
    // Another opening is heard of.
    flow.note(Note::Claimed { shard: 0, epoch: 2, applied: Vec::new() });
    assert_eq!(flow.take_out(), [attach(0, 20, 2)]);
    // An answer to the first wish, from before the envelopes, is none to this one.
    let late = Note::Attached { shard: 0, epoch: 2, source: source(), wanted: 10, ask: 1 };
    flow.note(late);
    assert_eq!(flow.take_out(), []);
    attached(&mut flow, 0, 2, 20);
    assert_eq!(flow.take_out(), [Out::Reread(source(), 20)]);
    assert_eq!(flow.read(&source(), 40), Reading::Stale);
    flow.assign(&source(), 20);
    assert_eq!(flow.read(&source(), 40), Reading::Next);
    assert_eq!(flow.serve(&source(), 0, 40), Some(20));
    let old = Note::Attached { shard: 0, epoch: 1, source: source(), wanted: 99, ask: 2 };
    flow.note(old);
    assert_eq!(flow.serve(&source(), 0, 50), Some(40), "an old opening has no say");
}

#[test]
fn what_waits_is_kept_when_it_joins() {
    let mut flow = Flow::new(1, 1 << 20, 1 << 20);
    flow.assign(&source(), 10);
    read(&mut flow, 0, 20);
    read(&mut flow, 0, 30);
    attached(&mut flow, 0, 1, 20);
    assert_eq!(sent(&mut flow), [(1, 20, 30)], "the first one is applied already");
    assert_eq!(flow.serve(&source(), 0, 31), Some(30));
}

#[test]
fn a_shard_that_is_ahead_is_waited_for() {
    let mut flow = Flow::new(1, 1 << 20, 1 << 20);
    flow.assign(&source(), 10);
    attached(&mut flow, 0, 1, 50);
    assert_eq!(flow.read(&source(), 40), Reading::Next);
    assert_eq!(flow.serve(&source(), 0, 40), None);
    assert_eq!(flow.read(&source(), 60), Reading::Next);
    assert_eq!(flow.serve(&source(), 0, 60), Some(50));
}

#[test]
fn a_shard_that_is_ahead_of_all_that_was_read_is_told_of() {
    let mut flow = Flow::new(3, 1 << 20, 1 << 20);
    flow.assign(&source(), 10);
    read(&mut flow, 2, 40);
    flow.take_out();
    attached(&mut flow, 0, 1, 40);
    assert_eq!(flow.take_out(), [], "that was read");
    attached(&mut flow, 1, 1, 41);
    assert_eq!(flow.take_out(), [Out::Ahead(source(), 41)]);
    // It is another topic by that name: the source ends it, and nothing of it goes out any more.
    flow.unassign(&source());
    let late = Note::Attached { shard: 2, epoch: 1, source: source(), wanted: 10, ask: 3 };
    flow.note(late);
    flow.mark();
    flow.tick(u64::from(AGAIN_MS));
    assert_eq!((flow.take_out(), flow.waiting_bytes()), (vec![], 0));
    // Read again, for whatever reason, it is told of again.
    flow.assign(&source(), 10);
    flow.take_out();
    attached(&mut flow, 1, 1, 41);
    assert_eq!(flow.take_out(), [Out::Ahead(source(), 41)]);
}

#[test]
fn of_many_shards_that_are_waited_for_the_last_are_named() {
    let mut flow = Flow::new(1000, 1 << 20, 1 << 20);
    flow.assign(&source(), 10);
    assert_eq!(flow.read(&source(), 90), Reading::Next);
    for shard in 0..1000 {
        attached(&mut flow, shard, 1, 10);
        let to = if shard == 700 { 11 } else { 20 + u64::from(shard % 7) };
        flow.note(Note::Claimed { shard, epoch: 1, applied: vec![(source(), to)] });
    }
    let waits = flow.waits(&flow.applied());
    assert_eq!(waits.len(), 1);
    let named = ["shard 700 (epoch 1)", "shard 0 (", "shard 7 (", "shard 14 (", "shard 21 ("];
    for text in named {
        assert!(waits[0].contains(text), "{text}: {}", waits[0]);
    }
    assert!(waits[0].ends_with("so do 995 more shards") && waits[0].len() < 1000, "{waits:?}");
}

#[test]
fn a_refusal_and_a_silence_end_in_another_attachment() {
    let mut flow = Flow::new(1, 1 << 20, 1 << 20);
    flow.assign(&source(), 10);
    attached(&mut flow, 0, 1, 10);
    read(&mut flow, 0, 20);
    flow.take_out();
    let refused = Note::Refused { shard: 0, epoch: 1, source: source() };
    flow.note(refused.clone());
    flow.note(refused);
    assert_eq!(flow.take_out(), [attach(0, 10, 2)], "once for all refusals");
    attached(&mut flow, 0, 1, 20);
    assert_eq!(flow.take_out(), [], "it has got it after all");
    read(&mut flow, 0, 30);
    flow.take_out();
    flow.tick(SILENCE_MS);
    assert_eq!(flow.take_out(), [attach(0, 10, 3)]);
}

#[test]
fn a_note_of_a_shard_that_there_is_none_of_means_nothing() {
    let mut flow = Flow::new(2, 1 << 20, 1 << 20);
    flow.assign(&source(), 10);
    flow.take_out();
    let (shard, epoch, source) = (2, 1, source());
    flow.note(Note::Attached { shard, epoch, source: source.clone(), wanted: 10, ask: 1 });
    flow.note(Note::Credit { shard, epoch, bytes: 1 });
    flow.note(Note::Refused { shard, epoch, source: source.clone() });
    flow.note(Note::Claimed { shard, epoch, applied: vec![(source, 20)] });
    assert_eq!((flow.take_out(), flow.applied()), (vec![], BTreeMap::new()));
}

#[test]
fn the_window_bounds_what_is_under_way_and_one_always_may_go() {
    let cost = envelope(0, 0, 1).cost();
    let mut flow = Flow::new(1, 2 * cost, 1 << 20);
    flow.assign(&source(), 0);
    attached(&mut flow, 0, 1, 0);
    (1..=4).for_each(|to| read(&mut flow, 0, to));
    assert_eq!(sent(&mut flow).len(), 2);
    assert_eq!(flow.waiting_bytes(), 2 * cost);
    // Another node finds another size.
    flow.note(Note::Credit { shard: 0, epoch: 1, bytes: 1 });
    assert_eq!(sent(&mut flow), [(1, 2, 3)]);
    let mut narrow = Flow::new(1, 1, 1);
    narrow.assign(&source(), 0);
    attached(&mut narrow, 0, 1, 0);
    read(&mut narrow, 0, 1);
    read(&mut narrow, 0, 2);
    assert_eq!(sent(&mut narrow).len(), 1);
    narrow.note(Note::Credit { shard: 0, epoch: 1, bytes: cost as u64 });
    assert_eq!(sent(&mut narrow).len(), 0, "what was sent is not durable");
    assert!(narrow.is_full());
    narrow.begin_commit();
    narrow.end_commit();
    assert_eq!(sent(&mut narrow).len(), 1);
}

#[test]
fn the_lowest_claim_counts_and_only_if_every_shard_has_one() {
    let other = SourcePartition { topic: "t".into(), partition: 1 };
    let mut flow = Flow::new(2, 1, 1);
    let claimed = |shard, applied| Note::Claimed { shard, epoch: 1, applied };
    flow.note(claimed(0, vec![(source(), 5), (other, 9)]));
    assert_eq!(flow.applied(), BTreeMap::new());
    flow.note(claimed(1, vec![(source(), 3)]));
    assert_eq!(flow.applied(), BTreeMap::from([(source(), 3)]));
    flow.assign(&source(), 2);
    assert_eq!(flow.read(&source(), 4), Reading::Next);
    assert!(!flow.all_applied(&flow.applied()));
    flow.unassign(&source());
    assert!(flow.all_applied(&BTreeMap::new()));
    assert_eq!(flow.read(&source(), 4), Reading::Unassigned);
}
