//! Membership: who takes part in the cluster, as one node sees it (design.md, membership).
//!
//! A member gives two signs of life: beats over its link, and beats in the members topic. Silence on
//! the link alone makes it suspect, which moves nothing; only silence of both makes it down. Silence
//! in the topic is not measured by a clock but by the log: own beats that were read behind the
//! member's last one. So a topic that stands still, or a node that was paused, accuses nobody.
//!
//! Pure: time comes in with every call. What it says is a suggestion ([`crate::placement`]); who has
//! a shard is decided by the state log ([`crate::ownership`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use naap_protocol::cluster::{Beat, Phase};

use crate::peers::{Known, Members, Standing};
use crate::placement::FULL_WEIGHT;

/// The clock of membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Time between two beats.
    pub beat: Duration,
    /// Silence on the link after which a member is suspect.
    pub suspect: Duration,
    /// Silence after which a sign counts as missing.
    pub down: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self { beat: millis(500), suspect: millis(2000), down: millis(4000) }
    }
}

impl Timing {
    /// How many beats fit into `span`, at least one.
    fn beats(&self, span: Duration) -> u32 {
        let beat = self.beat.as_millis().max(1);
        span.as_millis().div_ceil(beat).clamp(1, u32::MAX.into()) as u32
    }
}

impl Standing {
    /// The name in logs, metrics and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Down => "down",
        }
    }
}

impl From<Phase> for Standing {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Joining => Self::Joining,
            Phase::Up => Self::Up,
            Phase::Draining => Self::Draining,
            Phase::Left => Self::Down,
        }
    }
}

/// How a member looks from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Stable name.
    pub node: String,
    /// Newest known boot.
    pub incarnation: u64,
    /// What it is to the cluster.
    pub standing: Standing,
    /// Nothing came over its link for a while, or nothing listens where it was. Always false of the
    /// node itself and of members that are down.
    pub suspect: bool,
    /// A link to it is open; always true of the node itself.
    pub linked: bool,
}

/// What changed for a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is another boot than before; the old one is gone.
    Reborn(MemberView),
    /// Its state or its suspicion is another one.
    Member(MemberView),
    /// A later boot has this node's own name: this one must end.
    Superseded {
        /// The other boot.
        incarnation: u64,
    },
}

/// The membership as one node sees it.
#[derive(Clone, Debug)]
pub struct Membership {
    timing: Timing,
    /// The members topic exists: its silence counts, and its silence is needed.
    topic: bool,
    node: String,
    incarnation: u64,
    phase: Phase,
    /// It may not be up yet: it could not serve the shards that it would get.
    held: bool,
    sequence: u64,
    started: Instant,
    /// Own beats read back from the topic.
    own_beats: u32,
    peers: BTreeMap<String, Peer>,
    changes: Vec<Change>,
}

/// What is known of another node.
#[derive(Clone, Debug)]
struct Peer {
    incarnation: u64,
    /// Highest number of a beat, and what it said.
    said: Option<(u64, Phase)>,
    /// Last beat over the link.
    heard: Option<Instant>,
    /// Last beat in the topic.
    seen: Option<Instant>,
    /// Own beats read from the topic since the last sign.
    missed: u32,
    linked: bool,
    /// Nothing listens where it should.
    refused: bool,
    /// What was told last: state and suspicion.
    told: (Standing, bool),
}

impl Membership {
    /// The membership of a node that has just started. With `topic`, members also give signs of life
    /// in the members topic, and a member is down only if both are missing.
    pub fn new(
        node: impl Into<String>,
        incarnation: u64,
        timing: Timing,
        topic: bool,
        now: Instant,
    ) -> Self {
        Self {
            timing,
            topic,
            node: node.into(),
            incarnation,
            phase: Phase::Joining,
            held: false,
            sequence: 0,
            started: now,
            own_beats: 0,
            peers: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    /// The next own beat, to be sent over every link and written to the topic.
    pub fn beat(&mut self) -> Beat {
        self.sequence += 1;
        let (node, incarnation) = (self.node.clone(), self.incarnation);
        Beat { node, incarnation, sequence: self.sequence, phase: self.phase }
    }

    /// What this node is up to.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether this node, which starts, has nobody yet who would serve shards; then it is not up.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// This node wants to give its shards away, or has done so and leaves. There is no way back.
    pub fn advance(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }

    /// Notes a name that old records of the topic hold: no sign of life, but no earlier boot of it
    /// counts any more.
    pub fn remember(&mut self, beat: &Beat) {
        self.peer(&beat.node, beat.incarnation);
    }

    /// A beat came over a link.
    pub fn heard(&mut self, beat: &Beat, now: Instant) {
        if let Some(peer) = self.sign(beat) {
            peer.heard = Some(now);
            peer.refused = false;
        }
    }

    /// A beat was read from the end of the topic, in the order of the log; own ones too.
    pub fn seen(&mut self, beat: &Beat, now: Instant) {
        if beat.node == self.node && beat.incarnation == self.incarnation {
            self.own_beats = self.own_beats.saturating_add(1);
            for peer in self.peers.values_mut() {
                peer.missed = peer.missed.saturating_add(1);
            }
        } else if let Some(peer) = self.sign(beat) {
            peer.seen = Some(now);
        }
    }

    /// A link to this boot of a node is open. Opening it is a sign of life.
    pub fn linked(&mut self, node: &str, incarnation: u64, now: Instant) {
        if let Some(peer) = self.peer(node, incarnation) {
            peer.linked = true;
            peer.refused = false;
            peer.heard = Some(now);
        }
    }

    /// The link to this boot of a node has closed.
    pub fn unlinked(&mut self, node: &str, incarnation: u64) {
        if let Some(peer) = self.peers.get_mut(node).filter(|p| p.incarnation == incarnation) {
            peer.linked = false;
        }
    }

    /// Nothing listens where the node should: whoever had a link to it may suspect it at once.
    pub fn refused(&mut self, node: &str) {
        if let Some(peer) = self.peers.get_mut(node).filter(|peer| !peer.linked) {
            peer.refused = true;
        }
    }

    /// Newest known boot of a node, also of one that is down. A link to an earlier one is refused.
    pub fn newest(&self, node: &str) -> Option<u64> {
        if node == self.node {
            return Some(self.incarnation);
        }
        self.peers.get(node).map(|peer| peer.incarnation)
    }

    /// Looks at the clock and returns what has changed since the last call, in the order of names.
    pub fn tick(&mut self, now: Instant) -> Vec<Change> {
        let settled = now.saturating_duration_since(self.started) >= self.timing.suspect
            && (!self.topic || self.own_beats >= self.timing.beats(self.timing.suspect));
        if self.phase == Phase::Joining && settled && !self.held {
            self.phase = Phase::Up;
        }
        let mut changes = std::mem::take(&mut self.changes);
        let names: Vec<String> = self.peers.keys().cloned().collect();
        for name in names {
            let Some(view) = self.view_of(&name, now) else { continue };
            let told = (view.standing, view.suspect);
            if let Some(peer) = self.peers.get_mut(&name).filter(|peer| peer.told != told) {
                peer.told = told;
                changes.push(Change::Member(view));
            }
        }
        changes
    }

    /// Every member that was ever heard of, this node included, in the order of names.
    pub fn view(&self, now: Instant) -> Vec<MemberView> {
        let mut view: Vec<_> =
            self.peers.keys().filter_map(|name| self.view_of(name, now)).collect();
        view.push(MemberView {
            node: self.node.clone(),
            incarnation: self.incarnation,
            standing: self.phase.into(),
            suspect: false,
            linked: true,
        });
        view.sort_by(|a, b| a.node.cmp(&b.node));
        view
    }

    /// When a peer was last heard over its link and seen in the topic.
    pub fn signs(&self, node: &str) -> (Option<Instant>, Option<Instant>) {
        self.peers.get(node).map_or((None, None), |peer| (peer.heard, peer.seen))
    }

    /// The members as the shards need to know them.
    pub fn members(&self, now: Instant) -> Members {
        let known = |view: MemberView| {
            let MemberView { node, incarnation, standing, suspect, .. } = view;
            (node.into(), Known { incarnation, weight: FULL_WEIGHT, standing, suspect })
        };
        Members(self.view(now).into_iter().map(known).collect())
    }

    /// The peer, if `incarnation` is not one that is over.
    fn peer(&mut self, node: &str, incarnation: u64) -> Option<&mut Peer> {
        if node == self.node {
            if incarnation > self.incarnation {
                self.changes.push(Change::Superseded { incarnation });
            }
            return None;
        }
        let peer = self.peers.entry(node.to_owned()).or_insert_with(|| Peer::new(incarnation));
        if incarnation > peer.incarnation {
            *peer = Peer::new(incarnation);
            let view = peer.view(node, Standing::Down, false);
            self.changes.push(Change::Reborn(view));
        }
        (incarnation == peer.incarnation).then_some(peer)
    }

    fn sign(&mut self, beat: &Beat) -> Option<&mut Peer> {
        let peer = self.peer(&beat.node, beat.incarnation)?;
        if peer.said.is_none_or(|(sequence, _)| sequence < beat.sequence) {
            peer.said = Some((beat.sequence, beat.phase));
        }
        peer.missed = 0;
        Some(peer)
    }

    fn view_of(&self, name: &str, now: Instant) -> Option<MemberView> {
        let peer = self.peers.get(name)?;
        let silence = peer.heard.map(|at| now.saturating_duration_since(at));
        let longer = |span: Duration| silence.is_none_or(|silence| silence >= span);
        let unseen = !self.topic
            || peer.missed >= self.timing.beats(self.timing.down)
            || (peer.seen.is_none() && peer.heard.is_none());
        let state = match peer.said {
            Some((_, phase)) if !(longer(self.timing.down) && unseen) => phase.into(),
            // Linked a moment ago and not heard yet.
            None if !longer(self.timing.down) => Standing::Joining,
            _ => Standing::Down,
        };
        let suspect = state != Standing::Down && (peer.refused || longer(self.timing.suspect));
        Some(peer.view(name, state, suspect))
    }
}

impl Peer {
    fn new(incarnation: u64) -> Self {
        Self {
            incarnation,
            said: None,
            heard: None,
            seen: None,
            missed: 0,
            linked: false,
            refused: false,
            told: (Standing::Down, false),
        }
    }

    fn view(&self, name: &str, standing: Standing, suspect: bool) -> MemberView {
        let (node, incarnation) = (name.to_owned(), self.incarnation);
        MemberView { node, incarnation, standing, suspect, linked: self.linked }
    }
}

#[cfg(test)]
mod tests;
