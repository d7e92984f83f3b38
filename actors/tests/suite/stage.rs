//! One session with its orchestrators on a stage: scripts in the notation of lifecycle.md 13, played
//! in any order, with answers at any time and restarts anywhere, down to the latest rows.

use naap_actors::session::tally::Cause;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use naap_actors::session::emit::Written;
use naap_actors::session::invariants::{Published, lineage_defects};
use naap_actors::session::{Receipt, SessionActor};
use naap_actors::shard::{Origin, RowWriter};
use naap_protocol::capability::advertise::{Advertisement, Content, Node, Offer};
use naap_protocol::capability::decide::DirectWindow;
use naap_protocol::capability::evidence::{Evidence, Role, Subject};
use naap_protocol::capability::index::Index;
use naap_protocol::event::Event;
use naap_protocol::state::{Delivery, Sighting};
use naap_protocol::time::Timestamp;

use crate::cells::{Cells, Store};
use crate::memory::FakeClock;
use crate::signals::{BASE, Word, content_hash, field, one, word, words};

/// One thing that arrives.
#[derive(Clone, Debug)]
pub enum Input {
    Event(Box<Event<'static>>),
    Capability(Box<Advertisement>),
}

/// The nodes of lifecycle.md 13: canonical, hot wallet, url, GPU.
const NODES: [(&str, [&str; 4]); 3] = [
    ("A", ["0xa", "0xhota", "https://a", "G-A"]),
    ("B", ["0xb", "0xhotb", "https://b", "G-B"]),
    ("C", ["0xc", "0xhota", "https://c", "G-C"]),
];

fn node(fields: &str) -> Option<[&'static str; 4]> {
    let named = |name: &str| fields.split(',').any(|field| field == name);
    NODES.iter().find(|(name, _)| named(name)).map(|(_, node)| *node)
}

/// Reads a script. `{A}` gives a signal the wallet, url and model of node A; `CAP@900{A}` advertises
/// it. Fields of an advertisement: `c` canonical, `h` hot wallet, `u` url, `p` pipeline, `m` model,
/// `g` GPUs joined by `+`, `uid`; a field that is given with no value is blank. A status without `p` has
/// `p=m1` (clarification 40).
pub fn script(text: &str) -> Vec<Input> {
    words(text)
        .into_iter()
        .zip(1..)
        .map(|(word, number)| match word.name {
            "CAP" => Input::Capability(Box::new(advertisement(word, number))),
            _ => Input::Event(Box::new(signal(word, number))),
        })
        .collect()
}

fn signal(word: Word<'_>, number: usize) -> Event<'static> {
    let mut fields = word.fields.to_owned();
    if let Some([_, hot, url, _]) = node(word.fields) {
        fields = format!("{fields},a={hot},u={url},p=m1");
    } else if word.name == "ST" && !word.fields.split(',').any(|f| f.starts_with("p=")) {
        fields.push_str(",p=m1");
    }
    one(word, &fields, &format!("e{number:02}"))
}

fn advertisement(word: Word<'_>, number: usize) -> Advertisement {
    let known = node(word.fields).unwrap_or_default();
    let given = |key: &str| word.fields.split(',').any(|f| f.starts_with(&format!("{key}=")));
    let text = |key: &str, default: &str| {
        if given(key) { field(word.fields, key) } else { default.to_owned() }
    };
    let gpus = text("g", known[3]);
    let hot = text("h", known[1]);
    let model = text("m", "m1");
    let slots = given("slots").then(|| (model.clone(), text("slots", "").parse().expect("slots")));
    let offer = Offer {
        pipeline: text("p", "live-video-to-video"),
        model,
        gpus: gpus.split('+').filter(|gpu| !gpu.is_empty()).map(str::to_owned).collect(),
    };
    Advertisement {
        node: Node { canonical: text("c", known[0]), url: text("u", known[2]) },
        event_ts: word.at,
        uid: text("uid", &format!("cap{number:02}")),
        content: Content {
            offers: vec![offer],
            aliases: Some(hot).filter(|hot| !hot.is_empty()).into_iter().collect(),
        },
        capacities: slots.into_iter().collect(),
        content_hash: content_hash(&format!("{:?}{}", word.at, word.fields)),
    }
}

impl Input {
    /// The words that it is in a script.
    pub fn words(&self) -> String {
        let ad = match self {
            Self::Event(event) => return word(event),
            Self::Capability(ad) => ad,
        };
        let hot = ad.content.aliases.join("+");
        let offers = ad.content.offers.iter().map(|offer| {
            let Node { canonical, url } = &ad.node;
            let (pipeline, model, gpus) = (&offer.pipeline, &offer.model, offer.gpus.join("+"));
            let at = ad.event_ts.0;
            format!("CAP@{at}{{c={canonical},h={hot},u={url},p={pipeline},m={model},g={gpus}}}")
        });
        offers.collect::<Vec<_>>().join(" ")
    }
}

/// A session, the orchestrators that it asks, and what is stored of it.
#[derive(Debug)]
pub struct Stage {
    pub session: SessionActor,
    orchestrators: BTreeMap<String, Index>,
    asked: BTreeMap<(Role, String), Vec<Subject>>,
    pub store: Store,
    rows: RowWriter,
    epoch: u64,
    /// What must not be unsaid of the last write; `None` once a signal was displaced.
    published: Option<Published>,
    retention: Option<i64>,
}

impl Stage {
    pub fn new(retention: Option<i64>) -> Self {
        let mut session = SessionActor::new("org", "s|r".to_owned(), "s", "r");
        session.enter(1);
        Self {
            session,
            orchestrators: BTreeMap::new(),
            asked: BTreeMap::new(),
            store: Store::default(),
            rows: writer(1),
            epoch: 1,
            published: None,
            retention,
        }
    }

    /// Takes in one thing; `offset` stands for its place in the source.
    pub fn take(&mut self, input: &Input, offset: u64) -> Option<Receipt> {
        match input {
            Input::Event(event) => {
                let event = Event { offset, ..(**event).clone() };
                let delivery = Delivery::of(&event, "t", 0);
                let receipt = self.session.receive(&event, &delivery, self.retention);
                self.left_out(&event, &delivery, receipt.sighting);
                if receipt.sighting.folds() && receipt.sighting != Sighting::NEW {
                    self.published = None;
                }
                Some(receipt)
            }
            Input::Capability(advertisement) => {
                for key in advertisement.routing_keys() {
                    let index = self.orchestrators.entry(key.to_owned()).or_default();
                    index.insert(advertisement);
                }
                None
            }
        }
    }

    /// Stores what the shard writes of deliveries that do not count.
    fn left_out(&mut self, event: &Event<'_>, delivery: &Delivery<'_>, sighting: Sighting) {
        if sighting == Sighting::NEW {
            return;
        }
        let origin = Origin { org: "org", topic: "t", partition: 0 };
        let known = self.session.state().deliveries.of(&event.uid);
        self.rows.left_out(origin, event, (delivery, sighting), known);
        self.store_rows();
    }

    fn store_rows(&mut self) {
        for batch in self.rows.outbox().take() {
            self.store.insert(batch.table, &batch.rows);
        }
    }

    /// Asks and answers until there is nothing more to say.
    pub fn settle(&mut self) {
        loop {
            let questions = self.session.questions((1, 0), self.retention);
            let mut news = !questions.is_empty();
            for question in questions {
                let subjects = question.subjects.into_iter().map(|(subject, _)| subject).collect();
                self.asked.insert((question.role, question.key), subjects);
            }
            for ((role, key), subjects) in &self.asked {
                let index = self.orchestrators.entry(key.clone()).or_default();
                for subject in subjects {
                    let decision = subject.decide(index, DirectWindow::default());
                    let (role, subject) = (*role, subject.clone());
                    let complete = index.covers(subject.ts);
                    let evidence = Evidence { session: 1, role, subject, decision, complete };
                    news |= self.session.learn(evidence, Cause::LateCapability);
                }
            }
            if !news {
                break;
            }
        }
    }

    /// Writes what has changed, and checks what must hold of it.
    pub fn write(&mut self) -> Written {
        let written = self.rows.session(&mut self.session, self.retention);
        let story = self.session.story(self.retention);
        let defects = lineage_defects(&story);
        assert!(defects.iter().all(|defect| defect.is_of_data()), "{defects:?}: {story:#?}");
        let published = Published::of(&story);
        let steps = self.published.iter().flat_map(|before| before.illegal_steps(&published));
        assert_eq!(steps.collect::<Vec<_>>(), [], "{:?}, then {published:?}", self.published);
        self.published = Some(published);
        self.store_rows();
        written
    }

    /// Goes through a snapshot, in the same epoch or in a new one.
    pub fn restart(&mut self, new_epoch: bool) {
        let frame = self.session.snapshot(1, false).expect("a snapshot");
        self.session = SessionActor::restore(&frame).expect("what was just written");
        self.session.recall(self.retention);
        self.asked.clear();
        if new_epoch {
            self.epoch += 1;
            self.rows = writer(self.epoch);
        }
        self.session.enter(self.epoch);
    }

    /// The hours whose figures are to be computed again since it was asked last.
    pub fn slices(&mut self) -> BTreeSet<Timestamp> {
        self.rows.outbox().slices().take().flat_map(|(_, hours)| hours).collect()
    }

    /// The latest rows of one table.
    pub fn table(&self, name: &str) -> Vec<Cells> {
        self.store.table(name)
    }
}

fn writer(epoch: u64) -> RowWriter {
    RowWriter::new(epoch, Arc::new(FakeClock(BASE.into())))
}

/// Plays a script in the given order, settles once and writes.
pub fn play(inputs: &[Input], order: &[usize], retention: Option<i64>) -> Stage {
    let mut stage = Stage::new(retention);
    for &index in order {
        stage.take(&inputs[index], index as u64);
    }
    stage.settle();
    stage.write();
    stage
}

/// Plays a script in the given order, and settles and writes after every input. Without a restart
/// nothing makes up for a row that was forgotten.
pub fn play_eagerly(inputs: &[Input], order: &[usize], retention: Option<i64>) -> Stage {
    let mut stage = Stage::new(retention);
    for &index in order {
        stage.take(&inputs[index], index as u64);
        stage.settle();
        stage.write();
    }
    stage
}

#[test]
fn a_session_is_attributed_whenever_the_advertisement_comes() {
    let inputs = script("CAP@900{A} REQ@1000 ST@2000{A} CLOSE@3000");
    for order in [[0, 1, 2, 3], [1, 2, 3, 0], [3, 0, 2, 1]] {
        let row = play(&inputs, &order, None).table("fact_workflow_sessions").remove(0);
        let found = ["orchestrator_address", "model_id", "gpu_id", "attribution_reason"];
        let rows = |stage: &Stage| stage.table("fact_workflow_sessions");
        let mut again = play(&inputs, &order, None);
        again.restart(false);
        again.settle();
        assert_eq!((again.write().first, again.write().again), (0, 0), "nothing has changed");
        let before = rows(&again);
        again.restart(true);
        again.settle();
        assert!(again.write().repeated > 0, "a new epoch repeats the rows");
        assert_eq!(rows(&again), before);
        assert_eq!(found.map(|column| row[column].as_str()), ["0xa", "m1", "G-A", "matched"]);
    }
}

#[test]
fn a_sample_that_does_not_count_is_named_by_the_first_of_its_records() {
    let inputs =
        script("TRN@1000{uid=t1,n=1,try=0,rx=1,tx=1} TRN@2001{uid=t2,n=1,try=0,rx=1,tx=1}");
    let mut stage = Stage::new(None);
    for (input, offset) in [(0, 2), (1, 6), (1, 1)] {
        stage.take(&inputs[input], offset);
        stage.write();
    }
    let rows = stage.store.latest().into_iter();
    let rows = rows.filter(|(table, ..)| *table == "raw_streaming_events_quarantine");
    let why: Vec<_> =
        rows.map(|(_, key, row)| [key[3].clone(), row["failure_reason"].clone()]).collect();
    assert_eq!(why, [["1", "id_conflict"], ["6", "duplicate_event"]]);
}
