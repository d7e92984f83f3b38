//! The shard region: the only data entrance of a node, the keeper of its shards, and the driver of
//! their commit cycle.
//!
//! Which shards the node should have follows from the members; which it has is decided in the state
//! log, by one [`Owner`](crate::ownership::Owner) per shard. Messages for other shards go to the node that should
//! have them; [`Peers`] may lose them.

mod again;
mod cycle;
mod singletons;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use naap_protocol::capability::evidence::{Evidence, Question};
use naap_protocol::peer::{Note, Notes, Sender};
use naap_protocol::wire::Envelope;
use ractor::{
    Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr, SupervisionEvent,
};
use ractor_cluster::RactorMessage;
use tokio::sync::watch;

use crate::ingest::IngestMsg;
use crate::names;
use crate::orchestrator::OrchestratorOptions;
use crate::peers::{Members, PeerMsg, Peers, Reader};
use crate::ports::{Clock, Heard, StateLog};
use crate::probe::Probe;
use crate::rollup::{Marks, RollupMsg, Rollups};
use crate::shard::{Attach, Mark, ShardMsg, ShardOptions, ShardStatus};
use crate::sink::Sinks;
pub use cycle::Cycle;
use cycle::Cycles;
use slots::{Shards, Writer};

/// Messages of the region.
#[derive(Debug, RactorMessage)]
pub enum RegionMsg {
    /// The ingest of this node is up.
    Connect(ActorRef<IngestMsg>),
    /// An envelope of this node's ingest, which gets its credit back.
    Deliver(Envelope, ActorRef<IngestMsg>),
    /// What this node's ingest says to a shard.
    Note(Note, ActorRef<IngestMsg>),
    /// What the node with this name says.
    FromPeer(Arc<str>, PeerMsg),
    /// There is a new link to the node with this name: what was sent before may be lost.
    Linked(Arc<str>),
    /// The members have changed.
    Members(Members),
    /// Questions for the orchestrators of a shard, and who asks.
    Ask(u16, Vec<Question>, Sender),
    /// Evidence for the sessions of a shard, and who answers.
    Evidence(u16, Vec<Evidence>, Sender),
    /// Evidence for the sessions of a shard that no orchestrator has sent. Says whether somebody takes
    /// it; on its way to another node it may be lost.
    Backfill(u16, Vec<Evidence>, RpcReplyPort<bool>),
    /// Run a commit cycle over everything delivered so far and tell the ingest. `true` ends every
    /// wait for evidence that may still come.
    Commit(ActorRef<IngestMsg>, bool),
    /// Figures were computed: tell the shard.
    Settled(Marks),
    /// Compute all figures that wait, then answer.
    RollUp(RpcReplyPort<()>),
    /// The claims of a commit cycle are written, or it was given up.
    Written(Box<Cycle>),
    /// The log says something about a shard; the number tells one following from the next.
    Heard(u16, u64, Heard),
    /// Records about ownership could not be appended.
    AppendFailed(String),
    /// The wait of a shard, after this following, is over.
    Elapsed(u16, u64),
    /// One second has passed.
    Tick,
    /// Say when every shard that this node should have is open.
    Ready(RpcReplyPort<()>),
    /// Give every shard away in order, and say when that is done.
    HandOff(RpcReplyPort<()>),
    /// Say how the shards are, in order.
    Inspect(RpcReplyPort<Vec<ShardStatus>>),
}

/// What a region needs.
#[derive(Debug)]
pub struct RegionArgs {
    /// Number of shards, fixed per cluster.
    pub shards: u16,
    /// Stable name of this node.
    pub node: Arc<str>,
    /// Boot of this node.
    pub incarnation: u64,
    /// Epochs start above this one: the highest that stored rows carry.
    pub epoch_floor: u64,
    /// How shards treat their entities.
    pub options: ShardOptions,
    /// How orchestrators decide and what they keep.
    pub orchestrators: OrchestratorOptions,
    /// Where state is kept.
    pub log: Arc<dyn StateLog>,
    /// Where rows go.
    pub sinks: Sinks,
    /// How figures are kept up to date; `None` leaves them alone.
    pub rollups: Option<Rollups>,
    /// How stored data is checked; `None` does not check it.
    pub probe: Option<Probe>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The way to other nodes.
    pub peers: Arc<dyn Peers>,
    /// Who is there.
    pub members: watch::Receiver<Members>,
    /// Longest time that a shard stays here because the node that is to have it has not read its log.
    pub heir_patience: Duration,
}

struct ShardRegion;

struct State {
    shards: Shards,
    cycles: Cycles,
    peers: Arc<dyn Peers>,
    ingest: Option<ActorRef<IngestMsg>>,
    ready: Vec<RpcReplyPort<()>>,
    handed: Vec<RpcReplyPort<()>>,
    /// Something came from another node since the last commit cycle.
    unsaved: bool,
}

/// Starts the region under `supervisor`. It opens its shards by and by, see [`RegionMsg::Ready`].
///
/// # Errors
/// When the state log can not be read, or the actor not be started.
pub async fn spawn(
    args: RegionArgs,
    supervisor: ActorCell,
) -> Result<ActorRef<RegionMsg>, SpawnErr> {
    Actor::spawn_linked(None, ShardRegion, args, supervisor).await.map(|(region, _)| region)
}

impl Actor for ShardRegion {
    type Msg = RegionMsg;
    type State = State;
    type Arguments = RegionArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<RegionMsg>,
        args: RegionArgs,
    ) -> Result<State, ActorProcessingErr> {
        let cycles = Cycles::new(&args);
        let peers = Arc::clone(&args.peers);
        let mut members = args.members.clone();
        let writer = Writer::start(Arc::clone(&args.log), &myself);
        let mut shards = Shards::new(args, &myself, writer);
        let now = members.borrow_and_update().clone();
        shards.place(now).await?;
        let told = myself.clone();
        tokio::spawn(async move {
            while members.changed().await.is_ok() {
                let now = members.borrow_and_update().clone();
                if told.cast(RegionMsg::Members(now)).is_err() {
                    break;
                }
            }
        });
        let (ready, handed) = (Vec::new(), Vec::new());
        Ok(State { shards, cycles, peers, ingest: None, ready, handed, unsaved: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<RegionMsg>,
        message: RegionMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RegionMsg::Deliver(envelope, from) => state.envelope(envelope, &Reader::Here(from)),
            RegionMsg::Note(note, from) => state.note(note, Reader::Here(from)).await?,
            RegionMsg::FromPeer(node, message) => state.hear_peer(node, message).await?,
            RegionMsg::Ask(shard, questions, from) => state.ask(shard, questions, from, true),
            RegionMsg::Evidence(shard, evidence, from) => {
                state.evidence(shard, evidence, from, true);
            }
            RegionMsg::Backfill(shard, evidence, reply) => {
                let taken = state.backfill(shard, evidence);
                drop(reply.send(taken));
            }
            RegionMsg::Connect(ingest) => {
                state.shards.connect(&ingest);
                state.ingest = Some(ingest);
            }
            RegionMsg::Linked(node) => state.shards.linked(&node),
            RegionMsg::Members(members) => state.shards.place(members).await?,
            RegionMsg::Heard(shard, following, heard) => {
                state.shards.heard(shard, following, heard).await?;
                state.cycles.claimed(&state.shards);
            }
            RegionMsg::Elapsed(shard, following) => {
                state.shards.elapsed(shard, following).await?;
            }
            RegionMsg::AppendFailed(reason) => return Err(reason.into()),
            RegionMsg::Commit(ingest, flush) => {
                state.unsaved = false;
                if flush {
                    // The end does not wait for the next second.
                    state.shards.ask_again(usize::MAX);
                }
                state.cycles.begin(&myself, &mut state.shards, ingest, flush);
            }
            RegionMsg::Settled(marks) => state.settled(marks, true),
            RegionMsg::RollUp(reply) => match state.shards.rollup() {
                Some(rollup) => rollup.cast(RollupMsg::Finish(reply))?,
                None => drop(reply.send(())),
            },
            RegionMsg::Written(cycle) => {
                state.cycles.written(*cycle, &mut state.shards).await?;
            }
            RegionMsg::Tick => state.shards.tick().await?,
            RegionMsg::Ready(reply) => state.ready.push(reply),
            RegionMsg::HandOff(reply) => {
                state.handed.push(reply);
                state.shards.leave().await?;
            }
            RegionMsg::Inspect(reply) => {
                let mut all = Vec::new();
                for shard in state.shards.open() {
                    all.push(ractor::call!(shard.actor, ShardMsg::Inspect)?);
                }
                drop(reply.send(all));
            }
        }
        state.after();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<RegionMsg>,
        event: SupervisionEvent,
        _state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            // Envelopes in the mailbox of the shard are lost with it: everything is reopened and
            // read again from the applied vectors.
            SupervisionEvent::ActorFailed(_, error) => Err(error),
            _ => Ok(()),
        }
    }
}

impl State {
    /// Tells those who wait for the shards, and the ingest what has to be made durable.
    fn after(&mut self) {
        if !self.ready.is_empty() && self.shards.all_open() {
            self.ready.drain(..).for_each(|reply| drop(reply.send(())));
        }
        if !self.handed.is_empty() && self.shards.none_open() {
            self.handed.drain(..).for_each(|reply| drop(reply.send(())));
        }
        let hurry = self.shards.take_hurry();
        if let Some(ingest) = &self.ingest {
            if hurry {
                drop(ingest.cast(IngestMsg::CommitNow));
            }
            if self.unsaved {
                drop(ingest.cast(IngestMsg::Unsaved));
            }
        }
        self.unsaved &= self.ingest.is_none();
    }

    async fn hear_peer(
        &mut self,
        node: Arc<str>,
        message: PeerMsg,
    ) -> Result<(), ActorProcessingErr> {
        let reader = Reader::There(Arc::clone(&self.peers), node);
        self.unsaved = true;
        match message {
            PeerMsg::Envelope(envelope) => self.envelope(envelope, &reader),
            PeerMsg::Notes(notes) => {
                for note in notes.0 {
                    self.note(note, reader.clone()).await?;
                }
            }
        }
        Ok(())
    }

    /// Gives an envelope to its shard, or to the node that should have it. Where that is not possible,
    /// its reader attaches anew.
    fn envelope(&self, envelope: Envelope, from: &Reader) {
        let shard = envelope.head.shard;
        let Some(actor) = self.shards.taking(shard) else {
            let here = matches!(from, Reader::Here(_));
            if let Some(owner) = self.shards.elsewhere(shard).filter(|_| here) {
                self.peers.send(owner, PeerMsg::Envelope(envelope));
                return;
            }
            misrouted("envelope");
            let (epoch, bytes) = (envelope.head.epoch_hint, envelope.cost() as u64);
            from.tell(Note::Refused { shard, epoch, source: envelope.head.source });
            from.tell(Note::Credit { shard, epoch, bytes });
            return;
        };
        // A shard that has failed is reported by its own supervision event.
        drop(actor.cast(ShardMsg::Envelope(envelope, from.clone())));
    }

    async fn note(&mut self, note: Note, from: Reader) -> Result<(), ActorProcessingErr> {
        match note {
            Note::Attach { shard, ref source, start, ask } => {
                if let Some(actor) = self.shards.taking(shard) {
                    let attach = Attach { source: source.clone(), start, ask };
                    drop(actor.cast(ShardMsg::Attach(attach, from)));
                } else if !self.forward(shard, note.clone(), &from) {
                    // Of no opening: its reader keeps what it has, and looks elsewhere.
                    from.tell(Note::Refused { shard, epoch: 0, source: source.clone() });
                }
            }
            Note::Mark { shard, epoch, ref source, from: start, to } => {
                if let Some(actor) = self.shards.taking(shard) {
                    let mark = Mark { source: source.clone(), from: start, to, epoch };
                    drop(actor.cast(ShardMsg::Mark(mark, from)));
                } else if !self.forward(shard, note.clone(), &from) {
                    from.tell(Note::Refused { shard, epoch, source: source.clone() });
                }
            }
            Note::Ask { shard, questions, from: who } => self.ask(shard, questions, who, false),
            Note::Dirty { shard, epoch, dirty } => {
                // Whoever has dirty slices names them again in the next cycle.
                if let Some(rollup) = self.shards.rollup() {
                    drop(rollup.cast(RollupMsg::Dirty(vec![Marks { shard, epoch, dirty }])));
                }
            }
            Note::Settled { shard, epoch, dirty } => {
                self.settled(Marks { shard, epoch, dirty }, false);
            }
            Note::Evidence { shard, evidence, from: who } => {
                self.evidence(shard, evidence, who, false);
            }
            Note::Backfill { shard, evidence } => {
                // It is not passed on a second time: whoever runs the backfill looks again.
                if let Some(actor) = self.shards.taking(shard) {
                    drop(actor.cast(ShardMsg::Backfill(evidence)));
                } else {
                    misrouted("backfill");
                }
            }
            Note::Heir { shard, epoch } => {
                if let Reader::There(_, node) = from {
                    self.shards.heir((shard, epoch), node).await?;
                }
            }
            Note::Claimed { shard, epoch, .. } => {
                if let Reader::There(_, node) = &from {
                    self.shards.opened_elsewhere((shard, epoch), node);
                }
                self.to_ingest(note);
            }
            Note::Refused { shard, .. } => {
                if let Reader::There(_, node) = &from {
                    self.shards.is_not_at(shard, node);
                }
                self.to_ingest(note);
            }
            Note::Attached { .. } | Note::Credit { .. } => self.to_ingest(note),
        }
        Ok(())
    }

    /// Tells a shard that figures were computed. `here`: by this node, so that others are told too. Whoever is
    /// told by another passes nothing on: what two nodes believe of each other could go to and fro.
    fn settled(&self, marks: Marks, here: bool) {
        let shard = marks.shard;
        if let Some(actor) = self.shards.running(shard) {
            drop(actor.cast(ShardMsg::Settled(marks)));
        } else if let Some(owner) = self.shards.elsewhere(shard).filter(|_| here) {
            let Marks { epoch, dirty, .. } = marks;
            let note = Note::Settled { shard, epoch, dirty };
            self.peers.send(owner, PeerMsg::Notes(Notes(vec![note])));
        }
    }

    fn to_ingest(&self, note: Note) {
        if let Some(ingest) = &self.ingest {
            drop(ingest.cast(IngestMsg::Note(note)));
        }
    }

    /// Sends what this node's ingest says on to the node that should have the shard; `false` when
    /// there is none, or it came from elsewhere.
    fn forward(&self, shard: u16, note: Note, from: &Reader) -> bool {
        let owner = self.shards.elsewhere(shard).filter(|_| matches!(from, Reader::Here(_)));
        if let Some(owner) = owner {
            self.peers.send(owner, PeerMsg::Notes(Notes(vec![note])));
        } else {
            misrouted("note");
        }
        owner.is_some()
    }

    /// Asks the orchestrators of `shard`. Who asks them where they are not is heard when they are opened: then
    /// everybody asks again.
    fn ask(&mut self, shard: u16, questions: Vec<Question>, from: Sender, here: bool) {
        if self.shards.is_superseded(from) {
            misrouted("superseded");
        } else if let Some(actor) = self.shards.taking(shard) {
            drop(actor.cast(ShardMsg::Ask(questions)));
        } else if let Some(owner) = self.shards.elsewhere(shard).filter(|_| here) {
            let note = Note::Ask { shard, questions, from };
            self.peers.send(owner, PeerMsg::Notes(Notes(vec![note])));
            self.shards.asks_elsewhere(shard);
        } else {
            self.shards.hold(shard, questions);
        }
    }

    /// Gives the evidence of a backfill to the shard, or to the node that should have it; `false` when
    /// nobody has.
    fn backfill(&self, shard: u16, evidence: Vec<Evidence>) -> bool {
        if let Some(actor) = self.shards.taking(shard) {
            return actor.cast(ShardMsg::Backfill(evidence)).is_ok();
        }
        let owner = self.shards.elsewhere(shard);
        if let Some(owner) = owner {
            let note = Note::Backfill { shard, evidence };
            self.peers.send(owner, PeerMsg::Notes(Notes(vec![note])));
        }
        owner.is_some()
    }

    /// A shard that is opened later asks itself, so evidence for one that is not open is dropped. What an
    /// opening says that another one has taken the place of is not heard: it may come after what that says.
    fn evidence(&self, shard: u16, evidence: Vec<Evidence>, from: Sender, here: bool) {
        if self.shards.is_superseded(from) {
            misrouted("superseded");
        } else if let Some(actor) = self.shards.taking(shard) {
            drop(actor.cast(ShardMsg::Evidence(evidence)));
        } else if let Some(owner) = self.shards.elsewhere(shard).filter(|_| here) {
            let note = Note::Evidence { shard, evidence, from };
            self.peers.send(owner, PeerMsg::Notes(Notes(vec![note])));
        } else {
            misrouted("evidence");
        }
    }
}

fn misrouted(kind: &'static str) {
    metrics::counter!(names::MISROUTED, "kind" => kind).increment(1);
}
