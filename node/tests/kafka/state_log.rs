//! One suite over every state log: the file, and the topic at the mock and at a real broker. Then what
//! only a log with several writers can show.

use std::collections::BTreeSet;
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

fn mark() -> Vec<u8> {
    codec::encode(&Expired { at: Timestamp(9) }, TraceContext::default()).unwrap()
}

fn expired(epoch: u64, entity: u128) -> StateRecord {
    StateRecord::Expired { shard: 1, epoch, entity: EntityId(entity), frame: mark() }
}

fn forgotten(epoch: u64, entity: u128) -> StateRecord {
    StateRecord::Forgotten { shard: 1, epoch, entity: EntityId(entity) }
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

/// What is found page by page, which must be what is found at once.
fn pages(log: &dyn StateLog) -> Vec<(u128, Vec<u8>)> {
    let (mut all, mut from) = (Vec::new(), Some(EntityId(0)));
    while let Some(start) = from {
        let before = all.len();
        let mut each = |id: EntityId, frame: &[u8]| all.push((id.0, frame.to_vec()));
        from = log.page(1, start, 2, &mut each).unwrap();
        assert!(all.len() - before <= 2 && (from.is_none() || all.len() == before + 2));
    }
    assert_eq!(all, entities(log));
    all
}

/// What every log must do.
fn conforms(log: &dyn StateLog) {
    let heard = follow(log);
    assert_eq!(history(&heard), []);
    append(log, vec![opened(1, 1)]);
    assert_eq!(next(&heard), Heard::Record(Record::Open(open(1, 1).into())));
    append(log, vec![snapshot(1, 7, &[1]), snapshot(1, 8, &[2])]);
    append(log, vec![snapshot(1, 7, &[1, 3])]);
    append(log, vec![claim(1, progress(1, 1, 4))]);
    let told = Record::Progress(open(1, 1).into(), progress(1, 1, 4));
    assert_eq!(next(&heard), Heard::Record(told));
    assert_eq!(log.entity(1, EntityId(7)).unwrap(), Some(state(&[1, 3])));
    assert_eq!(log.entity(1, EntityId(9)).unwrap(), None);
    assert_eq!(entities(log), [(7, state(&[1, 3])), (8, state(&[2]))]);
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
    assert_eq!(entities(log), [(7, state(&[1, 3])), (8, state(&[2]))]);
    // An inherited claim stands under the new opening as it was.
    append(log, vec![opened(2, 1)]);
    assert_eq!(next(&heard), Heard::Record(Record::Open(open(2, 1).into())));
    append(log, vec![claim(2, progress(1, 1, 4))]);
    let told = Record::Progress(open(2, 1).into(), progress(1, 1, 4));
    assert_eq!(next(&heard), Heard::Record(told));

    // A mark takes the place of a state, whatever else is known of the entity.
    let known =
        [(6, state(&[6])), (7, state(&[1, 3])), (8, mark()), (9, mark()), (10, state(&[7]))];
    append(log, vec![snapshot(2, 6, &[6]), snapshot(2, 9, &[5]), snapshot(2, 10, &[7])]);
    append(log, vec![expired(2, 8), expired(2, 9)]);
    assert_eq!(pages(log), known);
    assert_eq!(log.entity(1, EntityId(9)).unwrap(), Some(mark()));
    log.unfollow(1);
    let heard = follow(log);
    history(&heard);
    assert_eq!(pages(log), known);
    // What is forgotten is gone, states and marks, written in this opening or before.
    append(log, vec![opened(3, 1), snapshot(3, 10, &[7]), snapshot(3, 11, &[8])]);
    append(log, vec![expired(3, 11), forgotten(3, 7), forgotten(3, 8), forgotten(3, 10)]);
    append(log, vec![forgotten(3, 11)]);
    let known = [(6, state(&[6])), (9, mark())];
    assert_eq!(pages(log), known);
    assert_eq!(log.entity(1, EntityId(7)).unwrap(), None);
    log.unfollow(1);
    let heard = follow(log);
    history(&heard);
    assert_eq!(pages(log), known);
    // An entity that was forgotten can be there again.
    append(log, vec![opened(4, 1), snapshot(4, 7, &[4])]);
    assert_eq!(log.entity(1, EntityId(7)).unwrap(), Some(state(&[4])));
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
    tokio::task::spawn_blocking(move || conforms(&*log)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_topic_conforms_at_a_real_broker() {
    let Some(bootstrap) = bootstrap("the_topic_conforms_at_a_real_broker") else { return };
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

/// The mark of a displaced writer does not count; that of the holder ends every snapshot, also one that
/// the displaced writer appends later.
fn two_forget(
    bootstrap: &str,
    (first, second, fresh): (&dyn StateLog, &dyn StateLog, &dyn StateLog),
) {
    let heard = follow(first);
    history(&heard);
    append(first, vec![opened(1, 1), snapshot(1, 7, &[1]), snapshot(1, 8, &[2])]);
    append(first, vec![snapshot(1, 9, &[3]), expired(1, 9), claim(1, progress(1, 1, 4))]);

    let later = follow(second);
    history(&later);
    append(second, vec![opened(2, 2)]);
    assert_eq!(next(&later), Heard::Record(Record::Open(open(2, 2).into())));
    append(first, vec![expired(1, 8), snapshot(1, 7, &[1, 5]), snapshot(1, 10, &[6])]);
    append(second, vec![expired(2, 7), claim(2, progress(2, 1, 5))]);
    append(first, vec![snapshot(1, 7, &[1, 5, 6])]);
    let own = Heard::Record(Record::Progress(open(2, 2).into(), progress(2, 1, 5)));
    while next(&later) != own {}
    let running = [(7, mark()), (8, state(&[2])), (9, mark())];
    assert_eq!(entities(second), running, "what is in late records comes as input");

    history(&follow(fresh));
    let all = [(7, mark()), (8, state(&[2])), (9, mark()), (10, state(&[6]))];
    assert_eq!(entities(fresh), all);
    until_removed(bootstrap, &[(1, 9), (1, 7), (2, 7)]);
    // The end of a mark takes along what was left behind.
    append(fresh, vec![StateRecord::Open { shard: 1, open: open(3, 3) }]);
    append(fresh, vec![forgotten(3, 7), forgotten(3, 8), forgotten(3, 9)]);
    assert_eq!(entities(fresh), [(10, state(&[6]))]);
    fresh.unfollow(1);
    history(&follow(fresh));
    assert_eq!(entities(fresh), [(10, state(&[6]))]);
}

/// Waits until these snapshots are removed, by epoch and entity, and nothing else.
fn until_removed(bootstrap: &str, snapshots: &[(u64, u128)]) {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", bootstrap).set("group.id", "look");
    let consumer: BaseConsumer = client.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("state", 1, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut left: BTreeSet<(u64, u128)> = snapshots.iter().copied().collect();
    while !left.is_empty() {
        let message = consumer.poll(PATIENCE).expect("what is superseded stays").unwrap();
        if message.payload().is_some() {
            continue;
        }
        let key = message.key().unwrap();
        let epoch = u64::from_be_bytes(key[1..9].try_into().unwrap());
        let entity = u128::from_be_bytes(key[key.len() - 16..].try_into().unwrap());
        let wanted = key[0] == 4 && snapshots.contains(&(epoch, entity));
        assert!(wanted, "only what was replaced or ended may go: {key:?}");
        left.remove(&(epoch, entity));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn states_of_two_boots_merge_and_the_older_ones_go() {
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
    let all = move || {
        two_writers(&*first, &*second, &*fresh);
        until_removed(&bootstrap, &[(1, 7)]);
    };
    tokio::task::spawn_blocking(all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn marks_are_fenced_and_end_what_is_older() {
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
    let all = move || two_forget(&bootstrap, (&*first, &*second, &*fresh));
    tokio::task::spawn_blocking(all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_topic_with_wrong_settings_is_refused_with_the_remedy() {
    let test = "a_topic_with_wrong_settings_is_refused_with_the_remedy";
    let Some(bootstrap) = bootstrap(test) else { return };
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &bootstrap);
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let names = [stamped("deleting"), stamped("few")];
    let new = |name| NewTopic::new(name, 1, TopicReplication::Fixed(1));
    let topics = [new(&names[0]), new(&names[1]).set("cleanup.policy", "compact")];
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
}
