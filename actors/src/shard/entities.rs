//! The entities of a shard that are awake: activation, dirtiness, sleep.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::wheel::Wheel;

/// Entity ids are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u128(&mut self, id: u128) {
        self.0 = id as u64;
    }
}

/// Map from entity id; iteration order never reaches output.
pub type IdMap<V> = HashMap<u128, V, BuildHasherDefault<IdHasher>>;

/// Whether rows of an entity have to be written, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// They stand.
    #[default]
    Nothing,
    /// Evidence has changed: a storm of these is spread over commit cycles.
    Correction,
    /// Its input has changed, or they have to be repeated.
    Rows,
}

/// An entity that is awake.
#[derive(Debug)]
pub struct Hosted<E> {
    /// The entity.
    pub entity: E,
    /// What has to be written in this commit cycle.
    pub due: Due,
    /// Commit cycle of the last change; the entity may sleep once that cycle is durable.
    modified: u64,
    /// Tick of the last use.
    used: u64,
}

/// Entities of one kind.
#[derive(Debug)]
pub struct Entities<E> {
    awake: IdMap<Hosted<E>>,
    changed: Vec<u128>,
    wheel: Wheel<u128>,
    /// An entity is looked at again at the latest this many ticks after its last use.
    reach: u64,
    cycle: u64,
    durable: u64,
}

impl<E> Entities<E> {
    /// No entity; none is to sleep before it is idle for `shortest` ticks.
    pub fn new(shortest: u64) -> Self {
        let reach = shortest.clamp(1, 4096);
        Self {
            awake: IdMap::default(),
            changed: Vec::new(),
            wheel: Wheel::new(reach as usize),
            reach,
            cycle: 1,
            durable: 0,
        }
    }

    /// The entity `id`, woken by `wake` if it is asleep. `wake` says whether rows have to be
    /// repeated.
    ///
    /// # Errors
    /// Those of `wake`.
    pub fn get_or_wake<X>(
        &mut self,
        id: u128,
        wake: impl FnOnce() -> Result<(E, Due), X>,
    ) -> Result<&mut Hosted<E>, X> {
        let used = self.wheel.now();
        match self.awake.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => {
                let hosted = known.into_mut();
                hosted.used = used;
                Ok(hosted)
            }
            std::collections::hash_map::Entry::Vacant(slot) => {
                let (entity, due) = wake()?;
                self.wheel.insert(id, used + self.reach);
                let owes = due != Due::Nothing;
                if owes {
                    self.changed.push(id);
                }
                let modified = if owes { self.cycle } else { 0 };
                Ok(slot.insert(Hosted { entity, due, modified, used }))
            }
        }
    }

    /// The entity `id` if it is awake.
    pub fn awake(&mut self, id: u128) -> Option<&mut E> {
        self.awake.get_mut(&id).map(|hosted| &mut hosted.entity)
    }

    /// Notes that `id` has changed in this commit cycle.
    pub fn touch(&mut self, id: u128, due: Due) {
        let Some(hosted) = self.awake.get_mut(&id) else { return };
        hosted.due = hosted.due.max(due);
        if hosted.modified != self.cycle {
            hosted.modified = self.cycle;
            self.changed.push(id);
        }
    }

    /// Ends the commit cycle: hands every entity that changed in it to `save`, which says whether
    /// all of its rows are written. Returns how many entities still owe some; they come up again in
    /// the next cycle.
    ///
    /// # Errors
    /// The first one of `save`.
    pub fn commit<X>(
        &mut self,
        mut save: impl FnMut(u128, &mut Hosted<E>) -> Result<bool, X>,
    ) -> Result<usize, X> {
        self.cycle += 1;
        for id in std::mem::take(&mut self.changed) {
            let Some(hosted) = self.awake.get_mut(&id) else { continue };
            if save(id, hosted)? {
                hosted.due = Due::Nothing;
            } else {
                hosted.modified = self.cycle;
                self.changed.push(id);
            }
        }
        Ok(self.changed.len())
    }

    /// Every cycle up to the last [`Entities::commit`] but one is durable now: what it saved may
    /// sleep.
    pub fn committed(&mut self) {
        self.durable = self.cycle - 1;
    }

    /// Moves the clock by one tick and puts to sleep what is durable and has been idle for as many
    /// ticks as `patience` grants it, after a word to `asleep`. Returns how many.
    pub fn tick(&mut self, patience: impl Fn(&E) -> u64, asleep: impl Fn(&E)) -> usize {
        let Self { awake, wheel, durable, .. } = self;
        let deadline = |hosted: &Hosted<E>| hosted.used + patience(&hosted.entity);
        let due = wheel.advance(|id| awake.get(id).map(deadline));
        let mut count = 0;
        for id in due {
            if let Some(hosted) = awake.get(&id).filter(|hosted| hosted.modified <= *durable) {
                asleep(&hosted.entity);
                awake.remove(&id);
                count += 1;
            } else {
                let next = wheel.now() + 1;
                wheel.insert(id, next);
            }
        }
        give_back(awake);
        count
    }

    /// Puts to sleep everything that is durable, after a word to `asleep`. Returns how many.
    pub fn sleep_durable(&mut self, asleep: impl Fn(&E)) -> usize {
        let before = self.awake.len();
        let durable = self.durable;
        self.awake.retain(|_, hosted| {
            let stays = hosted.modified > durable;
            if !stays {
                asleep(&hosted.entity);
            }
            stays
        });
        give_back(&mut self.awake);
        // Keys of sleepers would pile up with every time they are woken.
        self.wheel.clear();
        for (&id, hosted) in &self.awake {
            self.wheel.insert(id, hosted.used + self.reach);
        }
        before - self.awake.len()
    }

    /// Number of entities awake.
    pub fn len(&self) -> usize {
        self.awake.len()
    }

    /// Every entity awake with its id, in no particular order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u128, &mut E)> {
        self.awake.iter_mut().map(|(&id, hosted)| (id, &mut hosted.entity))
    }

    /// Every entity awake, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.awake.values().map(|hosted| &hosted.entity)
    }
}

/// Gives the room of many sleepers back, which would be held for ever; that of a few is kept for the next
/// ones.
fn give_back<V>(awake: &mut IdMap<V>) {
    const KEPT: usize = 64;
    if awake.capacity() > KEPT && awake.len() < awake.capacity() / 4 {
        awake.shrink_to(awake.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wake(entities: &mut Entities<u8>, id: u128) {
        let woken = entities.get_or_wake(id, || Ok::<_, ()>((0, Due::Nothing)));
        assert!(woken.is_ok());
    }

    #[test]
    fn only_durable_and_idle_entities_sleep() {
        let mut entities = Entities::new(2);
        wake(&mut entities, 1);
        wake(&mut entities, 2);
        entities.touch(1, Due::Rows);
        let mut saved = Vec::new();
        let outcome = entities.commit(|id, hosted| {
            saved.push((id, hosted.due));
            Ok::<_, ()>(true)
        });
        assert_eq!((outcome, saved), (Ok(0), vec![(1, Due::Rows)]));
        let asleep = [entities.tick(|_| 2, |_| ()), entities.tick(|_| 2, |_| ())];
        assert_eq!(asleep, [0, 1], "2 is idle; 1 is not durable yet");
        entities.committed();
        assert_eq!(entities.tick(|_| 2, |_| ()), 1);
        assert_eq!(entities.len(), 0);
    }

    #[test]
    fn many_sleepers_leave_no_room_behind() {
        let mut entities = Entities::new(1);
        (0..10_000).for_each(|id| wake(&mut entities, id));
        entities.committed();
        assert!(entities.awake.capacity() >= 10_000);
        assert_eq!(entities.tick(|_| 1, |_| ()), 10_000);
        assert_eq!(entities.awake.capacity(), 0);
        (0..10_000).for_each(|id| wake(&mut entities, id));
        assert_eq!(entities.sleep_durable(|_| ()), 10_000);
        assert_eq!(entities.awake.capacity(), 0);
        wake(&mut entities, 1);
        assert_eq!(entities.tick(|_| 1, |_| ()), 1);
        assert!(entities.awake.capacity() > 0, "room for one is no burden");
    }

    #[test]
    fn patience_that_shrinks_while_an_entity_is_awake_counts_from_its_last_use() {
        let patience = |&closed: &u8| if closed == 1 { 3 } else { 10 };
        let mut entities = Entities::new(3);
        wake(&mut entities, 1);
        wake(&mut entities, 2);
        let early: usize = (0..5).map(|_| entities.tick(patience, |_| ())).sum();
        let used = entities.get_or_wake(1, || Err(()));
        assert!(used.map(|hosted| hosted.entity = 1).is_ok());
        let later: Vec<usize> = (0..5).map(|_| entities.tick(patience, |_| ())).collect();
        assert_eq!((early, later), (0, vec![0, 0, 1, 0, 1]), "1 after 3 more ticks, 2 after 10");
    }

    #[test]
    fn a_change_after_the_save_keeps_an_entity_awake() {
        let mut entities = Entities::new(1);
        wake(&mut entities, 1);
        entities.touch(1, Due::Rows);
        assert_eq!(entities.commit(|_, _| Ok::<_, ()>(true)), Ok(0));
        entities.touch(1, Due::Nothing);
        entities.committed();
        assert_eq!((entities.tick(|_| 1, |_| ()), entities.sleep_durable(|_| ())), (0, 0));
    }

    #[test]
    fn what_is_owed_comes_up_again_and_does_not_sleep() {
        let mut entities = Entities::new(1);
        wake(&mut entities, 1);
        entities.touch(1, Due::Correction);
        assert_eq!(entities.commit(|_, _| Ok::<_, ()>(false)), Ok(1));
        entities.committed();
        assert_eq!(entities.sleep_durable(|_| ()), 0);
        let mut due = Due::Nothing;
        let outcome = entities.commit(|_, hosted| {
            due = hosted.due;
            Ok::<_, ()>(true)
        });
        assert_eq!((outcome, due), (Ok(0), Due::Correction));
        entities.committed();
        assert_eq!(entities.sleep_durable(|_| ()), 1);
    }

    #[test]
    fn entities_woken_with_rows_to_repeat_are_saved_without_a_change() {
        let mut entities = Entities::new(1);
        assert!(entities.get_or_wake(9, || Ok::<_, ()>((0u8, Due::Rows))).is_ok());
        let mut saved = Vec::new();
        let outcome = entities.commit(|id, hosted| {
            saved.push((id, hosted.due));
            Ok::<_, ()>(true)
        });
        assert_eq!((outcome, saved), (Ok(0), vec![(9, Due::Rows)]));
    }
}
