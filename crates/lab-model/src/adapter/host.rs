//! An adapter on the host.

use crate::layers::AdapterModule;
use crate::layout::{Target, no_match, targets};
use lab_protocol::{LabError, LoraConfig, ModelConfig};
use std::collections::BTreeMap;

/// An adapter on the host: the content of a PEFT folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    pub config: LoraConfig,
    /// By the path of the linear layer in the model's file.
    pub modules: BTreeMap<String, AdapterModule>,
    /// Whether it was trained on a base in 4 bits.
    pub quantized_base: bool,
}

impl Adapter {
    /// The adapter's modules, each with the layer that it changes in a model of this shape, block by block. A module
    /// for a layer that the model does not have is an error that names it.
    pub fn targets(&self, shape: &ModelConfig) -> Result<Vec<(Target, &AdapterModule)>, LabError> {
        let mut left: Vec<&String> = self.modules.keys().collect();
        let mut found = Vec::with_capacity(left.len());
        for target in targets(shape) {
            if let Some(module) = self.modules.get(&target.path) {
                left.retain(|path| **path != target.path);
                found.push((target, module));
            }
        }
        if left.is_empty() {
            Ok(found)
        } else {
            Err(no_match(shape, &left))
        }
    }
}
