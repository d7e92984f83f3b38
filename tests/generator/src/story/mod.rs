//! What one session does: a script of events in gateway time, before loss and delay.

mod scenes;

use crate::Profile;
use crate::network::Network;
use crate::random::Random;
use crate::session::{Attempt, Body, Edge, Named, StartTime};
use crate::text::{address, mixed_case};

/// Names of the stories, in the order of [`crate::Stories`].
pub(crate) const NAMES: [&str; 17] = [
    "normal",
    "long",
    "swap_completed",
    "swap_retry",
    "swap_no_replacement",
    "swap_unresolved",
    "swap_pending",
    "swap_inferred",
    "no_orchestrators",
    "selection_timeout",
    "excusable_failure",
    "product_failure",
    "loading_only",
    "zero_fps",
    "never_known",
    "no_close",
    "byoc",
];
const NORMAL_ENDS: [&str; 2] = ["mediamtx ingest disconnected", "WHIP disconnected"];
const EXCUSABLE: [&str; 4] = [
    "missing video track",
    "ICE connection state failed",
    "user disconnected before start",
    "whip disconnected unexpectedly",
];
const FAILURES: [&str; 5] = [
    "timeout waiting for segments",
    "Too many swaps",
    "CUDA ERROR: 901 operation failed",
    "Missing next handle for https://orch-0.example:8935/ai/trickle/x",
    "",
];
const LATE: [&str; 3] =
    ["Error publishing, wrote 0 of 1316", "Next segment has started", "user disconnected"];
const ODD_LABELS: [&str; 3] = ["pip_sdxl-turbo", "noop", "streamdiffusion-experimental"];
const SWAP_REASONS: [&str; 4] =
    ["timeout waiting for segments", "orchestrator is slow", "unknown swap reason", ""];

/// One planned event: envelope time and content.
pub(crate) type Draft = (i64, Body);

/// A told story.
pub(crate) struct Told {
    pub(crate) drafts: Vec<Draft>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) label: &'static str,
    pub(crate) tags: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Healthy,
    Loading,
    ZeroFps,
}

struct Teller<'a> {
    network: &'a Network,
    profile: &'a Profile,
    random: Random,
    now: i64,
    start: i64,
    whip: bool,
    /// Signals of this session never carry a URL.
    address_only: bool,
    start_time: StartTime,
    told: Told,
}

/// The script of session `index` of the plan, which starts at `start`.
pub(crate) fn tell(
    network: &Network,
    profile: &Profile,
    seed: u64,
    index: u64,
    start: i64,
) -> Told {
    let mut random = Random::new(seed, index * 2);
    let story = random.weighted(&profile.stories.weights());
    let whip = random.chance(profile.whip_share);
    let address_only = random.chance(profile.address_only);
    let start_time = match random.chance(profile.start_time_quirk) {
        false => StartTime::Milliseconds,
        true if random.chance(0.5) => StartTime::Seconds,
        true => StartTime::Missing,
    };
    let told =
        Told { drafts: Vec::with_capacity(64), attempts: Vec::new(), label: "", tags: Vec::new() };
    let mut teller = Teller {
        network,
        profile,
        random,
        now: start,
        start,
        whip,
        address_only,
        start_time,
        told,
    };
    teller.tag(NAMES[story]);
    if whip {
        teller.tag("whip");
    }
    if address_only {
        teller.tag("address_only");
    }
    if start_time != StartTime::Milliseconds {
        teller.tag("start_time_quirk");
    }
    teller.first_orchestrator(NAMES[story]);
    teller.play(NAMES[story]);
    teller.told
}

impl Teller<'_> {
    fn tag(&mut self, tag: &'static str) {
        self.told.tags.push(tag);
    }

    fn play(&mut self, story: &'static str) {
        if story != "never_known" {
            self.edge(Edge::Request, Named::NOBODY, "");
        }
        match story {
            "no_orchestrators" => return self.nobody(),
            "selection_timeout" => return self.timeout(),
            "excusable_failure" | "product_failure" => return self.failure(story),
            _ => self.select(0),
        }
        let style = match story {
            "loading_only" => Style::Loading,
            "zero_fps" => Style::ZeroFps,
            _ => Style::Healthy,
        };
        let seconds = self.run_seconds(story);
        self.begin(0, style == Style::Healthy, story == "byoc");
        self.run(0, seconds, style);
        match story {
            "swap_completed" | "swap_retry" | "swap_unresolved" | "swap_inferred" => {
                self.swap(story, seconds);
            }
            "swap_no_replacement" => {
                self.leave(0);
                self.exhausted();
            }
            "swap_pending" => return self.leave(0),
            "no_close" => return self.ingest(),
            _ => {}
        }
        self.end();
    }

    /// Adopts an orchestrator and the model label of the session.
    fn first_orchestrator(&mut self, story: &str) {
        let node = match self.network.byoc {
            Some(byoc) if story == "byoc" => byoc,
            _ => *self.random.pick(&self.network.live),
        };
        let offers = self.network.offers(node, self.start);
        self.told.label = self.random.pick(offers).model;
        if story == "byoc" {
            self.told.label = "openai-chat-completions";
        } else if self.random.chance(self.profile.label_quirk) {
            self.told.label = *self.random.pick(&ODD_LABELS);
            self.tag("label_quirk");
        }
        self.adopt(Some(node));
    }

    /// Starts an attempt with a node of the network, or with one that nobody knows.
    fn adopt(&mut self, node: Option<usize>) {
        let skewed = self.random.chance(self.profile.skewed_runner);
        let bound = if skewed { 9_000 } else { 12 };
        let skew = self.random.between(-bound, bound);
        let sticky = self.random.chance(self.profile.sticky_error);
        let (address, url, recipient) = if let Some(node) = node.map(|n| &self.network.nodes[n]) {
            (node.signal_address().to_owned(), node.url.clone(), node.canonical_mixed())
        } else {
            // A stranger, or a known wallet at a URL that was never advertised.
            let moved = self.random.chance(0.5);
            let wallet = if moved {
                self.network.nodes[*self.random.pick(&self.network.live)].hot.clone()
            } else {
                address(&self.random.bytes20())
            };
            let url = format!("https://stranger-{:04x}.example:8935", self.random.below(65_536));
            (wallet.clone(), url, mixed_case(&wallet))
        };
        for (tag, on) in [("skewed_runner", skewed), ("sticky_error", sticky)] {
            if on {
                self.tag(tag);
            }
        }
        let price = node.map_or(1700, |n| self.network.nodes[n].price);
        let token = self.random.bits();
        self.told.attempts.push(Attempt {
            address,
            url,
            recipient,
            skew,
            started: 0,
            token,
            price,
            sticky,
        });
    }

    fn run_seconds(&mut self, story: &str) -> i64 {
        const SHAPE: [i64; 9] = [20, 30, 50, 70, 90, 100, 120, 160, 260];
        if story == "long" {
            return self.random.between(3600, 7200);
        }
        let mean = i64::from(self.profile.mean_run_s.clamp(20, 3600));
        let percent = *self.random.pick(&SHAPE);
        mean * percent / 100 + self.random.between(1, 9)
    }

    /// A swap trace that leaves the orchestrator of `attempt`.
    fn leave(&mut self, attempt: u8) {
        self.now += self.random.between(500, 3000);
        let reason = *self.random.pick(&SWAP_REASONS);
        let named = self.named(attempt);
        self.edge(Edge::Swap, named, reason);
    }

    /// Leaves the first orchestrator and runs on with the next one.
    fn swap(&mut self, story: &str, seconds: i64) {
        if story != "swap_inferred" {
            self.leave(0);
        }
        match story {
            "swap_retry" => {
                let same = self.told.attempts[0].clone();
                self.told.attempts.push(same);
            }
            "swap_unresolved" => self.adopt(None),
            _ => {
                let other = self.replacement();
                self.adopt(Some(other));
            }
        }
        self.select(1);
        self.begin(1, true, false);
        self.run(1, seconds / 2 + 12, Style::Healthy);
        if self.random.chance(0.15) {
            self.tag("two_swaps");
            self.leave(1);
            let other = self.replacement();
            self.adopt(Some(other));
            self.select(2);
            self.begin(2, true, false);
            self.run(2, 25, Style::Healthy);
        }
    }

    /// A live node of another operator, if possible with the model of the session.
    fn replacement(&mut self) -> usize {
        let left = self.told.attempts.last().map_or("", |a| a.url.as_str()).to_owned();
        let operator = self.network.nodes.iter().find(|n| n.url == left).map(|n| &n.canonical);
        let mut choice = self.network.live[0];
        for attempt in 0..24 {
            choice = *self.random.pick(&self.network.live);
            let node = &self.network.nodes[choice];
            let other = Some(&node.canonical) != operator;
            let fits =
                self.network.offers(choice, self.now).iter().any(|o| o.model == self.told.label);
            if other && (fits || attempt > 16) {
                break;
            }
        }
        choice
    }

    /// Error text and trace that nobody is left.
    fn exhausted(&mut self) {
        self.now += self.random.between(400, 2000);
        if self.random.chance(0.8) {
            self.error("no orchestrators available");
        }
        self.edge(Edge::NoOrchestrators, Named::NOBODY, "");
        self.now += self.random.between(50, 1500);
    }

    fn nobody(&mut self) {
        self.exhausted();
        self.end();
    }

    fn timeout(&mut self) {
        self.now += self.random.between(2000, 2400);
        self.error("no orchestrators available within 2s timeout");
        self.now += 8;
        self.end();
    }

    /// Never playable: with an excuse, or without.
    fn failure(&mut self, story: &str) {
        self.select(0);
        if self.random.chance(0.5) {
            self.begin(0, false, false);
        }
        self.now += self.random.between(500, 9000);
        let texts: &[&str] = if story == "excusable_failure" { &EXCUSABLE } else { &FAILURES };
        let message = self.random.pick(texts);
        self.error(message);
        self.now += 20;
        self.end();
    }

    /// The usual end: an error text, then the close; sometimes a second close and late signals.
    fn end(&mut self) {
        self.ingest();
        let message = self.random.pick(&NORMAL_ENDS);
        self.error(message);
        self.now += self.random.between(0, 8);
        self.edge(Edge::Closed, Named::NOBODY, "");
        if self.random.chance(self.profile.double_close) {
            self.tag("several_closes");
            self.now += self.random.between(200, 20_000);
            self.edge(Edge::Closed, Named::NOBODY, "");
        }
        if self.random.chance(self.profile.post_close) {
            self.tag("post_close");
            self.after_close();
        }
    }

    fn after_close(&mut self) {
        for _ in 0..self.random.between(1, 3) {
            self.now += self.random.between(3, 30_000);
            let message = self.random.pick(&LATE);
            self.error(message);
        }
        if self.random.chance(0.3) {
            self.tag("selection_after_close");
            self.adopt(Some(self.network.live[0]));
            let attempt = (self.told.attempts.len() - 1) as u8;
            self.now += 900;
            self.traced(Edge::RunnerReceive, attempt);
        }
    }
}
