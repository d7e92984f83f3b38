//! The members topic against a mock of Kafka.

use std::time::Duration;

use naap_actors::agent::{self, AgentArgs, AgentMsg};
use naap_actors::membership::Timing;
use naap_actors::peers::{Members as Known, Standing};
use naap_node::config::{self, Config, FlagValue};
use naap_node::kafka::{KafkaError, Members};
use naap_protocol::cluster::{Beat, Phase};
use naap_protocol::codec::{self, TraceContext};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use rdkafka::mocking::MockCluster;
use tokio::sync::watch;

use crate::broker::{Write, producer, write};
use crate::helper::PATIENCE;
use crate::real::{bootstrap, create};
use rdkafka::producer::Producer;

const TOPIC: &str = "naap.members.v1";
const TIMING: Timing = Timing {
    beat: Duration::from_millis(100),
    suspect: Duration::from_millis(500),
    down: Duration::from_secs(1),
};

fn configure(bootstrap: &str, node: &str) -> Config {
    configure_on(bootstrap, node, TOPIC)
}

fn configure_on(bootstrap: &str, node: &str, topic: &str) -> Config {
    let settings = [
        ("ingest.source", "kafka"),
        ("kafka.bootstrap", bootstrap),
        ("node.name", node),
        ("cluster.members_topic", topic),
        ("kafka.username", ""),
    ];
    let flag = |(path, text): (&str, &str)| FlagValue {
        flag: path.to_owned(),
        path: path.to_owned(),
        text: text.to_owned(),
    };
    config::load_text(None, &[], &settings.map(flag)).unwrap().config
}

/// Supervises agents whose end is wanted.
struct Root;

impl Actor for Root {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// A node that has no links.
async fn lonely(
    bootstrap: &str,
    node: &str,
    incarnation: u64,
    root: &ActorCell,
) -> (ActorRef<AgentMsg>, watch::Receiver<Known>) {
    at_pace(TIMING, bootstrap, node, incarnation, root).await
}

async fn at_pace(
    timing: Timing,
    bootstrap: &str,
    node: &str,
    incarnation: u64,
    root: &ActorCell,
) -> (ActorRef<AgentMsg>, watch::Receiver<Known>) {
    let topic = Members::open(&configure(bootstrap, node)).await.unwrap();
    let (members, told) = watch::channel(Known::default());
    let args = AgentArgs {
        node: node.to_owned(),
        incarnation,
        shards: 4,
        timing,
        topic: Some(topic.publisher()),
        members,
    };
    let agent = agent::spawn(args, root.clone()).await.unwrap();
    topic.follow(agent.clone()).unwrap();
    // Nobody is up who could not serve shards.
    agent.cast(AgentMsg::Serves).unwrap();
    (agent, told)
}

async fn until(told: &mut watch::Receiver<Known>, node: &str, wanted: Standing) -> u64 {
    let fits = |known: &Known| known.0.get(node).is_some_and(|known| known.standing == wanted);
    let found = tokio::time::timeout(PATIENCE, told.wait_for(fits)).await;
    found.unwrap_or_else(|_| panic!("{node} was never {}", wanted.name())).unwrap().0[node]
        .incarnation
}

fn write_beat(bootstrap: &str, beat: &Beat) {
    let writer = producer(bootstrap, "none");
    let frame = codec::encode(beat, TraceContext::default()).unwrap();
    write(&writer, TOPIC, Write { value: Some(&frame), ..Write::default() });
    writer.flush(PATIENCE).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_without_links_know_each_other_by_the_topic() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    // What an old boot has left is known and no sign of life; what is no beat is left out.
    let old = Beat { node: "c".into(), incarnation: 3, sequence: 9, phase: Phase::Up };
    write_beat(&bootstrap, &old);
    let writer = producer(&bootstrap, "none");
    write(&writer, TOPIC, Write { value: Some(b"junk"), ..Write::default() });
    writer.flush(PATIENCE).unwrap();
    let found = Members::open(&configure(&bootstrap, "c")).await.unwrap();
    assert_eq!((found.newest("c"), found.newest("a")), (Some(3), None));
    drop(found);

    let (root, _) = Actor::spawn(None, Root, ()).await.unwrap();
    let (a, mut by_a) = lonely(&bootstrap, "a", 1, &root.get_cell()).await;
    let (b, mut by_b) = lonely(&bootstrap, "b", 2, &root.get_cell()).await;
    until(&mut by_a, "b", Standing::Up).await;
    until(&mut by_b, "a", Standing::Up).await;
    assert_eq!(by_a.borrow().0["c"].standing, Standing::Down);
    // It says that it goes.
    b.cast(AgentMsg::Drain).unwrap();
    until(&mut by_a, "b", Standing::Draining).await;
    // Or ends without a word.
    b.stop_and_wait(None, Some(PATIENCE)).await.unwrap();
    until(&mut by_a, "b", Standing::Down).await;
    let (b, mut by_b) = lonely(&bootstrap, "b", 7, &root.get_cell()).await;
    assert_eq!(until(&mut by_a, "b", Standing::Up).await, 7);
    until(&mut by_b, "a", Standing::Up).await;
    drop(b);
    drop(a);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_stands_still_accuses_nobody() {
    // What a node takes to come back is not to be near the silence that accuses.
    let timing = Timing::default();
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    let (root, _) = Actor::spawn(None, Root, ()).await.unwrap();
    let (_a, mut by_a) = at_pace(timing, &bootstrap, "a", 1, &root.get_cell()).await;
    let (_b, mut by_b) = at_pace(timing, &bootstrap, "b", 2, &root.get_cell()).await;
    until(&mut by_a, "b", Standing::Up).await;
    until(&mut by_b, "a", Standing::Up).await;
    let mut again = by_a.clone();
    cluster.broker_down(1).unwrap();
    let is_down = |known: &Known| known.0.values().any(|known| known.standing == Standing::Down);
    let down = tokio::time::timeout(2 * timing.down, again.wait_for(is_down)).await.is_ok();
    assert!(!down, "a broker that is away accuses nobody");
    cluster.broker_up(1).unwrap();
    let down = tokio::time::timeout(2 * timing.down, by_a.wait_for(is_down)).await.is_ok();
    assert!(!down, "nor does its return");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_boot_of_the_same_name_ends_the_earlier_one() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    let (root, _) = Actor::spawn(None, Root, ()).await.unwrap();
    let (early, _told) = lonely(&bootstrap, "a", 1, &root.get_cell()).await;
    let (_late, mut by_late) = lonely(&bootstrap, "a", 2, &root.get_cell()).await;
    let ended = tokio::time::timeout(PATIENCE, early.wait(None)).await;
    ended.expect("the earlier one ends").unwrap();
    until(&mut by_late, "a", Standing::Up).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_of_several_partitions_is_refused() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 3, 1).unwrap();
    let error = Members::open(&configure(&cluster.bootstrap_servers(), "a")).await.unwrap_err();
    assert!(matches!(error, KafkaError::MembersTopic { .. }));
    let sentence = error.to_string();
    assert!(sentence.contains("\"naap.members.v1\" has 3 partitions"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Kafka: make test-cluster"]
async fn a_topic_that_is_not_compacted_is_refused_with_the_remedy() {
    let bootstrap = bootstrap();
    let topic = create(&bootstrap, "beats", 1).await;
    let error = Members::open(&configure_on(&bootstrap, "a", &topic)).await.unwrap_err();
    assert!(matches!(error, KafkaError::MembersTopic { .. }));
    let sentence = error.to_string();
    let wrong = format!("\"{topic}\" has cleanup.policy = delete, but needs compact in it");
    assert!(sentence.contains(&wrong), "{sentence}");
    let remedy = format!("--entity-name {topic} --add-config cleanup.policy=compact`");
    assert!(sentence.contains(&remedy), "{sentence}");
    // What is made here is found good at the next start.
    let fresh = configure_on(&bootstrap, "a", &format!("made-{topic}"));
    for _ in 0..2 {
        Members::open(&fresh).await.unwrap();
    }
}
