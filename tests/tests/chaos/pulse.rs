//! A steady stream with a known time of sending: every shard gets an event each [`BEAT`], from each
//! source partition in turn. So a shard that folds nothing for longer than that has a gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use naap_protocol::identity::EntityKey;
use naap_tests::stage::{PARTITIONS, SHARDS, Stage, producer};
use rdkafka::producer::{BaseRecord, Producer};

/// Time between two events of a shard.
pub const BEAT: Duration = Duration::from_millis(20);
/// Beats after which other sessions follow: none gets long.
const SESSION: u64 = 250;
/// Gateway of the events.
pub const GATEWAY: &str = "pulse";

/// Now, as rows name times.
pub fn now_ms() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

/// The stream, until it is stopped.
pub struct Pulse {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Begins to write to the topic of `stage`.
    pub fn start(stage: &Stage) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (flag, topic, bootstrap) = (stop.clone(), stage.topic.clone(), stage.bootstrap.clone());
        let thread = std::thread::spawn(move || beat(&flag, &topic, &bootstrap));
        Self { stop, thread: Some(thread) }
    }

    /// Ends the stream; everything is with the broker then.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn beat(stop: &AtomicBool, topic: &str, bootstrap: &str) {
    let producer = producer(bootstrap);
    let (mut next, mut beats) = (Instant::now(), 0);
    let mut sessions = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        if beats % SESSION == 0 {
            sessions = (0..SHARDS).map(|shard| names(shard, beats / SESSION)).collect();
        }
        for shard in 0..SHARDS {
            let partition = ((beats + u64::from(shard)) % PARTITIONS as u64) as usize;
            let line = event(shard, partition, beats, &sessions[usize::from(shard)][partition]);
            let record: BaseRecord<'_, (), str> =
                BaseRecord::to(topic).partition(partition as i32).payload(&line);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.poll(Duration::ZERO);
        beats += 1;
        next += BEAT;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// A session of the shard for each partition.
fn names(shard: u16, generation: u64) -> Vec<String> {
    let of = |partition: i32| {
        let mut names = (0..).map(|n| format!("pulse-{generation}-{partition}-{n}"));
        let is =
            |name: &String| EntityKey::session("cloud_spe", name, "r", "").shard(SHARDS) == shard;
        names.find(is).unwrap()
    };
    (0..PARTITIONS).map(of).collect()
}

fn event(shard: u16, partition: usize, beat: u64, session: &str) -> String {
    let now = now_ms();
    format!(
        r#"{{"id":"{shard}-{partition}-{beat}","type":"stream_trace","timestamp":"{now}","gateway":"{GATEWAY}","data":{{"type":"gateway_receive_few_processed_segments","timestamp":{now},"stream_id":"{session}","request_id":"r"}}}}"#
    )
}
