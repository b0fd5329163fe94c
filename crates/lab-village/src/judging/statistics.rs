//! Confidence intervals of 95%.

use crate::random::{Purpose, Random};
use serde::{Deserialize, Serialize};

/// A measured value and how far it can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub value: f64,
    /// The limits of the interval.
    pub low: f64,
    pub high: f64,
    pub standard_error: f64,
    /// Independent observations.
    pub count: usize,
}

/// Quantile of the normal distribution for 95%.
const Z: f64 = 1.959_963_984_540_054;
const RESAMPLES: usize = 1000;

impl Estimate {
    /// A share of `count` independent observations, with Wilson's interval (1927), which is right for
    /// shares near 0 and 1 too.
    pub fn share(value: f64, count: usize) -> Self {
        if count == 0 {
            return Self::default();
        }
        let n = count as f64;
        let centre = (value + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half =
            Z / (1.0 + Z * Z / n) * libm::sqrt(value * (1.0 - value) / n + Z * Z / (4.0 * n * n));
        Self {
            value,
            low: (centre - half).max(0.0),
            high: (centre + half).min(1.0),
            standard_error: libm::sqrt(value * (1.0 - value) / n),
            count,
        }
    }

    /// A mean over groups of observations that are not independent within a group: percentiles of 1000
    /// means over groups drawn again with the seed (Efron 1979). A group is (sum, observations).
    pub fn mean(groups: &[(f64, usize)], seed: u64) -> Self {
        let mean_of = |drawn: &mut dyn Iterator<Item = &(f64, usize)>| {
            let (sum, count) = drawn.fold((0.0, 0), |(sum, count), group| {
                (sum + group.0, count + group.1)
            });
            sum / count as f64
        };
        if groups.is_empty() {
            return Self::default();
        }
        let value = mean_of(&mut groups.iter());
        let mut random = Random::new(seed, Purpose::Bootstrap);
        let mut means: Vec<f64> = (0..RESAMPLES)
            .map(|_| mean_of(&mut (0..groups.len()).map(|_| &groups[random.index(groups.len())])))
            .collect();
        means.sort_by(f64::total_cmp);
        let centre = means.iter().sum::<f64>() / RESAMPLES as f64;
        let variance = means
            .iter()
            .map(|mean| (mean - centre) * (mean - centre))
            .sum::<f64>()
            / (RESAMPLES - 1) as f64;
        Self {
            value,
            low: means[RESAMPLES / 40],
            high: means[RESAMPLES - 1 - RESAMPLES / 40],
            standard_error: libm::sqrt(variance),
            count: groups.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() < tolerance
    }

    #[test]
    fn wilson_is_as_published() {
        // Newcombe (1998), table I: 81 of 263, and 0 of 20.
        let estimate = Estimate::share(81.0 / 263.0, 263);
        assert!(
            near(estimate.low, 0.2553, 5e-5) && near(estimate.high, 0.3662, 5e-5),
            "{estimate:?}"
        );
        let none = Estimate::share(0.0, 20);
        assert!(none.low == 0.0 && near(none.high, 0.1611, 5e-5), "{none:?}");
    }

    #[test]
    fn the_bootstrap_agrees_with_the_formula_for_a_mean() {
        let groups: Vec<(f64, usize)> = (0..400).map(|n| (f64::from(n % 10), 1)).collect();
        let estimate = Estimate::mean(&groups, 1);
        // Standard deviation of 0..9 is 2.8723; divided by the root of 400.
        assert!(
            near(estimate.value, 4.5, 1e-12) && near(estimate.standard_error, 0.1436, 0.012),
            "{estimate:?}"
        );
        assert!(
            near(estimate.high - estimate.low, 2.0 * 1.96 * 0.1436, 0.06),
            "{estimate:?}"
        );
        assert_eq!(estimate, Estimate::mean(&groups, 1));
    }

    #[test]
    fn observations_that_go_together_count_once() {
        let alone: Vec<(f64, usize)> = (0..300).map(|n| (f64::from(n % 2), 1)).collect();
        let together: Vec<(f64, usize)> = (0..100).map(|n| (3.0 * f64::from(n % 2), 3)).collect();
        let (alone, together) = (Estimate::mean(&alone, 2), Estimate::mean(&together, 2));
        assert!(near(
            together.standard_error / alone.standard_error,
            3f64.sqrt(),
            0.2
        ));
    }

    #[test]
    fn nothing_measured_is_nothing_claimed() {
        assert_eq!(Estimate::share(0.0, 0), Estimate::default());
        assert_eq!(Estimate::mean(&[], 0), Estimate::default());
    }
}
