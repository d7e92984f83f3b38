//! What goes wrong: nodes that die, stall or lag, and a network that loses, repeats and delays.

use super::*;

impl World {
    pub(super) fn stand(&mut self, number: usize, standing: Standing) {
        let node = &self.nodes[number];
        let known = Known { incarnation: node.incarnation, weight: 8, standing, suspect: false };
        self.truth.0.insert(Arc::clone(&node.name), known);
    }

    /// A node looks as if it were down soon, rightly or not.
    pub(super) fn suspect(&mut self, number: usize) {
        if let Some(known) = self.truth.0.get_mut(&self.nodes[number].name) {
            known.suspect = known.standing != Standing::Down;
        }
    }

    pub(super) fn hurt(&mut self, number: usize) {
        match self.random.below(14) {
            0 if self.nodes[number].up => self.crash(number),
            1 | 2 if !self.nodes[number].up => self.restart(number),
            3 if self.nodes[number].runs() => {
                self.nodes[number].paused = true;
                if self.random.once_in(2) {
                    self.stand(number, Standing::Down);
                }
            }
            4 | 5 if self.nodes[number].paused => {
                self.nodes[number].paused = false;
                self.stand(number, Standing::Up);
            }
            12 => self.suspect(number),
            // Its actors fail, and start again in the same process.
            13 if self.nodes[number].up => {
                self.crash(number);
                self.restart(number);
            }
            6 if self.nodes[number].runs() => self.stand(number, Standing::Draining),
            7 | 8 if self.nodes[number].up => self.stand(number, Standing::Up),
            _ => {}
        }
    }

    pub(super) fn crash(&mut self, number: usize) {
        let late = self.random.once_in(2);
        let incarnation = self.nodes[number].incarnation;
        let dead = std::mem::replace(&mut self.nodes[number], Node::boot(number, incarnation));
        self.nodes[number].up = false;
        if late {
            let sent = dead.slots.into_iter().map(|slot| slot.sent);
            self.ghosts.extend((0..SHARDS).zip(sent));
            self.ghost_rows.extend(dead.rows);
        }
        for other in 0..NODES {
            self.links.remove(&(number, other));
            self.links.remove(&(other, number));
        }
        for partition in &mut self.partitions {
            if partition.reader == Some(number) {
                partition.reader = None;
            }
        }
        if self.random.once_in(2) {
            self.stand(number, Standing::Down);
        } else {
            self.suspect(number);
        }
    }

    pub(super) fn restart(&mut self, number: usize) {
        let later = u64::from(!self.has(Fault::SameBoot));
        let incarnation = self.nodes[number].incarnation + later;
        self.nodes[number] = Node::boot(number, incarnation);
        self.nodes[number].view = self.truth.clone();
        self.stand(number, Standing::Up);
        self.nodes[number].view = self.truth.clone();
    }

    pub(super) fn hurt_network(&mut self) {
        let (from, to) = (self.random.below(NODES), self.random.below(NODES));
        match self.random.below(4) {
            0 => {
                self.links.remove(&(from, to));
                self.links.remove(&(to, from));
            }
            1 => {
                if let Some(link) = self.links.get_mut(&(from, to)) {
                    link.pop_front();
                }
            }
            2 => {
                if let Some(link) = self.links.get_mut(&(from, to))
                    && let Some(first) = link.front().cloned()
                {
                    link.push_front(first);
                }
            }
            _ => {}
        }
    }

    pub(super) fn land_ghost(&mut self) {
        if let Some(row) = self.ghost_rows.pop_front() {
            self.store(row);
        }
        if self.ghosts.is_empty() {
            return;
        }
        let at = self.random.below(self.ghosts.len());
        let (shard, sent) = &mut self.ghosts[at];
        match sent.pop_front() {
            Some((key, value)) => {
                let shard = *shard;
                self.append(shard, key, value);
            }
            None => drop(self.ghosts.swap_remove(at)),
        }
        self.judge();
    }

    // --- the reader ---------------------------------------------------------------------------
}
