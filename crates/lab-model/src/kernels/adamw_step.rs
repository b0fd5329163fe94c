//! The settings of an update of the optimiser.

/// Added to the norm before dividing by it, as PyTorch's `clip_grad_norm_` does.
pub const CLIP_EPSILON: f64 = 1e-6;

/// The settings of one AdamW update; see [`adamw`](super::adamw()).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the mean of the gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Added to the denominator.
    pub epsilon: f64,
    /// Decoupled weight decay; 0 for parameters without decay.
    pub weight_decay: f64,
    /// Number of this update, counted from 1.
    pub step: usize,
}

impl AdamWStep {
    /// The bias corrections `1 - beta1^step` and `1 - beta2^step`, computed in double precision.
    pub fn corrections(&self) -> (f64, f64) {
        let power = |beta: f64| 1.0 - beta.powf(self.step as f64);
        (power(self.beta1), power(self.beta2))
    }
}
