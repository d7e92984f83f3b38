//! A million sessions that are known, a tenth of which have something to say, and what it takes to have
//! them all again from the state log alone.

use std::time::{Duration, Instant};

use naap_tests::stage::{Node, PARTITIONS, PATIENCE, Team, bootstrap, producer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::crew::row;
use crate::memory::{mib, resident};
use crate::pulse::now_ms;

const KNOWN: u64 = 1_000_000;
const ACTIVE: u64 = 100_000;

#[test]
#[ignore = "minutes: make chaos"]
fn a_million_sessions_are_known_and_restored() {
    let bootstrap = bootstrap();
    let producer = producer(&bootstrap);
    let team = Team::new(bootstrap, "million", 3, 100);
    let nodes: Vec<_> = (0..3).map(|number| team.start(number)).collect();
    let all: Vec<_> = nodes.iter().collect();
    for session in 0..KNOWN {
        send(&producer, &team, session, "gateway_receive_stream_request");
    }
    producer.flush(PATIENCE).unwrap();
    team.until(100, &all);
    // In turn, so that as many as possible are awake at the same time.
    let mut most = 0;
    for edge in
        ["gateway_receive_first_processed_segment", "gateway_receive_few_processed_segments"]
    {
        (0..ACTIVE).for_each(|session| send(&producer, &team, session, edge));
        producer.flush(PATIENCE).unwrap();
        most = most.max(nodes.iter().map(|node| resident(node).0).sum());
        team.until(100, &all);
        most = most.max(nodes.iter().map(|node| resident(node).0).sum());
    }
    let peak: u64 = nodes.iter().map(|node| resident(node).1).sum();
    row(
        "1,000,000 known sessions, 100,000 of them active: resident memory of three nodes together",
        "2,048 MiB",
        &format!("{} MiB; sum of their peaks {} MiB", mib(most), mib(peak)),
    );
    nodes.into_iter().for_each(Node::kill);
    let since = Instant::now();
    let node = team.start(0);
    node.until_alone();
    let took = since.elapsed().as_secs_f64();
    row(
        "one node opens all shards of 1,000,000 sessions from the state log, from its start on",
        "–",
        &format!(
            "{took:.1} s, {:.0} sessions per second; {} MiB resident",
            KNOWN as f64 / took,
            mib(resident(&node).0)
        ),
    );
    team.until(100, &[&node]);
    team.end(vec![node]);
}

/// Writes an edge of a session, waiting while the queue of the producer is full.
pub fn send(producer: &BaseProducer, team: &Team, session: u64, edge: &str) {
    let now = now_ms();
    let line = format!(
        r#"{{"id":"{session}-{edge}","type":"stream_trace","timestamp":"{now}","gateway":"million","data":{{"type":"{edge}","timestamp":{now},"stream_id":"million-{session}","request_id":"r"}}}}"#
    );
    let partition = (session % PARTITIONS as u64) as i32;
    let mut record: BaseRecord<'_, (), str> =
        BaseRecord::to(&team.stage.topic).partition(partition).payload(&line);
    while let Err((error, back)) = producer.send(record) {
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        assert_eq!(error, full, "an event can not be written");
        producer.poll(Duration::from_millis(10));
        record = back;
    }
}
