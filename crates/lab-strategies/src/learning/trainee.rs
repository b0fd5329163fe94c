//! A model in training, with its optimiser.

use crate::run::snapshot::Snapshot;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lab_model::optimizer::AdamW;
use lab_model::parameters;
use lab_protocol::{ErrorCode, LabError, TrainingConfig, text};

/// Changes a model's weights by gradients. Frozen weights stay unchanged, and are in no snapshot.
pub struct Trainee<M> {
    /// `None` only while it is updated.
    model: Option<M>,
    optimizer: AdamW,
    device: Device,
    /// The setting of the learning rate, for errors.
    field: &'static str,
}

/// Measurements of an update.
pub struct Updated {
    /// Before the update.
    pub loss: f64,
    /// The global norm before clipping.
    pub gradient_norm: f64,
    /// Values of the `measured` tensors.
    pub measured: Vec<Vec<f64>>,
}

impl<M: Module> Trainee<M> {
    /// Starts with moments of zero; `field` is the setting of the learning rate, e.g. `training.learning_rate`.
    pub fn new(model: M, config: &TrainingConfig, field: &'static str, device: &Device) -> Self {
        Self {
            optimizer: AdamW::new(config, &model, device),
            model: Some(model),
            device: device.clone(),
            field,
        }
    }

    pub fn model(&self) -> Result<&M, LabError> {
        self.model.as_ref().ok_or_else(lost)
    }

    /// The model without its optimiser, once it is trained.
    pub fn into_model(self) -> Result<M, LabError> {
        self.model.ok_or_else(lost)
    }

    /// Bytes of the optimiser's moments.
    pub fn optimizer_bytes(&self) -> usize {
        self.optimizer.bytes()
    }

    /// One update by the gradients of `loss`, a mean in nats, `[1]`. See [`Trainee::apply`].
    pub async fn update(
        &mut self,
        loss: Tensor<1>,
        learning_rate: f64,
        measured: Vec<Tensor<1>>,
    ) -> Result<Updated, LabError> {
        let mut gradients = loss.backward();
        let gradients = parameters::gradients(self.model()?, &mut gradients);
        let loss = loss.without_autodiff();
        self.apply(gradients, loss, learning_rate, measured).await
    }

    /// One update by accumulated gradients, as [`parameters::gradients`] gives them. `loss` and `measured` record no
    /// gradients; they are read together with the norm, so the host waits only once. A loss or a norm that is not
    /// finite changes no weight and is an error.
    pub async fn apply(
        &mut self,
        gradients: Vec<Tensor<1>>,
        loss: Tensor<1>,
        learning_rate: f64,
        measured: Vec<Tensor<1>>,
    ) -> Result<Updated, LabError> {
        let model = self.model.take().ok_or_else(lost)?;
        let (model, norm) = self.optimizer.update(model, gradients, learning_rate);
        self.model = Some(model);
        let tensors = [loss, norm].into_iter().chain(measured).collect();
        let read = parameters::read(tensors).await?;
        let mut values = read
            .into_iter()
            .map(|values| values.into_iter().map(f64::from).collect::<Vec<_>>());
        let mut number = || {
            let first = values.next().and_then(|values| values.first().copied());
            first.unwrap_or(f64::NAN)
        };
        let (loss, gradient_norm) = (number(), number());
        if !loss.is_finite() || !gradient_norm.is_finite() {
            return Err(LabError::new(
                ErrorCode::NonFinite,
                text!(
                    "in update {update} the loss became {loss} and the norm of the gradient {gradient_norm}; the weights were left as they were",
                    update = self.optimizer.updates(),
                    loss,
                    gradient_norm,
                ),
                "Lower the learning rate, or lengthen the warm-up; the last checkpoint is good.",
            )
            .at(self.field));
        }
        Ok(Updated {
            loss,
            gradient_norm,
            measured: values.collect(),
        })
    }

    /// Adds the trained weights and the moments to a snapshot, as the groups `name` and `name_optimizer`.
    pub async fn save(&self, name: &str, snapshot: &mut Snapshot) -> Result<(), LabError> {
        let weights = parameters::trainable_to_host(self.model()?).await?;
        let (moments, updates) = self.optimizer.to_host().await?;
        snapshot.tensors.insert(name.to_owned(), weights);
        snapshot.tensors.insert(optimizer(name), moments);
        snapshot.updates.insert(name.to_owned(), updates);
        Ok(())
    }

    /// Continues from the state that [`Trainee::save`] added.
    pub fn restore(&mut self, name: &str, snapshot: &mut Snapshot) -> Result<(), LabError> {
        let weights = snapshot.take_tensors(name);
        let model = self.model()?.clone();
        self.model = Some(parameters::trainable_from_host(
            model,
            &weights,
            &self.device,
        )?);
        let updates = snapshot.updates.remove(name).unwrap_or_default();
        let moments = snapshot.take_tensors(&optimizer(name));
        self.optimizer.load(moments, updates, &self.device)
    }
}

fn lost() -> LabError {
    LabError::internal("the model was lost in an update")
}

fn optimizer(name: &str) -> String {
    format!("{name}_optimizer")
}
