//! One suite over every state log: the file, and the topic at the mock and at a real broker. Then what
//! only a log with several writers can show.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use naap_actors::ownership::Record;
use naap_actors::ports::{Heard, StateLog, StateRecord};
use naap_node::config::{Config, load_text};
use naap_node::kafka::KafkaStateLog;
use naap_node::state_log::LocalStateLog;
use naap_protocol::codec::{self, TraceContext};
use naap_protocol::identity::EntityId;
use naap_protocol::state::{
    Coordinates, Delivery, Elements, EpochOpen, EventState, Expired, Family, Progress,
    SourcePartition,
};
use naap_protocol::time::Timestamp;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::helper::PATIENCE;
use crate::real::bootstrap;

const SHARDS: u16 = 2;

fn open(epoch: u64, boot: u64) -> EpochOpen {
    EpochOpen { epoch, node: "naap-0".to_owned(), incarnation: boot }
}

fn progress(epoch: u64, cycle: u64, offset: u64) -> Progress {
    let source = SourcePartition { topic: "t".to_owned(), partition: 0 };
    let applied = [(source, offset)].into();
    Progress { epoch, cycle, routing_version: 1, applied, ..Progress::default() }
}

/// The state of an event that was delivered at these offsets.
fn state(offsets: &[u64]) -> Vec<u8> {
    let delivery = |offset: &u64| Delivery {
        at: Coordinates { topic: "t".into(), partition: 0, offset: *offset },
        record_ts: Timestamp(1),
        event_ts: Timestamp(1),
        content_hash: 1,
        family: Family::Payment,
        replay: false,
        elements: Elements::default(),
    };
    let (first, rest) = offsets.split_first().unwrap();
    let mut state = EventState::new(delivery(first));
    for offset in rest {
        state.observe(&delivery(offset));
    }
    codec::encode(&state, TraceContext::default()).unwrap()
}

fn append(log: &dyn StateLog, records: Vec<StateRecord>) {
    log.append(records).unwrap();
}

fn snapshot(epoch: u64, entity: u128, offsets: &[u64]) -> StateRecord {
    StateRecord::Snapshot { shard: 1, epoch, entity: EntityId(entity), frame: state(offsets) }
}

/// The mark of an entity that is over.
fn mark(epoch: u64) -> Vec<u8> {
    let mark = Expired { epoch, ended: Timestamp(1), at: Timestamp(2) };
    codec::encode(&mark, TraceContext::default()).unwrap()
}

fn ends(epoch: u64, entity: u128) -> StateRecord {
    StateRecord::Snapshot { shard: 1, epoch, entity: EntityId(entity), frame: mark(epoch) }
}

fn forget(epoch: u64, entity: u128) -> StateRecord {
    StateRecord::Forget { shard: 1, epoch, entity: EntityId(entity) }
}

fn claim(epoch: u64, claim: Progress) -> StateRecord {
    StateRecord::Progress { shard: 1, epoch, progress: claim }
}

fn opened(epoch: u64, boot: u64) -> StateRecord {
    StateRecord::Open { shard: 1, open: open(epoch, boot) }
}

fn follow(log: &dyn StateLog) -> Receiver<Heard> {
    let (sender, heard) = channel();
    let sender = std::sync::Mutex::new(sender);
    log.follow(1, Box::new(move |said| drop(sender.lock().unwrap().send(said)))).unwrap();
    heard
}

fn next(heard: &Receiver<Heard>) -> Heard {
    heard.recv_timeout(PATIENCE).expect("the log says nothing")
}

/// Everything up to the end as of now.
fn history(heard: &Receiver<Heard>) -> Vec<Record<Progress>> {
    let mut all = Vec::new();
    loop {
        match next(heard) {
            Heard::Record(record) => all.push(record),
            Heard::CaughtUp => return all,
            Heard::Failed(reason) => panic!("{reason}"),
        }
    }
}

fn entities(log: &dyn StateLog) -> Vec<(u128, Vec<u8>)> {
    let mut all = Vec::new();
    log.entities(1, &mut |id, frame| all.push((id.0, frame.to_vec()))).unwrap();
    all
}

/// What every log must do.
fn conforms(log: &dyn StateLog) {
    let heard = follow(log);
    assert_eq!(history(&heard), []);
    append(log, vec![opened(1, 1)]);
    assert_eq!(next(&heard), Heard::Record(Record::Open(open(1, 1).into())));
    assert_eq!(next(&heard), Heard::CaughtUp, "the end when it was read is passed");
    append(log, vec![snapshot(1, 7, &[1]), snapshot(1, 8, &[2])]);
    append(log, vec![snapshot(1, 7, &[1, 3]), snapshot(1, 9, &[1]), snapshot(1, 10, &[1])]);
    append(log, vec![ends(1, 9), forget(1, 10)]);
    append(log, vec![claim(1, progress(1, 1, 4))]);
    let told = Record::Progress(open(1, 1).into(), progress(1, 1, 4));
    assert_eq!(next(&heard), Heard::Record(told));
    assert_eq!(log.entity(1, EntityId(7)).unwrap(), Some(state(&[1, 3])));
    assert_eq!(log.entity(1, EntityId(10)).unwrap(), None);
    assert_eq!(entities(log), [(7, state(&[1, 3])), (8, state(&[2])), (9, mark(1))]);
    append(log, vec![StateRecord::Close { shard: 1, open: open(1, 1) }]);
    assert_eq!(next(&heard), Heard::Record(Record::Close(open(1, 1).into())));

    log.unfollow(1);
    let heard = follow(log);
    let records = history(&heard);
    let mut ledger = naap_actors::ownership::Ledger::default();
    for record in records {
        ledger.read(record);
    }
    assert_eq!(ledger.claim(), Some(&progress(1, 1, 4)));
    assert!(ledger.free(), "it was closed");
    assert_eq!(ledger.holder().map(|holder| holder.epoch), Some(1));
    assert_eq!(entities(log), [(7, state(&[1, 3])), (8, state(&[2])), (9, mark(1))]);
    // An inherited claim stands under the new opening as it was.
    append(log, vec![opened(2, 1)]);
    assert_eq!(next(&heard), Heard::Record(Record::Open(open(2, 1).into())));
    assert_eq!(next(&heard), Heard::CaughtUp);
    append(log, vec![claim(2, progress(1, 1, 4))]);
    let told = Record::Progress(open(2, 1).into(), progress(1, 1, 4));
    assert_eq!(next(&heard), Heard::Record(told));
}

fn config(bootstrap: &str, topic: &str, shards: u16) -> Config {
    let text = format!(
        "[node]\nname = \"naap-0\"\n[cluster]\nshards = {shards}\n[kafka]\nbootstrap = [\"{bootstrap}\"]\n\
         [state_log]\nstore = \"kafka\"\ntopic = \"{topic}\"\n"
    );
    load_text(Some((&text, "test.toml")), &[], &[]).unwrap().config
}

async fn kafka(config: &Config, dir: &Path, boot: u64) -> Arc<KafkaStateLog> {
    Arc::new(KafkaStateLog::open(config, dir, boot).await.unwrap())
}

fn stamped(name: &str) -> String {
    let stamp = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    format!("{name}-{stamp}")
}

#[test]
fn the_file_conforms() {
    let dir = tempfile::tempdir().unwrap();
    conforms(&LocalStateLog::open(dir.path(), SHARDS).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_topic_conforms_at_the_mock() {
    let cluster: MockCluster<'static, _> = MockCluster::new(1).unwrap();
    cluster.create_topic("state", i32::from(SHARDS), 1).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = config(&cluster.bootstrap_servers(), "state", SHARDS);
    let log = kafka(&config, dir.path(), 1).await;
    assert!(log.is_empty() && !log.knows_every_shard());
    tokio::task::spawn_blocking(move || conforms(&*log)).await.unwrap();
    let log = kafka(&config, dir.path(), 2).await;
    assert!(!log.is_empty() && !log.knows_every_shard(), "only shard 1 was written");
    for shard in 0..SHARDS {
        append(&*log, vec![StateRecord::Open { shard, open: open(9, 2) }]);
    }
    let log = kafka(&config, dir.path(), 3).await;
    assert!(log.knows_every_shard());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs a real Kafka: make test-cluster"]
async fn the_topic_conforms_at_a_real_broker() {
    let bootstrap = bootstrap();
    let dir = tempfile::tempdir().unwrap();
    let config = config(&bootstrap, &stamped("state"), SHARDS);
    let log = kafka(&config, dir.path(), 1).await;
    assert!(log.is_empty());
    tokio::task::spawn_blocking(move || conforms(&*log)).await.unwrap();
    let log = kafka(&config, dir.path(), 2).await;
    assert!(!log.is_empty());
}

/// Two boots write the same shard: the second merges what the first has left, the first hears of it,
/// and what is superseded is removed once the second has read back its own.
fn two_writers(first: &dyn StateLog, second: &dyn StateLog, fresh: &dyn StateLog) {
    let heard = follow(first);
    history(&heard);
    append(first, vec![opened(1, 1), snapshot(1, 7, &[1]), snapshot(1, 8, &[2])]);
    append(first, vec![claim(1, progress(1, 1, 3))]);

    let later = follow(second);
    history(&later);
    assert_eq!(entities(second), [(7, state(&[1])), (8, state(&[2]))]);
    append(second, vec![opened(2, 2)]);
    assert_eq!(next(&later), Heard::Record(Record::Open(open(2, 2).into())));
    let rival = Heard::Record(Record::Open(open(2, 2).into()));
    while next(&heard) != rival {}
    // The first has not noticed yet: its state merges, its claim is void.
    append(first, vec![snapshot(1, 7, &[1, 5]), claim(1, progress(1, 2, 6))]);
    append(second, vec![snapshot(2, 7, &[1, 4]), claim(2, progress(2, 1, 5))]);
    let own = Heard::Record(Record::Progress(open(2, 2).into(), progress(2, 1, 5)));
    while next(&later) != own {}

    // Whoever comes next finds the union; a set needs no more than that.
    let heard = follow(fresh);
    let mut ledger = naap_actors::ownership::Ledger::default();
    for record in history(&heard) {
        ledger.read(record);
    }
    assert_eq!(ledger.claim(), Some(&progress(2, 1, 5)), "the late claim is void");
    assert_eq!(entities(fresh), [(7, state(&[1, 4, 5])), (8, state(&[2]))]);
}

/// The second ends what the first has written: a late append of the first does not bring it back, its
/// record goes, and what is forgotten is gone for whoever comes next.
fn an_end(first: &dyn StateLog, second: &dyn StateLog, fresh: &dyn StateLog, removed: &dyn Fn()) {
    let heard = follow(first);
    history(&heard);
    append(first, vec![opened(1, 1), snapshot(1, 7, &[1]), snapshot(1, 8, &[2])]);
    let later = follow(second);
    history(&later);
    append(second, vec![opened(2, 2)]);
    assert_eq!(next(&later), Heard::Record(Record::Open(open(2, 2).into())));
    append(second, vec![ends(2, 7)]);
    removed();
    append(first, vec![snapshot(1, 7, &[1, 5])]);
    append(second, vec![forget(2, 8), claim(2, progress(2, 1, 5))]);
    let own = Heard::Record(Record::Progress(open(2, 2).into(), progress(2, 1, 5)));
    while next(&later) != own {}
    assert_eq!(entities(second), [(7, mark(2))]);
    let heard = follow(fresh);
    history(&heard);
    assert_eq!(entities(fresh), [(7, mark(2))]);
}

/// Waits until the record of an entity that boot 1 has written is removed.
fn until_removed(bootstrap: &str, entity: u128) {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", bootstrap).set("group.id", "look");
    let consumer: BaseConsumer = client.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("state", 1, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    loop {
        let message = consumer.poll(PATIENCE).expect("what is superseded stays").unwrap();
        let key = message.key().unwrap();
        let of_first = key[1..9] == 1_u64.to_be_bytes() && key.ends_with(&entity.to_be_bytes());
        if message.payload().is_none() {
            assert!(of_first, "only what the second has replaced may go: {key:?}");
            return;
        }
    }
}

/// Runs `all` with the first two boots of a node, a third that is to find what they leave, and the address
/// of the broker that they write to.
async fn with_three_boots(
    all: impl FnOnce(&dyn StateLog, &dyn StateLog, &dyn StateLog, &str) + Send + 'static,
) {
    let cluster: MockCluster<'static, _> = MockCluster::new(1).unwrap();
    cluster.create_topic("state", i32::from(SHARDS), 1).unwrap();
    let config = config(&cluster.bootstrap_servers(), "state", SHARDS);
    let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let (first, second, fresh) = (
        kafka(&config, dirs[0].path(), 1).await,
        kafka(&config, dirs[1].path(), 2).await,
        kafka(&config, dirs[2].path(), 3).await,
    );
    let bootstrap = cluster.bootstrap_servers();
    let all = move || all(&*first, &*second, &*fresh, &bootstrap);
    tokio::task::spawn_blocking(all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn states_of_two_boots_merge_and_the_older_ones_go() {
    with_three_boots(|first, second, fresh, bootstrap| {
        two_writers(first, second, fresh);
        until_removed(bootstrap, 7);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mark_stands_whatever_an_older_boot_appends() {
    with_three_boots(|first, second, fresh, bootstrap| {
        an_end(first, second, fresh, &|| until_removed(bootstrap, 7));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs a real Kafka: make test-cluster"]
async fn a_topic_with_wrong_settings_is_refused_with_the_remedy() {
    let bootstrap = bootstrap();
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &bootstrap);
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let names = ["deleting", "few", "short", "thin"].map(stamped);
    let new = |name| NewTopic::new(name, 1, TopicReplication::Fixed(1));
    let compact = |name| new(name).set("cleanup.policy", "compact");
    let topics = [
        new(&names[0]),
        compact(&names[1]),
        compact(&names[2]),
        compact(&names[3]).set("max.message.bytes", "67112960").set("min.insync.replicas", "2"),
    ];
    let made = admin.create_topics(&topics, &AdminOptions::new()).await.unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    let refused = KafkaStateLog::open(&config(&bootstrap, &names[0], 1), dir.path(), 1).await;
    let sentence = refused.unwrap_err().to_string();
    assert!(
        sentence.contains(
            "has cleanup.policy = delete, but the state of shards is only safe with compact"
        ),
        "{sentence}"
    );
    let refused = KafkaStateLog::open(&config(&bootstrap, &names[1], 2), dir.path(), 1).await;
    let sentence = refused.unwrap_err().to_string();
    assert!(sentence.contains("has 1 partitions, but cluster.shards is 2"), "{sentence}");
    // A snapshot would not fit.
    let refused = KafkaStateLog::open(&config(&bootstrap, &names[2], 1), dir.path(), 1).await;
    let sentence = refused.unwrap_err().to_string();
    let remedy = format!(
        "`kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics --entity-name {} \
         --add-config max.message.bytes=67112960`",
        names[2]
    );
    assert!(sentence.contains("has max.message.bytes = 1048588, but"), "{sentence}");
    assert!(sentence.contains("raise it to at least 67112960 with"), "{sentence}");
    assert!(sentence.contains(&names[2]) && sentence.ends_with(&remedy), "{sentence}");
    // Nothing could be written.
    let refused = KafkaStateLog::open(&config(&bootstrap, &names[3], 1), dir.path(), 1).await;
    let sentence = refused.unwrap_err().to_string();
    let wrong =
        "has replication factor 1 in partition 0, but min.insync.replicas = 2 needs at least 2";
    assert!(sentence.contains(wrong), "{sentence}");
    assert!(sentence.contains("--add-config min.insync.replicas=1`"), "{sentence}");
}
