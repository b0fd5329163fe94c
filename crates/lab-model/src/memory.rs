//! An estimate of the memory that a run needs, made before it is allocated.

use crate::decoder::Decoder;
use crate::device::largest_tensor;
use crate::formats::WeightForm;
use crate::layout::{targets, weight_shapes};
use crate::parameters;
use burn::module::Module;
use burn::tensor::Device;
use lab_protocol::{Activation, ErrorCode, LabError, ModelConfig, text};

/// Bytes of a number: a model computes in f32 whatever the format of its file.
const F32: u64 = 4;

/// Bytes by part. Parts that are needed at the same time are added ([`MemoryNeeded::and`]); of parts that follow each
/// other the larger counts ([`MemoryNeeded::or`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryNeeded {
    pub weights: u64,
    pub gradients: u64,
    /// Two moments of each weight (AdamW).
    pub moments: u64,
    /// Values that the forward pass keeps for the backward pass, and the logits with their gradient.
    pub activations: u64,
    pub key_value_cache: u64,
    /// Weights and moments while a checkpoint is written, once as numbers and once as a file.
    pub checkpoint: u64,
    /// Files that a run starts from.
    pub files: u64,
    /// The largest tensor: a GPU sees it as one buffer.
    pub largest_tensor: u64,
}

/// A batch of sequences, in one pass through a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassSize {
    pub rows: usize,
    /// Tokens of a row, padding included.
    pub columns: usize,
    /// Number of positions with logits, of all rows together.
    pub predicted: usize,
}

impl MemoryNeeded {
    /// The weights of a model that is not loaded yet.
    pub fn weights(shape: &ModelConfig, vocabulary: usize, form: WeightForm) -> Self {
        let size = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
        let shapes = weight_shapes(shape, vocabulary);
        let numbers: u64 = shapes.iter().map(|(_, shape)| size(shape)).sum();
        let largest = shapes.iter().map(|(_, shape)| size(shape)).max();
        let weights = match form {
            WeightForm::Floats => F32 * numbers,
            // Half a byte for each weight, and the scales of the blocks. (A matrix also has a table of a kilobyte.)
            WeightForm::Nf4 => {
                let matrices = targets(shape).into_iter();
                let coded: u64 = matrices.map(|t| t.input as u64 * t.width as u64).sum();
                F32 * (numbers - coded) + coded / 2 + coded / 64
            }
        };
        Self {
            weights,
            largest_tensor: F32 * largest.unwrap_or(0),
            ..Self::default()
        }
    }

    /// A loaded model that is not trained.
    pub fn frozen(model: &Decoder) -> Self {
        Self {
            weights: model.weight_bytes() as u64,
            ..Self::default()
        }
    }

    /// The memory during the whole training of a model: its trained weights, separate from the ones that it started
    /// from, and their moments.
    pub fn trained<M: Module>(model: &M) -> Self {
        let trained = trained_bytes(model);
        Self {
            weights: trained,
            moments: 2 * trained,
            ..Self::default()
        }
    }

    /// The temporary memory of a step: the gradients of the trained weights, and the activations of a pass.
    pub fn step<M: Module>(
        model: &M,
        shape: &ModelConfig,
        vocabulary: usize,
        size: PassSize,
    ) -> Self {
        let tokens = size.rows as u64 * size.columns as u64;
        let logits = F32 * size.predicted as u64 * vocabulary as u64;
        let blocks = F32 * tokens * shape.layers as u64 * block_numbers(shape);
        Self {
            gradients: trained_bytes(model),
            // The logits, their softmax and its gradient.
            activations: blocks + 3 * logits,
            largest_tensor: logits.max(F32 * tokens * shape.hidden_width() as u64),
            ..Self::default()
        }
    }

    /// The temporary memory of generation: keys and values of every block, the activations of one block, and the
    /// logits of the last token of each row.
    pub fn writing(shape: &ModelConfig, vocabulary: usize, rows: usize, columns: usize) -> Self {
        let tokens = rows as u64 * columns as u64;
        let width = shape.key_value_width() as u64;
        let logits = F32 * rows as u64 * vocabulary as u64;
        Self {
            key_value_cache: F32 * 2 * shape.layers as u64 * tokens * width,
            activations: F32 * tokens * block_numbers(shape) + logits,
            largest_tensor: logits.max(F32 * tokens * shape.hidden_width() as u64),
            ..Self::default()
        }
    }

    /// The temporary memory of a checkpoint of a trained model, with `copies` of its weights beside the moments.
    pub fn checkpoint<M: Module>(model: &M, copies: u64) -> Self {
        Self {
            checkpoint: 2 * (copies + 2) * trained_bytes(model),
            ..Self::default()
        }
    }

    pub fn files(bytes: usize) -> Self {
        Self {
            files: bytes as u64,
            ..Self::default()
        }
    }

    /// Both at the same time.
    pub fn and(self, other: Self) -> Self {
        Self {
            weights: self.weights + other.weights,
            gradients: self.gradients + other.gradients,
            moments: self.moments + other.moments,
            activations: self.activations + other.activations,
            key_value_cache: self.key_value_cache + other.key_value_cache,
            checkpoint: self.checkpoint + other.checkpoint,
            files: self.files + other.files,
            largest_tensor: self.largest_tensor.max(other.largest_tensor),
        }
    }

    /// One after the other: the larger of both.
    pub fn or(self, other: Self) -> Self {
        let largest_tensor = self.largest_tensor.max(other.largest_tensor);
        let more = if self.total() < other.total() {
            other
        } else {
            self
        };
        Self {
            largest_tensor,
            ..more
        }
    }

    fn parts(&self) -> [(&'static str, u64); 7] {
        [
            ("weights", self.weights),
            ("gradients", self.gradients),
            ("moments", self.moments),
            ("activations", self.activations),
            ("key-value cache", self.key_value_cache),
            ("checkpoint", self.checkpoint),
            ("files", self.files),
        ]
    }

    pub fn total(&self) -> u64 {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }

    /// Refuses memory that does not fit: into `available` bytes, if their number is known, with the largest parts
    /// named; or as one tensor on `device`.
    pub fn must_fit(&self, available: Option<u64>, device: &Device) -> Result<(), LabError> {
        let largest = largest_tensor(device);
        if let Some(limit) = largest.filter(|limit| self.largest_tensor > *limit) {
            return Err(LabError::new(
                ErrorCode::OutOfMemory,
                text!(
                    "a tensor of the run has {needed}, and the GPU takes tensors of up to {limit}",
                    needed = megabytes(self.largest_tensor),
                    limit = megabytes(limit)
                ),
                "Use a smaller batch, a shorter context or a smaller vocabulary, or the CPU.",
            ));
        }
        let Some(available) = available.filter(|available| self.total() > *available) else {
            return Ok(());
        };
        let mut parts = self.parts();
        parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let named = parts.iter().take(3).filter(|(_, bytes)| *bytes > 0);
        let named: Vec<String> = named
            .map(|(name, bytes)| format!("{name} {}", megabytes(*bytes)))
            .collect();
        Err(LabError::new(
            ErrorCode::OutOfMemory,
            text!(
                "the run needs {needed}, and there are {available}: {parts}",
                needed = megabytes(self.total()),
                available = megabytes(available),
                parts = named.join(", ")
            ),
            "Use a smaller model, a shorter context, or a smaller batch with more of them in a step.",
        ))
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

fn trained_bytes<M: Module>(model: &M) -> u64 {
    let size = |(_, shape): &(String, Vec<usize>)| shape.iter().product::<usize>() as u64;
    let shapes = parameters::trainable_shapes(model);
    F32 * shapes.iter().map(size).sum::<u64>()
}

/// Numbers that a block keeps of a token for the backward pass: the inputs of its linear layers, norms and
/// activation, queries, keys and values, and for each head two sums of the softmax. The attention's scores are not
/// kept.
fn block_numbers(shape: &ModelConfig) -> u64 {
    let (width, hidden) = (shape.width as u64, shape.hidden_width() as u64);
    let (queries, keys) = (shape.query_width() as u64, shape.key_value_width() as u64);
    let gate = match shape.activation {
        Activation::Swiglu => 2 * hidden,
        _ => hidden,
    };
    // The residual stream twice, two norms, the packed heads before and after the rotation, the attention's output,
    // the MLP's inner layer before and after its activation.
    let heads = queries + 2 * keys;
    4 * width + 2 * heads + queries + 2 * shape.heads as u64 + gate + hidden
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::LoraConfig;
    use pollster::block_on;

    const VOCABULARY: usize = 65;

    #[test]
    fn weights_are_known_before_they_are_there() {
        let shape = ModelConfig {
            width: 256,
            ..ModelConfig::default()
        };
        let device = Device::flex();
        let model = Decoder::new(&shape, VOCABULARY, 0, &device);
        let floats = MemoryNeeded::weights(&shape, VOCABULARY, WeightForm::Floats);
        assert_eq!(floats.weights, MemoryNeeded::frozen(&model).weights);
        let quantized = block_on(model.quantized(&device)).unwrap();
        let expected = quantized.weight_bytes() as f64;
        let found = MemoryNeeded::weights(&shape, VOCABULARY, WeightForm::Nf4);
        assert!((found.weights as f64 / expected - 1.0).abs() < 0.05);
    }

    #[test]
    fn an_adapter_needs_gradients_and_moments_of_its_own_alone() {
        let (shape, device) = (ModelConfig::default(), Device::flex().autodiff());
        let model = Decoder::new(&shape, VOCABULARY, 0, &device);
        let all = MemoryNeeded::trained(&model);
        assert_eq!(all.moments, 2 * MemoryNeeded::frozen(&model).weights);
        let lora = LoraConfig::default();
        let adapted = model.with_new_adapter(&shape, &lora, 0, &device).unwrap();
        assert!(MemoryNeeded::trained(&adapted).moments < all.moments / 4);
    }

    #[test]
    fn parts_are_added_or_follow_each_other_and_what_does_not_fit_is_refused_with_a_reason() {
        let (shape, device) = (ModelConfig::default(), Device::flex());
        let weights = MemoryNeeded::weights(&shape, VOCABULARY, WeightForm::Floats);
        let writing = MemoryNeeded::writing(&shape, VOCABULARY, 64, shape.context);
        // Two numbers for each head width, layer and position.
        let numbers = 2 * shape.layers * 64 * shape.context * shape.width;
        assert_eq!(writing.key_value_cache, 4 * numbers as u64);
        let both = weights.and(writing);
        assert_eq!(both.total(), weights.total() + writing.total());
        assert_eq!(
            weights.or(writing).total(),
            weights.total().max(writing.total())
        );
        assert!(both.must_fit(Some(both.total()), &device).is_ok());
        assert!(both.must_fit(None, &device).is_ok());
        let error = both.must_fit(Some(both.total() - 1), &device).unwrap_err();
        assert_eq!(error.code, ErrorCode::OutOfMemory);
        assert!(error.message.contains("key-value cache"), "{error}");
    }
}
