//! Statistics of a policy, and the estimators of the divergence between two.

/// Estimates KL(p ‖ q) from `log p - log q` at samples of p: unbiased, of high variance, may be negative
/// (Schulman 2020, "Approximating KL divergence").
pub fn kl_k1(log_ratio: f64) -> f64 {
    log_ratio
}

/// The same by half the square: biased, of low variance. Its gradient is the gradient of KL(p ‖ q).
pub fn kl_k2(log_ratio: f64) -> f64 {
    0.5 * log_ratio * log_ratio
}

/// The same by `exp(-l) - 1 + l`: unbiased and never negative.
pub fn kl_k3(log_ratio: f64) -> f64 {
    libm::expm1(-log_ratio) + log_ratio
}

/// Mean over the values in the mask; 0 if the mask is empty.
pub fn masked_mean(values: &[f64], mask: &[bool]) -> f64 {
    let (mut sum, mut count) = (0.0, 0usize);
    for (value, _) in values.iter().zip(mask).filter(|(_, counts)| **counts) {
        sum += value;
        count += 1;
    }
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// Mean over the rows of the log ratios summed over each row's tokens: an estimate of the divergence of
/// whole sequences from the reference, in nats.
pub fn sequence_kl(policy: &[f64], reference: &[f64], mask: &[bool], columns: usize) -> f64 {
    let rows = mask.len() / columns.max(1);
    let tokens = policy.iter().zip(reference).zip(mask);
    let sum: f64 = tokens
        .filter(|(_, counts)| **counts)
        .map(|((p, q), _)| kl_k1(p - q))
        .sum();
    sum / rows.max(1) as f64
}

/// Half the masked mean of the squared log ratio of the policy to the one that sampled.
pub fn approximate_kl(new: &[f64], old: &[f64], mask: &[bool]) -> f64 {
    let squares: Vec<f64> = new.iter().zip(old).map(|(n, o)| kl_k2(n - o)).collect();
    masked_mean(&squares, mask)
}

/// Share of the tokens whose probability has changed by more than `clip`, relative to the old one.
pub fn clip_fraction(new: &[f64], old: &[f64], mask: &[bool], clip: f64) -> f64 {
    let moved: Vec<f64> = new
        .iter()
        .zip(old)
        .map(|(n, o)| f64::from(u8::from((libm::exp(n - o) - 1.0).abs() > clip)))
        .collect();
    masked_mean(&moved, mask)
}

/// Share of the returns' variance that the values explain: 1 is all, 0 none, below 0 worse than their mean. `None` if
/// the returns do not vary.
pub fn explained_variance(values: &[f64], returns: &[f64], mask: &[bool]) -> Option<f64> {
    let kept = |source: &[f64]| -> Vec<f64> {
        let counted = source.iter().zip(mask).filter(|(_, counts)| **counts);
        counted.map(|(value, _)| *value).collect()
    };
    let (values, returns) = (kept(values), kept(returns));
    let errors: Vec<f64> = returns.iter().zip(&values).map(|(r, v)| r - v).collect();
    let variance = |of: &[f64]| mean_and_deviation(of).1.powi(2);
    let total = variance(&returns);
    (total > 0.0).then(|| 1.0 - variance(&errors) / total)
}

/// Mean and sample deviation (Bessel's); the deviation of fewer than two is 0.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    if values.len() < 2 {
        return (mean, 0.0);
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, libm::sqrt(squares / (values.len() - 1) as f64))
}

/// Pearson's correlation; 0 if one of the two does not vary.
pub fn correlation(first: &[f64], second: &[f64]) -> f64 {
    let ((mean_a, deviation_a), (mean_b, deviation_b)) =
        (mean_and_deviation(first), mean_and_deviation(second));
    if deviation_a == 0.0 || deviation_b == 0.0 {
        return 0.0;
    }
    let products = first.iter().zip(second);
    let covariance: f64 = products.map(|(a, b)| (a - mean_a) * (b - mean_b)).sum();
    covariance / (first.len() - 1) as f64 / deviation_a / deviation_b
}

/// The coefficient of the divergence from the reference: fixed, or moved towards a target (Ziegler et al.
/// 2019, section 2.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlController {
    pub coefficient: f64,
    /// Nats a sequence and the number of sequences over which the error is spread; `None` means fixed.
    pub target: Option<(f64, f64)>,
}

impl KlController {
    /// Adapts to the divergence of the last `sequences`, in nats a sequence.
    pub fn update(&mut self, kl: f64, sequences: usize) {
        if let Some((target, horizon)) = self.target {
            let error = (kl / target - 1.0).clamp(-0.2, 0.2);
            self.coefficient *= 1.0 + error * sequences as f64 / horizon;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coefficient_moves_towards_the_target() {
        let mut kl = KlController {
            coefficient: 0.2,
            target: Some((6.0, 10_000.0)),
        };
        kl.update(12.0, 256);
        assert!((kl.coefficient - 0.2 * (1.0 + 0.2 * 256.0 / 10_000.0)).abs() < 1e-15);
        kl.update(5.7, 100);
        let expected = 0.2 * (1.0 + 0.2 * 0.0256) * (1.0 - 0.05 * 0.01);
        assert!((kl.coefficient - expected).abs() < 1e-15);
        let mut fixed = KlController {
            coefficient: 0.2,
            target: None,
        };
        fixed.update(100.0, 100);
        assert_eq!(fixed.coefficient, 0.2);
    }

    #[test]
    fn values_explain_all_or_nothing() {
        let (returns, mask) = ([1.0, 2.0, 4.0, 9.0], [true, true, true, false]);
        assert_eq!(explained_variance(&returns, &returns, &mask), Some(1.0));
        let mean = [7.0 / 3.0; 4];
        assert!(explained_variance(&mean, &returns, &mask).unwrap().abs() < 1e-12);
        assert_eq!(explained_variance(&returns, &[3.0; 4], &mask), None);
    }

    #[test]
    fn correlation_is_pearsons() {
        assert!((correlation(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]) - 1.0).abs() < 1e-12);
        assert!((correlation(&[1.0, 2.0, 3.0], &[3.0, 1.0, 2.0]) + 0.5).abs() < 1e-12);
        assert_eq!(correlation(&[1.0, 1.0], &[0.0, 5.0]), 0.0);
    }
}
