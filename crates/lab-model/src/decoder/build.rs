//! The construction of a decoder, from drawn or from read weights.

use super::block::{Block, BlockShape};
use super::network::Decoder;
use crate::layers::{Linear, LoraLinear, Norm, Rope, Weight};
use crate::random::{Purpose, Random};
use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use lab_protocol::{Activation, ModelConfig, Norm as NormKind, Position};
use std::convert::Infallible;

/// The source of a decoder's weights. Each is requested once, by its name in [`crate::layout::weight_shapes`] and in
/// that order.
pub trait WeightSource {
    type Error;

    /// The device of the weights.
    fn device(&self) -> &Device;

    /// A matrix; fresh numbers are N(0, `deviation`²).
    fn matrix(
        &mut self,
        name: &str,
        dims: [usize; 2],
        deviation: f64,
    ) -> Result<Param<Tensor<2>>, Self::Error>;

    /// A vector; fresh numbers are `value`.
    fn vector(
        &mut self,
        name: &str,
        width: usize,
        value: f32,
    ) -> Result<Param<Tensor<1>>, Self::Error>;

    /// The weight of a linear layer of a block, `[in, out]`.
    fn weight(
        &mut self,
        name: &str,
        dims: [usize; 2],
        deviation: f64,
    ) -> Result<Weight, Self::Error> {
        self.matrix(name, dims, deviation).map(Weight::Dense)
    }
}

impl Decoder {
    /// Fresh weights on `device`, initialised as in GPT-2: N(0, 0.02), the projections back into the residual stream
    /// smaller by sqrt(2·layers), norms 1, biases 0. `config` must be valid.
    pub fn new(config: &ModelConfig, vocabulary: usize, seed: u64, device: &Device) -> Self {
        let random = Random::new(seed, Purpose::Weights, 0);
        let Ok(model) = Self::from_weights(config, vocabulary, Drawn { random, device });
        model
    }

    /// A decoder of this shape with the weights of `source`. `config` must be valid.
    pub fn from_weights<S: WeightSource>(
        config: &ModelConfig,
        vocabulary: usize,
        mut source: S,
    ) -> Result<Self, S::Error> {
        let width = config.width;
        let token_embedding = source.matrix("token_embedding", [vocabulary, width], DEVIATION)?;
        let position_embedding = (config.position == Position::Learned)
            .then(|| source.matrix("position_embedding", [config.context, width], DEVIATION))
            .transpose()?;
        let mut build = Build { config, source };
        let blocks = (0..config.layers)
            .map(|number| build.block(number))
            .collect::<Result<_, _>>()?;
        let norm = build.norm("norm")?;
        let Build { mut source, .. } = build;
        let head = (!config.tied_head)
            .then(|| source.matrix("head", [width, vocabulary], DEVIATION))
            .transpose()?;
        let rope = (config.position == Position::Rope).then(|| Rope::new(config, source.device()));
        Ok(Self {
            token_embedding,
            position_embedding,
            blocks,
            norm,
            head,
            rope,
        })
    }
}

/// Deviation of the numbers of a fresh matrix.
const DEVIATION: f64 = 0.02;

struct Build<'a, S> {
    config: &'a ModelConfig,
    source: S,
}

impl<S: WeightSource> Build<'_, S> {
    fn block(&mut self, number: usize) -> Result<Block, S::Error> {
        let config = self.config;
        let residual = DEVIATION / (2.0 * config.layers as f64).sqrt();
        let (width, hidden) = (config.width, config.hidden_width());
        let queries = config.query_width();
        let packed = queries + 2 * config.key_value_width();
        let (attention_bias, mlp_bias) = (config.attention_bias(), config.mlp_bias());
        let name = |part: &str| format!("blocks.{number}.{part}");
        let is_gated = config.activation == Activation::Swiglu;
        Ok(Block {
            attention_norm: self.norm(&name("attention_norm"))?,
            qkv: self.linear(&name("qkv"), [width, packed], DEVIATION, attention_bias)?,
            projection: self.linear(
                &name("projection"),
                [queries, width],
                residual,
                attention_bias,
            )?,
            mlp_norm: self.norm(&name("mlp_norm"))?,
            gate: is_gated
                .then(|| self.linear(&name("gate"), [width, hidden], DEVIATION, mlp_bias))
                .transpose()?,
            up: self.linear(&name("up"), [width, hidden], DEVIATION, mlp_bias)?,
            down: self.linear(&name("down"), [hidden, width], residual, mlp_bias)?,
            shape: BlockShape {
                heads: config.heads,
                key_value_heads: config.key_value_heads(),
                head_width: config.head_width(),
                activation: config.activation,
            },
        })
    }

    fn linear(
        &mut self,
        name: &str,
        [from, to]: [usize; 2],
        deviation: f64,
        has_bias: bool,
    ) -> Result<LoraLinear, S::Error> {
        let source = &mut self.source;
        let weight = source.weight(&format!("{name}.weight"), [from, to], deviation)?;
        let bias = has_bias
            .then(|| source.vector(&format!("{name}.bias"), to, 0.0))
            .transpose()?;
        Ok(Linear::new(weight, bias).into())
    }

    fn norm(&mut self, name: &str) -> Result<Norm, S::Error> {
        let (config, source) = (self.config, &mut self.source);
        let has_bias = config.bias && config.norm == NormKind::LayerNorm;
        let weight = source.vector(&format!("{name}.weight"), config.width, 1.0)?;
        let bias = has_bias
            .then(|| source.vector(&format!("{name}.bias"), config.width, 0.0))
            .transpose()?;
        Ok(Norm::new(config.norm, config.norm_epsilon, weight, bias))
    }
}

/// Draws weights in the order of the requests.
struct Drawn<'a> {
    random: Random,
    device: &'a Device,
}

impl WeightSource for Drawn<'_> {
    type Error = Infallible;

    fn device(&self) -> &Device {
        self.device
    }

    fn matrix(
        &mut self,
        _: &str,
        [rows, columns]: [usize; 2],
        deviation: f64,
    ) -> Result<Param<Tensor<2>>, Infallible> {
        let values = self.random.normal(rows * columns, deviation);
        let data = TensorData::new(values, [rows, columns]);
        Ok(Param::from_data(data, self.device))
    }

    fn vector(
        &mut self,
        _: &str,
        width: usize,
        value: f32,
    ) -> Result<Param<Tensor<1>>, Infallible> {
        let data = TensorData::new(vec![value; width], [width]);
        Ok(Param::from_data(data, self.device))
    }
}
