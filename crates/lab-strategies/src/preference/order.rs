//! The pairs or prompts of each step.

use super::experience::shuffled;
use lab_model::random::{Purpose, Random};

/// Goes through all items pass after pass. Each pass has its own order, which follows from seed and pass and is made
/// once.
pub(crate) struct Order {
    count: usize,
    batch: usize,
    seed: u64,
    /// The last pass that was used, and its order.
    pass: Option<(usize, Vec<usize>)>,
}

impl Order {
    /// Steps of `batch` items each, of `count` in all.
    pub fn new(count: usize, batch: usize, seed: u64) -> Self {
        Self {
            count,
            batch,
            seed,
            pass: None,
        }
    }

    /// The indices of the items of a step (from 1); empty if there are no items.
    pub fn of_step(&mut self, step: usize) -> Vec<usize> {
        let first = (step - 1) * self.batch;
        let places = first..first + self.batch;
        places.filter_map(|place| self.at(place)).collect()
    }

    /// The item at a position, counted through all passes.
    fn at(&mut self, place: usize) -> Option<usize> {
        let number = place.checked_div(self.count)?;
        if self.pass.as_ref().is_none_or(|(made, _)| *made != number) {
            let mut random = Random::new(self.seed, Purpose::Order, 1 << 48 | number as u64);
            self.pass = Some((number, shuffled(self.count, &mut random)));
        }
        let (_, order) = self.pass.as_ref()?;
        order.get(place % self.count).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_comes_once_in_a_pass_whichever_step_is_asked_for_first() {
        let steps = |order: &mut Order| -> Vec<usize> {
            (1..=5).flat_map(|step| order.of_step(step)).collect()
        };
        let mut seen = steps(&mut Order::new(10, 4, 3));
        let (first, second) = seen.split_at_mut(10);
        assert_ne!(first, second);
        assert_eq!(Order::new(10, 4, 3).of_step(5), second[6..]);
        first.sort_unstable();
        second.sort_unstable();
        assert!(first.iter().copied().eq(0..10) && second.iter().copied().eq(0..10));
        assert!(Order::new(0, 4, 3).of_step(1).is_empty());
    }
}
