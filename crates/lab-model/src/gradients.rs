//! The gradients of a step that is made in several passes.

use crate::parameters;
use burn::module::Module;
use burn::tensor::Tensor;

/// The gradients of the parts of a loss, summed. Only one part's activations are in memory at a time.
#[derive(Default)]
pub struct Gradients(Vec<Tensor<1>>);

impl Gradients {
    /// Adds the gradients of `loss` (`[1]`) for the trained weights of `module`.
    pub fn add<M: Module>(&mut self, module: &M, loss: &Tensor<1>) {
        let mut gradients = loss.backward();
        let gradients = parameters::gradients(module, &mut gradients);
        self.0 = if self.0.is_empty() {
            gradients
        } else {
            let both = std::mem::take(&mut self.0).into_iter().zip(gradients);
            both.map(|(sum, part)| sum + part).collect()
        };
    }

    /// Flattened, in the order of the module's fields, as the optimiser needs them.
    pub fn into_tensors(self) -> Vec<Tensor<1>> {
        self.0
    }
}
