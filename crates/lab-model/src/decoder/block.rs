//! A block of a decoder: attention and MLP.

use crate::dropout::Dropout;
use crate::kernels;
use crate::layers::{LoraLinear, Norm, Rope};
use crate::layout::Layer;
use burn::module::Module;
use burn::tensor::Tensor;
use lab_protocol::Activation;

/// Pre-norm attention and MLP, each added to its input.
#[derive(Module, Debug)]
pub struct Block {
    pub attention_norm: Norm,
    /// Queries, keys and values of all heads side by side: `[width, (heads + 2·key_value_heads)·head_width]`.
    pub qkv: LoraLinear,
    pub projection: LoraLinear,
    pub mlp_norm: Norm,
    /// Present with SwiGLU only.
    pub gate: Option<LoraLinear>,
    pub up: LoraLinear,
    pub down: LoraLinear,
    #[module(skip)]
    pub(super) shape: BlockShape,
}

/// The sizes that do not follow from the weights' shapes.
#[derive(Clone, Debug)]
pub struct BlockShape {
    pub heads: usize,
    pub key_value_heads: usize,
    pub head_width: usize,
    pub activation: Activation,
}

impl BlockShape {
    /// The factor of the scores before the softmax.
    pub fn scale(&self) -> f64 {
        1.0 / (self.head_width as f64).sqrt()
    }
}

impl Block {
    /// Its linear layers, in the order of the computation.
    pub fn linears(&self) -> impl Iterator<Item = &LoraLinear> {
        let mlp = self.gate.iter().chain([&self.up, &self.down]);
        [&self.qkv, &self.projection].into_iter().chain(mlp)
    }

    pub fn linears_mut(&mut self) -> impl Iterator<Item = &mut LoraLinear> {
        let mlp = self.gate.iter_mut().chain([&mut self.up, &mut self.down]);
        [&mut self.qkv, &mut self.projection].into_iter().chain(mlp)
    }

    pub fn linear_mut(&mut self, layer: Layer) -> Option<&mut LoraLinear> {
        match layer {
            Layer::Qkv => Some(&mut self.qkv),
            Layer::Projection => Some(&mut self.projection),
            Layer::Gate => self.gate.as_mut(),
            Layer::Up => Some(&mut self.up),
            Layer::Down => Some(&mut self.down),
        }
    }

    /// Changes its linear layers, in the order of [`Block::linears`].
    pub fn map_linears(self, mut change: impl FnMut(LoraLinear) -> LoraLinear) -> Self {
        Self {
            qkv: change(self.qkv),
            projection: change(self.projection),
            gate: self.gate.map(&mut change),
            up: change(self.up),
            down: change(self.down),
            ..self
        }
    }

    pub(super) fn forward(
        &self,
        x: Tensor<3>,
        rope: Option<&Rope>,
        dropout: &mut Dropout,
    ) -> Tensor<3> {
        let shape = &self.shape;
        let dropped = dropout.attention();
        self.forward_with(x, dropout, |qkv| {
            let rotation = rope.map(|rope| rope.tables(qkv.dims()[1]));
            let (heads, shared) = (shape.heads, shape.key_value_heads);
            kernels::self_attention(qkv, heads, shared, rotation, shape.scale(), dropped)
        })
    }

    /// The block with `attend` as its attention: packed projection `[batch, time, (heads +
    /// 2·key_value_heads)·head_width]` to `[batch, time, heads·head_width]`.
    pub(super) fn forward_with(
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
