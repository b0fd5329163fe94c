//! The settings of pretraining beyond those of training, as its card shows them.

use crate::settings::Group::{Evaluation, Main, Model};
use crate::settings::Kind::{Choice, Maybe, Number, Switch, Whole, WholeUpTo};
use crate::settings::{ABOVE_ZERO, Setting, only, setting};

/// The largest width of a layer.
const MAX_SIZE: usize = 16_384;

/// One entry for each key of `PretrainingConfig` but those of `training`.
pub const PRETRAINING: &[Setting] = &[
    setting(
        Main,
        "model.layers",
        "Layers",
        Whole(1, 128),
        "Transformer blocks, one after the other.",
    ),
    setting(
        Main,
        "model.heads",
        "Heads",
        Whole(1, 1024),
        "Attention heads in a block; they divide the width.",
    ),
    setting(
        Main,
        "model.width",
        "Width",
        Whole(1, MAX_SIZE),
        "Numbers that describe one token.",
    ),
    setting(
        Main,
        "model.context",
        "Context",
        Whole(1, 32_768),
        "Tokens the model sees at once.",
    ),
    setting(
        Main,
        "tokenizer",
        "Tokens",
        Choice(&[
            ("character", "Characters"),
            ("byte", "Bytes"),
            ("bpe", "Pieces of words"),
        ]),
        "What the text is cut into.",
    ),
    only(
        "tokenizer",
        &["bpe"],
        setting(
            Main,
            "vocabulary",
            "Vocabulary",
            Whole(257, 262_144),
            "The most pieces that are learned from the text.",
        ),
    ),
    setting(
        Model,
        "model.head_width",
        "Head width",
        Whole(0, MAX_SIZE),
        "Size of a head; 0 is the width divided by the heads.",
    ),
    setting(
        Model,
        "model.hidden_width",
        "Hidden width",
        Whole(0, 8 * MAX_SIZE),
        "Inner size of the MLP; 0 is four times the width.",
    ),
    setting(
        Model,
        "model.key_value_heads",
        "Key-value heads",
        Whole(0, 1024),
        "Fewer than heads share keys and values; 0 is as many.",
    ),
    setting(
        Model,
        "model.position",
        "Positions",
        Choice(&[("learned", "Learned (GPT-2)"), ("rope", "Rotary (Llama)")]),
        "How the model knows the order of tokens.",
    ),
    setting(
        Model,
        "model.rope_theta",
        "Rotary base",
        Number(1.0, 1e12),
        "Longest wavelength of rotary positions.",
    ),
    setting(
        Model,
        "model.activation",
        "Activation",
        Choice(&[
            ("gelu", "GELU"),
            ("gelu_new", "GELU, tanh form"),
            ("relu", "ReLU"),
            ("swiglu", "SwiGLU (Llama)"),
        ]),
        "The bend in the MLP.",
    ),
    setting(
        Model,
        "model.norm",
        "Normalisation",
        Choice(&[("layer_norm", "LayerNorm"), ("rms_norm", "RMSNorm")]),
        "What keeps activations at one scale.",
    ),
    setting(
        Model,
        "model.norm_epsilon",
        "Norm epsilon",
        Number(ABOVE_ZERO, 1.0),
        "Keeps the normalisation from dividing by 0.",
    ),
    setting(
        Model,
        "model.dropout",
        "Dropout",
        Number(0.0, 0.95),
        "Share of activations dropped at random in training.",
    ),
    setting(
        Model,
        "model.bias",
        "Biases",
        Switch,
        "A constant added in linear layers and LayerNorm.",
    ),
    setting(
        Model,
        "model.attention_bias",
        "Attention biases",
        Maybe("As biases"),
        "The same for the attention alone.",
    ),
    setting(
        Model,
        "model.mlp_bias",
        "MLP biases",
        Maybe("As biases"),
        "The same for the MLP alone.",
    ),
    setting(
        Model,
        "model.tied_head",
        "Tied head",
        Switch,
        "The output layer reuses the token vectors.",
    ),
    setting(
        Evaluation,
        "training.final_evaluation_stride",
        "Stride at the end",
        WholeUpTo(0, "the context"),
        "Tokens from one of those windows to the next; 0 is the context, so that none overlap.",
    ),
];
