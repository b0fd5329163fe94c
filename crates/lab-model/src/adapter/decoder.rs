//! Decoders with adapters.

use super::host::Adapter;
use crate::decoder::Decoder;
use crate::layers::{AdapterModule, LoraLinear, LowRank};
use crate::layout::{Target, chosen_targets};
use crate::parameters::{self, HostTensor};
use crate::random::{Purpose, Random};
use burn::module::Module;
use burn::tensor::Device;
use lab_protocol::{ErrorCode, LabError, LoraConfig, ModelConfig, text};
use std::collections::BTreeMap;

impl Decoder {
    /// The model frozen, with a new adapter to train: A uniform within ±1/sqrt(in) (Kaiming with a = sqrt 5, as in
    /// PEFT), B 0, so the model's output does not change at first. `shape` is the model's.
    pub fn with_new_adapter(
        self,
        shape: &ModelConfig,
        config: &LoraConfig,
        seed: u64,
        device: &Device,
    ) -> Result<Self, LabError> {
        let mut random = Random::new(seed, Purpose::Adapters, 0);
        let scale = config.scale(config.rank, config.alpha);
        let mut model = self.without_adapter();
        for target in chosen_targets(shape, &config.targets)? {
            let bound = 1.0 / (target.input as f64).sqrt();
            let a = (0..target.input * config.rank)
                .map(|_| ((2.0 * random.uniform() - 1.0) * bound) as f32)
                .collect();
            let module = AdapterModule {
                a: HostTensor {
                    shape: vec![target.input, config.rank],
                    values: a,
                },
                b: HostTensor {
                    shape: vec![config.rank, target.width],
                    values: vec![0.0; config.rank * target.width],
                },
                magnitude: None,
                scale,
            };
            model.attach(&target, &module, config, device)?;
        }
        Ok(model)
    }

    /// The model frozen, with this adapter instead of any other. The base is shared, not copied: switching between
    /// adapters costs only their own size.
    pub fn with_adapter(
        self,
        shape: &ModelConfig,
        adapter: &Adapter,
        device: &Device,
    ) -> Result<Self, LabError> {
        let mut model = self.without_adapter();
        for (target, module) in adapter.targets(shape)? {
            model.attach(&target, module, &adapter.config, device)?;
        }
        Ok(model)
    }

    /// The base alone, frozen.
    pub fn without_adapter(self) -> Self {
        let mut model = self.no_grad();
        for block in &mut model.blocks {
            for linear in block.linears_mut() {
                linear.adapters.clear();
            }
        }
        model
    }

    /// Whether there is an adapter.
    pub fn has_adapter(&self) -> bool {
        let mut linears = self.blocks.iter().flat_map(|block| block.linears());
        linears.any(|linear| !linear.adapters.is_empty())
    }

    /// The adapter, read to the host; `config` is the configuration that it was made with.
    pub async fn adapter(&self, config: &LoraConfig) -> Result<Adapter, LabError> {
        let parts: Vec<&LowRank> = self
            .blocks
            .iter()
            .flat_map(|block| block.linears())
            .flat_map(|linear| &linear.adapters)
            .collect();
        let tensors = parts.iter().flat_map(|part| parameters::flat(*part));
        let mut values = parameters::read(tensors.collect()).await?.into_iter();
        let mut modules = BTreeMap::new();
        for part in parts {
            let mut next = |shape: Vec<usize>| HostTensor {
                shape,
                values: values.next().unwrap_or_default(),
            };
            let module = AdapterModule {
                a: next(part.a.dims().to_vec()),
                b: next(part.b.dims().to_vec()),
                magnitude: part
                    .magnitude
                    .as_ref()
                    .map(|magnitude| next(magnitude.dims().to_vec())),
                scale: part.scale,
            };
            modules.insert(part.path.clone(), module);
        }
        Ok(Adapter {
            config: config.clone(),
            modules,
            quantized_base: self.is_quantized(),
        })
    }

    /// One model of floats; the adapter's change is added to its weights.
    pub fn merged(self) -> Self {
        self.map_linears(LoraLinear::merged)
    }

    /// Subtracts an adapter's change from weights that it was merged into, and leaves the adapter attached. DoRA's
    /// change cannot be subtracted without the base's norms: keep the base instead.
    pub fn unmerged(
        self,
        shape: &ModelConfig,
        adapter: &Adapter,
        device: &Device,
    ) -> Result<Self, LabError> {
        if adapter.config.dora {
            return Err(LabError::new(
                ErrorCode::InvalidCommand,
                "a DoRA adapter that was merged cannot be taken out of the weights",
                "Attach the adapter to the base that it was trained on.",
            ));
        }
        let model = self.with_adapter(shape, adapter, device)?;
        Ok(model.map_linears(LoraLinear::unmerged))
    }

    fn attach(
        &mut self,
        target: &Target,
        module: &AdapterModule,
        config: &LoraConfig,
        device: &Device,
    ) -> Result<(), LabError> {
        let linear = self
            .blocks
            .get_mut(target.block)
            .and_then(|block| block.linear_mut(target.layer));
        let linear = linear.ok_or_else(|| {
            LabError::internal(text!("the model has no {path}", path = target.path))
        })?;
        linear.attach(target, module, config, device)
    }
}
