//! Against a real Apache Kafka: `deploy/setup/kafka.sh start` and `NAAP_KAFKA_BOOTSTRAP`.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::broker::{until_committed, write_numbers};
use crate::helper::{Got, Record, Setup};

/// The broker to test with. Tests that need one are ignored unless they are asked for, so none passes
/// without it.
pub fn bootstrap() -> String {
    let found = std::env::var("NAAP_KAFKA_BOOTSTRAP").ok().filter(|text| !text.is_empty());
    found.unwrap_or_else(|| {
        panic!("NAAP_KAFKA_BOOTSTRAP names no broker: `make test-cluster` starts one")
    })
}

/// Makes a topic with the settings of the broker; returns its name, which begins with `name`.
pub async fn create(bootstrap: &str, name: &str, partitions: i32) -> String {
    let stamp = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let topic = format!("{name}-{stamp}");
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
    let made = admin.create_topics([&new], &AdminOptions::new()).await.unwrap();
    assert!(made[0].is_ok(), "{made:?}");
    topic
}

/// Two nodes share two partitions: the first gives one away after it has applied what it read of
/// it, and the second goes on exactly there. `logged` is what the second finds in the state log.
pub async fn share(bootstrap: &str, topic: &str, logged: &[(u32, u64)]) {
    let setup = |node| Setup { node, applies: false, ..Setup::new(bootstrap, topic) };
    let mut first = setup("naap-0").start().await.unwrap();
    for partition in 0..2 {
        write_numbers(bootstrap, topic, partition, 0..10);
    }
    first.records(20).await;
    // Partition 1 or 0 will go; neither is applied, so the second has to wait.
    let start = logged.iter().copied().collect();
    let mut second = Setup { start, ..setup("naap-1") }.start().await.unwrap();
    for partition in 0..2 {
        first.apply(partition, 10);
    }
    // Both may be taken away, where the mock refuses a commit while the group rebalances; then one comes back, and
    // is read from an older offset.
    let Got::Assign(given, 10) = second.next().await else {
        panic!("a partition, behind its records")
    };
    first.until(&Got::Unassign(given)).await;
    for partition in 0..2 {
        write_numbers(bootstrap, topic, partition, 10..15);
    }
    let of = |records: &[Record]| -> Vec<_> {
        records.iter().map(|record| (record.partition, record.offset)).collect()
    };
    let (records, _) = second.records(5).await;
    assert_eq!(of(&records), (10..15).map(|offset| (given, offset)).collect::<Vec<_>>());
    let mut kept = Vec::new();
    while kept.len() < 5 {
        let (records, _) = first.records(1).await;
        kept.extend(of(&records).into_iter().filter(|(_, offset)| *offset >= 10));
    }
    assert_eq!(kept, (10..15).map(|offset| (1 - given, offset)).collect::<Vec<_>>());

    // Whoever stops leaves at once: the other one need not wait for a session to end.
    second.apply(given, 15);
    first.apply(1 - given, 15);
    second.source.stop().await.unwrap();
    until_committed(bootstrap, topic, given as i32, 15).await;
    let stopped = Instant::now();
    first.until(&Got::Assign(given, 15)).await;
    // A session lasts three seconds; the mock waits as long before every rebalance.
    tracing::info!(%topic, given, elapsed = ?stopped.elapsed(), "partition moved");
    first.source.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs a real Kafka: make test-cluster"]
async fn two_nodes_share_a_topic_of_a_real_broker() {
    let bootstrap = bootstrap();
    let topic = create(&bootstrap, "share", 2).await;
    share(&bootstrap, &topic, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs a real Kafka: make test-cluster"]
async fn a_static_member_comes_back_without_a_rebalance_elsewhere() {
    let bootstrap = bootstrap();
    let topic = create(&bootstrap, "static", 2).await;
    for partition in 0..2 {
        write_numbers(&bootstrap, &topic, partition, 0..10);
    }
    let setup = |node| Setup { node, ..Setup::new(&bootstrap, &topic) };
    let mut first = setup("naap-0").start().await.unwrap();
    first.records(20).await;
    let mut second = setup("naap-1").start().await.unwrap();
    let Got::Assign(moved, 10) = second.next().await else { panic!("a partition moves") };
    first.until(&Got::Unassign(moved)).await;
    // Dies without a word: its taker is gone.
    second.gate.close();
    write_numbers(&bootstrap, &topic, moved as i32, 10..20);
    drop(second.heard);
    let ended = second.source.failed();
    let poke = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            write_numbers(&bootstrap, &topic, moved as i32, 20..21);
        }
    };
    tokio::select! { _ = ended => {}, () = poke => {} }
    let mut again = setup("naap-1").start().await.unwrap();
    assert_eq!(again.next().await, Got::Assign(moved, 10));
    let (records, _) = again.records(10).await;
    assert_eq!(records[0].offset, 10);
    let elsewhere = std::iter::from_fn(|| first.heard.try_recv().ok());
    let moves = elsewhere.filter(|got| matches!(got, Got::Assign(..) | Got::Unassign(_))).count();
    assert_eq!(moves, 0, "the other node must not notice");
}
