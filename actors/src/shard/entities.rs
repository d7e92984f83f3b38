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

/// An entity that is awake.
#[derive(Debug)]
pub struct Hosted<E> {
    /// The entity.
    pub entity: E,
    /// Its rows have to be written in this commit cycle.
    pub emit: bool,
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

    /// The entity `id`, woken by `wake` if it is asleep. `wake` says whether rows of an earlier
    /// epoch have to be repeated.
    ///
    /// # Errors
    /// Those of `wake`.
    pub fn get_or_wake<X>(
        &mut self,
        id: u128,
        wake: impl FnOnce() -> Result<(E, bool), X>,
    ) -> Result<&mut Hosted<E>, X> {
        let used = self.wheel.now();
        match self.awake.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => {
                let hosted = known.into_mut();
                hosted.used = used;
                Ok(hosted)
            }
            std::collections::hash_map::Entry::Vacant(slot) => {
                let (entity, emit) = wake()?;
                self.wheel.insert(id, used + self.reach);
                if emit {
                    self.changed.push(id);
                }
                let modified = if emit { self.cycle } else { 0 };
                Ok(slot.insert(Hosted { entity, emit, modified, used }))
            }
        }
    }

    /// Notes that `id` has changed in this commit cycle.
    pub fn touch(&mut self, id: u128, emit: bool) {
        let Some(hosted) = self.awake.get_mut(&id) else { return };
        hosted.emit |= emit;
        if hosted.modified != self.cycle {
            hosted.modified = self.cycle;
            self.changed.push(id);
        }
    }

    /// Ends the commit cycle: hands every entity that changed in it to `save`.
    ///
    /// # Errors
    /// The first one of `save`.
    pub fn commit<X>(
        &mut self,
        mut save: impl FnMut(u128, &mut Hosted<E>) -> Result<(), X>,
    ) -> Result<(), X> {
        for id in std::mem::take(&mut self.changed) {
            if let Some(hosted) = self.awake.get_mut(&id) {
                save(id, hosted)?;
                hosted.emit = false;
            }
        }
        self.cycle += 1;
        Ok(())
    }

    /// Every cycle up to the last [`Entities::commit`] but one is durable now: what it saved may
    /// sleep.
    pub fn committed(&mut self) {
        self.durable = self.cycle - 1;
    }

    /// Moves the clock by one tick and puts to sleep what is durable and has been idle for as many
    /// ticks as `patience` grants it. Returns how many.
    pub fn tick(&mut self, patience: impl Fn(&E) -> u64) -> usize {
        let Self { awake, wheel, durable, .. } = self;
        let deadline = |hosted: &Hosted<E>| hosted.used + patience(&hosted.entity);
        let due = wheel.advance(|id| awake.get(id).map(deadline));
        let mut asleep = 0;
        for id in due {
            if awake.get(&id).is_some_and(|hosted| hosted.modified <= *durable) {
                awake.remove(&id);
                asleep += 1;
            } else {
                let next = wheel.now() + 1;
                wheel.insert(id, next);
            }
        }
        asleep
    }

    /// Puts to sleep everything that is durable. Returns how many.
    pub fn sleep_durable(&mut self) -> usize {
        let before = self.awake.len();
        let durable = self.durable;
        self.awake.retain(|_, hosted| hosted.modified > durable);
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

    /// Every entity awake, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.awake.values().map(|hosted| &hosted.entity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wake(entities: &mut Entities<u8>, id: u128) {
        let woken = entities.get_or_wake(id, || Ok::<_, ()>((0, false)));
        assert!(woken.is_ok());
    }

    #[test]
    fn only_durable_and_idle_entities_sleep() {
        let mut entities = Entities::new(2);
        wake(&mut entities, 1);
        wake(&mut entities, 2);
        entities.touch(1, true);
        let mut saved = Vec::new();
        let outcome = entities.commit(|id, hosted| {
            saved.push((id, hosted.emit));
            Ok::<_, ()>(())
        });
        assert_eq!((outcome, saved), (Ok(()), vec![(1, true)]));
        let asleep = [entities.tick(|_| 2), entities.tick(|_| 2)];
        assert_eq!(asleep, [0, 1], "2 is idle; 1 is not durable yet");
        entities.committed();
        assert_eq!(entities.tick(|_| 2), 1);
        assert_eq!(entities.len(), 0);
    }

    #[test]
    fn patience_that_shrinks_while_an_entity_is_awake_counts_from_its_last_use() {
        let patience = |&closed: &u8| if closed == 1 { 3 } else { 10 };
        let mut entities = Entities::new(3);
        wake(&mut entities, 1);
        wake(&mut entities, 2);
        let early: usize = (0..5).map(|_| entities.tick(patience)).sum();
        let used = entities.get_or_wake(1, || Err(()));
        assert!(used.map(|hosted| hosted.entity = 1).is_ok());
        let later: Vec<usize> = (0..5).map(|_| entities.tick(patience)).collect();
        assert_eq!((early, later), (0, vec![0, 0, 1, 0, 1]), "1 after 3 more ticks, 2 after 10");
    }

    #[test]
    fn a_change_after_the_save_keeps_an_entity_awake() {
        let mut entities = Entities::new(1);
        wake(&mut entities, 1);
        entities.touch(1, true);
        assert_eq!(entities.commit(|_, _| Ok::<_, ()>(())), Ok(()));
        entities.touch(1, false);
        entities.committed();
        assert_eq!((entities.tick(|_| 1), entities.sleep_durable()), (0, 0));
    }

    #[test]
    fn entities_woken_with_rows_to_repeat_are_saved_without_a_change() {
        let mut entities = Entities::new(1);
        assert!(entities.get_or_wake(9, || Ok::<_, ()>((0u8, true))).is_ok());
        let mut saved = Vec::new();
        let outcome = entities.commit(|id, hosted| {
            saved.push((id, hosted.emit));
            Ok::<_, ()>(())
        });
        assert_eq!((outcome, saved), (Ok(()), vec![(9, true)]));
    }
}
