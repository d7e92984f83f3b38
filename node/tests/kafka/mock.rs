//! Against the broker that the client library brings along: one process, faults on demand.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, Producer};

use naap_actors::ingest::Wants;
use naap_node::kafka::KafkaError;
use naap_protocol::state::SourcePartition;

use crate::broker::{
    Write, batching_producer, committed, producer, until_committed, write, write_numbers,
};
use crate::helper::{Got, PATIENCE, Record, Setup};
use crate::meter;

type Mock = MockCluster<'static, DefaultProducerContext>;

fn mock(topic: &str, partitions: i32) -> (Mock, String) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(topic, partitions, 1).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    (cluster, bootstrap)
}

/// Writes records of 100 kB; the mock keeps 5 MB of a partition.
fn write_large(bootstrap: &str, topic: &str, count: u64) {
    let writer = batching_producer(bootstrap, "none", 1);
    let value = vec![b'x'; 100_000];
    for _ in 0..count {
        write(&writer, topic, Write { value: Some(&value), ..Write::default() });
    }
    writer.flush(PATIENCE).unwrap();
}

fn offsets(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.offset).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_codec_tombstones_times_and_headers_are_read() {
    let (_cluster, bootstrap) = mock("codecs", 1);
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for (at, codec) in codecs.iter().enumerate() {
        let producer = producer(&bootstrap, codec);
        let value = codec.repeat(300);
        let time = Some(1_700_000_000_000 + at as i64);
        let header = Some(("any", "thing"));
        let value = Some(value.as_bytes());
        write(&producer, "codecs", Write { partition: 0, value, time, header });
        producer.flush(PATIENCE).unwrap();
    }
    let last = producer(&bootstrap, "none");
    write(&last, "codecs", Write { time: Some(5), ..Write::default() });
    write(&last, "codecs", Write { time: Some(6), value: Some(b""), ..Write::default() });
    last.flush(PATIENCE).unwrap();

    let mut running = Setup::new(&bootstrap, "codecs").start().await.unwrap();
    assert_eq!(running.next().await, Got::Assign(0, 0));
    let (records, _) = running.records(7).await;
    for (at, codec) in codecs.iter().enumerate() {
        assert_eq!(records[at].value.as_deref(), Some(codec.repeat(300).as_bytes()), "{codec}");
        assert_eq!(records[at].time, Some(1_700_000_000_000 + at as i64));
    }
    assert_eq!((&records[5].value, records[5].time), (&None, Some(5)));
    assert_eq!((&records[6].value, records[6].time), (&Some(Vec::new()), Some(6)));
    running.source.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn only_what_is_applied_is_committed_and_a_restart_goes_on_there() {
    let topic = "commits";
    let (_cluster, bootstrap) = mock(topic, 1);
    write_numbers(&bootstrap, topic, 0, 0..10);
    let setup = || Setup { applies: false, ..Setup::new(&bootstrap, topic) };

    let mut first = setup().start().await.unwrap();
    let (records, _) = first.records(10).await;
    assert_eq!(offsets(&records), (0..10).collect::<Vec<_>>());
    assert_eq!(committed(&bootstrap, topic, 0), Some(0), "the start position, and nothing else");
    first.apply(0, 4);
    until_committed(&bootstrap, topic, 0, 4).await;
    // The last of it becomes durable while the source waits for it.
    let sender = first.applied_sender();
    let stop = first.source.stop();
    let later = async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sender.send_modify(|v| v.values_mut().for_each(|offset| *offset = 7));
    };
    let (stopped, ()) = tokio::join!(stop, later);
    stopped.unwrap();
    assert_eq!(committed(&bootstrap, topic, 0), Some(7));

    let mut second = setup().start().await.unwrap();
    assert_eq!(second.next().await, Got::Assign(0, 7));
    let (records, _) = second.records(3).await;
    assert_eq!(offsets(&records), [7, 8, 9]);
    second.source.stop().await.unwrap();

    // The state log is the truth, the group's offset a hint.
    let start = BTreeMap::from([(0, 3)]);
    let mut third = Setup { start, ..setup() }.start().await.unwrap();
    assert_eq!(third.next().await, Got::Assign(0, 3));
    let (records, _) = third.records(7).await;
    assert_eq!(offsets(&records), (3..10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_shard_misses_is_read_again() {
    let topic = "again";
    let (_cluster, bootstrap) = mock(topic, 1);
    write_numbers(&bootstrap, topic, 0, 0..10);
    let setup = Setup { applies: false, ..Setup::new(&bootstrap, topic) };
    let mut running = setup.start().await.unwrap();
    let (records, _) = running.records(10).await;
    assert_eq!(offsets(&records), (0..10).collect::<Vec<_>>());
    running.reread(0, 4);
    let (records, _) = running.records(6).await;
    assert_eq!(offsets(&records), (4..10).collect::<Vec<_>>());
    write_numbers(&bootstrap, topic, 0, 10..12);
    let (records, _) = running.records(2).await;
    assert_eq!(offsets(&records), [10, 11]);
    running.apply(0, 12);
    running.source.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_does_not_wait_for_what_would_have_to_be_read_again() {
    let topic = "moved";
    let (_cluster, bootstrap) = mock(topic, 1);
    write_numbers(&bootstrap, topic, 0, 0..10);
    let setup = Setup { applies: false, drain: "5m", ..Setup::new(&bootstrap, topic) };
    let mut running = setup.start().await.unwrap();
    running.records(10).await;
    let rereads = running.reread_sender();
    let again = SourcePartition { topic: topic.to_owned(), partition: 0 };
    // The shard has moved, and its new opening lacks what was read.
    let moved = async {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        loop {
            pause.tick().await;
            drop(rereads.send(Wants::Again(again.clone(), 4)));
        }
    };
    let stop = tokio::time::timeout(PATIENCE, running.source.stop());
    tokio::select! {
        stopped = stop => stopped.expect("it waits for nothing").unwrap(),
        () = moved => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn pressure_pauses_and_nothing_is_lost_or_read_twice() {
    const PARTITIONS: i32 = 4;
    const EACH: u64 = 4_000;
    let topic = "pressure";
    let (_cluster, bootstrap) = mock(topic, PARTITIONS);
    let writer = producer(&bootstrap, "none");
    let value = vec![b'x'; 1000];
    for _ in 0..EACH {
        for partition in 0..PARTITIONS {
            let value = Some(value.as_slice());
            write(&writer, topic, Write { partition, value, ..Write::default() });
        }
    }
    writer.flush(PATIENCE).unwrap();

    let mut running = Setup { open: 1, ..Setup::new(&bootstrap, topic) }.start().await.unwrap();
    let mut next =
        (0..PARTITIONS as u32).map(|partition| (partition, 0)).collect::<BTreeMap<_, _>>();
    let mut see = |record: &Record| {
        let next = next.get_mut(&record.partition).unwrap();
        assert_eq!(record.offset, *next, "partition {}", record.partition);
        *next += 1;
    };
    let (first, _) = running.records(1).await;
    see(&first[0]);
    // The taker stays shut for longer than a session lasts.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(
        meter::highest("naap_kafka_paused_partitions"),
        u64::from(PARTITIONS.unsigned_abs())
    );
    running.gate.add_permits(1_000_000);
    let (records, rest) = running.records(EACH as usize * PARTITIONS as usize - 1).await;
    records.iter().for_each(&mut see);
    let gone = rest.iter().find(|got| matches!(got, Got::Unassign(_)));
    assert_eq!(gone, None, "the source lost its place in the group");
    assert!(next.values().all(|&offset| offset == EACH));
    for partition in 0..PARTITIONS {
        until_committed(&bootstrap, topic, partition, EACH as i64).await;
    }
    running.source.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_new_group_starts_where_the_topic_says() {
    let topic = "fresh";
    let (_cluster, bootstrap) = mock(topic, 1);
    write_numbers(&bootstrap, topic, 0, 0..5);
    let setup = Setup { reset: "latest", ..Setup::new(&bootstrap, topic) };
    let mut running = setup.start().await.unwrap();
    assert_eq!(running.next().await, Got::Assign(0, 5));
    assert_eq!(committed(&bootstrap, topic, 0), Some(5), "committed before the first record");
    write_numbers(&bootstrap, topic, 0, 5..7);
    let (records, _) = running.records(2).await;
    assert_eq!(offsets(&records), [5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_kafka_no_longer_holds_is_skipped_as_a_range() {
    let topic = "deleted";
    let (_cluster, bootstrap) = mock(topic, 1);
    write_large(&bootstrap, topic, 80);
    let setup = Setup { start: BTreeMap::from([(0, 2)]), ..Setup::new(&bootstrap, topic) };
    let mut running = setup.start().await.unwrap();
    assert_eq!(running.next().await, Got::Assign(0, 2));
    let Got::Covered(0, held) = running.next().await else {
        panic!("the gap is handed over first")
    };
    assert!(held > 2, "the mock has deleted something");
    let (records, _) = running.records(80 - held as usize).await;
    assert_eq!(offsets(&records), (held..80).collect::<Vec<_>>());
    until_committed(&bootstrap, topic, 0, 80).await;
    let lost = meter::highest("naap_lost_offsets_total topic=deleted partition=0");
    assert_eq!(lost, held - 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn retention_that_overtakes_a_paused_partition_is_noticed() {
    let topic = "overtaken";
    let (_cluster, bootstrap) = mock(topic, 1);
    let mut running = Setup { open: 0, ..Setup::new(&bootstrap, topic) }.start().await.unwrap();
    assert_eq!(running.next().await, Got::Assign(0, 0));
    let (address, total) = (bootstrap.clone(), 400);
    let fill = tokio::task::spawn_blocking(move || write_large(&address, topic, total));
    fill.await.unwrap();
    running.gate.add_permits(1_000_000);
    let (mut next, mut announced, mut lost) = (0, 0, 0);
    while next < total {
        match running.next().await {
            Got::Covered(0, offset) => announced = offset,
            Got::Record(record) => {
                if record.offset != next {
                    assert_eq!(announced, record.offset, "the gap is handed over first");
                    lost += record.offset - next;
                }
                next = record.offset + 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(lost > 0, "the mock has deleted something");
    let counted = meter::highest("naap_lost_offsets_total topic=overtaken partition=0");
    assert_eq!(counted, lost);
    until_committed(&bootstrap, topic, 0, total as i64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_partition_that_ends_before_the_applied_offset_stands_still() {
    let topic = "remade";
    let (_cluster, bootstrap) = mock(topic, 2);
    write_numbers(&bootstrap, topic, 0, 0..5);
    write_numbers(&bootstrap, topic, 1, 0..5);
    let setup = Setup { start: BTreeMap::from([(0, 50)]), ..Setup::new(&bootstrap, topic) };
    let mut running = setup.start().await.unwrap();
    assert_eq!(running.next().await, Got::Assign(1, 0));
    let (records, rest) = running.records(5).await;
    assert!(records.iter().all(|record| record.partition == 1));
    assert_eq!(rest.iter().find(|got| matches!(got, Got::Assign(..))), None);
    until_committed(&bootstrap, topic, 1, 5).await;
    assert_eq!(committed(&bootstrap, topic, 0), None);
    running.source.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_partition_that_ends_before_what_a_shard_has_applied_stands_still_too() {
    let topic = "remade-unknown";
    let (_cluster, bootstrap) = mock(topic, 2);
    write_numbers(&bootstrap, topic, 0, 0..5);
    write_numbers(&bootstrap, topic, 1, 0..5);
    let setup = || Setup { applies: false, ..Setup::new(&bootstrap, topic) };
    // Nothing is known when the partitions are assigned: both begin.
    let mut running = setup().start().await.unwrap();
    let (_, rest) = running.records(10).await;
    for partition in 0..2 {
        assert!(rest.contains(&Got::Assign(partition, 0)), "{rest:?}");
    }
    running.ahead(0, 50);
    running.until(&Got::Unassign(0)).await;
    // A shard that is ahead of what was read, but not of what Kafka holds, is as it should be.
    write_numbers(&bootstrap, topic, 0, 5..8);
    write_numbers(&bootstrap, topic, 1, 5..8);
    running.ahead(1, 8);
    let (records, rest) = running.records(3).await;
    let of = |record: &Record| (record.partition, record.offset);
    assert_eq!(records.iter().map(of).collect::<Vec<_>>(), [(1, 5), (1, 6), (1, 7)]);
    assert_eq!(rest.iter().find(|got| matches!(got, Got::Assign(..) | Got::Unassign(_))), None);
    // Whatever the ingest believes, no offset of the other one is committed but that of its start.
    running.apply(0, 5);
    running.apply(1, 8);
    until_committed(&bootstrap, topic, 1, 8).await;
    assert_eq!(committed(&bootstrap, topic, 0), Some(0));
    // What shards want of it, now or later, changes nothing.
    running.reread(0, 2);
    running.reread(1, 6);
    let (records, rest) = running.records(2).await;
    assert_eq!(records.iter().map(of).collect::<Vec<_>>(), [(1, 6), (1, 7)]);
    assert!(!rest.iter().any(|got| matches!(got, Got::Assign(0, _))), "{rest:?}");
    running.source.stop().await.unwrap();

    // After a restart all of it happens again.
    let mut again = setup().start().await.unwrap();
    again.until(&Got::Assign(0, 0)).await;
    again.ahead(0, 50);
    again.until(&Got::Unassign(0)).await;
    assert_eq!(committed(&bootstrap, topic, 0), Some(0));
    again.source.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_partition_goes_to_a_second_node_only_when_it_is_applied() {
    let topic = "shared";
    let (_cluster, bootstrap) = mock(topic, 2);
    // This broker, unlike a real one, refuses the commits of a group that rebalances: the offset of
    // the group may be the older one, and the state log has to decide.
    crate::real::share(&bootstrap, topic, &[(0, 10), (1, 10)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_wrong_at_the_start_is_said_with_its_remedy() {
    let (_cluster, bootstrap) = mock("there", 1);
    let missing = Setup::new(&bootstrap, "missing").start().await.err().unwrap();
    let topic = "missing".to_owned();
    assert_eq!(missing, KafkaError::NoSuchTopic { brokers: bootstrap.clone(), topic });
    let silent = Setup::new("127.0.0.1:1", "there").start().await.err().unwrap().to_string();
    assert!(silent.starts_with("no answer from the Kafka brokers 127.0.0.1:1: "), "{silent}");
    assert!(silent.contains("refused"), "{silent}");
}

/// As when the actors of a node have failed: nothing of what was read is applied any more, and a node that starts
/// again after a while would keep the partition from all others until then.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_source_that_nobody_waits_for_lets_go_at_once() {
    let topic = "dropped";
    let (_cluster, bootstrap) = mock(topic, 1);
    write_numbers(&bootstrap, topic, 0, 0..3);
    let setup = Setup { applies: false, drain: "1h", ..Setup::new(&bootstrap, topic) };
    let mut failed = setup.start().await.unwrap();
    failed.records(3).await;
    drop(failed.source);
    let mut other =
        Setup { node: "naap-1", ..Setup::new(&bootstrap, topic) }.start().await.unwrap();
    assert_eq!(other.next().await, Got::Assign(0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_end_of_the_ingest_ends_the_source() {
    let topic = "gone";
    let (_cluster, bootstrap) = mock(topic, 1);
    write_numbers(&bootstrap, topic, 0, 0..1);
    let mut running = Setup::new(&bootstrap, topic).start().await.unwrap();
    running.records(1).await;
    running.gate.close();
    write_numbers(&bootstrap, topic, 0, 1..3);
    let feed_more = async {
        loop {
            write_numbers(&bootstrap, topic, 0, 3..4);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        failure = running.source.failed() => assert_eq!(failure, KafkaError::IntakeGone),
        () = feed_more => {}
    }
    assert_eq!(running.source.failed().await, KafkaError::IntakeGone);
}
