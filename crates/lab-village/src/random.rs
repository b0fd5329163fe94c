//! Seeded random numbers: integers only, so they are the same natively and in wasm.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The purpose of the numbers. Each purpose has a stream of its own, so more documents of one kind change no others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    World = 1,
    Training = 2,
    HeldOut = 3,
    Split = 4,
    Instructions = 5,
    Reading = 6,
    HeldOutReading = 7,
    Preferences = 8,
    HeldOutPreferences = 9,
    Newcomers = 10,
    Queries = 11,
    Bootstrap = 12,
    Order = 13,
}

/// A seeded stream of numbers (ChaCha with 8 rounds).
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    /// A whole number below `bound`, without the bias of a plain remainder (Lemire 2019).
    pub fn below(&mut self, bound: u32) -> u32 {
        debug_assert!(bound > 0);
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// A position in a list of `length` entries.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u32) as usize
    }

    /// True `thousandths` times out of a thousand.
    pub fn chance(&mut self, thousandths: u32) -> bool {
        self.below(1000) < thousandths
    }

    /// One entry of a list that is not empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.index(list.len())]
    }

    /// Puts a list in random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.index(last + 1));
        }
    }

    /// `count` entries in random order, each of `list` as often as any other, give or take one.
    pub fn balanced<T: Clone>(&mut self, list: &[T], count: usize) -> Vec<T> {
        let mut source = list.to_vec();
        self.shuffle(&mut source);
        let mut drawn: Vec<T> = source.iter().cycle().take(count).cloned().collect();
        self.shuffle(&mut drawn);
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_purpose_decide_the_numbers() {
        let draw = |seed, purpose| {
            let mut random = Random::new(seed, purpose);
            (0..8).map(|_| random.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, Purpose::World), draw(7, Purpose::World));
        assert_ne!(draw(7, Purpose::World), draw(7, Purpose::Training));
        assert_ne!(draw(7, Purpose::World), draw(8, Purpose::World));
    }

    #[test]
    fn whole_numbers_are_even() {
        let mut random = Random::new(1, Purpose::World);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[random.index(6)] += 1;
        }
        assert!(
            counts.iter().all(|&c| (9_600..10_400).contains(&c)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_balanced_draw_repeats_nothing_more_than_it_must() {
        let mut random = Random::new(3, Purpose::World);
        let drawn = random.balanced(&[0usize, 1, 2, 3, 4], 12);
        for value in 0..5 {
            let count = drawn.iter().filter(|&&v| v == value).count();
            assert!((2..=3).contains(&count), "{value}: {count}");
        }
    }
}
