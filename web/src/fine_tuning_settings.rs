//! The settings of fine-tuning beyond those of training, as its card shows them.

use crate::lora_settings;
use crate::settings::Group::{Adapter, Data, Evaluation, Main};
use crate::settings::Kind::{Choice, Number, Switch, Whole};
use crate::settings::{ANY, Setting, setting};

/// The methods that train an adapter.
const LOW_RANK: &[&str] = &["lora", "qlora"];

pub const FINE_TUNING: &[Setting] = &[
    setting(
        Main,
        "method",
        "Method",
        Choice(&[
            ("full", "All weights"),
            ("lora", "LoRA"),
            ("qlora", "QLoRA (4 bits)"),
        ]),
        "Which weights are trained, and how the base is kept.",
    ),
    setting(
        Data,
        "too_long",
        "Too long",
        Choice(&[
            ("drop", "Leave out"),
            ("truncate", "Cut"),
            ("error", "Refuse"),
        ]),
        "What becomes of an example that does not fit the context.",
    ),
    setting(
        Data,
        "packing",
        "Packing",
        Switch,
        "Puts examples one behind the other, so that nothing is computed for padding.",
    ),
    setting(
        Data,
        "replay",
        "Replay",
        Number(0.0, 0.9),
        "Share of each batch that is text of the village's pretraining, so that it is not forgotten.",
    ),
    setting(
        Evaluation,
        "training.final_evaluation_stride",
        "Stride at the end",
        Whole(0, ANY),
        "Tokens from one of those windows to the next; 0 is the context.",
    ),
];

/// The adapter's settings.
pub const FINE_TUNING_ADAPTER: &[Setting] =
    lora_settings!(Adapter, "lora.", "method", LOW_RANK, 0.95);
