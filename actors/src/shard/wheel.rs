//! One timer wheel per shard: which entities have been idle long enough to be put to sleep.
//!
//! Touching an entity only moves its deadline; it stays in its slot, and a slot that comes due
//! moves what was touched in the meantime on. So a touch costs nothing and memory is one number
//! per entity.

use std::collections::VecDeque;

/// A lazy timer wheel. Time is counted in ticks.
#[derive(Debug)]
pub struct Wheel<K> {
    slots: VecDeque<Vec<K>>,
    now: u64,
}

impl<K> Wheel<K> {
    /// A wheel that reaches `span` ticks into the future.
    pub fn new(span: usize) -> Self {
        Self { slots: (0..=span.max(1)).map(|_| Vec::new()).collect(), now: 0 }
    }

    /// The current tick.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Puts `key` into the slot of tick `due`; a due tick beyond the span comes up at its end and
    /// is asked again then.
    pub fn insert(&mut self, key: K, due: u64) {
        let ahead = due.saturating_sub(self.now).max(1) as usize;
        let slot = ahead.min(self.slots.len() - 1);
        self.slots[slot].push(key);
    }

    /// Forgets every key.
    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(Vec::clear);
    }

    /// Moves to the next tick. `deadline` names the tick that a key is due at now, `None` for a key
    /// that is gone. What is due is returned, the rest goes to its new slot.
    pub fn advance(&mut self, deadline: impl Fn(&K) -> Option<u64>) -> Vec<K> {
        self.now += 1;
        self.slots.rotate_left(1);
        // After the rotation the slot of this tick is the first one.
        let candidates = std::mem::take(&mut self.slots[0]);
        let mut due = Vec::new();
        for key in candidates {
            match deadline(&key) {
                Some(tick) if tick > self.now => self.insert(key, tick),
                Some(_) => due.push(key),
                None => {}
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_touched_key_comes_due_at_its_last_deadline() {
        let mut wheel = Wheel::new(10);
        let mut deadlines = BTreeMap::from([("a", 3), ("b", 3), ("far", 25)]);
        for (&key, &due) in &deadlines {
            wheel.insert(key, due);
        }
        let mut seen = BTreeMap::new();
        for _ in 0..30 {
            if wheel.now() == 2 {
                deadlines.insert("b", 7);
            }
            for key in wheel.advance(|k| deadlines.get(k).copied()) {
                seen.insert(key, wheel.now());
            }
        }
        assert_eq!(seen, BTreeMap::from([("a", 3), ("b", 7), ("far", 25)]));
    }

    #[test]
    fn a_key_that_is_gone_never_comes_up() {
        let mut wheel = Wheel::new(4);
        wheel.insert(1, 2);
        for _ in 0..10 {
            assert_eq!(wheel.advance(|_: &i32| None), Vec::<i32>::new());
        }
    }
}
