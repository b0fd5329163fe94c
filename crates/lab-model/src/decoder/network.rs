//! A decoder-only transformer, by configuration: GPT-2's and Llama's families, and mixtures of both.

use super::block::Block;
use crate::dropout::Dropout;
use crate::kernels;
use crate::layers::{LoraLinear, Norm, Rope};
use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

/// Token and position embeddings, blocks, a last norm and a head.
#[derive(Module, Debug)]
pub struct Decoder {
    /// `[vocabulary, width]`
    pub token_embedding: Param<Tensor<2>>,
    /// `[context, width]`, if positions are learned.
    pub position_embedding: Option<Param<Tensor<2>>>,
    pub blocks: Vec<Block>,
    pub norm: Norm,
    /// `[width, vocabulary]`, if the head is not the token embedding.
    pub head: Option<Param<Tensor<2>>>,
    #[module(skip)]
    pub(super) rope: Option<Rope>,
}

impl Decoder {
    /// Logits `[batch, time, vocabulary]` for token ids `[batch, time]`, time at most the context. `dropout` applies
    /// to the embeddings, to the attention's probabilities and to the output of each block's parts, as in training.
    pub fn forward(&self, ids: Tensor<2, Int>, dropout: &mut Dropout) -> Tensor<3> {
        self.logits(self.hidden(ids, dropout))
    }

    /// The trunk: the input of the head, `[batch, time, width]`, after the last norm.
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

    /// The head: logits `[batch, time, vocabulary]` from the output of [`Decoder::hidden`].
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        let weight = self.head.as_ref().unwrap_or(&self.token_embedding).val();
        match (&self.head, weight.is_require_grad()) {
            (Some(_), true) => kernels::linear(hidden, weight, None),
            (None, true) => kernels::linear_transposed(hidden, weight),
            (Some(_), false) => kernels::linear_frozen(hidden, weight, None),
            (None, false) => kernels::linear_transposed_frozen(hidden, weight),
        }
    }

    /// Changes the linear layers of all blocks.
    pub(crate) fn map_linears(mut self, change: impl Fn(LoraLinear) -> LoraLinear) -> Self {
        self.blocks = self
            .blocks
            .into_iter()
            .map(|block| block.map_linears(&change))
            .collect();
        self
    }
}
