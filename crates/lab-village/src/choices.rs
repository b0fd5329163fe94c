//! Every random decision of the language goes through [`Choices`], so the probability of a text is known. Decisions
//! are either drawn, or taken along a path: following all paths that lead to one text gives its exact probability
//! (see `language/entropy.rs`).

use crate::random::Random;

pub(crate) struct Choices<'a> {
    source: Source<'a>,
    /// Sum of -ln p over the decisions so far.
    nats: f64,
}

enum Source<'a> {
    Drawn(&'a mut Random),
    Along(&'a mut Path),
}

impl<'a> Choices<'a> {
    pub fn drawn(random: &'a mut Random) -> Self {
        Self {
            source: Source::Drawn(random),
            nats: 0.0,
        }
    }

    pub fn along(path: &'a mut Path) -> Self {
        path.position = 0;
        Self {
            source: Source::Along(path),
            nats: 0.0,
        }
    }

    /// A position in `weights`, each taken with probability weight / sum. At least one is above 0.
    pub fn choose(&mut self, weights: &[u32]) -> usize {
        let total: u32 = weights.iter().sum();
        let mut possible = weights
            .iter()
            .enumerate()
            .filter(|(_, weight)| **weight > 0);
        if let (Some((only, _)), None) = (possible.next(), possible.next()) {
            return only;
        }
        let chosen = match &mut self.source {
            Source::Drawn(random) => {
                let mut left = random.below(total);
                weights
                    .iter()
                    .position(|&weight| {
                        let here = left < weight;
                        left = left.wrapping_sub(weight);
                        here
                    })
                    .unwrap_or(0)
            }
            Source::Along(path) => path.next(weights),
        };
        self.nats += libm::log(f64::from(total) / f64::from(weights[chosen]));
        chosen
    }

    /// One of `count` positions, each as likely as any other.
    pub fn evenly(&mut self, count: usize) -> usize {
        if count == 1 {
            return 0;
        }
        let chosen = match &mut self.source {
            Source::Drawn(random) => random.index(count),
            Source::Along(path) => path.next_of(count, |_| true),
        };
        self.nats += libm::log(count as f64);
        chosen
    }

    pub fn nats(&self) -> f64 {
        self.nats
    }
}

/// The decisions that led somewhere, and the way from them to the next untried ones.
#[derive(Default)]
pub(crate) struct Path {
    steps: Vec<Step>,
    position: usize,
}

struct Step {
    chosen: usize,
    /// The next possible position after `chosen`, if there is one.
    next: Option<usize>,
    possible: Vec<usize>,
}

impl Path {
    fn next(&mut self, weights: &[u32]) -> usize {
        self.next_of(weights.len(), |index| weights[index] > 0)
    }

    fn next_of(&mut self, count: usize, is_possible: impl Fn(usize) -> bool) -> usize {
        if self.position == self.steps.len() {
            let possible: Vec<usize> = (0..count).filter(|&index| is_possible(index)).collect();
            let chosen = possible[0];
            self.steps.push(Step {
                chosen,
                next: (possible.len() > 1).then_some(1),
                possible,
            });
        }
        self.position += 1;
        self.steps[self.position - 1].chosen
    }

    /// Moves to the first untried alternative of the last decision that has one, and forgets all later decisions.
    /// Returns false when no alternative is left.
    pub fn advance(&mut self) -> bool {
        while let Some(mut step) = self.steps.pop() {
            if let Some(next) = step.next {
                step.chosen = step.possible[next];
                step.next = (next + 1 < step.possible.len()).then_some(next + 1);
                self.steps.push(step);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    /// A little language: two decisions, the second depending on the first.
    fn program(choices: &mut Choices) -> (usize, usize) {
        let first = choices.choose(&[1, 0, 3]);
        let second = if first == 2 {
            choices.evenly(4)
        } else {
            choices.choose(&[5])
        };
        (first, second)
    }

    #[test]
    fn paths_visit_every_outcome_once_and_their_probabilities_sum_to_one() {
        let mut path = Path::default();
        let mut seen = Vec::new();
        let mut total = 0.0;
        loop {
            let mut choices = Choices::along(&mut path);
            seen.push(program(&mut choices));
            total += libm::exp(-choices.nats());
            if !path.advance() {
                break;
            }
        }
        assert_eq!(seen, [(0, 0), (2, 0), (2, 1), (2, 2), (2, 3)]);
        assert!((total - 1.0).abs() < 1e-12, "{total}");
    }

    #[test]
    fn what_is_drawn_follows_the_weights() {
        let mut random = Random::new(5, Purpose::World);
        let mut count = 0;
        for _ in 0..10_000 {
            let mut choices = Choices::drawn(&mut random);
            let (first, _) = program(&mut choices);
            assert_ne!(first, 1);
            count += usize::from(first == 2);
        }
        assert!((7_300..7_700).contains(&count), "{count}");
    }
}
