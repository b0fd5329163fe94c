//! Sequences of unequal length, concatenated without padding: everything but the attention works on single tokens,
//! and the attention sees each sequence in its own row.

use super::network::Decoder;
use crate::dropout::Dropout;
use crate::kernels;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Indices of the tokens of sequences, in the pack and in rows.
pub struct Packing {
    /// Position of each token in its sequence, `[1, tokens]`.
    positions: Tensor<2, Int>,
    /// The token at each position of the rows, `[sequences, longest]`; the first token at positions without one.
    rows: Tensor<2, Int>,
    /// The position of each token in the rows, `[1, tokens]`.
    places: Tensor<2, Int>,
}

impl Packing {
    /// For sequences of these lengths, each at least 1.
    pub fn new(lengths: &[usize], device: &Device) -> Self {
        let device = device.clone().inner();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let tokens: usize = lengths.iter().sum();
        let mut positions = Vec::with_capacity(tokens);
        let mut places = Vec::with_capacity(tokens);
        let mut rows = Vec::with_capacity(lengths.len() * longest);
        for &length in lengths {
            let (first, row) = (positions.len(), rows.len());
            positions.extend((0..length).map(|position| position as i32));
            places.extend((0..length).map(|position| (row + position) as i32));
            rows.extend((0..length).map(|position| (first + position) as i32));
            rows.resize(row + longest, 0);
        }
        let table = |values: Vec<i32>, shape: [usize; 2]| {
            Tensor::from_data(TensorData::new(values, shape), &device)
        };
        Self {
            positions: table(positions, [1, tokens]),
            rows: table(rows, [lengths.len(), longest]),
            places: table(places, [1, tokens]),
        }
    }
}

impl Decoder {
    /// [`Decoder::hidden`] of packed sequences: token ids `[1, tokens]` to `[1, tokens, width]`. No sequence sees
    /// another.
    pub fn hidden_packed(
        &self,
        ids: Tensor<2, Int>,
        packing: &Packing,
        dropout: &mut Dropout,
    ) -> Tensor<3> {
        let mut x = kernels::embedding(self.token_embedding.val(), ids);
        if let Some(positions) = &self.position_embedding {
            x = x + kernels::embedding(positions.val(), packing.positions.clone());
        }
        x = dropout.apply(x);
        for block in &self.blocks {
            let shape = &block.shape;
            let dropped = dropout.attention();
            x = block.forward_with(x, dropout, |qkv| {
                let [_, tokens, width] = qkv.dims();
                let rows = kernels::embedding(qkv.reshape([tokens, width]), packing.rows.clone());
                let [sequences, longest, _] = rows.dims();
                let rotation = self.rope.as_ref().map(|rope| rope.tables(longest));
                let y = kernels::self_attention(
                    rows,
                    shape.heads,
                    shape.key_value_heads,
                    rotation,
                    shape.scale(),
                    dropped,
                );
                let width = y.dims()[2];
                let y = y.reshape([sequences * longest, width]);
                kernels::embedding(y, packing.places.clone())
            });
        }
        self.norm.forward(x)
    }
}
