use super::*;
use crate::ingest::RecordEntry;
use naap_protocol::org::OrgMap;
use naap_protocol::rows::rejects::DeadLetter;

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }
}

fn source() -> SourcePartition {
    SourcePartition { topic: "t".into(), partition: 0 }
}

fn router(shards: u16, max_value_bytes: usize) -> (Router, Flow) {
    let mut gate = Gate { orgs: OrgMap::new([("t", "o")]), ..Gate::default() };
    gate.limits.max_value_bytes = max_value_bytes;
    let router = Router::new(gate, PrivacyMode::Keep, shards, 0, Arc::new(Still));
    let mut flow = Flow::new(shards, 1 << 20, 1 << 30);
    flow.assign(&source(), 0);
    (router, flow)
}

/// Records at the offsets 0, 2, 4 and so on.
fn batch(texts: &[String]) -> RecordBatch {
    let (mut data, mut records) = (Vec::new(), Vec::new());
    for (text, number) in texts.iter().zip(0..) {
        let start = data.len();
        data.extend_from_slice(text.as_bytes());
        let value = Some(start..data.len());
        records.push(RecordEntry { offset: 2 * number, record_ts: None, value });
    }
    let next_offset = 2 * texts.len() as u64;
    RecordBatch { source: source(), records, next_offset, data }
}

fn capabilities(uid: u64, data: &str) -> String {
    format!(
        r#"{{"id":"{uid}","type":"network_capabilities","timestamp":"1700000000000","gateway":"g","data":[{data}]}}"#
    )
}

/// An entry of a node with `texts` bytes of models, under one of its wallets.
fn entry(node: u64, wallet: u64, texts: usize) -> String {
    let model = "m".repeat(200);
    let models: Vec<_> =
        (0..texts / 200).map(|n| format!(r#""{model}{n}":{{"warm":true}}"#)).collect();
    let per = format!(r#"{{"35":{{"models":{{{}}}}}}}"#, models.join(","));
    format!(
        r#"{{"address":"0x{node:040x}","local_address":"0x{wallet:040x}","orch_uri":"https://{node}","capabilities":{{"constraints":{{"PerCapability":{per}}}}}}}"#
    )
}

/// Of an envelope: from, to, bytes, and offsets.
type Part = (u64, u64, usize, Vec<u64>);

/// What travels of the envelopes of each shard.
fn travels(envelopes: Vec<Envelope>) -> BTreeMap<u16, Vec<Part>> {
    let mut of: BTreeMap<u16, Vec<_>> = BTreeMap::new();
    for envelope in envelopes {
        let len = envelope.to_frame().unwrap().len();
        let offset = |item: &Item<'_>| match item {
            Item::Session(_, event) | Item::Single(_, event) => Some(event.offset),
            Item::Advertisement(..) => None,
        };
        let offsets = envelope.items().filter_map(|item| offset(&item.unwrap())).collect();
        let EnvelopeHead { shard, from, to, .. } = envelope.head;
        of.entry(shard).or_default().push((from, to, len, offsets));
    }
    of
}

#[test]
fn a_long_batch_becomes_envelopes_of_whole_records_that_join() {
    let (mut router, mut flow) = router(2, 1_000_000);
    let texts: Vec<_> = (0..40).map(|n| capabilities(n, &entry(n, 99, 40_000))).collect();
    let (batch, mut seen) = (batch(&texts), Vec::new());
    for (shard, parts) in travels(router.route(batch, &mut flow)) {
        assert!(parts.len() > 2, "shard {shard} gets all in {}", parts.len());
        let mut next = 0;
        for (from, to, len, offsets) in parts {
            assert_eq!(from, next, "shard {shard} misses offsets");
            assert!(offsets.iter().all(|&offset| (from..to).contains(&offset)), "{from}..{to}");
            assert!(len < 1 << 20, "{len} bytes");
            next = to;
            seen.extend(offsets);
        }
        assert_eq!(next, 80);
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq((0..40).map(|n| 2 * n)));
}

#[test]
fn a_shard_that_has_some_of_a_batch_gets_the_rest() {
    let (mut router, mut flow) = router(1, 1_000_000);
    let texts: Vec<_> = (0..20).map(|n| capabilities(n, &entry(n, 99, 40_000))).collect();
    assert_eq!(flow.serve(&source(), 0, 15), Some(0));
    let parts = travels(router.route(batch(&texts), &mut flow)).remove(&0).unwrap();
    assert_eq!(parts.first().unwrap().0, 15);
    assert_eq!(parts.last().unwrap().1, 40);
    assert!(parts.windows(2).all(|pair| pair[0].1 == pair[1].0), "{parts:?}");
    assert!((8..20).all(|n| parts.iter().any(|part| part.3.contains(&(2 * n)))));
}

#[test]
fn a_legal_record_travels_and_what_can_not_is_a_dead_letter() {
    let (mut router, mut flow) = router(1, 8 << 20);
    // With its entries, texts and advertisements more than twice as long as it was.
    let long: Vec<_> = (0..24).map(|n| entry(n, 99, 40_000)).collect();
    let long = capabilities(0, &long.join(","));
    // A node with so many wallets is advertised to each of them with all of them.
    let many: Vec<_> = (1..3000).map(|wallet| entry(7, wallet, 0)).collect();
    let many = capabilities(1, &many.join(","));
    let size = long.len();
    let parts = travels(router.route(batch(&[long, many]), &mut flow)).remove(&0).unwrap();
    assert_eq!(parts.len(), 1);
    let (from, to, len, offsets) = &parts[0];
    assert_eq!((*from, *to, offsets.as_slice()), (0, 4, &[0][..]));
    assert!(*len > 2 * size && *len > 2 << 20 && *len <= wire::MAX_FRAME, "{len} of {size}");
    assert_eq!(router.counts().dead_lettered, BTreeMap::from([("record_too_large", 1)]));
    let letters = router.take_rows();
    assert!(letters.iter().any(|rows| rows.table.name.ends_with("_dlq")));
}

#[test]
fn an_event_whose_archive_row_is_too_long_counts_and_a_letter_says_so() {
    let (mut router, mut flow) = router(1, 8 << 20);
    let request = |uid: u64, note: usize| {
        let note = "n".repeat(note);
        let data = format!(
            r#"{{"type":"gateway_receive_stream_request","stream_id":"s","request_id":"r","note":"{note}"}}"#
        );
        format!(
            r#"{{"id":"{uid}","type":"stream_trace","timestamp":"1700000000000","gateway":"g","data":{data}}}"#
        )
    };
    let texts = [request(0, 10), request(1, 1_000_000)];
    let parts = travels(router.route(batch(&texts), &mut flow)).remove(&0).unwrap();
    let offsets: Vec<u64> = parts.into_iter().flat_map(|part| part.3).collect();
    assert_eq!(offsets, [0, 2]);
    let counts = router.counts();
    assert_eq!(counts.accepted, BTreeMap::from([("stream_trace", 2)]));
    assert_eq!(counts.letters, BTreeMap::from([("record_too_large", 1)]));
    assert_eq!(counts.dead_lettered, BTreeMap::new(), "it is accepted");
    let batches = router.take_rows();
    let of = |table: &str| batches.iter().find(|batch| batch.table.name == table).unwrap();
    assert_eq!((of("raw_streaming_events").count, of("raw_streaming_events_dlq").count), (1, 1));
    let mut rest: &[u8] = &of("raw_streaming_events_dlq").rows;
    let letter = DeadLetter::decode(&mut rest).unwrap();
    assert_eq!((letter.source_topic, letter.source_offset, letter.part), ("t", 2, 0));
    assert_eq!((letter.failure_stage, letter.failure_reason), ("SINK_GUARD", "record_too_large"));
    let start = "the row for table raw_streaming_events has ";
    assert!(letter.failure_details.starts_with(start), "{}", letter.failure_details);
    assert_eq!(letter.payload_body, &texts[1][..100_000], "the record itself fits no row either");
}
