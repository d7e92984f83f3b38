//! A taker of records that tests look into, and the way to start a source with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use naap_actors::ingest::{IngestGone, RecordBatch, Wants};
use naap_node::config::{Config, load_text};
use naap_node::kafka::{KafkaError, KafkaSource, RecordTaker};
use naap_protocol::state::SourcePartition;
use tokio::sync::{Semaphore, mpsc, watch};

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// What the taker was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    Assign(u32, u64),
    Unassign(u32),
    /// Partition, first offset after the batch.
    Covered(u32, u64),
    Record(Record),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub partition: u32,
    pub offset: u64,
    pub time: Option<i64>,
    pub value: Option<Vec<u8>>,
}

pub type Vector = BTreeMap<SourcePartition, u64>;

/// The taker. It takes a batch when the gate has a permit, and keeps it.
pub struct Taker {
    told: mpsc::UnboundedSender<Got>,
    gate: Arc<Semaphore>,
    /// Applies at once what it takes.
    applies: Option<watch::Sender<Vector>>,
}

impl Taker {
    fn tell(&self, got: Got) -> Result<(), IngestGone> {
        self.told.send(got).map_err(|_| IngestGone)
    }
}

impl RecordTaker for Taker {
    fn assign(&mut self, source: SourcePartition, offset: u64) -> Result<(), IngestGone> {
        self.tell(Got::Assign(source.partition, offset))
    }

    fn unassign(&mut self, source: SourcePartition) -> Result<(), IngestGone> {
        self.tell(Got::Unassign(source.partition))
    }

    async fn take(&mut self, batch: RecordBatch) -> Result<(), IngestGone> {
        self.gate.acquire().await.map_err(|_| IngestGone)?.forget();
        let partition = batch.source.partition;
        for entry in &batch.records {
            self.tell(Got::Record(Record {
                partition,
                offset: entry.offset,
                time: entry.record_ts.map(|time| time.0),
                value: entry.value.clone().map(|range| batch.data[range].to_vec()),
            }))?;
        }
        self.tell(Got::Covered(partition, batch.next_offset))?;
        if let Some(applies) = &self.applies {
            applies.send_modify(|v| _ = v.insert(batch.source, batch.next_offset));
        }
        Ok(())
    }
}

/// How a source is started.
pub struct Setup {
    pub bootstrap: String,
    pub topic: String,
    pub reset: &'static str,
    pub node: &'static str,
    /// What the state log says.
    pub start: BTreeMap<u32, u64>,
    /// The taker applies at once what it takes.
    pub applies: bool,
    /// Batches that are let through at first.
    pub open: usize,
    /// `cluster.drain_timeout`.
    pub drain: &'static str,
}

impl Setup {
    pub fn new(bootstrap: &str, topic: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            topic: topic.to_owned(),
            reset: "earliest",
            node: "naap-0",
            start: BTreeMap::new(),
            applies: true,
            open: Semaphore::MAX_PERMITS,
            drain: "4s",
        }
    }

    pub fn config(&self) -> Config {
        let Self { bootstrap, topic, reset, drain, .. } = self;
        let brokers: Vec<_> = bootstrap.split(',').map(|broker| format!("\"{broker}\"")).collect();
        let text = format!(
            "[ingest]\nsource = \"kafka\"\ngroup = \"naap.{topic}.ingest\"\n\
             topics = [{{ name = \"{topic}\", org = \"o\", reset = \"{reset}\" }}]\n\
             [kafka]\nbootstrap = [{}]\n[cluster]\ndrain_timeout = \"{drain}\"\n",
            brokers.join(",")
        );
        load_text(Some((&text, "test.toml")), &[], &[]).unwrap().config
    }

    pub async fn start(self) -> Result<Running, KafkaError> {
        crate::meter::install();
        // Shown where a test fails; the first test of the process sets it up for all.
        drop(tracing_subscriber::fmt().with_test_writer().try_init());
        let config = self.config();
        let Self { topic, node, start, applies, open, .. } = self;
        let (told, heard) = mpsc::unbounded_channel();
        let (applied, watched) = watch::channel(Vector::new());
        let gate = Arc::new(Semaphore::new(open));
        let applies = applies.then(|| applied.clone());
        let taker = Taker { told, gate: gate.clone(), applies };
        let offset = move |source: &SourcePartition| start.get(&source.partition).copied();
        let (rereads, wanted) = mpsc::unbounded_channel();
        let offset = Box::new(offset);
        let source = KafkaSource::start_into(&config, node, taker, watched, offset, wanted).await?;
        Ok(Running { topic, source, heard, applied, gate, rereads })
    }
}

/// A source that reads into a taker.
pub struct Running {
    topic: String,
    pub source: KafkaSource,
    pub heard: mpsc::UnboundedReceiver<Got>,
    applied: watch::Sender<Vector>,
    pub gate: Arc<Semaphore>,
    rereads: mpsc::UnboundedSender<Wants>,
}

impl Running {
    /// Wants `partition` to be read again from `offset` on.
    pub fn reread(&self, partition: u32, offset: u64) {
        let source = SourcePartition { topic: self.topic.clone(), partition };
        self.rereads.send(Wants::Again(source, offset)).expect("the source runs");
    }

    /// Says that a shard has applied everything of `partition` before `offset`.
    pub fn ahead(&self, partition: u32, offset: u64) {
        let source = SourcePartition { topic: self.topic.clone(), partition };
        self.rereads.send(Wants::Ahead(source, offset)).expect("the source runs");
    }

    /// The way to want that while the source is being stopped.
    pub fn reread_sender(&self) -> mpsc::UnboundedSender<Wants> {
        self.rereads.clone()
    }

    /// The next thing told.
    pub async fn next(&mut self) -> Got {
        let next = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        next.expect("the source told nothing for too long").expect("the feed has ended")
    }

    /// Waits for `count` records; returns them with everything else told before the last of them.
    pub async fn records(&mut self, count: usize) -> (Vec<Record>, Vec<Got>) {
        let (mut records, mut rest) = (Vec::new(), Vec::new());
        while records.len() < count {
            match self.next().await {
                Got::Record(record) => records.push(record),
                other => rest.push(other),
            }
        }
        (records, rest)
    }

    /// Waits until `wanted` is told and returns the records told before.
    pub async fn until(&mut self, wanted: &Got) -> Vec<Record> {
        let mut records = Vec::new();
        loop {
            match self.next().await {
                got if got == *wanted => return records,
                Got::Record(record) => records.push(record),
                _ => {}
            }
        }
    }

    /// The way to say what is durable while the source is being stopped.
    pub fn applied_sender(&self) -> watch::Sender<Vector> {
        self.applied.clone()
    }

    /// Says that everything before `offset` is durable.
    pub fn apply(&self, partition: u32, offset: u64) {
        let source = SourcePartition { topic: self.topic.clone(), partition };
        self.applied.send_modify(|v| _ = v.insert(source, offset));
    }
}
