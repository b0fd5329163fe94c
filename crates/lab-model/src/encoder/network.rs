//! BERT's encoder (Devlin et al. 2019): every token sees every other; norms follow the layers (post-norm).

use super::weights::Weights;
use crate::kernels;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use lab_protocol::LabError;

/// The shape of a BERT model, as its `config.json` names it.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderShape {
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub hidden_width: usize,
    pub vocabulary: usize,
    /// Maximum number of positions.
    pub positions: usize,
    pub norm_epsilon: f64,
    pub activation: EncoderActivation,
}

/// The way from the vectors of tokens to the vector of their text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pooling {
    Mean,
    /// The token `[CLS]` that begins every text.
    FirstToken,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EncoderActivation {
    Gelu,
    GeluNew,
    Relu,
}

/// Weights on a device. They are not trained.
pub struct Network {
    shape: EncoderShape,
    /// `[vocabulary, width]`
    words: Tensor<2>,
    /// `[positions, width]`, with the embedding of the first sentence already added.
    positions: Tensor<2>,
    norm: Norm,
    layers: Vec<Layer>,
    device: Device,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    projection: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

struct Linear {
    /// `[in, out]`
    weight: Tensor<2>,
    /// `[out]`
    bias: Tensor<1>,
}

struct Norm {
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
}

impl Network {
    pub fn new(shape: EncoderShape, weights: &Weights, device: &Device) -> Result<Self, LabError> {
        let load = Load {
            weights,
            device,
            epsilon: shape.norm_epsilon,
        };
        let width = shape.width;
        let positions = load.matrix(
            "embeddings.position_embeddings.weight",
            shape.positions,
            width,
        )?;
        let first = load.vector_of("embeddings.token_type_embeddings.weight", width)?;
        let layers = (0..shape.layers)
            .map(|number| load.layer(&format!("encoder.layer.{number}"), &shape))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            words: load.matrix("embeddings.word_embeddings.weight", shape.vocabulary, width)?,
            positions: positions + first.unsqueeze::<2>(),
            norm: load.norm("embeddings.LayerNorm", width)?,
            layers,
            device: device.clone(),
            shape,
        })
    }

    /// The last layer, pooled over the tokens of each text, `[batch, width]`. A text has at least one token and at
    /// most one for each position. No token sees the padding of shorter texts.
    pub fn pooled(&self, texts: &[Vec<u32>], pooling: Pooling) -> Tensor<2> {
        let (batch, time) = (texts.len(), texts.iter().map(Vec::len).max().unwrap_or(0));
        let mut ids = vec![0i32; batch * time];
        let mut present = vec![0f32; batch * time];
        let mut shares = vec![0f32; batch * time];
        for (row, text) in texts.iter().enumerate() {
            for (place, id) in text.iter().enumerate() {
                ids[row * time + place] = *id as i32;
                present[row * time + place] = 1.0;
                shares[row * time + place] = match pooling {
                    Pooling::Mean => 1.0 / text.len() as f32,
                    Pooling::FirstToken => f32::from(u8::from(place == 0)),
                };
            }
        }
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [batch, time]), &self.device);
        let present =
            Tensor::<4>::from_data(TensorData::new(present, [batch, 1, 1, time]), &self.device);
        let shares =
            Tensor::<3>::from_data(TensorData::new(shares, [batch, time, 1]), &self.device);
        // Far below any score, so its exponential is 0.
        let mask = (present - 1.0) * 1e9;
        let mut x = kernels::embedding(self.words.clone(), ids);
        x = x + self.positions.clone().narrow(0, 0, time).unsqueeze::<3>();
        x = self.norm.forward(x);
        for layer in &self.layers {
            x = layer.forward(x, mask.clone(), &self.shape);
        }
        (x * shares).sum_dim(1).reshape([batch, self.shape.width])
    }
}

impl Layer {
    fn forward(&self, x: Tensor<3>, mask: Tensor<4>, shape: &EncoderShape) -> Tensor<3> {
        let [batch, time, width] = x.dims();
        let heads = |y: Tensor<3>| {
            y.reshape([batch, time, shape.heads, width / shape.heads])
                .swap_dims(1, 2)
        };
        let scale = 1.0 / ((width / shape.heads) as f64).sqrt();
        let query = heads(self.query.forward(x.clone())) * scale;
        let key = heads(self.key.forward(x.clone()));
        let value = heads(self.value.forward(x.clone()));
        let scores = kernels::matmul(query, key.swap_dims(2, 3)) + mask;
        let attended = kernels::matmul(softmax(scores, 3), value);
        let attended = attended.swap_dims(1, 2).reshape([batch, time, width]);
        let x = self
            .attention_norm
            .forward(x + self.projection.forward(attended));
        let hidden = self.up.forward(x.clone());
        let hidden = match shape.activation {
            EncoderActivation::Gelu => kernels::gelu(hidden),
            EncoderActivation::GeluNew => kernels::gelu_new(hidden),
            EncoderActivation::Relu => kernels::relu(hidden),
        };
        self.norm.forward(x + self.down.forward(hidden))
    }
}

impl Linear {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        kernels::linear(x, self.weight.clone(), Some(self.bias.clone()))
    }
}

impl Norm {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        kernels::layer_norm(
            x,
            self.weight.clone(),
            Some(self.bias.clone()),
            self.epsilon,
        )
    }
}

/// Weights by their names, on the device.
struct Load<'a> {
    weights: &'a Weights<'a>,
    device: &'a Device,
    epsilon: f64,
}

impl Load<'_> {
    fn layer(&self, at: &str, shape: &EncoderShape) -> Result<Layer, LabError> {
        let (width, hidden) = (shape.width, shape.hidden_width);
        let linear = |name: &str, from, to| self.linear(&format!("{at}.{name}"), from, to);
        Ok(Layer {
            query: linear("attention.self.query", width, width)?,
            key: linear("attention.self.key", width, width)?,
            value: linear("attention.self.value", width, width)?,
            projection: linear("attention.output.dense", width, width)?,
            attention_norm: self.norm(&format!("{at}.attention.output.LayerNorm"), width)?,
            up: linear("intermediate.dense", width, hidden)?,
            down: linear("output.dense", hidden, width)?,
            norm: self.norm(&format!("{at}.output.LayerNorm"), width)?,
        })
    }

    /// The file has `[out, in]`.
    fn linear(&self, name: &str, from: usize, to: usize) -> Result<Linear, LabError> {
        // Transposed once, so products need not read it crosswise.
        let values = self.weights.get(&format!("{name}.weight"), &[to, from])?;
        let mut turned = vec![0.0f32; values.len()];
        for (row, line) in values.chunks_exact(from).enumerate() {
            for (column, value) in line.iter().enumerate() {
                turned[column * to + row] = *value;
            }
        }
        Ok(Linear {
            weight: Tensor::from_data(TensorData::new(turned, [from, to]), self.device),
            bias: self.vector(&format!("{name}.bias"), to)?,
        })
    }

    fn norm(&self, name: &str, width: usize) -> Result<Norm, LabError> {
        Ok(Norm {
            weight: self.vector(&format!("{name}.weight"), width)?,
            bias: self.vector(&format!("{name}.bias"), width)?,
            epsilon: self.epsilon,
        })
    }

    fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Tensor<2>, LabError> {
        let values = self.weights.get(name, &[rows, columns])?;
        Ok(Tensor::from_data(
            TensorData::new(values, [rows, columns]),
            self.device,
        ))
    }

    fn vector(&self, name: &str, width: usize) -> Result<Tensor<1>, LabError> {
        let values = self.weights.get(name, &[width])?;
        Ok(Tensor::from_data(
            TensorData::new(values, [width]),
            self.device,
        ))
    }

    /// The first row of a matrix.
    fn vector_of(&self, name: &str, width: usize) -> Result<Tensor<1>, LabError> {
        let values = self.weights.first_row(name, width)?;
        Ok(Tensor::from_data(
            TensorData::new(values, [width]),
            self.device,
        ))
    }
}
