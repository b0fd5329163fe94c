//! Generation without repeated passes: the cache keeps keys and values of earlier tokens.
//!
//! Rows of unequal length are padded on the right. A row's tokens do not see the padding behind them, so
//! [`Decoder::prefill`] is the ordinary forward pass. The values that the padding left in the cache are overwritten
//! one by one before any token reads them. All of this is for weights without autodiff (`model.valid()`).

use super::block::Block;
use super::network::Decoder;
use crate::dropout::Dropout;
use crate::kernels;
use crate::layers::Rope;
use burn::tensor::{Device, Int, Tensor, TensorData};
use lab_protocol::{ErrorCode, LabError, text};

/// Capacity at first, in tokens; it doubles when it is used up.
const MIN_CAPACITY: usize = 32;

/// Keys and values of the tokens so far, for several rows of text.
pub struct KvCache {
    /// Of each block, `[rows, capacity, key_value_heads·head_width]`.
    blocks: Vec<(Tensor<3>, Tensor<3>)>,
    /// Number of tokens in each row.
    lengths: Vec<usize>,
    capacity: usize,
}

impl KvCache {
    /// Number of tokens that each row has so far.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Keeps these rows, in this order. A row may be named more than once, to continue it in several ways.
    pub fn select(&mut self, rows: &[usize]) {
        let lengths: Vec<usize> = rows
            .iter()
            .filter_map(|&row| self.lengths.get(row).copied())
            .collect();
        if let (true, Some((keys, _))) = (lengths.len() == rows.len(), self.blocks.first()) {
            let index = indices(rows, &keys.device());
            for (keys, values) in &mut self.blocks {
                *keys = keys.clone().select(0, index.clone());
                *values = values.clone().select(0, index.clone());
            }
            self.lengths = lengths;
        }
    }

    /// Makes room for one more token in every row.
    fn reserve(&mut self, context: usize) {
        let longest = self.lengths.iter().copied().max().unwrap_or(0);
        if longest < self.capacity {
            return;
        }
        self.capacity = bucket(longest + 1, context);
        for (keys, values) in &mut self.blocks {
            *keys = widened(keys.clone(), self.capacity);
            *values = widened(values.clone(), self.capacity);
        }
    }
}

/// The smallest power of two that holds this many tokens, at most the context: a GPU sees few shapes.
fn bucket(tokens: usize, context: usize) -> usize {
    tokens.max(MIN_CAPACITY).next_power_of_two().min(context)
}

/// `[rows, tokens, width]` with room for `capacity` tokens.
fn widened(x: Tensor<3>, capacity: usize) -> Tensor<3> {
    let [rows, tokens, width] = x.dims();
    let room = Tensor::zeros([rows, capacity.saturating_sub(tokens), width], &x.device());
    Tensor::cat(vec![x, room], 1)
}

fn indices(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

impl Decoder {
    /// Maximum number of tokens that the model reads at once.
    pub fn context(&self) -> usize {
        let learned = self.position_embedding.as_ref().map(|p| p.val().dims()[0]);
        let turned = self.rope.as_ref().map(Rope::context);
        learned.or(turned).unwrap_or(usize::MAX)
    }

    pub fn vocabulary(&self) -> usize {
        self.token_embedding.val().dims()[0]
    }

    /// Logits `[rows, vocabulary]` after the last token of each row, and the cache to continue from.
    /// Each row has from one token to as many as the context. A token outside the vocabulary, an empty
    /// row and one that is too long are errors.
    pub fn prefill(&self, rows: &[&[u32]]) -> Result<(Tensor<2>, KvCache), LabError> {
        let (ids, lengths) = self.padded(rows)?;
        let time = ids.dims()[1];
        let capacity = bucket(time + 1, self.context());
        let mut blocks = Vec::with_capacity(self.blocks.len());
        let rotation = self.rope.as_ref().map(|rope| rope.tables(time));
        let mut x = kernels::embedding(self.token_embedding.val(), ids);
        if let Some(positions) = &self.position_embedding {
            x = x + positions.val().narrow(0, 0, time).unsqueeze::<3>();
        }
        for block in &self.blocks {
            x = block.forward_with(x, &mut Dropout::off(), |qkv| {
                let (heads, shared) = (block.shape.heads, block.shape.key_value_heads);
                let row = shared * block.shape.head_width;
                let qkv = match rotation.clone() {
                    Some(rotation) => kernels::rotate_heads(qkv, heads, shared, rotation),
                    None => qkv,
                };
                let part = |from: usize| widened(qkv.clone().narrow(2, from, row), capacity);
                let first = heads * block.shape.head_width;
                blocks.push((part(first), part(first + row)));
                kernels::self_attention(qkv, heads, shared, None, block.shape.scale(), None)
            });
        }
        let x = last_of_each(x, &lengths);
        let [rows, _, _] = x.dims();
        let logits = self.logits(self.norm.forward(x));
        let cache = KvCache {
            blocks,
            lengths,
            capacity,
        };
        Ok((logits.reshape([rows, self.vocabulary()]), cache))
    }

    /// Logits `[rows, vocabulary]` after one more token in each row of the cache. For a `None` (a row that has
    /// ended), the row of the cache stays unchanged and its logits are meaningless. A row that fills the context is
    /// an error: see [`Decoder::last_logits`].
    pub fn step(&self, tokens: &[Option<u32>], cache: &mut KvCache) -> Result<Tensor<2>, LabError> {
        let context = self.context();
        let full = |(token, &length): (&Option<u32>, &usize)| token.is_some() && length >= context;
        if tokens.len() != cache.lengths.len() || cache.lengths.is_empty() {
            return Err(LabError::internal("a step needs one token for each row"));
        }
        if tokens.iter().zip(&cache.lengths).any(full) {
            return Err(LabError::internal("a row of the cache is full"));
        }
        self.check(tokens.iter().flatten())?;
        cache.reserve(context);
        let rows = tokens.len();
        let device = self.token_embedding.val().device().inner();
        let ids: Vec<usize> = tokens
            .iter()
            .map(|token| token.unwrap_or(0) as usize)
            .collect();
        let ids = indices(&ids, &device).reshape([rows, 1]);
        // The position behind the last token is free, or is the last one of a row that has ended.
        let places: Vec<usize> = cache
            .lengths
            .iter()
            .map(|&length| length.min(cache.capacity - 1))
            .collect();
        let places = indices(&places, &device);
        let mut x = kernels::embedding(self.token_embedding.val(), ids);
        if let Some(positions) = &self.position_embedding {
            x = x + kernels::embedding(positions.val(), places.clone().reshape([rows, 1]));
        }
        let rotation = self.rope.as_ref().map(|rope| rope.at(places.clone()));
        for (block, kept) in self.blocks.iter().zip(&mut cache.blocks) {
            x = block.forward_with(x, &mut Dropout::off(), |qkv| {
                block.attend_to(qkv, kept, places.clone(), rotation.clone())
            });
        }
        for (length, token) in cache.lengths.iter_mut().zip(tokens) {
            *length += usize::from(token.is_some());
        }
        let logits = self.logits(self.norm.forward(x));
        Ok(logits.reshape([rows, self.vocabulary()]))
    }

    /// Logits `[rows, vocabulary]` after the last token of each row, without a cache. For rows that
    /// fill the context: when the window slides, every token in it has another position.
    pub fn last_logits(&self, rows: &[&[u32]]) -> Result<Tensor<2>, LabError> {
        let (ids, lengths) = self.padded(rows)?;
        let x = last_of_each(self.hidden(ids, &mut Dropout::off()), &lengths);
        Ok(self.logits(x).reshape([lengths.len(), self.vocabulary()]))
    }

    /// Logits `[ids, vocabulary]` at every position of one sequence, in one pass.
    pub fn sequence_logits(&self, ids: &[u32]) -> Result<Tensor<2>, LabError> {
        let (input, _) = self.padded(&[ids])?;
        let logits = self.forward(input, &mut Dropout::off());
        Ok(logits.reshape([ids.len(), self.vocabulary()]))
    }

    /// Ids `[rows, longest]`, padded on the right, and the rows' lengths.
    fn padded(&self, rows: &[&[u32]]) -> Result<(Tensor<2, Int>, Vec<usize>), LabError> {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        if lengths.contains(&0) || rows.is_empty() {
            return Err(LabError::new(
                ErrorCode::InvalidData,
                "there is no token to begin with",
                "Begin with at least one token.",
            )
            .at("prompt"));
        }
        if longest > self.context() {
            return Err(LabError::new(
                ErrorCode::InvalidData,
                text!(
                    "{tokens} tokens are more than the model's window of {window}",
                    tokens = longest,
                    window = self.context()
                ),
                "Shorten the text.",
            )
            .at("prompt"));
        }
        self.check(rows.iter().copied().flatten())?;
        let mut ids = Vec::with_capacity(rows.len() * longest);
        for row in rows {
            let end = ids.len() + longest;
            ids.extend(row.iter().map(|&id| id as i32));
            ids.resize(end, 0);
        }
        let device = self.token_embedding.val().device().inner();
        let ids = TensorData::new(ids, [rows.len(), longest]);
        Ok((Tensor::from_data(ids, &device), lengths))
    }

    /// Refuses tokens outside the vocabulary: a GPU would read beyond the embedding.
    fn check<'a>(&self, ids: impl IntoIterator<Item = &'a u32>) -> Result<(), LabError> {
        let vocabulary = self.vocabulary();
        match ids.into_iter().find(|&&id| id as usize >= vocabulary) {
            None => Ok(()),
            Some(id) => Err(LabError::new(
                ErrorCode::InvalidData,
                text!(
                    "the model has no token {id}: its vocabulary has {vocabulary}",
                    id,
                    vocabulary
                ),
                "Use the tokenizer that belongs to the model.",
            )
            .at("ids")),
        }
    }
}

/// The last token of each row of `[rows, time, width]`, `[rows, 1, width]`.
fn last_of_each(x: Tensor<3>, lengths: &[usize]) -> Tensor<3> {
    let [rows, time, width] = x.dims();
    if time == 1 {
        return x;
    }
    let places: Vec<usize> = lengths
        .iter()
        .enumerate()
        .map(|(row, length)| row * time + length - 1)
        .collect();
    let places = indices(&places, &x.device());
    x.reshape([rows * time, width])
        .select(0, places)
        .reshape([rows, 1, width])
}

impl Block {
    /// The attention of one token in each row, whose key and value are added to the cache.
    fn attend_to(
        &self,
        qkv: Tensor<3>,
        kept: &mut (Tensor<3>, Tensor<3>),
        places: Tensor<1, Int>,
        rotation: Option<(Tensor<2>, Tensor<2>)>,
    ) -> Tensor<3> {
        let (heads, shared) = (self.shape.heads, self.shape.key_value_heads);
        let [rows, _, packed] = qkv.dims();
        let qkv = match rotation {
            // Rows act as positions: each is turned by the angles of its own position.
            Some(rotation) => {
                let qkv = qkv.reshape([1, rows, packed]);
                kernels::rotate_heads(qkv, heads, shared, rotation).reshape([rows, 1, packed])
            }
            None => qkv,
        };
        // Moved out of the cache, so they have one owner and are changed in place.
        let nothing = Tensor::empty([0, 0, 0], &qkv.device());
        let (keys, values) = std::mem::replace(kept, (nothing.clone(), nothing));
        let scale = self.shape.scale();
        let (y, keys, values) =
            kernels::cached_attention(qkv, keys, values, places, heads, shared, scale);
        *kept = (keys, values);
        y
    }
}
