//! Names and shapes of a model's weights.

use lab_protocol::{Activation, ModelConfig, Norm, Position};

/// Names and shapes of all weights of a model, by our names: the weights of [`crate::decoder::Decoder`], without
/// building one.
pub fn weight_shapes(config: &ModelConfig, vocabulary: usize) -> Vec<(String, Vec<usize>)> {
    let (width, hidden) = (config.width, config.hidden_width());
    let queries = config.query_width();
    let packed = queries + 2 * config.key_value_width();
    let mut shapes = vec![("token_embedding".to_owned(), vec![vocabulary, width])];
    if config.position == Position::Learned {
        shapes.push(("position_embedding".to_owned(), vec![config.context, width]));
    }
    let norm_bias = config.bias && config.norm == Norm::LayerNorm;
    let norm = |shapes: &mut Vec<(String, Vec<usize>)>, name: &str| {
        shapes.push((format!("{name}.weight"), vec![width]));
        if norm_bias {
            shapes.push((format!("{name}.bias"), vec![width]));
        }
    };
    let linear = |shapes: &mut Vec<(String, Vec<usize>)>, name: &str, dims: [usize; 2], bias| {
        shapes.push((format!("{name}.weight"), dims.to_vec()));
        if bias {
            shapes.push((format!("{name}.bias"), vec![dims[1]]));
        }
    };
    let (attention_bias, mlp_bias) = (config.attention_bias(), config.mlp_bias());
    for layer in 0..config.layers {
        let name = |part: &str| format!("blocks.{layer}.{part}");
        norm(&mut shapes, &name("attention_norm"));
        linear(&mut shapes, &name("qkv"), [width, packed], attention_bias);
        linear(
            &mut shapes,
            &name("projection"),
            [queries, width],
            attention_bias,
        );
        norm(&mut shapes, &name("mlp_norm"));
        if config.activation == Activation::Swiglu {
            linear(&mut shapes, &name("gate"), [width, hidden], mlp_bias);
        }
        linear(&mut shapes, &name("up"), [width, hidden], mlp_bias);
        linear(&mut shapes, &name("down"), [hidden, width], mlp_bias);
    }
    norm(&mut shapes, "norm");
    if !config.tied_head {
        shapes.push(("head".to_owned(), vec![width, vocabulary]));
    }
    shapes
}

/// Whether a weight is the matrix of a linear layer of a block; only these can have adapters or be in 4 bits.
pub fn is_of_linear_layer(name: &str) -> bool {
    let field = name
        .strip_prefix("blocks.")
        .and_then(|rest| rest.split_once('.'));
    field.is_some_and(|(_, field)| field.ends_with(".weight") && !field.contains("norm"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::Decoder;
    use crate::parameters;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_shapes_are_those_of_the_decoder(
            layer_norm: bool, learned: bool, activation in 0usize..4, bias: bool, attention in 0usize..3,
            mlp in 0usize..3, tied_head: bool, head_width in 0usize..2, key_value_heads in 0usize..2,
        ) {
            let flag = |choice: usize| [None, Some(false), Some(true)][choice];
            let config = ModelConfig {
                layers: 2, heads: 2, key_value_heads, head_width: 6 * head_width, width: 8, context: 5,
                norm: if layer_norm { Norm::LayerNorm } else { Norm::RmsNorm },
                position: if learned { Position::Learned } else { Position::Rope },
                activation: [Activation::Gelu, Activation::GeluNew, Activation::Relu, Activation::Swiglu][activation],
                bias, attention_bias: flag(attention), mlp_bias: flag(mlp), tied_head,
                ..Default::default()
            };
            let device = burn::tensor::Device::flex();
            let found = parameters::shapes(&Decoder::new(&config, 11, 0, &device));
            prop_assert_eq!(weight_shapes(&config, 11), found);
        }
    }
}
