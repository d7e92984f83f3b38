//! The end of state in a shard: what is over becomes a mark, and nothing that was written changes.

use std::sync::Arc;

use naap_actors::ports::{Clock, StateLog, StateRecord};
use naap_actors::shard::{ROUTING_VERSION, ShardCore, ShardCounts, ShardOptions};
use naap_protocol::codec::{self, TraceContext};
use naap_protocol::event::{Body, Event, Payment};
use naap_protocol::identity::{EntityId, EntityKey, EntityKind};
use naap_protocol::state::{
    EpochOpen, EventState, Expired, Progress, SessionState, SourcePartition,
};
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{EnvelopeBuilder, EnvelopeHead};

use crate::cells::Store;
use crate::memory::{FakeClock, MemoryLog, clock};
use crate::shard_laws;
use crate::signals::{BASE, event, parse};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const OPTIONS: ShardOptions = ShardOptions { idle_ticks: 1, ..shard_laws::OPTIONS };

fn source() -> SourcePartition {
    SourcePartition { topic: "t".to_owned(), partition: 0 }
}

struct Shard {
    log: Arc<MemoryLog>,
    core: ShardCore,
    store: Store,
    next: u64,
}

impl Shard {
    fn open(log: &Arc<MemoryLog>, options: ShardOptions) -> Self {
        Self::open_by(log, options, clock())
    }

    fn open_by(log: &Arc<MemoryLog>, options: ShardOptions, clock: Arc<dyn Clock>) -> Self {
        let claim = log.shard(0);
        let epoch = claim.epoch + 1;
        let open = EpochOpen { epoch, node: "n".to_owned(), incarnation: epoch };
        log.append(vec![StateRecord::Open { shard: 0, open }]).unwrap();
        let Progress { applied, watermark, .. } = claim.progress.clone();
        let progress = Progress {
            epoch,
            routing_version: ROUTING_VERSION,
            applied,
            watermark,
            ..Progress::default()
        };
        let next = progress.applied.get(&source()).copied().unwrap_or(0);
        let mut core = ShardCore::new(0, progress, options, log.clone(), clock);
        core.resume(&claim.progress).unwrap();
        Self { log: log.clone(), core, store: Store::default(), next }
    }

    /// Takes `event` in.
    fn apply(&mut self, event: &Event<'static>) -> ShardCounts {
        let event = Event { offset: self.next, ..event.clone() };
        let owner = EntityKey::owner("org", &event);
        let mut builder = EnvelopeBuilder::default();
        match owner.kind() {
            EntityKind::Session => builder.push_session(owner.id().0, &event),
            _ => builder.push_single(owner.id().0, &event),
        }
        .unwrap();
        let (from, to) = (self.next, self.next + 1);
        let (org, source) = ("org".to_owned(), source());
        let head = EnvelopeHead { shard: 0, epoch_hint: 0, org, source, from, to, count: 0 };
        self.core.apply(&builder.seal(head, TraceContext::default())).unwrap();
        self.next = to;
        self.core.take_counts()
    }

    /// The same, and the commit cycle ends; then a second passes.
    fn take(&mut self, event: &Event<'static>) -> ShardCounts {
        let counts = self.apply(event);
        self.cycle();
        counts
    }

    fn cycle(&mut self) {
        let saved = self.core.commit(false).unwrap();
        self.log.append(saved.records).unwrap();
        for batch in self.core.take_rows() {
            self.store.insert(batch.table, &batch.rows);
        }
        let (epoch, progress) = (saved.progress.epoch, saved.progress);
        self.log.append(vec![StateRecord::Progress { shard: 0, epoch, progress }]).unwrap();
        self.core.committed();
        self.core.tick();
    }

    fn stored(&self, event: &Event<'_>) -> Option<Vec<u8>> {
        self.log.entity(0, EntityId(EntityKey::owner("org", event).id().0)).unwrap()
    }

    fn mark(&self, event: &Event<'_>) -> Option<Expired> {
        let frame = self.stored(event).filter(|frame| codec::is::<Expired>(frame));
        frame.map(|frame| codec::decode(&frame).unwrap())
    }
}

/// An event at `ts` that moves the watermark there.
fn later(ts: i64) -> Event<'static> {
    event(&format!("p{ts}"), Timestamp(BASE + ts), "gw", Body::Payment(Payment::default()))
}

fn signal(text: &str) -> Event<'static> {
    parse(text).remove(0)
}

#[test]
fn a_session_ends_and_stays_as_it_was_written() {
    let log = Arc::new(MemoryLog::default());
    let mut shard = Shard::open(&log, OPTIONS);
    let request = signal("REQ@1000{uid=a}");
    shard.take(&request);
    shard.take(&signal("CLOSE@2000{uid=b}"));
    let end = 2000 + 72 * HOUR;
    shard.take(&later(end));
    shard.cycle();
    assert!(codec::is::<SessionState>(&shard.stored(&request).unwrap()), "72 h are not over");
    shard.take(&later(end + HOUR));
    shard.cycle();
    let (ended, at) = (Timestamp(BASE + 2000), Timestamp(BASE + end + HOUR));
    assert_eq!(shard.mark(&request), Some(Expired { epoch: 1, ended, at }));
    let facts = |shard: &Shard| {
        let latest = shard.store.latest();
        latest
            .into_iter()
            .filter(|(table, ..)| table.starts_with("fact_workflow"))
            .collect::<Vec<_>>()
    };
    let before = facts(&shard);
    assert!(!before.is_empty());
    // A late signal leaves its typed row, whoever owns the shard, and changes no fact.
    let late = signal("PLAY@1500{uid=c}");
    for reopened in [false, true] {
        if reopened {
            let store = shard.store;
            shard = Shard { store, ..Shard::open(&log, OPTIONS) };
            assert_eq!(shard.core.progress().watermark, Some(at), "owners judge alike");
        }
        let typed = shard.store.table("raw_stream_trace_events").len();
        let counts = shard.take(&late);
        assert_eq!((counts.late_expired, counts.sessions, counts.accepted), (1, 0, 0));
        let now = shard.store.table("raw_stream_trace_events").len();
        assert_eq!(now, typed + usize::from(!reopened), "the same row again");
        assert_eq!(facts(&shard), before);
    }
    assert!(shard.mark(&request).is_some());
    // The mark goes 180 days later.
    shard.take(&later(end + HOUR + 180 * DAY));
    shard.cycle();
    assert!(shard.mark(&request).is_some());
    shard.take(&later(end + 2 * HOUR + 180 * DAY));
    shard.cycle();
    assert_eq!(shard.stored(&request), None);
}

#[test]
fn an_event_without_a_session_is_forgotten_after_48_hours() {
    let log = Arc::new(MemoryLog::default());
    let mut shard = Shard::open(&log, OPTIONS);
    let payment = later(0);
    shard.take(&payment);
    shard.take(&later(48 * HOUR));
    shard.cycle();
    assert!(codec::is::<EventState>(&shard.stored(&payment).unwrap()));
    // The next owner knows of it too.
    let mut shard = Shard { store: shard.store, ..Shard::open(&log, OPTIONS) };
    shard.take(&later(49 * HOUR));
    shard.cycle();
    assert_eq!(shard.stored(&payment), None);
    let counts = shard.take(&payment);
    assert_eq!((counts.accepted, counts.duplicates), (1, 0), "told apart no more");
}

#[test]
fn what_is_woken_before_its_mark_is_durable_lives_on() {
    let log = Arc::new(MemoryLog::default());
    let mut shard = Shard::open(&log, OPTIONS);
    let request = signal("REQ@1000{uid=a}");
    shard.take(&request);
    shard.apply(&later(73 * HOUR));
    // The mark is on its way while the signal comes.
    let saved = shard.core.commit(false).unwrap();
    let is_mark = |record: &StateRecord| matches!(record, StateRecord::Snapshot { frame, .. } if codec::is::<Expired>(frame));
    assert!(saved.records.iter().any(is_mark));
    let counts = shard.apply(&signal("PLAY@1500{uid=b}"));
    assert_eq!((counts.late_expired, counts.accepted), (0, 1));
    log.append(saved.records).unwrap();
    shard.core.committed();
    shard.cycle();
    let state: SessionState = codec::decode(&shard.stored(&request).unwrap()).unwrap();
    assert_eq!(state.signals.len(), 2, "nothing of it is lost");
    // And it ends with the next look.
    shard.take(&later(74 * HOUR));
    shard.cycle();
    assert!(shard.mark(&request).is_some());
}

/// For longer than a silence may be, where a backfill is to be able to change it.
#[test]
fn a_session_is_kept_as_long_as_is_asked_for() {
    let log = Arc::new(MemoryLog::default());
    let mut shard = Shard::open(&log, ShardOptions { kept_ms: 10 * DAY, ..OPTIONS });
    let request = signal("REQ@1000{uid=a}");
    shard.take(&request);
    for (ahead, over) in [(74 * HOUR, false), (11 * DAY, false), (11 * DAY + HOUR, true)] {
        shard.take(&later(ahead));
        shard.cycle();
        shard.cycle();
        assert_eq!(shard.mark(&request).is_some(), over, "{ahead}");
    }
}

#[test]
fn what_a_node_with_a_wrong_clock_has_claimed_ends_nothing() {
    let log = Arc::new(MemoryLog::default());
    let mut wrong = Shard::open(&log, OPTIONS);
    wrong.take(&later(100 * DAY));
    wrong.cycle();
    assert_eq!(wrong.core.progress().watermark, Some(Timestamp(BASE + 100 * DAY)));
    let now = Arc::new(FakeClock((BASE + HOUR).into()));
    let mut shard = Shard::open_by(&log, OPTIONS, now);
    let request = signal("REQ@1000{uid=a}");
    shard.take(&request);
    for _ in 0..3 {
        shard.cycle();
    }
    assert_eq!(shard.core.progress().watermark, Some(Timestamp(BASE + HOUR + 300_000)));
    assert_eq!(shard.mark(&request), None);
    assert!(codec::is::<SessionState>(&shard.stored(&request).unwrap()));
}

#[test]
fn a_replay_of_files_ends_nothing() {
    let log = Arc::new(MemoryLog::default());
    let mut shard = Shard::open(&log, ShardOptions { retention_ms: None, ..OPTIONS });
    let request = signal("REQ@1000{uid=a}");
    shard.take(&request);
    shard.take(&later(0));
    shard.take(&later(400 * DAY));
    shard.cycle();
    assert!(codec::is::<SessionState>(&shard.stored(&request).unwrap()));
    assert!(shard.stored(&later(0)).is_some());
    assert_eq!(shard.core.progress().watermark, None);
}
