//! The shards of a node: an [`Owner`] for each of the cluster, and the actor of each that is open.
//!
//! The owner decides, this shell performs: it follows partitions, appends records, starts and stops
//! actors, and lets time pass.

mod moves;

use std::sync::Arc;
use std::time::{Duration, Instant};

use naap_protocol::capability::evidence::Question;
use naap_protocol::peer::{Note, Notes};
use naap_protocol::state::Progress;
use ractor::{ActorCell, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;

use super::again::{A_SECOND, Again};
use super::singletons::Singletons;
use super::{RegionArgs, RegionMsg};
use crate::backoff::Backoff;
use crate::ingest::IngestMsg;
use crate::names;
use crate::ownership::{Effect, Event, Opening, Owner, Record, Whereabouts};
use crate::peers::{Members, PeerMsg};
use crate::placement::Placement;
use crate::ports::{Heard, StateLog, StateRecord};
use crate::rollup::{Marks, RollupMsg};
use crate::shard::{self, ROUTING_VERSION, ShardArgs, ShardCore, ShardMsg};

/// Wait after a rival came first.
const BACK_OFF: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_mins(1) };

/// Questions that are kept for a shard that is to be opened here.
const HELD: usize = 10_000;

/// Appends records about ownership, in order and off the event loop; those that pile up meanwhile go
/// together.
pub(super) struct Writer(mpsc::UnboundedSender<StateRecord>);

impl Writer {
    pub(super) fn start(log: Arc<dyn StateLog>, region: &ActorRef<RegionMsg>) -> Self {
        let (sender, mut records) = mpsc::unbounded_channel();
        let region = region.clone();
        tokio::task::spawn_blocking(move || {
            while let Some(first) = records.blocking_recv() {
                let mut batch = vec![first];
                batch.extend(std::iter::from_fn(|| records.try_recv().ok()));
                if let Err(error) = log.append(batch) {
                    // A region that is gone needs no reason.
                    drop(region.cast(RegionMsg::AppendFailed(error.to_string())));
                    return;
                }
            }
        });
        Self(sender)
    }

    fn append(&self, record: StateRecord) {
        // The writer ends with a failure that it has told.
        drop(self.0.send(record));
    }
}

/// A shard that is open.
pub(super) struct Open {
    pub(super) number: u16,
    pub(super) opening: Opening,
    pub(super) actor: ActorRef<ShardMsg>,
    /// Newest commit cycle of this opening whose claim was read back.
    pub(super) claimed: u64,
    claim: Progress,
    /// It is to be handed off, since before this commit cycle.
    draining: Option<u64>,
    /// It takes no more input: what it has claimed is all that the next owner hears of.
    closed: bool,
}

struct Slot {
    owner: Owner<Progress>,
    /// Tells what is heard of one following from what is heard of the next.
    following: u64,
    open: Option<Open>,
    /// Questions for a shard that is to be opened here.
    held: Vec<Question>,
    wanted_since: Option<Instant>,
    heard_of: Whereabouts,
    /// The shard is open here and should be elsewhere.
    kept_since: Option<Instant>,
    /// Sessions of this node have asked another node's orchestrators of the shard.
    asked_elsewhere: bool,
}

/// All shards of the cluster, as this node sees them.
pub(super) struct Shards {
    args: RegionArgs,
    region: ActorRef<RegionMsg>,
    writer: Writer,
    slots: Vec<Slot>,
    members: Members,
    placement: Placement,
    /// What is to be expected soon.
    ahead: Placement,
    ingest: Option<ActorRef<IngestMsg>>,
    singletons: Singletons,
    /// Who has to be asked again.
    again: Again,
    /// Commit cycles begun.
    cycle: u64,
    leaving: bool,
    hurry: bool,
    /// Shards open and pending, as they were told last.
    shown: (usize, usize),
}

impl Shards {
    pub(super) fn new(args: RegionArgs, region: &ActorRef<RegionMsg>, writer: Writer) -> Self {
        let slot = |_| Slot {
            owner: Owner::new(Arc::clone(&args.node), args.incarnation, args.epoch_floor),
            following: 0,
            open: None,
            held: Vec::new(),
            wanted_since: None,
            heard_of: Whereabouts::default(),
            kept_since: None,
            asked_elsewhere: false,
        };
        let slots = (0..args.shards).map(slot).collect();
        let members = Members::default();
        Self {
            placement: members.placement(args.shards),
            ahead: members.placement_ahead(args.shards),
            region: region.clone(),
            writer,
            slots,
            members,
            ingest: None,
            singletons: Singletons::default(),
            again: Again::default(),
            cycle: 0,
            leaving: false,
            hurry: false,
            shown: (0, 0),
            args,
        }
    }

    /// The actor of `shard` if it runs here, also while it is handed off.
    pub(super) fn running(&self, shard: u16) -> Option<&ActorRef<ShardMsg>> {
        self.slots.get(usize::from(shard))?.open.as_ref().map(|open| &open.actor)
    }

    /// The actor of opening `epoch` of `shard` if that runs here.
    pub(super) fn running_in(&self, shard: u16, epoch: u64) -> Option<&ActorRef<ShardMsg>> {
        let open = self.slots.get(usize::from(shard))?.open.as_ref();
        open.filter(|open| open.opening.epoch == epoch).map(|open| &open.actor)
    }

    /// The actor of `shard` if it takes input here.
    pub(super) fn taking(&self, shard: u16) -> Option<&ActorRef<ShardMsg>> {
        let open = self.slots.get(usize::from(shard))?.open.as_ref();
        open.filter(|open| !open.closed).map(|open| &open.actor)
    }

    /// Every shard that a commit cycle is for, in order.
    pub(super) fn to_commit(&self) -> impl Iterator<Item = &Open> {
        self.open().filter(|open| !open.closed)
    }

    /// Every open shard, in order.
    pub(super) fn open(&self) -> impl Iterator<Item = &Open> {
        self.slots.iter().filter_map(|slot| slot.open.as_ref())
    }

    /// Every shard of the cluster is open here.
    pub(super) fn is_whole(&self) -> bool {
        self.slots.iter().all(|slot| slot.open.is_some())
    }

    fn is_wanted(&self, shard: u16) -> bool {
        !self.leaving && self.placement.owner(shard) == Some(&*self.args.node)
    }

    /// Every shard that this node should have is open.
    pub(super) fn all_open(&self) -> bool {
        let missing = |(slot, shard): (&Slot, u16)| slot.open.is_none() && self.is_wanted(shard);
        !self.slots.iter().zip(0u16..).any(missing)
    }

    /// No shard is open, and none is about to be.
    pub(super) fn none_open(&self) -> bool {
        self.slots.iter().all(|slot| slot.owner.is_idle())
    }

    /// Whether something waits for a commit cycle; once.
    pub(super) fn take_hurry(&mut self) -> bool {
        std::mem::take(&mut self.hurry)
    }

    /// Keeps questions for a shard that is to be opened here. Of a shard that stays closed for long, what is
    /// beyond [`HELD`] is asked again when it opens, as if another node had been asked.
    pub(super) fn hold(&mut self, shard: u16, questions: Vec<Question>) {
        let wanted = self.is_wanted(shard);
        let slot = self.slots.get_mut(usize::from(shard)).filter(|_| wanted);
        match slot {
            Some(slot) if slot.held.len() + questions.len() <= HELD => slot.held.extend(questions),
            _ => self.asks_elsewhere(shard),
        }
    }

    /// Questions for the shard leave this node: when it is opened here, they have to be asked again.
    pub(super) fn asks_elsewhere(&mut self, shard: u16) {
        if let Some(slot) = self.slots.get_mut(usize::from(shard)) {
            slot.asked_elsewhere = true;
        }
    }

    /// The ingest is up: it hears what is claimed already.
    pub(super) fn connect(&mut self, ingest: &ActorRef<IngestMsg>) {
        self.ingest = Some(ingest.clone());
        for open in self.open() {
            drop(ingest.cast(IngestMsg::Note(claimed(open))));
        }
    }

    /// The actor that computes figures, if it is here.
    pub(super) fn rollup(&self) -> Option<&ActorRef<RollupMsg>> {
        self.singletons.rollup()
    }

    /// Names slices whose figures are older than their rows, wherever they are computed. Shards name
    /// them again in the next cycle.
    pub(super) fn name_dirty(&self, marks: Vec<Marks>) {
        if let Some(rollup) = self.singletons.rollup() {
            drop(rollup.cast(RollupMsg::Dirty(marks)));
        } else if let Some(owner) = self.elsewhere(0)
            && !marks.is_empty()
        {
            let note = |Marks { shard, epoch, dirty }| Note::Dirty { shard, epoch, dirty };
            let notes = Notes(marks.into_iter().map(note).collect());
            self.args.peers.send(owner, PeerMsg::Notes(notes));
        }
    }

    /// Starts or stops what runs beside shard 0.
    async fn follow_shard_0(&mut self) -> Result<(), ActorProcessingErr> {
        let open = self.slots.first().and_then(|slot| slot.open.as_ref());
        let epoch = open.map(|open| open.opening.epoch);
        self.singletons.follow(epoch, &self.args, &self.region).await
    }

    /// Takes in who is there and what each should have.
    pub(super) async fn place(&mut self, members: Members) -> Result<(), ActorProcessingErr> {
        self.placement = members.placement(self.args.shards);
        self.ahead = members.placement_ahead(self.args.shards);
        self.members = members;
        self.recheck().await
    }

    /// No shard is to be had here any more.
    pub(super) async fn leave(&mut self) -> Result<(), ActorProcessingErr> {
        self.leaving = true;
        self.recheck().await
    }

    /// What a second brings: what should be open must be, and who has forgotten is asked again.
    pub(super) async fn tick(&mut self) -> Result<(), ActorProcessingErr> {
        for open in self.open() {
            drop(open.actor.cast(ShardMsg::Tick));
        }
        self.singletons.tick();
        self.ask_again(A_SECOND);
        let pending = (0..self.args.shards).filter(|shard| self.is_wanted(*shard));
        let pending = pending.filter(|shard| self.running(*shard).is_none()).count();
        let open = self.open().count();
        metrics::gauge!(names::SHARDS_PENDING).set(pending as f64);
        metrics::gauge!(names::SHARDS_OPEN).set(open as f64);
        if (open, pending) != self.shown {
            self.shown = (open, pending);
            tracing::info!(open, pending, "shards of this node");
        }
        self.recheck().await
    }

    /// Lets at most so many shards ask again what orchestrators may have forgotten.
    pub(super) fn ask_again(&mut self, shards: usize) {
        let open = self.slots.iter().filter_map(|slot| slot.open.as_ref());
        let turns = self.again.next(open.map(|open| open.number), shards);
        if let Some(ingest) = self.ingest.as_ref().filter(|_| !turns.is_empty()) {
            // What is answered has to become durable. A stopped ingest commits nothing.
            drop(ingest.cast(IngestMsg::Unsaved));
        }
        for (shard, of) in turns {
            if let Some(actor) = self.running(shard) {
                drop(actor.cast(ShardMsg::AskAgain(Arc::new(of))));
            }
        }
    }

    async fn recheck(&mut self) -> Result<(), ActorProcessingErr> {
        for shard in 0..self.args.shards {
            self.recheck_one(shard).await?;
        }
        Ok(())
    }

    async fn recheck_one(&mut self, shard: u16) -> Result<(), ActorProcessingErr> {
        if !self.leaving && self.placement.owner(shard).is_none() {
            // Nobody is left to take over: the last node ends its work with all that it has.
            return Ok(());
        }
        let wanted = self.is_wanted(shard);
        let ahead = !self.leaving && self.ahead.owner(shard) == Some(&*self.args.node);
        let slot = &mut self.slots[usize::from(shard)];
        if wanted {
            slot.wanted_since.get_or_insert_with(Instant::now);
            slot.kept_since = None;
        } else {
            slot.held.clear();
            slot.wanted_since = None;
            if self.is_kept(shard) {
                return Ok(());
            }
        }
        let slot = &self.slots[usize::from(shard)];
        let alive = |holder: &Opening| self.members.is_alive(&holder.node, holder.incarnation);
        let gone = slot.owner.holder().is_some_and(|holder| !alive(holder));
        self.tell(shard, Event::placed(wanted, ahead, gone)).await?;
        self.say_heir(shard);
        Ok(())
    }

    /// Takes in what the log says.
    pub(super) async fn heard(
        &mut self,
        shard: u16,
        following: u64,
        heard: Heard,
    ) -> Result<(), ActorProcessingErr> {
        if self.slots[usize::from(shard)].following != following {
            return Ok(());
        }
        match heard {
            Heard::Record(record) => self.tell(shard, Event::Read(record)).await,
            Heard::CaughtUp => {
                self.tell(shard, Event::CaughtUp).await?;
                // Only now the holder is known, who may be gone.
                self.recheck_one(shard).await
            }
            Heard::Failed(reason) => Err(reason.into()),
        }
    }

    /// The wait after a lost race is over.
    pub(super) async fn elapsed(
        &mut self,
        shard: u16,
        following: u64,
    ) -> Result<(), ActorProcessingErr> {
        if self.slots[usize::from(shard)].following == following {
            self.tell(shard, Event::Elapsed).await?;
        }
        Ok(())
    }

    /// A commit cycle begins. Returns its number.
    pub(super) fn begin_cycle(&mut self) -> u64 {
        self.cycle += 1;
        self.cycle
    }

    /// Commit cycle `cycle` is durable: shards that were to be handed off before it have stored what
    /// they had taken then. They have gone on since; what they took meanwhile is sent to the next owner
    /// again, which costs less than a wait for rows to be stored.
    pub(super) async fn end_cycle(&mut self, cycle: u64) -> Result<(), ActorProcessingErr> {
        for shard in 0..self.args.shards {
            let Some(open) = &mut self.slots[usize::from(shard)].open else { continue };
            if !open.closed && open.draining.is_some_and(|before| before < cycle) {
                open.closed = true;
                self.tell(shard, Event::Drained).await?;
            }
        }
        Ok(())
    }

    async fn tell(&mut self, shard: u16, event: Event<Progress>) -> Result<(), ActorProcessingErr> {
        for effect in self.slots[usize::from(shard)].owner.on(event) {
            self.perform(shard, effect).await?;
        }
        Ok(())
    }

    async fn perform(
        &mut self,
        shard: u16,
        effect: Effect<Progress>,
    ) -> Result<(), ActorProcessingErr> {
        let slot = &mut self.slots[usize::from(shard)];
        match effect {
            Effect::Follow => {
                tracing::debug!(shard, "reading the state log of a shard");
                slot.following += 1;
                let (region, following) = (self.region.clone(), slot.following);
                // A region that is gone hears nothing.
                let told =
                    move |heard| drop(region.cast(RegionMsg::Heard(shard, following, heard)));
                self.args.log.follow(shard, Box::new(told))?;
            }
            Effect::Unfollow => {
                slot.following += 1;
                self.args.log.unfollow(shard);
            }
            Effect::Append(Record::Open(open)) => {
                tracing::debug!(shard, epoch = open.epoch, "claiming a shard");
                self.writer.append(StateRecord::Open { shard, open: open.into() });
            }
            Effect::Append(Record::Close(open)) => {
                step("handed_off");
                tracing::debug!(shard, epoch = open.epoch, "closing a shard");
                self.writer.append(StateRecord::Close { shard, open: open.into() });
            }
            Effect::Append(Record::Progress(open, progress)) => {
                let epoch = open.epoch;
                self.writer.append(StateRecord::Progress { shard, epoch, progress });
            }
            Effect::Start(opening, claim) => {
                self.start(shard, opening, claim).await?;
                self.follow_shard_0().await?;
            }
            Effect::Ack(claim) => self.acknowledge(shard, claim),
            Effect::Drain => {
                if let Some(open) = &mut slot.open {
                    let epoch = open.opening.epoch;
                    tracing::debug!(shard, epoch, "a shard is to be handed off");
                    open.draining = Some(self.cycle);
                    self.hurry = true;
                }
            }
            Effect::Stop => {
                self.stop(shard);
                self.follow_shard_0().await?;
            }
            Effect::Wait(tries) => {
                step("lost_race");
                let delay = BACK_OFF.delay(tries);
                let spread = u64::from(shard) * 37 + self.args.incarnation % 997;
                let delay = delay + Duration::from_millis(spread % 1000);
                tracing::info!(shard, ?delay, "another node has the shard; waiting");
                let following = slot.following;
                let elapsed = move || RegionMsg::Elapsed(shard, following);
                // The timer ends with the region.
                drop(ractor::time::send_after(delay, self.region.get_cell(), elapsed));
            }
        }
        Ok(())
    }

    async fn start(
        &mut self,
        number: u16,
        opening: Opening,
        claim: Option<Progress>,
    ) -> Result<(), ActorProcessingErr> {
        let claim = claim.unwrap_or_default();
        check_routing(number, &claim)?;
        let args = &self.args;
        let progress = Progress {
            epoch: opening.epoch,
            cycle: 0,
            routing_version: ROUTING_VERSION,
            applied: claim.applied.clone(),
            dirty: claim.dirty.clone().carried_over(),
            watermark: claim.watermark,
        };
        let (log, clock) = (Arc::clone(&args.log), Arc::clone(&args.clock));
        let shard = ShardArgs {
            shard: number,
            shards: args.shards,
            core: ShardCore::new(number, progress, args.options, log.clone(), clock),
            claim: claim.clone(),
            log,
            sinks: args.sinks.clone(),
            region: self.region.clone(),
            orchestrators: args.orchestrators,
        };
        let supervisor: ActorCell = self.region.get_cell();
        let actor = shard::spawn(shard, supervisor).await?;
        if claim != Progress::default() {
            // Under a key of its own, where no late record of an earlier opening can replace it.
            let (epoch, progress) = (opening.epoch, claim.clone());
            self.writer.append(StateRecord::Progress { shard: number, epoch, progress });
        }
        let slot = &mut self.slots[usize::from(number)];
        actor.cast(ShardMsg::Resume)?;
        let held = std::mem::take(&mut slot.held);
        if !held.is_empty() {
            actor.cast(ShardMsg::Ask(held))?;
        }
        step("opened");
        let waited = slot.wanted_since.map_or(0.0, |since| since.elapsed().as_secs_f64());
        metrics::histogram!(names::OPENING_SECONDS).record(waited);
        let epoch = opening.epoch;
        tracing::debug!(shard = number, epoch, "shard opened");
        // An earlier opening, here or elsewhere, may have been asked.
        let before = slot.heard_of.opened_here(epoch);
        let asked = std::mem::take(&mut slot.asked_elsewhere) || before;
        slot.kept_since = None;
        if asked {
            self.again.forgot([number]);
        }
        slot.open =
            Some(Open { number, opening, actor, claimed: 0, claim, draining: None, closed: false });
        self.publish(number);
        Ok(())
    }

    /// A claim was read back: it will not be asked for again.
    fn acknowledge(&mut self, shard: u16, claim: Progress) {
        let Some(open) = &mut self.slots[usize::from(shard)].open else { return };
        if claim.epoch == open.opening.epoch {
            open.claimed = open.claimed.max(claim.cycle);
        }
        open.claim = claim;
        self.publish(shard);
    }

    /// Tells every reader what the shard has claimed.
    fn publish(&self, shard: u16) {
        let Some(open) = &self.slots[usize::from(shard)].open else { return };
        let note = claimed(open);
        for node in self.members.others(&self.args.node) {
            self.args.peers.send(node, PeerMsg::Notes(Notes(vec![note.clone()])));
        }
        if let Some(ingest) = &self.ingest {
            // A stopped ingest reads nothing.
            drop(ingest.cast(IngestMsg::Note(note)));
        }
    }

    fn stop(&mut self, shard: u16) {
        let Some(open) = self.slots[usize::from(shard)].open.take() else { return };
        let epoch = open.opening.epoch;
        if open.draining.is_some() {
            tracing::debug!(shard, epoch, "shard handed off");
        } else {
            step("superseded");
            tracing::warn!(shard, epoch, "another node has opened the shard; it is dropped here");
        }
        open.actor.stop(None);
    }
}

fn step(step: &'static str) {
    metrics::counter!(names::OWNERSHIP, "step" => step).increment(1);
}

fn claimed(open: &Open) -> Note {
    let applied = open.claim.applied.iter().map(|(source, &to)| (source.clone(), to)).collect();
    Note::Claimed { shard: open.number, epoch: open.opening.epoch, applied }
}

fn check_routing(shard: u16, claim: &Progress) -> Result<(), ActorProcessingErr> {
    if claim.routing_version == ROUTING_VERSION || claim.applied.is_empty() {
        return Ok(());
    }
    let found = claim.routing_version;
    Err(format!(
        "the state of shard {shard} was made with routing version {found}, this build has \
         {ROUTING_VERSION}; drain the node with the old build, then start with a new data folder"
    )
    .into())
}
