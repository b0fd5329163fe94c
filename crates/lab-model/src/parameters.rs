//! A module's weights by name: read to the host in one round trip, written back, flattened for the
//! optimiser. Burn's own records read synchronously, which a browser's GPU does not allow.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData, Transaction};
use lab_protocol::{ErrorCode, LabError, text};
use std::collections::BTreeMap;

/// A weight on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Weights by the path of their field, e.g. `blocks.0.qkv.weight`.
pub type HostTensors = BTreeMap<String, HostTensor>;

/// A failed read: the GPU is gone or out of memory.
pub fn device_error(error: impl std::fmt::Debug) -> LabError {
    let text = format!("{error:?}");
    let memory = text.to_lowercase().contains("memory");
    LabError::new(
        if memory {
            ErrorCode::OutOfMemory
        } else {
            ErrorCode::DeviceLost
        },
        text!("the device failed: {reason}", reason = causes(&text)),
        if memory {
            "Use a smaller batch, width or context, or the CPU."
        } else {
            "Continue from the last checkpoint, or use the CPU."
        },
    )
}

/// The causes in a chain of errors as the GPU runtime prints it, the last one first; no backtrace.
fn causes(text: &str) -> String {
    let mut causes: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("Backtrace") {
            break;
        }
        if !line.is_empty() && line != "Caused by:" && !causes.contains(&line) {
            causes.push(line);
        }
    }
    causes.reverse();
    causes.join("; ")
}

/// Reads tensors to the host, all in one round trip.
pub async fn read<const D: usize>(tensors: Vec<Tensor<D>>) -> Result<Vec<Vec<f32>>, LabError> {
    let transaction = tensors
        .into_iter()
        .fold(Transaction::default(), |all, tensor| {
            all.register(tensor.without_autodiff())
        });
    let data = transaction.execute_async().await.map_err(device_error)?;
    data.into_iter()
        .map(|data| data.try_into_vec::<f32>().map_err(device_error))
        .collect()
}

/// Names and shapes of a module's weights, in the order of its fields.
pub fn shapes<M: Module>(module: &M) -> Vec<(String, Vec<usize>)> {
    let mut visitor = Collect::default();
    module.visit(&mut visitor);
    visitor.names.into_iter().zip(visitor.shapes).collect()
}

/// A module's weights, flattened, in the order of its fields.
pub fn flat<M: Module>(module: &M) -> Vec<Tensor<1>> {
    let mut visitor = Collect::default();
    module.visit(&mut visitor);
    visitor.tensors
}

/// A module's weights on the host.
pub async fn to_host<M: Module>(module: &M) -> Result<HostTensors, LabError> {
    let named = shapes(module);
    let values = read(flat(module)).await?;
    Ok(named
        .into_iter()
        .zip(values)
        .map(|((name, shape), values)| (name, HostTensor { shape, values }))
        .collect())
}

/// The module with its weights replaced. Exactly its weights must be present, each in its shape; all errors are
/// reported before anything is allocated.
pub fn from_host<M: Module>(
    module: M,
    tensors: &HostTensors,
    device: &Device,
) -> Result<M, LabError> {
    let expected = shapes(&module);
    replace(module, &expected, tensors, device)
}

fn replace<M: Module>(
    module: M,
    expected: &[(String, Vec<usize>)],
    tensors: &HostTensors,
    device: &Device,
) -> Result<M, LabError> {
    let mut faults = Vec::new();
    for (name, shape) in expected {
        match tensors.get(name) {
            None => faults.push(format!("{name} is missing")),
            Some(found) if found.shape != *shape => {
                faults.push(format!(
                    "{name} has the shape {:?}, not {shape:?}",
                    found.shape
                ));
            }
            Some(_) => {}
        }
    }
    let surplus = tensors
        .keys()
        .filter(|name| !expected.iter().any(|(other, _)| other == *name));
    faults.extend(surplus.map(|name| format!("{name} is not a weight of this model")));
    if !faults.is_empty() {
        return Err(LabError::new(
            ErrorCode::InvalidCheckpoint,
            text!(
                "the weights do not fit the model: {faults}",
                faults = faults.join("; ")
            ),
            "Use the configuration that the weights were trained with.",
        ));
    }
    Ok(module.map(&mut Replace {
        path: Path::default(),
        tensors,
        device,
    }))
}

/// Names and shapes of the trained weights, which require a gradient. The other weights are frozen, and are not part
/// of gradients, updates and the optimiser's state.
pub fn trainable_shapes<M: Module>(module: &M) -> Vec<(String, Vec<usize>)> {
    let mut visitor = Collect {
        trainable_only: true,
        ..Default::default()
    };
    module.visit(&mut visitor);
    visitor.names.into_iter().zip(visitor.shapes).collect()
}

/// The trained weights, on the host.
pub async fn trainable_to_host<M: Module>(module: &M) -> Result<HostTensors, LabError> {
    let mut visitor = Collect {
        trainable_only: true,
        ..Default::default()
    };
    module.visit(&mut visitor);
    let values = read(visitor.tensors).await?;
    let named = visitor.names.into_iter().zip(visitor.shapes);
    Ok(named
        .zip(values)
        .map(|((name, shape), values)| (name, HostTensor { shape, values }))
        .collect())
}

/// The module with its trained weights replaced, as [`from_host`] does with all weights.
pub fn trainable_from_host<M: Module>(
    module: M,
    tensors: &HostTensors,
    device: &Device,
) -> Result<M, LabError> {
    let expected = trainable_shapes(&module);
    replace(module, &expected, tensors, device)
}

/// The gradients of the trained weights, flattened, in the order of the module's fields; zeros for a weight that took
/// no part. Takes them out of `gradients`.
pub fn gradients<M: Module>(module: &M, gradients: &mut Gradients) -> Vec<Tensor<1>> {
    let mut visitor = TakeGradients {
        gradients,
        tensors: Vec::new(),
    };
    module.visit(&mut visitor);
    visitor.tensors
}

/// The module with each trained weight replaced by the result of `update`, which gets the weight, flattened, and its
/// rank. The module keeps no copy of the old weight meanwhile, so it can be changed in place.
pub fn update<M: Module>(module: M, update: impl FnMut(Tensor<1>, usize) -> Tensor<1>) -> M {
    module.map(&mut Update { update })
}

/// The position of a visit: the fields that lead there.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    /// Whether a name is part of a weight's path. Containers that say nothing about which weight it is are not: its
    /// form (a variant of an enum) and a layer inside adapters.
    fn is_named(name: &str, container: &str) -> bool {
        !container.starts_with("Enum:") && name != "base_layer"
    }

    fn enter(&mut self, name: &str, container: &str) {
        if Self::is_named(name, container) {
            self.0.push(name.to_owned());
        }
    }

    fn exit(&mut self, name: &str, container: &str) {
        if Self::is_named(name, container) {
            self.0.pop();
        }
    }

    fn name(&self) -> String {
        self.0.join(".")
    }
}

#[derive(Default)]
struct Collect {
    trainable_only: bool,
    path: Path,
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    tensors: Vec<Tensor<1>>,
}

impl ModuleVisitor for Collect {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }
    fn exit_module(&mut self, name: &str, container: &str) {
        self.path.exit(name, container);
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.trainable_only && !param.is_require_grad() {
            return;
        }
        self.names.push(self.path.name());
        self.shapes.push(param.val().dims().to_vec());
        self.tensors.push(flatten(param.val().without_autodiff()));
    }
}

struct Replace<'a> {
    path: Path,
    tensors: &'a HostTensors,
    device: &'a Device,
}

impl ModuleMapper for Replace<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }
    fn exit_module(&mut self, name: &str, container: &str) {
        self.path.exit(name, container);
    }
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // `from_host` has checked that every name is there.
        let Some(found) = self.tensors.get(&self.path.name()) else {
            return param;
        };
        let data = TensorData::new(found.values.clone(), found.shape.clone());
        param
            .map(|old| Tensor::from_data(data, self.device).set_require_grad(old.is_require_grad()))
    }
}

struct TakeGradients<'a> {
    gradients: &'a mut Gradients,
    tensors: Vec<Tensor<1>>,
}

impl ModuleVisitor for TakeGradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weight = param.val();
        if !weight.is_require_grad() {
            return;
        }
        let gradient = weight.grad_remove(self.gradients);
        self.tensors.push(flatten(
            gradient.unwrap_or_else(|| weight.without_autodiff().zeros_like()),
        ));
    }
}

struct Update<F> {
    update: F,
}

impl<F: FnMut(Tensor<1>, usize) -> Tensor<1>> ModuleMapper for Update<F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !param.is_require_grad() {
            return param;
        }
        param.map(|weight| {
            let shape = weight.dims();
            let updated = (self.update)(flatten(weight.without_autodiff()), D).reshape(shape);
            updated.autodiff().require_grad()
        })
    }
}

fn flatten<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let elements = tensor.shape().num_elements();
    tensor.reshape([elements])
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_chain_of_causes_is_told_shortly() {
        let text = "An error happened\nCaused by:\n  An error happened\nCaused by:\n  the buffer could not be mapped\nBacktrace:\nnone";
        assert_eq!(
            super::causes(text),
            "the buffer could not be mapped; An error happened"
        );
    }
}
