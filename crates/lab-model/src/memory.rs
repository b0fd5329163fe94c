//! How much memory a model needs, before any is taken.

use crate::layout::weight_shapes;
use lab_protocol::{ErrorCode, LabError, ModelConfig, Position, text};

/// What is done with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Texts are written, `rows` at once.
    Generation { rows: usize },
    /// All weights are trained, `rows` windows in a micro-batch.
    Training { rows: usize },
}

/// Bytes by part. All numbers are f32 while a model computes, whatever its file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryNeeded {
    pub parameters: u64,
    pub weights: u64,
    /// The weights on the host while they go to the device, one tensor after another.
    pub loading: u64,
    /// Cosines and sines of rotary positions.
    pub positions: u64,
    pub key_value_cache: u64,
    pub gradients: u64,
    /// Two moments of each weight (AdamW).
    pub moments: u64,
    /// The best weights so far.
    pub best_weights: u64,
    /// What the forward pass keeps for the backward pass, and the logits with their gradient.
    pub activations: u64,
}

impl MemoryNeeded {
    /// The most that is needed at one time: what was loaded is gone when the rest is taken.
    pub fn total(&self) -> u64 {
        let work = self.key_value_cache
            + self.gradients
            + self.moments
            + self.best_weights
            + self.activations;
        self.weights + self.positions + work.max(self.loading)
    }

    /// Refuses what does not fit into so many bytes, with the largest parts.
    pub fn must_fit(&self, available: u64) -> Result<(), LabError> {
        if self.total() <= available {
            return Ok(());
        }
        let mut parts = [
            ("weights", self.weights),
            ("loading", self.loading),
            ("positions", self.positions),
            ("key-value cache", self.key_value_cache),
            ("gradients", self.gradients),
            ("moments", self.moments),
            ("best weights", self.best_weights),
            ("activations", self.activations),
        ];
        parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let named: Vec<String> = parts
            .iter()
            .take(3)
            .filter(|(_, bytes)| *bytes > 0)
            .map(|(name, bytes)| format!("{name} {}", megabytes(*bytes)))
            .collect();
        Err(LabError::new(
            ErrorCode::OutOfMemory,
            text!(
                "the model needs {needed}, and there are {available}: {parts}",
                needed = megabytes(self.total()),
                available = megabytes(available),
                parts = named.join(", ")
            ),
            "Use a smaller model, a smaller batch or a shorter context.",
        ))
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// What a model of this shape needs. Weights, gradients, moments and the cache are exact; activations are what the
/// kernels keep: for each token and block the inputs of its linear layers, norms and activation, queries, keys
/// and values, and for each head of each token two sums of the softmax; the attention's scores are not kept.
pub fn memory_needed(shape: &ModelConfig, vocabulary: usize, workload: Workload) -> MemoryNeeded {
    let shapes = weight_shapes(shape, vocabulary);
    let elements = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
    let parameters: u64 = shapes.iter().map(|(_, shape)| elements(shape)).sum();
    let weights = 4 * parameters;
    let context = shape.context as u64;
    let half_head = shape.head_width() as u64 / 2;
    let mut needed = MemoryNeeded {
        parameters,
        weights,
        loading: weights,
        positions: match shape.position {
            Position::Rope => 4 * 2 * context * half_head,
            Position::Learned => 0,
        },
        key_value_cache: 0,
        gradients: 0,
        moments: 0,
        best_weights: 0,
        activations: 0,
    };
    let layers = shape.layers as u64;
    let vocabulary = vocabulary as u64;
    match workload {
        Workload::Generation { rows } => {
            let tokens = rows as u64 * context;
            needed.key_value_cache = 4 * 2 * layers * tokens * shape.key_value_width() as u64;
            // One block at a time, and the logits of the last position of each row.
            needed.activations = 4 * (tokens * block_numbers(shape) + rows as u64 * vocabulary);
        }
        Workload::Training { rows } => {
            let tokens = rows as u64 * context;
            needed.gradients = weights;
            needed.moments = 2 * weights;
            needed.best_weights = weights;
            needed.activations = 4 * tokens * (layers * block_numbers(shape) + 3 * vocabulary);
        }
    }
    needed
}

/// Numbers that a block keeps of a token.
fn block_numbers(shape: &ModelConfig) -> u64 {
    let (width, hidden) = (shape.width as u64, shape.hidden_width() as u64);
    let (queries, keys) = (shape.query_width() as u64, shape.key_value_width() as u64);
    let gate = match shape.activation {
        lab_protocol::Activation::Swiglu => 2 * hidden,
        _ => hidden,
    };
    // The residual stream twice, two norms, the packed heads before and after the rotation, what the attention
    // gives, the MLP's inner layer before and after its activation.
    let heads = queries + 2 * keys;
    4 * width + 2 * heads + queries + 2 * shape.heads as u64 + gate + hidden
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::Decoder;
    use burn::module::Module;

    #[test]
    fn parameters_are_counted_exactly() {
        let shape = ModelConfig::default();
        let needed = memory_needed(&shape, 65, Workload::Generation { rows: 1 });
        let model = Decoder::new(&shape, 65, 0, &burn::tensor::Device::flex());
        assert_eq!(needed.parameters, model.num_params() as u64);
        // Two numbers for each head width, layer and position.
        assert_eq!(needed.key_value_cache, 4 * 2 * 4 * 64 * 64);
    }

    #[test]
    fn training_needs_more_and_what_does_not_fit_is_refused_with_a_reason() {
        let shape = ModelConfig::default();
        let generation = memory_needed(&shape, 65, Workload::Generation { rows: 1 });
        let training = memory_needed(&shape, 65, Workload::Training { rows: 8 });
        assert!(training.total() > 4 * generation.weights + generation.total());
        assert!(training.must_fit(training.total()).is_ok());
        let error = training.must_fit(training.total() - 1).unwrap_err();
        assert_eq!(error.code, ErrorCode::OutOfMemory);
        assert!(error.message.contains("activations"), "{error}");
    }
}
