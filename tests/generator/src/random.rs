//! Seeded randomness: one `ChaCha8` stream per purpose, so that what one session draws never shifts
//! what another one draws, and a cheap mixer for filler that must repeat for repeated deliveries.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A random stream. Only integer and exact floating operations: the same on every machine.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// Stream number `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Uniform in `low..=high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as usize) as i64
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        ((self.bits() >> 11) as f64) * (1.0 / (1_u64 << 53) as f64) < p
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Index drawn in proportion to `weights`; 0 when all are 0.
    pub(crate) fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: usize = weights.iter().map(|w| *w as usize).sum();
        let mut left = self.below(total);
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight as usize {
                return index;
            }
            left -= *weight as usize;
        }
        0
    }

    /// Random UUID, version 4.
    pub(crate) fn uuid(&mut self) -> u128 {
        let raw = (u128::from(self.bits()) << 64) | u128::from(self.bits());
        (raw & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62)
    }

    pub(crate) fn bytes20(&mut self) -> [u8; 20] {
        let mut bytes = [0; 20];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// Stateless hash of a position: what belongs to number `n` of a kind, without remembering it.
pub(crate) fn mix(seed: u64, kind: u64, n: u64) -> u64 {
    let mut z =
        seed ^ kind.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n.wrapping_mul(0xd1b5_4a32_d192_ed03);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Filler values of one event, drawn from its uid: two deliveries of it are equal byte for byte.
pub(crate) struct Filler(u64);

impl Filler {
    pub(crate) fn of(uid: u128) -> Self {
        Self(uid as u64 ^ (uid >> 64) as u64)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0, 0, 0)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.bits() % n.max(1)
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// How many events of a kind with `rate` per session belong to session number `index`: the counts
/// add up to `rate * sessions` exactly. Returns the number of the first one and how many.
pub(crate) fn quota(rate: f64, index: u64) -> (u64, u64) {
    let first = (index as f64 * rate) as u64;
    let next = ((index + 1) as f64 * rate) as u64;
    (first, next - first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_add_up() {
        let total: u64 = (0..1000).map(|i| quota(0.037, i).1).sum();
        assert_eq!(total, 37);
    }

    #[test]
    fn uuids_are_version_4() {
        let uuid = format!("{:032x}", Random::new(1, 1).uuid());
        assert_eq!(&uuid[12..13], "4");
        assert!("89ab".contains(&uuid[16..17]), "{uuid}");
    }

    #[test]
    fn weights_of_zero_are_never_drawn() {
        let mut random = Random::new(7, 0);
        assert!((0..500).all(|_| random.weighted(&[0, 3, 0, 1]) % 2 == 1));
    }
}
