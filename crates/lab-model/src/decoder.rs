//! A decoder-only transformer: GPT-2's and Llama's families and what lies between, by configuration.

mod cache;
mod packed;

pub use cache::KvCache;
pub use packed::Packing;

use crate::adapter::Layer;
use crate::dropout::Dropout;
use crate::kernels;
use crate::linear::Linear;
use crate::random::{Purpose, Random};
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lab_protocol::{Activation, ModelConfig, Norm as NormKind, Position};

/// Token and position embeddings, blocks, a last norm and a head.
#[derive(Module, Debug)]
pub struct Decoder {
    /// `[vocabulary, width]`
    pub token_embedding: Param<Tensor<2>>,
    /// `[context, width]`, where positions are learned.
    pub position_embedding: Option<Param<Tensor<2>>>,
    pub blocks: Vec<Block>,
    pub norm: Norm,
    /// `[width, vocabulary]`, where the head is not the token embedding.
    pub head: Option<Param<Tensor<2>>>,
    #[module(skip)]
    rope: Option<Rope>,
}

/// Pre-norm attention and MLP, each added to its input.
#[derive(Module, Debug)]
pub struct Block {
    pub attention_norm: Norm,
    /// Queries, keys and values of all heads side by side: `[width, (heads + 2·key_value_heads)·head_width]`.
    pub qkv: Linear,
    pub projection: Linear,
    pub mlp_norm: Norm,
    /// Present with SwiGLU only.
    pub gate: Option<Linear>,
    pub up: Linear,
    pub down: Linear,
    #[module(skip)]
    shape: BlockShape,
}

#[derive(Clone, Debug)]
struct BlockShape {
    heads: usize,
    key_value_heads: usize,
    head_width: usize,
    activation: Activation,
}

impl BlockShape {
    /// What scores are multiplied by before the softmax.
    fn scale(&self) -> f64 {
        1.0 / (self.head_width as f64).sqrt()
    }
}

/// LayerNorm (Ba et al. 2016) or RMSNorm (Zhang and Sennrich 2019).
#[derive(Module, Debug)]
pub struct Norm {
    /// `[width]`
    pub weight: Param<Tensor<1>>,
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    kind: NormKind,
    #[module(skip)]
    epsilon: f64,
}

/// Cosines and sines of the rotary angles, `[context, head_width / 2]`. Constants, never trained.
#[derive(Clone, Debug)]
struct Rope {
    cos: Tensor<2>,
    sin: Tensor<2>,
}

impl Decoder {
    /// Fresh weights on `device`, as GPT-2 begins: N(0, 0.02), the projections back into the residual
    /// stream by sqrt(2·layers) smaller, norms 1, biases 0. `config` must be valid.
    pub fn new(config: &ModelConfig, vocabulary: usize, seed: u64, device: &Device) -> Self {
        let mut init = Init {
            random: Random::new(seed, Purpose::Weights, 0),
            device,
        };
        let residual = 0.02 / (2.0 * config.layers as f64).sqrt();
        let width = config.width;
        let query_width = config.query_width();
        let packed_width = query_width + 2 * config.key_value_width();
        let (attention_bias, mlp_bias) = (config.attention_bias(), config.mlp_bias());
        let token_embedding = init.matrix(vocabulary, width, 0.02);
        let position_embedding = (config.position == Position::Learned)
            .then(|| init.matrix(config.context, width, 0.02));
        let blocks = (0..config.layers)
            .map(|_| Block {
                attention_norm: init.norm(config),
                qkv: init.linear(width, packed_width, 0.02, attention_bias),
                projection: init.linear(query_width, width, residual, attention_bias),
                mlp_norm: init.norm(config),
                gate: (config.activation == Activation::Swiglu)
                    .then(|| init.linear(width, config.hidden_width(), 0.02, mlp_bias)),
                up: init.linear(width, config.hidden_width(), 0.02, mlp_bias),
                down: init.linear(config.hidden_width(), width, residual, mlp_bias),
                shape: BlockShape {
                    heads: config.heads,
                    key_value_heads: config.key_value_heads(),
                    head_width: config.head_width(),
                    activation: config.activation,
                },
            })
            .collect();
        Self {
            token_embedding,
            position_embedding,
            blocks,
            norm: init.norm(config),
            head: (!config.tied_head).then(|| init.matrix(width, vocabulary, 0.02)),
            rope: (config.position == Position::Rope).then(|| Rope::new(config, device)),
        }
    }

    /// Logits `[batch, time, vocabulary]` for token ids `[batch, time]`, time at most the context.
    /// With `dropout`, the embeddings and what each block adds are dropped from, as in training.
    pub fn forward(&self, ids: Tensor<2, Int>, dropout: &mut Dropout) -> Tensor<3> {
        self.logits(self.hidden(ids, dropout))
    }

    /// The trunk: what the head reads, `[batch, time, width]`, after the last norm.
    pub fn hidden(&self, ids: Tensor<2, Int>, dropout: &mut Dropout) -> Tensor<3> {
        let [_, time] = ids.dims();
        let mut x = kernels::embedding(self.token_embedding.val(), ids);
        if let Some(positions) = &self.position_embedding {
            x = x + positions.val().narrow(0, 0, time).unsqueeze::<3>();
        }
        x = dropout.apply(x);
        for block in &self.blocks {
            x = block.forward(x, self.rope.as_ref(), dropout);
        }
        self.norm.forward(x)
    }

    /// The head: logits `[batch, time, vocabulary]` of what [`Decoder::hidden`] gives.
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        let weight = self.head.as_ref().unwrap_or(&self.token_embedding).val();
        match (&self.head, weight.is_require_grad()) {
            (Some(_), true) => kernels::linear(hidden, weight, None),
            (None, true) => kernels::linear_transposed(hidden, weight),
            (Some(_), false) => kernels::linear_frozen(hidden, weight, None),
            (None, false) => kernels::linear_transposed_frozen(hidden, weight),
        }
    }
}

impl Block {
    /// Its linear layers, in the order of the computation.
    pub fn linears(&self) -> impl Iterator<Item = &Linear> {
        let mlp = self.gate.iter().chain([&self.up, &self.down]);
        [&self.qkv, &self.projection].into_iter().chain(mlp)
    }

    pub fn linears_mut(&mut self) -> impl Iterator<Item = &mut Linear> {
        let mlp = self.gate.iter_mut().chain([&mut self.up, &mut self.down]);
        [&mut self.qkv, &mut self.projection].into_iter().chain(mlp)
    }

    pub fn linear_mut(&mut self, layer: Layer) -> Option<&mut Linear> {
        match layer {
            Layer::Qkv => Some(&mut self.qkv),
            Layer::Projection => Some(&mut self.projection),
            Layer::Gate => self.gate.as_mut(),
            Layer::Up => Some(&mut self.up),
            Layer::Down => Some(&mut self.down),
        }
    }

    /// Changes its linear layers, in the order of [`Block::linears`].
    pub fn map_linears(self, mut change: impl FnMut(Linear) -> Linear) -> Self {
        Self {
            qkv: change(self.qkv),
            projection: change(self.projection),
            gate: self.gate.map(&mut change),
            up: change(self.up),
            down: change(self.down),
            ..self
        }
    }

    fn forward(&self, x: Tensor<3>, rope: Option<&Rope>, dropout: &mut Dropout) -> Tensor<3> {
        let shape = &self.shape;
        self.forward_with(x, dropout, |qkv| {
            let rotation = rope.map(|rope| rope.tables(qkv.dims()[1]));
            let (heads, shared) = (shape.heads, shape.key_value_heads);
            kernels::self_attention(qkv, heads, shared, rotation, shape.scale())
        })
    }

    /// The block with `attend` for the attention proper: packed projection `[batch, time,
    /// (heads + 2·key_value_heads)·head_width]` to `[batch, time, heads·head_width]`.
    fn forward_with(
        &self,
        x: Tensor<3>,
        dropout: &mut Dropout,
        attend: impl FnOnce(Tensor<3>) -> Tensor<3>,
    ) -> Tensor<3> {
        let qkv = self
            .qkv
            .forward(self.attention_norm.forward(x.clone()), dropout);
        let attended = self.projection.forward(attend(qkv), dropout);
        let x = x + dropout.apply(attended);
        let expanded = self.mlp(self.mlp_norm.forward(x.clone()), dropout);
        x + dropout.apply(expanded)
    }

    fn mlp(&self, x: Tensor<3>, dropout: &mut Dropout) -> Tensor<3> {
        let gate = self
            .gate
            .as_ref()
            .map(|gate| gate.forward(x.clone(), dropout));
        let up = self.up.forward(x, dropout);
        let hidden = match (gate, self.shape.activation) {
            (Some(gate), _) => kernels::swiglu(gate, up),
            (None, Activation::GeluNew) => kernels::gelu_new(up),
            (None, Activation::Relu) => kernels::relu(up),
            (None, _) => kernels::gelu(up),
        };
        self.down.forward(hidden, dropout)
    }
}

impl Norm {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self.kind {
            NormKind::LayerNorm => kernels::layer_norm(
                x,
                self.weight.val(),
                self.bias.as_ref().map(Param::val),
                self.epsilon,
            ),
            NormKind::RmsNorm => kernels::rms_norm(x, self.weight.val(), self.epsilon),
        }
    }
}

impl Rope {
    /// Angles in f64, as the angle of a late position loses digits in f32.
    fn new(config: &ModelConfig, device: &Device) -> Self {
        let half = config.head_width() / 2;
        let angle = |position: usize, pair: usize| {
            position as f64
                / config
                    .rope_theta
                    .powf(2.0 * pair as f64 / config.head_width() as f64)
        };
        let table = |function: fn(f64) -> f64| {
            let values: Vec<f32> = (0..config.context)
                .flat_map(|position| {
                    (0..half).map(move |pair| function(angle(position, pair)) as f32)
                })
                .collect();
            Tensor::from_data(
                TensorData::new(values, [config.context, half]),
                &device.clone().inner(),
            )
        };
        Self {
            cos: table(libm::cos),
            sin: table(libm::sin),
        }
    }

    /// The tables of these positions, `[positions, head_width / 2]`.
    fn at(&self, positions: Tensor<1, Int>) -> (Tensor<2>, Tensor<2>) {
        (
            self.cos.clone().select(0, positions.clone()),
            self.sin.clone().select(0, positions),
        )
    }

    /// The tables of the first `time` positions.
    fn tables(&self, time: usize) -> (Tensor<2>, Tensor<2>) {
        (
            self.cos.clone().narrow(0, 0, time),
            self.sin.clone().narrow(0, 0, time),
        )
    }
}

/// Draws initial weights in the order in which they are asked for.
struct Init<'a> {
    random: Random,
    device: &'a Device,
}

impl Init<'_> {
    fn matrix(&mut self, rows: usize, columns: usize, deviation: f64) -> Param<Tensor<2>> {
        let values = self.random.normal(rows * columns, deviation);
        Param::from_data(TensorData::new(values, [rows, columns]), self.device)
    }

    fn vector(&self, width: usize, value: f32) -> Param<Tensor<1>> {
        Param::from_data(TensorData::new(vec![value; width], [width]), self.device)
    }

    fn linear(&mut self, from: usize, to: usize, deviation: f64, bias: bool) -> Linear {
        let weight = self.matrix(from, to, deviation);
        Linear::new(weight, bias.then(|| self.vector(to, 0.0)))
    }

    fn norm(&self, config: &ModelConfig) -> Norm {
        Norm {
            weight: self.vector(config.width, 1.0),
            bias: (config.bias && config.norm == NormKind::LayerNorm)
                .then(|| self.vector(config.width, 0.0)),
            kind: config.norm,
            epsilon: config.norm_epsilon,
        }
    }
}
